"""From the error tree to exit codes, in one table.

0 done · 1 problems found · 2 usage · 3 nothing to do · 75 stopped with work left, run again · 77 not
approved · 78 configuration.
"""

from __future__ import annotations

from collections.abc import Iterable

from newsletter.errors import (
    AccessRefused,
    ConfigurationError,
    ContentError,
    NewsletterError,
    NotApproved,
    NotFound,
    NothingToDo,
    WorkLeft,
)

DONE, PROBLEMS, USAGE, NOTHING, LEFT, REFUSED, CONFIG = 0, 1, 2, 3, 75, 77, 78

TABLE: tuple[tuple[type[NewsletterError], int], ...] = (
    (ContentError, PROBLEMS),
    (NotFound, USAGE),
    (NothingToDo, NOTHING),
    (WorkLeft, LEFT),
    (NotApproved, REFUSED),
    (AccessRefused, CONFIG),
    (ConfigurationError, CONFIG),
    (NewsletterError, PROBLEMS),
)


def code(problem: NewsletterError) -> int:
    """The exit code of an error: the first line of the table it belongs to."""
    return next(number for kind, number in TABLE if isinstance(problem, kind))


_WORST_FIRST = (LEFT, CONFIG, REFUSED, USAGE, PROBLEMS, DONE, NOTHING)


def worst(codes: Iterable[int]) -> int:
    """One code for several pieces of work: what is left comes first, as running again is always right then, and
    shows the others when it is done; after it whatever a person must do; "nothing to do" only when all say so.
    """
    return min(codes, key=_WORST_FIRST.index)
