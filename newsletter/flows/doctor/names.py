"""Doctor's look at the domain name system: would a receiver believe that this mail is ours?

In: the address letters come from, what the provider signs with, the web side's host, a resolver. Out: findings.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from newsletter.core.delivery import Signing
from newsletter.flows.doctor import dkim, dmarc, spf
from newsletter.flows.doctor.finding import Family, Finding, Kind
from newsletter.flows.doctor.zone import Resolver, Unanswered

_UNSIGNED = "Gmail, Yahoo and Outlook refuse or hide mail whose sender they cannot verify."

DNS = Family(
    "dns",
    {
        "unanswered": Kind("warning", "Nothing can be said about the records behind it."),
        "spf-missing": Kind("error", _UNSIGNED),
        "spf-several": Kind("error", "With two records a receiver uses neither (RFC 7208 4.5)."),
        "spf-lookups": Kind("error", "Over ten lookups a receiver gives up and SPF fails (RFC 7208 4.6.4)."),
        "spf-void": Kind("error", "Over two lookups that find nothing a receiver gives up (RFC 7208 4.6.4)."),
        "spf-wrong": Kind("error", "A record with an error in it fails as a whole (RFC 7208 4.6)."),
        "spf-anyone": Kind("error", "Anybody may then send in your name, and receivers know it."),
        "spf-open": Kind("warning", "A record that does not end says nothing about strangers, so it protects nobody."),
        "spf-provider": Kind("error", "Mail through this provider fails SPF."),
        "spf-ptr": Kind("warning", "Receivers are told not to use it (RFC 7208 5.5), and it is slow."),
        "dkim-missing": Kind("error", _UNSIGNED),
        "dkim-unknown": Kind("note", "The signature cannot be looked up without the name of its key."),
        "dkim-revoked": Kind("error", "An empty key means that it was taken back: every signature fails."),
        "dkim-unreadable": Kind("error", "A key nobody can read verifies nothing."),
        "dkim-several": Kind("error", "With two records at one name a receiver may take the wrong one (RFC 6376)."),
        "dkim-other": Kind("error", "A key that is not for mail, or not for the hash in use, verifies nothing."),
        "dkim-short": Kind("error", "Receivers must not believe keys under 1024 bits (RFC 8301)."),
        "dkim-weak": Kind("warning", "1024 bits still pass; 2048 are advised (RFC 8301 3.2)."),
        "dkim-testing": Kind("warning", "t=y tells receivers to treat the mail as if it were not signed."),
        "dmarc-missing": Kind("error", "Gmail, Yahoo and Outlook ask bulk senders for a DMARC record."),
        "dmarc-several": Kind("error", "With two records a receiver uses neither (RFC 9989 4.10)."),
        "dmarc-policy": Kind("error", "Without a policy they know, receivers treat it as none, or as no record."),
        "dmarc-dead-tags": Kind("warning", "RFC 9989 took them out: pct=10 no longer means a tenth, it means nothing."),
        "dmarc-testing": Kind("note", "t=y asks receivers not to act on the policy yet (RFC 9989 4.7)."),
        "dmarc-none": Kind("note", "p=none is enough to be let in; it keeps nobody from writing in your name."),
        "dmarc-reports": Kind("note", "Without rua= nobody tells you who sends in your name."),
        "dmarc-reports-wrong": Kind("warning", "Reports go to addresses that begin with mailto: alone (RFC 9990)."),
        "dmarc-reports-refused": Kind(
            "warning", "Reports to another organisation are only sent where it has agreed (RFC 9990)."
        ),
        "dmarc-unaligned": Kind("warning", "Unless DKIM signs in the name readers see, DMARC fails."),
        "no-mail": Kind("warning", "Readers press reply: their answers come back as undeliverable."),
        "no-host": Kind("error", "Every link in every mail leads to the web side."),
    },
)

_RSA_LEAST, _RSA_ADVISED = 1024, 2048
_DEAD = ("pct", "rf", "ri")


@dataclass(frozen=True)
class Mail:
    """What is looked at. `domain` stands after the @ of From; `host` is the web side's, "" when there is none."""

    domain: str
    signing: Signing
    reply_domain: str = ""
    host: str = ""


