"""What Word documents hold that their usual reader leaves out, and styles that go by other names."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable
from typing import Any

import pytest

from newsletter.content.importers import wordxml

Body = Callable[..., str]
LONG = "This is a paragraph that says enough to be one, and then it says a little more."
_W = 'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"'
_MC = 'xmlns:mc="http://schemas.openxmlformats.org/markup-compatibility/2006"'
_WPS = 'xmlns:wps="http://schemas.microsoft.com/office/word/2010/wordprocessingShape"'
_V = 'xmlns:v="urn:schemas-microsoft-com:vml"'
_A = 'xmlns:a="http://schemas.openxmlformats.org/drawingml/2006/main"'
_DGM = 'xmlns:dgm="http://schemas.openxmlformats.org/drawingml/2006/diagram"'


@pytest.mark.parametrize("name", ["Überschrift 1", "Titre 1", "Título 1", "Kop 1", "Heading 1", "Заголовок 1"])
def test_a_heading_style_is_known_in_every_language(name: str, word: Any, body: Body) -> None:
    word.style(name).p("A Title", "Title").p(LONG).p("the shed", name).p(LONG)
    assert body(word.bytes(), "a.docx") == f"{LONG}\n\n## the shed\n\n{LONG}"


def test_a_style_of_ones_own_is_what_it_is_based_on(word: Any, body: Body) -> None:
    word.style("Section", based_on="heading 2").style("Ours", about='<w:outlineLvl w:val="0"/>')
    word.style("Masthead", based_on="Title").style("Said", based_on="Quote").style("Loop", based_on="Loop")
    word.p("A Title", "Masthead").p(LONG, "Loop").p("the shed", "Ours").p(LONG).p("its door", "Section").p(
        "Wait.", "Said"
    )
    assert body(word.bytes(), "a.docx") == f"{LONG}\n\n## the shed\n\n{LONG}\n\n### its door\n\n> Wait."


def test_a_list_may_stand_in_a_style_and_none_is_none(word: Any, body: Body) -> None:
    word.style("Pins", about='<w:numPr><w:ilvl w:val="0"/><w:numId w:val="1"/></w:numPr>')
    word.p("A Title", "Title").p("boots", "Pins").p("a rope", "Pins")
    none = '<w:pPr><w:pStyle w:val="Pins"/><w:numPr><w:numId w:val="0"/></w:numPr></w:pPr>'
    word.body.append(f"<w:p>{none}{word.run(LONG)}</w:p>")
    assert body(word.bytes(), "a.docx") == f"- boots\n- a rope\n\n{LONG}"


def test_a_numbered_heading_is_a_heading(word: Any, body: Body) -> None:
    word.p("A Title", "Title").p("keys", "heading 1", level=0, ordered=True).p(LONG)
    assert body(word.bytes(), "a.docx") == f"## keys\n\n{LONG}"


def test_a_list_goes_on_after_a_paragraph_between(word: Any, body: Body) -> None:
    word.p("A Title", "Title").p("Pick a night.", level=0, ordered=True).p("Not a windy one.")
    word.p("Find a lamp.", level=0, ordered=True)
    assert body(word.bytes(), "a.docx") == "1. Pick a night.\n\n    Not a windy one.\n\n2. Find a lamp."


def test_what_is_set_in_without_a_sign_belongs_to_the_item(word: Any, body: Body) -> None:
    set_in = '<w:pPr><w:numPr><w:ilvl w:val="0"/><w:numId w:val="3"/></w:numPr></w:pPr>'
    word.p("A Title", "Title").p("Pick a night.", level=0, ordered=True)
    word.body.append(f"<w:p>{set_in}{word.run('Not a windy one.')}</w:p>")
    word.p("Find a lamp.", level=0, ordered=True)
    assert body(word.bytes(), "a.docx") == "1. Pick a night.\n\n    Not a windy one.\n\n2. Find a lamp."


def test_a_drawn_line_and_code_are_kept_and_a_byline_is_no_title(word: Any, body: Body) -> None:
    office = "urn:schemas-microsoft-com:office:office"
    drawn = f'<w:r><w:pict {_V}><v:rect xmlns:o="{office}" o:hr="t"/></w:pict></w:r>'
    word.style("Author", based_on="Title").style("Source Code").p("A Title", "Title").p("Ann Writer", "Author")
    word.p(LONG).p(inner=drawn).p("a = b", "Source Code").p("c = d", "Source Code")
    assert body(word.bytes(), "a.docx") == f"Ann Writer\n\n{LONG}\n\n***\n\n```\na = b\nc = d\n```"


def test_larger_or_underlined_lines_are_headings_and_captions_are_not(word: Any, body: Body) -> None:
    word.style("caption", marks="<w:b/>").p("A Title", "Title").p(LONG)
    word.p(inner=word.run("the shed", '<w:sz w:val="36"/>')).p(LONG)
    word.p(inner=word.run("the door", '<w:u w:val="single"/>')).p(LONG).p("the door, open", "caption").p(LONG)
    assert body(word.bytes(), "a.docx") == (
        f"{LONG}\n\n## the shed\n\n{LONG}\n\n## the door\n\n{LONG}\n\nthe door, open\n\n{LONG}"
    )


def _field(code: str, shown: str, word: Any) -> str:
    parts = "".join(f"<w:r><w:instrText>{part}</w:instrText></w:r>" for part in code.split("|"))
    fence = '<w:r><w:fldChar w:fldCharType="{}"/></w:r>'.format
    return f"{fence('begin')}{parts}{fence('separate')}{word.run(shown)}{fence('end')}"


@pytest.mark.parametrize(
    "code", ['HYPERLINK "https://a.example.org/b" \\o "A tip"', ' HYPERLINK "https://a.ex|ample.org/b" | \\t "_blank" ']
)
def test_a_link_in_a_field_leads_where_it_led(code: str, word: Any, body: Body) -> None:
    word.p("A Title", "Title").p(inner=word.run("See ") + _field(code, "here", word) + word.run("."))
    assert body(word.bytes(), "a.docx") == "See [here](https://a.example.org/b)."


def test_promise_11_no_word_is_lost_in_what_stands_around_it(word: Any, body: Body) -> None:
    link = f"<w:fldSimple w:instr=' HYPERLINK \"https://a.example.org\" '>{word.run('here')}</w:fldSimple>"
    page = f'<w:fldSimple w:instr="PAGE">{word.run("seven")}</w:fldSimple>'
    turned = f"<w:bdo>{word.run('turned')}</w:bdo>"
    ruby = f"<w:r><w:ruby><w:rt>{word.run('kan')}</w:rt><w:rubyBase>{word.run('漢')}</w:rubyBase></w:ruby></w:r>"
    sums = '<m:oMath xmlns:m="http://schemas.openxmlformats.org/officeDocument/2006/math"><m:r><m:t>a=b</m:t></m:r></m:oMath>'
    control = f"<w:sdt><w:sdtContent>{word.run('held')}</w:sdtContent></w:sdt>"
    word.p("A Title", "Title").p(inner=word.run(" ").join([word.run("See"), link, page, turned, ruby, sums, control]))
    assert body(word.bytes(), "a.docx") == "See [here](https://a.example.org) seven turned 漢 a=b held"


def _box(words: str, fallback: str) -> str:
    inside = f"<w:txbxContent><w:p><w:r><w:t>{words}</w:t></w:r></w:p></w:txbxContent>"
    shape = f"<w:drawing><wps:txbx {_WPS}>{inside}</wps:txbx></w:drawing>"
    old = f"<mc:Fallback><w:pict><v:textbox {_V}>{inside}</v:textbox></w:pict></mc:Fallback>" if fallback else ""
    choice = f'<mc:Choice Requires="wps">{shape}</mc:Choice>'
    return f"<w:r><mc:AlternateContent {_MC}>{choice}{old}</mc:AlternateContent></w:r>"


@pytest.mark.parametrize("fallback", ["", "with one"])
def test_promise_11_a_text_box_is_read_once(fallback: str, word: Any, body: Body) -> None:
    word.p("A Title", "Title").p(inner=_box("Knock anyway, we are there.", fallback)).p(LONG)
    assert body(word.bytes(), "a.docx") == f"Knock anyway, we are there.\n\n{LONG}"


def test_promise_11_the_words_of_a_diagram_come_along(word: Any, body: Body) -> None:
    points = "".join(
        f"<dgm:pt><dgm:t><a:p><a:r><a:t>{one}</a:t></a:r></a:p></dgm:t></dgm:pt>" for one in ("Sow.", "Wait.")
    )
    word.parts["word/diagrams/data1.xml"] = f"<dgm:dataModel {_DGM} {_A}>{points}</dgm:dataModel>".encode()
    part = word.relation("diagramData", "diagrams/data1.xml")
    drawn = f'<w:r><w:drawing><dgm:relIds {_DGM} r:dm="{part}"/></w:drawing></w:r>'
    word.p("A Title", "Title").p(LONG).p(inner=drawn)
    assert body(word.bytes(), "a.docx") == f"{LONG}\n\nSow.\n\nWait."


def test_what_is_left_out_is_told(word: Any, bring: Callable[..., Any]) -> None:
    word.style("toc 1").p("A Title", "Title").p("the shed 1", "toc 1")
    word.p(inner=word.run(LONG) + word.run(" Not for them.", "<w:vanish/>"))
    picture = word.relation("image", "https://a.example.org/b.png", mode="External")
    word.p(inner=f'<w:r><w:pict {_V}><v:shape><v:imagedata r:id="{picture}"/></v:shape></w:pict></w:r>')
    made = bring(word.bytes(), "a.docx")
    assert made.text.split("\n---\n", 1)[1].strip() == LONG
    told = " ".join(guess.what for guess in made.guesses)
    assert "table of contents" in told
    assert 'hidden words ("Not for them.")' in told
    assert "a picture could not be taken along" in told


def test_a_link_that_leads_nowhere_keeps_its_words_and_is_told(word: Any, bring: Callable[..., Any]) -> None:
    word.p("A Title", "Title").p(inner=f'<w:hyperlink r:id="rIdGone">{word.run(LONG)}</w:hyperlink>')
    made = bring(word.bytes(), "a.docx")
    assert made.text.endswith(f"\n{LONG}\n")
    assert "lost where it leads" in " ".join(guess.what for guess in made.guesses)


def test_a_note_has_the_number_of_its_mark(word: Any, body: Body) -> None:
    note = '<w:footnote w:id="7"><w:p><w:r><w:t>So they say.</w:t></w:r></w:p></w:footnote>'
    word.parts["word/footnotes.xml"] = f"<w:footnotes {_W}>{note}</w:footnotes>".encode()
    word.relation("footnotes", "footnotes.xml")
    word.p("A Title", "Title").p(inner=word.run(LONG) + '<w:r><w:footnoteReference w:id="7"/></w:r>')
    assert body(word.bytes(), "a.docx") == f"{LONG}[1]\n\n[1] So they say."


def test_the_strict_names_mean_the_same(word: Any, body: Body) -> None:
    word.p("A Title", "Title").p(LONG).p("the shed", "heading 1").p(LONG)
    raw = word.bytes()
    strict = word.bytes(strict=True)
    assert raw != strict
    assert body(strict, "a.docx") == body(raw, "a.docx")


def test_a_document_is_only_added_to(word: Any) -> None:
    word.parts["word/media/a.png"] = b"bytes"
    word.p("A Title", "Title").p(LONG)
    before, after = (zipfile.ZipFile(io.BytesIO(raw)) for raw in (word.bytes(), wordxml.prepared(word.bytes()).raw))
    assert after.namelist() == before.namelist()
    assert after.read("word/media/a.png") == b"bytes"
    assert LONG.encode() in after.read("word/document.xml")
