"""Subscribers, by their public ids. An address is asked for in a body, never in a path or a query (promise 12)."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import FastAPI, Query
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel, ConfigDict, Field

from newsletter.core.consent import State, Subscriber
from newsletter.core.keys import Scope
from newsletter.core.schedule import iso
from newsletter.errors import WorkLeft
from newsletter.flows import audience, owners
from newsletter.flows.keys import Caller
from newsletter.web import headers
from newsletter.web.api import cursor as cursors
from newsletter.web.api.asking import Asking, Write, answer, needs, told
from newsletter.web.api.shapes import LINE, Pid, Refusals, Shape
from newsletter.web.door import Door, get

READ, WRITE = Scope.SUBSCRIBERS_READ, Scope.SUBSCRIBERS_WRITE
_LIST = "subscribers"
_TAG: Any = ["subscribers"]

Word = Annotated[str, Field(max_length=64, pattern=LINE, examples=["letter"])]


class Subscribed(Shape):
    """A subscriber."""

    id: str = Field(examples=["0af3c1d2e4b5968778695a4b3c"])
    email: str = Field(examples=["reader@example.org"])
    first_name: str = Field(examples=["Rosa"])
    last_name: str = Field(examples=[""])
    lang: str = Field(examples=["en"])
    state: State
    topics: list[str] = Field(examples=[["letter"]])
    created_at: str | None = Field(examples=["2026-12-01T17:30:00Z"])
    confirmed_at: str | None = Field(examples=["2026-12-01T17:32:10Z"])


class Everything(Subscribed):
    """A subscriber with everything kept about them: what a later version keeps beside it, too."""

    model_config = ConfigDict(extra="allow")
    suppressed: str | None = Field(description="Why the address must not be mailed, if so.")
    consent: list[dict[str, Any]] = Field(description="Every consent event, oldest first.")
    grants: list[dict[str, Any]] = Field(description="The free resources they were given.")
    campaigns: list[dict[str, Any]] = Field(description="The letters they were sent, and what became of each.")
    copies: list[dict[str, Any]] = Field(description="Copies of letters they asked for.")


class Page(Shape):
    """Some subscribers, oldest first."""

    items: list[Subscribed]
    next: str | None = Field(description="The cursor of the next page; null at the end.")


class Brief(Shape):
    """A subscriber without an address: an answer that may be kept."""

    id: str = Field(examples=["0af3c1d2e4b5968778695a4b3c"])
    state: State
    topics: list[str] = Field(examples=[["letter"]])


class Address(BaseModel):
    """Whom to look for."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"email": "reader@example.org"}]})
    email: str = Field(max_length=1000)


class Newcomer(BaseModel):
    """A reader to add."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [{"email": "reader@example.org", "topics": ["letter"], "attested": "asked for it on paper"}]
        },
    )
    email: str = Field(max_length=1000)
    topics: list[Word] = Field(["letter"], min_length=1, max_length=50)
    attested: str = Field(
        "",
        max_length=500,
        pattern=LINE,
        description="How they agreed, kept as evidence: then they are active at once. Without it they are pending,"
        " and asked by mail.",
    )
    first_name: str = Field("", max_length=200, pattern=LINE)
    last_name: str = Field("", max_length=200, pattern=LINE)
    lang: str = Field("", max_length=35, pattern=r"^([A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*)?$", examples=["en"])


class Choice(BaseModel):
    """What a reader gets from now on."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"topics": ["letter"]}]})
    topics: list[Word] = Field(min_length=1, max_length=50)
    attested: str = Field("", max_length=500, pattern=LINE, description="How they agreed to what comes on top.")


