"""Whether this set-up can rightly send: what the law, the provider and the disk say before the first call.

In: the desk. Out: warnings; what refuses is raised, with what to do. Asks the provider about our account,
changes nothing.
"""

from __future__ import annotations

from urllib.parse import urlsplit

from newsletter.core.delivery import Capabilities, Finding, on_this_machine
from newsletter.errors import ConfigurationError, ProviderError
from newsletter.flows.desk import Desk

_ROW = 160
"""Bytes a reader takes in the database while a campaign is frozen and sent: their row, an index, the journal."""

_BLOCK = 4096
"""Bytes a file takes at least, in whole blocks."""


def able(desk: Desk, base_url: str = "") -> None:
    """Refuse what cannot rightly be sent from this set-up. Raises: ConfigurationError.

    In: `base_url`, the one a campaign was frozen with, when there is one. A provider that leads nowhere but
    to this machine (`Capabilities.network` False) may carry links to it.
    """
    if not desk.publication.footer.address.strip():
        raise ConfigurationError(
            "There is no postal address, and the law asks for one in every letter.",
            "Set footer: address: in newsletter.yml.",
        )
    can = desk.provider.capabilities
    host = urlsplit(base_url or desk.links.base_url).hostname or ""
    if can.network and on_this_machine(host):
        raise ConfigurationError(
            f"Letters sent by {desk.provider.name} would carry links to {host}, which no reader can open.",
            "Set NEWSLETTER_BASE_URL to the public address of the web side (https://...).",
        )
    if can.per_recipient_headers == "no":
        raise ProviderError(
            f"{desk.provider.name} cannot give each reader a one-click way out of their own (RFC 8058).",
            "Choose another provider for letters (NEWSLETTER_PROVIDER).",
        )


def asked(desk: Desk, readers: int) -> tuple[str, ...]:
    """Ask the provider whether our account can carry a campaign.

    In: how many readers it has still to reach. A day's confirmations must find room beside it where they go through
    the same provider. Out: what it warns of. Raises: ProviderError when it clearly cannot.
    """
    shared = desk.transactional.name == desk.provider.name
    need = readers + (desk.publication.limits.confirmations_per_day if shared else 0)
    try:
        found = desk.provider.check(need)
    except Exception as problem:  # noqa: BLE001 - not knowing refuses nothing
        return (f"{desk.provider.name} could not be asked about the account ({type(problem).__name__}).",)
    if wrong := [one for one in found if one.level == "error"]:
        raise ProviderError(
            "\n".join(f"{desk.provider.name}: {one.what}" for one in wrong),
            "\n  ".join(dict.fromkeys(one.fix for one in wrong if one.fix)) or "Mend it there, then run again.",
        )
    return tuple(_warning(one, desk.provider.name) for one in found)


def _warning(one: Finding, provider: str) -> str:
    return f"{provider}: {one.what} {one.fix}".strip()


def disk(can: Capabilities, readers: int, message: int, bodies: int) -> int:
    """Bytes a campaign takes on this machine, estimated from above.

    In: readers, bytes of one whole message, bytes of all frozen mail. A provider of this machine keeps a file for
    each message.
    """
    files = 0 if can.network else readers * (-(-message // _BLOCK) + 1) * _BLOCK
    return readers * _ROW + 3 * bodies + files


def room(need: int, free: int | None) -> None:
    """Refuse a campaign that this machine has no room for. Raises: ConfigurationError."""
    if free is not None and free < need:
        raise ConfigurationError(
            f"The disk has {free / 1e6:,.0f} MB free, and this takes about {need / 1e6:,.0f} MB.",
            "Make room, or move the database (NEWSLETTER_DATABASE_URL) or the outbox to a larger disk.",
        )
