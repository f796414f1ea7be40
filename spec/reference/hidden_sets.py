"""Sets of hidden keys in an evidence file (protocol.md 3.5, errors.md 2, numbers 15 and 18)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from spec.reference import address, tree, wire
from spec.reference.chains import CHAINS
from spec.reference.errors import Rejected
from spec.reference.group import Point, decode
from spec.reference.hidden import statement, verify_hidden
from spec.reference.manifest import Asset, Manifest, ascending, require

MAX_KEYS = 1 << 20
FIELDS = {
    "amounts": wire.binary(),
    "argument": wire.binary(),
    "chain": wire.text(),
    "commitment": wire.binary(33),
    "contract": wire.text(),
    "keys": wire.binary(least=33, most=33 * MAX_KEYS),
    "scripts": wire.array(wire.text(), 1, 8),
}
TYPES = {
    "bitcoin": {"p2pk", "p2pkh", "p2sh-p2wpkh", "p2tr", "p2wpkh"},
    "ethereum": {"account"},
}
Owner = tuple[str, str, bytes]  # chain, contract, script or account


@dataclass(frozen=True)
class HiddenSet:
    """A set whose list is in order; amounts are in ledger units."""

    fields: dict[str, Any]
    keys: list[Point]
    amounts: list[int]
    commitment: Point

    @property
    def chain(self) -> str:
        return str(self.fields["chain"])

    def accounts(self) -> Iterator[tuple[bytes, int]]:
        """The account of each key, and its amount in base units."""
        encoded, stated = _pieces(self.fields["keys"], 33), _pieces(self.fields["amounts"], 16)
        for key, point, amount in zip(encoded, self.keys, stated, strict=True):
            for account in expand(key, point, ["account"]):
                yield account, int.from_bytes(amount, "big")


def _pieces(data: bytes, size: int) -> list[bytes]:
    return [data[at : at + size] for at in range(0, len(data), size)]


def expand(key: bytes, point: Point, types: list[str]) -> Iterator[bytes]:
    """The scripts or the account that a key stands for."""
    x, y = (int(coordinate).to_bytes(32, "big") for coordinate in point or (0, 0))
    both = key, b"\x04" + x + y
    nested = address.witness_script_of(0, address.hash160(key))
    for name in types:
        if name == "p2pk":
            yield from (bytes([len(form)]) + form + b"\xac" for form in both)
        elif name == "p2pkh":
            yield from (address.p2pkh(address.hash160(form)) for form in both)
        elif name == "p2sh-p2wpkh":
            yield address.p2sh(address.hash160(nested))
        elif name == "p2tr":
            yield address.witness_script_of(1, x)
        elif name == "p2wpkh":
            yield nested
        else:
            yield address.keccak256(x + y)[12:]


def check(
    fields: dict[str, Any],
    earlier: list[dict[str, Any]],
    asset: Asset,
    owners: set[Owner],
    where: str,
) -> HiddenSet:
    """Number 15, for one set after those `earlier` in the file; `owners` are those of the rows."""
    unit = fields["chain"], fields["contract"]
    require(unit in asset.units, "evidence.unknown-unit", where)
    known = unit[0] in CHAINS
    require(not known or unit[0] in TYPES, "evidence.unsupported-chain", where)
    types = fields["scripts"]
    right = ascending(types) and (not known or set(types) <= TYPES[unit[0]])
    require(right, "hidden.bad-scripts", where)
    count, rest = divmod(len(fields["keys"]), 33)
    right = not rest and len(fields["amounts"]) == 16 * count
    require(right, "hidden.bad-length", where)
    encoded = _pieces(fields["keys"], 33)
    require(ascending(key[1:] for key in encoded), "hidden.unsorted", where)
    try:
        keys = [decode(key) for key in encoded]
    except ValueError as error:
        raise Rejected("hidden.bad-key", where, str(error)) from None
    try:
        commitment = decode(fields["commitment"])
    except ValueError as error:
        raise Rejected("hidden.bad-commitment", where, str(error)) from None
    abscissae = {key[1:] for key in encoded}
    for other in earlier:
        if (other["chain"], other["contract"]) == unit:
            shared = abscissae.intersection(key[1:] for key in _pieces(other["keys"], 33))
            require(not shared, "evidence.duplicate-address", where)
    for key, point in zip(encoded, keys, strict=True) if known else ():
        apart = all((*unit, owner) not in owners for owner in expand(key, point, types))
        require(apart, "evidence.duplicate-address", where)
    scale = 10 ** (asset.units[unit] - asset.decimals)
    amounts = [int.from_bytes(amount, "big") // scale for amount in _pieces(fields["amounts"], 16)]
    return HiddenSet(fields, keys, amounts, commitment)


def check_argument(hidden: HiddenSet, manifest: Manifest, asset: Asset, where: str) -> None:
    """Number 18: transcript.md 6."""
    fields = hidden.fields
    chain = fields["chain"]
    transcript = tree.start(manifest, asset, "assets")
    item = statement(
        chain,
        fields["contract"],
        manifest.heights[chain],
        manifest.chains[chain],
        fields["scripts"],
        hidden.keys,
        hidden.amounts,
        hidden.commitment,
    )
    transcript.absorb("statement", item)
    verify_hidden(
        transcript.state,
        hidden.keys,
        hidden.amounts,
        hidden.commitment,
        fields["argument"],
        where=where,
    )
