"""The web side behind a real Caddy with the Caddyfile we ship."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from newsletter.core.consent import State
from newsletter.web.serve import config as site_config
from tests.web.conftest import House, running

CADDYFILE = Path(__file__).resolve().parents[2] / "deploy" / "Caddyfile"


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


@pytest.fixture(scope="module")
def front(open_a_house, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, House]]:
    """The address of Caddy, and the house behind it, which believes it."""
    caddy = shutil.which("caddy")
    if caddy is None:
        pytest.skip("caddy is not installed")
    folder = tmp_path_factory.mktemp("caddy")
    (folder / "house").mkdir()
    with (
        open_a_house(folder / "house") as house,
        running(site_config(house.desk, ["127.0.0.1"], tick_seconds=3600)) as behind,
    ):
        port = _free_port()
        (folder / "Caddyfile").write_text("{\n\tadmin off\n}\n" + CADDYFILE.read_text("utf-8"), "utf-8")
        environ = {
            **os.environ,
            "SITE_HOST": f"http://127.0.0.1:{port}",
            "SITE_UPSTREAM": behind.removeprefix("http://"),
            "XDG_DATA_HOME": str(folder),
            "XDG_CONFIG_HOME": str(folder),
        }
        command = [caddy, "run", "--adapter", "caddyfile", "--config", str(folder / "Caddyfile")]
        process = subprocess.Popen(command, env=environ, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            url = f"http://127.0.0.1:{port}"
            _until_it_answers(url)
            yield url, house
        finally:
            process.terminate()
            process.wait(10)


def _until_it_answers(url: str) -> None:
    end = time.monotonic() + 20
    while True:
        try:
            requests.get(f"{url}/healthz", timeout=5).raise_for_status()
        except requests.RequestException:
            assert time.monotonic() < end
            time.sleep(0.05)
        else:
            return


def test_one_click_goes_through_without_redirect_or_cookie(front: tuple[str, House]) -> None:
    url, house = front
    who = house.join("anna@harbour.test", letter="yes")
    path = f"/unsubscribe/{who.unsubscribe_token}"
    answer = requests.post(url + path, data={"List-Unsubscribe": "One-Click"}, timeout=5, allow_redirects=False)
    assert answer.status_code == 200
    assert "set-cookie" not in answer.headers
    assert house.state("anna@harbour.test") is State.UNSUBSCRIBED


def test_what_is_for_this_machine_alone_stays_inside(front: tuple[str, House]) -> None:
    url, _house = front
    assert requests.get(f"{url}/metrics", timeout=5).status_code == 404
    answer = requests.get(f"{url}/", timeout=5)
    assert "max-age" in answer.headers["strict-transport-security"]
    assert "default-src" in answer.headers["content-security-policy"]


def test_a_body_too_large_is_refused_in_front(front: tuple[str, House]) -> None:
    url, _house = front
    assert requests.post(f"{url}/subscribe", data=b"a" * 200_000, timeout=10).status_code == 413
    # Of a body this large Caddy is still sending when we have answered, and it may say so in its own way.
    assert requests.post(f"{url}/subscribe", data=b"a" * 3_000_000, timeout=10).status_code in {413, 502}
