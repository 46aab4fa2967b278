"""Bounces that come as mail: files in every form they lie about in, believed when they carry a mark of ours."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from newsletter.core.consent import State
from newsletter.errors import FileRefused
from newsletter.flows import audience, bounces, mail
from newsletter.flows.desk import Desk
from newsletter.flows.send import send
from newsletter.flows.signup import Request, signup
from newsletter.store import SqlStore
from newsletter.testing import Clock, FakeProvider
from tests.core.test_bouncemail import KEY, dsn
from tests.flows.bouncing import FORMS, Sent, yahoo

ANN, BEN = "ann@x.test", "ben@x.test"


@pytest.fixture
def desk(sqlite_store: SqlStore, make_desk: Callable[..., Desk], clock: Clock) -> Desk:
    return _with_readers(make_desk(sqlite_store), clock)


@pytest.fixture
def each(store: SqlStore, make_desk: Callable[..., Desk], clock: Clock) -> Desk:
    """The same on each kind of database."""
    return _with_readers(make_desk(store), clock)


def _with_readers(desk: Desk, clock: Clock) -> Desk:
    for who in (ANN, BEN):
        audience.add(who, desk, why="asked")
    clock.move(3600)
    return desk


def sent(desk: Desk, provider: FakeProvider, who: str = ANN) -> Sent:
    """The letter goes out; what a reader's copy of it carried."""
    if not provider.calls:
        send("quiet", desk)
    key = next(one.key for call in provider.calls for one in call.batch.recipients if one.address == who)
    with desk.store.read() as tx:
        token = next(one.unsubscribe_token for one in tx.audience.each() if one.email == who)
    return Sent(f"<{key}@quiet.example>", token, who)


def states(desk: Desk) -> list[State]:
    return [audience.show(who, desk)["state"] for who in (ANN, BEN)]


@pytest.mark.parametrize("form", FORMS)
def test_reports_of_mail_systems_lead_to_the_right_person(desk: Desk, provider: FakeProvider, form: str) -> None:
    message = FORMS[form](sent(desk, provider)).encode()
    assert bounces.take(iter([message]), desk) == bounces.Found(1, 1, 0, 0)
    assert states(desk) == [State.COMPLAINED if form == "yahoo" else State.BOUNCED, State.ACTIVE]


@pytest.mark.parametrize("form", FORMS)
def test_a_report_without_a_mark_of_ours_changes_nothing_until_somebody_vouches(
    desk: Desk, provider: FakeProvider, form: str
) -> None:
    """Anybody can write one about anybody whose address they know. Of blacked out addresses nobody can say more."""
    message = FORMS[form](Sent("<made-up@quiet.example>", "m" * 22, ANN)).encode()
    assert bounces.take(iter([message]), desk) == bounces.Found(1, 1, 0, 0, unmatched=1)
    assert states(desk) == [State.ACTIVE, State.ACTIVE]
    with desk.store.read() as tx:
        assert [one.matched for one in tx.events.each()] == [False]
    found = bounces.take(iter([message]), desk, trust=True)
    trusted = form not in {"yahoo", "exim"}  # the one names nobody, the other is free text
    assert states(desk) == [State.BOUNCED if trusted else State.ACTIVE, State.ACTIVE]
    assert found.unmatched == (form == "exim")
    assert bounces.take(iter([message]), desk, trust=True).events == 0


def test_a_free_text_never_adds_up_also_when_somebody_vouches(desk: Desk, clock: Clock) -> None:
    text = FORMS["exim"](Sent("<made-up@quiet.example>", "m" * 22, ANN)).replace("550 5.1.1", "552 5.2.2")
    for day in range(4):
        clock.move(86_400)
        one = text.replace("E1-0001", f"E1-{day}").replace("01 Dec", f"{day + 2:02d} Dec")
        assert bounces.take(iter([one.encode()]), desk, trust=True).events == 1
    assert states(desk)[0] is State.ACTIVE


def test_soft_reports_without_a_mark_never_add_up(desk: Desk, clock: Clock) -> None:
    for day in range(4):
        clock.move(86_400)
        report = dsn("failed", "5.2.2", "552 5.2.2 full").replace(b"report-1", b"report-%d" % day)
        assert bounces.take(iter([report.replace(b"01 Dec", b"%02d Dec" % (day + 2))]), desk).events == 1
    assert states(desk)[0] is State.ACTIVE


def test_a_bounce_of_a_confirmation_leads_to_who_signed_up(each: Desk, provider: FakeProvider) -> None:
    signup(Request("cy@x.test", letter=True), each)
    mail.empty(each)
    key = provider.calls[-1].batch.recipients[0].key
    report = FORMS["postfix"](Sent(f"<{key}@quiet.example>", "n" * 22, "elsewhere@y.test"))
    assert bounces.take(iter([report.replace("18:00:00", "19:00:00").encode()]), each).unmatched == 0
    assert audience.show("cy@x.test", each)["state"] is State.BOUNCED


