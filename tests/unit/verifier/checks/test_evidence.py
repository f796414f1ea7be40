"""Evidence and solvency: every fault has its code; what is proved is what is counted."""

from __future__ import annotations

from dataclasses import replace

import pytest

from spec import reference
from tests.support.ownership_forge import program_address
from tests.support.verifier_bundle import UNITS, Bundle, Ledger
from verifier import Level, Policy, Rejected, check_solvency
from verifier.checks.evidence import ledger_units
from verifier.format import wire
from verifier.format.evidence_records import Evidence, OwnershipSignature, Row
from verifier.format.params import solvency_path
from verifier.format.statement import evidence_digest


@pytest.fixture
def bundle(tmp_path):
    return Bundle(tmp_path / "bundle")


def fault(bundle: Bundle, policy: Policy | None = None) -> str:
    with pytest.raises(Rejected) as raised:
        check_solvency(bundle.folder, bundle.key, policy=policy)
    return f"{raised.value.code} {raised.value.where}"


def evidence_fault(bundle: Bundle, evidence: Evidence | bytes, at: int = 0) -> str:
    bundle.change_evidence(at, evidence)
    return fault(bundle)


def test_the_bundle_is_accepted(bundle):
    report = check_solvency(bundle.folder, bundle.key)
    assert [(item.code, item.level, item.disclosed) for item in report.assets] == [
        ("BTC", Level.CLAIMED, {Level.CLAIMED: 250_000_000}),
        ("ETH", Level.CLAIMED, {Level.CLAIMED: 3_200_000_000}),
    ]
    assert report.level is Level.CLAIMED
    assert [check.figures.get("rows") for check in report.checks] == [
        None, None, None, 2, 2, None, None,
    ]  # fmt: skip


def test_files_and_digests(bundle):
    path = bundle.folder / "evidence" / "BTC.msgpack"
    data = path.read_bytes()
    path.write_bytes(data + b"\0")
    assert fault(bundle) == "evidence.wrong-digest BTC, evidence"
    path.write_bytes(b"")
    assert fault(bundle) == "evidence.too-large BTC, evidence"
    with path.open("wb") as file:
        file.truncate(2**27 + 1)
    assert fault(bundle) == "evidence.too-large BTC, evidence"
    path.unlink()
    assert fault(bundle) == "bundle.missing-file evidence/BTC.msgpack"


def test_all_evidence_together_is_bounded(bundle, monkeypatch):
    sizes = [len(wire.write_record(bundle.evidence[code])) for code in ("BTC", "ETH")]
    monkeypatch.setattr("verifier.checks.evidence.MAX_ALL_EVIDENCE_BYTES", sum(sizes))
    check_solvency(bundle.folder, bundle.key)
    monkeypatch.setattr("verifier.checks.evidence.MAX_ALL_EVIDENCE_BYTES", sum(sizes) - 1)
    assert fault(bundle) == "evidence.too-large ETH, evidence"
    monkeypatch.setattr("spec.reference.evidence.MAX_ALL_BYTES", sum(sizes) - 1)
    with pytest.raises(reference.Rejected, match=r"evidence\.too-large"):
        reference.audit(bundle.folder, bundle.key)


def test_a_missing_file_of_any_asset_comes_before_the_evidence_of_the_first(bundle):
    (bundle.folder / "evidence" / "BTC.msgpack").write_bytes(b"")
    (bundle.folder / "evidence" / "ETH.msgpack").unlink()
    assert fault(bundle) == "bundle.missing-file evidence/ETH.msgpack"


def test_form(bundle):
    evidence = bundle.evidence["BTC"]
    assert evidence_fault(bundle, b"\xc0") == "evidence.not-canonical BTC, evidence"
    assert evidence_fault(bundle, b"\x80") == "evidence.bad-fields BTC, evidence"
    cases = {
        "unsupported-version": replace(evidence, version=2),
        "wrong-asset": replace(evidence, code="ETH"),
        "unsorted": replace(evidence, rows=evidence.rows[::-1]),
        "bad-fields": replace(evidence, rows=(replace(evidence.rows[0], amount=b""),)),
    }
    for code, changed in cases.items():
        assert evidence_fault(bundle, changed) == f"evidence.{code} BTC, evidence"
    for changed in (
        replace(evidence, signatures=evidence.signatures[::-1]),
        replace(evidence, signatures=evidence.signatures[:1] * 2),
    ):
        assert evidence_fault(bundle, changed) == "evidence.unsorted BTC, evidence"
    twice = replace(evidence, rows=evidence.rows[:1] * 2)
    assert evidence_fault(bundle, twice) == "evidence.duplicate-address BTC, row 1"


def one_row(bundle: Bundle, **changes: str) -> Evidence:
    """The evidence of BTC with its second row changed."""
    evidence = bundle.evidence["BTC"]
    rows = sorted(
        [evidence.rows[0], replace(evidence.rows[1], **changes)],  # type: ignore[arg-type]
        key=lambda row: (row.chain, row.contract, row.address),
    )
    return replace(evidence, rows=tuple(rows))


