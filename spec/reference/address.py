"""Addresses (protocol.md 3): canonical text to output script or account.

Base58Check; Bech32 (BIP 173) and Bech32m (BIP 350), in lower case; EIP-55. Of Bitcoin and Tron it
is the main network alone. A text that is not the canonical one of what it says is a ValueError.
"""

from __future__ import annotations

import re
from hashlib import sha256

from Crypto.Hash import RIPEMD160, keccak

from spec.reference.chains import CHAINS

_BASE58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
_BECH32 = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"


def double_sha256(data: bytes) -> bytes:
    return sha256(sha256(data).digest()).digest()


def hash160(data: bytes) -> bytes:
    return RIPEMD160.new(sha256(data).digest()).digest()


def keccak256(data: bytes) -> bytes:
    return keccak.new(digest_bits=256, data=data).digest()


def p2pkh(key_hash: bytes) -> bytes:
    return b"\x76\xa9\x14" + key_hash + b"\x88\xac"


def p2sh(script_hash: bytes) -> bytes:
    return b"\xa9\x14" + script_hash + b"\x87"


def witness_script_of(version: int, program: bytes) -> bytes:
    """The output script of a witness program: OP_version, then its push."""
    return bytes([0x50 + version if version else 0, len(program)]) + program


def bitcoin_script(address: str) -> bytes:
    """The output script of a bitcoin address of the main network."""
    if address.startswith("bc1"):
        return witness_script_of(*_bech32(address))
    payload = _base58check(address)
    if len(payload) != 21 or payload[0] not in (0, 5):
        raise ValueError("not a main network address")
    return p2sh(payload[1:]) if payload[0] else p2pkh(payload[1:])


def _base58check(text: str) -> bytes:
    number = 0
    for character in text:
        number = number * 58 + _BASE58.index(character)  # a ValueError outside the alphabet
    zeros = len(text) - len(text.lstrip("1"))
    data = bytes(zeros) + number.to_bytes((number.bit_length() + 7) // 8, "big")
    if len(data) < 5 or double_sha256(data[:-4])[:4] != data[-4:]:
        raise ValueError("wrong checksum")
    return data[:-4]


def _bech32_checksum(values: list[int]) -> int:
    """The BCH polynomial of BIP 173."""
    remainder = 1
    for value in values:
        top = remainder >> 25
        remainder = (remainder & 0x1FFFFFF) << 5 ^ value
        for bit, generator in enumerate(
            (0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)
        ):
            if top >> bit & 1:
                remainder ^= generator
    return remainder


def _bech32(address: str) -> tuple[int, bytes]:
    """Witness version and program of a `bc1` address."""
    values = [_BECH32.index(character) for character in address[3:]]
    if len(address) > 90 or len(values) < 7:
        raise ValueError("wrong length")
    version, *data = values[:-6]
    checksum = _bech32_checksum([3, 3, 0, 2, 3, *values])  # the prefix `bc`, expanded
    if checksum != (0x2BC830A3 if version else 1):
        raise ValueError("wrong checksum")
    number = 0
    for value in data:
        number = number << 5 | value
    size, padding = divmod(5 * len(data), 8)
    if padding > 4 or number & ((1 << padding) - 1):
        raise ValueError("wrong padding")
    if version > 16 or not 2 <= size <= 40 or (version == 0 and size not in (20, 32)):
        raise ValueError("no witness program")
    return version, (number >> padding).to_bytes(size, "big")


def tron_account(address: str) -> bytes:
    """The 20 bytes of an address of Tron's main network: base58check, after 0x41."""
    payload = _base58check(address) if len(address) == 34 else b""
    if len(payload) != 21 or payload[0] != 0x41:
        raise ValueError("not an address of Tron's main network")
    return payload[1:]


def ethereum_account(address: str) -> bytes:
    """The 20 bytes of an address in EIP-55 form."""
    if len(address) != 42 or not address.startswith("0x") or not address.isascii():
        raise ValueError("not 0x and 40 digits")
    account = bytes.fromhex(address[2:])
    if len(account) != 20 or eip55(account) != address:
        raise ValueError("wrong checksum")
    return account


def eip55(account: bytes) -> str:
    """A digit is upper-case where the same place of the hash of the lower-case text is ≥ 8."""
    digits = account.hex()
    places = keccak256(digits.encode()).hex()
    return "0x" + "".join(
        digit.upper() if int(place, 16) >= 8 else digit
        for digit, place in zip(digits, places[:40], strict=True)
    )


def owner(chain: str, address: str) -> bytes:
    """The script or account of an address; ValueError where the text is not canonical."""
    if chain not in CHAINS:
        return address.encode()  # no rules are known
    match CHAINS[chain].family:
        case "bitcoin":
            return bitcoin_script(address)
        case "evm":
            return ethereum_account(address)
        case "tron":
            return tron_account(address)
        case _:
            raise ValueError("no addresses there")


def check_contract(chain: str, contract: str) -> None:
    """ValueError where a chain that is known cannot have the contract, in this text."""
    if chain not in CHAINS:
        return
    family = CHAINS[chain].family
    if family == "fiat":
        if not re.fullmatch("[A-Z]{3}", contract):
            raise ValueError("no currency's code")
    elif contract and family == "bitcoin":
        raise ValueError("bitcoin has no contracts")
    elif contract:
        owner(chain, contract)
