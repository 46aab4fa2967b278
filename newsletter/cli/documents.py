"""What `--json` prints of a campaign: keys that are always there, null when unknown."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from newsletter.core.campaign import Campaign, Counts
    from newsletter.core.delivery import Outcome
    from newsletter.core.halt import Told
    from newsletter.flows.ledger import Settling

STATUS = (
    "issue",
    "campaign",
    "state",
    "subject",
    "provider",
    "audience",
    "submitted",
    "suppressed",
    "failed",
    "uncertain",
    "pending",
    "batches",
    "excluded",
    "content_sha256",
    "frozen_at",
    "started_at",
    "finished_at",
    "held_until",
    "soaking_until",
    "brake",
)
_REVIEW = (
    "issue",
    "subject",
    "fate",
    "sentence",
    "audience",
    "send_at",
    "content_sha256",
    "review_url",
    "asked",
    "problems",
)
KEYS = {
    "send": (*STATUS, "sent", "settling", "settling_until", "why", "notes", "last_claim_at"),
    "review": _REVIEW,
    "approve": (*_REVIEW, "holds_until"),
    "status": (*STATUS, "checksum", "reasons", "last_claim_at", "all_paused", "told"),
    "resolve": (*STATUS, "settled", "settling", "settling_until"),
    "cancel": STATUS,
    "prove": ("provider", "at", "proven", "steps"),
    "resend": ("issue", "campaign", "outcome", "code", "detail", "message_id"),
}
"""The keys of each command's document; `error` is one more of each. A plan has its own; it says `error` without one."""


def empty(command: str) -> dict[str, object]:
    """The document of a command of which nothing is known."""
    if command == "plan":
        from dataclasses import fields

        from newsletter.core.campaign import Plan

        return dict.fromkeys([*(field.name for field in fields(Plan)), "hash", "review_url"])
    return dict.fromkeys(KEYS.get(command, ()))


def failed(command: str, known: object, what: str, fix: str, code: int) -> dict[str, object]:
    """The document of a command that ended in an error: what is known all the same, and the error in words."""
    error = {"what": what, "fix": fix or None, "code": code}
    return {**empty(command), **(known if isinstance(known, dict) else {}), "error": error}


def status(campaign: Campaign, counts: Counts) -> dict[str, object]:
    """A campaign and its counts."""
    from newsletter.core.campaign import as_json

    return as_json(campaign, counts)


def told(told: Told) -> dict[str, object]:
    """What is known of its readers afterwards; null for complaints where nothing at all was told."""
    return {
        "heard": told.heard,
        "bounced": told.bounced,
        "complained": told.complained,
        "complaints_not_reported": told.unreported,
    }


def settling(still: Settling) -> dict[str, object]:
    """The uncertain rows the provider may still tell of."""
    from newsletter.core.schedule import iso

    return {"settling": still.rows, "settling_until": iso(still.until)}


def copied(campaign: Campaign, outcome: Outcome) -> dict[str, object]:
    """One more copy, and what the provider said."""
    return {
        "issue": campaign.key,
        "campaign": campaign.pid,
        "outcome": outcome.status.value,
        "code": outcome.code or None,
        "detail": outcome.detail or None,
        "message_id": outcome.message_id,
        "error": None,
    }
