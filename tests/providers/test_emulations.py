"""Campaigns through the whole product to strict emulations of the providers, over real HTTP.

The emulations were written from the providers' documentation, without sight of our adapters. `EMULATED_READERS=2500`
sends to ten times as many.
"""

from __future__ import annotations

import json
import os
import shutil
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from newsletter import providers
from newsletter.app import App, make_provider, open_app
from newsletter.core.campaign import Counts
from newsletter.core.consent import Newcomer, State
from newsletter.core.delivery import Batch, Capabilities, Status, Suppression
from newsletter.core.email import fill, thaw
from newsletter.errors import ConfigurationError, NewsletterError, ProviderError, WorkLeft
from newsletter.flows.ledger import resolve, status
from newsletter.flows.send import Report, send
from newsletter.ports import Provider, Suppresses
from newsletter.settings import load
from newsletter.store import open_store
from newsletter.testing import (
    HOSTILE,
    Arrived,
    CutAfter,
    CutBefore,
    Fault,
    Garbage,
    ProviderContract,
    Reply,
    Sleep,
    sample_batch,
    sample_email,
)
from tests.providers.emulators import Brevo, Emulator, Mailgun, Postmark, Resend, Sendgrid, Ses
from tests.providers.emulators.base import one_line_end

READERS = int(os.environ.get("EMULATED_READERS", "250"))

SETTINGS = """
name: Quiet Letters
timezone: America/Los_Angeles
senders:
  us: {name: "Letters, Quiet \\"and\\" Café", email: letters@letters.quiet.example, reply_to: hello@quiet.example}
footer:
  address: 1 Long Road, Chino, CA 91710
fields: {first_name: friend}
"""

ISSUE = """---
subject: 'A quiet week, {{ first_name, "friend" }}: café, 100 % “rest”'
preheader: What stillness asks of people who listen for a living, in three small questions.
date: 2026-12-01
draft: false
---

Hello {{ first_name, "friend" }}, this is a letter about rest -first_name- and %recipient%.

## 🌱 A question for %recipient% and -tag-

Ask at the end of the day, ${name} or -name- or %unsubscribe_url% or %recipient_name%:

- What did I carry home?
- What may I put down?

Rest is part of the work, not its reward. Fifty words make a letter, and a letter should say a little more
than that, so here is one sentence that says nothing new and takes its time about it.
"""

NAMES = (
    *(name[:200] for name in HOSTILE),
    'Anna "Ann" O\'Neil, Jr.',
    "Иван Иванович",
    "李雷",
    "a\\b\tc",
    "<b>&amp;</b>",
    "{{params.x}} {% if %} {{contact.EMAIL}}",
    "%recipient.address%",
    "-v0-",
    "",
    "Ann",
)


@dataclass(frozen=True)
class Case:
    """A provider: its other side, how it is set up, and what it tells of a reader in its answer."""

    emulator: type[Emulator]
    settings: Callable[[Any], dict[str, str]]
    tells_suppressed: bool = False
    repeats: bool = False  # the same batch key again is no second copy
    own_way_out: bool = True  # ours stands in the headers
    attributes: dict[str, Any] = field(default_factory=dict)
    name_: str = ""

    @property
    def provider(self) -> str:
        return self.emulator.__name__.lower()

    @property
    def name(self) -> str:
        return self.name_ or self.provider


def _ses(there: Ses) -> dict[str, str]:
    return {
        "ACCESS_KEY_ID": there.access_key_id,
        "SECRET_ACCESS_KEY": there.key,
        "REGION": there.region,
        "CONFIGURATION_SET": there.configuration_set,
    }


