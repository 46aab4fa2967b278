"""The one place where things are built: a folder and an environment become a `Desk`.

In: the publication's folder, an environment. Out: settings, and what the flows work with.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import shutil
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any, Self

from newsletter import providers
from newsletter import settings as settings_
from newsletter.core import address
from newsletter.core.links import Links
from newsletter.core.redact import redacted
from newsletter.core.schedule import iso
from newsletter.errors import AddressRefused, ConfigurationError, NewsletterError, NotApproved, NothingToDo
from newsletter.flows.desk import Desk, Room
from newsletter.flows.doctor.setup import Setup, Webhook
from newsletter.ports import Mailbox, Provider, Reports, Workflows
from newsletter.settings import Settings
from newsletter.store import SqlStore, open_store
from newsletter.store import store as store_
from newsletter.store.journal import Journal

_FINGERPRINT = "suppression_key"
_LOST = "suppression_keys_lost"
"""A list in JSON: each time a key was given up, when and why."""
_KEY_BYTES = 32
_KEYS_KEPT = 4
SIGNING_FILE = "var/secret.key"
SUPPRESSION_FILE = "var/suppression.key"
JOURNAL = "var/leavers.journal"
"""Beside the database, wherever that is: who left, for the day a copy comes back."""


@dataclass(frozen=True)
class App:
    """A publication, opened. Closes its store at the end of a `with` block."""

    settings: Settings
    desk: Desk
    store: SqlStore

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for provider in (self.desk.provider, self.desk.transactional):
            close = getattr(provider, "close", None)  # those that keep connections have one
            if close is not None:
                close()
        self.store.close()


def open_app(root: Path, environ: Mapping[str, str], *, provider: str = "", listed: bool = False) -> App:
    """Build everything for a publication.

    In: `provider` overrides the setting; `listed`, whether the list is needed: where another machine has it
    (`server.url`), nothing is opened. Raises: SettingsError, SchemaError, ConfigurationError.
    """
    found = settings_.load(root, environ)
    if listed and found.server.url:
        raise ConfigurationError(
            "The list is not here: this machine asks a server to send (NEWSLETTER_SERVER__URL). Nothing was done.",
            "Run this on the server. From here: newsletter plan, send, status, pause ISSUE, resume ISSUE, cancel.",
        )
    store = open_store(database_url(found, root), threads=found.send.threads, journal=Journal(root / JOURNAL))
    try:
        return App(found, make_desk(found, root, store, provider=provider), store)
    except BaseException:
        store.close()
        raise


def bare_store(found: Settings, root: Path) -> SqlStore:
    """The database as it is, without a desk on it. Raises: ConfigurationError."""
    return store_.bare_store(database_url(found, root))


def make_room(found: Settings, root: Path) -> Room:
    """Where issues are rendered that another machine sends. It makes no links that need a key."""
    return Room(root, found.publication(), Links(found.base_url.rstrip("/"), ()))


def make_desk(found: Settings, root: Path, store: SqlStore, *, provider: str = "") -> Desk:
    """The desk of a publication on a store that is open."""
    chosen = make_provider(provider or found.provider, found, root)
    other = found.transactional.provider
    suppression_key = _suppression_key(found, root, store)
    return Desk(
        root=root,
        publication=found.publication(),
        store=store,
        provider=chosen,
        transactional=make_transactional(other or chosen.name, found, root, chosen),
        links=Links(found.base_url.rstrip("/"), _secret_keys(found, root)),
        suppression_key=suppression_key,
        now=lambda: datetime.now(UTC),
        entropy=secrets.token_bytes,
        pace=found.send.pace(),
        reports=make_reports(found, root),
        mailbox=make_mailbox(found, root),
        workflows=make_workflows(found),
        owner=found.owner.email,
        notes=settings_.not_yet(found),
        free=lambda: _free(_places(found, root, chosen)),
    )


def _places(found: Settings, root: Path, provider: Provider) -> list[Path]:
    """Where a campaign takes room on this machine: the database's folder, and the provider's own."""
    url = database_url(found, root)
    places = [Path(url.removeprefix("sqlite:///")).parent] if url.startswith("sqlite:///") else []
    own = getattr(provider, "path", None)
    return [*places, own] if isinstance(own, Path) else places


def _free(places: Sequence[Path]) -> int | None:
    """Bytes free on the fullest of some disks; None when there is none to look at."""
    there = [next((one for one in (place, *place.parents) if one.is_dir()), None) for place in places]
    return min((shutil.disk_usage(one).free for one in there if one), default=None)


def database_url(found: Settings, root: Path) -> str:
    """The database's address; a relative SQLite path is from the publication's folder.

    Raises: ConfigurationError for one in memory: each command would begin with an empty one, and mail everybody anew.
    """
    url = found.database_url.get_secret_value()
    prefix = "sqlite:///"
    if url.startswith("sqlite") and url.removeprefix(prefix) in {"sqlite:", "sqlite://", "", ":memory:"}:
        raise ConfigurationError(
            "The database has no file, so it would forget what was sent.",
            "Use sqlite:///var/newsletter.db or postgresql://user@host/name (NEWSLETTER_DATABASE_URL).",
        )
    if url.startswith(prefix) and not url.startswith(prefix + "/"):
        return prefix + str((root / url.removeprefix(prefix)).resolve())
    return url


def make_provider(name: str, found: Settings, root: Path) -> Provider:
    """A provider by its name. Raises: ConfigurationError for a name there is none of, or that does not load."""
    built: Provider = _module(name).build(getattr(found, name), root)
    return built


def make_transactional(name: str, found: Settings, root: Path, letters: Provider) -> Provider:
    """The provider of the front door's mail: that of letters, unless it is another, or keeps the two apart.

    The module of one that does has `build_transactional(section, root)`.
    """
    build = getattr(_module(name), "build_transactional", None)
    if build is None:
        return letters if name == letters.name else make_provider(name, found, root)
    built: Provider = build(getattr(found, name), root)
    return built


def _module(name: str) -> Any:
    if name not in providers.installed():
        known = ", ".join(providers.installed())
        raise ConfigurationError(f'There is no provider "{name}".', f"Choose one of: {known}.")
    try:
        return providers.load(name)
    except Exception as problem:  # noqa: BLE001 - it may be anybody's code
        raise ConfigurationError(
            f'The provider "{name}" cannot be loaded ({type(problem).__name__}: {problem}).',
            f"It is of the package {providers.installed()[name].value}.",
        ) from None


def make_reports(found: Settings, root: Path) -> dict[str, Reports]:
    """Who may tell us by webhook: every provider whose secret for it is set.

    Raises: ConfigurationError for a secret that cannot be one: what the provider tells would be lost, and nobody knew.
    """
    made = {}
    for name in providers.installed():
        maker = None
        with contextlib.suppress(Exception):  # one that does not load is told when it is chosen
            maker = getattr(providers.load(name), "reports", None)
        reads = _reads(name, maker, found, root) if maker else None
        if reads is not None:
            made[name] = reads
    return made


def _reads(name: str, maker: Callable[[Any, Path], Reports | None], found: Settings, root: Path) -> Reports | None:
    try:
        return maker(getattr(found, name), root)
    except NewsletterError:  # an adapter's own words name the setting
        raise
    except Exception as problem:  # noqa: BLE001 - it may be anybody's code
        raise ConfigurationError(
            f"What {name} needs to read its webhooks cannot be used ({type(problem).__name__}).",
            f"Correct its webhook settings (NEWSLETTER_{name.upper()}__...): see docs/providers.md.",
        ) from None


def make_mailbox(found: Settings, root: Path) -> Mailbox | None:
    """The mailbox of bounces; None when none is named. Raises: ConfigurationError when something of it is missing."""
    box = found.bounces
    if not box.imap_host:
        return None
    if not box.imap_user or not box.imap_password.get_secret_value():
        raise ConfigurationError(
            "The bounce mailbox needs a user and a password.",
            "Set NEWSLETTER_BOUNCES__IMAP_USER and NEWSLETTER_BOUNCES__IMAP_PASSWORD.",
        )
    import ssl  # noqa: PLC0415 -- for those who have one

    from newsletter.providers.imap import Imap  # noqa: PLC0415

    try:
        context = ssl.create_default_context()
        if box.imap_certificate:
            context.load_verify_locations(root / box.imap_certificate)
    except (OSError, ssl.SSLError):
        raise ConfigurationError(
            f"{box.imap_certificate} is no certificate.", "Correct NEWSLETTER_BOUNCES__IMAP_CERTIFICATE (PEM)."
        ) from None
    password = box.imap_password.get_secret_value()
    return Imap(box.imap_host, box.imap_user, password, port=box.imap_port, folder=box.imap_folder, context=context)


def setup(found: Settings, root: Path, desk: Desk) -> Setup:
    """What doctor may know of the settings."""
    secret = found.suppression_key.get_secret_value()
    return Setup(
        root=root,
        publication=desk.publication,
        base_url=found.base_url,
        provider=desk.provider.name,
        network=desk.provider.capabilities.network,
        owner=bool(found.owner.email),
        key_lengths=tuple(len(key.get_secret_value()) for key in found.secret_keys),
        suppression_length=len(secret) if secret else None,
        webhooks=_webhooks(found, root, desk),
    )


def _webhooks(found: Settings, root: Path, desk: Desk) -> dict[str, Webhook]:
    """Whose webhooks are set up: of the providers in use, and of those with a secret."""
    used = {desk.provider.name, desk.transactional.name}
    states: dict[str, Webhook] = {}
    for name in providers.installed():
        try:
            maker = getattr(providers.load(name), "reports", None)
            if maker is not None and (maker(getattr(found, name), root) is not None or name in used):
                states[name] = "set" if name in desk.reports else "unset"
        except Exception:  # noqa: BLE001 -- whatever the adapter says of it: it cannot be read
            states[name] = "broken"
    return states


def make_workflows(found: Settings) -> Workflows | None:
    """Who judges the tokens of workflows; None when none is trusted."""
    oidc = found.oidc
    if not oidc.repository_id:
        return None
    from newsletter.flows import oidc as flow  # noqa: PLC0415 -- with its cryptography, for those who use it

    trust = flow.Trust(**{**oidc.model_dump(), "audience": oidc.audience or found.base_url.rstrip("/")})
    return flow.Workflows(trust)


def _secret_keys(found: Settings, root: Path) -> tuple[str, ...]:
    given = tuple(key.get_secret_value() for key in found.secret_keys)
    return given or tuple(_made_once(root / SIGNING_FILE, "NEWSLETTER_SECRET_KEYS", found.base_url).splitlines())


def rotate_secret(found: Settings, root: Path) -> str | None:
    """Put a new key in front of those that sign our links; the others still read what they signed.

    Out: the key, where it is not ours to keep (NEWSLETTER_SECRET_KEYS is set); None where `var/secret.key` holds it.
    Touches that file.
    """
    new = secrets.token_urlsafe(_KEY_BYTES)
    if found.secret_keys:
        return new
    path = root / SIGNING_FILE
    known = path.read_text("ascii").split()[: _KEYS_KEPT - 1] if path.exists() else []
    _write(path, "\n".join([new, *known]), lambda made: made.replace(path))
    return None


@dataclass(frozen=True)
class Forsaken:
    """What giving a lost key up led to: how many people are known under the new one, how many leavers no longer."""

    known: int
    nobodys: int


def forsake_suppression_key(root: Path, environ: Mapping[str, str], *, why: str) -> Forsaken:
    """Go on with another suppression key, as the one of this database is lost.

    In: why, which is kept with the moment. Everybody whose address is in the database is known under the new key (the
    one that is set, else one made now); who left and was forgotten is not, so all sending is paused. In one
    transaction.
    Raises: NotApproved while the key is there; NothingToDo for a database that never had one; SettingsError.
    """
    found = settings_.load(root, environ)
    given, file = found.suppression_key.get_secret_value(), root / SUPPRESSION_FILE
    with contextlib.closing(open_store(database_url(found, root), journal=Journal(root / JOURNAL))) as store:
        with store.read() as tx:
            known = tx.facts.get(_FINGERPRINT)
        if known is None:
            raise NothingToDo("This database was never in use, so no key of it can be lost.")
        key = (given or _made_once(file, "NEWSLETTER_SUPPRESSION_KEY", found.base_url)).encode()
        if known == _fingerprint(key):
            raise NotApproved("The suppression key is here, so it is not lost.", "Nothing was changed.")
        with store.begin() as tx:
            people, nobodys = tx.recovery.rekey(lambda email: _under(key, email))
            tx.facts.set(_FINGERPRINT, _fingerprint(key))
            now = datetime.now(UTC)
            entry = {"at": iso(now), "why": redacted(why), "known": people, "nobodys": nobodys}
            tx.facts.set(_LOST, json.dumps([*json.loads(tx.facts.get(_LOST) or "[]"), entry]))
            tx.campaigns.pause_all(now)
    return Forsaken(people, nobodys)


def _under(key: bytes, email: str) -> str | None:
    try:
        return address.fingerprint(address.parse(email), key)
    except AddressRefused:
        return None


def _fingerprint(key: bytes) -> str:
    return sha256(b"newsletter.suppression:" + key).hexdigest()


def _suppression_key(found: Settings, root: Path, store: SqlStore) -> bytes:
    """The key of addresses that left, compared with the fingerprint in the database.

    Raises: ConfigurationError when it is another key, or gone: every suppression would be lost to us.
    """
    with store.read() as tx:
        known = tx.facts.get(_FINGERPRINT)
    given = found.suppression_key.get_secret_value()
    file = root / SUPPRESSION_FILE
    if known is not None and not given and not file.exists():
        raise ConfigurationError(
            "The suppression key of this database is not here, so nobody who left would be known.",
            "Set NEWSLETTER_SUPPRESSION_KEY to it, or put var/suppression.key back (both are part of every backup). "
            "Lost for good: docs/runbook/lost-key.md.",
        )
    key = (given or _made_once(file, "NEWSLETTER_SUPPRESSION_KEY", found.base_url)).encode()
    fingerprint = _fingerprint(key)
    if known is None:
        with store.begin() as tx:
            known = tx.facts.get(_FINGERPRINT)
            if known is None:
                tx.facts.set(_FINGERPRINT, fingerprint)
    if known not in {None, fingerprint}:
        raise ConfigurationError(
            "The suppression key is not the one this database was made with, so nobody who left would be known.",
            "Set NEWSLETTER_SUPPRESSION_KEY to the first key again (it is part of every backup).",
        )
    return key


def _made_once(path: Path, variable: str, base_url: str) -> str:
    """A key for development, made at the first start and kept; of several first starts, one makes it.

    Raises: ConfigurationError when the file is there and holds no key.
    """
    if not path.exists():
        _make(path, secrets.token_urlsafe(_KEY_BYTES))
        where = "" if "://localhost" in base_url or "://127.0.0.1" in base_url else " Keep it with every backup."
        sys.stderr.write(f"note: made {path.name} once for this folder; set {variable} in production.{where}\n")
    key = path.read_text("ascii").strip()
    if not key:
        raise ConfigurationError(f"{path} holds no key.", f"Put it back from a backup, or set {variable}.")
    return key


def _make(path: Path, key: str) -> None:
    """Write a whole file or none; whoever comes second leaves the first one's."""

    def place(made: Path) -> None:
        with contextlib.suppress(FileExistsError):
            os.link(made, path)

    _write(path, key, place)


def _write(path: Path, text: str, place: Callable[[Path], object]) -> None:
    """Write a file for its owner's eyes beside its place, safely, then put it there."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=path.name)
    try:
        with os.fdopen(handle, "w", encoding="ascii") as file:
            file.write(text + "\n")
            file.flush()
            os.fsync(file.fileno())
        place(Path(name))
    finally:
        Path(name).unlink(missing_ok=True)
