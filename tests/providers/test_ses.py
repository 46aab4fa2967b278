"""Amazon SES against a receiver of its own, each request held against the service's model; and its events."""

from __future__ import annotations

import base64
import gzip
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import botocore
import pytest
import responses
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from requests import PreparedRequest

from newsletter.core.delivery import BatchResult, Status, Suppression
from newsletter.core.email import Email, Escape, Mailbox, Site
from newsletter.core.event import Event, EventType, ParseError
from newsletter.errors import BadSignature, ProviderError
from newsletter.providers.ses import Section, Ses, Webhooks, build, reports
from newsletter.testing import Arrived, ProviderContract, sample_batch, sample_email

BASE = "https://email.eu-west-1.amazonaws.com"
BULK, SINGLE = f"{BASE}/v2/email/outbound-bulk-emails", f"{BASE}/v2/email/outbound-emails"

Answer = tuple[int, dict[str, str], str]


@cache
def shapes() -> Any:
    file = next(Path(botocore.__file__).parent.glob("data/sesv2/*/service-2.json.gz"))
    return json.loads(gzip.decompress(file.read_bytes()))["shapes"]


def fits(value: Any, name: str) -> None:
    """Fail where a request is not as the service's model says."""
    shape = shapes()[name]
    match shape["type"]:
        case "structure":
            assert set(value) <= set(shape["members"]), name
            assert set(shape.get("required", ())) <= set(value), name
            for field, one in value.items():
                fits(one, shape["members"][field]["shape"])
        case "list":
            assert shape.get("min", 0) <= len(value) <= shape.get("max", len(value)), name
            for one in value:
                fits(one, shape["member"]["shape"])
        case "string" | "blob":
            assert isinstance(value, str), name
            assert shape.get("min", 0) <= len(value) <= shape.get("max", len(value)), (name, len(value))
            assert value in shape.get("enum", [value])
            assert re.fullmatch(shape.get("pattern", "(?s).*"), value), (name, value)


def error(status: int, type_: str, message: str = "", **headers: str) -> Answer:
    return status, {"x-amzn-ErrorType": type_, **headers}, json.dumps({"message": message})


class Receiver:
    """The other side: checks signature and schema, renders simple substitutions once, keeps what it takes."""

    def __init__(self) -> None:
        self.calls: list[dict[str, Any]] = []
        self.taken: list[Arrived] = []
        self.statuses: dict[str, str] = {}  # by address, instead of SUCCESS
        self.script: list[Answer] = []

    def __call__(self, request: PreparedRequest) -> Answer:
        body = b"".join(request.body)  # type: ignore[arg-type]
        assert is_signed(request, body)
        assert request.headers["Content-Type"] == "application/json"
        call = json.loads(body)
        self.calls.append(call)
        if self.script:
            return self.script.pop(0)
        if request.url == SINGLE:
            fits(call, "SendEmailRequest")
            (to,) = call["Destination"]["ToAddresses"]
            message = Arrived.of(base64.b64decode(call["Content"]["Raw"]["Data"], validate=True))
            assert message.to == to
            self.taken.append(message)
            return 200, {}, json.dumps({"MessageId": f"id-{to}"})
        fits(call, "SendBulkEmailRequest")
        assert len(call["BulkEmailEntries"]) <= 50
        results = [self.entry(call, one) for one in call["BulkEmailEntries"]]
        return 200, {}, json.dumps({"BulkEmailEntryResults": results})

    def entry(self, call: dict[str, Any], one: dict[str, Any]) -> dict[str, str]:
        (to,) = one["Destination"]["ToAddresses"]
        if to in self.statuses:
            return {"Status": self.statuses[to], "Error": f"Because of <{to}>."}
        template = call["DefaultContent"]["Template"]
        data = json.loads(one["ReplacementEmailContent"]["ReplacementTemplate"]["ReplacementTemplateData"])
        headers = {each["Name"].lower(): each["Value"] for each in template.get("Headers", [])}
        headers |= {each["Name"].lower(): each["Value"] for each in one.get("ReplacementHeaders", [])}
        assert len(headers) <= 15
        assert all(len(name) + len(value) <= 996 for name, value in headers.items())
        content = template["TemplateContent"]
        subject, html, text = (rendered(content[part], data) for part in ("Subject", "Html", "Text"))
        self.taken.append(Arrived(to, subject, lines(html), lines(text), headers))
        return {"Status": "SUCCESS", "MessageId": f"id-{to}"}


