"""Requests of SNS, signed by ourselves as its guide says, and by others."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import responses
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from newsletter.errors import BadSignature, ProviderError, StaleWebhook, WorkLeft
from newsletter.providers.sns import Topic

TOPIC = "arn:aws:sns:eu-west-1:123456789012:letters"
CERTIFICATE_URL = "https://sns.eu-west-1.amazonaws.com/SimpleNotificationService-0123abcd.pem"
NOW = datetime(2026, 12, 1, 17, 30, tzinfo=UTC)
SIGNER = rsa.generate_private_key(public_exponent=65537, key_size=2048)


def certificate(name: str = "sns.amazonaws.com", *, days: int = 30, signer: rsa.RSAPrivateKey = SIGNER) -> bytes:
    who = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    built = (
        x509.CertificateBuilder()
        .subject_name(who)
        .issuer_name(who)
        .public_key(signer.public_key())
        .serial_number(7)
        .not_valid_before(NOW - timedelta(days=30))
        .not_valid_after(NOW + timedelta(days=days))
        .sign(signer, hashes.SHA256())
    )
    return built.public_bytes(Encoding.PEM)


def notice(event: Any, *, version: str = "2", signer: rsa.RSAPrivateKey = SIGNER, **more: Any) -> dict[str, Any]:
    """A notification as SNS posts it, signed as its guide says: names and values on lines of their own."""
    told = {
        "Type": "Notification",
        "MessageId": "19ba9823-d7f2-53c1-860e-cb10e0d13dfc",
        "TopicArn": TOPIC,
        "Subject": "Amazon SES Email Event Notification",
        "Message": event if isinstance(event, str) else json.dumps(event),
        "Timestamp": "2026-12-01T17:30:00.123Z",
        "SignatureVersion": version,
        "SigningCertURL": CERTIFICATE_URL,
        "UnsubscribeURL": "https://sns.eu-west-1.amazonaws.com/?Action=Unsubscribe",
        **more,
    }
    names = "Message MessageId Subject Timestamp TopicArn Type"
    if told["Type"] != "Notification":
        names = "Message MessageId SubscribeURL Timestamp Token TopicArn Type"
    signed = "".join(f"{name}\n{told[name]}\n" for name in names.split() if told.get(name) is not None)
    digest = hashes.SHA1() if version == "1" else hashes.SHA256()
    signature = signer.sign(signed.encode(), padding.PKCS1v15(), digest)
    return {**told, "Signature": base64.b64encode(signature).decode()}


def body(told: Any) -> bytes:
    return json.dumps(told).encode()


@pytest.fixture
def mocked() -> Iterator[responses.RequestsMock]:
    with responses.RequestsMock() as mock:
        yield mock


@pytest.fixture
def pinned(tmp_path: Path) -> Topic:
    (tmp_path / "sns.pem").write_bytes(certificate("anybody.example"))
    return Topic(TOPIC, tmp_path / "sns.pem")


def verify(topic: Topic, told: Any, now: datetime = NOW) -> None:
    topic.verify(body(told), now=now.timestamp())


@pytest.mark.parametrize("version", ["1", "2"])
@pytest.mark.parametrize("subject", ["Amazon SES", None])
def test_what_sns_signed_for_our_topic_passes(pinned: Topic, version: str, subject: str | None) -> None:
    verify(pinned, notice({"a": 1}, version=version, Subject=subject))
    more = {"Type": "SubscriptionConfirmation", "Token": "t", "SubscribeURL": "https://sns.eu-west-1.amazonaws.com/?t"}
    verify(pinned, notice("You have chosen to subscribe", version=version, **more))


@pytest.mark.parametrize(
    "change",
    [
        lambda told: {**told, "Message": "{}"},
        lambda told: {**told, "MessageId": "another"},
        lambda told: {**told, "Timestamp": "2026-12-01T17:31:00.123Z"},
        lambda told: {**told, "Subject": None},
        lambda told: {**told, "Type": "Other"},
        lambda told: {**told, "SignatureVersion": "1"},
        lambda told: {**told, "SignatureVersion": "3"},
        lambda told: {**told, "SignatureVersion": ["2"]},
        lambda told: {**told, "Signature": "AAAA"},
        lambda told: {**told, "Signature": None},
        lambda told: {name: value for name, value in told.items() if name != "Message"},
        lambda _: notice({}, TopicArn="arn:aws:sns:eu-west-1:999999999999:letters"),
        lambda _: notice({}, signer=rsa.generate_private_key(public_exponent=65537, key_size=2048)),
        lambda _: notice({}, SigningCertURL="https://sns.eu-west-1.amazonaws.com.evil.test/x.pem"),
        lambda _: notice({}, SigningCertURL="http://sns.eu-west-1.amazonaws.com/x.pem"),
        lambda _: notice({}, SigningCertURL="https://sns.eu-west-1.amazonaws.com@evil.test/x.pem"),
        lambda _: notice({}, SigningCertURL="https://evil.test/sns.eu-west-1.amazonaws.com/x.pem"),
        lambda _: notice({}, SigningCertURL="https://sns.eu-west-1.amazonaws.com/x.pem?y=.txt"),
        lambda _: [],
        lambda _: "text",
    ],
)
def test_any_other_request_is_refused(pinned: Topic, change: Callable[[dict[str, Any]], Any]) -> None:
    with pytest.raises(BadSignature):
        verify(pinned, change(notice({"a": 1})))
    with pytest.raises(BadSignature):
        pinned.verify(b"no json", now=NOW.timestamp())


def test_a_signature_of_long_ago_is_stale(pinned: Topic) -> None:
    verify(pinned, notice({}), NOW + timedelta(days=6.9))
    with pytest.raises(StaleWebhook):
        verify(pinned, notice({}), NOW + timedelta(days=7.1))


def test_the_certificate_is_fetched_once(mocked: responses.RequestsMock) -> None:
    asked = mocked.get(CERTIFICATE_URL, body=certificate())
    topic = Topic(TOPIC)
    for _ in range(2):
        verify(topic, notice({}))
    assert asked.call_count == 1


@pytest.mark.parametrize(
    "found",
    [certificate("evil.test"), certificate("sns.amazonaws.com.evil.test"), certificate(days=-1), b"no certificate"],
)
def test_a_certificate_that_is_not_of_sns_or_not_valid_is_refused(mocked: responses.RequestsMock, found: bytes) -> None:
    mocked.get(CERTIFICATE_URL, body=found)
    with pytest.raises(BadSignature):
        verify(Topic(TOPIC), notice({}))


def test_a_certificate_that_does_not_come_is_no_refusal(mocked: responses.RequestsMock) -> None:
    mocked.assert_all_requests_are_fired = False
    mocked.get(CERTIFICATE_URL, status=301, headers={"Location": "https://evil.test/x.pem"})
    elsewhere = mocked.get("https://evil.test/x.pem", body=certificate())
    with pytest.raises(WorkLeft):
        verify(Topic(TOPIC), notice({}))
    assert elsewhere.call_count == 0


def test_a_subscription_of_our_topic_is_confirmed(mocked: responses.RequestsMock) -> None:
    url = "https://sns.eu-west-1.amazonaws.com/?Action=ConfirmSubscription&Token=t"
    asked = mocked.get(url, body="<ConfirmSubscriptionResponse/>")
    topic, more = Topic(TOPIC), {"Type": "SubscriptionConfirmation", "Token": "t", "SubscribeURL": url}
    assert topic.confirm(body(notice("m", **more)))
    assert asked.call_count == 1
    for other in (
        notice({}),
        notice("m", **{**more, "TopicArn": "arn:aws:sns:eu-west-1:999999999999:x"}),
        notice("m", **{**more, "SubscribeURL": "https://evil.test/https://sns.eu-west-1.amazonaws.com/"}),
    ):
        assert not topic.confirm(body(other))
    mocked.replace(responses.GET, url, status=400)
    with pytest.raises(ProviderError):
        topic.confirm(body(notice("m", **more)))
