"""What is given away, as one hands it on: a page for each resource, its QR code, a sheet of paper.

Whoever hands it on is not asked for and not recorded: these are plain addresses, the same for everybody.
"""

from __future__ import annotations

from pathlib import Path

from fastapi import FastAPI, Request
from fastapi.responses import FileResponse, Response

from newsletter.content import qr, share, theme
from newsletter.core.publication import Magnet
from newsletter.errors import NotFound
from newsletter.flows import gate
from newsletter.web.door import Door, get

_PAGE = {"content": {"text/html": {}}, "description": "A page that says what to do next"}
_FOR_A_DAY = {"Cache-Control": "public, max-age=86400"}
_BRIEFLY = {"Cache-Control": "public, max-age=300"}  # a file that is replaced should be seen soon


class _Svg(Response):
    media_type = "image/svg+xml"


class _Png(Response):
    media_type = "image/png"


def routes(app: FastAPI, door: Door) -> None:
    """Add them to the application."""
    links = door.desk.links

    def magnet_of(key: str) -> Magnet:
        found = door.desk.publication.magnets.get(key)
        if found is None:
            raise NotFound("There is no such free resource.", "The list of free resources shows what there is.")
        return found

    @get(app, "/free-offerings", summary="Every free resource")
    def offerings(request: Request, lang: str = "") -> Response:
        return door.answer(door.speaking(request.headers, lang).offerings())

    @get(app, "/free/{magnet}", summary="The page of one free resource, to hand on", responses={404: _PAGE})
    def free(request: Request, magnet: str, lang: str = "", again: str = "") -> Response:
        magnet_of(magnet)
        pages, work = door.speaking(request.headers, lang), gate.under_pressure(door.desk)
        html = pages.free(magnet, open_=bool(again), work=work)
        return door.answer(html, script=pages.script if work else "")

    @get(app, "/free/{magnet}/qr.svg", answers=_Svg, summary="The page's address as a QR code", responses={404: _PAGE})
    def drawn(magnet: str) -> Response:
        magnet_of(magnet)
        return _Svg(qr.svg(links.free(magnet)), headers=_FOR_A_DAY)

    @get(app, "/free/{magnet}/qr.png", answers=_Png, summary="The same, to print", responses={404: _PAGE})
    def printed(magnet: str) -> Response:
        magnet_of(magnet)
        return _Png(qr.png(links.free(magnet)), headers=_FOR_A_DAY)

    @get(
        app,
        "/free/{magnet}/share.png",
        answers=_Png,
        summary="The picture beside a shared link to it",
        responses={404: _PAGE},
    )
    def picture(magnet: str) -> Response:
        title, desk = magnet_of(magnet).title, door.desk
        looks = theme.of(desk.publication, desk.root)
        drawn = share.share_image(title, desk.publication.name, looks, dir=door.pages.dir)
        return _Png(drawn, headers=_FOR_A_DAY)

    @get(
        app,
        "/free/{magnet}/sheet.pdf",
        answers=FileResponse,
        summary="A page of paper about it, to print and hand on",
        responses={404: _PAGE},
    )
    def sheet(magnet: str) -> Response:
        file = magnet_of(magnet).sheet
        path = door.desk.root / file
        if not file or not path.is_file():
            raise NotFound("There is no sheet for this resource.", "Its own page can be printed.")
        return FileResponse(path, headers=_BRIEFLY, filename=Path(file).name, content_disposition_type="inline")
