"""What programs of the owner may ask for, with a key: subscribers, campaigns, numbers. JSON in, JSON out."""

from __future__ import annotations

from fastapi import FastAPI

from newsletter.web.api import campaigns, document, stats, subscribers
from newsletter.web.door import Door

__all__ = ["campaigns", "document", "routes"]


def routes(app: FastAPI, door: Door) -> None:
    """Add them to the application."""
    for part in (subscribers, campaigns, stats):
        part.routes(app, door)
