"""The editor in the browser changes what was typed and nothing else: real Chromium, real Sveltia CMS, no network."""

from __future__ import annotations

import functools
import re
import threading
from collections.abc import Iterator
from datetime import date
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml

from newsletter.content import library
from newsletter.core.publication import Author, Footer, Magnet, Publication, Sender
from newsletter.flows import starter

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.filterwarnings("ignore::ResourceWarning")]

PUBLICATION = Publication(
    name="Quiet Harbour",
    senders={"house": Sender("Quiet Harbour", "a@quiet.example")},
    footer=Footer(address="4 Mill Lane, Oakham, CA 90210"),
    topics={"workshops": "Workshops"},
    fields={"first_name": "friend"},
    magnets={"workbook": Magnet("Workbook", "Pages.", ("magnets/w.pdf",))},
    authors={"ada": Author("Ada")},
    segments={"clients": "topic(workshops)"},
)
EVERYTHING = """---
subject: 'Rest: a beginning'
preheader: Every line that an issue can have at its top, and every block that it can have in its text.
title: A beginning
date: 2026-12-01
send_at: 09:30
draft: false
audience:
  - all
from: house
reply_to: b@quiet.example
lang: en
dir: ltr
slug: a-beginning
number: 12
tags:
  - rest
summary: About rest.
canonical_url: https://quiet.example/rest
archive: false
author: ada
image:
  src: images/chair.jpg
  alt: A chair by a window
  caption: A chair
  link: https://quiet.example/chair
magnet: workbook
feedback: true
contents: false
share: true
nearby: false
theme: letter
plain: text/rest.txt
ignore:
  - code: W304
    why: It is an example.
x_own: kept
---

Hello {{ first_name, "friend" }}, **bold**, _quiet_, ~~gone~~ and a [link](https://quiet.example/a_b?x=1&y=2).

## 💡 A heading

- What comes up?
    - And below it?

1. First
2. Second

### A smaller one

> The body keeps the appointment.
> — Lena Okafor

> [!TIP]
> A callout as others write it.

::: callout Try this
Step outside.

- Notice one sound
:::

::: columns
::: column
**Left**
:::
::: column
Right
:::
:::

::: card
Twelve exercises.

[Take them](https://quiet.example/take){.button}
:::

::: magnet workbook
:::

::: only clients
::: callout Monday
Evenings are open.
:::
:::

::: not clients
Or come on Friday.
:::

::: poll helpful
Was it good?

- Yes
- No
:::

![A stone](images/stone.jpg "Something to hold")

| Day | Hours |
| --- | --- |
| Monday | 9–17 |

***

{{ snippet "night-line" }}

::: author ada
:::
"""
LITTLE = "---\nsubject: A little\ndate: 2026-12-08\n---\n\nWords.\n"
FILES = {"2026-12-01-a-beginning.md": EVERYTHING, "2026-12-08-a-little.md": LITTLE}
_WRITE = """async (files) => {
  const base = await (await navigator.storage.getDirectory()).getDirectoryHandle('sveltia-cms-test', {create: true});
  const folder = await base.getDirectoryHandle('issues', {create: true});
  for (const [name, text] of Object.entries(files)) {
    const file = await (await folder.getFileHandle(name, {create: true})).createWritable();
    await file.write(text);
    await file.close();
  }
}"""
_READ = """async (name) => {
  const base = await (await navigator.storage.getDirectory()).getDirectoryHandle('sveltia-cms-test');
  return (await (await (await base.getDirectoryHandle('issues')).getFileHandle(name)).getFile()).text();
}"""
_SAVED = f"""async (name) => {{
  for (let tries = 0; tries < 1200; tries += 1) {{
    const text = await ({_READ})(name).catch(() => '');
    if (text.includes('Typed.')) return text;
    await new Promise((again) => setTimeout(again, 50));
  }}
  return '';
}}"""


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def editor(tmp_path: Path) -> Iterator[str]:
    """The editor's page over HTTP, with Sveltia's own folder in the browser in the place of GitHub."""
    starter.editor(tmp_path, PUBLICATION)
    path = tmp_path / "admin/config.yml"
    config = yaml.safe_load(path.read_text("utf-8"))
    config["backend"] = {"name": "test-repo"}
    del config["publish_mode"]  # the browser's folder has no pull requests
    path.write_text(yaml.safe_dump(config), "utf-8")
    server = ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(tmp_path)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/admin/index.html"
    server.shutdown()
    server.server_close()


@pytest.fixture
def page(editor: str) -> Iterator[Any]:
    """The editor, signed in to two letters; nothing comes from elsewhere."""
    api = pytest.importorskip("playwright.sync_api")
    with api.sync_playwright() as play:
        browser = play.chromium.launch(executable_path="/usr/bin/chromium", args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1400, "height": 2600})
        ours = re.compile(r"(http://127\.0\.0\.1|blob:|data:)")
        page.route("**/*", lambda route: route.continue_() if ours.match(route.request.url) else route.abort())
        page.goto(editor)
        page.evaluate(_WRITE, FILES)
        page.get_by_role("button", name=re.compile("Test")).click()
        page.get_by_text("A little").first.wait_for(timeout=60_000)
        yield page
        browser.close()


def test_promise_10_what_was_not_typed_is_not_changed(editor: str, page: Any, tmp_path: Path) -> None:
    page.goto(f"{editor}#/collections/issues/new")
    text = page.locator("[role=textbox][contenteditable=true]").first
    text.wait_for(timeout=60_000)
    page.get_by_role("textbox", name="Subject").first.fill("Rest: what it is")
    page.locator("input[type=date]").first.fill("2026-12-15")
    text.click()
    page.keyboard.type("Hello. Typed.")
    new = save(page, "2026-12-15-rest-what-it-is.md")
    assert new == "---\nsubject: 'Rest: what it is'\ndate: 2026-12-15\n---\n\nHello. Typed.\n"
    issue = library.read(new, tmp_path / "issues" / "2026-12-15-rest-what-it-is.md", PUBLICATION, tmp_path)
    assert (issue.date, issue.draft, issue.problems) == (date(2026, 12, 15), True, ())

    for name, before in FILES.items():
        page.goto(f"{editor}#/collections/issues/entries/{name.removesuffix('.md')}")
        first = before.partition("---\n\n")[2].partition("\n")[0]
        text = page.locator("[role=textbox][contenteditable=true] > p", has_text=first[:5]).first
        text.wait_for(timeout=60_000)
        text.click()
        page.keyboard.press("End")
        page.keyboard.type(" Typed.")
        saved = save(page, name)
        assert saved == before.replace(first, f"{first} Typed.", 1)


def save(page: Any, name: str) -> str:
    """Press Save as soon as the preview beside the text shows what was typed; the file, when the list is back."""
    page.get_by_text("Typed.").nth(1).wait_for(state="attached", timeout=60_000)
    page.get_by_role("button", name="Save", exact=True).first.click()
    page.wait_for_url(re.compile(r"#/collections/issues$"), timeout=60_000)
    return str(page.evaluate(_SAVED, name))
