"""The issues of a folder as they stand on disk: read, rendered, and remembered until a file changes.

In: a publication's folder and an environment. Out: a `Showing` of an issue. An issue with errors keeps the
last good rendering beside them. Touches files only; needs no database and no provider.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date
from functools import cached_property, partial
from pathlib import Path

from newsletter import settings as settings_
from newsletter.content import archive, check, frontmatter, library, render, text
from newsletter.content.issue import Issue
from newsletter.core.email import Email, fill
from newsletter.core.problem import Level, Problem, errors
from newsletter.core.publication import Publication
from newsletter.errors import ContentError, NewsletterError, NotFound
from newsletter.settings import Settings


@dataclass(frozen=True)
class Line:
    """An issue in the list."""

    stem: str
    subject: str
    date: date | None
    draft: bool
    broken: bool


@dataclass(frozen=True)
class Rendering:
    """An issue as one segment gets it, merge tags neutral."""

    issue: Issue
    email: Email
    public: Callable[[], str] = field(repr=False)

    @cached_property
    def page(self) -> str:
        """The archive page, made when it is looked at."""
        return self.public()

    @property
    def size(self) -> int:
        """Bytes of the mail's HTML."""
        return len(fill(self.email.html, {}).encode())

    @property
    def words(self) -> int:
        """Words of the text."""
        return text.words(self.issue.body)

    @property
    def minutes(self) -> int:
        """Minutes to read it."""
        return text.minutes(self.issue.body)


@dataclass(frozen=True)
class Showing:
    """What there is to see. `stale`: the rendering is of a time before the errors."""

    name: str
    source: str = field(repr=False)
    rendering: Rendering | None
    checked: Callable[[], tuple[Problem, ...]] = field(repr=False)
    stale: bool = False

    @cached_property
    def problems(self) -> tuple[Problem, ...]:
        """All findings, made when they are looked at: the letter is on the screen before."""
        return self.checked()


