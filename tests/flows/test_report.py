"""It went: the owner and the editors are told of it, each once, with numbers that can be checked."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from newsletter.content.words import words
from newsletter.core import address
from newsletter.core.campaign import CampaignState
from newsletter.core.consent import Newcomer, Reason, State
from newsletter.core.delivery import Status
from newsletter.core.email import fill
from newsletter.core.pace import Pace
from newsletter.core.publication import Publication
from newsletter.errors import WorkLeft
from newsletter.flows import owner
from newsletter.flows.desk import Desk
from newsletter.flows.ledger import cancel, resolve, turn
from newsletter.flows.report import left_out
from newsletter.flows.send import send
from newsletter.store import SqlStore
from newsletter.testing import Accept, Clock, CutAfter, FakeProvider, Reject, Retry
from tests.flows.readers import fake, readers

OWNER, EDITOR = "owner@quiet.example", "editor@quiet.example"


def furnished(store: SqlStore, make_desk: Callable[..., Desk], publication: Publication, letters: FakeProvider) -> Desk:
    return make_desk(
        store,
        provider=letters,
        transactional=FakeProvider(name="front door"),
        owner=OWNER,
        publication=replace(publication, editors=(EDITOR, OWNER)),
        pace=Pace(threads=1),
    )


@pytest.fixture
def house(sqlite_store: SqlStore, make_desk: Callable[..., Desk], publication: Publication) -> Callable[..., Desk]:
    return lambda *script, **how: furnished(sqlite_store, make_desk, publication, fake(*script, **how))


def told(desk: Desk) -> list[tuple[str, str, str]]:
    return [
        (one.address, fill(call.email.subject, {}), " ".join(fill(call.email.text, {}).split()))
        for call in desk.transactional.calls  # type: ignore[attr-defined]
        for one in call.batch.recipients
    ]


def test_owner_and_editors_are_told_once_who_has_it_who_does_not_and_why(house: Callable[..., Desk]) -> None:
    desk = house(Reject(["r1@x.test"], code="550 5.1.1"))
    readers(desk, 8)
    gone = desk.hmac(address.parse("r2@x.test"))
    with desk.store.begin() as tx:
        tx.audience.suppress(gone, Reason.UNSUBSCRIBED, desk.now())
        tx.audience.add([Newcomer("p@x.test", "a" * 32, "pp", "tp", State.PENDING, "en")], desk.now(), ["letter"])
    assert send("quiet", desk).finished
    mails = told(desk)
    assert sorted((to, subject) for to, subject, _ in mails) == [
        (EDITOR, "It went: A quiet week"),
        (OWNER, "It went: A quiet week"),
    ]
    text = mails[0][2]
    assert "“A quiet week” went to 6 people of 7." in text
    assert "Left out: 1 refused by their mail servers, 1 not confirmed, 1 left." in text
    assert "The first went on Tuesday 1 December at 09:30, the last at 09:30." in text
    assert "https://letters.quiet.example/archive/quiet" in text
    assert "@x.test" not in text  # promise 12
    owner.tell(desk)
    assert len(told(desk)) == 2


def test_the_checksum_is_that_of_the_ledger_and_any_change_of_a_row_shows(
    store: SqlStore, make_desk, publication
) -> None:
    desk = furnished(store, make_desk, publication, fake(Reject(["r1@x.test"])))
    readers(desk, 7)
    send("quiet", desk)
    with desk.store.read() as tx:
        campaign = tx.campaigns.by_key("quiet")
        assert campaign
        proof = tx.control.checksum(campaign.id, desk.now())
        rows = tx.audience._sql.exec_driver_sql(  # type: ignore[attr-defined]
            "SELECT d.subscriber_id, COALESCE(d.state, b.state) FROM deliveries d JOIN batches b "
            "ON b.campaign_id = d.campaign_id AND b.n = d.batch ORDER BY d.subscriber_id"
        ).all()
    assert [state for _, state in rows].count("failed") == 1
    assert proof == hashlib.sha256("".join(f"{number} {state}\n" for number, state in rows).encode()).hexdigest()
    assert f"checksum is {proof}" in told(desk)[0][2]
    with desk.store.begin() as tx:
        who = tx.audience.by_hmac(desk.hmac(address.parse("r2@x.test")))
        assert who
        tx.audience.erase(who)
        assert tx.control.checksum(campaign.id, desk.now()) == proof
        tx.audience._sql.exec_driver_sql(f"UPDATE deliveries SET state = 'failed' WHERE subscriber_id = {who.id}")  # type: ignore[attr-defined]
        assert tx.control.checksum(campaign.id, desk.now()) != proof


def test_what_is_not_finished_is_not_told_as_gone(house: Callable[..., Desk], clock: Clock) -> None:
    desk = house(Accept(), Retry(halt="quota"))
    readers(desk, 10)
    with pytest.raises(WorkLeft):
        send("quiet", desk)
    assert told(desk) == []
    clock.move(timedelta(minutes=30))
    send("quiet", desk)
    assert len(told(desk)) == 2


def test_a_campaign_that_a_word_settles_is_told_of_then(house: Callable[..., Desk]) -> None:
    desk = house(CutAfter(), reconcile="no")
    readers(desk, 3)
    assert not send("quiet", desk).finished
    assert told(desk) == []
    resolve("quiet", desk, as_=Status.SUBMITTED)
    owner.tell(desk)
    assert [subject for _, subject, _ in told(desk)] == ["It went: A quiet week"] * 2


def test_a_cancelled_letter_and_a_paused_one_are_told_as_what_they_are(house: Callable[..., Desk]) -> None:
    desk = house(Accept(), Retry(halt="quota"))
    readers(desk, 10)
    with pytest.raises(WorkLeft):
        send("quiet", desk)
    turn("quiet", desk, CampaignState.PAUSED)
    turn("quiet", desk, CampaignState.PAUSED)  # again: nothing to tell
    owner.tell(desk)
    assert [subject for _, subject, _ in told(desk)] == ["It was stopped: A quiet week"] * 2
    assert "5 of 10 people have it or are about to" in told(desk)[0][2]
    cancel("quiet", desk)
    owner.tell(desk)
    last = told(desk)[-1]
    assert last[1] == "It was cancelled: A quiet week"
    assert "went to 5 people of 10. Left out: 5 because it was cancelled." in last[2]
    assert "/archive/" not in last[2]


def test_it_is_told_after_a_crash_too_as_it_was_written_with_the_change(house: Callable[..., Desk]) -> None:
    desk = house()
    readers(desk, 3)
    down = replace(desk, transactional=FakeProvider(name="front door", script=[Retry(), Retry()]))
    assert send("quiet", down).finished
    with desk.store.read() as tx:
        waits = tx.brake.untold(desk.now() + timedelta(hours=1))
    assert {(one.kind, one.who) for one in waits} == {("report", "owner-0"), ("report", "editor-0")}


def test_without_anybody_to_tell_nothing_waits(house: Callable[..., Desk]) -> None:
    desk = house()
    readers(desk, 3)
    alone = replace(desk, owner="", publication=replace(desk.publication, editors=()))
    assert send("quiet", alone).finished
    with desk.store.read() as tx:
        assert tx.brake.untold(desk.now()) == []


def test_reasons_are_words_in_the_publications_language() -> None:
    left = {"unsubscribed": 2, "not subscribed to this": 1, "550 5.1.1 no such user": 4}
    assert left_out(left, words("en")) == "2 left, 1 not subscribed to this, 4 for another reason"
    assert left_out(left, words("es"), 3).startswith("3 rechazados por sus servidores de correo, 2 se dieron de baja")
    assert left_out({}, words("en")) == ""
