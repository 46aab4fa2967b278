"""`plan`, `send`, `status`, `resolve`, `pause`, `resume` as a person reads them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from newsletter.app import open_app
from newsletter.cli import exits, sending
from newsletter.core.campaign import Claim, Counts
from newsletter.flows.ledger import Settling
from newsletter.flows.send import Report


def test_a_plan_in_words(cli: Any) -> None:
    cli.readers(2)
    assert cli("plan", "quiet", "-o", str(cli.folder / "plan.json")) == 0
    for said in ("2 readers of all", "outbox, 1 call", "2026-12-01T08:00:00Z", "left out  nobody", "written to"):
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


def test_pause_and_resume(cli: Any) -> None:
    cli.readers(2)
    blocked = cli.folder / "var/outbox"
    blocked.write_text("a file where the outbox should be", "utf-8")
    assert cli("send", "quiet", "--yes") == 78
    assert cli("pause", "quiet") == 0
    assert "quiet is paused" in cli.out
    assert cli("send", "quiet", "--yes") == 75
    assert "newsletter resume quiet" in cli.err
    assert cli("resume", "quiet") == 0
    blocked.unlink()
    assert cli("resolve", "quiet") == 0
    assert "0 rows settled" in cli.out
    assert cli("send", "quiet", "--yes") == 0  # at once: a run that was stopped for all puts nobody off
    assert cli("pause", "nothing") == 2


def test_the_progress_line_says_how_far(capsys: Any) -> None:
    show = sending._progress()
    show(1, 10)
    show(10, 10)
    assert "10 of 10 (100%)" in capsys.readouterr().err


def test_pause_all_and_resume_all(cli: Any) -> None:
    cli.readers(2)
    assert cli("pause", "--all") == 0
    assert cli("send", "quiet", "--yes") == 75
    assert "newsletter resume --all" in cli.err
    assert cli("status", "quiet") == 2  # nothing was frozen
    assert cli("resume", "--all") == 0
    assert cli("send", "quiet", "--yes") == 0
    assert cli("pause") == cli("pause", "quiet", "--all") == 2


def test_a_plan_says_null_where_no_rate_is_known(cli: Any) -> None:
    cli.readers(2)
    assert cli.json("plan", "quiet")["seconds"] is None
    assert cli("plan", "quiet") == 0
    assert "as long as the calls take" in cli.out
    assert cli("plan", "quiet", NEWSLETTER_SEND__RATE="4") == 0
    assert "about 0 s at the rate set" in cli.out


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
    report = Report(None, counts, 0, finished, "it was told to stop", settling)  # type: ignore[arg-type]
    assert sending._ended(report) == code
    assert said in cli.capsys.readouterr().err


def test_resolve_prints_the_campaign_as_it_stands_then(cli: Any) -> None:
    cli.readers(2)
    outbox = cli.folder / "var/outbox"
    outbox.write_text("a file where the outbox should be", "utf-8")
    assert cli("send", "quiet", "--yes") == 78
    outbox.unlink()
    claim = claimed_by_one_who_died(cli)
    (outbox / "new").mkdir(parents=True)
    for recipient in claim.recipients:
        (outbox / "new" / recipient.key).write_text("Message-ID: <x@quiet.example>\n\nthere", "utf-8")
    document = cli.json("resolve", "quiet")
    assert (document["state"], document["settled"], document["submitted"]) == ("finished", 2, 2)
    assert document["finished_at"] is not None


def claimed_by_one_who_died(cli: Any) -> Claim:
    with open_app(cli.folder, cli.keys) as app, app.store.begin() as tx:
        campaign = tx.campaigns.by_key("quiet")
        assert campaign is not None
        found = tx.campaigns.claim(campaign.id, "gone", app.desk.now(), lease=timedelta(hours=1), way_out=str)
    assert found is not None
    return found
