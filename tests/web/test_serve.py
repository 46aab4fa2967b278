import logging
import signal
import socket
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import requests

from newsletter.errors import ConfigurationError
from newsletter.web.serve import Patient, config, listen
from tests.web.conftest import running


def test_a_port_in_use_says_what_to_do():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ConfigurationError, match=f"Port {port} is in use already.") as refused:
            listen("127.0.0.1", port)
    assert f"--port {port + 1}" in refused.value.todo


@pytest.mark.parametrize(
    ("host", "port"), [("no.such.host.invalid", 8000), ("203.0.113.7", 8000), ("127.0.0.1", 99999)]
)
def test_an_address_that_is_not_ours(host, port):
    with pytest.raises(ConfigurationError) as refused:
        listen(host, port)
    assert refused.value.todo


def test_answers_do_not_wait_for_the_clients_acknowledgement():
    """Asyncio turns Nagle's algorithm off only where the protocol is named; else each answer takes 40 ms."""
    with listen("127.0.0.1", 0) as listening:
        assert listening.proto == socket.IPPROTO_TCP


def test_a_star_is_no_proxy(house):
    with pytest.raises(ConfigurationError, match="cannot be"):
        config(house.desk, ["*"])


def test_no_proxy_is_believed_unless_it_is_named(house):
    assert config(house.desk).proxy_headers is False
    named = config(house.desk, ["10.0.0.1"])
    assert (named.proxy_headers, named.forwarded_allow_ips) == (True, ["10.0.0.1"])


def test_promise_12_no_key_and_no_address_is_in_a_log(house, caplog):
    with caplog.at_level(logging.DEBUG):
        who = house.join("logged@example.org", letter="yes")
        for path in (house.link("logged@example.org", "download", 2), f"/unsubscribe/{who.unsubscribe_token}"):
            house.get(path)
            house.post(path)
        house.post("/subscribe", data={"email": "logged@@example.org"})
    ours = [record.getMessage() for record in caplog.records if record.name.startswith(("newsletter", "uvicorn"))]
    assert not [line for line in ours if "logged" in line or who.unsubscribe_token in line or "/confirm/" in line]


class Hasty(Patient):
    """It waits for nobody."""

    patience = 0.05


class Spoilt(Patient):
    """It waits for a first request, and then for nobody."""

    @property
    def patience(self) -> float:
        return 0.05 if self.cycle else 60


@contextmanager
def connected(desk, kind: type[Patient]) -> Iterator[socket.socket]:
    made = config(desk)
    made.http, made.timeout_keep_alive = kind, 60
    with running(made) as url, socket.create_connection(("127.0.0.1", int(url.rpartition(":")[2])), 10) as connection:
        yield connection


def heard(connection: socket.socket, end: bytes = b"") -> bytes:
    """What comes until `end`, or until the other side closes."""
    said = b""
    while not (end and end in said) and (more := connection.recv(4096)):
        said += more
    return said


def test_a_connection_that_says_nothing_is_closed(house):
    with connected(house.desk, Hasty) as connection:
        assert heard(connection) == b""


def test_a_head_that_does_not_end_is_refused_also_the_second_of_a_connection(house):
    with connected(house.desk, Spoilt) as connection:
        connection.sendall(b"GET /healthz HTTP/1.1\r\n")
        connection.sendall(b"Host: x\r\n\r\n")
        assert b"200 OK" in heard(connection, end=b"ok\n")
        connection.sendall(b"GET /healthz HT")
        assert heard(connection).startswith(b"HTTP/1.1 408 ")


def test_the_server_that_is_run_is_the_patient_one(house):
    assert (config(house.desk).http, Patient.patience) == (Patient, 30.0)


SCRIPT = """
    import sys
    from pathlib import Path
    sys.path.insert(0, {tests!r})
    import conftest
    from newsletter.web.serve import serve
    house = conftest.build(Path({root!r}))
    serve(house.desk, port=0)
    house.store.close()
"""


def test_it_says_its_address_serves_and_stops(tmp_path):
    script = textwrap.dedent(SCRIPT).format(tests=str(Path(__file__).parent), root=str(tmp_path))
    with subprocess.Popen(
        [sys.executable, "-c", script], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as run:
        assert run.stdout
        said = run.stdout.readline()
        url = said.partition(" at ")[2].split()[0]
        assert requests.get(url + "/healthz", timeout=10).text == "ok\n"
        run.send_signal(signal.SIGTERM)
        _, problems = run.communicate(timeout=20)
    assert said.startswith("Serving Harbour Letters at http://127.0.0.1:")
    assert problems == ""
