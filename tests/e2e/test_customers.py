"""A customer's package over HTTP: their own, by the exchange's token, and nobody else's."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import resource
import shutil
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

import native
import verifier
from api.database.engine import migrate, open_database
from api.database.gate import Gate
from api.database.tables import snapshots as table
from api.errors import Retired, Unreadable
from api.settings import SQLITE_FILE
from api.snapshots import packages as packages_of_service
from api.snapshots import states as snapshots
from api.snapshots.packages import Packages
from api.snapshots.states import State
from prover.snapshot.make import make_snapshot
from prover.snapshot.packages import Packager
from tests.support.exchange_files import balances, public_key, sample
from tests.support.identity_provider import Key, Provider, claims, provider, unsigned
from tests.support.service import Answer, Service, running
from verifier.format import wire

AUDIENCE = "assay"
APP = "https://app.exchange.example"
MSGPACK, JSON = "application/vnd.msgpack", "application/json"
KEY, OTHER, RSA = Key("k1"), Key("k1"), Key("rsa", "RS256")


@dataclass(frozen=True)
class Exchange:
    """An exchange whose service runs: snapshots ``one``, published, and others in other states."""

    service: Service
    provider: Provider
    config: Path
    accounts: list[str]

    def claims(self, account: str | None, **others: Any) -> dict[str, Any]:
        return claims(self.provider.issuer, AUDIENCE, account=account, **others)

    def token(self, account: str | None, **others: Any) -> str:
        return KEY.sign(self.claims(account, **others))

    def ask(self, token: str | None, path: str = "/me/inclusion/one", **headers: str) -> Answer:
        if token is not None:
            headers["Authorization"] = f"Bearer {token}"
        return self.service.request(path, **headers)

    @property
    def packager(self) -> Packager:
        return Packager(self.service.folder / "snapshots" / "one")

    def package(self, account: str) -> bytes:
        return self.packager.package(self.packager.index_of(account))


def add_snapshots(folder: Path, states: Mapping[str, State]) -> None:
    engine = open_database(f"sqlite:///{folder / SQLITE_FILE}")
    migrate(engine)
    with engine.begin() as connection:
        for name, state in states.items():
            snapshots.create(connection, name, "main", 0)
            mine = table.c.snapshot_id == name
            connection.execute(sa.update(table).where(mine).values(state=state))
    engine.dispose()


@pytest.fixture(scope="module")
def exchange(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Exchange]:
    root = tmp_path_factory.mktemp("exchange")
    config = sample(root / "exchange", accounts=60)
    folder = root / "service"
    (folder / "snapshots").mkdir(parents=True)
    make_snapshot(config, folder / "snapshots" / "one")
    states = {
        "one": State.PUBLISHED,
        "draft": State.DRAFT,
        "proven": State.PROVEN,
        "retiring": State.RETIRING,
        "retired": State.RETIRED,
        "lost": State.PUBLISHED,
    }
    add_snapshots(folder, states)
    with provider() as served:
        served.keys = (KEY, RSA)
        settings = f"""