def rendered(template: str, data: dict[str, str]) -> str:
    assert "{{" not in re.sub(r"\{\{\w+\}\}", "", template)
    return re.sub(r"\{\{(\w+)\}\}", lambda found: data[found[1]], template)


def lines(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n")


def is_signed(request: PreparedRequest, body: bytes) -> bool:
    """Sign the request anew as of its own date: the same signature must come out."""
    kept = {"Content-Type": request.headers["Content-Type"]} if "Content-Type" in request.headers else {}
    again = AWSRequest(request.method, request.url, headers=kept, data=body)
    again.context["timestamp"] = request.headers["X-Amz-Date"]
    again.headers["X-Amz-Date"] = request.headers["X-Amz-Date"]
    signer = SigV4Auth(Ses_key(), "ses", "eu-west-1")
    signature = signer.signature(signer.string_to_sign(again, signer.canonical_request(again)), again)
    return request.headers["Authorization"].endswith(
        f"SignedHeaders={';'.join(sorted(['host', 'x-amz-date', *map(str.lower, kept)]))}, Signature={signature}"
    )


class Ses_key:  # noqa: N801 - what the signer asks for
    access_key, secret_key, token = "AKID", "s3cret/key", None


@pytest.fixture
def mocked() -> Iterator[responses.RequestsMock]:
    with responses.RequestsMock(assert_all_requests_are_fired=False) as mock:
        yield mock


@pytest.fixture
def receiver(mocked: responses.RequestsMock) -> Receiver:
    other_side = Receiver()
    for url in (BULK, SINGLE):
        mocked.add_callback(responses.POST, url, other_side)
    return other_side


def ses(**more: Any) -> Ses:
    return Ses(**{"access_key_id": "AKID", "secret_access_key": "s3cret/key", "region": "eu-west-1", **more})


def plain_email(**more: Any) -> Email:
    """One without braces, but for a style's."""
    style = "<style>@media screen{p{color:red}}</style>"
    html = (style, "<p>{", Site("first_name", "friend", Escape.TEXT), "}</p>")
    return replace(sample_email(), html=html, text=("Dear ", Site("first_name", "friend", Escape.PLAIN)), **more)


def submit(batch: Any, email: Email | None = None, **more: Any) -> BatchResult:
    return ses(**more).submit(email or plain_email(), batch, key="c0ffee:1", timeout=5)


class TestContract(ProviderContract):
    @pytest.fixture(autouse=True)
    def _other_side(self, receiver: Receiver) -> None:
        self.receiver = receiver

    def provider(self) -> Ses:
        return ses()

    def arrived(self) -> list[Arrived]:
        return self.receiver.taken


# --- the call --------------------------------------------------------------------------------------


def test_fifty_readers_are_one_call_with_an_inline_template(receiver: Receiver) -> None:
    result = submit(sample_batch(51), configuration_set="letters")
    assert [len(call["BulkEmailEntries"]) for call in receiver.calls] == [50, 1]
    assert {one.status for one in result.outcomes} == {Status.SUBMITTED}
    assert result.outcomes[50].message_id == "id-reader51@example.org"
    call = receiver.calls[0]
    assert call["FromEmailAddress"] == "Sam Rivers <sam@letter.example.org>"
    assert call["ReplyToAddresses"] == ["answers@letter.example.org"]
    assert call["ConfigurationSetName"] == "letters"
    tracking = call["ConfigurationOverrides"]["Tracking"]
    assert tracking == {"OpenTrackingEnabled": "DISABLED", "ClickTrackingEnabled": "DISABLED"}
    assert call["BulkEmailEntries"][0]["ReplacementTags"] == [
        {"Name": "newsletter_key", "Value": "d_d1"},
        {"Name": "campaign", "Value": "a-quiet-week"},
    ]
    headers = call["BulkEmailEntries"][0]["ReplacementHeaders"]
    assert headers == [
        {"Name": "List-Unsubscribe", "Value": "<https://letter.example.org/unsubscribe/token-1>"},
    ]


def test_promise_10_the_same_key_gives_the_same_bytes(receiver: Receiver) -> None:
    submit(sample_batch(3))
    submit(sample_batch(3))
    one, other = receiver.calls
    assert json.dumps(one) == json.dumps(other)


def test_promise_11_braces_of_our_own_arrive_as_what_they_are(receiver: Receiver) -> None:
    html = ("{{x}} {{{y}}} \\{{z}} {", Site("first_name", "friend", Escape.TEXT), "}}\\")
    submit(sample_batch(1), replace(plain_email(), html=html))
    assert "BulkEmailEntries" in receiver.calls[0]
    assert receiver.taken[0].html == "{{x}} {{{y}}} \\{{z}} {Reader 1}}\\"


def test_promise_11_a_value_with_braces_goes_as_a_whole_message(receiver: Receiver) -> None:
    batch = sample_batch(2)
    odd = batch.recipients[0]._replace(values={"first_name": "{{x}}"})
    result = submit(replace(batch, recipients=(odd, batch.recipients[1])), configuration_set="letters")
    assert [one.status for one in result.outcomes] == [Status.SUBMITTED] * 2
    whole = receiver.calls[1]
    assert whole["EmailTags"][0] == {"Name": "newsletter_key", "Value": "d_d1"}
    assert whole["ConfigurationSetName"] == "letters"
    assert "{{x}}" in receiver.taken[1].html
    assert receiver.taken[1].headers["list-unsubscribe"] == "<https://letter.example.org/unsubscribe/token-1>"


@pytest.mark.parametrize(
    "change",
    [
        {"headers": tuple((f"X-{n}", ("v",)) for n in range(16))},
        {"headers": (("X-Long", ("v" * 999,)),)},
        {"headers": (("X-For", ("für ", Site("first_name", "you", Escape.HEADER))),)},
        {"text": ("x" * 500_001,)},
    ],
)
def test_an_email_that_fits_no_template_goes_as_whole_messages(receiver: Receiver, change: dict[str, Any]) -> None:
    result = submit(sample_batch(2), replace(plain_email(), **change))
    assert {one.status for one in result.outcomes} == {Status.SUBMITTED}
    assert all("Raw" in call["Content"] for call in receiver.calls)


def test_a_reader_with_a_long_link_or_value_goes_as_a_whole_message(receiver: Receiver) -> None:
    batch = sample_batch(2)
    long = batch.recipients[0]._replace(unsubscribe_url="https://letter.example.org/" + "t" * 990)
    much = batch.recipients[1]._replace(values={"first_name": "x" * 262_150})
    submit(replace(batch, recipients=(long, much)), plain_email(subject=("A quiet week",)))
    assert [list(call["Content"]) for call in receiver.calls] == [["Raw"], ["Raw"]]


def test_names_are_encoded_and_quoted_as_mail_wants_them(receiver: Receiver) -> None:
    submit(sample_batch(1), plain_email(sender=Mailbox('Rivers, "Sam"', "sam@letter.example.org")))
    submit(sample_batch(1), plain_email(sender=Mailbox("Zoë Rivers", "sam@letter.example.org")))
    assert [call["FromEmailAddress"] for call in receiver.calls] == [
        '"Rivers, \\"Sam\\"" <sam@letter.example.org>',
        "=?utf-8?b?Wm/DqyBSaXZlcnM=?= <sam@letter.example.org>",
    ]


# --- answers ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("said", "status", "halt", "pause"),
    [
        ("MESSAGE_REJECTED", Status.REJECTED, "", None),
        ("INVALID_PARAMETER", Status.REJECTED, "", None),
        ("TRANSIENT_FAILURE", Status.RETRY, "", None),
        ("FAILED", Status.RETRY, "", None),
        ("ACCOUNT_THROTTLED", Status.RETRY, "", 5.0),
        ("ACCOUNT_DAILY_QUOTA_EXCEEDED", Status.RETRY, "quota", None),
        ("MAIL_FROM_DOMAIN_NOT_VERIFIED", Status.RETRY, "account", None),
        ("ACCOUNT_SUSPENDED", Status.RETRY, "account", None),
        ("ACCOUNT_SENDING_PAUSED", Status.RETRY, "account", None),
        ("CONFIGURATION_SET_NOT_FOUND", Status.RETRY, "account", None),
        ("SOMETHING_NEW", Status.UNKNOWN, "", None),
    ],
)
def test_each_entry_has_an_answer_of_its_own(
    receiver: Receiver, said: str, status: Status, halt: str, pause: float | None
) -> None:
    receiver.statuses = {"reader2@example.org": said}
    result = submit(sample_batch(3))
    assert [one.status for one in result.outcomes] == [Status.SUBMITTED, status, Status.SUBMITTED]
    assert (result.halt, result.retry_after) == (halt, pause)
    assert result.outcomes[1].code == said
    assert "reader2" not in repr(result)


