"""It went, or it did not: what the owner and the editors are told of a letter, each once.

In: a notice, written down with the change it tells of. Out: the mail. What it says is read from the ledger when it is
written; it holds numbers and the house's own words, and no reader's address.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from newsletter.content import facts, merge, system
from newsletter.content.system import Letter
from newsletter.content.words import words
from newsletter.core.campaign import Campaign, CampaignState, Counts
from newsletter.core.consent import Reason, State
from newsletter.core.email import Email
from newsletter.core.halt import Notice
from newsletter.core.links import LIFETIME, Purpose
from newsletter.core.review import Person
from newsletter.core.schedule import zone
from newsletter.flows import people, review
from newsletter.flows.brake import PAUSED, tell_all
from newsletter.flows.desk import Desk
from newsletter.ports import Transaction

REPORT, MISSED = "report", "missed"
KINDS = frozenset({review.ASK, REPORT, PAUSED, MISSED})
"""The notices whose mail is written here."""

_KNOWN = {*Reason, *State, "topic", "cancelled"}


def ended(tx: Transaction, campaign: Campaign, desk: Desk) -> None:
    """Let the house be told that a campaign has ended; in the transaction that ends it, and once."""
    for person in people.everyone(desk):
        tx.brake.notice(f"{REPORT}-{campaign.pid}-{person.code}", campaign.id, REPORT, "", desk.now(), person.code)


def paused(tx: Transaction, campaign: Campaign, by: str, desk: Desk) -> None:
    """Let the house be told that somebody stopped a campaign; in the transaction that stops it."""
    tell_all(tx, campaign, PAUSED, by, desk)


def left_out(excluded: Mapping[str, int], said: Mapping[str, str], failed: int = 0) -> str:
    """Who got nothing, by the reason, in words: "3 left, 1 bounced". Empty when nobody was left out."""
    sorted_ = Counter[str]({"refused": failed} if failed else {})
    for why, count in excluded.items():
        known = "elsewhere" if why == "not subscribed to this" else why if why in _KNOWN else "other"
        sorted_[known] += count
    return ", ".join(said[f"reason.{why}"].format(count=f"{count:,}") for why, count in sorted_.items() if count)


# --- the mails -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Page:
    """What a mail is written with: whose it is, the desk, the words of a language."""

    notice: Notice
    desk: Desk
    said: Mapping[str, str]

    def say(self, key: str, **places: object) -> str:
        """A sentence, its places filled; the publication's name, the letter and its key are always known."""
        given = {"name": self.desk.publication.name, "letter": self.letter, "issue": self.notice.campaign}
        return self.said[key].format(**{**given, **places})

    @property
    def letter(self) -> str:
        """What the letter is called, as readers see it."""
        return self.shown(self.notice.subject)

    def shown(self, subject: str) -> str:
        """A subject as readers see it."""
        return merge.shown(subject, self.desk.publication.fields)

    def day(self, at: datetime | None) -> str:
        """The day of a moment, in the publication's zone."""
        return facts.brief_day(self._here(at).date(), self.said) if at else ""

    def time(self, at: datetime | None) -> str:
        """The hour of it."""
        return f"{self._here(at):%H:%M}" if at else ""

    def _here(self, at: datetime) -> datetime:
        return at.astimezone(zone(self.desk.publication.timezone))


def write(notice: Notice, desk: Desk) -> Email | None:
    """The mail of a notice, for its person; None when there is nothing to tell any more."""
    lang = desk.publication.language
    page = Page(notice, desk, words(lang, desk.root))
    writers = {review.ASK: _ask, REPORT: _report, PAUSED: _paused, MISSED: _missed}
    letter = writers[notice.kind](page)
    if letter is None:
        return None
    return system.to_the_house(desk.publication, letter, root=desk.root, base_url=desk.links.base_url, lang=lang)


def _link(page: Page, review_id: int) -> str:
    return people.link(review_id, Person.of(page.notice.who), page.desk)


def _ask(page: Page) -> Letter | None:
    desk = page.desk
    with desk.store.read() as tx:
        kept = tx.reviews.of(int(page.notice.said))
    if kept is None:
        return None
    fresh = review.find(kept.key, desk)
    now_is = fresh.outlook if fresh is not None and fresh.content == kept.content else kept.outlook
    return asked(page, kept.subject, review.sentence(now_is, desk.publication, desk.root), _link(page, kept.id))


def asked(page: Page, subject: str, first: str, url: str) -> Letter:
    """To an owner: please look at it. In: what merging does, and their own link."""
    about = {"letter": page.shown(subject), "days": LIFETIME[Purpose.APPROVE].days}
    return Letter(
        page.say("notice.look.subject", **about),
        page.shown(subject),
        first,
        (first, page.say("notice.look.then")),
        page.say("notice.look.why"),
        url,
        page.say("notice.look.button"),
        (page.say("notice.look.link", **about),),
    )


