"""Published signatures of accounts on EVM chains and Tron, and mutations, through both verifiers.

Read in place from the folder of captured data: ``chains/families.json`` and ``chains/okx.json``.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from spec.reference import ownership
from spec.reference.address import owner
from spec.reference.errors import UnsupportedError
from verifier.format.chains import Family, of_family
from verifier.format.keccak import keccak256
from verifier.ownership import OwnershipError, check_ownership, parse_address
from verifier.ownership.families.evm import account_of, account_text, recovered
from verifier.ownership.families.tron import tron_text
from verifier.ownership.recovery import CURVE_ORDER

# isort: split
from embit import base58

EVM = of_family(Family.EVM)
ACCOUNT = re.compile(r"0x[0-9a-fA-F]{40}")


class Signed(NamedTuple):
    chain: str
    address: str
    format: str
    message: str
    signature: str


def verifier(signed: Signed) -> str | None:
    try:
        address = parse_address(signed.chain, signed.address)
        check_ownership(address, signed.message, signed.format, signed.signature)
    except OwnershipError as error:
        return error.code
    return None


def reference(signed: Signed) -> str | None:
    try:
        owner(signed.chain, signed.address)
    except ValueError:
        return "evidence.bad-address"
    try:
        message = signed.message.encode()
        ownership.verify(signed.format, signed.chain, signed.address, message, signed.signature)
    except UnsupportedError as error:
        return f"evidence.unsupported-{error.what}"
    except ValueError:
        return "evidence.bad-signature"
    return None


def verdict(signed: Signed) -> str | None:
    """The code of both verifiers; None where they accept."""
    found = verifier(signed), reference(signed)
    assert found[0] == found[1], signed
    return found[0]


def published(folder: Path) -> Iterator[Signed]:
    """Every vector of the two families; OKX's on EVM chains with the format that it is not."""
    for vector in json.loads((folder / "families.json").read_text())["vectors"]:
        if vector["format"] in ("eip191", "tip191"):
            address = vector["address"]
            if ACCOUNT.fullmatch(address):
                address = account_text(bytes.fromhex(address[2:]))
            yield Signed(
                vector["chain"], address, vector["format"], vector["message"], vector["signature"]
            )
    for vector in json.loads((folder / "okx.json").read_text())["vectors"]:
        address = vector.get("addr", "")
        if ACCOUNT.fullmatch(address):
            chain = {"ETH-LINEA": "linea"}.get(vector["coin"], "ethereum")
            address = account_text(bytes.fromhex(address[2:]))
            yield Signed(chain, address, "eip191", vector["msg"], vector["sign1"])
        elif vector["kind"] == "trx":
            yield Signed("tron", address, "tip191", vector["msg"], vector["sign1"])


@pytest.fixture(scope="module")
def vectors(test_cases: Path) -> list[Signed]:
    return list(published(test_cases / "chains"))


def by_hash(signed: Signed) -> bool:
    """Whether it is over the message's hash, as OKX and the TronWeb of old frame it."""
    name = b"TRON" if signed.chain == "tron" else b"Ethereum"
    digest = keccak256(signed.message.encode())
    framed = keccak256(b"\x19" + name + b" Signed Message:\n32" + digest)
    account = account_of(recovered(framed, signed.signature))
    text = tron_text(account) if signed.chain == "tron" else account_text(account)
    return text == signed.address


def test_what_is_signed_by_the_rule_is_accepted_and_no_other_frame(vectors: list[Signed]) -> None:
    accepted = [signed for signed in vectors if verdict(signed) is None]
    assert sorted(signed.format for signed in accepted) == ["eip191", "tip191"]
    refused = [signed for signed in vectors if signed not in accepted]
    assert {verdict(signed) for signed in refused} == {"evidence.bad-signature"}
    # They are genuine, of another rule: that OKX's EVM accounts follow, and one of Tron's.
    framed = [signed.chain for signed in refused if by_hash(signed)]
    assert len(framed) > 6
    assert framed.count("tron") == 1


def test_one_account_on_every_evm_chain(vectors: list[Signed]) -> None:
    """The message names the chain, and the key is the same: what differs is the text alone."""
    signed = next(item for item in vectors if verdict(item) is None and item.format == "eip191")
    assert {verdict(signed._replace(chain=chain)) for chain in EVM} == {None}


def respelt(signed: Signed) -> Iterator[Signed]:
    """Every other spelling of a signature, and of its s and v."""
    text = signed.signature
    v = {"1b": "1c", "1c": "1b"}[text[-2:]]
    mirrored = (CURVE_ORDER - int(text[66:130], 16)).to_bytes(32).hex()
    for changed in (
        text[2:],
        "0X" + text[2:],
        "0x" + text[2:].upper(),
        text + "\n",
        " " + text,
        text[:-2],
        text[:-2] + "00",
        text[:-2] + "01",
        text[:-2] + "1d",
        text[:-2] + v,
        text[:66] + mirrored + v,
        text[:66] + mirrored + text[-2:],
        "0x" + "00" * 64 + "1b",
    ):
        yield signed._replace(signature=changed)


def mutated(signed: Signed) -> Iterator[Signed]:
    """Another message, key, chain, format, address text, spelling."""
    yield from respelt(signed)
    for message in ("", signed.message + "\n", signed.message[:-1], signed.message.swapcase()):
        yield signed._replace(message=message)
    account = parse_address(signed.chain, signed.address).owner
    other = account[:-1] + bytes([account[-1] ^ 1])
    is_tron = signed.chain == "tron"
    yield signed._replace(address=tron_text(other) if is_tron else account_text(other))
    # The same key's account on a chain of the other family, by either family's rule.
    chain, address = (
        ("ethereum", account_text(account)) if is_tron else ("tron", tron_text(account))
    )
    for form in ("eip191", "tip191", "eip712", "eip191@bsc"):
        yield signed._replace(chain=chain, address=address, format=form)
    yield signed._replace(format="eip191" if is_tron else "tip191")
    yield signed._replace(chain=chain)
    yield signed._replace(address=signed.address.lower())
    yield signed._replace(address=signed.address.upper())
    yield signed._replace(address=signed.address + " ")
    yield signed._replace(address="41" + account.hex())
    for version in (b"\x00", b"\x40", b"\x42", b"\xa0", b"\x41\x00"):
        yield signed._replace(address=base58.encode_check(version + account))
    if is_tron:
        yield signed._replace(address="1" + signed.address)
        yield signed._replace(address=signed.address[:-1] + "0")


def test_no_mutation_is_accepted(vectors: list[Signed]) -> None:
    tried = 0
    for signed in vectors:
        if verdict(signed) is not None:
            continue
        for changed in mutated(signed):
            assert changed != signed
            assert verdict(changed) is not None, changed
            tried += 1
    assert tried >= 60
