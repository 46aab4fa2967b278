"""The lists of providers and ours, compared both ways against strict emulations, over real HTTP."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from newsletter.app import App, open_app
from newsletter.core import address
from newsletter.core.consent import Newcomer, State
from newsletter.flows import audience, suppressions
from newsletter.flows.lift import lift
from newsletter.flows.suppressions import Synced
from tests.providers.test_emulations import CASES, SETTINGS, Case, environment

LISTS = [one for one in CASES if not one.name_]
READERS = 9
LONG_AGO = datetime(1969, 1, 1, tzinfo=UTC)  # before every entry the emulations know


@pytest.fixture(params=LISTS, ids=lambda case: case.name)
def case(request: pytest.FixtureRequest) -> Case:
    found: Case = request.param
    return found


@pytest.fixture
def there(case: Case) -> Iterator[Any]:
    with closing(case.emulator()) as emulator:
        yield emulator


@pytest.fixture
def app(case: Case, there: Any, tmp_path: Path, sqlite_template: Path) -> Iterator[App]:
    (tmp_path / "var").mkdir(mode=0o700)
    shutil.copy(sqlite_template, tmp_path / "var/newsletter.db")
    (tmp_path / "newsletter.yml").write_text(SETTINGS, "utf-8")
    with open_app(tmp_path, environment(case, there)) as opened:
        yield opened


def agreed(app: App, at: datetime) -> None:
    """Readers r0, r1, ... who agreed at a moment."""
    people = [
        Newcomer(f"r{n}@x.test", app.desk.hmac(address.parse(f"r{n}@x.test")), f"p{n}", f"t{n}", State.ACTIVE, "en")
        for n in range(READERS)
    ]
    with app.store.begin() as tx:
        tx.audience.add(people, at, ["letter"])


def states(app: App) -> dict[str, State]:
    """Who is not active any more."""
    with app.store.read() as tx:
        return {who.email: who.state for who in tx.audience.each() if who.state is not State.ACTIVE}


def one(app: App, **how: bool) -> Synced:
    return suppressions.sync(app.desk, **how)[0]


def test_what_stands_on_its_list_is_obeyed_once(app: App, there: Any) -> None:
    agreed(app, LONG_AGO)
    strangers = {f"s{n}@x.test" for n in range(120)}  # more than a page of most lists
    there.suppressed = {"r1@x.test", "r5@x.test"} | strangers
    looked = one(app, dry_run=True)
    assert (looked.entries, looked.stopped, states(app)) == (122, 2, {})
    done = one(app)
    assert (done.entries, done.stopped, done.lifted, done.trouble) == (122, 2, 0, "")
    assert states(app) == {"r1@x.test": State.BOUNCED, "r5@x.test": State.BOUNCED}
    last = audience.show("r5@x.test", app.desk)["consent"][-1]
    assert (last["kind"], last["method"], last["source"]) == ("bounce", "list", app.desk.provider.name)
    assert one(app, everything=True).stopped == 0
    assert there.broken == []


def test_what_is_older_than_a_renewed_consent_is_taken_off(app: App, there: Any) -> None:
    agreed(app, datetime(2026, 6, 1, tzinfo=UTC))
    there.suppressed = {"r5@x.test", "r7@x.test", "stranger@x.test"}
    done = one(app)
    assert (done.stopped, done.lifted, states(app)) == (0, 2, {})
    assert lift(app.desk) == 2
    assert there.suppressed == {"stranger@x.test"}
    assert there.broken == []


def test_who_stops_with_us_is_put_on_its_list(app: App, there: Any) -> None:
    can = app.desk.provider.capabilities
    agreed(app, datetime(2026, 6, 1, tzinfo=UTC))
    with app.store.begin() as tx:
        for number, state in ((1, State.COMPLAINED), (2, State.UNSUBSCRIBED), (3, State.BOUNCED)):
            tx.audience.move(number + 1, state, app.desk.now())
    wanted = {"r1@x.test": "complaint", "r2@x.test": "unsubscribe", "r3@x.test": "bounce"}
    held = {who for who, why in wanted.items() if why == "complaint" or why in can.holds}
    held = held if "add" in can.suppressions else set()
    assert one(app, dry_run=True).put == len(held)
    assert there.suppressed == set()
    assert one(app).put == len(held)
    assert there.suppressed | getattr(there, "unsubscribed", set()) == held
    assert one(app).put == 0
    assert there.broken == []


def test_promise_12_a_list_that_does_not_answer_is_told_without_an_address(
    app: App, there: Any, caplog: pytest.LogCaptureFixture
) -> None:
    there.key = "another"
    agreed(app, LONG_AGO)
    found = one(app)
    assert found.trouble
    assert "@" not in found.trouble + caplog.text
    later = replace(app.desk, now=lambda: datetime(2026, 12, 1, tzinfo=UTC))
    assert suppressions.sync(later)[0].trouble
