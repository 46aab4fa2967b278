"""Bounces and complaints that come as mail: read from a file, and obeyed as if a webhook had told them.

In: one mail, an mbox, or a folder of mails. Out: what was found. Touches what `flows/hear.py` touches.
"""

from __future__ import annotations

import mailbox
from base64 import b64encode
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from newsletter.core.bouncemail import events_of, is_standard
from newsletter.core.event import Event, EventType, Raw
from newsletter.errors import FileRefused
from newsletter.flows.desk import Desk
from newsletter.flows.hear import BY_MAIL, marked, obey, sound


@dataclass(frozen=True)
class Found:
    """What the mails of a file were.

    `strange` are those that are no report; `unmatched`, reports of which nothing says that they are about mail of ours.
    """

    mails: int
    events: int
    known: int
    strange: int
    unmatched: int = 0


def import_(path: Path, desk: Desk, *, trust: bool = False) -> Found:
    """Read the mails of a file or folder. In: as `take`. Raises: FileRefused."""
    return take(_mails(path), desk, trust=trust)


def take(messages: Iterator[bytes], desk: Desk, *, trust: bool = False) -> Found:
    """Read mails, each in a transaction of its own; the same mail again changes nothing.

    In: `trust`, whether somebody vouches for them: then a report in a standard form is believed about the address it
    names. Without, only one that carries a mark of ours counts; the others are kept, and change nothing.
    """
    mails = new = known = strange = unmatched = 0
    for message in messages:
        mails += 1
        told = (sound(one, desk.now()) for one in events_of(message, desk.now()))
        events = [one for one in told if isinstance(one, Event) and one.type is not EventType.IGNORED]
        strange += not events
        believed = trust and is_standard(message)
        with desk.store.begin() as tx:
            for event in events:
                strangers = not believed and marked(tx, event, desk)[1] is None
                fresh = obey(tx, BY_MAIL, event, desk, method="mail", named=not believed)
                new, known, unmatched = new + fresh, known + (not fresh), unmatched + strangers
    return Found(mails, new, known, strange, unmatched)


def poll(desk: Desk) -> int:
    """Fetch what lies in the bounce mailbox, and keep it to be read like a webhook; how many mails were new.

    A mail is kept before it is marked, and found again by its content and place: a connection that breaks between the
    two loses none and counts none twice. Without a mailbox nothing happens. Raises: ProviderError.
    """
    if desk.mailbox is None:
        return 0
    name = f"mailbox:{desk.mailbox.name}"
    with desk.store.read() as tx:
        last, fetched = tx.facts.get(name) or "", 0
    for mails, place in desk.mailbox.after(last):
        with desk.store.begin() as tx:
            tx.events.keep([_kept(mail) for mail in mails], desk.now())
            tx.facts.set(name, place)
        fetched += len(mails)
    return fetched


def _kept(message: bytes) -> Raw:
    """A mail as a request that waits to be read: base64, as it may be in any letters."""
    return Raw(BY_MAIL, sha256(message).hexdigest(), {}, b64encode(message).decode())


def split(data: bytes) -> Iterator[bytes]:
    """The mails of an mbox (RFC 4155), or the one mail that it is; of nothing, none."""
    if not data.startswith(b"From "):
        yield from [data] if data.strip() else []
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
            for file in sorted(one for one in path.iterdir() if one.is_file()):
                yield from split(file.read_bytes())
        else:
            yield from split(path.read_bytes())
    except OSError as problem:
        raise FileRefused(
            f"{path} cannot be read: {problem.strerror or type(problem).__name__}.",
            "Give a mail (.eml), an mbox, a folder of mails, or - for a pipe.",
        ) from None
