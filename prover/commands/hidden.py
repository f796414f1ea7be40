"""``assay hide-keys``: prove, on a machine without a network, what keys of a public list hold."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from prover.hidden.make import SetUnit, hide_keys

app = typer.Typer()


@app.command("hide-keys")
def hide(
    announcement: Annotated[Path, typer.Argument(metavar="ANNOUNCEMENT", show_default=False)],
    listed: Annotated[Path, typer.Argument(metavar="LIST", show_default=False)],
    private_keys: Annotated[Path, typer.Argument(metavar="PRIVATE_KEYS", show_default=False)],
    out: Annotated[Path, typer.Option("--out", metavar="FILE", help="The set, to publish.")],
    opening: Annotated[
        Path, typer.Option(metavar="FILE", help="What it opens to, to keep private.")
    ],
    asset: Annotated[str, typer.Option(metavar="CODE")],
    chain: Annotated[str, typer.Option(metavar="NAME")],
    scripts: Annotated[
        str, typer.Option(metavar="TYPES", help="As p2pkh,p2wpkh; on ethereum: account.")
    ],
    contract: Annotated[str, typer.Option(metavar="ADDRESS", help="Of a token.")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Prove, once and offline, which sum the keys of PRIVATE_KEYS hold among all keys of LIST.

    ANNOUNCEMENT is from `assay challenge --announcement`. LIST has the columns public_key (66 hex
    digits) and amount (base units, over all the types of script). PRIVATE_KEYS has 64 hex digits a
    line.
    """
    unit = SetUnit(asset, chain, contract, tuple(scripts.split(",")))
    made = hide_keys(announcement, listed, private_keys, unit, out, opening)
    if as_json:
        typer.echo(json.dumps({"keys": made.keys, "opening": str(opening), "set": str(out)}))
        return
    typer.echo(
        f"{made.exchange}, snapshot {made.snapshot_id}, {chain} block {made.block.height} "
        f"{made.block.hash.hex()}\n"
        f"set       {out}: your keys hide among {made.keys}; goes into the bundle\n"
        f"opening   {opening}: says how much is yours; keep it, and keep it to yourself"
    )
