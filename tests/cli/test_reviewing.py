"""`review` and `approve`, as people and CI type them."""

from __future__ import annotations

import json
import re

from newsletter.cli import documents

GATED = {"NEWSLETTER_SEND__APPROVAL": "owner", "NEWSLETTER_OWNER__EMAIL": "owner@quiet.example"}


def test_the_sentence_comes_first_in_every_form(cli):
    cli.readers(3)
    assert cli("review", "quiet") == 0
    first = cli.out.splitlines()[0]
    assert re.fullmatch(r"Merging this sends (it to 3 people .*|nothing by itself: its time was .*)\.", first)
    assert cli("review", "quiet", "--format", "markdown") == 0
    assert cli.out.startswith("**Merging this sends ")
    assert "### Checks" in cli.out
    found = cli.json("review", "quiet")
    assert found["sentence"] == first
    assert set(found) == {*documents.KEYS["review"], "error"}


def test_a_draft_and_one_with_errors_are_told_as_that(cli, folder):
    path = folder / "issues/2026-12-01-quiet.md"
    text = path.read_text("utf-8")
    path.write_text(text.replace("draft: false", "draft: true"), "utf-8")
    assert cli("review", "quiet") == 0
    assert cli.out.startswith("Merging this sends nothing: it is still a draft.")
    path.write_text(text.replace(', "friend"', ""), "utf-8")
    assert cli("review", "quiet") == 1
    assert cli.out.startswith("Merging this sends nothing: there is something to mend first.")
    assert "E240" in cli.out or "E241" in cli.out


def test_where_the_list_is_not_at_hand_nobody_is_counted(cli):
    found = cli.json("review", "quiet", "--no-list")
    assert found["audience"] is None
    assert found["review_url"] is None
    assert "nobody is there" not in found["sentence"]


def test_promise_12_what_is_printed_can_look_and_no_more_unless_a_link_is_asked_for(cli):
    cli.readers(3)
    urls = [cli.json("review", "quiet")["review_url"], cli.json("plan", "quiet")["review_url"]]
    assert all(url.startswith("http://localhost:8000/approve/") for url in urls)
    assert cli("review", "quiet", "--link") == 0
    own = re.search(r"keep it to yourself: (\S+)", cli.out)[1]
    heads = {url.rpartition("/")[2].partition(".")[0] for url in urls}
    assert len(heads) == 1
    assert own.rpartition("/")[2].partition(".")[0] not in heads


def test_an_owner_is_asked_by_mail_once_for_the_same_words(cli):
    cli.readers(3)
    for _ in range(2):
        assert cli("review", "quiet", "--ask", **GATED) == 0
        assert "1 owner asked by mail." in cli.out
    assert cli.addresses() == {"owner@quiet.example": 1}
    assert cli("review", "quiet", "--ask") == 0
    assert "Nobody was asked" in cli.out


def test_send_exits_77_until_it_is_approved_and_says_how(cli, folder):
    cli.readers(3)
    path = folder / "issues/2026-12-01-quiet.md"
    path.write_text(
        path.read_text("utf-8").replace("2026-12-01", "2096-12-03"), "utf-8"
    )  # not late, whenever this runs
    path.rename(folder / "issues/2096-12-03-quiet.md")
    for _ in range(2):
        assert cli("send", "quiet", "--yes", **GATED) == 77
        assert "newsletter approve quiet" in cli.err
        assert "owner@" not in cli.err
    assert cli.addresses() == {"owner@quiet.example": 1}
    assert cli("approve", "quiet", "--json", **GATED) == 0
    document = json.loads(cli.out)
    assert set(document) == {*documents.KEYS["approve"], "error"}
    assert document["holds_until"]
    assert cli("send", "quiet", "--yes", **GATED) == 0
    assert cli("approve", "quiet", **GATED) == 3
    assert cli.addresses()["r0@x.test"] == 1


def test_the_checksum_of_the_report_is_that_of_the_status(cli, folder):
    cli.readers(3)
    assert cli("send", "quiet", "--yes", **GATED | {"NEWSLETTER_SEND__APPROVAL": "none"}) == 0
    found = cli.json("status", "quiet")
    assert re.fullmatch("[0-9a-f]{64}", found["checksum"])
    mail = next(
        text
        for file in (folder / "var/outbox/new").iterdir()
        if "owner@quiet.example" in (text := file.read_text("utf-8", "replace"))
    )
    assert found["checksum"] in mail.replace("=\n", "")
    assert cli("status", "quiet") == 0
    assert f"The ledger's checksum is {found['checksum']}." in cli.out
