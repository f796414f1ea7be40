"""Chains on which keys can lose their power: rows stay claimed, and every verdict says why."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

import verifier
import verifier.commands.cli
from spec.reference.keys import text as key_text
from tests.support.bases import USDT_ON_BSC, USDT_ON_TRON, base, base_files
from tests.support.subjects import CLOCK, write_files
from verifier import KnownUnit, Level, Policy, Report, TooWeak
from verifier.checks.holdings import CheckedEvidence
from verifier.checks.manifest import CheckedManifest
from verifier.commands.output import verdict

UNITS = (
    KnownUnit("BNB", "bsc", "", 18),
    KnownUnit("USDT", "bsc", USDT_ON_BSC, 18),
    KnownUnit("USDT", "tron", USDT_ON_TRON, 6),
)
SAYS = "authority not checked: USDT on tron, where an account's own key may have lost its power"


@dataclass
class Witness:
    """A node that confirms all amounts of its chain at the snapshot's time; or the keys, too."""

    chain: str
    knows_keys: bool = False

    def confirm(
        self, checked: CheckedManifest, evidence: Sequence[CheckedEvidence]
    ) -> list[CheckedEvidence]:
        return [
            replace(
                found,
                rows=tuple(
                    replace(
                        row,
                        level=Level.CHAIN,
                        has_authority=row.has_authority or self.knows_keys,
                    )
                    if row.chain == self.chain
                    else row
                    for row in found.rows
                ),
                block_times={**found.block_times, self.chain: checked.manifest.time},
            )
            for found in evidence
        ]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_files(tmp_path_factory.mktemp("authority") / "bundle", base_files("families"))


def audit(folder: Path, nodes: Mapping[str, Witness], require: Level = Level.CLAIMED) -> Report:
    key = base("families").forger.public_key
    policy = Policy(units=UNITS, require=require)
    return verifier.audit(folder, key, policy=policy, nodes=nodes, now=CLOCK)


def witnesses(*, knows_keys: bool) -> dict[str, Witness]:
    chains = ("bsc", "ethereum", "tron")
    return {chain: Witness(chain, knows_keys=knows_keys) for chain in chains}


def test_a_signature_alone_does_not_say_that_the_key_has_power(folder: Path) -> None:
    report = audit(folder, {})
    assert {item.code: item.authority_unchecked for item in report.assets} == {
        "BNB": (),
        "USDT": ("tron",),
    }
    assert verdict(report) == f"amounts of BNB, USDT rest on the exchange's word; {SAYS}"


def test_a_confirmed_amount_stays_claimed_without_it(folder: Path) -> None:
    nodes = witnesses(knows_keys=False)
    report = audit(folder, nodes)
    bnb, usdt = report.assets
    assert (bnb.level, usdt.level) == (Level.CHAIN, Level.CLAIMED)
    assert usdt.disclosed == {Level.CHAIN: 500_000, Level.CLAIMED: 500_000}
    assert not report.is_solvent
    assert verdict(report) == f"amounts of USDT rest on the exchange's word; {SAYS}"
    with pytest.raises(TooWeak):
        audit(folder, nodes, Level.CHAIN)


def test_who_knows_the_keys_raises_it(folder: Path) -> None:
    report = audit(folder, witnesses(knows_keys=True), Level.CHAIN)
    assert [(item.level, item.authority_unchecked) for item in report.assets] == [
        (Level.CHAIN, ()),
        (Level.CHAIN, ()),
    ]
    said = "solvent, as far as bridges and custodians hold (USDT on bsc): your own nodes confirm"
    assert verdict(report).startswith(said)
    assert (report.is_confirmed, report.is_solvent) == (True, False)


def test_text_and_json_say_it(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    nodes = witnesses(knows_keys=False)
    monkeypatch.setattr(verifier.commands.cli, "_nodes", lambda *_: nodes)
    words = ["audit", str(folder), "--exchange-key", key_text(base("families").forger.public_key)]
    for unit in UNITS:
        words += ["--unit", f"{unit.code}={unit.chain}:{unit.contract}:{unit.decimals}"]
    assert verifier.commands.cli.main(words) == 0
    *lines, last = capsys.readouterr().out.splitlines()
    assert last.endswith(f"; {SAYS}")
    (held,) = (line for line in lines if line.startswith("note USDT: "))
    assert held.endswith(", authority not checked on tron")
    assert verifier.commands.cli.main([*words, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["amounts"]["USDT"]["authority_unchecked"] == ["tron"]
    assert found["amounts"]["BNB"]["authority_unchecked"] == []
    assert found["verdict"].endswith(f"; {SAYS}")
    assert not found["all_confirmed"]
