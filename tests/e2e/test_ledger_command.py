"""What an operator sees of a ledger before it is proved, and what no pipe gets unasked."""

from __future__ import annotations

import json
import os
import pty
import shutil
import stat
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from prover.snapshot.make import make_snapshot
from tests.support.exchange_files import LONG, Assay, edit, files, own_exchange, sample
from verifier.commands.cli import main as verify

EIGHT = {"BTC": 8, "ETH": 8}


@pytest.fixture
def assay(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Assay:
    return Assay(monkeypatch, capsys)


def exchange(folder: Path, ledger: str, section: str = LONG, **more: Any) -> Path:
    """Make an exchange with a ledger of bitcoin and ether, well backed."""
    held = {"BTC": 10**12, "ETH": 10**12}
    config = own_exchange(folder, section, held, decimals=EIGHT, **more)
    (folder / "ledger.csv").write_text(ledger, encoding="utf-8")
    return config


LEDGER = """id,note,code,amount
ann,x,BTC,1.5
ann,x,BTC,0.25
bob,,BTC,0
bob,,ETH,7
cid,,ETH,3
"""


def expecting(lines: str) -> str:
    return f"{LONG}[ledger.expect]\n{lines}\n"


def test_a_ledger_is_shown_and_nothing_is_made(tmp_path: Path, assay: Assay) -> None:
    folder = tmp_path / "exchange"
    config = exchange(folder, LEDGER)
    shutil.rmtree(folder / "keys", ignore_errors=True)
    for key in ("signing.pem", "master.key"):
        (folder / key).unlink()
    before = files(tmp_path)
    code, out, err = assay("ledger", config)
    assert (code, err) == (0, "")
    assert out.splitlines() == [
        "ledger    5 rows, 3 accounts, of which 0 are owed nothing",
        "  BTC      total 1.75  largest 1.75  1 accounts, 1 with zero",
        "  ETH      total   10  largest    7  2 accounts, 0 with zero",
        "proven    2 of 2 asset codes in the ledger",
        "not read  columns note",
        "added up  1 balances of an account that has another of the same asset",
    ]
    code, out, err = assay("ledger", config, "--json")
    assert (code, err) == (0, "")
    told = json.loads(out)
    assert (told["rows"], told["accounts"], told["unread"]) == (5, 3, ["note"])
    assert told["assets"]["BTC"] == {
        "decimals": 8,
        "holders": 1,
        "largest": "1.75",
        "rows": 3,
        "total": "1.75",
        "zero": 1,
    }
    assert (told["previous"], told["previous_missing"]) == (None, "")
    assert files(tmp_path) == before


def test_a_ledger_with_all_that_is_left_out(tmp_path: Path, assay: Assay) -> None:
    section = LONG.replace(
        "[ledger.columns]", 'ignore = ["TEST*"]\nmerge_duplicates = true\n[ledger.columns]'
    )
    ledger = "id,code,amount\nAnn@x,BTC,1\nann@x,ETH,1\nb@x,TESTBTC,5\nc@x,ETH,0\n"
    config = exchange(tmp_path / "exchange", ledger, section, id_type="email")
    _, out, _ = assay("ledger", config)
    assert out.splitlines()[0] == "ledger    4 rows, 2 accounts, of which 1 are owed nothing"
    assert "ignored   TESTBTC (1 rows)" in out
    assert "merged    1 accounts that are written in several ways" in out


def test_no_pipe_gets_figures_unasked(tmp_path: Path, assay: Assay) -> None:
    config = exchange(tmp_path / "exchange", LEDGER)
    for options in ((), ("--json",)):
        code, out, err = assay("prove", config, "--out", tmp_path / "one", *options)
        assert (code, err) == (0, "")
        assert not [figure for figure in ("1.75", "1.5", "3 accounts", "ann") if figure in out]
    code, out, _ = assay("prove", config, "--out", tmp_path / "one", "--summary")
    assert code == 0
    lines = out.splitlines()
    assert lines[0].startswith("ledger    5 rows, 3 accounts")
    assert lines[6].startswith("snapshot one was proven before; nothing changed")
    code, out, _ = assay("prove", config, "--out", tmp_path / "one", "--summary", "--json")
    assert json.loads(out)["ledger"]["assets"]["BTC"]["total"] == "1.75"
    kept = tmp_path / "one" / "private" / "summary.json"
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    assert json.loads(kept.read_text())["assets"]["BTC"]["total"] == "1.75"


def test_a_terminal_shows_the_ledger_before_it_is_proved(tmp_path: Path) -> None:
    config = exchange(tmp_path / "exchange", LEDGER)
    command = [sys.executable, "-m", "prover", "prove", str(config), "--out", str(tmp_path / "one")]
    terminal, own_end = pty.openpty()
    with subprocess.Popen(command, stdout=own_end, stderr=subprocess.PIPE) as process:
        os.close(own_end)
        shown = b""
        while True:
            try:
                read = os.read(terminal, 4096)
            except OSError:  # what a terminal says once nobody has its other end
                break
            shown += read
        os.close(terminal)
        assert process.stderr is not None
        assert process.stderr.read() == b""
    assert process.returncode == 0
    lines = shown.decode().splitlines()
    assert lines[0] == "ledger    5 rows, 3 accounts, of which 0 are owed nothing"
    assert "  BTC      total 1.75  largest 1.75  1 accounts, 1 with zero" in lines
    assert [line for line in lines if line.startswith("snapshot one is proven")]
    assert "figures" not in shown.decode()


def test_figures_are_told_where_a_run_fails(tmp_path: Path, assay: Assay) -> None:
    config = exchange(tmp_path / "exchange", LEDGER.replace("ETH,7", "ETH,70000"))
    code, out, err = assay("prove", config, "--out", tmp_path / "one", "--summary", "--json")
    assert code == 3
    assert list(json.loads(out)) == ["ledger"]
    assert "ETH by 60003" in err


@pytest.mark.parametrize(
    ("ledger", "said"),
    [
        ("id,code,amount\n", "no account; nothing is owed in BTC, ETH"),
        ("id,code,amount\nann,BTC,1\n", "nothing is owed in ETH"),
        ("id,code,amount\nann,BTC,1\nbob,ETH,0\n", "nothing is owed in ETH"),
    ],
)
def test_nothing_owed_is_not_believed(tmp_path: Path, assay: Assay, ledger: str, said: str) -> None:
    config = exchange(tmp_path / "exchange", ledger)
    assert assay("ledger", config)[0] == 1
    code, out, err = assay("prove", config, "--out", tmp_path / "one")
    assert (code, out) == (1, "")
    assert f"no-balance ({said})" in err
    assert "ledger.expect.allow_empty" in err
    assert not (tmp_path / "one" / "public").exists()
    assert not (tmp_path / "exchange" / "signing.pem.log").exists()
    # Nothing was frozen: the folder serves the whole export.
    (tmp_path / "exchange" / "ledger.csv").write_text(LEDGER)
    assert assay("prove", config, "--out", tmp_path / "one")[0] == 0


def test_an_empty_sample_is_not_proved(tmp_path: Path, assay: Assay) -> None:
    config = sample(tmp_path / "exchange", codes=("BTC", "ETH", "USDT"))
    ledger = tmp_path / "exchange" / "ledger.csv"
    ledger.write_text(ledger.read_text().splitlines()[0] + "\n")
    code, _, err = assay("prove", config, "--out", tmp_path / "one")
    assert code == 1
    assert "no account" in err
    edit(
        config,
        "[ledger.columns]",
        '[ledger.expect]\nallow_empty = ["BTC", "ETH"]\n[ledger.columns]',
    )
    assert "nothing is owed in USDT" in assay("prove", config, "--out", tmp_path / "one")[2]
    edit(config, '"BTC", "ETH"]', '"BTC", "ETH", "USDT"]')
    assert assay("prove", config, "--out", tmp_path / "one")[0] == 0


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ("accounts = { least = 4 }", "accounts: below ledger.expect.accounts.least"),
        ("accounts = { most = 2 }", "accounts: above ledger.expect.accounts.most"),
        ("accounts = { least = 3, most = 3 }", None),
        (
            'totals = { BTC = { least = "1.75000001" } }',
            "total of BTC: below ledger.expect.totals.BTC.least",
        ),
        ("totals = { ETH = { most = 9 } }", "total of ETH: above ledger.expect.totals.ETH.most"),
        ('totals = { BTC = { least = "1.75" }, ETH = { least = 10, most = 10 } }', None),
    ],
)
def test_expectations(tmp_path: Path, assay: Assay, lines: str, said: str | None) -> None:
    config = exchange(tmp_path / "exchange", LEDGER, expecting(lines))
    code, out, err = assay("prove", config, "--out", tmp_path / "one")
    if said is None:
        assert (code, err) == (0, "")
        assert assay("ledger", config)[0] == 0
        return
    assert (code, out) == (1, "")
    assert f"unexpected ({said})" in err
    assert not [
        figure for figure in ("1.75", "10", "3") if figure in err.replace(str(tmp_path), "")
    ]
    assert not (tmp_path / "exchange" / "signing.pem.log").exists()
    code, out, err = assay("ledger", config)
    assert code == 1
    assert said in err
    assert "3 accounts" in out


