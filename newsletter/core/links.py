"""The addresses we hand out.

Links that expire are signed (itsdangerous: keys rotate, the purpose is the salt). The unsubscribe link is
a random credential of the subscriber and never expires (CASL asks for 60 days, we do not count).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any
from urllib.parse import quote

from itsdangerous import BadData, SignatureExpired, TimestampSigner, URLSafeTimedSerializer

from newsletter.core.email import UNSUBSCRIBE_URL
from newsletter.errors import LinkExpired, LinkRefused

__all__ = ["UNSUBSCRIBE_URL", "Links", "Purpose"]


class Purpose(StrEnum):
    """What a signed link is good for, and nothing else."""

    CONFIRM = "confirm"
    DOWNLOAD = "download"
    FILE = "file"
    FORM = "form"
    EXPORT = "export"
    ERASE = "erase"
    STOP = "stop"
    APPROVE = "approve"
    DOCTOR = "doctor"


LIFETIME = {
    Purpose.CONFIRM: timedelta(days=7),
    Purpose.DOWNLOAD: timedelta(days=90),
    Purpose.FILE: timedelta(minutes=10),
    Purpose.FORM: timedelta(hours=24),
    Purpose.EXPORT: timedelta(hours=24),
    Purpose.ERASE: timedelta(hours=24),
    Purpose.STOP: timedelta(days=3),
    Purpose.APPROVE: timedelta(days=14),
    Purpose.DOCTOR: timedelta(minutes=10),
}


class _Signer(TimestampSigner):
    """A signer whose clock is an argument: links are made and read at a given moment."""

    now: int = 0

    def get_timestamp(self) -> int:
        return self.now


@dataclass(frozen=True)
class Links:
    """Makes and reads links. `keys`: newest first, at least one; the newest signs, all verify."""

    base_url: str  # without a slash at its end
    keys: Sequence[str] = field(repr=False)

    def confirm(self, signup_id: int, gen: int, now: datetime) -> str:
        """The page that asks for the one click that makes a subscriber."""
        return f"{self.base_url}/confirm/{self.sign(Purpose.CONFIRM, [signup_id, gen], now)}"

    def download(self, grant_id: int, now: datetime) -> str:
        """The page with the button to the lead magnet."""
        return f"{self.base_url}/download/{self.sign(Purpose.DOWNLOAD, [grant_id], now)}"

    def file(self, grant_id: int, index: int, name: str, now: datetime) -> str:
        """The bytes themselves, for ten minutes; a path, as it is a redirect's target."""
        return f"/files/{self.sign(Purpose.FILE, [grant_id, index], now)}/{name}"

    def unsubscribe(self, token: str) -> str:
        """One reader's way out: GET shows, POST acts (RFC 8058)."""
        return f"{self.base_url}/unsubscribe/{token}"

    def preferences(self, token: str) -> str:
        """One reader's choices, opened by the credential of their unsubscribe link."""
        return f"{self.base_url}/preferences/{token}"

    def personal(self, purpose: Purpose, subscriber_id: int, now: datetime) -> str:
        """The page that shows (EXPORT) or takes away (ERASE) all we hold: only ever mailed to the address itself."""
        return self.preferences(self.sign(purpose, [subscriber_id], now))

    def stop(self, campaign_id: int, now: datetime) -> str:
        """The page whose button stops a campaign: only ever mailed to the owner."""
        return f"{self.base_url}/stop/{self.sign(Purpose.STOP, [campaign_id], now)}"

    def approve(self, review_id: int, role: int, whose: int, now: datetime) -> str:
        """The page that shows a letter before it goes; what it lets do depends on whose link it is."""
        return f"{self.base_url}/approve/{self.sign(Purpose.APPROVE, [review_id, role, whose], now)}"

    def free(self, magnet: str) -> str:
        """The public page of a free resource: short, to hand on."""
        return f"{self.base_url}/free/{quote(magnet)}"

    def archive(self, slug: str) -> str:
        """The public page of an issue."""
        return f"{self.base_url}/archive/{slug}"

    def sign(self, purpose: Purpose, payload: list[int], now: datetime) -> str:
        """A token for this purpose, stamped with `now`."""
        return str(self._serializer(purpose, now).dumps(payload))

    def read(self, purpose: Purpose, token: str, now: datetime) -> list[int]:
        """The payload of a token made for this purpose.

        Raises: LinkExpired when it is too old; LinkRefused when it is anything else than ours.
        """
        seconds = int(LIFETIME[purpose].total_seconds())
        try:
            payload: Any = self._serializer(purpose, now).loads(token, max_age=seconds)
        except SignatureExpired:
            raise LinkExpired(
                "This link has grown too old.", "Ask again with the form; a new one comes at once."
            ) from None
        except BadData:
            raise LinkRefused(
                "This link is not complete, or not ours.", "Open it again from the mail, or ask for a new one."
            ) from None
        if not (isinstance(payload, list) and all(isinstance(part, int) for part in payload)):
            raise LinkRefused("This link is not ours.", "Ask for a new one with the form.")
        return payload

    def _serializer(self, purpose: Purpose, now: datetime) -> URLSafeTimedSerializer:
        class Signer(_Signer):
            pass

        Signer.now = int(now.timestamp())
        oldest_first = list(reversed(self.keys))  # itsdangerous signs with the last
        return URLSafeTimedSerializer(oldest_first, salt=f"newsletter.{purpose}", signer=Signer)
