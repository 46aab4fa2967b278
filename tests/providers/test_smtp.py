"""The smtp provider against a real server in a thread: what each answer, and each silence, means."""

from __future__ import annotations

import asyncio
import socket
import ssl
import subprocess
import threading
from contextlib import contextmanager
from dataclasses import replace

import pytest
from aiosmtpd import smtp as server_side
from aiosmtpd.controller import Controller

from newsletter.core.delivery import Status
from newsletter.core.email import Escape, Mailbox, Site
from newsletter.errors import ProviderError
from newsletter.providers.smtp import PAUSE, Smtp
from newsletter.testing import Arrived, Clock, ProviderContract, sample_batch, sample_email

TIMEOUT = 5.0

pytestmark = pytest.mark.filterwarnings("ignore:Requiring AUTH while not requiring TLS")  # the server's, for tests


class Handler:
    """A server's manners: keeps what it takes; `answers` by stage replace "250 OK"."""

    def __init__(self):
        self.taken = []  # (from, to, message)
        self.answers = {}
        self.cut = set()  # stages at which the connection is cut without an answer
        self.slow = 0.0  # seconds before the answer to a message
        self.idle_cut = False  # close soon after the answer to a message
        self.closed = threading.Event()
        self.peers = set()
        self.greeted = set()

    async def _answer(self, server, session, stage):
        self.peers.add(session.peer)
        self.greeted.add(session.host_name)
        if stage in self.cut:
            server.transport.abort()
            await asyncio.sleep(0.05)
        return self.answers.get(stage, "250 OK")

    async def handle_MAIL(self, server, session, envelope, address, options):  # noqa: N802 - the server's word
        said = await self._answer(server, session, "MAIL")
        if said.startswith("250"):
            envelope.mail_from = address
        return said

    async def handle_RCPT(self, server, session, envelope, address, options):  # noqa: N802 - the server's word
        said = await self._answer(server, session, "RCPT")
        if said.startswith("250"):
            envelope.rcpt_tos.append(address)
        return said

    async def handle_DATA(self, server, session, envelope):  # noqa: N802 - the server's word
        await asyncio.sleep(self.slow)
        said = await self._answer(server, session, "DATA")
        if said.startswith("250"):
            (to,) = envelope.rcpt_tos
            self.taken.append((envelope.mail_from, to, envelope.content))
        if self.idle_cut:
            asyncio.get_running_loop().call_later(0.02, self._close, server.transport)
        return said

    def _close(self, transport):
        transport.close()
        self.closed.set()


class Here(Controller):
    """A server on a free port of this machine."""

    def __init__(self, handler, **settings):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        super().__init__(handler, hostname="127.0.0.1", port=port, **settings)


@pytest.fixture
def handler():
    return Handler()


@pytest.fixture
def serve(handler):
    started = []

    def start(**settings):
        controller = Here(handler, **settings)
        controller.start()
        started.append(controller)
        return controller.port

    yield start
    for controller in started:
        controller.stop()


@pytest.fixture
def provide():
    made = []

    def make(port, **settings):
        provider = Smtp(**{"host": "127.0.0.1", "port": port, "security": "none", **settings})
        made.append(provider)
        return provider

    yield make
    for provider in made:
        provider.close()


@pytest.fixture
def smtp(serve, provide):
    return provide(serve())


def submit(provider, batch=None, email=None, timeout=TIMEOUT):
    return provider.submit(email or sample_email(), batch or sample_batch(1), key="k", timeout=timeout)


def one(provider, **settings):
    result = submit(provider, **settings)
    (outcome,) = result.outcomes
    return result, outcome


class TestSmtp(ProviderContract):
    @pytest.fixture(autouse=True)
    def _server(self, handler, smtp):
        self.handler, self.smtp = handler, smtp

    def provider(self):
        return self.smtp

    def arrived(self):
        return [Arrived.of(message) for _, _, message in self.handler.taken]


