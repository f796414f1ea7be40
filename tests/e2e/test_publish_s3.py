"""Publishing to an object store: moto's server on loopback, real requests, a network that fails."""

from __future__ import annotations

import http.client
import json
import os
import random
import socket
import socketserver
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from prover.errors import ProverError
from prover.publish.publish import Published, publish
from prover.publish.targets import CHUNK_BYTES, BucketTarget
from tests.support.exchange_files import files
from tests.support.verifier_bundle import Bundle
from verifier import audit, check_inclusion
from verifier.bundle.history import read_history

BIN = Path(sys.executable).parent
TARGET = "s3://proofs/solvency"
SECRET = "a-secret-that-nobody-may-see"
PUBLIC_READ = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow",
            "Principal": "*",
            "Action": "s3:GetObject",
            "Resource": "arn:aws:s3:::proofs/*",
        }
    ],
}


@dataclass
class Store:
    """A running store: plain HTTP on loopback, as a public bucket is read."""

    port: int

    def ask(self, method: str, path: str, body: bytes = b"") -> tuple[int, dict[str, str], bytes]:
        with closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)) as connection:
            connection.request(method, path, body)
            with connection.getresponse() as answer:
                fields = {name.lower(): value for name, value in answer.getheaders()}
                return answer.status, fields, answer.read()

    def objects(self) -> dict[str, bytes]:
        """Everything below the prefix."""
        _, _, listed = self.ask("GET", "/proofs?list-type=2")
        keys = [part.split("</Key>")[0] for part in listed.decode().split("<Key>")[1:]]
        return {key.removeprefix("solvency/"): self.ask("GET", f"/proofs/{key}")[2] for key in keys}


@pytest.fixture(scope="module")
def server() -> Iterator[Store]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "moto.server", "-p", str(port)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        store = Store(port)
        for _ in range(300):
            with suppress(OSError):
                store.ask("GET", "/moto-api/")
                break
            time.sleep(0.1)
        yield store
        process.kill()


@pytest.fixture
def store(server: Store, monkeypatch: pytest.MonkeyPatch) -> Store:
    """An empty bucket, and the environment that leads to it."""
    server.ask("POST", "/moto-api/reset")
    assert server.ask("PUT", "/proofs")[0] == 200
    assert server.ask("PUT", "/proofs?policy", json.dumps(PUBLIC_READ).encode())[0] < 300
    for name, value in {
        "AWS_ACCESS_KEY_ID": "AKIAEXAMPLE",
        "AWS_SECRET_ACCESS_KEY": SECRET,
        "AWS_REGION": "us-east-1",
        "AWS_ALLOW_HTTP": "true",
    }.items():
        monkeypatch.setenv(name, value)
    lead_to(monkeypatch, server.port)
    return server


def lead_to(monkeypatch: pytest.MonkeyPatch, port: int) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{port}")


def bundle_in(folder: Path, name: str, **changes: Any) -> Bundle:
    (folder / name).mkdir()
    return Bundle(folder / name, **changes)


@pytest.fixture
def first(tmp_path: Path) -> Bundle:
    return bundle_in(tmp_path, "first")


def following(folder: Path, first: Bundle, name: str) -> Bundle:
    head = {"previous": first.digest, "snapshot_id": name, "time": 1_750_000_000}
    return bundle_in(folder, name, head=head)


def test_what_is_in_the_bucket(tmp_path: Path, store: Store, first: Bundle) -> None:
    second = following(tmp_path, first, "2024-q2")
    for bundle in (first, second):
        assert publish(bundle.folder, TARGET).new
        publish(bundle.folder, (tmp_path / "published").as_uri())
    assert not publish(second.folder, TARGET).new
    assert store.objects() == files(tmp_path / "published")

    _, page, _ = store.ask("GET", "/proofs/solvency/snapshots/2024-q1/pages/BTC/0")
    assert page["content-type"] == "application/octet-stream"
    assert page["cache-control"] == "public, max-age=31536000, immutable"
    _, index, _ = store.ask("GET", "/proofs/solvency/history.json")
    assert index["content-type"] == "application/json"
    assert index["cache-control"] == "public, max-age=60"

    url = f"http://127.0.0.1:{store.port}/proofs/solvency/snapshots/2024-q2/"
    assert audit(url, first.key).digest == second.digest
    package = second.package("alice@example.com")
    check_inclusion(package, url, first.key, "alice@example.com", {"BTC": "1.5", "ETH": "3.2"})


