"""Lists of units: any bytes are units that can be named together, or one error, never else."""

from __future__ import annotations

import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

# isort: split
from tests.fuzz.corpus import run
from verifier.bundle.unit_lists import parse_units
from verifier.checks.policy import Policy
from verifier.errors import Misuse
from verifier.format.units import UnitTable

TOKEN = {"chainId": 8453, "address": "0x" + "11" * 20, "symbol": "abc", "decimals": 18}
TRON = {"chainId": 728126428, "address": "TCFLL5dx5ZJdKnWuesXxi1VPwjLVmWZZy9", "symbol": "JST"}
LISTS = (
    b"c" + b"code,chain,contract,decimals\nABC,base,0x" + b"11" * 20 + b",6\n",
    b"c" + b"code,chain,contract,decimals\r\nABC,eip155:8453,,18\r\n",
    b"j" + json.dumps({"tokens": [TOKEN, TRON | {"decimals": 18}]}).encode(),
    b"j" + json.dumps({"name": "x", "tokens": [TOKEN | {"chainId": 5, "extensions": {}}]}).encode(),
)


def target(data: bytes) -> None:
    """Input: a byte that chooses the format, and the file."""
    path = "list.csv" if data[:1] == b"c" else "list.json"
    try:
        found = parse_units(path, data[1:])
    except Misuse as error:
        if not str(error).startswith(f"{path}: "):
            raise AssertionError("an error without its file") from None
        return
    table = Policy(units=found.units).unit_table()
    if not all(unit in table for unit in found.units):
        raise AssertionError("a unit that was read is not known")
    if any(UnitTable().contradicts(unit) for unit in found.units):
        raise AssertionError("a list moves what the table has")


if __name__ == "__main__":
    run(target, LISTS, 4096)
