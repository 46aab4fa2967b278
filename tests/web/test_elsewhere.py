"""Links in letters from before a move: listmonk's, Ghost's, and one pattern of one's own."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from newsletter.core import address, elsewhere
from newsletter.core.consent import State
from newsletter.flows import audience
from tests.web.conftest import PUBLICATION

CAMPAIGN = "11111111-2222-4333-8444-555555555555"
OLD = "0f0e0d0c-0b0a-4009-8807-06050403{:04d}"
NOBODY = OLD.format(9999)
WAYS = {
    "listmonk": f"/subscription/{CAMPAIGN}/{{}}",
    "listmonk, a slash": f"/subscription/{CAMPAIGN}/{{}}/",
    "Ghost": "/unsubscribe/?uuid={}&key=f00&newsletter=" + CAMPAIGN,
    "Ghost, no slash": "/unsubscribe?uuid={}",
    "ours": "/unsubscribe/{}",
    "own": "/letters/2024-05/out/{}",
    "capitals": f"/subscription/{CAMPAIGN}/{{}}",
}


@pytest.fixture(scope="module")
def moved(open_a_house, tmp_path_factory) -> Iterator:
    """A house whose readers came from elsewhere, one for each way out."""
    root = tmp_path_factory.mktemp("moved")
    with open_a_house(root, replace(PUBLICATION, old_unsubscribe="/letters/*/out/{id}")) as house:
        rows = [f"{key(name)}@x.test,{OLD.format(number)}" for number, name in enumerate(WAYS)]
        file = Path(root) / "old.csv"
        file.write_text("email,uuid\n" + "\n".join(rows), "utf-8")
        assert audience.import_(file, house.desk, names={}, why="asked on the old site").active == len(WAYS)
        yield house


def key(name: str) -> str:
    return "".join(letter for letter in name.lower() if letter.isalpha())


def path(name: str) -> str:
    old = OLD.format(list(WAYS).index(name))
    return WAYS[name].format(old.upper() if name == "capitals" else old)


@pytest.mark.parametrize("name", WAYS)
def test_promise_5_opening_an_old_link_shows_one_button_and_does_nothing(moved, name):
    known, unknown = moved.get(path(name)), moved.get(WAYS[name].format(NOBODY))
    with moved.unchanged():
        assert moved.http.head(moved.url + path(name), timeout=10).status_code == 200
        moved.get(path(name))
    assert (known.status_code, known.content) == (200, unknown.content)
    assert known.text.count("<button") == 1
    assert known.headers["cache-control"] == "no-store"
    assert moved.state(f"{key(name)}@x.test") is State.ACTIVE


@pytest.mark.parametrize("name", WAYS)
def test_promise_4_one_click_on_an_old_link_leaves(moved, name):
    email = f"{key(name)}@x.test"
    unknown = moved.post(WAYS[name].format(NOBODY), data={"List-Unsubscribe": "One-Click"})
    for body in ({"data": {"List-Unsubscribe": "One-Click"}}, {}, {"files": {"List-Unsubscribe": (None, "One-Click")}}):
        done = moved.post(path(name), **body)
        assert (done.status_code, done.content) == (200, unknown.content)
        assert not {"set-cookie", "location"} & {header.lower() for header in done.headers}
    assert moved.state(email) is State.UNSUBSCRIBED
    assert sum(word.startswith("withdraw") for word in moved.evidence(email)) == 1


def test_the_button_of_a_page_with_a_query_goes_where_it_was_opened(moved):
    assert "action=" not in moved.get(path("Ghost")).text.partition("<form")[2].partition(">")[0]
    assert 'action="?by=page"' in moved.get(path("own")).text


@pytest.mark.parametrize(
    "other",
    [f"/subscription/optin/{NOBODY}", f"/subscription/wipe/{NOBODY}", "/subscription/form", f"/letters/out/{NOBODY}"],
)
def test_other_addresses_of_the_old_system_are_no_way_out(moved, other):
    assert moved.get(other).status_code == moved.post(other).status_code == 404


@pytest.mark.parametrize(
    "given", ["/unsubscribe/", "/unsubscribe/?uuid=", "/unsubscribe/?uuid=%00&uuid=x", "/unsubscribe?x"]
)
def test_a_broken_old_link_gets_the_same_page(moved, given):
    whole = moved.get(WAYS["Ghost"].format(NOBODY))
    assert moved.get(given).content == whole.content
    assert moved.post(given).status_code == 200


def test_promise_9_an_old_id_goes_with_the_person_and_never_lies_in_the_open(own_house, tmp_path):
    old = OLD.format(4242)
    file = tmp_path / "old.csv"
    file.write_text(f"email,unsubscribe_url\nann@x.test,https://old.test/unsubscribe/?uuid={old}&key=1\n", "utf-8")
    audience.import_(file, own_house.desk, names={}, why="asked on the old site")

    def written() -> bytes:
        return b"".join(one.read_bytes() for one in own_house.database.parent.glob("letters.db*"))

    hmac = own_house.desk.hmac(address.parse("ann@x.test"))
    assert old.encode() not in written()
    assert bytes.fromhex(old.replace("-", "")) not in written()
    audience.erase("ann@x.test", own_house.desk)
    with own_house.store.read() as tx:
        assert tx.moving.address_of(elsewhere.keyed(old, own_house.desk.suppression_key)) is None
        assert tx.audience.suppression(hmac) == "erased"
