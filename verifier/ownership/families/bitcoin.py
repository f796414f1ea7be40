"""Bitcoin: addresses of standard templates, BIP-322 and BIP-137.

Transactions of BIP-127 sign for several addresses at once: `verifier.checks.reserves` has them.
"""

from __future__ import annotations

from bip322core.core import BIP322Error, decode_address
from embit import bech32
from embit.script import Script

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


def parse(network: Network, text: str) -> Address:
    """Parse base58check, bech32 or bech32m in lower case; sources: BIP-13, BIP-173, BIP-350.

    Raises:
        OwnershipError: ``evidence.bad-address``, or ``evidence.unsupported-template`` for a witness
            version or program length without a standard template.
    """
    try:
        script = decode_address(text)
    except BIP322Error:
        raise OwnershipError("evidence.bad-address", "not a bitcoin address") from None
    kind = Script(script).script_type()
    if kind is None:  # a program of witness version 1 to 16, the only other thing that decodes
        canonical = bech32.encode("bc", script[0] - 0x50, script[2:])
    else:
        canonical = Script(script).address()
    if text != canonical:
        raise OwnershipError("evidence.bad-address", "not the canonical text of a mainnet address")
    if kind is None:
        raise unsupported_template("no standard template has this witness version and length")
    return Address(network.name, text, Template(kind), script)


def check_contract(network: Network, text: str) -> None:
    """Refuse: a chain without tokens."""
    raise OwnershipError("evidence.bad-address", f"{network.name} has no contracts")


def check(address: Address, message: str, format: str, signature: str) -> str:
    """See `Rules`."""
    if format == "bip322":
        return check_bip322(address, message, signature)
    return check_bip137(address, message, signature)
