"""The forger of bundles and packages: an exchange that is honest but for the lies it is given.

Invariants: with no lies, what comes out is accepted; every output is a function of its inputs.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgpack
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from spec.reference.keys import text as key_text
from tests.support import leaves_forge
from tests.support.forge import (
    HONEST,
    Argument,
    Bend,
    N,
    Opening,
    commit,
    lp,
    prove,
    tagged,
    u,
)
from tests.support.hidden_forge import HiddenKeys
from tests.support.leaves_forge import Keys, LeavesPage, Opened, Place, absorbed

Fields = dict[str, Any]
"""A map to be encoded, before anybody knows whether it is well-formed."""


def pack(fields: object) -> bytes:
    """msgpack with map keys sorted, whatever the map holds: canonical for honest maps."""
    return bytes(msgpack.packb(in_order(fields), use_bin_type=True))


def in_order(value: object) -> object:
    """The value with the keys of every map sorted."""
    if isinstance(value, dict):
        return {key: in_order(value[key]) for key in sorted(value)}
    if isinstance(value, list):
        return [in_order(item) for item in value]
    return value


def sign(seed: bytes, purpose: str, body: bytes) -> bytes:
    """Ed25519 over tag ‖ SHA-256(body), under the key of a 32-byte seed."""
    key = Ed25519PrivateKey.from_private_bytes(seed)
    return key.sign(b"assay/v1/" + purpose.encode() + hashlib.sha256(body).digest())


def public_key(seed: bytes) -> bytes:
    """The Ed25519 public key of a 32-byte seed."""
    return Ed25519PrivateKey.from_private_bytes(seed).public_key().public_bytes_raw()


@dataclass
class Page:
    """One page and its argument, in parts.

    `opening` is that of its sum, as the honest parent would hold it; `error` its argument's;
    `leaves` what the maker of a page of leaves knows of it.
    """

    level: int
    index: int
    count: int
    entries: bytes
    argument: bytes
    opening: Opening
    magic: bytes = b"ASPG"
    version: int = 1
    error: int = 0
    leaves: LeavesPage | None = None

    def encode(self) -> bytes:
        """Header and entries."""
        header = self.magic + u(self.version, 2) + u(self.level, 1)
        return header + u(self.index, 4) + u(self.count, 4) + self.entries

    @property
    def id(self) -> bytes:
        return hashlib.sha256(self.encode()).digest()

    @property
    def sum(self) -> bytes:
        return commit(*self.opening)


FAN = 64
"""Children of a page above level 0."""


def page_counts(capacity: int) -> list[int]:
    """Number of pages of each level, from level 0 to the root."""
    counts = [capacity]
    while counts[-1] > 1:
        counts.append(-(-counts[-1] // FAN))
    return counts


def attested(seed: bytes, body: bytes, purpose: str = "holding-attestation") -> Fields:
    """An attestation as evidence has it: any body, signed under the key of a seed."""
    return {"body": body, "key": public_key(seed), "signature": sign(seed, purpose, body)}


@dataclass(frozen=True)
class Elsewhere:
    """A holding that a third party signs for; amounts in base units. `others` are further fields
    of the body, in place of the honest ones.
    """

    seed: bytes
    amount: int
    encumbered: int = 0
    chain: str = "fiat"
    contract: str = "EUR"
    kind: str = "bank-balance"
    reference: str = "account ending 4711"
    others: tuple[tuple[str, Any], ...] = ()

    def body(self, forger: Forger) -> Fields:
        """What is signed."""
        honest = {
            "amount": u(self.amount, 32),
            "attester": "Custodian AG",
            "chain": self.chain,
            "contract": self.contract,
            "document": hashlib.sha256(b"statement.pdf").digest(),
            "encumbered": u(self.encumbered, 32),
            "exchange_key": forger.public_key,
            "holder": "Forged Exchange Ltd",
            "kind": self.kind,
            "not_after": forger.time + 30 * 86_400,
            "reference": self.reference,
            "snapshot_id": forger.snapshot_id,
            "time": forger.time - 3600,
            "version": 1,
        }
        return honest | dict(self.others)

    def fields(self, forger: Forger) -> Fields:
        """The attestation as evidence has it."""
        return attested(self.seed, pack(self.body(forger)))

    @property
    def place(self) -> tuple[str, str, bytes, str]:
        """What attestations are ordered by."""
        return self.chain, self.contract, public_key(self.seed), self.reference


@dataclass(frozen=True)
class Leaf:
    """An amount and an identity."""

    amount: int
    identity: bytes


@dataclass
class Asset:
    """One asset of a bundle to be forged.

    leaves: in tree order, exactly capacity·page size of them.
    blindings: of the sums of some pages of level 0, by index; the others have those of the spec.
    rows: evidence rows as (chain, contract, address, amount).
    signatures: (chain, address, format, text).
    """

    code: str
    decimals: int
    units: list[tuple[str, str, int]]
    leaves: list[Leaf]
    rows: list[tuple[str, str, str, int]]
    signatures: list[tuple[str, str, str, str]]
    capacity: int = 1
    page_size: int = 16
    ratio: tuple[int, int] = (1, 1)
    blindings: dict[int, int] = field(default_factory=dict)
    hidden: list[HiddenKeys] = field(default_factory=list)
    elsewhere: list[Elsewhere] = field(default_factory=list)

    def scale(self, chain: str, contract: str) -> int:
        """Base units in a ledger unit."""
        decimals = {unit[:2]: unit[2] for unit in self.units}
        return int(10 ** (decimals.get((chain, contract), self.decimals) - self.decimals))

    def hidden_opening(self) -> Opening:
        """What the commitments of all hidden sets open to, added up."""
        total = sum(keys.total(self.scale(keys.chain, keys.contract)) for keys in self.hidden)
        return total, sum(keys.blinding for keys in self.hidden)

    def units_digest(self) -> bytes:
        listed = b"".join(
            lp(chain.encode()) + lp(contract.encode()) + u(decimals, 1)
            for chain, contract, decimals in self.units
        )
        return tagged("units", u(len(self.units), 4) + listed)

    def total(self) -> int:
        """Assets in ledger units, each row and each attested holding rounded down."""
        decimals = {(chain, contract): d for chain, contract, d in self.units}
        elsewhere: int = sum(
            (held.amount - held.encumbered) // self.scale(held.chain, held.contract)
            for held in self.elsewhere
        )
        rows: int = sum(
            amount // 10 ** (decimals[chain, contract] - self.decimals)
            for chain, contract, _, amount in self.rows
        )
        return elsewhere + rows


@dataclass
class Lies:
    """What a forged bundle does wrong: hooks, each called at its step on the honest product.

    page: (code, page) -> page, before the page's id enters its parent.
    leaves: (code, index) -> bend of that page of leaves.
    argument: (code, kind, level, index) -> bend of that argument of the kinds sums and solvency.
    statement: (code, kind, items) -> the transcript items 1-4 that the prover absorbs instead.
    child: (code, level, index, id, opening) -> id and opening that the parent writes and proves
        for a child, `opening` being that of the child's sum.
    root: (code, id, opening) -> what the manifest says of the root, and solvency is proved for.
    solvency: (code, value) -> value that the solvency argument is made for.
    evidence, manifest, record: edit the map in place before it is encoded (and signed).
    """

    page: Callable[[str, Page], Page] = lambda code, page: page
    leaves: Callable[[str, int], leaves_forge.Bend] = lambda code, index: leaves_forge.HONEST
    argument: Callable[[str, str, int, int], Bend] = lambda code, kind, level, index: HONEST
    statement: Callable[[str, str, list[tuple[str, bytes]]], list[tuple[str, bytes]]] = (
        lambda code, kind, items: items
    )
    child: Callable[[str, int, int, bytes, Opening], tuple[bytes, Opening]] = (
        lambda code, level, index, page_id, opening: (page_id, opening)
    )
    root: Callable[[str, bytes, Opening], tuple[bytes, Opening]] = lambda code, page_id, opening: (
        page_id,
        opening,
    )
    solvency: Callable[[str, int], int] = lambda code, value: value
    evidence: Callable[[str, Fields], None] = lambda code, fields: None
    manifest: Callable[[Fields], None] = lambda fields: None
    record: Callable[[Fields], None] = lambda fields: None


@dataclass
class Forger:
    """An exchange: builds bundles and packages, honest but for its lies."""

    assets: list[Asset]
    exchange: str = "Forged Exchange"
    snapshot_id: str = "2026-01-01"
    time: int = 1767225600
    account_id_type: str = "email"
    chains: list[tuple[str, int, bytes]] = field(
        default_factory=lambda: [
            ("bitcoin", 900_000, bytes(31) + b"\x01"),
            ("ethereum", 24_000_000, bytes(31) + b"\x02"),
        ]
    )
    previous: bytes = bytes(32)
    rotation: list[Fields] = field(default_factory=list)
    signing_seed: bytes = bytes(31) + b"\x07"
    keys: Keys = field(
        default_factory=lambda: Keys(b"forger entries", b"forger", b"forger openings")
    )
    lies: Lies = field(default_factory=Lies)
    trees: dict[str, list[list[Page]]] = field(default_factory=dict)  # made before, by code

    @property
    def public_key(self) -> bytes:
        return public_key(self.signing_seed)

    @property
    def context(self) -> bytes:
        return tagged(
            "context",
            lp(self.public_key)
            + lp(self.exchange.encode())
            + lp(self.snapshot_id.encode())
            + lp(u(self.time, 8)),
        )

    def ownership_message(self, chain: str) -> str:
        """The message that an address of the chain must sign."""
        block = next(block_hash for name, _, block_hash in self.chains if name == chain)
        key = key_text(self.public_key)
        lines = ["assay/v1/ownership", key, self.exchange, self.snapshot_id, chain, block.hex()]
        return "\n".join(lines)

    def identity(self, account_key: bytes, account_id: str, code: str, part: int) -> bytes:
        """Identity of a customer's leaf: protocol.md 2.2."""
        leaf = tagged("leaf", lp(self.context) + lp(code.encode()) + lp(account_id.encode()))
        return tagged("identity", account_key + leaf + u(part, 4))

    def place(self, asset: Asset, level: int = 0, index: int = 0) -> Place:
        """Where a page of an asset stands."""
        levels = len(page_counts(asset.capacity))
        names = self.context, asset.code, asset.decimals, asset.units_digest()
        return Place(*names, level, levels, index, asset.capacity, asset.page_size)

    def items(self, asset: Asset, kind: str, statement: bytes) -> list[tuple[str, bytes]]:
        """Transcript items 1-4 of a statement that is none of a page's."""
        return [*self.place(asset).items(kind)[:3], ("statement", statement)]

    def tree(self, asset: Asset) -> list[list[Page]]:
        """All pages, level by level, the lies applied where they belong."""
        levels: list[list[Page]] = []
        for level, number in enumerate(page_counts(asset.capacity)):
            below = levels[-1] if level else []
            pages = []
            for index in range(number):
                children = below[index * FAN : (index + 1) * FAN]
                made = (
                    self.sums(asset, level, index, children) if level else self.leaves(asset, index)
                )
                pages.append(self.lies.page(asset.code, made))
            levels.append(pages)
        return levels

    def leaves(self, asset: Asset, index: int) -> Page:
        """One page of level 0."""
        size, place = asset.page_size, self.place(asset, index=index)
        leaves = asset.leaves[index * size : (index + 1) * size]
        bend = self.lies.leaves(asset.code, index)
        items = self.lies.statement(asset.code, "leaves", place.items("leaves"))
        made = leaves_forge.prove_leaves(
            (place.state("entries"), absorbed(items, bend.reader.omit)),
            [leaf.amount for leaf in leaves],
            [leaf.identity for leaf in leaves],
            self.keys,
            asset.blindings.get(index),
            bend,
        )
        return Page(0, index, size, made.entries, made.argument, made.opening, leaves=made)

    def sums(self, asset: Asset, level: int, index: int, children: Sequence[Page]) -> Page:
        """One page above level 0, over its child pages."""
        stated = [
            self.lies.child(asset.code, level - 1, child.index, child.id, child.opening)
            for child in children
        ]
        openings = [opening for _, opening in stated]
        entries = b"".join(page_id + commit(*opening) for page_id, opening in stated)
        bend = self.lies.argument(asset.code, "sums", level, index)
        items = self.place(asset, level, index).items("sums")
        argument = self.argue(asset, "sums", items, entries, openings, 64, bend)
        opening = (sum(v for v, _ in openings), sum(r for _, r in openings) % N)
        encoded, error = argument.encode(), argument.error
        return Page(level, index, len(children), entries, encoded, opening, error=error)

    def argue(
        self,
        asset: Asset,
        kind: str,
        items: list[tuple[str, bytes]],
        entries: bytes | None,
        openings: Sequence[Opening],
        b: int,
        bend: Bend,
    ) -> Argument:
        """The argument for openings under items 1-4. `entries` is item 6; None for solvency."""
        state = absorbed(self.lies.statement(asset.code, kind, items), bend.omit)
        keys = self.keys
        return prove(state, b, openings, entries, keys.argument, keys.salt, bend)

    def evidence(self, asset: Asset) -> Fields:
        """The evidence file as a map, lies applied."""
        fields: Fields = {
            "attestations": [
                held.fields(self) for held in sorted(asset.elsewhere, key=lambda it: it.place)
            ],
            "code": asset.code,
            "coins": [],
            "hidden": [self.hidden_fields(asset, keys) for keys in asset.hidden],
            "proofs": [],
            "rows": [
                {"address": a, "amount": u(amount, 32), "chain": chain, "contract": contract}
                for chain, contract, a, amount in asset.rows
            ],
            "signatures": [
                {"address": a, "chain": chain, "format": f, "text": text}
                for chain, a, f, text in asset.signatures
            ],
            "validators": [],
            "version": 1,
        }
        self.lies.evidence(asset.code, fields)
        return fields

    def hidden_fields(self, asset: Asset, keys: HiddenKeys) -> Fields:
        """A hidden set as evidence has it."""
        block = next(((at, h) for name, at, h in self.chains if name == keys.chain), (0, bytes(32)))

        def state(statement: bytes) -> bytes:
            items = self.items(asset, "assets", statement)
            return absorbed(self.lies.statement(asset.code, "assets", items))

        return keys.fields(block, asset.scale(keys.chain, keys.contract), state)

    def bundle(self) -> dict[str, bytes]:
        """All files of the bundle by path."""
        files: dict[str, bytes] = {}
        listed = []
        for asset in self.assets:
            levels = self.trees.get(asset.code) or self.tree(asset)
            for level, pages in enumerate(levels):
                files[f"pages/{asset.code}/{level}"] = b"".join(page.encode() for page in pages)
                arguments = b"".join(page.argument for page in pages)
                files[f"arguments/{asset.code}/{level}"] = arguments
            evidence = pack(self.evidence(asset))
            files[f"evidence/{asset.code}.msgpack"] = evidence
            entry, argument = self.manifest_asset(asset, levels, evidence)
            files[f"arguments/{asset.code}/solvency"] = argument
            listed.append(entry)
        fields: Fields = {
            "account_id_type": self.account_id_type,
            "argument_version": 1,
            "assets": listed,
            "chains": [{"hash": h, "height": at, "name": name} for name, at, h in self.chains],
            "exchange": self.exchange,
            "declaration": bytes(32),
            "previous": self.previous,
            "protocol_version": 1,
            "public_key": self.public_key,
            "rotation": self.rotation,
            "snapshot_id": self.snapshot_id,
            "time": self.time,
        }
        self.lies.manifest(fields)
        files.update(self.seal(pack(fields)))
        return files | self.record(files)

    def seal(self, manifest: bytes) -> dict[str, bytes]:
        """Manifest bytes, whatever they are, and their signature."""
        signature = sign(self.signing_seed, "manifest-signature", manifest)
        return {"manifest.msgpack": manifest, "manifest.sig": signature}

    def record(self, files: Mapping[str, bytes]) -> dict[str, bytes]:
        """The record of the arguments in a bundle's files, and its signature."""

        def digest(asset: Asset, name: object) -> bytes:
            return hashlib.sha256(files[f"arguments/{asset.code}/{name}"]).digest()

        fields: Fields = {
            "argument_version": 1,
            "assets": [
                {
                    "code": asset.code,
                    "levels": [
                        digest(asset, level) for level in range(len(page_counts(asset.capacity)))
                    ],
                    "solvency": digest(asset, "solvency"),
                }
                for asset in self.assets
            ],
            "manifest": tagged("manifest", files["manifest.msgpack"]),
            "version": 1,
        }
        self.lies.record(fields)
        return self.seal_record(pack(fields))

    def seal_record(self, record: bytes) -> dict[str, bytes]:
        """A record's bytes, whatever they are, and their signature."""
        signature = sign(self.signing_seed, "argument-record", record)
        return {"arguments.msgpack": record, "arguments.sig": signature}

    def manifest_asset(
        self, asset: Asset, levels: list[list[Page]], evidence: bytes
    ) -> tuple[Fields, bytes]:
        """The asset's entry in the manifest, and its solvency argument."""
        num, den = asset.ratio
        root, opening = self.lies.root(asset.code, levels[-1][0].id, levels[-1][0].opening)
        (liabilities, blinding), root_sum = opening, commit(*opening)
        hidden, hidden_blinding = asset.hidden_opening()
        total = asset.total() + hidden
        digest = tagged("evidence", evidence)
        held = commit(total, hidden_blinding)
        statement = u(num, 4) + u(den, 4) + root + digest + held + root_sum
        value = self.lies.solvency(asset.code, (den * total - num * liabilities) % N)
        bend = self.lies.argument(asset.code, "solvency", 0, 0)
        difference = (value, (den * hidden_blinding - num * blinding) % N)
        items = self.items(asset, "solvency", statement)
        argument = self.argue(asset, "solvency", items, None, [difference], 128, bend)
        entry = {
            "capacity": asset.capacity,
            "code": asset.code,
            "decimals": asset.decimals,
            "evidence": digest,
            "levels": len(levels),
            "page_size": asset.page_size,
            "ratio": {"den": den, "num": num},
            "root": root,
            "sum": root_sum,
            "units": [
                {"chain": chain, "contract": contract, "decimals": decimals}
                for chain, contract, decimals in asset.units
            ],
        }
        return entry, argument.encode()

    def package(
        self,
        manifest: bytes,
        account_id: str,
        account_key: bytes,
        parts: dict[str, list[tuple[int, int]]],
        edit: Callable[[Fields], None] = lambda fields: None,
    ) -> bytes:
        """An inclusion package; parts: for each asset the (leaf index, amount) of part 0, 1, …"""
        body: Fields = {
            "account_id": account_id,
            "account_key": account_key,
            "assets": [
                {"code": asset.code, "parts": self.parts(asset, parts.get(asset.code, []))}
                for asset in self.assets
            ],
            "manifest": tagged("manifest", manifest),
            "version": 1,
        }
        edit(body)
        return self.seal_package(pack(body))

    def parts(self, asset: Asset, placed: Sequence[tuple[int, int]]) -> list[Fields]:
        """The parts of a package."""
        pages = (self.trees.get(asset.code) or self.tree(asset))[0] if placed else []
        listed: list[Fields] = []
        for number, (leaf, amount) in enumerate(placed):
            index, at = divmod(leaf, asset.page_size)
            opened = self.opened(asset, pages[index], at, amount)
            path = leaves_forge.path_of(known(pages[index]).identities, at)
            listed.append(
                {
                    "amount": amount,
                    "leaf": leaf,
                    "opening": leaves_forge.open_leaf(opened, self.keys),
                    "part": number,
                    "path": b"".join(path),
                }
            )
        return listed

    def opened(self, asset: Asset, page: Page, leaf: int, amount: int | None = None) -> Opened:
        """What an opening of a page's leaf is made for."""
        state = self.place(asset, index=page.index).state("opening")
        return leaves_forge.page_opening(state, known(page), page.id, leaf, amount)

    def seal_package(self, body: bytes) -> bytes:
        """A package around any body, signed."""
        signature = sign(self.signing_seed, "package-signature", body)
        return pack({"body": body, "log": b"", "signature": signature})


def known(page: Page) -> LeavesPage:
    """What the maker of a page of leaves knows of it."""
    if page.leaves is None:
        raise TypeError("not a page of leaves")
    return page.leaves
