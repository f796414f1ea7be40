"""BIP-127 transactions: both verifiers give one code to any bytes, and accept no other ones."""

from __future__ import annotations

import sys
from base64 import b64encode
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

# isort: split
from spec.reference import bip127
from spec.reference.errors import UnsupportedError
from tests.fuzz.corpus import run
from tests.support.bitcoin_spend import KINDS, coin_of, reserves, wallet
from verifier.ownership import OwnershipError
from verifier.ownership.bip127 import check_bip127

MESSAGE = "a message"
OWNED = [(wallet(kind), coin_of(wallet(kind), at, 1000 + at)) for at, kind in enumerate(KINDS)]
HONEST = reserves(OWNED, MESSAGE).serialize()
ADDRESSES = sorted(owner.address for owner, _ in OWNED)
COINS = [
    {"address": owner.address, "amount": coin.amount, "index": coin.index, "txid": coin.txid}
    for owner, coin in OWNED
]


def ours(text: str) -> str | None:
    try:
        check_bip127([coin for _, coin in OWNED], MESSAGE, text)
    except OwnershipError as fault:
        return fault.code
    return None


def theirs(text: str) -> str | None:
    entries = [
        {"address": address, "chain": "bitcoin", "format": "bip127", "text": f"@{ADDRESSES[0]}"}
        for address in ADDRESSES
    ]
    entries[0]["text"] = text
    try:
        plan = bip127.Plan({"coins": COINS, "signatures": entries})
        bip127.check(entries[0], plan, MESSAGE.encode())
    except UnsupportedError as fault:
        return f"evidence.unsupported-{fault.what}"
    except ValueError:
        return "evidence.bad-signature"
    return None


def target(data: bytes) -> None:
    text = b64encode(data).decode()
    found = ours(text), theirs(text)
    if found[0] != found[1]:
        raise AssertionError(f"the verifiers differ: {found}")
    if found[0] is None and data != HONEST:
        raise AssertionError("another transaction is accepted")


if __name__ == "__main__":
    run(target, [HONEST], 4096)
