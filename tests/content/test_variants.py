"""What is for some readers: chosen by segment and channel, before anything is rendered."""

from __future__ import annotations

from pathlib import Path

import pytest

from newsletter.content import archive, blocks, dialect, render, text, variants
from newsletter.content.blocks import Block, Paragraph, Words
from newsletter.content.issue import Issue
from newsletter.core.email import fill
from newsletter.core.publication import Publication, Sender

PUBLICATION = Publication(
    name="Quiet Harbour",
    senders={"house": Sender("Quiet Harbour", "a@example.org")},
    segments={"clients": "topic(clients)", "evening": "topic(evening)"},
    topics={"clients": "For clients", "evening": "For the evening"},
)
SOURCE = """Said to all.

::: only clients
Said to clients.

::: not evening
Said to clients of the morning.
:::
:::

::: not clients
Said to the others.
:::

::: only clients evening
Said to both kinds.
:::

::: only email
Said by mail.
:::

::: only web
Said on the page.

::: card
::: only clients
Never said on the page.
:::
:::
:::
"""


def issue(source: str = SOURCE, root: Path = Path("/nonexistent")) -> Issue:
    body, problems = dialect.read(source, PUBLICATION, root=root, file="a.md")
    assert problems == ()
    return Issue(Path("a.md"), "a.md", "a", "On rest", "", "On rest", None, body)


def said(body: tuple[Block, ...]) -> list[str]:
    return list(text.said(body))


@pytest.mark.parametrize(
    ("channel", "segments", "expected"),
    [
        ("email", set(), ["to all", "to the others", "by mail"]),
        ("email", {"clients"}, ["to all", "to clients", "to clients of the morning", "to both kinds", "by mail"]),
        ("email", {"clients", "evening"}, ["to all", "to clients", "to both kinds", "by mail"]),
        ("email", {"evening"}, ["to all", "to the others", "to both kinds", "by mail"]),
        ("web", set(), ["to all", "to the others", "on the page"]),
    ],
)
def test_blocks_are_chosen_by_channel_and_segment(channel: str, segments: set[str], expected: list[str]) -> None:
    assert said(variants.chosen(issue(), channel, segments).body) == [f"Said {part}." for part in expected]


def test_nothing_of_a_choice_is_left_to_render_twice() -> None:
    once = variants.chosen(issue(), "email", {"clients"})
    assert not [block for block, _ in blocks.walk(once.body) if isinstance(block, blocks.Only | blocks.Inserted)]
    assert variants.chosen(once, "email") == once


def test_a_box_that_is_left_empty_goes_and_an_item_too() -> None:
    only = blocks.Only(("clients",), (Paragraph((Words("x"),)),))
    kept = Paragraph((Words("y"),))
    body = (
        blocks.Card((only,)),
        blocks.Callout("tip", "Label", (only,)),
        blocks.Columns(((only,), (kept,))),
        blocks.Listing(False, ((only,), (kept,))),
        blocks.Callout("tip", "Label", ()),
    )
    assert variants.body(body, {"all"}) == (
        blocks.Columns(((kept,),)),
        blocks.Listing(False, ((kept,),)),
        blocks.Callout("tip", "Label", ()),
    )


def test_the_names_that_decide() -> None:
    assert variants.names(issue()) == ("clients", "evening")
    assert variants.names(issue("::: only web\nx\n:::")) == ()
    assert variants.names(issue("::: only all\nx\n:::")) == ()


def test_the_names_in_a_snippet_decide_too(tmp_path: Path) -> None:
    (tmp_path / "snippets").mkdir()
    (tmp_path / "snippets" / "hours.md").write_text("::: not evening\nx\n:::\n", "utf-8")
    assert variants.names(issue('{{ snippet "hours" }}', tmp_path)) == ("evening",)


def test_keys_are_stable_short_and_apart() -> None:
    names = ("clients", "evening")
    keys = {some: variants.key(some, names) for some in variants.every(names)}
    assert list(keys.values()) == ["all", "clients", "evening", "clients+evening"]
    assert variants.key({"evening", "letter"}, names) == "evening"
    odd = variants.key({"a+b"}, ("a+b",))
    assert odd != variants.key({"a", "b"}, ("a", "b"))
    assert odd == variants.key(["a+b", "other"], ["a+b", "c"])
    long = variants.key({f"segment-{n}" for n in range(9)}, [f"segment-{n}" for n in range(9)])
    assert len(long) <= variants.LONGEST
    assert variants.key({"all"}, ("all",)) != "all"


def test_mail_text_and_page_say_the_same_choice(tmp_path: Path) -> None:
    made = render.render(
        issue(), PUBLICATION, root=tmp_path, base_url="https://e.example", segments=frozenset({"clients"})
    )
    for part in (fill(made.html, {}), fill(made.text, {})):
        assert "Said to clients." in part
        assert "Said to the others." not in part
        assert "Said on the page." not in part
    page = archive.archive(issue(), PUBLICATION, root=tmp_path, base_url="https://e.example")
    assert "Said on the page." in page
    assert "clients" not in page


def test_one_segment_may_be_named_alone(tmp_path: Path) -> None:
    one = render.render(issue(), PUBLICATION, root=tmp_path, base_url="https://e.example", segment="clients")
    several = render.render(
        issue(), PUBLICATION, root=tmp_path, base_url="https://e.example", segments=frozenset({"clients"})
    )
    assert one == several
