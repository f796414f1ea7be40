"""What an exchange declares: the marks of an audit, the words of readers, and who is to blame."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from tests.support.auditing_host import serving
from tests.support.verifier_bundle import Bundle
from verifier import NotCompared, Rejected, audit, check_inclusion, check_solvency
from verifier.commands.output import JsonOutput, TextOutput
from verifier.format.wire import Loan, Pledge, write_record
from verifier.report import Check

ALICE = "alice@example.com"
BALANCES = {"BTC": "1.5", "ETH": "3.2"}


@pytest.fixture
def bundle(tmp_path: Path) -> Bundle:
    return Bundle(tmp_path)


def loans(bundle: Bundle) -> tuple[Loan, ...]:
    both = (bundle.pledge("BTC", 1), bundle.pledge("ETH"))
    return (
        Loan("12.5", "BTC", "First Lender", tuple(sorted(both, key=lambda it: it.chain))),
        Loan("", "EUR", "Second Lender", (bundle.pledge("BTC", 1),)),
    )


def test_an_audit_marks_pledged_rows_once(bundle: Bundle) -> None:
    bundle.declare(loans(bundle))
    report = audit(bundle.folder, bundle.key)
    assert report.loans == loans(bundle)
    held = {
        code: int.from_bytes(bundle.evidence[code].rows[at].amount)
        for code, at in (("BTC", 1), ("ETH", 0))
    }
    found = {item.code: (item.pledged_rows, item.pledged) for item in report.assets}
    assert found == {"BTC": (1, held["BTC"]), "ETH": (1, held["ETH"] // 10**9)}


def test_a_loan_changes_no_level_and_no_amount(bundle: Bundle) -> None:
    before = audit(bundle.folder, bundle.key)
    bundle.declare(loans(bundle))
    after = audit(bundle.folder, bundle.key)
    assert [(item.level, item.disclosed) for item in after.assets] == [
        (item.level, item.disclosed) for item in before.assets
    ]
    assert [item.pledged_rows for item in before.assets] == [0, 0]


def test_solvency_alone_needs_the_declaration(bundle: Bundle) -> None:
    bundle.declare(loans(bundle))
    assert check_solvency(bundle.folder, bundle.key).loans == loans(bundle)
    (bundle.folder / "declaration.msgpack").unlink()
    with pytest.raises(Rejected, match=r"^bundle\.missing-file: declaration\.msgpack"):
        check_solvency(bundle.folder, bundle.key)


def test_words_of_loans(bundle: Bundle, capsys: pytest.CaptureFixture[str]) -> None:
    bundle.declare(loans(bundle))
    TextOutput().accept(audit(bundle.folder, bundle.key))
    lines = capsys.readouterr().out.splitlines()
    first = lines.index("note   borrowed: 12.5 BTC, from First Lender")
    assert "no part of any proof" in lines[first - 1]
    pledged = [f"note     pledged for it: {p.chain} {p.address}" for p in loans(bundle)[0].pledged]
    assert lines[first + 1 : first + 3] == pledged
    assert lines[first + 3] == "note   borrowed: amount not said, EUR, from Second Lender"
    assert any(
        line.startswith("note BTC: ") and line.endswith("of it pledged, rows 1") for line in lines
    )


def test_words_of_nothing(bundle: Bundle, capsys: pytest.CaptureFixture[str]) -> None:
    TextOutput().accept(audit(bundle.folder, bundle.key))
    out = capsys.readouterr().out
    assert "note nothing is declared" in out
    assert "note   borrowed" not in out


def test_json_of_loans(bundle: Bundle, capsys: pytest.CaptureFixture[str]) -> None:
    bundle.declare(loans(bundle))
    JsonOutput().accept(audit(bundle.folder, bundle.key))
    found = json.loads(capsys.readouterr().out)
    told = found["declaration"]["loans"]
    assert [(loan["lender"], loan["code"], loan["amount"]) for loan in told] == [
        ("First Lender", "BTC", "12.5"),
        ("Second Lender", "EUR", None),
    ]
    pledge = bundle.pledge("BTC", 1)
    assert told[1]["pledged"] == [{"chain": "bitcoin", "address": pledge.address}]
    assert found["amounts"]["BTC"]["pledged"]["rows"] == 1


def test_what_a_chain_beyond_the_table_calls_an_address_moves_no_cursor(
    bundle: Bundle, capsys: pytest.CaptureFixture[str]
) -> None:
    """A customer's check compares the address with no row, so it can be any text."""
    bundle.declare((Loan("1", "BTC", "X", (Pledge("a\nACCEPTED\x1b[2K\u202e", "bitcoin"),)),))
    report = check_inclusion(
        bundle.package(ALICE), bundle.folder, bundle.key, ALICE, BALANCES, now=1_700_000_000
    )
    TextOutput().accept_inclusion(report)
    out = capsys.readouterr().out
    assert "pledged for it: bitcoin a\\nACCEPTED\\x1b[2K\\u202e\n" in out
    assert "was not checked here" in out


