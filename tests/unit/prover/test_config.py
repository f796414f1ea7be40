"""The snapshot file: what it may say, and that everything else is refused by file and key."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import pytest

from prover.config.snapshot_toml import SnapshotConfig, SplitPolicy, parse_config
from prover.errors import ProverError
from prover.ledger.expect import Bounds, Expect
from prover.ledger.source import CsvSource, LongColumns, SqlSource, WideColumns
from verifier.format.wire import Chain, Ratio, Unit

USDT = "0xdAC17F958D2ee523a2206206994597C13D831ec7"

GOOD = """
exchange = "Example Exchange"
snapshot_id = "2026-11-21"
time = 2026-11-21T00:00:00Z
account_id_type = "email"
page_size = 256
[keys]
signing = "keys/signing.pem"
master = "/keys/master.key"
[previous]
first = true
[ledger]
format = "csv"
path = "ledger.csv"
layout = "long"
merge_duplicates = true
[ledger.columns]
account = "account_id"
asset = "asset"
balance = "balance"
[chains.ethereum]
height = 21000000
hash = "1111111111111111111111111111111111111111111111111111111111111111"
[chains.bitcoin]
height = 870000
hash = "2222222222222222222222222222222222222222222222222222222222222222"
[[assets]]
code = "USDT"
decimals = 6
ratio = "11/10"
capacity = 20
split = { least = 1, most = 3 }
units = [{ chain = "ethereum" }]
[[assets]]
code = "BTC"
decimals = 8
units = [{ chain = "bitcoin" }]
[[evidence]]
path = "a.csv"
[[evidence]]
path = "b.jsonl"
"""

FILE = Path("/snapshots/one.toml")


UNITS = 'layout = "long"\namounts = "units"\nsource_decimals = { '
EXPECT = "[ledger.expect]\n"


def parse(old: str = "", new: str = "") -> SnapshotConfig:
    assert old in GOOD
    return parse_config(FILE, GOOD.replace(old, new, 1).encode())


def test_everything_is_read() -> None:
    config = parse()
    assert config.time == 1_795_219_200
    assert config.page_size == 256
    assert parse("page_size = 256\n").page_size is None
    assert config.signing_key == Path("/snapshots/keys/signing.pem")
    assert config.master_key == Path("/keys/master.key")
    assert config.previous_manifest is None
    assert config.ledger == CsvSource(
        Path("/snapshots/ledger.csv"), LongColumns("account_id", "asset", "balance")
    )
    assert config.merge_duplicates
    assert config.chains == (
        Chain(b"\x22" * 32, 870_000, "bitcoin"),
        Chain(b"\x11" * 32, 21_000_000, "ethereum"),
    )
    bitcoin, usdt = config.assets
    assert (bitcoin.code, bitcoin.capacity, bitcoin.ratio) == ("BTC", None, Ratio(1, 1))
    assert bitcoin.split == SplitPolicy(1, 3)
    assert bitcoin.units == (Unit("bitcoin", "", 8),)
    assert (usdt.code, usdt.capacity, usdt.ratio) == ("USDT", 20, Ratio(10, 11))
    assert usdt.split == SplitPolicy(1, 3)
    assert usdt.units == (Unit("ethereum", USDT, 6),)
    assert config.evidence == (Path("/snapshots/a.csv"), Path("/snapshots/b.jsonl"))


def test_a_wide_ledger_has_a_column_for_each_asset() -> None:
    columns = 'account = "account_id"\nasset = "asset"\nbalance = "balance"'
    wide = 'account = "id"\n[ledger.columns.assets]\nBTC = "e_btc"\nUSDT = "e_usdt"'
    text = GOOD.replace(columns, wide).replace('layout = "long"', 'layout = "wide"')
    ledger = parse_config(FILE, text.encode()).ledger
    assert ledger.columns == WideColumns("id", {"BTC": "e_btc", "USDT": "e_usdt"})
    with pytest.raises(ProverError, match=r"ledger\.columns\.assets\.USDT: the columns and"):
        parse_config(FILE, text.replace('USDT = "e_usdt"', "").encode())


def test_a_query_is_a_ledger() -> None:
    text = GOOD.replace(
        'format = "csv"\npath = "ledger.csv"', 'format = "sql"\nurl = "u"\nquery = "q"'
    )
    ledger = parse_config(FILE, text.encode()).ledger
    assert ledger == SqlSource("u", "q", LongColumns("account_id", "asset", "balance"))


def test_a_unit_of_ones_own_is_given_whole() -> None:
    own_contract, other = "0x" + "11" * 20, "0x" + "22" * 20
    token = f'{{ chain = "ethereum", contract = "{other}", decimals = 12 }}'
    own = f'units = [{token}, {{ chain = "ethereum", contract = "{own_contract}", decimals = 6 }}]'
    text = GOOD.replace('code = "USDT"', 'code = "MINE"').replace(
        'units = [{ chain = "ethereum" }]', own
    )
    config = parse_config(FILE, text.encode())
    assert config.assets[1].units == (
        Unit("ethereum", own_contract, 6),
        Unit("ethereum", other, 12),
    )
    twice = text.replace('code = "BTC"', 'code = "OURS"').replace(
        'units = [{ chain = "bitcoin" }]', f"units = [{token}]"
    )
    with pytest.raises(ProverError, match=r"assets\[2\].units: MINE has this unit too"):
        parse_config(FILE, twice.encode())


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("page_size", "pagesize", "pagesize: unknown key"),
        ("[keys]", "[keys]\nother = 1", "keys.other: unknown key"),
        ("height = 870000", "height = 870000\nid = 1", "chains.bitcoin.id: unknown key"),
        ("decimals = 8", "decimals = 8\nx = 1", r"assets\[2\].x: unknown key"),
        ('path = "a.csv"', 'path = "a.csv"\nx = 1', r"evidence\[1\].x: unknown key"),
        ('exchange = "Example Exchange"', "", "exchange: missing"),
        ('exchange = "Example Exchange"', "exchange = 1", "exchange: must be text"),
        ("Example Exchange", " Example", "exchange: not in canonical form"),
        ("Example Exchange", "x" * 65, "exchange: not a valid name: too-long"),
        ('"2026-11-21"', '"2026 11"', "snapshot_id: must be"),
        ("2026-11-21T00:00:00Z", "2026-11-21T00:00:00+01:00", "time: must be"),
        ("2026-11-21T00:00:00Z", "2026-11-21T00:00:00.5Z", "time: must be"),
        ("2026-11-21T00:00:00Z", "2026-11-21T00:00:00", "time: must be"),
        ("2026-11-21T00:00:00Z", "2026-11-21", "time: must be a date and time"),
        ("2026-11-21T00:00:00Z", "1960-11-21T00:00:00Z", "time: must be after"),
        ('"email"', '"mail"', "account_id_type: must be one of"),
        (
            'units = [{ chain = "ethereum" }]',
            'units = [{ chain = "ethereum", slot = 3 }]',
            r"slot: the slot of 0xdAC17F958D2ee523a2206206994597C13D831ec7 on ethereum is 2",
        ),
        ("page_size = 256", "page_size = 512", "page_size: must be one of"),
        ("page_size = 256", "page_size = true", "page_size: must be a whole number"),
        ("first = true", "", "previous.manifest: give the previous manifest"),
        ("first = true", 'first = true\nmanifest = "m"', "previous.manifest: the first snapshot"),
        ('format = "csv"', 'format = "xls"', "ledger.format: must be"),
        ('layout = "long"', 'layout = "tall"', "ledger.layout: must be"),
        ("merge_duplicates = true", 'merge_duplicates = "yes"', "must be true or false"),
        ('asset = "asset"', "", "ledger.columns.asset: missing"),
        ("1111", "111g", "chains.ethereum.hash: must be 64"),
        ("height = 870000", "height = -1", "chains.bitcoin.height: must be"),
        (
            f'[chains.ethereum]\nheight = 21000000\nhash = "{"1" * 64}"',
            "",
            "chains: USDT is held on ethereum",
        ),
        ("[chains.ethereum]", "[chains.kaspa]", "chains.kaspa: nothing can prove what is held on"),
        ("[chains.ethereum]", "[chains.bank]", "chains are arbitrum, .*, zksync$"),
        ('chain = "ethereum"', 'chain = "solana"', r"units\[1\].chain: nothing can prove"),
        ('code = "BTC"', 'code = "btc"', r"assets\[2\].code: an asset code"),
        (
            'code = "BTC"',
            'code = "USDT"',
            r"units\[1\].contract: .* table does not have USDT",
        ),
        ("decimals = 8", "decimals = 9", r"assets\[2\].units\[1\].decimals: must be at least"),
        ("decimals = 8", "decimals = 31", r"assets\[2\].decimals: ledger decimals"),
        ("decimals = 8", "decimals = 19", r"assets\[2\].decimals: .* below 2\^63 ledger units"),
        ("[ledger]", "[leger]", "leger: unknown key .*ledger is meant"),
        ("page_size = 256", "pagesize = 1\nlegder = 2", "pagesize: unknown key, as are legder"),
        ('path = "ledger.csv"', 'path = "l"\nurl = "u"', "ledger.url: does not go with"),
        ('path = "ledger.csv"', 'path = "l"\ndelimiter = ":"', "ledger.delimiter: must be one of"),
        ('path = "ledger.csv"', 'path = "l"\nignore = ["USDT"]', "ignore: USDT is an asset"),
        ('path = "ledger.csv"', 'path = "l"\nignore = [1]', "ignore: must be a list of texts"),
        ('layout = "long"', 'layout = "long"\nsource_decimals = { BTC = 8 }', "with amounts ="),
        ('layout = "long"', f"{UNITS}BTC = 31 }}", "source_decimals.BTC: must be 0 to 30"),
        ('layout = "long"', f"{UNITS}XRP = 6 }}", "source_decimals.XRP: not an asset"),
        ("[ledger.columns]", "[ledger.expect]\naccount = 1\n[ledger.columns]", "accounts is meant"),
        ("[ledger.columns]", f"{EXPECT}accounts = 5\n[ledger.columns]", "must be a table"),
        ("[ledger.columns]", f"{EXPECT}accounts = {{}}\n[ledger.columns]", "must have least"),
        (
            "[ledger.columns]",
            f"{EXPECT}accounts = {{ least = 3, most = 2 }}\n[ledger.columns]",
            "ledger.expect.accounts: .* least not above most",
        ),
        (
            "[ledger.columns]",
            f"{EXPECT}totals = {{ BTC = {{ least = 1.5 }} }}\n[ledger.columns]",
            "expect.totals.BTC.least: must be a whole number, or a decimal as text",
        ),
        (
            "[ledger.columns]",
            f"{EXPECT}totals = {{ XRP = {{ least = 1 }} }}\n[ledger.columns]",
            "expect.totals.XRP: not an asset",
        ),
        (
            "[ledger.columns]",
            f'{EXPECT}allow_empty = ["XRP"]\n[ledger.columns]',
            "allow_empty: XRP is not an asset",
        ),
        (
            "[ledger.columns]",
            f"{EXPECT}change_percent = -1\n[ledger.columns]",
            "change_percent: must be 0 or more",
        ),
        ('"11/10"', '"22/20"', r"assets\[1\].ratio: must be"),
        ('"11/10"', '"4294967296/1"', r"assets\[1\].ratio: must be"),
        ('"11/10"', '"0/1"', r"assets\[1\].ratio: must be"),
        ('"11/10"', '"1.1"', r"assets\[1\].ratio: must be"),
        (
            "capacity = 20",
            "capacity = true",
            r'assets\[1\].capacity: must be "auto", or a number of leaves',
        ),
        ("capacity = 20", "capacity = 0", r"assets\[1\].capacity: must be"),
        ("capacity = 20", f"capacity = {2**30 + 1}", r"assets\[1\].capacity: must be"),
        ("capacity = 20", 'capacity = "20"', r"assets\[1\].capacity: must be"),
        ("most = 3", "most = 0", r"assets\[1\].split.most: must hold"),
        ("most = 3", "most = 3, x = 1", r"assets\[1\].split.x: unknown key"),
        ('chain = "ethereum" }', 'chain = "ethereum" }, { chain = "ethereum" }', "all different"),
        (
            'chain = "ethereum" }',
            f'chain = "ethereum", contract = "{USDT.lower()}", decimals = 6 }}',
            "contract: the EIP-55 checksum",
        ),
        (
            'chain = "ethereum" }',
            'chain = "bitcoin", contract = "", decimals = 8 }',
            r"assets\[1\].units\[1\].contract: every reader knows USDT, or this contract, as some",
        ),
        (
            'chain = "bitcoin" }',
            f'chain = "bitcoin", contract = "0x{"11" * 20}", decimals = 8 }}',
            "contract: no contract of bitcoin",
        ),
        (
            'chain = "ethereum" }',
            f'chain = "ethereum", contract = "0x{"11" * 20}", decimals = 6 }}',
            r"assets\[1\].units\[1\].contract: every reader knows USDT",
        ),
        ('path = "a.csv"', "", r"evidence\[1\].path: missing"),
        ("[[assets]]", "[assets]", "one.toml: "),
    ],
)
def test_a_fault_is_named_by_file_and_key(old: str, new: str, message: str) -> None:
    with pytest.raises(ProverError, match=message) as refused:
        parse(old, new)
    assert str(refused.value).startswith("/snapshots/one.toml: ")


def test_everything_of_a_ledger_is_read() -> None:
    lines = [
        'layout = "long"',
        'delimiter = ";"',
        'amounts = "units"',
        "source_decimals = { BTC = 18 }",
        "empty_is_zero = true",
        'ignore = ["TEST*", "XRP"]',
        "[ledger.expect]",
        "accounts = { least = 10, most = 20 }",
        'totals = { BTC = { least = "1.5" }, USDT = { most = 7 } }',
        "change_percent = 20",
        'allow_empty = ["USDT"]',
    ]
    config = parse('layout = "long"\nmerge_duplicates = true', "\n".join(lines))
    columns = LongColumns(
        "account_id",
        "asset",
        "balance",
        in_units=True,
        source_decimals={"BTC": 18},
        empty_is_zero=True,
        ignore=("TEST*", "XRP"),
    )
    assert config.ledger == CsvSource(Path("/snapshots/ledger.csv"), columns, ";")
    assert config.expect == Expect(
        accounts=Bounds(Fraction(10), Fraction(20)),
        totals={"BTC": Bounds(least=Fraction(3, 2)), "USDT": Bounds(most=Fraction(7))},
        change_percent=20,
        allow_empty=frozenset({"USDT"}),
    )
    assert [columns.is_ignored(code) for code in ("TESTBTC", "TEST", "XRP", "XR", "XRPX")] == [
        *(True, True, True),
        *(False, False),
    ]


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("postgres://u@h/d", "postgres:// names no driver"),
        ("postgresql://u:hunter2@h/d", "postgresql:// names no driver"),
        ("mysql://u:hunter2@h/d", "mysql:// names no driver"),
        ("$DATABASE_URL", "variables are not replaced"),
        ("${DATABASE_URL}", "variables are not replaced"),
        ("postgresql+psycopg://u:${PASSWORD}@h/d", "variables are not replaced"),
    ],
)
def test_a_url_that_cannot_be_one_is_told_which_are(url: str, words: str) -> None:
    with pytest.raises(ProverError) as refused:
        parse('format = "csv"\npath = "ledger.csv"', f'format = "sql"\nurl = "{url}"\nquery = "q"')
    said = str(refused.value)
    assert f"ledger.url: {words}" in said
    assert "postgresql+psycopg://USER@HOST/DATABASE" in said
    assert "PGPASSWORD" in said
    assert "hunter2" not in said


def test_all_assets_that_are_wrong_are_named_at_once() -> None:
    text = GOOD.replace("decimals = 6", "decimals = 19").replace("decimals = 8", "decimals = 20")
    with pytest.raises(ProverError) as refused:
        parse_config(FILE, text.encode())
    one, two = str(refused.value).splitlines()
    assert "assets[1].decimals" in one
    assert "assets[2].decimals" in two
    asset = 'units = [{ chain = "bitcoin" }]\n[[assets]]\ncode = "x"\ndecimals = 1\n'
    text = GOOD.replace('units = [{ chain = "bitcoin" }]', asset * 30)
    with pytest.raises(ProverError) as refused:
        parse_config(FILE, text.encode())
    lines = str(refused.value).splitlines()
    assert len(lines) == 11
    assert lines[-1] == "and 20 more of 30"


def test_bytes_that_are_no_toml_are_refused_with_their_place() -> None:
    with pytest.raises(ProverError, match=r"one.toml: .*line 2"):
        parse_config(FILE, b"a = 1\nb =\n")
    with pytest.raises(ProverError, match="begins with a byte order mark"):
        parse_config(FILE, GOOD.encode("utf-8-sig"))
    with pytest.raises(ProverError, match="not UTF-8 at byte 4"):
        parse_config(FILE, b"a = \xff")
