"""As much of a stylesheet as tells bold from plain and hidden from shown.

In: `<style>` text or a `style` attribute. Out: declarations by class name, lower case. Rules inside
`@media` are left out: they speak of phones or dark screens.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

import tinycss2

_PLAIN_CLASS = re.compile(r"(?:[a-z][\w-]*)?\.(?P<name>[\w-]+)", re.IGNORECASE)
_MOST = 500_000
_BOLD = 600


def classes(sheet: str) -> dict[str, dict[str, str]]:
    """Declarations by class, for selectors that name one class and nothing else."""
    found: dict[str, dict[str, str]] = {}
    for rule in tinycss2.parse_stylesheet(sheet[:_MOST], skip_comments=True, skip_whitespace=True):
        if rule.type != "qualified-rule":
            continue
        body = declarations(tinycss2.serialize(rule.content))
        for selector in tinycss2.serialize(rule.prelude).split(","):
            if named := _PLAIN_CLASS.fullmatch(selector.strip()):
                found.setdefault(named["name"], {}).update(body)
    return found


def declarations(text: str) -> dict[str, str]:
    """`name: value` pairs of a style attribute."""
    pairs = (part.partition(":") for part in text.split(";"))
    return {name.strip().lower(): value.strip().lower() for name, colon, value in pairs if colon}


def is_bold(style: Mapping[str, str]) -> bool | None:
    """Whether a style makes bold; None when it does not say."""
    weight = style.get("font-weight", "")
    if not weight:
        return None
    return weight.startswith("bold") or (weight[:3].isdigit() and int(weight[:3]) >= _BOLD)


def is_italic(style: Mapping[str, str]) -> bool | None:
    """Whether a style makes italic; None when it does not say."""
    said = style.get("font-style", "")
    return said.startswith(("italic", "oblique")) if said else None


def is_struck(style: Mapping[str, str]) -> bool:
    """Whether a style strikes words out."""
    return "line-through" in style.get("text-decoration", "") + style.get("text-decoration-line", "")


def is_hidden(style: Mapping[str, str]) -> bool:
    """Whether a style hides what it is about."""
    return (
        style.get("display", "").startswith("none")
        or style.get("visibility", "").startswith("hidden")
        or style.get("mso-hide", "").startswith("all")
        or style.get("max-height", "") in {"0", "0px"}
        or style.get("font-size", "") in {"0", "0px"}
    )
