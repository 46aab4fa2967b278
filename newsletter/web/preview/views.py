"""The ways to look at a letter, in the order of the switch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from newsletter.flows import panes


@dataclass(frozen=True)
class View:
    """A way to look at a letter. `widths` in px of the screen; `note` says what it stands for."""

    key: str
    label: str
    note: str
    draw: Callable[[str], str] = panes.light
    widths: tuple[tuple[str, int], ...] = (("Desktop", 600), ("Phone", 375))
    zoom: int = 1  # how much larger a pixel of the letter is than one of the screen


_ABOUT = "An approximation, made by rule."
VIEWS = (
    View("light", "Desktop and phone", "As most programs show it."),
    View("dark", "Dark", "The letter’s own dark colours: Apple Mail, Outlook for Mac, Thunderbird.", panes.dark),
    View(
        "flipped",
        "Dark, by force",
        f"Every colour turned over, as Gmail’s and Outlook’s apps do. {_ABOUT}",
        panes.flipped,
    ),
    View("contrasted", "Dark, by Outlook on the web", f"Recoloured for contrast. {_ABOUT}", panes.contrasted),
    View("unstyled", "Without styles", "The style sheet removed, as Gmail sometimes does.", panes.unstyled),
    View(
        "outlook",
        "Outlook for Windows",
        f"The branch Word reads. {_ABOUT}",
        panes.outlook_windows,
        (("Desktop", 600),),
    ),
    View("off", "Pictures off", "As many programs begin.", panes.pictures_off),
    View("text", "Plain text", "The other half of every mail.", widths=(("72 columns", 720),)),
    View(
        "zoomed",
        "Twice as large",
        "Zoomed to 200 %, as some eyes need it: a window holds half as much, and nothing may be cut off.",
        widths=(("Desktop at 200 %", 640),),
        zoom=2,
    ),
    View("archive", "Archive page", "The letter’s public page.", panes.light, (("Browser", 720), ("Phone", 375))),
    View("archive-dark", "Archive page, dark", "The same in the dark.", panes.dark, (("Browser", 720), ("Phone", 375))),
    View("shared", "Shared link", "As networks and messengers show a link to it.", widths=(("Card", 600),)),
    View("source", "What you wrote", "The file, line by line.", widths=(("", 720),)),
)


def view(key: str) -> View:
    """A view by key; the first for any other."""
    return next((one for one in VIEWS if one.key == key), VIEWS[0])
