"""Signing up: the form as a page, and as JSON. One flow behind both."""

from __future__ import annotations

from typing import Annotated

from fastapi import FastAPI, Form, Request
from fastapi.responses import HTMLResponse, JSONResponse, Response
from pydantic import BaseModel, ConfigDict, Field
from starlette.exceptions import HTTPException

from newsletter.core import address, network
from newsletter.errors import AddressRefused, NotFound
from newsletter.flows import signup
from newsletter.flows.gate import Visit
from newsletter.web import errors, headers
from newsletter.web.door import Door, get
from newsletter.web.pages import Pages

_LONGEST_ADDRESS = 254  # RFC 5321, 4.5.3.1.3, without the angle brackets
_UNTICKED = {"", "0", "false", "no", "off"}
ACCEPTED = {"status": "accepted", "next": "If the address can receive mail, a message is on its way to it."}


class Asked(BaseModel):
    """A signup as JSON; the fields of the form."""

    model_config = ConfigDict(extra="forbid")
    email: str = Field(max_length=1000, examples=["reader@example.org"])
    form: str = Field("", max_length=100, description="A form of newsletter.yml; the first one when empty.")
    magnet: str = Field("", max_length=100, description="A free resource; the form's own when empty.")
    letter: bool = Field(False, strict=True, description="Whether the form's topics are wanted beside the resource.")
    lang: str = Field("", max_length=35, description="A language of ours; the publication's own when empty.")
    stamp: str = Field("", max_length=200, description="The hidden field of a form of ours, when there was one.")
    comment: str = Field("", max_length=1000, description="Leave it empty: it stands in forms for programs to fill.")


def routes(app: FastAPI, door: Door) -> None:
    """Add them to the application."""
    publication = door.desk.publication

    @get(app, "/", summary="The signup page")
    def front(lang: str = "", again: str = "") -> Response:
        return _form(publication.default_form, door, lang, again)

    @get(app, "/s/{form}", summary="The page of one signup form", responses={404: _PAGE})
    def form_page(form: str, lang: str = "", again: str = "") -> Response:
        return _form(form, door, lang, again)

    @app.post(
        "/subscribe",
        summary="Sign up; the answer is the same for every address",
        response_class=HTMLResponse,
        responses={400: _PAGE, 403: _PAGE, 404: _PAGE, 422: _PAGE},
    )
    def subscribe(
        request: Request,
        email: Annotated[str, Form()] = "",
        form: Annotated[str, Form()] = "",
        magnet: Annotated[str, Form()] = "",
        letter: Annotated[str, Form()] = "",
        lang: Annotated[str, Form()] = "",
        stamp: Annotated[str, Form()] = "",
        comment: Annotated[str, Form()] = "",
        sure: Annotated[str, Form()] = "",
    ) -> Response:
        ticked = letter.strip().lower() not in _UNTICKED
        visit = Visit(stamp, comment, _network(request))
        asked = signup.Request(email, form, magnet, ticked, _known(lang, door), _page(form, magnet), visit)
        frames = _origins(form, door)
        _same_side(request, frames, door)
        pages = door.pages.within(asked.lang)
        try:
            if not sure and (better := address.meant(address.parse(email))):
                return door.answer(pages.meant(asked, better), private=True, frames=frames)
            signup.signup(asked, door.desk)
        except AddressRefused as refused:
            again = _again(asked, _plain(refused, pages), pages, publication.default_form)
            return door.answer(again, 400, private=True, frames=frames)
        door.wake()
        return door.answer(pages.sent(form, magnet), private=True, frames=frames)

    @app.post(
        "/api/subscribe",
        status_code=202,
        summary="Sign up, for programs; the answer is the same for every address",
        response_class=JSONResponse,
        responses={400: _PROBLEM, 403: _PROBLEM, 404: _PROBLEM, 422: _PROBLEM},
    )
    def subscribe_json(request: Request, asked: Asked) -> Response:
        _same_side(request, _origins(asked.form, door), door)
        lang = _known(asked.lang, door)
        visit = Visit(asked.stamp, asked.comment, _network(request))
        wanted = signup.Request(asked.email, asked.form, asked.magnet, asked.letter, lang, "/api/subscribe", visit)
        try:
            signup.signup(wanted, door.desk)
        except AddressRefused as refused:
            return errors.problem(400, _plain(refused, door.pages.within(lang)), field="email")
        door.wake()
        return JSONResponse(ACCEPTED, 202, headers.PRIVATE)


_PAGE = {"content": {"text/html": {}}, "description": "A page that says what to do next"}
_PROBLEM = {"content": {"application/problem+json": {}}, "description": "What is wrong (RFC 9457)"}


def _page(form: str, magnet: str) -> str:
    """The page a form stands on, as evidence: by what the form says, never by what a browser tells of itself."""
    return f"/free/{magnet}" if magnet else f"/s/{form}" if form else "/"


def _form(key: str, door: Door, lang: str, again: str) -> Response:
    """`again`: somebody got no mail the first time, maybe as a browser filled what nobody sees: it is not there."""
    try:
        html = door.pages.within(lang).signup(key, open_=bool(again))
    except KeyError:
        raise NotFound("There is no such form.", "Start from the first page.") from None
    return door.answer(html, frames=_origins(key, door))


def _again(asked: signup.Request, problem: str, pages: Pages, default_form: str) -> str:
    """The form once more, with what was typed and what is wrong. Raises: NotFound when there is no such form."""
    try:
        return pages.signup(
            asked.form or default_form,
            magnet=asked.magnet,
            email=asked.email[:_LONGEST_ADDRESS],
            letter=asked.letter,
            problem=problem,
        )
    except KeyError:
        raise NotFound("There is no such form, or no such free resource.", "Start from the first page.") from None


def _known(lang: str, door: Door) -> str:
    """The language, when we speak it."""
    return lang if lang in door.pages.languages else door.desk.publication.language


def _origins(form: str, door: Door) -> tuple[str, ...]:
    """The origins that may embed a form, from newsletter.yml."""
    publication = door.desk.publication
    try:
        return headers.origins(publication.form(form or publication.default_form).origins)
    except KeyError:
        return ()


def _same_side(request: Request, listed: tuple[str, ...], door: Door) -> None:
    """Refuse a form that a stranger's page sends.

    Absent and `null` pass: old browsers and sandboxed frames send them, and there is no cookie whose
    right could be abused. Raises: HTTPException 403.
    """
    sent = request.headers.get("origin", "").lower()
    own = {headers.origin(door.desk.links.base_url), headers.origin(str(request.base_url))}
    if sent and sent != "null" and sent not in own and sent not in listed:
        raise HTTPException(403)


def _plain(refused: AddressRefused, pages: Pages) -> str:
    """What is wrong, in the page's language: an error's own words are English."""
    return pages.say("signup.refused") if not pages.english else f"{refused.what} {refused.todo}".strip()


def _network(request: Request) -> str:
    return network.of(request.client.host) if request.client else ""
