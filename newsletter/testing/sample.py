"""Something to send: an email with every kind of merge site, and readers who are numbered."""

from __future__ import annotations

from datetime import UTC, datetime

from newsletter.core.delivery import Batch, Recipient
from newsletter.core.email import Email, Escape, Mailbox, Site

_NAME, _LEAVE = ("first_name", "friend"), ("unsubscribe_url", "")


def sample_email(subject: str = "A quiet week") -> Email:
    """A small email with every kind of merge site: name in header, text, attribute and link; the way out."""
    return Email(
        sender=Mailbox("Sam Rivers", "sam@letter.example.org"),
        reply_to=Mailbox("", "answers@letter.example.org"),
        subject=(f"{subject}, ", Site(*_NAME, Escape.HEADER)),
        html=(
            "<p>Dear ", Site(*_NAME, Escape.TEXT), ",</p>\n",
            '<p title="for ', Site(*_NAME, Escape.ATTRIBUTE), '">100 % rest – café, {{x}}, %recipient.x%.</p>\n',
            '<a href="https://letter.example.org/?for=', Site(*_NAME, Escape.URL), '">Read</a>\n',
            '<a href="', Site(*_LEAVE, Escape.LINK), '">Leave</a>\n',
        ),
        text=(
            "Dear ", Site(*_NAME, Escape.PLAIN), ",\n\n.100 % rest – café, {{x}}.\n\n",
            "Leave: ", Site(*_LEAVE, Escape.PLAIN), "\n",
        ),
        headers=(
            ("List-Id", ("Quiet Letters <letter.example.org>",)),
            ("List-Unsubscribe", ("<", Site(*_LEAVE, Escape.HEADER), ">")),
            ("List-Unsubscribe-Post", ("List-Unsubscribe=One-Click",)),
        ),
    )  # fmt: skip


def sample_batch(count: int, *, first: int = 1, at: datetime = datetime(2026, 12, 1, 17, 30, tzinfo=UTC)) -> Batch:
    """Readers numbered from `first`: key `d.1`, address `reader1@example.org`, a name, a way out of their own."""
    return Batch(tuple(_sample(number) for number in range(first, first + count)), at=at, tag="a-quiet-week")


def _sample(number: int) -> Recipient:
    return Recipient(
        key=f"d.{number}",
        address=f"reader{number}@example.org",
        values={"first_name": f"Reader {number}"},
        unsubscribe_url=f"https://letter.example.org/unsubscribe/token-{number}",
    )
