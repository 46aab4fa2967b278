"""The word lists of the house: built in, and changed by a publication's `words/house.toml`.

In: the publication's root. Out: patterns that find whole words, whatever blanks and apostrophes stand
between them.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from pathlib import Path
from typing import Any

from newsletter.errors import SettingsError

FILE = "words/house.toml"
_LISTS = ("conditions", "crisis", "help", "claims", "capitals", "spam", "empty", "leftovers")


@dataclass(frozen=True)
class House:
    """The lists as patterns. `spam` has a score for each phrase; `spam_limit` is where it is told."""

    conditions: re.Pattern[str]
    conditions_inside: re.Pattern[str]  # within the name of a site, where words are written together
    crisis: re.Pattern[str]
    help: re.Pattern[str]
    claims: re.Pattern[str]
    capitals: re.Pattern[str]
    leftovers: re.Pattern[str]
    empty: frozenset[str]
    spam: re.Pattern[str]
    spam_scores: Mapping[str, int]
    spam_limit: int


def load(root: Path) -> House:
    """The lists of a publication. Raises: SettingsError when its file cannot be read."""
    own = root / FILE
    return _load(own if own.is_file() else None, own.stat().st_mtime_ns if own.is_file() else 0)


@lru_cache(maxsize=8)
def _load(own: Path | None, _changed: int) -> House:
    built = tomllib.loads((resources.files("newsletter.content.checks") / "house.toml").read_text("utf-8"))
    theirs = _read(own) if own else {}
    words = {name: _merged(built[name], theirs.get(name, {})) for name in _LISTS}
    scored = dict(_score(entry) for entry in words["spam"])
    return House(
        conditions=pattern(words["conditions"]),
        conditions_inside=_stems(words["conditions"]),
        crisis=pattern(words["crisis"]),
        help=pattern(words["help"]),
        claims=pattern(words["claims"]),
        capitals=pattern([word.upper() for word in words["capitals"]], exact=True),
        leftovers=pattern(words["leftovers"], exact=True),
        empty=frozenset(words["empty"]),
        spam=pattern(list(scored)),
        spam_scores=scored,
        spam_limit=int(theirs.get("spam", {}).get("limit", built["spam"]["limit"])),
    )


def _read(path: Path) -> dict[str, dict[str, Any]]:
    try:
        found = tomllib.loads(path.read_text("utf-8-sig"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as trouble:
        raise SettingsError(f"{FILE}: {trouble}", "Correct the file, or delete it to use the built-in lists.") from None
    for name, table in found.items():
        if name not in _LISTS or not isinstance(table, dict):
            known = ", ".join(f"[{one}]" for one in _LISTS)
            raise SettingsError(f'{FILE}: there is no list "{name}".', f"There are: {known}.")
        for key, value in table.items():
            number = key == "limit" and name == "spam" and type(value) is int
            strings = isinstance(value, list) and all(isinstance(word, str) and word.strip() for word in value)
            if not number and not (key in {"words", "more", "not"} and strings):
                raise SettingsError(
                    f"{FILE}: [{name}] cannot have {key} = {value!r}.",
                    'Write words, more or not, each a list: more = ["a word"]',
                )
    return found


def _merged(built: Mapping[str, Any], own: Mapping[str, Any]) -> list[str]:
    words = [*own.get("words", built["words"]), *own.get("more", [])]
    away = {_bare(word) for word in own.get("not", [])}
    return [word for word in words if _bare(word) not in away]


def _bare(word: str) -> str:
    return _score(word)[0].lower()


def _score(entry: str) -> tuple[str, int]:
    phrase, colon, score = entry.rpartition(":")
    return (phrase.strip().lower(), int(score)) if colon and score.strip().isdigit() else (entry.strip().lower(), 1)


def pattern(words: Sequence[str], *, exact: bool = False) -> re.Pattern[str]:
    """A pattern for any of these words, whole; `*` at the end stands for any ending. `exact`: capitals count."""
    parts = sorted((_word(word) for word in words), key=len, reverse=True)
    either = "|".join(parts) or r"(?!)"
    return re.compile(rf"(?<![\w])(?:{either})(?![\w])", 0 if exact else re.IGNORECASE)


_STEM = 6  # letters; shorter ones stand in too many other words


def _stems(words: Sequence[str]) -> re.Pattern[str]:
    stems = [re.escape(stem) for word in words if len(stem := re.sub(r"[\s*-]", "", word)) >= _STEM]
    return re.compile("|".join(sorted(stems, key=len, reverse=True)) or r"(?!)", re.IGNORECASE)


def _word(word: str) -> str:
    stem = word.removesuffix("*")
    pieces = [re.escape(piece).replace("'", "['’]") for piece in re.split(r"\s+", stem.strip())]
    return r"\s+".join(pieces) + (r"\w*" if word.endswith("*") else "")
