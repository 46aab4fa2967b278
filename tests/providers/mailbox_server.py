"""A small IMAP server with TLS, as much of RFC 3501 as a client that reads a folder needs. It can be cut off."""

from __future__ import annotations

import contextlib
import re
import socket
import ssl
import threading
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path


def certificate(folder: Path) -> Path:
    """A certificate for localhost with its key, in one PEM file."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    file = folder / "localhost.pem"
    plain = serialization.NoEncryption()
    form = serialization.PrivateFormat.PKCS8
    file.write_bytes(
        made.public_bytes(serialization.Encoding.PEM) + key.private_bytes(serialization.Encoding.PEM, form, plain)
    )
    return file


@dataclass
class Box:
    """A folder: mails by their UID, those that were read, and the validity of its UIDs."""

    mails: dict[int, bytes] = field(default_factory=dict)
    seen: set[int] = field(default_factory=set)
    validity: int = 7

    def put(self, mail: bytes) -> None:
        self.mails[max(self.mails, default=0) + 1] = mail


class MailServer:
    """Serves one user's folders, a connection after the other.

    `cut_at`: hang up instead of answering that command, once. `silent`: never answers anything but the greeting.
    """

    user, password = "bounces@quiet.example", "a pass word"

    def __init__(self, pem: Path, **folders: Box) -> None:
        self.folders = folders or {"INBOX": Box()}
        self.cut_at = ""
        self.silent = False
        self.said: list[str] = []
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(pem)
        self._socket = socket.create_server(("127.0.0.1", 0))
        self._context = context
        self.port: int = self._socket.getsockname()[1]
        self._over = False
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    @property
    def inbox(self) -> Box:
        return self.folders["INBOX"]

    def close(self) -> None:
        self._over = True
        with contextlib.suppress(OSError):
            socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
        self._thread.join(5)
        self._socket.close()

    def _serve(self) -> None:
        while not self._over:
            plain, _ = self._socket.accept()
            plain.settimeout(5)
            with contextlib.suppress(OSError), plain, self._context.wrap_socket(plain, server_side=True) as wire:
                self._talk(wire)

    def _talk(self, wire: ssl.SSLSocket) -> None:
        lines = wire.makefile("rb")
        wire.sendall(b"* OK ready\r\n")
        box = Box()
        while line := lines.readline().decode().strip():
            if self.silent:
                continue
            tag, _, rest = line.partition(" ")
            command = " ".join(rest.split(" ")[: 2 if rest.upper().startswith("UID") else 1]).upper()
            self.said.append(command)
            if command == self.cut_at:
                self.cut_at = ""
                return
            told, end, box = self._answer(command, rest, box)
            wire.sendall(told + f"{tag} {end}\r\n".encode())
            if command == "LOGOUT":
                return

    def _answer(self, command: str, rest: str, box: Box) -> tuple[bytes, str, Box]:  # noqa: PLR0911 - one command after the other
        if command == "CAPABILITY":
            return b"* CAPABILITY IMAP4rev1\r\n", "OK done", box
        if command == "LOGIN":
            right = f'LOGIN {self.user} "{self.password}"'
            return b"", "OK done" if rest == right else "NO [AUTHENTICATIONFAILED] no", box
        if command in {"SELECT", "EXAMINE"}:
            chosen = self.folders.get(rest.partition(" ")[2].strip('"'))
            if chosen is None:
                return b"", "NO there is none", box
            told = f"* {len(chosen.mails)} EXISTS\r\n* OK [UIDVALIDITY {chosen.validity}] valid\r\n"
            return told.encode(), "OK [READ-WRITE] done", chosen
        if command == "UID SEARCH":
            first = int(rest.rsplit(maxsplit=1)[-1].partition(":")[0])
            found = [uid for uid in box.mails if uid >= first] or list(box.mails)[-1:]  # "n:*" names the last always
            return f"* SEARCH {' '.join(map(str, found))}\r\n".encode(), "OK done", box
        if command == "UID FETCH":
            return b"".join(self._fetched(box, uid) for uid in _uids(rest)), "OK done", box
        if command == "UID STORE":
            box.seen |= set(_uids(rest))
            return b"", "OK done", box
        return b"", "OK done" if command in {"LOGOUT", "NOOP"} else "BAD unknown", box

    @staticmethod
    def _fetched(box: Box, uid: int) -> bytes:
        if uid not in box.mails:
            return b""
        mail = box.mails[uid]
        return b"* %d FETCH (UID %d BODY[]<0> {%d}\r\n%s)\r\n" % (uid, uid, len(mail), mail)


def _uids(rest: str) -> list[int]:
    named = re.match(r"UID \w+ ([\d,]+)", rest)
    assert named
    return [int(uid) for uid in named[1].split(",")]
