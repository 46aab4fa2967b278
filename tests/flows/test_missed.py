"""It did not go: each link of the chain is broken once, and the house is told what is missing, once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from pathlib import Path

import pytest

from newsletter.core.campaign import CampaignState
from newsletter.core.email import fill
from newsletter.core.pace import Pace
from newsletter.core.publication import Publication
from newsletter.core.review import Person, Role
from newsletter.errors import NewsletterError
from newsletter.flows import approve, due, missed, owner, people, review
from newsletter.flows.desk import Desk
from newsletter.flows.ledger import cancel, turn, turn_all
from newsletter.flows.send import send
from newsletter.flows.tick import promptly
from newsletter.store import SqlStore
from newsletter.testing import Accept, Clock, CutAfter, FakeProvider, Retry
from tests.flows.readers import fake, readers

OWNER, EDITOR = "owner@quiet.example", "editor@quiet.example"
DUE = datetime(2026, 12, 1, 17, 30, tzinfo=UTC)  # half past nine in Los Angeles
ISSUE = "issues/2026-12-01-quiet.md"


@pytest.fixture
def publication(publication: Publication) -> Publication:
    return replace(publication, send_at=time(9, 30), rhythm="tuesday 09:30", editors=(EDITOR,))


@pytest.fixture
def house(sqlite_store: SqlStore, make_desk: Callable[..., Desk]) -> Desk:
    desk = make_desk(
        sqlite_store,
        provider=fake(),
        transactional=FakeProvider(name="front door"),
        owner=OWNER,
        pace=Pace(threads=1, hold=timedelta(0)),
    )
    readers(desk, 12)
    return desk


def change(root: Path, old: str, new: str) -> None:
    path = root / ISSUE
    text = path.read_text("utf-8")
    assert old in text
    path.write_text(text.replace(old, new), "utf-8")


def told(desk: Desk, *, but: str = "May this letter go") -> list[tuple[str, str]]:
    """What an owner was told, subject and text; an editor was told the same, unless it was only asked of owners."""
    every = [
        (one.address, fill(call.email.subject, {}), " ".join(fill(call.email.text, {}).split()))
        for call in desk.transactional.calls  # type: ignore[attr-defined]
        for one in call.batch.recipients
    ]
    mails = [mail for mail in every if not mail[1].startswith(but)]
    assert sorted(subject for to, subject, _ in mails if to == OWNER) == sorted(
        subject for to, subject, _ in mails if to == EDITOR
    )
    return [(subject, text) for to, subject, text in mails if to == OWNER]


def tick(desk: Desk) -> None:
    """What a pass of the server does of it."""
    missed.look(desk)
    owner.tell(desk)


def a_week(desk: Desk, clock: Clock, before: tuple[int, ...] = (-30, 9)) -> list[tuple[str, str]]:
    """Let the server tick around a letter's time; what was told by half an hour after it, and nothing more later."""
    for minutes in before:
        clock.move(DUE + timedelta(minutes=minutes) - clock())
        tick(desk)
        assert told(desk) == []
    clock.move(DUE + timedelta(minutes=25) - clock())
    tick(desk)
    first = told(desk)
    clock.move(timedelta(hours=1))
    tick(desk)
    assert told(desk) == first  # once
    return first


def one(desk: Desk, clock: Clock) -> str:
    ((subject, text),) = a_week(desk, clock)
    assert subject == "It did not go: A quiet week"
    assert "“A quiet week” was to go on Tuesday 1 December at 09:30, and has not." in text
    return text


# --- every way for a letter not to go ----------------------------------------------------------------------


def test_a_draft(house: Desk, root: Path, clock: Clock) -> None:
    change(root, "draft: false", "draft: true")
    text = one(house, clock)
    assert "It is still a draft. When it is ready, set “draft: false” in its file and merge that." in text
    assert "/approve/" in text


def test_a_check_that_fails(house: Desk, root: Path, clock: Clock) -> None:
    change(root, ', "friend"', "")
    text = one(house, clock)
    assert "The checks found 1 to mend first: issues/2026-12-01-quiet.md:" in text
    assert "newsletter check quiet" in text


