import asyncio

import pytest
from starlette.responses import PlainTextResponse

from newsletter.web.limit import MOST, Limit


def chunks(size: int):
    for _ in range(size // 65536):
        yield b"x" * 65536


@pytest.mark.parametrize("path", ["/subscribe", "/api/subscribe", "/unsubscribe/x", "/confirm/x", "/nowhere"])
def test_ten_megabytes_are_refused(house, path):
    response = house.post(path, data=b"x" * 10_000_000, headers={"Content-Type": "application/x-www-form-urlencoded"})
    assert response.status_code == 413
    assert "more than we can take" in response.text
    assert response.headers["x-content-type-options"] == "nosniff"


def test_also_without_a_length_in_the_head(house):
    assert house.post("/subscribe", data=chunks(10_000_000)).status_code == 413


def test_the_server_goes_on(house):
    assert house.get("/healthz").status_code == 200


def test_the_last_byte_that_fits(house):
    start = b"email=limit%40example.org&x="
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    assert house.post("/subscribe", data=start + b"x" * (MOST - len(start)), headers=form).status_code == 200
    assert house.post("/subscribe", data=start + b"x" * (MOST - len(start) + 1), headers=form).status_code == 413


@pytest.mark.parametrize("sent", [[], [{"type": "http.request", "body": b"email=ann%40exam", "more_body": True}]])
def test_half_a_request_is_no_request(sent):
    """Whoever goes away in the middle has asked for nothing: half an address is another address."""
    called, answered = [], []
    messages = [*sent, {"type": "http.disconnect"}]

    async def app(scope, receive, send):
        called.append(await receive())

    async def receive():
        return messages.pop(0)

    async def send(message):
        answered.append(message)

    asyncio.run(
        Limit(app, too_large=lambda: PlainTextResponse("no", 413), events="/webhooks/")(
            {"type": "http", "path": "/"}, receive, send
        )
    )
    assert called == answered == messages == []
