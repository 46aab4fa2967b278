"""`check` and `render`: what an issue is, before anybody gets it."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from newsletter.cli import exits, terminal
from newsletter.cli.here import Here
from newsletter.core.problem import Level, Problem

if TYPE_CHECKING:
    from newsletter.settings import Settings


class Format(StrEnum):
    """How findings are printed."""

    TEXT = "text"
    JSON = "json"
    GITHUB = "github"


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(check)
    app.command()(render)


def check(
    context: typer.Context,
    issues: Annotated[
        list[str] | None, typer.Argument(metavar="[ISSUE]...", help="Paths or slugs; all when none.")
    ] = None,
    format_: Annotated[Format, typer.Option("--format", help="How to print what is found.")] = Format.TEXT,
) -> int:
    """Check issues; exit 1 on errors."""
    here: Here = context.obj
    settings = here.settings()
    names = issues or _all(here)
    found: list[Problem] = []
    for name in names:
        found += _check(name, here, settings)
    _print(terminal.in_order(found), len(names), format_)
    return exits.PROBLEMS if any(one.level is Level.ERROR for one in found) else exits.DONE


def _all(here: Here) -> list[str]:
    from newsletter.content import library

    return [str(path) for path in library.issues(here.root)]


def _check(name: str, here: Here, settings: Settings) -> tuple[Problem, ...]:
    from newsletter.content import check as check_
    from newsletter.content import library
    from newsletter.content.render import render
    from newsletter.core.problem import errors
    from newsletter.errors import ContentError

    publication = settings.publication()
    path = library.find(name, here.root)
    try:
        issue = library.load(path, publication, here.root)
    except ContentError as problem:
        return problem.problems
    found = check_.check(issue, publication, here.root)
    if errors(found):
        return found
    email = render(issue, publication, root=here.root, base_url=settings.base_url.rstrip("/"))
    return check_.check(issue, publication, here.root, email=email)


def _print(found: list[Problem], count: int, format_: Format) -> None:
    if format_ is Format.JSON:
        terminal.document([_plain(one) for one in found])
        return
    if format_ is Format.GITHUB:
        for one in found:
            terminal.say(_annotation(one))
        return
    terminal.problems(found)
    errors = sum(one.level is Level.ERROR for one in found)
    warnings = sum(one.level is Level.WARNING for one in found)
    issues = terminal.counted(count, "issue")
    if errors:
        terminal.say(
            f"{terminal.counted(errors, 'thing')} to fix in {issues}, {terminal.counted(warnings, 'warning')}."
        )
    else:
        terminal.say(f"{issues} checked: nothing to fix, {terminal.counted(warnings, 'warning')}.")


def _plain(one: Problem) -> dict[str, object]:
    names = ("file", "line", "col", "code", "level", "message", "fix", "source")
    return {name: getattr(one, name) for name in names}


_COMMANDS = {Level.ERROR: "error", Level.WARNING: "warning", Level.NOTE: "notice"}


def _annotation(one: Problem) -> str:
    """A GitHub workflow command; `%`, CR and LF are escaped, in properties `:` and `,` too."""
    place = f"file={_property(one.file)},line={max(1, one.line)},col={max(1, one.col)},title={one.code}"
    said = f"{one.message} {one.fix}".strip().replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")
    return f"::{_COMMANDS[one.level]} {place}::{said}"


def _property(text: str) -> str:
    for raw, escaped in (("%", "%25"), ("\r", "%0D"), ("\n", "%0A"), (":", "%3A"), (",", "%2C")):
        text = text.replace(raw, escaped)
    return text


def render(
    context: typer.Context,
    issue: Annotated[str, typer.Argument(metavar="ISSUE", help="A path or a slug.")],
    out: Annotated[Path, typer.Option("-o", "--out", metavar="DIR", help="Where the files go.")],
    as_: Annotated[str, typer.Option("--as", metavar="SEGMENT", help="As this segment gets it.")] = "all",
) -> None:
    """Write the files of an issue.

    email.html, email.txt, message.eml (as one sample reader gets it) and archive.html.
    """
    here: Here = context.obj
    from newsletter.flows.sample import sample

    settings = here.settings()
    files = sample(issue, settings.publication(), root=here.root, base_url=settings.base_url.rstrip("/"), segment=as_)
    out.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (out / name).write_bytes(content)
        terminal.say(f"{out / name}  {len(content):,} bytes")
