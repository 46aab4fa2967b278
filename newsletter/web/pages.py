"""Every page of the front door, in every state it can be shown in.

In: the desk, and what a flow answered. Out: a whole HTML document. Nothing here reads a request, and no
page holds an address but the practice's own (the one exception: a form shown again keeps what was typed).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from functools import cached_property, partial
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit
from zoneinfo import ZoneInfo

from markupsafe import Markup

from newsletter.content import facts, merge, templates, theme
from newsletter.content.system import RIGHT_TO_LEFT
from newsletter.content.words import words
from newsletter.core.campaign import Campaign
from newsletter.core.links import LIFETIME, Purpose
from newsletter.core.publication import Magnet
from newsletter.flows.consent import Wording, wording
from newsletter.flows.desk import Desk
from newsletter.flows.signup import Asked, Confirmed


@dataclass(frozen=True)
class FormView:
    """A signup form as it is shown. `box`: the letter is offered beside a free resource, unticked."""

    key: str
    magnet: str
    title: str  # of the free resource, empty for the letter alone
    topics: tuple[str, ...]
    wording: Wording
    button: str
    email: str = ""
    letter: bool = False
    problem: str = ""

    @property
    def box(self) -> bool:
        """Whether there is a choice to make."""
        return bool(self.title and self.topics)

    @property
    def brief(self) -> bool:
        """Whether the promise is short enough to be the button."""
        return self.button == self.wording.promise.rstrip(".")


@dataclass(frozen=True)
class OfferView:
    """A free resource as it is shown."""

    key: str
    title: str
    about: str
    facts: tuple[str, ...]
    files: tuple[str, ...]
    url: str


@dataclass(frozen=True)
class LetterView:
    """A line of the archive."""

    key: str
    subject: str
    date: date
    day: str


@dataclass(frozen=True)
class Trouble:
    """Why there is no page: the words' keys, or lines that say it already."""

    title: str
    lines: tuple[str, ...]
    form: bool = False
    back: str = ""
    back_words: str = "page.home"
    broken: bool = False


