"""Pages that are asked for, on a server of our own: what is told, what is remembered, where nobody goes."""

from __future__ import annotations

import contextlib
import json
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from newsletter.content import library
from newsletter.content.checks import addresses
from newsletter.content.issue import Issue
from newsletter.core.problem import Level, Problem
from newsletter.core.publication import Publication
from newsletter.flows import links
from newsletter.flows.fetch import NoAnswer, NoSuchHost, NotPublic, NotTrusted, Reply, Web, resolve

NOW = datetime(2026, 12, 1, 9, tzinfo=UTC)


class Site(ThreadingHTTPServer):
    """Answers by its path, and counts who asked."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Page)
        self.asked: list[tuple[str, str, str]] = []
        self.held = threading.Event()
        threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True).start()

    @property
    def port(self) -> int:
        return int(self.server_address[1])

    def url(self, path: str, host: str = "pages.example-site.org") -> str:
        return f"http://{host}:{self.port}{path}"


class _Page(BaseHTTPRequestHandler):
    server: Site

    def _answer(self) -> None:
        site = self.server
        site.asked.append((self.command, self.headers["Host"].partition(":")[0], self.path))
        name = self.path.strip("/").split("/")[0].partition("?")[0]
        if name == "silent":
            site.held.wait(5)
            return
        if name == "drip":
            self.wfile.write(b"HTTP/1.1 200 OK\r\n")
            with contextlib.suppress(OSError):  # whoever asked has hung up
                while not site.held.wait(0.05):
                    self.wfile.write(b"X-A: b\r\n")
            return
        if name == "get-only" and self.command == "HEAD":
            self.send_error(405)
            return
        if name.startswith("to-"):
            self.send_response(302)
            self.send_header("Location", {
                "to-there": "/there",
                "to-other": site.url("/there", "another-site.org"),
                "to-sub": site.url("/there", "www.example-site.org"),
                "to-home": site.url("/there", "home.example-site.org"),
                "to-gone": "/404",
                "to-itself": "/to-itself",
            }[name])  # fmt: skip
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        self.send_response(int(name) if name.isdigit() else 200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    do_HEAD = do_GET = _answer  # noqa: N815

    def log_message(self, *_: object) -> None:
        return


@pytest.fixture
def site() -> Iterator[Site]:
    server = Site()
    yield server
    server.held.set()
    server.shutdown()
    server.server_close()


PRIVATE = {"home.example-site.org": "10.1.2.3"}


def resolver(host: str, _port: int) -> Sequence[str]:
    if host in PRIVATE:
        return [PRIVATE[host]]
    if host.endswith(("example-site.org", "another-site.org")) or host == links.KNOWN_TO_ALL:
        return ["127.0.0.1"]
    raise socket.gaierror(socket.EAI_NONAME, "unknown")


def web(timeout: float = 2, names: Callable[[str, int], Sequence[str]] = resolver) -> Web:
    """The internet, with our server in the place of everything that is public."""
    return Web(timeout, names, lambda ip: ip == "127.0.0.1" or addresses.public(ip))


def issue(folder: Path, publication: Publication, *urls: str, more: str = "") -> Issue:
    path = folder / "issues" / "2026-12-01-quiet.md"
    body = "\n\n".join(f"[Page {n}]({url})" for n, url in enumerate(urls))
    path.write_text(f"---\nsubject: A quiet week\n{more}---\n\n{body}\n", "utf-8")
    return library.load(path, publication, folder)


Look = Callable[..., tuple[Problem, ...]]


@pytest.fixture
def look(root: Path, publication: Publication) -> Look:
    def ask(*urls: str, over: links.Internet | None = None, now: datetime = NOW, more: str = "") -> tuple[Problem, ...]:
        one = issue(root, publication, *urls, more=more)
        return links.look([one], publication, root, web=over or web(), now=now, pause=lambda _: None)

    return ask


@pytest.mark.parametrize(
    ("path", "code", "level", "says", "fix"),
    [
        ("/there", "", "", "", ""),
        ("/there?a=1#part", "", "", "", ""),
        ("/get-only", "", "", "", ""),
        ("/416", "", "", "", ""),
        ("/to-there", "", "", "", ""),
        ("/to-sub", "", "", "", ""),
        ("/404", "E222", "error", "pages.example-site.org says 404", "the address it has now"),
        ("/410", "E222", "error", "says 410", "the address it has now"),
        ("/to-gone", "E222", "error", "says 404", "the address it has now"),
        ("/to-other", "W224", "warning", "another site, another-site.org", "http://another-site.org:"),
        ("/to-home", "E223", "error", '"home.example-site.org" leads into a private network', "public address"),
        ("/401", "W225", "note", "the site says 401", "Open it once"),
        ("/403", "W225", "note", "the site says 403", "Open it once"),
        ("/429", "W225", "note", "the site says 429", "Open it once"),
        ("/999", "W225", "note", "the site says 999", "Open it once"),
        ("/500", "W225", "note", "the site says 500", "Open it once"),
        ("/to-itself", "W225", "note", "redirects without an end", "Open it once"),
    ],
)
def test_what_a_page_answers(site: Site, look: Look, path: str, code: str, level: str, says: str, fix: str) -> None:
    url = site.url(path)
    found = look(url)
    assert [(one.code, one.level.value, one.line, one.col) for one in found] == ([(code, level, 5, 1)] if code else [])
    for one in found:
        assert says in one.message
        assert fix in one.fix
        assert one.source == f"[Page 0]({url})"


def test_a_name_that_nobody_knows(look: Look) -> None:
    found = look("https://nowhere-at-all.org/a")
    assert [(one.code, one.level, one.message) for one in found] == [
        ("E222", Level.ERROR, 'there is no site "nowhere-at-all.org"')
    ]


@pytest.mark.parametrize("error", [socket.EAI_NONAME, socket.EAI_AGAIN])
def test_without_a_network_one_note_says_so(look: Look, error: int) -> None:
    def nobody(_host: str, _port: int) -> Sequence[str]:
        raise socket.gaierror(error, "unknown")

    found = look("https://a.example-site.org/1", "https://b.example-site.org/2", over=web(names=nobody))
    assert [(one.code, one.level, one.line, one.message) for one in found] == [
        ("W225", Level.NOTE, 0, "2 links were not looked at: there is no network here")
    ]


def test_offline_says_what_was_not_looked_at(root: Path, publication: Publication) -> None:
    one = issue(
        root, publication, "https://a.example-site.org/1", "https://a.example-site.org/1#b", "mailto:a@b.example"
    )
    found = links.offline([one], publication, root)
    assert [(told.code, told.level, told.message) for told in found] == [
        ("W225", Level.NOTE, "1 link was not looked at: --offline was given")
    ]
    assert links.offline([issue(root, publication)], publication, root) == ()


def test_a_silent_site_is_asked_twice_and_then_left_alone(site: Site, look: Look) -> None:
    urls = [site.url(f"/silent/{n}") for n in range(4)]
    found = look(*urls, over=web(0.15))
    assert [(one.code, one.level) for one in found] == [("W225", Level.NOTE)] * 4
    paths = Counter(path for _, _, path in site.asked)
    assert set(paths) == {"/silent/0", "/silent/1"}
    assert paths["/silent/0"] == 2 * links.TRIES  # head and first byte, each time


def test_a_site_that_drips_holds_nobody_up(site: Site) -> None:
    began = time.monotonic()
    with pytest.raises(NoAnswer):
        web(0.3).ask("HEAD", site.url("/drip"))
    assert time.monotonic() - began < 3


def test_head_first_then_one_byte(site: Site, look: Look) -> None:
    look(site.url("/there"), site.url("/get-only"))
    assert [(method, path) for method, _, path in site.asked] == [
        ("HEAD", "/there"),
        ("HEAD", "/get-only"),
        ("GET", "/get-only"),
    ]


def test_an_answer_is_kept_for_a_day_and_a_fault_is_not(site: Site, look: Look, root: Path) -> None:
    urls = [site.url("/there"), site.url("/403"), site.url("/404")]
    first = look(*urls)
    site.asked.clear()
    assert look(*urls) == first
    assert {path for _, _, path in site.asked} == {"/404"}
    site.asked.clear()
    look(*urls, now=NOW + timedelta(days=1))
    assert {path for _, _, path in site.asked} == {"/there", "/403", "/404"}
    kept = json.loads((root / links.CACHE).read_text("utf-8"))
    assert kept["day"] == "2026-12-02"
    assert set(kept["links"]) == set(urls[:2])


@pytest.mark.parametrize(
    "content", ["", "[]", '{"day": "2026-12-01"}', '{"day": "2026-12-01", "links": {"a": 1}}', "\x00"]
)
def test_a_memory_that_is_not_ours_is_forgotten(site: Site, look: Look, root: Path, content: str) -> None:
    (root / "var").mkdir()
    (root / links.CACHE).write_text(content, "utf-8")
    assert look(site.url("/there")) == ()


def test_one_page_is_asked_for_once_whatever_its_fragment(site: Site, look: Look) -> None:
    found = look(site.url("/404"), site.url("/404#a"), site.url("/404"))
    assert [one.line for one in found] == [5, 7, 9]
    assert len([path for method, _, path in site.asked if method == "HEAD"]) == 1


def test_warnings_of_links_are_silenced_with_a_reason_and_errors_are_not(site: Site, look: Look) -> None:
    more = "ignore:\n  - code: W224\n    why: they asked for it\n  - code: W225\n    why: a paper\n"
    found = look(site.url("/to-other"), site.url("/403"), site.url("/404"), more=more)
    assert [one.code for one in found] == ["E222"]


def test_one_site_is_asked_one_page_at_a_time(look: Look) -> None:
    class Busy:
        """Fails when a site is asked while it still answers."""

        def __init__(self) -> None:
            self.busy: Counter[str] = Counter()
            self.together = 0

        def there(self, _host: str) -> bool:
            return True

        def ask(self, _method: str, url: str) -> Reply:
            host = addresses.host(url)
            self.busy[host] += 1
            self.together = max(self.together, sum(self.busy.values()))
            alone = self.busy[host] == 1
            time.sleep(0.02)
            self.busy[host] -= 1
            return Reply(200 if alone else 404)

    busy = Busy()
    urls = [f"https://{name}.org/{n}" for name in ("first", "second", "third") for n in range(3)]
    assert look(*urls, over=busy) == ()
    assert busy.together > 1


def test_a_site_that_browsers_warn_of(look: Look) -> None:
    class Expired:
        def there(self, _host: str) -> bool:
            return True

        def ask(self, _method: str, _url: str) -> Reply:
            raise NotTrusted("certificate has expired")

    (one,) = look("https://expired-site.org/a", over=Expired())
    assert (one.code, one.level, one.line) == ("W227", Level.WARNING, 5)
    assert one.message == "browsers warn of expired-site.org: its certificate is not valid"
    assert one.fix == "Tell whoever runs it, or link elsewhere."


def test_no_time_left_is_said(root: Path, publication: Publication) -> None:
    class Slow:
        def there(self, _host: str) -> bool:
            return True

        def ask(self, _method: str, _url: str) -> Reply:
            return Reply(200)

    ticks = iter([0.0, 1.0, 100.0])
    one = issue(root, publication, "https://first.org/a", "https://first.org/b")
    found = links.look([one], publication, root, web=Slow(), now=NOW, pause=lambda _: None, clock=lambda: next(ticks))
    assert [(told.code, told.line) for told in found] == [("W225", 7)]


# --- where nobody goes -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "ip",
    [
        "127.0.0.1", "10.0.0.1", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "0.0.0.0", "224.0.0.1",
        "255.255.255.255", "198.18.0.1", "::1", "::", "fe80::1", "fe80::1%eth0", "fc00::1", "ff02::1",
        "::ffff:127.0.0.1", "::ffff:10.0.0.1", "2002:7f00:1::", "64:ff9b::7f00:1", "64:ff9b::a00:1", "no address",
    ],
)  # fmt: skip
def test_a_network_that_is_not_public_is_refused(ip: str) -> None:
    asked = Web(1, lambda _host, _port: [ip])
    with pytest.raises(NotPublic):
        asked.ask("GET", "https://harmless-site.org/")


@pytest.mark.parametrize("ip", ["93.184.216.34", "8.8.8.8", "2606:2800:220:1::1", "::ffff:8.8.8.8", "64:ff9b::808:808"])
def test_the_open_internet_is_open(ip: str) -> None:
    assert addresses.public(ip)


def test_one_private_address_among_public_ones_is_enough() -> None:
    with pytest.raises(NotPublic):
        Web(1, lambda _host, _port: ["8.8.8.8", "10.0.0.1"]).ask("GET", "https://two-faced.org/")


def test_the_connection_goes_to_the_address_that_was_judged(site: Site) -> None:
    """A name that answers differently the second time is asked only once."""
    answers = iter([["127.0.0.1"], ["10.0.0.1"]])
    asked: list[str] = []

    def turning(host: str, _port: int) -> Sequence[str]:
        asked.append(host)
        return next(answers)

    reply = Web(2, turning, lambda ip: ip == "127.0.0.1").ask("HEAD", site.url("/there"))
    assert reply.status == 200
    assert asked == ["pages.example-site.org"]
    assert site.asked == [("HEAD", "pages.example-site.org", "/there")]


def test_the_real_judgement_never_reaches_a_server_at_home(site: Site, root: Path, publication: Publication) -> None:
    here = Web(1, lambda _host, _port: ["127.0.0.1"])
    one = issue(root, publication, site.url("/there", "sly-site.org"), site.url("/there", "127.0.0.1"))
    found = links.look([one], publication, root, web=here, now=NOW, pause=lambda _: None)
    assert [(told.code, told.line) for told in found] == [("E223", 5)]  # the other is refused by its number alone
    assert site.asked == []


@pytest.mark.parametrize("url", ["ftp://a.org/", "https:///a", "https://a.org:99999/", "https://ex\u200bample..org/"])
def test_what_is_no_web_address_is_not_asked_for(url: str) -> None:
    with pytest.raises(NoSuchHost):
        web().ask("GET", url)


def test_the_system_knows_this_machine() -> None:
    assert "127.0.0.1" in resolve("127.0.0.1", 80)


def test_nothing_is_told_to_the_site_but_what_is_asked(site: Site) -> None:
    heard: list[str] = []

    class Listening(_Page):
        def do_GET(self) -> None:
            heard.extend(name.lower() for name in self.headers)
            self._answer()

    site.RequestHandlerClass = Listening
    web().ask("GET", site.url("/there?q=a b"))
    assert set(heard) == {"host", "accept-encoding", "user-agent", "accept", "connection", "range"}
