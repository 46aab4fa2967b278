"""A small publication behind real HTTP: a real store, the flows, uvicorn on a free port of the loopback."""

from __future__ import annotations

import re
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
import requests
import uvicorn
from PIL import Image
from pypdf import PdfWriter

from newsletter.core import address
from newsletter.core.campaign import Draft, Variant
from newsletter.core.consent import State, Subscriber
from newsletter.core.email import fill
from newsletter.core.links import Links, Purpose
from newsletter.core.pace import Pace
from newsletter.core.publication import Footer, Form, Magnet, Publication, Sender
from newsletter.flows.desk import Desk
from newsletter.store import SqlStore, open_store
from newsletter.testing import Chance, Clock, FakeProvider
from newsletter.web.serve import config as site_config
from newsletter.web.serve import listen
from tests.flows.reports import Telling

PUBLICATION = Publication(
    name="Harbour Letters",
    senders={"harbour": Sender("Harbour Letters", "letters@mail.harbour.test", "answers@harbour.test")},
    footer=Footer(address="3 Quay Street, Port Ellen", phone="555 0100", email="hello@harbour.test"),
    topics={"letter": "The Sunday letter"},
    magnets={
        "tides": Magnet(
            "Tide Notebook", "A page for each day of a month.", ("magnets/tide-notebook.pdf",), sheet="magnets/read.pdf"
        ),
        "sheets": Magnet("Two Sheets", "One to write on, one to read.", ("magnets/write.pdf", "magnets/read.pdf")),
        "film": Magnet("A Short Film", "It lives elsewhere.", url="https://films.harbour.test/short"),
    },
    forms={
        "notebook": Form("tides", ("letter",), ("https://www.harbour.test/",), "Send me the free Tide Notebook."),
        "plain": Form("", ("letter",)),
    },
    crisis_text="In an emergency, call 112.",
)

