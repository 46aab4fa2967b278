"""The outbox: a Maildir on this machine. Nothing leaves; any mail program can open it.

    <path>/tmp/   being written       <path>/new/   complete       <path>/cur/   seen by a mail program

A file is named by its delivery's key and nothing else, so the same delivery written twice is one file, and
a batch that was killed settles itself: what stands in new/ or cur/ was written whole, all else was not.
The folder holds addresses, so only its owner can read it.
"""

from __future__ import annotations

import email
import errno
import os
import re
import threading
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from email import policy
from email.message import EmailMessage
from pathlib import Path
from typing import Literal

from newsletter.core import mime
from newsletter.core.delivery import Batch, BatchResult, Capabilities, Finding, Outcome, Recipient, Status, all_of
from newsletter.core.email import Email
from newsletter.errors import AddressRefused, ProviderError

Halt = Literal["", "quota", "account"]

_STALE = 36 * 3600.0
"""Seconds after which a file in tmp/ is nobody's any more (the Maildir convention)."""


@dataclass(frozen=True)
class Section:
    """Its settings."""

    path: Path = Path("var/outbox")


def build(section: Section, root: Path) -> Outbox:
    """The provider of a publication's folder."""
    return Outbox(path=root / section.path)


class Outbox:
    """Writes each message as one file of a Maildir at `path`; makes the folders when they are missing."""

    name = "outbox"
    capabilities = Capabilities(max_batch=500, mode="batch", reconcile="search", network=False)

    def __init__(self, *, path: Path) -> None:
        self._path = path

    def submit(self, email: Email, batch: Batch, *, key: str, timeout: float) -> BatchResult:  # noqa: ARG002
        """Write the batch. A delivery that already stands there is submitted, and left as it is.

        In: the email, the rows; `key` and `timeout` are not needed here. Out: SUBMITTED when the file is
        on the disk, REJECTED for an address that cannot stand in a message, RETRY with a halt when the
        folder cannot be written ("quota": no room; "account": no permission, or worse) or the email's own
        sender is not valid.
        """
        if not all(mime.is_safe(recipient.key) for recipient in batch.recipients):
            return BatchResult(all_of(batch, Status.RETRY, code="key", detail=_UNSAFE), halt="bug")
        try:
            template = mime.compile(email)
        except ProviderError as problem:
            return BatchResult(all_of(batch, Status.RETRY, code="email", detail=problem.what), halt="account")
        outcomes: list[Outcome] = []
        try:
            self._prepare(batch)
            there = self._found(batch)
            for recipient in batch.recipients:  # one by one: what stands there when the disk gives way must be known
                outcomes.append(self._written(template, recipient, batch, known=recipient.key in there))  # noqa: PERF401
        except OSError as problem:
            return self._stopped(batch, outcomes, problem)
        return self._synced(outcomes)

    def reconcile(self, batch: Batch, *, key: str) -> Mapping[str, Outcome | None]:  # noqa: ARG002
        """SUBMITTED for what stands in new/ or cur/, RETRY for the rest; None when the folder cannot be read.

        A message that a mail program took out of the outbox is taken as never written.
        """
        try:
            there = self._found(batch)
            return {recipient.key: _settled(recipient.key, there) for recipient in batch.recipients}
        except OSError:
            return {recipient.key: None for recipient in batch.recipients}

    def check(self, need: int) -> Sequence[Finding]:  # noqa: ARG002
        """Nothing: an outbox has no quota, and whether it can be written shows at the first batch."""
        return []

    def forget(self, addresses: Collection[str]) -> int:
        """Take out every message to one of these addresses; how many. Raises: ProviderError when that cannot be done.

        Each file's head is read once, whatever the number of addresses.
        """
        wanted, gone = {address.lower().encode() for address in addresses}, 0
        try:
            for file in [Path(entry) for name in ("tmp", "new", "cur") for entry in _files(self._path / name)]:
                if wanted & _named(file):
                    file.unlink(missing_ok=True)
                    gone += 1
        except OSError as problem:
            raise ProviderError(_words(problem), "Make it writable, or delete it yourself.") from None
        return gone

    def _prepare(self, batch: Batch) -> None:
        self._path.mkdir(mode=0o700, parents=True, exist_ok=True)
        for folder in ("tmp", "new", "cur"):
            (self._path / folder).mkdir(mode=0o700, exist_ok=True)
        for left in os.scandir(self._path / "tmp"):
            with suppress(FileNotFoundError):  # another process tidies too
                if left.stat().st_mtime < batch.at.timestamp() - _STALE:
                    Path(left).unlink()

    def _found(self, batch: Batch) -> dict[str, Path]:
        """Where the batch's messages stand. new/ first: a mail program moves from there to cur/."""
        fresh = {recipient.key: self._path / "new" / recipient.key for recipient in batch.recipients}
        found = {key: path for key, path in fresh.items() if path.exists()}
        if len(found) < len(fresh):
            found |= {key: path for key, path in _seen(self._path / "cur").items() if key in fresh}
        return found

    def _written(self, template: mime.MessageTemplate, recipient: Recipient, batch: Batch, *, known: bool) -> Outcome:
        name = mime.message_id(recipient.key, template.domain)
        try:
            message = template.message(recipient, at=batch.at, message_id=name)
        except AddressRefused as refused:
            return Outcome(recipient.key, Status.REJECTED, code="address", detail=refused.what)
        if not known:
            self._write(recipient.key, message)
        return Outcome(recipient.key, Status.SUBMITTED, message_id=name)

    def _write(self, key: str, message: bytes) -> None:
        """The message on the disk first, then visible under its name: never a half one."""
        draft = self._path / "tmp" / f"{key}.{os.getpid()}.{threading.get_ident()}"
        try:
            with open(draft, "wb", opener=_private) as file:
                file.write(message)
                file.flush()
                os.fsync(file.fileno())
            draft.rename(self._path / "new" / key)
        except OSError:
            draft.unlink(missing_ok=True)
            raise

    def _synced(self, outcomes: list[Outcome], halt: Halt = "") -> BatchResult:
        """Make the new names survive a power cut too; when that fails, whether they do is unknown."""
        try:
            _sync_folder(self._path / "new")
        except OSError as problem:
            return BatchResult(tuple(_doubted(outcome, problem) for outcome in outcomes), halt=halt or "account")
        return BatchResult(tuple(outcomes), halt=halt)

    def _stopped(self, batch: Batch, outcomes: list[Outcome], problem: OSError) -> BatchResult:
        """The folder gave way: what is written is submitted, the rest was surely not."""
        rest = batch.recipients[len(outcomes) :]
        unsent = [Outcome(reader.key, Status.RETRY, code="outbox", detail=_words(problem)) for reader in rest]
        halt: Halt = "quota" if problem.errno in _NO_ROOM else "account"
        return self._synced([*outcomes, *unsent], halt)


