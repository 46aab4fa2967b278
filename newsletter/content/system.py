"""Mail about one request: please confirm, here is your download, you are already with us.

Each is an `Email` of literal pieces, for one person. It names the practice and what was asked, holds
nothing a visitor typed, sells nothing, and says what to do when it was not you: nothing. The sentences are
in `words/<lang>.toml`, the shell in `templates/email/notice.mjml` and `templates/text/notice.txt`.
"""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from newsletter.content import facts, headers, mjml, render, rows, templates
from newsletter.content.blocks import Block, Button, Inline, Link, MagnetCard, Paragraph, Words
from newsletter.content.inline import Stream, pieces, text, together_text
from newsletter.content.rows import Look, Offer
from newsletter.content.words import words
from newsletter.core.consent import Mail
from newsletter.core.email import UNSUBSCRIBE_URL, Email, Mailbox, Pieces, fill
from newsletter.core.publication import Magnet, Publication

RIGHT_TO_LEFT = frozenset({"ar", "fa", "he", "ur", "yi"})
WIDTH = 72


@dataclass(frozen=True)
class House:
    """Who writes, in which language, and where the web side is."""

    publication: Publication
    root: Path
    base_url: str
    lang: str

    @property
    def words(self) -> Mapping[str, str]:
        """The catalogue of the language."""
        return words(self.lang, self.root)

    def say(self, key: str, **values: object) -> str:
        """A sentence of `[notice]`, its places filled; the practice's name is always known."""
        return self.words[f"notice.{key}"].format(name=self.publication.name, **values)

    def offer(self, magnet: Magnet, url: str) -> Offer:
        """A free resource behind this person's own link."""
        return Offer(
            title=magnet.title,
            about=magnet.about,
            facts=facts.of_magnet(magnet, self.root, self.words),
            get=self.words["mail.get"].format(title=magnet.title),
            url=url,
        )


@dataclass(frozen=True)
class Notice:
    """What one mail says. `why` stands in the footer; `leave_url` is empty when there is nothing to leave."""

    subject: str
    title: str
    preheader: str
    body: tuple[Block, ...]
    why: str
    offer: Offer | None = None
    leave_url: str = ""


def confirm(
    publication: Publication,
    *,
    root: Path,
    base_url: str,
    confirm_url: str,
    magnet: Magnet | None = None,
    topics: Sequence[str] = (),
    lang: str = "en",
    days: int = 7,
    kind: Mail = Mail.CONFIRM,
) -> Email:
    """Please confirm: the first mail to an address; once more (`REMIND`), to who has not answered it for a day; or
    (`ASK`) to whom the owner brought along from elsewhere without proof that they asked.

    In: the link whose page has the button; the free resource asked for, if any; the names of the topics
    asked for; the language; for how many days the link works. No List-Unsubscribe: there is no list yet.
    """
    house = House(publication, root, base_url.rstrip("/"), lang)
    which = "moved" if kind is Mail.ASK else kind.value
    asked = house.say(f"{which}.magnet", title=magnet.title) if magnet else house.say(f"{which}.nothing")
    topic = house.say("confirm.also" if magnet else "confirm.topics", topics=_listed(topics)) if topics else ""
    return _email(
        house,
        Notice(
            subject=house.say(f"{which}.subject_magnet" if magnet else f"{which}.subject"),
            title=house.say(f"{which}.title"),
            preheader=house.say(f"{which}.preheader"),
            body=(
                *_paragraphs(asked, topic),
                Button((confirm_url,), (Words(house.say("confirm.button")),)),
                *_paragraphs(
                    house.say("confirm.link", days=days),
                    house.say("moved.not_you" if kind is Mail.ASK else "confirm.not_you"),
                ),
            ),
            why=house.say(f"{which}.why"),
        ),
    )


def workbook(
    publication: Publication,
    *,
    root: Path,
    base_url: str,
    download_url: str = "",
    magnet: Magnet | None = None,
    topics: Sequence[str] = (),
    lang: str = "en",
    days: int = 90,
    leave_url: str = "",
) -> Email:
    """Here it is: what was asked for, after the address was confirmed.

    In: the resource, if one was asked for, and the person's own download link; the names of the topics they
    will get; for how many days the link works; their own unsubscribe link when they get any topic.
    """
    house = House(publication, root, base_url.rstrip("/"), lang)
    thanks = house.say("workbook.thanks" if magnet else "workbook.thanks_only")
    return _email(
        house,
        Notice(
            subject=house.say("workbook.subject" if magnet else "workbook.subject_only"),
            title=house.say("workbook.title" if magnet else "workbook.title_only"),
            preheader=house.say("workbook.preheader" if magnet else "workbook.preheader_only"),
            body=(
                *_paragraphs(thanks),
                *_shown(house, magnet, days),
                *_paragraphs(house.say("workbook.topics", topics=_listed(topics)) if topics else ""),
            ),
            why=house.say("workbook.why"),
            offer=house.offer(magnet, download_url) if magnet else None,
            leave_url=leave_url,
        ),
    )


