"""What runs on GitHub: how it is written, and what its jobs do when they are run here."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from email import message_from_bytes, policy
from pathlib import Path
from typing import Any

import pytest

from newsletter.cli.program import run as program
from newsletter.flows import plan as plan_flow
from newsletter.flows import send as send_flow
from tests.runner import Run, read

ROOT = Path(__file__).parents[1]
OURS = ROOT / ".github" / "workflows"
GIVEN = ROOT / "newsletter" / "starter" / "workflows"
EVERY = sorted([*OURS.glob("*.yml"), *GIVEN.glob("*.yml")])
KEYS = {"NEWSLETTER_SECRET_KEYS": "a-key-of-the-house", "NEWSLETTER_SUPPRESSION_KEY": "another-key-of-it"}
READERS = 40
BEGUN = "has been begun and is not finished"
REAL = Path(sys.executable).with_name("newsletter")


def jobs(file: Path) -> dict[str, Any]:
    return read(file)["jobs"]


def steps(file: Path) -> list[tuple[str, dict[str, Any]]]:
    return [(name, step) for name, job in jobs(file).items() for step in job["steps"]]


# --- how they are written ---------------------------------------------------------------------------------


@pytest.mark.parametrize("file", EVERY, ids=lambda file: str(file.relative_to(ROOT)))
def test_a_workflow_may_do_no_more_than_it_must(file: Path) -> None:
    whole = read(file)
    assert whole["permissions"] == {}
    assert "concurrency" in whole
    for name, job in whole["jobs"].items():
        assert int(job["timeout-minutes"]) <= 350, name
        assert job["permissions"], name
    for name, step in steps(file):
        uses = step.get("uses", "")
        assert "${{" not in step.get("run", ""), f"{name}: words of others are pasted into a script"
        assert not uses or re.fullmatch(r"[\w./-]+@[0-9a-f]{40}", uses), uses
        if uses.startswith("actions/checkout@"):
            assert step["with"]["persist-credentials"] == "false"
    assert not re.search(r"uses: \S+@[0-9a-f]{40}(?! # v\d+\.\d+\.\d+\n)", file.read_text("utf-8"))


def test_secrets_are_in_the_one_step_that_sends_and_behind_an_environment() -> None:
    for file in EVERY:
        for name, job in jobs(file).items():
            holding = [step for step in job["steps"] if "{ secrets." in json.dumps(step)]
            assert "{ secrets." not in json.dumps({**job, "steps": []})
            assert len(holding) <= 1
            assert not holding or job["environment"] in {"production", "comment"}, f"{file.name}: {name}"


def test_the_sender_itself_hears_that_it_is_to_stop() -> None:
    """GitHub signals the process it started, so a script must become the sender: `exec`."""
    for file in EVERY:
        for _, step in steps(file):
            for line in step.get("run", "").splitlines():
                assert not re.search(r"newsletter send ", line) or re.search(r"\bexec \S*newsletter send ", line), line


def test_another_publication_gets_the_same_workflows_but_for_the_install() -> None:
    assert sorted(file.name for file in GIVEN.glob("*.yml")) == ["comment.yml", "due.yml", "preview.yml", "send.yml"]
    for file in GIVEN.glob("*.yml"):
        ours = (OURS / file.name).read_text("utf-8")
        assert file.read_text("utf-8") == ours.replace(
            "        run: make --silent .venv/.ready\n",
            "        run: |\n"
            "          python3 -m venv .venv\n"
            "          .venv/bin/pip install --quiet --disable-pip-version-check -r requirements.txt\n",
        )


def test_zizmor_finds_nothing() -> None:
    """Its own false alarms stand in the files, each with the reason."""
    zizmor = Path(sys.executable).with_name("zizmor")
    if not zizmor.exists():
        pytest.skip("zizmor is not installed")
    found = subprocess.run(
        [zizmor, "--offline", "--pedantic", "--no-progress", ROOT / ".github", *GIVEN.glob("*.yml")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert found.returncode == 0, found.stdout


# --- a publication to run them on -------------------------------------------------------------------------

LETTER = """---
subject: A quiet hour
preheader: Something about the week, long enough to be shown whole in the line of an inbox.
date: {day}
draft: false
---

