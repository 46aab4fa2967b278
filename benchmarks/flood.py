"""A flood at the front door, at full size: thousands of programs in a minute, and people among them.

python -m benchmarks.flood [PROGRAMS [PEOPLE]]     says what became of each kind; exit 1 when a promise did not hold

The web side runs in a process of its own, with the caps a publication begins with, behind a proxy that tells networks
apart; what it mails goes into an outbox. The programs know the front door: some copy its form, some come from one
network, some aim at one domain, some open the page once and post from it for ever. Of the people, one in three runs no
script.
"""

from __future__ import annotations

import html
import http.client
import itertools
import re
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlencode, urlsplit

from benchmarks import cpu, publication
from newsletter.core import proof
from newsletter.core.publication import Limits
from newsletter.providers.outbox import Outbox, messages
from newsletter.store import open_store
from newsletter.web.serve import serve

_MINUTE = 60.0  # seconds
_HANDS = 8  # connections of the programs
_READING = 4.0  # seconds a person looks at the page
_NO_SCRIPT = 3  # one in so many
_SETTLES = 20.0  # seconds for the mail of the last person to go
_OWNER = "owner@harbour.example"
_FIELD = re.compile(r'name="(\w+)" value="([^"]*)"')


def main(programs: int = 5000, people: int = 12) -> int:
    """Let them come. Out: the exit code."""
    with tempfile.TemporaryDirectory() as folder, cpu.serving("benchmarks.flood", "--serve", folder) as site:
        place, begun = urlsplit(site).netloc, time.monotonic()
        crowd = [threading.Thread(target=_programs, args=(place, programs, hand, begun)) for hand in range(_HANDS)]
        crowd += [threading.Thread(target=_person, args=(place, number, people, begun)) for number in range(people)]
        for one in crowd:
            one.start()
        for one in crowd:
            one.join()
        took = time.monotonic() - begun
        time.sleep(_SETTLES)
        reached = Counter(map(_kind, messages(Path(folder) / "outbox")))
    return _told(reached, programs, people, took)


def _told(reached: Counter[str], programs: int, people: int, took: float) -> int:
    caps, worked = Limits(), people - people // _NO_SCRIPT
    confirmations = sum(count for kind, count in reached.items() if kind != "owner")
    print(f"{programs} programs and {people} people in {took:.0f} s")
    for kind, count in sorted(reached.items()):
        print(f"  {kind:<12}{count:>6} mails")
    held = {
        f"at most {caps.confirmations_per_hour} confirmations": confirmations <= caps.confirmations_per_hour,
        f"at most {caps.confirmations_per_domain} to one domain": reached["domain"] <= caps.confirmations_per_domain,
        f"each of the {worked} people whose browser worked": reached["person"] == worked,
        "the owner was told once": reached["owner"] == 1,
    }
    for promise, kept in held.items():
        print(f"{'held  ' if kept else 'BROKEN'} {promise}")
    return 0 if all(held.values()) else 1


def _kind(message: object) -> str:
    to = str(message["To"])  # type: ignore[index]
    return "owner" if to == _OWNER else to.partition("-")[0]


def _programs(place: str, count: int, hand: int, begun: float) -> None:
    """One connection's part of them, evenly over the minute."""
    with closing(http.client.HTTPConnection(place, timeout=60)) as connection:
        fields = _opened(connection, "10.9.9.9")
        for number in range(hand, count, _HANDS):
            time.sleep(max(0.0, begun + _MINUTE * number / count - time.monotonic()))
            name, host, network, brought = _ATTACKS[number % len(_ATTACKS)](number, fields)
            email = f"{name}-{number}@{host}"
            _post(connection, {"email": email, "form": "letter", **brought}, network)


_Attack = Callable[[int, dict[str, str]], tuple[str, str, str, dict[str, str]]]
_ATTACKS: tuple[_Attack, ...] = (
    lambda number, _: ("copied", f"victim{number}.example", f"10.{number >> 8 & 255}.{number & 255}.1", {}),
    lambda number, _: ("network", f"victim{number}.example", "192.0.2.66", {}),
    lambda number, _: ("domain", "drowned.example", f"10.{number >> 8 & 255}.{number & 255}.2", {}),
    lambda number, fields: ("read", f"victim{number}.example", f"10.{number >> 8 & 255}.{number & 255}.3", fields),
)


def _person(place: str, number: int, people: int, begun: float) -> None:
    """Comes at a moment of the minute, reads, types, and sends."""
    time.sleep(max(0.0, begun + 5 + (_MINUTE - 15) * number / people - time.monotonic()))
    network, script = f"198.51.100.{number}", (number + 1) % _NO_SCRIPT > 0
    with closing(http.client.HTTPConnection(place, timeout=60)) as connection:
        fields = _opened(connection, network)
        if script and "proof" in fields:
            tried = map(str, itertools.count())
            fields["proof"] = next(one for one in tried if proof.holds(fields["stamp"], one))
    time.sleep(_READING)
    email = f"{'person' if script else 'noscript'}-{number}@home{number}.example"
    with closing(http.client.HTTPConnection(place, timeout=60)) as connection:  # the first one is closed by now
        _post(connection, {**fields, "email": email}, network)


def _opened(connection: http.client.HTTPConnection, network: str) -> dict[str, str]:
    """The hidden fields of our page."""
    connection.request("GET", "/", headers={"X-Forwarded-For": network})
    found = _FIELD.findall(connection.getresponse().read().decode())
    return {name: html.unescape(value) for name, value in found}


def _post(connection: http.client.HTTPConnection, fields: dict[str, str], network: str) -> None:
    headers = {"Content-Type": "application/x-www-form-urlencoded", "X-Forwarded-For": network}
    connection.request("POST", "/subscribe", urlencode(fields), headers)
    answer = connection.getresponse()
    answer.read()
    if answer.status != http.client.OK:
        raise RuntimeError(f"a signup was answered with {answer.status}")


def _serve(folder: Path) -> None:
    publication.write(folder)
    outbox = Outbox(path=folder / "outbox")
    with closing(open_store(f"sqlite:///{folder / 'newsletter.db'}")) as store:
        desk = publication.desk(folder, store, outbox)
        ours = replace(desk.publication, limits=Limits())
        serve(replace(desk, publication=ours, owner=_OWNER), port=0, trusted_proxies=["127.0.0.1"])


def _arguments() -> Iterator[int]:
    return map(int, sys.argv[1:])


if __name__ == "__main__":
    if sys.argv[1:2] == ["--serve"]:
        _serve(Path(sys.argv[2]))
    else:
        sys.exit(main(*_arguments()))
