"""Numbers for whoever watches: true, nobody's name in them, and not for everybody."""

from __future__ import annotations

import pytest

from newsletter.core.keys import Scope
from newsletter.flows import keys
from tests.web.conftest import House


def test_they_are_what_the_rows_say(own_house: House) -> None:
    own_house.join("anna@harbour.test", letter="yes")
    own_house.sign_up("ben@harbour.test")
    answer = own_house.get("/metrics")
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    assert 'newsletter_subscribers{state="active"} 1.0' in answer.text
    assert 'newsletter_subscribers{state="pending"} 1.0' in answer.text
    assert "newsletter_paused 0.0" in answer.text


def test_promise_12_there_is_nobody_in_them(own_house: House) -> None:
    who = own_house.join("anna@harbour.test", letter="yes")
    text = own_house.get("/metrics").text
    assert "harbour.test" not in text
    assert who.unsubscribe_token not in text


@pytest.mark.parametrize("header", ["X-Forwarded-For", "Forwarded", "Via"])
def test_whoever_comes_through_a_proxy_finds_no_such_page(house: House, header: str) -> None:
    assert house.get("/metrics", headers={header: "192.0.2.7"}).status_code == 404


def test_a_key_with_the_scope_opens_them_from_anywhere(own_house: House) -> None:
    away = {"X-Forwarded-For": "192.0.2.7"}
    for scopes, status in (([Scope.STATS_READ], 200), ([Scope.SUBSCRIBERS_READ], 404)):
        _, secret = keys.create("Prometheus", scopes, own_house.desk)
        answer = own_house.get("/metrics", headers={**away, "Authorization": f"Bearer {secret}"})
        assert answer.status_code == status
    assert own_house.get("/metrics", headers={**away, "Authorization": "Bearer nothing"}).status_code == 404
    assert own_house.get("/metrics", headers={**away, "Authorization": "Basic x"}).status_code == 404


def test_the_alerts_speak_of_numbers_there_are(own_house: House) -> None:
    import re
    from pathlib import Path

    import yaml

    from newsletter.web.metrics import written

    root = Path(__file__).resolve().parents[2]
    rules = yaml.safe_load((root / "deploy/alerts.yml").read_text("utf-8"))
    there = set(re.findall(r"^# TYPE (\w+)", written(own_house.desk).decode(), re.MULTILINE))
    for group in rules["groups"]:
        for rule in group["rules"]:
            used = set(re.findall(r"newsletter_\w+", rule["expr"]))
            assert used, rule["alert"]
            assert used <= there
            assert (root / rule["annotations"]["runbook"]).exists(), rule["alert"]
