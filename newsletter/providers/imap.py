"""A mailbox that bounces arrive in, read over IMAP (RFC 3501) with TLS.

    Imap(...).after(place)  ->  ([mail...], place)...

A place is UIDVALIDITY and UID of the last mail that was kept: what somebody reads, marks or moves with another program
is found all the same, and a mailbox that was made anew (another UIDVALIDITY) is read from its beginning.
"""

from __future__ import annotations

import contextlib
import imaplib
import re
import ssl
from collections.abc import Iterator, Sequence
from hashlib import sha256
from typing import Any

from newsletter.errors import ProviderError

_AT_ONCE = 20
_LARGEST = 1_000_000  # bytes of a mail that are fetched: a report says all it says before what came back
_NAME = 16  # hex digits that tell one mailbox from another


class Imap:
    """Fits `newsletter.ports.Mailbox`.

    In: where it is and how to get in; `context`, whom TLS trusts; `timeout`, seconds for each answer.
    Raises: ProviderError for a folder's name that is not ASCII.
    """

    def __init__(
        self,
        host: str,
        user: str,
        password: str,
        *,
        port: int = 993,
        folder: str = "INBOX",
        context: ssl.SSLContext | None = None,
        timeout: float = 30.0,
    ) -> None:
        if not folder.isascii() or any(not char.isprintable() for char in folder):
            raise ProviderError(
                "The name of the bounce mailbox's folder has letters that we cannot write.", _CORRECT_FOLDER
            )
        self._host, self._port, self._user, self._password = host, port, user, password
        self._folder = folder
        self._context = context or ssl.create_default_context()
        self._timeout = timeout
        self.name = sha256(f"{host}:{port}\n{user}\n{folder}".encode()).hexdigest()[:_NAME]

    def after(self, place: str) -> Iterator[tuple[Sequence[bytes], str]]:
        """The mails after a place, a few at a time; each few are marked as read when the next are asked for.

        Raises: ProviderError: it cannot be reached, does not let us in, has no such folder, or the connection broke.
        """
        with self._opened() as box:
            validity = self._selected(box)
            known, _, last = place.partition(":")
            uids = _uids(box, int(last) + 1 if known == validity and last.isdigit() else 1)
            for start in range(0, len(uids), _AT_ONCE):
                some = uids[start : start + _AT_ONCE]
                yield _fetched(box, some), f"{validity}:{some[-1]}"
                _done(box.uid("STORE", _set(some), "+FLAGS.SILENT", r"(\Seen)"))

    @contextlib.contextmanager
    def _opened(self) -> Iterator[imaplib.IMAP4_SSL]:
        try:
            box = imaplib.IMAP4_SSL(self._host, self._port, ssl_context=self._context, timeout=self._timeout)
        except ssl.SSLCertVerificationError:
            raise ProviderError(
                f"The bounce mailbox at {self._host} shows a certificate that nobody we trust has signed.",
                "Correct NEWSLETTER_BOUNCES__IMAP_HOST, or name the file of its own certificate in "
                "NEWSLETTER_BOUNCES__IMAP_CERTIFICATE.",
            ) from None
        except (OSError, imaplib.IMAP4.error) as problem:
            raise ProviderError(
                f"The bounce mailbox at {self._host}:{self._port} cannot be reached ({type(problem).__name__}).",
                "See whether it is up, and NEWSLETTER_BOUNCES__IMAP_HOST and __IMAP_PORT are right; it is tried again.",
            ) from None
        try:
            self._log_in(box)
            yield box
        except (OSError, imaplib.IMAP4.error) as problem:  # its words may hold what we sent
            raise ProviderError(
                f"The connection to the bounce mailbox at {self._host} broke ({type(problem).__name__}).",
                "Nothing is lost: it is tried again in a few minutes.",
            ) from None
        finally:
            with contextlib.suppress(OSError, imaplib.IMAP4.error):
                box.logout()
            with contextlib.suppress(OSError):
                box.shutdown()  # a logout that nobody answered leaves the socket open

    def _log_in(self, box: imaplib.IMAP4_SSL) -> None:
        try:
            box.login(self._user, self._password)
        except imaplib.IMAP4.abort:
            raise
        except (imaplib.IMAP4.error, UnicodeEncodeError):
            raise ProviderError(
                f"The bounce mailbox at {self._host} does not let us in.",
                "Correct NEWSLETTER_BOUNCES__IMAP_USER and __IMAP_PASSWORD; some providers want a password for "
                "programs of its own.",
            ) from None

    def _selected(self, box: imaplib.IMAP4_SSL) -> str:
        """Open the folder. Out: its UIDVALIDITY."""
        quoted = self._folder.replace("\\", "\\\\").replace('"', '\\"')
        answer, _ = box.select(f'"{quoted}"')
        if answer != "OK":
            raise ProviderError(f'The bounce mailbox has no folder "{self._folder}".', _CORRECT_FOLDER)
        _, told = box.response("UIDVALIDITY")
        return (told[0] or b"0").decode("ascii", "replace") if told else "0"


_CORRECT_FOLDER = "Correct NEWSLETTER_BOUNCES__IMAP_FOLDER."


def _uids(box: imaplib.IMAP4_SSL, first: int) -> list[int]:
    """The UIDs from one on, in order. `n:*` names the last one too when it is below n (RFC 3501 6.4.8)."""
    found = _done(box.uid("SEARCH", "UID", f"{first}:*"))
    return sorted(uid for uid in map(int, (found[0] or b"").split()) if uid >= first)


def _fetched(box: imaplib.IMAP4_SSL, uids: Sequence[int]) -> list[bytes]:
    """Some mails, those that are there still; looking does not mark them."""
    found = _done(box.uid("FETCH", _set(uids), f"(UID BODY.PEEK[]<0.{_LARGEST}>)"))
    return [part[1] for part in found if isinstance(part, tuple) and _BODY.search(part[0])]


_BODY = re.compile(rb"BODY\[\]", re.IGNORECASE)


def _set(uids: Sequence[int]) -> str:
    return ",".join(map(str, uids))


def _done(answer: tuple[str, list[Any]]) -> list[Any]:
    """The data of an answer. Raises: imaplib.IMAP4.error when it is a refusal."""
    status, found = answer
    if status != "OK":
        raise imaplib.IMAP4.error(status)
    return found
