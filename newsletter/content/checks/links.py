"""Where links lead and what they say, as far as can be told without the network.

(E220, E221, E223, W204, W206, W213, W221, W222, W223, W226; what the network says is `flows/links.py`.)
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from urllib.parse import parse_qsl, urlsplit

from newsletter.content import blocks, text
from newsletter.content.blocks import MergeTag
from newsletter.content.checks import addresses
from newsletter.content.checks.case import Case, Place
from newsletter.core.email import UNSUBSCRIBE_URL
from newsletter.core.problem import Fix, Level, Problem


def leading_home(case: Case) -> Iterator[Problem]:
    """This machine, a private network, or a name and password before the host (E220, E223)."""
    for place in case.links:
        url = place.address
        if not url.lower().startswith(("http:", "https:")):
            continue
        try:
            person = urlsplit(url).username
        except ValueError:
            continue
        if person is not None:
            name = addresses.host(url)
            message = f'the @ makes this lead to "{name}", with the rest as a name and password'
            yield place.problem("E220", message, f"https://{name}/", Level.ERROR)
        elif addresses.at_home(addresses.host(url)):
            message = f'"{addresses.host(url)}" is a name or number that only your own network knows'
            yield place.problem("E223", message, "Write the public address of the page.", Level.ERROR)


_SHOWN = re.compile(r"(?:https?://)?((?:[\w-]+\.)+[a-z]{2,})(?:[/?#:]\S*)?", re.IGNORECASE)


def another_place(case: Case) -> Iterator[Problem]:
    """Words that name one site over a link to another: what a phisher does (E221)."""
    for place in case.links:
        shown = _SHOWN.fullmatch(place.words.strip())
        there = addresses.host(place.address)
        if shown and there and not addresses.unwrapped(place.address):
            here = shown[1].lower()
            if not addresses.related(here, there):
                message = f'the words say "{here}", and the link goes to "{there}"'
                fix = f"[{there}]({place.address})   (or words that name no site)"
                yield place.problem("E221", message, fix, Level.ERROR)


def redirects(case: Case) -> Iterator[Problem]:
    """The redirect of a program that the link was copied from (W204)."""
    for place in case.links:
        if inner := addresses.unwrapped(place.address):
            name = addresses.host(place.address)
            message = f"this link goes through {name}, which was copied along and learns who follows it"
            found = place.problem("W204", message, inner)
            yield Problem(**{**vars(found), "auto": _unwrapped(place, inner)})


def _unwrapped(place: Place, inner: str) -> Fix | None:
    if any(sign in inner for sign in "()<> \t") or place.source.count(place.address) != 1:
        return None
    return Fix(place.file, place.line, place.line, place.source.replace(place.address, inner))


def shortened(case: Case) -> Iterator[Problem]:
    """A shortener hides where a link leads, and lends its bad name (W221)."""
    for place in case.links:
        name = addresses.bare(addresses.host(place.address))
        if name in addresses.SHORTENERS:
            message = f"{name} hides where this leads, and filters distrust it"
            yield place.problem("W221", message, "Open it once, and copy the address of the page itself.")


def personal(case: Case) -> Iterator[Problem]:
    """An address that tells another site who follows it (W222)."""
    for place in case.links:
        tags = [part for part in place.url if isinstance(part, MergeTag) and part.field != UNSUBSCRIBE_URL]
        if tags and place.address.lower().startswith("http"):
            message = f"this link tells the site the reader's {tags[0].field}"
            yield place.problem("W222", message, "Take the merge tag out of the address.")
            continue
        try:
            query = parse_qsl(urlsplit(place.address).query)
        except ValueError:
            continue
        for name, value in query if place.address.lower().startswith("http") else ():
            if re.fullmatch(r"[^\s@]+@[^\s@]+\.[^\s@]+", value):
                message = f'this link carries an email address, in "{name}", to everyone\'s mail'
                yield place.problem("W222", message, f"Take {name}=... out of the address.")
                break


def placeholders(case: Case) -> Iterator[Problem]:
    """Sites that are nobody's (W226)."""
    for place in case.links:
        name = addresses.host(place.address)
        if addresses.bare(name) in addresses.PLACEHOLDERS:
            yield place.problem(
                "W226", f'"{name}" is the site of examples and leads nowhere', "Put the real address here."
            )


def saying_nothing(case: Case) -> Iterator[Problem]:
    """Words like "click here", for those who go from link to link (W206)."""
    for place in case.links:
        said = " ".join(re.sub(r"[^\w\s'’]", " ", place.words).lower().split())
        if said in case.house.empty:
            message = f'"{place.words.strip()}" does not say where this leads'
            yield place.problem("W206", message, "Make the words that name the page the link.", Level.NOTE)


def two_places(case: Case) -> Iterator[Problem]:
    """The same words to two places (W223)."""
    first: dict[str, Place] = {}
    for place in case.links:
        said = " ".join(place.words.lower().split())
        if not said or said in case.house.empty:
            continue
        before = first.setdefault(said, place)
        if before.address.rstrip("/") != place.address.rstrip("/"):
            message = f'"{place.words.strip()}" leads elsewhere on line {before.line}: to {before.address}'
            yield place.problem("W223", message, "Say in each what is there.")


def alone(case: Case) -> Iterator[Problem]:
    """A bare address that stands alone would be a button (W213)."""
    for block, file in case.blocks:
        link = block.inside[0] if isinstance(block, blocks.Paragraph) and len(block.inside) == 1 else None
        if isinstance(link, blocks.Link) and text.plain(link.inside) == "".join(map(str, link.url)):
            url = text.plain(link.inside)
            message = "a bare address stands alone here; as a button it says what happens"
            fix = f"[Read it here]({url}){{.button}}"
            yield case.at(getattr(block, "line", 0), "W213", message, fix, file=file)
