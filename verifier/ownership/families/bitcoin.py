"""Bitcoin: addresses of standard templates, BIP-322 and BIP-137.

Transactions of BIP-127 sign for several addresses at once: `verifier.checks.reserves` has them.
"""

from __future__ import annotations

from verifier.format import base58, bech32
from verifier.format.chains import Network
from verifier.ownership.addresses import Address, Template
from verifier.ownership.bip322 import check_bip322
from verifier.ownership.errors import OwnershipError, unsupported_template
from verifier.ownership.recovery import check_bip137

FORMATS = {
    "bip322": frozenset(Template) - {Template.ACCOUNT, Template.UNKNOWN},
    "bip137": frozenset({Template.P2PKH, Template.P2WPKH, Template.P2SH}),
}
ROTATES = False

_PREFIX = "bc"
# By the byte before the hash in base58check: what the script has on both sides of it.
_HASHES = {
    0x00: (Template.P2PKH, b"\x76\xa9\x14", b"\x88\xac"),
    0x05: (Template.P2SH, b"\xa9\x14", b"\x87"),
}
_HASH_BYTES = 20
_OP_1 = 0x51
# By version and length of a witness program.
_PROGRAMS = {(0, 20): Template.P2WPKH, (0, 32): Template.P2WSH, (1, 32): Template.P2TR}


def parse(network: Network, text: str) -> Address:
    """Parse base58check, bech32 or bech32m in lower case; sources: BIP-13, BIP-173, BIP-350.

    Raises:
        OwnershipError: ``evidence.bad-address``, or ``evidence.unsupported-template`` for a witness
            version or program length without a standard template.
    """
    try:
        if text.startswith(_PREFIX + "1"):
            version, program = _witness_program(text)
        else:
            template, script = _hash_script(base58.decode_check(text))
            return Address(network.name, text, template, script)
    except ValueError:
        message = "not a bitcoin address of the main network, in its one text"
        raise OwnershipError("evidence.bad-address", message) from None
    if (version, len(program)) not in _PROGRAMS:
        raise unsupported_template("no standard template has this witness version and length")
    script = bytes([_OP_1 + version - 1 if version else 0, len(program)]) + program
    return Address(network.name, text, _PROGRAMS[version, len(program)], script)


def _witness_program(text: str) -> tuple[int, bytes]:
    """Return version and program of an address in bech32 (version 0) or bech32m (1 to 16)."""
    (version, *groups), constant = bech32.decode(_PREFIX, text)
    program = bech32.pack(groups)
    if constant != (bech32.BECH32M if version else bech32.BECH32):
        raise ValueError("the checksum is of another version")
    if version > 16 or not 2 <= len(program) <= 40:
        raise ValueError("no witness program")
    if version == 0 and (version, len(program)) not in _PROGRAMS:
        raise ValueError("a program of version 0 has 20 or 32 bytes")
    return version, program


def _hash_script(data: bytes) -> tuple[Template, bytes]:
    """Return the script that names the hash in an address of base58check."""
    if len(data) != 1 + _HASH_BYTES or data[0] not in _HASHES:
        raise ValueError("no hash of the main network")
    template, before, behind = _HASHES[data[0]]
    return template, before + data[1:] + behind


def check_contract(network: Network, text: str) -> None:
    """Refuse: a chain without tokens."""
    raise OwnershipError("evidence.bad-address", f"{network.name} has no contracts")


def check(address: Address, message: str, format: str, signature: str) -> str:
    """See `Rules`."""
    if format == "bip322":
        return check_bip322(address, message, signature)
    return check_bip137(address, message, signature)
