"""The MJML skeleton: checked, compiled once, with slots that are filled in the HTML afterwards.

Content never passes through the compiler: mrml joins words across line breaks, writes attribute values
with escapes of its own, and takes any tag it does not know. So a template asks for `slot("body")` and gets
an opaque word; the compiled HTML is split at these words, and the content is put between the pieces.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from html.parser import HTMLParser

import jinja2
import jinja2.meta
from mjml import mjml2html

from newsletter.core.email import Pieces, Site
from newsletter.errors import SettingsError

_SPACE = {"padding", "padding-top", "padding-bottom", "padding-left", "padding-right"}
_FONT = {"font-family", "font-size", "font-style", "font-weight", "line-height", "color", "align"}

COMPONENTS: Mapping[str, frozenset[str]] = {
    "mjml": frozenset({"lang", "dir"}),
    "mj-head": frozenset(),
    "mj-title": frozenset(),
    "mj-preview": frozenset(),
    "mj-attributes": frozenset(),
    "mj-all": frozenset({"font-family"}),
    "mj-style": frozenset(),
    "mj-raw": frozenset(),
    "mj-body": frozenset({"width", "background-color", "css-class"}),
    "mj-wrapper": frozenset({"background-color", "css-class", "text-align", *_SPACE}),
    "mj-section": frozenset({"direction", "background-color", "css-class", "text-align", *_SPACE}),
    "mj-column": frozenset({"direction", "width", "css-class", "background-color", "vertical-align", *_SPACE}),
    "mj-text": frozenset({"container-background-color", "css-class", *_FONT, *_SPACE}),
    "mj-table": frozenset({"container-background-color", "css-class", "width", *_FONT, *_SPACE}),
    "mj-image": frozenset(
        {"src", "alt", "width", "height", "href", "align", "border-radius", "container-background-color", "css-class"}
        | _SPACE
    ),
    "mj-button": frozenset(
        {"href", "background-color", "border", "border-radius", "inner-padding", "width", "css-class"}
        | {"container-background-color"}
        | _FONT
        | _SPACE
    ),
    "mj-spacer": frozenset({"height", "container-background-color", "css-class"}),
}
"""The components templates may use, and their attributes; all else is refused by name."""

REQUIRED = {"mj-image": frozenset({"alt", "width"})}


@dataclass(frozen=True)
class Skeleton:
    """Compiled HTML, split at its slots: literals and slot names in turn."""

    template: str
    parts: tuple[str, ...]  # literal, slot, literal, ..., literal

    def fill(self, slots: Mapping[str, Pieces], *, needed: frozenset[str] = frozenset()) -> Iterator[str | Site]:
        """The pieces of the whole, content in its place.

        In: content by slot name, already escaped for its place; the names a template may not leave out.
        Raises: SettingsError for a slot nobody fills, or a needed one that the template lacks.
        """
        asked = frozenset(self.parts[1::2])
        if missing := sorted(needed - asked):
            raise SettingsError(
                f"The template {self.template} has no place for: {', '.join(missing)}.",
                f'Add {{{{ slot("{missing[0]}") }}}} where it belongs.',
            )
        if unknown := sorted(asked - slots.keys()):
            raise SettingsError(
                f'The template {self.template} asks for the slot "{unknown[0]}", which does not exist.',
                f"These do: {', '.join(sorted(slots))}.",
            )
        return (piece for place, part in enumerate(self.parts) for piece in (slots[part] if place % 2 else (part,)))


def skeleton(env: jinja2.Environment, name: str, **values: object) -> Skeleton:
    """Compile a template to HTML with open slots.

    In: the environment, the template's name, the values it may use (looks and language, never content).
    Raises: SettingsError for a component or attribute outside `COMPONENTS`, a value the compiler would
    quietly misread, or a template the compiler refuses; each with template and line where known.
    """
    sources = dict(_sources(env, name))
    for part, source in sources.items():
        check(source, part)
    mark = hashlib.sha256("".join(sources.values()).encode()).hexdigest()[:12]  # no text holds its own hash
    asked: list[str] = []

    def slot(key: str) -> str:
        if key not in asked:
            asked.append(key)
        return f"zq{mark}x{asked.index(key):02d}z"

    try:
        source = env.get_template(name).render(slot=slot, **values)
    except jinja2.TemplateError as problem:
        raise SettingsError(
            f"The template {name} cannot be read: {problem}", "Compare it with the built-in one."
        ) from None
    return Skeleton(name, _split(_compile(source, name), mark, asked, name))


def _sources(env: jinja2.Environment, name: str) -> Iterator[tuple[str, str]]:
    """The template and all it extends or includes, with their names."""
    if env.loader is None:
        return
    try:
        source = env.loader.get_source(env, name)[0]
        below = _below(source, name)
    except jinja2.TemplateNotFound as problem:
        raise SettingsError(
            f'There is no template "{problem}".', "Restore it, or delete your own of that name."
        ) from None
    except jinja2.TemplateSyntaxError as problem:
        raise SettingsError(f"{name}:{problem.lineno}: {problem.message}", "Correct the template's braces.") from None
    yield name, source
    for other in below:
        yield from _sources(env, other)


_READER = jinja2.Environment(autoescape=True)


@lru_cache(maxsize=64)
def _below(source: str, name: str) -> tuple[str, ...]:
    """The templates a source extends or includes by name; parsing is dear, and sources seldom change."""
    return tuple(filter(None, jinja2.meta.find_referenced_templates(_READER.parse(source, name))))


def _compile(source: str, name: str) -> str:
    try:
        html: str = mjml2html(source, fonts={})  # without `fonts={}` mail would load fonts from a third party
    except ValueError as problem:
        raise SettingsError(
            f"The template {name} is not MJML the compiler can read: {problem}",
            "Every tag must be closed and every attribute quoted, also inside mj-raw.",
        ) from None
    return html


def _split(html: str, mark: str, asked: list[str], name: str) -> tuple[str, ...]:
    # mj-preview comes with white letters, which spam filters count against a mail: our own takes its place
    html = re.sub(rf'<div style="display:none;[^"]*">(zq{mark}x\d\dz)</div>', r"\1", html)
    parts = re.split(rf"zq{mark}x(\d\d)z", html)
    found = {asked[int(number)] for number in parts[1::2]}
    if lost := [key for key in asked if key not in found]:
        raise SettingsError(
            f'The slot "{lost[0]}" of the template {name} was lost when it was compiled.',
            "Put it inside mj-raw, mj-text, mj-table, mj-title or mj-preview.",
        )
    return tuple(asked[int(part)] if place % 2 else part for place, part in enumerate(parts))


@lru_cache(maxsize=64)
def check(source: str, name: str) -> None:
    """Look for what the compiler would take without a word.

    In: a template's source as written, with its Jinja2 marks; its name for the message.
    Raises: SettingsError naming template, line, component and attribute.
    """
    reader = _Reader(name)
    reader.feed(_without_jinja(source))
    reader.close()


def _without_jinja(source: str) -> str:
    """Expressions as a word, statements and comments as blanks; every line stays where it was."""
    plain = re.sub(r"\{#.*?#\}|\{%.*?%\}", lambda found: re.sub(r"[^\n]", " ", found[0]), source, flags=re.DOTALL)
    return re.sub(r"\{\{.*?\}\}", lambda found: "x" + "\n" * found[0].count("\n"), plain, flags=re.DOTALL)


class _Reader(HTMLParser):
    def __init__(self, name: str) -> None:
        super().__init__(convert_charrefs=True)
        self.name = name

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if not tag.startswith("mj"):
            return
        if tag not in COMPONENTS:
            raise self._refused(f"<{tag}> is not a component this program renders", ", ".join(COMPONENTS))
        names = {attribute for attribute, _ in attrs}
        if unknown := sorted(names - COMPONENTS[tag]):
            raise self._refused(
                f'<{tag}> has no attribute "{unknown[0]}"', ", ".join(sorted(COMPONENTS[tag])) or "none"
            )
        if missing := sorted(REQUIRED.get(tag, frozenset()) - names):
            raise self._refused(f'<{tag}> needs "{missing[0]}"', ", ".join(sorted(REQUIRED[tag])))
        for attribute, value in attrs:
            if attribute.endswith("padding") and re.search(r"(^|\s)0(\s|$)", value or ""):
                raise self._refused(
                    f'<{tag} {attribute}="{value}">: a bare 0 makes the compiler miscount widths', "0px"
                )

    def _refused(self, what: str, known: str) -> SettingsError:
        return SettingsError(f"{self.name}:{self.getpos()[0]}: {what}.", f"Use: {known}.")
