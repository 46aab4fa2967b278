"""A message decodes to exactly what an EmailMessage of the standard library would say."""

from __future__ import annotations

import email
import re
from datetime import UTC, datetime, timedelta, timezone
from email import policy
from email.header import decode_header, make_header
from email.message import EmailMessage

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from newsletter.core import mime
from newsletter.core.delivery import Recipient
from newsletter.core.email import Email, Escape, Mailbox, Site, fill, header_value
from newsletter.errors import AddressRefused, ProviderError

AT = datetime(2026, 12, 1, 17, 30, tzinfo=UTC)
LEAVE = "https://letter.example.org/unsubscribe/3q2-7wAAAAB_x"
NAME = Site("first_name", "friend", Escape.PLAIN)
HTML_NAME = Site("first_name", "friend", Escape.TEXT)
WAY_OUT = Site("unsubscribe_url", "", Escape.HEADER)

awkward = st.sampled_from(
    [
        " ", "  \n", "\t\n", "\r\n", "\r", ".", "\n.\n", "..", "=", "=3D", "=\n", "–", "é", "🌿", "👩🏽‍🌾", "\x00",
        "\u2028", "\xa0", "From me\n", "--\n", "a" * 74, "b" * 75, "c" * 76, "d" * 200, "<b>", "&amp;", "{{x}}", "%s",
    ]
)  # fmt: skip
text = st.lists(awkward | st.text(max_size=30), max_size=12).map(
    lambda parts: re.sub(r"\r(?!\n)", "\n", "".join(parts))
)
name = st.lists(
    st.sampled_from([",", '"', "\\", ";", ":", "<x@y.z>", "(c)", "\r\nBcc: a@b.c", "=?utf-8?q?x?=", "Zoë", "🌿", ". "])
    | st.text(max_size=20),
    max_size=8,
).map("".join)
sites = st.sampled_from([NAME, HTML_NAME, Site("city", "", Escape.PLAIN), Site("city", "nowhere", Escape.ATTRIBUTE)])
pieces = st.lists(text | sites, max_size=8).map(tuple)


def letter(**changes) -> Email:
    standard = {
        "sender": Mailbox("Sam Rivers", "sam@letter.example.org"),
        "reply_to": None,
        "subject": ("A quiet week",),
        "html": ("<p>Dear ", HTML_NAME, ",</p>\n<p>Rest well.</p>\n"),
        "text": ("Dear ", NAME, ",\n\nRest well.\n"),
        "headers": (),
        "lang": "en",
    }
    return Email(**{**standard, **changes})


def reader(**values: str) -> Recipient:
    return Recipient("d.42", "anna@example.org", values, LEAVE)


def built(email_: Email, recipient: Recipient | None = None) -> bytes:
    return mime.compile(email_).message(recipient or reader(), at=AT, message_id="<d.42@letter.example.org>")


def parsed(data: bytes) -> EmailMessage:
    """Read by the standard library's strict policy: any defect raises."""
    message = email.message_from_bytes(data, policy=policy.strict)
    assert isinstance(message, EmailMessage)
    for part in message.walk():
        assert not part.defects
    return message


def bodies(data: bytes) -> tuple[str, str]:
    plain, html = parsed(data).iter_parts()
    return plain.get_content().replace("\r\n", "\n"), html.get_content().replace("\r\n", "\n")


def lines_end_as_they_should(data: bytes) -> bool:
    return data.endswith(b"\r\n") and re.search(rb"(?<!\r)\n|\r(?!\n)", data) is None


def test_the_parts_are_plain_first_then_html_both_quoted_printable_utf8():
    message = parsed(built(letter()))
    assert message.get_content_type() == "multipart/alternative"
    assert [part.get_content_type() for part in message.iter_parts()] == ["text/plain", "text/html"]
    for part in message.iter_parts():
        assert part["Content-Transfer-Encoding"] == "quoted-printable"
        assert part.get_content_charset() == "utf-8"


