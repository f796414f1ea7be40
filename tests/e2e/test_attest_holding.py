"""A bank signs, an exchange proves with it, and readers take its word or do not."""

from __future__ import annotations

import json
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import pytest

from prover.files.keys import make_keys, public_bytes, read_signing_key
from tests.support.exchange_files import LONG, Assay, edit, own_exchange, public_key
from tests.support.reference_bundle import pack
from verifier.commands.cli import main
from verifier.format.evidence_records import HoldingAttestation
from verifier.format.holding import ATTESTATION_PURPOSE
from verifier.format.keys import public_key_text, sign
from verifier.format.wire import read_record, write_record

Verify = Callable[..., tuple[int, str, str]]

SETTINGS = {
    "key": "bank/signing.pem",
    "snapshot_id": "one",
    "kind": "bank-balance",
    "unit": "fiat:EUR:2",
    "amount": "200.50",
    "encumbered": "10",
    "attester": "Bank AG",
    "holder": "Börse GmbH",
    "reference": "account 4711",
    "document": "statement.pdf",
    "time": "2026-11-21T06:00:00Z",
    "not_after": "2026-12-31T00:00:00Z",
    "out": "bank.attestation",
}
LEDGER = "id,code,amount\nalice,ETH,1.5\nalice,EUR,100.25\nbob,EUR,90.25\n"
EURO = """
[[assets]]
code = "EUR"
decimals = 2
units = [{ chain = "fiat", contract = "EUR", decimals = 2 }]
attestations = ["bank.attestation"]
"""
UNIT = ("--unit", "EUR=fiat:EUR:2")


