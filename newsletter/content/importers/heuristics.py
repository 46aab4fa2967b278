"""One set of rules for all formats: what a line is, when its source did not say so.

In: the stream of a source. Out: the same words as blocks of an issue, the title taken out, the footer
taken out, and every decision as a guess that the editor can undo. No word is added but a button's label.
The order of the rules matters and follows the methods of `_Judge.judge`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from newsletter.content.importers import contact, language, links, signs
from newsletter.content.importers.report import Contact, Guess
from newsletter.content.importers.stream import (
    Kind,
    Piece,
    Rich,
    Run,
    Source,
    all_bold,
    cut,
    joined,
    plain,
    raw_bold,
    run,
    stripped,
)

LABEL = 45  # characters of a button
LEARN_MORE = "Learn more"
ITEM = 150  # characters
INTRO = 160
LINE = 60  # a short line: verse, address, signature
TITLE = 150
_CARD = 140
_ASKS = "questions that stand alone, each before a paragraph"
_ALONE = "short line that stands alone"
_SEVERAL = 2

_UNDO = {
    "heading": 'If wrong, delete the "## ".',
    "list": 'If wrong, delete the "- " at the start of its lines.',
    "numbers": "If wrong, delete the numbers.",
    "quote": 'If wrong, delete the "> ".',
    "button": "If wrong, delete the {.button} after it.",
    "table": "If wrong, write it as lines of text.",
    "code": "If wrong, take off the ``` around it.",
}


@dataclass(frozen=True)
class Judged:
    """A letter whose parts are known."""

    title: str
    pieces: tuple[Piece, ...]
    contact: Contact
    guesses: tuple[Guess, ...]
    lang: str
    preheader: str = ""
    footer: tuple[Piece, ...] = ()  # of an issue of ours: taken out, to be put back unless it is known elsewhere


def judge(source: Source, *, whole: bool = True) -> Judged:
    """Judge a stream. `whole`: it is a letter from its first line, so a title stands at the top."""
    return _Judge(source, whole=whole).judge()


class _Judge:
    """The stream while it is judged: `pieces` changes from rule to rule."""

    def __init__(self, source: Source, *, whole: bool) -> None:
        self.source = source
        self.whole = whole
        self.pieces = [piece for piece in source.pieces if piece.kind in _WORDLESS or piece.rich or piece.rows]
        self.dense = source.dense
        self.guesses: list[Guess] = [Guess(line, what, "") for line, what in source.notes]
        self.lang = language.of(" ".join(piece.text for piece in self.pieces))
        self.title = ""
        self.contact = Contact()
        self.footer: tuple[Piece, ...] = ()
        self.signature: set[int] = set()
        self.groups = 1 + max((piece.group for piece in self.pieces), default=0)

    def judge(self) -> Judged:
        """All rules, in order."""
        if self.whole:
            self._boilerplate()
            self._title()
        self.pieces = list(marks(self.pieces))
        self._definitions()
        self.pieces = [replace(piece, rich=links.linked(piece.rich), rows=_linked(piece.rows)) for piece in self.pieces]
        self._footer()
        for rule in (
            self._numbers,
            self._calls,
            self._quotations,
            self._emoji,
            self._plain_headings,
            self._colon_lists,
            self._link_lists,
            self._isolated,
            self._demote,
            self._levels,
            self._space_after_emoji,
            self._paragraphs,
            self._card,
            self._tell,
        ):
            self.signature = self._signed()
            rule()
        guesses = sorted(self.guesses, key=lambda guess: guess.line)
        return Judged(
            self.title, tuple(self.pieces), self.contact, tuple(guesses), self.lang, self.source.preheader, self.footer
        )

    # --- helpers ---

    def _guess(self, piece: Piece, what: str, undo: str) -> None:
        self.guesses.append(Guess(piece.line, what, _UNDO.get(undo, undo), piece.text))

    def _before(self, at: int) -> Piece | None:
        return self.pieces[at - 1] if at > 0 else None

    def _after(self, at: int) -> Piece | None:
        return self.pieces[at + 1] if at + 1 < len(self.pieces) else None

    def _explicit(self) -> int:
        return sum(piece.kind is Kind.HEADING and piece.sure for piece in self.pieces)

    # --- the top and the bottom ---

    def _boilerplate(self) -> None:
        """`View in browser` is no part of a letter."""
        near = 4
        for at in range(min(near, len(self.pieces)) - 1, -1, -1):
            if self.pieces[at].kind is Kind.TEXT and signs.is_boilerplate(self.pieces[at].text):
                self._guess(self.pieces[at], "left out a line for mail programs", "If wrong, write it in again.")
                del self.pieces[at]

    def _title(self) -> None:
        said = self.source.front.get("subject") or self.source.title
        if said:
            self.title = " ".join(said.split())
            near = 2
            for at, piece in enumerate(self.pieces[:near]):
                if piece.kind in {Kind.TEXT, Kind.HEADING} and _bare(piece.text) == _bare(self.title):
                    del self.pieces[at]
                    break
            return
        numbered = False
        for at, piece in enumerate(self.pieces[:4]):
            if piece.kind in {Kind.RULE, Kind.PICTURE} or signs.is_dated(piece.text):
                continue
            if piece.kind is Kind.TEXT and signs.is_number_of_issue(piece.text):
                numbered = True
                continue
            if piece.kind is Kind.HEADING or (piece.kind is Kind.TEXT and self._is_title(piece, at)):
                self.title = " ".join(piece.text.split()).strip("*_ ")
                if not piece.sure:
                    self._guess(piece, "took the first line as the subject", "If wrong, put it back into the text.")
                del self.pieces[at]
                return
            break
        if numbered or self.source.called:
            self._named(numbered=numbered)

    def _named(self, *, numbered: bool) -> None:
        """What a letter without a title is called: by its page, or by the line with its number."""
        self.title = self.source.called
        at = next((at for at, piece in enumerate(self.pieces) if signs.is_number_of_issue(piece.text)), None)
        if numbered and not self.title and at is not None:
            self.title = " ".join(self.pieces[at].text.split())
            self._guess(self.pieces[at], "took the first line as the subject", "If wrong, put it back into the text.")
            del self.pieces[at]
        same = next((at for at, piece in enumerate(self.pieces[:6]) if _bare(piece.text) == _bare(self.title)), None)
        if same is not None and self.pieces[same].kind in {Kind.TEXT, Kind.HEADING}:
            del self.pieces[same]

    def _is_title(self, piece: Piece, at: int) -> bool:
        text = piece.text
        most_words, most_sentences = 25, 2
        if signs.is_greeting(text) or len(text) > TITLE or signs.words(text) > most_words or signs.bullet_of(text)[1]:
            return False
        if signs.sentences(text) > most_sentences or signs.opens_list(text) or "\n" in text:
            return False
        after = self._after(at)
        sentence = signs.ending(text) == "." and signs.words(text) > signs.MOST_WORDS
        few = 5
        close = after is not None and not after.gap and not self.dense
        verse = close and after is not None and signs.words(after.text) <= few and text.endswith(",")
        return not sentence and not verse

    def _footer(self) -> None:
        kept, self.contact = contact.take(self.pieces, self.source.footer)
        if not self.whole:  # in an issue of ours it is for the caller to say whether it may go
            self.footer = tuple(self.pieces[len(kept) :])
            self.pieces = list(kept)
            return
        for piece in self.pieces[len(kept) :]:
            if piece.rich and piece.kind is not Kind.RULE:
                self._guess(
                    piece, "took a line of the contact footer out", "It belongs into newsletter.yml, under footer."
                )
        self.pieces = list(kept)

    def _signed(self) -> set[int]:
        """The places of a sign-off and of the lines below it."""
        signed: set[int] = set()
        for at, piece in enumerate(self.pieces):
            if piece.kind is not Kind.TEXT or not signs.is_signoff(piece.text.split("\n")[0]):
                continue
            signed.add(at)
            most = 5
            for below in range(at + 1, min(at + 1 + most, len(self.pieces))):
                one = self.pieces[below]
                if (
                    one.kind is not Kind.TEXT
                    or len(one.text) > LINE
                    or signs.is_postscript(one.text)
                    or signs.has_url(one.text)
                ):
                    break
                if signs.is_arrow(signs.lead(one.text)[0]) or signs.opens_list(one.text) or signs.ending(one.text):
                    break
                signed.add(below)
            if len(self.pieces) - at > 2 * most and not any(n > at for n in signed):
                signed.discard(at)
        return signed

    # --- notes with numbers ---

    def _definitions(self) -> None:
        """`[1] https://...` at the end becomes the link of the mark `[1]` in the text."""
        found: dict[str, tuple[int, str, str]] = {}
        for at, piece in enumerate(self.pieces):
            for number, url, rest in _defined(piece):
                if at > 0:
                    found.setdefault(number, (at, url, rest))
        used: set[str] = set()
        for at, piece in enumerate(self.pieces):
            if piece.rich and not any(at == where for where, _, _ in found.values()):
                rich, numbers = _referring(piece.rich, {number: url for number, (_, url, _) in found.items()})
                self.pieces[at] = replace(piece, rich=rich)
                used |= numbers
        gone = {where for number, (where, _, rest) in found.items() if number in used and not rest}
        first = min(gone, default=0)
        intro = first > 0 and self.pieces[first - 1].kind in {Kind.TEXT, Kind.HEADING} and self._introduces(first - 1)
        if intro:
            return  # a list of sources with a title of its own stays
        for at in sorted(gone, reverse=True):
            self._guess(self.pieces[at], "made a link at its mark in the text", "The address stands there now.")
            del self.pieces[at]
        while gone and self.pieces and self.pieces[-1].kind is Kind.RULE:
            self.pieces.pop()

    def _introduces(self, at: int) -> bool:
        piece = self.pieces[at]
        few = 4
        return signs.words(piece.text) <= few and (signs.opens_list(piece.text) or not signs.ended(piece.text))

    # --- numbers ---

    def _numbers(self) -> None:
        """`1. Breathe` and a paragraph, `2. ...` and a paragraph: headings, or items with a paragraph each."""
        for chain in self._chains():
            between = [self._loose(start, end) for start, end in pairwise(chain)]
            tail = self._after(chain[-1])
            if not between or not all(between):
                self._one_list(chain, between)
                continue
            followed = (
                tail is not None and tail.kind is not Kind.HEADING and not (tail.kind is Kind.ITEM and tail.ordered)
            )
            if followed and all(self._numbered_head(self.pieces[at]) for at in chain):
                for at in chain:
                    piece = self.pieces[at]
                    rich = (Run(piece.mark or f"{piece.number}. "), *piece.rich)
                    self.pieces[at] = replace(
                        piece, kind=Kind.HEADING, rich=rich, level=2, ordered=False, sure=False, style="guess"
                    )
                    self._guess(piece, "made a heading (number, then a paragraph)", "heading")
            else:
                self._one_list(chain, between)

    def _chains(self) -> list[list[int]]:
        chains: list[list[int]] = []
        for at, piece in enumerate(self.pieces):
            if piece.kind is not Kind.ITEM or not piece.ordered or piece.level:
                continue
            open_ = next((chain for chain in reversed(chains) if self._counts_on(chain[-1], at)), None)
            if open_ is not None:
                open_.append(at)
            else:
                chains.append([at])
        return [chain for chain in chains if len(chain) > 1]

    @staticmethod
    def _numbered_head(piece: Piece) -> bool:
        """Whether an item may be a heading; what its source made a list of is one only when it is bold."""
        typed = bool(piece.style) or all_bold(piece.rich)
        return typed and signs.heading_shape(piece.text) and signs.ending(piece.text) != "."

    def _counts_on(self, last: int, at: int) -> bool:
        """Whether an item's number goes on from an earlier one's."""
        before, here = self.pieces[last], self.pieces[at]
        return here.number == before.number + 1 and here.style == before.style and self._near(last, at)

    def _near(self, start: int, end: int) -> bool:
        return not any(piece.kind is Kind.HEADING for piece in self.pieces[start + 1 : end])

    def _loose(self, start: int, end: int) -> list[int]:
        """Paragraphs between two items that do not belong to the first by themselves."""
        return [
            at for at in range(start + 1, end) if self.pieces[at].kind is not Kind.ITEM and not self.pieces[at].of_item
        ]

    def _one_list(self, chain: Sequence[int], between: Sequence[Sequence[int]]) -> None:
        few = 2
        if any(len(part) > few or any(self.pieces[at].kind is not Kind.TEXT for at in part) for part in between):
            return
        group = self.pieces[chain[0]].group
        for at in range(chain[0], chain[-1] + 1):
            piece = self.pieces[at]
            if piece.kind is Kind.TEXT and not piece.of_item:
                self.pieces[at] = replace(piece, of_item=True, level=0)
            if piece.kind is Kind.ITEM:
                self.pieces[at] = replace(piece, group=group)
        after = chain[-1] + 1
        while after < len(self.pieces) and self.pieces[after].kind is Kind.ITEM and self.pieces[after].level:
            self.pieces[after] = replace(self.pieces[after], group=group)
            after += 1

    # --- calls to action ---

    def _calls(self) -> None:
        at = 0
        while at < len(self.pieces):
            piece = self.pieces[at]
            if piece.kind is Kind.TEXT and at not in self.signature:
                at = self._call(at, piece)
            at += 1

    def _call(self, at: int, piece: Piece) -> int:
        """A button, when a line is one. Out: the place to go on from."""
        bracket = re.fullmatch(
            r"\[\s*(?P<label>[^\[\]]{2,60}?)\s*\](?::\s*|\s+)[<(]?(?P<url>(?:https?://|www\.)\S+?)[>)]?", piece.text
        )
        if bracket and not bracket["label"].isdigit():
            self._button(at, run(bracket["label"]), links.web(bracket["url"]))
            return at
        arrow, rest = _arrow(piece.rich)
        url, words = _address_in(rest)
        after = self._after(at)
        if (
            arrow
            and not url
            and after
            and after.kind is Kind.TEXT
            and (target := _only_address(after))
            and plain(words).strip()
        ):
            self._labelled(at, words, target)
            del self.pieces[at + 1 + (self.pieces[at].kind is Kind.TEXT)]
            return at
        if not url:
            return at
        if plain(words).strip():
            if arrow:
                return self._labelled(at, words, url)
            return at
        return self._alone(at, url, arrow=bool(arrow))

    def _labelled(self, at: int, words: Rich, url: str) -> int:
        """An arrow, words and an address: the words are the label, or stay when they are long."""
        label = stripped(cut(words, 0, len(plain(words).rstrip(" :：–—-(<→➡👉⬇👇"))))
        if len(plain(label)) <= LABEL or any(one.href for one in words):
            self._button(at, label, url)
            return at
        piece = self.pieces[at]
        self.pieces[at] = replace(piece, rich=stripped(words))
        self.pieces.insert(at + 1, replace(piece, kind=Kind.TEXT, rich=(), gap=True))
        self._button(at + 1, run(shorter(plain(words))), url)
        return at + 1

    def _alone(self, at: int, url: str, *, arrow: bool) -> int:
        """An address alone on its line: a button under the sentence that speaks of it."""
        before = self._before(at)
        after = self._after(at)
        several = any(one and one.kind is Kind.TEXT and _only_address(one) for one in (before, after))
        spoken = (
            before
            if before and before.kind is Kind.TEXT and before.text.strip() and not _only_address(before)
            else None
        )
        if several or not (arrow or (spoken and signs.opens_list(spoken.text) and len(spoken.text) <= INTRO)):
            return at
        if spoken is None or at - 1 in self.signature:
            self._button(at, run(LEARN_MORE), url)
            return at
        lead, rest = signs.lead(spoken.text)
        bare = rest.rstrip(" :：👇⬇\ufe0f")
        if (
            len(bare) <= LABEL
            and signs.opens_list(spoken.text)
            and not lead
            and not any(one.href for one in spoken.rich)
        ):
            self._button(at, run(bare), url)
            del self.pieces[at - 1]
            return at - 1
        self._button(at, run(shorter(spoken.text)), url)
        return at

    def _button(self, at: int, label: Rich, url: str) -> None:
        piece = self.pieces[at]
        words = plain(label).strip() or LEARN_MORE
        rich = tuple(replace(one, href=url) for one in (label if plain(label).strip() else run(words)))
        self.pieces[at] = replace(piece, kind=Kind.BUTTON, rich=rich)
        invented = " with words of our own" if words == LEARN_MORE else ""
        self._guess(self.pieces[at], f"made a button{invented}", "button")

    # --- quotations ---

    def _quotations(self) -> None:
        at = 0
        while at < len(self.pieces):
            if self.pieces[at].kind is Kind.TEXT and at not in self.signature:
                self._quotation(at)
            elif self.pieces[at].kind is Kind.QUOTE:
                self._source_below(at)
            at += 1

    def _source_below(self, at: int) -> None:
        """A source line under a quotation belongs to it."""
        after = self._after(at)
        if after and after.kind is Kind.TEXT and signs.is_attribution(after.text) and at + 1 not in self.signature:
            last = self.pieces[at].text.split("\n")[-1]
            if not signs.is_attribution(last):
                self._sourced(at, self.pieces[at].rich, after.rich)
                del self.pieces[at + 1]

    def _sourced(self, at: int, words: Rich, source: Rich) -> None:
        named = re.match(r"(?:—|–|--|―|-)\s*", plain(source))
        name = cut(source, named.end() if named else 0)
        self.pieces[at] = replace(self.pieces[at], kind=Kind.QUOTE, rich=(*words, Run("\n— "), *name))

    def _quotation(self, at: int) -> None:
        piece = self.pieces[at]
        before, after = self._before(at), self._after(at)
        named = (
            after is not None
            and after.kind is Kind.TEXT
            and signs.is_attribution(after.text)
            and at + 1 not in self.signature
        )
        if signs.is_quoted(piece.text):
            named = named or (after is not None and self._is_name(at + 1, after))
            if named and after:
                self._sourced(at, piece.rich, after.rich)
                del self.pieces[at + 1]
                self._guess(self.pieces[at], "made a quotation (quotation marks, then a name)", "quote")
            elif (
                before
                and before.kind is Kind.TEXT
                and signs.opens_list(before.text)
                and not (after and signs.is_quoted(after.text))
            ):
                self.pieces[at] = replace(piece, kind=Kind.QUOTE)
                self._guess(piece, "made a quotation (quotation marks after a colon)", "quote")
            return
        inside = re.fullmatch(
            r"(?P<words>[“„«\"「『].{10,}[”“»\"」』][.,]?)\s*(?P<by>(?:—|–|--|―|-)\s*\S.{0,80})", piece.text, re.DOTALL
        )
        if inside and signs.is_quoted(inside["words"]) and signs.is_attribution(inside["by"]):
            self._sourced(at, stripped(cut(piece.rich, 0, inside.end("words"))), cut(piece.rich, inside.start("by")))
            self._guess(piece, "made a quotation (quotation marks, then a name)", "quote")
            return
        if named and after and not after.gap and signs.ended(piece.text) and len(piece.text) <= 2 * TITLE:
            last = at + 2 >= len(self.pieces)
            if not last and not after.text.startswith(("- ", "-")):
                self._sourced(at, piece.rich, after.rich)
                del self.pieces[at + 1]
                self._guess(self.pieces[at], "made a quotation (a name below it)", "quote")

    def _is_name(self, at: int, piece: Piece) -> bool:
        """Whether the line below a quotation is the name of who said it, without a dash."""
        beyond = self._after(at)
        few = 5
        return (
            piece.kind is Kind.TEXT
            and not piece.gap
            and not self.dense
            and (beyond is None or beyond.gap or beyond.kind is not Kind.TEXT)
            and signs.is_title_case(piece.text)
            and signs.words(piece.text) <= few
            and not signs.ended(piece.text)
        )

    # --- emoji at the start of lines ---

    def _emoji(self) -> None:
        at = 0
        while at < len(self.pieces):
            end = self._emoji_run(at)
            if end > at:
                self._emoji_list(at, end)
            at = max(end, at + 1)

    def _emoji_run(self, at: int) -> int:
        """The end of a run of lines that begin with emoji and stand together."""
        end = at
        while end < len(self.pieces) and self.pieces[end].kind is Kind.TEXT and end not in self.signature:
            piece = self.pieces[end]
            emoji, rest = signs.lead(piece.text)
            if not emoji or not rest or signs.is_arrow(emoji) or len(piece.text) > 2 * ITEM or "\n" in piece.text:
                break
            if end > at and piece.gap and not self.pieces[at].gap and not self.dense and end > at + 1:
                break
            end += 1
        return end

    def _emoji_list(self, at: int, end: int) -> None:
        leads = [_first_sign(piece.text) for piece in self.pieces[at:end]]
        start = at
        while start < end:
            stop = start + 1
            while stop < end and leads[stop - at] == leads[start - at]:
                stop += 1
            if stop - start > 1:
                self._make_list(start, stop, "same emoji at the start")
            start = stop
        several = 3
        before = self._before(at)
        introduced = before is not None and before.kind is Kind.TEXT and signs.opens_list(before.text)
        if all(piece.kind is Kind.TEXT for piece in self.pieces[at:end]) and (
            end - at >= several or (introduced and end - at > 1)
        ):
            last = self.pieces[end - 1]
            follows = self._after(end - 1)
            heads = (
                not introduced
                and signs.heading_shape(last.text)
                and follows is not None
                and follows.kind is Kind.TEXT
                and signs.words(follows.text) > signs.SHORT_WORDS
                and (last.gap or self.dense)
            )
            if heads and end - 1 - at < several:
                return
            self._make_list(at, end - 1 if heads else end, "emoji at the start of each line")

    def _make_list(self, start: int, end: int, why: str) -> None:
        group = self.groups = self.groups + 1
        self._guess(self.pieces[start], f"made a list of {end - start} ({why})", "list")
        for at in range(start, end):
            self.pieces[at] = replace(self.pieces[at], kind=Kind.ITEM, level=0, group=group, style="guess")

    # --- headings that show it by themselves ---

    def _plain_headings(self) -> None:
        for at, piece in enumerate(self.pieces):
            if piece.kind is not Kind.TEXT or piece.of_item or at in self.signature or "\n" in piece.text:
                continue
            if piece.style in _BESIDE:
                continue
            if why := self._shows(at, piece):
                self._make_heading(at, why)

    def _make_heading(self, at: int, why: str) -> None:
        piece = self.pieces[at]
        rich = tuple(replace(one, bold=False) for one in piece.rich) if all_bold(piece.rich) else piece.rich
        if bold := raw_bold(piece.rich):
            rich = (Run(bold, raw=True),)
        self.pieces[at] = replace(piece, kind=Kind.HEADING, rich=rich, level=2, style="guess")
        self._guess(piece, f"made a heading ({why})", "heading")

    def _shows(self, at: int, piece: Piece) -> str:
        text = raw_bold(piece.rich) or piece.text.strip()
        after = self._after(at)
        if not signs.heading_shape(text) or signs.never_heading(text) or after is None:
            return ""
        emoji, rest = signs.lead(text)
        if emoji:
            titled = not signs.key_value(rest) or (not _is_fact(rest) and self._paragraph(after))
            fine = titled and not signs.is_arrow(emoji) and not signs.is_contact_sign(emoji)
            if fine and not signs.never_heading(rest) and not self._speaks(rest) and self._headed(at, after):
                return "short line, emoji"
            return ""
        if signs.is_capitals(text) and not (_is_fact(text) or _keyed_plainly(text)) and self._own_line(at, after):
            return "capitals"
        if (all_bold(piece.rich) or raw_bold(piece.rich)) and self._bold_head(at, after):
            return "bold short line"
        return ""

    def _speaks(self, rest: str) -> bool:
        """Whether the words after an emoji are a sentence that lost its full stop, among titles that are titles."""
        few = 5
        if signs.words(rest) < few or signs.is_title_case(rest) or not signs.is_cased(rest):
            return False
        others = [
            signs.lead(one.text) for one in self.pieces if one.kind in {Kind.TEXT, Kind.HEADING} and one.text != rest
        ]
        titles = sum(
            bool(emoji) and signs.heading_shape(words) and signs.is_title_case(words) for emoji, words in others
        )
        return bool(_ADDRESSED.match(rest)) or (titles > 1 and self.lang == "en")

    def _headed(self, at: int, after: Piece) -> bool:
        """Whether what follows an emoji line can stand under a heading."""
        before = self._before(at)
        if (
            before is not None
            and signs.opens_list(before.text)
            and before.kind is Kind.TEXT
            and after.kind is not Kind.TEXT
        ):
            return False
        return after.kind is not Kind.RULE and not (after.kind is Kind.TEXT and signs.is_signoff(after.text))

    def _own_line(self, at: int, after: Piece) -> bool:
        """Capitals in verse or in an address have short lines around them."""
        before = self._before(at)
        crowd = [
            one for one in (before, after) if one is not None and one.kind is Kind.TEXT and signs.is_capitals(one.text)
        ]
        close = before is not None and before.kind is Kind.TEXT and not self.pieces[at].gap and not self.dense
        return not crowd and not (
            close and before is not None and len(before.text) <= LINE and not signs.ended(before.text)
        )

    def _bold_head(self, at: int, after: Piece) -> bool:
        if after.kind is Kind.TEXT and (all_bold(after.rich) or raw_bold(after.rich)):
            return False
        if _is_fact(self.pieces[at].text) or _keyed_plainly(self.pieces[at].text):
            return False
        return after.kind is not Kind.RULE and not signs.is_attribution(after.text)

    # --- lists after a colon ---

    def _colon_lists(self) -> None:
        at = 0
        while at < len(self.pieces):
            piece = self.pieces[at]
            opens = (
                piece.kind is Kind.TEXT and signs.opens_list(piece.text.split("\n")[-1]) and len(piece.text) <= INTRO
            )
            heads = piece.kind is Kind.HEADING and signs.opens_list(piece.text)
            if (
                (opens or heads)
                and not signs.is_greeting(piece.text)
                and at not in self.signature
                and not piece.of_item
            ):
                end = self._items_end(at + 1)
                few = 2
                if end - at - 1 >= few and not self._is_address(at + 1, end):
                    self._make_list(at + 1, end, "short lines after a colon")
                    at = end - 1
            at += 1

    def _is_address(self, start: int, end: int) -> bool:
        """Whether lines after a colon are where something is, and no list."""
        lines = [piece.text for piece in self.pieces[start:end]]
        few = 5
        return (
            len(lines) <= few
            and any(contact.is_address(line) for line in lines)
            and not any("," not in line and signs.ended(line) for line in lines)
        )

    def _items_end(self, start: int) -> int:
        """The end of the lines from `start` that are alike enough to be items."""
        end = start
        longest = 0
        kind = ""
        spaced = False
        while end < len(self.pieces) and self._may_be_item(end):
            piece = self.pieces[end]
            text = piece.text
            if end == start:
                kind = signs.ending(text)
            elif end == start + 1:
                spaced = piece.gap
            if end > start and (
                (piece.gap and not spaced)
                or not _same_ending(kind, signs.ending(text))
                or len(text) > max(1.9 * longest, LINE + 10)
                or (signs.refers_back(text) and not signs.refers_back(self.pieces[start].text) and end > start + 1)
                or (spaced and self._begins_text(end))
            ):
                break
            longest = max(longest, len(text))
            end += 1
        commas = sum(piece.text.rstrip().endswith((",", "،", "，")) for piece in self.pieces[start:end])
        close = all(one.style in {"line", "lines"} and not one.gap for one in self.pieces[start + 1 : end])
        if commas and close and commas >= (end - start) // 2:
            return start  # lines of one paragraph, set by hand: verse
        return self._not_a_lead(start, end)

    def _begins_text(self, at: int) -> bool:
        """In a list with blank lines between, a line after which the text goes on without one."""
        after = self._after(at)
        return after is not None and after.kind is Kind.TEXT and not after.gap and not self.dense

    def _not_a_lead(self, start: int, end: int) -> int:
        """A last line that opens the next list, or is the title of what follows, is no item."""
        while end > start and signs.opens_list(self.pieces[end - 1].text):
            end -= 1
        after = self.pieces[end] if end < len(self.pieces) else None
        few = 2
        if end - start > few and after is not None and after.kind is Kind.TEXT:
            last, others = self.pieces[end - 1], self.pieces[start : end - 1]
            alone = last.gap and after.gap and not all(one.gap for one in others[1:])
            titled = (
                signs.is_title_case(last.text)
                and self.lang != "de"
                and not any(signs.is_title_case(one.text) for one in others)
                and signs.heading_shape(last.text)
                and signs.words(after.text) > signs.SHORT_WORDS
            )
            if alone or titled:
                end -= 1
        return end

    def _may_be_item(self, at: int) -> bool:
        piece = self.pieces[at]
        text = piece.text
        if piece.kind is not Kind.TEXT or piece.of_item or at in self.signature or "\n" in text:
            return False
        emoji, rest = signs.lead(text)
        return (
            len(text) <= ITEM
            and signs.sentences(text) == 1
            and not signs.is_url(text)
            and not signs.is_arrow(emoji)
            and not signs.is_postscript(text)
            and not signs.is_signoff(text)
            and not signs.is_dialogue(text)
            and not signs.is_hashtags(text)
            and not signs.is_attribution(text)
            and not (signs.is_quoted(text) and len(text) > LINE)
            and bool(rest.strip())
        )

    def _link_lists(self) -> None:
        """Addresses that stand under each other."""
        at = 0
        while at < len(self.pieces):
            end = at
            while end < len(self.pieces) and self.pieces[end].kind is Kind.TEXT and _only_address(self.pieces[end]):
                end += 1
            if end - at > 1:
                self._make_list(at, end, "addresses one under the other")
            at = max(end, at + 1)

    # --- short lines that stand alone ---

    def _isolated(self) -> None:
        strong = self._explicit() >= 2 or self._guessed("emoji") >= 3  # noqa: PLR2004
        candidates = [(at, self._stands_out(at, strong=strong)) for at in range(len(self.pieces))]
        titled = sum(why == "every word begins with a capital" for _, why in candidates)
        alike = sum(why in {_ASKS, _ALONE} for _, why in candidates)
        for at, why in candidates:
            if why == _ASKS and alike < _SEVERAL:
                continue  # one question between paragraphs, and no other title, is a question
            if why and (at > 0 or titled > 1):
                self._make_heading(at, why)

    def _guessed(self, why: str) -> int:
        return sum(f"heading (short line, {why}" in guess.what for guess in self.guesses)

    def _stands_out(self, at: int, *, strong: bool) -> str:  # noqa: PLR0911  each reason apart
        piece = self.pieces[at]
        text = piece.text.strip()
        if piece.kind is not Kind.TEXT or piece.of_item or at in self.signature or "\n" in text:
            return ""
        if piece.style in _BESIDE or signs.lead(text)[0] or not signs.heading_shape(text):
            return ""
        if signs.never_heading(text) or _byline(text):
            return ""
        if _is_fact(text) or _keyed_plainly(text):
            return ""
        before, after = self._before(at), self._after(at)
        if after is None or not self._body(after) or not (_done(before) or self._after_lines(at)):
            return ""
        titled = signs.is_title_case(text) and self.lang != "de"
        open_ = piece.gap or self.dense or before is None or before.kind is not Kind.TEXT
        if titled and open_ and (not strong or self._paragraph(after)):
            return "every word begins with a capital"
        asks = signs.ending(text) == "?"
        if before is None or strong or (signs.words(text) > signs.SHORT_WORDS and not asks):
            return ""
        if signs.is_cased(text) and not text.lstrip("\"'“„«»¿¡(0123456789. ")[:1].isupper():
            return ""
        apart = (piece.gap and (after.gap or self._paragraph(after) or after.kind is not Kind.TEXT)) or self.dense
        if asks:
            return _ASKS if apart and self._paragraph(after) and signs.ending(after.text) != "?" else ""
        return _ALONE if apart else ""

    def _after_lines(self, at: int) -> bool:
        """Whether a blank line parts this one from verse, an address or facts above it."""
        before = self._before(at)
        return self.pieces[at].gap and before is not None and (not before.gap or signs.key_value(before.text))

    def _body(self, piece: Piece) -> bool:
        """Whether a piece can stand under a heading."""
        if piece.kind is not Kind.TEXT:
            return piece.kind not in {Kind.RULE, Kind.HEADING}
        return self._paragraph(piece) or signs.opens_list(piece.text)

    def _paragraph(self, piece: Piece) -> bool:
        few = 6
        text = piece.text
        long = signs.words(text) > signs.SHORT_WORDS or signs.sentences(text) > 1
        return piece.kind is Kind.TEXT and (long or (signs.ended(text) and signs.words(text) >= few))

    # --- after all are made ---

    def _demote(self) -> None:
        """A guessed heading with nothing under it is none."""
        for at, piece in enumerate(self.pieces):
            after = self._after(at)
            if piece.kind is not Kind.HEADING or piece.sure:
                continue
            if after is None or (after.kind is Kind.RULE and at + 2 >= len(self.pieces)):
                self.pieces[at] = replace(piece, kind=Kind.TEXT, style="")
                self.guesses = [
                    guess for guess in self.guesses if not (guess.line == piece.line and guess.words == piece.text)
                ]

    def _levels(self) -> None:
        """The largest size in use becomes `##`, the others `###`."""
        sizes = sorted({piece.level for piece in self.pieces if piece.kind is Kind.HEADING and piece.sure})
        under = False
        for at, piece in enumerate(self.pieces):
            if piece.kind is not Kind.HEADING:
                continue
            if piece.sure:
                under = under or piece.level == sizes[0]
                size = 2 if piece.level == sizes[0] or not under else 3
            else:
                size = 3 if under and piece.style == "guess" and self._bold_guess(piece) else 2
            self.pieces[at] = replace(piece, level=size)

    def _bold_guess(self, piece: Piece) -> bool:
        return any(
            guess.line == piece.line and "bold" in guess.what and guess.words == piece.text for guess in self.guesses
        )

    def _space_after_emoji(self) -> None:
        """`🌿The` gets the blank it misses."""
        for at, piece in enumerate(self.pieces):
            if piece.kind is not Kind.HEADING or not piece.rich:
                continue
            emoji, rest = signs.lead(piece.text)
            if emoji and rest and piece.text.startswith(emoji + rest[:1]):
                tail = cut(piece.rich, len(emoji))
                self.pieces[at] = replace(piece, rich=(Run(f"{emoji} ", raw=piece.rich[0].raw), *tail))

    def _paragraphs(self) -> None:
        """Short lines that stand together are one paragraph with line breaks: verse, address, signature."""
        groups: list[list[Piece]] = []
        for at, piece in enumerate(self.pieces):
            if groups and self._same_paragraph(replace(groups[-1][-1], style=groups[-1][0].style), piece, at):
                groups[-1].append(piece)
            else:
                groups.append([piece])
        self.pieces = [
            replace(group[0], rich=joined((one.rich for one in group), "\n")) if len(group) > 1 else group[0]
            for group in groups
        ]

    def _same_paragraph(self, last: Piece, piece: Piece, at: int) -> bool:
        if piece.kind is not Kind.TEXT or last.kind is not Kind.TEXT or piece.gap or piece.of_item != last.of_item:
            return False
        if at in self.signature and at - 1 in self.signature:
            return True
        if piece.style in {"p", *_BESIDE}:
            return False  # the source has paragraphs, and this is one
        lines = last.text.split("\n")
        short = len(lines[-1]) <= LINE and len(piece.text) <= LINE
        facts = signs.key_value(lines[-1]) and signs.key_value(piece.text) and len(lines[-1]) <= ITEM
        if self.dense and signs.ended(lines[-1]) and not facts:
            return False
        return (short or facts or (not self.dense and last.style == "lines")) and not signs.opens_list(lines[-1])

    def _card(self) -> None:
        """The call that ends a letter is set apart: its sentence, and one before it."""
        at = len(self.pieces) - 1
        few = 3
        if at < few or self.pieces[at].kind is not Kind.BUTTON or not self.whole:
            return
        sentence = self.pieces[at - 1]
        if sentence.kind is not Kind.TEXT or not (signs.opens_list(sentence.text) or signs.lead(sentence.text)[0]):
            return
        first = at - 1
        before = self.pieces[at - 2]
        if (
            before.kind is Kind.TEXT
            and len(before.text) <= _CARD
            and "\n" not in before.text
            and at - 2 not in self.signature
        ):
            first = at - 2
        for place in range(first, at + 1):
            self.pieces[place] = replace(self.pieces[place], style="card")
        self._guess(self.pieces[first], "put a frame around the last call", "If wrong, delete the two lines with :::.")

    def _tell(self) -> None:
        for piece in self.pieces:
            if piece.kind is Kind.TABLE and not piece.sure:
                words = Piece(Kind.TEXT, piece.rows[0][0] if piece.rows and piece.rows[0] else (), piece.line)
                self._guess(words, "made a table (columns)", "table")
            elif piece.kind is Kind.HEADING and piece.style == "sign":
                self._guess(piece, f"made a heading (it began with {piece.mark.strip()})", "heading")
            elif piece.kind is Kind.CODE and not piece.sure:
                self._guess(piece, "kept lines as code (set in)", "code")


_BESIDE = {"subtitle", "caption"}
_WORDLESS = {Kind.RULE, Kind.TABLE, Kind.PICTURE, Kind.CODE, Kind.VERBATIM}


def _linked(rows: tuple[tuple[Rich, ...], ...]) -> tuple[tuple[Rich, ...], ...]:
    return tuple(tuple(links.linked(cell) for cell in row) for row in rows)


def _bare(text: str) -> str:
    return re.sub(r"\W+", " ", text).strip().casefold()


def _first_sign(text: str) -> str:
    emoji, _ = signs.lead(text)
    return emoji.replace("\ufe0f", "")


def _done(before: Piece | None) -> bool:
    """Whether what stands before is finished, so that something new can begin."""
    if before is None or before.kind is not Kind.TEXT:
        return True
    few = 12
    return (
        signs.ended(before.text) or signs.words(before.text) > few or signs.is_greeting(before.text) or before.of_item
    )


_ADDRESSED = re.compile(
    r"(?:thank|thanks|we|i|you|don[’']t|let[’']s|see you|please|it[’']s|this is|here[’']s|wir|danke|bitte|"
    r"ihr|sie|gracias|nos|"
    r"merci|nous|vous)\b",
    re.IGNORECASE,
)
_STEP = re.compile(
    r"(?:step|part|week|day|tip|lesson|chapter|exercise|stage|principle|schritt|teil|woche|tag|übung|paso|"
    r"parte|semana|día|étape|partie|"
    r"semaine|jour|שלב|יום|الخطوة|اليوم|ステップ|第)\s*[#\w]{1,5}\s*[:：.–—-]",
    re.IGNORECASE,
)


def _step(text: str) -> bool:
    """`Step 1: Breathe` is no fact with a name, but a title with a number."""
    return bool(_STEP.match(text.strip()))


_FACTS = re.compile(
    r"(?:when|where|who|date|day|time|hours?|cost|price|fee|location|place|venue|address|rsvp|phone|e-?mail|web(?:site)?|note|"
    r"wann|wo|wer|datum|uhrzeit|zeit|ort|preis|kosten|eintritt|cuándo|dónde|fecha|hora|lugar|precio|quand|où|heure|lieu|prix|tarif|"
    r"מתי|איפה|מחיר|متى|أين|السعر|日時|場所|时间|地点)",
    re.IGNORECASE,
)


def _is_fact(text: str) -> bool:
    """`When: Tuesday, 7 pm`: a fact, whatever its letters look like."""
    key, _, value = text.strip().replace("：", ":").partition(":")
    if not signs.key_value(text) or _step(text):
        return False
    return bool(_FACTS.fullmatch(key.strip())) or any(ch.isdigit() for ch in value)


def _keyed_plainly(text: str) -> bool:
    """`Rooms: bring a towel`: a name and a sentence, which is no title."""
    return signs.key_value(text) and not _step(text) and not signs.is_title_case(text)


def _byline(text: str) -> bool:
    most = 7
    found = re.match(r"(?:by|von|por|par|di|door|מאת|بقلم|文[:：]?|作者)\s+(?P<name>\w)", text, re.IGNORECASE)
    return found is not None and not found["name"].islower() and signs.words(text) <= most


def _same_ending(first: str, other: str) -> bool:
    return first == other


def shorter(sentence: str) -> str:
    """A label for a button out of a sentence: its beginning, to the first pause, 45 characters at most."""
    _, rest = signs.lead(sentence.strip().split("\n")[-1])
    end = re.search(
        r"\s\+\s|,(?=\s)|\s(?:or|oder|ou|o)\s|[;:：，、；](?=\s|$)|[.!?。！？](?=\s|$)|\s[–—-]\s|\s\(", rest
    )
    label = (rest[: end.start()] if end else rest).strip(" .:：!👇⬇\ufe0f")
    return label if 1 < len(label) <= LABEL else LEARN_MORE


_ASCII_ARROW = re.compile(r"(?:-{1,3}>|={1,3}>|>{2,3}|»)\s*")


def _arrow(rich: Rich) -> tuple[str, Rich]:
    """The arrow a line begins with, and the rest."""
    text = plain(rich)
    emoji, rest = signs.lead(text)
    if signs.is_arrow(emoji):
        return emoji, cut(rich, len(text) - len(rest))
    if found := _ASCII_ARROW.match(text):
        return found.group().strip(), cut(rich, found.end())
    return "", rich


def _address_in(rich: Rich) -> tuple[str, Rich]:
    """The web address at the end of a line (or its only link), and the words beside it."""
    linked = [one for one in rich if one.href.startswith(("http://", "https://"))]
    if len({one.href for one in linked}) != 1 or any(one.raw for one in rich):
        return ("", rich) if not _raw_address(rich) else (_raw_address(rich), ())
    shown = "".join(one.text for one in linked).strip()
    if links.web(shown) == linked[0].href or signs.is_url(shown):
        last = rich[-1] if plain(rich[-1:]).strip(" .>)") else rich[-2]
        words = tuple(one for one in rich if not one.href)
        return (linked[0].href, words) if last.href else ("", rich)
    alone = not "".join(one.text for one in rich if not one.href).strip(" :→➡👉>»")
    return (linked[0].href, tuple(linked)) if alone else ("", rich)


def _raw_address(rich: Rich) -> str:
    text = plain(rich).strip()
    return links.web(text) if rich and all(one.raw for one in rich) and signs.is_url(text) else ""


def _only_address(piece: Piece) -> str:
    """The address, when a line is nothing else."""
    text = piece.text.strip()
    if not signs.is_url(text):
        return ""
    return next((one.href for one in piece.rich if one.href), "") or links.web(text)


_DEFINITION = re.compile(r"(?:\[(?P<n>\d{1,2})\]:?|(?P<sup>[¹²³⁴-⁹]{1,2})|(?P<plain>\d{1,2})[.:)])\s*(?P<rest>.*)")
_SUPERSCRIPT = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹", "0123456789")


def _defined(piece: Piece) -> list[tuple[str, str, str]]:
    """Number, address and other words of a line that defines a note; nothing for any other line."""
    if piece.kind not in {Kind.TEXT, Kind.ITEM} or any(one.raw for one in piece.rich):
        return []
    text = piece.text.strip()
    if piece.kind is Kind.ITEM and piece.ordered:
        text = f"{piece.number}. {text}"
    found = _DEFINITION.fullmatch(text)
    if not found:
        return []
    number = found["n"] or (found["sup"] or "").translate(_SUPERSCRIPT) or found["plain"]
    url = re.search(r"[<(]?(?:https?://|www\.)[^\s<>()]+[>)]?", found["rest"])
    if url is None or not found["rest"].rstrip(".").endswith(url.group().rstrip(".")):
        return []
    rest = found["rest"][: url.start()].strip(" :–—-,.")
    if found["plain"] and rest:
        return []
    return [(number, links.web(url.group()), rest)]


_REFERENCE = re.compile(r"\[(?P<n>\d{1,2})\](?!\(|:)|(?<=\S)(?P<sup>[¹²³⁴-⁹]{1,2})")


def _referring(rich: Rich, known: dict[str, str]) -> tuple[Rich, set[str]]:
    """The words with each mark of a known note as a link."""
    used: set[str] = set()
    whole: list[Run] = []
    for one in rich:
        done = 0
        for found in _REFERENCE.finditer(one.text) if known and not one.href and not one.code and not one.raw else ():
            number = found["n"] or found["sup"].translate(_SUPERSCRIPT)
            if number in known:
                used.add(number)
                whole += [
                    replace(one, text=one.text[done : found.start()]),
                    replace(one, text=found.group(), href=known[number]),
                ]
                done = found.end()
        whole.append(replace(one, text=one.text[done:]))
    return tuple(one for one in whole if one.text or one.src), used


# --- markers typed into paragraphs ------------------------------------------------------------------------


def marks(pieces: Sequence[Piece]) -> list[Piece]:
    """Paragraphs that begin with a typed `•` or `1.` as items: documents of Word and the web have them.

    Plain text has been read for them already, so nothing is left to do there.
    """
    made = list(pieces)
    group = 1000 + max((piece.group for piece in pieces), default=0)
    at = 0
    while at < len(made):
        end = _run_of(made, at, _bulleted)
        few = 2
        if end - at == 1 and signs.bullet_of(made[at].text)[0] in "—–-":
            end = at  # alone it is a pause, or who said what stands above
        if end - at >= few or (end - at == 1 and signs.bullet_of(made[at].text)[0] in "•◦▪‣●■⁃"):
            group += 1
            base = signs.bullet_of(made[at].text)[0]
            for place in range(at, end):
                sign, long = signs.bullet_of(made[place].text)
                depth = int(sign != base and sign in "o◦▫‣–·⁃")
                made[place] = replace(
                    made[place], kind=Kind.ITEM, rich=stripped(cut(made[place].rich, long)), level=depth, group=group
                )
        at = max(end, at + 1)
    return _numbered(made, group)


def _run_of(pieces: Sequence[Piece], at: int, fits: Callable[[Piece], bool]) -> int:
    end = at
    while end < len(pieces) and fits(pieces[end]):
        end += 1
    return end


def _bulleted(piece: Piece) -> bool:
    if piece.kind is not Kind.TEXT or (piece.rich and piece.rich[0].raw):
        return False
    sign, long = signs.bullet_of(piece.text)
    return bool(long) and sign not in ">»→"


def _numbered(made: list[Piece], group: int) -> list[Piece]:
    last: tuple[int, int, str] | None = None
    counted = {
        at: signs.number_of(piece.text)
        for at, piece in enumerate(made)
        if piece.kind is Kind.TEXT and not piece.rich[0].raw
    }
    for at, (number, style, long) in counted.items():
        if not long:
            continue
        goes_on = last is not None and last[1] == number - 1 and last[2] == style and at - last[0] <= 4  # noqa: PLR2004
        begins = number == 1 and any(counted.get(near, (0, "", 0))[:2] == (2, style) for near in range(at + 1, at + 5))
        if goes_on or begins:
            group += begins
            text = made[at].text
            rich = stripped(cut(made[at].rich, long))
            made[at] = replace(
                made[at],
                kind=Kind.ITEM,
                rich=rich,
                ordered=True,
                number=number,
                group=group,
                style=style,
                mark=text[:long],
            )
            last = (at, number, style)
    return made
