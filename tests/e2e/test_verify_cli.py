"""``assay-verify`` as a person or a program runs it: lines, JSON, exit codes, and no traceback."""

from __future__ import annotations

import json
import os
import pty
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.service import running
from tests.support.verifier_bundle import BLOCKS, Bundle
from verifier.commands import output
from verifier.commands.cli import main
from verifier.errors import Code
from verifier.format.keys import public_key_text
from verifier.texts import explain

ALICE, BOB, CAROL = "alice@example.com", "bob@example.com", "carol@example.com"
LAST_LINE = "ACCEPTED as claimed: amounts of BTC, ETH rest on the exchange's word"
KNOWN = {
    code: {
        "level": "claimed",
        "authority_unchecked": [],
        "disclosed": {"claimed": held},
        "hidden": [],
        "pledged": {"rows": 0, "amount": "0"},
        "attested": [],
    }
    for code, held in {"BTC": "2.5", "ETH": "3.2"}.items()
}


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    root = tmp_path_factory.mktemp("cli")
    made = Bundle(root / "bundle")
    for account in made.ledger:
        (root / account).write_bytes(made.package(account))
    (root / "exchange.pub").write_text(made.key_text + "\n")
    return made


@pytest.fixture
def run(bundle, capsys):
    """Run a command with the exchange's key; return exit code, lines, and standard error."""

    def command(name: str, *arguments: object) -> tuple[int, list[str], str]:
        capsys.readouterr()
        words = [name, *map(str, arguments), "--exchange-key", bundle.key_text]
        try:
            code = main(words)
        except SystemExit as exit_:  # argparse
            code = int(str(exit_.code))
        captured = capsys.readouterr()
        assert "Traceback" not in captured.out + captured.err
        assert "solvent" not in captured.out + captured.err
        return code, captured.out.splitlines(), captured.err

    return command


@pytest.fixture
def included(bundle, run):
    """Run ``inclusion`` for an account."""

    def command(account: str, *arguments: object, package: Path | None = None):
        path = package or bundle.folder.parent / account
        return run("inclusion", path, "--bundle", bundle.folder, "--account", account, *arguments)

    return command


def only_json(lines: list[str]) -> dict[str, Any]:
    found = json.loads("\n".join(lines))
    keys = {"accepted", "all_confirmed", "amounts", "blocks", "checks", "error", "set_aside"}
    assert set(found) == {*keys, "bridged", "declaration", "verdict"}
    for check in found["checks"]:
        assert set(check) == {"name", "ok", "figures"}
    return dict(found)


