"""The service's settings: a TOML file, and the environment over it.

Invariants: every key is known, or the service does not start; nothing changes afterwards; messages
name a key, never what it was set to.
"""

from __future__ import annotations

import os
import tomllib
from contextvars import ContextVar
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    IPvAnyNetwork,
    PrivateAttr,
    SecretStr,
    ValidationError,
    model_validator,
)
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict
from pydantic_settings import SettingsError as SourceError

from api.scope import Scope
from prover.commands.options import MAX_JOBS
from prover.errors import ProverError
from prover.files.toml_table import read_toml
from verifier.bundle.http_source import split_url
from verifier.format.params import MAX_EVIDENCE_BYTES

ENVIRONMENT_PREFIX: Final = "ASSAY_"
SETTINGS_VARIABLE: Final = "ASSAY_SETTINGS"
SQLITE_FILE: Final = "service.sqlite"

# Variables of the same prefix that are not settings of the service.
_OTHER_VARIABLES: Final = frozenset(
    {SETTINGS_VARIABLE, "ASSAY_KERNEL", "ASSAY_TEST_CASES", "ASSAY_TEST_DATA"}
)

_LOOPBACK: Final = frozenset({"127.0.0.1", "::1", "localhost"})

Algorithm = Literal[
    "EdDSA", "ES256", "ES384", "ES512", "PS256", "PS384", "PS512", "RS256", "RS384", "RS512"
]

_base: ContextVar[Path] = ContextVar("base", default=Path())


class SettingsError(ProverError):
    """The settings are unreadable, or a key of them is unknown, missing or out of range."""


# A path relative to the settings file's folder, or without one to the working directory.
SettingsPath = Annotated[Path, AfterValidator(lambda path: _base.get() / path)]


