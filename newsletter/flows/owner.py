"""Tell the house what happens to a letter: that it is about to go, with a Stop; that it stopped, went, or did not.

In: the desk. Out: mail to `owner.email`, owners and editors, through the provider of transactional mail. Touches
`notices` alone, and the review of a letter that is tested. What is to be told was written down with its cause, so it is
told after a crash too; it holds numbers, and nobody's address.
"""

from __future__ import annotations

import logging
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from newsletter.content import merge, system
from newsletter.core.delivery import Batch, Outcome, Recipient, Status
from newsletter.core.email import Email
from newsletter.core.halt import Notice
from newsletter.core.queue import MAX_ATTEMPTS, wait
from newsletter.flows import people, proofmail, report
from newsletter.flows.approve import PROOF
from newsletter.flows.brake import HELD, PAUSED
from newsletter.flows.deliver import deliver
from newsletter.flows.desk import Desk

log = logging.getLogger("newsletter.owner")

_PASSED = timedelta(hours=12)
"""A letter's beginning that was to be told and was not for so long is no news."""

_LASTING = frozenset({report.REPORT, report.MISSED, PAUSED})
_MOST = MAX_ATTEMPTS + 7 * 24
"""What became of a letter is news for a week: after the first tries, one an hour (`core/queue.py`)."""


def tell(desk: Desk) -> int:
    """Tell what waits to be told; how much of it was taken. Where there is no address nobody is told."""
    with desk.store.read() as tx:
        waiting = tx.brake.untold(desk.now())
    return sum(_told(notice, desk) for notice in waiting)


def _told(notice: Notice, desk: Desk) -> bool:
    now = desk.now()
    with desk.store.begin() as tx:
        given_up = notice.attempt >= (_MOST if notice.kind in _LASTING else MAX_ATTEMPTS)
        if not people.address_of(notice.who, desk) or given_up or _late(notice, now):
            tx.brake.over(notice.key, now)
            if given_up:
                log.error("The owner could not be told (%s), and will not be: see newsletter status.", notice.kind)
            return False
        if not tx.brake.tries(notice, now + wait(notice.attempt + 1)):
            return False
    outcome = _sent(notice, desk)
    if outcome is None or outcome.status is Status.RETRY:
        return False
    if outcome.status is not Status.SUBMITTED:
        log.error("The owner could not be told (%s): %s", notice.kind, outcome.code or outcome.status)
    with desk.store.begin() as tx:
        tx.brake.over(notice.key, desk.now())
    return outcome.status is Status.SUBMITTED


def _late(notice: Notice, now: datetime) -> bool:
    return notice.kind == HELD and now > datetime.fromisoformat(notice.said) + _PASSED


def _sent(notice: Notice, desk: Desk) -> Outcome | None:
    to = people.address_of(notice.who, desk)
    try:
        if notice.kind == PROOF:
            return proofmail.of_review(notice, to, desk)
        email = report.write(notice, desk) if notice.kind in report.KINDS else _email(notice, desk)
    except Exception as problem:  # noqa: BLE001 -- a template of the house's own may be at fault; letters go on
        log.error("The owner's mail could not be written: %s", type(problem).__name__)  # noqa: TRY400
        return None
    if email is None:
        return Outcome(notice.key, Status.SUBMITTED)  # there is nothing to tell any more
    batch = Batch((Recipient(notice.key, to, {}),), at=desk.now(), tag=notice.kind)
    return deliver(desk.transactional, email, batch, key=notice.key, timeout=desk.pace.timeout).outcomes[0]


def _email(notice: Notice, desk: Desk) -> Email:
    publication = desk.publication
    about = {"letter": merge.shown(notice.subject, publication.fields), "issue": notice.campaign, "why": notice.said}
    if notice.kind != HELD:
        return _written(notice, desk, about, "")
    at = datetime.fromisoformat(notice.said).astimezone(ZoneInfo(publication.timezone))
    told = {**about, "time": f"{at:%H:%M}", "readers": f"{notice.audience:,}"}
    return _written(notice, desk, told, desk.links.stop(notice.campaign_id, desk.now()))


def _written(notice: Notice, desk: Desk, values: dict[str, str], url: str) -> Email:
    return system.alert(
        desk.publication,
        notice.kind,
        root=desk.root,
        base_url=desk.links.base_url,
        url=url,
        lang=desk.publication.language,
        values=values,
    )
