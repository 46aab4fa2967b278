"""`status`, `resolve`, `pause`, `resume`, `cancel`, `resend` as a person reads them."""

from __future__ import annotations

import json
import re
from datetime import timedelta
from typing import Any

from newsletter.app import open_app
from newsletter.cli import documents
from newsletter.core.campaign import Claim


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


def test_pause_all_and_resume_all(cli: Any) -> None:
    cli.readers(2)
    assert cli("pause", "--all") == 0
    assert cli("send", "quiet", "--yes") == 75
    assert "newsletter resume --all" in cli.err
    assert cli("status", "quiet") == 2  # nothing was frozen
    assert cli("resume", "--all") == 0
    assert cli("send", "quiet", "--yes") == 0
    assert cli("pause") == cli("pause", "quiet", "--all") == 2


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


def blocked(cli: Any) -> Any:
    """Two readers, and a campaign that was frozen and of which nothing could leave."""
    cli.readers(2)
    file = cli.folder / "var/outbox"
    file.write_text("a file where the outbox should be", "utf-8")
    assert cli("send", "quiet", "--yes") == 78
    return file


def test_status_says_when_the_last_batch_was_taken(cli: Any) -> None:
    file = blocked(cli)
    assert cli.json("status", "quiet")["last_claim_at"] is None
    file.unlink()
    assert cli("send", "quiet", "--yes") == 0
    assert cli("status", "quiet") == 0
    assert re.search(r"The last batch was taken at 20\d\d-\d\d-\d\d \d\d:\d\d:\d\d UTC\.", cli.out)
    document = cli.json("status", "quiet")
    assert set(document) == {*documents.KEYS["status"], "error"}
    assert document["last_claim_at"].endswith("Z")


def test_status_says_that_everything_is_held(cli: Any) -> None:
    file = blocked(cli)
    file.unlink()
    assert cli("subscribers", "add", "ann@x.test") == 0
    assert cli("pause", "--all") == 0
    assert cli("tick") == 0
    for arguments in (["status"], ["status", "quiet"]):
        assert cli(*arguments) == 0
        assert "All sending is paused, confirmations too (1 mail waiting)" in cli.out
    assert cli.json("status", "quiet")["all_paused"] is True
    assert cli("resume", "--all") == 0
    assert cli("tick") == 0
    assert cli.addresses() == {"ann@x.test": 1}


def test_a_cancel_in_words_and_the_way_on(cli: Any) -> None:
    file = blocked(cli)
    assert cli("cancel", "quiet") == 0
    assert "quiet is cancelled." in cli.out
    assert "adds up" in cli.out
    assert "Nothing of it had left." in cli.out
    file.unlink()
    assert cli("cancel", "quiet") == 3
    assert cli("send", "quiet", "--yes") == 3
    assert '--again "why"' in cli.err
    document = cli.json("status", "quiet")
    assert (document["state"], document["suppressed"], document["reasons"]) == ("cancelled", 2, {"cancelled": 2})
    assert cli("send", "quiet", "--yes", "--again", "the outbox is there now") == 0
    assert cli.addresses() == {"r0@x.test": 1, "r1@x.test": 1}
    assert cli("cancel", "nothing", "--json") == 2
    assert set(json.loads(cli.out)) == {*documents.KEYS["cancel"], "error"}


def test_one_more_copy(cli: Any) -> None:
    cli.readers(2)
    assert cli("send", "quiet", "--yes") == 0
    assert cli("resend", "quiet", "--to", "r0@x.test") == 2
    assert cli("resend", "quiet", "--to", "r0@x.test", "--why", " ") == 2
    assert cli("resend", "quiet", "--to", "r0@x.test", "--why", "she lost it") == 0
    assert "One more copy is on its way" in cli.out
    assert cli("resend", "quiet", "--to", "r0@x.test", "--why", "she lost it", "--json") == 77
    document = json.loads(cli.out)
    assert set(document) == {*documents.KEYS["resend"], "error"}
    assert cli("resend", "quiet", "--to", "r1@x.test", "--why", "he lost it", "--json") == 0
    document = json.loads(cli.out)
    assert (document["outcome"], document["error"]) == ("submitted", None)
    assert set(document) == {*documents.KEYS["resend"], "error"}
    assert "@x.test" not in cli.out + cli.err  # promise 12
    assert cli.addresses() == {"r0@x.test": 2, "r1@x.test": 2}


def test_the_keys_are_those_of_the_documents(cli: Any) -> None:
    file = blocked(cli)
    assert set(cli.json("resolve", "quiet")) == {*documents.KEYS["resolve"], "error"}
    file.unlink()
    assert set(cli.json("cancel", "quiet")) == {*documents.KEYS["cancel"], "error"}


def test_a_provider_of_this_machine_has_nothing_to_prove(cli: Any) -> None:
    assert cli("prove", "outbox", "--json") == 3
    assert set(json.loads(cli.out)) == {*documents.KEYS["prove"], "error"}
    assert cli("prove", "pigeon") == 78
