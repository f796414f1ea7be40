"""Lists of reserves as OKX and BitMEX publish them, made from keys of the tests' own."""

from __future__ import annotations

import csv
import io
from base64 import b64encode
from collections.abc import Sequence
from hashlib import sha256

from coincurve import PrivateKey, PublicKey

from prover.imports.signatures import key_scripts, okx_digest, script_outputs
from verifier.ownership.families.evm import account_of, account_text
from verifier.ownership.recovery import bip137_digest

# isort: split
from embit import base58
from embit.script import Script

STATIC = "I am an OKX address"

TOTALS = "coin,snapshot height,amount\nETH(ALL),-,6\nETH,16005122, 5.2834\nBTC,763861,449.5140\n\n"
COLUMNS = (
    "coin,Network,Snapshot Height,address,amount,message,signature1,signature2,"
    "redeem script/ public key, eoa1, eoa2"
)
BARE_COLUMNS = (
    "digitalAsset,network,address,signedMessage,signedMessage2,message,publicKey,owner1,owner2"
)


def private_key(number: int) -> PrivateKey:
    return PrivateKey(sha256(f"import {number}".encode()).digest())


def account(number: int) -> str:
    """The account of a key, in lower case as OKX writes it."""
    return account_text(account_of(private_key(number).public_key)).lower()


def okx_signature(number: int, message: str = STATIC) -> str:
    raw = private_key(number).sign_recoverable(okx_digest(message), hasher=None)
    return "0x" + (raw[:64] + bytes([27 + raw[64]])).hex()


def compact_signature(number: int, message: str = STATIC, header: int = 31) -> str:
    """A Bitcoin signed message; a header of 27 says that the key is not compressed."""
    raw = private_key(number).sign_recoverable(bip137_digest(message), hasher=None)
    return b64encode(bytes([header + raw[64]]) + raw[:64]).decode()


def multisig(required: int, numbers: Sequence[int], *, compressed: bool = True) -> bytes:
    keys = [private_key(number).public_key.format(compressed=compressed) for number in numbers]
    pushes = b"".join(bytes([len(key)]) + key for key in keys)
    return bytes([0x50 + required]) + pushes + bytes([0x50 + len(keys), 0xAE])


def script_address(script: bytes, kind: str) -> str:
    address: str = Script(script_outputs(script)[kind]).address()
    return address


def line(*cells: str) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerow(cells)
    return text.getvalue()


def ethereum_row(
    number: int, message: str = STATIC, *, height: str = "20914735", signature: str = ""
) -> str:
    return line(
        "ETH", "ETH", height, account(number), "0.5", message,
        signature or okx_signature(number, message), "", "",
    )  # fmt: skip


def multisig_row(kind: str = "wsh", message: str = STATIC) -> str:
    script = multisig(2, [1, 2, 3])
    signatures = compact_signature(3, message), compact_signature(1, message)
    address = script_address(script, kind)
    return line("BTC", "BTC", "763861", address, "1.5", message, *signatures, script.hex())


# An extended key: its chain code is of the tests' own choosing.
CHAIN_CODE = sha256(b"chain code").digest()
XPUB: str = base58.encode_check(
    bytes.fromhex("0488b21e") + bytes(9) + CHAIN_CODE + private_key(9).public_key.format()
)


def known_keys() -> list[str]:
    return [private_key(number).public_key.format(compressed=False).hex() for number in (1, 2, 3)]


def vanity_script(number: int, *, compressed: bool = True) -> bytes:
    """A 3-of-4 of the known keys and one more."""
    return multisig(3, [1, 2, 3, number], compressed=compressed)


def address_of(key: PublicKey) -> str:
    """The P2WPKH address of a key."""
    text: str = Script(key_scripts(key.format())[1]).address()
    return text
