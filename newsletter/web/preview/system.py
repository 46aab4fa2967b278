"""Every mail and page of the program, in every state and every language it speaks.

In: the publication's folder and settings. Out: `Screen`s, each with a label and a way to draw it. The mails
are those of `content/system.py`, the pages those of `web/pages.py`; nothing here is a copy of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

from newsletter.app import make_provider
from newsletter.content import system
from newsletter.content.words import words
from newsletter.core import address
from newsletter.core.campaign import Campaign, CampaignState, Counts
from newsletter.core.consent import Mail
from newsletter.core.email import Email, fill, freeze
from newsletter.core.halt import Notice
from newsletter.core.links import Links
from newsletter.core.pace import Pace
from newsletter.core.problem import Level, Problem
from newsletter.core.publication import Magnet, Publication
from newsletter.core.review import Fate, Outlook, Person, Review, Role
from newsletter.errors import AddressRefused, ConfigurationError, LinkExpired, LinkRefused, NewsletterError, NotFound
from newsletter.flows import report
from newsletter.flows.approve import Shown
from newsletter.flows.brake import Stoppable
from newsletter.flows.desk import Desk
from newsletter.flows.missed import Missed
from newsletter.flows.preferences import Choices
from newsletter.flows.review import sentence
from newsletter.flows.signup import Asked, Confirmed, Request
from newsletter.ports import Provider, Store
from newsletter.settings import Settings
from newsletter.web import errors
from newsletter.web.pages import Pages
from newsletter.web.review import Sheet

MAILS, PAGES = "Mails", "Pages"
WHEN = datetime(2026, 12, 1, 17, 30, tzinfo=UTC)
"""The moment samples are made at, so that they are the same every time."""
_TOKEN = "a-link-of-nobody"  # noqa: S105 -- leads nowhere


@dataclass(frozen=True)
class Screen:
    """One thing a person can be shown. `key` names it in an address."""

    key: str
    kind: str
    label: str
    lang: str
    draw: Callable[[], str]  # HTML
    text: Callable[[], str] | None = None  # a mail's other part

    @property
    def subject(self) -> str:
        """A heading: what it is and, where there are several, in which language."""
        return f"{self.label} ({self.lang})"


def screens(root: Path, settings: Settings) -> list[Screen]:
    """All of them, mails first, language by language."""
    desk = paper_desk(root, settings)
    pages = Pages(desk, desk.publication.language)
    spoken = sorted(pages.languages, key=lambda lang: (lang != desk.publication.language, lang))
    found: list[Screen] = []
    for lang in spoken:
        found += _mails(desk, lang)
        found += [
            Screen(f"{lang}-{key}", PAGES, label, lang, draw) for key, label, draw in _pages(pages.within(lang), desk)
        ]
    return found


def paper_desk(root: Path, settings: Settings) -> Desk:
    """A desk for drawing alone: the publication is real, its drawers are empty and nothing can leave it."""
    keys = tuple(key.get_secret_value() for key in settings.secret_keys)
    provider = _provider(settings.provider, settings, root)
    other = settings.transactional.provider
    return Desk(
        root=root,
        publication=settings.publication(),
        store=_Drawers(),  # type: ignore[arg-type]
        provider=provider,
        transactional=_provider(other, settings, root) if other else provider,
        links=Links(settings.base_url.rstrip("/"), keys or ("preview",)),
        suppression_key=b"",
        now=lambda: WHEN,
        entropy=bytes,
        pace=Pace(),
    )


class _Drawers:
    """A store that is none: whoever opens it has left the path of drawing."""

    def __getattr__(self, name: str) -> Store:
        raise AssertionError(f"a preview has no store, and {name} was asked of it")


def _provider(name: str, settings: Settings, root: Path) -> Provider:
    """The provider the privacy page names; the outbox while it is not set up."""
    try:
        return make_provider(name, settings, root)
    except ConfigurationError:
        return make_provider("outbox", settings, root)


# --- mails -----------------------------------------------------------------------------------------


def _mails(desk: Desk, lang: str) -> Iterator[Screen]:
    for key, label, make in _notices(desk, lang):
        yield Screen(f"{lang}-{key}", MAILS, label, lang, partial(_html, make), partial(_plain, make))


def _html(make: Callable[[], Email]) -> str:
    return fill(make().html, {})


def _plain(make: Callable[[], Email]) -> str:
    return fill(make().text, {})


def _notices(desk: Desk, lang: str) -> Iterator[tuple[str, str, Callable[[], Email]]]:
    """Each mail in each of its states."""
    publication, base = desk.publication, desk.links.base_url
    confirm_url, download_url = f"{base}/confirm/{_TOKEN}", f"{base}/download/{_TOKEN}"
    leave_url = desk.links.unsubscribe(_TOKEN)
    topics = _topics(publication)
    magnet = next(iter(publication.magnets.values()), None)
    about: dict[str, Any] = {"root": desk.root, "base_url": base, "lang": lang}
    confirm = partial(system.confirm, publication, confirm_url=confirm_url, **about)
    given = partial(system.workbook, publication, **about)
    again = partial(system.already, publication, leave_url=leave_url, **about)
    if magnet:
        yield "mail-confirm-magnet", "Please confirm: a free resource", partial(confirm, magnet=magnet)
        yield (
            "mail-confirm-both",
            "Please confirm: a free resource and the letter",
            partial(confirm, magnet=magnet, topics=topics),
        )
    yield "mail-confirm-letter", "Please confirm: the letter", partial(confirm, topics=topics)
    if magnet:
        yield "mail-remind-magnet", "Reminder: a free resource", partial(confirm, magnet=magnet, kind=Mail.REMIND)
    yield "mail-remind-letter", "Reminder: the letter", partial(confirm, topics=topics, kind=Mail.REMIND)
    yield "mail-ask", "Asking whom an import brought", partial(confirm, topics=topics, kind=Mail.ASK)
    if magnet:
        with_file = partial(given, magnet=magnet, download_url=download_url)
        yield "mail-workbook", "Here it is: a free resource", with_file
        yield (
            "mail-workbook-both",
            "Here it is: a free resource and the letter",
            partial(with_file, topics=topics, leave_url=leave_url),
        )
    yield "mail-welcome", "You are with us: the letter", partial(given, topics=topics, leave_url=leave_url)
    if magnet:
        had = partial(again, magnet=magnet, download_url=download_url)
        yield "mail-already-magnet", "Already with us: a free resource again", had
        yield (
            "mail-already-both",
            "Already with us: a free resource, and a new topic",
            partial(had, topics=topics, confirm_url=confirm_url),
        )
    yield (
        "mail-already-topic",
        "Already with us: a new topic",
        partial(again, topics=topics, confirm_url=confirm_url),
    )
    yield "mail-already", "Already with us: nothing new", again
    own = f"{base}/preferences/{_TOKEN}"
    for what, label in (("export", "A copy of all we hold"), ("erase", "To be erased")):
        yield f"mail-{what}", label, partial(system.personal, publication, what, url=own, **about)
    alert = partial(system.alert, publication, url=f"{base}/stop/{_TOKEN}", values=_ALERT, **about)
    yield "mail-held", "To the owner: a letter is about to go", partial(alert, "held")
    yield "mail-stopped", "To the owner: a letter stopped by itself", partial(alert, "stopped")
    yield "mail-full", "To the owner: confirmations wait", partial(alert, "full")
    yield "mail-doctor", "To the owner: something should be mended", partial(alert, "doctor")
    yield "mail-lift", "To the owner: a reader is blocked at the provider", partial(alert, "lift")
    yield from _told(desk, lang)


def _told(desk: Desk, lang: str) -> Iterator[tuple[str, str, Callable[[], Email]]]:
    """What the house is told of a letter: please look, it went, it was stopped, it did not go."""
    publication, url, said = desk.publication, f"{desk.links.base_url}/approve/{_TOKEN}", words(lang, desk.root)
    campaign = _campaigns()[1]
    page = report.Page(Notice("", "", "", 0, 1, campaign.key, campaign.subject, 312), desk, said)
    write = partial(system.to_the_house, publication, root=desk.root, base_url=desk.links.base_url, lang=lang)
    counts = Counts(audience=312, submitted=309, suppressed=2, failed=1)
    left = report.left_out({"unsubscribed": 2, "pending": 4}, said, 1)
    waits = sentence(Outlook(Fate.WAITS, 312, WHEN), publication, desk.root, lang)
    archive = desk.links.archive(campaign.key)
    yield "mail-look", "To an owner: may it go?", lambda: write(report.asked(page, campaign.subject, waits, url))
    yield (
        "mail-report",
        "To owner and editors: it went",
        lambda: write(report.reported(page, campaign, counts, left, "5d" * 32, archive)),
    )
    some = Counts(audience=312, submitted=24, pending=288)
    yield "mail-paused", "To owner and editors: it was stopped", lambda: write(report.stopped(page, some, url))
    for reason in ("draft", "checks", "unapproved", "unsent", "stuck", "absent"):
        missed = asdict(Missed(campaign.key, campaign.subject, WHEN.isoformat(), reason, count="3"))
        yield (
            f"mail-missed-{reason}",
            f"To owner and editors: it did not go ({reason})",
            partial(lambda missed: write(report.missed(page, missed, url)), missed),
        )


_ALERT = {
    "letter": "A quiet week",
    "issue": "a-quiet-week",
    "time": "09:40",
    "readers": "1,204",
    "why": "12 of 24 bounced for good (50.0%; the limit is 5.0%)",
}


def _topics(publication: Publication) -> list[str]:
    keys = publication.form(publication.default_form).topics
    return [publication.topic_name(key) for key in keys] or [publication.topic_name("letter")]


# --- pages -----------------------------------------------------------------------------------------

Drawn = Iterator[tuple[str, str, Callable[[], str]]]


def _pages(pages: Pages, desk: Desk) -> Drawn:
    yield from _front_door(pages, desk.publication)
    yield from _after_the_mail(pages, desk.publication)
    yield "leave", "Leaving: one button", pages.leave
    yield "left", "Left", pages.left
    yield "leave-old", "Leaving by a link from before a move", partial(pages.leave, old=True)
    yield "left-old", "Left by a link from before a move", partial(pages.left, old=True)
    yield "undone", "Left: undone", pages.undone
    yield "told", "Left: a reason was given", pages.told
    yield from _own(pages, desk.publication)
    yield "letters-none", "All letters: none yet", partial(pages.letters, ())
    yield "letters", "All letters", partial(pages.letters, _campaigns())
    yield "privacy", "Privacy", pages.privacy
    yield from _stop(pages)
    yield from _review(pages)
    yield from _troubles(pages)


def _front_door(pages: Pages, publication: Publication) -> Drawn:
    problem = _refused("anna@example") if pages.english else pages.say("signup.refused")
    for key in tuple(publication.forms) or (publication.default_form,):
        signup = partial(pages.signup, key)
        yield f"signup-{key}", f"Signup: {key}", signup
        yield (
            f"signup-{key}-again",
            f"Signup: {key}, shown again with what to correct",
            partial(signup, email="anna@example", letter=True, problem=problem),
        )
        yield f"sent-{key}", f"Signup: {key}, answered", partial(pages.sent, key)
    slip = Request("anna@gmial.com", publication.default_form, letter=True)
    yield "meant", "Signup: a slip of the fingers", partial(pages.meant, slip, "anna@gmail.com")
    yield "offerings", "Free resources", pages.offerings
    for key in publication.magnets:
        yield f"free-{key}", f"Free resource: {key}", partial(pages.free, key)


def _refused(typed: str) -> str:
    """What the form says of an address that is none."""
    try:
        address.parse(typed)
    except AddressRefused as problem:
        return f"{problem.what} {problem.todo}"
    return ""


def _after_the_mail(pages: Pages, publication: Publication) -> Drawn:
    topics = publication.form(publication.default_form).topics or ("letter",)
    wanted = [*(key for key, one in publication.magnets.items() if _has_files(one)), ""]
    for magnet in wanted:
        what = magnet or "the letter alone"
        url = f"{pages.desk.links.base_url}/download/{_TOKEN}" if magnet else None
        yield (
            f"confirm-{magnet or 'letter'}",
            f"Confirm: {what}",
            partial(pages.confirm, Asked(magnet, topics, pages.lang)),
        )
        yield (
            f"confirmed-{magnet or 'letter'}",
            f"Confirmed: {what}",
            partial(pages.confirmed, Confirmed(magnet, topics, url, pages.lang)),
        )
        if magnet:
            yield f"download-{magnet}", f"Download: {what}", partial(pages.download, magnet)
    yield "refused", "Confirm: that was not me", pages.refused


def _own(pages: Pages, publication: Publication) -> Drawn:
    """What is a reader's own, by a letter's link and by those that are mailed."""
    chosen = Choices(publication.form(publication.default_form).topics, pages.lang, reads=True)
    yield "preferences", "Preferences", partial(pages.preferences, _TOKEN, chosen)
    yield "preferences-saved", "Preferences: saved", partial(pages.preferences, _TOKEN, chosen, saved=True)
    left = Choices((), pages.lang, reads=False)
    yield "preferences-left", "Preferences: of who has left", partial(pages.preferences, _TOKEN, left)
    yield "asked", "Preferences: a link is on its way", pages.asked
    yield "export", "A copy of all we hold: one button", pages.export
    yield "erase", "To be erased: one button", pages.erase
    yield "erased", "Erased", pages.erased


def _stop(pages: Pages) -> Drawn:
    """The owner's Stop."""
    letter, counts = _campaigns()[0], Counts(audience=1204, submitted=24, pending=1180)
    for name, state, label in (
        ("stop", CampaignState.SENDING, "Stop: one button"),
        ("stopped", CampaignState.PAUSED, "Stop: it stands still"),
        ("stop-over", CampaignState.FINISHED, "Stop: nothing to stop"),
    ):
        yield name, label, partial(pages.stop, Stoppable(replace(letter, state=state), counts))


