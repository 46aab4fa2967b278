"""A file from elsewhere as an issue file, or a body of ours judged anew.

In: the file's name and bytes, the publication, a date. Out: the text of an issue with its front matter,
the contact facts that were taken out, pictures, and every decision. Nothing is written to disk here.
"""

from __future__ import annotations

import datetime as dt
import re
from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import accumulate
from pathlib import PurePath

from newsletter.content import frontmatter
from newsletter.content.importers import decode, docx, heuristics, html, md, signs, txt, writer
from newsletter.content.importers.report import Contact, Guess
from newsletter.content.importers.stream import Attached, Kind, Piece, Run, Source, joined, judge_size, plain
from newsletter.core.publication import Publication
from newsletter.errors import NewsletterError

KINDS = (".txt", ".text", ".md", ".markdown", ".docx", ".html", ".htm")
PLAIN_MOST = 1_000_000  # bytes; the text of a letter has some 20,000
MOST = 25_000_000  # bytes, with pictures
PREHEADER = (40, 130)
SUBJECT = (3, 150)
PASSES = 6


@dataclass(frozen=True)
class Letter:
    """An issue made of a file. `text` is the whole of it; pictures stand in it as `images/<slug>-1.png`."""

    text: str = field(repr=False)
    subject: str
    slug: str
    date: dt.date
    contact: Contact
    guesses: tuple[Guess, ...]
    files: tuple[Attached, ...] = ()


def letter(
    name: str,
    raw: bytes,
    publication: Publication,
    *,
    date: dt.date,
    lang: str = "",
    beside: Callable[[str], bytes | None] = lambda _name: None,
    pictures: str = "",
) -> Letter:
    """Make an issue of a file.

    In: its name (the ending says what it is), its bytes, the publication (merge fields, language), the day
    it is for, the language when it is known, how to read a picture that lies beside it, and the name pictures
    get (by default the issue's own).
    Raises: NewsletterError, in words, for a file that cannot be taken.
    """
    source = read(name, raw, beside)
    judged = heuristics.judge(source)
    subject, more = _subject(judged.title, name)
    slug = frontmatter.slug_of(source.front.get("slug", "") or subject)[:60].strip("-") or "letter"
    files, pieces = _named(source.files, judged.pieces, pictures or slug)
    language = lang or source.front.get("lang", "") or judged.lang
    preheader = _preheader(source, pieces)
    head = {
        "subject": subject,
        "preheader": preheader,
        "date": date.isoformat(),
        "draft": "true",
        "lang": language if language and language.split("-")[0] != publication.language.split("-")[0] else "",
    }
    front = writer.front({key: _tags_of(value, publication.fields) for key, value in head.items()})
    text = f"{front}\n{writer.body(pieces, publication.fields)}"
    guesses = (*more, *_about_preheader(preheader, source), *_tables(pieces), *judged.guesses)
    return Letter(text, subject, slug, date, judged.contact, tuple(_placed(guesses, text)), files)


def tidied(body: str, publication: Publication, first_line: int) -> tuple[str, tuple[Guess, ...]]:
    """The body of an issue with the same judgement; the text as it was when there is nothing to do.

    What is written is judged again until nothing changes: a blank line set by one judgement may tell the next one
    something, and tidying what is tidy must change nothing. `line` of a guess is 0 when a later look made it.
    """
    text, guesses = _tidied(body, publication, first_line)
    for _ in range(PASSES):
        again, more = _tidied(text, publication, first_line)
        if again == text:
            return text, guesses
        told = {(one.what, one.words) for one in guesses}
        guesses += tuple(replace(one, line=0) for one in more if (one.what, one.words) not in told)
        text = again
    return body, ()


def _tidied(body: str, publication: Publication, first_line: int) -> tuple[str, tuple[Guess, ...]]:
    judged = heuristics.judge(md.reread(body, first_line), whole=False)
    footer, told = _footer(judged, publication)
    text = writer.body((*judged.pieces, *footer), publication.fields)
    if _bare(text) == _bare(body):
        return body, ()
    head = re.match(r"\n*", body)
    return (head.group() if head else "") + text, (*judged.guesses, *told)


