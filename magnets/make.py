"""Make what is given away: `python magnets/make.py`.

In: `workbook/`, `cards/` and `sheet/` (HTML with Jinja2, CSS, drawings), `fonts/`, and the practice's facts from
`newsletter.yml`. Out: a PDF for each, beside them, tagged (PDF/UA-1), the same bytes each time.

Needs WeasyPrint, which is in the development dependencies, and Pango, which the system brings
(`apt-get install libpango-1.0-0 libpangoft2-1.0-0`).
"""

from __future__ import annotations

import base64
import hashlib
import itertools
import os
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from html import escape, unescape
from pathlib import Path
from typing import Any

import yaml
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from pypdf import PdfReader

from newsletter.content import qr
from newsletter.core.links import Links

HERE = Path(__file__).resolve().parent

EDITION = 1795564800
"""The edition's date, seconds since 1970 (25 November 2026 UTC): it stands where a clock would."""

SITE = "https://letters.serenepathways.com"
"""Where readers reach the web side, unless `newsletter.yml` names a `base_url`: the sheet's code leads there."""


@dataclass(frozen=True)
class Work:
    """One file that is given away. `source` and `made` are names in this folder."""

    source: str
    made: str

    @property
    def path(self) -> Path:
        """The PDF."""
        return HERE / self.made

    def page(self, publication: Mapping[str, Any]) -> str:
        """The whole of it as one HTML document."""
        environment = Environment(
            loader=FileSystemLoader(HERE),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        address = Links(str(publication.get("base_url", SITE)).rstrip("/"), ()).free(MAGNET)
        html = environment.get_template(self.source).render(
            publication=publication,
            magnet=publication["magnets"][MAGNET],
            address=address,
            said=address.partition("://")[2],
            code="data:image/svg+xml;base64," + base64.b64encode(qr.svg(address).encode()).decode(),
        )
        return named(html)

    def fingerprint(self, html: str) -> bytes:
        """Which sources a PDF was made from: it stands in the file as its identifier (ISO 32000-1, 14.4).

        So a file that is older than its sources is found without making it again.
        """
        folders = {(HERE / self.source).parent, HERE / "workbook"}
        drawn = [path for folder in folders for path in (*folder.glob("*.css"), *folder.glob("*.svg"))]
        whole = hashlib.sha256(html.encode())
        for path in sorted([*drawn, *HERE.glob("fonts/*/*.woff2")]):
            whole.update(hashlib.sha256(path.read_bytes()).digest())
        return whole.digest()[:16]

    def pdf(self, html: str) -> bytes:
        """The HTML as a tagged PDF (PDF/UA-1, ISO 14289-1), fonts embedded.

        Only files beside the sources are read: nothing is asked of the network.
        """
        os.environ["SOURCE_DATE_EPOCH"] = str(EDITION)  # the font tools read it when they cut a font down
        from weasyprint import HTML  # type: ignore[import-untyped]  # noqa: PLC0415  (needs Pango; importing must not)

        made: bytes = HTML(string=html, base_url=(HERE / self.source).as_uri()).write_pdf(
            pdf_variant="pdf/ua-1", pdf_identifier=self.fingerprint(html), pdf_tags=True, pdf_forms=True
        )
        return made


_PART = re.compile(
    r"<(?P<kind>h2|h3|p|th)\b[^>]*>(?P<said>.*?)</(?P=kind)>|(?P<table><table\b)|(?P<row><tr>)|(?P<field><textarea></textarea>)"
    r"|(?P<cell><td></td>)",
    re.DOTALL,
)


def named(html: str) -> str:
    """The document with a field in every place to write, each named after the question or the head of its column.

    The name is what a screen reader says of it (ISO 14289-1, 7.18.1).
    """
    asked, heads, cells, count = "", [], itertools.count(), itertools.count(1)

    def one(found: re.Match[str]) -> str:
        nonlocal asked, cells
        if found["kind"]:
            said = escape(unescape(re.sub(r"<[^>]+>", " ", found["said"])).strip())
            if found["kind"] == "th":
                heads.append(said)
            else:
                asked = said
        elif found["table"]:
            heads.clear()
        elif found["row"]:
            cells = itertools.count()
        elif found["field"]:
            return f'<textarea name="answer-{next(count)}" title="{asked}"></textarea>'
        elif found["cell"]:
            head = heads[next(cells) % len(heads)] if heads else asked
            return f'<td><textarea name="answer-{next(count)}" title="{head}"></textarea></td>'
        return found[0]

    return _PART.sub(one, html)


MAGNET = "workbook"
WORKBOOK = Work("workbook/workbook.html", "mental-wellness-workbook.pdf")
CARDS = Work("cards/deck.html", "affirmation-cards.pdf")
SHEET = Work("sheet/sheet.html", "mental-wellness-workbook-sheet.pdf")
WORKS = (WORKBOOK, CARDS, SHEET)


def facts(publication: Path) -> Mapping[str, Any]:
    """What the files say about who publishes them.

    In: the path of `newsletter.yml`. Out: its keys as written there.
    """
    return dict(yaml.safe_load(publication.read_text("utf-8")))


def main() -> int:
    """Write the PDFs; 0 when they are there."""
    publication = facts(HERE.parent / "newsletter.yml")
    for work in WORKS:
        made = work.pdf(work.page(publication))
        work.path.write_bytes(made)
        print(f"{work.made}: {len(made) / 1000:.0f} kB, {len(PdfReader(work.path).pages)} pages")
    return 0


if __name__ == "__main__":
    sys.exit(main())
