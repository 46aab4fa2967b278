"""The letters as a feed. Readers ask often and are told briefly when nothing is new (RFC 9110, 13.1.2)."""

from __future__ import annotations

import hashlib
from typing import Annotated

from fastapi import FastAPI, Header
from fastapi.responses import Response

from newsletter.content import feed
from newsletter.core.campaign import Campaign
from newsletter.web.archive import begun
from newsletter.web.door import Door, get

MOST = 20
"""Entries: a reader that looks in twice a year misses some, and finds them among all letters."""


class _Atom(Response):
    media_type = feed.MEDIA_TYPE


def routes(app: FastAPI, door: Door) -> None:
    """Add them to the application."""
    shown: dict[str, bool] = {}  # as in `archive`
    read: dict[str, feed.Entry] = {}  # a page that went out never changes
    links, publication = door.desk.links, door.desk.publication

    def entry(campaign: Campaign) -> feed.Entry:
        if campaign.key not in read:
            with door.desk.store.read() as tx:
                html = tx.campaigns.archive(campaign.key) or ""
            at = campaign.started_at or campaign.frozen_at
            read[campaign.key] = feed.entry(html, url=links.archive(campaign.key), at=at)
        return read[campaign.key]

    @get(
        app,
        "/feed.xml",
        answers=_Atom,
        summary="The letters as an Atom feed",
        responses={304: {"description": "Nothing is new"}},
    )
    def letters(if_none_match: Annotated[str, Header()] = "") -> Response:
        body = feed.atom(
            publication.name,
            [entry(campaign) for campaign in begun(door, shown)[:MOST]],
            address=f"{links.base_url}/feed.xml",
            site=f"{links.base_url}/archive/",
            lang=publication.language,
        )
        tag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
        kept = {"ETag": tag, "Cache-Control": "public, max-age=300"}
        return Response(status_code=304, headers=kept) if _has(if_none_match, tag) else _Atom(body, headers=kept)


def _has(sent: str, tag: str) -> bool:
    """Whether a reader holds this very feed: compared weakly, as a proxy may have packed it (RFC 9110, 8.8.3.2)."""
    held = {one.strip().removeprefix("W/") for one in sent.split(",")}
    return tag in held or "*" in held
