"""Whether the pages that issues link to are there. The only flow that speaks to strangers' sites.

In: issues, the web, a file that remembers answers for a day. Out: problems by issue. Gentle: one request to
a site at a time, the head of a page before its first byte, at most two tries. What cannot be told is a note
and never an error; where there is no network at all, one note says so.
"""

from __future__ import annotations

import json
import os
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Protocol
from urllib.parse import urldefrag, urljoin

from newsletter.content import check
from newsletter.content.checks import addresses
from newsletter.content.checks.case import Case, Place
from newsletter.content.issue import Issue
from newsletter.core.problem import Level, Problem
from newsletter.core.publication import Publication
from newsletter.flows.fetch import NoAnswer, NoSuchHost, NotPublic, NotTrusted, Reply, Trouble

CACHE = "var/links.json"
TOGETHER = 8
TRIES = 2
HOPS = 5
GAP = 0.2  # seconds between two requests to one site
PATIENCE = 60  # seconds for all links of a run
GIVES_UP = 2  # silences of one site, after which it is not asked again
KNOWN_TO_ALL = "example.com"  # IANA's; where its name is not known either, there is no network


class Kind(StrEnum):
    """What became of a link."""

    THERE = "there"
    GONE = "gone"
    NOWHERE = "nowhere"
    PRIVATE = "private"
    MOVED = "moved"
    UNTRUSTED = "untrusted"
    UNTOLD = "untold"
    SILENT = "silent"


@dataclass(frozen=True)
class Answer:
    """What is known about an address: `detail` in words, `url` where it led to."""

    kind: Kind
    detail: str = ""
    url: str = ""


class Internet(Protocol):
    """What `fetch.Web` does."""

    def there(self, host: str) -> bool:
        """Whether a name is known."""
        ...

    def ask(self, method: str, url: str) -> Reply:
        """Ask for a page. Raises: Trouble."""
        ...


def look(
    issues: Sequence[Issue],
    publication: Publication,
    root: Path,
    *,
    web: Internet,
    now: datetime,
    pause: Callable[[float], None] = time.sleep,
    clock: Callable[[], float] = time.monotonic,
) -> tuple[Problem, ...]:
    """Ask for every page that the issues link to.

    In: `now` for the day an answer is remembered; `pause` and `clock` are what a test holds still.
    Touches `var/links.json` under the root.
    """
    places = {issue.name: _places(issue, publication, root) for issue in issues}
    urls = list(dict.fromkeys(_page(place) for found in places.values() for place in found))
    if not urls:
        return ()
    memory = _recall(root / CACHE, now)
    answers = {url: memory[url] for url in urls if url in memory}
    asked = _ask_all([url for url in urls if url not in answers], web, pause, clock)
    notes: tuple[Problem, ...] = ()
    if asked and all(answer.kind in _NO_NETWORK for answer in asked.values()) and not web.there(KNOWN_TO_ALL):
        notes = (_untouched(issues[0], len(asked), "there is no network here", "Run it again where there is one."),)
        asked = {}
    _remember(root / CACHE, {**memory, **asked}, now)
    answers |= asked
    found = (check.sifted(issue, _problems(places[issue.name], answers)) for issue in issues)
    return (*notes, *(problem for problems in found for problem in problems))


_NO_NETWORK = frozenset({Kind.NOWHERE, Kind.SILENT})


def offline(issues: Sequence[Issue], publication: Publication, root: Path) -> tuple[Problem, ...]:
    """The one note that says what was not looked at."""
    urls = {_page(place) for issue in issues for place in _places(issue, publication, root)}
    if not urls:
        return ()
    fix = "Run it without --offline before you send."
    return (_untouched(issues[0], len(urls), "--offline was given", fix),)


def _untouched(issue: Issue, count: int, because: str, fix: str) -> Problem:
    links = "1 link was" if count == 1 else f"{count} links were"
    return Problem(issue.name, 0, 0, "W225", Level.NOTE, f"{links} not looked at: {because}", fix)


def _places(issue: Issue, publication: Publication, root: Path) -> tuple[Place, ...]:
    """The links to pages, those aside that were refused already by what they are."""
    links = Case(issue, publication, root).links
    return tuple(
        place
        for place in links
        if place.address.lower().startswith(("http://", "https://"))
        and not addresses.at_home(addresses.host(place.address))
        and addresses.bare(addresses.host(place.address)) not in addresses.PLACEHOLDERS
    )


def _page(place: Place) -> str:
    return urldefrag(place.address.strip()).url


# --- asking ----------------------------------------------------------------------------------------


def _ask_all(
    urls: Sequence[str], web: Internet, pause: Callable[[float], None], clock: Callable[[], float]
) -> dict[str, Answer]:
    """Sites beside each other, the pages of one site one after the other."""
    sites: dict[str, list[str]] = defaultdict(list)
    for url in urls:
        sites[addresses.host(url)].append(url)
    end = clock() + PATIENCE
    with ThreadPoolExecutor(max_workers=TOGETHER) as pool:
        found = pool.map(lambda site: list(_ask_site(site, web, pause, clock, end)), sites.values())
        return {url: answer for answers in found for url, answer in answers}