def test_a_lost_answer_leaves_one_reader_uncertain_not_a_batch(smtp):
    assert smtp.capabilities.max_batch == 1
    assert smtp.capabilities.reconcile == "no"


def test_envelope_and_answer(smtp, handler):
    _, outcome = one(smtp)
    assert outcome.status is Status.SUBMITTED
    assert outcome.message_id == "<d.1@letter.example.org>"
    ((sender, to, _),) = handler.taken
    assert (sender, to) == ("sam@letter.example.org", "reader1@example.org")


def test_dots_at_line_starts_and_long_and_foreign_text_arrive_as_they_were(smtp, handler):
    lines = (".", "..", ".\n.\n", "x" * 2000, "Zoë 🌿", " .", "From here\n", "tail \t")
    body = "\n".join(lines) + "\n"
    email = replace(sample_email(), text=(body, Site("none", ".\n.", Escape.PLAIN), "\n"))
    one(smtp, email=email)
    ((_, _, message),) = handler.taken
    assert message.isascii()
    assert Arrived.of(message).text == body + ".\n.\n"


def test_one_connection_serves_batch_after_batch(smtp, handler):
    for number in range(1, 6):
        _, outcome = one(smtp, batch=sample_batch(1, first=number))
        assert outcome.status is Status.SUBMITTED
    assert len(handler.peers) == 1


