"""What the preview's pages and panes hold.

In: a room, and what the switches say. Out: pages of our own, and letters as the content of frames.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode, urlsplit

import jinja2
from fastapi.responses import HTMLResponse, Response
from markdown_it import MarkdownIt
from markupsafe import Markup
from selectolax.lexbor import LexborHTMLParser

from newsletter.content import facts, merge, share, specimen, templates, theme
from newsletter.content.words import words
from newsletter.core.email import UNSUBSCRIBE_URL, Escape, fill
from newsletter.core.problem import Level, Problem
from newsletter.errors import NewsletterError, NotFound
from newsletter.flows import panes
from newsletter.web.preview import system
from newsletter.web.preview.readers import INBOXES, PEOPLE, Person, cut, named, person, segments
from newsletter.web.preview.room import Rendering, Room, Showing
from newsletter.web.preview.views import VIEWS, View, view

MOST = 95_000
"""Bytes of a mail's HTML; beyond about 100,000 Gmail cuts it off."""

ALWAYS = {
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
}
_FRAME = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src 'self' data:; base-uri 'none'; form-action 'none';"
    " frame-ancestors 'self'; sandbox allow-same-origin allow-popups allow-popups-to-escape-sandbox"
)


@dataclass(frozen=True)
class Asked:
    """What the switches say."""

    view: View
    person: Person
    segment: str
    line: int

    @classmethod
    def of(cls, query: Mapping[str, str]) -> Asked:
        """Read the query of an address; whatever makes no sense is left at its default."""
        line = query.get("line", "")
        return cls(
            view(query.get("view", "")),
            person(query.get("person", "")),
            query.get("segment", "all"),
            int(line) if line.isascii() and line.isdigit() and len(line) < 7 else 0,  # noqa: PLR2004
        )

    def link(self, **changed: str) -> str:
        """The query of this state with something changed."""
        state = {"view": self.view.key, "person": self.person.key, "segment": self.segment, **changed}
        return "?" + urlencode(state)


class Drawing:
    """Draws pages and panes from a room."""

    def __init__(self, room: Room) -> None:
        self.room = room

    # --- pages -------------------------------------------------------------------------------------

    def page(self, name: str, status: int = 200, **values: object) -> HTMLResponse:
        """A page of the preview itself, with its style and its one script."""
        environment = templates.environment(self.room.root)
        looks = dressed(self.room)
        style = environment.get_template("preview/preview.css").render(theme=looks)
        script = environment.get_template("preview/preview.js").render()
        html = self._template(name).render(
            room=self.room,
            publication=self.room.publication,
            style=Markup(style),  # noqa: S704 -- our own file and tokens that were checked
            script=Markup(script),  # noqa: S704 -- our own file
            **values,
        )
        policy = (
            f"default-src 'none'; script-src 'sha256-{_digest(script)}'; style-src 'sha256-{_digest(style)}';"
            " connect-src 'self'; frame-src 'self'; img-src 'self' data:; base-uri 'none'; form-action 'self';"
            " frame-ancestors 'none'"
        )
        return HTMLResponse(html, status, {**ALWAYS, "Content-Security-Policy": policy})

    def _template(self, name: str) -> jinja2.Template:
        return templates.environment(self.room.root).get_template(f"preview/{name}")

    def about(self, stem: str, asked: Asked) -> dict[str, Any]:
        """Everything the page of an issue says."""
        showing = self.room.show(stem, self._segment(asked))
        return {
            "stem": stem,
            "title": self._subject(showing, asked.person, stem),
            "asked": asked,
            "showing": showing,
            "told": told(showing),
            "facts": self._facts(showing),
            "groups": grouped(showing.problems),
            "inbox": self._inbox(showing, asked.person),
            "views": VIEWS,
            "people": PEOPLE,
            "segments": [(key, named(key, self.room.publication)) for key in segments(self.room.publication)],
            "lines": self.room.lines(),
            "day": self._day,
        }

    def _segment(self, asked: Asked) -> str:
        return asked.segment if asked.segment in segments(self.room.publication) else "all"

    def _day(self, date: Any) -> str:
        return facts.day(date, words("en", self.room.root)) if date else "no day yet"

    def _subject(self, showing: Showing, who: Person, stem: str) -> str:
        if showing.rendering is None:
            return stem
        return fill(showing.rendering.email.subject, who.values)

    def _facts(self, showing: Showing) -> tuple[str, ...]:
        found = showing.rendering
        if found is None:
            return ()
        minutes = "1 minute to read" if found.minutes == 1 else f"{found.minutes} minutes to read"
        room_left = f"{found.size / 1000:.0f} KB of the {MOST // 1000} KB that mail programs show whole"
        return f"{found.words:,} words", minutes, room_left

    def _inbox(self, showing: Showing, who: Person) -> list[dict[str, str]]:
        found = showing.rendering
        if found is None:
            return []
        fields = self.room.publication.fields
        subject = fill(found.email.subject, who.values)
        preheader = fill(merge.pieces(found.issue.preheader, fields, Escape.PLAIN), who.values)
        return [
            {
                "program": one.program,
                "sender": found.email.sender.name,
                "subject": cut(subject, one.subject),
                "preheader": cut(preheader, one.preheader),
            }
            for one in INBOXES
        ]

    # --- panes -------------------------------------------------------------------------------------

    def pane(self, stem: str, which: View, asked: Asked) -> str:
        """A letter in one view, as one person gets it."""
        showing = self.room.show(stem, self._segment(asked))
        if which.key == "source":
            return self._template("source.html").render(showing=showing, marked=_marked(showing), line=asked.line)
        found = showing.rendering
        if found is None:
            return self._template("nothing.html").render()
        if which.key == "text":
            return panes.plain(fill(found.email.text, self._values(asked)), lang=found.email.lang)
        if which.key == "shared":
            return self._shared(found)
        page = found.page if which.key.startswith("archive") else fill(found.email.html, self._values(asked))
        return self._at_home(which.draw(page))

    def _shared(self, found: Rendering) -> str:
        """The card that is made of a letter's public page where somebody shares it."""
        issue, tree = found.issue, LexborHTMLParser(found.page)
        said = {node.attributes.get("property"): node.attributes.get("content") or "" for node in tree.css("meta")}
        drawn = share.of_page(found.page, theme.of(self.room.publication, self.room.root))
        own = said.get("og:image", "/share.png").endswith("/share.png")
        return self._at_home(
            self._template("shared.html").render(
                issue=issue,
                picture=_inline(drawn) if own else said["og:image"],
                alt=said.get("og:image:alt", ""),
                title=said.get("og:title", issue.title),
                description=said.get("og:description", ""),
                host=urlsplit(self.room.base_url).hostname,
            )
        )

    def _values(self, asked: Asked) -> Mapping[str, str]:
        return {**asked.person.values, UNSUBSCRIBE_URL: f"{self.room.base_url}/unsubscribe/a-link-of-nobody"}

    def _at_home(self, html: str) -> str:
        """The letter with its pictures from here, its links in windows of their own."""
        base = self.room.publication.images.base_url or f"{self.room.base_url}/images"
        found = html.replace(f'src="{base.rstrip("/")}/', 'src="/images/')
        return re.sub(r"<head\b[^>]*>", lambda head: head[0] + '<base target="_blank">', found, count=1)

    def specimen(self) -> str:
        """The theme with every block, in every way. Raises: SettingsError."""
        return specimen.page(theme.of(self.room.publication, self.room.root), self.room.root)

    def screen(self, key: str, scheme: str) -> str:
        """A mail or page of the program, light, dark or as text. Raises: NotFound."""
        for screen in system.screens(self.room.root, self.room.settings):
            if screen.key == key and scheme in {"light", "dark"}:
                return self._at_home((panes.dark if scheme == "dark" else panes.light)(screen.draw()))
            if screen.key == key and scheme == "text" and screen.text:
                return panes.plain(screen.text(), lang=screen.lang)
        raise NotFound("There is no such mail or page.")

    def explained(self, code: str) -> Response:
        """The page that explains a finding. Raises: NotFound."""
        path = templates.builtin().parent / "docs" / "errors" / f"{code}.md"
        if not re.fullmatch(r"[EW]\d{3}", code) or not path.is_file():
            raise NotFound(f"{code} is not explained here.", "See docs/errors in the program's repository.")
        body = MarkdownIt("commonmark", {"html": False}).render(path.read_text("utf-8"))
        return self.page("explained.html", title=code, body=Markup(body))  # noqa: S704 -- our own file, HTML off