@pytest.fixture
def assay(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Assay:
    return Assay(monkeypatch, capsys)


@pytest.fixture
def verify(capsys: pytest.CaptureFixture[str]) -> Verify:
    """Run ``assay-verify``; return exit code, standard output and standard error."""

    def run(*words: object) -> tuple[int, str, str]:
        capsys.readouterr()
        try:
            code = main([*map(str, words)])
        except SystemExit as ended:
            code = int(str(ended.code))
        out, err = capsys.readouterr()
        assert "Traceback" not in out + err
        return code, out, err

    return run


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """An exchange that owes ETH and EUR, and a bank."""
    config = own_exchange(tmp_path, LONG, {"ETH": 2 * 10**8}, decimals={"ETH": 8})
    config.write_text(config.read_text("utf-8") + EURO, "utf-8")
    (tmp_path / "ledger.csv").write_text(LEDGER)
    (tmp_path / "statement.pdf").write_bytes(b"what the bank has")
    make_keys(tmp_path / "bank")
    settings(tmp_path)
    return tmp_path


def settings(folder: Path, **changed: str) -> Path:
    """Write what a bank signs as a file; an empty text leaves a key out."""
    said = SETTINGS | {"exchange_key": public_key_text(public_key(folder / "snapshot.toml"))}
    lines = [f"{key} = {json.dumps(text)}" for key, text in (said | changed).items() if text]
    path = folder / "holding.toml"
    path.write_text("\n".join(lines), "utf-8")
    return path


def test_a_bank_signs_an_exchange_proves_and_readers_choose(
    folder: Path, assay: Assay, verify: Verify
) -> None:
    code, out, _ = verify("attest-holding", "--from", folder / "holding.toml")
    assert code == 0
    assert "holder: Börse GmbH" in out
    assert "amount: 200.5\n" in out
    entry = read_record(HoldingAttestation, (folder / "bank.attestation").read_bytes())
    bank = public_key_text(entry.key)
    assert (folder / "bank" / "exchange.pub").read_text() == f"{bank}\n"

    code, out, _ = assay("challenge", folder / "snapshot.toml")
    assert code == 0
    assert "fiat" not in out  # nobody signs for an address there
    code, _, err = assay("prove", folder / "snapshot.toml", "--out", folder / "S", "--no-summary")
    assert code == 0, err

    audit = ("audit", folder / "S" / "public", "--exchange-key", folder / "exchange.pub", *UNIT)
    code, out, _ = verify(*audit, "--attester", f"My bank={bank}")
    assert code == 0
    assert "note EUR: 190.5 by attestation (attested)" in out
    told = out.splitlines()
    first = told.index(
        "note EUR, attested: 200.5 EUR, of which 10 encumbered; money in a bank account "
        "(bank-balance), of 2026-11-21T06:00:00Z, good until 2026-12-31T00:00:00Z"
    )
    assert told[first + 1].startswith("note   it is worth what the bank is")
    assert told[first + 2 : first + 7] == [
        f"note   document {sha256(b'what the bank has').hexdigest()}",
        "note   signed by a key that was named for: My bank",
        "note   who signs as: Bank AG",
        "note   holder, as the signer says: Börse GmbH",
        "note   reference, as the signer says: account 4711",
    ]
    assert "block fiat" not in out
    assert out.splitlines()[-1].startswith("ACCEPTED as claimed: amounts of ETH rest on")

    code, out, _ = verify(*audit, "--json")
    euro = json.loads(out)["amounts"]["EUR"]
    assert (code, euro["level"], euro["disclosed"]) == (0, "claimed", {})
    (held,) = euro["attested"]
    assert (held["counted"], held["named"], held["key"]) == ("190.5", None, bank)
    assert held["document"] == sha256(b"what the bank has").hexdigest()
    assert any("signed by an unknown key" in line for line in held["lines"])
    assert list(json.loads(out)["blocks"]) == ["ethereum"]

    code, out, _ = verify(*audit, "--require", "attested", "--attester", f"My bank={bank}")
    assert code == 1
    assert "amounts of ETH are not known as attested" in out


@pytest.mark.parametrize(
    ("attester", "words"),
    [
        ("bank", "NAME=KEY"),
        ("=assay1", "NAME=KEY"),
        ("A bank=assay1qqqq", "a public key is 64 characters"),
        (f"A bank={public_key_text(bytes(32))}", "nobody's"),
        (f"A  bank={public_key_text(bytes(31) + b'%')}", "name"),
    ],
)
def test_an_attester_of_the_readers_is_malformed(
    tmp_path: Path, verify: Verify, attester: str, words: str
) -> None:
    key = public_key_text(bytes(31) + b"%")
    code, _, err = verify("audit", tmp_path, "--exchange-key", key, "--attester", attester)
    assert code == 2
    assert words in err


def test_a_named_attester_who_did_not_sign_rejects(
    folder: Path, assay: Assay, verify: Verify
) -> None:
    """A prover that checks nothing puts words into a bank's mouth."""
    verify("attest-holding", "--from", folder / "holding.toml")
    entry = read_record(HoldingAttestation, (folder / "bank.attestation").read_bytes())
    forged = pack({"body": entry.body, "key": entry.key, "signature": bytes(64)})
    (folder / "bank.attestation").write_bytes(forged)
    code, out, _ = verify("attest-holding", "--show", folder / "bank.attestation")
    assert code == 3
    assert "attestation.bad-signature" in out
    code, _, err = assay("prove", folder / "snapshot.toml", "--out", folder / "S", "--no-summary")
    assert code != 0
    assert f"{folder / 'bank.attestation'}: attestation.bad-signature" in err
    assert not (folder / "S" / "public").exists()


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"snapshot_id": "two"}, "attestation.wrong-exchange"),
        ({"time": "2026-11-19T23:59:59Z"}, "attestation.expired"),
        ({"time": "2026-11-20T01:00:00Z", "not_after": "2026-11-20T23:59:59Z"}, ".expired"),
        ({"unit": "fiat:USD:2"}, "attestation.unknown-unit"),
    ],
)
def test_what_every_reader_would_reject_is_refused_before_anything_is_signed(
    folder: Path, assay: Assay, verify: Verify, changed: dict[str, str], words: str
) -> None:
    assert verify("attest-holding", "--from", settings(folder, **changed))[0] == 0
    code, _, err = assay("prove", folder / "snapshot.toml", "--out", folder / "S", "--no-summary")
    assert code != 0
    assert words in err
    assert str(folder / "bank.attestation") in err
    assert not (folder / "S" / "public").exists()


