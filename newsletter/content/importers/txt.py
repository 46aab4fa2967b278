"""Plain text as pieces: what its lines say about themselves, before anything is judged.

In: decoded text. Out: the stream, with the explicit marks of plain text read (bullets, numbers, `#`,
underlines, `>`, rules, columns, code), wrapped lines joined, and whether blank lines mean anything.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise

from newsletter.content.graphemes import leading_emoji, width
from newsletter.content.importers import signs
from newsletter.content.importers.stream import Kind, Piece, Rich, Run, Source, joined, merged, run, stripped

_FIELDS = {
    "subject": (
        r"subject|betreff|asunto|objet|oggetto|assunto|onderwerp|ämne|emne|тема|נושא|الموضوع|"
        r"件名|主题|主旨|제목|title"
    ),
    "preheader": r"pre-?header|preview(?: text)?|vorschau(?:text)?",
    "other": (
        r"from|to|cc|bcc|date|sent|reply-to|von|an|datum|gesendet|de|para|fecha|à|envoyé|da|a|data|מאת|אל|"
        r"תאריך|من|إلى|التاريخ|"
        r"差出人|宛先|日付|发件人|收件人|日期"
    ),
}
_FIELD = re.compile("|".join(rf"(?P<{name}>(?:{words}))" for name, words in _FIELDS.items()), re.IGNORECASE)
_HEADER = re.compile(r"(?P<key>[\w-]+(?: text)?)\s*[:：]\s*(?P<value>.*)")

_RULE = re.compile(r"\s*(?P<sign>[-*_=~—–―•·⁂⸻✦✧⋆+.#◆◇■●○☆★❖❦─━═])\ufe0f?(?:\s*(?P=sign)\ufe0f?){2,}\s*|\s*[⁂⸻❦]\s*")
_UNDERLINE = re.compile(r"(?P<sign>=|-|~|\^|─|━|═|‾|_|\*)(?P=sign){2,}\s*")
_ATX = re.compile(r"(?P<marks>#{1,6})\s+(?P<words>\S.*?)(?:\s+#+)?\s*")
_FENCE = re.compile(r"(?P<marks>`{3,}|~{3,})\s*(?P<info>[\w+-]*)\s*")
_QUOTE = re.compile(r"\s{0,3}>\s?")
_GAP = re.compile(r"\s{2,}|\t+")
_WIDE_GAP = re.compile(r"\s{3,}|\t")
_PROMPT = re.compile(r"(?: {4,}|\t)\$ \S")

WIDE = 100  # cells; nobody wraps by hand beyond
NARROW = 45
SPACED = 0.9
TAB = 4
QUOTES = 8  # quotations in quotations


@dataclass
class _Line:
    """A line that is not blank. `blanks` counts the empty lines before it."""

    text: str  # without the indentation
    indent: int
    number: int
    blanks: int
    raw: str = field(repr=False, default="")


def read(text: str) -> Source:
    """Read plain text."""
    front, rest, skipped = headers(text.split("\n"))
    lines = _lines(rest, skipped)
    dense = _spaced(lines)
    pieces = _Reader(lines, _wrap_width(lines)).read()
    return Source(tuple(pieces), front=front, dense=dense or _tight(lines))


# --- the head of a mail -----------------------------------------------------------------------------------


def headers(lines: Sequence[str]) -> tuple[dict[str, str], list[str], int]:
    """`Subject: ...` and its neighbours at the top; the rest, and how many lines were taken."""
    front: dict[str, str] = {}
    at = next((row for row, line in enumerate(lines) if line.strip()), 0)
    while at < len(lines):
        found = _HEADER.fullmatch(lines[at].strip())
        name = _FIELD.fullmatch(found["key"]) if found else None
        if found is None or name is None:
            break
        key = str(name.lastgroup)
        if key != "other" or front or _goes_on(lines, at + 1):
            front.setdefault(key, found["value"].strip())
            at += 1
        else:
            break
        while at < len(lines) and not lines[at].strip() and _goes_on(lines, at):
            at += 1
    if "subject" not in front:
        return {}, list(lines), 0
    return {key: value for key, value in front.items() if key != "other" and value}, list(lines[at:]), at


def _goes_on(lines: Sequence[str], at: int) -> bool:
    """Whether another line of the head follows."""
    line = next((line for line in lines[at : at + 2] if line.strip()), "")
    found = _HEADER.fullmatch(line.strip())
    return bool(found and _FIELD.fullmatch(found["key"]))


# --- the shape --------------------------------------------------------------------------------------------


def _lines(raw: Sequence[str], skipped: int) -> list[_Line]:
    lines: list[_Line] = []
    blanks = 0
    for row, one in enumerate(raw):
        if not one.strip():
            blanks += 1
            continue
        bare = one.expandtabs(TAB)
        lines.append(_Line(one.strip(), len(bare) - len(bare.lstrip()), row + 1 + skipped, blanks, one.rstrip()))
        blanks = 0
    return lines


def _spaced(lines: list[_Line]) -> bool:
    """Whether nearly every line has a blank one after it; the one blank is taken away then."""
    after = [line.blanks for line in lines[1:]]
    few = 6
    if len(after) < few or sum(blanks > 0 for blanks in after) < SPACED * len(after):
        return False
    for line in lines:
        line.blanks = max(line.blanks - 1, 0)
    return True


def _tight(lines: Sequence[_Line]) -> bool:
    """Whether there are almost no blank lines."""
    after = [line.blanks for line in lines[1:]]
    return sum(blanks > 0 for blanks in after) <= (1 - SPACED) * len(after)


def _marked(line: _Line) -> bool:
    """Whether a line begins something new by its first sign."""
    text = line.text
    return bool(
        signs.bullet_of(text)[1]
        or signs.number_of(text)[2]
        or leading_emoji(text)[0]
        or text.startswith(("#", ">", "|", "```"))
        or _RULE.fullmatch(text)
        or signs.is_attribution(text)
        or signs.is_postscript(text)
    )


def _wrap_width(lines: Sequence[_Line]) -> int:
    """The column at which somebody wrapped these lines by hand; 0 when nobody did."""
    worded = [line for line in lines if not signs.has_url(line.text) and not _WIDE_GAP.search(line.text)]
    if not worded or max(_width(line) for line in worded) > WIDE:
        return 0
    most = max(_width(line) for line in worded)
    pairs = [
        (line, following)
        for line, following in pairwise(lines)
        if not following.blanks and not _marked(following) and _width(line) >= 0.7 * most
    ]
    going_on = sum(_goes_over(line.text, following.text) for line, following in pairs)
    few, share = 3, 0.5
    if most < NARROW or going_on < few or going_on < share * len(pairs):
        return 0
    return most


def _goes_over(before: str, after: str) -> bool:
    """Whether a sentence goes on from one line to the next."""
    first = after.lstrip("\"'“„«(")[:1]
    return not signs.ended(before) and (not first.isupper() or before.rstrip()[-1:] in ",;—–-")


def _width(line: _Line) -> int:
    return line.indent + width(line.text)


@dataclass(frozen=True)
class Shape:
    """How lines were laid out: the column they were wrapped at (0: none), whether blank lines mean nothing."""

    wrap: int
    dense: bool


def shape(lines: Sequence[str], rows: Sequence[int]) -> Shape:
    """The shape of some rows of a text."""
    wanted = set(rows)
    kept = [line if row in wanted or not line.strip() else "" for row, line in enumerate(lines)]
    found = _lines(kept, 0)
    few = 6
    return Shape(_wrap_width(found) if found else 0, dense=len(found) >= few and (_spaced(found) or _tight(found)))


def again(lines: Sequence[tuple[str, int, bool]], wrap: int) -> list[Piece]:
    """Bare lines of Markdown (text, number, whether a blank line stood before) read for what plain text marks."""
    made = [_Line(text, 0, number, int(gap), text) for text, number, gap in lines]
    pieces = _Reader(made, wrap, _as_is).read()
    return [replace(piece, style=piece.style or "lines") if piece.kind is Kind.TEXT else piece for piece in pieces]


def _as_is(text: str) -> Rich:
    return (Run(text.strip(), raw=True),) if text.strip() else ()


# --- the lines --------------------------------------------------------------------------------------------


@dataclass
class _Level:
    """An open list: where its items stand and by which sign."""

    indent: int
    sign: str
    group: int


class _Reader:
    """Lines being made into pieces. `words` reads the marks within a line."""

    def __init__(
        self, lines: list[_Line], wrap: int, words: Callable[[str], Rich] | None = None, depth: int = 0
    ) -> None:
        self.depth = depth
        self.lines = lines
        self.wrap = wrap
        self.words = words or inline
        self.raw = words is not None
        self.at = 0
        self.pieces: list[Piece] = []
        self.levels: list[_Level] = []
        self.groups = 0
        self.base = min((line.indent for line in lines), default=0)
        self.numbers = _countable(lines)
        self.heads = _heads(lines)

    def read(self) -> list[Piece]:
        """All of them."""
        while self.at < len(self.lines):
            line = self.lines[self.at]
            for reader in (
                self._fence,
                self._prompt,
                self._heading,
                self._rule,
                self._table,
                self._quote,
                self._titled,
                self._item,
            ):
                if reader(line):
                    break
            else:
                self._text(line)
        return self.pieces

    def _add(self, kind: Kind, line: _Line, rich: Rich = (), **about: object) -> None:
        self.pieces.append(Piece(kind, rich, line.number, line.blanks > 0, **about))  # type: ignore[arg-type]
        if kind is not Kind.ITEM and not about.get("of_item"):
            self.levels.clear()

    def _next(self, ahead: int = 1) -> _Line | None:
        at = self.at + ahead
        return self.lines[at] if at < len(self.lines) else None

    # --- blocks that say what they are ---

    def _fence(self, line: _Line) -> bool:
        opened = _FENCE.fullmatch(line.text)
        if opened is None:
            return False
        closing = next(
            (n for n in range(self.at + 1, len(self.lines)) if self.lines[n].text.startswith(opened["marks"])), None
        )
        if closing is None:
            return False
        inside = self.lines[self.at + 1 : closing]
        code = "".join("\n" * (one.blanks + 1) + one.raw for one in inside).lstrip("\n")
        self._add(Kind.CODE, line, (Run(code),), style=opened["info"], sure=True)
        self.at = closing + 1
        return True

    def _prompt(self, line: _Line) -> bool:
        if not _PROMPT.match(line.raw):
            return False
        end = self.at
        while (
            end < len(self.lines) and self.lines[end].indent >= TAB and (end == self.at or not self.lines[end].blanks)
        ):
            end += 1
        inside = self.lines[self.at : end]
        least = min(one.indent for one in inside)
        code = "\n".join(one.raw.expandtabs(TAB)[least:] for one in inside)
        self._add(Kind.CODE, line, (Run(code),))
        self.at = end
        return True

    def _heading(self, line: _Line) -> bool:
        following = self._next()
        if atx := _ATX.fullmatch(line.text):
            self._add(Kind.HEADING, line, self.words(atx["words"]), level=len(atx["marks"]), sure=True)
            self.at += 1
            return True
        if _RULE.fullmatch(line.text) and following and (third := self._next(2)) and third.text == line.text:
            if signs.words(following.text) and not following.blanks and not third.blanks:
                self.at += 1  # a line above the title as below it
                return self._heading(following)
            return False
        if following and not following.blanks and (under := _UNDERLINE.fullmatch(following.text)):
            alone = line.blanks or not self.pieces or self.pieces[-1].kind is not Kind.TEXT or not self.wrap
            fits = (
                abs(width(line.text) - width(following.text)) <= max(4, width(line.text) // 2) or under["sign"] in "=-"
            )
            if (
                alone
                and fits
                and 0 < signs.words(line.text) <= signs.MOST_WORDS + 3
                and not signs.bullet_of(line.text)[1]
            ):
                level = 1 if under["sign"] in "=═━" else 2
                self._add(Kind.HEADING, line, self.words(line.text), level=level, sure=True)
                self.at += 2
                return True
        return False

    def _titled(self, line: _Line) -> bool:
        """`■ News`, with a paragraph below it."""
        if line.number not in self.heads:
            return False
        sign, long = signs.bullet_of(line.text)
        self._add(Kind.HEADING, line, self.words(line.text[long:]), level=2, style="sign", mark=sign)
        self.at += 1
        return True

    def _rule(self, line: _Line) -> bool:
        if not _RULE.fullmatch(line.text):
            return False
        self._add(Kind.RULE, line, sure=True)
        self.at += 1
        return True

    def _quote(self, line: _Line) -> bool:
        if self.depth > QUOTES or not _QUOTE.match(line.raw) or re.match(r"\s*>[<>=]", line.raw):
            return False
        first = self.at
        inside: list[_Line] = []
        while (one := self._next(0)) and _QUOTE.match(one.raw) and (self.at == first or not one.blanks):
            bare = _QUOTE.sub("", one.raw, count=1)
            inside.append(_Line(bare.strip(), len(bare) - len(bare.lstrip()), one.number, 0, bare))
            self.at += 1
        for index in range(len(inside) - 1, -1, -1):
            if not inside[index].text:
                del inside[index]
                if index < len(inside):
                    inside[index].blanks = 1
        wrap = _wrap_width(inside) or (self.wrap - 2 if self.wrap else 0)
        parts = [piece.rich for piece in _Reader(inside, wrap, depth=self.depth + 1).read() if piece.rich]
        self._add(Kind.QUOTE, line, joined(parts, "\n"), sure=True)
        return True

    def _table(self, line: _Line) -> bool:
        rows = self._piped() or self._columns()
        if not rows:
            return False
        count = len(rows)
        cells = tuple(
            tuple(self.words(cell.strip()) for cell in row) for row in rows if any(cell.strip(" -=─") for cell in row)
        )
        self._add(Kind.TABLE, line, rows=cells, sure=False)
        self.at += count
        return True

    def _piped(self) -> list[list[str]]:
        """Rows with `|` between, at least two, with as many cells each."""
        rows: list[list[str]] = []
        ahead = 0
        while (one := self._next(ahead)) and "|" in one.text and (not ahead or not one.blanks):
            if not one.text.startswith("|") and (signs.has_url(one.text) or signs.has_email(one.text)):
                break
            cells = re.split(r"(?<!\\)\|", one.text.removeprefix("|").removesuffix("|"))
            if rows and len(cells) != len(rows[0]):
                break
            rows.append(cells)
            ahead += 1
        few = 2
        bordered = bool(rows) and self.lines[self.at].text.startswith("|")
        return rows if len(rows) >= few and len(rows[0]) >= (few if bordered or len(rows) > few else few + 1) else []

    def _columns(self) -> list[list[str]]:
        """Rows whose cells stand apart by tabs or by wide blanks, column under column."""
        rows: list[list[str]] = []
        starts: list[tuple[int, ...]] = []
        ahead = 0
        while (one := self._next(ahead)) and (not ahead or not one.blanks) and not signs.bullet_of(one.text)[1]:
            cells = _GAP.split(one.text)
            least = 2
            if len(cells) < least or signs.number_of(one.text)[2] or (rows and len(cells) != len(rows[0])):
                break
            rows.append(cells)
            starts.append(tuple(found.end() for found in _GAP.finditer(one.text)))
            ahead += 1
        if not rows:
            return []
        tabbed = all("\t" in self.lines[self.at + n].text for n in range(len(rows)))
        aligned = sum(abs(one[0] - starts[0][0]) <= 1 for one in starts) >= 0.8 * len(starts)
        least_rows = 2 if len(rows[0]) > 2 or tabbed else 3  # noqa: PLR2004
        short = all(width(cell) <= 60 for row in rows for cell in row)  # noqa: PLR2004
        return rows if len(rows) >= least_rows and (aligned or tabbed) and short else []

    # --- items ---

    def _item(self, line: _Line) -> bool:
        number, style, long = self.numbers.get(line.number, (0, "", 0))
        sign = style
        if not long:
            sign, long = signs.bullet_of(line.text)
            if not long or not self._is_bullet(line, sign):
                return self._continued(line)
        level = self._level(line, sign)
        text = self._with_continuation(line, line.text[long:])
        self.pieces.append(
            Piece(
                Kind.ITEM,
                self.words(text),
                line.number,
                line.blanks > 0,
                level=level,
                ordered=bool(number),
                number=number,
                group=self.levels[0].group,
                sure=True,
                style=sign,
                mark=line.text[:long],
            )
        )
        return True

    def _is_bullet(self, line: _Line, sign: str) -> bool:
        """Whether a sign really begins an item here."""
        before = self.pieces[-1] if self.pieces else None
        if before and before.kind is Kind.ITEM and before.style == sign:
            return True
        if sign in "-–—" and signs.is_attribution(line.text) and before and _quoting(before):
            return False
        company = self._company(line, sign)
        if sign == "o":
            return bool(self.levels) or company
        if sign in "–—·»>→✦✧★☆+*" or sign not in signs.SURE_BULLETS:
            return company or bool(self.levels and line.indent > self.levels[-1].indent)
        if sign == "-" and not company:
            return not signs.is_attribution(line.text) or bool(before and signs.opens_list(before.text))
        return True

    def _company(self, line: _Line, sign: str) -> bool:
        """Whether one of the next lines has the same sign."""
        for ahead in range(1, 5):
            one = self._next(ahead)
            if one is None:
                return False
            if signs.bullet_of(one.text)[0] == sign:
                return True
            if one.blanks and not self._blank_between(line):
                return False
        return False

    def _blank_between(self, line: _Line) -> bool:
        following = self._next()
        return bool(line.blanks and following and following.blanks)

    def _level(self, line: _Line, sign: str) -> int:
        """The depth of an item, with the open lists brought up to date."""
        nested = {"o", "◦", "▫", "‣", "–", "·", "⁃"}
        while self.levels and line.indent < self.levels[-1].indent and len(self.levels) > 1:
            self.levels.pop()
        known = next((n for n, one in enumerate(self.levels) if one.indent == line.indent and one.sign == sign), None)
        if known is not None:
            del self.levels[known + 1 :]
            return known
        top = self.levels[-1] if self.levels else None
        counted = sign not in {"-", "*", "+"} and not signs.bullet_of(f"{sign} x")[1] and sign != "[]"
        if top is None:
            self.groups += 1
            self.levels = [_Level(line.indent, sign, self.groups)]
        elif (
            line.indent > top.indent
            or sign in nested
            or (_counts(top.sign) and not counted)
            or (sign in {"a)", "(a)"} and "1" in top.sign)
        ):
            self.levels.append(_Level(line.indent, sign, top.group))
        elif _counts(top.sign) != counted or (counted and _family(top.sign) != _family(sign)):
            self.groups += 1
            self.levels = [_Level(line.indent, sign, self.groups)]
        else:
            top.sign = sign
        return len(self.levels) - 1

    def _continued(self, line: _Line) -> bool:
        """A paragraph that stands under an item, set in like it."""
        last = self.pieces[-1] if self.pieces else None
        if not (self.levels and last and (last.kind is Kind.ITEM or last.of_item)):
            return False
        if line.indent <= self.levels[-1].indent or line.indent < 2:  # noqa: PLR2004
            return False
        self._add(Kind.TEXT, line, self.words(self._joined(line)), of_item=True, level=len(self.levels) - 1)
        return True

    def _with_continuation(self, line: _Line, first: str) -> str:
        """An item's words with the lines that go on with it."""
        self.at += 1
        text = first
        last = line
        while (one := self._next(0)) and not one.blanks and not _marked(one):
            deeper = one.indent > line.indent
            if not deeper and not (self.wrap and self._overflows(last, one)):
                break
            text = _glued(text, one.text)
            last = one
            self.at += 1
        return text

    # --- paragraphs ---

    def _text(self, line: _Line) -> None:
        self._add(Kind.TEXT, line, self.words(self._joined(line)))

    def _joined(self, line: _Line) -> str:
        """A line with those that wrapping has cut off from it."""
        self.at += 1
        text = line.text
        last = line
        while self.wrap and (one := self._next(0)) and self._overflows(last, one) and not self._stands_alone(last, one):
            text = _glued(text, one.text)
            last = one
            self.at += 1
        return text

    def _stands_alone(self, last: _Line, one: _Line) -> bool:
        short = width(last.text) < self.wrap / 2
        return one.blanks > 0 or _marked(one) or one.indent > last.indent + 1 or (short and signs.opens_list(last.text))

    def _overflows(self, last: _Line, one: _Line) -> bool:
        """Whether the first word of a line would not have fitted on the one before."""
        if one.blanks or signs.is_url(last.text) or (signs.ended(last.text) and _width(last) < 0.6 * self.wrap):
            return False
        first = re.match(r"[\u3040-\u30ff\u3400-\u9fff]|\S+", one.text)
        word = width(first.group()) if first else 0
        return _width(last) + 1 + word > self.wrap - (3 if word <= 2 else 0)  # noqa: PLR2004


