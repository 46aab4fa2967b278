"""The audience comes in, is looked at, and leaves."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import event

from newsletter.core import address
from newsletter.core.campaign import Draft, Variant
from newsletter.core.consent import Newcomer, Reason, State
from newsletter.core.delivery import Outcome, Status
from newsletter.core.event import Event, EventType
from newsletter.errors import AddressRefused, FileRefused, NotFound, NothingToDo
from newsletter.flows import audience
from newsletter.flows.desk import Desk
from newsletter.flows.leave import leave
from newsletter.flows.signup import Request, signup
from newsletter.store import SqlStore


@pytest.fixture
def desk(store: SqlStore, make_desk: Callable[..., Desk]) -> Desk:
    return make_desk(store)


def csv(tmp_path: Path, text: str, encoding: str = "utf-8") -> Path:
    file = tmp_path / "people.csv"
    file.write_bytes(text.encode(encoding))
    return file


def test_without_attestation_an_import_is_pending_and_gets_no_letter(desk: Desk, tmp_path: Path) -> None:
    report = audience.import_(csv(tmp_path, "email,first_name\nann@x.test,Ann\nben@x.test,\n"), desk, names={})
    assert (report.rows, report.pending, report.active) == (2, 2, 0)
    with desk.store.read() as tx:
        assert tx.campaigns.headcount(["letter"]) == {"pending": 2}


def test_attested_consent_is_kept_as_evidence(desk: Desk, tmp_path: Path) -> None:
    audience.import_(
        csv(tmp_path, "email,first_name\nann@x.test,Ann\n"), desk, names={}, why="asked at the fair in May"
    )
    found = audience.show("ann@x.test", desk)
    assert (found["state"], found["topics"], found["first_name"]) == ("active", ["letter"], "Ann")
    assert [(event["kind"], event["note"]) for event in found["consent"]] == [("import", "asked at the fair in May")]


def test_promise_8_nobody_who_left_comes_back_by_an_import(desk: Desk, tmp_path: Path) -> None:
    for name in ("left", "owner", "erased", "pending"):
        audience.add(f"{name}@x.test", desk, why="" if name == "pending" else "asked")
    with desk.store.read() as tx:
        left = tx.audience.by_hmac(desk.hmac(address.parse("left@x.test")))
    assert left is not None
    leave(left.unsubscribe_token, desk, method="page")
    audience.suppress("owner@x.test", desk)
    audience.erase("erased@x.test", desk)
    rows = "".join(f"{name}@x.test\n" for name in ("left", "Owner", "ERASED", "new", "new", "pending"))
    report = audience.import_(csv(tmp_path, "email\n" + rows), desk, names={}, why="bought a list, allegedly")
    assert (report.suppressed, report.active, report.doubled, report.known) == (3, 1, 1, 1)
    with desk.store.read() as tx:
        assert tx.campaigns.headcount(["letter"])["audience"] == 1
    with pytest.raises(NothingToDo):
        audience.add("left@x.test", desk, why="really")


def test_what_cannot_be_read_is_named_by_line_and_never_by_address(desk: Desk, tmp_path: Path) -> None:
    text = "email;topics\nann@x.test;letter\nnot an address;\n;\nben@x.test;nonsense\n\ncid@x.test;letter|letter\n"
    report = audience.import_(csv(tmp_path, text), desk, names={}, why="asked")
    assert (report.rows, report.active, report.invalid) == (4, 2, 2)
    assert [note.split(":")[0] for note in report.notes] == ["line 3", "line 5"]
    assert not any("@x.test" in note or "not an address" in note for note in report.notes)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1252", "utf-16"])
def test_files_come_as_spreadsheets_write_them(desk: Desk, tmp_path: Path, encoding: str) -> None:
    report = audience.import_(
        csv(tmp_path, 'Email Address\tFirst Name\r\n"Ann@X.test"\tZoë\r\n', encoding),
        desk,
        names={"Email Address": "email"},
        why="asked",
    )
    assert report.active == 1
    found = audience.show("ann@x.test", desk)
    assert (found["email"], found["first_name"]) == ("Ann@x.test", "Zoë")


def test_a_dry_run_changes_nothing(desk: Desk, tmp_path: Path) -> None:
    report = audience.import_(csv(tmp_path, "email\nann@x.test\n"), desk, names={}, why="asked", dry_run=True)
    assert report.active == 1
    assert audience.stats(desk)["all"] == 0


def test_a_file_without_addresses_says_what_it_has(desk: Desk, tmp_path: Path) -> None:
    with pytest.raises(FileRefused, match="mail, name"):
        audience.import_(csv(tmp_path, "mail,name\na@x.test,Ann\n"), desk, names={})
    with pytest.raises(FileRefused, match="cannot be read"):
        audience.import_(tmp_path / "none.csv", desk, names={})


def test_a_quotation_mark_that_is_never_closed_is_named(desk: Desk, tmp_path: Path) -> None:
    text = "email,first_name\nann@x.test,Ann\n" + 'ben@x.test,"' + "x" * 200_000
    with pytest.raises(FileRefused, match="from line"):
        audience.import_(csv(tmp_path, text), desk, names={}, why="asked")


@pytest.mark.slow
def test_a_large_file_is_decoded_by_all_of_it(desk: Desk, tmp_path: Path) -> None:
    rows = "".join(f"r{n}@x.test,Ann\n" for n in range(80_000))
    report = audience.import_(
        csv(tmp_path, "email,first_name\n" + rows + "zoe@x.test,Zoë\n", "cp1252"), desk, names={}, dry_run=True
    )
    assert report.pending == 80_001
    audience.import_(
        csv(tmp_path, "email,first_name,lang\nzoe@x.test,Zoë," + "x" * 80 + "\n", "cp1252"), desk, names={}, why="y"
    )
    found = audience.show("zoe@x.test", desk)
    assert (found["first_name"], found["lang"]) == ("Zoë", "en")


def test_names_are_one_line(desk: Desk, tmp_path: Path) -> None:
    audience.import_(csv(tmp_path, 'email,first_name\nann@x.test,"Ann\r\nBcc: x"\n'), desk, names={}, why="asked")
    assert audience.show("ann@x.test", desk)["first_name"] == "Ann Bcc: x"


def test_export_holds_everybody_and_all_their_consent(desk: Desk, tmp_path: Path) -> None:
    signup(Request("ann@x.test", letter=True), desk)
    audience.add("ben@x.test", desk, why="asked")
    rows = {row["email"]: row for row in audience.export(desk)}
    assert set(rows) == {"ann@x.test", "ben@x.test"}
    assert rows["ann@x.test"]["consent"][0]["wording"].startswith("Send me the workbook.")


def test_an_added_address_without_attestation_is_asked(desk: Desk) -> None:
    assert audience.add("ann@x.test", desk) is State.PENDING
    with desk.store.read() as tx:
        assert tx.queue.numbers() == {"waiting": 1}
    with pytest.raises(NothingToDo, match="known already"):
        audience.add("ann@x.test", desk)
    with pytest.raises(AddressRefused):
        audience.add("ann", desk)


def test_the_owner_takes_back_only_their_own_word(desk: Desk) -> None:
    audience.suppress("ann@x.test", desk, note="asked by phone")
    assert audience.show("ann@x.test", desk)["suppressed"] is Reason.OWNER
    audience.unsuppress("ann@x.test", desk, why="asked back by phone")
    with pytest.raises(NothingToDo):
        audience.unsuppress("ann@x.test", desk, why="again")
    with desk.store.begin() as tx:
        tx.audience.suppress(desk.hmac(address.parse("ann@x.test")), Reason.COMPLAINED, desk.now())
    with pytest.raises(NothingToDo, match="complained"):
        audience.unsuppress("ann@x.test", desk, why="please")
    with pytest.raises(NotFound):
        audience.show("nobody@x.test", desk)
    with pytest.raises(NotFound):
        audience.erase("nobody@x.test", desk)


@pytest.mark.parametrize("leaves", [Reason.UNSUBSCRIBED, Reason.ERASED])
def test_promise_8_taking_back_the_owners_word_brings_nobody_back(desk: Desk, tmp_path: Path, leaves: Reason) -> None:
    audience.add("ann@x.test", desk, why="asked")
    with desk.store.read() as tx:
        ann = tx.audience.by_hmac(desk.hmac(address.parse("ann@x.test")))
    assert ann is not None
    if leaves is Reason.ERASED:
        audience.erase("ann@x.test", desk)
    else:
        leave(ann.unsubscribe_token, desk, method="page")
    audience.suppress("ann@x.test", desk)
    assert audience.show("ann@x.test", desk)["suppressed"] is Reason.OWNER
    assert audience.unsuppress("ann@x.test", desk, why="a mistake") is leaves
    report = audience.import_(csv(tmp_path, "email\nann@x.test\n"), desk, names={}, why="asked")
    assert (report.suppressed, report.active) == (1, 0)


def test_the_export_tells_what_became_of_each_letter(desk: Desk) -> None:
    for name in ("ann", "ben", "cid"):
        audience.add(f"{name}@x.test", desk, why="asked")
    audience.suppress("cid@x.test", desk)
    drafts = [
        Draft(key, key, "s", ("all",), ("letter",), key, key, "fake", 1, None, {}, "p", (Variant("all", "{}"),))
        for key in ("first", "second")
    ]
    with desk.store.begin() as tx:
        first, _ = (tx.campaigns.freeze(draft, desk.now()) for draft in drafts)
        claim = tx.campaigns.claim(first.id, "me", desk.now(), lease=desk.pace.lease, way_out=str)
        assert claim is not None
        tx.campaigns.record(claim, [Outcome(claim.recipients[0].key, Status.SUBMITTED)])
    told = {row["email"]: row["campaigns"] for row in audience.export(desk)}
    waits = {"campaign": "second", "state": "pending", "reason": None}
    assert told == {
        "ann@x.test": [{"campaign": "first", "state": "submitted", "reason": None}, waits],
        "ben@x.test": [{"campaign": "first", "state": "pending", "reason": None}, waits],
        "cid@x.test": [],
    }
    assert audience.show("ann@x.test", desk)["campaigns"] == told["ann@x.test"]


def test_an_export_asks_for_many_at_once(desk: Desk) -> None:
    """As many questions for two hundred readers as for two."""

    def questions() -> int:
        asked: list[str] = []
        note = lambda *given: asked.append(given[2])  # noqa: E731
        event.listen(desk.store._read, "before_cursor_execute", note)  # type: ignore[attr-defined]
        rows = list(audience.export(desk))
        event.remove(desk.store._read, "before_cursor_execute", note)  # type: ignore[attr-defined]
        assert len(rows) in {2, 202}
        return len(asked)

    for name in ("ann", "ben"):
        audience.add(f"{name}@x.test", desk, why="asked")
    few = questions()
    with desk.store.begin() as tx:
        tx.audience.add(
            [Newcomer(f"r{n}@x.test", f"{n:032x}", f"p{n}", f"t{n}", State.ACTIVE, "en") for n in range(200)],
            desk.now(),
        )
    assert questions() == few


def test_a_stray_quotation_mark_swallows_nobody(desk: Desk, tmp_path: Path) -> None:
    text = 'email,first_name\nd@x.test,"Dana\n' + "".join(f"u{n}@x.test,N\n" for n in range(5))
    with pytest.raises(FileRefused):
        audience.import_(csv(tmp_path, text), desk, names={}, why="asked")
    report = audience.import_(csv(tmp_path, text + 'e@x.test,"\nf@x.test,F\n'), desk, names={}, why="asked")
    assert report.invalid == 1
    assert [row["email"] for row in audience.each(desk)] == ["f@x.test"]


def test_a_row_may_be_shorter_or_longer_than_the_head(desk: Desk, tmp_path: Path) -> None:
    file = tmp_path / "people.csv"
    file.write_text("first_name,email\nAnn,ann@x.test,de,more\n,ben@x.test\nCid\n", "utf-8")
    report = audience.import_(file, desk, names={}, why="asked")
    assert (report.active, report.invalid, report.notes[0][:6]) == (2, 1, "line 4")
    shown = [audience.show(f"{name}@x.test", desk) for name in ("ann", "ben")]
    assert [(one["first_name"], one["lang"], one["topics"]) for one in shown] == [
        ("Ann", "en", ["letter"]),
        ("", "en", ["letter"]),
    ]


def test_many_come_with_topics_of_their_own_and_evidence_for_each(
    store: SqlStore, make_desk: Callable[..., Desk], tmp_path: Path
) -> None:
    desk = make_desk(store)
    desk = replace(desk, publication=replace(desk.publication, topics={"letter": "Letter", "trips": "Trips"}))
    file = tmp_path / "people.csv"
    rows = [f"r{number}@x.test,{'trips' if number % 2 else 'letter;trips'}" for number in range(60)]
    file.write_text("\n".join(["email,topics", *rows, rows[0]]), "utf-8")
    report = audience.import_(file, desk, names={}, why="asked")
    assert (report.active, report.doubled) == (60, 1)
    assert audience.import_(file, desk, names={}, why="asked").known == 61
    for number, topics in ((0, ["letter", "trips"]), (59, ["trips"])):
        shown = audience.show(f"r{number}@x.test", desk)
        assert shown["topics"] == topics
        (event,) = shown["consent"]
        assert (event["kind"], event["topics"], event["note"]) == ("import", topics, "asked")


def test_what_is_shown_has_every_key_whoever_it_is_about(desk: Desk) -> None:
    audience.add("ann@x.test", desk, why="asked")
    audience.suppress("ben@x.test", desk, note="asked by phone")
    ann, ben = audience.show("ann@x.test", desk), audience.show("ben@x.test", desk)
    assert list(ann) == list(ben)
    assert (ben["email"], ben["suppressed"], ben["consent"], ann["against"]) == (None, "owner", [], [])
    assert [(one["reason"], one["note"]) for one in ben["against"]] == [("owner", "asked by phone")]


def test_promise_9_a_stranger_that_mail_servers_reported_is_erased_too(desk: Desk) -> None:
    told = Event(EventType.BOUNCED, "e1", desk.now(), email="Stranger@x.test", permanent=True)
    with desk.store.begin() as tx:
        hmac = desk.hmac(address.parse("stranger@x.test"))
        tx.events.add("fake", told, hmac=hmac, subscriber_id=None, campaign_id=None, now=desk.now())
    with pytest.raises(NotFound, match="reported about it is erased"):
        audience.erase("stranger@x.test", desk)
    with desk.store.read() as tx:
        assert [one.email for one in tx.events.each()] == [None]