Hello {{{{ first_name, "friend" }}}}, this is a letter about an hour in which nothing happens.
"""


class House:
    """A publication, its list beside it, and jobs that are run on it."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.root = folder, folder / "publication"
        (self.root / "issues").mkdir(parents=True)
        self.due = datetime.now(UTC) - timedelta(hours=1)
        day = self.due.date()
        (self.root / f"issues/{day}-quiet-hour.md").write_text(LETTER.format(day=day), "utf-8")
        self.count = 0
        self.settings()

    def settings(self, send: str = "") -> None:
        (self.root / "newsletter.yml").write_text(
            "name: Quiet Letters\ntimezone: UTC\n"
            f'send_at: "{self.due:%H:%M}"\n'
            "senders:\n  us: {name: Quiet Letters, email: letters@quiet.example}\n"
            "footer: {address: '1 Long Road, Chino, CA 91710'}\nfields: {first_name: friend}\n"
            f"outbox: {{path: {self.folder / 'outbox'}}}\n{send}",
            "utf-8",
        )

    @property
    def secrets(self) -> Mapping[str, str]:
        return {**KEYS, "NEWSLETTER_DATABASE_URL": f"sqlite:///{self.folder / 'list.db'}"}

    def readers(self) -> None:
        people = self.folder / "people.csv"
        people.write_text("email\n" + "".join(f"r{n}@x.test\n" for n in range(READERS)), "utf-8")
        command = ["-C", str(self.root), "subscribers", "import", str(people), "--attest-consent", "asked"]
        assert program(command, self.secrets) == 0

    def addresses(self) -> Counter[str]:
        """How many mails lie in the outbox for each address."""
        files = [*(self.folder / "outbox" / "new").glob("*")]
        return Counter(str(message_from_bytes(one.read_bytes(), policy=policy.default)["To"]) for one in files)

    def newsletter(self, script: str) -> Path:
        """A `newsletter` that says what a test wants it to say."""
        stand_in = self.folder / "stand-in"
        stand_in.write_text(f'#!/bin/bash\necho "newsletter $*" >> {self.folder}/said\n{script}\n', "utf-8")
        stand_in.chmod(0o755)
        return stand_in

    def said(self) -> list[str]:
        file = self.folder / "said"
        return file.read_text("utf-8").splitlines() if file.exists() else []

    def job(self, workflow: str, job: str, *, newsletter: Path | None = None, **more: Any) -> Run:
        self.count += 1
        secrets = more.pop("secrets", self.secrets)
        contexts = {"secrets": secrets, "vars": {}, "inputs": {}, **more.pop("contexts", {})}
        stubs: dict[str, Callable[[Run, Mapping[str, str]], int]] = {
            "actions/checkout": lambda run, _: bool(shutil.copytree(self.root, run.workspace, dirs_exist_ok=True)) - 1,
            "actions/setup-python": lambda *_: 0,
            "actions/upload-artifact": _keep,
            "Install": lambda run, _: _link(run.workspace / ".venv/bin/newsletter", newsletter or REAL),
        }
        return Run(OURS / workflow, job, self.folder / f"run-{self.count}", stubs, contexts, **more).go()


def _keep(run: Run, given: Mapping[str, str]) -> int:
    there, kept = run.workspace / given["path"], run.folder / "artifacts" / given["name"]
    if not there.exists():
        return 1
    kept.mkdir()
    if there.is_dir():
        shutil.copytree(there, kept, dirs_exist_ok=True)
    else:
        shutil.copy(there, kept)
    return 0


def _link(at: Path, to: Path) -> int:
    at.parent.mkdir(parents=True)
    at.symlink_to(to)
    return 0


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path)


def told(run: Run) -> str:
    """All that others could read of a run."""
    return run.log + run.summary + json.dumps(run.steps)


