"""Every error this program raises on purpose, in one tree.

    NewsletterError                 what happened, and what to do next
    ├── ContentError                an issue file has problems            (they travel along)
    ├── NotFound                    no such issue, subscriber, campaign, magnet
    ├── AddressRefused              an email address we cannot write to
    ├── FileRefused                 a file that cannot be read, or is not what it should be
    ├── LinkRefused                 a link that is wrong, forged or of an earlier time
    │   └── LinkExpired             a link that was right and is too old
    ├── BadSignature                a webhook that the provider did not sign
    │   └── StaleWebhook            a webhook that it signed too long ago to count
    ├── AccessRefused               a program that gives no key, or none that holds
    │   └── ScopeRefused            a key that is not for this
    ├── NothingToDo                 already sent, a draft, not due, nobody to write to
    ├── WorkLeft                    stopped before the end; run again
    │   └── StoreBusy               the database is locked, full, read-only or away
    ├── NotApproved                 no plan, a stale plan, a limit
    └── ConfigurationError          a setting, a folder, a credential
        ├── SettingsError           newsletter.yml, .env or the environment
        ├── SchemaError             the database is newer or older than the program
        └── ProviderError           the provider cannot do what is asked

The command line maps them to exit codes (`newsletter/cli/exits.py`), the web side to pages
(`newsletter/web/errors.py`); each in one table. No message ever holds an address or a secret.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from newsletter.core.problem import Problem


class NewsletterError(Exception):
    """Something a person can act on: `what` happened, and what `todo` next."""

    def __init__(self, what: str, todo: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.todo = todo
        self.known: Mapping[str, object] = {}  # what is so all the same, for whoever asked for a document

    def __str__(self) -> str:
        return f"{self.what}\n  {self.todo}" if self.todo else self.what


class ContentError(NewsletterError):
    """An issue, or a template, has problems that block; each knows its place and its fix."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        count = sum(problem.level == "error" for problem in problems)
        super().__init__(f"{count} problem{'' if count == 1 else 's'} to fix before this can go")
        self.problems = tuple(problems)


class NotFound(NewsletterError):
    """What was named does not exist."""


class AddressRefused(NewsletterError):
    """The text is not an email address we can write to. The message does not repeat it."""


class FileRefused(NewsletterError):
    """A file somebody gave us cannot be read, or is not what it should be."""


class LinkRefused(NewsletterError):
    """The link was not made by us for this purpose, or no longer holds."""


class LinkExpired(LinkRefused):
    """The link was ours and is too old."""


class BadSignature(NewsletterError):
    """A webhook request that is not the provider's own. The message repeats nothing of it."""


class StaleWebhook(BadSignature):
    """A webhook request that the provider signed long ago: it may be somebody's repetition, and changes nothing."""


class AccessRefused(NewsletterError):
    """Whoever asks did not show that they may. The message repeats nothing of what they gave."""


class ScopeRefused(AccessRefused):
    """Whoever asks may do other things, and not this."""


class NothingToDo(NewsletterError):
    """Nothing was done, and that is right."""


class WorkLeft(NewsletterError):
    """Stopped before the end. What was done is kept; running again continues."""


class StoreBusy(WorkLeft):
    """The database did not take a transaction now. Nothing of that transaction was written."""


class KeysAway(WorkLeft):
    """Whose keys prove a caller cannot be reached now, so nobody new is believed."""


class NotApproved(NewsletterError):
    """Nobody has agreed to what would happen now."""


class ConfigurationError(NewsletterError):
    """The program is not set up for what was asked."""


class SettingsError(ConfigurationError):
    """A setting is unknown, missing or of the wrong kind."""


class SchemaError(ConfigurationError):
    """The database does not have the shape this version works with."""


class ProviderError(ConfigurationError):
    """The provider, as configured, cannot do what is asked."""