LETTER = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Low water</title><style>p{color:navy}</style></head>
<body><main><p>The boats lie on their sides.</p></main></body></html>"""

BASE = "https://letters.harbour.test"


@dataclass
class House:
    """The publication as a test sees it."""

    desk: Desk
    store: SqlStore
    clock: Clock
    provider: FakeProvider
    database: Path
    url: str = ""
    http: requests.Session = field(default_factory=requests.Session)

    def get(self, path: str, **how):
        return self.http.get(self.url + path, **{"timeout": 10, "allow_redirects": False, **how})

    def post(self, path: str, **how):
        return self.http.post(self.url + path, **{"timeout": 10, "allow_redirects": False, **how})

    def sign_up(self, email: str, **fields: str):
        return self.post("/subscribe", data={"email": email, "form": "notebook", **fields})

    def letters_to(self, email: str, count: int = 1) -> list[str]:
        """The text of the mails to an address, once there are so many."""
        until(lambda: len(self._to(email)) >= count)
        return self._to(email)

    def _to(self, email: str) -> list[str]:
        sent = [(call.email, one) for call in self.provider.calls for one in call.batch.recipients]
        return [fill(mail.text, dict(one.values)) for mail, one in sent if one.address == email]

    def link(self, email: str, purpose: str, count: int = 1) -> str:
        """The path of the link in the latest mail to an address."""
        text = self.letters_to(email, count)[-1]
        found = re.search(rf"{re.escape(BASE)}(/{purpose}/\S+)", text)
        assert found, text
        return found[1]

    def subscriber(self, email: str) -> Subscriber | None:
        with self.store.read() as tx:
            return tx.audience.by_hmac(self.desk.hmac(address.parse(email)))

    def state(self, email: str) -> State | None:
        who = self.subscriber(email)
        return who.state if who else None

    def join(self, email: str, **fields: str) -> Subscriber:
        """Sign up and confirm."""
        before = len(self._to(email))
        self.sign_up(email, **fields)
        assert self.post(self.link(email, "confirm", before + 1)).status_code == 200
        until(self.quiet)
        who = self.subscriber(email)
        assert who
        return who

    def evidence(self, email: str) -> list[str]:
        who = self.subscriber(email)
        assert who
        with self.store.read() as tx:
            return [f"{row['kind']} {row['method']}" for row in tx.audience.evidence(who.pid)]

    def personal(self, who: Subscriber, what: Purpose) -> str:
        """The path of a link that shows or erases what we hold, as it is mailed."""
        return self.desk.links.personal(what, who.id, self.clock()).removeprefix(BASE)

    letter = LETTER

    def freeze(self, key: str, *, subject: str = "", page: str | None = LETTER, begun: bool = True) -> None:
        """A campaign with nobody in it."""
        draft = Draft(
            key=key,
            pid=key,
            subject=subject or key,
            segments=("all",),
            topics=("letter",),
            content_sha256=key,
            source_sha256=key,
            provider="fake",
            batch_size=1,
            archive=page,
            excluded={},
            plan_hash="",
            variants=(Variant("all", "{}"),),
        )
        with self.store.begin() as tx:
            campaign = tx.campaigns.freeze(draft, self.clock())
            if begun:
                tx.campaigns.start(campaign.id, self.clock())

    @contextmanager
    def again(self, **magnets: Magnet) -> Iterator[House]:
        """The same house after somebody changed these magnets in newsletter.yml."""
        changed = replace(self.desk.publication, magnets={**self.desk.publication.magnets, **magnets})
        later = replace(self, desk=replace(self.desk, publication=changed))
        with running(site_config(later.desk, tick_seconds=3600)) as later.url:
            yield later

    def quiet(self) -> bool:
        """Whether no mail waits."""
        with self.store.read() as tx:
            return not {"waiting", "claimed"} & set(tx.queue.numbers())

    def passed(self) -> bool:
        """Whether the worker has been through what is due once."""
        with self.store.read() as tx:
            return tx.facts.get("hits_at") is not None

    @contextmanager
    def unchanged(self) -> Iterator[None]:
        """Nothing is written meanwhile, by anybody (`PRAGMA data_version` of another connection)."""
        until(self.quiet)
        with closing(sqlite3.connect(self.database)) as other:
            before = other.execute("PRAGMA data_version").fetchone()
            yield
            assert other.execute("PRAGMA data_version").fetchone() == before


def until(true: Callable[[], bool], seconds: float = 5.0) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.005)


@contextmanager
def running(config: uvicorn.Config) -> Iterator[str]:
    """A site on a free port, in a thread."""
    server = uvicorn.Server(config)
    with listen("127.0.0.1", 0) as listening:
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
        thread.start()
        until(lambda: server.started)
        try:
            yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join(15)
            assert not thread.is_alive()


def write_files(root: Path) -> None:
    for name in ("tide-notebook", "write", "read"):
        path = root / "magnets" / f"{name}.pdf"
        path.parent.mkdir(exist_ok=True)
        pdf = PdfWriter()
        pdf.add_blank_page(200, 200)
        if name == "write":
            pdf.add_metadata({"/Title": "A Page to Write On"})
        pdf.write(path)
        pdf.close()
    (root / "images").mkdir()
    Image.new("RGB", (40, 20), "navy").save(root / "images" / "sea.png")
    (root / "secret.txt").write_text("nobody sees this")


def build(root: Path, publication: Publication = PUBLICATION, base: str = BASE) -> House:
    """All but the server."""
    write_files(root)
    database = root / "letters.db"
    store, clock, provider = open_store(f"sqlite:///{database}"), Clock(), FakeProvider()
    desk = Desk(
        root=root,
        publication=publication,
        store=store,
        provider=provider,
        transactional=provider,
        links=Links(base, ["a key for tests"]),
        suppression_key=b"another key for tests",
        now=clock,
        entropy=Chance().bytes,
        pace=Pace(),
        reports={"telling": Telling()},
    )
    house = House(desk, store, clock, provider, database)
    house.http.trust_env = False
    return house


@contextmanager
def open_house(root: Path, publication: Publication = PUBLICATION, base: str = BASE) -> Iterator[House]:
    house = build(root, publication, base)
    try:
        with running(site_config(house.desk, tick_seconds=3600)) as house.url:
            until(house.passed)  # the first pass notes that it was there
            yield house
    finally:
        house.http.close()
        house.store.close()


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """One for the tests of a file; each uses addresses of its own."""
    with open_house(tmp_path_factory.mktemp("house")) as opened:
        yield opened


@pytest.fixture(scope="session")
def open_a_house():
    """For a test that needs another publication or base URL."""
    return open_house


@pytest.fixture(scope="session")
def build_house():
    """All of a house but the server, for a test that runs it in its own way."""
    return build


@pytest.fixture(scope="session")
def run_site():
    """For a test that builds its own application."""
    return running


@pytest.fixture
def own_house(tmp_path: Path) -> Iterator[House]:
    """One for a single test."""
    with open_house(tmp_path) as opened:
        yield opened
