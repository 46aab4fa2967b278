"""Ids of other systems: which are kept, and how."""

from __future__ import annotations

import pytest

from newsletter.core import elsewhere

UUID = "0F0E0D0C-0B0A-4009-8807-060504030201"


@pytest.mark.parametrize("given", ["", "1234", "123456789012345", "ann", "x" * 300])
def test_what_can_be_counted_through_is_not_kept(given: str) -> None:
    assert elsewhere.bare(given) == ""


def test_an_id_is_compared_as_it_was_meant() -> None:
    assert elsewhere.bare(f" {UUID} ") == UUID.lower()
    assert elsewhere.bare("Qx7-pLm29Zt4") == "Qx7-pLm29Zt4"


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        (f"https://x.test/unsubscribe/?uuid={UUID}&key=k&newsletter=n", UUID),
        (f"https://x.test/subscription/camp/{UUID}", UUID),
        (f"https://x.test/u/{UUID}/", UUID),
        ("", ""),
        ("http://[broken", ""),
    ],
)
def test_an_address_ends_in_an_id(url: str, expected: str) -> None:
    assert elsewhere.of_url(url) == expected


def test_what_is_kept_says_nothing_without_the_key() -> None:
    kept = elsewhere.keyed(UUID.lower(), b"one key")
    assert len(kept) == 32
    assert UUID.lower()[:4] not in kept
    assert kept != elsewhere.keyed(UUID.lower(), b"another key")


@pytest.mark.parametrize(
    ("text", "path", "query"),
    [
        ("/leave/{id}", "/leave/{token}", ""),
        ("/l/*/{id}", "/l/{any0}/{token}", ""),
        ("/l/*/b*/{id}.html?k=*", "/l/{any0}/b{any1}/{token}.html", ""),
        ("/out.php?s={id}&k=*", "/out.php", "s"),
    ],
)
def test_an_address_with_an_id_is_a_way(text: str, path: str, query: str) -> None:
    assert elsewhere.way(text) == elsewhere.Way(path, query)


@pytest.mark.parametrize(
    "text", ["", "leave/{id}", "/leave", "/{id}/{id}", "/leave /{id}", "/x#{id}", "/{x}/{id}", "/x?{id}", "/x?a=b{id}"]
)
def test_what_is_no_such_address_is_none(text: str) -> None:
    assert elsewhere.way(text) is None
