"""The outbox keeps what every provider promises, and survives being killed."""

from __future__ import annotations

import email
import mailbox
import os
import signal
import subprocess
import sys
import tempfile
import textwrap
import time
from dataclasses import replace
from email import policy
from pathlib import Path

import pytest

from newsletter.core.delivery import Status
from newsletter.core.email import Mailbox
from newsletter.providers.outbox import Outbox, messages
from newsletter.testing import Arrived, ProviderContract, sample_batch, sample_email


class TestOutbox(ProviderContract):
    repeats_safely = True

    @pytest.fixture(autouse=True)
    def _folder(self, tmp_path):
        self.path = tmp_path / "outbox"

    def provider(self):
        return Outbox(path=self.path)

    def arrived(self):
        return [Arrived.of(message.as_bytes(policy=policy.SMTP)) for message in messages(self.path)]


@pytest.fixture
def path(tmp_path):
    return tmp_path / "var" / "outbox"


@pytest.fixture
def outbox(path):
    return Outbox(path=path)


def submit(outbox, batch, email_=None):
    return outbox.submit(email_ or sample_email(), batch, key="k", timeout=5)


def names(path, folder="new"):
    return sorted(file.name for file in (path / folder).iterdir())


def test_it_says_that_nothing_leaves_and_that_it_can_be_searched(outbox):
    assert outbox.capabilities.network is False
    assert outbox.capabilities.reconcile == "search"
    assert outbox.capabilities.settle_seconds == 0


def test_it_is_a_maildir_whose_files_carry_the_delivery_key(outbox, path):
    submit(outbox, sample_batch(2))
    assert sorted(folder.name for folder in path.iterdir()) == ["cur", "new", "tmp"]
    assert names(path) == ["d.1", "d.2"]
    assert names(path, "tmp") == []
    box = mailbox.Maildir(path, create=False)
    assert sorted(str(message["To"]) for message in box) == ["reader1@example.org", "reader2@example.org"]


def test_only_its_owner_can_read_it(outbox, path):
    submit(outbox, sample_batch(1))
    assert (path / "new").stat().st_mode & 0o077 == 0
    assert (path / "new" / "d.1").stat().st_mode & 0o077 == 0


def test_the_message_id_is_the_answer(outbox, path):
    (outcome,) = submit(outbox, sample_batch(1)).outcomes
    (message,) = messages(path)
    assert outcome.message_id == message["Message-ID"] == "<d.1@letter.example.org>"


@pytest.mark.parametrize("seen", ["d.1", "d.1:2,", "d.1:2,RS"])
def test_promise_1_a_message_somebody_has_read_is_not_written_again(outbox, path, seen):
    submit(outbox, sample_batch(2))
    (path / "new" / "d.1").rename(path / "cur" / seen)
    result = submit(outbox, sample_batch(2))
    assert {outcome.status for outcome in result.outcomes} == {Status.SUBMITTED}
    assert (names(path), names(path, "cur")) == (["d.2"], [seen])


def test_promise_1_what_stands_there_is_left_as_it_is(outbox, path):
    submit(outbox, sample_batch(1))
    submit(outbox, sample_batch(1), sample_email("Another week"))
    (message,) = messages(path)
    assert message["Subject"] == "A quiet week, Reader 1"


def test_promise_3_reconcile_tells_by_file_name(outbox, path):
    submit(outbox, sample_batch(2))
    (path / "new" / "d.1").rename(path / "cur" / "d.1:2,S")
    (path / "tmp" / "d.3.99.99").write_bytes(b"From: half")
    found = outbox.reconcile(sample_batch(3), key="k")
    assert {key: outcome.status for key, outcome in found.items()} == {
        "d.1": Status.SUBMITTED,
        "d.2": Status.SUBMITTED,
        "d.3": Status.RETRY,
    }
    assert found["d.1"].message_id == "<d.1@letter.example.org>"


def test_promise_3_a_folder_that_cannot_be_read_tells_nothing(outbox, path):
    path.mkdir(parents=True)
    (path / "cur").write_text("not a folder")
    assert outbox.reconcile(sample_batch(2), key="k") == {"d.1": None, "d.2": None}


def test_reconcile_before_the_first_message_is_surely_not_sent(outbox):
    (outcome,) = outbox.reconcile(sample_batch(1), key="k").values()
    assert outcome.status is Status.RETRY


@pytest.mark.parametrize("key", ["../d", "a/b", ".hidden", "", "d:2,S", "a\0b"])
def test_a_key_that_is_no_file_name_is_refused_and_nothing_is_written(outbox, path, key):
    batch = sample_batch(2)
    batch = replace(batch, recipients=(batch.recipients[0], batch.recipients[1]._replace(key=key)))
    result = submit(outbox, batch)
    assert result.halt == "bug"
    assert {outcome.status for outcome in result.outcomes} == {Status.RETRY}
    assert not path.exists()


def test_promise_12_an_address_with_room_for_another_is_rejected_and_not_told(outbox, path):
    batch = sample_batch(3)
    two = batch.recipients[1]._replace(address="a@example.org, b@example.org")
    result = submit(outbox, replace(batch, recipients=(batch.recipients[0], two, batch.recipients[2])))
    statuses = [outcome.status for outcome in result.outcomes]
    assert statuses == [Status.SUBMITTED, Status.REJECTED, Status.SUBMITTED]
    assert "example.org" not in result.outcomes[1].detail
    assert names(path) == ["d.1", "d.3"]


