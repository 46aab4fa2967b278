"""A provider's side of a campaign over real HTTP: takes whatever comes and answers as they would.

python -m benchmarks.sink     serves until stopped; says its address first

A process of its own, so that what it costs is not ours. POST /mail/send answers as SendGrid does, /email/batch as
Postmark (one result for each message), /smtp/email as Brevo; any other path takes bytes for the floor. Nothing is
said of the account. GET /taken tells how many calls and bytes there were.
"""

from __future__ import annotations

import itertools
import json
import socket
import threading
from contextlib import suppress

_TO = b'"To":'
_PIECE = 1 << 20
_TAKEN = {"calls": 0, "bytes": 0}
_LOCK = threading.Lock()
_NUMBERS = itertools.count(1)


def main() -> None:
    """Serve it."""
    with socket.create_server(("127.0.0.1", 0), backlog=64) as listening:
        print(f"Serving at http://127.0.0.1:{listening.getsockname()[1]}", flush=True)
        while True:
            connection, _ = listening.accept()
            threading.Thread(target=_serve, args=(connection,), daemon=True).start()


def _serve(connection: socket.socket) -> None:
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    rest, buffer = b"", memoryview(bytearray(_PIECE))
    with connection, suppress(OSError):
        while True:
            while b"\r\n\r\n" not in rest:
                if not (piece := connection.recv(65536)):
                    return
                rest += piece
            head, _, rest = rest.partition(b"\r\n\r\n")
            length = next(
                (int(line[15:]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")), 0
            )
            messages = _take(connection, rest[:length], length, buffer)
            rest = rest[length:]
            method, path, _ = head.split(b" ", 2)
            connection.sendall(_answer(method, path, messages, length))


def _take(connection: socket.socket, first: bytes, length: int, buffer: memoryview) -> int:
    """Read a body of so many bytes, of which the first are there; how many messages it holds."""
    left, messages, end = length - len(first), first.count(_TO), first[1 - len(_TO) :]
    while left > 0:
        size = connection.recv_into(buffer, min(left, len(buffer)))
        if not size:
            raise ConnectionError
        left -= size
        piece = end + bytes(buffer[:size])
        messages += piece.count(_TO)
        end = piece[1 - len(_TO) :]
    return messages


def _answer(method: bytes, path: bytes, messages: int, length: int) -> bytes:
    if method != b"POST":
        return _http(200, json.dumps(_TAKEN)) if path == b"/taken" else _http(503, "{}")
    with _LOCK:
        _TAKEN["calls"] += 1
        _TAKEN["bytes"] += length
    number = next(_NUMBERS)
    if path == b"/email/batch":
        return _http(200, json.dumps([_postmark(f"{number}-{place}") for place in range(messages)]))
    if path == b"/smtp/email":
        return _http(201, json.dumps({"messageId": f"<{number}@sink.example>"}))
    return _http(202, "", f"X-Message-Id: {number}\r\n")


def _postmark(id_: str) -> dict[str, object]:
    return {"ErrorCode": 0, "Message": "OK", "MessageID": id_, "SubmittedAt": "2026-12-01T17:30:00Z"}


def _http(status: int, body: str, headers: str = "") -> bytes:
    head = f"HTTP/1.1 {status} Said\r\nContent-Type: application/json\r\n{headers}Content-Length: {len(body)}\r\n\r\n"
    return (head + body).encode()


if __name__ == "__main__":
    main()
