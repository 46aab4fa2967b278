"""The real mail to one address, before it goes to anybody else.

In: an issue, one address. Out: what was handed to the provider, and every problem found. The renderer, the
MIME and the provider are those of the real send; the subject begins with [TEST]. Nothing is written into the
ledger, the audience or the mail queue.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from newsletter.content import check, library, render
from newsletter.content.issue import Issue
from newsletter.core import address, ids
from newsletter.core.delivery import Batch, Outcome, Recipient
from newsletter.core.email import Email
from newsletter.core.problem import Problem
from newsletter.core.publication import Publication
from newsletter.errors import NotApproved, NotFound
from newsletter.flows.able import able
from newsletter.flows.deliver import deliver
from newsletter.flows.desk import Desk
from newsletter.flows.publish import refuse
from newsletter.flows.sample import NAME

PREFIX = "[TEST] "
WAY_OUT = "a-test-mail-of-nobody"
"""Stands where a reader's own credential stands: the page it leads to answers as for any link."""

SAMPLE: Mapping[str, str] = {"first_name": NAME, "last_name": "Rivers"}
NAMELESS: Mapping[str, str] = {}


@dataclass(frozen=True)
class Proofed:
    """One test mail: as whom it was written, and what the provider said."""

    reader: str  # "Sam", or "a reader without a name"
    outcome: Outcome


@dataclass(frozen=True)
class Report:
    """What was done, and what the checks said."""

    mails: tuple[Proofed, ...]
    problems: tuple[Problem, ...]
    provider: str


def send(name: str, to: str, desk: Desk, *, segment: str = "all", named: bool = True) -> Report:
    """Send an issue to one address: once as a sample person gets it (unless not `named`), once with fallbacks.

    In: a path or slug, drafts too; one address. Raises: AddressRefused for anything that is not one address;
    NotApproved for an address that has left or bounced; ContentError when anything blocks; ConfigurationError
    when a real send would be refused from this set-up.
    """
    who = address.parse(to)
    able(desk)
    with desk.store.read() as tx:
        if tx.audience.suppression(desk.hmac(who)) is not None:
            raise NotApproved(
                "This address has left, or mail to it bounced; nothing is sent to it, tests neither.",
                "Use another address.",
            )
    issue, email, problems = _written(name, desk, segment)
    tested = replace(email, subject=(PREFIX, *email.subject))
    people = [(NAME, SAMPLE)] if named else []
    people.append(("a reader without a name", NAMELESS))
    mails = tuple(
        Proofed(reader, _hand_over(tested, who.typed, _values(values, desk.publication), issue, desk))
        for reader, values in people
    )
    return Report(mails, problems, desk.provider.name)


def _written(name: str, desk: Desk, segment: str) -> tuple[Issue, Email, tuple[Problem, ...]]:
    known_segment(segment, desk.publication)
    issue = library.load(library.find(name, desk.root), desk.publication, desk.root)
    written = check.check(issue, desk.publication, desk.root)
    refuse(written, draft=issue.draft)
    email = render.render(issue, desk.publication, root=desk.root, base_url=desk.links.base_url, segment=segment)
    found = check.with_mails(issue, desk.publication, desk.root, written, [email])
    refuse(found, draft=issue.draft)
    return issue, email, found


def known_segment(segment: str, publication: Publication) -> None:
    """Refuse a segment nobody can be in. Raises: NotFound with those there are."""
    known = {"all", *publication.segments, *publication.topics}
    if segment not in known:
        raise NotFound(f'There is no segment "{segment}".', f"There are: {', '.join(sorted(known))}.")


def _values(values: Mapping[str, str], publication: Publication) -> Mapping[str, str]:
    return {field: value for field, value in values.items() if field in publication.fields}


def _hand_over(email: Email, to: str, values: Mapping[str, str], issue: Issue, desk: Desk) -> Outcome:
    """A batch of one under a key of its own, or a provider that knows keys again would take both for one."""
    key = f"test-{ids.pid(desk.entropy)}"
    reader = Recipient(key, to, values, desk.links.unsubscribe(WAY_OUT))
    batch = Batch((reader,), at=desk.now(), tag=f"test-{issue.key}")
    return deliver(desk.provider, email, batch, key=key, timeout=desk.pace.timeout).outcomes[0]
