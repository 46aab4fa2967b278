"""A reader's own choices, and what needs the mailbox."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from newsletter.core import address
from newsletter.core.consent import Kind, Mail, Reason, State, Subscriber
from newsletter.core.email import fill
from newsletter.core.links import Purpose
from newsletter.core.publication import Publication
from newsletter.errors import LinkExpired, LinkRefused
from newsletter.flows import audience, preferences
from newsletter.flows.desk import Desk
from newsletter.flows.leave import leave
from newsletter.flows.preferences import Choices
from newsletter.flows.tick import tick
from newsletter.store import SqlStore
from newsletter.testing import Clock, FakeProvider

ANN = "ann@x.test"


@pytest.fixture
def desk(store: SqlStore, make_desk: Callable[..., Desk], publication: Publication) -> Desk:
    """On both databases, with two topics; Ann reads the letter."""
    topics = {"letter": "The letter", "workshops": "Workshops"}
    made = make_desk(store, publication=replace(publication, topics=topics))
    audience.add(ANN, made, why="asked")
    return made


def who(desk: Desk) -> Subscriber | None:
    with desk.store.read() as tx:
        return tx.audience.by_hmac(desk.hmac(address.parse(ANN)))


@pytest.fixture
def token(desk: Desk) -> str:
    found = who(desk)
    assert found
    return found.unsubscribe_token


def kinds(desk: Desk) -> list[str]:
    found = who(desk)
    assert found
    with desk.store.read() as tx:
        return [event["kind"] for event in tx.audience.evidence(found.pid)]


def mailed(desk: Desk, provider: FakeProvider) -> str:
    """The token of the link in the last mail."""
    tick(desk)
    text = fill(provider.calls[-1].email.text, {})
    return text.partition("/preferences/")[2].split()[0]


def opened(link: str, desk: Desk) -> preferences.Mailed:
    found = preferences.mailed(link, desk)
    assert found
    return found


def test_promise_8_a_choice_is_kept_with_the_words_it_was_made_by(desk: Desk, token: str) -> None:
    assert preferences.look(token, desk) == Choices(("letter",), "en", reads=True)
    chosen = preferences.change(token, ["workshops", "letter", "nonsense"], "en", desk)
    assert chosen.chosen == ("letter", "workshops")
    found = who(desk)
    assert found
    with desk.store.read() as tx:
        last = tx.audience.evidence(found.pid)[-1]
    assert (last["kind"], last["topics"]) == (Kind.PREFERENCES, ["letter", "workshops"])
    assert "The letter, Workshops" in last["wording"]


def test_the_same_choice_again_is_no_event(desk: Desk, token: str) -> None:
    before = kinds(desk)
    preferences.change(token, ["letter"], "en", desk)
    assert kinds(desk) == before


def test_a_topic_that_is_offered_no_more_is_left_alone(desk: Desk, token: str) -> None:
    found = who(desk)
    assert found
    with desk.store.begin() as tx:
        tx.audience.give_topics(found.id, ["autumn"])
    assert preferences.change(token, ["workshops"], "en", desk).chosen == ("autumn", "workshops")


def test_promise_4_no_topic_at_all_is_leaving(desk: Desk, token: str) -> None:
    assert preferences.change(token, [], "en", desk) == Choices((), "en", reads=False)
    found = who(desk)
    assert found
    assert found.state is State.UNSUBSCRIBED
    assert kinds(desk)[-1] == Kind.WITHDRAW
    assert preferences.change(token, ["letter"], "en", desk).reads is False  # and nobody comes back this way


def test_a_language_is_one_of_ours(desk: Desk, token: str, root: Path) -> None:
    (root / "words").mkdir()
    (root / "words/fr.toml").write_text('[page]\nlanguage = "Français"\n', "utf-8")
    assert preferences.change(token, ["letter"], "fr", desk).lang == "fr"
    assert preferences.change(token, ["letter"], "../fr", desk).lang == "fr"
    assert preferences.change(token, ["letter"], "xx", desk).lang == "fr"


def test_a_letters_link_opens_no_copy_and_erases_nobody(desk: Desk, token: str) -> None:
    assert preferences.mailed(token, desk) is None
    for purpose in (Purpose.CONFIRM, Purpose.DOWNLOAD, Purpose.FILE):
        found = who(desk)
        assert found
        with pytest.raises(LinkRefused):
            preferences.mailed(desk.links.sign(purpose, [found.id, 0], desk.now()), desk)


def test_a_copy_goes_to_the_mailbox_and_tells_everything(desk: Desk, token: str, provider: FakeProvider) -> None:
    preferences.ask(token, Mail.EXPORT, desk)
    link = opened(mailed(desk, provider), desk)
    assert provider.calls[-1].batch.recipients[0].address == ANN
    found = json.loads(json.dumps(preferences.export(link, desk)))
    assert (found["email"], found["topics"], found["consent"][0]["kind"]) == (ANN, ["letter"], "import")
    with pytest.raises(LinkRefused):
        preferences.erase(link, desk)
    assert who(desk)


def test_promise_9_erased_by_the_mailbox_and_once_is_enough(desk: Desk, token: str, provider: FakeProvider) -> None:
    preferences.ask(token, Mail.ERASE, desk)
    link = opened(mailed(desk, provider), desk)
    with pytest.raises(LinkRefused):
        preferences.export(link, desk)
    preferences.erase(link, desk)
    preferences.erase(link, desk)
    assert who(desk) is None
    assert opened(desk.links.personal(Purpose.ERASE, 1, desk.now()).rpartition("/")[2], desk).who is None
    with pytest.raises(LinkRefused):
        preferences.look(token, desk)


def test_a_mailed_link_works_for_a_day(desk: Desk, token: str, provider: FakeProvider, clock: Clock) -> None:
    for what in (Mail.EXPORT, Mail.ERASE):
        preferences.ask(token, what, desk)
        link = mailed(desk, provider)
        clock.move(timedelta(hours=24, seconds=1))
        with pytest.raises(LinkExpired):
            preferences.mailed(link, desk)


def test_whoever_holds_a_letter_cannot_bomb_its_reader(
    desk: Desk, token: str, provider: FakeProvider, clock: Clock
) -> None:
    for _ in range(8):
        preferences.ask(token, Mail.EXPORT, desk)
        tick(desk)
        clock.move(timedelta(minutes=9))
    assert len(provider.calls) == 3
    preferences.ask(token, Mail.ERASE, desk)
    tick(desk)
    assert len(provider.calls) == 4


@pytest.mark.parametrize(
    ("reason", "count"), [(Reason.UNSUBSCRIBED, 1), (Reason.COMPLAINED, 0), (Reason.OWNER, 0), (Reason.BOUNCED, 0)]
)
def test_who_left_may_ask_what_we_hold_and_who_said_never_is_let_be(
    desk: Desk, token: str, provider: FakeProvider, reason: Reason, count: int
) -> None:
    if reason is Reason.UNSUBSCRIBED:
        leave(token, desk, method="page")
    else:
        with desk.store.begin() as tx:
            tx.audience.suppress(desk.hmac(address.parse(ANN)), reason, desk.now())
    preferences.ask(token, Mail.EXPORT, desk)
    tick(desk)
    assert len(provider.calls) == count


def test_an_unknown_link_opens_nothing(desk: Desk) -> None:
    for act in (
        lambda: preferences.look("nobody", desk),
        lambda: preferences.change("nobody", ["letter"], "en", desk),
        lambda: preferences.ask("nobody", Mail.EXPORT, desk),
        lambda: preferences.mailed("no.body", desk),
    ):
        with pytest.raises(LinkRefused):
            act()