[limits]
customer_rate = 100_000
address_rate = 100_000
[customers]
issuer = "{served.issuer}"
audience = "{AUDIENCE}"
keys_url = "{served.keys_url}"
account_claim = "account"
origins = ["{APP}", "http://localhost:3000"]
"""
        with running(folder, settings, "--no-worker") as service:
            accounts = list(balances(root / "exchange" / "ledger.csv"))
            yield Exchange(service, served, config, accounts)


def code(answer: Answer) -> str:
    assert answer.headers["content-type"] == "application/problem+json"
    found: str = json.loads(answer.body)["code"]
    return found


def test_the_package_proves_that_its_owner_is_counted(exchange: Exchange) -> None:
    account = exchange.accounts[7]
    answer = exchange.ask(exchange.token(account))
    assert (answer.status, answer.headers["content-type"]) == (200, MSGPACK)
    assert answer.headers["cache-control"] == "no-store"
    assert {"accept", "authorization"} <= set(answer.headers["vary"].lower().split(", "))
    assert answer.headers["x-content-type-options"] == "nosniff"
    held = balances(exchange.config.with_name("ledger.csv"))[account]
    bundle = exchange.service.folder / "snapshots" / "one" / "public"
    verifier.check_inclusion(answer.body, bundle, public_key(exchange.config), account, held)


def test_the_json_form_is_the_same_package(exchange: Exchange) -> None:
    for account in exchange.accounts[:20]:
        answer = exchange.ask(exchange.token(account), Accept=JSON)
        assert (answer.status, answer.headers["content-type"]) == (200, JSON)
        found = json.loads(answer.body)
        body = found["body"]
        again = wire.PackageBody(
            account_id=body["account_id"],
            account_key=bytes.fromhex(body["account_key"]),
            assets=tuple(
                wire.PackageAsset(
                    asset["code"],
                    tuple(
                        wire.Part(
                            int(part["amount"]),
                            part["leaf"],
                            bytes.fromhex(part["opening"]),
                            part["part"],
                            bytes.fromhex(part["path"]),
                        )
                        for part in asset["parts"]
                    ),
                )
                for asset in body["assets"]
            ),
            manifest=bytes.fromhex(body["manifest"]),
            version=body["version"],
        )
        log, signature = bytes.fromhex(found["log"]), bytes.fromhex(found["signature"])
        packed = wire.write_record(wire.Package(wire.write_record(again), log, signature))
        assert packed == exchange.package(account)


@pytest.fixture
def published(tmp_path: Path, exchange: Exchange) -> Iterator[tuple[Packages, Path]]:
    """Give packages of a copy of snapshot ``one``, which is published, and its folder."""
    add_snapshots(tmp_path, {"one": State.PUBLISHED})
    folder = tmp_path / "snapshots" / "one"
    shutil.copytree(exchange.service.folder / "snapshots" / "one", folder)
    shutil.rmtree(folder / "private" / "packages", ignore_errors=True)
    engine = open_database(f"sqlite:///{tmp_path / SQLITE_FILE}")
    yield Packages(Gate(engine, 30), folder.parent, ()), folder
    engine.dispose()


def test_a_package_that_cannot_be_kept_leaves_nothing(
    exchange: Exchange,
    published: tuple[Packages, Path],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    packages, folder = published
    keep = packages_of_service._keep

    def keep_on_a_full_disk(*arguments: Any) -> None:
        limits = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (10, limits[1]))
        try:
            keep(*arguments)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)

    with monkeypatch.context() as patch:
        patch.setattr(packages_of_service, "_keep", keep_on_a_full_disk)
        for _ in range(3):
            with pytest.raises(Unreadable):
                packages.package("one", exchange.accounts[3])
    kept = folder / "private" / "packages"
    assert not [path for path in kept.rglob("*") if path.is_file()]
    assert packages.package("one", exchange.accounts[3])


def test_a_package_is_made_once_and_kept(
    exchange: Exchange,
    published: tuple[Packages, Path],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    packages, folder = published
    account, made = exchange.accounts[3], []
    make = native.openings_make

    def spied(*arguments: Any, bulk: bool) -> tuple[bytes, bytes]:
        assert not bulk
        made.append(arguments[0])
        return make(*arguments, bulk=bulk)

    monkeypatch.setattr(native, "openings_make", spied)
    own = packages.package("one", account)
    assert own == exchange.package(account)
    assert made
    made.clear()
    [kept] = [path for path in (folder / "private" / "packages").rglob("*") if path.is_file()]
    assert kept.read_bytes() == own
    assert account.encode() not in str(kept).encode()
    for path in (kept, *kept.parents[:3]):
        assert stat.S_IMODE(path.stat().st_mode) == (0o600 if path == kept else 0o700)
    assert packages.package("one", account) == own
    assert not made
    # What is kept is served only if it is this account's, of this snapshot.
    other = packages.package("one", exchange.accounts[4])
    for wrong in (b"", own[:-1], own[:-1] + bytes([own[-1] ^ 1]), other):
        made.clear()
        kept.write_bytes(wrong)
        assert packages.package("one", account) == own
        assert made
        assert kept.read_bytes() == own


def test_damaged_files_send_nothing(
    exchange: Exchange, published: tuple[Packages, Path], caplog: pytest.LogCaptureFixture
) -> None:
    packages, folder = published
    for path in (folder / "private" / "trees" / "leaves").glob("*/blindings"):
        path.write_bytes(bytes(byte ^ 1 for byte in path.read_bytes()))
    for account in exchange.accounts[:5]:
        with pytest.raises(Unreadable):
            packages.package("one", account)
        assert "damaged" in caplog.text
        assert account not in caplog.text
    assert not (folder / "private" / "packages").exists()


def test_nothing_comes_back_of_what_is_erased(
    exchange: Exchange, published: tuple[Packages, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A package that is under way as its snapshot is retired is kept nowhere."""
    packages, folder = published
    make = Packager.package

    def then_erased(self: Packager, index: int) -> bytes:
        package = make(self, index)
        shutil.rmtree(folder)
        return package

    monkeypatch.setattr(Packager, "package", then_erased)
    with pytest.raises(Unreadable):
        packages.package("one", exchange.accounts[0])
    assert not folder.exists()