CASES = (
    Case(Postmark, lambda there: {"TOKEN": there.key}, tells_suppressed=True, own_way_out=False),
    Case(
        Postmark,
        lambda there: {"TOKEN": there.key, "UNSUBSCRIBE": "own"},
        tells_suppressed=True,
        attributes={"handling": "Custom"},
        name_="postmark-custom",
    ),
    Case(Resend, lambda there: {"API_KEY": there.key}, repeats=True),
    Case(Ses, _ses),
    Case(Mailgun, lambda there: {"API_KEY": there.key, "DOMAIN": there.domain}),
    Case(Sendgrid, lambda there: {"API_KEY": there.key}),
    Case(
        Brevo,
        lambda there: {"API_KEY": there.key, "ACCEPT_OWN_UNSUBSCRIBE": "true"},
        own_way_out=False,
    ),
    Case(
        Brevo,
        lambda there: {"API_KEY": there.key, "ACCEPT_OWN_UNSUBSCRIBE": "true", "MERGE": "true"},
        own_way_out=False,
        attributes={"version_headers": True},
        name_="brevo-merge",
    ),
)


ONE_EACH = pytest.mark.parametrize(
    "case", [one for one in CASES if not one.name_], ids=lambda case: case.name, indirect=True
)
"""Where two ways of setting a provider up cannot differ."""


@pytest.fixture(params=CASES, ids=lambda case: case.name)
def case(request: pytest.FixtureRequest) -> Case:
    """Each provider whose adapter loads."""
    try:
        providers.load(request.param.provider)
    except (KeyError, ImportError) as problem:
        pytest.skip(f"no adapter: {problem}")
    return request.param


@pytest.fixture
def there(case: Case) -> Iterator[Any]:
    """The other side."""
    emulator = case.emulator()
    for name, value in case.attributes.items():
        setattr(emulator, name, value)
    with closing(emulator):
        yield emulator


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty database with our tables, to copy from."""
    file = tmp_path_factory.mktemp("database") / "newsletter.db"
    open_store(f"sqlite:///{file}").close()
    return file


@pytest.fixture
def folder(tmp_path: Path, database: Path) -> Path:
    """A publication."""
    (tmp_path / "var").mkdir(mode=0o700)
    shutil.copy(database, tmp_path / "var/newsletter.db")
    (tmp_path / "issues").mkdir()
    (tmp_path / "issues/2026-12-01-quiet.md").write_text(ISSUE, "utf-8")
    (tmp_path / "newsletter.yml").write_text(SETTINGS, "utf-8")
    return tmp_path


def environment(case: Case, there: Any, **more: str) -> dict[str, str]:
    """The variables of a publication that sends through an emulation."""
    prefix = f"NEWSLETTER_{case.provider.upper()}__"
    own = {**case.settings(there), "BASE_URL": there.url}
    return {
        "NEWSLETTER_PROVIDER": case.provider,
        "NEWSLETTER_BASE_URL": "https://letters.quiet.example",
        "NEWSLETTER_SECRET_KEYS": "a-key",
        "NEWSLETTER_SUPPRESSION_KEY": "another-key",
        "NEWSLETTER_SEND__THREADS": "1",
        "NEWSLETTER_SEND__BATCH_SIZE": str(max(1, READERS // 10)),
        "NEWSLETTER_SEND__SETTLE": "0",
        "NEWSLETTER_SEND__RATE": "100000",
        **{prefix + name: value for name, value in own.items()},
        **more,
    }


@pytest.fixture
def house(case: Case, there: Any, folder: Path) -> Iterator[Callable[..., App]]:
    """The product, opened; with readers the first time."""
    opened: list[App] = []

    def make(count: int = READERS, **more: str) -> App:
        app = open_app(folder, environment(case, there, **more))
        opened.append(app)
        if len(opened) == 1:
            people(app, count)
        return app

    yield make
    for app in opened:
        app.__exit__()


def people(app: App, count: int) -> None:
    now = datetime.now(UTC)
    newcomers = [
        Newcomer(
            email=f"r{n}@x.test",
            hmac=f"{n:032x}",
            pid=f"{n:016x}",
            unsubscribe_token=f"token-{n}",
            state=State.ACTIVE,
            lang="en",
            first_name=NAMES[n % len(NAMES)],
        )
        for n in range(count)
    ]
    with app.desk.store.begin() as tx:
        tx.audience.add(newcomers, now, ["letter"])


def sent(app: App, *, times: int = 12) -> Counts:
    """Send, and continue as the exit code says, until nothing more happens by itself.

    Each run begins five minutes after the one before, so that whoever was put off has their turn; none waits long.
    """
    counts = Counts()
    for after in range(times):
        before = counts
        with suppress(WorkLeft):
            report(app, timedelta(minutes=5 * after))
        counts = status("quiet", app.desk)[1]
        if not counts.pending and (not counts.uncertain or counts == before):
            break
    return counts


def report(app: App, after: timedelta = timedelta(0)) -> Report:
    desk = replace(app.desk, now=lambda: datetime.now(UTC) + after)
    return send("quiet", desk, seconds=3 + READERS / 100)


def taken(there: Any) -> Counter[str]:
    """How many messages for each address were accepted, sent on or not."""
    return Counter(one.to for one in (*there.arrived, *getattr(there, "withheld", ())))


def settle_by_hand(app: App, case: Case, there: Any, counts: Counts) -> Counts:
    """What nobody can tell is a person's: sent again under the same key where that is safe, else believed."""
    assert app.desk.provider.capabilities.reconcile != "search", "what can be searched for was left uncertain"
    if app.desk.provider.capabilities.idempotency_ttl is not None and case.repeats:
        resolve("quiet", app.desk, as_=Status.RETRY)
        return sent(app)
    in_doubt = counts.uncertain
    settled, counts = resolve("quiet", app.desk, as_=Status.SUBMITTED)
    assert settled == in_doubt
    return counts