def test_a_sender_that_is_no_address_halts_before_anything_is_written(outbox, path):
    result = submit(outbox, sample_batch(2), replace(sample_email(), sender=Mailbox("Sam", "nobody")))
    assert result.halt == "account"
    assert {outcome.status for outcome in result.outcomes} == {Status.RETRY}
    assert not path.exists()


def test_a_place_that_is_no_folder_halts_and_is_retried(tmp_path):
    (tmp_path / "file").write_text("")
    result = submit(Outbox(path=tmp_path / "file" / "outbox"), sample_batch(2))
    assert result.halt == "account"
    assert {outcome.status for outcome in result.outcomes} == {Status.RETRY}
    assert "Not a directory" in result.outcomes[0].detail


def test_a_full_disk_leaves_no_half_message_and_halts(path):
    """A limit on file size fails a write in its middle, as a full disk does."""
    code = f"""
        import resource
        from pathlib import Path
        from newsletter.core.email import Site, Escape
        from newsletter.providers.outbox import Outbox
        from dataclasses import replace
        from newsletter.testing import *
        batch = sample_batch(3)
        short, long, last = batch.recipients
        long = long._replace(values={{"first_name": "x" * 200_000}})
        resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000))
        outbox = Outbox(path=Path({str(path)!r}))
        result = outbox.submit(sample_email(), replace(batch, recipients=(short, long, last)), key="k", timeout=5)
        print(result.halt, *(outcome.status.value for outcome in result.outcomes))
        print(result.outcomes[1].detail)
    """
    said = run(code)
    assert said.splitlines() == [
        "quota submitted retry retry",
        "The outbox cannot be written: File too large.",
    ]
    assert (names(path), names(path, "tmp")) == (["d.1"], [])


def run(code):
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, check=False, cwd=Path.cwd()
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_file_left_in_tmp_is_swept_after_a_day_and_a_half(outbox, path):
    batch = sample_batch(1)
    (path / "tmp").mkdir(parents=True)
    for name, hours in (("old", 37), ("young", 35)):
        (path / "tmp" / name).write_text("half")
        when = batch.at.timestamp() - hours * 3600
        os.utime(path / "tmp" / name, (when, when))
    submit(outbox, batch)
    assert names(path, "tmp") == ["young"]


def test_messages_come_newest_last_from_new_and_cur(outbox, path):
    submit(outbox, sample_batch(3))
    for number, when in ((1, 300), (2, 100), (3, 200)):
        os.utime(path / "new" / f"d.{number}", (when, when))
    (path / "new" / "d.3").rename(path / "cur" / "d.3:2,S")
    assert [message["To"] for message in messages(path)] == [f"reader{n}@example.org" for n in (2, 3, 1)]


def test_there_are_no_messages_before_the_first(path):
    assert list(messages(path)) == []


WRITER = """
    import sys, time
    from pathlib import Path
    from newsletter.providers.outbox import Outbox
    from dataclasses import replace
    from newsletter.testing import *
    class Slow(dict):
        def keys(self):
            time.sleep(0.001)
            return super().keys()
    outbox = Outbox(path=Path(sys.argv[1]))
    for first in range(1, 501, 100):
        batch = sample_batch(100, first=first)
        slow = tuple(one._replace(values=Slow(one.values)) for one in batch.recipients)
        outbox.submit(sample_email(), replace(batch, recipients=slow), key=f"b{first}", timeout=5)
"""


@pytest.fixture
def quick():
    """A folder in memory where there is one: what is killed is the program, not the machine."""
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None) as folder:
        yield Path(folder) / "outbox"


def test_promise_1_and_2_killed_midway_and_run_again_everybody_has_one_whole_message(quick):
    path, outbox = quick, Outbox(path=quick)
    process = subprocess.Popen([sys.executable, "-c", textwrap.dedent(WRITER), str(path)], cwd=Path.cwd())
    try:
        deadline = time.monotonic() + 60
        while not (path / "new").is_dir() or len(names(path)) < 150:
            assert time.monotonic() < deadline
            assert process.poll() is None
            time.sleep(0.002)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()

    everybody = sample_batch(500)
    written = set(names(path))
    assert 150 <= len(written) < 500, "killed in its midst"
    for file in (path / "new").iterdir():
        assert whole(file.read_bytes())

    found = outbox.reconcile(everybody, key="k")
    assert {key for key, outcome in found.items() if outcome.status is Status.SUBMITTED} == written
    assert {key for key, outcome in found.items() if outcome.status is Status.RETRY} == set(found) - written

    result = submit(outbox, everybody)
    assert {outcome.status for outcome in result.outcomes} == {Status.SUBMITTED}
    receivers = [message["To"] for message in messages(path)]
    assert sorted(receivers) == sorted(recipient.address for recipient in everybody.recipients)


def whole(data):
    message = email.message_from_bytes(data, policy=policy.strict)
    plain, html = message.iter_parts()
    closed = data.endswith(f"--{message.get_boundary()}--\r\n".encode())
    return closed and "Leave: https://" in plain.get_content() and "Leave</a>" in html.get_content()