def test_all_that_is_not_expected_is_told_at_once(tmp_path: Path, assay: Assay) -> None:
    lines = "accounts = { least = 4 }\ntotals = { BTC = { most = 1 }, ETH = { most = 1 } }"
    config = exchange(tmp_path / "exchange", LEDGER, expecting(lines))
    err = assay("prove", config, "--out", tmp_path / "one")[2]
    assert len(err.splitlines()) == 3


def second_day(tmp_path: Path, ledger: str, expect: str = "") -> Path:
    """Prove a first day in ``one``; return the snapshot file of a second."""
    first = exchange(tmp_path / "exchange", LEDGER)
    make_snapshot(first, tmp_path / "one")
    manifest = tmp_path / "one" / "public" / "manifest.msgpack"
    return exchange(
        tmp_path / "second",
        ledger,
        expecting(expect) if expect else LONG,
        keys=tmp_path / "exchange",
        snapshot_id="two",
        time="2026-11-22T00:00:00Z",
        previous=f'manifest = "{manifest}"',
    )


def test_the_change_since_the_snapshot_before(tmp_path: Path, assay: Assay) -> None:
    config = second_day(tmp_path, LEDGER.replace("ann,x,BTC,1.5", "ann,x,BTC,2.25"))
    _, out, _ = assay("ledger", config)
    assert out.splitlines()[-4:] == [
        "change    since snapshot one",
        "  accounts         3 -> 3, +0.00%",
        "  total of BTC     1.75 -> 2.5, +42.86%",
        "  total of ETH     10 -> 10, +0.00%",
    ]
    _, out, _ = assay("ledger", config, "--json")
    assert json.loads(out)["previous"]["assets"]["BTC"]["total"] == "1.75"
    shutil.rmtree(tmp_path / "one" / "private")
    _, out, _ = assay("ledger", config)
    assert "are not at hand" in out.splitlines()[-1]
    assert "summary.json: No such file" in out.splitlines()[-1]
    assert assay("prove", config, "--out", tmp_path / "two")[0] == 0


