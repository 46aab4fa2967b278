"""Pictures of a mail as Chromium draws it: 600 and 375 wide, dark, pictures off.

In: the mail's HTML. Out: PNG files. Touches the folder named and a temporary one. Chromium is started once,
without a window and without a network, and told what to do through a pipe (Chrome DevTools Protocol).
"""

from __future__ import annotations

import base64
import json
import os
import re
import select
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from newsletter.content import images
from newsletter.errors import ConfigurationError
from newsletter.flows import panes

PROGRAMS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
ELSEWHERE = (
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
)
SECONDS = 60.0
"""How long one answer may take; a machine at work starts a browser slowly."""
_TALLEST = 16_000  # px; no taller surface is drawn
_FLAGS = (
    "--headless=new",
    "--no-sandbox",  # the page is our own and holds no script; for root there is no sandbox
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-extensions",
    "--no-first-run",
    "--hide-scrollbars",
    "--host-resolver-rules=MAP * ~NOTFOUND",  # promise 7: a picture elsewhere is not fetched
    "--remote-debugging-pipe",
)


@dataclass(frozen=True)
class Shot:
    """One picture: its file's name, the width in px, and what is done to the mail first."""

    name: str
    width: int
    view: Callable[[str], str]


SHOTS = (
    Shot("600.png", 600, panes.light),
    Shot("375.png", 375, panes.light),
    Shot("dark.png", 600, panes.dark),
    Shot("images-off.png", 600, panes.pictures_off),
)


def find(path: str | None = None) -> str:
    """Chromium, or a browser made of it. In: a search path (None = the environment's).

    Raises: ConfigurationError when there is none.
    """
    found = next((place for name in PROGRAMS if (place := shutil.which(name, path=path))), None)
    found = found or next((place for place in ELSEWHERE if path is None and os.access(place, os.X_OK)), None)
    if found is None:
        raise ConfigurationError(
            "There is no Chromium on this machine, and screenshots are made with it.",
            "Install it (Debian: apt install chromium), or leave out --screenshots.",
        )
    return found


def take(html: str, folder: Path, *, root: Path, chromium: str) -> list[Path]:
    """Draw a mail in every way of `SHOTS`.

    In: the mail as one reader gets it, the folder for the pictures, the publication's root (its own pictures
    are read from there), the program. Out: the files. Raises: ConfigurationError when Chromium does not do it.
    """
    at_home = local(html, root)
    folder.mkdir(parents=True, exist_ok=True)
    made = []
    with tempfile.TemporaryDirectory(prefix="newsletter-", ignore_cleanup_errors=True) as scratch:
        page = Path(scratch) / "mail.html"
        with _browser(chromium, Path(scratch) / "profile") as browser:
            for shot in SHOTS:
                page.write_text(shot.view(at_home), "utf-8")
                (folder / shot.name).write_bytes(_drawn(browser, page.as_uri(), shot.width))
                made.append(folder / shot.name)
    return made


def local(html: str, root: Path) -> str:
    """The mail with the publication's own pictures read from their files: nothing is asked of a server."""

    def one(found: re.Match[str]) -> str:
        file = images.served(root, found["name"])
        return found[1] + (file.resolve().as_uri() if file else found[2]) + found[4]

    return _PICTURE.sub(one, html)


_PICTURE = re.compile(r"""(<img\b[^>]*?\ssrc=")([^"]*/(?P<name>[^"/]+))(")""", re.IGNORECASE)


# --- the browser -----------------------------------------------------------------------------------