def look(mail: Mail, zone: Resolver) -> list[Finding]:
    """Every fault of the zone, each once."""
    found: list[Finding] = []
    for part in (_spf, _dkim_and_dmarc, _answers, _host):
        try:
            found += part(mail, zone)
        except Unanswered as problem:
            said = f"The name servers did not answer ({problem})."
            found.append(DNS.found("unanswered", said, "Run doctor again; if it stays, ask who hosts your DNS."))
    return found


# --- SPF -----------------------------------------------------------------------------------------------------


def _envelope(mail: Mail) -> str:
    """The domain bounces go to, which is the one SPF is read of. "" when it is the provider's own."""
    path = mail.signing.return_path
    return path.replace("{domain}", mail.domain) if path else ""


def _spf(mail: Mail, zone: Resolver) -> Iterator[Finding]:
    domain = _envelope(mail)
    if not domain:
        return
    texts = spf.records(domain, zone)
    if not texts:
        wanted = f" include:{mail.signing.spf}" if mail.signing.spf else ""
        yield DNS.found(
            "spf-missing",
            f"{domain} has no SPF record.",
            f'Add a TXT record to {domain}: "v=spf1{wanted} ~all"'
            + ("." if wanted else ", with ip4: and ip6: of the servers that send before ~all."),
        )
        return
    if len(texts) > 1:
        said = f"{domain} has {len(texts)} SPF records."
        yield DNS.found("spf-several", said, "Put what they say into one TXT record, and remove the others.")
        return
    yield from _one_spf(domain, texts[0], mail.signing, zone)


def _one_spf(domain: str, text: str, signing: Signing, zone: Resolver) -> Iterator[Finding]:
    count = spf.Count(path=(domain,))
    spf.walk(text, domain, zone, count)
    where = f"The SPF record of {domain}"
    if count.lookups > spf.LOOKUPS:
        said = f"{where} takes more than {spf.LOOKUPS} lookups."
        yield DNS.found("spf-lookups", said, "Remove include: of services you no longer use.")
        return
    if count.wrong:
        yield DNS.found("spf-wrong", f"{where} cannot be followed: {count.wrong}.", "Mend or remove that part of it.")
        return
    if count.void > spf.VOID:
        said = f"{where} leads {count.void} times to nothing."
        yield DNS.found("spf-void", said, "Remove the include:, a: and mx: whose names are gone.")
    if any(term.name == "ptr" for term in spf.terms(text)):
        yield DNS.found("spf-ptr", f"{where} uses ptr.", "Name the servers by ip4:, ip6: or a:.")
    if count.anyone:
        yield DNS.found("spf-anyone", f"{where} lets anybody in.", "Let it end in ~all, and name only your servers.")
    elif count.ends == "?":
        yield DNS.found("spf-open", f"{where} ends in ?all.", "Let it end in ~all.")
    elif not count.ends:
        yield DNS.found("spf-open", f"{where} does not end.", "Let it end in ~all.")
    if signing.spf and signing.spf not in count.includes:
        fix = f"Add include:{signing.spf} to it, before the end."
        yield DNS.found("spf-provider", f"{where} does not let the provider in.", fix)


# --- DKIM and DMARC ------------------------------------------------------------------------------------------


def _dkim_and_dmarc(mail: Mail, zone: Resolver) -> Iterator[Finding]:
    records = dmarc.walk(mail.domain, zone)
    keys: list[dkim.Key] = []
    for domain in _over(mail.domain, records):  # a key above counts where the domain itself has none
        keys = keys or _keys(domain, mail.signing.selectors, zone)
    yield from _keys_said(mail, keys)
    yield from _dmarc(mail, records, zone)
    if not mail.signing.selectors:
        yield from _by_envelope(mail, records, zone)


