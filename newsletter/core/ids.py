"""Random identifiers, made from a source of bytes that is an argument."""

from __future__ import annotations

import binascii
import hashlib
from collections.abc import Callable, Iterator

Entropy = Callable[[int], bytes]
"""How many bytes to how many random bytes: `secrets.token_bytes`, or a quiet one in tests."""

CREDENTIAL_BYTES = 16
"""128 bits: an unsubscribe link cannot be guessed (RFC 8058, section 6: opaque and hard to forge)."""

_PID_BYTES = 8
_SHELF_BYTES = 3
_SHELF_LETTERS = 4  # base64 writes three bytes as four letters
_DIGEST_BYTES = 16


def pid(entropy: Entropy) -> str:
    """A public id of 16 hex digits: says nothing, counts nothing, safe in file names and headers."""
    return entropy(_PID_BYTES).hex()


def credential(entropy: Entropy) -> str:
    """A random credential for a URL, 22 characters."""
    return _letters(entropy(CREDENTIAL_BYTES))


def pairs(entropy: Entropy, count: int) -> Iterator[tuple[str, str]]:
    """A pid and a credential for each of many who come at once: 22 hex digits and 26 letters.

    All begin alike, with bytes of chance added to their own: so they lie side by side in an index, and a
    transaction writes a few full pages instead of touching every page there is. All that one of them says by
    it is who else came in the same moment.
    """
    shelf, size = entropy(_SHELF_BYTES), _PID_BYTES + CREDENTIAL_BYTES
    chance = entropy(size * count)
    for at in range(0, len(chance), size):
        middle = at + _PID_BYTES
        yield (shelf + chance[at:middle]).hex(), _letters(shelf + chance[middle : at + size])


def digest(token: str) -> str:
    """What is kept of a credential where the credential itself must not lie: 32 hex digits.

    Its first letters stay as they are, so that credentials made together are kept together. What is hashed are
    104 bits of chance at least.
    """
    raw = token.encode()
    return (raw[:_SHELF_LETTERS] + hashlib.sha256(raw).digest())[:_DIGEST_BYTES].hex()


def _letters(raw: bytes) -> str:
    return binascii.b2a_base64(raw, newline=False).translate(_FOR_URLS, b"=").decode()


_FOR_URLS = bytes.maketrans(b"+/", b"-_")  # RFC 4648, section 5