def _footer(judged: heuristics.Judged, publication: Publication) -> tuple[list[Piece], list[Guess]]:
    """A contact footer in an issue: gone when newsletter.yml has all of its facts, else as it was."""
    if not judged.footer:
        return [], []
    line = judged.footer[0].line
    words = judged.footer[0].text
    known = re.sub(r"\W+", "", " ".join(vars(publication.footer).values())).lower()
    facts = judged.contact.facts.values()
    if facts and all(
        re.sub(r"\W+", "", re.sub(r"^https?://(?:www\.)?|^www\.", "", fact)).lower() in known for fact in facts
    ):
        return [], [Guess(line, "took the contact footer out", "It stands under every letter by itself.", words)]
    kept: list[Piece] = []
    for piece in judged.footer:
        if kept and piece.kind is Kind.TEXT and kept[-1].kind is Kind.TEXT and not piece.gap:
            kept[-1] = replace(kept[-1], rich=joined((kept[-1].rich, piece.rich), "\n"))
        else:
            kept.append(piece)
    todo = "Its facts belong into newsletter.yml, under footer; then tidy takes it out."
    return kept, [Guess(line, "left a contact footer where it is", todo, words)]


def _bare(text: str) -> str:
    return re.sub(r"\n{2,}", "\n\n", text.strip())


def read(name: str, raw: bytes, beside: Callable[[str], bytes | None]) -> Source:
    """The stream of a file. Raises: NewsletterError for a file that is too big, of another kind, or no text."""
    kind = PurePath(name).suffix.lower()
    if kind not in KINDS:
        todo = "Save it as .docx, .html, .md or .txt, and import that."
        raise NewsletterError(f'A file ending in "{kind or "nothing"}" cannot be imported.', todo)
    if len(raw) > (MOST if kind in {".docx", ".html", ".htm"} else PLAIN_MOST):
        size = f"{len(raw) / 1_000_000:.0f} MB"
        raise NewsletterError(
            f"This file is too big for a letter ({size}).", "Import the text alone, without what else is in it."
        )
    source = _source(_really(kind, raw), raw, beside)
    judge_size(sum(len(piece.text) for piece in source.pieces), len(source.pieces))
    if not any(piece.text.strip() or piece.rows for piece in source.pieces) and not source.title:
        raise NewsletterError("There are no words in this file.", "Look whether it is the right one.")
    return source


_OTHERS = (
    (rb"%PDF-", "a PDF"),
    (rb"\{\\rtf", "Rich Text (RTF)"),
    (rb"\x7fELF|MZ\x90|\x1f\x8b|\x89PNG|\xff\xd8\xff|GIF8|\xd0\xcf\x11\xe0", "no text"),
)
_PAGE = re.compile(rb"(?:\xef\xbb\xbf)?\s*<(?:!doctype\s+html|html)\b", re.IGNORECASE)


def _really(kind: str, raw: bytes) -> str:
    """The kind a file is by its first bytes, when its name says that it is text."""
    if kind in {".docx", ".html", ".htm"}:
        return kind
    for begins, what in _OTHERS:
        if re.match(begins, raw):
            raise NewsletterError(
                f"This file is {what}, whatever its name says.", "Save it as plain text, Word or HTML."
            )
    if raw.startswith(b"PK\x03\x04"):
        return ".docx"
    return ".html" if _PAGE.match(raw) else kind


