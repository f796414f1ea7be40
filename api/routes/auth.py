"""Who calls: operators, by a token of the service's own or of their OpenID provider, and customers.

What an operator may do are the scopes of `Scope`; a route names those that it needs:
``Annotated[Operator, Security(operator, scopes=[Scope.READ])]``. A token of the service's own is
known by its prefix and looked up by its digest; anything else is a JWT or nothing. Of neither kind
is anything logged or answered, but an operator's name.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import Depends, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer, SecurityScopes

from api.callers import tokens
from api.callers.issuer import invalid_token
from api.database.gate import Gate
from api.http.problems import Problem, ServiceCode
from api.scope import Scope
from api.service import serving

_operator_scheme = HTTPBearer(
    scheme_name="operator",
    description="A token made by `assay token create`, or a JWT of the operators' OpenID provider.",
    auto_error=False,
)
_customer_scheme = HTTPBearer(
    scheme_name="customer",
    bearerFormat="JWT",
    description="A JWT of the exchange's; a claim that the settings name is the account id.",
    auto_error=False,
)
_Credentials = HTTPAuthorizationCredentials | None


@dataclass(frozen=True, slots=True)
class Operator:
    """Who operates the service: a name for the log, and what they may do."""

    name: str
    scopes: frozenset[str]


async def operator(
    request: Request,
    needed: SecurityScopes,
    credentials: Annotated[_Credentials, Depends(_operator_scheme)],
) -> Operator:
    """Return the operator who calls, if they may do what the route needs.

    Raises:
        Problem: it is nobody known, or they may not, or ask too often.
    """
    caller = await _operator(request, bearer_token(request, credentials))
    if not caller.scopes.issuperset(needed.scopes):
        challenge = f'Bearer error="insufficient_scope", scope="{needed.scope_str}"'
        detail = f"this needs {needed.scope_str}"
        raise Problem(ServiceCode.FORBIDDEN, detail, headers={"WWW-Authenticate": challenge})
    serving(request).rates.spend("operator", caller.name)
    return caller


async def customer(
    request: Request, credentials: Annotated[_Credentials, Depends(_customer_scheme)]
) -> str:
    """Return the account id of the customer who calls, as the exchange's token has it.

    Raises:
        Problem: there is no token, or none that is accepted, or they ask too often.
    """
    service = serving(request)
    issuer, settings = service.customers, service.settings.customers
    assert issuer is not None and settings is not None  # noqa: S101, PT018 (or there is no route)
    claims = await issuer.claims(bearer_token(request, credentials))
    account = account_id(claims, settings.account_claim)
    service.rates.spend("customer", account)
    return account


def bearer_token(request: Request, credentials: _Credentials) -> str:
    """Return the one token that a request brings.

    Raises:
        Problem: it brings none, or several, of which a proxy may have seen another.
    """
    if credentials is None or len(request.headers.getlist("authorization")) != 1:
        raise Problem(ServiceCode.UNAUTHENTICATED, headers={"WWW-Authenticate": "Bearer"})
    return credentials.credentials


def account_id(claims: Mapping[str, Any], claim: str) -> str:
    """Return the account id that claims hold: a text that the issuer does not call unverified.

    Raises:
        Problem: they hold none.
    """
    account = claims.get(claim)
    if not isinstance(account, str) or claims.get(f"{claim}_verified", True) is not True:
        raise invalid_token()
    return account


def granted(claimed: Any, grants: Mapping[str, frozenset[Scope]]) -> frozenset[str]:
    """Return the scopes that a claim stands for: a list, or a text that is split at spaces."""
    values = claimed.split() if isinstance(claimed, str) else claimed
    if not isinstance(values, list):
        return frozenset()
    known = (grants.get(value, ()) for value in values if isinstance(value, str))
    return frozenset(scope for scopes in known for scope in scopes)


async def _operator(request: Request, token: str) -> Operator:
    service = serving(request)
    if token.startswith(tokens.PREFIX):
        found = await run_in_threadpool(_find, service.database, token)
        if found is None:
            raise invalid_token()
        return Operator(found.name, found.scopes)
    settings = service.settings.oidc
    if service.oidc is None or settings is None:
        raise invalid_token()
    claims = await service.oidc.claims(token)
    return Operator(f"oidc:{claims['sub']}", granted(claims.get(settings.claim), settings.scopes))


def _find(database: Gate, token: str) -> tokens.Token | None:
    with database.connect() as connection:
        return tokens.find(connection, token)
