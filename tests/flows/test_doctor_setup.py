"""Doctor on the settings and the workflows: each fault alone is named once."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from newsletter.core.publication import Footer, Publication, Sender
from newsletter.flows.doctor import ci
from newsletter.flows.doctor.setup import CONFIG, Setup, look

PUBLICATION = Publication(
    name="Harbour Letters",
    senders={"harbour": Sender("Harbour Letters", "letters@mail.harbour.test", "answers@harbour.test")},
    footer=Footer(address="3 Quay Street, Port Ellen, PA42 7DH"),
)


@pytest.fixture
def good(tmp_path: Path) -> Setup:
    return Setup(
        tmp_path,
        PUBLICATION,
        "https://letters.harbour.test",
        "postmark",
        network=True,
        owner=True,
        key_lengths=(43, 43),
        suppression_length=43,
        webhooks={"postmark": "set"},
    )


def ids(setup: Setup) -> list[str]:
    return [one.id.removeprefix("config.") for one in look(setup)]


def _from(**changes: str) -> Publication:
    return replace(PUBLICATION, senders={"harbour": replace(PUBLICATION.default_sender, **changes)})


def _at(address: str) -> Publication:
    return replace(PUBLICATION, footer=Footer(address=address))


FAULTS: list[tuple[str, Callable[[Setup], Setup]]] = [
    ("base-url-local", lambda good: replace(good, base_url="http://localhost:8000")),
    ("base-url-local", lambda good: replace(good, base_url="https://127.0.0.1")),
    ("base-url-plain", lambda good: replace(good, base_url="http://letters.harbour.test")),
    ("free-mail", lambda good: replace(good, publication=_from(email="harbour@GMail.com"))),
    ("free-mail", lambda good: replace(good, publication=_from(email="harbour@yahoo.co.uk"))),
    ("sender-name", lambda good: replace(good, publication=_from(name=" "))),
    ("no-reply", lambda good: replace(good, publication=_from(reply_to="no-reply@harbour.test"))),
    ("no-reply", lambda good: replace(good, publication=_from(email="donotreply@harbour.test", reply_to=""))),
    ("address-missing", lambda good: replace(good, publication=_at(" "))),
    ("address-sample", lambda good: replace(good, publication=_at("1 Sample Street\nSampletown, CA 90000"))),
    ("owner-missing", lambda good: replace(good, owner=False)),
    ("key-short", lambda good: replace(good, key_lengths=(43, 12))),
    ("key-short", lambda good: replace(good, suppression_length=8)),
    ("keys-made", lambda good: replace(good, key_lengths=())),
    ("keys-made", lambda good: replace(good, suppression_length=None)),
    ("webhook-unset", lambda good: replace(good, webhooks={"postmark": "unset"})),
    ("webhook-broken", lambda good: replace(good, webhooks={"postmark": "broken"})),
    ("webhook-broken", lambda good: replace(good, webhooks={"postmark": "set", "resend": "broken"})),
    ("nothing-leaves", lambda good: replace(good, network=False, base_url="http://localhost:8000", key_lengths=())),
]


def test_a_good_set_up_is_left_alone(good: Setup) -> None:
    assert look(good) == []


@pytest.mark.parametrize(("fault", "change"), FAULTS)
def test_each_fault_alone_is_named_once(good: Setup, fault: str, change: Callable[[Setup], Setup]) -> None:
    found = look(change(good))
    assert [one.id for one in found] == [f"config.{fault}"]
    assert found[0].what.endswith((".", "localhost:8000.", "example."))
    assert found[0].fix


def test_every_kind_has_its_case() -> None:
    assert {fault for fault, _ in FAULTS} | {
        "settings", "secrets-open", "secrets-tracked", "secrets-unguarded",  # below, and in the tests of the command
    } == set(CONFIG.kinds)  # fmt: skip


@pytest.mark.parametrize("name", [".env", "var/secret.key", "var/newsletter.db"])
def test_a_secret_file_that_others_can_read(good: Setup, name: str) -> None:
    path = good.root / name
    path.parent.mkdir(exist_ok=True)
    path.write_text("x")
    path.chmod(0o644)
    assert ids(good) == ["secrets-open"]
    path.chmod(0o600)
    assert ids(good) == []


class TestGit:
    @pytest.fixture
    def kept(self, good: Setup) -> Setup:
        _git(good.root, "init", "-q")
        (good.root / ".gitignore").write_text(".env\nvar/\n")
        (good.root / ".env").write_text("NEWSLETTER_PROVIDER=postmark\n")
        (good.root / ".env").chmod(0o600)
        _git(good.root, "add", ".gitignore")
        return good

    def test_a_guarded_folder_is_left_alone(self, kept: Setup) -> None:
        assert ids(kept) == []

    def test_env_that_git_does_not_ignore(self, kept: Setup) -> None:
        (kept.root / ".gitignore").write_text("var/\n")
        assert ids(kept) == ["secrets-unguarded"]

    def test_env_that_git_holds(self, kept: Setup) -> None:
        _git(kept.root, "add", "-f", ".env")
        assert ids(kept) == ["secrets-tracked"]

    @pytest.mark.parametrize(
        "secret",
        [
            "SG." + "a" * 22 + "." + "b" * 43,
            "xkeysib-" + "0" * 64,
            "AKIA" + "A" * 16,
            "re_" + "A" * 8 + "_" + "b" * 24,
            "NEWSLETTER_SECRET_KEYS=" + "a" * 43,
        ],
    )
    def test_a_key_in_a_file_that_git_holds(self, kept: Setup, secret: str) -> None:
        (kept.root / "notes.md").write_text(f"remember: {secret}\n")
        _git(kept.root, "add", "notes.md")
        found = look(kept)
        assert [one.id for one in found] == ["config.secrets-tracked"]
        assert "notes.md" in found[0].what
        assert secret not in repr(found)


def _git(root: Path, *words: str) -> None:
    subprocess.run(["git", "-C", str(root), *words], check=True, capture_output=True)


WORKFLOW = """name: send
on:
  push:
