"""Pictures: our own, and of a size that a phone can load (E211, E212, W305)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from typing import Any

from newsletter.content import blocks, images
from newsletter.content.blocks import Block, Picture
from newsletter.content.checks.case import Case
from newsletter.core.problem import Level, Problem


def elsewhere(case: Case) -> Iterator[Problem]:
    """Promise 7: no request to a third party, so pictures are our own (E211)."""
    own = case.publication.images.base_url
    for picture, line, file in _pictures(case):
        third = picture.asset is None and picture.src.lower().startswith("https:")
        if third and not (own and picture.src.startswith(own)):
            message = "a picture from another site tells that site who reads this"
            fix = "Save it in images/, and write ![What it shows](images/picture.jpg)"
            if line:
                yield case.at(line, "E211", message, fix, Level.ERROR, file=file)
            else:
                yield case.about("image", "E211", message, fix, Level.ERROR, find=picture.src)


def heavy(case: Case) -> Iterator[Problem]:
    """More bytes, as they are served, than a phone on the road wants to load (E212, W305)."""
    places = list(_pictures(case))
    found = images.overweight(picture.asset for picture, _, _ in places if picture.asset)
    for one in found:
        code, level = ("E212", Level.ERROR) if one.blocks else ("W305", Level.WARNING)
        where = ((pic, line, file) for pic, line, file in places if pic.asset and pic.asset.path == one.path)
        picture, line, file = next(where, (None, 0, ""))
        if picture is None:
            yield case.whole(code, one.message, one.fix, level)
        elif line:
            number, col = case.find(picture.src, line, file)
            yield case.at(number, code, one.message, one.fix, level, file=file, col=col)
        else:
            yield case.about("image", code, one.message, one.fix, level, find=picture.src)


def _pictures(case: Case) -> Iterator[tuple[Picture, int, str]]:
    for block, file in case.blocks:
        for picture in _in(block):
            yield picture, getattr(block, "line", 0), file
    if case.issue.image:
        yield case.issue.image.picture, 0, case.issue.name


def _in(node: Any) -> Iterator[Picture]:
    """The pictures of a block's own lines; blocks inside it are asked by themselves."""
    if isinstance(node, Picture):
        yield node
    elif isinstance(node, tuple):
        for part in node:
            if not isinstance(part, Block):
                yield from _in(part)
    elif is_dataclass(node) and not isinstance(node, blocks.MergeTag):
        for one in fields(node):
            value = getattr(node, one.name)
            if isinstance(value, tuple | Picture):
                yield from _in(value)
