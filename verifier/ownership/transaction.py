"""Bitcoin transactions, read strictly: one serialisation of each, and nothing behind it.

What is covered by a signature is kept as it was serialised. Sources: the network's serialisation,
with (BIP-144) or without witnesses.
"""

from __future__ import annotations

from dataclasses import dataclass

_OUTPOINT_BYTES = 36
_MARKED = b"\x01"  # what follows an empty list of inputs where witnesses come (BIP-144)
# CompactSize: by the first byte, the bytes that follow and the least number they are for.
_WIDTHS = {0xFD: (2, 0xFD), 0xFE: (4, 0x1_0000), 0xFF: (8, 0x1_0000_0000)}


@dataclass(frozen=True)
class Input:
    """An input; ``outpoint`` (36 bytes) and ``sequence`` (4) are as serialised."""

    outpoint: bytes
    script_sig: bytes
    sequence: bytes
    witness: list[bytes]

    @property
    def coin(self) -> tuple[bytes, int]:
        """The transaction id as displayed, and the index, of what is spent."""
        return self.outpoint[31::-1], int.from_bytes(self.outpoint[32:], "little")


@dataclass(frozen=True)
class Output:
    """An output, of an amount in satoshi under a script."""

    amount: int
    script: bytes

    def serialised(self) -> bytes:
        """Return its bytes in a transaction."""
        return self.amount.to_bytes(8, "little") + sized(self.script)


@dataclass(frozen=True)
class Transaction:
    """A transaction; ``version`` and ``lock_time`` are the 4 bytes serialised."""

    version: bytes
    inputs: list[Input]
    outputs: list[Output]
    lock_time: bytes


def parse_transaction(data: bytes) -> Transaction:
    """Read a transaction; takes time and memory in the order of the bytes given.

    Raises:
        ValueError: it is not one, or is one in another serialisation.
    """
    reader = _Reader(data)
    version = reader.take(4)
    count = reader.size()
    has_witnesses = count == 0
    if has_witnesses:
        if reader.take(1) != _MARKED:
            raise ValueError("neither inputs nor the mark of witnesses")
        count = reader.size()
    bare = [
        (reader.take(_OUTPOINT_BYTES), reader.take(reader.size()), reader.take(4))
        for _ in range(count)
    ]
    outputs = [
        Output(int.from_bytes(reader.take(8), "little"), reader.take(reader.size()))
        for _ in range(reader.size())
    ]
    witnesses = [reader.strings() if has_witnesses else [] for _ in bare]
    if has_witnesses and not any(witnesses):
        raise ValueError("marked as having witnesses, and there is none")
    lock_time = reader.take(4)
    reader.finish()
    inputs = [Input(*fields, witness) for fields, witness in zip(bare, witnesses, strict=True)]
    return Transaction(version, inputs, outputs, lock_time)


def parse_witness(data: bytes) -> list[bytes]:
    """Read one input's witness stack, as a transaction has it.

    Raises:
        ValueError: it is not one, or is one in another serialisation.
    """
    reader = _Reader(data)
    witness = reader.strings()
    reader.finish()
    return witness


def sized(data: bytes) -> bytes:
    """Return ``data`` after its length."""
    return compact_size(len(data)) + data


def compact_size(number: int) -> bytes:
    """Return the CompactSize of a number below 2^64."""
    for first, (width, least) in reversed(_WIDTHS.items()):
        if number >= least:
            return bytes([first]) + number.to_bytes(width, "little")
    return bytes([number])


class _Reader:
    """Takes bytes off the front; every method raises ValueError where there are too few."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def take(self, count: int) -> bytes:
        end = self._at + count
        if end > len(self._data):
            raise ValueError("truncated")
        taken = self._data[self._at : end]
        self._at = end
        return taken

    def size(self) -> int:
        """Take a CompactSize in its shortest form."""
        first = self.take(1)[0]
        if first not in _WIDTHS:
            return first
        width, least = _WIDTHS[first]
        number = int.from_bytes(self.take(width), "little")
        if number < least:
            raise ValueError("a number that is not in its shortest form")
        return number

    def strings(self) -> list[bytes]:
        return [self.take(self.size()) for _ in range(self.size())]

    def finish(self) -> None:
        if self._at != len(self._data):
            raise ValueError("bytes follow")
