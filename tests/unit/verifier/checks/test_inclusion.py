"""The light check: what a customer typed is counted in leaves that are theirs alone."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from tests.support.verifier_bundle import Bundle
from verifier import CannotCheck, Misuse, NotCompared, Rejected, check_inclusion
from verifier.bundle.source import FolderSource
from verifier.checks import inclusion
from verifier.checks.inclusion import Amount, TypedBalance
from verifier.format import wire
from verifier.format.params import (
    MAX_PACKAGE_BYTES,
    RECORD_PATH,
    RECORD_SIGNATURE_PATH,
    TreeShape,
    arguments_path,
    pages_path,
)

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
    assert fault(bundle, bytes(MAX_PACKAGE_BYTES + 1)) == "package.too-large package"
    assert fault(bundle, bytes(MAX_PACKAGE_BYTES)) == "package.not-canonical package"
    assert fault(bundle, good + b"\0") == "package.not-canonical package"
    assert fault(bundle, b"\x80") == "package.bad-fields package"
    assert fault(bundle, good[:-1] + bytes([good[-1] ^ 1])) == "package.bad-signature package"
    logged = replace(wire.read_record(wire.Package, good), log=b"a")
    assert fault(bundle, wire.write_record(logged)) == "package.bad-fields package"
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
        ("duplicate-leaf BTC, part 1", (first, replace(second, leaf=first.leaf, path=b""))),
        ("bad-path BTC, part 0", (replace(first, path=first.path[:-32], opening=b""),)),
        ("bad-path BTC, part 0", (replace(first, path=first.path + bytes(32)),)),
        ("bad-path BTC, part 0", (replace(first, path=first.path[:-1]),)),
    ]:
        code, where = code.split(" ", 1)
        package = with_parts(bundle, 0, *parts)
        assert fault(bundle, package) == f"package.{code} package, {where}"
    for opening in (b"", first.opening[:-1], first.opening + b"\0"):
        package = with_parts(bundle, 0, replace(first, opening=opening))
        assert fault(bundle, package) == "opening.bad-length package, BTC, part 0"


def test_a_leaf_is_one_account_s_part_and_amount(bundle):
    first, second = bundle.parts["BTC"][ALICE]
    amount = "inclusion.wrong-amount BTC, part 0"
    identity = "inclusion.wrong-identity BTC, part 0"
    free = next(n for n in range(32) if n not in (first.leaf, second.leaf))
    for part, wrong in (
        (replace(first, amount=first.amount + 1), amount),
        (replace(first, amount=first.amount - 1), amount),
        (replace(first, opening=second.opening), amount),
        (replace(first, leaf=free), identity),
        (replace(first, leaf=first.leaf ^ 16), identity),
        (replace(first, path=second.path), identity),
        (replace(first, path=bytes([first.path[0] ^ 1]) + first.path[1:]), identity),
        (replace(second, part=0), identity),
    ):
        assert fault(bundle, with_parts(bundle, 0, part)) == wrong
    swapped = (replace(first, leaf=second.leaf), replace(second, leaf=first.leaf))
    assert fault(bundle, with_parts(bundle, 0, *swapped)) == identity


@pytest.mark.parametrize("size", [16, 256, 4096])
def test_an_opening_is_checked_whole(tmp_path, size):
    """A byte of each of its parts: R, the fifteen responses of the others, and B's."""
    bundle = Bundle(tmp_path / "bundle", page_size=size)
    check(bundle)
    first, second = bundle.parts["BTC"][ALICE]
    order = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
    cases = [(0, b"\x04", "opening.bad-point"), (513, order.to_bytes(32), "opening.bad-scalar")]
    cases += [
        (at, bytes([first.opening[at] ^ 1]), "inclusion.wrong-amount")
        for at in (0, *(33 + 32 * number + 31 for number in range(16)))
    ]
    for at, data, code in cases:
        opening = first.opening[:at] + data + first.opening[at + len(data) :]
        package = with_parts(bundle, 0, replace(first, opening=opening), second)
        assert fault(bundle, package) == f"{code} BTC, part 0"


