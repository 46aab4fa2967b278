"""Several at once, on both databases: whoever comes second sees what the first has done."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest

from newsletter.core import address
from newsletter.core.consent import State, Subscriber
from newsletter.errors import LinkRefused
from newsletter.flows import audience
from newsletter.flows.desk import Desk
from newsletter.flows.leave import leave
from newsletter.flows.signup import Request, confirm, signup
from newsletter.store import SqlStore

ANN = "ann@x.test"
ROUNDS = 8


@pytest.fixture
def desk(store: SqlStore, make_desk: Callable[..., Desk]) -> Desk:
    return make_desk(store)


def together(*acts: Callable[[], object]) -> list[BaseException]:
    """Do all of them at the same moment. Out: what they raised."""
    ready = Barrier(len(acts))

    def act(one: Callable[[], object]) -> BaseException | None:
        ready.wait(10)
        try:
            one()
        except Exception as problem:  # noqa: BLE001 -- that is what is looked at
            return problem
        return None

    with ThreadPoolExecutor(len(acts)) as pool:
        return [problem for problem in pool.map(act, acts) if problem is not None]


def who(desk: Desk, email: str = ANN) -> Subscriber:
    with desk.store.read() as tx:
        found = tx.audience.by_hmac(desk.hmac(address.parse(email)))
    assert found is not None
    return found


def kinds(desk: Desk, email: str = ANN) -> list[str]:
    with desk.store.read() as tx:
        return [event["kind"] for event in tx.audience.evidence(who(desk, email).pid)]


def latest_link(desk: Desk, email: str) -> str:
    """A confirm link of the latest signup of an address (its mail would hold the same)."""
    subscriber = who(desk, email)
    with desk.store.begin() as tx:
        signup_id = tx.audience.add_signup(
            subscriber, form="workbook", magnet="workbook", topics=("letter",), lang="en", wording="", now=desk.now()
        )
    return desk.links.confirm(signup_id, subscriber.gen, desk.now()).rpartition("/")[2]


def test_signups_for_one_new_address_at_once_make_one_subscriber(desk: Desk) -> None:
    for number in range(ROUNDS):
        asked = Request(f"new{number}@x.test", letter=True)
        assert together(*[lambda asked=asked: signup(asked, desk)] * 4) == []
        assert kinds(desk, asked.email) == ["request"] * 4
    assert audience.stats(desk)["all"] == ROUNDS
    with desk.store.read() as tx:
        assert tx.queue.numbers() == {"waiting": ROUNDS}  # the cap counts each of them


def test_promise_8_confirming_at_once_is_one_event(desk: Desk) -> None:
    for number in range(ROUNDS):
        email = f"new{number}@x.test"
        signup(Request(email, letter=True), desk)
        link = latest_link(desk, email)
        assert together(*[lambda link=link: confirm(link, desk)] * 3) == []
        assert kinds(desk, email) == ["request", "confirm"]


def test_promise_4_leaving_and_confirming_at_once_never_ends_active_after_the_withdrawal(desk: Desk) -> None:
    for number in range(ROUNDS):
        email = f"new{number}@x.test"
        signup(Request(email, letter=True), desk)
        confirm(latest_link(desk, email), desk)
        link, way_out = latest_link(desk, email), who(desk, email).unsubscribe_token
        problems = together(
            lambda link=link: confirm(link, desk),
            lambda way_out=way_out: leave(way_out, desk, method="one-click"),
        )
        assert all(isinstance(problem, LinkRefused) for problem in problems)
        assert who(desk, email).state is State.UNSUBSCRIBED
        assert kinds(desk, email)[-1] == "withdraw"


def test_erasing_and_signing_up_at_once_leaves_a_whole_row_or_none(desk: Desk) -> None:
    for number in range(ROUNDS):
        email = f"new{number}@x.test"
        signup(Request(email, letter=True), desk)
        asked = Request(email)
        assert together(lambda e=email: audience.erase(e, desk), lambda a=asked: signup(a, desk)) == []


def test_an_owners_word_and_the_readers_do_not_overwrite_each_other(desk: Desk) -> None:
    for number in range(ROUNDS):
        email = f"new{number}@x.test"
        audience.add(email, desk, why="asked")
        way_out = who(desk, email).unsubscribe_token
        acts = (lambda e=email: audience.suppress(e, desk), lambda w=way_out: leave(w, desk, method="page"))
        assert together(*acts, *acts) == []
        audience.unsuppress(email, desk, why="a mistake")
        assert audience.show(email, desk)["suppressed"] == "unsubscribed"
