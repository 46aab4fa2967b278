"""Bounces that lie in a mailbox: fetched once, whatever breaks on the way. A real client, a real connection, TLS."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from newsletter.app import make_mailbox
from newsletter.core.consent import State
from newsletter.errors import ConfigurationError, ProviderError
from newsletter.flows import audience, bounces
from newsletter.flows.desk import Desk
from newsletter.flows.send import send
from newsletter.flows.tick import tick
from newsletter.providers.imap import Imap
from newsletter.settings import load
from newsletter.store import SqlStore
from newsletter.testing import Clock, FakeProvider
from tests.flows.bouncing import Sent, postfix, yahoo
from tests.providers.mailbox_server import Box, MailServer, certificate
from tests.test_app import YML

READERS = [f"r{n}@x.test" for n in range(3)]


@pytest.fixture(scope="module")
def pem(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return certificate(tmp_path_factory.mktemp("pem"))


@pytest.fixture
def server(pem: Path) -> Iterator[MailServer]:
    with closing(MailServer(pem, INBOX=Box(), **{"Bounces of us": Box()})) as running:
        yield running


@pytest.fixture
def box(server: MailServer, pem: Path) -> Imap:
    context = ssl.create_default_context(cafile=pem)
    return Imap("localhost", server.user, server.password, port=server.port, context=context, timeout=5)


@pytest.fixture
def desk(sqlite_store: SqlStore, make_desk: Callable[..., Desk], clock: Clock, box: Imap) -> Desk:
    made = make_desk(sqlite_store, mailbox=box)
    for who in READERS:
        audience.add(who, made, why="asked")
    send("quiet", made)
    clock.move(3600)
    return made


def reports(provider: FakeProvider) -> list[bytes]:
    """A bounce of each reader's copy."""
    copies = [one for call in provider.calls for one in call.batch.recipients]
    return [
        postfix(Sent(f"<{one.key}@quiet.example>", "n" * 22, one.address))
        .replace("20261201180000.1@", f"{number}@")
        .encode()
        for number, one in enumerate(copies)
    ]


def bounced(desk: Desk) -> int:
    return sum(audience.show(who, desk)["state"] is State.BOUNCED for who in READERS)


def test_what_lies_there_is_read_once_and_marked(desk: Desk, server: MailServer, provider: FakeProvider) -> None:
    for mail in [*reports(provider), b"Subject: hello\r\n\r\nHow are you?"]:
        server.inbox.put(mail)
    tick(desk)
    assert bounced(desk) == 3
    assert server.inbox.seen == {1, 2, 3, 4}
    with desk.store.read() as tx:
        assert (tx.events.unread(), len(list(tx.events.each()))) == (0, 3)
    assert audience.show(READERS[0], desk)["consent"][-1]["method"] == "mail"
    assert bounces.poll(desk) == 0


def test_it_is_looked_into_every_few_minutes(desk: Desk, server: MailServer, clock: Clock) -> None:
    for _ in range(3):
        tick(desk)
    assert server.said.count("LOGIN") == 1
    clock.move(301)
    tick(desk)
    assert server.said.count("LOGIN") == 2


@pytest.mark.parametrize("where", ["UID FETCH", "UID STORE", "UID SEARCH", "SELECT", "LOGOUT"])
def test_a_connection_that_breaks_loses_none_and_counts_none_twice(
    desk: Desk, server: MailServer, provider: FakeProvider, where: str
) -> None:
    for mail in reports(provider):
        server.inbox.put(mail)
    server.cut_at = where
    if where == "LOGOUT":  # all is done by then
        assert bounces.poll(desk) == 3
    else:
        with pytest.raises(ProviderError, match=r"broke(?s:.*)Nothing is lost"):
            bounces.poll(desk)
    tick(desk)
    assert bounced(desk) == 3
    with desk.store.read() as tx:
        assert len(list(tx.events.each())) == 3
        kept = tx.events._sql.exec_driver_sql("SELECT count(*) FROM webhooks").scalar()
    assert kept == 3


