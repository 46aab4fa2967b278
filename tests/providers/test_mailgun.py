"""Mailgun against a receiver of its own that reads the documented form strictly, and webhooks signed independently."""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email import message_from_bytes, policy
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import responses
from pydantic import SecretStr
from requests import PreparedRequest

from newsletter.core.delivery import Batch, BatchResult, Status, Suppression
from newsletter.core.email import Email, Escape, Mailbox, Site
from newsletter.core.event import Event, EventType, ParseError
from newsletter.errors import BadSignature, ProviderError, StaleWebhook
from newsletter.providers.mailgun import Mailgun, Section, Webhooks, build, reports
from newsletter.testing import Arrived, ProviderContract, sample_batch, sample_email

BASE = "https://api.mailgun.net/v3"
SEND, EVENTS = f"{BASE}/mg.example.org/messages", f"{BASE}/mg.example.org/events"
AUTH = "Basic YXBpOmtleS0x"  # api:key-1
AT = datetime(2026, 12, 1, 17, 30, tzinfo=UTC)

Answer = tuple[int, dict[str, str], str]
Form = dict[str, list[str]]


def said(status: int, message: str, **headers: str) -> Answer:
    return status, headers, json.dumps({"message": message})


def form(request: PreparedRequest, body: bytes) -> Form:
    """A form as RFC 7578 writes it, read by another."""
    kind = str(request.headers["Content-Type"])
    assert kind.startswith("multipart/form-data; boundary=")
    read = message_from_bytes(f"Content-Type: {kind}\r\n\r\n".encode() + body, policy=policy.HTTP)
    found: Form = {}
    for part in read.iter_parts():
        assert part.get_content_disposition() == "form-data"
        assert [name for name, _ in part.items()] == ["Content-Disposition"]
        value = part.get_payload(decode=True)
        assert isinstance(value, bytes)
        found.setdefault(str(part.get_param("name", header="content-disposition")), []).append(value.decode("utf-8"))
    return found


class Receiver:
    """The other side: fills in recipient variables once, and what it always fills in; an unknown field is a failure."""

    def __init__(self) -> None:
        self.forms: list[Form] = []
        self.bodies: list[bytes] = []
        self.taken: list[Arrived] = []
        self.bad: set[str] = set()
        self.script: list[Answer] = []

    def __call__(self, request: PreparedRequest) -> Answer:
        assert request.headers["Authorization"] == AUTH
        body = b"".join(request.body)  # type: ignore[arg-type]
        self.bodies.append(body)
        sent = form(request, body)
        self.forms.append(sent)
        if self.script:
            return self.script.pop(0)
        if self.bad & set(sent["to"]):
            return said(400, "to parameter is not a valid address. please check documentation")
        self.take(sent)
        return 200, {}, json.dumps({"id": f"<{len(self.forms)}@mg.example.org>", "message": "Queued. Thank you."})

    def take(self, sent: Form) -> None:
        fixed = {"from", "to", "subject", "text", "html", "recipient-variables", "v:newsletter_key"}
        options = {"o:tag", "o:tracking", "o:tracking-clicks", "o:tracking-opens"}
        assert all(name in fixed | options or name.startswith("h:") for name in sent)
        assert all(len(values) == 1 for name, values in sent.items() if name != "to")
        limited = sum(len(name) + len(values[0]) for name, values in sent.items() if name[:2] in {"o:", "h:", "v:"})
        assert limited <= 16 * 1024
        assert [sent[name] for name in ("o:tracking", "o:tracking-clicks", "o:tracking-opens")] == [["no"]] * 3
        known = json.loads(sent["recipient-variables"][0])
        assert set(known) == set(sent["to"])
        assert 0 < len(sent["to"]) <= 1000
        for to in sent["to"]:

            def filled(name: str, to: str = to) -> str:
                return fill(sent[name][0], to, known[to])

            headers = {name[2:].lower(): filled(name) for name in sent if name.startswith("h:")}
            assert all(value.isascii() and "\n" not in value for value in headers.values())
            headers["@key"] = filled("v:newsletter_key")
            self.taken.append(Arrived(to, filled("subject"), lines(filled("html")), lines(filled("text")), headers))