# --- send -------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_promise_1_and_12_cancelled_run_again_and_twice_at_once_everybody_gets_it_once(house: House) -> None:
    house.readers()
    house.settings("send: {rate: 4, batch_size: 2}\n")
    some = lambda: len(list(house.folder.glob("outbox/new/*"))) >= 2  # noqa: E731
    unplanned = house.newsletter(f'[ "$1" = plan ] || exec {REAL} "$@"')
    first = house.job("send.yml", "send", newsletter=unplanned, cancel=("Plan, approval, send", some))
    assert first.steps["send"]["code"] == 75
    assert first.steps["send"]["outcome"] == "cancelled"
    assert first.steps["ended"] == {"outcome": "failure", "code": 75, "outputs": {}}
    before = house.addresses()
    assert 0 < len(before) < READERS
    assert f"**quiet-hour**: {len(before)} of {READERS} sent" in first.summary

    house.settings("send: {batch_size: 2}\n")
    with ThreadPoolExecutor(2) as two:
        both = list(two.map(lambda which: house.job(*which), [("due.yml", "due")] * 2))
    codes = [run.steps["send"]["code"] for run in both]
    assert 0 in codes
    assert set(codes) <= {0, 3, 75}
    assert house.addresses() == {f"r{n}@x.test": 1 for n in range(READERS)}
    for run in (first, *both):
        assert "@x.test" not in told(run)
        assert not [key for key in house.secrets.values() if key in told(run)]


def test_what_did_not_say_where_the_list_is_sends_nothing(house: House) -> None:
    ran = house.job("send.yml", "send", secrets={}, newsletter=house.newsletter(""))
    assert (ran.status, ran.steps["ended"]["code"]) == ("failure", 78)
    assert "Nobody has said where the list is" in ran.summary
    assert house.job("due.yml", "due", secrets={}, newsletter=house.newsletter("")).status == "success"
    assert house.said() == []


def ended(code: int, **document: Any) -> str:
    return f"echo '{json.dumps(document)}'; exit {code}"


PLAN = """case "$1" in
plan) [ "$4" != -o ] || echo '{"issue": "quiet-hour", "audience": 312}' > "$5"; echo '{}' ;;
send) echo '{"exit": 0}' ;;
esac"""


@pytest.mark.parametrize(
    ("inputs", "code", "sent"),
    [
        ({"confirm": ""}, 0, None),
        ({"confirm": "quiet-hour 311"}, 77, None),
        ({"confirm": "quiet-hour 312"}, 0, "send quiet-hour --plan"),
        ({"confirm": "quiet-hour 312", "now": True}, 0, "send quiet-hour --yes"),
        ({"issue": "-rf", "confirm": "x"}, 2, None),
        ({"issue": '$(touch "$HOME/there")', "confirm": "x"}, 2, None),
    ],
)
def test_by_hand_a_letter_goes_when_its_plan_was_confirmed(
    house: House, inputs: Mapping[str, Any], code: int, sent: str | None
) -> None:
    asked = {"issue": "quiet-hour", "now": False, **inputs}
    ran = house.job("send.yml", "send", newsletter=house.newsletter(PLAN), contexts={"inputs": asked})
    assert ran.steps["ended"]["code"] == code
    calls = [line for line in house.said() if line.startswith("newsletter send")]
    assert len(calls) == (sent is not None)
    assert sent is None or calls[0].startswith(f"newsletter {sent}")
    assert not list((ran.folder / "home").iterdir())
    if not asked["confirm"]:
        assert "confirm with: quiet-hour 312" in ran.summary


@pytest.mark.parametrize(
    ("what", "goes_on"), [(f"quiet-hour {BEGUN}.", True), ("issues/quiet-hour.md is still a draft.", False)]
)
def test_a_letter_that_was_begun_goes_on_when_it_is_asked_for_by_hand(
    house: House, what: str, *, goes_on: bool
) -> None:
    document = json.dumps({"error": {"what": what, "fix": "", "code": 3}})
    script = f"""[ "$1" = send ] && {{ echo '{{"exit": 0}}'; exit 0; }}; echo '{document}'; exit 3"""
    ran = house.job(
        "send.yml", "send", newsletter=house.newsletter(script), contexts={"inputs": {"issue": "quiet-hour"}}
    )
    assert ran.status == "success"
    assert house.said()[-1].startswith("newsletter send --due" if goes_on else "newsletter plan")
    assert goes_on or "is still a draft" in ran.summary