@pytest.mark.parametrize(
    ("answer", "status", "halt"),
    [
        (error(429, "TooManyRequestsException", "Maximum sending rate exceeded."), Status.RETRY, ""),
        (error(400, "ThrottlingException", "Maximum sending rate exceeded."), Status.RETRY, ""),
        (error(429, "TooManyRequestsException", "Daily message quota exceeded."), Status.RETRY, "quota"),
        (error(400, "LimitExceededException"), Status.RETRY, "quota"),
        (error(400, "AccountSuspendedException"), Status.RETRY, "account"),
        (error(400, "SendingPausedException"), Status.RETRY, "account"),
        (error(400, "MailFromDomainNotVerifiedException"), Status.RETRY, "account"),
        (error(404, "NotFoundException", "Configuration set <x> does not exist."), Status.RETRY, "account"),
        (
            error(400, "MessageRejected", "Email address is not verified. sam@letter.example.org"),
            Status.RETRY,
            "account",
        ),
        (error(400, "BadRequestException", "Illegal address"), Status.REJECTED, ""),
        (error(403, "SignatureDoesNotMatch:http://internal.amazon.com/"), Status.RETRY, "auth"),
        (error(403, "UnrecognizedClientException"), Status.RETRY, "auth"),
        (error(400, "IncompleteSignature"), Status.RETRY, "auth"),
        (error(503, "ServiceUnavailable"), Status.RETRY, ""),
        (error(500, "InternalFailure"), Status.UNKNOWN, ""),
        ((400, {}, '{"__type": "com.amazonaws.ses#SendingPausedException"}'), Status.RETRY, "account"),
        ((200, {}, "<html>"), Status.UNKNOWN, ""),
        ((200, {}, '{"BulkEmailEntryResults": []}'), Status.UNKNOWN, ""),
        ((200, {}, '{"BulkEmailEntryResults": [{"Status": "SUCCESS"}]}'), Status.UNKNOWN, ""),
        ((200, {}, '{"BulkEmailEntryResults": [5]}'), Status.UNKNOWN, ""),
    ],
)
def test_promise_3_each_answer_has_its_class(receiver: Receiver, answer: Answer, status: Status, halt: str) -> None:
    receiver.script = [answer]
    result = submit(sample_batch(1))
    assert [one.status for one in result.outcomes] == [status]
    assert result.halt == halt
    assert "s3cret" not in repr(result)
    assert "sam@" not in repr(result)