def fill(text: str, to: str, known: dict[str, str]) -> str:
    always = {"recipient": to, "recipient_email": to, "unsubscribe_url": "https://mailgun.test/u"}

    def value(found: re.Match[str]) -> str:
        name = found[1]
        own = name.removeprefix("recipient.")
        return known.get(own, "") if own != name else always.get(name, found[0])

    return re.sub(r"%([\w.]+)%", value, text)


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


def mailgun(**more: Any) -> Mailgun:
    now = (AT + timedelta(hours=1)).timestamp()
    return Mailgun(**{"api_key": "key-1", "domain": "mg.example.org", "now": lambda: now, **more})


def submit(batch: Batch, email: Email | None = None, key: str = "c0ffee:1") -> BatchResult:
    return mailgun().submit(email or sample_email(), batch, key=key, timeout=5)


class TestContract(ProviderContract):
    @pytest.fixture(autouse=True)
    def _other_side(self, receiver: Receiver, mocked: responses.RequestsMock) -> None:
        self.receiver = receiver
        mocked.get(EVENTS, json={"items": [], "paging": {"next": f"{EVENTS}/end"}})

    def provider(self) -> Mailgun:
        return mailgun()

    def arrived(self) -> list[Arrived]:
        return self.receiver.taken


# --- the call --------------------------------------------------------------------------------------


def test_a_batch_is_one_call_with_tracking_off_and_our_key(receiver: Receiver) -> None:
    result = submit(sample_batch(3))
    (sent,) = receiver.forms
    assert sent["from"] == ["Sam Rivers <sam@letter.example.org>"]
    assert sent["h:Reply-To"] == ["answers@letter.example.org"]
    assert sent["o:tag"] == ["a-quiet-week"]
    assert [message.headers["@key"] for message in receiver.taken] == ["d.1", "d.2", "d.3"]
    assert [one.message_id for one in result.outcomes] == [None] * 3  # the one id is nobody's own
    assert "h:Message-Id" not in sent


def test_a_call_for_one_has_our_message_id(receiver: Receiver) -> None:
    result = submit(sample_batch(1))
    assert receiver.forms[0]["h:Message-Id"] == ["<d.1@letter.example.org>"]
    assert result.outcomes[0].message_id == "<1@mg.example.org>"


def test_promise_10_the_same_key_gives_the_same_bytes(receiver: Receiver) -> None:
    submit(sample_batch(3))
    submit(sample_batch(3))
    submit(sample_batch(3), key="beef:1")
    assert receiver.bodies[0] == receiver.bodies[1]
    assert receiver.bodies[0] != receiver.bodies[2]


def test_promise_11_variables_of_its_own_in_our_words_arrive_as_what_they_are(receiver: Receiver) -> None:
    words = "%recipient% %recipient_email% %unsubscribe_url% %recipient.v% %tag_unsubscribe_url% 100%"
    submit(sample_batch(1), replace(sample_email(), html=(words,), subject=(words,)))
    assert receiver.taken[0].html == words
    assert receiver.taken[0].subject == words


def test_names_are_encoded_and_quoted_as_mail_wants_them(receiver: Receiver) -> None:
    submit(sample_batch(1), replace(sample_email(), sender=Mailbox('Rivers, "Zoë"', "sam@letter.example.org")))
    assert receiver.forms[0]["from"] == ["=?utf-8?b?Uml2ZXJzLCAiWm/DqyI=?= <sam@letter.example.org>"]


def test_an_address_that_could_be_two_is_refused_here(receiver: Receiver) -> None:
    batch = sample_batch(2)
    odd = batch.recipients[0]._replace(address="a@x.test, b@x.test")
    result = submit(replace(batch, recipients=(odd, batch.recipients[1])))
    assert [outcome.status for outcome in result.outcomes] == [Status.REJECTED, Status.SUBMITTED]
    assert [message.to for message in receiver.taken] == ["reader2@example.org"]


