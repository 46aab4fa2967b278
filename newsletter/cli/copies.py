"""Copies of the database: what `newsletter db` builds before it calls a flow.

In: settings and the publication's folder. The database is opened here as it is, also when no desk could be built on it.
"""

from __future__ import annotations

import os
import sqlite3
import tempfile
from collections.abc import Mapping
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

from newsletter import __version__
from newsletter.app import JOURNAL, SIGNING_FILE, SUPPRESSION_FILE, bare_store, database_url, open_app
from newsletter.core.backup import Manifest
from newsletter.core.vitals import RESTORED, TICKED
from newsletter.errors import ConfigurationError, FileRefused, SchemaError
from newsletter.flows import backup, recover
from newsletter.flows.backup import Keys
from newsletter.flows.recover import Recovered
from newsletter.settings import Settings
from newsletter.store import SqlStore, open_store
from newsletter.store.copying import look_through
from newsletter.store.journal import Journal
from newsletter.store.store import REVISIONS
from newsletter.store.store import bare_store as bare

_SIDES = ("-wal", "-shm")


def keys(found: Settings) -> Keys:
    """The key of backups, as set."""
    return Keys(found.backup.identity.get_secret_value().strip(), found.backup.recipient.strip())


def folder(found: Settings, root: Path) -> Path:
    """Where backups go."""
    return (root / found.backup.folder).resolve()


def back_up(store: SqlStore, found: Settings, root: Path, *, plain: bool) -> tuple[Path, Manifest, int]:
    """Make a backup and take the oldest away. Out: the file, what is in it, how many went.

    Raises: ConfigurationError when it would be in the clear and nobody asked for that.
    """
    chosen = Keys() if plain else keys(found)
    if not plain and chosen == Keys():
        raise ConfigurationError(
            "There is no key to encrypt the backup with.",
            "Make one (newsletter db key) and set it, or use --plain where the disk itself is encrypted.",
        )
    path, manifest = _made(store, folder(found, root), chosen, found, root)
    before = manifest.made_at - timedelta(days=found.publication().retention.backup_days)
    url = database_url(found, root)
    if url.startswith("sqlite:///"):
        backup.forget_asides(Path(url.removeprefix("sqlite:///")), path.parent, before)
    return path, manifest, backup.thin_out(path.parent, before)


def before_upgrade(store: SqlStore, found: Settings, root: Path) -> Path | None:
    """A backup in the clear, beside the database, before its shape changes; None when it does not."""
    if store.revision() in {None, REVISIONS[-1]}:
        return None
    if store.revision() not in REVISIONS:
        store.check()  # newer than the program
    return _made(store, folder(found, root) / backup.BEFORE, Keys(), found, root)[0]


def _made(store: SqlStore, place: Path, chosen: Keys, found: Settings, root: Path) -> tuple[Path, Manifest]:
    journal = root / JOURNAL
    return backup.make(store, place, chosen, _secrets(found, root), journal, now=datetime.now(UTC), version=__version__)


def _secrets(found: Settings, root: Path) -> dict[str, str]:
    """Both keys, from wherever they are."""
    signing = [key.get_secret_value() for key in found.secret_keys]
    suppression = found.suppression_key.get_secret_value()
    held = {
        backup.SECRET: "\n".join(signing) or _text(root / SIGNING_FILE),
        backup.SUPPRESSION: suppression or _text(root / SUPPRESSION_FILE),
    }
    return {name: text for name, text in held.items() if text}


def _text(path: Path) -> str:
    return path.read_text("ascii").strip() if path.exists() else ""


