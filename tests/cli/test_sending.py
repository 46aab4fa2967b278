"""`plan`, `send`, `send --due` as a person and CI read them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from newsletter.cli import documents, exits, sending
from newsletter.core.campaign import Campaign, CampaignState, Counts
from newsletter.flows.ledger import Settling
from newsletter.flows.send import Report


def campaign(state: CampaignState = CampaignState.SENDING) -> Campaign:
    now = datetime(2026, 12, 1, tzinfo=UTC)
    return Campaign(1, "abc", "quiet", "A quiet week", ("all",), "0", state, "outbox", 2, {}, 1, now, now, None)


def test_a_plan_in_words(cli: Any) -> None:
    cli.readers(2)
    assert cli("plan", "quiet", "-o", str(cli.folder / "plan.json")) == 0
    for said in (
        "2 readers of all",
        "outbox, 1 call",
        "2026-12-01T08:00:00Z",
        "left out  nobody",
        "bytes of HTML",
        "links  2 links",
        "MB free",
        "checks  passed",
        "written to",
    ):
        assert said in cli.out


def test_a_send_in_words_adds_up(cli: Any) -> None:
    cli.readers(3)
    assert cli("subscribers", "suppress", "r1@x.test") == 0
    assert cli("send", "quiet", "--yes") == 0
    assert "2 mails sent in this run" in cli.out
    assert "adds up" in cli.out
    assert cli("status", "quiet") == 0
    assert "quiet is finished, through outbox" in cli.out
    assert "not in the audience when it was frozen: owner" in cli.out
    assert cli("status") == 0
    assert cli.out.splitlines()[0].split() == [
        "issue",
        "state",
        "audience",
        "submitted",
        "suppressed",
        "failed",
        "uncertain",
        "pending",
    ]


def test_a_plan_says_null_where_no_rate_is_known(cli: Any) -> None:
    cli.readers(2)
    document = cli.json("plan", "quiet")
    assert document["seconds"] is None
    assert set(document) == set(documents.empty("plan"))
    assert cli("plan", "quiet") == 0
    assert "as long as the calls take" in cli.out
    assert cli("plan", "quiet", NEWSLETTER_SEND__RATE="4") == 0
    assert "about 0 s at 4 mails per second" in cli.out
    assert cli("plan", "quiet", NEWSLETTER_SEND__RATE="0.01") == 0
    assert "about 3 min 20 s at the rate set" in cli.out


@pytest.mark.parametrize(
    ("counts", "settling", "code", "said"),
    [
        (Counts(audience=2, submitted=2), Settling(), exits.DONE, ""),
        (Counts(audience=2, pending=2), Settling(), exits.LEFT, "it was told to stop; run the same command again"),
        (Counts(audience=2, uncertain=2), Settling(), exits.PROBLEMS, "newsletter resolve"),
        (
            Counts(audience=2, uncertain=2),
            Settling(1, datetime(2026, 12, 1, 9, 31, tzinfo=UTC)),
            exits.LEFT,
            "1 of 2 uncertain: the provider can be asked from 09:31:00 UTC on",
        ),
    ],
)
def test_how_a_run_ends(cli: Any, counts: Counts, settling: Settling, code: int, said: str) -> None:
    finished = counts.submitted == counts.audience
    report = Report(campaign(), counts, 0, finished, "it was told to stop", settling)
    assert sending._ended(report) == code
    assert said in cli.capsys.readouterr().err


def test_a_cancelled_run_says_so(cli: Any) -> None:
    report = Report(campaign(CampaignState.CANCELLED), Counts(audience=2, submitted=1, suppressed=1), 1, True)
    assert sending._ended(report) == exits.DONE
    assert "it was cancelled; see: newsletter status quiet" in cli.capsys.readouterr().err


def test_each_end_of_a_send_is_one_document(cli: Any) -> None:
    """`--json` answers whatever happens, with the same keys."""
    keys = {*documents.KEYS["send"], "error"}

    def ended(*arguments: str, **environ: str) -> tuple[int, dict[str, Any]]:
        code = cli("send", *arguments, "--json", **environ)
        document = json.loads(cli.out)
        assert set(document) == keys
        if document["error"] is not None:
            assert document["error"]["code"] == code
            assert document["error"]["what"] in cli.err
        return code, document

    assert ended("quiet", "--yes")[0] == exits.NOTHING  # nobody
    assert ended("quiet")[0] == exits.REFUSED
    assert ended("--yes")[0] == exits.USAGE
    cli.readers(2)
    assert cli("pause", "--all") == 0
    code, document = ended("quiet", "--yes")
    assert (code, document["issue"], document["error"]["fix"]) == (75, None, "To go on: newsletter resume --all")
    assert cli("resume", "--all") == 0
    assert ended("quiet", "--yes", NEWSLETTER_SEND__THREADS="none")[0] == exits.CONFIG
    blocked = cli.folder / "var/outbox"
    blocked.write_text("a file where the outbox should be", "utf-8")
    code, document = ended("quiet", "--yes")
    assert (code, document["state"], document["audience"], document["pending"]) == (78, "sending", 2, 2)
    blocked.unlink()
    code, document = ended("quiet", "--yes")
    assert (code, document["error"], document["sent"], document["submitted"]) == (0, None, 2, 2)
    assert document["last_claim_at"].endswith("Z")
    code, document = ended("quiet", "--yes")  # a job that CI runs again still has its numbers
    assert (code, document["state"], document["submitted"], document["sent"]) == (3, "finished", 2, None)


def test_checks_that_fail_are_a_document_too(cli: Any) -> None:
    file = cli.folder / "issues/2026-12-01-quiet.md"
    file.write_text(file.read_text("utf-8").replace('{{ first_name, "friend" }}', "{{ first_name }}"), "utf-8")
    assert cli("plan", "quiet", "--json") == 1
    document = json.loads(cli.out)
    assert document["error"]["code"] == 1
    assert document["audience"] is None
    assert {"hash", "topics", "links"} < set(document)


# --- everything that is due ---------------------------------------------------------------------------


def today(cli: Any, *names: str, days: int = 0) -> None:
    """Issues that are due since midnight in their zone, or some days before; in place of the one there was."""
    quiet = cli.folder / "issues/2026-12-01-quiet.md"
    kept = cli.folder / "issues/_kept.md"
    if quiet.exists():
        quiet.rename(kept)
    day = (datetime.now(ZoneInfo("America/Los_Angeles")) - timedelta(days=days)).date().isoformat()
    for name in names:
        text = kept.read_text("utf-8").replace("2026-12-01", day).replace("about rest", f"about {name}")
        (cli.folder / f"issues/{day}-{name}.md").write_text(text, "utf-8")


def test_what_is_due_goes_and_then_nothing_is(cli: Any) -> None:
    cli.readers(2)
    today(cli, "one", "two")
    late = {"NEWSLETTER_SEND__MAX_LATENESS": "25h"}  # whatever the hour this runs at
    assert cli("send", "--due", "--json", **late) == 0
    document = json.loads(cli.out)
    assert [(one["issue"], one["exit"], one["submitted"]) for one in document["issues"]] == [
        ("one", 0, 2),
        ("two", 0, 2),
    ]
    assert (document["exit"], document["error"]) == (0, None)
    assert cli("send", "--due", **late) == 3
    assert "Nothing is due" in cli.err
    assert cli("send", "--due", "--json", **late) == 3
    assert json.loads(cli.out)["issues"] == []


def test_an_empty_ledger_beside_old_issues_sends_nothing(cli: Any) -> None:
    cli.readers(2)
    today(cli, "one")
    today(cli, "old", days=3)
    assert cli("send", "--due", NEWSLETTER_SEND__MAX_LATENESS="25h") == 77
    assert "old, due at" in cli.err
    assert "Nothing was sent." in cli.err
    assert cli.addresses() == {}


def test_one_that_cannot_go_does_not_hold_the_others(cli: Any) -> None:
    cli.readers(2)
    today(cli, "first")
    late = {"NEWSLETTER_SEND__MAX_LATENESS": "25h"}
    assert cli("send", "--due", **late) == 0
    today(cli, "missed", days=4)
    today(cli, "fine")
    assert cli("send", "--due", "--json", **late) == 77
    document = json.loads(cli.out)
    assert [(one["issue"], one["exit"]) for one in document["issues"]] == [("missed", 77), ("fine", 0)]
    assert document["issues"][0]["error"]["fix"].startswith("Send it on purpose")
    assert cli("send", "--due", **late) == 77
    assert cli.addresses() == {"r0@x.test": 2, "r1@x.test": 2}


def test_due_stands_alone(cli: Any) -> None:
    for more in (["quiet"], ["--yes"], ["--plan", "plan.json"], ["--again", "why"]):
        assert cli("send", "--due", *more) == 2
    assert cli("send") == 2
    assert "say --due" in cli.err


def test_the_worst_of_several_codes() -> None:
    assert exits.worst([3, 3]) == 3
    assert exits.worst([3, 0]) == 0
    assert exits.worst([0, 1, 3]) == 1
    assert exits.worst([0, 1, 77]) == 77
    assert exits.worst([77, 78]) == 78
    assert exits.worst([78, 75, 77]) == 75


@pytest.mark.parametrize("text", ["[" * 100_000, "[]", "\0", ""])
def test_a_file_that_is_no_plan(cli: Any, text: str) -> None:
    cli.readers(1)
    file = cli.folder / "plan.json"
    file.write_text(text, "utf-8")
    assert cli("send", "quiet", "--plan", str(file)) == 77
    assert "is not a plan" in cli.err


def test_a_reader_of_our_output_who_has_gone_is_no_error(cli: Any) -> None:
    """`newsletter subscribers list | head`: quiet, and no traceback."""
    cli.readers(2500)
    command = [sys.executable, "-m", "newsletter", "-C", str(cli.folder), "subscribers", "list"]
    environ = {**os.environ, **cli.keys}
    with subprocess.Popen(command, env=environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as listing:
        assert listing.stdout is not None
        assert listing.stderr is not None
        first = listing.stdout.readline()
        listing.stdout.close()
        assert listing.stderr.read() == ""
        assert listing.wait() == 0
    assert first.split()[0] == "email"


# --- hold, first slice, seeds ---------------------------------------------------------------------------


def test_a_plan_says_what_will_happen(cli: Any, folder: Path) -> None:
    (folder / "newsletter.yml").write_text(f"{cli.settings}seeds: [a@house.test, b@house.test]\n", "utf-8")
    cli.readers(1100)
    cli("plan", "quiet", NEWSLETTER_SEND__HOLD="5 min")
    assert "hold  5 min 0 s between the approval and the first mail" in cli.out
    assert "first  50 readers, the rest at once, as this provider tells nothing afterwards" in cli.out
    assert "seeds  2 of your own, first and last" in cli.out
    assert "nothing in this version acts on it" not in cli.out
    document = cli.json("plan", "quiet")
    assert (document["first"], document["soak_seconds"], document["hold_seconds"], document["seeds"]) == (50, 0, 0, 2)
    cli("plan", "quiet", NEWSLETTER_SEND__CANARY="0")
    assert "first" not in cli.out.replace("first and last", "")


@pytest.mark.parametrize("way", ["--plan", "--due"])
def test_what_was_approved_is_held_and_by_yes_it_goes(cli: Any, way: str) -> None:
    cli.readers(2)
    today(cli, "one")
    late = {"NEWSLETTER_SEND__MAX_LATENESS": "25h", "NEWSLETTER_SEND__HOLD": "1h"}
    plan = str(cli.folder / "plan.json")
    assert cli("plan", "one", "-o", plan, **late) == 0
    assert cli("send", *(["one", "--plan", plan] if way == "--plan" else ["--due"]), "--json", **late) == 75
    document = json.loads(cli.out)
    document = document["issues"][0] if way == "--due" else document
    assert document["why"].startswith("held until ")
    assert document["held_until"] is not None
    assert cli.addresses() == {}
    assert cli("status", "one") == 0
    assert "It is held until" in cli.out
    assert cli("send", "one", "--yes", **late) == 0
    assert sum(cli.addresses().values()) == 2


def test_status_says_why_it_stopped_by_itself(cli: Any) -> None:
    cli.readers(2)
    assert cli("send", "quiet", "--yes") == 0
    document = cli.json("status", "quiet")
    assert (document["brake"], document["soaking_until"], document["held_until"]) == (None, None, None)
    assert document["told"] == {"heard": 0, "bounced": 0, "complained": None, "complaints_not_reported": 0}
    cli("status", "quiet")
    assert "complaints are not reported" in cli.out


def test_one_that_is_held_does_not_hold_the_others(cli: Any) -> None:
    """A run that ends by itself is no signal; and a letter whose turn did not come is told of too."""
    cli.readers(2)
    today(cli, "one")
    late = {"NEWSLETTER_SEND__MAX_LATENESS": "25h"}
    assert cli("send", "--due", "--json", **late, NEWSLETTER_SEND__HOLD="1h") == 75
    today(cli, "two")
    assert cli("send", "--due", "--json", **late) == 75
    document = json.loads(cli.out)
    assert [(one["issue"], one["exit"]) for one in document["issues"]] == [("one", 75), ("two", 0)]
