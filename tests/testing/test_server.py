"""The other side over real HTTP: what it is told to do is what a client meets."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from newsletter.testing import (
    Accept,
    CutAfter,
    CutBefore,
    Garbage,
    Reply,
    Request,
    Server,
    Sink,
    Sleep,
    keys_in,
    record,
)

KEY = "0123456789abcdef-fedcba9876543210"


@pytest.fixture
def asked() -> list[Request]:
    """What a server was asked."""
    return []


@pytest.fixture
def server(asked: list[Request]) -> Iterator[Server]:
    """A server that notes every request."""

    def answer(request: Request) -> Reply:
        asked.append(request)
        return Reply(201, b'{"ok": true}', {"X-Own": "1"})

    with Server(answer) as running:
        yield running


@pytest.fixture
def client() -> Iterator[requests.Session]:
    with requests.Session() as session:
        session.trust_env = False
        yield session


def test_a_request_arrives_whole_and_its_answer_comes_back(
    server: Server, client: requests.Session, asked: list[Request]
) -> None:
    answer = client.post(f"{server.url}/a%20b?x=1&x=&y=%C3%A9", data=b"body", headers={"X-Mine": "yes"})
    assert (answer.status_code, answer.json(), answer.headers["X-Own"]) == (201, {"ok": True}, "1")
    (request,) = asked
    assert (request.method, request.path, request.body) == ("POST", "/a b", b"body")
    assert request.query == (("x", "1"), ("x", ""), ("y", "é"))
    assert request.params == {"x": "", "y": "é"}
    assert request.headers["x-mine"] == "yes"
    assert request.target == "/a%20b?x=1&x=&y=%C3%A9"


def test_connections_are_kept(server: Server, asked: list[Request]) -> None:
    host, _, port = server.url.removeprefix("http://").partition(":")
    with socket.create_connection((host, int(port))) as raw, raw.makefile("rb") as answers:
        for number in range(2):
            raw.sendall(b"POST /%d HTTP/1.1\r\nContent-Length: 1\r\n\r\nx" % number)
            assert answers.readline().startswith(b"HTTP/1.1 201")
            while answers.readline() != b"\r\n":
                pass
            assert answers.read(len(b'{"ok": true}')) == b'{"ok": true}'
    assert [one.path for one in asked] == ["/0", "/1"]


@pytest.mark.parametrize("cut", [CutBefore(), CutAfter()])
def test_a_cut_connection_is_no_answer(
    server: Server, client: requests.Session, asked: list[Request], cut: CutBefore | CutAfter
) -> None:
    server.then(cut)
    with pytest.raises(requests.ConnectionError):
        client.post(server.url, data=b"x" * 100_000)
    assert len(asked) == isinstance(cut, CutAfter)
    assert client.post(server.url, data=b"x").ok


def test_a_script_is_for_what_sends_one_step_each(
    server: Server, client: requests.Session, asked: list[Request]
) -> None:
    server.then(
        Sleep(0.0), Reply(429, b"{}", {"Retry-After": "3"}), Accept(), Garbage(taken=True), Garbage(taken=False)
    )
    assert client.get(server.url).status_code == 201
    answers = [client.post(server.url, data=b"x") for _ in range(5)]
    assert [one.status_code for one in answers] == [429, 201, 200, 200, 201]
    assert answers[0].headers["Retry-After"] == "3"
    with pytest.raises(ValueError, match="Expecting value"):
        answers[2].json()
    assert len(asked) == 4  # the GET, the one accepted, the garbled one that was taken, the last
    assert server.waiting == 0


def test_half_a_request_is_none(server: Server, asked: list[Request]) -> None:
    host, _, port = server.url.removeprefix("http://").partition(":")
    with socket.create_connection((host, int(port))) as raw:
        raw.sendall(b"POST / HTTP/1.1\r\nContent-Length: 100\r\n\r\nonly this")
        raw.shutdown(socket.SHUT_WR)
        assert raw.recv(100) == b""
    assert asked == []


def test_a_closed_server_answers_nobody(client: requests.Session) -> None:
    server = Server(lambda _request: Reply())
    assert client.get(server.url).ok
    server.close()
    with pytest.raises(requests.ConnectionError):
        client.get(server.url)


def test_a_sink_remembers_for_whom(client: requests.Session) -> None:
    with Sink() as sink:
        client.post(sink.url, data=f'{{"key": "{KEY}", "again": "{KEY}"}}'.encode())
        assert (sink.count, sink.twice, sink.has(KEY)) == (1, [], True)
        client.get(f"{sink.url}/?{KEY}")
        client.post(sink.url, data=KEY.encode())
        assert sink.twice == [KEY]
        assert sink.taken == {KEY: 2}


def test_a_sink_says_what_it_is_told_to_say(client: requests.Session) -> None:
    with Sink(
        keys=lambda request: request.body.decode().split(), answer=lambda _request, keys: Reply(202, b"%d" % len(keys))
    ) as sink:
        answer = client.post(sink.url, data=b"one two")
    assert (answer.status_code, answer.content) == (202, b"2")


def test_delivery_keys_of_both_lengths_are_found_and_nothing_else() -> None:
    longer = "0123456789abcdef012345-0123456789abcdef012345"
    body = f"{KEY} {longer} x{KEY} {KEY}0 {KEY[:-1]} 2026-12-01".encode()
    assert list(keys_in(Request("POST", "/", body=body))) == [KEY, longer]


def test_what_one_process_took_another_can_read_even_when_it_died(tmp_path: Path) -> None:
    file = tmp_path / "taken"
    code = f"""
import requests
from pathlib import Path
from newsletter.testing import Die, Sink
sink = Sink(record=Path({str(file)!r}))
sink.then(Die(taken=True, code=9))
requests.post(sink.url, data=b"{KEY}")
"""
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 9
    assert record.read(file) == {KEY: 1}
    with Sink(record=file) as sink:
        assert sink.has(KEY)


def test_a_record_keeps_whole_lines(tmp_path: Path) -> None:
    file = tmp_path / "taken"
    assert record.read(file) == {}
    record.add(file, ["a", "b"])
    record.add(file, ["b"])
    assert file.read_text("ascii") == "a b\nb\n"
    assert record.read(file) == {"a": 1, "b": 2}
