"""The light check end to end: any signed body, pages and arguments end in a verdict of the list.

A package may only be accepted with the amounts that the honest one has: whatever else the exchange
signs, the leaves in the tree are what they are.
"""

from __future__ import annotations

import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import atheris
import msgpack

sys.path.insert(0, str(Path(__file__).parents[2]))

# isort: split
import verifier
from tests.fuzz.corpus import run
from tests.support.bases import base, base_files
from tests.support.forged_sample import ALICE, BOB
from tests.support.forger import pack
from tests.support.subjects import write_files

MADE, FILES = base("honest"), base_files("honest")
FOLDER = TemporaryDirectory()
BUNDLE = write_files(Path(FOLDER.name) / "bundle", FILES)
BODY = msgpack.unpackb(MADE.package(FILES["manifest.msgpack"], ALICE))["body"]
TRUE = {code: [amount for _, amount in parts] for code, parts in MADE.parts[ALICE].items()}
BYTES = ["opening", "path"]
PATHS = [path for path in sorted(FILES) if path.startswith(("pages/", "arguments/"))]


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
                    "opening": source.ConsumeBytes(545).ljust(545, b"\0"),
                    "part": len(asset["parts"]),
                    "path": source.ConsumeBytes(128).ljust(128, b"\0"),
                }
            )
        if asset["parts"] and source.ConsumeBool():
            part = source.PickValueInList(asset["parts"])
            part[source.PickValueInList(["amount", "leaf", "part"])] = source.ConsumeInt(4) % 2**32
        if asset["parts"] and source.ConsumeBool():
            part, name = source.PickValueInList(asset["parts"]), source.PickValueInList(BYTES)
            at = source.ConsumeIntInRange(0, len(part[name]) - 1)
            bent = part[name][at] ^ source.ConsumeIntInRange(0, 255)
            part[name] = part[name][:at] + bytes([bent]) + part[name][at + 1 :]
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
    (BUNDLE / path).write_bytes(page)
    package = MADE.forger.seal_package(body_of(source))
    typed = source.PickValueInList([{"BTC": "0"}, {"BTC": "1.75000001", "ETH": "3.5"}, {"X": "1"}])
    account = source.PickValueInList([ALICE, " ALICE@example.com", BOB])
    try:
        report = verifier.check_inclusion(
            package, BUNDLE, MADE.forger.public_key, account, typed, only=source.ConsumeBool()
        )
    except (verifier.Rejected, verifier.NotCompared):
        return
    finally:
        (BUNDLE / path).write_bytes(FILES[path])
    for amount in report.amounts:
        if amount.counted > sum(TRUE.get(amount.code, [])):
            raise AssertionError("more is counted than is in the tree")


if __name__ == "__main__":
    run(target, [bytes(40), b"\x01" * 80, b"\x01" + BODY], 8192)
