"""How far a campaign is, while it goes: one line that is overwritten on a terminal, plain lines elsewhere.

In: the campaign and how many rows of its audience are done, again and again. Out: text on a stream. No colours.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from newsletter.core.campaign import Campaign

OFTEN, SELDOM = 0.1, 10.0
"""Seconds between two lines: on a terminal, elsewhere."""

_BAR, _LEAST, _MINUTE, _HOUR = 20, 60, 60, 3600


def is_terminal(out: TextIO) -> bool:
    """Whether a line may be overwritten there."""
    return out.isatty() and os.environ.get("TERM") != "dumb"


@dataclass
class Progress:
    """Call it with the campaign and what is done; `end` leaves the stream at the beginning of a line."""

    out: TextIO
    terminal: bool
    clock: Callable[[], float] = time.monotonic
    _key: str = ""
    _first: int = 0  # rows that were done before this run
    _begun: float = 0.0
    _last: float = field(default=float("-inf"))
    _open: bool = False

    def __call__(self, campaign: Campaign, done: int) -> None:
        """Say how far it is, when there was no word for a while, or when it is the last."""
        now = self.clock()
        if campaign.key != self._key:
            self.end()
            self._key, self._first, self._begun, self._last = campaign.key, done, now, float("-inf")
        if now - self._last < (OFTEN if self.terminal else SELDOM) and done < campaign.audience:
            return
        self._last = now
        line = said(campaign, done, done - self._first, now - self._begun)
        self.out.write(f"\r{line}\x1b[K" if self.terminal else line + "\n")
        self.out.flush()
        self._open = self.terminal

    def end(self) -> None:
        """Whatever is written next begins a line."""
        if self._open:
            self.out.write("\n")
            self._open = False


def said(campaign: Campaign, done: int, here: int, seconds: float) -> str:
    """The line: who is being reached, how far it is, how fast, how long it will take.

    In: rows done in all, and in this run, and the seconds this run has taken.
    """
    audience = campaign.audience
    share = done / audience if audience else 1.0
    rate = here / seconds if here and seconds else 0.0
    parts = [f"{done:,} of {audience:,} ({share:.0%})"]
    if rate:
        parts.append(f"{rate:,.0f}/s" if rate >= 1 else f"{rate * _MINUTE:,.1f}/min")
        if done < audience:
            parts.append(f"{span((audience - done) / rate)} left")
    bar = round(share * _BAR)
    drawn = f"[{'#' * bar}{'-' * (_BAR - bar)}] " if shutil.get_terminal_size().columns > 2 * _LEAST - _BAR else ""
    return f"{campaign.key} to {', '.join(campaign.segments)}: {drawn}{', '.join(parts)}"


def span(seconds: float) -> str:
    """A duration in two words at most: `45 s`, `3 min 20 s`, `2 h 5 min`."""
    whole = round(seconds)
    if whole < _MINUTE:
        return f"{whole} s"
    if whole < _HOUR:
        return f"{whole // _MINUTE} min {whole % _MINUTE} s"
    return f"{whole // _HOUR:,} h {whole % _HOUR // _MINUTE} min"
