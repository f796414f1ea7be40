"""Small honest bundles on the real core, for the verifier's tests: two assets, a few customers.

A bundle is made of wire records that a test may change before `publish` signs them again.
"""

from __future__ import annotations

import random
from array import array
from base64 import b64encode
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from coincurve import PrivateKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

import native
from tests.support.ownership_forge import address_of, p2pkh
from verifier.format import wire
from verifier.format.evidence_records import Evidence, OwnershipSignature, Row
from verifier.format.keys import public_key_text, sign
from verifier.format.params import (
    DECLARATION_PATH,
    GROUP_ORDER,
    RECORD_PATH,
    RECORD_SIGNATURE_PATH,
    TreeShape,
    arguments_path,
    evidence_path,
    pages_path,
    solvency_path,
)
from verifier.format.statement import (
    declaration_digest,
    evidence_digest,
    leaf_identity,
    manifest_context,
    manifest_digest,
    solvency_commitments,
    solvency_state,
    tree_of,
)
from verifier.ownership import ownership_message
from verifier.ownership.families.evm import account_of, account_text, eip191_digest
from verifier.ownership.recovery import bip137_digest

SECRET, SALT = bytes(32), bytes(32)
UNITS = {"BTC": wire.Unit("bitcoin", "", 8), "ETH": wire.Unit("ethereum", "", 18)}
DECIMALS = {"BTC": 8, "ETH": 9}
BLOCKS = {"bitcoin": bytes(range(32)), "ethereum": bytes(range(32, 64))}

# Balances in ledger units, as parts: account, asset, parts.
Ledger = Mapping[str, Mapping[str, list[int]]]
LEDGER: Ledger = {
    "alice@example.com": {"BTC": [100_000_000, 50_000_000], "ETH": [3_200_000_000]},
    "bob@example.com": {"BTC": [100_000_000], "ETH": []},
    "carol@example.com": {"BTC": [], "ETH": []},
}


class Denominated(NamedTuple):
    """What a tree says of its asset."""

    code: str
    decimals: int
    units: tuple[wire.Unit, ...]


