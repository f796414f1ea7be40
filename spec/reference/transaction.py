"""Bitcoin transactions, and whether an input spends an output of a template of protocol.md 3.

An input is checked in two steps: its shape (scriptSig and witness are what the template demands),
then its signatures, over the signature hash of its template: legacy, BIP 143 or BIP 341.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256

from spec.reference import ecdsa
from spec.reference.address import double_sha256, hash160, p2pkh, p2sh
from spec.reference.errors import UnsupportedError
from spec.reference.script import (
    Multisig,
    compact_size,
    is_witness_program,
    parse_multisig,
    parse_pushes,
    template_of,
)
from spec.reference.transcript import bip340_hash
from spec.reference.wire import Reader

_SIGHASH_ALL = 1
_MAX_PUSH = 520  # bytes of an element on the stack, outside of taproot


@dataclass(frozen=True)
class Input:
    """An input, with what witnesses it."""

    prevout: bytes
    script_sig: bytes
    sequence: bytes
    witness: list[bytes]


@dataclass(frozen=True)
class Transaction:
    """A transaction; `outputs` are in their serialisation."""

    version: int
    inputs: list[Input]
    outputs: list[bytes]
    lock_time: bytes


@dataclass(frozen=True)
class Spent:
    """An output that is spent."""

    amount: int
    script: bytes


def _size(reader: Reader) -> int:
    """A CompactSize; none in a text of 131,072 characters needs more than five bytes."""
    size = reader.number(1)
    if size < 0xFD:
        return size
    if size == 0xFF:
        raise ValueError("longer than any signature")
    width = 2 if size == 0xFD else 4
    size = reader.number(width, "little")
    if size < (0xFD if width == 2 else 0x10000):
        raise ValueError("not the shortest form")
    return size


def _strings(reader: Reader) -> list[bytes]:
    strings = []
    for _ in range(_size(reader)):
        strings.append(reader.take(_size(reader)))
    return strings


def parse_witness(data: bytes) -> list[bytes]:
    reader = Reader(data)
    witness = _strings(reader)
    reader.finish()
    return witness


def parse_transaction(data: bytes) -> Transaction:
    """A transaction in the network's serialisation, with (BIP 144) or without witnesses."""
    reader = Reader(data)
    version = reader.number(4, "little")
    count = _size(reader)
    segwit = count == 0
    if segwit:
        if reader.number(1) != 1:
            raise ValueError("unknown flag, or no inputs")
        count = _size(reader)
    inputs = [(reader.take(36), reader.take(_size(reader)), reader.take(4)) for _ in range(count)]
    outputs = []
    for _ in range(_size(reader)):
        value, script = reader.take(8), reader.take(_size(reader))
        outputs.append(value + compact_size(len(script)) + script)
    witnesses = [_strings(reader) if segwit else [] for _ in inputs]
    if segwit and not any(witnesses):
        raise ValueError("witness form without a witness")
    lock_time = reader.take(4)
    reader.finish()
    joined = [Input(*fields, witness) for fields, witness in zip(inputs, witnesses, strict=True)]
    return Transaction(version, joined, outputs, lock_time)


def check_spend(transaction: Transaction, index: int, spent: list[Spent]) -> None:
    """Check that an input satisfies the script that it spends; `spent` is what each input spends.

    Raises UnsupportedError, and ValueError where it does not.
    """
    spend = _Spend(transaction, index, spent)
    checks = {
        "p2pkh": spend.p2pkh,
        "p2sh": spend.p2sh,
        "p2wpkh": spend.p2wpkh,
        "p2wsh": spend.p2wsh,
        "p2tr": spend.p2tr,
    }
    checks[template_of(spend.script)]()


