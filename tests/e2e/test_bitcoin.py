"""From coins on a regtest chain to a bundle that a reader's own node confirms, by the commands."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

import verifier.commands.cli
from prover.assets.lists import EVIDENCE_COLUMNS
from prover.commands.cli import main
from prover.files.keys import make_keys, public_bytes, read_signing_key
from prover.snapshot.make import ownership_messages, read_config
from tests.support.bitcoin_exchange import HELD, SIGNERS, Exchange
from tests.support.bitcoin_rpc_server import Core, serve
from tests.support.bitcoin_snapshot import MAIN, REGTEST
from tests.support.bitcoin_spend import reserves, text_of
from verifier.format import wire
from verifier.format.evidence_records import Evidence
from verifier.nodes import bitcoin_rpc

SATOSHI = sum(sum(amounts) for _, amounts, _ in HELD)


@pytest.fixture(scope="module")
def exchange(tmp_path_factory: pytest.TempPathFactory) -> Exchange:
    return Exchange(tmp_path_factory.mktemp("regtest"))


@pytest.fixture(scope="module")
def snapshot_file(exchange: Exchange) -> Path:
    """The commands know the main network alone, so its name is on the regtest chain."""
    path = exchange.folder / "main.dat"
    path.write_bytes(exchange.chain.snapshot(exchange.height).replace(REGTEST, MAIN, 1))
    return path


def run(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> int:
    monkeypatch.setattr(sys, "argv", ["assay", *map(str, arguments)])
    try:
        main()
    except SystemExit as ended:
        return int(ended.code or 0)
    return 0


def address_list(folder: Path, more: Sequence[str] = ()) -> Path:
    path = folder / "addresses.txt"
    texts = [owner.address for owner, _, _ in HELD]
    path.write_text("\n".join([*texts, "", *more]) + "\n")
    return path


EMPTY = "1BoatSLRHtKNngkdXEeobR76b53LETtpyT"


def collecting(exchange: Exchange, snapshot: Path, folder: Path, rows: Path) -> list[object]:
    """The options that collect what the exchange holds."""
    listed = address_list(folder)
    return [
        "--block",
        exchange.height,
        "--addresses",
        listed,
        "--snapshot",
        snapshot,
        "--out",
        rows,
    ]


def read_rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_both_sources_give_the_same_coins(
    exchange: Exchange,
    snapshot_file: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    listed = address_list(tmp_path, [EMPTY])
    common = ["--block", str(exchange.height), "--addresses", listed, "--json"]
    cookie = tmp_path / ".cookie"
    cookie.write_text("user:secret\n")
    with serve(Core(exchange.chain, name="main"), credentials="user:secret") as url:
        source = ["--rpc", url, "--cookie", cookie]
        out = tmp_path / "rpc.csv"
        assert run(monkeypatch, "evidence", "bitcoin", *source, *common, "--out", out) == 0
        by_rpc = json.loads(capsys.readouterr().out)
        assert run(monkeypatch, "evidence", "bitcoin", *source, *common, "--out", out) == 1
        assert "exists already" in capsys.readouterr().err
    source = ["--snapshot", snapshot_file]
    out = tmp_path / "file.csv"
    assert run(monkeypatch, "evidence", "bitcoin", *source, *common, "--out", out) == 0
    by_file = json.loads(capsys.readouterr().out)
    for name in ("rows", "coins"):
        files = Path(by_rpc.pop(name)), Path(by_file.pop(name))
        assert files[0].read_bytes() == files[1].read_bytes()
    assert by_rpc.pop("header") == exchange.chain.headers[exchange.block].hex()
    assert by_file.pop("header") is None  # a file of unspent outputs has none
    assert by_rpc == by_file
    assert by_file == {
        "addresses": 5,
        "amount": str(SATOSHI),
        "empty": 1,
        "hash": exchange.block.hex(),
        "height": exchange.height,
        "outputs": sum(len(amounts) for _, amounts, _ in HELD),
        "tip": exchange.height,
    }
    amounts = {row["address"]: int(row["amount"]) for row in read_rows(out)}
    assert amounts == {owner.address: sum(held) for owner, held, _ in HELD}


def looked_up(
    exchange: Exchange,
    folder: Path,
    core: Core,
    monkeypatch: pytest.MonkeyPatch,
    change: Callable[[str, Any], Any] | None = None,
) -> int:
    """Collect over RPC; return how that ended."""
    listed, out = address_list(folder), folder / "rows.csv"
    with serve(core, change=change) as url:
        words = ["--rpc", url, "--block", exchange.height, "--addresses", listed, "--out", out]
        return run(monkeypatch, "evidence", "bitcoin", *words)


def other_amount(answer: Any) -> Any:
    answer["value"] = 1
    return answer


def other_script(answer: Any) -> Any:
    answer["scriptPubKey"]["hex"] = "51"
    return answer


def older(answer: Any) -> Any:
    answer["confirmations"] += 1
    return answer


@pytest.mark.parametrize("lie", [other_amount, other_script, older, lambda _: None])
def test_a_scan_that_tells_of_coins_that_are_not_there(
    exchange: Exchange,
    tmp_path: Path,
    lie: Callable[[Any], Any],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def change(method: str, answer: Any) -> Any:
        return lie(answer) if method == "gettxout" else answer

    core = Core(exchange.chain, name="main")
    assert looked_up(exchange, tmp_path, core, monkeypatch, change) == 1
    assert "the node's scan tells of coin" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["addresses.txt"]


@pytest.mark.parametrize(("spent", "missing"), [(0, 0), (3, 1)])
def test_coins_that_move_while_they_are_collected(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, spent: int, missing: int
) -> None:
    """What is spent after its own scan stays listed; a batch of look-ups that moved is repeated."""
    made = Exchange(tmp_path / "chain")
    core = Core(made.chain, name="main")
    core.before["gettxout"] = lambda: made.spend(HELD[spent][0])
    monkeypatch.setattr(bitcoin_rpc, "_SCRIPTS_A_SCAN", 2)
    (tmp_path / "out").mkdir()
    assert looked_up(made, tmp_path / "out", core, monkeypatch) == 0
    rows = read_rows(tmp_path / "out" / "rows.csv")
    assert {row["address"]: int(row["amount"]) for row in rows} == {
        owner.address: sum(amounts) - missing * amounts[0] * (owner == HELD[spent][0])
        for owner, amounts, _ in HELD
    }


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--block", "5"], "has a coin of height 103, so it is of a later block than 5"),
        (["--asset", "btc"], "a code is 1 to 16"),
        (["--rpc", "http://127.0.0.1:1"], "give one of the two"),
        (["--snapshot", "/dev/null"], "not a regular file"),
        (["--snapshot", "absent.dat"], "No such file"),
    ],
)
def test_what_cannot_be_collected(
    exchange: Exchange,
    snapshot_file: Path,
    tmp_path: Path,
    words: list[str],
    message: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert exchange.height == 103
    base: dict[str, str] = {
        "--block": "103",
        "--addresses": str(address_list(tmp_path)),
        "--out": str(tmp_path / "rows.csv"),
        "--snapshot": str(snapshot_file),
    }
    base |= {words[0]: words[1]}
    arguments = [item for pair in base.items() for item in pair]
    assert run(monkeypatch, "evidence", "bitcoin", *arguments) in (1, 2)
    said = capsys.readouterr()
    assert message.split()[-1] in said.out + said.err
    assert not (tmp_path / "rows.csv").exists()


def test_a_snapshot_whose_youngest_coin_is_older_than_the_block_is_a_remark(
    exchange: Exchange,
    snapshot_file: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A block may leave no coin; that height and hash are of one block, nothing shows then."""
    out = tmp_path / "rows.csv"
    words = ["--snapshot", snapshot_file, "--addresses", address_list(tmp_path), "--out", out]
    for more in ([], ["--json"]):
        out.unlink(missing_ok=True)
        out.with_suffix(".coins.csv").unlink(missing_ok=True)
        assert run(monkeypatch, "evidence", "bitcoin", *words, "--block", 104, *more) == 0
        said = capsys.readouterr()
        assert said.err.splitlines() == [
            "assay: warning: the youngest coin of the snapshot is of height 103, below 104: "
            f"make sure that block 104 has the hash {exchange.block.hex()}"
        ]
        assert "warning" not in said.out
        assert exchange.block.hex() in said.out
    assert {row["address"] for row in read_rows(out)} == {owner.address for owner, _, _ in HELD}


