"""The looks as values: colours of both schemes, type, steps. Read from `templates/themes/<name>.toml`.

The contrast of every text and mark on every ground it may stand on is computed when the file is read
(WCAG 2.2: 1.4.3 asks 4.5 of text, 1.4.11 asks 3 of marks), so a theme that cannot be read is never used.
"""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Collection, Iterator, Mapping
from dataclasses import asdict, dataclass, fields, replace
from functools import lru_cache, partial
from pathlib import Path
from typing import Any, TypeVar

from newsletter.content import images, templates
from newsletter.content.blocks import Asset
from newsletter.content.colour import contrast, nearest
from newsletter.content.pictures.derive import Recipe
from newsletter.core.publication import Look, Publication
from newsletter.errors import NotFound, SettingsError

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
class Logo:
    """A publication's own sign, with its plate, and what it says to those who do not see it."""

    asset: Asset
    alt: str


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
    logo: Logo | None = None

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
    for pair in faint(palette):
        raise SettingsError(f"{path}: {pair.told(scheme)}", _better(palette, pair, frozenset({pair.front})))


@dataclass(frozen=True)
class Faint:
    """A pair of tokens that stand out too little from each other."""

    front: str
    ground: str
    ratio: float
    bound: float

    def told(self, scheme: str) -> str:
        """As a sentence; the ratio is cut and not rounded, so that 4.49 never reads as 4.5."""
        cut = int(self.ratio * 100) / 100
        return (
            f"{self.front} on {self.ground} has a contrast of {cut:.2f} in the {scheme} scheme;"
            f" it needs {self.bound} to be legible."
        )


def faint(palette: Palette) -> Iterator[Faint]:
    """The pairs of a scheme that are below their bound."""
    for front, ground, bound in PAIRS:
        ratio = contrast(getattr(palette, front), getattr(palette, ground))
        if ratio < bound:
            yield Faint(front, ground, ratio, bound)


def _better(palette: Palette, pair: Faint, changeable: Collection[str]) -> str:
    """The nearest colour of the same hue that would do, for a token the writer of the file can change."""
    tokens = [token for token in (pair.front, pair.ground) if token in changeable] or [pair.front]
    for token in tokens:
        if found := nearest(getattr(palette, token), partial(_fits_in, palette, token)):
            return f'{token}: "{found}" would do.'
    return f"Make {pair.front} or {pair.ground} lighter or darker."


def _fits_in(palette: Palette, token: str, colour: str) -> bool:
    """Whether a scheme with another colour for a token has no faint pair of that token."""
    other = replace(palette, **{token: colour})
    return not any(token in {pair.front, pair.ground} for pair in faint(other))


# --- what a publication changes --------------------------------------------------------------------

LOGO = Recipe(width=520, height=112, rim=12)
"""At most 260 x 56 CSS pixels, with a rim of 6 when it needs a plate."""


@dataclass(frozen=True)
class Flaw:
    """What is wrong in `look`, where (`("light", "link")`), and what to do."""

    loc: tuple[str, ...]
    what: str
    todo: str


def of(publication: Publication, root: Path | None, name: str = "") -> Theme:
    """The theme as a publication wears it: `theme`, changed by `look`.

    In: the publication and its root; `name` is the theme of a single issue.
    Raises: SettingsError for a theme that cannot be used, or the first flaw of `look`.
    """
    base = load(name or publication.theme, root)
    for flaw in flaws(publication.look, base, root):
        raise SettingsError(f"newsletter.yml: look.{'.'.join(flaw.loc)}: {flaw.what}", flaw.todo)
    return _dressed(publication, base, root)


def _dressed(publication: Publication, base: Theme, root: Path | None) -> Theme:
    look = publication.look
    if look == Look():
        return base
    light = replace(base.light, **look.light)
    fonts = {name: getattr(look, name) for name in STACKS if getattr(look, name)}
    logo = None
    if look.logo and root:
        asset = images.asset(look.logo, root, replace(LOGO, plate=light.paper))
        logo = Logo(asset, look.logo_alt or publication.name)
    return replace(
        base, light=light, dark=replace(base.dark, **look.dark), fonts=replace(base.fonts, **fonts), logo=logo
    )


STACKS = ("serif", "sans", "mono")
_GENERIC = ("serif", "sans-serif", "monospace", "system-ui", "ui-serif", "ui-sans-serif", "ui-monospace", "cursive")
_FAMILY = re.compile(r"-?[^\W\d][\w-]*(?: -?[^\W\d][\w-]*)*")


def flaws(look: Look, base: Theme, root: Path | None) -> Iterator[Flaw]:
    """Everything that is wrong in `look`. In: the theme it changes, the root its logo lies under."""
    for scheme in ("light", "dark"):
        yield from _colours(scheme, getattr(look, scheme), getattr(base, scheme))
    for stack in STACKS:
        yield from _stack(stack, getattr(look, stack))
    if look.logo and root:
        try:
            images.asset(look.logo, root, LOGO)
        except NotFound as problem:
            yield Flaw(("logo",), problem.what, problem.todo)


def _colours(scheme: str, changed: Mapping[str, str], base: Palette) -> Iterator[Flaw]:
    known = [field.name for field in fields(Palette)]
    good = {}
    for token, colour in changed.items():
        if token not in known:
            near = difflib.get_close_matches(token, known, 1)
            todo = f'Did you mean "{near[0]}"?' if near else f"These are known: {', '.join(known)}."
            yield Flaw((scheme, token), f'there is no colour "{token}".', todo)
        elif not re.fullmatch("#[0-9A-Fa-f]{6}", colour):
            yield Flaw((scheme, token), f'"{colour}" is no colour this program reads.', f'Write {token}: "#37496B"')
        else:
            good[token] = colour
    palette = replace(base, **good)
    for pair in faint(palette):
        token = pair.front if pair.front in good else pair.ground
        yield Flaw((scheme, token), pair.told(scheme), _better(palette, pair, good.keys()))


def _stack(name: str, stack: str) -> Iterator[Flaw]:
    families = [family.strip() for family in stack.split(",")] if stack else []
    for family in families:
        if not _FAMILY.fullmatch(family):
            todo = (
                "Write names of fonts, separated by commas and without quotation marks; each word begins with a letter."
            )
            yield Flaw((name,), f'"{family}" is no name of a font.', todo)
    if families and families[-1] not in _GENERIC:
        fix = {"serif": "serif", "sans": "sans-serif", "mono": "monospace"}[name]
        yield Flaw(
            (name,), "the list ends without a kind of font, for readers who have none of these.", f"{stack}, {fix}"
        )


def _properties(palette: Palette) -> str:
    return "".join(f"--{name.replace('_', '-')}:{colour};" for name, colour in asdict(palette).items())
