"""Word documents as pieces: mammoth reads them, the HTML reader takes it from there.

In: the bytes of a .docx. Out: the stream, with pictures, and the lines of headers and footers (mammoth
leaves those out, and the contact facts often stand there). Refused: what is no Word document, what would
unpack to more than a letter ever holds, XML with a document type (entities could read files or explode).
"""

from __future__ import annotations

import io
import re
import zipfile
import zlib
from dataclasses import replace
from xml.etree import ElementTree as ET

import mammoth

from newsletter.content.importers import html, wordxml
from newsletter.content.importers.stream import Attached, Source
from newsletter.errors import NewsletterError

UNPACKED = 60_000_000  # bytes, all parts together
TEXT = 12_000_000  # bytes, of one part in XML
PARTS = 2_000
RATIO = 200

_STYLES = "\n".join(
    [
        f"p.{wordxml.TITLE} => p.title:fresh",
        f"p.{wordxml.SUBTITLE} => p.subtitle:fresh",
        f"p.{wordxml.RULE} => hr",
        f"p.{wordxml.CODE} => pre:separator('\\n')",
        "r[style-name='Verbatim Char'] => code",
        "r[style-name='HTML Code'] => code",
        f"p.{wordxml.CAPTION} => p.caption:fresh",
        f"p.{wordxml.QUOTE} => blockquote > p:fresh",
        *(f"p.{wordxml.HEADING}{level} => h{level}:fresh" for level in range(1, 7)),
        "p[style-name='List Bullet'] => ul > li:fresh",
        "p[style-name='List Bullet 2'] => ul|ol > li > ul > li:fresh",
        "p[style-name='List Bullet 3'] => ul|ol > li > ul|ol > li > ul > li:fresh",
        "p[style-name='List Number'] => ol > li:fresh",
        "p[style-name='List Number 2'] => ul|ol > li > ol > li:fresh",
        "p[style-name='List Number 3'] => ul|ol > li > ul|ol > li > ol > li:fresh",
    ]
)
_KINDS = {"image/png": "png", "image/jpeg": "jpg", "image/gif": "gif", "image/webp": "webp"}
_OLE = bytes.fromhex("d0cf11e0a1b11ae1")  # a compound file: Word before 2007, and any document with a password
_W = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"


def read(raw: bytes) -> Source:
    """Read a document. Raises: NewsletterError for one that cannot or must not be read."""
    edges = _safe(raw)
    files: list[Attached] = []

    def picture(image: mammoth.documents.Image) -> dict[str, str]:
        ending = _KINDS.get(image.content_type, "")
        if not ending:
            return {"src": "missing:"}
        try:
            with image.open() as opened:
                content = opened.read()
        except (OSError, ValueError, KeyError):  # it is linked, and lies elsewhere
            return {"src": "missing:"}
        files.append(Attached(f"picture-{len(files) + 1}.{ending}", content))
        return {"src": f"file-{len(files) - 1}"}

    try:
        document = wordxml.prepared(raw)
        found = mammoth.convert_to_html(
            io.BytesIO(document.raw),
            style_map=_STYLES,
            convert_image=mammoth.images.img_element(picture),
            ignore_empty_paragraphs=False,
        )
    except RecursionError:
        raise _refusal("has too many things inside each other to be a letter") from None
    except Exception as trouble:  # whatever a broken document makes of a library
        raise _refusal("cannot be read as a Word document") from trouble

    def beside(name: str) -> bytes | None:
        at = re.fullmatch(r"file-(\d+)", name)
        return files[int(at[1])].content if at else None

    page = re.sub(
        r'src="file-(\d+)"',
        lambda one: f'src="file-{one[1]}.{files[int(one[1])].name.rpartition(".")[2]}"',
        re.sub(rf'<li><a id="{wordxml.NUMBER}(\d+)"></a>', r'<li value="\1">', found.value),
    )
    source = html.read(page, lambda name: beside(name.rpartition(".")[0]))
    notes = tuple((0, note) for note in document.notes)
    return replace(source, footer=(*source.footer, *edges), notes=(*notes, *source.notes))


def _refusal(what: str) -> NewsletterError:
    return NewsletterError(f"This file {what}.", "Open it in Word, save it anew as .docx, or save it as plain text.")


def _safe(raw: bytes) -> list[str]:
    """Judge the parcel before anything is unpacked. Out: the lines of its headers and footers."""
    if raw.startswith(_OLE):
        locked = "EncryptedPackage".encode("utf-16-le") in raw
        raise _refusal("is protected by a password" if locked else "was saved by an old Word (.doc)")
    try:
        parcel = zipfile.ZipFile(io.BytesIO(raw))
    except (zipfile.BadZipFile, ValueError, OverflowError):
        raise _refusal("is no Word document (.docx)") from None
    with parcel:
        parts = parcel.infolist()
        if len(parts) > PARTS or sum(part.file_size for part in parts) > UNPACKED:
            raise _refusal("would unpack to far more than a letter holds")
        if not any(part.filename == "word/document.xml" for part in parts):
            raise _refusal("is no Word document (.docx)")
        if any(part.flag_bits & 1 for part in parts):
            raise _refusal("is protected by a password")
        lines: list[str] = []
        for part in parts:
            if part.filename.endswith((".xml", ".rels")):
                lines += _part(parcel, part)
    return lines


def _part(parcel: zipfile.ZipFile, part: zipfile.ZipInfo) -> list[str]:
    if part.file_size > TEXT or (part.file_size > TEXT // 10 and part.file_size > RATIO * max(part.compress_size, 1)):
        raise _refusal("would unpack to far more than a letter holds")
    try:
        with parcel.open(part) as opened:
            content = opened.read(TEXT + 1)
    except (zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError, OSError, EOFError, ValueError):
        raise _refusal("is damaged") from None
    if len(content) > TEXT:
        raise _refusal("would unpack to far more than a letter holds")
    bare = content.replace(b"\0", b"").upper()
    if b"<!DOCTYPE" in bare or b"<!ENTITY" in bare:
        raise _refusal("holds definitions that could read other files")
    if re.fullmatch(r"word/(?:footer|header)\d*\.xml", part.filename):
        return _paragraphs(content)
    return []


def _paragraphs(content: bytes) -> list[str]:
    """The lines of a header or footer; nothing when it cannot be read."""
    try:
        root = ET.fromstring(content)  # noqa: S314  refused above when it has a document type
    except ET.ParseError:
        return []
    lines: list[str] = []
    for paragraph in root.iter(f"{_W}p"):
        text = "".join(
            one.text or "" if one.tag == f"{_W}t" else "\n" if one.tag in {f"{_W}br", f"{_W}tab"} else ""
            for one in paragraph.iter()
        )
        lines += [line for part in text.split("\n") if (line := " ".join(part.split()))]
    return lines