@pytest.mark.parametrize(
    ("code", "changes"),
    [
        ("unknown-unit", {"chain": "ethereum"}),
        ("unknown-unit", {"chain": "litecoin"}),
        ("unknown-unit", {"contract": "0xdAC17F958D2ee523a2206206994597C13D831ec7"}),
        ("bad-address", {"address": "zzz"}),
        ("bad-address", {"address": "bc1QW508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4"}),
        ("bad-address", {"address": "tb1qw508d6qejxtdg4y5r3zarvary0c5xw7kxpjzsx"}),
    ],
)
def test_a_fault_of_a_row_names_it(bundle, code, changes):
    assert evidence_fault(bundle, one_row(bundle, **changes)) == f"evidence.{code} BTC, row 1"


def test_a_chain_that_is_not_known_is_left_unread(bundle):
    """Its rows count by their text, once each, and the asset is one that is set aside."""
    chains = (*bundle.manifest.chains, wire.Chain(bytes(32), 0, "kaspa"))
    bundle.publish(
        replace(bundle.manifest, chains=tuple(sorted(chains, key=lambda chain: chain.name)))
    )
    bundle.change_asset(0, units=(UNITS["BTC"], wire.Unit("kaspa", "", 8)))
    changed = one_row(bundle, chain="kaspa", address="anything")
    signature = replace(changed.signatures[0], chain="kaspa", address="anything", text="x")
    kept = [entry for entry in changed.signatures if entry.address == changed.rows[0].address]
    changed = replace(changed, signatures=(*kept, signature))
    # The evidence passes; the solvency argument is of another statement.
    assert evidence_fault(bundle, changed) == "argument.rejected BTC, solvency"
    twice = replace(changed, rows=(changed.rows[0], *changed.rows[1:] * 2))
    assert evidence_fault(bundle, twice) == "evidence.duplicate-address BTC, row 2"


@pytest.mark.parametrize(
    ("chain", "contract"),
    [
        ("bitcoin", "TOKEN"),
        ("ethereum", "0x" + "ab" * 20),
        ("fiat", ""),
        ("fiat", "usd"),
    ],
)
def test_a_contract_is_written_in_its_one_form(bundle, chain, contract):
    chains = {entry.name: entry for entry in bundle.manifest.chains}
    chains["fiat"] = wire.Chain(bytes(32), bundle.manifest.time, "fiat")
    listed = tuple(chains[name] for name in sorted(chains))
    bundle.publish(replace(bundle.manifest, chains=listed))
    at, code = (0, "BTC") if chain == "ethereum" else (1, "ETH")
    units = sorted(
        [UNITS[code], wire.Unit(chain, contract, 18)], key=lambda unit: (unit.chain, unit.contract)
    )
    bundle.change_asset(at, units=tuple(units))
    found = evidence_fault(bundle, bundle.evidence[code], at)
    assert found == f"evidence.bad-contract {code}, evidence"


def test_every_address_has_one_signature(bundle):
    evidence = bundle.evidence["BTC"]
    other = bundle.owned("BTC", 103, 0)[1]
    both = sorted([*evidence.signatures, other], key=lambda entry: entry.address)
    for signatures in (
        evidence.signatures[:1],
        evidence.signatures[1:],
        (),
        tuple(both),
        (evidence.signatures[0], replace(evidence.signatures[1], chain="ethereum")),
    ):
        changed = replace(evidence, signatures=tuple(signatures))
        assert evidence_fault(bundle, changed) == "evidence.unmatched-signature BTC, evidence"


def test_a_fault_of_a_signature_names_it(bundle):
    evidence = bundle.evidence["BTC"]

    def changed(**changes: str) -> Evidence:
        last: OwnershipSignature = replace(evidence.signatures[1], **changes)
        changed: Evidence = replace(evidence, signatures=(evidence.signatures[0], last))
        return changed

    where = "BTC, signature 1"
    unsupported = f"evidence.unsupported-signature {where}"
    assert evidence_fault(bundle, changed(format="eip191")) == unsupported
    assert evidence_fault(bundle, changed(format="")) == unsupported
    bad = f"evidence.bad-signature {where}"
    assert evidence_fault(bundle, changed(text=evidence.signatures[0].text)) == bad
    assert evidence_fault(bundle, changed(text="x")) == bad
    assert evidence_fault(bundle, changed(text="\u20bf" * 88)) == bad


def test_a_signature_for_another_snapshot_or_block_is_bad(bundle):
    manifest = bundle.manifest
    bundle.publish(replace(manifest, snapshot_id="2024-q2"))
    assert fault(bundle) == "evidence.bad-signature BTC, signature 0"
    bundle.publish(replace(manifest, exchange="Another Exchange"))
    assert fault(bundle) == "evidence.bad-signature BTC, signature 0"
    last = replace(manifest.chains[1], hash=bytes(32))
    bundle.publish(replace(manifest, chains=(manifest.chains[0], last)))
    assert fault(bundle) == "evidence.bad-signature ETH, signature 0"


