"""The lines between `---` and `---` at the top of an issue, as typed values.

In: the text of the file, and the publication whose defaults and keys count. Out: a `Front`, and every
problem with its place. A value of the wrong kind is told and its default taken, so that one run tells all.
"""

from __future__ import annotations

import datetime as dt
import difflib
import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from newsletter.content import dates, document, merge
from newsletter.content.document import Document
from newsletter.content.issue import Ignored
from newsletter.core import address
from newsletter.core.problem import Fix, Level, Problem
from newsletter.core.publication import Publication
from newsletter.core.schedule import instant
from newsletter.errors import AddressRefused, SettingsError

FIELDS = (
    "subject",
    "preheader",
    "title",
    "date",
    "send_at",
    "draft",
    "audience",
    "from",
    "reply_to",
    "lang",
    "dir",
    "slug",
    "number",
    "tags",
    "summary",
    "canonical_url",
    "archive",
    "author",
    "image",
    "magnet",
    "feedback",
    "contents",
    "share",
    "nearby",
    "theme",
    "plain",
    "ignore",
)
"""Every name an issue may use, in the order an editor should find them; `x_...` is anybody's own."""

_MEANT = {
    "preview": "preheader",
    "preview_text": "preheader",
    "description": "preheader",
    "headline": "title",
    "sender": "from",
    "segment": "audience",
    "segments": "audience",
    "language": "lang",
    "published": "draft",
    "status": "draft",
    "keywords": "tags",
    "categories": "tags",
    "authors": "author",
    "hero": "image",
    "publish_date": "date",
}
RIGHT_TO_LEFT = frozenset({"ar", "ckb", "dv", "fa", "he", "ps", "sd", "ug", "ur", "yi"})
SUBJECT = (3, 150)
PREHEADER = 150


@dataclass(frozen=True)
class HeroField:
    """`image:` as written; an empty `alt` means decorative, and was written so."""

    src: str
    alt: str
    caption: str = ""
    link: str = ""


@dataclass(frozen=True)
class Front:
    """The front matter, typed. None where an absent value has a default that the body decides."""

    subject: str = ""
    preheader: str | None = None
    title: str = ""
    date: dt.date | None = None
    send_at: dt.time | dt.datetime | None = None
    draft: bool = True
    audience: tuple[str, ...] = ("all",)
    sender: str = ""
    reply_to: str = ""
    lang: str = "en"
    dir: str = "ltr"
    slug: str = ""
    number: int | None = None
    tags: tuple[str, ...] = ()
    summary: str = ""
    canonical_url: str = ""
    archive: bool = True
    author: tuple[str, ...] = ()
    image: HeroField | None = None
    magnet: str = ""
    feedback: bool = False
    contents: bool = False
    share: bool = False
    nearby: bool = False
    theme: str = ""
    plain: str = ""
    ignore: tuple[Ignored, ...] = ()
    extra: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Halves:
    """A file in two: the front matter's lines, the body, and the lines of the file they begin at."""

    front: str
    body: str
    front_line: int
    body_line: int


_FENCE = re.compile(r"---[ \t]*")
_ALMOST = re.compile(r"[ \t]*(?:[—–‒―−-]{1,2}|[—–‒―−]{1,3}|-{4,}|- ?- ?-)[ \t]*")
_FRONT_LINE = re.compile(r"\s*#.*|\s+\S.*|- .*|[A-Za-z_][\w ]{0,30}:(?!//).*")


