"""How amounts are known: the order of levels, what nodes raise, and what the user requires."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import pytest

import verifier.commands.cli
from tests.support.verifier_bundle import DECIMALS, UNITS, Bundle
from verifier import (
    CannotCheck,
    Code,
    KnownUnit,
    Level,
    Misuse,
    Nodes,
    NotCompared,
    Policy,
    Rejected,
    TooWeak,
    audit,
    check_inclusion,
    check_solvency,
)
from verifier.checks.holdings import CheckedEvidence
from verifier.checks.manifest import CheckedManifest
from verifier.commands.output import JsonOutput, TextOutput, verdict
from verifier.format import wire
from verifier.format.levels import weakest


@dataclass
class Witness:
    """A node that confirms the first rows of its chain, in number, or raises.

    time: the block's, if it tells that.
    """

    chain: str
    confirms: int = 10**6
    time: int | None = None
    raises: Exception | None = None
    asked: list[int] = field(default_factory=list)

    def confirm(
        self, checked: CheckedManifest, evidence: Sequence[CheckedEvidence]
    ) -> list[CheckedEvidence]:
        self.asked.append(len(evidence))
        if self.raises:
            raise self.raises
        times = {} if self.time is None else {self.chain: self.time}
        return [
            replace(
                found,
                rows=tuple(
                    replace(holding, level=Level.CHAIN)
                    if holding.chain == self.chain and at < self.confirms
                    else holding
                    for at, holding in enumerate(found.rows)
                ),
                block_times={**found.block_times, **times},
            )
            for found in evidence
        ]


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    return Bundle(tmp_path_factory.mktemp("levels") / "bundle")


def test_the_order_of_levels():
    order = ["unverified", "claimed", "header", "attested", "listed", "chain"]
    assert list(Level) == order
    assert [level.rank for level in Level] == [0, 1, 2, 3, 4, 5]
    assert weakest([Level.CHAIN, Level.HEADER, Level.CHAIN]) is Level.HEADER
    assert weakest([]) is Level.CLAIMED


def test_nodes_raise_what_they_confirm(bundle):
    bitcoin, ethereum = Witness("bitcoin"), Witness("ethereum", confirms=1)
    nodes = {"bitcoin": bitcoin, "ethereum": ethereum}
    report = audit(bundle.folder, bundle.key, nodes=nodes)
    btc, eth = report.assets
    assert (btc.level, btc.disclosed) == (Level.CHAIN, {Level.CHAIN: 250_000_000})
    assert eth.level is report.level is Level.CLAIMED
    assert set(eth.disclosed) == {Level.CHAIN, Level.CLAIMED}
    assert sum(eth.disclosed.values()) == 3_200_000_000
    assert (bitcoin.asked, ethereum.asked) == ([2], [2])
    steps = {check.name: check.figures for check in report.checks}
    found = steps["block and amounts of ethereum, by your own node"]
    assert found == {"height": 7, "confirmed": 1, "undecided": 1}
    names = list(steps)
    assert names.index("evidence of ETH") < names.index(
        "block and amounts of bitcoin, by your own node"
    )
    assert names.index("block and amounts of ethereum, by your own node") < names.index(
        "solvency argument of BTC"
    )


def test_a_node_of_a_chain_that_nothing_is_on_is_not_asked(tmp_path):
    only = Bundle(tmp_path / "only", capacities={"BTC": 1})
    only.publish(replace(only.manifest, chains=only.manifest.chains[:1]))
    witness = Witness("ethereum")
    report = audit(only.folder, only.key, nodes={"ethereum": witness})
    assert witness.asked == []
    assert "your node of ethereum was not asked: the snapshot names no block of it" in (
        report.warnings
    )


def test_a_contradiction_ends_the_audit(bundle):
    rejected = Rejected(Code.CHAIN_WRONG_BLOCK, "ethereum", "another hash")
    steps: list[tuple[str, bool | None]] = []
    with pytest.raises(Rejected) as raised:
        audit(
            bundle.folder,
            bundle.key,
            nodes={"ethereum": Witness("ethereum", raises=rejected)},
            on_check=lambda check: steps.append((check.name, check.ok)),
        )
    assert raised.value is rejected
    assert steps[-1] == ("block and amounts of ethereum, by your own node", False)


@pytest.mark.parametrize(
    ("required", "enough"),
    [
        (Level.UNVERIFIED, True),
        (Level.CLAIMED, True),
        (Level.HEADER, False),
        (Level.CHAIN, False),
    ],
)
def test_what_is_required_of_the_weakest(bundle, required, enough):
    nodes, policy = {"bitcoin": Witness("bitcoin")}, Policy(require=required)
    if enough:
        assert audit(bundle.folder, bundle.key, nodes=nodes, policy=policy).level is Level.CLAIMED
        return
    with pytest.raises(TooWeak) as raised:
        audit(bundle.folder, bundle.key, nodes=nodes, policy=policy)
    assert raised.value.code is Code.CHECK_TOO_WEAK
    assert isinstance(raised.value, CannotCheck)
    assert "amounts of ETH are" in raised.value.message
    assert [item.level for item in raised.value.report.assets] == [Level.CHAIN, Level.CLAIMED]


@pytest.mark.parametrize(
    ("command", "verdict"),
    [
        ("audit", "ACCEPTED as chain: solvent: your own nodes confirm every amount"),
        (
            "solvency",
            "ACCEPTED as chain: your own nodes confirm every amount; no tree was checked",
        ),
    ],
)
def test_the_word_solvent_needs_a_node_for_all_and_an_audit(
    bundle, monkeypatch, capsys, command, verdict
):
    nodes = dated(bundle, bitcoin=0, ethereum=0)
    monkeypatch.setattr(verifier.commands.cli, "_nodes", lambda *_: nodes)
    words = [command, str(bundle.folder), "--exchange-key", bundle.key_text, "--require", "chain"]
    assert verifier.commands.cli.main(words) == 0
    *lines, last = capsys.readouterr().out.splitlines()
    assert last == verdict
    assert lines[-3:-1] == [
        "note BTC: 2.5 at addresses (chain)",
        "note ETH: 3.2 at addresses (chain)",
    ]
    assert verifier.commands.cli.main([*words, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["all_confirmed"] == (command == "audit")
    assert found["amounts"]["ETH"] == {
        "level": "chain",
        "authority_unchecked": [],
        "disclosed": {"chain": "3.2"},
        "hidden": [],
        "pledged": {"rows": 0, "amount": "0"},
        "attested": [],
    }


def dated(bundle: Bundle, **away: int | None) -> Nodes:
    """Nodes that confirm everything, at blocks so many seconds from the snapshot, or undated."""
    base = bundle.manifest.time
    return {
        chain: Witness(chain, time=None if seconds is None else base + seconds)
        for chain, seconds in away.items()
    }


@pytest.mark.parametrize(
    ("away", "far", "undated"),
    [
        ({"bitcoin": 86_400, "ethereum": -86_400}, (), ()),
        ({"bitcoin": 86_401, "ethereum": 0}, ("bitcoin",), ()),
        ({"bitcoin": 0, "ethereum": -86_401}, ("ethereum",), ()),
        ({"bitcoin": None, "ethereum": 0}, (), ("bitcoin",)),
        ({"bitcoin": None, "ethereum": None}, (), ("bitcoin", "ethereum")),
        ({"bitcoin": 10**9, "ethereum": None}, ("bitcoin",), ("ethereum",)),
    ],
)
def test_every_block_that_counts_is_known_to_be_of_the_day(bundle, away, far, undated):
    """What is not known of a block's time is no evidence that it is near."""
    nodes = dated(bundle, **away)
    report = audit(bundle.folder, bundle.key, nodes=nodes)
    assert (report.far, report.undated) == (far, undated)
    assert report.level is Level.CHAIN
    assert report.is_solvent == (not far and not undated)
    assert ("solvent" in verdict(report)) == report.is_solvent
    for chain in far + undated:
        assert chain in verdict(report)
    policy = Policy(require=Level.CHAIN)
    if report.is_solvent:
        audit(bundle.folder, bundle.key, nodes=nodes, policy=policy)
        return
    with pytest.raises(TooWeak) as raised:
        audit(bundle.folder, bundle.key, nodes=nodes, policy=policy)
    for chain in far + undated:
        assert chain in raised.value.message


