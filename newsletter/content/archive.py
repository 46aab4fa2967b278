"""An issue as a public page: the same text and looks as the mail, in HTML for browsers.

No reader is known here: merge tags show their fallback, and nothing leads to one person's way out. One
inline `<style>` and no style attribute, so a strict Content-Security-Policy needs one hash. It loads
nothing but the issue's own pictures.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import quote

from markupsafe import Markup

from newsletter.content import blocks, facts, furniture, library, merge, render, share, templates, theme, variants
from newsletter.content import text as plain
from newsletter.content.blocks import Block
from newsletter.content.furniture import Room
from newsletter.content.inline import Dress, Stream, address, attribute, line, personal, picture, text, together
from newsletter.content.issue import Issue, Nearby
from newsletter.content.rows import PORTRAIT, Look
from newsletter.content.words import words
from newsletter.core.email import fill
from newsletter.core.publication import Publication


def archive(
    issue: Issue,
    publication: Publication,
    *,
    root: Path,
    base_url: str,
    before: Nearby | None = None,
    after: Nearby | None = None,
) -> str:
    """The page of an issue at `/archive/{slug}`.

    In: the issue as read, the publication and its root, the web side's base URL, the letters before and
    after it (linked when the issue asks for it). Out: the whole document. What is for a segment is left out.
    Raises: SettingsError for a theme or template that cannot be used.
    """
    issue = variants.chosen(issue, variants.WEB)
    base = base_url.rstrip("/")
    if issue.nearby and before is None:
        before = library.before(issue, publication, root, base)
    vocabulary = words(issue.lang, root)
    look = render.dressed(publication, root=root, base_url=base, lang=issue.lang, dir=issue.dir, name=issue.theme)
    page = Page(look)
    hero = issue.image.picture if issue.image and issue.image.picture.asset else None
    url = f"{base}/archive/{quote(issue.slug)}"
    room = Room(publication, vocabulary, url, before, after)
    template = templates.environment(root).get_template("email/archive.html")
    return template.render(
        issue=issue,
        publication=publication,
        words=vocabulary,
        style=Markup(style(look.theme, root)),  # noqa: S704 -- our own file and tokens that were checked
        subject=merge.shown(issue.subject, publication.fields),
        title=together_title(issue, publication),
        description=merge.shown(issue.summary or issue.preheader, publication.fields),
        facts=facts.of_issue(issue, plain.minutes(issue.body), vocabulary),
        authors=[publication.authors[key].name for key in issue.author if key in publication.authors],
        image=look.source(hero) if hero else f"{url}/share.png",
        image_alt=hero.alt if hero else merge.shown(issue.title, publication.fields),
        image_size=(hero.asset.width, hero.asset.height) if hero and hero.asset else share.SIZE,
        url=url,
        canonical=issue.canonical_url or url,
        base_url=base,
        body=Markup(page.html(furniture.whole(issue, room))),  # noqa: S704 -- escaped part by part
    )


def together_title(issue: Issue, publication: Publication) -> str:
    """The title as a reader without a name sees it, its last two words on one line."""
    (shown,) = together((blocks.Words(merge.shown(issue.title, publication.fields)),))
    return shown.text if isinstance(shown, blocks.Words) else ""


def style(looks: theme.Theme, root: Path | None) -> str:
    """The page's one style sheet, for its `<style>` and for the hash in a Content-Security-Policy."""
    return templates.environment(root).get_template("email/archive.css").render(theme=looks)


