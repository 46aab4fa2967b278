"""The free resources: the way from a link in a mail to the bytes."""

from __future__ import annotations

from typing import Annotated

from fastapi import FastAPI, Form, Request
from fastapi.responses import FileResponse, RedirectResponse, Response

from newsletter.errors import NotFound
from newsletter.flows import magnet
from newsletter.web import headers
from newsletter.web.door import Door, get

_PAGE = {"content": {"text/html": {}}, "description": "A page that says what to do next"}
_KEPT = {**headers.PRIVATE, "Cache-Control": "private, no-store"}


def routes(app: FastAPI, door: Door) -> None:
    """Add them to the application."""

    @get(app, "/download/{token}", summary="The button to the files", responses={404: _PAGE, 410: _PAGE})
    def show(request: Request, token: str) -> Response:
        found = magnet.offer(token, door.desk)
        return door.answer(door.speaking(request.headers).download(found.key), private=True)

    @app.post(
        "/download/{token}",
        status_code=303,
        summary="Count the download, and go to the file",
        response_class=RedirectResponse,
        responses={303: {"description": "To the file"}, 404: _PAGE, 410: _PAGE, 422: _PAGE},
    )
    def count(token: str, file: Annotated[int, Form()] = 0) -> Response:
        place = magnet.download(token, door.desk, file)
        return RedirectResponse(door.pages.path + place, 303, headers.PRIVATE)

    @get(
        app,
        "/files/{token}/{name}",
        answers=FileResponse,
        summary="The bytes, for ten minutes; ranges allowed",
        responses={404: _PAGE, 410: _PAGE},
    )
    def bytes_of(token: str, name: str) -> Response:
        path = magnet.file(token, door.desk)
        if name != path.name:
            raise NotFound("There is no such file.", "Open it again with the button.")
        return FileResponse(path, headers=_KEPT, filename=path.name, content_disposition_type="attachment")
