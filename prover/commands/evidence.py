"""``assay evidence``: rows of evidence asked of a chain, to be signed by the wallets."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from prover.assets.bitcoin import (
    CollectedCoins,
    collect_by_rpc,
    collect_from_snapshot,
    write_coins,
)
from prover.assets.ethereum import (
    Collected,
    collect,
    read_addresses,
    write_collected,
)
from prover.commands.progress import shown_progress
from prover.errors import ProverError
from verifier.checks.policy import is_account
from verifier.errors import CannotCheck, Misuse
from verifier.format.params import ASSET_CODE
from verifier.format.units import known_units
from verifier.nodes.bitcoin_evidence import CHAIN as BITCOIN
from verifier.nodes.ethereum_node import CHAIN
from verifier.nodes.utxo_snapshot import UtxoSnapshot
from verifier.stateproof.tokens import MAX_SLOT, TokenSlot, token_slots

app = typer.Typer(no_args_is_help=True, help="Ask a chain what addresses hold, and keep the proof.")

Json = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]


@app.command()
def ethereum(
    rpc: Annotated[str, typer.Option(metavar="URL", help="Any node that has the block's state.")],
    block: Annotated[int, typer.Option(metavar="N", min=1, help="The block's height.")],
    addresses: Annotated[Path, typer.Option(metavar="FILE", help="One address a line.")],
    out: Annotated[Path, typer.Option(metavar="FILE.csv", help="The rows; the proof beside it.")],
    token: Annotated[
        str | None, typer.Option(metavar="CONTRACT", help="A token; otherwise it is ether.")
    ] = None,
    slot: Annotated[
        str | None, typer.Option(metavar="S", help="Where an unknown token keeps balances.")
    ] = None,
    asset: Annotated[
        str | None, typer.Option(metavar="CODE", help="The asset's code, if it is not known.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Collect what addresses hold on Ethereum after a block, with the proofs of it."""
    entry = None if token is None else _token_slot(token, slot)
    code = asset or _known_code(token or "")
    if not ASSET_CODE.fullmatch(code):
        raise typer.BadParameter("a code is 1 to 16 of A-Z, 0-9", param_hint="--asset")
    listed = read_addresses(addresses)
    try:
        with shown_progress() as progress:
            progress.stage("asking the node", len(listed))
            found = collect(rpc, block, listed, entry, progress.advance)
    except (CannotCheck, Misuse) as error:
        raise ProverError(str(error)) from None
    proof = write_collected(found, code, token or "", out)
    typer.echo(_json(found, out, proof) if as_json else _text(found, out, proof))


@app.command()
def bitcoin(
    block: Annotated[int, typer.Option(metavar="N", min=1, help="The block's height.")],
    addresses: Annotated[Path, typer.Option(metavar="FILE", help="One address a line.")],
    out: Annotated[Path, typer.Option(metavar="FILE.csv", help="The rows; the coins beside it.")],
    rpc: Annotated[
        str | None, typer.Option(metavar="URL", help="Your own node of Bitcoin Core.")
    ] = None,
    cookie: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Its .cookie file, for a URL without user.")
    ] = None,
    snapshot: Annotated[
        Path | None, typer.Option(metavar="FILE", help="What its dumptxoutset wrote at the block.")
    ] = None,
    asset: Annotated[str, typer.Option(metavar="CODE", help="The asset's code.")] = "BTC",
    as_json: Json = False,
) -> None:
    """Collect the coins that addresses have on Bitcoin after a block."""
    if not ASSET_CODE.fullmatch(asset):
        raise typer.BadParameter("a code is 1 to 16 of A-Z, 0-9", param_hint="--asset")
    listed = read_addresses(addresses, BITCOIN)
    try:
        if snapshot is not None and rpc is None:
            with shown_progress() as bar:
                file = UtxoSnapshot(snapshot)
                bar.stage("reading the snapshot", file.coins)
                found = collect_from_snapshot(file, block, listed, bar.reach)
        elif rpc is not None and snapshot is None:
            credentials = None if cookie is None else cookie.read_text("utf-8", "replace").strip()
            found = collect_by_rpc(rpc, credentials, block, listed)
        else:
            raise typer.BadParameter("give one of the two", param_hint="--rpc, --snapshot")
    except (CannotCheck, Misuse) as error:
        raise ProverError(str(error)) from None
    beside = write_coins(found, asset, out)
    if found.youngest is not None and found.youngest < block:
        typer.echo(
            f"assay: warning: the youngest coin of the snapshot is of height {found.youngest}, "
            f"below {block}: make sure that block {block} has the hash {found.block_hash.hex()}",
            err=True,
        )
    typer.echo(_coins_json(found, out, beside) if as_json else _coins_text(found, out, beside))


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


def _token_slot(contract: str, slot: str | None) -> TokenSlot:
    if not is_account(contract):
        raise typer.BadParameter("not an address in EIP-55 form", param_hint="--token")
    if slot is None:
        known = token_slots().get(contract)
        if known is None:
            raise typer.BadParameter("this token's slot is not known", param_hint="--slot")
        return known
    if not (slot.isascii() and slot.isdigit() and len(slot) <= 78 and int(slot) <= MAX_SLOT):
        raise typer.BadParameter("a slot is a number below 2^256", param_hint="--slot")
    try:
        return token_slots([TokenSlot(contract, int(slot))])[contract]
    except Misuse as error:
        raise typer.BadParameter(str(error), param_hint="--slot") from None


def _known_code(contract: str) -> str:
    for unit in known_units():
        if (unit.chain, unit.contract) == (CHAIN, contract):
            return unit.code
    raise typer.BadParameter("this token's code is not known", param_hint="--asset")


def _json(found: Collected, rows: Path, proof: Path) -> str:
    result = {
        "rows": str(rows),
        "proof": str(proof),
        "height": found.header.number,
        "hash": found.header.hash.hex(),
        "addresses": len(found.amounts),
        "empty": found.empty,
        "amount": str(sum(found.amounts.values())),
        "nodes": len(found.proof.nodes),
    }
    return json.dumps(result, sort_keys=True)


def _text(found: Collected, rows: Path, proof: Path) -> str:
    return (
        f"{len(found.amounts)} addresses hold {sum(found.amounts.values())} base units; "
        f"{found.empty} hold nothing and are left out\n"
        f"rows   {rows}: add format and signature to each\n"
        f"proof  {proof}: name it under proofs of the asset\n"
        f"[chains.{CHAIN}]\n"
        f"height = {found.header.number}\n"
        f'hash = "{found.header.hash.hex()}"'
    )
