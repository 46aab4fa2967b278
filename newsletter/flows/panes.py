"""One mail as different mail programs show it: each view is the mail's own HTML, changed as they change it.

In: the HTML of a mail or page. Out: HTML for a browser. Pure functions of text; nothing is fetched. All of
them are approximations by rule, not the programs themselves, and are to be labelled so where they are shown.
"""

from __future__ import annotations

import html as html_
import re
from collections.abc import Callable, Iterator

from newsletter.content import recolour

_DARK = re.compile(r"\(\s*prefers-color-scheme\s*:\s*dark\s*\)", re.IGNORECASE)
_LIGHT = re.compile(r"\(\s*prefers-color-scheme\s*:\s*light\s*\)", re.IGNORECASE)
_BOTH = re.compile(r"""(color-scheme\s*:\s*|color-schemes?["']\s+content=["'])light dark""", re.IGNORECASE)
_ALWAYS, _NEVER = "(min-width:0px)", "(max-width:0px)"
_COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)
_STYLE = re.compile(r"<style\b[^>]*>.*?</style\s*>|<link\b[^>]*\bstylesheet\b[^>]*>", re.IGNORECASE | re.DOTALL)
_SHEET = re.compile(r"(<style\b[^>]*>)(.*?)(</style\s*>)", re.IGNORECASE | re.DOTALL)
_STYLE_ATTRIBUTE = re.compile(r"""(\sstyle=)("[^"]*"|'[^']*')""", re.IGNORECASE)
_SOURCE = re.compile(
    r"""(<(?:img|v:fill|v:image)\b[^>]*?\s(?:src|srcset)\s*=\s*)("[^"]*"|'[^']*'|[^\s>]+)""", re.IGNORECASE
)
_BACKGROUND = re.compile(r"""(\sbackground\s*=\s*)("[^"]*"|'[^']*')""", re.IGNORECASE)
_URL = re.compile(r"url\([^)]*\)", re.IGNORECASE)
NOTHING = '"data:,"'
"""The address of a picture that is surely none: the browser shows what stands in for it."""


def light(html: str) -> str:
    """The light scheme, whatever the machine prefers."""
    return _scheme(html, "light", _NEVER, _ALWAYS)


def dark(html: str) -> str:
    """The mail's own dark styles, by rewriting their condition: frames do not hand a scheme on everywhere."""
    return _scheme(html, "dark", _ALWAYS, _NEVER)


def _scheme(html: str, name: str, dark_is: str, light_is: str) -> str:
    return _BOTH.sub(rf"\g<1>{name}", _LIGHT.sub(light_is, _DARK.sub(dark_is, html)))


def unstyled(html: str) -> str:
    """Without `<style>`: Gmail drops all of it when it dislikes a part, or for an account of another provider."""
    return light(_STYLE.sub("", _COMMENT.sub("", html)))


def pictures_off(html: str) -> str:
    """Pictures not loaded, as many programs begin: the alternative text stands in their place."""
    hidden = _BACKGROUND.sub(rf"\g<1>{NOTHING}", _SOURCE.sub(rf"\g<1>{NOTHING}", html))
    return light(_sheets(hidden, lambda css: _URL.sub("none", css)))


def outlook_windows(html: str) -> str:
    """The branch that Outlook for Windows reads: its conditional comments resolved, without what Word ignores.

    Word knows neither media queries nor round corners, and lays a mail out at a fixed width.
    """
    return light(_sheets(_HIDDEN.sub("", _branch(html)), lambda css: _ROUND.sub("", _without_media(css))))


_HIDDEN = re.compile(r"<(noscript|xml)\b[^>]*>.*?</\1\s*>", re.IGNORECASE | re.DOTALL)  # Word's own settings
_ROUND = re.compile(r"(?:border-radius|max-width|max-height)\s*:[^;}\"']*;?", re.IGNORECASE)


def flipped(html: str) -> str:
    """Recoloured by force, lightness turned over: what Gmail's and Outlook's apps do to a mail in the dark."""
    return recolour.lightness(light(html))


def contrasted(html: str) -> str:
    """Recoloured by force, as Outlook on the web does it."""
    return recolour.outlook(light(html))


