"""Many assets: from a CSV, from the ledger's own codes, and codes that are skipped or renamed."""

from __future__ import annotations

import os
import resource
from collections import Counter
from pathlib import Path
from random import Random

import pytest

from prover.config.snapshot_toml import (
    SnapshotConfig,
    SplitPolicy,
    most_manifest_bytes,
    parse_config,
)
from prover.errors import ProverError
from prover.ledger import csv_source
from prover.ledger.asset import LedgerAsset
from prover.ledger.errors import LedgerError
from prover.ledger.gather import read_ledger
from prover.ledger.ledger import Ledger
from prover.ledger.source import CsvSource, LongColumns
from verifier.format.account import MAX_NAME_BYTES, IdType
from verifier.format.chains import CHAINS
from verifier.format.params import (
    ARGUMENT_VERSION,
    MAX_CAPACITY,
    MAX_HEIGHT,
    MAX_RATIO_TERM,
    MAX_TIME,
    PROTOCOL_VERSION,
)
from verifier.format.units import known_unit
from verifier.format.wire import Asset, Chain, Manifest, Ratio, Rotation, Unit, write_record
from verifier.ownership.families.evm import account_text

HASH = "11" * 32
KAS = account_text(b"\xab" * 20)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "ledger.csv").write_text("id,code,amount\nann,BTC,1\nann,USDT,2\nbob,EUR,3\n")
    return tmp_path


def parse(folder: Path, assets: str, ledger: str = "", chains: str = "") -> SnapshotConfig:
    blocks = "".join(
        f'[chains.{name}]\nheight = 1\nhash = "{HASH}"\n' for name in chains.split() if name
    )
    text = f"""
exchange = "Example Exchange"
snapshot_id = "one"
time = 2026-11-21T00:00:00Z
account_id_type = "opaque"
[keys]
signing = "signing.pem"
master = "master.key"
[previous]
first = true
[ledger]
format = "csv"
path = "ledger.csv"
layout = "long"
{ledger}
[ledger.columns]
account = "id"
asset = "code"
balance = "amount"
{blocks}
{assets}
[[evidence]]
path = "evidence.csv"
"""
    return parse_config(folder / "snapshot.toml", text.encode())


def listed(folder: Path, rows: str, more: str = "", chains: str = "ethereum bsc") -> SnapshotConfig:
    (folder / "assets.csv").write_text(rows)
    return parse(folder, f'[assets]\nfrom = "assets.csv"\n{more}', chains=chains)


HEADER = "code,decimals,ratio,capacity,chain,contract,unit_decimals\n"


def test_a_list_says_what_tables_say(folder: Path) -> None:
    rows = f"{HEADER}USDT,6,11/10,20,ethereum,,\nKAS,8,,auto,ethereum,{KAS},18\nUSDT,,,,bsc,,\n"
    kas, usdt = listed(folder, rows).assets
    assert (kas.code, kas.decimals, kas.ratio, kas.capacity) == ("KAS", 8, Ratio(1, 1), None)
    assert kas.units == (Unit("ethereum", KAS, 18),)
    assert (usdt.decimals, usdt.ratio, usdt.capacity) == (6, Ratio(10, 11), 20)
    known = [known_unit("USDT", chain) for chain in ("bsc", "ethereum")]
    assert [(unit.chain, unit.contract, unit.decimals) for unit in usdt.units] == [
        (unit.chain, unit.contract, unit.decimals) for unit in known if unit is not None
    ]


def test_what_a_list_does_not_say_stands_beside_it(folder: Path) -> None:
    rows = "code,decimals,chain\nUSDT,6,ethereum\nETH,8,ethereum\n"
    more = '[assets.ETH]\nproofs = ["eth.proof"]\nsplit = { least = 2, most = 4 }\n'
    eth, usdt = listed(folder, rows, more).assets
    assert eth.proofs == (folder / "eth.proof",)
    assert (eth.split, usdt.split) == (SplitPolicy(2, 4), SplitPolicy(1, 3))
    with pytest.raises(ProverError, match=r"assets.BTC: .*assets.csv does not list it"):
        listed(folder, rows, "[assets.BTC]\ncoins = []\n")
    with pytest.raises(ProverError, match=r"assets.ETH.decimals: unknown key"):
        listed(folder, rows, "[assets.ETH]\ndecimals = 8\n")


