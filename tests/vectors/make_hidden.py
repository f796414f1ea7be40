"""Vectors of hidden keys: sets in the evidence of a bundle, whose solvency fits the lie."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

from eth_hash.auto import keccak

from tests.support import oracle
from tests.support.bases import (
    ACCOUNTS,
    HIDDEN,
    OWNERS,
    Files,
    base_files,
    derived,
    hiding,
    positive,
)
from tests.support.ethereum_state import Account, World, header, proof_fields
from tests.support.forge import N, u
from tests.support.forged_sample import ETH, key
from tests.support.forger import Fields, Lies
from tests.support.hidden_forge import HiddenKeys, unowned
from tests.support.proven import BITCOIN, HEIGHT, account
from tests.support.vector import Vector

Set = dict[str, Any]
Edit = Callable[[Set], None]


def of(
    name: str, description: str, code: str | None, sets: Sequence[HiddenKeys], **content: Any
) -> Vector:
    """A bundle with other sets of BTC."""
    source = "hidden keys" if code else "accepted"
    files = hiding(sets).forger.bundle()
    return derived(f"hidden-{name}", description, source, code, files, of="hidden", **content)


def changed(name: str, description: str, code: str, edit: Edit) -> Vector:
    """The set of BTC with its fields changed, when nothing fits the change."""
    place = {"place": ["BTC", 0]} if code.startswith("argument.") else {}
    return of(name, description, code, [replace(HIDDEN, edit=edit)], **place)


def put(field: str, at: int, data: bytes) -> Edit:
    def edit(fields: Set) -> None:
        old: bytes = fields[field]
        fields[field] = old[:at] + data + old[at + len(data) :]

    return edit


def vectors() -> Iterator[Vector]:
    yield positive(
        "hidden", "Hidden keys beside disclosed coins, on two chains.", base_files("hidden")
    )
    yield from accepted()
    yield from malformed()
    yield from doubled()
    yield from replayed()
    yield from proven()


def accepted() -> Iterator[Vector]:
    none = [(secret, False, amount) for secret, _, amount in OWNERS]
    every = [(secret, True, amount) for secret, _, amount in OWNERS]
    yield of("none-owned", "No key is owned.", None, [replace(HIDDEN, keys=none)])
    yield of("all-owned", "All keys are owned.", None, [replace(HIDDEN, keys=every)])
    zero = [(secret, owned, 0) for secret, owned, _ in OWNERS]
    yield of("nothing-held", "Keys without coins.", None, [replace(HIDDEN, keys=zero)])
    more = HiddenKeys(
        "bitcoin", "", ("p2pk", "p2sh-p2wpkh"), [(unowned(30), True, 5), (unowned(31), False, 6)], 9
    )
    yield of("two-sets", "Two sets of one unit, apart.", None, [HIDDEN, more])
    files = hiding(ethereum=[]).forger.bundle()
    yield derived("hidden-one-asset", "A set of one asset.", "accepted", None, files, of="hidden")


def malformed() -> Iterator[Vector]:
    cases: list[tuple[str, str, str, Edit]] = [
        ("fields-unknown", "A set with an unknown field.", "evidence.bad-fields",
         lambda f: f.update(name="x")),
        ("fields-missing", "A set without a field.", "evidence.bad-fields",
         lambda f: f.pop("scripts")),
        ("commitment-short", "A commitment of 32 bytes.", "evidence.bad-fields",
         lambda f: f.update(commitment=f["commitment"][:32])),
        ("keys-none", "No keys.", "evidence.bad-fields", lambda f: f.update(keys=b"")),
        ("scripts-none", "No types of script.", "evidence.bad-fields",
         lambda f: f.update(scripts=[])),
        ("unit-unknown", "A contract that is no unit.", "evidence.unknown-unit",
         lambda f: f.update(contract="0xdAC17F958D2ee523a2206206994597C13D831ec7")),
        ("scripts-unknown", "A type of script that there is not.", "hidden.bad-scripts",
         lambda f: f.update(scripts=["p2wsh"])),
        ("scripts-of-ethereum", "An account on bitcoin.", "hidden.bad-scripts",
         lambda f: f.update(scripts=["account"])),
        ("scripts-unsorted", "Types out of order.", "hidden.bad-scripts",
         lambda f: f["scripts"].reverse()),
        ("scripts-twice", "A type twice.", "hidden.bad-scripts",
         lambda f: f.update(scripts=["p2tr", "p2tr"])),
        ("keys-long", "A byte after the last key.", "hidden.bad-length",
         lambda f: f.update(keys=f["keys"] + b"\2")),
        ("amounts-short", "An amount less than keys.", "hidden.bad-length",
         lambda f: f.update(amounts=f["amounts"][:-16])),
        ("amounts-long", "An amount more than keys.", "hidden.bad-length",
         lambda f: f.update(amounts=f["amounts"] + bytes(16))),
        ("keys-unsorted", "The last key first.", "hidden.unsorted",
         lambda f: f.update(keys=f["keys"][-33:] + f["keys"][:-33])),
        ("keys-twice", "A key twice.", "hidden.unsorted",
         lambda f: f.update(keys=f["keys"][:33] + f["keys"][:-33])),
        ("key-prefix", "A key that begins with 04.", "hidden.bad-key", put("keys", 0, b"\4")),
        ("key-infinite", "A key of zeros.", "hidden.bad-key", put("keys", 0, bytes(33))),
        ("key-off-curve", "A key whose x has no point.", "hidden.bad-key",
         put("keys", 0, b"\2" + bytes(31) + b"\5")),
        ("commitment-infinite", "A commitment of zeros.", "hidden.bad-commitment",
         put("commitment", 0, bytes(33))),
        ("amounts-too-large", "Amounts of 2^96 in all.", "evidence.total-too-large",
         put("amounts", 0, u(2**96 - 1, 16))),
    ]  # fmt: skip
    for name, description, code, edit in cases:
        yield changed(name, description, code, edit)
    many = [
        HiddenKeys("bitcoin", "", ("p2tr",), [(unowned(100 + at), False, 0)], 5) for at in range(17)
    ]
    yield of("sets-17", "Seventeen sets.", "evidence.bad-fields", many)


def doubled() -> Iterator[Vector]:
    """Whatever would count twice."""

    def pair(name: str, description: str, second: HiddenKeys) -> Vector:
        return of(name, description, "evidence.duplicate-address", [HIDDEN, second])

    secret = OWNERS[0][0]
    for name, description, other, types in (
        ("key-in-two-sets", "A key in two sets.", secret, HIDDEN.scripts),
        ("key-by-other-types", "A key in two sets of other types.", secret, ("p2pk",)),
        ("opposite-key", "A key in one set, its opposite in another.", N - secret, ("p2tr",)),
    ):
        keys = [(other, True, 5), (unowned(40), False, 6)]
        yield pair(name, description, HiddenKeys("bitcoin", "", types, keys, 9))
    disclosed = {"p2wpkh": key(1), "p2pkh": key(2)}
    for kind, private in disclosed.items():
        keys = [*OWNERS, (int.from_bytes(private, "big"), True, 1)]
        yield of(
            f"disclosed-{kind}",
            f"A key of a disclosed {kind.upper()} address.",
            "evidence.duplicate-address",
            [replace(HIDDEN, keys=keys)],
        )
    keys = [*ACCOUNTS, (int.from_bytes(key(7), "big"), True, 1)]
    files = hiding(ethereum=[HiddenKeys("ethereum", "", ("account",), keys)]).forger.bundle()
    yield derived(
        "hidden-disclosed-account",
        "A key of a disclosed account.",
        "hidden keys",
        "evidence.duplicate-address",
        files,
        of="hidden",
    )
    other_type = [*OWNERS, (int.from_bytes(key(2), "big"), True, 1)]
    yield of(
        "disclosed-by-another-type",
        "The key of a disclosed P2PKH address, by its P2TR output alone.",
        None,
        [replace(HIDDEN, keys=other_type, scripts=("p2tr",))],
    )


def replayed() -> Iterator[Vector]:
    """An argument for another statement than the one that stands there."""
    foreign = oracle.encode(oracle.commit(HIDDEN.total(1) + 10**9, HIDDEN.blinding))

    def exchanged(fields: Set) -> None:
        fields["keys"] = fields["keys"][:-33] + other_last

    last = HIDDEN.listed()[-1][0]
    other_last = oracle.encode(oracle.neg(last))
    cases: list[tuple[str, str, Edit]] = [
        ("foreign-commitment", "A commitment to more.", put("commitment", 0, foreign)),
        ("wrong-amount", "An amount is one more.", put("amounts", 15, b"\xff")),
        ("wrong-key", "The opposite of a key.", exchanged),
        ("wrong-types", "A type of script less.", lambda f: f["scripts"].pop()),
    ]
    for name, description, edit in cases:
        yield changed(name, description, "argument.rejected", edit)
    for item, label in ((1, "context"), (2, "asset"), (3, "statement")):

        def other(
            code: str, kind: str, items: list[tuple[str, bytes]], at: int = item
        ) -> list[tuple[str, bytes]]:
            if (code, kind) != ("BTC", "assets"):
                return items
            name, data = items[at]
            return [*items[:at], (name, data[:-1] + bytes([data[-1] ^ 1])), *items[at + 1 :]]

        files = hiding(lies=Lies(statement=other)).forger.bundle()
        yield derived(
            f"hidden-other-{label}",
            f"An argument for another {label}.",
            "hidden keys",
            "argument.rejected",
            files,
            of="hidden",
            place=["BTC", 0],
        )


def proven() -> Iterator[Vector]:
    """Amounts that state proofs show."""
    sets = HiddenKeys("ethereum", "", ("account",), ACCOUNTS)

    def files(more: int, left_out: int = 0) -> Files:
        held = {account_of(point): Account(amount) for point, _, amount in sets.listed()}
        first = min(held)
        held[first] = Account(held[first].balance + more)
        asked = [account("account"), *sorted(held)[left_out:]]
        world = World({**held, account("account"): Account(ETH.holdings[0][2])})
        head = header(world.accounts.root, HEIGHT)
        nodes = world.nodes(*((owner, b"", 0) for owner in asked))

        def evidence(code: str, fields: Fields) -> None:
            if code == "ETH":
                fields["proofs"] = [proof_fields(head, nodes)]

        chains = [BITCOIN, ("ethereum", HEIGHT, keccak(head))]
        return hiding(ethereum=[sets], lies=Lies(evidence=evidence), chains=chains).forger.bundle()

    yield derived(
        "hidden-proven",
        "Hidden keys whose amounts are proved.",
        "accepted",
        None,
        files(0),
        of="hidden",
        levels={"BTC": "claimed", "ETH": "header", "USDT": "claimed"},
    )
    for name, description, code, made in (
        ("more", "A key holds more than the set says.", "hidden.wrong-amount", files(1)),
        ("less", "A key holds less than the set says.", "hidden.wrong-amount", files(-1)),
        ("unproved", "A key is not proved.", "proof.missing-node", files(0, 1)),
    ):
        yield derived(f"hidden-proven-{name}", description, "hidden keys", code, made, of="hidden")


def account_of(point: oracle.Point) -> bytes:
    """The account of a key."""
    x, y = point or (0, 0)
    return bytes(keccak(u(int(x), 32) + u(int(y), 32))[12:])