def test_no_address_stands_twice_in_a_call(receiver: Receiver) -> None:
    batch = sample_batch(2)
    twin = batch.recipients[1]._replace(address="READER1@example.org")
    submit(replace(batch, recipients=(batch.recipients[0], twin)))
    assert [sent["to"] for sent in receiver.forms] == [["reader1@example.org"], ["READER1@example.org"]]


def test_a_header_with_a_value_beyond_ascii_has_a_call_of_its_own(receiver: Receiver) -> None:
    greeting = ("X-For", ("for ", Site("first_name", "you", Escape.HEADER)))
    email = replace(sample_email(), headers=(*sample_email().headers, greeting))
    batch = sample_batch(3)
    named = batch.recipients[1]._replace(values={"first_name": "Zoë"})
    result = submit(replace(batch, recipients=(batch.recipients[0], named, batch.recipients[2])), email)
    assert [one.key for one in result.outcomes] == ["d.1", "d.2", "d.3"]
    assert [len(sent["to"]) for sent in receiver.forms] == [2, 1]
    assert receiver.taken[2].headers["x-for"] == "for =?utf-8?b?Wm/Dqw==?="


# --- answers ---------------------------------------------------------------------------------------


def test_one_bad_address_is_found_and_the_rest_goes(receiver: Receiver) -> None:
    receiver.bad = {"reader3@example.org"}
    result = submit(sample_batch(8))
    assert [one.status for one in result.outcomes].count(Status.SUBMITTED) == 7
    assert result.outcomes[2].status is Status.REJECTED
    assert sorted(message.to for message in receiver.taken) == sorted(
        f"reader{n}@example.org" for n in (1, 2, 4, 5, 6, 7, 8)
    )
    assert result.halt == ""


@pytest.mark.parametrize(
    ("answer", "status", "halt"),
    [
        ((401, {}, '"Forbidden"'), Status.RETRY, "auth"),
        (said(403, "access denied"), Status.RETRY, "auth"),
        (said(404, "Domain not found: mg.example.org"), Status.RETRY, "account"),
        ((404, {}, ""), Status.RETRY, "account"),
        (said(400, "from parameter is not a valid address. please check documentation"), Status.RETRY, "account"),
        (
            said(400, "Send options (parameters starting with o:, h:, or v:) are limited to 16KB total"),
            Status.RETRY,
            "account",
        ),
        (said(400, "'to' parameter is not a valid address. please check documentation"), Status.REJECTED, ""),
        (said(413, "Request Entity Too Large"), Status.REJECTED, ""),
        (said(500, "Internal Server Error"), Status.UNKNOWN, ""),
        (said(503, "Service Unavailable"), Status.UNKNOWN, ""),
        ((200, {}, "Mailgun Magnificent API"), Status.UNKNOWN, ""),
        (said(200, "Queued. Thank you."), Status.UNKNOWN, ""),
        ((200, {}, '{"id": "<1@x>", "message": "Something else"}'), Status.UNKNOWN, ""),
    ],
)
def test_promise_3_each_answer_has_its_class(receiver: Receiver, answer: Answer, status: Status, halt: str) -> None:
    receiver.script = [answer]
    result = submit(sample_batch(1))
    assert [one.status for one in result.outcomes] == [status]
    assert result.halt == halt
    assert len(receiver.forms) == 1
    assert "key-1" not in repr(result)


@pytest.mark.parametrize(
    ("answer", "seconds"),
    [
        (
            said(
                429,
                "Domain x is not allowed to send: account-requests-per-sec limit exceeded, try again after 120 seconds",
            ),
            120.0,
        ),
        (said(429, "try again after 120 seconds", **{"Retry-After": "7"}), 7.0),
        (said(429, "later"), 30.0),
    ],
)
def test_too_many_requests_pause_everybody_for_as_long_as_it_says(
    receiver: Receiver, answer: Answer, seconds: float
) -> None:
    receiver.script = [answer]
    result = submit(sample_batch(3))
    assert {one.status for one in result.outcomes} == {Status.RETRY}
    assert (result.retry_after, result.halt) == (seconds, "")