def test_a_list_is_a_part_of_what_a_run_may_not_change(folder: Path) -> None:
    rows = "code,decimals,chain\nUSDT,6,ethereum\n"
    one = listed(folder, rows)
    two = listed(folder, rows.replace(",6,", ",2,"))
    assert one.stated != two.stated
    assert one.stated == listed(folder, rows).stated


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ("code,chain\n", "row 1: the columns are code, decimals"),
        ("code,decimals,chain,x\n", "row 1: the columns are code, decimals"),
        ("code,decimals,chain\nUSDT,6\n", "row 2: 2 columns instead of 3"),
        ("code,decimals,chain\n,6,ethereum\n", "row 2, column code: missing"),
        ("code,decimals,chain\nusdt,6,ethereum\n", "row 2, column code: an asset code is"),
        ("code,decimals,chain\nUSDT,,ethereum\n", "row 2, column decimals: missing"),
        ("code,decimals,chain\nUSDT,six,ethereum\n", "row 2, column decimals: must be a whole"),
        ("code,decimals,chain\nUSDT,-6,ethereum\n", "row 2, column decimals: must be a whole"),
        ("code,decimals,chain\nUSDT,19,ethereum\n", "row 2, column decimals: ledger decimals"),
        ("code,decimals,chain\nUSDT,6,\n", "row 2, column chain: missing"),
        ("code,decimals,chain\nUSDT,6,moon\n", "row 2, column chain: nothing can prove"),
        ("code,decimals,chain\nKAS,6,ethereum\n", "row 2, column contract: the verifier's table"),
        (f"{HEADER}KAS,8,,,ethereum,{KAS},\n", "row 2, column unit_decimals: the verifier's"),
        (f"{HEADER}KAS,8,,,ethereum,{KAS},6\n", "row 2, column unit_decimals: must be at least"),
        (f"{HEADER}KAS,8,,,ethereum,{KAS.lower()},8\n", "row 2, column contract: "),
        (f"{HEADER}KAS,8,1.1,,ethereum,{KAS},8\n", "row 2, column ratio: must be"),
        (f"{HEADER}KAS,8,,0,ethereum,{KAS},8\n", "row 2, column capacity: must be"),
        (
            "code,decimals,chain\nUSDT,6,ethereum\nUSDT,2,bsc\n",
            "row 3, column decimals: row 2 has another decimals for USDT .*leave it empty",
        ),
        (
            "code,decimals,chain\nUSDT,6,ethereum\nUSDT,,ethereum\n",
            "row 3, column contract: the units must be all different",
        ),
        (
            f"{HEADER}KAS,8,,,ethereum,{KAS},8\nXAS,8,,,ethereum,{KAS},8\n",
            "row 3, column chain: KAS has this unit too",
        ),
        ("code,decimals,chain\n", "a snapshot has 1 to 4,096 assets"),
    ],
)
def test_a_fault_of_a_list_is_named_by_row_and_column(
    folder: Path, rows: str, message: str
) -> None:
    with pytest.raises(ProverError, match=message) as refused:
        listed(folder, rows)
    where = "assets: " if "a snapshot has" in message else f"{folder / 'assets.csv'}: row"
    assert where in str(refused.value)
    assert len(str(refused.value).splitlines()) == 1


def test_no_more_than_4096_assets(folder: Path) -> None:
    def rows(count: int) -> str:
        return HEADER + "".join(
            f"A{at},2,,,ethereum,{account_text(at.to_bytes(20))},2\n" for at in range(1, count + 1)
        )

    assert len(listed(folder, rows(4096)).assets) == 4096
    with pytest.raises(ProverError, match="1 to 4,096 assets"):
        listed(folder, rows(4097))


