"""Pages: what Google Docs, Word and Mailchimp write, and what anybody may put into a file."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from newsletter.errors import NewsletterError

Body = Callable[..., str]


def page(inside: str) -> str:
    return f"<html><body><h1>The title of it</h1>{inside}</body></html>"


@pytest.mark.parametrize(
    ("inside", "said"),
    [
        ("<p>One <b>bold</b> and <i>quiet</i> word.</p>", "One **bold** and _quiet_ word."),
        ("<p><b style='font-weight:normal'>Not bold.</b></p>", "Not bold."),
        ("<p>First,<br>second.</p>", "First,\nsecond."),
        ("<ul><li>a<ul><li>b</li></ul></li><li>c</li></ul>", "- a\n    - b\n- c"),
        ("<ol start='3'><li><p>a</p><p>more</p></li><li>b</li></ol>", "3. a\n\n    more\n\n4. b"),
        ("<blockquote><p>Wait.</p><p>— Ann</p></blockquote>", "> Wait.\n> — Ann"),
        ("<p>A</p><hr><p>B goes on.</p>", "A\n\n***\n\nB goes on."),
        ("<pre>a  b\n c</pre>", "```\na  b\n c\n```"),
        ("<table><tr><th>Day</th><th>Time</th></tr><tr><td>Mon</td><td>a|b</td></tr></table>",
         "| Day | Time |\n| --- | --- |\n| Mon | a\\|b |"),
        ("<table role='presentation'><tr><td><p>Words.</p></td></tr></table>", "Words."),
        ("<p><a class='button' href='https://a.example.org'>Go there</a></p>",
         "[Go there](https://a.example.org){.button}"),
        ("<p>Read <a href='https://www.google.com/url?q=https://a.example.org/x&sa=D'>this</a>.</p>",
         "Read [this](https://a.example.org/x)."),
        ("<p>No <a href='javascript:alert(1)'>trap</a>, <a href='#top'>up</a>.</p>", "No trap, up."),
        ("<script>alert(1)</script><style>p{}</style><p>Words.<!-- not these --></p>", "Words."),
        ("<p><img src='https://a.example.org/b.jpg' alt='A blue door'></p>", "![A blue door](https://a.example.org/b.jpg)"),
        ("<p>Seen.<img src='https://a.example.org/t.gif' width='1' height='1'></p>", "Seen."),
        ("<p>&lt;b&gt; &amp;amp; {{ x }} ::: *</p>", "\\<b> \\&amp; \\{{ x }} ::: \\*"),
        ("<div>One.</div><div>Two.</div>", "One.\n\nTwo."),
        ("<p>A line of words.</p><p><strong>What We Saw</strong></p><p>We saw the river rise, slowly.</p>",
         "A line of words.\n\n## What We Saw\n\nWe saw the river rise, slowly."),
    ],
)  # fmt: skip
def test_elements_become_the_dialect(inside: str, said: str, body: Body) -> None:
    assert body(page(inside), "a.html") == said


LONG = "This is a paragraph that says enough to be one, and then it says a little more."


@pytest.mark.parametrize(
    ("inside", "said"),
    [
        ("<p>Bring:</p><p>- a hat</p><p>- warm gloves</p>", "Bring:\n\n- a hat\n- warm gloves"),
        ("<p><a style='display:inline-block;padding:10px' href='https://a.example.org'>Go there</a></p>",
         "[Go there](https://a.example.org){.button}"),
        ("<p>Seen.</p><p><a class='button' href='https://a.example.org/?x=1&action=share'>Share</a></p>", "Seen."),
        ("<table><tr><td><b>Day</b></td><td><b>Time</b></td></tr><tr><td>Mon</td><td>9</td></tr></table>",
         "| Day | Time |\n| --- | --- |\n| Mon | 9 |"),
        ("<p>So<a href='#footnote-1'>1</a>.</p><div class='footnote'><a href='#x'>1</a><p>They say.</p></div>",
         "So[1].\n\n[1] They say."),
        (f"<figure><p>{LONG}</p><figcaption><b>The door</b></figcaption></figure><p>{LONG}</p>",
         f"{LONG}\n\nThe door\n\n{LONG}"),
        ("<p>They sing:</p><p>One for the lamp,<br>two for the gate,<br>three for the road</p>",
         "They sing:\n\nOne for the lamp,\ntwo for the gate,\nthree for the road"),
        ("<ol><li>Pick it.</li></ol><p>Not now.</p><ol start='2'><li>Keep it.</li></ol>",
         "1. Pick it.\n\n    Not now.\n\n2. Keep it."),
    ],
)  # fmt: skip
def test_what_mails_and_exports_write(inside: str, said: str, body: Body) -> None:
    assert body(page(inside), "a.html") == said


def test_a_saved_page_is_read_without_what_stands_around_it(bring: Callable[..., Any]) -> None:
    made = bring(
        "<title>Hill Farm</title><a href='#m'>Skip to content</a><header>Hill</header><nav><a href='/'>Home</a></nav>"
        f"<main id='m'><header><h1>The Weather Diary</h1></header><p>{LONG}</p></main>"
        "<aside><h2>More</h2></aside><footer>post@hill.example</footer>",
        "a.html",
    )
    assert made.subject == "The Weather Diary"
    assert made.text.split("\n---\n", 1)[1].strip() == LONG
    assert made.contact.email == "post@hill.example"
    assert sum("puts around its text" in guess.what for guess in made.guesses) == 5


def test_a_page_with_no_title_in_it_is_called_as_its_window(bring: Callable[..., Any]) -> None:
    assert bring(f"<title>November</title><p>Dear all,</p><p>{LONG}</p>", "a.html").subject == "November"


def test_the_head_of_a_saved_mail_gives_the_subject(bring: Callable[..., Any]) -> None:
    head = "<p><b>From:</b> A &lt;a@b.example&gt;<br><b>To:</b> all@b.example<br><b>Subject:</b> Rain: again</p>"
    made = bring(f"<body>{head}<p>Hello all,</p><p>{LONG}</p></body>", "a.html")
    assert made.subject == "Rain: again"
    assert made.text.split("\n---\n", 1)[1].strip() == f"Hello all,\n\n{LONG}"


def test_a_subtitle_of_a_post_is_its_preheader(bring: Callable[..., Any]) -> None:
    made = bring(f"<h1>A Title</h1><h3 class='subtitle'>The art of the short visit</h3><p>{LONG}</p>", "a.html")
    assert "preheader: The art of the short visit\n" in made.text
    assert made.text.count("short visit") == 1


def test_more_words_than_a_letter_has_are_refused_before_they_are_judged(bring: Callable[..., Any]) -> None:
    with pytest.raises(NewsletterError, match="longer than a letter"):
        bring(page(f"<p>{'word ' * 1000}</p>" * 50), "a.html")


def test_a_hidden_line_is_the_preheader(bring: Callable[..., Any]) -> None:
    made = bring(
        page('<div style="display:none">Three things for a slow Sunday morning.&zwnj;&nbsp;</div><p>Words.</p>'),
        "a.html",
    )
    assert "preheader: Three things for a slow Sunday morning.\n" in made.text


def test_pictures_within_the_file_and_beside_it_come_along(bring: Callable[..., Any]) -> None:
    inside = (
        "<p><img alt='One' src='data:image/png;base64,iVBORw0KGgo='></p><p><img alt='Two' src='images/two.jpeg'></p>"
    )
    made = bring(page(inside), "a.html", beside=lambda name: b"jpeg" if name == "images/two.jpeg" else None)
    assert [one.name for one in made.files] == ["images/the-title-of-it-1.png", "images/the-title-of-it-2.jpg"]
    assert "![Two](images/the-title-of-it-2.jpg)" in made.text


def test_a_picture_without_words_is_called_decoration(body: Body) -> None:
    assert body(page("<p><img src='https://a.example.org/b.jpg'></p><p>Words.</p>"), "a.html").startswith(
        "![](https://a.example.org/b.jpg){.decorative}"
    )


def test_promise_11_deep_nesting_is_refused(bring: Callable[..., Any]) -> None:
    with pytest.raises(NewsletterError, match="inside each other"):
        bring(page("<div>" * 5000 + "x"), "a.html")