def test_the_header_of_a_letter_word_for_word():
    wanted = letter(
        reply_to=Mailbox("", "answers@example.org"),
        headers=(
            ("List-Id", ("Quiet Letters, weekly <letter.example.org>",)),
            ("List-Unsubscribe", ("<", WAY_OUT, ">")),
            ("List-Unsubscribe-Post", ("List-Unsubscribe=One-Click",)),
        ),
    )
    head = built(wanted).partition(b"\r\nMIME-Version")[0].decode("ascii").split("\r\n")
    assert head == [
        "From: Sam Rivers <sam@letter.example.org>",
        "Reply-To: answers@example.org",
        "To: anna@example.org",
        "Subject: A quiet week",
        "Date: Tue, 01 Dec 2026 17:30:00 +0000",
        "Message-ID: <d.42@letter.example.org>",
        "Content-Language: en",
        'List-Id: "Quiet Letters, weekly" <letter.example.org>',
        f"List-Unsubscribe: <{LEAVE}>",
        "List-Unsubscribe-Post: List-Unsubscribe=One-Click",
    ]


def test_the_date_is_utc_whatever_zone_the_moment_came_in():
    elsewhere = datetime(2026, 12, 1, 20, 5, tzinfo=timezone(timedelta(hours=-8)))
    data = mime.compile(letter()).message(reader(), at=elsewhere, message_id="<a@b.c>")
    assert b"\r\nDate: Wed, 02 Dec 2026 04:05:00 +0000\r\n" in data


@settings(max_examples=150, deadline=None)
@given(html=pieces, plain=pieces, first=text, city=text)
@example(html=(NAME, NAME), plain=("a" * 75, NAME, "b" * 75), first="", city="")
@example(html=("a" * 76, NAME, "b" * 76, NAME), plain=("a" * 77, NAME, "b" * 151), first="c" * 76, city="")
@example(html=("x ", NAME, " \ny"), plain=("a" * 74 + " \n",), first=" \n", city="")
@example(html=("\r", "\n", "."), plain=(), first="", city="")
def test_promise_11_bodies_decode_to_what_email_message_says(html, plain, first, city):
    wanted = letter(html=html, text=plain)
    recipient = reader(first_name=first, city=city)
    data = built(wanted, recipient)

    reference = EmailMessage(policy=policy.strict)
    for parts, add in ((plain, reference.set_content), (html, reference.add_alternative)):
        said = fill(_closed(parts), recipient.values).replace("\r\n", "\n").replace("\r", "\n")
        add(said, subtype="plain" if parts is plain and add == reference.set_content else "html", cte="base64")
    there = tuple(part.get_content().replace("\r\n", "\n") for part in reference.iter_parts())

    assert bodies(data) == there
    assert lines_end_as_they_should(data)
    assert max(map(len, data.split(b"\r\n"))) <= 76
    assert data.isascii()
    assert not re.search(rb"[ \t]\r\n", data.partition(b"\r\n\r\n")[2])


def _closed(parts):
    """A part ends with a line end, as `set_content` has it too."""
    ends = bool(parts) and isinstance(parts[-1], str) and fill(parts, {}).endswith(("\n", "\r"))
    joined = fill(tuple(part for part in parts if isinstance(part, str)), {})
    return parts if ends and joined else (*parts, "\n")


@settings(max_examples=200, deadline=None)
@given(subject=name, first=name)
@example(subject="x" * 3000, first="y" * 3000)
@example(subject="word " * 60, first="")
def test_promise_11_a_subject_decodes_to_itself(subject, first):
    wanted = letter(subject=(subject, Site("first_name", "friend", Escape.HEADER)))
    data = built(wanted, reader(first_name=first))
    said = header_value(fill(wanted.subject, {"first_name": first}))
    assert str(make_header(decode_header(_raw(data, "Subject")))) == said
    assert parsed(data)["Subject"] == said
    _short_lines(data)


@settings(max_examples=200, deadline=None)
@given(shown=name)
@example(shown='Rivers, Sam "the quiet" \\ Lee')
@example(shown="Zoë, Rivers " * 12)
@example(shown="Sam Rivers of a very long name, indeed " * 5)
def test_a_name_stays_a_name(shown):
    data = built(letter(sender=Mailbox(shown, "sam@letter.example.org")))
    (box,) = parsed(data)["From"].addresses
    assert box.addr_spec == "sam@letter.example.org"
    assert _said(_raw(data, "From").rpartition("<")[0].strip()) == header_value(shown)
    _short_lines(data)


def _said(phrase: str) -> str:
    """A display name decoded by hand, as Python 3.11 reads encoded-words in a phrase with extra blanks."""
    quoted = re.fullmatch(r'"(.*)"', phrase)
    return re.sub(r"\\(.)", r"\1", quoted[1]) if quoted else str(make_header(decode_header(phrase)))


