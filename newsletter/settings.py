"""Settings: the environment (`NEWSLETTER_*`, nested with `__`) over `.env` over `newsletter.yml`.

In: a folder and an environment. Out: validated settings, or one SettingsError that names every fault with
its place. Secrets come only from the environment or `.env`; every other setting may stand in
`newsletter.yml`, which is read like front matter: nothing is typed implicitly.
"""

from __future__ import annotations

import contextlib
import dataclasses
import difflib
import ipaddress
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, get_type_hints
from urllib.parse import urlsplit

from dotenv import dotenv_values
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, SecretStr, ValidationError, create_model
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    InitSettingsSource,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)
from pydantic_settings import SettingsError as UnreadableValue

from newsletter import providers
from newsletter.content import document
from newsletter.content.document import Document
from newsletter.core import address, elsewhere, rhythm
from newsletter.core.brake import Canary, Limits
from newsletter.core.campaign import LETTER, topics_of
from newsletter.core.delivery import on_this_machine
from newsletter.core.pace import Pace
from newsletter.core.publication import Look, Publication
from newsletter.core.schedule import zone
from newsletter.errors import AddressRefused, ContentError, SettingsError

FILE = "newsletter.yml"
PREFIX = "NEWSLETTER_"


def _listed(value: object) -> object:
    """A comma-separated list from the environment; a real one from newsletter.yml."""
    if isinstance(value, str):
        return [part.strip() for part in value.split(",") if part.strip()]
    return value


_SPAN = re.compile(r"(\d+(?:\.\d+)?)\s*(s|m|min|h|d)?")
_SPANS = {"s": 1, "m": 60, "min": 60, "h": 3600, "d": 86400, None: 1}
_FOR_EVER = 1e12


def _span(value: object) -> object:
    """`12h`, `15 min`, `90s` or plain seconds."""
    if isinstance(value, str) and (found := _SPAN.fullmatch(value.strip().lower())):
        return min(float(found[1]) * _SPANS[found[2]], _FOR_EVER)  # beyond what a timedelta holds; refused by its limit
    return value


def _share(value: object) -> object:
    """`20 %` or `0.2`."""
    if isinstance(value, str) and value.strip().endswith("%"):
        return float(value.strip()[:-1]) / 100
    return value


