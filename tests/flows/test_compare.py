"""What is different from last time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from PIL import Image

from newsletter.content import library, render
from newsletter.core.campaign import Draft, Variant
from newsletter.core.email import freeze
from newsletter.core.publication import Footer
from newsletter.errors import NothingToDo
from newsletter.flows.compare import compare
from newsletter.flows.desk import Desk
from newsletter.testing import Clock

LETTER = """---
subject: {subject}
preheader: Something about the week, long enough to be shown whole in the line of an inbox.
date: {date}
draft: false
---

Hello {{{{ first_name, "friend" }}}}, this is {words}.

{more}
"""

Write = Callable[..., None]


@pytest.fixture
def write(desk: Desk) -> Write:
    """Put an issue into the folder."""

    def put(slug: str, date: str, *, subject: str = "", words: str = "a letter", more: str = "") -> None:
        text = LETTER.format(subject=subject or slug, date=date, words=words, more=more)
        (desk.root / f"issues/{date}-{slug}.md").write_text(text, "utf-8")

    return put


def sent(slug: str, desk: Desk) -> None:
    """Freeze an issue as the ledger does when it is sent."""
    issue = library.load(library.find(slug, desk.root), desk.publication, desk.root)
    frozen = freeze(render.render(issue, desk.publication, root=desk.root, base_url=desk.links.base_url))
    draft = Draft(
        key=slug,
        pid=slug,
        subject=issue.subject,
        segments=("all",),
        topics=("letter",),
        content_sha256=slug,
        source_sha256=slug,
        provider="fake",
        batch_size=1,
        archive=None,
        excluded={},
        plan_hash="",
        variants=(Variant("all", frozen),),
    )
    with desk.store.begin() as tx:
        campaign = tx.campaigns.freeze(draft, desk.now())
        tx.campaigns.start(campaign.id, desk.now())


def test_the_first_has_nothing_beside_it(desk: Desk) -> None:
    with pytest.raises(NothingToDo, match="no issue before"):
        compare("quiet", desk)


def test_without_a_ledger_it_is_the_issue_before_by_date(desk: Desk, write: Write) -> None:
    write("older", "2026-11-17")
    write("newer", "2026-12-08")
    found = compare("newer", desk)
    assert (found.before.key, found.before.sent) == ("quiet", False)
    assert compare("quiet", desk).before.key == "older"


def test_promise_10_the_ledger_counts_not_the_file(desk: Desk, write: Write) -> None:
    sent("quiet", desk)
    file = desk.root / "issues/2026-12-01-quiet.md"
    file.write_text(file.read_text("utf-8").replace("subject: A quiet week", "subject: Changed since"), "utf-8")
    write("newer", "2026-12-08", subject="Another week")
    found = compare("newer", desk)
    assert (found.before.key, found.before.sent) == ("quiet", True)
    assert found.before.traits.subject == "A quiet week"
    assert found.before.day is not None
    assert found.before.day.isoformat() == "2026-12-01"  # the day in the publication's zone


def test_one_that_was_sent_is_compared_with_the_one_before(desk: Desk, write: Write) -> None:
    sent("quiet", desk)
    write("newer", "2026-12-08")
    sent("newer", desk)
    assert compare("newer", desk).before.key == "quiet"


def test_every_difference_is_told(desk: Desk, write: Write) -> None:
    Image.new("RGB", (40, 20), "navy").save(desk.root / "stone.png")
    (desk.root / "images").mkdir()
    (desk.root / "stone.png").rename(desk.root / "images/stone.png")
    write("older", "2026-11-01", more="[One](https://one.test/a) and [two](https://two.test/b).")
    sent("older", desk)
    write(
        "newer",
        "2026-12-08",
        words="a rather longer letter",
        more="[Two](https://two.test/b), [three](https://three.test/c).\n\n![A stone](images/stone.png)",
    )
    footer = Footer(address="2 Short Road, Chino, CA 91710", email="hello@quiet.example")
    moved = replace(desk, publication=replace(desk.publication, footer=footer))
    found = compare("newer", moved)
    told = found.as_json()
    assert told["subject"] == {"now": "newer", "before": "older", "changed": True}
    assert told["sender"] == {
        "now": "Quiet Letters <letters@quiet.example>",
        "before": "Quiet Letters <letters@quiet.example>",
        "changed": False,
    }
    assert told["links"] == {
        "count": 2,
        "before": 2,
        "added": ["https://three.test/c"],
        "removed": ["https://one.test/a"],
    }
    assert told["footer"]["added"] == ["2 Short Road, Chino, CA 91710"]  # type: ignore[index]
    assert told["footer"]["removed"] == ["1 Long Road, Chino, CA 91710"]  # type: ignore[index]
    assert [name.partition("-")[2] for name in told["images"]["added"]] == ["stone.png"]  # type: ignore[index]
    assert found.now.traits.bytes > found.before.traits.bytes
    assert told["against_sent"] is True


def test_words_are_those_of_the_text(desk: Desk, write: Write) -> None:
    write("count", "2026-12-08", words="one two", more="three [four](https://four.test/x) five")
    said = "Hello friend, this is one two. three four five."
    assert compare("count", desk).now.traits.words == said.count(" ") + 1


def test_the_same_subject_is_told_with_its_day(desk: Desk, write: Write, clock: Clock) -> None:
    write("first", "2026-11-03", subject="A Quiet Week!")
    sent("first", desk)
    clock.move(7 * 24 * 3600)
    write("second", "2026-11-10")
    sent("second", desk)
    assert compare("quiet", desk).notes == ("The same subject as 1 Dec 2026.",)


def test_a_link_in_each_of_the_last_four_is_told(desk: Desk, write: Write) -> None:
    for day in (3, 10, 17, 24):
        write(f"n{day}", f"2026-11-{day:02}", more=f"[This](https://again.test/) and [that](https://once.test/{day}).")
        sent(f"n{day}", desk)
    write("now", "2026-12-08", more="[This](https://again.test/) and [that](https://once.test/24).")
    assert compare("now", desk).notes == ("https://again.test/ was in each of the last 4 issues.",)


def test_the_furniture_of_every_letter_is_no_link_of_the_text(desk: Desk) -> None:
    sent("quiet", desk)
    other = desk.root / "issues/2026-12-08-copy.md"
    text = (desk.root / "issues/2026-12-01-quiet.md").read_text("utf-8").replace("2026-12-01", "2026-12-08")
    other.write_text(text, "utf-8")
    found = compare("copy", desk)
    assert found.now.traits.links == ()
    assert found.as_json()["footer"]["added"] == []  # type: ignore[index]
