"""The drill: a database that real Litestream copied is lost, comes back, and mails nobody it should not."""

from __future__ import annotations

import json
import shutil
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.cli.conftest import cli, folder

__all__ = ["cli", "folder"]

SHIPPED = Path(__file__).resolve().parents[2] / "deploy" / "litestream.yml"


@pytest.fixture
def litestream() -> str:
    found = shutil.which("litestream")
    if found is None:
        pytest.skip("litestream is not installed")
    return found


def config(place: Path, replica: Path) -> dict[str, Any]:
    """What we ship, with a folder in place of a bucket."""
    made: dict[str, Any] = yaml.safe_load(SHIPPED.read_text("utf-8"))
    (database,) = made["dbs"]
    database["path"] = str(place)
    (one,) = database["replicas"]
    for key in ("bucket", "region"):
        del one[key]
    one.update({"type": "file", "path": str(replica), "sync-interval": "100ms"})
    return made


@pytest.mark.slow
def test_promise_4_what_litestream_brings_back_mails_no_leaver(cli: Any, litestream: str, tmp_path: Path) -> None:
    cli.readers(5)
    assert cli("tick") == 0
    database, replica, settings = cli.folder / "var/newsletter.db", tmp_path / "replica", tmp_path / "litestream.yml"
    settings.write_text(yaml.safe_dump(config(database, replica)), "utf-8")
    copying = subprocess.Popen(
        [litestream, "replicate", "-config", str(settings)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        assert cli("subscribers", "add", "anna@x.test", "--attest-consent", "asked") == 0
        end = time.monotonic() + 20
        while not list(replica.rglob("*.wal.lz4")) or not list(replica.rglob("*.snapshot.lz4")):
            assert copying.poll() is None
            assert time.monotonic() < end
            time.sleep(0.05)
    finally:
        copying.terminate()  # it copies what is left, and ends
        copying.wait(10)
    assert cli("send", "quiet", "--yes") == 0
    assert cli("subscribers", "suppress", "r1@x.test") == 0
    once = cli.addresses()
    for path in database.parent.glob("newsletter.db*"):
        path.unlink()

    restoring = [litestream, "restore", "-config", str(settings), "-o", str(database), str(database)]
    subprocess.run(restoring, check=True, capture_output=True)
    assert cli("db", "check") == 0
    assert cli("db", "restore", "--came-back", "--json") == 0
    assert json.loads(cli.out)["leavers"] == 1
    assert cli("send", "quiet", "--yes") == 77
    assert cli("db", "restore", "--accept") == 0
    assert cli("send", "quiet", "--yes") == 77
    assert cli.addresses() == once
    cli("subscribers", "show", "r1@x.test", "--json")
    assert json.loads(cli.out)["suppressed"] == "owner"
    cli("subscribers", "show", "anna@x.test", "--json")
    assert json.loads(cli.out)["state"] == "active"
