"""Small real doubles, and the promises every provider keeps: for our tests, and for yours.

    FakeProvider        takes mail, remembers it, and fails as scripted
    Server, Sink        the other side over real HTTP: answers as told; takes everything, and remembers for whom
    Clock               stands still until moved
    Chance              randomness and ids that are the same in every run
    sample_email, sample_batch
    ProviderContract    subclass it, say how your provider is built, and pytest runs the promises

Nothing here knows a test runner: the contract's checks are plain methods with plain asserts. How to use it:
docs/testing.md.
"""

from newsletter.testing.clock import Chance, Clock
from newsletter.testing.contract import HOSTILE, Arrived, ProviderContract
from newsletter.testing.fake import Call, FakeProvider
from newsletter.testing.sample import sample_batch, sample_email
from newsletter.testing.script import (
    Accept,
    CutAfter,
    CutBefore,
    Die,
    Garbage,
    Raise,
    Reject,
    Retry,
    Sleep,
    Step,
)
from newsletter.testing.server import Fault, Reply, Request, Server, Sink, keys_in

__all__ = [
    "HOSTILE",
    "Accept",
    "Arrived",
    "Call",
    "Chance",
    "Clock",
    "CutAfter",
    "CutBefore",
    "Die",
    "FakeProvider",
    "Fault",
    "Garbage",
    "ProviderContract",
    "Raise",
    "Reject",
    "Reply",
    "Request",
    "Retry",
    "Server",
    "Sink",
    "Sleep",
    "Step",
    "keys_in",
    "sample_batch",
    "sample_email",
]
