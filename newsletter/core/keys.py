"""Keys of programs that work for the owner: what one may do, and how its secret is told from a guess.

A key is shown once. What is kept is a SHA-256 of its secret: 256 bits of chance need no slow hash. It looks like
`nl_<id>_<secret>`, so a scanner of repositories finds one that was committed.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum

from newsletter.core import ids
from newsletter.core.ids import Entropy

SECRET_BYTES = 32
PREFIX = "nl_"
_SHAPE = re.compile(r"nl_([0-9a-f]{16})_([A-Za-z0-9_-]{43})")


class Scope(StrEnum):
    """What a key lets its bearer do. No scope holds another."""

    SUBSCRIBERS_READ = "subscribers:read"
    SUBSCRIBERS_WRITE = "subscribers:write"
    CAMPAIGNS_READ = "campaigns:read"
    CAMPAIGNS_SEND = "campaigns:send"
    STATS_READ = "stats:read"


@dataclass(frozen=True)
class Key:
    """A key as it is kept."""

    pid: str
    label: str
    scopes: tuple[Scope, ...]
    digest: str  # of its secret
    made_at: datetime
    used_on: date | None = None  # the day and no more: who works when is nobody's business
    revoked_at: datetime | None = None

    @property
    def holds(self) -> bool:
        """Whether it still opens anything."""
        return self.revoked_at is None


@dataclass(frozen=True)
class Kept:
    """A request that was taken in hand, and its answer once there is one."""

    request: str  # a keyed hash of what was asked
    at: datetime
    status: int | None  # of HTTP; None while somebody is at it
    body: str | None


@dataclass(frozen=True)
class Run:
    """One run of a workflow. `digest` names its token, `until` is when that ends by itself."""

    name: str
    repository: str
    digest: str
    until: datetime


def secret(entropy: Entropy) -> str:
    """A new secret: 43 letters of base64url."""
    return base64.urlsafe_b64encode(entropy(SECRET_BYTES)).rstrip(b"=").decode()


def written(pid: str, secret_: str) -> str:
    """The key as its bearer gets it."""
    return f"{PREFIX}{pid}_{secret_}"


def new(entropy: Entropy) -> tuple[str, str]:
    """A new id and a new secret."""
    return ids.pid(entropy), secret(entropy)


def read(given: str) -> tuple[str, str] | None:
    """The id and the secret of a key; None when it is none of ours."""
    found = _SHAPE.fullmatch(given)
    return (found[1], found[2]) if found else None


def digest(secret_: str) -> str:
    """What is kept of a secret."""
    return hashlib.sha256(secret_.encode()).hexdigest()


def fits(key: Key | None, secret_: str) -> bool:
    """Whether the secret is this key's and the key still holds, in the same time for each answer."""
    kept = key.digest if key else "0" * 64
    same = hmac.compare_digest(kept, digest(secret_))
    return same and key is not None and key.holds
