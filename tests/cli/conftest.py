"""A publication in a folder, and the program run on it."""

from __future__ import annotations

import json
from collections import Counter
from email import message_from_bytes, policy
from pathlib import Path

import pytest

from newsletter.cli.program import run

SETTINGS = """
name: Quiet Letters
timezone: America/Los_Angeles
senders:
  us: {name: Quiet Letters, email: letters@quiet.example, reply_to: hello@quiet.example}
footer:
  address: 1 Long Road, Chino, CA 91710
fields: {first_name: friend}
magnets:
  workbook: {title: The Workbook, about: Twelve exercises., files: [magnets/workbook.pdf]}
forms:
  workbook: {magnet: workbook, wording: Send me the workbook.}
"""

KEYS = {"NEWSLETTER_SECRET_KEYS": "a-key", "NEWSLETTER_SUPPRESSION_KEY": "another-key"}


class Cli:
    """Runs commands in a folder and keeps what they said."""

    settings = SETTINGS
    keys = KEYS

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.folder, self.capsys = folder, capsys
        self.out = self.err = ""

    def __call__(self, *arguments: str, **environ: str) -> int:
        code = run(["-C", str(self.folder), *arguments], {**KEYS, **environ})
        self.out, self.err = self.capsys.readouterr()
        return code

    def json(self, *arguments: str) -> object:
        """The one document on stdout."""
        self(*arguments, "--json")
        return json.loads(self.out)

    def readers(self, count: int) -> None:
        """Import so many, with attested consent."""
        file = self.folder / "people.csv"
        file.write_text("email,first_name\n" + "".join(f"r{n}@x.test,N{n}\n" for n in range(count)), "utf-8")
        assert self("subscribers", "import", str(file), "--attest-consent", "asked") == 0

    def addresses(self) -> Counter[str]:
        """How many mails lie in the outbox for each address."""
        files = [file for part in ("new", "cur") for file in (self.folder / "var/outbox" / part).glob("*")]
        return Counter(str(message_from_bytes(file.read_bytes(), policy=policy.default)["To"]) for file in files)


@pytest.fixture
def folder(root: Path) -> Path:
    """A publication's folder."""
    (root / "newsletter.yml").write_text(SETTINGS, "utf-8")
    return root


@pytest.fixture
def cli(folder: Path, capsys: pytest.CaptureFixture[str]) -> Cli:
    """The program, in that folder."""
    return Cli(folder, capsys)
