"""An issue as one sample reader gets it, as files. Touches nothing but the issue and its pictures."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

from newsletter.content import archive, check, images, library, render
from newsletter.content.issue import Issue
from newsletter.core import mime
from newsletter.core.delivery import Recipient
from newsletter.core.email import UNSUBSCRIBE_URL, fill
from newsletter.core.publication import Publication
from newsletter.core.schedule import due
from newsletter.errors import NotFound
from newsletter.flows.publish import refuse

ADDRESS = "sample.reader@example.org"
NAME = "Sam"
_WAY_OUT = "sample-link-of-nobody"


def sample(
    name: str,
    publication: Publication,
    *,
    root: Path,
    base_url: str,
    segment: str = "all",
    now: datetime | None = None,
) -> Mapping[str, bytes]:
    """The four files of an issue: `email.html`, `email.txt`, `message.eml`, `archive.html`.

    Drafts too. Same input, same bytes (promise 10): the message is dated when the issue is due, or at the
    beginning of the day of `now` (UTC) when that comes earlier, for filters distrust mail from the future.
    Raises: NotFound for an issue or segment; ContentError when anything blocks.
    """
    known = {"all", *publication.segments, *publication.topics}
    if segment not in known:
        raise NotFound(f'There is no segment "{segment}".', f"There are: {', '.join(sorted(known))}.")
    issue = library.load(library.find(name, root), publication, root)
    refuse(check.check(issue, publication, root), draft=issue.draft)
    email = render.render(issue, publication, root=root, base_url=base_url, segment=segment)
    reader = Recipient("sample", ADDRESS, {"first_name": NAME}, f"{base_url}/unsubscribe/{_WAY_OUT}")
    values = {**reader.values, UNSUBSCRIBE_URL: reader.unsubscribe_url}
    domain = email.sender.email.rpartition("@")[2]
    message = mime.compile(email).message(
        reader, at=_dated(issue, publication, now), message_id=mime.message_id(f"sample-{issue.slug}", domain)
    )
    html = fill(email.html, values)
    page = archive.archive(issue, publication, root=root, base_url=base_url)
    hosted = images.used(html + page, root) if publication.images.base_url else ()
    return {
        "email.html": html.encode(),
        "email.txt": fill(email.text, values).encode(),
        "message.eml": message,
        "archive.html": page.encode(),
        **{f"images/{name}": content for name, content in hosted},  # to be copied to where images.base_url leads
    }


def _dated(issue: Issue, publication: Publication, now: datetime | None) -> datetime:
    found = due(issue.date, issue.send_at, publication.send_at, publication.timezone)
    today = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0) if now else None
    return min((moment for moment in (found, today) if moment), default=datetime(2000, 1, 1, tzinfo=UTC))
