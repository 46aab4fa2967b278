"""An issue file becomes what would be sent.

In: the name of an issue. Out: a proof - the issue, its email, the public page, the problems. Touches files
only.
"""

from __future__ import annotations

import hashlib
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from newsletter.content import archive, check, frontmatter, library, render, text, variants
from newsletter.content.issue import Issue
from newsletter.core.campaign import Variant, topics_of
from newsletter.core.email import Email, freeze, sha256
from newsletter.core.problem import Problem, errors
from newsletter.core.publication import Publication
from newsletter.errors import ConfigurationError, ContentError
from newsletter.flows.desk import Place

MOST_NAMED = 4
"""Segments an issue may name in its blocks: sixteen versions are still reviewed, thirty-two are not."""


@dataclass(frozen=True)
class Proof:
    """What would be sent, exactly. `sha256` binds a review to the bytes."""

    issue: Issue
    email: Email  # as readers of no named segment get it
    variants: tuple[Variant, ...] = field(repr=False)
    sha256: str
    source_sha256: str
    page: str | None = field(repr=False)
    problems: tuple[Problem, ...]


def proof(name: str, desk: Place, *, draft: bool = False, public: bool = True) -> Proof:
    """Read, check and render an issue.

    In: a path or a slug; `draft`, whether a draft may still be what it may be; `public`, whether its page is drawn
    too. Raises: NotFound; ContentError when anything blocks.
    """
    path = library.find(name, desk.root)
    issue = library.load(path, desk.publication, desk.root)
    written = check.check(issue, desk.publication, desk.root)
    draft = draft and issue.draft
    refuse(written, draft=draft)
    emails = dict(_emails(issue, desk))
    found = check.with_mails(issue, desk.publication, desk.root, written, emails.values())
    refuse(found, draft=draft)
    drawn = public and issue.archive
    page = archive.archive(issue, desk.publication, root=desk.root, base_url=desk.links.base_url) if drawn else None
    named = variants.names(issue)
    frozen = tuple(_variant(some, one, named, desk.publication) for some, one in emails.items())
    return Proof(
        issue=issue,
        email=emails[frozenset()],
        variants=frozen,
        sha256=sha256("\n".join(one.body for one in frozen)),
        source_sha256=source(issue),
        page=page,
        problems=found,
    )


def _emails(issue: Issue, desk: Place) -> Iterator[tuple[frozenset[str], Email]]:
    """The issue as each combination of the segments it names gets it; for most issues there is one."""
    named = variants.names(issue)
    if len(named) > MOST_NAMED:
        raise ConfigurationError(
            f"{issue.name} says something else to each of {len(named)} segments: {2 ** len(named)} letters.",
            f"Name at most {MOST_NAMED} segments in its ::: only and ::: not blocks.",
        )
    for some in variants.every(named):
        yield some, render.render(issue, desk.publication, root=desk.root, base_url=desk.links.base_url, segments=some)


def _variant(some: frozenset[str], email: Email, named: Sequence[str], publication: Publication) -> Variant:
    groups = {name: topics_of((name,), publication.segments) for name in named}
    return Variant(
        name=variants.key(some, named),
        body=freeze(email),
        has=tuple(groups[name] for name in named if name in some),
        lacks=tuple(groups[name] for name in named if name not in some),
    )


def refuse(problems: tuple[Problem, ...], *, draft: bool = False) -> None:
    """Raise ContentError, with all the findings, when one of them blocks.

    In: `draft` for an issue that is looked at and not sent: what it may still be does not block it then.
    """
    if any(not (draft and problem.early) for problem in errors(problems)):
        raise ContentError(problems)


def source(issue: Issue) -> str:
    """A hash of the issue's words alone: the same text under another name, date or line width has the same.

    It is taken from what the editor wrote, subject and body, so a new version of this program finds the same.
    """
    halves, _ = frontmatter.split(issue.source, issue.name)
    body = halves.body if halves else "\n".join(text.said(issue.body))
    words = " ".join(unicodedata.normalize("NFC", f"{issue.subject}\n{body}").split())
    return hashlib.sha256(words.encode()).hexdigest()
