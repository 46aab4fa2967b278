"""An email as JSON and in a provider's merge syntax: text in, text out."""

from __future__ import annotations

import json
import re

from hypothesis import given
from hypothesis import strategies as st

from newsletter.core.delivery import Recipient
from newsletter.core.email import Email, Escape, Mailbox, Site, fill
from newsletter.core.redact import redacted
from newsletter.core.spelling import ADDRESS, KEY, campaign_of, headers_of, json_template, merged, values
from newsletter.testing import HOSTILE, sample_batch, sample_email

NAME = Site("first_name", "friend", Escape.TEXT)
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)


def reader(name: str) -> Recipient:
    return Recipient("d.1", "ann@x.test", {"first_name": name}, "https://x.test/unsubscribe/t")


@given(TEXT, TEXT, TEXT)
def test_promise_11_a_json_template_says_what_fill_says(before: str, name: str, after: str) -> None:
    pieces = (before, NAME, after, Site("first_name", "you", Escape.PLAIN))
    shape = {"To": (ADDRESS,), "Body": pieces, "Meta": {"k": (KEY,)}, "n": [1, None, True, before, {}, []]}
    said = json.loads(json_template(shape).of(reader(name)))
    assert said == {
        "To": "ann@x.test",
        "Body": fill(pieces, {"first_name": name}),
        "Meta": {"k": "d.1"},
        "n": [1, None, True, before, {}, []],
    }


def test_promise_10_equal_input_equal_bytes() -> None:
    shape = {"a": (NAME, " and ", NAME), "b": ("x",)}
    assert json_template(shape).of(reader("Zoë")) == json_template(shape).of(reader("Zoë"))
    assert json_template(shape).of(reader("Zoë")).decode() == '{"a": "Zoë and Zoë", "b": "x"}'


def test_a_lone_surrogate_ends_no_run() -> None:
    assert json.loads(json_template({"a": (NAME,)}).of(reader("x\ud800"))) == {"a": "x?"}


def percent(name: str) -> str:
    return f"%recipient.{name}%"


def provider(text: str, known: dict[str, str]) -> str:
    """What a provider does that replaces every tag it knows, once, and drops those it does not."""
    return re.sub(r"%recipient\.(\w+)%", lambda found: known.get(found[1], ""), text)


RESERVED = re.compile(r"%(?=[\w.]+%)")


def test_promise_11_what_looks_like_syntax_arrives_as_what_it_is() -> None:
    email, batch = sample_email(), sample_batch(len(HOSTILE))
    spelled = merged(email, percent, seed="camp", reserved=RESERVED)
    for name in HOSTILE:
        one = Recipient("d.1", "ann@x.test", {"first_name": name}, batch.recipients[0].unsubscribe_url)
        mine, wanted = spelled.values_of(one), values(one)
        assert provider(spelled.html, mine) == fill(email.html, wanted)
        assert provider(spelled.text, mine) == fill(email.text, wanted)
        assert provider(spelled.subject, mine) == fill(email.subject, wanted)
        assert [(n, provider(v, mine)) for n, v in spelled.headers] == headers_of(email, one)


def test_without_reserved_the_content_would_be_read_as_syntax() -> None:
    email = sample_email()
    assert "%recipient.x%" in fill(email.html, {})
    spelled = merged(email, percent, seed="camp")
    assert "%recipient.x%" not in provider(spelled.html, spelled.values_of(reader("Ann")))  # so `reserved` is needed


def test_names_are_the_campaigns_own_and_the_same_at_every_attempt() -> None:
    email = sample_email()
    names = [dict(merged(email, percent, seed=campaign_of(key)).sites) for key in ("c1:1", "c1:2", "c2:1")]
    assert set(names[0]) == set(names[1])
    assert not set(names[0]) & set(names[2])


def test_a_header_with_nothing_to_say_is_left_out() -> None:
    empty = Email(Mailbox("", "a@x.test"), None, ("s",), ("h",), ("t",), headers=(("X-Name", (NAME,)), ("X-None", ())))
    assert headers_of(empty, reader("Ann")) == [("X-Name", "Ann")]


def test_promise_12_a_providers_words_lose_addresses_and_control_characters() -> None:
    said = redacted("550 no such <ann.lee@x.test>\r\nuser ANN.LEE, key sk_1 " + "y" * 300, ["ann.lee@x.test", "sk_1"])
    assert "ann" not in said.lower()
    assert "sk_1" not in said
    assert "\r" not in said
    assert len(said) == 200
