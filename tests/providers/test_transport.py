"""HTTP for the adapters, against a real server that answers, cuts, drips and keeps silent."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime

import pytest
import requests

from newsletter.core.delivery import Batch, BatchResult, Outcome, Recipient, Status
from newsletter.errors import ProviderError
from newsletter.providers.transport import (
    Answer,
    Body,
    Transport,
    Verdict,
    answered,
    array,
    hand_over,
    needed,
    parts,
    sift,
    unanswered,
    verdict,
    wait_of,
)
from newsletter.testing import Clock

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"


class Server:
    """One connection after the other, each handled as `act` says; keeps what it got."""

    def __init__(self, act: Callable[[socket.socket, Server], None]) -> None:
        self.act, self.got, self.connections = act, bytearray(), 0
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}/base"
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while True:
            try:
                peer, _ = self._socket.accept()
            except OSError:
                return
            self.connections += 1
            with peer:
                peer.settimeout(5)
                self.act(peer, self)

    def request(self, peer: socket.socket) -> bytes:
        """One whole request."""
        data = b""
        while b"\r\n\r\n" not in data and (more := peer.recv(65536)):
            data += more
        head, _, body = data.partition(b"\r\n\r\n")
        length = next(
            (int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length")), 0
        )
        while len(body) < length and (more := peer.recv(65536)):
            body += more
        self.got += head + b"\r\n\r\n" + body
        return head

    def close(self) -> None:
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        self._thread.join(5)


Serve = Callable[[Callable[[socket.socket, Server], None]], tuple[Server, Transport]]


@pytest.fixture
def serve() -> Iterator[Serve]:
    opened: list[Server | Transport] = []

    def start(act: Callable[[socket.socket, Server], None]) -> tuple[Server, Transport]:
        server = Server(act)
        transport = Transport(server.url, headers={"X-Key": "k"})
        opened.extend((transport, server))
        return server, transport

    yield start
    for one in opened:
        one.close()


def answering(*answers: bytes) -> Callable[[socket.socket, Server], None]:
    def act(peer: socket.socket, server: Server) -> None:
        for answer in answers:
            if not server.request(peer):
                return
            peer.sendall(answer)

    return act


def test_a_streamed_body_goes_out_whole_with_its_length(serve: Serve) -> None:
    server, transport = serve(answering(OK))
    answer = transport.post("/send", Body(iter([b"[1", b",2]"]), 5), timeout=5, headers={"X-Extra": "e"})
    assert (answer.status, answer.json(), verdict(answer)) == (200, {}, None)
    head, _, body = bytes(server.got).partition(b"\r\n\r\n")
    assert head.startswith(b"POST /base/send HTTP/1.1")
    assert body == b"[1,2]"
    for line in (b"Content-Length: 5", b"X-Key: k", b"X-Extra: e", b"Content-Type: application/json"):
        assert line in head
    assert b"chunked" not in head.lower()


def test_connections_are_kept_and_no_cookie_is(serve: Serve) -> None:
    cookie = OK.replace(b"\r\n\r\n", b"\r\nSet-Cookie: spy=1\r\n\r\n")
    server, transport = serve(answering(cookie, OK))
    assert [transport.post("/a", b"1", timeout=5).status for _ in range(2)] == [200, 200]
    assert server.connections == 1
    assert b"spy" not in server.got


def test_a_sign_hook_sees_the_bytes_it_signs(serve: Serve) -> None:
    server, _ = serve(answering(OK))
    seen = []

    def sign(request: requests.PreparedRequest) -> None:
        seen.append(request.body)
        request.headers["Authorization"] = "signed"

    transport = Transport(server.url, sign=sign)
    assert transport.post("/a", b"body", timeout=5).ok
    transport.close()
    assert seen == [b"body"]
    assert b"Authorization: signed" in server.got


def test_promise_3_a_connection_cut_before_the_body_was_surely_not_sent(serve: Serve) -> None:
    free = socket.create_server(("127.0.0.1", 0))
    port = free.getsockname()[1]
    free.close()
    transport = Transport(f"http://127.0.0.1:{port}")
    answer = transport.post("/send", b"{}", timeout=2)
    transport.close()
    said = verdict(answer)
    assert said is not None
    assert (answer.status, said.status, said.code) == (0, Status.RETRY, "connect")
    assert said.retry_after
    assert str(port) not in said.detail


def test_promise_3_a_connection_cut_after_the_body_is_unknown(serve: Serve) -> None:
    def cut(peer: socket.socket, server: Server) -> None:
        server.request(peer)

    _, transport = serve(cut)
    answer = transport.post("/send", b"{}", timeout=2)
    assert answer.begun
    assert verdict(answer) is not None
    assert verdict(answer).status is Status.UNKNOWN  # type: ignore[union-attr]


def test_promise_3_silence_and_half_an_answer_are_unknown(serve: Serve) -> None:
    def silent(peer: socket.socket, server: Server) -> None:
        server.request(peer)
        peer.recv(1)

    def half(peer: socket.socket, server: Server) -> None:
        server.request(peer)
        peer.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\n{")

    for act in (silent, half):
        _, transport = serve(act)
        answer = transport.post("/send", b"{}", timeout=0.3)
        said = verdict(answer)
        assert said is not None
        assert said.status is Status.UNKNOWN
        assert answer.json() is None


def test_a_server_that_drips_does_not_hold_us(serve: Serve) -> None:
    over = threading.Event()

    def drip(peer: socket.socket, server: Server) -> None:
        server.request(peer)
        peer.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n")
        while not over.wait(0.05):
            try:
                peer.sendall(b"x")
            except OSError:
                return

    _, transport = serve(drip)
    answer = transport.post("/send", b"{}", timeout=0.4)
    over.set()
    assert answer.broken


def test_promise_1_a_process_that_stood_still_sends_nothing_when_it_goes_on(serve: Serve) -> None:
    """Stopped between the lease's check and the first byte: the time it was given is over when it wakes."""
    server, _ = serve(answering(OK))
    clock = Clock()

    class Stopped(Body):
        def __next__(self) -> bytes:
            if not self.begun:
                clock.move(3600)
            return super().__next__()

    transport = Transport(server.url, monotonic=clock.monotonic)
    answer = transport.post("/send", Stopped(iter([b"{}"]), 2), timeout=30)
    transport.close()
    said = verdict(answer)
    assert said is not None
    assert (answer.begun, said.status) == (False, Status.RETRY)
    assert b"{}" not in server.got


