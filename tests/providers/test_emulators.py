"""The emulations are strict: each sees a field that is not documented, a wrong credential, a reader too many."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

import pytest
import requests

from newsletter.testing import Clock
from tests.providers.emulators import ALL, Brevo, Emulator, Mailgun, Postmark, Resend, Sendgrid, Ses


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def start(clock: Clock) -> Iterator[Callable[[type[Emulator]], Any]]:
    """Start emulations, with a clock that stands still."""
    running: list[Emulator] = []

    def begin(kind: type[Emulator]) -> Any:
        running.append(kind(clock=clock.monotonic))
        return running[-1]

    yield begin
    for one in running:
        one.close()


def headers(there: Any) -> dict[str, str]:
    return {
        Postmark: {"X-Postmark-Server-Token": there.key, "Accept": "application/json"},
        Resend: {"Authorization": f"Bearer {there.key}"},
        Sendgrid: {"Authorization": f"Bearer {there.key}"},
        Brevo: {"api-key": there.key},
        Mailgun: {"Authorization": "Basic " + base64.b64encode(f"api:{there.key}".encode()).decode()},
        Ses: {},
    }[type(there)]


def ask(there: Any, path: str, body: Any, **more: str) -> requests.Response:
    """POST as a plain client would, signed where that is asked for."""
    request = requests.Request("POST", there.url + path, headers={**headers(there), **more})
    if isinstance(there, Mailgun):
        request.data = body
    else:
        request.data = json.dumps(body)
        request.headers["Content-Type"] = "application/json"
    prepared = request.prepare()
    if isinstance(there, Ses):
        sign(prepared, there)
    with requests.Session() as session:
        session.trust_env = False
        return session.send(prepared)


def sign(request: requests.PreparedRequest, there: Ses, secret: str = "") -> None:
    """Sign by the vendor's own code."""
    from botocore.auth import SigV4Auth
    from botocore.awsrequest import AWSRequest
    from botocore.credentials import Credentials

    made = AWSRequest(request.method, request.url, data=request.body, headers={"Content-Type": "application/json"})
    SigV4Auth(Credentials(there.access_key_id, secret or there.key), "ses", there.region).add_auth(made)
    request.headers.update(made.headers.items())


PATHS = {
    Postmark: "/email/batch",
    Resend: "/emails/batch",
    Sendgrid: "/mail/send",
    Brevo: "/smtp/email",
    Mailgun: "/mg.quiet.example/messages",
    Ses: "/v2/email/outbound-bulk-emails",
}


def call(kind: type[Emulator], *people: str) -> Any:
    """A good call for some readers."""
    if kind is Postmark:
        return [
            {"From": "a@b.example", "To": one, "Subject": "s", "TextBody": "t", "TrackOpens": False} for one in people
        ]
    if kind is Resend:
        return [{"from": "a@b.example", "to": one, "subject": "s", "text": "t"} for one in people]
    if kind is Sendgrid:
        off = {name: {"enable": False} for name in ("click_tracking", "open_tracking", "subscription_tracking")}
        return {
            "personalizations": [{"to": [{"email": one}], "substitutions": {"-n-": one[0]}} for one in people],
            "from": {"email": "a@b.example"},
            "subject": "s -n-",
            "content": [{"type": "text/plain", "value": "t -n- -m-"}],
            "tracking_settings": off,
        }
    if kind is Brevo:
        return {
            "sender": {"email": "a@b.example"},
            "messageVersions": [{"to": [{"email": one}], "params": {"n": one[0]}} for one in people],
            "subject": "s {{ params.n }}",
            "htmlContent": "<p>{{params.n}}{{other}}</p>",
        }
    if kind is Mailgun:
        variables = json.dumps({one: {"n": one[0] + "%recipient.n%"} for one in people})
        text = "t %recipient.n% %recipient% %recipient.m%."
        return [
            ("from", "a@b.example"),
            *(("to", one) for one in people),
            ("text", text),
            ("recipient-variables", variables),
        ]
    entry = [
        {
            "Destination": {"ToAddresses": [one]},
            "ReplacementEmailContent": {"ReplacementTemplate": {"ReplacementTemplateData": json.dumps({"n": one[0]})}},
            "ReplacementHeaders": [{"Name": "List-Id", "Value": "x"}],
        }
        for one in people
    ]
    template = {"TemplateContent": {"Subject": "s {{n}}", "Text": "t {{n}}"}, "TemplateData": "{}"}
    return {"FromEmailAddress": "a@b.example", "DefaultContent": {"Template": template}, "BulkEmailEntries": entry}


