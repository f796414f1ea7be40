"""Operators over real HTTP: a snapshot from draft to retirement, and everything that is refused."""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import psutil
import pytest

from api.errors import DatabaseAway, ServiceError
from api.http.problems import problem_of
from api.settings import LimitSettings
from api.snapshots import watch
from api.snapshots.states import Row, State
from prover.config.announcement import read_announcement
from tests.service.conftest import new_postgresql
from tests.support.exchange_files import files
from tests.support.served_exchange import (
    BLOCKS,
    LATER,
    LIST,
    SECRET_NUMBER,
    TIME,
    Exchange,
    make_exchange,
)
from tests.support.service import running
from tests.support.service_http import (
    ALL,
    UPLOAD_BYTES,
    Operator,
    settings,
    token,
    until,
    wish,
    worker,
)
from verifier.format.keys import parse_public_key
from verifier.verify import audit

ABSENT, LISTED = "No such file or directory (unreadable)", "a list of signed addresses"
NAMES = (
    f"%2e%2e%2f{LIST}",
    f"..%2f..%2f{LIST}",
    f"{LIST}%00",
    f"{LIST}.partial",
    f".{LIST}",
    "snapshot.toml",
    "draft.toml",
    "%2fetc%2fpasswd",
    LIST.upper(),
    "x" * 300,
)


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def database_kind(request: pytest.FixtureRequest) -> str:
    kind: str = request.param
    return kind


@pytest.fixture(scope="module")
def exchange(database_kind: str, tmp_path_factory: pytest.TempPathFactory) -> Exchange:
    """Return the exchange of a service; what it signs is signed for that one alone."""
    return make_exchange(tmp_path_factory.mktemp(f"exchange-{database_kind}"))


@pytest.fixture(scope="module")
def operator(
    request: pytest.FixtureRequest,
    database_kind: str,
    exchange: Exchange,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Operator]:
    """Return an operator of a service without a worker: nothing moves by itself."""
    folder = tmp_path_factory.mktemp("service")
    more, url = "", None
    if database_kind == "postgresql":
        url = new_postgresql(request.getfixturevalue("postgresql_url"))
        more = f'database = "{url}"'
    with running(folder, settings(exchange, more), "--no-worker") as service:
        yield Operator(service, token(folder, *ALL, database=url), url)


@pytest.fixture
def drafted(operator: Operator, exchange: Exchange, request: pytest.FixtureRequest) -> str:
    """Return the id of a draft with evidence."""
    name = re.sub("[^a-z0-9]+", "-", request.node.name.lower())[:64]
    operator.draft(exchange, name)
    return name


def test_from_draft_to_retirement(tmp_path: Path) -> None:
    own = make_exchange(tmp_path / "exchange")
    folder = tmp_path / "service"
    folder.mkdir()
    with running(folder, settings(own), "--no-worker") as service, worker(folder):
        operator = Operator(service, token(folder, *ALL))
        operator.draft(own)
        assert operator("POST", "/one/start")[0] == 202
        proven = operator.rest()
        assert (proven["state"], proven["progress"], proven["detail"]) == ("proven", None, None)
        made = folder / "snapshots" / "one" / "public"
        assert audit(made, parse_public_key(own.key)).digest.hex() == proven["manifest"]
        bundle = files(made)
        assert service.request("/history.json").status == 404
        assert operator("POST", "/one/publish")[0] == 202
        assert operator.rest()["state"] == "published"
        operator.draft(own, "two", LATER)
        assert operator("POST", "/two/start")[0] == 202
        assert operator.rest("two")["state"] == "proven"
        assert operator("POST", "/two/publish")[0] == 202
        assert operator.rest("two")["state"] == "published"
        published = (folder / "published").rglob("*")
        assert all(path.stat().st_mode & 0o444 == 0o444 for path in published)
        history = json.loads(service.request("/history.json").body)["snapshots"]
        assert [entry["snapshot_id"] for entry in history] == ["one", "two"]
        assert history[1]["previous"] == history[0]["manifest"] == proven["manifest"]
        assert operator("POST", "/one/retire")[0] == 202
        retired = operator.rest()
        assert (retired["state"], retired["evidence"]) == ("retired", [])
        assert not made.parent.exists()
        for name, data in bundle.items():
            assert service.request(f"/snapshots/one/{name}").body == data
        assert operator.code("POST", "/one/resume") == (409, "snapshot.wrong-state")
        assert operator.code("POST", "", wish("one")) == (409, "snapshot.exists")
        assert operator.code("GET", "/one/challenge") == (409, "snapshot.wrong-state")
        kept = b"".join(path.read_bytes() for path in folder.glob("service.sqlite*"))
        kept += service.log.read_bytes()
        for secret in (b"holder", str(SECRET_NUMBER).encode(), str(own.owed).encode()):
            assert secret not in kept


