"""Hidden keys: a public list of keys, of which the exchange owns some and does not say which.

The checks of one set that need no node: its list, that it counts nothing twice, and its argument.
A key stands for its output scripts of the set's types, or for its account. Memory does not grow
with the number of scripts: keys are expanded a block at a time. Sources: spec/protocol.md 3.5,
spec/transcript.md 6, spec/errors.md 2, numbers 15 and 18.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Collection, Iterator, Sequence

import native
from verifier.checks.holdings import HiddenHolding
from verifier.errors import Code, Rejected
from verifier.format.bitcoin_hashes import hash160
from verifier.format.chains import CHAINS
from verifier.format.evidence_records import HiddenSet
from verifier.format.keccak import keccak256
from verifier.format.levels import Level
from verifier.format.params import POINT_BYTES
from verifier.format.statement import Denomination, hidden_state
from verifier.format.wire import Chain, is_ascending
from verifier.stateproof.state import WorldState, proven_balance

AMOUNT_BYTES = 16
_BLOCK = 1 << 12

# The types of script by chain; those of bitcoin are chosen from, ethereum has accounts alone.
SCRIPT_TYPES = {
    "bitcoin": ("p2pk", "p2pkh", "p2sh-p2wpkh", "p2tr", "p2wpkh"),
    "ethereum": ("account",),
}

Owners = Collection[tuple[str, str, bytes]]


def _push(data: bytes) -> bytes:
    return bytes([len(data)]) + data


def _p2pkh(key: bytes) -> bytes:
    return b"\x76\xa9" + _push(hash160(key)) + b"\x88\xac"


# What a compressed and an uncompressed key own; p2tr has the key itself as the output key.
_EXPANSIONS: dict[str, Callable[[bytes, bytes], list[bytes]]] = {
    "p2pk": lambda short, long: [_push(short) + b"\xac", _push(long) + b"\xac"],
    "p2pkh": lambda short, long: [_p2pkh(short), _p2pkh(long)],
    "p2sh-p2wpkh": lambda short, _: [
        b"\xa9" + _push(hash160(b"\0" + _push(hash160(short)))) + b"\x87"
    ],
    "p2tr": lambda short, _: [b"\x51" + _push(short[1:])],
    "p2wpkh": lambda short, _: [b"\0" + _push(hash160(short))],
    "account": lambda _, long: [keccak256(long[1:])[12:]],
}


def scripts_a_key(types: Sequence[str]) -> int:
    """Return how many scripts a key of bitcoin has of these types."""
    return sum(2 if name in ("p2pk", "p2pkh") else 1 for name in types)


def key_owners(keys: bytes, types: Sequence[str]) -> Iterator[list[bytes]]:
    """Yield what each key owns: its scripts of the types, or its account; as many for every key.

    ``keys`` are points that decode. A P2PK or P2PKH key has two scripts, compressed and not.
    """
    for at in range(0, len(keys), POINT_BYTES * _BLOCK):
        block = keys[at : at + POINT_BYTES * _BLOCK]
        points = native.points_decode(block)
        coordinates = native.points_coordinates(points, 0, points.count)
        for i in range(points.count):
            short = block[POINT_BYTES * i : POINT_BYTES * (i + 1)]
            long = b"\x04" + coordinates[64 * i : 64 * (i + 1)]
            yield [owner for name in types for owner in _EXPANSIONS[name](short, long)]


def ledger_amounts(amounts: bytes, scale: int) -> bytes:
    """Return amounts of chain base units in ledger units of ``scale`` base units, rounded down."""
    if scale == 1:
        return amounts
    return b"".join((amount // scale).to_bytes(AMOUNT_BYTES) for amount in split_amounts(amounts))


def split_amounts(amounts: bytes) -> Iterator[int]:
    """Yield amounts of 16 big-endian bytes each."""
    for at in range(0, len(amounts), AMOUNT_BYTES):
        yield int.from_bytes(amounts[at : at + AMOUNT_BYTES])


def check_sets(
    asset: Denomination, sets: Sequence[HiddenSet], rows: Owners
) -> tuple[HiddenHolding, ...]:
    """Check the lists of an asset's hidden sets; ``rows`` are the owners of its disclosed rows.

    An owner elsewhere in the bundle is of another unit, since no unit serves two assets.

    Raises:
        Rejected: the first fault, in the order of spec/errors.md, section 2, number 15.
    """
    decimals = {(unit.chain, unit.contract): unit.decimals for unit in asset.units}
    found: list[HiddenHolding] = []
    for at, listed in enumerate(sets):
        where = set_name(asset, at)
        place = listed.chain, listed.contract
        _check_fields(listed, place in decimals, where)
        _check_keys(listed, where)
        _check_disjoint(
            listed, rows, [other for other in sets[:at] if _place(other) == place], where
        )
        amounts = ledger_amounts(listed.amounts, 10 ** (decimals[place] - asset.decimals))
        found.append(HiddenHolding(listed, amounts, sum(split_amounts(amounts)), Level.CLAIMED))
    return tuple(found)


def check_argument(
    context: bytes, asset: Denomination, block: Chain, holding: HiddenHolding, where: str
) -> None:
    """Check that a set's commitment is to what its known keys hold (number 18).

    ``context`` is the snapshot's, 32 bytes; ``block`` that of the set's chain.

    Raises:
        Rejected: ``argument.bad-length``, ``bad-point``, ``bad-scalar`` or ``rejected``.
    """
    listed = holding.listed
    state = hidden_state(context, asset, block, listed, holding.amounts)
    keys = native.points_decode(listed.keys)
    try:
        native.hidden_verify(state, keys, holding.amounts, listed.commitment, listed.argument)
    except native.Rejected as error:
        message = "it is not proved that known keys hold what is committed to"
        raise Rejected(Code(error.code), where, message) from None


def check_proven(state: WorldState, listed: HiddenSet, where: str) -> None:
    """Check that the keys of a set hold exactly what it says, by the state of ethereum.

    Raises:
        Rejected: see `proven_balance`; then ``hidden.wrong-amount``.
    """
    accounts = key_owners(listed.keys, listed.scripts)
    for (account,), amount in zip(accounts, split_amounts(listed.amounts), strict=True):
        if proven_balance(state, listed.contract, account, where) != amount:
            raise Rejected(Code.HIDDEN_WRONG_AMOUNT, where, "another amount is proved of a key")


def set_name(asset: Denomination, at: int) -> str:
    """Return what an asset's hidden set number ``at`` is called."""
    return f"{asset.code}, hidden set {at}"


