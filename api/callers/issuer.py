"""Whose JWTs are believed: one issuer, its audience and its public keys, and the check of a token.

The algorithms come from the settings and are asymmetric; a key of the set is bound to one of them
by its own type, so what a token's header says chooses nothing but a key by its id. No other part of
a header is looked at: keys, URLs and certificates that it brings are ignored.

Keys come from a file or an URL. An issuer is a party that may be slow, gone or changed: its answers
are bounded in bytes and seconds, are fetched off the event loop by one thread at a time, at most
once in `PAUSE_SECONDS` however many tokens name unknown keys, and keys once fetched outlive
an issuer's absence for `STALE_SECONDS`.

A token of an unknown key is answered by what the issuer says after the token came: it waits for
that, for the length of the pause. So whoever sends junk keys can neither let the issuer be asked
more often, nor let a key that is really new be refused.
"""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final

import jwt
from jwt.types import Options

from api.http.problems import Problem, ServiceCode
from api.settings import IssuerSettings, check_keys_url
from verifier.bundle.http_source import AnyHost, HttpSource
from verifier.bundle.json_text import parse_json
from verifier.errors import CannotCheck, Rejected

MAX_TOKEN_CHARACTERS: Final = 8192
MAX_KEY_SET_BYTES: Final = 64 * 1024
LEEWAY_SECONDS: Final = 30  # between the issuer's clock and ours
FETCH_SECONDS: Final = 5.0
FRESH_SECONDS: Final = 300
STALE_SECONDS: Final = 3600
PAUSE_SECONDS: Final = 1

_DISCOVERY: Final = ".well-known/openid-configuration"
_KEY_TYPES: Final = frozenset({"RSA", "EC", "OKP"})

_DEEPEST: Final = 32  # arrays and objects of a key set or a provider's description

# Checked of a token without a key, too.
_CLAIMS: Final[Options] = {
    "verify_exp": True,
    "verify_nbf": True,
    "verify_iat": True,
    "verify_aud": True,
    "verify_iss": True,
}

_log = logging.getLogger(__name__)


class KeySet:
    """The public keys of an issuer, by id; ``read`` returns the bytes of a JWK set.

    Of one event loop. ``read`` runs in a thread and may raise `OSError`, `ValueError`,
    `CannotCheck` or, where nothing is at the URL, `Rejected`.
    """

    def __init__(self, read: Callable[[], bytes]) -> None:
        self._read = read
        self._keys: Sequence[jwt.PyJWK] = ()
        self._loaded = self._tried = -math.inf
        self._loading: asyncio.Task[None] | None = None

    async def find(self, kid: str | None) -> jwt.PyJWK | None:
        """Return the key of an id, None if the issuer has none; without an id, the only key.

        Raises:
            Problem: the keys cannot be had.
        """
        now = time.monotonic()
        age = now - self._loaded
        if age > STALE_SECONDS:
            await asyncio.shield(self._refresh())
        elif age > FRESH_SECONDS:
            self._refresh()
        if not self.has(kid) and age <= STALE_SECONDS:
            await self._asked_since(now)
        key = self._pick(kid)
        if time.monotonic() - self._loaded > STALE_SECONDS:
            raise Problem(
                ServiceCode.UNAVAILABLE,
                "the keys that tokens are checked with cannot be had",
                headers={"Retry-After": str(PAUSE_SECONDS)},
            )
        return key

    def has(self, kid: str | None) -> bool:
        """Tell whether the key of an id is known already."""
        return self._pick(kid) is not None

    def _pick(self, kid: str | None) -> jwt.PyJWK | None:
        if kid is None:
            return self._keys[0] if len(self._keys) == 1 else None
        return next((key for key in self._keys if key.key_id == kid), None)

    def _refresh(self) -> asyncio.Task[None]:
        """Return the attempt that runs, or the last one if it was just now, or a new one."""
        now = time.monotonic()
        if self._loading is None or (self._loading.done() and now - self._tried >= PAUSE_SECONDS):
            self._tried = now
            self._loading = asyncio.create_task(self._load())
        return self._loading

    async def _asked_since(self, moment: float) -> None:
        """Wait for the end of an attempt that began no earlier than ``moment``."""
        while self._loading is None or self._tried < moment or not self._loading.done():
            if self._loading is None or self._loading.done():
                await asyncio.sleep(self._tried + PAUSE_SECONDS - time.monotonic())
            await asyncio.shield(self._refresh())

    async def _load(self) -> None:
        try:
            self._keys = parse_keys(await asyncio.to_thread(self._read))
        except (OSError, ValueError, CannotCheck, Rejected) as error:
            _log.warning("no key set: %s", error)
        else:
            self._loaded = time.monotonic()