def test_audit_says_what_it_checked(bundle, run):
    code, lines, error = run("audit", bundle.folder, "--jobs", 2)
    assert code == 0
    assert lines[-1] == LAST_LINE
    notes = [line for line in lines if not line.startswith("ok   ")]
    assert lines[-len(notes) :] == notes
    age = int((time.time() - 1_700_000_000) // 86400)
    assert notes[:2] == [
        f"note {name}: block 7, {block.hex()}, of a time that nothing here shows; "
        f"the snapshot is {age:,} days old"
        for name, block in BLOCKS.items()
    ]
    assert notes[2:4] == [
        "note not shown: coins borrowed for the day, keys lent by others, and debts kept off the "
        "ledger do not show; a coin can leave with the next block",
        "note claimed: the exchange's word, and a signature for every address",
    ]
    assert notes[4:-1] == [
        "note BTC: 2.5 at addresses (claimed)",
        "note ETH: 3.2 at addresses (claimed)",
        "note nothing is declared: the exchange names no loan, and nothing that is pledged",
    ]
    assert "An Exchange" in lines[0]
    assert "2023-11-14T22:13:20Z" in lines[0]
    assert [line for line in lines if line.startswith("ok   tree of")] == [
        "ok   tree of BTC: leaves 32, pages 3",
        "ok   tree of ETH: leaves 16, pages 1",
    ]
    assert error == ""


def test_solvency_reads_no_page(tmp_path, run):
    small = Bundle(tmp_path / "small")
    for path in (small.folder / "pages").rglob("*"):
        if path.is_file():
            path.unlink()
    code, lines, _ = run("solvency", small.folder)
    assert (code, lines[-1]) == (0, f"{LAST_LINE}; no tree was checked")
    assert not [line for line in lines[:-1] if "tree" in line]


def test_json_is_one_object(bundle, run):
    for name in ("audit", "solvency"):
        code, lines, _ = run(name, bundle.folder, "--json")
        found = only_json(lines)
        assert code == 0
        assert found["accepted"] is True
        assert found["error"] is None
        assert found["amounts"] == KNOWN
        assert found["blocks"] == {
            name: {"height": 7, "hash": block.hex(), "time": None, "far": False, "counts": True}
            for name, block in BLOCKS.items()
        }
        assert all(check["ok"] for check in found["checks"])


@pytest.mark.parametrize("name", ["audit", "solvency"])
@pytest.mark.parametrize(
    ("strength", "code"), [("unverified", 0), ("claimed", 0), ("header", 1), ("chain", 1)]
)
def test_require_refuses_what_is_weaker(bundle, run, name, strength, code):
    exit_code, lines, _ = run(name, bundle.folder, "--require", strength)
    assert exit_code == code
    assert ("ACCEPTED" in lines[-1]) == (code == 0)
    if code:
        assert lines[-2].startswith("NOT CHECKED check.too-weak: ")
    exit_code, lines, _ = run(name, bundle.folder, "--require", strength, "--json")
    found = only_json(lines)
    assert (exit_code, found["accepted"]) == (code, code == 0)
    assert found["amounts"] == KNOWN
    assert (found["error"] or {}).get("code") == (None if code == 0 else "check.too-weak")


def test_inclusion_shows_typed_and_counted(included):
    code, lines, error = included(ALICE, "--balance", "BTC=1.5", "--balance", "ETH=3")
    assert code == 0
    assert lines[-5:] == [
        "BTC: you typed 1.5, counted 1.5",
        "ETH: you typed 3, counted 3.2",
        "note nothing is declared: the exchange names no loan, and nothing that is pledged",
        "note solvency was not checked by this command",
        "ACCEPTED: the balances that you typed are counted",
    ]
    assert error == ""
    code, lines, _ = included(ALICE, "--balance", "BTC=1.5", "--balance", "ETH=3", "--json")
    found = only_json(lines)
    assert found["amounts"] == {
        "BTC": {"counted": "1.5", "typed": "1.5"},
        "ETH": {"counted": "3.2", "typed": "3"},
    }


def test_inclusion_wants_every_asset(included):
    code, lines, _ = included(ALICE, "--balance", "BTC=1.5")
    assert code == 1
    assert lines[-2] == "NOT CHECKED check.not-compared: not compared: ETH 3.2"
    assert "ACCEPTED" not in "".join(lines)
    code, lines, _ = included(ALICE, "--balance", "BTC=1.5", "--json")
    found = only_json(lines)
    assert (code, found["accepted"]) == (1, False)
    assert found["error"] == {
        "code": "check.not-compared",
        "where": "",
        "message": "not compared: ETH 3.2",
        "finding": explain(Code.CHECK_NOT_COMPARED).finding,
        "advice": explain(Code.CHECK_NOT_COMPARED).advice,
    }
    assert found["amounts"]["ETH"] == {"counted": "3.2", "typed": None}
    code, lines, _ = included(ALICE, "--balance", "BTC=1.5", "--only")
    assert code == 0
    assert "ETH: not typed, counted 3.2" in lines


def test_inclusion_of_nothing(included):
    code, lines, _ = included(CAROL, "--balance", "BTC=0", "--balance", "ETH=0.00")
    assert (code, lines[-1]) == (0, "ACCEPTED: nothing to include")
    code, lines, _ = included(CAROL, "--balance", "BTC=0.00000001")
    assert code == 3


def test_a_short_balance_is_rejected_with_both_amounts(included):
    code, lines, _ = included(ALICE, "--balance", "BTC=1.50000001", "--balance", "ETH=3")
    assert code == 3
    assert lines[-2] == ("REJECTED inclusion.balance-short: BTC: you typed 1.50000001, counted 1.5")
    code, lines, _ = included(ALICE, "--balance", "BTC=2", "--json")
    found = only_json(lines)
    assert (code, found["accepted"], found["amounts"]) == (3, False, {})
    assert found["error"]["code"] == "inclusion.balance-short"
    assert found["error"]["where"] == "BTC"
    assert [check["ok"] for check in found["checks"]] == [True, True, True, False]


def test_a_rejection_names_place_and_advice(tmp_path, run, capsys):
    broken = Bundle(tmp_path / "broken")
    path = broken.folder / "pages/BTC/1"
    data = bytearray(path.read_bytes())
    data[0] ^= 1
    path.write_bytes(data)
    code, lines, _ = run("audit", broken.folder)
    assert code == 3
    assert lines[-3] == "FAIL tree of BTC"
    assert lines[-2].startswith("REJECTED page.bad-header: BTC, level 1, page 0: ")
    package = tmp_path / "package"
    package.write_bytes(broken.package(ALICE))
    code, lines, _ = run(
        "inclusion", package, "--bundle", broken.folder, "--account", ALICE, "--balance", "BTC=1"
    )
    assert code == 3
    assert lines[-1].endswith(explain(Code.PAGE_BAD_HEADER).advice)


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["--balance", "BTC=-1"],
        ["--balance", "BTC=1e5"],
        ["--balance", "BTC=NaN"],
        ["--balance", "BTC"],
        ["--balance", "btc=1"],
        ["--balance", "=1"],
        ["--balance", "BTC=1", "--balance", "BTC=1"],
        ["--balance", "BTC=" + "9" * 41],
        ["--balance", "BTC=1", "--ratio", "1"],
        ["--balance", "BTC=1", "--ratio", "0/1"],
        ["--balance", "BTC=1", "--unit", "BTC=bitcoin:8"],
        ["--balance", "BTC=1", "--unit", "BTC=bitcoin::99"],
        ["--balance", "BTC=1", "--exchange-key", "assay100"],
        ["--balance", "BTC=1", "--unknown"],
    ],
)
@pytest.mark.parametrize("as_json", [False, True])
def test_usage(bundle, capsys, arguments, as_json):
    words = ["inclusion", str(bundle.folder.parent / ALICE), "--bundle", str(bundle.folder)]
    words += ["--account", ALICE, "--exchange-key", bundle.key_text, *arguments]
    try:
        code = main(words + ["--json"] * as_json)
    except SystemExit as exit_:
        code = int(str(exit_.code))
    captured = capsys.readouterr()
    assert code == 2
    assert captured.out == ""
    assert captured.err


