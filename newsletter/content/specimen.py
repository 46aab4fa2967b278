"""A theme on one page: its colours measured, and a letter with every kind of block, shown in every way.

In: a theme, the publication's root (its own templates and words are used). Out: one document without script,
which loads nothing; each letter stands in a frame of its own. For whoever changes a theme, and for our tests.
"""

from __future__ import annotations

import base64
import datetime as dt
import html
import io
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields
from pathlib import Path

from PIL import Image

from newsletter.content import blocks, facts, images, mjml, recolour, render, rows, templates
from newsletter.content.blocks import (
    Asset,
    Block,
    Button,
    Callout,
    Code,
    Emphasis,
    Heading,
    Link,
    Listing,
    MergeTag,
    Paragraph,
    Picture,
    Strike,
    Strong,
    Words,
)
from newsletter.content.colour import contrast
from newsletter.content.inline import pieces, text
from newsletter.content.rows import Look, Offer, Person
from newsletter.content.theme import PAIRS, Palette, Theme
from newsletter.content.words import words
from newsletter.core.email import fill
from newsletter.core.publication import Footer, Publication, Sender

_URL = "https://www.example.org/"


@dataclass(frozen=True)
class Pane:
    """One way to show the letter. `width` in px; `way` is the direction of writing."""

    label: str
    change: Callable[[str], str]
    width: int = 600
    way: str = "ltr"


def page(theme: Theme, root: Path | None) -> str:
    """The page. Raises: SettingsError for a template that cannot be used."""
    letters = {way: letter(theme, root, way) for way in ("ltr", "rtl")}
    shown = "\n".join(_figure(pane, pane.change(letters[pane.way])) for pane in PANES)
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>The theme {html.escape(theme.name)}</title><style>{_style(theme)}</style></head>\n<body><main>"
        f"<h1>The theme {html.escape(theme.name)}</h1>\n"
        f"<h2>Colours</h2>\n{_swatches(theme)}\n<h2>Contrast</h2>\n{_measured(theme)}\n"
        f'<h2>Every block</h2>\n<div class="panes">\n{shown}\n</div></main></body></html>\n'
    )


# --- ways to show it -------------------------------------------------------------------------------


def light(mail: str) -> str:
    """The light scheme, whatever the machine prefers."""
    return recolour.without_dark(mail)


def dark(mail: str) -> str:
    """The mail's own dark scheme, whatever the machine prefers."""
    always = re.sub(r"@media\s*\(prefers-color-scheme:\s*dark\)", "@media all", mail)
    return always.replace("color-scheme:light dark", "color-scheme:dark").replace(
        'content="light dark"', 'content="dark"'
    )


def without_pictures(mail: str) -> str:
    """No picture loads: the words that stand for it are read."""
    return re.sub(r'(<img [^>]*?src=")[^"]*', r"\1data:,", light(mail))


def without_styles(mail: str) -> str:
    """The style sheets taken out, as Gmail does when it dislikes a part of them."""
    return re.sub(r"<style\b.*?</style>", "", light(mail), flags=re.DOTALL)


PANES = (
    Pane("Light", light),
    Pane("Dark, its own colours", dark),
    Pane("On a phone", light, 375),
    Pane("On a phone, dark", dark, 375),
    Pane("The narrowest phone", light, 320),
    Pane("Lightness turned round by force", recolour.lightness),
    Pane("As Outlook on the web recolours", recolour.outlook),
    Pane("Lightness turned round in HSL", recolour.hsl),
    Pane("As a negative", recolour.invert),
    Pane("Pictures off", without_pictures),
    Pane("Pictures off, dark", lambda mail: without_pictures(dark(mail))),
    Pane("Without style sheets", without_styles),
    Pane("From right to left", light, 600, "rtl"),
    Pane("From right to left, on a phone", light, 375, "rtl"),
)


def _figure(pane: Pane, mail: str) -> str:
    label = html.escape(pane.label)
    return (
        f"<figure><figcaption>{label}</figcaption>"
        f'<iframe title="{label}" sandbox="allow-same-origin" width="{pane.width}" height="900"'
        f' srcdoc="{html.escape(mail)}"></iframe>'
        "</figure>"
    )


# --- the letter ------------------------------------------------------------------------------------


