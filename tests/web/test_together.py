from __future__ import annotations

import asyncio
from collections.abc import Sequence
from threading import Event

import pytest

from newsletter.errors import NotFound, StoreBusy
from newsletter.web.together import Together


def test_who_comes_while_others_are_served_is_served_with_the_next() -> None:
    groups: list[list[int]] = []
    first, go_on = Event(), Event()

    def work(group: Sequence[int]) -> list[Exception | None]:
        groups.append(list(group))
        first.set()
        assert go_on.wait(10)
        return [None] * len(group)

    async def come() -> None:
        take = Together[int](work)
        one = asyncio.create_task(take(0))
        await asyncio.to_thread(first.wait)
        others = [asyncio.create_task(take(number)) for number in range(1, 100)]
        await asyncio.sleep(0)
        go_on.set()
        await asyncio.gather(one, *others)

    asyncio.run(come())
    assert groups == [[0], list(range(1, 65)), list(range(65, 100))]  # no more than one may wait for


def served(work: object, *ones: int) -> list[object]:
    async def come() -> list[object]:
        take = Together[int](work)  # type: ignore[arg-type]
        return await asyncio.gather(*(take(one) for one in ones), return_exceptions=True)

    return asyncio.run(come())


def test_what_is_wrong_with_one_is_raised_to_whom_it_belongs() -> None:
    refused = NotFound("There is no such form.", "")
    assert served(lambda group: [refused if one == 2 else None for one in group], 1, 2, 3) == [None, refused, None]


def test_whoever_breaks_it_breaks_it_for_nobody_else() -> None:
    done: list[int] = []

    def work(group: Sequence[int]) -> list[Exception | None]:
        if 2 in group:
            raise ZeroDivisionError
        done.extend(group)
        return [None] * len(group)

    answers = served(work, 1, 2, 3)
    assert [type(answer) for answer in answers] == [type(None), ZeroDivisionError, type(None)]
    assert done == [1, 3]


def test_a_busy_database_is_not_asked_again_for_each() -> None:
    times: list[int] = []

    def work(group: Sequence[int]) -> list[Exception | None]:
        times.append(len(group))
        raise StoreBusy("locked", "")

    assert all(isinstance(answer, StoreBusy) for answer in served(work, 1, 2, 3))
    assert times == [3]


def test_whoever_goes_away_keeps_nobody_from_their_answer() -> None:
    async def come() -> None:
        take = Together[int](lambda group: [None] * len(group))
        gone = asyncio.create_task(take(1))
        stays = asyncio.create_task(take(2))
        await asyncio.sleep(0)
        gone.cancel()
        await stays
        with pytest.raises(asyncio.CancelledError):
            await gone
        await take(3)

    asyncio.run(come())