def manifest_of(config: SnapshotConfig) -> Manifest:
    """The largest manifest of a snapshot."""
    return Manifest(
        account_id_type="opaque",
        argument_version=ARGUMENT_VERSION,
        assets=tuple(
            Asset(
                capacity=MAX_CAPACITY,
                code=asset.code,
                decimals=asset.decimals,
                evidence=bytes(32),
                levels=5,
                page_size=4096,
                ratio=Ratio(MAX_RATIO_TERM, MAX_RATIO_TERM),
                root=bytes(32),
                sum=bytes(33),
                units=asset.units,
            )
            for asset in config.assets
        ),
        chains=tuple(Chain(bytes(32), MAX_HEIGHT, name) for name in CHAINS),
        declaration=bytes(32),
        exchange="E" * MAX_NAME_BYTES,
        previous=bytes(32),
        protocol_version=PROTOCOL_VERSION,
        public_key=bytes(32),
        rotation=(Rotation(bytes(64), bytes(32), bytes(64)),),
        snapshot_id="s" * 64,
        time=MAX_TIME,
    )


def test_a_manifest_over_its_limit_is_refused_before_anything_is_read(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = HEADER + "".join(
        f"ABCDEFGHIJKL{at // 64:04},18,,,ethereum,{account_text(at.to_bytes(20))},36\n"
        for at in range(1, 64 * 20)
    )
    config = listed(folder, rows)
    least, most = len(write_record(manifest_of(config))), most_manifest_bytes(config.assets)
    assert least <= most <= least * 1.07
    monkeypatch.setattr("prover.config.snapshot_toml.MAX_MANIFEST_BYTES", most)
    listed(folder, rows)
    monkeypatch.setattr("prover.config.snapshot_toml.MAX_MANIFEST_BYTES", most - 1)
    words = f"assets: a manifest of 20 assets with these units may have {most:,} bytes: 2\\^24"
    with pytest.raises(ProverError, match=f"{words} at most .*list fewer units"):
        listed(folder, rows)


def test_a_list_that_is_not_there(folder: Path) -> None:
    with pytest.raises(ProverError, match=r"nothing.csv: No such file"):
        parse(folder, '[assets]\nfrom = "nothing.csv"\n', chains="ethereum")
    with pytest.raises(ProverError, match=r"assets.from: missing"):
        parse(folder, "[assets]\n", chains="ethereum")


def test_codes_of_the_ledger_are_assets(folder: Path) -> None:
    config = parse(folder, '[assets]\nfrom = "ledger"\n', chains="bitcoin ethereum bsc")
    assert [(asset.code, asset.decimals) for asset in config.assets] == [
        ("BTC", 8),
        ("EUR", 2),
        ("USDT", 6),
    ]
    assert [unit.chain for unit in config.assets[2].units] == ["bsc", "ethereum"]


def test_what_the_table_does_not_say_is_said_by_code(folder: Path) -> None:
    with (folder / "ledger.csv").open("a") as file:
        file.write("bob,KAS,3\n")
    more = f"""[assets.KAS]
decimals = 4
units = [{{ chain = "bsc", contract = "{KAS}", decimals = 8 }}]
[assets.USDT]
decimals = 2
ratio = "11/10"
[assets.DOGE]
decimals = 8
"""
    config = parse(folder, f'[assets]\nfrom = "ledger"\n{more}', chains="bitcoin ethereum bsc")
    assert [(asset.code, asset.decimals) for asset in config.assets] == [
        ("BTC", 8),
        ("EUR", 2),
        ("KAS", 4),
        ("USDT", 2),
    ]
    assert config.assets[3].ratio == Ratio(10, 11)


def test_a_code_on_chains_without_a_block_is_told(folder: Path) -> None:
    message = r"assets.from: the ledger has BTC, which is held on bitcoin.*: no block given.*skip"
    with pytest.raises(ProverError, match=message):
        parse(folder, '[assets]\nfrom = "ledger"\n', chains="ethereum")
    skip = '[ledger.skip]\nassets = ["BTC"]\n'
    config = parse(folder, f'[assets]\nfrom = "ledger"\n{skip}', chains="ethereum")
    assert [asset.code for asset in config.assets] == ["EUR", "USDT"]


def test_a_ledger_that_cannot_be_read_twice(folder: Path) -> None:
    (folder / "ledger.csv").unlink()
    os.mkfifo(folder / "ledger.csv")
    with pytest.raises(LedgerError, match=r"a pipe, .*write the ledger to a file"):
        parse(folder, '[assets]\nfrom = "ledger"\n', chains="ethereum")


BTC_ETH = "".join(
    f'[[assets]]\ncode = "{code}"\ndecimals = 8\nunits = [{{ chain = "{chain}" }}]\n'
    for code, chain in (("BTC", "bitcoin"), ("ETH", "ethereum"))
)


def read(folder: Path, rows: str, ledger: str = "", id_type: IdType = "opaque") -> Ledger:
    (folder / "ledger.csv").write_text("id,code,amount\n" + rows)
    config = parse(folder, BTC_ETH, ledger, "bitcoin ethereum")
    return read_ledger(
        config.ledger,
        [LedgerAsset(asset.code, asset.decimals) for asset in config.assets],
        id_type,
        merge_duplicates=False,
        work_dir=folder,
        progress=lambda rows: None,
    )


def test_skipped_codes_are_counted_and_not_read(folder: Path) -> None:
    skip = '[ledger.skip]\nassets = ["KAS", "XAS"]'
    rows = "ann,BTC,1\nbob,KAS,not a number\nann,KAS,2\nann,ETH,1\n"
    ledger = read(folder, rows, skip)
    assert ledger.tally.skipped == {"KAS": 2, "XAS": 0}
    assert ledger.tally.ignored == {}
    assert [ledger.account_id(at) for at in range(len(ledger))] == [b"ann"]
    with pytest.raises(LedgerError, match=r"unknown-asset .*KAS.*ledger.skip if it is owed"):
        read(folder, rows)


def test_renamed_codes_add_up_only_where_both_are_named(folder: Path) -> None:
    rows = "ann,XBT,1\nbob,XBT,2\nann,BTC,4\nann,ETH,1\n"
    with pytest.raises(LedgerError, match=r'unknown-asset .*write BTC = "BTC" in ledger.rename'):
        read(folder, rows, '[ledger.rename]\nXBT = "BTC"')
    ledger = read(folder, rows, '[ledger.rename]\nXBT = "BTC"\nBTC = "BTC"')
    assert [ledger.balances["BTC"].of(at) for at in (0, 1)] == [5 * 10**8, 2 * 10**8]
    assert ledger.tally.renamed == {"BTC": 1, "XBT": 2}
    alone = read(folder, rows.replace("ann,BTC,4\n", ""), '[ledger.rename]\nXBT = "BTC"')
    assert alone.totals["BTC"] == 3 * 10**8


def test_one_number_of_decimals_for_all(folder: Path) -> None:
    """Amounts are scaled to the asset's decimals, and rounded up."""
    units = 'amounts = "units"\ndecimals = 18\nsource_decimals = { BTC = 8 }'
    ledger = read(folder, "ann,BTC,5\nann,ETH,1\nbob,ETH,10000000001\nbob,BTC,1\n", units)
    assert [ledger.balances["ETH"].of(at) for at in (0, 1)] == [1, 2]
    assert [ledger.balances["BTC"].of(at) for at in (0, 1)] == [5, 1]


@pytest.mark.parametrize(
    ("ledger", "message"),
    [
        ("decimals = 18", 'ledger.decimals: goes with amounts = "units" alone'),
        ('amounts = "units"\ndecimals = 31', "ledger.decimals: must be 0 to 30"),
        ('[ledger.skip]\nassets = ["BTC"]', "ledger.skip.assets: BTC is read, too"),
        (
            'ignore = ["K*"]\n[ledger.skip]\nassets = ["KAS"]',
            "ledger.skip.assets: KAS is ignored, too",
        ),
        ('[ledger.skip]\nassets = ["K", "K"]', "ledger.skip.assets: must be all different"),
        ("[ledger.skip]\nasset = []", "ledger.skip.asset: unknown key"),
        ('[ledger.rename]\nXBT = "XXX"', "ledger.rename.XBT: XXX is not an asset"),
        (
            '[ledger.rename]\nXBT = "BTC"\n[ledger.skip]\nassets = ["XBT"]',
            "ledger.skip.assets: XBT is read, too",
        ),
    ],
)
def test_a_fault_of_the_section_is_named_by_its_key(
    folder: Path, ledger: str, message: str
) -> None:
    with pytest.raises(ProverError, match=message):
        read(folder, "", ledger)


def test_a_wide_ledger_skips_columns(folder: Path) -> None:
    text = """
[[assets]]
code = "BTC"
decimals = 8
units = [{ chain = "bitcoin" }]
"""
    (folder / "ledger.csv").write_text("id,b,k\nann,1,?\nbob,2,\n")
    skip = '[ledger.skip]\nassets = ["k", "x"]\n'
    config = parse(folder, text, chains="bitcoin")
    toml = config.stated.decode().replace('"long"', '"wide"').replace('asset = "code"\n', "")
    toml = toml.replace('balance = "amount"', 'assets = { BTC = "b" }\n' + skip)
    config = parse_config(folder / "snapshot.toml", toml.encode())
    ledger = read_ledger(
        config.ledger,
        [LedgerAsset("BTC", 8)],
        "opaque",
        merge_duplicates=False,
        work_dir=folder,
        progress=lambda rows: None,
    )
    assert ledger.tally.skipped == {"k": 2, "x": 0}
    with pytest.raises(ProverError, match=r"ledger.rename: goes with the long layout alone"):
        parse_config(folder / "s.toml", (toml + '[ledger.rename]\nX = "BTC"\n').encode())


def test_many_assets_need_no_more_open_files(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of rows in any order, over many batches, every balance is its own asset's."""
    random = Random(5)
    codes = [f"A{number}" for number in range(300)]
    owed: Counter[tuple[str, str]] = Counter()
    rows = ["id,code,amount\n"]
    for _ in range(3000):
        account, code, tenths = (
            f"u{random.randrange(50)}",
            random.choice(codes),
            random.randrange(9),
        )
        owed[account, code] += tenths
        rows.append(f"{account},{code},0.{tenths}\n")
    (folder / "ledger.csv").write_text("".join(rows))
    monkeypatch.setattr(csv_source, "BLOCK_BYTES", 4000)
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    used = len(list(Path("/proc/self/fd").iterdir()))
    resource.setrlimit(resource.RLIMIT_NOFILE, (used + 40, before[1]))
    try:
        ledger = read_ledger(
            CsvSource(folder / "ledger.csv", LongColumns("id", "code", "amount")),
            [LedgerAsset(code, number % 2) for number, code in enumerate(codes)],
            "opaque",
            merge_duplicates=False,
            work_dir=folder,
            progress=lambda rows: None,
            jobs=2,
        )
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
    decimals = {asset.code: asset.decimals for asset in ledger.assets}
    for at in range(len(ledger)):
        account = ledger.account_id(at).decode()
        for code in codes:
            tenths = owed[account, code]
            assert ledger.balances[code].of(at) == -(-tenths * 10 ** decimals[code] // 10)
    assert sum(tally.rows for tally in ledger.tally.assets.values()) == 3000
