"""`newsletter demo`: the whole story on this machine, over real HTTP, in a folder of its own.

It never touches the publication's own database or provider: it works in `var/demo`, made anew each time,
with SQLite and the outbox.
"""

from __future__ import annotations

import contextlib
import io
import json
import re
import shutil
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin

import typer

from newsletter.cli import exits, terminal
from newsletter.cli.here import Here
from newsletter.errors import NewsletterError

if TYPE_CHECKING:
    from email.message import EmailMessage

    import requests

    from newsletter.core.publication import Form, Publication

FOLDER = "var/demo"
READERS = ("ada@readers.test", "ben@readers.test")
_PATIENCE = 40.0
_OK, _SEE_OTHER = 200, 303

_SECOND = """---
subject: {subject}
preheader: A second letter, written by the demo, so that there is a next issue to send to those who stayed.
date: {date}
draft: false
---

Hello {{{{ first_name, "friend" }}}}, this letter was written by the demo.

## 🌱 Why it is here

A publication with a single issue has no next one. The demo needs it to show that whoever left is left alone.
"""


class DemoFailed(NewsletterError):
    """A step of the story did not hold."""


@dataclass
class Story:
    """The folder, the address of the web side, and the clock of the steps."""

    root: Path
    base: str
    environ: Mapping[str, str]
    publication: Publication
    form: Form
    begun: float = field(default_factory=time.monotonic)
    last: float = field(default_factory=time.monotonic)
    watch: sqlite3.Connection | None = None

    def step(self, title: str, *checked: str) -> None:
        """Say what was done, what was checked, and how long it took."""
        now = time.monotonic()
        tick = terminal.styled("✓", "32;1", sys.stdout)
        terminal.say(f"{tick} {title:<58} {now - self.last:5.2f} s")
        for line in checked:
            terminal.say(terminal.styled(f"    {line}", "2", sys.stdout))
        sys.stdout.flush()
        self.last = now

    def command(self, *arguments: str, expect: int = exits.DONE) -> str:
        """Run one of the program's own commands; returns what it printed."""
        from newsletter.cli.program import run

        out, err = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            code = run(["-C", str(self.root), *arguments], self.environ)
        hold(code == expect, f"newsletter {' '.join(arguments)} left with {code}, not {expect}:\n{err.getvalue()}")
        return out.getvalue()

    def outbox(self) -> list[EmailMessage]:
        """All mail so far."""
        from newsletter.providers.outbox import messages

        found: list[EmailMessage] = list(messages(self.root / "outbox"))
        return found

    def mail_to(self, address: str, containing: str) -> EmailMessage:
        """The newest mail to an address whose text has some words; waits for it a little."""
        for _ in patiently():
            found = [one for one in self.outbox() if address in str(one["To"]) and containing in text_of(one)]
            if found:
                return found[-1]
        raise DemoFailed(f"No mail with {containing!r} arrived within {_PATIENCE:.0f} s.")

    def data_version(self) -> int:
        """A number that changes with every change of the database by anybody else."""
        if self.watch is None:
            self.watch = sqlite3.connect(self.root / "newsletter.db")
        for _ in patiently():
            open_ = "SELECT count(*) FROM mail_queue WHERE state IN ('waiting', 'claimed')"
            if self.watch.execute(open_).fetchone()[0] == 0:
                break
        return int(self.watch.execute("PRAGMA data_version").fetchone()[0])


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(demo)


def demo(context: typer.Context) -> None:
    """Tell the whole story on this machine."""
    here: Here = context.obj
    root = here.root / FOLDER
    port = free_port()
    environ = only_here(here.environ, port)
    issues = prepare(here, root)
    from newsletter.settings import load

    publication = load(root, environ).publication()
    story = Story(root, f"http://127.0.0.1:{port}", environ, publication, publication.form(publication.default_form))
    terminal.say(f"{publication.name}: the whole story, in {FOLDER}\n")
    read_and_render(story, issues[0])
    with web_side(story):
        for reader in READERS:
            join(story, reader)
        send_once(story, issues[0])
        leave(story, READERS[1])
        send_next(story, issues[1])
    epilogue(story, issues)


