"""An issuer's tokens against a real provider on loopback that rotates, fails, stalls and lies."""

from __future__ import annotations

import asyncio
import json
import socket
import time
from collections.abc import Coroutine, Iterator
from pathlib import Path
from typing import Any

import jwt
import pytest

from api.callers import issuer
from api.callers.issuer import Issuer, parse_keys
from api.http.problems import Problem
from api.settings import CustomerSettings, OidcSettings
from tests.support.identity_provider import Key, Provider, claims, key_set, provider, unsigned

AUDIENCE = "assay"
FIRST, SECOND = Key("first"), Key("second", "EdDSA")


@pytest.fixture
def served() -> Iterator[Provider]:
    with provider() as found:
        found.keys = (FIRST,)
        yield found


@pytest.fixture
def no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(issuer, "PAUSE_SECONDS", 0)


def run(check: Coroutine[Any, Any, Any]) -> Any:
    return asyncio.run(check)


def believed(served: Provider, **settings: Any) -> Issuer:
    found = CustomerSettings(
        issuer=served.issuer, audience=AUDIENCE, keys_url=served.keys_url, **settings
    )
    return Issuer(found, required="sub")


def token(key: Key, served: Provider, **others: Any) -> str:
    return key.sign(claims(served.issuer, AUDIENCE, **{"sub": "alice", **others}))


async def status(checked: Issuer, token: str) -> int:
    try:
        await checked.claims(token)
    except Problem as problem:
        return problem.status_code
    return 200


def test_keys_that_are_rotated_are_found_and_those_withdrawn_are_gone(
    served: Provider, no_pause: None
) -> None:
    async def check() -> None:
        checked = believed(served)
        assert (await checked.claims(token(FIRST, served)))["sub"] == "alice"
        assert await status(checked, token(SECOND, served)) == 401
        served.keys = (SECOND,)
        assert (await checked.claims(token(SECOND, served)))["sub"] == "alice"
        assert await status(checked, token(FIRST, served)) == 401

    run(check())


def test_a_key_set_is_fetched_once_for_many_callers_and_again_when_it_is_old(
    served: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def check() -> None:
        monkeypatch.setattr(issuer, "PAUSE_SECONDS", 600)
        checked = believed(served)
        good = token(FIRST, served)
        served.delay = 0.2
        answers = await asyncio.gather(*(status(checked, good) for _ in range(100)))
        assert (set(answers), served.fetches) == ({200}, 1)
        monkeypatch.setattr(issuer, "FRESH_SECONDS", 0)
        assert await status(checked, good) == 200  # within the pause, and known
        assert served.fetches == 1
        monkeypatch.setattr(issuer, "PAUSE_SECONDS", 0)
        assert await status(checked, good) == 200  # not waiting for the fetch that it began
        while served.fetches == 1:
            await asyncio.sleep(0.01)

    run(check())


def test_tokens_of_unknown_keys_do_not_make_the_service_ask_and_ask(served: Provider) -> None:
    async def check() -> None:
        checked = believed(served)
        unknown = [token(Key(f"none-{number}", "EdDSA"), served) for number in range(50)]
        assert set(await asyncio.gather(*(status(checked, each) for each in unknown))) == {401}
        assert served.fetches == 1
        # What came after that is answered by the next fetch, one for all.
        assert set(await asyncio.gather(*(status(checked, each) for each in unknown))) == {401}
        assert served.fetches == 2

    run(check())


@pytest.mark.parametrize("kid", ["junk", "second"])
def test_a_junk_key_delays_no_new_one(served: Provider, kid: str) -> None:
    """Not even one under the id that the new one is to have."""

    async def check() -> None:
        checked = believed(served)
        assert await status(checked, token(FIRST, served)) == 200
        junk = Key(kid, "EdDSA")
        assert await status(checked, token(junk, served)) == 401
        served.keys = (FIRST, SECOND)
        assert await status(checked, token(SECOND, served)) == 200
        assert await status(checked, token(junk, served)) == 401

    run(check())


def test_a_flood_of_junk_keys_delays_no_new_one(served: Provider) -> None:
    async def check() -> None:
        checked = believed(served)
        assert await status(checked, token(FIRST, served)) == 200
        began = time.monotonic()
        ended = False
        junk = Key("junk", "EdDSA")

        async def flood(number: int) -> None:
            sent = 0
            while not ended:
                sent += 1
                bad = junk.sign(
                    claims(served.issuer, AUDIENCE, sub="alice"), kid=f"{number}-{sent}"
                )
                assert await status(checked, bad) == 401

        floods = [asyncio.create_task(flood(number)) for number in range(20)]
        for number in range(3):
            await asyncio.sleep(0.3)
            key = Key(f"new-{number}")
            served.keys = (*served.keys, key)
            assert await status(checked, token(key, served)) == 200
        ended = True
        await asyncio.gather(*floods)
        passed = time.monotonic() - began
        assert served.fetches <= 2 + passed / issuer.PAUSE_SECONDS

    run(check())


def test_a_fetch_that_began_before_a_token_came_does_not_refuse_it(served: Provider) -> None:
    async def check() -> None:
        checked = believed(served)
        assert await status(checked, token(FIRST, served)) == 200
        served.delay = 0.5
        junk = asyncio.create_task(status(checked, token(Key("junk", "EdDSA"), served)))
        while served.waiting == 0:
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.1)
        served.keys = (FIRST, SECOND)
        assert await status(checked, token(SECOND, served)) == 200
        assert await junk == 401

    run(check())