def test_an_address_of_no_template_is_a_fault_of_its_signature(bundle):
    address = program_address(2, bytes(32))
    row = Row(address, bytes(32), "bitcoin", "")
    signature = OwnershipSignature(address, "bitcoin", "bip322", "x")
    rows = (*bundle.evidence["BTC"].rows, row)
    changed = replace(bundle.evidence["BTC"], rows=rows)
    assert evidence_fault(bundle, changed) == "evidence.unmatched-signature BTC, evidence"
    changed = replace(changed, signatures=(*changed.signatures, signature))
    assert evidence_fault(bundle, changed) == "evidence.unsupported-template BTC, signature 2"


def test_a_total_of_2_to_the_96_is_too_large(bundle):
    evidence = bundle.evidence["BTC"]
    most = replace(evidence.rows[0], amount=(2**96 - 1).to_bytes(32))
    one = replace(evidence.rows[1], amount=(1).to_bytes(32))
    changed = replace(evidence, rows=(most, one))
    assert evidence_fault(bundle, changed) == "evidence.total-too-large BTC, evidence"
    changed = replace(evidence, rows=(most, replace(one, amount=bytes(32))))
    assert evidence_fault(bundle, changed) == "argument.rejected BTC, solvency"
    huge = replace(evidence, rows=(replace(most, amount=b"\xff" * 32), one))
    assert evidence_fault(bundle, huge) == "evidence.total-too-large BTC, evidence"


def test_amounts_are_rounded_down_row_by_row():
    unit = wire.Unit("ethereum", "", 18)
    for amount, units in ((10**9 - 1, 0), (10**9, 1), (2 * 10**9 - 1, 1), (2**256 - 1, None)):
        row = Row("", amount.to_bytes(32), "ethereum", "")
        assert ledger_units(row, unit, 9) == (amount // 10**9 if units is None else units)
        assert ledger_units(row, unit, 18) == amount


def test_amounts_below_the_ledger_are_lost_in_each_row(tmp_path):
    bundle = Bundle(tmp_path / "bundle")
    evidence = bundle.evidence["ETH"]
    rows = [
        replace(row, amount=(int.from_bytes(row.amount) + 10**9 - 1).to_bytes(32))
        for row in evidence.rows
    ]
    # The commitment is the same, so that only the digest in the statement differs.
    data = wire.write_record(replace(evidence, rows=tuple(rows)))
    assert evidence_digest(data) != bundle.manifest.assets[1].evidence
    bundle.change_evidence(1, data)
    assert fault(bundle) == "argument.rejected ETH, solvency"


@pytest.mark.parametrize("short", [1, 250_000_000])
def test_assets_that_fall_short_cannot_be_shown(tmp_path, short):
    insolvent = Bundle(tmp_path / "insolvent", assets_held={"BTC": 250_000_000 - short})
    assert insolvent.total("BTC") == 250_000_000
    assert fault(insolvent) == "argument.rejected BTC, solvency"


def test_more_assets_than_owed_are_fine_and_so_are_none_against_nothing(tmp_path):
    rich = Bundle(tmp_path / "rich", assets_held={"BTC": 2**96 - 1})
    check_solvency(rich.folder, rich.key)
    ledger: Ledger = {"alice@example.com": {"BTC": [], "ETH": []}}
    empty = Bundle(tmp_path / "empty", ledger=ledger)
    check_solvency(empty.folder, empty.key)


def test_the_argument_is_bound_to_its_statement(bundle):
    first, second = bundle.manifest.assets
    changes: list[dict[str, object]] = [
        {"ratio": wire.Ratio(den=1, num=2)},
        {"root": bytes(32)},
        {"sum": second.sum},
        {"decimals": 7},
    ]
    for change in changes:
        bundle.publish(replace(bundle.manifest, assets=(first, second)))
        bundle.change_asset(0, **change)
        assert fault(bundle) == "argument.rejected BTC, solvency"


def argue(bundle: Bundle, code: str, argument: bytes) -> None:
    (bundle.folder / solvency_path(code)).write_bytes(argument)
    bundle.record()


def test_the_argument_is_its_own_asset_s(bundle):
    argue(bundle, "BTC", (bundle.folder / solvency_path("ETH")).read_bytes())
    assert fault(bundle) == "argument.rejected BTC, solvency"


def test_the_form_of_the_argument(bundle):
    argument = (bundle.folder / solvency_path("BTC")).read_bytes()
    scalar = (0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141).to_bytes(32)
    for changed in (argument[:-1], argument + b"\0", b"", argument * 100):
        argue(bundle, "BTC", changed)
        assert fault(bundle) == "bundle.wrong-argument arguments/BTC/solvency"
    for code, changed in (
        ("bad-point", b"\x04" + argument[1:]),
        ("bad-point", bytes(33) + argument[33:]),
        ("bad-scalar", argument[:-32] + scalar),
        ("bad-scalar", argument[:-32] + b"\xff" * 32),
        ("rejected", argument[:-32] + bytes(32)),
        ("rejected", argument[33:66] + argument[:33] + argument[66:]),
    ):
        argue(bundle, "BTC", changed)
        assert fault(bundle) == f"argument.{code} BTC, solvency"
