"""Everything that can be known about an issue before anyone gets it, without the network.

In: an issue as read, the publication, its root, and the email when it has been rendered. Out: problems by
line. Only errors block; a warning informs, and an editor may silence it with `ignore` and a reason. The
rules stand in `checks/`, one file for each family; what links lead to is looked at by `flows/links.py`.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from newsletter.content.checks import (
    address,
    care,
    clients,
    days,
    keys,
    links,
    mail,
    pictures,
    samples,
    shape,
    signs,
    subject,
    words,
)
from newsletter.content.checks.case import Case
from newsletter.content.issue import Issue
from newsletter.core.email import Email
from newsletter.core.problem import Level, Problem
from newsletter.core.publication import Publication

RULES: tuple[Callable[[Case], Iterator[Problem]], ...] = (
    keys.slug,
    keys.audience,
    keys.magnet,
    keys.files,
    keys.portrait,
    keys.theme,
    subject.subject,
    subject.emoji,
    subject.preheader,
    subject.again,
    signs.controls,
    signs.turning,
    words.length,
    words.leftovers,
    words.shouting,
    words.spam,
    words.claims,
    words.capitals,
    words.attachment,
    shape.steps,
    shape.headings,
    shape.lists,
    shape.wrapped,
    shape.tables,
    shape.footer,
    links.leading_home,
    links.another_place,
    links.redirects,
    links.shortened,
    links.personal,
    links.placeholders,
    links.saying_nothing,
    links.two_places,
    links.alone,
    pictures.elsewhere,
    pictures.heavy,
    days.weekdays,
    days.upcoming,
    days.past,
    care.envelope,
    care.crisis,
    address.postal,
    samples.samples,
)
"""What can be told of an issue as it is written; a new rule is put into its family's file and named here."""

OF_MAIL: tuple[Callable[[Case], Iterator[Problem]], ...] = (
    mail.size,
    mail.style,
    mail.imprint,
    mail.plain_part,
    mail.third_parties,
    clients.unknown,
)
"""What can be told of the mail made of it."""


def check(
    issue: Issue, publication: Publication, root: Path, *, email: Email | None = None, today: dt.date | None = None
) -> tuple[Problem, ...]:
    """Check an issue.

    In: the issue with what reading found, the publication, its root; the email when there is one (what the
    mail itself must be is looked at then); today when an issue whose day has gone by should be told.
    Out: all problems, by line; those of newsletter.yml and the templates stand last.
    Raises: SettingsError when the publication's word lists cannot be read.
    """
    case = Case(issue, publication, root, email, today)
    rules = (*RULES, *OF_MAIL) if email else RULES
    return sifted(issue, (*issue.problems, *(problem for rule in rules for problem in rule(case))))


def of_mail(issue: Issue, publication: Publication, root: Path, email: Email) -> tuple[Problem, ...]:
    """Check one mail of an issue that has been checked itself."""
    case = Case(issue, publication, root, email)
    return sifted(issue, (problem for rule in OF_MAIL for problem in rule(case)))


def with_mails(
    issue: Issue, publication: Publication, root: Path, written: Iterable[Problem], emails: Iterable[Email]
) -> tuple[Problem, ...]:
    """What a check of the issue has found, and what each of its mails adds: one for each kind of reader."""
    more = (problem for email in emails for problem in of_mail(issue, publication, root, email))
    return sifted(issue, (*written, *more))


def sifted(issue: Issue, found: Iterable[Problem]) -> tuple[Problem, ...]:
    """Each finding once, in order, without the warnings and notes that the issue silences with a reason."""
    silenced = {ignored.code for ignored in issue.ignore if ignored.why}
    kept = dict.fromkeys(one for one in found if one.level is Level.ERROR or one.code not in silenced)
    return tuple(sorted(kept, key=lambda problem: (problem.file != issue.name, problem)))


has_postal_code = address.has_postal_code
