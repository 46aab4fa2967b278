"""The program's own sentences, one TOML file per language; a publication's `words/<lang>.toml` wins by key.

Mail, pages and text part read them from here, so that one thing is said in one way.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from functools import cache
from importlib import resources
from pathlib import Path

DEFAULT = "en"
_LANGUAGE = re.compile("[a-z]{2,3}")  # ISO 639, as BCP 47 begins


def words(lang: str, root: Path | None = None) -> Mapping[str, str]:
    """The catalogue of a language, flat (`mail.unsubscribe`), English where a sentence is missing.

    In: a BCP 47 tag (its first part is used), the publication's root for own words.
    """
    base = lang.split("-", maxsplit=1)[0].lower()
    own = _read(root / "words" / f"{base}.toml") if root else {}
    return {**_builtin(DEFAULT), **_builtin(base), **own}


def spoken(lang: str, root: Path | None = None) -> bool:
    """Whether the program speaks a language: what a visitor asks for is used only then."""
    base = lang.split("-", maxsplit=1)[0].lower()
    return bool(_LANGUAGE.fullmatch(base)) and bool(_builtin(base) or (root and _read(root / "words" / f"{base}.toml")))


@cache
def _builtin(lang: str) -> Mapping[str, str]:
    file = resources.files("newsletter.content") / "words" / f"{lang}.toml"
    return _flat(tomllib.loads(file.read_text("utf-8"))) if file.is_file() else {}


def _read(path: Path) -> Mapping[str, str]:
    return _flat(tomllib.loads(path.read_text("utf-8"))) if path.is_file() else {}


def _flat(tree: Mapping[str, object], prefix: str = "") -> dict[str, str]:
    flat: dict[str, str] = {}
    for key, value in tree.items():
        if isinstance(value, dict):
            flat |= _flat(value, f"{prefix}{key}.")
        else:
            flat[prefix + key] = str(value)
    return flat
