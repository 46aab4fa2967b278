"""The one gate: nothing goes before an owner has said yes to just that; Stop works all along."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from newsletter.core.campaign import CampaignState
from newsletter.core.email import fill
from newsletter.core.links import LIFETIME, Purpose
from newsletter.core.pace import Pace
from newsletter.core.review import Act, Fate, Person, Role
from newsletter.errors import NotApproved, NotFound, NothingToDo
from newsletter.flows import approve, owner, people, review
from newsletter.flows.approve import Said
from newsletter.flows.desk import Desk
from newsletter.flows.ledger import cancel
from newsletter.flows.plan import plan
from newsletter.flows.send import freeze, send
from newsletter.store import SqlStore
from newsletter.testing import Clock, FakeProvider
from tests.flows.readers import fake, readers

OWNER, EDITOR = "owner@quiet.example", "editor@quiet.example"
ME, WRITER, ANYBODY = Person(Role.OWNER), Person(Role.EDITOR), Person(Role.LOOK)


@pytest.fixture
def gated(sqlite_store: SqlStore, make_desk: Callable[..., Desk], publication: object) -> Desk:
    """A house in which an owner must say yes, an hour before the letter's time."""
    door = FakeProvider(name="front door")
    desk = make_desk(
        sqlite_store,
        provider=fake(),
        transactional=door,
        owner=OWNER,
        publication=replace(publication, editors=(EDITOR,)),  # type: ignore[type-var]
        pace=Pace(threads=1, approval="owner", hold=timedelta(0)),
    )
    readers(desk, 12)
    return desk


def kept(desk: Desk) -> int:
    with desk.store.begin() as tx:
        return review.keep(tx, review.look("quiet", desk)).id


def token(desk: Desk, person: Person = ME) -> str:
    return people.link(kept(desk), person, desk).rpartition("/")[2]


def kept_id(link: str, desk: Desk) -> int:
    return people.behind(link, desk)[0]


def change(root: Path, old: str = "Ask at the end", new: str = "Ask before the end") -> None:
    path = root / "issues/2026-12-01-quiet.md"
    text = path.read_text("utf-8")
    assert old in text
    path.write_text(text.replace(old, new), "utf-8")


def mails(desk: Desk) -> list[tuple[str, str, str]]:
    """To whom, subject and text of what the house was told."""
    return [
        (one.address, fill(call.email.subject, {}), fill(call.email.text, {}))
        for call in desk.transactional.calls  # type: ignore[attr-defined]
        for one in call.batch.recipients
    ]


def deeds(desk: Desk) -> list[tuple[str, str]]:
    with desk.store.read() as tx:
        rows = tx.reviews._sql.exec_driver_sql("SELECT act, by FROM deeds ORDER BY id").all()  # type: ignore[attr-defined]
    return [(row.act, row.by) for row in rows]


# --- the gate ----------------------------------------------------------------------------------------


def test_nothing_goes_before_the_owner_has_said_yes_and_who_is_missing_is_asked_once(gated: Desk) -> None:
    for how in ({}, {"hold": True}, {"approval": plan("quiet", gated)[0].as_json()}):
        with pytest.raises(NotApproved, match="waits for the owner's yes") as refused:
            send("quiet", gated, **how)  # type: ignore[arg-type]
        assert "newsletter approve quiet" in refused.value.todo
        assert OWNER not in str(refused.value)  # promise 12
    assert gated.provider.calls == []  # type: ignore[attr-defined]
    ((to, subject, text),) = mails(gated)
    assert (to, subject) == (OWNER, "May this letter go? A quiet week")
    assert "Merging this sends it to 12 people as soon as an owner has approved it." in " ".join(text.split())
    link = re.search(r"/approve/(\S+)", text)
    assert link
    assert approve.approve(link[1], gated).said is Said.APPROVED
    assert send("quiet", gated).finished
    assert deeds(gated) == [("approved", "owner-0")]


def test_without_an_owner_the_terminal_is_named(gated: Desk) -> None:
    with pytest.raises(NotApproved) as refused:
        send("quiet", replace(gated, owner=""))
    assert "owner.email is not set" in refused.value.todo


def test_a_changed_word_makes_the_yes_void_and_the_owner_is_asked_anew(gated: Desk, root: Path) -> None:
    approve.approve(token(gated), gated)
    change(root)
    with pytest.raises(NotApproved, match="The letter has changed since it was approved"):
        send("quiet", gated)
    assert gated.provider.calls == []  # type: ignore[attr-defined]
    assert [subject for _, subject, _ in mails(gated)] == ["May this letter go? A quiet week"]
    change(root, "Ask before the end", "Ask at the end")
    assert send("quiet", gated).finished  # what was said yes to is what goes


