"""CI asks the server to send: rendered here, planned and sent there, followed, with the same exit codes."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from threading import Event
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import requests

from newsletter.app import open_app
from newsletter.cli import exits
from newsletter.cli.server import Server, follow
from newsletter.core.campaign import CampaignState
from newsletter.core.keys import Scope
from newsletter.errors import ConfigurationError, WorkLeft
from newsletter.flows import keys, ledger, owners
from newsletter.testing import FakeProvider
from newsletter.web.serve import config
from tests.web.conftest import running

ADDRESS = re.compile(r"[\w.+-]+@[\w-]+\.\w+")


class Far:
    """A server of the same publication, with a list of its own."""

    def __init__(self, desk: Any, url: str, key: str) -> None:
        self.desk, self.url, self.key = desk, url, key

    @property
    def environ(self) -> dict[str, str]:
        return {"NEWSLETTER_SERVER__URL": self.url, "NEWSLETTER_SERVER__API_KEY": self.key}

    def readers(self, count: int) -> None:
        for n in range(count):
            owners.add(owners.New(f"far{n}@y.test", ("letter",), "asked"), self.desk, by="test")

    def sent_to(self) -> list[str]:
        return [one.address for call in self.desk.provider.calls for one in call.batch.recipients]


@pytest.fixture
def far(tmp_path: Path, cli: Any) -> Iterator[Far]:
    folder = tmp_path / "far"
    folder.mkdir()
    (folder / "newsletter.yml").write_text((cli.folder / "newsletter.yml").read_text("utf-8"), "utf-8")
    with open_app(folder, cli.keys) as app:
        desk = replace(app.desk, provider=FakeProvider())
        key = keys.create("CI", [Scope.CAMPAIGNS_READ, Scope.CAMPAIGNS_SEND], desk)[1]
        with running(config(desk, tick_seconds=3600)) as url:
            yield Far(desk, url, key)


def test_promise_12_a_letter_is_planned_and_sent_by_the_server_and_nothing_of_a_reader_is_told(
    cli: Any, far: Far
) -> None:
    far.readers(3)
    said = ""
    assert cli("plan", "quiet", "-o", str(cli.folder / "plan.json"), **far.environ) == exits.DONE
    assert "3 readers of all" in cli.out
    said += cli.out + cli.err + (cli.folder / "plan.json").read_text("utf-8")
    assert cli("send", "quiet", **far.environ) == exits.REFUSED  # nobody said yes
    said += cli.out + cli.err
    assert cli("send", "quiet", "--yes", "--json", **far.environ) == exits.DONE
    told = json.loads(cli.out)
    assert (told["state"], told["audience"], told["submitted"], told["sent"]) == ("finished", 3, 3, 3)
    said += cli.out + cli.err
    assert cli("send", "quiet", "--yes", **far.environ) == exits.NOTHING  # the same again is the same campaign
    assert "was sent" in cli.err
    said += cli.out + cli.err
    assert sorted(far.sent_to()) == ["far0@y.test", "far1@y.test", "far2@y.test"]
    assert not (cli.folder / "var/newsletter.db").exists()  # the list is nowhere but there
    assert not ADDRESS.search(said)
    assert far.key[-20:] not in said


@pytest.mark.parametrize(
    ("change", "code", "said"),
    [
        ({"NEWSLETTER_SERVER__API_KEY": "nl_0000000000000000_" + "x" * 43}, exits.CONFIG, "opens nothing"),
        ({"NEWSLETTER_SERVER__API_KEY": ""}, exits.CONFIG, "no key, and no token"),
        ({"NEWSLETTER_BASE_URL": "https://other.test"}, exits.CONFIG, "another address than this server"),
    ],
)
def test_what_the_server_refuses_has_its_exit_code_and_its_words(
    cli: Any, far: Far, change: dict[str, str], code: int, said: str
) -> None:
    far.readers(1)
    assert cli("send", "quiet", "--yes", **{**far.environ, **change}) == code
    assert said in cli.err
    assert far.sent_to() == []


def test_nobody_to_write_to_a_plan_of_before_and_no_word_at_all(cli: Any, far: Far) -> None:
    assert cli("send", "quiet", "--yes", **far.environ) == exits.NOTHING
    assert "Nobody would receive this" in cli.err
    far.readers(1)
    plan = cli.folder / "plan.json"
    assert cli("plan", "quiet", "-o", str(plan), **far.environ) == exits.DONE
    letter = next((cli.folder / "issues").glob("*quiet*.md"))
    letter.write_text(letter.read_text("utf-8") + "\nOne more line, that nobody has looked at yet.\n", "utf-8")
    assert cli("send", "quiet", "--plan", str(plan), **far.environ) == exits.REFUSED
    assert "has changed since the plan" in cli.err
    assert cli("send", "quiet", **far.environ) == exits.REFUSED
    assert far.sent_to() == []


def test_a_pause_there_is_work_left_here(cli: Any, far: Far) -> None:
    far.readers(1)
    ledger.turn_all(far.desk, paused=True)
    assert cli("send", "quiet", "--yes", **far.environ) == exits.LEFT
    assert "all sending is paused" in cli.err
    ledger.turn_all(far.desk, paused=False)
    ledger.turn("quiet", far.desk, CampaignState.PAUSED)
    assert cli("send", "quiet", "--yes", "--json", **far.environ) == exits.LEFT
    assert json.loads(cli.out)["state"] == "paused"
    assert far.sent_to() == []


def test_what_is_due_is_asked_for_once(cli: Any, far: Far) -> None:
    far.readers(1)
    assert cli("send", "--due", **far.environ) == exits.NOTHING  # its day is not here
    letter = next((cli.folder / "issues").glob("*quiet*.md"))
    at = datetime.now(ZoneInfo("America/Los_Angeles")) - timedelta(hours=1)
    text = letter.read_text("utf-8").replace("date: 2026-12-01", f"date: {at:%Y-%m-%d}\nsend_at: {at:%H:%M}")
    letter.rename(letter.with_name(f"{at:%Y-%m-%d}-quiet.md")).write_text(text, "utf-8")
    assert cli("send", "--due", "--json", **far.environ) == exits.DONE, cli.err
    assert json.loads(cli.out)["issues"][0]["submitted"] == 1
    assert cli("send", "--due", **far.environ) == exits.NOTHING
    assert far.sent_to() == ["far0@y.test"]


def test_what_the_server_has_begun_is_followed(cli: Any, far: Far) -> None:
    far.readers(1)
    ledger.turn_all(far.desk, paused=True)
    assert cli("send", "quiet", "--yes", **far.environ) == exits.LEFT
    assert cli("send", "--due", "--max-seconds", "1", "--json", **far.environ) == exits.LEFT
    assert json.loads(cli.out)["issues"][0]["pending"] == 1
    assert far.sent_to() == []


# --- the following, without a server ---------------------------------------------------------------------


def stands(**more: Any) -> dict[str, Any]:
    return {
        "issue": "quiet", "state": "sending", "audience": 2, "pending": 2, "settling": 0, "ordered": True,
        "all_paused": False, "trouble": None, "brake": None, **more,
    }  # fmt: skip


class Looks(Server):
    """Answers what it is told to, one look after another."""

    def __init__(self, *answers: Any) -> None:
        self.answers = list(answers)

    def look(self, key: str) -> dict[str, Any]:
        found = self.answers.pop(0)
        if isinstance(found, Exception):
            raise found
        return found


class Ticking(Event):
    """Waits by moving a clock."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0

    def wait(self, timeout: float | None = None) -> bool:
        self.now += timeout or 0.0
        return False


