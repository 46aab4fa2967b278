"""Names an issue uses, and the files behind them: its own, audience, magnet, author, theme (E106, E112 and more)."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

from newsletter.content import blocks, library, templates
from newsletter.content import theme as looks
from newsletter.content.checks.case import SETTINGS, Case
from newsletter.content.phrases import find_picture
from newsletter.core.problem import Level, Problem
from newsletter.errors import SettingsError


def slug(case: Case) -> Iterator[Problem]:
    """A name of its own (E112): a letter is sent once by its name, and its page in the archive has that address."""
    for path in library.issues(case.root):
        if path.name == case.issue.path.name or not path.is_file():
            continue
        if _slug(path, path.stat().st_mtime_ns) == case.issue.slug:
            message = f'{library.FOLDER}/{path.name} is called "{case.issue.slug}" too, and only one of them would go'
            yield case.about("slug", "E112", message, f"slug: {case.issue.slug}-2", Level.ERROR)
            return


@lru_cache(maxsize=1024)
def _slug(path: Path, _changed: int) -> str:
    return library.slug(path)


def audience(case: Case) -> Iterator[Problem]:
    """Segments and topics that exist; somebody to write to."""
    if case.head.plain().get("audience") == []:
        message = "the audience is empty, so nobody would get this"
        yield case.about("audience", "E302", message, "audience: [all]", Level.ERROR)
    known = ("all", "letter", *case.publication.topics, *case.publication.segments)
    for number, name in enumerate(case.issue.audience):
        if name not in known:
            near = next(iter(difflib.get_close_matches(name, known, 1, 0.5)), "all")
            message = f'there is no audience "{name}"; did you mean "{near}"?'
            yield case.head.problem(["audience", number], "E106", message, f"audience: [{near}]")


def magnet(case: Case) -> Iterator[Problem]:
    """A free resource that exists."""
    key, known = case.issue.magnet, list(case.publication.magnets)
    if key and key not in known:
        near = next(iter(difflib.get_close_matches(key, known, 1, 0.5)), known[0] if known else "")
        message = f'there is no magnet "{key}" in {SETTINGS}'
        fix = f"magnet: {near}" if near else f"Add it under magnets: in {SETTINGS}, or delete this line."
        yield case.about("magnet", "E250", message, fix, Level.ERROR)


def files(case: Case) -> Iterator[Problem]:
    """What a magnet gives away is there (E250): else the card would promise what nobody can have."""
    for key, line, file in _named(case, "magnet"):
        magnet = case.publication.magnets.get(key)
        for path in magnet.files if magnet and not magnet.url else ():
            if not (case.root / path).is_file():
                message = f'the magnet "{key}" gives away {path}, and there is no such file'
                fix = f"Put the file there, or correct its path in {SETTINGS} (magnets: {key}: files:)."
                yield _about(case, "magnet", key, line, file, "E250", message, fix)


def portrait(case: Case) -> Iterator[Problem]:
    """An author's picture is there, and our own (E210, E211): else the box would come without it, unnoticed."""
    for key, line, file in _named(case, "author"):
        author = case.publication.authors.get(key)
        if author is None or not author.image:
            continue
        picture, trouble = find_picture(author.image, "", case.root)
        if picture.asset is None:
            code = "E210" if trouble else "E211"
            what, todo = trouble or (
                "it comes from another site, which would learn who reads this.",
                "Save it in images/.",
            )
            fix = f"{todo} ({SETTINGS}, authors: {key}: image:)"
            yield _about(case, "author", key, line, file, code, f"the picture of {author.name}: {what}", fix)


def _named(case: Case, what: str) -> Iterator[tuple[str, int, str]]:
    """Keys an issue uses, in front matter (line 0) and in boxes, with their places."""
    kind = blocks.MagnetCard if what == "magnet" else blocks.AuthorCard
    front = (case.issue.magnet,) if what == "magnet" else case.issue.author
    yield from ((key, 0, "") for key in front if key)
    yield from ((block.key, block.line, file) for block, file in case.blocks if isinstance(block, kind))


def _about(case: Case, name: str, key: str, line: int, file: str, code: str, message: str, fix: str) -> Problem:
    if not line:
        return case.about(name, code, message, fix, Level.ERROR)
    number, col = case.find(key, line, file)
    return case.at(number, code, message, fix, Level.ERROR, col=col, file=file)


def theme(case: Case) -> Iterator[Problem]:
    """A theme that exists and can be read."""
    name = case.issue.theme
    if not name:
        return
    try:
        looks.load(name, case.root)
    except SettingsError as trouble:
        known = sorted({path.stem for folder in templates.folders(case.root) for path in folder.glob("themes/*.toml")})
        if name in known:
            yield case.about("theme", "E250", trouble.what, trouble.todo or "Correct the theme.", Level.ERROR)
            return
        near = next(iter(difflib.get_close_matches(name, known, 1, 0.5)), "")
        fix = (
            f"theme: {near}"
            if near
            else f"There are: {', '.join(known)}. Without the line, the publication's own is taken."
        )
        yield case.about("theme", "E250", f'there is no theme "{name}"', fix, Level.ERROR)
