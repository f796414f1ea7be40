"""Signatures and messages changed at random: refused with a code, never accepted, never a crash."""

from __future__ import annotations

import random
from base64 import b64decode, b64encode

import pytest

from prover.assets.signing import (
    Signed,
    sign_bip137_p2pkh,
    sign_bip322_simple_p2tr,
    sign_bip322_simple_p2wpkh,
    sign_bip322_simple_p2wsh,
    sign_eip191,
)
from tests.support.ownership_forge import KEYS, PUBLIC_KEYS, multisig, sign_p2sh
from verifier.ownership import OwnershipError, check_ownership, parse_address

MESSAGE = "assay/v1/ownership\nbip322"
CASES = {
    "p2wpkh": ("bitcoin", "bip322", sign_bip322_simple_p2wpkh(KEYS[0], MESSAGE)),
    "p2tr": ("bitcoin", "bip322", sign_bip322_simple_p2tr(KEYS[0], MESSAGE)),
    "p2wsh": ("bitcoin", "bip322", sign_bip322_simple_p2wsh(KEYS[:3], 2, MESSAGE)),
    "p2sh": ("bitcoin", "bip322", Signed(*sign_p2sh(multisig(2, PUBLIC_KEYS[:2]), KEYS[:2]))),
    "p2pkh": ("bitcoin", "bip137", sign_bip137_p2pkh(KEYS[0], MESSAGE)),
    "account": ("ethereum", "eip191", sign_eip191(KEYS[0], MESSAGE)),
}


def change_bytes(raw: bytes, random_: random.Random) -> bytes:
    """Flip, overwrite, remove, insert or move bytes, or cut the end off."""
    data = bytearray(raw)
    at = random_.randrange(len(data))
    match random_.randrange(6):
        case 0:
            data[at] ^= 1 << random_.randrange(8)
        case 1:
            data[at] = random_.choice([0, 1, 2, 0x30, 0x50, 0x51, 0x7F, 0x80, 0xFC, 0xFD, 0xFF])
        case 2:
            del data[at : at + random_.randint(1, 4)]
        case 3:
            data[at:at] = random_.randbytes(random_.randint(1, 4))
        case 4:
            data[at:] = data[at:][::-1]
        case _:
            del data[at:]
    return bytes(data)


def change_signature(signature: str, random_: random.Random) -> str:
    """Change the text, or else the bytes that it encodes."""
    if random_.random() < 0.3:
        text = change_bytes(signature.encode(), random_)
        return text.decode("latin-1")
    if signature.startswith("0x"):
        return "0x" + change_bytes(bytes.fromhex(signature[2:]), random_).hex()
    prefix = signature[:3] if signature[:3] in ("smp", "ful") else ""
    raw = b64decode(signature[len(prefix) :])
    return prefix + b64encode(change_bytes(raw, random_)).decode()


@pytest.mark.parametrize("name", CASES)
def test_changed_signature(name: str) -> None:
    chain, format_, (text, signature) = CASES[name]
    address = parse_address(chain, text)
    seed = f"20261121-{name}"
    random_ = random.Random(seed)
    check_ownership(address, MESSAGE, format_, signature)
    for _ in range(250):
        changed = change_signature(signature, random_)
        # Without its prefix a simple signature is the same signature.
        if changed not in (signature, signature.removeprefix("smp")):
            with pytest.raises(OwnershipError):
                print(seed, changed, check_ownership(address, MESSAGE, format_, changed))


@pytest.mark.parametrize("name", CASES)
def test_changed_message(name: str) -> None:
    chain, format_, (text, signature) = CASES[name]
    address = parse_address(chain, text)
    for at in range(len(MESSAGE)):
        changed = MESSAGE[:at] + chr(ord(MESSAGE[at]) ^ 1) + MESSAGE[at + 1 :]
        with pytest.raises(OwnershipError):
            check_ownership(address, changed, format_, signature)


@pytest.mark.parametrize("name", CASES)
def test_signature_under_every_other_address_and_format(name: str) -> None:
    chain, format_, (text, signature) = CASES[name]
    for other_chain, other_format, (other_text, _) in CASES.values():
        for used in {format_, other_format}:
            if (other_chain, other_text, used) != (chain, text, format_):
                with pytest.raises(OwnershipError):
                    check_ownership(
                        parse_address(other_chain, other_text), MESSAGE, used, signature
                    )
