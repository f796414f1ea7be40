"""Builds BIP-322 signatures for the ownership tests: of any script, and with any one fault."""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Callable, Sequence
from hashlib import sha256

# First, since it keeps embit from loading its prebuilt library.
from verifier.ownership.recovery import CURVE_ORDER

# isort: split
from bip322core.core import build_to_sign, build_to_spend, encode_full, encode_simple, parse_witness
from coincurve import PrivateKey
from embit import bech32, script
from embit.hashes import hash160
from embit.transaction import Transaction

KEYS = [sha256(b"throw-away key %d" % index).digest() for index in range(1, 6)]
PUBLIC_KEYS = [PrivateKey(key).public_key.format() for key in KEYS]


def to_sign_for(message: str, output: bytes, **fields: int) -> Transaction:
    """Return the unsigned ``to_sign`` of a message and a scriptPubKey."""
    return build_to_sign(build_to_spend(message.encode(), output).txid(), **fields)


def p2wsh(witness_script: bytes) -> bytes:
    return b"\x00\x20" + sha256(witness_script).digest()


def p2sh(redeem_script: bytes) -> bytes:
    return bytes(b"\xa9\x14" + hash160(redeem_script) + b"\x87")


def p2pkh(public_key: bytes) -> bytes:
    return bytes(b"\x76\xa9\x14" + hash160(public_key) + b"\x88\xac")


def address_of(output: bytes) -> str:
    """Return the mainnet address of a standard scriptPubKey."""
    text: str = script.Script(output).address()
    return text


def program_address(version: int, program: bytes) -> str:
    """Return the mainnet address of any witness program."""
    text: str = bech32.encode("bc", version, program)
    return text


def multisig(required: int, public_keys: Sequence[bytes]) -> bytes:
    """Return a bare multisig script; nothing keeps it from being a nonsensical one."""
    pushes = b"".join(bytes([len(key)]) + key for key in public_keys)
    return bytes([0x50 + required]) + pushes + bytes([0x50 + len(public_keys), 0xAE])


def push(data: bytes) -> bytes:
    """Return the shortest push of up to 255 bytes that are not a small number."""
    return (b"" if len(data) < 0x4C else b"\x4c") + bytes([len(data)]) + data


def sign_segwit(key: bytes, to_sign: Transaction, script_code: bytes, sighash: int = 1) -> bytes:
    """Return an ECDSA signature of a version 0 witness spend, sighash byte included."""
    digest = to_sign.sighash_segwit(0, script.Script(script_code), 0, sighash)
    return PrivateKey(key).sign(digest, hasher=None) + bytes([sighash])


def sign_legacy(key: bytes, to_sign: Transaction, script_code: bytes) -> bytes:
    """Return an ECDSA signature of a spend without witness, sighash ALL."""
    digest = to_sign.sighash_legacy(0, script.Script(script_code))
    return PrivateKey(key).sign(digest, hasher=None) + b"\x01"


def full(to_sign: Transaction, script_sig: bytes = b"", witness: Sequence[bytes] = ()) -> str:
    """Return the ``ful`` text of ``to_sign`` with its input completed."""
    to_sign.vin[0].script_sig = script.Script(script_sig)
    to_sign.vin[0].witness = script.Witness(list(witness))
    return str(encode_full(to_sign))


def with_witness(signature: str, change: Callable[[list[bytes]], list[bytes]]) -> str:
    """Return a ``smp`` signature with its witness stack changed."""
    return simple(change(parse_witness(b64decode(signature[3:]))))


def simple(witness: Sequence[bytes]) -> str:
    """Return the ``smp`` text of a witness stack."""
    return str(encode_simple(witness))


def split_der(signature: bytes) -> tuple[int, int]:
    """Return (r, s) of a strict DER signature followed by its sighash byte."""
    r_end = 4 + signature[3]
    return int.from_bytes(signature[4:r_end]), int.from_bytes(signature[r_end + 2 : -1])


def der(r: int, s: int, sighash: int = 1) -> bytes:
    """Return (r, s) in strict DER followed by a sighash byte, whatever their range."""
    body = b"".join(b"\x02" + bytes([len(number)]) + number for number in map(_der_integer, (r, s)))
    return b"\x30" + bytes([len(body)]) + body + bytes([sighash])


def _der_integer(number: int) -> bytes:
    return number.to_bytes(number.bit_length() // 8 + 1)


def high_s(signature: bytes) -> bytes:
    """Return the other signature of the same digest and key: s replaced by n - s."""
    r, s = split_der(signature)
    return der(r, CURVE_ORDER - s, signature[-1])
