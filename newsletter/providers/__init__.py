"""One provider per file, strangers to each other; each fits `newsletter.ports.Provider` by shape.

Each takes what it needs as keyword arguments and is built in `newsletter/app.py`, nowhere else.
"""

BUILT_IN = ("outbox", "smtp")
"""The words for `NEWSLETTER_PROVIDER`; each is a module of this folder."""
