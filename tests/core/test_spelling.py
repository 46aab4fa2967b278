"""An email as JSON and in a provider's merge syntax: text in, text out."""

from __future__ import annotations

import json
import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from newsletter.core.delivery import Recipient
from newsletter.core.email import UNSUBSCRIBE_URL, Email, Escape, Mailbox, Site, fill
from newsletter.core.redact import redacted
from newsletter.core.spelling import (
    ADDRESS,
    KEY,
    all_headers_fit,
    campaign_of,
    header_pieces,
    header_sites,
    headers_fit,
    headers_of,
    json_template,
    mailbox,
    merged,
    one_line,
    values,
    wire_headers,
)
from newsletter.errors import ProviderError
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


@given(st.text(st.sampled_from("aZ09@:/._+- &<>'\"\\\n\u2028é%"), max_size=8))
@example("a  b")
@example("a:b")
@example("a ")
def test_promise_11_a_value_is_escaped_for_each_place_it_lands_in(name: str) -> None:
    """Also where one field has several places, and a value seems to need none of it."""
    sites = [Site("first_name", "friend", escape) for escape in Escape]
    for some in (sites, [site for site in sites if site.escape is not Escape.URL]):
        template = json_template([("<", site, ">") for site in some])
        told = template.of(reader(name))
        assert json.loads(told) == [fill(("<", site, ">"), {"first_name": name}) for site in some]
        assert template.size(reader(name)) == len(told)


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


@given(TEXT, TEXT)
def test_a_template_knows_how_long_it_will_be(before: str, name: str) -> None:
    template = json_template({"a": (before, NAME, NAME, "é"), "to": (ADDRESS,), "n": [1, None, True]})
    assert template.size(reader(name)) == len(template.of(reader(name)))


@given(st.lists(st.text(st.sampled_from("aZ0@:/ &<'\"\\\n\u2028é%"), max_size=6), max_size=4))
@example(["Ann", "Lee"])
@example(["Ann\nLee", ""])
@example(["Ann", "O'Lee", "a\nb"])
def test_promise_11_many_readers_get_what_each_would_get_alone(names: list[str]) -> None:
    readers = [
        Recipient(f"d.{n}", f"r{n}@x.test", {"first_name": name}, f"https://x.test/t{n}")
        for n, name in enumerate(names)
    ]
    sites = (*(Site("first_name", "friend", escape) for escape in Escape), Site("last_name", "", Escape.TEXT))
    way_out = Site(UNSUBSCRIBE_URL, "", Escape.LINK)
    for some in (sites, [site for site in sites if site.escape is not Escape.URL]):
        template = json_template({"to": (ADDRESS,), "k": (KEY, "é"), "v": [("<", one, way_out) for one in some]})
        assert template.of_all(readers) == [template.of(one) for one in readers]


@pytest.mark.parametrize("name", ["Ann", "", "Zoë", "\u2028"])
def test_headers_fit_many_readers_when_they_fit_each(name: str) -> None:
    readers = [reader("Sam"), reader(name)]
    for sites in (None, (), (Site("first_name", "", Escape.HEADER),), (NAME, Site(UNSUBSCRIBE_URL, "", Escape.HEADER))):
        assert all_headers_fit(sites, readers) == all(headers_fit(sites, values(one)) for one in readers)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("", "sam@x.test"),
        ("Sam Rivers", "Sam Rivers <sam@x.test>"),
        ('Rivers, "Sam" Zoë', '"Rivers, \\"Sam\\" Zoë" <sam@x.test>'),
        ("Sam\r\nBcc: all@x.test", '"Sam Bcc: all@x.test" <sam@x.test>'),
    ],
)
def test_a_mailbox_is_one_text_that_reads_as_one_address(name: str, said: str) -> None:
    assert mailbox(Mailbox(name, "sam@x.test")) == said


def test_a_mailbox_without_an_address_is_refused() -> None:
    with pytest.raises(ProviderError):
        mailbox(Mailbox("Sam", "sam, ann@x.test"))


def test_promise_11_headers_are_one_line_of_ascii_each() -> None:
    way_out = ("<", Site("unsubscribe_url", "", Escape.HEADER), ">")
    headers = (
        ("List-Id", ("Zoë, quiet <letter.x.test>",)),
        ("List-Unsubscribe", way_out),
        ("X-Long", ("word " * 60,)),
        ("X-None", ("",)),
        ("X-Two", ("a\r\nBcc: all@x.test",)),
    )
    email = Email(Mailbox("", "a@x.test"), None, (), (), (), headers)
    told = dict(header_pieces(email, without={"list-unsubscribe-post"}))
    assert told["List-Id"] == ("=?utf-8?b?Wm/DqywgcXVpZXQ=?= <letter.x.test>",)
    assert told["List-Unsubscribe"] == way_out
    assert told["X-Two"] == ("a Bcc: all@x.test",)
    assert "X-None" not in told
    assert "\n" not in told["X-Long"][0]  # type: ignore[operator]
    assert "List-Unsubscribe" not in dict(header_pieces(email, without={"list-unsubscribe"}))


def test_a_subject_keeps_its_blanks_and_no_line_end() -> None:
    assert one_line(("A  quiet\r\nweek, ", NAME, "\u2028!")) == ("A  quiet week, ", NAME, " !")


def test_promise_11_headers_that_cannot_be_filled_as_they_are_are_known() -> None:
    """A value beyond ASCII, or none, cannot stand in a header that a provider passes on."""
    greeting = ("X-For", ("for ", Site("first_name", "", Escape.HEADER)))
    email = Email(Mailbox("", "a@x.test"), None, (), (), (), (("X-Same", ("Grüße",)), greeting))
    assert headers_fit(header_sites(email), values(reader("Ann")))
    assert not headers_fit(header_sites(email), values(reader("Zoë")))
    assert not headers_fit(header_sites(email), values(reader("")))
    assert wire_headers(email, reader("Zoë\r\nBcc: all@x.test")) == [
        ("X-Same", "=?utf-8?b?R3LDvMOfZQ==?="),
        ("X-For", "for =?utf-8?b?Wm/Dqw==?= Bcc: all@x.test"),
    ]
    literal = Email(Mailbox("", "a@x.test"), None, (), (), (), (("X-For", ("für ", NAME)),))
    assert not headers_fit(header_sites(literal), values(reader("Ann")))