def test_each_thread_at_work_has_a_connection_of_its_own(smtp, handler):
    handler.slow = 0.3
    threads = [threading.Thread(target=submit, args=(smtp, sample_batch(1, first=number))) for number in range(1, 4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(handler.taken) == 3
    assert len(handler.peers) == 3


@pytest.mark.parametrize(
    ("stage", "answer", "status", "halt", "pause"),
    [
        # of one reader
        ("RCPT", "550 5.1.1 no such mailbox", Status.REJECTED, "", None),
        ("RCPT", "553 5.1.3 bad address", Status.REJECTED, "", None),
        ("RCPT", "550 no such mailbox, in the words of an old server", Status.REJECTED, "", None),
        ("RCPT", "550 5.7.1 this mailbox takes mail from friends only", Status.REJECTED, "", None),
        ("RCPT", "550 5.7.17 this mailbox has another owner now", Status.REJECTED, "", None),
        ("DATA", "552 5.2.2 mailbox full", Status.REJECTED, "", None),
        ("DATA", "554 5.7.1 we do not want this", Status.REJECTED, "", None),
        ("RCPT", "450 4.2.1 come back", Status.RETRY, "", None),
        ("RCPT", "450 4.7.1 greylisted, come back", Status.RETRY, "", None),
        ("RCPT", "451 come back, in the words of an old server", Status.RETRY, "", None),
        ("DATA", "452 4.2.2 mailbox full today", Status.RETRY, "", None),
        # of everybody, for now
        ("RCPT", "450 4.7.28 too much mail from you", Status.RETRY, "", PAUSE),
        ("RCPT", "452 4.3.1 no room", Status.RETRY, "", PAUSE),
        ("RCPT", "452 4.4.5 busy", Status.RETRY, "", PAUSE),
        ("DATA", "451 4.3.0 trouble here", Status.RETRY, "", PAUSE),
        ("MAIL", "452 4.3.1 no room", Status.RETRY, "", PAUSE),
        # of us
        ("RCPT", "550 5.4.5 Daily user sending limit exceeded", Status.RETRY, "quota", None),
        ("MAIL", "550 5.4.5 Daily user sending limit exceeded", Status.RETRY, "quota", None),
        ("DATA", "550 5.4.5 Daily user sending limit exceeded", Status.RETRY, "quota", None),
        ("DATA", "550 5.7.26 unauthenticated mail is not accepted: DMARC", Status.RETRY, "account", None),
        ("DATA", "550 5.7.26 in two lines", Status.RETRY, "account", None),
        ("RCPT", "554 5.7.0 your account is disabled", Status.RETRY, "account", None),
        ("DATA", "552 5.3.4 the message is too big", Status.RETRY, "account", None),
        ("MAIL", "550 5.7.1 not your address", Status.RETRY, "account", None),
        ("MAIL", "530 5.7.0 log in first", Status.RETRY, "auth", None),
        ("RCPT", "530 5.7.0 log in first", Status.RETRY, "auth", None),
    ],
)
def test_what_a_refusal_means(smtp, handler, stage, answer, status, halt, pause):
    handler.answers[stage] = answer
    result, outcome = one(smtp)
    assert (outcome.status, outcome.code, result.halt, result.retry_after) == (status, answer[:3], halt, pause)
    assert outcome.detail == answer[4:]
    assert handler.taken == []


@pytest.mark.parametrize("stage", ["MAIL", "RCPT", "DATA"])
def test_after_a_refusal_the_next_reader_is_served(smtp, handler, stage):
    handler.answers[stage] = "450 4.2.1 come back"
    submit(smtp)
    handler.answers.clear()
    _, outcome = one(smtp, batch=sample_batch(1, first=2))
    assert outcome.status is Status.SUBMITTED
    assert [to for _, to, _ in handler.taken] == ["reader2@example.org"]


def test_one_reader_who_is_put_off_does_not_stop_the_others(smtp, handler):
    handler.answers["RCPT"] = "450 4.7.1 greylisted"
    result = submit(smtp, batch=sample_batch(3))
    assert {outcome.status for outcome in result.outcomes} == {Status.RETRY}
    assert len(handler.greeted) == 1
    assert result.retry_after is None


@pytest.mark.parametrize(
    ("host", "network"),
    [("127.0.0.1", False), ("localhost", False), ("::1", False), ("mail.example.org", True), ("10.0.0.1", True)],
)
def test_a_server_on_this_machine_is_no_network(host, network):
    assert Smtp(host=host).capabilities.network is network


def test_421_is_come_back_later(smtp, handler):
    handler.answers["DATA"] = "421 4.3.2 shutting down"
    result, outcome = one(smtp)
    assert (outcome.status, outcome.code, result.retry_after) == (Status.RETRY, "421", PAUSE)


def test_an_answer_that_holds_for_all_stops_the_batch(smtp, handler):
    handler.answers["MAIL"] = "421 4.3.2 shutting down"
    result = submit(smtp, batch=sample_batch(3))
    assert [outcome.key for outcome in result.outcomes] == ["d.1", "d.2", "d.3"]
    assert {outcome.status for outcome in result.outcomes} == {Status.RETRY}
    assert result.retry_after == PAUSE


def test_one_refused_reader_does_not_stop_the_others(smtp, handler):
    batch = sample_batch(3)
    two = batch.recipients[1]._replace(address="a@example.org, b@example.org")
    result = submit(smtp, batch=replace(batch, recipients=(batch.recipients[0], two, batch.recipients[2])))
    statuses = [outcome.status for outcome in result.outcomes]
    assert statuses == [Status.SUBMITTED, Status.REJECTED, Status.SUBMITTED]


def test_promise_3_connection_lost_after_the_message_is_unknown(smtp, handler):
    handler.cut.add("DATA")
    result, outcome = one(smtp)
    assert outcome.status is Status.UNKNOWN
    assert outcome.message_id == "<d.1@letter.example.org>"
    assert (result.halt, result.retry_after) == ("", None)


def test_promise_3_an_answer_that_comes_too_late_is_unknown_and_is_not_asked_for_again(smtp, handler):
    one(smtp)
    handler.slow = 1.0
    _, outcome = one(smtp, batch=sample_batch(1, first=2), timeout=0.5)
    assert outcome.status is Status.UNKNOWN
    assert len(handler.peers) == 1


def test_promise_3_an_answer_that_is_no_answer_is_unknown(smtp, handler):
    handler.answers["DATA"] = "354 go on"
    _, outcome = one(smtp)
    assert outcome.status is Status.UNKNOWN


@pytest.mark.parametrize("stage", ["MAIL", "RCPT"])
def test_connection_lost_before_the_message_is_surely_not_sent(smtp, handler, stage):
    handler.cut.add(stage)
    result, outcome = one(smtp)
    assert (outcome.status, result.retry_after) == (Status.RETRY, PAUSE)
    assert handler.taken == []


def test_a_connection_closed_while_idle_is_opened_anew(smtp, handler):
    handler.idle_cut = True
    for number in range(1, 4):
        _, outcome = one(smtp, batch=sample_batch(1, first=number))
        assert outcome.status is Status.SUBMITTED
        assert handler.closed.wait(5)
        handler.closed.clear()
    assert len(handler.taken) == len(handler.peers) == 3


def test_promise_1_a_connection_lost_with_the_message_on_it_is_not_opened_anew(smtp, handler):
    one(smtp)  # the connection is kept from here on
    handler.cut.add("DATA")
    _, outcome = one(smtp, batch=sample_batch(1, first=2))
    assert outcome.status is Status.UNKNOWN
    assert len(handler.peers) == 1


def test_a_kept_connection_that_is_told_421_is_opened_anew(smtp, handler):
    one(smtp)
    told = iter(["421 4.4.2 idle for too long"])
    standard = handler._answer

    async def once(server, session, stage):
        said = await standard(server, session, stage)
        return next(told, said) if stage == "MAIL" else said

    handler._answer = once
    _, outcome = one(smtp, batch=sample_batch(1, first=2))
    assert outcome.status is Status.SUBMITTED
    assert len(handler.peers) == 2


def test_time_that_is_over_before_the_message_is_surely_not_sent(provide):
    clock = Clock()
    heard = []

    def word(line):
        heard.append(line)
        if line.startswith(b"DATA"):
            clock.move(6)

    with scripted(220, 250, 250, 250, 354, listening=word) as port:
        result, outcome = one(provide(port, monotonic=clock.monotonic))
    assert (outcome.status, result.retry_after) == (Status.RETRY, PAUSE)
    assert [line[:4] for line in heard] == [b"ehlo", b"MAIL", b"RCPT", b"DATA", b""]


@contextmanager
def scripted(*codes, listening=lambda line: None):
    """A server that reads a line between its answers and one after the last, then hangs up. Out: its port."""

    def serve_one(listener):
        connection, _ = listener.accept()
        with connection, connection.makefile("rb") as lines:
            for code in codes:
                connection.sendall(b"%d so it is\r\n" % code)
                listening(lines.readline())

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve_one, args=(listener,))
        thread.start()
        yield listener.getsockname()[1]
        thread.join()


def test_nobody_listens(provide):
    with socket.socket() as nobody:  # bound, not listening: refused, and nobody else can take the port
        nobody.bind(("127.0.0.1", 0))
        result, outcome = one(provide(nobody.getsockname()[1]))
    assert (outcome.status, result.retry_after, result.halt) == (Status.RETRY, PAUSE, "")
    assert "Connection refused" in outcome.detail


def test_a_server_without_a_name_in_the_dns(provide):
    result, outcome = one(provide(25, host="mail.invalid"))
    assert (outcome.status, result.retry_after) == (Status.RETRY, PAUSE)


@pytest.mark.parametrize(("greeting", "halt", "pause"), [(554, "account", None), (421, "", PAUSE)])
def test_a_server_that_greets_with_a_refusal(provide, greeting, halt, pause):
    with scripted(greeting) as port:
        result, outcome = one(provide(port))
    assert (outcome.status, result.halt, result.retry_after) == (Status.RETRY, halt, pause)


def test_promise_3_a_server_that_goes_amid_the_message_is_unknown(provide):
    with scripted(220, 250, 250, 250, 354) as port:
        _, outcome = one(provide(port))
    assert outcome.status is Status.UNKNOWN


# --- logging in --------------------------------------------------------------------------------------


def authenticator(answer=None):
    def check(server, session, envelope, mechanism, data):
        right = (data.login, data.password) == (b"letter", b"right horse")
        return server_side.AuthResult(success=right, handled=right or answer is None, message=answer)

    return check


def test_a_login_that_fits(serve, provide, handler):
    port = serve(authenticator=authenticator(), auth_require_tls=False, auth_required=True)
    _, outcome = one(provide(port, username="letter", password="right horse"))
    assert outcome.status is Status.SUBMITTED


def test_promise_12_a_login_that_fails_halts_the_run_and_tells_no_secret(serve, provide, handler):
    said = "535 5.7.8 letter: wrong horse is not the word"
    port = serve(authenticator=authenticator(said), auth_require_tls=False, auth_required=True)
    result = submit(provide(port, username="letter", password="wrong horse"), batch=sample_batch(2))
    assert result.halt == "auth"
    assert [(outcome.status, outcome.code) for outcome in result.outcomes] == [(Status.RETRY, "535")] * 2
    assert "wrong horse" not in repr(result)
    assert "letter" not in result.outcomes[0].detail
    assert handler.taken == []


def test_no_login_where_one_is_needed(serve, provide):
    port = serve(authenticator=authenticator(), auth_require_tls=False, auth_required=True)
    result, outcome = one(provide(port))
    assert (outcome.status, outcome.code, result.halt) == (Status.RETRY, "530", "auth")


def test_a_login_where_none_is_offered(serve, provide):
    result, outcome = one(provide(serve(), username="letter", password="x"))
    assert (outcome.status, result.halt) == (Status.RETRY, "auth")


def test_a_login_that_cannot_be_checked_now_is_retried(serve, provide):
    port = serve(
        authenticator=authenticator("454 4.7.0 the directory is away"), auth_require_tls=False, auth_required=True
    )
    result, outcome = one(provide(port, username="letter", password="right horse?"))
    assert (outcome.status, result.halt, result.retry_after) == (Status.RETRY, "", PAUSE)


# --- encryption --------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    """A certificate of this machine's own for 127.0.0.1, good for a day."""
    folder = tmp_path_factory.mktemp("certificate")
    key, file = folder / "key.pem", folder / "certificate.pem"
    subject = ["-subj", "/CN=a server under test", "-addext", "subjectAltName=IP:127.0.0.1"]
    curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "1"]
    command = ["openssl", "req", "-x509", *curve, *subject, "-keyout", str(key), "-out", str(file)]
    subprocess.run(command, check=True, capture_output=True)
    return key, file