def followed(*answers: Any, seconds: float | None = None) -> tuple[Any, str]:
    stop = Ticking()
    return follow(
        Looks(*answers),
        stands(),
        stop=stop,
        seconds=seconds,
        shown=lambda _found: None,
        clock=lambda: stop.now,
    )


def test_it_is_followed_to_its_end() -> None:
    assert followed(stands(pending=1), stands(pending=0, state="finished"))[1] == ""


def test_a_time_that_is_over_ends_the_following_and_not_the_campaign() -> None:
    found, why = followed(*[stands()] * 50, seconds=5)
    assert (found["pending"], "goes on by itself" in why) == (2, True)


def test_silence_for_a_moment_is_borne_and_for_long_is_not() -> None:
    assert followed(WorkLeft("no answer"), stands(state="finished", pending=0))[1] == ""
    with pytest.raises(WorkLeft):
        followed(*[WorkLeft("no answer")] * 100)


def test_what_only_a_person_can_settle_is_not_waited_for() -> None:
    assert followed(stands(pending=0, uncertain=1))[1] == ""
    assert followed(stands(pending=0, uncertain=1, settling=1), stands(pending=0, uncertain=1))[1] == ""
    trouble = {"kind": "configuration", "what": "The key is wrong.", "todo": "Mend it."}
    with pytest.raises(ConfigurationError, match="The key is wrong"):
        followed(stands(trouble=trouble))
    assert "another machine" in followed(stands(ordered=False))[1]


