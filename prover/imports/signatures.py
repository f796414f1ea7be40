"""Signatures and scripts of published lists: who signed, whatever the message.

These rules are looser than a bundle's where the lists are: a list may spell a signature in more
than one way, and signs multisig scripts key by key. So nothing here makes a row count; that takes
`verifier.ownership.check_ownership`.
"""

from __future__ import annotations

import binascii
import re
from base64 import b64decode
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256

from coincurve import PublicKey

from verifier.format.bitcoin_hashes import hash160
from verifier.format.keccak import keccak256
from verifier.ownership.addresses import Address, Template
from verifier.ownership.families.evm import account_of, eip191_digest
from verifier.ownership.families.tron import tip191_digest
from verifier.ownership.recovery import bip137_digest

_EVM_TEXT = re.compile(r"0x([0-9a-fA-F]{128})(00|01|1[bBcC])")
_HASHED = b" Signed Message:\n32"
_COMPACT_BYTES = 65
_HEADERS = range(27, 43)
_UNCOMPRESSED_HEADERS = range(27, 31)
_KEY_BYTES = {33: (2, 3), 65: (4,)}
_OP_1 = 0x51
_MOST_KEYS = 16
_OP_CHECKMULTISIG = 0xAE


class SignatureFault(Exception):
    """A signature or script that does not hold; the text says which rule it breaks."""


@dataclass(frozen=True, slots=True)
class Multisig:
    """A bare script ``required``-of-n; the keys as the script spells them."""

    required: int
    keys: Sequence[bytes]


def okx_digest(message: str, prefix: bytes = b"\x19Ethereum") -> bytes:
    """Return what OKX's accounts sign: like EIP-191 or TIP-191, but over the message's hash."""
    return keccak256(prefix + _HASHED + keccak256(message.encode()))


def evm_signer(message: str, signature: str) -> tuple[bytes, bytes]:
    """Return the 20-byte accounts that a signature recovers to: by OKX's rule, and by EIP-191.

    Raises:
        SignatureFault: malformed, or no key recovers.
    """
    return _accounts(signature, okx_digest(message), eip191_digest(message))


def tron_signer(message: str, signature: str) -> tuple[bytes, bytes]:
    """Return the accounts that a signature recovers to: by OKX's older rule, and by TIP-191.

    Raises:
        SignatureFault: malformed, or no key recovers.
    """
    return _accounts(signature, okx_digest(message, b"\x19TRON"), tip191_digest(message))


def _accounts(signature: str, by_okx: bytes, by_family: bytes) -> tuple[bytes, bytes]:
    match = _EVM_TEXT.fullmatch(signature)
    if match is None:
        raise SignatureFault("the signature is not 0x and 65 bytes in hex")
    raw, v = bytes.fromhex(match[1]), int(match[2], 16)
    first, second = (_recover(raw, v % 27, digest) for digest in (by_okx, by_family))
    return account_of(first), account_of(second)


def bitcoin_signer(message: str, signature: str) -> bytes:
    """Return the key, compressed or not as the header says, that a signed message recovers to.

    Raises:
        SignatureFault: malformed, or no key recovers.
    """
    try:
        raw = b64decode(signature, validate=True)
    except (binascii.Error, ValueError):
        raise SignatureFault("the signature is not base64") from None
    if len(raw) != _COMPACT_BYTES or raw[0] not in _HEADERS:
        raise SignatureFault("the signature is not 65 bytes with a header of 27 to 42")
    key = _recover(raw[1:], (raw[0] - 27) % 4, bip137_digest(message))
    return key.format(compressed=raw[0] not in _UNCOMPRESSED_HEADERS)


def key_scripts(key: bytes) -> list[bytes]:
    """Return the output scripts that belong to a key alone: P2PKH, P2WPKH, P2SH-P2WPKH."""
    digest = hash160(key)
    scripts = [b"\x76\xa9\x14" + digest + b"\x88\xac"]
    if len(key) == 33:
        program = b"\x00\x14" + digest
        scripts += [program, b"\xa9\x14" + hash160(program) + b"\x87"]
    return scripts


def script_outputs(script: bytes) -> dict[str, bytes]:
    """Return the output scripts that commit to a script, as ``sh``, ``wsh`` and ``sh_wsh``."""
    program = b"\x00\x20" + sha256(script).digest()
    return {
        "sh": b"\xa9\x14" + hash160(script) + b"\x87",
        "wsh": program,
        "sh_wsh": b"\xa9\x14" + hash160(program) + b"\x87",
    }


def parse_multisig(script: bytes) -> Multisig:
    """Read ``OP_m <n keys> OP_n OP_CHECKMULTISIG``.

    Raises:
        SignatureFault: any other script, or one with a key twice.
    """
    keys = []
    at = 1
    while at < len(script) and script[at] in _KEY_BYTES:
        key = script[at + 1 : at + 1 + script[at]]
        if len(key) != script[at] or key[0] not in _KEY_BYTES[len(key)]:
            raise SignatureFault("the script holds a malformed key")
        keys.append(key)
        at += 1 + len(key)
    required = script[0] - _OP_1 + 1 if script else 0
    ending = bytes([_OP_1 + len(keys) - 1 & 0xFF, _OP_CHECKMULTISIG])
    if not 1 <= required <= len(keys) <= _MOST_KEYS or script[at:] != ending:
        raise SignatureFault("the script is not bare multisig")
    if len({key[1:33] for key in keys}) != len(keys):
        raise SignatureFault("a key occurs twice in the script")
    return Multisig(required, keys)


def check_key(address: Address, key: bytes) -> None:
    """Check that an address belongs to a recovered key.

    Raises:
        SignatureFault: it does not.
    """
    if address.owner not in key_scripts(key):
        raise SignatureFault("the signature is by another key or over another message")


def check_multisig(address: Address, script: bytes, signers: Sequence[bytes]) -> Multisig:
    """Check that an address commits to a multisig script of which enough keys signed.

    Raises:
        SignatureFault: it does not, or they did not.
    """
    if address.template not in (Template.P2SH, Template.P2WSH):
        raise SignatureFault("an address of this kind has no redeem script")
    if address.owner not in script_outputs(script).values():
        raise SignatureFault("the redeem script is not the address's")
    multisig = parse_multisig(script)
    known = {key[1:33] for key in multisig.keys}
    signed = {signer[1:33] for signer in signers}
    if not signed <= known:
        raise SignatureFault("a signature is by no key of the script, or over another message")
    if len(signed) < multisig.required:
        raise SignatureFault(f"{len(signed)} of its keys signed; it takes {multisig.required}")
    return multisig


def _recover(r_s: bytes, recovery_id: int, digest: bytes) -> PublicKey:
    try:
        return PublicKey.from_signature_and_message(r_s + bytes([recovery_id]), digest, hasher=None)
    except ValueError:
        raise SignatureFault("no public key recovers from the signature") from None
