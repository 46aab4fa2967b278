"""How well imports are judged: documents of many shapes and languages, with the structure an editor would give them.

`tuned` was looked at while the rules were made. `heldout` was written before and is there to show whether the
rules hold for what they were not made for.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from newsletter.content import blocks, dialect, phrases
from newsletter.content.blocks import Block
from newsletter.core.problem import Level
from newsletter.core.publication import Publication

CORPUS = Path(__file__).parent / "corpus"
NAMES = sorted(f"{path.parent.name}/{path.name}" for path in CORPUS.glob("*/*.expected.json"))
ENOUGH = 0.95


@dataclass
class Found:
    """The structure of an issue's body."""

    headings: list[str] = field(default_factory=list)
    lists: list[tuple[str, int, bool]] = field(default_factory=list)
    links: list[str] = field(default_factory=list)
    quotes: list[str] = field(default_factory=list)
    words: Counter[str] = field(default_factory=Counter)
    errors: list[str] = field(default_factory=list)


def bare(text: str) -> str:
    """Words alone: case, emoji, marks and numbers at the beginning do not count."""
    flat = re.sub(r"^\W*\d{1,2}[.)]\s+", "", unicodedata.normalize("NFC", text))
    return " ".join(re.findall(r"[^\W_]+", flat.casefold()))


def structure(body: str, publication: Publication) -> Found:
    """Read a body with the reader every issue is read with."""
    found = Found()
    read, problems = dialect.read(body, publication, root=CORPUS, file="x.md")
    found.errors = [str(one) for one in problems if one.level is Level.ERROR]
    for block in read:
        walk(block, found)
    return found


def walk(block: Block, found: Found) -> None:
    """One block and what is in it."""
    if isinstance(block, blocks.Heading):
        found.headings.append(bare(phrases.plain(block.inside)))
    if isinstance(block, blocks.Listing):
        found.lists.append((first_words(block), len(block.items), block.ordered))
        for inner in (one for item in block.items for one in item):
            walk(inner, found)
    if isinstance(block, blocks.Quote):
        found.quotes.append(bare(" ".join(phrases.plain(one.inside) for one in block.inside if hasattr(one, "inside"))))
    if isinstance(block, blocks.Button):
        found.links.append("".join(map(str, block.url)))
    if isinstance(block, blocks.Card | blocks.Quote):
        for inner in block.inside:
            walk(inner, found)
    for inside in inlines(block):
        found.words.update(bare(phrases.plain(inside)).split())
        found.links.extend(linked(inside))


def first_words(listing: blocks.Listing) -> str:
    """The beginning of a list."""
    first = listing.items[0][0]
    return " ".join(bare(phrases.plain(first.inside)).split()[:6]) if isinstance(first, blocks.Paragraph) else ""


def inlines(block: Block) -> Iterator[tuple[Any, ...]]:
    """The words a block holds itself."""
    if isinstance(block, blocks.Paragraph | blocks.Heading):
        yield block.inside
    if isinstance(block, blocks.Button):
        yield block.inside
    if isinstance(block, blocks.Quote):
        yield block.source
    if isinstance(block, blocks.Table):
        yield from block.header
        yield from (cell for row in block.rows for cell in row)


def linked(inside: tuple[Any, ...]) -> Iterator[str]:
    """Where the links in some words lead."""
    for part in inside:
        if isinstance(part, blocks.Link):
            yield "".join(map(str, part.url))
        elif hasattr(part, "inside"):
            yield from linked(part.inside)


def address(url: str) -> str:
    """An address without what does not matter."""
    return re.sub(r"^(?:https?://)?(?:www\.)?", "", url).rstrip("/")


@dataclass
class Tally:
    """Hits, how many were made, how many there should be."""

    hit: int = 0
    got: int = 0
    wanted: int = 0

    def count(self, got: Counter[Any], wanted: Counter[Any]) -> None:
        """Add one document."""
        self.hit += (got & wanted).total()
        self.got += got.total()
        self.wanted += wanted.total()

    @property
    def fine(self) -> bool:
        """Precision and recall."""
        return self.hit >= ENOUGH * self.got and self.hit >= ENOUGH * self.wanted


def asked(name: str) -> tuple[dict[str, Any], bytes]:
    """A document's expected structure, and its bytes."""
    expected = json.loads((CORPUS / name).read_text("utf-8"))
    return expected, (CORPUS / name).with_name(expected["file"]).read_bytes()


def lists_of(expected: dict[str, Any]) -> Counter[Any]:
    """The lists there should be."""
    return Counter(
        (" ".join(bare(one["first"]).split()[:6]), one["count"], one["ordered"]) for one in expected["lists"]
    )


@pytest.mark.parametrize("part", ["tuned", "heldout"])
def test_headings_lists_and_links_are_found_and_none_made_up(
    part: str, bring: Callable[..., Any], bare_publication: Publication
) -> None:
    tallies = {"headings": Tally(), "lists": Tally(), "links": Tally()}
    for name in (one for one in NAMES if one.startswith(part)):
        expected, raw = asked(name)
        made = bring(raw, expected["file"])
        found = structure(made.text.split("\n---\n", 1)[1], bare_publication)
        tallies["headings"].count(Counter(found.headings), Counter(map(bare, expected["headings"])))
        tallies["lists"].count(Counter(found.lists), lists_of(expected))
        tallies["links"].count(Counter(map(address, set(found.links))), Counter(map(address, set(expected["links"]))))
    assert all(tally.fine for tally in tallies.values()), tallies


@pytest.mark.parametrize("name", NAMES)
def test_a_document_keeps_its_words_and_what_is_no_heading_stays_none(
    name: str, bring: Callable[..., Any], bare_publication: Publication
) -> None:
    expected, raw = asked(name)
    made = bring(raw, expected["file"])
    found = structure(made.text.split("\n---\n", 1)[1], bare_publication)
    assert not found.errors
    assert bare(made.subject) == bare(expected["title"])
    never = {bare(one) for one in expected.get("must_not_be_headings", [])}
    assert not never & set(found.headings)
    assert not {bare(one) for one in expected.get("must_not_be_list_items", [])} & {
        first for first, _, _ in found.lists
    }
    for quote in expected["quotes"]:
        assert any(bare(quote["text"])[:40] in one for one in found.quotes)
    if expected["file"].endswith(".txt"):
        source = Counter(bare(re.sub(r"(?:https?://|www\.|mailto:)\S+", " ", raw.decode())).split())
        told = Counter(bare(" ".join([made.subject, *made.contact.lines, *expected["contact_lines"]])).split())
        ours = found.words + told
        lost = [word for word in source if source[word] > ours[word] and not word.isdigit() and len(word) > 1]
        assert not lost
        assert not [word for word in found.words if word not in source and word not in bare(raw.decode()).split()]
    for fact in expected["contact"].values():
        assert bare(fact) in bare(" ".join(made.contact.lines))
