"""`embed`: a signup form for another site, as HTML to copy."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from newsletter.cli import terminal
from newsletter.cli.here import Here
from newsletter.errors import NotFound


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(embed)


def embed(
    context: typer.Context,
    form: Annotated[str, typer.Argument(metavar="FORM", help="A form of newsletter.yml.")],
    kind: Annotated[
        str,
        typer.Option(
            "--as", metavar="KIND", help="form (works everywhere), script (answers in the page), frame, link."
        ),
    ] = "form",
    lang: Annotated[str, typer.Option(metavar="LANG", help="The language of its words.")] = "",
) -> None:
    """Print a signup form for another site.

    The HTML goes to stdout, what to mind to stderr.
    """
    here: Here = context.obj
    from newsletter.web.pages import Embed, Pages
    from newsletter.web.preview.system import paper_desk

    if kind not in list(Embed):
        raise typer.BadParameter(f"--as knows {', '.join(Embed)}.")
    desk = paper_desk(here.root, here.settings())
    pages = Pages(desk, desk.publication.language)
    if lang and lang not in pages.languages:
        raise typer.BadParameter(f"--lang knows {', '.join(sorted(pages.languages))}.")
    try:
        html = pages.within(lang).snippet(Embed(kind), form)
    except KeyError:
        known = ", ".join(desk.publication.forms) or desk.publication.default_form
        raise NotFound(f'There is no form "{form}".', f"newsletter.yml has: {known}.") from None
    terminal.say(html.rstrip())
    origins = desk.publication.form(form).origins
    sys.stderr.writelines(f"note: {note}\n" for note in _notes(Embed(kind).value, origins, desk.links.base_url))


def _notes(kind: str, origins: tuple[str, ...], base: str) -> list[str]:
    notes = []
    if kind != "link" and not origins:
        notes.append("no other site may use this form yet: list its address under origins: of the form.")
    if kind != "link" and origins:
        notes.append(f"it works on {', '.join(origins)}; other sites belong under origins: of the form.")
    if kind in {"form", "script"}:
        notes.append(f"a site with a Content-Security-Policy has to name {base} in form-action.")
    if kind == "script":
        notes.append(f"and in script-src and connect-src. Without the script the form works as well, at {base}.")
    if kind == "frame":
        notes.append(f"a site with a Content-Security-Policy has to name {base} in frame-src.")
    if "://localhost" in base or "://127.0.0.1" in base:
        notes.append("NEWSLETTER_BASE_URL is an address of this machine: nobody else can reach it.")
    return notes
