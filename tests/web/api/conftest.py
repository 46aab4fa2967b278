"""A house whose owner has keys, and letters that were rendered elsewhere."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from newsletter.content.headers import of_list
from newsletter.core.bundle import Bundle, plain
from newsletter.core.campaign import Variant
from newsletter.core.email import Email, Escape, Mailbox, Site, freeze
from newsletter.core.keys import Scope
from newsletter.flows import keys, owners
from tests.web.conftest import BASE, House, open_house

WAY_OUT = Site("unsubscribe_url", "", Escape.LINK)


def mail(words: str = "The boats lie on their sides.", *, sender: str = "letters@mail.harbour.test") -> Email:
    """A letter of the harbour, as another machine renders it."""
    imprint = "3 Quay Street, Port Ellen"
    return Email(
        sender=Mailbox("Harbour Letters", sender),
        reply_to=None,
        subject=("Low water",),
        html=(f'<html><body><p>{words}</p><p>{imprint}</p><a href="', WAY_OUT, '">Leave</a></body></html>'),
        text=(f"{words}\n\n{imprint}\nLeave: ", Site("unsubscribe_url", "", Escape.PLAIN), "\n"),
        headers=of_list("Harbour Letters", BASE),
    )


def bundle(key: str = "low-water", words: str = "The boats lie on their sides.", **other: Any) -> Bundle:
    body = freeze(other.pop("email", None) or mail(words))
    made = Bundle(
        key=key,
        name=f"issues/{key}.md",
        subject="Low water",
        segments=("all",),
        topics={"all": ("letter",)},
        variants=(Variant("all", body),),
        source_sha256=sha256(words.encode()).hexdigest(),
        base_url=BASE,
    )
    return replace(made, **other)


def asked(made: Bundle, **more: Any) -> dict[str, Any]:
    return {"bundle": plain(made), "sha256": made.sha256, **more}


class Owner:
    """A house, and whoever works for its owner."""

    def __init__(self, house: House) -> None:
        self.house = house
        self.key = self.new(*Scope)

    def new(self, *scopes: Scope) -> str:
        return keys.create("a test", scopes, self.house.desk)[1]

    def __call__(self, method: str, path: str, *, key: str | None = None, **how: Any) -> Any:
        heads = {"Authorization": f"Bearer {self.key if key is None else key}", **how.pop("headers", {})}
        return self.house.http.request(method, self.house.url + path, headers=heads, timeout=10, **how)

    def reader(self, email: str) -> str:
        return owners.add(owners.New(email, ("letter",), "asked on paper"), self.house.desk, by="test").pid


@pytest.fixture(scope="module")
def owner(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Owner]:
    with open_house(tmp_path_factory.mktemp("house")) as opened:
        yield Owner(opened)


@pytest.fixture
def own_owner(tmp_path: Path) -> Iterator[Owner]:
    """One for a single test."""
    with open_house(tmp_path) as opened:
        yield Owner(opened)
