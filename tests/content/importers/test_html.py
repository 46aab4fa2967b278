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