def verify(path: Path, found: Settings, root: Path) -> Manifest:
    """Open a backup, look through its database, and bring it to this version's shape in a scratch copy.

    The database that is here remembers that it was tried. Raises: FileRefused, ConfigurationError, SchemaError.
    """
    with backup.opened(path, keys(found)) as contents:
        _look(contents)
        _rehearse(contents)
        manifest = contents.manifest
    url = database_url(found, root)
    if not url.startswith("sqlite") or Path(url.removeprefix("sqlite:///")).exists():
        with closing(bare_store(found, root)) as store:
            if store.revision() == REVISIONS[-1]:
                with store.begin() as tx:
                    tx.facts.set(RESTORED, datetime.now(UTC).isoformat())
    return manifest


def _look(contents: backup.Contents) -> None:
    revision, counts = look_through(contents.database)
    if revision != contents.manifest.revision or counts != contents.manifest.counts:
        raise FileRefused("The database in this backup is not the one it was made of.", "Choose another backup.")
    if revision not in REVISIONS:
        raise SchemaError(
            f"This backup is of a newer program ({revision}; this version knows up to {REVISIONS[-1]}).",
            "Install the newer program again, then restore; nothing was changed.",
        )


def _rehearse(contents: backup.Contents) -> None:
    """Bring it to this version's shape, as the program would find it."""
    with closing(bare(f"sqlite:///{contents.database}")) as store:
        store.upgrade()
        store.check()


def restore(path: Path, found: Settings, root: Path, *, replace: bool) -> tuple[Manifest, Recovered, str]:
    """Bring a backup back; it is held before it takes its place, so that nothing is ever sent from it by mistake.

    In: `replace` moves the database that is here aside. Out: what came back, what was done to it, where the other one
    is now ("" when there was none). Raises: FileRefused, ConfigurationError, SchemaError.
    """
    with backup.opened(path, keys(found)) as contents:
        _look(contents)
        _rehearse(contents)
        manifest = contents.manifest
        _free(found, root, replace=replace)
        _keys_back(contents, found, root)
        journal = Journal(root / JOURNAL)
        journal.take(Journal(contents.folder / backup.JOURNAL))
        lines = dict.fromkeys(journal.since(manifest.made_at - recover.MARGIN))
        with closing(bare(f"sqlite:///{contents.database}")) as store:
            done = recover.hold(store, manifest.made_at, lines, now=datetime.now(UTC))
        return manifest, done, _put(contents, found, root, replace=replace)


def came_back(root: Path, environ: Mapping[str, str]) -> tuple[datetime, Recovered]:
    """Treat the database that is here as a copy that came back by other means. Out: of when it is, what was done.

    Raises: ConfigurationError when it was never in use: there is nothing in it that tells of when it is.
    """
    with open_app(root, environ) as app:
        with app.store.read() as tx:
            last = tx.facts.get(TICKED)
        if last is None:
            raise ConfigurationError("This database was never in use.", "Name a backup: newsletter db restore FILE")
        made_at = datetime.fromisoformat(last)
        lines = dict.fromkeys(Journal(root / JOURNAL).since(made_at - recover.MARGIN))
        return made_at, recover.hold(app.store, made_at, lines, now=app.desk.now())


def _keys_back(contents: backup.Contents, found: Settings, root: Path) -> None:
    """Put the keys back where none are. Raises: ConfigurationError for others: the copy is of no use with them."""
    there = _secrets(found, root)
    for name, place in ((backup.SUPPRESSION, SUPPRESSION_FILE), (backup.SECRET, SIGNING_FILE)):
        kept = _text(contents.folder / name)
        if name == backup.SUPPRESSION and there.get(name, kept) != kept:
            raise ConfigurationError(
                "The suppression key that is set here is not the one of this backup.",
                "Unset NEWSLETTER_SUPPRESSION_KEY (and move var/suppression.key aside): the backup holds its own.",
            )
        if kept and name not in there:
            target = root / place
            target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            target.touch(mode=0o600)
            target.write_text(kept + "\n", "ascii")