def config_of(folder: Path, exchange: Exchange, owed: int, coins: Path) -> Path:
    make_keys(folder)
    (folder / "ledger.csv").write_text(f"id,asset,balance\nalice,BTC,{owed / 10**8:.8f}\n")
    path = folder / "snapshot.toml"
    path.write_text(
        f"""
exchange = "Börse"
snapshot_id = "one"
time = 2026-11-21T00:00:00Z
account_id_type = "opaque"
page_size = 16

[keys]
signing = "signing.pem"
master = "master.key"

[previous]
first = true

[ledger]
format = "csv"
path = "ledger.csv"
layout = "long"

[ledger.columns]
account = "id"
asset = "asset"
balance = "balance"

[chains.bitcoin]
height = {exchange.height}
hash = "{exchange.block.hex()}"
header = "{exchange.chain.headers[exchange.block].hex()}"

[[assets]]
code = "BTC"
decimals = 8
coins = ["{coins}"]
[[assets.units]]
chain = "bitcoin"

[[evidence]]
path = "signed.csv"
"""
    )
    return path


def write_rows(path: Path, rows: list[dict[str, str]]) -> None:
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, EVIDENCE_COLUMNS)
        writer.writeheader()
        writer.writerows(rows)


def sign_rows(exchange: Exchange, rows: Path, config: Path, out: Path) -> None:
    """Sign as the wallets would: a transaction for the multisigs, BIP-322 for the rest."""
    snapshot = read_config(config)
    message = ownership_messages(snapshot, public_bytes(read_signing_key(snapshot.signing_key)))[
        "bitcoin"
    ]
    listed = exchange.listed()
    holders = sorted({owner.address for owner, _ in listed})
    wallets = {owner.address: owner for owner, _, _ in HELD}
    made = read_rows(rows)
    for row in made:
        address = row["address"]
        if address in holders:
            row["format"] = "bip127"
            row["signature"] = f"@{holders[0]}"
            if address == holders[0]:
                row["signature"] = text_of(reserves(listed, message))
        else:
            owner = wallets[address]
            signed = SIGNERS[owner.kind](owner.keys[0], message)
            row["format"], row["signature"] = "bip322", signed.signature
    write_rows(out, made)