def _of(page: Page) -> tuple[Campaign, Counts, Mapping[str, int], str] | None:
    """The campaign of a notice with its numbers, why rows got nothing, and the checksum once nothing changes more."""
    now = page.desk.now()
    with page.desk.store.read() as tx:
        campaign = tx.campaigns.by_key(page.notice.campaign)
        if campaign is None:
            return None
        counts, reasons = tx.campaigns.counts(campaign.id, now), dict(tx.campaigns.reasons(campaign.id))
        if cancelled := tx.control.cancelled(campaign.id):
            reasons["cancelled"] = reasons.get("cancelled", 0) + cancelled
        proof = tx.control.checksum(campaign.id, now) if campaign.finished_at else ""
    return campaign, counts, reasons, proof


def _report(page: Page) -> Letter | None:
    found = _of(page)
    if found is None:
        return None
    campaign, counts, reasons, proof = found
    with page.desk.store.read() as tx:
        public = tx.campaigns.archive(campaign.key) is not None
    left = Counter[str](campaign.excluded)
    left.update({why: count for why, count in reasons.items() if why in _KNOWN})
    url = page.desk.links_of(campaign).archive(campaign.key) if public else ""
    return reported(page, campaign, counts, left_out(left, page.said, counts.failed), proof, url)


def reported(page: Page, campaign: Campaign, counts: Counts, left: str, proof: str, url: str) -> Letter:
    """It went, or it was cancelled. In: who was left out, in words; the ledger's checksum; its public page."""
    cancelled = campaign.state is CampaignState.CANCELLED
    which = "_cancelled" if cancelled else ""
    had = review.counted(counts.submitted, page.said)
    begun, ended = page.time(campaign.started_at), page.time(campaign.finished_at)
    when = page.say("notice.report.when", day=page.day(campaign.started_at), time=begun, end=ended)
    return Letter(
        page.say(f"notice.report.subject{which}"),
        page.say(f"notice.report.title{which}"),
        page.say(f"notice.report.preheader{'_one' if counts.submitted == 1 else ''}", people=had),
        (
            page.say("notice.report.had", people=had, audience=f"{counts.audience:,}"),
            page.say("notice.report.left", reasons=left) if left else page.say("notice.report.nobody"),
            when if begun and not cancelled else "",
        ),
        page.say("notice.report.why"),
        "" if cancelled else url,
        page.say("notice.report.archive"),
        (page.say("notice.report.proof", checksum=proof),) if proof else (),
    )


def _paused(page: Page) -> Letter | None:
    found = _of(page)
    if found is None:
        return None
    campaign, counts, _, _ = found
    with page.desk.store.read() as tx:
        kept = tx.reviews.newest(campaign.key)
    return stopped(page, counts, _link(page, kept.id) if kept else "")


def stopped(page: Page, counts: Counts, url: str) -> Letter:
    """Somebody stopped it. In: how far it had gone, and its page."""
    gone, all_ = f"{counts.submitted + counts.uncertain:,}", review.counted(counts.audience, page.said)
    return Letter(
        page.say("notice.paused.subject"),
        page.say("notice.paused.title"),
        page.say("notice.paused.preheader"),
        (page.say("notice.paused.said", gone=gone, people=all_),),
        page.say("notice.paused.why"),
        url,
        page.say("notice.paused.button"),
        (page.say("notice.paused.then"),),
    )


def _missed(page: Page) -> Letter:
    told: dict[str, Any] = json.loads(page.notice.said)
    return missed(page, told, _link(page, told["review"]) if told["review"] else "")


def missed(page: Page, told: Mapping[str, Any], url: str) -> Letter:
    """It did not go. In: what `flows/missed.py` found, and its page."""
    at = datetime.fromisoformat(told["at"])
    reason, which = told["reason"], "_absent" if told["reason"] == "absent" else ""
    about = {
        "letter": page.shown(told["subject"]),
        "issue": told["key"],
        "why": told["why"],
        "count": told["count"],
        "left": told["count"],
        "day": page.day(at),
        "time": page.time(at),
    }
    todo = page.said.get(f"missed.{reason}_do", "").format(**about) or told["todo"]
    return Letter(
        page.say(f"notice.missed.subject{which}", **about),
        page.say(f"notice.missed.title{which}", **about),
        page.say("notice.missed.preheader"),
        (page.say(f"notice.missed.said{which}", **about), page.say(f"missed.{reason}", **about).strip(), todo),
        page.say("notice.missed.why"),
        url,
        page.say("notice.missed.button"),
    )