@pytest.mark.parametrize(
    ("ledger", "percent", "said"),
    [
        (LEDGER, 0, None),
        (LEDGER.replace("1.5", "2.25"), 43, None),
        (LEDGER.replace("1.5", "2.25"), 42, "total of BTC: changed by more than"),
        (LEDGER.replace("ETH,7", "ETH,0.1"), 50, "total of ETH: changed by more than"),
        (LEDGER + "dan,,ETH,0\n", 33, "accounts: changed by more than"),
    ],
)
def test_a_change_that_is_too_great(
    tmp_path: Path, assay: Assay, ledger: str, percent: int, said: str | None
) -> None:
    config = second_day(tmp_path, ledger, f"change_percent = {percent}")
    code, _, err = assay("prove", config, "--out", tmp_path / "two")
    assert code == (0 if said is None else 1)
    assert said is None or (said in err and "since snapshot one" in err)


def gone(summary: Path) -> None:
    summary.unlink()


def torn(summary: Path) -> None:
    summary.write_bytes(summary.read_bytes()[:20])


def no_object(summary: Path) -> None:
    summary.write_bytes(b"[]")


def of_another(summary: Path) -> None:
    edit(summary, '"one"', '"zero"')


@pytest.mark.parametrize("spoil", [gone, torn, no_object, of_another])
def test_a_change_from_what_is_not_at_hand_is_not_taken_for_none(
    tmp_path: Path, assay: Assay, spoil: Callable[[Path], None]
) -> None:
    config = second_day(tmp_path, LEDGER, "change_percent = 10")
    spoil(tmp_path / "one" / "private" / "summary.json")
    code, _, err = assay("prove", config, "--out", tmp_path / "two")
    assert code == 1
    assert "ledger.expect.change_percent: nothing to compare with" in err
    first = exchange(tmp_path / "third", LEDGER, expecting("change_percent = 0"))
    assert assay("prove", first, "--out", tmp_path / "three")[0] == 0  # the first of all


