"""Signing up: the form as a page, and as JSON. One flow behind both."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import parse_qsl

from fastapi import FastAPI, Request
from fastapi.responses import HTMLResponse, JSONResponse, Response
from pydantic import BaseModel, ConfigDict, Field
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException

from newsletter.core import address, network
from newsletter.errors import AddressRefused, NotFound
from newsletter.flows import gate, signup
from newsletter.flows.gate import Visit
from newsletter.web import errors, headers
from newsletter.web.door import Door, get
from newsletter.web.pages import Pages
from newsletter.web.together import Together

_LONGEST_ADDRESS = 254  # RFC 5321, 4.5.3.1.3, without the angle brackets
API = "/api/subscribe"
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
    proof: str = Field("", max_length=100, description="What a browser found for the stamp, while the form is flooded.")
    comment: str = Field("", max_length=1000, description="Leave it empty: it stands in forms for programs to fill.")


def routes(app: FastAPI, door: Door) -> None:
    """Add them to the application."""
    publication = door.desk.publication

    @get(app, "/", summary="The signup page")
    def front(request: Request, lang: str = "", again: str = "") -> Response:
        return _form(publication.default_form, door, door.speaking(request.headers, lang), again)

    @get(app, "/s/{form}", summary="The page of one signup form", responses={404: _PAGE})
    def form_page(request: Request, form: str, lang: str = "", again: str = "") -> Response:
        return _form(form, door, door.speaking(request.headers, lang), again)

    take = Together[signup.Request](lambda group: signup.signups(group, door.desk))
    sent: dict[tuple[str, str, str], Response] = {}  # one for each language, form and resource

    @app.post(
        "/subscribe",
        summary="Sign up; the answer is the same for every address",
        response_class=HTMLResponse,
        responses={400: _PAGE, 403: _PAGE, 404: _PAGE, 422: _PAGE},
        openapi_extra=_BODY,
    )
    async def subscribe(request: Request) -> Response:
        typed = await _typed(request)
        pages = door.speaking(request.headers, typed.get("lang", ""))
        asked = _asked(typed, pages.lang, request)
        _same_side(request, _origins(asked.form, door), door)
        signup.wanted(asked, door.desk)
        try:
            if not typed.get("sure") and (better := address.meant(address.parse(asked.email))):
                return await run_in_threadpool(_meant, asked, better, pages, door)
            await take(asked)
        except AddressRefused as refused:
            return await run_in_threadpool(_again, asked, refused, pages, door)
        door.post()
        key = (pages.lang, asked.form, asked.magnet)
        if key not in sent:
            sent[key] = _sent(asked, pages, door)
        return sent[key]

    @app.post(
        "/api/subscribe",
        status_code=202,
        summary="Sign up, for programs; the answer is the same for every address",
        response_class=JSONResponse,
        responses={400: _PROBLEM, 403: _PROBLEM, 404: _PROBLEM, 422: _PROBLEM},
    )
    async def subscribe_json(request: Request, asked: Asked) -> Response:
        _same_side(request, _origins(asked.form, door), door)
        pages = door.speaking(request.headers, asked.lang)
        visit = Visit(asked.stamp, asked.comment, _network(request), asked.proof)
        wanted = signup.Request(asked.email, asked.form, asked.magnet, asked.letter, pages.lang, API, visit)
        try:
            await take(wanted)
        except AddressRefused as refused:
            return errors.problem(400, _plain(refused, pages), field="email")
        door.post()
        return JSONResponse(ACCEPTED, 202, headers.PRIVATE)


_URLENCODED, _MULTIPART = "application/x-www-form-urlencoded", "multipart/form-data"
_FIELDS = ("email", "form", "magnet", "letter", "lang", "stamp", "proof", "comment", "sure")
_FORM = {"type": "object", "properties": {name: {"type": "string", "default": ""} for name in _FIELDS}}
_BODY = {"requestBody": {"content": {kind: {"schema": _FORM} for kind in (_URLENCODED, _MULTIPART)}}}
_MOST_FIELDS = 100


async def _typed(request: Request) -> Mapping[str, str]:
    """The fields of a form, however it is sent; of two with one name the last. Raises: HTTPException 400, 422.

    The framework's own way to them costs more than all the rest of an answer.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind == _MULTIPART:
        async with request.form(max_fields=_MOST_FIELDS) as form:
            typed = {name: value for name, value in form.items() if isinstance(value, str)}
            if len(typed) < len(form.keys()):
                raise HTTPException(422)  # a file where words belong
            return typed
    if kind != _URLENCODED:
        return {}
    body = (await request.body()).decode("utf-8", "replace")
    try:
        return dict(parse_qsl(body, keep_blank_values=True, max_num_fields=_MOST_FIELDS))
    except ValueError:
        raise HTTPException(400) from None


