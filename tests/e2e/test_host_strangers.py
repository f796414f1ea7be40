"""The auditing host among strangers: none stops it, borrows its face, or speaks for an exchange."""

from __future__ import annotations

import json
import shutil
import signal
import stat
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import msgpack
import pytest

from prover.publish.publish import publish
from tests.support.auditing_host import (
    BIN,
    Answer,
    Host,
    audited,
    bundle_at,
    hosts,
    kinds,
    serving,
    settled,
)
from tests.support.verifier_bundle import Bundle
from verifier.format.keys import is_signed
from verifier.host.complaints import MAX_OF_SENDER
from verifier.host.store import MAX_WAITING, MAX_WAITING_OF_SENDER


@dataclass
class Net:
    """Bundles that are served, each below a name; a byte a second where ``stalled`` has a part."""

    root: Path
    url: str
    stalled: set[str]
    asked: list[str]


@pytest.fixture
def net(tmp_path: Path) -> Iterator[Net]:
    stalled: set[str] = set()
    asked: list[str] = []

    def stalls(path: str) -> bool:
        return any(part in path for part in stalled)

    with serving(tmp_path / "served", stalls, asked) as url:
        yield Net(tmp_path / "served", url, stalled, asked)


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Host]]:
    with hosts(tmp_path) as run:
        yield run


def now(ago: int = 3600) -> int:
    return int(time.time()) - ago


def waiting(host: Host) -> list[str]:
    return [one["bundle"] for one in host.read("/submissions.json")["submissions"]]


def test_strangers_delay_no_watched_exchange(net: Net, start: Callable[..., Host]) -> None:
    """A stranger's bundle stalls and more wait behind it; the exchange's next snapshot is seen."""
    first = bundle_at(net.root / "own", head={"time": now()})
    host = start(("An Exchange", f"{net.url}/own", first.key))
    host.wait(audited)
    stranger = bundle_at(net.root / "slow", seed=2)
    net.stalled.add("/slow/evidence")
    for number in range(3):
        assert host.hand_in(f"{net.url}/slow{'/.' * number}", stranger.key) == 202
    while not any("/slow/evidence" in path for path in net.asked):
        time.sleep(0.1)
    head = {"time": now() + 1, "snapshot_id": "next", "previous": first.digest}
    bundle_at(net.root / "own", head=head)
    (found,) = host.wait(lambda history: settled(history[0]) == 2)
    assert found["alarms"] == []
    states = [one["state"] for one in host.read("/submissions.json")["submissions"]]
    assert states == ["waiting"] * 3


def test_an_exchange_that_stalls_delays_no_other(net: Net, start: Callable[..., Host]) -> None:
    """And what is overdue of it shows while its audit hangs."""
    stalling = bundle_at(net.root / "slow", seed=2, head={"time": now(10**7)})
    honest = bundle_at(net.root / "own", head={"time": now()})
    net.stalled.add("/slow/pages")
    host = start(
        ("Slow Exchange", f"{net.url}/slow", stalling.key),
        ("An Exchange", f"{net.url}/own", honest.key),
    )
    while not any("/slow/pages" in path for path in net.asked):
        time.sleep(0.1)
    slow, own = host.wait(lambda history: settled(history[1]) == 1)
    assert [one["outcome"] for one in slow["snapshots"]] == ["not audited"]
    assert kinds([slow]) == {"overdue"}
    assert (own["alarms"], own["look_succeeded"]) == ([], True)
    head = {"time": now() + 1, "snapshot_id": "next", "previous": honest.digest}
    bundle_at(net.root / "own", head=head)
    host.wait(lambda history: settled(history[1]) == 2)


def test_the_queue_has_room_for_everybody(net: Net, start: Callable[..., Host]) -> None:
    host = start()
    bundle_at(net.root / "slow", seed=2)
    net.stalled.add("manifest")
    statuses = [
        host.hand_in(f"{net.url}/slow/{number}", b"k" * 32)
        for number in range(MAX_WAITING_OF_SENDER + 1)
    ]
    assert statuses == [202] * MAX_WAITING_OF_SENDER + [429]
    assert host.hand_in(f"{net.url}/slow/0", b"k" * 32) == 202  # it waits already
    assert host.hand_in(f"{net.url}/slow/other", b"k" * 32, "192.0.2.2") == 202
    assert len(waiting(host)) == MAX_WAITING_OF_SENDER + 1


