"""Small exchanges for the end-to-end tests: pages of 16 leaves, real keys and signatures."""

from __future__ import annotations

import csv
import io
from collections import defaultdict
from collections.abc import Mapping, Sequence
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import NamedTuple

import pytest

from prover.assets.lists import EVIDENCE_COLUMNS
from prover.assets.signing import sign_bip322_simple_p2wpkh, sign_eip191
from prover.commands.cli import main
from prover.files.keys import make_keys, public_bytes, read_signing_key
from prover.sample.sample import make_sample
from prover.snapshot.make import ownership_messages, read_config
from verifier.format.units import known_unit

BLOCK_HASH = "ab" * 32


def sample(
    folder: Path,
    accounts: int = 40,
    codes: Sequence[str] = ("ETH", "USDT"),
    *,
    insolvent: bool = False,
) -> Path:
    """Make a sample exchange; return its snapshot file."""
    return make_sample(folder, accounts, codes, seed=7, insolvent=insolvent, page_size=16).config


def own_exchange(
    folder: Path,
    ledger: str,
    held: Mapping[str, int],
    *,
    decimals: Mapping[str, int],
    id_type: str = "opaque",
    keys: Path | None = None,
    snapshot_id: str = "one",
    time: str = "2026-11-21T00:00:00Z",
    previous: str = "first = true",
) -> Path:
    """Make an exchange round a ``[ledger]`` section of one's own; return its snapshot file.

    ``held`` is what one signed address of each asset holds, in ledger units of ``decimals``;
    ``keys`` is where its keys are, if it has some; ``previous`` is the section of that name.
    """
    if keys is None:
        keys = folder
        make_keys(keys)
    folder.mkdir(parents=True, exist_ok=True)
    found = {code: known_unit(code, "bitcoin") or known_unit(code, "ethereum") for code in held}
    units = {code: unit for code, unit in found.items() if unit is not None}
    assert units.keys() == held.keys(), "a unit is not known"
    chains = sorted({unit.chain for unit in units.values()})
    config = folder / "snapshot.toml"
    config.write_text(
        f"""
exchange = "Börse"
snapshot_id = "{snapshot_id}"
time = {time}
account_id_type = "{id_type}"
page_size = 16
[keys]
signing = "{keys / "signing.pem"}"
master = "{keys / "master.key"}"
[previous]
{previous}
{ledger}
"""
        + "".join(f'[chains.{chain}]\nheight = 7\nhash = "{BLOCK_HASH}"\n' for chain in chains)
        + "".join(
            f'[[assets]]\ncode = "{code}"\ndecimals = {decimals[code]}\n'
            f'split = {{ least = 1, most = 3 }}\nunits = [{{ chain = "{unit.chain}" }}]\n'
            for code, unit in units.items()
        )
        + '[[evidence]]\npath = "evidence.csv"\n',
        encoding="utf-8",
    )
    messages = ownership_messages(
        read_config(config), public_bytes(read_signing_key(keys / "signing.pem"))
    )
    with (folder / "evidence.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(EVIDENCE_COLUMNS)
        for number, (code, unit) in enumerate(units.items(), 1):
            sign, form = (
                (sign_eip191, "eip191")
                if unit.chain == "ethereum"
                else (sign_bip322_simple_p2wpkh, "bip322")
            )
            address, signature = sign(bytes([number]) * 32, messages[unit.chain])
            amount = held[code] * 10 ** (unit.decimals - decimals[code])
            writer.writerow((code, unit.chain, unit.contract, address, amount, form, signature))
    return config


def edit(path: Path, old: str, new: str) -> None:
    """Replace text that is in a file."""
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")


def files(folder: Path) -> dict[str, bytes]:
    """Return all files of a folder by their path in it."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def public_key(config: Path) -> bytes:
    """Return the public key of an exchange."""
    return public_bytes(read_signing_key(read_config(config).signing_key))


def balances(ledger: Path) -> dict[str, dict[str, str]]:
    """Return the balances of every account of a long CSV ledger."""
    found: dict[str, dict[str, str]] = defaultdict(dict)
    with ledger.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            found[row["account_id"]][row["asset"]] = row["balance"]
    return found


LONG = """
[ledger]
format = "csv"
path = "ledger.csv"
layout = "long"
[ledger.columns]
account = "id"
asset = "code"
balance = "amount"
"""


class Assay:
    """The command line, run in this process."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        self._monkeypatch = monkeypatch
        self._capsys = capsys

    def __call__(self, *arguments: object) -> tuple[int, str, str]:
        """Run ``assay`` with arguments; return exit code, standard output and standard error."""
        self._monkeypatch.setattr("sys.argv", ["assay", *map(str, arguments)])
        self._capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main()
        out, err = self._capsys.readouterr()
        code = ended.value.code
        assert code is None or isinstance(code, int)
        return code or 0, out, err


class Done(NamedTuple):
    """What a command came to: its exit code, standard output and standard error."""

    code: int
    out: str
    err: str


def outside(*words: object) -> Done:
    """Run ``assay`` as `Assay` does, where a test needs none of pytest's fixtures for it."""
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err), pytest.raises(SystemExit) as ended:
        main([str(word) for word in words])
    code = ended.value.code
    assert code is None or isinstance(code, int)
    return Done(code or 0, out.getvalue(), err.getvalue())
