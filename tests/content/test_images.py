"""Pictures are found, measured and named; nothing outside their folder is ever touched."""

from __future__ import annotations

import hashlib
import struct
import zlib
from pathlib import Path

import pytest
from PIL import Image

from newsletter.content import images
from newsletter.errors import NotFound


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "images" / "2026").mkdir(parents=True)
    return tmp_path


def save(root: Path, path: str, size: tuple[int, int], **options: object) -> Path:
    Image.new("RGB", size, "teal").save(root / path, **options)
    return root / path


def test_name_and_size(root: Path) -> None:
    file = save(root, "images/2026/A Stone (é).JPG", (400, 300), format="JPEG")
    found = images.asset("images/2026/A Stone (é).JPG", root)
    digest = hashlib.sha256(file.read_bytes()).hexdigest()[:12]
    assert found.name == f"{digest}-a-stone-e.jpg"
    assert (found.width, found.height, found.size) == (400, 300, file.stat().st_size)
    assert found.path == "images/2026/A Stone (é).JPG"


def test_a_dense_file_is_shown_at_the_width_of_a_mail(root: Path) -> None:
    save(root, "images/a.png", (1200, 801))
    assert (images.asset("images/a.png", root).width, images.asset("images/a.png", root).height) == (600, 400)


def test_a_camera_turned_on_its_side(root: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    save(root, "images/a.jpg", (300, 200), exif=exif)
    assert (images.asset("images/a.jpg", root).width, images.asset("images/a.jpg", root).height) == (200, 300)


def test_a_changed_file_has_another_name(root: Path) -> None:
    save(root, "images/a.png", (10, 10))
    first = images.asset("images/a.png", root).name
    save(root, "images/a.png", (20, 10))
    assert images.asset("images/a.png", root).name != first


@pytest.mark.parametrize(
    "path", ["../x.png", "/etc/passwd", "images/../../x.png", "images/..\\x.png", "", "images/\0.png", "x.png"]
)
def test_only_pictures_of_the_folder(root: Path, path: str) -> None:
    save(root, "x.png", (2, 2))
    save(root.parent, "x.png", (2, 2))
    with pytest.raises(NotFound):
        images.asset(path, root)


def test_a_link_out_of_the_folder_is_refused(root: Path) -> None:
    save(root, "x.png", (2, 2))
    (root / "images" / "a.png").symlink_to(root / "x.png")
    with pytest.raises(NotFound):
        images.asset("images/a.png", root)


def test_missing_names_what_is_there(root: Path) -> None:
    save(root, "images/Stone.png", (2, 2))
    with pytest.raises(NotFound) as caught:
        images.asset("images/stone.png", root)
    assert '"Stone.png"' in caught.value.todo


def test_what_is_no_picture(root: Path) -> None:
    (root / "images" / "a.png").write_bytes(b"\x89PNG\r\n\x1a\nbroken")
    (root / "images" / "b.jpg").write_text("<svg/>")
    Image.new("RGB", (2, 2)).save(root / "images" / "c.bmp")
    for name in ("a.png", "b.jpg", "c.bmp"):
        with pytest.raises(NotFound, match="not a picture"):
            images.asset(f"images/{name}", root)


def test_a_decompression_bomb_is_not_opened(root: Path) -> None:
    head = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0)
    chunks = [(b"IHDR", head), (b"IDAT", zlib.compress(b"\0" * 1000)), (b"IEND", b"")]
    body = b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in chunks
    )
    (root / "images" / "a.png").write_bytes(b"\x89PNG\r\n\x1a\n" + body)
    with pytest.raises(NotFound, match="too many pixels"):
        images.asset("images/a.png", root)


def test_served(root: Path) -> None:
    file = save(root, "images/2026/a.png", (4, 4))
    name = images.asset("images/2026/a.png", root).name
    assert images.served(root, name) == file
    for wrong in ("a.png", f"../{name}", f"2026/{name}", name.replace("a", "b", 1), "", ".", "%2e%2e", name + "\0"):
        assert images.served(root, wrong) is None


def test_nothing_is_served_when_there_is_no_folder(tmp_path: Path) -> None:
    assert images.served(tmp_path, "0123456789ab-a.png") is None
