"""The front door: sign up, confirm, have the workbook, leave."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from email import message_from_bytes, policy
from pathlib import Path
from types import NoneType

import pytest

from newsletter.core import address, mime
from newsletter.core.consent import Evidence, Kind, Reason, State, Subscriber
from newsletter.core.email import fill
from newsletter.core.links import Purpose
from newsletter.errors import AddressRefused, LinkExpired, LinkRefused, NotFound
from newsletter.flows import audience, mail
from newsletter.flows.desk import Desk
from newsletter.flows.leave import leave
from newsletter.flows.magnet import download, file, offer
from newsletter.flows.signup import Request, confirm, look, refuse, signup, signups
from newsletter.flows.tick import tick
from newsletter.store import SqlStore
from newsletter.testing import Clock, CutAfter, FakeProvider, Reject, Retry

Make = Callable[..., Desk]
ANN = "ann@x.test"


@pytest.fixture
def desk(store: SqlStore, make_desk: Make) -> Desk:
    """On both databases."""
    return make_desk(store)


def who(desk: Desk, email: str = ANN) -> Subscriber | None:
    with desk.store.read() as tx:
        return tx.audience.by_hmac(desk.hmac(address.parse(email)))


def events(desk: Desk) -> list[str]:
    found = who(desk)
    assert found is not None
    with desk.store.read() as tx:
        return [str(event["kind"]) for event in tx.audience.evidence(found.pid)]


def mails(provider: FakeProvider) -> list[str]:
    return [
        fill(call.email.text, {"unsubscribe_url": call.batch.recipients[0].unsubscribe_url}) for call in provider.calls
    ]


def token(text: str, kind: str) -> str:
    found = re.search(rf"/{kind}/([\w.~-]+)", text)
    assert found is not None
    return found[1]


def asked(desk: Desk, provider: FakeProvider, *, letter: bool = True) -> str:
    """Sign up, and take the confirm link out of the mail."""
    signup(Request(ANN, letter=letter), desk)
    tick(desk)
    return token(mails(provider)[-1], "confirm")


def test_an_erased_persons_links_do_nothing_for_whoever_comes_next(
    desk: Desk, provider: FakeProvider, clock: Clock
) -> None:
    link = asked(desk, provider)
    granted = token(confirm(link, desk).download_url or "", "download")
    audience.erase(ANN, desk)
    signup(Request("ben@x.test", letter=True), desk)
    with desk.store.begin() as tx:
        ben = tx.audience.by_hmac(desk.hmac(address.parse("ben@x.test")))
        assert ben is not None
        tx.audience.grant(ben.id, "workbook", clock())
    for act, old in ((look, link), (confirm, link), (refuse, link), (offer, granted), (download, granted)):
        with pytest.raises(LinkRefused):
            act(old, desk)
    found = who(desk, "ben@x.test")
    assert found is not None
    assert found.state is State.PENDING


def test_promise_8_evidence_tells_where_it_came_from(desk: Desk, provider: FakeProvider, tmp_path: Path) -> None:
    confirm(asked(desk, provider), desk)
    leave(who(desk).unsubscribe_token, desk, method="one-click")  # type: ignore[union-attr]
    audience.add("ben@x.test", desk, why="asked")
    audience.add("cid@x.test", desk)
    for name, people in (("people.csv", "dan"), ("ann@x.test.csv", "eve")):
        (tmp_path / name).write_text(f"email\n{people}@x.test\n", "utf-8")
        audience.import_(tmp_path / name, desk, names={}, why="asked" if people == "dan" else "")
    told = {
        row["email"]: [(event["kind"], event["method"], event["source"]) for event in row["consent"]]
        for row in audience.export(desk)
    }
    assert told == {
        ANN: [("request", "form", ""), ("confirm", "page", "/confirm"), ("withdraw", "one-click", "/unsubscribe")],
        "ben@x.test": [("import", "command", "cli")],
        "cid@x.test": [("request", "command", "cli")],  # nobody has attested anything
        "dan@x.test": [("import", "import", "people.csv")],
        "eve@x.test": [("request", "import", "a file")],
    }


def test_from_the_form_to_the_workbook(desk: Desk, provider: FakeProvider, root: Path) -> None:
    link = asked(desk, provider)
    assert look(link, desk).magnet == "workbook"
    assert who(desk).state is State.PENDING  # type: ignore[union-attr]
    done = confirm(link, desk)
    found = who(desk)
    assert found is not None
    assert (found.state, found.topics) == (State.ACTIVE, ("letter",))
    assert events(desk) == ["request", "confirm"]
    assert done.download_url is not None
    tick(desk)
    assert token(mails(provider)[-1], "download")
    path = download(token(done.download_url, "download"), desk)
    assert path.endswith("/workbook.pdf")
    assert file(path.split("/")[2], desk) == root / "magnets/workbook.pdf"
    with desk.store.read() as tx:
        assert [grant.downloads for grant in tx.audience.grants_of(found.id)] == [1]


def test_the_workbook_alone_gives_no_letter(desk: Desk, provider: FakeProvider) -> None:
    confirm(asked(desk, provider, letter=False), desk)
    found = who(desk)
    assert found is not None
    assert (found.state, found.topics) == (State.ACTIVE, ())
    with desk.store.read() as tx:
        assert tx.campaigns.headcount(["letter"]) == {"not subscribed to this": 1}


def test_pressing_again_gives_the_same_answer_and_no_second_event(desk: Desk, provider: FakeProvider) -> None:
    link = asked(desk, provider)
    first, second = confirm(link, desk), confirm(link, desk)
    assert (first.magnet, first.topics, bool(first.download_url)) == (
        second.magnet,
        second.topics,
        bool(second.download_url),
    )
    assert events(desk) == ["request", "confirm"]
    tick(desk)
    assert len(provider.calls) == 2  # one confirmation, one workbook


def test_promise_8_an_old_link_revives_nobody(desk: Desk, provider: FakeProvider) -> None:
    link = asked(desk, provider)
    confirm(link, desk)
    found = who(desk)
    assert found is not None
    leave(found.unsubscribe_token, desk, method="one-click")
    with pytest.raises(LinkExpired):
        confirm(link, desk)
    assert who(desk).state is State.UNSUBSCRIBED  # type: ignore[union-attr]


def test_whoever_left_may_come_back_by_their_own_consent(desk: Desk, provider: FakeProvider, clock: Clock) -> None:
    confirm(asked(desk, provider), desk)
    leave(who(desk).unsubscribe_token, desk, method="page")  # type: ignore[union-attr]
    clock.move(timedelta(days=1, minutes=1))
    confirm(asked(desk, provider), desk)
    found = who(desk)
    assert found is not None
    assert (found.state, found.topics) == (State.ACTIVE, ("letter",))
    assert events(desk) == ["request", "confirm", "withdraw", "request", "confirm"]
    with desk.store.read() as tx:
        assert tx.audience.suppression(desk.hmac(address.parse(ANN))) is None


def test_an_active_reader_who_asks_again_is_told_so_by_mail(desk: Desk, provider: FakeProvider, clock: Clock) -> None:
    confirm(asked(desk, provider), desk)
    clock.move(timedelta(hours=1))
    signup(Request(ANN), desk)
    tick(desk)
    text = mails(provider)[-1]
    assert "/download/" in text
    assert "/confirm/" not in text  # nothing new was ticked


def test_a_new_topic_needs_its_own_confirmation(desk: Desk, provider: FakeProvider, clock: Clock) -> None:
    confirm(asked(desk, provider, letter=False), desk)
    clock.move(timedelta(hours=1))
    signup(Request(ANN, letter=True), desk)
    tick(desk)
    assert who(desk).topics == ()  # type: ignore[union-attr]
    confirm(token(mails(provider)[-1], "confirm"), desk)
    assert who(desk).topics == ("letter",)  # type: ignore[union-attr]


def test_nobody_is_bombed_through_the_form(desk: Desk, provider: FakeProvider, clock: Clock) -> None:
    for _ in range(7):
        signup(Request(ANN), desk)
    tick(desk)
    assert len(provider.calls) == 1
    for _ in range(20):
        clock.move(timedelta(minutes=11))
        signup(Request(ANN), desk)
    tick(desk)
    assert len(provider.calls) <= 3
    for _ in range(10):
        clock.move(timedelta(days=1, minutes=1))
        signup(Request(ANN), desk)
        tick(desk)
    assert len(provider.calls) <= 3 + 6 + 3


def test_the_cap_on_all_confirmations_holds_and_the_rest_wait(desk: Desk, provider: FakeProvider, clock: Clock) -> None:
    for number in range(70):
        signup(Request(f"r@x{number}.test"), desk)
    tick(desk)
    assert len(provider.calls) == 60
    clock.move(timedelta(hours=1, minutes=1))
    tick(desk)
    assert len(provider.calls) == 70


def test_that_was_not_me_stops_further_mail(desk: Desk, provider: FakeProvider) -> None:
    link = asked(desk, provider)
    refuse(link, desk)
    assert who(desk).state is State.UNSUBSCRIBED  # type: ignore[union-attr]
    with pytest.raises(LinkExpired):
        confirm(link, desk)


def test_that_was_not_me_changes_nothing_for_a_subscriber(desk: Desk, provider: FakeProvider, clock: Clock) -> None:
    confirm(asked(desk, provider, letter=False), desk)
    clock.move(timedelta(hours=1))
    signup(Request(ANN, letter=True), desk)
    tick(desk)
    refuse(token(mails(provider)[-1], "confirm"), desk)
    assert who(desk).state is State.ACTIVE  # type: ignore[union-attr]


@pytest.mark.parametrize("reason", [Reason.COMPLAINED, Reason.OWNER])
def test_whoever_complained_gets_no_mail_whatever_is_typed(desk: Desk, provider: FakeProvider, reason: Reason) -> None:
    with desk.store.begin() as tx:
        tx.audience.suppress(desk.hmac(address.parse(ANN)), reason, desk.now())
    signup(Request(ANN), desk)
    tick(desk)
    assert provider.calls == []
    assert who(desk) is None


def test_promise_6_refusing_is_as_much_work_as_taking(sqlite_store: SqlStore, make_desk: Make) -> None:
    """The time of an answer tells as much as its words would. Counted here, as a clock would make a test that fails."""
    desk, asked = make_desk(sqlite_store), []
    audience.suppress("never@x.test", desk)
    signup(Request("first@x.test", letter=True), desk)

    def work(email: str) -> tuple[int, int]:
        asked.clear()
        with sqlite_store.begin() as tx:
            before = tx.audience._sql.exec_driver_sql("SELECT total_changes()").scalar_one()
        signup(Request(email, letter=True), desk)
        with sqlite_store.begin() as tx:
            after = tx.audience._sql.exec_driver_sql("SELECT total_changes()").scalar_one()
        return len(asked), after - before

    with sqlite_store.begin() as tx:  # the pool has one connection so far, and gives it again
        tx.audience._sql.connection.driver_connection.set_trace_callback(asked.append)
    (statements, rows), (refused_statements, refused_rows) = work("new@x.test"), work("never@x.test")
    assert abs(statements - refused_statements) <= 3
    assert abs(rows - refused_rows) <= 1


def test_signups_that_come_at_once_are_taken_as_if_one_by_one(desk: Desk, provider: FakeProvider) -> None:
    audience.suppress("never@x.test", desk)
    asked = [ANN, "not an address", "ben@x.test", ANN, "never@x.test"]
    wrong = signups([*(Request(email) for email in asked), Request("cleo@x.test", form="none")], desk)
    assert [type(problem) for problem in wrong] == [NoneType, AddressRefused, NoneType, NoneType, NoneType, NotFound]
    assert events(desk) == ["request", "request"]
    tick(desk)
    assert sorted(call.batch.recipients[0].address for call in provider.calls) == [ANN, "ben@x.test"]


def test_a_complaint_after_signing_up_ends_the_link(desk: Desk, provider: FakeProvider) -> None:
    link = asked(desk, provider)
    with desk.store.begin() as tx:
        tx.audience.suppress(desk.hmac(address.parse(ANN)), Reason.COMPLAINED, desk.now())
    for act in (look, confirm):
        with pytest.raises(LinkRefused):
            act(link, desk)


def test_leaving_works_for_ever_and_for_any_link(desk: Desk, provider: FakeProvider, clock: Clock) -> None:
    confirm(asked(desk, provider), desk)
    old = who(desk).unsubscribe_token  # type: ignore[union-attr]
    leave("never-made-by-us", desk, method="one-click")
    clock.move(timedelta(days=4000))
    leave(old, desk, method="one-click")
    leave(old, desk, method="one-click")
    assert who(desk).state is State.UNSUBSCRIBED  # type: ignore[union-attr]
    assert events(desk) == ["request", "confirm", "withdraw"]


def test_an_old_link_acts_on_whoever_has_the_address_now(desk: Desk, provider: FakeProvider, clock: Clock) -> None:
    confirm(asked(desk, provider), desk)
    old = who(desk).unsubscribe_token  # type: ignore[union-attr]
    audience.erase(ANN, desk)
    leave(old, desk, method="one-click")
    assert who(desk) is None
    clock.move(timedelta(days=30))
    confirm(asked(desk, provider), desk)
    assert who(desk).unsubscribe_token != old  # type: ignore[union-attr]
    leave(old, desk, method="one-click")
    assert who(desk).state is State.UNSUBSCRIBED  # type: ignore[union-attr]


def test_a_mail_whose_reason_has_gone_is_dropped(desk: Desk, provider: FakeProvider) -> None:
    link = asked(desk, provider)
    confirm(link, desk)
    leave(who(desk).unsubscribe_token, desk, method="page")  # type: ignore[union-attr]
    tick(desk)  # the workbook mail was waiting
    assert len(provider.calls) == 1
    with desk.store.read() as tx:
        assert tx.queue.numbers() == {"submitted": 1, "dropped": 1}


def test_a_mail_the_provider_put_off_goes_later(desk: Desk, provider: FakeProvider, clock: Clock) -> None:
    provider.then(Retry())
    signup(Request(ANN), desk)
    tick(desk)
    assert provider.received == {}
    tick(desk)
    assert len(provider.calls) == 1
    clock.move(61)
    tick(desk)
    assert len(provider.received) == 1


def test_a_mail_whose_answer_was_lost_is_not_sent_twice(desk: Desk, provider: FakeProvider) -> None:
    provider.then(CutAfter())
    signup(Request(ANN), desk)
    tick(desk)
    tick(desk)
    assert provider.twice == []
    assert len(provider.received) == 1
    with desk.store.read() as tx:
        assert tx.queue.numbers() == {"submitted": 1}


def test_a_mail_whose_sender_died_is_taken_up_after_its_lease(desk: Desk, provider: FakeProvider, clock: Clock) -> None:
    signup(Request(ANN), desk)
    with desk.store.begin() as tx:
        assert tx.queue.claim("somebody who died", desk.now(), desk.pace.lease) is not None
    tick(desk)
    assert provider.calls == []
    clock.move(121)
    tick(desk)
    clock.move(121)
    tick(desk)
    assert len(provider.received) == 1


def test_a_refused_mail_is_noted(desk: Desk, provider: FakeProvider) -> None:
    provider.then(Reject([ANN]))
    signup(Request(ANN), desk)
    assert mail.empty(desk) == 0
    with desk.store.read() as tx:
        assert tx.queue.numbers() == {"failed": 1}


def test_nothing_typed_is_in_a_mail_before_it_is_confirmed(desk: Desk, provider: FakeProvider) -> None:
    signup(Request("marker+buy-now@x.test", lang="xx-marker"), desk)
    tick(desk)
    email = provider.calls[0].email
    message = mime.compile(email).message(
        provider.calls[0].batch.recipients[0], at=desk.now(), message_id=mime.message_id("k", "x.test")
    )
    parsed = message_from_bytes(message, policy=policy.default)
    for part in ("plain", "html"):
        body = parsed.get_body((part,))
        assert body is not None
        assert "marker" not in str(body.get_content())
    assert parsed["Auto-Submitted"] == "auto-generated"


def test_what_is_typed_is_checked(desk: Desk) -> None:
    for wrong in ("", "ann", "ann@", "@x.test", "ann@x", "a\r\nBcc: b@x.test@x.test", "Ann <ann@x.test>", "ä@x.test"):
        with pytest.raises(AddressRefused) as caught:
            signup(Request(wrong), desk)
        assert wrong == "" or wrong not in str(caught.value)
    with pytest.raises(NotFound):
        signup(Request(ANN, form="none"), desk)
    with pytest.raises(NotFound):
        signup(Request(ANN, magnet="none"), desk)
    assert who(desk) is None


def test_links_are_good_for_their_purpose_and_their_time(desk: Desk, provider: FakeProvider, clock: Clock) -> None:
    link = asked(desk, provider)
    done = confirm(link, desk)
    assert done.download_url is not None
    grant = token(done.download_url, "download")
    for wrong in ("", "x", link + "x", link[:-2], grant, "a" * 5000):
        with pytest.raises(LinkRefused):
            look(wrong, desk)
    for wrong in (link, grant[:-3]):
        with pytest.raises(LinkRefused):
            offer(wrong, desk)
    with pytest.raises(NotFound):
        download(grant, desk, index=5)
    bytes_ = download(grant, desk).split("/")[2]
    clock.move(timedelta(minutes=11))
    with pytest.raises(LinkExpired):
        file(bytes_, desk)
    clock.move(timedelta(days=8))
    with pytest.raises(LinkExpired):
        look(link, desk)
    offer(grant, desk)
    clock.move(timedelta(days=90))
    with pytest.raises(LinkExpired):
        offer(grant, desk)


def test_an_older_key_still_verifies_and_the_newest_signs(desk: Desk) -> None:
    from newsletter.core.links import Links

    old, new = Links("https://x.test", ["old"]), Links("https://x.test", ["new", "old"])
    made = old.sign(Purpose.CONFIRM, [1, 2], desk.now())
    assert new.read(Purpose.CONFIRM, made, desk.now()) == [1, 2]
    with pytest.raises(LinkRefused):
        old.read(Purpose.CONFIRM, new.sign(Purpose.CONFIRM, [1, 2], desk.now()), desk.now())


def test_a_file_that_is_not_here_says_so(desk: Desk, provider: FakeProvider, root: Path) -> None:
    done = confirm(asked(desk, provider), desk)
    assert done.download_url is not None
    (root / "magnets/workbook.pdf").unlink()
    path = download(token(done.download_url, "download"), desk)
    with pytest.raises(NotFound):
        file(path.split("/")[2], desk)


def test_coming_back_for_the_workbook_does_not_bring_the_letter_back(
    desk: Desk, provider: FakeProvider, clock: Clock
) -> None:
    confirm(asked(desk, provider, letter=True), desk)
    leave(who(desk).unsubscribe_token, desk, method="page")  # type: ignore[union-attr]
    clock.move(timedelta(days=1, minutes=1))
    confirm(asked(desk, provider, letter=False), desk)
    found = who(desk)
    assert found is not None
    assert (found.state, found.topics) == (State.ACTIVE, ())


def test_a_waiting_confirmation_is_dropped_once_they_left_or_confirmed(
    desk: Desk, provider: FakeProvider, clock: Clock
) -> None:
    first = asked(desk, provider)
    clock.move(timedelta(minutes=11))
    signup(Request(ANN), desk)  # a second one waits
    leave(who(desk).unsubscribe_token, desk, method="page")  # type: ignore[union-attr]
    tick(desk)
    assert len(provider.calls) == 1
    clock.move(timedelta(days=1, minutes=1))
    again = asked(desk, provider)
    assert again != first
    clock.move(timedelta(minutes=11))
    signup(Request(ANN), desk)
    with desk.store.begin() as tx:  # and one whose own signup was confirmed meanwhile
        tx.audience.confirm_signup(4, desk.now())
    tick(desk)
    assert len(provider.calls) == 2


def test_rows_are_forgotten_when_privacy_says_so(desk: Desk, provider: FakeProvider, clock: Clock) -> None:
    confirm(asked(desk, provider), desk)
    leave(who(desk).unsubscribe_token, desk, method="page")  # type: ignore[union-attr]
    signup(Request("never@x.test"), desk)
    audience.add("stays@x.test", desk, why="asked")
    clock.move(timedelta(days=29))
    assert tick(desk).forgotten == 0
    clock.move(timedelta(days=2))
    assert tick(desk).forgotten == 2
    assert audience.stats(desk)["all"] == 1
    with desk.store.read() as tx:
        assert tx.audience.suppression(desk.hmac(address.parse(ANN))) is Reason.UNSUBSCRIBED
        assert tx.audience.suppression(desk.hmac(address.parse("never@x.test"))) is None
    assert tick(desk).forgotten == 0


def test_a_bounced_address_is_tried_once_and_then_after_a_month(
    desk: Desk, provider: FakeProvider, clock: Clock
) -> None:
    confirm(asked(desk, provider), desk)
    found = who(desk)
    assert found is not None
    with desk.store.begin() as tx:
        tx.audience.move(found.id, State.BOUNCED, clock(), ends_links=True)
        tx.audience.suppress(found.hmac, Reason.BOUNCED, clock())
        tx.audience.record([Evidence(found.pid, Kind.BOUNCE, clock(), method="webhook")])
    before = []
    for days in (1, 16, 31):
        clock.move(timedelta(days=days))
        signup(Request(ANN), desk)
        tick(desk)
        before.append(len(provider.calls))
    assert [after - before[0] for after in before] == [0, 0, 1]