def _source(kind: str, raw: bytes, beside: Callable[[str], bytes | None]) -> Source:
    if kind == ".docx":
        return docx.read(raw)
    if kind in {".html", ".htm"}:
        return html.read(decode.text(raw, html=True), beside)
    text = decode.text(raw)
    judge_size(len(text), text.count("\n") // 2)
    try:
        return md.read(text, html.pieces) if kind in {".md", ".markdown"} else txt.read(text)
    except RecursionError:
        raise NewsletterError("This text has too many things inside each other.", "Make it flatter.") from None


def _subject(title: str, name: str) -> tuple[str, list[Guess]]:
    """A subject of the right length; from the file's name when the text has no title."""
    text = " ".join(title.split())
    if len(text) > SUBJECT[1]:
        cut = text[: SUBJECT[1] - 1].rsplit(" ", 1)[0].rstrip(",;:–—- ")
        return cut + "…", [Guess(0, "shortened the title for the subject", "Write a shorter one.", text)]
    if len(text) >= SUBJECT[0]:
        return text, []
    stem = re.sub(r"[\W_]+", " ", frontmatter.of_file_name(PurePath(name).stem).slug).strip() or "letter"
    words = (text or stem[:1].upper() + stem[1:]).ljust(SUBJECT[0], ".")
    return words, [Guess(0, "took the subject from the file's name: the text has no title", "Write your own.", words)]


_SENTENCE = re.compile(r"(?<=[.!?…。！？؟])[\"'”’»)]*(?:\s|$|(?<=[。！？]))")


def _preheader(source: Source, pieces: Sequence[Piece]) -> str:
    """What the source says of itself, else the first sentence when it has the right length; else nothing."""
    said = source.front.get("preheader") or source.preheader
    if said:
        return " ".join(said.split())[: SUBJECT[1]]
    first = next(
        (
            piece
            for piece in pieces
            if piece.kind is Kind.TEXT and not signs.is_greeting(piece.text) and signs.ended(piece.text)
        ),
        None,
    )
    if first is None or any(one.raw for one in first.rich):
        return ""
    text = " ".join(first.text.split())
    end = _SENTENCE.search(text)
    sentence = text[: end.end()].strip() if end else text
    return sentence if PREHEADER[0] <= len(sentence) <= PREHEADER[1] and "{{" not in sentence else ""


def _about_preheader(preheader: str, source: Source) -> list[Guess]:
    if preheader and not (source.front.get("preheader") or source.preheader):
        return [Guess(0, "took the first sentence as the preheader", "Write another, or delete the line.", preheader)]
    return []


def _tables(pieces: Sequence[Piece]) -> list[Guess]:
    """Tables too wide for a phone are written row by row."""
    wide = [
        piece for piece in pieces if piece.kind is Kind.TABLE and max(len(row) for row in piece.rows) > writer.COLUMNS
    ]
    return [
        Guess(
            piece.line,
            "wrote a wide table row by row",
            f"A table has at most {writer.COLUMNS} columns.",
            plain(piece.rows[0][0]),
        )
        for piece in wide
    ]


def _tags_of(value: str, fields: Mapping[str, str]) -> str:
    """A line at the top, with the merge tags of other programs translated."""
    return writer.tagged(value, fields)


def _named(
    files: Sequence[Attached], pieces: Sequence[Piece], slug: str
) -> tuple[tuple[Attached, ...], tuple[Piece, ...]]:
    """Pictures under the name of the issue."""
    names = {one.name: f"images/{slug}-{number}.{one.name.rpartition('.')[2]}" for number, one in enumerate(files, 1)}

    def renamed(one: Run) -> Run:
        return replace(one, src=names.get(one.src, one.src)) if one.src else one

    made = tuple(
        replace(
            piece,
            rich=tuple(renamed(one) for one in piece.rich),
            rows=tuple(tuple(tuple(renamed(one) for one in cell) for cell in row) for row in piece.rows),
        )
        for piece in pieces
    )
    return tuple(Attached(names[one.name], one.content) for one in files), made


_SEEN = 300  # characters of a line that are looked at for a guess's words
_SIGNS = re.compile(r"[\\*_`<>]|\]\([^()]*\)(?:\{[^{}]*\})?|^[\s>|#-]+|^\d+[.)]\s+|\[")


def _shown(line: str) -> str:
    """A line of Markdown about as its readers see it."""
    return _SIGNS.sub("", line).strip()


def _placed(guesses: Sequence[Guess], text: str) -> list[Guess]:
    """Each guess with the line of the issue it is about, found by its words."""
    lines = [_shown(line[:_SEEN]) for line in text.split("\n")]
    done = text.split("\n---\n", 1)[0].count("\n") + 2
    starts = list(accumulate((len(line) + 1 for line in lines), initial=0))
    shown = "\n".join(lines)
    placed: list[Guess] = []
    for guess in guesses:
        words = re.sub(r"[\\*_`<>\[\]]", "", guess.words.split("\n")[0]).strip()[:24]
        at = shown.find(words, starts[min(done, len(lines))]) if words else -1
        placed.append(replace(guess, written=bisect_right(starts, at)) if at >= 0 else guess)
    return sorted(placed, key=lambda guess: (guess.line, guess.written))
