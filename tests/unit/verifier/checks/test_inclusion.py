"""The light check: what a customer typed is counted in leaves that are theirs alone."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from tests.support.verifier_bundle import Bundle
from verifier import Misuse, NotCompared, Rejected, check_inclusion
from verifier.bundle.source import FolderSource
from verifier.checks import inclusion
from verifier.checks.inclusion import Amount, TypedBalance
from verifier.format import wire
from verifier.format.params import TreeShape, level_path

ALICE, BOB, CAROL = "alice@example.com", "bob@example.com", "carol@example.com"
ALL = {"BTC": "1.5", "ETH": "3.2"}


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    return Bundle(tmp_path_factory.mktemp("inclusion") / "bundle")


def check(bundle: Bundle, package: bytes | None = None, account=ALICE, balances=ALL, **options):
    data = bundle.package(ALICE) if package is None else package
    return check_inclusion(data, bundle.folder, bundle.key, account, balances, **options)


def fault(bundle: Bundle, package: bytes | None = None, *args, **options) -> str:
    with pytest.raises(Rejected) as raised:
        check(bundle, package, *args, **options)
    return f"{raised.value.code} {raised.value.where}"


def counted(report) -> dict[str, str]:
    return {amount.code: amount.counted_text for amount in report.amounts}


def test_what_is_counted_is_shown(bundle):
    report = check(bundle)
    assert counted(report) == {"BTC": "1.5", "ETH": "3.2"}
    assert report.warnings == ()
    assert counted(check(bundle, account="  ALICE@EXAMPLE.COM\n")) == counted(report)
    bob = check(bundle, bundle.package(BOB), BOB, {"BTC": "1", "ETH": "0"})
    assert counted(bob) == {"BTC": "1", "ETH": "0"}


def test_counted_above_typed_is_accepted_and_shown(bundle):
    report = check(bundle, balances={"BTC": "0.1", "ETH": Decimal(0)})
    assert counted(report) == {"BTC": "1.5", "ETH": "3.2"}
    assert [amount.typed.text for amount in report.amounts] == ["0.1", "0"]


def test_counted_below_typed_is_rejected(bundle):
    short = {"BTC": "1.5", "ETH": "3.2000000001"}
    assert fault(bundle, balances=short) == "inclusion.balance-short ETH"
    assert fault(bundle, balances={"BTC": "2", "ETH": "9"}) == "inclusion.balance-short BTC"
    # Rounded up once, as the ledger is.
    check(bundle, balances={"BTC": "1.499999999999", "ETH": "3.19999999999999"})


def test_an_asset_that_the_manifest_lacks_is_rejected_unless_zero(bundle):
    check(bundle, balances={**ALL, "DOGE": "0.000"})
    assert fault(bundle, balances={**ALL, "DOGE": "0.1"}) == "inclusion.unknown-asset DOGE"
    both = {"ZZZ": "1", "DOGE": "1", "BTC": "9"}
    assert fault(bundle, balances=both) == "inclusion.unknown-asset DOGE"


def test_an_asset_with_parts_that_was_not_typed_is_not_compared(bundle):
    with pytest.raises(
        NotCompared, match=r"^check\.not-compared: not compared: ETH 3\.2$"
    ) as raised:
        check(bundle, balances={"BTC": "1.5"})
    assert [amount.counted_text for amount in raised.value.report.amounts] == ["1.5", "3.2"]
    assert counted(check(bundle, balances={"BTC": "1.5"}, only=True)) == {
        "BTC": "1.5",
        "ETH": "3.2",
    }
    assert fault(bundle, balances={"BTC": "2"}) == "inclusion.balance-short BTC"
    # No parts, nothing to compare.
    check(bundle, bundle.package(BOB), BOB, {"BTC": "1"})


def test_no_part_at_all_reads_no_page(bundle, monkeypatch):
    monkeypatch.setattr(FolderSource, "read_range", None)
    monkeypatch.setattr(FolderSource, "size", None)
    report = check(bundle, bundle.package(CAROL), CAROL, {"BTC": "0"})
    assert [amount.parts for amount in report.amounts] == [0, 0]
    short = fault(bundle, bundle.package(CAROL), CAROL, {"BTC": "1"})
    assert short == "inclusion.balance-short BTC"


@pytest.mark.parametrize(
    "balances",
    [
        {}, {"btc": "1"}, {"BTC ": "1"}, {"": "1"}, {"B" * 17: "1"}, {"BTC": ""}, {"BTC": "-1"},
        {"BTC": "+1"}, {"BTC": "1e3"}, {"BTC": ".5"}, {"BTC": "1."}, {"BTC": "1,5"}, {"BTC": " 1"},
        {"BTC": "1\n"}, {"BTC": "nan"}, {"BTC": "inf"}, {"BTC": "0x1"}, {"BTC": "1_000"},
        {"BTC": "\u0661"}, {"BTC": "1" * 41}, {"BTC": "0." + "1" * 41}, {"BTC": Decimal("NaN")},
        {"BTC": Decimal("-1")}, {"BTC": Decimal("Infinity")}, {"BTC": Decimal("1e999999")},
        {"BTC": Decimal("1e-999999")}, {"BTC": Decimal("-0")},
    ],
)  # fmt: skip
def test_a_malformed_balance_is_misuse(bundle, balances):
    with pytest.raises(Misuse):
        check(bundle, balances=balances)


@pytest.mark.parametrize(
    "account", ["", "alice", "a@b@c", "a b@c", "alice@example.com\x00", "a@\ud800"]
)
def test_an_id_of_another_form_is_misuse(bundle, account):
    with pytest.raises(Misuse) as raised:
        check(bundle, account=account)
    assert not account or account not in str(raised.value)


def test_amounts_are_exact():
    for text, decimals, units in [
        ("1.5", 8, 150_000_000),
        ("0.000000011", 8, 2),
        ("0", 30, 0),
        ("0.000", 0, 0),
        ("0.1", 0, 1),
        ("9" * 40 + "." + "9" * 40, 30, 10**70),
    ]:
        assert TypedBalance.parse(text).ledger_units(decimals) == units
    assert TypedBalance.parse(Decimal("15e-1")).ledger_units(8) == 150_000_000
    for units, decimals, text in [
        (0, 8, "0"),
        (1, 8, "0.00000001"),
        (100, 2, "1"),
        (120, 2, "1.2"),
        (7, 0, "7"),
        (1000, 0, "1000"),
    ]:
        assert Amount("X", decimals, units, 1, None).counted_text == text


def test_an_opaque_id_is_warned_of(tmp_path):
    ledger = {"4711": {"BTC": [5], "ETH": []}}
    opaque = Bundle(tmp_path / "bundle", ledger=ledger, id_type="opaque")
    report = check(opaque, opaque.package("4711"), "4711", {"BTC": "0.00000005"})
    assert "opaque" in report.warnings[0]


def with_parts(bundle: Bundle, at: int, *parts: wire.Part) -> bytes:
    body = bundle.body(ALICE)
    assets = list(body.assets)
    assets[at] = replace(assets[at], parts=parts)
    return bundle.package(replace(body, assets=tuple(assets)))


def test_faults_of_a_package(bundle):
    good, body = bundle.package(ALICE), bundle.body(ALICE)
    assert fault(bundle, b"") == "package.too-large package"
    assert fault(bundle, bytes(2**20 + 1)) == "package.too-large package"
    assert fault(bundle, bytes(2**20)) == "package.not-canonical package"
    assert fault(bundle, good + b"\0") == "package.not-canonical package"
    assert fault(bundle, b"\x80") == "package.bad-fields package"
    assert fault(bundle, good[:-1] + bytes([good[-1] ^ 1])) == "package.bad-signature package"
    assert fault(bundle, bundle.package(b"\xc0")) == "package.not-canonical package"
    assert fault(bundle, bundle.package(b"\x80")) == "package.bad-fields package"
    for code, changes in [
        ("unsupported-version", {"version": 2}),
        ("wrong-manifest", {"manifest": bytes(32)}),
        ("wrong-account", {"account_id": BOB}),
        ("wrong-account", {"account_id": "ALICE@example.com"}),
        ("wrong-assets", {"assets": body.assets[:1]}),
        ("wrong-assets", {"assets": body.assets[::-1]}),
        ("wrong-assets", {"assets": ()}),
        ("wrong-assets", {"assets": (*body.assets, wire.PackageAsset("XYZ", ()))}),
        ("bad-fields", {"account_key": bytes(31)}),
    ]:
        changed = replace(body, **changes)  # type: ignore[arg-type]
        assert fault(bundle, bundle.package(changed)) == f"package.{code} package"
    assert fault(bundle, account=BOB) == "package.wrong-account package"


def test_faults_of_parts(bundle):
    first, second = bundle.parts["BTC"][ALICE]
    for code, parts in [
        ("bad-parts BTC, part 0", (second,)),
        ("bad-parts BTC, part 0", (second, first)),
        ("bad-parts BTC, part 1", (first, first)),
        ("bad-parts BTC, part 1", (first, replace(second, part=2**64 - 1))),
        ("bad-amount BTC, part 0", (replace(first, amount=0),)),
        ("bad-leaf BTC, part 1", (first, replace(second, leaf=32))),
        ("bad-leaf BTC, part 0", (replace(first, leaf=2**64 - 1),)),
        ("duplicate-leaf BTC, part 1", (first, replace(second, leaf=first.leaf))),
    ]:
        code, where = code.split(" ", 1)
        package = with_parts(bundle, 0, *parts)
        assert fault(bundle, package) == f"package.{code} package, {where}"


def test_a_leaf_opens_for_one_account_part_and_amount(bundle):
    first, second = bundle.parts["BTC"][ALICE]
    wrong = "inclusion.wrong-opening BTC, part 0"
    free = next(n for n in range(32) if n not in (first.leaf, second.leaf))
    for part in (
        replace(first, amount=first.amount + 1),
        replace(first, amount=first.amount - 1),
        replace(first, leaf=free),
        replace(second, part=0),
    ):
        assert fault(bundle, with_parts(bundle, 0, part)) == wrong
    swapped = (replace(first, leaf=second.leaf), replace(second, leaf=first.leaf))
    assert fault(bundle, with_parts(bundle, 0, *swapped)) == wrong


def test_two_customers_cannot_be_shown_one_leaf(bundle):
    """Both hold exactly one bitcoin in their first part; only one of them owns the leaf."""
    (leaf,) = bundle.parts["BTC"][BOB]
    assert leaf.amount == bundle.parts["BTC"][ALICE][0].amount
    wrong = "inclusion.wrong-opening BTC, part 0"
    shown = with_parts(bundle, 0, leaf)
    assert fault(bundle, shown, balances={"BTC": "1"}) == wrong
    # With the other's key as well: the id that is typed still makes the difference.
    body = replace(bundle.body(BOB), account_id=ALICE)
    assert fault(bundle, bundle.package(body), balances={"BTC": "1"}) == wrong


def test_a_package_of_another_snapshot_is_refused(bundle, tmp_path):
    later = Bundle(tmp_path / "later", head={"snapshot_id": "2024-q2"})
    assert fault(bundle, later.package(ALICE)) == "package.wrong-manifest package"


@pytest.fixture
def tampered(tmp_path):
    """A bundle of three levels whose files a test may change."""
    return Bundle(tmp_path / "bundle", capacities={"BTC": 20, "ETH": 1})


def path_of(bundle: Bundle, number: int) -> list[int]:
    """The pages above one of Alice's parts, and those of no part of hers."""
    leaf = bundle.parts["BTC"][ALICE][number].leaf
    return [leaf // 16 ** (level + 1) for level in range(3)]


def flip(bundle: Bundle, level: int, index: int, at: int) -> None:
    path = bundle.folder / level_path("BTC", level)
    data = bytearray(path.read_bytes())
    data[index * TreeShape(20, 16).page_bytes(level, 0) + at] ^= 1
    path.write_bytes(data)


def test_only_pages_on_the_paths_are_read(tampered):
    used = {(level, path_of(tampered, n)[level]) for n in (0, 1) for level in range(3)}
    for level in range(3):
        for index in range(TreeShape(20, 16).pages(level)):
            if (level, index) not in used:
                flip(tampered, level, index, 0)
    (tampered.folder / "evidence" / "BTC.msgpack").unlink()
    report = check(tampered)
    figures = {step.name: step.figures for step in report.checks}
    assert figures["leaves and their paths to the signed roots"]["pages"] == len(used) + 1


@pytest.mark.parametrize("level", [0, 1, 2])
def test_a_page_on_the_path_is_checked_whole(tampered, level):
    index = path_of(tampered, 0)[level]
    flip(tampered, level, index, 0)
    assert fault(tampered) == f"page.bad-header BTC, level {level}, page {index}"
    flip(tampered, level, index, 0)
    flip(tampered, level, index, TreeShape(20, 16).page_bytes(level, index) - 1)
    assert fault(tampered) == f"argument.rejected BTC, level {level}, page {index}"


def test_files_of_all_assets_come_before_pages(tampered):
    flip(tampered, 0, path_of(tampered, 0)[0], 0)
    (tampered.folder / level_path("ETH", 0)).write_bytes(b"")
    assert fault(tampered) == "page.bad-file-length ETH, level 0"
    (tampered.folder / level_path("ETH", 0)).unlink()
    assert fault(tampered) == "bundle.missing-file pages/ETH/0"
    (tampered.folder / level_path("BTC", 2)).unlink()
    assert fault(tampered) == "bundle.missing-file pages/BTC/2"
    # Bob holds no ether: its pages are nothing to him.
    package = tampered.package(BOB)
    assert fault(tampered, package, BOB, {"BTC": "1"}) == "bundle.missing-file pages/BTC/2"


def test_links_of_the_path_are_checked(tampered, tmp_path):
    other = Bundle(tmp_path / "other", capacities={"BTC": 20, "ETH": 1}, assets_held={"BTC": 10**9},
                   ledger={ALICE: tampered.ledger[ALICE]})  # fmt: skip
    assert other.context == tampered.context
    above = path_of(tampered, 0)[1]
    # Sound pages of the same snapshot's other tree, in place of the ones that were signed.
    (tampered.folder / level_path("BTC", 1)).write_bytes(
        (other.folder / level_path("BTC", 1)).read_bytes()
    )
    assert fault(tampered) == f"page.wrong-child-id BTC, level 1, page {above}"


def test_the_root_is_the_manifests(tmp_path):
    bundle = Bundle(tmp_path / "bundle")
    manifest = bundle.manifest
    for code, changes in [
        ("wrong-root-id", {"root": bytes(32)}),
        ("wrong-root-sum", {"sum": manifest.assets[0].sum}),
    ]:
        bundle.publish(manifest)
        bundle.change_asset(1, **changes)
        assert fault(bundle) == f"page.{code} ETH, level 0, page 0"


def test_a_source_that_changes_between_reads_shows_nothing_unchecked(tampered, monkeypatch):
    """A page that is read once more is checked once more."""
    monkeypatch.setattr(inclusion, "_CACHED_PAGES", 0)
    reads: list[int] = []
    honest = FolderSource.read_range

    def lying(self: FolderSource, path: str, offset: int, length: int) -> bytes:
        data = honest(self, path, offset, length)
        if path.endswith("/2"):
            reads.append(offset)
            if len(reads) == 2:
                return data[:-1] + bytes([data[-1] ^ 1])
        return data

    monkeypatch.setattr(FolderSource, "read_range", lying)
    assert fault(tampered) == "argument.rejected BTC, level 2, page 0"
    assert len(reads) == 2