def test_a_signal_begins_no_further_letter(cli: Any, far: Far) -> None:
    from newsletter.cli import remote
    from newsletter.cli.here import Here

    far.readers(1)
    ledger.turn_all(far.desk, paused=True)
    assert cli("send", "quiet", "--yes", **far.environ) == exits.LEFT
    stop = Event()
    stop.set()
    here = Here(cli.folder, {**cli.keys, **far.environ})
    assert remote.send_due(here, stop, seconds=None, as_json=True) == exits.LEFT
    (told,) = json.loads(cli.capsys.readouterr().out)["issues"]
    assert (told["issue"], told["exit"], told["error"]["what"]) == (
        "quiet",
        exits.LEFT,
        "quiet: not begun, as the time was over",
    )


@pytest.mark.parametrize(
    "command",
    [
        ("pause", "--all"),
        ("resume", "--all"),
        ("review", "quiet"),
        ("approve", "quiet"),
        ("resolve", "quiet"),
        ("subscribers", "list"),
        ("send", "quiet", "--yes", "--provider", "outbox"),
        ("plan", "quiet", "--provider", "outbox"),
    ],
    ids=" ".join,
)
def test_what_needs_the_list_is_refused_where_another_machine_has_it(cli: Any, command: tuple[str, ...]) -> None:
    assert cli(*command, NEWSLETTER_SERVER__URL="https://letters.test") == exits.CONFIG
    assert ("server" in cli.err, cli.out) == (True, "")
    assert not (cli.folder / "var/newsletter.db").exists()


def test_what_an_operator_does_is_done_on_the_server(cli: Any, far: Far) -> None:
    far.readers(1)
    ledger.turn_all(far.desk, paused=True)
    assert cli("send", "quiet", "--yes", **far.environ) == exits.LEFT
    assert cli("pause", "issues/2026-12-01-quiet.md", **far.environ) == exits.DONE
    assert "quiet is paused on the server" in cli.out
    assert cli("resume", "quiet", **far.environ) == exits.DONE
    assert cli("status", "quiet", "--json", **far.environ) == exits.DONE
    told = json.loads(cli.out)
    assert (told["state"], told["pending"], told["all_paused"], told["checksum"]) == ("sending", 1, True, None)
    assert cli("cancel", "quiet", "--json", **far.environ) == exits.DONE
    assert json.loads(cli.out)["state"] == "cancelled"
    assert cli("status", **far.environ) == exits.DONE
    assert cli.out.split()[-7:] == ["cancelled", "1", "0", "1", "0", "0", "0"]
    assert cli("status", "nothing", **far.environ) == exits.USAGE
    assert not (cli.folder / "var/newsletter.db").exists()


class Answers(requests.Session):
    """Answers what it is told to, one request after another."""

    def __init__(self, *answers: tuple[int, dict[str, Any]]) -> None:
        super().__init__()
        self.answers = list(answers)

    def request(self, *_: Any, **__: Any) -> requests.Response:
        answer = requests.Response()
        answer.status_code, found = self.answers.pop(0)
        answer._content = json.dumps(found).encode()
        return answer


def test_keys_of_an_issuer_that_are_away_are_waited_for() -> None:
    away = 503, {"type": "urn:newsletter:problem:keys-away", "detail": "It gives no keys.", "todo": "Run again."}
    waits: list[float] = []

    def asked(*answers: tuple[int, dict[str, Any]]) -> Server:
        return Server("https://letters.test", "", api_key="a key", sleep=waits.append, http=Answers(*answers))

    assert asked(away, away, (200, {"issue": "quiet"})).look("quiet") == {"issue": "quiet"}
    assert waits == [2.0, 4.0]
    with pytest.raises(WorkLeft, match="gives no keys"):
        asked(*[away] * 9).look("quiet")
