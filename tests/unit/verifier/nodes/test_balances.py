"""The reader's own table: what it lists, what it contradicts, and what is no table."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

import verifier
from tests.support.bases import CHAINS, FAMILIES
from tests.support.forged_sample import sample
from tests.support.subjects import write_files
from verifier import BalanceTable, CannotCheck, Code, Level, Policy, Rejected
from verifier.checks.holdings import CheckedEvidence
from verifier.checks.manifest import CheckedManifest
from verifier.commands import cli
from verifier.format.keys import public_key_text
from verifier.nodes import balances
from verifier.nodes.balances import COLUMNS, lookups
from verifier.verify import read_rows

Line = dict[str, str]


@dataclass
class Exchange:
    """A bundle with BNB and USDT on three chains, and what its evidence comes to."""

    folder: Path
    key: bytes
    checked: CheckedManifest
    evidence: list[CheckedEvidence]

    def ask(self, *files: Path) -> list[CheckedEvidence]:
        return BalanceTable(files).confirm(self.checked, self.evidence)

    def filled(self) -> list[Line]:
        """Every line of what is to be looked up, filled in with just what is counted."""
        held = {
            (holding.row.chain, holding.row.contract): int.from_bytes(holding.row.amount)
            for found in self.evidence
            for holding in found.rows
        }
        lines = [
            dict(zip(COLUMNS, line, strict=True)) for line in lookups(self.checked, self.evidence)
        ]
        for line in lines:
            line["amount"] = str(held[line["chain"], line["contract"]])
            line["authority"] = "yes" if line["chain"] == "tron" else ""
        return lines


@pytest.fixture(scope="module")
def exchange(tmp_path_factory: pytest.TempPathFactory) -> Exchange:
    customers = {"bob@example.com": {"BNB": [5], "USDT": [999_999, 1]}}
    forger = sample(FAMILIES, customers, chains=CHAINS).forger
    folder = write_files(tmp_path_factory.mktemp("families") / "bundle", forger.bundle())
    return Exchange(folder, forger.public_key, *read_rows(folder, forger.public_key))


def written(folder: Path, lines: list[Line], name: str = "table.csv") -> Path:
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS)
    writer.writeheader()
    writer.writerows(lines)
    (folder / name).write_text(text.getvalue())
    return folder / name


def levels(evidence: list[CheckedEvidence]) -> dict[tuple[str, str], Level]:
    return {
        (asset, holding.chain): holding.known
        for asset, found in zip(("BNB", "USDT"), evidence, strict=True)
        for holding in found.rows
    }


PLACES = [("BNB", "bsc"), ("USDT", "bsc"), ("USDT", "ethereum"), ("USDT", "tron")]


def test_what_to_look_up_is_every_row_with_nothing_filled_in(exchange: Exchange) -> None:
    lines = [dict(zip(COLUMNS, line, strict=True)) for line in lookups(*found(exchange))]
    assert [line["chain"] for line in lines] == ["bsc", "bsc", "ethereum", "tron"]
    blocks = {name: (str(height), digest.hex()) for name, height, digest in CHAINS}
    for line in lines:
        assert (line["amount"], line["authority"]) == ("", "")
        assert (line["height"], line["hash"]) == blocks[line["chain"]]
    (tron,) = lookups(*found(exchange), "tron")
    assert tron[0] == "tron"
    assert not [*lookups(*found(exchange), "polygon")]


def found(exchange: Exchange) -> tuple[CheckedManifest, list[CheckedEvidence]]:
    return exchange.checked, exchange.evidence


def test_what_nodes_confirm_need_not_be_looked_up(exchange: Exchange) -> None:
    bnb, usdt = exchange.evidence
    (row,) = bnb.rows
    confirmed = [replace(bnb, rows=(replace(row, level=Level.CHAIN),)), usdt]
    lines = [*lookups(exchange.checked, confirmed, only_unconfirmed=True)]
    assert [line[0] for line in lines] == ["bsc", "ethereum", "tron"]
    assert len([*lookups(exchange.checked, confirmed)]) == 4


def test_a_full_table_lists_every_row(exchange: Exchange, tmp_path: Path) -> None:
    assert levels(exchange.evidence) == dict.fromkeys(PLACES, Level.CLAIMED)
    asked = exchange.ask(written(tmp_path, exchange.filled()))
    assert levels(asked) == dict.fromkeys(PLACES, Level.LISTED)
    assert not any(item.remarks for item in asked)


def test_lines_without_an_amount_leave_their_rows(exchange: Exchange, tmp_path: Path) -> None:
    lines = exchange.filled()
    lines[0]["amount"] = ""
    asked = levels(exchange.ask(written(tmp_path, lines[:2])))
    assert asked == {
        PLACES[0]: Level.CLAIMED,
        PLACES[1]: Level.LISTED,
        PLACES[2]: Level.CLAIMED,
        PLACES[3]: Level.CLAIMED,
    }


def test_an_unfilled_table_says_nothing(exchange: Exchange, tmp_path: Path) -> None:
    lines = [dict(zip(COLUMNS, line, strict=True)) for line in lookups(*found(exchange))]
    assert levels(exchange.ask(written(tmp_path, lines))) == dict.fromkeys(PLACES, Level.CLAIMED)


@pytest.mark.parametrize("at", range(4))
def test_one_base_unit_less_is_a_contradiction(exchange: Exchange, tmp_path: Path, at: int) -> None:
    lines = exchange.filled()
    lines[at]["amount"] = str(int(lines[at]["amount"]) - 1)
    with pytest.raises(Rejected) as rejected:
        exchange.ask(written(tmp_path, lines))
    assert rejected.value.code is Code.CHAIN_WRONG_AMOUNT
    code, row = [("BNB", 0), ("USDT", 0), ("USDT", 1), ("USDT", 2)][at]
    assert rejected.value.where == f"{code}, row {row}"
    assert f"table.csv, line {at + 2}" in rejected.value.message
    lines[at]["amount"] = str(int(lines[at]["amount"]) + 2)
    exchange.ask(written(tmp_path, lines))


def test_coins_in_place_of_base_units_are_too_little(exchange: Exchange, tmp_path: Path) -> None:
    lines = exchange.filled()
    assert lines[0]["amount"] == str(10**18)
    lines[0]["amount"] = "1"
    with pytest.raises(Rejected, match="less base units are listed"):
        exchange.ask(written(tmp_path, lines))
    lines[0]["amount"] = "1.0"
    with pytest.raises(CannotCheck, match="column amount: not a whole number of base units"):
        exchange.ask(written(tmp_path, lines))


def test_authority_is_known_no_better_than_listed(exchange: Exchange, tmp_path: Path) -> None:
    """A node that knows the amount, and not whose it is, and a table that says whose."""
    bnb, usdt = exchange.evidence
    rows = tuple(replace(holding, level=Level.CHAIN) for holding in usdt.rows)
    evidence = [bnb, replace(usdt, rows=rows)]
    assert levels(evidence)["USDT", "tron"] is Level.CLAIMED
    for amount in ("", str(500_000)):
        line = {**exchange.filled()[3], "amount": amount}
        table = BalanceTable([written(tmp_path, [line])])
        asked = levels(table.confirm(exchange.checked, evidence))
        assert asked["USDT", "tron"] is Level.LISTED
        assert asked["USDT", "ethereum"] is Level.CHAIN
    for authority in ("", "no"):
        line = {**exchange.filled()[3], "authority": authority}
        table = BalanceTable([written(tmp_path, [line])])
        (*_, row) = table.confirm(exchange.checked, evidence)[1].rows
        assert (row.level, row.known) == (Level.CHAIN, Level.CLAIMED)
        assert bool(row.undecided) is (authority == "no")


def test_what_a_node_confirms_stays_confirmed(exchange: Exchange, tmp_path: Path) -> None:
    """The node is asked, and the table is typed: where they differ, the node has told."""
    bnb, usdt = exchange.evidence
    (row,) = bnb.rows
    evidence = [replace(bnb, rows=(replace(row, level=Level.CHAIN),)), usdt]
    lines = exchange.filled()
    lines[0]["amount"] = "7"
    asked = BalanceTable([written(tmp_path, lines)]).confirm(exchange.checked, evidence)
    assert levels(asked)["BNB", "bsc"] is Level.CHAIN


def test_a_contract_wallet_stays_unverified(exchange: Exchange, tmp_path: Path) -> None:
    bnb, usdt = exchange.evidence
    (row,) = bnb.rows
    evidence = [replace(bnb, rows=(replace(row, is_owned=False),)), usdt]
    lines = exchange.filled()
    lines[0]["authority"] = "yes"
    asked = BalanceTable([written(tmp_path, lines)]).confirm(exchange.checked, evidence)
    assert levels(asked)["BNB", "bsc"] is Level.UNVERIFIED


def test_a_table_of_another_block(exchange: Exchange, tmp_path: Path) -> None:
    other = [{**line, "height": "7"} for line in exchange.filled()]
    with pytest.raises(CannotCheck, match="line 2: it is of block 7 of bsc, and the snapshot of 7"):
        exchange.ask(written(tmp_path, other))
    other = [{**line, "hash": "ab" * 32} for line in exchange.filled() if line["chain"] == "tron"]
    with pytest.raises(Rejected) as rejected:
        exchange.ask(written(tmp_path, other))
    assert (rejected.value.code, rejected.value.where) == (Code.CHAIN_WRONG_BLOCK, "tron")


def test_a_hash_may_be_written_as_explorers_do(exchange: Exchange, tmp_path: Path) -> None:
    lines = [{**line, "hash": "0x" + line["hash"].upper()} for line in exchange.filled()]
    names = {"bsc": "eip155:56", "ethereum": "eip155:1", "tron": "tron:0x2b6653dc"}
    lines = [{**line, "chain": names[line["chain"]]} for line in lines]
    asked = exchange.ask(written(tmp_path, lines))
    assert levels(asked) == dict.fromkeys(PLACES, Level.LISTED)


def test_several_files_and_lines_of_no_row(exchange: Exchange, tmp_path: Path) -> None:
    lines = exchange.filled()
    stray = {**lines[0], "address": "0x" + "11" * 20}
    elsewhere = {**lines[0], "chain": "polygon", "address": "0x" + "22" * 20}
    first = written(tmp_path, [*lines[:2], stray], "first.csv")
    second = written(tmp_path, [*lines[2:], elsewhere], "second.csv")
    asked = exchange.ask(first, second)
    assert levels(asked) == dict.fromkeys(PLACES, Level.LISTED)
    assert asked[0].remarks == ("2 lines of your table are of no row here",)
    with pytest.raises(CannotCheck, match=r"second.csv, line 2: .*already in first.csv, line 2"):
        exchange.ask(first, written(tmp_path, [lines[0]], "second.csv"))
    later = {**lines[1], "height": "70000001"}
    with pytest.raises(CannotCheck, match=r"another block of bsc than that of first\.csv, line 2"):
        exchange.ask(written(tmp_path, [lines[0]], "first.csv"), written(tmp_path, [later]))


HEADER = ",".join(COLUMNS)
GOOD = f"bsc,,0x{'11' * 20},5,70000000,{'00' * 32},"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (b"", "line 1: the columns are not"),
        (b"a,b\n", "line 1: the columns are not"),
        (f"{HEADER},more\n".encode(), "line 1: the columns are not"),
        (HEADER.replace(",", ";").encode(), "line 1: the columns are not"),
        (f"{HEADER}\n{GOOD},\n".encode(), "line 2: 8 columns instead of 7"),
        (f"{HEADER}\nbsc\n".encode(), "line 2: 1 columns instead of 7"),
        (f"{HEADER}\n\n{GOOD.replace('bsc', 'kaspa')}".encode(), "line 3, column chain"),
        (f"{HEADER}\n{GOOD.replace('bsc', '')}".encode(), "line 2, column chain"),
        (f"{HEADER}\n{GOOD.replace('bsc,', 'bsc,0x12')}".encode(), "column contract"),
        (f"{HEADER}\n{GOOD.replace('bsc', 'bitcoin')}".encode(), "line 2, column address"),
        (f"{HEADER}\n{GOOD.replace('0x11', '0x1')}".encode(), "line 2, column address"),
        (f"{HEADER}\n{GOOD.replace(',5,', ',-5,')}".encode(), "line 2, column amount"),
        (f"{HEADER}\n{GOOD.replace(',5,', ',1e18,')}".encode(), "line 2, column amount"),
        (f"{HEADER}\n{GOOD.replace(',5,', ',1 000,')}".encode(), "line 2, column amount"),
        (f"{HEADER}\n{GOOD.replace(',5,', f',{2**256},')}".encode(), "line 2, column amount"),
        (f"{HEADER}\n{GOOD.replace(',5,', ',٥,')}".encode(), "line 2, column amount"),
        (f"{HEADER}\n{GOOD.replace('70000000', '')}".encode(), "line 2, column height"),
        (f"{HEADER}\n{GOOD.replace('70000000', '7e7')}".encode(), "line 2, column height"),
        (f"{HEADER}\n{GOOD[:-3]},".encode(), "line 2, column hash"),
        (f"{HEADER}\n{GOOD}maybe".encode(), "line 2, column authority"),
        (f"{HEADER}\n{GOOD}\n{GOOD}\n".encode(), "line 3: this address stands already in"),
        (f'{HEADER}\n"{GOOD}'.encode(), "not CSV"),
        (f"{HEADER}\n{'x' * 5000}".encode(), "line 2: the line is too long"),
        (f"{HEADER}\n\xff".encode("latin-1"), "not UTF-8"),
        (f"{HEADER}\n\0".encode(), "line 2"),
    ],
)
def test_a_table_that_is_none(tmp_path: Path, text: bytes, said: str) -> None:
    (tmp_path / "table.csv").write_bytes(text)
    with pytest.raises(CannotCheck) as raised:
        BalanceTable([tmp_path / "table.csv"])
    assert raised.value.code is Code.CHECK_UNREADABLE
    assert said in raised.value.message
    assert "\n" not in raised.value.message


def test_a_table_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(balances, "MAX_LINES", 3)
    lines = [GOOD.replace("11" * 20, f"{number}{number}" * 20) for number in range(4)]
    path = tmp_path / "table.csv"
    path.write_text("\n".join([HEADER, *lines[:3]]) + "\n")
    assert len(BalanceTable([path])) == 3
    path.write_text("\n".join([HEADER, *lines]) + "\n")
    with pytest.raises(CannotCheck, match="more than 3 lines"):
        BalanceTable([path])
    with pytest.raises(CannotCheck, match="No such file"):
        BalanceTable([tmp_path / "absent.csv"])
    with pytest.raises(CannotCheck):
        BalanceTable([tmp_path])


UNITS = [
    "BNB=bsc::18",
    "USDT=bsc:0x55d398326f99059fF775485246999027B3197955:18",
    "USDT=tron:TR7NHqjeKQxGTCi8q8ZY4pL8otSzgjLj6t:6",
]
Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def command(exchange: Exchange, capsys: pytest.CaptureFixture[str]) -> Run:
    def run(name: str, *more: object) -> tuple[int, str, str]:
        words = [name, str(exchange.folder), "--exchange-key", public_key_text(exchange.key)]
        for unit in UNITS:
            words += ["--unit", unit]
        code = cli.main([*words, *map(str, more)])
        out, err = capsys.readouterr()
        return code, out, err

    return run


def test_from_what_to_look_up_to_the_verdict(
    exchange: Exchange, command: Run, tmp_path: Path
) -> None:
    code, out, err = command("lookups")
    assert (code, err) == (0, "")
    lines = [*csv.DictReader(io.StringIO(out))]
    assert [line["chain"] for line in lines] == ["bsc", "bsc", "ethereum", "tron"]
    table = written(tmp_path, exchange.filled())
    code, out, _ = command("audit", "--balances", table, "--require", "listed")
    assert code == 0
    said = out.splitlines()
    assert said[-1].startswith(
        "ACCEPTED as listed: amounts of BNB, USDT are there as far as your own table is"
    )
    assert "solvent" not in said[-1]
    assert "ok   amounts in your own table: lines 4, listed 4" in said
    code, out, _ = command("audit", "--balances", table, "--require", "chain")
    assert (code, "NOT CHECKED check.too-weak" in out) == (1, True)
    code, out, _ = command("solvency", "--balances", table, "--json")
    found: dict[str, Any] = json.loads(out)
    assert (code, found["all_confirmed"]) == (0, False)
    assert found["amounts"]["USDT"]["level"] == "listed"
    code, out, _ = command("audit", "--balances", tmp_path / "absent")
    assert (code, "NOT CHECKED check.unreadable" in out) == (1, True)


def test_looking_up_one_chain_and_as_json(command: Run) -> None:
    code, out, _ = command("lookups", "--chain", "tron", "--json")
    (line,) = json.loads(out)
    assert (code, [*line], line["amount"]) == (0, [*COLUMNS], "")
    code, out, err = command("lookups", "--chain", "kaspa")
    assert (code, out) == (2, "")
    assert "chains are arbitrum, avalanche, " in err
    code, out, _ = command("lookups", "--chain", "polygon")
    assert (code, out) == (0, ",".join(COLUMNS) + "\n")


def test_what_went_wrong_is_not_in_the_table(command: Run, exchange: Exchange) -> None:
    code, out, err = command("lookups", "--ratio", "2/1")
    assert (code, out) == (3, "")
    assert "REJECTED manifest.ratio-below-policy" in err
    code, out, err = command("lookups", "--node", "bsc=http://127.0.0.1:9")
    assert (code, out) == (1, "")
    assert "NOT CHECKED check.unreadable" in err


@pytest.mark.parametrize(
    ("node", "said"),
    [
        ("http://127.0.0.1", "a node is CHAIN=URL"),
        ("kaspa=http://127.0.0.1", "chains with nodes are arbitrum, avalanche, base, bitcoin, "),
        ("fiat=http://127.0.0.1", "no node of fiat"),
        ("bsc=ftp://127.0.0.1", "a node's URL is http"),
        ("tron=127.0.0.1", "a node's URL is http"),
    ],
)
def test_a_node_that_is_none(
    command: Run, capsys: pytest.CaptureFixture[str], node: str, said: str
) -> None:
    try:
        code, out, err = command("audit", "--node", node)
    except SystemExit as ended:  # argparse's own
        code, (out, err) = int(str(ended.code)), capsys.readouterr()
    assert (code, out) == (2, "")
    assert said in err


def test_one_node_a_chain(command: Run) -> None:
    twice = ["--node", "bsc=http://127.0.0.1:9", "--node", "bsc=http://127.0.0.1:9"]
    code, _, err = command("audit", *twice)
    assert (code, "a node of bsc is given twice" in err) == (2, True)


def test_no_policy_makes_listed_the_best(exchange: Exchange, tmp_path: Path) -> None:
    table = BalanceTable([written(tmp_path, exchange.filled())])
    units = [verifier.KnownUnit(*parts(unit)) for unit in UNITS]
    report = verifier.audit(
        exchange.folder, exchange.key, policy=Policy(units=tuple(units)), balances=table
    )
    assert (report.level, report.is_solvent) == (Level.LISTED, False)


def parts(unit: str) -> tuple[str, str, str, int]:
    code, rest = unit.split("=")
    chain, contract, decimals = rest.split(":")
    return code, chain, contract, int(decimals)