@dataclass(frozen=True)
class Pages:
    """Writes the pages of one publication in one language."""

    desk: Desk
    lang: str

    def within(self, lang: str) -> Pages:
        """The same pages in another language, when there is a catalogue for it; else these."""
        return replace(self, lang=lang) if lang in self.languages else self

    @cached_property
    def languages(self) -> frozenset[str]:
        """The languages whose words exist. A visitor can choose no other: the name becomes a file's."""
        own = self.desk.root / "words"
        found = {file.stem for folder in (_BUILT_IN, own) if folder.is_dir() for file in folder.glob("*.toml")}
        return frozenset({*found, self.desk.publication.language})

    # --- signing up --------------------------------------------------------------------------------

    def signup(
        self, form_key: str, *, magnet: str = "", email: str = "", letter: bool = False, problem: str = ""
    ) -> str:
        """The form. In: what was typed, and what is wrong with it, when it is shown again.

        Raises: KeyError for a form or magnet that does not exist.
        """
        form = replace(self._form(form_key, magnet), email=email, letter=letter, problem=problem)
        return self._write("signup", self._ask(form), form=form, offer=self._offer_of(form))

    def sent(self, form_key: str, magnet: str = "") -> str:
        """The answer to every signup with this form."""
        back = f"/free/{quote(magnet)}" if magnet else f"/s/{quote(form_key)}" if form_key else "/"
        sender = self.desk.publication.default_sender
        return self._write("sent", self.say("signup.sent_title"), sender=sender, back=back)

    def free(self, magnet: str) -> str:
        """The page of a free resource, to hand on. Raises: KeyError."""
        offer = self.offer(magnet)
        if not offer.files:
            return self._write("elsewhere", offer.title, offer=offer)
        form = self._form(self._form_for(magnet), magnet)
        address = f"{self.desk.links.base_url}/free/{quote(magnet)}"
        return self._write("free", self._ask(form), form=form, offer=offer, address=address)

    def offerings(self) -> str:
        """All free resources."""
        offers = [self.offer(key) for key in self.desk.publication.magnets]
        return self._write("offerings", self.say("download.free_title"), offers=offers)

    # --- confirming and downloading ----------------------------------------------------------------

    def confirm(self, asked: Asked) -> str:
        """What was asked for, and one button."""
        offer = self._granted(asked.magnet)
        title = self.say("confirm.title_magnet", title=offer.title) if offer else self.say("confirm.title")
        named = [*([offer.title] if offer else []), *self._topics(asked.topics)]
        return self._write("confirm", title, private=True, asked=named, offer=offer)

    def confirmed(self, done: Confirmed) -> str:
        """What was promised, at once."""
        offer = self._granted(done.magnet)
        title = self.say("download.title", title=offer.title) if offer else self.say("confirm.done_title")
        action = self.path + (done.download_url or "").removeprefix(self.desk.links.base_url)
        return self._write(
            "confirmed", title, private=True, offer=offer, action=action, days=_DAYS, topics=self._topics(done.topics)
        )

    def refused(self) -> str:
        """The answer to "That was not me"."""
        return self._write("refused", self.say("confirm.refused_title"), private=True)

    def download(self, magnet: str) -> str:
        """The button to the files. Raises: KeyError."""
        offer = self.offer(magnet)
        return self._write(
            "download", self.say("download.title", title=offer.title), private=True, offer=offer, days=_DAYS
        )

    # --- leaving -----------------------------------------------------------------------------------

    def leave(self) -> str:
        """One button; the same for every link."""
        return self._write("leave", self.say("leave.title"), private=True)

    def left(self) -> str:
        """It is done; the same for every link."""
        return self._write("left", self.say("leave.done_title"), private=True)

    # --- reading -----------------------------------------------------------------------------------

    def letters(self, campaigns: Sequence[Campaign]) -> str:
        """The archive's index. In: the campaigns to list, in order; each must have begun."""
        return self._write("letters", self.say("page.letters"), letters=[self._letter(one) for one in campaigns])

    def privacy(self) -> str:
        """What is kept, why, and for how long."""
        desk = self.desk
        carriers = {one.name: one for one in (desk.provider, desk.transactional) if one.capabilities.network}
        names = [_CARRIERS.get(name, name.capitalize()) for name in carriers]
        return self._write("privacy", self.say("privacy.title"), carriers=names)

    def trouble(self, trouble: Trouble) -> str:
        """Whatever did not work, and what to do next."""
        return self._write(
            "problem",
            trouble.title,
            private=True,
            lines=trouble.lines,
            form=self._form(self.desk.publication.default_form, "") if trouble.form else None,
            back=trouble.back or "/",
            back_words=self.say(trouble.back_words),
            broken=trouble.broken,
        )

    # --- parts -------------------------------------------------------------------------------------

    def say(self, key: str, **values: object) -> str:
        """A sentence of the catalogue, its places filled; the practice's name is always known."""
        return self._words[key].format(name=self.desk.publication.name, **values)

    def offer(self, key: str) -> OfferView:
        """A free resource. Raises: KeyError."""
        magnet = self.desk.publication.magnets[key]
        told = facts.of_magnet(magnet, self.desk.root, self._words)
        return OfferView(key, magnet.title, magnet.about, told, _names(magnet), magnet.url)

    @property
    def path(self) -> str:
        """What stands before every path of ours when the base URL has a path of its own."""
        return urlsplit(self.desk.links.base_url).path

    @cached_property
    def style(self) -> str:
        """The one style sheet: for the page, and for the hash in its Content-Security-Policy."""
        looks = theme.of(self.desk.publication, self.desk.root)
        return templates.environment(self.desk.root).get_template("pages/page.css").render(theme=looks)

    @cached_property
    def _words(self) -> Mapping[str, str]:
        return words(self.lang, self.desk.root)

    def _write(self, name: str, title: str, *, private: bool = False, **values: Any) -> str:
        template = templates.environment(self.desk.root).get_template(f"pages/{name}.html")
        return template.render(
            title=title,
            private=private,
            publication=self.desk.publication,
            lang=self.lang,
            dir="rtl" if self.lang.split("-")[0] in RIGHT_TO_LEFT else "ltr",
            path=self.path,
            say=partial(Pages.say, self),
            style=Markup(self.style),  # noqa: S704 -- our own file and tokens that were checked
            **values,
        )

    def _ask(self, form: FormView) -> str:
        """The question a form asks."""
        return self.say("signup.title_magnet", title=form.title) if form.title else self.say("signup.title")

    def _form(self, key: str, magnet: str) -> FormView:
        form = self.desk.publication.form(key)
        chosen = magnet or form.magnet
        title = self.desk.publication.magnets[chosen].title if chosen else ""
        said = wording(key, self.desk, self.lang, chosen)
        named = self.say("signup.button_magnet", title=title) if title else self.say("signup.button")
        button = said.promise.rstrip(".") if len(said.promise) <= _BUTTON else named
        return FormView(key, chosen, title, form.topics, said, button)

    def _form_for(self, magnet: str) -> str:
        """The form that gives this resource; else one that promises no other by its own words."""
        forms = self.desk.publication.forms
        giving = [key for key, form in forms.items() if form.magnet == magnet]
        plain = [key for key, form in forms.items() if not form.wording]
        return next(iter([*giving, *plain]), self.desk.publication.default_form)

    def _offer_of(self, form: FormView) -> OfferView | None:
        return self.offer(form.magnet) if form.magnet else None

    def _granted(self, magnet: str) -> OfferView | None:
        """The resource of an older signup; None when it is offered no more."""
        return self.offer(magnet) if magnet in self.desk.publication.magnets else None

    def _topics(self, keys: Sequence[str]) -> list[str]:
        return [self.desk.publication.topic_name(key) for key in keys]

    def _letter(self, campaign: Campaign) -> LetterView:
        begun = campaign.started_at or campaign.frozen_at
        day = begun.astimezone(ZoneInfo(self.desk.publication.timezone)).date()
        subject = merge.shown(campaign.subject, self.desk.publication.fields)
        return LetterView(campaign.key, subject, day, facts.day(day, self._words))


_BUTTON = 60  # characters
_DAYS = LIFETIME[Purpose.DOWNLOAD].days
_BUILT_IN = Path(facts.__file__).parent / "words"
_CARRIERS = {"smtp": "our mail server's operator", "ses": "Amazon SES", "sendgrid": "SendGrid"}


def _names(magnet: Magnet) -> tuple[str, ...]:
    """The files' names; none for a resource that is a page elsewhere, whatever else it has."""
    return () if magnet.url else tuple(Path(file).name for file in magnet.files)