def test_evidence_is_read_and_kept_whatever_else_waits(
    net: Net, start: Callable[..., Host]
) -> None:
    """A manifest that the exchange showed to somebody, alone; many proofs that stall before it."""
    first = bundle_at(net.root / "own", head={"time": now()})
    host = start(("An Exchange", f"{net.url}/own", first.key))
    host.wait(audited)
    stranger = bundle_at(net.root / "slow", seed=2)
    net.stalled.add("/slow/")
    for number in range(MAX_WAITING):
        place = f"{net.url}/slow/{'./' * number}"
        assert host.hand_in(place, stranger.key, f"192.0.2.{number // 2}") == 202
    assert host.hand_in(f"{net.url}/slow/more", stranger.key, "192.0.2.99") == 429
    shutil.copytree(first.folder, net.root / "slow-copy")
    net.stalled.add("/slow-copy/evidence")
    assert host.hand_in(f"{net.url}/slow-copy", first.key, "192.0.2.98") == 202
    head = {"time": now() + 1, "snapshot_id": "secret", "previous": bytes(32)}
    secret = bundle_at(net.root / "secret", head=head)
    for path in [*secret.folder.glob("evidence/*"), *secret.folder.glob("pages/*/*")]:
        path.unlink()
    assert host.hand_in(f"{net.url}/secret", first.key, "192.0.2.97") == 202
    (found,) = host.wait(lambda history: len(history[0]["snapshots"]) >= 2)
    assert kinds([found]) == {"broken-chain"}
    both = {first.digest.hex(), secret.digest.hex()}
    assert both in [set(alarm["manifests"]) for alarm in found["alarms"]]
    outcomes = {item["digest"]: item["outcome"] for item in found["snapshots"]}
    assert outcomes == {first.digest.hex(): "accepted", secret.digest.hex(): "not audited"}
    status, manifest = host.ask("GET", f"/manifests/{secret.digest.hex()}.msgpack")
    _, signature = host.ask("GET", f"/manifests/{secret.digest.hex()}.sig")
    assert status == 200
    assert is_signed(first.key, "manifest-signature", manifest, signature)
    page = host.ask("GET", f"/exchanges/{first.key.hex()}")[1].decode()
    assert "The exchange signed this. The host could not read" in page


def complain(host: Host, package: bytes, sender: str = "192.0.2.1") -> Answer:
    return host.request("POST", "/complaints", package, {"X-Forwarded-For": sender})


def test_pages_are_answered_while_complaints_stall(net: Net, start: Callable[..., Host]) -> None:
    """Those for a stranger's bundle fill their own room; customers of an exchange have theirs."""
    slow = bundle_at(net.root / "slow", seed=2)
    own = bundle_at(net.root / "own", head={"time": now()})
    host = start(("An Exchange", f"{net.url}/own", own.key))
    assert host.hand_in(f"{net.url}/slow", slow.key) == 202
    host.wait_for("/submissions.json", lambda found: bool(found["proofs"]))
    host.wait(audited)
    net.stalled.add("/slow/pages")
    package = slow.package("alice@example.com")
    with ThreadPoolExecutor(45) as pool:
        sent = [pool.submit(complain, host, package, f"192.0.2.{at // 2}") for at in range(45)]
        while not any("/slow/pages/BTC/0" in path for path in net.asked[-4:]):
            time.sleep(0.1)
        # The page, and the complaint of a customer, while all of these are under way.
        assert host.ask("GET", "/")[0] == 200
        mine = complain(host, own.package("alice@example.com"), "198.51.100.1")
        assert json.loads(mine.body) == {"outcome": "holds"}
        assert not all(one.done() for one in sent)
        answers = [one.result() for one in sent]
    assert {answer.status for answer in answers} == {503}
    assert all(answer.headers["Retry-After"] for answer in answers)
    assert sum(b"being checked" in answer.body for answer in answers) >= 37


