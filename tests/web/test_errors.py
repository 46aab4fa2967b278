import pytest
import requests

from newsletter import errors as tree
from newsletter.errors import (
    AddressRefused,
    ContentError,
    LinkExpired,
    LinkRefused,
    NewsletterError,
    NotFound,
    SchemaError,
)
from newsletter.web import errors
from newsletter.web.pages import Pages
from newsletter.web.serve import config
from newsletter.web.site import site


def everything_below(kind):
    return [kind, *(one for below in kind.__subclasses__() for one in everything_below(below))]


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (LinkExpired("a", "b"), 410),
        (LinkRefused("a", "b"), 404),
        (AddressRefused("a", "b"), 400),
        (NotFound("a", "b"), 404),
        (SchemaError("a", "b"), 500),
        (ContentError([]), 500),
        (NewsletterError("a", "b"), 500),
    ],
)
def test_the_table(error, status):
    assert errors.answer_to(error).status == status


def test_every_error_of_the_tree_has_a_row():
    kinds = everything_below(tree.NewsletterError)
    assert len(kinds) > 10
    for kind in kinds:
        assert any(issubclass(kind, known) for known, _ in errors.TABLE)


def test_the_special_stands_before_the_general():
    kinds = [kind for kind, _ in errors.TABLE]
    for at, kind in enumerate(kinds):
        assert not any(issubclass(later, kind) for later in kinds[at + 1 :])


def test_every_answer_has_its_words(house):
    pages = Pages(house.desk, "en")
    for answer in [*errors.STATUS.values(), *(answer for _, answer in errors.TABLE)]:
        assert pages.say(answer.title)
        assert all(pages.say(line) for line in answer.lines)
        assert pages.say(answer.back_words)


def test_a_page_says_what_happened_and_what_to_do_next(house):
    response = house.get("/nowhere")
    assert response.status_code == 404
    assert "This page is not here" in response.text
    assert '<a class="alone" href="/">To the first page</a>' in response.text


def test_a_missing_page_of_the_api_is_json(house):
    response = house.get("/api/nowhere")
    assert (response.status_code, response.json()["status"]) == (404, 404)
    assert response.headers["content-type"] == "application/problem+json"


def test_what_only_the_owner_can_mend_is_told_to_the_log_and_not_to_visitors(tmp_path, open_a_house, run_site, caplog):
    with open_a_house(tmp_path) as house:
        app = site(house.desk)

        @app.get("/broken")
        def broken() -> None:
            raise SchemaError("The table of somebody@example.org is gone.", "Restore it.")

        settings = config(house.desk)
        settings.app = app
        with run_site(settings) as url:
            response = requests.get(url + "/broken", timeout=10)
        assert response.status_code == 500
        assert "Something is wrong on our side" in response.text
        assert "hello@harbour.test" in response.text
        assert "table" not in response.text
        assert "GET /broken broke: SchemaError at test_errors.py:" in caplog.text
        assert "somebody" not in caplog.text  # promise 12
