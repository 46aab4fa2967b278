"""The only SQL: SQLAlchemy Core, the same statements on SQLite and PostgreSQL."""

from newsletter.store.store import SqlStore, open_store

__all__ = ["SqlStore", "open_store"]
