"""Measure everything, show a table, keep it as JSON. A budget that is missed is said, and is no failure."""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from benchmarks import cpu, door, during, mail, node, postgres, press, program
from benchmarks.figure import HEAD, Figure, as_json, line


@dataclass(frozen=True)
class Sizes:
    """How much of each.

    Readers; readers who get a whole message each, in calls of many and in one of their own; how many times as many
    readers the large campaign has as the small one, and how many that is; signups; seconds for each small thing.
    """

    readers: int
    batch: int
    single: int
    growth: tuple[int, int]
    signups: int
    seconds: float


QUICK = Sizes(readers=100_000, batch=10_000, single=5_000, growth=(50_000, 4), signups=2_000, seconds=1.0)
FULL = Sizes(readers=1_000_000, batch=100_000, single=50_000, growth=(1_000_000, 10), signups=20_000, seconds=3.0)


def _press(sizes: Sizes, folder: Path) -> Iterator[Figure]:
    url = f"sqlite:///{folder / 'newsletter.db'}"
    yield from press.measure(folder, url, sizes.readers)
    yield from press.campaigns(folder, url, {"batch": sizes.batch, "single": sizes.single})


def _postgres(sizes: Sizes, folder: Path) -> Iterator[Figure]:
    with postgres.server() as server:
        if server is not None:
            yield from press.measure(folder, server.url, sizes.readers, server=server.pid)


PARTS: dict[str, Callable[[Sizes, Path], Iterator[Figure]]] = {
    "program": lambda _sizes, _folder: program.measure(),
    "mail": lambda sizes, folder: mail.measure(folder, seconds=sizes.seconds),
    "node": lambda sizes, folder: node.measure(folder, seconds=sizes.seconds),
    "press": _press,
    "growth": lambda sizes, folder: press.growth(folder, *sizes.growth),
    "during": lambda sizes, folder: during.measure(folder, sizes.single * 2),
    "door": lambda sizes, folder: door.measure(folder, sizes.signups),
    "postgres": _postgres,
}
"""What can be measured, each in an empty folder on the disk that is to be measured."""


def main(arguments: list[str] | None = None, *, sizes: Sizes | None = None) -> None:
    """Run it. In: the command line; `sizes` instead of those it names."""
    parser = argparse.ArgumentParser("python -m benchmarks", description="Measure the program against its budgets.")
    parser.add_argument("--full", action="store_true", help="a million readers instead of 100,000")
    parser.add_argument("-o", dest="file", type=Path, default=cpu.ROOT / "var/bench.json", help="where the JSON goes")
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"only these: {', '.join(PARTS)}")
    asked = parser.parse_args(arguments)
    if unknown := set(asked.parts) - set(PARTS):
        parser.error(f"there is no part {min(unknown)}")
    figures: list[Figure] = []
    print(HEAD)
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        for name in asked.parts or PARTS:
            for figure in PARTS[name](sizes or (FULL if asked.full else QUICK), Path(folder) / name):
                figures.append(figure)
                print(line(figure), flush=True)
    asked.file.parent.mkdir(parents=True, exist_ok=True)
    asked.file.write_text(json.dumps(as_json(figures), indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
