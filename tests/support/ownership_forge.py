"""Builds BIP-322 signatures for the ownership tests: of any script, and with any one fault."""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Callable, Sequence
from hashlib import sha256

from prover import libraries as libraries  # isort: split

import pytest
from bip322core.core import build_to_sign, build_to_spend, encode_full, encode_simple, parse_witness
from bip322core.verify import verify_message
from coincurve import PrivateKey, PublicKey
from embit import bech32, ec, script
from embit.hashes import hash160
from embit.transaction import Transaction

from verifier.ownership import OwnershipError, check_ownership, parse_address
from verifier.ownership.recovery import CURVE_ORDER

KEYS = [sha256(b"throw-away key %d" % index).digest() for index in range(1, 6)]
PUBLIC_KEYS = [PrivateKey(key).public_key.format() for key in KEYS]
# Of the first key: the public key of -x, and its own uncompressed form.
NEGATIVE_KEY = bytes([PUBLIC_KEYS[0][0] ^ 1]) + PUBLIC_KEYS[0][1:]
LONG_KEY = PrivateKey(KEYS[0]).public_key.format(compressed=False)

MESSAGE = "assay/v1/ownership\nbip322"
BAD = "evidence.bad-signature"
UNSUPPORTED_TEMPLATE = "evidence.unsupported-template"
UNSUPPORTED_SIGNATURE = "evidence.unsupported-signature"
FIELD = 2**256 - 2**32 - 977


def template_of(address: str, signature: str, message: str = MESSAGE) -> str:
    return check_ownership(parse_address("bitcoin", address), message, "bip322", signature).template


def refusal(address: str, signature: str, message: str = MESSAGE) -> OwnershipError:
    """Return the error with which a signature is refused."""
    with pytest.raises(OwnershipError) as refused:
        template_of(address, signature, message)
    return refused.value


def code_of(address: str, signature: str, message: str = MESSAGE) -> str:
    return refusal(address, signature, message).code


def shape_code_of(address: str, signature: str) -> str:
    """Return the code of a refusal that did not wait for the library's verdict."""
    error = refusal(address, signature)
    assert error.message != "the signature does not verify"
    return error.code


def engine_accepts(address: str, signature: str) -> bool:
    """Ask the library alone, which knows nothing of templates."""
    return bool(verify_message(address, signature, MESSAGE.encode()).ok)


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
    """Return the shortest push of up to 65,535 bytes that are not a small number."""
    if len(data) > 0xFF:
        return b"\x4d" + len(data).to_bytes(2, "little") + data
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


def sign_p2wsh(witness_script: bytes, keys: Sequence[bytes]) -> tuple[str, str]:
    """Return address and signature of ``dummy, signatures, script`` for any script."""
    output = p2wsh(witness_script)
    to_sign = to_sign_for(MESSAGE, output)
    signatures = [sign_segwit(key, to_sign, witness_script) for key in keys]
    return address_of(output), simple([b"", *signatures, witness_script])


def sign_p2sh(
    redeem_script: bytes,
    keys: Sequence[bytes],
    witness: Sequence[bytes] = (),
    message: str = MESSAGE,
) -> tuple[str, str]:
    """Return address and signature of the same in the scriptSig of any script."""
    output = p2sh(redeem_script)
    to_sign = to_sign_for(message, output)
    signatures = [sign_legacy(key, to_sign, redeem_script) for key in keys]
    script_sig = b"\x00" + b"".join(map(push, signatures)) + push(redeem_script)
    return address_of(output), full(to_sign, script_sig, witness)


def taproot_signature(sighash: int) -> bytes:
    """Return a true Schnorr signature for the taproot address of the first key."""
    internal = ec.PrivateKey(KEYS[0])
    output = script.p2tr(internal.get_public_key())
    to_sign = to_sign_for(MESSAGE, output.data)
    digest = to_sign.sighash_taproot(0, [output], [0], sighash=sighash)
    return PrivateKey(internal.taproot_tweak().secret).sign_schnorr(digest, bytes(32))


def open_taproot() -> tuple[str, str]:
    """Return address and signature of a taproot script path that anyone can spend."""
    internal = ec.PrivateKey(KEYS[0]).get_public_key()
    leaf_hash = ec.hashes.tagged_hash("TapLeaf", b"\xc0\x01\x51")
    # The parity of the output key goes into the control block, and embit's tweak forgets it.
    tweak = ec.hashes.tagged_hash("TapTweak", internal.xonly() + leaf_hash)
    output = PublicKey(b"\x02" + internal.xonly()).add(tweak).format()
    control_block = bytes([0xC0 | output[0] & 1]) + internal.xonly()
    return address_of(b"\x51\x20" + output[1:]), simple([b"\x51", control_block])
