"""The peers in Rust: builds the crate in `rust/` from its lock file and runs it, a process a size.

Processes, so that a peer's peak of memory is its own.
"""

from __future__ import annotations

import json
import subprocess
import tomllib
from pathlib import Path

from benches import machine
from benches.peers.figures import Figure

CRATE = Path(__file__).parent / "rust"
PROGRAM = machine.ROOT / "build" / "peers" / "release" / "assay-bench-peers"
AGGREGATED = (16, 32, 64)
TREE_SIZES = (1 << 14, 1 << 16)


def build() -> None:
    """Builds the crate, from its folder: .cargo/config.toml there sets flags and target folder.

    Raises: CalledProcessError when it does not build.
    """
    subprocess.run(["cargo", "build", "--release", "--locked", "--quiet"], cwd=CRATE, check=True)


def versions() -> dict[str, str]:
    """The crates measured, with their versions."""
    dependencies = tomllib.loads((CRATE / "Cargo.toml").read_text())["dependencies"]
    names = ("bulletproofs", "tari_bulletproofs_plus", "dapol")
    return {name: dependencies[name].removeprefix("=") for name in names}


def run(peer: str, size: int) -> dict[str, dict[str, float]]:
    """What the program prints for a peer at a size, by the name of the figure.

    Raises: CalledProcessError when a proof fails to be made or to be accepted.
    """
    command = [str(PROGRAM), peer, str(size)]
    lines = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    printed = [json.loads(line) for line in lines.splitlines()]
    return {line.pop("figure"): line for line in printed}


def aggregated() -> list[Figure]:
    """Range proofs over 16, 32 and 64 values of 64 bits: processor time a value."""
    against = {"prove": "prove_us", "verify": "audit_us", "verify_batch": "audit_us"}
    words = {
        "prove": "commit and prove, {} aggregated",
        "verify": "verify, {} aggregated",
        "verify_batch": "verify, {} aggregated, 256 proofs at once",
    }
    return [
        Figure(peer, words[name].format(size), line["cpu_ns"] / 1e3, against[name])
        for peer in ("bulletproofs", "tari_bulletproofs_plus")
        for size in AGGREGATED
        for name, line in run(peer, size).items()
    ]


def trees() -> list[Figure]:
    """dapol's tree: processor time an entity, a customer's proof, and the peak of memory.

    A proof takes several threads: the smaller of processor and wall time counts.
    """
    figures = []
    for size in TREE_SIZES:
        lines, tree = run("dapol", size), f"tree of 2^{size.bit_length() - 1}"
        figures.append(
            Figure("dapol", f"build, an entity, {tree}", lines["build"]["cpu_ns"] / 1e3, "prove_us")
        )
        for name, what, against in (
            ("proof", "make an inclusion proof", "package_ms"),
            ("check", "check an inclusion proof", "light_check_ms"),
        ):
            taken = min(lines[name]["cpu_ns"], lines[name]["wall_ns"])
            figures.append(Figure("dapol", f"{what}, {tree}", taken / 1e6, against))
        peak = lines["peak"]["bytes"] / 1e6
        figures.append(Figure("dapol", f"peak memory, {tree}", peak, "prove_peak_mb"))
    return figures
