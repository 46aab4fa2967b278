"""One mail as different programs show it."""

from __future__ import annotations

import pytest

from newsletter.flows import panes

MAIL = """<!doctype html><html><head><meta name="color-scheme" content="light dark">
<style>:root{color-scheme:light dark}.ink{color:#222}
@media (min-width:600px) and (prefers-color-scheme:dark){.ink{color:#eee}}
@media (max-width:479px){h1{font-size:20px}@supports (a:b){i{x:y}}}
.last{border-radius:6px;background:url(paper.png)}</style>
<!--[if mso]><style>.ink{font-family:Georgia}</style><noscript><xml>96</xml></noscript><![endif]-->
</head><body background="paper.png"><!-- a note -->
<!--[if !mso]><!--><p>everybody else</p><!--<![endif]-->
<!--[if (gte mso 9)|(IE)]><p>Word</p><![endif]-->
<!--[if lte mso 11]><p>an old Word</p><![endif]-->
<p class="ink" style="border-radius:4px;color:#222">Words</p><img src="https://a.test/x.png" alt="A stone" width="40">
</body></html>"""


def test_the_mails_own_dark_holds_whatever_the_machine_prefers() -> None:
    dark = panes.dark(MAIL)
    assert "prefers-color-scheme" not in dark
    assert "@media (min-width:600px) and (min-width:0px){.ink{color:#eee}}" in dark
    assert 'content="dark"' in dark
    assert "color-scheme:dark" in dark


def test_the_light_one_never_turns_dark() -> None:
    light = panes.light(MAIL)
    assert "and (max-width:0px){.ink{color:#eee}}" in light
    assert 'content="light"' in light
    assert ":root{color-scheme:light}" in light


def test_without_styles_no_sheet_and_no_hidden_branch_is_left() -> None:
    bare = panes.unstyled(MAIL)
    assert "<style" not in bare
    assert "Word" not in bare.replace("Words", "")
    assert 'style="border-radius:4px;color:#222"' in bare


def test_pictures_off_keeps_what_stands_in_for_them() -> None:
    off = panes.pictures_off(MAIL)
    assert "x.png" not in off
    assert "paper.png" not in off
    assert 'alt="A stone" width="40"' in off


def test_the_branch_of_word_is_resolved() -> None:
    word = panes.outlook_windows(MAIL)
    assert "<p>Word</p>" in word
    assert "everybody else" not in word
    assert "an old Word" not in word
    assert "font-family:Georgia" in word
    assert "96" not in word
    assert "@media" not in word
    assert "@supports" not in word
    assert "border-radius" not in word
    assert "<!--[if" not in word


@pytest.mark.parametrize(
    ("condition", "holds"),
    [
        ("mso", True),
        ("!mso", False),
        ("mso | IE", True),
        ("IE", False),
        ("mso & IE", False),
        ("!(mso | IE)", False),
        ("mso & !IE", True),
        ("gte mso 9", True),
        ("gt mso 16", False),
        ("lt mso 12", False),
        ("lte mso 16", True),
        ("mso 16", True),
        ("mso 12", False),
        ("(mso)&(gte mso 12)", True),
        ("true", True),
        ("", False),
    ],
)
def test_conditions_as_word_reads_them(condition: str, holds: bool) -> None:
    assert ("here" in panes.outlook_windows(f"<!--[if {condition}]>here<![endif]-->")) is holds


def test_both_forced_recolourings_change_colours_and_keep_words() -> None:
    mail = MAIL.replace("#222", "#222222").replace("#eee", "#EEEEEE")
    for way in (panes.flipped, panes.contrasted):
        assert way(mail) != panes.light(mail)
        assert "Words" in way(mail)


def test_promise_11_the_text_part_is_escaped() -> None:
    assert "<script>" not in panes.plain("a <script> & more")
    assert "<main><h1>Plain text</h1>" in panes.plain("a")  # it is a page, and read aloud as one
    assert "a &lt;script&gt; &amp; more" in panes.plain("a <script> & more")
