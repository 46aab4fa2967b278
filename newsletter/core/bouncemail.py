"""A mail about a mail: what a mail system, or somebody's spam button, says of one of ours.

    events_of(message, now)  ->  Event...       delivery status (RFC 3464), abuse reports (RFC 5965), and the free
                                                forms of systems that know neither

Who it is about is told by our own marks: the key in the return path, the Message-ID of what came back, the credential
in its List-Unsubscribe (some mailbox providers black out every address in a report, and leave that). The address in
the text is told as it stands: mail is forwarded, a report may name an address we never wrote to, and anybody can write
one.
"""

from __future__ import annotations

import email
import re
from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from datetime import UTC, datetime
from email import policy
from email.message import Message
from email.utils import parseaddr, parsedate_to_datetime
from hashlib import sha256

from newsletter.core.address import mentioned
from newsletter.core.event import Event, EventType, Reason
from newsletter.core.feedback import about, is_full

VERP = "bounces+"
"""How a return path begins that carries a delivery's key: `bounces+<key>@domain`."""


def return_path(key: str, domain: str) -> str:
    """The envelope sender of one delivery: a bounce names its reader whatever its text says (VERP)."""
    return f"{VERP}{key}@{domain}"


def events_of(message: bytes, now: datetime) -> list[Event]:
    """The events of a mail, none when it is about none of ours.

    In: the mail as it came; `now`, for one without a date. An automatic answer is no event. What a free text alone
    says of an address is never for good: anybody can write one. It never raises for a malformed mail.
    """
    try:
        return _events(message, now)
    except Exception:  # noqa: BLE001 - a stranger's mail may break any parser, and says nothing then
        return []


def is_standard(message: bytes) -> bool:
    """Whether a mail is a report in a form that is agreed on, and no free text. It never raises."""
    try:
        mail = email.message_from_bytes(message, policy=policy.compat32)
        return _is_machine(mail)
    except Exception:  # noqa: BLE001 - as above
        return False


def _is_machine(mail: Message) -> bool:
    return any(part.get_content_type() in _MACHINE for part in mail.walk()) or _is_outlooks(mail)


def _events(message: bytes, now: datetime) -> list[Event]:
    mail = email.message_from_bytes(message, policy=policy.compat32)
    at = _moment(mail, now)
    key, message_id = _marks(mail)
    way_out = _way_out(mail)
    named = key is not None or _is_machine(mail)
    found = [
        Event(
            type_,
            _id(mail, message, who, type_),
            at,
            who or None,
            permanent and named,
            reason,
            message_id,
            key,
            way_out,
        )
        for who, type_, permanent, reason in _told(mail)
    ]
    return (
        found
        if found or key is None
        else [Event(EventType.IGNORED, _id(mail, message, "", EventType.IGNORED), at, None, None, "", message_id, key)]
    )


Told = tuple[str, EventType, bool | None, Reason]


def _told(mail: Message) -> Iterator[Told]:
    report = next((part for part in mail.walk() if part.get_content_type() == "message/feedback-report"), None)
    if report is not None:
        yield from _feedback(mail, report)
        return
    if _is_outlooks(mail):
        yield _returned(mail, _OUTLOOKS_READER) or _returned(mail, "To"), EventType.COMPLAINED, None, "complaint"
        return
    if _is_automatic(mail):
        return
    status = [part for part in mail.walk() if part.get_content_type() in _STATUS]
    told = [one for part in status for one in _recipients(part)]
    yield from told or _free_form(mail)


_STATUS = {"message/delivery-status", "message/global-delivery-status"}
_MACHINE = {*_STATUS, "message/feedback-report"}

# --- delivery status -------------------------------------------------------------------------------


def _recipients(part: Message) -> Iterator[Told]:
    """One for each recipient a delivery status speaks of (RFC 3464 2.3)."""
    for group in _groups(part):
        who = _address(group.get("Original-Recipient", "")) or _address(group.get("Final-Recipient", ""))
        action = str(group.get("Action", "")).split(";")[0].strip().lower()
        said = str(group.get("Diagnostic-Code", ""))
        if action or who:
            yield who, *meaning(action, str(group.get("Status", "")), said)


def _groups(part: Message) -> Iterator[Message]:
    payload = part.get_payload()
    if isinstance(payload, list):
        yield from (one for one in payload if isinstance(one, Message))
    else:
        for text in re.split(r"\r?\n\r?\n", _text(part)):
            yield email.message_from_string(text)


def meaning(action: str, status: str, said: str) -> tuple[EventType, bool | None, Reason]:
    """What an action, a status code (RFC 3463) and a server's words mean.

    The code of the words is asked before that of the report: a relay often says 5.0.0 of whatever it was told. For
    good is only what says that the address is no more: whatever else refuses for three days is believed then.
    """
    said = " ".join(_CONTINUED.sub(" ", said).split())
    codes = [code for code in (*_CODE.findall(said), *_CODE.findall(status)) if code[1:] != ("0", "0")]
    kind, subject, detail = codes[0] if codes else (_class(said, status), "0", "0")
    if action in _NO_FAILURE:
        return _NO_FAILURE[action]
    code = f"{subject}.{detail}"
    why = about(code, said, for_good=kind == "5")
    if why == "ours":
        return EventType.FAILED, None, ""
    return EventType.BOUNCED, why == "invalid" and kind == "5" and not is_full(code, said), why


