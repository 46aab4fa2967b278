"""The issues of a publication: found by path or slug, and read.

In: files under `issues/`. Out: an `Issue` with the problems found on the way. Nothing is ever written.
"""

from __future__ import annotations

import contextlib
import difflib
import os
import re
from dataclasses import replace
from pathlib import Path

from newsletter.content import blocks, dialect, document, frontmatter, merge, phrases, urls
from newsletter.content.blocks import Block
from newsletter.content.document import Document
from newsletter.content.frontmatter import Front
from newsletter.content.issue import HeroImage, Issue, Nearby
from newsletter.core.problem import Level, Problem
from newsletter.core.publication import Publication
from newsletter.errors import ContentError, NotFound

FOLDER = "issues"
SENTENCE = (40, 140)  # a first sentence of this length is a preheader as it is
CUT = 120


def issues(root: Path) -> list[Path]:
    """The issue files of a publication, by name; those that begin with `_` or `.` are notes."""
    folder = root / FOLDER
    if not folder.is_dir():
        return []
    return sorted(path for path in folder.glob("*.md") if path.name[0] not in "_." and path.name.lower() != "readme.md")


def find(name: str, root: Path) -> Path:
    """An issue by its path (from here or from the root) or its slug.

    Raises: NotFound with the nearest names, or when two files have that slug.
    """
    for path in (Path(name), root / name, root / FOLDER / name):
        if path.suffix == ".md" and "\0" not in name and os.path.lexists(path):
            return path
    known: dict[str, list[Path]] = {}
    for path in issues(root):
        known.setdefault(slug(path), []).append(path)
    by_stem = {path.stem: path for paths in known.values() for path in paths}
    found = known.get(name, [by_stem[name]] if name in by_stem else [])
    if len(found) > 1:
        names = ", ".join(f"{FOLDER}/{path.name}" for path in found)
        raise NotFound(f'Two issues are called "{name}": {names}.', "Name the file, and give one of them another slug.")
    if not found:
        near = difflib.get_close_matches(name.rpartition("/")[2].removesuffix(".md"), {**known, **by_stem}, 3, 0.4)
        todo = f"Did you mean {' or '.join(near)}?" if near else f'Begin one with: newsletter new "{name}"'
        raise NotFound(f'There is no issue "{name}".', todo)
    return found[0]


def slug(path: Path) -> str:
    """An issue's slug without reading more than its front matter."""
    try:
        halves, _ = frontmatter.split(path.read_text("utf-8-sig"), path.name)
    except (OSError, UnicodeDecodeError):
        halves = None
    said = re.search(r"^slug:[ \t]*['\"]?([^\s'\"#]+)", halves.front, re.MULTILINE) if halves else None
    return frontmatter.slug_of(said[1]) if said else frontmatter.of_file_name(path.stem).slug


def load(path: Path, publication: Publication, root: Path) -> Issue:
    """Read an issue.

    In: its file, the publication, the root its pictures lie under. Out: the issue, with its `problems`.
    Raises: ContentError with all problems when no issue can be made of the file (no text, no front
    matter, none of its lines readable, no subject); NotFound when there is no such file.
    """
    return read(_text(path, _shown(path, root)), path, publication, root)


def read(text: str, path: Path, publication: Publication, root: Path) -> Issue:
    """Read an issue from text that is, or will be, the file's. Raises: ContentError, as `load` does."""
    name = _shown(path, root)
    source = text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")
    halves, problems = frontmatter.split(source, name)
    if halves is None:
        raise ContentError(problems)
    head, unread = document.read(halves.front, name, halves.front_line)
    about = frontmatter.of_file_name(path.stem)
    front, mistyped = frontmatter.read(head, publication, about)
    if not head.whole:  # what is missing may stand in the part that could not be read
        mistyped = tuple(problem for problem in mistyped if "is missing" not in problem.message)
    body, amiss = dialect.read(
        halves.body, publication, root=root, file=name, first_line=halves.body_line, lang=front.lang
    )
    found = (*problems, *unread, *mistyped, *amiss)
    if not front.subject or not front.slug:
        raise ContentError(sorted(found))
    issue = _issue(path, name, front, body, publication)
    return _with_files(replace(issue, source=source, problems=found), front, head, root)


def before(issue: Issue, publication: Publication, root: Path, base_url: str) -> Nearby | None:
    """The letter before this one by date, for whoever links to it; None when there is none to be read.

    A draft, one that is not in the archive and one that cannot be read are passed over.
    """
    for path in reversed(issues(root)):
        if issue.date is None or path.stem[:10] >= issue.date.isoformat():
            continue
        try:
            found = load(path, publication, root)
        except ContentError:
            continue
        if not found.draft and found.archive:
            return Nearby(found.title, f"{base_url}/archive/{found.slug}")
    return None


def _shown(path: Path, root: Path) -> str:
    """The path as people see it: from the root where it lies under it."""
    for whole in (os.path.abspath, os.path.realpath):
        with contextlib.suppress(ValueError):
            return Path(whole(path)).relative_to(whole(root)).as_posix()
    return path.name


