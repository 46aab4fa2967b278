"""Which blocks are for whom: `::: only clients`, `::: not clients`, `::: only web`.

A letter with such blocks is rendered once for each combination of the segments it names. What is for one
reader alone is a merge tag, and nothing here.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import combinations

from newsletter.content import blocks
from newsletter.content.blocks import Block
from newsletter.content.issue import Issue

EMAIL, WEB = "email", "web"
CHANNELS = (EMAIL, WEB)
EVERYBODY = "all"
LONGEST = 40


def names(issue: Issue) -> tuple[str, ...]:
    """The segments that decide what an issue says, sorted. Empty when it says the same to everybody."""
    asked = (block.names for block, _ in blocks.walk(issue.body) if isinstance(block, blocks.Only))
    return tuple(sorted({name for several in asked for name in several} - {*CHANNELS, EVERYBODY}))


def key(segments: Collection[str], names: Sequence[str]) -> str:
    """A short name for the variant that readers of some segments get, the same for ever.

    In: the segments a reader is in, the names that decide (`names`). Out: `all` when none of them does;
    else those that do, joined by `+`, or a hash of them when that would be long or odd.
    """
    chosen = sorted(set(segments) & set(names))
    joined = "+".join(chosen)
    if not chosen:
        return EVERYBODY
    if len(joined) <= LONGEST and all(re.fullmatch(r"[a-z0-9_-]+", name) and name != EVERYBODY for name in chosen):
        return joined
    return "~" + hashlib.sha256("\n".join(chosen).encode()).hexdigest()[:12]


def every(names: Sequence[str]) -> Iterator[frozenset[str]]:
    """Every combination of the names, none of them first. There are 2 to the power of their number."""
    for count in range(len(names) + 1):
        yield from (frozenset(some) for some in combinations(names, count))


def chosen(issue: Issue, channel: str, segments: Collection[str] = ()) -> Issue:
    """The issue as it is said in a channel to readers of some segments; its body has no `Only` any more.

    In: `email` or `web`. On the web no reader is known, so what is for a segment alone is left out there.
    """
    return replace(issue, body=body(issue.body, {*segments, channel, EVERYBODY}))


def body(whole: Iterable[Block], holds: Collection[str]) -> tuple[Block, ...]:
    """The blocks that are said where these names hold, snippets put in their place.

    A box that this choice leaves empty is left out.
    """
    return tuple(block for given in whole for block in _said(given, holds))


def _said(block: Block, holds: Collection[str]) -> Iterator[Block]:  # noqa: C901 -- one case for each block
    match block:
        case blocks.Only(only, inside, but):
            if any(name in holds for name in only) is not but:
                yield from body(inside, holds)
        case blocks.Inserted(_, _, inside):
            yield from body(inside, holds)
        case blocks.Callout(inside=inside) | blocks.Card(inside=inside) | blocks.Quote(inside=inside):
            left = body(inside, holds)
            if left or not inside:
                yield replace(block, inside=left)
        case blocks.MagnetCard(inside=inside) | blocks.AuthorCard(inside=inside):
            yield replace(block, inside=body(inside, holds))
        case blocks.Listing(_, items):
            yield replace(block, items=_runs(items, holds))
        case blocks.Columns(columns):
            if left_ := _runs(columns, holds):
                yield replace(block, columns=left_)
        case blocks.Poll(question=question):
            yield replace(block, question=body(question, holds))
        case _:
            yield block


def _runs(runs: Iterable[tuple[Block, ...]], holds: Collection[str]) -> tuple[tuple[Block, ...], ...]:
    """Runs of blocks, without those that are left empty by this choice."""
    said = ((run, body(run, holds)) for run in runs)
    return tuple(left for run, left in said if left or not run)
