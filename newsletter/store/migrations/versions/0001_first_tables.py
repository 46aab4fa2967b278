"""The first tables.

Revision: 0001, after None.
"""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "campaigns",
        sa.Column("id", ID, nullable=False),
        sa.Column("pid", sa.String(length=32), nullable=False),
        sa.Column("key", sa.String(length=100), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("segments", sa.Text(), nullable=False),
        sa.Column("topics", sa.Text(), nullable=False),
        sa.Column("content_sha256", sa.String(length=64), nullable=False),
        sa.Column("source_sha256", sa.String(length=64), nullable=False),
        sa.Column("plan_hash", sa.String(length=64), nullable=False),
        sa.Column("base_url", sa.Text(), server_default="", nullable=False),
        sa.Column("archive", sa.Text(), nullable=True),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("provider", sa.String(length=32), nullable=False),
        sa.Column("audience", sa.Integer(), nullable=False),
        sa.Column("excluded", sa.Text(), nullable=False),
        sa.Column("batches", sa.Integer(), nullable=False),
        sa.Column("due_at", sa.BigInteger(), nullable=True),
        sa.Column("timezone", sa.String(length=64), server_default="", nullable=False),
        sa.Column("frozen_at", sa.BigInteger(), nullable=False),
        sa.Column("started_at", sa.BigInteger(), nullable=True),
        sa.Column("finished_at", sa.BigInteger(), nullable=True),
        sa.Column("counts", sa.Text(), nullable=True),
        sa.Column("first", sa.Integer(), server_default="0", nullable=False),
        sa.Column("held_until", sa.BigInteger(), nullable=True),
        sa.Column("soak_until", sa.BigInteger(), nullable=True),
        sa.Column("released_at", sa.BigInteger(), nullable=True),
        sa.Column("brake", sa.Text(), server_default="", nullable=False),
        sa.Column("accepted", sa.Text(), nullable=True),
        sa.Column("note", sa.Text(), server_default="", nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_campaigns"),
        sa.UniqueConstraint("key", name="uq_campaigns_key"),
        sa.UniqueConstraint("pid", name="uq_campaigns_pid"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_campaigns_source_sha256", "campaigns", ["source_sha256"])

    op.create_table(
        "consent_events",
        sa.Column("id", ID, nullable=False),
        sa.Column("subscriber_pid", sa.String(length=32), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("method", sa.String(length=16), nullable=False),
        sa.Column("form", sa.String(length=64), nullable=False),
        sa.Column("wording_sha256", sa.String(length=64), nullable=False),
        sa.Column("topics", sa.Text(), nullable=False),
        sa.Column("magnet", sa.String(length=64), nullable=False),
        sa.Column("source", sa.String(length=200), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_consent_events"),
    )
    op.create_index("ix_consent_events_subscriber_pid", "consent_events", ["subscriber_pid"])

    op.create_table(
        "deliveries",
        sa.Column("campaign_id", ID, nullable=False),
        sa.Column("subscriber_id", ID, nullable=False),
        sa.Column("batch", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=True),
        sa.Column("reason", sa.String(length=200), nullable=True),
        sa.Column("provider_id", sa.String(length=255), nullable=True),
        sa.PrimaryKeyConstraint("campaign_id", "subscriber_id", name="pk_deliveries"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "events",
        sa.Column("id", ID, nullable=False),
        sa.Column("provider", sa.String(length=32), nullable=False),
        sa.Column("event_id", sa.String(length=255), nullable=False),
        sa.Column("type", sa.String(length=16), nullable=False),
        sa.Column("email", sa.String(length=254), nullable=True),
        sa.Column("address_hmac", sa.LargeBinary(), nullable=True),
        sa.Column("subscriber_id", ID, nullable=True),
        sa.Column("campaign_id", ID, nullable=True),
        sa.Column("permanent", sa.Boolean(), nullable=True),
        sa.Column("reason", sa.String(length=32), server_default="", nullable=False),
        sa.Column("message_id", sa.String(length=255), nullable=True),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("received_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_events"),
        sa.UniqueConstraint("provider", "event_id", name="uq_events_provider_event_id"),
    )
    op.create_index("ix_events_address_hmac_at", "events", ["address_hmac", "at"])
    op.create_index("ix_events_campaign_id_type", "events", ["campaign_id", "type"])

    op.create_table(
        "hits",
        sa.Column("id", ID, nullable=False),
        sa.Column("key", sa.String(length=96), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_hits"),
    )
    op.create_index("ix_hits_key_at", "hits", ["key", "at"])
    op.create_index("ix_hits_at", "hits", ["at"])

    op.create_table(
        "limits",
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("tat", sa.Float(), nullable=False),
        sa.Column("pause", sa.Float(), server_default="0", nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_limits"),
    )
    op.create_table(
        "meta",
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_meta"),
    )
    op.create_table(
        "subscribers",
        sa.Column("id", ID, nullable=False),
        sa.Column("pid", sa.String(length=32), nullable=False),
        sa.Column("email", sa.String(length=254), nullable=False),
        sa.Column("address_hmac", sa.LargeBinary(), nullable=False),
        sa.Column("first_name", sa.String(length=200), server_default="", nullable=False),
        sa.Column("last_name", sa.String(length=200), server_default="", nullable=False),
        sa.Column("lang", sa.String(length=35), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("gen", sa.Integer(), server_default="0", nullable=False),
        sa.Column("unsubscribe_token", sa.String(length=32), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("changed_at", sa.BigInteger(), nullable=False),
        sa.Column("confirmed_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_subscribers"),
        sa.UniqueConstraint("address_hmac", name="uq_subscribers_address_hmac"),
        sa.UniqueConstraint("pid", name="uq_subscribers_pid"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_subscribers_state_changed_at", "subscribers", ["state", "changed_at"])
    op.create_table(
        "suppressions",
        sa.Column("address_hmac", sa.LargeBinary(), nullable=False),
        sa.Column("reason", sa.String(length=16), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("note", sa.Text(), server_default="", nullable=False),
        sa.PrimaryKeyConstraint("address_hmac", "reason", name="pk_suppressions"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "unsubscribe_links",
        sa.Column("token_hash", sa.LargeBinary(), nullable=False),
        sa.Column("address_hmac", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("token_hash", name="pk_unsubscribe_links"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "old_links",
        sa.Column("id_hmac", sa.LargeBinary(), nullable=False),
        sa.Column("address_hmac", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("id_hmac", name="pk_old_links"),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_old_links_address_hmac", "old_links", ["address_hmac"])
    op.create_table(
        "wordings",
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("locale", sa.String(length=35), nullable=False),
        sa.Column("first_used", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("sha256", name="pk_wordings"),
    )
    op.create_table(
        "batches",
        sa.Column("campaign_id", ID, nullable=False),
        sa.Column("n", sa.Integer(), nullable=False),
        sa.Column("variant", sa.String(length=64), nullable=False),
        sa.Column("lo", ID, nullable=False),
        sa.Column("hi", ID, nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("attempt", sa.Integer(), server_default="0", nullable=False),
        sa.Column("refusals", sa.Integer(), server_default="0", nullable=False),
        sa.Column("unknown", sa.Boolean(), server_default="0", nullable=False),
        sa.Column("owner", sa.String(length=64), nullable=True),
        sa.Column("lease_until", sa.BigInteger(), nullable=True),
        sa.Column("claimed_at", sa.BigInteger(), nullable=True),
        sa.Column("not_before", sa.BigInteger(), nullable=True),
        sa.Column("key", sa.String(length=64), nullable=False),
        sa.Column("provider_ref", sa.String(length=255), nullable=True),
        sa.Column("note", sa.Text(), server_default="", nullable=False),
        sa.ForeignKeyConstraint(["campaign_id"], ["campaigns.id"], name="fk_batches_campaign_id_campaigns"),
        sa.PrimaryKeyConstraint("campaign_id", "n", name="pk_batches"),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_batches_open", "batches", ["campaign_id", "state", "n", "not_before"])
    op.create_table(
        "emails",
        sa.Column("campaign_id", ID, nullable=False),
        sa.Column("variant", sa.String(length=64), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["campaign_id"], ["campaigns.id"], name="fk_emails_campaign_id_campaigns"),
        sa.PrimaryKeyConstraint("campaign_id", "variant", name="pk_emails"),
    )
    op.create_table(
        "grants",
        sa.Column("id", ID, nullable=False),
        sa.Column("subscriber_id", ID, nullable=True),
        sa.Column("magnet", sa.String(length=64), nullable=False),
        sa.Column("granted_at", sa.BigInteger(), nullable=False),
        sa.Column("downloads", sa.Integer(), server_default="0", nullable=False),
        sa.Column("downloaded_at", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(
            ["subscriber_id"], ["subscribers.id"], name="fk_grants_subscriber_id_subscribers", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_grants"),
        sa.UniqueConstraint("subscriber_id", "magnet", name="uq_grants_subscriber_id_magnet"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "mail_queue",
        sa.Column("id", ID, nullable=False),
        sa.Column("key", sa.String(length=32), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("subscriber_id", ID, nullable=False),
        sa.Column("signup_id", ID, nullable=True),
        sa.Column("magnet", sa.String(length=64), server_default="", nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("attempt", sa.Integer(), server_default="0", nullable=False),
        sa.Column("asked", sa.Integer(), server_default="0", nullable=False),
        sa.Column("owner", sa.String(length=64), nullable=True),
        sa.Column("lease_until", sa.BigInteger(), nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("due_at", sa.BigInteger(), nullable=False),
        sa.Column("done_at", sa.BigInteger(), nullable=True),
        sa.Column("provider", sa.String(length=32), nullable=True),
        sa.Column("message_id", sa.String(length=255), nullable=True),
        sa.Column("note", sa.Text(), server_default="", nullable=False),
        sa.ForeignKeyConstraint(
            ["subscriber_id"], ["subscribers.id"], name="fk_mail_queue_subscriber_id_subscribers", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_mail_queue"),
        sa.UniqueConstraint("key", name="uq_mail_queue_key"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_mail_queue_state_due_at", "mail_queue", ["state", "due_at"])
    op.create_index("ix_mail_queue_subscriber_id", "mail_queue", ["subscriber_id"])

    op.create_table(
        "signups",
        sa.Column("id", ID, nullable=False),
        sa.Column("subscriber_id", ID, nullable=False),
        sa.Column("gen", sa.Integer(), nullable=False),
        sa.Column("form", sa.String(length=64), nullable=False),
        sa.Column("magnet", sa.String(length=64), nullable=False),
        sa.Column("topics", sa.Text(), nullable=False),
        sa.Column("lang", sa.String(length=35), nullable=False),
        sa.Column("wording_sha256", sa.String(length=64), nullable=False),
        sa.Column("lane", sa.Integer(), server_default="0", nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("confirmed_at", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(
            ["subscriber_id"], ["subscribers.id"], name="fk_signups_subscriber_id_subscribers", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_signups"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_signups_subscriber_id", "signups", ["subscriber_id"])

    op.create_table(
        "subscriber_topics",
        sa.Column("subscriber_id", ID, nullable=False),
        sa.Column("topic", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("subscriber_id", "topic", name="pk_subscriber_topics"),
        sqlite_with_rowid=False,
    )

    op.create_table(
        "resends",
        sa.Column("id", ID, nullable=False),
        sa.Column("key", sa.String(length=64), nullable=False),
        sa.Column("campaign_id", ID, nullable=False),
        sa.Column("subscriber_id", ID, nullable=False),
        sa.Column("why", sa.Text(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("provider", sa.String(length=32), nullable=False),
        sa.Column("message_id", sa.String(length=255), nullable=True),
        sa.Column("note", sa.Text(), server_default="", nullable=False),
        sa.ForeignKeyConstraint(["campaign_id"], ["campaigns.id"], name="fk_resends_campaign_id_campaigns"),
        sa.ForeignKeyConstraint(
            ["subscriber_id"], ["subscribers.id"], name="fk_resends_subscriber_id_subscribers", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_resends"),
        sa.UniqueConstraint("key", name="uq_resends_key"),
    )
    op.create_index("ix_resends_subscriber_id_campaign_id", "resends", ["subscriber_id", "campaign_id"])

    op.create_table(
        "seedings",
        sa.Column("campaign_id", ID, nullable=False),
        sa.Column("turn", sa.String(length=8), nullable=False),
        sa.Column("address_hmac", sa.LargeBinary(), nullable=False),
        sa.Column("key", sa.String(length=64), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("message_id", sa.String(length=255), nullable=True),
        sa.ForeignKeyConstraint(["campaign_id"], ["campaigns.id"], name="fk_seedings_campaign_id_campaigns"),
        sa.PrimaryKeyConstraint("campaign_id", "turn", "address_hmac", name="pk_seedings"),
        sa.UniqueConstraint("key", name="uq_seedings_key"),
    )

    op.create_table(
        "notices",
        sa.Column("key", sa.String(length=64), nullable=False),
        sa.Column("who", sa.String(length=32), server_default="owner-0", nullable=False),
        sa.Column("campaign_id", ID, nullable=True),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("said", sa.Text(), server_default="", nullable=False),
        sa.Column("attempt", sa.Integer(), server_default="0", nullable=False),
        sa.Column("due_at", sa.BigInteger(), nullable=False),
        sa.Column("told_at", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["campaign_id"], ["campaigns.id"], name="fk_notices_campaign_id_campaigns"),
        sa.PrimaryKeyConstraint("key", name="pk_notices"),
    )

    op.create_table(
        "reviews",
        sa.Column("id", ID, nullable=False),
        sa.Column("key", sa.String(length=100), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("preheader", sa.Text(), nullable=False),
        sa.Column("content", sa.String(length=64), nullable=False),
        sa.Column("outlook", sa.Text(), nullable=False),
        sa.Column("mails", sa.Text(), nullable=False),
        sa.Column("problems", sa.Text(), nullable=False),
        sa.Column("plan", sa.Text(), nullable=True),
        sa.Column("due_at", sa.BigInteger(), nullable=True),
        sa.Column("made_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_reviews"),
        sa.UniqueConstraint("key", "content", name="uq_reviews_key_content"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_reviews_due_at", "reviews", ["due_at"])

    op.create_table(
        "deeds",
        sa.Column("id", ID, nullable=False),
        sa.Column("review_id", ID, nullable=False),
        sa.Column("key", sa.String(length=100), nullable=False),
        sa.Column("act", sa.String(length=16), nullable=False),
        sa.Column("by", sa.String(length=32), nullable=False),
        sa.Column("content", sa.String(length=64), nullable=False),
        sa.Column("plan", sa.Text(), nullable=True),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("holds_until", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["review_id"], ["reviews.id"], name="fk_deeds_review_id_reviews"),
        sa.PrimaryKeyConstraint("id", name="pk_deeds"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_deeds_key_id", "deeds", ["key", "id"])
    op.create_index("ix_deeds_review_id", "deeds", ["review_id"])

    op.create_table(
        "lifts",
        sa.Column("subscriber_id", ID, nullable=False),
        sa.Column("attempt", sa.Integer(), server_default="0", nullable=False),
        sa.Column("due_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["subscriber_id"], ["subscribers.id"], name="fk_lifts_subscriber_id_subscribers", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("subscriber_id", name="pk_lifts"),
    )

    op.create_table(
        "webhooks",
        sa.Column("id", ID, nullable=False),
        sa.Column("provider", sa.String(length=32), nullable=False),
        sa.Column("key", sa.String(length=64), nullable=False),
        sa.Column("headers", sa.Text(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("received_at", sa.BigInteger(), nullable=False),
        sa.Column("processed_at", sa.BigInteger(), nullable=True),
        sa.Column("note", sa.Text(), server_default="", nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_webhooks"),
        sa.UniqueConstraint("provider", "key", name="uq_webhooks_provider_key"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_webhooks_processed_at_id", "webhooks", ["processed_at", "id"])

    op.create_table(
        "api_keys",
        sa.Column("pid", sa.String(length=32), nullable=False),
        sa.Column("label", sa.String(length=100), nullable=False),
        sa.Column("scopes", sa.Text(), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("made_at", sa.BigInteger(), nullable=False),
        sa.Column("used_on", sa.String(length=10), nullable=True),
        sa.Column("revoked_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("pid", name="pk_api_keys"),
    )

    op.create_table(
        "answers",
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("request", sa.LargeBinary(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("status", sa.Integer(), nullable=True),
        sa.Column("body", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("digest", name="pk_answers"),
    )
    op.create_index("ix_answers_at", "answers", ["at"])

    op.create_table(
        "spent_tokens",
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("until", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("digest", name="pk_spent_tokens"),
    )

    op.create_table(
        "orders",
        sa.Column("campaign_id", ID, autoincrement=False, nullable=False),
        sa.Column("asked_by", sa.String(length=200), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.String(length=32), server_default="", nullable=False),
        sa.Column("what", sa.Text(), server_default="", nullable=False),
        sa.Column("todo", sa.Text(), server_default="", nullable=False),
        sa.ForeignKeyConstraint(["campaign_id"], ["campaigns.id"], name="fk_orders_campaign_id_campaigns"),
        sa.PrimaryKeyConstraint("campaign_id", name="pk_orders"),
    )
