"""What a command loads: what it needs. And what the verifier offers is there."""

from __future__ import annotations

import subprocess
import sys

import pytest

import verifier

HELP = """
import contextlib
from {}.cli import main
with contextlib.suppress(SystemExit):
    main(["--help"])
"""
PACKAGE = """
import api.cli, prover.files.storage, prover.snapshot.packages
"""
INCLUSION = """
import verifier.commands.cli, verifier.commands.output, verifier.inclusion
import verifier.bundle.history, verifier.bundle.key_file, verifier.checks.policy
"""


def loaded(program: str) -> set[str]:
    """The modules that a program has loaded at its end."""
    code = f"{program}\nimport sys\nprint('\\n' + ' '.join(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(done.stdout.splitlines()[-1].split())


@pytest.mark.parametrize(
    ("program", "unneeded"),
    [
        (HELP.format("verifier.commands"), {"native", "cryptography", "msgpack"}),
        (HELP.format("api"), {"native", "cryptography", "msgpack", "numpy", "rich", "sqlalchemy"}),
        (
            PACKAGE,
            {
                *("concurrent.futures", "http.client", "ssl"),
                *("pyarrow", "pydantic", "rich", "sqlalchemy"),
                *("native.hidden", "native.utxo", "verifier.format.evidence_records"),
                *("prover.config.snapshot_toml", "prover.ledger.gather", "verifier.verify"),
            },
        ),
        (
            INCLUSION,
            {
                *("concurrent.futures", "decimal", "http.client", "ssl"),
                *("native.hidden", "native.pages", "native.utxo"),
                *("verifier.checks.evidence", "verifier.checks.tree", "verifier.nodes"),
                *("verifier.format.evidence_records", "verifier.ownership", "verifier.stateproof"),
                *("verifier.bundle.unit_lists", "verifier.verify"),
            },
        ),
    ],
    ids=["help of assay-verify", "help of assay", "package", "inclusion"],
)
def test_a_command_loads_nothing_of_another(program: str, unneeded: set[str]) -> None:
    assert not unneeded & loaded(program)


def test_every_name_of_the_package_is_there() -> None:
    for name in verifier.__all__:
        assert getattr(verifier, name).__name__ == name or name == "Nodes"
    assert set(verifier._PLACES) == set(verifier.__all__)
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = verifier.nothing