def test_a_pause_is_short_unless_it_says_so(receiver: Receiver) -> None:
    receiver.script = [error(429, "TooManyRequestsException", "Maximum sending rate exceeded.")]
    assert submit(sample_batch(2)).retry_after == 5.0
    receiver.script = [error(429, "TooManyRequestsException", "", **{"Retry-After": "9"})]
    assert submit(sample_batch(2)).retry_after == 9.0


def test_a_whole_message_without_an_id_is_unknown(receiver: Receiver) -> None:
    receiver.script = [(200, {}, "{}")]
    batch = sample_batch(1)
    odd = batch.recipients[0]._replace(values={"first_name": "{{x}}"})
    result = submit(replace(batch, recipients=(odd,)))
    assert [one.status for one in result.outcomes] == [Status.UNKNOWN]


def test_settings_that_cannot_work_say_which(tmp_path: Path) -> None:
    with pytest.raises(ProviderError, match="NEWSLETTER_SES__REGION"):
        build(Section(), tmp_path)
    with pytest.raises(ProviderError, match="NEWSLETTER_SES__ACCESS_KEY_ID"):
        build(Section(region="eu-west-1"), tmp_path)
    with pytest.raises(ProviderError, match="NEWSLETTER_SES__SECRET_ACCESS_KEY"):
        ses(secret_access_key="")
    assert reports(Section(), Path()) is None
    with pytest.raises(ProviderError, match="SIGNING_CERTIFICATE"):
        reports(Section(topic_arn=TOPIC, signing_certificate="none.pem"), tmp_path)


