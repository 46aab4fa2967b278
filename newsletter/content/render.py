"""An issue as an email: one for all its readers, merge tags still neutral.

In: the issue and the publication. Out: `Email`, whose pieces are joined per reader or spelled by a provider.
The shell is compiled MJML (`mjml.py`); what people wrote is put into it afterwards (`rows.py`), so it
arrives unharmed. Nothing here asks for the time or the network: the same input gives the same bytes.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import partial
from pathlib import Path
from urllib.parse import quote

from newsletter.content import facts, furniture, headers, library, merge, mjml, rows, templates, theme, variants
from newsletter.content import text as plain
from newsletter.content.blocks import Picture
from newsletter.content.furniture import Room
from newsletter.content.inline import Stream, attribute, picture, pieces, text, together_text
from newsletter.content.issue import Issue, Nearby
from newsletter.content.phrases import find_picture
from newsletter.content.rows import Look, Offer, Person
from newsletter.content.words import words
from newsletter.core.email import UNSUBSCRIBE_URL, Email, Escape, Mailbox, Pieces, Site
from newsletter.core.publication import Publication, Sender

NEEDED = frozenset({"subject", "preheader", "body", "footer"})
"""What a template of a letter may not leave out: the law wants the footer."""


def render(
    issue: Issue,
    publication: Publication,
    *,
    root: Path,
    base_url: str,
    segments: frozenset[str] = frozenset(),
    segment: str = variants.EVERYBODY,
    before: Nearby | None = None,
    after: Nearby | None = None,
) -> Email:
    """Render an issue.

    In: the issue as read, the publication and its root, the web side's base URL (links and List-Id are made
    of it; a loopback one will do), the segments its readers are in (`segment` names a single one), the
    letters before and after it, which are linked when the issue asks for it.
    Raises: SettingsError for a theme or template that cannot be used.
    """
    issue = variants.chosen(issue, variants.EMAIL, segments | {segment})
    base = base_url.rstrip("/")
    if issue.nearby and before is None:
        before = library.before(issue, publication, root, base)
    vocabulary = words(issue.lang, root)
    room = Room(publication, vocabulary, archive_url(issue, base) or f"{base}/", before, after)
    look = dressed(publication, root=root, base_url=base, lang=issue.lang, dir=issue.dir, name=issue.theme)
    slots = {
        **head(issue.subject, issue.preheader, look, publication.fields),
        "masthead": pieces(masthead(publication.name, look, _facts(issue, vocabulary))),
        "body": pieces(_body(issue, room, look)),
        "footer": pieces(_footer(issue, publication, look, vocabulary, base)),
    }
    shell = mjml.skeleton(
        templates.environment(root), "email/letter.mjml", lang=issue.lang, dir=issue.dir, theme=look.theme
    )
    sender = publication.senders[issue.sender] if issue.sender else publication.default_sender
    return Email(
        sender=Mailbox(sender.name, sender.email),
        reply_to=_reply_to(issue, sender),
        subject=merged(issue.subject, publication.fields, Escape.HEADER),
        html=pieces(shell.fill(slots, needed=NEEDED)),
        text=plain.letter(
            issue,
            publication,
            base_url=base,
            archive_url=archive_url(issue, base),
            root=root,
            before=before,
            after=after,
        ),
        headers=headers.of_list(publication.name, base),
        lang=issue.lang,
    )


def dressed(
    publication: Publication,
    *,
    root: Path,
    base_url: str,
    lang: str,
    dir: str,  # noqa: A002
    name: str = "",
) -> Look:
    """The publication's looks in one language: theme, direction, where pictures and offers are.

    In: `name` is the theme of a single issue, when it has one of its own.
    """
    return Look(
        theme=theme.of(publication, root, name),
        dir=dir,
        lang=lang,
        source=partial(source, base=publication.images.base_url or f"{base_url}/images"),
        offers=partial(offer, publication=publication, root=root, base_url=base_url, lang=lang),
        people=partial(person, publication=publication, root=root),
        words=words(lang, root),
    )


def source(picture: Picture, base: str) -> str:
    """Where a picture is served: our own by its hashed name, another as it was given."""
    return f"{base.rstrip('/')}/{quote(picture.asset.name)}" if picture.asset else picture.src


def archive_url(issue: Issue, base_url: str) -> str:
    """The issue's public page, empty when it has none."""
    return f"{base_url.rstrip('/')}/archive/{quote(issue.slug)}" if issue.archive else ""


