# ruff: noqa: INP001  (a script beside what it draws)
"""Draw the pictures of the block pages: `python docs/blocks/draw.py [PAGE...]`. It needs Chromium.

Each page shows, in its first code block, what an editor writes; the picture is that, as a mail of 600 px.
Words, pictures and people are those of a small publication that exists here alone.
"""

from __future__ import annotations

import re
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

from PIL import Image, ImageDraw

from newsletter.content import dialect, images, render
from newsletter.content.blocks import Block
from newsletter.content.issue import Issue, Nearby
from newsletter.core.email import Email, fill
from newsletter.core.problem import Problem
from newsletter.core.publication import Author, Magnet, Publication, Sender

HERE = Path(__file__).resolve().parent
PICTURES = HERE.parent / "images" / "blocks"
BASE = "https://letters.example.org"
READER = {"first_name": "Ada", "unsubscribe_url": f"{BASE}/unsubscribe/x"}
PUBLICATION = Publication(
    name="Quiet Harbour",
    senders={"house": Sender("Quiet Harbour", "letters@example.org", "desk@example.org")},
    fields={"first_name": "friend"},
    topics={"letter": "The letter", "clients": "For clients"},
    magnets={"cards": Magnet("Twelve Cards", "A card for each month, to print and to keep.")},
    authors={"grace": Author("Grace Hale", "Keeps the harbour light, and writes on Mondays.", "images/grace.png")},
)
SNIPPET = "If the night is long, the night desk answers at 555-010-0147, from 9 pm to 6 am.\n"
BEFORE = Nearby("The tide table", f"{BASE}/archive/tide")
AFTER = Nearby("What ropes are for", f"{BASE}/archive/ropes")
PAPER, LINK, MARK = "#FBFAF6", "#37496B", "#B0741A"


def pages() -> list[Path]:
    """The pages of the blocks."""
    return sorted(page for page in HERE.glob("*.md") if page.name != "README.md")


def source(page: Path) -> str:
    """What an editor writes: the first code block of a page."""
    found = re.search(r"^(`{3,})markdown\n(.*?)\n\1$", page.read_text("utf-8"), re.MULTILINE | re.DOTALL)
    return found[2] if found else ""


def prepare(root: Path) -> None:
    """The files that the pages speak of."""
    (root / "images").mkdir()
    (root / "snippets").mkdir()
    (root / "snippets" / "night-line.md").write_text(SNIPPET, "utf-8")
    harbour, pen = _plate(1024, 320)
    pen.rectangle([0, 250, 1024, 256], fill=LINK)
    pen.rectangle([700, 110, 712, 250], fill=LINK)
    pen.ellipse([688, 78, 724, 114], fill=MARK)
    harbour.save(root / "images" / "harbour.png")
    stone, pen = _plate(640, 480)
    pen.ellipse([110, 80, 530, 400], fill=LINK)
    pen.ellipse([290, 190, 370, 270], fill=PAPER)
    stone.save(root / "images" / "stone.png")
    grace, pen = _plate(288, 288)
    pen.rectangle([0, 0, 288, 288], fill=LINK)
    pen.ellipse([88, 56, 200, 168], fill=PAPER)
    pen.ellipse([44, 190, 244, 400], fill=PAPER)
    grace.save(root / "images" / "grace.png")


def _plate(wide: int, high: int) -> tuple[Image.Image, ImageDraw.ImageDraw]:
    plate = Image.new("RGB", (wide, high), PAPER)
    return plate, ImageDraw.Draw(plate)


def read(page: Path, root: Path) -> tuple[tuple[Block, ...], tuple[Problem, ...]]:
    """The blocks of a page's source, and what is wrong with it."""
    return dialect.read(source(page), PUBLICATION, root=root, file=page.name)


def email(page: Path, root: Path) -> Email:
    """The source of a page as a letter to clients; the page on what is around a letter has all of that."""
    asked = page.stem == "around"
    issue = Issue(
        path=page,
        name=page.name,
        slug="quiet",
        subject="A quiet week",
        preheader="",
        title="A quiet week",
        date=None,
        body=read(page, root)[0],
        contents=asked,
        share=asked,
        nearby=asked,
        feedback=asked,
    )
    here = frozenset({"clients"})
    return render.render(issue, PUBLICATION, root=root, base_url=BASE, segments=here, before=BEFORE, after=AFTER)


def text(page: Path, root: Path) -> str:
    """The same in plain text, without what stands around every letter."""
    whole = fill(email(page, root).text, READER)
    return whole.partition("minute\n\n")[2].partition("\n\n-- \n")[0]


def draw(page: Path, root: Path) -> Path:
    """The picture of a page, as small as it can be."""
    from playwright.sync_api import Route, sync_playwright  # noqa: PLC0415 -- only drawing needs a browser

    html = fill(email(page, root).html, READER)
    served = {images.asset(f"images/{file.name}", root).name: file for file in (root / "images").iterdir()}

    def answer(route: Route) -> None:
        file = served.get(route.request.url.rpartition("/")[2])
        route.fulfill(path=file) if file else route.abort()

    target = PICTURES / f"{page.stem}.png"
    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        shown = browser.new_page(viewport={"width": 600, "height": 400})
        shown.route("**/*", answer)
        shown.set_content(html, wait_until="load")
        top, bottom = shown.evaluate(BODY)
        clip = {"x": 0, "y": top, "width": 600, "height": bottom - top + 24}
        shown.screenshot(path=target, clip=clip, full_page=True)  # type: ignore[arg-type]
        browser.close()
    Image.open(target).convert("RGB").quantize(48).save(target, optimize=True)
    return target


BODY = """(() => {
  const rows = [...document.querySelectorAll('td.pad')].map(row => row.getBoundingClientRect())
  const title = document.querySelector('h1').closest('td').getBoundingClientRect()
  const foot = [...document.querySelectorAll('td.pad')].findIndex(row => row.style.paddingTop === '48px')
  return [title.bottom, rows[foot - 1].bottom]
})()"""


def wanted(names: list[str]) -> Iterator[Path]:
    """The pages that were named, or all of them."""
    return (page for page in pages() if not names or page.stem in names)


def main() -> None:
    """Draw."""
    PICTURES.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory() as folder:
        root = Path(folder)
        prepare(root)
        for page in wanted(sys.argv[1:]):
            print(draw(page, root).stat().st_size, page.stem)  # noqa: T201


if __name__ == "__main__":
    main()
