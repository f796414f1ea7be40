"""Ownership signatures (protocol.md 3.1): the message, and the formats of a single address."""

from __future__ import annotations

import re
from typing import Any

from spec.reference import bip322, ecdsa, keys
from spec.reference.address import (
    bitcoin_script,
    double_sha256,
    hash160,
    keccak256,
    owner,
    p2pkh,
    p2sh,
    witness_script_of,
)
from spec.reference.chains import CHAINS
from spec.reference.errors import UnsupportedError
from spec.reference.group import Point, encode
from spec.reference.manifest import Manifest
from spec.reference.script import compact_size, template_of

FORMATS = {
    "bitcoin": ("bip322", "bip137"),
    "evm": ("eip191", "eip1271"),
    "fiat": (),
    "tron": ("tip191",),
}
# What precedes the length and the text of a message that an account signs.
FRAMES = {
    "eip191": b"\x19Ethereum Signed Message:\n",
    "tip191": b"\x19TRON Signed Message:\n",
}


def message(manifest: Manifest, chain: str) -> bytes:
    """What is signed for every address of a chain."""
    lines = [
        "assay/v1/ownership",
        keys.text(manifest.public_key),
        manifest.exchange,
        manifest.snapshot_id,
        chain,
        manifest.chains[chain].hex(),
    ]
    return "\n".join(lines).encode()


def signed_chain(chain: str, signature_format: str) -> tuple[str, str]:
    """The chain whose message is signed, and the format: `eip191@NAME` is of another EVM chain."""
    name, at, other = signature_format.partition("@")
    if not at:
        return chain, name
    evm = [item not in CHAINS or CHAINS[item].family == "evm" for item in (chain, other)]
    named = re.fullmatch("[a-z0-9-]{1,32}", other)
    if name != "eip191" or not named or not all(evm) or chain not in CHAINS or other == chain:
        raise UnsupportedError("signature", "not EIP-191 over another EVM chain's message")
    return other, name


def check(manifest: Manifest, item: dict[str, Any]) -> None:
    """Check an ownership signature. Raises UnsupportedError, and ValueError for a bad signature."""
    chain, address = item["chain"], item["address"]
    _check_template(chain, address)
    other, signature_format = signed_chain(chain, item["format"])
    if other not in manifest.chains:
        raise ValueError("no block of the chain that is signed for")
    if other not in CHAINS:
        return
    verify(signature_format, chain, address, message(manifest, other), item["text"])


def verify(signature_format: str, chain: str, address: str, signed: bytes, text: str) -> None:
    """Check a signature of what is signed; raises as `check` does."""
    _check_template(chain, address)
    if signature_format not in FORMATS[CHAINS[chain].family]:
        raise UnsupportedError("signature", "the format is unknown, or not for the chain")
    if signature_format == "bip322":
        bip322.verify(bitcoin_script(address), signed, text)
    elif signature_format == "bip137":
        _verify_bip137(bitcoin_script(address), signed, text)
    elif signature_format in FRAMES:
        if _signer(FRAMES[signature_format], signed, text) != owner(chain, address):
            raise ValueError("the signature is by another key")
    elif not re.fullmatch("0x([0-9a-f]{2}){0,8191}", text):
        raise ValueError("not 0x and pairs of lower-case hex digits")


def _check_template(chain: str, address: str) -> None:
    """An address of no template is refused before all else."""
    if CHAINS[chain].family == "bitcoin":
        template_of(bitcoin_script(address))


def _verify_bip137(script: bytes, signed: bytes, text: str) -> None:
    """Header 27-30 is P2PKH of an uncompressed key, 31-34 of a compressed one, 35-38 P2SH-P2WPKH,
    39-42 P2WPKH."""
    if template_of(script) not in ("p2pkh", "p2sh", "p2wpkh"):
        raise UnsupportedError("signature", "the format does not serve the address's template")
    if len(text) > bip322.MAX_TEXT:
        raise ValueError("too long")
    signature = bip322.decode_base64(text)
    if len(signature) != 65 or not 27 <= signature[0] <= 42:
        raise ValueError("not 65 bytes with a header of 27 to 42")
    kind, recovery = divmod(signature[0] - 27, 4)
    r, s = int.from_bytes(signature[1:33], "big"), int.from_bytes(signature[33:], "big")
    prefixed = b"\x18Bitcoin Signed Message:\n" + compact_size(len(signed)) + signed
    key = ecdsa.recover(double_sha256(prefixed), r, s, recovery)
    key_hash = hash160(encode(key) if kind else b"\x04" + _coordinates(key))
    program = witness_script_of(0, key_hash)
    if script != (p2pkh(key_hash), p2pkh(key_hash), p2sh(hash160(program)), program)[kind]:
        raise ValueError("the signature is by another key, or has another template's header")


def _signer(frame: bytes, signed: bytes, text: str) -> bytes:
    """The account whose key signed a framed message: the text is 0x, r, s, and v of 27 or 28."""
    if not re.fullmatch("0x[0-9a-f]{130}", text):
        raise ValueError("not 0x and 130 lower-case hex digits")
    signature = bytes.fromhex(text[2:])
    if signature[64] not in (27, 28):
        raise ValueError("v is neither 27 nor 28")
    r, s = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:64], "big")
    digest = keccak256(frame + str(len(signed)).encode() + signed)
    return keccak256(_coordinates(ecdsa.recover(digest, r, s, signature[64] - 27)))[12:]


def _coordinates(key: Point) -> bytes:
    if key is None:
        raise ValueError("infinity is no key")
    return b"".join(int(coordinate).to_bytes(32, "big") for coordinate in key)