def test_the_command(store: Store, tmp_path: Path) -> None:
    (tmp_path / "snapshot").mkdir()
    bundle = bundle_in(tmp_path / "snapshot", "public")
    command = [str(BIN / "assay"), "publish", str(tmp_path / "snapshot"), TARGET]
    done = subprocess.run([*command, "--json"], check=True, capture_output=True, text=True)
    found = json.loads(done.stdout)
    assert (found["new"], found["manifest_digest"]) == (True, bundle.digest.hex())
    again = subprocess.run(command, check=True, capture_output=True, text=True)
    assert "was published before" in again.stdout
    other = subprocess.run([*command[:3], "s3://absent"], capture_output=True, text=True)
    assert other.returncode == 1
    assert other.stderr == ("assay: s3://absent: there is no such bucket (NoSuchBucket)\n")


def test_another_manifest_and_a_broken_chain(tmp_path: Path, store: Store, first: Bundle) -> None:
    publish(first.folder, TARGET)
    before = store.objects()
    other = bundle_in(tmp_path, "other", head={"time": 1_700_000_001})
    with pytest.raises(ProverError, match="another manifest"):
        publish(other.folder, TARGET)
    stranger = bundle_in(tmp_path, "stranger", head={"snapshot_id": "x", "time": 1_750_000_000})
    with pytest.raises(ProverError, match="does not follow 2024-q1"):
        publish(stranger.folder, TARGET)
    assert store.objects() == before


def test_refused_credentials_show_nothing(store: Store, first: Bundle) -> None:
    store.ask("POST", "/moto-api/reset-auth", b"0")
    try:
        with pytest.raises(ProverError, match="access is refused") as caught:
            publish(first.folder, TARGET)
    finally:
        store.ask("POST", "/moto-api/reset-auth", b"inf")
    assert "InvalidAccessKeyId" in str(caught.value)
    assert "AKIA" not in str(caught.value)
    assert SECRET not in str(caught.value)


class Cutting(socketserver.ThreadingTCPServer):
    """A way to the store whose connections are cut after so many bytes sent, ``cuts`` of them."""

    daemon_threads = True

    def __init__(self, store: Store, bytes_each: int, cuts: int) -> None:
        super().__init__(("127.0.0.1", 0), Pump)
        self.store, self.bytes_each, self.cuts = store, bytes_each, cuts

    def __enter__(self) -> Cutting:
        threading.Thread(target=self.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.shutdown()
        self.server_close()


class Pump(socketserver.BaseRequestHandler):
    """One connection, passed on both ways."""

    server: Cutting

    def handle(self) -> None:
        with socket.create_connection(("127.0.0.1", self.server.store.port)) as far:
            back = threading.Thread(target=self.pump, args=(far, self.request, 2**62))
            back.start()
            self.pump(self.request, far, self.server.bytes_each)
            back.join()

    def pump(self, one: socket.socket, other: socket.socket, left: int) -> None:
        with suppress(OSError):
            while data := one.recv(65536):
                left -= len(data)
                if left < 0 and self.server.cuts > 0:
                    self.server.cuts -= 1
                    break
                other.sendall(data)
        for end in (one, other):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)


