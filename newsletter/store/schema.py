"""The tables. Migrations make them (`migrations/`); a test holds the two together.

    front door   subscribers, subscriber_topics, signups, grants, consent_events, wordings,
                 suppressions, unsubscribe_links, old_links, lifts, mail_queue, hits
    press        campaigns, emails, batches, deliveries, resends, seedings, notices, reviews, deeds
    owner        api_keys, answers, spent_tokens, orders
    both         webhooks, events, limits, meta

Ids of whatever a link or the ledger may name are never used again (`sqlite_autoincrement`; PostgreSQL's sequences
do not go back): an erased person's link must not act for whoever comes next.

`deliveries` is written once, at the freeze, and its primary key is "nobody twice". State lives on the
batch; only exceptions touch a delivery's row (NULL state = as its batch).
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Dialect,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    String,
    Table,
    Text,
    UniqueConstraint,
)
from sqlalchemy.types import TypeDecorator


def milliseconds(moment: datetime) -> int:
    """A moment as it is stored: milliseconds since 1970 UTC."""
    return round(moment.timestamp() * 1000)


class Instant(TypeDecorator[datetime]):
    """A moment, stored as milliseconds since 1970 UTC: the same number in every database."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> int | None:  # noqa: ARG002
        """To the database."""
        return None if value is None else milliseconds(value)

    def process_result_value(self, value: Any | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        """From the database, in UTC."""
        return None if value is None else datetime.fromtimestamp(value / 1000, tz=UTC)


class Digest(TypeDecorator[str]):
    """A hash: hex digits to the program, half as many bytes in the database, whose indexes are small by that."""

    impl = LargeBinary
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> bytes | None:  # noqa: ARG002
        """To the database."""
        return None if value is None else bytes.fromhex(value)

    def process_result_value(self, value: Any | None, dialect: Dialect) -> str | None:  # noqa: ARG002
        """From the database."""
        return None if value is None else bytes(value).hex()


Id = BigInteger().with_variant(Integer, "sqlite")
"""A row id; SQLite only counts up by itself when the type is exactly INTEGER."""

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
)

