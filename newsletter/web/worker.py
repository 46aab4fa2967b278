"""A thread that does what is due, every now and then and whenever it is woken."""

from __future__ import annotations

import logging
from collections.abc import Callable
from threading import Event, Thread

from newsletter.web.guard import told

log = logging.getLogger("newsletter.web")

_LONGEST = 60.0  # seconds between tries when nothing goes right
_DOUBLINGS = 16  # of the pause: more make no difference, and at a thousand there is no such number


class Worker:
    """Calls `work` every `every` seconds, at once after `wake`, and survives whatever it raises.

    In: `rest`, seconds it leaves between two calls however often it is woken: what comes meanwhile is done together.
    """

    def __init__(self, work: Callable[[], object], every: float, *, rest: float = 0.0) -> None:
        self._work = work
        self._every = every
        self._rest = rest
        self._woken = Event()
        self._over = Event()
        self._thread: Thread | None = None

    def start(self) -> None:
        """Begin. The thread dies with the process: what it had in hand settles itself at the next start."""
        self._over.clear()
        self._thread = Thread(target=self._run, name="newsletter-tick", daemon=True)
        self._thread.start()

    def wake(self) -> None:
        """There is something to do."""
        self._woken.set()

    def stop(self, timeout: float = 10.0) -> bool:
        """Finish what is in hand, for at most so many seconds. Out: whether it has ended."""
        self._over.set()
        self._woken.set()
        if self._thread is not None:
            self._thread.join(timeout)
        return self._thread is None or not self._thread.is_alive()

    def _run(self) -> None:
        failures, said = 0, ""
        while not self._over.is_set():
            try:
                self._work()
                failures, said = 0, ""
            except Exception as problem:  # noqa: BLE001 -- the next pass may go well
                failures += 1
                if (why := told(problem)) != said:  # the same again is no news
                    log.error("A pass of what is due broke off: %s", why)  # noqa: TRY400
                    said = why
            self._over.wait(self._rest)
            self._woken.wait(min(self._every * 2 ** min(failures, _DOUBLINGS), max(self._every, _LONGEST)))
            self._woken.clear()
