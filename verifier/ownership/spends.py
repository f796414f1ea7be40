"""What the signatures of an input cover, and whether they are by the keys that its script names.

Only for spends that `verifier.ownership.templates` has matched. Hashes are those of sighash ALL
(taproot's DEFAULT, too): before witnesses, BIP-143, and BIP-341 by key path without annex. The
curve's arithmetic is libsecp256k1's, which takes ECDSA in strict DER (BIP-66) and with low s alone,
and Schnorr signatures as BIP-340 has them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cached_property
from hashlib import sha256

from coincurve import PublicKey, PublicKeyXOnly

import native
from verifier.format.bitcoin_hashes import double_sha256
from verifier.ownership.templates import SIGHASH_ALL, Hashing, Spend
from verifier.ownership.transaction import Output, Transaction, compact_size, sized

_SIGHASH_DEFAULT = 0
_BLANK_BYTES = 36 + 1 + 4  # outpoint, no script, sequence
_SCHNORR_BYTES = 64


class Spending:
    """A transaction and the outputs that its inputs spend, one each."""

    def __init__(self, transaction: Transaction, spent: Sequence[Output]) -> None:
        """Take both; ``spent`` is in the order of the inputs."""
        self._transaction = transaction
        self._spent = spent

    def is_signed(self, index: int, spend: Spend) -> bool:
        """Tell whether each signature of an input, in order, is by a later key than the last.

        That is OP_CHECKMULTISIG, and with one key OP_CHECKSIG. A key that is no point of the curve
        has signed nothing.
        """
        match spend.hashing:
            case Hashing.TAPROOT:
                return self._is_schnorr(index, spend.keys[0], spend.signatures[0])
            case Hashing.SEGWIT:
                digest = self._segwit_digest(index, spend.code)
            case Hashing.LEGACY:
                digest = self._legacy_digest(index, spend.code)
        keys = iter(spend.keys)
        return all(
            any(_is_ecdsa(key, signature, digest) for key in keys) for signature in spend.signatures
        )

    def _is_schnorr(self, index: int, key: bytes, signature: bytes) -> bool:
        hash_type = (signature[_SCHNORR_BYTES:] or bytes([_SIGHASH_DEFAULT]))[0]
        digest = self._taproot_digest(index, hash_type)
        try:
            return PublicKeyXOnly(key).verify(signature[:_SCHNORR_BYTES], digest)
        except ValueError:
            return False

    def _legacy_digest(self, index: int, code: bytes) -> bytes:
        """Every other input is without its script."""
        entry, start = self._transaction.inputs[index], _BLANK_BYTES * index
        return double_sha256(
            self._transaction.version
            + compact_size(len(self._transaction.inputs))
            + self._blank_inputs[:start]
            + entry.outpoint
            + sized(code)
            + entry.sequence
            + self._blank_inputs[start + _BLANK_BYTES :]
            + self._serialised_outputs
            + self._transaction.lock_time
            + SIGHASH_ALL.to_bytes(4, "little")
        )

    @cached_property
    def _blank_inputs(self) -> bytes:
        """All inputs without their scripts, of as many bytes each."""
        return b"".join(
            entry.outpoint + sized(b"") + entry.sequence for entry in self._transaction.inputs
        )

    @cached_property
    def _serialised_outputs(self) -> bytes:
        outputs = self._transaction.outputs
        return compact_size(len(outputs)) + b"".join(output.serialised() for output in outputs)

    def _segwit_digest(self, index: int, code: bytes) -> bytes:
        """BIP-143."""
        entry = self._transaction.inputs[index]
        return double_sha256(
            self._transaction.version
            + sha256(self._outpoints).digest()
            + sha256(self._sequences).digest()
            + entry.outpoint
            + sized(code)
            + self._spent[index].amount.to_bytes(8, "little")
            + entry.sequence
            + sha256(self._outputs).digest()
            + self._transaction.lock_time
            + SIGHASH_ALL.to_bytes(4, "little")
        )

    def _taproot_digest(self, index: int, hash_type: int) -> bytes:
        """BIP-341, by key path and without annex: the byte 0 before the index says both."""
        return native.tagged_hash(
            b"TapSighash",
            bytes([0, hash_type])
            + self._transaction.version
            + self._transaction.lock_time
            + self._outpoints
            + self._amounts
            + self._scripts
            + self._sequences
            + self._outputs
            + bytes([0])
            + index.to_bytes(4, "little"),
        )

    # SHA-256 of all of each, which taproot covers, and BIP-143 hashed once more.

    @cached_property
    def _outpoints(self) -> bytes:
        return _hash_all(entry.outpoint for entry in self._transaction.inputs)

    @cached_property
    def _sequences(self) -> bytes:
        return _hash_all(entry.sequence for entry in self._transaction.inputs)

    @cached_property
    def _outputs(self) -> bytes:
        return _hash_all(output.serialised() for output in self._transaction.outputs)

    @cached_property
    def _amounts(self) -> bytes:
        return _hash_all(output.amount.to_bytes(8, "little") for output in self._spent)

    @cached_property
    def _scripts(self) -> bytes:
        return _hash_all(sized(output.script) for output in self._spent)


def _hash_all(parts: Iterable[bytes]) -> bytes:
    return sha256(b"".join(parts)).digest()


def _is_ecdsa(key: bytes, signature: bytes, digest: bytes) -> bool:
    """Tell whether a signature, with its sighash byte, is one of a digest by a key.

    A key of the hybrid form (06, 07), which the library takes, is none here.
    """
    if key[:1] not in (b"\x02", b"\x03", b"\x04"):
        return False
    try:
        return PublicKey(key).verify(signature[:-1], digest, hasher=None)
    except ValueError:  # no point of the curve, or no DER
        return False
