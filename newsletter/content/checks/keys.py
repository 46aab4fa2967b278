"""Names that an issue uses: audience, magnet and theme (E106, E250, E302)."""

from __future__ import annotations

import difflib
from collections.abc import Iterator

from newsletter.content import templates
from newsletter.content import theme as looks
from newsletter.content.checks.case import SETTINGS, Case
from newsletter.core.problem import Level, Problem
from newsletter.errors import SettingsError


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