def test_a_file_that_cannot_be_read(house: Desk, root: Path, clock: Clock) -> None:
    (root / ISSUE).write_bytes(b"---\nsubject: A quiet week\ndate: 2026-12-01\n---\n\xff\xfe")
    ((subject, text),) = a_week(house, clock)
    assert subject == "It did not go: 2026-12-01-quiet"
    assert "UTF-8" in text


def test_nobody_has_said_yes_and_the_owner_was_asked_beforehand(house: Desk, clock: Clock) -> None:
    gated = replace(house, pace=replace(house.pace, approval="owner"))
    text = one(gated, clock)
    assert "Nobody has said yes to it." in text
    asked = [call for call in house.transactional.calls if call.batch.recipients[0].key.startswith("ask-")]  # type: ignore[attr-defined]
    assert [call.batch.recipients[0].address for call in asked] == [OWNER]


def test_the_yes_does_not_hold_any_more(house: Desk, root: Path, clock: Clock) -> None:
    gated = replace(house, pace=replace(house.pace, approval="owner"))
    approve.approve_here("quiet", gated)
    change(root, "Ask at the end", "Ask before the end")
    assert "The letter has changed since it was approved." in one(gated, clock)


def test_it_was_stopped_on_its_page(house: Desk, clock: Clock) -> None:
    with house.store.begin() as tx:
        kept = review.keep(tx, review.look("quiet", house))
    approve.stop(people.link(kept.id, Person(Role.OWNER), house).rpartition("/")[2], house)
    assert "Somebody stopped it on its page." in one(house, clock)


def test_it_is_ready_and_nobody_sends_it(house: Desk, clock: Clock) -> None:
    text = one(house, clock)
    assert "nobody has sent it: the timer or workflow that runs “newsletter send --due” is off" in text


def test_all_sending_is_paused(house: Desk, clock: Clock) -> None:
    turn_all(house, paused=True)
    assert "All sending is paused. When the cause is gone: newsletter resume --all" in one(house, clock)


def test_nobody_would_get_it(house: Desk, clock: Clock) -> None:
    with house.store.begin() as tx:
        tx.audience._sql.exec_driver_sql("DELETE FROM subscriber_topics")  # type: ignore[attr-defined]
    assert "Nobody is there to get it." in one(house, clock)


def test_the_set_up_cannot_send(house: Desk, clock: Clock) -> None:
    bare = replace(house, publication=replace(house.publication, footer=replace(house.publication.footer, address="")))
    assert "E300 error: there is no postal address, and no letter may go without one." in one(bare, clock)


def test_a_limit_refuses_it(house: Desk, clock: Clock) -> None:
    text = one(replace(house, pace=replace(house.pace, max_recipients=3)), clock)
    assert "12 readers are more than send.max_recipients allows (3)." in text
    assert "Raise NEWSLETTER_SEND__MAX_RECIPIENTS if that is right." in text


def test_the_provider_is_down(house: Desk, clock: Clock) -> None:
    down = replace(house, provider=fake(Retry(halt="quota")))
    clock.move(DUE - clock())
    with pytest.raises(NewsletterError):
        send("quiet", down)
    ((subject, text),) = a_week(down, clock, before=(9,))
    assert subject == "It did not go: A quiet week"
    assert "nothing has gone for ten minutes; 12 still wait" in text
    assert "newsletter send --due" in text


def test_whoever_sends_it_has_died_in_the_middle(house: Desk, clock: Clock) -> None:
    dying = replace(house, provider=fake(Accept(), Retry(halt="quota")))
    clock.move(DUE - clock())
    with pytest.raises(NewsletterError):
        send("quiet", dying)
    assert "7 still wait" in a_week(dying, clock, before=(9,))[0][1]


def test_the_answer_was_lost(house: Desk, clock: Clock) -> None:
    lost = replace(house, provider=fake(CutAfter(), CutAfter(), CutAfter(), reconcile="no"))
    clock.move(DUE - clock())
    send("quiet", lost)
    assert "newsletter resolve quiet" in a_week(lost, clock, before=(9,))[0][1]


def test_what_ci_rendered_and_nobody_sent_where_there_is_no_file_here(house: Desk, root: Path, clock: Clock) -> None:
    clock.move(timedelta(hours=-2))
    with house.store.begin() as tx:
        review.keep(tx, review.look("quiet", house))
    (root / ISSUE).unlink()
    assert "nobody has sent it" in one(house, clock)


