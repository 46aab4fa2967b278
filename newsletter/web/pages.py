"""Every page of the front door, in every state it can be shown in.

In: the desk, and what a flow answered. Out: a whole HTML document. Nothing here reads a request, and no
page holds an address but the practice's own (the one exception: a form shown again keeps what was typed).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from enum import StrEnum
from functools import cached_property, partial
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit
from zoneinfo import ZoneInfo

from markupsafe import Markup

from newsletter.content import facts, merge, qr, share, templates, theme
from newsletter.content.system import RIGHT_TO_LEFT
from newsletter.content.words import words
from newsletter.core import proof
from newsletter.core.campaign import Campaign, CampaignState
from newsletter.core.links import LIFETIME, Purpose
from newsletter.flows import gate
from newsletter.flows.brake import Stoppable
from newsletter.flows.consent import Wording, wording
from newsletter.flows.desk import Desk
from newsletter.flows.leave import REASONS
from newsletter.flows.preferences import Choices, on_offer
from newsletter.flows.signup import Asked, Confirmed, Request


@dataclass(frozen=True)
class FormView:
    """A signup form as it is shown. `box`: the letter is offered beside a free resource, unticked."""

    key: str
    magnet: str
    title: str  # of the free resource, empty for the letter alone
    topics: tuple[str, ...]
    wording: Wording
    button: str
    stamp: str
    trap: bool = True  # a field that nobody sees and programs fill
    script: str = ""  # that works for the stamp, while the door is pressed
    email: str = ""
    letter: bool = False
    problem: str = ""

    @property
    def box(self) -> bool:
        """Whether there is a choice to make."""
        return bool(self.title and self.topics)

    @property
    def work(self) -> tuple[int, int]:
        """What the script has to do (`core/proof.py`)."""
        return proof.ROUNDS, proof.BITS

    @property
    def brief(self) -> bool:
        """Whether the promise is short enough to be the button."""
        return self.button == self.wording.promise.rstrip(".")


@dataclass(frozen=True)
class FileView:
    """One file of a free resource."""

    title: str
    facts: tuple[str, ...]


@dataclass(frozen=True)
class OfferView:
    """A free resource as it is shown. `address` is the short one of its page, to hand on."""

    key: str
    title: str
    about: str
    facts: tuple[str, ...]
    files: tuple[FileView, ...]
    url: str
    address: str
    sheet: bool  # a page of paper about it lies ready

    @property
    def said(self) -> str:
        """The address as one reads it out."""
        return self.address.partition("://")[2]

    @property
    def code(self) -> Markup:
        """The address as a QR code."""
        return Markup(qr.svg(self.address))  # noqa: S704 -- a drawing of ours


@dataclass(frozen=True)
class LetterView:
    """A line of the archive."""

    key: str
    subject: str
    date: date
    day: str


class Embed(StrEnum):
    """How a form stands in another site: as a link, copied, copied with a script, in a frame."""

    LINK = "link"
    FORM = "form"
    SCRIPT = "script"
    FRAME = "frame"

    @property
    def template(self) -> str:
        """Its file in `templates/embed/`."""
        return "form" if self is Embed.SCRIPT else self.value


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
        if lang == self.lang:
            return self
        return replace(self, lang=lang) if lang in self.languages else self

    @cached_property
    def languages(self) -> frozenset[str]:
        """The languages whose words exist. A visitor can choose no other: the name becomes a file's."""
        own = self.desk.root / "words"
        found = {file.stem for folder in (_BUILT_IN, own) if folder.is_dir() for file in folder.glob("*.toml")}
        return frozenset({*found, self.desk.publication.language})

    # --- signing up --------------------------------------------------------------------------------

    def signup(
        self,
        form_key: str,
        *,
        magnet: str = "",
        email: str = "",
        letter: bool = False,
        problem: str = "",
        open_: bool = False,
        work: bool = False,
    ) -> str:
        """The form.

        In: what was typed, and what is wrong with it, when it is shown again; `open_`: without a trap; `work`: with the
        script that works for it. Raises: KeyError for a form or magnet that does not exist.
        """
        form = self._form(form_key, magnet, work=work)
        form = replace(form, email=email, letter=letter, problem=problem, trap=not open_)
        at = "/" if form_key == self.desk.publication.default_form else f"/s/{quote(form_key)}"
        offer = self._offer_of(form)
        about = offer.about if offer else self.say("signup.promise")
        return self._write("signup", self._ask(form), at=at, about=about, form=form, offer=offer)

    def sent(self, form_key: str, magnet: str = "") -> str:
        """The answer to every signup with this form."""
        back = f"/free/{quote(magnet)}" if magnet else f"/s/{quote(form_key)}" if form_key else "/"
        sender = self.desk.publication.default_sender
        return self._write("sent", self.say("signup.sent_title"), sender=sender, back=f"{back}?again=yes")

    def meant(self, asked: Request, better: str) -> str:
        """Two buttons: the address that was probably meant, and the one that was typed. Nothing is written yet."""
        title = self.say("signup.meant_title", email=better)
        visit = asked.visit or gate.Visit()
        return self._write("meant", title, private=True, asked=asked, better=better, visit=visit)

    def free(self, magnet: str, *, open_: bool = False, work: bool = False) -> str:
        """The page of a free resource, to hand on; `open_` and `work` as for a form. Raises: KeyError."""
        offer, at = self.offer(magnet), f"/free/{quote(magnet)}"
        if not offer.files:
            return self._write("elsewhere", offer.title, at=at, about=offer.about, offer=offer)
        form = replace(self._form(self._form_for(magnet), magnet, work=work), trap=not open_)
        return self._write("free", self._ask(form), at=at, about=offer.about, form=form, offer=offer)

    def offerings(self) -> str:
        """All free resources."""
        offers = [self.offer(key) for key in self.desk.publication.magnets]
        title, about = self.say("download.free_title"), self.say("download.free_lead")
        return self._write("offerings", title, at="/free-offerings", about=about, offers=offers)

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

    def leave(self, *, old: bool = False) -> str:
        """One button; the same for every link. `old`: opened by an address whose query must stay as it is."""
        return self._write("leave", self.say("leave.title"), private=True, old=old)

    def left(self, *, old: bool = False) -> str:
        """It is done; the same for every link."""
        return self._write("left", self.say("leave.done_title"), private=True, reasons=REASONS, old=old)

    def undone(self) -> str:
        """It was a mistake; the same for every link."""
        return self._write("undone", self.say("leave.undone_title"), private=True)

    def told(self) -> str:
        """A reason was given; the same for every link."""
        return self._write("told", self.say("leave.told_title"), private=True)

    # --- what is a reader's own --------------------------------------------------------------------

    def preferences(self, token: str, choices: Choices, *, saved: bool = False) -> str:
        """What a reader has chosen, and can choose. In: the credential the page was opened with."""
        publication = self.desk.publication
        return self._write(
            "preferences",
            self.say("prefs.title" if choices.reads else "prefs.gone_title"),
            private=True,
            token=token,
            topics=[(key, publication.topic_name(key), key in choices.chosen) for key in on_offer(self.desk)],
            tongues=[(lang, words(lang, self.desk.root)["page.language"]) for lang in sorted(self.languages)],
            choices=choices,
            saved=saved,
        )

    def asked(self) -> str:
        """A link is on its way to the address."""
        return self._write("asked", self.say("prefs.asked_title"), private=True)

    def export(self) -> str:
        """The button to a copy of all we hold."""
        return self._write("export", self.say("prefs.export_title"), private=True)

    def erase(self) -> str:
        """The button that takes it all away."""
        return self._write("erase", self.say("prefs.erase_title"), private=True)

    def erased(self) -> str:
        """It is gone."""
        return self._write("erased", self.say("prefs.erased_title"), private=True)

    # --- the owner's -------------------------------------------------------------------------------

    def stop(self, found: Stoppable) -> str:
        """A letter and the button that stops it; or that it stands still, or has ended."""
        campaign, counts = found.campaign, found.counts
        paused = campaign.state is CampaignState.PAUSED
        name = "stop" if found.open else "stopped"
        title = self.say("stop.title" if found.open else "stop.done_title" if paused else "stop.over_title")
        return self._write(
            name,
            title,
            private=True,
            letter=merge.shown(campaign.subject, self.desk.publication.fields),
            issue=campaign.key,
            gone=f"{counts.submitted + counts.uncertain:,}",
            all=f"{counts.audience:,}",
            paused=paused,
        )

    def review(self, title: str, *, style: str, **values: Any) -> str:
        """A letter before it goes. In: the sentence that is its title, and what `web/review.py` found to show."""
        return self._write("review", title, private=True, style=Markup(style), **values)  # noqa: S704 -- our own file

    # --- reading -----------------------------------------------------------------------------------

    def letters(self, campaigns: Sequence[Campaign]) -> str:
        """The archive's index. In: the campaigns to list, in order; each must have begun."""
        lines = [self._letter(one) for one in campaigns]
        about = self.say("page.letters_lead")
        return self._write("letters", self.say("page.letters"), at="/archive/", about=about, letters=lines)

    def privacy(self) -> str:
        """What is kept, why, and for how long."""
        desk = self.desk
        carriers = {one.name: one for one in (desk.provider, desk.transactional) if one.capabilities.network}
        known = {**_CARRIERS, "smtp": self.say("privacy.operator")}
        names = [known.get(name, name.capitalize()) for name in carriers]
        about = self.say("privacy.lead")
        return self._write("privacy", self.say("privacy.title"), at="/privacy", about=about, carriers=names)

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

    def snippet(self, kind: Embed, form_key: str) -> str:
        """HTML to copy into another site. Raises: KeyError for a form that does not exist."""
        base = self.desk.links.base_url
        template = templates.environment(self.desk.root).get_template(f"embed/{kind.template}.html")
        return template.render(
            form=self._form(form_key, ""),
            page=f"{base}/s/{quote(form_key)}{self._spoken}",
            base=base,
            lang=self.lang,
            say=self.say,
            sender=self.desk.publication.default_sender,
            script=kind is Embed.SCRIPT,
        )

    # --- parts -------------------------------------------------------------------------------------

    def say(self, key: str, **values: object) -> str:
        """A sentence of the catalogue, its places filled; the practice's name is always known."""
        return self._words[key].format(name=self.desk.publication.name, **values)

    def offer(self, key: str) -> OfferView:
        """A free resource. Raises: KeyError."""
        magnet, root = self.desk.publication.magnets[key], self.desk.root
        files = () if magnet.url else magnet.files  # a resource that is a page elsewhere, whatever else it has
        return OfferView(
            key=key,
            title=magnet.title,
            about=magnet.about,
            facts=facts.of_magnet(magnet, root, self._words),
            files=tuple(FileView(*facts.of_file(root / file, self._words)) for file in files),
            url=magnet.url,
            address=self.desk.links.free(key),
            sheet=bool(magnet.sheet) and (root / magnet.sheet).is_file(),
        )

    @property
    def english(self) -> bool:
        """Whether an error's own words fit in."""
        return self.lang.split("-")[0] == "en"

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

    def _write(
        self, name: str, title: str, *, private: bool = False, at: str = "", about: str = "", **values: Any
    ) -> str:
        """A page. `at`: where it is found, for a page that anybody may find, and `about`: how it is described there."""
        template = templates.environment(self.desk.root).get_template(f"pages/{name}.html")
        return template.render(
            title=title,
            private=private,
            canonical=f"{self.desk.links.base_url}{at}{self._spoken}" if at else "",
            about=about or title,
            picture=share.SIZE,
            publication=self.desk.publication,
            lang=self.lang,
            dir=self.dir,
            path=self.path,
            say=partial(Pages.say, self),
            **{"style": Markup(self.style), **values},  # noqa: S704 -- our own file and tokens that were checked
        )

    @property
    def dir(self) -> str:
        """Which way the language runs."""
        return "rtl" if self.lang.split("-")[0] in RIGHT_TO_LEFT else "ltr"

    @property
    def _spoken(self) -> str:
        """What asks for this language in an address; nothing for the publication's own."""
        return "" if self.lang == self.desk.publication.language else f"?lang={self.lang}"

    def _ask(self, form: FormView) -> str:
        """The question a form asks."""
        return self.say("signup.title_magnet", title=form.title) if form.title else self.say("signup.title")

    @cached_property
    def script(self) -> Markup:
        """The one script: for a form while the door is pressed, and for the hash in its Content-Security-Policy."""
        text = templates.environment(self.desk.root).get_template("pages/proof.js").render()
        return Markup(text)  # noqa: S704 -- our own file

    def _form(self, key: str, magnet: str, *, work: bool = False) -> FormView:
        form = self.desk.publication.form(key)
        chosen = magnet or form.magnet
        title = self.desk.publication.magnets[chosen].title if chosen else ""
        said = wording(key, self.desk, self.lang, chosen)
        named = self.say("signup.button_magnet", title=title) if title else self.say("signup.button")
        button = said.promise.rstrip(".") if len(said.promise) <= _BUTTON else named
        stamp, script = gate.stamp(self.desk, once=work), self.script if work else ""
        return FormView(key, chosen, title, form.topics, said, button, stamp, script=script)

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
_CARRIERS = {"ses": "Amazon SES", "sendgrid": "SendGrid"}