def test_a_base_url_may_carry_a_path(mocked: responses.RequestsMock) -> None:
    other_side = Receiver()
    mocked.add_callback(responses.POST, "http://127.0.0.1:8099/ses/v2/email/outbound-bulk-emails", other_side)
    provider = ses(base_url="http://127.0.0.1:8099/ses")
    assert not provider.capabilities.network
    provider.submit(plain_email(), sample_batch(1), key="k:1", timeout=5)
    assert len(other_side.taken) == 1


# --- the account -----------------------------------------------------------------------------------

ACCOUNT = {
    "EnforcementStatus": "HEALTHY",
    "ProductionAccessEnabled": True,
    "SendingEnabled": True,
    "SendQuota": {"Max24HourSend": 50000.0, "MaxSendRate": 14.0, "SentLast24Hours": 100.0},
}


@pytest.mark.parametrize(
    ("change", "need", "found"),
    [
        ({}, 49_900, []),
        ({}, 49_901, [("error", "quota")]),
        ({"SendQuota": {"Max24HourSend": -1.0, "MaxSendRate": 14.0, "SentLast24Hours": 1e6}}, 10**6, []),
        ({"SendQuota": None}, 10, []),
        ({"SendingEnabled": False}, 1, [("error", "account")]),
        ({"ProductionAccessEnabled": False}, 1, [("error", "sandbox")]),
        ({"EnforcementStatus": "SHUTDOWN"}, 1, [("error", "account")]),
        ({"EnforcementStatus": "PROBATION"}, 1, [("warning", "account")]),
    ],
)
def test_check_reads_the_account(
    mocked: responses.RequestsMock, change: dict[str, Any], need: int, found: list[tuple[str, str]]
) -> None:
    mocked.get(f"{BASE}/v2/email/account", json={**ACCOUNT, **change})
    mocked.get(f"{BASE}/v2/email/configuration-sets/letters", json={"SendingOptions": {"SendingEnabled": True}})
    assert [(one.level, one.id) for one in ses(configuration_set="letters").check(need)] == found


def test_check_refuses_only_what_is_clear(mocked: responses.RequestsMock) -> None:
    def said(**more: Any) -> list[tuple[str, str]]:
        return [(one.level, one.id) for one in ses(**more).check(5)]

    account = f"{BASE}/v2/email/account"
    mocked.get(account, json={"message": ""}, status=403, headers={"x-amzn-ErrorType": "UnrecognizedClientException"})
    mocked.get(account, json={"Message": ""}, status=403, headers={"x-amzn-ErrorType": "AccessDeniedException"})
    mocked.get(account, json=ACCOUNT)
    mocked.get(f"{BASE}/v2/email/configuration-sets/x", status=404, headers={"x-amzn-ErrorType": "NotFoundException"})
    mocked.get(f"{BASE}/v2/email/configuration-sets/x", json={"SendingOptions": {"SendingEnabled": False}})
    assert said() == [("error", "key")]
    assert said() == [("warning", "account")]
    assert said() == [("warning", "events")]
    assert said(configuration_set="x") == [("error", "configuration")]
    assert said(configuration_set="x") == [("error", "configuration")]


