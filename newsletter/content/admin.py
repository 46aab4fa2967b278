"""The editor in the browser: what Sveltia CMS is told about an issue.

In: the publication, and its repository. Out: the text of `admin/config.yml` and of `admin/publication.js`. Each field
of `frontmatter.FIELDS` has a row here, in the same order, or Sveltia would move it to the end when it saves.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

import yaml

from newsletter.content import frontmatter
from newsletter.core.publication import Publication

MARK = "# --- below this line: made by `newsletter init --admin`, and made anew each time. Change what is above it."
Field = Mapping[str, Any]
_LEAST, _MOST = frontmatter.SUBJECT
_BLOCKS = ("button", "callout", "card", "only", "not")
"""What `blocks.js` makes a small form of; any other box is kept as it is typed."""


def config(publication: Publication, head: str) -> str:
    """The whole file: the owner's part as it is, then what follows from the publication."""
    rest = yaml.safe_dump(_settings(publication), sort_keys=False, allow_unicode=True, width=1000)
    return f"{head.rstrip()}\n\n{MARK}\n{rest}"


def head(repository: str) -> str:
    """The owner's part to begin with. In: `owner/name` on GitHub, or empty when that is not known."""
    return (
        "# Where the letters lie. The browser asks GitHub for them, and nobody else.\n"
        "backend:\n"
        "  name: github\n"
        f"  repo: {repository or 'OWNER/REPOSITORY'}\n"
        "  branch: main\n"
        "  squash_merges: true\n"
        "  preview_context: newsletter/preview\n"
        "  # base_url: https://...    a sign-in service of yours; without one, editors paste an access token once\n"
    )


def kept(text: str) -> str:
    """The owner's part of a file that is there; empty when it is not one of ours."""
    before, mark, _ = text.partition(MARK)
    return before if mark else ""


def facts(publication: Publication) -> str:
    """What the boxes need to know, as a script that says so."""
    readers = [*_segments(publication), "email", "web"]
    return f"window.PUBLICATION = {json.dumps({'readers': [r for r in readers if r != 'all']}, ensure_ascii=False)};\n"


def _settings(publication: Publication) -> dict[str, Any]:
    return {
        "publish_mode": "editorial_workflow",  # a save is a branch and a pull request, never main
        "media_folder": "images",
        "public_folder": "images",  # paths are from the publication's root, whoever writes them
        "output": {"omit_empty_optional_fields": True},
        "collections": [
            {
                "name": "issues",
                "label": "Letters",
                "label_singular": "Letter",
                "folder": "issues",
                "create": True,
                "publish": False,  # whoever writes submits; merging is done on GitHub
                "identifier_field": "subject",
                "slug": "{{date | date('YYYY-MM-DD')}}-{{subject}}",
                "summary": "{{date | date('YYYY-MM-DD')}}  {{subject}}",
                "sortable_fields": {"fields": ["date"], "default": {"field": "date", "direction": "descending"}},
                "fields": [
                    *({"name": name, **_FIELDS[name](publication)} for name in _FIELDS),
                    _BODY,
                ],
            }
        ],
    }


def _text(label: str, hint: str = "", *, pattern: tuple[str, str] | None = None) -> Callable[[Publication], Field]:
    more: dict[str, Any] = {"hint": hint} if hint else {}
    if pattern:
        more["pattern"] = list(pattern)
    return lambda _: {"label": label, "widget": "string", "required": False, **more}


def _choice(label: str, options: Callable[[Publication], list[Any]], **more: Any) -> Callable[[Publication], Field]:
    """One of some; a line to type into where there is nothing to choose from."""

    def field(publication: Publication) -> Field:
        found = options(publication)
        given = {"widget": "select", "options": found, **more} if found else {"widget": "string"}
        return {"label": label, "required": False, **given}

    return field


def _yes(label: str) -> Callable[[Publication], Field]:
    """True, false, or the publication's usual: a switch could not leave it out."""
    options = [{"label": "Yes", "value": True}, {"label": "No", "value": False}]
    return lambda _: {"label": label, "widget": "select", "required": False, "options": options}


def _segments(publication: Publication) -> list[str]:
    return list(dict.fromkeys(["all", "letter", *publication.topics, *publication.segments]))