_PAGE = {"content": {"text/html": {}}, "description": "A page that says what to do next"}
_PROBLEM = {"content": {"application/problem+json": {}}, "description": "What is wrong (RFC 9457)"}


def _page(form: str, magnet: str) -> str:
    """The page a form stands on, as evidence: by what the form says, never by what a browser tells of itself."""
    return f"/free/{magnet}" if magnet else f"/s/{form}" if form else "/"


def _form(key: str, door: Door, pages: Pages, again: str) -> Response:
    """`again`: somebody got no mail the first time, maybe as a browser filled what nobody sees: it is not there."""
    work = gate.under_pressure(door.desk)
    try:
        html = pages.signup(key, open_=bool(again), work=work)
    except KeyError:
        raise NotFound("There is no such form.", "Start from the first page.") from None
    return door.answer(html, frames=_origins(key, door), script=pages.script if work else "")


def _asked(typed: Mapping[str, str], lang: str, request: Request) -> signup.Request:
    form, magnet = typed.get("form", ""), typed.get("magnet", "")
    ticked = typed.get("letter", "").strip().lower() not in _UNTICKED
    visit = Visit(typed.get("stamp", ""), typed.get("comment", ""), _network(request), typed.get("proof", ""))
    return signup.Request(typed.get("email", ""), form, magnet, ticked, lang, _page(form, magnet), visit)


def _sent(asked: signup.Request, pages: Pages, door: Door) -> Response:
    frames = _origins(asked.form, door)
    return door.answer(pages.sent(asked.form, asked.magnet), private=True, frames=frames)


def _meant(asked: signup.Request, better: str, pages: Pages, door: Door) -> Response:
    return door.answer(pages.meant(asked, better), private=True, frames=_origins(asked.form, door))


def _again(asked: signup.Request, refused: AddressRefused, pages: Pages, door: Door) -> Response:
    """The form once more, with what was typed and what is wrong. Raises: NotFound when there is no such form."""
    work = gate.under_pressure(door.desk)
    try:
        html = pages.signup(
            asked.form or door.desk.publication.default_form,
            magnet=asked.magnet,
            email=asked.email[:_LONGEST_ADDRESS],
            letter=asked.letter,
            problem=_plain(refused, pages),
            work=work,
        )
    except KeyError:
        raise NotFound("There is no such form, or no such free resource.", "Start from the first page.") from None
    frames, script = _origins(asked.form, door), pages.script if work else ""
    return door.answer(html, 400, private=True, frames=frames, script=script)


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
    if not sent or sent == "null" or sent in listed:
        return
    if sent not in {headers.origin(door.desk.links.base_url), headers.origin(str(request.base_url))}:
        raise HTTPException(403)


def _plain(refused: AddressRefused, pages: Pages) -> str:
    """What is wrong, in the page's language: an error's own words are English."""
    return pages.say("signup.refused") if not pages.english else f"{refused.what} {refused.todo}".strip()


def _network(request: Request) -> str:
    return network.of(request.client.host) if request.client else ""