def test_its_list_is_read_page_by_page_and_written(mocked: responses.RequestsMock) -> None:
    path = f"{BASE}/v2/email/suppression/addresses"
    query = responses.matchers.query_param_matcher
    start = {"PageSize": "1000", "StartDate": "2026-12-01T00:00:00Z"}
    first = {"EmailAddress": "b@x.test", "Reason": "BOUNCE", "LastUpdateTime": 1796083200.5}
    second = {"EmailAddress": "c@x.test", "Reason": "COMPLAINT", "LastUpdateTime": 1796083201}
    mocked.get(path, json={"SuppressedDestinationSummaries": [first], "NextToken": "n"}, match=[query(start)])
    mocked.get(path, json={"SuppressedDestinationSummaries": [second]}, match=[query({**start, "NextToken": "n"})])
    found = list(ses().suppressions(datetime(2026, 12, 1, tzinfo=UTC)))
    assert [(one.address, one.reason) for one in found] == [("b@x.test", "bounce"), ("c@x.test", "complaint")]
    assert found[0].at == datetime.fromtimestamp(1796083200.5, UTC)

    put: list[Any] = []

    def take(request: PreparedRequest) -> Answer:
        body = b"".join(request.body)  # type: ignore[arg-type]
        assert is_signed(request, body)
        put.append(json.loads(body))
        return 200, {}, "{}"

    mocked.add_callback(responses.PUT, path, take)
    ses().suppress([Suppression("a@x.test", "bounce"), Suppression("b@x.test", "unsubscribe")])
    assert put == [
        {"EmailAddress": "a@x.test", "Reason": "BOUNCE"},
        {"EmailAddress": "b@x.test", "Reason": "COMPLAINT"},
    ]
    gone = mocked.delete(f"{path}/a%2Bb%40x.test", json={})
    mocked.delete(f"{path}/c%40x.test", status=404, headers={"x-amzn-ErrorType": "NotFoundException"})
    ses().unsuppress(["a+b@x.test", "c@x.test"])
    assert gone.call_count == 1
    assert is_signed(gone.calls[0].request, b"")
    mocked.delete(f"{path}/d%40x.test", status=500)
    with pytest.raises(ProviderError) as told:
        ses().unsuppress(["d@x.test"])
    assert "d@x" not in str(told.value)


# --- webhooks --------------------------------------------------------------------------------------

TOPIC = "arn:aws:sns:eu-west-1:123456789012:letters"
NOW = datetime(2026, 12, 1, 17, 30, tzinfo=UTC)


def notice(event: Any, **more: Any) -> dict[str, Any]:
    """A notification in SNS's envelope; test_sns.py signs them."""
    return {
        "Type": "Notification",
        "MessageId": "19ba9823-d7f2-53c1-860e-cb10e0d13dfc",
        "TopicArn": TOPIC,
        "Message": event if isinstance(event, str) else json.dumps(event),
        "Timestamp": "2026-12-01T17:30:00.123Z",
        **more,
    }


def body(told: Any) -> bytes:
    return json.dumps(told).encode()


def test_a_request_of_another_topic_or_without_a_signature_is_refused() -> None:
    hooks = reports(Section(topic_arn=TOPIC), Path())
    assert hooks is not None
    for told in (notice({}), notice({}, TopicArn="arn:aws:sns:eu-west-1:999999999999:letters")):
        with pytest.raises(BadSignature):
            hooks.verify_webhook({}, body(told), now=NOW.timestamp())
    assert not hooks.confirm_subscription(body(notice({})))
    assert hooks.parse_webhook({}, body(notice("m", Type="SubscriptionConfirmation"))) == []


# --- events ----------------------------------------------------------------------------------------

