"""Who may operate the service: tokens of its own, and those of an OpenID provider on loopback."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from api.callers import tokens
from api.database.engine import migrate, open_database
from api.scope import Scope
from api.settings import SQLITE_FILE
from tests.support.identity_provider import Key, Provider, claims, provider, unsigned
from tests.support.service import Answer, Service, running

AUDIENCE = "assay operators"
KEY, OTHER = Key("k1", "RS256"), Key("k1", "RS256")
HOUR = 3600

READ = ("GET", "/operator/snapshots")
WRITE = ("POST", "/operator/snapshots/none/start")
PUBLISH = ("POST", "/operator/snapshots/none/retire")
# What a caller whose scopes reach is answered: there is no such snapshot.
REACHED = {READ: 200, WRITE: 404, PUBLISH: 404}


@dataclass(frozen=True)
class Operated:
    """A running service with an OpenID provider."""

    service: Service
    provider: Provider

    def ask(self, token: str | None, route: tuple[str, str] = READ) -> Answer:
        method, path = route
        headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        return self.service.request(path, method, **headers)

    def statuses(self, token: str) -> list[int]:
        return [self.ask(token, route).status for route in REACHED]

    def make(self, *scopes: Scope, lifetime: int = HOUR) -> tuple[str, str]:
        engine = open_database(f"sqlite:///{self.service.folder / SQLITE_FILE}")
        with engine.begin() as connection:
            made = tokens.create(connection, "ops", scopes, lifetime)
        engine.dispose()
        return made

    def revoke(self, identity: str) -> None:
        engine = open_database(f"sqlite:///{self.service.folder / SQLITE_FILE}")
        with engine.begin() as connection:
            tokens.revoke(connection, identity)
        engine.dispose()

    def jwt(self, key: Key = KEY, **others: Any) -> str:
        values = {"sub": "mallory", "groups": ["treasury"], **others}
        return key.sign(claims(self.provider.issuer, AUDIENCE) | values)


@pytest.fixture(scope="module")
def operated(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Operated]:
    folder: Path = tmp_path_factory.mktemp("service")
    engine = open_database(f"sqlite:///{folder / SQLITE_FILE}")
    migrate(engine)
    engine.dispose()
    with provider() as served:
        served.keys = (KEY,)
        settings = f"""
[limits]
operator_rate = 100000
address_rate = 100000
[oidc]
issuer = "{served.issuer}"
audience = "{AUDIENCE}"
claim = "groups"
[oidc.scopes]
treasury = ["snapshots:read", "snapshots:write"]
board = ["snapshots:publish"]
[customers]
issuer = "{served.issuer}"
audience = "customers"
keys_url = "{served.keys_url}"
"""
        with running(folder, settings, "--no-worker") as service:
            yield Operated(service, served)


def test_a_scope_opens_its_routes_and_no_other(operated: Operated) -> None:
    for scope, route in zip(Scope, REACHED, strict=True):
        _, secret = operated.make(scope)
        for each, reached in REACHED.items():
            answer = operated.ask(secret, each)
            assert answer.status == (reached if each == route else 403), (scope, each)
            if each != route:
                assert 'error="insufficient_scope"' in answer.headers["www-authenticate"]
                assert json.loads(answer.body)["code"] == "request.forbidden"
    assert operated.statuses(operated.make(*Scope)[1]) == [*REACHED.values()]


def test_a_token_ends_when_it_is_revoked_or_over(operated: Operated) -> None:
    made, secret = operated.make(*Scope)
    assert operated.ask(secret).status == 200
    operated.revoke(made)
    assert operated.statuses(secret) == [401] * 3
    assert operated.statuses(operated.make(*Scope, lifetime=0)[1]) == [401] * 3


def test_what_is_no_token_opens_nothing(operated: Operated) -> None:
    made, secret = operated.make(*Scope)
    body = secret.removeprefix(tokens.PREFIX)
    for wrong in (
        body,
        "assay_" + body,
        "ASSAY_OP_" + body,
        secret[:-1],
        secret + "=",
        secret.swapcase(),
        made,
        tokens.PREFIX,
        tokens.PREFIX + "é" * 20,
        tokens.PREFIX + "A" * 9000,
        tokens.PREFIX + "' OR '1'='1",
    ):
        assert operated.statuses(wrong) == [401] * 3
    for headers in ({}, {"Authorization": secret}, {"Authorization": f"Basic {secret}"}):
        answer = operated.service.request(f"/operator/snapshots?token={secret}", **headers)
        assert (answer.status, answer.headers["www-authenticate"]) == (401, "Bearer")


@pytest.mark.parametrize(
    ("groups", "statuses"),
    [
        (["treasury"], [200, 404, 403]),
        (["treasury", "board"], [200, 404, 404]),
        ("board", [403, 403, 404]),
        ("staff treasury board", [200, 404, 404]),
        (["staff"], [403] * 3),
        (["snapshots:read", "*"], [403] * 3),
        ("snapshots:read", [403] * 3),
        ([], [403] * 3),
        (None, [403] * 3),
        (7, [403] * 3),
        ({"treasury": True}, [403] * 3),
        ([["treasury"], {"board": 1}, 7, None], [403] * 3),
    ],
)
def test_a_claim_stands_for_scopes(operated: Operated, groups: Any, statuses: list[int]) -> None:
    assert operated.statuses(operated.jwt(groups=groups)) == statuses


def test_no_bent_token_of_the_provider_is_accepted(operated: Operated) -> None:
    now = claims("", "")["iat"]
    payload = claims(operated.provider.issuer, AUDIENCE, sub="ops", groups=["treasury"])
    for name, token in {
        "forged": operated.jwt(OTHER),
        "expired": operated.jwt(exp=now - 60),
        "not valid yet": operated.jwt(nbf=now + 60),
        "a customer's": operated.jwt(aud="customers"),
        "of another issuer": operated.jwt(iss="https://evil.example"),
        "without a subject": KEY.sign(
            claims(operated.provider.issuer, AUDIENCE, groups=["treasury"])
        ),
        "alg none": unsigned({"alg": "none", "kid": "k1"}, payload),
        "key in the header": OTHER.sign(payload, jwk=OTHER.jwk),
        "key at an URL": OTHER.sign(payload, jku=f"{operated.provider.issuer}/evil"),
    }.items():
        assert (name, operated.statuses(token)) == (name, [401] * 3)
    assert operated.provider.strangers == []


def test_a_token_of_an_operator_is_none_of_a_customer(operated: Operated) -> None:
    _, secret = operated.make(*Scope)
    for token in (secret, operated.jwt()):
        assert operated.ask(token, ("GET", "/me/inclusion/one")).status == 401


def test_without_its_provider_the_service_has_its_own_tokens(tmp_path: Path) -> None:
    with provider() as served:
        settings = f"""
[oidc]
issuer = "{served.issuer}"
audience = "{AUDIENCE}"
scopes = {{}}
"""
    with running(tmp_path, settings, "--no-worker") as service:
        operated = Operated(service, served)
        assert operated.ask(operated.jwt()).status == 503
        assert operated.ask(operated.make(*Scope)[1]).status == 200
