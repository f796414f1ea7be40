"""The script of the operating guide that makes the day's snapshot, run on its first days."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from prover.files.keys import make_keys
from tests.support.exchange_files import LONG, own_exchange

GUIDE = Path(__file__).parents[2] / "docs" / "operate" / "publish.md"
SCRIPT = re.compile(r"^```sh\n(#!/bin/sh\n.*?)^```$", re.MULTILINE | re.DOTALL)
LEDGER = "id,code,amount\nann@x,ETH,5\nbob@x,ETH,1\n"


class Machine:
    """A folder for `/srv/assay`, a clock that stands at a day, and the script in it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "assay"
        self.published = folder / "www"
        self.folder.mkdir()
        make_keys(self.folder)
        (script,) = SCRIPT.findall(GUIDE.read_text(encoding="utf-8"))
        script = script.replace("/srv/assay", str(self.folder))
        daily = self.folder / "daily"
        daily.write_text(script.replace("/srv/www/proofs", str(self.published)))
        daily.chmod(0o755)
        self._bin = folder / "bin"
        self._bin.mkdir()

    def day(self, day: str, previous: str = "") -> None:
        """Let a day come, with its ledger, signed evidence and snapshot file."""
        clock = self._bin / "date"
        clock.write_text(f"#!/bin/sh\necho {day}\n")
        clock.chmod(0o755)
        made = own_exchange(
            self.folder / f"of-{day}",
            LONG,
            {"ETH": 10 * 10**6},
            decimals={"ETH": 6},
            id_type="email",
            keys=self.folder,
            snapshot_id=day,
            time=f"{day}T00:00:00Z",
            previous=previous or 'manifest = "proofs/last/public/manifest.msgpack"',
        )
        (self.folder / "ledger.csv").write_text(LEDGER)
        (made.parent / "evidence.csv").rename(self.folder / "evidence.csv")
        made.rename(self.folder / f"{day}.toml")

    def run(self, *command: str) -> subprocess.CompletedProcess[str]:
        """Run the script, or another command of that machine."""
        path = f"{self._bin}:{Path(sys.executable).parent}:{os.environ['PATH']}"
        return subprocess.run(
            command or ("./daily",),
            cwd=self.folder,
            env=os.environ | {"PATH": path},
            capture_output=True,
            text=True,
            check=False,
        )

    def history(self) -> list[str]:
        """Return the ids of the snapshots that are published."""
        index = json.loads((self.published / "history.json").read_text())
        return [entry["snapshot_id"] for entry in index["snapshots"]]


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def test_first_days(machine: Machine) -> None:
    machine.day("2026-11-21", previous="first = true")
    done = machine.run()
    assert (done.returncode, done.stderr) == (0, "")
    assert "ACCEPTED" in done.stdout
    again = machine.run()
    assert (again.returncode, again.stdout, again.stderr) == (0, "", "")

    machine.day("2026-11-22")
    # Killed behind the proof; the ledger goes on meanwhile.
    config = machine.folder / "2026-11-22.toml"
    made = machine.run("assay", "prove", str(config), "--out", "proofs/2026-11-22")
    assert made.returncode == 0
    (machine.folder / "ledger.csv").write_text(LEDGER + "cid@x,ETH,1\n")
    done = machine.run()
    assert done.returncode == 0
    assert "the ledger has changed" in done.stderr
    assert machine.run().returncode == 0
    assert machine.history() == ["2026-11-21", "2026-11-22"]
    assert (machine.folder / "proofs" / "last").resolve().name == "2026-11-22"

    machine.day("2026-11-23")
    done = machine.run()
    assert (done.returncode, done.stderr) == (0, "")
    assert len(machine.history()) == 3


def test_a_day_that_is_signed_comes_to_its_end_on_the_next(machine: Machine) -> None:
    machine.day("2026-11-21", previous="first = true")
    assert machine.run().returncode == 0
    machine.day("2026-11-22")
    # Killed behind the proof, and run again after midnight.
    config = machine.folder / "2026-11-22.toml"
    assert machine.run("assay", "prove", str(config), "--out", "proofs/2026-11-22").returncode == 0
    machine.day("2026-11-23")
    done = machine.run()
    assert done.returncode == 0
    assert "the evidence cannot be compared" in done.stderr  # it is today's by now
    assert machine.history() == ["2026-11-21", "2026-11-22", "2026-11-23"]


def test_nothing_of_the_ledger_is_in_the_log(machine: Machine) -> None:
    machine.day("2026-11-21", previous="first = true")
    (machine.folder / "ledger.csv").write_text("id,code,amount\nann@x,ETH,7.654321\n")
    done = machine.run()
    assert done.returncode == 0
    said = done.stdout + done.stderr
    assert not [secret for secret in ("7.65", "7654321", "ann@") if secret in said]


def test_a_day_that_falls_short_publishes_nothing(machine: Machine) -> None:
    machine.day("2026-11-21", previous="first = true")
    (machine.folder / "ledger.csv").write_text("id,code,amount\nann@x,ETH,11\n")
    assert machine.run().returncode == 3
    assert not machine.published.exists()
    assert not (machine.folder / "proofs" / "last").exists()
