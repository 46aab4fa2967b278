"""The looks as values, and the contrast they must have."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from newsletter.content import templates, theme
from newsletter.errors import SettingsError

BUILTIN = (templates.builtin() / "themes" / "letter.toml").read_text("utf-8")


def own(root: Path, text: str, name: str = "letter") -> Path:
    folder = root / "templates" / "themes"
    folder.mkdir(parents=True)
    (folder / f"{name}.toml").write_text(text, "utf-8")
    return root


def test_black_on_white_has_the_greatest_contrast() -> None:
    assert theme.contrast("#000000", "#FFFFFF") == pytest.approx(21)
    assert theme.contrast("#777777", "#777777") == pytest.approx(1)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(("front", "ground", "bound"), theme.PAIRS)
def test_every_pair_of_the_built_in_theme_is_legible(scheme: str, front: str, ground: str, bound: float) -> None:
    palette = getattr(theme.load("letter", None), scheme)
    assert theme.contrast(getattr(palette, front), getattr(palette, ground)) >= bound


@pytest.mark.parametrize(
    ("scheme", "front", "ground", "ratio"),
    [("light", "ink", "paper", 13.8), ("light", "edge", "tint", 3.1), ("dark", "soft", "tint", 6.5)],
)
def test_contrasts_agree_with_those_computed_elsewhere(scheme: str, front: str, ground: str, ratio: float) -> None:
    palette = getattr(theme.load("letter", None), scheme)
    assert theme.contrast(getattr(palette, front), getattr(palette, ground)) == pytest.approx(ratio, abs=0.05)


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
    with pytest.raises(SettingsError, match=rf"{pair}.* has a contrast of \d\.\d in the light scheme"):
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
