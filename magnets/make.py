"""Make the workbook: `python magnets/make.py`.

In: `magnets/workbook/` (HTML with Jinja2, CSS, drawings), `magnets/fonts/`, and the practice's facts from
`newsletter.yml`. Out: `magnets/mental-wellness-workbook.pdf`, tagged (PDF/UA-1), the same bytes each time.

Needs WeasyPrint, which is in the development dependencies, and Pango, which the system brings
(`apt-get install libpango-1.0-0 libpangoft2-1.0-0`).
"""

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from pypdf import PdfReader

HERE = Path(__file__).resolve().parent
SOURCES = HERE / "workbook"
WORKBOOK = HERE / "mental-wellness-workbook.pdf"

EDITION = 1795564800
"""The edition's date, seconds since 1970 (25 November 2026 UTC): it stands where a clock would."""


def facts(publication: Path) -> Mapping[str, Any]:
    """What the book says about who publishes it.

    In: the path of `newsletter.yml`. Out: `name`, `crisis_text` and the `footer` as written there.
    """
    return dict(yaml.safe_load(publication.read_text("utf-8")))


def page(publication: Mapping[str, Any]) -> str:
    """The whole book as one HTML document."""
    environment = Environment(
        loader=FileSystemLoader(SOURCES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("workbook.html").render(publication=publication)


def fingerprint(html: str) -> bytes:
    """Which sources a PDF was made from: it stands in the file as its identifier (ISO 32000-1, 14.4).

    So a book that is older than its sources is found without making it again.
    """
    drawn = sorted([*SOURCES.glob("*.css"), *SOURCES.glob("*.svg"), *HERE.glob("fonts/*/*.woff2")])
    whole = hashlib.sha256(html.encode())
    for path in drawn:
        whole.update(hashlib.sha256(path.read_bytes()).digest())
    return whole.digest()[:16]


def pdf(html: str) -> bytes:
    """The HTML as a tagged PDF (PDF/UA-1, ISO 14289-1), fonts embedded.

    Only files beside the sources are read: the book asks nothing of the network.
    """
    os.environ["SOURCE_DATE_EPOCH"] = str(EDITION)  # the font tools read it when they cut a font down
    from weasyprint import HTML  # type: ignore[import-untyped]  # noqa: PLC0415  (needs Pango; importing must not)

    made: bytes = HTML(string=html, base_url=SOURCES.as_uri() + "/").write_pdf(
        pdf_variant="pdf/ua-1", pdf_identifier=fingerprint(html), pdf_tags=True
    )
    return made


def main() -> int:
    """Write the PDF; 0 when it is there."""
    made = pdf(page(facts(HERE.parent / "newsletter.yml")))
    WORKBOOK.write_bytes(made)
    print(f"{WORKBOOK.name}: {len(made) / 1000:.0f} kB, {len(PdfReader(WORKBOOK).pages)} pages")
    return 0


if __name__ == "__main__":
    sys.exit(main())
