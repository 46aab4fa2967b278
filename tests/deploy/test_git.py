"""Sending without a forge: a push to a bare repository, and a timer over a checkout."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections import Counter
from datetime import UTC, datetime, timedelta
from email import message_from_bytes, policy
from pathlib import Path

import pytest
import yaml

from newsletter.cli.program import run as program
from tests.runner import Run

GIT = Path(__file__).parents[2] / "deploy" / "git"
REAL = Path(sys.executable).with_name("newsletter")
KEYS = {"NEWSLETTER_SECRET_KEYS": "a-key-of-the-house", "NEWSLETTER_SUPPRESSION_KEY": "another-key-of-it"}
LETTER = """---
subject: A quiet hour
preheader: Something about the week, long enough to be shown whole in the line of an inbox.
date: {day}
draft: false
---

Hello {{{{ first_name, "friend" }}}}, this is a letter about an hour in which nothing happens.
"""


class Place:
    """An editor's clone, a bare repository with the hook, and the checkout it keeps."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.clone, self.checkout = folder, folder / "clone", folder / "letters"
        self.bare = folder / "letters.git"
        self.stand_in("exit 0")
        self.due = datetime.now(UTC) - timedelta(hours=1)
        for command in (
            ("init", "-q", "--bare", "-b", "main", str(self.bare)),
            ("-C", str(self.bare), "config", "newsletter.checkout", str(self.checkout)),
            ("init", "-q", "-b", "main", str(self.clone)),
            ("-C", str(self.clone), "remote", "add", "origin", str(self.bare)),
        ):
            self.git(*command)
        for name in ("post-receive", "press"):
            shutil.copy(GIT / name, self.bare / "hooks" / name)
        (self.clone / "issues").mkdir()
        self.write(
            "newsletter.yml",
            f'name: Quiet Letters\ntimezone: UTC\nsend_at: "{self.due:%H:%M}"\n'
            "senders:\n  us: {name: Quiet Letters, email: letters@quiet.example}\n"
            "footer: {address: '1 Long Road, Chino, CA 91710'}\nfields: {first_name: friend}\n",
        )

    def write(self, name: str, text: str) -> None:
        (self.clone / name).write_text(text, "utf-8")

    def git(self, *command: str) -> str:
        env = {**os.environ, "HOME": str(self.folder)}
        who = ("-c", "user.name=E", "-c", "user.email=e@quiet.example")
        done = subprocess.run(["git", *who, *command], env=env, check=True, capture_output=True, text=True)
        return done.stdout + done.stderr

    def push(self, branch: str = "main") -> str:
        """Commit what is there and push it; what the hook says to whoever pushes."""
        self.git("-C", str(self.clone), "add", ".")
        self.git("-C", str(self.clone), "commit", "-q", "--allow-empty", "-m", "a change")
        return self.git("-C", str(self.clone), "push", "-q", "origin", f"HEAD:{branch}")

    def press(self) -> int:
        """As the timer runs it."""
        return subprocess.run([GIT / "press", self.checkout], check=False, capture_output=True).returncode

    def stand_in(self, script: str) -> None:
        """A `newsletter` that does what a test wants it to do."""
        file = self.checkout / ".venv/bin/newsletter"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f'#!/bin/bash\nprintf "%s\\n" "$*" >> {self.folder}/calls\n{script}\n', "utf-8")
        file.chmod(0o755)

    def calls(self) -> list[str]:
        file = self.folder / "calls"
        return file.read_text("utf-8").splitlines() if file.exists() else []

    def addresses(self) -> Counter[str]:
        files = (self.checkout / "var/outbox/new").glob("*")
        return Counter(str(message_from_bytes(one.read_bytes(), policy=policy.default)["To"]) for one in files)


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


@pytest.mark.slow
def test_promise_1_a_push_sends_what_is_due_and_neither_another_nor_the_timer_sends_it_again(place: Place) -> None:
    (place.checkout / ".env").write_text("".join(f"{name}={key}\n" for name, key in KEYS.items()), "utf-8")
    place.push()
    people = place.folder / "people.csv"
    people.write_text("email\n" + "".join(f"r{n}@x.test\n" for n in range(5)), "utf-8")
    assert (
        program(["-C", str(place.checkout), "subscribers", "import", str(people), "--attest-consent", "asked"], {}) == 0
    )

    place.stand_in(f'[ "$1" != send ] || exec {REAL} "$@"')
    place.write(f"issues/{place.due.date()}-quiet-hour.md", LETTER.format(day=place.due.date()))
    said = place.push()
    assert "remote: Sent." in said
    assert place.addresses() == {f"r{n}@x.test": 1 for n in range(5)}
    assert "@x.test" not in said + (place.checkout / "var/press.log").read_text("utf-8")
    assert place.press() == 3
    assert place.addresses() == {f"r{n}@x.test": 1 for n in range(5)}