def expected(app: App) -> dict[str, dict[str, str]]:
    """By address: subject, html and text as our own joining of the frozen pieces gives them, and the way out."""
    with app.desk.store.read() as tx:
        (campaign,) = tx.campaigns.all()
        frozen = [thaw(body) for body in tx.campaigns.emails(campaign.id).values()]
        everyone = list(tx.audience.each(State.ACTIVE))
    assert len(frozen) == 1
    email, found = frozen[0], {}
    for n, one in enumerate(sorted(everyone, key=lambda one: one.id)):
        out = f"https://letters.quiet.example/unsubscribe/token-{n}"
        values = {"first_name": one.first_name, "last_name": one.last_name, "unsubscribe_url": out}
        found[one.email] = {
            "subject": fill(email.subject, values),
            "html": one_line_end(fill(email.html, values)).rstrip(),
            "text": one_line_end(fill(email.text, values)).rstrip(),
            "out": out,
        }
    return found


def assert_as_meant(app: App, case: Case, there: Any) -> None:
    """Every message is its reader's own, whole, untracked, and can be found again."""
    assert there.broken == []
    wanted = expected(app)
    for message in there.arrived:
        one = wanted[message.to]
        assert message.subject == one["subject"]
        assert message.html.rstrip() == one["html"]  # a MIME part ends its last line
        assert message.text.rstrip() == one["text"]
        assert not message.tracked
        assert message.headers["list-id"].endswith(">")
        assert message.headers["list-unsubscribe-post"] == "List-Unsubscribe=One-Click"
        if case.own_way_out:
            assert message.headers["list-unsubscribe"] == f"<{one['out']}>"
        assert "letters@letters.quiet.example" in message.sender
        number = int(message.to[1:].partition("@")[0])
        ours = f"-{number:016x}"
        assert any(ours in text for text in (*message.metadata.values(), message.headers.get("message-id", "")))


def later(seconds: float = 0.05) -> Reply:
    """429 with what each provider documents of it: seconds, or the Unix time of SendGrid."""
    named = dict.fromkeys(("Retry-After", "ratelimit-reset", "x-sib-ratelimit-reset"), str(seconds))
    return Reply(429, b'{"message": "slow down"}', {**named, "X-RateLimit-Reset": str(int(time.time() + seconds) + 1)})


def faults() -> tuple[Fault, ...]:
    """All that may happen on the way, one call each."""
    return (
        Reply(503, b"{}"),
        CutBefore(),
        later(),
        CutAfter(),
        Reply(500, b"{}"),
        Garbage(taken=True),
        Garbage(taken=False),
    )


