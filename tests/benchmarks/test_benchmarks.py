"""The benchmarks measure what was agreed, in the shape that was agreed. How fast it is, is not judged here."""

from __future__ import annotations

import contextlib
import json
import os
import socket
from pathlib import Path

import pytest
from mjml import mjml2html

from benchmarks import cpu, during, mail, node, press, publication, sink
from benchmarks.__main__ import PARTS, Sizes, main
from benchmarks.figure import BUDGETS, HEAD, figure, line

pytestmark = pytest.mark.slow

KEYS = ["name", "value", "unit", "floor", "ratio", "budget", "ok"]
FLOORED = {"personalise_us", "mime_us"} | {
    f"campaign_{mode}_cpu_s_per_million" for mode in ("merge", "batch", "single")
}
OF = {
    "program": {"cli_help_cpu_s"},
    "node": {"mjml_ms"},
    "growth": {"campaign_merge_growth"},
    "during": {
        "confirm_p99_s_during_campaign",
        "one_click_p99_ms_during_campaign",
        "webhook_events_per_s",
        "webhook_requests_per_s",
    },
    "door": {"signup_ratio", "signup_per_s", "signup_p99_ms"},
    "postgres": {"import_million_s_pg", "freeze_million_s_pg"},
}
"""What the parts measure that take a process of the web side, a large database or a server; the others are run here."""


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A run with next to nothing in it; its file and what it printed."""
    file = tmp_path_factory.mktemp("bench") / "var/bench.json"
    out = file.with_name("out.txt")
    file.parent.mkdir()
    sizes = Sizes(readers=300, batch=20, single=5, growth=(10, 2), signups=32, seconds=0.02)
    with out.open("w") as to, contextlib.redirect_stdout(to):
        main(["-o", str(file), "mail", "press"], sizes=sizes)
    return file, out.read_text()


def test_the_file_is_a_list_of_the_agreed_keys_and_names(told: tuple[Path, str]) -> None:
    figures = json.loads(told[0].read_text())
    assert all(list(one) == KEYS for one in figures)
    assert {one["name"] for one in figures} == set(BUDGETS) - set().union(*OF.values())
    assert all(one["value"] > 0 for one in figures)


def test_floors_were_measured_in_the_same_run(told: tuple[Path, str]) -> None:
    figures = {one["name"]: one for one in json.loads(told[0].read_text())}
    assert {name for name, one in figures.items() if one["floor"] is not None} == FLOORED
    for name in FLOORED:
        one = figures[name]
        assert one["floor"] > 0
        assert one["ratio"] == pytest.approx(one["value"] / one["floor"], rel=0.02)


def test_the_table_has_a_line_for_each(told: tuple[Path, str]) -> None:
    head, *lines = told[1].splitlines()
    assert head == HEAD
    assert [shown.split()[0] for shown in lines] == [one["name"] for one in json.loads(told[0].read_text())]


def test_who_comes_while_a_campaign_goes_out_is_measured(tmp_path: Path) -> None:
    assert {one.name for one in during.measure(tmp_path / "during", 60)} == OF["during"]


def test_a_part_there_is_none_of_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert set(OF) | {"mail", "press"} == set(PARTS)
    with pytest.raises(SystemExit, match="2"):
        main(["presss"])
    assert "no part presss" in capsys.readouterr().err


def test_the_sink_reads_a_body_in_pieces_and_counts_its_messages() -> None:
    ours, theirs = socket.socketpair()
    body = b'[{"To": "a"}, {"To": "b"}, {"To": "c"}]'
    with ours, theirs:
        ours.sendall(body[5:])
        assert sink._take(theirs, body[:5], len(body), memoryview(bytearray(7))) == 3  # names cut in two are whole
    head, _, told = sink._answer(b"POST", b"/email/batch", 3, len(body)).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200")
    assert len({one["MessageID"] for one in json.loads(told)}) == 3


def test_a_budget_is_held_or_over() -> None:
    assert figure("mime_us", 40).ok is True
    assert figure("mime_us", 40.1).ok is False
    assert figure("signup_per_s", 700).ok is True
    assert figure("signup_per_s", 699).ok is False
    assert figure("outbox_us", 1e9).ok is None
    assert line(figure("mime_us", 50)).endswith("over")


def test_a_ratio_to_the_floor_is_a_budget_too() -> None:
    assert figure("personalise_us", 6, floor=1).ok is True
    assert figure("personalise_us", 7, floor=1).ok is False
    assert figure("personalise_us", 9, floor=3).ok is False


def test_a_name_that_was_not_agreed_is_refused() -> None:
    with pytest.raises(KeyError):
        figure("my_own_us", 1)


def test_the_issue_and_the_page_have_the_size_they_are_measured_for() -> None:
    assert 7_500 <= len(publication.issue().encode()) <= 8_500
    sizes = [len(piece) for piece in mail.page() if isinstance(piece, str)]
    assert 58_000 <= sum(sizes) <= 61_000
    assert len(mail.page()) - len(sizes) == 19


def test_a_sink_takes_everything_and_names_single_messages() -> None:
    batch = press.Batch((mail.reader(1), mail.reader(2)), at=mail._AT)
    assert [one.message_id for one in press.sink(1000).submit(mail.Email, batch, key="k", timeout=1).outcomes] == [
        None,
        None,
    ]
    assert press.sink(1).submit(mail.Email, batch, key="k", timeout=1).outcomes[0].message_id


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="the processor time of another process is read in /proc")
def test_the_time_of_a_process_is_its_own() -> None:
    before = cpu.of_process(os.getpid())
    sum(number * number for number in range(3_000_000))
    assert cpu.of_process(os.getpid()) > before
    assert cpu.peak_mb() > 1


def test_the_letter_that_two_compilers_are_given_is_one() -> None:
    assert "<html" in mjml2html(node.letter(), fonts={})