# --- the steps ------------------------------------------------------------------------------------------


def read_and_render(story: Story, issue: str) -> None:
    """The editor's part."""
    said = story.command("check", issue)
    story.step("an issue is checked", said.strip().splitlines()[-1])
    story.command("render", issue, "-o", str(story.root / "look"))
    files = sorted(path.name for path in (story.root / "look").iterdir())
    hold(files == ["archive.html", "email.html", "email.txt", "message.eml"], f"render wrote {files}")
    story.step("and rendered", ", ".join(files))


def join(story: Story, reader: str) -> None:
    """A visitor becomes a subscriber and has the workbook."""
    http = session()
    page = http.get(story.base + "/", timeout=_PATIENCE)
    form = find_form(page.text, "/subscribe")
    answer = http.post(
        urljoin(page.url, form.action), data={**form.values, "email": reader, "letter": "yes"}, timeout=_PATIENCE
    )
    hold(answer.status_code == _OK, f"the signup answered {answer.status_code}")
    mail = story.mail_to(reader, "/confirm/")
    link = link_in(mail, story.base, "/confirm/")
    story.step(
        f"{reader} signs up by the form", "the confirmation mail is in the outbox", f"subject: {mail['Subject']}"
    )
    before = story.data_version()
    for method in (http.head, http.get):
        hold(method(link, timeout=_PATIENCE).status_code == _OK, "the confirm page does not open")
    hold(story.data_version() == before, "a GET of the confirm link changed the database")
    story.step("a scanner opens the link", "HEAD and GET changed nothing")
    answer = http.post(link, timeout=_PATIENCE)
    hold(answer.status_code == _OK, f"confirming answered {answer.status_code}")
    state = json.loads(story.command("subscribers", "show", reader, "--json"))
    hold(state["state"] == "active" and "letter" in state["topics"], "confirming did not make a subscriber")
    story.step("the button confirms", "active, with the letter; consent kept with its wording")
    fetch(story, http, answer.text, answer.url)


def fetch(story: Story, http: requests.Session, page: str, url: str) -> None:
    """The workbook, byte for byte."""
    magnet = story.publication.magnets.get(story.form.magnet)
    if magnet is None or not magnet.files:
        story.step("this form gives no file away")
        return
    form = find_form(page, "/download/")
    answer = http.post(urljoin(url, form.action), data=form.values, timeout=_PATIENCE)
    given = (story.root / magnet.files[0]).read_bytes()
    hold(answer.content == given, "the downloaded file is not the file given away")
    hold([one.status_code for one in answer.history] == [_SEE_OTHER], "the download did not come by a 303")
    story.step("and the workbook is there at once", f"{len(given):,} bytes, equal to {magnet.files[0]}")


def send_once(story: Story, issue: str) -> None:
    """Plan, send, send again."""
    plan = json.loads(story.command("plan", issue, "--json", "-o", str(story.root / "plan.json")))
    hold(plan["audience"] == len(READERS), f"the plan names {plan['audience']} readers")
    story.step("a plan says who would get it", f"{plan['audience']} readers, hash {plan['hash'][:16]}...")
    before = len(story.outbox())
    sent = json.loads(story.command("send", issue, "--yes", "--json"))
    hold(sent["sent"] == len(READERS) and adds_up(sent), f"the send says {sent}")
    hold(len(story.outbox()) == before + len(READERS), "the outbox does not hold one mail for each reader")
    story.step("the issue is sent", f"{sent['submitted']} of {sent['audience']}, each once; the ledger adds up")
    story.command("send", issue, "--yes", expect=exits.NOTHING)
    hold(len(story.outbox()) == before + len(READERS), "the second send sent something")
    story.step("a second send sends 0", "exit 3, nothing to do")


