"""What of newsletter.yml still stands as it was begun (W317)."""

from __future__ import annotations

from collections.abc import Iterator

from newsletter.content.checks.case import SETTINGS, Case
from newsletter.core.problem import Level, Problem

_SITES = ("example.org", "example.com", "example.net")
"""Set aside for examples (RFC 2606): nobody can have a mailbox there."""


def samples(case: Case) -> Iterator[Problem]:
    """The name, the postal address, the sender: readers would see them."""
    publication = case.publication
    if publication.name == "Sample Letters":
        yield _told("name", publication.name, "name: What your readers know you as")
    if "sampletown" in publication.footer.address.lower():
        yield _told("footer: address", publication.footer.address, "address: Street and number, city, postal code")
    for key, sender in publication.senders.items():
        if sender.email.rpartition("@")[2].lower().endswith(_SITES):
            where = f"senders: {key}: email"
            yield _told(where, "an address at a site of examples", "email: letters@letters.YOUR-DOMAIN")


def _told(where: str, said: str, fix: str) -> Problem:
    return Problem(SETTINGS, 0, 0, "W317", Level.WARNING, f'"{where}" is still the sample ({said})', fix)
