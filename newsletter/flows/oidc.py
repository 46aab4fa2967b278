"""Workflows that prove who they are with a token of their forge (OpenID Connect), as GitHub Actions has them.

In: a token. Out: the run it was made for. All of the cryptography and of the times is PyJWT's: RS256 alone, and keys
from the issuer's own address, fetched with a timeout, kept, and fetched anew for an unknown one, with a pause between
(https://docs.github.com/en/actions/reference/security/oidc). The subject is not compared: its form changed in 2026; the
ids are what nobody can take over.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import jwt
from jwt import PyJWKClient
from jwt.exceptions import PyJWKClientConnectionError, PyJWKClientError, PyJWKSetError

from newsletter.core.keys import Run
from newsletter.errors import AccessRefused, KeysAway

ALGORITHMS = ["RS256"]
LEEWAY = 30  # seconds that clocks may differ
REQUIRED = ["exp", "nbf", "iat", "iss", "aud", "jti"]
EVENTS = frozenset({"push", "schedule", "workflow_dispatch"})
"""What may start a run that sends: never a pull request."""


@dataclass(frozen=True)
class Trust:
    """Whose runs are believed. Empty is not looked at, but for the ids, which always are."""

    issuer: str
    audience: str
    repository_id: str
    repository_owner_id: str
    repository: str = ""
    environment: str = ""
    ref: str = ""
    job_workflow_ref: Sequence[str] = ()  # one of these: the file whose job it is
    workflow_ref: Sequence[str] = ()  # one of these: the file that was started, and may call that one
    jwks_url: str = ""

    @property
    def keys_at(self) -> str:
        """Where the issuer's keys are."""
        return self.jwks_url or f"{self.issuer.rstrip('/')}/.well-known/jwks"

    def claims(self) -> Mapping[str, Sequence[str]]:
        """What a token must say, by the names of its claims: one of these."""
        always = {"repository_id": (self.repository_id,), "repository_owner_id": (self.repository_owner_id,)}
        named = {name: (getattr(self, name),) for name in ("repository", "environment", "ref") if getattr(self, name)}
        files = {name: getattr(self, name) for name in ("job_workflow_ref", "workflow_ref") if getattr(self, name)}
        return {**always, **named, **files}


class Keys(PyJWKClient):
    """The issuer's keys. Not asked more often than every `pause` seconds when it does not answer, either."""

    def __init__(self, url: str, *, timeout: float = 5.0, pause: float = 10.0, kept: float = 300.0) -> None:
        super().__init__(url, timeout=timeout, lifespan=kept, cooldown_duration=pause)
        self._failed = float("-inf")

    def fetch_data(self) -> Any:
        """Fetch them. Raises: PyJWKClientConnectionError."""
        if time.monotonic() < self._failed + self.cooldown_duration:
            raise PyJWKClientConnectionError("it did not answer a moment ago")
        try:
            return super().fetch_data()
        except (PyJWKClientError, PyJWKSetError, ValueError, OSError) as problem:
            self._failed = time.monotonic()
            raise PyJWKClientConnectionError("it gives no keys") from problem


class Workflows:
    """Judges tokens. `now` must be the clock that PyJWT reads: the machine's own."""

    def __init__(
        self, trust: Trust, *, keys: Keys | None = None, now: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self._trust = trust
        self._keys = keys or Keys(trust.keys_at)
        self.now = now

    def identify(self, token: str) -> Run:
        """The run of a token. Raises: AccessRefused; KeysAway when the issuer's keys cannot be had now."""
        trust = self._trust
        try:
            if jwt.get_unverified_header(token).get("alg") not in ALGORITHMS:  # before anybody is asked for a key
                raise _forged()
            key = self._keys.get_signing_key_from_jwt(token)
            said = jwt.decode(
                token,
                key,
                algorithms=ALGORITHMS,
                audience=trust.audience,
                issuer=trust.issuer,
                leeway=LEEWAY,
                options={"require": REQUIRED, "strict_aud": True},
            )
        except PyJWKClientConnectionError:
            raise KeysAway("The issuer of this token gives no keys now.", "Run again in a minute.") from None
        except jwt.ExpiredSignatureError:
            raise AccessRefused("This token is too old.", "Ask for a new one for each request.") from None
        except jwt.InvalidAudienceError:
            raise AccessRefused(
                "This token is for another audience.",
                "Ask for one for this server's address (NEWSLETTER_OIDC__AUDIENCE).",
            ) from None
        except (jwt.PyJWTError, TypeError, ValueError, OverflowError):  # the latter for times that are none
            raise _forged() from None
        return self._run(said)

    def _run(self, said: Mapping[str, Any]) -> Run:
        for name, values in self._trust.claims().items():
            if not isinstance(said.get(name), str) or said[name] not in values:
                raise AccessRefused(
                    f"This token is of another {name.replace('_', ' ')} than the one that may send.",
                    f"Compare NEWSLETTER_OIDC__{name.upper()} with the workflow.",
                )
        event, jti = said.get("event_name"), said["jti"]
        if not (isinstance(event, str) and event in EVENTS):
            raise AccessRefused(
                "This token is of an event that may not send.", f"These may: {', '.join(sorted(EVENTS))}."
            )
        number, attempt = str(said.get("run_id", ""))[:40], str(said.get("run_attempt", ""))[:10]
        if not (isinstance(jti, str) and jti):
            raise _forged()
        return Run(
            name=f"workflow run {number}/{attempt}",
            repository=f"repository {said['repository_id']}",
            digest=hashlib.sha256(f"{said['iss']}\n{jti}".encode()).hexdigest(),
            until=_until(said["exp"]),
        )


def _until(end: Any) -> datetime:
    """Until when a token may be used. Raises: AccessRefused when that is no time."""
    try:
        return datetime.fromtimestamp(float(end), UTC) + timedelta(seconds=2 * LEEWAY)
    except (TypeError, ValueError, OverflowError, OSError):
        raise _forged() from None


def _forged() -> AccessRefused:
    return AccessRefused("This token is not one of the issuer's.", "Ask for a new one for each request.")
