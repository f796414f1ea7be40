"""``assay import``: check another exchange's published list of reserves, row by row."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from prover.assets.lists import write_evidence_rows
from prover.files.keys import public_bytes, read_signing_key
from prover.imports.formats import ListFormat
from prover.imports.rows import (
    Challenge,
    Challenges,
    Imported,
    Row,
    Stated,
    Status,
    shown,
    totals,
)
from prover.snapshot.make import ownership_messages, read_config


def import_list(
    form: ListFormat, file: Path, snapshot: Path | None, out: Path | None, *, as_json: bool
) -> bool:
    """Print what is known of each row of a list; write what counts; tell whether none failed."""
    from prover.imports.bitmex import import_bitmex  # YAML, which only its lists need
    from prover.imports.okx import import_okx

    challenges = {} if snapshot is None else _challenges(snapshot)
    imported = import_okx(file, challenges) if form is ListFormat.OKX else import_bitmex(file)
    counting = [row for row in imported.rows if row.verdict.status is Status.COUNTS]
    if out is not None:
        write_evidence_rows(out, map(_evidence_row, counting))
    print(_json(imported) if as_json else "\n".join(_text(imported)))
    has_failed = any(row.verdict.status is Status.FAILED for row in imported.rows)
    return not has_failed and not any(item.is_contradicted for item in imported.stated)


def _challenges(snapshot: Path) -> Challenges:
    config = read_config(snapshot)
    messages = ownership_messages(config, public_bytes(read_signing_key(config.signing_key)))
    heights = {chain.name: chain.height for chain in config.chains}
    return {chain: Challenge(message, heights[chain]) for chain, message in messages.items()}


def _evidence_row(row: Row) -> dict[str, object]:
    """Return a row that counts, as ``assay prove`` takes it."""
    return {
        "asset": row.asset,
        "chain": row.chain,
        "contract": row.contract,
        "address": row.address,
        "amount": row.amount,
        "format": row.verdict.format,
        "signature": row.signature,
    }


def _json(imported: Imported) -> str:
    rows: list[dict[str, Any]] = [
        {
            "line": row.line,
            "asset": row.asset,
            "network": row.network,
            "address": row.address,
            "amount": None if row.amount is None else str(row.amount),
            "status": row.verdict.status,
            "reason": row.verdict.reason,
        }
        for row in imported.rows
    ]
    summary = [
        {
            "asset": asset,
            "network": network,
            "rows": total.rows,
            "amounts": {status: str(amount) for status, amount in total.amounts.items()},
        }
        for (asset, network), total in totals(imported.rows).items()
    ]
    result = {
        "format": imported.format,
        "rows": rows,
        "stated": [{"name": item.name, "amount": item.amount} for item in imported.stated],
        "contradictions": [
            {"name": item.name, "stated": item.amount, "rows": item.rows}
            for item in imported.stated
            if item.is_contradicted
        ],
        "totals": summary,
        "unread": [*imported.unread],
    }
    return json.dumps(result, sort_keys=True)


def _text(imported: Imported) -> list[str]:
    lines = [
        f"line {row.line}  {shown(row.asset)} on {shown(row.network)}  {shown(row.address, 100)}  "
        f"{row.verdict.status}: {row.verdict.reason}"
        for row in imported.rows
    ]
    lines.append("")
    for (asset, network), total in totals(imported.rows).items():
        for status, count in sorted(total.rows.items()):
            amount = total.amounts.get(status)
            units = "" if amount is None else f", {amount} base units"
            rows = f"{count} row{'s' if count > 1 else ''}"
            lines.append(f"{shown(asset)} on {shown(network)}: {status} {rows}{units}")
    lines += [_stated_text(item) for item in imported.stated]
    lines += [f"not read, for it is not known here: {what}" for what in imported.unread]
    counting = sum(row.verdict.status is Status.COUNTS for row in imported.rows)
    lines.append(f"{counting} of {len(imported.rows)} rows count as evidence of this snapshot")
    return lines


def _stated_text(item: Stated) -> str:
    said = f"the list states {shown(item.name)} {shown(item.amount)}"
    if item.rows is None:
        return f"{said}; not compared, as it is not clear what its rows add up to"
    return said if item.agrees else f"{said}, but its rows add up to {item.rows}"