def test_a_connection_that_is_cut(
    store: Store, first: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Cut for good, the command ends with a reason; cut now and then, it gets through."""
    with Cutting(store, 8_000, 10**6) as way:
        lead_to(monkeypatch, way.server_address[1])
        with pytest.raises(ProverError, match="cannot be reached, or fails"):
            publish(first.folder, TARGET)
    assert "history.json" not in store.objects()
    assert "snapshots/2024-q1/manifest.msgpack" not in store.objects()
    with Cutting(store, 8_000, 3) as way:
        lead_to(monkeypatch, way.server_address[1])
        assert publish(first.folder, TARGET).new
        assert way.cuts == 0
    found = store.objects()
    for path, data in files(first.folder).items():
        assert found[f"snapshots/2024-q1/{path}"] == data


def test_killed_and_begun_again(tmp_path: Path, store: Store, first: Bundle) -> None:
    (tmp_path / "snapshot").mkdir()
    first.folder.rename(tmp_path / "snapshot" / "public")
    whole = tmp_path / "whole"
    publish(tmp_path / "snapshot" / "public", whole.as_uri())
    seed = random.randrange(2**32)
    draw = random.Random(seed)
    script = "import sys; from pathlib import Path; from prover.publish.publish import publish; "
    script += "from obstore.store import S3Store; print(flush=True); "
    script += "publish(Path(sys.argv[1]), sys.argv[2])"
    command = [sys.executable, "-c", script, str(tmp_path / "snapshot" / "public"), TARGET]
    for _ in range(4):
        with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
            assert process.stdout is not None
            process.stdout.readline()
            time.sleep(draw.uniform(0, 0.15))
            process.kill()
        found = store.objects()
        if "snapshots/2024-q1/manifest.msgpack" in found:
            assert (
                found.items()
                >= {
                    path: data for path, data in files(whole).items() if path != "history.json"
                }.items()
            ), f"seed {seed}"
    publish(tmp_path / "snapshot" / "public", TARGET)
    assert store.objects() == files(whole), f"seed {seed}"


def test_two_at_once(tmp_path: Path, store: Store, first: Bundle) -> None:
    """The same snapshot twice is published once; of two that follow one, one is."""
    with ThreadPoolExecutor(4) as pool:
        same = list(pool.map(lambda _: publish(first.folder, TARGET), range(4)))
    assert sum(done.new for done in same) == 1
    rivals = [following(tmp_path, first, name) for name in ("left", "right")]

    def attempt(bundle: Bundle) -> Published | ProverError:
        try:
            return publish(bundle.folder, TARGET)
        except ProverError as error:
            return error

    with ThreadPoolExecutor(2) as pool:
        done = list(pool.map(attempt, rivals))
    (loser,) = (found for found in done if isinstance(found, ProverError))
    assert "does not follow" in str(loser)
    history = read_history(store.objects()["history.json"])
    assert len(history.snapshots) == 2


def test_a_long_object_goes_in_parts(store: Store) -> None:
    target = BucketTarget(TARGET)
    seed = random.randrange(2**32)
    chunks = [random.Random(seed).randbytes(CHUNK_BYTES), b"x" * CHUNK_BYTES, b"the last"]
    target.put("long", chunks, sum(map(len, chunks)))
    stored = target.chunks("long")
    assert stored is not None
    assert b"".join(stored) == b"".join(chunks), f"seed {seed}"
    tag = store.ask("GET", "/proofs/solvency/long")[1]["etag"]
    assert tag.endswith('-3"')  # of three parts


def test_a_part_that_cannot_be_read_leaves_nothing(store: Store) -> None:
    def chunks() -> Iterator[bytes]:
        yield bytes(2 * CHUNK_BYTES)
        raise ProverError("the disk is gone")

    with pytest.raises(ProverError, match="the disk is gone"):
        BucketTarget(TARGET).put("long", chunks(), 3 * CHUNK_BYTES)
    assert store.objects() == {}
    assert b"<UploadId>" not in store.ask("GET", "/proofs?uploads")[2]


def test_an_index_larger_than_it_may_be(store: Store, first: Bundle) -> None:
    target = BucketTarget(TARGET)
    target.create("history.json", bytes(2**20 + 1))
    with pytest.raises(ProverError, match="larger than 1 MiB"):
        publish(first.folder, TARGET)


def test_no_environment(first: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_METADATA_ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(ProverError, match="s3://proofs"):
        publish(first.folder, TARGET)
