"""What a manifest declares and readers may not take: units that no table has, and ratios.

A manifest may call anything by an asset's code, so a verifier sets aside an asset with a unit that
is neither in its table nor named by its user. Ratios go by its user, too.
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterable, Sequence
from pathlib import Path

from prover.errors import ProverError
from verifier.bundle.own_file import open_own
from verifier.checks.policy import Policy
from verifier.format import wire
from verifier.format.levels import Level
from verifier.format.params import MANIFEST_PATH, MAX_MANIFEST_BYTES, MAX_RATIO_TERM
from verifier.format.units import KnownUnit, UnitTable
from verifier.stateproof.tokens import TokenSlot
from verifier.texts import listed

# More of them are nothing that a reader types.
MOST_OPTIONS = 8


def read_manifest(bundle: Path) -> wire.Manifest:
    """Read a bundle's manifest as it stands, unchecked.

    Raises:
        ProverError: unreadable or malformed.
    """
    path = bundle / MANIFEST_PATH
    try:
        with os.fdopen(open_own(path), "rb") as file:
            return wire.read_record(wire.Manifest, file.read(MAX_MANIFEST_BYTES + 1))
    except (wire.NotCanonical, wire.BadFields):
        raise ProverError(f"{path}: not a manifest") from None
    except OSError as error:
        raise ProverError(f"{path}: {error.strerror}") from None


def any_ratio_policy(slots: Iterable[TokenSlot] = (), require: Level = Level.CLAIMED) -> Policy:
    """Return the policy of a reader who takes every ratio, and knows the table's units alone."""
    return Policy(ratio=(1, MAX_RATIO_TERM), require=require, slots=tuple(slots))


def unknown_units(manifest: wire.Manifest) -> list[str]:
    """Return the units that the verifier's table lacks, as readers give them to ``--unit``."""
    table = UnitTable()
    return [
        f"{asset.code}={unit.chain}:{unit.contract}:{unit.decimals}"
        for asset in manifest.assets
        for unit in asset.units
        if KnownUnit(asset.code, unit.chain, unit.contract, unit.decimals) not in table
    ]


def unit_warning(units: Sequence[str]) -> str:
    """Say of which assets readers must be told the units, and what to tell them."""
    codes = listed(sorted({unit.partition("=")[0] for unit in units}))
    options = " ".join(f"--unit {shlex.quote(unit)}" for unit in units[:MOST_OPTIONS])
    if len(units) > MOST_OPTIONS:
        options += f" and {len(units) - MOST_OPTIONS} more, or a list of them with --units"
    return (
        f"the verifier's table does not have the units of {codes}: readers set them aside, as "
        f"not vouched for, unless they know the units and add: {options}"
    )
