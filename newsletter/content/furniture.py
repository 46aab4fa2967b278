"""What stands around the text of a letter: its picture, its offer, and what an owner has asked for.

A letter is a letter by default. Contents, author box, the question whether it was of use, a line to pass it
on, and the letters before and after come only when the issue or newsletter.yml says so. All are made of the
same blocks as the text, so that mail, text part and public page say the same.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from urllib.parse import quote

from newsletter.content import blocks, merge
from newsletter.content.blocks import Aside, Block, Break, Link, Words
from newsletter.content.issue import Issue, Nearby
from newsletter.content.phrases import plain
from newsletter.core.publication import Publication

FEWEST = 2
"""Headings that are worth a list of contents."""

TOP = 2


@dataclass(frozen=True)
class Room:
    """What furniture needs to know: who publishes, in which words, where the letter is read, what is beside it."""

    publication: Publication
    words: Mapping[str, str]
    page: str  # the issue's public page, or the publication's first page when it has none
    before: Nearby | None = None
    after: Nearby | None = None


def whole(issue: Issue, room: Room) -> tuple[Block, ...]:
    """Everything between masthead and footer but the title, in reading order.

    In: the issue with the blocks that are said (`variants.chosen`), and what is around it.
    """
    body = tuple(_addressed(block, issue, room) for block in issue.body)
    if issue.contents:
        body = anchored(body)
    return (*_picture(issue), *_contents(issue, body), *body, *_authors(issue), *_offer(issue), *_asides(issue, room))


def answers_to(issue: Issue, publication: Publication) -> str:
    """The address that answers to an issue arrive at."""
    sender = publication.senders[issue.sender] if issue.sender else publication.default_sender
    return issue.reply_to or sender.reply_to or sender.email


def mailto(address: str, subject: str, body: str = "") -> str:
    """A link that opens a mail (RFC 6068): the address may be empty, for the reader to fill in."""
    parts = [f"{name}={quote(value, safe='')}" for name, value in (("subject", subject), ("body", body)) if value]
    return f"mailto:{quote(address, safe='@+.-_')}?{'&'.join(parts)}"


def anchored(body: tuple[Block, ...]) -> tuple[Block, ...]:
    """The body with a name on each large heading, for a list of contents to lead to."""
    count = 0
    made: list[Block] = []
    for block in body:
        if isinstance(block, blocks.Heading) and block.level == TOP:
            count += 1
            made.append(replace(block, anchor=f"part-{count}"))
        else:
            made.append(block)
    return tuple(made)


def _addressed(block: Block, issue: Issue, room: Room) -> Block:
    """A poll with a link for each answer: a mail whose subject names the issue, the poll and the answer."""
    if not isinstance(block, blocks.Poll):
        return block
    return replace(block, urls=tuple(_vote(block.key, plain(answer), issue, room) for answer in block.answers))


def _vote(poll: str, answer: str, issue: Issue, room: Room) -> str:
    words = room.words["mail.poll_subject"] if poll else room.words["mail.feedback_subject"]
    subject = words.format(title=_title(issue, room), poll=poll, answer=" ".join(answer.split()))
    return mailto(answers_to(issue, room.publication), subject)


def _title(issue: Issue, room: Room) -> str:
    return merge.shown(issue.subject, room.publication.fields)


def _picture(issue: Issue) -> Iterator[Block]:
    if hero := issue.image:
        yield blocks.Image(hero.picture, hero.caption, hero.link)


def _contents(issue: Issue, body: tuple[Block, ...]) -> Iterator[Block]:
    named = [block for block in body if isinstance(block, blocks.Heading) and block.anchor]
    if issue.contents and len(named) >= FEWEST:
        yield blocks.Contents(tuple((heading.anchor, tuple(_unlinked(heading.inside))) for heading in named))


def _unlinked(inside: tuple[blocks.Inline, ...]) -> Iterator[blocks.Inline]:
    """Words without links: they become a link themselves."""
    for part in inside:
        if isinstance(part, Link):
            yield from _unlinked(part.inside)
        elif isinstance(part, blocks.Strong | blocks.Emphasis | blocks.Strike):
            yield replace(part, inside=tuple(_unlinked(part.inside)))
        elif not isinstance(part, blocks.Picture):
            yield part


def _authors(issue: Issue) -> Iterator[Block]:
    """A box for each author the front matter names, unless the text holds it already."""
    here = {block.key for block in issue.body if isinstance(block, blocks.AuthorCard)}
    yield from (blocks.AuthorCard(key) for key in issue.author if key not in here)


def _offer(issue: Issue) -> Iterator[Block]:
    here = any(isinstance(block, blocks.MagnetCard) and block.key == issue.magnet for block in issue.body)
    if issue.magnet and not here:
        yield blocks.MagnetCard(issue.magnet)


def _asides(issue: Issue, room: Room) -> Iterator[Block]:
    said = room.words
    if issue.feedback:
        yes, no = (
            Link((_vote("", said[key], issue, room),), (Words(said[key]),))
            for key in ("mail.feedback_yes", "mail.feedback_no")
        )
        yield Aside((Words(said["mail.feedback"] + " "), yes, Words(" · "), no))
    if issue.share:
        link = Link((mailto("", _title(issue, room), room.page),), (Words(said["mail.pass_on_link"]),))
        yield Aside((Words(said["mail.pass_on"] + " "), link))
    if issue.nearby and (room.before or room.after):
        yield Aside(tuple(_nearby(room)))


def _nearby(room: Room) -> Iterator[blocks.Inline]:
    found = (("mail.before", room.before), ("mail.after", room.after))
    for number, (key, letter) in enumerate((key, letter) for key, letter in found if letter):
        if number:
            yield Break()
        yield Words(room.words[key] + " ")
        yield Link((letter.url,), (Words(letter.title),))
