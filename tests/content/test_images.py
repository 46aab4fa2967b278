"""Pictures are found, made fit for mail, named, kept and weighed; nothing outside their folder is ever touched."""

from __future__ import annotations

import hashlib
import io
import os
import re
import shutil
import struct
import subprocess
import sys
import zlib
from pathlib import Path

import pillow_heif
import pytest
from PIL import Image, ImageCms, ImageDraw, ImageFile, PngImagePlugin

from newsletter.content import images
from newsletter.content.blocks import Asset
from newsletter.content.pictures import cache
from newsletter.content.pictures.derive import Recipe, derive
from newsletter.errors import NotFound

SECRETS = (b"Kilroy", b"40.7484", b"secret", b"GPS", b"Exif", b"adobe", b"Photoshop")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "images" / "2026").mkdir(parents=True)
    return tmp_path


def save(root: Path, path: str, size: tuple[int, int], **options: object) -> Path:
    Image.new("RGB", size, "teal").save(root / path, **options)
    return root / path


def photo(width: int, height: int, mode: str = "RGB") -> Image.Image:
    """Something with as many tones as a photograph: soft waves, no noise."""
    small = Image.effect_mandelbrot((96, 64), (-2, -1, 1, 1), 60).resize((width, height), Image.Resampling.BICUBIC)
    return Image.merge("RGB", (small, small.transpose(Image.Transpose.FLIP_LEFT_RIGHT), small)).convert(mode)


