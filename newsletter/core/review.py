"""What becomes of an issue when it is merged, who may say yes to it, and what was said: values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from newsletter.core.problem import Problem


class Fate(StrEnum):
    """What merging an issue does. Each is one sentence of `words/<lang>.toml`, `[review.fate]`."""

    SENDS = "sends"  # at its time
    AT_ONCE = "at_once"  # its time has come
    WAITS = "waits"  # at its time, once it is approved
    WAITS_NOW = "waits_now"  # as soon as it is approved
    APPROVED = "approved"
    APPROVED_NOW = "approved_now"
    STOPPED = "stopped"  # somebody took their yes back, before anything was frozen
    DRAFT = "draft"
    BLOCKED = "blocked"  # a check finds an error
    ARCHIVE = "archive"  # dated before the first letter that is sent
    LATE = "late"
    NOBODY = "nobody"
    REFUSED = "refused"  # for a reason of its own
    BEGUN = "begun"
    PAUSED = "paused"
    CANCELLED = "cancelled"
    SENT = "sent"

    @property
    def goes(self) -> bool:
        """Whether there is something to say yes to, or to stop, before it has begun."""
        return self in {
            Fate.SENDS,
            Fate.AT_ONCE,
            Fate.WAITS,
            Fate.WAITS_NOW,
            Fate.APPROVED,
            Fate.APPROVED_NOW,
            Fate.STOPPED,
        }


@dataclass(frozen=True)
class Outlook:
    """A fate with what its sentence names. `audience`: None where the list cannot be reached."""

    fate: Fate
    audience: int | None = None
    at: datetime | None = None
    errors: int = 0
    why: str = ""
    todo: str = ""


class Role(StrEnum):
    """Whose link a link is: only an owner says yes, an editor may stop, a link for everybody only looks."""

    LOOK = "look"
    OWNER = "owner"
    EDITOR = "editor"


@dataclass(frozen=True)
class Person:
    """Somebody of the house, by their role and their number in the settings: no address."""

    role: Role
    number: int = 0

    @property
    def code(self) -> str:
        """As it is kept, and stands in the key of a mail: `owner-0`."""
        return f"{self.role}-{self.number}"

    @classmethod
    def of(cls, code: str) -> Person:
        """Back from `code`; whatever it is not, may only look."""
        role, _, number = code.partition("-")
        known = role in {one.value for one in Role} and (number or "0").isdecimal()
        return cls(Role(role), int(number or "0")) if known else cls(Role.LOOK)


@dataclass(frozen=True)
class Review:
    """An issue as it was shown to somebody: the mail itself, so that it can be shown where there is no file.

    `content`: the hash of the mail in all its variants, or of the file where no mail can be made of it.
    """

    key: str
    subject: str
    preheader: str
    content: str
    outlook: Outlook
    mails: Mapping[str, str] = field(repr=False)  # by variant, frozen
    problems: tuple[Problem, ...]
    plan: Mapping[str, Any] | None  # as an approval keeps it; None where nothing can be sent
    made_at: datetime
    id: int = 0


class Act(StrEnum):
    """What somebody did with a review."""

    APPROVED = "approved"
    STOPPED = "stopped"


@dataclass(frozen=True)
class Deed:
    """One of them, for ever. `by` is a person's code, or `command`; `plan` is what they agreed to."""

    id: int
    key: str
    act: Act
    by: str
    content: str
    plan: Mapping[str, Any] | None
    at: datetime
    holds_until: datetime | None