def test_a_redirect_is_not_followed_and_stops(serve: Serve) -> None:
    server, transport = serve(answering(b"HTTP/1.1 307 T\r\nLocation: /other\r\nContent-Length: 0\r\n\r\n"))
    said = verdict(transport.post("/send", b"{}", timeout=2))
    assert said == Verdict(Status.RETRY, "307", "It answered with a redirect: is its base URL right?", halt="account")
    assert server.connections == 1


@pytest.mark.parametrize(
    ("status", "want", "halt"),
    [
        (400, Status.REJECTED, ""),
        (401, Status.RETRY, "auth"),
        (402, Status.RETRY, "account"),
        (403, Status.RETRY, "auth"),
        (404, Status.REJECTED, ""),
        (408, Status.UNKNOWN, ""),
        (422, Status.REJECTED, ""),
        (429, Status.RETRY, ""),
        (500, Status.UNKNOWN, ""),
        (502, Status.UNKNOWN, ""),
        (503, Status.UNKNOWN, ""),
        (504, Status.UNKNOWN, ""),
    ],
)
def test_what_a_status_means(status: int, want: Status, halt: str) -> None:
    said = verdict(Answer(status), "words")
    assert said is not None
    assert (said.status, said.halt, said.code, said.detail) == (want, halt, str(status), "words")


def test_a_503_is_surely_unsent_only_where_the_provider_says_so() -> None:
    said = verdict(Answer(503, headers={"retry-after": "7"}), unavailable=Status.RETRY)
    assert said is not None
    assert (said.status, said.retry_after) == (Status.RETRY, 7)


