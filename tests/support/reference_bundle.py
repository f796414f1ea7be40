"""A prover of transcript.md 4.5 and a maker of small bundles, for the tests of spec/reference.

Slow and plain; written on the reference's own group, and on msgpack. Pages of leaves are those of
`leaves_forge`.
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
from tests.support.forger import page_counts
from tests.support.leaves_forge import (
    Keys,
    LeavesPage,
    Place,
    open_leaf,
    page_opening,
    path_of,
    prove_leaves,
)

KEYS = Keys()
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
        self.amounts: list[int] = []
        self.identities: list[bytes] = []
        self.pages: list[LeavesPage] = []
        self.places: dict[str, list[dict[str, int]]] = {}
        self.keys: dict[str, bytes] = {}

    def sign(self, purpose: str, body: bytes) -> bytes:
        return self.signer.sign(tag(purpose) + sha256(body).digest())

    @property
    def units_digest(self) -> bytes:
        units = b"".join(
            lp(u["chain"]) + lp(u["contract"]) + bytes([u["decimals"]]) for u in self.units
        )
        return tagged_hash("units", u32(len(self.units)) + units)

    def place(self, level: int, index: int) -> Place:
        """Where a page stands."""
        asset = self.context, self.code, self.decimals, self.units_digest
        return Place(*asset, level, len(page_counts(self.capacity)), index, self.capacity, 16)

    def start(self, kind: str) -> Transcript:
        transcript = Transcript()
        versions = u16(1) + u16(1) + lp("secp256k1") + lp("assay/v1/generator")
        transcript.absorb("argument", versions + lp(kind))
        transcript.absorb("context", self.context)
        described = lp(self.code) + bytes([self.decimals]) + self.units_digest
        transcript.absorb("asset", described)
        return transcript

    def leaves(self, accounts: dict[str, list[int]]) -> None:
        """Give every part a leaf; fill up with zeros."""
        count = 16 * self.capacity
        free = list(range(count))
        self.rng.shuffle(free)
        self.amounts = [0] * count
        self.identities = [self.rng.randbytes(32) for _ in range(count)]
        for account, amounts in accounts.items():
            self.keys[account] = key = self.rng.randbytes(32)
            leaf_hash = tagged_hash("leaf", lp(self.context) + lp(self.code) + lp(account))
            self.places[account] = []
            for part, amount in enumerate(amounts):
                leaf = free.pop()
                self.amounts[leaf] = amount
                self.identities[leaf] = tagged_hash("identity", key + leaf_hash + u32(part))
                self.places[account].append({"amount": amount, "leaf": leaf, "part": part})

    def inner(
        self, level: int, index: int, entries: list[bytes], openings: list[tuple[int, int]]
    ) -> tuple[bytes, bytes]:
        """A page above level 0, and its argument."""
        transcript = Transcript(self.place(level, index).state("sums"))
        transcript.absorb("shape", Shape(len(entries), 64).encode())
        transcript.absorb("entries", b"".join(entries))
        values, blindings = zip(*openings, strict=True)
        argument = prove(transcript.state, 64, list(values), list(blindings), self.rng)
        return header(level, index, len(entries)) + b"".join(entries), argument

    def write(self, level: int, pages: list[bytes], arguments: list[bytes]) -> None:
        for folder, parts in (("pages", pages), ("arguments", arguments)):
            path = self.folder / folder / self.code / str(level)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(b"".join(parts))

    def tree(self) -> None:
        """Write pages and arguments, of at most two levels; keep the root's id, sum and opening."""
        self.pages = []
        for index in range(self.capacity):
            cut = slice(16 * index, 16 * index + 16)
            place = self.place(0, index)
            states = place.state("entries"), place.state("leaves")
            self.pages.append(prove_leaves(states, self.amounts[cut], self.identities[cut], KEYS))
        self.openings = [page.opening for page in self.pages]
        written = [header(0, at, 16) + page.entries for at, page in enumerate(self.pages)]
        self.ids = [sha256(page).digest() for page in written]
        self.write(0, written, [page.argument for page in self.pages])
        (self.root, *_), (self.liabilities, *_) = self.ids, self.openings
        if self.capacity > 1:
            named = zip(self.ids, self.openings, strict=True)
            entries = [child + encode(commit(*opening)) for child, opening in named]
            page, argument = self.inner(1, 0, entries, self.openings)
            self.write(1, [page], [argument])
            self.root = sha256(page).digest()
            total, blinding = map(sum, zip(*self.openings, strict=True))
            self.liabilities = total, blinding % N
        self.sum = encode(commit(*self.liabilities))

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
        (self.folder / "arguments" / self.code / "solvency").write_bytes(solvency)
        asset = {
            "capacity": self.capacity,
            "code": self.code,
            "decimals": self.decimals,
            "evidence": digest,
            "levels": len(page_counts(self.capacity)),
            "page_size": 16,
            "ratio": self.ratio,
            "root": self.root,
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
            "previous": self.previous,
            "protocol_version": 1,
            "public_key": self.public_key,
            "rotation": [],
            "snapshot_id": self.snapshot_id,
            "time": self.time,
        }
        self.publish(**changes)

    def publish(self, **changes: Any) -> None:
        """Sign and write the manifest with some fields replaced, and the record of arguments."""
        data = pack(self.manifest | changes)
        self.digest = tagged_hash("manifest", data)
        (self.folder / "manifest.msgpack").write_bytes(data)
        signature = self.sign("manifest-signature", data)
        (self.folder / "manifest.sig").write_bytes(signature)
        self.record()

    def record(self, **changes: Any) -> None:
        """Sign and write the record of the arguments that are there, with fields replaced."""
        folder = self.folder / "arguments" / self.code
        levels = [str(level) for level in range(len(page_counts(self.capacity)))]
        digests = {
            name: sha256((folder / name).read_bytes()).digest() for name in (*levels, "solvency")
        }
        asset = {
            "code": self.code,
            "levels": [digests[level] for level in levels],
            "solvency": digests["solvency"],
        }
        fields = {
            "argument_version": 1, "assets": [asset], "manifest": self.digest, "version": 1,
        }  # fmt: skip
        data = pack(fields | changes)
        (self.folder / "arguments.msgpack").write_bytes(data)
        (self.folder / "arguments.sig").write_bytes(self.sign("argument-record", data))

    def asset(self, **changes: Any) -> list[dict[str, Any]]:
        """The manifest's assets with some fields replaced."""
        return [self.manifest["assets"][0] | changes]

    def parts(self, account: str) -> list[dict[str, Any]]:
        """The parts of an account, as its package has them."""
        listed: list[dict[str, Any]] = []
        for place in self.places[account]:
            index, leaf = divmod(place["leaf"], 16)
            page, state = self.pages[index], self.place(0, index).state("opening")
            opened = page_opening(state, page, self.ids[index], leaf)
            path = b"".join(path_of(page.identities, leaf))
            listed.append({**place, "opening": open_leaf(opened, KEYS), "path": path})
        return listed

    def package(self, account: str, **changes: Any) -> bytes:
        body = {
            "account_id": account,
            "account_key": self.keys[account],
            "assets": [{"code": self.code, "parts": self.parts(account)}],
            "manifest": self.digest,
            "version": 1,
        }
        return self.seal(pack(body | changes))

    def seal(self, body: bytes) -> bytes:
        """A package around any body."""
        signature = self.sign("package-signature", body)
        return pack({"body": body, "log": b"", "signature": signature})


def header(level: int, index: int, count: int) -> bytes:
    return b"ASPG" + u16(1) + bytes([level]) + u32(index) + u32(count)