def test_growth_within_the_rule_passes_and_beyond_it_voids_the_yes(gated: Desk) -> None:
    approve.approve(token(gated), gated)
    readers(gated, 50, first=100)
    with gated.store.read() as tx:
        assert tx.campaigns.headcount(["letter"])["audience"] == 62
    more = replace(gated, pace=replace(gated.pace, max_growth=0.1))
    readers(more, 1, first=200)
    with pytest.raises(NotApproved, match="grew from 12 to 63"):
        send("quiet", more)
    with more.store.begin() as tx:
        tx.audience._sql.exec_driver_sql("DELETE FROM subscriber_topics WHERE subscriber_id = 1")  # type: ignore[attr-defined]
    assert "The audience grew from 12 to 62 since the plan was made." in send("quiet", more).notes


def test_leavers_never_void_it(gated: Desk) -> None:
    approve.approve(token(gated), gated)
    with gated.store.begin() as tx:
        tx.audience._sql.exec_driver_sql("DELETE FROM subscriber_topics WHERE subscriber_id < 10")  # type: ignore[attr-defined]
    assert send("quiet", gated).counts.submitted == 3


def test_it_holds_until_the_letter_is_too_late(gated: Desk, clock: Clock) -> None:
    clock.move(timedelta(hours=-9))
    assert review.look("quiet", gated).outlook.fate is Fate.WAITS_NOW  # its day has begun: it names no hour
    approve.approve(token(gated), gated)
    assert review.look("quiet", gated).outlook.fate is Fate.APPROVED_NOW
    clock.move(timedelta(hours=12, seconds=1) - timedelta(minutes=30))
    with pytest.raises(NotApproved, match="has run out"):
        send("quiet", gated)


def test_a_yes_from_the_terminal_is_written_down_too(gated: Desk) -> None:
    found, until = approve.approve_here("quiet", gated)
    assert (found.key, until > gated.now()) == ("quiet", True)
    assert send("quiet", gated).finished
    assert deeds(gated) == [("approved", "command")]
    with pytest.raises(NothingToDo, match="it went to 12 people on"):
        approve.approve_here("quiet", gated)


def test_where_merging_is_the_yes_none_is_asked_for_and_a_stop_holds_all_the_same(gated: Desk) -> None:
    free = replace(gated, pace=replace(gated.pace, approval="none"))
    link = token(free)
    assert not approve.look(link, free).approvable
    assert approve.stop(link, free).said is Said.STOPPED
    with pytest.raises(NotApproved, match="It was stopped on its review page"):
        send("quiet", free)
    seen = approve.look(link, free).deed
    assert seen
    assert approve.approve(link, free, seen=seen.id).said is Said.APPROVED
    assert send("quiet", free).finished


def test_a_stop_between_the_question_and_the_freeze_holds(gated: Desk) -> None:
    link = token(gated)
    approve.approve(link, gated)

    pressed: list[Said | None] = []

    def tell(_line: str) -> None:
        if not pressed:
            pressed.append(approve.stop(link, gated).said)

    readers(gated, 1, first=50)  # something to tell, between the question and the freeze
    with pytest.raises(NotApproved, match="was stopped on its review page"):
        freeze("quiet", gated, approval=None, again="", tell=tell)
    assert pressed == [Said.STOPPED]
    with gated.store.read() as tx:
        assert tx.campaigns.all() == []


# --- the page ----------------------------------------------------------------------------------------


def test_approving_twice_and_after_a_stop_changes_nothing(gated: Desk) -> None:
    link = token(gated)
    assert approve.approve(link, gated).said is Said.APPROVED
    assert approve.approve(link, gated).said is Said.ALREADY
    stopped = approve.stop(link, gated)
    assert (stopped.said, stopped.fate, stopped.stoppable) == (Said.STOPPED, Fate.STOPPED, False)
    assert approve.stop(link, gated).said is Said.STOPPED
    assert approve.approve(link, gated).said is Said.SINCE  # by a page that was opened before the stop
    with pytest.raises(NotApproved, match="stopped"):
        send("quiet", gated)
    assert deeds(gated) == [("approved", "owner-0"), ("stopped", "owner-0")]


