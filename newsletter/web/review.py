"""What the review page holds: a letter in four views, what the checks say at its sentence, and the buttons.

In: what a flow found, and what the address asks for. Out: a page, and the letter as the content of its frame. No
script: a view is a link, and the frame may do nothing but show.
"""

from __future__ import annotations

import html as html_
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any

from newsletter.content import facts, merge, templates, theme
from newsletter.content.variants import EVERYBODY
from newsletter.content.words import words
from newsletter.core.email import UNSUBSCRIBE_URL, Email, fill, thaw
from newsletter.core.problem import Level, Problem
from newsletter.core.review import Act, Fate, Role
from newsletter.core.schedule import zone
from newsletter.flows import brake, panes
from newsletter.flows.approve import Shown
from newsletter.flows.proofmail import SAMPLE, WAY_OUT
from newsletter.flows.report import left_out
from newsletter.flows.review import counted, sentence
from newsletter.web import headers
from newsletter.web.pages import Pages

VIEWS = ("phone", "desktop", "dark", "text")
_KB = 1000
_END = re.compile(r"[.!?…]['”’»)]*\s+")
_WORD = re.compile(r"\[[^\]]+\]|\w+|\S|$")
_FRAME = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src 'self' data:{images}; base-uri 'none'; form-action 'none';"
    " frame-ancestors 'self'; sandbox allow-popups allow-popups-to-escape-sandbox"
)


