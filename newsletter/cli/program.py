"""The program: its global options, its commands, and what happens when one fails."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from newsletter import __version__
from newsletter.cli import documents, exits, terminal
from newsletter.cli.here import Here
from newsletter.errors import ContentError, NewsletterError

app = typer.Typer(
    name="newsletter",
    help="A newsletter you own: issue files become mail, every reader exactly once, without trackers.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@dataclass
class _Asked:
    """What was asked of the program; the command is known once its name was read."""

    environ: Mapping[str, str]
    command: str = ""


def _version(asked: bool) -> None:
    if asked:
        typer.echo(f"newsletter {__version__}")
        raise typer.Exit


@app.callback()
def _program(
    context: typer.Context,
    folder: Annotated[Path, typer.Option("-C", metavar="DIR", help="The publication's folder.")] = Path(),
    _v: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")] = False,
) -> None:
    asked: _Asked = context.obj
    asked.command = context.invoked_subcommand or ""
    context.obj = Here(folder.resolve(), asked.environ)


def _commands() -> None:
    from newsletter.cli import (
        audience,
        content,
        database,
        demo,
        doctor,
        embedding,
        hearing,
        importing,
        keys,
        ledger,
        proving,
        reviewing,
        sending,
        serving,
        starting,
        writing,
    )

    for module in (
        starting,
        content,
        writing,
        importing,
        sending,
        reviewing,
        ledger,
        audience,
        hearing,
        proving,
        serving,
        embedding,
        database,
        keys,
        doctor,
        demo,
    ):
        module.register(app)


def main() -> None:
    """Run the command line and leave with the exit code of what happened."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a terminal that cannot show a letter is no reason to stop
    code = exits.DONE
    try:
        code = run(sys.argv[1:], os.environ)
        sys.stdout.flush()
    except BrokenPipeError:
        _nobody_reads()
    sys.exit(code)


def run(arguments: Sequence[str], environ: Mapping[str, str]) -> int:
    """Run one command in an environment; returns its exit code.

    Errors are said on stderr, in words; with `--json` they are a document on stdout too.
    """
    asked = _Asked(environ)
    known: Mapping[str, object] = {}
    try:
        result = app(list(arguments), obj=asked, standalone_mode=False)
        return result if isinstance(result, int) else exits.DONE
    except NewsletterError as problem:
        if isinstance(problem, ContentError):
            terminal.problems(problem.problems, file=sys.stderr)
        terminal.complain(problem)
        code, what, fix, known = exits.code(problem), problem.what, problem.todo, problem.known
    except typer.TyperException as problem:
        code, what, fix = exits.USAGE, problem.format_message(), "See: newsletter --help"
        sys.stderr.write(f"error: {what}\n  {fix}\n")
    except (KeyboardInterrupt, typer.Abort):
        code, what, fix = exits.LEFT, "stopped", "Run it again."
        sys.stderr.write("stopped\n")
    except SystemExit:  # Typer's word for a pipe nobody reads any more
        _nobody_reads()
        return exits.DONE
    except OSError as problem:
        where = f": {problem.filename}" if problem.filename else ""
        code, what, fix = (
            exits.PROBLEMS,
            f"{problem.strerror or problem}{where}",
            "Check that the place is there and may be used.",
        )
        sys.stderr.write(f"error: {what}\n  {fix}\n")
    if "--json" in arguments:
        terminal.document(documents.failed(asked.command, known, what, fix, code))
    return code


def _nobody_reads() -> None:
    """The reader of our output has gone (`| head`): the rest of it goes nowhere, and that is no error."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in (1, 2):
        os.dup2(nowhere, stream)


_commands()