def test_a_chain_that_nothing_is_on_needs_no_time(tmp_path):
    only = Bundle(tmp_path / "only", capacities={"BTC": 1})
    assert [chain.name for chain in only.manifest.chains] == ["bitcoin", "ethereum"]
    report = audit(only.folder, only.key, nodes=dated(only, bitcoin=0))
    assert report.chains == ("bitcoin",)
    assert report.is_solvent
    old = dated(only, bitcoin=0, ethereum=-86_401)
    report = audit(only.folder, only.key, nodes=old, policy=Policy(require=Level.CHAIN))
    assert report.far == ()
    assert report.is_solvent
    assert any("block of ethereum is of" in warning for warning in report.warnings)


@pytest.mark.parametrize("level", list(Level))
def test_only_the_strongest_level_is_called_solvent(bundle, level):
    """Whatever levels there will be, none of them is the best by being unknown."""
    report = audit(bundle.folder, bundle.key, nodes=dated(bundle, bitcoin=0, ethereum=0))
    assets = tuple(replace(item, level=level) for item in report.assets)
    assert ("solvent" in verdict(replace(report, assets=assets))) == (level is Level.CHAIN)


@pytest.mark.parametrize(("ratio", "whole"), [((4, 5), False), ((1, 1), True), ((5, 4), True)])
def test_a_part_of_what_is_owed_is_not_solvent(bundle, ratio, whole):
    """A reader may ask for less than everything; the word needs all of it."""
    report = audit(bundle.folder, bundle.key, nodes=dated(bundle, bitcoin=0, ethereum=0))
    btc, eth = report.manifest.assets
    btc = replace(btc, ratio=wire.Ratio(den=ratio[1], num=ratio[0]))
    shown = replace(report, manifest=replace(report.manifest, assets=(btc, eth)))
    assert shown.is_solvent == whole
    assert ("solvent" in verdict(shown)) == whole
    assert ("of BTC, assets are proved to be a part" in verdict(shown)) != whole


