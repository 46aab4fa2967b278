"""SendGrid against a receiver of its own that reads the documented call strictly, and webhooks signed independently."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import responses
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from requests import PreparedRequest

from newsletter.core.delivery import Batch, BatchResult, Status, Suppression
from newsletter.core.email import Email, Escape, Mailbox, Site
from newsletter.core.event import Event, EventType, ParseError
from newsletter.errors import BadSignature, ProviderError, StaleWebhook
from newsletter.providers.sendgrid import Section, Sendgrid, Webhooks, build, reports
from newsletter.testing import Arrived, ProviderContract, sample_batch, sample_email

BASE = "https://api.sendgrid.com/v3"
SEND = f"{BASE}/mail/send"
NOW = 1_796_146_200.0

Answer = tuple[int, dict[str, str], str]
TAKEN: Answer = (202, {"X-Message-Id": "14c5d75ce93"}, "")


def refused(status: int, *errors: tuple[str, str | None], **headers: str) -> Answer:
    told = {"errors": [{"message": message, "field": field, "help": None} for message, field in errors]}
    return status, {name.replace("_", "-"): value for name, value in headers.items()}, json.dumps(told)


class Receiver:
    """The other side: substitutes as documented; an unknown field, or one of the wrong kind, fails the test."""

    def __init__(self) -> None:
        self.calls: list[dict[str, Any]] = []
        self.taken: list[Arrived] = []
        self.bad: set[str] = set()  # addresses it refuses by their place
        self.script: list[Answer] = []

    def __call__(self, request: PreparedRequest) -> Answer:
        assert request.headers["Authorization"] == "Bearer SG.key"
        assert request.headers["Content-Type"] == "application/json"
        body = b"".join(request.body)  # type: ignore[arg-type]
        assert int(request.headers["Content-Length"]) == len(body)
        call = json.loads(body)
        self.calls.append(call)
        if self.script:
            answer = self.script.pop(0)
            if answer[0] != 202:
                return answer
        people = call["personalizations"]
        wrong = [place for place, one in enumerate(people) if one["to"][0]["email"] in self.bad]
        if wrong:
            return refused(400, *(("Does not contain a valid address.", f"personalizations.{n}.to") for n in wrong))
        self.taken += [self.read(call, one) for one in people]
        return TAKEN

    def read(self, call: dict[str, Any], one: dict[str, Any]) -> Arrived:
        allowed = {"from", "reply_to", "subject", "content", "categories", "tracking_settings", "mail_settings"}
        assert set(call) <= allowed | {"personalizations"}
        assert set(one) <= {"to", "headers", "substitutions", "custom_args"}
        assert 0 < len(call["personalizations"]) <= 1000
        assert set(call["from"]) <= {"email", "name"}
        assert [set(to) for to in one["to"]] == [{"email"}]
        tracking = call["tracking_settings"]
        assert set(tracking) == {"click_tracking", "open_tracking", "subscription_tracking", "ganalytics"}
        assert not any(part["enable"] for part in tracking.values())
        for name, value in {**one["headers"], **one["custom_args"]}.items():
            assert isinstance(value, str)
            assert value.isascii()
            assert not re.search(r"[\r\n]", name + value)
        known = one.get("substitutions", {})
        assert sum(len((name + value).encode()) for name, value in known.items()) <= 10_000
        kinds = [part["type"] for part in call["content"]]
        assert kinds == ["text/plain", "text/html"]
        text, html = (filled(part["value"], known) for part in call["content"])
        headers = {name.lower(): value for name, value in one["headers"].items()}
        return Arrived(one["to"][0]["email"], filled(call["subject"], known), lines(html), lines(text), headers)


def filled(text: str, known: dict[str, str]) -> str:
    return re.sub("|".join(map(re.escape, known)), lambda found: known[found[0]], text) if known else text


def lines(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n")


@pytest.fixture
def mocked() -> Iterator[responses.RequestsMock]:
    with responses.RequestsMock(assert_all_requests_are_fired=False) as mock:
        yield mock


@pytest.fixture
def receiver(mocked: responses.RequestsMock) -> Receiver:
    other_side = Receiver()
    mocked.add_callback(responses.POST, SEND, other_side)
    return other_side


def holding(shape: Any) -> Callable[[PreparedRequest], tuple[bool, str]]:
    """A matcher of a body that is made while it goes out."""

    def match(request: PreparedRequest) -> tuple[bool, str]:
        body = json.loads(b"".join(request.body))  # type: ignore[arg-type]
        return body == shape, f"{body} is not {shape}"

    return match


def sendgrid(**more: Any) -> Sendgrid:
    return Sendgrid(api_key="SG.key", now=lambda: NOW, **more)


def submit(batch: Batch, email: Email | None = None, key: str = "c0ffee:1") -> BatchResult:
    return sendgrid().submit(email or sample_email(), batch, key=key, timeout=5)


class TestContract(ProviderContract):
    @pytest.fixture(autouse=True)
    def _other_side(self, receiver: Receiver) -> None:
        self.receiver = receiver

    def provider(self) -> Sendgrid:
        return sendgrid()

    def arrived(self) -> list[Arrived]:
        return self.receiver.taken


# --- the call --------------------------------------------------------------------------------------


def test_a_batch_is_one_call_with_everything_off_and_our_key(receiver: Receiver) -> None:
    result = submit(sample_batch(3))
    (call,) = receiver.calls
    assert call["from"] == {"email": "sam@letter.example.org", "name": "Sam Rivers"}
    assert call["reply_to"] == {"email": "answers@letter.example.org"}
    assert call["categories"] == ["a-quiet-week"]
    first = call["personalizations"][0]
    assert first["custom_args"] == {"newsletter_key": "d.1"}
    assert first["headers"]["Message-ID"] == "<d.1@letter.example.org>"
    assert result.outcomes[0].message_id == "<d.1@letter.example.org>"
    assert result.halt == ""


def test_promise_10_the_same_key_gives_the_same_bytes(receiver: Receiver, mocked: responses.RequestsMock) -> None:
    submit(sample_batch(3))
    submit(sample_batch(3))
    one, other = receiver.calls
    assert json.dumps(one) == json.dumps(other)
    submit(sample_batch(3), key="beef:1")
    assert json.dumps(receiver.calls[2]) != json.dumps(one)  # names are the campaign's own


def test_names_with_quotes_and_letters_beyond_ascii_stand_as_they_are(receiver: Receiver) -> None:
    email = replace(
        sample_email(),
        sender=Mailbox('Zoë "Z", Rivers', "sam@letter.example.org"),
        headers=(*sample_email().headers, ("X-About", ("Grüße",))),
    )
    submit(sample_batch(1), email)
    assert receiver.calls[0]["from"]["name"] == 'Zoë "Z", Rivers'
    assert receiver.taken[0].headers["x-about"] == "=?utf-8?b?R3LDvMOfZQ==?="


def test_an_address_that_could_be_two_is_refused_here(receiver: Receiver) -> None:
    batch = sample_batch(2)
    odd = batch.recipients[0]._replace(address="a@x.test, b@x.test")
    result = submit(replace(batch, recipients=(odd, batch.recipients[1])))
    assert [outcome.status for outcome in result.outcomes] == [Status.REJECTED, Status.SUBMITTED]
    assert [message.to for message in receiver.taken] == ["reader2@example.org"]


def test_values_over_the_limit_go_in_a_call_of_their_own(receiver: Receiver) -> None:
    batch = sample_batch(3)
    long = batch.recipients[1]._replace(values={"first_name": "é" * 9000})
    result = submit(replace(batch, recipients=(batch.recipients[0], long, batch.recipients[2])))
    assert {outcome.status for outcome in result.outcomes} == {Status.SUBMITTED}
    assert [len(call["personalizations"]) for call in receiver.calls] == [2, 1]
    assert "substitutions" not in receiver.calls[1]["personalizations"][0]
    assert "é" * 9000 in receiver.taken[2].html


def test_a_header_with_a_value_beyond_ascii_goes_in_a_call_of_its_own(receiver: Receiver) -> None:
    greeting = ("X-For", ("for ", Site("first_name", "you", Escape.HEADER)))
    email = replace(sample_email(), headers=(*sample_email().headers, greeting))
    batch = sample_batch(2)
    named = batch.recipients[0]._replace(values={"first_name": "Zoë"})
    submit(replace(batch, recipients=(named, batch.recipients[1])), email)
    by_address = {message.to: message for message in receiver.taken}
    assert by_address["reader1@example.org"].headers["x-for"] == "for =?utf-8?b?Wm/Dqw==?="
    assert by_address["reader2@example.org"].headers["x-for"] == "for Reader 2"


def test_no_address_stands_twice_in_a_call(receiver: Receiver) -> None:
    batch = sample_batch(2)
    twin = batch.recipients[1]._replace(address="READER1@example.org")
    submit(replace(batch, recipients=(batch.recipients[0], twin)))
    assert [len(call["personalizations"]) for call in receiver.calls] == [1, 1]


# --- answers ---------------------------------------------------------------------------------------


def test_readers_a_refusal_names_are_left_out_and_the_rest_goes(receiver: Receiver) -> None:
    receiver.bad = {"reader2@example.org", "reader4@example.org"}
    result = submit(sample_batch(5))
    good, bad = Status.SUBMITTED, Status.REJECTED
    assert [outcome.status for outcome in result.outcomes] == [good, bad, good, bad, good]
    assert len(receiver.calls) == 2
    assert len(receiver.taken) == 3
    assert "reader2" not in repr(result)


def test_a_refusal_that_names_nobody_is_halved(receiver: Receiver) -> None:
    receiver.script = [refused(400, ("Bad Request", None)), TAKEN]
    result = submit(sample_batch(2))
    assert {outcome.status for outcome in result.outcomes} == {Status.SUBMITTED}
    assert [len(call["personalizations"]) for call in receiver.calls] == [2, 1, 1]


def test_when_those_named_are_out_and_it_is_refused_again_the_rest_comes_again(receiver: Receiver) -> None:
    named = refused(400, ("Does not contain a valid address.", "personalizations.0.to.0.email"))
    receiver.script = [named, refused(400, ("Bad Request", None))]
    result = submit(sample_batch(3))
    assert [one.status for one in result.outcomes] == [Status.REJECTED, Status.RETRY, Status.RETRY]


@pytest.mark.parametrize(
    ("answer", "status", "halt"),
    [
        (
            refused(401, ("The provided authorization grant is invalid, expired, or revoked", None)),
            Status.RETRY,
            "auth",
        ),
        (refused(401, ("Maximum credits exceeded", None)), Status.RETRY, "quota"),
        (refused(403, ("access forbidden", None)), Status.RETRY, "auth"),
        (refused(403, ("The from address does not match a verified Sender", "from")), Status.RETRY, "account"),
        (refused(400, ("The from email does not contain a valid address.", "from.email")), Status.RETRY, "account"),
        (refused(404, ("not found", None)), Status.RETRY, "account"),
        (refused(451, ("Unavailable due to data residency restrictions", None)), Status.RETRY, "account"),
        (refused(413, ("content too large", None)), Status.REJECTED, ""),
        (refused(500, ("internal server error", None)), Status.UNKNOWN, ""),
        (refused(502), Status.UNKNOWN, ""),
        ((503, {}, "Service Unavailable"), Status.RETRY, ""),
        ((200, {}, "<html>"), Status.UNKNOWN, ""),
        ((302, {"Location": "https://x.test"}, ""), Status.RETRY, "account"),
    ],
)
def test_promise_3_each_answer_has_its_class(receiver: Receiver, answer: Answer, status: Status, halt: str) -> None:
    receiver.script = [answer]
    result = submit(sample_batch(1))
    assert [one.status for one in result.outcomes] == [status]
    assert result.halt == halt
    assert len(receiver.calls) == 1
    assert "SG.key" not in repr(result)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"Retry_After": "7"}, 7.0),
        ({"X_RateLimit_Reset": str(int(NOW) + 12)}, 12.0),
        ({"X_RateLimit_Reset": "1796146250", "Date": "Tue, 01 Dec 2026 17:30:00 GMT"}, 50.0),
        ({"X_RateLimit_Reset": "1000"}, 1.0),
        ({}, 30.0),
    ],
)
def test_too_many_requests_pause_everybody_for_as_long_as_it_says(
    receiver: Receiver, headers: dict[str, str], seconds: float
) -> None:
    receiver.script = [refused(429, ("too many requests", None), **headers)]
    result = submit(sample_batch(3))
    assert {one.status for one in result.outcomes} == {Status.RETRY}
    assert result.retry_after == seconds
    assert len(receiver.calls) == 1


def test_a_lost_answer_cannot_be_asked_for() -> None:
    batch = sample_batch(2)
    assert sendgrid().reconcile(batch, key="c0ffee:1") == {"d.1": None, "d.2": None}


def test_settings_that_cannot_work_say_which() -> None:
    with pytest.raises(ProviderError, match="NEWSLETTER_SENDGRID__API_KEY"):
        build(Section(), Path())
    with pytest.raises(ProviderError, match="WEBHOOK_PUBLIC_KEY") as told:
        reports(Section(webhook_public_key="bm90IGEga2V5"), Path())
    assert "bm90" not in str(told.value)


def test_a_base_url_may_carry_a_path(mocked: responses.RequestsMock) -> None:
    other_side = Receiver()
    mocked.add_callback(responses.POST, "http://127.0.0.1:8099/sendgrid/mail/send", other_side)
    provider = sendgrid(base_url="http://127.0.0.1:8099/sendgrid")
    assert not provider.capabilities.network
    provider.submit(sample_email(), sample_batch(1), key="k:1", timeout=5)
    assert len(other_side.taken) == 1


# --- the account -----------------------------------------------------------------------------------


def test_check_asks_for_scope_and_credit(mocked: responses.RequestsMock) -> None:
    mocked.get(f"{BASE}/scopes", json={"scopes": ["mail.send", "stats.read"]})
    mocked.get(f"{BASE}/user/credits", json={"remain": 90, "total": 100, "overage": 0, "used": 10})
    assert list(sendgrid().check(90)) == []
    (found,) = sendgrid().check(91)
    assert (found.level, found.id) == ("error", "quota")


def test_check_refuses_only_what_is_clear(mocked: responses.RequestsMock) -> None:
    mocked.get(f"{BASE}/scopes", json={"errors": [{"message": "authorization required"}]}, status=401)
    mocked.get(f"{BASE}/scopes", json={"scopes": ["stats.read"]})
    mocked.get(f"{BASE}/scopes", status=500)
    mocked.get(f"{BASE}/scopes", json={"scopes": ["mail.send"]})
    mocked.get(f"{BASE}/user/credits", status=403)

    def said() -> list[tuple[str, str]]:
        return [(one.level, one.id) for one in sendgrid().check(5)]

    assert said() == [("error", "key")]
    assert said() == [("error", "key")]
    assert said() == [("warning", "account")]
    assert said() == []


def test_suppressions_come_from_all_its_lists_page_by_page(mocked: responses.RequestsMock) -> None:
    def page(offset: int, people: list[dict[str, Any]]) -> None:
        params = {"limit": "500", "offset": str(offset), "start_time": "1443651141"}
        mocked.get(f"{BASE}/suppression/bounces", json=people, match=[responses.matchers.query_param_matcher(params)])

    page(0, [{"created": 1443651141, "email": f"b{n}@x.test", "reason": "550", "status": "5.1.1"} for n in range(500)])
    page(500, [{"created": 1443651142, "email": "last@x.test", "reason": "550", "status": "5.1.1"}])
    mocked.get(f"{BASE}/suppression/invalid_emails", json=[])
    mocked.get(f"{BASE}/suppression/spam_reports", json=[{"created": 1443651143, "email": "s@x.test", "ip": "1.2.3.4"}])
    mocked.get(f"{BASE}/suppression/unsubscribes", json=[{"created": 1443651144, "email": "u@x.test"}])
    since = datetime.fromtimestamp(1443651141, UTC)
    found = list(sendgrid().suppressions(since))
    assert len(found) == 503
    assert [(one.address, one.reason) for one in found[500:]] == [
        ("last@x.test", "bounce"),
        ("s@x.test", "complaint"),
        ("u@x.test", "unsubscribe"),
    ]
    assert found[-1].at == datetime.fromtimestamp(1443651144, UTC)


def test_addresses_are_put_on_and_taken_off_its_lists(mocked: responses.RequestsMock) -> None:
    on = mocked.post(
        f"{BASE}/asm/suppressions/global",
        json={"recipient_emails": ["a@x.test"]},
        status=201,
        match=[holding({"recipient_emails": ["a@x.test"]})],
    )
    sendgrid().suppress([Suppression("a@x.test", "complaint")])
    lists = [
        mocked.delete(f"{BASE}/suppression/{name}", status=204, match=[holding({"emails": ["a+b@x.test"]})])
        for name in ("bounces", "blocks", "invalid_emails", "spam_reports")
    ]
    gone = mocked.delete(f"{BASE}/asm/suppressions/global/a%2Bb%40x.test", status=404)
    sendgrid().unsuppress(["a+b@x.test"])
    assert [one.call_count for one in (on, *lists, gone)] == [1] * 6


def test_no_list_is_an_error(mocked: responses.RequestsMock) -> None:
    mocked.get(f"{BASE}/suppression/bounces", status=500)
    mocked.post(f"{BASE}/asm/suppressions/global", status=401)
    with pytest.raises(ProviderError):
        list(sendgrid().suppressions())
    with pytest.raises(ProviderError) as told:
        sendgrid().suppress([Suppression("a@x.test", "bounce")])
    assert "a@x.test" not in str(told.value)


# --- webhooks --------------------------------------------------------------------------------------

SIGNER = ec.generate_private_key(ec.SECP256R1())
PUBLIC = base64.b64encode(SIGNER.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).decode()


def signed(body: bytes, at: float = NOW, signer: ec.EllipticCurvePrivateKey = SIGNER) -> dict[str, str]:
    stamp = str(int(at))
    signature = signer.sign(stamp.encode() + body, ec.ECDSA(SHA256()))
    return {
        "x-twilio-email-event-webhook-signature": base64.b64encode(signature).decode(),
        "x-twilio-email-event-webhook-timestamp": stamp,
    }


def test_a_request_that_sendgrid_signed_passes() -> None:
    body = b'[{"email":"a@x.test"}]\r\n'
    for key in (PUBLIC, f"-----BEGIN PUBLIC KEY-----\n{PUBLIC}\n-----END PUBLIC KEY-----\n"):
        Webhooks(key).verify_webhook(signed(body), body, now=NOW + 3600)


@pytest.mark.parametrize(
    "change",
    [
        lambda headers, body: ({}, body),
        lambda headers, body: (headers, body.strip()),
        lambda headers, body: ({**headers, "x-twilio-email-event-webhook-timestamp": str(int(NOW) + 1)}, body),
        lambda headers, body: ({**headers, "x-twilio-email-event-webhook-signature": "AAAA"}, body),
        lambda headers, body: ({**headers, "x-twilio-email-event-webhook-signature": "é"}, body),
        lambda headers, body: (signed(body, signer=ec.generate_private_key(ec.SECP256R1())), body),
    ],
)
def test_any_other_request_is_refused(change: Callable[[dict[str, str], bytes], tuple[dict[str, str], bytes]]) -> None:
    headers, body = change(signed(b"[] "), b"[] ")
    with pytest.raises(BadSignature):
        Webhooks(PUBLIC).verify_webhook(headers, body, now=NOW)


def test_without_a_public_key_there_is_no_reader() -> None:
    assert reports(Section(), Path()) is None


def test_a_signature_of_long_ago_is_stale() -> None:
    provider = Webhooks(PUBLIC)
    provider.verify_webhook(signed(b"[]"), b"[]", now=NOW + 6.9 * 86400)
    with pytest.raises(StaleWebhook):
        provider.verify_webhook(signed(b"[]"), b"[]", now=NOW + 7.1 * 86400)


def told(event: str, **more: Any) -> dict[str, Any]:
    return {
        "email": "reader1@example.org",
        "timestamp": 1796146200,
        "smtp-id": "<d.1@letter.example.org>",
        "event": event,
        "category": ["a-quiet-week"],
        "sg_event_id": f"id-{event}",
        "sg_message_id": "14c5d75ce93.dfd.64b469.filter0001.16648.5515E0B88.0",
        "newsletter_key": "d.1",
        **more,
    }


@pytest.mark.parametrize(
    ("event", "type_", "permanent", "reason"),
    [
        (told("processed"), EventType.ACCEPTED, None, ""),
        (told("delivered", response="250 OK"), EventType.DELIVERED, None, ""),
        (told("deferred", response="452 4.2.2 full", attempt="5"), EventType.DEFERRED, None, ""),
        (told("bounce", type="bounce", status="5.1.1", reason="550 no such user"), EventType.BOUNCED, True, "bounce"),
        (told("bounce", type="bounce", status="5.2.2", reason="552 5.2.2 full"), EventType.BOUNCED, False, "bounce"),
        (told("bounce", type="bounce", status="5.7.1", reason="550 5.7.1 no"), EventType.BOUNCED, False, "block"),
        (told("bounce", type="blocked", reason="554 5.7.1 spam"), EventType.BOUNCED, False, "block"),
        (told("bounce", type="blocked", status="4.0.0"), EventType.BOUNCED, False, "block"),
        (told("bounce", type="expired", status="4.0.0"), EventType.BOUNCED, False, ""),
        (told("bounce", status="5.0.0"), EventType.BOUNCED, True, "bounce"),
        (
            told("bounce", type="bounce", reason="550-5.7.26 This mail has been blocked because it is unauthenticated"),
            EventType.BOUNCED, False, "authentication",
        ),
        (
            told("bounce", type="blocked", reason="550 5.7.515 Access denied, sending domain does not meet the level"),
            EventType.BOUNCED, False, "authentication",
        ),
        (told("dropped", reason="Bounced Address"), EventType.REJECTED, True, "bounce"),
        (told("dropped", reason="Invalid"), EventType.REJECTED, True, "invalid"),
        (told("dropped", reason="Spam Reporting Address"), EventType.REJECTED, True, "complaint"),
        (told("dropped", reason="Unsubscribed Address"), EventType.REJECTED, True, "unsubscribe"),
        (told("dropped", reason="Spam Content"), EventType.FAILED, None, ""),
        (told("dropped", reason="Invalid SMTPAPI header"), EventType.FAILED, None, ""),
        (told("dropped", reason="Recipient List over Package Quota"), EventType.FAILED, None, ""),
        (told("spamreport"), EventType.COMPLAINED, None, "complaint"),
        (told("unsubscribe"), EventType.UNSUBSCRIBED, None, "unsubscribe"),
        (told("group_unsubscribe", asm_group_id=10), EventType.UNSUBSCRIBED, None, "unsubscribe"),
        (told("group_resubscribe", asm_group_id=10), EventType.RESUBSCRIBED, None, ""),
        (told("open", sg_machine_open=True), EventType.OPENED, None, ""),
        (told("click", url="https://letter.example.org/"), EventType.CLICKED, None, ""),
        (told("account_status_change"), EventType.IGNORED, None, ""),
    ],
)  # fmt: skip
def test_events_mean_what_sendgrid_means(
    event: dict[str, Any], type_: str, permanent: bool | None, reason: str
) -> None:
    (found,) = Webhooks(PUBLIC).parse_webhook({}, json.dumps([event]).encode())
    assert isinstance(found, Event)
    assert (found.type, found.permanent, found.reason) == (type_, permanent, reason)
    assert (found.email, found.key, found.message_id) == ("reader1@example.org", "d.1", "<d.1@letter.example.org>")
    assert found.event_id == f"id-{event['event']}"
    assert found.at == datetime(2026, 12, 1, 17, 30, tzinfo=UTC)
    assert found.machine == event.get("sg_machine_open")


def test_a_bad_event_does_not_lose_the_others() -> None:
    body = json.dumps([told("delivered"), 5, {"event": "bounce"}, told("open", timestamp="soon"), told("spamreport")])
    found = Webhooks(PUBLIC).parse_webhook({}, body.encode())
    kinds = [type(one) for one in found]
    assert kinds == [Event, ParseError, ParseError, ParseError, Event]
    assert [type(one) for one in Webhooks(PUBLIC).parse_webhook({}, b"<html>")] == [ParseError]
    assert Webhooks(PUBLIC).parse_webhook({}, b"[]") == []
