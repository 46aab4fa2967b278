"""Lists from other systems: who becomes what, and what the report says of it."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from newsletter.core import address
from newsletter.core.consent import Reason, State
from newsletter.errors import FileRefused, NotFound
from newsletter.flows import audience
from newsletter.flows.ask import ask
from newsletter.flows.desk import Desk
from newsletter.flows.roster import DECISIONS, Import
from newsletter.flows.signup import Request, confirm, signup
from newsletter.store import SqlStore

CHIMP = "Email Address,First Name,Last Name,OPTIN_TIME,OPTIN_IP,CONFIRM_TIME,CONFIRM_IP,LEID,TAGS\n"

_numbers = itertools.count()


@pytest.fixture
def bring(desk: Desk, tmp_path: Path) -> Callable[..., Import]:
    """Import a text as a file."""

    def import_(text: str, name: str = "", encoding: str = "utf-8", desk: Desk = desk, **how: object) -> Import:
        file = tmp_path / (name or f"people{next(_numbers)}.csv")
        file.write_bytes(text.encode(encoding))
        return audience.import_(file, desk, **{"names": {}, **how})  # type: ignore[arg-type]

    return import_


def reason(desk: Desk, email: str) -> Reason | None:
    with desk.store.read() as tx:
        return tx.audience.suppression(desk.hmac(address.parse(email)))


def test_promise_8_double_opt_in_that_the_file_proves_is_evidence(desk: Desk, bring: Callable[..., Import]) -> None:
    text = CHIMP + (
        'ann@x.test,Ann,Lee,2024-01-01 09:00:00,192.0.2.10,2024-01-01 09:05:00,192.0.2.11,1,"""Editors"""\n'
        "ben@x.test,Ben,,2023-04-21 11:16:57,,2023-04-21 11:16:57,,2,\n"
        "cid@x.test,Cid,,2024-01-01 09:00:00,,2099-01-01 00:00:00,,3,\n"
    )
    report = bring(text)
    assert (report.format, report.active, report.proven, report.pending) == ("Mailchimp", 1, 1, 2)
    assert {name: lines for name, lines in report.lines.items() if lines} == {"active": [2], "pending": [3, 4]}
    assert report.ignored_tags == ("Editors",)
    ann = audience.show("ann@x.test", desk)
    assert (ann["state"], ann["confirmed_at"], ann["last_name"]) == ("active", "2024-01-01T09:05:00Z", "Lee")
    (event,) = ann["consent"]
    assert (event["kind"], event["method"]) == ("import", "import")
    assert event["note"] == "asked 2024-01-01T09:00:00Z, confirmed 2024-01-01T09:05:00Z (Mailchimp)"
    assert "192.0.2" not in str(ann)
    assert audience.show("ben@x.test", desk)["state"] == "pending"


def test_promise_8_consent_with_time_form_and_words_is_proof(desk: Desk, bring: Callable[..., Import]) -> None:
    head = "email,consent_at,consent_form,consent_wording\n"
    report = bring(head + "ann@x.test,2024-05-01,fair,Write to me.\nben@x.test,2024-05-01,fair,\n", why="")
    assert (report.active, report.pending) == (1, 1)
    (event,) = audience.show("ann@x.test", desk)["consent"]
    assert (event["form"], event["wording"], event["note"]) == ("fair", "Write to me.", "agreed 2024-05-01T00:00:00Z")


def test_who_never_confirmed_there_stays_pending_whatever_is_attested(desk: Desk, bring: Callable[..., Import]) -> None:
    head = "first_name,email_address,state,created_at,tags\n"
    report = bring(
        head + "Ann,ann@x.test,active,2025-03-03,\nBen,ben@x.test,inactive,2025-03-03,\n", why="all asked", name="k.csv"
    )
    assert (report.format, report.active, report.pending, report.proven) == ("Kit", 1, 1, 0)
    assert audience.show("ben@x.test", desk)["state"] == "pending"
    assert bring("email\nben@x.test\n", why="all asked").known == 1


def test_promise_8_who_left_there_is_suppressed_here_for_the_same_reason(
    desk: Desk, bring: Callable[..., Import]
) -> None:
    head = "email,First Name,status,tier,created_at,unsubscribed_at\n"
    rows = {
        "left": "active,free,2023-03-24 10:23:10 UTC,2024-03-13 11:33:53 UTC",
        "gone": "inactive,free,2023-03-24 10:23:10 UTC,",
        "bad": "invalid,free,,",
        "asks": "pending,free,,",
        "reads": "active,free,,",
    }
    report = bring(head + "".join(f"{who}@x.test,,{row}\n" for who, row in rows.items()), why="asked on the old site")
    assert (report.left, report.pending, report.active) == (3, 1, 1)
    assert [reason(desk, f"{who}@x.test") for who in rows] == ["unsubscribed", "unsubscribed", "bounced", None, None]
    again = bring("email\n" + "".join(f"{who}@x.test\n" for who in rows), why="a new list")
    assert (again.suppressed, again.known, again.active) == (3, 2, 0)


def test_promise_8_the_worst_that_a_file_says_of_somebody_holds_in_any_order(
    desk: Desk, bring: Callable[..., Import]
) -> None:
    text = "email,status\nann@x.test,active\nAnn@x.test,unsubscribed\nann@x.test,active\nann@x.test,complained\n"
    report = bring(text, why="asked")
    assert (report.left, report.doubled, report.active) == (1, 3, 0)
    assert reason(desk, "ann@x.test") is Reason.COMPLAINED
    assert audience.stats(desk)["all"] == 0


@pytest.mark.parametrize(
    ("status", "state"), [("unsubscribed", "unsubscribed"), ("bounced", "bounced"), ("complained", "complained")]
)
def test_promise_4_a_reader_here_who_left_there_gets_no_more_letters(
    desk: Desk, bring: Callable[..., Import], status: str, state: str
) -> None:
    audience.add("ann@x.test", desk, why="asked")
    report = bring(f"email,status\nann@x.test,{status}\n")
    assert (report.withdrawn, report.left) == (1, 0)
    shown = audience.show("ann@x.test", desk)
    assert (shown["state"], shown["suppressed"]) == (state, state)
    assert (shown["consent"][-1]["method"], desk.store is not None) == ("import", True)
    with desk.store.read() as tx:
        assert tx.campaigns.headcount(["letter"]).get("audience", 0) == 0
    assert bring(f"email,status\nann@x.test,{status}\n").suppressed == 1


def test_a_newer_word_by_the_mailbox_itself_holds(desk: Desk, bring: Callable[..., Import]) -> None:
    signup(Request("ann@x.test", letter=True), desk)
    with desk.store.read() as tx:
        ann = tx.audience.by_hmac(desk.hmac(address.parse("ann@x.test")))
        asked = tx.audience.signup(1)
    assert ann is not None
    assert asked is not None
    confirm(desk.links.confirm(asked.id, asked.gen, desk.now()).rpartition("/")[2], desk)
    before, after = (f"{desk.now() + timedelta(days=days):%Y-%m-%d}" for days in (-9, 9))
    assert bring(f"email,unsub_time\nann@x.test,{before}\n").known == 1
    assert audience.show("ann@x.test", desk)["state"] == "active"
    assert bring(f"email,unsub_time\nann@x.test,{after}\n").withdrawn == 1


def test_promise_4_an_attestation_is_no_newer_word_of_the_mailbox(desk: Desk, bring: Callable[..., Import]) -> None:
    bring("email\nann@x.test\n", why="asked at the fair")
    assert bring("email,unsub_time\nann@x.test,2024-03-01\n").withdrawn == 1
    assert audience.show("ann@x.test", desk)["state"] == "unsubscribed"


def test_who_never_asked_is_left_out_and_nothing_is_kept(desk: Desk, bring: Callable[..., Import]) -> None:
    row = "ann@x.test,Ann,,,,,,1,\n"
    report = bring(CHIMP + row, name="nonsubscribed_email_audience_export.csv", why="they bought something")
    assert (report.never, report.active) == (1, 0)
    assert audience.stats(desk)["all"] == 0


def test_tags_become_topics_by_the_map(desk: Desk, bring: Callable[..., Import]) -> None:
    desk = replace(desk, publication=replace(desk.publication, topics={"trips": "Trips"}))
    text = 'email,tags\nann@x.test,"VIP, Old"\nben@x.test,\n'
    report = bring(text, desk=desk, names={"tag:vip": "trips"}, why="asked")
    assert report.ignored_tags == ("Old",)
    topics = [audience.show(f"{who}@x.test", desk)["topics"] for who in ("ann", "ben")]
    assert topics == [["letter", "trips"], ["letter"]]
    with pytest.raises(NotFound, match="no topic"):
        bring(text, names={"tag:vip": "walks"})


def test_a_status_nobody_knows_is_told_by_its_line_with_the_way_to_name_it(
    desk: Desk, bring: Callable[..., Import]
) -> None:
    text = "email,status\nann@x.test,Founding\nben@x.test,active\n"
    report = bring(text, why="asked")
    assert (report.active, report.invalid) == (1, 1)
    assert report.notes[0].startswith('line 2: the status "Founding" is not known')
    assert bring(text, names={"status:Founding": "active"}, why="asked").active == 1


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        ("sep=;\r\nE-Mail;Name\r\nann@x.test;Zoë von Lee\r\n", "cp1252"),
        ("Email\tFull name\nann@x.test\tZoë von Lee\n", "utf-16"),
        ("Email\tFull name\nann@x.test\tZoë von Lee\n", "utf-16-le"),
        ("email|name\nann@x.test|Zoë  von\tLee\n", "utf-8-sig"),
        ('name,email,note\n"Zoë von Lee",ann@x.test,"two\nlines, and me@x.test"\n', "utf-8"),
    ],
)
def test_files_come_in_many_shapes(desk: Desk, bring: Callable[..., Import], text: str, encoding: str) -> None:
    assert bring(text, encoding=encoding, why="asked").active == 1
    found = audience.show("ann@x.test", desk)
    assert (found["first_name"], found["last_name"]) == ("Zoë", "von Lee")


def test_a_file_without_a_head_is_told_so_and_names_nobody(bring: Callable[..., Import]) -> None:
    with pytest.raises(FileRefused) as refused:
        bring("ann@x.test,Ann\nben@x.test,Ben\n")
    assert "first line must name the columns" in refused.value.todo
    assert "x.test" not in str(refused.value)
    with pytest.raises(NotFound, match='no column "Mail"'):
        bring("address\nann@x.test\n", names={"Mail": "email"})
    with pytest.raises(NotFound, match="nothing an import knows"):
        bring("address\nann@x.test\n", names={"address": "mailbox"})


def test_a_dry_run_counts_what_would_be_and_changes_nothing(desk: Desk, bring: Callable[..., Import]) -> None:
    audience.add("old@x.test", desk, why="asked")
    text = "email,status\nnew@x.test,active\nold@x.test,unsubscribed\ngone@x.test,bounced\nno,active\n"
    dry = bring(text, why="asked", dry_run=True, name="same.csv")
    assert audience.show("old@x.test", desk)["state"] is State.ACTIVE
    assert reason(desk, "gone@x.test") is None
    assert vars(dry) == vars(bring(text, why="asked", name="same.csv"))


def test_whoever_was_only_brought_becomes_a_reader_once_somebody_vouches(
    desk: Desk, bring: Callable[..., Import]
) -> None:
    signup(Request("form@x.test"), desk)
    bring("email\nann@x.test\nben@x.test\n")
    ask(desk)
    bring("email\ncid@x.test\n")
    text = "email\nann@x.test\ncid@x.test\ncid@x.test\nform@x.test\n"
    dry = bring(text, why="found the paper list", dry_run=True, name="same.csv")
    report = bring(text, why="found the paper list", name="same.csv")
    assert (report.active, report.known) == (dry.active, dry.known) == (1, 3)
    cid = audience.show("cid@x.test", desk)
    assert (cid["state"], cid["topics"], cid["consent"][-1]["note"]) == ("active", ["letter"], "found the paper list")
    assert {audience.show(f"{who}@x.test", desk)["state"] for who in ("ann", "form")} == {"pending"}


def test_every_row_is_counted_once(desk: Desk, bring: Callable[..., Import]) -> None:
    rows = ["a@x.test,active", "a@x.test,active", "b@x.test,bounced", "c@x.test,never", "d@x.test,pending", "e,active"]
    report = bring("email,status\n" + "\n".join(rows), why="asked")
    assert sum(getattr(report, kind) for kind in DECISIONS) == report.rows == 6


def test_an_import_on_postgresql_keeps_proof_and_opt_outs(
    store: SqlStore, make_desk: Callable[..., Desk], bring: Callable[..., Import]
) -> None:
    desk = make_desk(store)
    uuid = "0f0e0d0c-0b0a-4009-8807-060504030201"
    text = (
        "uuid,email,name,attributes,status,created_at,updated_at\n"
        f"{uuid},ann@x.test,Ann,{{}},enabled,2024-05-01 10:00:00 +0000 UTC,\n"
        f"{uuid[::-1]},ben@x.test,Ben,{{}},blocklisted,2024-05-01 10:00:00 +0000 UTC,\n"
    )
    for _ in range(2):
        report = bring(text, desk=desk, why="asked")
    assert (report.format, report.known, report.suppressed, report.old_links) == ("listmonk", 1, 1, 1)