def offer(key: str, *, publication: Publication, root: Path, base_url: str, lang: str) -> Offer | None:
    """A free resource as it is shown; None when newsletter.yml does not know it (the check says so)."""
    magnet = publication.magnets.get(key)
    if magnet is None:
        return None
    page, vocabulary = f"{base_url}/free/{quote(key)}", words(lang, root)
    return Offer(
        title=magnet.title,
        about=magnet.about,
        facts=facts.of_magnet(magnet, root, vocabulary),
        get=vocabulary["mail.get"].format(title=magnet.title),
        url=magnet.url or page,
        share=vocabulary["mail.share"],
        share_url=f"{page}#share",
    )


def person(key: str, *, publication: Publication, root: Path) -> Person | None:
    """An author as they are shown; None when newsletter.yml does not know them (reading says so).

    Their picture shows nothing that the name beside it does not say, so it is decoration.
    """
    author = publication.authors.get(key)
    if author is None:
        return None
    found = find_picture(author.image, "", root)[0] if author.image else None
    return Person(author.name, author.about, author.url, found if found and found.asset else None)


# --- the parts of a letter -------------------------------------------------------------------------

FILLER = "&#8199;&#65279;&#847; "
LONGEST = 150


def head(subject: str, preheader: str, look: Look, fields: Mapping[str, str]) -> dict[str, Pieces]:
    """What stands before the body: title, description, and the line an inbox shows beside the subject.

    The preheader is hidden, in the body's own colour (white on white is counted as spam), and padded so
    that the text of the letter does not leak into the inbox.
    """
    colour = look.theme.light.ink
    filler = FILLER * max(0, (LONGEST - len(preheader)) // 2)
    hidden = (
        f"display:none;font-size:1px;line-height:1px;max-height:0;max-width:0;opacity:0;overflow:hidden;"
        f"mso-hide:all;color:{colour}"
    )
    return {
        "subject": merged(subject, fields, Escape.ATTRIBUTE),  # the compiler repeats it in an aria-label
        "description": merged(preheader, fields, Escape.ATTRIBUTE),
        "preheader": pieces(
            (
                f'<div style="{hidden}">',
                *merged(preheader, fields, Escape.TEXT),
                f'</div><div aria-hidden="true" style="{hidden}">{filler}</div>',
            )
        ),
    }


def masthead(name: str, look: Look, parts: tuple[str, ...] = ()) -> Stream:
    """The waymark and the name, or the publication's own logo in their place; and a line of facts."""
    names, style = look.cell("paper", "name")
    cell = f'<td align="{look.start}" class="{names}" style="{style}">{text(name)}</td>'
    yield from rows.row(look, _logo(look) or rows.waymark(look, (cell,)), above=32, voice="name")
    if parts:
        line = undetected(rows.facts(parts))
        yield from rows.row(look, (line,), above=8, voice="small", ink="soft", font="sans")


def _logo(look: Look) -> Stream | None:
    """The logo on its own plate, which stays light in a dark scheme; not loaded, it reads as the name does."""
    logo = look.theme.logo
    if logo is None:
        return None
    light = look.theme.light

    def style(wide: int) -> str:
        return (
            f' style="display:block;width:{wide}px;max-width:100%;height:auto;border:0;'
            f'background-color:{light.paper};color:{light.ink}"'
        )

    return picture(Picture(logo.asset.path, logo.alt, logo.asset), style, look.dress)


def undetected(facts: str) -> str:
    """A line in which telephones find no date to make a blue link of: a sign without width ends the day.

    It stands before a blank, so that no word and no number is cut in two when it is read aloud.
    """
    return re.sub(r"(?<=\d)(?= [^\W\d_]+ \d{4})", "&zwnj;", facts)


def _facts(issue: Issue, vocabulary: Mapping[str, str]) -> tuple[str, ...]:
    return facts.of_issue(issue, plain.minutes(issue.body), vocabulary)


def _body(issue: Issue, room: Room, look: Look) -> Stream:
    title = merged(issue.title, room.publication.fields, Escape.TEXT)
    yield from rows.row(look, rows.title(_tied(title), look), above=32)
    yield from rows.rows(furniture.whole(issue, room), look, above=24)


def _tied(title: Pieces) -> Pieces:
    """A title whose last two words stay together, when they are words and no merge tag."""
    last = title[-1] if title else ""
    return (*title[:-1], together_text(last)) if isinstance(last, str) else title


def _footer(issue: Issue, publication: Publication, look: Look, vocabulary: Mapping[str, str], base: str) -> Stream:
    leave: tuple[str | Site, ...] = (
        f'{text(vocabulary["mail.why"].format(name=publication.name))} <a href="',
        Site(UNSUBSCRIBE_URL, "", Escape.LINK),
        f'"{look.dress.link}>{text(vocabulary["mail.unsubscribe"])}</a>.',
    )
    links = [link(look, f"{base}/privacy", vocabulary["mail.privacy"])]
    if publication.health_privacy_url:
        links.append(link(look, publication.health_privacy_url, vocabulary["mail.health_privacy"]))
    if issue.archive:
        links.append(link(look, archive_url(issue, base), vocabulary["mail.read_in_browser"]))
    yield from footer(publication, look, vocabulary, before=leave, links=links)


def footer(
    publication: Publication,
    look: Look,
    vocabulary: Mapping[str, str],
    *,
    before: Iterable[str | Site],
    links: list[str],
    care: bool = True,
) -> Stream:
    """A hairline, then in small type: `before`, a word of care, who writes and where they are, `links`."""
    yield from rows.row(look, rows.hairline(look), above=look.theme.steps.footer)
    below = partial(rows.row, look, voice="small", ink="soft", font="sans")
    if first := tuple(before):
        yield from below(first, above=20)
    if care and (said := _care(publication, vocabulary)):
        yield from below((text(said),), above=12)
    yield from below((_imprint(publication, look, links),), above=12)
    yield from below(("&nbsp;",), above=0)


def _care(publication: Publication, vocabulary: Mapping[str, str]) -> str:
    replies = publication.footer.replies
    said = vocabulary["mail.replies"].format(replies=replies) if replies else ""
    return " ".join(part for part in (publication.footer.disclaimer, publication.crisis_text, said) if part)


def _imprint(publication: Publication, look: Look, links: list[str]) -> str:
    """Name, address, phone and email. They are links of our own, so phones do not colour them blue."""
    foot = publication.footer
    address = _apart(link(look, foot.website, foot.address) if foot.website else text(foot.address), look)
    phone = _apart(link(look, f"tel:{re.sub(r'[^0-9+]', '', foot.phone)}", foot.phone), look) if foot.phone else ""
    email = link(look, f"mailto:{foot.email}", foot.email) if foot.email else ""
    lines = (text(publication.name), address if foot.address else "", _dotted(phone, email), _dotted(*links))
    return "<br>".join(part for part in lines if part)


def _apart(shown: str, look: Look) -> str:
    """Figures keep their order in a letter that runs from right to left."""
    return f'<span dir="auto">{shown}</span>' if look.dir == "rtl" else shown


def _dotted(*parts: str) -> str:
    return " · ".join(part for part in parts if part)


def link(look: Look, url: str, shown: str) -> str:
    """A link of our own furniture."""
    return f'<a href="{attribute(url)}"{look.dress.link}>{text(shown)}</a>'


# --- merge tags in front matter, headers -----------------------------------------------------------


def merged(words_: str, fields: Mapping[str, str], escape: Escape) -> Pieces:
    """A line of front matter as pieces: literals escaped for their place, merge tags as sites."""
    literal = {Escape.TEXT: text, Escape.ATTRIBUTE: attribute}.get(escape, str)
    return pieces(literal(piece) if isinstance(piece, str) else piece for piece in merge.pieces(words_, fields, escape))


def _reply_to(issue: Issue, sender: Sender) -> Mailbox | None:
    box = issue.reply_to or sender.reply_to
    return Mailbox(sender.name, box) if box else None