def _counts(sign: str) -> bool:
    """Whether a sign is a way of counting."""
    return sign in {"keycap", "circled", "kanji"} or bool(re.fullmatch(r"\(?[1a][.)、．].?", sign))


def _family(sign: str) -> str:
    """Digits, letters, or signs of another kind: lists of two kinds are two lists."""
    return "1" if "1" in sign else sign


def _quoting(piece: Piece) -> bool:
    return piece.kind is Kind.QUOTE or (piece.kind is Kind.TEXT and signs.is_quoted(piece.text))


def _glued(before: str, after: str) -> str:
    """Two halves of a wrapped line as one: no blank between signs of scripts that have none."""
    cjk = "[\u3000-\u30ff\u3400-\u9fff\uff00-\uffef]"
    if re.search(f"{cjk}$", before) and re.match(cjk, after):
        return before + after
    if re.search(r"[^\W\d_]\u2010$", before):
        return before[:-1] + after
    return f"{before} {after}"


_HEADS = "■◆□◇★☆"
_HEADS_CJK = "●○"  # where bullets are `・`


def _heads(lines: Sequence[_Line]) -> set[int]:
    """The lines of a sign that stands before titles: each is short, and none of its kind follows it."""
    found: set[int] = set()
    cjk = sum(signs.is_cjk(line.text) for line in lines) * 2 > len(lines)
    for sign in _HEADS + (_HEADS_CJK if cjk else ""):
        rows = [row for row, line in enumerate(lines) if line.text.startswith(sign) and signs.bullet_of(line.text)[1]]
        fine = all(
            row + 1 < len(lines)
            and row + 1 not in rows
            and signs.heading_shape(lines[row].text)
            and not signs.bullet_of(lines[row + 1].text)[1]
            and not _RULE.fullmatch(lines[row].text)
            for row in rows
        )
        found |= {lines[row].number for row in rows} if fine else set()
    return found


