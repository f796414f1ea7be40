"""``assay evidence``: rows of evidence asked of a chain, to be signed by the wallets."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path

from prover.assets.bitcoin import (
    CollectedCoins,
    collect_by_rpc,
    collect_from_snapshot,
    write_coins,
)
from prover.assets.evm import Collected, collect, read_addresses, write_collected
from prover.assets.tron import collect_tron
from prover.commands.options import Usage
from prover.commands.progress import shown_progress
from prover.errors import ProverError
from prover.files.storage import read_at_most
from verifier.checks.policy import has_slot
from verifier.errors import CannotCheck, Misuse
from verifier.format.chains import CHAINS, Family
from verifier.format.params import ASSET_CODE
from verifier.format.units import known_units
from verifier.nodes.bitcoin_evidence import CHAIN as BITCOIN
from verifier.nodes.open import NODE_CHAINS
from verifier.nodes.utxo_snapshot import UtxoSnapshot
from verifier.ownership import OwnershipError, check_contract
from verifier.stateproof.tokens import MAX_SLOT, TokenSlot, token_slots

_MAX_COOKIE_BYTES = 1024


@dataclass(frozen=True)
class Asked:
    """What the command line asks for, as `assay evidence --help` explains it."""

    chain: str
    block: int
    addresses: Path
    out: Path
    rpc: str | None
    token: str | None
    slot: str | None
    cookie: Path | None
    snapshot: Path | None
    asset: str | None


def collect_evidence(asked: Asked, *, as_json: bool) -> None:
    """Ask a chain what addresses held after a block; write the rows, and the proof beside them."""
    chain, block, out, rpc = asked.chain, asked.block, asked.out, asked.rpc
    if chain not in NODE_CHAINS:
        words = f"no node is asked there; chains are {', '.join(NODE_CHAINS)}"
        raise Usage(f"CHAIN: {words}")
    family = CHAINS[chain].family
    _refuse_others(asked, family)
    contract = asked.token or ""
    slots = _slots(chain, contract, asked.slot)
    code = asked.asset or _known_code(chain, contract)
    if not ASSET_CODE.fullmatch(code):
        raise Usage("--asset: a code is 1 to 16 of A-Z, 0-9")
    if family is Family.BITCOIN:
        _bitcoin(asked, code, as_json=as_json)
        return
    if rpc is None:
        raise Usage("--rpc: a node's URL is needed")
    listed = read_addresses(asked.addresses, chain)
    try:
        with shown_progress() as progress:
            progress.stage("asking the node", len(listed))
            if family is Family.TRON:
                found = collect_tron(rpc, block, listed, contract, progress.advance)
            else:
                found = collect(chain, rpc, block, listed, contract, slots, progress.advance)
    except (CannotCheck, Misuse) as error:
        raise ProverError(str(error)) from None
    proof = write_collected(found, code, contract, out)
    print(_json(found, out, proof) if as_json else _text(found, out, proof))


def _refuse_others(asked: Asked, family: Family) -> None:
    """Refuse the options that mean nothing for a chain."""
    fitting = {
        Family.BITCOIN: {"cookie", "snapshot"},
        Family.TRON: {"token"},
    }.get(family, {"token", "slot"})
    for name in ("token", "slot", "cookie", "snapshot"):
        if getattr(asked, name) is not None and name not in fitting:
            raise Usage(f"--{name}: not for {asked.chain}")


def _bitcoin(asked: Asked, code: str, *, as_json: bool) -> None:
    """Collect the coins that addresses have on Bitcoin after a block."""
    rpc, block, out, cookie = asked.rpc, asked.block, asked.out, asked.cookie
    listed = read_addresses(asked.addresses, BITCOIN)
    try:
        if asked.snapshot is not None and rpc is None:
            with shown_progress() as bar:
                file = UtxoSnapshot(asked.snapshot)
                bar.stage("reading the snapshot", file.coins)
                found = collect_from_snapshot(file, block, listed, bar.reach)
        elif rpc is not None and asked.snapshot is None:
            credentials = None if cookie is None else _cookie(cookie)
            found = collect_by_rpc(rpc, credentials, block, listed)
        else:
            raise Usage("--rpc, --snapshot: give one of the two")
    except (CannotCheck, Misuse) as error:
        raise ProverError(str(error)) from None
    beside = write_coins(found, code, out)
    if found.youngest is not None and found.youngest < block:
        print(
            f"assay: warning: the youngest coin of the snapshot is of height {found.youngest}, "
            f"below {block}: make sure that block {block} has the hash {found.block_hash.hex()}",
            file=sys.stderr,
        )
    print(_coins_json(found, out, beside) if as_json else _coins_text(found, out, beside))


def _cookie(path: Path) -> str:
    return read_at_most(path, _MAX_COOKIE_BYTES).decode("utf-8", "replace").strip()


def _coins_json(found: CollectedCoins, rows: Path, coins: Path) -> str:
    result = {
        "rows": str(rows),
        "coins": str(coins),
        "height": found.height,
        "hash": found.block_hash.hex(),
        "header": found.header.hex() if found.header is not None else None,
        "tip": found.tip,
        "addresses": len(found.amounts),
        "empty": found.empty,
        "amount": str(sum(found.amounts.values())),
        "outputs": len(found.coins),
    }
    return json.dumps(result, sort_keys=True)


def _coins_text(found: CollectedCoins, rows: Path, coins: Path) -> str:
    block = found.block_hash.hex()
    header = f"# header: what `bitcoin-cli getblockheader {block} false` prints, in quotes"
    if found.header is not None:
        header = f'header = "{found.header.hex()}"'
    since = f"the node is at block {found.tip}: coins spent since are missing\n"
    return (
        f"{len(found.amounts)} addresses hold {sum(found.amounts.values())} satoshi in "
        f"{len(found.coins)} coins; {found.empty} hold nothing and are left out\n"
        + since
        * (found.tip > found.height)
        + f"rows   {rows}: add format and signature to each\n"
        f"coins  {coins}: name it under coins of the asset\n"
        f"[chains.{BITCOIN}]\n"
        f"height = {found.height}\n"
        f'hash = "{block}"\n'
        f"{header}"
    )


def _slots(chain: str, contract: str, slot: str | None) -> dict[str, TokenSlot]:
    """Return where the chain's tokens keep balances; refuse a malformed contract or slot."""
    try:
        check_contract(chain, contract)
    except OwnershipError as error:
        raise Usage(f"--token: {error.message}") from None
    if slot is None:
        return token_slots(chain)
    if not has_slot(chain, contract):
        words = f"no header of {chain} proves what a token holds, or no --token is given"
        raise Usage(f"--slot: {words}")
    if not (slot.isascii() and slot.isdigit() and len(slot) <= 78 and int(slot) <= MAX_SLOT):
        raise Usage("--slot: a slot is a number below 2^256")
    try:
        return token_slots(chain, [TokenSlot(chain, contract, int(slot))])
    except Misuse as error:
        raise Usage(f"--slot: {error}") from None


