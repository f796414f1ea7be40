"""A host that follows a published folder, over real HTTP: honest indexes, and others."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from prover.publish.publish import publish
from tests.support.auditing_host import InPlace, hosts, kinds, serving, settled
from tests.support.verifier_bundle import Bundle
from verifier.bundle.history import History, read_history, write_history
from verifier.checks.manifest import rotation_body
from verifier.errors import CannotCheck, Rejected
from verifier.format import wire
from verifier.format.keys import public_key_text, sign
from verifier.host import follow, pages
from verifier.host.alarms import lasting_alarms
from verifier.host.audits import RETRY_SECONDS, Auditor
from verifier.host.door import LoopbackDoor, PublicDoor
from verifier.host.follow import Follower
from verifier.host.pages import ExchangeView, Views
from verifier.host.settings import Settings, WatchedExchange
from verifier.host.store import Store

START = 1_700_000_000
DAY = 86_400


class Exchange:
    """An exchange that publishes below a folder, a snapshot a day."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.root = folder / "served"
        self.bundles: list[Bundle] = []

    def add(self, head: dict[str, Any] | None = None, **changes: Any) -> Bundle:
        number = len(self.bundles) + 1
        place = self.folder / f"bundle-{number}"
        place.mkdir()
        fields = {"snapshot_id": f"day-{number}", "time": START + number * DAY, **(head or {})}
        if self.bundles:
            fields["previous"] = self.bundles[-1].digest
        bundle = Bundle(place, head=fields, **changes)
        publish(place, self.root.as_uri())
        self.bundles.append(bundle)
        return bundle

    @property
    def index(self) -> Path:
        return self.root / "history.json"

    def rewrite(self, change: Callable[[list[dict[str, Any]]], object], **fields: Any) -> None:
        """Change the index by hand."""
        content = {**json.loads(self.index.read_bytes()), **fields}
        change(content["snapshots"])
        self.index.write_text(json.dumps(content))


class Clock:
    """The host's time."""

    def __init__(self) -> None:
        self.now = float(START + 100 * DAY)

    def __call__(self) -> float:
        return self.now


class Host:
    """The parts of a host that follow one exchange, without its service."""

    def __init__(self, folder: Path, url: str, key: bytes) -> None:
        self.clock = Clock()
        self.store = Store(folder / "host.sqlite")
        self.exchange = WatchedExchange("An Exchange", "", url, key, 2 * DAY)
        settings = Settings("A", folder / "key", folder, (self.exchange,), loopback=True)
        signer = Ed25519PrivateKey.generate()
        self.run = InPlace(LoopbackDoor())
        self.auditor = Auditor(settings, signer, self.store, self.run, self.clock)
        self.follower = Follower(self.store, self.run, self.auditor, self.clock)

    def look(self) -> list[str]:
        """Follow once; return the ids of what is audited, the oldest audit first."""
        self.clock.now += 1
        assert not self.follower.follow(self.exchange)
        return self.audited()

    def audited(self) -> list[str]:
        found = self.store.snapshots([self.exchange.public_key])
        done = (item for item in found if item.is_audited)
        return [item.snapshot_id for item in sorted(done, key=lambda item: item.time)]

    def alarms(self) -> dict[str, str]:
        history = self.store.snapshots([self.exchange.public_key])
        listed = self.store.listed(self.exchange.public_key)
        return {alarm.kind: alarm.text for alarm in lasting_alarms(history, listed)}

    def view(self, now: int) -> ExchangeView:
        settings = Settings("A", Path(), Path(), (self.exchange,))
        return Views(settings, self.store, now).exchange(self.exchange.public_key, 1, now)


@pytest.fixture(scope="module")
def three_days(tmp_path_factory: pytest.TempPathFactory) -> Exchange:
    made = Exchange(tmp_path_factory.mktemp("exchange"))
    for _ in range(3):
        made.add()
    return made


@pytest.fixture
def exchange(tmp_path: Path, three_days: Exchange) -> Exchange:
    """An exchange with three snapshots, which a test may change."""
    own = Exchange(tmp_path)
    shutil.copytree(three_days.root, own.root)
    own.bundles = list(three_days.bundles)
    return own


@pytest.fixture
def host(tmp_path: Path, exchange: Exchange) -> Iterator[Host]:
    with serving(exchange.root) as url:
        made = Host(tmp_path / "host", url, exchange.bundles[0].key)
        yield made
        made.store.close()


def test_it_audits_all_the_oldest_first_then_what_is_new(host: Host, exchange: Exchange) -> None:
    assert host.look() == ["day-1", "day-2", "day-3"]
    found = host.store.snapshots([exchange.bundles[0].key])
    assert [item.url for item in found] == [
        f"{host.exchange.history}/snapshots/day-{number}/" for number in (3, 2, 1)
    ]
    assert all(not item.code for item in found)
    exchange.add()
    assert host.look()[-1] == "day-4"
    assert host.alarms() == {}


