"""Merge tags: `{{ field, "fallback" }}`, and the spellings of other programs that people bring along.

A tag is only ever one of the publication's fields with a fallback; nothing is evaluated. Also accepted:
`{{ field | default: "x" }}` and `{{ field | default("x") }}`, with curly quotes too, as word processors
make them. Two braces after a backslash are braces and no tag.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass

from newsletter.content.blocks import MergeTag
from newsletter.core.email import UNSUBSCRIBE_URL, Escape, Pieces, Site


@dataclass(frozen=True)
class Fault:
    """Why a text is no merge tag of ours: E240 or E241. `certain`: the fix is what was surely meant."""

    code: str
    message: str
    fix: str
    certain: bool = False


@dataclass(frozen=True)
class Snippet:
    """`{{ snippet "key" }}`."""

    key: str


@dataclass(frozen=True)
class Found:
    """A text that is, or was meant as, a merge tag. `at` is its offset, `source` the text as typed."""

    at: int
    source: str
    tag: MergeTag | Snippet | Fault


_ALIASES = {
    "fname": "first_name",
    "firstname": "first_name",
    "first": "first_name",
    "name": "first_name",
    "lname": "last_name",
    "lastname": "last_name",
    "surname": "last_name",
}
_ALIAS = "f(?:irst)?[_ ]?name|l(?:ast)?[_ ]?name"
_SHAPES = re.compile(
    r"(?<!\\)(?:"
    r"(?P<triple>\{\{\{[^{}\n]*\}\}\})"
    r"|(?P<ours>\{\{[^{}\n]*\}\})"
    r"|(?P<mailchimp>\*\|[A-Za-z0-9_:]+\|\*)"
    r"|(?P<mailgun>%recipient\.\w+%)"
    r"|(?P<salesforce>%%\w+%%)"
    rf"|(?P<activecampaign>%(?:{_ALIAS})%)"
    r"|(?P<aweber>\{!\w+\})"
    rf"|(?P<single>(?<!\{{)\{{ ?(?:{_ALIAS})\b[^{{}}\n]*\}})"
    rf"|(?P<square>\[\[(?:{_ALIAS})\]\]|\[(?:FNAME|FIRST_?NAME|First Name)\])"
    r")",
    re.IGNORECASE,
)
_SIGN = re.compile(r"[{%]|\*\||\[[\[Ff]")
"""What stands in each of them: most texts have none, and to look for this takes a twentieth of the time."""

_NAMES = {
    "triple": "Handlebars",
    "mailchimp": "Mailchimp",
    "mailgun": "Mailgun",
    "salesforce": "Salesforce",
    "activecampaign": "ActiveCampaign",
    "aweber": "AWeber",
    "single": "another program's",
    "square": "another program's",
}
_QUOTE = "[\"'“”„‟‘’‚«»]"
_OURS = re.compile(
    r"(?P<field>[A-Za-z_]\w*)(?:\s*(?:,|\|\s*default\s*:|\|\s*default\s*\()\s*"
    rf"{_QUOTE}(?P<fallback>.*?){_QUOTE}\s*\)?)?"
)
_SNIPPET = re.compile(rf"snippet\s+{_QUOTE}(?P<key>[^\"]*?){_QUOTE}")


def find(text: str, fields: Mapping[str, str]) -> Iterator[Found]:
    """Every merge tag in a text, and everything that was meant as one, from left to right.

    In: the text, the publication's fields with their fallbacks.
    """
    for match in _SHAPES.finditer(text) if _SIGN.search(text) else ():
        kind, source = str(match.lastgroup), match.group()
        if kind == "ours":
            yield Found(match.start(), source, _read(source[2:-2], source, fields))
        elif kind in {"single", "square"} and not _known(source, fields):
            continue
        else:
            yield Found(match.start(), source, _foreign(_NAMES[kind], source, fields))


def _known(source: str, fields: Collection[str]) -> bool:
    return _field_of(source, fields) in fields


def _read(inside: str, source: str, fields: Mapping[str, str]) -> MergeTag | Snippet | Fault:
    inside = inside.strip()
    if snippet := _SNIPPET.fullmatch(inside):
        return Snippet(snippet["key"])
    if inside == UNSUBSCRIBE_URL:
        return MergeTag(UNSUBSCRIBE_URL, "")
    tag = _OURS.fullmatch(inside)
    if tag is None:
        return _unreadable(inside, source, fields)
    if tag["field"] not in fields:
        return _unknown(tag["field"], tag["fallback"], fields)
    if tag["fallback"] is None:
        message = f"{source} needs a word for readers without one"
        return Fault("E240", message, spelled(tag["field"], fields[tag["field"]] or "friend"), certain=True)
    return MergeTag(tag["field"], tag["fallback"])


def _unreadable(inside: str, source: str, fields: Mapping[str, str]) -> Fault:
    if re.match(r"[\w$]+\.[\w.]+", inside):
        return _foreign("another program's", source, fields)
    if snippet := re.fullmatch(r"snippets?\s+[\"']?(?P<key>[\w-]+)[\"']?", inside, re.IGNORECASE):
        return Fault("E240", f"{source} is not written as a snippet", f'{{{{ snippet "{snippet["key"]}" }}}}')
    field = _field_of(inside, fields)
    if field not in fields:
        field = next(iter(fields), "first_name")
    message = f"{source} is not written as a merge tag"
    return Fault("E240", message, spelled(field, fields.get(field) or "friend"))


def _unknown(field: str, fallback: str | None, fields: Mapping[str, str]) -> Fault:
    near = _field_of(field, fields)
    if near not in fields:
        near = next(iter(difflib.get_close_matches(field, fields, 1, 0.6)), "")
    known = ", ".join(fields) or "none"
    fix = spelled(near, fallback or fields[near] or "friend") if near else f"Fields of newsletter.yml: {known}."
    return Fault("E240", f'"{field}" is not a field of newsletter.yml', fix)


def _foreign(program: str, source: str, fields: Mapping[str, str]) -> Fault:
    field = _field_of(source, fields)
    fix = spelled(field, fields[field] or "friend") if field in fields else spelled("first_name", "friend")
    owner = program if program.endswith("'s") else f"{program}'s"
    return Fault("E241", f"{source} is {owner} way of writing a merge tag", fix, certain=field in fields)


def _field_of(source: str, fields: Collection[str]) -> str:
    """The field a foreign tag means, as far as its name tells."""
    words: list[str] = re.findall(r"[A-Za-z]\w*(?: name\b)?", source, re.IGNORECASE)
    for word in words:
        name = word.lower().replace(" ", "_")
        if name in fields:
            return name
        if alias := _ALIASES.get(name.replace("_", "")):
            return alias
    return ""


def spelled(field: str, fallback: str) -> str:
    """A merge tag as it is written."""
    return f'{{{{ {field}, "{fallback}" }}}}'


def parts(text: str, fields: Mapping[str, str]) -> tuple[str | MergeTag, ...]:
    """A line of text (a subject) with its merge tags; what is not a tag of ours stays text."""
    return tuple(_parts(text, fields))


def _parts(text: str, fields: Mapping[str, str]) -> Iterator[str | MergeTag]:
    done = 0
    for found in find(text, fields):
        if isinstance(found.tag, MergeTag):
            if found.at > done:
                yield text[done : found.at]
            yield found.tag
            done = found.at + len(found.source)
    if done < len(text):
        yield text[done:]


def pieces(text: str, fields: Mapping[str, str], escape: Escape) -> Pieces:
    """A line of text as pieces of an email, its merge tags as sites of the given place.

    The literal text is left as it is: the caller escapes it for the place.
    """
    return sites(parts(text, fields), escape)


def sites(parts: Iterable[str | MergeTag], escape: Escape) -> Pieces:
    """Parts as pieces of an email."""
    return tuple(part if isinstance(part, str) else Site(part.field, part.fallback, escape) for part in parts)


def shown(text: str, fields: Mapping[str, str]) -> str:
    """The text as a reader without a name sees it."""
    return "".join(part if isinstance(part, str) else part.fallback for part in parts(text, fields))


@dataclass(frozen=True)
class Marked:
    """A text whose merge tags are alphanumeric marks, which Markdown and addresses leave alone."""

    text: str
    found: tuple[Found, ...]
    mark: re.Pattern[str]

    def restored(self, text: str) -> str:
        """The text with the tags as typed."""
        return "".join(part if isinstance(part, str) else part.source for part in self.split(text))

    def split(self, text: str) -> Iterator[str | Found]:
        """Literal text and tags, in turn."""
        for at, part in enumerate(self.mark.split(text)):
            if at % 2:
                yield self.found[int(part)]
            elif part:
                yield part


def marked(text: str, fields: Mapping[str, str]) -> Marked:
    """Put a mark in the place of every tag. The mark occurs nowhere else in the text."""
    stem = "mt"
    while stem in text.lower():
        stem += "q"
    found = tuple(find(text, fields))
    whole: list[str] = []
    done = 0
    for number, one in enumerate(found):
        whole += [text[done : one.at], f"{stem}{number}z"]
        done = one.at + len(one.source)
    return Marked("".join([*whole, text[done:]]), found, re.compile(rf"{stem}(\d+)z"))
