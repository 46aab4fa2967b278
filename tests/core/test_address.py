"""What we accept as an address, and when two spellings are one person."""

from __future__ import annotations

import hmac

import pytest
from email_validator import EmailNotValidError, validate_email
from hypothesis import given
from hypothesis import strategies as st

from newsletter.core.address import Address, fingerprint, masked, meant, one_mailbox, parse, without
from newsletter.errors import AddressRefused


@pytest.mark.parametrize(
    ("typed", "kept", "key"),
    [
        ("anna@example.org", "anna@example.org", "anna@example.org"),
        ("  anna@example.org\n", "anna@example.org", "anna@example.org"),
        ("Anna.Lee@Example.ORG", "Anna.Lee@example.org", "anna.lee@example.org"),
        ("anna+letters@example.org", "anna+letters@example.org", "anna+letters@example.org"),
        ("Info@Example.org", "info@example.org", "info@example.org"),  # nobody's name: RFC 2142
        ("o'hara@example.org", "o'hara@example.org", "o'hara@example.org"),
        ("anna@faß.example", "anna@xn--fa-hia.example", "anna@xn--fa-hia.example"),
        ("anna@BÜCHER.example", "anna@xn--bcher-kva.example", "anna@xn--bcher-kva.example"),
        ("anna@xn--bcher-kva.example", "anna@xn--bcher-kva.example", "anna@xn--bcher-kva.example"),
    ],
)
def test_an_address_is_kept_as_typed_and_known_by_its_key(typed, kept, key):
    assert parse(typed) == Address(typed=kept, key=key)


def test_plus_tags_and_dots_are_other_people():
    assert len({parse(text).key for text in ("al@example.org", "a.l@example.org", "al+x@example.org")}) == 3


def test_the_domain_is_ascii():
    assert parse("Anna@Bücher.Example").domain == "xn--bcher-kva.example"


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "anna",
        "anna@",
        "@letters.example",
        "anna@example",
        "anna@localhost",
        "anna@@example.org",
        "an na@example.org",
        "anna@exa mple.org",
        "anna@example.org, bo@example.org",
        "Anna <anna@example.org>",
        "anna@example.org\r\nBcc: bo@example.org",
        "anna@[127.0.0.1]",
        '"anna"@example.org',
        "änna@example.org",
        "anna@example..org",
        ".anna@example.org",
        "anna@-example.org",
        "a" * 65 + "@example.org",
        "anna@" + "a" * 250 + ".org",
    ],
)
def test_promise_12_what_is_no_address_is_refused_without_repeating_it(text):
    with pytest.raises(AddressRefused) as refused:
        parse(text)
    said = str(refused.value)
    assert not text.strip() or text not in said
    assert "name@example.org" in refused.value.todo


@given(st.text(max_size=40) | st.builds("{}@{}.org".format, st.text(max_size=10), st.text(max_size=10)))
def test_whatever_comes_is_an_address_or_refused(text):
    try:
        found = parse(text)
    except AddressRefused:
        return
    assert found.typed.isascii()
    assert found.typed.count("@") == 1
    assert not set(found.typed) & set(' \r\n\t,;:<>()[]\\"')
    assert parse(found.typed) == found
    assert parse(found.key).key == found.key


@pytest.mark.parametrize(
    ("address", "shown"),
    [("anna@example.org", "a…@e….org"), ("b@mail.example.co", "b…@m….co")],
)
def test_a_masked_address_tells_little(address, shown):
    assert masked(address) == shown


def _whole_judgement(text: str) -> Address | None:
    """What the library says, asked about the whole address."""
    try:
        found = validate_email(
            text.strip(), allow_smtputf8=False, check_deliverability=False, strict=True, test_environment=True
        )
    except EmailNotValidError:
        return None
    typed = found.ascii_email or found.normalized
    return Address(typed, typed.lower())


_LOCALS = st.from_regex(r"[a-zA-Z0-9_+.'!-]{0,66}", fullmatch=True) | st.sampled_from(
    ["Info", "info", "postmaster", "Ann.Lee", "a..b", "a.", "\N{KELVIN SIGN}im", "x" * 64, "x" * 65]
)
_DOMAINS = st.from_regex(r"[a-zA-Z0-9.-]{0,20}\.(org|test|local|xn--p1ai|1)", fullmatch=True) | st.sampled_from(
    [
        "xn--bcher-kva.example",
        "xn--a.example",
        "ab--c.org",
        "Example.ORG",
        "a.-b.org",
        "org",
        "x" * 63 + ".org",
        "x" * 64 + ".org",
        "a-b.c-d.co.uk",
        "a--b.org",
        "home.arpa",
        "localhost",
        "onion.org",
        "a.onion",
        "a.o1",
        "a.b.",
        "org\n",
        "bücher.de",
    ]
)


@given(_LOCALS, _DOMAINS)
def test_what_is_taken_at_once_is_what_the_whole_judgement_takes(local, domain):
    text = f"{local}@{domain}"
    try:
        found = parse(text)
    except AddressRefused:
        found = None
    assert found == _whole_judgement(text)


@given(st.binary(max_size=100), st.text(max_size=20))
def test_a_fingerprint_is_half_of_an_hmac(key, email):
    email = email.encode(errors="replace").decode()
    assert fingerprint(Address(email, email), key) == hmac.digest(key, email.encode(), "sha256")[:16].hex()


@pytest.mark.parametrize(
    ("typed", "key"),
    [
        ("ann+tag@example.org", "ann@example.org"),
        ("ann+a+b@example.org", "ann@example.org"),
        ("a.n.n+x@gmail.com", "ann@gmail.com"),
        ("Ann@GoogleMail.com", "ann@gmail.com"),
        ("a.n.n@example.org", "a.n.n@example.org"),  # elsewhere a dot is a letter like others
        ("+tag@example.org", "+tag@example.org"),
    ],
)
def test_one_mailbox_is_a_key_for_limits_alone(typed, key):
    who = parse(typed)
    assert one_mailbox(who).key == key
    assert who.key == typed.lower()  # who they are stays as they typed it


@pytest.mark.parametrize(
    ("typed", "better"),
    [
        ("Ann@gmial.com", "Ann@gmail.com"),
        ("ann+x@hotmial.com", "ann+x@hotmail.com"),
        ("ann@gmail.com", ""),
        ("ann@mail.com", ""),
        ("ann@example.org", ""),
    ],
)
def test_a_slip_of_the_fingers(typed, better):
    assert meant(parse(typed)) == better


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("I, Ann@Harbour.test, agree (ann@harbour.test).", "I, …, agree (…)."),
        ("/s/x?email=ann%40harbour.test&b=1", "/s/x?email=…&b=1"),
        ("Write to desk@harbour.test", "Write to desk@harbour.test"),
        ("annXharbour.test and ann@harbourXtest", "annXharbour.test and ann@harbourXtest"),
    ],
)
def test_a_text_without_an_address(text, kept):
    assert without(text, "ann@harbour.test") == kept


def test_a_domain_is_found_in_both_spellings():
    typed = parse("ann@Bücher.test").typed
    assert without("ann@bücher.test, ann@BÜCHER.test, ann@xn--bcher-kva.test", typed) == "…, …, …"
