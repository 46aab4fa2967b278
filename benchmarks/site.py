"""The web side as `newsletter serve` runs it, behind a trusted proxy. What it mails goes to a sink.

python -m benchmarks.site FOLDER     serves until stopped; says its address first
"""

from __future__ import annotations

import sys
from contextlib import closing
from pathlib import Path

from benchmarks import press, publication
from newsletter.store import open_store
from newsletter.web.serve import serve


def main(folder: Path) -> None:
    """Serve it."""
    publication.write(folder)
    with closing(open_store(f"sqlite:///{folder / 'newsletter.db'}")) as store:
        serve(publication.desk(folder, store, press.sink(1)), port=0, trusted_proxies=["127.0.0.1"])


if __name__ == "__main__":
    main(Path(sys.argv[1]))
