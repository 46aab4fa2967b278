"""The people a letter is tried on, and what an inbox shows of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from newsletter.core.publication import Publication
from newsletter.flows.sample import NAME


@dataclass(frozen=True)
class Person:
    """A made-up reader: how the switch calls them, and their merge values."""

    key: str
    label: str
    values: Mapping[str, str]


PEOPLE = (
    Person("sample", f"{NAME}, a sample reader", {"first_name": NAME, "last_name": "Rivers"}),
    Person("nameless", "a reader without a first name", {}),
    Person(
        "long",
        "the longest name",
        {"first_name": "Maria Magdalena Theodora Wilhelmina", "last_name": "Montgomery-Papadopoulos"},
    ),
    Person("rtl", "a right-to-left name", {"first_name": "נעמי", "last_name": "אבן־גבירול"}),
)


def person(key: str) -> Person:
    """A person by key; the sample reader for any other."""
    return next((one for one in PEOPLE if one.key == key), PEOPLE[0])


def segments(publication: Publication) -> tuple[str, ...]:
    """Whoever a letter can be for: `all`, then topics and segments, each once."""
    return tuple(dict.fromkeys(("all", *publication.topics, *publication.segments)))


def named(segment: str, publication: Publication) -> str:
    """A segment in words."""
    return "everyone" if segment == "all" else publication.topics.get(segment, segment)


@dataclass(frozen=True)
class Inbox:
    """A line of an inbox: how many characters of subject and preheader a program shows."""

    program: str
    subject: int
    preheader: int


INBOXES = (
    Inbox("Gmail on a phone", 33, 40),
    Inbox("Apple Mail on a phone", 48, 99),
    Inbox("Outlook on a desktop", 70, 40),
)


def cut(text: str, most: int) -> str:
    """The text as a program cuts it."""
    return text if len(text) <= most else text[:most].rstrip() + "…"
