"""How amounts are known: the order of levels, what nodes raise, and what the user requires."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import pytest

import verifier.cli
from tests.unit.verifier_bundle import Bundle
from verifier import (
    CannotCheck,
    Code,
    KnownUnit,
    Level,
    Misuse,
    Nodes,
    Policy,
    Rejected,
    TooWeak,
    audit,
)
from verifier.chain.levels import weakest
from verifier.holdings import CheckedEvidence
from verifier.manifest import CheckedManifest


@dataclass
class Witness:
    """A node that confirms the first rows of its chain, in number, or raises."""

    chain: str
    confirms: int = 10**6
    raises: Exception | None = None
    asked: list[int] = field(default_factory=list)

    def confirm(
        self, checked: CheckedManifest, evidence: Sequence[CheckedEvidence]
    ) -> list[CheckedEvidence]:
        self.asked.append(len(evidence))
        if self.raises:
            raise self.raises
        return [
            replace(
                found,
                rows=tuple(
                    replace(holding, level=Level.CHAIN)
                    if holding.chain == self.chain and at < self.confirms
                    else holding
                    for at, holding in enumerate(found.rows)
                ),
            )
            for found in evidence
        ]


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    return Bundle(tmp_path_factory.mktemp("levels") / "bundle")


def test_the_order_of_levels():
    order = [Level.UNVERIFIED, Level.CLAIMED, Level.HEADER, Level.CHAIN]
    assert list(Level) == order
    assert [level.rank for level in order] == [0, 1, 2, 3]
    assert weakest([Level.CHAIN, Level.HEADER, Level.CHAIN]) is Level.HEADER
    assert weakest([]) is Level.CLAIMED


def test_nodes_raise_what_they_confirm(bundle):
    bitcoin, ethereum = Witness("bitcoin"), Witness("ethereum", confirms=1)
    nodes = Nodes(bitcoin=bitcoin, ethereum=ethereum)
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
    audit(only.folder, only.key, nodes=Nodes(ethereum=witness))
    assert witness.asked == []


def test_a_contradiction_ends_the_audit(bundle):
    rejected = Rejected(Code.CHAIN_WRONG_BLOCK, "ethereum", "another hash")
    steps: list[tuple[str, bool]] = []
    with pytest.raises(Rejected) as raised:
        audit(
            bundle.folder,
            bundle.key,
            nodes=Nodes(ethereum=Witness("ethereum", raises=rejected)),
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
    nodes, policy = Nodes(bitcoin=Witness("bitcoin")), Policy(require=required)
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
    nodes = Nodes(bitcoin=Witness("bitcoin"), ethereum=Witness("ethereum"))
    monkeypatch.setattr(verifier.cli, "_nodes", lambda arguments: nodes)
    words = [command, str(bundle.folder), "--exchange-key", bundle.key_text, "--require", "chain"]
    assert verifier.cli.main(words) == 0
    *lines, last = capsys.readouterr().out.splitlines()
    assert last == verdict
    assert lines[-2:] == [
        "note BTC: 2.5 at addresses (chain)",
        "note ETH: 3.2 at addresses (chain)",
    ]
    assert verifier.cli.main([*words, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["amounts"]["ETH"] == {
        "level": "chain",
        "disclosed": {"chain": "3.2"},
        "hidden": [],
    }


@pytest.mark.parametrize(
    ("chain", "contract"),
    [
        ("ethereum", "0xdac17f958d2ee523a2206206994597c13d831ec7"),
        ("ethereum", "0xDAC17F958D2EE523A2206206994597C13D831EC7"),
        ("ethereum", "USDT"),
        ("bitcoin", "0xdAC17F958D2ee523a2206206994597C13D831ec7"),
    ],
)
def test_a_contract_is_named_by_its_one_text(chain, contract):
    """Under two texts one unit could count twice."""
    with pytest.raises(Misuse, match="malformed unit"):
        Policy(units=(KnownUnit("MINE", chain, contract, 6),))
    Policy(units=(KnownUnit("MINE", "tron", "TR7NHqjeKQxGTCi8q8ZY4pL8otSzgjLj6t", 6),))


def test_an_asset_without_anything_is_claimed():
    assert CheckedEvidence((), (), (), 0).level is Level.CLAIMED
