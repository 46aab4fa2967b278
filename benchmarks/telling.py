"""A provider that tells of a campaign's mail: signed arrays of events (SendGrid's form), each answered before the next.

    python -m benchmarks.telling FOLDER URL COUNT SIZE PACE KIND

One event of KIND for each of the first COUNT readers of the folder's database, SIZE a request, at most PACE events a
second (0: as fast as they are taken). Waits for the campaign to be there. What is answered with 503 comes again.
"""

from __future__ import annotations

import base64
import http.client
import json
import sqlite3
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from urllib.parse import urlsplit

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

PUBLIC, PRIVATE = "telling.pub", "telling.pem"
DATABASE = "newsletter.db"
_CONNECTIONS = 4
_PATIENCE = 120.0  # seconds for the campaign to begin
_AGAIN = 0.05  # seconds until what was turned away comes again

Sign = Callable[[bytes], bytes]


def write_keys(folder: Path) -> None:
    """Make a key pair for a folder: the site verifies with one, this signs with the other."""
    key = ec.generate_private_key(ec.SECP256R1())
    plain = serialization.NoEncryption()
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain)
    public = key.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    (folder / PRIVATE).write_bytes(pem)
    (folder / PUBLIC).write_bytes(base64.b64encode(public))


def signer(folder: Path) -> Sign:
    """What signs with the folder's key."""
    key = serialization.load_pem_private_key((folder / PRIVATE).read_bytes(), password=None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    return lambda signed: base64.b64encode(key.sign(signed, ec.ECDSA(hashes.SHA256())))


def keys(database: Path, count: int) -> list[str]:
    """The delivery keys of the campaign's first readers, once it is there. Raises: RuntimeError when it never is."""
    query = "SELECT c.pid || '-' || s.pid FROM campaigns c, subscribers s ORDER BY s.id LIMIT ?"
    end = time.monotonic() + _PATIENCE
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as there:
        while time.monotonic() < end:
            if found := [row[0] for row in there.execute(query, [count])]:
                return found
            time.sleep(0.05)
    raise RuntimeError("there is no campaign to tell of")


def bodies(kind: str, delivered: Sequence[str], size: int) -> Iterator[bytes]:
    """Requests of so many events each. In: `kind`, SendGrid's word; with a number, to tell of it more than once."""
    for start in range(0, len(delivered), size):
        told = [
            {
                "event": kind.rstrip("0123456789"),
                "email": "told@mail.example",
                "timestamp": int(time.time()),
                "sg_event_id": f"{kind}-{key}",
                "type": kind,
                "newsletter_key": key,
            }
            for key in delivered[start : start + size]
        ]
        yield json.dumps(told).encode()


def post(connection: http.client.HTTPConnection, body: bytes, sign: Sign) -> None:
    """Post one request until it is taken. Raises: RuntimeError for another answer than 200 or 503."""
    now = str(int(time.time()))
    headers = {
        "X-Twilio-Email-Event-Webhook-Timestamp": now,
        "X-Twilio-Email-Event-Webhook-Signature": sign(now.encode() + body).decode(),
    }
    while True:
        connection.request("POST", "/webhooks/sendgrid", body, headers)
        answer = connection.getresponse()
        answer.read()
        if answer.status == http.client.OK:
            return
        if answer.status != http.client.SERVICE_UNAVAILABLE:
            raise RuntimeError(f"a webhook was answered with {answer.status}")
        time.sleep(_AGAIN)


def tell(url: str, requests: Sequence[bytes], sign: Sign, pause: float) -> None:
    """Post them in turn, one every `pause` seconds at most."""
    with closing(http.client.HTTPConnection(urlsplit(url).netloc, timeout=60)) as connection:
        for body in requests:
            begun = time.perf_counter()
            post(connection, body, sign)
            time.sleep(max(0.0, begun + pause - time.perf_counter()))


def main(folder: Path, url: str, count: int, size: int, pace: float, kind: str) -> None:
    """Tell of all of them."""
    requests = list(bodies(kind, keys(folder / DATABASE, count), size))
    sign, pause = signer(folder), size * _CONNECTIONS / pace if pace else 0.0
    with ThreadPoolExecutor(_CONNECTIONS) as threads:
        for done in [threads.submit(tell, url, requests[n::_CONNECTIONS], sign, pause) for n in range(_CONNECTIONS)]:
            done.result()


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]), int(sys.argv[4]), float(sys.argv[5]), sys.argv[6])
