"""Attested holdings: whose word is taken, what is said of each, and what never becomes solvent.

Each rejection has its vector; `tests/vectors/make_attested.py`.
"""

from __future__ import annotations

import json
import time
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from spec.reference import attested as reference
from tests.support.attested_forge import AT_BANK, BANK, CUSTODIAN, POLICY, STRANGER
from tests.support.bases import attesting, base, base_files
from tests.support.forger import attested, pack, public_key
from tests.support.subjects import write_files
from verifier import Attester, KnownUnit, Level, Misuse, Policy, Rejected, TooWeak, audit
from verifier.checks.attested import Attestations
from verifier.commands.output import JsonOutput, TextOutput, verdict
from verifier.errors import Code
from verifier.format.evidence_records import HoldingAttestation, HoldingBody
from verifier.format.holding import ATTESTATION_PURPOSE, HoldingKind
from verifier.format.keys import is_signed, sign
from verifier.format.wire import Loan, Pledge, Unit, read_record
from verifier.texts import holding_words

EUR = KnownUnit("EUR", "fiat", "EUR", 2)
NAMED = (Attester("A bank", public_key(BANK)), Attester("A custodian", public_key(CUSTODIAN)))


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_files(tmp_path_factory.mktemp("attested") / "bundle", base_files("attested"))


KEY = base("attested").forger.public_key


def test_the_word_of_those_whom_the_reader_named_is_taken(bundle: Path) -> None:
    report = audit(bundle, KEY, policy=Policy(units=(EUR,), attesters=NAMED))
    euro = report.assets[2]
    assert (euro.code, euro.level, euro.disclosed) == ("EUR", Level.ATTESTED, {})
    assert sorted(holding.units for holding in euro.attested) == [2_000_000, 4_900_000]
    assert report.level is Level.CLAIMED  # of what is on chains
    assert not report.is_solvent


@pytest.mark.parametrize("named", [(), NAMED[:1], (Attester("A bank", public_key(STRANGER)),)])
def test_an_unknown_key_is_the_exchanges_word(bundle: Path, named: tuple[Attester, ...]) -> None:
    """A wrong key, or none, is no fault of the exchange's; nor does it raise anything."""
    report = audit(bundle, KEY, policy=Policy(units=(EUR,), attesters=named))
    euro = report.assets[2]
    assert euro.level is Level.CLAIMED
    unknown = [holding for holding in euro.attested if holding.known is Level.CLAIMED]
    assert unknown
    for holding in unknown:
        assert any("signed by an unknown key" in line for line in holding.lines("EUR"))


def test_the_exchanges_own_key_is_nobody_elses(bundle: Path, tmp_path: Path) -> None:
    seed = base("attested").forger.signing_seed
    made = attesting({"EUR": [replace(AT_BANK, amount=10**8), replace(AT_BANK, seed=seed)]})
    own = write_files(tmp_path / "own", made.forger.bundle())
    named = (NAMED[0], Attester("Big Bank", made.forger.public_key))
    euro = audit(own, KEY, policy=Policy(units=(EUR,), attesters=named)).assets[2]
    assert euro.level is Level.CLAIMED
    (held,) = [holding for holding in euro.attested if holding.key == made.forger.public_key]
    assert (held.known, held.attester) == (Level.CLAIMED, "")
    assert any("signed by the exchange itself" in line for line in held.lines("EUR"))
    assert not any("Big Bank" in line for line in held.lines("EUR"))


def test_an_attested_asset_is_not_confirmed_and_not_solvent(bundle: Path) -> None:
    policy = Policy(units=(EUR,), attesters=NAMED, require=Level.ATTESTED)
    with pytest.raises(TooWeak) as raised:
        audit(bundle, KEY, policy=policy)
    alone = replace(raised.value.report, assets=raised.value.report.assets[2:3])
    assert alone.level is Level.ATTESTED
    assert not alone.is_solvent
    assert verdict(alone).startswith("amounts of EUR rest on third parties whom you named")


def test_lines_say_who_attests_what_and_what_it_is_worth(bundle: Path) -> None:
    report = audit(bundle, KEY, policy=Policy(units=(EUR,), attesters=NAMED))
    (held,) = [holding for holding in report.assets[2].attested if holding.key == public_key(BANK)]
    words = holding_words("bank-balance")
    assert held.lines("EUR") == (
        "EUR, attested: 50000 EUR, of which 1000 encumbered; money in a bank account "
        "(bank-balance), of 2025-12-31T23:00:00Z, good until 2026-01-31T00:00:00Z",
        f"{words.worth}; {words.overlap}",
        f"document {held.body.document.hex()}",
        "signed by a key that was named for: A bank",
        "who signs as: Custodian AG",
        "holder, as the signer says: Forged Exchange Ltd",
        "reference, as the signer says: account ending 4711",
    )


SENTENCE = "Big Bank, whom you named; EUR, attested: 90000 EUR. {} and more"