def _known_code(chain: str, contract: str) -> str:
    for unit in known_units():
        if (unit.chain, unit.contract) == (chain, contract):
            return unit.code
    raise Usage("--asset: the code is not known: name it")


def _json(found: Collected, rows: Path, proof: Path | None) -> str:
    result = {
        "rows": str(rows),
        "proof": None if proof is None else str(proof),
        "height": found.block.height,
        "hash": found.block.hash.hex(),
        "addresses": len(found.amounts),
        "empty": found.empty,
        "amount": str(sum(found.amounts.values())),
        "header": found.header.hex() if found.header is not None else None,
        "nodes": 0 if found.proof is None else len(found.proof.nodes),
    }
    return json.dumps(result, sort_keys=True)


def _text(found: Collected, rows: Path, proof: Path | None) -> str:
    beside = "no proof: readers confirm it with nodes, or tables, of their own"
    if proof is not None:
        beside = f"proof  {proof}: name it under proofs of the asset"
    header = "" if found.header is None else f'\nheader = "{found.header.hex()}"'
    return (
        f"{len(found.amounts)} addresses hold {sum(found.amounts.values())} base units; "
        f"{found.empty} hold nothing and are left out\n"
        f"rows   {rows}: add format and signature to each\n"
        f"{beside}\n"
        f"[chains.{found.block.name}]\n"
        f"height = {found.block.height}\n"
        f'hash = "{found.block.hash.hex()}"' + header
    )
