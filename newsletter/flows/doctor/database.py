"""Doctor's look at the database: is it whole, is it kept, and does the work in it go on?

In: the store, the time, free room. Out: findings.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from newsletter.core.vitals import BACKED_UP, CAME_BACK, RESTORED, TICKED, Shape, Vitals
from newsletter.flows.doctor.finding import Family, Finding, Kind
from newsletter.ports import Store

DATABASE = Family(
    "database",
    {
        "closed": Kind("error", "Without it nothing is sent, and nobody is let in or out."),
        "damaged": Kind("error", "Damage spreads to every backup that is made from now on."),
        "journal": Kind("warning", "Without WAL whoever reads keeps out whoever signs up."),
        "room": Kind("error", "A full disk stops signups and campaigns in the middle."),
        "backup-missing": Kind("warning", "A disk that dies takes the list, and who left it, with it."),
        "backup-old": Kind("warning", "All since then is lost with the disk, also who left."),
        "restore-untried": Kind("note", "A backup nobody has restored is a hope."),
        "restored": Kind("error", "Nothing is sent until somebody has looked at what was forgotten."),
        "paused": Kind("warning", "No campaign goes out while it is so."),
        "uncertain": Kind("warning", "Nobody knows whether these readers have the letter, and only you can decide."),
        "stopped": Kind("warning", "The rest of its readers are waiting."),
        "queue-late": Kind("error", "Visitors wait for a confirmation or a workbook that does not come."),
        "queue-failed": Kind("note", "Somebody asked for something and did not get it."),
        "events-late": Kind("warning", "Bounces and complaints are kept, but nobody acts on them."),
        "no-tick": Kind("error", "Nothing that is due is done: no confirmations, no reminders, no retention."),
    },
)

_ROOM = 500_000_000
_BACKUP, _RESTORE = timedelta(hours=26), timedelta(days=100)
_LATE, _NO_TICK = timedelta(minutes=15), timedelta(minutes=15)


def look(store: Store, now: datetime, *, free: int | None, public: bool) -> list[Finding]:
    """Every fault of the database, each once. In: bytes free; whether readers are meant to reach it."""
    shape = store.shape()
    found = [*_shape(shape, free)]
    with store.read() as tx:
        signs = tx.vital.signs(now)
        facts = {name: tx.facts.get(name) for name in (TICKED, BACKED_UP, RESTORED, CAME_BACK)}
        paused = tx.campaigns.paused_all()
    times = {name: datetime.fromisoformat(text) if text else None for name, text in facts.items()}
    found += _work(signs, now, paused=paused, restored=times[CAME_BACK])
    if public:
        found += _kept(times[BACKED_UP], times[RESTORED], now)
        found += _ticking(times[TICKED], now)
    return found


def _shape(shape: Shape, free: int | None) -> Iterator[Finding]:
    if shape.damage:
        fix = "Stop the web side, and restore a backup: newsletter db restore FILE --verify"
        yield DATABASE.found("damaged", f"The database is damaged: {shape.damage.splitlines()[0]}.", fix)
    if shape.kind == "sqlite" and shape.journal.lower() != "wal":
        fix = "Keep it on a local disk: WAL does not work on network drives."
        yield DATABASE.found("journal", f"The database's journal is {shape.journal}.", fix)
    need = max(_ROOM, 2 * shape.bytes if shape.kind == "sqlite" else 0)
    if free is not None and free < need:
        said = (
            f"{free / 1e6:,.0f} MB are free; {need / 1e6:,.0f} are wanted, for a copy of the database and a campaign."
        )
        yield DATABASE.found("room", said, "Make room, or move the database to a larger disk.")


def _work(signs: Vitals, now: datetime, *, paused: bool = False, restored: datetime | None = None) -> Iterator[Finding]:
    if restored:
        said = f"The database is a copy of {restored:%Y-%m-%d %H:%M} UTC that nobody has accepted yet."
        yield DATABASE.found("restored", said, "See docs/backups.md, then: newsletter db restore --accept")
    elif paused:
        yield DATABASE.found("paused", "All sending is paused.", "When the reason is gone: newsletter resume --all")
    for key, readers in signs.uncertain.items():
        fix = f"Ask the provider, then decide: newsletter resolve {key}"
        yield DATABASE.found("uncertain", f"{key}: the answer for {readers:,} readers was lost.", fix)
    for key in signs.still:
        said = f"{key} was begun, and nobody is sending it."
        yield DATABASE.found("stopped", said, f"Let it go on: newsletter send {key} --yes (who has it gets no second).")
    if signs.queue_since is not None and now - signs.queue_since > _LATE:
        waits = (now - signs.queue_since).total_seconds() / 60
        said = f"Mail of the front door has been waiting for {waits:.0f} minutes."
        fix = "See that `newsletter serve` (or `worker`) runs, and what its log says of the provider."
        yield DATABASE.found("queue-late", said, fix)
    if failed := signs.queue.get("failed", 0):
        said = f"{failed:,} {'mail' if failed == 1 else 'mails'} of the front door could not be sent."
        yield DATABASE.found("queue-failed", said, "See newsletter events for the reasons the provider gave.")
    if signs.webhooks_since is not None and now - signs.webhooks_since > _LATE:
        said = f"{signs.webhooks_unread:,} requests of providers wait to be read."
        yield DATABASE.found("events-late", said, "See that `newsletter serve` (or `worker`) runs.")


def _kept(backup: datetime | None, restore: datetime | None, now: datetime) -> Iterator[Finding]:
    if backup is None:
        fix = "newsletter db backup, every day (docs/backups.md)."
        yield DATABASE.found("backup-missing", "No backup was ever made.", fix)
        return
    if now - backup > _BACKUP:
        said = f"The last backup is of {backup:%Y-%m-%d %H:%M}."
        yield DATABASE.found("backup-old", said, "See why the daily one does not run: newsletter db backup")
    if restore is None or now - restore > _RESTORE:
        said = "No backup was tried for a long time." if restore else "No backup was ever tried."
        yield DATABASE.found("restore-untried", said, "newsletter db restore FILE --verify (it changes nothing)")


def _ticking(last: datetime | None, now: datetime) -> Iterator[Finding]:
    if last is None or now - last > _NO_TICK:
        said = f"The last tick was at {last:%Y-%m-%d %H:%M} UTC." if last else "There was never a tick."
        yield DATABASE.found("no-tick", said, "Run `newsletter serve` all the time (deploy/), or `newsletter tick`.")
