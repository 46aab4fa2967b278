"""The doubles that other tests lean on keep their word, too."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from newsletter import providers
from newsletter.core.delivery import Capabilities, Status
from newsletter.testing import (
    Arrived,
    Chance,
    Clock,
    CutAfter,
    CutBefore,
    FakeProvider,
    ProviderContract,
    Raise,
    Reject,
    Retry,
    Sleep,
    sample_batch,
    sample_email,
)


class TestFakeProvider(ProviderContract):
    repeats_safely = True

    @pytest.fixture(autouse=True)
    def _fake(self):
        self.fake = FakeProvider(capabilities=Capabilities(max_batch=500, idempotency_ttl=60, reconcile="search"))

    def provider(self):
        return self.fake

    def arrived(self):
        return [Arrived.of(_message(copy)) for copies in self.fake.received.values() for copy in copies]


def _message(recipient):
    from newsletter.core import mime

    template = mime.compile(sample_email())
    return template.message(recipient, at=Clock()(), message_id=mime.message_id(recipient.key, "x.example"))


def submit(fake, batch=None, key="k"):
    return fake.submit(sample_email(), batch or sample_batch(2), key=key, timeout=5)


def statuses(result):
    return [outcome.status for outcome in result.outcomes]


def settled(fake):
    found = fake.reconcile(sample_batch(2), key="k").values()
    return [outcome.status for outcome in found if outcome]


def test_it_does_the_script_then_accepts():
    fake = FakeProvider([Retry(after=3), Reject({"reader2@example.org"}), Retry(halt="auth")])
    later = submit(fake)
    assert (statuses(later), later.retry_after) == ([Status.RETRY] * 2, 3)
    refused = submit(fake)
    assert statuses(refused) == [Status.SUBMITTED, Status.REJECTED]
    assert refused.outcomes[1].code == "550"
    assert submit(fake).halt == "auth"
    assert statuses(submit(fake, sample_batch(1, first=2))) == [Status.SUBMITTED]
    assert fake.addresses == {"reader1@example.org": 1, "reader2@example.org": 1}
    assert len(fake.calls) == 4


def test_cut_before_and_cut_after_look_the_same_and_are_not():
    before, after = FakeProvider([CutBefore()]), FakeProvider([CutAfter()])
    assert statuses(submit(before)) == statuses(submit(after)) == [Status.UNKNOWN] * 2
    assert settled(before) == [Status.RETRY] * 2
    assert settled(after) == [Status.SUBMITTED] * 2


@pytest.mark.parametrize(("taken", "status"), [(False, Status.RETRY), (True, Status.SUBMITTED)])
def test_it_breaks_off_before_or_after(taken, status):
    fake = FakeProvider([Raise(OSError("gone"), taken=taken)])
    with pytest.raises(OSError, match="gone"):
        submit(fake)
    assert settled(fake) == [status] * 2


def test_it_sleeps_then_does_the_next_step():
    clock = Clock()
    before = clock()
    fake = FakeProvider([Sleep(30), CutBefore()], sleep=clock.sleep)
    assert statuses(submit(fake)) == [Status.UNKNOWN] * 2
    assert clock() - before == timedelta(seconds=30)


def test_it_tells_who_got_two_copies():
    fake = FakeProvider()
    submit(fake)
    submit(fake, sample_batch(1))
    assert fake.twice == ["d.1"]


def test_a_key_it_remembers_is_answered_again_even_after_a_lost_answer():
    fake = FakeProvider([CutAfter()], capabilities=Capabilities(idempotency_ttl=60))
    submit(fake)
    assert statuses(submit(fake)) == [Status.SUBMITTED] * 2
    assert fake.twice == []


def test_without_a_search_it_cannot_tell():
    fake = FakeProvider(capabilities=Capabilities(reconcile="no"))
    submit(fake)
    assert fake.reconcile(sample_batch(2), key="k") == {"d.1": None, "d.2": None}


def test_more_steps_can_be_added():
    fake = FakeProvider()
    fake.then(CutBefore())
    assert statuses(submit(fake)) == [Status.UNKNOWN] * 2


class Doubling(FakeProvider):
    def submit(self, email, batch, *, key, timeout):
        return super().submit(email, batch, key=key + str(len(self.calls)), timeout=timeout)


def test_the_contract_sees_a_provider_that_sends_twice():
    contract = TestFakeProvider()
    contract.fake = Doubling(capabilities=Capabilities(max_batch=500, idempotency_ttl=60))
    with pytest.raises(AssertionError):
        contract.test_promise_1_the_same_batch_again_doubles_nobody()


def test_the_contract_sees_an_outcome_out_of_order():
    class Shuffled(FakeProvider):
        def submit(self, email, batch, *, key, timeout):
            result = super().submit(email, batch, key=key, timeout=timeout)
            return type(result)(result.outcomes[::-1])

    contract = TestFakeProvider()
    contract.fake = Shuffled()
    with pytest.raises(AssertionError):
        contract.test_one_outcome_for_each_recipient_in_order()


def test_the_clock_stands_still_until_moved():
    clock = Clock()
    assert clock() == clock()
    start = clock.monotonic()
    clock.move(90)
    clock.move(timedelta(minutes=1))
    assert clock.monotonic() - start == 150


def test_chance_is_the_same_in_every_run():
    one, same, other = Chance(7), Chance(7), Chance(8)
    assert (one.token(), one.bytes(3), one.uniform()) == (same.token(), same.bytes(3), same.uniform())
    assert one.token() != other.token()
    assert [one.id("s"), one.id("s")] == ["s-1", "s-2"]


def test_every_provider_is_installed_by_its_name_and_built_from_its_section(tmp_path):
    """Ours are found as anybody's are: by the entry point of an installed package."""
    files = Path(providers.__file__).parent.glob("*.py")
    assert {path.stem for path in files if "\ndef build(" in path.read_text("utf-8")} == set(providers.installed())
    module = providers.load("outbox")
    assert module.build(module.Section(), tmp_path).name == "outbox"
