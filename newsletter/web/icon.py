"""The sign in a browser's tab: the waymark, in the theme's colour. Browsers ask for it unbidden."""

from __future__ import annotations

from fastapi import FastAPI
from fastapi.responses import Response

from newsletter.content import theme
from newsletter.web.door import Door, get

_SVG = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32">'
    '<rect x="{x}" y="{y}" width="{width}" height="{height}" fill="{colour}"/></svg>'
)
_SIDE = 32


def routes(app: FastAPI, door: Door) -> None:
    """Add it to the application."""
    looks = theme.of(door.desk.publication, door.desk.root)
    width, height = looks.shape.waymark
    drawn = _SVG.format(
        x=(_SIDE - width) / 2, y=(_SIDE - height) / 2, width=width, height=height, colour=looks.light.mark
    )

    @get(app, "/favicon.ico", answers=Response, include_in_schema=False)
    def icon() -> Response:
        return Response(drawn, media_type="image/svg+xml", headers={"Cache-Control": "public, max-age=86400"})
