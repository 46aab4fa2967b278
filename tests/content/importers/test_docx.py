"""Word documents: their styles, lists, links, footers; and what is refused before it is unpacked."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable
from typing import Any

import pytest

from newsletter.errors import NewsletterError

PNG = (
    b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\x00\x00\x00\x01\x00\x00\x00\x01\x08\x06\x00\x00\x00\x1f\x15\xc4\x89"
    b"\x00\x00\x00\rIDATx\x9cc\xf8\xcf\xc0\xf0\x1f\x00\x05\x00\x01\xff\x89\x99=\x1d\x00\x00\x00\x00IEND\xaeB`\x82"
)


def test_styles_are_believed(word: Any, bring: Callable[..., Any]) -> None:
    word.p("The Orchard Letter", "Title").p("Notes from the wall", "Subtitle")
    word.p("We pruned the old trees this week, and nobody fell.")
    word.p("What we did", "heading 1").p("Pruned", level=0).p("the pears", level=1).p("the quinces", level=1)
    word.p("Rested", level=0).p("How we did it", "heading 2").p("With a ladder", level=0, ordered=True)
    word.p("With a rope", level=0, ordered=True).p("A tree waits for nobody.", "Quote").p("— Anna Reis", "Quote")
    made = bring(word.bytes(), "orchard.docx")
    assert made.subject == "The Orchard Letter"
    assert made.text.split("\n---\n", 1)[1].strip() == (
        "Notes from the wall\n\nWe pruned the old trees this week, and nobody fell.\n\n## What we did\n\n"
        "- Pruned\n    - the pears\n    - the quinces\n- Rested\n\n### How we did it\n\n"
        "1. With a ladder\n2. With a rope\n\n> A tree waits for nobody.\n> — Anna Reis"
    )


def test_list_styles_of_word_nest(word: Any, body: Callable[..., str]) -> None:
    word.p("Title here", "Title").p("Bring", "List Bullet").p("a pan", "List Bullet 2").p("Leave", "List Bullet")
    word.p("First", "List Number").p("Second", "List Number")
    assert body(word.bytes(), "a.docx") == "- Bring\n    - a pan\n- Leave\n\n1. First\n2. Second"


def test_marks_links_and_breaks(word: Any, body: Callable[..., str]) -> None:
    inner = word.run("A ") + word.run("bold", "<w:b/>") + word.run(" and ") + word.run("quiet", "<w:i/>")
    inner += word.run(" word, and ") + word.link("a page", "https://orchard.example.org/a_b")
    word.p("A Title", "Title").p(inner=inner + word.run("."))
    assert body(word.bytes(), "a.docx") == (
        "A **bold** and _quiet_ word, and [a page](https://orchard.example.org/a_b)."
    )


def test_insertions_are_kept_and_deletions_are_gone(word: Any, body: Callable[..., str]) -> None:
    kept = f"<w:ins>{word.run('four')}</w:ins>"
    gone = "<w:del><w:r><w:delText>three</w:delText></w:r></w:del>"
    word.p("A Title", "Title").p(inner=word.run("We have ") + gone + kept + word.run(" ladders."))
    assert body(word.bytes(), "a.docx") == "We have four ladders."


def test_typed_bullets_and_bold_lines_are_judged(word: Any, body: Callable[..., str]) -> None:
    word.p("A Title", "Title").p("The week was long, and we were glad of the bench.")
    word.p(inner=word.run("What to bring", "<w:b/>")).p("•\tgloves").p("•\ta hat").p("That is all we need for today.")
    made = body(word.bytes(), "a.docx")
    assert "## What to bring\n\n- gloves\n- a hat\n\nThat is all" in made


def test_the_footer_of_the_page_is_read_for_facts(word: Any, bring: Callable[..., Any]) -> None:
    word.p("A Title", "Title").p("Some words to read on a Sunday.")
    word.footer = "Orchard House, 9 Hill Road, Ojai, CA 93023\n805-555-0123 | post@orchard.example"
    found = bring(word.bytes(), "a.docx").contact
    assert (found.phone, found.email) == ("805-555-0123", "post@orchard.example")
    assert "9 Hill Road" in found.address


def test_a_table_has_its_first_row_as_head(word: Any, body: Callable[..., str]) -> None:
    word.p("A Title", "Title").table(("Day", "Hours"), ("Monday", "9–12"))
    assert body(word.bytes(), "a.docx") == "| Day | Hours |\n| --- | --- |\n| Monday | 9–12 |"


def _parcel(**parts: bytes) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as parcel:
        for name, content in parts.items():
            parcel.writestr(name.replace("__", "/") + ".xml", content)
    return made.getvalue()


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        (b"PK\x03\x04 broken", "no Word document"),
        (b"plain words", "no Word document"),
        (_parcel(other=b"<a/>"), "no Word document"),
        (_parcel(word__document=b"<a>" + b" " * 13_000_000 + b"</a>"), "far more than a letter"),
        (
            _parcel(word__document=b'<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><a>&x;</a>'),
            "read other files",
        ),
        (_parcel(word__document='<!DOCTYPE a [<!ENTITY x "y">]><a/>'.encode("utf-16")), "read other files"),
        (_parcel(word__document=b"<w:document"), "cannot be read"),
    ],
)
def test_promise_11_hostile_parcels_are_refused_in_words(raw: bytes, said: str, bring: Callable[..., Any]) -> None:
    with pytest.raises(NewsletterError, match=said) as refused:
        bring(raw, "a.docx")
    assert refused.value.todo


def test_promise_11_deep_nesting_is_refused(word: Any, bring: Callable[..., Any]) -> None:
    word.body.append("<w:tbl><w:tr><w:tc>" * 400 + "<w:p/>" + "</w:tc></w:tr></w:tbl>" * 400)
    with pytest.raises(NewsletterError, match="inside each other"):
        bring(word.bytes(), "a.docx")