# --- a day of the rhythm -----------------------------------------------------------------------------------


def test_no_letter_for_the_day(house: Desk, root: Path, clock: Clock) -> None:
    (root / ISSUE).unlink()
    ((subject, text),) = a_week(house, clock)
    assert subject == "No letter for Tuesday 1 December"
    assert "a letter was expected, and there is none for that day: none was written, or it waits to be merged." in text
    assert "holidays" in text


@pytest.mark.parametrize(
    "quiet",
    [
        {"rhythm": ""},
        {"rhythm": "none"},
        {"holidays": ("2026-12-01",)},
        {"holidays": ("2026-11-30 to 2026-12-05",)},
        {"first_send": datetime(2026, 12, 8, tzinfo=UTC).date()},
        {"rhythm": "wednesday 09:30"},
    ],
)
def test_where_none_is_expected_nobody_is_told(quiet: dict[str, object], house: Desk, root: Path, clock: Clock) -> None:
    (root / ISSUE).unlink()
    desk = replace(house, publication=replace(house.publication, **quiet))  # type: ignore[arg-type]
    assert a_week(desk, clock) == []


def test_a_letter_that_went_and_one_that_was_put_off_are_not_missed(house: Desk, root: Path, clock: Clock) -> None:
    clock.move(DUE - clock())
    send("quiet", house)
    house.transactional.calls.clear()  # type: ignore[attr-defined]
    assert a_week(house, clock) == []


def test_a_letter_of_the_same_week_stands_for_the_day(house: Desk, root: Path, clock: Clock) -> None:
    change(root, "date: 2026-12-01", "date: 2026-12-03")
    (root / ISSUE).rename(root / "issues/2026-12-03-quiet.md")
    assert a_week(house, clock) == []


def test_what_somebody_cancelled_is_told_as_that_and_not_as_missed(house: Desk, clock: Clock) -> None:
    held = replace(house, pace=replace(house.pace, hold=timedelta(minutes=10)))
    clock.move(DUE - clock())
    send("quiet", held, hold=True)
    cancel("quiet", held)
    tick(held)
    assert [subject for subject, _ in told(held, but="It goes out")] == ["It was cancelled: A quiet week"]
    clock.move(timedelta(minutes=20))
    tick(held)
    assert len(told(held, but="It goes out")) == 1


def test_an_old_folder_beside_a_new_database_is_not_told_about(house: Desk, clock: Clock) -> None:
    clock.move(timedelta(days=3))
    tick(house)
    assert told(house) == []


def test_the_servers_own_tick_tells_it_within_half_an_hour(house: Desk, clock: Clock) -> None:
    clock.move(DUE - clock() - timedelta(minutes=1))
    passes = 0
    while not told(house):
        promptly(house)
        clock.move(timedelta(minutes=2))
        passes += 1
    assert clock() <= DUE + timedelta(minutes=30)
    assert passes > 5  # nobody is told before others had time to send it


# --- what a review of these mails had found -----------------------------------------------------------------


def at(desk: Desk, clock: Clock, *minutes: int) -> list[tuple[str, str]]:
    """What was told by some minutes after the letter's time."""
    for one_ in minutes:
        clock.move(DUE + timedelta(minutes=one_) - clock())
        tick(desk)
    return told(desk)


def gated(house: Desk, **more: object) -> Desk:
    return replace(house, pace=replace(house.pace, approval="owner"), **more)  # type: ignore[arg-type]


def without_file(desk: Desk, root: Path) -> str:
    """Its review as another machine's plan leaves it; the owner's link."""
    with desk.store.begin() as tx:
        kept = review.keep(tx, review.look("quiet", desk))
    (root / ISSUE).unlink(missing_ok=True)
    return people.link(kept.id, Person(Role.OWNER), desk).rpartition("/")[2]


