"""Everything that can be known about issues: what reading, the rules, the mail itself and the network say.

In: names of issues, the publication. Out: all problems, and what was mended. Touches the issues' files when
asked to mend, `var/links.json` when the network is asked.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from newsletter.content import check, library, variants
from newsletter.content.issue import Issue
from newsletter.content.render import render
from newsletter.core.email import Email
from newsletter.core.problem import Problem, errors
from newsletter.core.publication import Publication
from newsletter.core.schedule import zone
from newsletter.errors import ContentError
from newsletter.flows import links, mend
from newsletter.flows.mend import Mended
from newsletter.flows.publish import MOST_NAMED


@dataclass(frozen=True)
class Checkup:
    """What was found in how many issues, and what was mended before. `issues` are those that can be read."""

    problems: tuple[Problem, ...]
    count: int
    issues: tuple[Issue, ...]
    mended: tuple[Mended, ...] = ()


def checkup(
    names: Sequence[str],
    publication: Publication,
    root: Path,
    *,
    base_url: str,
    now: datetime,
    web: links.Internet | None,
    fix: bool = False,
) -> Checkup:
    """Check issues.

    In: paths or slugs, none for all; `web` None leaves the network alone and says so; `fix` makes the changes
    that are certain before. Raises: NotFound; SettingsError for a theme, template or word list.
    """
    paths = [library.find(name, root) for name in names] or library.issues(root)
    mended = tuple(one for path in paths for one in mend.mend(path, publication, root)) if fix else ()
    today = now.astimezone(zone(publication.timezone)).date() if names else None  # a whole archive is history
    found: list[Problem] = []
    read: list[Issue] = []
    for path in paths:
        try:
            issue = library.load(path, publication, root)
        except ContentError as trouble:
            found += trouble.problems
            continue
        read.append(issue)
        problems = check.check(issue, publication, root, today=today)
        found += problems
        if not errors(problems):
            for email in _emails(issue, publication, root, base_url):
                found += check.of_mail(issue, publication, root, email)
    if web is None:
        found += links.offline(read, publication, root)
    else:
        found += links.look(read, publication, root, web=web, now=now)
    return Checkup(tuple(dict.fromkeys(found)), len(paths), tuple(read), mended)


def _emails(issue: Issue, publication: Publication, root: Path, base_url: str) -> Iterator[Email]:
    """The issue as readers of each combination of the segments it names get it; for most issues there is one."""
    named = variants.names(issue)[:MOST_NAMED]
    for some in variants.every(named):
        yield render(issue, publication, root=root, base_url=base_url, segments=some)
