"""What several answers of the API are made of, as the OpenAPI document tells it."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated, Any, ClassVar

from fastapi import Path
from pydantic import BaseModel, ConfigDict, Field

Pid = Annotated[str, Path(max_length=32, pattern="^[0-9a-f]+$", description="The public id of a subscriber.")]
LINE = r"^[^\x00-\x1f\x7f]*$"
"""Words on one line: no control characters, of which PostgreSQL keeps no NUL."""
Key = Annotated[str, Path(max_length=100, pattern=LINE, description="The key of a campaign: its issue's slug.")]


class Shape(BaseModel):
    """An answer: what is named is there, and nothing else."""

    model_config = ConfigDict(extra="forbid")


class Problem(BaseModel):
    """What went wrong (RFC 9457). It never repeats what was sent."""

    model_config = ConfigDict(extra="forbid")
    type: str = Field(description="What kind it is, for programs.", examples=["urn:newsletter:problem:not-found"])
    title: str = Field(description="The status in words.", examples=["Not Found"])
    status: int = Field(ge=400, le=599, examples=[404])
    detail: str = Field(description="What happened, for people.", examples=["There is no such subscriber."])
    todo: str | None = Field(None, description="What to do next.", examples=["See: newsletter subscribers list"])
    field: str | None = Field(None, description="The field that is wrong, where it is one.")


class Refusals:
    """The statuses a route may answer with when it refuses."""

    SAYS: ClassVar = {
        400: "The address is not one we can write to, or the body is no text.",
        401: "No key, or none that holds.",
        403: "The key has not the scope, or a page of another site asks.",
        404: "There is no such thing.",
        405: "This is asked in another way: see Allow.",
        408: "The body took too long to come.",
        409: "What is asked does not fit how things stand; `type` says in which way.",
        413: "The body is too large.",
        415: "The body is not JSON.",
        422: "A field is missing, unknown or of the wrong kind; or the Idempotency-Key was used for something else.",
        429: "Too many wrong keys from there; see Retry-After.",
        431: "The head of the request is too large.",
        500: "It broke here; the owner's log says where.",
        503: "Not now: see Retry-After.",
    }

    @classmethod
    def of(cls, *statuses: int) -> dict[int | str, dict[str, Any]]:
        """As FastAPI takes it."""
        return {status: cls.one(status) for status in statuses}

    @classmethod
    def one(cls, status: int) -> dict[str, Any]:
        """One of them, with an example."""
        example = {"type": "about:blank", "title": HTTPStatus(status).phrase, "status": status, "detail": ""}
        schema = {"$ref": "#/components/schemas/Problem"}
        return {
            "description": cls.SAYS[status],
            "content": {"application/problem+json": {"schema": schema, "example": example}},
        }
