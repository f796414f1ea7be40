"""Vectors of the record of arguments, and of files of arguments that it does not name."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgpack

from tests.support.bases import Files, base, base_files, derived, raw_faults
from tests.support.forger import Fields, pack, sign
from tests.support.leaves_forge import Keys
from tests.support.vector import Vector
from tests.vectors.make_inclusions import Edit
from tests.vectors.make_trees import cut


def record_of(files: Files) -> Fields:
    fields: Fields = msgpack.unpackb(files["arguments.msgpack"])
    return fields


def resigned(record: bytes) -> Files:
    """The honest bundle with other bytes of its record, signed."""
    return dict(base_files("honest")) | base("honest").forger.seal_record(record)


def edited(edit: Edit) -> Files:
    fields = record_of(base_files("honest"))
    edit(fields)
    return resigned(pack(fields))


def other_run() -> Files:
    """The honest bundle argued again, under another salt: entries are the same."""
    made = base("honest").forger
    keys = Keys(made.keys.entries, b"another argument secret", made.keys.opening)
    forger = type(made)(made.assets, keys=keys)
    return forger.bundle()


def files_of_arguments() -> Iterator[Vector]:
    honest, other = base_files("honest"), other_run()

    def wrong(name: str, description: str, **changed: bytes) -> Vector:
        replaced = {path.replace("_", "/"): data for path, data in changed.items()}
        return derived(
            f"arguments-{name}",
            description,
            "files of arguments",
            "bundle.wrong-argument",
            dict(honest) | replaced,
        )

    level0 = honest["arguments/BTC/0"]
    flipped = cut(level0, 5000, bytes([level0[5000] ^ 1]))
    yield wrong("flipped", "A bit of an argument is flipped.", arguments_BTC_0=flipped)
    mixed = cut(level0, 3973, other["arguments/BTC/0"][3973:7946])
    text = "An argument of another run, which holds too."
    yield wrong("of-another-run", text, arguments_BTC_0=mixed)
    yield wrong("short", "Arguments lack their last byte.", arguments_BTC_0=level0[:-1])
    yield wrong("long", "Arguments have a byte too many.", arguments_BTC_1=level0[:1] + level0)
    yield wrong("empty", "A file of arguments is empty.", arguments_USDT_0=b"")
    yield wrong("swapped", "Two arguments are exchanged.", arguments_BTC_0=exchanged(level0))
    root = honest["arguments/BTC/1"]
    text = "A bit of the root's argument is flipped."
    yield wrong("flipped-root", text, arguments_BTC_1=cut(root, 9, bytes([root[9] ^ 1])))
    solvency = honest["arguments/ETH/solvency"]
    text = "A bit of a solvency argument is flipped."
    yield wrong(
        "flipped-solvency",
        text,
        arguments_ETH_solvency=cut(solvency, 9, bytes([solvency[9] ^ 1])),
    )
    last = len(level0) - 1
    files = dict(honest) | {"arguments/BTC/0": cut(level0, last, bytes([level0[last] ^ 1]))}
    yield derived(
        "arguments-false",
        "A bit of a scalar is flipped, and the record names the file.",
        "files of arguments",
        "argument.rejected",
        files | base("honest").forger.record(files),
        place=("BTC", 0, 2),
    )
    files = dict(honest) | {"arguments/BTC/0": exchanged(level0)}
    yield derived(
        "arguments-exchanged",
        "Two arguments are exchanged, and the record names the file.",
        "files of arguments",
        "argument.rejected",
        files | base("honest").forger.record(files),
        place=("BTC", 0, 0),
    )
    yield derived(
        "second-record",
        "Another record of the same manifest, whose arguments hold too.",
        "accepted",
        None,
        other,
    )


def exchanged(arguments: bytes) -> bytes:
    """The first two arguments of three, exchanged."""
    return arguments[3973:7946] + arguments[:3973] + arguments[7946:]


def records() -> Iterator[Vector]:
    honest = base_files("honest")
    source = "records of arguments"

    def bad(name: str, description: str, code: str, files: Files, **content: Any) -> Vector:
        return derived(f"record-{name}", description, source, f"record.{code}", files, **content)

    yield bad("empty", "An empty record, signed.", "too-large", resigned(b""))
    body, seed = honest["arguments.msgpack"], base("honest").forger.signing_seed
    signature = honest["arguments.sig"]
    for name, description, put in (
        ("zero", "A signature of zeros.", bytes(64)),
        ("short", "A signature of 63 bytes.", signature[:-1]),
        ("long", "A signature of 65 bytes.", signature + b"\x00"),
        ("none", "An empty signature.", b""),
        ("other-key", "Another key signed.", sign(bytes(32), "argument-record", body)),
        ("other-tag", "Signed as a manifest.", sign(seed, "manifest-signature", body)),
        ("other-body", "The manifest's signature.", honest["manifest.sig"]),
    ):
        files = dict(honest) | {"arguments.sig": put}
        yield bad(f"signature-{name}", description, "bad-signature", files)
    for name, description, data in raw_faults(body, "version", b"\x01"):
        text = f"{description.capitalize()}."
        yield bad(f"raw-{name}", text, "not-canonical", resigned(data))
    cases: list[tuple[str, str, str, Edit]] = [
        ("bad-fields", "missing-field", "The version is missing.", lambda f: f.pop("version")),
        ("bad-fields", "unknown-field", "It states a time.", lambda f: f.update(time=1)),
        ("bad-fields", "text-version", "The version is a text.", lambda f: f.update(version="1")),
        ("bad-fields", "map-assets", "The assets are a map.", lambda f: f.update(assets={})),
        (
            "bad-fields",
            "text-digest",
            "A digest is a text.",
            lambda f: f["assets"][0].update(solvency="x" * 32),
        ),
        (
            "bad-fields",
            "no-solvency",
            "An asset has no solvency argument.",
            lambda f: f["assets"][1].pop("solvency"),
        ),
        ("unsupported-version", "version", "Version 2.", lambda f: f.update(version=2)),
        (
            "unsupported-version",
            "argument-version",
            "Argument version 2.",
            lambda f: f.update(argument_version=2),
        ),
        (
            "wrong-manifest",
            "other-manifest",
            "It is of another manifest.",
            lambda f: f.update(manifest=bytes(32)),
        ),
        ("wrong-assets", "no-assets", "No assets.", lambda f: f["assets"].clear()),
        ("wrong-assets", "less", "An asset is missing.", lambda f: f["assets"].pop()),
        (
            "wrong-assets",
            "more",
            "An asset too many.",
            lambda f: f["assets"].append(f["assets"][2] | {"code": "XYZ"}),
        ),
        ("wrong-assets", "order", "The assets are not in order.", lambda f: f["assets"].reverse()),
        (
            "wrong-assets",
            "renamed",
            "An asset under another name.",
            lambda f: f["assets"][0].update(code="BTX"),
        ),
        (
            "wrong-assets",
            "levels-less",
            "A level is missing.",
            lambda f: f["assets"][0]["levels"].pop(),
        ),
        (
            "wrong-assets",
            "levels-more",
            "Six levels, of an asset of two.",
            lambda f: f["assets"][0].update(levels=[bytes(32)] * 6),
        ),
        ("wrong-assets", "no-levels", "No levels.", lambda f: f["assets"][2]["levels"].clear()),
    ]
    for code, name, description, edit in cases:
        yield bad(name, description, code, edited(edit))
    yield bad(
        "garbage",
        "The record is no msgpack, and the signature false: that is named.",
        "bad-signature",
        dict(honest) | {"arguments.msgpack": b"\xc1"},
    )
    yield bad(
        "before-evidence",
        "The evidence is spoilt too, which comes later.",
        "wrong-manifest",
        dict(edited(lambda f: f.update(manifest=bytes(32)))) | {"evidence/BTC.msgpack": b""},
    )


def vectors() -> Iterator[Vector]:
    yield from files_of_arguments()
    yield from records()
