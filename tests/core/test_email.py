"""An email is one for all: pieces, sites, and the escaping each place needs."""

from __future__ import annotations

import unicodedata
from html import unescape
from urllib.parse import unquote

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from newsletter.core.email import (
    Email,
    Escape,
    Mailbox,
    Site,
    escaped,
    fields,
    fill,
    freeze,
    header_value,
    sha256,
    thaw,
)

EVIL = "<b>\"Zoë\" & 'co'</b>\r\nBcc: x@y.z"


def site(escape, fallback="friend"):
    return Site("first_name", fallback, escape)


pieces = st.lists(
    st.text(max_size=20)
    | st.builds(Site, st.sampled_from(["first_name", "city"]), st.text(max_size=5), st.sampled_from(Escape)),
    max_size=6,
).map(tuple)
mailboxes = st.builds(Mailbox, st.text(max_size=10), st.just("sam@example.org"))
emails = st.builds(
    Email,
    sender=mailboxes,
    reply_to=st.none() | mailboxes,
    subject=pieces,
    html=pieces,
    text=pieces,
    headers=st.lists(st.tuples(st.sampled_from(["List-Id", "X-Note"]), pieces), max_size=3).map(tuple),
    lang=st.sampled_from(["en", "es-MX"]),
)


@pytest.mark.parametrize(
    ("escape", "said"),
    [
        (Escape.TEXT, "&lt;b&gt;\"Zoë\" &amp; 'co'&lt;/b&gt;\r\nBcc: x@y.z"),
        (Escape.ATTRIBUTE, "&lt;b&gt;&quot;Zoë&quot; &amp; &#x27;co&#x27;&lt;/b&gt;\r\nBcc: x@y.z"),
        (Escape.URL, "%3Cb%3E%22Zo%C3%AB%22%20%26%20%27co%27%3C%2Fb%3E%0D%0ABcc%3A%20x%40y.z"),
        (Escape.LINK, "&lt;b&gt;&quot;Zoë&quot; &amp; &#x27;co&#x27;&lt;/b&gt;\r\nBcc: x@y.z"),
        (Escape.PLAIN, EVIL),
        (Escape.HEADER, "<b>\"Zoë\" & 'co'</b> Bcc: x@y.z"),
    ],
)
def test_promise_11_each_place_escapes_in_its_own_way(escape, said):
    assert escaped(site(escape), {"first_name": EVIL}) == said


@given(st.text())
def test_a_value_comes_back_from_each_escaping(value):
    values = {"first_name": value}
    nothing = Site("first_name", "", Escape.TEXT)
    assert unescape(escaped(nothing, values)) == unescape(value.replace("&", "&amp;"))
    assert unquote(escaped(Site("first_name", "", Escape.URL), values)) == value
    assert not set(escaped(Site("first_name", "", Escape.ATTRIBUTE), values)) & set("<>\"'")


@pytest.mark.parametrize("values", [{}, {"first_name": ""}])
def test_the_fallback_stands_where_there_is_no_value(values):
    assert fill(("Dear ", site(Escape.TEXT, "you & yours"), "!"), values) == "Dear you &amp; yours!"


def test_a_value_is_text_never_a_merge_tag():
    assert fill((site(Escape.PLAIN), site(Escape.PLAIN)), {"first_name": "{{ city }}%s"}) == "{{ city }}%s" * 2


def test_fields_are_named_from_every_part():
    email = Email(
        sender=Mailbox("Sam", "sam@example.org"),
        reply_to=None,
        subject=(Site("a", "", Escape.HEADER),),
        html=("x", Site("b", "", Escape.TEXT)),
        text=(Site("c", "", Escape.PLAIN), Site("a", "", Escape.PLAIN)),
        headers=(("X-Note", (Site("d", "", Escape.HEADER),)),),
    )
    assert fields(email) == {"a", "b", "c", "d"}


@given(emails)
def test_promise_10_thawing_what_was_frozen_gives_the_same_email(email):
    frozen = freeze(email)
    assert thaw(frozen) == email
    assert freeze(thaw(frozen)) == frozen
    assert sha256(freeze(thaw(frozen))) == sha256(frozen)


@given(emails, emails)
def test_promise_10_different_emails_freeze_differently(one, other):
    assert (freeze(one) == freeze(other)) == (one == other)


def test_a_site_and_a_text_that_looks_like_it_freeze_differently():
    def with_text(*text):
        return Email(Mailbox("", "sam@example.org"), None, ("s",), ("h",), text)

    assert freeze(with_text("first_name", "friend")) != freeze(with_text(site(Escape.PLAIN)))


@given(st.text())
@example("a\r\nBcc: x@y.z")
@example("\u202egnp.exe\u2066\u2028\u0085")
def test_promise_11_a_header_value_is_one_line_without_controls(text):
    said = header_value(text)
    assert not {unicodedata.category(ch) for ch in said} & {"Cc", "Zl", "Zp"}
    assert not set(said) & set("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
    assert said == " ".join(said.split())


@given(st.text(alphabet=st.characters(exclude_categories=["Cc", "Zl", "Zp", "Zs", "Cs", "Cf"])))
def test_a_header_value_keeps_what_harms_nobody(text):
    assert header_value(text) == text


def test_a_header_value_keeps_emoji_sequences():
    assert header_value("rest 👩🏽‍🌾 well") == "rest 👩🏽‍🌾 well"


def test_every_control_character_becomes_a_blank():
    for code in range(0x110000):
        ch = chr(code)
        if unicodedata.category(ch) in {"Cc", "Zl", "Zp"}:
            assert header_value(f"a{ch}b") == "a b", hex(code)
