"""What mail programs do not know: features found in a mail, and those the built-in theme answers for."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

import pytest

from newsletter.content import check, library, render
from newsletter.content.checks import clients, mail
from newsletter.core.problem import Level
from newsletter.core.publication import Publication

KITCHEN = """---
subject: Every block
preheader: All that a letter can hold, once, so that nothing is sent that was not looked at before.
image:
  src: images/pier.png
  alt: A pier
contents: true
share: true
feedback: true
nearby: true
---

Dear {{ first_name, "friend" }}, **bold**, _italic_, ~~struck~~, `code`, [a link](https://study.example/a).

## 🌱 A heading

### A smaller one

- one
- two

1. first
2. second

> A sentence.
> — Somebody

![A pier](images/pier.png "Caption")

[A button](https://study.example/b){.button}

***

| Day | Hours |
| --- | ---: |
| Monday | nine |

::: callout Try this
Sit down.
:::

> [!TIP]
> Stand up.

::: card
![A pier](images/pier.png)

A few words, and then as many more as a letter should have, so that nobody asks whether something is missing in it.
:::

::: magnet workbook
:::

::: columns
::: column
Left.
:::
::: column
Right.
:::
:::

::: only web
On the page.
:::

```
code
```
"""


@pytest.mark.parametrize(
    ("html", "slug"),
    [
        ('<p style="display:grid">a</p>', "css-display-grid"),
        ('<p style="display: flex">a</p>', "css-display-flex"),
        ('<p style="gap:4px">a</p>', "css-gap"),
        ('<p style="width:calc(100% - 2px)">a</p>', "css-unit-calc"),
        ('<p style="color:var(--a)">a</p>', "css-variables"),
        ('<p style="position:absolute">a</p>', "css-position"),
        ("<style>.a:has(b){color:red}</style>", "css-pseudo-class-has"),
        ("<style>.a{& b{color:red}}</style>", "css-nesting"),
        ("<style>@media (hover){.a{color:red}}</style>", "css-at-media-hover"),
        ("<style>@supports (gap:1px){.a{gap:1px}}</style>", "css-at-supports"),
        ("<style>@font-face{font-family:a}</style>", "css-at-font-face"),
        ("<video></video>", "html-video"),
        ("<svg></svg>", "html-svg"),
        ('<img src="https://a.example/b.webp">', "image-webp"),
        ('<img src="data:image/png;base64,aa">', "image-base64"),
        ('<img srcset="a 2x">', "html-srcset"),
    ],
)
def test_a_feature_is_found(html: str, slug: str) -> None:
    assert slug in clients.features(html)
    assert clients.table()[slug].not_in


def test_what_everybody_knows_is_no_feature() -> None:
    html = (
        '<table width="600"><tr><td style="color:#123456;padding:4px;font-size:16px" align="left">a</td></tr></table>'
    )
    assert clients.features(html) <= {"html-body"}


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("a<!--[if mso]><style>b</style><![endif]-->c", "ac"),
        ("a<!--[if mso | IE]>b<![endif]-->c", "ac"),
        ("a<!--[if !mso]><!-->b<!--<![endif]-->c", "abc"),
        ("a<!--[if !mso]><!-->b<!--<![endif]-->c<!--[if mso]>d<![endif]-->e", "abce"),
    ],
)
def test_what_is_for_outlook_alone_is_left_out(before: str, after: str) -> None:
    assert mail.seen((before,)) == after


def kitchen(root: Path, publication: Publication) -> str:
    from PIL import Image

    (root / "images").mkdir()
    Image.new("RGB", (1200, 600), "white").save(root / "images/pier.png")
    path = root / "issues" / "2026-12-02-kitchen.md"
    path.write_text(KITCHEN, "utf-8")
    issue = library.load(path, publication, root)
    assert issue.problems == ()
    email = render.render(issue, publication, root=root, base_url="https://letters.quiet.example")
    assert check.check(issue, publication, root, email=email) == ()
    return mail.seen(email.html)


def test_the_built_in_theme_uses_nothing_it_does_not_answer_for(root: Path, publication: Publication) -> None:
    """A new feature is either left out again, or written into baseline.toml with what becomes of it."""
    used = clients.features(kitchen(root, publication))
    assert {slug: clients.table()[slug].not_in for slug in used - clients.baseline().keys()} == {}


def test_the_baseline_names_features_and_says_what_becomes_of_them() -> None:
    assert clients.baseline().keys() <= clients.table().keys()
    assert all(len(why.split()) > 3 for why in clients.baseline().values())


def test_the_table_ships_with_its_licence_and_is_small() -> None:
    text = (resources.files("newsletter.content.checks") / "caniemail.json").read_text("utf-8")
    assert len(text) < 300_000
    assert "MIT License. Copyright (c)" in text
    assert "caniemail" in text


def test_a_template_of_the_publication_that_goes_beyond_is_told_once(root: Path, publication: Publication) -> None:
    folder = root / "templates" / "email"
    folder.mkdir(parents=True)
    css = (Path(__file__).resolve().parents[2] / "templates/email/mail.css").read_text("utf-8")
    (folder / "mail.css").write_text(css + "\n.paper{filter:blur(1px)}\n", "utf-8")
    told = set()
    for name in ("2026-12-01-quiet.md", "2026-12-01-quiet.md"):
        issue = library.load(root / "issues" / name, publication, root)
        email = render.render(issue, publication, root=root, base_url="https://letters.quiet.example")
        told |= {one for one in check.check(issue, publication, root, email=email) if one.code == "E305"}
    (one,) = told
    assert (one.file, one.line, one.level) == ("templates/themes/letter.toml", 0, Level.ERROR)
    assert one.message.startswith("filter does nothing in ")
