"""Everything that can be known about an issue before anyone gets it.

In: an issue as read, the publication, its root, and the email when it has been rendered. Out: problems by
line. Only errors block; a warning informs, and an editor may silence it with `ignore` and a reason.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator
from pathlib import Path

from newsletter.content import blocks, frontmatter, merge, text
from newsletter.content.blocks import Block, Inline
from newsletter.content.document import Document
from newsletter.content.issue import Issue
from newsletter.core.email import Email, fill
from newsletter.core.problem import Level, Problem
from newsletter.core.publication import Publication

SUBJECT_NOTE, SUBJECT_MOST = 50, 60
SHOWN = (33, 48)  # characters a phone and a desktop inbox show
PREHEADER = (40, 130)
WORDS = (50, 5000)
HTML_WARN, HTML_MOST = 80_000, 95_000  # bytes; Gmail cuts a mail off after about 102 KB
SETTINGS = "newsletter.yml"


def check(issue: Issue, publication: Publication, root: Path, *, email: Email | None = None) -> tuple[Problem, ...]:
    """Check an issue.

    In: the issue with what reading found, the publication, its root, the email when there is one (its size
    counts then). Out: all problems, by line; those of newsletter.yml stand last.
    """
    del root  # pictures were looked at when the issue was read; later checks look at more of its files
    head, _ = frontmatter.document_of(issue.source, issue.name)
    found = [
        *issue.problems,
        *_audience(issue, publication, head),
        *_magnet(issue, publication, head),
        *_subject(issue, publication, head),
        *_preheader(issue, publication, head),
        *_length(issue, head),
        *_headings(issue),
        *_bare_links(issue),
        *_elsewhere(issue, publication),
        *_postal_address(publication),
        *(_size(email, issue) if email else ()),
    ]
    silenced = {ignored.code for ignored in issue.ignore if ignored.why}
    kept = {problem for problem in found if problem.level is Level.ERROR or problem.code not in silenced}
    return tuple(sorted(kept, key=lambda problem: (problem.file != issue.name, problem)))


def _audience(issue: Issue, publication: Publication, head: Document) -> Iterator[Problem]:
    known = ("all", "letter", *publication.topics, *publication.segments)
    for number, name in enumerate(issue.audience):
        if name not in known:
            near = next(iter(difflib.get_close_matches(name, known, 1, 0.5)), "all")
            message = f'there is no audience "{name}"; did you mean "{near}"?'
            yield head.problem(["audience", number], "E106", message, f"audience: [{near}]")


def _magnet(issue: Issue, publication: Publication, head: Document) -> Iterator[Problem]:
    if issue.magnet and issue.magnet not in publication.magnets:
        known = list(publication.magnets)
        near = next(iter(difflib.get_close_matches(issue.magnet, known, 1, 0.5)), known[0] if known else "")
        message = f'there is no magnet "{issue.magnet}" in {SETTINGS}'
        fix = f"magnet: {near}" if near else f"Add it under magnets: in {SETTINGS}, or delete this line."
        yield head.problem(["magnet"], "E250", message, fix)


def _subject(issue: Issue, publication: Publication, head: Document) -> Iterator[Problem]:
    shown = merge.shown(issue.subject, publication.fields)
    length = len(shown)
    if length > SUBJECT_NOTE:
        seen = f'phones show "{shown[: SHOWN[0]]}", others "{shown[: SHOWN[1]]}"'
        level = Level.WARNING if length > SUBJECT_MOST else Level.NOTE
        message = f"the subject has {length} characters; {seen}"
        yield head.problem(["subject"], "W301", message, "Say the most important thing first.", level=level)
    letters = [ch for ch in shown if ch.isupper() or ch.islower()]
    if len(letters) >= 8 and sum(ch.isupper() for ch in letters) > 0.8 * len(letters):  # noqa: PLR2004
        fix = f"subject: {shown.capitalize()}"
        yield head.problem(["subject"], "W301", "the subject is written in capitals", fix, level=Level.WARNING)
    if re.search(r"[!?！？]{2,}", shown):
        fix = "subject: " + re.sub(r"([!?！？])[!?！？]+", r"\1", shown)
        yield head.problem(["subject"], "W301", "the subject has more than one ! or ?", fix, level=Level.WARNING)


def _preheader(issue: Issue, publication: Publication, head: Document) -> Iterator[Problem]:
    fix = "preheader: One sentence that says what the reader will find"
    shown = merge.shown(issue.preheader, publication.fields)
    written = head.plain().get("preheader") is not None
    if not shown:
        message = "there is no preheader, and no first sentence to take one from"
    elif not written:
        message = f'the preheader is missing, so inboxes show the beginning: "{shown}"'
    elif not PREHEADER[0] <= len(shown) <= PREHEADER[1]:
        message = f"the preheader has {len(shown)} characters; {PREHEADER[0]} to {PREHEADER[1]} are shown well"
    elif _bare(shown).startswith(_bare(merge.shown(issue.subject, publication.fields))):
        message = "the preheader repeats the subject, which stands beside it"
    else:
        return
    yield head.problem(["preheader"], "W302", message, fix, level=Level.WARNING)


def _bare(words: str) -> str:
    return re.sub(r"\W+", " ", words).strip().lower()


def _length(issue: Issue, head: Document) -> Iterator[Problem]:
    count = text.words(issue.body)
    if count < WORDS[0]:
        message = f"the letter has only {count} words"
        yield head.problem([], "W304", message, "Is something missing?", level=Level.WARNING)
    elif count > WORDS[1]:
        message = f"the letter has {count:,} words, {text.minutes(issue.body)} minutes to read"
        yield head.problem([], "W304", message, "Make two letters of it.", level=Level.WARNING)


def _warning(issue: Issue, line: int, code: str, message: str, fix: str) -> Problem:
    lines = issue.source.split("\n")
    source = lines[line - 1] if 0 < line <= len(lines) else ""
    return Problem(issue.name, line, 1, code, Level.WARNING, message, fix, source)


def _headings(issue: Issue) -> Iterator[Problem]:
    before = 1
    for block in issue.body:
        if isinstance(block, blocks.Heading):
            if block.level > before + 1:
                words = text.plain(block.inside)
                message = "a small heading (###) stands here before any large one (##)"
                yield _warning(issue, block.line, "W211", message, f"## {words}")
            before = block.level


def _bare_links(issue: Issue) -> Iterator[Problem]:
    for block in _all(issue.body):
        link = block.inside[0] if isinstance(block, blocks.Paragraph) and len(block.inside) == 1 else None
        if isinstance(link, blocks.Link) and text.plain(link.inside) == "".join(map(str, link.url)):
            url = text.plain(link.inside)
            message = "a bare address stands alone here; as a button it says what happens"
            yield _warning(issue, getattr(block, "line", 0), "W213", message, f"[Read it here]({url}){{.button}}")


def _elsewhere(issue: Issue, publication: Publication) -> Iterator[Problem]:
    """Promise 7: no request to a third party, so pictures are our own."""
    own = publication.images.base_url
    places = [(picture, line) for block in _all(issue.body) for picture, line in _pictures(block)]
    if issue.image:
        places.append((issue.image.picture, 0))
    for picture, line in places:
        if (
            picture.asset is None
            and picture.src.lower().startswith("https:")
            and not (own and picture.src.startswith(own))
        ):
            message = "a picture from another site tells that site who reads this"
            fix = "Save it in images/, and write ![What it shows](images/picture.jpg)"
            found = _warning(issue, line, "E211", message, fix)
            yield Problem(found.file, line, found.col, "E211", Level.ERROR, message, fix, found.source)


def _pictures(block: Block) -> Iterator[tuple[blocks.Picture, int]]:
    if isinstance(block, blocks.Image):
        yield block.picture, block.line
    elif isinstance(block, blocks.Paragraph | blocks.Heading | blocks.Button):
        yield from ((picture, block.line) for picture in _in_line(block.inside))
    elif isinstance(block, blocks.Table):
        cells = [cell for row in (block.header, *block.rows) for cell in row]
        yield from ((picture, block.line) for cell in cells for picture in _in_line(cell))


def _in_line(inside: tuple[Inline, ...]) -> Iterator[blocks.Picture]:
    for part in inside:
        if isinstance(part, blocks.Picture):
            yield part
        elif isinstance(part, blocks.Strong | blocks.Emphasis | blocks.Strike | blocks.Link):
            yield from _in_line(part.inside)


def _all(body: tuple[Block, ...]) -> Iterator[Block]:
    """Every block, those within others too."""
    for block in body:
        yield block
        if isinstance(block, blocks.Listing):
            for item in block.items:
                yield from _all(item)
        elif isinstance(block, blocks.Quote | blocks.Callout | blocks.Card | blocks.MagnetCard):
            yield from _all(block.inside)


def _postal_address(publication: Publication) -> Iterator[Problem]:
    address = publication.footer.address.strip()
    if not address:
        message = "there is no postal address, and no letter may go without one"
        fix = "footer:\n  address: Street and number, city, postal code"
        yield Problem(SETTINGS, 0, 0, "E300", Level.ERROR, message, fix)
    elif not has_postal_code(address):
        message = "the postal address has no postal code"
        fix = f"Add it after the city: {address} ..."
        yield Problem(SETTINGS, 0, 0, "W306", Level.WARNING, message, fix)


_STREETS = re.compile(r"(?:\b(?:suite|ste|unit|apt|room|rm|floor|box|no)\b\.?|#)\s*\d+[A-Z]?", re.IGNORECASE)
_CODE_AT_END = re.compile(
    r"(?:^|[\s,-])(?:\d{4,6}(?:-\d{3,4})?|\d{3}[ -]\d{2,4}|[A-Z]{1,2}\d[A-Z\d]? ?\d[A-Z]{2}|[A-Z]\d[A-Z] ?\d[A-Z]\d)\b"
)


def has_postal_code(address: str) -> bool:
    """Whether an address seems to hold a postal code: digits of its length that are no house number.

    The first part (the street, with its number) is left aside when there are others.
    """
    parts = [part.strip() for part in re.split(r"[,\n;]", address) if part.strip()]
    later = parts[1:] if len(parts) > 1 else [re.sub(r"^\d+\s", "", part) for part in parts]
    return any(_CODE_AT_END.search(_STREETS.sub(" ", part)) for part in later)


def _size(email: Email, issue: Issue) -> Iterator[Problem]:
    size = len(fill(email.html, {}).encode())
    if size > HTML_WARN:
        level = Level.ERROR if size > HTML_MOST else Level.WARNING
        message = f"the mail has {size:,} bytes, and mail programs cut it off after about 100,000"
        yield Problem(issue.name, 0, 0, "E303", level, message, "Put part of it on a page and link to it.")
