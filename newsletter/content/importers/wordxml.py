"""A Word document written so that mammoth reads all of it.

In: the bytes of a .docx that was judged harmless. Out: the same document with what mammoth does not know put
in terms it does, and what was left out on the way. Nothing else is changed. Names and meanings are those of
ECMA-376 part 1, section 17 (WordprocessingML).

Styles are followed to what they are based on, because their names depend on who made the document: Word calls
its own `heading 1` in every language, LibreOffice, Pages and macros write `Titre 1`, `Section heading` or only
an outline level. What a style says of lists, weight and size is written into the paragraphs.
"""

from __future__ import annotations

import io
import posixpath
import re
import zipfile
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from xml.etree import ElementTree as ET

HEADING, TITLE, SUBTITLE, QUOTE, CAPTION = "HereHeading", "HereTitle", "HereSubtitle", "HereQuote", "HereCaption"
RULE, CODE = "HereRule", "HereCode"
NUMBER = "here-number-"

_OFFICE = "http://schemas.openxmlformats.org"
_W = f"{{{_OFFICE}/wordprocessingml/2006/main}}"
_R = f"{{{_OFFICE}/officeDocument/2006/relationships}}"
_A = f"{{{_OFFICE}/drawingml/2006/main}}"
_DGM = f"{{{_OFFICE}/drawingml/2006/diagram}}"
_CHART = f"{{{_OFFICE}/drawingml/2006/chart}}"
_M = f"{{{_OFFICE}/officeDocument/2006/math}}"
_MC = f"{{{_OFFICE}/markup-compatibility/2006}}"
_V = "{urn:schemas-microsoft-com:vml}"
_O = "{urn:schemas-microsoft-com:office:office}"

_STRICT = (  # ISO/IEC 29500 Strict has names of its own for the same things
    (b"http://purl.oclc.org/ooxml/wordprocessingml/main", f"{_OFFICE}/wordprocessingml/2006/main".encode()),
    (b"http://purl.oclc.org/ooxml/officeDocument/relationships", _R[1:-1].encode()),
    (b"http://purl.oclc.org/ooxml/officeDocument/math", _M[1:-1].encode()),
    (b"http://purl.oclc.org/ooxml/drawingml/main", _A[1:-1].encode()),
    (b"http://purl.oclc.org/ooxml/drawingml/diagram", _DGM[1:-1].encode()),
    (b"http://purl.oclc.org/ooxml/drawingml/chart", _CHART[1:-1].encode()),
)

_HEADINGS = re.compile(
    r"(?:heading|überschrift|titre|título|titulo|titolo|kop|rubrik|overskrift|otsikko|nagłówek|nadpis|címsor|titlu|"
    r"başlık|заголовок|επικεφαλίδα|כותרת|عنوان|العنوان|见出し|見出し|标题|標題|제목)\s*(?P<level>[1-9])"
)
_TITLES = re.compile(
    r"title|titel|titre|título|titulo|titolo|tytuł|название|τίτλος|표제|表題|标题|標題|כותרת טקסט|العنوان"
)
_SUBTITLES = re.compile(
    r"subtitle|untertitel|sous-titre|subtítulo|subtitulo|sottotitolo|ondertitel|undertittel|underrubrik|podtytuł|"
    r"подзаголовок|副标题|副標題|副題"
)
_QUOTES = re.compile(
    r"quote|intense quote|block text|zitat|intensives zitat|citation|citation intense|cita|cita destacada|citazione|"
    r"citação|citaat|cytat|цитата|quotations|引用文|引用"
)
_CODES = re.compile(r"source code|html preformatted|plain text code|preformatted text")
_CAPTIONS = re.compile(
    r"caption|author|date|byline|abstract|definition term|beschriftung|légende|epígrafe|legenda|didascalia|bijschrift|"
    r"podpis|図表番号|题注|標號"
)
_CONTENTS = re.compile(
    r"toc \d|toc heading|contents \d|contents heading|verzeichnis \d|inhaltsverzeichnis\w*|tm \d|tdc \d"
)
_LEVELS = 9
_LINE = 120  # characters: what may be a heading when only its size says so
_LARGER = 1.25


