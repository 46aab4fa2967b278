"""One reminder to who has not answered, and to nobody else."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from newsletter.core import address
from newsletter.core.consent import Mail, Reason, State
from newsletter.core.email import fill
from newsletter.core.publication import Limits, Publication
from newsletter.errors import LinkExpired
from newsletter.flows import audience
from newsletter.flows.desk import Desk
from newsletter.flows.gate import CROWD, Visit
from newsletter.flows.leave import leave
from newsletter.flows.remind import AFTER, LATEST, remind
from newsletter.flows.signup import Request, confirm, refuse, signup
from newsletter.flows.tick import tick
from newsletter.store import SqlStore
from newsletter.testing import Clock, CutAfter, FakeProvider

Make = Callable[..., Desk]
ANN = "ann@x.test"


@pytest.fixture
def either(store: SqlStore, make_desk: Make) -> Desk:
    """A desk on each kind of database."""
    return make_desk(store)


def asked(desk: Desk, email: str = ANN, **fields: object) -> None:
    signup(Request(email, **fields), desk)  # type: ignore[arg-type]
    tick(desk)


def kinds(provider: FakeProvider, email: str = ANN) -> list[str]:
    return [str(call.batch.tag) for call in provider.calls if call.batch.recipients[0].address == email]


def link(provider: FakeProvider) -> str:
    text = fill(provider.calls[-1].email.text, {})
    found = re.search(r"/confirm/(\S+)", text)
    assert found, text
    return found[1]


def test_after_a_day_there_is_one_reminder_and_no_other_ever(
    either: Desk, provider: FakeProvider, clock: Clock
) -> None:
    asked(either, letter=True)
    clock.move(AFTER - timedelta(minutes=1))
    tick(either)
    assert kinds(provider) == ["confirm"]
    clock.move(timedelta(minutes=10))
    tick(either)
    assert kinds(provider) == ["confirm", "remind"]
    for _ in range(20):
        clock.move(timedelta(hours=30))
        tick(either)
    assert kinds(provider) == ["confirm", "remind"]


def test_its_button_is_as_good_as_the_first(desk: Desk, provider: FakeProvider, clock: Clock) -> None:
    asked(desk, letter=True)
    clock.move(AFTER)
    tick(desk)
    clock.move(timedelta(days=6))
    done = confirm(link(provider), desk)
    assert (done.magnet, done.topics) == ("workbook", ("letter",))
    assert audience.show(ANN, desk)["state"] is State.ACTIVE


@pytest.mark.parametrize(("lang", "subject"), [("en", "Still waiting for your word"), ("es", "Falta su palabra")])
def test_it_says_what_waits_in_the_language_it_was_asked_in(
    desk: Desk, provider: FakeProvider, clock: Clock, lang: str, subject: str
) -> None:
    asked(desk, lang=lang)
    clock.move(AFTER)
    tick(desk)
    email = provider.calls[-1].email
    assert fill(email.subject, {}).startswith(subject)
    assert "Workbook" not in fill(email.subject, {})
    text = " ".join(fill(email.text, {}).split())
    assert "The Workbook" in text
    assert ANN not in text


def confirmed(desk: Desk, provider: FakeProvider) -> None:
    confirm(link(provider), desk)


def not_me(desk: Desk, provider: FakeProvider) -> None:
    refuse(link(provider), desk)


def left(desk: Desk, provider: FakeProvider) -> None:
    with desk.store.read() as tx:
        who = tx.audience.by_hmac(desk.hmac(address.parse(ANN)))
    assert who
    leave(who.unsubscribe_token, desk, method="one-click")


def erased(desk: Desk, provider: FakeProvider) -> None:
    audience.erase(ANN, desk)


def suppressed(desk: Desk, provider: FakeProvider) -> None:
    audience.suppress(ANN, desk)


def complained(desk: Desk, provider: FakeProvider) -> None:
    with desk.store.begin() as tx:
        tx.audience.suppress(desk.hmac(address.parse(ANN)), Reason.COMPLAINED, desk.now())


ENDS = (confirmed, not_me, left, erased, suppressed, complained)


@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("waiting", [False, True])
def test_promise_4_none_to_who_has_answered_left_or_is_gone(
    desk: Desk, provider: FakeProvider, clock: Clock, end: Callable[[Desk, FakeProvider], None], waiting: bool
) -> None:
    """Whether it happens before the reminder was let wait, or after."""
    asked(desk)
    if waiting:
        clock.move(AFTER)
        assert remind(desk) == 1
    end(desk, provider)
    clock.move(AFTER)
    tick(desk)
    clock.move(AFTER)
    tick(desk)
    assert "remind" not in kinds(provider)


def test_who_left_and_asks_anew_is_not_pressed(desk: Desk, provider: FakeProvider, clock: Clock) -> None:
    asked(desk)
    confirmed(desk, provider)
    tick(desk)
    left(desk, provider)
    clock.move(timedelta(hours=1))
    asked(desk)
    clock.move(AFTER)
    tick(desk)
    assert kinds(provider) == ["confirm", "workbook", "confirm"]


def test_who_asked_twice_is_reminded_of_the_last_alone(either: Desk, provider: FakeProvider, clock: Clock) -> None:
    asked(either)
    clock.move(timedelta(hours=20))
    asked(either, letter=True)
    clock.move(timedelta(hours=5))
    tick(either)
    assert kinds(provider) == ["confirm", "confirm"]
    clock.move(timedelta(hours=20))
    tick(either)
    assert kinds(provider) == ["confirm", "confirm", "remind"]
    assert confirm(link(provider), either).topics == ("letter",)


def test_a_mailbox_is_reminded_within_its_caps(desk: Desk, provider: FakeProvider, clock: Clock) -> None:
    for _ in range(20):
        asked(desk)
        clock.move(AFTER + timedelta(minutes=10))
        tick(desk)
    week = 7 * timedelta(days=1) / (AFTER + timedelta(minutes=10))
    assert len(kinds(provider)) <= 6 * (20 / week + 1)


def test_promise_1_two_who_look_at_once_remind_once(either: Desk, provider: FakeProvider, clock: Clock) -> None:
    """Both have seen that it is due; the second decides after the first has written."""
    asked(either)
    clock.move(AFTER)

    class Late:
        """A store that another process is quicker than, once."""

        def __init__(self) -> None:
            self.done = False

        def __getattr__(self, name: str) -> object:
            if name == "begin" and not self.done:
                self.done = True
                assert remind(either) == 1
            return getattr(either.store, name)

    assert remind(replace(either, store=Late())) == 0  # type: ignore[arg-type]
    tick(either)
    assert kinds(provider) == ["confirm", "remind"]


def test_promise_3_a_reminder_whose_answer_was_lost_is_not_sent_twice(
    desk: Desk, provider: FakeProvider, clock: Clock
) -> None:
    asked(desk)
    clock.move(AFTER)
    provider.then(CutAfter())
    for _ in range(8):
        tick(desk)
        clock.move(timedelta(minutes=30))
    assert provider.twice == []
    assert kinds(provider) == ["confirm", "remind"]


def test_what_was_missed_for_days_is_not_made_up_for(desk: Desk, provider: FakeProvider, clock: Clock) -> None:
    asked(desk)
    clock.move(LATEST + timedelta(minutes=1))
    tick(desk)
    assert kinds(provider) == ["confirm"]


def test_a_crowd_from_one_network_is_not_reminded(desk: Desk, provider: FakeProvider, clock: Clock) -> None:
    few = CROWD[0][1]
    for number in range(few + 2):
        signup(Request(f"ann@x{number}.test", visit=Visit(network="192.0.2.7")), desk)
    tick(desk)
    clock.move(AFTER)
    tick(desk)
    assert sum(call.batch.tag == "remind" for call in provider.calls) == few


def test_it_waits_while_the_door_is_pressed_and_people_go_first(
    sqlite_store: SqlStore, make_desk: Make, publication: Publication, provider: FakeProvider, clock: Clock
) -> None:
    desk = make_desk(sqlite_store, publication=replace(publication, limits=Limits(4, 40)), owner="owner@x.test")
    asked(desk)
    clock.move(AFTER)
    for number in range(3):
        signup(Request(f"new@x{number}.test"), desk)
    tick(desk)
    tick(desk)
    tags = [call.batch.tag for call in provider.calls]
    assert (tags.count("confirm"), tags.count("remind"), tags.count("full")) == (4, 0, 0)  # the owner is not troubled
    clock.move(timedelta(hours=1, minutes=1))
    tick(desk)
    assert kinds(provider) == ["confirm", "remind"]


def test_a_short_retention_leaves_its_row_to_its_link(
    sqlite_store: SqlStore, make_desk: Make, publication: Publication, provider: FakeProvider, clock: Clock
) -> None:
    short = replace(publication, retention=replace(publication.retention, pending_days=2))
    desk = make_desk(sqlite_store, publication=short)
    asked(desk)
    clock.move(AFTER)
    tick(desk)
    token = link(provider)
    clock.move(timedelta(days=6, hours=23))
    tick(desk)
    assert confirm(token, desk).magnet == "workbook"
    clock.move(timedelta(days=1))
    with pytest.raises(LinkExpired):
        confirm(token, desk)


def test_the_owners_own_hand_is_reminded_of_too(desk: Desk, provider: FakeProvider, clock: Clock) -> None:
    audience.add(ANN, desk)
    tick(desk)
    clock.move(AFTER)
    tick(desk)
    assert kinds(provider) == [Mail.CONFIRM, Mail.REMIND]
