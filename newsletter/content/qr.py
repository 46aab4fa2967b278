"""A QR code (ISO/IEC 18004) of a short address: on a page, and as a file for whoever makes a leaflet.

In: the address. Out: SVG or PNG, the same bytes each time. Dark on its own white plate in every colour scheme, as
cameras look for that; error correction M stands a crease in the paper.
"""

from __future__ import annotations

import io
from functools import lru_cache

import segno

_QUIET = 4  # modules of white around it, which the standard asks for
_BARE = {"omitsize": True, "xmldecl": False, "nl": False, "svgclass": None, "lineclass": None}
_DOTS = 24  # pixels a module has in the PNG: 7 cm at 300 dpi for a usual address


@lru_cache(maxsize=64)
def svg(address: str) -> str:
    """A drawing to put into a page, without a size or a name of its own: the page gives both."""
    out = io.BytesIO()
    _code(address).save(out, kind="svg", border=_QUIET, dark="#000", light="#fff", **_BARE)
    return out.getvalue().decode("ascii")


@lru_cache(maxsize=64)
def png(address: str) -> bytes:
    """A picture, large enough to print."""
    out = io.BytesIO()
    _code(address).save(out, kind="png", border=_QUIET, scale=_DOTS)
    return out.getvalue()


def _code(address: str) -> segno.QRCode:
    return segno.make(address, error="m", micro=False)
