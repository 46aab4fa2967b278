"""A picture as it is sent: upright, in sRGB, no larger than screens need, in a format every mail program shows.

In: a file's bytes. Out: other bytes; the same for the same input and the same libraries. No clock, no network,
no file. Only one picture is decoded at a time, whatever the number of threads: a phone's picture needs 150 MB.
"""

from __future__ import annotations

import io
import threading
import warnings
from dataclasses import dataclass
from typing import Any

from PIL import Image, ImageCms, ImageFile, ImageOps

from newsletter.content.pictures import kinds, strip

DENSE = 1200  # px: twice the width of a mail, for screens with small pixels
MAX_PIXELS = 50_000_000  # a phone's picture of 48 megapixels, and no bomb
QUALITY = 80  # of JPEG: on dense screens nobody sees the difference from 95
FEW = 256  # colours; a picture of so few was drawn, not taken
MOVES = 5.0  # seconds (WCAG 2.2, 2.2.2)
MOST = 1_000_000  # bytes

MEDIA = {"jpg": "image/jpeg", "png": "image/png", "gif": "image/gif"}
"""The formats that are served; every mail program shows them, Word included."""


class Refused(Exception):
    """Why no picture can be made, as the end of a sentence about the file; and what to do."""

    def __init__(self, what: str, todo: str) -> None:
        super().__init__(what)
        self.what, self.todo = what, todo


@dataclass(frozen=True)
class Recipe:
    """How a picture is made. `plate`: a `#RRGGBB` that fills what is transparent, with a rim of `rim` px.

    A drawing with see-through ground brings its plate along, because dark schemes change whatever lies
    under it. Sizes are in pixels of the file; `height` 0 sets no bound.
    """

    width: int = DENSE
    height: int = 0
    plate: str = ""
    rim: int = 0

    @property
    def key(self) -> str:
        """Names what comes of it; empty for a picture in the text."""
        return "" if self == Recipe() else f"{self.width}x{self.height}-{self.plate.lstrip('#').lower()}-{self.rim}"


@dataclass(frozen=True)
class Derived:
    """A picture ready to be served; `width` and `height` in its own pixels."""

    data: bytes
    extension: str
    width: int
    height: int


_one_at_a_time = threading.RLock()
_heif: list[bool] = []  # whether Pillow knows HEIC by now


def derive(data: bytes, recipe: Recipe | None = None) -> Derived:
    """Make it. Raises: Refused, in words for the editor."""
    recipe = recipe or Recipe()
    kind = kinds.kind(data[: kinds.HEAD])
    if not kind:
        raise Refused(*kinds.told(data[: kinds.HEAD]))
    with _one_at_a_time, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of odd metadata, which is thrown away in any case
        try:
            return _moving(data, recipe) if kind == "GIF" else _still(data, kind, recipe)
        except Refused:
            raise
        except Image.DecompressionBombError:
            raise Refused("has too many pixels", _SMALLER) from None
        except MemoryError:
            raise Refused("is too large to be opened here", _SMALLER) from None
        except Exception:  # noqa: BLE001 -- decoders raise whatever a broken file makes them stumble over
            raise Refused("is damaged and cannot be read to its end", _AGAIN) from None


_AGAIN = "Copy it once more from where it came, or open it in a picture program and save it again."
_SMALLER = "Save it at most 2400 px wide."


def _moving(data: bytes, recipe: Recipe) -> Derived:
    """A GIF that moves stays as it is when it is small and short; every other becomes a still."""
    small, moves = strip.gif(data, MOVES)
    with _opened(data, "GIF") as picture:
        picture.load()
        width, height = picture.size
    if moves and width <= recipe.width and len(small) <= MOST and not recipe.plate:
        return Derived(small, "gif", width, height)
    return _still(data, "GIF", recipe)


def _opened(data: bytes, kind: str) -> Image.Image:
    """The picture, its size looked at before any pixel is decoded."""
    if kind == "HEIF" and not _heif:
        import pillow_heif  # noqa: PLC0415 -- 40 ms, for phones' pictures alone

        pillow_heif.register_heif_opener(thumbnails=False)
        _heif.append(True)
    ImageFile.LOAD_TRUNCATED_IMAGES = False  # WeasyPrint turns it on for the whole process
    picture = Image.open(io.BytesIO(data), formats=[kind])
    width, height = picture.size
    if width * height > MAX_PIXELS:
        raise Refused(f"has too many pixels ({width} x {height})", _SMALLER)
    return picture


def _still(data: bytes, kind: str, recipe: Recipe) -> Derived:
    with _opened(data, kind) as opened:
        untouched = _fit(opened, kind, recipe)
        if kind == "JPEG":
            opened.draft("RGB", (2 * recipe.width, 2 * recipe.width))  # decodes at a fraction of its size
        opened.load()
        whole = _in_srgb(ImageOps.exif_transpose(_coarse(opened, recipe)))
    drawn = kind != "JPEG" and whole.getcolors(FEW) is not None
    picture = _sized(_plated(whole, recipe), recipe)
    made = _encoded(picture, drawn=drawn, lossless=kind in {"PNG", "GIF", "WEBP"})
    return _smaller(made, data, kind) if untouched else made


def _coarse(picture: Image.Image, recipe: Recipe) -> Image.Image:
    """Still twice as large as needed, but no larger: each step after this one copies the whole picture."""
    times = min(picture.size) // (2 * recipe.width)
    return picture.reduce(times) if times > 1 and picture.mode in {"L", "RGB"} else picture


