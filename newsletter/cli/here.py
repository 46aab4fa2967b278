"""Where a command works: the publication's folder and the environment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from newsletter.errors import ConfigurationError

if TYPE_CHECKING:
    from newsletter.app import App
    from newsletter.settings import Settings


@dataclass(frozen=True)
class Here:
    """What the global options say."""

    root: Path
    environ: Mapping[str, str]

    def open(self, provider: str = "", *, listed: bool = True) -> App:
        """The publication with its store and providers.

        In: `listed`, whether the list is needed. Raises: ConfigurationError where it is and another machine has it.
        """
        from newsletter.app import open_app

        return open_app(self.root, self.environ, provider=provider, listed=listed)

    def asks_a_server(self, provider: str = "") -> bool:
        """Whether another machine plans and sends (NEWSLETTER_SERVER__URL).

        In: the provider that was named. Raises: ConfigurationError when it is that machine's to choose.
        """
        far = bool(self.settings().server.url)
        if far and provider:
            raise ConfigurationError(
                "The server sends through its own provider (NEWSLETTER_SERVER__URL), so --provider says nothing here.",
                "Leave it out, or set NEWSLETTER_PROVIDER on the server.",
            )
        return far

    def settings(self) -> Settings:
        """The settings alone."""
        from newsletter.settings import load

        return load(self.root, self.environ)
