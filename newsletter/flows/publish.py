"""An issue file becomes what would be sent.

In: the name of an issue. Out: a proof - the issue, its email, the public page, the problems. Touches files
only.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, field

from newsletter.content import archive, check, library, render
from newsletter.content.issue import Issue
from newsletter.core.email import Email, freeze, sha256
from newsletter.core.problem import Problem, errors
from newsletter.errors import ContentError
from newsletter.flows.desk import Desk


@dataclass(frozen=True)
class Proof:
    """What would be sent, exactly. `sha256` binds a review to the bytes."""

    issue: Issue
    email: Email
    frozen: str = field(repr=False)
    sha256: str
    source_sha256: str
    page: str | None = field(repr=False)
    problems: tuple[Problem, ...]


def proof(name: str, desk: Desk) -> Proof:
    """Read, check and render an issue.

    In: a path or a slug. Raises: NotFound; ContentError when anything blocks.
    """
    path = library.find(name, desk.root)
    issue = library.load(path, desk.publication, desk.root)
    refuse(check.check(issue, desk.publication, desk.root))
    email = render.render(issue, desk.publication, root=desk.root, base_url=desk.links.base_url)
    found = check.check(issue, desk.publication, desk.root, email=email)
    refuse(found)
    page = archive.archive(issue, desk.publication, root=desk.root, base_url=desk.links.base_url)
    frozen = freeze(email)
    return Proof(
        issue=issue,
        email=email,
        frozen=frozen,
        sha256=sha256(frozen),
        source_sha256=source(issue),
        page=page if issue.archive else None,
        problems=found,
    )


def refuse(problems: tuple[Problem, ...]) -> None:
    """Raise ContentError, with all the findings, when one of them blocks."""
    if errors(problems):
        raise ContentError(problems)


def source(issue: Issue) -> str:
    """A hash of the issue's words alone: the same text under another name or date has the same."""
    words = re.sub(r"\bline=\d+", "", repr((issue.subject, issue.body)))
    return hashlib.sha256(words.encode()).hexdigest()