def _place(listed: HiddenSet) -> tuple[str, str]:
    return listed.chain, listed.contract


def _check_fields(listed: HiddenSet, is_unit: bool, where: str) -> None:
    if not is_unit:
        raise Rejected(Code.EVIDENCE_UNKNOWN_UNIT, where, "no unit of the asset")
    types = SCRIPT_TYPES.get(listed.chain)
    if types is None and listed.chain in CHAINS:
        raise Rejected(Code.EVIDENCE_UNSUPPORTED_CHAIN, where, "keys stand for nothing there")
    if not is_ascending(listed.scripts) or (types and not set(listed.scripts) <= set(types)):
        raise Rejected(Code.HIDDEN_BAD_SCRIPTS, where, "not types of the chain, ascending")
    count, rest = divmod(len(listed.keys), POINT_BYTES)
    if rest or len(listed.amounts) != AMOUNT_BYTES * count:
        raise Rejected(Code.HIDDEN_BAD_LENGTH, where, "not 33 and 16 bytes a key")


def _abscissae(keys: bytes) -> Iterator[bytes]:
    for at in range(0, len(keys), POINT_BYTES):
        yield keys[at + 1 : at + POINT_BYTES]


def _check_keys(listed: HiddenSet, where: str) -> None:
    if not is_ascending(_abscissae(listed.keys)):
        raise Rejected(Code.HIDDEN_UNSORTED, where, "the keys do not ascend by x")
    try:
        native.points_decode(listed.keys)
    except native.NativeError as error:
        raise Rejected(Code.HIDDEN_BAD_KEY, where, f"key {error.index} is no point") from None
    if not native.point_is_valid(listed.commitment):
        raise Rejected(Code.HIDDEN_BAD_COMMITMENT, where, "the commitment is no point")


def _check_disjoint(
    listed: HiddenSet, rows: Owners, others: Sequence[HiddenSet], where: str
) -> None:
    """No key, or its opposite, is in another set; nothing that a key owns is a row's.

    What a key owns on a chain that is not known, nobody here can say.
    """
    for other in others:
        if not is_ascending(heapq.merge(_abscissae(listed.keys), _abscissae(other.keys))):
            raise Rejected(Code.EVIDENCE_DUPLICATE_ADDRESS, where, "a key is in another set")
    if listed.chain not in SCRIPT_TYPES:
        return
    place = _place(listed)
    disclosed = {owner for *unit, owner in rows if (*unit,) == place}
    if disclosed and not all(
        disclosed.isdisjoint(owned) for owned in key_owners(listed.keys, listed.scripts)
    ):
        raise Rejected(Code.EVIDENCE_DUPLICATE_ADDRESS, where, "what a key owns is also a row's")
