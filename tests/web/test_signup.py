import html
import json
import re
import sqlite3
from contextlib import closing
from dataclasses import astuple, replace

import pytest

from newsletter.core import address
from newsletter.core.consent import Change, Reason, State, step
from newsletter.flows.consent import wording
from newsletter.flows.signup import Request
from newsletter.web.pages import Pages
from newsletter.web.serve import config as site_config
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
    assert list(Request.__dataclass_fields__) == ["email", "form", "magnet", "letter", "lang", "source", "visit"]


def form_of(page: str) -> dict[str, str]:
    """The hidden fields of the form in a page, and the trap, as a browser sends them."""
    hidden = re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', page)
    trap = {"comment": ""} if 'id="comment"' in page else {}
    return trap | {name: html.unescape(value) for name, value in hidden}


class TestWhoComes:
    def test_a_person_who_reads_the_page_is_the_usual_case(self, own_house):
        fields = form_of(own_house.get("/").text)
        own_house.clock.move(4)
        own_house.post("/subscribe", data={"email": "read@example.org", **fields})
        own_house.sign_up("copied@example.org")
        assert lanes(own_house) == [("read@example.org", 1), ("copied@example.org", 2)]

    @pytest.mark.parametrize("fields", [{"comment": "Buy this"}, {"stamp": "W10.aw8EGA.x"}, {"stamp": "0"}])
    @pytest.mark.parametrize("api", [False, True])
    def test_a_program_gets_the_same_answer_and_leaves_nothing(self, house, fields, api):
        if api:
            first = house.post("/api/subscribe", json={"email": "one@example.org"})
            with house.unchanged():
                second = house.post("/api/subscribe", json={"email": "bot@example.org", **fields})
        else:
            first = house.sign_up("one@example.org")
            with house.unchanged():
                second = house.sign_up("bot@example.org", **fields)
        assert answer(first) == answer(second)
        assert house.state("bot@example.org") is None

    def test_whose_browser_fills_what_nobody_sees_gets_through_by_asking_again(self, house):
        page = house.sign_up("filled@example.org", comment="filled by itself").text
        back = re.search(r'href="(/s/notebook\?again=yes)"', page)
        assert back
        again = house.get(back[1]).text
        assert "comment" not in again
        assert "comment" not in house.get("/free/tides?again=yes").text
        house.sign_up("filled@example.org", **form_of(again))
        assert house.state("filled@example.org") is State.PENDING

    def test_the_trap_is_for_no_person(self, house):
        trap = re.search(r'<p class="aside" aria-hidden="true">.*?</p>', house.get("/").text)
        assert trap
        assert 'autocomplete="off" tabindex="-1"' in trap[0]

    def test_a_proxy_that_is_trusted_tells_networks_apart(self, tmp_path, run_site, build_house):
        house = build_house(tmp_path)
        with closing(house.store), house.http, run_site(site_config(house.desk, ("127.0.0.1",), 3600)) as house.url:
            for number in range(7):
                sent = {"X-Forwarded-For": "192.0.2.7"}
                house.post("/subscribe", data={"email": f"n{number}@example.org"}, headers=sent)
            house.post("/subscribe", data={"email": "m@example.org"}, headers={"X-Forwarded-For": "192.0.2.8"})
            assert [lane for _, lane in lanes(house)] == [2, 2, 2, 2, 2, 3, 3, 2]


def lanes(house) -> list[tuple[str, int]]:
    with closing(sqlite3.connect(house.database)) as raw:
        query = "SELECT email, lane FROM signups JOIN subscribers s ON s.id = subscriber_id ORDER BY signups.id"
        return raw.execute(query).fetchall()


class TestASlip:
    def test_two_buttons_and_nothing_is_written_before_one_is_pressed(self, house):
        fields = {"letter": "yes", "magnet": "sheets", "stamp": "", "form": "plain"}
        with house.unchanged():
            page = house.post("/subscribe", data={"email": " Ann@gmial.com ", **fields})
        assert page.status_code == 200
        assert page.headers["cache-control"] == "no-store"
        buttons = re.findall(r'<button[^>]* name="email" value="([^"]+)">', page.text)
        assert buttons == ["Ann@gmail.com", "Ann@gmial.com"]
        kept = form_of(page.text)
        assert kept["sure"] == "yes"
        for email in buttons:
            assert (
                house.post("/subscribe", data={**kept, "email": email}).text.count("<h1>Please look in your inbox") == 1
            )
            assert house.state(email) is State.PENDING

    @pytest.mark.parametrize("wrong", [{"magnet": "nope"}, {"form": "nope"}])
    def test_nothing_is_asked_about_a_form_that_is_not_there(self, house, wrong):
        page = house.post("/subscribe", data={"email": "ann@gmial.com", **wrong})
        assert page.status_code == 404
        assert "gmail" not in page.text

    def test_what_was_typed_is_escaped_and_kept(self, house):
        page = house.sign_up("a&b@gmial.com", lang="es", comment="x").text
        assert 'value="a&amp;b@gmail.com"' in page
        assert form_of(page)["comment"] == "x"
        assert '<html lang="es"' in page


class TestLanguages:
    @pytest.mark.parametrize("path", ["/", "/s/plain", "/free-offerings", "/free/tides", "/privacy", "/archive/"])
    def test_a_public_page_speaks_what_is_asked_for(self, house, path):
        page = house.get(f"{path}?lang=es").text
        assert '<html lang="es" dir="ltr">' in page
        assert f'<link rel="canonical" href="https://letters.harbour.test{path}?lang=es">' in page
        assert house.get(f"{path}?lang=xx").text == house.get(path).text

    def test_promise_8_what_is_asked_in_spanish_is_kept_in_spanish(self, house):
        fields = form_of(house.get("/s/notebook?lang=es").text)
        assert fields["lang"] == "es"
        assert '<html lang="es"' in house.sign_up("ana@example.org", **fields).text
        assert "Confirme su dirección" in house.letters_to("ana@example.org")[0]
        who = house.subscriber("ana@example.org")
        with house.store.read() as tx:
            wording = tx.audience.evidence(who.pid)[0]["wording"]
        assert wording.startswith("Obtener «Tide Notebook»\nQuiero recibir de Harbour Letters: The Sunday letter.\n")
        link = house.link("ana@example.org", "confirm")
        assert "Sí, envíenme «Tide Notebook»" in house.get(link).text
        assert "Aquí está «Tide Notebook»" in house.post(link).text

    def test_what_is_wrong_is_said_in_the_same_language(self, house):
        page = house.sign_up("ana@example", lang="es").text
        assert "Esto no parece una dirección de correo." in page
        problem = house.post("/api/subscribe", json={"email": "ana@example", "lang": "es"}).json()
        assert problem["detail"].startswith("Esto no parece")

    def test_a_spanish_publication_has_spanish_troubles(self, tmp_path, open_a_house, house):
        spanish = replace(house.desk.publication, language="es")
        with open_a_house(tmp_path, spanish) as opened:
            for path in ("/nowhere", "/free/nope", "/confirm/x", "/download/x", "/preferences/x"):
                words = re.sub(r"<style>.*?</style>|<[^>]+>", " ", opened.get(path).text, flags=re.DOTALL)
                assert "enlace" in words or "dirección" in words
                assert not re.search(r"\b(link|form|again|address)\b", words.partition("Harbour Letters")[2].lower()), (
                    path
                )
