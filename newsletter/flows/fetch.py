"""One request to one machine of the open internet; of the answer, its status and where it points.

A name is resolved once, every address it has is judged, and the connection goes to the very address that
was judged: a name that answers differently the second time leads nowhere. No cookies, no proxies, no body.
"""

from __future__ import annotations

import http.client
import socket
import ssl
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from urllib.parse import SplitResult, quote, urlsplit

import idna

from newsletter.content.checks import addresses

AGENT = "newsletter-link-check/1"
_SAFE = "/%:=&?~+!$,;'@()*[]"


class Trouble(Exception):
    """No status came back; the message says why, in words."""


class NoSuchHost(Trouble):
    """The name is not known."""


class NotPublic(Trouble):
    """The name leads into a private network."""


class NoAnswer(Trouble):
    """Nobody answered in time, or not in HTTP."""


class NotTrusted(Trouble):
    """The site's certificate is not valid."""


@dataclass(frozen=True)
class Reply:
    """The status, and the address a redirect names (as it came)."""

    status: int
    location: str = ""


def resolve(host: str, port: int) -> Sequence[str]:
    """The addresses of a name, as the system knows them. Raises: OSError."""
    return [str(found[4][0]) for found in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]


@dataclass(frozen=True)
class Web:
    """The internet. `timeout` seconds for all of one request; `resolver` and `public` are what a test replaces."""

    timeout: float = 10
    resolver: Callable[[str, int], Sequence[str]] = resolve
    public: Callable[[str], bool] = addresses.public
    trust: ssl.SSLContext | None = field(default=None, repr=False)

    def there(self, host: str) -> bool:
        """Whether a name is known."""
        try:
            return bool(self.resolver(host, 443))
        except OSError:
            return False

    def ask(self, method: str, url: str) -> Reply:
        """Ask for a page.

        In: HEAD or GET (of its first byte), an http or https address. Raises: Trouble.
        """
        parts, host, port = _parsed(url)
        ip = self._address(host, port)
        target = quote(parts.path or "/", safe=_SAFE) + (f"?{quote(parts.query, safe=_SAFE)}" if parts.query else "")
        line = _Line(host, port, ip, self.timeout, self._tls if parts.scheme == "https" else None)
        watch = threading.Timer(self.timeout, line.cut)  # a server that drips holds nobody up
        watch.daemon = True
        watch.start()
        try:
            line.request(method, target, headers=_headers(method))
            answer = line.getresponse()
            if line.late:
                raise TimeoutError
            return Reply(answer.status, answer.headers.get("Location", "") or "")
        except ssl.SSLCertVerificationError as trouble:
            raise NotTrusted(trouble.verify_message or "the certificate is not valid") from None
        except (OSError, http.client.HTTPException, ValueError, AttributeError) as trouble:
            raise NoAnswer("no answer in time" if isinstance(trouble, TimeoutError) else "no answer") from None
        finally:
            watch.cancel()
            line.close()

    @cached_property
    def _tls(self) -> ssl.SSLContext:
        return self.trust or ssl.create_default_context()

    def _address(self, host: str, port: int) -> str:
        try:
            found = list(self.resolver(host, port))
        except OSError as trouble:
            if isinstance(trouble, socket.gaierror) and trouble.errno == socket.EAI_AGAIN:
                raise NoAnswer("its name could not be looked up just now") from None
            raise NoSuchHost(f'there is no site "{host}"') from None
        if not found:
            raise NoSuchHost(f'there is no site "{host}"')
        if not all(self.public(ip) for ip in found):
            raise NotPublic(f'"{host}" leads into a private network')
        return found[0]


def _headers(method: str) -> dict[str, str]:
    headers = {"User-Agent": AGENT, "Accept": "*/*", "Connection": "close"}
    return headers | ({"Range": "bytes=0-0"} if method == "GET" else {})


def _parsed(url: str) -> tuple[SplitResult, str, int]:
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)
        if not host.isascii():
            host = idna.encode(host, uts46=True).decode("ascii")
    except (ValueError, idna.IDNAError):
        raise NoSuchHost("this is not the name of a site") from None
    if not host or parts.scheme not in {"http", "https"}:
        raise NoSuchHost("this is not the name of a site")
    return parts, host.rstrip("."), port


class _Line(http.client.HTTPConnection):
    """A connection to an address that was judged, speaking to the name it was judged for."""

    def __init__(self, host: str, port: int, ip: str, timeout: float, tls: ssl.SSLContext | None) -> None:
        self.default_port = 443 if tls else 80
        super().__init__(host, port, timeout=timeout)
        self._ip, self._tls, self.late = ip, tls, False

    def connect(self) -> None:
        """To the address, not to the name."""
        bare = socket.create_connection((self._ip, self.port), self.timeout)
        self.sock = self._tls.wrap_socket(bare, server_hostname=self.host) if self._tls else bare

    def cut(self) -> None:
        """End it, whoever waits."""
        sock, self.late = self.sock, True
        if sock is not None:
            try:
                sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                return
