"""When a campaign must stop by itself: what was told of those it reached, against what is still bearable.

The first slice goes alone and soaks: bounces and complaints come with minutes of delay, and a mistake should reach
a few people, not all of them.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from datetime import timedelta


@dataclass(frozen=True)
class Limits:
    """Shares of those the provider took; `after`, how many that must be before a share means anything."""

    bounces: float = 0.05
    complaints: float = 0.001
    rejections: float = 0.05
    after: int = 200


@dataclass(frozen=True)
class Canary:
    """The first slice: a share of the audience (0: none), from an audience on, for how long it soaks."""

    share: float = 0.02
    soak: timedelta = timedelta(minutes=15)
    least: int = 50
    over: int = 1000

    def size(self, audience: int) -> int:
        """How many readers the first slice has; 0 where there is none."""
        if not self.share or audience <= self.over:
            return 0
        return min(audience, max(self.least, round(audience * self.share)))


@dataclass(frozen=True)
class Tally:
    """What is known of a campaign's readers by now: each counts once in each."""

    submitted: int = 0  # the provider took
    refused: int = 0  # it refused at once
    heard: int = 0  # it told anything of since: delivered, deferred, bounced, complained
    bounced: int = 0  # for good
    complained: int = 0
    authentication: int = 0  # refused by the mailbox because our own authentication is broken

    def since(self, earlier: Tally) -> Tally:
        """What came after an earlier count."""
        return Tally(**{one.name: getattr(self, one.name) - getattr(earlier, one.name) for one in fields(self)})


_FEW = 2  # one complaint, or one refusal, is a person and no pattern
_BROKEN = 3  # refusals by authentication: the next million will be refused too


def stops(tally: Tally, limits: Limits) -> str:
    """Why the run must stop, in words; empty while it may go on."""
    if tally.authentication >= _BROKEN and tally.authentication * 100 >= tally.submitted:
        return (
            f"{tally.authentication} mailboxes refused us because our own authentication is broken: "
            "look at SPF, DKIM and DMARC"
        )
    if tally.submitted + tally.refused < limits.after:
        return ""
    shares = (
        (tally.bounced, tally.submitted, limits.bounces, "bounced for good"),
        (tally.complained, tally.submitted, limits.complaints, "complained"),
        (tally.refused, tally.submitted + tally.refused, limits.rejections, "were refused by the provider"),
    )
    for count, of, limit, words in shares:
        if count >= _FEW and of and count > limit * of:
            return f"{count} of {of} {words} ({count / of:.1%}; the limit is {limit:.1%})"
    return ""


def silent(tally: Tally) -> bool:
    """Whether fewer than half of those it took have been heard of: then nothing can be judged."""
    return tally.heard * 2 < tally.submitted
