"""What was taken, in a file: one process writes, another reads, and no kill -9 in between loses a line.

A line for each call, with the delivery keys it was for. It is in the system's hands before the call is answered; a
power cut may lose it, the death of a process cannot.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable
from pathlib import Path


def add(path: Path, keys: Iterable[str]) -> None:
    """Append the keys of one call. In: keys without white space. Whole lines, whoever else is writing."""
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        os.write(handle, f"{' '.join(keys)}\n".encode())
    finally:
        os.close(handle)


def read(path: Path) -> Counter[str]:
    """How often each key was taken; nothing when there is no such file."""
    try:
        return Counter(path.read_text("utf-8").split())
    except FileNotFoundError:
        return Counter()
