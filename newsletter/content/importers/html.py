"""HTML as pieces: exports of Google Docs, Word and Mailchimp, and any other page.

In: the text of the file, and a way to read a picture that lies beside it. Out: the stream. A whitelist:
what is not understood gives its words and nothing else. Scripts never run, nothing is fetched.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import ClassVar

from selectolax.lexbor import LexborHTMLParser, LexborNode

from newsletter.content.importers import css, links, signs, txt
from newsletter.content.importers.report import shortened
from newsletter.content.importers.stream import (
    Attached,
    Kind,
    Piece,
    Rich,
    Run,
    Source,
    all_bold,
    joined,
    judge_size,
    merged,
    plain,
    stripped,
)
from newsletter.errors import NewsletterError

DEEPEST = 200  # three calls each, and Python allows a thousand
_COMMENT = 3000  # characters
_HOME = 3  # slashes of an address that leads to a home page, at most
Beside = Callable[[str], bytes | None]

_BLOCK_TAGS = (
    "address article aside body center dd details div dl dt fieldset figcaption figure footer form header "
    "html main nav p section summary caption tbody thead tfoot tr td th"
)
_BLOCKS = frozenset(_BLOCK_TAGS.split())
_SILENT_TAGS = (
    "script style head title template noscript svg math iframe object embed select option button input textarea xml"
)
_NEVER = frozenset(_SILENT_TAGS.split())
_BOLD, _ITALIC, _STRIKE, _CODE = (
    {"b", "strong"},
    {"i", "em", "cite", "dfn", "var"},
    {"s", "strike", "del"},
    {"code", "kbd", "samp", "tt"},
)
_DROPPED_IDS = re.compile(r"template(?:Pre)?header|canspamBar\w*|awesomewrap", re.IGNORECASE)
_FOOTER_IDS = re.compile(r"templateFooter|footer(?:Container|Content)?", re.IGNORECASE)
_DROPPED = re.compile(
    r"mcnFollow\w*|mcnShare\w*|mcnPreviewText|mceSocial\w*|subscription-widget\S*|share-dialog\S*|"
    r"MsoCommentText|MsoCommentReference|msocomtxt",
    re.IGNORECASE,
)
_FOOTER = re.compile(r"mceFooterSection|footerContainer|templateFooter|kg-footer|email-footer|MsoFooter", re.IGNORECASE)
_BUTTONS = re.compile(
    r"mcnButton(?!Block|Content)|mceButton\w*|kg-btn|(?:^|[\w-]*[-_])(?:button|btn)(?:[-_]\w+)*", re.IGNORECASE
)
_SKIP = re.compile(
    r"(?:skip|jump) to (?:the )?(?:main )?content|zum inhalt(?: springen)?|aller au contenu|saltar al contenido",
    re.IGNORECASE,
)
_SHARE = re.compile(r"[?&]action=share\b")
_NOTE = re.compile(r"(?:(?:foot|end|cite_)?note|fn|ftn|edn)[-_:]?\d+")
_FILLER = re.compile("[\u034f\u200c\u200d\u200e\u200b\u00ad\u2007\u2060\u00a0\ufeff\\s]+")
_CJK = "[\u3000-\u30ff\u3400-\u9fff\uff00-\uffef]"
_WORD_LEVEL = re.compile(r"mso-list:\s*l(?P<list>\d+)\s+level(?P<level>\d+)", re.IGNORECASE)
_KIX = re.compile(r"lst-(?P<list>kix_[\w-]+?)-(?P<level>\d+)(?:\s|$)")
_SIZE = re.compile(r"(\d+(?:\.\d+)?)(px|pt)")
_PICTURES = {"image/png": "png", "image/jpeg": "jpg", "image/gif": "gif", "image/webp": "webp"}


@dataclass(frozen=True)
class _Look:
    """The marks that hold where the walk stands."""

    bold: bool = False
    italic: bool = False
    strike: bool = False
    code: bool = False
    href: str = ""
    size: float = 0
    quiet: bool = False  # within a heading: its own weight says nothing


@dataclass
class _List:
    """An open list."""

    ordered: bool
    level: int
    group: int
    number: int


@dataclass
class _State:
    """What has been read so far."""

    pieces: list[Piece] = field(default_factory=list)
    runs: list[Run] = field(default_factory=list)
    title: str = ""
    preheader: str = ""
    footer: list[str] = field(default_factory=list)
    files: list[Attached] = field(default_factory=list)
    notes: list[tuple[int, str]] = field(default_factory=list)
    groups: int = 0
    gap: bool = False


def read(text: str, beside: Beside = lambda _name: None) -> Source:
    """Read a page. Raises: NewsletterError when it goes too deep."""
    return _Walker(text, beside).read()


def pieces(text: str) -> list[Piece]:
    """The pieces of a fragment."""
    return list(read(text).pieces)


class _Walker:
    """A page being walked through."""

    def __init__(self, text: str, beside: Beside) -> None:
        parser = LexborHTMLParser(re.sub(r"<!\[(?:if|endif)[^\]>]*\]>|<\?xml[^>]*>", "", text))
        self.root = parser.root
        self.main = _main(parser)
        self.mailchimp = bool(re.search(r"mcnTextBlock|templateBody|mceText|\*\|MC:", text))
        sheet = "\n".join(node.text() for node in parser.css("style"))
        self.classes = css.classes(sheet)
        self.page_title = " ".join((node.text() if (node := parser.css_first("title")) else "").split())
        self.beside = beside
        self.state = _State()
        self.lists: list[_List] = []
        self.kix = ""
        self.depth = 0
        self.letters = 0
        self.in_item = False
        self.style = ""
        self.open_item: tuple[_List, int] | None = None
        self.typed_list: tuple[str, int] = ("", 0)

    def read(self) -> Source:
        """The whole page."""
        state = self.state
        if self.root is not None:
            self._walk(self.root, _Look())
        self._flush()
        front = self._mail_head()
        return Source(
            tuple(state.pieces),
            title=state.title or self._mailed(),
            called="" if self.mailchimp or "*|" in self.page_title else self.page_title,
            front=front,
            preheader=state.preheader,
            footer=tuple(state.footer),
            files=tuple(state.files),
            notes=tuple(state.notes),
            dense=not any(piece.gap for piece in state.pieces[1:]),
        )

    def _mail_head(self) -> dict[str, str]:
        """`From: ...`, `Subject: ...` at the top of a mail that was saved: what they say, the lines taken out."""
        most = 8
        lines = [piece.text if piece.kind is Kind.TEXT else "" for piece in self.state.pieces[:most]]
        front, _, taken = txt.headers(lines)
        del self.state.pieces[:taken]
        return front

    def _mailed(self) -> str:
        """What a mail of Mailchimp is called: nothing when a heading begins it. Its logo is left out on the way."""
        pieces = self.state.pieces
        if not self.mailchimp:
            return ""
        first = next(
            (
                at
                for at, piece in enumerate(pieces)
                if piece.kind is not Kind.PICTURE and not signs.is_boilerplate(piece.text)
            ),
            len(pieces),
        )
        for at in range(first - 1, -1, -1):
            if pieces[at].kind is Kind.PICTURE and pieces[at].rich[0].href.count("/") <= _HOME:
                self.state.notes.append((0, f'left out the picture at the top ("{pieces[at].text}")'))
                del pieces[at]
        first = next((at for at, piece in enumerate(pieces) if not signs.is_boilerplate(piece.text)), 0)
        headed = first < len(pieces) and pieces[first].kind is Kind.HEADING
        return "" if headed or re.search(r"\*\|", self.page_title) else self.page_title

    # --- the walk ---

    def _walk(self, node: LexborNode, look: _Look) -> None:
        self.depth += 1
        if self.depth > DEEPEST:
            raise NewsletterError(
                "This page has too many things inside each other to be a letter.", "Copy its text into a new document."
            )
        child = node.first_child
        while child is not None:
            self._node(child, look)
            child = child.next
        self.depth -= 1

    def _node(self, node: LexborNode, look: _Look) -> None:
        tag = node.tag or ""
        if tag == "-text":
            self._words(node.text_content or "", look)
            return
        if tag in _NEVER or tag.startswith(("!", "-", "_")):
            return
        style = self._style(node)
        kind = str((node.attributes or {}).get("class") or "")
        if self._set_aside(node, tag, style, kind):
            return
        maker = self.makers.get(tag)
        if maker is not None:
            maker(self, node, look, style, kind)
        elif tag in _BLOCKS:
            self._block(node, tag, self._looked(tag, look, style), kind)
        else:
            self._walk(node, self._looked(tag, look, style))

    def _style(self, node: LexborNode) -> dict[str, str]:
        attributes = node.attributes or {}
        style: dict[str, str] = {}
        for name in (attributes.get("class") or "").split():
            style.update(self.classes.get(name, {}))
        style.update(css.declarations(attributes.get("style") or ""))
        return style

    def _set_aside(self, node: LexborNode, tag: str, style: Mapping[str, str], kind: str) -> bool:
        """What is not the letter itself: hidden lines, headers and footers of a mail program, comments."""
        attributes = node.attributes or {}
        if "hidden" in attributes or css.is_hidden(style) or "mcnPreviewText" in kind:
            text = _FILLER.sub(" ", node.text()).strip()
            few = 10
            if len(text) >= few and not self.state.preheader and not text.startswith("*|") and tag != "img":
                self.state.preheader = text
            return True
        name = str(attributes.get("id") or "")
        if _FOOTER.search(kind) or _FOOTER_IDS.fullmatch(name):
            self._aside(node)
            return True
        if self._is_around(node, tag):
            return True
        if (
            name.lower() == "templatepreheader"
            or _DROPPED.fullmatch(kind.strip())
            or any(_DROPPED.fullmatch(one) for one in kind.split())
        ):
            return True
        if _DROPPED_IDS.fullmatch(name):
            for picture in node.css("img"):
                picture.decompose()
        comment = node.css_first("a[href^='#cmnt_ref']") if tag == "div" else None
        return comment is not None and len(node.text()) < _COMMENT

    def _is_around(self, node: LexborNode, tag: str) -> bool:
        """What a page puts around its text: menus, and all beside the one part that it calls its main one."""
        beside = self.main is not None and tag in {"header", "aside", "footer"} and not _holds(self.main, node)
        skip = tag == "a" and bool(_SKIP.fullmatch(node.text().strip()))
        if not (beside or skip or tag == "nav"):
            return False
        title = node.css_first("h1") if beside and tag == "header" else None
        if title is not None and not self.state.title:
            self.state.title = " ".join(title.text().split())
        if beside and tag == "footer":
            self._aside(node)
        if words := " ".join(node.text(separator=" ").split()):
            self.state.notes.append((0, f'left out what the page puts around its text ("{shortened(words)}")'))
        return True

    def _aside(self, node: LexborNode) -> None:
        """A footer that the format marks: its lines, for the contact facts."""
        text = re.sub(r"(?i)<br\s*/?>|</(?:p|div|td|tr|h\d|li)>", "\n", node.html or "")
        bare = LexborHTMLParser(text).text()
        self.state.footer += [line for one in bare.split("\n") if (line := " ".join(one.split()))]

    def _looked(self, tag: str, look: _Look, style: Mapping[str, str]) -> _Look:
        bold, italic = css.is_bold(style), css.is_italic(style)
        size = _size(style.get("font-size", ""))
        return replace(
            look,
            bold=(bold if bold is not None else look.bold or tag in _BOLD) and not look.quiet,
            italic=italic if italic is not None else look.italic or tag in _ITALIC,
            strike=look.strike or tag in _STRIKE or css.is_struck(style),
            code=look.code or tag in _CODE,
            size=size or look.size,
        )

    # --- words ---

    def _words(self, text: str, look: _Look) -> None:
        flat = re.sub(rf"(?<={_CJK})[ \t]*\r?\n\s*(?={_CJK})", "", text)
        flat = re.sub(r"[ \t\r\n\f\u00a0]+", " ", flat)
        if not flat:
            return
        self.letters += len(flat)
        judge_size(self.letters, len(self.state.pieces))
        big = 20
        self.state.runs.append(
            Run(
                flat,
                bold=(look.bold or (look.size >= big and not look.quiet)) and bool(flat.strip()),
                italic=look.italic and bool(flat.strip()),
                strike=look.strike,
                code=look.code and bool(flat.strip()),
                href=look.href,
            )
        )

    def _taken(self) -> list[Rich]:
        """The words gathered so far, by lines."""
        runs = _squeezed(self.state.runs)
        self.state.runs = []
        lines: list[list[Run]] = [[]]
        for one in runs:
            for at, part in enumerate(one.text.split("\n")) if not one.src else [(0, one.text)]:
                if at:
                    lines.append([])
                if part or one.src:
                    lines[-1].append(replace(one, text=part))
        return [
            line for one in lines if (line := stripped(merged(one)) if not any(run.src for run in one) else tuple(one))
        ]

    def _flush(self) -> None:
        """End a paragraph."""
        if self.in_item:
            self._item_words()
            return
        for at, line in enumerate(self._taken()):
            if all(one.src for one in line):
                self._add(Piece(Kind.PICTURE, line, sure=True))
            else:
                self._add(Piece(Kind.TEXT, line, style=self.style or ("line" if at else "p")))

    def _add(self, piece: Piece) -> None:
        self.state.pieces.append(replace(piece, gap=self.state.gap))
        self.state.gap = False

    # --- blocks ---

    def _block(self, node: LexborNode, tag: str, look: _Look, kind: str) -> None:
        self._flush()
        if tag == "p" and self._listed_by_word(node, look, kind):
            return
        names = kind.split()
        if "footnote" in names and (mark := node.css_first("a[href^='#']")) and mark.text().strip().isdigit():
            self._footnote(node, look, int(mark.text()))
            return
        if "MsoTitle" in names or ("title" in names and tag == "p"):
            self._titled(node)
            return
        if any(name.startswith(("MsoQuote", "MsoIntenseQuote")) for name in names):
            self._quote(node, look, {}, kind)
            return
        if re.match(r"MsoHeading(\d)", kind):
            self._heading(node, look, {}, kind)
            return
        before, self.style = self.style, _named(tag, names) or self.style
        count = len(self.state.pieces)
        self._walk(node, replace(look, quiet=True, bold=False) if self.style and not before else look)
        self._flush()
        self.style = before
        if tag == "p" and len(self.state.pieces) == count and not self.in_item:
            self.state.gap = bool(self.state.pieces)

    def _titled(self, node: LexborNode) -> None:
        self._walk(node, _Look(quiet=True))
        lines = self._taken()
        if not self.state.title and not self.state.pieces:
            self.state.title = " ".join(plain(line) for line in lines)
        else:
            for line in lines:
                self._add(Piece(Kind.HEADING, line, level=1, sure=True))

    def _heading(self, node: LexborNode, look: _Look, _style: Mapping[str, str], kind: str) -> None:
        self._flush()
        self._walk(node, replace(look, quiet=True, bold=False))
        lines = self._taken()
        found = re.search(r"\d", (node.tag or "") + kind)
        level = int(found.group()) if found else 2
        if self.in_item:
            for line in lines:
                self._add(Piece(Kind.TEXT, line, of_item=True))
            return
        pictures = [line for line in lines if all(one.src for one in line)]
        for line in pictures:
            self._add(Piece(Kind.PICTURE, line, sure=True))
        words = joined([line for line in lines if line not in pictures], " ")
        if words and "subtitle" in kind.split():
            self._subtitled(words)
        elif words:
            self._add(Piece(Kind.HEADING, words, level=level, sure=True))

    def _subtitled(self, words: Rich) -> None:
        """A heading that says of itself that it goes with the title."""
        if self.state.preheader:
            self._add(Piece(Kind.TEXT, words, style="subtitle"))
        self.state.preheader = self.state.preheader or plain(words)

    def _list(self, node: LexborNode, look: _Look, _style: Mapping[str, str], kind: str) -> None:
        self._flush()
        attributes = node.attributes or {}
        ordered = node.tag == "ol"
        start = str(attributes.get("start") or "1")
        number = int(start) if re.fullmatch(r"\d{1,4}", start) else 1
        level = len(self.lists)
        google = _KIX.search(kind)
        if google:
            level = int(google["level"])
            group = self._google_group(google["list"], level)
        elif self.lists:
            group = self.lists[-1].group
        else:
            self.state.groups += 1
            group = self.state.groups
        self.lists.append(_List(ordered, level, group, number))
        outer, self.in_item = self.in_item, False
        self._walk(node, look)
        self._flush()
        self.in_item = outer
        self.lists.pop()

    def _google_group(self, name: str, level: int) -> int:
        """Nested lists of Google Docs stand beside each other: the list goes on while nothing is between."""
        last = self.state.pieces[-1] if self.state.pieces else None
        if last and last.kind is Kind.ITEM and (level or last.level or self.kix == name):
            self.kix = name
            return last.group
        self.kix = name
        self.state.groups += 1
        return self.state.groups

    def _item(self, node: LexborNode, look: _Look, style: Mapping[str, str], _kind: str) -> None:
        name = str((node.attributes or {}).get("id") or "")
        if _NOTE.fullmatch(name):
            here = self.lists[-1] if self.lists else _List(ordered=True, level=0, group=0, number=1)
            self._footnote(node, look, here.number)
            here.number += 1
            return
        if not self.lists:
            self._block(node, "div", look, "")
            return
        self._flush()
        outer, self.in_item = self.in_item, True
        here = self.lists[-1]
        said = str((node.attributes or {}).get("value") or "")
        here.number = int(said) if re.fullmatch(r"\d{1,4}", said) else here.number
        open_, self.open_item = self.open_item, (here, len(self.state.pieces))
        self._walk(node, self._looked("li", look, style))
        self._item_words()
        here.number += 1
        self.in_item, self.open_item = outer, open_

    def _item_words(self) -> None:
        """The words of an item up to its first block: the item itself; after it, paragraphs of it."""
        lines = self._taken()
        if not lines or self.open_item is None:
            return
        here, count = self.open_item
        begun = any(piece.kind is Kind.ITEM for piece in self.state.pieces[count:])
        words = joined(lines, "\n")
        if begun:
            self._add(Piece(Kind.TEXT, words, of_item=True, level=here.level))
            return
        self._add(
            Piece(
                Kind.ITEM,
                words,
                level=here.level,
                ordered=here.ordered,
                number=here.number,
                group=here.group,
                sure=True,
            )
        )

    def _footnote(self, node: LexborNode, look: _Look, number: int) -> None:
        """A note under the text, with the number its mark has."""
        self._flush()
        outer, self.state.pieces = self.state.pieces, []
        in_item, self.in_item = self.in_item, False
        for back in node.css("a[href^='#']"):
            back.decompose()
        self._walk(node, look)
        self._flush()
        inside, self.state.pieces = self.state.pieces, outer
        self.in_item = in_item
        words = joined([piece.rich for piece in inside if piece.rich], " ")
        self._add(Piece(Kind.TEXT, (Run(f"[{number}] "), *words), style="p"))

    def _listed_by_word(self, node: LexborNode, look: _Look, kind: str) -> bool:
        """A paragraph that Word shows as an item: the marker is typed into it, and hidden from us."""
        said = _WORD_LEVEL.search(str((node.attributes or {}).get("style") or ""))
        if said is None or "MsoHeading" in kind:
            return False
        marker = ""
        for span in node.css("span"):
            if "mso-list:ignore" in re.sub(r"\s", "", str((span.attributes or {}).get("style") or "")).lower():
                marker = marker or span.text().strip()
                span.decompose()
        ordered = bool(re.match(r"\(?[0-9A-Za-z]{1,4}[.)]", marker))
        level = int(said["level"]) - 1
        name = said["list"]
        last = self.state.pieces[-1] if self.state.pieces else None
        if not (last and last.kind is Kind.ITEM and self.typed_list[0] and (self.typed_list[0] == name or level)):
            self.state.groups += 1
            self.typed_list = (name, self.state.groups)
        number = re.match(r"\(?(\d+)", marker)
        self._walk(node, look)
        words = joined(self._taken(), "\n")
        if words:
            self._add(
                Piece(
                    Kind.ITEM,
                    words,
                    level=level,
                    ordered=ordered,
                    number=int(number[1]) if number else 1,
                    group=self.typed_list[1],
                    sure=True,
                )
            )
        return True

    def _quote(self, node: LexborNode, look: _Look, _style: Mapping[str, str], _kind: str) -> None:
        self._flush()
        outer, self.state.pieces = self.state.pieces, []
        lists, self.lists = self.lists, []
        in_item, self.in_item = self.in_item, False
        self._walk(node, replace(look, italic=False) if node.tag == "p" else look)
        self._flush()
        inside, self.state.pieces = self.state.pieces, outer
        self.lists, self.in_item = lists, in_item
        parts = [piece.rich for piece in inside if piece.rich]
        last = self.state.pieces[-1] if self.state.pieces else None
        if not parts:
            return
        if last and last.kind is Kind.QUOTE and last.style == _kind and "Quote" in _kind:
            self.state.pieces[-1] = replace(last, rich=joined([last.rich, *parts], "\n"))
        else:
            self._add(Piece(Kind.QUOTE, joined(parts, "\n"), sure=True, style=_kind))

    def _rule(self, _node: LexborNode, _look: _Look, _style: Mapping[str, str], _kind: str) -> None:
        self._flush()
        self._add(Piece(Kind.RULE, sure=True))

    def _break(self, _node: LexborNode, look: _Look, _style: Mapping[str, str], _kind: str) -> None:
        self.state.runs.append(Run("\n", href=look.href))

    def _preformatted(self, node: LexborNode, _look: _Look, _style: Mapping[str, str], _kind: str) -> None:
        self._flush()
        text = node.text().strip("\n")
        if text.strip():
            self._add(Piece(Kind.CODE, (Run(text),), sure=True))

    def _table(self, node: LexborNode, look: _Look, style: Mapping[str, str], kind: str) -> None:
        rows = [] if self.in_item else _rows(node)
        if not rows or self._is_layout(node, rows, kind):
            self._block(node, "div", self._looked("div", look, style), "")
            return
        self._flush()
        cells = tuple(tuple(self._cell(cell, look) for cell in row) for row in rows)
        filled = tuple(row for row in cells if any(row))
        if filled and all(all_bold(cell) for cell in filled[0] if cell):  # a head is bold by itself
            filled = (tuple(tuple(replace(one, bold=False) for one in cell) for cell in filled[0]), *filled[1:])
        if filled:
            self._add(Piece(Kind.TABLE, rows=filled, sure=True))

    def _cell(self, node: LexborNode, look: _Look) -> Rich:
        outer, self.state.pieces = self.state.pieces, []
        self._walk(node, replace(look, quiet=node.tag == "th", bold=False))
        self._flush()
        inside, self.state.pieces = self.state.pieces, outer
        return joined((piece.rich for piece in inside if piece.rich), " ")

    def _is_layout(self, node: LexborNode, rows: list[list[LexborNode]], kind: str) -> bool:
        attributes = node.attributes or {}
        if attributes.get("role") == "presentation" or re.search(r"mcn|mce", kind):
            return True
        if (
            node.css_first("table table, td h1, td h2, td h3, td ul, td ol, td blockquote, td hr") is not None
            and len(node.css("th")) == 0
        ):
            return True
        few, long = 2, 300
        if max(len(row) for row in rows) < few or len(rows) < few:
            return True
        return any(len(cell.css("p, div")) > few + 1 or len(cell.text()) > long for row in rows for cell in row)

    def _anchor(self, node: LexborNode, look: _Look, style: Mapping[str, str], kind: str) -> None:
        href = links.unwrapped(str((node.attributes or {}).get("href") or ""))
        if re.match(r"#(?:cmnt|_msocom)", href):
            return
        fine = bool(re.match(r"(?:https?://|mailto:|tel:)[^\s]", href, re.IGNORECASE)) or href.startswith("*|")
        shown = node.text().strip()
        if href.startswith("#") and (mark := shown.strip(" []")).isdigit():  # a footnote's
            self.state.runs.append(Run(f"[{mark}]"))
            return
        styled = self._looked("a", look, style)
        if re.match(r"\*\|(?:ARCHIVE|UNSUB|UPDATE_PROFILE|FORWARD)", href):
            fine = False
        if _SHARE.search(href):
            return
        button = (
            any(_BUTTONS.fullmatch(name) for name in kind.split())
            or (node.attributes or {}).get("role") == "button"
            or _looks_pressed(style)
        )
        if button and fine and shown and not "".join(one.text for one in self.state.runs).strip() and not self.in_item:
            self._flush()
            self._walk(node, replace(styled, href=href, bold=False, quiet=True))
            words = joined(self._taken(), " ")
            self._add(Piece(Kind.BUTTON, words, sure=True))
            return
        self._walk(node, replace(styled, href=href if fine else ""))

    def _picture(self, node: LexborNode, look: _Look, style: Mapping[str, str], _kind: str) -> None:
        attributes = {name: str(value or "") for name, value in (node.attributes or {}).items()}
        width, height = (_number(attributes.get(side, "") or style.get(side, "")) for side in ("width", "height"))
        small = 3
        if (width is not None and width < small) or (height is not None and height < small):
            return
        alt = " ".join(attributes.get("alt", "").split())
        src = self._file(attributes.get("src", ""))
        if not src:
            if alt or attributes.get("src"):
                called = f' ("{alt}")' if alt else ""
                self.state.notes.append((0, f"a picture could not be taken along{called}"))
            return
        self.state.runs.append(Run(alt, src=src, href=look.href))

    def _file(self, src: str) -> str:
        """Where a picture will be found: an https address as it is, a file under the name it is given here."""
        if re.match(r"https?://", src, re.IGNORECASE):
            return re.sub(r"^http:", "https:", src, flags=re.IGNORECASE)
        if inside := re.match(r"data:(image/[\w+.-]+);base64,", src):
            try:
                content = base64.b64decode(src[inside.end() :], validate=False)
            except (binascii.Error, ValueError):
                return ""
            return self._attached(content, _PICTURES.get(inside[1], ""))
        if not src or re.match(r"[a-z][a-z0-9+.-]*:|//", src, re.IGNORECASE):
            return ""
        found = self.beside(src)
        ending = src.rpartition(".")[2].lower()
        return self._attached(found, "jpg" if ending == "jpeg" else ending) if found else ""

    def _attached(self, content: bytes, ending: str) -> str:
        if ending not in {"png", "jpg", "gif", "webp"} or not content:
            return ""
        name = f"picture-{len(self.state.files) + 1}.{ending}"
        self.state.files.append(Attached(name, content))
        return name

    makers: ClassVar = {
        **dict.fromkeys(("h1", "h2", "h3", "h4", "h5", "h6"), _heading),
        **dict.fromkeys(("ul", "ol", "menu", "dir"), _list),
        "li": _item,
        "blockquote": _quote,
        "hr": _rule,
        "br": _break,
        "pre": _preformatted,
        "table": _table,
        "a": _anchor,
        "img": _picture,
    }


def _named(tag: str, names: list[str]) -> str:
    """The style of a paragraph by its element or class: never a heading, however bold it is."""
    if {"subtitle", "MsoSubtitle"} & set(names):
        return "subtitle"
    return "caption" if tag == "figcaption" or {"caption", "MsoCaption"} & set(names) else ""


def _looks_pressed(style: Mapping[str, str]) -> bool:
    """Whether a link is drawn as a box of its own, as buttons in mails are."""
    boxed = style.get("display", "") in {"inline-block", "block"}
    return boxed and any(name.startswith("padding") and value[:1] not in {"", "0"} for name, value in style.items())


def _main(parser: LexborHTMLParser) -> LexborNode | None:
    """The part a page calls its main one, when there is one such part and words are in it."""
    for name in ("main", "article"):
        found = parser.css(name)
        if len(found) == 1 and found[0].text().strip():
            return found[0]
    return None


def _holds(whole: LexborNode, part: LexborNode) -> bool:
    """Whether a part lies within another."""
    up: LexborNode | None = part
    while up is not None and up.mem_id != whole.mem_id:
        up = up.parent
    return up is not None


def _rows(table: LexborNode) -> list[list[LexborNode]]:
    """The cells of a table's own rows, not of tables within it."""
    rows: list[list[LexborNode]] = []
    for part in _children(table, {"thead", "tbody", "tfoot", "tr"}):
        inside = [part] if part.tag == "tr" else list(_children(part, {"tr"}))
        rows += [list(_children(row, {"td", "th"})) for row in inside]
    return [row for row in rows if row]


def _children(node: LexborNode, tags: set[str]) -> Iterator[LexborNode]:
    child = node.first_child
    while child is not None:
        if child.tag in tags:
            yield child
        child = child.next


def _squeezed(runs: list[Run]) -> list[Run]:
    """Blanks as a browser shows them: one between words, none at line ends."""
    whole: list[Run] = []
    open_ = True  # a blank here would stand at the beginning of a line
    for one in runs:
        text = one.text
        if one.src:
            whole.append(one)
            open_ = False
            continue
        if open_:
            text = text.lstrip(" ")
        text = re.sub(r" *\n *", "\n", re.sub(r" {2,}", " ", text))
        if text:
            open_ = text[-1] in " \n"
            whole.append(replace(one, text=text))
    return whole


def _size(text: str) -> float:
    """A font size in pixels; 0 when it is none."""
    found = _SIZE.match(text)
    return float(found[1]) * (4 / 3 if found[2] == "pt" else 1) if found else 0


def _number(text: str) -> float | None:
    found = re.match(r"\d+(?:\.\d+)?", text)
    return float(found.group()) if found and not text.endswith("%") else None
