"""What the columns of somebody's list mean, and what each row says of its person.

In: the head of a CSV file. Out: whose export it is, which cell is what, and where a row's person stands. Pure: no
file, no clock. What is not certain is judged against writing to somebody.

Where the heads were read, November 2026 (a repository's fixture, test or the writing program itself):

    Mailchimp   TryGhost/migrate, packages/mg-mailchimp-members/src/test/fixtures/{subscribed,unsubscribed,cleaned}.csv
    beehiiv     TryGhost/migrate, packages/mg-beehiiv-members/src/test/fixtures/members.csv
    Substack    TryGhost/migrate, packages/mg-substack-members-csv/test/fixtures/*.csv; its newer, long table is read
                by several programs that name its column "Emails received (6mo)"
    Ghost       TryGhost/Ghost, members CSV `unparse` and its test: id,email,name,note,subscribed_to_emails,...
    listmonk    knadh/listmonk, cmd/subscribers.go, the export handler: uuid,email,name,attributes,status,...
    Buttondown  the words of buttondown/openapi enums.json (SubscriberType); the head from a program that reads it
    Kit         the words and names of developers.kit.com, "List subscribers"; the head from a program that reads it
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from newsletter.core.consent import Reason


class Meaning(StrEnum):
    """What a column is to us. The value is the name that `--map THEIRS=OURS` knows it by."""

    EMAIL = "email"
    FIRST_NAME = "first_name"
    LAST_NAME = "last_name"
    NAME = "name"
    LANG = "lang"
    TOPICS = "topics"
    TAGS = "tags"
    STATUS = "status"
    ON = "subscribed"  # yes or no
    OFF = "unsubscribed"  # yes or no
    ASKED_AT = "asked_at"
    CONFIRMED_AT = "confirmed_at"
    LEFT_AT = "left_at"
    WHY_LEFT = "why_left"
    CONSENT_AT = "consent_at"
    CONSENT_FORM = "consent_form"
    CONSENT_WORDING = "consent_wording"
    OLD_ID = "old_id"
    OLD_URL = "unsubscribe_url"


class Standing(StrEnum):
    """Where a file says that somebody stands."""

    READER = "reader"
    WAITING = "waiting"  # asked, and never confirmed
    NEVER = "never"  # is on file for another reason, and did not ask
    UNSUBSCRIBED = "unsubscribed"
    BOUNCED = "bounced"
    COMPLAINED = "complained"
    OWNER = "owner"

    @property
    def reason(self) -> Reason | None:
        """Why the address must not be mailed, when the file says so."""
        return _REASONS.get(self)


_REASONS = {
    Standing.UNSUBSCRIBED: Reason.UNSUBSCRIBED,
    Standing.BOUNCED: Reason.BOUNCED,
    Standing.COMPLAINED: Reason.COMPLAINED,
    Standing.OWNER: Reason.OWNER,
}

WORDS: Mapping[str, Standing] = {
    word: standing
    for standing, words in {
        Standing.READER: "active subscribed enabled confirmed reader yes true opted_in optin regular premium paid free"
        " comp gift gifted trialed unpaid churning paused past_due cold",
        Standing.WAITING: "pending unconfirmed unactivated waiting validating needs_attention",
        Standing.NEVER: "nonsubscribed non_subscribed transactional never spammy",
        Standing.UNSUBSCRIBED: "unsubscribed unsub left cancelled canceled inactive disabled blocklisted blacklisted"
        " opted_out optout opt_out archived deleted no false suppressed",
        Standing.BOUNCED: "bounced bounce hard_bounced cleaned undeliverable invalid",
        Standing.COMPLAINED: "complained complaint spam abuse spam_complaint junk",
        Standing.OWNER: "owner removed blocked banned",
    }.items()
    for word in words.split()
}
"""Status words, as `key` spells them. Ours are among them. A word that means two things has the one that is careful:
`inactive` is who left at beehiiv and who never confirmed at Kit; listmonk's `blocklisted` may be the person's own wish,
which only they can take back."""

_CONFIRMED_ELSEWHERE = {"inactive": Standing.WAITING}

_NAMES: Mapping[str, Meaning] = {
    name: meaning
    for meaning, names in {
        Meaning.EMAIL: "email email_address e_mail e_mail_address emailaddress subscriber_email",
        Meaning.FIRST_NAME: "first_name firstname fname given_name",
        Meaning.LAST_NAME: "last_name lastname lname surname family_name",
        Meaning.NAME: "name full_name",
        Meaning.LANG: "lang language locale",
        Meaning.TOPICS: "topics",
        Meaning.TAGS: "tags labels",
        Meaning.STATUS: "status subscription_status subscriber_type",
        Meaning.ON: "subscribed subscribed_to_emails",
        Meaning.OFF: "unsubscribed email_disabled",
        Meaning.ASKED_AT: "asked_at optin_time opt_in_time optin_at opted_in_at",
        Meaning.CONFIRMED_AT: "confirmed_at confirm_time",
        Meaning.LEFT_AT: "left_at unsub_time unsubscribed_at unsubscription_date clean_time deleted_at",
        Meaning.WHY_LEFT: "why_left unsub_reason",
        Meaning.CONSENT_AT: "consent_at consent_time",
        Meaning.CONSENT_FORM: "consent_form consent_source",
        Meaning.CONSENT_WORDING: "consent_wording consent_text",
        Meaning.OLD_ID: "old_id uuid",
        Meaning.OLD_URL: "unsubscribe_url unsubscribe_link",
    }.items()
    for name in names.split()
}


@dataclass(frozen=True)
class System:
    """One kind of export: the columns that tell it, and what is particular to it."""

    name: str
    told_by: frozenset[str]
    default: Standing = Standing.READER
    names: Mapping[str, Meaning] = field(default_factory=dict)
    words: Mapping[str, Standing] = field(default_factory=dict)


def _told_by(names: str) -> frozenset[str]:
    return frozenset(names.split())


PLAIN = System("plain", frozenset())
_KIT = {"state": Meaning.STATUS}
_TYPE = {"type": Meaning.STATUS}

SYSTEMS = (  # the first whose columns are all there
    System("Mailchimp, unsubscribed", _told_by("email_address optin_time unsub_time"), Standing.UNSUBSCRIBED),
    System("Mailchimp, cleaned", _told_by("email_address optin_time clean_time"), Standing.BOUNCED),
    System("Mailchimp", _told_by("email_address optin_time confirm_time")),
    System("Substack", _told_by("email active_subscription expiry")),
    System("Substack", _told_by("email expiry email_disabled type")),
    System("Substack", _told_by("email type emails_received_6mo")),
    System("Ghost", _told_by("email subscribed_to_emails complimentary_plan")),
    System("listmonk", _told_by("uuid email attributes status")),
    System("Buttondown", _told_by("email subscriber_type")),
    System("Buttondown", _told_by("email_address type creation_date"), names=_TYPE),
    System("beehiiv", _told_by("email status created_at tier")),
    System("beehiiv", _told_by("email status created_at subscription_tier")),
    System("Kit", _told_by("email_address state created_at"), names=_KIT, words=_CONFIRMED_ELSEWHERE),
    System("Kit", _told_by("email first_name state created_at tags"), names=_KIT, words=_CONFIRMED_ELSEWHERE),
)


def key(name: str) -> str:
    """A column's name, or a status word, as it is compared: lower case, words joined by `_`."""
    return re.sub(r"[\W_]+", "_", name.casefold()).strip("_")


