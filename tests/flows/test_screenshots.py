"""Pictures of a mail, drawn by Chromium."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from newsletter.content import images
from newsletter.errors import ConfigurationError
from newsletter.flows import screenshots

MAIL = """<!doctype html><html><head><meta charset="utf-8"><style>body{margin:0;background:#fff}
@media (prefers-color-scheme:dark){body{background:#000}}</style></head>
<body><div style="height:2500px"></div><img src="https://letters.test/images/%s" alt="" width="100" height="50"
style="display:block"></body></html>"""


def test_no_chromium_is_said_with_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="no Chromium") as refused:
        screenshots.find(str(tmp_path))
    assert "--screenshots" in refused.value.todo


def test_a_program_that_draws_nothing_is_said(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="false drew no picture"):
        screenshots.take("<p>x</p>", tmp_path / "out", root=tmp_path, chromium="/bin/false")


def test_pictures_are_read_from_their_files(tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    Image.new("RGB", (40, 20), "navy").save(tmp_path / "images/sea.png")
    name = images.asset("images/sea.png", tmp_path).name
    found = screenshots.local(MAIL % name, tmp_path)
    assert f'src="{(tmp_path / "images").as_uri()}/' in found or f'src="{tmp_path.as_uri()}' in found
    assert screenshots.local(MAIL % "nowhere.png", tmp_path) == MAIL % "nowhere.png"


@pytest.mark.browser
def test_four_pictures_as_high_as_the_mail(tmp_path: Path) -> None:
    try:
        chromium = screenshots.find()
    except ConfigurationError:
        pytest.skip("no Chromium here: install chromium")
    (tmp_path / "images").mkdir()
    Image.new("RGB", (100, 50), (0, 0, 128)).save(tmp_path / "images/sea.png")
    mail = MAIL % images.asset("images/sea.png", tmp_path).name
    made = screenshots.take(mail, tmp_path / "out", root=tmp_path, chromium=chromium)
    assert [path.name for path in made] == ["600.png", "375.png", "dark.png", "images-off.png"]
    light, narrow, dark, off = (Image.open(path).convert("RGB") for path in made)
    assert [picture.size for picture in (light, narrow, dark, off)] == [
        (600, 2550),
        (375, 2550),
        (600, 2550),
        (600, 2550),
    ]
    assert (light.getpixel((300, 10)), dark.getpixel((300, 10))) == ((255, 255, 255), (0, 0, 0))
    assert light.getpixel((50, 2525)) == (0, 0, 128)
    assert off.getpixel((50, 2525)) != (0, 0, 128)