def letter(theme: Theme, root: Path | None, way: str = "ltr") -> str:
    """A letter with every block, as the HTML of a mail; its pictures are part of it."""
    sample = _SAMPLES[way]
    look = Look(
        theme=theme,
        dir=way,
        source=lambda picture: _source(picture, root),
        offers=lambda _key: Offer(sample.title, sample.sentence, ("PDF", "24 pages", "1.6 MB"), sample.button, _URL),
        people=lambda _key: Person(sample.name, sample.sentence, _URL, _drawn(theme, (96, 96))),
        words=words(sample.lang, root),
    )
    said = words(sample.lang, root)
    slots = {
        **render.head(sample.title, sample.sentence, look, {}),
        "masthead": pieces(
            render.masthead(
                sample.name, look, (said["mail.letter_number"].format(number=12), facts.day(dt.date(2026, 12, 1), said))
            )
        ),
        "body": pieces(
            (
                *rows.row(look, rows.title((text(sample.title),), look), above=32),
                *rows.rows(body(theme, sample), look, above=24),
            )
        ),
        "footer": pieces(
            render.footer(
                _publication(sample),
                look,
                said,
                before=(f"{text(sample.sentence)} {render.link(look, _URL, sample.button)}.",),
                links=[render.link(look, _URL, said["mail.privacy"])],
            )
        ),
    }
    shell = mjml.skeleton(templates.environment(root), "email/letter.mjml", lang=sample.lang, dir=way, theme=theme)
    return fill(pieces(shell.fill(slots)), {})


@dataclass(frozen=True)
class Sample:
    """The words of the specimen in one language."""

    lang: str
    name: str
    title: str
    heading: str
    sentence: str
    word: str
    button: str
    second: str
    note: str
    source: str
    caption: str


_SAMPLES = {
    "ltr": Sample(
        lang="en",
        name="A Small Publication",
        title="Every kind of block, once",
        heading="A heading of the second level",
        sentence="A sentence of common length shows how many words stand on a line before the eye turns back.",
        word="a word",
        button="Say what happens",
        second="Or take the second choice",
        note="Note",
        source="A Name, A Book",
        caption="A caption says what the picture does not.",
    ),
    "rtl": Sample(
        lang="ar",
        name="نشرة صغيرة",
        title="كل أنواع الفقرات مرة واحدة",
        heading="عنوان من المستوى الثاني",
        sentence="هذه جملة متوسطة الطول تبيّن كم كلمة تقف على السطر قبل أن تعود العين إلى بدايته.",
        word="كلمة",
        button="اقرأ المزيد",
        second="أو اختر غير ذلك",
        note="ملاحظة",
        source="اسم، كتاب",
        caption="شرح الصورة يقول ما لا تقوله.",
    ),
}


def _said(*parts: blocks.Inline | str) -> Paragraph:
    return Paragraph(tuple(Words(part) if isinstance(part, str) else part for part in parts))


def body(theme: Theme, sample: Sample) -> tuple[Block, ...]:
    """Every kind of block that a letter can show."""
    plain, word = _said(sample.sentence), (Words(sample.word),)
    wide, small = _drawn(theme, (600, 260), sample.caption), _drawn(theme, (24, 24), sample.word)
    link = Link((_URL,), word)
    return (
        blocks.Contents((("part-1", (Words(sample.heading),)),)),
        _said(
            sample.sentence, " ", Strong(word), ", ", Emphasis(word), ", ", Strike(word), ", ", Code("code"), ", ", link
        ),
        _said(MergeTag("first_name", sample.name), blocks.Break(), f"{sample.sentence} ", small),
        Heading(2, "🌱", (Words(sample.heading),), anchor="part-1"),
        plain,
        Heading(3, "", (Words(sample.heading),)),
        Listing(ordered=False, items=((plain,), (plain, Listing(ordered=True, items=((plain,), (_said(link),)))))),
        blocks.Quote((plain,), (Words(sample.source),)),
        blocks.Image(wide, sample.caption, _URL),
        Callout("note", sample.note, (plain, Listing(ordered=False, items=((_said(link),), (plain,))))),
        blocks.Card((Heading(3, "", (Words(sample.heading),)), plain, Button((_URL,), (Words(sample.button),)))),
        blocks.Columns(((blocks.Image(wide), plain), (blocks.Image(wide), plain))),
        blocks.Table(
            (word, word, word), ((word, (Words("1.20"),), (link,)), (word, (Words("24"),), word)), ("start", "end")
        ),
        blocks.Divider(),
        blocks.CodeBlock("first_name = {{ first_name }}\nprint(first_name)  # " + "a long line " * 8),
        blocks.Poll("poll", (plain,), (word, (Words(sample.button),)), urls=(_URL, _URL)),
        Button((_URL,), (Words(sample.button),)),
        Button((_URL,), (Words(sample.second),), secondary=True),
        blocks.AuthorCard("author"),
        blocks.MagnetCard("magnet"),
        blocks.Aside((Words(f"{sample.sentence} "), link)),
    )


