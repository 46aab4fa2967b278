"""Begin a publication: the files that another newsletter starts with.

In: a folder, today. Out: what was written. What is there already stays as it is, so a repository that holds a
README or a licence is as good a place as an empty folder.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path

import newsletter
from newsletter.content import admin
from newsletter.core.publication import Publication
from newsletter.errors import NewsletterError
from newsletter.flows.begin import next_day

SETTINGS = "newsletter.yml"
_RHYTHM = "tuesday"  # of the starter's newsletter.yml
_NAMES = {"gitignore": ".gitignore"}  # else git and the packager would obey it where it lies


@dataclass(frozen=True)
class Begun:
    """Paths from the publication's folder: those written, and those that were there and stayed."""

    written: tuple[str, ...]
    kept: tuple[str, ...]


def start(folder: Path, *, today: dt.date) -> Begun:
    """Write a publication into a folder, which is made when it is not there.

    In: the folder; today, after which the first letter is dated. Raises: NewsletterError when a publication is
    there already.
    """
    if (folder / SETTINGS).exists():
        raise NewsletterError(
            f"There is a publication already: {folder / SETTINGS}.",
            "Nothing was changed. For the editor in the browser, say: newsletter init DIR --admin",
        )
    return write(folder, files(next_day(_RHYTHM, today, [])))


def files(first: dt.date) -> dict[str, bytes]:
    """What a publication begins with. In: the day of its first letter. Out: bytes by path."""
    own = resources.files("newsletter") / "starter"
    found = {_named(path): file.read_bytes() for path, file in _walk(own / "publication")}
    found |= {f".github/workflows/{path}": file.read_bytes() for path, file in _walk(own / "workflows")}
    welcome = found.pop("issues/welcome.md").replace(b"{date}", first.isoformat().encode())
    found[f"issues/{first.isoformat()}-welcome.md"] = welcome
    found["requirements.txt"] = found["requirements.txt"].replace(b"{version}", newsletter.__version__.encode())
    return found


def editor(folder: Path, publication: Publication) -> Begun:
    """Put the editor for the browser beside a publication, or bring it into step with it.

    In: the folder, what its newsletter.yml says. What follows from the publication and from this version is written
    anew; the owner's part of `admin/config.yml`, and a page that was changed, stay.
    """
    own = resources.files("newsletter") / "starter" / "admin"
    place = folder / "admin"
    (place / "chunks").mkdir(parents=True, exist_ok=True)
    config, before = place / "config.yml", ""
    if config.exists():
        before = admin.kept(config.read_text("utf-8"))
        if not before:
            raise NewsletterError(
                f"{config} was not written by this program.",
                "Nothing was changed. Move it away, then run this again and copy its first part over.",
            )
    found = {path: file.read_bytes() for path, file in _walk(own)}
    page = found.pop("index.html")
    found["config.yml"] = admin.config(publication, before or admin.head(_repository(folder))).encode()
    found["publication.js"] = admin.facts(publication).encode()
    for name, content in found.items():
        (place / name).write_bytes(content)
    begun = write(place, {"index.html": page})
    names = tuple(f"admin/{name}" for name in sorted((*found, *begun.written)))
    return Begun(names, tuple(f"admin/{name}" for name in begun.kept))


_GITHUB = re.compile(r"url\s*=\s*\S*github\.com[:/]([\w.-]+/[\w.-]+?)(?:\.git)?/?\s*$", re.MULTILINE)


def _repository(folder: Path) -> str:
    """`owner/name` of the repository the folder is a clone of, when it is one of GitHub's."""
    try:
        known = (folder / ".git" / "config").read_text("utf-8")
    except OSError:
        return ""
    found = _GITHUB.search(known)
    return found[1] if found else ""


def write(folder: Path, found: Mapping[str, bytes]) -> Begun:
    """Write files that are not there yet; never changes one that is."""
    written, kept = [], []
    for name, content in sorted(found.items()):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with path.open("xb") as file:
                file.write(content)
            written.append(name)
        except FileExistsError:
            kept.append(name)
    return Begun(tuple(written), tuple(kept))


def _named(path: str) -> str:
    return _NAMES.get(path, path)


def _walk(folder: Traversable, before: str = "") -> Iterator[tuple[str, Traversable]]:
    for entry in folder.iterdir():
        if entry.is_dir():
            yield from _walk(entry, f"{before}{entry.name}/")
        else:
            yield before + entry.name, entry
