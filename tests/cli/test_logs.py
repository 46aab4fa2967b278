"""What a server logs: JSON, and nobody in it."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator

import pytest
import python_multipart
from python_multipart.exceptions import MultipartParseError

from newsletter.cli import logs


@pytest.fixture
def begun() -> Iterator[io.StringIO]:
    """What is logged, while everything logs so."""
    root, ours = logging.getLogger(), logging.getLogger("newsletter")
    handlers, levels, out = root.handlers, (root.level, ours.level), io.StringIO()
    root.handlers = []
    parser = logging.getLogger("python_multipart")
    logs.begin(out)
    yield out
    root.handlers = handlers
    root.setLevel(levels[0])
    ours.setLevel(levels[1])
    parser.setLevel(logging.NOTSET)


def said(out: io.StringIO) -> list[dict[str, object]]:
    return [json.loads(line) for line in out.getvalue().splitlines()]


def test_promise_12_a_line_is_json_without_anybody(begun: io.StringIO) -> None:
    logging.getLogger("newsletter.mail").warning("The server said: no mailbox %s here", "anna@harbour.test")
    (line,) = said(begun)
    assert line["event"] == "The server said: no mailbox … here"
    assert (line["level"], line["logger"]) == ("warning", "newsletter.mail")
    assert str(line["timestamp"]).endswith("Z")


def test_promise_12_an_exception_is_told_by_its_places(begun: io.StringIO) -> None:
    try:
        int("anna@harbour.test")
    except ValueError:
        logging.getLogger("uvicorn.error").exception("It broke")
    (line,) = said(begun)
    assert "anna" not in json.dumps(line)
    assert str(line["error"]).startswith("ValueError at test_logs.py:")


def test_the_chatter_of_libraries_is_left_out(begun: io.StringIO) -> None:
    logging.getLogger("urllib3").info("Starting new HTTPS connection")
    logging.getLogger("newsletter.web").info("It serves")
    assert [line["event"] for line in said(begun)] == ["It serves"]


def test_what_a_visitor_sends_in_pieces_is_not_logged(begun: io.StringIO) -> None:
    with pytest.raises(MultipartParseError):
        python_multipart.MultipartParser("b").write(b"--b\r\nno header in \x00")
    assert said(begun) == []
