"""Random identifiers, made from a source of bytes that is an argument."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable

Entropy = Callable[[int], bytes]
"""How many bytes to how many random bytes: `secrets.token_bytes`, or a quiet one in tests."""

CREDENTIAL_BYTES = 16
"""128 bits: an unsubscribe link cannot be guessed (RFC 8058, section 6: opaque and hard to forge)."""

_PID_BYTES = 8


def pid(entropy: Entropy) -> str:
    """A public id of 16 hex digits: says nothing, counts nothing, safe in file names and headers."""
    return entropy(_PID_BYTES).hex()


def credential(entropy: Entropy) -> str:
    """A random credential for a URL, 22 characters."""
    return base64.urlsafe_b64encode(entropy(CREDENTIAL_BYTES)).rstrip(b"=").decode()


def digest(token: str) -> str:
    """What is kept of a credential where the credential itself must not lie."""
    return hashlib.sha256(token.encode()).hexdigest()
