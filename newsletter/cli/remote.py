"""`plan` and `send` on a machine that asks a server: rendered and checked here, planned and sent there."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from threading import Event
from typing import Any

from newsletter.app import make_room
from newsletter.cli import documents, exits, sending, terminal
from newsletter.cli.here import Here
from newsletter.cli.server import Server, follow, of
from newsletter.content import library
from newsletter.core.campaign import Counts, Plan
from newsletter.errors import ContentError, NewsletterError, NotFound, NothingToDo
from newsletter.flows.desk import Room
from newsletter.flows.due import Due
from newsletter.flows.due import here as due_here
from newsletter.flows.plan import rendered

COUNTS = ("audience", "submitted", "suppressed", "failed", "uncertain", "pending")
_NOT_OURS = ("ordered", "all_paused", "trouble")


@dataclass(frozen=True)
class How:
    """How somebody agreed, and how long it may take: `plan`, or `due` for its own time, else now."""

    plan: Mapping[str, Any] | None = None
    again: str = ""
    seconds: float | None = None
    due: bool = False

    def agreed(self) -> dict[str, Any]:
        """As the server takes it."""
        word = {"plan": dict(self.plan)} if self.plan is not None else {"due": True} if self.due else {"yes": True}
        return {**word, "again": self.again}


def planned(issue: str, here: Here, *, again: str) -> tuple[Plan, str]:
    """The server's plan of an issue that is rendered here, and where it can be looked at.

    Raises: as `flows.plan.plan`.
    """
    server, room = _both(here)
    found = server.plan(rendered(issue, room)[0], again=again)
    lists = {name: tuple(value) for name, value in found.items() if isinstance(value, list)}
    topics = {name: tuple(some) for name, some in found["topics"].items()}
    known = {name: value for name, value in {**found, **lists, "topics": topics}.items() if name in _PLAN}
    return Plan(**known), str(found.get("review_url") or "")


_PLAN = frozenset(Plan.__dataclass_fields__)


def send(issue: str, here: Here, how: How, stop: Event, *, as_json: bool) -> int:
    """Ask the server to send, and follow it. Out: the exit code, as if it had been sent from here."""
    server, room = _both(here)
    code, document = _sent(issue, server, room, how, stop)
    _say(document, code, as_json=as_json)
    return code


def send_due(here: Here, stop: Event, *, seconds: float | None, as_json: bool) -> int:
    """Ask the server for everything whose time has come, and follow what it has begun."""
    server, room = _both(here)
    known = server.known()
    begun = [Due(key, "", None) for key, state in known.items() if state == "sending"]
    found = [*reversed(begun), *due_here(room, known, datetime.now(UTC))]
    deadline = time.monotonic() + seconds if seconds is not None else None
    if not found:
        problem = NothingToDo("Nothing is due.")
        problem.known = {"issues": [], "exit": exits.code(problem)}
        raise problem
    codes, told = [], []
    for one in found:
        left = max(0.0, deadline - time.monotonic()) if deadline is not None else None
        over = stop.is_set() or left == 0
        code, document = sending.not_begun(one) if over else _one(one, server, room, stop, left)
        codes.append(code)
        told.append({**document, "exit": code})
        if not as_json and document.get("error") is None:
            _say(document, code, as_json=False)
    code = exits.worst(codes)
    if as_json:
        terminal.document({"issues": told, "exit": code, "error": None})
    return code


def _one(one: Due, server: Server, room: Room, stop: Event, seconds: float | None) -> tuple[int, dict[str, object]]:
    try:
        if one.refused is not None:
            raise one.refused
        if not one.name:
            return _followed(server, server.look(one.key), How(seconds=seconds), stop, ())
        return _sent(one.name, server, room, How(due=True, seconds=seconds), stop)
    except NewsletterError as problem:
        if isinstance(problem, ContentError):
            terminal.problems(problem.problems, file=sys.stderr)
        terminal.complain(problem)
        code = exits.code(problem)
        return code, documents.failed("send", {"issue": one.key, **problem.known}, problem.what, problem.todo, code)


# --- what an operator does --------------------------------------------------------------------------------


def status(issue: str | None, here: Here, *, as_json: bool) -> None:
    """Where one campaign of the server stands, or all; what only its own terminal tells is null."""
    server, _ = _both(here)
    if issue is None:
        found = list(reversed(server.all()))
        if as_json:
            terminal.document(found)
        else:
            terminal.table(((one["issue"], one["state"], *(one[name] for name in COUNTS)) for one in found), _HEAD)
        return
    _stands(server.look(_key(issue, here)), "status", as_json=as_json)


def turn(issue: str, verb: str, here: Here, *, as_json: bool = False) -> None:
    """Pause, resume or cancel a campaign of the server."""
    server, _ = _both(here)
    _stands(server.turn(_key(issue, here), verb), "cancel", as_json=as_json)


_HEAD = ("issue", "state", *COUNTS)


def _key(issue: str, here: Here) -> str:
    """The key of an issue whose file is here, else the name as it was given."""
    try:
        return library.slug(library.find(issue, here.root))
    except NotFound:
        return issue


def _stands(found: Mapping[str, Any], command: str, *, as_json: bool) -> None:
    if as_json:
        terminal.document({name: found.get(name) for name in (*documents.KEYS[command], "error")})
        return
    terminal.say(f"{found['issue']} is {found['state']} on the server, through {found['provider']}: {found['subject']}")
    if found.get("all_paused"):
        terminal.say("All sending is paused there. To go on, on the server: newsletter resume --all")
    if found.get("brake"):
        terminal.say(
            f"It stopped by itself: {found['brake']}. To go on all the same: newsletter resume {found['issue']}"
        )
    sending.ledger(_counts(found))


def _counts(found: Mapping[str, Any]) -> Counts:
    return Counts(**{name: int(found[name]) for name in COUNTS})


def _both(here: Here) -> tuple[Server, Room]:
    settings = here.settings()
    server = of(settings, here.environ)
    assert server is not None  # whoever calls has looked
    return server, make_room(settings, here.root)


def _sent(issue: str, server: Server, room: Room, how: How, stop: Event) -> tuple[int, dict[str, object]]:
    bundle, _ = rendered(issue, room)
    first, begun = server.order(bundle, how.agreed())
    if not begun and first["state"] == "finished":
        problem = NothingToDo(
            f"{bundle.key} was sent: all {first['audience']} rows of its audience are final.",
            f"See: newsletter status {bundle.key}",
        )
        problem.known = _known(first)
        raise problem
    return _followed(server, first, how, stop, bundle.warnings)


def _followed(
    server: Server, first: dict[str, Any], how: How, stop: Event, notes: Sequence[str]
) -> tuple[int, dict[str, object]]:
    found, why = follow(server, first, stop=stop, seconds=how.seconds, shown=_Shown())
    sent = int(found["submitted"]) - int(first["submitted"])
    document = {**_known(found), "sent": sent, "why": why or None, "notes": list(notes), "error": None}
    return _code(found, why), {name: document.get(name) for name in (*documents.KEYS["send"], "error")}


def _known(found: Mapping[str, Any]) -> dict[str, object]:
    return {name: value for name, value in found.items() if name not in _NOT_OURS}


class _Shown:
    """A line for each look that has news."""

    def __init__(self) -> None:
        self._last = -1

    def __call__(self, found: Mapping[str, Any]) -> None:
        done = int(found["audience"]) - int(found["pending"])
        if done != self._last:
            self._last = done
            terminal.note(f"{found['issue']} on the server: {done:,} of {found['audience']:,}, {found['state']}")


def _code(found: Mapping[str, Any], why: str) -> int:
    """As `send` ends where it sends by itself."""
    key = found["issue"]
    if found["state"] == "cancelled":
        terminal.note(f"it was cancelled; on the server: newsletter status {key}")
        return exits.DONE if not found["pending"] and not found["uncertain"] else exits.LEFT
    if found["pending"] or found["settling"]:
        trouble = found.get("trouble") or {}
        said = "; ".join(part for part in (why, str(trouble.get("what", ""))) if part)
        terminal.note(f"stopped with work left: {said}")
        return exits.LEFT
    if found["uncertain"]:
        sys.stderr.write(
            f"{found['uncertain']} uncertain: the answer was lost; on the server: newsletter resolve {key}\n"
        )
        return exits.PROBLEMS
    return exits.DONE


def _say(document: Mapping[str, Any], code: int, *, as_json: bool) -> None:
    if as_json:
        terminal.document(document)
        return
    for note in document["notes"] or ():
        terminal.say(f"note: {note}")
    said = "" if code == exits.DONE else ", as far as it has come"
    terminal.say(f"{document['issue']}: sent by the server{said}.")
    sending.ledger(_counts(document))
