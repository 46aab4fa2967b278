import logging
from threading import Event

from newsletter.web.worker import Worker


def test_it_works_at_once_and_whenever_it_is_woken():
    done, passes = Event(), []

    def work():
        passes.append(1)
        done.set()

    worker = Worker(work, every=3600)
    worker.start()
    for expected in (1, 2, 3):
        assert done.wait(5)
        assert len(passes) == expected
        done.clear()
        worker.wake()
    assert worker.stop()


def test_a_call_during_a_pass_is_not_lost():
    inside, go, passes = Event(), Event(), []

    def work():
        passes.append(1)
        inside.set()
        assert go.wait(5)
        if len(passes) > 1:
            again.set()

    again = Event()
    worker = Worker(work, every=3600)
    worker.start()
    assert inside.wait(5)
    worker.wake()
    go.set()
    assert again.wait(5)
    assert worker.stop()


def test_promise_12_it_survives_and_tells_no_address(caplog):
    passes, third = [], Event()

    def work():
        passes.append(1)
        if len(passes) >= 3:
            third.set()
        raise OSError("cannot write to somebody@example.org")

    with caplog.at_level(logging.DEBUG):
        worker = Worker(work, every=0.001)
        worker.start()
        assert third.wait(5)
        assert worker.stop()
    assert "OSError at test_worker.py:" in caplog.text
    assert "somebody" not in caplog.text


def test_it_comes_back_by_itself():
    often = Event()
    passes = []

    def work():
        passes.append(1)
        if len(passes) == 3:
            often.set()

    worker = Worker(work, every=0.001)
    worker.start()
    assert often.wait(5)
    assert worker.stop()


def test_stopping_waits_for_what_is_in_hand():
    inside, go, ended = Event(), Event(), Event()

    def work():
        inside.set()
        assert go.wait(5)
        ended.set()

    worker = Worker(work, every=3600)
    worker.start()
    assert inside.wait(5)
    assert not worker.stop(timeout=0.01)
    go.set()
    assert worker.stop()
    assert ended.is_set()


def test_stopping_before_the_start_is_no_matter():
    assert Worker(lambda: None, every=1).stop()


def test_it_outlives_any_number_of_failures_and_says_each_once(caplog):
    """At 1,024 doublings there is no such number any more; at 2,000 it still works."""
    passes, enough = [], Event()

    def work():
        passes.append(1)
        if len(passes) == 2000:
            enough.set()
        raise OSError("full")

    worker = Worker(work, every=1e-9)
    worker.start()
    assert enough.wait(20)
    assert worker.stop()
    assert caplog.text.count("broke off") == 1
