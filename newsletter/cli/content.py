"""`check` and `render`: what an issue is, before anybody gets it."""

from __future__ import annotations

import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from newsletter.cli import exits, terminal
from newsletter.cli.here import Here
from newsletter.core.problem import Level, Problem

if TYPE_CHECKING:
    from newsletter.flows.checkup import Checkup


class Format(StrEnum):
    """How findings are printed."""

    TEXT = "text"
    JSON = "json"
    GITHUB = "github"
    SARIF = "sarif"
    MARKDOWN = "markdown"


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(check)
    app.command()(render)


def check(
    context: typer.Context,
    issues: Annotated[
        list[str] | None, typer.Argument(metavar="[ISSUE]...", help="Paths or slugs; all when none.")
    ] = None,
    fix: Annotated[bool, typer.Option("--fix", help="Make the changes that are certain, and say which.")] = False,
    offline: Annotated[bool, typer.Option("--offline", help="Do not look at what links lead to.")] = False,
    format_: Annotated[Format, typer.Option("--format", help="How to print what is found.")] = Format.TEXT,
) -> int:
    """Check issues; exit 1 on errors."""
    from datetime import UTC, datetime

    from newsletter.flows.checkup import checkup
    from newsletter.flows.fetch import Web

    here: Here = context.obj
    settings = here.settings()
    done = checkup(
        issues or [],
        settings.publication(),
        here.root,
        base_url=settings.base_url.rstrip("/"),
        now=datetime.now(UTC),
        web=None if offline else Web(),
        fix=fix,
    )
    found = terminal.in_order(done.problems)
    _mended(done, format_)
    _print(found, _summary(done), format_, here)
    return exits.PROBLEMS if any(one.level is Level.ERROR for one in found) else exits.DONE


def _mended(done: Checkup, format_: Format) -> None:
    """What was changed, line by line; beside the document when a document is printed."""
    for one in done.mended:
        fix = one.problem.auto
        place = f"{one.problem.file}:{fix.first}" if fix else one.problem.file
        lines = [f"{place}: mended {one.problem.code}"]
        lines += [f"  - {line}" for line in one.before.split("\n")]
        lines += [f"  + {line}" for line in one.after.split("\n")]
        for line in lines:
            if format_ is Format.TEXT:
                terminal.say(line)
            else:
                sys.stderr.write(line + "\n")


def _summary(done: Checkup) -> str:
    """One sentence: what there is to do, and until when."""
    errors = sum(one.level is Level.ERROR for one in done.problems)
    warnings = sum(one.level is Level.WARNING for one in done.problems)
    issues = terminal.counted(done.count, "issue")
    if not errors:
        return f"{issues} checked: nothing to fix, {terminal.counted(warnings, 'warning')}."
    day = done.issues[0].date if done.count == 1 and done.issues else None
    until = f" before {day:%A} {day.day} {day:%B}" if day else f" in {issues}"
    return f"{terminal.counted(errors, 'thing')} to fix{until}, {terminal.counted(warnings, 'warning')}."


def _print(found: list[Problem], summary: str, format_: Format, here: Here) -> None:
    from newsletter.cli import findings

    if format_ is Format.JSON:
        terminal.document([findings.plain(one) for one in found])
    elif format_ is Format.SARIF:
        from newsletter.content.checks.codes import TITLES

        terminal.document(findings.sarif(found, TITLES))
    elif format_ is Format.MARKDOWN:
        terminal.say(findings.markdown(found, summary))
    elif format_ is Format.GITHUB:
        for one in found:
            terminal.say(findings.annotation(one))
        if path := here.environ.get("GITHUB_STEP_SUMMARY"):
            findings.summarise(path, findings.markdown(found, summary))
    else:
        terminal.problems(found)
        terminal.say(summary)


def render(
    context: typer.Context,
    issue: Annotated[str, typer.Argument(metavar="ISSUE", help="A path or a slug.")],
    out: Annotated[Path, typer.Option("-o", "--out", metavar="DIR", help="Where the files go.")],
    as_: Annotated[str, typer.Option("--as", metavar="SEGMENT", help="As this segment gets it.")] = "all",
    shots: Annotated[
        Path | None, typer.Option("--screenshots", metavar="DIR", help="Draw it with Chromium, as PNG files.")
    ] = None,
) -> None:
    """Write the files of an issue.

    email.html, email.txt, message.eml (as one sample reader gets it) and archive.html.
    """
    here: Here = context.obj
    from datetime import UTC, datetime

    from newsletter.flows.sample import sample

    chromium = _chromium() if shots else ""
    settings = here.settings()
    files = sample(
        issue,
        settings.publication(),
        root=here.root,
        base_url=settings.base_url.rstrip("/"),
        segment=as_,
        now=datetime.now(UTC),
    )
    out.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (out / name).parent.mkdir(exist_ok=True)
        (out / name).write_bytes(content)
        terminal.say(f"{out / name}  {len(content):,} bytes")
    if shots:
        _draw(files["email.html"].decode(), shots, here, chromium)


def _chromium() -> str:
    """Asked for before anything is written, so that its absence leaves nothing half done."""
    from newsletter.flows import screenshots

    return screenshots.find()


def _draw(html: str, folder: Path, here: Here, chromium: str) -> None:
    from newsletter.flows import screenshots

    for path in screenshots.take(html, folder, root=here.root, chromium=chromium):
        terminal.say(f"{path}  {path.stat().st_size:,} bytes")