def leave(story: Story, reader: str) -> None:
    """One click, taken from the mail's own header (RFC 8058)."""
    mail = next(one for one in reversed(story.outbox()) if one["List-Id"] and reader in str(one["To"]))
    url = re.findall(r"<(https?://[^>]+)>", str(mail["List-Unsubscribe"]).replace("\n", ""))[0]
    body = str(mail["List-Unsubscribe-Post"])
    answer = session().post(
        url,
        data=body,
        headers={"Content-Type": "application/x-www-form-urlencoded"},
        allow_redirects=False,
        timeout=_PATIENCE,
    )
    hold(answer.status_code == _OK and not answer.cookies, f"the one-click POST answered {answer.status_code}")
    state = json.loads(story.command("subscribers", "show", reader, "--json"))
    hold(state["state"] == "unsubscribed", "the one-click POST did not unsubscribe")
    story.step(f"{reader} leaves by one click", f"POST {body}: 200, no redirect, no cookie")


def send_next(story: Story, issue: str) -> None:
    """Whoever left is left alone, and the ledger says why."""
    plan = json.loads(story.command("plan", issue, "--json"))
    hold(plan["audience"] == 1 and plan["excluded"] == {"unsubscribed": 1}, f"the plan says {plan['excluded']}")
    sent = json.loads(story.command("send", issue, "--yes", "--json"))
    hold(sent["submitted"] == 1 and adds_up(sent), f"the send says {sent}")
    story.step("the next issue is sent", "1 reader; 1 left out: unsubscribed")
    rows = json.loads(story.command("status", "--json"))
    hold(all(adds_up(row) and row["pending"] == row["uncertain"] == 0 for row in rows), str(rows))
    total = sum(row["submitted"] for row in rows)
    letters = [one for one in story.outbox() if one["List-Id"]]
    hold(
        len(letters) == total == len(READERS) + 1, f"{len(letters)} letters lie in the outbox, the ledger says {total}"
    )
    story.step("the ledger adds up", f"2 campaigns, {total} mails submitted, {total} letters in the outbox")


def epilogue(story: Story, issues: list[str]) -> None:
    """Where to look, and what to try next."""
    terminal.say(f"\nAll of it held, in {time.monotonic() - story.begun:.1f} s.\n")
    terminal.say(f"The mails lie in     {FOLDER}/outbox (a Maildir: `mutt -f {FOLDER}/outbox` reads it)")
    terminal.say(f"Look at a letter     {FOLDER}/look/email.html in a browser, email.txt in a terminal")
    terminal.say("Try next")
    terminal.say(f"    newsletter check {Path(issues[0]).stem[11:]}")
    terminal.say("    newsletter serve                     then open http://localhost:8000")
    terminal.say(f"    newsletter -C {FOLDER} status")


# --- what the steps stand on ----------------------------------------------------------------------------


def hold(held: bool, otherwise: str) -> None:
    """A step's claim. Raises: DemoFailed."""
    if not held:
        raise DemoFailed(f"This did not hold: {otherwise}", f"The mails and the database lie in {FOLDER}.")


def adds_up(row: Mapping[str, Any]) -> bool:
    """Audience = submitted + suppressed + failed + uncertain + pending."""
    parts = ("submitted", "suppressed", "failed", "uncertain", "pending")
    return bool(row["audience"] == sum(row[part] for part in parts))


def free_port() -> int:
    """A port of the loopback interface that nobody uses."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def only_here(environ: Mapping[str, str], port: int) -> dict[str, str]:
    """An environment in which nothing of the publication's own set-up counts: no mail can leave."""
    kept = {name: value for name, value in environ.items() if not name.upper().startswith("NEWSLETTER_")}
    return {
        **kept,
        "NEWSLETTER_DATABASE_URL": "sqlite:///newsletter.db",
        "NEWSLETTER_PROVIDER": "outbox",
        "NEWSLETTER_TRANSACTIONAL__PROVIDER": "outbox",
        "NEWSLETTER_OUTBOX__PATH": "outbox",
        "NEWSLETTER_BASE_URL": f"http://127.0.0.1:{port}",
        "NEWSLETTER_SEND__APPROVAL": "none",
        "NEWSLETTER_SECRET_KEYS": "demo-signing-key",
        "NEWSLETTER_SUPPRESSION_KEY": "demo-suppression-key",
    }