@dataclass(frozen=True)
class Sheet:
    """A review on its page, as an address asks for it."""

    shown: Shown
    pages: Pages
    token: str
    view: str
    version: str

    @classmethod
    def of(cls, shown: Shown, pages: Pages, token: str, view: str = "", version: str = "") -> Sheet:
        """Whatever makes no sense is left at its default."""
        mails = shown.review.mails
        usual = EVERYBODY if EVERYBODY in mails else next(iter(mails), "")
        return cls(shown, pages, token, view if view in VIEWS else VIEWS[0], version if version in mails else usual)

    # --- the page ----------------------------------------------------------------------------------

    def page(self) -> str:
        """The whole document."""
        shown, pages = self.shown, self.pages
        return pages.review(
            self._title(),
            style=self.style,
            shown=shown,
            token=self.token,
            letter=merge.shown(shown.review.subject, pages.desk.publication.fields),
            said=pages.say(f"review.said.{shown.said}") if shown.said else "",
            facts=list(self._facts()),
            lines=list(self._lines()),
            small=list(self._small()),
            checked=shown.campaign is None,
            findings=_findings(shown.review.problems),
            quoted=_sentence,
            views=[(key, pages.say(f"review.{key}")) for key in VIEWS],
            view=self.view,
            named=pages.say(f"review.{self.view}"),
            versions=[(key, self._version(key)) for key in shown.review.mails],
            version=self.version,
            **self._inbox(),
        )

    def _title(self) -> str:
        desk = self.pages.desk
        return sentence(self.shown.review.outlook, desk.publication, desk.root, self.pages.lang)

    @cached_property
    def style(self) -> str:
        """The one style sheet of the page."""
        desk = self.pages.desk
        own = templates.environment(desk.root).get_template("pages/review.css")
        return self.pages.style + own.render(theme=theme.of(desk.publication, desk.root))

    @property
    def _words(self) -> Any:
        return words(self.pages.lang, self.pages.desk.root)

    def _facts(self) -> Iterator[str]:
        found, said = self.shown.review, self._words
        if found.outlook.audience is not None:
            yield self.pages.say("review.readers", people=counted(found.outlook.audience, said))
        excluded = self.shown.campaign.excluded if self.shown.campaign else (found.plan or {}).get("excluded", {})
        if out := left_out(excluded, said):
            yield self.pages.say("review.left", reasons=out)
        if email := self._email():
            yield self.pages.say("review.size", size=f"{len(fill(email.html, {}).encode()) / _KB:.0f}")

    def _lines(self) -> Iterator[str]:
        """What is so now."""
        shown, say = self.shown, self.pages.say
        counts, campaign, deed = shown.counts, shown.campaign, shown.deed
        if shown.changed:
            yield say("review.said.changed")
        if campaign is not None and shown.fate in {Fate.BEGUN, Fate.PAUSED}:
            yield say("review.gone", gone=f"{counts.submitted + counts.uncertain:,}", all=f"{counts.audience:,}")
        if shown.fate is Fate.PAUSED and campaign is not None and campaign.brake:
            yield say("review.brake", why=campaign.brake)
        if deed is not None and campaign is None:
            which = "approved_by" if deed.act is Act.APPROVED else "stopped_by"
            if which == "stopped_by" or shown.fate in {Fate.APPROVED, Fate.APPROVED_NOW}:
                yield say(f"review.{which}", day=self._day(deed.at), time=self._time(deed.at))

    def _small(self) -> Iterator[str]:
        """What the buttons do."""
        shown, say, desk = self.shown, self.pages.say, self.pages.desk
        if shown.approvable:
            until = (shown.review.outlook.at or desk.now()) + desk.pace.max_lateness
            hold = brake.hold_of(desk).total_seconds()
            bound = say("review.approve_how", day=self._day(until), time=self._time(until))
            yield f"{bound} {say('review.hold', minutes=f'{hold / 60:.0f}')}" if hold else bound
        if shown.resumable:
            yield say("review.resume_how")
        if shown.approvable or shown.stoppable or shown.resumable:
            yield f"{say('review.stop_how')} {say('review.once')}" if shown.stoppable else say("review.once")
        if shown.person.role is not Role.OWNER and shown.yes_needed and shown.fate in {Fate.WAITS, Fate.WAITS_NOW}:
            yield say("review.only_looks" if shown.person.role is Role.LOOK else "review.editor")

    def _day(self, at: datetime) -> str:
        return facts.brief_day(self._here(at).date(), self._words)

    def _time(self, at: datetime) -> str:
        return f"{self._here(at):%H:%M}"

    def _here(self, at: datetime) -> datetime:
        return at.astimezone(zone(self.pages.desk.publication.timezone))

    def _version(self, key: str) -> str:
        """Whose version of the letter it is, in words."""
        if key == EVERYBODY:
            return self.pages.say("review.nobody_else")
        names = [self.pages.desk.publication.topics.get(one, one) for one in key.split("+")]
        return self.pages.say("review.for", segments=", ".join(names))

    def _inbox(self) -> dict[str, str]:
        email, fields = self._email(), self.pages.desk.publication.fields
        if email is None:
            return {}
        return {
            "sender": email.sender.name,
            "subject": fill(email.subject, SAMPLE),
            "preheader": merge.shown(self.shown.review.preheader, fields),
        }

    def _email(self) -> Email | None:
        body = self.shown.review.mails.get(self.version)
        return thaw(body) if body else None

    # --- its frame ---------------------------------------------------------------------------------

    def frame(self) -> str:
        """The letter itself, as a sample reader gets it."""
        email, desk = self._email(), self.pages.desk
        if email is None:
            return panes.plain("")
        values = {name: value for name, value in SAMPLE.items() if name in desk.publication.fields}
        values[UNSUBSCRIBE_URL] = desk.links.unsubscribe(WAY_OUT)
        if self.view == "text":
            return panes.plain(fill(email.text, values), lang=email.lang, title=self.pages.say("review.text"))
        drawn = (panes.dark if self.view == "dark" else panes.light)(fill(email.html, values))
        if not desk.publication.images.base_url:  # its pictures from here, under whatever name one came
            drawn = drawn.replace(
                f'src="{desk.links.base_url}/images/', f'src="{html_.escape(self.pages.path)}/images/'
            )
        return re.sub(r"<head\b[^>]*>", lambda head: head[0] + '<base target="_blank">', drawn, count=1)

    def policy(self) -> str:
        """What the frame may do: show, and open a link in a window of its own."""
        return _FRAME.format(images="".join(f" {one}" for one in [self.pictures] if one))

    @property
    def pictures(self) -> str:
        """The origin that pictures come from, where it is not ours."""
        return headers.origin(self.pages.desk.publication.images.base_url)


def _findings(problems: tuple[Problem, ...]) -> list[tuple[Level, list[Problem]]]:
    """By how grave they are."""
    found = [(level, [one for one in problems if one.level is level]) for level in Level]
    return [group for group in found if group[1]]


def _sentence(one: Problem) -> tuple[str, str, str]:
    """The sentence a finding is in: what stands before the place, the word there, what follows."""
    line, col = one.source, max(one.col - 1, 0)
    starts = [found.end() for found in _END.finditer(line) if found.end() <= col]
    ends = [found.end() for found in _END.finditer(line) if found.start() >= col]
    start, end = (starts[-1] if starts else 0), (ends[0] if ends else len(line))
    word = _WORD.match(line, min(col, len(line)))
    stop = min(word.end() if word else col, end)
    return line[start:col], line[col:stop], line[stop:end].rstrip()