def plain(text: str, *, lang: str = "en", direction: str = "ltr", title: str = "Plain text") -> str:
    """The text part as a terminal shows it, 72 columns wide, as a page of ours with a heading that is read aloud."""
    title = html_.escape(title)
    return (
        f'<!doctype html><html lang="{html_.escape(lang)}" dir="{html_.escape(direction)}"><meta charset="utf-8">'
        f"<title>{title}</title><style>body{{margin:24px;background:#fff;color:#222}}"
        "pre{font:15px/22px ui-monospace,Menlo,Consolas,monospace;white-space:pre-wrap;unicode-bidi:plaintext;"
        f"max-width:72ch;overflow-wrap:anywhere}}h1{{position:absolute;clip-path:inset(50%)}}</style>"
        f"<main><h1>{title}</h1><pre>{html_.escape(text)}</pre></main></html>"
    )


def _sheets(html: str, change: Callable[[str], str]) -> str:
    """Every style, in sheets and attributes, changed."""
    html = _SHEET.sub(lambda found: found[1] + change(found[2]) + found[3], html)
    return _STYLE_ATTRIBUTE.sub(lambda found: found[1] + change(found[2]), html)


def _without_media(css: str) -> str:
    """A style sheet without its `@media` blocks."""
    kept, at = [], 0
    for found in re.finditer(r"@media\b[^{]*\{", css, re.IGNORECASE):
        if found.start() < at:
            continue  # one within another
        kept.append(css[at : found.start()])
        at = _closing(css, found.end())
    return "".join([*kept, css[at:]])


def _closing(css: str, at: int) -> int:
    """Where the block that begins before `at` ends."""
    depth = 1
    for found in re.finditer(r"[{}]", css[at:]):
        depth += 1 if found[0] == "{" else -1
        if depth == 0:
            return at + found.end()
    return len(css)


# --- conditional comments --------------------------------------------------------------------------

WORD = 16
"""The version Outlook 2016 and later give for `mso`."""

_CONDITION = re.compile(
    r"<!--\[if (?P<shown>[^\]]*)\]><!-->(?P<here>.*?)<!--<!\[endif\]-->"  # others see it as well
    r"|<!--\[if (?P<hidden>[^\]]*)\]>(?P<there>.*?)<!\[endif\]-->",  # only the programs it names see it
    re.IGNORECASE | re.DOTALL,
)


def _branch(html: str) -> str:
    def one(found: re.Match[str]) -> str:
        condition, content = (found["shown"], found["here"]) if found["here"] is not None else found.group(3, 4)
        return content if _holds(condition) else ""

    return _CONDITION.sub(one, html)


def _holds(condition: str) -> bool:
    """Whether Word reads what stands under a condition such as `gte mso 9` or `(mso)|(IE)`."""
    return _any(iter([*re.findall(r"[()!&|]|[a-z]+|[\d.]+", condition.lower()), ""]))[0]


def _any(tokens: Iterator[str]) -> tuple[bool, str]:
    held, token = _all(tokens)
    while token == "|":  # noqa: S105 -- a sign, no secret
        other, token = _all(tokens)
        held = held or other
    return held, token


def _all(tokens: Iterator[str]) -> tuple[bool, str]:
    held, token = _one(tokens)
    while token == "&":  # noqa: S105
        other, token = _one(tokens)
        held = held and other
    return held, token


def _one(tokens: Iterator[str]) -> tuple[bool, str]:
    token = next(tokens, "")
    if token == "!":  # noqa: S105
        held, token = _one(tokens)
        return not held, token
    if token == "(":  # noqa: S105
        held, _ = _any(tokens)
        return held, next(tokens, "")
    how = token if token in _COMPARED else ""
    name = next(tokens, "") if how else token
    token = next(tokens, "")
    number = float(token) if re.fullmatch(r"\d+(\.\d+)?", token) else None
    known = name in {"mso", "vml", "true"}
    held = known and (number is None or name != "mso" or _COMPARED[how](WORD, number))
    return held, next(tokens, "") if number is not None else token


_COMPARED: dict[str, Callable[[float, float], bool]] = {
    "": lambda mine, theirs: mine == theirs,
    "gt": lambda mine, theirs: mine > theirs,
    "gte": lambda mine, theirs: mine >= theirs,
    "lt": lambda mine, theirs: mine < theirs,
    "lte": lambda mine, theirs: mine <= theirs,
}
