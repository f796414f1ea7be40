"""`assay challenge`: what it prints beside the messages, and what it refuses."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from prover.sample.sample import make_sample
from tests.support.exchange_files import Done, outside

BLOCK = '\n[chains.{}]\nheight = 7\nhash = "' + "ab" * 32 + '"\n'


def challenge(folder: Path, *chains: str, options: tuple[str, ...] = (), **names: str) -> Done:
    config = make_sample(folder / "exchange", 10, ["BTC", "ETH"], 3).config
    text = config.read_text()
    for key, name in names.items():
        (line,) = (line for line in text.splitlines() if line.startswith(f"{key} ="))
        text = text.replace(line, f'{key} = "{name}"')
    config.write_text(text + "".join(map(BLOCK.format, chains)))
    return outside("challenge", str(config), *options)


def test_the_menus_of_wallets_are_named_for_each_chain(tmp_path: Path) -> None:
    done = challenge(tmp_path, "polygon", "tron")
    assert done.code == 0
    sections = {
        block.partition(",")[0]: block for block in done.out.split("--- ") if "SHA-256" in block
    }
    assert list(sections) == ["bitcoin", "ethereum", "polygon", "tron"]
    menus = {
        chain: done.out.split(f"--- {chain}, SHA-256")[1].split("--- ")[1] for chain in sections
    }
    for chain, words in (
        ("bitcoin", ("Sparrow", "Tools, Sign/Verify Message", "bip322 createpsbt")),
        ("ethereum", ("MetaMask", "cast wallet sign --ledger", "Safe", "eip1271")),
        ("polygon", ("MetaMask", "cast wallet sign --ledger", "Safe", "eip1271")),
        ("tron", ("TronLink", "signMessageV2", "tip191")),
    ):
        for word in words:
            assert word in menus[chain]
    assert "one signature" not in menus["bitcoin"]
    (shared,) = (line for line in done.out.splitlines() if "signs once for all EVM" in line)
    assert "sign the message of ethereum" in shared
    assert "its rows on polygon need none, or name it as eip191@ethereum" in shared
    assert "the messages have line breaks" in done.err


def test_one_evm_chain_shares_nothing(tmp_path: Path) -> None:
    done = challenge(tmp_path, "tron")
    assert "signs once" not in done.out


def test_json_is_the_messages_alone(tmp_path: Path) -> None:
    done = challenge(tmp_path, "bsc", "tron", options=("--json",))
    messages = json.loads(done.out)
    assert list(messages) == ["bitcoin", "bsc", "ethereum", "tron"]
    assert all(chain in message.split("\n") for chain, message in messages.items())


@pytest.mark.parametrize(("characters", "over"), [(1, 0), (36, 0), (37, 1), (64, 28)])
def test_ledgers_limit_on_tron(tmp_path: Path, characters: int, over: int) -> None:
    done = challenge(tmp_path, "tron", exchange="x" * 64, snapshot_id="1" * characters)
    assert done.code == 0
    warned = [line for line in done.err.splitlines() if "Ledger" in line]
    expected = (
        f"assay: warning: tron: {255 + over} bytes: Ledger's signature of more than 255 does not "
        f"hold; shorten the exchange's name and the snapshot's id by {over} together"
    )
    assert warned == ([expected] if over else [])


@pytest.mark.parametrize("chain", ["solana", "Tron", "narnia"])
def test_a_chain_that_nobody_knows_is_refused_here(tmp_path: Path, chain: str) -> None:
    done = challenge(tmp_path, chain)
    assert done.code == 1
    assert f"chains.{chain}: nothing can prove what is held on '{chain}'" in done.err
    assert "chains are arbitrum, avalanche, base, bitcoin, blast, bsc, " in done.err
    assert done.out == ""
