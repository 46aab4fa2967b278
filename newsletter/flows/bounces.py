"""Bounces and complaints that come as mail: read from a file, and obeyed as if a webhook had told them.

In: one mail, an mbox, or a folder of mails. Out: what was found. Touches what `flows/hear.py` touches.
"""

from __future__ import annotations

import mailbox
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from newsletter.core.bouncemail import events_of
from newsletter.core.event import EventType
from newsletter.errors import FileRefused
from newsletter.flows.desk import Desk
from newsletter.flows.hear import BY_MAIL, obey


@dataclass(frozen=True)
class Found:
    """What the mails of a file were: `strange` are those that are no report, or about no mail of ours."""

    mails: int
    events: int
    known: int
    strange: int


def import_(path: Path, desk: Desk) -> Found:
    """Read the mails of a file or folder. Raises: FileRefused."""
    return take(_mails(path), desk)


def take(messages: Iterator[bytes], desk: Desk) -> Found:
    """Read mails, each in a transaction of its own; the same mail again changes nothing."""
    mails = new = known = strange = 0
    for message in messages:
        mails += 1
        events = [one for one in events_of(message, desk.now()) if one.type is not EventType.IGNORED]
        strange += not events
        with desk.store.begin() as tx:
            for event in events:
                fresh = obey(tx, BY_MAIL, event, desk)
                new, known = new + fresh, known + (not fresh)
    return Found(mails, new, known, strange)


def split(data: bytes) -> Iterator[bytes]:
    """The mails of an mbox (RFC 4155), or the one mail that it is."""
    if not data.startswith(b"From "):
        yield data
        return
    mail: list[bytes] = []
    before = b""
    for line in data.splitlines(keepends=True):
        if line.startswith(b"From ") and not before.strip():
            if mail:
                yield b"".join(mail)
            mail = []
        else:
            mail.append(line[1:] if line.startswith(b">") and line.lstrip(b">").startswith(b"From ") else line)
        before = line
    if mail:
        yield b"".join(mail)


def _mails(path: Path) -> Iterator[bytes]:
    try:
        if path.is_dir() and (path / "new").is_dir():
            folder = mailbox.Maildir(path, create=False)
            yield from (folder.get_bytes(name) for name in sorted(folder.keys()))
        elif path.is_dir():
            yield from (file.read_bytes() for file in sorted(path.iterdir()) if file.is_file())
        else:
            yield from split(path.read_bytes())
    except OSError as problem:
        raise FileRefused(
            f"{path} cannot be read: {problem.strerror or type(problem).__name__}.",
            "Give a mail (.eml), an mbox, a folder of mails, or - for a pipe.",
        ) from None
