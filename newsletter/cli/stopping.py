"""SIGINT and SIGTERM: nothing more is claimed, calls in flight have five seconds, then the process ends with 75.

GitHub sends SIGINT, SIGTERM after 7.5 s, and kills after 10 s. A call that is not answered within `GRACE` is left
behind as by a kill: its lease runs out, its rows become uncertain, the provider is asked, and nobody gets it twice.
"""

from __future__ import annotations

import os
import signal
import sys
from threading import Event, Timer

from newsletter.cli import documents, exits, terminal

GRACE = 5.0
"""Seconds from the first signal on."""

WHAT = "It was told to stop, and a call was still unanswered after 5 seconds."
TODO = "Run the same command again: what became of that call is found out, and nobody gets it twice."


class Stop(Event):
    """Set by the first signal. In: what `--json` prints of a command about which nothing is known, if that is asked."""

    def __init__(self, document: dict[str, object] | None = None) -> None:
        super().__init__()
        self.returned = False
        """Set once all calls have returned: from then on the process ends by itself, with its own last word."""
        self._document = document
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: self._told())

    def _told(self) -> None:
        if not self.is_set():
            self.set()
            watch = Timer(GRACE, self._leave)
            watch.daemon = True
            watch.start()

    def _leave(self) -> None:
        if self.returned:
            return
        sys.stderr.write(f"\n{WHAT}\n  {TODO}\n")
        if self._document is not None:
            terminal.document(documents.failed("send", self._document, WHAT, TODO, exits.LEFT))
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(exits.LEFT)