def test_promise_1_and_2_a_campaign_reaches_everyone_once(case: Case, there: Any, house: Callable[..., App]) -> None:
    """Bad addresses among good ones, a provider's own list, and one reader who fails for now."""
    app = house()
    there.invalid = {"r3@x.test", "r77@x.test"}
    there.suppressed = {"r5@x.test", "r120@x.test"}
    there.transient = {"r9@x.test"}
    counts = sent(app)
    suppressed = 2 if case.tells_suppressed else 0
    assert (counts.failed, counts.suppressed, counts.uncertain) == (2, suppressed, 0)
    assert counts.submitted == READERS - 2 - suppressed
    assert taken(there) == {
        f"r{n}@x.test": 1 for n in range(READERS) if n not in {3, 77} and not (case.tells_suppressed and n in {5, 120})
    }
    assert_as_meant(app, case, there)


def test_promise_3_whatever_goes_wrong_on_the_way_nobody_gets_two(
    case: Case, there: Any, house: Callable[..., App]
) -> None:
    """429 with Retry-After, 503, 500, cut before and after, garbage: found out, or left to a person."""
    app = house()
    there.server.then(*faults())
    counts = sent(app)
    assert there.server.waiting == 0
    assert counts.adds_up
    assert max(taken(there).values()) == 1
    held = counts.uncertain
    if held:
        missing = READERS - sum(taken(there).values())
        assert missing <= held <= READERS
        counts = settle_by_hand(app, case, there, counts)
    assert counts == Counts(audience=READERS, submitted=READERS)
    assert max(taken(there).values()) == 1
    if not held or case.repeats:
        assert taken(there) == {f"r{n}@x.test": 1 for n in range(READERS)}
    assert_as_meant(app, case, there)


@ONE_EACH
def test_a_wrong_key_stops_at_once_and_loses_nothing(case: Case, there: Any, house: Callable[..., App]) -> None:
    app = house(20)
    right = there.key
    there.key = "another-key"
    there.rejects_key = True
    with pytest.raises((ProviderError, ConfigurationError)) as told:
        report(app)
    assert right not in str(told.value)
    assert taken(there) == {}
    there.key = right
    assert sent(app) == Counts(audience=20, submitted=20)
    assert there.broken == []


@ONE_EACH
def test_an_exhausted_quota_stops_and_continues_when_there_is_room(
    case: Case, there: Any, house: Callable[..., App]
) -> None:
    app = house(20, NEWSLETTER_SEND__BATCH_SIZE="5")
    there.room = 10
    with suppress(NewsletterError):
        report(app)
    assert max(taken(there).values(), default=0) <= 1
    assert sum(taken(there).values()) <= 10
    there.room = None
    counts = sent(app, times=300)  # a day, if need be
    assert counts == Counts(audience=20, submitted=20)
    assert taken(there) == {f"r{n}@x.test": 1 for n in range(20)}
    assert there.broken == []


@ONE_EACH
def test_an_answer_that_is_slow_is_a_lost_one(case: Case, there: Any, folder: Path) -> None:
    provider = built(case, there, folder)
    there.server.then(Sleep(0.5), CutAfter())
    result = provider.submit(sample_email(), sample_batch(1), key="slow:1", timeout=0.15)
    told = {one.status for one in result.outcomes}
    assert told == {Status.UNKNOWN} or (case.repeats and told == {Status.SUBMITTED})  # asked once more under its key
    assert result.halt == ""
    assert max(taken(there).values(), default=0) <= 1


@ONE_EACH
def test_later_says_how_long(case: Case, there: Any, folder: Path) -> None:
    there.server.then(later(7))
    result = built(case, there, folder).submit(sample_email(), sample_batch(3), key="later:1", timeout=5)
    assert {one.status for one in result.outcomes} == {Status.RETRY}
    assert result.retry_after is not None
    assert result.retry_after > 0
    assert taken(there) == {}


