"""The thread that sends what this server was asked to send, and what only its time was waited for."""

from __future__ import annotations

import time
from threading import Event

from newsletter.flows import due, press
from newsletter.flows.desk import Desk
from newsletter.web.worker import Worker

AGAIN = 30.0
"""Seconds until a campaign is tried again that something stood in the way of."""


class Press:
    """One campaign after another; a stop lets the calls in flight finish."""

    def __init__(self, desk: Desk, every: float) -> None:
        self._desk = desk
        self._stop = Event()
        self._later: dict[int, float] = {}  # by campaign, by time.monotonic
        self._looked = float("-inf")  # for what goes by itself, by time.monotonic
        self._worker = Worker(self._work, every)

    def start(self) -> None:
        """Begin."""
        self._stop.clear()
        self._worker.start()

    def wake(self) -> None:
        """There may be something to do."""
        self._worker.wake()

    def stop(self) -> None:
        """End: nothing more is claimed."""
        self._stop.set()
        self._worker.stop()

    def _work(self) -> None:
        for order in press.ready(self._desk):
            if self._stop.is_set():
                return
            if time.monotonic() < self._later.get(order.campaign_id, 0.0):
                continue
            if press.work(order, self._desk, stop=self._stop):
                self._later.pop(order.campaign_id, None)
            else:
                self._later[order.campaign_id] = time.monotonic() + AGAIN
        if time.monotonic() >= self._looked + AGAIN and not self._stop.is_set():
            self._looked = time.monotonic()
            due.go(self._desk, stop=self._stop)
