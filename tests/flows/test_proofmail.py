"""The real mail to one address, recorded nowhere."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from newsletter.core import address
from newsletter.core.consent import Reason
from newsletter.core.delivery import Capabilities, Status
from newsletter.core.email import fill
from newsletter.core.links import Links
from newsletter.core.review import Role
from newsletter.errors import AddressRefused, ConfigurationError, ContentError, NotApproved, NotFound
from newsletter.flows import people, proofmail
from newsletter.flows.desk import Desk
from newsletter.flows.publish import proof
from newsletter.testing import CutAfter, FakeProvider, Reject
from tests.flows.readers import readers

TO = "editor@quiet.example"


def test_two_mails_one_with_a_name_and_one_with_the_fallbacks(desk: Desk, provider: FakeProvider) -> None:
    report = proofmail.send("quiet", TO, desk)
    assert [mail.outcome.status for mail in report.mails] == [Status.SUBMITTED] * 2
    texts, keys = [], set()
    for call in provider.calls:
        (reader,) = call.batch.recipients
        assert reader.address == TO
        assert fill(call.email.subject, reader.values) == "[TEST] A quiet week"
        texts.append(fill(call.email.text, reader.values))
        keys |= {call.key, reader.key}
    assert "Hello Sam," in texts[0]
    assert "Hello friend," in texts[1]
    assert len(keys) == 2  # a key of its own for each: neither is taken for a repetition


def test_it_is_the_mail_of_the_real_send_below_what_merging_does(desk: Desk, provider: FakeProvider) -> None:
    readers(desk, 3)
    proofmail.send("quiet", TO, desk)
    sent, real = provider.calls[0].email, proof("quiet", desk).email
    first, *rest = sent.text
    assert tuple(rest) == real.text
    assert isinstance(first, str)
    assert first.startswith("Merging this sends it to 3 people ")
    assert isinstance(sent.html[0], str)
    html = re.sub(r"(<body[^>]*>)<p .*?</p>", r"\1", sent.html[0], count=1)
    assert (html, *sent.html[1:]) == real.html
    assert replace(sent, subject=real.subject, html=real.html, text=real.text) == real


def test_the_link_above_it_is_the_readers_own(desk: Desk, provider: FakeProvider) -> None:
    house = replace(desk, owner="owner@quiet.example")
    for to, role in ((TO, Role.LOOK), ("Owner@quiet.example", Role.OWNER)):
        proofmail.send("quiet", to, house, named=False)
        text = fill(provider.calls[-1].email.text, {})
        token = re.search(r"/approve/(\S+)", text)
        assert token
        assert people.behind(token[1], house)[1].role is role
        assert token[0] in fill(provider.calls[-1].email.html, {})


def test_without_a_name_there_is_one(desk: Desk, provider: FakeProvider) -> None:
    proofmail.send("quiet", TO, desk, named=False)
    (call,) = provider.calls
    assert call.batch.recipients[0].values == {}


def test_drafts_go_too_and_nothing_is_recorded(desk: Desk) -> None:
    path = desk.root / "issues/2026-12-01-quiet.md"
    path.write_text(path.read_text("utf-8").replace("draft: false", "draft: true"), "utf-8")
    proofmail.send("quiet", TO, desk)
    with desk.store.read() as tx:
        assert tx.campaigns.all() == []
        assert not any(tx.queue.numbers().values())
        assert not any(tx.audience.numbers().values())


@pytest.mark.parametrize("to", ["a@x.test, b@x.test", "a@x.test b@x.test", "people.csv", "letter", "A <a@x.test>", ""])
def test_promise_12_a_list_is_refused_and_not_repeated(to: str, desk: Desk, provider: FakeProvider) -> None:
    with pytest.raises(AddressRefused) as refused:
        proofmail.send("quiet", to, desk)
    assert "x.test" not in str(refused.value)
    assert provider.calls == []


def test_promise_4_an_address_that_left_gets_no_test_either(desk: Desk, provider: FakeProvider) -> None:
    with desk.store.begin() as tx:
        tx.audience.suppress(desk.hmac(address.parse(TO)), Reason.UNSUBSCRIBED, desk.now())
    with pytest.raises(NotApproved) as refused:
        proofmail.send("quiet", TO, desk)
    assert TO not in str(refused.value)
    assert provider.calls == []


def test_what_blocks_a_send_blocks_a_test(desk: Desk, provider: FakeProvider) -> None:
    path = desk.root / "issues/2026-12-01-quiet.md"
    path.write_text(path.read_text("utf-8").replace(', "friend"', ""), "utf-8")
    with pytest.raises(ContentError):
        proofmail.send("quiet", TO, desk)
    with pytest.raises(NotFound, match="no segment"):
        proofmail.send("quiet", TO, desk, segment="nobody")
    assert provider.calls == []


def test_a_network_provider_needs_links_that_can_be_opened(desk: Desk) -> None:
    wired = FakeProvider(capabilities=Capabilities(network=True))
    home = replace(desk, provider=wired, links=Links("http://localhost:8000", ["k"]))
    with pytest.raises(ConfigurationError, match="no reader can open"):
        proofmail.send("quiet", TO, home)
    assert wired.calls == []


def test_an_answer_that_is_no_yes_is_told(desk: Desk, provider: FakeProvider) -> None:
    provider.then(Reject([TO]), CutAfter())
    report = proofmail.send("quiet", TO, desk)
    assert [mail.outcome.status for mail in report.mails] == [Status.REJECTED, Status.UNKNOWN]