@pytest.fixture
def server_context(certificate):
    key, file = certificate
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file, key)
    return context


@pytest.fixture
def trusting(certificate):
    return ssl.create_default_context(cafile=certificate[1])


def test_starttls_with_a_certificate_we_trust(serve, provide, handler, server_context, trusting):
    port = serve(tls_context=server_context, require_starttls=True, authenticator=authenticator(), auth_required=True)
    provider = provide(port, security="starttls", context=trusting, username="letter", password="right horse")
    _, outcome = one(provider)
    assert outcome.status is Status.SUBMITTED
    assert len(handler.taken) == 1


def test_starttls_with_a_certificate_nobody_vouches_for_is_refused(serve, provide, handler, server_context):
    port = serve(tls_context=server_context)
    result, outcome = one(provide(port, security="starttls"))
    assert (outcome.status, outcome.code, result.halt) == (Status.RETRY, "certificate", "account")
    assert "self-signed" in outcome.detail
    assert handler.taken == []


def test_a_certificate_of_another_name_is_refused(serve, provide, server_context, trusting):
    port = serve(tls_context=server_context)
    result, outcome = one(provide(port, host="localhost", security="starttls", context=trusting))
    assert (outcome.status, result.halt) == (Status.RETRY, "account")


def test_no_starttls_is_no_reason_to_go_on_without(serve, provide, handler):
    result, outcome = one(provide(serve(), security="starttls"))
    assert (outcome.status, outcome.code, result.halt) == (Status.RETRY, "starttls", "account")
    assert handler.taken == []


