"""Reports of mail systems: who it is about, and whose fault it was."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from newsletter.core.bouncemail import events_of, is_standard, meaning, return_path
from newsletter.core.event import EventType

NOW = datetime(2026, 12, 2, tzinfo=UTC)
KEY = "0123456789abcdef-fedcba9876543210"


def dsn(action: str, status: str, said: str, *, to: str = "us@quiet.example", who: str = "ann@x.test") -> bytes:
    return f"""From: MAILER-DAEMON@mx.x.test
To: {to}
Date: Tue, 01 Dec 2026 18:00:00 +0000
Message-ID: <report-1@mx.x.test>
Subject: Undelivered Mail Returned to Sender
Auto-Submitted: auto-replied
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status; boundary="b"

--b
Content-Type: text/plain

Sorry.

--b
Content-Type: message/delivery-status

Reporting-MTA: dns; mx.x.test

Final-Recipient: rfc822; {who}
Action: {action}
Status: {status}
Diagnostic-Code: smtp; {said}

--b
Content-Type: text/rfc822-headers

From: letters@quiet.example
To: {who}
Message-ID: <{KEY}@quiet.example>
Subject: A quiet week

--b--
""".encode()


def only(message: bytes):
    events = events_of(message, NOW)
    assert len(events) == 1, events
    return events[0]


@pytest.mark.parametrize(
    ("action", "status", "said", "want"),
    [
        ("failed", "5.1.1", "550 5.1.1 <ann@x.test>: User unknown in local table", ("bounced", True, "invalid")),
        ("failed", "5.0.0", "550 No such user here", ("bounced", True, "invalid")),
        ("failed", "5.4.1", "550 5.4.1 Recipient address rejected: Access denied", ("bounced", True, "invalid")),
        ("failed", "5.2.1", "550 5.2.1 The account is disabled", ("bounced", True, "invalid")),
        ("failed", "5.2.2", "552 5.2.2 mailbox full", ("bounced", False, "bounce")),
        ("failed", "5.2.1", "550 5.2.1 is receiving mail at a rate that", ("bounced", False, "block")),
        ("failed", "5.7.1", "554 5.7.1 Service unavailable; blocked using a list", ("bounced", False, "block")),
        ("failed", "5.1.0", "550 5.1.0 sender rejected", ("bounced", False, "block")),
        ("failed", "5.7.515", "550 5.7.515 Access denied", ("bounced", False, "authentication")),
        ("failed", "5.7.26", "550-5.7.26 unauthenticated sender", ("bounced", False, "authentication")),
        ("failed", "5.0.0", "550 5.7.30 no DKIM", ("bounced", False, "authentication")),
        ("failed", "5.3.4", "552 5.3.4 message too big", ("failed", None, "")),
        ("failed", "5.6.0", "554 5.6.0 bad content", ("failed", None, "")),
        ("failed", "4.4.7", "delivery time expired", ("bounced", False, "bounce")),
        ("failed", "4.1.1", "450 4.1.1 unknown for now", ("bounced", False, "invalid")),
        ("delayed", "4.4.1", "connection timed out", ("deferred", False, "")),
        ("delivered", "2.0.0", "250 ok", ("delivered", None, "")),
        ("relayed", "2.0.0", "250 ok", ("ignored", None, "")),
        ("failed", "5.0.0", "554 something else", ("bounced", False, "bounce")),
    ],
)  # fmt: skip
def test_what_a_delivery_status_means(action: str, status: str, said: str, want: tuple[str, bool | None, str]) -> None:
    event = only(dsn(action, status, said))
    assert (event.type, event.permanent, event.reason) == want
    assert (event.email, event.key, event.message_id) == ("ann@x.test", KEY, f"<{KEY}@quiet.example>")
    assert event.at == datetime(2026, 12, 1, 18, tzinfo=UTC)


def test_the_return_path_tells_whose_it_is_whatever_the_text_says() -> None:
    other = "aaaaaaaaaaaaaaaa-bbbbbbbbbbbbbbbb"
    path = return_path(other, "bounces.quiet.example")
    event = only(dsn("failed", "5.1.1", "550 5.1.1 unknown", to=path, who="forwarded@y.test"))
    assert event.key == other


def test_the_same_report_is_the_same_event_and_another_is_another() -> None:
    first, again = only(dsn("failed", "5.1.1", "550")), only(dsn("failed", "5.1.1", "550"))
    other = only(dsn("failed", "5.1.1", "550").replace(b"report-1", b"report-2"))
    assert first.event_id == again.event_id != other.event_id


def test_a_clock_that_is_wrong_does_not_make_a_report_of_tomorrow() -> None:
    assert only(dsn("failed", "5.1.1", "550").replace(b"2026", b"2031")).at == NOW


ARF = """From: feedback@loop.test
To: abuse@quiet.example
Date: Tue, 01 Dec 2026 18:00:00 +0000
Message-ID: <arf@loop.test>
Content-Type: multipart/report; report-type=feedback-report; boundary="b"
MIME-Version: 1.0