def test_only_an_owner_says_yes_and_an_editor_may_stop(gated: Desk) -> None:
    for person in (WRITER, ANYBODY):
        assert approve.approve(token(gated, person), gated).said is Said.NOT_YOURS
    assert approve.stop(token(gated, ANYBODY), gated).said is Said.NOT_YOURS
    assert deeds(gated) == []
    approve.approve(token(gated), gated)
    assert approve.stop(token(gated, WRITER), gated).said is Said.STOPPED
    assert approve.resume(token(gated, WRITER), gated).said is Said.NOT_YOURS


def test_a_page_of_other_words_approves_nothing(gated: Desk, root: Path) -> None:
    link = token(gated)
    change(root)
    shown = approve.approve(link, gated)
    assert (shown.said, shown.changed, shown.approvable) == (Said.CHANGED, True, False)
    assert deeds(gated) == []


def test_a_page_that_named_far_fewer_readers_approves_nothing(gated: Desk) -> None:
    readers(gated, 60, first=100)
    assert approve.approve(token(gated), gated, audience=12).said is Said.CHANGED
    assert approve.approve(token(gated), gated, audience=70).said is Said.APPROVED


def test_a_draft_has_a_page_whose_link_works_once_it_is_ready(gated: Desk, root: Path) -> None:
    change(root, "draft: false", "draft: true")
    link = token(gated)
    shown = approve.approve(link, gated)
    assert (shown.fate, shown.said, shown.review.outlook.audience) == (Fate.DRAFT, Said.NOT_NOW, 12)
    change(root, "draft: true", "draft: false")
    assert approve.approve(link, gated).said is Said.APPROVED


def test_a_file_that_cannot_be_sent_has_a_page_that_says_so(gated: Desk, root: Path) -> None:
    change(root, ', "friend"', "")
    shown = approve.approve(token(gated), gated)
    assert (shown.fate, shown.said, dict(shown.review.mails)) == (Fate.BLOCKED, Said.NOT_NOW, {})
    assert shown.review.problems


def test_where_there_is_no_file_the_page_shows_what_was_kept(gated: Desk, root: Path, clock: Clock) -> None:
    link = token(gated)
    (root / "issues/2026-12-01-quiet.md").unlink()
    shown = approve.approve(link, gated)
    assert (shown.said, shown.fate) == (Said.APPROVED, Fate.APPROVED_NOW)
    assert "A quiet week" in shown.review.mails["all"]
    clock.move(timedelta(days=1))
    assert approve.look(link, gated).fate is Fate.LATE


def test_stop_before_the_first_byte_holds_what_is_frozen(gated: Desk, clock: Clock) -> None:
    held = replace(gated, pace=replace(gated.pace, hold=timedelta(minutes=10)))
    link = token(held)
    approve.approve(link, held)
    report = send("quiet", held, hold=True)
    assert report.why.startswith("held until")
    waits = approve.look(link, held)
    assert (waits.fate, waits.review.outlook.at, waits.stoppable) == (Fate.APPROVED, report.campaign.held_until, True)
    stopped = approve.stop(link, held)
    assert (stopped.said, stopped.fate, stopped.counts.pending) == (Said.STOPPED, Fate.PAUSED, 12)
    clock.move(timedelta(minutes=11))
    with pytest.raises(Exception, match="paused"):
        send("quiet", held, hold=True)
    assert gated.provider.calls == []  # type: ignore[attr-defined]
    assert approve.approve(link, held).said is Said.NOT_NOW
    assert approve.resume(link, held).said is Said.RESUMED
    assert send("quiet", held, hold=True).finished


def test_stop_in_the_middle_keeps_the_rest_here_and_everyone_is_told_once(gated: Desk) -> None:
    link = token(gated)
    approve.approve(link, gated)
    pressed: list[Said | None] = []

    def press(_campaign: object, done: int) -> None:
        if done == 5:
            pressed.append(approve.stop(link, gated).said)

    report = send("quiet", gated, progress=press)
    assert pressed == [Said.STOPPED]
    assert (report.campaign.state, report.counts.submitted, report.counts.pending) == (CampaignState.PAUSED, 5, 7)
    owner.tell(gated)
    told = sorted((to, subject) for to, subject, _ in mails(gated) if "stopped" in subject)
    assert told == [(EDITOR, "It was stopped: A quiet week"), (OWNER, "It was stopped: A quiet week")]
    assert approve.resume(link, gated).said is Said.RESUMED
    assert send("quiet", gated).counts.submitted == 12
    assert approve.stop(link, gated).said is Said.STANDS
    assert gated.provider.twice == []  # type: ignore[attr-defined]