def test_a_backlog_gives_way_to_others(
    host: Host, exchange: Exchange, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(follow, "_TURN_SECONDS", -1)
    assert host.follower.follow(host.exchange)
    monkeypatch.undo()
    assert host.look() == ["day-1", "day-2", "day-3"]


def test_what_was_dropped_shows_until_it_is_back(host: Host, exchange: Exchange) -> None:
    host.look()
    honest = exchange.index.read_bytes()
    exchange.rewrite(lambda entries: entries.pop())
    host.look()
    assert "no longer has snapshot day-3 (seen on 2024-" in host.alarms()["rewritten-history"]
    exchange.index.unlink()
    with pytest.raises(Rejected, match="missing-file"):
        host.look()
    assert "rewritten-history" in host.alarms()
    exchange.index.write_bytes(honest)
    host.look()
    assert host.alarms() == {}


def test_another_manifest_for_a_snapshot_is_evidence(host: Host, exchange: Exchange) -> None:
    """An exchange that publishes day 3 anew, in its index and in its folder."""
    host.look()
    place = exchange.folder / "other"
    place.mkdir()
    head = {
        "snapshot_id": "day-3",
        "time": START + 3 * DAY + 1,
        "previous": exchange.bundles[1].digest,
    }
    other = Bundle(place, head=head)
    published = exchange.root / "snapshots" / "day-3"
    published.rename(exchange.folder / "old")
    place.rename(published)

    def change(entries: list[dict[str, Any]]) -> None:
        entries[-1].update(manifest=other.digest.hex(), time="2023-11-17T22:13:21Z")

    exchange.rewrite(change)
    assert host.look() == ["day-1", "day-2", "day-3", "day-3"]
    found = host.alarms()
    assert "has changed what it says of snapshot day-3" in found["rewritten-history"]
    assert found["equivocation"] == "2 different manifests are signed for snapshot day-3"


def test_an_index_that_is_untrue(host: Host, exchange: Exchange) -> None:
    """It names a manifest that is not served, and a time that is not the manifest's."""
    exchange.rewrite(lambda entries: entries[-1].update(manifest="ab" * 32))
    host.look()
    digest = exchange.bundles[2].digest.hex()
    assert f"day-3 (another manifest is served: {digest})" in host.alarms()["unaudited"]
    assert len(host.audited()) == 3  # what is served is the exchange's word as well


def test_an_index_with_another_time(host: Host, exchange: Exchange) -> None:
    exchange.rewrite(lambda entries: entries[-1].update(time="2023-12-01T00:00:00Z"))
    host.look()
    text = "the exchange’s history says what the manifest does not, of snapshot day-3"
    assert host.alarms() == {"rewritten-history": text}


def test_what_cannot_be_audited_keeps_nobody_waiting(host: Host, exchange: Exchange) -> None:
    pages = exchange.root / "snapshots" / "day-1" / "pages" / "BTC" / "0"
    held = pages.read_bytes()
    pages.unlink()
    assert host.look() == ["day-2", "day-3"]
    assert "day-1 (bundle.missing-file" in host.alarms()["unaudited"]
    pages.write_bytes(held)
    assert host.look() == ["day-2", "day-3"]  # it waits its hour
    host.clock.now += RETRY_SECONDS
    assert host.look() == ["day-1", "day-2", "day-3"]
    assert host.alarms() == {}


def test_a_false_snapshot_in_the_middle(tmp_path: Path) -> None:
    exchange = Exchange(tmp_path)
    exchange.add()
    exchange.add(assets_held={"BTC": 10})
    exchange.add()
    with serving(exchange.root) as url:
        host = Host(tmp_path / "host", url, exchange.bundles[0].key)
        host.look()
        found = {
            item.snapshot_id: item.code for item in host.store.snapshots([host.exchange.public_key])
        }
        host.store.close()
    assert found == {"day-1": "", "day-2": "argument.rejected", "day-3": ""}


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{}",
        b"[" * 100_000,
        b" " * (2**20 + 1),
        b"\xff" * 100,
        b'{"version":1,"exchange":"A","public_key":"x","snapshots":[]}',
    ],
)
def test_an_index_that_is_none_changes_nothing(host: Host, exchange: Exchange, data: bytes) -> None:
    host.look()
    exchange.index.write_bytes(data)
    with pytest.raises(CannotCheck, match=r"history\.json"):
        host.look()
    assert host.alarms() == {}
    assert len(host.store.listed(host.exchange.public_key)) == 3


@pytest.mark.parametrize(
    "path",
    [
        "/snapshots/day-1/",
        "snapshots/../day-1/",
        "//127.0.0.1:1/",
        "http://127.0.0.1:1/snapshots/day-1/",
        "snapshots/day-1",
        "snapshots/day-2/",
        "snapshots/day-1/?",
        "snapshots/%64ay-1/",
    ],
)
def test_a_path_that_leads_elsewhere_is_not_followed(
    host: Host, exchange: Exchange, path: str
) -> None:
    exchange.rewrite(lambda entries: entries[0].update(path=path))
    with pytest.raises(CannotCheck, match="path is not snapshots/ID/"):
        host.look()
    assert host.audited() == []


