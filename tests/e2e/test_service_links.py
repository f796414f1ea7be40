"""Links to packages over HTTP: the exchange asks, the customer's page fetches, once."""

from __future__ import annotations

import base64
import json
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qs

import pytest
import sqlalchemy as sa

import verifier
from api.app import create_app
from api.database.engine import migrate, open_database
from api.database.tables import snapshots as table
from api.settings import SQLITE_FILE, read_settings
from api.snapshots import links
from api.snapshots import states as snapshots
from api.snapshots.states import State
from prover.snapshot.make import make_snapshot
from prover.snapshot.packages import Packager
from tests.support.exchange_files import balances, edit, public_key, sample
from tests.support.identity_provider import Key, claims, key_set
from tests.support.service import Answer, Server, Service, listening, running

ISSUER, AUDIENCE = "https://exchange.example", "customers"
ADDRESS = "https://proofs.example.com"
KEY = Key("k1")
SETTINGS = f"""
[limits]
customer_rate = 100_000
address_rate = 100_000
[customers]
issuer = "{ISSUER}"
audience = "{AUDIENCE}"
keys_file = "keys.json"
address = "{ADDRESS}"
"""


@dataclass(frozen=True)
class Exchange:
    """A service's folder with a published snapshot, and whose packages are small and large."""

    folder: Path
    config: Path
    small: str
    large: str

    def ask(self, server: Server, account: str, snapshot: str = "one") -> Answer:
        token = KEY.sign(claims(ISSUER, AUDIENCE, sub=account))
        return server.request(
            f"/me/inclusion/{snapshot}/link", "POST", Authorization=f"Bearer {token}"
        )

    def fragment(self, server: Server, account: str) -> dict[str, str]:
        answer = self.ask(server, account)
        assert answer.status == 200, answer.body
        return {name: value for name, [value] in parse_qs(answer.body.decode()).items()}

    def link(self, server: Server) -> str:
        """Return the path of a new link to the large package."""
        given = self.fragment(server, self.large)
        assert given["from"].startswith(f"{ADDRESS}/links/")
        return given["from"].removeprefix(ADDRESS)

    def package(self, account: str) -> bytes:
        packager = Packager(self.folder / "snapshots" / "one")
        return packager.package(packager.index_of(account))


def set_state(folder: Path, state: State) -> None:
    engine = open_database(f"sqlite:///{folder / SQLITE_FILE}")
    with engine.begin() as connection:
        connection.execute(sa.update(table).values(state=state))
    engine.dispose()


@pytest.fixture(scope="module")
def exchange(tmp_path_factory: pytest.TempPathFactory) -> Exchange:
    root = tmp_path_factory.mktemp("exchange")
    config = sample(root / "exchange", accounts=60, codes=("ETH",))
    edit(config, "most = 3", "most = 24")
    folder = root / "service"
    (folder / "snapshots").mkdir(parents=True)
    make_snapshot(config, folder / "snapshots" / "one")
    (folder / "keys.json").write_bytes(key_set(KEY))
    engine = open_database(f"sqlite:///{folder / SQLITE_FILE}")
    migrate(engine)
    with engine.begin() as connection:
        snapshots.create(connection, "one", "main", 0)
    engine.dispose()
    set_state(folder, State.PUBLISHED)
    packager = Packager(folder / "snapshots" / "one")
    accounts = sorted(
        balances(config.with_name("ledger.csv")),
        key=lambda account: len(packager.package(packager.index_of(account))),
    )
    return Exchange(folder, config, accounts[0], accounts[-1])


@pytest.fixture(scope="module")
def service(exchange: Exchange) -> Iterator[Service]:
    with running(exchange.folder, SETTINGS, "--no-worker") as found:
        yield found


@pytest.fixture
def server(exchange: Exchange, service: Service) -> Iterator[Server]:
    """Give the service in this process, where a test can change its bounds."""
    settings = read_settings(exchange.folder / "settings.toml")
    alone = settings.server.model_copy(update={"port": 0, "worker": False})
    settings = settings.model_copy(update={"server": alone})
    with listening(create_app(settings), settings) as (found, _):
        yield found


def check_gone(answer: Answer) -> None:
    """Check that a token is refused in words that do not say why."""
    problem = json.loads(answer.body)
    assert problem.pop("request_id")
    assert problem == {
        "type": "urn:assay:problem:request.not-found",
        "title": "Not found",
        "status": 404,
        "code": "request.not-found",
    }
    assert answer.headers["access-control-allow-origin"] == "*"
    assert answer.headers["cache-control"] == "no-store"


def test_a_small_package_is_in_the_fragment(exchange: Exchange, service: Service) -> None:
    answer = exchange.ask(service, exchange.small)
    assert (answer.status, answer.headers["cache-control"]) == (200, "no-store")
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    text = answer.body.decode()
    assert len(text) <= 16_384
    package, bundle = text.split("&")
    assert bundle == f"bundle={ADDRESS}/snapshots/one/"
    coded = package.removeprefix("package=")
    assert not set(coded) & set("+/=%")
    data = base64.urlsafe_b64decode(coded + "=" * (-len(coded) % 4))
    assert data == exchange.package(exchange.small)
    made = exchange.folder / "snapshots" / "one" / "public"
    held = balances(exchange.config.with_name("ledger.csv"))[exchange.small]
    verifier.check_inclusion(data, made, public_key(exchange.config), exchange.small, held)


