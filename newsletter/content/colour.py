"""Colours as numbers: how far two stand apart, and how light one is. In and out: `#RRGGBB`, in sRGB."""

from __future__ import annotations

from collections.abc import Callable, Iterable

Triple = tuple[float, float, float]

_WHITE: Triple = (0.95047, 1.0, 1.08883)  # D65
_DELTA = 6 / 29


def contrast(one: str, other: str) -> float:
    """The contrast ratio of two colours, 1 to 21 (WCAG 2.2, "contrast ratio")."""
    dark, light = sorted((_luminance(one), _luminance(other)))
    return (light + 0.05) / (dark + 0.05)


def _luminance(colour: str) -> float:
    red, green, blue = (_linear(channel) for channel in channels(colour))
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def channels(colour: str) -> Triple:
    """Red, green and blue, 0 to 1."""
    red, green, blue = (int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5))
    return red, green, blue


def written(rgb: Iterable[float]) -> str:
    """A colour of three channels, those out of gamut cut off."""
    return "#" + "".join(f"{round(255 * min(1.0, max(0.0, channel))):02X}" for channel in rgb)


def _linear(channel: float) -> float:
    return channel / 12.92 if channel <= 0.04045 else ((channel + 0.055) / 1.055) ** 2.4  # noqa: PLR2004


def _curved(light: float) -> float:
    return 12.92 * light if light <= 0.0031308 else 1.055 * light ** (1 / 2.4) - 0.055  # noqa: PLR2004


def lab(colour: str) -> Triple:
    """CIELAB (D65): lightness L* from 0 to 100, and the two axes of hue."""
    red, green, blue = (_linear(channel) for channel in channels(colour))
    xyz = (
        0.4124564 * red + 0.3575761 * green + 0.1804375 * blue,
        0.2126729 * red + 0.7151522 * green + 0.0721750 * blue,
        0.0193339 * red + 0.1191920 * green + 0.9503041 * blue,
    )
    x, y, z = (_root(part / white) for part, white in zip(xyz, _WHITE, strict=True))
    return 116 * y - 16, 500 * (x - y), 200 * (y - z)


def of_lab(lightness: float, a: float, b: float) -> str:
    """The colour of CIELAB's three numbers."""
    y = (lightness + 16) / 116
    x, y, z = (white * _cube(part) for part, white in zip((y + a / 500, y, y - b / 200), _WHITE, strict=True))
    linear = (
        3.2404542 * x - 1.5371385 * y - 0.4985314 * z,
        -0.9692660 * x + 1.8760108 * y + 0.0415560 * z,
        0.0556434 * x - 0.2040259 * y + 1.0572252 * z,
    )
    return written(_curved(max(0.0, channel)) for channel in linear)


def _root(part: float) -> float:
    return part ** (1 / 3) if part > _DELTA**3 else part / (3 * _DELTA**2) + 4 / 29


def _cube(part: float) -> float:
    return part**3 if part > _DELTA else 3 * _DELTA**2 * (part - 4 / 29)


def nearest(colour: str, fits: Callable[[str], bool]) -> str:
    """The same hue, as little lighter or darker as it takes to fit; empty when no lightness does."""
    lightness, a, b = lab(colour)
    for step in range(1, 201):
        for other in (lightness - step / 2, lightness + step / 2):
            if 0 <= other <= 100 and fits(found := of_lab(other, a, b)):  # noqa: PLR2004
                return found
    return ""
