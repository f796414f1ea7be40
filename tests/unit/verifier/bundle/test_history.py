"""The index of a published folder: what is written is read, and nothing malformed is."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest

from verifier.bundle.history import BadHistory, Entry, History, read_history, write_history
from verifier.format.keys import public_key_text

HISTORY = History(
    exchange="Börse",
    public_key=bytes(range(32)),
    snapshots=(
        Entry(b"\x01" * 32, bytes(32), "one", 1_700_000_000),
        Entry(b"\x02" * 32, b"\x01" * 32, "two", 1_700_086_400),
        Entry(b"\x03" * 32, b"\x02" * 32, "three", 1_700_172_800),
    ),
)


def changed(**fields: Any) -> bytes:
    return json.dumps({**json.loads(write_history(HISTORY)), **fields}).encode()


def with_entry(at: int, **fields: Any) -> bytes:
    content = json.loads(write_history(HISTORY))
    content["snapshots"][at].update(fields)
    return json.dumps(content).encode()


def test_what_is_written_is_read() -> None:
    assert read_history(write_history(HISTORY)) == HISTORY
    empty = History("A", b"\x11" * 32, ())
    assert read_history(write_history(empty)) == empty
    assert HISTORY.snapshots[0].path == "snapshots/one/"


def without(name: str) -> bytes:
    content = json.loads(write_history(HISTORY))
    del content[name]
    return json.dumps(content).encode()


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"null",
        b"[]",
        b"1" * 5_000,
        b"[" * 2**19,
        b'{"a":' * 2**17,
        b"\xff\xfe",
        b" " * (2**20 + 1),
        changed(version=2),
        changed(version=True),
        changed(version=1.0),
        changed(more=1),
        without("exchange"),
        changed(exchange=""),
        changed(exchange=" An Exchange"),
        changed(exchange="\ud800"),
        changed(exchange="x" * 65),
        changed(exchange=7),
        changed(exchange="An  Exchange"),
        changed(exchange="An\u200bExchange"),
        changed(exchange="\u202eAn Exchange"),
        changed(public_key="00" * 32),
        changed(public_key=public_key_text(bytes(32))),
        changed(public_key=public_key_text(bytes([1]) + bytes(31))),
        changed(public_key=public_key_text(bytes(range(32))).upper()),
        changed(public_key=None),
        changed(snapshots={}),
        changed(snapshots=[1]),
        changed(snapshots=[{}]),
        with_entry(0, more=""),
        with_entry(0, snapshot_id="", path="snapshots//"),
        with_entry(0, snapshot_id="..", path="snapshots/../"),
        with_entry(0, snapshot_id="One", path="snapshots/One/"),
        with_entry(0, snapshot_id="one\n", path="snapshots/one\n/"),
        with_entry(0, snapshot_id=1),
        with_entry(0, path="snapshots/one"),
        with_entry(0, path="https://elsewhere.example/"),
        with_entry(0, path="snapshots/two/"),
        with_entry(2, snapshot_id="one", path="snapshots/one/"),
        with_entry(0, manifest="01" * 31),
        with_entry(0, manifest="0A" * 32),
        with_entry(0, previous="٠" * 64),
        with_entry(1, previous="00" * 32),
        with_entry(1, time="2023-11-14T22:13:20Z"),
        with_entry(1, time="2023-11-15T22:13:20+00:00"),
        with_entry(1, time="2023-11-15 22:13:20Z"),
        with_entry(1, time="2023-11-15T22:13:2٠Z"),
        with_entry(1, time=" 2023-11-15T22:13:20Z"),
        with_entry(0, time="1969-12-31T23:59:59Z"),
        with_entry(0, time="2023-02-30T00:00:00Z"),
        with_entry(0, time=1_700_000_000),
        write_history(HISTORY).replace(b'"version":1', b'"version":1,"version":1'),
    ],
)
def test_what_is_malformed_is_refused(data: bytes) -> None:
    with pytest.raises(BadHistory):
        read_history(data)


def test_random_bytes_are_refused_or_mean_what_they_say() -> None:
    seed = random.randrange(2**32)
    draw = random.Random(seed)
    for _ in range(3_000):
        data = bytearray(write_history(HISTORY))
        for _ in range(draw.randint(1, 3)):
            data[draw.randrange(len(data))] = draw.choice(b'"{}[]:,\\019azT-Z\x00\xff')
        try:
            found = read_history(bytes(data))
        except BadHistory:
            continue
        assert read_history(write_history(found)) == found, f"seed {seed}: {bytes(data)!r}"
