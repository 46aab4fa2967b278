"""Who may speak for the owner: programs with a key, and workflows with a token of their own.

In: what a request carries, or an operator's word. Out: a caller with scopes. Touches keys, and the tokens that were
used. A key is shown once; what is kept opens nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from newsletter.core import keys
from newsletter.core.keys import Key, Scope
from newsletter.errors import AccessRefused, NotFound, NothingToDo, ScopeRefused
from newsletter.flows.desk import Desk

LONGEST_LABEL = 100
_WORKFLOW = (Scope.CAMPAIGNS_READ, Scope.CAMPAIGNS_SEND)


@dataclass(frozen=True)
class Caller:
    """Who asks: `name` is a key's id, or the repository and run of a workflow; never an address."""

    name: str
    scopes: frozenset[Scope]
    account: str  # what its repeated requests are kept under: the key, or the repository

    def may(self, scope: Scope) -> None:
        """Refuse what the caller has no scope for. Raises: ScopeRefused."""
        if scope not in self.scopes:
            raise ScopeRefused(
                f"This needs the scope {scope}.", f"Make a key that has it: newsletter keys create --scope {scope}"
            )


def create(label: str, scopes: Sequence[Scope], desk: Desk) -> tuple[Key, str]:
    """Make a key. Out: what is kept, and the key itself, which nobody sees again. Raises: NothingToDo without scope."""
    if not scopes:
        raise NothingToDo("A key without a scope opens nothing.", f"Choose: {', '.join(Scope)}")
    pid, secret = keys.new(desk.entropy)
    with desk.store.begin() as tx:
        kept = tuple(dict.fromkeys(scopes))
        tx.keys.add(pid, label.strip()[:LONGEST_LABEL], kept, keys.digest(secret), desk.now())
        made = tx.keys.by_pid(pid)
    assert made is not None
    return made, keys.written(pid, secret)


def every(desk: Desk) -> list[Key]:
    """All keys there were, oldest first."""
    with desk.store.read() as tx:
        return tx.keys.all()


def revoke(pid: str, desk: Desk) -> Key:
    """End a key, at once. Raises: NotFound; NothingToDo when it has ended."""
    with desk.store.begin() as tx:
        found = tx.keys.by_pid(pid)
        if found is None:
            raise _no_key()
        if not found.holds:
            raise NothingToDo("This key was revoked before.")
        tx.keys.revoke(pid, desk.now())
    return found


def rotate(pid: str, desk: Desk) -> str:
    """Give a key a new secret; the old one ends at once. Out: the key. Raises: NotFound; NothingToDo when revoked."""
    with desk.store.begin() as tx:
        found = tx.keys.by_pid(pid)
        if found is None:
            raise _no_key()
        if not found.holds:
            raise NothingToDo("This key was revoked.", "Make a new one: newsletter keys create")
        secret = keys.secret(desk.entropy)
        tx.keys.renew(pid, keys.digest(secret))
    return keys.written(pid, secret)


def _no_key() -> NotFound:
    return NotFound("There is no such key.", "See: newsletter keys list")


def identify(given: str, desk: Desk) -> Caller:
    """Who carries this.

    In: what stands after `Bearer`: a key of ours, or a workflow's token. Raises: AccessRefused, always with the same
    words for a key; WorkLeft when a token cannot be judged now.
    """
    if given.startswith(keys.PREFIX):
        return _by_key(given, desk)
    if given.count(".") == 2 and desk.workflows is not None:  # noqa: PLR2004 -- a signed token has three parts
        run = desk.workflows.identify(given)
        with desk.store.begin() as tx:
            fresh = tx.keys.spend(run.digest, run.until, desk.workflows.now())
        if not fresh:
            raise AccessRefused("This token was used before.", "Ask for a new one for each request.")
        return Caller(run.name, frozenset(_WORKFLOW), run.repository)
    raise _refused()


def _by_key(given: str, desk: Desk) -> Caller:
    pid, secret = keys.read(given) or ("", "")
    with desk.store.read() as tx:
        found = tx.keys.by_pid(pid)
    if not keys.fits(found, secret) or found is None:
        raise _refused()
    today = desk.now().date()
    if found.used_on != today:
        with desk.store.begin() as tx:
            tx.keys.used(pid, today)
    return Caller(pid, frozenset(found.scopes), pid)


def _refused() -> AccessRefused:
    return AccessRefused(
        "This opens nothing here.", "Send a key of this publication: Authorization: Bearer nl_... (newsletter keys)"
    )
