"""One asset's solvency argument: assets times ``den`` are at least liabilities times ``num``.

It takes C_L from the manifest: that the customers' balances really sum to it is shown by the tree.
"""

from __future__ import annotations

import os

import native
from verifier.checks.holdings import CheckedEvidence
from verifier.checks.manifest import CheckedManifest
from verifier.errors import Code, Rejected
from verifier.format.params import SOLVENCY_BITS
from verifier.format.statement import solvency_commitments, solvency_state
from verifier.format.wire import Asset


def check_solvency_argument(
    checked: CheckedManifest, asset: Asset, evidence: CheckedEvidence
) -> None:
    """Check an asset's argument over what its evidence comes to.

    Raises:
        Rejected: ``argument.bad-length``, ``bad-point``, ``bad-scalar`` or ``rejected``.
    """
    assets, difference = solvency_commitments(
        evidence.total, asset.ratio, asset.sum, evidence.commitments
    )
    state = solvency_state(checked.context, asset, assets, asset.sum)
    try:
        native.range_verify(state, SOLVENCY_BITS, difference, asset.solvency, os.urandom(32))
    except native.Rejected as error:
        message = "it is not proved that the assets cover the liabilities"
        raise Rejected(Code(error.code), f"{asset.code}, solvency", message) from None