@dataclass(frozen=True)
class Prepared:
    """A document for mammoth, and what to tell the editor."""

    raw: bytes = field(repr=False)
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Style:
    """What a paragraph style says, with what it is based on."""

    role: str = ""
    numbering: tuple[str, str] = ("", "")  # numId, ilvl
    bold: bool = False
    size: int = 0  # half-points; 0: it does not say
    contents: bool = False


def prepared(raw: bytes) -> Prepared:
    """Write a document anew for mammoth. Raises: ET.ParseError, KeyError, ValueError for a broken one."""
    made = io.BytesIO()
    notes: list[str] = []
    with zipfile.ZipFile(io.BytesIO(raw)) as parcel, zipfile.ZipFile(made, "w", zipfile.ZIP_STORED) as anew:
        parts = _Parts(parcel)
        for name in dict.fromkeys(parcel.namelist()):
            if re.fullmatch(r"word/(?:document|footnotes|endnotes)\.xml", name):
                anew.writestr(name, _Writer(parts, notes).written(parts.tree(name), parts.relations(name)))
            else:
                anew.writestr(name, parcel.read(name))
    return Prepared(made.getvalue(), tuple(dict.fromkeys(notes)))


class _Parts:
    """What the other parts of the parcel say."""

    def __init__(self, parcel: zipfile.ZipFile) -> None:
        self.parcel = parcel
        self.names = set(parcel.namelist())
        self.formats = self._formats()
        self.styles = self._styles()

    def tree(self, name: str) -> ET.Element:
        """The root of a part; an empty one when it is not there."""
        if name not in self.names:
            return ET.Element("none")
        content = self.parcel.read(name)
        for strict, transitional in _STRICT:
            content = content.replace(strict, transitional)
        return ET.fromstring(content)  # noqa: S314  refused before when it has a document type

    def relations(self, name: str) -> dict[str, str]:
        """Where the relations of a part lead, by their ids."""
        folder, _, file = name.rpartition("/")
        return {one.get("Id", ""): one.get("Target", "") for one in self.tree(f"{folder}/_rels/{file}.rels")}

    def diagram(self, relation: str) -> list[str]:
        """The words of a diagram (SmartArt), one for each of its points."""
        target = self.relations("word/document.xml").get(relation, "")
        root = self.tree(posixpath.normpath(posixpath.join("word", target)).lstrip("/"))
        points = ("".join(text.text or "" for text in point.iter(f"{_A}t")).strip() for point in root.iter(f"{_DGM}pt"))
        return [point for point in points if point]

    def _formats(self) -> dict[tuple[str, str], str]:
        """How each level of each numbering counts: `bullet`, `decimal`, `none` ..."""
        root = self.tree("word/numbering.xml")
        levels = {
            one.get(f"{_W}abstractNumId"): {
                level.get(f"{_W}ilvl", "0"): _format(level) for level in one.iter(f"{_W}lvl")
            }
            for one in root.iter(f"{_W}abstractNum")
        }
        return {
            (str(num.get(f"{_W}numId")), level): form
            for num in root.iter(f"{_W}num")
            for level, form in levels.get(_value(num.find(f"{_W}abstractNumId")), {}).items()
        }

    def _styles(self) -> dict[str, _Style]:
        known = {
            one.get(f"{_W}styleId", ""): one
            for one in self.tree("word/styles.xml").iter(f"{_W}style")
            if one.get(f"{_W}type") == "paragraph"
        }
        return {name: _followed(name, known) for name in known}


def _followed(name: str, known: Mapping[str, ET.Element]) -> _Style:
    """A style with what it is based on: what is said first holds."""
    role = bold = level = form = ""
    size = 0
    contents = False
    seen: set[str] = set()
    while name in known and name not in seen:
        seen.add(name)
        one = known[name]
        called = _value(one.find(f"{_W}name")).lower()
        role = role or _role(called, one)
        contents = contents or bool(_CONTENTS.fullmatch(called))
        numbered = one.find(f"{_W}pPr/{_W}numPr")
        if numbered is not None:
            form, level = form or _value(numbered.find(f"{_W}numId")), level or _value(numbered.find(f"{_W}ilvl"))
        bold = bold or _said(one.find(f"{_W}rPr/{_W}b"))
        size = size or _whole(_value(one.find(f"{_W}rPr/{_W}sz")))
        name = _value(one.find(f"{_W}basedOn"))
    return _Style(role, (form, level or "0"), bold == "yes", size, contents)


