"""Doctor's look at the provider: does our account there carry what we mean to send?

In: the providers. Out: their own findings, in doctor's words. Asks, and changes nothing.
"""

from __future__ import annotations

from newsletter.flows.doctor.finding import Family, Finding, Kind
from newsletter.ports import Provider

PROVIDER = Family(
    "provider",
    {
        "unanswered": Kind("warning", "Whether a campaign would be taken is not known."),
        "key": Kind("error", "Without a key that is good there, nothing is taken."),
        "account": Kind("error", "An account that is held back sends nothing."),
        "sandbox": Kind("error", "In the sandbox only addresses you have verified get anything."),
        "quota": Kind("error", "A campaign stops in the middle when the quota is used up."),
        "domain": Kind("error", "Mail from a domain the provider has not verified is refused, or goes unsigned."),
        "stream": Kind("error", "Letters and confirmations must not share a stream made for one of them."),
        "tracking": Kind("error", "Links are rewritten, or a pixel is put in: somebody else learns who reads."),
        "unsubscribe": Kind("warning", "Readers who leave by the provider's own link are not known here."),
        "events": Kind("warning", "Bounces and complaints are not heard, so the mail to them goes on."),
        "configuration": Kind("error", "The provider would refuse what we send."),
        "other": Kind("warning", "The provider says so itself."),
    },
)


def look(providers: tuple[Provider, ...], readers: int) -> list[Finding]:
    """What each provider says of our account. In: how many readers a letter has."""
    found: list[Finding] = []
    for provider in {id(one): one for one in providers}.values():
        try:
            said = provider.check(readers)
        except Exception as problem:  # noqa: BLE001 -- it may be anybody's code
            what = f"{provider.name} could not be asked ({type(problem).__name__})."
            found.append(PROVIDER.found("unanswered", what, "Run doctor again; then look at the provider's own page."))
            continue
        for one in said:
            name = one.id if one.id in PROVIDER.kinds else "other"
            kind = PROVIDER.kinds[name]
            what = f"{provider.name}: {one.what}"
            found.append(Finding(f"provider.{name}", one.level, what, kind.why, one.fix or "Look at its own page."))
    return list(dict.fromkeys(found))  # letters and confirmations may go through two streams of one account