def split(text: str, file: str) -> tuple[Halves | None, tuple[Problem, ...]]:
    """Part a file at its `---` lines.

    Out: the halves, None when there is no front matter at all; and E100, with the halves that were
    probably meant where that can be told.
    """
    lines = text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n").split("\n")
    first = next((row for row, line in enumerate(lines) if line.strip()), 0)
    opening = lines[first]
    problems: list[Problem] = []

    def note(row: int, message: str, fix: str, *, certain: bool = True) -> None:
        auto = Fix(file, row + 1, row + 1, fix) if certain else None
        problems.append(Problem(file, row + 1, 1, "E100", Level.ERROR, message, fix, lines[row], auto))

    if not _FENCE.fullmatch(opening):
        if _ALMOST.fullmatch(opening):
            note(first, "the first line must be three hyphens, and these are other signs", "---")
        elif re.match(r"subject\s*:", opening, re.IGNORECASE):
            note(first, "the line of three hyphens before this one is missing", f"---\n{opening}")
            first -= 1
        else:
            fix = "---\nsubject: The subject\n---"
            note(first, "the lines with subject and date are missing at the top", fix, certain=False)
            return None, tuple(problems)
    start = first + 1
    end = next((row for row in range(start, len(lines)) if _FENCE.fullmatch(lines[row])), None)
    meant = next((row for row in range(start, len(lines)) if _ALMOST.fullmatch(lines[row])), None)
    if end is None or (meant is not None and meant < end and not _all_front(lines[start:end])):
        last = start
        while last < len(lines) and _FRONT_LINE.fullmatch(lines[last]):
            last += 1
        if meant is not None and meant <= last:
            note(meant, "the line below the lines at the top must be three hyphens", "---")
            end = meant
        elif end is None:
            said = lines[last - 1].strip() if last > start else opening
            note(max(first, 0), "the --- after these lines is missing", f"Add --- below: {said}", certain=False)
            return _halves(lines, start, last, last), tuple(problems)
    return _halves(lines, start, end or start, (end or start) + 1), tuple(problems)


def _all_front(lines: Sequence[str]) -> bool:
    return all(not line.strip() or _FRONT_LINE.fullmatch(line) for line in lines)


def _halves(lines: Sequence[str], start: int, end: int, body: int) -> Halves:
    return Halves("\n".join(lines[start:end]), "\n".join(lines[body:]), start + 1, body + 1)


@dataclass(frozen=True)
class FileName:
    """What the name of a file says: its date, and the rest as a slug."""

    date: dt.date | None
    slug: str


_DATED = re.compile(r"(\d{4}-\d{2}-\d{2})[-_ ]?(.*)", re.DOTALL)


def of_file_name(stem: str) -> FileName:
    """Read `2026-12-01-healing` (no suffix)."""
    match = _DATED.fullmatch(stem)
    date = dates.day(match[1]) if match else None
    return FileName(date, slug_of(match[2] if match and date else stem))


def slug_of(text: str) -> str:
    """Any words as a slug: lower case, letters and digits of any script, hyphens between."""
    plain = unicodedata.normalize("NFKD", text).lower()
    letters = "".join(ch for ch in plain if not "\u0300" <= ch <= "\u036f")
    return re.sub(r"[\W_]+", "-", unicodedata.normalize("NFC", letters)).strip("-")


def read(document: Document, publication: Publication, name: FileName) -> tuple[Front, tuple[Problem, ...]]:
    """Type the values.

    In: the document, the publication (defaults; keys of `senders`, `authors`), what the file's name says.
    Out: the front matter with defaults filled in, and the problems (E105, E106, E107, E110, E210, E240, E250).
    """
    reader = _Reader(document, publication)
    reader.unknown()
    lang = reader.lang()
    date = reader.date(name)
    front = Front(
        subject=reader.subject(),
        preheader=reader.line("preheader", PREHEADER),
        title=reader.line("title") or "",
        date=date,
        send_at=reader.send_at(date),
        draft=reader.flag("draft", default=True),
        audience=reader.listing("audience") or ("all",),
        sender=reader.sender(),
        reply_to=reader.address("reply_to"),
        lang=lang,
        dir=reader.direction(lang),
        slug=reader.slug() or name.slug,
        number=reader.number("number"),
        tags=reader.listing("tags"),
        summary=reader.line("summary") or "",
        canonical_url=reader.url("canonical_url"),
        archive=reader.flag("archive", default=True),
        author=reader.authors(),
        image=reader.image(),
        magnet=reader.line("magnet") or "",
        feedback=reader.flag("feedback", default=publication.feedback),
        contents=reader.flag("contents", default=publication.contents),
        share=reader.flag("share", default=publication.share),
        nearby=reader.flag("nearby", default=publication.nearby),
        theme=reader.line("theme") or "",
        plain=reader.line("plain") or "",
        ignore=reader.ignored(),
        extra={key: value for key, value in document.plain().items() if key.startswith("x_")},
    )
    reader.ready(front)
    return front, tuple(reader.problems)


