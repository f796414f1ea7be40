"""The options of ``assay-verify attest-holding``, apart: to show them loads nothing else."""

from __future__ import annotations

from verifier.format.holding import HoldingKind

# What is said of a holding, by the names of the options and of the keys in a file of settings.
TEXTS = {
    "key": "your Ed25519 key: a file of PKCS#8 PEM, readable by you alone",
    "exchange_key": "the exchange's public key, assay1…, or a file that holds it",
    "snapshot_id": "the id of the snapshot that this is for",
    "kind": f"what it is: {', '.join(HoldingKind)}",
    "unit": "what it is held in, CHAIN:CONTRACT:DECIMALS, such as fiat:EUR:2 or bitcoin::8",
    "amount": "all that is held, as a decimal number of whole coins",
    "encumbered": "what of it is pledged, lent or overdrawn (0)",
    "attester": "your legal name",
    "holder": "the legal name of whoever holds it",
    "reference": "the account or report; once in all that you sign for this snapshot",
    "document": "the statement or report: a file, whose SHA-256 is signed",
    "time": "when it was held, such as 2026-11-28T00:00:00Z",
    "not_after": "until when this is good",
    "out": "the file to write, such as bank.attestation",
}
