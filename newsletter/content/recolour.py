"""What mail programs do to a mail's colours on their own, in their dark mode.

Each takes the HTML of a mail and gives it as such a program would show it, for previews and for measuring;
none is exact, because none of these programs says how it works, and all of them change. Our own dark colours
are taken out first, except where a program honours them.

- `invert`: the whole picture negative, hues turned back, as some Android programs do.
- `hsl`: each colour's lightness in HSL turned round, as programs that "invert" do.
- `lightness`: each colour's L* turned round, onto a dark ground: Gmail's apps, Outlook for Windows and phones.
- `outlook`: grounds darkened by L*; words lightened until they stand out 4.5 to 1; borders left alone; what was
  changed is marked (`data-ogsc`, `data-ogsb`), so that rules written for that apply. Outlook on the web.
"""

from __future__ import annotations

import colorsys
import re
from collections.abc import Callable
from dataclasses import dataclass

from newsletter.content import colour
from newsletter.content.colour import channels, contrast, lab, of_lab, written

BLACK = "#1B1B1B"
GREY = "#333333"
LEGIBLE = 4.5


# --- one colour ------------------------------------------------------------------------------------


def inverted(hue: str) -> str:
    """The negative, its hue turned back by half a circle (CSS filters `invert(1) hue-rotate(180deg)`)."""
    red, green, blue = (1 - channel for channel in channels(hue))
    return written(
        (
            -0.574 * red + 1.43 * green + 0.144 * blue,
            0.426 * red + 0.43 * green + 0.144 * blue,
            0.426 * red + 1.43 * green - 0.856 * blue,
        )
    )


def hsl_flipped(hue: str) -> str:
    """Light for dark in HSL."""
    angle, lightness, saturation = colorsys.rgb_to_hls(*channels(hue))
    return written(colorsys.hls_to_rgb(angle, 1 - lightness, saturation))


def flipped(hue: str, base: str = BLACK) -> str:
    """Light for dark in CIELAB: white becomes `base`, black becomes white."""
    lightness, a, b = lab(hue)
    floor = lab(base)[0]
    return of_lab((100 - lightness) * (100 - floor) / 100 + floor, a, b)


def lifted(hue: str, ground: str) -> str:
    """Words as Outlook on the web writes them on a ground it has darkened: turned round, then light enough."""

    def fits(other: str) -> bool:
        return contrast(other, ground) >= LEGIBLE

    new = flipped(hue, GREY)
    return new if fits(new) else colour.nearest(new, fits) or "#FFFFFF"


@dataclass(frozen=True)
class Recolouring:
    """How grounds, words upon them, and borders come out. `text` also gets the new ground."""

    name: str
    ground: Callable[[str], str]
    text: Callable[[str, str], str]
    border: Callable[[str], str]


def _alike(name: str, change: Callable[[str], str]) -> Recolouring:
    return Recolouring(name, change, lambda hue, _ground: change(hue), change)


def _onto_black(hue: str) -> str:
    return flipped(hue, BLACK)


def _onto_grey(hue: str) -> str:
    return flipped(hue, GREY)


def _same(hue: str) -> str:
    return hue


RECOLOURINGS = (
    _alike("invert", inverted),
    _alike("hsl", hsl_flipped),
    _alike("lightness", _onto_black),
    _alike("lightness onto grey", _onto_grey),
    Recolouring("outlook", _onto_grey, lifted, _same),
)
"""All that a palette is measured under."""


# --- a whole mail ----------------------------------------------------------------------------------


def invert(html: str) -> str:
    """As a negative; pictures are turned back, as such programs do."""
    style = (
        "html{filter:invert(1) hue-rotate(180deg);background:#fff}img,svg,video{filter:invert(1) hue-rotate(180deg)}"
    )
    return _with_style(without_dark(html), style)


def hsl(html: str) -> str:
    """With each colour's lightness turned round in HSL."""
    return _recoloured(without_dark(html), RECOLOURINGS[1])


def lightness(html: str, base: str = BLACK) -> str:
    """With each colour's lightness turned round in CIELAB; white becomes `base`."""
    return _recoloured(without_dark(html), RECOLOURINGS[2] if base == BLACK else _alike("", lambda h: flipped(h, base)))


def outlook(html: str) -> str:
    """As Outlook on the web, which lets `[data-ogsc]` and `[data-ogsb]` rules overrule it."""
    return _recoloured(_without_scheme(html), RECOLOURINGS[-1], marks=True)


def without_dark(html: str) -> str:
    """The mail without the dark colours it brings along, and without the word that it has them."""
    bare = re.sub(r"\[data-ogs[cb]\][^{}]*\{[^{}]*\}\s*", "", _without_scheme(html))
    bare = re.sub(r'<meta name="(?:supported-)?color-schemes?"[^>]*>', "", bare)
    return re.sub(r"(?:supported-)?color-schemes?:\s*light dark;?", "", bare)


