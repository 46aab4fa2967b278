"""What a server says of its work: a line of JSON each, for a journal; plain words on a terminal.

No address and no link: a message is cleared of what looks like one, an exception is told by its class and its places.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import MutableMapping
from typing import Any, TextIO

import structlog

from newsletter.core.redact import redacted
from newsletter.web.guard import told

Words = MutableMapping[str, Any]


def begin(out: TextIO | None = None) -> None:
    """Let everything that logs in this process write so, to stderr where nothing else is given."""
    stream = out or sys.stderr
    plain = stream.isatty()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[
                structlog.stdlib.add_log_level,
                structlog.stdlib.add_logger_name,
                structlog.processors.TimeStamper(fmt="iso", utc=True),
            ],
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                _placed,
                _cleared,
                structlog.dev.ConsoleRenderer() if plain else structlog.processors.JSONRenderer(sort_keys=True),
            ],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    logging.getLogger("newsletter").setLevel(logging.INFO)
    logging.getLogger("python_multipart").setLevel(logging.ERROR)  # it warns of what any visitor may send


def _placed(_logger: object, _method: str, words: Words) -> Words:
    """An exception by its class and places: what it says may hold anything."""
    info = words.pop("exc_info", None)
    error = info[1] if isinstance(info, tuple) else info if isinstance(info, BaseException) else None
    if error is not None:
        words["error"] = told(error)
    words.pop("exception", None)
    words.pop("stack_info", None)
    return words


def _cleared(_logger: object, _method: str, words: Words) -> Words:
    words["event"] = redacted(str(words["event"]))
    return words
