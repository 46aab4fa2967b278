"""The threads that do what is due: beside the web side (`serve`), or without it (`worker`)."""

from __future__ import annotations

from typing import Protocol

from newsletter.core.hand import Hand
from newsletter.flows import hear, mail
from newsletter.flows.desk import Desk
from newsletter.flows.tick import errands, promptly
from newsletter.web.press import Press
from newsletter.web.worker import Worker

_REST = 0.25  # seconds: nobody waits for so long at a mailbox, and what comes meanwhile is claimed together
_ERRANDS = 30.0  # seconds between looks whether somebody else is to be asked for something


class Lane(Protocol):
    """A thread that works, and can be woken."""

    def start(self) -> None:
        """Begin."""
        ...

    def wake(self) -> None:
        """There is something to do."""
        ...

    def stop(self) -> object:
        """End."""
        ...


class Lanes:
    """A thread for each: a confirmation never queues behind what providers tell by the thousand, nor behind a campaign,
    and none of them behind a mailbox or a list that somebody else is asked for.
    """

    def __init__(self, post: Lane, ear: Lane, *others: Lane) -> None:
        self._post, self._ear = post, ear
        self._workers = (post, ear, *others)

    def start(self) -> None:
        """Begin all."""
        for worker in self._workers:
            worker.start()

    def wake(self) -> None:
        """There is something to do."""
        for worker in self._workers:
            worker.wake()

    def post(self) -> None:
        """There is mail to send."""
        self._post.wake()

    def heard(self) -> None:
        """A provider told something."""
        self._ear.wake()

    def stop(self) -> None:
        """End all."""
        for worker in self._workers:
            worker.stop()


def everything(desk: Desk, every: float) -> Lanes:
    """All of them. In: how often, in seconds, each looks for what is due when nothing wakes it."""
    hand = Hand.of(desk.transactional.capabilities)
    return Lanes(
        Worker(lambda: mail.empty(desk, hand=hand), every, rest=_REST),
        Worker(lambda: hear.read(desk), every, rest=_REST),
        Worker(lambda: promptly(desk, post=False), every),
        Worker(lambda: errands(desk), max(every, _ERRANDS)),
        Press(desk, every),
    )