def collected(
    exchange: Exchange, file: Path, folder: Path, owed: int, monkeypatch: pytest.MonkeyPatch
) -> tuple[Path, Path]:
    """Collect and sign, owing so many satoshi; return the list of coins and the snapshot's file."""
    rows, coins = folder / "rows.csv", folder / "rows.coins.csv"
    assert run(monkeypatch, "evidence", "bitcoin", *collecting(exchange, file, folder, rows)) == 0
    config = config_of(folder, exchange, owed, coins)
    sign_rows(exchange, rows, config, folder / "signed.csv")
    return coins, config


def test_from_coins_to_solvent(
    exchange: Exchange,
    snapshot_file: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    _, config = collected(exchange, snapshot_file, tmp_path, SATOSHI, monkeypatch)
    assert f"height = {exchange.height}\n" in capsys.readouterr().out
    proof = tmp_path / "proof"
    assert run(monkeypatch, "prove", config, "--out", proof) == 0
    evidence = wire.read_record(Evidence, (proof / "public/evidence/BTC.msgpack").read_bytes())
    assert len(evidence.coins) == sum(len(amounts) for _, amounts, _ in HELD)
    capsys.readouterr()
    audit = ["audit", str(proof / "public"), "--exchange-key", str(tmp_path / "exchange.pub")]
    assert verifier.commands.cli.main([*audit, "--require", "chain"]) == 1
    with serve(Core(exchange.chain, name="main")) as url:
        for source in (["--node", f"bitcoin={url}"], ["--utxo-snapshot", str(snapshot_file)]):
            capsys.readouterr()
            assert verifier.commands.cli.main([*audit, "--require", "chain", *source]) == 0
            *lines, last = capsys.readouterr().out.splitlines()
            assert last == "ACCEPTED as chain: solvent: your own nodes confirm every amount"
            assert any(f"{exchange.block.hex()}, of 2026-11-20T" in line for line in lines)


def test_without_a_header_a_file_shows_no_solvency(
    exchange: Exchange,
    snapshot_file: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A file names its block by hash alone: nothing in it says of which day that is."""
    _, config = collected(exchange, snapshot_file, tmp_path, SATOSHI, monkeypatch)
    text = config.read_text()
    config.write_text("".join(line for line in text.splitlines(True) if line[:6] != "header"))
    proof = tmp_path / "proof"
    assert run(monkeypatch, "prove", config, "--out", proof) == 0
    audit = ["audit", str(proof / "public"), "--exchange-key", str(tmp_path / "exchange.pub")]
    audit += ["--utxo-snapshot", str(snapshot_file)]
    capsys.readouterr()
    assert verifier.commands.cli.main(audit) == 0
    said = capsys.readouterr().out
    assert said.splitlines()[-1] == (
        "ACCEPTED as chain: your own nodes confirm every amount; "
        "at a block of bitcoin of a time that nothing here shows"
    )
    assert "solvent" not in said
    assert verifier.commands.cli.main([*audit, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert not found["all_confirmed"]
    assert found["blocks"]["bitcoin"]["time"] is None
    assert verifier.commands.cli.main([*audit, "--require", "chain"]) == 1
    assert "NOT CHECKED check.too-weak" in capsys.readouterr().out.splitlines()[-2]
    with serve(Core(exchange.chain, name="main")) as url:
        assert verifier.commands.cli.main([*audit[:4], "--node", f"bitcoin={url}"]) == 0
    assert "solvent: " in capsys.readouterr().out.splitlines()[-1]


@pytest.mark.parametrize(
    ("header", "rule"),
    [
        ("00" * 79, "must be a block's header, 160 hex digits"),
        ("xy" * 80, "must be a block's header, 160 hex digits"),
        ("00" * 80, "is not the header of the block of this hash"),
    ],
)
def test_headers_that_are_not_the_blocks(
    exchange: Exchange,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    header: str,
    rule: str,
) -> None:
    config = config_of(tmp_path, exchange, SATOSHI, tmp_path / "none.csv")
    true = exchange.chain.headers[exchange.block].hex()
    config.write_text(config.read_text().replace(true, header))
    assert run(monkeypatch, "challenge", config) == 1
    assert f"chains.bitcoin.header: {rule}" in capsys.readouterr().err


@pytest.mark.parametrize("day", ["2026-11-19", "2026-11-22"])
def test_a_block_of_another_day_is_refused_before_anything_is_signed(
    exchange: Exchange,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    day: str,
) -> None:
    config = config_of(tmp_path, exchange, SATOSHI, tmp_path / "none.csv")
    config.write_text(config.read_text().replace("2026-11-21T00", f"{day}T00"))
    assert run(monkeypatch, "challenge", config) == 1
    assert "no reader trusts one more than a day away" in capsys.readouterr().err


def changed_cell(path: Path, row: int, column: int, text: str) -> None:
    lines = [line.split(",") for line in path.read_text().splitlines()]
    lines[row][column] = text
    path.write_text("".join(",".join(line) + "\n" for line in lines))


@pytest.mark.parametrize(
    ("row", "column", "text", "message"),
    [
        (0, 1, "id", "row 1: the columns are address, txid, index, amount"),
        (1, 1, "ab", "row 2, column txid"),
        (1, 1, "AB" * 32, "row 2, column txid"),
        (1, 2, "4294967296", "row 2, column index"),
        (1, 2, "-1", "row 2, column index"),
        (1, 3, "1.5", "row 2, column amount"),
        (1, 3, "1", "add up to"),
        (1, 0, EMPTY, "and its row says nothing"),
        (2, 3, "1,2", "row 3: 5 columns instead of 4"),
    ],
)
def test_faults_of_a_list_of_coins(
    exchange: Exchange,
    snapshot_file: Path,
    tmp_path: Path,
    row: int,
    column: int,
    text: str,
    message: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    coins, config = collected(exchange, snapshot_file, tmp_path, SATOSHI, monkeypatch)
    changed_cell(coins, row, column, text)
    assert run(monkeypatch, "prove", config, "--out", tmp_path / "proof") == 1
    assert message in capsys.readouterr().err


def test_a_transaction_that_does_not_fit_the_coins(
    exchange: Exchange,
    snapshot_file: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A coin is left out of the list and of the row, but not of the transaction."""
    coins, config = collected(exchange, snapshot_file, tmp_path, 1, monkeypatch)
    signed = tmp_path / "signed.csv"
    owner, amounts, _ = HELD[0]
    kept = [
        line
        for line in coins.read_text().splitlines(keepends=True)
        if not (line.startswith(owner.address) and line.endswith(f",{amounts[1]}\n"))
    ]
    coins.write_text("".join(kept))
    made = read_rows(signed)
    for row in made:
        if row["address"] == owner.address:
            row["amount"] = str(amounts[0])
    write_rows(signed, made)
    assert run(monkeypatch, "prove", config, "--out", tmp_path / "proof") == 1
    said = capsys.readouterr().err
    assert "column signature: the inputs are not exactly the coins listed" in said