@pytest.mark.parametrize("account", ["", "alice", "alice@", "a b@c", "@", "a@b@c"])
def test_an_id_of_the_wrong_form_is_usage(bundle, run, account):
    package = bundle.folder.parent / ALICE
    code, _, error = run(
        "inclusion", package, "--bundle", bundle.folder, "--account", account, "--balance", "BTC=1"
    )
    assert code == 2
    assert "no valid email" in error


def test_another_account_is_rejected_without_naming_the_package_s(bundle, run):
    package = bundle.folder.parent / ALICE
    code, lines, _ = run(
        "inclusion", package, "--bundle", bundle.folder, "--account", BOB, "--balance", "BTC=1"
    )
    assert code == 3
    assert lines[-2].startswith("REJECTED package.wrong-account: ")
    assert ALICE not in "".join(lines)


def test_what_cannot_be_read_is_no_verdict(bundle, run, included, tmp_path, capsys):
    for folder in (tmp_path / "nowhere", bundle.folder / "manifest.sig", "http://127.0.0.1:1/"):
        code, lines, _ = run("audit", folder)
        assert code == 1
        assert lines[-2].startswith("NOT CHECKED check.unreadable: ")
        code, lines, _ = run("audit", folder, "--json")
        found = only_json(lines)
        assert (code, found["error"]["code"], found["amounts"]) == (1, "check.unreadable", {})
    code, lines, _ = included(ALICE, "--balance", "BTC=1", package=tmp_path / "nowhere")
    assert code == 1
    assert lines[-2].startswith("NOT CHECKED check.unreadable: the package: ")


