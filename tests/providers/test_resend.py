"""Resend, against a small strict receiver of its documented calls."""

from __future__ import annotations

import base64
import hmac
import json
import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import requests
import responses
from pydantic import SecretStr
from responses import matchers

from newsletter.core.delivery import BatchResult, Status, Suppression
from newsletter.core.email import Mailbox
from newsletter.core.event import Event, EventType, ParseError
from newsletter.errors import BadSignature, ProviderError
from newsletter.ports import Provider, Reports, Suppresses
from newsletter.providers import resend
from newsletter.providers.resend import Resend, Section, Webhooks
from newsletter.testing import Arrived, ProviderContract, sample_batch, sample_email

BASE = "https://api.resend.com"
KEY = "re_1234567890"
FIELDS = {
    "from": str,
    "to": list,
    "subject": str,
    "html": str,
    "text": str,
    "reply_to": str,
    "headers": dict,
    "tags": list,
}


class Receiver:
    """POST /emails/batch as documented, in permissive mode, with 24 hours of memory for its keys."""

    def __init__(self) -> None:
        self.messages: list[dict[str, Any]] = []
        self.keys: list[str] = []
        self.invalid: set[str] = set()
        self.lose: list[str] = []  # what goes wrong with the next calls: "before", "after" or "fault"
        self._known: dict[str, tuple[bytes, str]] = {}

    def __call__(self, request: Any) -> tuple[int, dict[str, str], str]:
        body = b"".join(request.body)
        assert request.headers["Authorization"] == f"Bearer {KEY}"
        assert request.headers["User-Agent"].startswith("newsletter/")
        assert request.headers["x-batch-validation"] == "permissive"
        key = request.headers["Idempotency-Key"]
        assert 1 <= len(key) <= 256
        self.keys.append(key)
        fault = self.lose.pop(0) if self.lose else ""
        if fault == "before":
            raise requests.ConnectionError
        if fault == "fault":
            return 500, {}, '{"name": "internal_server_error", "message": "Sorry."}'
        answer = self.answer(key, body)
        if fault == "after":
            raise requests.ConnectionError
        return answer

    def answer(self, key: str, body: bytes) -> tuple[int, dict[str, str], str]:
        if key in self._known:
            before, said = self._known[key]
            if before != body:
                return 409, {}, '{"name": "invalid_idempotent_request", "message": "Another payload."}'
            return 200, {}, said
        messages = json.loads(body)
        assert 1 <= len(messages) <= 100
        data, errors = [], []
        for index, message in enumerate(messages):
            self.read(message)
            if message["to"][0] in self.invalid:
                errors.append({"index": index, "message": f"Invalid `to` field: {message['to'][0]}"})
            else:
                self.messages.append(message)
                data.append({"id": f"id-of-{message['to'][0]}"})
        self._known[key] = body, json.dumps({"data": data, "errors": errors})
        return 200, {}, self._known[key][1]

    def read(self, message: dict[str, Any]) -> None:
        for name, value in message.items():
            assert isinstance(value, FIELDS[name]), name
        assert len(message["to"]) == 1
        assert message["to"][0].count("@") == 1
        assert all(value.isascii() for value in message["headers"].values())
        for tag in message["tags"]:
            assert set(tag) == {"name", "value"}
            assert all(re.fullmatch(r"[A-Za-z0-9_-]{1,256}", text) for text in tag.values())

    def arrived(self) -> list[Arrived]:
        return [
            Arrived(
                one["to"][0],
                one["subject"],
                one["html"].replace("\r\n", "\n").replace("\r", "\n"),
                one["text"].replace("\r\n", "\n").replace("\r", "\n"),
                {name.lower(): value for name, value in one["headers"].items()},
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
    mock.add_callback(responses.POST, f"{BASE}/emails/batch", callback=one)
    return one


def provider(**changed: Any) -> Resend:
    return Resend(api_key=KEY, **changed)


def statuses(result: BatchResult) -> list[Status]:
    return [outcome.status for outcome in result.outcomes]


class TestContract(ProviderContract):
    repeats_safely = True

    @pytest.fixture(autouse=True)
    def _other_side(self, receiver: Receiver) -> None:
        self.receiver = receiver

    def provider(self) -> Provider:
        return provider()

    def arrived(self) -> list[Arrived]:
        return self.receiver.arrived()


def test_it_is_all_three_ports() -> None:
    one: Provider = provider()
    assert isinstance(one, Suppresses)
    assert isinstance(Webhooks(SECRET), Reports)


# --- what a message says ---------------------------------------------------------------------------


def test_a_message_carries_our_key_and_the_campaign(receiver: Receiver) -> None:
    email = replace(sample_email(), sender=Mailbox("Rivers, Sam", "sam@letter.example.org"))
    batch = replace(sample_batch(1), tag="a quiet week – 2")
    provider().submit(email, batch, key="c:7", timeout=5)
    (message,) = receiver.messages
    assert message["from"] == '"Rivers, Sam" <sam@letter.example.org>'
    assert message["reply_to"] == "answers@letter.example.org"
    assert message["tags"] == [{"name": "delivery", "value": "d_-1"}, {"name": "campaign", "value": "a-quiet-week---2"}]
    assert message["headers"]["List-Unsubscribe"] == "<https://letter.example.org/unsubscribe/token-1>"
    assert receiver.keys == ["c:7"]


@pytest.mark.parametrize("key", ["abc-123", "d.1", "a_b", "a_-b", "a._-.-_b", "__", "_-."])
def test_a_key_survives_the_letters_of_a_tag(key: str) -> None:
    event = heard("email.sent", tags={"delivery": resend._tagged(sample_batch(1).recipients[0]._replace(key=key)).key})
    assert event.key == key


def test_the_base_url_may_carry_a_path(mock: responses.RequestsMock) -> None:
    mock.add_callback(responses.POST, "http://127.0.0.1:8099/resend/emails/batch", callback=Receiver())
    local = provider(base_url="http://127.0.0.1:8099/resend")
    assert statuses(local.submit(sample_email(), sample_batch(1), key="k", timeout=5)) == [Status.SUBMITTED]
    assert local.capabilities.network is False


def test_what_is_not_set_or_cannot_be_says_which_variable(tmp_path: Any) -> None:
    with pytest.raises(ProviderError, match="NEWSLETTER_RESEND__API_KEY"):
        resend.build(Section(), tmp_path)
    with pytest.raises(ProviderError, match="NEWSLETTER_RESEND__WEBHOOK_SECRET"):
        Webhooks("whsec_not base64!")


def test_a_sender_without_an_address_stops_the_run_before_a_call(receiver: Receiver) -> None:
    email = replace(sample_email(), sender=Mailbox("Sam", "nobody"))
    result = provider().submit(email, sample_batch(2), key="k", timeout=5)
    assert (statuses(result), result.halt, receiver.keys) == ([Status.RETRY] * 2, "account", [])


# --- what an answer means --------------------------------------------------------------------------


def test_a_message_that_is_refused_leaves_the_others_alone(receiver: Receiver) -> None:
    receiver.invalid = {"reader2@example.org", "reader4@example.org"}
    result = provider().submit(sample_email(), sample_batch(4), key="k", timeout=5)
    assert statuses(result) == [Status.SUBMITTED, Status.REJECTED, Status.SUBMITTED, Status.REJECTED]
    assert [one.message_id for one in result.outcomes] == [
        "id-of-reader1@example.org",
        None,
        "id-of-reader3@example.org",
        None,
    ]
    assert not any("reader" in one.detail for one in result.outcomes)


@pytest.mark.parametrize("fault", ["before", "after", "fault"])
def test_promise_1_a_lost_answer_is_asked_for_with_the_same_key(receiver: Receiver, fault: str) -> None:
    receiver.lose = [fault]
    result = provider().submit(sample_email(), sample_batch(3), key="c:1", timeout=5)
    assert statuses(result) == [Status.SUBMITTED] * 3
    assert receiver.keys == ["c:1", "c:1"]
    assert len(receiver.messages) == 3


def test_promise_3_an_answer_lost_twice_is_unknown(receiver: Receiver) -> None:
    receiver.lose = ["after", "before"]
    result = provider().submit(sample_email(), sample_batch(2), key="c:1", timeout=5)
    assert statuses(result) == [Status.UNKNOWN] * 2
    assert len(receiver.keys) == 2


def test_promise_3_a_refusal_after_a_lost_answer_is_unknown(mock: responses.RequestsMock) -> None:
    answers = iter([(500, {}, ""), (409, {}, '{"name": "concurrent_idempotent_requests", "message": ""}')])

    def answer(request: Any) -> tuple[int, dict[str, str], str]:
        b"".join(request.body)
        return next(answers)

    mock.add_callback(responses.POST, f"{BASE}/emails/batch", callback=answer)
    result = provider().submit(sample_email(), sample_batch(1), key="k", timeout=5)
    assert (statuses(result), result.halt, result.retry_after) == ([Status.UNKNOWN], "", None)


def test_promise_3_a_key_that_was_used_for_others_is_unknown_and_nobody_gets_two(receiver: Receiver) -> None:
    provider().submit(sample_email(), sample_batch(3), key="c:1", timeout=5)
    result = provider().submit(sample_email(), sample_batch(2), key="c:1", timeout=5)
    assert statuses(result) == [Status.UNKNOWN] * 2
    assert len(receiver.messages) == 3


@pytest.mark.parametrize(
    ("status", "name", "said", "meant", "halt", "waits"),
    [
        (401, "missing_api_key", "", Status.RETRY, "auth", False),
        (403, "invalid_api_key", "", Status.RETRY, "auth", False),
        (400, "validation_error", "API key is invalid", Status.RETRY, "auth", False),
        (403, "validation_error", "The domain is not verified.", Status.RETRY, "account", False),
        (422, "invalid_from_address", "", Status.RETRY, "account", False),
        (451, "security_error", "", Status.RETRY, "account", False),
        (400, "invalid_idempotency_key", "", Status.RETRY, "bug", False),
        (404, "not_found", "", Status.RETRY, "account", False),
        (409, "concurrent_idempotent_requests", "", Status.RETRY, "", True),
        (429, "rate_limit_exceeded", "", Status.RETRY, "", True),
        (429, "daily_quota_exceeded", "", Status.RETRY, "quota", False),
        (429, "monthly_quota_exceeded", "", Status.RETRY, "quota", False),
        (500, "application_error", "", Status.UNKNOWN, "", False),
        (200, "", "", Status.UNKNOWN, "", False),
    ],
)
def test_an_error_for_the_whole_call(
    mock: responses.RequestsMock, status: int, name: str, said: str, meant: Status, halt: str, waits: bool
) -> None:
    mock.post(f"{BASE}/emails/batch", json={"statusCode": status, "name": name, "message": said}, status=status)
    result = provider().submit(sample_email(), sample_batch(2), key="k", timeout=5)
    assert statuses(result) == [meant] * 2
    assert (result.halt, result.retry_after is not None) == (halt, waits)
    assert KEY not in str(result)


@pytest.mark.parametrize(
    "told",
    [
        {"data": [{"id": "a"}]},
        {"data": [{"id": "a"}, {"id": ""}]},
        {"data": [{"id": "a"}, {"id": "b"}], "errors": [{"index": 0, "message": ""}]},
        {"data": [{"id": "a"}], "errors": [{"index": 5, "message": ""}]},
        {"data": [], "errors": [{"index": 0}, {"index": 0}]},
        {"data": [{"id": "a"}], "errors": ["x"]},
        {"data": "ab"},
        ["a", "b"],
    ],
)
def test_promise_3_an_answer_that_does_not_add_up_is_unknown(mock: responses.RequestsMock, told: Any) -> None:
    mock.post(f"{BASE}/emails/batch", json=told)
    assert statuses(provider().submit(sample_email(), sample_batch(2), key="k", timeout=5)) == [Status.UNKNOWN] * 2


def test_the_wait_it_asks_for_is_kept(mock: responses.RequestsMock) -> None:
    limited = {"name": "rate_limit_exceeded", "message": "Too many."}
    mock.post(f"{BASE}/emails/batch", json=limited, status=429, headers={"ratelimit-reset": "2", "retry-after": "3"})
    assert provider().submit(sample_email(), sample_batch(1), key="k", timeout=5).retry_after == 3


def test_a_batch_that_is_refused_as_a_whole_goes_on_in_halves_under_keys_of_their_own(
    mock: responses.RequestsMock,
) -> None:
    keys: list[str] = []

    def answer(request: Any) -> tuple[int, dict[str, str], str]:
        messages = json.loads(b"".join(request.body))
        keys.append(request.headers["Idempotency-Key"])
        if any(message["to"] == ["reader2@example.org"] for message in messages):
            return 422, {}, '{"name": "validation_error", "message": "Invalid `to` field."}'
        return 200, {}, json.dumps({"data": [{"id": f"id{place}"} for place, _ in enumerate(messages)]})

    mock.add_callback(responses.POST, f"{BASE}/emails/batch", callback=answer)
    result = provider().submit(sample_email(), sample_batch(4), key="c:1", timeout=5)
    assert statuses(result) == [Status.SUBMITTED, Status.REJECTED, Status.SUBMITTED, Status.SUBMITTED]
    assert keys[0] == "c:1"
    assert len(set(keys)) == len(keys) == 5


# --- the account and its list ----------------------------------------------------------------------


def domain(name: str, *, status: str = "verified", clicks: bool = False) -> dict[str, Any]:
    return {"name": name, "status": status, "open_tracking": False, "click_tracking": clicks}


@pytest.mark.parametrize(
    ("domains", "expected"),
    [
        ([domain("a.example")], []),
        ([], [("error", "domain")]),
        ([domain("a.example", status="pending")], [("error", "domain")]),
        ([domain("a.example", clicks=True)], [("error", "tracking")]),
        ([domain("a.example", clicks=True), domain("b.example")], [("warning", "tracking")]),
    ],
)
def test_the_account_is_asked(mock: responses.RequestsMock, domains: list[Any], expected: list[Any]) -> None:
    mock.get(f"{BASE}/domains", json={"object": "list", "has_more": False, "data": domains})
    assert [(one.level, one.id) for one in provider().check(10)] == expected


@pytest.mark.parametrize(
    ("status", "name", "said", "expected"),
    [
        (401, "missing_api_key", "", ("error", "key")),
        (400, "validation_error", "API key is invalid", ("error", "key")),
        (401, "restricted_api_key", "", ("warning", "account")),
        (500, "application_error", "", ("warning", "account")),
    ],
)
def test_only_a_clear_answer_is_an_error(
    mock: responses.RequestsMock, status: int, name: str, said: str, expected: Any
) -> None:
    mock.get(f"{BASE}/domains", json={"name": name, "message": said}, status=status)
    assert [(one.level, one.id) for one in provider().check(10)] == [expected]


def test_its_list_is_read_page_by_page(mock: responses.RequestsMock) -> None:
    def page(*entries: dict[str, Any], more: bool, **params: str) -> None:
        matched = [matchers.query_param_matcher({"limit": "100", **params})]
        mock.get(f"{BASE}/suppressions", json={"has_more": more, "data": list(entries)}, match=matched)

    old = {"id": "1", "email": "a@example.org", "origin": "bounce", "created_at": "2026-10-06 23:47:56.678+00"}
    page(old, more=True)
    page(
        {**old, "id": "2", "email": "b@example.org", "origin": "manual", "created_at": "2026-11-06 00:00:00+00"},
        more=False,
        after="1",
    )
    assert [one.address for one in provider().suppressions()] == ["a@example.org", "b@example.org"]
    assert list(provider().suppressions(datetime(2026, 11, 1, tzinfo=UTC))) == [
        Suppression("b@example.org", "other", datetime(2026, 11, 6, tzinfo=UTC))
    ]


def test_its_list_is_changed_a_hundred_at_a_time(mock: responses.RequestsMock) -> None:
    sizes = []

    def take(request: Any) -> tuple[int, dict[str, str], str]:
        sizes.append(len(json.loads(b"".join(request.body))["emails"]))
        return 200, {}, '{"data": []}'

    mock.add_callback(responses.POST, f"{BASE}/suppressions/batch/add", callback=take)
    mock.add_callback(responses.POST, f"{BASE}/suppressions/batch/remove", callback=take)
    provider().suppress([Suppression(f"r{number}@example.org", "unsubscribe") for number in range(120)])
    provider().unsuppress(["a@example.org"])
    assert sizes == [100, 20, 1]
    mock.replace(responses.POST, f"{BASE}/suppressions/batch/add", status=403)
    with pytest.raises(ProviderError, match="403"):
        provider().suppress([Suppression("a@example.org", "bounce")])


# --- webhooks --------------------------------------------------------------------------------------

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
AT = datetime(2026, 12, 1, 17, 30, tzinfo=UTC)
BY_SVIX = "v1,I1bkhzOovZDsnULXT32fGQf0cWjdAF+TQw3NpV/wkZY="  # svix.Webhook(SECRET).sign("msg_1", AT, body), svix 2.9


def signed(body: bytes, *, secret: str = SECRET, at: datetime = AT, id_: str = "msg_1") -> dict[str, str]:
    """As Svix documents it; the next test holds this to what its own library has signed."""
    sent = str(int(at.timestamp()))
    key = base64.b64decode(secret.removeprefix("whsec_"))
    signature = base64.b64encode(hmac.new(key, f"{id_}.{sent}.".encode() + body, "sha256").digest()).decode()
    return {"svix-id": id_, "svix-timestamp": sent, "svix-signature": f"v1,{signature}"}


def test_what_svix_has_signed_passes() -> None:
    body = '{"type": "email.sent", "name": "Zoë"}'.encode()
    assert signed(body)["svix-signature"] == BY_SVIX
    Webhooks(SECRET).verify_webhook(signed(body), body, now=AT.timestamp() + 299)
    rotated = signed(body)
    rotated["svix-signature"] = "v1,AAAA v1a,BBBB " + rotated["svix-signature"]
    reads = resend.reports(Section(webhook_secret=SecretStr(SECRET)), Path())
    assert reads is not None
    reads.verify_webhook(rotated, body, now=AT.timestamp())
    assert resend.reports(Section(), Path()) is None


@pytest.mark.parametrize(
    ("changed", "late"),
    [
        ({}, 301.0),
        ({}, -301.0),
        ({"svix-id": "msg_2"}, 0.0),
        ({"svix-timestamp": str(int(AT.timestamp()) + 1)}, 0.0),
        ({"svix-timestamp": "soon"}, 0.0),
        ({"svix-timestamp": "٣"}, 0.0),
        ({"svix-signature": ""}, 0.0),
        ({"svix-signature": "v2,abc v1,"}, 0.0),
        ({"svix-signature": "v1,é"}, 0.0),
    ],
)
def test_what_is_stale_or_changed_does_not_pass(changed: dict[str, str], late: float) -> None:
    body = b'{"type": "email.sent"}'
    with pytest.raises(BadSignature):
        Webhooks(SECRET).verify_webhook({**signed(body), **changed}, body, now=AT.timestamp() + late)


def test_another_body_or_secret_or_none_does_not_pass() -> None:
    body = b'{"type": "email.sent"}'
    for checker, headers in (
        (Webhooks(SECRET), signed(b"{}")),
        (Webhooks(SECRET), signed(body, secret="whsec_" + "A" * 32)),
        (Webhooks(""), signed(body)),
        (Webhooks(SECRET), {}),
    ):
        with pytest.raises(BadSignature):
            checker.verify_webhook(headers, body, now=AT.timestamp())


def heard(type_: str, **data: Any) -> Event:
    known = {"email_id": "56761188-7520", "created_at": "2026-12-01T17:29:00Z", "to": ["Ann <ann@example.org>"], **data}
    body = json.dumps({"type": type_, "created_at": "2026-12-01T17:30:01.128Z", "data": known}).encode()
    (event,) = Webhooks(SECRET).parse_webhook({"svix-id": "msg_7"}, body)
    assert isinstance(event, Event), event
    return event


def test_an_event_in_full() -> None:
    event = heard("email.clicked", tags={"delivery": "d_-7", "campaign": "x"}, click={"link": "https://example.org/a"})
    assert (event.type, event.event_id, event.key, event.email) == (
        EventType.CLICKED,
        "msg_7",
        "d.7",
        "ann@example.org",
    )
    assert (event.message_id, event.url) == ("56761188-7520", "https://example.org/a")
    assert event.at == datetime(2026, 12, 1, 17, 30, 1, 128000, tzinfo=UTC)


@pytest.mark.parametrize(
    ("type_", "data", "meant", "permanent", "reason"),
    [
        ("email.sent", {}, EventType.ACCEPTED, None, ""),
        ("email.delivered", {}, EventType.DELIVERED, None, ""),
        ("email.delivery_delayed", {}, EventType.DEFERRED, None, ""),
        ("email.complained", {}, EventType.COMPLAINED, None, "complaint"),
        ("email.failed", {"failed": {"reason": "reached_daily_quota"}}, EventType.FAILED, None, ""),
        ("email.opened", {}, EventType.OPENED, None, ""),
        ("email.bounced", {"bounce": {"type": "Permanent", "subType": "General"}}, EventType.BOUNCED, True, "bounce"),
        (
            "email.bounced",
            {"bounce": {"type": "Transient", "subType": "MailboxFull"}},
            EventType.BOUNCED,
            False,
            "bounce",
        ),
        ("email.bounced", {"bounce": {"type": "Undetermined"}}, EventType.BOUNCED, False, "bounce"),
        (
            "email.bounced",
            {"bounce": {"type": "Transient", "subType": "ContentRejected"}},
            EventType.BOUNCED,
            False,
            "block",
        ),
        (
            "email.bounced",
            {"bounce": {"type": "Permanent", "diagnosticCode": ["smtp; 550 5.7.515 Access denied"]}},
            EventType.BOUNCED,
            False,
            "authentication",
        ),
        ("email.suppressed", {"suppressed": {"reason": "previous_bounce"}}, EventType.REJECTED, True, "bounce"),
        ("email.suppressed", {"suppressed": {"reason": "previous_complaint"}}, EventType.REJECTED, True, "complaint"),
        ("email.suppressed", {}, EventType.REJECTED, True, "bounce"),
        ("email.scheduled", {}, EventType.IGNORED, None, ""),
        ("contact.updated", {"unsubscribed": True}, EventType.IGNORED, None, ""),
        ("never.heard.of", {}, EventType.IGNORED, None, ""),
    ],
)
def test_an_event_means(
    type_: str, data: dict[str, Any], meant: EventType, permanent: bool | None, reason: str
) -> None:
    event = heard(type_, **data)
    assert (event.type, event.permanent, event.reason) == (meant, permanent, reason)


def test_bad_bodies_are_told_and_never_raise() -> None:
    good = b'{"type": "email.bounced", "created_at": "2026-12-01T17:30:01Z", "data": {"to": ["a@example.org"]}}'
    for body in (b"", b"{", b"[1]", b"{}", good, b'{"type": "email.sent", "created_at": 5, "data": null}'):
        (told,) = Webhooks(SECRET).parse_webhook({}, body)
        assert isinstance(told, ParseError)
        assert "@" not in told.what
