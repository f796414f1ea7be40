"""The signing ceremony of docs/signing-ceremony.md, from challenge to audit, with software."""

from __future__ import annotations

import csv
import re
from hashlib import sha256
from pathlib import Path

import pytest
from bip322core.cli import main as bip322
from bip322core.dev.cli import main as bip322_dev

from prover.assets.lists import EVIDENCE_COLUMNS
from prover.errors import ProverError
from prover.snapshot.make import make_snapshot
from tests.support.exchange_files import Assay
from verifier import audit

ROOT = Path(__file__).parents[2]


@pytest.fixture
def assay(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Assay:
    return Assay(monkeypatch, capsys)


def run(*words: object) -> None:
    dev = words[0] in ("keygen", "makewallet", "signpsbt")
    assert (bip322_dev if dev else bip322)([str(word) for word in words]) == 0


def address(wallet: Path, capsys: pytest.CaptureFixture[str]) -> str:
    capsys.readouterr()
    run("-w", wallet, "deriveaddresses", 0, 0)
    found = re.search(r"bc1q[0-9a-z]+", capsys.readouterr().out)
    assert found
    return found[0]


def sign(
    folder: Path, wallet: Path, keys: list[str], message: Path, capsys: pytest.CaptureFixture[str]
) -> tuple[str, str]:
    """Sign a message with a wallet's first address; return address and signature."""
    signer = address(wallet, capsys)
    psbt = wallet.with_suffix(".psbt")
    run("-w", wallet, "createpsbt", signer, "--message-file", message, "--strict-message",
        "-o", psbt)  # fmt: skip
    signed = []
    for key in keys:
        signed.append(psbt.with_name(f"{wallet.stem}-{key}.psbt"))
        run("signpsbt", "--network", "main", psbt, folder / key, "-o", signed[-1])
    run("combinepsbt", *signed, "-o", psbt)
    run("analyzepsbt", psbt)
    run("finalizepsbt", psbt, "-o", wallet.with_suffix(".sig"))
    return signer, wallet.with_suffix(".sig").read_text().strip()


def test_from_challenge_to_audit(
    tmp_path: Path, assay: Assay, capsys: pytest.CaptureFixture[str]
) -> None:
    exchange, devices = tmp_path / "exchange", tmp_path / "devices"
    assay("sample", "--accounts", 20, "--assets", "BTC", "--out", exchange)
    config = exchange / "snapshot.toml"
    _, out, _ = assay("challenge", config, "--out", tmp_path / "challenge")
    message = tmp_path / "challenge" / "bitcoin.txt"
    digest = sha256(message.read_bytes()).hexdigest()
    assert f"--- bitcoin, SHA-256 {digest}\n{message.read_text()}\n---" in out
    assert [path.name for path in (tmp_path / "challenge").iterdir()] == ["bitcoin.txt"]
    run("lint-message", "--message-file", message)

    devices.mkdir()
    names = ["anna.json", "ben.json", "clara.json"]
    for name in names:
        run("keygen", "--network", "main", "-o", devices / name)
    keys = [devices / name for name in names]
    run("makewallet", "-t", 2, "--network", "main", *keys, "-o", devices / "multi.desc")
    run("makewallet", "--wpkh", "--network", "main", keys[0], "-o", devices / "single.desc")
    multi = sign(devices, devices / "multi.desc", [names[2], names[0]], message, capsys)
    single = sign(devices, devices / "single.desc", names[:1], message, capsys)

    with (exchange / "evidence.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    total = sum(int(row["amount"]) for row in rows)
    # The message as an editor saves it, with a line end: another message.
    (tmp_path / "edited.txt").write_bytes(message.read_bytes() + b"\n")
    wallet = devices / "single.desc"
    psbt, edited = devices / "edited.psbt", tmp_path / "edited.txt"
    run("-w", wallet, "createpsbt", single[0], "--message-file", edited, "-o", psbt)
    run("signpsbt", "--network", "main", psbt, devices / names[0], "-o", psbt)
    run("finalizepsbt", psbt, "-o", devices / "edited.sig")
    attach(exchange, [(*multi, total - 1), (single[0], (devices / "edited.sig").read_text(), 1)])
    with pytest.raises(ProverError, match="column signature: the signature does not verify"):
        make_snapshot(config, tmp_path / "snapshot")

    # The row mended, the same command goes on.
    attach(exchange, [(*multi, total - 1), (*single, 1)])
    snapshot = make_snapshot(config, tmp_path / "snapshot")
    report = audit(snapshot.bundle, (exchange / "exchange.pub").read_text())
    assert sum(report.assets[0].disclosed.values()) == total


def attach(exchange: Path, signed: list[tuple[str, str, int]]) -> None:
    """Write the evidence file of the guide."""
    with (exchange / "evidence.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(EVIDENCE_COLUMNS)
        for signer, signature, amount in signed:
            writer.writerow(["BTC", "bitcoin", "", signer, amount, "bip322", signature.strip()])


def test_the_guide_quotes_what_the_code_says() -> None:
    """Every rule of the table of what goes wrong stands in the source."""
    guide = (ROOT / "docs" / "signing-ceremony.md").read_text()
    table = guide[guide.index("## 7.") : guide.index("## 8.")]
    quoted = [
        rule
        for line in table.splitlines()
        if line.startswith("| `")
        for rule in re.findall(r"`([^`]+)`", line.split("|")[1])
    ]
    assert len(quoted) > 10
    files = [
        *(ROOT / "verifier" / "ownership").rglob("*.py"),
        *(ROOT / "prover" / "assets").glob("*.py"),
    ]
    source = "".join(path.read_text() for path in files)
    assert [rule for rule in quoted if f'"{rule}"' not in source] == []
