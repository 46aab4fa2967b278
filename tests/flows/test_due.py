"""`send --due`: what goes by itself, in its own time, and what never does."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from threading import Event

import pytest

from newsletter.core.campaign import CampaignState
from newsletter.core.pace import Pace
from newsletter.core.publication import Publication
from newsletter.errors import ContentError, NotApproved, SettingsError
from newsletter.flows.desk import Desk
from newsletter.flows.due import Due, by_itself, due, go
from newsletter.flows.ledger import cancel, turn
from newsletter.flows.send import send
from newsletter.store import SqlStore
from newsletter.testing import Accept, Clock, Retry
from tests.flows.readers import fake, readers

Make = Callable[..., Desk]


@pytest.fixture
def house(make_desk: Make, sqlite_store: SqlStore, publication: Publication) -> Desk:
    """Letters go out at 09:30; it is half past nine in Los Angeles on 1 December 2026."""
    daily = replace(publication, send_at=time(9, 30))
    desk = make_desk(sqlite_store, provider=fake(), publication=daily, pace=Pace(threads=1))
    readers(desk, 3)
    return desk


def issue(desk: Desk, day: str, name: str, **changes: str) -> Path:
    text = (desk.root / "issues/2026-12-01-quiet.md").read_text("utf-8")
    changed = text.replace("2026-12-01", day).replace("about rest", f"about {name}")
    for before, after in changes.items():
        changed = changed.replace(before, after)
    file = desk.root / f"issues/{day}-{name}.md"
    file.write_text(changed, "utf-8")
    return file


def keys(desk: Desk) -> list[str]:
    return [one.key for one in due(desk)]


def at(desk: Desk, moment: str) -> None:
    desk.now.move(datetime.fromisoformat(moment) - desk.now())  # type: ignore[attr-defined]


def test_an_issue_is_due_when_its_time_has_come_and_stays_so_until_it_is_sent(house: Desk) -> None:
    issue(house, "2026-12-02", "later")
    issue(house, "2026-12-01", "draft", false="true")
    at(house, "2026-12-01T17:29:59Z")
    assert keys(house) == []
    at(house, "2026-12-01T17:30:00Z")
    (found,) = due(house)
    assert found == Due(
        "quiet", str(house.root / "issues/2026-12-01-quiet.md"), datetime(2026, 12, 1, 17, 30, tzinfo=UTC)
    )
    assert keys(house) == ["quiet"]
    assert send(found.name, house).finished
    assert keys(house) == []


def test_they_come_in_the_order_of_their_times(house: Desk) -> None:
    for name, minute in (("third", 20), ("second", 10)):
        file = issue(house, "2026-12-01", name)
        file.write_text(file.read_text("utf-8").replace("draft:", f'send_at: "09:{minute}"\ndraft:'), "utf-8")
    assert keys(house) == ["second", "third", "quiet"]


def test_what_was_begun_goes_on_first_though_its_file_is_gone(house: Desk) -> None:
    stopped = replace(house, provider=fake(Retry(after=3600)))
    send("quiet", stopped)
    (house.root / "issues/2026-12-01-quiet.md").rename(house.root / "issues/_kept.md")
    file = house.root / "issues/_kept.md"
    (house.root / "issues/2026-12-01-other.md").write_text(file.read_text("utf-8"), "utf-8")
    assert keys(house) == ["quiet", "other"]
    at(house, "2026-12-01T18:30:01Z")
    assert send(due(house)[0].name, house).finished
    assert keys(house) == ["other"]


def test_what_was_paused_or_cancelled_does_not_begin_again_by_itself(house: Desk) -> None:
    send("quiet", replace(house, provider=fake(Retry(after=3600))))
    turn("quiet", house, CampaignState.PAUSED)
    assert keys(house) == []
    cancel("quiet", house)  # nothing had left
    assert keys(house) == []


def test_a_late_one_is_refused_and_the_others_go(house: Desk) -> None:
    send("quiet", house)
    issue(house, "2026-12-03", "missed")
    issue(house, "2026-12-04", "fine")
    at(house, "2026-12-04T18:00:00Z")
    missed, fine = due(house)
    assert isinstance(missed.refused, NotApproved)
    assert "longer ago than max_lateness" in missed.refused.what
    assert "newsletter send missed --yes" in missed.refused.todo
    assert (fine.key, fine.refused) == ("fine", None)


# --- an empty ledger beside a full folder mails nobody ------------------------------------------------


def test_promise_1_an_empty_ledger_beside_older_issues_refuses_and_lists_them(house: Desk) -> None:
    issue(house, "2026-11-17", "oldest")
    issue(house, "2026-11-24", "older")
    with pytest.raises(NotApproved) as told:
        due(house)
    assert "2 earlier issues are ready" in told.value.what
    assert "oldest, due at 2026-11-17T17:30:00Z" in told.value.what
    assert "quiet" not in told.value.what
    assert "first_send" in told.value.todo
    first = replace(house, publication=replace(house.publication, first_send=date(2026, 12, 1)))
    assert keys(first) == ["quiet"]  # they are for the archive
    send("quiet", first)
    assert [one.key for one in due(house) if one.refused] == ["oldest", "older"]  # a ledger that knows something


def test_an_issue_of_the_day_before_is_older_however_late_it_may_be(house: Desk) -> None:
    patient = replace(house, pace=replace(house.pace, max_lateness=house.pace.max_lateness * 20))
    issue(house, "2026-11-30", "yesterday")
    with pytest.raises(NotApproved, match="1 earlier issue is ready"):
        due(patient)


def test_a_first_issue_alone_that_is_late_refuses_too(house: Desk) -> None:
    at(house, "2026-12-09T00:00:00Z")
    with pytest.raises(NotApproved, match="quiet, due at"):
        due(house)


# --- trouble --------------------------------------------------------------------------------------------


def test_an_issue_nobody_can_read_is_told_on_its_day(house: Desk) -> None:
    send("quiet", house)
    for day in ("2026-12-02", "2026-12-03"):
        (house.root / f"issues/{day}-broken.md").write_text("no issue", "utf-8")
    at(house, "2026-12-02T12:00:00Z")
    (found,) = due(house)
    assert found.name.endswith("2026-12-02-broken.md")
    assert isinstance(found.refused, ContentError)
    after = replace(house, publication=replace(house.publication, first_send=date(2026, 12, 3)))
    assert due(after) == []


def test_a_time_that_does_not_exist_is_told(house: Desk) -> None:
    send("quiet", house)
    file = issue(house, "2027-03-14", "gap")
    file.write_text(file.read_text("utf-8").replace("draft:", 'send_at: "02:30"\ndraft:'), "utf-8")
    (found,) = due(house)
    assert found.key == "gap"
    assert isinstance(found.refused, SettingsError)
    assert "does not exist on 2027-03-14" in found.refused.what


def test_a_repeated_hour_means_its_first_half(house: Desk) -> None:
    send("quiet", house)
    file = issue(house, "2027-11-07", "twice")
    file.write_text(file.read_text("utf-8").replace("draft:", 'send_at: "01:30"\ndraft:'), "utf-8")
    at(house, "2027-11-07T08:29:59Z")
    assert keys(house) == []
    at(house, "2027-11-07T08:30:00Z")
    assert keys(house) == ["twice"]


def test_a_campaign_begun_and_not_finished_is_no_empty_ledger(house: Desk) -> None:
    send("quiet", replace(house, provider=fake(Accept())))
    issue(house, "2026-11-24", "older")
    assert [(one.key, one.refused is None) for one in due(house)] == [("older", False)]


# --- with nobody at a terminal ----------------------------------------------------------------------------


def test_what_was_held_goes_by_itself_when_the_hold_is_over(house: Desk, clock: Clock) -> None:
    held = replace(house, pace=replace(house.pace, hold=timedelta(minutes=10)), now=clock)
    assert "held" in send("quiet", held, hold=True).why
    assert go(held, stop=Event()) == []
    clock.move(601)
    assert go(held, stop=Event()) == ["quiet"]
    assert held.provider.addresses == {f"r{n}@x.test": 1 for n in range(3)}  # type: ignore[attr-defined]
    assert go(held, stop=Event()) == []


def test_what_somebody_stopped_in_the_middle_waits_for_them(house: Desk, clock: Clock) -> None:
    stop = Event()
    stop.set()
    assert not send("quiet", house, stop=stop).finished
    clock.move(timedelta(days=1))
    assert by_itself(replace(house, now=clock)) == []


def test_nothing_is_begun_by_itself_where_nobody_has_to_say_yes_or_nobody_has(house: Desk) -> None:
    assert keys(house) == ["quiet"]
    assert go(house, stop=Event()) == []
    asking = replace(house, pace=replace(house.pace, approval="owner"), owner="owner@quiet.example")
    assert go(asking, stop=Event()) == []
    assert house.provider.calls == []  # type: ignore[attr-defined]


def test_nothing_goes_by_itself_while_all_is_paused(house: Desk, clock: Clock) -> None:
    held = replace(house, pace=replace(house.pace, hold=timedelta(minutes=10)), now=clock)
    send("quiet", held, hold=True)
    clock.move(601)
    with held.store.begin() as tx:
        tx.campaigns.pause_all(clock())
    assert by_itself(held) == []
