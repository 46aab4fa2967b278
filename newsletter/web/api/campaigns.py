"""Campaigns: what was sent, and letters that another machine has rendered and this server sends.

A request to send is answered as soon as the letter and its readers are frozen; whoever asked follows the status.
"""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any, Literal

from fastapi import FastAPI, Query
from fastapi.responses import JSONResponse, Response
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints

from newsletter.content.frontmatter import slug_of
from newsletter.core.bundle import Bundle
from newsletter.core.campaign import CampaignState, Variant, as_json
from newsletter.core.keys import Scope
from newsletter.core.schedule import iso
from newsletter.errors import FileRefused, NotApproved, NotFound
from newsletter.flows import ledger, press
from newsletter.flows.desk import Desk
from newsletter.flows.keys import Caller
from newsletter.web.api import cursor as cursors
from newsletter.web.api.asking import Asking, Write, answer, needs, told
from newsletter.web.api.shapes import LINE, Key, Refusals, Shape
from newsletter.web.door import Door, get

READ, SEND = Scope.CAMPAIGNS_READ, Scope.CAMPAIGNS_SEND
PATHS = ("/api/campaigns", "/api/plans")
"""Where bundles arrive: larger than other requests."""

_LIST = "campaigns"
_TAG: Any = ["campaigns"]
_Line = Annotated[str, StringConstraints(max_length=500, pattern=LINE)]
_Name = Annotated[str, StringConstraints(min_length=1, max_length=100, pattern=LINE)]
_WHOLE = r"^[^\x00]*$"
_Hash = Annotated[str, StringConstraints(pattern="^[0-9a-f]{64}$")]
_Groups = Annotated[list[Annotated[list[_Name], Field(max_length=50)]], Field(max_length=4)]


class Version(BaseModel):
    """One version of the mail: frozen, and whose it is (a topic of each of `has`, none of `lacks`)."""

    model_config = ConfigDict(extra="forbid")
    name: _Name
    body: str = Field(
        max_length=2_000_000, pattern=_WHOLE, description="The email as `newsletter` freezes it: canonical JSON."
    )
    has: _Groups = []
    lacks: _Groups = []


class Rendered(BaseModel):
    """An issue, rendered where its files are."""

    model_config = ConfigDict(extra="forbid")
    key: _Name = Field(description="The issue's slug; unique for ever.", examples=["the-ten-minutes-between"])
    name: _Line = Field(description="The issue's file, for messages.")
    subject: _Line
    segments: list[_Name] = Field(min_length=1, max_length=50)
    topics: dict[_Name, list[_Name]] = Field(description="What each segment means.")
    variants: list[Version] = Field(min_length=1, max_length=16, description="That of no named segment first.")
    source_sha256: _Hash
    base_url: _Line = Field(description="Where the links lead: this server.")
    archive: str | None = Field(
        None, max_length=2_000_000, pattern=_WHOLE, description="The public page; null for none."
    )
    day: date | None = None
    due_at: AwareDatetime | None = None
    warnings: list[_Line] = Field([], max_length=200)

    def bundle(self) -> Bundle:
        """As the flows take it. Raises: FileRefused."""
        if slug_of(self.key) != self.key:
            raise FileRefused("This is no key of a campaign.", "It has small letters, digits and hyphens.")
        return Bundle(
            key=self.key,
            name=self.name,
            subject=self.subject,
            segments=tuple(self.segments),
            topics={name: tuple(topics) for name, topics in self.topics.items()},
            variants=tuple(
                Variant(one.name, one.body, tuple(map(tuple, one.has)), tuple(map(tuple, one.lacks)))
                for one in self.variants
            ),
            source_sha256=self.source_sha256,
            base_url=self.base_url,
            archive=self.archive,
            day=self.day,
            due_at=self.due_at,
            warnings=tuple(self.warnings),
        )


class Asked(BaseModel):
    """A bundle and the hash that binds it."""

    model_config = ConfigDict(extra="forbid")
    bundle: Rendered
    sha256: _Hash = Field(description="SHA-256 of the frozen versions, a line end between each and the next.")
    again: _Line = Field("", description="Why words that were sent before, or cancelled, go once more.")

    def checked(self) -> Bundle:
        """The bundle. Raises: FileRefused when it is not what its hash says."""
        bundle = self.bundle.bundle()
        if bundle.sha256 != self.sha256:
            raise FileRefused("The bundle is not the one its hash was made of.", "Render it again.")
        return bundle


class Wanted(Asked):
    """A bundle to send, and somebody's agreement."""

    plan: dict[str, Any] | None = Field(None, description="A plan of this server that somebody agreed to.")
    yes: Literal[True] | None = Field(None, description="Send now, whatever the plan and the date say.")
    due: Literal[True] | None = Field(None, description="Send in its own time: not before, and not too late.")


class Planned(Shape):
    """Who would get it, how many, when, through what."""

    model_config = ConfigDict(extra="allow")
    issue: str
    audience: int
    content_sha256: str
    hash: str
    review_url: str = Field(description="Where the letter can be looked at; whoever has it can do no more.")


class Trouble(Shape):
    """What stood in the way of the last try; the server tries again by itself."""

    kind: str = Field(examples=["work-left"])
    what: str
    todo: str


class Status(Shape):
    """A campaign and its ledger: `audience` is the sum of the five counts, at every moment."""

    issue: str = Field(examples=["the-ten-minutes-between"])
    campaign: str
    state: CampaignState
    subject: str
    provider: str
    audience: int
    submitted: int
    suppressed: int
    failed: int
    uncertain: int
    pending: int
    batches: int
    excluded: dict[str, int]
    content_sha256: str
    frozen_at: str | None
    started_at: str | None
    finished_at: str | None
    held_until: str | None
    soaking_until: str | None
    brake: str | None


