"""What can be read without signing up: the letters, and what we keep about people."""

from __future__ import annotations

import re

from fastapi import FastAPI, Request
from fastapi.responses import Response

from newsletter.content import share, theme
from newsletter.core.campaign import Campaign
from newsletter.errors import NotFound
from newsletter.web import headers
from newsletter.web.door import Door, get

_PAGE = {"content": {"text/html": {}}, "description": "A page that says what to do next"}
_FOR_A_DAY = {"Cache-Control": "public, max-age=86400"}
_STYLE = re.compile(r"<style>(.*?)</style>", re.DOTALL)


class _Png(Response):
    media_type = "image/png"


def routes(app: FastAPI, door: Door) -> None:
    """Add them to the application."""
    shown: dict[str, bool] = {}  # whether a campaign that has begun has a page: that never changes
    pictures = headers.origin(door.desk.publication.images.base_url) or headers.origin(door.desk.links.base_url)

    def index(request: Request, lang: str = "") -> Response:
        return door.answer(door.speaking(request.headers, lang).letters(begun(door, shown)))

    get(app, "/archive/", summary="Every letter that was sent")(index)
    get(app, "/archive", include_in_schema=False)(index)

    def frozen(slug: str) -> str:
        with door.desk.store.read() as tx:
            html = tx.campaigns.archive(slug) if slug.isprintable() else None  # PostgreSQL is asked for no NUL
        if html is None:
            raise NotFound("There is no such letter.", "The list of all letters shows what there is.")
        return html

    @get(app, "/archive/{slug}", summary="One letter", responses={404: _PAGE})
    def letter(slug: str) -> Response:
        html = frozen(slug)
        return headers.page(html, style=_style(html), images=pictures)

    @get(app, "/archive/{slug}/share.png", answers=_Png, summary="The picture beside a shared link to a letter")
    def picture(slug: str) -> Response:
        desk = door.desk
        return _Png(share.of_page(frozen(slug), theme.of(desk.publication, desk.root)), headers=_FOR_A_DAY)

    @get(app, "/privacy", summary="What we keep, why, and for how long")
    def privacy(request: Request, lang: str = "") -> Response:
        return door.answer(door.speaking(request.headers, lang).privacy())


def begun(door: Door, shown: dict[str, bool]) -> list[Campaign]:
    """The campaigns whose page is public, the latest first. `shown` is where what was found is kept."""
    with door.desk.store.read() as tx:
        begun = [campaign for campaign in tx.campaigns.all() if campaign.started_at is not None]
        for campaign in begun:
            if campaign.key not in shown:
                shown[campaign.key] = tx.campaigns.archive(campaign.key) is not None
    public = [campaign for campaign in begun if shown[campaign.key]]
    return sorted(public, key=lambda campaign: (campaign.started_at or campaign.frozen_at, campaign.id), reverse=True)


def _style(html: str) -> str:
    """The page's own style sheet: the one in its head, which nobody but the program writes."""
    found = _STYLE.search(html.partition("</head>")[0])
    return found[1] if found else ""
