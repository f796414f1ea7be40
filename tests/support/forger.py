"""The forger of bundles and packages: an exchange that is honest but for the lies it is given.

Invariants: with no lies, what comes out is accepted; every output is a function of its inputs.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgpack
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from spec.reference.keys import text as key_text
from tests.support.forge import (
    HONEST,
    Argument,
    Bend,
    N,
    Opening,
    Transcript,
    commit,
    lp,
    prove,
    tagged,
    u,
)
from tests.support.hidden_forge import HiddenKeys

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
    """One page, in parts.

    `opening` is that of its sum, as the honest parent would hold it; `error` its argument's.
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

    def encode(self) -> bytes:
        header = self.magic + u(self.version, 2) + u(self.level, 1)
        return header + u(self.index, 4) + u(self.count, 4) + self.entries + self.argument

    @property
    def id(self) -> bytes:
        return hashlib.sha256(self.encode()).digest()

    @property
    def sum(self) -> bytes:
        return commit(*self.opening)


def page_counts(capacity: int, size: int) -> list[int]:
    """Number of pages of each level, from level 0 to the root."""
    counts = [capacity]
    while counts[-1] > 1:
        counts.append(-(-counts[-1] // size))
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


@dataclass
class Asset:
    """One asset of a bundle to be forged.

    leaves: (amount, blinding) in tree order, exactly capacity·page size of them.
    rows: evidence rows as (chain, contract, address, amount).
    signatures: (chain, address, format, text).
    """

    code: str
    decimals: int
    units: list[tuple[str, str, int]]
    leaves: list[Opening]
    rows: list[tuple[str, str, str, int]]
    signatures: list[tuple[str, str, str, str]]
    capacity: int = 1
    ratio: tuple[int, int] = (1, 1)
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
    argument: (code, kind, level, index) -> bend of that argument.
    statement: (code, kind, items) -> the transcript items 1-4 that the prover absorbs instead.
    child: (code, level, index, id, opening) -> id and opening that the parent writes and proves
        for a child, `opening` being that of the child's sum.
    root: (code, id, opening) -> what the manifest says of the root, and solvency is proved for.
    solvency: (code, value) -> value that the solvency argument is made for.
    evidence, manifest: edit the map in place before it is encoded (and signed).
    """

    page: Callable[[str, Page], Page] = lambda code, page: page
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


def absorb_all(items: Sequence[tuple[str, bytes]], omit: frozenset[str]) -> bytes:
    """The transcript state after the given items."""
    transcript = Transcript(omit=omit)
    for label, data in items:
        transcript.absorb(label, data)
    return transcript.state


@dataclass
class Forger:
    """An exchange: builds bundles and packages, honest but for its lies."""

    assets: list[Asset]
    page_size: int = 16
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
    secret: bytes = b"forger"
    salt: bytes = bytes(32)
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

    def leaf_blinding(self, account_key: bytes, account_id: str, code: str, part: int) -> int:
        """Blinding factor of a customer's leaf: protocol.md 2.2."""
        leaf = tagged("leaf", lp(self.context) + lp(code.encode()) + lp(account_id.encode()))
        return int.from_bytes(tagged("blinding", account_key + leaf + u(part, 4)), "big") % N

    def items(self, asset: Asset, kind: str, statement: bytes) -> list[tuple[str, bytes]]:
        """Transcript items 1-4."""
        first = u(1, 2) + u(1, 2) + lp(b"secp256k1") + lp(b"assay/v1/generator")
        return [
            ("argument", first + lp(kind.encode())),
            ("context", self.context),
            ("asset", lp(asset.code.encode()) + u(asset.decimals, 1) + asset.units_digest()),
            ("statement", statement),
        ]

    def tree(self, asset: Asset) -> list[list[Page]]:
        """All pages, level by level, the lies applied where they belong."""
        counts = page_counts(asset.capacity, self.page_size)
        openings = list(asset.leaves)
        children: list[Page] = []
        levels: list[list[Page]] = []
        for level, number in enumerate(counts):
            pages = []
            for index in range(number):
                cut = slice(index * self.page_size, (index + 1) * self.page_size)
                pages.append(
                    self.page(asset, level, len(counts), index, openings[cut], children[cut])
                )
            openings = [page.opening for page in pages]
            children = pages
            levels.append(pages)
        return levels

    def page(
        self,
        asset: Asset,
        level: int,
        levels: int,
        index: int,
        openings: Sequence[Opening],
        children: Sequence[Page],
    ) -> Page:
        """One page over the given openings (and child pages, above level 0)."""
        ids = [b""] * len(openings)
        if level:
            stated = [
                self.lies.child(asset.code, level - 1, child.index, child.id, child.opening)
                for child in children
            ]
            ids, openings = [page_id for page_id, _ in stated], [opening for _, opening in stated]
        entries = b"".join(
            page_id + commit(*opening) for page_id, opening in zip(ids, openings, strict=True)
        )
        statement = u(level, 1) + u(levels, 1) + u(index, 4) + u(asset.capacity, 4)
        statement += u(self.page_size, 4)
        bend = self.lies.argument(asset.code, "page", level, index)
        argument = self.argue(asset, "page", statement, entries, openings, 64, bend)
        opening = (sum(v for v, _ in openings), sum(r for _, r in openings) % N)
        page = Page(
            level, index, len(openings), entries, argument.encode(), opening, error=argument.error
        )
        return self.lies.page(asset.code, page)

    def argue(
        self,
        asset: Asset,
        kind: str,
        statement: bytes,
        entries: bytes | None,
        openings: Sequence[Opening],
        b: int,
        bend: Bend,
    ) -> Argument:
        """The argument for openings under a statement. `entries` is item 6; None for solvency."""
        items = self.lies.statement(asset.code, kind, self.items(asset, kind, statement))
        state = absorb_all(items, bend.omit)
        return prove(state, b, openings, entries, self.secret, self.salt, bend)

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
            items = self.lies.statement(asset.code, "assets", items)
            return absorb_all(items, frozenset())

        return keys.fields(block, asset.scale(keys.chain, keys.contract), state)

    def bundle(self) -> dict[str, bytes]:
        """All files of the bundle by path."""
        files: dict[str, bytes] = {}
        listed = []
        for asset in self.assets:
            levels = self.trees.get(asset.code) or self.tree(asset)
            for level, pages in enumerate(levels):
                files[f"pages/{asset.code}/{level}"] = b"".join(page.encode() for page in pages)
            evidence = pack(self.evidence(asset))
            files[f"evidence/{asset.code}.msgpack"] = evidence
            listed.append(self.manifest_asset(asset, levels, evidence))
        fields: Fields = {
            "account_id_type": self.account_id_type,
            "argument_version": 1,
            "assets": listed,
            "chains": [{"hash": h, "height": at, "name": name} for name, at, h in self.chains],
            "exchange": self.exchange,
            "declaration": bytes(32),
            "page_size": self.page_size,
            "previous": self.previous,
            "protocol_version": 1,
            "public_key": self.public_key,
            "rotation": self.rotation,
            "snapshot_id": self.snapshot_id,
            "time": self.time,
        }
        self.lies.manifest(fields)
        files.update(self.seal(pack(fields)))
        return files

    def seal(self, manifest: bytes) -> dict[str, bytes]:
        """Manifest bytes, whatever they are, and their signature."""
        signature = sign(self.signing_seed, "manifest-signature", manifest)
        return {"manifest.msgpack": manifest, "manifest.sig": signature}

    def manifest_asset(self, asset: Asset, levels: list[list[Page]], evidence: bytes) -> Fields:
        """The asset's entry in the manifest, with its solvency argument."""
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
        argument = self.argue(asset, "solvency", statement, None, [difference], 128, bend)
        return {
            "capacity": asset.capacity,
            "code": asset.code,
            "decimals": asset.decimals,
            "evidence": digest,
            "levels": len(levels),
            "ratio": {"den": den, "num": num},
            "root": root,
            "solvency": argument.encode(),
            "sum": root_sum,
            "units": [
                {"chain": chain, "contract": contract, "decimals": decimals}
                for chain, contract, decimals in asset.units
            ],
        }

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
                {
                    "code": asset.code,
                    "parts": [
                        {"amount": amount, "leaf": leaf, "part": number}
                        for number, (leaf, amount) in enumerate(parts.get(asset.code, []))
                    ],
                }
                for asset in self.assets
            ],
            "manifest": tagged("manifest", manifest),
            "version": 1,
        }
        edit(body)
        return self.seal_package(pack(body))

    def seal_package(self, body: bytes) -> bytes:
        """A package around any body, signed."""
        signature = sign(self.signing_seed, "package-signature", body)
        return pack({"body": body, "signature": signature})
