# ruff: noqa: INP001 -- a script beside what it writes
"""The pages of reference, made from the program itself and the sentences of words.toml.

python docs/reference/make.py     writes them anew; a test holds the pages and the program together
"""

from __future__ import annotations

import dataclasses
import inspect
import tempfile
import tomllib
from collections.abc import Iterator, Mapping
from datetime import timedelta
from enum import StrEnum
from pathlib import Path
from typing import Any, Literal, get_args, get_origin, get_type_hints

import typer
from pydantic import BaseModel, SecretStr
from pydantic_core import PydanticUndefined

from newsletter import errors
from newsletter.app import open_app
from newsletter.cli import exits
from newsletter.cli.program import app as program
from newsletter.content.checks.codes import TITLES
from newsletter.core.publication import Publication
from newsletter.settings import PREFIX, SECRETS, Settings
from newsletter.web import errors as answers
from newsletter.web.site import site

HERE = Path(__file__).parent
_NOTE = "<!-- Made by docs/reference/make.py. Change the program, or words.toml beside it. -->"
_HEADS = ("GET", "POST", "PATCH", "PUT", "DELETE")


def words() -> Mapping[str, Mapping[str, str]]:
    """The sentences, by table and name."""
    return tomllib.loads((HERE / "words.toml").read_text("utf-8"))


# --- settings ---------------------------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True)
class Setting:
    """One setting: its dotted name, what may be said, and what holds when nothing is."""

    name: str
    kind: Any
    default: Any

    @property
    def variable(self) -> str:
        """Its name in the environment; empty for what is only in newsletter.yml."""
        return "" if "*" in self.name else PREFIX + self.name.upper().replace(".", "__")


def settings() -> list[Setting]:
    """All of them, in the order of the code."""
    return [one for name, field in Settings.model_fields.items() for one in _settings(name, field.annotation, field)]


def _settings(name: str, kind: Any, field: Any) -> Iterator[Setting]:
    default = field.get_default(call_default_factory=True) if hasattr(field, "get_default") else _default(field)
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        for inner, part in kind.model_fields.items():
            yield from _settings(f"{name}.{inner}", part.annotation, part)
    elif dataclasses.is_dataclass(kind):
        hints = get_type_hints(kind)
        for part in dataclasses.fields(kind):
            yield from _settings(f"{name}.{part.name}", hints[part.name], part)
    else:
        yield Setting(name, kind, default)
        values = get_args(kind)
        if get_origin(kind) and len(values) == 2 and dataclasses.is_dataclass(values[1]):  # noqa: PLR2004 -- a mapping
            yield from _settings(f"{name}.*", values[1], field)


def _default(field: Any) -> Any:
    if field.default_factory is not dataclasses.MISSING:
        return field.default_factory()
    return None if field.default is dataclasses.MISSING else field.default


def _shown(setting: Setting) -> str:
    """The default in words."""
    value = setting.default
    if setting.name == "database_url":
        return "`sqlite:///var/newsletter.db`"
    if isinstance(value, SecretStr) or value in (None, "", (), {}, PydanticUndefined):
        return ""
    return f"`{_plain(value)}`"


def _plain(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, timedelta):
        minutes = int(value.total_seconds()) // 60
        return f"{minutes} min" if minutes % 60 else f"{minutes // 60}h"
    if isinstance(value, tuple | Mapping):
        return ", ".join(map(str, value))
    return str(value)


def settings_page() -> str:
    """Every setting, where it may stand, and what holds when it is left out."""
    said = words()["settings"]
    own = {field.name for field in dataclasses.fields(Publication)}
    found = settings()
    ours = [one for one in found if one.name.split(".")[0] in own]
    others = [one for one in found if one.name.split(".")[0] not in own]
    return _page(
        "Settings",
        "The environment wins over `.env`, and `.env` over `newsletter.yml`. A dot in a name is a key inside another\n"
        "there (`send: {threads: 4}`) and two underscores in a variable (`NEWSLETTER_SEND__THREADS=4`). Secrets are\n"
        "variables alone. A name that is not here is an error. What most need: [the owner's guide](../owner.md).",
        "## The publication\n\n" + _rows(ours, said, variables=False),
        "Each of them may be a variable too.",
        "## This machine, the provider, the limits\n\n" + _rows(others, said, variables=True),
    )


def _rows(found: list[Setting], said: Mapping[str, str], *, variables: bool) -> str:
    head = "| name | what it is | when left out |"
    rows = [
        f"| {_named(one, variables=variables)} | {said[one.name]}{_choices(one)} | {_shown(one)} |" for one in found
    ]
    return "\n".join([head, "|---|---|---|", *rows])


def _named(setting: Setting, *, variables: bool) -> str:
    if not variables:
        return f"`{setting.name}`"
    secret = setting.name in SECRETS
    return f"`{setting.variable}`" if secret else f"`{setting.name}`<br>`{setting.variable}`"


def _choices(setting: Setting) -> str:
    if get_origin(setting.kind) is not Literal:
        return ""
    return " One of " + ", ".join(f"`{one}`" for one in get_args(setting.kind)) + "."


# --- commands ---------------------------------------------------------------------------------------------


def commands() -> list[tuple[str, Any]]:
    """Every command by the words it is called with."""
    return list(_commands(typer.main.get_command(program), ""))


def _commands(group: Any, before: str) -> Iterator[tuple[str, Any]]:
    for name, command in group.commands.items():
        if command.hidden:
            continue
        if hasattr(command, "commands"):
            yield from _commands(command, f"{before}{name} ")
        else:
            yield f"{before}{name}", command