def test_how_long_to_wait_in_seconds_and_as_a_date() -> None:
    date = "Tue, 01 Dec 2026 17:30:00 GMT"
    later = "Tue, 01 Dec 2026 17:31:30 GMT"
    cases = [
        ({"retry-after": "12"}, 12),
        ({"retry-after": later, "date": date}, 90),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "-4"}, None),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "1e12"}, 6 * 3600),
        ({"x-reset": "5"}, 5),
        ({}, None),
    ]
    for headers, want in cases:
        assert wait_of(Answer(429, headers=headers), ("retry-after", "x-reset")) == want, headers
    assert datetime(2026, 12, 1, tzinfo=UTC)


def readers(count: int) -> tuple[Recipient, ...]:
    return tuple(Recipient(f"d.{n}", f"r{n}@x.test", {}) for n in range(count))


def test_parts_by_count_and_by_bytes() -> None:
    assert [len(part) for part in parts(readers(7), count=3, size=lambda _: 1, room=100)] == [3, 3, 1]
    assert [len(part) for part in parts(readers(5), count=9, size=lambda _: 40, room=100)] == [2, 2, 1]
    assert [len(part) for part in parts(readers(2), count=9, size=lambda _: 400, room=100)] == [1, 1]


class Other:
    """A side that refuses whole calls that hold certain readers, and says of whom nothing."""

    def __init__(self, *bad: int) -> None:
        self.bad, self.calls, self.taken = {f"d.{n}" for n in bad}, 0, []  # type: ignore[var-annotated]

    def __call__(self, part: tuple[Recipient, ...], _left: float) -> tuple[Outcome, ...] | Verdict:
        self.calls += 1
        if any(one.key in self.bad for one in part):
            return Verdict(Status.REJECTED, "400", "invalid: r3@x.test")
        self.taken += [one.key for one in part]
        return tuple(Outcome(one.key, Status.SUBMITTED) for one in part)


def test_one_bad_address_does_not_keep_the_others_back() -> None:
    other = Other(3, 700)
    result = sift([readers(1000)], other, timeout=9)
    refused = [outcome.key for outcome in result.outcomes if outcome.status is Status.REJECTED]
    assert refused == ["d.3", "d.700"]
    assert len(other.taken) == len(set(other.taken)) == 998
    assert [outcome.key for outcome in result.outcomes] == [one.key for one in readers(1000)]
    assert other.calls < 50
    assert all("@" not in outcome.detail for outcome in result.outcomes)
    assert result.halt == ""


def test_when_everybody_is_refused_it_is_us_and_nobody_is_refused_for_good() -> None:
    result = sift([readers(100)], Other(*range(100)), timeout=9)
    assert result.halt == "account"
    assert {outcome.status for outcome in result.outcomes} == {Status.RETRY}


def test_a_few_bad_ones_at_the_head_do_not_speak_for_all() -> None:
    other = Other(0, 1, 2, 3)
    result = sift([readers(100)[:60], readers(100)[60:]], other, timeout=9)
    refused = [outcome.key for outcome in result.outcomes if outcome.status is Status.REJECTED]
    assert (refused, result.halt) == (["d.0", "d.1", "d.2", "d.3"], "")
    assert len(other.taken) == len(set(other.taken)) == 96
    assert [outcome.key for outcome in result.outcomes] == [one.key for one in readers(100)]


def test_what_stops_holds_for_all_who_follow() -> None:
    def busy(part: tuple[Recipient, ...], _left: float) -> Verdict:
        return Verdict(Status.RETRY, "429", retry_after=9)

    result = sift([readers(2), readers(4)[2:]], busy, timeout=9)
    assert (result.retry_after, result.halt) == (9, "")
    assert [outcome.status for outcome in result.outcomes] == [Status.RETRY] * 4


def test_a_lost_answer_is_unknown_and_is_never_halved() -> None:
    calls = []

    def lost(part: tuple[Recipient, ...], _left: float) -> Verdict:
        calls.append(len(part))
        return Verdict(Status.UNKNOWN, "lost")

    result = sift([readers(4)], lost, timeout=9)
    assert calls == [4]
    assert {outcome.status for outcome in result.outcomes} == {Status.UNKNOWN}


