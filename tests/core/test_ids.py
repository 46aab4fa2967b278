"""Random identifiers, and what is kept of a credential."""

from __future__ import annotations

import pytest

from newsletter.core import ids
from newsletter.testing import Chance


def test_a_pid_and_a_credential_have_their_sizes() -> None:
    chance = Chance().bytes
    assert len(ids.pid(chance)) == 16
    assert len(ids.credential(chance)) == 22


def test_pairs_share_a_beginning_and_lack_none_of_their_own_chance() -> None:
    chance = Chance().bytes
    first, second = list(ids.pairs(chance, 500)), list(ids.pairs(chance, 500))
    pids, credentials = zip(*first, *second, strict=True)
    assert {(len(pid), len(token)) for pid, token in first} == {(6 + 16, 4 + 22)}
    assert len({pid[:6] for pid, _ in first}) == len({token[:4] for _, token in first}) == 1
    assert first[0][0][:6] != second[0][0][:6]
    assert len({pid[6:] for pid in pids}) == len({token[4:] for token in credentials}) == 1000
    assert list(ids.pairs(chance, 0)) == []


def test_promise_12_a_digest_keeps_credentials_of_a_moment_together_and_tells_none() -> None:
    token = ids.credential(Chance().bytes)
    kept = bytes.fromhex(ids.digest(token))
    assert len(kept) == 16
    assert kept[:4] == token[:4].encode()
    assert token[4:8].encode() not in kept
    assert ids.digest(token) != ids.digest(token[:-1] + "_")


@pytest.mark.parametrize("token", ["", "a", "ab", "\N{PILE OF POO}" * 4, "x" * 10_000, "a b/../c"])
def test_whatever_is_typed_has_a_digest_of_its_size(token: str) -> None:
    assert len(bytes.fromhex(ids.digest(token))) == 16


def test_nobody_chooses_what_a_token_becomes() -> None:
    """Letters of several bytes do not reach beyond what is kept as it is."""
    first, second = (bytes.fromhex(ids.digest("\N{PILE OF POO}" * 4 + end)) for end in "ab")
    assert first[:4] == second[:4]
    assert first[4:] != second[4:]
