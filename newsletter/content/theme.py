"""The looks as values: colours of both schemes, type, steps. Read from `templates/themes/<name>.toml`.

The contrast of every text and mark on every ground it may stand on is computed when the file is read
(WCAG 2.2: 1.4.3 asks 4.5 of text, 1.4.11 asks 3 of marks), so a theme that cannot be read is never used.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeVar

from newsletter.content import templates
from newsletter.errors import SettingsError

TEXT, MARK = 4.5, 3.0


@dataclass(frozen=True)
class Palette:
    """The colours of one scheme, as `#RRGGBB`. `rule` is decoration; all others carry meaning."""

    paper: str
    tint: str
    field: str
    ink: str
    soft: str
    link: str
    button: str
    on_button: str
    edge: str
    mark: str
    box: str
    good: str
    bad: str
    rule: str


@dataclass(frozen=True)
class Fonts:
    """Stacks of font names, unquoted; the `outlook` ones are for Word alone."""

    serif: str
    sans: str
    mono: str
    outlook_serif: str
    outlook_sans: str


@dataclass(frozen=True)
class Type:
    """Size and line of each voice, in px."""

    title: tuple[int, int]
    title_narrow: tuple[int, int]
    h2: tuple[int, int]
    h3: tuple[int, int]
    body: tuple[int, int]
    quote: tuple[int, int]
    name: tuple[int, int]
    ornament: tuple[int, int]
    button: tuple[int, int]
    label: tuple[int, int]
    small: tuple[int, int]


@dataclass(frozen=True)
class Steps:
    """Distances in px."""

    paragraph: int
    item: int
    before_h2: int
    after_h2: int
    before_h3: int
    after_h3: int
    block: int
    magnet: int
    footer: int
    pause: int
    indent: int


@dataclass(frozen=True)
class Shape:
    """Widths, paddings and the waymark, in px."""

    mail: int
    page: int
    dashboard: int
    side: int
    side_wide: int
    radius: int
    waymark: tuple[int, int]
    hairline: int


@dataclass(frozen=True)
class Theme:
    """Everything that decides looks."""

    name: str
    light: Palette
    dark: Palette
    fonts: Fonts
    type: Type
    steps: Steps
    shape: Shape

    @property
    def measure(self) -> int:
        """The width of text and pictures in mail, in px, where there is room."""
        return self.shape.mail - 2 * self.shape.side_wide

    def variables(self) -> str:
        """The colours and fonts as CSS custom properties, the dark scheme by media query; for pages."""
        fonts = "".join(f"--{name}:{getattr(self.fonts, name)};" for name in ("serif", "sans", "mono"))
        return (
            f":root{{color-scheme:light dark;{_properties(self.light)}{fonts}}}"
            f"@media (prefers-color-scheme:dark){{:root{{{_properties(self.dark)}}}}}"
        )


PAIRS: tuple[tuple[str, str, float], ...] = (
    *((text, ground, TEXT) for ground in ("paper", "tint") for text in ("ink", "soft", "link", "good", "bad")),
    *((mark, ground, MARK) for ground in ("paper", "tint") for mark in ("edge", "mark", "box")),
    ("on_button", "button", TEXT),
    ("ink", "field", TEXT),
    ("box", "field", MARK),
)
"""What stands on what, and the least contrast it needs."""


def load(name: str, root: Path | None) -> Theme:
    """Read a theme.

    In: its name (`theme` in newsletter.yml), the publication's root, whose own file of that name wins.
    Raises: SettingsError for a missing file, a missing or unknown token, a pair below its bound.
    """
    if not re.fullmatch(r"[a-z0-9-]+", name):
        raise SettingsError(f'"{name}" is not a name of a theme.', "Use small letters, digits and hyphens.")
    path = templates.find(f"themes/{name}.toml", root)
    return _read(name, path, path.stat().st_mtime_ns)


@lru_cache(maxsize=16)
def _read(name: str, path: Path, _changed: int) -> Theme:
    try:
        raw = tomllib.loads(path.read_text("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as problem:
        raise SettingsError(f"{path}: {problem}", "Correct the file, or delete it to use the built-in theme.") from None
    theme = Theme(
        name=name,
        light=_tokens(Palette, raw, "light", path),
        dark=_tokens(Palette, raw, "dark", path),
        fonts=_tokens(Fonts, raw, "fonts", path),
        type=_tokens(Type, raw, "type", path),
        steps=_tokens(Steps, raw, "steps", path),
        shape=_tokens(Shape, raw, "shape", path),
    )
    for scheme in ("light", "dark"):
        _legible(getattr(theme, scheme), scheme, path)
    return theme


T = TypeVar("T")


def _tokens(kind: type[T], raw: Mapping[str, Any], table: str, path: Path) -> T:
    given = raw.get(table)
    known = {field.name: str(field.type) for field in fields(kind)}  # type: ignore[arg-type]
    if not isinstance(given, dict) or given.keys() != known.keys():
        have = set(given) if isinstance(given, dict) else set()
        names = ", ".join(sorted(have.symmetric_difference(known)))
        raise SettingsError(f"{path}: [{table}] lacks these tokens, or does not know them: {names}.", _HINT)
    for name, value in given.items():
        if not _fits(value, known[name]) or (kind is Palette and not re.fullmatch("#[0-9A-Fa-f]{6}", value)):
            raise SettingsError(f"{path}: {table}.{name} cannot be {value!r}.", _HINT)
    return kind(**{name: tuple(value) if isinstance(value, list) else value for name, value in given.items()})


_HINT = "A theme holds the same tokens as the built-in one: copy that file and change its values."


def _fits(value: object, kind: str) -> bool:
    if kind == "str":
        return isinstance(value, str) and re.fullmatch(r"[\w #,.-]+", value) is not None
    if kind == "int":
        return type(value) is int
    return isinstance(value, list) and [type(part) for part in value] == [int, int]


def _legible(palette: Palette, scheme: str, path: Path) -> None:
    for front, ground, bound in PAIRS:
        ratio = contrast(getattr(palette, front), getattr(palette, ground))
        if ratio < bound:
            raise SettingsError(
                f"{path}: {front} on {ground} has a contrast of {ratio:.1f} in the {scheme} scheme;"
                f" it needs {bound} to be legible.",
                f"Make {front} {'darker' if scheme == 'light' and front != 'on_button' else 'lighter'},"
                " or choose another ground.",
            )


def contrast(one: str, other: str) -> float:
    """The contrast ratio of two colours, 1 to 21 (WCAG 2.2, "contrast ratio")."""
    dark, light = sorted((_luminance(one), _luminance(other)))
    return (light + 0.05) / (dark + 0.05)


def _luminance(colour: str) -> float:
    red, green, blue = (_linear(int(colour[at : at + 2], 16) / 255) for at in (1, 3, 5))
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _linear(channel: float) -> float:
    return channel / 12.92 if channel <= 0.04045 else ((channel + 0.055) / 1.055) ** 2.4  # noqa: PLR2004


def _properties(palette: Palette) -> str:
    return "".join(f"--{name.replace('_', '-')}:{colour};" for name, colour in asdict(palette).items())
