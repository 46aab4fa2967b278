"""The real mail to one address, before it goes to anybody else.

In: an issue, one address. Out: what was handed to the provider, and every problem found. The renderer, the
MIME and the provider are those of the real send; the subject begins with [TEST], and above the letter stand what
merging it does and the link to its review page. Nothing is written into the ledger, the audience or the mail queue.
"""

from __future__ import annotations

import html
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace

from newsletter.content import check, library, render, theme
from newsletter.content.issue import Issue
from newsletter.content.variants import EVERYBODY
from newsletter.content.words import words
from newsletter.core import address, ids
from newsletter.core.delivery import Batch, Outcome, Recipient
from newsletter.core.email import Email, Pieces, thaw
from newsletter.core.halt import Notice
from newsletter.core.problem import Problem
from newsletter.core.publication import Publication
from newsletter.core.review import Person, Review
from newsletter.errors import NotApproved, NotFound
from newsletter.flows import people, recover, review
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
        recover.refuse(tx)
        if tx.audience.suppression(desk.hmac(who)) is not None:
            raise NotApproved(
                "This address has left, or mail to it bounced; nothing is sent to it, tests neither.",
                "Use another address.",
            )
    issue, email, problems = _written(name, desk, segment)
    tested = _marked(email, review.look(name, desk), people.person_at(who.typed, desk), desk)
    readers = [(NAME, SAMPLE)] if named else []
    readers.append(("a reader without a name", NAMELESS))
    mails = tuple(
        Proofed(reader, _hand_over(tested, who.typed, _values(values, desk.publication), issue, desk))
        for reader, values in readers
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


def of_review(notice: Notice, to: str, desk: Desk) -> Outcome | None:
    """Send the letter of a review to whoever asked for it on its page. None: it is kept no longer."""
    with desk.store.read() as tx:
        kept = tx.reviews.of(int(notice.said))
    if kept is None or not kept.mails:
        return None
    email = thaw(kept.mails.get(EVERYBODY) or next(iter(kept.mails.values())))
    marked = _marked(email, review.find(kept.key, desk) or kept, Person.of(notice.who), desk)
    reader = Recipient(notice.key, to, _values(SAMPLE, desk.publication), desk.links.unsubscribe(WAY_OUT))
    batch = Batch((reader,), at=desk.now(), tag=f"test-{kept.key}")
    return deliver(desk.provider, marked, batch, key=notice.key, timeout=desk.pace.timeout).outcomes[0]


def _marked(email: Email, found: Review, person: Person, desk: Desk) -> Email:
    """The mail as a test of it: what merging it does, and the page where one looks at it, stand above the letter."""
    with desk.store.begin() as tx:
        kept = review.keep(tx, found)
    first = review.sentence(kept.outlook, desk.publication, desk.root)
    url, press = people.link(kept.id, person, desk), words(desk.publication.language, desk.root)["notice.proof.link"]
    html_, text = _above(email.html, _strip(first, url, press, desk)), (f"{first}\n{press}:\n{url}\n\n", *email.text)
    return replace(email, subject=(PREFIX, *email.subject), html=html_, text=text)


def _strip(first: str, url: str, press: str, desk: Desk) -> str:
    """The sentence and the link as HTML, in the colours of the theme."""
    look = theme.of(desk.publication, desk.root)
    style = f"margin:0;padding:16px 24px;background-color:{look.light.tint};color:{look.light.ink};{_FONT}"
    link = f'<a href="{html.escape(url)}" style="color:{look.light.link}">{html.escape(press)}</a>'
    return f'<p style="{style}">{html.escape(first)}<br>{link}</p>'


_FONT = "font:15px/24px -apple-system,system-ui,Segoe UI,Roboto,Arial,sans-serif"


def _above(pieces: Pieces, strip: str) -> Pieces:
    """A mail's HTML with something as the first thing of its body."""
    first, *rest = pieces
    assert isinstance(first, str)
    return (re.sub(r"<body\b[^>]*>", lambda body: body[0] + strip, first, count=1), *rest)


def _values(values: Mapping[str, str], publication: Publication) -> Mapping[str, str]:
    return {field: value for field, value in values.items() if field in publication.fields}


def _hand_over(email: Email, to: str, values: Mapping[str, str], issue: Issue, desk: Desk) -> Outcome:
    """A batch of one under a key of its own, or a provider that knows keys again would take both for one."""
    key = f"test-{ids.pid(desk.entropy)}"
    reader = Recipient(key, to, values, desk.links.unsubscribe(WAY_OUT))
    batch = Batch((reader,), at=desk.now(), tag=f"test-{issue.key}")
    return deliver(desk.provider, email, batch, key=key, timeout=desk.pace.timeout).outcomes[0]