subscribers = Table(
    "subscribers",
    metadata,
    Column("id", Id, primary_key=True),
    Column("pid", String(32), nullable=False, unique=True),
    Column("email", String(254), nullable=False),
    Column("address_hmac", Digest, nullable=False, unique=True),  # tells whether two addresses are one
    Column("first_name", String(200), nullable=False, server_default=""),
    Column("last_name", String(200), nullable=False, server_default=""),
    Column("lang", String(35), nullable=False),
    Column("state", String(16), nullable=False),
    Column("gen", Integer, nullable=False, server_default="0"),
    Column("unsubscribe_token", String(32), nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("changed_at", Instant, nullable=False),
    Column("confirmed_at", Instant),
    Index(None, "state", "changed_at"),  # what retention asks for at every tick
    sqlite_autoincrement=True,
)

subscriber_topics = Table(  # no foreign key, as imports write a million: `Audience.erase` takes them with the row
    "subscriber_topics",
    metadata,
    Column("subscriber_id", Id, nullable=False),
    Column("topic", String(64), nullable=False),
    PrimaryKeyConstraint("subscriber_id", "topic"),  # in the order of the subscribers, who are read by their ids
    sqlite_with_rowid=False,
)

signups = Table(
    "signups",
    metadata,
    Column("id", Id, primary_key=True),
    Column("subscriber_id", Id, ForeignKey("subscribers.id", ondelete="CASCADE"), nullable=False),
    Column("gen", Integer, nullable=False),
    Column("form", String(64), nullable=False),
    Column("magnet", String(64), nullable=False),
    Column("topics", Text, nullable=False),
    Column("lang", String(35), nullable=False),
    Column("wording_sha256", String(64), nullable=False),
    Column("lane", Integer, nullable=False, server_default="0"),  # in which queue its mail waits
    Column("at", Instant, nullable=False),
    Column("confirmed_at", Instant),
    Index(None, "subscriber_id"),
    sqlite_autoincrement=True,
)

grants = Table(
    "grants",
    metadata,
    Column("id", Id, primary_key=True),
    Column("subscriber_id", Id, ForeignKey("subscribers.id", ondelete="CASCADE")),  # NULL: it outlives its row
    Column("magnet", String(64), nullable=False),
    Column("granted_at", Instant, nullable=False),
    Column("downloads", Integer, nullable=False, server_default="0"),
    Column("downloaded_at", Instant),
    UniqueConstraint("subscriber_id", "magnet"),
    sqlite_autoincrement=True,
)

resends = Table(  # one more copy to a reader who asked; nothing of it touches the campaign's own rows
    "resends",
    metadata,
    Column("id", Id, primary_key=True),
    Column("key", String(64), nullable=False, unique=True),
    Column("campaign_id", Id, ForeignKey("campaigns.id"), nullable=False),
    Column("subscriber_id", Id, ForeignKey("subscribers.id", ondelete="CASCADE"), nullable=False),
    Column("why", Text, nullable=False),
    Column("at", Instant, nullable=False),
    Column("state", String(16), nullable=False),
    Column("provider", String(32), nullable=False),
    Column("message_id", String(255)),
    Column("note", Text, nullable=False, server_default=""),
    Index(None, "subscriber_id", "campaign_id"),
)

seedings = Table(  # a copy to an address of the house's own, outside every count
    "seedings",
    metadata,
    Column("campaign_id", Id, ForeignKey("campaigns.id"), nullable=False),
    Column("turn", String(8), nullable=False),
    Column("address_hmac", Digest, nullable=False),
    Column("key", String(64), nullable=False, unique=True),
    Column("at", Instant, nullable=False),
    Column("state", String(16), nullable=False),
    Column("message_id", String(255)),
    PrimaryKeyConstraint("campaign_id", "turn", "address_hmac"),
)

notices = Table(  # what the owner and editors are to be told, most of it of a campaign
    "notices",
    metadata,
    Column("key", String(64), primary_key=True),
    Column("who", String(32), nullable=False, server_default="owner-0"),
    Column("campaign_id", Id, ForeignKey("campaigns.id")),
    Column("kind", String(16), nullable=False),
    Column("said", Text, nullable=False, server_default=""),
    Column("attempt", Integer, nullable=False, server_default="0"),
    Column("due_at", Instant, nullable=False),
    Column("told_at", Instant),
)

reviews = Table(  # issues as they were shown to whoever says yes
    "reviews",
    metadata,
    Column("id", Id, primary_key=True),
    Column("key", String(100), nullable=False),
    Column("subject", Text, nullable=False),
    Column("preheader", Text, nullable=False),
    Column("content", String(64), nullable=False),
    Column("outlook", Text, nullable=False),
    Column("mails", Text, nullable=False),
    Column("problems", Text, nullable=False),
    Column("plan", Text),
    Column("due_at", Instant),
    Column("made_at", Instant, nullable=False),
    UniqueConstraint("key", "content"),
    Index(None, "due_at"),
    sqlite_autoincrement=True,
)

deeds = Table(  # what they said: rows are only ever added
    "deeds",
    metadata,
    Column("id", Id, primary_key=True),
    Column("review_id", Id, ForeignKey("reviews.id"), nullable=False),
    Column("key", String(100), nullable=False),
    Column("act", String(16), nullable=False),
    Column("by", String(32), nullable=False),
    Column("content", String(64), nullable=False),
    Column("plan", Text),
    Column("at", Instant, nullable=False),
    Column("holds_until", Instant),
    Index(None, "key", "id"),
    Index(None, "review_id"),
    sqlite_autoincrement=True,
)

lifts = Table(  # whoever agreed anew, and may stand on a provider's own list still
    "lifts",
    metadata,
    Column("subscriber_id", Id, ForeignKey("subscribers.id", ondelete="CASCADE"), primary_key=True),
    Column("attempt", Integer, nullable=False, server_default="0"),
    Column("due_at", Instant, nullable=False),
)

consent_events = Table(
    "consent_events",
    metadata,
    Column("id", Id, primary_key=True),
    Column("subscriber_pid", String(32), nullable=False),
    Column("kind", String(16), nullable=False),
    Column("at", Instant, nullable=False),
    Column("method", String(16), nullable=False),
    Column("form", String(64), nullable=False),
    Column("wording_sha256", String(64), nullable=False),
    Column("topics", Text, nullable=False),
    Column("magnet", String(64), nullable=False),
    Column("source", String(200), nullable=False),
    Column("note", Text, nullable=False),
    Index(None, "subscriber_pid"),
)

wordings = Table(
    "wordings",
    metadata,
    Column("sha256", String(64), primary_key=True),
    Column("text", Text, nullable=False),
    Column("locale", String(35), nullable=False),
    Column("first_used", Instant, nullable=False),
)

suppressions = Table(  # a row for each reason: taking one back leaves the others
    "suppressions",
    metadata,
    Column("address_hmac", Digest, nullable=False),
    Column("reason", String(16), nullable=False),
    Column("at", Instant, nullable=False),
    Column("note", Text, nullable=False, server_default=""),
    PrimaryKeyConstraint("address_hmac", "reason"),
    sqlite_with_rowid=False,
)

unsubscribe_links = Table(
    "unsubscribe_links",
    metadata,
    Column("token_hash", Digest, primary_key=True),
    Column("address_hmac", Digest, nullable=False),
    sqlite_with_rowid=False,
)

old_links = Table(  # what links in letters from before a move end in: the other system's ids, as keyed hashes
    "old_links",
    metadata,
    Column("id_hmac", Digest, primary_key=True),
    Column("address_hmac", Digest, nullable=False, index=True),  # erasing
    sqlite_with_rowid=False,
)

mail_queue = Table(
    "mail_queue",
    metadata,
    Column("id", Id, primary_key=True),
    Column("key", String(32), nullable=False, unique=True),
    Column("kind", String(16), nullable=False),
    Column("subscriber_id", Id, ForeignKey("subscribers.id", ondelete="CASCADE"), nullable=False),
    Column("signup_id", Id),
    Column("magnet", String(64), nullable=False, server_default=""),
    Column("state", String(16), nullable=False),
    Column("attempt", Integer, nullable=False, server_default="0"),
    Column("asked", Integer, nullable=False, server_default="0"),  # how often the provider was asked what became of it
    Column("owner", String(64)),
    Column("lease_until", Instant),
    Column("created_at", Instant, nullable=False),
    Column("due_at", Instant, nullable=False),
    Column("done_at", Instant),
    Column("provider", String(32)),
    Column("message_id", String(255)),
    Column("note", Text, nullable=False, server_default=""),
    Index(None, "state", "due_at"),
    Index(None, "subscriber_id"),
    sqlite_autoincrement=True,
)

hits = Table(
    "hits",
    metadata,
    Column("id", Id, primary_key=True),
    Column("key", String(96), nullable=False),
    Column("at", Instant, nullable=False),
    Index(None, "key", "at"),
    Index(None, "at"),  # forgetting
)

campaigns = Table(
    "campaigns",
    metadata,
    Column("id", Id, primary_key=True),
    Column("pid", String(32), nullable=False, unique=True),
    Column("key", String(100), nullable=False, unique=True),
    Column("subject", Text, nullable=False),
    Column("segments", Text, nullable=False),
    Column("topics", Text, nullable=False),
    Column("content_sha256", String(64), nullable=False),
    Column("source_sha256", String(64), nullable=False, index=True),
    Column("plan_hash", String(64), nullable=False),
    Column("base_url", Text, nullable=False, server_default=""),  # of the links in its mail
    Column("archive", Text),
    Column("state", String(16), nullable=False),
    Column("provider", String(32), nullable=False),
    Column("audience", Integer, nullable=False),
    Column("excluded", Text, nullable=False),
    Column("batches", Integer, nullable=False),
    Column("due_at", Instant),
    Column("timezone", String(64), nullable=False, server_default=""),  # the zone's name, in which that was meant
    Column("frozen_at", Instant, nullable=False),
    Column("started_at", Instant),
    Column("finished_at", Instant),
    Column("counts", Text),  # the ledger in numbers, once nothing can change any more
    Column("first", Integer, nullable=False, server_default="0"),  # so many batches are the first slice; 0: none
    Column("held_until", Instant),  # before that nothing may be claimed
    Column("soak_until", Instant),  # how long the first slice soaks, once it is through
    Column("released_at", Instant),  # since then what lies beyond the first slice may be claimed
    Column("brake", Text, nullable=False, server_default=""),  # why it stopped by itself
    Column("accepted", Text),  # what was known of its readers when somebody let it go on all the same
    Column("note", Text, nullable=False, server_default=""),
    sqlite_autoincrement=True,
)

emails = Table(
    "emails",
    metadata,
    Column("campaign_id", Id, ForeignKey("campaigns.id"), nullable=False),
    Column("variant", String(64), nullable=False),
    Column("sha256", String(64), nullable=False),
    Column("body", Text, nullable=False),
    PrimaryKeyConstraint("campaign_id", "variant"),
)

batches = Table(
    "batches",
    metadata,
    Column("campaign_id", Id, ForeignKey("campaigns.id"), nullable=False),
    Column("n", Integer, nullable=False),
    Column("variant", String(64), nullable=False),
    Column("lo", Id, nullable=False),
    Column("hi", Id, nullable=False),
    Column("size", Integer, nullable=False),
    Column("state", String(16), nullable=False),
    Column("attempt", Integer, nullable=False, server_default="0"),
    Column("refusals", Integer, nullable=False, server_default="0"),  # how often its readers alone were put off
    Column("unknown", Boolean, nullable=False, server_default="0"),  # ever sent with the answer lost (decision 2)
    Column("owner", String(64)),
    Column("lease_until", Instant),
    Column("claimed_at", Instant),
    Column("not_before", Instant),
    Column("key", String(64), nullable=False),
    Column("provider_ref", String(255)),
    Column("note", Text, nullable=False, server_default=""),
    PrimaryKeyConstraint("campaign_id", "n"),
    Index("ix_batches_open", "campaign_id", "state", "n", "not_before"),  # all of it, or SQLite walks past what is done
    sqlite_with_rowid=False,
)

deliveries = Table(  # no foreign keys and no trigger: a million rows are written in one statement
    "deliveries",
    metadata,
    Column("campaign_id", Id, nullable=False),
    Column("subscriber_id", Id, nullable=False),
    Column("batch", Integer, nullable=False),
    Column("state", String(16)),
    Column("reason", String(200)),
    Column("provider_id", String(255)),
    PrimaryKeyConstraint("campaign_id", "subscriber_id"),
    sqlite_with_rowid=False,
)

webhooks = Table(  # requests of providers as they came, kept before they are answered
    "webhooks",
    metadata,
    Column("id", Id, primary_key=True),
    Column("provider", String(32), nullable=False),
    Column("key", String(64), nullable=False),
    Column("headers", Text, nullable=False),
    Column("body", Text, nullable=False),
    Column("received_at", Instant, nullable=False),
    Column("processed_at", Instant),
    Column("note", Text, nullable=False, server_default=""),
    UniqueConstraint("provider", "key"),
    Index(None, "processed_at", "id"),  # what waits, and what is old
    sqlite_autoincrement=True,
)

events = Table(  # what was read in them, one row for each however often it was told
    "events",
    metadata,
    Column("id", Id, primary_key=True),
    Column("provider", String(32), nullable=False),
    Column("event_id", String(255), nullable=False),
    Column("type", String(16), nullable=False),
    Column("email", String(254)),
    Column("address_hmac", Digest),
    Column("subscriber_id", Id),
    Column("campaign_id", Id),
    Column("permanent", Boolean),
    Column("reason", String(32), nullable=False, server_default=""),
    Column("message_id", String(255)),
    Column("at", Instant, nullable=False),
    Column("received_at", Instant, nullable=False),
    UniqueConstraint("provider", "event_id"),
    Index(None, "address_hmac", "at"),
    Index(None, "campaign_id", "type"),
)

api_keys = Table(  # of programs that work for the owner
    "api_keys",
    metadata,
    Column("pid", String(32), primary_key=True),
    Column("label", String(100), nullable=False),
    Column("scopes", Text, nullable=False),
    Column("digest", Digest, nullable=False),
    Column("made_at", Instant, nullable=False),
    Column("used_on", String(10)),  # a day
    Column("revoked_at", Instant),
)

answers = Table(  # to requests that may come again; none holds an address
    "answers",
    metadata,
    Column("digest", Digest, primary_key=True),
    Column("request", Digest, nullable=False),
    Column("at", Instant, nullable=False, index=True),
    Column("status", Integer),  # NULL: somebody is at it
    Column("body", Text),
)

spent_tokens = Table(  # tokens that are good for once, until they end by themselves
    "spent_tokens",
    metadata,
    Column("digest", Digest, primary_key=True),
    Column("until", Instant, nullable=False),
)

orders = Table(  # campaigns that the server was asked to send
    "orders",
    metadata,
    Column("campaign_id", Id, ForeignKey("campaigns.id"), primary_key=True, autoincrement=False),
    Column("asked_by", String(200), nullable=False),
    Column("at", Instant, nullable=False),
    Column("kind", String(32), nullable=False, server_default=""),  # of what stands in the way
    Column("what", Text, nullable=False, server_default=""),
    Column("todo", Text, nullable=False, server_default=""),
)

limits = Table(
    "limits",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("tat", Float, nullable=False),
    Column("pause", Float, nullable=False, server_default="0"),  # seconds a provider asked to wait, no longer
)

meta = Table(
    "meta",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("value", Text, nullable=False),
)