def test_where_nothing_is_signed_nothing_is_false(bundle, tmp_path, run):
    """An address that is no bundle's is a slip of whoever typed it, and accuses nobody."""
    for command in ("audit", "solvency"):
        code, lines, _ = run(command, tmp_path)
        assert code == 1
        assert lines[-2].startswith("NOT CHECKED check.no-bundle: manifest.msgpack: ")
    shutil.copy(bundle.folder / "manifest.msgpack", tmp_path)
    code, lines, _ = run("audit", tmp_path, "--json")
    assert (code, only_json(lines)["error"]["code"]) == (1, "check.no-bundle")


def test_the_key_is_text_or_a_file(bundle, capsys, tmp_path):
    def code(key: object) -> int:
        return main(["solvency", str(bundle.folder), "--exchange-key", str(key)])

    assert code(bundle.folder.parent / "exchange.pub") == 0
    assert code(tmp_path / "nowhere") == 1
    assert code(bundle.folder / "manifest.sig") == 2
    assert code(public_key_text(b"\x11" * 32)) == 3
    (tmp_path / "long").write_text(bundle.key_text + "\n" * 2000)
    assert code(tmp_path / "long") == 2


def test_names_from_a_bundle_cannot_move_the_cursor(tmp_path, run):
    mirrored = Bundle(tmp_path / "mirrored", head={"exchange": "\u202eegnahcxE nekarK"})
    code, lines, _ = run("audit", mirrored.folder)
    assert code == 3
    assert lines[-2].startswith("REJECTED manifest.bad-name: ")
    odd = Bundle(tmp_path / "odd")
    for name, shown in (
        ("\x1b[2Jclear", "\\x1b[2Jclear"),
        ("pages\u202e", "pages\\u202e"),
        ("pages\u3164", "pages\\u3164"),
        ("pages\u00a0", "pages\\xa0"),
    ):
        (odd.folder / name).write_bytes(b"")
        code, lines, _ = run("audit", odd.folder)
        assert code == 3
        assert lines[-2].startswith(f"REJECTED bundle.unexpected-file: {shown}: ")
        (odd.folder / name).unlink()


def test_opaque_ids_are_warned_of(tmp_path, run):
    ledger = {"4711": {"BTC": [5], "ETH": []}}
    opaque = Bundle(tmp_path / "opaque", ledger=ledger, id_type="opaque")
    code, _, error = run("solvency", opaque.folder)
    assert code == 0
    assert "opaque" in error
    package = tmp_path / "package"
    package.write_bytes(opaque.package("4711"))
    code, _, error = run(
        "inclusion", package, "--bundle", opaque.folder, "--account", "4711", "--balance", "BTC=0"
    )
    assert code == 0
    assert "opaque" in error


def test_the_chain_of_snapshots(bundle, run, tmp_path):
    head = {"previous": bundle.digest, "snapshot_id": "2024-q2", "time": 1_750_000_000}
    later = Bundle(tmp_path / "later", head=head)
    code, lines, _ = run("solvency", later.folder, "--previous", bundle.folder)
    assert code == 0
    assert "ok   previous manifest" in lines
    code, lines, _ = run("solvency", bundle.folder, "--previous", later.folder)
    assert code == 3
    assert lines[-2].startswith("REJECTED manifest.broken-chain: ")


def test_ratio_and_units_of_the_user(bundle, run, tmp_path):
    code, lines, _ = run("solvency", bundle.folder, "--ratio", "21/20")
    assert code == 3
    assert lines[-2].startswith("REJECTED manifest.ratio-below-policy: manifest, BTC: ")
    assert run("solvency", bundle.folder, "--ratio", "19/20")[0] == 0
    unit = f"OWN=ethereum:0x{'11' * 20}:6"
    assert run("solvency", bundle.folder, "--unit", unit, "--strict-units")[0] == 0
    code, _, error = run("solvency", bundle.folder, "--unit", unit.replace("OWN", "ETH"))
    assert (code, error.splitlines()[-1]) == (
        2,
        "assay-verify: units: ETH on ethereum is known to be something else",
    )