@dataclass(frozen=True)
class Page:
    """Writes blocks for browsers."""

    look: Look

    @property
    def dress(self) -> Dress:
        """How a line of text is dressed."""
        return Dress(
            link="",
            code="",
            picture=_plain,
            source=self.look.source,
            merge=False,
            bound=('<span class="whole">', "</span>"),
        )

    def html(self, body: Iterable[Block]) -> str:
        """Blocks as HTML."""
        return fill(tuple(self._blocks(body)), {})

    def _blocks(self, body: Iterable[Block]) -> Stream:
        for block in body:
            yield from self._block(block)
            yield "\n"

    def _line(self, tag: str, inside: Iterable[blocks.Inline]) -> Stream:
        yield f"<{tag}>"
        yield from line(inside, self.dress)
        yield f"</{tag.split(maxsplit=1)[0]}>"

    def _within(self, tag: str, inside: Iterable[Block]) -> Stream:
        yield f"<{tag}>\n"
        yield from self._blocks(inside)
        yield f"</{tag.split(maxsplit=1)[0]}>"

    def _block(self, block: Block) -> Stream:  # noqa: C901, PLR0912 -- one case for each block
        match block:
            case blocks.Paragraph(inside):
                yield from self._line("p", inside)
            case blocks.Heading():
                yield from self._heading(block)
            case blocks.Listing():
                yield from self._listing(block)
            case blocks.Quote():
                yield from self._quote(block)
            case blocks.Image():
                yield from self._image(block)
            case blocks.Divider():
                yield "<hr>"
            case blocks.Button():
                yield from self._button(block)
            case blocks.CodeBlock(code):
                yield f'<pre dir="ltr" tabindex="0"><code>{text(code)}</code></pre>'
            case blocks.Table():
                yield from self._table(block)
            case blocks.Callout():
                yield from self._callout(block)
            case blocks.Card(inside):
                yield from self._card(inside)
            case blocks.MagnetCard():
                yield from self._magnet(block)
            case blocks.Columns(columns):
                yield f'<div class="columns of-{len(columns)}">'
                for column in columns:
                    yield from self._within("div", column)
                yield "</div>"
            case blocks.AuthorCard():
                yield from self._author(block)
            case blocks.Poll():
                yield from self._poll(block)
            case blocks.Contents(entries):
                yield from self._contents(entries)
            case blocks.Aside(inside):
                yield from self._line('p class="aside"', inside)
            case blocks.Only() | blocks.Inserted() | blocks.Unready():
                return  # chosen or put in before; an error of the check already stands beside the last

    def _heading(self, heading: blocks.Heading) -> Stream:
        looks = ' class="small"' if heading.rank < heading.level else ""
        mark = f' id="{attribute(heading.anchor)}"' if heading.anchor else ""
        yield f"<h{heading.rank}{looks}{mark}>"
        if heading.emoji:
            yield f'<span class="ornament" aria-hidden="true">{text(heading.emoji)}</span>'
        yield from line(together(heading.inside), self.dress)
        yield f"</h{heading.rank}>"

    def _listing(self, listing: blocks.Listing) -> Stream:
        tag = "ol" if listing.ordered else "ul"
        yield f'<{tag} start="{listing.start}">' if listing.ordered and listing.start != 1 else f"<{tag}>"
        for item in listing.items:
            yield "\n<li>"
            if item and isinstance(item[0], blocks.Paragraph):
                yield from line(item[0].inside, self.dress)
                yield from self._blocks(item[1:])
            else:
                yield from self._blocks(item)
            yield "</li>"
        yield f"\n</{tag}>"

    def _quote(self, quote: blocks.Quote) -> Stream:
        yield "<figure>"
        yield from self._within("blockquote", quote.inside)
        if quote.source:
            yield from self._line("figcaption", quote.source)
        yield "</figure>"

    def _image(self, image: blocks.Image) -> Stream:
        yield f'<figure><a href="{attribute(image.link)}">' if image.link else "<figure>"
        yield from picture(image.picture, _plain, self.dress)
        yield "</a>" if image.link else ""
        yield f"<figcaption>{text(image.caption)}</figcaption></figure>" if image.caption else "</figure>"

    def _card(self, inside: tuple[Block, ...]) -> Stream:
        first = inside[0] if inside else None
        if not isinstance(first, blocks.Image) or len(inside) == 1:
            yield from self._within('div class="card"', inside)
            return
        yield '<div class="card pictured">'
        yield from self._within("div", inside[:1])
        yield from self._within("div", inside[1:])
        yield "</div>"

    def _author(self, card: blocks.AuthorCard) -> Stream:
        person = self.look.people(card.key)
        if person is None:
            return
        yield '<div class="author">'
        if person.picture:
            yield from picture(person.picture, _plain, replace(self.dress, measure=PORTRAIT))
        name = text(person.name)
        linked = f'<a href="{attribute(person.url)}">{name}</a>' if person.url else name
        yield f'<div>\n<p class="label">{linked}</p>\n'
        yield from self._blocks(card.inside) if card.inside else _paragraph(person.about)
        yield "</div></div>"

    def _poll(self, poll: blocks.Poll) -> Stream:
        yield '<div class="poll">\n'
        yield from self._blocks(poll.question)
        yield "<ul>"
        for number, answer in enumerate(poll.answers):
            url = poll.urls[number] if number < len(poll.urls) else ""
            yield f'\n<li><a href="{attribute(url)}">' if url else "\n<li><span>"
            yield from line(answer, self.dress)
            yield "</a></li>" if url else "</span></li>"
        yield "\n</ul>\n"
        said = self.look.words.get("mail.poll", "") if poll.urls else ""
        yield f'<p class="facts">{text(said)}</p>\n</div>' if said else "</div>"

    def _contents(self, entries: tuple[tuple[str, tuple[blocks.Inline, ...]], ...]) -> Stream:
        said = text(self.look.words.get("mail.contents", ""))
        yield f'<nav class="contents" aria-labelledby="contents">\n<p class="facts" id="contents">{said}</p>\n<ul>'
        for anchor, words_ in entries:
            yield f'\n<li><a href="#{attribute(anchor)}">'
            yield from line(words_, self.dress)
            yield "</a></li>"
        yield "\n</ul></nav>"

    def _button(self, button: blocks.Button) -> Stream:
        if personal(button.url):
            yield from self._line("p", button.inside)
            return
        yield f'<p><a class="{"second" if button.secondary else "button"}" href="'
        yield from address(button.url, merge=False)
        yield '">'
        yield from line(button.inside, self.dress)
        yield "</a></p>"

    def _table(self, table: blocks.Table) -> Stream:
        yield '<div class="wide" tabindex="0"><table><thead><tr>'
        for at, cell in enumerate(table.header):
            yield from self._line(f'th scope="col"{_class(table, at)}', cell)
        yield "</tr></thead><tbody>\n"
        for cells in table.rows:
            yield "<tr>"
            for at, cell in enumerate(cells):
                yield from self._line(f"td{_class(table, at)}", cell)
            yield "</tr>\n"
        yield "</tbody></table></div>"

    def _callout(self, callout: blocks.Callout) -> Stream:
        label = f'<p class="label">{text(callout.label)}</p>\n' if callout.label else ""
        yield f'<aside class="callout">\n{label}'
        yield from self._blocks(callout.inside)
        yield "</aside>"

    def _magnet(self, card: blocks.MagnetCard) -> Stream:
        offer = self.look.offers(card.key)
        if offer is None:
            return
        yield f'<section class="magnet">\n<h2>{text(offer.title)}</h2>\n'
        yield from self._blocks(card.inside) if card.inside else _paragraph(offer.about)
        if offer.facts:
            yield f'<p class="facts">{_facts(offer.facts)}</p>\n'
        yield f'<p><a class="button" href="{attribute(offer.url)}">{text(offer.get)}</a></p>\n'
        yield f'<p><a class="second" href="{attribute(offer.share_url)}">{text(offer.share)}</a></p>\n</section>'


def _paragraph(words_: str) -> Stream:
    yield f"<p>{text(words_)}</p>\n" if words_ else ""


def _facts(parts: tuple[str, ...]) -> str:
    return " ".join(f"<span>{text(part)}{'' if part is parts[-1] else ' ·'}</span>" for part in parts)


def _plain(_wide: int) -> str:
    """A picture on a page needs no attributes: the style sheet keeps it within its column."""
    return ""


def _class(table: blocks.Table, column: int) -> str:
    wish = table.align[column] if column < len(table.align) else "start"
    return "" if wish == "start" else f' class="{wish}"'
