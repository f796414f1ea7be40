"""Ownership signatures by keys held in memory: for sample exchanges and tests, not for real coins.

A real exchange signs `ownership_message` in its own wallets. Everything here is a function of its
arguments: nonces follow RFC 6979, and BIP-340 with zero auxiliary randomness, so a sample exchange
made twice from one seed is the same bytes. A private key is 32 bytes, a number in [1, n).
"""

from __future__ import annotations

from base64 import b64encode
from typing import NamedTuple

from prover import libraries as libraries  # isort: split

from bip322core.core import build_to_sign, build_to_spend, encode_simple
from coincurve import PrivateKey
from embit import ec, script

from verifier.ownership.families.evm import account_of, account_text, eip191_digest
from verifier.ownership.families.tron import tip191_digest, tron_text
from verifier.ownership.recovery import bip137_digest

_SIGHASH_ALL = b"\x01"


class Signed(NamedTuple):
    """An address in its canonical text, and a signature over a message by the keys behind it."""

    address: str
    signature: str


def sign_bip322_simple_p2wpkh(private_key: bytes, message: str) -> Signed:
    """Sign with the P2WPKH address of a key; format ``bip322``."""
    public_key = ec.PrivateKey(private_key).get_public_key()
    # The digest of a P2WPKH spend covers the P2PKH script of the same key (BIP-143).
    digest = _segwit_digest(message, script.p2wpkh(public_key), script.p2pkh(public_key))
    witness = [_sign_ecdsa(private_key, digest), public_key.sec()]
    return Signed(script.p2wpkh(public_key).address(), encode_simple(witness))


def sign_bip322_simple_p2tr(private_key: bytes, message: str) -> Signed:
    """Sign with the taproot address of a key, without script paths (BIP-86); format ``bip322``."""
    internal = ec.PrivateKey(private_key)
    output = script.p2tr(internal.get_public_key())
    to_sign = build_to_sign(build_to_spend(message.encode(), output.data).txid())
    digest = to_sign.sighash_taproot(0, [output], [0])
    signer = PrivateKey(internal.taproot_tweak().secret)
    return Signed(output.address(), encode_simple([signer.sign_schnorr(digest, bytes(32))]))


def sign_bip322_simple_p2wsh(private_keys: list[bytes], required: int, message: str) -> Signed:
    """Sign with the m-of-n P2WSH address of the keys in the order given; format ``bip322``.

    The first ``required`` keys sign.

    Raises:
        ValueError: there are not 1 to 16 keys, or ``required`` is not between 1 and their number.
    """
    multisig = script.multisig(
        required, [ec.PrivateKey(key).get_public_key() for key in private_keys]
    )
    output = script.p2wsh(multisig)
    digest = _segwit_digest(message, output, multisig)
    signatures = [_sign_ecdsa(key, digest) for key in private_keys[:required]]
    return Signed(output.address(), encode_simple([b"", *signatures, multisig.data]))


def sign_bip137_p2pkh(private_key: bytes, message: str) -> Signed:
    """Sign with the P2PKH address of a key's compressed form; format ``bip137``."""
    signer = PrivateKey(private_key)
    raw = signer.sign_recoverable(bip137_digest(message), hasher=None)
    address = script.p2pkh(ec.PrivateKey(private_key).get_public_key()).address()
    return Signed(address, b64encode(bytes([31 + raw[64]]) + raw[:64]).decode())


def sign_eip191(private_key: bytes, message: str) -> Signed:
    """Sign with the account of a key on any EVM chain; format ``eip191``."""
    account, signature = _sign_recoverable(private_key, eip191_digest(message))
    return Signed(account_text(account), signature)


def sign_tip191(private_key: bytes, message: str) -> Signed:
    """Sign with the Tron account of a key; format ``tip191``."""
    account, signature = _sign_recoverable(private_key, tip191_digest(message))
    return Signed(tron_text(account), signature)


def _sign_recoverable(private_key: bytes, digest: bytes) -> tuple[bytes, str]:
    """Return the 20-byte account of a key, and its signature as ``0x``, r, s, v in hex."""
    signer = PrivateKey(private_key)
    raw = signer.sign_recoverable(digest, hasher=None)
    return account_of(signer.public_key), "0x" + (raw[:64] + bytes([27 + raw[64]])).hex()


def _segwit_digest(message: str, output: script.Script, script_code: script.Script) -> bytes:
    """Return the 32 bytes that a version 0 witness of the message's ``to_sign`` signs (BIP-143)."""
    to_sign = build_to_sign(build_to_spend(message.encode(), output.data).txid())
    digest: bytes = to_sign.sighash_segwit(0, script_code, 0)
    return digest


def _sign_ecdsa(private_key: bytes, digest: bytes) -> bytes:
    return PrivateKey(private_key).sign(digest, hasher=None) + _SIGHASH_ALL
