"""Numbers for whoever watches (Prometheus): how the ledger and the queues stand. No address, no link, no reader.

`/metrics` answers this machine itself, and whoever has a key with the scope `stats:read`. To others there is no such
page: how many people are on a list is nobody else's business.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime

from fastapi import FastAPI, Request
from fastapi.responses import PlainTextResponse, Response
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from newsletter.core.delivery import on_this_machine
from newsletter.core.keys import Scope
from newsletter.core.vitals import BACKED_UP, CAME_BACK, TICKED, Vitals
from newsletter.errors import NewsletterError, NotFound
from newsletter.flows import keys
from newsletter.flows.desk import Desk
from newsletter.web import headers
from newsletter.web.door import Door, get

_KIND = "text/plain; version=0.0.4; charset=utf-8"
_FORWARDED = ("x-forwarded-for", "forwarded", "x-real-ip", "via")


def routes(app: FastAPI, door: Door) -> None:
    """Add it to the application."""

    @get(
        app,
        "/metrics",
        answers=PlainTextResponse,
        summary="Numbers for Prometheus, for this machine or with a key",
        responses={404: {"content": {"text/html": {}}, "description": "Not for whoever asks"}},
    )
    def metrics(request: Request) -> Response:
        if not (_inside(request) or _may(request, door.desk)):
            raise NotFound("There is no such page.", "Ask from this machine, or with a key that has stats:read.")
        return PlainTextResponse(written(door.desk), headers=headers.PRIVATE, media_type=_KIND)


def _inside(request: Request) -> bool:
    """Whether it comes from this machine, and not from a proxy on it."""
    host = request.client.host if request.client else ""
    return on_this_machine(host) and not any(name in request.headers for name in _FORWARDED)


def _may(request: Request, desk: Desk) -> bool:
    kind, _, given = request.headers.get("authorization", "").partition(" ")
    if kind.lower() != "bearer":
        return False
    try:
        keys.identify(given, desk).may(Scope.STATS_READ)
    except NewsletterError:
        return False
    return True


def written(desk: Desk) -> bytes:
    """All of them, as Prometheus reads them. Raises: StoreBusy."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Numbers(desk))
    return generate_latest(registry)


class _Numbers(Collector):
    """Read from the rows at the moment they are asked for, so that every process tells the same."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def collect(self) -> Iterator[GaugeMetricFamily]:
        now = self._desk.now()
        with self._desk.store.read() as tx:
            signs = tx.vital.signs(now)
            paused = tx.campaigns.paused_all()
            facts = {name: tx.facts.get(name) for name in (TICKED, BACKED_UP, CAME_BACK)}
        yield from _states(signs)
        yield from _ages(signs, now)
        yield _gauge("newsletter_paused", "1 while all sending is paused.", float(paused))
        yield _gauge("newsletter_restored", "1 while a copy waits to be accepted.", float(facts[CAME_BACK] is not None))
        yield _moment("newsletter_last_tick_timestamp_seconds", "When what is due was last looked for.", facts[TICKED])
        yield _moment("newsletter_last_backup_timestamp_seconds", "When a backup was last made.", facts[BACKED_UP])


def _states(signs: Vitals) -> Iterator[GaugeMetricFamily]:
    yield _by("newsletter_subscribers", "Subscribers, by state.", signs.subscribers)
    yield _by("newsletter_mails", "Mails of the front door, by state.", signs.queue)
    yield _by("newsletter_campaigns", "Campaigns, by state.", signs.campaigns)
    lost = sum(signs.uncertain.values())
    yield _gauge("newsletter_uncertain_readers", "Readers of open campaigns whose answer was lost.", lost)
    yield _gauge("newsletter_stopped_campaigns", "Campaigns that were begun and that nobody sends.", len(signs.still))
    yield _gauge("newsletter_webhooks_waiting", "Requests of providers that nobody has read.", signs.webhooks_unread)


def _ages(signs: Vitals, now: datetime) -> Iterator[GaugeMetricFamily]:
    for name, what, since in (
        ("newsletter_mail_age_seconds", "How long the oldest mail that is due has waited.", signs.queue_since),
        ("newsletter_webhook_age_seconds", "How long the oldest request has waited.", signs.webhooks_since),
    ):
        yield _gauge(name, what, max(0.0, (now - since).total_seconds()) if since else 0.0)


def _gauge(name: str, what: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(name, what, value=value)


def _by(name: str, what: str, numbers: Mapping[str, int]) -> GaugeMetricFamily:
    made = GaugeMetricFamily(name, what, labels=["state"])
    for state, number in sorted(numbers.items()):
        made.add_metric([state], number)
    return made


def _moment(name: str, what: str, text: str | None) -> GaugeMetricFamily:
    made = GaugeMetricFamily(name, what)
    if text:
        made.add_metric([], datetime.fromisoformat(text).timestamp())
    return made