def _format(level: ET.Element) -> str:
    """How a level counts; `none` when it shows nothing: some programs set in what belongs to an item so."""
    shown = level.find(f"{_W}lvlText")
    blank = shown is not None and not _value(shown).strip()
    return "none" if blank else _value(level.find(f"{_W}numFmt"))


def _role(called: str, style: ET.Element) -> str:
    """What a style is for, by its own name or outline level."""
    if found := _HEADINGS.fullmatch(called):
        return f"{HEADING}{min(int(found['level']), 6)}"
    for names, role in (
        (_TITLES, TITLE),
        (_SUBTITLES, SUBTITLE),
        (_QUOTES, QUOTE),
        (_CAPTIONS, CAPTION),
        (_CODES, CODE),
    ):
        if names.fullmatch(called):
            return role
    return _outlined(style.find(f"{_W}pPr/{_W}outlineLvl"))


def _outlined(level: ET.Element | None) -> str:
    """The heading an outline level makes; 9 is running text."""
    text = _value(level)
    return f"{HEADING}{min(int(text) + 1, 6)}" if text.isdigit() and int(text) < _LEVELS else ""


class _Writer:
    """One part being written anew."""

    def __init__(self, parts: _Parts, notes: list[str]) -> None:
        self.parts = parts
        self.notes = notes
        self.counted: dict[str, dict[int, int]] = {}

    def written(self, root: ET.Element, relations: Mapping[str, str]) -> bytes:
        """The part; `relations` is where its links and pictures lead."""
        if root.find(f".//{_W}altChunk") is not None:
            self.notes.append("left out a part that another program had put into the document whole")
        self._unwrap(root)
        self._mend(root, relations)
        _linked(root)
        body = _body_size(root, self.parts.styles)
        for paragraph in root.iter(f"{_W}p"):
            self._paragraph(paragraph, body)
        return bytes(ET.tostring(root, "utf-8", xml_declaration=True))

    def _mend(self, root: ET.Element, relations: Mapping[str, str]) -> None:
        """Links and pictures that lead nowhere lose their id: mammoth would give up on the whole."""
        for one in root.iter():
            lost = [key for key in (f"{_R}id", f"{_R}embed", f"{_R}link") if one.get(key, "") not in {"", *relations}]
            for key in lost:
                del one.attrib[key]
                self.notes.append("a link or a picture had lost where it leads")

    # --- what mammoth would leave out ---

    def _unwrap(self, parent: ET.Element) -> None:
        children: list[ET.Element] = []
        for child in parent:
            for one in self._instead(child):
                self._unwrap(one)
                children.append(one)
        parent[:] = children

    def _instead(self, one: ET.Element) -> list[ET.Element]:  # noqa: PLR0911  one for each element
        """What stands for an element."""
        match one.tag:
            case tag if tag == f"{_MC}AlternateContent":
                return [inner for child in _alternative(one) for inner in self._instead(child)]
            case tag if tag == f"{_W}drawing":
                return self._drawing(one)
            case tag if tag == f"{_W}fldSimple":
                return _field(one)
            case tag if tag in {f"{_W}dir", f"{_W}bdo"}:
                return [inner for child in one for inner in self._instead(child)]
            case tag if tag == f"{_W}ruby":
                return [inner for run in one.iterfind(f"{_W}rubyBase/*") for inner in run if inner.tag != f"{_W}rPr"]
            case tag if tag in {f"{_M}oMath", f"{_M}oMathPara"}:
                return [_run("".join(text.text or "" for text in one.iter(f"{_M}t")))]
            case tag if tag == f"{_W}r" and _said(one.find(f"{_W}rPr/{_W}vanish")) == "yes":
                hidden = "".join(text.text or "" for text in one.iter(f"{_W}t")).strip()
                self.notes += [f'left out hidden words ("{hidden[:50]}")'] if hidden else []
                return []
            case tag if tag == f"{_W}sdt" and _is_contents(one):
                return self._without_contents()
            case tag if tag == f"{_W}p" and self.parts.styles.get(_style_of(one), _Style()).contents:
                return self._without_contents()
        return [one]

    def _without_contents(self) -> list[ET.Element]:
        self.notes.append("left out the table of contents: a mail has no pages")
        return []

    def _drawing(self, one: ET.Element) -> list[ET.Element]:
        """A drawing's words where they can be read: its text boxes, its diagram."""
        if boxes := list(one.iter(f"{_W}txbxContent")):
            return [_boxed(list(boxes[0]))]
        for found in one.iter(f"{_DGM}relIds"):
            return [_boxed([_paragraph(words) for words in self.parts.diagram(found.get(f"{_R}dm", ""))])]
        if next(one.iter(f"{_CHART}chart"), None) is not None:
            self.notes.append("left out a chart: save it as a picture to take it along")
        return [one]

    # --- what a style says, written into the paragraph ---

    def _paragraph(self, paragraph: ET.Element, body: int) -> None:
        style = self.parts.styles.get(_style_of(paragraph), _Style())
        about = _about(paragraph)
        role = _outlined(about.find(f"{_W}outlineLvl")) or style.role
        if _is_rule(paragraph):
            role, paragraph[:] = RULE, [about]
        numbered = about.find(f"{_W}numPr")
        if role:
            _first(about, "pStyle").set(f"{_W}val", role)
            if numbered is not None:
                about.remove(numbered)
            return
        self._list(paragraph, about, style)
        _weigh(paragraph, style, body)

    def _list(self, paragraph: ET.Element, about: ET.Element, style: _Style) -> None:
        """The place in a list, and its number: mammoth begins at one after every paragraph between."""
        numbered = about.find(f"{_W}numPr")
        direct = ("", "")
        if numbered is not None:
            direct = (_value(numbered.find(f"{_W}numId")), _value(numbered.find(f"{_W}ilvl")))
        form, level = direct[0] or style.numbering[0], direct[1] or style.numbering[1]
        if form and form != "0" and self.parts.formats.get((form, level)) == "none":
            form = ""
        if not form or form == "0":
            if numbered is not None:
                about.remove(numbered)
            return
        if numbered is None:
            numbered = ET.SubElement(about, f"{_W}numPr")
        numbered[:] = [ET.Element(f"{_W}ilvl", {f"{_W}val": level}), ET.Element(f"{_W}numId", {f"{_W}val": form})]
        if not any((text.text or "").strip() for text in paragraph.iter(f"{_W}t")):
            return
        counts = self.counted.setdefault(form, {})
        depth = _whole(level)
        self.counted[form] = {at: count for at, count in counts.items() if at < depth} | {
            depth: counts.get(depth, 0) + 1
        }
        mark = ET.Element(f"{_W}bookmarkStart", {f"{_W}name": f"{NUMBER}{self.counted[form][depth]}"})
        paragraph.insert(list(paragraph).index(about) + 1, mark)


