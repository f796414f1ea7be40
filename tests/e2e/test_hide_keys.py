"""Hidden keys from the offline machine to the audit: `hide-keys`, `prove`, both verifiers."""

from __future__ import annotations

import json
import stat
from collections.abc import Sequence
from pathlib import Path
from random import Random

import pytest
from coincurve import PrivateKey

import verifier
from prover.assets.hidden import Opening
from prover.errors import AssetsShort
from prover.progress import Silent
from prover.snapshot.make import make_snapshot
from spec import reference
from tests.support.exchange_files import LONG, Assay, edit, files, own_exchange, public_key
from verifier.format import wire

KEYS = 20
OWNED = 7


@pytest.fixture
def assay(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Assay:
    return Assay(monkeypatch, capsys)


class Exchange:
    """An exchange that owes more than it discloses, with a list of keys of which it has some."""

    def __init__(self, folder: Path, assay: Assay, owed: int = 50) -> None:
        self.folder, self.assay = folder, assay
        self.config = own_exchange(
            folder, LONG, {"BTC": 10, "ETH": 10}, decimals={"BTC": 0, "ETH": 0}
        )
        (folder / "ledger.csv").write_text(f"id,code,amount\nann,BTC,{owed}\nbob,ETH,{owed}\n")
        self.announcement = folder / "announcement"
        assert assay("challenge", self.config, "--announcement", self.announcement)[0] == 0
        random = Random(5)
        self.secrets = [random.randbytes(32) for _ in range(KEYS)]
        self.public = [PrivateKey(secret).public_key.format() for secret in self.secrets]

    def list_of(self, name: str, each: int, indices: Sequence[int] = range(KEYS)) -> Path:
        path = self.folder / name
        rows = [(self.public[at].hex(), each) for at in indices]
        if path.suffix == ".jsonl":
            lines = [json.dumps({"public_key": key, "amount": amount}) for key, amount in rows]
        else:
            lines = ["amount,public_key", *(f"{amount},{key}" for key, amount in rows)]
        path.write_text("\n".join(lines) + "\n")
        return path

    def private(self, name: str, indices: Sequence[int] = range(OWNED)) -> Path:
        path = self.folder / name
        path.write_text("".join(f"{self.secrets[at].hex()}\n" for at in indices))
        path.chmod(0o600)
        return path

    def hide(self, code: str, listed: Path, private: Path, name: str = "") -> tuple[int, str, str]:
        chain, types = {"BTC": ("bitcoin", "p2wpkh,p2pkh"), "ETH": ("ethereum", "account")}[code]
        name = name or code
        place = ("--asset", code, "--chain", chain, "--scripts", types)
        made = ("--out", self.folder / f"{name}.set", "--opening", self.folder / f"{name}.opening")
        return self.assay("hide-keys", self.announcement, listed, private, *made, *place)

    def attach(self, code: str, name: str = "") -> None:
        name = name or code
        section = f'[[hidden]]\nasset = "{code}"\nset = "{name}.set"\nopening = "{name}.opening"\n'
        self.config.write_text(self.config.read_text(encoding="utf-8") + section, encoding="utf-8")

    def hidden_both(self) -> None:
        """Hide seven keys of eight coins among twenty, of either asset."""
        private = self.private("private")
        assert self.hide("BTC", self.list_of("btc.csv", 8 * 10**8), private)[0] == 0
        assert self.hide("ETH", self.list_of("eth.jsonl", 8 * 10**18), private)[0] == 0
        self.attach("BTC")
        self.attach("ETH")


def test_hidden_and_disclosed_coins_cover_together(tmp_path: Path, assay: Assay) -> None:
    exchange = Exchange(tmp_path, assay)
    code, out, err = exchange.hide(
        "BTC", exchange.list_of("btc.csv", 8 * 10**8), exchange.private("private")
    )
    assert (code, err) == (0, "")
    assert f"among {KEYS}" in out
    opening = tmp_path / "BTC.opening"
    assert stat.S_IMODE(opening.stat().st_mode) == 0o600
    assert wire.read_record(Opening, opening.read_bytes()).units == 8 * OWNED
    code, out, err = exchange.hide(
        "ETH", exchange.list_of("eth.jsonl", 8 * 10**18), exchange.private("private")
    )
    assert code == 0
    exchange.attach("BTC")
    exchange.attach("ETH")
    code, out, err = assay("prove", exchange.config, "--out", tmp_path / "out", "--json")
    assert (code, err) == (0, "")
    bundle, key = Path(json.loads(out)["bundle"]), public_key(exchange.config)
    report = verifier.audit(bundle, key)
    for asset in report.assets:
        (hidden,) = asset.hidden
        assert (hidden.keys, hidden.units, hidden.level) == (KEYS, 8 * KEYS, "claimed")
        assert asset.disclosed == {"claimed": 10}
    reference.audit(bundle, key)
    kept = b"".join(files(tmp_path / "out").values())
    for secret in exchange.secrets:
        assert secret not in kept
        assert secret.hex().encode() not in kept
    assert assay("prove", exchange.config, "--out", tmp_path / "out")[0] == 0


def test_a_run_that_was_interrupted_needs_set_and_opening_no_more(
    tmp_path: Path, assay: Assay
) -> None:
    exchange = Exchange(tmp_path, assay)
    exchange.hidden_both()

    class Stop(Exception):
        pass

    class Stopping(Silent):
        def stage(self, name: str, total: int | None) -> None:
            if name.startswith("proving"):
                raise Stop

    with pytest.raises(Stop):
        make_snapshot(exchange.config, tmp_path / "out", progress=Stopping())
    for name in ("BTC.set", "BTC.opening", "ETH.set", "ETH.opening"):
        (tmp_path / name).unlink()
    bundle = make_snapshot(exchange.config, tmp_path / "out").bundle
    verifier.audit(bundle, public_key(exchange.config))


def test_keys_that_are_not_owned_do_not_count(tmp_path: Path, assay: Assay) -> None:
    exchange = Exchange(tmp_path, assay, owed=10 + 8 * OWNED + 1)
    exchange.hidden_both()
    with pytest.raises(AssetsShort, match="BTC by 1, ETH by 1"):
        make_snapshot(exchange.config, tmp_path / "out")


def test_a_set_is_made_once(tmp_path: Path, assay: Assay) -> None:
    exchange = Exchange(tmp_path, assay)
    listed, private = exchange.list_of("btc.csv", 10**8), exchange.private("private")
    assert exchange.hide("BTC", listed, private)[0] == 0
    before = files(tmp_path)
    code, _, err = exchange.hide("BTC", listed, private)
    assert code == 1
    assert "never overwritten" in err
    (tmp_path / "BTC.set").unlink()
    assert exchange.hide("BTC", listed, private)[0] == 1
    assert files(tmp_path) == {name: data for name, data in before.items() if name != "BTC.set"}


def test_an_opening_of_a_set_that_cannot_be_written_is_not_left(
    tmp_path: Path, assay: Assay
) -> None:
    exchange = Exchange(tmp_path, assay)
    listed, private = exchange.list_of("btc.csv", 10**8), exchange.private("private")
    (tmp_path / "BTC.set").symlink_to(tmp_path / "absent")
    before = {path.name for path in tmp_path.iterdir()}
    code, _, err = exchange.hide("BTC", listed, private)
    assert (code, f"{tmp_path / 'BTC.set'}: File exists" in err) == (1, True)
    assert {path.name for path in tmp_path.iterdir()} == before


@pytest.mark.parametrize("sharing", ["both", "opposite"])
def test_a_key_counts_in_one_set(tmp_path: Path, assay: Assay, sharing: str) -> None:
    exchange = Exchange(tmp_path, assay)
    private = exchange.private("private", range(5))
    assert exchange.hide("BTC", exchange.list_of("a.csv", 10**8, range(10)), private, "a")[0] == 0
    listed = exchange.list_of("b.csv", 10**8, range(9, KEYS))
    if sharing == "opposite":
        key = exchange.public[9]
        edit(listed, key.hex(), (bytes([key[0] ^ 1]) + key[1:]).hex())
    private = exchange.private("private", [12])
    assert exchange.hide("BTC", listed, private, "b")[0] == 0
    exchange.attach("BTC", "a")
    exchange.attach("BTC", "b")
    code, _, err = assay("prove", exchange.config, "--out", tmp_path / "out")
    assert code == 1
    assert "evidence.duplicate-address: BTC, hidden set 1" in err


def test_a_disclosed_owner_is_no_hidden_key(tmp_path: Path, assay: Assay) -> None:
    exchange = Exchange(tmp_path, assay)
    exchange.secrets[3] = bytes([2]) * 32  # what signs for the disclosed row of ETH
    exchange.public[3] = PrivateKey(exchange.secrets[3]).public_key.format()
    private = exchange.private("private")
    assert exchange.hide("ETH", exchange.list_of("eth.csv", 10**18), private)[0] == 0
    exchange.attach("ETH")
    code, _, err = assay("prove", exchange.config, "--out", tmp_path / "out")
    assert code == 1
    assert "evidence.duplicate-address: ETH, hidden set 0" in err


def test_another_opening_or_snapshot_is_refused(tmp_path: Path, assay: Assay) -> None:
    exchange = Exchange(tmp_path, assay)
    listed, private = exchange.list_of("btc.csv", 10**8), exchange.private("private")
    assert exchange.hide("BTC", listed, private, "BTC")[0] == 0
    assert exchange.hide("BTC", listed, private, "other")[0] == 0
    exchange.attach("BTC")
    (tmp_path / "BTC.opening").write_bytes((tmp_path / "other.opening").read_bytes())
    code, _, err = assay("prove", exchange.config, "--out", tmp_path / "out")
    assert code == 1
    assert "not the opening of" in err
    (tmp_path / "BTC.set").write_bytes((tmp_path / "other.set").read_bytes())
    edit(exchange.config, 'snapshot_id = "one"', 'snapshot_id = "two"')
    (tmp_path / "evidence.csv").write_text("asset,chain,address,amount\n")
    code, _, err = assay("prove", exchange.config, "--out", tmp_path / "again")
    assert code == 1
    assert "argument.rejected: BTC, hidden set 0" in err


def test_what_is_wrong_with_private_keys_is_named(tmp_path: Path, assay: Assay) -> None:
    exchange = Exchange(tmp_path, assay)
    listed = exchange.list_of("btc.csv", 10**8, range(1, KEYS))

    def refused(text: str, mode: int = 0o600) -> str:
        path = tmp_path / "keys"
        path.unlink(missing_ok=True)
        path.write_text(text)
        path.chmod(mode)
        code, out, err = exchange.hide("BTC", listed, path)
        assert (code, out) == (1, "")
        assert not (tmp_path / "BTC.set").exists()
        assert not (tmp_path / "BTC.opening").exists()
        return err

    first, second = exchange.secrets[1].hex(), exchange.secrets[2].hex()
    assert "owner's alone" in refused(f"{first}\n", 0o640)
    assert "line 2: not the private key of a key of the list" in refused(
        f"{first}\n{exchange.secrets[0].hex()}\n"
    )
    assert "line 3: the key of line 1" in refused(f"{first}\n{second}\n{first}\n")
    assert "line 2: not 64 hex digits" in refused(f"{first}\n{second[:-1]}g\n")
    assert "line 1: not a private key" in refused("00" * 32 + "\n")
    assert "line 1: not a private key" in refused("ff" * 32 + "\n")
    assert "not lines of 64 hex digits" in refused(f"{first}\r\n{second}\n")
    assert "not lines of 64 hex digits" in refused(f"{first}\n{second}\n\n")
    assert "private keys" in refused("")
    for text in (f"{first}\n{exchange.secrets[0].hex()}\n", f"{first}\n{second[:-1]}g\n"):
        message = refused(text)
        assert first not in message
        assert second[:-1] not in message


def test_what_is_wrong_with_a_list_is_named(tmp_path: Path, assay: Assay) -> None:
    exchange = Exchange(tmp_path, assay)
    private = exchange.private("private")
    good = exchange.public[0].hex()

    def refused(text: str, name: str = "list.csv") -> str:
        (tmp_path / name).write_text(text)
        code, out, err = exchange.hide("BTC", tmp_path / name, private)
        assert (code, out) == (1, "")
        return err

    head = "public_key,amount\n"
    assert "no keys" in refused(head)
    assert "row 1: the columns are" in refused("key,amount\n")
    assert "row 3: 1 columns" in refused(f"{head}{good},1\nx\n")
    assert "row 2: column public_key: not 66" in refused(f"{head}04{good[2:]},1\n")
    assert "row 2: column public_key: not 66" in refused(f"{head}{good[:-1]},1\n")
    assert "row 2: column public_key: no point" in refused(f"{head}02{'00' * 31}05,1\n")
    assert "row 2: column amount" in refused(f"{head}{good},-1\n")
    assert "row 2: column amount" in refused(f"{head}{good},{2**128}\n")
    opposite = ("02" if good.startswith("03") else "03") + good[2:]
    assert "is in row" in refused(f"{head}{good},1\n{opposite},1\n")
    assert "row 1: not an object" in refused('{"public_key": "x"}\n', "list.jsonl")
    assert "row 1: not an object" in refused("[[[\n", "list.jsonl")
    twice = '{"public_key": "x", "amount": 1, "amount": 2}\n'
    assert "a key occurs twice" in refused(twice, "list.jsonl")
