"""Vectors of arguments made for another statement, and of exchanges that are not solvent."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

from tests.support.bases import base, base_files, derived, forged
from tests.support.forge import INFINITY, Bend, N, commit, lp, u
from tests.support.forged_sample import ETH, Spec, sample
from tests.support.forger import Lies
from tests.support.leaves_forge import bent as bent_stages
from tests.support.leaves_forge import omitting
from tests.support.vector import Vector
from tests.vectors.make_trees import Edit, bent, bent_leaves

PLACES = {"leaves": ("ETH", 0, 0), "sums": ("BTC", 1, 0), "solvency": ("ETH",)}
ITEMS: dict[str, tuple[str, Edit]] = {
    "version": ("argument", lambda data: u(2, 2) + data[2:]),
    "argument-version": ("argument", lambda data: data[:2] + u(2, 2) + data[4:]),
    "group": ("argument", lambda data: data.replace(b"secp256k1", b"secp256r1")),
    "generator-tag": ("argument", lambda data: data.replace(b"v1/gen", b"v0/gen")),
    "code": ("asset", lambda data: lp(b"ETC") + data[7:]),
    "decimals": ("asset", lambda data: data[:7] + b"\x07" + data[8:]),
    "units": ("asset", lambda data: data[:8] + bytes(32)),
}


def identities() -> dict[str, dict[str, Any]]:
    """Other exchanges and snapshots, whose context is not the bundle's."""
    return {
        "exchange": {"exchange": "Other Exchange"},
        "snapshot": {"snapshot_id": "2025-12-01"},
        "time": {"time": 1767225601},
        "key": {"signing_seed": bytes(32)},
    }


def replays() -> Iterator[Vector]:
    """Arguments made for another statement; whatever else is in the bundle fits."""
    fields: dict[str, list[tuple[str, str, Edit]]] = {kind: [] for kind in PLACES}
    other = {"leaves": "sums", "sums": "leaves", "solvency": "sums"}
    for kind, listed in fields.items():
        listed += [(name, label, edit) for name, (label, edit) in ITEMS.items()]
        listed.append(("kind", "argument", of_kind(other[kind])))
        for name, identity in identities().items():
            listed.append((name, "context", constant(sample([], {}, **identity).forger.context)))
    spans = {
        "level": (0, 1),
        "levels": (1, 2),
        "index": (2, 6),
        "capacity": (6, 10),
        "page-size": (10, 14),
    }
    for kind in ("leaves", "sums"):
        fields[kind] += [(name, "statement", moved(*span)) for name, span in spans.items()]
    spans = {"num": (0, 4), "den": (4, 8), "root": (8, 40), "evidence": (40, 72)}
    fields["solvency"] += [(name, "statement", moved(*span)) for name, span in spans.items()]
    fields["solvency"] += [
        ("assets", "statement", lambda data: data[:72] + commit(8 * 10**9, 0) + data[105:]),
        ("liabilities", "statement", lambda data: data[:105] + commit(1, 1)),
        ("swapped-sums", "statement", lambda data: data[:72] + data[105:] + data[72:105]),
    ]
    for kind, listed in fields.items():
        for name, label, edit in listed:
            yield derived(
                f"replay-{kind}-{name}",
                f"A {kind} argument made for another {name.replace('-', ' ')}.",
                "replays",
                "argument.rejected",
                forged(Lies(statement=restated(kind, label, edit))),
                place=PLACES[kind],
            )


def of_kind(kind: str) -> Edit:
    """An edit of item 1 that names another kind of argument."""
    head = u(1, 2) + u(1, 2) + lp(b"secp256k1") + lp(b"assay/v1/generator")
    return constant(head + lp(kind.encode()))


def constant(value: bytes) -> Edit:
    return lambda data: value


def moved(start: int, end: int) -> Edit:
    """An edit that adds 1 to an integer of a statement."""
    return lambda data: (
        data[:start]
        + u((int.from_bytes(data[start:end], "big") + 1) % 256 ** (end - start), end - start)
        + data[end:]
    )


def restated(
    kind: str, label: str, edit: Edit
) -> Callable[[str, str, list[tuple[str, bytes]]], list[tuple[str, bytes]]]:
    def statement(code: str, of: str, items: list[tuple[str, bytes]]) -> list[tuple[str, bytes]]:
        if (code, of) != (PLACES[kind][0], kind):
            return items
        return [(name, edit(data) if name == label else data) for name, data in items]

    return statement