def parse_keys(data: bytes) -> list[jwt.PyJWK]:
    """Return the usable public keys of a JWK set: asymmetric, and not for encryption.

    Raises:
        ValueError: it has none, or is no JWK set of at most `MAX_KEY_SET_BYTES`.
    """
    if len(data) > MAX_KEY_SET_BYTES:
        raise ValueError(f"a key set has at most {MAX_KEY_SET_BYTES} bytes")
    try:
        keys = jwt.PyJWKSet.from_dict(_json_object(data)).keys
    except (jwt.PyJWTError, NotImplementedError, TypeError):  # of a key's `alg`
        raise ValueError("a key set without a usable key") from None
    usable = [key for key in keys if key.key_type in _KEY_TYPES and key.public_key_use != "enc"]
    if not usable:
        raise ValueError("a key set without a usable key")
    return usable


def _json_object(data: bytes) -> dict[str, Any]:
    try:
        value = parse_json(data.decode(), _DEEPEST)
    except ValueError:
        raise ValueError("not JSON") from None
    if not isinstance(value, dict):
        raise ValueError("not a JSON object")
    return value


def key_set(settings: IssuerSettings) -> KeySet:
    """Return the keys of the file or the URL that the settings name, or else of the OpenID
    provider's own description; nothing is read yet."""
    if settings.keys_file is not None:
        return KeySet(partial(_read_file, settings.keys_file))
    if settings.keys_url is not None:
        return KeySet(partial(_fetch, settings.keys_url))
    return KeySet(partial(_discover, settings.issuer))


def _discover(issuer: str) -> bytes:
    described = _json_object(_fetch(f"{issuer.rstrip('/')}/{_DISCOVERY}"))
    if described.get("issuer") != issuer:
        raise ValueError("the provider's description is of another issuer")
    return _fetch(check_keys_url(str(described.get("jwks_uri"))))


def _read_file(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(MAX_KEY_SET_BYTES + 1)


class _NoRedirects(AnyHost):
    max_redirects = 0


def _fetch(url: str) -> bytes:
    base, _, name = url.rpartition("/")
    source = HttpSource(base, timeout=FETCH_SECONDS, door=_NoRedirects())
    try:
        return source.read(name, MAX_KEY_SET_BYTES)
    finally:
        source.close()


class Issuer:
    """An issuer's tokens, checked."""

    def __init__(self, settings: IssuerSettings, required: str) -> None:
        self._settings = settings
        self._keys = key_set(settings)
        self._required = ["exp", "iss", "aud", required]

    async def claims(self, token: str) -> dict[str, Any]:
        """Return the claims of a token that is signed by the issuer, for us, and valid now.

        Raises:
            Problem: it is not, or the issuer's keys cannot be had.
        """
        if len(token) > MAX_TOKEN_CHARACTERS:
            raise invalid_token()
        try:
            header = jwt.get_unverified_header(token)
        except (jwt.PyJWTError, ValueError):
            raise invalid_token() from None
        # Before the keys are asked for: a token that cannot be one of the issuer's fetches nothing.
        if header.get("alg") not in self._settings.algorithms or token.endswith("."):
            raise invalid_token()
        kid = header.get("kid")
        if not self._keys.has(kid):
            self._check(token, None)
        key = await self._keys.find(kid)
        if key is None:
            raise invalid_token()
        return self._check(token, key)

    def _check(self, token: str, key: jwt.PyJWK | None) -> dict[str, Any]:
        """Return the claims of a token that is for us and valid now; signed, if there is a key."""
        signed = key is not None
        options: Options = {
            **_CLAIMS,
            "require": self._required,
            "verify_signature": signed,
            "enforce_minimum_key_length": signed,
        }
        try:
            return jwt.decode(
                token,
                key or "",
                algorithms=self._settings.algorithms,
                audience=self._settings.audience,
                issuer=self._settings.issuer,
                leeway=LEEWAY_SECONDS,
                options=options,
            )
        except jwt.ExpiredSignatureError:
            raise invalid_token("the token has expired") from None
        except (jwt.PyJWTError, ValueError):
            raise invalid_token() from None


def invalid_token(detail: str = "the token is not valid here") -> Problem:
    """Return the answer to a token that is not accepted."""
    return Problem(
        ServiceCode.UNAUTHENTICATED,
        detail,
        headers={"WWW-Authenticate": 'Bearer error="invalid_token"'},
    )