def test_one_reference_counts_once_and_a_report_stands_alone(
    folder: Path, assay: Assay, verify: Verify
) -> None:
    config = folder / "snapshot.toml"
    verify("attest-holding", "--from", folder / "holding.toml")
    verify("attest-holding", "--from", settings(folder, amount="1", encumbered="0", out="b"))
    edit(config, '["bank.attestation"]', '["bank.attestation", "b"]')
    code, _, err = assay("prove", config, "--out", folder / "S", "--no-summary")
    assert code != 0
    assert f"{folder / 'b'}: attestation.duplicate" in err

    report = {"kind": "procedures", "unit": "ethereum::18", "reference": "report", "out": "r"}
    assert verify("attest-holding", "--from", settings(folder, **report))[0] == 0
    edit(config, '["bank.attestation", "b"]', '["bank.attestation"]')
    edit(config, 'code = "ETH"\n', 'code = "ETH"\nattestations = ["r"]\n')
    code, _, err = assay("prove", config, "--out", folder / "T", "--no-summary")
    assert code != 0
    assert "asset ETH: attestations: a report on procedures is of all that is held" in err

    report |= {"unit": "fiat:EUR:2", "reference": "report 2", "out": "e"}
    assert verify("attest-holding", "--from", settings(folder, **report))[0] == 0
    edit(config, 'attestations = ["r"]\n', "")
    edit(config, '["bank.attestation"]', '["bank.attestation", "e"]')
    code, _, err = assay("prove", config, "--out", folder / "U", "--no-summary")
    assert code != 0
    assert "asset EUR: attestations: a report on procedures is of all that is held" in err
    assert not (folder / "U" / "public").exists()


def test_the_exchange_cannot_attest_itself(folder: Path, assay: Assay, verify: Verify) -> None:
    """Neither by its key, nor by the one that it replaced."""
    config, file = folder / "snapshot.toml", folder / "bank.attestation"
    code, _, err = verify("attest-holding", "--from", settings(folder, key="signing.pem"))
    assert code == 2
    assert "--key: it is the exchange's own" in err
    assert not file.exists()

    verify("attest-holding", "--from", settings(folder))
    honest = read_record(HoldingAttestation, file.read_bytes())
    key = read_signing_key(folder / "signing.pem")
    signature = sign(key, ATTESTATION_PURPOSE, honest.body)
    file.write_bytes(write_record(HoldingAttestation(honest.body, public_bytes(key), signature)))
    code, _, err = assay("prove", config, "--out", folder / "S", "--no-summary")
    assert code != 0
    assert f"{file}: signed by the exchange itself" in err
    assert not (folder / "S" / "public").exists()

    file.write_bytes(write_record(honest))
    code, _, err = assay("prove", config, "--out", folder / "S", "--no-summary")
    assert code == 0, err
    make_keys(folder / "new")
    manifest = folder / "S" / "public" / "manifest.msgpack"
    old = f'manifest = "{manifest}"\nold_signing = "{folder / "signing.pem"}"'
    edit(config, "first = true", old)
    edit(config, f'signing = "{folder / "signing.pem"}"\nm', 'signing = "new/signing.pem"\nm')
    edit(config, 'snapshot_id = "one"', 'snapshot_id = "two"')
    edit(config, "2026-11-21", "2026-11-22")
    file.unlink()
    by_old = settings(folder, key="signing.pem", snapshot_id="two", time="2026-11-22T06:00:00Z")
    assert verify("attest-holding", "--from", by_old)[0] == 0
    code, _, err = assay("prove", config, "--out", folder / "T", "--no-summary")
    assert code != 0
    assert f"{file}: signed by the exchange itself" in err


