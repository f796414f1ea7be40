"""The light check end to end: any signed body and any pages end in a verdict of the list.

A package may only be accepted with the amounts that the honest one has: whatever else the exchange
signs, the leaves in the tree are what they are.
"""

from __future__ import annotations

import sys
from pathlib import Path

import atheris
import msgpack

sys.path.insert(0, str(Path(__file__).parents[2]))

# isort: split
import verifier
from tests.fuzz.corpus import run
from tests.support.bases import base, base_files
from tests.support.forged_sample import ALICE, BOB
from tests.support.forger import pack
from tests.support.memory_source import MemorySource

MADE, FILES = base("honest"), base_files("honest")
BODY = msgpack.unpackb(MADE.package(FILES["manifest.msgpack"], ALICE))["body"]
TRUE = {code: [amount for _, amount in parts] for code, parts in MADE.parts[ALICE].items()}
PATHS = [path for path in sorted(FILES) if path.startswith(("pages/", "arguments/"))]
HONEST = [part for asset in msgpack.unpackb(BODY)["assets"] for part in asset["parts"]]


def bent(source: atheris.FuzzedDataProvider, data: bytes) -> bytes:
    """Bytes with one changed, or of another length."""
    at = source.ConsumeIntInRange(0, len(data))
    put: bytes = source.ConsumeBytes(1)
    return data[:at] + put + data[at + source.ConsumeIntInRange(0, 1) :]


def body_of(source: atheris.FuzzedDataProvider) -> bytes:
    """Either any bytes, or the honest body with other parts."""
    if source.ConsumeBool():
        raw: bytes = source.ConsumeBytes(4096)
        return raw
    fields = msgpack.unpackb(BODY)
    for asset in fields["assets"]:
        for _ in range(source.ConsumeIntInRange(0, 2)):
            asset["parts"].append(
                {
                    "amount": source.ConsumeIntInRange(0, 2**64 - 1),
                    "leaf": source.ConsumeIntInRange(0, 63),
                    "opening": source.PickValueInList(HONEST)["opening"],
                    "part": len(asset["parts"]),
                    "path": source.PickValueInList(HONEST)["path"],
                }
            )
        if asset["parts"] and source.ConsumeBool():
            part = source.PickValueInList(asset["parts"])
            part[source.PickValueInList(["amount", "leaf", "part"])] = source.ConsumeInt(4) % 2**32
        if asset["parts"] and source.ConsumeBool():
            part = source.PickValueInList(asset["parts"])
            name = source.PickValueInList(["opening", "path"])
            part[name] = bent(source, part[name])
        if source.ConsumeBool():
            asset["parts"] = asset["parts"][: source.ConsumeIntInRange(0, 3)]
    return pack(fields)


def target(data: bytes) -> None:
    source = atheris.FuzzedDataProvider(data)
    path = source.PickValueInList(PATHS)
    page = bytearray(FILES[path])
    if source.ConsumeBool():
        at = source.ConsumeIntInRange(0, len(page) - 1)
        page[at] ^= source.ConsumeIntInRange(0, 255)
    files = dict(FILES) | {path: bytes(page)}
    if source.ConsumeIntInRange(0, 7) == 0:
        del files[path], files["arguments.msgpack"]
    package = MADE.forger.seal_package(body_of(source))
    typed = source.PickValueInList([{"BTC": "0"}, {"BTC": "1.75000001", "ETH": "3.5"}, {"X": "1"}])
    account = source.PickValueInList([ALICE, " ALICE@example.com", BOB])
    try:
        report = verifier.check_inclusion(
            package,
            MemorySource(files),
            MADE.forger.public_key,
            account,
            typed,
            only=source.ConsumeBool(),
        )
    except verifier.Rejected:
        return
    except verifier.CannotCheck as error:
        if error.code not in ("check.not-compared", "check.not-proved"):
            raise
        return
    for amount in report.amounts:
        if amount.counted > sum(TRUE.get(amount.code, [])):
            raise AssertionError("more is counted than is in the tree")


if __name__ == "__main__":
    run(target, [bytes(40), b"\x01" * 80, b"\x01" + BODY], 8192)
