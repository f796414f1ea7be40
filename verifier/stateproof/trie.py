"""Reading Ethereum's tries from a heap of nodes: the value under a key, or that there is none.

A node is found by its hash, so that what is read from a root is what was put under it. Keys are
hashes, of 32 bytes each: no value stands at a branch, and every path ends at a leaf or a gap.
Source: the yellow paper, appendices C and D. The rules for a node are those of spec/protocol.md,
section 3.3, to the letter, since a root may be anybody's.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache

from verifier.format.keccak import keccak256
from verifier.stateproof.rlp import BadRlp, Item, decode_list

HASH_BYTES = 32
_KEY_NIBBLES = 2 * HASH_BYTES
_BRANCH_ITEMS, _PATH_ITEMS = 17, 2
_CACHED_NODES = 2**14  # some 2 kB each

# keccak256(0x80), which is not computed here, for a customer's check loads no library for it.
EMPTY_ROOT = bytes.fromhex("56e81f171bcc55a6ff8345e692c0f86e5b48e01b996cadc001622fb5e363b421")


class MissingNode(ValueError):
    """A node on the way to a key is not at hand."""


class BadNode(ValueError):
    """A node on the way to a key is none."""


class Trie:
    """Nodes by their hash; ``unused`` are those that no `read` has come by."""

    def __init__(self, nodes: Iterable[bytes]) -> None:
        self._nodes = {keccak256(node): node for node in nodes}
        self._used: set[bytes] = set()

    @property
    def used(self) -> list[bytes]:
        """The nodes that were needed, ascending."""
        return sorted(self._nodes[digest] for digest in self._used)

    @property
    def unused(self) -> int:
        """The number of nodes that were not needed."""
        return len(self._nodes) - len(self._used)

    def read(self, root: bytes, key: bytes) -> bytes | None:
        """Return the value under the hash of ``key`` in the trie of a root, None if there is none.

        Raises:
            MissingNode: a node on the way is not at hand.
            BadNode: one is malformed.
        """
        if root == EMPTY_ROOT:
            return None
        path = keccak256(key).hex()
        items, at = self._fetch(root), 0
        while True:
            if len(items) == _BRANCH_ITEMS:
                if at == _KEY_NIBBLES:
                    raise BadNode("a branch after the end of a key")
                child = items[int(path[at], 16)]
                at += 1
            else:
                is_leaf, part = _hex_prefix(items[0])
                at += len(part)
                if (at != _KEY_NIBBLES) if is_leaf else (at >= _KEY_NIBBLES or not part):
                    raise BadNode("a path of a length that fits no key")
                if path[at - len(part) : at] != part:
                    return None
                if is_leaf:
                    return items[1].data
                child = items[1]
            if not child.data:
                return None
            items = self._follow(child)

    def _follow(self, child: Item) -> list[Item]:
        """Return the node that a branch or an extension refers to."""
        return _parse(child.data) if child.is_list else self._fetch(child.data)

    def _fetch(self, digest: bytes) -> list[Item]:
        if digest not in self._nodes:
            raise MissingNode("a node on the path is not there")
        self._used.add(digest)
        return _parse(self._nodes[digest])


@lru_cache(maxsize=_CACHED_NODES)
def _parse(node: bytes) -> list[Item]:
    """Parse a node: 17 items, of which 16 refer to nodes, or 2, of which one is a path.

    Raises:
        BadNode: it is neither.
    """
    try:
        items = decode_list(node)
    except BadRlp as error:
        raise BadNode(str(error)) from None
    if len(items) == _BRANCH_ITEMS:
        if items[-1] != Item(False, b""):
            raise BadNode("a value at a branch")
        for child in items[:-1]:
            if child.data:
                _check_reference(child)
    elif len(items) == _PATH_ITEMS:
        is_leaf, _ = _hex_prefix(items[0])
        if not is_leaf:
            _check_reference(items[1])
        elif items[1].is_list or not items[1].data:
            raise BadNode("a leaf without a value")
    else:
        raise BadNode(f"{len(items)} items")
    return items


def _check_reference(child: Item) -> None:
    """A node is named by its hash, or stands where its name would, if it is shorter than that."""
    if child.is_list:
        if len(child.data) >= HASH_BYTES:
            raise BadNode("a node of 32 bytes or more inside another")
    elif len(child.data) != HASH_BYTES:
        raise BadNode("a reference that is no hash")


def _hex_prefix(item: Item) -> tuple[bool, str]:
    """Decode a path: whether it is a leaf's, and its nibbles."""
    if item.is_list or not item.data:
        raise BadNode("no path")
    digits = item.data.hex()
    flag = digits[0]
    if flag not in "0123" or (flag in "02" and digits[1] != "0"):
        raise BadNode("a path's prefix is malformed")
    return flag in "23", digits[1 if flag in "13" else 2 :]