def _review(pages: Pages) -> Drawn:
    """A letter before it goes, as an owner finds it."""
    mail = freeze(
        system.confirm(pages.desk.publication, root=pages.desk.root, base_url="", confirm_url="", lang=pages.lang)
    )
    found = Problem("", 1, 11, "W309", Level.WARNING, "capitals are what filters look for", "free", "It is for FREE.")
    for fate in (Fate.WAITS, Fate.APPROVED, Fate.STOPPED, Fate.DRAFT, Fate.SENT):
        kept = Review("quiet", "A quiet week", "", "", Outlook(fate, 312, WHEN), {"all": mail}, (found,), {}, WHEN)
        sheet = Sheet.of(Shown(kept, Person(Role.OWNER), yes_needed=True), pages, _TOKEN)
        yield f"review-{fate}", f"Review: {fate}", sheet.page


def _has_files(magnet: Magnet) -> bool:
    return bool(magnet.files) and not magnet.url


def _troubles(pages: Pages) -> Drawn:
    """Every answer of the two tables of errors."""
    said: Mapping[type[NewsletterError], NewsletterError] = {
        LinkExpired: LinkExpired("This link has grown too old.", "Ask again with the form; a new one comes at once."),
        LinkRefused: LinkRefused("This link is not complete, or not ours.", "Open it again from the mail."),
        AddressRefused: AddressRefused("This does not look like an email address.", "Please check the spelling."),
        NotFound: NotFound("There is no such letter.", "The list of all letters shows what there is."),
    }
    for kind, answer in errors.TABLE:
        if kind in said:
            key, label = f"error-{kind.__name__.lower()}", f"Trouble: {pages.say(answer.title)}"
            yield key, label, partial(_trouble, pages, answer, said[kind])
    for status, answer in errors.STATUS.items():
        label = f"Trouble {status}: {pages.say(answer.title)}"
        yield f"error-{status}", label, partial(_trouble, pages, answer)
    yield "error-500", f"Trouble 500: {pages.say(errors.BROKEN.title)}", partial(_trouble, pages, errors.BROKEN)


def _trouble(pages: Pages, answer: errors.Answer, error: NewsletterError | None = None) -> str:
    return pages.trouble(errors.trouble(pages, answer, error))


def _campaigns() -> list[Campaign]:
    subjects = ("A letter with a longer subject, as they sometimes are", "A quiet week", "The first letter")
    return [
        Campaign(
            id=number,
            pid="",
            key=f"letter-{number}",
            subject=subject,
            segments=("all",),
            content_sha256="",
            state=CampaignState.FINISHED,
            provider="outbox",
            audience=1,
            excluded={},
            batches=1,
            frozen_at=WHEN - timedelta(weeks=number),
            started_at=WHEN - timedelta(weeks=number),
            finished_at=WHEN - timedelta(weeks=number),
        )
        for number, subject in enumerate(subjects)
    ]
