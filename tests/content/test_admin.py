"""What the editor in the browser is told agrees with what an issue can be."""

from __future__ import annotations

import hashlib
import json
import re
from importlib import resources
from typing import Any

import pytest
import yaml

from newsletter.content import admin, frontmatter
from newsletter.content.dialect import BOXES
from newsletter.core.publication import Author, Magnet, Publication, Sender

PUBLICATION = Publication(
    name="Quiet Harbour",
    senders={"house": Sender("Quiet Harbour", "a@quiet.example"), "desk": Sender("Desk", "d@quiet.example")},
    topics={"workshops": "Workshops"},
    magnets={"workbook": Magnet("Workbook")},
    authors={"ada": Author("Ada")},
    segments={"clients": "topic(workshops)"},
)
SHIPPED = resources.files("newsletter") / "starter" / "admin"
SUMS = {
    "sveltia-cms.js": "2fc783907e1a4a70783f155cc28435c70b8f79792f2aab75e787984e84aa413a",
    "chunks/react-dom.js": "e6834ea4cc69293d31245d76953c635ea37783aa5598eb375ea41845cb5e7af6",
}
"""SHA-256 of the files of @sveltia/cms 0.221.1, as npm has them."""


def fields(publication: Publication = PUBLICATION) -> dict[str, dict[str, Any]]:
    collection = yaml.safe_load(admin.config(publication, admin.head("a/b")))["collections"][0]
    return {field["name"]: field for field in collection["fields"]}


def values(field: dict[str, Any]) -> list[Any]:
    return [one["value"] if isinstance(one, dict) else one for one in field["options"]]


def test_every_line_of_an_issue_has_its_field_in_the_same_order() -> None:
    assert tuple(fields()) == (*frontmatter.FIELDS, "body")


def test_what_can_be_chosen_is_what_the_publication_has() -> None:
    found = fields()
    assert values(found["audience"]) == ["all", "letter", "workshops", "clients"]
    assert values(found["from"]) == ["house", "desk"]
    assert values(found["magnet"]) == ["workbook"]
    assert values(found["author"]) == ["ada"]
    bare = fields(Publication("A", {"house": Sender("A", "a@quiet.example")}))
    assert bare["magnet"]["widget"] == "string", "an empty list to choose from is none"


@pytest.mark.parametrize(
    ("name", "good", "bad"),
    [("subject", "Rest", "R"), ("preheader", "", "x" * 151), ("send_at", "09:30", "9.30"), ("slug", "a-b", "A b")],
)
def test_a_pattern_takes_what_the_program_takes(name: str, good: str, bad: str) -> None:
    pattern = fields()[name]["pattern"][0]
    assert re.match(pattern, good)
    assert not re.match(pattern, bad)


def test_only_what_an_issue_needs_is_required() -> None:
    needed = {name for name, field in fields().items() if field.get("required", True)}
    assert needed == {"subject", "date", "body"}


def test_the_forms_are_those_of_boxes_that_exist() -> None:
    script = (SHIPPED / "blocks.js").read_text("utf-8")
    made = set(re.findall(r"(?:\bbox\(|\bid: )'(\w+)'", script))
    assert made == {"button", *(made & set(BOXES))}
    assert {"image", *made} == set(fields()["body"]["editor_components"])


def test_the_owners_part_stays_and_the_rest_follows_the_publication() -> None:
    first = admin.config(PUBLICATION, admin.head("quiet/letters"))
    mine = admin.kept(first).replace("branch: main", "branch: letters")
    again = admin.config(PUBLICATION, mine)
    assert yaml.safe_load(again)["backend"]["branch"] == "letters"
    assert again.replace("branch: letters", "branch: main") == first
    assert admin.kept("backend: {name: git-gateway}\n") == ""


def test_a_save_is_a_pull_request_and_nobody_can_merge_there() -> None:
    found = yaml.safe_load(admin.config(PUBLICATION, admin.head("")))
    assert found["publish_mode"] == "editorial_workflow"
    assert found["collections"][0]["publish"] is False


def test_the_boxes_know_who_reads() -> None:
    said = admin.facts(PUBLICATION).removeprefix("window.PUBLICATION = ").rstrip(";\n")
    assert json.loads(said) == {"readers": ["letter", "workshops", "clients", "email", "web"]}


@pytest.mark.parametrize("name", SUMS)
def test_the_editor_is_the_one_of_npm_unchanged(name: str) -> None:
    assert hashlib.sha256((SHIPPED / name).read_bytes()).hexdigest() == SUMS[name]
