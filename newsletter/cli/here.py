"""Where a command works: the publication's folder and the environment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from newsletter.app import App
    from newsletter.settings import Settings


@dataclass(frozen=True)
class Here:
    """What the global options say."""

    root: Path
    environ: Mapping[str, str]

    def open(self, provider: str = "") -> App:
        """The publication with its store and providers."""
        from newsletter.app import open_app

        return open_app(self.root, self.environ, provider=provider)

    def asks_a_server(self) -> bool:
        """Whether another machine plans and sends (NEWSLETTER_SERVER__URL)."""
        return bool(self.settings().server.url)

    def settings(self) -> Settings:
        """The settings alone."""
        from newsletter.settings import load

        return load(self.root, self.environ)
