"""Keys of programs: shown once, kept as a hash, told apart by scope, and ended at once."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import pytest

from newsletter.core import keys as core
from newsletter.core.keys import Run, Scope
from newsletter.errors import AccessRefused, NotFound, NothingToDo, ScopeRefused
from newsletter.flows import keys
from newsletter.flows.desk import Desk


@dataclass
class OneRun:
    """Believes any token, and says it is of one run."""

    at: datetime = datetime(2026, 12, 1, tzinfo=UTC)

    def identify(self, token: str) -> Run:
        return Run("workflow run 1/1", "repository 7", core.digest(token), self.at + timedelta(minutes=5))

    def now(self) -> datetime:
        return self.at


def test_a_key_opens_what_its_scopes_say(desk: Desk) -> None:
    made, whole = keys.create(" stats for the board ", [Scope.STATS_READ, Scope.STATS_READ], desk)
    assert (made.label, made.scopes) == ("stats for the board", (Scope.STATS_READ,))
    caller = keys.identify(whole, desk)
    caller.may(Scope.STATS_READ)
    with pytest.raises(ScopeRefused, match="campaigns:send"):
        caller.may(Scope.CAMPAIGNS_SEND)
    assert caller.name in whole


def test_a_key_is_kept_as_a_hash_and_the_day_it_was_used(desk: Desk) -> None:
    made, whole = keys.create("", [Scope.STATS_READ], desk)
    secret = whole.removeprefix(f"nl_{made.pid}_")
    (kept,) = keys.every(desk)
    assert secret not in repr(kept)
    assert kept.used_on is None
    keys.identify(whole, desk)
    (kept,) = keys.every(desk)
    assert kept.used_on == desk.now().date()
    assert made.pid == kept.pid


def test_a_wrong_key_is_refused_with_the_same_words(desk: Desk) -> None:
    _, whole = keys.create("", [Scope.STATS_READ], desk)
    said = set()
    for wrong in (
        whole[:-1] + ("x" if whole[-1] != "x" else "y"),
        whole[:3] + "0" * 16 + whole[19:],
        "nl_",
        "",
        "a.b.c",
    ):
        with pytest.raises(AccessRefused) as refused:
            keys.identify(wrong, desk)
        said.add(str(refused.value))
    assert len(said) == 1


def test_a_key_that_was_revoked_or_made_new_opens_nothing(desk: Desk) -> None:
    made, whole = keys.create("", [Scope.STATS_READ], desk)
    new = keys.rotate(made.pid, desk)
    with pytest.raises(AccessRefused):
        keys.identify(whole, desk)
    assert keys.identify(new, desk).name == made.pid
    keys.revoke(made.pid, desk)
    with pytest.raises(AccessRefused):
        keys.identify(new, desk)
    for again in (keys.revoke, keys.rotate):
        with pytest.raises(NothingToDo):
            again(made.pid, desk)
        with pytest.raises(NotFound):
            again("0" * 16, desk)


def test_a_key_without_a_scope_is_none(desk: Desk) -> None:
    with pytest.raises(NothingToDo):
        keys.create("", [], desk)


def test_a_token_is_good_for_once_and_may_send_alone(desk: Desk) -> None:
    run = OneRun()
    trusting = replace(desk, workflows=run)
    caller = keys.identify("a.b.c", trusting)
    caller.may(Scope.CAMPAIGNS_SEND)
    with pytest.raises(ScopeRefused):
        caller.may(Scope.SUBSCRIBERS_READ)
    with pytest.raises(AccessRefused, match="used before"):
        keys.identify("a.b.c", trusting)
    run.at += timedelta(minutes=4)
    with pytest.raises(AccessRefused, match="used before"):
        keys.identify("a.b.c", trusting)
    assert keys.identify("d.e.f", trusting)
    with pytest.raises(AccessRefused):
        keys.identify("a.b.c", desk)  # no workflow is trusted there