def test_the_account_is_asked_and_is_well(case: Case, there: Any, folder: Path) -> None:
    found = built(case, there, folder).check(100)
    assert [one for one in found if one.level == "error"] == []
    assert there.broken == []
    assert all(one.what.endswith((".", "?", "!")) for one in found)


@ONE_EACH
def test_a_quota_that_is_too_small_is_told(case: Case, there: Any, folder: Path) -> None:
    there.room = 10
    found = {one.level for one in built(case, there, folder).check(1_000_000)}
    assert ("error" in found) == (case.provider in {"ses", "sendgrid", "brevo"})  # the others have no endpoint for it


@ONE_EACH
def test_its_own_list_is_read_and_written(case: Case, there: Any, folder: Path) -> None:
    provider = built(case, there, folder)
    able = provider.capabilities.suppressions
    assert isinstance(provider, Suppresses) or not able
    there.suppressed = {f"s{n:03}@x.test" for n in range(130)}
    if "read" in able:
        found = list(provider.suppressions())
        assert sorted(one.address for one in found) == sorted(there.suppressed)
        assert {one.reason for one in found} <= {"bounce", "complaint", "unsubscribe", "other"}
    if "add" in able:
        new = [f"n{n:03}@x.test" for n in range(120)]
        provider.suppress([Suppression(one, "unsubscribe") for one in new])
        assert set(new) <= there.suppressed | getattr(there, "unsubscribed", set())
    if "remove" in able:
        provider.unsuppress(["s001@x.test", "s002@x.test"])
        assert not {"s001@x.test", "s002@x.test"} & there.suppressed
    assert there.broken == []


def built(case: Case, there: Any, folder: Path) -> Any:
    """The adapter alone, from settings."""
    found = load(folder, environment(case, there))
    return make_provider(case.provider, found, folder)


class TestContract(ProviderContract):
    """The promises of every provider, over real HTTP."""

    @pytest.fixture(autouse=True)
    def _both_sides(self, case: Case, there: Any, folder: Path) -> Iterator[None]:
        self.there, self.repeats_safely = there, case.repeats
        self.built: Provider = built(case, there, folder)
        yield
        self.built.close()  # type: ignore[attr-defined]
        assert there.broken == []

    def provider(self) -> Provider:
        return self.built

    def arrived(self) -> list[Arrived]:
        return list(self.there.arrived)


def test_reconcile_tells_what_arrived_and_what_did_not(case: Case, there: Any, folder: Path) -> None:
    provider = built(case, there, folder)
    can: Capabilities = provider.capabilities
    size = min(can.max_batch, 3)
    batch = sample_batch(size)
    there.server.then(CutAfter())
    provider.submit(sample_email(), batch, key="found:1", timeout=5)
    taken_then = taken(there)
    found = provider.reconcile(Batch(batch.recipients, at=datetime.now(UTC), tag=batch.tag), key="found:1")
    assert set(found) == {one.key for one in batch.recipients}
    for one in batch.recipients:
        outcome = found[one.key]
        if outcome is not None:
            assert outcome.status is (Status.SUBMITTED if taken_then[one.address] else Status.RETRY)
        else:
            assert can.reconcile != "search"
    assert there.broken == []


@ONE_EACH
def test_promise_3_when_its_memory_has_ended_nothing_is_sent_again_blindly(
    case: Case, there: Any, house: Callable[..., App]
) -> None:
    """The answers of all calls are lost; a day and an hour later somebody sends again."""
    app = house(20, NEWSLETTER_SEND__BATCH_SIZE="5")
    there.server.then(*([CutAfter()] * 40))
    with suppress(NewsletterError):
        report(app)
    assert max(taken(there).values()) == 1
    there.server.then(*([Reply(503, b"{}")] * there.server.waiting))
    while there.server.waiting:  # what nobody has met is not for the next run
        there.server.next_fault("POST")
    day = timedelta(hours=25)
    there.clock = lambda: time.time() + day.total_seconds()
    for one in there.arrived:
        assert one.at < there.clock()
    with suppress(NewsletterError):
        report(app, day)
    assert max(taken(there).values()) == 1
    counts = status("quiet", app.desk)[1]
    assert counts.adds_up
    assert sum(taken(there).values()) >= counts.submitted
    assert there.broken == [] or case.provider == "ses"  # its signatures have today's date