class _Spend:
    """An input, with one check for each template.

    Each raises UnsupportedError or ValueError; returning means that the input satisfies the script.
    """

    def __init__(self, transaction: Transaction, index: int, spent: list[Spent]) -> None:
        self.transaction = transaction
        self.inputs = transaction.inputs
        self.index = index
        self.spent = spent
        self.version = transaction.version.to_bytes(4, "little")
        self.outputs = b"".join(transaction.outputs)
        self.script = spent[index].script
        self.script_sig = self.inputs[index].script_sig
        self.witness = self.inputs[index].witness

    def p2pkh(self) -> None:
        items = parse_pushes(self.script_sig)
        if len(items) != 2 or self.witness or hash160(items[1]) != self.script[3:23]:
            raise ValueError("not a signature and the address's key")
        self._ecdsa(items[0], [items[1]], self._legacy(self.script))

    def p2sh(self) -> None:
        *items, redeem = parse_pushes(self.script_sig)  # of nothing: a ValueError
        if p2sh(hash160(redeem)) != self.script:
            raise ValueError("not the address's script")
        if redeem[:2] == b"\x00\x14" and len(redeem) == 22:
            if items:
                raise ValueError("more than the script is pushed")
            self._witness_key(redeem)
        elif is_witness_program(redeem):
            raise UnsupportedError("template", "a nested witness program other than P2WPKH")
        else:
            multisig = parse_multisig(redeem)
            if self.witness:
                raise ValueError("an unexpected witness")
            if len(redeem) > _MAX_PUSH:
                raise ValueError("longer than what can be pushed")
            self._multisig(items, multisig, self._legacy(redeem))

    def p2wpkh(self) -> None:
        self._require_native()
        self._witness_key(self.script)

    def p2wsh(self) -> None:
        self._require_native()
        *items, inner = self.witness
        if sha256(inner).digest() != self.script[2:]:
            raise ValueError("not the address's script")
        self._multisig(items, parse_multisig(inner), self._segwit(inner))

    def p2tr(self) -> None:
        self._require_native()
        if len(self.witness) > 1:
            raise UnsupportedError("template", "a script path, or an annex")
        signature = self.witness[0] if self.witness else b""
        hash_type = signature[64:]
        if len(signature) < 64 or hash_type not in (b"", bytes([_SIGHASH_ALL])):
            raise ValueError("not a signature of hash type DEFAULT or ALL")
        digest = self._taproot(_SIGHASH_ALL if hash_type else 0)
        if not ecdsa.verify_schnorr(self.script[2:], digest, signature[:64]):
            raise ValueError("the signature does not hold")

    def _require_native(self) -> None:
        if self.script_sig:
            raise ValueError("a native witness program with a scriptSig")

    def _witness_key(self, program: bytes) -> None:
        if len(self.witness) != 2 or hash160(self.witness[1]) != program[2:]:
            raise ValueError("not a signature and the address's key")
        signature, key = self.witness
        if len(key) != 33:
            raise ValueError("an uncompressed key")
        self._ecdsa(signature, [key], self._segwit(p2pkh(program[2:])))

    def _multisig(self, items: list[bytes], multisig: Multisig, digest: bytes) -> None:
        """An empty item (that OP_CHECKMULTISIG drops), then the signatures in the keys' order."""
        if len(items) != multisig.needed + 1 or items[0]:
            raise ValueError("not as many signatures as are needed")
        left = multisig.keys
        for signature in items[1:]:
            used = self._ecdsa(signature, left, digest)
            left = left[used + 1 :]

    def _ecdsa(self, signature: bytes, keys: list[bytes], digest: bytes) -> int:
        """The index of the first key that the signature is by."""
        if signature[-1:] != bytes([_SIGHASH_ALL]):
            raise ValueError("not a signature of hash type ALL")
        r, s = ecdsa.parse_der(signature[:-1])
        for index, data in enumerate(keys):
            try:
                key = ecdsa.parse_key(data)
            except ValueError:
                continue  # a key that is none has signed nothing
            if ecdsa.verify_ecdsa(key, digest, r, s):
                return index
        raise ValueError("the signature does not hold")

    def _legacy(self, code: bytes) -> bytes:
        """All other inputs are without their scriptSig."""
        spent = b"".join(
            item.prevout
            + (compact_size(len(code)) + code if number == self.index else b"\x00")
            + item.sequence
            for number, item in enumerate(self.inputs)
        )
        return double_sha256(
            self.version
            + compact_size(len(self.inputs))
            + spent
            + compact_size(len(self.transaction.outputs))
            + self.outputs
            + self.transaction.lock_time
            + _SIGHASH_ALL.to_bytes(4, "little")
        )

    def _segwit(self, code: bytes) -> bytes:
        """BIP 143."""
        this = self.inputs[self.index]
        return double_sha256(
            self.version
            + double_sha256(b"".join(item.prevout for item in self.inputs))
            + double_sha256(b"".join(item.sequence for item in self.inputs))
            + this.prevout
            + compact_size(len(code))
            + code
            + self.spent[self.index].amount.to_bytes(8, "little")
            + this.sequence
            + double_sha256(self.outputs)
            + self.transaction.lock_time
            + _SIGHASH_ALL.to_bytes(4, "little")
        )

    def _taproot(self, hash_type: int) -> bytes:
        """BIP 341, key path without annex."""
        hashed = (
            b"".join(item.prevout for item in self.inputs),
            b"".join(item.amount.to_bytes(8, "little") for item in self.spent),
            b"".join(compact_size(len(item.script)) + item.script for item in self.spent),
            b"".join(item.sequence for item in self.inputs),
            self.outputs,
        )
        return bip340_hash(
            b"TapSighash",
            b"\x00"
            + bytes([hash_type])
            + self.version
            + self.transaction.lock_time
            + b"".join(sha256(part).digest() for part in hashed)
            + b"\x00"
            + self.index.to_bytes(4, "little"),
        )