def test_two_openings_cannot_mend_each_other(bundle):
    """What one has too much the other has too little: their weights are not known before."""
    first, second = bundle.parts["BTC"][ALICE]

    def bent(part: wire.Part, by: int) -> wire.Part:
        last = int.from_bytes(part.opening[-32:]) + by
        return replace(part, opening=part.opening[:-32] + last.to_bytes(32))

    for number, parts in ((0, (bent(first, 1), bent(second, -1))), (1, (first, bent(second, 1)))):
        package = with_parts(bundle, 0, *parts)
        assert fault(bundle, package) == f"inclusion.wrong-amount BTC, part {number}"


def test_two_customers_cannot_be_shown_one_leaf(bundle):
    """Both hold exactly one bitcoin in their first part; only one of them owns the leaf."""
    (leaf,) = bundle.parts["BTC"][BOB]
    assert leaf.amount == bundle.parts["BTC"][ALICE][0].amount
    wrong = "inclusion.wrong-identity BTC, part 0"
    shown = with_parts(bundle, 0, leaf)
    assert fault(bundle, shown, balances={"BTC": "1"}) == wrong
    # With the other's key as well: the id that is typed still makes the difference.
    body = replace(bundle.body(BOB), account_id=ALICE)
    assert fault(bundle, bundle.package(body), balances={"BTC": "1"}) == wrong


def test_many_parts_are_checked_in_batches(tmp_path, monkeypatch):
    ledger = {ALICE: {"BTC": list(range(1, 41)), "ETH": []}}
    bundle = Bundle(tmp_path / "bundle", ledger=ledger, capacities={"BTC": 80, "ETH": 1})
    balances = {"BTC": "0.0000082"}
    figures = {}
    for size in (1, 7, 40, 256):
        monkeypatch.setattr(inclusion, "_BATCH_PARTS", size)
        report = check(bundle, balances=balances)
        assert counted(report)["BTC"] == "0.0000082"
        steps = {step.name: step.figures for step in report.checks}
        figures[size] = steps["leaves and their paths to the signed roots"]["pages"]
        parts = list(bundle.parts["BTC"][ALICE])
        for number in (39, 22, 21):
            parts[number] = replace(parts[number], amount=parts[number].amount + 1)
            package = with_parts(bundle, 0, *parts)
            wrong = f"inclusion.wrong-amount BTC, part {number}"
            assert fault(bundle, package, balances=balances) == wrong
    assert figures[1] == 40 * 3 > figures[40] == figures[256]


def test_a_package_of_another_snapshot_is_refused(bundle, tmp_path):
    later = Bundle(tmp_path / "later", head={"snapshot_id": "2024-q2"})
    assert fault(bundle, later.package(ALICE)) == "package.wrong-manifest package"


SHAPE = TreeShape(80, 16)


@pytest.fixture
def tampered(tmp_path):
    """A bundle of three levels whose files a test may change."""
    return Bundle(tmp_path / "bundle", capacities={"BTC": 80, "ETH": 1})


