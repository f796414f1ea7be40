"""Options of ``attest-holding``, and of every command that uses a cluster, apart: to show them
loads nothing else.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from verifier.errors import Misuse
from verifier.format.holding import HoldingKind

if TYPE_CHECKING:
    from verifier.cluster import Cluster

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


def add_cluster(command: argparse.ArgumentParser) -> None:
    """Add ``--cluster`` and ``--cluster-tls``."""
    command.add_argument(
        "--cluster",
        metavar="tls://HOST:PORT",
        help="a scheduler of Dask, whose workers do the work; docs/cluster.md",
    )
    command.add_argument(
        "--cluster-tls",
        type=Path,
        metavar="DIR",
        help="the folder of ca.pem, cert.pem and key.pem to talk to it with",
    )


@contextmanager
def opened_cluster(address: str | None, tls: Path | None) -> Iterator[Cluster | None]:
    """Give the cluster that was asked for, None if none was.

    Raises:
        ClusterError: it cannot be used.
        Misuse: of the two options there is one, or the extra [cluster] is not installed.
    """
    if address is None and tls is None:
        yield None
        return
    if address is None or tls is None:
        raise Misuse("--cluster and --cluster-tls go together")
    from verifier.cluster import Cluster  # loads what a command alone does without

    with closing(Cluster(address, tls)) as cluster:
        yield cluster
