"""Addresses and ownership signatures: both verifiers give the same code to any texts."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

# isort: split
from spec.reference import ownership
from spec.reference.errors import UnsupportedError
from tests.fuzz.corpus import run
from tests.support.bases import base
from tests.support.forged_sample import SIGNERS, signed
from verifier.ownership import OwnershipError, check_ownership, parse_address

FORMATS = ("bip322", "bip137", "eip191", "none")
CHAINS = ("bitcoin", "ethereum")
MESSAGES = {chain: base("honest").forger.ownership_message(chain) for chain in CHAINS}


def ours(chain: str, address: str, form: str, text: str) -> str | None:
    try:
        parsed = parse_address(chain, address)
        check_ownership(parsed, MESSAGES[chain], form, text)
    except OwnershipError as fault:
        return fault.code
    return None


def theirs(chain: str, address: str, form: str, text: str) -> str | None:
    try:
        ownership.owner(chain, address)
    except ValueError:
        return "evidence.bad-address"
    try:
        ownership.verify(form, chain, address, MESSAGES[chain].encode(), text)
    except UnsupportedError as fault:
        return f"evidence.unsupported-{fault.what}"
    except ValueError:
        return "evidence.bad-signature"
    return None


def target(data: bytes) -> None:
    """Input: a byte of choices, address, NUL, signature."""
    if not data:
        return
    chain, form = CHAINS[data[0] & 1], FORMATS[data[0] >> 1 & 3]
    address, _, text = data[1:].decode("utf-8", "replace").partition("\0")
    if not address or not text or len(address.encode()) > 128:
        return
    found = ours(chain, address, form, text), theirs(chain, address, form, text)
    if found[0] != found[1]:
        raise AssertionError(f"the verifiers differ: {found}")


if __name__ == "__main__":
    seeds = []
    for kind, (chain, form, _) in SIGNERS.items():
        made = signed(kind, MESSAGES[chain])
        choice = CHAINS.index(chain) | FORMATS.index(form) << 1
        seeds.append(bytes([choice]) + f"{made.address}\0{made.signature}".encode())
    run(target, seeds, 2048)