def test_one_sender_has_a_small_part_of_the_desk(net: Net, start: Callable[..., Host]) -> None:
    own = bundle_at(net.root / "own", head={"time": now()})
    host = start(("An Exchange", f"{net.url}/own", own.key))
    host.wait(audited)
    net.stalled.add("/own/pages")
    package = own.package("alice@example.com")
    with ThreadPoolExecutor(4) as pool:
        sent = [pool.submit(complain, host, package) for _ in range(MAX_OF_SENDER + 2)]
        answers = [one.result() for one in sent]
    assert {answer.status for answer in answers} == {503}
    reasons = [json.loads(answer.body)["reason"] for answer in answers]
    assert sum("being checked" in reason for reason in reasons) >= 2


def false_package(bundle: Bundle) -> bytes:
    """A package that the exchange signed, and that fails."""
    body = bundle.body("alice@example.com")
    part = replace(body.assets[0].parts[0], amount=1)
    asset = replace(body.assets[0], parts=(part, *body.assets[0].parts[1:]))
    return bundle.package(replace(body, assets=(asset, *body.assets[1:])))


def test_complaints_are_checked_at_the_exchange_s_own_place(
    net: Net, start: Callable[..., Host], tmp_path: Path
) -> None:
    """Though a stranger handed in a copy first, which stalls ever since."""
    place = tmp_path / "bundle"
    place.mkdir()
    bundle = Bundle(place, head={"time": now()})
    shutil.copytree(place, net.root / "copy")
    host = start(("An Exchange", f"{net.url}/own", bundle.key, "history"))
    assert host.hand_in(f"{net.url}/copy", bundle.key) == 202
    (found,) = host.wait(audited)
    assert (found["snapshots"][0]["own"], kinds([found])) == (False, {"overdue"})
    publish(place, (net.root / "own").as_uri())
    (found,) = host.wait(lambda history: history[0]["snapshots"][0]["own"])
    assert found["alarms"] == []
    net.stalled.add("/copy/")
    net.asked.clear()
    answer = complain(host, bundle.package("alice@example.com"))
    assert json.loads(answer.body) == {"outcome": "holds"}
    assert not any("/copy/" in path for path in net.asked)


def test_a_place_of_the_exchange_that_stalls_ends_no_complaint(
    net: Net, start: Callable[..., Host]
) -> None:
    """A copy that somebody handed in serves where the exchange does not."""
    bundle = bundle_at(net.root / "own", head={"time": now()})
    shutil.copytree(bundle.folder, net.root / "copy")
    host = start(("An Exchange", f"{net.url}/own", bundle.key))
    host.wait(audited)
    assert host.hand_in(f"{net.url}/copy", bundle.key) == 202
    host.wait_for("/submissions.json", lambda found: found["submissions"][0]["state"] == "accepted")
    net.stalled.add("/own/pages")
    answer = complain(host, false_package(bundle))
    assert json.loads(answer.body)["code"] == "inclusion.wrong-amount"


def test_a_package_in_other_bytes_accuses_nobody(net: Net, start: Callable[..., Host]) -> None:
    """What stands around the signed body is anybody's."""
    bundle = bundle_at(net.root / "own", head={"time": now()})
    host = start(("An Exchange", f"{net.url}/own", bundle.key))
    host.wait(audited)
    package = bundle.package("alice@example.com")
    assert package[6] == 0xC5  # two bytes of length
    longer = package[:6] + b"\xc6\0\0" + package[7:]
    for junk in (longer, package + b"\0", package[:-1] + bytes([package[-1] ^ 1]), package[6:]):
        answer = complain(host, junk)
        assert (answer.status, json.loads(answer.body)["outcome"]) == (400, "not taken")
    assert host.history()[0]["snapshots"][0]["complaints_total"] == 0


def test_a_body_that_is_malformed_accuses_who_signed_it(
    net: Net, start: Callable[..., Host]
) -> None:
    bundle = bundle_at(net.root / "own", head={"time": now()})
    host = start(("An Exchange", f"{net.url}/own", bundle.key))
    host.wait(audited)
    named = b"\xa8manifest\xc4\x20" + bundle.digest + b"\xa7version\x01"
    answer = complain(host, bundle.package(b"\x85" + named))
    assert json.loads(answer.body)["code"] == "package.not-canonical"


