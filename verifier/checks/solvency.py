"""One asset's solvency argument: assets times ``den`` are at least liabilities times ``num``.

It takes C_L from the manifest: that the customers' balances really sum to it is shown by the tree.
"""

from __future__ import annotations

import hashlib

import native
from verifier.checks.holdings import CheckedEvidence
from verifier.checks.manifest import CheckedManifest
from verifier.checks.record import wrong_argument
from verifier.errors import Code, Rejected
from verifier.format.params import SOLVENCY_BITS, SOLVENCY_BYTES, solvency_path
from verifier.format.statement import solvency_commitments, solvency_state
from verifier.format.wire import Asset


def check_solvency_argument(
    checked: CheckedManifest,
    asset: Asset,
    evidence: CheckedEvidence,
    argument: bytes,
    digest: bytes,
) -> None:
    """Check an asset's argument over what its evidence comes to; ``digest`` is the record's.

    Raises:
        Rejected: ``bundle.wrong-argument``, ``argument.bad-point``, ``bad-scalar``, ``rejected``.
    """
    if len(argument) != SOLVENCY_BYTES or hashlib.sha256(argument).digest() != digest:
        raise wrong_argument(solvency_path(asset.code))
    assets, difference = solvency_commitments(
        evidence.total, asset.ratio, asset.sum, evidence.commitments
    )
    state = solvency_state(checked.context, asset, assets, asset.sum)
    try:
        native.range_verify(state, SOLVENCY_BITS, difference, argument)
    except native.Rejected as error:
        message = "it is not proved that the assets cover the liabilities"
        raise Rejected(Code(error.code), f"{asset.code}, solvency", message) from None
