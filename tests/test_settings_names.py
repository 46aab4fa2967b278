"""Names and addresses of newsletter.yml that lead nowhere: refused at the door, each with its line."""

from __future__ import annotations

from pathlib import Path

import pytest

from newsletter.errors import SettingsError
from newsletter.settings import load

FILE = """name: Quiet Letters
senders:
  us: {name: Quiet Letters, email: letters@quiet.example}
topics: {workshops: Workshops}
"""


def said(folder: Path, more: str) -> str:
    (folder / "newsletter.yml").write_text(FILE + more, "utf-8")
    with pytest.raises(SettingsError) as refused:
        load(folder, {})
    return refused.value.what


@pytest.mark.parametrize(
    ("more", "what"),
    [
        (
            "forms:\n  plain: {topics: [letter, workshop]}",
            '6:11: forms.plain.topics: there is no topic "workshop". Did you mean "workshops"?',
        ),
        ("segments:\n  near: topic(zzz)", '6:9: segments.near: there is no topic "zzz". Add it under topics:'),
        ("segments:\n  near: everybody", "6:9: segments.near: this should be all, or topic(name)"),
        ("footer:\n  website: javascript:alert(1)", "6:12: footer.website: this should be a whole address"),
        ("footer:\n  website: www.quiet.example", "6:12: footer.website: this should be a whole address"),
        ("health_privacy_url: quiet.example/privacy", "5:21: health_privacy_url: this should be a whole address"),
        ("magnets:\n  film: {title: A Film, url: 'data:text/html,a'}", "6:30: magnets.film.url: this should be"),
        ("authors:\n  ada: {name: Ada, url: 'https://a@b.example'}", "6:25: authors.ada.url: this should be"),
        ("old_unsubscribe: /leave", "5:18: old_unsubscribe: this should be a path that begins with / and has {id}"),
    ],
)
def test_promise_11_what_leads_nowhere_has_its_line(tmp_path: Path, more: str, what: str) -> None:
    assert f"newsletter.yml:{what}" in said(tmp_path, more)


def test_what_leads_somewhere_is_taken(tmp_path: Path) -> None:
    more = (
        "segments: {every: all, near: topic(workshops), readers: letter}\nforms: {plain: {topics: [letter, workshops]}}"
    )
    site = "footer:\n  website: https://www.quiet.example/?a=b"
    (tmp_path / "newsletter.yml").write_text(f"{FILE}{more}\n{site}\n", "utf-8")
    assert load(tmp_path, {}).publication().footer.website.endswith("a=b")
