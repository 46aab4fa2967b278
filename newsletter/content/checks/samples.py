"""What of newsletter.yml still stands as it was begun (W317)."""

from __future__ import annotations

from collections.abc import Iterator

from newsletter.content.checks.case import SETTINGS, Case
from newsletter.core.problem import Level, Problem

_NAME, _TOWN, _SENDER = "Sample Letters", "sampletown", "letters@letters.example.org"
"""As `newsletter init` writes them (newsletter/starter/publication/newsletter.yml)."""


def samples(case: Case) -> Iterator[Problem]:
    """The name, the postal address, the sender: readers would see them."""
    publication = case.publication
    if publication.name == _NAME:
        yield _told("name", publication.name, "name: What your readers know you as")
    if _TOWN in publication.footer.address.lower():
        yield _told("footer: address", publication.footer.address, "address: Street and number, city, postal code")
    for key, sender in publication.senders.items():
        if sender.email == _SENDER:
            where = f"senders: {key}: email"
            yield _told(where, "an address at a site of examples", "email: letters@letters.YOUR-DOMAIN")


def _told(where: str, said: str, fix: str) -> Problem:
    return Problem(SETTINGS, 0, 0, "W317", Level.WARNING, f'"{where}" is still the sample ({said})', fix)
