"""What the importer decided, told so that an editor can undo it."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Guess:
    """One decision: `line` of the source (0: it has none), `written` the line of the issue, once known."""

    line: int
    what: str  # "made a heading (short line, emoji)"
    undo: str  # 'If wrong, delete the "## ".'
    words: str = ""  # the beginning of the words it is about
    written: int = 0

    def __str__(self) -> str:
        place = f"line {self.line}: " if self.line else ""
        at = f" (line {self.written} of the issue)" if self.written else ""
        shown = f' "{shortened(self.words)}"' if self.words else ""
        return f"{place}{self.what}{shown}{at}. {self.undo}".rstrip()


@dataclass(frozen=True)
class Contact:
    """Facts of a contact footer; `lines` is all of it, as it stood."""

    address: str = ""
    phone: str = ""
    email: str = ""
    website: str = ""
    lines: tuple[str, ...] = field(default_factory=tuple)

    @property
    def facts(self) -> dict[str, str]:
        """Those that were found, by their keys in newsletter.yml."""
        named = {"address": self.address, "phone": self.phone, "email": self.email, "website": self.website}
        return {key: value for key, value in named.items() if value}


def shortened(words: str, most: int = 50) -> str:
    """The beginning of some words, on one line."""
    line = " ".join(words.split())
    return line if len(line) <= most else line[: most - 1].rstrip() + "…"
