"""What every provider promises, as tests. Nothing here knows a test runner: plain methods with plain asserts."""

from __future__ import annotations

import email as stdlib_email
from collections.abc import Mapping
from dataclasses import dataclass, replace
from email import policy
from itertools import islice

from newsletter.core.delivery import Batch, BatchResult, Outcome, Recipient, Status
from newsletter.core.email import Email, fill
from newsletter.ports import Provider
from newsletter.testing.sample import sample_batch, sample_email


@dataclass(frozen=True)
class Arrived:
    """A message as the other side got it, whatever way it was spelled."""

    to: str
    subject: str
    html: str
    text: str
    headers: Mapping[str, str]  # names in lower case

    @classmethod
    def of(cls, message: bytes) -> Arrived:
        """Read a MIME message; line ends become LF."""
        read = stdlib_email.message_from_bytes(message, policy=policy.default)
        bodies = {part.get_content_subtype(): _body(part.get_payload(decode=True)) for part in read.walk()}
        return cls(
            to=str(read["To"]),
            subject=str(read["Subject"]),
            html=bodies.get("html", ""),
            text=bodies.get("plain", ""),
            headers={name.lower(): str(value) for name, value in read.items()},
        )


def _body(payload: object) -> str:
    return payload.decode("utf-8").replace("\r\n", "\n") if isinstance(payload, bytes) else ""


HOSTILE = (
    "Anna\r\nBcc: everyone@example.org",
    "<script>alert(1)</script>",
    '" onclick="x',
    "{{x}} {{{y}}} %recipient.x% -tag- *|X|* [[z]] ${w}",
    "Zoë 🌿 \u202eenola",
    ".\r\n.\r\nQUIT",
    "x" * 3000,
)
"""Values that have broken somebody's mail."""


class ProviderContract:
    """The promises of `newsletter.ports.Provider`. Subclass it as `Test...` and say two things:

    `provider()`  the provider under test, whose other side accepts everything
    `arrived()`   what that other side has got, in order

    `repeats_safely`: whether submitting the same batch twice must not double anybody.
    """

    repeats_safely = False

    def provider(self) -> Provider:
        """The provider, ready to send; new or the same at each call, always with the same other side."""
        raise NotImplementedError

    def arrived(self) -> list[Arrived]:
        """Every message the other side has taken, the oldest first."""
        raise NotImplementedError

    def test_it_has_a_name_and_sane_capabilities(self) -> None:
        """The name fits settings and paths; a batch holds somebody."""
        provider = self.provider()
        assert provider.name.isidentifier()
        assert provider.name == provider.name.lower()
        assert provider.capabilities.max_batch >= 1

    def test_one_outcome_for_each_recipient_in_order(self) -> None:
        """And each of them arrived, once, at the right address."""
        batch = sample_batch(3)
        outcomes = self._submit(sample_email(), batch)
        assert [outcome.key for outcome in outcomes] == [recipient.key for recipient in batch.recipients]
        assert {outcome.status for outcome in outcomes} == {Status.SUBMITTED}
        addresses = [recipient.address for recipient in batch.recipients]
        assert sorted(message.to for message in self.arrived()) == sorted(addresses)

    def test_an_empty_batch_is_no_call(self) -> None:
        """Nobody to write to, nothing sent."""
        result = self.provider().submit(sample_email(), sample_batch(0), key="empty", timeout=5)
        assert result == BatchResult(())
        assert self.arrived() == []

    def test_each_reader_gets_their_own_values_and_headers(self) -> None:
        """Name, way out and one-click headers are the reader's own (RFC 8058)."""
        email, batch = sample_email(), sample_batch(3)
        self._submit(email, batch)
        by_address = {message.to: message for message in self.arrived()}
        for recipient in batch.recipients:
            message = by_address[recipient.address]
            self._assert_as_filled(email, recipient, message)
            if self.provider().capabilities.per_recipient_headers == "yes":
                assert message.headers["list-unsubscribe"] == f"<{recipient.unsubscribe_url}>"
                assert message.headers["list-unsubscribe-post"] == "List-Unsubscribe=One-Click"

    def test_promise_11_hostile_values_arrive_as_what_they_are(self) -> None:
        """No value becomes markup, a header, another reader or a merge tag."""
        email, standard = sample_email(), sample_batch(len(HOSTILE))
        readers = zip(standard.recipients, HOSTILE, strict=True)
        batch = replace(standard, recipients=tuple(one._replace(values={"first_name": evil}) for one, evil in readers))
        self._submit(email, batch)
        by_address = {message.to: message for message in self.arrived()}
        assert set(by_address) == {recipient.address for recipient in batch.recipients}
        for recipient in batch.recipients:
            message = by_address[recipient.address]
            self._assert_as_filled(email, recipient, message)
            assert "bcc" not in message.headers
            assert "cc" not in message.headers

    def test_reconcile_answers_for_each_recipient(self) -> None:
        """An outcome or None for each key and no other; what was never submitted is never SUBMITTED."""
        batch = sample_batch(2)
        found = self.provider().reconcile(batch, key="never-submitted")
        assert set(found) == {recipient.key for recipient in batch.recipients}
        for key, outcome in found.items():
            assert outcome is None or (outcome.key == key and outcome.status is not Status.SUBMITTED)

    def test_promise_1_the_same_batch_again_doubles_nobody(self) -> None:
        """For providers that promise it: one copy each, and the same answer."""
        if not self.repeats_safely:
            return
        email, batch = sample_email(), sample_batch(3)
        first, second = self._submit(email, batch), self._submit(email, batch)
        assert second == first
        assert len(self.arrived()) == len(batch.recipients)

    def _submit(self, email: Email, batch: Batch) -> list[Outcome]:
        """The batch in calls of at most `max_batch`; no answer may tell an address (promise 12)."""
        provider = self.provider()
        rows = iter(batch.recipients)
        outcomes: list[Outcome] = []
        while part := tuple(islice(rows, provider.capabilities.max_batch)):
            result = provider.submit(email, replace(batch, recipients=part), key=f"key-{part[0].key}", timeout=10)
            assert [outcome.key for outcome in result.outcomes] == [recipient.key for recipient in part]
            outcomes += result.outcomes
        for outcome, recipient in zip(outcomes, batch.recipients, strict=True):
            assert recipient.address not in outcome.detail + outcome.code
        return outcomes

    def _assert_as_filled(self, email: Email, recipient: Recipient, message: Arrived) -> None:
        values = {**recipient.values, "unsubscribe_url": recipient.unsubscribe_url}
        assert message.subject == fill(email.subject, values)
        assert message.html == _one_line_end(fill(email.html, values))
        assert message.text == _one_line_end(fill(email.text, values))


def _one_line_end(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n")