def _weigh(paragraph: ET.Element, style: _Style, body: int) -> None:
    """Bold, where the style says so, or a short line is larger than the text or underlined as a whole."""
    runs = [run for run in paragraph.iter(f"{_W}r") if any((text.text or "").strip() for text in run.iter(f"{_W}t"))]
    words = "".join(text.text or "" for run in runs for text in run.iter(f"{_W}t"))
    linked = paragraph.find(f".//{_W}hyperlink") is not None or paragraph.find(f".//{_W}instrText") is not None
    short = 0 < len(words) <= _LINE and not linked
    large = short and all((_size(run) or style.size or body) >= _LARGER * body for run in runs)
    lined = short and all(_value(run.find(f"{_W}rPr/{_W}u")) not in {"", "none"} for run in runs)
    for run in runs:
        weight = run.find(f"{_W}rPr/{_W}b")
        if large or lined or (style.bold and weight is None):
            about = _first(run, "rPr")
            if weight is not None:
                about.remove(weight)
            ET.SubElement(about, f"{_W}b")


def _is_rule(paragraph: ET.Element) -> bool:
    """Whether a paragraph is a horizontal line and no words."""
    drawn = any(one.get(f"{_O}hr") in {"t", "true", "1"} for one in paragraph.iter(f"{_V}rect"))
    return drawn and next(paragraph.iter(f"{_W}t"), None) is None