--b
Content-Type: text/plain

This is a report.

--b
Content-Type: message/feedback-report

Feedback-Type: {kind}
Version: 1
User-Agent: Loop/1.0
{who}
--b
Content-Type: message/rfc822

From: letters@quiet.example
To: ann@x.test
Message-ID: <{key}@quiet.example>
Subject: A quiet week

Hello
--b--
"""


@pytest.mark.parametrize(
    ("kind", "who", "want"),
    [
        ("abuse", "Original-Rcpt-To: rfc822; ann@x.test\n", ("complained", "ann@x.test")),
        ("abuse", "", ("complained", "ann@x.test")),
        ("fraud", "", ("complained", "ann@x.test")),
        ("not-spam", "", ("ignored", "ann@x.test")),
        ("opt-out", "", ("unsubscribed", "ann@x.test")),
        ("dkim-failure", "", ("ignored", "ann@x.test")),
    ],
)  # fmt: skip
def test_what_an_abuse_report_means(kind: str, who: str, want: tuple[str, str]) -> None:
    event = only(ARF.format(kind=kind, who=who, key=KEY).encode())
    assert (event.type, event.email) == want
    assert event.key == KEY


EXIM = f"""Return-path: <>
From: Mail Delivery System <Mailer-Daemon@mail.x.test>
To: letters@quiet.example
X-Failed-Recipients: ann@x.test
Auto-Submitted: auto-replied
Subject: Mail delivery failed: returning message to sender
Message-Id: <E1-exim@mail.x.test>

This message was created automatically by mail delivery software.

  ann@x.test
    SMTP error from remote mail server after RCPT TO:<ann@x.test>:
    550 5.1.1 mailbox unavailable

------ This is a copy of the message, including all the headers. ------

Message-ID: <{KEY}@quiet.example>
To: ann@x.test
Subject: A quiet week, 552 5.2.2 mailbox full is what this letter is about
"""

QMAIL = """Return-Path: <>
From: MAILER-DAEMON@x.test
To: letters@quiet.example
Subject: failure notice
Message-Id: <qmail@x.test>

Hi. This is the qmail-send program at x.test.
I'm afraid I wasn't able to deliver your message to the following addresses.
This is a permanent error; I've given up. Sorry it didn't work out.

