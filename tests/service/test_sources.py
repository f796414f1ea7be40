"""From a source and a request to the prover's TOML, and the files that it asks for."""

from __future__ import annotations

from pathlib import Path

import pytest

from api.errors import EvidenceRefused, NotComplete
from api.snapshots.folder import ServedFolder
from api.snapshots.sources import (
    Block,
    FileKind,
    NewSnapshot,
    Slot,
    compose,
    read_draft,
    slots,
)
from api.snapshots.states import State
from api.snapshots.uploads import accept
from prover.errors import ProverError
from prover.files.keys import make_keys
from prover.snapshot.make import discard_evidence
from tests.support.dying_service import Service
from tests.support.exchange_files import edit
from tests.support.served_exchange import LATER, TIME, make_exchange, request
from verifier.format.keys import parse_public_key
from verifier.format.wire import Ratio
from verifier.verify import audit

HIDDEN = '[[hidden]]\nasset = "ETH"\nset = "eth.set"\nopening = "eth.opening"\n'


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return make_exchange(tmp_path / "exchange", accounts=2).source


def test_paths_lead_to_the_source_or_to_uploads(source: Path, tmp_path: Path) -> None:
    folder = tmp_path / "elsewhere" / "one"
    folder.mkdir(parents=True)
    edit(source, 'code = "ETH"\n', 'code = "ETH"\nproofs = ["a.proof", "b.proof"]\n')
    source.write_text(source.read_text() + HIDDEN)
    ServedFolder(folder).draft.write_text(
        compose(source, request("one"), ServedFolder(folder)).text
    )
    config = read_draft(ServedFolder(folder))
    assert (config.snapshot_id, config.time) == ("one", TIME)
    assert config.signing_key == source.parent / "signing.pem"
    assert config.ledger.path == source.parent / "ledger.csv"  # type: ignore[union-attr]
    assert config.evidence == (ServedFolder(folder).uploads / "wallets.csv",)
    assert slots(config) == {
        "wallets.csv": Slot("wallets.csv", FileKind.LIST, ""),
        "a.proof": Slot("a.proof", FileKind.PROOF, "ETH"),
        "b.proof": Slot("b.proof", FileKind.PROOF, "ETH"),
        "eth.set": Slot("eth.set", FileKind.HIDDEN_SET, "ETH"),
        "eth.opening": Slot("eth.opening", FileKind.HIDDEN_OPENING, "ETH"),
    }


@pytest.mark.parametrize("name", ["assets.csv", "list.jsonl"])
def test_a_draft_keeps_its_own_list_of_assets(tmp_path: Path, name: str) -> None:
    exchange = make_exchange(tmp_path / "exchange", accounts=2)
    source, listed = exchange.source, exchange.folder / name
    toml = source.read_text().partition("[[assets]]")[0]
    source.write_text(f'{toml}[assets]\nfrom = "{name}"\n')

    def write(*rows: tuple[str, str]) -> None:
        if listed.suffix == ".jsonl":
            row = '{"code": "%s", "decimals": "6", "ratio": "%s", "chain": "ethereum"}\n'
            listed.write_text("".join(row % each for each in rows))
        else:
            text = "".join(f"{code},6,{ratio},ethereum\n" for code, ratio in rows)
            listed.write_text(f"code,decimals,ratio,chain\n{text}")

    write(("ETH", "1/1"), ("USDT", "1/1"))
    with Service(tmp_path / "service", f"sqlite:///{tmp_path / 'database'}") as service:
        folder = service.draft(exchange)
        drafted = read_draft(ServedFolder(folder))
        assert [(asset.code, asset.ratio) for asset in drafted.assets] == [
            ("ETH", Ratio(1, 1)),
            ("USDT", Ratio(1, 1)),
        ]
        write(("ETH", "1/4000000000"))
        assert read_draft(ServedFolder(folder)) == drafted
        listed.unlink()
        assert read_draft(ServedFolder(folder)) == drafted
        service.operations.start("one")
        with service.working():
            assert service.rest().state is State.PROVEN
        report = audit(folder / "public", parse_public_key(exchange.key))
        assert [asset.code for asset in report.manifest.assets] == ["ETH", "USDT"]
        with pytest.raises(ProverError, match=f"{name}: No such file"):
            compose(source, request("two"), ServedFolder(tmp_path / "two"))


@pytest.mark.parametrize(
    "name", ["../a.csv", "/a.csv", "a/b.csv", "", ".", "..", "a b", "a\\nb", "ü"]
)
def test_uploads_have_plain_names(source: Path, tmp_path: Path, name: str) -> None:
    edit(source, '"wallets.csv"', f'"{name}"')
    with pytest.raises(ProverError, match="plain name"):
        compose(source, request("one"), ServedFolder(tmp_path))


@pytest.mark.parametrize(
    "line", ['snapshot_id = "x"', "time = 2026-01-01T00:00:00Z", "chains = {}", "more = 1"]
)
def test_what_comes_with_requests_is_not_in_sources(
    source: Path, tmp_path: Path, line: str
) -> None:
    source.write_text(f"{line}\n{source.read_text()}")
    with pytest.raises(ProverError, match=line.split()[0]):
        compose(source, request("one"), ServedFolder(tmp_path))


@pytest.mark.parametrize("previous", ["first = true", 'manifest = "x"'])
def test_the_predecessor_is_not_in_sources(source: Path, tmp_path: Path, previous: str) -> None:
    source.write_text(f"{source.read_text()}[previous]\n{previous}\n")
    with pytest.raises(ProverError, match="old_signing alone"):
        compose(source, request("one"), ServedFolder(tmp_path))