class _Reader:
    """One document being typed: a method for each kind of value."""

    def __init__(self, document: Document, publication: Publication) -> None:
        self.document = document
        self.publication = publication
        self.values = document.plain()
        self.problems: list[Problem] = []
        self.meant: set[str] = set()  # names that unknown ones stand for

    def note(
        self,
        loc: Sequence[str | int],
        code: str,
        message: str,
        fix: str = "",
        *,
        key: bool = False,
        certain: str = "",
    ) -> None:
        """Remember an error at a value. `certain`: the value as it was surely meant."""
        found = self.document.problem(loc, code, message, fix, key=key)
        auto = self._instead(str(loc[0]), found, certain) if certain else None
        self.problems.append(replace(found, auto=auto))

    def _instead(self, key: str, found: Problem, value: str) -> Fix | None:
        """The line with another value, when the one that stands there is on this line alone."""
        typed = str(self.values.get(key))
        line = re.fullmatch(rf"({re.escape(key)}[ ]*:[ ]+)(['\"]?){re.escape(typed)}\2[ ]*", found.source)
        return Fix(found.file, found.line, found.line, line[1] + value) if line else None

    def unknown(self) -> None:
        """Names that are none of ours."""
        for key in self.values:
            if key in FIELDS or key.startswith("x_"):
                continue
            lower = key.lower()
            near = _MEANT.get(lower) or next(iter(difflib.get_close_matches(lower, FIELDS, 1, 0.6)), "")
            hint = f'; did you mean "{near}"?' if near else ""
            value = self.values[key]
            typed = value if isinstance(value, str) and value else "..."
            fix = f"{near}: {typed}" if near else f"Delete the line, or call it x_{key} to keep it."
            self.note([key], "E105", f'"{key}" is not a name that an issue knows{hint}', fix, key=True)
            self.meant.add(near)
            if lower == near and near not in {*self.values, "draft"}:  # only its capitals are wrong
                self.problems[-1] = self._renamed(self.problems[-1], key, near)

    @staticmethod
    def _renamed(found: Problem, key: str, name: str) -> Problem:
        """The finding with the line under another name, where the line begins with it."""
        if not found.source.startswith(f"{key}:"):
            return found
        auto = Fix(found.file, found.line, found.line, name + found.source.removeprefix(key))
        return replace(found, auto=auto)

    def line(self, key: str, most: int = 1000) -> str | None:
        """Text on one line; None when absent or empty."""
        value = self.values.get(key)
        if value is None:
            return None
        if not isinstance(value, str):
            self.note([key], "E106", f"{key} must be words on one line", f"{key}: The words")
            return None
        text = " ".join(value.split())
        if len(text) > most:
            self.note([key], "E106", f"{key} has {len(text)} characters, and at most {most} fit", "Shorten it.")
        self._tags(key, text)
        return text

    def _tags(self, key: str, text: str) -> None:
        """Merge tags in a line."""
        line, col = self.document.place([key])
        source = self.document.source(line)
        for found in merge.find(text, self.publication.fields):
            fault = found.tag
            if isinstance(fault, merge.Snippet):
                fault = merge.Fault("E240", "a snippet cannot stand here", "Write the words themselves.")
            if isinstance(fault, merge.Fault):
                at = source.find(found.source)
                place = (self.document.file, line, at + 1 if at >= 0 else col)
                whole = source[:at] + fault.fix + source[at + len(found.source) :]
                certain = fault.certain and at >= 0 and ': "' not in source[:at]
                auto = Fix(self.document.file, line, line, whole) if certain else None
                self.problems.append(Problem(*place, fault.code, Level.ERROR, fault.message, fault.fix, source, auto))

    def subject(self) -> str:
        """The one value without which there is no letter."""
        text = self.line("subject", SUBJECT[1])
        if "subject" not in self.values and "subject" in self.meant:
            return ""
        if "subject" not in self.values:
            self.note([], "E106", "the subject is missing", "subject: The words a reader sees in the inbox")
        elif text is None and isinstance(self.values["subject"], str | None):
            self.note(["subject"], "E106", "the subject is empty", "subject: The words a reader sees in the inbox")
        elif text is not None and len(text) < SUBJECT[0]:
            message = f"a subject has at least {SUBJECT[0]} characters"
            self.note(["subject"], "E106", message, "subject: The words a reader sees in the inbox")
        return text or ""

    def flag(self, key: str, *, default: bool) -> bool:
        """`true` or `false`."""
        value = self.values.get(key)
        if value is None:
            return default
        if value in ("true", "false"):
            return bool(value == "true")
        word = str(value).lower() if isinstance(value, str) else ""
        meant = "true" if word in {"true", "yes", "on", "1"} else "false" if word in {"false", "no", "off", "0"} else ""
        fix = f"{key}: {meant}" if meant else f"{key}: true   (or: {key}: false)"
        ready = key == "draft" and meant == "false"  # that an issue may go is for its writer to say
        self.note([key], "E106", f"{key} must be true or false", fix, certain="" if ready else meant)
        return default

    def listing(self, key: str, *, one: bool = False) -> tuple[str, ...]:
        """A list of words. `one`: a single word may stand without the list."""
        value = self.values.get(key)
        if value is None:
            return ()
        if isinstance(value, str):
            items = tuple(part.strip() for part in value.split(",") if part.strip())
            if not one or len(items) > 1:
                flat = f"[{', '.join(items)}]"
                plain = all(re.fullmatch(r"\w[\w .'’-]*", item) for item in items)
                self.note([key], "E106", f"{key} must be a list", f"{key}: {flat}", certain=flat if plain else "")
            return items
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            at: list[str | int] = [key]
            if isinstance(value, list):
                at.append(next(number for number, item in enumerate(value) if not isinstance(item, str)))
            self.note(at, "E106", f"{key} must be a list of single words", f"{key}: [first, second]")
            return ()
        return tuple(" ".join(item.split()) for item in value)

    def number(self, key: str) -> int | None:
        """A whole number."""
        value = self.values.get(key)
        if value is None:
            return None
        if isinstance(value, str) and re.fullmatch(r"[0-9]{1,9}", value):
            return int(value)
        digits = re.search(r"[0-9]{1,9}", value) if isinstance(value, str) else None
        self.note([key], "E106", f"{key} must be a whole number", f"{key}: {digits.group() if digits else 12}")
        return None

    def url(self, key: str) -> str:
        """An https address."""
        value = self.line(key)
        if value is None:
            return ""
        if not re.fullmatch(r"https?://[^\s/]+\.[^\s/]+(?:/\S*)?", value):
            self.note([key], "E220", f"{key} must be a whole web address", f"{key}: https://www.example.org/page")
            return ""
        return value

    def address(self, key: str) -> str:
        """An email address, alone."""
        value = self.line(key)
        if value is None:
            return ""
        try:
            return address.parse(value).typed
        except AddressRefused:
            self.note([key], "E106", f"{key} must be one email address and nothing else", f"{key}: name@example.org")
            return ""

    def sender(self) -> str:
        """A key of `senders` in newsletter.yml; the first one when absent."""
        senders = self.publication.senders
        first = next(iter(senders), "")
        value = self.line("from")
        if value is None or value in senders:
            return value or first
        fix = f"from: {_nearest(value, senders) or first}"
        known = ", ".join(senders)
        self.note(["from"], "E106", f'"{value}" is not one of the senders in newsletter.yml ({known})', fix)
        return first

    def authors(self) -> tuple[str, ...]:
        """Keys of `authors` in newsletter.yml."""
        names = self.listing("author", one=True)
        for name in names:
            if name not in self.publication.authors:
                known = ", ".join(self.publication.authors) or "none yet"
                near = _nearest(name, self.publication.authors)
                fix = f"author: {near}" if near else f"Authors in newsletter.yml: {known}."
                self.note(["author"], "E250", f'there is no author "{name}" in newsletter.yml', fix)
        return tuple(name for name in names if name in self.publication.authors)

    def lang(self) -> str:
        """A language tag (BCP 47)."""
        value = self.line("lang")
        if value is None:
            return self.publication.language
        if not re.fullmatch(r"[A-Za-z]{2,3}(?:-[A-Za-z0-9]{2,8})*", value):
            self.note(["lang"], "E106", f'"{value}" is not the short name of a language', "lang: en")
            return self.publication.language
        return value

    def direction(self, lang: str) -> str:
        """`ltr` or `rtl`; by language when absent."""
        value = self.line("dir")
        usual = "rtl" if lang.partition("-")[0].lower() in RIGHT_TO_LEFT else "ltr"
        if value is None or value in {"ltr", "rtl"}:
            return value or usual
        self.note(["dir"], "E106", "dir must be ltr or rtl", f"dir: {usual}")
        return usual

    def slug(self) -> str:
        """The issue's key in addresses."""
        value = self.line("slug")
        if value is None:
            return ""
        if value != slug_of(value):
            fix = f"slug: {slug_of(value) or 'the-words'}"
            self.note(["slug"], "E106", "a slug has only small letters, digits and hyphens", fix)
        return slug_of(value)

    def date(self, name: FileName) -> dt.date | None:
        """The day, from here or from the file's name."""
        value = self.line("date")
        if value is None:
            return name.date
        day = dates.day(value)
        if day is None:
            guesses = dates.guesses(value)
            told = " or ".join(f"{guess.day} {guess:%B}" for guess in guesses)
            doubt = f" ({told}?)" if len(guesses) > 1 else ""
            message = f'"{value}" is not a date that can be read in one way only{doubt}'
            if re.fullmatch(r"\d{4}-\d\d-\d\d", value) and not guesses:
                message = f'"{value}" is no day of any calendar, or of a year that cannot be meant'
            fix = "   or: ".join(f"date: {guess.isoformat()}" for guess in guesses) or "date: 2026-12-01"
            one = name.date if name.date in guesses else guesses[0] if len(guesses) == 1 and not name.date else None
            if one and one == name.date:
                fix = f"date: {one.isoformat()}   (as in the file's name)"
            self.note(["date"], "E107", message, fix, certain=one.isoformat() if one else "")
            return name.date
        if name.date and name.date != day:
            message = f"the file's name says {name.date.isoformat()}, and this line {day.isoformat()}"
            self.note(["date"], "E110", message, f"date: {name.date.isoformat()}   (or rename the file)")
        return day

    def send_at(self, date: dt.date | None) -> dt.time | dt.datetime | None:
        """A time of day, or a day and a time; in the publication's zone."""
        value = self.line("send_at")
        if value is None:
            if date is not None and self.publication.send_at is not None:
                self._skipped(date, self.publication.send_at, "date")
            return None
        at = dates.moment(value)
        if at is None:
            message = f'"{value}" is not a time of day'
            self.note(["send_at"], "E107", message, "send_at: 09:30   (or: send_at: 2026-12-01 09:30)")
            return None
        if isinstance(at, dt.datetime):
            date, time = at.date(), at.time()
        else:
            time = at
        if date is not None:
            self._skipped(date, time, "send_at")
        return at

    def _skipped(self, day: dt.date, at: dt.time, key: str) -> None:
        """A time that the clocks skip on that day, the issue's own or the publication's."""
        try:
            instant(day, at, self.publication.timezone)
        except SettingsError as trouble:
            todo = trouble.todo if key == "send_at" else f"{trouble.todo} For this letter alone: send_at: 09:30"
            self.note([key], "E107", trouble.what, todo)

    def image(self) -> HeroField | None:
        """`image:` with src, alt, caption and link."""
        value = self.values.get("image")
        if value is None:
            return None
        if not isinstance(value, dict):
            src = value if isinstance(value, str) and "/" in value else f"images/{value or 'picture.jpg'}"
            fix = f"image:\n  src: {src}\n  alt: What the picture shows"
            self.note(["image"], "E106", "image needs its parts on lines of their own", fix)
            return None
        known = ("src", "alt", "caption", "link")
        for key in value:
            if key not in known:
                near = _nearest(key, known)
                hint = f'; did you mean "{near}"?' if near else ""
                self.note(["image", key], "E105", f'an image has no "{key}"{hint}', f"{near or 'alt'}: ...", key=True)
        parts = {key: self._part(key, value.get(key)) for key in known}
        if not parts["src"]:
            self.note(["image"], "E210", "the image has no file", "src: images/picture.jpg")
            return None
        if "alt" not in value or value["alt"] is None:
            message = "the image says nothing to those who cannot see it"
            self.note(["image"], "E210", message, "alt: What the picture shows   (alt: '' when it is only decoration)")
        return HeroField(parts["src"], parts["alt"], parts["caption"], parts["link"])

    def _part(self, key: str, value: object) -> str:
        if value is None or isinstance(value, str):
            return " ".join((value or "").split())
        self.note(["image", key], "E106", f"{key} must be words on one line", f"{key}: The words")
        return ""

    def ignored(self) -> tuple[Ignored, ...]:
        """Checks to be silent about, each with its reason."""
        value = self.values.get("ignore")
        fix = "ignore:\n  - code: W304\n    why: The reason, for whoever reads this later"
        if value is None:
            return ()
        if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
            self.note(["ignore"], "E106", "ignore must be a list, each with a code and a why", fix)
            return ()
        for number, item in enumerate(value):
            code = str(item.get("code") or "")
            if not re.fullmatch(r"W\d{3}", code):
                message = "only a warning can be silenced, by its code (W and three digits)"
                self.note(["ignore", number], "E106", message, fix)
            elif not item.get("why"):
                self.note(["ignore", number], "E106", f"{code} is silenced without a reason", fix)
        return tuple(
            Ignored(str(item["code"]), " ".join(str(item["why"]).split()))
            for item in value
            if item.get("code") and item.get("why")
        )

    def ready(self, front: Front) -> None:
        """What only a finished issue needs."""
        if not front.draft and front.date is None and "date" not in self.values:
            named = re.search(r"(?:^|/)(\d{4}-\d\d-\d\d)[^/]*$", self.document.file)
            message = f"the date in the file's name, {named[1]}, is no day that can be meant" if named else _UNDATED
            self.note(["draft"], "E107", message, "date: 2026-12-01")
        if not front.slug:
            self.note([], "E106", "the file's name has no words to make an address of", "slug: the-words")


_UNDATED = "an issue that is no draft needs a date"


def _nearest(word: str, known: Mapping[str, object] | Sequence[str]) -> str:
    return next(iter(difflib.get_close_matches(word, list(known), 1, 0.5)), "")


def document_of(text: str, file: str) -> tuple[Document, tuple[Problem, ...]]:
    """The front matter of a whole issue file as a document, for those who need only its places."""
    halves, problems = split(text, file)
    if halves is None:
        return document.read("", file)
    found, more = document.read(halves.front, file, halves.front_line)
    return found, (*problems, *more)