def test_what_cannot_be_begun_in_time_is_left_for_another_time() -> None:
    clock = Clock()

    def slow(part: tuple[Recipient, ...], left: float) -> tuple[Outcome, ...]:
        assert left > 0
        clock.move(6)
        return tuple(Outcome(one.key, Status.SUBMITTED) for one in part)

    whole = readers(6)
    result = sift([whole[:2], whole[2:4], whole[4:]], slow, timeout=10, monotonic=clock.monotonic)
    assert [outcome.status for outcome in result.outcomes] == [Status.SUBMITTED] * 4 + [Status.RETRY] * 2
    assert result.halt == ""


def test_what_stops_the_others_does_not_change_what_was_answered() -> None:
    def some(part: tuple[Recipient, ...], _left: float) -> BatchResult:
        taken, later = Outcome(part[0].key, Status.SUBMITTED), Outcome(part[1].key, Status.RETRY)
        return BatchResult((taken, later), halt="quota")

    result = sift([readers(2), readers(4)[2:]], some, timeout=9)
    assert [outcome.status for outcome in result.outcomes] == [Status.SUBMITTED, *[Status.RETRY] * 3]
    assert result.halt == "quota"


def taken(part: tuple[Recipient, ...], _left: float) -> tuple[Outcome, ...]:
    return tuple(Outcome(one.key, Status.SUBMITTED) for one in part)


def test_an_address_that_may_be_two_is_in_no_call_and_an_unsafe_key_stops_all() -> None:
    given = (*readers(2), Recipient("d.x", "a@x.test, b@x.test", {}), Recipient("d.y", "a@x.test\r\nCc: b@x.test", {}))
    seen: list[tuple[Recipient, ...]] = []

    def split(part: tuple[Recipient, ...]) -> list[tuple[Recipient, ...]]:
        seen.append(part)
        return [part]

    at = datetime(2026, 12, 1, tzinfo=UTC)
    result = hand_over(Batch(given, at=at), split, taken, timeout=9)
    assert [outcome.status for outcome in result.outcomes] == [Status.SUBMITTED] * 2 + [Status.REJECTED] * 2
    assert seen == [given[:2]]
    unsafe = hand_over(Batch((Recipient("a\r\nb", "a@x.test", {}),), at=at), split, taken, timeout=9)
    assert (unsafe.halt, unsafe.outcomes[0].status, len(seen)) == ("bug", Status.RETRY, 1)


def test_an_array_is_as_long_as_it_says() -> None:
    for count in (1, 2, 5):
        body = array(readers(count), of=lambda one, before: before + one.key.encode(), size=lambda one: len(one.key))
        length = len(body)
        said = b"".join(body)
        assert (len(said), said[:1], said[-1:], said.count(b",")) == (length, b"[", b"]", count - 1)


def test_a_credential_can_stand_in_a_header_or_is_refused_by_its_variables_name() -> None:
    assert needed(" key\n", "X") == "key"
    for wrong in ("", "  ", "a b", "a\r\nX: y", "schlüssel"):
        with pytest.raises(ProviderError, match="NEWSLETTER_X__KEY") as refused:
            needed(wrong, "NEWSLETTER_X__KEY")
        assert not wrong.strip() or wrong not in str(refused.value)


def test_a_question_about_the_account_is_answered_or_not() -> None:
    assert answered(Answer(200, b'{"a": 1}'), "Acme") == {"a": 1}
    assert answered(Answer(204), "Acme") is None
    for wrong in (Answer(200, b"<html>"), Answer(500), Answer(0, problem="gone"), Answer(200, b"{}", broken=True)):
        with pytest.raises(ProviderError, match="Acme"):
            answered(wrong, "Acme")
    assert unanswered(Answer(401), "X").level == "error"
    assert unanswered(Answer(500), "X").level == "warning"


@pytest.mark.parametrize(
    "url", ["", "api.example.org", "ftp://api.example.org", "https://", "https://a:b", "http://[::1"]
)
def test_a_base_url_that_is_none_is_told_at_once(url: str) -> None:
    with pytest.raises(ProviderError, match="base URL"):
        Transport(url)


def test_no_address_stands_twice_in_a_part() -> None:
    given = tuple(Recipient(f"k{n}", who, {}) for n, who in enumerate(("a@x.test", "A@x.test", "b@x.test", "a@x.test")))
    found = parts(given, count=9, size=lambda _: 1, room=99)
    assert [[one.key for one in part] for part in found] == [["k0"], ["k1", "k2"], ["k3"]]
