import html
import json
import re
from dataclasses import astuple, replace

import pytest

from newsletter.core import address
from newsletter.core.consent import Change, Reason, State, step
from newsletter.flows.consent import wording
from newsletter.flows.signup import Request
from newsletter.web.pages import Pages
from newsletter.web.signup import ACCEPTED


def bring_to(house, email: str, state: State | None) -> None:
    if state is None:
        return
    if state is State.PENDING:
        house.sign_up(email)
        house.letters_to(email)
        return
    who = house.join(email, letter="yes")
    now = house.clock()
    if state is State.UNSUBSCRIBED:
        house.post(f"/unsubscribe/{who.unsubscribe_token}")
    elif state in {State.BOUNCED, State.COMPLAINED}:
        change = Change.BOUNCE if state is State.BOUNCED else Change.COMPLAINT
        with house.store.begin() as tx:
            hmac = house.desk.hmac(address.parse(email))
            tx.audience.move(who.id, step(who.state, change).state, now, ends_links=True)
            tx.audience.suppress(hmac, Reason(state.value), now)


def answer(response) -> tuple:
    own = {"date"}
    return response.status_code, response.content, {k: v for k, v in response.headers.items() if k.lower() not in own}


STATES = (None, *State)


@pytest.fixture(scope="module")
def people(house):
    """One address in every state, and one nobody knows."""
    people = {state: f"six-{state or 'new'}@example.org" for state in STATES}
    for state, email in people.items():
        bring_to(house, email, state)
        assert house.state(email) == state
    return people


class TestPromise6:
    @pytest.mark.parametrize("extra", [{}, {"letter": "yes"}, {"magnet": "sheets"}, {"form": "plain"}])
    def test_promise_6_the_page_answers_the_same_bytes_for_every_address(self, house, people, extra):
        answers = [answer(house.sign_up(email, **extra)) for email in people.values()]
        assert answers[0][0] == 200
        assert all(one == answers[0] for one in answers)

    def test_promise_6_the_api_answers_the_same_bytes_for_every_address(self, house, people):
        answers = [answer(house.post("/api/subscribe", json={"email": email})) for email in people.values()]
        assert answers[0][:2] == (202, json.dumps(ACCEPTED, separators=(",", ":")).encode())
        assert all(one == answers[0] for one in answers)

    def test_nothing_of_the_request_stands_in_the_answer(self, house):
        page = house.sign_up("seven@example.org", lang="en").text
        assert "seven" not in page
        assert house.sign_up("eight@example.org").text == page


class TestTheForm:
    def text(self, page: str) -> str:
        return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", page.partition("</head>")[2])).split())

    @pytest.mark.parametrize(("path", "form"), [("/", "notebook"), ("/s/notebook", "notebook"), ("/s/plain", "plain")])
    def test_promise_8_it_shows_the_very_words_that_are_kept(self, house, path, form):
        shown = self.text(house.get(path).text)
        for line in astuple(wording(form, house.desk, "en")):
            assert line.rstrip(".") in shown

    def test_promise_8_another_resource_is_promised_by_its_own_name(self, house):
        shown = self.text(house.get("/free/sheets").text)
        assert "Get the Two Sheets" in shown
        assert "Tide Notebook" not in shown
        form = re.search(r'name="form" value="(\w+)"', house.get("/free/sheets").text)
        assert form
        who = house.join("sheets@example.org", form=form[1], magnet="sheets")
        with house.store.read() as tx:
            kept = [(event["wording"] or "", event["source"]) for event in tx.audience.evidence(who.pid)]
        assert [source for _, source in kept] == ["/free/sheets", "/confirm"]
        assert kept[0][0].startswith("Get the Two Sheets\n")

    def test_an_address_of_two_lines_is_the_senders_and_nobody_elses(self, house):
        publication = house.desk.publication
        two = replace(publication, footer=replace(publication.footer, address="3 Quay Street\nPort Ellen"))
        desk = replace(house.desk, publication=two)
        page = Pages(desk, "en").signup("notebook")
        label = re.search(r'<label for="letter">(.*?)</label>', page, re.DOTALL)
        assert label
        assert html.unescape(label[1]) == wording("notebook", desk, "en").box
        assert "3 Quay Street\nPort Ellen" in page

    def test_the_letter_is_offered_unticked(self, house):
        box = re.search(r"<input[^>]*name=\"letter\"[^>]*>", house.get("/").text)
        assert box
        assert "checked" not in box[0]

    def test_a_form_for_the_letter_alone_has_no_box_and_gives_the_letter(self, house):
        assert 'name="letter"' not in house.get("/s/plain").text
        who = house.join("sunday@example.org", form="plain")
        assert who.topics == ("letter",)

    def test_a_long_promise_stands_above_the_field(self, house):
        publication = house.desk.publication
        long = replace(publication.forms["notebook"], wording="Send me the notebook. " * 5)
        desk = replace(house.desk, publication=replace(publication, forms={"notebook": long}))
        page = Pages(desk, "en").signup("notebook")
        assert ("Send me the notebook. " * 5).strip() in page.partition("<label")[0]
        assert "Get the Tide Notebook</button>" in page

    @pytest.mark.parametrize(
        "email", ["", "anna", "anna@", 'a"<script>@example.org', "x" * 5000, "a@b@c", "ä@example.org"]
    )
    def test_what_is_no_address_gets_the_form_again(self, house, email):
        response = house.sign_up(email, letter="yes", magnet="sheets")
        assert response.status_code == 400
        assert response.headers["cache-control"] == "no-store"
        page = response.text
        field = re.search(r'<input id="email"[^>]*>', page)
        assert field
        assert 'aria-invalid="true" aria-describedby="problem"' in field[0]
        assert f'value="{html.escape(email[:254]).replace("&quot;", "&#34;")}"' in field[0]
        assert re.search(r'id="problem" role="alert"><b>Please check:</b> \S', page)
        assert " checked>" in page
        assert 'name="magnet" value="sheets"' in page
        assert "<script>" not in page

    @pytest.mark.parametrize("fields", [{"form": "nope"}, {"magnet": "nope"}])
    def test_what_does_not_exist_is_a_page(self, house, fields):
        response = house.sign_up("nope@example.org", **fields)
        assert response.status_code == 404
        assert "There is no such" in response.text
        assert house.state("nope@example.org") is None
        assert house.get("/s/nope").status_code == 404

    @pytest.mark.parametrize("fields", [{"form": "nope"}, {"magnet": "nope"}])
    def test_also_when_the_address_is_wrong_too(self, house, fields):
        assert house.sign_up("no address", **fields).status_code == 404

    def test_a_file_where_words_belong_is_a_page(self, house):
        response = house.post("/subscribe", files={"email": ("a.txt", b"x")})
        assert response.status_code == 422
        assert "did not arrive whole" in response.text

    @pytest.mark.parametrize("how", [{"json": {"email": "a@example.org"}}, {"data": b"email=a%40example.org"}, {}])
    def test_a_body_of_another_kind_is_an_empty_form(self, house, how):
        assert house.post("/subscribe", **how).status_code == 400

    @pytest.mark.parametrize("lang", ["../../../secret", "xx", "\0", "e" * 60])
    def test_a_language_we_do_not_speak_is_our_own(self, house, lang):
        email = f"lang{len(lang)}@example.org"
        assert house.sign_up(email, lang=lang).status_code == 200
        assert house.subscriber(email).lang == "en"