def test_the_snapshot_before_is_found_behind_a_published_one(tmp_path: Path, assay: Assay) -> None:
    """As the service has it: snapshots side by side under their ids, and bundles elsewhere."""
    config = second_day(tmp_path, LEDGER + "dan,,ETH,1\n", "change_percent = 30")
    assay("publish", tmp_path / "one", f"file://{tmp_path / 'www'}")
    published = tmp_path / "www" / "snapshots" / "one" / "manifest.msgpack"
    edit(config, str(tmp_path / "one" / "public" / "manifest.msgpack"), str(published))
    code, _, err = assay("prove", config, "--out", tmp_path / "two")
    assert code == 1
    assert "accounts: changed by more than ledger.expect.change_percent since snapshot one" in err
    (tmp_path / "elsewhere").mkdir()
    code, _, err = assay("prove", config, "--out", tmp_path / "elsewhere" / "two")
    assert code == 1
    assert "nothing to compare with" in err


def other_ledger(folder: Path) -> None:
    edit(folder / "ledger.csv", "cid,,ETH,3", "cid,,ETH,4")


def same_ledger(folder: Path) -> None:
    header, *rows = (folder / "ledger.csv").read_text().splitlines()
    (folder / "ledger.csv").write_text("\n".join([header, *reversed(rows), ""]))


def bad_ledger(folder: Path) -> None:
    edit(folder / "ledger.csv", "cid,,ETH,3", "cid,,ETH,x")


def no_ledger(folder: Path) -> None:
    (folder / "ledger.csv").unlink()


def other_evidence(folder: Path) -> None:
    edit(folder / "evidence.csv", ",1000000000000,", ",1000000000001,")


LEDGER_CHANGED = "the ledger has changed"
LEDGER_UNKNOWN = "the ledger cannot be compared: by now it is refused, or not there"
CHANGES = [
    (other_ledger, LEDGER_CHANGED),
    (same_ledger, None),
    (bad_ledger, LEDGER_UNKNOWN),
    (no_ledger, LEDGER_UNKNOWN),
    (other_evidence, "the evidence has changed"),
]