permissions: {}
jobs:
  send:
    steps:
      - uses: actions/checkout@3d3c42e5aac5ba805825da76410c181273ba90b1 # v7.0.1
      - uses: ./.github/actions/ours
      - name: Send ${{ github.event.head_commit.message }}
        env:
          TITLE: ${{ github.event.head_commit.message }}
        run: |
          echo "$TITLE"
"""


@pytest.mark.parametrize(
    ("fault", "old", "new"),
    [
        ("unpinned", "@3d3c42e5aac5ba805825da76410c181273ba90b1", "@v7"),
        ("permissions", "permissions: {}\n", ""),
        ("untrusted", 'echo "$TITLE"', "echo ${{ github.event.head_commit.message }}"),
        ("untrusted", "run: |\n", "run: echo ${{ github.head_ref }}\n"),
        ("unsigned", "  push:", "  pull_request_target:"),
        ("stored-list", "      - uses: ./", "      - with:\n          path: var/\n      - uses: ./"),
    ],
)
def test_each_fault_of_a_workflow_is_named_once(tmp_path: Path, fault: str, old: str, new: str) -> None:
    folder = tmp_path / ".github/workflows"
    folder.mkdir(parents=True)
    assert ci.look(tmp_path) == []
    (folder / "send.yml").write_text(WORKFLOW)
    assert ci.look(tmp_path) == []
    assert old in WORKFLOW
    (folder / "send.yml").write_text(WORKFLOW.replace(old, new))
    assert [one.id for one in ci.look(tmp_path)] == [f"ci.{fault}"]


def test_our_own_workflows_are_left_alone() -> None:
    assert ci.look(Path(__file__).parents[2]) == []
