"""All that doctor can find, as the tables of docs/doctor.md.

python -m newsletter.flows.doctor.catalogue docs/doctor.md     writes them anew, between their two marks
"""

from __future__ import annotations

import sys
from pathlib import Path

from newsletter.flows.doctor.doctor import FAMILIES
from newsletter.flows.doctor.finding import Family

BEGIN, END = "<!-- the tables: made by newsletter.flows.doctor.catalogue -->", "<!-- end of the tables -->"


def tables() -> str:
    """A heading and a table for each family."""
    return "\n\n".join(_table(family) for family in FAMILIES)


def _table(family: Family) -> str:
    rows = [f"| `{family.name}.{name}` | {kind.level} | {kind.why} |" for name, kind in family.kinds.items()]
    return "\n".join([f"### {family.name}", "", "| id | level | why it matters |", "|---|---|---|", *rows])


def written(page: str) -> str:
    """The page with the tables of this version."""
    head, _, rest = page.partition(BEGIN)
    tail = rest.partition(END)[2]
    return f"{head}{BEGIN}\n\n{tables()}\n\n{END}{tail}"


if __name__ == "__main__":
    place = Path(sys.argv[1])
    place.write_text(written(place.read_text("utf-8")), "utf-8")
