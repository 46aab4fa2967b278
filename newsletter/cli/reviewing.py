"""`review` and `approve`: what merging an issue does, who looks at it, and the yes."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from newsletter.cli import exits, terminal
from newsletter.cli.here import Here
from newsletter.core.problem import Level

if TYPE_CHECKING:
    from newsletter.core.review import Review
    from newsletter.flows.desk import Desk

Issue = Annotated[str, typer.Argument(metavar="ISSUE", help="A path or a slug.")]
Json = Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")]


class Form(StrEnum):
    """How a review is printed."""

    TEXT = "text"
    MARKDOWN = "markdown"


def register(app: typer.Typer) -> None:
    """Add the commands."""
    for command in (review, approve):
        app.command()(command)


def review(
    context: typer.Context,
    issue: Issue,
    form: Annotated[Form, typer.Option("--format", help="How to print it.")] = Form.TEXT,
    as_json: Json = False,
    ask: Annotated[bool, typer.Option("--ask", help="Mail the owners the link with which they approve.")] = False,
    link: Annotated[bool, typer.Option("--link", help="Print the owner's link: whoever has it can approve.")] = False,
    no_list: Annotated[
        bool, typer.Option("--no-list", help="The list is not here: say nothing of who and how many.")
    ] = False,
) -> int:
    """Say what merging an issue does, and where to look at it.

    Drafts too. Exit 1 when there is something to mend. The link that is printed can look, and no more.
    """
    here: Here = context.obj
    from newsletter.flows.review import look

    with here.open(listed=not no_list) as app:
        found = look(issue, app.desk, listed=not no_list)
        told = _page(found, app.desk, ask=ask, link=link) if not no_list else _Page()
        document = _document(found, told, app.desk)
    if as_json:
        terminal.document(document)
    elif form is Form.MARKDOWN:
        _markdown(found, document)
    else:
        _show(found, document, told)
    return exits.PROBLEMS if any(one.level is Level.ERROR for one in found.problems) else exits.DONE


class _Page:
    """Where a review can be looked at: the link that only looks, the owner's own, how many owners were asked."""

    def __init__(self, url: str = "", own: str = "", asked: int | None = None) -> None:
        self.url, self.own, self.asked = url, own, asked


def _page(found: Review, desk: Desk, *, ask: bool, link: bool) -> _Page:
    from newsletter.core.review import Person, Role
    from newsletter.flows import owner, people
    from newsletter.flows import review as reviews

    with desk.store.begin() as tx:
        kept = reviews.keep(tx, found)
        asked = reviews.ask(tx, kept, desk) if ask else None
    if ask:
        owner.tell(desk)
    own = people.link(kept.id, Person(Role.OWNER), desk) if link else ""
    return _Page(people.link(kept.id, Person(Role.LOOK), desk), own, asked)


def _document(found: Review, page: _Page, desk: Desk) -> dict[str, object]:
    from newsletter.cli import findings
    from newsletter.core.schedule import iso
    from newsletter.flows.review import sentence

    outlook = found.outlook
    return {
        "issue": found.key,
        "subject": found.subject,
        "fate": outlook.fate.value,
        "sentence": sentence(outlook, desk.publication, desk.root),
        "audience": outlook.audience,
        "send_at": iso(outlook.at),
        "content_sha256": found.content,
        "review_url": page.url or None,
        "asked": page.asked,
        "problems": [findings.plain(one) for one in found.problems],
        "error": None,
    }


def _show(found: Review, document: dict[str, object], page: _Page) -> None:
    terminal.say(str(document["sentence"]))
    terminal.problems(found.problems)
    if page.url:
        terminal.say(f"Look at it: {page.url}")
    if page.own:
        terminal.say(f"The owner's own link, keep it to yourself: {page.own}")
    if page.asked is not None:
        terminal.say(
            f"{terminal.counted(page.asked, 'owner')} asked by mail."
            if page.asked
            else "Nobody was asked: set NEWSLETTER_OWNER__EMAIL."
        )


def _markdown(found: Review, document: dict[str, object]) -> None:
    """The sentence first, as a comment in a pull request begins; then the checks."""
    from newsletter.cli import findings

    terminal.say(f"**{findings.cell(str(document['sentence']))}**\n")
    if document["review_url"]:
        terminal.say(f"[Look at the letter]({document['review_url']})\n")
    errors = sum(one.level is Level.ERROR for one in found.problems)
    warnings = sum(one.level is Level.WARNING for one in found.problems)
    summary = f"{terminal.counted(errors, 'thing')} to fix, {terminal.counted(warnings, 'warning')}."
    terminal.say(findings.markdown(terminal.in_order(found.problems), summary))


def approve(context: typer.Context, issue: Issue, as_json: Json = False) -> None:
    """Say yes to an issue as it is now.

    Where `send.approval` is `owner`, nothing goes before this, or before an owner pressed the button of the review
    page. It is for these words, this time and these segments; it is written down for ever.
    """
    here: Here = context.obj
    from newsletter.core.schedule import iso
    from newsletter.flows.approve import approve_here
    from newsletter.flows.review import look

    with here.open() as app:
        found, until = approve_here(issue, app.desk)
        document = {
            **_document(look(issue, app.desk), _Page(), app.desk),
            "holds_until": iso(until),
        }
    if as_json:
        terminal.document(document)
        return
    terminal.say(f"{found.key} is approved, until {until:%Y-%m-%d %H:%M} UTC. If a word changes, it is not any more.")
    terminal.say(str(document["sentence"]))
