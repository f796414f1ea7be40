"""The state of EVM chains (protocol.md 3.3): RLP, headers, tries, and what accounts hold.

An RLP item is kept as its own encoding until somebody asks what is in it.
"""

from __future__ import annotations

from dataclasses import dataclass

from spec.reference.address import keccak256


class UnknownSlotError(Exception):
    """Neither this verifier nor its user says where the token keeps its balances."""


class MissingNodeError(Exception):
    """No node has the hash."""


class BadNodeError(Exception):
    """A node breaks a rule."""


@dataclass(frozen=True)
class Slot:
    """Where a contract keeps balances; a word with a bit of `frozen` counts nothing."""

    slot: int
    frozen: int = 0


Token = tuple[str, str]  # chain, contract
KNOWN = {  # by chain and contract
    ("ethereum", "0xdAC17F958D2ee523a2206206994597C13D831ec7"): Slot(2),
    ("ethereum", "0xA0b86991c6218b36c1d19D4a2e9Eb0cE3606eB48"): Slot(9, frozen=2**255),
    ("ethereum", "0x6B175474E89094C44Da98b954EedeAC495271d0F"): Slot(2),
    ("ethereum", "0x2260FAC5E5542a773Aa44fBCfeDf7C193bc2C599"): Slot(0),
    ("ethereum", "0x95aD61b0a150d79219dCF64E1E6Cc01f0B64C4cE"): Slot(0),
    ("ethereum", "0x514910771AF9Ca656af840dff83E8264EcF986CA"): Slot(1),
    ("ethereum", "0xB8c77482e45F1F44dE1745F52C74426C631bDD52"): Slot(5),
}


def all_slots(named: dict[Token, Slot]) -> dict[Token, Slot]:
    """The slots known, and those named for tokens that are not among them."""
    for token, entry in named.items():
        if KNOWN.get(token, entry).slot != entry.slot:
            raise ValueError(f"another slot is known for {token[1]} on {token[0]}")
    return named | KNOWN


def slots_of(chain: str, slots: dict[Token, Slot]) -> dict[str, Slot]:
    """One chain's slots, by contract."""
    return {contract: entry for (own, contract), entry in slots.items() if own == chain}


def split(data: bytes) -> tuple[bytes, bytes]:
    """The first RLP item of `data`, as it is encoded, and what follows it."""
    if not data:
        raise ValueError("no item")
    first = data[0]
    if first < 0x80:
        length, head = 0, 1
    elif first < 0xB8 or 0xC0 <= first < 0xF8:
        length, head = first - (0x80 if first < 0xB8 else 0xC0), 1
    else:
        size = first - (0xB7 if first < 0xC0 else 0xF7)
        head = 1 + size
        if len(data) < head or data[1] == 0:
            raise ValueError("a length is cut off, or begins with zero")
        length = int.from_bytes(data[1:head], "big")
        if length < 56:
            raise ValueError("a short length in the long form")
    if len(data) < head + length:
        raise ValueError("an item is cut off")
    if first == 0x81 and data[1] < 0x80:
        raise ValueError("a single byte in the long form")
    return data[: head + length], data[head + length :]


def is_list(item: bytes) -> bool:
    return item[0] >= 0xC0


def content(item: bytes) -> bytes:
    """What an item holds, without its head."""
    first = item[0]
    if first < 0x80:
        return item
    if first < 0xB8 or 0xC0 <= first < 0xF8:
        return item[1:]
    return item[1 + first - (0xB7 if first < 0xC0 else 0xF7) :]


def whole(data: bytes, *, a_list: bool) -> bytes:
    """The content of the one item, a list or a string, that `data` is."""
    item, rest = split(data)
    if rest or is_list(item) != a_list:
        raise ValueError("not one item of the kind wanted")
    return content(item)


def items_of(data: bytes) -> list[bytes]:
    """The encodings of the items of the list that `data` is."""
    rest, items = whole(data, a_list=True), []
    while rest:
        item, rest = split(rest)
        items.append(item)
    return items


def string(item: bytes, length: int | None = None) -> bytes:
    """The string that an item is, of exactly `length` bytes if that is given."""
    if is_list(item) or length not in (None, len(content(item))):
        raise ValueError("not a string of the right length")
    return content(item)


def number(digits: bytes, most: int) -> int:
    """A number of at most `most` bytes."""
    if len(digits) > most or digits.startswith(b"\0"):
        raise ValueError("a number is too long, or has a leading zero")
    return int.from_bytes(digits, "big")


@dataclass(frozen=True)
class Header:
    """What is used of a header."""

    hash: bytes
    number: int
    state_root: bytes
    time: int


# Behind the first 15 fields: the most bytes of a number, or a string of 32.
_HASH = 0
_TAIL = (32, _HASH, 8, 8, _HASH, _HASH, _HASH, 8)
_AVALANCHE_TAIL = (_HASH, 32, 32, 32, 8, 8, _HASH, 8, 8)


