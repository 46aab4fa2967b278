"""`newsletter keys`: shown once, listed without secrets, ended at once; the one that signs links is made new."""

from __future__ import annotations

import json
from typing import Any

import pytest

from newsletter.app import make_room, open_app
from newsletter.cli import exits
from newsletter.core.links import Links, Purpose
from newsletter.errors import AccessRefused
from newsletter.flows import keys
from newsletter.settings import load


def test_a_key_is_made_listed_and_revoked(cli: Any) -> None:
    assert cli("keys", "create", "--scope", "stats:read", "--scope", "campaigns:read", "--label", "the board") == 0
    key = cli.out.strip()
    assert key.startswith("nl_")
    assert "this once" in cli.err
    (kept,) = cli.json("keys", "list")
    assert (kept["label"], kept["scopes"], kept["used_on"]) == ("the board", ["stats:read", "campaigns:read"], None)
    assert key[-20:] not in cli.out
    assert cli("keys", "list") == 0
    assert "never" in cli.out
    assert cli("keys", "rotate", kept["id"]) == 0
    new = cli.out.strip()
    assert new != key
    with open_app(cli.folder, cli.keys) as app:
        assert keys.identify(new, app.desk).name == kept["id"]
        with pytest.raises(AccessRefused):
            keys.identify(key, app.desk)
    assert cli("keys", "revoke", kept["id"]) == 0
    assert cli("keys", "revoke", kept["id"]) == exits.NOTHING
    assert cli("keys", "revoke", "nobody") == exits.USAGE
    assert cli("keys", "list") == 0
    assert "revoked" in cli.out


def test_a_scope_there_is_none_of_is_not_understood(cli: Any) -> None:
    assert cli("keys", "create", "--scope", "everything") == exits.USAGE
    assert cli("keys", "create", "--label", "nothing") == exits.USAGE


def test_a_key_as_a_document(cli: Any) -> None:
    told = cli.json("keys", "create", "--scope", "stats:read")
    assert set(told) == {"id", "label", "scopes", "made_at", "used_on", "revoked_at", "key", "error"}


def test_a_new_signing_key_signs_and_the_old_ones_still_read(cli: Any) -> None:
    environ = {**cli.keys, "NEWSLETTER_SECRET_KEYS": ""}
    with open_app(cli.folder, environ) as app:
        token = app.desk.links.sign(Purpose.CONFIRM, [1, 0], app.desk.now())
    for _ in range(2):
        assert cli("keys", "rotate", NEWSLETTER_SECRET_KEYS="") == 0
    with open_app(cli.folder, environ) as app:
        links, now = app.desk.links, app.desk.now()
        assert len(links.keys) == 3
        assert links.read(Purpose.CONFIRM, token, now) == [1, 0]
        newest = Links(links.base_url, links.keys[:1])
        assert newest.read(Purpose.CONFIRM, links.sign(Purpose.CONFIRM, [2, 0], now), now) == [2, 0]
    assert (cli.folder / "var/secret.key").stat().st_mode & 0o077 == 0
    assert links.keys[0] not in cli.out


def test_a_signing_key_of_the_environment_is_shown_for_it(cli: Any) -> None:
    assert cli("keys", "rotate") == 0
    assert len(cli.out.strip()) == 43
    assert "NEWSLETTER_SECRET_KEYS" in cli.err
    assert not (cli.folder / "var/secret.key").exists()


@pytest.mark.parametrize(
    ("environ", "said"),
    [
        ({"NEWSLETTER_OIDC__REPOSITORY_ID": "7"}, "oidc.repository_owner_id: this is needed"),
        ({"NEWSLETTER_OIDC__ENVIRONMENT": "production"}, "oidc.repository_id: this is needed"),
        ({"NEWSLETTER_OIDC__ISSUER": "http://tokens.example.org"}, "should begin with https://"),
        ({"NEWSLETTER_SERVER__URL": "http://letters.example.org"}, "should begin with https://"),
        ({"NEWSLETTER_SERVER__URL": "letters"}, "should begin with https://"),
        ({"NEWSLETTER_SERVER__URI": "https://letters.example.org"}, "server.uri"),
    ],
)
def test_a_setting_that_would_trust_too_much_is_refused(cli: Any, environ: dict[str, str], said: str) -> None:
    assert cli("status", **environ) == exits.CONFIG
    assert said in cli.err.replace("NEWSLETTER_OIDC__REPOSITORY_OWNER_ID", "oidc.repository_owner_id")


def test_whose_workflows_are_trusted_stands_in_the_settings(cli: Any) -> None:
    ids = {"NEWSLETTER_OIDC__REPOSITORY_ID": "7", "NEWSLETTER_OIDC__REPOSITORY_OWNER_ID": "8"}
    with open_app(cli.folder, {**cli.keys, **ids}) as app:
        assert app.desk.workflows is not None
    with open_app(cli.folder, cli.keys) as app:
        assert app.desk.workflows is None
    only = load(cli.folder, {**cli.keys, "NEWSLETTER_OIDC__AUDIENCE": "https://letters.example.org"})
    assert make_room(only, cli.folder).links.keys == ()


def test_a_key_in_the_publications_file_is_refused(cli: Any) -> None:
    file = cli.folder / "newsletter.yml"
    file.write_text(file.read_text("utf-8") + "server: {api_key: nl_x}\n", "utf-8")
    assert cli("status") == exits.CONFIG
    assert "server.api_key is a secret" in cli.err
    assert json.dumps("nl_x") not in cli.err


def test_promise_4_a_lost_suppression_key_is_given_up_only_on_the_record(cli: Any) -> None:
    """Whoever is still known by address stays out; sending waits; the way back is closed while the key is here."""
    cli.readers(3)
    assert cli("subscribers", "suppress", "r1@x.test") == 0
    assert cli("keys", "lost", "--why", "gone") == exits.REFUSED, "the key is here"
    other = {"NEWSLETTER_SUPPRESSION_KEY": "the-new-key"}
    assert cli("subscribers", "stats", **other) == exits.CONFIG, "another key does not open it"

    assert cli("keys", "lost", "--why", "the disk of ann@x.test broke", **other) == 0
    assert "3 addresses of ours: known under the new key." in cli.out
    assert "0 addresses that left and were forgotten" in cli.out
    assert cli("subscribers", "stats") == exits.CONFIG, "the old key is the wrong one now"
    with open_app(cli.folder, {**cli.keys, **other}) as app, app.store.read() as tx:
        (entry,) = json.loads(tx.facts.get("suppression_keys_lost") or "[]")
        assert tx.campaigns.paused_all()
    assert (entry["known"], entry["nobodys"]) == (3, 0)
    assert "x.test" not in entry["why"]
    people = cli.folder / "again.csv"
    people.write_text("email\nr0@x.test\nr1@x.test\n", "utf-8")
    assert cli("subscribers", "import", str(people), "--attest-consent", "asked", **other) == 0
    assert cli("subscribers", "show", "r1@x.test", "--json", **other) == 0
    assert json.loads(cli.out)["suppressed"] == "owner"


def test_a_new_folder_has_lost_no_key(cli: Any) -> None:
    (cli.folder / "var").mkdir(exist_ok=True)
    assert cli("keys", "lost", "--why", "gone") == exits.NOTHING
