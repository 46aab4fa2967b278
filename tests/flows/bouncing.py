"""Reports as mail systems write them, about one mail of ours: its Message-ID, its way out, its reader."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Sent:
    """What the mail carried that came back."""

    message_id: str
    way_out: str
    to: str

    @property
    def headers(self) -> str:
        """As a mail system sends them back."""
        return f"""From: Quiet Letters <letters@quiet.example>
To: {self.to}
Message-ID: {self.message_id}
List-Unsubscribe:
 <https://letters.quiet.example/unsubscribe/{self.way_out}>
List-Unsubscribe-Post: List-Unsubscribe=One-Click
Subject: A quiet week"""


def postfix(sent: Sent) -> str:
    return f"""Return-Path: <>
From: MAILER-DAEMON@mx.x.test (Mail Delivery System)
To: letters@quiet.example
Date: Tue, 01 Dec 2026 18:00:00 +0000
Subject: Undelivered Mail Returned to Sender
Auto-Submitted: auto-replied
Message-Id: <20261201180000.1@mx.x.test>
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status; boundary="A/mx.x.test"

--A/mx.x.test
Content-Type: text/plain; charset=us-ascii

This is the mail system at host mx.x.test.

<{sent.to}>: host in.x.test[192.0.2.1] said: 550 5.1.1 <{sent.to}>: Recipient
    address rejected: User unknown (in reply to RCPT TO command)

--A/mx.x.test
Content-Type: message/delivery-status

Reporting-MTA: dns; mx.x.test
X-Postfix-Queue-ID: 4F2
Arrival-Date: Tue,  1 Dec 2026 17:59:58 +0000 (UTC)

Final-Recipient: rfc822; {sent.to}
Original-Recipient: rfc822;{sent.to}
Action: failed
Status: 5.1.1
Remote-MTA: dns; in.x.test
Diagnostic-Code: smtp; 550 5.1.1 <{sent.to}>: Recipient address rejected: User unknown

--A/mx.x.test
Content-Type: text/rfc822-headers

{sent.headers}

--A/mx.x.test--
"""


def exim(sent: Sent) -> str:
    return f"""Return-path: <>
From: Mail Delivery System <Mailer-Daemon@mail.x.test>
To: letters@quiet.example
Date: Tue, 01 Dec 2026 18:00:00 +0000
X-Failed-Recipients: {sent.to}
Auto-Submitted: auto-replied
Subject: Mail delivery failed: returning message to sender
Message-Id: <E1-0001@mail.x.test>

This message was created automatically by mail delivery software.

A message that you sent could not be delivered to one or more of its
recipients. This is a permanent error. The following address(es) failed:

  {sent.to}
    host in.x.test [192.0.2.1]
    SMTP error from remote mail server after RCPT TO:<{sent.to}>:
    550 5.1.1 no mailbox here by that name

------ This is a copy of the message, including all the headers. ------

{sent.headers}

Hello
"""


def exchange(sent: Sent) -> str:
    return f"""From: Microsoft Outlook <MicrosoftExchange329e@x.test>
To: letters@quiet.example
Date: Tue, 01 Dec 2026 18:00:00 +0000
Content-Type: multipart/report; report-type=delivery-status; boundary="_7c_"
Message-ID: <ndr-1@x.test>
Subject: Undeliverable: A quiet week
Auto-Submitted: auto-replied
MIME-Version: 1.0

--_7c_
Content-Type: multipart/alternative; boundary="_alt_"

--_alt_
Content-Type: text/plain; charset="us-ascii"

Delivery has failed to these recipients or groups:

{sent.to}<mailto:{sent.to}>
The email address you entered couldn't be found.

--_alt_--

--_7c_
Content-Type: message/delivery-status

Reporting-MTA: dns;mail.x.test
Received-From-MTA: dns;out.quiet.example
Arrival-Date: Tue, 1 Dec 2026 17:59:58 +0000

Final-Recipient: rfc822;{sent.to}
Action: failed
Status: 5.1.10
Diagnostic-Code: smtp;550 5.1.10 RESOLVER.ADR.RecipientNotFound; Recipient {sent.to} not found by SMTP address lookup
X-Display-Name: Ann

--_7c_
Content-Type: message/rfc822

{sent.headers}
Content-Type: text/plain

Hello
--_7c_--
"""


def gmail(sent: Sent) -> str:
    return f"""Return-Path: <>
From: Mail Delivery Subsystem <mailer-daemon@googlemail.test>
To: letters@quiet.example
Date: Tue, 01 Dec 2026 10:00:00 -0800
X-Failed-Recipients: {sent.to}
Auto-Submitted: auto-replied
Subject: Delivery Status Notification (Failure)
References: {sent.message_id}
In-Reply-To: {sent.message_id}
Message-ID: <65a.gmr@mx.googlemail.test>
Content-Type: multipart/report; boundary="000e"; report-type=delivery-status
MIME-Version: 1.0

--000e
Content-Type: text/plain; charset="UTF-8"


** Address not found **

Your message wasn't delivered to {sent.to} because the address couldn't be found.

--000e
Content-Type: message/delivery-status

Reporting-MTA: dns; googlemail.test
Arrival-Date: Tue, 01 Dec 2026 09:59:58 -0800 (PST)
X-Original-Message-ID: {sent.message_id}

Final-Recipient: rfc822; {sent.to}
Action: failed
Status: 5.1.1
Remote-MTA: dns; gmail-smtp-in.l.test. (192.0.2.1, the server for the domain.)
Diagnostic-Code: smtp; 550-5.1.1 The email account that you tried to reach does not exist. Please try
 550 5.1.1 double-checking the recipient's email address
Last-Attempt-Date: Tue, 01 Dec 2026 10:00:00 -0800 (PST)

--000e
Content-Type: message/rfc822

{sent.headers}

Hello
--000e--
"""


def yahoo(sent: Sent) -> str:
    """A feedback loop's report: every address is blacked out, and so is the Message-ID when a relay gave its own."""
    headers = sent.headers.replace(sent.to, "redacted@yahoo.test").replace(sent.message_id, "<7f@relay.test>")
    return f"""From: Yahoo Mail AntiSpam Feedback <feedback@arf.mail.test>
To: abuse@quiet.example
Date: Tue, 01 Dec 2026 18:00:00 +0000
Subject: FW: A quiet week
Message-ID: <arf-1@arf.mail.test>
MIME-Version: 1.0
Content-Type: multipart/report; report-type=feedback-report; boundary="----=_P"

------=_P
Content-Type: text/plain; charset=US-ASCII

This is an email abuse report for an email message from quiet.example.

------=_P
Content-Type: message/feedback-report

Feedback-Type: abuse
User-Agent: Yahoo!-Mail-Feedback/1.0
Version: 0.1
Original-Mail-From: <letters@quiet.example>
Original-Rcpt-To: redacted@yahoo.test
Reported-Domain: quiet.example

------=_P
Content-Type: message/rfc822
Content-Disposition: inline

{headers}

Hello
------=_P--
"""


FORMS = {one.__name__: one for one in (postfix, exim, exchange, gmail, yahoo)}