@pytest.mark.parametrize("check", [audit, check_solvency])
def test_a_snapshot_dated_ahead_is_not_checked(bundle, check):
    """A time is bounded from above as it is from below; false bytes are rejected all the same."""
    dated_at = bundle.manifest.time
    check(bundle.folder, bundle.key, now=dated_at - 86_400)
    with pytest.raises(CannotCheck) as raised:
        check(bundle.folder, bundle.key, now=dated_at - 86_401)
    assert raised.value.code is Code.CHECK_FUTURE
    with pytest.raises(Rejected, match="ratio-below-policy"):
        check(bundle.folder, bundle.key, now=0, policy=Policy(ratio=(2, 1)))


@pytest.mark.parametrize(
    ("chain", "contract"),
    [
        ("ethereum", "0xdac17f958d2ee523a2206206994597c13d831ec7"),
        ("ethereum", "0xDAC17F958D2EE523A2206206994597C13D831EC7"),
        ("ethereum", "USDT"),
        ("bitcoin", "0xdAC17F958D2ee523a2206206994597C13D831ec7"),
        ("fiat", "usd"),
        ("fiat", ""),
        ("kaspa", ""),
    ],
)
def test_a_contract_is_named_by_its_one_text(chain, contract):
    """Under two texts one unit could count twice."""
    with pytest.raises(Misuse, match="malformed unit"):
        Policy(units=(KnownUnit("MINE", chain, contract, 6),))
    Policy(units=(KnownUnit("MINE", "tron", "TCFLL5dx5ZJdKnWuesXxi1VPwjLVmWZZy9", 18),))


def test_an_asset_without_anything_is_claimed():
    assert CheckedEvidence((), (), (), 0).level is Level.CLAIMED


