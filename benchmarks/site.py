"""The web side as `newsletter serve` runs it, behind a trusted proxy. What it mails goes to a sink.

python -m benchmarks.site FOLDER     serves until stopped; says its address first
"""

from __future__ import annotations

import sys
from contextlib import closing
from dataclasses import replace
from pathlib import Path

from benchmarks import press, publication, telling
from newsletter.providers.sendgrid import Webhooks
from newsletter.store import open_store
from newsletter.web.serve import serve


def main(folder: Path) -> None:
    """Serve it."""
    publication.write(folder)
    public = folder / telling.PUBLIC
    reports = {"sendgrid": Webhooks(public.read_text("ascii"))} if public.exists() else {}
    with closing(open_store(f"sqlite:///{folder / telling.DATABASE}")) as store:
        desk = replace(publication.desk(folder, store, press.sink(1)), reports=reports)
        serve(desk, port=0, trusted_proxies=["127.0.0.1"])


if __name__ == "__main__":
    main(Path(sys.argv[1]))