def messages(path: Path) -> Iterator[EmailMessage]:
    """The messages of an outbox, the newest last; none when there is no outbox yet.

    In: its folder. Out: parsed messages, read one at a time.
    """
    files = [Path(file) for folder in ("new", "cur") for file in _files(path / folder)]
    for file in sorted(files, key=lambda file: (file.stat().st_mtime_ns, file.name)):
        yield email.message_from_bytes(file.read_bytes(), policy=policy.default)


_UNSAFE = "A delivery key cannot be a file name; nothing of this batch was written."


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _sync_folder(path: Path) -> None:
    folder = os.open(path, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _files(folder: Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return [entry for entry in entries if not entry.name.startswith(".")]
    except FileNotFoundError:
        return []


def _seen(cur: Path) -> dict[str, Path]:
    """What a mail program has moved, by key: it adds `:2,` and flags to the name."""
    return {entry.name.partition(":")[0]: Path(entry) for entry in _files(cur)}


def _settled(key: str, there: Mapping[str, Path]) -> Outcome:
    if key not in there:
        return Outcome(key, Status.RETRY, detail="It is not in the outbox.")
    with there[key].open("rb") as file:
        found = _MESSAGE_ID.search(file.read(_HEAD))
    return Outcome(key, Status.SUBMITTED, message_id=found[1].decode("ascii") if found else None)


def _named(file: Path) -> set[bytes]:
    """The addresses in the head of a message, in lower case; none when it has gone meanwhile."""
    try:
        with file.open("rb") as opened:
            return set(_ADDRESS.findall(opened.read(_HEAD).lower()))
    except FileNotFoundError:
        return set()


_ADDRESS = re.compile(rb"[^\s<>,;:\"()]+@[^\s<>,;:\"()]+")
_MESSAGE_ID = re.compile(rb"^Message-ID: (<[!-~]+>)", re.MULTILINE)
_HEAD = 8192


def _doubted(outcome: Outcome, problem: OSError) -> Outcome:
    if outcome.status is not Status.SUBMITTED:
        return outcome
    return Outcome(outcome.key, Status.UNKNOWN, outcome.message_id, code="outbox", detail=_words(problem))


def _words(problem: OSError) -> str:
    """Without the path: it ends in a delivery's key."""
    return f"The outbox cannot be written: {problem.strerror or 'the disk gave no reason'}."


_NO_ROOM = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
