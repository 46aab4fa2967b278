"""A proof of work: a browser shows that it spent about a second, so that a flood costs its sender something.

In: a challenge, and the number a browser found for it. `templates/pages/proof.js` looks for it with what browsers
have built in (Web Cryptography, PBKDF2): a hash that costs a browser as much as it costs anybody else.
"""

from __future__ import annotations

import hashlib

ROUNDS = 2000
"""Rounds of PBKDF2 (RFC 8018, 5.2) for one try: one millisecond of ours to look at an answer."""

BITS = 9
"""So many bits of the hash are zero: one try in 512, half a second to a few for a phone."""

_LONGEST = 7  # digits; the number is past 10,000 once in 300 million pages
_WORD = 32  # bits


def holds(challenge: str, answer: str) -> bool:
    """Whether the number belongs to the challenge."""
    if not (challenge and answer.isascii() and answer.isdigit() and len(answer) <= _LONGEST):
        return False
    made = hashlib.pbkdf2_hmac("sha256", challenge.encode(), answer.encode(), ROUNDS, 4)
    return int.from_bytes(made) >> (_WORD - BITS) == 0
