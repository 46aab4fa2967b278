"""What every route works with: the desk, the pages, and the bell of the worker."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from fastapi import FastAPI
from fastapi.responses import HTMLResponse, Response

from newsletter.flows.desk import Desk
from newsletter.web import headers
from newsletter.web.pages import Pages
from newsletter.web.tongue import preferred

Handler = TypeVar("Handler", bound=Callable[..., Any])


@dataclass(frozen=True)
class Door:
    """Handed to each file of routes. `wake`: there is something to do; `post`: there is mail to send; `heard`: a
    provider told something.
    """

    desk: Desk
    pages: Pages
    wake: Callable[[], None]
    post: Callable[[], None]
    heard: Callable[[], None]

    def speaking(self, asked: Mapping[str, str], lang: str = "") -> Pages:
        """The pages in the language that is named, else the one a browser likes best, else the publication's own.

        In: the headers of a request.
        """
        spoken = self.pages.languages
        return self.pages.within(lang if lang in spoken else preferred(asked.get("accept-language", ""), spoken))

    def answer(
        self, html: str, status: int = 200, *, private: bool = False, frames: Iterable[str] = (), script: str = ""
    ) -> HTMLResponse:
        """A page of ours as an answer. In: the text of its `<script>`, if it has one."""
        page = headers.page(html, style=self.pages.style, status=status, private=private, frames=frames, script=script)
        page.headers["Vary"] = "Accept-Language"
        return page


def get(app: FastAPI, path: str, *, answers: type[Response] = HTMLResponse, **how: Any) -> Callable[[Handler], Handler]:
    """Register a handler for GET, and for HEAD: monitors and mail scanners begin with HEAD (RFC 9110, 9.3.2)."""

    def register(handler: Handler) -> Handler:
        app.get(path, response_class=answers, **how)(handler)
        app.head(path, response_class=answers, include_in_schema=False)(handler)
        return handler

    return register