def test_settings_that_cannot_work_say_which() -> None:
    with pytest.raises(ProviderError, match="NEWSLETTER_MAILGUN__API_KEY"):
        build(Section(), Path())
    for domain in ("", "a/b.test", "x y.test", "mg.example.org/../x"):
        with pytest.raises(ProviderError, match="NEWSLETTER_MAILGUN__DOMAIN"):
            mailgun(domain=domain)
    assert reports(Section(), Path()) is None


def test_a_region_is_a_base_url_and_it_may_carry_a_path(mocked: responses.RequestsMock) -> None:
    other_side = Receiver()
    mocked.add_callback(responses.POST, "http://127.0.0.1:8099/mailgun/v3/mg.example.org/messages", other_side)
    provider = mailgun(base_url="http://127.0.0.1:8099/mailgun/v3")
    assert not provider.capabilities.network
    provider.submit(sample_email(), sample_batch(1), key="k:1", timeout=5)
    assert len(other_side.taken) == 1


# --- a lost answer ---------------------------------------------------------------------------------


def accepted(number: int, **more: Any) -> dict[str, Any]:
    return {
        "event": "accepted",
        "id": f"e{number}",
        "timestamp": AT.timestamp() + 2.5,
        "recipient": f"reader{number}@example.org",
        "tags": ["a-quiet-week"],
        "user-variables": {"newsletter_key": f"d.{number}"},
        "message": {"headers": {"message-id": "20261201.1@mg.example.org"}},
        **more,
    }


def page(
    mocked: responses.RequestsMock, url: str, items: list[Any], following: str = f"{EVENTS}/end", **how: Any
) -> Any:
    return mocked.get(url, json={"items": items, "paging": {"next": following, "previous": url}}, **how)


def test_promise_3_a_lost_answer_is_searched_by_tag_and_time(mocked: responses.RequestsMock) -> None:
    query = {
        "event": "accepted",
        "tags": "a-quiet-week",
        "begin": str(int((AT - timedelta(hours=3)).timestamp())),
        "end": str(int((AT + timedelta(hours=3)).timestamp())),
        "ascending": "yes",
        "limit": "300",
    }
    another_copy = accepted(4, **{"user-variables": {"newsletter_key": "resend.9"}})
    first = page(
        mocked, EVENTS, [accepted(1), another_copy], "https://api.mailgun.net/v3/mg.example.org/events/W3siY",
        match=[
            responses.matchers.query_param_matcher(query),
            responses.matchers.header_matcher({"Authorization": AUTH}),
        ],
    )  # fmt: skip
    page(mocked, f"{EVENTS}/W3siY", [accepted(2, recipient="READER2@example.org", **{"user-variables": {}})])
    page(mocked, f"{EVENTS}/end", [])
    found = mailgun().reconcile(sample_batch(4), key="c0ffee:1")
    assert {key: outcome and outcome.status for key, outcome in found.items()} == {
        "d.1": Status.SUBMITTED,
        "d.2": Status.SUBMITTED,  # an event without our variable is known by its address
        "d.3": Status.RETRY,
        "d.4": Status.RETRY,
    }
    assert first.call_count == 1
    assert not any("@" in call.request.url for call in mocked.calls)


def test_the_search_ends_when_everybody_is_found(mocked: responses.RequestsMock) -> None:
    own = {"message": {"headers": {"message-id": "d.1@letter.example.org"}}}
    page(mocked, EVENTS, [accepted(1, **own), accepted(2)], f"{EVENTS}/W3siY")
    found = mailgun().reconcile(sample_batch(2), key="c0ffee:1")
    assert [outcome and outcome.message_id for outcome in found.values()] == ["<d.1@letter.example.org>", None]
    assert len(mocked.calls) == 1


@pytest.mark.parametrize(
    "answer",
    [
        {"status": 500},
        {"status": 401},
        {"body": "Mailgun Magnificent API"},
        {"json": {"items": []}},
        {"json": {"items": [{}], "paging": {"next": "https://evil.test/elsewhere"}}},
    ],
)
def test_promise_3_a_search_without_an_end_tells_nothing(
    mocked: responses.RequestsMock, answer: dict[str, Any]
) -> None:
    mocked.get(EVENTS, **answer)
    assert set(mailgun().reconcile(sample_batch(2), key="c0ffee:1").values()) == {None}