def test_a_bounce_is_obeyed_once_however_it_comes(desk: Desk, provider: FakeProvider, tmp_path: Path) -> None:
    one = FORMS["postfix"](sent(desk, provider)).encode()
    two = one.replace(b"20261201180000.1@", b"another@").replace(b"This is the", b">From the")
    (tmp_path / "one.eml").write_bytes(one)
    (tmp_path / "box").write_bytes(
        b"From MAILER-DAEMON Tue Dec  1 18:00:00 2026\n" + one + b"\nFrom x Tue Dec 1\n" + two
    )
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder/a.eml").write_bytes(one)
    for name in ("cur", "new", "tmp"):
        (tmp_path / "maildir" / name).mkdir(parents=True)
    (tmp_path / "maildir/new/a").write_bytes(b"Subject: hello\n\nHow are you?")
    found = [bounces.import_(tmp_path / name, desk) for name in ("one.eml", "box", "folder", "maildir")]
    assert found == [
        bounces.Found(1, 1, 0, 0),
        bounces.Found(2, 1, 1, 0),
        bounces.Found(1, 0, 1, 0),
        bounces.Found(1, 0, 0, 1),
    ]
    shown = audience.show(ANN, desk)
    assert shown["state"] is State.BOUNCED
    assert (shown["consent"][-1]["method"], shown["consent"][-1]["source"]) == ("mail", "mail")


def test_it_is_our_reader_who_bounced_and_not_whom_they_forward_to(each: Desk, provider: FakeProvider) -> None:
    key = sent(each, provider).message_id.strip("<>").partition("@")[0]
    message = dsn("failed", "5.1.1", "550 5.1.1 unknown", to=f"bounces+{key}@b.quiet.example", who=BEN)
    assert bounces.take(iter([message]), each).events == 1
    assert states(each) == [State.BOUNCED, State.ACTIVE]


def test_a_way_out_leads_to_who_has_the_address_now(each: Desk, provider: FakeProvider) -> None:
    before = sent(each, provider)
    assert bounces.take(iter([yahoo(before).replace("arf-1@", "arf-0@").encode()]), each).unmatched == 0
    assert states(each) == [State.COMPLAINED, State.ACTIVE]
    audience.erase(ANN, each)
    report = yahoo(before).encode()
    assert bounces.take(iter([report]), each).unmatched == 1
    with each.store.read() as tx:
        assert [one.email for one in tx.events.each()] == [None, "redacted@yahoo.test"]


def test_a_folder_of_mboxes_is_read_whole_and_of_nothing_there_is_none(desk: Desk, tmp_path: Path) -> None:
    two = [
        dsn("failed", "5.1.1", "550 5.1.1 unknown", who=who).replace(b"report-1", who.encode()) for who in (ANN, BEN)
    ]
    (tmp_path / "boxes").mkdir()
    (tmp_path / "boxes/box").write_bytes(b"".join(b"From x Tue Dec 1\n" + one + b"\n" for one in two))
    (tmp_path / "boxes/empty").write_bytes(b"\n")
    assert bounces.import_(tmp_path / "boxes", desk, trust=True) == bounces.Found(2, 2, 0, 0)
    assert states(desk) == [State.BOUNCED] * 2
    assert bounces.take(bounces.split(b""), desk) == bounces.Found(0, 0, 0, 0)


@pytest.mark.parametrize(
    ("was", "odd"),
    [
        (f"<{KEY}@", f"<{'m' * 300}@"),
        ("rfc822; ann@", f"rfc822; {'a' * 300}@"),
        ("ann@x.test", "an\0n@x.test"),
        ("To: us@", f"To: bounces+{'a' * 400}@"),
        ("To: us@", "To: bounces+a@"),
        ("01 Dec 2026 18:00:00 +0000", "01 Jan 0001 00:00:00 +1400"),
    ],
)
def test_an_odd_report_loses_none_of_the_others(each: Desk, was: str, odd: str) -> None:
    strange = dsn("failed", "5.1.1", "550 5.1.1 unknown").replace(was.encode(), odd.encode())
    good = dsn("failed", "5.1.1", "550 5.1.1 unknown", who=BEN).replace(b"report-1", b"report-2")
    bounces.take(iter([strange, good.replace(KEY.encode(), b"other")]), each, trust=True)
    assert states(each)[1] is State.BOUNCED


def test_what_cannot_be_read_is_said(desk: Desk, tmp_path: Path) -> None:
    with pytest.raises(FileRefused, match="No such file"):
        bounces.import_(tmp_path / "missing.eml", desk)
