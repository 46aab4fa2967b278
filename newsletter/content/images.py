"""Pictures of the publication: found under `images/`, made fit for mail, named by what they hold.

A served picture is never the file itself: it is upright, at most 1200 px wide, in sRGB, and says nothing of
who took it where (`pictures/derive.py`). Its name carries the file's hash, so that it may be kept for ever and
changes when the file does; the hash is of the file and not of what was made of it, so that every machine
and every later version of the program finds the same picture behind an address that was mailed.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from newsletter.content.blocks import Asset
from newsletter.content.pictures import cache
from newsletter.content.pictures.cache import Kept
from newsletter.content.pictures.derive import Recipe, Refused, derive
from newsletter.errors import NotFound

MAX_BYTES = 30_000_000  # of a file that is opened at all
HEAVY, TOO_HEAVY = 200_000, 1_000_000  # bytes of one served picture: a warning, an error
HEAVY_TOGETHER = 800_000  # bytes of all pictures of an issue: a warning
_FOLDER = "images"
_SERVED = re.compile(r"([0-9a-f]{12})-[a-z0-9][a-z0-9._-]*\.(jpg|png|gif|webp)")
_REFERENCED = re.compile(rf"/({_SERVED.pattern})(?=[\"'\s?#)&]|$)")
_HEX = 12


def asset(path: str, root: Path, recipe: Recipe | None = None) -> Asset:
    """A picture by its path from the publication's root (`images/stone.jpg`).

    In: JPEG, PNG, GIF, WebP, AVIF or HEIC, whatever the file's extension says.
    Out: its served name `<12 hex of SHA-256>-<safe name>.<ext>`, the size it is shown at (CSS pixels,
    upright, at most half of the recipe's width: 600), and the bytes of what is served.
    Raises: NotFound when it is missing, outside `images/`, no picture, damaged, or too large (E210).
    """
    file = _file(path, root)
    state = file.stat()
    if state.st_size > MAX_BYTES:
        raise NotFound(f'"{path}" has more than {MAX_BYTES // 1_000_000} MB.', "Save it smaller.")
    made = _made(root, file, state.st_mtime_ns, state.st_size, recipe or Recipe())
    if isinstance(made, Refused):
        raise NotFound(f'"{path}" {made.what}.', made.todo)
    digest, kept = made
    width, height = _shown(kept, recipe or Recipe())
    name = f"{digest[:_HEX]}-{_safe(file.stem)}.{kept.extension}"
    return Asset(path=path, name=name, width=width, height=height, size=kept.size)


def _shown(kept: Kept, recipe: Recipe) -> tuple[int, int]:
    """At most half as many CSS pixels as the recipe allows the file, so that it is sharp on dense screens."""
    share = min(1.0, recipe.width / 2 / kept.width, (recipe.height or 2 * kept.height) / 2 / kept.height)
    return max(1, round(kept.width * share)), max(1, round(kept.height * share))


# --- finding ---------------------------------------------------------------------------------------


def _file(path: str, root: Path) -> Path:
    """The file of a path, in whichever way its letters are composed (macOS takes them apart)."""
    if not path:
        raise NotFound("This picture has no file.", f"Write its path: {_FOLDER}/picture.jpg")
    for form in (path, unicodedata.normalize("NFC", path), unicodedata.normalize("NFD", path)):
        file = _inside(root, form)
        if file is None:
            raise NotFound(
                f'"{path}" lies outside the publication\'s folder.', f"Copy it to {_FOLDER}/ and name it from there."
            )
        if not file.is_relative_to(root.resolve() / _FOLDER):
            raise NotFound(f'"{path}" is not in {_FOLDER}/, where pictures are served from.', f"Move it to {_FOLDER}/.")
        if file.is_file():
            return file
    raise NotFound(f'There is no file "{path}".', _near(path, root))


def _near(path: str, root: Path) -> str:
    folder = _inside(root, path.rpartition("/")[0] or ".")
    names = sorted(file.name for file in folder.iterdir() if file.is_file()) if folder and folder.is_dir() else []
    wanted = path.rpartition("/")[2].lower()
    if same := [name for name in names if name.lower() == wanted]:
        return f'The file is called "{same[0]}": small and capital letters count.'
    if same := [name for name in names if name.lower().rpartition(".")[0] == wanted.rpartition(".")[0]]:
        return f'There is "{same[0]}".'
    told = ", ".join(names[:5]) + (", ..." if len(names) > 5 else "")  # noqa: PLR2004
    return f"There are: {told}." if names else f"Put the picture into {_FOLDER}/."


def _inside(root: Path, path: str) -> Path | None:
    """The file, links followed; None when it is not under the root."""
    if "\0" in path or "\\" in path or not path:
        return None
    try:
        base = root.resolve()
        file = (base / path).resolve()
    except (OSError, RuntimeError, ValueError):
        return None
    return file if file.is_relative_to(base) else None


def _safe(stem: str) -> str:
    plain = unicodedata.normalize("NFKD", stem).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:60].rstrip("-") or "image"


# --- making ----------------------------------------------------------------------------------------


@lru_cache(maxsize=4096)
def _made(root: Path, file: Path, _changed: int, _size: int, recipe: Recipe) -> tuple[str, Kept] | Refused:
    """The hash that names it, and the picture; or why there is none. Remembered until the file changes."""
    data = file.read_bytes()
    digest = hashlib.sha256(data).hexdigest()
    if recipe.key:
        digest = hashlib.sha256(f"{digest} {recipe.key}".encode()).hexdigest()
    if kept := cache.find(root, digest):
        return digest, kept
    try:
        return digest, cache.keep(root, digest, derive(data, recipe))
    except Refused as refused:
        return refused


# --- serving ---------------------------------------------------------------------------------------


def served(root: Path, name: str) -> Path | None:
    """The picture behind a served name, for the web side.

    In: the publication's root, the last part of the address. Out: a file that was made of one under
    `images/`; None for anything else, so no path can be asked for. The name behind the hash does not count:
    a file may be renamed after it was mailed.
    """
    told = _SERVED.fullmatch(name)
    if told is None:
        return None
    return _kept(root, told[1]) or _remade(root, told[1]) or _kept(root, told[1], version=None)


def _kept(root: Path, start: str, *, version: int | None = cache.VERSION) -> Path | None:
    kept = cache.find(root, start, version=version)
    return kept.path if kept else None


def _remade(root: Path, start: str) -> Path | None:
    """Make it again when what was kept is lost."""
    path = _index(root, tuple(_states(root))).get(start)
    if path is None:
        return None
    _made.cache_clear()
    with contextlib.suppress(NotFound):  # deleted meanwhile
        asset(path, root)
    return _kept(root, start)


@lru_cache(maxsize=4)
def _index(root: Path, states: tuple[tuple[str, int, int], ...]) -> dict[str, str]:
    """Paths by the hash in their served names, for as long as no file changes: asking for nonsense costs little."""
    index = {}
    for path, _, _ in states:
        with contextlib.suppress(NotFound):
            index[asset(path, root).name[:_HEX]] = path
    return index


def _states(root: Path) -> Iterator[tuple[str, int, int]]:
    for folder, _, names in os.walk(root / _FOLDER):
        for name in sorted(names):
            file = Path(folder, name)
            with contextlib.suppress(OSError):  # deleted meanwhile
                state = file.stat()
                yield file.relative_to(root).as_posix(), state.st_mtime_ns, state.st_size


def used(html: str, root: Path) -> Iterator[tuple[str, bytes]]:
    """The pictures a mail or page refers to, each once, in order: served name and bytes.

    In: the HTML, the publication's root. What has no picture of ours behind it is left out.
    """
    names = dict.fromkeys(found[1] for found in _REFERENCED.finditer(html))
    for name in names:
        if path := served(root, name):
            yield name, path.read_bytes()


# --- weighing --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Weight:
    """A picture that is too heavy, or all of them together (`path` empty). `blocks`: it may not be sent so."""

    path: str
    size: int
    blocks: bool
    message: str
    fix: str


def overweight(assets: Iterable[Asset]) -> Iterator[Weight]:
    """What the pictures of an issue weigh too much: single ones first, then all together.

    In: the assets in reading order; one that occurs twice is loaded once.
    """
    every = list({one.name: one for one in assets}.values())
    for one in every:
        if one.size > HEAVY:
            blocks_ = one.size > TOO_HEAVY
            most = TOO_HEAVY if blocks_ else HEAVY
            message = f'"{one.path}" has {_kilo(one.size)} as it is sent; at most {_kilo(most)} load well on a phone'
            yield Weight(one.path, one.size, blocks_, message, _lighter(one))
    whole = sum(one.size for one in every)
    if whole > HEAVY_TOGETHER:
        message = f"the pictures have {_kilo(whole)} together; at most {_kilo(HEAVY_TOGETHER)} load well on a phone"
        yield Weight("", whole, blocks=False, message=message, fix="Leave one out, or choose calmer ones.")


def _lighter(one: Asset) -> str:
    if one.name.endswith(".gif"):
        return "Use one still picture instead of a moving one."
    if one.name.endswith(".png"):
        return "Save it as JPEG: it is a PNG because parts of it are transparent, or because it was drawn."
    return "Choose a calmer part of it, or crop it: it is as small as it can be made."


def _kilo(size: int) -> str:
    return f"{size / 1_000_000:.1f} MB" if size >= 1_000_000 else f"{round(size / 1000)} KB"  # noqa: PLR2004