def already(
    publication: Publication,
    *,
    root: Path,
    base_url: str,
    magnet: Magnet | None = None,
    download_url: str = "",
    confirm_url: str = "",
    topics: Sequence[str] = (),
    lang: str = "en",
    days: int = 90,
    leave_url: str = "",
) -> Email:
    """You are already with us: someone active asked again.

    In: the resource and its new link, if one was asked for; when a new topic was ticked, its name and the
    link whose page adds it; their own unsubscribe link.
    """
    house = House(publication, root, base_url.rstrip("/"), lang)
    add = Button((confirm_url,), (Words(house.say("already.button")),), secondary=magnet is not None)
    more = (*_paragraphs(house.say("already.topics", topics=_listed(topics))), add) if confirm_url else ()
    return _email(
        house,
        Notice(
            subject=house.say("already.subject_magnet" if magnet else "already.subject"),
            title=house.say("already.title"),
            preheader=house.say("already.preheader"),
            body=(
                *_paragraphs(house.say("already.magnet" if magnet else "already.nothing")),
                *_shown(house, magnet, days),
                *more,
                *_paragraphs(house.say("already.not_you")),
            ),
            why=house.say("already.why"),
            offer=house.offer(magnet, download_url) if magnet else None,
            leave_url=leave_url,
        ),
    )


def personal(
    publication: Publication, what: str, *, root: Path, base_url: str, url: str, lang: str = "en", hours: int = 24
) -> Email:
    """The link that shows (`what` is "export") or takes away ("erase") all we hold about this address.

    In: the page it opens, and for how many hours it does.
    """
    house = House(publication, root, base_url.rstrip("/"), lang)
    return _email(
        house,
        Notice(
            subject=house.say(f"{what}.subject"),
            title=house.say(f"{what}.title"),
            preheader=house.say(f"{what}.preheader"),
            body=(
                *_paragraphs(house.say(f"{what}.asked")),
                Button((url,), (Words(house.say(f"{what}.button")),)),
                *_paragraphs(house.say(f"{what}.link", hours=hours), house.say(f"{what}.not_you")),
            ),
            why=house.say(f"{what}.why"),
        ),
    )


def alert(
    publication: Publication,
    what: str,
    *,
    root: Path,
    base_url: str,
    url: str = "",
    lang: str = "en",
    values: Mapping[str, str],
    days: int = 3,
) -> Email:
    """Something the owner is told.

    In: `what` is "held" (a letter is about to go), "stopped" (one stopped by itself), "lift" (somebody who agreed
    anew is blocked by the provider), "full" (confirmations wait for their cap) or "doctor" (what it found, a line
    each); what the sentences name; for "held" the page with the Stop, and for how many days it works.
    """
    house = House(publication, root, base_url.rstrip("/"), lang)

    def say(part: str) -> str:
        return house.words[f"notice.{what}.{part}"].format(name=publication.name, days=days, **values)

    body = _paragraphs(say("said"), say("then")) if what != "held" else _paragraphs(say("said"))
    if what == "doctor":
        body = _paragraphs(say("said"), *values["why"].splitlines(), say("then"))
    elif what == "held":
        body = (*body, Button((url,), (Words(say("button")),)), *_paragraphs(say("link"), say("else")))
    elif what == "stopped":
        body = (*body, *_paragraphs(say("go")))
    return _email(house, Notice(say("subject"), say("title"), say("preheader"), body, say("why")))


@dataclass(frozen=True)
class Letter:
    """A mail to somebody of the house: paragraphs, a button if there is one, paragraphs."""

    subject: str
    title: str
    preheader: str
    before: tuple[str, ...]
    why: str  # stands in the footer
    url: str = ""
    button: str = ""
    after: tuple[str, ...] = ()


def to_the_house(publication: Publication, letter: Letter, *, root: Path, base_url: str, lang: str) -> Email:
    """A mail to the owner or an editor, about a letter of theirs. In: the language it is written in."""
    press = (Button((letter.url,), (Words(letter.button),)),) if letter.url else ()
    body = (*_paragraphs(*letter.before), *press, *_paragraphs(*letter.after))
    house = House(publication, root, base_url.rstrip("/"), lang)
    return _email(house, Notice(letter.subject, letter.title, letter.preheader, body, letter.why))


def _paragraphs(*said: str) -> tuple[Block, ...]:
    return tuple(Paragraph((Words(one),)) for one in said if one)