@pytest.mark.parametrize(("change", "said"), CHANGES)
def test_a_finished_folder_says_what_changed_since(
    tmp_path: Path, assay: Assay, change: Callable[[Path], None], said: str | None
) -> None:
    config = exchange(tmp_path / "exchange", LEDGER)
    make_snapshot(config, tmp_path / "one")
    before = files(tmp_path / "one")
    change(tmp_path / "exchange")
    code, out, err = assay("prove", config, "--out", tmp_path / "one")
    assert code == 0
    assert files(tmp_path / "one") == before
    if said is None:
        assert "was proven before; nothing changed" in out
        assert err == ""
        return
    assert f"was proven before, and is left as it is: {said}" in out
    assert f"assay: {said}; the snapshot is of what an earlier run froze" in err
    _, out, _ = assay("prove", config, "--out", tmp_path / "one", "--json")
    assert json.loads(out)["changes"] == [said]


@pytest.mark.parametrize(("change", "said"), CHANGES)
def test_a_run_that_goes_on_says_what_changed_since(
    tmp_path: Path, assay: Assay, change: Callable[[Path], None], said: str | None
) -> None:
    config = exchange(tmp_path / "exchange", LEDGER)
    out = tmp_path / "one"
    make_snapshot(config, out)
    bundle = files(out / "public")
    shutil.rmtree(out / "public")  # as if it had been killed before its last step
    change(tmp_path / "exchange")
    code, _, err = assay("prove", config, "--out", out)
    assert code == 0
    assert files(out / "public") == bundle
    assert err.startswith(f"assay: {said}; the snapshot is of") if said else err == ""


def test_a_ledger_from_a_pipe_is_read_once(tmp_path: Path, assay: Assay) -> None:
    config = exchange(tmp_path / "exchange", LEDGER)
    pipe = tmp_path / "exchange" / "ledger.csv"
    pipe.unlink()
    os.mkfifo(pipe)
    with ThreadPoolExecutor(1) as writer:
        writer.submit(pipe.write_text, LEDGER)
        assert assay("prove", config, "--out", tmp_path / "one")[0] == 0
    code, out, _ = assay("prove", config, "--out", tmp_path / "one")
    assert code == 0
    assert LEDGER_UNKNOWN in out


USDC = "0xA0b86991c6218b36c1d19D4a2e9Eb0cE3606eB48"
TOKEN = "0x" + "11" * 20
UNIT = f"--unit USDCE=ethereum:{TOKEN}:6"


def test_units_that_no_reader_knows_are_told_with_what_readers_need(
    tmp_path: Path, assay: Assay, capsys: pytest.CaptureFixture[str]
) -> None:
    config = sample(tmp_path / "x", codes=("BTC", "USDC"))
    edit(config, 'code = "USDC"', 'code = "USDCE"')
    unit = f'{{ chain = "ethereum", contract = "{TOKEN}", decimals = 6 }}'
    edit(config, 'units = [{ chain = "ethereum" }]', f"units = [{unit}]")
    edit(tmp_path / "x" / "ledger.csv", ",USDC,", ",USDCE,")
    edit(tmp_path / "x" / "evidence.csv", "USDC,", "USDCE,")
    edit(tmp_path / "x" / "evidence.csv", USDC, TOKEN)
    page = tmp_path / "report.html"
    for command in (
        ("prove", config, "--out", tmp_path / "one"),
        ("publish", tmp_path / "one", f"file://{tmp_path / 'www'}"),
        ("report", tmp_path / "one" / "public", "--html", page),
    ):
        code, out, err = assay(*command)
        assert (code, err) == (0, "")
        last = out.splitlines()[-1]
        assert last.startswith("warning   the verifier's table does not have the units of USDCE:")
        assert last.endswith(UNIT)
        _, out, _ = assay(*command, "--json")
        assert json.loads(out)["unknown_units"] == [UNIT.removeprefix("--unit ")]
    assert UNIT not in page.read_text()  # whoever names a unit vouches for it
    audit = ["audit", str(tmp_path / "one" / "public")]
    audit += ["--exchange-key", str(tmp_path / "x" / "exchange.pub")]
    for arguments, said in (
        ([], "not vouched for: USDCE, of which this verifier does not know what it stands for"),
        (UNIT.split(), "amounts of BTC, USDCE rest on the exchange's word"),
    ):
        capsys.readouterr()
        assert verify([*audit, *arguments]) == 0
        assert said in capsys.readouterr().out.splitlines()[-1]
    assert verify([*audit, "--strict-units"]) == 1
    assert "check.unknown-unit" in capsys.readouterr().out
    assert verify([*audit, "--strict-units", *UNIT.split()]) == 0
    named = tmp_path / "named.csv"
    named.write_text(f"code,chain,contract,decimals\nUSDCE,ethereum,{TOKEN},6\n")
    assert verify([*audit, "--strict-units", "--units", str(named)]) == 0
    assert "<strong>USDCE: not vouched for.</strong>" in page.read_text()