def test_whoever_pushes_sees_checks_and_plans_of_what_changed(place: Place) -> None:
    place.write("issues/2026-12-01-one.md", "one")
    place.write("issues/$(touch there).md", "odd")
    place.push()
    at = f"-C {place.checkout}"
    odd, first = "issues/$(touch there).md", "issues/2026-12-01-one.md"
    assert place.calls() == [
        f"{at} check --offline {odd} {first}",
        f"{at} plan {odd}",
        f"{at} plan {first}",
        "send --due --max-seconds 60",
    ]
    assert not list(place.folder.rglob("there"))
    assert "Sent." in (place.checkout / "var/press.log").read_text("utf-8")  # the first push makes the folder


@pytest.mark.parametrize(
    ("script", "said"),
    [
        ("exit 0", "Sent."),
        ('[ "$1" = send ] && exit 3', "Nothing is to be sent now."),
        ('[ "$1" = send ] && exit 75', "the timer goes on with it"),
        ('[ "$1" = send ] && { echo "error: Nobody has said yes." >&2; exit 77; }', "error: Nobody has said yes."),
    ],
)
def test_how_it_ended_is_said_in_words(place: Place, script: str, said: str) -> None:
    place.stand_in(script)
    assert said in place.push()


def test_another_branch_and_one_that_is_deleted_send_nothing(place: Place) -> None:
    place.push("draft")
    place.git("-C", str(place.clone), "push", "-q", "origin", ":draft")
    assert place.calls() == []
    assert [file.name for file in place.checkout.iterdir()] == [".venv"]


def test_what_is_taken_away_leaves_the_checkout_and_what_git_does_not_know_stays(place: Place) -> None:
    place.write("issues/2026-12-01-one.md", "one")
    (place.checkout / ".env").write_text("kept", "utf-8")
    place.push()
    (place.clone / "issues/2026-12-01-one.md").rename(place.clone / "issues/2026-12-08-one.md")
    place.push()
    assert [file.name for file in (place.checkout / "issues").iterdir()] == ["2026-12-08-one.md"]
    assert (place.checkout / ".env").read_text("utf-8") == "kept"


def test_two_runs_over_one_checkout_do_not_meet(place: Place) -> None:
    place.stand_in(f"{GIT}/press {place.checkout}; echo $? > {place.folder}/inner")
    assert place.press() == 0
    assert (place.folder / "inner").read_text("utf-8") == "75\n"


def test_a_clone_is_brought_up_to_date_and_goes_on_without_its_forge(place: Place) -> None:
    place.push()
    shutil.rmtree(place.checkout)
    place.git("clone", "-q", str(place.bare), str(place.checkout))
    place.stand_in("exit 0")
    (place.bare / "hooks/post-receive").unlink()
    place.write("issues/2026-12-01-one.md", "one")
    place.push()
    assert place.press() == 0
    assert (place.checkout / "issues/2026-12-01-one.md").exists()
    shutil.rmtree(place.bare)
    assert place.press() == 0
    assert place.calls()[-2:] == ["send --due --max-seconds 3000"] * 2


# --- the files for other forges -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("document", "code", "status"),
    [
        (
            '{"issues": [{"issue": "one", "submitted": 5, "audience": 9, "why": null}], "exit": 75, "error": null}',
            75,
            "success",
        ),
        ('{"issues": [], "exit": 3, "error": {"what": "Nothing is due.", "fix": null, "code": 3}}', 3, "success"),
        ('{"issue": null, "error": {"what": "X is not a setting.", "fix": null, "code": 78}}', 78, "failure"),
        ("", 137, "failure"),
    ],
)
def test_forgejo_takes_what_is_left_as_done_and_the_rest_as_red(
    tmp_path: Path, document: str, code: int, status: str
) -> None:
    def install(run: Run, _given: object) -> int:
        program = run.workspace / ".venv/bin/newsletter"
        program.parent.mkdir(parents=True)
        program.write_text(f"#!/bin/bash\necho '{document}'\nexit {code}\n", "utf-8")
        program.chmod(0o755)
        return 0

    stubs = {"actions/checkout": lambda *_: 0, "Install": install}
    ran = Run(GIT / "forgejo-send.yml", "send", tmp_path / "run", stubs).go()
    assert ran.steps["send"]["code"] == code
    assert ran.status == status
    assert code == 137 or f"Exit {code}." in ran.log


def test_gitlab_sends_from_the_default_branch_alone_and_lets_the_sender_hear() -> None:
    whole = yaml.safe_load((GIT / "gitlab-ci.yml").read_text("utf-8"))
    send = whole["send"]
    assert send["script"] == ["exec .venv/bin/newsletter send --due --max-seconds 3000"]
    assert "$CI_COMMIT_BRANCH == $CI_DEFAULT_BRANCH" in send["rules"][0]["if"]
    assert send["allow_failure"] == {"exit_codes": [3, 75]}
    assert (send["environment"], send["interruptible"]) == ("production", False)
    assert "environment" not in whole["preview"]
