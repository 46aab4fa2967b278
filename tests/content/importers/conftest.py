"""What the importer's tests share: Word documents made of a few words, and an importer held still."""

from __future__ import annotations

import datetime as dt
import io
import zipfile
from collections.abc import Callable
from xml.sax.saxutils import escape

import pytest

from newsletter.content.importers.letter import Letter, letter
from newsletter.core.publication import Publication

_W = 'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"'
_R = 'xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships"'
_STRICT = (
    "http://schemas.openxmlformats.org/wordprocessingml/2006/main",
    "http://purl.oclc.org/ooxml/wordprocessingml/main",
)
_OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_TYPES = """<?xml version="1.0"?><Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">
<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>
<Default Extension="xml" ContentType="application/xml"/><Default Extension="png" ContentType="image/png"/>
<Override PartName="/word/document.xml"
 ContentType="application/vnd.openxmlformats-officedocument.wordprocessingml.document.main+xml"/></Types>"""
_RELS = f"""<?xml version="1.0"?><Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">
<Relationship Id="rId1" Type="{_OFFICE}/officeDocument" Target="word/document.xml"/></Relationships>"""
_STYLES = ("Title", "Subtitle", "heading 1", "heading 2", "Quote", "List Bullet", "List Bullet 2", "List Number")


class Word:
    """Writes a .docx: paragraphs in order, each with a style or a place in a list."""

    def __init__(self) -> None:
        self.body: list[str] = []
        self.links: list[str] = []
        self.styles = [self._style(name) for name in _STYLES]
        self.rels: list[str] = []
        self.footer = ""
        self.parts: dict[str, bytes] = {}

    def p(self, text: str = "", style: str = "", *, level: int = -1, ordered: bool = False, inner: str = "") -> Word:
        """A paragraph; `inner` is its XML when plain text will not do."""
        about = f'<w:pStyle w:val="{style.replace(" ", "")}"/>' if style else ""
        if level >= 0:
            about += f'<w:numPr><w:ilvl w:val="{level}"/><w:numId w:val="{2 if ordered else 1}"/></w:numPr>'
        self.body.append(f"<w:p><w:pPr>{about}</w:pPr>{inner or self.run(text)}</w:p>")
        return self

    @staticmethod
    def run(text: str, marks: str = "") -> str:
        """Words with marks: `<w:b/>`, `<w:i/>`."""
        return f'<w:r><w:rPr>{marks}</w:rPr><w:t xml:space="preserve">{escape(text)}</w:t></w:r>'

    def link(self, text: str, url: str) -> str:
        """A link's XML."""
        self.links.append(url)
        return f'<w:hyperlink r:id="rIdL{len(self.links)}">{self.run(text)}</w:hyperlink>'

    def style(self, name: str, *, based_on: str = "", about: str = "", marks: str = "") -> Word:
        """Another paragraph style: what it is based on, the XML of its paragraph and of its words."""
        base = f'<w:basedOn w:val="{based_on.replace(" ", "")}"/>' if based_on else ""
        more = f"{base}<w:pPr>{about}</w:pPr><w:rPr>{marks}</w:rPr></w:style>"
        self.styles.append(self._style(name).replace("</w:style>", more))
        return self

    def relation(self, kind: str, target: str, *, mode: str = "Internal") -> str:
        """A relation to another part. Out: its id."""
        self.rels.append(
            f'<Relationship Id="rIdX{len(self.rels)}" Type="{_OFFICE}/{kind}" Target="{target}" TargetMode="{mode}"/>'
        )
        return f"rIdX{len(self.rels) - 1}"

    def table(self, *rows: tuple[str, ...]) -> Word:
        """A table."""
        cells = "".join(
            "<w:tr>" + "".join(f"<w:tc><w:p>{self.run(cell)}</w:p></w:tc>" for cell in row) + "</w:tr>" for row in rows
        )
        self.body.append(f"<w:tbl>{cells}</w:tbl>")
        return self

    def bytes(self, *, strict: bool = False) -> bytes:
        """The file; `strict`: with the names of ISO/IEC 29500 Strict."""
        links = "".join(
            f'<Relationship Id="rIdL{n}" Type="{_OFFICE}/hyperlink" Target="{escape(url)}" TargetMode="External"/>'
            for n, url in enumerate(self.links, 1)
        )
        parts = {
            "[Content_Types].xml": _TYPES,
            "_rels/.rels": _RELS,
            "word/document.xml": f"<w:document {_W} {_R}><w:body>{''.join(self.body)}</w:body></w:document>",
            "word/styles.xml": f"<w:styles {_W}>{''.join(self.styles)}</w:styles>",
            "word/numbering.xml": f"<w:numbering {_W}>{self._numbers(1, 'bullet')}{self._numbers(2, 'decimal')}"
            f"{self._numbers(3, 'bullet', shown=' ')}"
            '<w:num w:numId="1"><w:abstractNumId w:val="1"/></w:num>'
            '<w:num w:numId="2"><w:abstractNumId w:val="2"/></w:num>'
            '<w:num w:numId="3"><w:abstractNumId w:val="3"/></w:num></w:numbering>',
            "word/_rels/document.xml.rels": "<Relationships "
            'xmlns="http://schemas.openxmlformats.org/package/2006/relationships">'
            f'<Relationship Id="rIdS" Type="{_OFFICE}/styles" Target="styles.xml"/>'
            f'<Relationship Id="rIdN" Type="{_OFFICE}/numbering" Target="numbering.xml"/>{links}'
            f"{''.join(self.rels)}</Relationships>",
        }
        if self.footer:
            lines = "".join(f"<w:p>{self.run(line)}</w:p>" for line in self.footer.split("\n"))
            parts["word/footer1.xml"] = f"<w:ftr {_W}>{lines}</w:ftr>"
        made = io.BytesIO()
        with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as parcel:
            for name, content in parts.items():
                parcel.writestr(name, content.replace(*_STRICT) if strict else content)
            for name, raw in self.parts.items():
                parcel.writestr(name, raw)
        return made.getvalue()

    @staticmethod
    def _style(name: str) -> str:
        return f'<w:style w:type="paragraph" w:styleId="{name.replace(" ", "")}"><w:name w:val="{name}"/></w:style>'

    @staticmethod
    def _numbers(number: int, form: str, *, shown: str = "") -> str:
        text = f'<w:lvlText w:val="{shown}"/>' if shown else ""
        levels = "".join(f'<w:lvl w:ilvl="{n}"><w:numFmt w:val="{form}"/>{text}</w:lvl>' for n in range(4))
        return f'<w:abstractNum w:abstractNumId="{number}">{levels}</w:abstractNum>'


@pytest.fixture
def word() -> Word:
    """An empty Word document."""
    return Word()


@pytest.fixture
def bare_publication() -> Publication:
    """A publication with nothing but a name and a field."""
    return Publication(name="Quiet Letters", senders={}, fields={"first_name": "friend"})


@pytest.fixture
def bring(bare_publication: Publication) -> Callable[..., Letter]:
    """Import words or bytes under a name."""

    def bringing(content: str | bytes, name: str = "some-words.txt", **more: object) -> Letter:
        raw = content.encode() if isinstance(content, str) else content
        return letter(name, raw, bare_publication, date=dt.date(2026, 12, 1), **more)  # type: ignore[arg-type]

    return bringing


@pytest.fixture
def body(bring: Callable[..., Letter]) -> Callable[..., str]:
    """Import, and the body of the issue alone."""
    return lambda *args, **more: bring(*args, **more).text.split("\n---\n", 1)[1].strip("\n")