@pytest.mark.parametrize("kind", ALL)
def test_a_good_call_is_taken_and_breaks_nothing(kind: type[Emulator], start: Any, clock: Clock) -> None:
    there = start(kind)
    if kind is Ses:
        there.clock = time.time  # a signature has its day
    answer = ask(there, PATHS[kind], call(kind, "ann@x.example", "bob@x.example"))
    assert answer.ok, answer.text
    assert there.broken == []
    assert [one.to for one in there.arrived] == ["ann@x.example", "bob@x.example"]
    assert not any(one.tracked for one in there.arrived)


@pytest.mark.parametrize(
    ("kind", "body"), [(Sendgrid, "t a -m-"), (Ses, "t a"), (Mailgun, "t a%recipient.n% a@x.test .")]
)
def test_values_are_put_in_once_and_nothing_is_escaped(kind: type[Emulator], body: str) -> None:
    with closing(kind()) as there:
        ask(there, PATHS[kind], call(kind, "a@x.test"))
        assert there.arrived[0].text == body


def test_what_brevo_does_not_know_gives_nothing(start: Any) -> None:
    there = start(Brevo)
    ask(there, PATHS[Brevo], call(Brevo, "a@x.test"))
    assert (there.arrived[0].html, there.arrived[0].subject) == ("<p>a</p>", "s a")


@pytest.mark.parametrize("kind", ALL)
def test_a_wrong_key_is_refused_and_takes_nothing(kind: type[Emulator]) -> None:
    with closing(kind()) as there:
        there.rejects_key = True
        body = call(kind, "a@x.test")
        right, there.key = there.key, "wrong"
        wrong_headers = headers(there)
        there.key = right
        if isinstance(there, Ses):
            prepared = requests.Request("POST", there.url + PATHS[kind], data=json.dumps(body)).prepare()
            sign(prepared, there, "wrong")
            answer = requests.Session().send(prepared)
        else:
            answer = ask(there, PATHS[kind], body, **wrong_headers)
        assert answer.status_code in {401, 403}
        assert there.arrived == []


def wrongs(kind: type[Emulator]) -> Iterator[Any]:
    """Calls that are not as documented: an unknown field, a reader too many, no body, two readers in one message."""
    match kind.__name__:
        case "Postmark" | "Resend":
            names = ("To", "TextBody", "Tracking") if kind is Postmark else ("to", "text", "track_opens")
            good = call(kind, "a@x.test")[0]
            yield [{**good, names[2]: True}]
            yield [{**good, names[0]: "a@x.test, b@x.test"}]
            yield [{key: value for key, value in good.items() if key != names[1]}]
            yield [good] * 501
            yield [{**good, names[0]: "Doe, Jane <a@x.test>"}]
        case "Sendgrid":
            good = call(kind, "a@x.test")
            yield {**good, "headerz": {}}
            yield {**good, "headers": {"Subject": "x"}}
            yield call(kind, "a@x.test", "A@x.test")
            yield call(kind, *(f"a{n}@x.test" for n in range(1001)))
            yield {
                **good,
                "personalizations": [{"to": [{"email": "a@x.test"}], "substitutions": {"-n-": "x" * 10_000}}],
            }
            yield {**good, "content": [{"type": "text/html", "value": "x"}, {"type": "text/plain", "value": "x"}]}
        case "Brevo":
            good = call(kind, "a@x.test")
            yield {**good, "trackOpens": False}
            yield {**good, "headers": {"List-Id": "é"}}
            yield {**good, "headers": {"Message-Id": "<a@b>"}}
            yield {**good, "headers": {"idempotencyKey": "no uuid"}}
            yield {**good, "messageVersions": [{"to": [{"email": "a@x.test"}], "headers": {}}]}
            yield {**good, "htmlContent": "{% for %}"}
        case "Mailgun":
            good = call(kind, "a@x.test")
            yield [*good, ("o:track", "no")]
            yield [*good, ("v:long", "x" * 17_000)]
            yield [*good, ("to", "stranger@x.test")]
            yield [*good, ("h:X", "a\r\nBcc: b@x.test")]
            yield call(kind, *(f"a{n}@x.test" for n in range(1001)))
        case "Ses":
            good = call(kind, "a@x.test")
            yield {**good, "Subject": "x"}
            yield call(kind, *(f"a{n}@x.test" for n in range(51)))
            yield {**good, "FromEmailAddress": "é <a@b.example>"}
            template = {"TemplateContent": {"Subject": "s", "Text": "{{missing}}"}}
            yield {**good, "DefaultContent": {"Template": template}}
            yield {**good, "DefaultContent": {"Template": {"TemplateContent": {"Subject": "s", "Text": "{{#if x}}"}}}}


