"""A browser's work: found by trying, looked at by one try."""

import hashlib
import itertools

import pytest

from newsletter.core import proof


def found(challenge: str) -> str:
    return next(number for number in map(str, itertools.count()) if proof.holds(challenge, number))


def test_the_number_belongs_to_its_challenge_alone():
    number = found("a stamp")
    assert not proof.holds("another stamp", number)
    made = hashlib.pbkdf2_hmac("sha256", b"a stamp", number.encode(), proof.ROUNDS)
    assert f"{int.from_bytes(made):0256b}".startswith("0" * proof.BITS)


@pytest.mark.parametrize("answer", ["", "x", "-1", "1.0", " 1", "١٢", "9" * 400])
def test_what_is_no_number_is_no_answer(answer):
    assert not proof.holds("a stamp", answer)


def test_nothing_is_no_challenge():
    assert not any(proof.holds("", str(number)) for number in range(600))
