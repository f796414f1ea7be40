"""A prover of transcript.md 4.5 and a maker of small bundles, for the tests of spec/reference.

Slow and plain; written on the reference's own group, and on msgpack.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

import msgpack
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from spec.reference.argument import Shape, eq, eq_table, lagrange
from spec.reference.group import N, V, encode, multi_multiply
from spec.reference.transcript import (
    Transcript,
    commit,
    generator,
    lp,
    tag,
    tagged_hash,
    u16,
    u32,
    u64,
)

NOTHING: dict[str, Any] = {
    "attestations": [], "code": "ETH", "coins": [], "hidden": [], "proofs": [], "rows": [],
    "signatures": [], "validators": [], "version": 1,
}  # fmt: skip
"""Evidence that holds nothing."""


def prove(
    state: bytes,
    b: int,
    values: Sequence[int],
    blindings: Sequence[int],
    rng: random.Random,
    digits: list[int] | None = None,
) -> bytes:
    """An argument for Com(values[i], blindings[i]) after `state`, with random nonces.

    `digits` replaces the bits, for cheating.
    """
    shape = Shape(len(values), b)
    nu, mu, log_b, columns = shape.nu, shape.mu, shape.nu - shape.mu, shape.columns
    B, Q = generator("B", 0), [generator("Q", j) for j in range(columns)]
    d = digits or [v >> k & 1 for v in values for k in range(b)]
    d = d + [0] * ((1 << nu) - len(d))
    rows = [d[a * columns : (a + 1) * columns] for a in range(shape.rows)]
    s = [rng.randrange(N) for _ in rows]
    sent = b"".join(
        encode(multi_multiply([(s_a, B), *zip(row, Q, strict=True)]))
        for s_a, row in zip(s, rows, strict=True)
    )
    transcript = Transcript(state)
    transcript.absorb("rows", sent)
    tau = [transcript.challenge("tau") for _ in range(nu)]
    sigma = [transcript.challenge("sigma") for _ in range(mu)]
    kappa = transcript.challenge("kappa")

    sigma_table = eq_table(sigma)
    blinding = kappa * sum(w * r for w, r in zip(sigma_table, blindings, strict=False)) % N
    tables = [eq_table(tau), [w * (1 << k) for w in sigma_table for k in range(b)], list(d)]
    x: list[int] = []
    claim = kappa * sum(w * v for w, v in zip(sigma_table, values, strict=False)) % N
    for j in range(1, nu + 1):
        p = []
        for t in range(4):
            at = [
                [(lo * (1 - t) + hi * t) % N for lo, hi in zip(f[::2], f[1::2], strict=True)]
                for f in tables
            ]
            p.append(sum(e * (v * v - v) + kappa * w * v for e, w, v in zip(*at, strict=True)) % N)
        rho = {t: rng.randrange(N) for t in (0, 2, 3)}
        message = b"".join(encode(commit(p[t], rho[t])) for t in (0, 2, 3))
        p[1] = (claim - p[0]) % N  # equal for an honest prover
        rho[1] = blinding - rho[0]
        transcript.absorb("round", u32(j) + message)
        sent += message
        x.append(transcript.challenge("x"))
        basis = lagrange(x[-1])
        blinding = sum(basis[t] * rho[t] for t in range(4)) % N
        claim = sum(basis[t] * p[t] for t in range(4)) % N
        tables = [
            [(lo + x[-1] * (hi - lo)) % N for lo, hi in zip(f[::2], f[1::2], strict=True)]
            for f in tables
        ]
    d_star = tables[2][0]
    rho_Y, rho_2 = rng.randrange(N), rng.randrange(N)
    Y = commit(d_star, rho_Y)
    P, L = eq_table(x[: shape.c]), eq_table(x[shape.c :])
    z = [sum(L[a] * row[j] for a, row in enumerate(rows)) % N for j in range(columns)]
    z_bar = [rng.randrange(N) for _ in range(columns)]
    t_bar, y_bar, y2_bar, delta_bar = (rng.randrange(N) for _ in range(4))
    d_bar = sum(a * c for a, c in zip(z_bar, P, strict=True)) % N
    announced = [
        Y,
        commit(d_star * d_star, rho_2),
        multi_multiply([(t_bar, B), *zip(z_bar, Q, strict=True)]),
        multi_multiply([(d_bar, V), (y_bar, B)]),
        multi_multiply([(d_bar, Y), (y2_bar, B)]),
        multi_multiply([(delta_bar, B)]),
    ]
    last = b"".join(map(encode, announced))
    transcript.absorb("announcements", last)
    e = transcript.challenge("e")
    e_star, w_star = eq(tau, x), eq(sigma, x[log_b:])
    for t in range(log_b):
        w_star = w_star * (1 + x[t] * (2 ** (2**t) - 1)) % N
    responses = [
        *((a + e * c) % N for a, c in zip(z_bar, z, strict=True)),
        (t_bar + e * sum(a * c for a, c in zip(L, s, strict=True))) % N,
        (y_bar + e * rho_Y) % N,
        (y2_bar + e * (rho_2 - d_star * rho_Y)) % N,
        (delta_bar + e * (blinding - e_star * rho_2 + (e_star - kappa * w_star) * rho_Y)) % N,
    ]
    return sent + last + b"".join(r.to_bytes(32, "big") for r in responses)


def pack(value: Any) -> bytes:
    """Canonical msgpack."""

    def ordered(item: Any) -> Any:
        if isinstance(item, dict):
            return {key: ordered(item[key]) for key in sorted(item)}
        return [ordered(element) for element in item] if isinstance(item, list) else item

    data = msgpack.packb(ordered(value))
    assert isinstance(data, bytes)
    return data


@dataclass
class Snapshot:
    """A bundle of one asset: 2 pages of 16 leaves and a root, two customers, one asset row."""

    folder: Path
    code: str = "ETH"
    capacity: int = 2
    ratio: dict[str, int] = field(default_factory=lambda: {"num": 1, "den": 1})
    seed: int = 1
    time: int = 1_700_000_000
    snapshot_id: str = "2024-q1"
    previous: bytes = bytes(32)

    def __post_init__(self) -> None:
        self.rng = random.Random(self.seed)
        self.signer = Ed25519PrivateKey.from_private_bytes(self.rng.randbytes(32))
        self.public_key = self.signer.public_key().public_bytes_raw()
        self.units: list[dict[str, Any]] = [{"chain": "ethereum", "contract": "", "decimals": 18}]
        self.decimals = 9
        self.block = bytes(range(32))
        names = lp(self.public_key) + lp("Exchange Ä") + lp(self.snapshot_id)
        self.context = tagged_hash("context", names + lp(u64(self.time)))
        self.openings: list[tuple[int, int]] = []
        self.places: dict[str, list[dict[str, int]]] = {}
        self.keys: dict[str, bytes] = {}

    def sign(self, purpose: str, body: bytes) -> bytes:
        return self.signer.sign(tag(purpose) + sha256(body).digest())

    def start(self, kind: str) -> Transcript:
        transcript = Transcript()
        versions = u16(1) + u16(1) + lp("secp256k1") + lp("assay/v1/generator")
        transcript.absorb("argument", versions + lp(kind))
        transcript.absorb("context", self.context)
        units = b"".join(
            lp(u["chain"]) + lp(u["contract"]) + bytes([u["decimals"]]) for u in self.units
        )
        digest = tagged_hash("units", u32(len(self.units)) + units)
        transcript.absorb("asset", lp(self.code) + bytes([self.decimals]) + digest)
        return transcript

    def leaves(self, accounts: dict[str, list[int]]) -> None:
        """Give every part a leaf; fill up with zeros."""
        count = 16 * self.capacity
        free = list(range(count))
        self.rng.shuffle(free)
        self.openings = [(0, self.rng.randrange(N)) for _ in range(count)]
        for account, amounts in accounts.items():
            self.keys[account] = key = self.rng.randbytes(32)
            leaf_hash = tagged_hash("leaf", lp(self.context) + lp(self.code) + lp(account))
            self.places[account] = []
            for part, amount in enumerate(amounts):
                leaf = free.pop()
                r = tagged_hash("blinding", key + leaf_hash + u32(part))
                self.openings[leaf] = (amount, int.from_bytes(r, "big") % N)
                self.places[account].append({"amount": amount, "leaf": leaf, "part": part})

    def page(
        self, level: int, index: int, entries: list[bytes], openings: list[tuple[int, int]]
    ) -> bytes:
        transcript = self.start("page")
        levels = 1 if self.capacity == 1 else 2
        statement = bytes([level, levels]) + u32(index) + u32(self.capacity) + u32(16)
        transcript.absorb("statement", statement)
        transcript.absorb("shape", Shape(len(entries), 64).encode())
        transcript.absorb("entries", b"".join(entries))
        values, blindings = zip(*openings, strict=True)
        argument = prove(transcript.state, 64, list(values), list(blindings), self.rng)
        header = b"ASPG" + u16(1) + bytes([level]) + u32(index) + u32(len(entries))
        return header + b"".join(entries) + argument

    def tree(self) -> None:
        """Write the page files; keep the root's id, sum and opening."""
        folder = self.folder / "pages" / self.code
        folder.mkdir(parents=True)
        openings, level = self.openings, 0
        entries = [encode(commit(*opening)) for opening in openings]
        while True:
            pages, sums, above = [], [], []
            for index, at in enumerate(range(0, len(entries), 16)):
                mine = openings[at : at + 16]
                page = self.page(level, index, entries[at : at + 16], mine)
                opening = (sum(v for v, _ in mine), sum(r for _, r in mine) % N)
                pages.append(page)
                sums.append(opening)
                above.append(sha256(page).digest() + encode(commit(*opening)))
            (folder / str(level)).write_bytes(b"".join(pages))
            if len(pages) == 1:
                self.root, self.sum, self.liabilities = above[0][:32], above[0][32:], sums[0]
                return
            openings, entries, level = sums, above, level + 1

    def finish(self, rows: list[Any], signatures: list[Any], **changes: Any) -> None:
        """Evidence, solvency argument, manifest. `changes` replace fields of the manifest."""
        evidence = pack(NOTHING | {"code": self.code, "rows": rows, "signatures": signatures})
        (self.folder / "evidence").mkdir(exist_ok=True)
        (self.folder / "evidence" / f"{self.code}.msgpack").write_bytes(evidence)
        digest = tagged_hash("evidence", evidence)
        spare = 10 ** (18 - self.decimals)
        held = sum(int.from_bytes(row["amount"], "big") // spare for row in rows)
        num, den = self.ratio["num"], self.ratio["den"]
        transcript = self.start("solvency")
        sums = encode(multi_multiply([(held, V)])) + self.sum
        transcript.absorb("statement", u32(num) + u32(den) + self.root + digest + sums)
        transcript.absorb("shape", Shape(1, 128).encode())
        value = den * held - num * self.liabilities[0]
        blinding = -num * self.liabilities[1] % N
        solvency = prove(transcript.state, 128, [value], [blinding], self.rng)
        asset = {
            "capacity": self.capacity,
            "code": self.code,
            "decimals": self.decimals,
            "evidence": digest,
            "levels": 1 if self.capacity == 1 else 2,
            "ratio": self.ratio,
            "root": self.root,
            "solvency": solvency,
            "sum": self.sum,
            "units": self.units,
        }
        self.manifest: dict[str, Any] = {
            "account_id_type": "email",
            "argument_version": 1,
            "assets": [asset],
            "chains": [{"hash": self.block, "height": 7, "name": "ethereum"}],
            "exchange": "Exchange Ä",
            "declaration": bytes(32),
            "page_size": 16,
            "previous": self.previous,
            "protocol_version": 1,
            "public_key": self.public_key,
            "rotation": [],
            "snapshot_id": self.snapshot_id,
            "time": self.time,
        }
        self.publish(**changes)

    def publish(self, **changes: Any) -> None:
        """Sign and write the manifest with some fields replaced."""
        data = pack(self.manifest | changes)
        self.digest = tagged_hash("manifest", data)
        (self.folder / "manifest.msgpack").write_bytes(data)
        signature = self.sign("manifest-signature", data)
        (self.folder / "manifest.sig").write_bytes(signature)

    def asset(self, **changes: Any) -> list[dict[str, Any]]:
        """The manifest's assets with some fields replaced."""
        return [self.manifest["assets"][0] | changes]

    def package(self, account: str, **changes: Any) -> bytes:
        body = {
            "account_id": account,
            "account_key": self.keys[account],
            "assets": [{"code": self.code, "parts": self.places[account]}],
            "manifest": self.digest,
            "version": 1,
        }
        data = pack(body | changes)
        return pack({"body": data, "signature": self.sign("package-signature", data)})
