"""Both verifiers name the same first fault of randomly bent bundles and packages, signed anew.

The bundles come from this folder's own slow prover, so the verifier's C core meets foreign proofs.
"""

from __future__ import annotations

import copy
import random
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import verifier
from spec.reference import Rejected, audit, check_inclusion
from spec.reference.transcript import tagged_hash
from tests.support.reference_bundle import NOTHING, Snapshot, pack
from tests.unit.reference.test_bundle import ALICE, BOB, GWEI, row, signature

NUMBERS = [0, 1, 2, 3, 9, 16, 31, 36, 37, 1 << 20, 1 << 32, (1 << 40) + 1, 1 << 63, (1 << 64) - 1]
TEXTS = [
    "",
    "a",
    "A",
    "ETH",
    "BTC",
    "bitcoin",
    "ethereum",
    "email",
    "opaque",
    "x" * 200,
    "é",
    "e\u0301",
]


def code_of(check: Callable[[], object]) -> str | None:
    try:
        check()
    except (Rejected, verifier.Rejected) as rejection:
        return str(rejection.code)
    return None


def paths(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The place of every value inside a nest of maps and arrays."""
    items = value.items() if isinstance(value, dict) else enumerate(value)
    for key, item in items:
        yield (*path, key)
        if isinstance(item, dict | list):
            yield from paths(item, (*path, key))


def bent(value: Any, rng: random.Random) -> Any:
    """One to three places changed, mostly to values of the right type."""
    value = copy.deepcopy(value)
    for _ in range(rng.choice([1, 1, 2, 3])):
        *way, key = rng.choice(list(paths(value)))
        place = value
        for step in way:
            place = place[step]
        old = place[key]
        if rng.random() < 0.1:
            place[key] = rng.choice([None, True, 1.5, -1, [], {}, 7, "x", b"x"])
        elif isinstance(old, int) and not isinstance(old, bool):
            place[key] = rng.choice([*NUMBERS, old + 1, max(0, old - 1)])
        elif isinstance(old, str):
            place[key] = rng.choice([*TEXTS, old + " ", old[:-1], old.upper()])
        elif isinstance(old, bytes):
            at = rng.randrange(len(old) or 1)
            place[key] = old[:at] + bytes([rng.randrange(256)]) + old[at + 1 :]
        elif isinstance(old, list) and rng.random() < 0.5:
            place[key] = old + old[:1]
        elif rng.random() < 0.2:
            del place[key]
    return value


@pytest.fixture(scope="module")
def snapshot(tmp_path_factory: pytest.TempPathFactory) -> Snapshot:
    made = Snapshot(tmp_path_factory.mktemp("bundle"), capacity=1)
    made.leaves({ALICE: [GWEI, 2 * GWEI, 1], BOB: [7]})
    made.tree()
    made.finish([row(10**19)], [signature(made)])
    return made


def write(snapshot: Snapshot, name: str, data: bytes) -> Path:
    path = snapshot.folder / name
    path.write_bytes(data)
    return path


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_bent_manifests_and_evidence(snapshot: Snapshot, seed: int) -> None:
    rng = random.Random(seed)
    good = NOTHING | {"rows": [row(10**19)], "signatures": [signature(snapshot)]}
    seen: Counter[str | None] = Counter()
    for trial in range(100):
        manifest, evidence = copy.deepcopy(snapshot.manifest), pack(good)
        if rng.random() < 0.5:
            evidence = pack(bent(good, rng))
            manifest["assets"][0]["evidence"] = tagged_hash("evidence", evidence)
        else:
            manifest = bent(manifest, rng)
        data = pack(manifest)
        write(snapshot, "evidence/ETH.msgpack", evidence)
        write(snapshot, "manifest.msgpack", data)
        write(snapshot, "manifest.sig", snapshot.sign("manifest-signature", data))
        ours = code_of(lambda: audit(snapshot.folder, snapshot.public_key))
        theirs = code_of(lambda: verifier.audit(snapshot.folder, snapshot.public_key))
        assert ours == theirs, (seed, trial)
        seen[ours] += 1
    write(snapshot, "evidence/ETH.msgpack", pack(good))
    assert len(seen) > 15
    assert None in seen


@pytest.mark.parametrize("seed", [4, 5])
def test_bent_packages(snapshot: Snapshot, seed: int) -> None:
    rng = random.Random(seed)
    snapshot.publish()
    good = {
        "account_id": ALICE,
        "account_key": snapshot.keys[ALICE],
        "assets": [{"code": "ETH", "parts": snapshot.parts(ALICE)}],
        "manifest": snapshot.digest,
        "version": 1,
    }
    seen: Counter[str | None] = Counter()
    for trial in range(100):
        body = pack(bent(good, rng) if rng.random() < 0.8 else good)
        outer = {"body": body, "log": b"", "signature": snapshot.sign("package-signature", body)}
        package = pack(bent(outer, rng) if rng.random() < 0.1 else outer)
        typed = rng.choice([{"ETH": "1"}, {"ETH": "3.0000000011"}, {"BTC": "0"}, {"BTC": "1"}])
        arguments = package, snapshot.folder, snapshot.public_key, ALICE, typed
        ours = code_of(lambda: check_inclusion(*arguments))  # noqa: B023
        theirs = code_of(lambda: verifier.check_inclusion(*arguments, only=True))  # noqa: B023
        assert ours == theirs, (seed, trial)
        seen[ours] += 1
    assert len(seen) > 10
    assert None in seen


def test_the_verifier_accepts_a_foreign_tree(tmp_path: Path) -> None:
    made = Snapshot(tmp_path)
    made.leaves({ALICE: [GWEI, 2 * GWEI, 1], BOB: [7]})
    made.tree()
    made.finish([row(10**19)], [signature(made)])
    verifier.audit(tmp_path, made.public_key)
    verifier.check_inclusion(
        made.package(BOB), tmp_path, made.public_key, BOB, {"ETH": "0.000000007"}
    )