def _text(path: Path, name: str) -> str:
    try:
        raw = path.read_bytes()
    except OSError as trouble:
        raise _unopened(path, name, trouble) from None
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as trouble:
        line = raw[: trouble.start].count(b"\n") + 1
        raise _unreadable(name, line, "this file is not saved as UTF-8 text", "Save it again, as UTF-8.") from None
    if "\0" in text:
        line = text[: text.index("\0")].count("\n") + 1
        raise _unreadable(name, line, "there is a null character here, so this is no text", "Save it as plain text.")
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _unopened(path: Path, name: str, trouble: OSError) -> NotFound | ContentError:
    """Why a file could not be opened: one that is there is an issue's problem, and no reason to stop at it."""
    if path.is_symlink() and not path.exists():
        return _unreadable(name, 0, "this is a link to a file that is not there", "Delete it, or put the file back.")
    if not path.exists():
        return NotFound(f'There is no file "{name}".', "Look at the spelling.")
    if path.is_dir():
        return _unreadable(
            name, 0, "this is a folder, and an issue is a file", "Give it a name that does not end in .md."
        )
    said = f"this file cannot be opened ({(trouble.strerror or 'no reason given').lower()})"
    return _unreadable(name, 0, said, "Look at who may read it.")


def _unreadable(name: str, line: int, message: str, fix: str) -> ContentError:
    return ContentError([Problem(name, line, min(line, 1), "E111", Level.ERROR, message, fix)])


def _issue(path: Path, name: str, front: Front, body: tuple[Block, ...], publication: Publication) -> Issue:
    preheader = front.preheader or first_words(body, publication)
    return Issue(
        path=path,
        name=name,
        slug=front.slug,
        subject=front.subject,
        preheader=preheader,
        title=front.title or front.subject,
        date=front.date,
        body=body,
        send_at=front.send_at,
        draft=front.draft,
        audience=front.audience,
        sender=front.sender,
        reply_to=front.reply_to,
        lang=front.lang,
        dir=front.dir,
        number=front.number,
        tags=front.tags,
        summary=front.summary or preheader,
        canonical_url=front.canonical_url,
        archive=front.archive,
        author=front.author,
        magnet=front.magnet,
        feedback=front.feedback,
        contents=front.contents,
        share=front.share,
        nearby=front.nearby,
        theme=front.theme,
        ignore=front.ignore,
    )


def _with_files(issue: Issue, front: Front, head: Document, root: Path) -> Issue:
    """The issue with the files its front matter names."""
    found = list(issue.problems)
    image = None
    if hero := front.image:
        picture, trouble = phrases.find_picture(hero.src, hero.alt, root)
        image = HeroImage(picture, hero.caption, hero.link)
        if trouble:
            found.append(head.problem(["image", "src"], "E210", *trouble))
        if hero.link and (flaw := urls.flaw((hero.link,))) and not flaw.warning:
            found.append(head.problem(["image", "link"], "E220", flaw.message, flaw.fix))
    text = ""
    if front.plain:
        file = (root / front.plain).resolve()
        if file.is_relative_to(root.resolve()) and file.is_file():
            text = _text(file, front.plain)
        else:
            fix = "Write its path from the publication's folder, or delete the line."
            found.append(head.problem(["plain"], "E106", f'there is no file "{front.plain}"', fix))
    return replace(issue, image=image, plain=text, problems=tuple(sorted(found)))


_END = re.compile(r"(?<=[.!?…。！？])[\"'”’»)]*(?:\s|$)")


def first_words(body: tuple[Block, ...], publication: Publication) -> str:
    """The preheader of an issue that has none: its first sentence, or as much of it as an inbox shows."""
    paragraph = next((block for block in body if isinstance(block, blocks.Paragraph)), None)
    if paragraph is None:
        return ""
    text = " ".join(_with_tags(paragraph).split())
    end = _END.search(text)
    sentence = text[: end.end()].strip() if end else text
    length = len(merge.shown(sentence, publication.fields))
    if SENTENCE[0] <= length <= SENTENCE[1]:
        return sentence
    return _cut(text, publication)


def _with_tags(paragraph: blocks.Paragraph) -> str:
    """A paragraph's words, merge tags as they are written."""
    return "".join(
        merge.spelled(part.field, part.fallback) if isinstance(part, blocks.MergeTag) else phrases.plain((part,))
        for part in paragraph.inside
    )


def _cut(text: str, publication: Publication) -> str:
    if len(merge.shown(text, publication.fields)) <= SENTENCE[1]:
        return text
    kept = ""
    for word in re.findall(r"\{\{[^{}]*\}\}\S*|\S+", text):
        longer = f"{kept} {word}".strip()
        if len(merge.shown(longer, publication.fields)) > CUT:
            break
        kept = longer
    return kept.rstrip(",;:—–- ") + "…" if kept else text[:CUT]