def test_a_ledger_in_parts(tmp_path: Path, assay: Assay) -> None:
    config = exchange(tmp_path / "x", LEDGER)
    _, shown, _ = assay("ledger", config)
    assert assay("prove", config, "--out", tmp_path / "one")[0] == 0
    header, *rows = LEDGER.splitlines(keepends=True)
    config = exchange(tmp_path / "y", LEDGER)
    parts = tmp_path / "y" / "parts"
    parts.mkdir()
    for number, part in enumerate((rows[:1], rows[1:4], [], rows[4:])):
        (parts / f"part-{number:05}.csv").write_text(header + "".join(part))
    (parts / "_SUCCESS").touch()
    edit(config, 'path = "ledger.csv"', 'path = "parts/"')
    assert assay("ledger", config) == (0, shown, "")
    assert assay("prove", config, "--out", tmp_path / "many")[::2] == (0, "")
    one, many = (files(tmp_path / name / "private/ledger") for name in ("one", "many"))
    assert one.pop(".mac") != many.pop(".mac")  # under keys of their own
    assert many == one
    (parts / "part-00003.csv").write_text(f"{header}cid,,ETH,4\n")
    _, _, err = assay("prove", config, "--out", tmp_path / "many")
    assert "the ledger has changed" in err
    (parts / "part-00001.csv").write_text(f"{header}ann,x,BTC,1\nann,x,BTC,-1\n")
    code, out, err = assay("ledger", config)
    assert (code, out) == (1, "")
    assert f"{parts / 'part-00001.csv'}, row 3, column amount: negative" in err
    (parts / "part-00004.csv.gz").touch()
    code, out, err = assay("ledger", config)
    assert (code, out) == (1, "")
    assert "part-00004.csv.gz: wrong-format (a name that does not end in .csv); unpack" in err


def test_known_units_need_no_word(tmp_path: Path, assay: Assay) -> None:
    config = sample(tmp_path / "x")
    code, out, err = assay("prove", config, "--out", tmp_path / "one", "--json")
    assert (code, err, json.loads(out)["unknown_units"]) == (0, "", [])
    page = tmp_path / "report.html"
    code, out, err = assay("report", tmp_path / "one" / "public", "--html", page)
    assert (code, out, err) == (0, f"{page}\n", "")
    assert "--unit" not in page.read_text()


def test_a_chain_that_nothing_proves_is_refused_before_anybody_signs(
    tmp_path: Path, assay: Assay
) -> None:
    config = sample(tmp_path / "x", codes=("BTC",))
    text = config.read_text()
    block = f'height = 1\nhash = "{"ab" * 32}"\n'
    for chain in ("dogecoin", "bank", "solana"):
        config.write_text(f"{text}[chains.{chain}]\n{block}")
        for command in (("challenge", config), ("prove", config, "--out", tmp_path / "one")):
            code, out, err = assay(*command)
            assert (code, out) == (1, "")
            assert f"nothing can prove what is held on '{chain}'" in err
            assert "chains are arbitrum, " in err
