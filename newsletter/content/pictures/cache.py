"""Pictures that were made are kept under `var/images`, so that making them again costs a look at a folder.

A picture's name there holds the hash of what it was made from and its size: `1-<64 hex>_1200x800.jpg`.
Losing the folder loses time, and the pictures of sent letters whose files were changed or deleted since. Where
it cannot be written, a folder of this process takes its place.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import re
import shutil
import tempfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from newsletter.content.pictures.derive import Derived

FOLDER = "var/images"
VERSION = 1  # of what `derive` does; with another number, what was kept is made anew where its file is there
_NAME = re.compile(r"\d+-[0-9a-f]{64}_(\d+)x(\d+)\.(jpg|png|gif)")


@dataclass(frozen=True)
class Kept:
    """A picture on the disk; `width` and `height` in its own pixels, `size` in bytes."""

    path: Path
    width: int
    height: int
    size: int

    @property
    def extension(self) -> str:
        """Which tells its format: jpg, png or gif."""
        return self.path.suffix.lstrip(".")


def find(root: Path, start: str, *, version: int | None = VERSION) -> Kept | None:
    """A kept picture. In: the publication's root, the hash or its first digits; no version for any."""
    number = "*" if version is None else version
    for folder in (root / FOLDER, *([_own()] if _own.cache_info().currsize else [])):
        for path in sorted(folder.glob(f"{number}-{start}*_*")):
            told = _NAME.fullmatch(path.name)
            size = path.stat().st_size if told and path.is_file() else 0
            if told and size:
                return Kept(path, int(told[1]), int(told[2]), size)
    return None


def keep(root: Path, digest: str, made: Derived) -> Kept:
    """Keep a picture under its hash (SHA-256 in hex): whole or not at all, also when two processes do so at once."""
    name = f"{VERSION}-{digest}_{made.width}x{made.height}.{made.extension}"
    try:
        path = _written(root / FOLDER, name, made.data)
    except OSError:
        path = _written(_own(), name, made.data)
    return Kept(path, made.width, made.height, len(made.data))


def _written(folder: Path, name: str, data: bytes) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    _ignored(folder)
    handle, temporary = tempfile.mkstemp(dir=folder, prefix=".", suffix=".part")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        Path(temporary).chmod(0o644)  # the web side may run as another user
        return Path(temporary).replace(folder / name)
    except BaseException:
        with contextlib.suppress(OSError):
            Path(temporary).unlink()
        raise


def _ignored(folder: Path) -> None:
    """Git leaves the folder alone, in whatever repository it lies."""
    if not (folder / ".gitignore").exists():
        (folder / ".gitignore").write_text("*\n", "utf-8")


@cache
def _own() -> Path:
    folder = tempfile.mkdtemp(prefix="newsletter-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return Path(folder)