def test_a_large_package_is_fetched_once(exchange: Exchange, service: Service) -> None:
    path = exchange.link(service)
    assert len(path.removeprefix("/links/")) == 43  # 256 bits
    for method, status in (("OPTIONS", 204), ("HEAD", 405), ("POST", 405), ("OPTIONS", 204)):
        assert service.request(path, method, Origin="https://audit.example").status == status
    first = service.request(path, Origin="https://audit.example")
    assert (first.status, first.headers["content-type"]) == (200, "application/vnd.msgpack")
    assert first.body == exchange.package(exchange.large)
    assert len(first.body) * 4 / 3 > 16_000
    assert first.headers["access-control-allow-origin"] == "*"
    assert first.headers["cache-control"] == "no-store"
    assert "access-control-allow-credentials" not in first.headers
    check_gone(service.request(path))


def test_of_many_who_fetch_at_once_one_gets_it(exchange: Exchange, service: Service) -> None:
    path = exchange.link(service)
    barrier = threading.Barrier(8)

    def fetch(_: int) -> int:
        barrier.wait()
        return service.request(path).status

    with ThreadPoolExecutor(8) as pool:
        statuses = sorted(pool.map(fetch, range(8)))
    assert statuses == [200, *[404] * 7]


@pytest.mark.parametrize("token", ["x", "A" * 43, "A" * 3000, "%00", "%ff", "..", "é".encode()])
def test_what_is_no_token_is_answered_like_one_that_is_over(
    service: Service, token: str | bytes
) -> None:
    text = token if isinstance(token, str) else "".join(f"%{byte:02x}" for byte in token)
    check_gone(service.request(f"/links/{text}"))


def test_a_new_link_ends_the_one_before(exchange: Exchange, service: Service) -> None:
    before, now = exchange.link(service), exchange.link(service)
    check_gone(service.request(before))
    assert service.request(now).status == 200


def test_a_link_ends_after_its_time(
    exchange: Exchange, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert links.LIFETIME_SECONDS == 600
    monkeypatch.setattr(links, "LIFETIME_SECONDS", 0.2)
    path = exchange.link(server)
    time.sleep(0.3)
    check_gone(server.request(path))


def test_links_are_bounded_in_number(
    exchange: Exchange, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(links, "MOST_CHARACTERS", 0)
    monkeypatch.setattr(links, "MOST_LINKS", 1)
    path = exchange.link(server)
    refused = exchange.ask(server, exchange.small)
    assert (refused.status, json.loads(refused.body)["code"]) == (503, "service.unavailable")
    assert refused.headers["retry-after"] == "60"
    path = exchange.link(server)  # in the place of the caller's own
    assert server.request(path).status == 200
    assert exchange.ask(server, exchange.small).status == 200


def test_a_package_that_no_reader_takes_gets_no_link(
    exchange: Exchange, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(links, "MAX_PACKAGE_BYTES", 10)
    refused = exchange.ask(server, exchange.small)
    assert (refused.status, json.loads(refused.body)["code"]) == (422, "package.too-large")


def test_links_are_for_whom_a_token_names(exchange: Exchange, service: Service) -> None:
    assert service.request("/me/inclusion/one/link", "POST").status == 401
    forged = Key("k1").sign(claims(ISSUER, AUDIENCE, sub=exchange.small))
    headers = {"Authorization": f"Bearer {forged}"}
    assert service.request("/me/inclusion/one/link", "POST", **headers).status == 401
    assert exchange.ask(service, "nobody@example.com").status == 404
    assert exchange.ask(service, exchange.small, "two").status == 404


def test_a_link_gives_nothing_of_what_is_retired(exchange: Exchange, service: Service) -> None:
    path = exchange.link(service)
    set_state(exchange.folder, State.RETIRED)
    try:
        answer = service.request(path)
        assert (answer.status, json.loads(answer.body)["code"]) == (410, "snapshot.retired")
    finally:
        set_state(exchange.folder, State.PUBLISHED)
    assert service.request(path).status == 200  # what failed spent nothing


def test_no_log_and_no_database_knows_whose_links_there_were(
    exchange: Exchange, service: Service
) -> None:
    path = exchange.link(service)
    assert service.request(path).status == 200
    token = path.removeprefix("/links/")
    kept = service.log.read_bytes()
    kept += b"".join(file.read_bytes() for file in exchange.folder.glob(f"{SQLITE_FILE}*"))
    for secret in (token, exchange.large, exchange.small):
        assert secret.encode() not in kept
    routes = {line.get("route") for line in service.lines()}
    assert {"/links/{token}", "/me/inclusion/{snapshot}/link"} <= routes


def test_without_an_address_there_are_no_links(exchange: Exchange, tmp_path: Path) -> None:
    (tmp_path / "keys.json").write_bytes(key_set(KEY))
    with running(tmp_path, SETTINGS.replace(f'address = "{ADDRESS}"', ""), "--no-worker") as bare:
        assert exchange.ask(bare, exchange.small).status == 404
        assert bare.request(f"/links/{'A' * 43}").status == 404