def test_promise_3_what_is_too_old_is_not_taken_for_unsent(mocked: responses.RequestsMock) -> None:
    page(mocked, EVENTS, [accepted(1)])
    page(mocked, f"{EVENTS}/end", [])
    later = mailgun(now=(AT + timedelta(hours=25)).timestamp)
    found = later.reconcile(sample_batch(2), key="c0ffee:1")
    assert [outcome and outcome.status for outcome in found.values()] == [Status.SUBMITTED, None]
    assert set(mailgun().reconcile(replace(sample_batch(2), tag=""), key="x").values()) == {None}


# --- the account -----------------------------------------------------------------------------------

TRACKING = f"{BASE}/domains/mg.example.org/tracking"
DOMAIN = "https://api.mailgun.net/v4/domains/mg.example.org"


def test_check_asks_for_the_domain_and_its_unsubscribe(mocked: responses.RequestsMock) -> None:
    def found() -> list[tuple[str, str]]:
        return [(one.level, one.id) for one in mailgun().check(5)]

    on, off = ({"tracking": {"open": {"active": True}, "unsubscribe": {"active": active}}} for active in (True, False))
    mocked.get(TRACKING, json=off)
    mocked.get(DOMAIN, json={"domain": {"state": "active"}})
    assert found() == []
    mocked.get(TRACKING, json=on)
    mocked.get(DOMAIN, json={"domain": {"state": "unverified"}})
    assert found() == [("error", "tracking"), ("error", "domain")]
    mocked.get(TRACKING, json={"message": "Invalid private key"}, status=401)
    assert found() == [("error", "key")]
    mocked.get(TRACKING, json={"message": "Domain not found"}, status=404)
    assert found() == [("error", "domain")]
    mocked.get(TRACKING, body="", status=404)
    assert found() == [("warning", "account")]
    mocked.get(TRACKING, json=off)
    mocked.get(DOMAIN, status=500)
    assert found() == []


def test_its_lists_are_read_page_by_page(mocked: responses.RequestsMock) -> None:
    lists = {name: f"{BASE}/mg.example.org/{name}" for name in ("bounces", "complaints", "unsubscribes")}
    query = responses.matchers.query_param_matcher
    made = {"created_at": "Thu, 11 Dec 2025 01:49:40 UTC"}
    following = f"{lists['bounces']}?limit=500&page=next&address=b%40x.test"
    page(mocked, lists["bounces"], [{"address": "b@x.test", **made}], following, match=[query({"limit": "500"})])
    last = {"limit": "500", "page": "next", "address": "b@x.test"}
    page(mocked, lists["bounces"], [], following, match=[query(last)])
    complaints = [
        {"address": "c@x.test", **made},
        {"address": "old@x.test", "created_at": "Thu, 11 Dec 2014 01:49:40 UTC"},
    ]
    page(mocked, lists["complaints"], complaints, f"{lists['complaints']}?page=next", match=[query({"limit": "500"})])
    page(mocked, lists["complaints"], [], match=[query({"page": "next"})])
    page(mocked, lists["unsubscribes"], [])
    found = list(mailgun().suppressions(datetime(2025, 1, 1, tzinfo=UTC)))
    assert [(one.address, one.reason) for one in found] == [("b@x.test", "bounce"), ("c@x.test", "complaint")]
    assert found[0].at == datetime(2025, 12, 11, 1, 49, 40, tzinfo=UTC)


