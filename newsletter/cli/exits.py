"""From the error tree to exit codes, in one table.

0 done · 1 problems found · 2 usage · 3 nothing to do · 75 stopped with work left, run again · 77 not
approved · 78 configuration.
"""

from __future__ import annotations

from newsletter.errors import (
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
    (ConfigurationError, CONFIG),
    (NewsletterError, PROBLEMS),
)


def code(problem: NewsletterError) -> int:
    """The exit code of an error: the first line of the table it belongs to."""
    return next(number for kind, number in TABLE if isinstance(problem, kind))
