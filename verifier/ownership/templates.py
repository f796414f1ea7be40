"""Standard templates: what scriptSig and witness of a spend must look like, to the byte.

A script engine says whether a script is satisfied, not whether that names an owner. So the shapes
are matched here first, and everything else is refused: anyone-can-spend, time locks, script paths,
annexes. A multisig counts when m > n/2: then no two disjoint groups of keys can both prove it.
Nothing here verifies a signature; no key or signature is taken for valid on its shape.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum, auto
from hashlib import sha256

from verifier.format.bitcoin_hashes import hash160
from verifier.ownership.addresses import Address, Template
from verifier.ownership.errors import bad_signature, unsupported_template

SIGHASH_ALL = 0x01

_OP_PUSHDATA1 = 0x4C
_OP_PUSHDATA2 = 0x4D
_OP_1 = 0x51
_OP_CHECKMULTISIG = 0xAE
_MAX_MULTISIG_KEYS = 16  # OP_16 is the last number with an opcode of its own
_KEY_PUSH_BYTES = 34
_MAX_PUSH_BYTES = 520  # of the scripts before taproot, redeem scripts among what is pushed
# DER takes 6 bytes about an r and an s of 1 to 33 bytes each; the sighash byte follows.
_ECDSA_BYTES = range(9, 74)


class Hashing(Enum):
    """How what a signature covers is hashed: before witnesses, by BIP-143, or by BIP-341."""

    LEGACY = auto()
    SEGWIT = auto()
    TAPROOT = auto()


@dataclass(frozen=True)
class Spend:
    """What would satisfy an input: signatures by as many of the keys, in their order.

    ``template`` is the full one, such as ``p2wsh 2-of-3``; ``code`` the script that signatures
    cover, empty for taproot. A signature has its sighash byte, if any.
    """

    template: str
    hashing: Hashing
    code: bytes
    signatures: Sequence[bytes]
    keys: Sequence[bytes]


def match_template(address: Address, script_sig: bytes, witness: list[bytes]) -> Spend:
    """Match a spend of a bitcoin ``address``; return what its signatures are to be.

    Raises:
        OwnershipError: ``evidence.unsupported-template`` if the address commits to another script
            or is spent by another path, ``evidence.bad-signature`` if this cannot be its spend.
    """
    owner = address.owner
    if script_sig and address.template not in (Template.P2PKH, Template.P2SH):
        raise bad_signature("a native witness program has an empty scriptSig")
    match address.template:
        case Template.P2PKH:
            if witness:
                raise bad_signature("P2PKH has no witness")
            stack = _split_pushes(script_sig)
            return _match_key_spend("p2pkh", Hashing.LEGACY, owner[3:23], stack)
        case Template.P2WPKH:
            return _match_key_spend("p2wpkh", Hashing.SEGWIT, owner[2:], witness)
        case Template.P2TR:
            _match_key_path(witness)
            return Spend("p2tr", Hashing.TAPROOT, b"", witness, [owner[2:]])
        case Template.P2WSH:
            if not witness or sha256(witness[-1]).digest() != owner[2:]:
                raise bad_signature("the witness script is not the address's")
            return _match_multisig("p2wsh", Hashing.SEGWIT, witness)
        case Template.P2SH:
            return _match_p2sh(address, _split_pushes(script_sig), witness)
    raise unsupported_template("not a bitcoin template")


def _match_p2sh(address: Address, pushes: list[bytes], witness: list[bytes]) -> Spend:
    if not pushes or hash160(pushes[-1]) != address.owner[2:22]:
        raise bad_signature("the redeem script is not the address's")
    redeem_script = pushes[-1]
    if len(redeem_script) == 22 and redeem_script[:2] == b"\x00\x14":
        if len(pushes) != 1:
            raise bad_signature("P2SH-P2WPKH pushes the redeem script alone")
        return _match_key_spend("p2sh-p2wpkh", Hashing.SEGWIT, redeem_script[2:], witness)
    spend = _match_multisig("p2sh", Hashing.LEGACY, pushes)
    if witness:
        raise bad_signature("P2SH multisig has no witness")
    if len(redeem_script) > _MAX_PUSH_BYTES:
        raise bad_signature("no P2SH script of more than 520 bytes can be spent")
    return spend


def _match_key_spend(template: str, hashing: Hashing, key_hash: bytes, stack: list[bytes]) -> Spend:
    """Match signature and public key. Witness programs take compressed keys alone (BIP-143)."""
    if len(stack) != 2:
        raise bad_signature("the spend is not one signature and one key")
    signature, key = stack
    _match_ecdsa(signature)
    compressed = len(key) == 33 and key[0] in (2, 3)
    uncompressed = hashing is Hashing.LEGACY and len(key) == 65 and key[0] == 4
    if not compressed and not uncompressed:
        raise bad_signature("the public key is malformed")
    if hash160(key) != key_hash:
        raise bad_signature("the public key is not the address's")
    code = b"\x76\xa9\x14" + key_hash + b"\x88\xac"
    return Spend(template, hashing, code, [signature], [key])


def _match_key_path(witness: list[bytes]) -> None:
    """Match a taproot key path (BIP-341): one Schnorr signature."""
    if len(witness) > 1:
        raise unsupported_template("a taproot script path or annex")
    if not witness or len(witness[0]) not in (64, 65):
        raise bad_signature("the spend is not one Schnorr signature")
    if witness[0][64:] not in (b"", bytes([SIGHASH_ALL])):
        raise bad_signature("the sighash is neither DEFAULT nor ALL")


def _match_multisig(template: str, hashing: Hashing, stack: list[bytes]) -> Spend:
    """Match the dummy, m signatures and a bare m-of-n script."""
    required, keys = _parse_multisig(stack[-1])
    signatures = stack[1:-1]
    if len(stack) != required + 2 or stack[0]:
        raise bad_signature(
            "the spend is not an empty element and one signature for each key required"
        )
    for signature in signatures:
        _match_ecdsa(signature)
    return Spend(f"{template} {required}-of-{len(keys)}", hashing, stack[-1], signatures, keys)


def _parse_multisig(script: bytes) -> tuple[int, list[bytes]]:
    """Return m and the keys of ``OP_m <n compressed keys> OP_n OP_CHECKMULTISIG``, m > n/2."""
    n, rest = divmod(len(script) - 3, _KEY_PUSH_BYTES)
    if rest or not 1 <= n <= _MAX_MULTISIG_KEYS:
        raise unsupported_template("the script is not bare multisig")
    m = script[0] - _OP_1 + 1
    if not 1 <= m <= n or script[-2:] != bytes([_OP_1 + n - 1, _OP_CHECKMULTISIG]):
        raise unsupported_template("the script is not bare multisig")
    places = range(1, len(script) - 2, _KEY_PUSH_BYTES)
    pushes = [script[at : at + _KEY_PUSH_BYTES] for at in places]
    if any(push[0] != 33 or push[1] not in (2, 3) for push in pushes):
        raise unsupported_template("the multisig has other than compressed keys")
    # By x alone: whoever holds the secret of a key holds that of its negative.
    if len({push[2:] for push in pushes}) != n:
        raise unsupported_template("a key occurs twice in the multisig")
    if 2 * m <= n:
        raise unsupported_template("a minority of the keys suffices")
    return m, [push[1:] for push in pushes]


def _match_ecdsa(signature: bytes) -> None:
    if len(signature) not in _ECDSA_BYTES or signature[-1] != SIGHASH_ALL:
        raise bad_signature("not an ECDSA signature with sighash ALL")


def _split_pushes(script_sig: bytes) -> list[bytes]:
    """Split a scriptSig of plain data pushes, each in its shortest form."""
    pushes = []
    at = 0
    while at < len(script_sig):
        opcode = script_sig[at]
        at += 1
        if opcode < _OP_PUSHDATA1:
            size = shortest = opcode
        elif opcode in (_OP_PUSHDATA1, _OP_PUSHDATA2):
            width = 1 if opcode == _OP_PUSHDATA1 else 2
            size = int.from_bytes(script_sig[at : at + width], "little")
            shortest = _OP_PUSHDATA1 if opcode == _OP_PUSHDATA1 else 0x100
            at += width
        else:
            raise bad_signature("the scriptSig holds an opcode that is no data push")
        push = script_sig[at : at + size]
        if len(push) != size or size < shortest:
            raise bad_signature("the scriptSig holds a truncated or overlong push")
        pushes.append(push)
        at += size
    return pushes
