"""The pictures of letters and pages: never a file somebody saved, always what was made of it."""

from __future__ import annotations

from fastapi import FastAPI
from fastapi.responses import FileResponse, Response

from newsletter.content import images
from newsletter.errors import NotFound
from newsletter.web.door import Door, get

_PAGE = {"content": {"text/html": {}}, "description": "A page that says what to do next"}
_FOR_EVER = {"Cache-Control": "public, max-age=31536000, immutable"}  # the name holds a hash of the file


def routes(app: FastAPI, door: Door) -> None:
    """Add them to the application."""

    @get(app, "/images/{name}", answers=FileResponse, summary="A picture of a letter", responses={404: _PAGE})
    def picture(name: str) -> Response:
        path = images.served(door.desk.root, name)
        if path is None:
            raise NotFound("There is no such picture.", "It may have been in a letter that is gone.")
        return FileResponse(path, headers=_FOR_EVER)