class Followed(Status):
    """A campaign as whoever asked for it follows it."""

    ordered: bool = Field(description="Whether this server sends it by itself.")
    all_paused: bool
    settling: int = Field(description="Uncertain rows that the provider can still tell of.")
    settling_until: str | None
    last_claim_at: str | None
    trouble: Trouble | None


class Page(Shape):
    """Some campaigns, the newest first."""

    items: list[Status]
    next: str | None = Field(description="The cursor of the next page; null at the end.")


def routes(app: FastAPI, door: Door) -> None:
    """Add them to the application."""
    desk, asking = door.desk, Asking(door)
    reads, writes = asking.may(READ), asking.write(SEND)

    @get(
        app,
        "/api/campaigns",
        answers=JSONResponse,
        tags=_TAG,
        summary="Campaigns, the newest first",
        **needs(READ),
        response_model=Page,
        responses=Refusals.of(401, 403, 422, 429, 503),
    )
    def some(
        limit: Annotated[int, Query(ge=1, le=100)] = 20,
        cursor: Annotated[str | None, Query(max_length=cursors.LONGEST, description="`next` of a page.")] = None,
        _caller: Caller = reads,
    ) -> Response:
        before = cursors.read(_LIST, cursor)
        with desk.store.read() as tx:
            found = [one for one in tx.campaigns.all() if before is None or one.id < before][: limit + 1]
            items = [as_json(one, tx.campaigns.counts(one.id, desk.now())) for one in found[:limit]]
        return answer(
            {"items": items, "next": cursors.write(_LIST, found[limit - 1].id) if len(found) > limit else None}
        )

    @get(
        app,
        "/api/campaigns/{key}",
        answers=JSONResponse,
        tags=_TAG,
        summary="A campaign, and how far it is",
        **needs(READ),
        response_model=Followed,
        responses=Refusals.of(401, 403, 404, 422, 429, 503),
    )
    def one(key: Key, _caller: Caller = reads) -> Response:
        return told(lambda: answer(_followed(press.standing(key, desk))))

    @app.post(
        "/api/plans",
        tags=_TAG,
        summary="Plan a letter that is rendered elsewhere; it is kept to be looked at",
        **needs(SEND),
        response_model=Planned,
        responses=Refusals.of(401, 403, 404, 409, 413, 415, 422, 429, 503),
    )
    def plan(asked: Asked, write: Write = writes) -> Response:  # noqa: ARG001
        def act() -> Response:
            bundle = asked.checked()
            made = press.plan(bundle, desk, again=asked.again)
            return answer({**made.as_json(), "review_url": press.page(made, bundle, desk), "error": None})

        return told(act)

    @app.post(
        "/api/campaigns",
        tags=_TAG,
        status_code=201,
        summary="Send a letter that is rendered elsewhere",
        **needs(SEND, "Or a workflow's token. The same key and hash again is the same campaign (200)."),
        response_model=Followed,
        responses={
            200: {"model": Followed, "description": "It was begun before, with the same content"},
            **Refusals.of(401, 403, 404, 409, 413, 415, 422, 429, 503),
        },
    )
    def send(asked: Wanted, write: Write = writes) -> Response:
        def act() -> Response:
            if asked.plan is None and not asked.yes and not asked.due:
                raise NotApproved("Nobody has said yes.", 'Send a plan that was agreed to, or "yes": true.')
            approval = None if asked.yes else asked.plan
            found, begun = press.order(
                asked.checked(), desk, by=write.caller.name, approval=approval, again=asked.again, now=bool(asked.yes)
            )
            door.wake()
            return answer(_followed(found), 201 if begun else 200)

        return told(lambda: write.once(act))

    for verb, summary in (
        ("pause", "Stop a campaign after the batches in flight"),
        ("resume", "Let a paused campaign go on"),
        ("cancel", "End a campaign for good"),
    ):
        _turn(app, verb, summary, door, writes)


def _turn(app: FastAPI, verb: str, summary: str, door: Door, writes: Any) -> None:
    @app.post(
        f"/api/campaigns/{{key}}/{verb}",
        tags=_TAG,
        summary=summary,
        **needs(SEND),
        operation_id=f"{verb}_campaign",
        response_model=Followed,
        responses=Refusals.of(401, 403, 404, 409, 413, 415, 422, 429, 503),
    )
    def turn(key: Key, write: Write = writes) -> Response:
        desk = door.desk

        def act() -> Response:
            _same(key, desk)
            if verb == "cancel":
                ledger.cancel(key, desk)
            else:
                ledger.turn(key, desk, CampaignState.PAUSED if verb == "pause" else CampaignState.SENDING)
            door.wake()
            return answer(_followed(press.standing(key, desk)))

        return told(lambda: write.once(act))


def _same(key: str, desk: Desk) -> None:
    """A file of this name may lead to another campaign: then it is that one's own key that is asked for."""
    press.standing(key, desk)
    if ledger.status(key, desk)[0].key != key:
        raise NotFound("There is no such campaign.", "See: newsletter status")


def _followed(found: press.Standing) -> dict[str, Any]:
    trouble = found.order.trouble if found.order else None
    return {
        **as_json(found.campaign, found.counts),
        "ordered": found.order is not None,
        "all_paused": found.paused_all,
        "settling": found.settling.rows,
        "settling_until": iso(found.settling.until),
        "last_claim_at": iso(found.last_claim_at),
        "trouble": {"kind": trouble.kind, "what": trouble.what, "todo": trouble.todo} if trouble else None,
    }
