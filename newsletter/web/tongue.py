"""Which of our languages a visitor reads, by what their browser says of them."""

from __future__ import annotations

from collections.abc import Collection

_MOST = 20  # languages; nobody reads more, and a header may be long
_ALL = 1.0


def preferred(sent: str, spoken: Collection[str]) -> str:
    """The one of `spoken` that an Accept-Language header likes best; empty when it names none of them.

    A region is left out where we have none of its own: `es-MX` is `es` (RFC 9110, 12.5.4; RFC 4647, 3.4).
    """
    liked = [_liked(part) for part in sent.split(",")[:_MOST]]
    for weight, tag in sorted(liked, key=lambda one: -one[0]):
        found = next((one for one in (tag, tag.partition("-")[0]) if one in spoken), "")
        if weight > 0 and found:
            return found
    return ""


def _liked(part: str) -> tuple[float, str]:
    tag, _, weight = part.partition(";")
    number = weight.strip().removeprefix("q=")
    try:
        liking = float(number) if weight.strip() else _ALL
    except ValueError:
        liking = 0.0
    return liking if 0 <= liking <= _ALL else 0.0, tag.strip().lower()