@pytest.mark.parametrize("seed", [STRANGER, base("attested").forger.signing_seed])
def test_a_name_that_is_a_sentence_ends_a_line_of_its_own(
    tmp_path: Path, seed: bytes, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whoever reads the beginnings of lines reads nothing that a stranger wrote."""
    names = {name: SENTENCE.format(name) for name in ("attester", "holder", "reference")}
    held = replace(AT_BANK, seed=seed, amount=10**7, others=tuple(names.items()))
    made = attesting({"EUR": [held]})
    report = audit(
        write_files(tmp_path / "b", made.forger.bundle()),
        KEY,
        policy=Policy(units=(EUR,), attesters=NAMED),
    )
    TextOutput().accept(report)
    out = capsys.readouterr().out
    lines = out.splitlines()
    assert any(line.startswith("note EUR, claimed: 100000 EUR, of which ") for line in lines)
    for name in names.values():
        (line,) = [line for line in lines if name in line]
        assert line.startswith(("note   signed by ", "note   holder, as ", "note   reference, as "))
        assert line.endswith(f": {name}")


def test_of_many_holdings_and_pledges_the_first_are_listed(
    bundle: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    report = audit(bundle, KEY, policy=Policy(units=(EUR,), attesters=NAMED))
    euro = report.assets[2]
    pledges = tuple(Pledge(f"address {at}", "bitcoin") for at in range(300))
    loans = tuple(Loan("", "BTC", f"Lender {at:03}", pledges) for at in range(300))
    many = replace(euro, attested=euro.attested * 1000, pledged_rows=1, pledged=1)
    TextOutput().accept(replace(report, assets=(many,) * 300, loans=loans))
    out = capsys.readouterr().out
    assert len(out.splitlines()) < 300
    assert max(map(len, out.splitlines())) < 1000
    for said in (
        "note 599,980 more attested holdings: --json has all",
        "note 280 more loans: --json has all",
        "note     280 more addresses pledged for it",
        "note     300 more addresses pledged for it",
        "note 280 more assets of which something is pledged: --json has all",
    ):
        assert said in out
    JsonOutput().accept(replace(report, assets=(many,), loans=loans))
    found = json.loads(capsys.readouterr().out)
    assert len(found["amounts"]["EUR"]["attested"]) == 2000
    assert len(found["declaration"]["loans"]) == 300


def test_every_kind_has_words_of_its_own_and_both_verifiers_have_the_same() -> None:
    words = [holding_words(kind) for kind in HoldingKind]
    for field in ("what", "worth", "overlap"):
        assert len({getattr(entry, field) for entry in words}) == len(HoldingKind)
    assert sorted(reference.KINDS) == sorted(HoldingKind)
    assert "circular" in holding_words("exchange-account").overlap
    assert "nothing else counts beside it" in holding_words("procedures").overlap


@pytest.mark.parametrize(
    ("attesters", "words"),
    [
        ((Attester("A bank", bytes(32)),), "nobody's"),
        ((Attester("A bank", b"\1" + bytes(31)),), "nobody's"),
        ((Attester("A bank", b"\xff" * 32),), "nobody's"),
        ((Attester("", public_key(BANK)),), "name"),
        ((Attester("A  bank", public_key(BANK)),), "name"),
        ((Attester(" A bank", public_key(BANK)),), "name"),
        ((NAMED[0], replace(NAMED[0], name="Another")), "twice"),
    ],
)
def test_an_attester_has_a_name_and_a_key_of_their_own(
    attesters: tuple[Attester, ...], words: str
) -> None:
    with pytest.raises(Misuse, match=words):
        Policy(attesters=attesters)


class Held:
    """An asset that is held in euro alone."""

    code, decimals, units = "EUR", 2, (Unit("fiat", "EUR", 2),)


def test_vectors_of_another_implementation(test_cases: Path) -> None:
    """One that is right, and one that is signed under the tag of an audit; and altered bodies."""
    vectors = json.loads((test_cases / "chains" / "attestation.json").read_text())
    assert [vector["valid"] for vector in vectors] == [True, False]
    for vector in vectors:
        body, key, signature = (
            bytes.fromhex(vector[name]) for name in ("body", "key", "signature")
        )
        fields = read_record(HoldingBody, body)
        stated = _Stated(fields.exchange_key, fields.snapshot_id, fields.time)

        def code(
            data: bytes,
            stated: _Stated = stated,
            key: bytes = key,
            signature: bytes = signature,
        ) -> str | None:
            entry = HoldingAttestation(data, key, signature)
            try:
                Attestations(stated, {key: "A custodian"}).check(Held, entry, "here")
            except Rejected as error:
                return error.code
            return None

        assert code(body) == (None if vector["valid"] else Code.ATTESTATION_BAD_SIGNATURE)
        altered = body.replace(b"account ending 4711", b"account ending 4712")
        assert code(altered) == Code.ATTESTATION_BAD_SIGNATURE
        assert is_signed(key, vector["tag"], body, signature) is vector["valid"]


class _Stated:
    def __init__(self, public_key: bytes, snapshot_id: str, time: int) -> None:
        self.public_key, self.snapshot_id, self.time = public_key, snapshot_id, time


def test_a_thousand_holdings_take_little_time() -> None:
    """No check looks at all those before; a signature takes a tenth of a millisecond."""
    forger = attesting().forger
    key = Ed25519PrivateKey.from_private_bytes(BANK)
    bodies = [
        pack(replace(AT_BANK, reference=f"account {at:04}").body(forger)) for at in range(1000)
    ]
    entries = [
        HoldingAttestation(body, public_key(BANK), sign(key, ATTESTATION_PURPOSE, body))
        for body in bodies
    ]
    checks = Attestations(forger, {public_key(BANK): "A bank"})
    start = time.process_time()
    found = [checks.check(Held, entry, "here") for entry in entries]
    assert time.process_time() - start < 2
    assert sum(holding.units for holding in found) == 4_900_000_000
    with pytest.raises(Rejected, match="duplicate"):
        checks.check(Held, entries[500], "here")


def test_a_policy_of_the_vectors_is_one_of_ours() -> None:
    assert [key for _, key in POLICY["attesters"]] == [it.public_key for it in NAMED]
    assert attested(BANK, b"")["key"] == public_key(BANK)
