"""Pictures of the publication: found, measured and named by what they hold.

A picture's served name carries a hash of its bytes, so that it can be kept for ever and changes when the
picture does. Nothing is resized here.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
import warnings
from functools import lru_cache
from pathlib import Path

from PIL import Image, UnidentifiedImageError

from newsletter.content.blocks import Asset
from newsletter.errors import NotFound

SHOWN = 600  # the width of a mail, in CSS pixels; a wider file is meant for dense screens
MAX_PIXELS = 40_000_000
MAX_BYTES = 20_000_000
FORMATS = {"JPEG": "jpg", "PNG": "png", "GIF": "gif", "WEBP": "webp"}
_FOLDER = "images"
_SERVED = re.compile(r"([0-9a-f]{12})-[a-z0-9][a-z0-9._-]*\.(?:jpg|png|gif|webp)")


def asset(path: str, root: Path) -> Asset:
    """A picture by its path from the publication's root (`images/stone.jpg`).

    Out: its served name `<12 hex of SHA-256>-<safe name>.<ext>`, the size it is shown at (CSS pixels,
    turned as its EXIF orientation says, at most 600 wide) and its bytes.
    Raises: NotFound when it is missing, outside `images/`, no picture, or too large to open (E210).
    """
    file = _inside(root, path)
    if file is None:
        raise NotFound(
            f'"{path}" lies outside the publication\'s folder.', f"Copy it to {_FOLDER}/ and name it from there."
        )
    if not file.is_relative_to(root.resolve() / _FOLDER):
        raise NotFound(f'"{path}" is not in {_FOLDER}/, where pictures are served from.', f"Move it to {_FOLDER}/.")
    if not file.is_file():
        raise NotFound(f'There is no file "{path}".', _near(path, root))
    state = file.stat()
    if state.st_size > MAX_BYTES:
        raise NotFound(f'"{path}" has more than {MAX_BYTES // 1_000_000} MB.', "Save it smaller.")
    return _measured(file, path, state.st_mtime_ns, state.st_size)


def _near(path: str, root: Path) -> str:
    folder = _inside(root, path.rpartition("/")[0] or ".")
    names = sorted(file.name for file in folder.iterdir() if file.is_file()) if folder and folder.is_dir() else []
    same = [name for name in names if name.lower() == path.rpartition("/")[2].lower()]
    if same:
        return f'The file is called "{same[0]}": small and capital letters count.'
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


@lru_cache(maxsize=512)
def _measured(file: Path, path: str, _changed: int, size: int) -> Asset:
    kind, width, height = _size(file, path)
    digest = hashlib.sha256(file.read_bytes()).hexdigest()[:12]
    shown = min(width, SHOWN)
    return Asset(
        path=path,
        name=f"{digest}-{_safe(file.stem)}.{FORMATS[kind]}",
        width=shown,
        height=max(1, round(height * shown / width)),
        size=size,
    )


def _size(file: Path, path: str) -> tuple[str, int, int]:
    """Format, width and height as seen, read from the file's head alone and then checked."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(file, formats=list(FORMATS)) as picture:
                kind, (width, height) = str(picture.format), picture.size
                if width * height > MAX_PIXELS:
                    raise NotFound(
                        f'"{path}" has too many pixels ({width} x {height}).', "Save it at most 1200 px wide."
                    )
                turned = kind in _TURNABLE and picture.getexif().get(_ORIENTATION, 1) >= _SIDEWAYS
            with Image.open(file, formats=list(FORMATS)) as picture:
                picture.verify()
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise NotFound(f'"{path}" has too many pixels.', "Save it at most 1200 px wide.") from None
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError, EOFError):
        raise NotFound(f'"{path}" is not a picture we can read.', "Save it as JPEG or PNG.") from None
    return (kind, height, width) if turned else (kind, width, height)


_ORIENTATION = 0x0112  # EXIF
_TURNABLE = frozenset({"JPEG", "WEBP"})  # cameras write these
_SIDEWAYS = 5  # orientations 5 to 8 swap the sides


def _safe(stem: str) -> str:
    plain = unicodedata.normalize("NFKD", stem).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:60] or "image"


def served(root: Path, name: str) -> Path | None:
    """The file behind a served name, for the web side.

    In: the publication's root, the last part of the address. Out: the file when one under `images/` has
    this very name; None for anything else, so no path can be asked for.
    """
    if not _SERVED.fullmatch(name):
        return None
    return next((file for file in _pictures(root) if _name_of(file, root) == name), None)


def _pictures(root: Path) -> list[Path]:
    return sorted(file for file in (root / _FOLDER).rglob("*") if file.is_file())


def _name_of(file: Path, root: Path) -> str:
    try:
        return asset(file.relative_to(root).as_posix(), root).name
    except NotFound:
        return ""
