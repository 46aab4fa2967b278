"""A publication: what `newsletter.yml` says about itself, as values.

Validated at the door by pydantic (`newsletter/settings.py`), frozen inside. `__pydantic_config__` makes
an unknown key an error without this floor knowing pydantic.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, time
from typing import ClassVar, Literal

STRICT: dict[str, object] = {"extra": "forbid"}


@dataclass(frozen=True)
class Sender:
    """Who a letter is from. `reply_to` is where answers arrive."""

    __pydantic_config__: ClassVar = STRICT
    name: str
    email: str
    reply_to: str | None = None


@dataclass(frozen=True)
class Footer:
    """What stands under every letter. The law wants `address` (CAN-SPAM, CASL)."""

    __pydantic_config__: ClassVar = STRICT
    address: str = ""
    phone: str = ""
    email: str = ""
    website: str = ""
    disclaimer: str = ""
    replies: str = ""


@dataclass(frozen=True)
class Magnet:
    """A free resource: files of our own, or a page elsewhere. Paths are from the publication's root.

    `sheet`: a page of paper about it (PDF), for those who hand it on.
    """

    __pydantic_config__: ClassVar = STRICT
    title: str
    about: str = ""
    files: tuple[str, ...] = ()
    url: str = ""
    sheet: str = ""


@dataclass(frozen=True)
class Author:
    """Who wrote an issue."""

    __pydantic_config__: ClassVar = STRICT
    name: str
    about: str = ""
    image: str = ""
    url: str = ""


@dataclass(frozen=True)
class Form:
    """A signup form: what it promises, which topics it offers (unticked), who may embed it."""

    __pydantic_config__: ClassVar = STRICT
    magnet: str = ""
    topics: tuple[str, ...] = ("letter",)
    origins: tuple[str, ...] = ()
    wording: str = ""


@dataclass(frozen=True)
class Sequence:
    """Mail that follows a magnet, a step at a time."""

    __pydantic_config__: ClassVar = STRICT
    after: str
    folder: str


@dataclass(frozen=True)
class Images:
    """Where pictures are served from, when not by the web side."""

    __pydantic_config__: ClassVar = STRICT
    base_url: str = ""


@dataclass(frozen=True)
class Look:
    """What a publication changes of its theme. Colours are `#RRGGBB`, by the names of the theme's tokens.

    Fonts are stacks of names, nothing is loaded; `logo` is a path from the publication's root.
    """

    __pydantic_config__: ClassVar = STRICT
    light: Mapping[str, str] = field(default_factory=dict)
    dark: Mapping[str, str] = field(default_factory=dict)
    serif: str = ""
    sans: str = ""
    mono: str = ""
    logo: str = ""
    logo_alt: str = ""


@dataclass(frozen=True)
class Limits:
    """Caps on confirmation mail: all addresses together, and those of one domain (but the largest) in an hour."""

    __pydantic_config__: ClassVar = STRICT
    confirmations_per_hour: int = 60
    confirmations_per_day: int = 300
    confirmations_per_domain: int = 20
    asks_per_hour: int = 200  # of whom an import brought


@dataclass(frozen=True)
class Retention:
    """How long rows are kept, in days; `consent_months`: evidence of a consent, when its person's row is gone."""

    __pydantic_config__: ClassVar = STRICT
    pending_days: int = 30
    raw_webhooks_days: int = 14
    unsubscribed_days: int = 30
    magnet_only_days: int = 30
    consent_months: int = 24
    backup_days: int = 14


@dataclass(frozen=True)
class Publication:
    """Everything a letter, a page or a plan needs to know about who publishes."""

    __pydantic_config__: ClassVar = STRICT
    name: str
    senders: Mapping[str, Sender]
    footer: Footer = field(default_factory=Footer)
    language: str = "en"
    timezone: str = "UTC"
    send_at: time | None = None
    rhythm: str = ""  # when a letter is expected: core/rhythm.py
    holidays: tuple[str, ...] = ()  # days, or stretches of days, on which none is
    first_send: date | None = None
    readership: Literal["public", "patients"] = "public"
    theme: str = "letter"
    look: Look = field(default_factory=Look)
    contents: bool = False
    share: bool = False
    nearby: bool = False
    feedback: bool = False
    topics: Mapping[str, str] = field(default_factory=dict)
    fields: Mapping[str, str] = field(default_factory=lambda: {"first_name": ""})
    magnets: Mapping[str, Magnet] = field(default_factory=dict)
    authors: Mapping[str, Author] = field(default_factory=dict)
    segments: Mapping[str, str] = field(default_factory=dict)
    forms: Mapping[str, Form] = field(default_factory=dict)
    sequences: Mapping[str, Sequence] = field(default_factory=dict)
    images: Images = field(default_factory=Images)
    limits: Limits = field(default_factory=Limits)
    retention: Retention = field(default_factory=Retention)
    crisis_text: str = ""
    health_privacy_url: str = ""
    owners: tuple[str, ...] = ()
    editors: tuple[str, ...] = ()
    seeds: tuple[str, ...] = ()
    old_unsubscribe: str = ""  # how links of the system before us look: core/elsewhere.py

    @property
    def default_sender(self) -> Sender:
        """The first sender of the file."""
        return next(iter(self.senders.values()))

    @property
    def default_form(self) -> str:
        """The first form of the file; `letter` when there is none."""
        return next(iter(self.forms), "letter")

    def form(self, key: str) -> Form:
        """The form, or a plain one for the letter alone when the file names none.

        Raises: KeyError for a form that does not exist.
        """
        if not self.forms and key == "letter":
            return Form()
        return self.forms[key]

    def topic_name(self, key: str) -> str:
        """A topic in words; `letter` always exists."""
        return self.topics.get(key, "The letter" if key == "letter" else key)