def prepare(here: Here, root: Path) -> list[str]:
    """A publication for the demo alone: a copy of this one, with two issues ready to go. Their paths."""
    from newsletter.content import library

    shutil.rmtree(root, ignore_errors=True)
    root.mkdir(parents=True)
    shutil.copy(here.root / "newsletter.yml", root)
    for name in ("images", "magnets", "snippets", "words", "templates"):
        if (here.root / name).is_dir():
            shutil.copytree(here.root / name, root / name)
    (root / "issues").mkdir()
    chosen = library.issues(here.root)[:2]
    for path in chosen:
        ready = re.sub(r"(?m)^draft:.*$", "draft: false", path.read_text("utf-8"), count=1)
        ready = ready if re.search(r"(?m)^draft: false$", ready) else ready.replace("---\n", "---\ndraft: false\n", 1)
        (root / "issues" / path.name).write_text(ready, "utf-8")
    names = [path.name for path in chosen]
    for number in range(len(names), 2):
        name = f"2099-01-0{number + 1}-demo-{number + 1}.md"
        text = _SECOND.format(subject=f"A letter from the demo ({number + 1})", date=name[:10])
        (root / "issues" / name).write_text(text, "utf-8")
        names.append(name)
    return [str(root / "issues" / name) for name in names]  # whole paths: from here, a short one is the original


@contextlib.contextmanager
def web_side(story: Story) -> Iterator[None]:
    """`newsletter serve` as a process of its own, on a free loopback port; stopped at the end."""
    port = story.base.rpartition(":")[2]
    log = (story.root / "serve.log").open("w")
    process = subprocess.Popen(  # noqa: S603 - ourselves
        [sys.executable, "-m", "newsletter", "-C", str(story.root), "serve", "--port", port],
        env=dict(story.environ),
        stdout=log,
        stderr=subprocess.STDOUT,
    )
    try:
        wait_for(story, process)
        story.step("the web side is up", story.base)
        yield
    finally:
        if story.watch is not None:
            story.watch.close()
        process.terminate()
        try:
            process.wait(_PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
        log.close()


def wait_for(story: Story, process: subprocess.Popen[bytes]) -> None:
    """Until the web side answers."""
    import requests

    for _ in patiently():
        if process.poll() is not None:
            break
        with contextlib.suppress(requests.ConnectionError):
            if session().get(story.base + "/readyz", timeout=_PATIENCE).ok:
                return
    said = (story.root / "serve.log").read_text("utf-8")
    raise DemoFailed(f"The web side did not come up:\n{said}", f"See {FOLDER}/serve.log.")


def patiently() -> Iterator[None]:
    """Turns of a waiting loop, until patience is over."""
    end = time.monotonic() + _PATIENCE
    while time.monotonic() < end:
        yield
        time.sleep(0.05)


def session() -> requests.Session:
    """An HTTP client that talks to this machine alone, whatever proxies are set."""
    import requests

    http = requests.Session()
    http.trust_env = False
    return http


def text_of(message: EmailMessage) -> str:
    """The text part."""
    part = message.get_body(("plain",))
    return str(part.get_content()) if part is not None else ""


def link_in(message: EmailMessage, base: str, path: str) -> str:
    """The first link of ours to some path, from the text part."""
    found = re.search(re.escape(base + path) + r"[\w.~-]+", text_of(message))
    hold(found is not None, f"the mail has no link to {path}")
    assert found is not None
    return found[0]


@dataclass
class PageForm:
    """A form of a page, as a browser would send it untouched."""

    action: str
    values: dict[str, str] = field(default_factory=dict)


class _Forms(HTMLParser):
    """All forms of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.forms: list[PageForm] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "form":
            self.forms.append(PageForm(given.get("action", "")))
        elif tag == "input" and self.forms and "name" in given and given.get("type") not in {"checkbox", "submit"}:
            self.forms[-1].values[given["name"]] = given.get("value", "")


def find_form(page: str, action: str) -> PageForm:
    """The form of a page that posts to some path."""
    parser = _Forms()
    parser.feed(page)
    found = next((form for form in parser.forms if action in form.action), None)
    hold(found is not None, f"the page has no form for {action}")
    assert found is not None
    return found
