"""The server, when it sends: what `plan` and `send` ask of it from a machine that has no list.

In: an issue that was rendered here. Out: the server's plan, or a campaign that is followed to its end. What it is asked
with is a key, or a token that a workflow's runner gives for each request (GitHub: `permissions: id-token: write`).
No address passes here, and neither key nor token is ever shown.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from threading import Event
from typing import Any
from urllib.parse import quote

import requests

from newsletter.core.bundle import Bundle, plain
from newsletter.errors import ConfigurationError, NewsletterError, WorkLeft
from newsletter.flows import press
from newsletter.settings import Settings

TIMEOUT = 30.0
TRIES = 4
FIRST_LOOK, LAST_LOOK = 0.2, 15.0
"""Seconds between two looks at a campaign: soon at first, later less often."""

SILENT = 300.0
"""Seconds for which a server may give no answer while it is followed."""

_KIND = "urn:newsletter:problem:"
_BUSY = frozenset({429, 500, 502, 503, 504})
_MISFIT = frozenset({413, 422})
Sleep = Callable[[float], object]


@dataclass
class Server:
    """The API of a server of ours."""

    url: str
    audience: str  # of tokens
    api_key: str = field(default="", repr=False)
    runner: tuple[str, str] = field(default=("", ""), repr=False)  # where tokens are asked for, and with what
    sleep: Sleep = time.sleep
    http: requests.Session = field(default_factory=requests.Session)

    def plan(self, bundle: Bundle, *, again: str) -> dict[str, Any]:
        """Who would get it, as the server knows. Raises: what the server refuses with."""
        return self._asked("POST", "/api/plans", {**_sent(bundle), "again": again})[1]

    def order(self, bundle: Bundle, agreed: Mapping[str, Any]) -> tuple[dict[str, Any], bool]:
        """Ask it to send.

        In: how somebody agreed: `plan`, `yes` or `due`, and `again`. Out: where the campaign stands, and whether this
        began it. Raises: as `plan`.
        """
        status, found = self._asked("POST", "/api/campaigns", {**_sent(bundle), **agreed})
        return found, status == requests.codes.created

    def known(self) -> dict[str, str]:
        """Every campaign there is: its key, and its state. Raises: as `plan`."""
        return {str(one["issue"]): str(one["state"]) for one in self.all()}

    def all(self) -> list[dict[str, Any]]:
        """Every campaign as it stands, the newest first. Raises: as `plan`."""
        found: list[dict[str, Any]] = []
        cursor: str | None = ""
        while cursor is not None:
            page = self._asked("GET", f"/api/campaigns?limit=100{f'&cursor={cursor}' if cursor else ''}")[1]
            found += page["items"]
            cursor = page["next"]
        return found

    def look(self, key: str) -> dict[str, Any]:
        """Where a campaign stands. Raises: as `plan`."""
        return self._asked("GET", f"/api/campaigns/{quote(key)}")[1]

    def turn(self, key: str, verb: str) -> dict[str, Any]:
        """Pause, resume or cancel a campaign. Out: where it stands then. Raises: as `plan`."""
        return self._asked("POST", f"/api/campaigns/{quote(key)}/{verb}", {})[1]

    def _asked(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> tuple[int, dict[str, Any]]:
        """Ask; again after a pause when nobody answers, as each of these requests may come twice."""
        for attempt in range(TRIES):
            if attempt:
                self.sleep(2.0**attempt)
            try:
                answer = self.http.request(
                    method,
                    self.url.rstrip("/") + path,
                    json=body,
                    headers={"Authorization": f"Bearer {self._token()}", "Accept": "application/json"},
                    timeout=TIMEOUT,
                    allow_redirects=False,
                )
            except requests.RequestException:
                continue
            found = _document(answer)
            away = found.get("type") == f"{_KIND}keys-away" and attempt + 1 < TRIES
            if answer.status_code not in _BUSY or (found and not away):
                return answer.status_code, _taken(answer)
        raise WorkLeft("The server gives no answer.", "Run again when it does; nothing is sent twice.")

    def _token(self) -> str:
        if self.api_key:
            return self.api_key
        url, key = self.runner
        if not url or not key:
            raise ConfigurationError(
                "There is nothing to show the server: no key, and no token of a workflow.",
                "Set NEWSLETTER_SERVER__API_KEY, or give the job `permissions: id-token: write`.",
            )
        asked = f"{url}{'&' if '?' in url else '?'}audience={quote(self.audience, safe='')}"
        answer = self.http.get(asked, headers={"Authorization": f"Bearer {key}"}, timeout=TIMEOUT)
        token = _document(answer).get("value") if answer.ok else None
        if not isinstance(token, str):
            raise WorkLeft("The runner gives no token now.", "Run again.")
        return token


def of(settings: Settings, environ: Mapping[str, str]) -> Server | None:
    """The server that is set to send; None when this machine does."""
    if not settings.server.url:
        return None
    runner = environ.get("ACTIONS_ID_TOKEN_REQUEST_URL", ""), environ.get("ACTIONS_ID_TOKEN_REQUEST_TOKEN", "")
    return Server(
        url=settings.server.url,
        audience=settings.oidc.audience or settings.base_url.rstrip("/"),
        api_key=settings.server.api_key.get_secret_value(),
        runner=runner,
    )


def _sent(bundle: Bundle) -> dict[str, Any]:
    return {"bundle": plain(bundle), "sha256": bundle.sha256}


def _document(answer: requests.Response) -> dict[str, Any]:
    try:
        found = answer.json()
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _taken(answer: requests.Response) -> dict[str, Any]:
    """The document of an answer. Raises: the error it tells of."""
    found = _document(answer)
    if answer.ok and found and not answer.is_redirect:
        return found
    kind = str(found.get("type", ""))
    if kind.startswith(_KIND):
        raise press.error(kind.removeprefix(_KIND), str(found.get("detail", "")), str(found.get("todo") or ""))
    if answer.status_code in _BUSY:
        raise WorkLeft("The server cannot answer now.", "Run again in a minute.")
    if answer.status_code in _MISFIT:
        raise NewsletterError(
            f"The server does not take this letter ({answer.status_code}). {found.get('detail', '')}".strip(),
            "Use the same version of the program in both places.",
        )
    raise ConfigurationError(
        f"What answers there is no server of ours ({answer.status_code}).",
        "Compare NEWSLETTER_SERVER__URL with the server's NEWSLETTER_BASE_URL.",
    )


def follow(
    server: Server,
    found: dict[str, Any],
    *,
    stop: Event,
    seconds: float | None,
    shown: Callable[[Mapping[str, Any]], None],
    clock: Callable[[], float] = time.monotonic,
) -> tuple[dict[str, Any], str]:
    """Follow a campaign until nothing more becomes of it by itself.

    In: where it stands; `stop` and `seconds` end the following, never the campaign; `shown` is called with each look.
    Out: where it stands then, and why the following ended before its time, "" when it did not.
    Raises: ConfigurationError that the server met; WorkLeft when it is silent for long.
    """
    end = clock() + seconds if seconds is not None else None
    heard, pause = clock(), FIRST_LOOK
    while True:
        shown(found)
        if why := _over(found):
            return found, "" if why == _ENDED else why
        left = end - clock() if end is not None else pause
        if left <= 0:
            return found, "the time given was over; the server goes on by itself"
        if stop.wait(min(pause, left)):
            return found, "it was told to stop; the server goes on by itself"
        pause = min(pause * 1.6, LAST_LOOK)
        try:
            found, heard = server.look(str(found["issue"])), clock()
        except WorkLeft:
            if clock() - heard > SILENT:
                raise


_ENDED = "ended"


def _over(found: Mapping[str, Any]) -> str:
    """Why nothing more becomes of it by itself; empty while something may. Raises: ConfigurationError."""
    trouble = found.get("trouble") or {}
    if found["state"] in {"finished", "cancelled"} or (not found["pending"] and not found["settling"]):
        return _ENDED
    if found["state"] == "paused":
        return str(found.get("brake") or "it is paused")
    if found.get("all_paused"):
        return "all sending is paused"
    if trouble.get("kind") == "configuration":
        raise press.error("configuration", str(trouble["what"]), str(trouble["todo"]))
    if not found.get("ordered"):
        return "it was begun by another machine, which must go on with it"
    return ""
