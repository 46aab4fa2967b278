"""The people of the house: the owner and the editors of the settings, known by role and number.

In: the desk. Out: addresses, and the links that are theirs. A row of the database names them by number alone.
"""

from __future__ import annotations

import hmac
from collections.abc import Mapping, Sequence

from newsletter.core.links import Purpose
from newsletter.core.review import Person, Role
from newsletter.errors import LinkExpired, LinkRefused, NotFound
from newsletter.flows.desk import Desk

_ROLES = (Role.LOOK, Role.OWNER, Role.EDITOR)
"""In the order of their numbers in a link."""


def owners(desk: Desk) -> Mapping[Person, str]:
    """Those who say yes, with their addresses: `owner.email`, then `owners`."""
    return _numbered(Role.OWNER, [*([desk.owner] if desk.owner else []), *desk.publication.owners], frozenset())


def editors(desk: Desk) -> Mapping[Person, str]:
    """Those who write, with their addresses, unless they are owners too."""
    return _numbered(Role.EDITOR, desk.publication.editors, frozenset(map(str.lower, owners(desk).values())))


def everyone(desk: Desk) -> Mapping[Person, str]:
    """Both."""
    return {**owners(desk), **editors(desk)}


def _numbered(role: Role, addresses: Sequence[str], but: frozenset[str]) -> Mapping[Person, str]:
    once = dict.fromkeys(one.strip() for one in addresses)
    return {Person(role, number): one for number, one in enumerate(once) if one.lower() not in but}


def address_of(code: str, desk: Desk) -> str:
    """The address of a person by their code; empty when there is nobody of that number any more."""
    return everyone(desk).get(Person.of(code), "")


def person_at(address: str, desk: Desk) -> Person:
    """Whose address it is; somebody else may only look."""
    found = (person for person, theirs in everyone(desk).items() if theirs.lower() == address.lower())
    return next(found, Person(Role.LOOK))


def link(review_id: int, person: Person, desk: Desk) -> str:
    """The page of a review, as this person may use it."""
    whose = _mark(address_of(person.code, desk), desk) if person.role is not Role.LOOK else 0
    return desk.links.approve(review_id, _ROLES.index(person.role), whose, desk.now())


def _mark(address: str, desk: Desk) -> int:
    """What a link says of whose it is: enough to know them again, and nothing of their address."""
    keyed = hmac.new(desk.suppression_key, f"approve\n{address.lower()}".encode(), "sha256")
    return int.from_bytes(keyed.digest()[:6])


def behind(token: str, desk: Desk) -> tuple[int, Person]:
    """Which review a link is for, and whose it is: who is of the house no more may only look.

    Raises: NotFound, with what to do.
    """
    try:
        payload = desk.links.read(Purpose.APPROVE, token, desk.now())
    except LinkExpired:
        raise NotFound(
            "This link has grown too old.",
            "Each mail about a letter brings a new one. To send one now: newsletter review ISSUE --ask",
        ) from None
    except LinkRefused:
        raise NotFound("This link is not complete, or not ours.", "Open it again from the mail.") from None
    match payload:
        case [review_id, role, whose] if 0 <= role < len(_ROLES):
            house = {Person(Role.OWNER): "", **everyone(desk)}  # the owner without an address has a link by --link
            theirs = (one for one, at in house.items() if one.role is _ROLES[role] and _mark(at, desk) == whose)
            return review_id, next(theirs, Person(Role.LOOK))
    raise NotFound("This link is not ours.", "Open it again from the mail.")
