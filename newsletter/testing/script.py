"""What a scripted other side does, one step for each call. `FakeProvider` and `Server` share them."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Literal

from newsletter.core.delivery import Status


@dataclass(frozen=True)
class Accept:
    """Take the batch."""


@dataclass(frozen=True)
class Reject:
    """Refuse the recipients with these addresses for good, and take the others."""

    addresses: Collection[str]
    status: Status = Status.REJECTED
    code: str = "550"


@dataclass(frozen=True)
class Retry:
    """Take nothing: "later", or with a `halt` "stop everything"."""

    after: float | None = None
    halt: Literal["", "auth", "quota", "account", "bug"] = ""


@dataclass(frozen=True)
class CutBefore:
    """Take nothing, and let nobody know: UNKNOWN, while nothing was sent."""


@dataclass(frozen=True)
class CutAfter:
    """Take the batch, and lose the answer: UNKNOWN, while everything was sent."""


@dataclass(frozen=True)
class Garbage:
    """Answer with what is no answer, after taking the batch (or, without `taken`, for nothing)."""

    taken: bool = True


@dataclass(frozen=True)
class Raise:
    """Break off with an exception, before (or, with `taken`, after) taking the batch."""

    error: BaseException
    taken: bool = False


@dataclass(frozen=True)
class Die:
    """End this process on the spot, as kill -9 does, before (or, with `taken`, after) taking the batch."""

    taken: bool = False
    code: int = 137


@dataclass(frozen=True)
class Sleep:
    """Wait, then do the next step."""

    seconds: float


Step = Accept | Reject | Retry | CutBefore | CutAfter | Garbage | Raise | Die | Sleep