_IMAGE = {
    "label": "Picture at the top",
    "widget": "object",
    "required": False,
    "collapsed": True,
    "fields": [
        {"name": "src", "label": "Picture", "widget": "image"},
        {"name": "alt", "label": "What it shows", "widget": "string"},  # not required, an empty one would be left out
        {"name": "caption", "label": "Words below it", "widget": "string", "required": False},
        {"name": "link", "label": "Where it leads", "widget": "string", "required": False},
    ],
}
_IGNORE = {
    "label": "Checks to be silent about",
    "widget": "list",
    "required": False,
    "collapsed": True,
    "fields": [
        {"name": "code", "label": "Code", "widget": "string", "pattern": [r"^W\d{3}$", "W and three digits"]},
        {"name": "why", "label": "Why", "widget": "string"},
    ],
}
_DRAFT = {  # no switch and no default: those would write the line into an issue that has none, which is a draft
    "label": "Is it ready?",
    "widget": "select",
    "required": False,
    "options": [{"label": "Draft: not yet", "value": True}, {"label": "Ready to go", "value": False}],
}
_DATE = {"label": "Day", "widget": "datetime", "type": "date", "format": "YYYY-MM-DD"}

_FIELDS: Mapping[str, Callable[[Publication], Field]] = {
    "subject": lambda _: {
        "label": "Subject",
        "widget": "string",
        "hint": "What people see in the inbox. The first 33 characters are seen everywhere.",
        "pattern": [f"^.{{{_LEAST},{_MOST}}}$", f"Between {_LEAST} and {_MOST} characters"],
    },
    "preheader": _text(
        "Preview line",
        "The grey words after the subject. 40 to 100 characters; do not repeat the subject.",
        pattern=(f"^.{{0,{frontmatter.PREHEADER}}}$", f"At most {frontmatter.PREHEADER} characters"),
    ),
    "title": _text("Headline, when it is not the subject"),
    "date": lambda _: _DATE,
    "send_at": _text(
        "Time, when it is not the usual one",
        pattern=(r"^(\d{4}-\d\d-\d\d[ T])?([01]\d|2[0-3]):[0-5]\d$", "A time as 09:30"),
    ),
    "draft": lambda _: _DRAFT,
    "audience": _choice("Who gets it", _segments, multiple=True),
    "from": _choice("Sender", lambda publication: list(publication.senders)),
    "reply_to": _text("Where answers go, when it is not the usual address"),
    "lang": _text("Language, when it is not the usual one", "As en or es."),
    "dir": _choice("Direction of the text", lambda _: ["ltr", "rtl"]),
    "slug": _text(
        "Name in addresses",
        "Leave it empty: it is made of the file's name.",
        pattern=(r"^[^\s/A-Z]*$", "Small letters and hyphens"),
    ),
    "number": lambda _: {
        "label": "Number",
        "widget": "number",
        "value_type": "int",
        "required": False,
        "min": 0,
    },
    "tags": lambda _: {"label": "Tags", "widget": "list", "required": False},
    "summary": _text("Summary, for the archive"),
    "canonical_url": _text("Where it was published first", pattern=(r"^(https?://\S+)?$", "An address with https://")),
    "archive": _yes("A page in the public archive"),
    "author": _choice("Who wrote it", lambda publication: list(publication.authors)),
    "image": lambda _: _IMAGE,
    "magnet": _choice("Free resource to offer", lambda publication: list(publication.magnets)),
    "feedback": _yes("Ask at the end whether it helped"),
    "contents": _yes("List the headings at the top"),
    "share": _yes("A line to pass the letter on"),
    "nearby": _yes("The letters before and after"),
    "theme": _text("Theme"),
    "plain": _text("File with a text part written by hand"),
    "ignore": lambda _: _IGNORE,
}

_BODY = {
    "name": "body",
    "label": "Text",
    "widget": "richtext",
    "modes": ["rich_text", "raw"],
    "buttons": [  # every mark of the dialect: Sveltia escapes one whose button is missing when it saves
        "bold",
        "italic",
        "strikethrough",
        "link",
        "heading-two",
        "heading-three",
        "quote",
        "bulleted-list",
        "numbered-list",
    ],
    "editor_components": ["image", *_BLOCKS],
}