Words = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_listed)]
Keys = Annotated[tuple[SecretStr, ...], NoDecode, BeforeValidator(_listed)]
Span = Annotated[timedelta, BeforeValidator(_span), Field(gt=timedelta(0), le=timedelta(days=366))]
Pause = Annotated[timedelta, BeforeValidator(_span), Field(ge=timedelta(0), le=timedelta(days=7))]
Share = Annotated[float, BeforeValidator(_share), Field(ge=0, le=100)]
Part = Annotated[float, BeforeValidator(_share), Field(ge=0, le=1)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Send(_Part):
    """How campaigns go out."""

    threads: Annotated[int, Field(ge=1, le=64)] = 8
    batch_size: Annotated[int, Field(ge=1)] | None = None
    rate: Annotated[float, Field(ge=1e-4, le=1e6)] | None = None
    timeout: Annotated[float, Field(gt=0, le=3600)] = 30.0
    lease: Annotated[Span, Field(le=timedelta(days=1))] = timedelta(seconds=120)
    settle: Annotated[float, Field(ge=0, le=7 * 86400)] | None = None
    canary: Part = 0.02
    canary_soak: Pause = timedelta(minutes=15)
    hold: Pause | None = None
    brake_bounces: Part = 0.05
    brake_complaints: Part = 0.001
    brake_rejections: Part = 0.05
    max_recipients: Annotated[int, Field(ge=1)] | None = None
    max_lateness: Span = timedelta(hours=12)
    max_growth: Share = 0.2
    approval: Literal["none", "owner"] = "none"

    def pace(self) -> Pace:
        """As the flows take it."""
        same = {name: getattr(self, name) for name in vars(Pace()) if name in type(self).model_fields}
        limits = Limits(self.brake_bounces, self.brake_complaints, self.brake_rejections)
        return Pace(**{**same, "canary": Canary(self.canary, self.canary_soak), "brake": limits})


class Transactional(_Part):
    """Which provider carries confirmations and workbooks; the same when empty."""

    provider: str = ""


class Server(_Part):
    """The server that this machine asks to send, when it does not send itself."""

    url: str = ""
    api_key: SecretStr = SecretStr("")


class Oidc(_Part):
    """Whose workflows may ask this server to send, by a token of their forge. Off until both ids are set."""

    issuer: str = "https://token.actions.githubusercontent.com"
    audience: str = ""  # base_url
    repository: str = ""
    repository_id: str = ""
    repository_owner_id: str = ""
    environment: str = ""
    ref: str = "refs/heads/main"
    job_workflow_ref: Words = ()
    workflow_ref: Words = ()
    jwks_url: str = ""  # <issuer>/.well-known/jwks


class Bounces(_Part):
    """A mailbox that bounces arrive in, read over IMAP with TLS; none when no host is named.

    `imap_certificate`: a PEM file to trust beside those of the system, from the publication's folder.
    """

    imap_host: str = ""
    imap_port: Annotated[int, Field(ge=1, le=65535)] = 993
    imap_user: str = ""
    imap_password: SecretStr = SecretStr("")
    imap_folder: str = "INBOX"
    imap_certificate: str = ""


class Dns(_Part):
    """What doctor cannot know of the zone: the name of the DKIM key, where the provider chooses it."""

    selectors: Words = ()


class Backup(_Part):
    """Where backups go, and the key they are closed with (`newsletter db key`). How long: `retention.backup_days`."""

    folder: str = "var/backups"
    identity: SecretStr = SecretStr("")
    recipient: str = ""


class Owner(_Part):
    """Where proofs, alerts and reports go."""

    email: str = ""


def _keys_of(publication: type[Publication]) -> dict[str, Any]:
    """The publication's keys as settings, so that each is written down once."""
    hints = get_type_hints(publication)
    keys: dict[str, Any] = {}
    for field in dataclasses.fields(publication):
        if field.default_factory is not dataclasses.MISSING:
            keys[field.name] = (hints[field.name], Field(default_factory=field.default_factory))
        else:
            keys[field.name] = (hints[field.name], ... if field.default is dataclasses.MISSING else field.default)
    return keys


def _sections() -> dict[str, type[Any]]:
    """The settings of each installed provider. One that cannot be loaded has none: it is told when it is chosen."""
    found = {}
    for name in providers.installed():
        with contextlib.suppress(Exception):
            found[name] = providers.load(name).Section
    return found


def _section_keys() -> dict[str, Any]:
    return {name: (_strict(section), Field(default_factory=section)) for name, section in _sections().items()}


def _strict(section: type[Any]) -> type[Any]:
    section.__pydantic_config__ = ConfigDict(extra="forbid")  # a misspelled name is told
    return section


class _Base(BaseSettings):
    model_config: ClassVar[SettingsConfigDict] = SettingsConfigDict(
        env_prefix=PREFIX,
        env_nested_delimiter="__",
        env_ignore_empty=True,
        extra="forbid",
        frozen=True,
        hide_input_in_errors=True,  # a wrong value may be a secret
    )


if TYPE_CHECKING:
    _Publication = _Base
else:
    _Publication = create_model("_Publication", __base__=_Base, **_keys_of(Publication), **_section_keys())


class Settings(_Publication):
    """All settings: the publication's own keys (core/publication.py), a section for each provider, and these."""

    database_url: SecretStr = SecretStr("sqlite:///var/newsletter.db")  # it may hold a password
    provider: str = "outbox"
    base_url: str = "http://localhost:8000"
    secret_keys: Keys = ()
    suppression_key: SecretStr = SecretStr("")
    send: Send = Send()
    transactional: Transactional = Transactional()
    trusted_proxies: Words = ()
    bounces: Bounces = Bounces()
    owner: Owner = Owner()
    dns: Dns = Dns()
    backup: Backup = Backup()
    server: Server = Server()
    oidc: Oidc = Oidc()

    def publication(self) -> Publication:
        """The publication's keys as the floors below take them."""
        return Publication(**{field.name: getattr(self, field.name) for field in dataclasses.fields(Publication)})

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Nothing is read behind our back: `load` hands both sources in."""
        assert isinstance(init_settings, InitSettingsSource)
        return tuple(init_settings.init_kwargs["_sources"]) if "_sources" in init_settings.init_kwargs else ()


SECRETS = (
    "secret_keys",
    "suppression_key",
    "bounces.imap_password",
    "server.api_key",
    "backup.identity",
    *(
        f"{name}.{field.name}"
        for name, section in _sections().items()
        for field in dataclasses.fields(section)
        if get_type_hints(section)[field.name] is SecretStr
    ),
)
"""Never in newsletter.yml: it lies in the repository."""

NOT_YET = ("sequences",)
"""Settings with their place in the design that nothing obeys yet: a plan says so when one is set."""


def not_yet(found: Settings) -> tuple[str, ...]:
    """Those of them that were set, as sentences."""
    said = []
    for name in NOT_YET:
        part, _, inner = name.partition(".")
        given = getattr(found, part).model_fields_set if inner else found.model_fields_set
        if (inner or part) in given:
            said.append(f"{name} is set; nothing in this version acts on it yet.")
    return tuple(said)


def load(root: Path, environ: Mapping[str, str]) -> Settings:
    """Read the settings of the publication in a folder.

    In: the folder with newsletter.yml, an environment. Raises: SettingsError naming every fault.
    """
    file = _read(root / FILE)
    env = {**_dotenv(root / ".env"), **environ}
    plain = file.plain()
    faults = [*_unknown(env), *_secrets_in(plain, file)]
    try:
        found = Settings(_sources=(_Environment(env), InitSettingsSource(Settings, init_kwargs=plain)))  # type: ignore[call-arg]
    except UnreadableValue as problem:
        raise _refused([*faults, _no_json(str(problem), env)]) from None
    except ValidationError as problem:
        faults += [_fault(dict(error), env, file) for error in problem.errors(include_url=False)]
        raise _refused(faults) from None
    faults += _senseless(found, env, file)
    faults += _unfit(found, root, env, file)
    if faults:
        raise _refused(faults)
    return found


def _no_json(said: str, env: Mapping[str, str]) -> str:
    """A whole section was given in one variable, and not as JSON."""
    field = re.search(r'field "(\w+)"', said)
    name = PREFIX + field[1].upper() if field else PREFIX
    given = next((variable for variable in env if variable.upper() == name), name)
    return f"{given}: this should be JSON, or set each of its settings by itself ({name}__...)."


class _Environment(EnvSettingsSource):
    """pydantic-settings' reading of an environment that is an argument."""

    def __init__(self, env: Mapping[str, str]) -> None:
        super().__init__(Settings)
        self.env_vars = {name.lower(): value for name, value in env.items() if value != ""}


def _refused(faults: Sequence[str]) -> SettingsError:
    return SettingsError("\n".join(dict.fromkeys(faults)), "Correct it, then run the command again.")


def _read(path: Path) -> Document:
    try:
        text = path.read_text("utf-8")
    except FileNotFoundError:
        raise SettingsError(
            f"There is no {FILE} here ({path.parent}).",
            "Go to the publication's folder, or name it: newsletter -C FOLDER ...",
        ) from None
    except (OSError, UnicodeDecodeError) as problem:
        raise SettingsError(f"{FILE} cannot be read: {problem}", "It must be a text file in UTF-8.") from None
    try:
        return document.parse(text, FILE)
    except ContentError as problem:
        raise SettingsError(
            "\n".join(f"{one}\n    {one.source}" for one in problem.problems),
            next((one.fix for one in problem.problems if one.fix), ""),
        ) from None


def _dotenv(path: Path) -> dict[str, str]:
    if not path.is_file():
        return {}
    try:
        found = dotenv_values(path, encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        raise SettingsError(
            f"{path} cannot be read.", "It must be a text file in UTF-8, with lines NAME=value."
        ) from None
    return {name: value for name, value in found.items() if value is not None}


def _unknown(env: Mapping[str, str]) -> list[str]:
    """Variables with our prefix that no setting reads: pydantic-settings would let them pass."""
    known = {name.upper() for name in Settings.model_fields}
    faults = []
    for name in sorted(env):
        top = name.upper().removeprefix(PREFIX).split("__")[0]
        if name.upper().startswith(PREFIX) and top not in known:
            faults.append(f"{name} is not a setting.{_nearest(top, known, PREFIX)}")
    return faults


def _nearest(name: str, known: Sequence[str] | set[str], prefix: str = "") -> str:
    near = difflib.get_close_matches(name, sorted(known), n=1)
    return f' Did you mean "{prefix}{near[0]}"?' if near else ""


def _secrets_in(plain: Mapping[str, Any], file: Document) -> list[str]:
    faults = []
    for secret in SECRETS:
        node: Any = plain
        for step in secret.split("."):
            node = node.get(step) if isinstance(node, dict) else None
        if node is not None:
            line, col = file.place(secret.split("."))
            variable = PREFIX + secret.upper().replace(".", "__")
            said = f"{secret} is a secret and must not stand in a file of the repository. Set {variable}."
            faults.append(f"{FILE}:{line}:{col}: {said}")
    return faults


def _fault(error: Mapping[str, Any], env: Mapping[str, str], file: Document) -> str:
    """One of pydantic's findings in our words, with its place."""
    loc = [step for step in error["loc"] if step != "__key__"]
    variable = PREFIX + "__".join(str(step) for step in loc).upper()
    if loc and (named := next((name for name in env if _covers(name.upper(), variable)), "")):
        place = named
    else:
        line, col = file.place(loc, key=_is_unknown(error))
        place = f"{FILE}:{line}:{col}"
    dotted = ".".join(str(step) for step in loc)
    if _is_unknown(error):
        return f'{place}: "{dotted}" is not a setting.{_nearest(str(loc[-1]), _beside(loc[:-1]))}'
    if error["type"] == "missing":
        return f'{FILE}: "{dotted}" is missing.'
    return f"{place}: {dotted}: {_said(error)}"


def _covers(name: str, variable: str) -> bool:
    return name.startswith(PREFIX) and (variable == name or variable.startswith(f"{name}__"))


def _is_unknown(error: Mapping[str, Any]) -> bool:
    return error["type"] in {"extra_forbidden", "unexpected_keyword_argument"}


def _said(error: Mapping[str, Any]) -> str:
    message = str(error["msg"]).removeprefix("Value error, ").removeprefix("Input should be ")
    message = re.sub(r"datetime\.timedelta\((?:days=)?(\d+)\)", r"\1 d", message)
    return f"this should be {message}." if "Input should be" in str(error["msg"]) else f"{message}."


def _beside(loc: Sequence[object]) -> set[str]:
    """The names that may stand beside an unknown one."""
    model: Any = Settings
    for step in loc:
        model = _inside(model, str(step))
    if isinstance(model, type) and issubclass(model, BaseModel):
        return set(model.model_fields)
    return {field.name for field in dataclasses.fields(model)} if dataclasses.is_dataclass(model) else set()


def _inside(model: Any, name: str) -> Any:
    """The type of a name within a model; of a mapping, the type of its values."""
    if isinstance(model, type) and issubclass(model, BaseModel):
        field = model.model_fields.get(name)
        return field.annotation if field else None
    if dataclasses.is_dataclass(model):
        return get_type_hints(model).get(name)
    values = getattr(model, "__args__", ())
    return values[-1] if values else None


def _senseless(found: Settings, env: Mapping[str, str], file: Document) -> list[str]:
    """What each value allows and all together do not."""
    publication = found.publication()
    faults = []
    faults += _wrong_values(publication, env, file)
    if found.owner.email and not _is_address(found.owner.email):
        faults.append(_at("owner.email", "this is not an email address.", env, file))
    if not publication.senders:
        faults.append(f'{FILE}: "senders" needs at least one sender with a name and an email.')
    try:
        zone(publication.timezone)
    except SettingsError as problem:
        faults.append(_at("timezone", problem.what, env, file))
    if not re.match(r"https?://[^/\s]+", found.base_url) or not _has_host(found.base_url):
        faults.append(_at("base_url", "this should begin with https:// and name a host.", env, file))
    faults += _wrong_names(publication, env, file)
    faults += [
        _at(dotted, "this should begin with https:// (http:// only for this machine itself).", env, file)
        for dotted, url in _trusted(found)
        if url and not _is_safe(url)
    ]
    ids = ("repository_id", "repository_owner_id")
    if found.oidc.model_fields_set - {"issuer", "audience", "jwks_url"}:
        said = "this is needed: names of repositories can be taken over, ids cannot."
        faults += [_at(f"oidc.{name}", said, env, file) for name in ids if not getattr(found.oidc, name)]
    faults += [
        _at("trusted_proxies", f'"{proxy}" is no address; * would believe anybody.', env, file)
        for proxy in found.trusted_proxies
        if not _is_network(proxy)
    ]
    return faults


def _unfit(found: Settings, root: Path, env: Mapping[str, str], file: Document) -> list[str]:
    """What is wrong in `look`: an unknown colour, a pair too faint to be read, a logo that is no picture."""
    publication = found.publication()
    if publication.look == Look():
        return []
    from newsletter.content import theme  # noqa: PLC0415 -- with Pillow, for those who change the looks alone

    try:
        base = theme.load(publication.theme, root)
    except SettingsError as problem:
        return [_at("theme", problem.what, env, file)]
    return [
        _at(".".join(("look", *flaw.loc)), f"{flaw.what} {flaw.todo}", env, file)
        for flaw in theme.flaws(publication.look, base, root)
    ]


def _wrong_values(publication: Publication, env: Mapping[str, str], file: Document) -> list[str]:
    """Addresses that are none, days and caps below one: found now, not when a letter is frozen."""
    faults = []
    for key, sender in publication.senders.items():
        for part, text in (("email", sender.email), ("reply_to", sender.reply_to)):
            if text and not _is_address(text):
                faults.append(_at(f"senders.{key}.{part}", "this is not an email address.", env, file))
    faults += [
        _at(f"{group}.{at}", "this is not an email address.", env, file)
        for group in ("seeds", "owners", "editors")
        for at, one in enumerate(getattr(publication, group))
        if not _is_address(one)
    ]
    faults += _unexpected(publication, env, file)
    faults += [
        _at(dotted, "this should be a whole address that begins with https://", env, file)
        for dotted, url in _addresses(publication)
        if url and not re.fullmatch(r"https?://[^\s/?#@]+(?:[/?#]\S*)?", url)
    ]
    if publication.old_unsubscribe and elsewhere.way(publication.old_unsubscribe) is None:
        said = "this should be a path that begins with / and has {id} in it once, as /leave/{id} or /out.php?who={id}"
        faults.append(_at("old_unsubscribe", f"{said}.", env, file))
    for group in ("retention", "limits"):
        for name, number in vars(getattr(publication, group)).items():
            if number < 1:
                faults.append(_at(f"{group}.{name}", "this should be at least 1.", env, file))
    return faults


def _unexpected(publication: Publication, env: Mapping[str, str], file: Document) -> list[str]:
    """A rhythm or holiday that cannot be read: else nobody would be told of a letter that did not go."""
    faults = []
    readers: list[tuple[str, str, Callable[[str], object]]] = [("rhythm", publication.rhythm, rhythm.parse)]
    readers += [(f"holidays.{at}", one, rhythm.stretch) for at, one in enumerate(publication.holidays)]
    for dotted, text, read in readers:
        try:
            read(text)
        except SettingsError as problem:
            faults.append(_at(dotted, f"{problem.what} {problem.todo}", env, file))
    return faults


def _addresses(publication: Publication) -> Iterator[tuple[str, str]]:
    """Every web address that letters and pages make a link of."""
    yield "footer.website", publication.footer.website
    yield "health_privacy_url", publication.health_privacy_url
    yield from ((f"magnets.{key}.url", magnet.url) for key, magnet in publication.magnets.items())
    yield from ((f"authors.{key}.url", author.url) for key, author in publication.authors.items())


def _wrong_names(publication: Publication, env: Mapping[str, str], file: Document) -> list[str]:
    """Magnets and topics that forms and segments speak of and nobody has named."""
    topics = {LETTER, *publication.topics}
    faults = []
    for key, form in publication.forms.items():
        if form.magnet and form.magnet not in publication.magnets:
            said = f'there is no magnet "{form.magnet}".{_nearest(form.magnet, set(publication.magnets))}'
            faults.append(_at(f"forms.{key}.magnet", said, env, file))
        unknown = sorted({*form.topics} - topics)
        faults += [_at(f"forms.{key}.topics", _no_topic(topic, topics), env, file) for topic in unknown]
    for key, definition in publication.segments.items():
        for topic in topics_of((key,), publication.segments):
            if topic not in topics:
                said = _no_topic(topic, topics) if definition.startswith("topic(") else _NO_SEGMENT
                faults.append(_at(f"segments.{key}", said, env, file))
    return faults


_NO_SEGMENT = "this should be all, or topic(name) with a name of topics."


def _no_topic(topic: str, topics: set[str]) -> str:
    return f'there is no topic "{topic}".{_nearest(topic, topics) or f" Add it under topics: in {FILE}."}'


def _trusted(found: Settings) -> tuple[tuple[str, str], ...]:
    """Addresses that keys and tokens go to, or that keys come from."""
    return (
        ("server.url", found.server.url),
        ("oidc.issuer", found.oidc.issuer),
        ("oidc.jwks_url", found.oidc.jwks_url),
    )


def _is_safe(url: str) -> bool:
    return _has_host(url) and (
        url.startswith("https://") or (url.startswith("http://") and on_this_machine(urlsplit(url).hostname or ""))
    )


def _has_host(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:  # an address in brackets that is none, a port that is no number
        return False


def _is_address(text: str) -> bool:
    try:
        address.parse(text)
    except AddressRefused:
        return False
    return True


def _is_network(text: str) -> bool:
    try:
        ipaddress.ip_network(text, strict=False)
    except ValueError:
        return False
    return True


def _at(dotted: str, said: str, env: Mapping[str, str], file: Document) -> str:
    loc = dotted.split(".")
    variable = PREFIX + "__".join(loc).upper()
    if named := next((name for name in env if name.upper() == variable), ""):
        return f"{named}: {said}"
    line, col = file.place(loc)
    return f"{FILE}:{line}:{col}: {dotted}: {said}"