@pytest.mark.parametrize(
    ("accept", "kind"),
    [
        (None, MSGPACK),
        ("", MSGPACK),
        ("*/*", MSGPACK),
        ("application/*", MSGPACK),
        ("application/msgpack", MSGPACK),
        ("APPLICATION/JSON", JSON),
        ("application/json, */*;q=0.1", JSON),
        ("application/vnd.msgpack;q=0.5, application/json;q=0.6", JSON),
        ("application/vnd.msgpack;q=0.5, application/json;q=0.499", MSGPACK),
        ("application/vnd.msgpack;q=0, */*", JSON),
        ("*/*;q=0.1, application/json;charset=utf-8;q=0.2", JSON),
        ("text/html, application/json;q=0.3", JSON),
        ("text/html", None),
        ("*/*;q=0", None),
        ("application/json;q=0.0", None),
        ("application/json;q=2, application/vnd.msgpack;q=-1", None),
        ("application/json;q=1e3", None),
        (",;q=,/;;=,", None),
    ],
)
def test_the_accept_header_chooses(
    exchange: Exchange, accept: str | None, kind: str | None
) -> None:
    headers = {} if accept is None else {"Accept": accept}
    answer = exchange.ask(exchange.token(exchange.accounts[0]), **headers)
    if kind is None:
        assert (answer.status, code(answer)) == (406, "request.not-acceptable")
    else:
        assert (answer.status, answer.headers["content-type"]) == (200, kind)


def test_nobody_gets_the_package_of_another(exchange: Exchange) -> None:
    alice, bob = exchange.accounts[:2]
    token, own = exchange.token(alice), exchange.package(alice)
    for path in (
        f"/me/inclusion/one?account={bob}",
        f"/me/inclusion/one?sub={bob}&account_id={bob}&snapshot=two",
    ):
        assert exchange.ask(token, path).body == own
    for headers in (
        {"X-Account": bob},
        {"X-Forwarded-User": bob, "X-Remote-User": bob},
        {"Cookie": f"account={bob}"},
    ):
        assert exchange.ask(token, **headers).body == own
    for path in (
        f"/me/inclusion/one/{bob}",
        f"/me/{bob}/inclusion/one",
        "/me/inclusion/one/../one",
        "/me/inclusion/../../private/keys",
        "/me/inclusion/%2e%2e",
        "/me/inclusion/one%2f..%2fone",
        "/me/inclusion/..%5cone",
        "/me/inclusion/one%00",
        "/me/inclusion/ONE",
    ):
        assert exchange.ask(token, path).status in {404, 422}
    # Of two tokens none counts, and no method but GET is served.
    two = exchange.service.request(
        "/me/inclusion/one", Authorization=f"Bearer {token}, Bearer {exchange.token(bob)}"
    )
    assert two.status == 401
    for method in ("POST", "PUT", "DELETE", "PATCH"):
        answer = exchange.service.request(
            "/me/inclusion/one", method, Authorization=f"Bearer {token}"
        )
        assert answer.status == 405


def allowed(answer: Answer) -> str | None:
    """Return whose pages may read an answer."""
    assert "origin" in answer.headers["vary"].lower().split(", ")[-1]
    return answer.headers.get("access-control-allow-origin")


def test_pages_of_the_exchanges_origins_may_fetch_packages(exchange: Exchange) -> None:
    token = exchange.token(exchange.accounts[0])
    for origin in (APP, "http://localhost:3000"):
        asked = {"Origin": origin, "Access-Control-Request-Method": "GET"}
        answer = exchange.service.request(
            "/me/inclusion/one", "OPTIONS", **asked, Access_Control_Request_Headers="authorization"
        )
        assert (answer.status, answer.body, allowed(answer)) == (204, b"", origin)
        assert answer.headers["access-control-allow-methods"] == "GET"
        assert answer.headers["access-control-allow-headers"] == "Authorization"
        assert "access-control-allow-credentials" not in answer.headers
        for answer in (
            exchange.ask(token, Origin=origin),
            exchange.ask(None, Origin=origin),
            exchange.ask(token, "/me/inclusion/none", Origin=origin),
            exchange.ask(token, "/me/nothing", Origin=origin),
            exchange.ask(token, Origin=origin, Accept="text/html"),
        ):
            assert allowed(answer) == origin
        assert exchange.ask(token, Origin=origin).body == exchange.package(exchange.accounts[0])


