"""The program: its global options, its commands, and what happens when one fails."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated

import typer

from newsletter import __version__
from newsletter.cli import exits, terminal
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
    context.obj = Here(folder.resolve(), context.obj)


def _commands() -> None:
    from newsletter.cli import audience, content, database, demo, importing, sending, serving, writing

    for module in (content, writing, importing, sending, audience, serving, database, demo):
        module.register(app)


def main() -> None:
    """Run the command line and leave with the exit code of what happened."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a terminal that cannot show a letter is no reason to stop
    sys.exit(run(sys.argv[1:], os.environ))


def run(arguments: Sequence[str], environ: Mapping[str, str]) -> int:
    """Run one command in an environment; returns its exit code. Errors are said on stderr, in words."""
    try:
        result = app(list(arguments), obj=environ, standalone_mode=False)
    except NewsletterError as problem:
        if isinstance(problem, ContentError):
            terminal.problems(problem.problems, file=sys.stderr)
        terminal.complain(problem)
        return exits.code(problem)
    except typer.TyperException as problem:
        sys.stderr.write(f"error: {problem.format_message()}\n  See: newsletter --help\n")
        return exits.USAGE
    except (KeyboardInterrupt, typer.Abort):
        sys.stderr.write("stopped\n")
        return exits.LEFT
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # the reader of our output has gone
        return exits.DONE
    except OSError as problem:
        where = f": {problem.filename}" if problem.filename else ""
        sys.stderr.write(
            f"error: {problem.strerror or problem}{where}\n  Check that the place is there and may be used.\n"
        )
        return exits.PROBLEMS
    return result if isinstance(result, int) else exits.DONE


_commands()
