"""Postmark, against a small strict receiver of its documented calls."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import requests
import responses
from pydantic import SecretStr
from responses import matchers

from newsletter.core.delivery import Batch, BatchResult, Outcome, Status, Suppression
from newsletter.core.email import Mailbox
from newsletter.core.event import UNTOLD, Event, EventType, ParseError
from newsletter.errors import BadSignature, ProviderError
from newsletter.ports import Provider, Reports, Suppresses
from newsletter.providers import postmark
from newsletter.providers.postmark import Postmark, Section, Webhooks
from newsletter.testing import Arrived, ProviderContract, sample_batch, sample_email

BASE = "https://api.postmarkapp.com"
TOKEN = "11111111-2222-3333-4444-555555555555"
FIELDS = {
    "From": str, "To": str, "Subject": str, "HtmlBody": str, "TextBody": str, "ReplyTo": str, "Headers": list,
    "Metadata": dict, "Tag": str, "MessageStream": str, "TrackOpens": bool, "TrackLinks": str,
}  # fmt: skip


class Receiver:
    """POST /email/batch as documented: a field it does not know fails the test."""

    def __init__(self) -> None:
        self.messages: list[dict[str, Any]] = []
        self.calls = 0
        self.says: dict[str, tuple[int, str]] = {}  # by address: ErrorCode, Message

    def __call__(self, request: Any) -> tuple[int, dict[str, str], str]:
        body = b"".join(request.body)
        assert int(request.headers["Content-Length"]) == len(body)
        assert request.headers["X-Postmark-Server-Token"] == TOKEN
        assert request.headers["Content-Type"] == request.headers["Accept"] == "application/json"
        messages = json.loads(body)
        assert 1 <= len(messages) <= 500
        self.calls += 1
        return 200, {}, json.dumps([self.taken(message) for message in messages])

    def taken(self, message: dict[str, Any]) -> dict[str, Any]:
        for name, value in message.items():
            assert isinstance(value, FIELDS[name]), name
        assert message["TrackOpens"] is False
        assert message["TrackLinks"] == "None"
        assert message["To"].count("@") == 1
        assert all(set(header) == {"Name", "Value"} and header["Value"].isascii() for header in message["Headers"])
        assert len(message["Metadata"]) <= 10
        assert all(len(name) <= 20 and len(value) <= 80 for name, value in message["Metadata"].items())
        code, said = self.says.get(message["To"], (0, "OK"))
        if code:
            return {"ErrorCode": code, "Message": said}
        self.messages.append(message)
        at = "2026-12-01T12:30:00.1234567-05:00"
        return {"ErrorCode": 0, "Message": said, "MessageID": f"id-of-{message['To']}", "SubmittedAt": at}

    def arrived(self) -> list[Arrived]:
        return [
            Arrived(
                one["To"],
                one["Subject"],
                one["HtmlBody"].replace("\r\n", "\n").replace("\r", "\n"),
                one["TextBody"].replace("\r\n", "\n").replace("\r", "\n"),
                {header["Name"].lower(): header["Value"] for header in one["Headers"]},
            )
            for one in self.messages
        ]


@pytest.fixture
def mock() -> Iterator[responses.RequestsMock]:
    with responses.RequestsMock(assert_all_requests_are_fired=False) as one:
        yield one


@pytest.fixture
def receiver(mock: responses.RequestsMock) -> Receiver:
    one = Receiver()
    mock.add_callback(responses.POST, f"{BASE}/email/batch", callback=one)
    return one


def letters(**changed: Any) -> Postmark:
    return Postmark(token=TOKEN, **changed)


class TestContract(ProviderContract):
    @pytest.fixture(autouse=True)
    def _other_side(self, receiver: Receiver, mock: responses.RequestsMock) -> None:
        self.receiver = receiver
        mock.get(f"{BASE}/messages/outbound", json={"TotalCount": 0, "Messages": []})

    def provider(self) -> Provider:
        return letters(own_unsubscribe=True)

    def arrived(self) -> list[Arrived]:
        return self.receiver.arrived()


def test_it_is_all_three_ports() -> None:
    one: Provider = letters()
    assert isinstance(one, Suppresses)
    assert isinstance(Webhooks("", ""), Reports)


# --- what a message says ---------------------------------------------------------------------------


def test_a_message_carries_our_keys_the_stream_and_a_message_id_of_ours(receiver: Receiver) -> None:
    email = replace(sample_email(), sender=Mailbox('Rivers, "Sam" Zoë', "sam@letter.example.org"))
    letters(stream="news", own_unsubscribe=True).submit(email, sample_batch(1), key="c:7", timeout=5)
    (message,) = receiver.messages
    assert message["From"] == '"Rivers, \\"Sam\\" Zoë" <sam@letter.example.org>'
    assert message["ReplyTo"] == "answers@letter.example.org"
    assert message["MessageStream"] == "news"
    assert message["Metadata"] == {"delivery": "d.1", "batch": "c:7"}
    assert message["Tag"] == "a-quiet-week"
    headers = {header["Name"]: header["Value"] for header in message["Headers"]}
    assert headers["Message-ID"] == "<d.1@letter.example.org>"
    assert headers["X-PM-KeepID"] == "true"
    assert headers["List-Unsubscribe"] == "<https://letter.example.org/unsubscribe/token-1>"


def test_where_postmark_writes_the_unsubscribe_ours_is_left_out(receiver: Receiver) -> None:
    provider = letters()
    provider.submit(sample_email(), sample_batch(1), key="c:7", timeout=5)
    names = {header["Name"] for header in receiver.messages[0]["Headers"]}
    assert names == {"Message-ID", "X-PM-KeepID", "List-Id"}
    assert provider.capabilities.per_recipient_headers == "managed"


def test_the_front_doors_mail_goes_through_its_own_stream_with_our_headers(receiver: Receiver, tmp_path: Any) -> None:
    section = Section(token=SecretStr(TOKEN), transactional_stream="door")
    provider = postmark.build_transactional(section, tmp_path)
    provider.submit(sample_email(), replace(sample_batch(1), tag=""), key="m1", timeout=5)
    (message,) = receiver.messages
    assert message["MessageStream"] == "door"
    assert "Tag" not in message
    assert "List-Unsubscribe" in {header["Name"] for header in message["Headers"]}
    assert postmark.build(section, tmp_path).capabilities.per_recipient_headers == "managed"


def test_the_same_batch_key_gives_the_same_bytes(mock: responses.RequestsMock) -> None:
    bodies = []

    def keep(request: Any) -> tuple[int, dict[str, str], str]:
        bodies.append(b"".join(request.body))
        return 500, {}, ""

    mock.add_callback(responses.POST, f"{BASE}/email/batch", callback=keep)
    for _ in range(2):
        letters().submit(sample_email(), sample_batch(3), key="c:1", timeout=5)
    assert bodies[0] == bodies[1]


def test_a_batch_is_split_by_bytes(receiver: Receiver) -> None:
    provider = letters()
    provider.capabilities = replace(provider.capabilities, max_call_bytes=3000)
    result = provider.submit(sample_email(), sample_batch(7), key="c:1", timeout=5)
    assert statuses(result) == [Status.SUBMITTED] * 7
    assert 1 < receiver.calls < 7


def test_the_base_url_may_carry_a_path(mock: responses.RequestsMock) -> None:
    receiver = Receiver()
    mock.add_callback(responses.POST, "http://127.0.0.1:8099/postmark/email/batch", callback=receiver)
    provider = letters(base_url="http://127.0.0.1:8099/postmark")
    assert statuses(provider.submit(sample_email(), sample_batch(1), key="k", timeout=5)) == [Status.SUBMITTED]
    assert provider.capabilities.network is False


def test_without_a_token_it_says_which_variable_to_set(tmp_path: Any) -> None:
    with pytest.raises(ProviderError, match="NEWSLETTER_POSTMARK__TOKEN"):
        postmark.build(Section(), tmp_path)
    with pytest.raises(ProviderError, match="NEWSLETTER_POSTMARK__TOKEN"):
        Postmark(token="a b\r\nX: y")


def test_a_sender_without_an_address_stops_the_run_before_a_call(receiver: Receiver) -> None:
    email = replace(sample_email(), sender=Mailbox("Sam", "nobody"))
    result = letters().submit(email, sample_batch(2), key="k", timeout=5)
    assert (statuses(result), result.halt) == ([Status.RETRY] * 2, "account")
    assert receiver.calls == 0


# --- what an answer means --------------------------------------------------------------------------


def statuses(result: BatchResult) -> list[Status]:
    return [outcome.status for outcome in result.outcomes]


def test_promise_3_each_result_is_read_and_the_rest_goes_on(receiver: Receiver) -> None:
    receiver.says = {
        "reader2@example.org": (406, "Found inactive addresses: reader2@example.org."),
        "reader3@example.org": (300, "Invalid 'To' address: 'reader3@example.org'."),
    }
    result = letters().submit(sample_email(), sample_batch(4), key="k", timeout=5)
    assert statuses(result) == [Status.SUBMITTED, Status.SUPPRESSED, Status.REJECTED, Status.SUBMITTED]
    assert [outcome.code for outcome in result.outcomes] == ["", "406", "300", ""]
    assert result.outcomes[0].message_id == "id-of-reader1@example.org"
    assert not any("reader" in outcome.detail for outcome in result.outcomes)
    assert (result.halt, result.retry_after) == ("", None)


@pytest.mark.parametrize(
    ("code", "said", "halt", "waits"),
    [
        (405, "Not allowed to send: no credits left.", "quota", False),
        (412, "Your account is pending approval.", "account", False),
        (400, "The Sender Signature is not there.", "account", False),
        (300, "Invalid 'From' address.", "account", False),
        (1235, "There is no such message stream.", "account", False),
        (429, "Rate limit exceeded.", "", True),
    ],
)
def test_what_is_about_us_stops_the_run_and_those_taken_stay_taken(
    receiver: Receiver, code: int, said: str, halt: str, waits: bool
) -> None:
    receiver.says = {"reader2@example.org": (code, said)}
    result = letters().submit(sample_email(), sample_batch(3), key="k", timeout=5)
    assert statuses(result) == [Status.SUBMITTED, Status.RETRY, Status.SUBMITTED]
    assert result.halt == halt
    assert (result.retry_after is not None) is waits


@pytest.mark.parametrize(
    ("status", "body", "meant", "halt", "waits"),
    [
        (401, {"ErrorCode": 10, "Message": "Bad token."}, Status.RETRY, "auth", False),
        (422, {"ErrorCode": 402, "Message": "Invalid JSON."}, Status.RETRY, "bug", False),
        (422, {"ErrorCode": 405, "Message": "No credits."}, Status.RETRY, "quota", False),
        (404, {}, Status.RETRY, "account", False),
        (429, {"ErrorCode": 429, "Message": "Too many."}, Status.RETRY, "", True),
        (500, {"ErrorCode": 500, "Message": "Sorry."}, Status.UNKNOWN, "", False),
        (503, {"ErrorCode": 100, "Message": "Maintenance."}, Status.RETRY, "", True),
        (503, {}, Status.UNKNOWN, "", False),
        (200, {"Message": "Hello."}, Status.UNKNOWN, "", False),
        (200, [{"ErrorCode": 0, "MessageID": "a"}], Status.UNKNOWN, "", False),
        (200, [{"ErrorCode": 0}, {"ErrorCode": "0"}], Status.UNKNOWN, "", False),
    ],
)
def test_an_answer_for_the_whole_call(
    mock: responses.RequestsMock, status: int, body: Any, meant: Status, halt: str, waits: bool
) -> None:
    mock.post(f"{BASE}/email/batch", json=body, status=status)
    result = letters().submit(sample_email(), sample_batch(2), key="k", timeout=5)
    assert statuses(result) == [meant] * 2
    assert (result.halt, result.retry_after is not None) == (halt, waits)
    assert TOKEN not in str(result)


def test_a_wait_that_is_told_is_kept(mock: responses.RequestsMock) -> None:
    mock.post(f"{BASE}/email/batch", status=429, headers={"Retry-After": "7"})
    assert letters().submit(sample_email(), sample_batch(1), key="k", timeout=5).retry_after == 7


def test_an_address_that_could_be_two_is_refused_without_a_call_for_it(receiver: Receiver) -> None:
    batch = sample_batch(3)
    two = batch.recipients[1]._replace(address="a@example.org, b@example.org")
    result = letters().submit(
        sample_email(), replace(batch, recipients=(batch.recipients[0], two, batch.recipients[2])), key="k", timeout=5
    )
    assert statuses(result) == [Status.SUBMITTED, Status.REJECTED, Status.SUBMITTED]
    assert [message["To"] for message in receiver.messages] == ["reader1@example.org", "reader3@example.org"]


# --- asking again ----------------------------------------------------------------------------------

NOW = datetime(2026, 12, 1, 18, 0, tzinfo=UTC)


def search(mock: responses.RequestsMock, *pages: dict[str, Any]) -> Callable[[Batch], dict[str, Outcome | None]]:
    offset = 0
    for page in pages:
        wanted = {"count": "500", "offset": str(offset), "messagestream": "broadcast", "metadata_batch": "c:1"}
        mock.get(f"{BASE}/messages/outbound", json=page, match=[matchers.query_param_matcher(wanted)])
        offset += len(page.get("Messages", ()))
    provider = letters(now=NOW.timestamp)
    return lambda batch: dict(provider.reconcile(batch, key="c:1"))


def sent(number: int, batch: str = "c:1") -> dict[str, Any]:
    return {"MessageID": f"m{number}", "Metadata": {"delivery": f"d.{number}", "batch": batch}, "Status": "Sent"}


def test_promise_3_what_is_found_was_submitted_and_what_is_not_was_not(mock: responses.RequestsMock) -> None:
    asked = search(mock, {"TotalCount": 2, "Messages": [sent(1)]}, {"TotalCount": 2, "Messages": [sent(3)]})
    found = asked(sample_batch(3))
    assert found["d.1"] == Outcome("d.1", Status.SUBMITTED, message_id="m1")
    assert found["d.3"] == Outcome("d.3", Status.SUBMITTED, message_id="m3")
    assert found["d.2"] is not None
    assert found["d.2"].status is Status.RETRY


@pytest.mark.parametrize(
    "page",
    [
        {"TotalCount": 1, "Messages": []},  # not read whole
        {"TotalCount": 1, "Messages": [sent(1, batch="c:2")]},  # not what was asked for
        {"TotalCount": 1, "Messages": [{"MessageID": "m1"}]},
        {"Messages": []},
        {"TotalCount": 20_000, "Messages": []},
    ],
)
def test_promise_3_a_search_that_is_not_clear_tells_nothing(mock: responses.RequestsMock, page: dict[str, Any]) -> None:
    assert search(mock, page)(sample_batch(1)) == {"d.1": None}


def test_promise_3_a_search_that_fails_or_comes_too_late_tells_nothing(mock: responses.RequestsMock) -> None:
    asked = search(mock, {"TotalCount": 1, "Messages": [sent(1)]})
    old = replace(sample_batch(2), at=NOW - timedelta(days=8))  # activity may be kept for seven
    assert asked(old) == {"d.1": Outcome("d.1", Status.SUBMITTED, message_id="m1"), "d.2": None}
    mock.replace(responses.GET, f"{BASE}/messages/outbound", status=500)
    assert asked(sample_batch(1)) == {"d.1": None}


# --- the account -----------------------------------------------------------------------------------


def stream(handling: str = "Postmark", kind: str = "Broadcasts", **more: Any) -> dict[str, Any]:
    config = {"UnsubscribeHandlingType": handling}
    return {"MessageStreamType": kind, "ArchivedAt": None, "SubscriptionManagementConfiguration": config, **more}


def found(mock: responses.RequestsMock, server: dict[str, Any], streamed: Any, **changed: Any) -> list[tuple[str, str]]:
    mock.get(f"{BASE}/server", json={"TrackOpens": False, "TrackLinks": "None", "DeliveryType": "Live", **server})
    status = 200 if streamed else 404
    mock.get(f"{BASE}/message-streams/broadcast", json=streamed or {}, status=status)
    return [(one.level, one.id) for one in letters(**changed).check(100)]


def test_a_right_account_has_nothing_to_say(mock: responses.RequestsMock) -> None:
    assert found(mock, {}, stream()) == []


@pytest.mark.parametrize(
    ("server", "streamed", "changed", "wrong"),
    [
        ({"TrackOpens": True}, stream(), {}, "tracking"),
        ({"TrackLinks": "HtmlOnly"}, stream(), {}, "tracking"),
        ({"DeliveryType": "Sandbox"}, stream(), {}, "account"),
        ({}, None, {}, "stream"),
        ({}, stream(kind="Transactional"), {}, "stream"),
        ({}, stream(), {"transactional": True}, "stream"),
        ({}, stream(ArchivedAt="2026-01-01T00:00:00Z"), {}, "stream"),
        ({}, stream(), {"own_unsubscribe": True}, "unsubscribe"),
        ({}, stream("Custom"), {}, "unsubscribe"),
    ],
)
def test_what_is_wrong_with_an_account_is_an_error(
    mock: responses.RequestsMock, server: dict[str, Any], streamed: Any, changed: dict[str, Any], wrong: str
) -> None:
    assert found(mock, server, streamed, **changed) == [("error", wrong)]


def test_a_refused_key_is_clear_and_silence_is_a_warning(mock: responses.RequestsMock) -> None:
    mock.get(f"{BASE}/server", status=401)
    assert [(one.level, one.id) for one in letters().check(1)] == [("error", "key")]
    mock.replace(responses.GET, f"{BASE}/server", body=requests.ConnectionError())
    assert [(one.level, one.id) for one in letters().check(1)] == [("warning", "account")]


# --- its list --------------------------------------------------------------------------------------


def test_its_list_is_read_and_changed_fifty_at_a_time(mock: responses.RequestsMock) -> None:
    path = f"{BASE}/message-streams/broadcast/suppressions"
    entry = {
        "EmailAddress": "a@example.org",
        "SuppressionReason": "ManualSuppression",
        "CreatedAt": "2026-11-02T08:00:00Z",
    }
    since = [matchers.query_param_matcher({"fromdate": "2026-11-01"})]
    mock.get(f"{path}/dump", json={"Suppressions": [entry]}, match=since)
    provider = letters()
    assert list(provider.suppressions(datetime(2026, 11, 1, tzinfo=UTC))) == [
        Suppression("a@example.org", "unsubscribe", datetime(2026, 11, 2, 8, tzinfo=UTC))
    ]
    sizes = []

    def take(request: Any) -> tuple[int, dict[str, str], str]:
        told = json.loads(b"".join(request.body))
        sizes.append(len(told["Suppressions"]))
        return 200, {}, json.dumps({"Suppressions": [{**one, "Status": "Suppressed"} for one in told["Suppressions"]]})

    mock.add_callback(responses.POST, path, callback=take)
    provider.suppress([Suppression(f"r{number}@example.org", "bounce") for number in range(60)])
    assert sizes == [50, 10]
    mock.post(f"{path}/delete", json={"Suppressions": [{"EmailAddress": "a@example.org", "Status": "Failed"}]})
    with pytest.raises(ProviderError) as refused:
        provider.unsuppress(["a@example.org"])
    assert "@" not in str(refused.value)


def test_a_list_that_is_not_told_is_an_error(mock: responses.RequestsMock) -> None:
    mock.get(f"{BASE}/message-streams/broadcast/suppressions/dump", status=500)
    with pytest.raises(ProviderError, match="500"):
        list(letters().suppressions())


# --- webhooks --------------------------------------------------------------------------------------


def test_a_request_needs_the_user_and_the_password() -> None:
    reads = Webhooks("hook", "päss")
    right = "Basic " + base64.b64encode("hook:päss".encode()).decode()
    reads.verify_webhook({"authorization": right}, b"{}", now=0)
    wrong = ["", "Basic", "Basic !", "Bearer " + right[6:], "Basic " + base64.b64encode(b"hook:other").decode()]
    for value in wrong:
        with pytest.raises(BadSignature):
            reads.verify_webhook({"authorization": value}, b"{}", now=0)
    with pytest.raises(BadSignature):  # none is set: nothing passes
        Webhooks("", "").verify_webhook({"authorization": "Basic " + base64.b64encode(b":").decode()}, b"{}", now=0)


def test_webhooks_are_read_once_a_password_is_set() -> None:
    assert postmark.reports(Section(webhook_user="hook"), Path()) is None
    section = Section(webhook_user="hook", webhook_password=SecretStr("secret"))  # and no token
    reads = postmark.reports(section, Path())
    assert reads is not None
    right = "Basic " + base64.b64encode(b"hook:secret").decode()
    reads.verify_webhook({"authorization": right}, b"{}", now=0)


def heard(**fields: Any) -> Event:
    (event,) = Webhooks("", "").parse_webhook({}, json.dumps(fields).encode())
    assert isinstance(event, Event), event
    return event


BOUNCE = {
    "RecordType": "Bounce",
    "ID": 4323372036854775807,
    "Type": "HardBounce",
    "TypeCode": 1,
    "MessageID": "7f1c0e4a-0f2b-4a57-9c55-3d7d2a4b9f10",
    "Metadata": {"delivery": "d.9", "batch": "c:1"},
    "Details": "smtp;550 5.1.1 nobody of that name lives here",
    "Email": "gone@example.org",
    "BouncedAt": "2026-12-01T12:31:02.1234567-05:00",
    "Inactive": True,
}


def test_a_hard_bounce_in_full() -> None:
    event = heard(**BOUNCE)
    assert (event.type, event.permanent, event.reason) == (EventType.BOUNCED, True, "bounce")
    assert (event.email, event.key, event.message_id) == ("gone@example.org", "d.9", BOUNCE["MessageID"])
    assert event.at == datetime(2026, 12, 1, 17, 31, 2, 123456, tzinfo=UTC)
    assert event.event_id == "Bounce-4323372036854775807"


@pytest.mark.parametrize(
    ("fields", "type_", "permanent", "reason"),
    [
        ({"Type": "BadEmailAddress"}, EventType.BOUNCED, True, "invalid"),
        ({"Type": "SoftBounce", "Inactive": False}, EventType.BOUNCED, False, "bounce"),
        ({"Type": "SoftBounce", "Inactive": True}, EventType.BOUNCED, True, "bounce"),
        ({"Type": "Transient", "Inactive": False}, EventType.DEFERRED, None, ""),
        ({"Type": "Blocked", "Inactive": False}, EventType.BOUNCED, False, "block"),
        ({"Type": "SpamNotification", "Inactive": False}, EventType.BOUNCED, False, "block"),
        ({"Type": "AutoResponder", "Inactive": False}, EventType.IGNORED, None, ""),
        ({"Type": "AddressChange", "Inactive": False}, EventType.IGNORED, None, ""),
        ({"Type": "SpamComplaint"}, EventType.COMPLAINED, None, "complaint"),
        ({"Type": "Unsubscribe", "Email": None}, EventType.UNSUBSCRIBED, None, "unsubscribe"),
        ({"Type": "SMTPApiError"}, EventType.FAILED, None, ""),
        ({"Details": "550 5.7.515 Access denied"}, EventType.BOUNCED, False, "authentication"),
        ({"Details": "smtp;550-5.7.26 This mail is unauthenticated"}, EventType.BOUNCED, False, "authentication"),
        ({"Details": "550 5.7.1 blocked"}, EventType.BOUNCED, True, "bounce"),
    ],
)
def test_a_bounce_record_means(fields: dict[str, Any], type_: EventType, permanent: bool | None, reason: str) -> None:
    event = heard(**{**BOUNCE, **fields})
    assert (event.type, event.permanent, event.reason) == (type_, permanent, reason)


def test_who_left_may_be_told_without_address_and_time() -> None:
    told = {"RecordType": "Bounce", "ID": 42, "Type": "Unsubscribe", "MessageID": BOUNCE["MessageID"]}
    event = heard(**told)
    assert (event.type, event.event_id, event.at) == (EventType.UNSUBSCRIBED, "Bounce-42", UNTOLD)
    assert (event.email, event.message_id) == (None, BOUNCE["MessageID"])


@pytest.mark.parametrize(
    ("fields", "type_", "reason"),
    [
        ({"SuppressSending": True, "SuppressionReason": "ManualSuppression"}, EventType.UNSUBSCRIBED, "unsubscribe"),
        ({"SuppressSending": True, "SuppressionReason": "HardBounce"}, EventType.BOUNCED, "bounce"),
        ({"SuppressSending": True, "SuppressionReason": "SpamComplaint"}, EventType.COMPLAINED, "complaint"),
        ({"SuppressSending": False, "SuppressionReason": None}, EventType.RESUBSCRIBED, ""),
    ],
)
def test_a_change_of_subscription_means(fields: dict[str, Any], type_: EventType, reason: str) -> None:
    base = {"RecordType": "SubscriptionChange", "Recipient": "r@example.org", "ChangedAt": "2026-12-01T17:17:32Z"}
    event = heard(**base, **fields)
    assert (event.type, event.reason, event.email) == (type_, reason, "r@example.org")


def test_the_other_records_and_what_tells_two_apart() -> None:
    times = {"Delivery": "DeliveredAt", "Open": "ReceivedAt", "Click": "ReceivedAt"}
    base = {"MessageID": "m", "Recipient": "r@example.org", "OriginalLink": "https://example.org/"}
    events = {kind: heard(RecordType=kind, **base, **{at: "2026-12-01T17:17:32Z"}) for kind, at in times.items()}
    assert {kind: event.type for kind, event in events.items()} == {
        "Delivery": EventType.DELIVERED,
        "Open": EventType.OPENED,
        "Click": EventType.CLICKED,
    }
    again = heard(RecordType="Open", **base, ReceivedAt="2026-12-01T17:17:32Z")
    later = heard(RecordType="Open", **base, ReceivedAt="2026-12-01T17:17:33Z")
    ids = {event.event_id for event in (*events.values(), again, later)}
    assert len(ids) == 4


def test_unknown_kinds_are_ignored_and_bad_ones_told() -> None:
    assert heard(RecordType="Inbound", From="x@example.org").type is EventType.IGNORED
    for body in (b"", b"{", b"\xff", b"[1]", b"7", b'{"RecordType": "Bounce"}', b"{}", b"[" * 100_000):
        (told,) = Webhooks("", "").parse_webhook({}, body)
        assert isinstance(told, ParseError)
        assert "@" not in told.what
