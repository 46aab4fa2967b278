"""Requests of Amazon SNS: whether it signed them, for our topic, and the confirmation it asks for at first.

Amazon signs for anybody's topic, so the topic must be ours; the certificate is Amazon's by the address it lies at,
fetched over verified TLS, or a file that is trusted instead.

    https://docs.aws.amazon.com/sns/latest/dg/sns-verify-signature-of-message.html
    https://docs.aws.amazon.com/sns/latest/dg/http-subscription-confirmation-json.html
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from newsletter.errors import BadSignature, ProviderError, StaleWebhook, WorkLeft
from newsletter.providers import webhook

if TYPE_CHECKING:
    from cryptography.x509 import Certificate

_STALE = 7 * 24 * 3600.0  # seconds; SNS repeats a request for hours with its first signature
_OK = 200


class Topic:
    """A topic of ours.

    In: its ARN; a PEM file to trust instead of the certificate a request names. Raises: ProviderError when the file
    holds none.
    """

    def __init__(self, arn: str, signing_certificate: Path | None = None) -> None:
        self._arn = arn
        self._trusted = _certificates(signing_certificate) if signing_certificate else None
        self._fetched: dict[str, Certificate] = {}

    def verify(self, body: bytes, *, now: float) -> None:
        """Whether SNS signed it, for our topic.

        Raises: BadSignature; StaleWebhook when it was signed more than seven days ago; WorkLeft when the certificate
        could not be fetched (SNS comes again after a 5xx, never after a 4xx).
        """
        told = _envelope(body)
        if told.get("TopicArn") != self._arn:
            raise BadSignature("A webhook request is of another topic than NEWSLETTER_SES__TOPIC_ARN.")
        signed, digest = _signed(told), _DIGESTS.get(str(told.get("SignatureVersion")))
        url = told.get("SigningCertURL")
        if signed is None or digest is None or not isinstance(url, str) or not _CERTIFICATE.fullmatch(url):
            raise BadSignature("A webhook request is not signed as SNS signs.")
        trusted = self._trusted or [self._certificate(url, now)]
        if not any(_is_signed(certificate, told.get("Signature"), signed, digest) for certificate in trusted):
            raise BadSignature("A webhook request is not the provider's own.")
        if not now - _stamp(told) <= _STALE:
            raise StaleWebhook("A webhook request was signed more than seven days ago.")

    def _certificate(self, url: str, now: float) -> Certificate:
        """Amazon's certificate, asked for once; refused when it is not for SNS, or not valid now."""
        found = self._fetched.get(url) or _fetched(url)
        moment = datetime.fromtimestamp(now, UTC)
        if not found.not_valid_before_utc <= moment <= found.not_valid_after_utc or not _is_of_sns(found):
            raise BadSignature("The certificate of a webhook request is not one of SNS, or is not valid now.")
        self._fetched[url] = found
        return found

    def confirm(self, body: bytes) -> bool:
        """Answer a request to confirm the subscription of our topic, after it was verified.

        In: the request's body. Out: whether it was one, and was confirmed. Raises: ProviderError when SNS does not
        take the confirmation.
        """
        told = _envelope(body)
        url = told.get("SubscribeURL")
        if told.get("Type") != "SubscriptionConfirmation" or told.get("TopicArn") != self._arn:
            return False
        if not isinstance(url, str) or not _SNS.match(url):
            return False
        status, _ = _got(url)
        if status != _OK:
            raise ProviderError(f"SNS did not confirm the subscription ({status}).", "Confirm it in the SNS console.")
        return True


_HOST = r"https://sns\.[a-zA-Z0-9-]{3,}\.amazonaws\.com(?:\.cn)?/"
_SNS = re.compile(_HOST)
_CERTIFICATE = re.compile(_HOST + r"[A-Za-z0-9_./-]+\.pem")
_DIGESTS = {"1": "SHA1", "2": "SHA256"}
_SIGNED = {
    "Notification": ("Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type"),
    "SubscriptionConfirmation": ("Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"),
    "UnsubscribeConfirmation": ("Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"),
}


