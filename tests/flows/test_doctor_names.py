"""Doctor on a zone: each fault alone is named once, and a good zone is left alone."""

from __future__ import annotations

import base64
import socket
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import dns.message
import dns.rcode
import dns.rdatatype
import dns.rrset
import pytest
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from newsletter.core.delivery import Signing
from newsletter.flows.doctor import dmarc, spf
from newsletter.flows.doctor.names import DNS, Mail, look
from newsletter.flows.doctor.zone import System, Type, Unanswered

US = "letters.example.org"
SIGNING = Signing(selectors=("one", "two"), spf="provider.test", return_path="bounce.{domain}")
MAIL = Mail(US, SIGNING, reply_domain="example.org", host="www.example.org")


def _key(bits: int) -> str:
    made = rsa.generate_private_key(public_exponent=65537, key_size=bits).public_key()
    return base64.b64encode(made.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).decode()


STRONG, WEAK = _key(2048), _key(1024)
SHORT = (  # 512 bits: no library makes one any more
    "MFwwDQYJKoZIhvcNAQEBBQADSwAwSAJBAKj34GkxFhD90vcNLYLInFEX6Ppy1tPf9Cnzj4p4WGeKLs1Pt8QuKUpRKfFLfRYC9AIKjbJTWit+CqvjWYzv"
    "QwECAwEAAQ=="
)
BARE = base64.b64encode(
    ed25519.Ed25519PrivateKey.generate().public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
).decode()

GOOD: Mapping[tuple[str, str], tuple[str, ...]] = {
    (f"bounce.{US}", "TXT"): ("v=spf1 include:provider.test ~all",),
    ("provider.test", "TXT"): ("v=spf1 ip4:192.0.2.0/24 -all", "something else"),
    (f"one._domainkey.{US}", "TXT"): (f"v=DKIM1; k=rsa; p={STRONG}",),
    ("_dmarc.example.org", "TXT"): ("v=DMARC1; p=quarantine; rua=mailto:dmarc@example.org",),
    (US, "MX"): ("10 mx.example.org",),
    ("mx.example.org", "A"): ("192.0.2.3",),
    ("example.org", "MX"): ("10 mx.example.org",),
    ("www.example.org", "A"): ("192.0.2.1",),
}


@dataclass
class Zone:
    """A zone held in the hand. `silent` names get no answer."""

    records: Mapping[tuple[str, str], tuple[str, ...]]
    silent: frozenset[str] = frozenset()
    asked: list[tuple[str, str]] = field(default_factory=list)

    def ask(self, name: str, kind: Type) -> tuple[str, ...]:
        self.asked.append((name, kind))
        if name in self.silent:
            raise Unanswered(f"LifetimeTimeout for {kind} of {name}")
        return self.records.get((name, kind), ())


def test_a_good_zone_is_left_alone() -> None:
    assert look(MAIL, Zone(GOOD)) == []


SPF, KEY, POLICY = (f"bounce.{US}", "TXT"), (f"one._domainkey.{US}", "TXT"), ("_dmarc.example.org", "TXT")
MANY = {(f"s{n}.test", "TXT"): (f"v=spf1 include:s{n + 1}.test -all",) for n in range(11)}

