"""A small exchange with three customers, to be forged: who has what, and what the exchange holds.

Everything is a function of the arguments. Keys are throw-away ones, derived from a label.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from hashlib import sha256
from typing import Any

from prover.assets.signing import (
    Signed,
    sign_bip137_p2pkh,
    sign_bip322_simple_p2tr,
    sign_bip322_simple_p2wpkh,
    sign_bip322_simple_p2wsh,
    sign_eip191,
    sign_tip191,
)
from tests.support.forger import Asset, Fields, Forger, Leaf, Lies

USDT = "0xdAC17F958D2ee523a2206206994597C13D831ec7"

ALICE, BOB, CAROL = "alice@example.com", "bob@example.com", "carol@example.com"
Balances = Mapping[str, Mapping[str, Sequence[int]]]
# Of each customer and asset the parts, in ledger units. Alice and Bob have equal balances of ETH,
# Carol has nothing.
CUSTOMERS: Balances = {
    ALICE: {"BTC": [150_000_000, 25_000_001], "ETH": [3_500_000_000]},
    BOB: {"BTC": [7], "ETH": [3_500_000_000], "USDT": [999_999, 1]},
    CAROL: {},
}


def key(number: int) -> bytes:
    """A throw-away private key."""
    return sha256(b"throw-away key %d" % number).digest()


SIGNERS: dict[str, tuple[str, str, Callable[[str], Signed]]] = {
    "p2wpkh": ("bitcoin", "bip322", lambda message: sign_bip322_simple_p2wpkh(key(1), message)),
    "p2pkh": ("bitcoin", "bip137", lambda message: sign_bip137_p2pkh(key(2), message)),
    "p2tr": ("bitcoin", "bip322", lambda message: sign_bip322_simple_p2tr(key(3), message)),
    "p2wsh": (
        "bitcoin",
        "bip322",
        lambda message: sign_bip322_simple_p2wsh([key(4), key(5), key(6)], 2, message),
    ),
    "account": ("ethereum", "eip191", lambda message: sign_eip191(key(7), message)),
    "other account": ("ethereum", "eip191", lambda message: sign_eip191(key(8), message)),
    "bsc account": ("bsc", "eip191", lambda message: sign_eip191(key(7), message)),
    "blast account": ("blast", "eip191", lambda message: sign_eip191(key(7), message)),
    "avalanche account": ("avalanche", "eip191", lambda message: sign_eip191(key(7), message)),
    "polygon account": ("polygon", "eip191", lambda message: sign_eip191(key(7), message)),
    "zksync account": ("zksync", "eip191", lambda message: sign_eip191(key(7), message)),
    "tron account": ("tron", "tip191", lambda message: sign_tip191(key(7), message)),
}


@lru_cache(maxsize=256)
def signed(kind: str, message: str) -> Signed:
    """Address and signature of a kind of holder."""
    return SIGNERS[kind][2](message)


@dataclass(frozen=True)
class Spec:
    """One asset: its units, what is held (kind of holder, contract, base units), its tree.

    blindings: (index, blinding factor) of the sums of some pages of level 0.
    """

    code: str
    decimals: int
    units: tuple[tuple[str, str, int], ...]
    holdings: tuple[tuple[str, str, int], ...]
    capacity: int = 1
    ratio: tuple[int, int] = (1, 1)
    page_size: int = 16
    blindings: tuple[tuple[int, int], ...] = ()


BTC = Spec(
    "BTC",
    8,
    (("bitcoin", "", 8),),
    (("p2wpkh", "", 150_000_000), ("p2pkh", "", 50_000_000)),
    capacity=3,
)
ETH = Spec("ETH", 9, (("ethereum", "", 18),), (("account", "", 7_000_000_001 * 10**9 - 1),))
TETHER = Spec("USDT", 6, (("ethereum", USDT, 6),), (("account", USDT, 1_000_000),))
SPECS = (BTC, ETH, TETHER)


@dataclass
class Sample:
    """The exchange, and where its customers' parts are: (leaf, amount) by account and code."""

    forger: Forger
    parts: dict[str, dict[str, list[tuple[int, int]]]] = field(default_factory=dict)

    def package(
        self, manifest: bytes, account: str, edit: Callable[[Fields], None] = lambda fields: None
    ) -> bytes:
        """The inclusion package of a customer under the bytes of a manifest."""
        return self.forger.package(
            manifest, account, account_key(account), self.parts[account], edit
        )


def account_key(account: str) -> bytes:
    return sha256(b"account key of " + account.encode()).digest()


def padding(code: str, index: int) -> Leaf:
    """A leaf of amount 0."""
    return Leaf(0, sha256(b"padding %s %d" % (code.encode(), index)).digest())


def sample(
    specs: Sequence[Spec] = SPECS,
    customers: Balances = CUSTOMERS,
    lies: Lies | None = None,
    **identity: Any,
) -> Sample:
    """The exchange; `identity` are fields of `Forger`."""
    forger = Forger([], lies=lies or Lies(), **identity)
    made = Sample(forger, {account: {} for account in customers})
    forger.assets = [_asset(forger, spec, made.parts, customers) for spec in specs]
    return made


def _asset(
    forger: Forger,
    spec: Spec,
    parts: dict[str, dict[str, list[tuple[int, int]]]],
    customers: Balances,
) -> Asset:
    places = range(spec.capacity * spec.page_size)
    order = sorted(
        places, key=lambda place: sha256(b"%s %d" % (spec.code.encode(), place)).digest()
    )
    leaves = [padding(spec.code, place) for place in places]
    for account, balances in customers.items():
        for number, amount in enumerate(balances.get(spec.code, ())):
            place = order.pop()
            identity = forger.identity(account_key(account), account, spec.code, number)
            leaves[place] = Leaf(amount, identity)
            parts[account].setdefault(spec.code, []).append((place, amount))
    return Asset(
        spec.code,
        spec.decimals,
        list(spec.units),
        leaves,
        *disclosed(forger, spec.holdings),
        spec.capacity,
        spec.page_size,
        spec.ratio,
        dict(spec.blindings),
    )


def disclosed(
    forger: Forger, holdings: Sequence[tuple[str, str, int]]
) -> tuple[list[tuple[str, str, str, int]], list[tuple[str, str, str, str]]]:
    """Rows and signatures of evidence, sorted."""
    rows, signatures = set(), set()
    for kind, contract, amount in holdings:
        chain, form, _ = SIGNERS[kind]
        address, text = signed(kind, forger.ownership_message(chain))
        rows.add((chain, contract, address, amount))
        signatures.add((chain, address, form, text))
    return sorted(rows), sorted(signatures)