def _shown(house: House, magnet: Magnet | None, days: int) -> tuple[Block, ...]:
    return (MagnetCard(""), _again(house, magnet, days)) if magnet else ()


def _again(house: House, magnet: Magnet, days: int) -> Block:
    """For how long the link works, and where to ask again."""
    key = next((key for key, known in house.publication.magnets.items() if known == magnet), "")
    page = f"{house.base_url}/free/{key}" if key else f"{house.base_url}/"
    return Paragraph(
        (
            Words(house.say("workbook.link", days=days) + " "),
            Link((page,), (Words(house.say("workbook.again")),)),
            Words("."),
        )
    )


def _listed(topics: Sequence[str]) -> str:
    return ", ".join(topics)


# --- from a notice to an email ---------------------------------------------------------------------


def _email(house: House, notice: Notice) -> Email:
    sender = house.publication.default_sender
    return Email(
        sender=Mailbox(sender.name, sender.email),
        reply_to=Mailbox(sender.name, sender.reply_to) if sender.reply_to else None,
        subject=(notice.subject,),
        html=_html(house, notice),
        text=(_text(house, notice),),
        headers=_headers(notice),
        lang=house.lang,
    )


def _headers(notice: Notice) -> tuple[tuple[str, Pieces], ...]:
    """Auto-Submitted keeps autoresponders quiet (RFC 3834 5); a way out when there is something to leave."""
    leave = headers.unsubscribe() if notice.leave_url else ()
    own = {UNSUBSCRIBE_URL: notice.leave_url}
    return (
        ("Auto-Submitted", ("auto-generated",)),
        *((name, (fill(value, own),)) for name, value in leave),
    )


def _html(house: House, notice: Notice) -> Pieces:
    direction = "rtl" if house.lang.split("-")[0] in RIGHT_TO_LEFT else "ltr"
    look = render.dressed(house.publication, root=house.root, base_url=house.base_url, lang=house.lang, dir=direction)
    look = replace(look, offers=lambda _key: notice.offer)
    shell = mjml.skeleton(
        templates.environment(house.root), "email/notice.mjml", lang=house.lang, dir=direction, theme=look.theme
    )
    slots = {
        **render.head(notice.subject, notice.preheader, look, {}),
        "masthead": pieces(render.masthead(house.publication.name, look)),
        "body": pieces(_body(notice, look)),
        "footer": pieces(_footer(house, notice, look)),
    }
    return pieces(shell.fill(slots, needed=render.NEEDED))


def _body(notice: Notice, look: Look) -> Stream:
    yield from rows.row(look, rows.title((text(together_text(notice.title)),), look), above=32)
    yield from rows.rows(notice.body, look, above=24)


def _footer(house: House, notice: Notice, look: Look) -> Stream:
    linked = partial(render.link, look)
    leave = linked(notice.leave_url, house.words["mail.unsubscribe"]) if notice.leave_url else ""
    yield from render.footer(
        house.publication,
        look,
        house.words,
        before=(" ".join(part for part in (text(notice.why), leave and f"{leave}.") if part),),
        links=[linked(f"{house.base_url}/privacy", house.words["mail.privacy"])],
        care=False,
    )


def _text(house: House, notice: Notice) -> str:
    template = templates.environment(house.root).get_template("text/notice.txt")
    return template.render(
        publication=house.publication,
        words=house.words,
        title=notice.title,
        parts=[_plain(block, notice) for block in notice.body],
        why=_wrapped(notice.why),
        leave_url=notice.leave_url,
        base_url=house.base_url,
    )


def _plain(block: Block, notice: Notice) -> str:
    """A block in plain text: lines of 72, an address always on a line of its own."""
    match block:
        case Paragraph(inside):
            urls = [_url(part) for part in inside if isinstance(part, Link)]
            said = _said(inside)
            return "\n".join((_wrapped(said.rstrip(".") + ":" if urls else said), *urls))
        case Button():
            return _address(block)
        case MagnetCard() if notice.offer:
            offer = notice.offer
            told = (offer.title, _wrapped(offer.about), " · ".join(offer.facts), f"{offer.get}:\n{offer.url}")
            return "\n".join(part for part in told if part)
        case _:
            return ""


def _address(button: Button) -> str:
    return f"{_said(button.inside)}:\n{_url(button)}"


def _said(inside: Sequence[Inline]) -> str:
    return "".join(_said(part.inside) if isinstance(part, Link) else getattr(part, "text", "") for part in inside)


def _url(link: Link | Button) -> str:
    return "".join(str(part) for part in link.url)


def _wrapped(said: str) -> str:
    return textwrap.fill(said, WIDTH, break_long_words=False, break_on_hyphens=False)