def _free(found: Settings, root: Path, *, replace: bool) -> None:
    """Whether there is a place for it; nothing is moved yet. Raises: ConfigurationError."""
    url = database_url(found, root)
    place = Path(url.removeprefix("sqlite:///"))
    if url.startswith("sqlite:///"):
        if place.exists():
            _may_move(place, replace=replace)
        return
    with closing(bare(url)) as store:
        if store.revision() is not None and not replace:
            raise ConfigurationError(
                "There is a database of ours already.", "To move its tables aside and take the backup's: --replace"
            )


def _put(contents: backup.Contents, found: Settings, root: Path, *, replace: bool) -> str:
    url = database_url(found, root)
    if not url.startswith("sqlite:///"):
        return _fill(contents, url, replace=replace)
    place = Path(url.removeprefix("sqlite:///"))
    place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    coming = place.with_name(f".{place.name}.coming")
    _copy(contents.database, coming)
    aside = _aside(place) if place.exists() else None
    coming.replace(place)
    return str(aside or "")


def _copy(source: Path, target: Path) -> None:
    """Copy, on the disk when this returns; a rename from another disk would not be one."""
    target.unlink(missing_ok=True)
    target.touch(mode=0o600)
    with closing(sqlite3.connect(source)) as one, closing(sqlite3.connect(target)) as other:
        one.backup(other)
    with target.open("rb") as file:
        os.fsync(file.fileno())


def _may_move(place: Path, *, replace: bool) -> None:
    """Raises: ConfigurationError when nobody said so, or somebody has it open."""
    if not replace:
        raise ConfigurationError(
            f"There is a database at {place} already.",
            "To move it aside and take the backup in its place: --replace",
        )
    with closing(sqlite3.connect(place, timeout=0)) as file:
        try:
            file.execute("PRAGMA locking_mode=EXCLUSIVE")
            file.execute("BEGIN EXCLUSIVE")
            file.execute("ROLLBACK")
        except sqlite3.OperationalError:
            raise ConfigurationError(
                "The database that is here is in use.", "Stop `serve`, `worker` and Litestream, then run it again."
            ) from None
        except sqlite3.DatabaseError:  # damaged: that is why a backup comes back
            pass


def _aside(place: Path) -> Path:
    aside = place.with_name(f"{place.name}.before-{datetime.now(UTC):{backup.MOMENT}}")
    place.replace(aside)
    for side in _SIDES:
        beside = place.with_name(place.name + side)
        if beside.exists():
            beside.replace(aside.with_name(aside.name + side))
    return aside


def _fill(contents: backup.Contents, url: str, *, replace: bool) -> str:
    aside = ""
    with closing(bare(url)) as store:
        if store.revision() is not None and replace:
            aside = f"before_{datetime.now(UTC):{backup.MOMENT}}".lower()
            store.move_aside(aside)
    with closing(_empty(url)) as store:
        if store.fill(contents.database) != look_through(contents.database)[1]:
            raise FileRefused("Not every row came back.", "Empty the database, and try again.")
    return f"the schema {aside}" if aside else ""


def _empty(url: str) -> SqlStore:
    """A database with our tables and no row. Raises: ConfigurationError for any other."""
    store = bare(url)
    try:
        if store.revision() is not None:
            raise ConfigurationError(
                "That database is not empty.", "Name an empty one: what is in it is not written over."
            )
    finally:
        store.close()
    return open_store(url)


def copy(store: SqlStore, to: str, root: Path) -> Mapping[str, int]:
    """Copy everything into an empty database; how many rows by table. Raises: ConfigurationError, FileRefused."""
    prefix = "sqlite:///"
    if to.startswith(prefix) and not to.startswith(prefix + "/"):
        to = prefix + str((root / to.removeprefix(prefix)).resolve())
    with closing(_empty(to)) as other, tempfile.TemporaryDirectory() as room:
        path = Path(room) / backup.DATABASE
        _, counts = store.snapshot(path)
        there = other.fill(path)
    if there != counts:
        raise FileRefused("Not every row arrived.", "Empty that database, and try again.")
    return there