def one(**more: Any) -> dict[str, Any]:
    counts = {"submitted": 5, "audience": 9, "pending": 4, "uncertain": 0, "why": None, "error": None}
    return {"issue": "quiet-hour", **counts, **more}


OVER = one(why="the time given was over")
WRONG = {"what": "The provider refused our credentials.", "fix": "Correct them.", "code": 1}


@pytest.mark.parametrize(
    ("script", "code", "again"),
    [
        (ended(0, exit=0, issues=[one(pending=0)]), 0, ""),
        (ended(3, exit=3, issues=[], error={"what": "Nothing is due.", "fix": None, "code": 3}), 0, ""),
        (ended(75, exit=75, issues=[OVER]), 0, "true"),
        (ended(75, exit=75, issues=[one(why="it was told to stop")]), 0, ""),
        (ended(75, exit=75, issues=[one(why="held until 09:30:00 UTC")]), 0, ""),
        (ended(1, exit=1, issues=[one(error=WRONG, exit=1)]), 1, ""),
        (ended(77, exit=77, issues=[], error={"what": "Nobody has said yes.", "fix": "Ask.", "code": 77}), 77, ""),
        ("exit 137", 1, ""),
    ],
)
def test_how_it_ended_decides_what_comes_next(house: House, script: str, code: int, again: str) -> None:
    ran = house.job("send.yml", "send", newsletter=house.newsletter(script))
    assert ran.steps["ended"]["code"] == code
    assert ran.outputs["again"] == again
    assert ran.status == ("failure" if code else "success")
    if "Correct them." in script:
        assert "The provider refused our credentials. Correct them." in ran.summary


def test_what_the_workflow_looks_for_is_what_the_sender_says() -> None:
    workflow = (OURS / "send.yml").read_text("utf-8")
    for module, said in ((send_flow, f'self.halt("{OVER["why"]}")'), (plan_flow, f" {BEGUN}.")):
        assert said in Path(module.__file__).read_text("utf-8")
    for words in (OVER["why"], BEGUN):
        assert f'"{words}"' in workflow


def gh(folder: Path, script: str = "") -> Path:
    """A `gh` that notes what it was asked."""
    there = folder / "bin"
    there.mkdir(exist_ok=True)
    (there / "gh").write_text(f'#!/bin/bash\necho "$*" >> {folder}/asked\n{script}\n', "utf-8")
    (there / "gh").chmod(0o755)
    return there


def test_the_time_is_over_so_the_workflow_starts_itself_once_more(house: House) -> None:
    for again in ("true", ""):
        contexts = {"needs": {"send": {"outputs": {"again": again}}}}
        house.job("send.yml", "again", contexts=contexts, path=(gh(house.folder),))
    asked = (house.folder / "asked").read_text("utf-8").splitlines()
    assert asked == ["workflow run send.yml --repo owner/letters --ref main"]


# --- due --------------------------------------------------------------------------------------------------


def test_what_did_not_go_is_told_once_in_an_issue(house: House) -> None:
    script = ended(77, exit=77, issues=[one(error={"what": "It is late.", "fix": "Give it a new date."}, pending=0)])
    ran = house.job("due.yml", "due", newsletter=house.newsletter(script))
    assert ran.status == "success"
    trouble = ran.outputs["trouble"]
    assert "It is late. Give it a new date." in trouble
    needs = {"needs": {"due": {"outputs": {"trouble": trouble}}}}
    for known, opened in (("[]", 1), ('[{"title": "A letter did not go"}]', 0)):
        answer = f"case \"$2\" in list) echo '{known}' ;; create) cat > {house.folder}/body ;; esac"
        (house.folder / "body").unlink(missing_ok=True)
        house.job("due.yml", "tell", contexts=needs, path=(gh(house.folder, answer),))
        assert (house.folder / "body").exists() == bool(opened)
        assert not opened or "It is late. Give it a new date." in (house.folder / "body").read_text()


