"""What a file is, by its first bytes: an extension says what somebody thought it was."""

from __future__ import annotations

HEAD = 4096
"""How many bytes of a file `kind` and `told` look at."""

PICTURES = ("JPEG", "PNG", "GIF", "WEBP", "AVIF", "HEIF")
"""Names of the kinds we take, as Pillow has them."""

_HEIF = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"}
_AVIF = {b"avif", b"avis"}
_RAW = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+", b"IIU\0", b"IIRO", b"FUJIFILMCCD-RAW")
_OTHERS = (*_RAW, b"BM", b"8BPS", b"\0\0\1\0", b"\0\0\0\x0cjP")


def kind(head: bytes) -> str:
    """One of `PICTURES`, or nothing. In: the first `HEAD` bytes."""
    if head.startswith(b"\xff\xd8\xff"):
        return "JPEG"
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        return "PNG"
    if head.startswith((b"GIF87a", b"GIF89a")):
        return "GIF"
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "WEBP"
    return _boxed(head)


def _boxed(head: bytes) -> str:
    """AVIF and HEIC share a container (ISO/IEC 14496-12); its brands tell them apart."""
    if head[4:8] != b"ftyp":
        return ""
    brands = {head[at : at + 4] for at in range(8, min(int.from_bytes(head[:4], "big"), len(head)), 4)}
    if brands & _AVIF:
        return "AVIF"
    return "HEIF" if brands & _HEIF else ""


def told(head: bytes) -> tuple[str, str]:
    """What a file is that we do not take, in words, and what to do. In: the first `HEAD` bytes."""
    start = head.lstrip(b"\xef\xbb\xbf \t\r\n")[:600].lower()
    known = (
        (not head, "is empty", "Copy the picture once more."),
        (
            b"<svg" in start,
            "is an SVG drawing, which most mail programs do not show",
            "Export it as PNG, 1200 px wide.",
        ),
        (start.startswith(_MARKUP), "is a web page, not a picture", "Save the picture itself from the browser."),
        (start.startswith(b"%pdf"), "is a PDF", "Export the page as JPEG or PNG, 1200 px wide."),
        (head[4:8] == b"ftyp" or head.startswith(_FILMS), "is a film", "Take a still of it, and link to the film."),
        (
            head.startswith(_OTHERS),
            "is a picture of a kind that browsers do not show (TIFF, BMP, Photoshop, raw)",
            _SAVE,
        ),
        (start.startswith(_LFS), "is only a pointer of Git LFS; the picture is not here", "Run: git lfs pull"),
        (True, "is not a picture we can read", _SAVE),
    )
    return next((what, todo) for is_it, what, todo in known if is_it)


_MARKUP = (b"<!doctype html", b"<html", b"<?xml", b"<head", b"<body")
_FILMS = (b"\x1aE\xdf\xa3", b"OggS")
_LFS = b"version https://git-lfs"
_SAVE = "Open it in a picture program and save it as JPEG or PNG."
