"""Forced recolourings: one colour, and a whole mail."""

from __future__ import annotations

import re

import pytest

from newsletter.content import colour, recolour

MAIL = """<html><head><meta name="color-scheme" content="light dark" /><style>:root{color-scheme:light dark;\
supported-color-schemes:light dark}
@media (prefers-color-scheme:dark){
.paper{background-color:#000001 !important}
@media (min-width:2px){.x{color:#000002}}
}
[data-ogsc] .ink{color:#E8E5DE !important}
.wide{width:3px}</style></head>
<body style="background-color:#FBFAF6"><!--[if mso]><td style="color:#123456"><![endif]-->
<table><tr><td bgcolor="#F3ECDB" style="background-color:#F3ECDB;color:#262A33;border:1px solid #757C8A">
<p style="margin:0">Words &lt; #FFFFFF <a href="https://x.example/#ABCDEF" style="color:#37496B">link</a></p>
</td></tr></table></body></html>"""


def test_white_and_black_change_places() -> None:
    assert recolour.inverted("#FFFFFF") == "#000000"
    assert recolour.hsl_flipped("#000000") == "#FFFFFF"
    assert recolour.flipped("#FFFFFF") == "#1B1B1B"
    assert recolour.flipped("#000000") == "#FFFFFF"
    assert recolour.flipped("#FFFFFF", "#333333") == "#333333"


@pytest.mark.parametrize("given", ["#37496B", "#B0741A", "#FBFAF6", "#000000", "#FFFFFF", "#FF0000"])
def test_lab_there_and_back(given: str) -> None:
    assert colour.of_lab(*colour.lab(given)) == given


def test_lab_agrees_with_published_values() -> None:
    assert colour.lab("#FF0000") == pytest.approx((53.24, 80.09, 67.20), abs=0.02)


def test_hues_stay() -> None:
    red, _, blue = colour.channels(recolour.inverted("#400000"))
    assert red > blue
    red, _, blue = colour.channels(recolour.hsl_flipped("#400000"))
    assert red > blue


@pytest.mark.parametrize("how", [recolour.hsl, recolour.lightness, recolour.outlook])
def test_every_word_stands_out_from_its_ground(how) -> None:
    html = how(MAIL)
    cell = re.search(r'<td bgcolor="(#\w+)" style="background-color:(#\w+);color:(#\w+)', html)
    link = re.search(r'<a [^>]*style="color:(#\w+)"', html)
    assert cell
    assert link
    assert cell[1] == cell[2] != "#F3ECDB"
    for ink in (cell[3], link[1]):
        assert colour.contrast(ink, cell[2]) >= 4.5


def test_only_colours_change() -> None:
    html = recolour.lightness(MAIL)
    assert "Words &lt; #FFFFFF" in html
    assert 'href="https://x.example/#ABCDEF"' in html
    assert '<!--[if mso]><td style="color:#123456"><![endif]-->' in html
    plain = re.compile(r"#[0-9A-F]{6}")
    body = MAIL[MAIL.index("<body") :]
    assert plain.sub("", html[html.index("<body") :]) == plain.sub("", body)


@pytest.mark.parametrize("how", [recolour.invert, recolour.hsl, recolour.lightness])
def test_our_own_dark_scheme_is_out_of_the_way(how) -> None:
    html = how(MAIL)
    assert "prefers-color-scheme" not in html
    assert "#000002" not in html
    assert "data-ogsc" not in html
    assert "color-scheme" not in html
    assert ".wide{width:3px}" in html


def test_outlook_marks_what_it_changed_and_leaves_borders() -> None:
    html = recolour.outlook(MAIL)
    assert "prefers-color-scheme" not in html
    assert "[data-ogsc] .ink" in html
    assert 'data-ogsb="#F3ECDB" data-ogsc="#262A33"' in html
    assert "border:1px solid #757C8A" in html


def test_the_negative_turns_pictures_back() -> None:
    style = recolour.invert(MAIL).partition("</head>")[0]
    assert style.count("invert(1) hue-rotate(180deg)") == 2
