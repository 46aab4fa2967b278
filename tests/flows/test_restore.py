"""An export of ours brings everybody back, whole."""

from __future__ import annotations

import contextlib
import csv
import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from newsletter.core import address
from newsletter.core.consent import Reason
from newsletter.errors import FileRefused
from newsletter.flows import audience, restore
from newsletter.flows.desk import Desk
from newsletter.flows.leave import leave
from newsletter.flows.signup import Request, confirm, signup
from newsletter.store import SqlStore, open_store

OLD = "0f0e0d0c-0b0a-4009-8807-060504030201"


@pytest.fixture
def empty(sqlite_template: Path, tmp_path: Path, make_desk: Callable[..., Desk]) -> Iterator[Desk]:
    """A desk on an empty database, with the same keys."""
    copied = shutil.copy(sqlite_template, tmp_path / "other.db")
    with contextlib.closing(open_store(f"sqlite:///{copied}")) as opened:
        yield make_desk(opened)


def fill(desk: Desk, folder: Path) -> None:
    """People of every kind."""
    signup(Request("ann@x.test", letter=True, source="/s/workbook"), desk)
    with desk.store.read() as tx:
        asked = tx.audience.signup(1)
    assert asked is not None
    confirm(desk.links.confirm(asked.id, asked.gen, desk.now()).rpartition("/")[2], desk)
    signup(Request("waits@x.test"), desk)
    list_ = folder / "list.csv"
    list_.write_text(
        "email,first_name,last_name,lang,uuid\n"
        f'ben@x.test,"Ben, or ""Benno""",Ö;|,es,{OLD}\nleft@x.test,,,,\nbad@x.test,,,,\nstop@x.test,,,,\n',
        "utf-8",
    )
    audience.import_(list_, desk, names={}, why="asked at the fair; on paper")
    with desk.store.read() as tx:
        gone = tx.audience.by_hmac(desk.hmac(address.parse("left@x.test")))
    assert gone is not None
    leave(gone.unsubscribe_token, desk, method="one-click")
    bad = folder / "bad.csv"
    bad.write_text("email,status\nbad@x.test,bounced\n", "utf-8")
    audience.import_(bad, desk, names={})
    audience.suppress("stop@x.test", desk, note="asked by phone")


def write(rows: list[dict[str, Any]], file: Path) -> Path:
    """As the command writes them."""
    with file.open("w", encoding="utf-8", newline="") as out:
        if file.suffix == ".json":
            json.dump(rows, out, indent=1, ensure_ascii=False)
        else:
            writer = csv.writer(out, lineterminator="\n")
            writer.writerow((*restore.PLAIN, *restore.WHOLE))
            writer.writerows(map(restore.cells, rows))
    return file


@pytest.mark.parametrize("name", ["all.json", "all.csv"])
def test_promise_8_exported_and_imported_it_is_the_same(desk: Desk, empty: Desk, tmp_path: Path, name: str) -> None:
    fill(desk, tmp_path)
    before = list(audience.export(desk))
    assert {row["state"] for row in before} == {"active", "pending", "unsubscribed", "bounced"}
    report = audience.import_(write(before, tmp_path / name), empty, names={})
    assert (report.rows, report.active, report.pending, report.left) == (6, 3, 1, 2)
    assert list(audience.export(empty)) == before
    assert [audience.show(row["email"], empty)["suppressed"] for row in before[3:]] == [
        "unsubscribed",
        "bounced",
        "owner",
    ]
    again = audience.import_(tmp_path / name, empty, names={})
    assert (again.known, again.suppressed, again.active) == (3, 3, 0)


def test_old_letters_lead_out_of_the_new_database_too(desk: Desk, empty: Desk, tmp_path: Path) -> None:
    fill(desk, tmp_path)
    file = write(list(audience.export(desk)), tmp_path / "all.json")
    with desk.store.read() as tx:
        ben = tx.audience.by_hmac(desk.hmac(address.parse("ben@x.test")))
    assert ben is not None
    audience.import_(file, empty, names={})
    leave(ben.unsubscribe_token, empty, method="one-click")
    assert audience.show("ben@x.test", empty)["state"] == "unsubscribed"


def test_promise_8_whoever_left_here_is_not_brought_back(desk: Desk, empty: Desk, tmp_path: Path) -> None:
    fill(desk, tmp_path)
    file = write(list(audience.export(desk)), tmp_path / "all.json")
    audience.suppress("ann@x.test", empty)
    assert audience.import_(file, empty, names={}).suppressed == 1
    assert audience.show("ann@x.test", empty)["state"] is None


def change(row: dict[str, Any], **to: object) -> dict[str, Any]:
    return {**row, **to}


def test_an_active_reader_without_evidence_is_only_pending(desk: Desk, empty: Desk, tmp_path: Path) -> None:
    audience.add("ann@x.test", desk, why="asked")
    (ann,) = audience.export(desk)
    report = audience.import_(write([change(ann, consent=[])], tmp_path / "all.json"), empty, names={})
    assert (report.active, report.pending) == (0, 1)
    shown = audience.show("ann@x.test", empty)
    assert (shown["state"], shown["topics"]) == ("pending", [])


