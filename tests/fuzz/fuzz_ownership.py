"""Addresses and ownership signatures: both verifiers give the same code to any texts."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

# isort: split
from spec.reference import address as reference_address
from spec.reference import ownership
from spec.reference.errors import UnsupportedError
from tests.fuzz.corpus import run
from tests.support.bases import base
from tests.support.forged_sample import SIGNERS, signed
from verifier.ownership import (
    OwnershipError,
    check_contract,
    check_ownership,
    parse_address,
    signed_chain,
)
from verifier.ownership.contract import CONTRACT_FORMAT, contract_signature

FORMATS = (
    "bip322",
    "bip137",
    "eip191",
    "tip191",
    "eip1271",
    "eip191@ethereum",
    "eip191@bsc",
    "eip191@tron",
    "none",
)
CHAINS = ("bitcoin", "bsc", "ethereum", "tron")
MESSAGES = {chain: base("families").forger.ownership_message(chain) for chain in CHAINS}


def ours(chain: str, address: str, form: str, text: str) -> str | None:
    try:
        parsed = parse_address(chain, address)
        signed_for, name = signed_chain(chain, form)
        if name == CONTRACT_FORMAT:
            contract_signature(parsed, text)
        else:
            check_ownership(parsed, MESSAGES[signed_for], name, text)
    except OwnershipError as fault:
        return fault.code
    return None


def theirs(chain: str, address: str, form: str, text: str) -> str | None:
    try:
        reference_address.owner(chain, address)
    except ValueError:
        return "evidence.bad-address"
    try:
        signed_for, name = ownership.signed_chain(chain, form)
        ownership.verify(name, chain, address, MESSAGES[signed_for].encode(), text)
    except UnsupportedError as fault:
        return f"evidence.unsupported-{fault.what}"
    except ValueError:
        return "evidence.bad-signature"
    return None


def contracts(chain: str, text: str) -> tuple[bool, bool]:
    """Whether each verifier takes a text for a contract of a chain."""
    taken = [True, True]
    try:
        check_contract(chain, text)
    except OwnershipError:
        taken[0] = False
    try:
        reference_address.check_contract(chain, text)
    except ValueError:
        taken[1] = False
    return taken[0], taken[1]


def target(data: bytes) -> None:
    """Input: a byte of choices, address, NUL, signature."""
    if not data:
        return
    chain = CHAINS[data[0] % len(CHAINS)]
    form = FORMATS[data[0] // len(CHAINS) % len(FORMATS)]
    address, _, text = data[1:].decode("utf-8", "replace").partition("\0")
    if not address or not text or len(address.encode()) > 128:
        return
    found = ours(chain, address, form, text), theirs(chain, address, form, text)
    if found[0] != found[1]:
        raise AssertionError(f"the verifiers differ: {found}")
    taken = contracts(chain, address)
    if taken[0] != taken[1]:
        raise AssertionError(f"the verifiers differ on a contract: {taken}")


if __name__ == "__main__":
    seeds = []
    for kind, (chain, form, _) in SIGNERS.items():
        if chain not in CHAINS:
            continue
        made = signed(kind, MESSAGES[chain])
        choice = CHAINS.index(chain) + len(CHAINS) * FORMATS.index(form)
        seeds.append(bytes([choice]) + f"{made.address}\0{made.signature}".encode())
    run(target, seeds, 2048)
