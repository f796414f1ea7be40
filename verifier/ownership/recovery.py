"""Signatures from which the public key is recovered: secp256k1's, and BIP-137 over them.

The recovered key must be the address's own, in the form that the header byte or the address names.
Each signature has one accepted text, and of the two values s and n - s only the lower is accepted:
that is what wallets make, and it leaves nothing for a third party to re-spell.
"""

from __future__ import annotations

import binascii
from base64 import b64decode, b64encode

from coincurve import PublicKey

from verifier.format.bitcoin_hashes import double_sha256, hash160
from verifier.ownership.addresses import Address, Template
from verifier.ownership.errors import bad_signature
from verifier.ownership.transaction import sized

CURVE_ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141

_BIP137_CHARACTERS = 88
_BIP137_HEADERS = {
    Template.P2PKH: range(27, 35),
    Template.P2SH: range(35, 39),
    Template.P2WPKH: range(39, 43),
}
_UNCOMPRESSED_HEADERS = range(27, 31)


def check_bip137(address: Address, message: str, signature: str) -> str:
    """Check a BIP-137 signature (base64 of header, r, s); return the template's name.

    Headers 27-30 are P2PKH with an uncompressed key, 31-34 P2PKH with a compressed key, 35-38
    P2SH-P2WPKH, 39-42 P2WPKH. A header serves its own template alone, though some wallets write 31
    for every template.

    Raises:
        OwnershipError: ``evidence.bad-signature``.
    """
    if len(signature) != _BIP137_CHARACTERS:
        raise bad_signature("a BIP-137 signature has 88 characters")
    try:
        raw = b64decode(signature, validate=True)
    except (binascii.Error, ValueError):
        raise bad_signature("the signature is not base64") from None
    if len(raw) != 65 or b64encode(raw).decode() != signature:
        raise bad_signature("not 65 bytes in canonical base64")
    header = raw[0]
    if header not in _BIP137_HEADERS[address.template]:
        raise bad_signature("the header byte is for another template")
    key = recover_key(raw[1:], (header - 27) % 4, bip137_digest(message))
    key_hash = hash160(key.format(compressed=header not in _UNCOMPRESSED_HEADERS))
    name, script = {
        Template.P2PKH: ("p2pkh", b"\x76\xa9\x14" + key_hash + b"\x88\xac"),
        Template.P2SH: ("p2sh-p2wpkh", b"\xa9\x14" + hash160(b"\x00\x14" + key_hash) + b"\x87"),
        Template.P2WPKH: ("p2wpkh", b"\x00\x14" + key_hash),
    }[address.template]
    if script != address.owner:
        raise bad_signature("the signature is by another key or message", is_of_another=True)
    return name


def bip137_digest(message: str) -> bytes:
    """Return the 32 bytes that a Bitcoin signed message signs (BIP-137)."""
    return double_sha256(sized(b"Bitcoin Signed Message:\n") + sized(message.encode()))


def recover_key(r_s: bytes, recovery_id: int, digest: bytes) -> PublicKey:
    """Return the key of secp256k1 that signed a 32-byte digest; r and s have 32 bytes each.

    Raises:
        OwnershipError: ``evidence.bad-signature``.
    """
    # libsecp256k1 recovers from a high s as well.
    if int.from_bytes(r_s[32:]) > CURVE_ORDER // 2:
        raise bad_signature("s is not in the lower half")
    try:
        return PublicKey.from_signature_and_message(r_s + bytes([recovery_id]), digest, hasher=None)
    except ValueError:
        raise bad_signature("no public key recovers") from None