def test_one_name_is_one_kind_of_file(source: Path, tmp_path: Path) -> None:
    source.write_text(source.read_text() + HIDDEN.replace("eth.opening", "wallets.csv"))
    with pytest.raises(ProverError, match=r"wallets\.csv: named as a hidden-opening and as a list"):
        compose(source, request("one"), ServedFolder(tmp_path))


def test_values_of_requests_stay_values(source: Path, tmp_path: Path) -> None:
    hostile = 'x"\n[keys]\nsigning = "/etc/passwd"\n#'
    for asked in (
        NewSnapshot(hostile, TIME, request("one").blocks),
        NewSnapshot("one", TIME, {hostile: Block(7, "ab" * 32)}),
        NewSnapshot("one", TIME, {"ethereum": Block(7, hostile)}),
    ):
        with pytest.raises(ProverError, match=r"snapshot_id|chain"):
            compose(source, asked, ServedFolder(tmp_path))


def test_every_kind_of_file_is_parsed_before_it_stands(tmp_path: Path) -> None:
    exchange = make_exchange(tmp_path / "exchange", accounts=2)
    files = 'code = "ETH"\nproofs = ["eth.proof"]\ncoins = ["eth.coins"]\n'
    edit(exchange.source, 'code = "ETH"\n', files)
    exchange.source.write_text(exchange.source.read_text() + HIDDEN)
    coins = b"address,txid,index,amount\na,%s,0,1\n"
    with Service(tmp_path / "service", f"sqlite:///{tmp_path / 'database'}") as service:
        folder = service.draft(exchange)
        asked = slots(read_draft(ServedFolder(folder)))
        for name, data, rule in (
            ("eth.proof", b"\x80", "eth.proof: not a file of proofs"),
            ("eth.coins", coins % b"xx", "eth.coins: row 2, column txid: not 64"),
            ("eth.set", b"\x80", "eth.set: not a set of hidden keys"),
            ("eth.opening", b"", "eth.opening: not a opening"),
        ):
            file = tmp_path / name
            file.write_bytes(data)
            with pytest.raises(EvidenceRefused) as wrong:
                accept(service.database, "one", ServedFolder(folder), file, asked[name])
            assert str(wrong.value).startswith(rule)
            assert not (ServedFolder(folder).uploads / name).exists()
        file = tmp_path / "eth.coins"
        file.write_bytes(coins % (b"ab" * 32))
        accept(service.database, "one", ServedFolder(folder), file, asked["eth.coins"])
        assert (ServedFolder(folder).uploads / "eth.coins").read_bytes() == coins % (b"ab" * 32)
        with pytest.raises(NotComplete) as refused:
            service.operations.start("one")
        absent = "No such file or directory (unreadable); it is"
        assert refused.value.missing == (
            f"eth.proof: {absent} a proof of ETH",
            f"eth.set: {absent} a set of hidden keys of ETH",
            f"eth.opening: {absent} the opening of a set of hidden keys of ETH",
        )


def test_evidence_is_not_changed_once_it_was_signed(tmp_path: Path) -> None:
    """The worker dies after the manifest was signed and before the bundle stands."""
    exchange = make_exchange(tmp_path / "exchange", accounts=2)
    with Service(tmp_path / "service", f"sqlite:///{tmp_path / 'database'}") as service:
        folder = service.draft(exchange)
        service.operations.start("one")
        with service.working():
            assert service.rest().state is State.PROVEN
        config = read_draft(ServedFolder(folder))
        (folder / "public").rename(folder / "public.partial")
        with pytest.raises(ProverError, match="was signed"):
            discard_evidence(config, folder)
        assert (folder / "private" / "evidence").exists()


def test_a_new_key_is_introduced_by_the_old_one(tmp_path: Path) -> None:
    exchange = make_exchange(tmp_path / "exchange")
    database = f"sqlite:///{tmp_path / 'database'}"
    with Service(tmp_path / "service", database) as service, service.working():

        def publish(snapshot_id: str, time: int) -> str:
            folder = service.draft(exchange, snapshot_id, time=time)
            service.operations.start(snapshot_id)
            assert service.rest(snapshot_id).state is State.PROVEN
            service.operations.publish(snapshot_id)
            assert service.rest(snapshot_id).state is State.PUBLISHED
            return (folder / "snapshot.toml").read_text()

        publish("one", TIME)
        make_keys(tmp_path / "new")
        new = tmp_path / "new" / "signing.pem"
        edit(exchange.source, '"signing.pem"', f'"{new}"')
        source = exchange.source.read_text()
        exchange.source.write_text(source + '[previous]\nold_signing = "signing.pem"\n')
        assert "old_signing" in publish("two", LATER)
        # The source still names the old key, which is of no use any more.
        assert "old_signing" not in publish("three", 2 * LATER - TIME)
    key = parse_public_key((tmp_path / "new" / "exchange.pub").read_text().strip())
    bundles = service.settings.published / "snapshots"
    for name in ("two", "three"):
        audit(bundles / name, key)


def test_a_damaged_history_is_not_taken_for_none(tmp_path: Path) -> None:
    with Service(tmp_path / "service", f"sqlite:///{tmp_path / 'database'}") as service:
        exchange = make_exchange(tmp_path / "other", accounts=2)
        service.draft(exchange)
        service.settings.published.mkdir(parents=True)
        (service.settings.published / "history.json").write_text("{}")
        with pytest.raises(ProverError, match="history"):
            service.operations.start("one")
        assert service.operations.find("one").state is State.DRAFT
