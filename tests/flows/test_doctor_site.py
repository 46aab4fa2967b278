"""Doctor on the web side, from outside: each fault alone is named once."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from newsletter.flows.doctor.site import WEB, Answer, Unreached, Untrusted, Visit, look
from newsletter.flows.doctor.web import Web
from newsletter.testing import Reply, Request, Server

NOW = datetime(2026, 12, 1, 9, 30, tzinfo=UTC)
BASE, OLD = "https://letters.harbour.test", "https://www.harbour.test"
PAGE = b'<link rel="stylesheet" href="/page.css"><img src="/images/a.png"><a href="https://www.harbour.test/">us</a>'
HEALTH = Answer(
    200,
    {"date": format_datetime(NOW, usegmt=True), "strict-transport-security": "max-age=1"},
    expires=NOW + timedelta(days=60),
)
GOOD: Mapping[tuple[str, str], Answer] = {
    ("GET", f"{BASE}/healthz"): HEALTH,
    ("GET", "http://letters.harbour.test/"): Answer(308, {"location": f"{BASE}/"}),
    ("POST", f"{BASE}/unsubscribe/TOKEN"): Answer(200),
    ("GET", f"{BASE}/unsubscribe/TOKEN"): Answer(200, body=b"<form method=post>"),
    ("GET", f"{BASE}/"): Answer(200, {"content-security-policy": "default-src 'none'"}, PAGE),
    ("POST", f"{BASE}/webhooks/postmark"): Answer(403),
    ("GET", f"{OLD}/free-offerings"): Answer(301, {"location": f"{BASE}/free-offerings"}),
}


@dataclass
class Site:
    answers: Mapping[tuple[str, str], Answer | Unreached]
    asked: list[tuple[str, str, bytes]] = field(default_factory=list)

    def ask(self, method: str, url: str, *, headers: Mapping[str, str] | None = None, body: bytes = b"") -> Answer:
        self.asked.append((method, url, body))
        answer = self.answers[method, url]
        if isinstance(answer, Unreached):
            raise answer
        return answer


def visit(**changes: object) -> Visit:
    made = Visit(BASE + "/", "TOKEN", lambda: NOW, lambda: True, ("postmark",), OLD)
    return replace(made, **changes)  # type: ignore[arg-type]


def test_a_good_site_is_left_alone() -> None:
    site = Site(GOOD)
    assert look(visit(), site) == []
    assert {(method, url) for method, url, _ in site.asked} == set(GOOD)
    assert ("POST", f"{BASE}/unsubscribe/TOKEN", b"List-Unsubscribe=One-Click") in site.asked


LEAVE, FRONT, HOOK = ("POST", f"{BASE}/unsubscribe/TOKEN"), ("GET", f"{BASE}/"), ("POST", f"{BASE}/webhooks/postmark")
HEALTHZ = ("GET", f"{BASE}/healthz")


def _health(**headers: str) -> Answer:
    return replace(
        HEALTH, headers={**HEALTH.headers, **{name.replace("_", "-"): value for name, value in headers.items()}}
    )


FAULTS: list[tuple[str, tuple[str, str], Answer | Unreached]] = [
    ("unreachable", HEALTHZ, Unreached("no answer in time")),
    ("unreachable", LEAVE, Unreached("no answer (ConnectionResetError)")),
    ("not-ours", HEALTHZ, Answer(404)),
    ("certificate", HEALTHZ, Untrusted("certificate has expired")),
    ("certificate-ends", HEALTHZ, replace(HEALTH, expires=NOW + timedelta(days=13))),
    ("plain-http", ("GET", "http://letters.harbour.test/"), Answer(200)),
    ("plain-http", ("GET", "http://letters.harbour.test/"), Answer(302, {"location": "http://elsewhere.test/"})),
    ("no-hsts", HEALTHZ, _health(strict_transport_security="")),
    ("clock", HEALTHZ, _health(date=format_datetime(NOW - timedelta(minutes=3), usegmt=True))),
    ("one-click", LEAVE, Answer(405)),
    ("one-click-redirects", LEAVE, Answer(307, {"location": "/"})),
    ("one-click-cookie", LEAVE, Answer(200, {"set-cookie": "a=b"})),
    ("leave-page", ("GET", f"{BASE}/unsubscribe/TOKEN"), Answer(200, body=b"Left already.")),
    ("third-party", FRONT, replace(GOOD[FRONT], body=PAGE + b'<script src="//spy.test/a.js"></script>')),
    ("third-party", FRONT, replace(GOOD[FRONT], body=PAGE + b"<link rel=stylesheet href=https://fonts.test/a.css>")),
    ("no-policy", FRONT, Answer(200, body=PAGE)),
    ("webhook-open", HOOK, Answer(200)),
    ("webhook-shut", HOOK, Answer(404)),
    ("old-site", ("GET", f"{OLD}/free-offerings"), Answer(404)),
    ("old-site", ("GET", f"{OLD}/free-offerings"), Answer(301, {"location": f"{OLD}/"})),
]  # fmt: skip


@pytest.mark.parametrize(("fault", "where", "answer"), FAULTS)
def test_each_fault_alone_is_named_once(fault: str, where: tuple[str, str], answer: Answer | Unreached) -> None:
    found = look(visit(), Site({**GOOD, where: answer}))
    assert [one.id for one in found] == [f"web.{fault}"]
    assert "TOKEN" not in repr(found)


def test_a_server_that_works_on_another_database_is_found() -> None:
    found = look(visit(seen=lambda: False), Site(GOOD))
    assert [one.id for one in found] == ["web.one-click-elsewhere"]


def test_every_kind_has_its_case() -> None:
    assert {fault for fault, _, _ in FAULTS} | {"one-click-elsewhere"} == set(WEB.kinds)


@pytest.mark.parametrize(
    ("where", "answer"),
    [
        (("GET", "http://letters.harbour.test/"), Unreached("no answer")),
        (("GET", f"{OLD}/free-offerings"), Unreached("no answer")),
        (("GET", f"{OLD}/free-offerings"), Answer(200, body=f'<a href="{BASE}/free-offerings">'.encode())),
    ],
)
def test_what_is_well_in_another_way_is_left_alone(where: tuple[str, str], answer: Answer | Unreached) -> None:
    assert look(visit(), Site({**GOOD, where: answer})) == []


# --- the network -------------------------------------------------------------------------------------------------


def _said(status: int, body: bytes = b"ok") -> Callable[[Request], Reply]:
    return lambda _request: Reply(status, body)


def test_an_answer_comes_as_it_is_and_no_redirect_is_followed() -> None:
    with Server(_said(307)) as server:
        answer = Web(seconds=5).ask("POST", f"{server.url}/a", body=b"x")
    assert (answer.status, answer.body, answer.expires) == (307, b"ok", None)


def test_silence_is_told_in_words() -> None:
    with Server(_said(200)) as server:
        url = server.url
    with pytest.raises(Unreached, match="no answer"):
        Web(seconds=1).ask("GET", f"{url}/")


def test_what_does_not_speak_tls_is_not_reached() -> None:
    with Server(_said(200)) as server, pytest.raises(Unreached):
        Web(seconds=2, trust=ssl.create_default_context()).ask("GET", server.url.replace("http:", "https:"))
