"""What every route works with: the desk, the pages, and the bell of the worker."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, TypeVar

from fastapi import FastAPI
from fastapi.responses import HTMLResponse, Response

from newsletter.flows.desk import Desk
from newsletter.web import headers
from newsletter.web.pages import Pages

Handler = TypeVar("Handler", bound=Callable[..., Any])


@dataclass(frozen=True)
class Door:
    """Handed to each file of routes. `wake`: there is mail to send."""

    desk: Desk
    pages: Pages
    wake: Callable[[], None]

    def answer(
        self, html: str, status: int = 200, *, private: bool = False, frames: Iterable[str] = ()
    ) -> HTMLResponse:
        """A page of ours as an answer."""
        return headers.page(html, style=self.pages.style, status=status, private=private, frames=frames)


def get(app: FastAPI, path: str, *, answers: type[Response] = HTMLResponse, **how: Any) -> Callable[[Handler], Handler]:
    """Register a handler for GET, and for HEAD: monitors and mail scanners begin with HEAD (RFC 9110, 9.3.2)."""

    def register(handler: Handler) -> Handler:
        app.get(path, response_class=answers, **how)(handler)
        app.head(path, response_class=answers, include_in_schema=False)(handler)
        return handler

    return register
