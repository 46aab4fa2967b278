"""Doctor's look at the settings: is this a set-up that readers can be served from?

In: what the settings say, without a secret in it. Out: findings. Reads the files of the publication's folder.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from newsletter.core.delivery import on_this_machine
from newsletter.core.publication import Publication
from newsletter.flows.doctor.finding import Family, Finding, Kind

Webhook = Literal["set", "unset", "broken", "none"]

CONFIG = Family(
    "config",
    {
        "settings": Kind("error", "The program does not start with settings it does not understand."),
        "base-url-local": Kind("error", "Every link in a mail leads to this address, and no reader can open it."),
        "base-url-plain": Kind("error", "Mail programs ask for https before they show a one-click way out (RFC 8058)."),
        "free-mail": Kind("error", "Mail in the name of a free mailbox is refused unless that mailbox sends it."),
        "sender-name": Kind("warning", "Readers see a bare address instead of who writes."),
        "no-reply": Kind("warning", "Who answers a letter, or asks to leave by an answer, is not heard."),
        "address-missing": Kind("error", "The law asks for a postal address in every letter (CAN-SPAM, CASL)."),
        "address-sample": Kind("error", "Letters would go out under an address that is not yours."),
        "owner-missing": Kind("warning", "When a letter stops, or does not go, nobody is told."),
        "key-short": Kind("error", "A short key can be guessed, and with it every confirmation and download link."),
        "keys-made": Kind("warning", "Both are part of every backup: without them old links end, and leavers return."),
        "secrets-open": Kind("warning", "Others on this machine can read the secrets or the list in it."),
        "secrets-tracked": Kind("error", "Whoever has the repository has the keys, and its history keeps them."),
        "secrets-unguarded": Kind("warning", "One careless `git add .` puts the secrets into the repository."),
        "webhook-unset": Kind("warning", "Bounces and complaints are not heard, so the mail to them goes on."),
        "webhook-broken": Kind("error", "With a secret that cannot be read, every event of the provider is refused."),
        "nothing-leaves": Kind("note", "The outbox is for trying things: readers get nothing."),
    },
)

_FREE_MAIL = re.compile(
    r"(?:aol|gmail|googlemail|hotmail|icloud|live|me|msn|outlook|protonmail|yahoo)\.com|proton\.me|gmx\.(?:de|net|at|ch)"
    r"|web\.de|yahoo\.[a-z.]+|hotmail\.[a-z.]+|mail\.ru|yandex\.ru"
)
_SAMPLES = ("1 sample street", "sampletown", "123 main st", "your address", "street, town")
_KEY_LENGTH = 32
_NO_REPLY = re.compile(r"(?:do.?not|no).?reply", re.IGNORECASE)
_OTHERS = 0o077
_SECRETS = (
    r"SG\.[A-Za-z0-9_-]{16,}\.[A-Za-z0-9_-]{16,}|xkeysib-[0-9a-f]{32,}|re_[A-Za-z0-9]{8,}_[A-Za-z0-9]{16,}"
    r"|AKIA[0-9A-Z]{16}|key-[0-9a-f]{32}|whsec_[A-Za-z0-9+/=]{24,}|NEWSLETTER_(SECRET_KEYS|SUPPRESSION_KEY)=['\"]?[A-Za-z0-9_-]{24,}"
)
"""How the keys of providers look, as an extended regular expression for git."""


@dataclass(frozen=True)
class Setup:
    """What doctor is told of the settings. Of secrets only their length, and whether they are there."""

    root: Path
    publication: Publication
    base_url: str
    provider: str
    network: bool  # whether the provider's mail leaves this machine
    owner: bool = False
    key_lengths: Sequence[int] = ()  # of the keys set by hand
    suppression_length: int | None = None
    webhooks: Mapping[str, Webhook] = field(default_factory=dict)  # by provider

    @property
    def public(self) -> bool:
        """Whether readers are meant to reach it."""
        return self.network or not on_this_machine(urlsplit(self.base_url).hostname or "")


def look(setup: Setup) -> list[Finding]:
    """Every fault of the settings, each once."""
    parts = (_web(setup), _senders(setup), _law(setup), _keys(setup), _files(setup), _webhooks(setup))
    return [finding for part in parts for finding in part]


def _web(setup: Setup) -> Iterator[Finding]:
    parts = urlsplit(setup.base_url)
    local = on_this_machine(parts.hostname or "")
    if not setup.public:
        said = f"Mail goes to {setup.provider}, and nothing leaves this machine."
        yield CONFIG.found("nothing-leaves", said, "For readers choose a provider (docs/providers.md).")
    elif local and setup.network:
        said = f"NEWSLETTER_BASE_URL is {setup.base_url}."
        yield CONFIG.found("base-url-local", said, "Set it to the public address of the web side (https://...).")
    elif parts.scheme != "https" and not local:
        said = f"NEWSLETTER_BASE_URL is {setup.base_url}."
        yield CONFIG.found("base-url-plain", said, "Let a web server in front speak HTTPS (deploy/), and write https.")


def _senders(setup: Setup) -> Iterator[Finding]:
    for key, sender in setup.publication.senders.items():
        domain = sender.email.rpartition("@")[2].lower()
        if _FREE_MAIL.fullmatch(domain):
            said = f"The sender {key} writes from {domain}."
            yield CONFIG.found("free-mail", said, "Write from a domain of your own, and let answers go to the mailbox.")
        if not sender.name.strip():
            said = f"The sender {key} has no name."
            yield CONFIG.found("sender-name", said, f"Set senders: {key}: name: in newsletter.yml.")
        answered = sender.reply_to or sender.email
        if _NO_REPLY.match(answered):
            said = f"Answers to the sender {key} go to an address that is not read."
            yield CONFIG.found("no-reply", said, f"Set senders: {key}: reply_to: to a mailbox that is.")


def _law(setup: Setup) -> Iterator[Finding]:
    address = setup.publication.footer.address.strip()
    fix = "Set footer: address: in newsletter.yml."
    if not address:
        yield CONFIG.found("address-missing", "There is no postal address.", fix)
    elif any(sample in " ".join(address.lower().split()) for sample in _SAMPLES):
        yield CONFIG.found("address-sample", "The postal address is the one of the example.", fix)
    if setup.public and not setup.owner:
        yield CONFIG.found("owner-missing", "Nobody is told of anything.", "Set NEWSLETTER_OWNER__EMAIL.")


def _keys(setup: Setup) -> Iterator[Finding]:
    fix = 'Make one: python3 -c "import secrets; print(secrets.token_urlsafe(32))"'
    if any(length < _KEY_LENGTH for length in setup.key_lengths):
        said = f"A key of NEWSLETTER_SECRET_KEYS is shorter than {_KEY_LENGTH} characters."
        yield CONFIG.found("key-short", said, f"{fix}, and put it in front of the others.")
    if setup.suppression_length is not None and setup.suppression_length < _KEY_LENGTH:
        said = f"NEWSLETTER_SUPPRESSION_KEY is shorter than {_KEY_LENGTH} characters."
        yield CONFIG.found("key-short", said, "It cannot be changed once people have left: start with a longer one.")
    if setup.public and (not setup.key_lengths or setup.suppression_length is None):
        made = [
            name
            for name, given in (("secret.key", setup.key_lengths), ("suppression.key", setup.suppression_length))
            if not given
        ]
        said = f"{' and '.join(f'var/{name}' for name in made)} were made by the program itself."
        yield CONFIG.found(
            "keys-made",
            said.replace(" were ", " was ") if len(made) == 1 else said,
            "Set NEWSLETTER_SECRET_KEYS and NEWSLETTER_SUPPRESSION_KEY to what is in them.",
        )


def _files(setup: Setup) -> Iterator[Finding]:
    var, env = setup.root / "var", setup.root / ".env"
    for path in (env, *sorted(var.glob("*.key")), *sorted(var.glob("*.db"))):
        if path.is_file() and path.stat().st_mode & _OTHERS:
            name = path.relative_to(setup.root)
            said = f"{name} may be read by others."
            yield CONFIG.found("secrets-open", said, f"chmod 600 {name}")
    yield from _tracked(setup.root, env)


def _tracked(root: Path, env: Path) -> Iterator[Finding]:
    if not shutil.which("git") or _git(root, "rev-parse", "--is-inside-work-tree") != "true":
        return
    held = set(filter(None, _git(root, "grep", "-lIE", "-e", _SECRETS, "--", ".", ":!tests").splitlines()))
    held |= set(filter(None, _git(root, "ls-files", "--", ".env", "var").splitlines()))
    if held:
        names = ", ".join(sorted(held)[:5])
        fix = "Take it out (git rm --cached), and make new keys at the provider: the old ones are known."
        yield CONFIG.found("secrets-tracked", f"git holds {names}.", fix)
    elif env.is_file() and not _git(root, "check-ignore", ".env"):
        yield CONFIG.found("secrets-unguarded", "git does not ignore .env.", "Write .env into .gitignore.")


def _git(root: Path, *words: str) -> str:
    """What git says, or "" when it says no."""
    try:
        done = subprocess.run(  # noqa: S603 -- words of ours only
            ["git", "-C", str(root), *words],  # noqa: S607 -- the git of whoever runs this
            capture_output=True,
            text=True,
            timeout=10,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip()


def _webhooks(setup: Setup) -> Iterator[Finding]:
    variable = f"NEWSLETTER_{setup.provider.upper()}__"
    state = setup.webhooks.get(setup.provider, "none")
    if state == "unset":
        said = f"{setup.provider} has no way to tell what became of a mail."
        fix = (
            f"Register {setup.base_url.rstrip('/')}/webhooks/{setup.provider} there, and set its secret ({variable}…)."
        )
        yield CONFIG.found("webhook-unset", said, fix)
    for name, one in setup.webhooks.items():
        if one == "broken":
            said = f"The webhook secret of {name} cannot be read."
            yield CONFIG.found("webhook-broken", said, "Copy it from the provider once more, whole.")
