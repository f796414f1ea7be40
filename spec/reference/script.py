"""The bitcoin script templates of protocol.md 3, and nothing of script beyond them."""

from __future__ import annotations

from dataclasses import dataclass

from spec.reference.errors import UnsupportedError
from spec.reference.wire import Reader

MAX_KEYS = 16  # what OP_1 ... OP_16 can say


def compact_size(value: int) -> bytes:
    """Bitcoin's CompactSize; no length here needs more than five bytes."""
    if value < 0xFD:
        return bytes([value])
    if value < 0x10000:
        return b"\xfd" + value.to_bytes(2, "little")
    return b"\xfe" + value.to_bytes(4, "little")


def push(data: bytes) -> bytes:
    """The minimal push of empty data or of 2 to 65,535 bytes."""
    if len(data) <= 75:
        return bytes([len(data)]) + data
    if len(data) <= 255:
        return b"\x4c" + bytes([len(data)]) + data
    return b"\x4d" + len(data).to_bytes(2, "little") + data


def parse_pushes(script: bytes) -> list[bytes]:
    """The data of a script of minimal pushes alone; ValueError for any other script."""
    reader = Reader(script)
    items: list[bytes] = []
    while not reader.at_end:
        opcode = reader.number(1)
        if opcode <= 75:
            items.append(reader.take(opcode))
        elif opcode in (0x4C, 0x4D):
            items.append(reader.take(reader.number(opcode - 0x4B, "little")))
        else:
            raise ValueError("not a push")
    if b"".join(map(push, items)) != script:
        raise ValueError("not a minimal push")
    return items


def template_of(script: bytes) -> str:
    """The template of an output script, as far as the script alone tells it."""
    templates = {
        "p2pkh": (b"\x76\xa9\x14", b"\x88\xac", 25),
        "p2sh": (b"\xa9\x14", b"\x87", 23),
        "p2wpkh": (b"\x00\x14", b"", 22),
        "p2wsh": (b"\x00\x20", b"", 34),
        "p2tr": (b"\x51\x20", b"", 34),
    }
    for name, (start, end, length) in templates.items():
        if len(script) == length and script.startswith(start) and script.endswith(end):
            return name
    raise UnsupportedError("template", "an unknown witness version or program")


def is_witness_program(script: bytes) -> bool:
    version = script[:1] == b"\x00" or b"\x51" <= script[:1] <= b"\x60"
    return version and 4 <= len(script) <= 42 and script[1] == len(script) - 2


@dataclass(frozen=True)
class Multisig:
    """A bare m-of-n script: any m of the keys, which are a majority."""

    needed: int
    keys: list[bytes]


def parse_multisig(script: bytes) -> Multisig:
    """`OP_m key … key OP_n OP_CHECKMULTISIG` with m > n/2 and n owners' compressed keys.

    Two keys with one x-coordinate are one owner's (equal, or each the other's negation), so they
    would make a minority of a majority. Raises UnsupportedError for every other script.
    """
    refused = UnsupportedError("template", "not a bare majority multisig")
    reader = Reader(script)
    keys: list[bytes] = []
    try:
        needed = reader.number(1) - 0x50
        while (opcode := reader.number(1)) == 33:
            keys.append(reader.take(33))
        check = reader.number(1)
        reader.finish()
    except ValueError:
        raise refused from None
    if not (
        check == 0xAE
        and 1 <= needed <= opcode - 0x50 == len(keys) <= MAX_KEYS
        and 2 * needed > len(keys)
        and all(key[0] in (2, 3) for key in keys)
        and len({key[1:] for key in keys}) == len(keys)
    ):
        raise refused
    return Multisig(needed, keys)
