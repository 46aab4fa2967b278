"""Runs a job of a workflow on this machine: its `run:` steps, in the runner's shell, in an empty environment.

A small part of what GitHub does, and nothing is passed over in silence: `uses:` and named steps run only by a stub,
an expression that is not understood is an error. What this cannot show: triggers, permissions, environments, tokens,
concurrency, and the service that keeps artifacts.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

Stub = Callable[["Run", Mapping[str, str]], int]
Waiting = Callable[[], bool]
SECONDS = 60


@cache
def read(workflow: Path) -> Mapping[str, Any]:
    """A workflow with all its values as they are written."""
    found: Mapping[str, Any] = yaml.load(workflow.read_text("utf-8"), getattr(yaml, "CBaseLoader", yaml.BaseLoader))
    return found


@dataclass
class Run:
    """One job: what it is given, and what it left."""

    workflow: Path
    job: str
    folder: Path  # its own
    stubs: Mapping[str, Stub] = field(default_factory=dict)  # by a step's name, or by `uses` without its pin
    contexts: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)  # github, vars, secrets, inputs, needs
    path: tuple[Path, ...] = ()  # looked in before the machine's own
    cancel: tuple[str, Waiting] | None = None  # a step's name, and when a person presses the button
    steps: dict[str, dict[str, Any]] = field(default_factory=dict)
    status: str = "success"
    log: str = ""

    def __post_init__(self) -> None:
        for part in ("workspace", "temp", "home", "artifacts"):
            (self.folder / part).mkdir(parents=True)
        (self.folder / "summary.md").touch()

    @property
    def workspace(self) -> Path:
        return self.folder / "workspace"

    @property
    def summary(self) -> str:
        return (self.folder / "summary.md").read_text("utf-8")

    def go(self) -> Run:
        """Run it, step by step."""
        whole = read(self.workflow)
        job = whole["jobs"][self.job]
        if not self._true(job.get("if", "success()")):
            self.status = "skipped"
            return self
        env = self._filled({**whole.get("env", {}), **job.get("env", {})})
        for number, step in enumerate(job["steps"]):
            self._step(str(number), step, env)
        self.outputs = self._filled(job.get("outputs", {}))
        return self

    def _step(self, number: str, step: Mapping[str, Any], env: Mapping[str, str]) -> None:
        name = step.get("id", number)
        if not self._true(step.get("if", "success()")):
            self.steps[name] = {"outcome": "skipped", "outputs": {}}
            return
        files = {what: self.folder / "temp" / f"{number}-{what}" for what in ("OUTPUT", "ENV", "PATH")}
        for file in files.values():
            file.touch()
        given = {
            **env,
            **self._filled(step.get("env", {})),
            **{f"GITHUB_{what}": str(file) for what, file in files.items()},
        }
        stub = self.stubs.get(step.get("name", "")) or self.stubs.get(step.get("uses", "").partition("@")[0])
        if stub:
            code = stub(self, self._filled(step.get("with", {})))
        else:
            assert "run" in step, f"no stub for {step['uses']}"
            code = self._run(step, given)
        assert not files["ENV"].read_text()
        assert not files["PATH"].read_text()
        cancelled = bool(self.cancel and self.cancel[0] == step.get("name") and code)
        outcome = "cancelled" if cancelled else "failure" if code else "success"
        self.steps[name] = {"outcome": outcome, "code": code, "outputs": _pairs(files["OUTPUT"].read_text("utf-8"))}
        if code and step.get("continue-on-error") != "true":
            self.status = outcome

    def _run(self, step: Mapping[str, Any], env: Mapping[str, str]) -> int:
        assert "${{" not in step["run"], "nothing is pasted into a script"
        if "jq " in step["run"] and shutil.which("jq") is None:
            pytest.skip("jq is not installed, and GitHub's machines have it")
        script = self.folder / "temp" / "script.sh"
        script.write_text(step["run"], "utf-8")
        shell = ["bash", "--noprofile", "--norc", "-eo", "pipefail"] if step.get("shell") == "bash" else ["bash", "-e"]
        github = {f"GITHUB_{name.upper()}": str(value) for name, value in self._github().items() if not _is_deep(value)}
        bare = {
            "PATH": os.pathsep.join([*map(str, self.path), "/usr/local/bin:/usr/bin:/bin"]),
            "HOME": str(self.folder / "home"),
            "LANG": "C.UTF-8",
            "CI": "true",
            "RUNNER_TEMP": str(self.folder / "temp"),
            "GITHUB_STEP_SUMMARY": str(self.folder / "summary.md"),
            "ARTIFACTS": str(self.folder / "artifacts"),
        }
        with (self.folder / "temp" / "log").open("w+b") as log:
            process = subprocess.Popen(
                [*shell, str(script)],
                cwd=self.workspace,
                env={**bare, **github, **env},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
            try:
                if self.cancel and self.cancel[0] == step.get("name"):
                    _cancel(process, self.cancel[1])
                code = process.wait(SECONDS)
            finally:
                if process.poll() is None:
                    os.killpg(process.pid, signal.SIGKILL)
                    process.wait()
            log.seek(0)
            self.log += log.read().decode()
        return code

    def _github(self) -> dict[str, Any]:
        same = {"repository": "owner/letters", "ref": "refs/heads/main", "ref_name": "main", "token": "ghs_local"}
        return {**same, **self.contexts.get("github", {})}

    # --- expressions: a path, a comparison, `&&`, `||`, and the functions that ask how things stand ----------

    def _filled(self, texts: Mapping[str, str]) -> dict[str, str]:
        return {
            name: re.sub(r"\$\{\{(.*?)\}\}", lambda found: _text(self._value(found[1].strip())), text)
            for name, text in texts.items()
        }

    def _true(self, condition: str) -> bool:
        inner = re.sub(r"^\$\{\{(.*)\}\}$", r"\1", condition.strip()).strip()
        asked = re.search(r"\b(success|always|failure|cancelled)\(\)", inner)
        return (bool(asked) or self.status == "success") and bool(self._value(inner))

    def _value(self, expression: str) -> Any:
        for sign, judge in (("||", _either), ("&&", _both)):
            if sign in expression:
                left, _, right = expression.partition(sign)
                return judge(self._value(left.strip()), self._value(right.strip()))
        for sign, wanted in (("!=", False), ("==", True)):
            if sign in expression:
                left, _, right = expression.partition(sign)
                return (_text(self._value(left.strip())) == _text(self._value(right.strip()))) is wanted
        if literal := re.fullmatch(r"'([^']*)'", expression):
            return literal[1]
        known = {"always()": True, "success()": self.status == "success"}
        if expression in known:
            return known[expression]
        assert re.fullmatch(r"[a-z_]+(\.[\w-]+)+", expression), expression
        found: Any = {
            **self.contexts,
            "github": self._github(),
            "steps": self.steps,
            "runner": {"temp": str(self.folder / "temp")},
        }
        for part in expression.split("."):
            found = found.get(part) if isinstance(found, Mapping) else None
        return found


def _cancel(process: subprocess.Popen[bytes], ready: Waiting) -> None:
    """The first thing GitHub does to cancel: SIGINT to the process it started, and to no other.

    SIGTERM follows after 7.5 s, and after 2.5 s more everything is killed; a sender must not need those.
    """
    until = time.monotonic() + SECONDS
    while not ready() and process.poll() is None:
        assert time.monotonic() < until, "what it was to wait for never came"
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)


def _is_deep(value: Any) -> bool:
    return isinstance(value, Mapping)


def _either(left: Any, right: Any) -> Any:
    return left or right


def _both(left: Any, right: Any) -> Any:
    return right if left else left


def _text(value: Any) -> str:
    """As GitHub writes a value into text."""
    if value is None:
        return ""
    return str(value).lower() if isinstance(value, bool) else str(value)


def _pairs(text: str) -> dict[str, str]:
    """What a step wrote into `$GITHUB_OUTPUT`: `name=value`, or `name<<END`, lines, `END`."""
    found, lines = {}, iter(text.splitlines())
    for line in lines:
        if (long := re.fullmatch(r"(\w+)<<(\S+)", line)) is not None:
            end = long[2]
            found[long[1]] = "\n".join(iter(lambda end=end: "" if (one := next(lines)) == end else one + "\n", ""))
        else:
            name, _, value = line.partition("=")
            found[name] = value
    return found
