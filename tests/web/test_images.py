"""Pictures over HTTP: what was made of a file, under its hashed name, for ever; and nothing else."""

import io
import shutil

import pytest
from PIL import Image

from newsletter.content import images


def test_pictures_are_kept_for_ever(house):
    name = images.asset("images/sea.png", house.desk.root).name
    response = house.get(f"/images/{name}")
    assert Image.open(io.BytesIO(response.content)).size == (40, 20)
    assert response.headers["content-type"] == "image/png"
    assert response.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert response.headers["x-content-type-options"] == "nosniff"
    assert house.http.head(house.url + f"/images/{name}", timeout=10).headers["content-length"] == str(
        len(response.content)
    )


def test_promise_12_a_photograph_is_served_without_its_place(house):
    exif = Image.Exif()
    exif[0x013B] = "Kilroy"
    Image.new("RGB", (1600, 900), "navy").save(house.desk.root / "images/quay.jpg", exif=exif, comment=b"secret")
    content = house.get(f"/images/{images.asset('images/quay.jpg', house.desk.root).name}").content
    assert b"Kilroy" not in content
    assert b"secret" not in content
    assert Image.open(io.BytesIO(content)).width == 1200


def test_a_new_machine_serves_what_was_mailed_before(house):
    name = images.asset("images/sea.png", house.desk.root).name
    shutil.rmtree(house.desk.root / "var", ignore_errors=True)
    assert house.get(f"/images/{name}").status_code == 200


@pytest.mark.parametrize("name", ["sea.png", "..%2fsecret.txt", "0123456789ab-sea.png", "%00", "a" * 300 + ".png"])
def test_nothing_else_is_here(house, name):
    response = house.get(f"/images/{name}")
    assert response.status_code == 404
    assert b"nobody sees this" not in response.content
