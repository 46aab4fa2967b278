"""Any SMTP server: one message at a time, each reader's answer of its own.

What a lost connection means hangs on one moment: before the first byte of the message has left, nothing
can have been sent (RETRY); after it, only the server knows (UNKNOWN). Nothing is tried twice here, but for
one case that is safe: a kept connection that the server had closed while it was idle is opened anew.

Replies: RFC 5321 4.2. Authentication: RFC 4954. Capabilities say one message a call, so that a lost answer
leaves one reader uncertain, not a batch.

Whose fault a refusal is decides whether one reader is refused or the run stops. The reply code does not say, as
a server that has had enough of the sender says 550 too; the enhanced status code does (RFC 3463, the registry of
RFC 5248): `_OURS` holds what is about us. X.7.1, "delivery not authorized", is said by mailboxes that take mail
from few, and by servers that refuse us altogether; it refuses its reader, and a run that is refused many times in
a row has a brake (`flows/send.py`).
"""

from __future__ import annotations

import re
import smtplib
import ssl
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, SecretStr

from newsletter.core import mime
from newsletter.core.bouncemail import return_path
from newsletter.core.delivery import (
    Batch,
    BatchResult,
    Capabilities,
    Finding,
    Outcome,
    Recipient,
    Signing,
    Status,
    on_this_machine,
)
from newsletter.core.email import Email
from newsletter.core.redact import redacted
from newsletter.errors import AddressRefused, ProviderError

Security = Literal["starttls", "tls", "none"]
Halt = Literal["", "auth", "quota", "account", "bug"]
Stage = Literal["connect", "login", "mail", "rcpt", "data", "end"]

PAUSE = 60.0
"""Seconds all senders wait when a server says "later" or cannot be reached."""


_NONE = SecretStr("")


@dataclass(frozen=True)
class Section:
    """Its settings."""

    host: str = ""
    port: Annotated[int, Field(ge=1, le=65535)] = 587
    username: str = ""
    password: SecretStr = _NONE
    security: Security = "starttls"
    bounces: str = ""  # a domain of ours that takes mail: then each mail has a return path of its own


def build(section: Section, root: Path) -> Smtp:  # noqa: ARG001
    """The provider as set up."""
    return Smtp(
        host=section.host,
        port=section.port,
        username=section.username,
        password=section.password.get_secret_value(),
        security=section.security,
        bounces=section.bounces,
    )