@ONE_EACH
def test_a_sender_that_is_not_verified_fails_no_reader(case: Case, there: Any, house: Callable[..., App]) -> None:
    """It is us they mean: the run stops, and nobody is refused for good."""
    app = house(60, NEWSLETTER_SEND__BATCH_SIZE="30")
    there.verified = False
    with suppress(NewsletterError):
        report(app)
    assert taken(there) == {}
    counts = status("quiet", app.desk)[1]
    assert (counts.failed, counts.pending + counts.uncertain) == (0, 60)
    there.verified = True
    assert sent(app) == Counts(audience=60, submitted=60)


def shorter(reply: Reply) -> Reply:
    """An answer with less in it than is documented."""
    found = json.loads(reply.body) if reply.body else None
    for name in ("data", "BulkEmailEntryResults"):
        if isinstance(found, dict) and name in found:
            found[name] = found[name][:-1]
            return Reply(reply.status, json.dumps(found).encode(), reply.headers)
    return Reply(reply.status, json.dumps(found[:-1] if isinstance(found, list) else {}).encode())


def test_an_answer_that_lacks_somebody_is_not_read_as_a_refusal(case: Case, there: Any, folder: Path) -> None:
    """They were taken: nobody of them may be tried again."""
    whole = there.server.answer
    there.server.answer = lambda request: shorter(whole(request))
    provider = built(case, there, folder)
    result = provider.submit(sample_email(), sample_batch(4), key="short:1", timeout=5)
    assert sum(taken(there).values()) >= 1
    there.server.answer = whole
    for one, who in zip(result.outcomes, sample_batch(4).recipients, strict=True):
        if taken(there)[who.address]:
            assert one.status in {Status.UNKNOWN, Status.SUBMITTED}
        else:
            assert one.status is not Status.SUBMITTED
    assert max(taken(there).values()) == 1


@ONE_EACH
def test_promise_7_tracking_that_is_on_is_told_or_switched_off(case: Case, there: Any, folder: Path) -> None:
    there.tracking = there.track_opens = True
    there.track_links = "HtmlAndText"
    provider = built(case, there, folder)
    told = [one for one in provider.check(1) if one.level == "error"]
    provider.submit(sample_email(), sample_batch(1), key="tracked:1", timeout=5)
    assert told or not any(one.tracked for one in there.arrived)


@pytest.mark.parametrize(
    ("stream", "handling", "unsubscribe"),
    [("outbound", "Postmark", "provider"), ("nowhere", "Postmark", "provider"), ("broadcast", "Postmark", "own")],
)
def test_postmark_refuses_a_stream_that_is_not_for_letters(
    folder: Path, stream: str, handling: str, unsubscribe: str
) -> None:
    case = Case(Postmark, lambda there: {"TOKEN": there.key, "STREAM": stream, "UNSUBSCRIBE": unsubscribe})
    with closing(Postmark()) as there:
        there.handling = handling
        assert "error" in {one.level for one in built(case, there, folder).check(10)}


def test_resend_waits_for_the_same_call_that_is_still_at_work(folder: Path) -> None:
    body = b'{"statusCode": 409, "name": "concurrent_idempotent_requests", "message": "in progress"}'
    case = next(one for one in CASES if one.provider == "resend")
    with closing(Resend()) as there:
        there.server.then(Reply(409, body))
        result = built(case, there, folder).submit(sample_email(), sample_batch(2), key="twice:1", timeout=0.5)
        assert result.halt == ""
        assert {one.status for one in result.outcomes} <= {Status.RETRY, Status.UNKNOWN, Status.SUBMITTED}
        assert max(taken(there).values(), default=1) == 1