def test_what_would_be_refused_anyway_asks_nobody(served: Provider) -> None:
    async def check() -> None:
        checked = believed(served)
        now = claims("", "")["iat"]
        stranger = Key("stranger")
        good = token(stranger, served)
        for bad in (
            token(stranger, served, iss="https://evil.example"),
            token(stranger, served, aud="bank"),
            token(stranger, served, exp=now - 60),
            token(stranger, served, nbf=now + 60),
            token(stranger, served, iat=now + 60),
            token(stranger, served, exp=None),
            token(stranger, served, sub=None),
            good.rpartition(".")[0] + ".",
        ):
            assert await status(checked, bad) == 401
        assert served.fetches == 0
        assert await status(checked, good) == 401
        assert served.fetches == 1

    run(check())


def test_what_cannot_be_the_issuers_asks_nobody(served: Provider) -> None:
    async def check() -> None:
        checked = believed(served)
        payload = claims(served.issuer, AUDIENCE, sub="alice")
        for bad in (
            "",
            "a.b.c",
            "é.ü.ß",
            unsigned({"alg": "none", "kid": "first"}, payload),
            unsigned({"alg": "HS256", "kid": "first"}, payload, b"x" * 32),
            unsigned({"alg": "RS1", "kid": "first"}, payload, b"x"),
            unsigned({"alg": ["ES256"], "kid": "first"}, payload, b"x"),
            unsigned({"alg": "ES256", "kid": 7}, payload, b"x"),
            unsigned({"alg": "ES256", "kid": ["first"]}, payload, b"x"),
            unsigned({"alg": "ES256", "crit": ["x"], "x": 1, "kid": "first"}, payload, b"x"),
            "[" * 4000 + ".a.b",
            token(FIRST, served) + "A" * issuer.MAX_TOKEN_CHARACTERS,
        ):
            assert await status(checked, bad) == 401
        assert served.fetches == 0

    run(check())


def test_without_an_id_the_only_key_is_meant(served: Provider) -> None:
    async def check() -> None:
        payload = claims(served.issuer, AUDIENCE, sub="alice")
        signed = jwt.encode(payload, FIRST.private, FIRST.algorithm)
        assert await status(believed(served), signed) == 200
        served.keys = (FIRST, SECOND)
        assert await status(believed(served), signed) == 401

    run(check())


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"[" * 60_000,
        b'{"keys": []}',
        b'{"keys": {}}',
        b'{"keys": ["ES256", 7, null]}',
        b'{"keys": [{"kty": "oct", "kid": "first", "k": "c2VjcmV0"}]}',
        json.dumps({"keys": [{**FIRST.jwk, "use": "enc"}]}).encode(),
        json.dumps({"keys": [{**FIRST.jwk, "x": "AA"}]}).encode(),
        json.dumps({"keys": [{**FIRST.jwk, "alg": ["ES256"]}]}).encode(),
        b'{"keys": [{"kty": "RSA", "alg": "none", "n": "AQAB", "e": "AQAB"}]}',
        key_set(FIRST) + b" " * (issuer.MAX_KEY_SET_BYTES + 1),
    ],
)
def test_a_useless_key_set_is_none(body: bytes) -> None:
    with pytest.raises(ValueError, match=r"JSON|usable|bytes"):
        parse_keys(body)