class Room:
    """Remembers what was rendered. Safe to use from several threads."""

    def __init__(self, root: Path, environ: Mapping[str, str]) -> None:
        self.root = root
        self.environ = environ
        self.version = 0
        self._lock = threading.RLock()
        self._settings = settings_.load(root, environ)
        self._settings_trouble = ""
        self._settings_stamp = _stamps(root)
        self._shown: dict[tuple[Path, str], tuple[tuple[int, int], Showing]] = {}
        self._good: dict[tuple[Path, str], Rendering] = {}
        self._lines: dict[Path, tuple[tuple[int, int], Line]] = {}
        self._guests: dict[str, Path] = {}

    # --- settings ----------------------------------------------------------------------------------

    @property
    def settings(self) -> Settings:
        """The settings as they stand; those of before while newsletter.yml cannot be read."""
        with self._lock:
            if (stamp := _stamps(self.root)) != self._settings_stamp:
                self._settings_stamp = stamp
                try:
                    self._settings, self._settings_trouble = settings_.load(self.root, self.environ), ""
                except NewsletterError as problem:
                    self._settings_trouble = str(problem)
            return self._settings

    @property
    def trouble(self) -> str:
        """What is wrong with newsletter.yml, empty when nothing is."""
        _ = self.settings
        return self._settings_trouble

    @property
    def publication(self) -> Publication:
        """The publication as newsletter.yml has it."""
        return self.settings.publication()

    @property
    def base_url(self) -> str:
        """Where letters say the web side is: links and pictures of a real mail lead there."""
        return self.settings.base_url.rstrip("/")

    def changed(self) -> int:
        """Note that some file was saved. Out: the new version."""
        with self._lock:
            self.version += 1
            return self.version

    # --- issues ------------------------------------------------------------------------------------

    def invite(self, name: str) -> str:
        """The stem of an issue by path or slug, one outside issues/ too. Raises: NotFound."""
        path = library.find(name, self.root)
        if path.resolve().parent != (self.root / library.FOLDER).resolve():
            self._guests[path.stem] = path
        return path.stem

    def path(self, stem: str) -> Path:
        """The file of an issue. Raises: NotFound for a stem that is none of ours, so no path can be asked for."""
        known = {path.stem: path for path in library.issues(self.root)} | self._guests
        if stem not in known:
            raise NotFound(f'There is no issue "{stem}" any more.', "Choose another one.")
        return known[stem]

    def lines(self) -> list[Line]:
        """All issues, the latest first."""
        paths = [*library.issues(self.root), *self._guests.values()]
        with self._lock:
            found = [self._line(path) for path in paths if path.is_file()]
        return sorted(found, key=lambda line: (line.date or date.max, line.stem), reverse=True)

    def _line(self, path: Path) -> Line:
        stamp = self._stamp(path)
        known = self._lines.get(path)
        if known is None or known[0][1] != stamp[1]:
            known = (stamp, self._read_line(path))
            self._lines[path] = known
        return known[1]

    def _read_line(self, path: Path) -> Line:
        try:
            issue = library.load(path, self.publication, self.root)
        except NewsletterError:
            about = frontmatter.of_file_name(path.stem)
            return Line(path.stem, about.slug.replace("-", " ").capitalize() or path.stem, about.date, True, True)
        return Line(path.stem, issue.subject, issue.date, issue.draft, bool(errors(issue.problems)))

    def _stamp(self, path: Path) -> tuple[int, int]:
        return self.version, _saved(path)

    def show(self, stem: str, segment: str = "all") -> Showing:
        """An issue as a segment gets it. Raises: NotFound."""
        path = self.path(stem)
        with self._lock:
            stamp, known = self._stamp(path), self._shown.get((path, segment))
            if known is None or known[0] != stamp:
                known = (stamp, self._showing(path, segment))
                self._shown[path, segment] = known
            return known[1]

    def _showing(self, path: Path, segment: str) -> Showing:
        """Read and render; an error of the text itself keeps what was good before."""
        publication, before = self.publication, self._good.get((path, segment))
        try:
            issue = library.load(path, publication, self.root)
        except ContentError as problem:
            name, found = next((one.file for one in problem.problems), path.name), problem.problems
            return Showing(name, _source(path), before, lambda: found, stale=before is not None)
        amiss = bool(errors(issue.problems))
        if amiss and before:
            checks = partial(check.check, issue, publication, self.root)
            return Showing(issue.name, issue.source, before, checks, stale=True)
        try:
            rendering = self._render(issue, publication, segment)
        except NewsletterError as problem:
            told = (*issue.problems, *_told(problem, issue))
            return Showing(issue.name, issue.source, before, lambda: told, stale=before is not None)
        except Exception:
            if not amiss:
                raise
            return Showing(issue.name, issue.source, None, lambda: issue.problems)  # its errors say why
        if not amiss:
            self._good[path, segment] = rendering
        checks = partial(check.check, issue, publication, self.root, email=rendering.email)
        return Showing(issue.name, issue.source, rendering, checks)

    def _render(self, issue: Issue, publication: Publication, segment: str) -> Rendering:
        root, base = self.root, self.base_url
        email = render.render(issue, publication, root=root, base_url=base, segment=segment)
        return Rendering(issue, email, partial(archive.archive, issue, publication, root=root, base_url=base))


def _stamps(root: Path) -> tuple[int, ...]:
    """When the files of the settings were saved."""
    return tuple(_saved(root / name) for name in (settings_.FILE, ".env"))


def _saved(path: Path) -> int:
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return 0


def _source(path: Path) -> str:
    return path.read_bytes().decode("utf-8", "replace") if path.is_file() else ""


def _told(problem: NewsletterError, issue: Issue) -> tuple[Problem, ...]:
    """A theme or template that cannot be used, as a finding."""
    if isinstance(problem, ContentError):
        return problem.problems
    return (Problem(issue.name, 0, 0, "", Level.ERROR, problem.what, problem.todo),)