def omissions() -> Iterator[Vector]:
    labels = (
        "argument",
        "context",
        "asset",
        "statement",
        "shape",
        "rows",
        "round",
        "announcements",
    )
    for kind, place in PLACES.items():
        for label in labels if kind == "solvency" else (*labels, "entries"):
            lies = bent(("ETH", 0, 0), Bend(omit=frozenset({label})), kind)
            if kind == "sums":
                lies = bent(("BTC", 1, 0), Bend(omit=frozenset({label})), kind)
            if kind == "leaves":
                lies = bent_leaves("ETH", 0, bent_stages({}, omitting(*left_out(label))))
            yield derived(
                f"omits-{kind}-{label}",
                f"The prover of a {kind} argument left {label!r} out of the transcript.",
                "transcript items left out",
                "argument.rejected",
                forged(lies),
                place=place,
            )


def left_out(label: str) -> list[str]:
    """Of the rounds each is named by itself."""
    return [f"round {number}" for number in range(1, 11)] if label == "round" else [label]


def solvency() -> Iterator[Vector]:
    short = replace(ETH, holdings=(("account", "", 7_000_000_000 * 10**9 - 1),))

    def insolvent(
        name: str, description: str, lies: Lies | None = None, spec: Spec = short
    ) -> Vector:
        return derived(
            f"insolvent-{name}",
            description,
            "insolvency",
            "argument.rejected",
            forged(lies, [spec]),
            place=("ETH",),
        )

    yield insolvent("by-one", "Assets fall one ledger unit short; the bits are of -1 mod n.")
    for residual in (1, 2, 3):
        yield insolvent(
            f"equation-{residual}",
            f"The same; equation {residual} alone is false.",
            bent(("ETH", 0, 0), Bend(residual=residual), "solvency"),
        )
    complement = tuple((2**128 - 1) >> k & 1 for k in range(128))
    yield insolvent(
        "complement",
        "The same, with the bits of 2^128 - 1.",
        bent(("ETH", 0, 0), Bend(complement), "solvency"),
    )
    minus = (N - 1, *[0] * 127)
    yield insolvent(
        "digit", "The same, as one digit of n - 1.", bent(("ETH", 0, 0), Bend(minus), "solvency")
    )
    yield insolvent(
        "positive",
        "The argument is made for 1 in place of -1.",
        Lies(solvency=lambda code, value: 1),
    )
    yield insolvent(
        "reversed",
        "The argument is made for what is missing.",
        Lies(solvency=lambda code, value: N - value),
    )
    yield insolvent("none", "Liabilities without any assets.", spec=replace(ETH, holdings=()))
    rounded = replace(
        ETH,
        holdings=(
            ("account", "", 3_500_000_000 * 10**9 + 5 * 10**8),
            ("other account", "", 3_500_000_000 * 10**9 - 5 * 10**8),
        ),
    )
    yield insolvent(
        "rounded",
        "Each address is rounded down: two halves of a ledger unit are none.",
        spec=rounded,
    )
    ratio = replace(ETH, ratio=(1001, 1000), holdings=(("account", "", 7_006_999_999 * 10**9),))
    yield insolvent("ratio", "Assets cover liabilities, and fall short of the ratio.", spec=ratio)
    good, other = (base_files("honest")[f"arguments/{code}/solvency"] for code in ("BTC", "ETH"))
    yield derived(
        "solvency-swapped",
        "The solvency arguments of two assets are swapped, and the record says so.",
        "replays",
        "argument.rejected",
        recorded({"arguments/BTC/solvency": other, "arguments/ETH/solvency": good}),
        place=("BTC",),
    )
    for name, description, code, data in (
        ("empty", "No solvency argument.", "bundle.wrong-argument", b""),
        ("short", "A solvency argument lacks a byte.", "bundle.wrong-argument", good[:-1]),
        (
            "long",
            "A solvency argument has a byte too many.",
            "bundle.wrong-argument",
            good + b"\x00",
        ),
        ("narrow", "A solvency argument for 64 bits.", "bundle.wrong-argument", bytes(1440)),
        (
            "point",
            "A solvency argument's first point is infinity.",
            "argument.bad-point",
            INFINITY + good[33:],
        ),
        (
            "scalar",
            "A solvency argument's last scalar is n.",
            "argument.bad-scalar",
            good[:-32] + N.to_bytes(32, "big"),
        ),
        (
            "flipped",
            "A bit of a solvency argument is flipped.",
            "argument.rejected",
            good[:-1] + bytes([good[-1] ^ 1]),
        ),
    ):
        content: dict[str, Any] = {"place": ("BTC",)} if code.startswith("argument.") else {}
        yield derived(
            f"solvency-{name}",
            description,
            "malformed arguments",
            code,
            recorded({"arguments/BTC/solvency": data}),
            **content,
        )


def recorded(changed: dict[str, bytes]) -> dict[str, bytes]:
    """The honest bundle with other files of arguments, which its record names."""
    files = dict(base_files("honest")) | changed
    return files | base("honest").forger.record(files)


def vectors() -> Iterator[Vector]:
    for maker in (replays, omissions, solvency):
        yield from maker()
