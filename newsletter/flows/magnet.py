"""The lead magnet: from a link in a mail to the bytes of the file.

In: a link. Out: what the page shows, or which file to serve. Only the POST counts a download (promise 5).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from newsletter.core.links import Purpose
from newsletter.core.publication import Magnet
from newsletter.errors import LinkRefused, NotFound
from newsletter.flows.desk import Desk


@dataclass(frozen=True)
class Offer:
    """A granted magnet, ready to be fetched."""

    key: str
    magnet: Magnet
    grant_id: int

    @property
    def names(self) -> tuple[str, ...]:
        """The file names, in the order of `newsletter.yml`."""
        return tuple(Path(file).name for file in self.magnet.files)


def offer(token: str, desk: Desk) -> Offer:
    """What a download link is for. Changes nothing. Raises: LinkRefused, LinkExpired, NotFound."""
    return _offer(desk.links.read(Purpose.DOWNLOAD, token, desk.now()), desk)


def download(token: str, desk: Desk, index: int = 0) -> str:
    """Count a download and return the path of the bytes, good for ten minutes.

    In: which of the magnet's files. Raises: LinkRefused, LinkExpired, NotFound.
    """
    found = offer(token, desk)
    if not 0 <= index < len(found.names):
        raise NotFound("There is no such file.", "Go back and choose one of the files listed.")
    with desk.store.begin() as tx:
        tx.audience.count_download(found.grant_id, desk.now())
    return desk.links.file(found.grant_id, index, found.names[index], desk.now())


def file(token: str, desk: Desk) -> Path:
    """The file behind a short-lived link; its place comes from newsletter.yml, never from the address.

    Raises: LinkRefused, LinkExpired, NotFound.
    """
    payload = desk.links.read(Purpose.FILE, token, desk.now())
    found = _offer(payload, desk)
    files = found.magnet.files
    index = payload[1] if len(payload) > 1 else 0
    path = desk.root / files[index] if 0 <= index < len(files) else None
    if path is None or not path.is_file():
        raise NotFound("This file is not here at the moment.", "Please try again later, or write to us.")
    return path


def _offer(payload: list[int], desk: Desk) -> Offer:
    with desk.store.read() as tx:
        grant = tx.audience.granted(payload[0]) if payload else None
    if grant is None:
        raise LinkRefused("This link no longer works.", "You can ask for a new one with the form.")
    magnet = desk.publication.magnets.get(grant.magnet)
    if magnet is None:
        raise NotFound("This resource is no longer offered.", "See the list of free resources.")
    return Offer(grant.magnet, magnet, grant.id)