def _inline(png: bytes) -> str:
    return "data:image/png;base64," + base64.b64encode(png).decode()


def framed(html: str) -> HTMLResponse:
    """A letter or page as the content of a frame: no script, no form, nothing from elsewhere."""
    return HTMLResponse(html, headers={**ALWAYS, "Content-Security-Policy": _FRAME})


def dressed(room: Room) -> theme.Theme:
    """The theme the preview is dressed in: the publication's, or the built-in one while that cannot be used."""
    try:
        return theme.of(room.publication, room.root)
    except NewsletterError:
        return theme.load("letter", None)


def told(showing: Showing) -> str:
    """The findings in one sentence."""
    counts = {level: sum(one.level is level for one in showing.problems) for level in Level}
    parts = []
    if counts[Level.ERROR]:
        parts.append(_counted(counts[Level.ERROR], "thing to fix", "things to fix"))
    if counts[Level.WARNING]:
        parts.append(_counted(counts[Level.WARNING], "thing to look at", "things to look at"))
    if not counts[Level.ERROR]:
        parts.insert(0, "Nothing to fix")
    return f"{parts[0]}, {parts[1]}." if len(parts) > 1 else f"{parts[0]}."


def _counted(number: int, one: str, many: str) -> str:
    return f"{number} {one if number == 1 else many}"


_HEADINGS = {Level.ERROR: "To fix", Level.WARNING: "To look at", Level.NOTE: "Good to know"}


def grouped(problems: Iterable[Problem]) -> list[tuple[str, Level, list[Problem]]]:
    """The findings under their headings, the grave ones first."""
    found = [(heading, level, [one for one in problems if one.level is level]) for level, heading in _HEADINGS.items()]
    return [group for group in found if group[2]]


def _marked(showing: Showing) -> list[tuple[int, str, list[Problem]]]:
    """Each line of the file with what was found in it."""
    lines = showing.source.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    by_line: dict[int, list[Problem]] = {}
    for one in showing.problems:
        if one.line and one.file == showing.name:
            by_line.setdefault(one.line, []).append(one)
    return [(number, line, by_line.get(number, [])) for number, line in enumerate(lines, 1)]


def _digest(text: str) -> str:
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