def test_lists_of_units_of_the_user(bundle, run, included, tmp_path):
    tokens = [
        {"chainId": 1, "address": "0x" + "11" * 20, "symbol": "OWN", "decimals": 6},
        {"chainId": 7, "address": "0x" + "11" * 20, "symbol": "OWN", "decimals": 6},
    ]
    tokenlist, csv = tmp_path / "own.tokenlist.json", tmp_path / "own.csv"
    tokenlist.write_text(json.dumps({"tokens": tokens}))
    header = "code,chain,contract,decimals\n"
    csv.write_text(f"{header}TWO,ethereum,0x{'22' * 20},6\n")
    lists = ("--units", tokenlist, "--units", csv)
    said = (
        f"assay-verify: warning: {tokenlist}: left out 1 of chains that this version does not know"
    )
    for command in ("audit", "solvency"):
        code, lines, error = run(command, bundle.folder, *lists, "--strict-units")
        assert (code, error.splitlines()) == (0, [said])
    assert said in included(ALICE, "--balance", "BTC=1", "--only", *lists)[2].splitlines()

    csv.write_text(f"{header}OWN,ethereum,0x{'11' * 20},7\n")
    code, _, error = run("audit", bundle.folder, *lists)
    assert (code, error.splitlines()[-1]) == (
        2,
        "assay-verify: units: OWN on ethereum is named in two ways",
    )
    csv.write_text(f"{header}ETH,ethereum,0x{'11' * 20},18\n")
    code, _, error = run("audit", bundle.folder, "--units", csv)
    assert code == 2
    assert error.startswith(
        f"assay-verify: {csv}: line 2: ETH on ethereum is known to be something"
    )
    code, lines, _ = run("audit", bundle.folder, "--units", tmp_path / "absent.csv")
    assert code == 1
    assert lines[0].startswith("NOT CHECKED check.unreadable: the list of units: ")


def test_what_a_code_stands_for(capsys, tmp_path):
    def shown(*words: object) -> tuple[int, str]:
        code = main(["units", "show", *map(str, words)])
        return code, capsys.readouterr().out

    code, text = shown("USDCE")
    assert code == 0
    assert "USDCE on polygon: 0x2791Bca1f2de4661ED88A30C99A7a9449Aa84174, 6 decimals" in text
    assert "bridged" in text
    assert shown("KAS") == (0, "KAS: this verifier does not know what it stands for\n")
    own = tmp_path / "own.csv"
    own.write_text(f"code,chain,contract,decimals\nUSDCE,base,0x{'11' * 20},6\n")
    found = json.loads(shown("USDCE", "--units", own, "--json")[1])
    assert found["code"] == "USDCE"
    kinds = {unit["chain"]: (unit["kind"], unit["reason"]) for unit in found["units"]}
    assert kinds["base"] == ("named", str(own))
    assert kinds["polygon"][0] == "bridged"
    (shib, *_) = [u for u in json.loads(shown("SHIB", "--json")[1])["units"] if u["chain"] == "bsc"]
    assert shib["kind"] == "unconfirmed"
    assert "counts as unknown" in shown("SHIB")[1]
    with pytest.raises(SystemExit, match="2"):
        main(["units", "show", "usdt"])


def program(*arguments: object, **options: Any) -> subprocess.Popen[bytes]:
    words = [sys.executable, "-m", "verifier.commands.cli", *map(str, arguments)]
    return subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **options)


def test_the_program_exits_with_the_code(bundle, tmp_path):
    key = ("--exchange-key", bundle.key_text)
    accepted = program("audit", bundle.folder, *key)
    out, error = accepted.communicate(timeout=60)
    assert (accepted.returncode, error) == (0, b"")
    assert out.decode().splitlines()[-1] == LAST_LINE
    usage = program("audit")
    assert usage.communicate(timeout=60)[0] == b""
    assert usage.returncode == 2


