"""An issue at a glance, as Markdown for a pull request: the line in the inbox, how long, how large, which links, and
how it differs from the last one sent. No address stands in it: pull requests are read by more people than letters.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from newsletter.cli.findings import cell, code
from newsletter.cli.terminal import counted
from newsletter.flows.compare import Comparison, Edition, day_of, parted

_MOST = 40
"""Links shown; a letter with more has a finding of its own."""


def markdown(now: Edition, found: Comparison | None) -> str:
    """An edition, and the one before it where there is one."""
    before = found.before if found else None
    heads = [
        "",
        "this letter",
        *([f"{before.key}, {'sent' if before.sent else 'dated'} {day_of(before)}"] if before else []),
    ]
    columns = [_column(one) for one in (now, before) if one is not None]
    lines = [_row(heads), "|---" * len(heads) + "|"]
    lines += [_row([name, *(column[name] for column in columns)]) for name in columns[0]]
    if found is not None:
        lines += ["", *(f"- {note}" for note in _differences(found))]
    return "\n".join([*lines, "", *_links(now, before)])


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _column(one: Edition) -> dict[str, str]:
    traits = one.traits
    return {
        "subject": f"**{cell(traits.subject)}**" if traits.subject else "none",
        "after it": cell(traits.preheader) or "none",
        "from": cell(_name(traits.sender)),
        "reading": f"{counted(traits.words, 'word')}, {one.minutes} min",
        "size": f"{traits.bytes:,} bytes",
        "pictures": str(len(traits.images)),
    }


def _name(box: str) -> str:
    """A sender's name, without the address."""
    return box.partition(" <")[0] if " <" in box else "no name"


def _differences(found: Comparison) -> list[str]:
    new, old = found.now.traits, found.before.traits
    said = [cell(note) for note in found.notes]
    if new.sender != old.sender:
        said.append("The sender is another.")
    if new.reply_to != old.reply_to:
        said.append("Replies go to another address.")
    foot: dict[str, Any] = parted(new.footer, old.footer)
    if foot["added"] or foot["removed"]:
        came, went = (counted(len(foot[which]), "line") for which in ("added", "removed"))
        said.append(f"The footer is another: {came} came, {went} went.")
    return said or ["Sender, replies and footer are as before."]


def _links(now: Edition, before: Edition | None) -> list[str]:
    links, known = now.traits.links, before.traits.links if before else ()
    shown = [f"- {code(_plain(url))}{'' if url in known or not before else ' (new)'}" for url in links[:_MOST]]
    more = [f"- and {len(links) - _MOST} more"] if len(links) > _MOST else []
    return ["<details><summary>" + counted(len(links), "link") + "</summary>", "", *shown, *more, "", "</details>"]


def _plain(url: str) -> str:
    return re.sub(r"^(mailto|tel|sms):.*", r"\1:…", url)