NAME = "An Exсhange"  # with a Cyrillic letter


def test_a_stranger_has_not_the_face_of_an_exchange(net: Net, start: Callable[..., Host]) -> None:
    own = bundle_at(net.root / "own", head={"time": now()})
    impostor = bundle_at(net.root / "impostor", seed=2, head={"exchange": NAME, "time": now()})
    other = bundle_at(net.root / "other", seed=3, head={"exchange": "<b>Else", "time": now()})
    host = start(("An Exchange", f"{net.url}/own", own.key))
    host.wait(audited)
    for bundle in (impostor, other):
        assert host.hand_in(f"{net.url}/{bundle.folder.name}", bundle.key) == 202
    found = host.wait_for("/submissions.json", lambda handed: len(handed["proofs"]) == 2)
    resembled = {proof["name"]: proof["resembles"] for proof in found["proofs"]}
    assert resembled == {NAME: "An Exchange", "<b>Else": None}
    front = host.ask("GET", "/")[1].decode()
    assert NAME not in front
    assert 'href="/submissions"' in front
    page = host.ask("GET", "/submissions")[1].decode()
    assert "Anybody can make this" in page
    assert f"<h2><bdi>{NAME}</bdi></h2>" in page
    assert "looks like that of <bdi>An Exchange</bdi>" in page
    assert "<bdi>&lt;b&gt;Else</bdi>" in page
    assert 'class="b good"' not in page
    detail = host.ask("GET", f"/exchanges/{impostor.key.hex()}")[1].decode()
    assert "Anybody can make this" in detail
    assert "looks like that of <bdi>An Exchange</bdi>" in detail
    assert 'class="b good"' not in detail
    assert [exchange["name"] for exchange in host.history()] == ["An Exchange"]
    _, data = host.ask("GET", f"/attestations/{impostor.digest.hex()}.msgpack")
    _, signature = host.ask("GET", f"/attestations/{impostor.digest.hex()}.sig")
    assert is_signed(host.key, "attestation", data, signature)
    said: Any = msgpack.unpackb(data)
    assert (said["exchange"], said["public_key"]) == (NAME, impostor.key)


def test_a_name_that_turns_text_around_is_nowhere(net: Net, start: Callable[..., Host]) -> None:
    name = "\u202egnahcxE nA"
    bundle = bundle_at(net.root / "one", seed=2, head={"exchange": name, "time": now()})
    host = start()
    assert host.hand_in(f"{net.url}/one", bundle.key) == 202
    host.wait_for("/submissions.json", lambda found: found["submissions"][0]["state"] != "waiting")
    for path in ("/submissions", f"/exchanges/{bundle.key.hex()}"):
        text = host.ask("GET", path)[1].decode()
        assert name not in text
        assert "manifest.bad-name" in text
    said: Any = msgpack.unpackb(host.ask("GET", f"/attestations/{bundle.digest.hex()}.msgpack")[1])
    assert (said["exchange"], said["code"]) == ("", "manifest.bad-name")
    assert host.ask("GET", "/submissions.json")[1].isascii()


ID = "2024-q1"
PUBLIC = ("/", "/history.json", "/submissions", "/submissions.json", "/exchanges.msgpack")


