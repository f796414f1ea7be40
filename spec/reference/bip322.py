"""BIP 322 signatures, simple and full, of the templates of protocol.md 3.

A signature is the witness (simple, prefix `smp`) or the whole (full, prefix `ful`) of a virtual
transaction `to_sign`, which spends the one output of a virtual transaction `to_spend`, which
commits to the message. Besides its input's scriptSig and witness `to_sign` is free in its version,
0 or 2, and in lock time and sequence, which no accepted script reads; so the three signature hashes
(legacy, BIP 143, BIP 341) are functions of these, of `to_spend` and of the script.
"""

from __future__ import annotations

import base64
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

_ZERO = bytes(4)  # a version, a lock time, a sequence, or an index
_OUTPUT = bytes(8) + b"\x01\x6a"  # value zero, script OP_RETURN
_SIGHASH_ALL = 1


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


def decode_base64(text: str) -> bytes:
    """The bytes of canonical base64; ValueError for any other text."""
    data = base64.b64decode(text.encode(), validate=True)
    if base64.b64encode(data).decode() != text:
        raise ValueError("not canonical base64")
    return data


def _size(reader: Reader) -> int:
    """A CompactSize; no honest one needs more than three bytes, as a text has at most 16,384."""
    size = reader.number(1)
    if size == 0xFD:
        size = reader.number(2, "little")
        if size < 0xFD:
            raise ValueError("not the shortest form")
    elif size > 0xFD:
        raise ValueError("longer than any signature")
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


def to_spend_id(script: bytes, message: bytes) -> bytes:
    """The hash of `to_spend`, in the byte order of a prevout."""
    script_sig = b"\x00\x20" + bip340_hash(b"BIP0322-signed-message", message)
    spent = bytes(32) + b"\xff" * 4 + compact_size(len(script_sig)) + script_sig + _ZERO
    created = bytes(8) + compact_size(len(script)) + script
    return double_sha256(_ZERO + b"\x01" + spent + b"\x01" + created + _ZERO)


def _decode(text: str, prevout: bytes) -> Transaction:
    """The `to_sign` of a text. Without a prefix it is a simple signature."""
    if text.startswith("ful"):
        return parse_transaction(decode_base64(text[3:]))
    witness = parse_witness(decode_base64(text.removeprefix("smp")))
    return Transaction(0, [Input(prevout, b"", _ZERO, witness)], [_OUTPUT], _ZERO)


def _refuse_kinds(to_sign: Transaction) -> None:
    if to_sign.version not in (0, 2):
        raise UnsupportedError("signature", "a transaction version other than 0 and 2")


def verify(script: bytes, message: bytes, text: str) -> None:
    """Check the signature of a message for an output script.

    Raises UnsupportedError, and ValueError for a bad signature.
    """
    if text.startswith("pof"):
        raise UnsupportedError("signature", "a proof of funds")
    prevout = to_spend_id(script, message) + _ZERO
    to_sign = _decode(text, prevout)
    _refuse_kinds(to_sign)
    if len(to_sign.inputs) != 1 or to_sign.inputs[0].prevout != prevout:
        raise ValueError("not a spend of the message's transaction")
    if to_sign.outputs != [_OUTPUT]:
        raise ValueError("not the one output")
    spend = _Spend(script, prevout, to_sign)
    checks = {
        "p2pkh": spend.p2pkh,
        "p2sh": spend.p2sh,
        "p2wpkh": spend.p2wpkh,
        "p2wsh": spend.p2wsh,
        "p2tr": spend.p2tr,
    }
    checks[template_of(script)]()


class _Spend:
    """The input of `to_sign`, with one check for each template.

    Each raises UnsupportedError or ValueError; returning means that the input satisfies the script.
    """

    def __init__(self, script: bytes, prevout: bytes, to_sign: Transaction) -> None:
        self.script = script
        self.prevout = prevout
        self.version = to_sign.version.to_bytes(4, "little")
        self.lock_time = to_sign.lock_time
        self.sequence = to_sign.inputs[0].sequence
        self.script_sig = to_sign.inputs[0].script_sig
        self.witness = to_sign.inputs[0].witness

    def p2pkh(self) -> None:
        items = parse_pushes(self.script_sig)
        if len(items) != 2 or self.witness or hash160(items[1]) != self.script[3:23]:
            raise ValueError("not a signature and the address's key")
        self._ecdsa(items[0], [items[1]], self._legacy(self.script))

    def p2sh(self) -> None:
        *items, redeem = parse_pushes(self.script_sig) or [b""]
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
            self._multisig(items, multisig, self._legacy(redeem))

    def p2wpkh(self) -> None:
        self._require_native()
        self._witness_key(self.script)

    def p2wsh(self) -> None:
        self._require_native()
        *items, inner = self.witness or [b""]
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
        spent = b"\x01" + self.prevout + compact_size(len(code)) + code + self.sequence
        outputs = b"\x01" + _OUTPUT + self.lock_time
        return double_sha256(self.version + spent + outputs + _SIGHASH_ALL.to_bytes(4, "little"))

    def _segwit(self, code: bytes) -> bytes:
        """BIP 143; the amount is zero."""
        spent = self.prevout + compact_size(len(code)) + code + bytes(8) + self.sequence
        hash_type = _SIGHASH_ALL.to_bytes(4, "little")
        return double_sha256(
            self.version
            + double_sha256(self.prevout)
            + double_sha256(self.sequence)
            + spent
            + double_sha256(_OUTPUT)
            + self.lock_time
            + hash_type
        )

    def _taproot(self, hash_type: int) -> bytes:
        """BIP 341, key path without annex; the amount is zero, the input the first."""
        scripts = compact_size(len(self.script)) + self.script
        hashed = (self.prevout, bytes(8), scripts, self.sequence, _OUTPUT)
        return bip340_hash(
            b"TapSighash",
            b"\x00"
            + bytes([hash_type])
            + self.version
            + self.lock_time
            + b"".join(sha256(part).digest() for part in hashed)
            + b"\x00"
            + bytes(4),
        )