<ann@x.test>:
Sorry, no mailbox here by that name. (#5.1.1)

--- Below this line is a copy of the message.
"""

HOMEMADE = """Return-Path: <>
From: "Mail Deliver System" <MAILER-DAEMON@x.test>
To: letters@quiet.example
Subject: Returned Mail: User unknown
Message-Id: <own@x.test>

The following addresses had errors

ann@x.test [User unknown]
"""


@pytest.mark.parametrize("message", [EXIM, QMAIL, HOMEMADE], ids=["exim", "qmail", "its own form"])
def test_systems_without_delivery_status_are_understood(message: str) -> None:
    event = only(message.encode())
    assert (event.type, event.reason, event.email) == ("bounced", "invalid", "ann@x.test")
    assert event.permanent is (event.key == KEY), "a free text without our mark is never believed for good"


VACATION = f"""From: ann@x.test
To: letters@quiet.example
Subject: Away until Monday
Auto-Submitted: auto-replied
In-Reply-To: <{KEY}@quiet.example>
Message-ID: <away@x.test>

I am away. For urgent mail write to ben@x.test; this address is no longer read on Fridays.
"""


def test_an_automatic_answer_is_no_bounce() -> None:
    assert events_of(VACATION.encode(), NOW) == []
    to_the_path = VACATION.replace("letters@quiet.example\nS", f"{return_path(KEY, 'b.quiet.example')}\nS")
    assert only(to_the_path.encode()).type is EventType.IGNORED


@pytest.mark.parametrize("sender", ["Ann <ann@x.test>", "no-reply@x.test"])
@pytest.mark.parametrize(
    "header",
    [
        "Auto-Submitted: auto-generated",
        "Auto-Submitted: auto-replied (vacation)",
        "X-Auto-Response-Suppress: All",
        "Precedence: auto_reply",
        "Precedence: Auto-Reply",
        "X-Autoreply: yes",
    ],
)
def test_a_machine_that_answers_for_a_person_says_nothing_of_the_address(sender: str, header: str) -> None:
    answer = f"""Return-Path: <>
From: {sender}
To: {return_path(KEY, "b.quiet.example")}
Subject: Automatic reply, returning on Monday
{header}

I could not read it. Undeliverable things go to ben@x.test.
"""
    assert only(answer.encode()).type is EventType.IGNORED


def test_an_empty_return_path_alone_makes_no_bounce() -> None:
    answer = f"""Return-Path: <>
From: Ann <ann@x.test>
To: {return_path(KEY, "b.quiet.example")}
Subject: Away, returning on Monday

It could not be read.
"""
    assert only(answer.encode()).type is EventType.IGNORED
    assert only(answer.replace("Ann <ann@", "Sysadmin <sysadmin@").encode()).type is EventType.BOUNCED


def test_a_mail_system_may_call_its_report_an_answer() -> None:
    report = f"""From: "Mail Delivery System" <mailer-daemon@mx.x.test>
To: {return_path(KEY, "b.quiet.example")}
Subject: Mail delivery failed: returning message to sender
Auto-Submitted: auto-replied

This mail was made by a program. The following address failed:

ann@x.test:
SMTP error from the remote server for RCPT TO, host: mx.x.test reason: 550 5.1.1 User unknown
"""
    event = only(report.encode())
    assert (event.type, event.permanent, event.reason, event.key) == ("bounced", True, "invalid", KEY)


@pytest.mark.parametrize(
    ("sender", "subject"), [("staff@hotmail.com", "hello"), ("loop@x.test", "Complaint about message from 192.0.2.1")]
)
def test_outlook_reports_a_complaint_in_a_form_of_its_own(sender: str, subject: str) -> None:
    report = f"""From: {sender}
Subject: {subject}
To: abuse@quiet.example
MIME-Version: 1.0
Content-Type: multipart/mixed; boundary="b"

--b
Content-Type: message/rfc822

X-HmXmrOriginalRecipient: ann@x.test
To: undisclosed@x.test
Message-ID: <{KEY}@quiet.example>
Subject: A quiet week

Hello
--b--
"""
    event = only(report.encode())
    assert (event.type, event.email, event.key) == (EventType.COMPLAINED, "ann@x.test", KEY)
    assert is_standard(report.encode())
    assert not is_standard(report.replace(sender, "x@x.test").replace(subject, "x").encode())


@pytest.mark.parametrize(
    "message",
    [
        b"",
        b"\x00\xff",
        b"Subject: hello\n\nHow are you?",
        b"Content-Type: multipart/report; boundary=x\n\n--x\n",
        b"Date: never\n\n",
    ],
)
def test_what_is_no_report_is_no_event_and_no_error(message: bytes) -> None:
    assert events_of(message, NOW) == []


@pytest.mark.parametrize("charset", ["undefined", '"a\0b"', "idna", "punycode"])
def test_a_mail_in_no_known_letters_breaks_nothing(charset: str) -> None:
    mail = f"From: a@b.test\nContent-Type: text/plain; charset={charset}\n\nh\u00ef, undeliverable\n"
    assert events_of(mail.encode(), NOW) == []
    assert events_of(b"Content-Type: message/rfc822\n\n" * 3000, NOW) == []


def test_meaning_reads_the_servers_own_code_before_the_relays() -> None:
    assert meaning("failed", "5.0.0", "552-5.2.2 over quota 552 5.2.2 see help") == (EventType.BOUNCED, False, "bounce")
