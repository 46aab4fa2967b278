"""An issue, read: its front matter as typed values and its body as blocks."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime, time
from pathlib import Path

from newsletter.content.blocks import Block, Picture
from newsletter.core.problem import Problem


@dataclass(frozen=True)
class HeroImage:
    """The picture at the top of an issue (`image:`)."""

    picture: Picture
    caption: str = ""
    link: str = ""


@dataclass(frozen=True)
class Ignored:
    """A warning the editor has looked at and wants silenced, with the reason."""

    code: str
    why: str


@dataclass(frozen=True)
class Nearby:
    """The letter before or after this one, as it is linked."""

    title: str
    url: str


@dataclass(frozen=True)
class Issue:
    """One edition, as written. `slug` is its key for ever; `problems` is what reading found.

    Fields with a default in `newsletter.yml` are already resolved: `lang`, `dir`, `sender`.
    """

    path: Path  # as given
    name: str  # the path shown to people, from the publication's root
    slug: str
    subject: str
    preheader: str
    title: str
    date: date | None
    body: tuple[Block, ...]
    send_at: time | datetime | None = None
    draft: bool = True
    audience: tuple[str, ...] = ("all",)
    sender: str = ""  # a key of publication.senders
    reply_to: str = ""
    lang: str = "en"
    dir: str = "ltr"
    number: int | None = None
    tags: tuple[str, ...] = ()
    summary: str = ""
    canonical_url: str = ""
    archive: bool = True
    author: tuple[str, ...] = ()
    image: HeroImage | None = None
    magnet: str = ""
    feedback: bool = False  # the question at the end: was this of use?
    contents: bool = False  # the headings as a list at the top
    share: bool = False  # a line to pass the letter on by mail
    nearby: bool = False  # links to the letter before and after
    theme: str = ""
    plain: str = ""  # the text part, when written by hand
    ignore: tuple[Ignored, ...] = ()
    problems: tuple[Problem, ...] = field(default_factory=tuple)
    source: str = field(default="", repr=False)  # the file's text, for places and lines in messages

    @property
    def key(self) -> str:
        """The campaign's key: unique for ever."""
        return self.slug