@pytest.mark.parametrize("code", [0, 3, 75])
def test_a_sweep_with_nothing_to_tell_tells_nothing(house: House, code: int) -> None:
    ran = house.job("due.yml", "due", newsletter=house.newsletter(ended(code, exit=code, issues=[])))
    assert (ran.status, ran.outputs["trouble"]) == ("success", "")
    assert house.job("due.yml", "tell", contexts={"needs": {"due": {"outputs": ran.outputs}}}).status == "skipped"


# --- preview and comment ----------------------------------------------------------------------------------


def repository(house: House, *changed: str) -> None:
    """A pull request, merged as GitHub merges it for a look."""

    def git(*command: str) -> None:
        who = ("-c", "user.name=E", "-c", "user.email=e@quiet.example", "-c", "commit.gpgsign=false")
        subprocess.run(["git", "-C", house.root, *who, *command], check=True, capture_output=True)

    git("init", "-q", "-b", "main")
    git("add", ".")
    git("commit", "-q", "-m", "one")
    for name in changed:
        (house.root / name).write_text("changed", "utf-8")
    git("add", ".")
    git("commit", "-q", "-m", "two", "--allow-empty")


CHECKS = 'case "$1" in check) echo "checks of the last" > "$GITHUB_STEP_SUMMARY"; exit %d ;; *) echo "$1 says" ;; esac'


def test_a_preview_shows_the_letters_that_change_whatever_their_files_are_called(house: House) -> None:
    odd = "issues/a $(touch there); `id`.md"
    repository(house, odd, "issues/2026-12-08-next.md")
    ran = house.job("preview.yml", "preview", newsletter=house.newsletter(CHECKS % 0))
    assert ran.status == "success"
    checked = next(line for line in house.said() if line.startswith("newsletter check"))
    assert checked == f"newsletter check --format github issues/2026-12-08-next.md {odd}"
    assert not list(ran.workspace.rglob("there"))
    comment = (ran.folder / "artifacts/comment/comment.md").read_text("utf-8")
    assert comment == "review says\n\ndiff says\n\n" * 2 + "checks of the last\n"
    assert comment in ran.summary


def test_a_preview_fails_last_when_something_is_to_be_fixed(house: House) -> None:
    repository(house)
    ran = house.job("preview.yml", "preview", newsletter=house.newsletter(CHECKS % 1))
    assert ran.status == "failure"
    assert (ran.folder / "artifacts/comment/comment.md").exists()
    assert any("quiet-hour" in line for line in house.said() if line.startswith("newsletter render"))


HOSTILE = """Ask @everyone, see https://evil.example/x, www.evil.example, fixes #12 and owner/repo#7.
[click](//evil.example) ![pixel](https://evil.example/p.png) <img src=x> <a href="x">y</a> <!-- newsletter: preview -->
<details><summary>3 links</summary> a<br>b \x1b[31m \x07</details>
"""


def event(**more: Any) -> dict[str, Any]:
    head = {"full_name": "stranger/letters", "owner": {"login": "stranger"}}
    ran = {"event": "pull_request", "id": 7, "html_url": "https://github.com/owner/letters/actions/runs/7"}
    return {
        "event": {"workflow_run": {**ran, "head_repository": head, "head_branch": "a&b", "head_sha": "c0ffee", **more}}
    }