def test_tls_from_the_first_byte(serve, provide, handler, server_context, trusting):
    _, outcome = one(provide(serve(ssl_context=server_context), security="tls", context=trusting))
    assert outcome.status is Status.SUBMITTED
    assert len(handler.taken) == 1


def test_tls_on_a_port_that_speaks_plain_is_retried(serve, provide):
    result, outcome = one(provide(serve(), security="tls"))
    assert (outcome.status, result.retry_after) == (Status.RETRY, PAUSE)


# --- what is told ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "answer",
    [
        "550 5.1.1 <Anna.Lee@example.org>: no such mailbox",
        "550 5.1.1 anna.lee@example.org unknown, ask postmaster@example.org",
        "550 user ANNA.LEE unknown here",
        "550 bounces+anna.lee=example.org@relay.example refused",
        "550 see https://relay.example/?who=anna.lee%40example.org",
    ],
)
def test_promise_12_the_servers_words_without_the_address(smtp, handler, answer):
    handler.answers["RCPT"] = answer
    batch = sample_batch(1)
    reader = batch.recipients[0]._replace(address="anna.lee@example.org")
    _, outcome = one(smtp, batch=replace(batch, recipients=(reader,)))
    assert outcome.status is Status.REJECTED
    assert "anna.lee" not in repr(outcome).lower()
    assert "@" not in outcome.detail
    assert "…" in outcome.detail


