"""One more copy to a reader who asked: the frozen mail, once a day, beside the ledger."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from newsletter.core import address
from newsletter.core.campaign import CampaignState
from newsletter.core.consent import Reason
from newsletter.core.delivery import Status
from newsletter.core.email import fill
from newsletter.core.pace import Pace
from newsletter.errors import NotApproved, NotFound, NothingToDo, WorkLeft
from newsletter.flows import audience
from newsletter.flows.desk import Desk
from newsletter.flows.leave import leave
from newsletter.flows.ledger import cancel, status, turn, turn_all
from newsletter.flows.resend import resend
from newsletter.flows.send import send
from newsletter.store import SqlStore
from newsletter.testing import Accept, Clock, CutAfter, CutBefore, FakeProvider, Reject, Retry
from tests.flows.readers import fake, readers

Make = Callable[..., Desk]


@pytest.fixture
def sent(make_desk: Make, sqlite_store: SqlStore) -> Desk:
    return ready(make_desk, sqlite_store)


def ready(make_desk: Make, store: SqlStore) -> Desk:
    desk = make_desk(store, provider=fake(), pace=Pace(threads=1))
    readers(desk, 3)
    assert send("quiet", desk).finished
    return desk


def through(desk: Desk) -> FakeProvider:
    assert isinstance(desk.provider, FakeProvider)
    return desk.provider


def copies(desk: Desk) -> list[tuple[object, ...]]:
    with desk.store.read() as tx:
        rows = tx.audience._sql.exec_driver_sql("SELECT state, why, provider FROM resends ORDER BY id").all()  # type: ignore[attr-defined]
        return [tuple(row) for row in rows]


def test_a_reader_gets_the_frozen_mail_once_more(make_desk: Make, store: SqlStore, root: Path) -> None:
    desk = ready(make_desk, store)
    file = root / "issues/2026-12-01-quiet.md"
    file.write_text(file.read_text("utf-8").replace("about rest", "about noise"), "utf-8")
    before = status("quiet", desk)[1]
    copy = resend("quiet", "R1@x.test", desk, why="she cannot find it, says r1@x.test")
    assert copy.outcome.status is Status.SUBMITTED
    call = through(desk).calls[-1]
    (reader,) = call.batch.recipients
    assert (reader.address, reader.values["first_name"]) == ("r1@x.test", "N1")
    assert reader.unsubscribe_url == "https://letters.quiet.example/unsubscribe/t1"
    assert reader.key.startswith("again-")
    assert reader.key == call.key
    assert "about rest" in fill(call.email.text, reader.values)
    assert status("quiet", desk)[1] == before  # the campaign's own rows stay
    assert copies(desk) == [("submitted", "she cannot find it, says …", "fake")]
    told = audience.show("r1@x.test", desk)["copies"]  # hers to know
    assert told == [
        {"campaign": "quiet", "at": "2026-12-01T17:30:00Z", "why": "she cannot find it, says …", "state": "submitted"}
    ]
    assert audience.show("r0@x.test", desk)["copies"] == []


def test_once_a_day_and_each_reader_for_themselves(sent: Desk, clock: Clock) -> None:
    resend("quiet", "r1@x.test", sent, why="lost")
    resend("quiet", "r2@x.test", sent, why="lost")
    clock.move(24 * 3600 - 1)
    with pytest.raises(NotApproved, match="there is one a day") as told:
        resend("quiet", "r1@x.test", sent, why="lost again")
    assert "x.test" not in str(told.value)
    clock.move(1)
    resend("quiet", "r1@x.test", sent, why="lost again")
    assert through(sent).addresses == {"r0@x.test": 1, "r1@x.test": 3, "r2@x.test": 2}


@pytest.mark.parametrize(
    ("step", "state", "spent"),
    [
        (CutAfter(), Status.UNKNOWN, True),
        (CutBefore(), Status.UNKNOWN, True),
        (Reject(["r1@x.test"]), Status.REJECTED, True),
        (Retry(), Status.RETRY, False),
    ],
)
def test_whatever_may_have_left_was_todays_copy(sent: Desk, step: object, state: Status, *, spent: bool) -> None:
    through(sent).then(step)  # type: ignore[arg-type]
    assert resend("quiet", "r1@x.test", sent, why="lost").outcome.status is state
    calls = len(through(sent).calls)
    if spent:
        with pytest.raises(NotApproved):
            resend("quiet", "r1@x.test", sent, why="lost")
        assert len(through(sent).calls) == calls
    else:
        assert resend("quiet", "r1@x.test", sent, why="lost").outcome.status is Status.SUBMITTED


def test_promise_3_a_copy_is_written_down_before_it_leaves(sent: Desk) -> None:
    class Dying(FakeProvider):
        def submit(self, *args: object, **how: object):
            assert copies(sent) == [("claimed", "lost", "fake")]
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        resend("quiet", "r1@x.test", replace(sent, provider=Dying()), why="lost")
    with pytest.raises(NotApproved, match="one a day"):
        resend("quiet", "r1@x.test", sent, why="lost")


def test_promise_4_only_to_active_readers(sent: Desk) -> None:
    leave("t1", sent, method="one-click")
    with sent.store.begin() as tx:
        tx.audience.suppress(sent.hmac(address.parse("r2@x.test")), Reason.BOUNCED, sent.now())
    calls = len(through(sent).calls)
    for who in ("r1@x.test", "r2@x.test"):
        with pytest.raises(NotApproved, match="not active"):
            resend("quiet", who, sent, why="asked")
    with pytest.raises(NotFound, match="no subscriber"):
        resend("quiet", "stranger@x.test", sent, why="asked")
    assert len(through(sent).calls) == calls


def test_a_newcomer_who_asks_gets_it_too(sent: Desk) -> None:
    readers(sent, 1, first=9)
    assert resend("quiet", "r9@x.test", sent, why="read about it").outcome.status is Status.SUBMITTED


def test_not_while_the_readers_own_is_to_come_nor_when_sending_is_held(make_desk: Make, sqlite_store: SqlStore) -> None:
    provider = fake(Accept(), Retry(after=3600))
    desk = make_desk(sqlite_store, provider=provider, pace=Pace(threads=1))
    readers(desk, 10)
    send("quiet", desk)
    with pytest.raises(NothingToDo, match="still to go"):
        resend("quiet", "r7@x.test", desk, why="where is it")
    turn_all(desk, paused=True)
    with pytest.raises(WorkLeft, match="All sending is paused"):
        resend("quiet", "r1@x.test", desk, why="lost")
    turn_all(desk, paused=False)
    turn("quiet", desk, CampaignState.PAUSED)
    with pytest.raises(WorkLeft, match="quiet is paused"):
        resend("quiet", "r1@x.test", desk, why="lost")
    cancel("quiet", desk)
    with pytest.raises(NotApproved, match="cancelled"):
        resend("quiet", "r1@x.test", desk, why="lost")
    assert len(provider.calls) == 2
    assert copies(desk) == []


def test_nothing_was_sent_nothing_is_sent_again(make_desk: Make, sqlite_store: SqlStore) -> None:
    with pytest.raises(NotFound, match="not been sent"):
        resend("quiet", "r1@x.test", make_desk(sqlite_store), why="lost")


def test_promise_9_an_erased_reader_leaves_no_copy(make_desk: Make, store: SqlStore) -> None:
    desk = ready(make_desk, store)
    resend("quiet", "r1@x.test", desk, why="lost")
    audience.erase("r1@x.test", desk)
    assert copies(desk) == []
