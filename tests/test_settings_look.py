"""`look` in newsletter.yml: read, measured, and refused with its line."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from newsletter.errors import SettingsError
from newsletter.settings import load

FILE = """name: Quiet Letters
senders:
  us: {name: Quiet Letters, email: letters@quiet.example}
theme: field
look:
  light:
    link: "%s"
  dark: {link: "#9FD8C2"}
  serif: Palatino, Georgia, serif
  logo: images/sign.png
  logo_alt: Quiet Letters, a bird
"""


def test_a_look_is_read(tmp_path: Path) -> None:
    (tmp_path / "newsletter.yml").write_text(FILE % "#1F5F4A")
    (tmp_path / "images").mkdir()
    Image.new("RGB", (90, 30)).save(tmp_path / "images/sign.png")
    publication = load(tmp_path, {}).publication()
    assert publication.theme == "field"
    assert publication.look.light == {"link": "#1F5F4A"}
    assert publication.look.logo_alt == "Quiet Letters, a bird"


def test_promise_11_every_flaw_of_a_look_has_its_line(tmp_path: Path) -> None:
    (tmp_path / "newsletter.yml").write_text(FILE % "#9FD8C2")
    with pytest.raises(SettingsError) as refused:
        load(tmp_path, {})
    lines = refused.value.what.splitlines()
    assert lines[0].startswith("newsletter.yml:7:11: look.light.link: link on paper has a contrast of 1.5")
    assert 'link: "#' in lines[0]
    assert any(line.startswith("newsletter.yml:10:9: look.logo: There is no file") for line in lines)


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("look: {lite: {}}", 'newsletter.yml:4:8: "look.lite" is not a setting. Did you mean "light"?'),
        ("theme: dusk\nlook: {sans: serif}", 'newsletter.yml:4:8: theme: There is no template "themes/dusk.toml".'),
        ("look: {light: {link: red}}", "newsletter.yml:4:22: look.light.link"),
    ],
)
def test_promise_11_what_is_unknown_is_named(tmp_path: Path, line: str, told: str) -> None:
    (tmp_path / "newsletter.yml").write_text("\n".join([*FILE.splitlines()[:3], line, ""]))
    with pytest.raises(SettingsError) as refused:
        load(tmp_path, {})
    assert told in refused.value.what


def test_the_guide_shows_what_is_said(tmp_path: Path) -> None:
    guide = (Path(__file__).parents[1] / "docs" / "themes.md").read_text("utf-8")
    (tmp_path / "newsletter.yml").write_text((FILE % "#9AA8C8").replace("theme: field", "theme: letter"))
    with pytest.raises(SettingsError) as refused:
        load(tmp_path, {})
    assert refused.value.what.splitlines()[0] in guide.replace("be\nlegible", "be legible")


def test_the_look_of_the_guide_is_fit(tmp_path: Path) -> None:
    guide = (Path(__file__).parents[1] / "docs" / "themes.md").read_text("utf-8")
    example = guide.partition("look:\n")[2].partition("```")[0]
    (tmp_path / "newsletter.yml").write_text("\n".join([*FILE.splitlines()[:3], "look:", example]))
    (tmp_path / "images").mkdir()
    Image.new("RGB", (90, 30)).save(tmp_path / "images/logo.png")
    assert load(tmp_path, {}).publication().look.dark["on_button"] == "#1B1D23"