def parse_header(data: bytes, form: str) -> Header:
    """A header of a form, of any fork. ValueError for anything else."""
    items = items_of(data)
    if len(items) < {"bsc": 15, "avalanche": 19}.get(form, 16):
        raise ValueError("no fork has so few fields")
    for place, length in ((0, 32), (1, 32), (2, 20), (3, 32), (4, 32), (5, 32), (6, 256)):
        string(items[place], length)
    for place, most in ((7, 32), (8, 8), (9, 8), (10, 8), (11, 8)):
        number(string(items[place]), most)
    if len(string(items[12])) > (32 if form == "ethereum" else 4096):
        raise ValueError("too much extra data")
    string(items[13], 32)
    string(items[14], 8)
    tail = _AVALANCHE_TAIL if form == "avalanche" else _TAIL
    for item, most in zip(items[15:], tail, strict=False):
        if most == _HASH:
            string(item, 32)
        else:
            number(string(item), most)
    for item in items[15 + len(tail) :]:
        string(item)
    height, time = (number(string(items[place]), 8) for place in (8, 11))
    return Header(keccak256(data), height, string(items[3], 32), time)


class State:
    """What stands under a state root, as far as the nodes reach; `slots` are its chain's."""

    def __init__(self, root: bytes, nodes: list[bytes], slots: dict[str, Slot]) -> None:
        self._root = root
        self._nodes = {keccak256(node): node for node in nodes}
        self._slots = slots
        self.unused = set(self._nodes)

    def balance(self, account: bytes, contract: str) -> int:
        """ValueError where a value is no account or no word."""
        if not contract:
            return self._account(account)[0]
        if contract not in self._slots:
            raise UnknownSlotError("the slot is neither known nor named")
        token = self._slots[contract]
        _, storage_root = self._account(bytes.fromhex(contract.removeprefix("0x")))
        place = keccak256(bytes(12) + account + token.slot.to_bytes(32, "big"))
        found = self._lookup(storage_root, place)
        if found is None:
            return 0
        word = number(whole(found, a_list=False), 32)
        if word == 0:
            raise ValueError("a zero is stored")
        return 0 if word & token.frozen else word

    def _account(self, address: bytes) -> tuple[int, bytes]:
        """Balance and storage root."""
        found = self._lookup(self._root, address)
        if found is None:
            return 0, keccak256(b"\x80")
        items = items_of(found)
        if len(items) != 4:
            raise ValueError("not the four fields of an account")
        number(string(items[0]), 8)
        balance = number(string(items[1]), 32)
        string(items[3], 32)
        return balance, string(items[2], 32)

    def _lookup(self, root: bytes, key: bytes) -> bytes | None:
        """The value under a key, None where there is none."""
        if root == keccak256(b"\x80"):
            return None
        return self._walk(self._node(root), keccak256(key).hex())

    def _node(self, digest: bytes) -> list[bytes]:
        if digest not in self._nodes:
            raise MissingNodeError("no node has this hash")
        self.unused.discard(digest)
        return node_items(self._nodes[digest])

    def _walk(self, items: list[bytes], nibbles: str) -> bytes | None:
        """Go on from a node with the nibbles that are left."""
        if len(items) == 17:
            if not nibbles:
                raise BadNodeError("no nibble is left for a branch")
            child, nibbles = items[int(nibbles[0], 16)], nibbles[1:]
            if child == b"\x80":
                return None
        else:
            path, leaf = hex_prefix(items[0])
            if leaf and len(path) != len(nibbles):
                raise BadNodeError("a leaf does not end with the key")
            if not leaf and not 0 < len(path) < len(nibbles):
                raise BadNodeError("an extension without a path, or beyond the key")
            if not nibbles.startswith(path):
                return None
            if leaf:
                return string(items[1])
            child, nibbles = items[1], nibbles[len(path) :]
        # At most 64 calls deep: every node but the last takes a nibble.
        return self._walk(
            node_items(child) if is_list(child) else self._node(string(child)), nibbles
        )


def node_items(data: bytes) -> list[bytes]:
    """The items of a node, after every rule that holds for a node by itself."""
    try:
        items = items_of(data)
    except ValueError as error:
        raise BadNodeError(str(error)) from None
    if len(items) == 17:
        if items[16] != b"\x80":
            raise BadNodeError("a value at a branch")
        for item in items[:16]:
            if item != b"\x80":
                _check_reference(item)
    elif len(items) == 2:
        _, leaf = hex_prefix(items[0])
        if leaf and (is_list(items[1]) or not content(items[1])):
            raise BadNodeError("a leaf without a value")
        if not leaf:
            _check_reference(items[1])
    else:
        raise BadNodeError("neither 17 items nor 2")
    return items


def _check_reference(item: bytes) -> None:
    good = len(item) < 32 if is_list(item) else len(content(item)) == 32
    if not good:
        raise BadNodeError("no reference to a node")


def hex_prefix(item: bytes) -> tuple[str, bool]:
    """The nibbles of a path, and whether it is a leaf's."""
    if is_list(item) or not content(item):
        raise BadNodeError("no path")
    nibbles = content(item).hex()
    if nibbles[0] in "13":
        return nibbles[1:], nibbles[0] == "3"
    if nibbles[:2] in ("00", "20"):
        return nibbles[2:], nibbles[0] == "2"
    raise BadNodeError("no prefix of a path")