def test_each_scope_opens_its_routes_alone(operator: Operator, drafted: str) -> None:
    folder = operator.service.folder
    routes = {
        "snapshots:read": [("GET", ""), ("GET", f"/{drafted}"), ("GET", f"/{drafted}/events")],
        "snapshots:write": [
            ("POST", ""),
            ("PUT", f"/{drafted}/evidence/{LIST}"),
            ("DELETE", f"/{drafted}/evidence/{LIST}"),
            *(("POST", f"/{drafted}/{action}") for action in ("start", "resume", "cancel")),
        ],
        "snapshots:publish": [("POST", f"/{drafted}/{action}") for action in ("publish", "retire")],
    }
    for scope in ALL:
        limited = Operator(operator.service, token(folder, scope, database=operator.database))
        for needed, places in routes.items():
            for method, path in places:
                if needed != scope:
                    assert limited.code(method, path, {}) == (403, "request.forbidden"), path
    nobody = Operator(operator.service, "assay_op_" + "x" * 43)
    for places in routes.values():
        for method, path in places:
            assert nobody.code(method, path, {}) == (401, "request.unauthenticated"), path
    assert operator("GET", f"/{drafted}")[1]["state"] == "draft"


def test_illegal_transitions(operator: Operator, drafted: str) -> None:
    for action in ("resume", "cancel", "publish"):
        assert operator.code("POST", f"/{drafted}/{action}") == (409, "snapshot.wrong-state")
    assert operator("POST", f"/{drafted}/start")[0] == 202
    for action in ("start", "resume", "publish", "retire"):
        assert operator.code("POST", f"/{drafted}/{action}") == (409, "snapshot.wrong-state")
    refused = operator.code("PUT", f"/{drafted}/evidence/{LIST}", b"")
    assert refused in ((409, "snapshot.wrong-state"), (422, "evidence.refused"))
    assert operator("POST", f"/{drafted}/cancel")[1]["state"] == "cancelled"
    assert operator.code("POST", f"/{drafted}/cancel") == (409, "snapshot.wrong-state")
    assert operator("POST", f"/{drafted}/resume")[1]["state"] == "queued"
    assert operator("POST", f"/{drafted}/cancel")[1]["state"] == "cancelled"
    for action in ("start", "resume", "cancel", "publish", "retire"):
        assert operator.code("POST", f"/unknown/{action}") == (404, "request.not-found")


def test_one_at_a_time_and_evidence_first(
    operator: Operator, exchange: Exchange, drafted: str
) -> None:
    status, bare = operator.create("bare")
    assert (status, bare["missing"]) == (201, [f"{LIST}: {ABSENT}; it is {LISTED}"])
    status, problem = operator("POST", "/bare/start")
    assert (status, problem["code"]) == (409, "snapshot.incomplete")
    assert problem["missing"] == bare["missing"] == problem["detail"].split("\n")
    assert operator("GET", "/bare")[1]["state"] == "draft"
    assert operator("GET", f"/{drafted}")[1]["missing"] == []
    assert operator("POST", f"/{drafted}/start")[0] == 202
    operator.draft(exchange, "other")
    assert operator.code("POST", "/other/start") == (409, "snapshot.other-under-way")
    assert operator("GET", "/other")[1]["state"] == "draft"
    assert operator("POST", f"/{drafted}/cancel")[0] == 202


