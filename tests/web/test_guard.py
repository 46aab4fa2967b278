import asyncio
import logging

import pytest
from starlette.responses import PlainTextResponse

from newsletter.web.guard import Guard, told

SECRET = "somebody@example.org"


def run(app):
    sent = []

    async def send(message):
        sent.append(message)

    async def receive():
        return {"type": "http.request"}

    asyncio.run(
        Guard(app, broken=lambda _scope: PlainTextResponse("sorry", 500))(
            {"type": "http", "method": "GET"}, receive, send
        )
    )
    return sent


def test_promise_12_a_broken_handler_is_a_page_and_its_message_is_in_no_log(caplog):
    async def app(scope, receive, send):
        raise LookupError(f"no row for {SECRET}")

    with caplog.at_level(logging.DEBUG):
        sent = run(app)
    assert [message.get("status") for message in sent] == [500, None]
    assert "LookupError at test_guard.py:" in caplog.text
    assert SECRET not in caplog.text


def test_an_answer_that_has_begun_is_not_begun_again(caplog):
    async def app(scope, receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": []})
        raise LookupError

    assert [message["type"] for message in run(app)] == ["http.response.start"]
    assert "LookupError" in caplog.text


def test_told_names_the_places_innermost_first():
    def inner():
        raise ValueError(SECRET)

    with pytest.raises(ValueError, match="some") as caught:
        inner()
    told_ = told(caught.value)
    assert told_.startswith("ValueError at test_guard.py:")
    assert told_.count("<") == 1
    assert SECRET not in told_