def test_addresses_are_put_on_and_taken_off_its_lists(mocked: responses.RequestsMock) -> None:
    put: dict[str, Any] = {}

    def take(request: PreparedRequest) -> Answer:
        put[urlsplit(str(request.url)).path] = json.loads(b"".join(request.body))  # type: ignore[arg-type]
        return 200, {}, '{"message": "addresses have been added"}'

    for name in ("bounces", "complaints", "unsubscribes"):
        mocked.add_callback(responses.POST, f"{BASE}/mg.example.org/{name}", take)
    mailgun().suppress([Suppression("b@x.test", "bounce", AT), Suppression("u@x.test", "unsubscribe")])
    assert put == {
        "/v3/mg.example.org/bounces": [
            {"address": "b@x.test", "code": "550", "error": "", "created_at": "Tue, 01 Dec 2026 17:30:00 +0000"}
        ],
        "/v3/mg.example.org/unsubscribes": [
            {"address": "u@x.test", "tags": ["*"], "created_at": "Tue, 01 Dec 2026 18:30:00 +0000"}
        ],
    }
    gone = [
        mocked.delete(f"{BASE}/mg.example.org/{name}/a%2Bb%40x.test", json={"message": "m"}, status=status)
        for name, status in (("bounces", 200), ("complaints", 404), ("unsubscribes", 200))
    ]
    mailgun().unsuppress(["a+b@x.test"])
    assert [one.call_count for one in gone] == [1, 1, 1]
    mocked.delete(f"{BASE}/mg.example.org/bounces/c%40x.test", status=500)
    with pytest.raises(ProviderError) as told:
        mailgun().unsuppress(["c@x.test"])
    assert "c@x" not in str(told.value)


# --- webhooks --------------------------------------------------------------------------------------


def signed(data: Any, *, token: str = "t0k3n", at: float = AT.timestamp(), key: str = "signing-key") -> dict[str, Any]:
    stamp = str(int(at))
    signature = hmac.new(key.encode(), (stamp + token).encode(), hashlib.sha256).hexdigest()
    return {"signature": {"timestamp": stamp, "token": token, "signature": signature}, "event-data": data}


@pytest.fixture
def hooks() -> Webhooks:
    found = reports(Section(signing_key=SecretStr("signing-key")), Path())
    assert found is not None
    return found


def test_a_request_that_mailgun_signed_passes(hooks: Webhooks) -> None:
    hooks.verify_webhook({}, json.dumps(signed({})).encode(), now=AT.timestamp() + 3600)


@pytest.mark.parametrize(
    "change",
    [
        lambda told: {**told, "signature": {**told["signature"], "token": "another"}},
        lambda told: {**told, "signature": {**told["signature"], "timestamp": "1796146201"}},
        lambda told: {**told, "signature": {**told["signature"], "signature": "0" * 64}},
        lambda told: {**told, "signature": {**told["signature"], "signature": "é"}},
        lambda told: {**told, "signature": {}},
        lambda told: {"event-data": told["event-data"]},
        lambda _: signed({}, key="another"),
        lambda _: signed({}, token=""),
        lambda _: [],
        lambda _: 5,
    ],
)
def test_any_other_request_is_refused(hooks: Webhooks, change: Callable[[dict[str, Any]], Any]) -> None:
    with pytest.raises(BadSignature):
        hooks.verify_webhook({}, json.dumps(change(signed({}))).encode(), now=AT.timestamp())
    with pytest.raises(BadSignature):
        hooks.verify_webhook({}, b"token=t&timestamp=1", now=AT.timestamp())


def test_a_signature_of_long_ago_is_stale(hooks: Webhooks) -> None:
    told = json.dumps(signed({})).encode()
    hooks.verify_webhook({}, told, now=(AT + timedelta(days=6.9)).timestamp())
    with pytest.raises(StaleWebhook):
        hooks.verify_webhook({}, told, now=(AT + timedelta(days=7.1)).timestamp())


def test_a_captured_signature_with_another_event_under_it_is_the_same_event(hooks: Webhooks) -> None:
    """The signature does not cover the event: its token is the event's id, which the store keeps once."""
    true, forged = data("delivered"), data("complained", recipient="victim@x.test", id="forged")
    ids = []
    for one in (true, forged):
        (found,) = hooks.parse_webhook({}, json.dumps(signed(one)).encode())
        assert isinstance(found, Event)
        ids.append(found.event_id)
    assert ids == ["t0k3n", "t0k3n"]


def data(event: str, **more: Any) -> dict[str, Any]:
    return {
        "event": event,
        "id": "CPgfbmQMTCKtHW6uIWtuVe",
        "timestamp": AT.timestamp(),
        "log-level": "info",
        "recipient": "reader1@example.org",
        "message": {"headers": {"to": "reader1@example.org", "message-id": "d.1@letter.example.org"}},
        "user-variables": {"newsletter_key": "d.1"},
        "tags": ["a-quiet-week"],
        **more,
    }