MAIL = {
    "timestamp": "2026-12-01T17:29:58.000Z",
    "messageId": "0102017f-3322-000000",
    "source": "sam@letter.example.org",
    "destination": ["reader1@example.org"],
    "tags": {"ses:configuration-set": ["letters"], "newsletter_key": ["d_d1"], "campaign": ["a-quiet-week"]},
}
AT = "2026-12-01T17:30:00.000Z"


def bounce(type_: str, sub: str = "General", **who: str) -> dict[str, Any]:
    person = {"emailAddress": "reader1@example.org", "action": "failed", "status": "5.1.1", **who}
    told = {"bounceType": type_, "bounceSubType": sub, "bouncedRecipients": [person], "timestamp": AT}
    return {"eventType": "Bounce", "bounce": {**told, "feedbackId": "f"}, "mail": MAIL}


def complaint(**more: Any) -> dict[str, Any]:
    told = {"complainedRecipients": [{"emailAddress": "reader1@example.org"}], "timestamp": AT, **more}
    return {"eventType": "Complaint", "complaint": told, "mail": MAIL}


def other(kind: str, field: str, **more: Any) -> dict[str, Any]:
    return {"eventType": kind, "mail": MAIL, field: {"timestamp": AT, **more}}


@pytest.mark.parametrize(
    ("event", "type_", "permanent", "reason"),
    [
        (bounce("Permanent"), EventType.BOUNCED, True, "bounce"),
        (bounce("Permanent", "NoEmail"), EventType.BOUNCED, True, "bounce"),
        (bounce("Permanent", diagnosticCode="smtp; 552 5.2.2 full"), EventType.BOUNCED, False, "bounce"),
        (bounce("Permanent", "Suppressed"), EventType.BOUNCED, True, "bounce"),
        (bounce("Permanent", "OnAccountSuppressionList"), EventType.BOUNCED, True, "bounce"),
        (
            bounce("Permanent", diagnosticCode="smtp; 550-5.7.26 Unauthenticated email is not accepted"),
            EventType.BOUNCED, False, "authentication",
        ),
        (bounce("Transient"), EventType.BOUNCED, False, ""),
        (bounce("Transient", "MailboxFull"), EventType.BOUNCED, False, ""),
        (bounce("Transient", "ContentRejected"), EventType.BOUNCED, False, "block"),
        (bounce("Transient", "MessageTooLarge"), EventType.BOUNCED, False, "block"),
        (bounce("Undetermined", "Undetermined"), EventType.BOUNCED, False, ""),
        ({**bounce("Permanent"), "notificationType": "Bounce", "eventType": None}, EventType.BOUNCED, True, "bounce"),
        (complaint(complaintFeedbackType="abuse"), EventType.COMPLAINED, None, "complaint"),
        (complaint(), EventType.COMPLAINED, None, "complaint"),
        (complaint(complaintFeedbackType="not-spam"), EventType.IGNORED, None, ""),
        (complaint(complaintSubType="OnAccountSuppressionList"), EventType.REJECTED, True, "complaint"),
        (other("Send", "send"), EventType.ACCEPTED, None, ""),
        (other("Delivery", "delivery", recipients=["reader1@example.org"]), EventType.DELIVERED, None, ""),
        (
            other("DeliveryDelay", "deliveryDelay", delayType="General",
                  delayedRecipients=[{"emailAddress": "reader1@example.org", "status": "4.4.1"}]),
            EventType.DEFERRED, None, "",
        ),
        (other("Reject", "reject", reason="Bad content"), EventType.FAILED, None, ""),
        (other("Rendering Failure", "failure", templateName="t"), EventType.FAILED, None, ""),
        (other("Open", "open", ipAddress="192.0.2.1"), EventType.OPENED, None, ""),
        (other("Click", "click", link="https://letter.example.org/"), EventType.CLICKED, None, ""),
        (
            other("Subscription", "subscription", newTopicPreferences={"unsubscribeAll": True}),
            EventType.UNSUBSCRIBED, None, "unsubscribe",
        ),
        (
            other("Subscription", "subscription", newTopicPreferences={"unsubscribeAll": False}),
            EventType.IGNORED, None, "",
        ),
        (other("Something New", "x"), EventType.IGNORED, None, ""),
    ],
)  # fmt: skip
def test_events_mean_what_ses_means(event: dict[str, Any], type_: str, permanent: bool | None, reason: str) -> None:
    (found,) = Webhooks(TOPIC).parse_webhook({}, body(notice(event)))
    assert isinstance(found, Event)
    assert (found.type, found.permanent, found.reason) == (type_, permanent, reason)
    assert (found.email, found.key) == ("reader1@example.org", "d.1")
    assert found.message_id == "0102017f-3322-000000"
    assert found.event_id == "19ba9823-d7f2-53c1-860e-cb10e0d13dfc"
    assert found.at in {NOW, NOW - timedelta(seconds=2)}


