"""Doctor's look at the workflows: would a stranger's word, or a stranger's code, run with our keys?

In: the publication's folder. Out: findings. A publication without workflows has none.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from newsletter.flows.doctor.finding import Family, Finding, Kind

CI = Family(
    "ci",
    {
        "unpinned": Kind("warning", "A tag can be moved: whoever owns the action then runs with your keys."),
        "permissions": Kind("warning", "Without it a job may do all that the repository's own settings allow."),
        "untrusted": Kind("error", "A title or a branch's name is then run as a command, with the job's keys."),
        "unsigned": Kind("error", "Code of any pull request runs with the repository's secrets."),
        "stored-list": Kind("error", "Artifacts and caches are read by everybody who may read the repository."),
    },
)

_USES = re.compile(r"""^\s*(?:-\s+)?uses:\s*["']?(?P<what>[^\s"'#]+)""", re.MULTILINE)
_PINNED = re.compile(r"@[0-9a-f]{40}$")
_GIVEN = re.compile(r"\$\{\{[^}]*github\.(?:event\.|head_ref)[^}]*\}\}")
_TOP = re.compile(r"^permissions:", re.MULTILINE)
_KEPT = re.compile(r"^\s*path:.*(?:var/|\.db\b)", re.MULTILINE)


def look(root: Path) -> list[Finding]:
    """Every fault of the workflows, each once a file."""
    folder = root / ".github/workflows"
    files = sorted([*folder.glob("*.yml"), *folder.glob("*.yaml")]) if folder.is_dir() else []
    return [finding for path in files for finding in _file(path.name, path.read_text("utf-8", "replace"))]


def _file(name: str, text: str) -> Iterator[Finding]:
    outside = [found["what"] for found in _USES.finditer(text) if not found["what"].startswith("./")]
    if loose := sorted({what for what in outside if not _PINNED.search(what)}):
        yield CI.found(
            "unpinned", f"{name} uses {', '.join(loose)}.", "Name the commit: owner/name@<40 letters> # v1.2.3"
        )
    if not _TOP.search(text):
        yield CI.found("permissions", f"{name} says nothing of permissions.", "Write permissions: {} at its top.")
    if any(_GIVEN.search(script) for script in _scripts(text)):
        yield CI.found(
            "untrusted", f"{name} puts words of an event into a script.", "Pass them in env:, and quote them."
        )
    if re.search(r"^\s*pull_request_target\b", text, re.MULTILINE):
        yield CI.found(
            "unsigned", f"{name} runs on pull_request_target.", "Use pull_request; comment from workflow_run."
        )
    if _KEPT.search(text):
        yield CI.found(
            "stored-list", f"{name} keeps var/ as an artifact or in a cache.", "Keep the list in a database."
        )


def _scripts(text: str) -> Iterator[str]:
    """The scripts of `run:`, each as far as it is indented."""
    lines = text.splitlines()
    for at, line in enumerate(lines):
        found = re.match(r"^(\s*)(?:-\s+)?run:\s*(.*)$", line)
        if not found:
            continue
        inner = []
        for after in lines[at + 1 :]:
            if after.strip() and len(after) - len(after.lstrip()) <= len(found[1]):
                break
            inner.append(after)
        yield "\n".join([found[2], *inner]) if found[2][:1] in {"|", ">", ""} else found[2]