_NO_FAILURE: dict[str, tuple[EventType, bool | None, Reason]] = {
    "delivered": (EventType.DELIVERED, None, ""),
    "relayed": (EventType.IGNORED, None, ""),
    "expanded": (EventType.IGNORED, None, ""),
    "delayed": (EventType.DEFERRED, False, ""),
}


def _class(said: str, status: str) -> str:
    """The first figure of a reply code in a server's words, or of a status: 5 for good, 4 for now."""
    found = _REPLY.search(said) or re.match(r"\s*([245])\.", status)
    return found[1] if found else "5"


_CODE = re.compile(r"\b([245])\.(\d{1,3})\.(\d{1,3})\b")
_REPLY = re.compile(r"\b([45])\d\d\b")
_CONTINUED = re.compile(r"(?<=\s)[245]\d\d-(?:[245]\.\d{1,3}\.\d{1,3})?(?=\s)")  # how a reply goes on in the next line

# --- abuse reports ---------------------------------------------------------------------------------


def _feedback(mail: Message, report: Message) -> Iterator[Told]:
    """A report of a feedback loop (RFC 5965); "not-spam" takes none back (RFC 6430), and asks for nothing."""
    payload = report.get_payload()
    inner = payload[0] if isinstance(payload, list) and payload and isinstance(payload[0], Message) else report
    fields = inner if inner.get("Feedback-Type") else email.message_from_string(_text(inner).lstrip())
    kind = str(fields.get("Feedback-Type", "abuse")).strip().lower()
    who = _address(fields.get("Original-Rcpt-To", "")) or _returned(mail, "To")
    if kind in {"abuse", "fraud", "complaint"}:
        yield who, EventType.COMPLAINED, None, "complaint"
    elif kind.startswith("opt-out"):
        yield who, EventType.UNSUBSCRIBED, None, "unsubscribe"
    else:
        yield who, EventType.IGNORED, None, ""


def _is_outlooks(mail: Message) -> bool:
    """Whether it is a report of Outlook's junk mail reporting programme: no form of its own, the mail as a part.

    Its sender, its subject and its header stand in its FAQ (sendersupport.olc.protection.outlook.com/pm/).
    """
    sender = parseaddr(str(mail.get("From", "")))[1].lower()
    said = str(mail.get("Subject", "")).strip().lower().startswith("complaint about message from")
    return (sender == "staff@hotmail.com" or said) and any(
        part.get_content_type() == "message/rfc822" for part in mail.walk()
    )


_OUTLOOKS_READER = "X-HmXmrOriginalRecipient"

# --- free forms ------------------------------------------------------------------------------------


def _is_automatic(mail: Message) -> bool:
    """An answer of a machine on behalf of a person (RFC 3834): it is no bounce.

    A mail system that returns mail uses the same words of itself, and some answers none but a header of their own.
    """
    if mail.get_content_type() == "multipart/report" or mail.get("X-Failed-Recipients"):
        return False
    if any(mail.get(name) for name in ("X-Autoreply", "X-Autorespond", "X-Auto-Response-From")):
        return True
    sender = str(mail.get("From", ""))
    if not parseaddr(sender)[1] or _MAILER.search(sender.lower()):
        return False
    answers = str(mail.get("Auto-Submitted", "")).strip().lower().startswith(("auto-replied", "auto-generated"))
    marked = str(mail.get("Precedence", "")).strip().lower() in {"auto_reply", "auto-reply"}
    return answers or marked or mail.get("X-Auto-Response-Suppress") is not None


def _free_form(mail: Message) -> Iterator[Told]:
    """What systems say that know no delivery status: found by flufl.bounce, judged by their words."""
    from flufl.bounce import all_failures  # noqa: PLC0415 -- for those who import bounces alone

    later: AbstractSet[bytes] = frozenset()
    gone: AbstractSet[bytes] = frozenset()
    if parseaddr(str(mail.get("From", "")))[1]:  # its detectors look there first
        later, gone = all_failures(mail)
    words = _words(mail)
    for found in sorted(gone):
        yield found.decode("ascii", "replace"), *meaning("failed", "", words)
    for found in sorted(later - gone):
        yield found.decode("ascii", "replace"), EventType.DEFERRED, False, ""
    if not later | gone and _looks_returned(mail):
        failed = _address(mail.get("X-Failed-Recipients", ""))
        who = failed or _returned(mail, "To") or next(iter(mentioned(words)), "")
        action = "delayed" if _DELAYED.search(str(mail.get("Subject", ""))) else "failed"
        yield who, *meaning(action, "", words)