FAULTS: list[tuple[str, Mapping[tuple[str, str], tuple[str, ...]]]] = [
    ("spf-missing", {SPF: ("nothing of the kind", "v=spf10 all")}),
    ("spf-several", {SPF: ("v=spf1 include:provider.test ~all", "v=spf1 -all")}),
    ("spf-lookups", {SPF: ("v=spf1 include:provider.test include:s0.test ~all",), **MANY}),
    ("spf-void", {SPF: ("v=spf1 include:provider.test a:gone.test mx:gone.test exists:gone.test ~all",)}),
    ("spf-provider", {SPF: ("v=spf1 ~all include:provider.test",)}),
    ("spf-provider", {SPF: ("v=spf1 ?include:provider.test ~all",)}),
    ("spf-wrong", {SPF: ("v=spf1 include:provider.test include:gone.test ~all",)}),
    (
        "spf-wrong",
        {
            SPF: ("v=spf1 include:provider.test include:two.test ~all",),
            ("two.test", "TXT"): ("v=spf1 -all", "v=spf1 ~all"),
        },
    ),
    (
        "spf-wrong",
        {
            SPF: ("v=spf1 include:provider.test include:loop.test ~all",),
            ("loop.test", "TXT"): ("v=spf1 include:loop.test -all",),
        },
    ),
    ("spf-wrong", {SPF: ("v=spf1 include:provider.test ip4:999.1.1.1 ~all",)}),
    ("spf-anyone", {SPF: ("v=spf1 include:provider.test ip4:0.0.0.0/0 ~all",)}),
    ("spf-anyone", {SPF: ("v=spf1 include:provider.test +all",)}),
    ("spf-anyone", {SPF: ("v=spf1 include:provider.test all",)}),
    ("spf-open", {SPF: ("v=spf1 include:provider.test ?all",)}),
    ("spf-open", {SPF: ("V=SPF1 include:provider.test",)}),
    ("spf-provider", {SPF: ("v=spf1 ip4:192.0.2.9 ~all",)}),
    ("spf-ptr", {SPF: ("v=spf1 include:provider.test ptr ~all",), (f"bounce.{US}", "A"): ("192.0.2.2",)}),
    ("dkim-missing", {KEY: ()}),
    ("dkim-revoked", {KEY: ("v=DKIM1; p=",)}),
    ("dkim-unreadable", {KEY: ("v=DKIM1; p=bm8ga2V5",)}),
    ("dkim-unreadable", {KEY: ("v=DKIM1; p=%%%",)}),
    ("dkim-several", {KEY: (f"v=DKIM1; p={STRONG}", "v=DKIM1; p=")}),
    *(("dkim-other", {KEY: (f"v=DKIM1; {tag}; p={STRONG}",)}) for tag in ("v=DKIM2", "k=foo", "h=sha1", "s=other")),
    ("dkim-short", {KEY: (f"p={SHORT}",)}),
    ("dkim-weak", {KEY: (f"v=DKIM1; p={WEAK}",)}),
    ("dkim-testing", {KEY: (f"v=DKIM1; t=s:y; p={STRONG}",)}),
    ("dmarc-missing", {POLICY: ("v=spf1 -all",)}),
    ("dmarc-missing", {POLICY: ("v=dmarc1; p=reject; rua=mailto:dmarc@example.org",)}),
    ("dmarc-several", {POLICY: ("v=DMARC1; p=none", "v=DMARC1; p=reject")}),
    ("dmarc-reports-wrong", {POLICY: ("v=DMARC1; p=reject; rua=dmarc@example.org",)}),
    ("dmarc-reports-refused", {POLICY: ("v=DMARC1; p=reject; rua=MAILTO:a@reports.test",)}),
    ("no-mail", {(US, "MX"): ("10 gone.example.org",)}),
    ("dmarc-several", {POLICY: (), (f"_dmarc.{US}", "TXT"): ("v=DMARC1; p=none", "v=DMARC1; p=reject")}),
    ("dmarc-policy", {POLICY: ("v=DMARC1; p=strict; rua=mailto:dmarc@example.org",)}),
    ("dmarc-dead-tags", {POLICY: ("v=DMARC1; p=reject; pct=10; rua=mailto:dmarc@example.org",)}),
    ("dmarc-testing", {POLICY: ("v=DMARC1; p=reject; t=y; rua=mailto:dmarc@example.org",)}),
    ("dmarc-none", {POLICY: ("v=DMARC1; p=none; rua=mailto:dmarc@example.org",)}),
    ("dmarc-none", {POLICY: ("v=DMARC1; p=reject; sp=none; rua=mailto:dmarc@example.org",)}),
    ("dmarc-reports", {POLICY: ("v=DMARC1; p=reject",)}),
    ("dmarc-reports-refused", {POLICY: ("v=DMARC1; p=reject; rua=mailto:a@reports.test",)}),
    ("no-mail", {(US, "MX"): ()}),
    ("no-mail", {("example.org", "MX"): ("0 .",)}),
    ("no-host", {("www.example.org", "A"): ()}),
]