def system(head: Sequence[str], file: str = "") -> System:
    """Whose export a file is. In: its head; its name, which alone tells a Mailchimp file of people who never asked."""
    there = {key(name) for name in head}
    found = next((one for one in SYSTEMS if one.told_by <= there), PLAIN)
    if found.name == "Mailchimp" and key(file).startswith(("nonsubscribed", "non_subscribed")):
        return System("Mailchimp, not subscribed", found.told_by, Standing.NEVER)
    return found


class Unclear(ValueError):
    """A status word that nobody can place. `word` is as the file spells it."""

    def __init__(self, word: str) -> None:
        super().__init__(word)
        self.word = word


@dataclass(frozen=True)
class Layout:
    """Where each meaning stands in the rows of one file."""

    system: System
    place: Mapping[Meaning, int]
    columns: Mapping[str, Meaning]  # the file's names for what is used
    unused: tuple[str, ...]
    words: Mapping[str, Standing]

    @property
    def judges(self) -> bool:
        """Whether a row's standing has to be looked up: a file without any such column is quick."""
        return any(meaning in self.place for meaning in _JUDGED)

    def standing(self, cells: Sequence[str]) -> Standing:
        """Where a row's person stands. In: stripped cells, as many as columns. Raises: Unclear."""
        found = self.system.default
        if word := self.cell(cells, Meaning.STATUS):
            if key(word) not in self.words:
                raise Unclear(word)
            found = _worse(found, self.words[key(word)])
        if key(self.cell(cells, Meaning.ON)) in _NO or key(self.cell(cells, Meaning.OFF)) in _YES:
            found = _worse(found, Standing.UNSUBSCRIBED)
        if found.reason is None and self.cell(cells, Meaning.LEFT_AT):
            found = _worse(found, Standing.UNSUBSCRIBED)
        if found is Standing.UNSUBSCRIBED and _SPAM.search(self.cell(cells, Meaning.WHY_LEFT)):
            return Standing.COMPLAINED
        return found

    def cell(self, cells: Sequence[str], meaning: Meaning) -> str:
        """What a row says there; empty where the file has no such column."""
        at = self.place.get(meaning)
        return cells[at] if at is not None else ""


