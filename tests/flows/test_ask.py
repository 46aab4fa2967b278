"""Asking those whom an import brought without proof: one mail each, once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from newsletter.core import address
from newsletter.core.consent import Mail, Signup, Subscriber
from newsletter.core.email import fill
from newsletter.core.publication import Limits
from newsletter.flows import audience, mail
from newsletter.flows.ask import ask
from newsletter.flows.desk import Desk
from newsletter.flows.signup import Request, confirm, signup
from newsletter.flows.tick import tick
from newsletter.store import SqlStore
from newsletter.testing import Clock, FakeProvider

_HOUR = timedelta(hours=1)


@pytest.fixture
def desk(sqlite_store: SqlStore, make_desk: Callable[..., Desk]) -> Desk:
    """Two mails an hour, and a topic beside the letter."""
    plain = make_desk(sqlite_store)
    limits = Limits(asks_per_hour=2)
    return replace(plain, publication=replace(plain.publication, limits=limits, topics={"trips": "Trips"}))


def bring(desk: Desk, folder: Path, *rows: str, head: str = "email", why: str = "") -> None:
    file = folder / "people.csv"
    file.write_text("\n".join([head, *rows]), "utf-8")
    audience.import_(file, desk, names={}, why=why)


def mailed(provider: FakeProvider) -> Counter[str]:
    return Counter(one.address for call in provider.calls for one in call.batch.recipients)


def who(desk: Desk, email: str) -> Subscriber:
    with desk.store.read() as tx:
        found = tx.audience.by_hmac(desk.hmac(address.parse(email)))
    assert found is not None
    return found


def asked(desk: Desk) -> Signup:
    with desk.store.read() as tx:
        found = tx.audience.signup(1)
    assert found is not None
    return found


def test_each_is_asked_once_and_spread_over_the_time(
    desk: Desk, clock: Clock, provider: FakeProvider, tmp_path: Path
) -> None:
    bring(desk, tmp_path, *(f"r{number}@x.test" for number in range(5)))
    would = ask(desk, dry_run=True)
    assert mailed(provider) == {}
    done = ask(desk)
    assert done == would
    assert (done.asked, done.left, done.last_at) == (5, 0, clock() + timedelta(hours=2))
    gone = []
    for _ in range(4):
        tick(desk)
        gone.append(mailed(provider).total())
        clock.move(_HOUR)
    assert gone == [1, 3, 5, 5]
    assert set(mailed(provider).values()) == {1}
    assert ask(desk).asked == 0


def test_when_all_is_due_at_once_the_cap_of_the_hour_still_holds(
    desk: Desk, clock: Clock, provider: FakeProvider, tmp_path: Path
) -> None:
    bring(desk, tmp_path, *(f"r{number}@x.test" for number in range(5)))
    ask(desk)
    clock.move(30 * _HOUR)  # nothing was running
    assert mail.empty(desk) == 2
    signup(Request("visitor@x.test"), desk)
    assert mail.empty(desk) == 1
    assert mailed(provider)["visitor@x.test"] == 1


def test_promise_8_the_answer_makes_a_reader_with_evidence_of_the_words(
    desk: Desk, provider: FakeProvider, tmp_path: Path
) -> None:
    bring(desk, tmp_path, "ann@x.test,letter;trips", head="email,topics")
    ask(desk)
    mail.empty(desk)
    (call,) = provider.calls
    (recipient,) = call.batch.recipients
    text = fill(call.email.text, dict(recipient.values))
    assert "brought along" in text
    assert "Trips" in text
    confirm(desk.links.confirm(asked(desk).id, asked(desk).gen, desk.now()).rpartition("/")[2], desk)
    shown = audience.show("ann@x.test", desk)
    assert (shown["state"], shown["topics"]) == ("active", ["letter", "trips"])
    request = shown["consent"][1]
    assert (request["kind"], request["form"], request["method"]) == ("request", "ask", "command")
    assert request["wording"].splitlines()[0] in text.replace("\n", " ")


@pytest.mark.parametrize("gone", ["left", "suppressed", "erased", "signed up"])
def test_promise_4_who_is_gone_or_came_meanwhile_is_not_asked(
    desk: Desk, clock: Clock, provider: FakeProvider, tmp_path: Path, gone: str
) -> None:
    bring(desk, tmp_path, "ann@x.test", "ben@x.test")
    ask(desk)
    if gone == "left":
        from newsletter.flows.leave import leave

        leave(who(desk, "ann@x.test").unsubscribe_token, desk, method="page")
    elif gone == "suppressed":
        audience.suppress("ann@x.test", desk)
    elif gone == "erased":
        audience.erase("ann@x.test", desk)
    else:
        confirm(desk.links.confirm(asked(desk).id, asked(desk).gen, desk.now()).rpartition("/")[2], desk)
    clock.move(3 * _HOUR)
    mail.empty(desk)
    assert mailed(provider) == {"ben@x.test": 1}


def test_nobody_is_asked_who_has_a_signup_or_a_reason_against_them(desk: Desk, tmp_path: Path) -> None:
    signup(Request("form@x.test"), desk)
    audience.add("added@x.test", desk)
    audience.add("reads@x.test", desk, why="asked")
    bring(desk, tmp_path, "stop@x.test", "new@x.test")
    audience.suppress("stop@x.test", desk)
    assert ask(desk, dry_run=True).asked == ask(desk).asked == 1
    with desk.store.read() as tx:
        assert tx.queue.holds_for(3, Mail.ASK)


def test_no_more_are_asked_than_go_before_they_are_forgotten(desk: Desk, tmp_path: Path) -> None:
    short = replace(desk.publication, retention=replace(desk.publication.retention, pending_days=1))
    desk = replace(desk, publication=short)
    bring(desk, tmp_path, *(f"r{number}@x.test" for number in range(50)))
    assert (ask(desk, dry_run=True).left, ask(desk).left) == (2, 2)
    assert ask(desk).asked == 2


def test_who_does_not_answer_is_not_reminded_and_is_forgotten(
    desk: Desk, clock: Clock, provider: FakeProvider, tmp_path: Path
) -> None:
    bring(desk, tmp_path, "ann@x.test")
    ask(desk)
    for days in (1, 1, 1, 20, 20, 20):
        tick(desk)
        clock.move(days * 24 * _HOUR)
    assert mailed(provider) == {"ann@x.test": 1}
    assert audience.stats(desk)["all"] == 0
