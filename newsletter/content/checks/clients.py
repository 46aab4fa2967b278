"""What the mail uses that a mail program does not know (E305).

In: the mail's HTML. Out: features, by the names of caniemail.com, that at least one named program does not
support at all. Those that the built-in theme uses knowingly stand in `baseline.toml`, each with what becomes
of it; anything else comes from a template or theme of the publication, and is told once for the theme.
"""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib import resources
from typing import Any

import tinycss2
from selectolax.lexbor import LexborHTMLParser

from newsletter.content.checks.case import Case
from newsletter.content.checks.mail import seen
from newsletter.core.problem import Level, Problem


@dataclass(frozen=True)
class Feature:
    """Something a mail can use, and the programs that do not know it."""

    slug: str
    title: str
    not_in: tuple[str, ...]


def unknown(case: Case) -> Iterator[Problem]:
    """Features beyond the baseline."""
    if case.email is None:
        return
    theme = case.issue.theme or case.publication.theme
    for slug in sorted(features(seen(case.email.html)) - baseline().keys()):
        feature = table()[slug]
        message = f"{feature.title} does nothing in {_listed(feature.not_in)}"
        fix = "Take it out of templates/ or the theme of this publication, so that the mail is the same everywhere."
        yield Problem(f"templates/themes/{theme}.toml", 0, 0, "E305", Level.ERROR, message, fix)


def _listed(names: tuple[str, ...]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


@cache
def table() -> Mapping[str, Feature]:
    """Every feature that a named program lacks."""
    return {slug: Feature(slug, raw["title"], tuple(raw["not_in"])) for slug, raw in _raw().items()}


@cache
def baseline() -> Mapping[str, str]:
    """The features that the built-in theme uses all the same, each with what becomes of it."""
    found = tomllib.loads((resources.files("newsletter.content.checks") / "baseline.toml").read_text("utf-8"))
    return {str(slug): str(why) for slug, why in found.items()}


@cache
def _raw() -> dict[str, Any]:
    text = (resources.files("newsletter.content.checks") / "caniemail.json").read_text("utf-8")
    features: dict[str, Any] = json.loads(text)["features"]
    return features


@cache
def _index(kind: str) -> Mapping[str, str]:
    """From a name (a property, an element ...) to the feature."""
    return {name: slug for slug, raw in _raw().items() if raw["kind"] == kind for name in raw["names"]}


def features(html: str) -> frozenset[str]:
    """The features of the table that a mail uses, without what is for Outlook for Windows alone."""
    tree = LexborHTMLParser(html)
    found: set[str] = set()
    for node in tree.css("*"):
        found |= _of_element(node.tag or "", node.attributes)
    for node in tree.css("style"):
        found |= set(_of_sheet(node.text() or ""))
    return frozenset(found)


def _of_element(tag: str, attributes: Mapping[str, str | None]) -> set[str]:
    found = {_index("element").get(tag, "")}
    for name, value in attributes.items():
        found.add(_index("attribute").get(name, ""))
        if name == "style":
            found |= _of_style(value or "")
        elif name == "src" and tag == "img":
            found.add(_picture(value or ""))
        elif name == "href" and tag == "a":
            found |= {slug for start, slug in _index("link").items() if (value or "").startswith(start)}
    return found - {""}


def _picture(url: str) -> str:
    if url.startswith("data:"):
        return _index("image").get("data:", "")
    return _index("image").get(url.partition("?")[0].rpartition(".")[2].lower(), "")


def _of_sheet(sheet: str) -> Iterator[str]:
    for rule in tinycss2.parse_stylesheet(sheet, skip_comments=True, skip_whitespace=True):
        yield from _of_rule(rule)


def _of_rule(rule: Any) -> Iterator[str]:
    if rule.type == "at-rule":
        yield from _known("at-rule", [rule.lower_at_keyword])
        prelude = tinycss2.serialize(rule.prelude).lower()
        if rule.lower_at_keyword == "media":
            names = re.findall(r"\(\s*([\w-]+)", prelude)
            yield from _known("media", [re.sub(r"^(?:min|max)-", "", name) for name in names])
        if rule.content is not None and rule.lower_at_keyword in {"media", "supports", "layer", "container"}:
            for inner in tinycss2.parse_rule_list(rule.content, skip_comments=True, skip_whitespace=True):
                yield from _of_rule(inner)
        elif rule.content is not None:
            yield from _of_declarations(rule.content)
    elif rule.type == "qualified-rule":
        yield from _of_selector(tinycss2.serialize(rule.prelude))
        yield from _of_declarations(rule.content)


_SELECTORS = (
    ("attribute", re.compile(r"\[")),
    ("id", re.compile(r"#")),
    ("universal", re.compile(r"(?:^|[\s>+~,])\*")),
    ("adjacent-sibling", re.compile(r"\+")),
    ("general-sibling", re.compile(r"~")),
    ("child", re.compile(r">")),
    ("grouping", re.compile(r",")),
    ("chaining", re.compile(r"[\w\])][.#\[]")),
    ("descendant", re.compile(r"[\w\])*]\s+[\w.#\[*]")),
    ("class", re.compile(r"\.")),
    ("type", re.compile(r"(?:^|[\s>+~,])[a-z]")),
)


def _of_selector(selector: str) -> Iterator[str]:
    plain = re.sub(r"\[[^\]]*\]", "[]", selector.strip().lower())
    yield from _known("pseudo", re.findall(r"::?([a-z-]+)", plain))
    if "&" in plain:
        yield from _known("selector", ["nesting"])
    yield from _known("selector", [name for name, sign in _SELECTORS if sign.search(plain)])


@lru_cache(maxsize=1024)
def _of_style(style: str) -> frozenset[str]:
    """The features of a style attribute: a mail repeats its few styles at every row."""
    return frozenset(_of_declarations(style))


def _of_declarations(content: Any) -> Iterator[str]:
    for one in tinycss2.parse_blocks_contents(content, skip_comments=True, skip_whitespace=True):
        if one.type == "declaration":
            yield from _of_declaration(one)
        elif one.type in {"qualified-rule", "at-rule"}:
            yield from _known("selector", ["nesting"])


def _of_declaration(one: Any) -> Iterator[str]:
    name = one.lower_name
    value = tinycss2.serialize(one.value).strip().lower()
    if name.startswith("mso-"):
        return
    yield from _known("property", [name])
    yield from _known("pair", [f"{name}:{value}"])
    yield from _known("function", re.findall(r"([a-z-]+)\(", value))
    yield from _known("keyword", re.findall(r"[a-z-]+", value) + (["!important"] if one.important else []))
    units = [token.lower_unit for token in one.value if token.type == "dimension"]
    units += ["%"] * any(token.type == "percentage" for token in one.value)
    units += ["initial"] * (value == "initial")
    yield from _known("unit", units)


def _known(kind: str, names: Iterable[str]) -> Iterator[str]:
    index = _index(kind)
    yield from (index[name] for name in names if name in index)
