"""One plain HTTP request, and what its certificate says."""

from __future__ import annotations

import http.client
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from urllib.parse import urlsplit

from newsletter.flows.doctor.site import Answer, Unreached, Untrusted

_MOST = 256 * 1024
_HEADERS = {"User-Agent": "newsletter-doctor/1", "Connection": "close"}


@dataclass(frozen=True)
class Web:
    """The network. `seconds` for each step of a request; `trust` is what a test replaces."""

    seconds: float = 10
    trust: ssl.SSLContext | None = field(default=None, repr=False)

    def ask(self, method: str, url: str, *, headers: Mapping[str, str] | None = None, body: bytes = b"") -> Answer:
        """See `Site.ask`. Raises: Unreached, Untrusted."""
        parts = urlsplit(url)
        line = self._line(parts.scheme, parts.netloc)
        try:
            line.request(method, parts.path or "/", body=body or None, headers={**_HEADERS, **(headers or {})})
            expires = _expires(line)
            reply = line.getresponse()
            found = {name.lower(): value for name, value in reply.getheaders()}
            return Answer(reply.status, found, reply.read(_MOST), expires)
        except ssl.SSLCertVerificationError as problem:
            raise Untrusted(problem.verify_message or "its certificate is not valid") from None
        except TimeoutError:
            raise Unreached("no answer in time") from None
        except (OSError, http.client.HTTPException, ValueError) as problem:
            raise Unreached(f"no answer ({type(problem).__name__})") from None
        finally:
            line.close()

    def _line(self, scheme: str, netloc: str) -> http.client.HTTPConnection:
        if scheme == "https":
            context = self.trust or ssl.create_default_context()
            return http.client.HTTPSConnection(netloc, timeout=self.seconds, context=context)
        return http.client.HTTPConnection(netloc, timeout=self.seconds)


def _expires(line: http.client.HTTPConnection) -> datetime | None:
    if not isinstance(line.sock, ssl.SSLSocket):
        return None
    end = (line.sock.getpeercert() or {}).get("notAfter")
    return datetime.fromtimestamp(ssl.cert_time_to_seconds(end), UTC) if isinstance(end, str) else None
