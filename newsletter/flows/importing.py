"""Bring texts from elsewhere into a publication, and judge again what was pasted into an issue.

In: files, the publication and its root, the day. Out: what became of each. Writes issue files, pictures
and, when asked, contact facts in newsletter.yml. Nothing that exists is ever written over; one file that
cannot be taken does not stop the others.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import json
import os
import re
import stat
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import unquote

from newsletter.content import document, frontmatter, library
from newsletter.content.check import has_postal_code
from newsletter.content.importers import contact as contacts
from newsletter.content.importers import letter as letters
from newsletter.content.importers.letter import Letter
from newsletter.content.importers.report import Contact, Guess
from newsletter.content.slips import quoted
from newsletter.core import rhythm
from newsletter.core.publication import Publication
from newsletter.errors import ContentError, NewsletterError, NotFound, SettingsError

SETTINGS = "newsletter.yml"
ISSUES = library.FOLDER


@dataclass(frozen=True)
class Brought:
    """What became of one file: a letter and where it lies, or why it could not be taken."""

    source: Path
    letter: Letter | None = None
    written: Path | None = None
    trouble: NewsletterError | None = None


def next_day(publication: Publication, today: dt.date) -> dt.date:
    """The day of the next letter: the first of `rhythm` after today, tomorrow without one."""
    expected = rhythm.parse(publication.rhythm)
    return rhythm.next_day(expected, today) if expected else today + dt.timedelta(days=1)


def bring(
    files: Sequence[Path],
    publication: Publication,
    root: Path,
    *,
    date: dt.date,
    out: Path | None = None,
    keep_names: bool = False,
    lang: str = "",
    write: bool = True,
) -> Iterator[Brought]:
    """Import files, one after the other.

    In: the files; the publication and its root; the day the issues are for; the folder they go to (`issues/`
    when none is given); whether they keep the names of their files; the language, when it is known; whether
    anything is written at all. Out: a `Brought` for each, in order.
    """
    for file in files:
        try:
            made = _made(file, publication, date, lang, pictures=_plainly(file) if keep_names else "")
            place = _place(made, file, root, out, keep_names=keep_names) if write else None
            if place is not None:
                _pictures(made, out if out is not None else root)
                create(place, made.text.encode())
            brought = Brought(file, made, place)
            if place is not None and keep_names:
                create(_beside_it(place), (json.dumps(report(brought), ensure_ascii=False, indent=2) + "\n").encode())
        except NewsletterError as trouble:
            yield Brought(file, trouble=trouble)
        else:
            yield brought


def _plainly(file: Path) -> str:
    """The name of a file as its pictures get it."""
    return frontmatter.slug_of(file.stem)[:60].strip("-") or "picture"


def _beside_it(place: Path) -> Path:
    return place.with_name(f"{place.stem}.import.json")


def _made(file: Path, publication: Publication, date: dt.date, lang: str, *, pictures: str) -> Letter:
    try:
        raw = _bytes(file)
    except FileNotFoundError:
        raise NotFound("There is no such file.", "Look at the spelling.") from None
    except IsADirectoryError:
        raise NewsletterError("This is a folder.", "Name the files in it.") from None
    except OSError as trouble:
        raise NewsletterError(f"This file cannot be read ({trouble.strerror}).", "Look at its permissions.") from None
    beside = _beside(file.parent)
    try:
        return letters.letter(file.name, raw, publication, date=date, lang=lang, beside=beside, pictures=pictures)
    except NewsletterError:
        raise
    except Exception as trouble:  # a document nobody thought of must not stop the others
        raise NewsletterError(
            f"This file cannot be read: the importer failed ({type(trouble).__name__}).",
            "Save it as plain text and import that, and tell us about it.",
        ) from trouble


def _bytes(file: Path) -> bytes:
    """What is in a file. Raises: OSError, and NewsletterError for what is none, or too big for a letter."""
    about = file.stat()
    if not stat.S_ISREG(about.st_mode) and not stat.S_ISDIR(about.st_mode):
        raise NewsletterError("This is no file with text in it.", "Name a file.")
    if about.st_size > letters.MOST:
        raise NewsletterError("This file is too big for a letter.", "Import the text alone.")
    return file.read_bytes()


class _beside:  # noqa: N801  it is called like a function
    """Reads a picture that lies beside a file or below its folder, and nothing else."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder.resolve()

    def __call__(self, name: str) -> bytes | None:
        try:
            path = (self.folder / unquote(name)).resolve()
            if path.is_relative_to(self.folder) and path.is_file() and path.stat().st_size <= letters.MOST:
                return path.read_bytes()
        except (OSError, ValueError):
            pass
        return None