def test_an_exchange_with_money_alone(folder: Path, assay: Assay, verify: Verify) -> None:
    """Neither chains nor lists of addresses are needed."""
    config = folder / "snapshot.toml"
    text = config.read_text("utf-8")
    head, rest = text.split("[chains.ethereum]")
    assert rest
    config.write_text(head + EURO, "utf-8")
    (folder / "ledger.csv").write_text("id,code,amount\nbob,EUR,190.5\n")
    verify("attest-holding", "--from", folder / "holding.toml")
    code, _, err = assay("prove", config, "--out", folder / "S", "--no-summary")
    assert code == 0, err
    audit = ("audit", folder / "S" / "public", "--exchange-key", folder / "exchange.pub", *UNIT)
    bank = folder / "bank" / "exchange.pub"
    code, out, _ = verify(*audit, "--attester", f"A bank={bank}", "--require", "attested")
    assert code == 0
    assert out.splitlines()[-1].startswith("ACCEPTED as attested: amounts of EUR rest on third")
    assert "solvent" not in out
    edit(config, EURO, f'[chains.fiat]\nheight = 1\nhash = "{"0" * 64}"\n{EURO}')
    code, _, err = assay("prove", config, "--out", folder / "T", "--no-summary")
    assert code != 0
    assert "chains.fiat: money in accounts has no block" in err


def test_the_command_line_comes_before_the_file_and_nothing_is_replaced(
    folder: Path, verify: Verify
) -> None:
    command = ("attest-holding", "--from", folder / "holding.toml")
    assert verify(*command)[0] == 0
    before = (folder / "bank.attestation").read_bytes()
    assert verify(*command)[0] == 0  # the same once more
    code, _, err = verify(*command, "--amount", "17")
    assert code == 2
    assert "nothing is overwritten" in err
    assert (folder / "bank.attestation").read_bytes() == before
    code, out, _ = verify(*command, "--amount", "77", "--out", folder / "other", "--json")
    assert code == 0
    assert json.loads(out)["amount"] == "77"
    code, out, _ = verify("attest-holding", "--show", folder / "other", "--json")
    shown = json.loads(out)
    assert (code, shown["amount"], shown["amounts_in"]) == (0, "7700", "base units")
    assert not list(folder.glob("*.partial"))


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"amount": ""}, "missing: --amount"),
        ({"amount": "1,5"}, "--amount: not a decimal"),
        ({"amount": "1.005"}, "more than 2 decimals"),
        ({"amount": "9" * 78}, "not below 2^256"),
        ({"encumbered": "201"}, "more is encumbered than there is"),
        ({"kind": "gold"}, "no kind of holding"),
        ({"unit": "EUR"}, "--unit: what it is held in"),
        ({"unit": "gold:AU:2"}, "no chain that is known"),
        ({"unit": "fiat:euro:2"}, "--unit: not a currency"),
        ({"unit": "fiat:EUR:37"}, "--unit"),
        ({"snapshot_id": "A"}, "--snapshot-id"),
        ({"attester": "Bank\u202eAG"}, "--attester"),
        ({"holder": "x" * 129}, "--holder: too many bytes"),
        ({"time": "yesterday"}, "--time: not a time"),
        ({"not_after": "2026-11-21T05:59:59Z"}, "not valid at"),
        ({"document": "nowhere.pdf"}, "nowhere.pdf: No such file"),
        ({"exchange_key": "assay1qqq"}, "a public key is 64 characters"),
        ({"key": "statement.pdf"}, "no Ed25519 key"),
        ({"colour": "red"}, "unknown key colour"),
    ],
)
def test_what_cannot_be_signed(
    folder: Path, verify: Verify, changed: dict[str, str], words: str
) -> None:
    code, _, err = verify("attest-holding", "--from", settings(folder, **changed))
    assert code == 2
    assert words in err
    assert not (folder / "bank.attestation").exists()


def test_a_key_that_others_may_read_signs_nothing(folder: Path, verify: Verify) -> None:
    (folder / "bank" / "signing.pem").chmod(0o640)
    code, _, err = verify("attest-holding", "--from", folder / "holding.toml")
    assert code == 2
    assert "chmod 600" in err


def test_what_is_no_attestation(folder: Path, verify: Verify) -> None:
    path = folder / "x"
    path.write_bytes(b"\x80")
    code, out, _ = verify("attest-holding", "--show", path)
    assert code == 3
    assert "attestation.bad-fields" in out
    assert verify("attest-holding", "--show", folder / "nothing")[0] == 1
    assert verify("attest-holding", "--show", path, "--amount", "1")[0] == 2