def test_an_index_of_another_key(host: Host, exchange: Exchange) -> None:
    exchange.rewrite(lambda _: None, public_key=public_key_text(b"\x22" * 32))
    with pytest.raises(CannotCheck, match="names another key"):
        host.look()


def rotation(old: Bundle, seed: int) -> wire.Rotation:
    """The statement by which the key of a seed replaces that of a bundle, which comes before."""
    new = Ed25519PrivateKey.from_private_bytes(bytes([seed]) * 32)
    public = new.public_key().public_bytes_raw()
    body = rotation_body(old.key, public, "An Exchange", old.digest)
    signed = [sign(key, "rotation", body) for key in (new, old.signer)]
    return wire.Rotation(new_signature=signed[0], old_key=old.key, old_signature=signed[1])


def test_a_change_of_keys_is_followed_backwards(tmp_path: Path, exchange: Exchange) -> None:
    """By a host that knows the newest key alone; a key that signed none in is none of theirs."""
    for seed in (2, 3):
        exchange.add({"rotation": (rotation(exchange.bundles[-1], seed),)}, seed=seed)
        exchange.add(seed=seed)
    with serving(exchange.root) as url:
        host = Host(tmp_path / "host", url, exchange.bundles[-1].key)
        host.look()
        view = host.view(int(host.clock.now))
        host.store.close()
    names = [f"day-{number}" for number in range(7, 0, -1)]
    assert [item["id"] for item in view.snapshots] == names
    assert {alarm.kind for alarm in view.alarms} == {"overdue"}


def test_a_page_describes_the_newest_and_warns_of_all(
    host: Host, exchange: Exchange, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pages, "ON_PAGE", 2)
    host.look()
    exchange.rewrite(lambda entries: entries.pop(0))
    host.look()
    now = START + 4 * DAY
    view = host.view(now)
    assert [item["id"] for item in view.snapshots] == ["day-3", "day-2"]
    assert (view.total, view.pages) == (3, 2)
    assert [alarm.kind for alarm in view.alarms] == ["rewritten-history"]
    views = Views(Settings("A", Path(), Path(), (host.exchange,)), host.store, now)
    second = views.exchange(host.exchange.public_key, 2, now)
    assert [item["id"] for item in second.snapshots] == ["day-1"]
    assert second.alarms == view.alarms


def test_a_stranger_s_snapshots_are_not_audited(tmp_path: Path, exchange: Exchange) -> None:
    exchange.rewrite(lambda _: None, public_key=public_key_text(b"\x22" * 32))
    with serving(exchange.root) as url:
        host = Host(tmp_path / "host", url, b"\x22" * 32)
        assert host.look() == []
        assert "manifest.bad-signature" in host.alarms()["unaudited"]
        host.store.close()


def test_an_index_never_makes_the_host_keep_more_than_it_may(
    host: Host, exchange: Exchange, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(follow, "MAX_LISTED", 4)
    host.look()
    first = read_history(exchange.index.read_bytes())
    other = Exchange(exchange.folder / "another")
    other.folder.mkdir()
    for _ in range(2):
        other.add()
    renamed = write_history(
        History(
            first.exchange,
            first.public_key,
            tuple(
                type(entry)(entry.manifest, entry.previous, f"x-{entry.snapshot_id}", entry.time)
                for entry in read_history(other.index.read_bytes()).snapshots
            ),
        )
    )
    exchange.index.write_bytes(renamed)
    with pytest.raises(CannotCheck, match="more than 4 snapshots"):
        host.look()
    assert len(host.store.listed(host.exchange.public_key)) == 3


def test_the_door_stands_before_the_index(tmp_path: Path, exchange: Exchange) -> None:
    with serving(exchange.root) as url:
        host = Host(tmp_path / "host", url, exchange.bundles[0].key)
        follower = Follower(host.store, InPlace(PublicDoor()), host.auditor)
        with pytest.raises(CannotCheck, match="only https on port 443"):
            follower.follow(host.exchange)
        host.store.close()


def test_the_host_itself_follows_and_remembers(tmp_path: Path, exchange: Exchange) -> None:
    """As a process, killed between."""
    key = exchange.bundles[0].key
    with serving(exchange.root) as url, hosts(tmp_path) as start:
        host = start(
            ("An Exchange", url, key, "history"), ("None", f"{url}/x", b"1" * 32, "history")
        )
        found = host.wait(lambda history: settled(history[0]) == 3)
        assert found[0]["history"] == url
        assert kinds(found) == {"overdue"}
        assert f"below {url}" in host.ask("GET", f"/exchanges/{key.hex()}")[1].decode()
        fault = b"Could not be read: bundle.missing-file: history.json"
        while fault not in host.ask("GET", f"/exchanges/{(b'1' * 32).hex()}")[1]:
            time.sleep(0.1)
        host.process.kill()
        exchange.rewrite(lambda entries: entries.pop())
        again = start(("An Exchange", url, key, "history"))
        found = again.wait(lambda history: len(history[0]["alarms"]) == 2)
        assert kinds(found) == {"overdue", "rewritten-history"}
        _, listed = again.ask("GET", "/exchanges.msgpack")
        assert url.encode() in listed