def _by_envelope(mail: Mail, records: tuple[dmarc.Record, ...], zone: Resolver) -> Iterator[Finding]:
    """Of a signature nothing is known: then SPF should do, and for that bounces must go to a name of ours."""
    record, envelope = dmarc.policy(mail.domain, records), _envelope(mail)
    if not record or not envelope:
        return
    strict = record.tags.get("aspf", "r").lower() == "s"
    if not dmarc.aligned(mail.domain, envelope, zone, strict=strict):
        yield DNS.found(
            "dmarc-unaligned",
            f"Letters come from {mail.domain}, and bounces go to {envelope}, which is another organisation.",
            f"Sign with DKIM for {mail.domain}, or take bounces at a name under it.",
        )


def _over(domain: str, records: tuple[dmarc.Record, ...]) -> tuple[str, ...]:
    """Where a key may stand that DMARC takes for this domain: itself and its parents up to its organisation."""
    top = dmarc.organisation(domain, records)
    strict = (found := dmarc.policy(domain, records)) and found.tags.get("adkim", "r").lower() == "s"
    names = tuple(step for step in dmarc.steps(domain) if step == top or step.endswith("." + top))
    return (domain,) if strict else names


def _keys(domain: str, selectors: tuple[str, ...], zone: Resolver) -> list[dkim.Key]:
    found = [dkim.key(domain, selector, zone) for selector in selectors]
    return [key for key in found if key]


def _keys_said(mail: Mail, keys: list[dkim.Key]) -> Iterator[Finding]:
    selectors = mail.signing.selectors
    if not selectors:
        yield DNS.found(
            "dkim-unknown",
            "This provider chooses the name of its DKIM key by itself, so it was not looked up.",
            f"Copy the selector from its page about {mail.domain} into NEWSLETTER_DNS__SELECTORS.",
        )
        return
    if not keys:
        yield DNS.found(
            "dkim-missing",
            f"{mail.domain} has no DKIM key at {' or '.join(f'{name}._domainkey' for name in selectors)}.",
            "Add the records that the provider shows for this domain, or name another selector in "
            "NEWSLETTER_DNS__SELECTORS.",
        )
        return
    for key in keys:
        yield from _key(key)


def _key(key: dkim.Key) -> Iterator[Finding]:
    where = f"The DKIM key {key.selector}._domainkey.{key.domain}"
    again = "Make a new key at the provider, and put its record there."
    if key.several:
        yield DNS.found("dkim-several", f"{where} has {key.several} records.", "Keep the one the provider shows.")
    elif key.other:
        yield DNS.found("dkim-other", f"{where} says {key.other}.", "Copy its record from the provider once more.")
    elif key.revoked:
        yield DNS.found("dkim-revoked", f"{where} is empty.", again)
    elif not key.bits:
        yield DNS.found("dkim-unreadable", f"{where} cannot be read.", "Copy its record from the provider once more.")
    elif not key.elliptic and key.bits < _RSA_LEAST:
        yield DNS.found("dkim-short", f"{where} has {key.bits} bits.", again)
    elif not key.elliptic and key.bits < _RSA_ADVISED:
        yield DNS.found("dkim-weak", f"{where} has {key.bits} bits.", "Change to 2048 bits where the provider can.")
    if key.testing:
        yield DNS.found("dkim-testing", f"{where} says t=y.", "Remove t=y from its record.")


def _dmarc(mail: Mail, records: tuple[dmarc.Record, ...], zone: Resolver) -> Iterator[Finding]:
    for domain in dmarc.steps(mail.domain)[:-1]:
        several = len(dmarc.published(domain, zone))
        if several > 1:
            yield DNS.found("dmarc-several", f"_dmarc.{domain} has {several} DMARC records.", "Keep one.")
            return
        if several:
            break
    record = dmarc.policy(mail.domain, records)
    if record is None:
        yield DNS.found(
            "dmarc-missing",
            f"Neither {mail.domain} nor a domain above it has a DMARC record.",
            f'Add a TXT record to _dmarc.{mail.domain}: "v=DMARC1; p=none; rua=mailto:dmarc@{mail.domain}".',
        )
        return
    yield from _policy(mail, record)
    yield from _reports(record, zone)