class Note(BaseModel):
    """Why."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"note": "asked on the phone"}]})
    note: str = Field("", max_length=500, pattern=LINE)


def routes(app: FastAPI, door: Door) -> None:  # noqa: C901 -- one function for each route
    """Add them to the application."""
    desk, asking = door.desk, Asking(door)
    reads, finds, writes = asking.may(READ), asking.write(READ), asking.write(WRITE)

    @get(
        app,
        "/api/subscribers",
        answers=JSONResponse,
        tags=_TAG,
        summary="Subscribers, a page at a time",
        **needs(READ),
        response_model=Page,
        responses=Refusals.of(401, 403, 422, 429, 503),
    )
    def some(
        limit: Annotated[int, Query(ge=1, le=200)] = 50,
        cursor: Annotated[str | None, Query(max_length=cursors.LONGEST, description="`next` of a page.")] = None,
        state: Annotated[State | None, Query()] = None,
        topic: Annotated[str | None, Query(max_length=64, pattern=LINE)] = None,
        _caller: Caller = reads,
    ) -> Response:
        after = cursors.read(_LIST, cursor) or 0
        found = owners.page(desk, after=after, state=state, topic=topic, size=limit + 1)
        more = cursors.write(_LIST, found[limit - 1].id) if len(found) > limit else None
        return answer({"items": [_plain(who) for who in found[:limit]], "next": more})

    @app.post(
        "/api/lookup",
        tags=_TAG,
        summary="The subscriber of an address",
        **needs(READ),
        response_model=Subscribed,
        responses=Refusals.of(400, 401, 403, 404, 413, 415, 422, 429, 503),
    )
    def find(asked: Address, write: Write = finds) -> Response:  # noqa: ARG001
        return told(lambda: answer(_plain(owners.named(asked.email, desk))))

    @get(
        app,
        "/api/subscribers/{id}",
        answers=JSONResponse,
        tags=_TAG,
        summary="A subscriber, with everything kept about them",
        **needs(READ),
        response_model=Everything,
        responses=Refusals.of(401, 403, 404, 422, 429, 503),
    )
    def one(id: Pid, _caller: Caller = reads) -> Response:  # noqa: A002
        return told(lambda: answer(audience.show(owners.find(id, desk).email, desk)))

    @app.post(
        "/api/subscribers",
        tags=_TAG,
        status_code=201,
        summary="Add a subscriber: asked by mail, or active at once where you say how they agreed",
        **needs(WRITE),
        response_model=Brief,
        responses=Refusals.of(400, 401, 403, 404, 409, 413, 415, 422, 429, 503),
    )
    def add(asked: Newcomer, write: Write = writes) -> Response:
        new = owners.New(
            asked.email,
            tuple(dict.fromkeys(asked.topics)),
            asked.attested,
            asked.first_name,
            asked.last_name,
            asked.lang,
        )

        def act() -> Response:
            added = _brief(owners.add(new, desk, by=write.caller.name))
            door.wake()
            return answer(added, 201)

        return told(lambda: write.once(act))

    @app.patch(
        "/api/subscribers/{id}",
        tags=_TAG,
        summary="Change a subscriber's topics",
        **needs(WRITE),
        response_model=Brief,
        responses=Refusals.of(401, 403, 404, 409, 413, 415, 422, 429, 503),
    )
    def choose(id: Pid, asked: Choice, write: Write = writes) -> Response:  # noqa: A002
        def act() -> Response:
            return answer(_brief(owners.choose(id, asked.topics, desk, why=asked.attested, by=write.caller.name)))

        return told(lambda: write.once(act))

    @app.post(
        "/api/subscribers/{id}/suppress",
        tags=_TAG,
        status_code=204,
        summary="Never mail this address again, by the owner's word",
        **needs(WRITE),
        response_class=Response,
        responses=Refusals.of(401, 403, 404, 413, 415, 422, 429, 503),
    )
    def suppress(id: Pid, asked: Note, write: Write = writes) -> Response:  # noqa: A002
        def act() -> Response:
            audience.suppress(owners.find(id, desk).email, desk, note=asked.note)
            return Response(None, 204, headers.PRIVATE)

        return told(lambda: write.once(act))

    @app.delete(
        "/api/subscribers/{id}",
        tags=_TAG,
        status_code=204,
        summary="Erase a subscriber: afterwards the address is nowhere in the database",
        **needs(WRITE),
        response_class=Response,
        responses=Refusals.of(401, 403, 404, 413, 415, 422, 429, 503),
    )
    def erase(id: Pid, write: Write = writes) -> Response:  # noqa: A002
        def act() -> Response:
            email = owners.find(id, desk).email
            try:
                audience.erase(email, desk, method=owners.METHOD, source=f"key {write.caller.name}")
            except WorkLeft:  # the person is erased; the file is cleaned by the next tick
                door.wake()
            return Response(None, 204, headers.PRIVATE)

        return told(lambda: write.once(act))


def _plain(who: Subscriber) -> dict[str, Any]:
    return {
        "id": who.pid,
        "email": who.email,
        "first_name": who.first_name,
        "last_name": who.last_name,
        "lang": who.lang,
        "state": who.state,
        "topics": list(who.topics),
        "created_at": iso(who.created_at),
        "confirmed_at": iso(who.confirmed_at),
    }


def _brief(who: Subscriber) -> dict[str, Any]:
    return {"id": who.pid, "state": who.state, "topics": list(who.topics)}
