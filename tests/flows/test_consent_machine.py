"""Consent as a machine: any order of signups, old and new links, leaving, complaints, erasures and imports.

The model knows who may get what; the store is asked after each step.
"""

from __future__ import annotations

import itertools
import os
import re
import shutil
import sqlite3
import tempfile
from contextlib import closing
from datetime import datetime
from functools import cache
from pathlib import Path

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from newsletter.core import address
from newsletter.core.campaign import Draft, Variant
from newsletter.core.consent import Mail, Reason, State
from newsletter.core.email import fill
from newsletter.core.links import Links, Purpose
from newsletter.core.pace import Pace
from newsletter.core.publication import Footer, Form, Magnet, Publication, Sender
from newsletter.errors import LinkRefused, NewsletterError, NothingToDo
from newsletter.flows import audience
from newsletter.flows.desk import Desk
from newsletter.flows.leave import UNDO, leave, undo
from newsletter.flows.signup import Request, confirm, look, refuse, signup
from newsletter.flows.tick import tick
from newsletter.store import open_store
from newsletter.testing import Chance, Clock, FakeProvider

PEOPLE = ("ann@x.test", "Ben@x.test", "cid@x.test")
who = st.sampled_from(PEOPLE)
TEMPORARY = os.environ.get("PYTEST_DEBUG_TEMPROOT")
PUBLICATION = Publication(
    name="Quiet Letters",
    senders={"us": Sender("Quiet Letters", "letters@quiet.example")},
    footer=Footer(address="1 Long Road, Chino, CA 91710"),
    magnets={"workbook": Magnet("The Workbook", "Twelve exercises.", ("magnets/workbook.pdf",))},
    forms={"workbook": Form(magnet="workbook", wording="Send me the workbook.")},
)


@cache
def empty() -> bytes:
    """A database with our tables; making them takes longer than an example."""
    with tempfile.TemporaryDirectory(dir=TEMPORARY) as folder:
        path = Path(folder) / "empty.db"
        open_store(f"sqlite:///{path}").close()
        return path.read_bytes()