@pytest.mark.parametrize(
    "origin",
    [
        "https://evil.example",
        "http://app.exchange.example",
        "https://app.exchange.example:8443",
        "https://app.exchange.example.evil.example",
        "https://APP.exchange.example",
        "https://app.exchange.example/",
        "null",
        "*",
        "",
    ],
)
def test_no_other_page_may_read_them(exchange: Exchange, origin: str) -> None:
    token = exchange.token(exchange.accounts[0])
    assert allowed(exchange.ask(token, Origin=origin)) is None
    answer = exchange.service.request("/me/inclusion/one", "OPTIONS", Origin=origin)
    assert allowed(answer) is None
    for path in ("/operator/snapshots", "/healthz", "/metrics"):
        answer = exchange.service.request(path, Origin=APP)
        assert "access-control-allow-origin" not in answer.headers


def test_an_account_id_is_canonical_before_it_is_looked_up(exchange: Exchange) -> None:
    account = exchange.accounts[3]
    assert exchange.ask(exchange.token(f" {account.upper()}\n")).body == exchange.package(account)


def bent_tokens(exchange: Exchange) -> dict[str, str]:
    account = exchange.accounts[0]
    good = exchange.claims(account)
    header, payload, signature = exchange.token(account).split(".")
    other_payload = exchange.token(exchange.accounts[1]).split(".")[1]
    pem = KEY.private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    jwk = json.dumps(KEY.jwk).encode()

    def hs256(secret: bytes, kid: str) -> str:
        text = unsigned({"alg": "HS256", "kid": kid}, good).rpartition(".")[0]
        mac = hmac.digest(secret, text.encode(), hashlib.sha256)
        return f"{text}.{base64.urlsafe_b64encode(mac).rstrip(b'=').decode()}"

    now = good["iat"]
    return {
        "expired": exchange.token(account, exp=now - 31, iat=now - 60),
        "never expires": exchange.token(account, exp=None),
        "expires in words": KEY.sign({**good, "exp": "tomorrow"}),
        "not valid yet": exchange.token(account, nbf=now + 60),
        "issued in the future": exchange.token(account, iat=now + 60),
        "of another issuer": exchange.token(account, iss="https://evil.example"),
        "of no issuer": exchange.token(account, iss=None),
        "issuer with a slash": exchange.token(account, iss=exchange.provider.issuer + "/"),
        "for another audience": exchange.token(account, aud="bank"),
        "for others": exchange.token(account, aud=["bank", "shop"]),
        "for nobody": exchange.token(account, aud=None),
        "without an account": exchange.token(None),
        "account is a number": KEY.sign({**good, "account": 7}),
        "account is a list": KEY.sign({**good, "account": [account]}),
        "unverified account": exchange.token(account, account_verified=False),
        "verified in words": exchange.token(account, account_verified="true"),
        "forged": OTHER.sign(good),
        "another's payload": f"{header}.{other_payload}.{signature}",
        "no signature": f"{header}.{payload}.",
        "half a signature": f"{header}.{payload}.{signature[: len(signature) // 2]}",
        "alg none": unsigned({"alg": "none", "kid": "k1"}, good),
        "alg None": unsigned({"alg": "None", "kid": "k1"}, good),
        "alg none, signed": f"{unsigned({'alg': 'none', 'kid': 'k1'}, good)}{signature}",
        "no alg": unsigned({"kid": "k1"}, good, b"x" * 64),
        "HS256 by the PEM": hs256(pem, "k1"),
        "HS256 by the JWK": hs256(jwk, "k1"),
        "HS256 by nothing": hs256(b"", "k1"),
        "ES256 for the RSA key": KEY.sign(good, kid="rsa"),
        "unknown kid": KEY.sign(good, kid="k2"),
        "kid of a file": OTHER.sign(good, kid="../../keys/signing.pem"),
        "kid of a device": hs256(b"", "/dev/null"),
        "kid of a query": OTHER.sign(good, kid="k1' OR '1'='1"),
        "kid of 6 kB": OTHER.sign(good, kid="k" * 4000),
        "key in the header": OTHER.sign(good, jwk=OTHER.jwk),
        "key at an URL": OTHER.sign(good, jku=f"{exchange.provider.issuer}/evil"),
        "certificate at an URL": OTHER.sign(good, x5u=f"{exchange.provider.issuer}/evil.pem"),
        "critical extension": KEY.sign(good, crit=["exp"], exp=now + 60),
        "five parts": f"{header}.{payload}.{signature}.{payload}.{signature}",
        "not base64": f"{header}.{payload}!.{signature}",
        "claims are no object": unsigned({"alg": "ES256", "kid": "k1"}, {}, b"x" * 64),
        "an operator's": "assay_op_" + "A" * 43,
        "9 kB": KEY.sign({**good, "more": "x" * 9000}),
    }


