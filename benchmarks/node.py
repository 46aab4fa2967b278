"""The MJML compiler we use beside the one of its makers, which runs on Node.js: the same letter, warm, in each."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

from mjml import mjml2html

from benchmarks import cpu
from benchmarks.figure import Figure, figure
from newsletter.content import templates, theme

_WAIT = 180  # seconds npm may take
_SCRIPT = """
const mjml2html = require('mjml');
const source = require('fs').readFileSync(0, 'utf8');
(async () => {
  for (let i = 0; i < 10; i++) await mjml2html(source);
  const before = process.cpuUsage();
  for (let i = 0; i < 20; i++) await mjml2html(source);
  const used = process.cpuUsage(before);
  console.log(JSON.stringify((used.user + used.system) / 20 / 1000));
})();
"""


def measure(folder: Path, *, seconds: float) -> Iterator[Figure]:
    """In: an empty folder, how long ours may be measured. The other is measured where npm is there and answers."""
    source = letter()
    theirs = _theirs(folder, source)
    yield figure("mjml_ms", cpu.each(lambda: mjml2html(source, fonts={}), seconds=seconds) * 1e3, theirs)


def letter() -> str:
    """The skeleton of a letter as MJML, a word in each slot."""
    env = templates.environment(None)
    values = {"lang": "en", "dir": "ltr", "theme": theme.load("letter", None)}
    return env.get_template("email/letter.mjml").render(slot=lambda key: key, **values)


def _theirs(folder: Path, source: str) -> float | None:
    """Processor milliseconds of theirs; None without npm, or when the package cannot be had."""
    npm, node = shutil.which("npm"), shutil.which("node")
    if npm is None or node is None:
        return None
    folder.mkdir(parents=True, exist_ok=True)
    install = [
        npm,
        "install",
        "--silent",
        "--no-audit",
        "--no-fund",
        "--ignore-scripts",
        "--prefix",
        str(folder),
        "mjml",
    ]
    try:
        subprocess.run(install, cwd=folder, check=True, capture_output=True, timeout=_WAIT)
        script = folder / "compile.js"
        script.write_text(_SCRIPT, "utf-8")
        done = subprocess.run(
            [node, str(script)], input=source, cwd=folder, check=True, capture_output=True, text=True, timeout=_WAIT
        )
        return float(json.loads(done.stdout))
    except (subprocess.SubprocessError, OSError, ValueError):
        return None
