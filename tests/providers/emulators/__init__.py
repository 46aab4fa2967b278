"""Strict emulations of the providers' public APIs over real HTTP, written from their documentation alone."""

from tests.providers.emulators.base import Emulator, Message
from tests.providers.emulators.brevo import Brevo
from tests.providers.emulators.mailgun import Mailgun
from tests.providers.emulators.postmark import Postmark
from tests.providers.emulators.resend import Resend
from tests.providers.emulators.sendgrid import Sendgrid
from tests.providers.emulators.ses import Ses

ALL: tuple[type[Emulator], ...] = (Postmark, Resend, Ses, Mailgun, Sendgrid, Brevo)
__all__ = ["ALL", "Brevo", "Emulator", "Mailgun", "Message", "Postmark", "Resend", "Sendgrid", "Ses"]
