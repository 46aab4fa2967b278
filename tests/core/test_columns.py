"""Whose export a file is, and where each row's person stands."""

from __future__ import annotations

import pytest

from newsletter.core import columns
from newsletter.core.columns import Meaning, Standing, Unclear

HEADS = {
    "Mailchimp": "Email Address,First Name,Last Name,MEMBER_RATING,OPTIN_TIME,OPTIN_IP,CONFIRM_TIME,CONFIRM_IP,"
    "LAST_CHANGED,LEID,EUID,NOTES,TAGS",
    "Mailchimp, unsubscribed": "Email Address,First Name,OPTIN_TIME,OPTIN_IP,CONFIRM_TIME,UNSUB_TIME,"
    "UNSUB_CAMPAIGN_TITLE,UNSUB_REASON,LEID,EUID,TAGS",
    "Mailchimp, cleaned": "Email Address,First Name,OPTIN_TIME,CONFIRM_TIME,CLEAN_TIME,CLEAN_CAMPAIGN_TITLE,LEID,TAGS",
    "beehiiv": "email,First Name,Last Name,status,tier,created_at,stripe_customer_id,unsubscribed_at",
    "Substack": "email,active_subscription,expiry,plan,email_disabled,created_at,first_payment_at",
    "Ghost": "id,email,name,note,subscribed_to_emails,complimentary_plan,stripe_customer_id,created_at,deleted_at,"
    "labels,tiers",
    "listmonk": "uuid,email,name,attributes,status,created_at,updated_at",
    "Buttondown": "id,secondary_id,email,notes,subscriber_type,referrer_url,creation_date,subscription_date,"
    "unsubscription_date",
    "Kit": "first_name,email_address,state,created_at,tags",
    "plain": "E-Mail;Vorname",
}


@pytest.mark.parametrize("name", HEADS)
def test_an_export_is_told_by_its_columns(name: str) -> None:
    head = HEADS[name].replace(";", ",").split(",")
    found = columns.layout(head, {})
    assert found.system.name == name
    assert Meaning.EMAIL in found.place
    assert set(found.columns) | set(found.unused) == set(head)


def standing(name: str, **cells: str) -> Standing:
    head = HEADS[name].split(",")
    row = [cells.get(columns.key(column), "") for column in head]
    return columns.layout(head, {}).standing(row)


@pytest.mark.parametrize(
    ("name", "cells", "expected"),
    [
        ("Mailchimp", {}, "reader"),
        ("Mailchimp, unsubscribed", {}, "unsubscribed"),
        ("Mailchimp, unsubscribed", {"unsub_reason": "SPAM"}, "complained"),
        ("Mailchimp, cleaned", {"clean_time": "2024-03-04 10:00:00"}, "bounced"),
        ("beehiiv", {"status": "active"}, "reader"),
        ("beehiiv", {"status": "active", "unsubscribed_at": "2024-03-13 11:33:53 UTC"}, "unsubscribed"),
        ("beehiiv", {"status": "inactive"}, "unsubscribed"),
        ("beehiiv", {"status": "Pending"}, "waiting"),
        ("Substack", {"email_disabled": "true", "active_subscription": "true"}, "unsubscribed"),
        ("Substack", {"email_disabled": "false"}, "reader"),
        ("Ghost", {"subscribed_to_emails": "true"}, "reader"),
        ("Ghost", {"subscribed_to_emails": "false"}, "unsubscribed"),
        ("Ghost", {"subscribed_to_emails": "true", "deleted_at": "2024-01-01"}, "unsubscribed"),
        ("listmonk", {"status": "enabled"}, "reader"),
        ("listmonk", {"status": "blocklisted"}, "unsubscribed"),
        ("Buttondown", {"subscriber_type": "regular"}, "reader"),
        ("Buttondown", {"subscriber_type": "unactivated"}, "waiting"),
        ("Buttondown", {"subscriber_type": "undeliverable"}, "bounced"),
        ("Buttondown", {"subscriber_type": "removed"}, "owner"),
        ("Kit", {"state": "active"}, "reader"),
        ("Kit", {"state": "inactive"}, "waiting"),
        ("Kit", {"state": "cancelled"}, "unsubscribed"),
        ("Kit", {"state": "complained"}, "complained"),
    ],
)
def test_the_words_of_each_system_say_where_somebody_stands(name: str, cells: dict[str, str], expected: str) -> None:
    assert standing(name, **cells) == expected


def test_a_word_nobody_knows_is_not_guessed_and_can_be_named() -> None:
    with pytest.raises(Unclear, match="Sleepy"):
        standing("beehiiv", status="Sleepy")
    named = columns.layout(["email", "status"], {"status:Sleepy": "unsubscribed"})
    assert named.standing(["", "sleepy"]) is Standing.UNSUBSCRIBED


def test_the_name_of_a_mailchimp_file_tells_who_never_asked() -> None:
    head = HEADS["Mailchimp"].split(",")
    found = columns.layout(head, {}, "nonsubscribed_email_audience_export_1.csv")
    assert found.standing([""] * len(head)) is Standing.NEVER
    assert columns.layout(["email"], {}, "nonsubscribed.csv").standing([""]) is Standing.READER


def test_a_named_column_wins_over_a_recognised_one() -> None:
    found = columns.layout(["email", "Second mail"], {"second MAIL": "email"})
    assert (found.place[Meaning.EMAIL], found.unused) == (1, ("email",))
    with pytest.raises(KeyError, match="Third"):
        columns.layout(["email"], {"Third": "email"})
    with pytest.raises(ValueError, match="colour"):
        columns.layout(["email", "x"], {"x": "colour"})


def test_a_state_of_the_union_is_no_status() -> None:
    found = columns.layout(["email", "city", "state"], {})
    assert found.standing(["", "Chino", "CA"]) is Standing.READER


@pytest.mark.parametrize(
    ("cell", "expected"),
    [('"Editors"', ("Editors",)), ('"A b","C"', ("A b", "C")), ("['x', 'y']", ("x", "y")), ("a; b|a", ("a", "b"))],
)
def test_tags_are_written_in_several_ways(cell: str, expected: tuple[str, ...]) -> None:
    assert columns.tags(cell) == expected


def test_a_cell_cannot_make_a_reader_of_who_is_in_the_file_of_those_who_left() -> None:
    head = [*HEADS["Mailchimp, unsubscribed"].split(","), "status"]
    cells = ["active" if name == "status" else "" for name in head]
    assert columns.layout(head, {}).standing(cells) is Standing.UNSUBSCRIBED


def test_the_worst_that_is_said_of_somebody_holds() -> None:
    assert columns.worst([Standing.READER, Standing.COMPLAINED, Standing.UNSUBSCRIBED]) is Standing.COMPLAINED