def test_no_bent_token_is_accepted(exchange: Exchange) -> None:
    for name, token in bent_tokens(exchange).items():
        answer = exchange.ask(token)
        assert (name, answer.status, code(answer)) == (name, 401, "request.unauthenticated")
        assert answer.headers["www-authenticate"] == 'Bearer error="invalid_token"', name
        assert answer.headers["cache-control"] == "no-store", name
    assert exchange.provider.strangers == []


def test_a_new_key_is_taken_at_once_whatever_others_send(exchange: Exchange) -> None:
    new, junk = Key("new"), Key("junk")
    account = exchange.accounts[0]
    assert exchange.ask(junk.sign(exchange.claims(account))).status == 401
    exchange.provider.keys = (KEY, RSA, new)
    assert exchange.ask(new.sign(exchange.claims(account))).body == exchange.package(account)


def test_tokens_in_the_wrong_place_are_none(exchange: Exchange) -> None:
    token = exchange.token(exchange.accounts[0])
    for headers in (
        {},
        {"Authorization": token},
        {"Authorization": f"Basic {token}"},
        {"Authorization": "Bearer"},
        {"Cookie": f"Authorization=Bearer {token}"},
    ):
        answer = exchange.service.request(f"/me/inclusion/one?access_token={token}", **headers)
        assert (answer.status, answer.headers["www-authenticate"]) == (401, "Bearer")


def test_a_token_may_be_for_several_and_a_clock_a_little_wrong(exchange: Exchange) -> None:
    account = exchange.accounts[0]
    now = exchange.claims(account)["iat"]
    for token in (
        exchange.token(account, aud=["shop", AUDIENCE]),
        exchange.token(account, exp=now - 10),
        exchange.token(account, nbf=now + 10),
        exchange.token(account, account_verified=True),
        RSA.sign(exchange.claims(account)),
    ):
        assert exchange.ask(token).body == exchange.package(account)


def test_what_is_not_there_is_answered_alike(exchange: Exchange) -> None:
    token = exchange.token(exchange.accounts[0])
    stranger = exchange.token("stranger@example.com")
    answers = [
        exchange.ask(token, "/me/inclusion/none"),
        exchange.ask(token, "/me/inclusion/draft"),
        exchange.ask(token, "/me/inclusion/proven"),
        exchange.ask(stranger),
        exchange.ask(exchange.token("no address")),
        exchange.ask(exchange.token("")),
        exchange.ask(exchange.token("a@b" * 200)),
        exchange.ask(exchange.token("\ud800@example.com")),
    ]
    bodies = [json.loads(answer.body) for answer in answers]
    for body in bodies:
        body.pop("request_id", None)
    assert [body for body in bodies if body != bodies[0]] == []
    assert bodies[0]["code"] == "request.not-found"
    assert {answer.status for answer in answers} == {404}


def test_packages_of_a_retired_snapshot_are_gone(exchange: Exchange) -> None:
    for name in ("retiring", "retired"):
        answer = exchange.ask(exchange.token(exchange.accounts[0]), f"/me/inclusion/{name}")
        assert (answer.status, code(answer)) == (410, "snapshot.retired")


def test_a_snapshot_whose_files_are_lost_is_unavailable(exchange: Exchange) -> None:
    answer = exchange.ask(exchange.token(exchange.accounts[0]), "/me/inclusion/lost")
    assert (answer.status, code(answer)) == (503, "service.unavailable")
    assert str(exchange.service.folder).encode() not in answer.body


def test_a_snapshot_that_is_retired_while_it_is_opened_is_gone(
    exchange: Exchange, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_snapshots(tmp_path, {"one": State.PUBLISHED})
    engine = open_database(f"sqlite:///{tmp_path / SQLITE_FILE}")
    packages = Packages(Gate(engine, 30), exchange.service.folder / "snapshots", ())
    state_of = snapshots.state_of

    def then_retired(connection: sa.Connection, snapshot_id: str) -> State:
        found = state_of(connection, snapshot_id)
        connection.execute(sa.update(table).values(state=State.RETIRING))
        connection.commit()
        packages.drop(snapshot_id)
        return found

    monkeypatch.setattr(snapshots, "state_of", then_retired)
    with pytest.raises(Retired):
        packages.package("one", exchange.accounts[0])
    engine.dispose()
