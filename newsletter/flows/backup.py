"""Backups: the database at a moment with its keys in one file, encrypted, and looked through before it counts.

    newsletter-<moment>.age     age (age-encryption.org/v1) around a tar of the four files below, compressed
    manifest.json               when, what program, which shape, how many rows
    newsletter.db               a SQLite file, whatever the database is
    suppression.key, secret.key the keys without which it is of no use
    leavers.journal             who left, as it was written down beside the database

In: the desk, the keys, a folder. Out: the file. Touches that folder, and the fact that says when the last was made.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import re
import shutil
import tarfile
import tempfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyrage

from newsletter.core.backup import Manifest
from newsletter.core.schedule import iso
from newsletter.core.vitals import BACKED_UP
from newsletter.errors import ConfigurationError, FileRefused
from newsletter.ports import Store

DATABASE, JOURNAL, SUPPRESSION, SECRET = "newsletter.db", "leavers.journal", "suppression.key", "secret.key"
_MANIFEST = "manifest.json"
_NAMES = frozenset({DATABASE, JOURNAL, SUPPRESSION, SECRET, _MANIFEST})
_ENDS = (".age", ".tar.gz")
MOMENT = "%Y%m%dT%H%M%SZ"
_TIMED = re.compile(r"\d{8}T\d{6}Z")
BEFORE = "before-upgrade"
"""Where the copies lie that an upgrade makes."""
_ROOM, _LONG = ".backup-", timedelta(hours=1)  # where one is made, and how long that takes at most
_LEVEL = 3  # of compression: most of the gain at a third of the time


@dataclass(frozen=True)
class Keys:
    """How backups are closed and opened. `identity` opens what `recipient` closes; both "" = in the clear."""

    identity: str = field(default="", repr=False)  # AGE-SECRET-KEY-1...
    recipient: str = ""  # age1...

    @property
    def closes(self) -> pyrage.x25519.Recipient | None:
        """What a backup is encrypted for. Raises: ConfigurationError."""
        try:
            if self.recipient:
                return pyrage.x25519.Recipient.from_str(self.recipient)
            return self._opens.to_public() if self.identity else None
        except (pyrage.RecipientError, pyrage.IdentityError):
            raise _unreadable() from None

    @property
    def _opens(self) -> pyrage.x25519.Identity:
        try:
            return pyrage.x25519.Identity.from_str(self.identity)
        except pyrage.IdentityError:
            raise _unreadable() from None

    def open(self, source: Path, target: Path) -> None:
        """Decrypt a file. Raises: ConfigurationError without the key for it; FileRefused."""
        if not self.identity:
            raise ConfigurationError(
                "This backup is encrypted, and the key for it is not here.",
                "Set NEWSLETTER_BACKUP__IDENTITY to the AGE-SECRET-KEY-1… it was made with.",
            )
        try:
            pyrage.decrypt_file(str(source), str(target), [self._opens])
        except pyrage.DecryptError:
            raise FileRefused(
                f"{source.name} cannot be decrypted: it is damaged, or was made with another key.",
                "Try the key that was set when it was made, or another backup.",
            ) from None


def _unreadable() -> ConfigurationError:
    return ConfigurationError(
        "The key of backups cannot be read.",
        "NEWSLETTER_BACKUP__IDENTITY is AGE-SECRET-KEY-1…, NEWSLETTER_BACKUP__RECIPIENT is age1… (newsletter db key).",
    )


def new_keys() -> Keys:
    """A pair of them."""
    identity = pyrage.x25519.Identity.generate()
    return Keys(str(identity), str(identity.to_public()))


@dataclass(frozen=True)
class Contents:
    """A backup that was opened: its files in a folder that is about to go."""

    manifest: Manifest
    folder: Path

    @property
    def database(self) -> Path:
        """The SQLite file."""
        return self.folder / DATABASE


def make(
    store: Store, folder: Path, keys: Keys, secrets: Mapping[str, str], journal: Path, *, now: datetime, version: str
) -> tuple[Path, Manifest]:
    """Make a backup, look through it as it lies on the disk, and only then give it its name.

    In: `secrets`, the two keys by their names in the backup. Out: the file, what is in it. Raises: StoreBusy,
    FileRefused when the copy is not whole, ConfigurationError.
    """
    closes = keys.closes
    _folder(folder)
    _sweep(folder, now)
    name = f"newsletter-{now:{MOMENT}}{_ENDS[0] if closes else _ENDS[1]}"
    with _room(folder) as room:
        revision, counts = store.snapshot(room / DATABASE)
        manifest = Manifest(now, version, revision, store.kind, counts)
        _put(room / _MANIFEST, json.dumps({**asdict(manifest), "made_at": iso(now)}, indent=1))
        for key, secret in secrets.items():
            _put(room / key, secret + "\n")
        if journal.exists():
            shutil.copyfile(journal, room / JOURNAL)
        packed = room / "packed"
        _pack(room, packed)
        made = room / name
        if closes is not None:
            pyrage.encrypt_file(str(packed), str(made), [closes])
        else:
            packed.rename(made)
        made.chmod(0o600)
        if closes is None or keys.identity:
            _look(made, keys, room, counts)
        _sync(made)
        made.rename(folder / name)
    with store.begin() as tx:
        tx.facts.set(BACKED_UP, now.isoformat())
    return folder / name, manifest


def _look(made: Path, keys: Keys, room: Path, counts: Mapping[str, int]) -> None:
    with opened(made, keys, room) as contents:
        if contents.manifest.counts != counts or _sum(contents.database) != _sum(room / DATABASE):
            raise FileRefused("The backup is not what was copied.", "See that the disk is well, and make another.")


@contextmanager
def opened(path: Path, keys: Keys, beside: Path | None = None) -> Iterator[Contents]:
    """Open a backup and look through its database.

    In: `beside`, where its files may lie meanwhile (the system's temporary folder otherwise). Raises: FileRefused for
    one that is damaged, or none; ConfigurationError without the key for it.
    """
    if not path.is_file():
        raise FileRefused(f"There is no file {path}.", "Name one that `newsletter db backup` made.")
    with _room(beside) as room:
        packed = path
        if path.suffix == _ENDS[0]:
            packed = room / "packed"
            keys.open(path, packed)
        _unpack(packed, room)
        manifest = _manifest(room / _MANIFEST)
        yield Contents(manifest, room)


def kept(folder: Path) -> list[Path]:
    """The backups in a folder, oldest first."""
    return sorted(path for path in folder.glob("newsletter-*Z.*") if path.name.endswith(_ENDS))


def _sweep(folder: Path, now: datetime) -> None:
    """Take away what a backup left behind that was killed: it holds the list, and the keys, in the clear."""
    for room in folder.glob(f"{_ROOM}*"):
        if datetime.fromtimestamp(room.stat().st_mtime, UTC) < now - _LONG:
            shutil.rmtree(room, ignore_errors=True)


def thin_out(folder: Path, before: datetime) -> int:
    """Take away those made before a moment, but never the newest; how many went."""
    return _older(kept(folder)[:-1], before)


def forget_asides(database: Path, folder: Path, before: datetime) -> int:
    """Take away databases that were moved aside, and copies from before upgrades, made before a moment."""
    asides = database.parent.glob(f"{database.name}.before-*Z*")
    return _older([*asides, *kept(folder / BEFORE)], before)


def _older(paths: Sequence[Path], before: datetime) -> int:
    """Take away those whose name tells an earlier moment; how many."""
    old = [path for path in paths if (made := _TIMED.search(path.name)) and made[0] < f"{before:{MOMENT}}"]
    for path in old:
        path.unlink()
    return len(old)


# --- the file ----------------------------------------------------------------------------------------------------


def _pack(room: Path, packed: Path) -> None:
    with tarfile.open(packed, "w:gz", compresslevel=_LEVEL) as tar:
        for name in sorted(_NAMES):
            if (room / name).exists():
                tar.add(room / name, name, recursive=False)


def _unpack(packed: Path, room: Path) -> None:
    try:
        with tarfile.open(packed, "r:gz") as tar:
            for member in tar:
                if member.name not in _NAMES or not member.isreg():
                    raise FileRefused("There is something in this file that is not ours.", "Choose another backup.")
                tar.extract(member, room, filter="data")
    except (tarfile.TarError, EOFError, zlib.error, gzip.BadGzipFile):
        raise FileRefused(f"{packed.name} is damaged, or no backup of ours.", "Choose another.") from None


def _manifest(path: Path) -> Manifest:
    try:
        found = json.loads(path.read_text("utf-8"))
        return Manifest(**{**found, "made_at": datetime.fromisoformat(found["made_at"])})
    except (OSError, ValueError, TypeError, KeyError):
        raise FileRefused("This is no backup of ours.", "Choose a file that `newsletter db backup` made.") from None


@contextmanager
def _room(beside: Path | None) -> Iterator[Path]:
    """A folder for the time being, for nobody else's eyes; beside its place, so that a rename is enough."""
    room = Path(tempfile.mkdtemp(prefix=_ROOM, dir=beside))
    try:
        yield room
    finally:
        shutil.rmtree(room, ignore_errors=True)


def _folder(folder: Path) -> None:
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as problem:
        raise ConfigurationError(
            f"{folder} cannot be made: {problem.strerror}.", "Choose another (NEWSLETTER_BACKUP__FOLDER)."
        ) from None


def _put(path: Path, text: str) -> None:
    path.touch(mode=0o600)
    path.write_text(text, "utf-8")


def _sync(path: Path) -> None:
    with path.open("rb") as file:
        os.fsync(file.fileno())


def _sum(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