@settings(max_examples=100, deadline=None)
@given(value=name, address=st.text(max_size=12))
def test_promise_11_nothing_a_value_says_becomes_a_header_of_its_own(value, address):
    wanted = letter(
        subject=(Site("first_name", "friend", Escape.HEADER),),
        headers=(("List-Unsubscribe", ("<", WAY_OUT, ">")), ("X-Note", (Site("first_name", "-", Escape.HEADER),))),
        lang=value or "en",
    )
    recipient = Recipient("d.42", "anna@example.org", {"first_name": value}, LEAVE + value + address)
    names = [key.lower() for key in parsed(built(wanted, recipient))]
    assert len(names) == len(set(names))
    assert set(names) <= {
        "from", "to", "subject", "date", "message-id", "content-language", "list-unsubscribe", "x-note",
        "mime-version", "content-type",
    }  # fmt: skip


def _raw(data: bytes, header: str) -> str:
    found = re.search(rf"^{header}: ([^\r]*(?:\r\n [^\r]*)*)".encode(), data, re.MULTILINE)
    assert found
    return found[1].replace(b"\r\n", b"").decode("ascii")


def _short_lines(data: bytes) -> None:
    head = data.partition(b"\r\n\r\n")[0].decode("ascii")
    for line in head.split("\r\n"):
        assert len(line) <= 998
        assert "=?utf-8?" not in line or len(line) <= 76, line
        assert line.strip(), "a header may not have an empty line"
    for word in re.findall(r"=\?utf-8\?\S*\?=", head):
        assert len(word) <= 75


def test_a_long_link_in_a_header_stays_in_one_piece():
    leave = LEAVE + "/" + "x" * 300
    wanted = letter(headers=(("List-Unsubscribe", ("<", WAY_OUT, ">, <mailto:leave@example.org?subject=leave>")),))
    data = built(wanted, Recipient("d.42", "anna@example.org", {}, leave))
    assert f"List-Unsubscribe: <{leave}>,\r\n <mailto:leave@example.org?subject=leave>\r\n".encode() in data


def test_a_link_that_is_not_ascii_is_percent_encoded_in_a_header():
    data = built(letter(headers=(("List-Help", ("<https://example.org/häuser?a=%20>",)),)))
    assert b"List-Help: <https://example.org/h%C3%A4user?a=%20>\r\n" in data


@pytest.mark.parametrize(
    ("value", "line"),
    [
        ("Sérénité <letter.example.org>", b"List-Id: =?utf-8?b?U8OpcsOpbml0w6k=?= <letter.example.org>\r\n"),
        ('"Rest, and be" <letter.example.org>', b'List-Id: "Rest, and be" <letter.example.org>\r\n'),
        ("Rest <letter.example.org>", b"List-Id: Rest <letter.example.org>\r\n"),
        ("<letter.example.org>", b"List-Id: <letter.example.org>\r\n"),
    ],
)
def test_the_list_id_quotes_its_name_as_it_needs(value, line):
    assert line in built(letter(headers=(("List-Id", (value,)),)))


def test_a_header_without_a_value_is_left_out():
    data = built(letter(headers=(("X-Note", (Site("note", "", Escape.HEADER),)), ("X-Other", ("",)))))
    assert b"X-Note" not in data
    assert b"X-Other" not in data


def test_each_reader_gets_their_own_way_out():
    template = mime.compile(letter(text=("Leave: ", Site("unsubscribe_url", "", Escape.PLAIN), "\n")))
    for key, link in (("a", "https://x.example/1"), ("b", "https://x.example/2")):
        data = template.message(Recipient(key, "anna@example.org", {}, link), at=AT, message_id=f"<{key}@x.example>")
        assert bodies(data)[0] == f"Leave: {link}\n"


def test_a_value_cannot_replace_the_way_out():
    wanted = letter(text=(Site("unsubscribe_url", "", Escape.PLAIN), "\n"))
    assert bodies(built(wanted, reader(unsubscribe_url="https://elsewhere.example/")))[0] == f"{LEAVE}\n"


def test_promise_10_the_same_email_gives_the_same_bytes():
    mime.compile.cache_clear()
    once = built(letter())
    mime.compile.cache_clear()
    assert built(letter()) == once


