"""Promise 9, byte by byte: after an erasure the address is nowhere in what the house keeps."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from pathlib import Path

import pytest

from newsletter.core import address
from newsletter.errors import WorkLeft
from newsletter.flows import audience, hear
from newsletter.flows.desk import Desk
from newsletter.flows.leave import leave
from newsletter.flows.send import send
from newsletter.flows.signup import Request, confirm, signup
from newsletter.flows.tick import tick
from newsletter.providers.outbox import Outbox, messages
from newsletter.store import SqlStore
from newsletter.testing import Clock
from tests.flows.reports import Telling

Make = Callable[..., Desk]
ANN, BEN = "Ann.Long-Name@somewhere.test", "ben@elsewhere.test"


@pytest.fixture
def outbox(root: Path) -> Path:
    return root / "var/outbox"


@pytest.fixture
def lived_in(sqlite_store: SqlStore, make_desk: Make, outbox: Path, clock: Clock) -> Desk:
    """Ann signed up, confirmed, had a letter, and something was told of her; Ben as well."""
    box = Outbox(path=outbox)
    desk = make_desk(sqlite_store, provider=box, transactional=box, reports={"telling": Telling()})
    for email in (ANN, BEN):
        signup(Request(email, letter=True), desk)
        tick(desk)
        text = list(messages(outbox))[-1].get_body(("plain",)).get_content()  # type: ignore[union-attr]
        confirm(text.partition("/confirm/")[2].split()[0], desk)
        tick(desk)
    send("quiet", desk)
    at = desk.now().isoformat()
    for number, email in enumerate((ANN, BEN)):
        one = {"type": "deferred", "id": f"e{number}", "at": at, "email": email.lower()}
        with desk.store.begin() as tx:
            raw = hear.verified("telling", {"signature": "right"}, json.dumps([one]).encode(), desk)
            tx.events.keep([raw], desk.now())
        if not number:
            tick(desk)
    signup(Request(ANN.upper()), desk)  # and a mail waits, under another spelling
    return desk


def holding(folder: Path, email: str) -> list[str]:
    """The files in which the address stands, however it is spelled."""
    found = email.lower().encode()
    files = [file for file in sorted(folder.rglob("*")) if file.is_file()]
    return [str(file.relative_to(folder)) for file in files if found in file.read_bytes().lower()]


def test_promise_9_erased_means_nowhere_under_the_folder(
    lived_in: Desk, root: Path, caplog: pytest.LogCaptureFixture
) -> None:
    assert len(holding(root, ANN)) > 3  # the database and its journal, several mails
    with caplog.at_level(logging.DEBUG, logger="newsletter"):
        audience.erase(ANN, lived_in)
        tick(lived_in)
    assert holding(root, ANN) == []
    assert holding(root, "Ann.Long-Name") == []
    assert ANN.lower() not in caplog.text.lower()
    assert holding(root, BEN)


def test_promise_9_also_what_a_file_and_the_owner_wrote_of_them(desk: Desk, root: Path) -> None:
    """Words agreed to, and notes, outlive a person: in no spelling do they hold the address."""
    file = root.parent / "list.csv"
    file.write_text(
        "email,consent_at,consent_form,consent_wording\n"
        f'{ANN},2024-05-01,/s/x?e={ANN.replace("@", "%40")},"I, {ANN.lower()}, want it. {ANN.upper()}"\n',
        "utf-8",
    )
    audience.import_(file, desk, names={}, why=f"wrote as {ANN.upper()}")
    (event,) = audience.show(ANN, desk)["consent"]
    assert (event["form"], event["wording"]) == ("/s/x?e=…", "I, …, want it. …")
    audience.suppress(ANN, desk, note=f"called; {ANN.title()}")
    audience.erase(ANN, desk)
    assert {one["note"] for one in audience.show(ANN, desk)["against"]} == {"", "called; …"}
    assert holding(root, ANN) == []


def test_only_their_mail_is_taken_out_of_the_outbox(lived_in: Desk, outbox: Path) -> None:
    before = [one["To"] for one in messages(outbox)]
    audience.erase(ANN, lived_in)
    after = [one["To"] for one in messages(outbox)]
    assert after == [to for to in before if to == BEN]
    assert len(after) == 3


def test_what_is_read_by_a_mail_program_goes_too(lived_in: Desk, outbox: Path, root: Path) -> None:
    for file in list((outbox / "new").iterdir()):
        file.rename(outbox / "cur" / f"{file.name}:2,S")
    audience.erase(ANN, lived_in)
    assert holding(outbox, ANN) == []


def test_an_outbox_that_cannot_be_cleaned_is_said(lived_in: Desk, outbox: Path, root: Path) -> None:
    """The rows are gone all the same; the words hold no address (promise 12)."""
    (outbox / "new").rename(outbox / "elsewhere")
    (outbox / "new").write_text("no folder")
    with pytest.raises(WorkLeft, match="mail to them is not") as problem:
        audience.erase(ANN, lived_in)
    assert "@" not in str(problem.value)
    assert audience.stats(lived_in)["all"] == 1


def test_promise_9_also_what_was_forgotten_in_time(lived_in: Desk, root: Path, clock: Clock, outbox: Path) -> None:
    with lived_in.store.read() as tx:
        who = tx.audience.by_hmac(lived_in.hmac(address.parse(ANN)))
    assert who
    leave(who.unsubscribe_token, lived_in, method="page")
    clock.move(31 * 86_400)
    tick(lived_in)
    assert holding(root, ANN) == []
