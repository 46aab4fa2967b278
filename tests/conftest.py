"""What tests share: real stores on both databases, a desk on one of them, a small publication.

Nothing is patched: time, ids and chance are handed in, and held still by `newsletter.testing`.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import hypothesis
import pytest

from newsletter.core.links import Links
from newsletter.core.pace import Pace
from newsletter.core.publication import Footer, Form, Magnet, Publication, Sender
from newsletter.flows.desk import Desk
from newsletter.store import SqlStore, open_store
from newsletter.testing import Chance, Clock, FakeProvider

CI_MAY_NOT_SKIP = "CI_MAY_NOT_SKIP"


def _in_memory() -> str | None:
    """A folder in memory, where a sync costs nothing: most of the tests' time on a disk that others use too."""
    folder, roomy = "/dev/shm", 2 << 30
    if not os.access(folder, os.W_OK | os.X_OK):
        return None
    there = os.statvfs(folder)
    return folder if there.f_bavail * there.f_frsize > roomy and not there.f_flag & os.ST_NOEXEC else None


if MEMORY := _in_memory():
    os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", MEMORY)  # before the first `tmp_path` asks for it

hypothesis.settings.register_profile("steady", derandomize=True)  # the same examples everywhere, until a test changes
hypothesis.settings.load_profile("steady")


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """In CI a skipped test is a missing install step."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    skipped = len(reporter.stats.get("skipped", [])) if reporter else 0
    if os.environ.get(CI_MAY_NOT_SKIP) and skipped:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
        reporter.write_line(f"{skipped} tests were skipped, and CI is meant to run them all", red=True)


# --- databases ------------------------------------------------------------------------------------------


def _program(name: str) -> str | None:
    places = sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    return shutil.which(name, path=os.pathsep.join([*map(str, places), os.environ.get("PATH", "")]))


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    """A PostgreSQL of our own on a socket in a temporary folder, or the one that TEST_POSTGRES_URL names."""
    if given := os.environ.get("TEST_POSTGRES_URL"):
        yield given
        return
    initdb, pg_ctl = _program("initdb"), _program("pg_ctl")
    if initdb is None or pg_ctl is None:
        pytest.skip("no PostgreSQL here: install postgresql, or set TEST_POSTGRES_URL")
    user = "postgres" if os.getuid() == 0 else None  # the server refuses to run as root
    folder = Path(tempfile.mkdtemp(prefix="pg-", dir=MEMORY))
    if user:
        shutil.chown(folder, user)
    data = folder / "data"

    def run(*command: str) -> None:
        subprocess.run(command, check=True, user=user, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    run(initdb, "-D", str(data), "-U", "postgres", "-A", "trust", "--no-sync", "-E", "UTF8", "--locale=C.UTF-8")
    options = f"-c listen_addresses= -c fsync=off -c unix_socket_directories={folder}"
    run(pg_ctl, "-D", str(data), "-o", options, "-l", str(folder / "log"), "-w", "start")
    try:
        yield f"postgresql://postgres@/postgres?host={folder}"
    finally:
        run(pg_ctl, "-D", str(data), "-m", "immediate", "stop")
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def postgres_template(postgres_server: str) -> Iterator[str]:
    """A database with our tables, to copy from; one for each process of the tests."""
    name = f"newsletter_template_{os.getpid()}"
    _sql(postgres_server, f"CREATE DATABASE {name}")
    open_store(_database(postgres_server, name)).close()
    yield postgres_server
    _sql(postgres_server, f"DROP DATABASE {name} WITH (FORCE)")


_numbers = itertools.count()


def _database(server: str, name: str) -> str:
    head, _, tail = server.partition("?")
    return f"{head.rpartition('/')[0]}/{name}" + (f"?{tail}" if tail else "")


def _sql(server: str, *statements: str) -> None:
    import psycopg

    with psycopg.connect(server, autocommit=True) as connection:
        for statement in statements:
            connection.execute(statement)


@pytest.fixture
def empty_postgres(postgres_server: str) -> Iterator[Callable[[], str]]:
    """Makes databases with nothing in them, and takes them away again."""
    made: list[str] = []

    def make() -> str:
        made.append(f"newsletter_empty_{os.getpid()}_{next(_numbers)}")
        _sql(postgres_server, f"CREATE DATABASE {made[-1]}")
        return _database(postgres_server, made[-1])

    yield make
    for name in made:
        _sql(postgres_server, f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file with our tables, to copy: a tenth of the time it takes to make them."""
    path = tmp_path_factory.mktemp("sqlite") / "template.db"
    open_store(f"sqlite:///{path}").close()
    return path


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """An empty database with our tables, on each kind."""
    if request.param == "sqlite":
        copied = shutil.copy(request.getfixturevalue("sqlite_template"), tmp_path / "newsletter.db")
        yield f"sqlite:///{copied}"
        return
    server = request.getfixturevalue("postgres_template")
    name = f"newsletter_{os.getpid()}_{next(_numbers)}"
    _sql(server, f"CREATE DATABASE {name} TEMPLATE newsletter_template_{os.getpid()}")
    yield _database(server, name)
    _sql(server, f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def store(database_url: str) -> Iterator[SqlStore]:
    """A store on each kind of database: its contract holds on both."""
    with contextlib.closing(open_store(database_url)) as opened:
        yield opened


@pytest.fixture
def sqlite_store(sqlite_template: Path, tmp_path: Path) -> Iterator[SqlStore]:
    """A store on SQLite, for tests in which the database is not the point."""
    copied = shutil.copy(sqlite_template, tmp_path / "newsletter.db")
    with contextlib.closing(open_store(f"sqlite:///{copied}")) as opened:
        yield opened


# --- a publication, and a desk for it -------------------------------------------------------------------

ISSUE = """---
subject: A quiet week
preheader: What stillness asks of people who listen for a living, in three small questions.
date: 2026-12-01
draft: {draft}
---

Hello {{{{ first_name, "friend" }}}}, this is a letter about rest.

## 🌱 A question

Ask at the end of the day:

- What did I carry home?
- What may I put down?

Rest is part of the work, not its reward. Fifty words make a letter, and a letter should say a little more
than that, so here is one sentence that says nothing new and takes its time about it.
"""


@pytest.fixture
def publication() -> Publication:
    """A small publication with a workbook."""
    return Publication(
        name="Quiet Letters",
        senders={"us": Sender("Quiet Letters", "letters@quiet.example", "hello@quiet.example")},
        footer=Footer(address="1 Long Road, Chino, CA 91710", email="hello@quiet.example"),
        timezone="America/Los_Angeles",
        fields={"first_name": "friend"},
        magnets={"workbook": Magnet("The Workbook", "Twelve exercises.", ("magnets/workbook.pdf",))},
        forms={"workbook": Form(magnet="workbook", wording="Send me the workbook.")},
    )


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """The publication's folder, with one issue that is ready and its magnet."""
    (tmp_path / "issues").mkdir()
    (tmp_path / "magnets").mkdir()
    (tmp_path / "issues/2026-12-01-quiet.md").write_text(ISSUE.format(draft="false"), "utf-8")
    (tmp_path / "magnets/workbook.pdf").write_bytes(b"%PDF-1.7 a small workbook")
    return tmp_path


@pytest.fixture
def clock() -> Clock:
    """Time stands still until moved."""
    return Clock()


@pytest.fixture
def provider() -> FakeProvider:
    """A provider that takes everything and remembers it."""
    return FakeProvider()


@pytest.fixture
def make_desk(root: Path, publication: Publication, clock: Clock, provider: FakeProvider) -> Callable[..., Desk]:
    """A desk on a store, everything else held still; keywords replace any of its parts."""

    def make(store: SqlStore, **parts: object) -> Desk:
        chance = Chance()
        given: dict[str, object] = {
            "root": root,
            "publication": publication,
            "store": store,
            "provider": provider,
            "transactional": provider,
            "links": Links("https://letters.quiet.example", ["a signing key"]),
            "suppression_key": b"a suppression key",
            "now": clock,
            "entropy": chance.bytes,
            "pace": Pace(threads=2),
        }
        return Desk(**{**given, **parts})  # type: ignore[arg-type]

    return make


@pytest.fixture
def desk(sqlite_store: SqlStore, make_desk: Callable[..., Desk]) -> Desk:
    """A desk on SQLite."""
    return make_desk(sqlite_store)
