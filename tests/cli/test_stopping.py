"""A signal while a call is in flight that nobody answers."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from typing import Any

import pytest

from newsletter.cli import stopping
from tests.cli.conftest import KEYS


@pytest.mark.slow
def test_a_call_without_an_answer_is_left_behind_after_five_seconds(cli: Any) -> None:
    """GitHub kills ten seconds after its first signal: by then all must be said."""
    cli.readers(2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        silent.settimeout(60)
        smtp = {
            "NEWSLETTER_PROVIDER": "smtp",
            "NEWSLETTER_SMTP__HOST": "127.0.0.1",
            "NEWSLETTER_SMTP__PORT": str(silent.getsockname()[1]),
            "NEWSLETTER_SMTP__SECURITY": "none",
        }
        sending = subprocess.Popen(
            [sys.executable, "-m", "newsletter", "-C", str(cli.folder), "send", "quiet", "--yes", "--json"],
            env={**os.environ, **KEYS, **smtp},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        line, _ = silent.accept()
        with line:
            sending.send_signal(signal.SIGINT)
            sending.send_signal(signal.SIGTERM)
            out, err = sending.communicate(timeout=60)
    assert sending.returncode == 75, err
    assert stopping.WHAT in err
    document = json.loads(out)
    assert document["error"] == {"what": stopping.WHAT, "fix": stopping.TODO, "code": 75}
    counts = cli.json("status", "quiet")
    assert (counts["submitted"], counts["pending"] + counts["uncertain"]) == (0, 2)
