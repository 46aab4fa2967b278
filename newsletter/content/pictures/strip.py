"""The same picture without what its file tells beside it: no EXIF, no place, no names, no comments.

Works on the file's own structure, so that no pixel changes. In: the bytes of a file that could be decoded.
Raises: ValueError where the structure is not what its specification says.
"""

from __future__ import annotations

from collections.abc import Iterator

_NO_LENGTH = frozenset({0x01, *range(0xD0, 0xD8)})  # TEM and RST0 to RST7 stand alone
_SOI, _EOI, _SOS, _COM = 0xD8, 0xD9, 0xDA, 0xFE
_APPLICATION = range(0xE0, 0xF0)
_KEPT = frozenset({0xE0, 0xEE})  # JFIF, and Adobe's word on how colours are coded


def jpeg(data: bytes) -> bytes:
    """A JPEG without application segments and comments, and without what follows its end (ITU-T T.81, B.1).

    Phones put whole films and second pictures behind the first one.
    """
    return b"".join(_segments(data))


def _segments(data: bytes) -> Iterator[bytes]:
    if data[:2] != b"\xff\xd8":
        raise ValueError("no start of image")
    yield data[:2]
    at = 2
    while True:
        at, marker = _marker(data, at)
        if marker == _EOI:
            yield b"\xff\xd9"
            return
        if marker in _NO_LENGTH:
            continue
        end = at + int.from_bytes(data[at : at + 2], "big")
        if end < at + 2 or end > len(data):
            raise ValueError("a segment ends behind the file")
        if marker == _SOS:
            end = _scan(data, end)
        if marker in _KEPT or (marker not in _APPLICATION and marker != _COM):
            yield bytes((0xFF, marker)) + _plain(marker, data[at:end])
        at = end


def _plain(marker: int, segment: bytes) -> bytes:
    """JFIF may carry a small picture of its own: only its 14 bytes of facts are kept (T.871, 10.1)."""
    if marker == 0xE0 and segment[2:7] == b"JFIF\0" and len(segment) >= 16:  # noqa: PLR2004
        return b"\0\x10" + segment[2:14] + b"\0\0"
    return segment


def _marker(data: bytes, at: int) -> tuple[int, int]:
    """The place behind the next marker, and the marker; fill bytes are skipped."""
    if at >= len(data) or data[at] != 0xFF:  # noqa: PLR2004
        raise ValueError("no marker where one belongs")
    while at < len(data) and data[at] == 0xFF:  # noqa: PLR2004
        at += 1
    if at >= len(data):
        raise ValueError("no end of image")
    return at + 1, data[at]


def _scan(data: bytes, at: int) -> int:
    """Where the coded pixels end: at the next marker that is neither a stuffed byte nor a restart."""
    while True:
        at = data.find(b"\xff", at)
        if at < 0 or at + 1 >= len(data):
            raise ValueError("no end of image")
        if data[at + 1] != 0 and not 0xD0 <= data[at + 1] <= 0xD7:  # noqa: PLR2004
            return at
        at += 2


_CHUNKS = frozenset({b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND"})


def png(data: bytes) -> bytes:
    """A PNG of its necessary chunks and its transparency alone (PNG 3, 11); an animated one becomes its still."""
    kept, at = [data[:8]], 8
    while at < len(data):
        length, name = int.from_bytes(data[at : at + 4], "big"), data[at + 4 : at + 8]
        end = at + 12 + length
        if end > len(data):
            raise ValueError("a chunk ends behind the file")
        if name in _CHUNKS:
            kept.append(data[at:end])
        if name == b"IEND":
            return b"".join(kept)
        at = end
    raise ValueError("no end of image")


_EXTENSION, _IMAGE, _TRAILER = 0x21, 0x2C, 0x3B
_CONTROL, _APPLICATION_EXTENSION = 0xF9, 0xFF
_AT_ONCE = 2  # hundredths of a second; browsers show a shorter frame for ten
_TEN = 10


def gif(data: bytes, most: float) -> tuple[bytes, bool]:
    """An animated GIF without comments, playing for at most `most` seconds (GIF89a, 17 to 26).

    Out: the bytes, and whether it moves. Something that moves for longer than five seconds needs a way to
    stop it (WCAG 2.2, 2.2.2), and a mail has none: so it is told to stop by itself. One whose single pass
    is longer than `most` is not changed and reported as not moving: take its first frame.
    """
    parts, hundredths, frames = [], 0, 0
    head, at = _gif_head(data)
    while data[at : at + 1] != b"\x3b":
        end = _block(data, at)
        name = data[at + 1] if data[at] == _EXTENSION else 0
        frames += data[at] == _IMAGE
        if name == _CONTROL:
            shown = int.from_bytes(data[at + 4 : at + 6], "little")
            hundredths += shown if shown >= _AT_ONCE else _TEN
        if data[at] == _IMAGE or name == _CONTROL:
            parts.append(data[at:end])
        at = end
    passes = int(most * 100 // hundredths) if hundredths else 0
    if frames < 2 or passes < 1:  # noqa: PLR2004
        return data, False
    again = b"\x21\xff\x0bNETSCAPE2.0\x03\x01" + (passes - 1).to_bytes(2, "little") + b"\0" if passes > 1 else b""
    return b"".join((b"GIF89a", head, again, *parts, b"\x3b")), True


def _gif_head(data: bytes) -> tuple[bytes, int]:
    """Screen and table of colours, and where the blocks begin."""
    if len(data) < 14:  # noqa: PLR2004
        raise ValueError("no screen")
    table = 3 << ((data[10] & 7) + 1) if data[10] & 0x80 else 0
    return data[6 : 13 + table], 13 + table


def _block(data: bytes, at: int) -> int:
    """Where the block that begins here ends."""
    if at + 10 > len(data):
        raise ValueError("no trailer")
    if data[at] == _EXTENSION:
        at += 2
    elif data[at] == _IMAGE:
        table = 3 << ((data[at + 9] & 7) + 1) if data[at + 9] & 0x80 else 0
        at += 11 + table
    else:
        raise ValueError("a block of no known kind")
    while True:
        if at >= len(data):
            raise ValueError("no trailer")
        size = data[at]
        at += 1 + size
        if not size:
            return at