class Consent(RuleBasedStateMachine):
    """`wants` is the model: who has the letter by their own, unwithdrawn word (or an attested import)."""

    @initialize()
    def open(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="consent-", dir=TEMPORARY))
        (self.folder / "n.db").write_bytes(empty())
        self.store = open_store(f"sqlite:///{self.folder / 'n.db'}", threads=1)
        self.clock, self.provider = Clock(), FakeProvider()
        self.desk = Desk(
            root=self.folder,
            publication=PUBLICATION,
            store=self.store,
            provider=self.provider,
            transactional=self.provider,
            links=Links("https://letters.quiet.example", ["key"]),
            suppression_key=b"key",
            now=self.clock,
            entropy=Chance().bytes,
            pace=Pace(),
        )
        self.wants: set[str] = set()
        self.never: set[str] = set()  # complained, or the owner's word
        self.links: list[tuple[str, str, bool]] = []  # whose, the token, with the letter
        self.ways_out: dict[str, str] = {}
        self.withdrawn: dict[str, set[str]] = {person: set() for person in PEOPLE}  # links that may not act any more
        self.left: dict[str, tuple[datetime, bool]] = {}  # who left as a reader: when, and whether with the letter
        self.seen = 0
        self.numbers = itertools.count()

    def teardown(self) -> None:
        if hasattr(self, "store"):
            self.store.close()
            shutil.rmtree(self.folder)

    def _end_links(self, person: str) -> None:
        self.withdrawn[person] |= {token for whose, token, _ in self.links if whose == person}
        self.wants.discard(person)

    def _known(self, person: str) -> State | None:
        with self.store.read() as tx:
            found = tx.audience.by_hmac(self.desk.hmac(address.parse(person)))
        return found.state if found else None

    @rule(person=who, letter=st.booleans(), minutes=st.sampled_from([0, 11, 60 * 26]))
    def sign_up(self, person: str, letter: bool, minutes: int) -> None:
        self.clock.move(minutes * 60)
        signup(Request(person.upper() if minutes else person, letter=letter), self.desk)
        self._tick()

    def _tick(self) -> None:
        tick(self.desk)
        for call in self.provider.calls[self.seen :]:
            (recipient,) = call.batch.recipients
            assert recipient.address.lower() not in {one.lower() for one in self.never}, (
                "mail to someone who said never"
            )
            text = fill(call.email.text, {"unsubscribe_url": recipient.unsubscribe_url})
            whose = next(one for one in PEOPLE if one.lower() == recipient.address.lower())
            self.ways_out[whose] = recipient.unsubscribe_url.rpartition("/")[2]
            if call.batch.tag is Mail.REMIND:
                self._reminded(whose)
            if found := re.search(r"/confirm/([\w.~-]+)", text):
                self.links.append((whose, found[1], self._with_letter(found[1])))
        self.seen = len(self.provider.calls)

    def _with_letter(self, token: str) -> bool:
        """Whether a link asks for the letter: a reminder comes with what was asked for a day ago."""
        signup_id, _ = self.desk.links.read(Purpose.CONFIRM, token, self.clock())
        with self.store.read() as tx:
            found = tx.audience.signup(signup_id)
        return found is not None and "letter" in found.topics

    def _reminded(self, person: str) -> None:
        """Nobody but who waits, and never of one signup twice."""
        assert self._known(person) is State.PENDING
        with self.store.read() as tx:
            who = tx.audience.by_hmac(self.desk.hmac(address.parse(person)))
        assert who
        with closing(sqlite3.connect(self.folder / "n.db")) as raw:
            query = "SELECT signup_id FROM mail_queue WHERE kind = 'remind' AND subscriber_id = ?"
            of = [row[0] for row in raw.execute(query, (who.id,))]
        assert len(of) == len(set(of))

    @rule(hours=st.sampled_from([1, 25]))
    def time_goes_by(self, hours: int) -> None:
        self.clock.move(hours * 3600)
        self._tick()

    @rule(pick=st.integers(0, 30))
    def click(self, pick: int) -> None:
        if not self.links:
            return
        person, token, letter = self.links[pick % len(self.links)]
        dead = token in self.withdrawn[person] or person in self.never
        with closing(sqlite3.connect(self.folder / "n.db")) as other:
            before = other.execute("PRAGMA data_version").fetchone()
            try:
                look(token, self.desk)
            except LinkRefused:
                return
            finally:
                assert other.execute("PRAGMA data_version").fetchone() == before, "looking wrote something"
        done = confirm(token, self.desk)
        assert not dead, "an old link acted"
        recorded = self._recorded(person)
        assert confirm(token, self.desk) == done
        assert self._recorded(person) == recorded, "pressing twice is pressing once"
        assert done.download_url
        if letter:
            self.wants.add(person)
        self._tick()

    def _recorded(self, person: str) -> tuple[object, ...]:
        with self.store.read() as tx:
            who = tx.audience.by_hmac(self.desk.hmac(address.parse(person)))
            assert who
            return who, tx.audience.evidence(who.pid), tx.queue.numbers()

    @rule(pick=st.integers(0, 30))
    def not_me(self, pick: int) -> None:
        if not self.links:
            return
        person, token, _ = self.links[pick % len(self.links)]
        pending = self._known(person) is State.PENDING
        try:
            refuse(token, self.desk)
        except LinkRefused:
            return
        if pending:
            self._end_links(person)

    @rule(person=who)
    def one_click(self, person: str) -> None:
        if person in self.ways_out:
            known = self._known(person)
            if known is State.ACTIVE:
                self.left[person] = self.clock(), person in self.wants
            leave(self.ways_out[person], self.desk, method="one-click")
            if known in {State.PENDING, State.ACTIVE}:
                self._end_links(person)

    @rule(person=who)
    def think_again(self, person: str) -> None:
        """Only what was a reader's own leaving, a moment ago, is undone; old links stay dead."""
        if person not in self.ways_out:
            return
        known = self._known(person)
        undo(self.ways_out[person], self.desk)
        when, wanted = self.left.get(person, (None, False))
        recent = when is not None and self.clock() - when <= UNDO
        if known is State.UNSUBSCRIBED and recent and person not in self.never:
            assert self._known(person) is State.ACTIVE
            if wanted:
                self.wants.add(person)
        else:
            assert self._known(person) is known

    @rule(person=who, reason=st.sampled_from([Reason.COMPLAINED, Reason.OWNER]))
    def never_again(self, person: str, reason: Reason) -> None:
        with self.store.begin() as tx:
            tx.audience.suppress(self.desk.hmac(address.parse(person)), reason, self.clock())
        self.never.add(person)
        self.wants.discard(person)

    @rule(person=who)
    def erase(self, person: str) -> None:
        try:
            audience.erase(person, self.desk)
        except NewsletterError:
            return
        self._end_links(person)
        self.left.pop(person, None)
        kept = b"".join(file.read_bytes() for file in self.folder.glob("n.db*")).lower()
        assert person.lower().encode() not in kept, "erased, and still in the file"

    @rule(person=who)
    def import_attested(self, person: str) -> None:
        file = self.folder / "people.csv"
        file.write_text(f"email\n{person}\n", "utf-8")
        report = audience.import_(file, self.desk, names={}, why="asked at the fair")
        if report.active:
            assert self._known(person) is State.ACTIVE
            assert person not in self.never
            self.wants.add(person)

    @rule(person=who)
    def import_unattested(self, person: str) -> None:
        """Whoever comes without any word about consent wants nothing: pending, until the mailbox answers."""
        file = self.folder / "people.csv"
        file.write_text(f"email\n{person}\n", "utf-8")
        report = audience.import_(file, self.desk, names={})
        if report.pending:
            assert self._known(person) is State.PENDING

    @rule(person=who)
    def the_owner_takes_it_back(self, person: str) -> None:
        """Nobody who left by their own word comes back by it; a complaint stays."""
        try:
            still = audience.unsuppress(person, self.desk, why="a mistake")
        except NothingToDo:
            return
        self.left.pop(person, None)
        if still is not Reason.COMPLAINED:
            self.never.discard(person)
        if still is None and self._known(person) is State.ACTIVE and self._has_letter(person):
            self.wants.add(person)

    def _has_letter(self, person: str) -> bool:
        with self.store.read() as tx:
            found = tx.audience.by_hmac(self.desk.hmac(address.parse(person)))
        return found is not None and "letter" in found.topics

    @rule(person=who)
    def add_attested(self, person: str) -> None:
        try:
            audience.add(person, self.desk, why="asked")
        except NothingToDo:
            return
        self.wants.add(person)

    @invariant()
    def the_audience_is_who_wants_it(self) -> None:
        if not hasattr(self, "store"):
            return
        key = f"k{next(self.numbers)}"
        draft = Draft(
            key, key, "s", ("all",), ("letter",), "c", key, "fake", 500, None, {}, "p", (Variant("all", "{}"),)
        )
        with self.store.begin() as tx:
            campaign = tx.campaigns.freeze(draft, self.clock())
            claim = tx.campaigns.claim(campaign.id, "me", self.clock(), lease=self.desk.pace.lease, way_out=str)
        reached = {recipient.address.lower() for recipient in claim.recipients} if claim else set()
        assert reached == {person.lower() for person in self.wants - self.never}

    @invariant()
    def every_active_has_consent_after_their_last_withdrawal(self) -> None:
        if not hasattr(self, "store"):
            return
        with self.store.read() as tx:
            for subscriber in tx.audience.each(state=State.ACTIVE):
                kinds = [event["kind"] for event in tx.audience.evidence(subscriber.pid)]
                given = max(i for i, kind in enumerate(kinds) if kind in {"confirm", "import", "undo"})
                assert all(i < given for i, kind in enumerate(kinds) if kind in {"withdraw", "complaint", "bounce"})


TestConsent = Consent.TestCase
TestConsent.settings = settings(
    max_examples=18, stateful_step_count=30, deadline=None, suppress_health_check=list(HealthCheck)
)
