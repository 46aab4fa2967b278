"""What is different from last time: an issue beside the one that was sent before it.

In: an issue's name. Out: a comparison of two rendered mails. The earlier one is the ledger's frozen email;
where nothing was sent yet, the issue before this one by its date. Touches files, reads the store.
"""

from __future__ import annotations

import datetime as dt
import html as html_
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from selectolax.lexbor import LexborHTMLParser

from newsletter.content import library, render, variants
from newsletter.content import text as text_part
from newsletter.content.issue import Issue
from newsletter.core.campaign import Campaign
from newsletter.core.email import Email, Mailbox, fill, thaw
from newsletter.errors import ContentError, NothingToDo
from newsletter.flows.desk import Desk

RUN = 4
"""A link in so many letters before this one is worth a word."""


@dataclass(frozen=True)
class Traits:
    """What can be told of a rendered mail: the same for one of the ledger and one of a file."""

    subject: str
    preheader: str
    sender: str
    reply_to: str
    footer: tuple[str, ...]
    links: tuple[str, ...]  # the text's own, each once, in reading order
    images: tuple[str, ...]
    words: int
    bytes: int


@dataclass(frozen=True)
class Edition:
    """One letter: its key, its day, whether the ledger knows it."""

    key: str
    day: dt.date | None
    sent: bool
    traits: Traits

    @property
    def minutes(self) -> int:
        """How long it is read."""
        return text_part.minutes_of(self.traits.words)


@dataclass(frozen=True)
class Comparison:
    """An issue and the one before it; `notes` are whole sentences."""

    now: Edition
    before: Edition
    notes: tuple[str, ...]

    def as_json(self) -> dict[str, object]:
        """For `--json`: every key is there; days as YYYY-MM-DD."""
        new, old = self.now.traits, self.before.traits
        pairs = ("subject", "preheader", "sender", "reply_to", "words", "bytes")
        return {
            "issue": self.now.key,
            "against": self.before.key,
            "against_date": self.before.day.isoformat() if self.before.day else None,
            "against_sent": self.before.sent,
            **{
                name: {
                    "now": getattr(new, name),
                    "before": getattr(old, name),
                    "changed": getattr(new, name) != getattr(old, name),
                }
                for name in pairs
            },
            "footer": parted(new.footer, old.footer),
            "links": parted(new.links, old.links),
            "images": parted(new.images, old.images),
            "notes": list(self.notes),
        }


def parted(new: Sequence[str], old: Sequence[str]) -> dict[str, object]:
    """What came and what went, each in its own order."""
    added = [one for one in new if one not in old]
    removed = [one for one in old if one not in new]
    return {"count": len(new), "before": len(old), "added": added, "removed": removed}


def compare(name: str, desk: Desk) -> Comparison:
    """Compare an issue with the last one sent.

    In: a path or slug. Raises: NotFound; ContentError when it cannot be read; NothingToDo when there is no
    earlier one.
    """
    now, found = beside(name, desk)
    if found is None:
        raise NothingToDo(f"There is no issue before {now.key} to compare it with.", "It is the first.")
    return found


def beside(name: str, desk: Desk) -> tuple[Edition, Comparison | None]:
    """An issue, and what is different from the last one sent; None where it is the first.

    In: a path or slug. Raises: NotFound; ContentError when it cannot be read.
    """
    issue = library.load(library.find(name, desk.root), desk.publication, desk.root)
    now = _of_issue(issue, desk)
    earlier = _sent(issue.key, desk) or _written(issue, desk)
    return now, Comparison(now, earlier[0], tuple(_notes(now, earlier))) if earlier else None


# --- the letters before ----------------------------------------------------------------------------


def _sent(key: str, desk: Desk) -> list[Edition]:
    """What was sent before, the latest first: before this one, when it was sent itself."""
    zone = ZoneInfo(desk.publication.timezone)
    with desk.store.read() as tx:
        begun = [campaign for campaign in tx.campaigns.all() if campaign.started_at is not None]
        own = next((at for at, campaign in enumerate(begun) if campaign.key == key), -1)
        frozen = [(campaign, tx.campaigns.email(campaign.id, variants.EVERYBODY)) for campaign in begun[own + 1 :]]
    return [_of_campaign(campaign, thaw(text), zone, desk) for campaign, text in frozen]


def _of_campaign(campaign: Campaign, email: Email, zone: ZoneInfo, desk: Desk) -> Edition:
    day = (campaign.started_at or campaign.frozen_at).astimezone(zone).date()
    return Edition(campaign.key, day, True, traits(email, desk, campaign.key))