@dataclass
class _Browser:
    """A browser at the other end of two pipes: JSON messages, each ended by a null byte."""

    name: str
    to: int
    back: int
    count: int = 0
    left: bytes = b""
    session: str = ""
    events: list[str] = field(default_factory=list)

    def ask(self, method: str, **params: Any) -> dict[str, Any]:
        """Send a command and wait for its answer."""
        self.count += 1
        message: dict[str, Any] = {"id": self.count, "method": method, "params": params}
        if self.session:
            message["sessionId"] = self.session
        try:
            os.write(self.to, json.dumps(message).encode() + b"\0")
        except OSError:
            raise _failed(self.name, "it ended too early") from None
        while (answer := self._read()).get("id") != self.count:
            self.events.append(str(answer.get("method", "")))
        if "error" in answer:
            raise _failed(self.name, f"{method}: {answer['error'].get('message', '')}")
        result: dict[str, Any] = answer.get("result", {})
        return result

    def wait(self, event: str) -> None:
        """Wait until something has happened."""
        while event not in self.events:
            self.events.append(str(self._read().get("method", "")))
        self.events.clear()

    def _read(self) -> dict[str, Any]:
        deadline = time.monotonic() + SECONDS
        while b"\0" not in self.left:
            ready, _, _ = select.select([self.back], [], [], max(0.0, deadline - time.monotonic()))
            part = os.read(self.back, 1 << 20) if ready else b""
            if not part:
                raise _failed(self.name, "it ended too early" if ready else f"no answer within {SECONDS:.0f} s")
            self.left += part
        message, _, self.left = self.left.partition(b"\0")
        found: dict[str, Any] = json.loads(message)
        return found


_WIRED = """import fcntl, os, sys
ends = [fcntl.fcntl(int(end), fcntl.F_DUPFD, 10) for end in sys.argv[1:3]]
os.dup2(ends[0], 3), os.dup2(ends[1], 4)
os.execv(sys.argv[3], sys.argv[3:])
"""
"""Between us and the browser: puts the pipes where it looks for them, and becomes it."""


@contextmanager
def _browser(chromium: str, profile: Path) -> Iterator[_Browser]:
    """Start Chromium, and end it. It reads commands at its file 3 and answers at its file 4."""
    its_in, to = os.pipe()
    back, its_out = os.pipe()
    wired = [sys.executable, "-ISc", _WIRED, str(its_in), str(its_out)]
    try:
        process = subprocess.Popen(  # noqa: S603 -- the program was found by us, its arguments are ours
            [*wired, chromium, *_FLAGS, f"--user-data-dir={profile}", "about:blank"],
            pass_fds=(its_in, its_out),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env=_quiet(os.environ),
        )
    except OSError as problem:
        for end in (its_in, to, back, its_out):
            os.close(end)
        raise _failed(chromium, type(problem).__name__) from None
    os.close(its_in)
    os.close(its_out)
    try:
        browser = _Browser(chromium, to, back)
        target = browser.ask("Target.createTarget", url="about:blank")["targetId"]
        browser.session = browser.ask("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        browser.ask("Page.enable")
        yield browser
    finally:
        os.close(to)  # it ends by itself when nobody can tell it anything
        os.close(back)
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _drawn(browser: _Browser, url: str, width: int) -> bytes:
    """A whole page as PNG."""
    browser.ask("Emulation.setDeviceMetricsOverride", width=width, height=800, deviceScaleFactor=1, mobile=False)
    browser.events.clear()
    browser.ask("Page.navigate", url=url)
    browser.wait("Page.loadEventFired")
    height = min(_TALLEST, browser.ask("Page.getLayoutMetrics")["cssContentSize"]["height"])
    clip = {"x": 0, "y": 0, "width": width, "height": height, "scale": 1}
    return base64.b64decode(browser.ask("Page.captureScreenshot", captureBeyondViewport=True, clip=clip)["data"])


def _quiet(environ: Mapping[str, str]) -> dict[str, str]:
    """The environment without our own settings: a browser has no use for keys."""
    return {name: value for name, value in environ.items() if not name.upper().startswith("NEWSLETTER_")}


def _failed(chromium: str, why: str) -> ConfigurationError:
    return ConfigurationError(
        f"{Path(chromium).name} drew no picture ({why}).", "Try it by itself, or leave out --screenshots."
    )
