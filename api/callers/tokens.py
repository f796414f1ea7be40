"""Operators' tokens of the service's own: 256 random bits behind a prefix that scanners can know.

Invariants: of a secret only the SHA-256 is kept, and the secret itself is in nobody's hands but
those of whoever had it made. A look-up goes by that digest, of which nobody can choose a part, so
the time that the index takes tells nothing. A revoked token stays in the table, revoked.
"""

from __future__ import annotations

import hashlib
import secrets
import time
from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

import sqlalchemy as sa

from api.database.tables import tokens
from api.scope import Scope
from prover.errors import ProverError

PREFIX: Final = "assay_op_"
SECRET_BYTES: Final = 32
MAX_NAME_CHARACTERS: Final = 64


@dataclass(frozen=True, slots=True)
class Token:
    """What is known of a token; times in Unix seconds."""

    id: str
    name: str
    scopes: frozenset[str]
    created: int
    expires: int
    revoked: int | None

    def state(self, now: float) -> str:
        """Return ``valid``, ``expired`` or ``revoked``."""
        if self.revoked is not None:
            return "revoked"
        return "expired" if self.expires <= now else "valid"


_COLUMNS: Final = [tokens.c[name] for name in Token.__slots__]


def create(
    connection: sa.Connection, name: str, scopes: Collection[Scope], lifetime: int
) -> tuple[str, str]:
    """Make a token that is valid for ``lifetime`` seconds; return its id and its
    secret, which nothing will tell again.

    Raises:
        ProverError: the name is no 1 to 64 printable characters, or there is no scope.
    """
    if not 1 <= len(name) <= MAX_NAME_CHARACTERS or not name.isprintable():
        raise ProverError(f"a token's name has 1 to {MAX_NAME_CHARACTERS} printable characters")
    if not scopes:
        raise ProverError("a token needs a scope")
    identity = secrets.token_hex(8)
    secret = PREFIX + secrets.token_urlsafe(SECRET_BYTES)
    now = int(time.time())
    connection.execute(
        sa.insert(tokens).values(
            id=identity,
            name=name,
            digest=_digest(secret),
            scopes=" ".join(sorted(scopes)),
            created=now,
            expires=now + lifetime,
        )
    )
    return identity, secret


def find(connection: sa.Connection, secret: str) -> Token | None:
    """Return the token of a secret, None unless there is one and it is valid now."""
    query = sa.select(*_COLUMNS).where(tokens.c.digest == _digest(secret))
    row = connection.execute(query).one_or_none()
    token = None if row is None else _token(row)
    return token if token is not None and token.state(time.time()) == "valid" else None


def every(connection: sa.Connection) -> list[Token]:
    """Return all tokens, oldest first."""
    query = sa.select(*_COLUMNS).order_by(tokens.c.created, tokens.c.id)
    return [_token(row) for row in connection.execute(query)]


def revoke(connection: sa.Connection, identity: str) -> None:
    """Make a token invalid from now on; one that is revoked stays so.

    Raises:
        ProverError: there is none of this id.
    """
    known = tokens.c.id == identity
    if connection.scalar(sa.select(sa.func.count()).where(known)) != 1:
        raise ProverError("no token has this id")
    connection.execute(
        sa.update(tokens).where(known, tokens.c.revoked.is_(None)).values(revoked=int(time.time()))
    )


def _token(row: sa.Row[tuple[object, ...]]) -> Token:
    values = row._asdict()
    return Token(**{**values, "scopes": frozenset(values["scopes"].split())})


def _digest(secret: str) -> bytes:
    return hashlib.sha256(secret.encode()).digest()
