"""One thread's connection to one provider: the adapter of `requests`, without what no call of ours needs.

A session around it would look for hooks, cookies and redirects at each call, and the adapter itself for the way
there (proxies, TLS): together a third of what a call of one message costs.
"""

from __future__ import annotations

from typing import Any

from requests import PreparedRequest, Response
from requests.adapters import HTTPAdapter


class Line(HTTPAdapter):
    """Keeps one connection; nothing is tried again, and no cookie is kept.

    In, at each `send`: always the same host, authorities and proxies, as the way found at the first call is kept.
    """

    def __init__(self) -> None:
        super().__init__(pool_connections=2, pool_maxsize=1, max_retries=0)
        self._way: Any = None

    def get_connection_with_tls_context(self, *asked: Any, **rest: Any) -> Any:
        """The pool of the one connection."""
        if self._way is None:
            self._way = super().get_connection_with_tls_context(*asked, **rest)
        return self._way

    def build_response(self, req: PreparedRequest, resp: Any) -> Response:
        """The answer: its status, and in `raw` its headers and a body that has not been read."""
        answer = Response()
        answer.status_code, answer.raw, answer.request = resp.status, resp, req
        return answer
