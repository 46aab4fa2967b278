"""Measure everything, show a table, keep it as JSON. A budget that is missed is said, and is no failure."""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from benchmarks import cpu, door, mail, postgres, press, program
from benchmarks.figure import HEAD, Figure, as_json, line


@dataclass(frozen=True)
class Sizes:
    """How much of each: readers, readers sent to one by one, signups, seconds for each small thing; what with."""

    readers: int
    single: int
    signups: int
    seconds: float
    postgres: bool = True


QUICK = Sizes(readers=100_000, single=5_000, signups=2_000, seconds=1.0)
FULL = Sizes(readers=1_000_000, single=100_000, signups=20_000, seconds=3.0)


def measure(sizes: Sizes, folder: Path) -> Iterator[Figure]:
    """All figures, one after the other. In: an empty folder on the disk that is to be measured."""
    yield from program.measure()
    yield from mail.measure(folder / "mail", seconds=sizes.seconds)
    many, few = folder / "many", folder / "few"
    url = f"sqlite:///{many / 'newsletter.db'}"
    yield from press.measure(many, url, sizes.readers)
    yield from press.campaigns(many, url, few, sizes.single)
    yield from door.measure(folder / "door", sizes.signups)
    if sizes.postgres:
        with postgres.server() as server:
            if server is not None:
                yield from press.measure(folder / "pg", server.url, sizes.readers, server=server.pid)


def main(arguments: list[str] | None = None, *, sizes: Sizes | None = None) -> None:
    """Run it. In: the command line; `sizes` instead of those it names."""
    parser = argparse.ArgumentParser("python -m benchmarks", description="Measure the program against its budgets.")
    parser.add_argument("--full", action="store_true", help="a million readers instead of 100,000")
    parser.add_argument("-o", dest="file", type=Path, default=cpu.ROOT / "var/bench.json", help="where the JSON goes")
    asked = parser.parse_args(arguments)
    figures: list[Figure] = []
    print(HEAD)
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        for figure in measure(sizes or (FULL if asked.full else QUICK), Path(folder)):
            figures.append(figure)
            print(line(figure), flush=True)
    asked.file.parent.mkdir(parents=True, exist_ok=True)
    asked.file.write_text(json.dumps(as_json(figures), indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