def failed(severity: str, reason: str, message: str = "", code: int = 550) -> dict[str, Any]:
    status = {"code": code, "message": message, "description": "", "attempt-no": 1}
    return data("failed", severity=severity, reason=reason, **{"delivery-status": status})


@pytest.mark.parametrize(
    ("event", "type_", "permanent", "reason"),
    [
        (data("accepted"), EventType.ACCEPTED, None, ""),
        (data("delivered"), EventType.DELIVERED, None, ""),
        (failed("permanent", "bounce", "5.1.1 no such user"), EventType.BOUNCED, True, "bounce"),
        (failed("permanent", "generic", "5.1.1 no such user"), EventType.BOUNCED, True, "bounce"),
        (failed("permanent", "suppress-bounce", code=605), EventType.REJECTED, True, "bounce"),
        (failed("permanent", "suppress-complaint", code=607), EventType.REJECTED, True, "complaint"),
        (failed("permanent", "suppress-unsubscribe", code=606), EventType.REJECTED, True, "unsubscribe"),
        (failed("permanent", "bounce", "552 5.2.2 over quota"), EventType.BOUNCED, False, "bounce"),
        (failed("permanent", "bounce", "550 5.7.1 refused by policy"), EventType.BOUNCED, False, "block"),
        (failed("permanent", "espblock", "5.7.1 blocked"), EventType.BOUNCED, False, "block"),
        (failed("permanent", "old", "Too old", 602), EventType.BOUNCED, False, ""),
        (failed("permanent", "bounce", "550 5.7.515 Access denied"), EventType.BOUNCED, False, "authentication"),
        (failed("temporary", "generic", "4.2.2 full", 452), EventType.DEFERRED, None, ""),
        (failed("temporary", "generic", "421 4.7.26 unauthenticated", 421), EventType.DEFERRED, None, "authentication"),
        (data("failed", severity="permanent"), EventType.BOUNCED, True, "bounce"),
        (data("rejected", recipient=None, reject={"reason": "spam"}), EventType.REJECTED, None, ""),
        (data("complained"), EventType.COMPLAINED, None, "complaint"),
        (data("unsubscribed"), EventType.UNSUBSCRIBED, None, "unsubscribe"),
        (data("opened", **{"client-info": {"bot": "gmail"}}), EventType.OPENED, None, ""),
        (data("clicked", url="https://letter.example.org/"), EventType.CLICKED, None, ""),
        (data("list_member_uploaded"), EventType.IGNORED, None, ""),
    ],
)
def test_events_mean_what_mailgun_means(
    hooks: Webhooks, event: dict[str, Any], type_: str, permanent: bool | None, reason: str
) -> None:
    (found,) = hooks.parse_webhook({}, json.dumps(signed(event)).encode())
    assert isinstance(found, Event)
    assert (found.type, found.permanent, found.reason) == (type_, permanent, reason)
    assert (found.email, found.key, found.message_id) == ("reader1@example.org", "d.1", "<d.1@letter.example.org>")
    assert (found.event_id, found.at) == ("t0k3n", AT)
    assert found.machine is (True if event["event"] == "opened" else None)


@pytest.mark.parametrize(
    "told",
    [
        [5], "text", {}, {"event-data": []}, {"event-data": {"event": "failed"}},
        signed(data("delivered", recipient=None, message=None)), signed(data("failed", timestamp="soon")),
        signed(data("failed", timestamp=1e300)),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_one_fault(hooks: Webhooks, told: Any) -> None:
    assert [type(one) for one in hooks.parse_webhook({}, json.dumps(told).encode())] == [ParseError]
    assert [type(one) for one in hooks.parse_webhook({}, b"event=failed")] == [ParseError]


def test_a_variable_that_was_not_filled_in_is_no_key(hooks: Webhooks) -> None:
    odd = data("delivered", **{"user-variables": {"newsletter_key": "%recipient.newsletter_key%"}})
    (found,) = hooks.parse_webhook({}, json.dumps(signed(odd)).encode())
    assert isinstance(found, Event)
    assert found.key is None