def _policy(mail: Mail, record: dmarc.Record) -> Iterator[Finding]:
    where = f"The DMARC record of {record.domain}"
    above = record.domain != mail.domain
    holds = (above and record.tags.get("sp")) or record.tags.get("p", "")
    if holds.lower() not in {"none", "quarantine", "reject"}:
        said = f'{where} has the policy "{holds}".' if holds else f"{where} has no policy."
        yield DNS.found("dmarc-policy", said, "Write p=none, p=quarantine or p=reject.")
    elif holds.lower() == "none":
        yield DNS.found(
            "dmarc-none", f"{where} says p=none.", "When its reports show only your own mail: p=quarantine."
        )
    if dead := [tag for tag in _DEAD if tag in record.tags]:
        said = f"{where} uses {' and '.join(f'{tag}=' for tag in dead)}."
        yield DNS.found("dmarc-dead-tags", said, "Remove it; to try a policy without effect write t=y.")
    if record.tags.get("t", "n").lower() == "y":
        yield DNS.found("dmarc-testing", f"{where} says t=y.", "Remove it when the reports look right.")


def _reports(record: dmarc.Record, zone: Resolver) -> Iterator[Finding]:
    targets = [target.strip() for target in record.tags.get("rua", "").split(",") if target.strip()]
    if not targets:
        said = f"The DMARC record of {record.domain} asks for no reports."
        yield DNS.found("dmarc-reports", said, "Add rua=mailto: and an address for reports.")
    mails = [target for target in targets if target.lower().startswith("mailto:")]
    if len(mails) < len(targets):
        said = f"The DMARC record of {record.domain} asks for reports at something that is no mailto:."
        yield DNS.found("dmarc-reports-wrong", said, "Write rua=mailto: and an address.")
    domains = {target.rpartition("@")[2].partition("!")[0].lower() for target in mails}
    for other in sorted(domains):
        if dmarc.aligned(record.domain, other, zone, strict=False):
            continue
        agreed = zone.ask(f"{record.domain}._report._dmarc.{other}", "TXT") or zone.ask(
            f"*._report._dmarc.{other}", "TXT"
        )
        if not any(text.lower().startswith("v=dmarc1") for text in agreed):
            yield DNS.found(
                "dmarc-reports-refused",
                f"{other} has not agreed to take the DMARC reports of {record.domain}.",
                f'Let {other} add a TXT record to {record.domain}._report._dmarc.{other}: "v=DMARC1".',
            )


# --- where answers and links go -----------------------------------------------------------------------------


def _answers(mail: Mail, zone: Resolver) -> Iterator[Finding]:
    for domain in dict.fromkeys(filter(None, (mail.domain, mail.reply_domain))):
        servers = zone.ask(domain, "MX")
        null = all(server.split()[-1] == "." or server.strip() == "0" for server in servers)  # RFC 7505
        if servers and not null and any(_has_address(server.split()[-1].rstrip("."), zone) for server in servers):
            continue
        if not servers and (zone.ask(domain, "A") or zone.ask(domain, "AAAA")):  # RFC 5321 5.1: the host itself
            continue
        said = f"{domain} takes no mail."
        yield DNS.found("no-mail", said, f"Add an MX record to {domain}, or write from an address that is read.")


def _has_address(host: str, zone: Resolver) -> bool:
    return bool(zone.ask(host, "A") or zone.ask(host, "AAAA"))


def _host(mail: Mail, zone: Resolver) -> Iterator[Finding]:
    if mail.host and not (zone.ask(mail.host, "A") or zone.ask(mail.host, "AAAA")):
        said = f"{mail.host} has no address."
        yield DNS.found("no-host", said, "Add an A or AAAA record that leads to the server of the web side.")
