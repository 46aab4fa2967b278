"""The plan: who, how many, through what; and each reason not to send, with the way on."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from newsletter.core.delivery import Capabilities, Finding
from newsletter.core.publication import Publication
from newsletter.errors import ConfigurationError, NewsletterError, NotApproved, ProviderError
from newsletter.flows.able import asked, disk, room
from newsletter.flows.desk import Desk
from newsletter.flows.plan import batch_size, plan
from newsletter.flows.send import send
from newsletter.store import SqlStore
from newsletter.testing import FakeProvider
from tests.flows.readers import fake, readers

Make = Callable[..., Desk]


def edited(root: Path, before: str, after: str) -> None:
    file = root / "issues/2026-12-01-quiet.md"
    text = file.read_text("utf-8")
    assert before in text
    file.write_text(text.replace(before, after), "utf-8")


def test_a_plan_says_who_what_and_how(make_desk: Make, sqlite_store: SqlStore) -> None:
    desk = make_desk(sqlite_store, provider=fake(rate=2.0), free=lambda: 10**9)
    readers(desk, 12)
    made, proof = plan("quiet", desk)
    assert (made.audience, made.by_segment, made.excluded) == (12, {"all": 12}, {})
    assert (made.provider, made.mode, made.calls, made.batch_size) == ("fake", "batch", 3, 5)
    assert (made.rate, made.seconds) == (2.0, 6.0)
    assert made.html_bytes > made.text_bytes > 100
    assert made.message_bytes > made.html_bytes
    assert "https://letters.quiet.example/archive/quiet" in made.links
    assert not [url for url in made.links if "/unsubscribe/" in url]
    assert 12 * made.message_bytes < made.disk_bytes < 10**6
    assert made.disk_free == 10**9
    assert made.content_sha256 == proof.sha256
    assert json.loads(json.dumps(made.as_json()))["links"] == list(made.links)


def test_a_plan_counts_each_segment(
    make_desk: Make, sqlite_store: SqlStore, publication: Publication, root: Path
) -> None:
    edited(root, "draft: false", "draft: false\naudience: [all, workshops]")
    topics = {"letter": "The letter", "workshops": "Workshops"}
    desk = make_desk(sqlite_store, provider=fake(), publication=replace(publication, topics=topics))
    readers(desk, 4)
    readers(desk, 3, first=10, topics=("workshops",))
    readers(desk, 2, first=20, topics=("letter", "workshops"))
    made, _ = plan("quiet", desk)
    assert made.audience == 9
    assert made.by_segment == {"all": 6, "workshops": 5}


def test_a_call_holds_no_more_bytes_than_the_provider_takes(desk: Desk) -> None:
    def calls(limit: int | None, mode: str = "batch") -> int:
        return batch_size(replace(desk, provider=fake(max_batch=500, max_call_bytes=limit, mode=mode)), 10_000)

    assert (calls(None), calls(10**9), calls(60_000), calls(1)) == (500, 500, 5, 1)
    assert calls(60_000, "merge") == 500  # the provider is given the letter once
    readers(desk, 20)
    assert plan("quiet", replace(desk, provider=fake(max_batch=500, max_call_bytes=1)))[0].calls == 20


# --- every reader is written for ----------------------------------------------------------------------


def test_promise_11_a_tag_that_is_empty_for_one_reader_fails_the_plan_by_their_id(
    make_desk: Make, store: SqlStore, root: Path
) -> None:
    desk = make_desk(store, provider=fake())
    edited(root, '"friend"', '""')
    readers(desk, 3)
    assert plan("quiet", desk)[0].audience == 3
    readers(desk, 7, first=3, name="")
    with pytest.raises(NewsletterError) as told:
        send("quiet", desk)
    assert "7 of its readers" in told.value.what
    assert "first_name" in told.value.what
    assert "p3, p4, p5, p6, p7 and 2 more" in told.value.what
    assert "x.test" not in str(told.value)  # promise 12
    assert desk.provider.calls == []  # type: ignore[attr-defined]
    edited(root, '{{ first_name, "" }}', '{{ first_name, "friend" }}')
    assert plan("quiet", desk)[0].audience == 10


def test_a_name_of_blanks_is_no_name_and_others_are_not_asked(
    make_desk: Make, sqlite_store: SqlStore, root: Path
) -> None:
    desk = make_desk(sqlite_store, provider=fake())
    edited(root, '"friend"', '""')
    readers(desk, 2)
    readers(desk, 1, first=5, name="", topics=("workshops",))  # does not get this
    assert plan("quiet", desk)[0].audience == 2
    with sqlite_store.begin() as tx:
        tx.audience._sql.exec_driver_sql("UPDATE subscribers SET first_name = '  ' WHERE pid = 'p1'")
    with pytest.raises(NewsletterError, match="has no value for p1"):
        plan("quiet", desk)


def test_a_reader_without_a_way_out_fails_the_plan(make_desk: Make, sqlite_store: SqlStore) -> None:
    desk = make_desk(sqlite_store, provider=fake())
    readers(desk, 2)
    with sqlite_store.begin() as tx:
        tx.audience._sql.exec_driver_sql("UPDATE subscribers SET unsubscribe_token = '' WHERE pid = 'p0'")
    with pytest.raises(NewsletterError, match=r"the way out\) has no value for p0"):
        plan("quiet", desk)


# --- what the provider says ---------------------------------------------------------------------------


class Asked(FakeProvider):
    """Says what it was told to, and remembers how much it was asked for."""

    need = 0

    def check(self, need: int) -> Sequence[Finding]:
        self.need = need
        return super().check(need)


QUOTA = Finding("error", "quota", "There is room for 3 mails today.", "Raise the quota.")
TRACKING = Finding("error", "tracking", "Opens are tracked.", "Switch it off.")
SLOW = Finding("warning", "age", "The account is a day old.")


def test_a_clear_no_of_the_provider_refuses_and_a_warning_is_told(desk: Desk) -> None:
    readers(desk, 5)
    refusing = replace(desk, provider=FakeProvider(findings=[QUOTA, SLOW, TRACKING]))
    for act in (plan, send):
        with pytest.raises(ProviderError) as told:
            act("quiet", refusing)
        assert told.value.what == "fake: There is room for 3 mails today.\nfake: Opens are tracked."
        assert told.value.todo == "Raise the quota.\n  Switch it off."
    warning = replace(desk, provider=FakeProvider(findings=[SLOW]))
    assert plan("quiet", warning)[0].warnings == ("fake: The account is a day old.",)
    assert send("quiet", warning).notes == ("fake: The account is a day old.",)


def test_what_was_begun_asks_for_the_rest_of_it(desk: Desk) -> None:
    from newsletter.testing import Accept, Retry

    provider = Asked(script=[Accept(), Retry(halt="quota")], capabilities=Capabilities(max_batch=5, network=False))
    own = replace(desk, provider=provider, transactional=FakeProvider(name="other"), pace=replace(desk.pace, threads=1))
    readers(own, 20)
    with pytest.raises(NewsletterError):
        send("quiet", own)
    assert provider.need == 20
    provider.findings = [TRACKING]
    with pytest.raises(ProviderError, match="tracked"):
        send("quiet", own)
    assert provider.need == 15
    assert len(provider.calls) == 2


def test_a_days_confirmations_find_room_beside_the_letter(desk: Desk) -> None:
    provider = Asked()
    assert asked(replace(desk, provider=provider, transactional=provider), 100) == ()
    assert provider.need == 100 + desk.publication.limits.confirmations_per_day
    asked(replace(desk, provider=provider, transactional=FakeProvider(name="other")), 100)
    assert provider.need == 100


def test_no_answer_is_a_warning(desk: Desk) -> None:
    class Silent(FakeProvider):
        def check(self, need: int) -> Sequence[Finding]:
            raise TimeoutError(f"r1@x.test {need}")

    (said,) = asked(replace(desk, provider=Silent()), 1)
    assert said == "fake could not be asked about the account (TimeoutError)."


def test_a_provider_without_a_way_out_for_each_reader_is_refused(desk: Desk) -> None:
    readers(desk, 1)
    with pytest.raises(ProviderError, match="RFC 8058"):
        plan("quiet", replace(desk, provider=fake(per_recipient_headers="no")))


# --- the disk -----------------------------------------------------------------------------------------


def test_a_disk_that_is_too_small_refuses_before_anything_is_written(desk: Desk) -> None:
    readers(desk, 20)
    full = replace(desk, free=lambda: 1000)
    with pytest.raises(ConfigurationError, match="The disk has 0 MB free"):
        send("quiet", full)
    with desk.store.read() as tx:
        assert tx.campaigns.all() == []
    assert desk.provider.calls == []  # type: ignore[attr-defined]


def test_the_estimate_counts_files_only_where_mail_stays_here() -> None:
    here, away = Capabilities(network=False), Capabilities(network=True)
    assert disk(away, 1_000_000, 60_000, 60_000) < 200e6
    assert disk(here, 1_000_000, 60_000, 60_000) > 60e9
    room(10, None)
    room(10, 10)
    with pytest.raises(ConfigurationError):
        room(11, 10)


# --- growth -------------------------------------------------------------------------------------------


def test_growth_that_passes_is_told(desk: Desk) -> None:
    readers(desk, 5)
    approval: dict[str, Any] = json.loads(json.dumps(plan("quiet", desk)[0].as_json()))
    readers(desk, 2, first=10)
    assert send("quiet", desk, approval=approval).notes == ("The audience grew from 5 to 7 since the plan was made.",)


def test_the_time_and_its_zone_are_frozen_and_so_is_the_reason(desk: Desk, root: Path) -> None:
    readers(desk, 2)
    send("quiet", desk)
    text = (root / "issues/2026-12-01-quiet.md").read_text("utf-8")
    (root / "issues/2026-12-02-twin.md").write_text(text.replace("2026-12-01", "2026-12-02"), "utf-8")
    with pytest.raises(NotApproved, match='already sent as "quiet"'):
        send("twin", desk, again="  ")
    send("twin", desk, again="the first had no picture")
    with desk.store.read() as tx:
        rows = tx.audience._sql.exec_driver_sql("SELECT due_at, timezone, note FROM campaigns ORDER BY id").all()  # type: ignore[attr-defined]
    assert [tuple(row) for row in rows] == [
        (1796112000000, "America/Los_Angeles", ""),
        (1796198400000, "America/Los_Angeles", "the first had no picture"),
    ]
