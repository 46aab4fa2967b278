from datetime import timedelta

from newsletter.core.consent import State
from newsletter.web.serve import config


def test_the_whole_walk_from_the_form_to_leaving(house):
    assert house.get("/").status_code == 200
    assert house.sign_up("walk@example.org", letter="yes").status_code == 200
    link = house.link("walk@example.org", "confirm")

    asked = house.get(link).text
    assert "Shall we send you the Tide Notebook?" in asked
    assert "<li>The Sunday letter</li>" in asked
    assert "Yes, send me the Tide Notebook" in asked
    assert house.state("walk@example.org") is State.PENDING

    done = house.post(link).text
    assert "Download the Tide Notebook" in done
    assert "From now on you receive: The Sunday letter." in done
    action = done.partition('<form method="post" action="')[2].partition('"')[0]
    file = house.post(action)
    assert (file.status_code, file.content) == (303, b"")
    got = house.get(file.headers["location"])
    assert got.content == (house.desk.root / "magnets/tide-notebook.pdf").read_bytes()

    who = house.subscriber("walk@example.org")
    assert (who.state, who.topics) == (State.ACTIVE, ("letter",))
    house.letters_to("walk@example.org", 2)
    assert house.post(house.desk.links.unsubscribe(who.unsubscribe_token).removeprefix(house.desk.links.base_url)).ok
    who = house.subscriber("walk@example.org")
    assert (who.state, who.topics) == (State.UNSUBSCRIBED, ())
    assert house.evidence("walk@example.org") == ["request form", "confirm page", "withdraw one-click"]


def test_pressed_again_it_answers_the_same_and_does_nothing_more(house):
    house.sign_up("again@example.org")
    link = house.link("again@example.org", "confirm")
    assert house.post(link).content == house.post(link).content
    house.letters_to("again@example.org", 2)
    assert house.evidence("again@example.org") == ["request form", "confirm page"]
    assert len(house.letters_to("again@example.org", 2)) == 2


def test_the_letter_alone_has_no_download(house):
    house.sign_up("alone@example.org", form="plain")
    link = house.link("alone@example.org", "confirm")
    assert "Yes, write to me" in house.get(link).text
    done = house.post(link).text
    assert "Thank you. We will write to you." in done
    assert "<form" not in done


def test_several_files_have_a_button_each(house):
    house.sign_up("two@example.org", magnet="sheets")
    done = house.post(house.link("two@example.org", "confirm")).text
    action = done.partition('<form method="post" action="')[2].partition('"')[0]
    assert '<button class="button" name="file" value="1">Download read.pdf' in done
    place = house.post(action, data={"file": "1"}).headers["location"]
    assert house.get(place).content == (house.desk.root / "magnets/read.pdf").read_bytes()


def test_that_was_not_me(house):
    house.sign_up("stranger@example.org", letter="yes")
    link = house.link("stranger@example.org", "confirm")
    first = house.post(link, data={"no": "yes"})
    assert (first.status_code, "Thank you for telling us" in first.text) == (200, True)
    assert house.state("stranger@example.org") is State.UNSUBSCRIBED
    assert house.post(link, data={"no": "yes"}).content == first.content
    assert house.post(link).status_code == 410
    assert house.state("stranger@example.org") is State.UNSUBSCRIBED


def test_an_old_link_is_a_page_with_the_form(own_house):
    own_house.sign_up("late@example.org")
    link = own_house.link("late@example.org", "confirm")
    own_house.clock.move(timedelta(days=8))
    for response in (own_house.get(link), own_house.post(link)):
        assert response.status_code == 410
        assert "This link has grown too old" in response.text
        assert 'action="/subscribe"' in response.text
    assert own_house.state("late@example.org") is State.PENDING


def test_a_link_from_before_leaving_revives_nobody(house):
    house.sign_up("back@example.org", letter="yes")
    link = house.link("back@example.org", "confirm")
    house.post(link)
    house.post(f"/unsubscribe/{house.subscriber('back@example.org').unsubscribe_token}")
    assert house.get(link).status_code == house.post(link).status_code == 410
    assert house.state("back@example.org") is State.UNSUBSCRIBED


def test_a_forged_link_is_404_with_the_form(house):
    house.sign_up("forged@example.org")
    link = house.link("forged@example.org", "confirm")
    download = house.desk.links.download(1, house.clock()).removeprefix(house.desk.links.base_url)
    for wrong in (link[:-3] + "AAA", "/confirm/x", "/confirm/" + download.rpartition("/")[2], "/confirm/%00"):
        response = house.post(wrong)
        assert (response.status_code, 'action="/subscribe"' in response.text) == (404, True)


def test_that_was_not_me_is_answered_in_the_language_it_was_asked_in(own_house, run_site):
    (own_house.desk.root / "words").mkdir()
    (own_house.desk.root / "words/de.toml").write_text('[confirm]\nrefused_title = "Danke"\n')
    with run_site(config(own_house.desk, tick_seconds=3600)) as own_house.url:
        own_house.sign_up("fremd@example.org", lang="de")
        link = own_house.link("fremd@example.org", "confirm")
        for _ in range(2):
            assert '<html lang="de"' in own_house.post(link, data={"no": "yes"}).text
