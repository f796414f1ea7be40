"""An exchange with money at a bank, which two attesters sign for, beside its coins."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgpack

from tests.support.forged_sample import ALICE, BOB, CUSTOMERS, SPECS, Sample, Spec, sample
from tests.support.forger import Elsewhere, Fields, Lies, attested, pack, public_key

BANK, CUSTODIAN, STRANGER = bytes(31) + b"\x21", bytes(31) + b"\x22", bytes(31) + b"\x23"
TIME = 1767225600
EUR = Spec("EUR", 2, (("fiat", "EUR", 2),), ())
OWED = {
    **CUSTOMERS,
    ALICE: {**CUSTOMERS[ALICE], "EUR": [5_000_000]},
    BOB: {**CUSTOMERS[BOB], "EUR": [1_000_000, 99]},
}
AT_BANK = Elsewhere(BANK, 5_000_000, 100_000)
AT_CUSTODIAN = Elsewhere(CUSTODIAN, 2_000_000, kind="custodian", reference="safe 1")
CHAINS = [
    ("bitcoin", 900_000, bytes(31) + b"\x01"),
    ("ethereum", 24_000_000, bytes(31) + b"\x02"),
    ("fiat", TIME, bytes(32)),
]
# What the reader of these bundles knows: what EUR is, and two attesters.
POLICY: Mapping[str, Any] = {
    "units": [["EUR", "fiat", "EUR", 2]],
    "attesters": [["A bank", public_key(BANK)], ["A custodian", public_key(CUSTODIAN)]],
}


def attested_sample(
    held: Mapping[str, Sequence[Elsewhere]] | None = None,
    lies: Lies | None = None,
    specs: Sequence[Spec] = (*SPECS, EUR),
) -> Sample:
    """The exchange; `held` are the attested holdings of each asset, by default of EUR alone."""
    made = sample(specs, OWED, lies, chains=CHAINS)
    for asset in made.forger.assets:
        asset.elsewhere = list((held or {"EUR": [AT_BANK, AT_CUSTODIAN]}).get(asset.code, []))
    made.forger.assets.sort(key=lambda asset: asset.code)
    return made


def resigned(edit: Callable[[Fields], None], seed: bytes = BANK) -> Callable[[Fields], None]:
    """An edit of evidence: the body of the attestation of a key, signed anew."""

    def change(fields: Fields) -> None:
        for entry in fields["attestations"]:
            if entry["key"] == public_key(seed):
                body = msgpack.unpackb(entry["body"])
                edit(body)
                entry.update(attested(seed, pack(body)))

    return change