@dataclass
class Bundle:
    """A bundle in ``folder``, with what its exchange knows."""

    folder: Path
    ledger: Ledger = field(default_factory=lambda: LEDGER)
    capacities: Mapping[str, int] = field(default_factory=lambda: {"BTC": 2, "ETH": 1})
    page_size: int = 16
    assets_held: Mapping[str, int] = field(default_factory=dict)  # ledger units; else just enough
    id_type: str = "email"
    seed: int = 1
    head: Mapping[str, object] = field(default_factory=dict)  # fields of the manifest

    def __post_init__(self) -> None:
        self.rng = random.Random(self.seed)
        self.signer = Ed25519PrivateKey.from_private_bytes(bytes([self.seed]) * 32)
        self.key = self.signer.public_key().public_bytes_raw()
        self.key_text = public_key_text(self.key)
        self.keys = {account: self.rng.randbytes(32) for account in self.ledger}
        self.parts: dict[str, dict[str, tuple[wire.Part, ...]]] = {}
        self.arguing: dict[
            str, Callable[[bytes, bytes], bytes]
        ] = {}  # by the path of their arguments
        self.manifest = replace(
            wire.Manifest(
                account_id_type=self.id_type,
                argument_version=1,
                assets=(),
                chains=tuple(wire.Chain(BLOCKS[name], 7, name) for name in sorted(BLOCKS)),
                declaration=bytes(32),
                exchange="An Exchange",
                previous=bytes(32),
                protocol_version=1,
                public_key=self.key,
                rotation=(),
                snapshot_id="2024-q1",
                time=1_700_000_000,
            ),
            **self.head,  # type: ignore[arg-type]
        )
        self.context = manifest_context(self.manifest)
        self.evidence = {code: self._evidence(code) for code in self.capacities}
        assets = tuple(self._asset(code) for code in sorted(self.capacities))
        self.publish(replace(self.manifest, assets=assets))

    def publish(self, manifest: wire.Manifest) -> None:
        """Sign and write a manifest, and the record of its arguments."""
        self.manifest = manifest
        data = wire.write_record(manifest)
        self.digest = manifest_digest(data)
        (self.folder / "manifest.msgpack").write_bytes(data)
        signature = sign(self.signer, "manifest-signature", data)
        (self.folder / "manifest.sig").write_bytes(signature)
        self.record()

    def record(self, **changes: object) -> None:
        """Sign and write the record of the files of arguments as they are, with fields replaced."""
        digests = tuple(
            wire.RecordAsset(
                asset.code,
                tuple(
                    self._digest(arguments_path(asset.code, level))
                    for level in range(asset.shape.levels)
                ),
                self._digest(solvency_path(asset.code)),
            )
            for asset in self.manifest.assets
        )
        record = wire.ArgumentRecord(1, digests, self.digest, 1)
        self.seal_record(wire.write_record(replace(record, **changes)))  # type: ignore[arg-type]

    def seal_record(self, data: bytes) -> None:
        """Sign and write a record, whatever it holds."""
        (self.folder / RECORD_PATH).write_bytes(data)
        signature = sign(self.signer, "argument-record", data)
        (self.folder / RECORD_SIGNATURE_PATH).write_bytes(signature)

    def argue(self, salt: bytes) -> None:
        """Argue for the pages again, and publish that."""
        self._argue(salt)
        self.record()

    def _argue(self, salt: bytes) -> None:
        for path, argue in self.arguing.items():
            (self.folder / path).write_bytes(argue(SECRET, salt))

    def _digest(self, path: str) -> bytes:
        file = self.folder / path
        return native.sha256(file.read_bytes()) if file.exists() else bytes(32)

    def change_asset(self, at: int, **changes: object) -> None:
        """Publish with fields of one asset replaced."""
        assets = list(self.manifest.assets)
        assets[at] = replace(assets[at], **changes)  # type: ignore[arg-type]
        self.publish(replace(self.manifest, assets=tuple(assets)))

    def change_evidence(self, at: int, evidence: Evidence | bytes) -> None:
        """Publish with the evidence of one asset replaced, and the argument left as it is."""
        data = evidence if isinstance(evidence, bytes) else wire.write_record(evidence)
        (self.folder / evidence_path(self.manifest.assets[at].code)).write_bytes(data)
        self.change_asset(at, evidence=evidence_digest(data))

    def declare(self, loans: tuple[wire.Loan, ...] | bytes) -> None:
        """Publish with a declaration of loans, or of bytes as they are."""
        data = loans if isinstance(loans, bytes) else wire.write_record(loans)
        (self.folder / DECLARATION_PATH).write_bytes(data)
        self.publish(replace(self.manifest, declaration=declaration_digest(data)))

    def pledge(self, code: str, at: int = 0) -> wire.Pledge:
        """Return the address of a row of an asset's evidence."""
        row = self.evidence[code].rows[at]
        return wire.Pledge(row.address, row.chain)

    def body(self, account: str) -> wire.PackageBody:
        """Return the body of an account's package."""
        assets = tuple(
            wire.PackageAsset(asset.code, self.parts[asset.code][account])
            for asset in self.manifest.assets
        )
        return wire.PackageBody(account, self.keys[account], assets, self.digest, 1)

    def package(self, body: wire.PackageBody | bytes | str) -> bytes:
        """Sign a package: of an account, or with the body given."""
        record = self.body(body) if isinstance(body, str) else body
        data = record if isinstance(record, bytes) else wire.write_record(record)
        signature = sign(self.signer, "package-signature", data)
        return wire.write_record(wire.Package(data, b"", signature))

    def message(self, chain: str) -> str:
        """Return what the owner of an address on ``chain`` signs."""
        manifest = self.manifest
        return ownership_message(
            self.key_text, manifest.exchange, manifest.snapshot_id, chain, BLOCKS[chain]
        )

    def owned(self, code: str, secret: int, amount: int) -> tuple[Row, OwnershipSignature]:
        """Return a row of ``amount`` chain base units and its signature, under a throw-away key."""
        unit, key = UNITS[code], PrivateKey.from_int(secret)
        message = self.message(unit.chain)
        if unit.chain == "bitcoin":
            address = address_of(p2pkh(key.public_key.format()))
            raw = key.sign_recoverable(bip137_digest(message), hasher=None)
            kind, text = "bip137", b64encode(bytes([31 + raw[64]]) + raw[:64]).decode()
        else:
            address = account_text(account_of(key.public_key))
            raw = key.sign_recoverable(eip191_digest(message), hasher=None)
            kind, text = "eip191", "0x" + (raw[:64] + bytes([27 + raw[64]])).hex()
        return (
            Row(address, amount.to_bytes(32), unit.chain, unit.contract),
            OwnershipSignature(address, unit.chain, kind, text),
        )

    def total(self, code: str) -> int:
        """Return all customers' balances in ledger units."""
        return sum(sum(balances[code]) for balances in self.ledger.values())

    def _evidence(self, code: str) -> Evidence:
        held = self.assets_held.get(code, self.total(code))
        scale = 10 ** (UNITS[code].decimals - DECIMALS[code])
        pairs = [self.owned(code, 101, (held - held // 3) * scale)]
        pairs.append(self.owned(code, 102, held // 3 * scale))
        rows, signatures = zip(*sorted(pairs, key=lambda pair: pair[0].address), strict=True)
        return Evidence((), code, (), (), (), rows, signatures, (), 1)

    def _asset(self, code: str) -> wire.Asset:
        evidence = wire.write_record(self.evidence[code])
        (self.folder / "evidence").mkdir(parents=True, exist_ok=True)
        (self.folder / evidence_path(code)).write_bytes(evidence)
        root, total, blinding, commitment = self._tree(code)
        asset = wire.Asset(
            capacity=self.capacities[code],
            code=code,
            decimals=DECIMALS[code],
            evidence=evidence_digest(evidence),
            levels=TreeShape(self.capacities[code], self.page_size).levels,
            page_size=self.page_size,
            ratio=wire.Ratio(1, 1),
            root=root,
            sum=commitment,
            units=(UNITS[code],),
        )
        held = self.assets_held.get(code, self.total(code))
        assets, _ = solvency_commitments(held, asset.ratio, commitment)
        # Where assets fall short, the best that a cheat can do: an argument about zero.
        value = max(0, held - total).to_bytes(16)
        blinding_factor = (-blinding % GROUP_ORDER).to_bytes(32)
        argument = native.range_prove(
            solvency_state(self.context, asset, assets, commitment),
            128,
            value,
            blinding_factor,
            native.commit(value, blinding_factor, width=128),
            SECRET,
            SALT,
        )
        (self.folder / solvency_path(code)).write_bytes(argument)
        return asset

    def _leaves(self, code: str, count: int) -> tuple[array[int], list[bytes]]:
        """Place every part on a leaf, drawn at random; pad with zeros."""
        order = iter(self.rng.sample(range(count), count))
        values = array("Q", bytes(8 * count))
        identities = [self.rng.randbytes(32) for _ in range(count)]
        self.parts[code] = {}
        for account, balances in self.ledger.items():
            parts = [
                wire.Part(amount, next(order), b"", number, b"")
                for number, amount in enumerate(balances[code])
            ]
            for part in parts:
                values[part.leaf] = part.amount
                identities[part.leaf] = leaf_identity(
                    self.context, code, account, self.keys[account], part.part
                )
            self.parts[code][account] = tuple(parts)
        return values, identities

    def _tree(self, code: str) -> tuple[bytes, int, int, bytes]:
        """Write pages and arguments; return root id, total, its blinding factor, its commitment."""
        shape = TreeShape(self.capacities[code], self.page_size)
        tree = tree_of(self.context, Denominated(code, DECIMALS[code], (UNITS[code],)), shape)
        (self.folder / "pages" / code).mkdir(parents=True)
        (self.folder / "arguments" / code).mkdir(parents=True)
        values, identities = self._leaves(code, shape.leaves)
        made = native.leaves_commit(tree, 0, values, b"".join(identities), SECRET, SALT)
        self._open_leaves(code, tree, made, values, b"".join(identities))
        vectors, sums = made.vector_blindings, made.sum_blindings
        for level in range(shape.levels):
            if level:
                children, vectors, sums = made, made.sum_blindings, b""
                values = array("Q", memoryview(children.sum_values).cast("Q")[::2].tolist())
                made = native.sums_commit(
                    tree, level, 0, children.ids, children.sums, values, vectors
                )
            (self.folder / pages_path(code, level)).write_bytes(made.pages)
            self.arguing[arguments_path(code, level)] = partial(
                native.pages_argue, tree, level, 0, made.pages, values, vectors, sums
            )
        self._argue(SALT)
        total, _ = memoryview(made.sum_values).cast("Q")
        return bytes(made.ids), total, int.from_bytes(made.sum_blindings), bytes(made.sums)

    def _open_leaves(
        self,
        code: str,
        tree: native.Tree,
        made: native.Committed,
        values: array[int],
        identities: bytes,
    ) -> None:
        """Give every part its opening and its path."""

        def opened(part: wire.Part) -> wire.Part:
            page, leaf = divmod(part.leaf, tree.page_size)

            def of_page(column: Any, each: int) -> Any:
                return column[each * page : each * (page + 1)]

            opened = native.PageToOpen(
                tree,
                page,
                of_page(made.pages, tree.page_length(0)),
                of_page(values, tree.page_size),
                of_page(identities, 32 * tree.page_size),
                of_page(made.vector_blindings, 32 * tree.vectors),
                array("I", [leaf]),
            )
            opening, path = native.openings_make([opened], SECRET, SALT)
            return replace(part, opening=opening, path=path)

        for account, parts in self.parts[code].items():
            self.parts[code][account] = tuple(map(opened, parts))