class Group(BaseModel):
    """A table of the settings."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class ServerSettings(Group):
    """How the server listens and ends.

    proxies: addresses or networks of reverse proxies whose ``X-Forwarded-For`` is believed.
    worker: whether the server keeps a worker of its own. stop_seconds: how long requests in flight
    may go on once the server is told to stop. connections: open at once, all clients together;
    address_connections: of one address that is no proxy. free_bytes: room on the disks of
    ``folder`` and ``published`` with less of which the service is not ready.
    """

    host: str = "127.0.0.1"
    port: int = Field(default=8000, ge=0, le=65535)
    proxies: tuple[IPvAnyNetwork, ...] = ()
    worker: bool = True
    stop_seconds: int = Field(default=10, ge=1, le=600)
    connections: int = Field(default=1000, ge=1)
    address_connections: int = Field(default=250, ge=1)
    free_bytes: int = Field(default=256 * 1024 * 1024, ge=0)


class LimitSettings(Group):
    """The most that a client may send, and how long it may take.

    head_bytes: of URL and headers. body_bytes: of an ordinary body; upload_bytes: of a file of
    evidence. header_seconds: until a request's head is there; body_seconds: until its body is, and
    a second more for every ``body_rate`` bytes; idle_seconds: between two requests, and until a
    client takes what it was sent; database_seconds: until the database answers. streams: of
    progress at once, operator_streams: of one operator. Rates, in requests a minute: public_rate of
    one address for public files, address_rate for all else; operator_rate, customer_rate of one who
    is known.
    """

    head_bytes: int = Field(default=16 * 1024, ge=1024)
    body_bytes: int = Field(default=64 * 1024, ge=1)
    upload_bytes: int = Field(default=MAX_EVIDENCE_BYTES, ge=1)
    header_seconds: float = Field(default=10.0, gt=0)
    body_seconds: float = Field(default=10.0, gt=0)
    body_rate: int = Field(default=64 * 1024, ge=1)
    idle_seconds: int = Field(default=30, ge=1)
    database_seconds: float = Field(default=5.0, gt=0)
    streams: int = Field(default=250, ge=1)
    operator_streams: int = Field(default=25, ge=1)
    public_rate: int = Field(default=60_000, ge=1)
    address_rate: int = Field(default=600, ge=1)
    operator_rate: int = Field(default=600, ge=1)
    customer_rate: int = Field(default=60, ge=1)


class MetricsSettings(Group):
    """Who may read ``/metrics``: this machine and these networks, or whoever brings the token."""

    networks: tuple[IPvAnyNetwork, ...] = (IPv4Network("127.0.0.0/8"), IPv6Network("::1/128"))
    token: SecretStr | None = Field(default=None, min_length=1)


class SourceSettings(Group):
    """Where ledgers come from: ``config`` is what all snapshots of a source say."""

    config: SettingsPath


def check_keys_url(url: str) -> str:
    """Return the URL of a key set, which is fetched by https or from this machine.

    Raises:
        ValueError: it is not.
    """
    parts = split_url(url)
    if parts is None or parts.query or parts.fragment or "@" in parts.netloc:
        raise ValueError("not https://HOST[:PORT]/PATH")
    if not parts.path.rpartition("/")[2]:
        raise ValueError("names no file")
    if parts.scheme != "https" and parts.hostname not in _LOOPBACK:
        raise ValueError("neither https nor on this machine")
    return url


def check_origin(origin: str) -> str:
    """Return an origin as browsers write it: of https, or of this machine.

    Raises:
        ValueError: it is none.
    """
    parts = split_url(origin)
    if parts is None or origin != f"{parts.scheme}://{parts.netloc}".lower() or "@" in origin:
        raise ValueError("not https://HOST[:PORT], in lower case and without a path")
    if parts.scheme != "https" and parts.hostname not in _LOOPBACK:
        raise ValueError("neither https nor on this machine")
    return origin


def check_webhook_url(url: str) -> str:
    """Return the URL of a webhook: https, without credentials or a fragment.

    Raises:
        ValueError: it is another one.
    """
    parts = split_url(url)
    if parts is None or parts.scheme != "https" or parts.fragment or "@" in parts.netloc:
        raise ValueError("not https://HOST[:PORT]/PATH")
    return url


class WebhookSettings(Group):
    """Who is told that a job ended.

    url: where messages go. secret_file: the secret that they are signed with, as `assay webhook
    create` makes it. networks: of your own, not public, where the URL's name may lead.
    """

    url: Annotated[str, AfterValidator(check_webhook_url)]
    secret_file: SettingsPath
    networks: tuple[IPvAnyNetwork, ...] = ()


class IssuerSettings(Group):
    """Which JWTs are believed.

    issuer, audience: what ``iss`` must be, and what ``aud`` must be or hold. algorithms: those that
    tokens may be signed with. keys_url, keys_file: of the issuer's key set, one of the two.
    """

    issuer: str = Field(min_length=1)
    audience: str = Field(min_length=1)
    algorithms: tuple[Algorithm, ...] = Field(default=("ES256", "EdDSA", "RS256"), min_length=1)
    keys_url: Annotated[str, AfterValidator(check_keys_url)] | None = None
    keys_file: SettingsPath | None = None

    @model_validator(mode="after")
    def _check_keys(self) -> Self:
        if self.keys_url is not None and self.keys_file is not None:
            raise ValueError("keys_url and keys_file are both given")
        return self


class CustomerSettings(IssuerSettings):
    """The exchange's tokens for its customers.

    account_claim: the claim that holds the account id; where the claims have another of this name
    and ``_verified``, that must be true. signing_keys: of packages; a snapshot made with none of
    them is signed for with the key that its own record names. origins: of the exchange's web
    application, which may fetch packages from its pages. address: the origin under which customers
    reach the service; without it there are no links to packages.
    """

    account_claim: str = "sub"
    signing_keys: tuple[SettingsPath, ...] = ()
    origins: tuple[Annotated[str, AfterValidator(check_origin)], ...] = ()
    address: Annotated[str, AfterValidator(check_origin)] | None = None

    @model_validator(mode="after")
    def _check_named(self) -> Self:
        if self.keys_url is None and self.keys_file is None:
            raise ValueError("keys_url or keys_file is needed")
        return self


class OidcSettings(IssuerSettings):
    """The operators' OpenID provider, whose own description names the keys unless they are given.

    claim: a text, split at spaces, or a list; scopes: what each of its values stands for.
    """

    claim: str = "scope"
    scopes: dict[str, frozenset[Scope]]

    @model_validator(mode="after")
    def _check_issuer(self) -> Self:
        if self.keys_url is None and self.keys_file is None:
            check_keys_url(f"{self.issuer}/keys")
        return self


class Settings(BaseSettings):
    """What the service is told at its start.

    folder: where it keeps snapshots, private files and its database. published: the published root.
    page: the built customer's page, served at ``/check.html``. database: a URL, by default that of
    an SQLite file in ``folder``. sources: by name. publish_to: URLs of published folders beside the
    published root. jobs: how many cores proving may use, all by default. customers: without it
    nobody gets a package. oidc: without it operators have tokens of the service's own alone.
    webhook: without it nobody is told that a job ended.
    """

    model_config = SettingsConfigDict(
        frozen=True,
        extra="forbid",
        env_prefix=ENVIRONMENT_PREFIX,
        env_nested_delimiter="__",
        hide_input_in_errors=True,
    )

    folder: SettingsPath
    published: SettingsPath = Field(default_factory=lambda found: found["folder"] / "published")
    page: SettingsPath | None = None
    database: SecretStr | None = None
    sources: dict[str, SourceSettings] = Field(default_factory=dict)
    publish_to: tuple[str, ...] = ()
    jobs: int = Field(default=len(os.sched_getaffinity(0)), ge=1, le=MAX_JOBS)
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    server: ServerSettings = ServerSettings()
    limits: LimitSettings = LimitSettings()
    metrics: MetricsSettings = MetricsSettings()
    customers: CustomerSettings | None = None
    oidc: OidcSettings | None = None
    webhook: WebhookSettings | None = None
    _file: Path | None = PrivateAttr(default=None)

    @property
    def arguments(self) -> tuple[str, ...]:
        """What another command of `assay` is given in order to read the same settings."""
        return () if self._file is None else ("--settings", str(self._file))

    @property
    def database_url(self) -> str:
        """The database's URL."""
        if self.database is not None:
            return self.database.get_secret_value()
        return f"sqlite:///{self.folder / SQLITE_FILE}"

    @property
    def snapshots(self) -> Path:
        """The folder of the snapshots' folders."""
        return self.folder / "snapshots"

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Let the environment win over the file, whose content is what the class is called with."""
        return env_settings, init_settings


def read_settings(file: Path | None = None) -> Settings:
    """Read the settings from ``file``, by default the one ``ASSAY_SETTINGS`` names, if any.

    Raises:
        SettingsError: unreadable, or a key is unknown, missing or out of range.
    """
    if file is None and (named := os.environ.get(SETTINGS_VARIABLE)):
        file = Path(named)
    where = "the environment" if file is None else str(file)
    found = {} if file is None else _read_toml(file)
    _refuse_unknown_variables()
    token = _base.set(Path.cwd() if file is None else file.absolute().parent)
    try:
        settings = Settings(**found)
        settings._file = file and file.absolute()
        return settings
    except ValidationError as error:
        raise SettingsError(f"settings in {where}: {_faults(error)}") from None
    except SourceError as error:
        raise SettingsError(f"settings in {where}: {error}") from None
    finally:
        _base.reset(token)


def _read_toml(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(read_toml(file).decode())
    except ProverError as error:
        raise SettingsError(str(error)) from None
    except ValueError as error:
        raise SettingsError(f"{file}: {error}") from None


def _refuse_unknown_variables() -> None:
    for name in os.environ:
        if name.startswith(ENVIRONMENT_PREFIX) and name not in _OTHER_VARIABLES:
            field = name.removeprefix(ENVIRONMENT_PREFIX).lower().partition("__")[0]
            if field not in Settings.model_fields:
                raise SettingsError(f"settings in the environment: {name}: unknown")


def _faults(error: ValidationError) -> str:
    return "; ".join(
        f"{'.'.join(map(str, fault['loc'])) or 'all'}: "
        + ("unknown key" if fault["type"] == "extra_forbidden" else fault["msg"])
        for fault in error.errors(include_url=False, include_context=False, include_input=False)
    )