def test_links_that_are_wrong_or_old_are_told_calmly(gated: Desk, clock: Clock) -> None:
    link = token(gated)
    for wrong in (link[:-2], link + "x", gated.links.stop(1, gated.now()).rpartition("/")[2], "x"):
        with pytest.raises(NotFound):
            approve.look(wrong, gated)
    clock.move(LIFETIME[Purpose.APPROVE] + timedelta(seconds=1))
    with pytest.raises(NotFound, match="too old") as old:
        approve.approve(link, gated)
    assert "newsletter review" in old.value.todo
    assert deeds(gated) == []


# --- mail me this --------------------------------------------------------------------------------------


def test_the_letter_is_mailed_to_whose_link_it_is_and_to_nobody_else(gated: Desk) -> None:
    assert approve.mail(token(gated, WRITER), gated).said is Said.MAILED
    assert approve.mail(token(gated, ANYBODY), gated).said is Said.MAILED_OWNER
    owner.tell(gated)
    (call,) = gated.provider.calls  # type: ignore[attr-defined]
    assert [one.address for one in call.batch.recipients] == [EDITOR]
    assert fill(call.email.subject, {}) == "[TEST] A quiet week"
    assert [(to, subject) for to, subject, _ in mails(gated)] == [(OWNER, "May this letter go? A quiet week")]


def test_five_an_hour_are_enough(gated: Desk, clock: Clock) -> None:
    link = token(gated, WRITER)
    with gated.store.begin() as tx:
        for _ in range(4):
            tx.audience.hit(f"review:{kept_id(link, gated)}", gated.now())
    assert [approve.mail(link, gated).said for _ in range(2)] == [Said.MAILED, Said.ENOUGH]
    clock.move(timedelta(hours=1, seconds=1))
    assert approve.mail(link, gated).said is Said.MAILED
    assert approve.mail(token(gated, ANYBODY), replace(gated, owner="")).said is Said.NOBODY


def test_deeds_are_only_ever_added(gated: Desk) -> None:
    first = kept(gated)
    with gated.store.begin() as tx:
        found = tx.reviews.of(first)
        assert found
        tx.reviews.add(found, Act.APPROVED, "owner-0", gated.now(), None)
        tx.reviews.forget(gated.now() + timedelta(days=400))
        assert tx.reviews.of(first) == found  # what was said yes to stays


# --- whose link it is, and of which letter ------------------------------------------------------------------


def test_promise_12_a_link_says_nothing_of_whose_it_is_and_who_is_dismissed_may_only_look(gated: Desk) -> None:
    second = "second@quiet.example"
    both = replace(gated, publication=replace(gated.publication, owners=(second,)))
    theirs = token(both, Person(Role.OWNER, 1))
    assert approve.look(theirs, both).person == Person(Role.OWNER, 1)
    assert approve.look(theirs, replace(both, owner="")).person == ME  # they moved up
    assert approve.look(theirs, gated).person == ANYBODY
    assert approve.approve(theirs, gated).said is Said.NOT_YOURS
    assert deeds(gated) == []
    assert approve.look(token(gated, WRITER), replace(gated, owner=EDITOR)).person == ANYBODY  # as an editor
    unset = replace(gated, owner="")
    assert approve.look(token(unset), unset).person == ME  # `review --link` where no address is set
    assert approve.look(token(unset), gated).person == ANYBODY


def test_the_yes_to_an_older_letter_does_not_void_that_to_the_newer(gated: Desk, root: Path, clock: Clock) -> None:
    """Rendered elsewhere: there is no file here that would tell which one is meant."""
    old = token(gated)
    clock.move(timedelta(minutes=1))
    change(root)
    new = token(gated)
    (root / "issues/2026-12-01-quiet.md").unlink()
    assert approve.approve(new, gated).said is Said.APPROVED
    assert approve.look(old, gated).changed
    assert approve.approve(old, gated).said is Said.CHANGED
    assert deeds(gated) == [("approved", "owner-0")]


def test_what_was_cancelled_and_is_to_go_after_all_is_approved_by_a_command_too(gated: Desk, clock: Clock) -> None:
    held = replace(gated, pace=replace(gated.pace, hold=timedelta(minutes=10)))
    approve.approve_here("quiet", held)
    send("quiet", held, hold=True)
    cancel("quiet", held)
    with pytest.raises(NothingToDo):
        approve.approve_here("quiet", held)
    clock.move(timedelta(minutes=1))
    with pytest.raises(NotApproved, match="waits for the owner's yes"):
        send("quiet", held, again="mended")
    approve.approve_here("quiet", held)
    assert send("quiet", held, again="mended").finished
