"""What is shipped for servers: closed where it says so, valid by the tools that read it, true to the program."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import tomllib
from fnmatch import fnmatch
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "deploy"
UNITS = sorted(DEPLOY.glob("*.service"))
MOST_EXPOSED = 2.0


def program(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        pytest.skip(f"{name} is not installed")
    return found


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.stem)
def test_a_unit_is_closed(unit: Path) -> None:
    said = subprocess.run(
        [program("systemd-analyze"), "security", "--offline=true", str(unit)],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    found = re.search(r"Overall exposure level for \S+: ([\d.]+)", said)
    assert found, said
    assert float(found[1]) < MOST_EXPOSED


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.stem)
def test_a_unit_starts_a_command_there_is(unit: Path) -> None:
    from newsletter.cli.program import app

    command = re.search(r"^ExecStart=/opt/newsletter/bin/newsletter (\S+)", unit.read_text("utf-8"), re.MULTILINE)
    assert command
    names = {one.name or one.callback.__name__ for one in app.registered_commands if one.callback}
    assert command[1] in names | {group.name for group in app.registered_groups}


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.stem)
def test_a_unit_gives_only_options_there_are(unit: Path) -> None:
    from newsletter.cli.program import run

    line = re.search(r"^ExecStart=/opt/newsletter/bin/newsletter (.*)$", unit.read_text("utf-8"), re.MULTILINE)
    assert line
    assert run([*line[1].split(), "--help"], {}) == 0


def test_each_timer_has_its_unit() -> None:
    for timer in DEPLOY.glob("*.timer"):
        assert timer.with_suffix(".service") in UNITS


class TestDockerfile:
    text = (DEPLOY / "Dockerfile").read_text("utf-8")

    def test_no_image_is_whatever_is_newest(self) -> None:
        for image in re.findall(r"^FROM (\S+)", self.text, re.MULTILINE):
            assert ":" in image or f" AS {image}" in self.text
            assert not image.endswith(":latest")

    def test_it_runs_as_nobody_in_particular(self) -> None:
        *_, program, publication = self.text.split("\nFROM ")
        assert re.search(r"^USER [1-9]\d+$", program, re.MULTILINE)
        assert "exec setpriv --reuid=10001" in publication  # a volume comes as root's, and is given away first
        for word in ("ENTRYPOINT", "CMD"):
            for given in re.findall(rf"^{word} (.*)$", self.text, re.MULTILINE):
                assert isinstance(json.loads(given), list)  # signals reach the program

    def test_what_it_copies_is_there_and_let_through(self) -> None:
        through = [
            line[1:] for line in (ROOT / ".dockerignore").read_text("utf-8").splitlines() if line.startswith("!")
        ]
        for given in re.findall(r"^COPY (?!--from)(.*) \S+$", self.text, re.MULTILINE):
            for name in given.split():
                assert (ROOT / name).exists(), name
                assert any(fnmatch(name, one) for one in through), name

    def test_nothing_secret_is_let_through(self) -> None:
        lines = (ROOT / ".dockerignore").read_text("utf-8").splitlines()
        assert lines[0] == "*"
        assert not [line for line in lines if line.startswith(("!.env", "!var", "!.git"))]


class TestCompose:
    made = yaml.safe_load((DEPLOY / "compose.yml").read_text("utf-8"))

    def test_every_service_is_pinned_and_has_no_more_rights_than_it_needs(self) -> None:
        for name, service in self.made["services"].items():
            assert "image" not in service or re.fullmatch(r"[\w./-]+:\d[\w.]*", service["image"]), name
            assert service["cap_drop"] == ["ALL"], name
            assert service["restart"] == "unless-stopped", name

    def test_the_program_believes_the_proxy_in_front_and_nobody_else(self) -> None:
        services = self.made["services"]
        address = services["caddy"]["networks"]["inside"]["ipv4_address"]
        assert services["app"]["environment"]["NEWSLETTER_TRUSTED_PROXIES"] == address
        assert "ports" not in services["app"]

    def test_what_it_mounts_is_there(self) -> None:
        for service in self.made["services"].values():
            for volume in service["volumes"]:
                source = volume.split(":")[0]
                assert source in self.made["volumes"] or (DEPLOY / source).resolve().exists(), source


def test_fly_runs_one_machine_that_never_sleeps() -> None:
    made = tomllib.loads((DEPLOY / "fly.toml").read_text("utf-8"))
    assert made["http_service"]["auto_stop_machines"] == "off"
    assert made["mounts"]["destination"] == "/srv/newsletter/var"
    assert (DEPLOY / made["build"]["dockerfile"]).exists()


def test_caddy_reads_its_file() -> None:
    file = DEPLOY / "Caddyfile"
    command = [program("caddy"), "validate", "--adapter", "caddyfile", "--config", str(file)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert subprocess.run([program("caddy"), "fmt", str(file)], capture_output=True, text=True, check=True).stdout == (
        file.read_text("utf-8")
    )
