"""Merge tags are fields with a fallback, and nothing else is ever one."""

from __future__ import annotations

import pytest

from newsletter.content import merge
from newsletter.content.blocks import MergeTag
from newsletter.core.email import Escape, Site

FIELDS = {"first_name": "friend", "city": ""}


@pytest.mark.parametrize(
    "typed",
    [
        '{{ first_name, "you" }}',
        "{{first_name,'you'}}",
        '{{ first_name | default: "you" }}',
        '{{ first_name|default("you") }}',
        "{{ first_name, “you” }}",
        "{{ first_name | default: ‘you’ }}",
    ],
)
def test_accepted_spellings(typed: str) -> None:
    assert merge.parts(f"Dear {typed}!", FIELDS) == ("Dear ", MergeTag("first_name", "you"), "!")


@pytest.mark.parametrize(
    ("typed", "code", "fix"),
    [
        ("{{ first_name }}", "E240", '{{ first_name, "friend" }}'),
        ("{{ city }}", "E240", '{{ city, "friend" }}'),
        ("{{ FNAME }}", "E240", '{{ first_name, "friend" }}'),
        ("{{ frst_name }}", "E240", '{{ first_name, "friend" }}'),
        ("{{ zebra }}", "E240", "Fields of newsletter.yml: first_name, city."),
        ("{{ first name }}", "E240", '{{ first_name, "friend" }}'),
        ('{{ first_name, "you }}', "E240", '{{ first_name, "friend" }}'),
        ("{{ }}", "E240", '{{ first_name, "friend" }}'),
        ("{{ 7*7 }}", "E240", '{{ first_name, "friend" }}'),
        ("{{ subscriber.first_name }}", "E241", '{{ first_name, "friend" }}'),
        ("{{{ first_name }}}", "E241", '{{ first_name, "friend" }}'),
        ("*|FNAME|*", "E241", '{{ first_name, "friend" }}'),
        ("*|CITY|*", "E241", '{{ city, "friend" }}'),
        ('{first_name, "you"}', "E241", '{{ first_name, "friend" }}'),
        ("%recipient.first_name%", "E241", '{{ first_name, "friend" }}'),
        ("%FIRSTNAME%", "E241", '{{ first_name, "friend" }}'),
        ("%%first_name%%", "E241", '{{ first_name, "friend" }}'),
        ("[[first_name]]", "E241", '{{ first_name, "friend" }}'),
    ],
)
def test_promise_11_what_is_none_of_ours_is_told_and_stays_text(typed: str, code: str, fix: str) -> None:
    (found,) = merge.find(f"a {typed} b", FIELDS)
    assert isinstance(found.tag, merge.Fault)
    assert (found.at, found.source, found.tag.code, found.tag.fix) == (2, typed, code, fix)
    assert "".join(map(str, merge.parts(f"a {typed} b", FIELDS))) == f"a {typed} b"


@pytest.mark.parametrize(
    "text", ["100% of %", "{ a }", "{}", "[name] x", "*|*", "\\{{ first_name }}", "{% x %}", "-tag-"]
)
def test_plain_text_is_left_alone(text: str) -> None:
    assert list(merge.find(text, FIELDS)) == []


def test_a_line_as_pieces_and_as_shown() -> None:
    text = 'Dear {{ first_name, "friend" }}'
    assert merge.pieces(text, FIELDS, Escape.HEADER) == ("Dear ", Site("first_name", "friend", Escape.HEADER))
    assert merge.shown(text, FIELDS) == "Dear friend"


def test_marks_stand_for_tags_and_come_back() -> None:
    text = 'mt0z MTq {{ first_name, "x" }} and *|FNAME|*'
    marked = merge.marked(text, FIELDS)
    assert "{{" not in marked.text
    assert marked.restored(marked.text) == text
    assert [part for part in marked.split(marked.text) if not isinstance(part, str)] == list(marked.found)