def _fit(picture: Image.Image, kind: str, recipe: Recipe) -> bool:
    """Whether the file's own pixels could be served as they are."""
    fits = picture.width <= recipe.width and (not recipe.height or picture.height <= recipe.height)
    plain = picture.mode in {"L", "RGB"} if kind == "JPEG" else picture.mode in {"1", "L", "LA", "P", "RGB", "RGBA"}
    upright = picture.getexif().get(0x0112, 1) == 1
    return kind in {"JPEG", "PNG"} and fits and plain and upright and not recipe.plate and not _foreign(picture)


def _smaller(made: Derived, data: bytes, kind: str) -> Derived:
    """The file's own pixels without its metadata, when that is smaller than what was made."""
    extension = "jpg" if kind == "JPEG" else "png"
    own = strip.jpeg(data) if kind == "JPEG" else strip.png(data)
    return Derived(own, extension, made.width, made.height) if len(own) <= len(made.data) else made


# --- colours ---------------------------------------------------------------------------------------


def _foreign(picture: Image.Image) -> bool:
    """Whether it says that its colours are not sRGB."""
    profile = bytes(picture.info.get("icc_profile") or b"")
    return bool(profile) and b"sRGB" not in profile and b"s\0R\0G\0B" not in profile


def _in_srgb(picture: Image.Image) -> Image.Image:
    """In sRGB, with 8 bits for each of L, RGB or RGBA; nothing but pixels is left of it."""
    if picture.mode.startswith("I"):  # 16 bits; Pillow would cut off instead of scaling
        picture = picture.convert("I").point(lambda value: value / 257, "L") if _wide(picture) else picture.convert("L")
    clear = picture.has_transparency_data
    profile = picture.info.get("icc_profile") if _foreign(picture) else None
    alpha = picture.convert("RGBA").getchannel("A") if clear else None
    flat = _converted(picture, profile) if profile else _flat(picture)
    if alpha and alpha.getextrema() != (255, 255):
        flat = flat.convert("RGB")
        flat.putalpha(alpha)
    flat.info = {}
    return flat


def _wide(picture: Image.Image) -> bool:
    (_, most) = picture.convert("I").getextrema()
    return isinstance(most, int | float) and most > 255  # noqa: PLR2004


def _flat(picture: Image.Image) -> Image.Image:
    if picture.mode in {"1", "L", "LA"}:
        return picture.convert("L")
    return picture.convert("RGBA").convert("RGB") if picture.mode == "P" else picture.convert("RGB")


def _converted(picture: Image.Image, profile: bytes) -> Image.Image:
    """From the colours it was taken in; a broken profile is treated as none."""
    source = picture if picture.mode in {"L", "RGB", "CMYK"} else picture.convert("RGBA").convert("RGB")
    srgb: Any = ImageCms.createProfile("sRGB")
    try:
        made = ImageCms.profileToProfile(source, io.BytesIO(profile), srgb, outputMode="RGB")
    except (ImageCms.PyCMSError, ValueError, OSError):
        made = None
    return made if made is not None else source.convert("RGB")


def _plated(picture: Image.Image, recipe: Recipe) -> Image.Image:
    if not recipe.plate or picture.mode != "RGBA":
        return picture
    box = picture.getchannel("A").getbbox() or (0, 0, *picture.size)
    shape = picture.crop(box)
    room = (recipe.width - 2 * recipe.rim, (recipe.height or recipe.width) - 2 * recipe.rim)
    shape.thumbnail(room, Image.Resampling.LANCZOS)
    plate = Image.new("RGB", (shape.width + 2 * recipe.rim, shape.height + 2 * recipe.rim), recipe.plate)
    plate.paste(shape.convert("RGB"), (recipe.rim, recipe.rim), shape.getchannel("A"))
    return plate


def _sized(picture: Image.Image, recipe: Recipe) -> Image.Image:
    """At most as large as the recipe says; never enlarged."""
    share = min(1.0, recipe.width / picture.width, (recipe.height or picture.height) / picture.height)
    if share == 1.0:
        return picture
    size = (max(1, round(picture.width * share)), max(1, round(picture.height * share)))
    if picture.mode != "RGBA":
        return picture.resize(size, Image.Resampling.LANCZOS, reducing_gap=3.0)
    return picture.convert("RGBa").resize(size, Image.Resampling.LANCZOS, reducing_gap=3.0).convert("RGBA")


# --- bytes -----------------------------------------------------------------------------------------


def _encoded(picture: Image.Image, *, drawn: bool, lossless: bool) -> Derived:
    """PNG for what is see-through or drawn, JPEG for the rest; of a screenshot, the smaller one."""
    if picture.mode == "RGBA":
        return _png(picture)
    taken = _jpeg(picture)
    if not lossless and not drawn:
        return taken
    exact = _png(picture)
    return exact if len(exact.data) <= (2 * len(taken.data) if drawn else len(taken.data)) else taken


def _jpeg(picture: Image.Image) -> Derived:
    out = io.BytesIO()
    picture.save(out, "JPEG", quality=QUALITY, progressive=True, optimize=True)
    return Derived(out.getvalue(), "jpg", *picture.size)


def _png(picture: Image.Image) -> Derived:
    out = io.BytesIO()
    _indexed(picture).save(out, "PNG", optimize=True)
    return Derived(out.getvalue(), "png", *picture.size)


def _indexed(picture: Image.Image) -> Image.Image:
    """With a table of its colours, when they are few and none is lost."""
    few = picture.getcolors(FEW) if picture.mode == "RGB" else None
    if not few:
        return picture
    table = picture.convert("P", palette=Image.Palette.ADAPTIVE, colors=len(few))
    table.info = {}
    return table if table.convert("RGB").tobytes() == picture.tobytes() else picture