def test_every_answer_has_its_headers(net: Net, start: Callable[..., Host]) -> None:
    bundle = bundle_at(net.root / "own", head={"time": now()})
    host = start(("An Exchange", f"{net.url}/own", bundle.key))
    host.wait(audited)
    key, digest = bundle.key.hex(), bundle.digest.hex()
    good = [
        *PUBLIC,
        *(f"/exchanges/{key}", f"/exchanges/{key}.json?page=1", "/exchanges.sig"),
        *(f"/exchanges/{key}.{kind}" for kind in ("atom", "svg")),
        *("/feed.atom", "/?q=an+ex", "/history.json?page=1", f"/snapshots/{key}/{ID}"),
        *(f"/attestations/{digest}.{kind}" for kind in ("msgpack", "sig")),
        *(f"/manifests/{digest}.{kind}" for kind in ("msgpack", "sig")),
    ]
    absent = [
        *("/nothing", "/exchanges/x", f"/exchanges/{key}?page=2", f"/exchanges/{'0' * 64}"),
        *("/exchanges.txt", f"/attestations/{digest}.txt", f"/manifests/{'0' * 64}.sig"),
        *(f"/complaints/{digest}", "/history.json/", f"/exchanges/{key}?page=x"),
        *(f"/exchanges/{'0' * 64}.{kind}" for kind in ("atom", "svg", "json")),
        *(f"/exchanges/{key}?month={text}" for text in ("2001-01", "x", "2026-11&page=9")),
        *("/?page=2", "/?page=0", f"/?q={'x' * 65}", "/history.json?page=2", "/check.html"),
        *(f"/snapshots/{key}/none", f"/snapshots/{'0' * 64}/{ID}", f"/snapshots/x/{ID}"),
    ]
    for path in [*good, *absent]:
        answer = host.request("GET", path)
        assert answer.status == (200 if path in good else 404), path
        headers = answer.headers
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Referrer-Policy"] == "no-referrer"
        assert "default-src 'none'" in headers["Content-Security-Policy"]
        assert headers["Access-Control-Allow-Origin"] == "*"
        assert "Server" not in headers
        caching = "public, max-age=60" if path in good else "no-store"
        assert headers["Cache-Control"] == caching or path.startswith("/manifests/")
        if path in absent:
            assert b"There is no such" in answer.body
            assert b"<h1>Not found</h1>" in answer.body
            continue
        again = host.request("GET", path, headers={"If-None-Match": f'"x", W/{headers["ETag"]}'})
        assert (again.status, again.body) in ((304, b""), (200, again.body))
        if path not in PUBLIC[:4] and "/exchanges/" not in path:  # those have the minute in them
            assert again.status == 304
        assert host.request("GET", path, headers={"If-None-Match": '"x"'}).status == 200
    wrong = host.request("DELETE", "/")
    assert wrong.status == 405
    assert b"This cannot be done here" in wrong.body
    assert "nosniff" in wrong.headers["X-Content-Type-Options"]
    assert "immutable" in host.request("GET", f"/manifests/{digest}.sig").headers["Cache-Control"]


def test_a_history_has_pages(net: Net, start: Callable[..., Host], tmp_path: Path) -> None:
    """The first page shows the newest snapshots; the exchange's own has all, in parts."""
    place = tmp_path / "bundle"
    previous = bytes(32)
    for number in range(16):
        place = tmp_path / f"bundle-{number}"
        place.mkdir()
        head = {"time": now(90_000 - number), "snapshot_id": f"n-{number}", "previous": previous}
        bundle = Bundle(place, head=head, ledger={"a@b.c": {"BTC": [5]}}, capacities={"BTC": 1})
        publish(place, (net.root / "own").as_uri())
        previous = bundle.digest
    host = start(("An Exchange", f"{net.url}/own", bundle.key, "history"))
    (found,) = host.wait(lambda history: history[0]["snapshots_total"] == 16)
    assert len(found["snapshots"]) == 14
    assert found["snapshots"][0]["id"] == "n-15"
    whole = host.read(found["all_snapshots"])
    assert (whole["page"], whole["pages"]) == (1, 1)
    assert len(whole["exchange"]["snapshots"]) == 16
    page = host.ask("GET", f"/exchanges/{bundle.key.hex()}")[1]
    assert page.count(b'<tbody id="m') == 14
    assert b"All 16 proofs, by month" in page
    months = {time.strftime("%Y-%m", time.gmtime(now(90_000 - number))) for number in (0, 15)}
    path = f"/exchanges/{bundle.key.hex()}"
    shown = [host.ask("GET", f"{path}?month={month}")[1] for month in months]
    assert sum(page.count(b'<tbody id="m') for page in shown) == 16