def test_the_boundary_depends_on_the_email_and_never_occurs_in_a_body():
    boundaries = {parsed(built(letter(text=(word,)))).get_boundary() for word in ("one", "two")}
    assert len(boundaries) == 2
    sly = boundaries.pop()
    assert sly
    again = built(letter(text=("one", f"\n--{sly}--\n")))
    assert bodies(again)[0] == f"one\n--{sly}--\n"


@pytest.mark.parametrize(
    "address",
    ["a@b.c, d@e.f", "a@b.c\r\nBcc: d@e.f", "A <a@b.c>", "a b@c.d", "ä@b.c", "", "a@b@c", "a@b.c;d@e.f", "(x)a@b.c"],
)
def test_promise_12_an_address_that_is_more_than_one_is_refused_and_not_repeated(address):
    with pytest.raises(AddressRefused) as refused:
        built(letter(), Recipient("d.42", address, {}, LEAVE))
    assert not address or address not in str(refused.value)


@pytest.mark.parametrize("header", ["Bcc", "to", "Content-Type", "Message-ID", "Bad Name", "X:", "X\r\nBcc", ""])
def test_an_email_cannot_bring_along_headers_that_are_written_here(header):
    with pytest.raises(ProviderError):
        mime.compile(letter(headers=((header, ("x",)),)))


def test_a_sender_without_a_valid_address_is_a_configuration_error():
    with pytest.raises(ProviderError, match="sender"):
        mime.compile(letter(sender=Mailbox("Sam", "sam at example")))


def test_the_senders_domain_is_written_in_idna():
    template = mime.compile(letter(sender=Mailbox("Sam", "sam@faß.example")))
    assert (template.sender, template.domain) == ("sam@xn--fa-hia.example", "xn--fa-hia.example")


def test_a_half_character_becomes_a_question_mark_and_stops_nobody():
    data = built(letter(subject=(Site("first_name", "", Escape.HEADER),)), reader(first_name="\ud83c"))
    assert bodies(data)[0] == "Dear ?,\n\nRest well.\n"
    assert parsed(data)["Subject"] == "?"


def test_message_ids():
    assert mime.message_id("d.42-x_Y", "letter.example.org") == "<d.42-x_Y@letter.example.org>"


@pytest.mark.parametrize("key", ["", ".", "..", "a/b", "a b", "a:b", "a@b", "ä", ".a", "a.", "a..b", "a\n", "x" * 129])
def test_a_key_that_is_no_file_name_or_message_id_is_refused(key):
    assert not mime.is_safe(key)
    assert not mime.all_safe(["d-1", key, "d-2"])
    with pytest.raises(ValueError, match="key"):
        mime.message_id(key, "example.org")


@pytest.mark.parametrize("text", ["", "ann", "ann@x.test\n", "ann@x.test\nsam@x.test", "a b@x.test", "ann@x.test,"])
def test_promise_11_among_many_addresses_one_that_is_none_is_seen(text):
    good = ["ann@x.test", "o'lee+a@x.test"]
    assert mime.all_plain(good)
    assert not mime.all_plain([*good, text])
    assert not mime.all_plain([text, *good])


def test_many_keys_are_judged_as_each_is():
    assert mime.all_safe([])
    assert mime.all_safe(["d-1", "d.42-x_Y", "x" * 128])
    assert not mime.all_safe(["d-1\nd-2"])


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("", "sam@x.test"),
        ("Sam Rivers", "Sam Rivers <sam@x.test>"),
        ('Rivers, "Sam"', '"Rivers, \\"Sam\\"" <sam@x.test>'),
        ("Sam\r\nBcc: all@x.test", '"Sam Bcc: all@x.test" <sam@x.test>'),
        ("Zoë", "=?utf-8?b?Wm/Dqw==?= <sam@x.test>"),
    ],
)
def test_a_mailbox_is_one_line_of_ascii(name: str, said: str) -> None:
    assert mime.mailbox(Mailbox(name, "sam@x.test")) == said


def test_a_header_is_one_line_of_ascii() -> None:
    long = mime.one_line("X-Long", "word " * 60 + "Zoë\r\nBcc: all@x.test")
    assert long.isascii()
    assert "\n" not in long
    assert mime.one_line("X-None", " ") == ""


def test_a_message_id_of_ours_gives_its_key_back() -> None:
    assert mime.key_of(mime.message_id("c1-r2", "letters.example")) == "c1-r2"
    assert mime.key_of("c1-r2@letters.example") == "c1-r2"
    assert mime.key_of("") == ""