@pytest.mark.parametrize(("fault", "change"), FAULTS)
def test_each_fault_alone_is_named_once(fault: str, change: Mapping[tuple[str, str], tuple[str, ...]]) -> None:
    found = look(MAIL, Zone({**GOOD, **change}))
    assert [one.id for one in found] == [f"dns.{fault}"]
    assert found[0].what
    assert found[0].fix.endswith((".", '"'))
    assert found[0].level == DNS.kinds[fault].level


def test_every_kind_has_its_case() -> None:
    others = {"unanswered", "dkim-unknown", "dmarc-unaligned"}  # below
    assert {fault for fault, _ in FAULTS} | others == set(DNS.kinds)


@pytest.mark.parametrize(
    "change",
    [
        {("_dmarc.reports.test", "TXT"): (), POLICY: ("v=DMARC1; p=reject; rua=mailto:a@reports.test!10m",),
         ("example.org._report._dmarc.reports.test", "TXT"): ("v=DMARC1;",)},
        {POLICY: ("v=DMARC1; p=reject; rua=mailto:a@reports.test",),
         ("*._report._dmarc.reports.test", "TXT"): ("v=DMARC1",)},
        {KEY: (), ("two._domainkey.example.org", "TXT"): (f"k=rsa; p={STRONG[:60]} {STRONG[60:]}",)},
        {("one._domainkey.example.org", "TXT"): ("v=DKIM1; p=",)},
        {KEY: (f"v=DKIM1; k=ed25519; p={BARE}",)},
        {SPF: ("v=spf1 redirect=other.test",), ("other.test", "TXT"): ("v=spf1 include:provider.test -all",)},
        {(US, "MX"): (), (US, "AAAA"): ("2001:db8::1",)},
        {SPF: ("v=spf1 include:provider.test exists:%{i}.list.test ~all",)},
    ],
)  # fmt: skip
def test_what_is_well_in_another_way_is_left_alone(change: Mapping[tuple[str, str], tuple[str, ...]]) -> None:
    assert look(MAIL, Zone({**GOOD, **change})) == []


def test_a_key_above_does_not_count_where_the_policy_is_strict() -> None:
    above = {KEY: (), ("two._domainkey.example.org", "TXT"): (f"p={STRONG}",)}
    strict = {POLICY: ("v=DMARC1; p=reject; adkim=s; rua=mailto:dmarc@example.org",)}
    assert [one.id for one in look(MAIL, Zone({**GOOD, **above, **strict}))] == ["dns.dkim-missing"]


def test_a_provider_that_names_its_key_itself_is_not_blamed() -> None:
    found = look(Mail(US, Signing(return_path=f"bounce.{US}"), host="www.example.org"), Zone(GOOD))
    assert [(one.id, one.level) for one in found] == [("dns.dkim-unknown", "note")]
    found = look(Mail(US, Signing(), host="www.example.org"), Zone(GOOD))
    assert [one.id for one in found] == ["dns.dkim-unknown"]


def test_bounces_to_another_organisation_are_told_where_nothing_is_known_of_a_signature() -> None:
    zone = {**GOOD, ("bounces.test", "TXT"): ("v=spf1 -all",)}
    found = look(Mail(US, Signing(return_path="bounces.test")), Zone(zone))
    assert [one.id for one in found] == ["dns.dkim-unknown", "dns.dmarc-unaligned"]


def test_silence_is_not_absence() -> None:
    found = look(MAIL, Zone(GOOD, frozenset({f"bounce.{US}"})))
    assert [one.id for one in found] == ["dns.unanswered"]


