"""The program as a process: how long it takes to say what it can do."""

from __future__ import annotations

import statistics
import sys
from collections.abc import Iterator

from benchmarks import cpu
from benchmarks.figure import Figure, figure

_TIMES = 5


def measure() -> Iterator[Figure]:
    """`newsletter --help`, the middle of some runs after a first; beside the interpreter alone."""
    help_, nothing = (_middle([sys.executable, *rest]) for rest in (["-m", "newsletter", "--help"], ["-c", ""]))
    yield figure("cli_help_cpu_s", help_, nothing)


def _middle(command: list[str]) -> float:
    cpu.whole(command)
    return statistics.median(cpu.whole(command) for _ in range(_TIMES))