def commands_page() -> str:
    """Every command with its arguments and options, as `--help` has them."""
    return _page(
        "Commands",
        "They work on the publication in the current folder, or in `newsletter -C DIR COMMAND`. ISSUE is a path or a\n"
        "slug. How they end: [exit codes](errors.md).",
        *(_command(name, command) for name, command in commands()),
    )


def _command(name: str, command: Any) -> str:
    lines = [f"## {name}", "", inspect.cleandoc(command.help or "")]
    rows = [_parameter(one) for one in command.params if not getattr(one, "hidden", False) and one.name != "help"]
    return "\n".join([*lines, *(["", "| | |", "|---|---|", *rows] if rows else [])])


def _parameter(one: Any) -> str:
    metavar = getattr(one, "metavar", None) or ""
    if one.param_type_name == "argument":
        return f"| `{metavar or one.name.upper()}` | {one.help or ''} |"
    kind = one.type_descriptor.annotation
    choices = "\\|".join(kind) if inspect.isclass(kind) and issubclass(kind, StrEnum) else ""
    given = "" if one.is_flag else metavar or choices or getattr(kind, "__name__", "text").upper()
    spelled = ", ".join(f"`{spelling}`" for spelling in (*one.opts, *one.secondary_opts))
    return f"| {spelled}{f' `{given}`' if given else ''} | {one.help or ''} |"


# --- routes -----------------------------------------------------------------------------------------------

_PUBLICATION = """
name: A
senders: {a: {name: A, email: a@quiet.example}}
footer: {address: 1 Road}
"""


def routes() -> list[str]:
    """Every route as `METHOD /path`; HEAD is answered wherever GET is."""
    keys = {"NEWSLETTER_SECRET_KEYS": "k" * 40, "NEWSLETTER_SUPPRESSION_KEY": "s" * 40}
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "newsletter.yml").write_text(_PUBLICATION, "utf-8")
        with open_app(Path(folder), {"NEWSLETTER_DATABASE_URL": "sqlite:///a.db", **keys}) as app:
            found = [
                f"{method} {route.path}"
                for route in site(app.desk).routes
                for method in _HEADS
                if method in (getattr(route, "methods", None) or ())
            ]
    return list(dict.fromkeys(found))


def routes_page() -> str:
    """Every route of the web side."""
    said = words()["routes"]
    rows = [f"| `{route}` | {said[route]} |" for route in routes()]
    return _page(
        "Routes",
        "What `newsletter serve` answers. HEAD is answered wherever GET is. Opening a page never does anything: only\n"
        "a pressed button (POST) acts. For programs: [the API](../api.md). What visitors meet:\n"
        "[the front door](../front-door.md).",
        "\n".join(["| route | what it does |", "|---|---|", *rows]),
    )


# --- errors -----------------------------------------------------------------------------------------------

_EXITS = {
    exits.DONE: "Done.",
    exits.PROBLEMS: "Problems were found; each says what to fix.",
    exits.USAGE: "The command was not understood, or what it names is not there.",
    exits.NOTHING: "There was nothing to do, and that is right.",
    exits.LEFT: "Stopped with work left. Run it again: what was done is kept.",
    exits.REFUSED: "Nobody has agreed to what would happen now.",
    exits.CONFIG: "The set-up cannot do it. `newsletter doctor` says why.",
}


def kinds() -> list[type[errors.NewsletterError]]:
    """Every error that is raised on purpose, in the order of the code."""
    every = [one for one in vars(errors).values() if inspect.isclass(one) and issubclass(one, errors.NewsletterError)]
    return [one for one in every if one.__module__ == errors.__name__]


def errors_page() -> str:
    """Exit codes, kinds of errors, what the web side answers, and the codes of checks."""
    codes = [f"| {number} | {said} |" for number, said in _EXITS.items()]
    tree = [f"| `{kind.__name__}` | {_first(kind)} | {exits.code(_made(kind))} | {_status(kind)} |" for kind in kinds()]
    checks = [f"| [{code}](../errors/{code}.md) | {title} |" for code, title in TITLES.items()]
    return _page(
        "Errors and exit codes",
        "Why a run stops, and what to do: [the runbook](../runbook/why-a-run-stops.md). What doctor finds: "
        "[its page](../doctor.md).",
        "## How a command ends\n\n" + "\n".join(["| exit | means |", "|---|---|", *codes]),
        "## Kinds of errors\n\n" + "\n".join(["| kind | when | exit | on a page |", "|---|---|---|---|", *tree]),
        "## What a check can find\n\nOnly an error (E) blocks; a warning (W) informs.\n\n"
        + "\n".join(["| code | about |", "|---|---|", *checks]),
    )


def _status(kind: type[errors.NewsletterError]) -> int | str:
    found = next(answer for given, answer in answers.TABLE if issubclass(kind, given))
    return "" if found is answers.BROKEN else found.status  # those that a page is written for


def _made(kind: type[errors.NewsletterError]) -> errors.NewsletterError:
    return errors.ContentError(()) if kind is errors.ContentError else kind("")


def _first(kind: type) -> str:
    return " ".join((inspect.getdoc(kind) or "").split())


def _page(title: str, *parts: str) -> str:
    return "\n\n".join([_NOTE, f"# {title}", *parts]) + "\n"


PAGES = {
    "settings.md": settings_page,
    "commands.md": commands_page,
    "routes.md": routes_page,
    "errors.md": errors_page,
}

if __name__ == "__main__":
    for name, made in PAGES.items():
        (HERE / name).write_text(made(), "utf-8")