@pytest.mark.parametrize(
    ("changes", "refusal"),
    [
        ({"source": "other"}, (422, "snapshot.unknown-source")),
        ({"snapshot_id": "../one"}, (422, "request.invalid")),
        ({"snapshot_id": "x" * 65}, (422, "request.invalid")),
        ({"time": "2026-02-30T00:00:00Z"}, (422, "request.invalid")),
        ({"time": "2026-02-03T00:00:00+01:00"}, (422, "request.invalid")),
        ({"time": 5}, (422, "request.invalid")),
        ({"time": "1969-01-01T00:00:00Z"}, (422, "snapshot.refused")),
        ({"time": "2062-11-28T00:00:00Z"}, (422, "snapshot.refused")),
        ({"time": "9999-12-31T23:59:59Z"}, (422, "snapshot.refused")),
        ({"blocks": {}}, (422, "snapshot.refused")),
        ({"blocks": {"ethereum": {"height": -1, "hash": "ab" * 32}}}, (422, "request.invalid")),
        ({"blocks": {"ethereum": {"height": 7, "hash": "AB" * 32}}}, (422, "request.invalid")),
        ({"blocks": {"a\nb": {"height": 7, "hash": "ab" * 32}}}, (422, "request.invalid")),
        ({"more": 1}, (422, "request.invalid")),
    ],
)
def test_refused_drafts(operator: Operator, changes: dict[str, Any], refusal: Any) -> None:
    asked = {**wish("refused"), **changes}
    assert operator.code("POST", "", asked) == refusal
    assert operator("GET", "/refused")[0] == 404
    assert not (operator.service.folder / "snapshots" / "refused").exists()


def test_the_place_of_a_draft_is_not_what_the_client_says_of_the_host(operator: Operator) -> None:
    for number, host in enumerate(("evil.example", "evil.example:8000", "[::1]", "")):
        body = json.dumps(wish(f"placed-{number}")).encode()
        forwarded = {"X-Forwarded-Host": "evil.example", "X-Forwarded-Proto": "gopher"}
        made = operator.send(
            "POST", "", body, Content_Type="application/json", Host=host, **forwarded
        )
        assert made.status == 201
        assert made.headers["location"] == f"/operator/snapshots/placed-{number}"
        assert operator.service.request(made.headers["location"]).status == 401


def test_an_id_is_drafted_once(operator: Operator, drafted: str) -> None:
    assert operator.code("POST", "", wish(drafted)) == (409, "snapshot.exists")


def test_what_is_signed_is_what_the_command_says(
    operator: Operator, exchange: Exchange, drafted: str
) -> None:
    _, challenge = operator("GET", f"/{drafted}/challenge")
    lines = challenge["messages"]["ethereum"].split("\n")
    assert lines[:5] == ["assay/v1/ownership", exchange.key, "Börse", drafted, "ethereum"]
    announced = operator.send("GET", f"/{drafted}/announcement")
    assert announced.headers["content-type"] == "application/vnd.msgpack"
    path = operator.service.folder / "announcement"
    path.write_bytes(announced.body)
    stated = read_announcement(path)
    assert (stated.snapshot_id, stated.time) == (drafted, TIME)
    assert stated.chains[0].hash == bytes.fromhex(BLOCKS["ethereum"].hash)


def test_uploads(operator: Operator, exchange: Exchange, drafted: str) -> None:
    place = f"/{drafted}/evidence/{LIST}"
    uploads = operator.service.folder / "snapshots" / drafted / "uploads"
    before = files(uploads)
    messages = operator("GET", f"/{drafted}/challenge")[1]["messages"]
    listed = exchange.evidence(messages)
    for data, words in (
        (listed.replace(b"USDT", b"DOGE"), f"{LIST}: row 3, column asset: not an asset"),
        (listed.replace(b"eip191,", b"eip191", 1), f"{LIST}: row 2"),
        (b"\xff" * 100, f"{LIST}: not UTF-8"),
        (b"", f"{LIST}: row 1"),
        (listed + listed.split(b"\n")[1] + b"\n", f"{LIST}: row 4, column address: counted"),
        (exchange.evidence({"ethereum": "hello"}), f"{LIST}: row 2, column signature: "),
    ):
        status, problem = operator("PUT", place, data)
        assert (status, problem["code"]) == (422, "evidence.refused")
        assert problem["detail"].startswith(words), problem
    for size in (UPLOAD_BYTES + 1, 10 * UPLOAD_BYTES):
        assert operator.code("PUT", place, b"x" * size) == (413, "request.body-too-large")
    for name in NAMES:
        status, problem = operator("PUT", f"/{drafted}/evidence/{name}", listed)
        assert status in (404, 405), name
    assert files(uploads) == before
    assert sorted(path.name for path in uploads.parent.iterdir()) == ["draft.toml", "uploads"]
    assert operator("PUT", place, listed)[1]["size"] == len(listed)
    assert files(uploads) == {LIST: listed}
    for path in (uploads, *uploads.parent.rglob("*")):
        assert path.stat().st_mode & 0o077 == 0


