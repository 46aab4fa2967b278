"""Whole letters: the title, the footer, what is told, and what is refused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from newsletter.content import dialect, phrases
from newsletter.content.blocks import Paragraph
from newsletter.content.importers import letter as letters
from newsletter.core.problem import Level
from newsletter.core.publication import Publication
from newsletter.errors import NewsletterError

Bring = Callable[..., Any]
LONG = "This is a paragraph that says enough to be one, and then it says a little more."


def test_the_first_line_is_the_subject(bring: Bring) -> None:
    made = bring(f"A Letter About Rain\n\n{LONG}\n")
    assert made.subject == "A Letter About Rain"
    assert "## " not in made.text
    assert made.slug == "a-letter-about-rain"


def test_a_numbered_letter_has_its_first_line_as_subject_when_nothing_else_is_one(bring: Bring) -> None:
    made = bring(f"Small letters, number 8\n\nDear friends,\n\n{LONG}\n")
    assert made.subject == "Small letters, number 8"
    assert "number 8" not in made.text.split("\n---\n", 1)[1]


def test_a_sign_that_stands_before_titles_is_no_bullet(bring: Bring) -> None:
    made = bring(f"A title\n\n{LONG}\n\n■The shed\n\n{LONG}\n\n■The door\n\n{LONG}\n")
    assert f"## The shed\n\n{LONG}\n\n## The door" in made.text
    assert 'line 5: made a heading (it began with ■) "The shed" (line' in " ".join(map(str, made.guesses))
    assert "- one\n- two" in bring(f"A title\n\n{LONG}\n\n■ one\n■ two\n\n{LONG}\n").text


def test_another_way_of_counting_is_another_list(bring: Bring) -> None:
    text = bring(
        "社区通讯\n\n各位：\n\n一、本月\n\n我们每天只读十页，读完在群里写一句话，不求多。\n\n二、步骤\n\n请看下面：\n\n"
        "1. 扫码\n2. 领书单\n3. 带书\n\n三、请求\n\n如果您家里有不用的书架，请一定要告诉我们。\n"
    ).text
    assert "1. 扫码\n2. 领书单\n3. 带书\n\n## 三、请求" in text


def test_one_question_is_a_title_where_others_stand(bring: Bring) -> None:
    made = bring(f"Une lettre\n\nBonjour,\n\n{LONG}\n\nPourquoi un carnet ?\n\n{LONG}\n\nPar où commencer\n\n{LONG}\n")
    assert made.text.count("\n## ") == 2


def test_a_signature_goes_with_the_name_above_its_facts(bring: Bring) -> None:
    made = bring(f"A title\n\n{LONG}\n\nThanks,\nTess\n\n--\nTess Alder\n9 Hill Road, Ojai, CA 93023\n805-555-0123\n")
    assert made.text.rstrip().endswith("Thanks,\nTess")
    assert "Tess Alder" in made.contact.lines


@pytest.mark.parametrize(
    ("raw", "name", "said"),
    [
        (b"%PDF-1.4 words", "a.txt", "is a PDF"),
        (b"{\\rtf1 words}", "a.md", "Rich Text"),
        (b"\x7fELF\x01 words", "a.txt", "is no text"),
        (bytes.fromhex("d0cf11e0a1b11ae1") + "EncryptedPackage".encode("utf-16-le"), "a.docx", "password"),
        (bytes.fromhex("d0cf11e0a1b11ae1"), "a.docx", "old Word"),
    ],
)
def test_a_file_that_is_something_else_is_called_by_its_name(raw: bytes, name: str, said: str, bring: Bring) -> None:
    with pytest.raises(NewsletterError, match=said):
        bring(raw, name)


def test_a_page_or_a_document_called_txt_is_read_as_what_it_is(word: Any, bring: Bring) -> None:
    assert bring(f"<!DOCTYPE html><html><h1>A page</h1><p>{LONG}</p></html>", "a.txt").subject == "A page"
    assert bring(word.p("A document", "Title").p(LONG).bytes(), "a.txt").subject == "A document"


def test_a_greeting_is_no_subject(bring: Bring) -> None:
    made = bring(f"Dear friends,\n\n{LONG}\n", "spring_news.txt")
    assert made.subject == "Spring news"
    assert "Dear friends," in made.text
    assert any("file's name" in guess.what for guess in made.guesses)


def test_the_head_of_a_mail_gives_the_subject(bring: Bring) -> None:
    made = bring(f"From: A <a@b.example>\nSubject: Rain: again\n\nHello all,\n\n{LONG}\n")
    assert "subject: 'Rain: again'" in made.text
    assert "b.example" not in made.text


def test_every_guess_has_its_line_and_how_to_undo_it(bring: Bring) -> None:
    made = bring(f"Title\n{LONG}\n🌿The Garden\n{LONG}\n")
    guess = next(guess for guess in made.guesses if "heading" in guess.what)
    assert (guess.line, guess.undo) == (3, 'If wrong, delete the "## ".')
    assert str(guess).startswith('line 3: made a heading (short line, emoji) "🌿The Garden"')
    assert "## 🌿 The Garden" in made.text


def test_the_contact_footer_goes_and_the_call_above_it_stays(bring: Bring) -> None:
    made = bring(
        f"Title\n{LONG}\nGet the free sheet:\n👉 https://a.example.org/sheet\n"
        "📍 9 Hill Road, Ojai, CA\n📞 805-555-0123 | 📧 Post@hill.example\n🌐 www.hill.example\n"
    )
    assert "[Get the free sheet](https://a.example.org/sheet){.button}" in made.text
    assert "805" not in made.text
    assert made.contact.facts == {
        "address": "9 Hill Road, Ojai, CA",
        "phone": "805-555-0123",
        "email": "Post@hill.example",
        "website": "www.hill.example",
    }


@pytest.mark.parametrize(
    ("label", "said"),
    [
        ("👉 Book a chair: https://a.example.org/c", "[Book a chair](https://a.example.org/c){.button}"),
        ("👉 Book a chair\nhttps://a.example.org/c", "[Book a chair](https://a.example.org/c){.button}"),
        ("[Book a chair] https://a.example.org/c", "[Book a chair](https://a.example.org/c){.button}"),
        ("--> https://a.example.org/c", "[Learn more](https://a.example.org/c){.button}"),
        ("Book here: https://a.example.org/c today.", "Book here: <https://a.example.org/c> today."),
        ("See a.example.com/x_y.", "See [a.example.com/x_y](https://a.example.com/x_y)."),
        ("See www.b.example.", "See [www.b.example](https://www.b.example)."),
        ("Write to ann@a.example.", "Write to <ann@a.example>."),
        ("Booking.com is a name.", "Booking.com is a name."),
    ],
)  # fmt: skip
def test_links_and_calls(label: str, said: str, body: Callable[..., str]) -> None:
    assert body(f"A title\n\n{LONG} It ends - here;\n\n{label}\n").endswith(said)


def test_a_note_with_a_number_becomes_a_link(body: Callable[..., str]) -> None:
    text = f"A title\n\nRead the study [1] and the other one².\n\n{LONG}\n\n[1] https://a.example.org\n² https://b.example.org\n"
    assert body(text) == (
        "Read the study [\\[1\\]](https://a.example.org) and the other one[²](https://b.example.org).\n\n" + LONG
    )


def test_a_poem_keeps_its_lines(body: Callable[..., str]) -> None:
    verse = "the rain\nThe Long Rain\nand nobody\nto hear it"
    assert verse in body(f"A title\n\n{LONG}\n\n{verse}\n\n{LONG}\n")


def test_the_language_is_told_when_it_is_another(bring: Bring) -> None:
    assert "lang: he\n" in bring("מכתב קצר\n\nהיום נכתוב על הגשם ועל מה שהוא עושה לגינה שלנו בחורף.\n").text
    assert "lang:" not in bring(f"A title\n\n{LONG}\n").text


def test_markdown_from_elsewhere(bring: Bring) -> None:
    made = bring(
        "---\ntitle: A *quiet* week\ndescription: What is in it, told in one sentence.\n---\n\n"
        "# A quiet week\n\nWords with **bold**,\na [link][1] and `code`[^n].\n\nUnder\n-----\n\n* one\n* two\n\n"
        "<p>Some old <b>HTML</b>.</p>\n\n[1]: https://a.example.org\n[^n]: A note.\n",
        "post.md",
    )
    assert "preheader: What is in it" in made.text
    body = made.text.split("\n---\n", 1)[1]
    assert "## Under\n\n- one\n- two\n\nSome old **HTML**." in body
    assert "[link][1]" in body
    assert "[^" not in body


def test_promise_11_what_cannot_be_taken_is_refused_in_words(bring: Bring) -> None:
    for content, name, said in (
        (b"x", "a.pdf", "cannot be imported"),
        (b"", "a.txt", "no words"),
        (b"a" * 1_000_001, "a.txt", "too big"),
        (b"word " * 50_000, "a.txt", "longer than a letter"),
        (b"<p>" + b"word " * 50_000, "a.html", "longer than a letter"),
        (b"<p>" + b"x" * 25_000_001, "a.html", "too big"),
    ):
        with pytest.raises(NewsletterError, match=said) as refused:
            bring(content, name)
        assert refused.value.todo


def test_one_very_long_line_is_no_trouble(bring: Bring) -> None:
    assert "word" in bring("A title\n\n" + "word " * 30_000).text


LINES = st.lists(
    st.one_of(
        st.just(""),
        st.text(st.sampled_from('abcdé אב漢。 .:?!-•1)#>*_[]()|🌿👉\t"“”—=~`<&{}@/\\'), max_size=40),
        st.sampled_from(
            ["- a", "  - b", "1. c", "2. d", "> e", "***", "Some words:", "🌿 F", "— G", "## H", "Best,", LONG]
        ),
    ),
    max_size=14,
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(lines=LINES)
def test_promise_11_whatever_comes_reads_as_an_issue_without_errors(lines: list[str], bring: Bring) -> None:
    try:
        made = bring("A title to begin\n\n" + "\n".join(lines) + f"\n\n{LONG}\n")
    except NewsletterError:
        return
    bare = Publication(name="x", senders={}, fields={"first_name": "friend"})
    found, problems = dialect.read(made.text.split("\n---\n", 1)[1], bare, root=Path("/nowhere"), file="x.md")
    errors = [str(one) for one in problems if one.level is Level.ERROR]
    assert not [error for error in errors if not any(code in error for code in ("E220", "E240", "E241"))]
    assert (
        any(isinstance(block, Paragraph) and LONG in phrases.plain(block.inside) for block in found)
        or LONG in made.text
    )


# --- an issue of ours, judged again ---

MINE = "## Mine\n\n_Kept_ as **it** is."


def test_tidy_judges_pasted_lines_and_leaves_the_rest(bare_publication: Publication) -> None:
    pasted = f"{MINE}\n\n🌿The Garden\n\n{LONG}\n\nAsk yourself:\n\nWhat grows?\n\nWhat rests?\n\n{LONG}\n"
    after, guesses = letters.tidied(pasted, bare_publication, 6)
    assert after == (
        f"{MINE}\n\n## 🌿 The Garden\n\n{LONG}\n\nAsk yourself:\n\n- What grows?\n- What rests?\n\n{LONG}\n"
    )
    assert [guess.line for guess in guesses if "heading" in guess.what] == [10]


@pytest.mark.parametrize(
    "text",
    [
        "A paragraph.\nIts second line.\n",
        "1. one\n\n    more\n\n2. two\n",
        "::: callout Try\nwords\n\n- a\n- b\n:::\n",
        "> Said.\n> — Ann\n\n[Go](https://a.example.org){.button}\n",
        "| a | b |\n| --- | --- |\n| 1 | 2 |\n",
        "```\n# no heading\n\n• no list\n```\n",
        'Hello {{ first_name, "friend" }},\n\n![A door](images/door.jpg "A caption")\n',
        "Words [here][a].\n\n[a]: https://a.example.org\n",
    ],
)
def test_tidy_leaves_what_is_in_order(text: str, bare_publication: Publication) -> None:
    assert letters.tidied(text, bare_publication, 1) == (text, ())


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(lines=LINES)
def test_tidy_twice_is_tidy_once(lines: list[str], bare_publication: Publication) -> None:
    once, _ = letters.tidied("\n".join(lines) + "\n", bare_publication, 1)
    assert letters.tidied(once, bare_publication, 1) == (once, ())


@pytest.mark.parametrize(
    "text",
    [
        "-\n\nא\n! 漢\n",
        "■1#\ng\n",
        ":\nA\n>\n",
        "===\n漢\n:::\n",
        "🌿é\n-\ng\n",
        "**e**\n[x]:e\nd\n",
        "?\n+\ng\n.\n(\n)\n",
    ],
)
def test_what_a_blank_line_changes_is_judged_at_once(text: str, bare_publication: Publication) -> None:
    once, _ = letters.tidied(text, bare_publication, 1)
    assert letters.tidied(once, bare_publication, 1) == (once, ())