def path_of(bundle: Bundle, number: int) -> list[int]:
    """The pages above one of Alice's parts."""
    page = bundle.parts["BTC"][ALICE][number].leaf // 16
    return [page // 64**level for level in range(3)]


def flip(bundle: Bundle, level: int, index: int, at: int) -> None:
    """Change a bit of a page; of its argument, from its end, if `at` is negative."""
    path, length = pages_path("BTC", level), SHAPE.page_bytes(level, 0)
    if at < 0:
        path, length = arguments_path("BTC", level), SHAPE.argument_bytes(level, 0)
        at += SHAPE.argument_bytes(level, index)
    data = bytearray((bundle.folder / path).read_bytes())
    data[index * length + at] ^= 1
    (bundle.folder / path).write_bytes(data)


def test_only_pages_on_the_paths_are_read(tampered):
    used = {(level, path_of(tampered, n)[level]) for n in (0, 1) for level in range(3)}
    for level in range(3):
        for index in range(SHAPE.pages(level)):
            if (level, index) not in used:
                flip(tampered, level, index, 0)
                flip(tampered, level, index, -1)
    for path in ("evidence/BTC.msgpack", "arguments/BTC/solvency", RECORD_PATH):
        (tampered.folder / path).unlink()
    report = check(tampered)
    figures = {step.name: step.figures for step in report.checks}
    assert figures["leaves and their paths to the signed roots"]["pages"] == len(used) + 1


@pytest.mark.parametrize("level", [0, 1, 2])
def test_a_page_on_the_path_is_checked_whole(tampered, level):
    index = path_of(tampered, 0)[level]
    place = f"BTC, level {level}, page {index}"
    for at, code in [(0, "page.bad-header"), (15, "argument.rejected"), (-1, "argument.rejected")]:
        flip(tampered, level, index, at)
        assert fault(tampered) == f"{code} {place}"
        flip(tampered, level, index, at)
    check(tampered)


def test_of_a_part_the_lowest_page_comes_first_and_its_opening_last(tampered):
    first, second = tampered.parts["BTC"][ALICE]
    package = with_parts(tampered, 0, replace(first, amount=1), second)
    flip(tampered, 2, 0, -1)
    assert fault(tampered, package) == "argument.rejected BTC, level 2, page 0"
    index = path_of(tampered, 0)[1]
    flip(tampered, 1, index, 0)
    assert fault(tampered, package) == f"page.bad-header BTC, level 1, page {index}"


def test_the_opening_of_a_part_comes_before_the_pages_of_the_next(tampered):
    first, second = tampered.parts["BTC"][ALICE]
    assert path_of(tampered, 0)[0] != path_of(tampered, 1)[0]
    package = with_parts(tampered, 0, replace(first, amount=1), second)
    flip(tampered, 0, path_of(tampered, 1)[0], 0)
    assert fault(tampered, package) == "inclusion.wrong-amount BTC, part 0"


def test_files_of_all_assets_come_before_pages(tampered):
    flip(tampered, 0, path_of(tampered, 0)[0], 0)
    (tampered.folder / arguments_path("ETH", 0)).write_bytes(b"")
    assert fault(tampered) == "bundle.wrong-argument arguments/ETH/0"
    (tampered.folder / arguments_path("ETH", 0)).unlink()
    assert fault(tampered) == "bundle.missing-file arguments/ETH/0"
    (tampered.folder / pages_path("ETH", 0)).write_bytes(b"")
    assert fault(tampered) == "page.bad-file-length ETH, level 0"
    (tampered.folder / pages_path("ETH", 0)).unlink()
    assert fault(tampered) == "bundle.missing-file pages/ETH/0"
    (tampered.folder / pages_path("BTC", 2)).unlink()
    assert fault(tampered) == "bundle.missing-file pages/BTC/2"
    (tampered.folder / arguments_path("BTC", 1)).unlink()
    assert fault(tampered) == "bundle.missing-file arguments/BTC/1"
    # Bob holds no ether: its pages are nothing to him.
    package = tampered.package(BOB)
    assert fault(tampered, package, BOB, {"BTC": "1"}) == "bundle.missing-file arguments/BTC/1"


def unproved(bundle: Bundle, *paths: str) -> None:
    """Take files of arguments away, and the record of them."""
    for path in (*paths, RECORD_PATH, RECORD_SIGNATURE_PATH):
        (bundle.folder / path).unlink()


def test_without_arguments_and_record_nothing_is_proved(tampered):
    unproved(tampered, arguments_path("BTC", 1))
    with pytest.raises(CannotCheck) as raised:
        check(tampered)
    assert raised.value.code == "check.not-proved"
    # Who has no part needs no argument.
    check(tampered, tampered.package(CAROL), CAROL, {"BTC": "0"})


def test_without_arguments_all_else_is_checked(tampered):
    """Also those that are there are not looked at: they may be of an upload that goes on."""
    unproved(tampered, arguments_path("BTC", 0))
    (tampered.folder / arguments_path("ETH", 0)).write_bytes(b"")
    flip(tampered, 2, 0, -1)
    with pytest.raises(CannotCheck, match=r"^check\.not-proved: "):
        check(tampered)
    assert fault(tampered, balances={"BTC": "2"}) == "inclusion.balance-short BTC"
    first, second = tampered.parts["BTC"][ALICE]
    package = with_parts(tampered, 0, replace(first, amount=1), second)
    assert fault(tampered, package) == "inclusion.wrong-amount BTC, part 0"
    flip(tampered, 0, path_of(tampered, 0)[0], 15)
    index = path_of(tampered, 0)[1]
    assert fault(tampered) == f"page.wrong-child-id BTC, level 1, page {index}"
    flip(tampered, 0, path_of(tampered, 0)[0], 15)
    flip(tampered, 1, index, 0)
    assert fault(tampered) == f"page.bad-header BTC, level 1, page {index}"
    (tampered.folder / pages_path("BTC", 1)).unlink()
    assert fault(tampered) == "bundle.missing-file pages/BTC/1"


def test_not_proved_comes_before_what_is_not_compared_and_the_clock(tampered):
    unproved(tampered, arguments_path("BTC", 0))
    with pytest.raises(CannotCheck, match=r"^check\.not-proved: "):
        check(tampered, balances={"BTC": "1"}, now=0)


def test_links_of_the_path_are_checked(tampered, tmp_path):
    other = Bundle(tmp_path / "other", capacities={"BTC": 80, "ETH": 1}, assets_held={"BTC": 10**9},
                   ledger={ALICE: tampered.ledger[ALICE]})  # fmt: skip
    assert other.context == tampered.context
    above = path_of(tampered, 0)[1]
    # Sound pages of the same snapshot's other tree, in place of the ones that were signed.
    for path in (pages_path("BTC", 1), arguments_path("BTC", 1)):
        (tampered.folder / path).write_bytes((other.folder / path).read_bytes())
    assert fault(tampered) == f"page.wrong-child-id BTC, level 1, page {above}"


def test_a_leaf_page_of_somebody_else_s_says_nothing_of_the_exchange(tmp_path):
    """A mirror can make a sound page in which the customer has no leaf, but none that is signed."""
    bundle = Bundle(tmp_path / "bundle", capacities={"BTC": 1, "ETH": 1})
    other = Bundle(tmp_path / "other", capacities={"BTC": 1, "ETH": 1}, seed=1,
                   ledger={BOB: {"BTC": [5], "ETH": []}})  # fmt: skip
    for path in (pages_path("BTC", 0), arguments_path("BTC", 0)):
        (bundle.folder / path).write_bytes((other.folder / path).read_bytes())
    assert fault(bundle) == "page.wrong-root-id BTC, level 0, page 0"


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


def test_a_source_that_cannot_be_read_hides_no_fault_before(tampered, monkeypatch):
    """Part 0 is false, and the page of part 1 cannot be read."""
    first, second = tampered.parts["BTC"][ALICE]
    package = with_parts(tampered, 0, replace(first, amount=1), second)
    honest, far = FolderSource.read_range, path_of(tampered, 1)[0] * SHAPE.page_bytes(0, 0)

    def failing(self: FolderSource, path: str, offset: int, length: int) -> bytes:
        if (path, offset) == (pages_path("BTC", 0), far):
            raise CannotCheck("check.unreadable", "no answer")  # type: ignore[arg-type]
        return honest(self, path, offset, length)

    monkeypatch.setattr(FolderSource, "read_range", failing)
    assert fault(tampered, package) == "inclusion.wrong-amount BTC, part 0"
    with pytest.raises(CannotCheck, match="no answer"):
        check(tampered)