class Smtp:
    """Submits to one server over connections that are kept and used again, one for each thread at work.

    `security`: "starttls" (port 587), "tls" (port 465) or "none"; certificates are verified against
    `context`, by default the system's authorities. With `bounces`, a domain that takes mail for us, the return
    path names the delivery (VERP): `newsletter bounces import` knows a bounce by where it comes. A
    password goes in the clear to this machine alone.
    Raises: ProviderError for settings that cannot work.
    """

    name = "smtp"
    capabilities = Capabilities(max_batch=1)
    """Of any server; one on this machine is no network (a server to try things with may get links to it)."""

    def __init__(
        self,
        *,
        host: str,
        port: int = 587,
        username: str = "",
        password: str = "",
        security: Security = "starttls",
        bounces: str = "",
        context: ssl.SSLContext | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        _refuse_what_cannot_work(host, username + password, security)
        signing = Signing(return_path=bounces or "{domain}")  # who signs is the server's own affair
        self.capabilities = replace(Smtp.capabilities, network=not on_this_machine(host), signing=signing)
        self._host, self._port = host, port
        self._username, self._password = username, password
        self._security = security
        self._bounces = bounces
        self._context = context if context or security == "none" else ssl.create_default_context()
        self._monotonic = monotonic
        self._idle: deque[smtplib.SMTP] = deque()  # append and pop are atomic

    def submit(self, email: Email, batch: Batch, *, key: str, timeout: float) -> BatchResult:  # noqa: ARG002
        """Hand over the messages one after the other; stops at an answer that holds for all.

        In: the email, the rows, seconds for each message from connecting to the last answer; `key` means
        nothing to SMTP. Out: SUBMITTED with the Message-ID; REJECTED (5yz for this reader); RETRY alone (4yz
        for this reader), with `retry_after` (4yz for all, no connection) or with a halt ("auth": 530, 535;
        "quota": X.4.5; "account": the sender, our policy or the certificate is refused); UNKNOWN (the answer
        to the message was lost).
        """
        if not all(mime.is_safe(recipient.key) for recipient in batch.recipients):
            unsafe = _Verdict(
                Status.RETRY, code="key", detail="A delivery key is not fit for a Message-ID.", halt="bug"
            )
            return _result(batch, [], unsafe)
        try:
            template = mime.compile(email)
        except ProviderError as problem:
            return _result(batch, [], _Verdict(Status.RETRY, "email", problem.what, halt="account"))
        outcomes: list[Outcome] = []
        for recipient in batch.recipients:
            verdict, message_id = self._submitted(template, recipient, batch, timeout)
            if verdict.stops:
                return _result(batch, outcomes, verdict)
            outcomes.append(_outcome(recipient, verdict, message_id))
        return BatchResult(tuple(outcomes))

    def reconcile(self, batch: Batch, *, key: str) -> Mapping[str, Outcome | None]:  # noqa: ARG002
        """None for every row: SMTP cannot be asked what became of a message."""
        return {recipient.key: None for recipient in batch.recipients}

    def check(self, need: int) -> Sequence[Finding]:  # noqa: ARG002
        """Nothing: a server tells of its limits only when they are reached."""
        return []

    def close(self) -> None:
        """Say goodbye on the connections that are kept."""
        while self._idle:
            with suppress(smtplib.SMTPException, OSError, IndexError):
                self._idle.pop().quit()

    def _submitted(
        self, template: mime.MessageTemplate, recipient: Recipient, batch: Batch, timeout: float
    ) -> tuple[_Verdict, str]:
        message_id = mime.message_id(recipient.key, template.domain)
        try:
            message = template.message(recipient, at=batch.at, message_id=message_id)
        except AddressRefused as refused:
            return _Verdict(Status.REJECTED, code="address", detail=refused.what), message_id
        sender = return_path(recipient.key, self._bounces) if self._bounces else template.sender
        envelope = _Envelope(sender, recipient.address, message)
        verdict = _judged(self._reply(envelope, self._monotonic() + timeout))
        return verdict.without(recipient.address, self._username, self._password), message_id

    def _reply(self, envelope: _Envelope, deadline: float) -> _Reply:
        """The answer that decides: on a kept connection if it still lives, else on a new one."""
        with suppress(IndexError):
            kept = self._idle.pop()
            reply = self._sent(kept, envelope, deadline)
            if not reply.stale:
                return reply
        try:
            fresh = self._opened(envelope, deadline)
        except _Refused as refused:
            return refused.reply
        return self._sent(fresh, envelope, deadline)

    def _sent(self, connection: smtplib.SMTP, envelope: _Envelope, deadline: float) -> _Reply:
        """One mail transaction (RFC 5321 3.3). The connection is kept when it is ready for the next."""
        ready = False
        try:
            reply = self._transaction(connection, envelope, deadline)
            ready = not reply.lost and not reply.stale and self._is_ready(connection, reply, deadline)
        finally:  # whatever comes, an interrupt too: a connection in the middle of a message is never used again
            if ready:
                self._idle.append(connection)
            else:
                connection.close()
        return reply

    def _transaction(self, connection: smtplib.SMTP, envelope: _Envelope, deadline: float) -> _Reply:
        commands: tuple[tuple[Stage, str, str], ...] = (
            ("mail", "MAIL", f"FROM:<{envelope.sender}>"),
            ("rcpt", "RCPT", f"TO:<{envelope.address}>"),
            ("data", "DATA", ""),
        )
        for stage, verb, argument in commands:
            try:
                self._limit(connection, deadline)
                code, text = connection.docmd(verb, argument)
            except (smtplib.SMTPException, OSError) as problem:
                return _Reply.lost_at(stage, problem)
            if code // 100 != (3 if stage == "data" else 2):
                return _Reply(stage, code, text)
        if self._left(deadline) <= 0:
            return _Reply("data", lost=TimeoutError())
        try:  # from here on, what is lost is unknown
            self._limit(connection, deadline)
            connection.send(envelope.on_the_wire)
            self._limit(connection, deadline)
            return _Reply("end", *connection.getreply())
        except (smtplib.SMTPException, OSError) as problem:
            return _Reply.lost_at("end", problem)

    def _is_ready(self, connection: smtplib.SMTP, reply: _Reply, deadline: float) -> bool:
        """After a refusal the transaction is still open: RSET ends it."""
        if reply.stage == "end":
            return reply.code != _CLOSING
        try:
            self._limit(connection, deadline)
            return connection.rset()[0] == _OK
        except (smtplib.SMTPException, OSError):
            return False

    def _opened(self, envelope: _Envelope, deadline: float) -> smtplib.SMTP:
        """A new connection, secured and logged in. Raises: _Refused."""
        try:
            connection = self._connected(envelope.sender.rpartition("@")[2], max(0.001, self._left(deadline)))
        except (smtplib.SMTPException, OSError) as problem:
            raise _Refused(_Reply.of("connect", problem)) from None
        stage: Stage = "connect"
        try:
            if self._security == "starttls":
                connection.ehlo_or_helo_if_needed()
                self._limit(connection, deadline)
                connection.starttls(context=self._context)
            self._limit(connection, deadline)
            connection.ehlo_or_helo_if_needed()
            stage = "login"
            self._limit(connection, deadline)
            if self._username:
                connection.login(self._username, self._password)
        except (smtplib.SMTPException, OSError) as problem:
            connection.close()
            raise _Refused(_Reply.of(stage, problem)) from None
        return connection

    def _connected(self, own_name: str, timeout: float) -> smtplib.SMTP:
        """EHLO says the sender's domain: asking the system for this machine's name can take seconds."""
        if self._security == "tls":
            return smtplib.SMTP_SSL(self._host, self._port, own_name, timeout=timeout, context=self._context)
        return smtplib.SMTP(self._host, self._port, own_name, timeout=timeout)

    def _limit(self, connection: smtplib.SMTP, deadline: float) -> None:
        """Let the next answer take what is left of the time. Raises: TimeoutError when nothing is."""
        left = self._left(deadline)
        if left <= 0:
            raise TimeoutError
        if connection.sock is not None:
            connection.sock.settimeout(left)

    def _left(self, deadline: float) -> float:
        return deadline - self._monotonic()


_OK = 250
_CLOSING = 421


@dataclass(frozen=True, slots=True)
class _Envelope:
    sender: str
    address: str
    message: bytes

    @property
    def on_the_wire(self) -> bytes:
        """The message with dots doubled at line starts, and its end (RFC 5321 4.5.2)."""
        return self.message.replace(b"\n.", b"\n..") + b".\r\n"  # its first line is a header, never a dot


@dataclass(frozen=True, slots=True)
class _Reply:
    """What came back at a stage; `lost` is why nothing did."""

    stage: Stage
    code: int = 0
    text: bytes = b""
    lost: Exception | None = None

    @classmethod
    def lost_at(cls, stage: Stage, problem: Exception) -> _Reply:
        return cls(stage, lost=problem)

    @classmethod
    def of(cls, stage: Stage, problem: Exception) -> _Reply:
        """A refusal as smtplib raises it: with the server's reply, or without."""
        if isinstance(problem, smtplib.SMTPResponseException):
            error = problem.smtp_error
            return cls(stage, problem.smtp_code, error.encode() if isinstance(error, str) else error)
        return cls.lost_at(stage, problem)

    @property
    def stale(self) -> bool:
        """The server had enough of this connection, before any byte of the message."""
        closed = self.lost is not None or self.code == _CLOSING
        return self.stage != "end" and (closed or (self.stage == "mail" and self.code // 100 == _LATER))


class _Refused(Exception):
    def __init__(self, reply: _Reply) -> None:
        super().__init__()
        self.reply = reply


@dataclass(frozen=True, slots=True)
class _Verdict:
    """A reply, judged."""

    status: Status
    code: str = ""
    detail: str = ""
    retry_after: float | None = None
    halt: Halt = ""

    @property
    def stops(self) -> bool:
        return bool(self.halt) or self.retry_after is not None

    def without(self, *secrets: str) -> _Verdict:
        return _Verdict(self.status, self.code, redacted(self.detail, secrets), self.retry_after, self.halt)


def _judged(reply: _Reply) -> _Verdict:
    if reply.lost is not None:
        return _lost(reply.stage, reply.lost)
    text = reply.text.decode("utf-8", "replace")
    kind = reply.code // 100
    if kind == _LATER:
        return _Verdict(Status.RETRY, str(reply.code), text, retry_after=None if _is_readers(reply, text) else PAUSE)
    if kind == _NEVER:
        return _refusal(reply.stage, str(reply.code), text)
    if reply.stage == "end":
        return _Verdict(Status.SUBMITTED if kind == _DONE else Status.UNKNOWN, str(reply.code), text)
    return _Verdict(Status.RETRY, str(reply.code), f"The answer was not understood. {text}", retry_after=PAUSE)


def _refusal(stage: Stage, code: str, text: str) -> _Verdict:
    """A 5yz: whose fault it is decides whether one reader or the whole run stops."""
    if stage == "login" or code in _NOT_LOGGED_IN:
        return _Verdict(Status.RETRY, code, text, halt="auth")
    about = _enhanced(text)
    if _is_about(about, _QUOTA):
        return _Verdict(Status.RETRY, code, text, halt="quota")
    if stage in {"connect", "mail"} or (_is_about(about, _OURS) and not _is_about(about, _THEIRS)):
        return _Verdict(Status.RETRY, code, text, halt="account")
    return _Verdict(Status.REJECTED, code, text)


def _is_readers(reply: _Reply, text: str) -> bool:
    """Whether a 4yz is about this reader alone: of the mailbox, or of the RCPT with nothing that says "us"."""
    if reply.code == _CLOSING or reply.stage in {"connect", "login", "mail"}:
        return False
    about = _enhanced(text)
    if _is_about(about, ("1", "2")):
        return True
    return reply.stage == "rcpt" and not _is_about(about, ("3", *_QUOTA, *_OURS_FOR_NOW))


def _enhanced(text: str) -> str:
    """The subject and detail of an enhanced status code (RFC 2034): "7.26" of "5.7.26 ..."; empty when none."""
    found = _ENHANCED.match(text)
    return found[1] if found else ""


def _is_about(enhanced: str, these: tuple[str, ...]) -> bool:
    """Whether a code is one of these, or of a subject among them."""
    return enhanced in these or enhanced.partition(".")[0] in these


_ENHANCED = re.compile(r"[245]\.(\d{1,3}\.\d{1,3})(?!\d)")
_QUOTA = ("4.5",)  # "mail system congestion": what servers say at the end of a day's quota
_OURS = ("3.4", "7")  # the letter is too big for the server; security and policy: all of it, but for
_THEIRS = ("7.1", "7.2", "7.17", "7.18", "7.19")  # not authorized, a closed list, an owner who changed (RFC 7293)
_OURS_FOR_NOW = ("7.0", "7.28")  # too much, too fast; a 4.7.1 is a greylist and of one reader


_DONE, _LATER, _NEVER = 2, 4, 5
_NOT_LOGGED_IN = {"530", "534", "535", "538"}


def _lost(stage: Stage, problem: Exception) -> _Verdict:
    if stage == "end":
        return _Verdict(Status.UNKNOWN, "lost", "The connection was lost after the message was on its way.")
    if isinstance(problem, ssl.SSLCertVerificationError):
        why = f"The server's certificate is not trusted: {problem.verify_message}."
        return _Verdict(Status.RETRY, "certificate", why, halt="account")
    if isinstance(problem, smtplib.SMTPNotSupportedError) or type(problem) is smtplib.SMTPException:
        return _unable(stage)
    why = problem.strerror if isinstance(problem, OSError) and problem.strerror else "the connection was lost"
    return _Verdict(Status.RETRY, stage, f"The mail server cannot be reached: {why}.", retry_after=PAUSE)


def _unable(stage: Stage) -> _Verdict:
    """The server does not offer what the settings ask for."""
    if stage == "login":
        return _Verdict(Status.RETRY, "auth", "The server offers no login that this program knows.", halt="auth")
    why = "The server offers no STARTTLS; use its TLS port, or set security to tls."
    return _Verdict(Status.RETRY, "starttls", why, halt="account")


def _outcome(recipient: Recipient, verdict: _Verdict, message_id: str) -> Outcome:
    known = message_id if verdict.status in {Status.SUBMITTED, Status.UNKNOWN} else None
    return Outcome(recipient.key, verdict.status, known, verdict.code, verdict.detail)


def _result(batch: Batch, outcomes: list[Outcome], verdict: _Verdict) -> BatchResult:
    """An answer that holds for everybody: the rest of the batch was surely not sent."""
    rest = batch.recipients[len(outcomes) :]
    unsent = (Outcome(recipient.key, Status.RETRY, None, verdict.code, verdict.detail) for recipient in rest)
    return BatchResult((*outcomes, *unsent), verdict.retry_after, verdict.halt)


def _refuse_what_cannot_work(host: str, credentials: str, security: Security) -> None:
    if not host:
        raise ProviderError("The smtp provider has no server.", "Set NEWSLETTER_SMTP__HOST.")
    if not credentials.isascii():
        raise ProviderError(
            "The SMTP user name or password has characters beyond ASCII.", "Ask the provider for an ASCII password."
        )
    if credentials and security == "none" and not on_this_machine(host):
        raise ProviderError(
            "The SMTP password would travel readable by anyone on the way.",
            "Set NEWSLETTER_SMTP__SECURITY to starttls or tls.",
        )