def _place(made: Letter, file: Path, root: Path, out: Path | None, *, keep_names: bool) -> Path:
    folder = out if out is not None else root / ISSUES
    name = f"{file.stem}.md" if keep_names else f"{made.date.isoformat()}-{made.slug}.md"
    place = folder / name
    other = "give another folder with -o" if keep_names else "give another --date or -o"
    for one in [place, _beside_it(place)] if keep_names else [place]:
        if one.exists():
            raise NewsletterError(
                f"{one.name} is there already, and nothing is written over.", f"Move it away, or {other}."
            )
    return place


def create(path: Path, content: bytes) -> None:
    """Write a new file, whole or not at all. Raises: NewsletterError when there is one already, or no room."""
    folder = path.parent
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as trouble:
        what = "it is no folder" if isinstance(trouble, FileExistsError | NotADirectoryError) else trouble.strerror
        raise NewsletterError(
            f"{path.name} cannot be written into {folder} ({what}).", "Name another folder with -o."
        ) from None
    try:
        with _beginning(path, content) as made:
            os.link(made, path)  # fails where a file is, unlike a rename
    except FileExistsError:
        raise NewsletterError(
            f"{path.name} is there already, and nothing is written over.", "Move it away first."
        ) from None
    except OSError as trouble:
        raise NewsletterError(f"{path.name} cannot be written ({trouble.strerror}).", "Look at the folder.") from None


def exchange(path: Path, content: bytes) -> None:
    """Write a file anew, whole or not at all, its permissions kept. A link stays a link."""
    real = path.resolve()
    mode = real.stat().st_mode
    try:
        with _beginning(real, content) as made:
            made.chmod(mode)
            made.replace(real)
    except OSError as trouble:
        raise NewsletterError(f"{path.name} cannot be written ({trouble.strerror}).", "Look at the folder.") from None