def _drawn(theme: Theme, size: tuple[int, int], alt: str = "") -> Picture:
    """A picture of the theme's own colours, as a `data:` address."""
    drawn = Image.new("RGB", size, theme.light.tint)
    wide, high = size
    drawn.paste(theme.light.link, (0, high * 2 // 3, wide, high))
    drawn.paste(theme.light.mark, (wide // 8, high // 4, wide // 8 + max(3, wide // 50), high * 2 // 3))
    out = io.BytesIO()
    drawn.save(out, "PNG", optimize=True)
    return Picture(_data(out.getvalue(), "png"), alt, Asset("", "", *size, len(out.getvalue())))


def _source(picture: Picture, root: Path | None) -> str:
    """A picture as part of the page: the logo is the only one that is a file."""
    file = images.served(root, picture.asset.name) if root and picture.asset and picture.asset.name else None
    return _data(file.read_bytes(), file.suffix.lstrip(".")) if file else picture.src


def _data(content: bytes, kind: str) -> str:
    media = {"jpg": "jpeg"}.get(kind, kind)
    return f"data:image/{media};base64,{base64.b64encode(content).decode()}"


def _publication(sample: Sample) -> Publication:
    foot = Footer("1 Long Road, Smalltown 12345", "555 0100", "letters@example.org", _URL, sample.sentence)
    return Publication(name=sample.name, senders={"us": Sender(sample.name, "letters@example.org")}, footer=foot)


# --- colours ---------------------------------------------------------------------------------------


def _swatches(theme: Theme) -> str:
    rows_ = (
        f"<tr><th scope=row>{field.name.replace('_', ' ')}</th>{_swatch(theme.light, field.name)}"
        f"{_swatch(theme.dark, field.name)}</tr>"
        for field in fields(Palette)
    )
    return f"<table><tr><td></td><th scope=col>Light<th scope=col>Dark</tr>{''.join(rows_)}</table>"


def _swatch(palette: Palette, token: str) -> str:
    hue = getattr(palette, token)
    edge = palette.box
    return f'<td><span class="swatch" style="background:{hue};border-color:{edge}"></span> {hue}</td>'


def _measured(theme: Theme) -> str:
    """Every pair: as designed in both schemes, and the light one under each recolouring."""
    heads = "".join(f"<th scope=col>{name}</th>" for name in ("asks", "light", "dark", *_names()))
    lines = "".join(
        f"<tr><th scope=row>{front} on {ground}</th><td>{bound}</td>"
        + "".join(f"<td>{ratio:.1f}</td>" for ratio in _ratios(theme, front, ground))
        + "</tr>"
        for front, ground, bound in PAIRS
    )
    return f'<div class="wide" tabindex="0"><table><tr><td></td>{heads}</tr>{lines}</table></div>'.replace("_", " ")


def _names() -> Iterator[str]:
    return (how.name for how in recolour.RECOLOURINGS)


def _ratios(theme: Theme, front: str, ground: str) -> Iterator[float]:
    for palette in (theme.light, theme.dark):
        yield contrast(getattr(palette, front), getattr(palette, ground))
    one, under = getattr(theme.light, front), getattr(theme.light, ground)
    for how in recolour.RECOLOURINGS:
        new = how.ground(under)
        made = (
            how.ground(one) if front == "mark" else how.border(one) if front in {"edge", "box"} else how.text(one, new)
        )
        yield contrast(made, new)


def _style(theme: Theme) -> str:
    small, h1, h2 = theme.type.small, theme.type.title, theme.type.h2
    return (
        f"{theme.variables()}*{{box-sizing:border-box}}"
        f"body{{margin:0;padding:40px 24px;background:var(--paper);color:var(--ink);"
        f"font:{small[0]}px/{small[1]}px var(--sans)}}"
        f"h1,h2{{font-family:var(--serif);font-weight:400}}h1{{font-size:{h1[0]}px;line-height:{h1[1]}px;margin:0}}"
        f"h2{{font-size:{h2[0]}px;line-height:{h2[1]}px;margin:40px 0 12px}}"
        "table{border-collapse:collapse;font-variant-numeric:tabular-nums}"
        "th,td{padding:4px 16px 4px 0;text-align:start;font-weight:400;white-space:nowrap}"
        ".wide{max-width:100%;overflow-x:auto}"
        ".swatch{display:inline-block;width:48px;height:24px;vertical-align:middle;border:1px solid}"
        ".panes{display:flex;flex-wrap:wrap;gap:40px 24px;align-items:flex-start}"
        "figure{margin:0;max-width:100%}figcaption{margin:0 0 8px;color:var(--soft)}"
        "iframe{box-sizing:content-box;max-width:100%;border:1px solid var(--box);background:var(--field)}"
        "@media (max-width:640px){th,td{padding-inline-end:8px}.swatch{width:24px}}"
    )
