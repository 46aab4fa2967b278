"""Brevo, against a small strict receiver of its documented calls, which reads every body as a template."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
import responses
from pydantic import SecretStr
from responses import matchers

from newsletter.core.delivery import BatchResult, Outcome, Status, Suppression
from newsletter.core.email import Email, Escape, Mailbox, Site
from newsletter.core.event import Event, EventType, ParseError
from newsletter.errors import BadSignature, ProviderError
from newsletter.ports import Provider, Reports, Suppresses
from newsletter.providers import brevo
from newsletter.providers.brevo import Brevo, Section, Webhooks
from newsletter.testing import Arrived, ProviderContract, sample_batch, sample_email

BASE = "https://api.brevo.com/v3"
KEY = "xkeysib-1234"
FIELDS = {
    "sender": dict, "to": list, "subject": str, "htmlContent": str, "textContent": str, "replyTo": dict,
    "headers": dict, "tags": list, "params": dict, "messageVersions": list,
}  # fmt: skip


class Receiver:
    """POST /smtp/email as documented; `{{params.name}}` becomes its value, and any other tag fails the test."""

    def __init__(self) -> None:
        self.calls: list[dict[str, Any]] = []
        self.messages: list[Arrived] = []
        self.refuses: dict[str, tuple[int, dict[str, str]]] = {}
        self._keys: set[str] = set()

    def __call__(self, request: Any) -> tuple[int, dict[str, str], str]:
        call = json.loads(b"".join(request.body))
        assert request.headers["api-key"] == KEY
        for name, value in call.items():
            assert isinstance(value, FIELDS[name]), name
        assert all(value.isascii() and "\n" not in value for value in call["headers"].values())
        assert all(isinstance(tag, str) for tag in call["tags"])
        assert len(call["sender"].get("name", "")) <= 70
        versions = call.get("messageVersions") or [{"to": call["to"], "params": call.get("params", {})}]
        assert len(versions) <= 1000
        for version in versions:
            assert set(version) <= {"to", "params", "headers"}
            assert [set(person) for person in version["to"]] == [{"email"}]
            if version["to"][0]["email"] in self.refuses:
                status, told = self.refuses[version["to"][0]["email"]]
                return status, {}, json.dumps(told)
        key = str(UUID(call["headers"]["idempotencyKey"]))
        if key in self._keys:
            return 400, {}, '{"code": "duplicate_parameter", "message": "The idempotency key was used."}'
        self._keys.add(key)
        self.calls.append(call)
        ids = [self.taken(call, version) for version in versions]
        return 201, {}, json.dumps({"messageIds": ids} if "messageVersions" in call else {"messageId": ids[0]})

    def taken(self, call: dict[str, Any], version: dict[str, Any]) -> str:
        def said(text: str) -> str:
            assert not re.search(r"\{[{%#]", re.sub(r"\{\{params\.\w+\}\}", "", text)), "another tag of theirs"
            put = re.sub(r"\{\{params\.(\w+)\}\}", lambda tag: version["params"][tag[1]], text)
            return put.replace("\r\n", "\n").replace("\r", "\n")

        to = version["to"][0]["email"]
        headers = {name.lower(): value for name, value in {**call["headers"], **version.get("headers", {})}.items()}
        self.messages.append(
            Arrived(to, said(call["subject"]), said(call["htmlContent"]), said(call["textContent"]), headers)
        )
        return f"<{len(self.messages)}@smtp-relay.mailin.fr>"


@pytest.fixture
def mock() -> Iterator[responses.RequestsMock]:
    with responses.RequestsMock(assert_all_requests_are_fired=False) as one:
        yield one


@pytest.fixture
def receiver(mock: responses.RequestsMock) -> Receiver:
    one = Receiver()
    mock.add_callback(responses.POST, f"{BASE}/smtp/email", callback=one)
    return one


def provider(**changed: Any) -> Brevo:
    return Brevo(api_key=KEY, **changed)


def statuses(result: BatchResult) -> list[Status]:
    return [outcome.status for outcome in result.outcomes]


class TestContract(ProviderContract):
    @pytest.fixture(autouse=True)
    def _other_side(self, receiver: Receiver, mock: responses.RequestsMock) -> None:
        self.receiver = receiver
        mock.get(f"{BASE}/smtp/statistics/events", json={})

    def provider(self) -> Provider:
        return provider()

    def arrived(self) -> list[Arrived]:
        return self.receiver.messages


class TestMerging(TestContract):
    def provider(self) -> Provider:
        return provider(merge=True)


def test_it_is_all_three_ports() -> None:
    one: Provider = provider()
    assert isinstance(one, Suppresses)
    assert isinstance(Webhooks("x"), Reports)


# --- what a message says ---------------------------------------------------------------------------


def test_a_message_carries_our_key_a_tag_and_our_headers(receiver: Receiver) -> None:
    provider().submit(sample_email(), sample_batch(1), key="c:7", timeout=5)
    (call,) = receiver.calls
    assert call["sender"] == {"email": "sam@letter.example.org", "name": "Sam Rivers"}
    assert call["replyTo"] == {"email": "answers@letter.example.org"}
    assert call["tags"] == ["c:7", "a-quiet-week"]
    assert call["headers"]["X-Mailin-custom"] == "d.1"
    assert call["headers"]["List-Unsubscribe"] == "<https://letter.example.org/unsubscribe/token-1>"


@pytest.mark.parametrize(
    ("name", "sent"),
    [
        ("Zoë", "Zoë"),
        ('Rivers, "Sam"', 'Rivers, "Sam"'),
        ("Zoë, Ann", "=?utf-8?b?Wm/DqywgQW5u?="),
        ("Ünïcödé " * 5 + ", and so on", ("Ünïcödé " * 5 + "and so on")),
        ("Anna\r\nBcc: all", "Anna Bcc: all"),
    ],
)
def test_a_senders_name_survives(receiver: Receiver, name: str, sent: str) -> None:
    email = replace(sample_email(), sender=Mailbox(name, "sam@example.org"), reply_to=Mailbox(name, "a@example.org"))
    provider().submit(email, sample_batch(1), key="k", timeout=5)
    assert receiver.calls[0]["sender"]["name"] == sent
    assert receiver.calls[0]["replyTo"].get("name", "").isascii()


def test_a_header_beyond_ascii_loses_its_words_and_keeps_its_address(receiver: Receiver) -> None:
    headers = (
        ("List-Id", ('"Café, quiet" <letter.example.org>',)),
        ("X-Note", ("naïve",)),
        ("X-Word", ("=?utf-8?q?a?=",)),
    )
    provider().submit(replace(sample_email(), headers=headers), sample_batch(1), key="k", timeout=5)
    sent = receiver.calls[0]["headers"]
    assert sent["List-Id"] == "<letter.example.org>"
    assert "X-Note" not in sent
    assert "X-Word" not in sent


@pytest.mark.parametrize("merge", [False, True])
@pytest.mark.parametrize("name", ["{", "%x%}", "{%", "#", "plain", "{{params.y}}"])
def test_promise_11_their_syntax_in_our_words_and_across_a_seam_is_never_read(
    receiver: Receiver, name: str, *, merge: bool
) -> None:
    site = Site("first_name", "you", Escape.PLAIN)
    words = ("{{ params.x }} {", site, "% if %} {# no #} {", site, "{ }}")
    email = Email(Mailbox("", "s@example.org"), None, ("{", site), ("<p>", *words), words)
    batch = sample_batch(1)
    batch = replace(batch, recipients=(batch.recipients[0]._replace(values={"first_name": name}),))
    provider(merge=merge).submit(email, batch, key="k", timeout=5)
    (message,) = receiver.messages
    assert message.text == f"{{{{ params.x }}}} {{{name}% if %}} {{# no #}} {{{name}{{ }}}}"
    assert message.subject == "{" + name


@pytest.mark.parametrize("name", ["%x%}", "# note #}", "{x}}", "plain"])
def test_promise_11_a_value_beside_our_own_brace_begins_no_tag(receiver: Receiver, name: str) -> None:
    words = ("a {", Site("first_name", "you", Escape.PLAIN), " b")
    batch = sample_batch(1)
    batch = replace(batch, recipients=(batch.recipients[0]._replace(values={"first_name": name}),))
    provider().submit(Email(Mailbox("", "s@example.org"), None, words, words, words), batch, key="k", timeout=5)
    assert {receiver.messages[0].subject, receiver.messages[0].text} == {f"a {{{name} b"}


def test_the_same_batch_key_gives_the_same_bytes_and_is_sent_once(receiver: Receiver) -> None:
    for merge in (False, True):
        one = provider(merge=merge)
        assert statuses(one.submit(sample_email(), sample_batch(1), key="c:1", timeout=5)) == [Status.SUBMITTED]
        again = one.submit(sample_email(), sample_batch(1), key="c:1", timeout=5)
        assert statuses(again) == [Status.UNKNOWN]  # it was used: the log is asked
        assert (again.halt, again.retry_after) == ("", None)
    assert len(receiver.messages) == 2


def test_merging_carries_values_and_headers_of_each_readers_own(receiver: Receiver) -> None:
    one = provider(merge=True)
    assert (one.capabilities.mode, one.capabilities.max_batch) == ("merge", 1000)
    result = one.submit(sample_email(), sample_batch(3), key="c:1", timeout=5)
    assert statuses(result) == [Status.SUBMITTED] * 3
    (call,) = receiver.calls
    assert "to" not in call
    assert set(call["headers"]) == {"X-Mailin-Track", "idempotencyKey"}
    second = call["messageVersions"][1]["headers"]
    assert second["X-Mailin-custom"] == "d.2"
    assert second["List-Unsubscribe"] == "<https://letter.example.org/unsubscribe/token-2>"
    assert [outcome.message_id for outcome in result.outcomes] == [f"<{n}@smtp-relay.mailin.fr>" for n in (1, 2, 3)]


def test_a_refused_call_of_many_is_halved_until_the_one_stands_alone(receiver: Receiver) -> None:
    receiver.refuses = {"reader2@example.org": (400, {"code": "invalid_parameter", "message": "email is not valid"})}
    result = provider(merge=True).submit(sample_email(), sample_batch(4), key="c:1", timeout=5)
    assert statuses(result) == [Status.SUBMITTED, Status.REJECTED, Status.SUBMITTED, Status.SUBMITTED]
    assert len(receiver.messages) == 3


def test_what_is_not_set_says_which_variable(tmp_path: Any) -> None:
    with pytest.raises(ProviderError, match="NEWSLETTER_BREVO__API_KEY"):
        brevo.build(Section(), tmp_path)
    assert brevo.build(Section(api_key=SecretStr(KEY), merge=True), tmp_path).capabilities.mode == "merge"


def test_the_base_url_may_carry_a_path(mock: responses.RequestsMock) -> None:
    mock.add_callback(responses.POST, "http://127.0.0.1:8099/brevo/smtp/email", callback=Receiver())
    local = provider(base_url="http://127.0.0.1:8099/brevo")
    assert statuses(local.submit(sample_email(), sample_batch(1), key="k", timeout=5)) == [Status.SUBMITTED]
    assert local.capabilities.network is False


# --- what an answer means --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "told", "meant", "halt", "waits"),
    [
        (401, {"code": "unauthorized", "message": "Key not found"}, Status.RETRY, "auth", False),
        (402, {"code": "not_enough_credits", "message": ""}, Status.RETRY, "quota", False),
        (400, {"code": "not_enough_credits", "message": ""}, Status.RETRY, "quota", False),
        (403, {"code": "permission_denied", "message": ""}, Status.RETRY, "account", False),
        (400, {"code": "account_under_validation", "message": ""}, Status.RETRY, "account", False),
        (400, {"code": "invalid_parameter", "message": "Sender is not valid"}, Status.RETRY, "account", False),
        (400, {"code": "invalid_parameter", "message": "email is not valid in to"}, Status.REJECTED, "", False),
        (400, {"code": "duplicate_request", "message": ""}, Status.UNKNOWN, "", False),
        (404, {}, Status.RETRY, "account", False),
        (429, {"code": "too_many_requests", "message": ""}, Status.RETRY, "", True),
        (500, {}, Status.UNKNOWN, "", False),
        (503, {}, Status.UNKNOWN, "", False),
        (201, {}, Status.UNKNOWN, "", False),
        (201, {"messageId": 7}, Status.UNKNOWN, "", False),
        (201, ["x"], Status.UNKNOWN, "", False),
    ],
)
def test_an_answer_means(
    mock: responses.RequestsMock, status: int, told: Any, meant: Status, halt: str, waits: bool
) -> None:
    mock.post(f"{BASE}/smtp/email", json=told, status=status)
    result = provider().submit(sample_email(), sample_batch(1), key="k", timeout=5)
    assert statuses(result) == [meant]
    assert (result.halt, result.retry_after is not None) == (halt, waits)
    assert KEY not in str(result)


def test_its_own_header_tells_the_wait(mock: responses.RequestsMock) -> None:
    mock.post(f"{BASE}/smtp/email", json={}, status=429, headers={"x-sib-ratelimit-reset": "11"})
    assert provider().submit(sample_email(), sample_batch(1), key="k", timeout=5).retry_after == 11


@pytest.mark.parametrize("told", [{"messageIds": ["<a@x>"]}, {"messageId": "<a@x>"}, {"messageIds": ["<a@x>", ""]}])
def test_promise_3_fewer_ids_than_readers_is_unknown(mock: responses.RequestsMock, told: Any) -> None:
    mock.post(f"{BASE}/smtp/email", json=told, status=201)
    result = provider(merge=True).submit(sample_email(), sample_batch(2), key="k", timeout=5)
    assert statuses(result) == [Status.UNKNOWN] * 2


# --- asking again ----------------------------------------------------------------------------------

AT = datetime(2026, 12, 1, 17, 30, tzinfo=UTC)


def event(tag: str, date: str = "2026-12-01T17:30:05.000+00:00") -> dict[str, Any]:
    return {"email": "reader1@example.org", "date": date, "event": "requests", "messageId": "<m@x>", "tag": tag}


def became(mock: responses.RequestsMock, told: Any, *, late: timedelta = timedelta(minutes=6)) -> Outcome | None:
    wanted = {"email": "reader1@example.org", "days": "2", "limit": "500", "sort": "desc"}
    mock.get(f"{BASE}/smtp/statistics/events", json=told, match=[matchers.query_param_matcher(wanted)])
    one = provider(now=(AT + late).timestamp)
    return one.reconcile(replace(sample_batch(1), at=AT), key="c:1")["d.1"]


@pytest.mark.parametrize("tag", ["c:1", '["c:1","a-quiet-week"]', "a-quiet-week, c:1"])
def test_promise_3_an_event_with_our_tag_is_proof(mock: responses.RequestsMock, tag: str) -> None:
    assert became(mock, {"events": [event(tag)]}) == Outcome("d.1", Status.SUBMITTED, message_id="<m@x>")


@pytest.mark.parametrize("told", [{}, {"events": []}, {"events": [event("other", "2026-12-01T12:00:00Z")]}])
def test_promise_3_no_event_since_then_is_proof_too(mock: responses.RequestsMock, told: Any) -> None:
    found = became(mock, told)
    assert found is not None
    assert found.status is Status.RETRY


@pytest.mark.parametrize(
    "told",
    [
        {"events": [event("c:12")]},  # another mail, or our tag told in another way
        {"events": [event("a-quiet-week")]},
        {"events": [{"event": "requests"}]},
        {"events": ["x"]},
        {"events": [event("other", "2026-12-01T12:00:00Z")] * 500},  # not told whole
        {"events": None},
        ["x"],
    ],
)
def test_promise_3_what_is_not_clear_tells_nothing(mock: responses.RequestsMock, told: Any) -> None:
    assert became(mock, told) is None


def test_promise_3_a_log_that_is_too_old_or_silent_tells_nothing(mock: responses.RequestsMock) -> None:
    mock.get(f"{BASE}/smtp/statistics/events", status=500)
    assert provider(now=AT.timestamp).reconcile(replace(sample_batch(1), at=AT), key="c:1") == {"d.1": None}
    assert became(mock, {}, late=timedelta(days=26)) is None


# --- the account and its list ----------------------------------------------------------------------


def plan(credits_: float, kind: str = "subscription") -> dict[str, Any]:
    return {"type": kind, "creditsType": "sendLimit", "credits": credits_}


@pytest.mark.parametrize(
    ("account", "accepted", "wrong"),
    [
        ({"plan": [plan(100), plan(5, "sms")], "relay": {"enabled": True}}, True, []),
        ({"plan": [plan(99), plan(500, "sms")]}, True, ["quota"]),
        ({"plan": [], "relay": {"enabled": False}}, True, ["account"]),
        ({"plan": [plan(60), plan(60)]}, False, ["unsubscribe"]),
    ],
)
def test_the_account_is_asked(
    mock: responses.RequestsMock, account: dict[str, Any], accepted: bool, wrong: list[str]
) -> None:
    mock.get(f"{BASE}/account", json=account)
    found = provider(accept_own_unsubscribe=accepted).check(100)
    assert [one.id for one in found if one.level == "error"] == wrong
    assert [one.id for one in found if one.level == "warning"] == ["tracking"]


def test_only_a_clear_answer_is_an_error(mock: responses.RequestsMock) -> None:
    mock.get(f"{BASE}/account", status=401)
    assert ("error", "key") in [(one.level, one.id) for one in provider().check(1)]
    mock.replace(responses.GET, f"{BASE}/account", status=500)
    assert ("warning", "account") in [(one.level, one.id) for one in provider().check(1)]


def test_its_list_is_read_page_by_page_and_since_a_moment(mock: responses.RequestsMock) -> None:
    def page(offset: int, *entries: tuple[str, str, str]) -> None:
        wanted = {"limit": "100", "offset": str(offset), "sort": "desc"}
        contacts = [{"email": who, "blockedAt": at, "reason": {"code": why}} for who, at, why in entries]
        mock.get(
            f"{BASE}/smtp/blockedContacts",
            json={"count": 2, "contacts": contacts},
            match=[matchers.query_param_matcher(wanted)],
        )

    page(0, ("b@example.org", "2026-11-20T20:00:00Z", "unsubscribedViaEmail"))
    page(1, ("a@example.org", "2026-10-20T20:00:00Z", "hardBounce"))
    assert [(one.address, one.reason) for one in provider().suppressions()] == [
        ("b@example.org", "unsubscribe"),
        ("a@example.org", "bounce"),
    ]
    assert list(provider().suppressions(datetime(2026, 11, 1, tzinfo=UTC))) == [
        Suppression("b@example.org", "unsubscribe", datetime(2026, 11, 20, 20, tzinfo=UTC))
    ]


def test_its_list_can_be_made_shorter_and_not_longer(mock: responses.RequestsMock) -> None:
    mock.delete(f"{BASE}/smtp/blockedContacts/a%2Bb%40example.org", status=204)
    mock.delete(f"{BASE}/smtp/blockedContacts/gone%40example.org", status=404)
    mock.delete(f"{BASE}/smtp/blockedContacts/c%40example.org", status=500)
    provider().unsuppress(["a+b@example.org", "gone@example.org"])
    with pytest.raises(ProviderError) as refused:
        provider().unsuppress(["c@example.org"])
    assert "@" not in str(refused.value)
    provider().suppress([])
    with pytest.raises(ProviderError):
        provider().suppress([Suppression("a@example.org", "bounce")])


# --- webhooks --------------------------------------------------------------------------------------


def test_a_request_needs_the_token() -> None:
    reads = brevo.reports(Section(webhook_secret=SecretStr("a-token")), Path())
    assert reads is not None
    reads.verify_webhook({"authorization": "Bearer a-token"}, b"{}", now=0)
    for value in ("", "Bearer", "Bearer a-tokem", "Basic a-token", "a-token"):
        with pytest.raises(BadSignature):
            reads.verify_webhook({"authorization": value}, b"{}", now=0)
    with pytest.raises(BadSignature):
        Webhooks("").verify_webhook({"authorization": "Bearer "}, b"{}", now=0)
    assert brevo.reports(Section(), Path()) is None


def heard(kind: str, **fields: Any) -> Event:
    known = {"event": kind, "email": "r@example.org", "message-id": "<m@x>", "ts_epoch": 1796146205000, **fields}
    (told,) = Webhooks("").parse_webhook({}, json.dumps(known).encode())
    assert isinstance(told, Event), told
    return told


def test_an_event_in_full() -> None:
    fields = {"id": 99, "date": "2026-12-01 09:30:05", "ts": 1796117405, "tags": ["c:1"], "X-Mailin-custom": "d.7"}
    told = heard("click", link="https://example.org/a", **fields)
    assert (told.type, told.email, told.key, told.message_id) == (EventType.CLICKED, "r@example.org", "d.7", "<m@x>")
    assert told.at == datetime(2026, 12, 1, 17, 30, 5, tzinfo=UTC)
    assert told.url == "https://example.org/a"


@pytest.mark.parametrize(
    ("kind", "fields", "meant", "permanent", "reason"),
    [
        ("request", {}, EventType.ACCEPTED, None, ""),
        ("delivered", {}, EventType.DELIVERED, None, ""),
        ("deferred", {"reason": "550 5.1.1 no such user"}, EventType.DEFERRED, None, ""),
        ("hard_bounce", {"reason": "550 5.1.1 no such user"}, EventType.BOUNCED, True, "bounce"),
        ("invalid_email", {}, EventType.BOUNCED, True, "invalid"),
        ("soft_bounce", {"reason": "Unable to find MX"}, EventType.BOUNCED, False, "bounce"),
        ("hard_bounce", {"reason": "552 5.2.2 mailbox full"}, EventType.BOUNCED, False, "bounce"),
        ("hard_bounce", {"reason": "550 5.7.515 Access denied"}, EventType.BOUNCED, False, "authentication"),
        ("blocked", {"reason": "due to blacklist user"}, EventType.REJECTED, False, "block"),
        ("error", {}, EventType.FAILED, None, ""),
        ("spam", {}, EventType.COMPLAINED, None, "complaint"),
        ("complaint", {}, EventType.COMPLAINED, None, "complaint"),
        ("unsubscribed", {}, EventType.UNSUBSCRIBED, None, "unsubscribe"),
        ("unique_opened", {}, EventType.OPENED, None, ""),
        ("list_addition", {"ts_epoch": None}, EventType.IGNORED, None, ""),
        ("something_new", {"ts_epoch": "?"}, EventType.IGNORED, None, ""),
    ],
)
def test_an_event_means(
    kind: str, fields: dict[str, Any], meant: EventType, permanent: bool | None, reason: str
) -> None:
    told = heard(kind, **fields)
    assert (told.type, told.permanent, told.reason) == (meant, permanent, reason)


def test_a_proxys_open_is_a_machines_and_other_times_are_read_too() -> None:
    assert heard("proxy_open").machine is True
    assert heard("opened").machine is None
    assert heard("complaint", ts_epoch=None, ts_event=1796146205).at == datetime(2026, 12, 1, 17, 30, 5, tzinfo=UTC)
    assert len({heard("opened", ts_epoch=epoch).event_id for epoch in (1, 1, 2)}) == 2


def test_one_bad_event_of_many_loses_no_other() -> None:
    good = {"event": "delivered", "email": "r@example.org", "ts_epoch": 1796146205000}
    body = json.dumps(
        [good, 7, {**good, "ts_epoch": "soon"}, {}, {**good, "event": "spam"}, {**good, "ts_epoch": 1e30}]
    ).encode()
    told = Webhooks("").parse_webhook({}, body)
    assert [isinstance(one, ParseError) for one in told] == [False, True, True, True, False, True]
    (unread,) = Webhooks("").parse_webhook({}, b"not json")
    assert isinstance(unread, ParseError)