def _looks_returned(mail: Message) -> bool:
    """Whether it comes from a mail system, or from nobody, and says that mail did not arrive.

    An empty return path alone says nothing: a person's answering machine has it too (RFC 3834 3.3).
    """
    sender = str(mail.get("From", "")).lower()
    system = _MAILER.search(sender) or _SYSTEM.search(sender) or not parseaddr(sender)[1]
    return system and _RETURNED.search(f"{mail.get('Subject', '')}\n{_words(mail)}") is not None


_MAILER = re.compile(r"mailer[- ]?daemon|postmaster|mail delivery|post ?office")
_SYSTEM = re.compile(r"no-?reply|system administrator|sysadmin|\bndr\b")
_RETURNED = re.compile(
    r"return(?:ed|ing)|undeliver|delivery (?:status|fail|has failed|error|report)|fail(?:ed|ure)|not be delivered|"
    r"could ?n[o']t|unable to deliver|non.?delivery|unzustellbar|non remis|no se pudo|delayed|dsn:|notice|bounce",
    re.IGNORECASE,
)
_DELAYED = re.compile(r"delay|warning|still being retried|noch nicht", re.IGNORECASE)


def _words(mail: Message) -> str:
    """The text a person would read, up to what came back of our own mail."""
    for part in mail.walk():
        if part.get_content_type() == "text/plain":
            return re.split(r"(?im)^-+ ?(?:this is a copy|original message|below this line|included is)", _text(part))[
                0
            ]
    return ""


# --- whose it is -----------------------------------------------------------------------------------


def _marks(mail: Message) -> tuple[str | None, str | None]:
    """Our delivery's key, and our Message-ID, when the mail carries them."""
    message_id = _returned(mail, "Message-ID") or None
    for name in ("X-Original-To", "Delivered-To", "Envelope-To", "To"):
        for value in mail.get_all(name, []):
            found = _VERP.search(str(value))
            if found:
                return found[1], message_id
    key = message_id[1:].partition("@")[0] if message_id and message_id.startswith("<") else ""
    return key if _KEY.fullmatch(key) else None, message_id


def _way_out(mail: Message) -> str | None:
    """The credential of the unsubscribe link in what came back, whose it is."""
    found = _LINK.search("".join(_returned(mail, "List-Unsubscribe").split()))
    return found[1] if found else None


_VERP = re.compile(re.escape(VERP) + r"([A-Za-z0-9_-]+)@")
_KEY = re.compile(r"[0-9a-f]{16,32}-[0-9a-f]{16,32}")
_LINK = re.compile(r"/unsubscribe/([A-Za-z0-9_-]{16,64})(?![A-Za-z0-9_-])")


def _returned(mail: Message, name: str) -> str:
    """A header of what came back of our mail: the part that holds it, or the text of a system that only quotes it."""
    for part in mail.walk():
        if part.get_content_type() in {"message/rfc822", "text/rfc822-headers", "message/rfc822-headers"}:
            payload = part.get_payload()
            inner = payload[0] if isinstance(payload, list) and payload else email.message_from_string(_text(part))
            if isinstance(inner, Message) and inner.get(name):
                value = str(inner.get(name)).strip()
                return _address(value) if name == "To" else value
    quoted = re.search(rf"(?im)^[> ]*{name}:[ \t]*(?:\r?\n[> ]*[ \t]+)?(\S.*)$", _body(mail))
    if quoted is None:
        return ""
    return _address(quoted[1]) if name == "To" else quoted[1].strip()


def _body(mail: Message) -> str:
    return "\n".join(_text(part) for part in mail.walk() if part.get_content_maintype() == "text")


def _text(part: Message | str) -> str:
    if isinstance(part, str):
        return part
    payload = part.get_payload(decode=True)
    if isinstance(payload, bytes):
        return _decoded(payload, str(part.get_content_charset() or "utf-8"))
    payload = part.get_payload()
    return payload if isinstance(payload, str) else ""


def _decoded(data: bytes, charset: str) -> str:
    """Text in whatever a mail says it is in; what is not, in Latin-1, which is never wrong and seldom right."""
    try:
        return data.decode(charset, "replace")
    except (LookupError, ValueError, UnicodeError):
        return data.decode("latin-1")


def _address(value: object) -> str:
    """The address of `rfc822; <ann@x.test>` or of a header."""
    text = str(value).partition(";")[2] or str(value)
    found = parseaddr(text.strip())[1].strip("<>")
    return found if "@" in found else ""


def _moment(mail: Message, now: datetime) -> datetime:
    """When it was written, never later than now: clocks of others are wrong."""
    try:
        written = parsedate_to_datetime(str(mail["Date"]))
    except (ValueError, TypeError, IndexError):
        return now
    return min(written if written.tzinfo else written.replace(tzinfo=UTC), now)


def _id(mail: Message, message: bytes, who: str, type_: EventType) -> str:
    """The same report is the same event, however often and by whatever way it is fed in."""
    own = str(mail.get("Message-ID", "")).strip() or sha256(message).hexdigest()
    return sha256(f"{own}\n{who.lower()}\n{type_}".encode("utf-8", "replace")).hexdigest()