def test_a_reader_that_goes_away_is_no_crash(bundle):
    process = program("audit", bundle.folder, "--exchange-key", bundle.key_text, "--json")
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.close()
    error = process.stderr.read()
    process.stderr.close()
    assert process.wait(timeout=60) == 1
    assert error == b""


@pytest.fixture(scope="module")
def large(tmp_path_factory):
    return Bundle(
        tmp_path_factory.mktemp("large") / "bundle",
        capacities={"BTC": 256, "ETH": 1},
        page_size=4096,
    )


def test_progress_on_a_terminal_and_an_interrupt(large):
    """The user sees how far it is; Ctrl-C ends it at once and cleanly."""
    terminal, end = pty.openpty()
    words = [
        sys.executable,
        "-m",
        "verifier.commands.cli",
        "audit",
        str(large.folder),
        "--jobs",
        "1",
    ]
    words += ["--exchange-key", large.key_text]
    process = subprocess.Popen(
        words,
        stdout=subprocess.PIPE,
        stderr=end,
        stdin=subprocess.DEVNULL,
        env=os.environ | {"ASSAY_KERNEL": "portable"},  # or it might be done before it tells
    )
    os.close(end)
    seen = b""
    while not re.search(rb"\d+ %  [\d,]+ entries/s  [\d,]+ s left", seen):
        seen += os.read(terminal, 4096)
    process.send_signal(signal.SIGINT)
    out, _ = process.communicate(timeout=60)
    rest = os.read(terminal, 4096)
    os.close(terminal)
    assert process.returncode == 130
    assert b"Traceback" not in seen + rest
    assert b"ACCEPTED" not in out


@pytest.fixture(scope="module")
def served(bundle, tmp_path_factory) -> Iterator[tuple[str, Path]]:
    """The bundle's address at a service, and the folder that is served there."""
    folder = tmp_path_factory.mktemp("service")
    published = folder / "published/snapshots/one"
    shutil.copytree(bundle.folder, published)
    with running(folder) as service:
        yield f"http://127.0.0.1:{service.port}/snapshots/one", published


def test_a_bundle_over_http(bundle, run, served):
    url, _ = served
    assert run("audit", url)[1][-1] == LAST_LINE
    assert run("solvency", url + "/")[0] == 0
    package = bundle.folder.parent / ALICE
    code, lines, _ = run(
        "inclusion", package, "--bundle", url, "--account", ALICE, "--balance", "BTC=1.5", "--only"
    )
    assert code == 0
    assert "BTC: you typed 1.5, counted 1.5" in lines
    code, lines, _ = run("audit", url + "/nowhere")
    assert code == 1
    assert lines[-2].startswith("NOT CHECKED check.no-bundle: manifest.msgpack: ")


def test_a_missing_page_file_over_http(run, served):
    url, folder = served
    path = folder / "pages/ETH/0"
    kept = path.with_name("kept")
    path.rename(kept)
    try:
        code, lines, _ = run("audit", url)
    finally:
        kept.rename(path)
    assert code == 3
    assert lines[-2].startswith("REJECTED bundle.missing-file: pages/ETH/0: ")
    assert "ok   tree of BTC: leaves 32, pages 3" in lines


def test_the_light_check_reads_a_small_part_of_the_bundle(large):
    """Only the pages on the paths of two parts, of 262."""
    from verifier import check_inclusion
    from verifier.bundle.source import FolderSource

    read = 0
    honest = FolderSource.read_range

    def counting(self: FolderSource, path: str, offset: int, length: int) -> bytes:
        nonlocal read
        read += length
        return honest(self, path, offset, length)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(FolderSource, "read_range", counting)
        package = large.package(ALICE)
        check_inclusion(package, large.folder, large.key, ALICE, {"BTC": "1.5"}, only=True)
    total = sum(path.stat().st_size for path in large.folder.rglob("*") if path.is_file())
    assert read < total / 20


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-1, "dated in the future"),
        (3599, "0 hours old"),
        (2 * 86400 - 1, "47 hours old"),
        (2 * 86400, "2 days old"),
        (86400 * 12_345, "12,345 days old"),
    ],
)
def test_age(seconds, text):
    assert output._age(seconds) == text