class TestWhoMaySend:
    @pytest.mark.parametrize(
        "origin", [None, "null", "https://letters.harbour.test", "https://www.harbour.test", "HTTPS://WWW.HARBOUR.TEST"]
    )
    def test_our_own_pages_and_the_listed_ones(self, house, origin):
        headers = {"Origin": origin} if origin else {}
        for path, body in (
            ("/subscribe", {"data": {"email": "o@example.org"}}),
            ("/api/subscribe", {"json": {"email": "o@example.org"}}),
        ):
            assert house.post(path, headers=headers, **body).status_code in {200, 202}

    def test_also_under_the_address_the_visitor_used(self, house):
        assert (
            house.post("/subscribe", data={"email": "o@example.org"}, headers={"Origin": house.url}).status_code == 200
        )

    @pytest.mark.parametrize(
        "origin", ["https://evil.test", "https://www.harbour.test.evil.test", "http://www.harbour.test"]
    )
    def test_a_strangers_page_is_refused_and_nothing_is_kept(self, house, origin):
        response = house.post("/subscribe", data={"email": "csrf@example.org"}, headers={"Origin": origin})
        assert response.status_code == 403
        assert "a page we do not know" in response.text
        response = house.post("/api/subscribe", json={"email": "csrf@example.org"}, headers={"Origin": origin})
        assert (response.status_code, response.headers["content-type"]) == (403, "application/problem+json")
        assert house.state("csrf@example.org") is None

    def test_a_listed_origin_is_listed_for_its_form_alone(self, house):
        sent = house.post(
            "/subscribe",
            data={"email": "o@example.org", "form": "plain"},
            headers={"Origin": "https://www.harbour.test"},
        )
        assert sent.status_code == 403

    def test_only_the_listed_may_frame_the_form_and_its_answer(self, house):
        for response in (
            house.get("/"),
            house.get("/s/notebook"),
            house.sign_up("frame@example.org"),
            house.sign_up("x"),
        ):
            assert "frame-ancestors 'self' https://www.harbour.test" in response.headers["content-security-policy"]
        assert "frame-ancestors 'none'" in house.get("/s/plain").headers["content-security-policy"]


class TestTheApi:
    @pytest.mark.parametrize(
        ("body", "status"),
        [
            ({"email": "no address"}, 400),
            ({"email": "a@example.org", "form": "nope"}, 404),
            ({"email": "a@example.org", "magnet": "nope"}, 404),
            ({}, 422),
            ({"email": 7}, 422),
            ({"email": "a@example.org", "letter": "perhaps"}, 422),
            ({"email": "a@example.org", "letter": 1}, 422),
            ({"email": "a@example.org", "more": 1}, 422),
            ([], 422),
        ],
    )
    def test_problems_are_json_and_repeat_nothing(self, house, body, status):
        response = house.post("/api/subscribe", json=body)
        assert response.status_code == status
        assert response.headers["content-type"] == "application/problem+json"
        problem = response.json()
        assert problem["status"] == status
        assert problem["detail"]
        assert "a@example.org" not in response.text
        assert "no address" not in response.text

    @pytest.mark.parametrize("body", [b"{", b"\xff", b'{"email": "\\ud800@example.org"}'])
    def test_what_is_no_json_is_a_problem_too(self, house, body):
        response = house.post("/api/subscribe", data=body, headers={"Content-Type": "application/json"})
        assert response.status_code in {400, 422}
        assert response.headers["content-type"] == "application/problem+json"

    def test_it_does_what_the_form_does(self, house):
        house.post("/api/subscribe", json={"email": "api@example.org", "letter": True})
        house.post(house.link("api@example.org", "confirm"))
        assert house.subscriber("api@example.org").topics == ("letter",)


def test_a_signup_wakes_the_worker(own_house):
    """The house ticks once an hour; the mail is there at once all the same."""
    own_house.sign_up("soon@example.org")
    assert len(own_house.letters_to("soon@example.org")) == 1


def test_the_fields_are_those_of_the_flow():
    assert list(Request.__dataclass_fields__) == ["email", "form", "magnet", "letter", "lang", "source"]