_SCHEME = re.compile(r"@media[^{}]*prefers-color-scheme\s*:\s*dark[^{}]*\{")


def _without_scheme(html: str) -> str:
    """Without the media query and all within its braces."""
    while found := _SCHEME.search(html):
        depth, end = 1, found.end()
        while depth and end < len(html):
            depth += {"{": 1, "}": -1}.get(html[end], 0)
            end += 1
        html = html[: found.start()] + html[end:]
    return html


def _with_style(html: str, style: str) -> str:
    place = html.find("</head>")
    return f"{html[:place]}<style>{style}</style>{html[place:]}" if place >= 0 else f"<style>{style}</style>{html}"


_TAG = re.compile(r"<(/?)([a-zA-Z][a-zA-Z0-9]*)((?:\"[^\"]*\"|'[^']*'|[^'\">])*)>")
_STYLE = re.compile(r"(\sstyle=\")([^\"]*)(\")")
_BGCOLOR = re.compile(r"(\sbgcolor=\")(#[0-9A-Fa-f]{6})(\")")
_HEX = re.compile(r"#[0-9A-Fa-f]{6}\b")
_VOID = frozenset({"img", "br", "meta", "link", "input", "hr", "col", "area", "base", "wbr"})
_CLOSED_BY_THEMSELVES = frozenset({"p", "li", "td", "th", "tr", "thead", "tbody", "option"})


@dataclass(frozen=True)
class _Open:
    """A tag that is open, and the (new) ground its words stand on."""

    tag: str
    ground: str


def _recoloured(html: str, how: Recolouring, *, marks: bool = False) -> str:
    """Every colour written in the mail, changed: those of a tag by the ground it stands on."""
    start = re.search(r"<body\b", html)
    head, body = (html[: start.start()], html[start.start() :]) if start else ("", html)
    base = how.ground("#FFFFFF")
    stack = [_Open("", base)]

    def changed(found: re.Match[str]) -> str:
        closing, tag, rest = found[1], found[2].lower(), found[3]
        if closing:
            _close(stack, tag)
            return found[0]
        new, ground = _attributes(rest, stack[-1].ground, how, marks=marks)
        if tag not in _VOID and not rest.endswith("/"):
            stack.append(_Open(tag, ground))
        return f"<{found[2]}{new}>"

    recoloured = "".join(
        part if part.startswith("<!--") else _TAG.sub(changed, part)
        for part in re.split(r"(<!--.*?-->)", body, flags=re.DOTALL)
    )
    page = f"html,body{{background-color:{base};color:{how.text('#000000', base)}}}"
    return _with_style(head + recoloured, page) if start else recoloured


def _close(stack: list[_Open], tag: str) -> None:
    for at in range(len(stack) - 1, 0, -1):
        if stack[at].tag == tag:
            del stack[at:]
            return
        if stack[at].tag not in _CLOSED_BY_THEMSELVES:
            return


def _attributes(rest: str, around: str, how: Recolouring, *, marks: bool) -> tuple[str, str]:
    """A tag's attributes with other colours, and the ground they make."""
    style = _STYLE.search(rest)
    given = dict(_declarations(style[2])) if style else {}
    table = _BGCOLOR.search(rest)
    own = next(
        (found[0] for name in ("background-color", "background") if (found := _HEX.search(given.get(name, "")))), ""
    )
    own = own or (table[2] if table else "")
    ground = how.ground(own) if own else around
    ink = _HEX.search(given.get("color", ""))
    new = _BGCOLOR.sub(lambda found: f"{found[1]}{ground}{found[3]}", rest)
    if style:
        written_ = ";".join(f"{name}:{_value(name, value, ground, how)}" for name, value in given.items())
        new = _STYLE.sub(lambda found: f"{found[1]}{written_}{found[3]}", new)
    if marks:
        new += (f' data-ogsb="{own}"' if own else "") + (f' data-ogsc="{ink[0]}"' if ink else "")
    return new, ground


def _declarations(style: str) -> list[tuple[str, str]]:
    parts = (part.partition(":") for part in style.split(";") if ":" in part)
    return [(name.strip().lower(), value.strip()) for name, _, value in parts]


def _value(name: str, value: str, ground: str, how: Recolouring) -> str:
    if name in {"background-color", "background"}:
        return _HEX.sub(lambda found: how.ground(found[0]), value)
    if name == "color":
        return _HEX.sub(lambda found: how.text(found[0], ground), value)
    return _HEX.sub(lambda found: how.border(found[0]), value) if name.startswith("border") else value
