"""Those who come while others are being served are served next, all at once: they share a thread and a transaction."""

from __future__ import annotations

from asyncio import Future, Task, create_task, get_running_loop, sleep
from collections import deque
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

from starlette.concurrency import run_in_threadpool

from newsletter.errors import WorkLeft

One = TypeVar("One")
_MOMENT = 0.002  # seconds for others to come with the first: much less than the disk takes, which they then share
_MOST = 64  # at once: whoever waits for the database waits no longer than for so many


class Together(Generic[One]):
    """Hands what comes to `work`, in the order it comes, one group at a time.

    In: `work`, called in a thread of its own with some of them; what it answers for each is None, or what is wrong
    with it. Whatever it raises for a group is not the fault of all: each is then tried alone.
    """

    def __init__(self, work: Callable[[Sequence[One]], Sequence[Exception | None]]) -> None:
        self._work = work
        self._waiting: deque[tuple[One, Future[None]]] = deque()
        self._serving: Task[None] | None = None

    async def __call__(self, one: One) -> None:
        """Wait until it is done. Raises: what is wrong with it; WorkLeft when nobody's could be done now."""
        done: Future[None] = get_running_loop().create_future()
        self._waiting.append((one, done))
        if self._serving is None:
            self._serving = create_task(self._serve())
        await done

    async def _serve(self) -> None:
        try:
            await sleep(_MOMENT)
            while self._waiting:
                group = [self._waiting.popleft() for _ in range(min(_MOST, len(self._waiting)))]
                answers = await run_in_threadpool(self._answers, [one for one, _ in group])
                for (_, done), answer in zip(group, answers, strict=True):
                    if done.done():
                        continue  # who asked has gone away
                    if answer is None:
                        done.set_result(None)
                    else:
                        done.set_exception(answer)
        finally:
            self._serving = None

    def _answers(self, group: Sequence[One]) -> Sequence[Exception | None]:
        try:
            return self._work(group)
        except Exception as problem:  # noqa: BLE001 -- it is told to whom it belongs
            if len(group) == 1 or isinstance(problem, WorkLeft):
                return [problem] * len(group)
        return [answer for one in group for answer in self._answers([one])]
