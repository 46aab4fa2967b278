"""The pages as documents: words complete, escaped, and whole in every state."""

import re
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

import newsletter.web
from newsletter.content import templates
from newsletter.content.words import words
from newsletter.core.campaign import Campaign, CampaignState, Counts
from newsletter.core.delivery import Capabilities
from newsletter.flows.brake import Stoppable
from newsletter.flows.leave import REASONS
from newsletter.flows.preferences import Choices
from newsletter.flows.signup import Asked, Confirmed
from newsletter.testing import FakeProvider
from newsletter.web.pages import Pages, Trouble

HOSTILE = "<b>\"&'{{ 7 * 7 }}</b>"


def stoppable(state: CampaignState) -> Stoppable:
    """A letter as the owner's Stop shows it."""
    at = datetime(2026, 12, 1, tzinfo=UTC)
    campaign = Campaign(1, "p", "quiet", HOSTILE, ("all",), "", state, "outbox", 9, {}, 1, at, at, None)
    return Stoppable(campaign, Counts(audience=9, submitted=4, pending=5))


def every(desk) -> dict[str, str]:
    """Every page in every state."""
    pages = Pages(desk, "en")
    url = desk.links.download(1, desk.now())
    return {
        "front": pages.signup("notebook"),
        "plain": pages.signup("plain"),
        "again": pages.signup("notebook", email=HOSTILE, letter=True, problem="Look."),
        "sent": pages.sent("notebook"),
        "confirm": pages.confirm(Asked("tides", ("letter",), "en")),
        "confirm gone": pages.confirm(Asked("gone", ("letter",), "en")),
        "confirm letter": pages.confirm(Asked("", ("letter",), "en")),
        "confirmed": pages.confirmed(Confirmed("tides", ("letter",), url, "en")),
        "confirmed elsewhere": pages.confirmed(Confirmed("film", (), url, "en")),
        "confirmed letter": pages.confirmed(Confirmed("", ("letter",), None, "en")),
        "refused": pages.refused(),
        "download": pages.download("sheets"),
        "leave": pages.leave(),
        "left": pages.left(),
        "undone": pages.undone(),
        "told": pages.told(),
        "preferences": pages.preferences("t", Choices(("letter",), "en", reads=True), saved=True),
        "preferences gone": pages.preferences("t", Choices((), "en", reads=False)),
        "asked": pages.asked(),
        "export": pages.export(),
        "erase": pages.erase(),
        "erased": pages.erased(),
        "stop": pages.stop(stoppable(CampaignState.SENDING)),
        "stopped": pages.stop(stoppable(CampaignState.PAUSED)),
        "over": pages.stop(stoppable(CampaignState.FINISHED)),
        "letters": pages.letters([]),
        "privacy": pages.privacy(),
        "offerings": pages.offerings(),
        "free": pages.free("tides"),
        "elsewhere": pages.free("film"),
        "trouble": pages.trouble(Trouble("Title", ("Line.",))),
        "expired": pages.trouble(Trouble("Title", ("Line.",), form=True)),
        "broken": pages.trouble(Trouble("Title", ("Line.",), broken=True)),
    }


def test_every_page_is_whole(house):
    for name, page in every(house.desk).items():
        assert page.startswith("<!doctype html>"), name
        assert page.rstrip().endswith("</html>")
        assert page.count("<h1>") == 1
        assert '<html lang="en" dir="ltr">' in page
        assert "{{" not in page.replace(HOSTILE, "").replace("{{ 7 * 7 }}", "")
        ids = re.findall(r'\bid="([^"]+)"', page)
        assert len(ids) == len(set(ids))
        assert set(re.findall(r'(?:for|aria-describedby)="([^"]+)"', page)) <= set(ids)


def test_what_was_typed_and_what_the_owner_wrote_is_escaped(house):
    publication = house.desk.publication
    magnets = {key: replace(magnet, title=HOSTILE, about=HOSTILE) for key, magnet in publication.magnets.items()}
    evil = replace(
        publication,
        name=HOSTILE,
        magnets=magnets,
        topics={"letter": HOSTILE},
        footer=replace(publication.footer, address=HOSTILE, phone=HOSTILE, email=HOSTILE, disclaimer=HOSTILE),
        crisis_text=HOSTILE,
        health_privacy_url="https://x.test/?" + HOSTILE,
    )
    for name, page in every(replace(house.desk, publication=evil)).items():
        assert "<b>" not in page.replace("<b>Please check:</b>", ""), name
        assert not re.search(r'="[^"]*<', page), name


def test_every_word_of_the_pages_exists_and_is_used(house):
    sources = [
        path.read_text() for folder in ("pages", "embed") for path in (templates.builtin() / folder).glob("*.html")
    ]
    sources += [path.read_text() for path in Path(newsletter.web.__file__).parent.glob("*.py")]
    said = set(
        re.findall(
            r'"((?:signup|confirm|download|free|embed|leave|prefs|page|privacy|stop|mail)\.[a-z_]+)"',
            "\n".join(sources),
        )
    )
    known = words("en")
    said -= {"leave.why_"}  # the beginning of several
    assert said <= set(known)
    ours = {
        key
        for key in known
        if key.partition(".")[0]
        in {"signup", "confirm", "download", "free", "embed", "leave", "prefs", "page", "privacy", "stop"}
    }
    elsewhere = {"signup.wording", "signup.box", "prefs.topics"}  # flows/ says these
    assert ours - said - elsewhere == {f"leave.why_{reason}" for reason in REASONS}


def test_a_publications_own_words_and_templates_win(house, tmp_path):
    (tmp_path / "words").mkdir()
    (tmp_path / "words/en.toml").write_text('[leave]\ntitle = "Enough of us?"\n')
    (tmp_path / "templates/pages").mkdir(parents=True)
    (tmp_path / "templates/pages/left.html").write_text(
        '{% extends "pages/base.html" %}{% block main %}Bye{% endblock %}'
    )
    pages = Pages(replace(house.desk, root=tmp_path), "en")
    assert "<h1>Enough of us?</h1>" in pages.leave()
    assert "Bye</main>" in pages.left().replace("\n", "")


def test_a_language_is_one_with_a_catalogue(house, tmp_path):
    (tmp_path / "words").mkdir()
    (tmp_path / "words/ar.toml").write_text('[leave]\ntitle = "وداعا"\n')
    pages = Pages(replace(house.desk, root=tmp_path), "en")
    assert pages.languages == {"en", "es", "ar"}
    assert '<html lang="ar" dir="rtl">' in pages.within("ar").leave()
    assert pages.within("../ar") is pages


@pytest.mark.parametrize("name", ["form", "magnet"])
def test_what_does_not_exist_is_a_key_error(house, name):
    pages = Pages(house.desk, "en")
    with pytest.raises(KeyError):
        pages.signup("nope") if name == "form" else pages.free("nope")


def test_the_carrier_of_our_mail_is_named_when_there_is_one(house):
    assert "carried by" not in Pages(house.desk, "en").privacy()
    postmark = FakeProvider(name="postmark", capabilities=Capabilities(network=True))
    page = Pages(replace(house.desk, provider=postmark, transactional=postmark), "en").privacy()
    assert page.count("Our mail is carried by Postmark.") == 1
