"""Where a page of a list ends: a word that means something to us alone, and may change with any version."""

from __future__ import annotations

import base64
import binascii
import re

from starlette.exceptions import HTTPException

LONGEST = 60
_MOST = 2**62


def write(kind: str, row: int) -> str:
    """The cursor behind a row of a list."""
    return base64.urlsafe_b64encode(f"{kind}.{row}".encode()).rstrip(b"=").decode()


def read(kind: str, cursor: str | None) -> int | None:
    """The row a cursor stands behind; None at the beginning. Raises: HTTPException 422 for one that is not ours."""
    if not cursor:
        return None
    try:
        said = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True).decode("ascii")
    except (binascii.Error, ValueError):
        said = ""
    found = re.fullmatch(r"([a-z]+)\.([0-9]{1,19})", said)
    if found is None or found[1] != kind or int(found[2]) > _MOST or write(kind, int(found[2])) != cursor:
        raise HTTPException(422, "cursor: this is none of this list; begin without one.")
    return int(found[2])