@contextlib.contextmanager
def _beginning(path: Path, content: bytes) -> Iterator[Path]:
    """A finished file beside the place it is for; gone afterwards unless it was moved."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=".", suffix=".part")
    made = Path(name)
    try:
        with os.fdopen(handle, "wb") as opened:
            opened.write(content)
            opened.flush()
            os.fsync(opened.fileno())
        made.chmod(0o666 & ~_umask())
        yield made
    finally:
        made.unlink(missing_ok=True)


def _umask() -> int:
    current = os.umask(0o022)
    os.umask(current)
    return current


def _pictures(made: Letter, root: Path) -> None:
    for file in made.files:
        path = root / file.name
        if not path.exists() or path.read_bytes() != file.content:
            create(path, file.content)


# --- what is reported -------------------------------------------------------------------------------------


def report(brought: Brought) -> dict[str, object]:
    """The decisions and contact facts of one file, for programs. Promise: no fact is lost that was taken out."""
    made = brought.letter
    if made is None:
        return {"file": brought.source.name, "guesses": [], "contact": {}, "warnings": []}
    found = made.contact
    return {
        "file": brought.source.name,
        "subject": made.subject,
        "date": made.date.isoformat(),
        "guesses": [
            {
                "line": guess.line or None,
                "written": guess.written or None,
                "what": guess.what,
                "words": guess.words,
                "undo": guess.undo,
            }
            for guess in made.guesses
        ],
        "contact": {**found.facts, "lines": list(found.lines)},
        "warnings": list(warnings(found)),
    }


def warnings(found: Contact) -> Iterator[str]:
    """What is missing in the facts, and is not ours to invent."""
    if found.address and not has_postal_code(found.address):
        yield (
            "The postal address has no ZIP or postal code. The law wants it complete: "
            "add it in newsletter.yml, footer, address."
        )


# --- contact facts into newsletter.yml --------------------------------------------------------------------


@dataclass(frozen=True)
class Proposal:
    """What newsletter.yml could learn: `facts` are new; `differing` stand there otherwise, and are left."""

    facts: dict[str, str]
    differing: dict[str, str]
    text: str  # newsletter.yml with the new facts

    @property
    def empty(self) -> bool:
        """Whether there is nothing to write."""
        return not self.facts


def propose(found: Sequence[Contact], root: Path) -> Proposal:
    """What the footers that were found add to newsletter.yml; all its other bytes are kept.

    Raises: SettingsError when there is no newsletter.yml, or it cannot be read.
    """
    path = root / SETTINGS
    try:
        text = path.read_bytes().decode()
    except (OSError, UnicodeDecodeError):
        raise SettingsError(
            f"There is no {SETTINGS} here that could be written to.", "Make one with: newsletter init ."
        ) from None
    try:
        read = document.parse(text, SETTINGS)
    except ContentError as trouble:
        raise SettingsError(f"{SETTINGS} cannot be read: {trouble.problems[0]}", "Mend it first.") from None
    facts: dict[str, str] = {}
    for one in found:
        for key, value in replace(one, website=contacts.website(one)).facts.items():
            facts.setdefault(key, value)
    said = read.plain().get("footer")
    there = {key: str(value) for key, value in said.items() if value} if isinstance(said, dict) else {}
    new = {key: value for key, value in facts.items() if not there.get(key)}
    differing = {key: value for key, value in facts.items() if there.get(key) and _plain(there[key]) != _plain(value)}
    return Proposal(new, differing, _with_facts(text, read, new))


def _plain(text: str) -> str:
    return re.sub(r"\W+", "", re.sub(r"^https?://(?:www\.)?", "", text.lower()))


def _with_facts(text: str, read: document.Document, facts: dict[str, str]) -> str:
    """newsletter.yml with lines under `footer:`. Raises: SettingsError when its form leaves no place for them."""
    if not facts:
        return text
    end = "\r\n" if "\r\n" in text else "\n"
    lines = text.split(end)
    footer = read.root.nodes.get("footer")
    written = [f"  {key}: {_scalar(value)}" for key, value in facts.items()]
    if footer is None:
        while lines and not lines[-1].strip():
            lines.pop()
        lines += ["", "footer:", *written, ""]
    else:
        row = read.root.keys["footer"][0] - 1
        if not re.fullmatch(r"footer:\s*(?:#.*)?", lines[row]):
            raise SettingsError(
                f"The footer in {SETTINGS} is written on one line, so nothing was added.",
                "Write it on lines of its own.",
            )
        keys = footer.keys if isinstance(footer, document.Entries) else {}
        step = " " * (min((col for _, col in keys.values()), default=3) - 1)
        lines[row + 1 : row + 1] = [f"{step}{line.strip()}" for line in written]
        for key in facts:  # an empty `address:` further down would be the second of its name
            if key in keys:
                at = keys[key][0] - 1 + len(written)
                del lines[at]
    made = end.join(lines)
    try:
        again = document.parse(made, SETTINGS).plain().get("footer")
    except ContentError:
        again = None
    if not isinstance(again, dict) or any(again.get(key) != value for key, value in facts.items()):
        raise SettingsError(f"The facts could not be added to {SETTINGS}.", "Write them under footer: by hand.")
    return made


def _scalar(value: str) -> str:
    plain = re.fullmatch(r"[A-Za-z0-9](?:(?!: | #)[^\n])*", value) and not value.endswith(":")
    return value if plain else quoted(value)


# --- tidy -------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Tidied:
    """An issue before and after."""

    path: Path
    before: str
    after: str
    guesses: tuple[Guess, ...]


def tidy(name: str, publication: Publication, root: Path) -> Tidied:
    """Judge an issue's text as an import is judged; the lines at its top stay as they are. Writes nothing.

    Raises: NotFound; ContentError when the file has no front matter to keep.
    """
    path = library.find(name, root)
    try:
        before = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError:
        raise NewsletterError(f"{path.name} is not saved as UTF-8 text.", "Save it again, as UTF-8.") from None
    text = before.replace("\r\n", "\n").replace("\r", "\n")
    halves, problems = frontmatter.split(text, path.name)
    if halves is None:
        raise ContentError(problems)
    lines = text.split("\n")
    head = "\n".join(lines[: halves.body_line - 1])
    body, guesses = letters.tidied(halves.body, publication, halves.body_line)
    return Tidied(path, before, before if body == halves.body else f"{head}\n{body}", guesses)