def _body_size(root: ET.Element, styles: Mapping[str, _Style]) -> int:
    """The size most letters have, in half-points."""
    usual = 22
    sizes: Counter[int] = Counter()
    for paragraph in root.iter(f"{_W}p"):
        style = styles.get(_style_of(paragraph), _Style())
        for run in paragraph.iter(f"{_W}r"):
            count = sum(len(text.text or "") for text in run.iter(f"{_W}t"))
            sizes[_size(run) or style.size or usual] += count
    return sizes.most_common(1)[0][0] if sizes else usual


def _linked(root: ET.Element) -> None:
    r"""`HYPERLINK "..." \o "tip"`: the address alone, for mammoth takes all up to the last quotation mark."""
    said: list[ET.Element] = []
    for one in root.iter():
        if one.tag == f"{_W}instrText":
            said.append(one)
        elif one.tag == f"{_W}fldChar":
            whole = "".join(part.text or "" for part in said)
            if found := re.match(r'\s*HYPERLINK\s+(?:\\l\s+)?"[^"]*"', whole):
                for at, part in enumerate(said):
                    part.text = "" if at else found.group()
            said = []


def _field(one: ET.Element) -> list[ET.Element]:
    """A field on one element, as one on several."""
    said = one.get(f"{_W}instr", "")
    if "HYPERLINK" not in said:
        return list(one)
    code = ET.Element(f"{_W}r")
    ET.SubElement(code, f"{_W}instrText").text = said
    return [_fence("begin"), code, _fence("separate"), *one, _fence("end")]


def _fence(kind: str) -> ET.Element:
    run = ET.Element(f"{_W}r")
    ET.SubElement(run, f"{_W}fldChar", {f"{_W}fldCharType": kind})
    return run


def _alternative(one: ET.Element) -> Iterator[ET.Element]:
    """The branch mammoth can read: the fallback, unless words stand in the first choice alone."""
    fallback = one.find(f"{_MC}Fallback")
    choice = one.find(f"{_MC}Choice")

    def worded(branch: ET.Element | None) -> bool:
        return branch is not None and (
            any(branch.iter(f"{_W}t")) or next(branch.iter(f"{_DGM}relIds"), None) is not None
        )

    better = fallback is None or (worded(choice) and not worded(fallback))
    yield from (choice if better else fallback) or ()


def _is_contents(sdt: ET.Element) -> bool:
    return _value(sdt.find(f"{_W}sdtPr/{_W}docPartObj/{_W}docPartGallery")) == "Table of Contents"


def _boxed(paragraphs: list[ET.Element]) -> ET.Element:
    """Paragraphs as a text box, which mammoth puts after the paragraph it hangs on."""
    pict = ET.Element(f"{_W}pict")
    content = ET.SubElement(ET.SubElement(ET.SubElement(pict, f"{_V}shape"), f"{_V}textbox"), f"{_W}txbxContent")
    content.extend(paragraphs)
    return pict


def _paragraph(words: str) -> ET.Element:
    paragraph = ET.Element(f"{_W}p")
    paragraph.append(_run(words))
    return paragraph


def _run(words: str) -> ET.Element:
    run = ET.Element(f"{_W}r")
    ET.SubElement(run, f"{_W}t").text = words
    return run


def _about(paragraph: ET.Element) -> ET.Element:
    return _first(paragraph, "pPr")


def _first(parent: ET.Element, name: str) -> ET.Element:
    """A child by its name, made when it is not there."""
    found = parent.find(f"{_W}{name}")
    if found is None:
        found = ET.Element(f"{_W}{name}")
        parent.insert(0, found)
    return found


def _style_of(paragraph: ET.Element) -> str:
    return _value(paragraph.find(f"{_W}pPr/{_W}pStyle"))


def _size(run: ET.Element) -> int:
    return _whole(_value(run.find(f"{_W}rPr/{_W}sz")))


def _value(one: ET.Element | None) -> str:
    return one.get(f"{_W}val", "") if one is not None else ""


def _said(one: ET.Element | None) -> str:
    """What a switch says: `yes`, `no`, or nothing when it is not there."""
    if one is None:
        return ""
    return "no" if one.get(f"{_W}val") in {"0", "false", "off"} else "yes"


def _whole(text: str) -> int:
    return int(text) if text.isdigit() else 0
