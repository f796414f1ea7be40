"""The reference's plans: whole small bundles, one fault each, named in the order of errors.md."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from coincurve import PrivateKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from spec.reference import (
    Audit,
    Inclusion,
    NotCheckedError,
    Rejected,
    Unit,
    audit,
    check_inclusion,
)
from spec.reference.address import eip55, keccak256
from spec.reference.group import N, V, encode, multi_multiply
from spec.reference.keys import text as key_text
from spec.reference.transcript import commit, lp, tag
from tests.support.reference_bundle import NOTHING, Snapshot, pack

WALLET = PrivateKey(b"\x17" * 32)
ADDRESS = eip55(keccak256(WALLET.public_key.format(compressed=False)[1:])[12:])
ALICE, BOB = "alice@example.org", "bob@example.org"
GWEI = 10**9
TYPED = {"ETH": "3.000000001"}
PAGE = 113
ROOT = 15 + 65 * 2
LEAVES = 3973  # of an argument over 16 leaves


def signature(snapshot: Snapshot) -> dict[str, str]:
    lines = [
        "assay/v1/ownership",
        key_text(snapshot.public_key),
        "Exchange Ä",
        snapshot.snapshot_id,
        "ethereum",
        snapshot.block.hex(),
    ]
    message = "\n".join(lines).encode()
    prefixed = b"\x19Ethereum Signed Message:\n%d" % len(message) + message
    raw = WALLET.sign_recoverable(prefixed, hasher=keccak256)
    text = "0x" + raw[:64].hex() + f"{27 + raw[64]:02x}"
    return {"address": ADDRESS, "chain": "ethereum", "format": "eip191", "text": text}


def row(amount: int, address: str = ADDRESS, contract: str = "") -> dict[str, object]:
    return {
        "address": address,
        "amount": amount.to_bytes(32, "big"),
        "chain": "ethereum",
        "contract": contract,
    }


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Snapshot:
    """A snapshot whose evidence and manifest are made anew by each test that changes them."""
    snapshot = Snapshot(tmp_path_factory.mktemp("bundle"))
    snapshot.leaves({ALICE: [GWEI, 2 * GWEI, 1], BOB: [7]})
    snapshot.tree()
    snapshot.finish([row(10**19)], [signature(snapshot)])
    return snapshot


@pytest.fixture
def snapshot(template: Snapshot, tmp_path: Path) -> Snapshot:
    folder = tmp_path / "bundle"
    shutil.copytree(template.folder, folder)
    fresh = Snapshot(folder)
    fresh.__dict__.update({**template.__dict__, "folder": folder})
    return fresh


def audit_code(snapshot: Snapshot, **policy: Any) -> str:
    with pytest.raises(Rejected) as caught:
        audit(snapshot.folder, snapshot.public_key, **policy)
    return caught.value.code


def inclusion(
    snapshot: Snapshot,
    package: bytes | None = None,
    account: str = ALICE,
    balances: Mapping[str, Decimal | str] = TYPED,
) -> Inclusion:
    return check_inclusion(
        snapshot.package(ALICE) if package is None else package,
        snapshot.folder,
        snapshot.public_key,
        account,
        balances,
    )


def inclusion_code(*arguments: Any, **keywords: Any) -> str:
    with pytest.raises(Rejected) as caught:
        inclusion(*arguments, **keywords)
    return caught.value.code


def patch(path: Path, at: int, data: bytes) -> None:
    content = bytearray(path.read_bytes())
    content[at : at + len(data)] = data
    path.write_bytes(content)


def test_an_honest_bundle_is_accepted(snapshot: Snapshot) -> None:
    found = audit(snapshot.folder, snapshot.public_key)
    assert (found.manifest.digest, found.level) == (snapshot.digest, "claimed")
    result = inclusion(snapshot)
    assert result.counted == {"ETH": Decimal("3.000000001")}
    assert result.not_compared == {}
    assert inclusion(snapshot, snapshot.package(BOB), BOB, {}).not_compared == {
        "ETH": Decimal("0.000000007")
    }
    inclusion(snapshot, account=" ALICE@Example.ORG ", balances={"ETH": "1", "BTC": "0"})


def test_the_smallest_bundle_and_an_infinite_difference(tmp_path: Path) -> None:
    """One page, no assets, no liabilities: C_A and D are infinity times one and a blinding."""
    snapshot = Snapshot(tmp_path, capacity=1, ratio={"num": 3, "den": 2})
    snapshot.leaves({ALICE: []})
    snapshot.tree()
    snapshot.finish([], [])
    audit(snapshot.folder, snapshot.public_key, ratio=(3, 2))
    assert inclusion(snapshot, balances={"ETH": "0"}).counted == {"ETH": 0}
    assert audit_code(snapshot, ratio=(151, 100)) == "manifest.ratio-below-policy"


def test_an_insolvent_bundle_is_rejected(tmp_path: Path) -> None:
    snapshot = Snapshot(tmp_path, capacity=1)
    snapshot.leaves({ALICE: [5]})
    snapshot.tree()
    snapshot.finish([row(4 * GWEI + GWEI - 1)], [signature(snapshot)])
    assert audit_code(snapshot) == "argument.rejected"
    snapshot.finish([row(5 * GWEI)], [signature(snapshot)])
    audit(snapshot.folder, snapshot.public_key)


def test_missing_and_unexpected_files(snapshot: Snapshot) -> None:
    folder = snapshot.folder
    shutil.copy(folder / "manifest.sig", folder / "evidence" / "x")
    assert audit_code(snapshot) == "bundle.unexpected-file"
    (folder / "evidence" / "x").unlink()
    (folder / "empty").mkdir()
    assert audit_code(snapshot) == "bundle.unexpected-file"
    (folder / "empty").rmdir()
    moved = folder.parent / "moved"
    (folder / "pages" / "ETH" / "0").rename(moved)
    assert audit_code(snapshot) == "bundle.missing-file"
    assert inclusion_code(snapshot) == "bundle.missing-file"
    (folder / "pages" / "ETH" / "0").symlink_to(moved)
    assert audit_code(snapshot) == "bundle.unexpected-file"
    (folder / "pages" / "ETH" / "0").unlink()
    moved.rename(folder / "pages" / "ETH" / "0")
    audit(folder, snapshot.public_key)
    for name in ("manifest.sig", "manifest.msgpack"):
        (folder / name).unlink()
        with pytest.raises(NotCheckedError, match=r"check\.no-bundle"):
            audit(folder, snapshot.public_key)
    with pytest.raises(NotADirectoryError):
        audit(folder / "nowhere", snapshot.public_key)


def test_manifest_bytes(snapshot: Snapshot) -> None:
    folder, good = snapshot.folder, (snapshot.folder / "manifest.msgpack").read_bytes()
    other = Ed25519PrivateKey.from_private_bytes(bytes(32)).public_key().public_bytes_raw()
    with pytest.raises(Rejected, match="bad-signature"):
        audit(folder, other)
    (folder / "manifest.sig").write_bytes((folder / "manifest.sig").read_bytes() + b"\x00")
    assert audit_code(snapshot) == "manifest.bad-signature"
    for data, code in (
        (b"", "manifest.too-large"),
        (bytes((1 << 24) + 1), "manifest.too-large"),
        (good + b"\x00", "manifest.not-canonical"),
        (pack([]), "manifest.bad-fields"),
    ):
        (folder / "manifest.msgpack").write_bytes(data)
        (folder / "manifest.sig").write_bytes(snapshot.sign("manifest-signature", data))
        assert audit_code(snapshot) == code


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"extra": 1}, "bad-fields"),
        ({"time": "1"}, "bad-fields"),
        ({"previous": bytes(31)}, "bad-fields"),
        ({"assets": []}, "bad-fields"),
        ({"protocol_version": 2}, "unsupported-version"),
        ({"argument_version": 0}, "unsupported-version"),
        ({"public_key": bytes(32)}, "key-mismatch"),
        ({"exchange": " x"}, "bad-name"),
        ({"exchange": "x" * 65}, "bad-name"),
        ({"exchange": "e\u0301"}, "bad-name"),
        ({"snapshot_id": "A"}, "bad-snapshot-id"),
        ({"snapshot_id": "a\n"}, "bad-snapshot-id"),
        ({"time": 0}, "bad-time"),
        ({"time": (1 << 40) + 1}, "bad-time"),
        ({"account_id_type": "name"}, "bad-account-id-type"),
        ({"chains": [{"hash": bytes(32), "height": 1 << 63, "name": "ethereum"}]}, "bad-chain"),
        ({"chains": [{"hash": bytes(32), "height": 1, "name": "Ethereum"}]}, "bad-chain"),
        ({"chains": [{"hash": bytes(32), "height": 1, "name": "ethereum"}] * 2}, "bad-chain"),
        ({"chains": []}, "unit-without-block"),
    ],
)
def test_manifest_fields(snapshot: Snapshot, changes: dict[str, Any], code: str) -> None:
    snapshot.publish(**changes)
    assert audit_code(snapshot) == f"manifest.{code}"


UNIT = {"chain": "ethereum", "contract": "", "decimals": 18}
FOREIGN = "0x" + "0" * 40


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"code": "eth"}, "bad-code"),
        ({"decimals": 31}, "bad-decimals"),
        ({"decimals": 19}, "bad-decimals"),
        ({"units": [UNIT | {"decimals": 37}]}, "bad-decimals"),
        ({"units": [UNIT, UNIT]}, "bad-units"),
        ({"units": [UNIT | {"chain": "bitcoin"}]}, "unit-without-block"),
        ({"units": [UNIT | {"decimals": 17}]}, "wrong-unit"),
        ({"units": [UNIT | {"contract": FOREIGN}]}, "wrong-unit"),
        ({"code": "BTC"}, "wrong-unit"),
        ({"code": "XYZ"}, "wrong-unit"),
        ({"page_size": 32}, "bad-page-size"),
        ({"page_size": 4096, "capacity": 2**19}, "bad-capacity"),
        ({"capacity": 0}, "bad-capacity"),
        ({"capacity": 9}, "bad-capacity"),
        ({"levels": 1}, "bad-levels"),
        ({"levels": 3}, "bad-levels"),
        ({"ratio": {"num": 0, "den": 1}}, "bad-ratio"),
        ({"ratio": {"num": 2, "den": 2}}, "bad-ratio"),
        ({"ratio": {"num": 1 << 32, "den": 1}}, "bad-ratio"),
        ({"ratio": {"num": 99, "den": 100}}, "ratio-below-policy"),
        ({"sum": bytes(33)}, "bad-sum"),
    ],
)
def test_asset_fields(snapshot: Snapshot, changes: dict[str, Any], code: str) -> None:
    snapshot.publish(assets=snapshot.asset(**changes))
    assert audit_code(snapshot) == f"manifest.{code}"


def test_two_assets_share_no_unit(snapshot: Snapshot) -> None:
    units = [UNIT | {"contract": FOREIGN}]
    first, second = (snapshot.asset(code=code, units=units)[0] for code in ("XYZ", "XYZ2"))
    snapshot.publish(assets=[first, second])
    assert audit_code(snapshot) == "manifest.unit-reused"
    snapshot.publish(assets=[second, first])
    assert audit_code(snapshot) == "manifest.bad-code"


def foreign(folder: Path) -> Snapshot:
    """A snapshot of a token that no reader knows."""
    snapshot = Snapshot(folder, code="XYZ", capacity=1)
    snapshot.units = [UNIT | {"contract": FOREIGN}]
    snapshot.leaves({ALICE: [GWEI], BOB: []})
    snapshot.tree()
    snapshot.finish([row(10**18, contract=FOREIGN)], [signature(snapshot)])
    return snapshot


XYZ = Unit("XYZ", "ethereum", FOREIGN, 18)


def test_an_asset_of_an_unknown_unit_is_set_aside(tmp_path: Path) -> None:
    snapshot = foreign(tmp_path)
    arguments = snapshot.folder, snapshot.public_key
    assert audit(*arguments).set_aside == ("XYZ",)
    assert audit(*arguments, units=[XYZ, XYZ]).set_aside == ()
    balances = {"XYZ": "1"}
    counted = snapshot.package(ALICE), *arguments, ALICE, balances
    assert check_inclusion(*counted).set_aside == ("XYZ",)
    assert check_inclusion(*counted, units=[XYZ]).set_aside == ()
    assert audit(*arguments, units=[XYZ._replace(contract=ADDRESS)]).set_aside == ("XYZ",)
    for other in (XYZ._replace(decimals=17), XYZ._replace(code="ABC")):
        assert audit_code(snapshot, units=[other]) == "manifest.wrong-unit"


@pytest.mark.parametrize(
    "units",
    [
        [Unit("XYZ", "ethereum", "", 18)],
        [Unit("ETH", "ethereum", "", 9)],
        [Unit("ETH", "ethereum", FOREIGN, 18)],
        [XYZ, XYZ._replace(code="ABC")],
        [XYZ, XYZ._replace(decimals=6)],
    ],
)
def test_named_units_contradict_nothing(snapshot: Snapshot, units: list[Unit]) -> None:
    for named in (units, units[::-1]):
        with pytest.raises(ValueError, match="is known for"):
            audit(snapshot.folder, snapshot.public_key, units=named)


def test_units_that_may_be_named(snapshot: Snapshot) -> None:
    units = [XYZ, XYZ._replace(contract=ADDRESS), Unit("ETH", "ethereum", "", 18)]
    units += [Unit("ETH", "litecoin", "", 18)]
    assert audit(snapshot.folder, snapshot.public_key, units=units).set_aside == ()


def test_the_level_is_of_what_is_not_set_aside(snapshot: Snapshot) -> None:
    manifest = audit(snapshot.folder, snapshot.public_key).manifest
    levels = {"ETH": "header", "XYZ": "claimed"}
    assert Audit(manifest, levels, {}).level == "claimed"
    aside = replace(manifest, set_aside=("XYZ",))
    assert Audit(aside, levels, {}).level == "header"
    assert Audit(replace(manifest, set_aside=("ETH", "XYZ")), levels, {}).level == "claimed"


def rotation(snapshot: Snapshot, old: Ed25519PrivateKey, previous: bytes) -> dict[str, bytes]:
    old_key = old.public_key().public_bytes_raw()
    body = lp(old_key) + lp(snapshot.public_key) + lp("Exchange Ä") + previous
    return {
        "new_signature": snapshot.sign("rotation", body),
        "old_key": old_key,
        "old_signature": old.sign(tag("rotation") + sha256(body).digest()),
    }


def test_rotations(snapshot: Snapshot) -> None:
    old, previous = Ed25519PrivateKey.from_private_bytes(b"\x01" * 32), b"\x05" * 32
    good = rotation(snapshot, old, previous)
    snapshot.publish(rotation=[good], previous=previous)
    audit(snapshot.folder, snapshot.public_key)
    for changes in (
        {"rotation": [good], "previous": b"\x06" * 32},
        {"rotation": [rotation(snapshot, old, bytes(32))], "previous": bytes(32)},
        {"rotation": [rotation(snapshot, snapshot.signer, previous)], "previous": previous},
        {"rotation": [good | {"new_signature": good["old_signature"]}], "previous": previous},
        {"rotation": [good | {"old_key": b"\xff" * 32}], "previous": previous},
    ):
        snapshot.publish(**changes)
        assert audit_code(snapshot) == "manifest.bad-rotation"
    snapshot.publish(rotation=[good, good], previous=previous)
    assert audit_code(snapshot) == "manifest.bad-fields"


def test_chains_of_manifests(snapshot: Snapshot, tmp_path: Path) -> None:
    before = tmp_path / "before"
    before.mkdir()

    def publish_before(signer: Ed25519PrivateKey = snapshot.signer, **changes: Any) -> bytes:
        data = pack(snapshot.manifest | changes)
        (before / "manifest.msgpack").write_bytes(data)
        signed = signer.sign(tag("manifest-signature") + sha256(data).digest())
        (before / "manifest.sig").write_bytes(signed)
        prefix = sha256(b"assay/v1/manifest").digest() * 2
        return sha256(prefix + data).digest()

    earlier: dict[str, Any] = {"snapshot_id": "2023-q4", "time": snapshot.time - 1}
    snapshot.publish(previous=publish_before(**earlier))
    audit(snapshot.folder, snapshot.public_key, previous=before)
    publish_before(**earlier, previous=b"\x01" * 32)
    assert audit_code(snapshot, previous=before) == "manifest.broken-chain"
    publish_before(time=5)
    assert audit_code(snapshot, previous=before) == "manifest.equivocation"
    snapshot.publish(previous=publish_before(**earlier | {"time": snapshot.time}))
    assert audit_code(snapshot, previous=before) == "manifest.broken-chain"
    old = Ed25519PrivateKey.from_private_bytes(b"\x01" * 32)
    digest = publish_before(old, **earlier)
    snapshot.publish(previous=digest)
    with pytest.raises(NotCheckedError, match=r"check\.unreadable"):
        audit(snapshot.folder, snapshot.public_key, previous=before)
    snapshot.publish(previous=digest, rotation=[rotation(snapshot, old, digest)])
    audit(snapshot.folder, snapshot.public_key, previous=before)


def test_evidence_bytes(snapshot: Snapshot) -> None:
    path = snapshot.folder / "evidence" / "ETH.msgpack"
    good = path.read_bytes()
    for data, code in (
        (b"", "evidence.too-large"),
        (good + b"\x00", "evidence.wrong-digest"),
    ):
        path.write_bytes(data)
        assert audit_code(snapshot) == code
    for data, code in (
        (good + b"\x00", "evidence.not-canonical"),
        (pack({}), "evidence.bad-fields"),
        (pack(NOTHING | {"code": "ETH", "version": 2}), "unsupported-version"),
        (pack(NOTHING | {"code": "BTC"}), "wrong-asset"),
    ):
        path.write_bytes(data)
        digest = sha256(sha256(b"assay/v1/evidence").digest() * 2 + data).digest()
        snapshot.publish(assets=snapshot.asset(evidence=digest))
        assert audit_code(snapshot).endswith(code)


SECOND = eip55(bytes(range(20)))


@pytest.mark.parametrize(
    ("rows", "bend", "code"),
    [
        ([row(1, "x" * 129)], {}, "bad-fields"),
        ([row(1, "")], {}, "bad-fields"),
        ([row(1)], {"text": "x" * 131_073}, "bad-fields"),
        ([row(1)], {"text": "x" * 16_385}, "bad-signature"),
        ([row(1)], {"text": ""}, "bad-fields"),
        ([row(2), row(1)], {}, "duplicate-address"),
        ([row(1, contract="0x00")], {}, "unknown-unit"),
        ([row(1, ADDRESS.lower())], {}, "bad-address"),
        ([row(1, a) for a in sorted([ADDRESS, SECOND])], {}, "unmatched-signature"),
        ([], {}, "unmatched-signature"),
        ([row(1)], {"format": "bip322"}, "unsupported-signature"),
        ([row(1)], {"text": "0x" + "1" * 130}, "bad-signature"),
        ([row(1 << 200)], {}, "total-too-large"),
        ([row(GWEI << 96)], {}, "total-too-large"),
    ],
)
def test_evidence(snapshot: Snapshot, rows: list[Any], bend: Any, code: str) -> None:
    snapshot.finish(rows, [signature(snapshot) | bend])
    assert audit_code(snapshot) == f"evidence.{code}"


def test_evidence_on_a_chain_that_is_not_known(snapshot: Snapshot) -> None:
    """Its signatures are not read; that there is one for each address still is."""
    unit = {"chain": "litecoin", "contract": "", "decimals": 18}
    snapshot.units = [*snapshot.units, unit]
    rows = [row(1), row(1) | {"chain": "litecoin"}]
    chains = [{"hash": bytes(32), "height": 1, "name": name} for name in ("ethereum", "litecoin")]
    snapshot.finish(rows, [], chains=chains)
    assert audit_code(snapshot) == "evidence.unmatched-signature"


def test_solvency_arguments(snapshot: Snapshot) -> None:
    path = snapshot.folder / "arguments" / "ETH" / "solvency"
    good = path.read_bytes()
    for solvency, code in (
        (good + b"\x00", "bundle.wrong-argument"),
        (bytes(33) + good[33:], "argument.bad-point"),
        (good[:-32] + b"\xff" * 32, "argument.bad-scalar"),
        (good[:-1] + bytes([good[-1] ^ 1]), "argument.rejected"),
    ):
        path.write_bytes(solvency)
        assert audit_code(snapshot) == "bundle.wrong-argument"
        assert audit_code(snapshot, trees=False) == "bundle.wrong-argument"
        snapshot.record()
        assert audit_code(snapshot) == code
        assert audit_code(snapshot, trees=False) == code


def test_records(snapshot: Snapshot) -> None:
    for changes, code in (
        ({"version": 2}, "unsupported-version"),
        ({"argument_version": 0}, "unsupported-version"),
        ({"manifest": bytes(32)}, "wrong-manifest"),
        ({"assets": []}, "wrong-assets"),
        ({"note": ""}, "bad-fields"),
    ):
        snapshot.record(**changes)
        assert audit_code(snapshot) == f"record.{code}"
        inclusion(snapshot)
    snapshot.record()
    (snapshot.folder / "arguments.sig").write_bytes(bytes(64))
    assert audit_code(snapshot) == "record.bad-signature"


def test_arguments_that_come_later(snapshot: Snapshot) -> None:
    folder = snapshot.folder
    (folder / "arguments.msgpack").rename(folder.parent / "record")
    inclusion(snapshot)
    (folder / "arguments" / "ETH" / "1").rename(folder.parent / "1")
    with pytest.raises(NotCheckedError, match=r"check\.not-proved"):
        inclusion(snapshot)
    assert inclusion_code(snapshot, balances={"ETH": "4"}) == "inclusion.balance-short"
    assert audit_code(snapshot) == "bundle.missing-file"
    (folder.parent / "record").rename(folder / "arguments.msgpack")
    assert inclusion_code(snapshot) == "bundle.missing-file"
    (folder.parent / "1").rename(folder / "arguments" / "ETH" / "1")
    audit(folder, snapshot.public_key)


@pytest.mark.parametrize(
    ("path", "at", "data", "code"),
    [
        ("pages/ETH/0", 2 * PAGE, b"\x00", "page.bad-file-length"),
        ("pages/ETH/1", ROOT, b"\x00", "page.bad-file-length"),
        ("pages/ETH/0", 0, b"X", "page.bad-header"),
        ("pages/ETH/0", PAGE + 10, b"\x00", "page.bad-header"),
        ("pages/ETH/0", 15, None, "page.wrong-child-id"),
        ("pages/ETH/0", 15 + 32, b"\x00", "page.bad-point"),
        ("pages/ETH/0", PAGE - 33, b"\x00", "page.bad-point"),
        ("pages/ETH/1", 15, None, "page.wrong-child-id"),
        ("arguments/ETH/0", 0, b"\x00", "argument.bad-point"),
        ("arguments/ETH/0", 2 * LEAVES - 32, b"\xff" * 32, "argument.bad-scalar"),
        ("arguments/ETH/0", 2 * LEAVES - 1, None, "argument.rejected"),
        ("arguments/ETH/0", 2 * LEAVES, b"\x00", "bundle.wrong-argument"),
    ],
)
def test_pages(snapshot: Snapshot, path: str, at: int, data: Any, code: str) -> None:
    file = snapshot.folder / path
    patch(file, at, data or bytes([file.read_bytes()[at] ^ 1]))
    if path.startswith("arguments/"):
        assert audit_code(snapshot) == "bundle.wrong-argument"
        snapshot.record()
    assert audit_code(snapshot) == code
    # Bob's leaf is in one page: the light check sees a fault of that page, and of no other. It does
    # not know the digests of arguments, and names one that fails at its page.
    code = "argument.rejected" if code == "page.wrong-child-id" else code
    index, _ = divmod(snapshot.places[BOB][0]["leaf"], 16)
    size = PAGE if path.startswith("pages/") else LEAVES
    whole = "file-length" in code or code == "bundle.wrong-argument"
    if path.endswith("1") or whole or size * index <= at < size * (index + 1):
        assert inclusion_code(snapshot, snapshot.package(BOB), BOB, {}) == code
    else:
        inclusion(snapshot, snapshot.package(BOB), BOB, {})


def remake_root(snapshot: Snapshot, content: bytes, bend: Any) -> None:
    """A root page over the bent entries of another, honestly proved, and a manifest for it."""
    entries = [content[15:80], content[80:145]]
    entries, openings = bend(entries, snapshot.openings)
    page, argument = snapshot.inner(1, 0, entries, openings)
    snapshot.write(1, [page], [argument])
    snapshot.root = sha256(page).digest()
    snapshot.liabilities = (sum(v for v, _ in openings), sum(r for _, r in openings))
    snapshot.sum = encode(commit(*snapshot.liabilities))
    snapshot.finish([row(10**19)], [signature(snapshot)])


def test_links_between_pages(snapshot: Snapshot) -> None:
    root = (snapshot.folder / "pages" / "ETH" / "1").read_bytes()
    remake_root(snapshot, root, lambda e, o: (e, o))
    audit(snapshot.folder, snapshot.public_key)
    remake_root(snapshot, root, lambda e, o: ([bytes(32) + e[0][32:], e[1]], o))
    assert audit_code(snapshot) == "page.wrong-child-id"
    remake_root(
        snapshot,
        root,
        lambda e, o: ([e[0][:32] + e[1][32:], e[1][:32] + e[0][32:]], o[::-1]),
    )
    assert audit_code(snapshot) == "page.wrong-child-sum"
    assert inclusion_code(snapshot) == "page.wrong-child-sum"
    remake_root(snapshot, root, lambda e, o: ([e[0], e[0]], [o[0], o[0]]))
    assert audit_code(snapshot) == "page.wrong-child-id"


def test_the_root(snapshot: Snapshot) -> None:
    real_root, real_sum = snapshot.root, snapshot.sum
    snapshot.root = bytes(32)
    snapshot.finish([row(10**19)], [signature(snapshot)])
    assert audit_code(snapshot) == "page.wrong-root-id"
    assert inclusion_code(snapshot) == "page.wrong-root-id"
    snapshot.root, liabilities = real_root, snapshot.liabilities
    snapshot.sum = encode(multi_multiply([(1, V)]))
    snapshot.liabilities = (1, 0)
    snapshot.finish([row(10**19)], [signature(snapshot)])
    assert audit_code(snapshot) == "page.wrong-root-sum"
    assert inclusion_code(snapshot) == "page.wrong-root-sum"
    snapshot.sum, snapshot.liabilities = real_sum, liabilities


def test_an_infinite_sum(snapshot: Snapshot) -> None:
    root = (snapshot.folder / "pages" / "ETH" / "1").read_bytes()
    nothing = [(0, 5), (0, N - 5)]
    points = [encode(commit(*opening)) for opening in nothing]
    entries = [root[15:47] + points[0], root[80:112] + points[1]]
    page, argument = snapshot.inner(1, 0, entries, nothing)
    snapshot.write(1, [page], [argument])
    snapshot.record()
    assert audit_code(snapshot) == "page.infinite-sum"


def test_package_bytes(snapshot: Snapshot) -> None:
    good = snapshot.package(ALICE)
    body = snapshot.seal(b"\x80x")
    for package, code in (
        (b"", "too-large"),
        (bytes((1 << 23) + 1), "too-large"),
        (good + b"\x00", "not-canonical"),
        (pack({"body": b""}), "bad-fields"),
        (pack({"body": b"", "log": b"x", "signature": bytes(64)}), "bad-fields"),
        (pack({"body": b"", "log": b"", "signature": bytes(64)}), "bad-signature"),
        (body, "not-canonical"),
        (snapshot.package(ALICE, extra=1), "bad-fields"),
        (snapshot.package(ALICE, account_key=bytes(31)), "bad-fields"),
        (snapshot.package(ALICE, version=2), "unsupported-version"),
        (snapshot.package(ALICE, manifest=bytes(32)), "wrong-manifest"),
        (snapshot.package(ALICE, account_id="x@y"), "wrong-account"),
        (snapshot.package(ALICE, account_id=" " + ALICE), "wrong-account"),
        (snapshot.package(ALICE, assets=[]), "wrong-assets"),
    ):
        assert inclusion_code(snapshot, package) == f"package.{code}"
    assert inclusion_code(snapshot, account=BOB) == "package.wrong-account"
    with pytest.raises(ValueError, match="not one @"):
        inclusion(snapshot, account="no e-mail")


@pytest.mark.parametrize(
    ("part", "changes", "code"),
    [
        (0, {"part": 1}, "package.bad-parts"),
        (2, {"part": 3}, "package.bad-parts"),
        (1, {"amount": 0}, "package.bad-amount"),
        (1, {"leaf": 32}, "package.bad-leaf"),
        (1, {"path": bytes(96)}, "package.bad-path"),
        (1, {"opening": bytes(544)}, "opening.bad-length"),
        (1, {"path": bytes(128)}, "inclusion.wrong-identity"),
        (1, {"opening": bytes(545)}, "opening.bad-point"),
        (1, {"amount": 1}, "inclusion.wrong-amount"),
    ],
)
def test_parts(snapshot: Snapshot, part: int, changes: dict[str, Any], code: str) -> None:
    parts = snapshot.parts(ALICE)
    parts[part] |= changes
    package = snapshot.package(ALICE, assets=[{"code": "ETH", "parts": parts}])
    assert inclusion_code(snapshot, package) == code


def test_leaves_of_parts(snapshot: Snapshot) -> None:
    parts = snapshot.parts(ALICE)
    parts[1]["leaf"] = parts[0]["leaf"]
    package = snapshot.package(ALICE, assets=[{"code": "ETH", "parts": parts}])
    assert inclusion_code(snapshot, package) == "package.duplicate-leaf"
    package = snapshot.package(ALICE, account_key=snapshot.keys[BOB])
    assert inclusion_code(snapshot, package) == "inclusion.wrong-identity"
    package = snapshot.package(ALICE, assets=[{"code": "ETH", "parts": []}])
    assert inclusion_code(snapshot, package) == "inclusion.balance-short"


def test_typed_balances(snapshot: Snapshot) -> None:
    assert inclusion_code(snapshot, balances={"BTC": "0.1"}) == "inclusion.unknown-asset"
    both = {"BTC": "0.1", "ETH": "9"}
    assert inclusion_code(snapshot, balances=both) == "inclusion.unknown-asset"
    # A typed balance is rounded up to ledger units of 10^-9.
    assert inclusion_code(snapshot, balances={"ETH": "3.0000000011"}) == "inclusion.balance-short"
    inclusion(snapshot, balances={"ETH": Decimal("3.0000000009")})
    for wrong in ("-1", "NaN", "Infinity", "x", "1e1000"):
        with pytest.raises(ValueError, match="a balance is"):
            inclusion(snapshot, balances={"ETH": wrong})


def run(*arguments: str) -> tuple[int, str]:
    command = [sys.executable, "-m", "spec.reference", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout


def test_command_line(snapshot: Snapshot, tmp_path: Path) -> None:
    key = tmp_path / "exchange.pub"
    key.write_text(f"{key_text(snapshot.public_key)}\n", encoding="ascii")
    bundle = str(snapshot.folder)
    assert run("audit", bundle, "--exchange-key", str(key))[0] == 0
    status, output = run("audit", bundle, "--exchange-key", key_text(b"\x11" * 32), "--json")
    report = json.loads(output)
    assert (status, report["accepted"]) == (3, False)
    assert report["error"]["code"] == "manifest.bad-signature"
    assert run("audit", bundle, "--exchange-key", key.read_text().strip(), "--json") == (
        0,
        '{"accepted": true, "error": null}\n',
    )
    assert run("audit", str(tmp_path / "no"), "--exchange-key", str(key))[0] == 1
    assert run("audit", bundle, "--exchange-key", str(tmp_path / "no"))[0] == 1
    assert run("audit", bundle, "--exchange-key", "assay100")[0] == 2
    assert run("audit", bundle)[0] == 2
    package = tmp_path / "package"
    package.write_bytes(snapshot.package(ALICE))
    common = ["inclusion", str(package), "--bundle", bundle, "--exchange-key", str(key)]
    common += ["--account", ALICE]
    assert run(*common, "--balance", "ETH=3")[0] == 0
    assert run(*common, "--balance", "ETH=4")[0] == 3
    assert run(*common, "--balance", "BTC=0")[0] == 1
    assert run(*common, "--balance", "BTC=0", "--only")[0] == 0
    assert run(*common)[0] == 2
    assert run(*common, "--balance", "ETH")[0] == 2
    assert run(*common, "--balance", "ETH=1", "--balance", "ETH=2")[0] == 2


def test_command_line_of_what_is_set_aside(tmp_path: Path) -> None:
    snapshot = foreign(tmp_path / "bundle")
    common = ["--exchange-key", key_text(snapshot.public_key)]
    audited = ["audit", str(snapshot.folder), *common]
    known = ["--unit", f"XYZ=ethereum:{FOREIGN}:18", "--strict-units"]
    status, output = run(*audited)
    assert (status, output.endswith("; not vouched for: XYZ\n")) == (0, True)
    status, output = run(*audited, *known)
    assert (status, "vouched" in output) == (0, False)
    status, output = run(*audited, "--strict-units")
    assert (status, "check.unknown-unit" in output) == (1, True)
    assert run(*audited, "--unit", "XYZ=ethereum::18")[0] == 2
    included = ["inclusion", str(tmp_path / "package"), "--bundle", str(snapshot.folder), *common]
    for account, balance, strict in ((ALICE, "1", 1), (BOB, "0", 0)):
        (tmp_path / "package").write_bytes(snapshot.package(account))
        asked = [*included, "--account", account, "--balance", f"XYZ={balance}"]
        status, output = run(*asked)
        assert (status, output.endswith("; not vouched for: XYZ\n")) == (0, True)
        assert run(*asked, "--strict-units")[0] == strict
        assert run(*asked, *known)[0] == 0


def test_the_reference_imports_nothing_of_the_project() -> None:
    script = "import spec.reference.__main__, sys; print(*sys.modules)"
    command = [sys.executable, "-c", script]
    loaded = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    ours = {name.partition(".")[0] for name in loaded} & {"native", "verifier", "prover", "api"}
    assert ours == set()
    assert "spec.reference.audit" in loaded
