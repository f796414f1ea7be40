"""Lists of reserves of other exchanges: any bytes are rows or one error, and none counts."""

from __future__ import annotations

import contextlib
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

# isort: split
from prover.errors import ProverError
from prover.imports.bitmex import import_bitmex
from prover.imports.okx import import_okx
from prover.imports.rows import Challenge, Status
from tests.fuzz.corpus import run
from tests.support import import_lists as lists
from tests.unit.prover.imports.test_bitmex import TEXT

FILE = Path(tempfile.mkdtemp()) / "list"
CHALLENGES = {
    chain: Challenge("a message that nobody signed", 1) for chain in ("bitcoin", "ethereum")
}


def target(data: bytes) -> None:
    """Input: a byte that chooses the format, and the file."""
    FILE.write_bytes(data[1:])
    with contextlib.suppress(ProverError):
        okx = data[:1] < b"\x80"
        imported = import_okx(FILE, CHALLENGES) if okx else import_bitmex(FILE)
        if any(row.verdict.status is Status.COUNTS for row in imported.rows):
            raise AssertionError("a row counts")


if __name__ == "__main__":
    signed, owners = map(lists.okx_signature, (4, 5)), map(lists.account, (4, 5))
    contract = lists.line(
        "ETH", "ETH", "1", lists.account(6), "2", lists.STATIC, *signed, "", *owners
    )
    rows = lists.ethereum_row(4) + lists.multisig_row() + contract
    bare = lists.BARE_COLUMNS + "\n"
    bare += lists.line(
        "USDT", "ETH", lists.account(4), lists.okx_signature(4), "null", lists.STATIC, "", "", ""
    )
    odd = rows.replace(lists.STATIC, '{"a":[1,2],"b":3}').replace("ETH,ETH", "ETH,NEWNET")
    header = lists.COLUMNS.replace("message", "message,colour")
    layouts = [lists.TOTALS + lists.COLUMNS + "\n" + rows, bare, f'{header}\n"x\n{odd}']
    run(target, [*(b"\x00" + text.encode() for text in layouts), b"\xff" + TEXT.encode()], 1 << 13)
