"""`doctor`: looks at everything there is to look at, and says what is wrong.

In: the set-up, and ways to ask the world. Out: findings, the worst first. Changes nothing but the fact that a
doctor's link was answered.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from urllib.parse import urlsplit

from newsletter.core.delivery import Signing, on_this_machine
from newsletter.core.links import Purpose
from newsletter.core.publication import Sender
from newsletter.flows import leave, owner
from newsletter.flows.desk import Desk
from newsletter.flows.doctor import account, ci, database, names, setup, site
from newsletter.flows.doctor.finding import Family, Finding
from newsletter.flows.doctor.setup import Setup
from newsletter.flows.doctor.zone import Resolver

FAMILIES: tuple[Family, ...] = (setup.CONFIG, database.DATABASE, account.PROVIDER, names.DNS, site.WEB, ci.CI)
LEVELS = ("error", "warning", "note")


@dataclass(frozen=True)
class World:
    """What lies outside: the zone and the web. None of it when doctor works offline."""

    zone: Resolver
    site: site.Site


def look(
    here: Setup, desk: Desk, world: World | None, *, only: Sequence[str] = (), selectors: Sequence[str] = ()
) -> list[Finding]:
    """Everything that is wrong, the worst first.

    In: `only` these families; `selectors` of the DKIM key, over what the provider says.
    """
    found = [
        finding
        for name, findings in _families(here, desk, world, tuple(selectors))
        if not only or name in only
        for finding in findings
    ]
    return sorted(found, key=lambda one: LEVELS.index(one.level))


def tell(desk: Desk, findings: Sequence[Finding]) -> bool:
    """Let the owner be told of errors and warnings by mail, the same at most once a day; whether there was anything."""
    said = "\n".join(f"{one.what} {one.fix}" for one in findings if one.level != "note")
    if not said:
        return False
    now = desk.now()
    key = hashlib.sha256(f"doctor {now.date()} {said}".encode()).hexdigest()[:32]
    with desk.store.begin() as tx:
        tx.brake.notice(key, None, "doctor", said, now)
    owner.tell(desk)
    return True


def _families(
    here: Setup, desk: Desk, world: World | None, selectors: tuple[str, ...]
) -> Iterator[tuple[str, Sequence[Finding]]]:
    """Each family when its turn comes, so that those nobody asked for cost nothing."""
    yield "config", setup.look(here)
    yield "database", database.look(desk.store, desk.now(), free=desk.free(), public=here.public)
    yield "ci", ci.look(here.root)
    if world is None or not here.public:
        return
    yield "provider", account.look((desk.provider, desk.transactional), _readers(desk)) if here.network else []
    yield "dns", _zone(here, desk, selectors, world.zone) if here.network else []
    yield "web", site.look(_visit(here, desk), world.site)


def _readers(desk: Desk) -> int:
    with desk.store.read() as tx:
        return int(tx.audience.numbers().get("active", 0))


def _zone(here: Setup, desk: Desk, selectors: tuple[str, ...], zone: Resolver) -> list[Finding]:
    """The domains of all senders, through each provider that carries their mail; a fault of both is one."""
    ways = {one.capabilities.signing: one for one in (desk.transactional, desk.provider)}
    found: list[Finding] = []
    for sender in here.publication.senders.values():
        for signing in ways:
            found += names.look(_mail(here, sender, signing, selectors), zone)
    return list(dict.fromkeys(found))


def _mail(here: Setup, sender: Sender, signing: Signing, selectors: tuple[str, ...]) -> names.Mail:
    host = urlsplit(here.base_url).hostname or ""
    return names.Mail(
        sender.email.rpartition("@")[2].lower(),
        replace(signing, selectors=selectors) if selectors else signing,
        (sender.reply_to or "").rpartition("@")[2].lower(),
        "" if on_this_machine(host) else host,
    )


def _visit(here: Setup, desk: Desk) -> site.Visit:
    with desk.store.read() as tx:
        before = tx.facts.get(leave.DOCTOR)

    def seen() -> bool:
        with desk.store.read() as tx:
            return tx.facts.get(leave.DOCTOR) != before

    return site.Visit(
        here.base_url,
        desk.links.sign(Purpose.DOCTOR, [0], desk.now()),
        desk.now,
        seen,
        tuple(name for name, state in here.webhooks.items() if state == "set"),
        here.publication.footer.website,
    )
