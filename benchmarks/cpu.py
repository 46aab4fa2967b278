"""Processor time and memory, of this process and of others."""

from __future__ import annotations

import json
import os
import re
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
_TICKS = os.sysconf("SC_CLK_TCK")


def each(work: Callable[[], object], *, seconds: float = 0.5, rounds: int = 5) -> float:
    """Processor seconds one call takes: the best of some rounds, which together last about `seconds`."""
    work()
    begun = time.perf_counter()
    work()
    calls = max(1, int(seconds / rounds / max(time.perf_counter() - begun, 1e-7)))
    return min(_round(work, calls) for _ in range(rounds))


def _round(work: Callable[[], object], calls: int) -> float:
    begun = time.process_time()
    for _ in range(calls):
        work()
    return (time.process_time() - begun) / calls


def child(module: str, *arguments: str) -> Any:
    """Run a module of ours in a process of its own; what it prints on stdout, read as JSON."""
    command = [sys.executable, "-m", module, *arguments]
    found = subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE)
    return json.loads(found.stdout)


@contextmanager
def serving(module: str, *arguments: str) -> Iterator[str]:
    """Run a module of ours that serves until it is stopped, in a process of its own; its address."""
    command = [sys.executable, "-m", module, *arguments]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout
        try:
            found = re.search(r"http://\S+", server.stdout.readline())
            assert found, f"{module} did not say where it serves"
            yield found[0]
        finally:
            server.terminate()
            server.wait(30)


def whole(command: list[str]) -> float:
    """Processor seconds of a whole process, user and system, its children included."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def peak_mb() -> float:
    """The most memory this process has held, in MB. Linux keeps it per program, getrusage per process tree."""
    status = Path("/proc/self/status")
    if status.exists():
        found = next(row for row in status.read_text().splitlines() if row.startswith("VmHWM"))
        return int(found.split()[1]) / 1024
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most / (1024 * 1024 if sys.platform == "darwin" else 1024)


def of_process(pid: int) -> float:
    """Processor seconds of a running process and of its children, living and gone; 0 where /proc is not."""
    total = 0.0
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()  # state, ppid, ... (proc(5), from the third on)
        except OSError:
            continue  # it has just ended
        own = int(stat.parent.name) == pid
        if own or int(fields[1]) == pid:
            total += sum(map(int, fields[11:15] if own else fields[11:13])) / _TICKS
    return total
