"""What machines ask for unbidden: the sign in a browser's tab, and what search engines may read."""

from __future__ import annotations

from fastapi import FastAPI
from fastapi.responses import PlainTextResponse, Response

from newsletter.content import theme
from newsletter.web.door import Door, get

_SVG = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32">'
    '<rect x="{x}" y="{y}" width="{width}" height="{height}" fill="{colour}"/></svg>'
)
_SIDE = 32
_ROBOTS = "User-agent: *\nDisallow:\n"
"""All of it (RFC 9309, 2.2): what nobody should find says so itself, and a robot kept out would not see that."""
_FOR_A_DAY = {"Cache-Control": "public, max-age=86400"}


def routes(app: FastAPI, door: Door) -> None:
    """Add them to the application. The sign is the waymark, in the theme's colour."""
    looks = theme.of(door.desk.publication, door.desk.root)
    width, height = looks.shape.waymark
    drawn = _SVG.format(
        x=(_SIDE - width) / 2, y=(_SIDE - height) / 2, width=width, height=height, colour=looks.light.mark
    )

    @get(app, "/favicon.ico", answers=Response, include_in_schema=False)
    def icon() -> Response:
        return Response(drawn, media_type="image/svg+xml", headers=_FOR_A_DAY)

    @get(app, "/robots.txt", answers=PlainTextResponse, include_in_schema=False)
    def robots() -> Response:
        return PlainTextResponse(_ROBOTS, headers=_FOR_A_DAY)