def test_detail_is_one_short_line(smtp, handler):
    handler.answers["RCPT"] = "550-first\r\n550 second " + "x" * 400
    _, outcome = one(smtp)
    assert outcome.detail.startswith("first second xxx")
    assert len(outcome.detail) <= 200


def test_reconcile_cannot_tell(smtp):
    assert smtp.reconcile(sample_batch(2), key="k") == {"d.1": None, "d.2": None}


def test_a_key_that_is_not_fit_for_a_message_id_is_a_bug(smtp, handler):
    batch = sample_batch(1)
    broken = replace(batch, recipients=(batch.recipients[0]._replace(key="d>1"),))
    result, outcome = one(smtp, batch=broken)
    assert (outcome.status, result.halt) == (Status.RETRY, "bug")
    assert handler.taken == []


def test_a_sender_that_is_no_address_halts_before_anything_is_sent(smtp, handler):
    result, outcome = one(smtp, email=replace(sample_email(), sender=Mailbox("Sam", "nobody")))
    assert (outcome.status, result.halt) == (Status.RETRY, "account")
    assert "sender" in outcome.detail
    assert handler.peers == set()


def test_an_answer_before_the_message_that_is_no_answer_is_surely_not_sent(smtp, handler):
    handler.answers["RCPT"] = "354 go on"
    result, outcome = one(smtp)
    assert (outcome.status, result.retry_after) == (Status.RETRY, PAUSE)


@pytest.mark.parametrize(
    ("settings", "word"),
    [
        ({"host": ""}, "no server"),
        ({"host": "mail.example.org", "security": "none", "password": "x", "username": "y"}, "travel"),
        ({"host": "mail.example.org", "password": "pässword"}, "ASCII"),
    ],
)
def test_settings_that_cannot_work_are_refused_at_once(settings, word):
    with pytest.raises(ProviderError, match=word) as refused:
        Smtp(**settings)
    assert "pässword" not in str(refused.value)


def test_close_says_goodbye(serve, provide, handler):
    said = []
    standard = server_side.SMTP.smtp_QUIT

    class Polite(server_side.SMTP):
        async def smtp_QUIT(self, arg):  # noqa: N802 - the server's word
            said.append("QUIT")
            await standard(self, arg)

    class Inn(Here):
        def factory(self):
            return Polite(self.handler)

    inn = Inn(handler)
    inn.start()
    try:
        provider = provide(inn.port)
        submit(provider)
        provider.close()
        provider.close()
        assert said == ["QUIT"]
    finally:
        inn.stop()


def test_it_greets_by_the_senders_domain_not_by_this_machines_name(smtp, handler):
    one(smtp)
    assert handler.greeted == {"letter.example.org"}
