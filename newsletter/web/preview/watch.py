"""From a saved file to the browser: folders are watched, and every open page is told at once.

In: the folders. Out: a bell that rings with a number; the browser hears it as a server-sent event (WHATWG
HTML, 9.2).
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path

from watchfiles import DefaultFilter, awatch

from newsletter.content import templates

FOLDERS = ("issues", "images", "snippets", "words", "templates", "magnets", "sequences")
STEP, MOST = 10, 50
"""Milliseconds: how long it must be quiet after a change, and how long we wait for that at most."""
_KEEP = 20.0  # seconds between signs of life


class Bell:
    """Rings in every open page."""

    def __init__(self) -> None:
        self._ears: set[asyncio.Queue[str]] = set()
        self.closed = False

    def ring(self, message: str) -> None:
        """Tell everybody; a new message takes the place of one that was not heard yet."""
        for ear in self._ears:
            while not ear.empty():
                ear.get_nowait()
            ear.put_nowait(message)

    def close(self) -> None:
        """End every stream, so that the program can stop."""
        self.closed = True
        self.ring("")

    async def stream(self, first: str) -> AsyncIterator[str]:
        """The events for one page. In: what it should know at once."""
        ear: asyncio.Queue[str] = asyncio.Queue()
        self._ears.add(ear)
        try:
            yield f"retry: 500\ndata: {first}\n\n"
            while not self.closed:
                try:
                    message = await asyncio.wait_for(ear.get(), _KEEP)
                except TimeoutError:
                    yield ": still here\n\n"
                    continue
                if message:
                    yield f"data: {message}\n\n"
        finally:
            self._ears.discard(ear)


def folders(root: Path) -> set[Path]:
    """Every folder whose files can change a letter: the root itself, and those below the ones of `FOLDERS`."""
    tops = [root / name for name in FOLDERS if (root / name).is_dir()]
    tops.append(templates.builtin())
    return {root, *tops, *(path for top in tops for path in top.rglob("*") if path.is_dir())}


async def watch(root: Path, changed: Callable[[], None]) -> None:
    """Call `changed` after every save, for ever.

    Folders are watched one by one, not with all that is below the root: there lie the database, git and
    other things that change all the time. New folders are found when their parent changes.
    """
    while True:
        watched = folders(root)
        relevant = _Relevant(root)
        async for _ in awatch(*watched, watch_filter=relevant, step=STEP, debounce=MOST, recursive=False):
            changed()
            if folders(root) != watched:
                break


class _Relevant(DefaultFilter):
    """Not the swap files of editors; of the root's own files only the settings and the folders above."""

    def __init__(self, root: Path) -> None:
        super().__init__()
        self._root = str(root)

    def __call__(self, change: object, path: str) -> bool:
        folder, _, name = path.rpartition("/")
        if folder == self._root and name not in {"newsletter.yml", ".env", *FOLDERS}:
            return False
        return super().__call__(change, path)  # type: ignore[arg-type]
