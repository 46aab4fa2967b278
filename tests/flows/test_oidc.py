"""Tokens of workflows: whose are believed, and whose are not. A forge of our own signs; an issuer of our own serves."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import threading
import time
from collections.abc import Iterator
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from jwt.algorithms import RSAAlgorithm

from newsletter.errors import AccessRefused, WorkLeft
from newsletter.flows.oidc import Keys, Trust, Workflows

AUDIENCE = "https://letters.harbour.test"
SAYS = {
    "aud": AUDIENCE,
    "repository": "harbour/letters",
    "repository_id": "7301",
    "repository_owner_id": "88",
    "environment": "production",
    "ref": "refs/heads/main",
    "job_workflow_ref": "harbour/letters/.github/workflows/send.yml@refs/heads/main",
    "event_name": "push",
    "run_id": "5501",
    "run_attempt": "1",
    "sub": "repo:harbour@88/letters@7301:environment:production",
}

DUE = "harbour/letters/.github/workflows/due.yml@refs/heads/main"


@cache
def pair(name: str) -> rsa.RSAPrivateKey:
    """A key pair by its name; made once, as making one takes long."""
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def public(name: str) -> dict[str, Any]:
    known = json.loads(RSAAlgorithm.to_jwk(pair(name).public_key()))
    return {**known, "kid": name, "use": "sig", "alg": "RS256"}


class Issuer:
    """Serves keys, counts who asks, and can be away."""

    def __init__(self, *names: str) -> None:
        self.names, self.asked, self.away = list(names), 0, False
        issuer = self

        class Answers(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                issuer.asked += 1
                body = json.dumps({"keys": [public(name) for name in issuer.names]}).encode()
                self.send_response(503 if issuer.away else 200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Answers)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def says(self, **other: Any) -> dict[str, Any]:
        now = int(time.time())
        return {"iss": self.url, "iat": now, "nbf": now - 5, "exp": now + 300, "jti": "one", **SAYS, **other}

    def token(self, key: str = "a", *, kid: str = "", **other: Any) -> str:
        said = {name: value for name, value in self.says(**other).items() if value is not None}
        return jwt.encode(said, pair(key), algorithm="RS256", headers={"kid": kid or key})

    def workflows(self, *, pause: float = 0.0, **other: Any) -> Workflows:
        known = {
            name: SAYS[name] for name in ("repository", "repository_id", "repository_owner_id", "environment", "ref")
        }
        known["job_workflow_ref"] = [SAYS["job_workflow_ref"], DUE]
        trust = Trust(**{"issuer": self.url, "audience": AUDIENCE, **known, **other})
        return Workflows(trust, keys=Keys(trust.keys_at, timeout=2, pause=pause))


@pytest.fixture
def issuer() -> Iterator[Issuer]:
    made = Issuer("a")
    yield made
    made.close()


def test_the_run_of_a_token(issuer: Issuer) -> None:
    assert issuer.workflows().identify(issuer.token(job_workflow_ref=DUE))
    run = issuer.workflows().identify(issuer.token())
    assert (run.name, run.repository) == ("workflow run 5501/1", "repository 7301")


@pytest.mark.parametrize(
    ("other", "said"),
    [
        ({"exp": 1_000_000_000}, "too old"),
        ({"exp": None}, "not one of the issuer's"),
        ({"nbf": 9_000_000_000, "exp": 9_000_000_300}, "not one of the issuer's"),
        ({"iat": 9_000_000_000, "exp": 9_000_000_300}, "not one of the issuer's"),
        ({"jti": None}, "not one of the issuer's"),
        ({"iss": "https://tokens.elsewhere.test"}, "not one of the issuer's"),
        ({"aud": "https://other.test"}, "another audience"),
        ({"aud": [AUDIENCE, "https://other.test"]}, "another audience"),
        ({"repository": "stranger/letters"}, "another repository than"),
        ({"repository_id": "7302"}, "another repository id"),
        ({"repository_id": None}, "another repository id"),
        ({"repository_id": 7301}, "another repository id"),
        ({"repository_owner_id": "89"}, "another repository owner id"),
        ({"environment": "staging"}, "another environment"),
        ({"environment": None}, "another environment"),
        ({"ref": "refs/heads/try"}, "another ref"),
        ({"ref": "refs/pull/7/merge"}, "another ref"),
        (
            {"job_workflow_ref": "harbour/letters/.github/workflows/test.yml@refs/heads/main"},
            "another job workflow ref",
        ),
        ({"event_name": []}, "an event that may not send"),
        ({"exp": 1e15}, "not one of the issuer's"),
        ({"exp": float("inf")}, "not one of the issuer's"),
        ({"exp": []}, "not one of the issuer's"),
        ({"jti": ""}, "not one of the issuer's"),
        ({"jti": ["one"]}, "not one of the issuer's"),
        ({"event_name": "pull_request"}, "an event that may not send"),
        ({"event_name": "pull_request_target"}, "an event that may not send"),
    ],
)
def test_a_token_that_says_something_else_is_refused(issuer: Issuer, other: dict[str, Any], said: str) -> None:
    with pytest.raises(AccessRefused, match=said) as refused:
        issuer.workflows().identify(issuer.token(**other))
    assert not any(str(value) in str(refused.value) for value in other.values() if value and len(str(value)) > 4)


def test_a_forged_token_is_refused(issuer: Issuer) -> None:
    workflows = issuer.workflows()
    for token in (
        issuer.token("b", kid="a"),  # signed by somebody else, under the issuer's name for its key
        issuer.token()[:-8] + "AAAAAAAA",
        _swapped(issuer.token(), repository_id="7301", ref="refs/heads/try"),
        "a.b.c",
        "..",
        "e30.e30.",
    ):
        with pytest.raises(AccessRefused, match="not one of the issuer's"):
            workflows.identify(token)


def _swapped(token: str, **other: Any) -> str:
    head, _, signature = token.split(".")
    return f"{head}.{_part({**SAYS, **other})}.{signature}"


def _part(value: Any) -> str:
    return _letters(json.dumps(value).encode())


def _letters(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def test_no_signature_and_one_of_a_shared_secret_are_refused(issuer: Issuer) -> None:
    """`alg: none`, and HS256 with the public key for a secret: RS256 alone is ever asked for."""
    said = issuer.says()
    bare = f"{_part({'alg': 'none', 'kid': 'a', 'typ': 'JWT'})}.{_part(said)}."
    pem = (
        pair("a").public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    )
    start = f"{_part({'alg': 'HS256', 'kid': 'a', 'typ': 'JWT'})}.{_part(said)}"
    mixed = (
        f"{start}.{base64.urlsafe_b64encode(hmac.digest(pem, start.encode(), hashlib.sha256)).rstrip(b'=').decode()}"
    )
    mine = jwt.encode(said, pair("b"), algorithm="RS512", headers={"kid": "a"})
    for token in (bare, mixed, mine):
        with pytest.raises(AccessRefused, match="not one of the issuer's"):
            issuer.workflows().identify(token)
    assert issuer.asked == 0  # nobody is asked for a key to that


def test_keys_are_fetched_once_and_anew_when_they_were_changed(issuer: Issuer) -> None:
    workflows = issuer.workflows()
    workflows.identify(issuer.token())
    workflows.identify(issuer.token())
    assert issuer.asked == 1
    issuer.names = ["b"]
    workflows.identify(issuer.token("b"))
    assert issuer.asked == 2
    with pytest.raises(AccessRefused):  # the old one is gone
        workflows.identify(issuer.token("a"))


def test_whoever_invents_keys_does_not_make_us_ask_for_each(issuer: Issuer) -> None:
    workflows = issuer.workflows(pause=3600)
    workflows.identify(issuer.token())
    for n in range(5):
        with pytest.raises(AccessRefused):
            workflows.identify(issuer.token("b", kid=f"invented-{n}"))
    assert issuer.asked == 1


def test_an_issuer_that_is_away_refuses_nothing_and_lets_nobody_in(issuer: Issuer) -> None:
    issuer.away = True
    workflows = issuer.workflows(pause=3600)
    for _ in range(3):
        with pytest.raises(WorkLeft, match="gives no keys now"):
            workflows.identify(issuer.token())
    assert issuer.asked == 1  # and is not asked again at once
    calm = issuer.workflows()
    with pytest.raises(WorkLeft):
        calm.identify(issuer.token())
    issuer.away = False
    assert calm.identify(issuer.token())


def test_keys_that_are_known_hold_while_the_issuer_is_away(issuer: Issuer) -> None:
    workflows = issuer.workflows()
    workflows.identify(issuer.token())
    issuer.away = True
    assert workflows.identify(issuer.token(jti="two"))


def test_what_is_not_set_is_not_looked_at_but_the_ids_are(issuer: Issuer) -> None:
    lax = issuer.workflows(repository="", environment="", ref="", job_workflow_ref="")
    assert lax.identify(issuer.token(environment=None, ref="refs/heads/next"))
    with pytest.raises(AccessRefused):
        lax.identify(issuer.token(repository_id="1"))