_JUDGED = (Meaning.STATUS, Meaning.ON, Meaning.OFF, Meaning.LEFT_AT)
_YES, _NO = frozenset({"true", "yes", "1", "y", "t"}), frozenset({"false", "no", "0", "n", "f"})
_SPAM = re.compile(r"spam|abuse", re.IGNORECASE)
_WORST_LAST = (
    Standing.READER,
    Standing.WAITING,
    Standing.NEVER,
    Standing.BOUNCED,
    Standing.UNSUBSCRIBED,
    Standing.OWNER,
    Standing.COMPLAINED,
)


def _worse(one: Standing, other: Standing) -> Standing:
    return max(one, other, key=_WORST_LAST.index)


def worst(standings: Sequence[Standing]) -> Standing:
    """What holds for somebody who stands in a file several times."""
    return max(standings, key=_WORST_LAST.index)


def layout(head: Sequence[str], mapped: Mapping[str, str], file: str = "") -> Layout:
    """Read a head.

    In: the head as the file spells it; `mapped`, columns by name to our names (it wins over what is recognised), and
    status words to those we know, as `status:WORD`; the file's name. Out: the layout; whether it has a column of
    addresses is the caller's to ask.
    Raises: KeyError with a name of `mapped` that the file does not have, ValueError with one of ours there is not.
    """
    found = system(head, file)
    named = {theirs: ours for theirs, ours in mapped.items() if key(theirs.partition(":")[0]) not in _PREFIXES}
    there = [key(name) for name in head]
    for theirs in named:
        if key(theirs) not in there:
            raise KeyError(theirs)
    place: dict[Meaning, int] = {}
    by_map = {key(theirs): Meaning(key(ours)) for theirs, ours in named.items()}
    taken = {*by_map.values()}
    for at, name in enumerate(there):
        meaning = by_map.get(name) or found.names.get(name) or _NAMES.get(name)
        if meaning is not None and meaning not in place and (name in by_map or meaning not in taken):
            place[meaning] = at
    names = {head[at]: meaning for meaning, at in place.items()}
    return Layout(
        found,
        place,
        names,
        tuple(name for at, name in enumerate(head) if name and at not in place.values()),
        {**WORDS, **found.words, **_words(mapped)},
    )


_PREFIXES = frozenset({"status", "tag", "label"})
"""`--map status:VIP=active` is about a word in a column, `--map tag:VIP=trips` about a tag; neither names a column."""


def _words(mapped: Mapping[str, str]) -> dict[str, Standing]:
    """What a status word means, in one of the words that are known."""
    found = {}
    for word, ours in _about(mapped, "status").items():
        if key(ours) not in WORDS:
            raise ValueError(ours)
        found[word] = WORDS[key(ours)]
    return found


def _about(mapped: Mapping[str, str], *prefixes: str) -> dict[str, str]:
    parts = ((theirs.partition(":"), ours) for theirs, ours in mapped.items())
    return {key(word): ours for (prefix, colon, word), ours in parts if colon and key(prefix) in prefixes}


def tags(cell: str) -> tuple[str, ...]:
    """The tags of a cell: Mailchimp writes `"A","B"`, others a list in brackets, or names between commas."""
    parts = (part.strip(" \"'[]") for part in re.split(r"[,;|]", cell))
    return tuple(dict.fromkeys(part for part in parts if part))


def tag_topics(mapped: Mapping[str, str]) -> dict[str, str]:
    """Which tag gives which topic, each tag as `key` spells it."""
    return _about(mapped, "tag", "label")