def test_several_recipients_are_several_events() -> None:
    event = bounce("Permanent")
    people = [{"emailAddress": "a@x.test"}, {"nobody": 1}, {"emailAddress": "b@x.test"}, 5]
    event["bounce"]["bouncedRecipients"] = people
    found = Webhooks(TOPIC).parse_webhook({}, body(notice(event)))
    assert [type(one) for one in found] == [Event, ParseError, Event, ParseError]
    told = [one for one in found if isinstance(one, Event)]
    assert [one.email for one in told] == ["a@x.test", "b@x.test"]
    assert len({one.event_id for one in told}) == 2


def test_an_event_without_its_envelope_is_read_too() -> None:
    hooks = Webhooks(TOPIC)
    (first,) = hooks.parse_webhook({}, body(bounce("Permanent")))
    (again,) = hooks.parse_webhook({}, body(bounce("Permanent")))
    assert isinstance(first, Event)
    assert isinstance(again, Event)
    assert first.event_id == again.event_id


@pytest.mark.parametrize(
    ("told", "kinds"),
    [
        (notice("Successfully validated SNS topic for Amazon SES event publishing."), []),
        (notice("text"), [ParseError]),
        (notice("[]"), [ParseError]),
        (notice({"eventType": "Bounce"}), [ParseError]),
        (notice({}), [ParseError]),
        ([], [ParseError]),
        ({"Type": "Notification"}, [ParseError]),
    ],
)
def test_what_cannot_be_read_is_one_fault_or_none(told: Any, kinds: list[type]) -> None:
    assert [type(one) for one in Webhooks(TOPIC).parse_webhook({}, body(told))] == kinds
    assert [type(one) for one in Webhooks(TOPIC).parse_webhook({}, b"<")] == [ParseError]


def test_keys_go_through_tags_and_back(receiver: Receiver) -> None:
    batch = sample_batch(1)
    for key in ("0a-0b", "a_b.c", "__d_.x", "d.d_d"):
        receiver.calls.clear()
        submit(replace(batch, recipients=(batch.recipients[0]._replace(key=key),)))
        value = receiver.calls[0]["BulkEmailEntries"][0]["ReplacementTags"][0]["Value"]
        assert re.fullmatch(r"[A-Za-z0-9_-]+", value)
        mail = {**MAIL, "tags": {"newsletter_key": [value]}}
        (found,) = Webhooks(TOPIC).parse_webhook({}, body(notice({**other("Send", "send"), "mail": mail})))
        assert isinstance(found, Event)
        assert found.key == key


def test_nothing_heavy_is_loaded_before_it_is_used() -> None:
    """The command line builds a provider for nearly everything it does; its own start must stay quick."""
    code = (
        "import sys; from newsletter.providers import mailgun, sendgrid, ses\n"
        "ses.Ses(access_key_id='a', secret_access_key='b', region='eu-west-1')\n"
        "mailgun.Mailgun(api_key='a', domain='mg.example.org'); sendgrid.Sendgrid(api_key='a')\n"
        "found = {'botocore', 'cryptography', 'requests', 'urllib3'} & set(sys.modules)\n"
        "assert not found, found"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