@pytest.mark.parametrize("set_aside", [("BTC",), ("ETH",), ("BTC", "ETH")])
def test_solvent_is_said_of_no_asset_set_aside(bundle, set_aside):
    report = audit(bundle.folder, bundle.key, nodes=dated(bundle, bitcoin=0, ethereum=0))
    shown = replace(report, set_aside=set_aside)
    said = verdict(shown)
    left = {"BTC", "ETH"} - set(set_aside)
    assert said.startswith(f"solvent in {', '.join(left)}: ") == bool(left)
    assert ("solvent" in said) == shown.is_solvent == bool(left)
    if left:
        assert f"confirm every amount of {', '.join(left)}; " in said
    assert said.endswith(
        f"not vouched for: {', '.join(set_aside)}, of which this verifier does not know what it "
        "stands for"
    )


def test_the_level_is_that_of_what_is_vouched_for(bundle):
    report = audit(bundle.folder, bundle.key, nodes=dated(bundle, bitcoin=0, ethereum=0))
    btc, eth = report.assets
    weak = replace(report, assets=(btc, replace(eth, level=Level.CLAIMED)))
    assert weak.level is Level.CLAIMED
    assert replace(weak, set_aside=("ETH",)).level is Level.CHAIN
    assert replace(weak, set_aside=("BTC", "ETH")).level is Level.CLAIMED
    assert replace(report, set_aside=("BTC", "ETH")).level is Level.CHAIN


@pytest.fixture
def unknown(tmp_path, monkeypatch):
    """A bundle with one asset, whose unit no reader knows."""
    monkeypatch.setitem(UNITS, "OWN", wire.Unit("ethereum", "0x" + "11" * 20, 18))
    monkeypatch.setitem(DECIMALS, "OWN", 9)
    return Bundle(
        tmp_path / "unknown", ledger={"alice@example.com": {"OWN": [5, 6]}}, capacities={"OWN": 1}
    )


@pytest.mark.parametrize("away", [None, 86_401])
def test_where_all_is_set_aside_chain_still_needs_a_block_of_the_day(unknown, away):
    nodes = dated(unknown, ethereum=away)
    report = audit(unknown.folder, unknown.key, nodes=nodes)
    assert report.set_aside == ("OWN",)
    assert not report.is_solvent
    with pytest.raises(TooWeak, match="block of ethereum"):
        audit(unknown.folder, unknown.key, nodes=nodes, policy=Policy(require=Level.CHAIN))


def test_what_is_not_compared_may_be_set_aside(unknown, capsys):
    package = unknown.package(unknown.body("alice@example.com"))
    with pytest.raises(NotCompared) as raised:
        check_inclusion(package, unknown.folder, unknown.key, "alice@example.com", {"BTC": "0"})
    JsonOutput().fail(raised.value)
    assert json.loads(capsys.readouterr().out)["set_aside"] == ["OWN"]
    TextOutput().fail(raised.value)
    assert "note not vouched for: OWN" in capsys.readouterr().out


def test_where_all_is_set_aside_no_level_is_told(unknown, capsys):
    TextOutput().accept(audit(unknown.folder, unknown.key))
    assert capsys.readouterr().out.splitlines()[-1].startswith("ACCEPTED: not vouched for: OWN, ")


def test_what_is_required_is_required_of_what_is_set_aside(tmp_path, monkeypatch):
    """Or an exchange would only have to add a unit to an asset, and less is asked of it."""
    monkeypatch.setitem(UNITS, "OWN", wire.Unit("ethereum", "0x" + "11" * 20, 18))
    monkeypatch.setitem(DECIMALS, "OWN", 9)
    ledger = {"alice@example.com": {"BTC": [5, 6], "OWN": [5, 6]}}
    both = Bundle(tmp_path / "both", ledger=ledger, capacities={"BTC": 1, "OWN": 1})
    nodes = dated(both, bitcoin=0)
    report = audit(both.folder, both.key, nodes=nodes)
    assert (report.level, report.set_aside, report.is_solvent) == (Level.CHAIN, ("OWN",), True)
    with pytest.raises(TooWeak, match="amounts of OWN are not known as chain"):
        audit(both.folder, both.key, nodes=nodes, policy=Policy(require=Level.CHAIN))
