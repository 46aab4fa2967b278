"""The wheel alone holds all that a publication needs."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

HERE = Path(__file__).parents[1]


@pytest.mark.slow
def test_the_wheel_alone_renders_and_has_a_database(tmp_path: Path, root: Path) -> None:
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path / "dist")]
    subprocess.run(build, cwd=HERE, check=True, capture_output=True)
    (wheel,) = (tmp_path / "dist").glob("*.whl")
    site = tmp_path / "site"
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(site)
    (root / "newsletter.yml").write_text(
        "name: Quiet Letters\n"
        "senders:\n  us: {name: Quiet Letters, email: letters@quiet.example}\n"
        "footer:\n  address: 1 Long Road, Chino, CA 91710\n"
        "fields: {first_name: friend}\n",
        "utf-8",
    )
    env = {**os.environ, "PYTHONPATH": str(site)}

    def newsletter(*arguments: str, folder: Path = root) -> str:
        command = [sys.executable, "-m", "newsletter", *arguments]
        done = subprocess.run(command, cwd=folder, env=env, check=True, capture_output=True, text=True)
        return done.stdout

    where = "import newsletter; print(newsletter.__file__)"
    found = subprocess.run([sys.executable, "-c", where], cwd=root, env=env, check=True, capture_output=True, text=True)
    assert found.stdout.startswith(str(site))
    newsletter("render", "quiet", "-o", "out")
    assert "Quiet Letters" in (root / "out/email.html").read_text("utf-8")
    assert "all" in newsletter("subscribers", "stats")

    newsletter("init", "letters", "--admin", folder=tmp_path)
    another = tmp_path / "letters"
    (welcome,) = another.glob("issues/*-welcome.md")
    welcome.write_text(welcome.read_text("utf-8").replace("draft: true", "draft: false"), "utf-8")
    assert "nothing to fix" in newsletter("check", "--offline", folder=another)
    newsletter("subscribers", "add", "ada@quiet.example", "--attest-consent", "asked for it", folder=another)
    newsletter("send", "welcome", "--yes", folder=another)
    assert len(list((another / "var/outbox/new").iterdir())) == 1
    assert (another / "admin/sveltia-cms.js").stat().st_size > 2_000_000