def _envelope(body: bytes) -> Mapping[str, Any]:
    """Raises: BadSignature when it is none."""
    try:
        told = json.loads(body)
    except (ValueError, RecursionError):
        told = None
    if not isinstance(told, dict):
        raise BadSignature("A webhook request is not signed.")
    return told


def _signed(told: Mapping[str, Any]) -> bytes | None:
    """What SNS signs: names and values, a line each, in the order of the names; Subject only where there is one."""
    names = _SIGNED.get(str(told.get("Type")))
    if names is None:
        return None
    pairs = [(name, told[name]) for name in names if told.get(name) is not None]
    missing = set(names) - {name for name, _ in pairs} - {"Subject"}
    if missing or not all(isinstance(value, str) for _, value in pairs):
        return None
    return "".join(f"{name}\n{value}\n" for name, value in pairs).encode("utf-8", "replace")


def _is_signed(certificate: Certificate, signature: Any, signed: bytes, digest: str) -> bool:
    from cryptography.exceptions import InvalidSignature  # noqa: PLC0415
    from cryptography.hazmat.primitives import hashes  # noqa: PLC0415
    from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15  # noqa: PLC0415
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey  # noqa: PLC0415

    key = certificate.public_key()
    if not isinstance(key, RSAPublicKey) or not isinstance(signature, str):
        return False
    algorithm = hashes.SHA1() if digest == "SHA1" else hashes.SHA256()  # noqa: S303 - version 1 is SHA-1
    try:
        key.verify(base64.b64decode(signature, validate=True), signed, PKCS1v15(), algorithm)
    except (InvalidSignature, ValueError):
        return False
    return True


def _stamp(told: Mapping[str, Any]) -> float:
    try:
        return webhook.moment(str(told["Timestamp"])).timestamp()
    except ValueError:
        raise BadSignature("A webhook request has no time.") from None


def _certificates(path: Path) -> list[Certificate]:
    """The certificates of a PEM file. Raises: ProviderError."""
    from cryptography.x509 import load_pem_x509_certificates  # noqa: PLC0415

    try:
        return load_pem_x509_certificates(path.read_bytes())
    except (OSError, ValueError):
        raise ProviderError(
            "The certificate to trust for SNS cannot be read.",
            "NEWSLETTER_SES__SIGNING_CERTIFICATE names a PEM file; leave it out to have it fetched from Amazon.",
        ) from None


def _fetched(url: str) -> Certificate:
    """Raises: WorkLeft when it does not come, BadSignature when it is no certificate."""
    from cryptography.x509 import load_pem_x509_certificate  # noqa: PLC0415

    status, body = _got(url)
    if status != _OK:
        raise WorkLeft("The certificate of SNS could not be fetched.", "SNS comes again.")
    try:
        return load_pem_x509_certificate(body)
    except ValueError:
        raise BadSignature("The certificate of a webhook request is none.") from None


def _got(url: str) -> tuple[int, bytes]:
    """What stands at an address of SNS: the status (0: no answer) and the first 64 KB. No redirect is followed."""
    import requests  # noqa: PLC0415

    try:
        with requests.get(url, timeout=10, allow_redirects=False, stream=True) as answer:
            return answer.status_code, answer.raw.read(65536, decode_content=True)
    except (requests.RequestException, OSError):
        return 0, b""


def _is_of_sns(certificate: Certificate) -> bool:
    """Whether it is issued to sns.amazonaws.com, or to SNS in a region."""
    from cryptography.x509 import DNSName, ExtensionNotFound, SubjectAlternativeName  # noqa: PLC0415
    from cryptography.x509.oid import NameOID  # noqa: PLC0415

    names = [str(one.value) for one in certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)]
    try:
        more = certificate.extensions.get_extension_for_class(SubjectAlternativeName).value
        names += more.get_values_for_type(DNSName)
    except ExtensionNotFound:
        pass
    return any(_SNS_NAME.fullmatch(name) for name in names)


_SNS_NAME = re.compile(r"sns(?:\.[a-z0-9-]+)?\.amazonaws\.com(?:\.cn)?")