def test_listing_by_pages(operator: Operator) -> None:
    for number in range(5):
        assert operator.create(f"page-{number}")[0] == 201
    seen: list[str] = []
    path = "?limit=2"
    while True:
        status, page = operator("GET", path)
        assert status == 200
        assert len(page["snapshots"]) <= 2
        seen += [entry["snapshot_id"] for entry in page["snapshots"]]
        if page["next"] is None:
            break
        path = f"?limit=2&before={page['next']}"
    assert len(set(seen)) == len(seen)
    assert [name for name in seen if name.startswith("page-")] == [
        f"page-{number}" for number in reversed(range(5))
    ]
    for query in ("?limit=0", "?limit=101", "?before=0", "?before=x", f"?before={2**63}"):
        assert operator.code("GET", query) == (422, "request.invalid")


def test_watching(operator: Operator, exchange: Exchange, drafted: str) -> None:
    with operator.events(drafted) as stream:
        assert stream.getheader("Content-Type", "").startswith("text/event-stream")
        only = parse(stream.read())
    assert [event["data"]["state"] for event in only] == ["draft"]
    assert operator("POST", f"/{drafted}/start")[0] == 202
    folder = operator.service.folder
    with operator.events(drafted, only[-1]["id"]) as stream, worker(folder):
        events = parse(stream.read())
    states = [event["data"]["state"] for event in events]
    assert states[0] == "queued"
    assert states[-1] == "proven"
    assert set(states) <= {"queued", "proving", "proven"}
    ids = [int(event["id"]) for event in events]
    assert ids == sorted(set(ids))
    assert ids[0] > int(only[-1]["id"])
    with operator.events(drafted, str(ids[-1])) as stream:
        assert stream.status == 204
    with operator.events(drafted, str(ids[0])) as stream:
        assert [event["id"] for event in parse(stream.read())] == [str(ids[-1])]
    with operator.events("unknown") as stream:
        assert stream.status == 404
    assert operator("POST", f"/{drafted}/retire")[0] == 202


def test_a_stream_ends_and_whoever_comes_back_proves_anew_who_they_are(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(watch, "STREAM_SECONDS", 0.0)

    async def seen(last: str | None) -> list[bytes]:
        watchers = watching(lambda _: proving(7))
        return [event async for event in watchers.stream(proving(7), last)]

    (event,) = asyncio.run(seen(None))
    assert b"id: 7\n" in event
    assert asyncio.run(seen("7")) == []


def proving(revision: int, state: State = State.PROVING) -> Row:
    """Return a snapshot at a revision."""
    nothing = (None, None, None, None, None, None)
    return Row(1, "one", "main", 0, state, "job", 1, *nothing, 0, 0.0, revision)


def watching(find: Callable[[str], Row], **limits: int) -> watch.Watchers:
    """Return what watches snapshots as they are found."""
    return watch.Watchers(find, lambda row: "{}", asyncio.Event(), LimitSettings(**limits))


def test_one_look_serves_all_streams_of_a_snapshot(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch, "POLL_SECONDS", 0.02)
    looks = 0

    def find(_: str) -> Row:
        nonlocal looks
        looks += 1
        return proving(10 + looks) if looks < 5 else proving(15, State.PROVEN)

    async def run() -> None:
        watchers = watching(find)

        async def ids() -> list[bytes]:
            stream = watchers.stream(proving(10), None)
            return [part.split(b"id: ")[1][:2] async for part in stream]

        heard = await asyncio.gather(*(ids() for _ in range(300)))
        assert heard == [[b"10", b"11", b"12", b"13", b"14", b"15"]] * 300
        assert looks == 5
        await asyncio.sleep(0.1)
        assert looks == 5  # nobody listens any more
        one = watchers.stream(proving(10), "10")
        assert b"id: 15\n" in await anext(one)
        assert [part async for part in one] == []

    asyncio.run(run())


def test_nobody_looks_where_nobody_listens(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch, "POLL_SECONDS", 0.01)
    monkeypatch.setattr(watch, "HEARTBEAT_SECONDS", 0.05)
    looks = 0

    def find(_: str) -> Row:
        nonlocal looks
        looks += 1
        return proving(7)

    async def run() -> None:
        watchers = watching(find)
        streams = [watchers.stream(proving(7), "7") for _ in range(3)]
        for stream in streams:
            assert b"still at it" in await anext(stream)
        for stream in streams:
            await stream.aclose()
        await asyncio.sleep(0.1)
        seen = looks
        await asyncio.sleep(0.1)
        assert looks == seen > 0

    asyncio.run(run())


def test_streams_end_where_the_snapshot_cannot_be_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch, "POLL_SECONDS", 0.01)

    def find(_: str) -> Row:
        raise DatabaseAway

    async def run() -> None:
        stream = watching(find).stream(proving(7), "7")
        assert [part async for part in stream] == []

    asyncio.run(run())


