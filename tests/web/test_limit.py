import asyncio
import contextlib
import socket
import tracemalloc

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
    if path.startswith("/api/"):
        assert response.headers["content-type"] == "application/problem+json"
        assert response.json()["status"] == 413
    else:
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


def test_what_is_refused_is_not_kept_meanwhile():
    """Ten megabytes pass by a piece at a time: what one holds at once stays about one piece."""

    def ten_megabytes():
        for _ in range(160):
            yield {"type": "http.request", "body": bytes(65536), "more_body": True}
        yield {"type": "http.request", "body": b"", "more_body": False}

    tracemalloc.start()
    answered = asyncio.run(through_a_limit(ten_megabytes()))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert answered == [413]
    assert peak < 1_000_000


@pytest.mark.parametrize(
    "headers",
    [
        {"X-Long": "x" * 10_000},
        {f"X-{number}": "x" * 100 for number in range(90)},
        {f"X-{number}": "" for number in range(101)},
        {"Cookie": "; ".join(f"a{number}=b" for number in range(1500))},
    ],
)
@pytest.mark.parametrize("path", ["/", "/api/nowhere"])
def test_a_head_that_is_too_long_is_refused(house, headers, path):
    response = house.get(path, headers=headers)
    assert response.status_code == 431
    kind = "application/problem+json" if path.startswith("/api/") else "text/html"
    assert response.headers["content-type"].startswith(kind)


def test_also_when_it_is_the_address_that_is_long(house):
    assert house.get("/?lang=" + "x" * 10_000).status_code == 431
    assert house.get("/?lang=" + "x" * 4_000, headers={"X-Usual": "x" * 2_000}).status_code == 200


def test_a_head_that_never_ends_is_not_listened_to(house):
    host, _, port = house.url.removeprefix("http://").partition(":")
    with socket.create_connection((host, int(port)), timeout=10) as client:
        client.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nX-Endless: ")
        with contextlib.suppress(ConnectionError):
            for _ in range(256):
                client.sendall(b"x" * 4096)
        heard = b""
        with contextlib.suppress(ConnectionError):
            heard = client.recv(1024)
    assert not heard or heard.startswith(b"HTTP/1.1 4")


def test_a_body_that_does_not_come_to_its_end_is_not_waited_for():
    assert asyncio.run(through_a_limit([{"type": "http.request", "body": b"e", "more_body": True}])) == [408]


async def through_a_limit(messages) -> list[int]:
    """The statuses of what a limit answers; nothing comes after the last message."""
    left, answered = iter(messages), []

    async def receive():
        message = next(left, None)
        return message or await asyncio.Event().wait()

    async def send(message):
        if message["type"] == "http.response.start":
            answered.append(message["status"])

    await limit(None, patience=0.02 if isinstance(messages, list) else 10)({"type": "http", "path": "/"}, receive, send)
    return answered


def limit(app, **how):
    return Limit(app, refused=lambda _scope, status: PlainTextResponse("no", status), events="/webhooks/", **how)


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

    asyncio.run(limit(app)({"type": "http", "path": "/"}, receive, send))
    assert called == answered == messages == []
