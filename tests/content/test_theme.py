"""The looks as values, and the contrast they must have."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from newsletter.content import colour, images, recolour, render, templates, theme
from newsletter.core.email import fill
from newsletter.core.publication import Look, Publication
from newsletter.errors import SettingsError

BUILTIN = (templates.builtin() / "themes" / "letter.toml").read_text("utf-8")


def own(root: Path, text: str, name: str = "letter") -> Path:
    folder = root / "templates" / "themes"
    folder.mkdir(parents=True)
    (folder / f"{name}.toml").write_text(text, "utf-8")
    return root


def test_black_on_white_has_the_greatest_contrast() -> None:
    assert colour.contrast("#000000", "#FFFFFF") == pytest.approx(21)
    assert colour.contrast("#777777", "#777777") == pytest.approx(1)


THEMES = ("letter", "field")


@pytest.mark.parametrize("name", THEMES)
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(("front", "ground", "bound"), theme.PAIRS)
def test_every_pair_of_the_built_in_themes_is_legible(
    name: str, scheme: str, front: str, ground: str, bound: float
) -> None:
    palette = getattr(theme.load(name, None), scheme)
    assert colour.contrast(getattr(palette, front), getattr(palette, ground)) >= bound


@pytest.mark.parametrize(
    ("scheme", "front", "ground", "ratio"),
    [("light", "ink", "paper", 13.8), ("light", "edge", "tint", 3.1), ("dark", "soft", "tint", 6.5)],
)
def test_contrasts_agree_with_those_computed_elsewhere(scheme: str, front: str, ground: str, ratio: float) -> None:
    palette = getattr(theme.load("letter", None), scheme)
    assert colour.contrast(getattr(palette, front), getattr(palette, ground)) == pytest.approx(ratio, abs=0.05)


@pytest.mark.parametrize(
    ("token", "faint", "pair"),
    [
        ("soft", "#9A9A9A", "soft on paper"),
        ("on_button", "#7186B2", "on_button on button"),
        ("box", "#E0E0E0", "box on"),
    ],
)
def test_a_faint_pair_is_refused_with_its_name_and_ratio(tmp_path: Path, token: str, faint: str, pair: str) -> None:
    text = re.sub(rf'^{token} = "#\w+"', f'{token} = "{faint}"', BUILTIN, count=1, flags=re.MULTILINE)
    with pytest.raises(SettingsError, match=rf"{pair}.* has a contrast of \d\.\d\d in the light scheme"):
        theme.load("letter", own(tmp_path, text))


def test_the_dark_scheme_is_measured_too(tmp_path: Path) -> None:
    light, dark = BUILTIN.split("[dark]")
    text = light + "[dark]" + dark.replace('ink = "#E8E5DE"', 'ink = "#555555"')
    with pytest.raises(SettingsError, match=r"ink on paper .* in the dark scheme"):
        theme.load("letter", own(tmp_path, text))


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ('paper = "#FBFAF6"', "", r"\[light\].*paper"),
        ('paper = "#FBFAF6"', 'paper = "#FBFAF6"\npapper = "#FBFAF6"', r"\[light\].*papper"),
        ('paper = "#FBFAF6"', 'paper = "white"', "light.paper cannot be 'white'"),
        ('mono = "', 'mono = "<b>, ', "fonts.mono cannot be"),
        ("title = [32, 38]", "title = 32", "type.title cannot be 32"),
        ("radius = 6", 'radius = "6"', "shape.radius cannot be"),
        ("[light]", "[light", "letter.toml"),
    ],
)
def test_promise_11_a_token_that_is_missing_unknown_or_wrong_is_named(
    tmp_path: Path, old: str, new: str, told: str
) -> None:
    with pytest.raises(SettingsError, match=told):
        theme.load("letter", own(tmp_path, BUILTIN.replace(old, new, 1)))


def test_a_publications_own_theme_wins_and_stays_its_own(tmp_path: Path) -> None:
    root = own(tmp_path / "one", BUILTIN.replace("#37496B", "#2F4F3F"))
    assert theme.load("letter", root).light.link == "#2F4F3F"
    assert theme.load("letter", tmp_path / "two").light.link == "#37496B"


def test_an_unknown_theme_says_where_it_was_looked_for(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"themes/dusk\.toml") as refusal:
        theme.load("dusk", tmp_path)
    assert str(tmp_path) in refusal.value.todo


@pytest.mark.parametrize("name", ["../letter", "Letter", "", "a/b"])
def test_a_name_leads_nowhere_else(name: str) -> None:
    with pytest.raises(SettingsError, match="not a name of a theme"):
        theme.load(name, None)


def test_variables_hold_every_colour_of_both_schemes() -> None:
    looks = theme.load("letter", None)
    light, dark = looks.variables().split("@media (prefers-color-scheme:dark)")
    assert f"--on-button:{looks.light.on_button};" in light
    assert f"--on-button:{looks.dark.on_button};" in dark
    assert f"--serif:{looks.fonts.serif};" in light


# --- what mail programs make of it ---------------------------------------------------------------------


@pytest.mark.parametrize("name", THEMES)
@pytest.mark.parametrize("how", recolour.RECOLOURINGS, ids=lambda how: how.name)
@pytest.mark.parametrize("ground", ["paper", "tint"])
def test_a_mail_stays_legible_when_a_program_recolours_it(name: str, how: recolour.Recolouring, ground: str) -> None:
    light = theme.load(name, None).light
    under = how.ground(getattr(light, ground))
    for text in ("ink", "soft", "link", "good", "bad"):
        ratio = colour.contrast(how.text(getattr(light, text), under), under)
        assert ratio >= (7.5 if text == "ink" else 4.5), text
    fill_ = how.ground(light.button)
    assert colour.contrast(how.text(light.on_button, fill_), fill_) >= 4.5
    assert colour.contrast(how.ground(light.mark), under) >= 3
    edge, button = colour.contrast(how.border(light.edge), under), colour.contrast(fill_, under)
    assert max(edge, button) >= 3  # a button is told by its border or by its fill


# --- what a publication changes ------------------------------------------------------------------------


def test_a_look_changes_tokens_of_both_schemes_and_fonts(publication: Publication, root: Path) -> None:
    look = Look(light={"link": "#17573C"}, dark={"link": "#9ED8B9"}, serif="Palatino, Georgia, serif")
    looks = theme.of(replace(publication, look=look), root)
    assert (looks.light.link, looks.dark.link) == ("#17573C", "#9ED8B9")
    assert looks.fonts.serif == "Palatino, Georgia, serif"
    assert looks.light.paper == theme.load("letter", None).light.paper
    assert theme.of(publication, root) is theme.load("letter", None)


def test_an_issue_can_wear_another_theme(publication: Publication, root: Path) -> None:
    assert theme.of(publication, root, "field").name == "field"


@pytest.mark.parametrize(
    ("look", "loc", "told"),
    [
        (Look(light={"link": "#9AA8C8"}), ("light", "link"), r"link on paper has a contrast of 2.28 in the light"),
        (Look(dark={"tint": "#777777"}), ("dark", "tint"), r"ink on tint has a contrast of 3\.\d\d in the dark"),
        (Look(light={"lnik": "#000000"}), ("light", "lnik"), r'there is no colour "lnik"'),
        (Look(light={"link": "navy"}), ("light", "link"), r'"navy" is no colour'),
        (Look(light={"link": "#37496B;x:url(//t.example)"}), ("light", "link"), "is no colour"),
        (Look(serif="url(https://fonts.example/a), serif"), ("serif",), "is no name of a font"),
        (Look(sans="Source Sans 3, sans-serif"), ("sans",), '"Source Sans 3" is no name'),
        (Look(mono="Menlo"), ("mono",), "ends without a kind of font"),
        (Look(logo="images/none.png"), ("logo",), 'There is no file "images/none.png"'),
        (Look(logo="newsletter.yml"), ("logo",), "is not in images/"),
    ],
)
def test_promise_11_a_flaw_of_the_look_is_named_with_its_place_and_a_fix(
    publication: Publication, root: Path, look: Look, loc: tuple[str, ...], told: str
) -> None:
    flaw = next(theme.flaws(look, theme.load("letter", None), root))
    assert flaw.loc == loc
    assert re.search(told, flaw.what)
    assert flaw.todo
    with pytest.raises(SettingsError, match=rf"newsletter\.yml: look\.{re.escape('.'.join(loc))}: "):
        theme.of(replace(publication, look=look), root)


@pytest.mark.parametrize(
    ("scheme", "token", "faint"),
    [
        ("light", "link", "#808890"),
        ("dark", "link", "#606870"),
        ("light", "soft", "#808890"),
        ("light", "edge", "#A8A8B0"),
    ],
)
def test_the_fix_is_a_colour_that_would_do(scheme: str, token: str, faint: str) -> None:
    base = theme.load("letter", None)
    flaw = next(theme.flaws(Look(**{scheme: {token: faint}}), base, None))
    found = re.fullmatch(rf'{token}: "(#[0-9A-F]{{6}})" would do\.', flaw.todo)
    assert found
    assert list(theme.flaws(Look(**{scheme: {token: found[1]}}), base, None)) == []


def test_a_ratio_just_below_its_bound_never_reads_as_the_bound() -> None:
    assert "4.49;" in theme.Faint("a", "b", 4.4996, 4.5).told("light").replace(" in the light scheme", "")


def worn(publication: Publication, root: Path, mode: str = "RGBA") -> Publication:
    (root / "images").mkdir()
    sign = Image.new(mode, (900, 300), (0, 0, 0, 0) if mode == "RGBA" else "white")
    sign.paste("#B0741A", (200, 100, 700, 200))
    sign.save(root / "images/sign.png")
    return replace(publication, look=Look(logo="images/sign.png"))


def test_a_logo_stands_in_the_masthead_with_its_words_and_size(publication: Publication, root: Path) -> None:
    worn_ = worn(publication, root)
    look = render.dressed(worn_, root=root, base_url="https://x.example", lang="en", dir="ltr")
    html = fill(tuple(render.masthead(worn_.name, look)), {})
    logo = look.theme.logo
    assert logo
    assert f'src="https://x.example/images/{logo.asset.name}"' in html
    assert 'alt="Quiet Letters"' in html
    assert f'width="{logo.asset.width}" height="{logo.asset.height}"' in html
    assert (logo.asset.width <= 260, logo.asset.height <= 56) == (True, True)
    assert 'class="mark"' not in html


def test_a_logo_brings_its_plate_when_it_is_see_through(publication: Publication, root: Path) -> None:
    logo = theme.of(worn(publication, root), root).logo
    assert logo
    file = images.served(root, logo.asset.name)
    assert file
    with Image.open(file) as shown:
        assert not shown.has_transparency_data
        assert shown.convert("RGB").getpixel((1, 1)) == (0xFB, 0xFA, 0xF6)


# --- separable -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["email/mail.css", "email/archive.css", "pages/page.css"])
def test_no_template_knows_a_colour(name: str) -> None:
    """All but print, which is black on white whatever the theme."""
    text = (templates.builtin() / name).read_text("utf-8").partition("@media print")[0]
    assert not re.findall(r"(?<![&\w])#[0-9A-Fa-f]{3,8}\b", text)


def test_another_theme_leaves_nothing_of_the_first(publication: Publication, root: Path) -> None:
    letter = theme.load("letter", None)
    look = render.dressed(publication, root=root, base_url="https://x.example", lang="en", dir="ltr", name="field")
    html = fill(tuple(render.masthead("Name", look, ("A fact",))), {})
    own = set(re.findall(r"#[0-9A-F]{6}", html))
    tokens = {getattr(look.theme.light, field) for field in theme.Palette.__dataclass_fields__}
    assert own
    assert own <= tokens
    assert letter.fonts.serif not in html