def test_more_than_a_few_are_read_to_the_end(desk: Desk, server: MailServer, provider: FakeProvider) -> None:
    for number in range(45):
        server.inbox.put(b"Subject: %d\r\n\r\nhello" % number)
    for mail in reports(provider):
        server.inbox.put(mail)
    server.cut_at = "UID STORE"
    with pytest.raises(ProviderError):
        bounces.poll(desk)
    assert bounces.poll(desk) == 28
    tick(desk)
    assert bounced(desk) == 3


def test_a_mailbox_made_anew_is_read_again_and_nothing_counts_twice(
    desk: Desk, server: MailServer, provider: FakeProvider
) -> None:
    first, *others = reports(provider)
    server.inbox.put(first)
    tick(desk)
    server.folders["INBOX"] = Box({1: others[0], 2: first}, validity=8)
    bounces.poll(desk)
    tick(desk)
    assert bounced(desk) == 2
    with desk.store.read() as tx:
        assert len(list(tx.events.each())) == 2


def test_a_report_without_a_mark_of_ours_is_kept_and_changes_nothing(desk: Desk, server: MailServer) -> None:
    server.inbox.put(yahoo(Sent("<made-up@x.test>", "m" * 22, READERS[0])).encode())
    tick(desk)
    with desk.store.read() as tx:
        assert [one.matched for one in tx.events.each()] == [False]
    assert audience.show(READERS[0], desk)["state"] is State.ACTIVE


def test_somebody_elses_trouble_holds_nothing_up_and_is_told(
    desk: Desk, server: MailServer, provider: FakeProvider
) -> None:
    server.close()
    audience.add("new@x.test", desk)  # a confirmation waits
    with pytest.raises(ProviderError, match="cannot be reached"):
        tick(desk)
    assert provider.addresses["new@x.test"] == 1


@pytest.mark.parametrize(
    ("part", "value", "said"),
    [
        ("_password", "wrong", "does not let us in"),
        ("_password", "naïve", "does not let us in"),
        ("_folder", "Nowhere", 'no folder "Nowhere"'),
        ("_context", ssl.create_default_context(), "nobody we trust"),
    ],
)
def test_what_is_wrong_is_said_without_a_secret(desk: Desk, box: Imap, part: str, value: object, said: str) -> None:
    setattr(box, part, value)
    with pytest.raises(ProviderError, match=said) as told:
        bounces.poll(desk)
    assert "NEWSLETTER_BOUNCES__IMAP" in told.value.todo
    assert box._password not in str(told.value)
    assert box._user not in str(told.value)


def test_another_folder_can_be_read_and_one_in_other_letters_is_refused(
    desk: Desk, server: MailServer, pem: Path
) -> None:
    server.folders["Bounces of us"].put(b"Subject: hi\r\n\r\n")
    context = ssl.create_default_context(cafile=pem)
    other = Imap(
        "localhost", server.user, server.password, port=server.port, folder="Bounces of us", context=context, timeout=5
    )
    assert bounces.poll(replace(desk, mailbox=other)) == 1
    with pytest.raises(ProviderError, match="letters"):
        Imap("localhost", "u", "p", folder="Rückläufer")


def test_a_server_that_says_nothing_is_not_waited_for(desk: Desk, server: MailServer, box: Imap) -> None:
    server.silent = True
    box._timeout = 0.3
    with pytest.raises(ProviderError):
        bounces.poll(desk)


def test_settings_make_it(tmp_path: Path, pem: Path) -> None:
    (tmp_path / "newsletter.yml").write_text(YML, "utf-8")

    def made(**named: str) -> object:
        return make_mailbox(
            load(tmp_path, {f"NEWSLETTER_BOUNCES__IMAP_{name}": text for name, text in named.items()}), tmp_path
        )

    assert made() is None
    assert isinstance(made(HOST="localhost", USER="u", PASSWORD="p", CERTIFICATE=str(pem)), Imap)
    with pytest.raises(ConfigurationError, match="a user and a password"):
        made(HOST="localhost", USER="u")
    with pytest.raises(ConfigurationError, match=r"no certificate"):
        made(HOST="localhost", USER="u", PASSWORD="p", CERTIFICATE="newsletter.yml")
