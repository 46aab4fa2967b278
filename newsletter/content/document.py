"""`name: value` text read as it is written: the front matter of an issue, and newsletter.yml.

The parser's events are taken, never its types: every value is the text as typed (`send_at: 12:30` stays
`12:30`, `draft: on` stays `on`), each with its place, so that the reader of the values can type them and
every complaint can point at a line. What the language offers beyond names, values and lists (anchors, tags,
several documents) is refused. Events come from a state machine, so depth cannot exhaust the stack.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import yaml

from newsletter.content import slips
from newsletter.core.problem import Fix, Level, Problem
from newsletter.errors import ContentError

MAX_DEPTH = 20
MAX_LENGTH = 200_000  # characters; newsletter.yml has a few thousand

Place = tuple[int, int]
"""Line and column, from 1, in characters as typed."""


@dataclass(frozen=True)
class Scalar:
    """A value as typed, without its quotes."""

    text: str
    place: Place
    quoted: bool = False


@dataclass(frozen=True)
class Items:
    """A list."""

    nodes: tuple[Node, ...]
    place: Place


@dataclass(frozen=True)
class Entries:
    """Names with their values; `keys` knows where each name stands."""

    nodes: Mapping[str, Node]
    keys: Mapping[str, Place]
    place: Place


Node = Scalar | Items | Entries


@dataclass(frozen=True)
class Document:
    """What was read, and where each part of it stands."""

    root: Entries
    file: str
    lines: tuple[str, ...] = field(repr=False)
    first_line: int = 1
    whole: bool = True  # False: reading stopped early, so what is absent may be there all the same

    def plain(self) -> dict[str, Any]:
        """The values alone: nested dicts, lists and text; a value left empty is None, `''` is empty text."""
        return {key: _plain(node) for key, node in self.root.nodes.items()}

    def place(self, loc: Sequence[str | int], *, key: bool = False) -> Place:
        """Line and column of the value at `loc`.

        Of its name, when the value is empty or a whole block, or `key` asks for it (an unknown name). When
        `loc` leads nowhere, of the last part of it that exists.
        """
        node: Node = self.root
        place = (self.first_line, 1)
        for step in loc:
            child = _child(node, step)
            if child is None:
                break
            if isinstance(node, Entries):
                place = node.keys[str(step)]
            if (isinstance(child, Scalar) and child.text and not key) or isinstance(node, Items):
                place = child.place
            node = child
        return place

    def source(self, line: int) -> str:
        """A line as typed; nothing for a line that does not exist."""
        at = line - self.first_line
        return self.lines[at] if 0 <= at < len(self.lines) else ""

    def problem(
        self,
        loc: Sequence[str | int],
        code: str,
        message: str,
        fix: str = "",
        *,
        level: Level = Level.ERROR,
        key: bool = False,
    ) -> Problem:
        """A finding about the value at `loc` (with `key`, about its name), with its line."""
        line, col = self.place(loc, key=key)
        return Problem(self.file, line, col, code, level, message, fix, self.source(line))


def _child(node: Node | None, step: str | int) -> Node | None:
    if isinstance(node, Entries):
        return node.nodes.get(str(step))
    if isinstance(node, Items) and isinstance(step, int) and 0 <= step < len(node.nodes):
        return node.nodes[step]
    return None


def _plain(node: Node) -> Any:
    if isinstance(node, Entries):
        return {key: _plain(child) for key, child in node.nodes.items()}
    if isinstance(node, Items):
        return [_plain(child) for child in node.nodes]
    return node.text if node.text or node.quoted else None


def parse(text: str, file: str, first_line: int = 1) -> Document:
    """Read a document.

    In: the text, the name of its file for messages, the line of the file its first line is.
    Raises: ContentError with everything found (E100-E104, E106, E108, E109, E111).
    """
    document, problems = read(text, file, first_line)
    if problems:
        raise ContentError(problems)
    return document


def read(text: str, file: str, first_line: int = 1) -> tuple[Document, tuple[Problem, ...]]:
    """Like `parse`, with the problems beside what could be read of the rest. Never raises."""
    lines = tuple(text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n").split("\n"))
    maker = _Maker(file, lines, first_line)
    if len(text) > MAX_LENGTH:
        maker.note((first_line, 1), "E111", f"this is longer than {MAX_LENGTH:,} characters", "Shorten it.")
        return Document(_NOTHING, file, lines, first_line, whole=False), tuple(maker.problems)
    readable = maker.readable()
    mended, found = slips.mend(readable)
    for slip in found:
        same = readable[slip.row] == lines[slip.row]  # else mending would take away more than the slip
        maker.note(
            (slip.row + first_line, slip.col + 1), slip.code, slip.message, slip.fix, slip.mended if same else None
        )
    root = maker.build("\n".join(mended))
    return Document(root, file, lines, first_line, maker.whole), tuple(sorted(maker.problems))


_NOTHING = Entries({}, {}, (1, 1))
_UNREADABLE = re.compile("[^\t\n\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_OTHER_BREAKS = str.maketrans("\x85\u2028\u2029", "   ")  # line ends to the parser, none to an editor


class _Frame:
    """A list or a block of names that is not finished yet."""

    def __init__(self, place: Place, *, named: bool) -> None:
        self.place = place
        self.named = named
        self.items: list[Node] = []
        self.entries: dict[str, Node] = {}
        self.keys: dict[str, Place] = {}
        self.key: str | None = None

    def node(self) -> Node:
        """What it holds so far."""
        if self.named:
            return Entries(self.entries, self.keys, self.place)
        return Items(tuple(self.items), self.place)


class _Stop(Exception):
    """No sense in reading on: the problem is noted."""


class _Maker:
    """Makes nodes of events, and problems of what cannot be read."""

    def __init__(self, file: str, lines: Sequence[str], first_line: int) -> None:
        self.file = file
        self.lines = lines
        self.first_line = first_line
        self.problems: list[Problem] = []
        self.whole = True

    def note(self, place: Place, code: str, message: str, fix: str = "", mended: str | None = None) -> None:
        """Remember a problem, with the whole line as it should be where that is certain."""
        at = place[0] - self.first_line
        source = self.lines[at] if 0 <= at < len(self.lines) else ""
        auto = Fix(self.file, place[0], place[0], mended) if mended is not None else None
        self.problems.append(Problem(self.file, *place, code, Level.ERROR, message, fix, source, auto))

    def readable(self) -> list[str]:
        """The lines with every character that cannot be read noted, and a blank in its place."""
        for row, line in enumerate(self.lines):
            if bad := _UNREADABLE.search(line):
                message = f"there is an invisible character here (U+{ord(bad.group()):04X})"
                self.note(
                    (row + self.first_line, bad.start() + 1), "E111", message, "Delete it and type the word anew."
                )
        return [_UNREADABLE.sub(" ", line).translate(_OTHER_BREAKS) for line in self.lines]

    def place(self, mark: Any) -> Place:
        """The place of a parser's mark."""
        return (mark.line + self.first_line, mark.column + 1)

    def build(self, text: str) -> Entries:
        """The root's names and values."""
        frames: list[_Frame] = []
        roots: list[Node] = []
        try:
            for event in _events(text):
                self._take(event, frames, roots)
        except _Stop:
            self.whole = False
        except yaml.YAMLError as trouble:
            self.whole = False
            self._explain(trouble)
        while frames:
            self._put(frames.pop().node(), frames, roots)
        root = roots[0] if roots else _NOTHING
        if isinstance(root, Entries):
            return root
        if not self.problems:
            self.note(root.place, "E109", 'this should be lines of the form "name: value"', "subject: The words")
        return _NOTHING

    def _take(self, event: yaml.Event, frames: list[_Frame], roots: list[Node]) -> None:
        self._refuse(event)
        place = self.place(event.start_mark)
        if isinstance(event, yaml.DocumentStartEvent):
            if roots:
                self.note(
                    place, "E100", "a line of --- begins a second part here, which would be ignored", "Delete it."
                )
                raise _Stop
        elif isinstance(event, yaml.MappingStartEvent | yaml.SequenceStartEvent):
            self._key_is_text(frames, place)
            frames.append(_Frame(place, named=isinstance(event, yaml.MappingStartEvent)))
            if len(frames) > MAX_DEPTH:
                self.note(place, "E106", f"this goes more than {MAX_DEPTH} levels deep", "Make it flatter.")
                raise _Stop
        elif isinstance(event, yaml.MappingEndEvent | yaml.SequenceEndEvent):
            self._put(frames.pop().node(), frames, roots)
        elif isinstance(event, yaml.ScalarEvent):
            self._scalar(event, place, frames, roots)

    def _scalar(self, event: yaml.ScalarEvent, place: Place, frames: list[_Frame], roots: list[Node]) -> None:
        top = frames[-1] if frames else None
        if top is None or not top.named or top.key is not None:
            self._put(Scalar(event.value, place, quoted=event.style is not None), frames, roots)
        elif event.value in top.keys:
            first = top.keys[event.value][0]
            message = f'"{event.value}" is given twice; the first is on line {first}'
            self.note(place, "E104", message, f"Keep one of the two lines: {first} or {place[0]}.")
            top.key = f"{event.value}\0{place[0]}:{place[1]}"  # read on; the second is dropped in _put
        else:
            top.key = event.value
            top.keys[event.value] = place

    def _put(self, node: Node, frames: list[_Frame], roots: list[Node]) -> None:
        if not frames:
            roots.append(node)
            return
        top = frames[-1]
        if not top.named:
            top.items.append(node)
        elif top.key is not None:
            if "\0" not in top.key:
                top.entries[top.key] = node
            top.key = None

    def _key_is_text(self, frames: list[_Frame], place: Place) -> None:
        if frames and frames[-1].named and frames[-1].key is None:
            self.note(place, "E101", "brackets stand here where a name is expected", "Put the text in quotes.")
            raise _Stop

    def _refuse(self, event: yaml.Event) -> None:
        """Anchors, aliases and tags: they begin with a sign that nobody means."""
        sign = ""
        if isinstance(event, yaml.AliasEvent):
            sign = "*"
        elif isinstance(event, yaml.ScalarEvent | yaml.MappingStartEvent | yaml.SequenceStartEvent):
            sign = "&" if event.anchor else "!" if event.tag else ""
        if sign:
            place = self.place(event.start_mark)
            self.note(place, "E101", f'a value that begins with "{sign}" needs quotes', "Put quotes around the value.")
            raise _Stop

    def _explain(self, trouble: yaml.YAMLError) -> None:
        """Say in plain words what the parser could not read, unless a slip of that line has been told."""
        mark = getattr(trouble, "problem_mark", None) or getattr(trouble, "context_mark", None)
        said = str(getattr(trouble, "problem", "") or "")
        context = getattr(trouble, "context_mark", None)
        code, message, fix, at_context = _explanation(said)
        place = self.place(context if at_context and context else mark) if mark else (self.first_line, 1)
        row = min(place[0], self.first_line + len(self.lines) - 1)
        if all(problem.line != row for problem in self.problems):
            self.note((row, place[1] if row == place[0] else 1), code, message, fix)


def _events(text: str) -> Iterator[yaml.Event]:
    return iter(yaml.parse(text, Loader=yaml.SafeLoader))


_EXPLANATIONS = (
    (
        "mapping values",
        "E101",
        'there is a second ":" here, so the value needs quotes',
        "name: 'the whole value'",
        False,
    ),
    ("could not find expected ':'", "E109", 'this line has no name with a ":" after it', "name: value", True),
    ("expected <block end>", "E103", "the spaces before this line do not fit the lines above", "Line it up.", False),
    ("escape", "E101", "a \\ in double quotes has a meaning of its own", "Use single quotes: 'text'", False),
    ("quoted scalar", "E101", "a quotation mark is opened and never closed", "Close it at the end of the value.", True),
    ("flow", "E101", "a bracket is opened and never closed, or a comma is missing", "[first, second]", True),
    (",", "E101", "a bracket is opened and never closed, or a comma is missing", "[first, second]", True),
)


def _explanation(said: str) -> tuple[str, str, str, bool]:
    for sign, code, message, fix, at_context in _EXPLANATIONS:
        if sign in said:
            return code, message, fix, at_context
    return "E101", "this cannot be read as it stands; the value may need quotes", "name: 'the whole value'", False