def _countable(lines: Sequence[_Line]) -> dict[int, tuple[int, str, int]]:
    """The lines whose number really counts: it has a neighbour (one less before or one more after)."""
    found = [(line, *signs.number_of(line.text)) for line in lines]
    numbered = [one for one in found if one[3]]
    countable: dict[int, tuple[int, str, int]] = {}
    for at, (line, number, style, long) in enumerate(numbered):
        reach = 8
        before = any(
            one[2] == style and one[1] == number - 1 and one[0].number in countable
            for one in numbered[max(0, at - reach) : at]
        )
        after = any(one[2] == style and one[1] == number + 1 for one in numbered[at + 1 : at + 1 + reach])
        if before or (after and (number == 1 or _adjacent(line, numbered, at))):
            countable[line.number] = (number, style, long)
    return countable


def _adjacent(line: _Line, numbered: Sequence[tuple[_Line, int, str, int]], at: int) -> bool:
    """Whether the line after counts on: a list that does not begin at one."""
    near = 2
    following = numbered[at + 1][0] if at + 1 < len(numbered) else None
    return following is not None and following.number - line.number <= near


# --- marks within a line ----------------------------------------------------------------------------------

_INLINE = re.compile(
    r"(?P<code>`(?P<c>[^`\n]+)`)"
    r"|(?P<link>!?\[(?P<label>[^\[\]\n]+)\]\((?P<url>(?:https?://|mailto:|www\.)[^\s()<>]+(?:\([^\s()]*\)[^\s()]*)*)\))"
    r"|(?P<bold>(?<![\w*\\])\*\*(?=\S)(?P<b>[^*\n]+?)(?<=\S)\*\*(?![\w*]))"
    r"|(?P<star>(?<![\w*\\])\*(?=[^\s*|])(?P<s>[^*\n]{1,120}?)(?<=[^\s*|])\*(?![\w*]))"
    r"|(?P<low>(?<![\w_\\])_(?=[^\s_])(?P<l>[^_\n]{1,120}?)(?<=[^\s_])_(?![\w_]))"
)


def inline(text: str) -> Rich:
    """Words with the marks people type: `**strong**`, `*quiet*`, `_quiet_`, `[words](https://...)`."""
    whole: list[Run] = []
    done = 0
    for found in _INLINE.finditer(text):
        whole.append(Run(text[done : found.start()]))
        done = found.end()
        whole.extend(_one(found))
    whole.append(Run(text[done:]))
    return stripped(merged(whole))


def _one(found: re.Match[str]) -> Rich:
    if found["code"]:
        return (Run(found["c"], code=True),)
    if found["link"]:
        href = found["url"] if ":" in found["url"].split("/")[0] else f"https://{found['url']}"
        if found["link"].startswith("!"):
            return (Run(found["label"], src=href),)
        return tuple(replace(one, href=href) for one in inline(found["label"]))
    if found["bold"]:
        return tuple(replace(one, bold=True) for one in inline(found["b"]))
    return tuple(replace(one, italic=True) for one in run(found["s"] or found["l"]))