def _written(issue: Issue, desk: Desk) -> list[Edition]:
    """The issues dated before this one, the latest first; those that cannot be read are left out."""
    found = []
    for path in library.issues(desk.root):
        try:
            other = library.load(path, desk.publication, desk.root)
        except ContentError:
            continue
        if other.date and other.key != issue.key and (issue.date is None or other.date < issue.date):
            found.append(other)
    latest = sorted(found, key=lambda other: (other.date or dt.date.min, other.key), reverse=True)
    return [_of_issue(other, desk) for other in latest]


def _of_issue(issue: Issue, desk: Desk) -> Edition:
    email = render.render(issue, desk.publication, root=desk.root, base_url=desk.links.base_url)
    return Edition(issue.key, issue.date, False, traits(email, desk, issue.key))


# --- one letter ------------------------------------------------------------------------------------


def traits(email: Email, desk: Desk, key: str) -> Traits:
    """Read a rendered mail, as a reader without a name gets it.

    In: the email, and the key of its issue: the link to its own archive page is in no other.
    """
    html, text = fill(email.html, {}), fill(email.text, {})
    tree = LexborHTMLParser(html)
    body, foot = _halves(text)
    about = tree.css_first('meta[name="description"]')
    own = f"/archive/{key}"
    footer = tuple(line for line in foot if line and not line.endswith(own))
    furniture = _furniture(foot, desk)
    return Traits(
        subject=fill(email.subject, {}),
        preheader=(about.attributes.get("content") or "") if about else "",
        sender=_box(email.sender),
        reply_to=_box(email.reply_to) if email.reply_to else "",
        footer=footer,
        links=tuple(
            dict.fromkeys(
                url.partition("#")[0]
                for url in _all(tree, "a[href]", "href")
                if url.partition("#")[0] and url not in furniture and not url.endswith(own)
            )
        ),
        images=tuple(dict.fromkeys(url.rpartition("/")[2] for url in _all(tree, "img[src]", "src"))),
        words=_words(body),
        bytes=len(html.encode()),
    )


def _all(tree: LexborHTMLParser, which: str, attribute: str) -> Iterable[str]:
    return (html_.unescape(node.attributes.get(attribute) or "") for node in tree.css(which))


def _halves(text: str) -> tuple[list[str], list[str]]:
    """The lines of a text part before and after its signature mark (RFC 3676, 4.3)."""
    lines = text.split("\n")
    marks = [at for at, line in enumerate(lines) if line == "-- "]
    at = marks[-1] if marks else len(lines)
    return lines[:at], lines[at + 1 :]


def _furniture(foot: Iterable[str], desk: Desk) -> set[str]:
    """Links that stand under every letter."""
    publication = desk.publication
    phone = re.sub(r"[^0-9+]", "", publication.footer.phone)
    told = {url for line in foot for url in re.findall(r"https?://\S+", line)}
    return told | {
        publication.footer.website,
        publication.health_privacy_url,
        f"tel:{phone}",
        f"mailto:{publication.footer.email}",
        f"{desk.links.base_url}/privacy",
    }


def _words(lines: Iterable[str]) -> int:
    """Words of a text part, without the masthead's and without addresses."""
    body = list(lines)
    rule = next((at for at, line in enumerate(body) if re.fullmatch("=+", line)), -1)
    said = (_ADDRESS.sub("", line) for line in body[rule + 2 :])
    return sum(len(re.findall(r"\w[\w'’.-]*", line)) for line in said)


_ADDRESS = re.compile(r"(?:https?://|mailto:|tel:)\S+|\[\d+\]")


def _box(box: Mailbox) -> str:
    return f"{box.name} <{box.email}>" if box.name else box.email


# --- what is worth a word --------------------------------------------------------------------------


def _notes(now: Edition, earlier: Sequence[Edition]) -> Iterable[str]:
    twin = next((one for one in earlier if _bare(one.traits.subject) == _bare(now.traits.subject)), None)
    if twin:
        yield f"The same subject as {day_of(twin)}."
    run = earlier[:RUN]
    if len(run) == RUN:
        for url in now.traits.links:
            if all(url in one.traits.links for one in run):
                yield f"{url} was in each of the last {RUN} issues."


def _bare(words: str) -> str:
    return re.sub(r"\W+", " ", words).strip().casefold()


_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def day_of(edition: Edition) -> str:
    """An edition's day in short, its key when it has none: "3 Nov 2026"."""
    day = edition.day
    return f"{day.day} {_MONTHS[day.month - 1]} {day.year}" if day else edition.key