def test_places_for_streams_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    watchers = watching(lambda _: proving(7), streams=3, operator_streams=2)
    with ExitStack() as held:
        for caller in ("ann", "ann", "bob"):
            held.enter_context(watchers.place(caller))
        for caller, status in (("ann", 429), ("bob", 503), ("cy", 503)):
            with pytest.raises(ServiceError) as refused, watchers.place(caller):
                pass
            problem = problem_of(refused.value)
            assert (problem.status_code, problem.headers) == (status, {"Retry-After": "10"})
    with watchers.place("ann"):
        pass


def test_one_operator_has_so_many_streams(
    operator: Operator, exchange: Exchange, drafted: str
) -> None:
    """Those of clients that left are free again, whatever they left without reading."""
    assert operator("POST", f"/{drafted}/start")[0] == 202
    for _ in range(3):
        with ExitStack() as held:
            streams = [held.enter_context(operator.events(drafted)) for _ in range(25)]
            assert {stream.status for stream in streams} == {200}
            until(lambda: operator.code("GET", f"/{drafted}/events") == (429, "request.too-many"))
        until(lambda: end_of_first_event(operator, drafted) == 200)
    assert operator("POST", f"/{drafted}/cancel")[0] == 202


def end_of_first_event(operator: Operator, snapshot_id: str) -> int:
    """Open a stream and leave at once; return its status."""
    with operator.events(snapshot_id) as stream:
        return stream.status


def parse(stream: bytes) -> list[dict[str, Any]]:
    """Return the events of a whole stream."""
    events = []
    for block in stream.decode().split("\n\n"):
        fields = dict(
            line.split(": ", 1) for line in block.splitlines() if line[:1] not in ("", ":")
        )
        if fields:
            assert fields["event"] == "snapshot"
            events.append({"id": fields["id"], "data": json.loads(fields["data"])})
    return events


def test_killed_servers_and_workers(tmp_path: Path) -> None:
    """The server and then a worker are killed as they work; the bundle comes out whole."""
    exchange = make_exchange(tmp_path / "exchange", accounts=800)
    folder = tmp_path / "service"
    folder.mkdir()
    with running(folder, settings(exchange)) as service:
        operator = Operator(service, token(folder, *ALL))
        operator.draft(exchange)
        assert operator("POST", "/one/start")[0] == 202
        await_state(operator, "proving", "proven")
        service.process.kill()
        service.process.wait()
    with running(folder, settings(exchange)) as service:
        operator = Operator(service, operator.token)
        # The worker is the one child that stays.
        for child in psutil.Process(service.process.pid).children():
            child.kill()
        found = operator.rest()
        assert found["state"] == "proven"
        assert operator("POST", "/one/publish")[0] == 202
        assert operator.rest()["state"] == "published"
        logs = service.log.read_text()
    assert "worker ended" in logs
    for secret in ("holder", str(SECRET_NUMBER), str(exchange.owed), operator.token):
        assert secret not in logs
    report = audit(folder / "published" / "snapshots" / "one", parse_public_key(exchange.key))
    assert report.digest.hex() == found["manifest"]


def await_state(operator: Operator, *states: str) -> None:
    """Wait until a snapshot is in one of some states."""
    end = time.monotonic() + 60
    while (found := operator("GET", "/one")[1])["state"] not in states:
        assert time.monotonic() < end, found
        time.sleep(0.02)