def test_stuck_after_a_day(house: Desk, clock: Clock) -> None:
    """It was paused for longer than the window, went on, and the provider is away: that is told too."""
    down = replace(house, provider=fake(Accept(), *[Retry(halt="quota")] * 20))
    clock.move(DUE - clock())
    with pytest.raises(NewsletterError):
        send("quiet", down)
    turn("quiet", down, CampaignState.PAUSED)
    assert [subject for subject, _ in at(down, clock, 5, 25 * 60)] == ["It was stopped: A quiet week"]
    turn("quiet", down, CampaignState.SENDING)
    with pytest.raises(NewsletterError):
        send("quiet", down)
    assert [subject for subject, _ in at(down, clock, 26 * 60, 60 * 60)][1:] == ["It did not go: A quiet week"]


def test_what_was_missed_while_nobody_looked(house: Desk, root: Path, clock: Clock) -> None:
    change(root, "draft: false", "draft: true")
    clock.move(DUE - timedelta(hours=1) - clock())
    promptly(house)
    clock.move(timedelta(hours=40))
    promptly(house)
    assert "still a draft" in told(house)[0][1]


def test_a_second_letter_of_the_same_name(house: Desk, root: Path, clock: Clock) -> None:
    """What went under that name before is another letter; corrected after it went, it is not told of."""
    path = root / ISSUE
    text = path.read_text("utf-8")
    path.rename(root / "issues/2026-11-24-quiet.md").write_text(text.replace("2026-12-01", "2026-11-24"), "utf-8")
    clock.move(DUE - timedelta(days=7) - clock())
    send("quiet", house)
    house.transactional.calls.clear()  # type: ignore[attr-defined]
    corrected = text.replace("2026-12-01", "2026-11-24").replace("rest", "quiet rest")
    (root / "issues/2026-11-24-quiet.md").write_text(corrected, "utf-8")
    clock.move(timedelta(minutes=20))
    assert missed.look(house) == 0
    path.write_text(text.replace("rest", "work"), "utf-8")
    (root / "issues/2026-11-24-quiet.md").unlink()
    (mail,) = [text for subject, text in at(house, clock, 25) if "did not go" in subject]
    assert "was begun with other words than these, on 2026-11-24, and is finished" in mail
    assert "slug: quiet-2" in mail
    (refused,) = [one.refused for one in due.due(house)]
    assert refused is not None


def test_approved_without_a_file_and_nobody_sent_it(house: Desk, root: Path, clock: Clock) -> None:
    desk = gated(house)
    clock.move(DUE - timedelta(minutes=30) - clock())
    assert approve.approve(without_file(desk, root), desk).said == approve.Said.APPROVED
    assert "nobody has sent it" in at(desk, clock, 25)[0][1]


def test_stopped_without_a_file(house: Desk, root: Path, clock: Clock) -> None:
    clock.move(DUE - timedelta(minutes=30) - clock())
    approve.stop(without_file(house, root), house)
    assert "stopped" in at(house, clock, 25)[0][1]


def test_a_provider_that_is_away_for_a_night_is_asked_until_it_is_back(house: Desk, clock: Clock) -> None:
    clock.move(DUE - clock())
    desk = replace(house, transactional=FakeProvider(name="front door", script=[Retry(halt="quota")] * 400))
    send("quiet", desk)
    for _hour in range(19):
        clock.move(timedelta(hours=1))
        owner.tell(desk)
    well = replace(desk, transactional=FakeProvider(name="front door"))
    clock.move(timedelta(hours=1))
    tick(well)
    assert len(told(well)) == 1


def test_after_a_week_it_is_given_up_and_said_so(house: Desk, clock: Clock, caplog: pytest.LogCaptureFixture) -> None:
    clock.move(DUE - clock())
    desk = replace(house, transactional=FakeProvider(name="front door", script=[Retry()] * 1000), owner="", pace=Pace())
    send("quiet", desk)
    for _hour in range(190):
        clock.move(timedelta(hours=1, minutes=1))
        owner.tell(desk)
    assert "will not be" in caplog.text
    with desk.store.read() as tx:
        assert tx.brake.untold(clock() + timedelta(days=1)) == []


def test_a_file_that_cannot_be_opened_does_not_hide_the_others(house: Desk, root: Path, clock: Clock) -> None:
    (root / "issues/2026-12-01-bad.md").symlink_to("/proc/self/mem")  # reading it is an error of the system
    assert {subject for subject, _ in at(house, clock, 9, 25)} == {
        "It did not go: A quiet week",
        "It did not go: 2026-12-01-bad",
    }
