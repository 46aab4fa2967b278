"""One provider per file, strangers to each other; each fits `newsletter.ports.Provider` by shape.

A provider is a module that an installed package names in the entry-point group `newsletter.providers`; ours are
named there like anybody's. It has these names:

    Section          a frozen dataclass of its settings, NEWSLETTER_<NAME>__<FIELD>; secrets are SecretStr
    build(section, root)  ->  the provider, ready to send; `root` is the publication's folder
    reports(section, root)  ->  its reader of webhooks (`newsletter.ports.Reports`), or None while no
                                secret is set; left out by a provider without webhooks

`transport.py` and `core/spelling.py` are there for all of them. How to add one: docs/adding-a-provider.md.
"""

from __future__ import annotations

from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import Any

GROUP = "newsletter.providers"


@cache
def installed() -> dict[str, EntryPoint]:
    """Every provider that an installed package names, by its name."""
    return {point.name: point for point in sorted(entry_points(group=GROUP), key=lambda point: point.name)}


def load(name: str) -> Any:
    """A provider's module. Raises: KeyError for a name there is none of; whatever its import raises."""
    return installed()[name].load()
