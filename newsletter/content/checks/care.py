"""What a practice owes its readers: an envelope that tells nothing, and help where it is needed (E307, W314, W315).

Both go by the word lists of `house.toml`, which a publication can change in `words/house.toml`.
"""

from __future__ import annotations

from collections.abc import Iterator

from newsletter.content import blocks
from newsletter.content.checks import addresses
from newsletter.content.checks.case import SETTINGS, Case
from newsletter.core.problem import Level, Problem


def envelope(case: Case) -> Iterator[Problem]:
    """Subject, sender, preheader and the names of sites must not say what a reader may live with.

    They are seen over a shoulder, on a lock screen, in a log. A warning; for a readership of patients
    (`readership: patients`) an error, as the list itself is health information there.
    """
    strict = case.publication.readership == "patients"
    code, level = ("E307", Level.ERROR) if strict else ("W315", Level.WARNING)
    because = "others see it on the lock screen"
    words = case.house.conditions
    if found := words.search(case.subject):
        message = f'the subject speaks of "{found.group()}", and {because}'
        fix = "Say it in the letter, and something quiet here."
        yield case.about("subject", code, message, fix, level, find=found.group())
    if case.preheader_written and (found := words.search(case.preheader)):
        message = f'the preheader speaks of "{found.group()}", and {because}'
        yield case.about("preheader", code, message, "Say it in the letter, and something quiet here.", level)
    elif found := words.search(case.preheader):
        message = f'inboxes show the beginning of the letter, which speaks of "{found.group()}"'
        yield case.about("preheader", code, message, "preheader: One quiet sentence of your own", level)
    yield from _sender(case, code, level)
    yield from _hosts(case, code, level)


def _sender(case: Case, code: str, level: Level) -> Iterator[Problem]:
    senders = case.publication.senders
    sender = senders.get(case.issue.sender) or case.publication.default_sender
    if found := case.house.conditions.search(sender.name):
        message = f'the sender\'s name speaks of "{found.group()}", and every inbox shows it'
        fix = f"In {SETTINGS}, under senders: a name without it."
        yield Problem(SETTINGS, 0, 0, code, level, message, fix)


def _hosts(case: Case, code: str, level: Level) -> Iterator[Problem]:
    for place in case.links:
        host = addresses.host(place.address)
        labels = host.split(".")[:-1]
        found = case.house.conditions.search(" ".join(labels).replace("-", " "))
        if found := found or case.house.conditions_inside.search("".join(labels).replace("-", "")):
            message = f'the name of this site speaks of "{found.group()}", and networks log which sites are opened'
            yield place.problem(
                code, message, "Link to a page of your own that leads there, or name it in words.", level
            )


def crisis(case: Case) -> Iterator[Problem]:
    """Where suicide or self-harm is spoken of, the letter says where help is (W314)."""
    if case.publication.crisis_text.strip():
        return
    if any(_helps(case, block) for block, _ in case.blocks):
        return
    for line in case.body:
        if case.house.help.search(line.prose):
            return
    for line in case.body:
        if found := case.house.crisis.search(line.prose):
            message = f'"{found.group()}" is spoken of, and nothing says where help is'
            fix = f"Set crisis_text in {SETTINGS} (it stands under every letter), or name a crisis line here."
            yield case.at(line.number, "W314", message, fix, col=found.start() + 1)
            return


def _helps(case: Case, block: blocks.Block) -> bool:
    """A snippet that is there for this: by its name, or by naming help."""
    if not isinstance(block, blocks.Inserted):
        return False
    return "crisis" in block.key or any(case.house.help.search(line) for line in case.lines_of(block.file))