@pytest.mark.parametrize("kind", ALL)
def test_what_is_not_documented_is_noted(kind: type[Emulator]) -> None:
    with closing(kind()) as there:
        for number, body in enumerate(wrongs(kind)):
            there.broken.clear()
            ask(there, PATHS[kind], body)
            assert there.broken, number


def test_a_signature_is_over_the_body_and_the_query() -> None:
    with closing(Ses()) as there:
        prepared = requests.Request(
            "POST", f"{there.url}{PATHS[Ses]}", data=json.dumps(call(Ses, "a@x.test"))
        ).prepare()
        sign(prepared, there)
        prepared.body = json.dumps(call(Ses, "b@x.test"))
        assert requests.Session().send(prepared).status_code == 403
        assert there.broken == ["signature: it does not match"]
        get = requests.Request("GET", f"{there.url}/v2/email/suppression/addresses?PageSize=2&Reason=BOUNCE").prepare()
        get.body = b""
        sign(get, there)
        get.body = None
        assert requests.Session().send(get).status_code == 200


def test_a_key_is_remembered_as_long_as_documented(start: Any, clock: Clock) -> None:
    there = start(Resend)
    body = call(Resend, "a@x.test")
    first = ask(there, PATHS[Resend], body, **{"Idempotency-Key": "k"}).json()
    assert ask(there, PATHS[Resend], body, **{"Idempotency-Key": "k"}).json() == first
    other = ask(there, PATHS[Resend], call(Resend, "b@x.test"), **{"Idempotency-Key": "k"})
    assert (other.status_code, len(there.arrived)) == (409, 1)
    clock.move(24 * 3600 + 1)
    ask(there, PATHS[Resend], body, **{"Idempotency-Key": "k"})
    assert len(there.arrived) == 2

    there = start(Brevo)
    body = {**call(Brevo, "a@x.test"), "headers": {"Idempotency-Key": "6fa459ea-ee8a-3ca4-894e-db77e160355e"}}
    assert [ask(there, PATHS[Brevo], body).status_code for _ in range(2)] == [201, 400]
    clock.move(30 * 60 + 1)
    assert ask(there, PATHS[Brevo], body).status_code == 201


def test_resend_takes_the_good_ones_or_none() -> None:
    with closing(Resend()) as there:
        there.invalid = {"b@x.test"}
        body = call(Resend, "a@x.test", "b@x.test", "c@x.test")
        assert ask(there, PATHS[Resend], body).status_code == 422
        assert there.arrived == []
        found = ask(there, PATHS[Resend], body, **{"x-batch-validation": "permissive"}).json()
        assert [one["index"] for one in found["errors"]] == [1]
        assert [one.to for one in there.arrived] == ["a@x.test", "c@x.test"]


def test_mailgun_pages_its_events() -> None:
    with closing(Mailgun()) as there:
        ask(there, PATHS[Mailgun], call(Mailgun, *(f"a{n}@x.test" for n in range(5))))
        url, found = f"{there.url}/mg.quiet.example/events?limit=2&event=accepted", []
        with requests.Session() as session:
            session.headers.update(headers(there))
            while items := (page := session.get(url).json())["items"]:
                found += [one["recipient"] for one in items]
                url = page["paging"]["next"]
        assert found == [f"a{n}@x.test" for n in range(5)]
        assert there.broken == []