def halves(width: int, height: int) -> Image.Image:
    """Red above, blue below: tells which way is up."""
    picture = Image.new("RGB", (width, height), "red")
    picture.paste("blue", (0, height // 2, width, height))
    return picture


def gossip() -> Image.Exif:
    exif = Image.Exif()
    exif[0x013B] = "Kilroy"
    exif.get_ifd(0x8825)[2] = (40.0, 44.0, 54.36)  # where it was taken
    exif.get_ifd(0x8825)[29] = "secret"
    return exif


def made(root: Path, path: str) -> tuple[Asset, bytes, Image.Image]:
    found = images.asset(path, root)
    file = images.served(root, found.name)
    assert file
    data = file.read_bytes()
    return found, data, Image.open(io.BytesIO(data))


# --- names and sizes -----------------------------------------------------------------------------------


def test_name_and_size(root: Path) -> None:
    file = save(root, "images/2026/A Stone (é).JPG", (400, 300), format="JPEG")
    found, data, picture = made(root, "images/2026/A Stone (é).JPG")
    digest = hashlib.sha256(file.read_bytes()).hexdigest()[:12]
    assert found.name == f"{digest}-a-stone-e.jpg"
    assert (found.width, found.height, found.size) == (400, 300, len(data))
    assert found.path == "images/2026/A Stone (é).JPG"
    assert (picture.format, picture.size) == ("JPEG", (400, 300))


@pytest.mark.parametrize(
    ("name", "safe"),
    [
        ("two  words & more.png", "two-words-more"),
        ("Zürich_Straße.png", "zurich-strae"),
        ("🌱.png", "image"),
        ("صورة.png", "image"),
        ("-.png", "image"),
        ("a" * 200 + ".png", "a" * 60),
        ("x\u202egnp.png", "xgnp"),
        ('"><script>.png', "script"),
        ("50% off?#1.png", "50-off-1"),
        (" .png", "image"),
    ],
)
def test_promise_11_odd_names_are_made_safe(root: Path, name: str, safe: str) -> None:
    save(root, f"images/{name}", (20, 10))
    found, _, picture = made(root, f"images/{name}")
    assert re.fullmatch(rf"[0-9a-f]{{12}}-{safe}\.png", found.name)
    assert picture.size == (20, 10)


def test_a_name_typed_on_another_system_is_found(root: Path) -> None:
    save(root, "images/Zu\u0308rich.png", (2, 2))  # as macOS writes it
    save(root, "images/Tür.png", (2, 2))
    assert images.asset("images/Zürich.png", root).width == 2
    assert images.asset("images/Tu\u0308r.png", root).width == 2


def test_a_large_picture_becomes_as_large_as_dense_screens_need(root: Path) -> None:
    photo(3000, 2000).save(root / "images/a.jpg", quality=95)
    found, data, picture = made(root, "images/a.jpg")
    assert picture.size == (1200, 800)
    assert (found.width, found.height) == (600, 400)
    assert len(data) < images.HEAVY
    assert picture.info.get("progressive")


def test_a_small_picture_is_never_enlarged(root: Path) -> None:
    save(root, "images/a.png", (30, 4000))
    found, _, picture = made(root, "images/a.png")
    assert (picture.size, found.width, found.height) == ((30, 4000), 30, 4000)


def test_a_thin_line_keeps_a_pixel(root: Path) -> None:
    save(root, "images/a.png", (5000, 1))
    found, _, picture = made(root, "images/a.png")
    assert (picture.size, found.height) == ((1200, 1), 1)


# --- kinds ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "GIF", "WEBP", "AVIF", "HEIF", "MPO"])
def test_every_kind_is_taken_and_served_as_one_that_every_mail_program_shows(root: Path, kind: str) -> None:
    options: dict[str, object] = {"save_all": True, "append_images": [photo(40, 30)]} if kind == "MPO" else {}
    path = root / "images" / f"a.{kind.lower()}"
    if kind == "HEIF":
        pillow_heif.from_pillow(photo(400, 300)).save(path)
    else:
        photo(400, 300).save(path, kind, **options)
    found, _, picture = made(root, f"images/{path.name}")
    assert picture.format in {"JPEG", "PNG"}
    assert picture.size == (found.width, found.height) == (400, 300)
    middle = picture.convert("RGB").getpixel((200, 150))
    assert all(abs(a - b) < 24 for a, b in zip(middle, photo(400, 300).getpixel((200, 150)), strict=True))


def test_the_extension_does_not_count(root: Path) -> None:
    halves(20, 20).save(root / "images/a.jpg", "PNG")
    halves(20, 20).save(root / "images/b.txt", "JPEG")
    assert images.asset("images/a.jpg", root).name.endswith("-a.png")
    assert images.asset("images/b.txt", root).width == 20


def test_what_is_see_through_stays_so(root: Path) -> None:
    picture = photo(2400, 400).convert("RGBA")
    picture.putalpha(Image.linear_gradient("L").resize(picture.size))
    picture.save(root / "images/a.webp", lossless=True)
    _, _, small = made(root, "images/a.webp")
    assert (small.format, small.mode, small.size) == ("PNG", "RGBA", (1200, 200))
    assert small.getchannel("A").getextrema()[0] < 5


def test_an_alpha_channel_that_hides_nothing_is_dropped(root: Path) -> None:
    photo(800, 600).convert("RGBA").save(root / "images/a.png")
    assert made(root, "images/a.png")[2].format == "JPEG"


def test_a_drawing_keeps_its_edges(root: Path) -> None:
    picture = Image.new("RGB", (900, 600), "white")
    ImageDraw.Draw(picture).ellipse((100, 100, 700, 500), fill="#37496B", outline="#B0741A", width=9)
    picture.save(root / "images/a.webp", lossless=True)
    _, _, small = made(root, "images/a.webp")
    assert small.format == "PNG"
    assert small.convert("RGB").tobytes() == picture.tobytes()


def test_sixteen_bits_are_scaled_and_not_cut_off(root: Path) -> None:
    Image.new("I;16", (20, 20), 0x8000).save(root / "images/a.png")
    assert made(root, "images/a.png")[2].convert("L").getpixel((5, 5)) == pytest.approx(128, abs=2)


def test_ink_on_paper_becomes_light(root: Path) -> None:
    photo(300, 200, "CMYK").save(root / "images/a.jpg")
    _, _, picture = made(root, "images/a.jpg")
    assert picture.mode == "RGB"
    assert picture.getpixel((150, 100)) == pytest.approx(photo(300, 200).getpixel((150, 100)), abs=24)


# --- moving pictures -----------------------------------------------------------------------------------


def film(path: Path, *, frames: int = 4, each: int = 500, width: int = 60) -> None:
    steps = [Image.new("RGB", (width, 40), (60 * step, 0, 0)) for step in range(frames)]
    steps[0].save(path, save_all=True, append_images=steps[1:], duration=each, loop=0, comment=b"secret")


def test_a_short_film_moves_and_then_rests(root: Path) -> None:
    film(root / "images/a.gif")
    found, data, picture = made(root, "images/a.gif")
    assert found.name.endswith("-a.gif")
    assert picture.n_frames == 4
    assert picture.info["loop"] == 1  # twice two seconds; a third time would be more than five
    assert b"secret" not in data


@pytest.mark.parametrize("how", [{"frames": 3, "each": 3000}, {"width": 1300}, {"frames": 1}])
def test_a_long_or_large_film_becomes_a_still(root: Path, how: dict[str, int]) -> None:
    film(root / "images/a.gif", **how)
    found, _, picture = made(root, "images/a.gif")
    assert found.name.endswith((".png", ".jpg"))
    assert getattr(picture, "n_frames", 1) == 1
    assert picture.convert("RGB").getpixel((3, 3)) == (0, 0, 0)


@pytest.mark.parametrize("kind", ["png", "webp", "avif"])
def test_other_films_become_stills(root: Path, kind: str) -> None:
    steps = [photo(60, 40), photo(60, 40).rotate(180)]
    steps[0].save(root / f"images/a.{kind}", save_all=True, append_images=steps[1:], duration=300)
    assert getattr(made(root, f"images/a.{kind}")[2], "n_frames", 1) == 1


# --- upright, and silent -------------------------------------------------------------------------------


@pytest.mark.parametrize("turn", range(1, 9))
@pytest.mark.parametrize("kind", ["jpg", "png", "webp"])
def test_a_picture_stands_upright_however_the_camera_was_held(root: Path, turn: int, kind: str) -> None:
    back = {
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }
    exif = Image.Exif()
    exif[0x0112] = turn
    taken = halves(48, 32).transpose(back[turn]) if turn > 1 else halves(48, 32)
    taken.save(root / f"images/a.{kind}", exif=exif, quality=95)
    found, _, picture = made(root, f"images/a.{kind}")
    assert (found.width, found.height) == picture.size == (48, 32)
    assert picture.getexif().get(0x0112, 1) == 1
    (red, _, _), (_, _, blue) = (picture.convert("RGB").getpixel((24, row)) for row in (4, 28))
    assert red > 200
    assert blue > 200


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["jpg", "png", "webp"])
def test_a_very_large_picture_stands_upright_too(root: Path, kind: str) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    halves(5000, 4900).transpose(Image.Transpose.ROTATE_90).save(root / f"images/a.{kind}", exif=exif, quality=80)
    _, _, picture = made(root, f"images/a.{kind}")
    assert picture.size == (1200, 1176)
    assert picture.convert("RGB").getpixel((600, 300))[0] > 200


def test_a_small_file_is_turned_even_when_it_would_be_smaller_lying(root: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    photo(600, 400).save(root / "images/a.jpg", exif=exif, quality=20)
    _, data, picture = made(root, "images/a.jpg")
    assert picture.size == (400, 600)
    assert len(data) > (root / "images/a.jpg").stat().st_size


@pytest.mark.parametrize("width", [300, 2000])  # served as it is but for its metadata; made anew
@pytest.mark.parametrize("kind", ["jpg", "png", "webp", "avif", "heic", "gif"])
def test_promise_12_nothing_tells_who_took_it_or_where(root: Path, kind: str, width: int) -> None:
    path = root / f"images/a.{kind}"
    xmp = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><dc:creator>Kilroy</dc:creator></x:xmpmeta>'
    options: dict[str, object] = {"exif": gossip(), "xmp": xmp, "quality": 30}
    match kind:
        case "jpg":
            options |= {"comment": b"secret", "quality": 30}
        case "png":
            text = PngImagePlugin.PngInfo()
            text.add_itxt("XML:com.adobe.xmp", xmp.decode())
            text.add_text("Author", "Kilroy")
            options = {"exif": gossip(), "pnginfo": text}
        case "gif":
            options = {"comment": b"secret"}
    picture = photo(width, width // 2)
    if kind == "heic":
        picture.info |= {"exif": gossip().tobytes(), "xmp": xmp}
        pillow_heif.from_pillow(picture).save(path)
    else:
        picture.save(path, **options)
    with path.open("ab") as file:
        file.write(b"secret film behind the picture" if kind == "jpg" else b"")
    assert any(secret in path.read_bytes() for secret in SECRETS)
    _, data, served = made(root, f"images/a.{kind}")
    assert not [secret for secret in SECRETS if secret in data]
    assert not served.getexif()
    assert not {"comment", "xmp", "icc_profile", "photoshop", "Author", "exif"} & served.info.keys()


def test_a_picture_that_is_fit_keeps_its_pixels_and_does_not_grow(root: Path) -> None:
    small = io.BytesIO()
    photo(600, 400).save(small, "JPEG", quality=40, comment=b"secret")
    (root / "images/a.jpg").write_bytes(small.getvalue())
    _, data, picture = made(root, "images/a.jpg")
    assert len(data) < len(small.getvalue())
    assert picture.tobytes() == Image.open(small).tobytes()


def test_a_wide_gamut_becomes_srgb(root: Path) -> None:
    """A profile that swaps red and blue: whoever throws it away without using it shows another colour."""
    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    count = struct.unpack(">I", profile[128:132])[0]
    tags = {bytes(profile[at : at + 4]): at for at in range(132, 132 + 12 * count, 12)}
    red, blue = (profile[tags[name] + 4 : tags[name] + 12] for name in (b"rXYZ", b"bXYZ"))
    profile[tags[b"rXYZ"] + 4 : tags[b"rXYZ"] + 12], profile[tags[b"bXYZ"] + 4 : tags[b"bXYZ"] + 12] = blue, red
    plain = bytes(profile).replace(b"s\0R\0G\0B", b"o\0t\0h\0e").replace(b"sRGB", b"othr")
    Image.new("RGB", (40, 40), "red").save(root / "images/a.png", icc_profile=plain)
    Image.new("RGB", (40, 40), "red").save(root / "images/b.png", icc_profile=b"nonsense")
    assert made(root, "images/a.png")[2].convert("RGB").getpixel((9, 9)) == pytest.approx((0, 0, 255), abs=6)
    assert made(root, "images/b.png")[2].convert("RGB").getpixel((9, 9)) == (255, 0, 0)


def test_promise_10_same_file_same_bytes(tmp_path: Path) -> None:
    photo(1500, 900).save(tmp_path / "a.jpg", exif=gossip())
    data = (tmp_path / "a.jpg").read_bytes()
    assert derive(data) == derive(data)
    code = (
        "import sys,hashlib;from newsletter.content.pictures.derive import derive;"
        "print(hashlib.sha256(derive(open(sys.argv[1],'rb').read()).data).hexdigest())"
    )
    told = subprocess.run([sys.executable, "-c", code, tmp_path / "a.jpg"], capture_output=True, text=True, check=True)
    assert told.stdout.strip() == hashlib.sha256(derive(data).data).hexdigest()


def test_a_plate_fills_what_is_transparent(root: Path) -> None:
    picture = Image.new("RGBA", (400, 200), (0, 0, 0, 0))
    picture.paste((0, 0, 0, 255), (100, 50, 300, 150))
    picture.save(root / "images/logo.png")
    recipe = Recipe(520, 112, "#FBFAF6", 12)
    found = images.asset("images/logo.png", root, recipe)
    file = images.served(root, found.name)
    assert file
    shown = Image.open(io.BytesIO(file.read_bytes())).convert("RGB")
    assert shown.getpixel((0, 0)) == shown.getpixel((11, 11)) == (0xFB, 0xFA, 0xF6)
    assert shown.getpixel((shown.width // 2, shown.height // 2)) == (0, 0, 0)
    assert shown.size == (200, 112)
    assert (found.width, found.height) == (100, 56)
    assert found.name != images.asset("images/logo.png", root).name


# --- refusals ------------------------------------------------------------------------------------------


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
    with pytest.raises(NotFound) as caught:
        images.asset("images/stone.jpg", root)
    assert '"Stone.png"' in caught.value.todo


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "is empty"),
        (b"\n<svg xmlns='http://www.w3.org/2000/svg'/>", "is an SVG drawing"),
        (b"<?xml version='1.0'?><svg/>", "is an SVG drawing"),
        (b"<!DOCTYPE html><title>404</title>", "is a web page"),
        (b"%PDF-1.7", "is a PDF"),
        (b"\0\0\0\x18ftypmp42\0\0\0\0mp42isom", "is a film"),
        (b"BM\x1a\0\0\0", "is a picture of a kind that browsers do not show"),
        (b"II*\0\x08\0\0\0", "is a picture of a kind that browsers do not show"),
        (b"version https://git-lfs.github.com/spec/v1\n", "is only a pointer of Git LFS"),
        (b"just words", "is not a picture we can read"),
        (b"\x89PNG\r\n\x1a\nbroken", "is damaged"),
        (b"\xff\xd8\xff\xe0broken", "is damaged"),
        (b"GIF89a", "is damaged"),
        (b"RIFF\x10\0\0\0WEBPVP8 broken", "is damaged"),
        (b"\0\0\0\x1cftypavif\0\0\0\0avifmif1miaf", "is damaged"),
        (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", "is damaged"),
    ],
)
def test_promise_11_what_is_no_picture_is_called_by_its_name(root: Path, content: bytes, told: str) -> None:
    (root / "images/a.jpg").write_bytes(content)
    with pytest.raises(NotFound, match=rf'"images/a\.jpg" {re.escape(told)}') as caught:
        images.asset("images/a.jpg", root)
    assert caught.value.todo


@pytest.mark.parametrize("kind", ["jpg", "png", "gif", "webp", "avif", "heic"])
def test_a_picture_that_ends_too_early_is_damaged(root: Path, kind: str) -> None:
    path = root / f"images/a.{kind}"
    if kind == "heic":
        pillow_heif.from_pillow(photo(200, 150)).save(path)
    elif kind == "gif":
        film(path)
    else:
        photo(200, 150).save(path)
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 2 // 3])
    ImageFile.LOAD_TRUNCATED_IMAGES = True  # as another library may leave it
    with pytest.raises(NotFound, match="is damaged"):
        images.asset(f"images/a.{kind}", root)


def bomb(width: int, height: int) -> bytes:
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunks = [(b"IHDR", head), (b"IDAT", zlib.compress(b"\0" * 1000)), (b"IEND", b"")]
    body = b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in chunks
    )
    return b"\x89PNG\r\n\x1a\n" + body


@pytest.mark.parametrize("side", [7_100, 10_000, 60_000])
def test_a_decompression_bomb_is_not_opened(root: Path, side: int) -> None:
    (root / "images" / "a.png").write_bytes(bomb(side, side))
    with pytest.raises(NotFound, match="has too many pixels") as caught:
        images.asset("images/a.png", root)
    assert "2400 px" in caught.value.todo


def test_a_file_too_large_to_look_at(root: Path) -> None:
    with (root / "images/a.jpg").open("wb") as file:
        file.truncate(images.MAX_BYTES + 1)  # a hole: no disk is filled
    with pytest.raises(NotFound, match="more than 30 MB"):
        images.asset("images/a.jpg", root)


# --- keeping and serving -------------------------------------------------------------------------------


def test_a_changed_file_has_another_name(root: Path) -> None:
    save(root, "images/a.png", (10, 10))
    first = images.asset("images/a.png", root).name
    save(root, "images/a.png", (20, 10))
    assert images.asset("images/a.png", root).name != first


def test_a_picture_is_made_once(root: Path) -> None:
    photo(1500, 1000).save(root / "images/a.png")
    found = images.asset("images/a.png", root)
    (kept,) = (root / cache.FOLDER).glob("*.*g")
    stamp = kept.stat().st_mtime_ns
    os.utime(root / "images/a.png", ns=(1, 1))  # as after a fresh checkout
    assert images.asset("images/a.png", root) == found
    assert [path.stat().st_mtime_ns for path in (root / cache.FOLDER).glob("*.*g")] == [stamp]
    assert (root / cache.FOLDER / ".gitignore").read_text() == "*\n"


def test_where_nothing_can_be_kept_pictures_are_served_all_the_same(root: Path) -> None:
    (root / "var").write_text("not a folder")
    save(root, "images/a.png", (10, 10))
    _, _, picture = made(root, "images/a.png")
    assert picture.size == (10, 10)


def test_served(root: Path) -> None:
    save(root, "images/2026/a.png", (4, 4))
    name = images.asset("images/2026/a.png", root).name
    file = images.served(root, name)
    assert file
    assert file.parent == root / cache.FOLDER
    digest, _, rest = name.partition("-")
    for wrong in ("a.png", f"../{name}", f"2026/{name}", f"{digest[::-1]}-{rest}", "", ".", "%2e%2e", name + "\0"):
        assert images.served(root, wrong) is None


def test_a_picture_that_was_mailed_is_found_by_a_machine_that_has_never_seen_it(root: Path) -> None:
    save(root, "images/a.png", (4, 4))
    (root / "images/broken.png").write_bytes(b"")
    name = images.asset("images/a.png", root).name
    shutil.rmtree(root / "var")
    (root / "images/a.png").rename(root / "images/z.png")
    file = images.served(root, name)
    assert file
    assert Image.open(io.BytesIO(file.read_bytes())).size == (4, 4)
    shutil.rmtree(root / "var")
    assert images.served(root, name)


def test_a_picture_that_was_mailed_outlives_its_file(root: Path) -> None:
    save(root, "images/a.png", (4, 4))
    name = images.asset("images/a.png", root).name
    (root / "images/a.png").unlink()
    assert images.served(root, name)


def test_a_picture_that_was_mailed_stays_when_its_file_and_the_program_change(root: Path) -> None:
    save(root, "images/quay.jpg", (4, 4))
    name = images.asset("images/quay.jpg", root).name
    sent = served_bytes(root, name)
    save(root, "images/quay.jpg", (6, 6))
    assert images.asset("images/quay.jpg", root).name != name
    assert served_bytes(root, name) == sent
    for kept in (root / cache.FOLDER).glob(f"{cache.VERSION}-*"):  # made by an earlier version
        kept.rename(kept.with_name("0" + kept.name.removeprefix(str(cache.VERSION))))
    assert served_bytes(root, name) == sent
    assert images.served(root, "0" * 12 + "-quay.jpg") is None


def served_bytes(root: Path, name: str) -> bytes:
    file = images.served(root, name)
    assert file is not None
    return file.read_bytes()


def test_nothing_is_served_when_there_is_no_folder(tmp_path: Path) -> None:
    assert images.served(tmp_path, "0123456789ab-a.png") is None


def test_used_are_the_pictures_a_mail_refers_to(root: Path) -> None:
    save(root, "images/a.png", (4, 4))
    save(root, "images/b.png", (8, 8))
    one, other = (images.asset(f"images/{letter}.png", root) for letter in "ab")
    html = (
        f'<img src="https://x.example/images/{other.name}"><img src="/images/{one.name}">'
        f"<td style=\"background:url('https://x.example/images/{other.name}')\">"
        f'<img src="https://x.example/images/000000000000-gone.png"> {one.name}'
    )
    found = list(images.used(html, root))
    assert [name for name, _ in found] == [other.name, one.name]
    assert [Image.open(io.BytesIO(data)).size for _, data in found] == [(8, 8), (4, 4)]


# --- weight --------------------------------------------------------------------------------------------


def weighing(size: int, name: str = "a.jpg") -> Asset:
    return Asset(f"images/{name}", f"{size:012x}-{name}", 600, 400, size)


def test_weights() -> None:
    assert list(images.overweight([weighing(images.HEAVY)])) == []
    (one,) = images.overweight([weighing(images.HEAVY + 1)] * 2)
    assert (one.path, one.blocks) == ("images/a.jpg", False)
    assert "200 KB" in one.message
    (one, whole) = images.overweight([weighing(images.TOO_HEAVY + 1, "a.png")])
    assert one.blocks
    assert "JPEG" in one.fix
    assert (whole.path, whole.blocks) == ("", False)
    five = [weighing(170_000 + number) for number in range(5)]
    (whole,) = images.overweight(five)
    assert "850 KB together" in whole.message
    assert list(images.overweight(five[:4])) == []
