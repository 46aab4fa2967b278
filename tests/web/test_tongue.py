"""A browser says which languages its person reads; we speak the best of ours."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsletter.core.links import Purpose
from newsletter.web.tongue import preferred

OURS = {"en", "es", "pt-br"}


@pytest.mark.parametrize(
    ("sent", "lang"),
    [
        ("", ""),
        ("es", "es"),
        ("es-MX,es;q=0.9,en;q=0.8", "es"),
        ("fr-FR, fr;q=0.9, es;q=0.4, en;q=0.5", "en"),
        ("en;q=0.2, ES;q=0.8", "es"),
        ("es;q=0", ""),
        ("pt-BR", "pt-br"),
        ("de", ""),
        ("*", ""),
        ("es;q=x", ""),
        ("es;q=nan", ""),
        ("es;q=7", ""),
        ("es;q=1e400", ""),
        (";;,,;q=", ""),
        ("de," * 30 + "es", ""),
    ],
)
def test_the_best_of_ours(sent, lang):
    assert preferred(sent, OURS) == lang


@given(st.text(max_size=60))
def test_whatever_is_sent_it_is_one_of_ours_or_nothing(sent):
    assert preferred(sent, OURS) in OURS | {""}


SPANISH = {"Accept-Language": "es-MX,es;q=0.9,en;q=0.5"}


def spanish(page: str) -> bool:
    return '<html lang="es"' in page


@pytest.mark.parametrize(
    "path",
    ["/", "/s/plain", "/free-offerings", "/free/tides", "/privacy", "/archive/", "/unsubscribe/x", "/nowhere",
     "/confirm/x", "/download/x", "/preferences/x", "/files/x/y", "/free/nope", "/stop/x"],
)  # fmt: skip
def test_every_page_is_in_the_language_its_reader_prefers(house, path):
    response = house.get(path, headers=SPANISH)
    assert spanish(response.text)
    assert "Accept-Language" in response.headers["vary"]
    assert '<html lang="en"' in house.get(path, headers={"Accept-Language": "fr"}).text


def test_what_is_asked_for_in_the_address_wins(house):
    assert not spanish(house.get("/?lang=en", headers=SPANISH).text)
    assert spanish(house.get("/?lang=es", headers={"Accept-Language": "en"}).text)


@pytest.mark.parametrize("path", ["/unsubscribe/x", "/unsubscribe/x?undo=yes", "/unsubscribe/x?why=often"])
def test_leaving_too(house, path):
    response = house.post(path, headers=SPANISH)
    assert (response.status_code, spanish(response.text)) == (200, True)


def test_and_what_is_refused(house):
    assert spanish(house.post("/subscribe", data=b"x" * 100_000, headers=SPANISH).text)
    assert spanish(house.get("/", headers={**SPANISH, "X-Long": "x" * 9_000}).text)
    assert spanish(house.post("/subscribe", files={"email": ("a", b"x")}, headers=SPANISH).text)
    refused = house.post("/subscribe", data={"email": "a@example.org"}, headers={**SPANISH, "Origin": "https://evil.x"})
    assert (refused.status_code, spanish(refused.text)) == (403, True)


def test_promise_6_the_answer_depends_on_the_browser_and_not_on_the_address(house):
    house.join("known-es@example.org", letter="yes")
    known, new = (
        house.post("/subscribe", data={"email": email}, headers=SPANISH)
        for email in ("known-es@example.org", "new-es@example.org")
    )
    assert known.content == new.content
    assert spanish(known.text)
    assert house.subscriber("new-es@example.org").lang == "es"


def test_a_mail_that_is_asked_for_by_a_copied_form_is_in_that_language(house):
    house.post("/subscribe", data={"email": "copied-es@example.org"}, headers=SPANISH)
    assert "Confirme su dirección" in house.letters_to("copied-es@example.org")[0]


def test_a_page_of_one_person_is_in_the_language_they_chose(house):
    who = house.join("mine-es@example.org", letter="yes", lang="es")
    english = {"Accept-Language": "en"}
    assert spanish(house.get(f"/preferences/{who.unsubscribe_token}", headers=english).text)
    assert spanish(house.get(house.personal(who, Purpose.ERASE), headers=english).text)


def test_an_owners_stop_is_in_the_language_of_their_browser(house):
    house.freeze("parar", begun=False)
    with house.store.read() as tx:
        campaign = tx.campaigns.by_key("parar")
    link = f"/stop/{house.desk.links.stop(campaign.id, house.clock()).rpartition('/')[2]}"
    assert spanish(house.get(link, headers=SPANISH).text)
    assert spanish(house.get(f"{link}?lang=es").text)
    assert spanish(house.post(link, headers=SPANISH).text)
    assert not spanish(house.get(link).text)


def test_no_english_word_is_left_on_a_spanish_page(house):
    for path in ("/", "/unsubscribe/x", "/nowhere", "/confirm/x", "/privacy", "/free/tides"):
        page = house.get(path, headers=SPANISH).text.partition("</style>")[2]
        words = re.sub(
            r"<[^>]+>|Harbour Letters|The Sunday letter|Tide Notebook|A page for each day of a month", " ", page
        )
        words = re.sub(r"In an emergency, call 112|Send me the free", " ", words)
        found = re.findall(r"\b(the|you|your|with|this|letter|from|address|link)\b", words)
        assert not found, (path, found)