def _ask_site(
    urls: Iterable[str], web: Internet, pause: Callable[[float], None], clock: Callable[[], float], end: float
) -> Iterator[tuple[str, Answer]]:
    silences = 0
    for number, url in enumerate(urls):
        if clock() > end:
            yield url, Answer(Kind.UNTOLD, "there was no time left")
        elif silences >= GIVES_UP:
            yield url, Answer(Kind.SILENT, "the site does not answer")
        else:
            if number:
                pause(GAP)
            answer = _tried(url, web, pause)
            silences += answer.kind is Kind.SILENT
            yield url, answer


def _tried(url: str, web: Internet, pause: Callable[[float], None]) -> Answer:
    answer = Answer(Kind.SILENT)
    for attempt in range(TRIES):
        if attempt:
            pause(GAP)
        answer = _followed(url, web)
        if answer.kind is not Kind.SILENT:
            return answer
    return answer


def _followed(url: str, web: Internet) -> Answer:
    """What an address leads to, over at most five redirects."""
    here = url
    try:
        for _ in range(HOPS):
            reply = _asked(here, web)
            onward = urljoin(here, reply.location) if reply.location else ""
            if reply.status not in _REDIRECTS or not onward:
                return _judged(url, here, reply.status)
            here = urldefrag(onward).url
    except NoSuchHost as trouble:
        return Answer(Kind.NOWHERE, str(trouble), here if here != url else "")
    except NotPublic as trouble:
        return Answer(Kind.PRIVATE, str(trouble), here if here != url else "")
    except NotTrusted as trouble:
        return Answer(Kind.UNTRUSTED, str(trouble), here if here != url else "")
    except Trouble as trouble:
        return Answer(Kind.SILENT, str(trouble))
    return Answer(Kind.UNTOLD, "it redirects without an end")


_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_GONE = frozenset({404, 410})
_THERE = frozenset({416})  # the page is there, and has no first byte


def _asked(url: str, web: Internet) -> Reply:
    """The head; what sites refuse to say there they say about the first byte."""
    try:
        reply = web.ask("HEAD", url)
    except NoAnswer:
        return web.ask("GET", url)
    return reply if reply.status < 400 else web.ask("GET", url)  # noqa: PLR2004


def _judged(url: str, here: str, status: int) -> Answer:
    if status in _GONE:
        return Answer(Kind.GONE, str(status), here if here != url else "")
    if status < 400 or status in _THERE:  # noqa: PLR2004
        there = addresses.host(here)
        if not addresses.related(addresses.host(url), there):
            return Answer(Kind.MOVED, there, here)
        return Answer(Kind.THERE)
    return Answer(Kind.UNTOLD, f"the site says {status}")


# --- telling ---------------------------------------------------------------------------------------


def _problems(places: Iterable[Place], answers: Mapping[str, Answer]) -> Iterator[Problem]:
    for place in places:
        answer = answers.get(_page(place))
        if answer and (problem := _problem(place, answer)):
            yield problem


_OPEN = "Open it, and write the address it has now."
_TOLD: Mapping[Kind, tuple[str, Level, str, str]] = {
    Kind.GONE: ("E222", Level.ERROR, "this page is not there: {host} says {detail}", _OPEN),
    Kind.NOWHERE: ("E222", Level.ERROR, 'there is no site "{host}"', "Look at the spelling."),
    Kind.PRIVATE: (
        "E223",
        Level.ERROR,
        '"{host}" leads into a private network, where no reader can go',
        "Write the public address of the page.",
    ),
    Kind.MOVED: ("W224", Level.WARNING, "this leads on to another site, {detail}", "{url}"),
    Kind.UNTRUSTED: (
        "W227",
        Level.WARNING,
        "browsers warn of {host}: its certificate is not valid",
        "Tell whoever runs it, or link elsewhere.",
    ),
    Kind.UNTOLD: (
        "W225",
        Level.NOTE,
        "could not tell whether this page is there: {detail}",
        "Open it once yourself.",
    ),
    Kind.SILENT: (
        "W225",
        Level.NOTE,
        "could not tell whether this page is there: {detail}",
        "Open it once yourself.",
    ),
}


def _problem(place: Place, answer: Answer) -> Problem | None:
    if answer.kind not in _TOLD:
        return None
    code, level, message, fix = _TOLD[answer.kind]
    said = {"host": addresses.host(answer.url or place.address), "detail": answer.detail, "url": answer.url}
    return place.problem(code, message.format(**said), fix.format(**said), level)


# --- remembering -----------------------------------------------------------------------------------

_KEPT = frozenset({Kind.THERE, Kind.MOVED, Kind.UNTOLD})  # what is wrong is asked again, as it may be mended


def _recall(path: Path, now: datetime) -> dict[str, Answer]:
    """The answers of today; none when the file is not ours."""
    try:
        raw = json.loads(path.read_text("utf-8"))
        if raw["day"] != _day(now):
            return {}
        return {
            url: Answer(Kind(one["kind"]), str(one["detail"]), str(one["url"])) for url, one in raw["links"].items()
        }
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}


def _remember(path: Path, answers: Mapping[str, Answer], now: datetime) -> None:
    kept = {url: asdict(answer) for url, answer in sorted(answers.items()) if answer.kind in _KEPT}
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        beside = path.with_name(f"{path.name}.{os.getpid()}")
        beside.write_text(json.dumps({"day": _day(now), "links": kept}, ensure_ascii=False, indent=1), "utf-8")
        beside.replace(path)
    except OSError:
        return  # a folder that cannot be written to is no reason to say nothing


def _day(now: datetime) -> str:
    return now.astimezone(UTC).date().isoformat()