@pytest.mark.parametrize(
    "fault", ["gone", "absent", "huge", "slow", "status", "redirect", "nonsense"]
)
def test_an_issuer_that_fails_is_no_reason_to_believe_or_to_hang(
    served: Provider, monkeypatch: pytest.MonkeyPatch, no_pause: None, fault: str
) -> None:
    monkeypatch.setattr(issuer, "FETCH_SECONDS", 0.3)
    good = token(FIRST, served)

    def fail() -> None:
        match fault:
            case "huge":
                served.body = b" " * 8_000_000
            case "slow":
                served.delay = 1.0
            case "absent":
                served.status = 404
            case "status":
                served.status = 500
            case "redirect":
                served.status, served.location = 302, f"{served.issuer}/elsewhere"
            case "nonsense":
                served.body = b"<html>"

    async def check() -> None:
        if fault == "gone":
            with socket.socket() as reserved:
                reserved.bind(("127.0.0.1", 0))
                served.keys_url = f"http://127.0.0.1:{reserved.getsockname()[1]}/keys"
                assert await status(believed(served), good) == 503
            return
        known = believed(served)
        assert await status(known, good) == 200
        fail()
        unknown = believed(served)
        assert await status(unknown, good) == 503
        # Whoever has the keys goes on with them, for a while.
        monkeypatch.setattr(issuer, "FRESH_SECONDS", 0)
        assert await status(known, good) == 200
        assert await status(known, token(SECOND, served)) == 401
        monkeypatch.setattr(issuer, "STALE_SECONDS", 0)
        assert await status(known, good) == 503
        assert served.strangers == []

    run(check())


def test_a_slow_issuer_holds_up_nobody_else(served: Provider) -> None:
    async def check() -> None:
        slow = believed(served)
        served.delay = 0.5
        waiting = asyncio.create_task(status(slow, token(FIRST, served)))
        turns = 0
        while not waiting.done():
            await asyncio.sleep(0.01)
            turns += 1
        assert await waiting == 200
        assert turns > 10  # the event loop ran all the while

    run(check())


def test_a_caller_who_leaves_does_not_end_the_fetch_of_the_others(served: Provider) -> None:
    async def check() -> None:
        checked = believed(served)
        good = token(FIRST, served)
        served.delay = 0.2
        first = asyncio.create_task(status(checked, good))
        second = asyncio.create_task(status(checked, good))
        await asyncio.sleep(0.05)
        first.cancel()
        assert (await second, served.fetches) == (200, 1)

    run(check())


def test_a_provider_is_found_by_its_description(served: Provider) -> None:
    def provided() -> Issuer:
        settings = OidcSettings(issuer=served.issuer, audience=AUDIENCE, claim="groups", scopes={})
        return Issuer(settings, required="sub")

    async def check() -> None:
        good = token(FIRST, served)
        assert await status(provided(), good) == 200
        served.described_issuer = "https://another.example"
        assert await status(provided(), good) == 503
        served.described_issuer = served.issuer
        served.keys_url = "http://keys.example/keys"  # neither https nor of this machine
        assert await status(provided(), good) == 503

    run(check())


def test_keys_from_a_file(tmp_path: Path, no_pause: None) -> None:
    file = tmp_path / "keys.json"
    settings = CustomerSettings(issuer="https://exchange.example", audience="a", keys_file=file)

    async def check() -> None:
        checked = Issuer(settings, required="sub")
        signed = [
            key.sign(claims("https://exchange.example", "a", sub="alice"))
            for key in (FIRST, SECOND)
        ]
        assert await status(checked, signed[0]) == 503
        file.write_bytes(key_set(FIRST))
        assert [await status(checked, each) for each in signed] == [200, 401]
        file.write_bytes(key_set(FIRST, SECOND))
        assert [await status(checked, each) for each in signed] == [200, 200]

    run(check())


def test_a_key_is_only_good_for_its_own_algorithm(served: Provider) -> None:
    rsa = Key("rsa", "RS256")
    served.keys = (rsa,)

    async def check() -> None:
        checked = believed(served, algorithms=("RS256", "PS256", "RS512"))
        assert await status(checked, token(rsa, served)) == 200
        for algorithm in ("PS256", "RS512"):
            rsa.algorithm = algorithm
            assert await status(checked, token(rsa, served)) == 401

    run(check())