@pytest.mark.parametrize("state", ["unsubscribed", "bounced", "complained"])
def test_a_state_without_letters_has_its_reason(desk: Desk, empty: Desk, tmp_path: Path, state: str) -> None:
    audience.add("ann@x.test", desk, why="asked")
    (ann,) = audience.export(desk)
    audience.import_(write([change(ann, state=state, against=[])], tmp_path / "all.json"), empty, names={})
    assert audience.show("ann@x.test", empty)["suppressed"] == Reason(state)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"state": "sleepy"}, "state is not"),
        ({"email": "ann"}, "does not look like"),
        ({"created_at": "soon"}, "created_at is not"),
        ({"consent": "none"}, "consent is not"),
        ({"id": "../../etc"}, "id and unsubscribe_url"),
        ({"unsubscribe_url": ""}, "id and unsubscribe_url"),
        ({"old_links": ["x"]}, "old_links"),
        ({"first_name": "x" * 300}, "longer"),
    ],
)
def test_what_was_changed_on_the_way_is_refused_by_its_number(
    desk: Desk, empty: Desk, tmp_path: Path, changed: dict[str, object], said: str
) -> None:
    for name in ("ann", "ben"):
        audience.add(f"{name}@x.test", desk, why="asked")
    ann, ben = audience.export(desk)
    report = audience.import_(write([change(ann, **changed), ben], tmp_path / "all.json"), empty, names={})
    assert (report.invalid, report.active) == (1, 1)
    assert report.notes[0].startswith("line 1: ")
    assert said in report.notes[0]
    assert "ann" not in report.notes[0]


@pytest.mark.parametrize("text", ['{"members": [{"email": "ann@x.test", "uuid": "x"}]}', "[1, 2]", "[{}]"])
def test_json_of_others_is_refused_with_what_to_do(empty: Desk, tmp_path: Path, text: str) -> None:
    file = tmp_path / "members.json"
    file.write_text(text, "utf-8")
    with pytest.raises(FileRefused) as refused:
        audience.import_(file, empty, names={})
    assert "as CSV" in refused.value.todo


def test_what_is_said_beside_an_export_is_not_used_and_that_is_told(desk: Desk, empty: Desk, tmp_path: Path) -> None:
    audience.add("ann@x.test", desk, why="asked")
    rows = [change(row, consent=[]) for row in audience.export(desk)]
    report = audience.import_(write(rows, tmp_path / "all.json"), empty, names={}, why="all asked")
    assert (report.pending, report.notes[0][:17]) == (1, "an export of ours")


def test_promise_9_words_that_name_their_reader_are_kept_without_the_address(
    desk: Desk, empty: Desk, tmp_path: Path
) -> None:
    audience.add("ann@x.test", desk, why="asked")
    (ann,) = audience.export(desk)
    words = "I, ANN@x.test, want it."
    named = [
        change(one, wording=words, wording_sha256=restore._sha(words), form="x?ann@X.test") for one in ann["consent"]
    ]
    assert audience.import_(write([change(ann, consent=named)], tmp_path / "all.json"), empty, names={}).active == 1
    (event,) = audience.show("ann@x.test", empty)["consent"]
    assert (event["wording"], event["form"]) == ("I, …, want it.", "x?…")


def test_words_that_were_never_agreed_to_are_no_evidence(desk: Desk, empty: Desk, tmp_path: Path) -> None:
    signup(Request("ann@x.test", letter=True), desk)
    (ann,) = audience.export(desk)
    forged = [change(event, wording="Write to me every hour.") for event in ann["consent"]]
    report = audience.import_(write([change(ann, consent=forged)], tmp_path / "all.json"), empty, names={})
    assert (report.invalid, "hash" in report.notes[0]) == (1, True)


def test_a_torn_file_is_told_and_what_came_before_is_kept(desk: Desk, empty: Desk, tmp_path: Path) -> None:
    for name in ("ann", "ben"):
        audience.add(f"{name}@x.test", desk, why="asked")
    file = write(list(audience.export(desk)), tmp_path / "all.json")
    file.write_text(file.read_text("utf-8")[:-40], "utf-8")
    with pytest.raises(FileRefused, match="subscriber 2 on"):
        audience.import_(file, empty, names={})
    tidy = write(list(audience.export(desk)), tmp_path / "all.json")
    assert audience.import_(tidy, empty, names={}).active == 2


def test_an_id_that_somebody_has_here_is_made_anew(desk: Desk, empty: Desk, tmp_path: Path) -> None:
    audience.add("ann@x.test", desk, why="asked")
    (ann,) = audience.export(desk)
    rows = [ann, change(ann, email="ben@x.test", unsubscribe_url=ann["unsubscribe_url"] + "x")]
    audience.import_(write(rows, tmp_path / "all.json"), empty, names={})
    kept = list(audience.export(empty))
    assert len({row["id"] for row in kept}) == 2
    assert [len(row["consent"]) for row in kept] == [1, 1]


def test_it_comes_whole_into_either_database(
    empty: Desk, store: SqlStore, make_desk: Callable[..., Desk], tmp_path: Path
) -> None:
    source, target = empty, make_desk(store)
    fill(source, tmp_path)
    before = list(audience.export(source))
    audience.import_(write(before, tmp_path / "all.csv"), target, names={})
    assert list(audience.export(target)) == before