def test_a_snapshot_of_the_future_is_red(net: Net, start: Callable[..., Host]) -> None:
    bundle = bundle_at(net.root / "own", head={"time": 2_900_000_000})
    host = start(("An Exchange", f"{net.url}/own", bundle.key))
    (found,) = host.wait(audited)
    assert kinds([found]) == {"future"}
    assert (found["snapshots"][0]["ahead"], found["snapshots"][0]["look"]) == (True, "bad")
    assert "dated ahead" in host.ask("GET", "/")[1].decode()
    page = host.ask("GET", f"/exchanges/{bundle.key.hex()}")[1].decode()
    assert '<span class="w">dated ahead</span>' in page
    assert 'class="b good"' not in page
    assert "Set the clock right" in page
    (snapshot,) = found["snapshots"]
    assert (snapshot["accepted"], snapshot["code"]) == (False, "check.future")
    said: Any = msgpack.unpackb(host.ask("GET", f"/attestations/{snapshot['digest']}.msgpack")[1])
    assert (said["code"], said["assets"], said["checked"]) == ("check.future", [], [])


def test_the_host_says_when_it_looked(net: Net, start: Callable[..., Host]) -> None:
    bundle = bundle_at(net.root / "own", head={"time": now()})
    host = start(("An Exchange", f"{net.url}/own", bundle.key), ("None", f"{net.url}/x", b"k" * 32))
    good, bad = host.wait(
        lambda history: settled(history[0]) > 0 and all(one["looked_at"] for one in history)
    )
    assert (good["look_succeeded"], good["fault"]) == (True, "")
    assert (bad["look_succeeded"], bad["fault"][:15]) == (False, "check.no-bundle")
    assert abs(time.time() - time.mktime(time.strptime(good["looked_at"], FORM))) < 90_000


FORM = "%Y-%m-%dT%H:%M:%SZ"


def test_keys_and_database_are_their_owners_alone(
    net: Net, start: Callable[..., Host], tmp_path: Path
) -> None:
    start()
    modes = {stat.S_IMODE(file.stat().st_mode) for file in (tmp_path / "host").iterdir()}
    assert modes == {0o600}
    (tmp_path / "host.pem").chmod(0o640)
    command = [str(BIN / "assay-verify"), "serve", str(tmp_path / "host.toml")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "host.pem: a key file must be its owner's alone; run chmod 600" in done.stderr


def test_many_readers_cost_one_page(net: Net, start: Callable[..., Host]) -> None:
    """What is asked for at once is made once: one entity tag a minute, whoever asks."""
    bundle = bundle_at(net.root / "own", head={"time": now()})
    host = start(("An Exchange", f"{net.url}/own", bundle.key), more="submissions = false\n")
    host.wait(audited)
    tags: set[str] = set()
    barrier = threading.Barrier(16)

    def read() -> None:
        barrier.wait()
        tags.add(host.request("GET", "/").headers["ETag"])

    threads = [threading.Thread(target=read) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(tags) <= 3  # a look, or a new minute, may come between
    assert host.hand_in(f"{net.url}/own", bundle.key) == 403


def test_what_the_end_of_the_host_cut_off_is_done_again(
    net: Net, start: Callable[..., Host]
) -> None:
    own = bundle_at(net.root / "own", head={"time": now()})
    stranger = bundle_at(net.root / "other", seed=2)
    net.stalled.add("/evidence")
    host = start(("An Exchange", f"{net.url}/own", own.key))
    assert host.hand_in(f"{net.url}/other", stranger.key) == 202
    while sum("/evidence" in path for path in net.asked) < 2:
        time.sleep(0.1)
    host.process.terminate()
    assert host.process.wait() == 0 or host.process.returncode == -signal.SIGTERM
    net.stalled.clear()
    again = start(("An Exchange", f"{net.url}/own", own.key))
    (found,) = again.history()
    assert found["fault"] == ""
    (found,) = again.wait(audited)
    assert found["snapshots"][0]["accepted"]
    handed = again.wait_for(
        "/submissions.json", lambda found: found["submissions"][0]["state"] != "waiting"
    )
    assert handed["proofs"]
    assert handed["submissions"][0]["state"] == "accepted"