class TestTheWalk:
    def test_eight_names_at_most(self) -> None:
        steps = dmarc.steps("a.b.c.d.e.f.g.h.i.j.example.org")
        assert len(steps) == 8
        assert steps[0] == "a.b.c.d.e.f.g.h.i.j.example.org"
        assert steps[1] == "f.g.h.i.j.example.org"
        assert steps[-1] == "org"

    def test_the_organisation_is_the_shortest_name_with_a_record(self) -> None:
        zone = Zone({("_dmarc.a.example.org", "TXT"): ("v=DMARC1; p=none",), POLICY: ("v=DMARC1; p=reject",)})
        found = dmarc.walk("a.example.org", zone)
        assert dmarc.organisation("a.example.org", found) == "example.org"
        policy = dmarc.policy("a.example.org", found)
        assert policy is not None
        assert policy.domain == "a.example.org"

    def test_psd_n_is_the_top_and_ends_the_walk(self) -> None:
        zone = Zone({("_dmarc.a.example.org", "TXT"): ("v=DMARC1; p=none; psd=n",), POLICY: ("v=DMARC1; p=reject",)})
        found = dmarc.walk("b.a.example.org", zone)
        assert dmarc.organisation("b.a.example.org", found) == "a.example.org"
        assert ("_dmarc.example.org", "TXT") not in zone.asked

    def test_below_a_public_suffix_each_name_is_its_own(self) -> None:
        zone = Zone({("_dmarc.bank.test", "TXT"): ("v=DMARC1; p=reject; psd=y",)})
        found = dmarc.walk("mail.mine.bank.test", zone)
        assert dmarc.organisation("mail.mine.bank.test", found) == "mine.bank.test"
        assert not dmarc.aligned("mine.bank.test", "yours.bank.test", zone, strict=False)
        assert dmarc.aligned("a.mine.bank.test", "mine.bank.test", zone, strict=False)
        policy = dmarc.policy("mail.mine.bank.test", found)
        assert policy is not None
        assert policy.domain == "bank.test"

    def test_two_records_are_none(self) -> None:
        zone = Zone({("_dmarc.a.test", "TXT"): ("v=DMARC1; p=none", "v=DMARC1; p=reject")})
        assert dmarc.walk("a.test", zone) == ()


def test_a_circle_of_includes_ends() -> None:
    zone = Zone(
        {("a.test", "TXT"): ("v=spf1 include:b.test -all",), ("b.test", "TXT"): ("v=spf1 include:a.test -all",)}
    )
    count = spf.Count(path=("a.test",))
    spf.walk("v=spf1 include:b.test -all", "a.test", zone, count)
    assert count.wrong
    assert count.lookups <= 3


# --- a real name server -----------------------------------------------------------------------------------------


@pytest.fixture
def served() -> Iterator[System]:
    """A name server on loopback that knows two names, and refuses one."""
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.bind(("127.0.0.1", 0))
    zone = {("long.test.", "TXT"): ['"v=spf1 ip4:192.0.2.1" " -all"'], ("mail.test.", "MX"): ["10 mx.mail.test."]}

    def serve() -> None:
        while True:
            try:
                data, sender = sock.recvfrom(4096)
            except OSError:
                return
            if not data:
                return
            query = dns.message.from_wire(data)
            question = query.question[0]
            answer = dns.message.make_response(query)
            kind = dns.rdatatype.to_text(question.rdtype)
            texts = zone.get((question.name.to_text(), kind))
            if question.name.to_text() == "broken.test.":
                answer.set_rcode(dns.rcode.SERVFAIL)
            elif texts:
                answer.answer.append(dns.rrset.from_text(question.name, 60, "IN", kind, *texts))
            elif not any(name == question.name.to_text() for name, _ in zone):
                answer.set_rcode(dns.rcode.NXDOMAIN)
            sock.sendto(answer.to_wire(), sender)

    thread = threading.Thread(target=serve)
    thread.start()
    port = sock.getsockname()[1]
    yield System(servers=("127.0.0.1",), port=port, seconds=2)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as last:
        last.sendto(b"", ("127.0.0.1", port))
    thread.join()
    sock.close()


def test_a_real_name_server_is_understood(served: System) -> None:
    assert served.ask("long.test", "TXT") == ("v=spf1 ip4:192.0.2.1 -all",)
    assert served.ask("mail.test", "MX") == ("10 mx.mail.test",)
    assert served.ask("mail.test", "A") == ()
    assert served.ask("nowhere.test", "TXT") == ()
    with pytest.raises(Unanswered):
        served.ask("broken.test", "TXT")
