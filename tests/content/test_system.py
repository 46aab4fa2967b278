"""Mail about one request: confirm, here it is, you are already with us."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from selectolax.lexbor import LexborHTMLParser

from newsletter.content import system
from newsletter.core.email import Email, fill
from newsletter.core.publication import Footer, Magnet, Publication, Sender

BASE = "https://letters.example.org"
CONFIRM, DOWNLOAD, LEAVE = f"{BASE}/confirm/c1c1", f"{BASE}/download/d2d2", f"{BASE}/unsubscribe/u3u3"
CARDS = Magnet("Twelve <cards>", "One for each month & day.")
PUBLICATION = Publication(
    name="Quiet Harbour",
    senders={"house": Sender("Quiet Harbour", "letters@letters.example.org", "desk@example.org")},
    footer=Footer(address="4 Mill Lane, Oakham 90210", email="desk@example.org", disclaimer="Not therapy."),
    magnets={"cards": CARDS},
)


def confirm(root: Path, **more: object) -> Email:
    given = {"magnet": CARDS, "topics": ("The weekly letter",), "confirm_url": CONFIRM} | more
    return system.confirm(PUBLICATION, root=root, base_url=BASE + "/", **given)  # type: ignore[arg-type]


def workbook(root: Path, **more: object) -> Email:
    given = {"magnet": CARDS, "topics": ("The weekly letter",), "download_url": DOWNLOAD} | more
    return system.workbook(PUBLICATION, root=root, base_url=BASE, **given)  # type: ignore[arg-type]


def already(root: Path, **more: object) -> Email:
    given = {"magnet": CARDS, "download_url": DOWNLOAD} | more
    return system.already(PUBLICATION, root=root, base_url=BASE, **given)  # type: ignore[arg-type]


EVERY = (confirm, workbook, already)
Kind = Callable[..., Email]


def html(email: Email) -> LexborHTMLParser:
    return LexborHTMLParser(fill(email.html, {}))


def hrefs(email: Email) -> list[str]:
    return [node.attributes["href"] or "" for node in html(email).css("a")]


def shown(email: Email) -> str:
    return " ".join(html(email).body.text().split())  # type: ignore[union-attr]


def plain(email: Email) -> str:
    return fill(email.text, {})


@pytest.mark.parametrize("kind", EVERY)
def test_each_is_literal_and_for_one_person(tmp_path: Path, kind: Kind) -> None:
    email = kind(tmp_path)
    for pieces in (email.subject, email.html, email.text, *(value for _, value in email.headers)):
        assert all(isinstance(piece, str) for piece in pieces)
    assert dict(email.headers)["Auto-Submitted"] == ("auto-generated",)
    assert email.reply_to is not None
    assert email.reply_to.email == "desk@example.org"


@pytest.mark.parametrize("kind", EVERY)
def test_each_says_who_writes_and_where_they_are_in_both_parts(tmp_path: Path, kind: Kind) -> None:
    email = kind(tmp_path)
    assert "Quiet Harbour" in fill(email.subject, {})
    for text in (shown(email), plain(email)):
        assert "4 Mill Lane, Oakham 90210" in text
        assert "Quiet Harbour" in text
    assert html(email).css_first("title").text() == fill(email.subject, {})  # type: ignore[union-attr]


@pytest.mark.parametrize("kind", EVERY)
def test_the_subject_tells_nobody_what_was_asked_for(tmp_path: Path, kind: Kind) -> None:
    assert "cards" not in fill(kind(tmp_path).subject, {})


@pytest.mark.parametrize("kind", EVERY)
def test_the_parts_hold_the_same_links_of_ours_and_load_nothing(tmp_path: Path, kind: Kind) -> None:
    email = kind(tmp_path)
    for url in hrefs(email):
        if url.startswith("https:"):
            assert urlsplit(url).hostname == "letters.example.org"
            assert url in plain(email).split()
    assert html(email).css("img, link, script") == []


@pytest.mark.parametrize("kind", EVERY)
def test_names_are_text_not_markup(tmp_path: Path, kind: Kind) -> None:
    email = kind(tmp_path)
    assert "Twelve <cards>" in shown(email)
    assert "Twelve <cards>" in plain(email)
    assert html(email).css("cards") == []


@pytest.mark.parametrize("kind", EVERY)
def test_the_plain_part_is_wrapped_and_has_no_runs_of_empty_lines(tmp_path: Path, kind: Kind) -> None:
    text = plain(kind(tmp_path))
    assert all(len(line) <= 72 for line in text.splitlines())
    assert "\n\n\n" not in text
    assert "None" not in text


def test_the_confirmation_has_one_button_and_no_list_headers(tmp_path: Path) -> None:
    email = confirm(tmp_path)
    assert [node.attributes["href"] for node in html(email).css("td.button a")] == [CONFIRM]
    assert {name for name, _ in email.headers} == {"Auto-Submitted"}
    assert "unsubscribe" not in fill(email.html, {}).lower()
    assert "The weekly letter" in shown(email)
    assert "works for 7 days" in shown(email)
    assert "Was this not you? Then do nothing" in shown(email)


def test_a_confirmation_of_the_letter_alone_speaks_of_no_download(tmp_path: Path) -> None:
    email = confirm(tmp_path, magnet=None)
    assert "download" not in (fill(email.subject, {}) + shown(email)).lower()
    assert "Asked for: The weekly letter." in shown(email)


def test_a_confirmation_of_the_download_alone_speaks_of_no_letter(tmp_path: Path) -> None:
    assert "asked for:" not in shown(confirm(tmp_path, topics=())).lower()


def test_the_download_is_one_press_away(tmp_path: Path) -> None:
    email = workbook(tmp_path)
    assert [node.attributes["href"] for node in html(email).css("td.button a")] == [DOWNLOAD]
    assert f"{BASE}/free/cards" in hrefs(email)
    assert "works for 90 days" in shown(email)
    assert "Share" not in shown(email)


def test_a_way_out_is_given_when_there_is_something_to_leave(tmp_path: Path) -> None:
    email = workbook(tmp_path, leave_url=LEAVE)
    found = dict(email.headers)
    assert found["List-Unsubscribe"] == (f"<{LEAVE}>",)
    assert found["List-Unsubscribe-Post"] == ("List-Unsubscribe=One-Click",)
    assert LEAVE in hrefs(email)
    assert LEAVE in plain(email)
    assert "List-Unsubscribe" not in dict(workbook(tmp_path).headers)


def test_without_a_resource_the_second_mail_only_says_thank_you(tmp_path: Path) -> None:
    email = workbook(tmp_path, magnet=None, download_url="")
    assert html(email).css("td.button") == []
    assert "download" not in (fill(email.subject, {}) + shown(email)).lower()


def test_a_reader_who_asks_again_gets_the_link_and_is_asked_about_a_new_topic(tmp_path: Path) -> None:
    email = already(tmp_path, confirm_url=CONFIRM, topics=("Workshops",))
    assert [node.attributes["href"] for node in html(email).css("td.button a")] == [DOWNLOAD]
    assert CONFIRM in hrefs(email)
    assert "Workshops" in shown(email)
    assert CONFIRM not in hrefs(already(tmp_path))


def test_a_new_topic_alone_has_the_button(tmp_path: Path) -> None:
    email = already(tmp_path, magnet=None, download_url="", confirm_url=CONFIRM, topics=("Workshops",))
    assert [node.attributes["href"] for node in html(email).css("td.button a")] == [CONFIRM]
    assert "download" not in fill(email.subject, {}).lower()


def test_a_language_that_runs_the_other_way_is_mirrored(tmp_path: Path) -> None:
    root = html(confirm(tmp_path, lang="ar")).css_first("html")
    assert root is not None
    assert (root.attributes["lang"], root.attributes["dir"]) == ("ar", "rtl")


def test_own_words_win(tmp_path: Path) -> None:
    (tmp_path / "words").mkdir()
    (tmp_path / "words" / "en.toml").write_text('[notice.confirm]\ntitle = "Is this you?"\n', "utf-8")
    email = confirm(tmp_path)
    assert html(email).css_first("h1").text() == "Is this\u00a0you?"  # type: ignore[union-attr]
    assert plain(email).startswith("Quiet Harbour\n\nIs this you?\n============")


def test_promise_10_the_same_request_gives_the_same_mail(tmp_path: Path) -> None:
    assert confirm(tmp_path) == confirm(tmp_path)