def declared_and_lost(bundle: Bundle, served: bytes | None) -> None:
    bundle.declare(loans(bundle))
    path = bundle.folder / "declaration.msgpack"
    path.unlink()
    if served is not None:
        path.write_bytes(served)


@pytest.mark.parametrize(
    ("served", "why"),
    [
        (None, "bundle.missing-file"),
        (b"", "declaration.too-large"),
        (b"<!doctype html>", "declaration.wrong-digest"),
    ],
)
@pytest.mark.parametrize("by_http", [False, True])
def test_a_customer_is_counted_whatever_is_served_in_its_place(
    bundle: Bundle,
    capsys: pytest.CaptureFixture[str],
    served: bytes | None,
    why: str,
    *,
    by_http: bool,
) -> None:
    declared_and_lost(bundle, served)
    package = bundle.package(ALICE)
    with serving(bundle.folder, lambda path: False, []) as url:
        place = url if by_http else bundle.folder
        text, programs = TextOutput(), JsonOutput()

        def told(check: Check) -> None:
            text.check(check)
            programs.check(check)

        report = check_inclusion(package, place, bundle.key, ALICE, BALANCES, on_check=told)
    assert report.loans is None
    assert report.unread.startswith(f"{why}: ")
    assert [check.ok for check in report.checks] == [True, True, True, True, None, True]
    text.accept_inclusion(report)
    out = capsys.readouterr().out
    assert "skip declaration of loans and pledges" in out
    assert "FAIL" not in out
    assert "could not be read" in out
    assert out.splitlines()[-1] == "ACCEPTED: the balances that you typed are counted"
    programs.accept_inclusion(report)
    found = json.loads(capsys.readouterr().out)
    assert found["accepted"]
    assert [check["ok"] for check in found["checks"]] == [True, True, True, True, None, True]
    assert found["declaration"]["loans"] is None
    assert found["declaration"]["unread"].startswith(why)


def test_a_customer_rejects_what_the_exchange_signed(bundle: Bundle) -> None:
    """After what concerns their own balance, and whatever the clock says."""
    bundle.declare(write_record(()))
    package, told = bundle.package(ALICE), list[Check]()
    with pytest.raises(Rejected, match=r"^declaration\.bad-fields"):
        check_inclusion(
            package, bundle.folder, bundle.key, ALICE, BALANCES, now=1, on_check=told.append
        )
    assert told[-1].ok is False
    with pytest.raises(Rejected, match=r"^inclusion\.balance-short"):
        check_inclusion(package, bundle.folder, bundle.key, ALICE, {"BTC": "2"})


def test_who_did_not_type_all_is_shown_loans_too(
    bundle: Bundle, capsys: pytest.CaptureFixture[str]
) -> None:
    bundle.declare(loans(bundle))
    package = bundle.package(ALICE)
    with pytest.raises(NotCompared) as raised:
        check_inclusion(package, bundle.folder, bundle.key, ALICE, {"BTC": "1.5"})
    TextOutput().fail(raised.value)
    assert "from First Lender" in capsys.readouterr().out
    JsonOutput().fail(raised.value)
    assert len(json.loads(capsys.readouterr().out)["declaration"]["loans"]) == 2


def test_an_address_is_looked_for_after_all_evidence(bundle: Bundle) -> None:
    """A fault of the last asset's evidence comes first."""
    stranger = Pledge("1BoatSLRHtKNngkdXEeobR76b53LETtpyT", "bitcoin")
    bundle.declare((Loan("1", "BTC", "X", (stranger,)),))
    with pytest.raises(Rejected, match=r"^declaration\.unknown-address: declaration, loan 0"):
        audit(bundle.folder, bundle.key)
    bundle.change_evidence(1, replace(bundle.evidence["ETH"], version=2))
    with pytest.raises(Rejected, match=r"^evidence\.unsupported-version"):
        audit(bundle.folder, bundle.key)


def test_evidence_is_read_after_the_form_of_the_declaration(bundle: Bundle) -> None:
    bundle.declare(write_record(()))
    bundle.change_evidence(0, b"\xc0")
    with pytest.raises(Rejected, match=r"^declaration\.bad-fields"):
        audit(bundle.folder, bundle.key)