@pytest.fixture
def comment(house: House) -> Callable[..., Run]:
    def go(
        *,
        server: str = "",
        text: str = HOSTILE,
        comments: str = "[]",
        pulls: str = '[{"number": 5, "head": {"sha": "c0ffee"}}]',
    ) -> Run:
        answer = f"""case "$*" in
*/pulls*) echo '{pulls}' ;;
*/comments?per_page*) echo '{comments}' ;;
*--input*) cp "${{@: -1}}" {house.folder}/body.json ;;
esac"""

        def fetch(run: Run, given: Mapping[str, str]) -> int:
            Path(given["path"]).mkdir()
            (Path(given["path"]) / "comment.md").write_text(text, "utf-8")
            return 0

        run = Run(
            OURS / "comment.yml",
            "comment",
            house.folder / f"comment-{len(list(house.folder.glob('comment-*')))}",
            {"actions/download-artifact": fetch},
            {
                "github": event(),
                "vars": {"NEWSLETTER_SERVER__URL": server},
                "secrets": {"NEWSLETTER_STATS_KEY": "a-key-for-numbers"},
            },
            path=(gh(house.folder, answer),),
        )
        return run.go()

    return go


def test_a_comment_takes_the_text_as_words_of_a_stranger(house: House, comment: Callable[..., Run]) -> None:
    ran = comment()
    assert ran.status == "success", ran.log
    body = json.loads((house.folder / "body.json").read_text("utf-8"))["body"]
    mark, _, rest = body.partition("\n")
    assert mark == "<!-- newsletter: preview -->"
    said, _, ours = rest.rpartition("\n\n")
    for gone in ("@everyone", "://", "www.evil", "#12", "#7", "](", "![", "<img", "<a ", "<!--", "\x1b", "\x07"):
        assert gone not in said, gone
    assert "<details><summary>3 links</summary> a<br>b" in said
    assert (
        ours.strip()
        == "[The mail, with pictures](https://github.com/owner/letters/actions/runs/7#artifacts), made of c0ffee."
    )


@pytest.mark.parametrize(("answer", "said"), [('{"subscribers": {"active": 311}}', True), ('{"title": "no"}', False)])
def test_how_many_readers_there_are_is_asked_of_the_server(
    house: House, comment: Callable[..., Run], answer: str, *, said: bool
) -> None:
    there = gh(house.folder)
    (there / "curl").write_text(
        f"#!/bin/bash\ncat > {house.folder}/config\necho \"$*\" > {house.folder}/url\necho '{answer}'\n"
    )
    (there / "curl").chmod(0o755)
    ran = comment(server="https://letters.quiet.example/")
    assert ran.status == "success", ran.log
    body = json.loads((house.folder / "body.json").read_text("utf-8"))["body"]
    assert ("The list has 311 active readers today." in body) is said
    assert (house.folder / "url").read_text("utf-8").endswith("https://letters.quiet.example/api/stats\n")
    assert "a-key-for-numbers" in (house.folder / "config").read_text("utf-8")
    assert "a-key-for-numbers" not in told(ran) + (house.folder / "url").read_text("utf-8")


def test_there_is_one_comment_and_it_is_ours(house: House, comment: Callable[..., Run]) -> None:
    known = [
        {"id": 1, "user": {"login": "stranger"}, "body": "<!-- newsletter: preview --> I am not it"},
        {"id": 2, "user": {"login": "github-actions[bot]"}, "body": "of another workflow"},
        {"id": 3, "user": {"login": "github-actions[bot]"}, "body": "<!-- newsletter: preview -->\nthe last one"},
    ]
    comment()
    comment(comments=json.dumps(known))
    calls = [line for line in (house.folder / "asked").read_text().splitlines() if "--input" in line]
    assert "--method POST repos/owner/letters/issues/5/comments" in calls[0]
    assert "--method PATCH repos/owner/letters/issues/comments/3" in calls[1]
    assert "head=stranger:a&b" in (house.folder / "asked").read_text()


def test_a_pull_request_that_went_on_meanwhile_gets_no_old_text(house: House, comment: Callable[..., Run]) -> None:
    ran = comment(pulls='[{"number": 5, "head": {"sha": "another"}}]')
    assert ran.status == "success"
    assert not (house.folder / "body.json").exists()


def test_a_huge_text_is_cut_to_what_github_takes(house: House, comment: Callable[..., Run]) -> None:
    comment(text="@" * 200_000)
    assert len(json.loads((house.folder / "body.json").read_text("utf-8"))["body"]) < 65_536 * 2
