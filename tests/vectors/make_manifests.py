"""Vectors of bundles whose fault is in the manifest, and honest bundles of every kind."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from hashlib import sha256
from typing import Any

from tests.support.bases import (
    FOREIGN,
    XYZ,
    Files,
    asset_of,
    base,
    base_files,
    derived,
    edited,
    forged,
    manifest_of,
    positive,
    raw_faults,
    resigned,
    setter,
)
from tests.support.forge import N, lp, tagged
from tests.support.forged_sample import BTC, ETH, SPECS, TETHER, USDT, Spec
from tests.support.forger import Fields, Lies, pack, public_key, sign
from tests.support.vector import Vector
from tests.vectors.make_arguments import point_faults

OLD_SEED = sha256(b"old signing key").digest()
FIRST_SEED = base("honest").forger.signing_seed


def bases() -> Iterator[Vector]:
    for name, description in (
        ("honest", "Three assets: a tree of two levels and two of one."),
        ("eighty-pages", "A tree of three levels: 80 pages, of 64 and 16 children, the root."),
        ("pages-of-256", "A page of 256 leaves."),
        ("nothing", "No assets at all against no liabilities: C_A is infinite."),
        (
            "exact",
            "Assets equal to the ratio times the liabilities: den·C_A - num·C_L is infinite.",
        ),
        ("all-holders", "Addresses of every template that makers of samples can sign for."),
    ):
        yield positive(name, description, base_files(name))


def accepted() -> Iterator[Vector]:
    def like(name: str, description: str, files: Files, **content: Any) -> Vector:
        return derived(name, description, "accepted", None, files, **content)

    ones = {f"{n}@example.com": {"ETH": [2**64 - 1]} for n in range(16)}
    full = replace(ETH, holdings=(("account", "", 2**68 * 10**9),))
    yield like(
        "page-of-ones",
        "Every leaf is 2^64 - 1; the total is more.",
        forged(specs=[full], customers=ones),
    )
    largest = replace(TETHER, holdings=(("account", USDT, 2**96 - 1),), ratio=(1, 2**32 - 1))
    yield like(
        "largest-assets",
        "Assets of 2^96 - 1 at the smallest ratio.",
        forged(specs=[largest]),
        policy={"ratio": [1, 2**32 - 1]},
    )
    yield like(
        "policy-met",
        "The ratio is exactly the policy's.",
        base_files("exact"),
        of="exact",
        policy={"ratio": [3, 2]},
    )
    yield like(
        "policy-below",
        "The policy asks for less than the ratio.",
        base_files("exact"),
        of="exact",
        policy={"ratio": [4, 3]},
    )
    for kind, accounts in (
        ("opaque", {"42": {"ETH": [7]}}),
        ("phone", {"+4915112345678": {"ETH": [7]}}),
    ):
        yield like(
            f"{kind}-ids",
            f"Account ids of type {kind}.",
            forged(specs=[ETH], customers=accounts, account_id_type=kind),
        )
    latest = forged(specs=[ETH], customers={}, time=2**40)
    yield like("latest", "The largest time, when it has come.", latest, now=2**40)
    made = base("honest").forger.time
    yield like("day-ahead", "A day ahead of the clock.", base_files("honest"), now=made - 86_400)
    name = "Ä" * 32
    yield like(
        "longest-names",
        "Name and snapshot id of 64 bytes.",
        forged(specs=[ETH], customers={}, exchange=name, snapshot_id="z-9" + "0" * 61),
    )
    chains = [("a", 2**63 - 1, bytes(32)), *base("honest").forger.chains]
    yield like("unused-chain", "A chain that no asset uses.", forged(chains=chains))
    yield from successors()


OTHER_FOREIGN = "0x" + "3" * 40
# Of the table: two unconfirmed, one of an issuer, one bridged, and one bridged under its own code.
UNCONFIRMED_USDT = "0x94b008aA00579c1307B0EF2c499aD98a8ce58e58"
SHIB = "0x95aD61b0a150d79219dCF64E1E6Cc01f0B64C4cE"
TRON_USDT = "TR7NHqjeKQxGTCi8q8ZY4pL8otSzgjLj6t"
BSC_USDT = "0x55d398326f99059fF775485246999027B3197955"
BRIDGED_USDC = "0x2791Bca1f2de4661ED88A30C99A7a9449Aa84174"
XYZ_NAMED = ["XYZ", "ethereum", FOREIGN, 6]


def set_aside() -> Iterator[Vector]:
    """Assets with a unit that the reader does not know, and what a user who knows it names."""
    chains = base("honest").forger.chains
    files = base_files("set-aside")

    def like(name: str, description: str, files: Files, *codes: str, **content: Any) -> Vector:
        return derived(name, description, "units", None, files, set_aside=codes, **content)

    yield like("set-aside", "A token that nobody knows.", files, "XYZ")
    yield like(
        "set-aside-all",
        "There is no asset but one that is set aside.",
        forged(specs=[XYZ], customers={}),
        "XYZ",
        levels={"XYZ": "claimed"},
    )
    liquid = replace(BTC, units=(*BTC.units, ("liquid", "", 8)))
    yield like(
        "set-aside-second-unit",
        "One of an asset's two units is not known.",
        forged(specs=[liquid, ETH, TETHER], chains=[*chains, ("liquid", 3, bytes(32))]),
        "BTC",
    )
    kaspa = Spec("KAS", 8, (("kaspa", "", 8),), ())
    optimism = replace(TETHER, units=(*TETHER.units, ("optimism", UNCONFIRMED_USDT, 6)))
    yield like(
        "set-aside-two",
        "Two of four assets are set aside.",
        forged(
            specs=[BTC, ETH, kaspa, optimism],
            chains=[*chains, ("kaspa", 5, bytes(32)), ("optimism", 7, bytes(32))],
        ),
        "KAS",
        "USDT",
    )
    shib = Spec("SHIB", 8, (("ethereum", SHIB, 18),), ())
    yield like(
        "set-aside-unconfirmed",
        "The table has the unit, and does not vouch for it.",
        forged(specs=[BTC, ETH, shib, TETHER]),
        "SHIB",
    )
    yield like(
        "named-unconfirmed",
        "The user vouches for what the table does not.",
        forged(specs=[BTC, ETH, shib, TETHER]),
        policy={"units": [["SHIB", "ethereum", SHIB, 18]]},
    )
    everywhere = replace(
        TETHER,
        units=(("bsc", BSC_USDT, 18), *TETHER.units, ("tron", TRON_USDT, 6)),
    )
    bridged = Spec("USDCE", 6, (("polygon", BRIDGED_USDC, 6),), ())
    yield like(
        "known-on-many-chains",
        "Units of an issuer and of bridges, each under its code, and money in accounts.",
        forged(
            specs=[
                BTC,
                ETH,
                Spec("EUR", 2, (("fiat", "EUR", 2),), ()),
                bridged,
                everywhere,
            ],
            chains=sorted(
                [
                    *chains,
                    ("bsc", 5, bytes(32)),
                    ("fiat", base("honest").forger.time, bytes(32)),
                    ("polygon", 6, bytes(32)),
                    ("tron", 7, bytes(32)),
                ]
            ),
        ),
    )
    lower = replace(XYZ, units=(("ethereum", USDT.lower(), 6),), holdings=())
    yield derived(
        "evidence-bad-contract-case",
        "The text of a contract is not its canonical one.",
        "units",
        "evidence.bad-contract",
        forged(specs=[*SPECS, lower]),
    )

    def wallet(code: str, fields: Fields) -> None:
        if code == "XYZ":
            fields["signatures"][0].update(format="eip1271", text="0x01")

    yield like(
        "set-aside-unverified",
        "What is set aside is known too weakly for a reader who does not ask for less.",
        forged(Lies(evidence=wallet), specs=[*SPECS, XYZ]),
        "XYZ",
        policy={"require": "unverified"},
        levels={"BTC": "claimed", "ETH": "claimed", "USDT": "claimed", "XYZ": "unverified"},
    )
    for name, description, named, codes in (
        ("named-unit", "The verifier's user named the token.", [XYZ_NAMED], ()),
        ("named-twice", "The user named it twice alike.", [XYZ_NAMED, XYZ_NAMED], ()),
        (
            "named-other-code",
            "The user named another token, of another code.",
            [["ABC", "ethereum", OTHER_FOREIGN, 6]],
            ("XYZ",),
        ),
        (
            "named-other-contract",
            "The user named another contract of the code: they may know one token of two.",
            [["XYZ", "ethereum", OTHER_FOREIGN, 6]],
            ("XYZ",),
        ),
        (
            "named-other-chain",
            "The user named a unit of the same code on another chain.",
            [["XYZ", "base", FOREIGN, 6]],
            ("XYZ",),
        ),
    ):
        policy = {"units": named}
        yield like(name, description, files, *codes, of="set-aside", policy=policy)
    both = (("ethereum", FOREIGN, 6), ("ethereum", OTHER_FOREIGN, 8))
    yield like(
        "named-units",
        "The user named two tokens of one code.",
        forged(specs=[replace(XYZ, units=both)], customers={}),
        policy={"units": [["XYZ", *unit] for unit in both]},
    )


def held_as(code: str, chain: str, contract: str, decimals: int) -> Callable[[Fields], None]:
    """An edit that puts an asset of one unit, on a chain added for it, in the place of USDT."""

    def edit(fields: Fields) -> None:
        chains = [*fields["chains"], {"hash": bytes(32), "height": 1, "name": chain}]
        fields["chains"] = sorted(chains, key=lambda block: str(block["name"]))
        unit = {"chain": chain, "contract": contract, "decimals": decimals}
        asset_of(fields, "USDT").update(code=code, units=[unit])

    return edit


def wrong_units() -> Iterator[Vector]:
    """Units that contradict what the reader knows, by the table or from its user."""
    native = asset_of(manifest_of(base_files("honest")), "ETH")["units"][0]
    token = {"chain": "ethereum", "contract": USDT, "decimals": 6}
    foreign = {"chain": "ethereum", "contract": FOREIGN, "decimals": 18}

    def wrong(name: str, description: str, files: Files, **content: Any) -> Vector:
        source = "the manifest's fields"
        return derived(
            f"wrong-unit-{name}", description, source, "manifest.wrong-unit", files, **content
        )

    for name, description, path, value in (
        ("contract", "A foreign contract.", "assets.2.units.0.contract", "0x" + "ab" * 20),
        ("case", "The contract in lower case.", "assets.2.units.0.contract", USDT.lower()),
        ("decimals", "Foreign decimals.", "assets.2.units.0.decimals", 8),
        ("code", "Another asset's unit.", "assets.0.units", [native]),
        (
            "added",
            "A second unit, which is another asset's.",
            "assets.1.units",
            [native, token | {"decimals": 9}],
        ),
        ("further", "A token beside a coin of its code.", "assets.1.units", [native, foreign]),
    ):
        yield wrong(name, description, edited(setter(path, value)))
    for name, description, path, value in (
        ("native", "A coin under a code that nobody knows.", "assets.3.units", [native]),
        ("token", "A token that is known, under a code that is not.", "assets.3.units", [token]),
    ):
        yield wrong(name, description, edited(setter(path, value), "set-aside"), of="set-aside")
    files = base_files("set-aside")
    for name, description, unit in (
        ("named-decimals", "The user named other decimals.", ["XYZ", "ethereum", FOREIGN, 8]),
        ("named-code", "The user named another code.", ["ABC", "ethereum", FOREIGN, 6]),
    ):
        yield wrong(name, description, files, of="set-aside", policy={"units": [unit]})
    yield wrong(
        "look-alike",
        "The bridge's token under the code of the issuer's.",
        edited(held_as("USDC", "polygon", BRIDGED_USDC, 6)),
    )
    yield wrong(
        "bridged-decimals",
        "The decimals of the issuer's token, for the bridge's.",
        edited(held_as("USDT", "bsc", BSC_USDT, 6)),
    )
    yield wrong(
        "after-unknown",
        "The first of two units is not known, the second is another asset's.",
        edited(setter("assets.3.units", [foreign, token]), "set-aside"),
        of="set-aside",
    )
    twin = edited(
        lambda fields: fields["assets"].append(asset_of(fields, "XYZ") | {"code": "XYZ2"}),
        "set-aside",
    )
    yield derived(
        "unit-reused",
        "Two assets are held in one token, which nobody knows.",
        "the manifest's fields",
        "manifest.unit-reused",
        twin,
        of="set-aside",
    )


def ahead() -> Iterator[Vector]:
    """The reader's clock is behind the snapshot; what is false is rejected all the same."""
    source, made = "clock", base("honest").forger.time
    for name, description, now in (
        ("future", "More than a day ahead of the clock.", made - 86_401),
        ("future-by-years", "Decades ahead of the clock.", 0),
    ):
        yield derived(name, description, source, "check.future", base_files("honest"), now=now)
    yield derived(
        "future-below-policy",
        "Ahead of the clock, and its ratio is below the policy's.",
        source,
        "manifest.ratio-below-policy",
        base_files("honest"),
        policy={"ratio": [11, 10]},
        now=0,
    )


def previous_bundle(seed: bytes = FIRST_SEED, **identity: Any) -> dict[str, bytes]:
    """Manifest and signature of an earlier snapshot."""
    fields: dict[str, Any] = {"snapshot_id": "2025-12-01", "time": 1764547200} | identity
    files = forged(specs=[ETH], customers={}, signing_seed=seed, **fields)
    return {name: files[name] for name in ("manifest.msgpack", "manifest.sig")}


def rotation(previous: bytes, **changed: Any) -> dict[str, Any]:
    """A true statement of the new key; `changed` replaces fields."""
    old, new = public_key(OLD_SEED), public_key(FIRST_SEED)
    body = lp(old) + lp(new) + lp(b"Forged Exchange") + previous
    made = {
        "new_signature": sign(FIRST_SEED, "rotation", body),
        "old_key": old,
        "old_signature": sign(OLD_SEED, "rotation", body),
    }
    return made | changed


def digest_of(previous: Files) -> bytes:
    return tagged("manifest", previous["manifest.msgpack"])


def follower(previous: Files, *rotations: dict[str, Any]) -> Files:
    """The honest bundle as the successor of another."""

    def edit(fields: dict[str, Any]) -> None:
        fields["previous"] = digest_of(previous)
        fields["rotation"] = list(rotations)

    return edited(edit)


def successors() -> Iterator[Vector]:
    source = "history"
    first = previous_bundle()
    yield derived(
        "previous",
        "It follows the previous manifest.",
        "accepted",
        None,
        follower(first),
        previous=first,
    )
    old = previous_bundle(OLD_SEED)
    rotated = follower(old, rotation(digest_of(old)))
    yield derived(
        "rotated", "The first manifest under a new key.", "accepted", None, rotated, previous=old
    )
    yield derived(
        "rotated-alone", "The same, the previous manifest not at hand.", "accepted", None, rotated
    )

    def broken(
        name: str, description: str, files: Files, previous: Files, code: str = "broken-chain"
    ) -> Vector:
        return derived(
            f"history-{name}", description, source, f"manifest.{code}", files, previous=previous
        )

    yield broken("other", "It follows another manifest than the one given.", follower(old), first)
    yield broken("none", "It says that it is the first.", base_files("honest"), first)
    late = previous_bundle(time=base("honest").forger.time)
    yield broken("same-time", "The previous manifest is not earlier.", follower(late), late)
    stranger = previous_bundle(OLD_SEED)
    unsigned = first | {"manifest.sig": bytes(64)}
    for name, description, kept in (
        ("stranger", "The previous manifest is signed by another key.", stranger),
        ("unsigned", "The previous manifest's signature is false.", unsigned),
    ):
        files = follower(kept)
        yield derived(
            f"history-{name}", description, source, "check.unreadable", files, previous=kept
        )
    malformed = base("honest").forger.seal(b"\x80")
    yield broken(
        "malformed",
        "The previous manifest is signed and malformed.",
        follower(malformed),
        malformed,
    )
    twin = previous_bundle(snapshot_id=base("honest").forger.snapshot_id)
    yield broken(
        "equivocation",
        "Two manifests for one snapshot id, the one following the other.",
        follower(twin),
        twin,
        "equivocation",
    )
    yield broken(
        "equivocation-apart",
        "Two manifests for one snapshot id.",
        base_files("honest"),
        twin,
        "equivocation",
    )


# R is the base point and S is 1: under the neutral element that fits whatever is signed.
NEUTRAL = bytes([1]) + bytes(31)
FITS_ANYTHING = (4 * pow(5, -1, 2**255 - 19) % (2**255 - 19)).to_bytes(32, "little") + NEUTRAL


def bad_rotations() -> Iterator[Vector]:
    old = previous_bundle(OLD_SEED)
    digest = digest_of(old)
    true = rotation(digest)

    def bad(name: str, description: str, files: Files) -> Vector:
        return derived(f"rotation-{name}", description, "history", "manifest.bad-rotation", files)

    yield bad(
        "old-signature",
        "The old key did not sign.",
        follower(old, true | {"old_signature": bytes(64)}),
    )
    yield bad(
        "new-signature",
        "The new key did not sign.",
        follower(old, true | {"new_signature": bytes(64)}),
    )
    swapped = true | {
        "old_signature": true["new_signature"],
        "new_signature": true["old_signature"],
    }
    yield bad("swapped", "The two signatures are swapped.", follower(old, swapped))
    yield bad(
        "other-previous",
        "The statement is for another previous manifest.",
        follower(old, rotation(bytes(range(32)))),
    )
    zero = edited(lambda fields: fields.update(rotation=[rotation(bytes(32))]))
    yield bad("first", "A rotation without a previous manifest.", zero)
    new = public_key(FIRST_SEED)
    body = lp(new) + lp(new) + lp(b"Forged Exchange") + digest
    same = sign(FIRST_SEED, "rotation", body)
    selfish = {"new_signature": same, "old_key": new, "old_signature": same}
    yield bad("same-key", "The old key is the new one.", follower(old, selfish))
    neutral = true | {"old_key": NEUTRAL, "old_signature": FITS_ANYTHING}
    yield bad("weak-key", "The old key is the neutral element.", follower(old, neutral))


def signatures() -> Iterator[Vector]:
    honest = base_files("honest")
    signature = honest["manifest.sig"]
    body = honest["manifest.msgpack"]
    for name, description, changed in (
        (
            "flipped",
            "One bit of the signature is flipped.",
            signature[:-1] + bytes([signature[-1] ^ 1]),
        ),
        ("short", "The signature has 63 bytes.", signature[:-1]),
        ("long", "The signature has 65 bytes.", signature + b"\x00"),
        ("empty", "The signature is empty.", b""),
        ("other-key", "Another key signed.", sign(OLD_SEED, "manifest-signature", body)),
        ("other-tag", "Signed as a package.", sign(FIRST_SEED, "package-signature", body)),
        ("other-body", "Signed is another manifest.", previous_bundle()["manifest.sig"]),
        (
            "malleated",
            "The signature's scalar is larger by the group order.",
            signature[:32]
            + (
                int.from_bytes(signature[32:], "little")
                + 2**252
                + 27742317777372353535851937790883648493
            ).to_bytes(32, "little"),
        ),
    ):
        yield derived(
            f"signature-{name}",
            description,
            "the manifest's signature",
            "manifest.bad-signature",
            dict(honest) | {"manifest.sig": changed},
        )
    for name in ("manifest.msgpack", "manifest.sig"):
        files = {path: data for path, data in honest.items() if path != name}
        short = name.rpartition(".")[2]
        yield derived(f"missing-{short}", f"{name} is missing.", "files", "check.no-bundle", files)
    yield derived(
        "manifest-empty",
        "The manifest is empty; it is signed.",
        "files",
        "manifest.too-large",
        resigned(b""),
    )
    yield derived(
        "manifest-unsigned-change",
        "A byte of the manifest is changed.",
        "the manifest's signature",
        "manifest.bad-signature",
        dict(honest) | {"manifest.msgpack": body.replace(b"email", b"opaqu")},
    )
    theirs = edited(setter("public_key", public_key(OLD_SEED)))
    yield derived(
        "key-mismatch",
        "It names another public key.",
        "the manifest's signature",
        "manifest.key-mismatch",
        theirs,
    )


def malformed() -> Iterator[Vector]:
    body = base_files("honest")["manifest.msgpack"]
    source = "malformed files"
    for name, description, data in raw_faults(body, "protocol_version", b"\x01"):
        yield derived(
            f"manifest-raw-{name}",
            f"{description.capitalize()}.",
            source,
            "manifest.not-canonical",
            resigned(data),
        )
    first = b"\xabdeclaration\xc4\x20" + bytes(32)
    second = b"\xa8exchange\xafForged Exchange"
    yield derived(
        "manifest-raw-unsorted",
        "Two keys are swapped.",
        source,
        "manifest.not-canonical",
        resigned(body.replace(first + second, second + first)),
    )
    fields = manifest_of(base_files("honest"))
    listed = [
        ("missing-field", "A field is missing.", {k: v for k, v in fields.items() if k != "time"})
    ]
    listed += [("unknown-field", "There is an unknown field.", fields | {"total": 5})]
    many = [{"hash": bytes(32), "height": 1, "name": f"c{n:03}"} for n in range(257)]
    unit = {"chain": "ethereum", "contract": "", "decimals": 18}
    for name, description, path, value in (
        ("deep", "Nested eight deep, which is canonical.", "time", [[[[[[[]]]]]]]),
        ("text-time", "The time is a text.", "time", "1767225600"),
        ("binary-name", "The exchange's name is binary.", "exchange", b"Forged Exchange"),
        ("text-key", "The public key is a text.", "public_key", "a" * 32),
        ("short-key", "The public key has 31 bytes.", "public_key", bytes(31)),
        ("long-previous", "The previous digest has 33 bytes.", "previous", bytes(33)),
        ("no-assets", "There are no assets.", "assets", []),
        ("map-of-assets", "The assets are a map.", "assets", {}),
        ("no-units", "An asset has no units.", "assets.0.units", []),
        ("many-units", "An asset has 65 units.", "assets.0.units", [unit] * 65),
        ("many-chains", "There are 257 chains.", "chains", many),
        ("two-rotations", "There are two rotations.", "rotation", [rotation(bytes(32))] * 2),
        (
            "short-rotation",
            "A rotation's signature has 63 bytes.",
            "rotation",
            [rotation(bytes(32), old_signature=bytes(63))],
        ),
        ("short-hash", "A block hash has 31 bytes.", "chains.0.hash", bytes(31)),
        ("short-sum", "A sum has 32 bytes.", "assets.0.sum", bytes(32)),
        ("long-sum", "A sum is uncompressed.", "assets.0.sum", bytes(65)),
        ("short-root", "A root's id is truncated to 8 bytes.", "assets.0.root", bytes(8)),
        ("short-evidence", "An evidence digest has 31 bytes.", "assets.0.evidence", bytes(31)),
        ("text-page-size", "A page size is a text.", "assets.0.page_size", "16"),
        ("argument", "An asset has its argument.", "assets.0.argument", b"x"),
        ("extra-asset-field", "An asset states its total.", "assets.0.total", 5),
        ("array-ratio", "A ratio is an array.", "assets.0.ratio", [1, 1]),
    ):
        fields = manifest_of(base_files("honest"))
        setter(path, value)(fields)
        listed.append((name, description, fields))
    for name, description, changed in listed:
        yield derived(
            f"manifest-{name}", description, source, "manifest.bad-fields", resigned(pack(changed))
        )
    missing = manifest_of(base_files("honest"))
    del missing["assets"][0]["sum"]
    yield derived(
        "manifest-missing-asset-field",
        "An asset has no sum.",
        source,
        "manifest.bad-fields",
        resigned(pack(missing)),
    )
    yield derived(
        "manifest-array",
        "The manifest is an array.",
        source,
        "manifest.bad-fields",
        resigned(b"\x90"),
    )


def heads() -> Iterator[Vector]:
    unsorted = list(reversed(manifest_of(base_files("honest"))["chains"]))
    first = unsorted[1]
    for code, name, description, path, value in (
        ("unsupported-version", "protocol", "Protocol version 2.", "protocol_version", 2),
        ("unsupported-version", "protocol-zero", "Protocol version 0.", "protocol_version", 0),
        ("unsupported-version", "argument", "Argument version 2.", "argument_version", 2),
        ("bad-name", "space", "A space before the name.", "exchange", " Forged Exchange"),
        ("bad-name", "empty", "No name.", "exchange", ""),
        ("bad-name", "long", "A name of 65 bytes.", "exchange", "x" * 65),
        ("bad-name", "decomposed", "A name that is not NFC.", "exchange", "A\u0308"),
        ("bad-name", "control", "A control character in the name.", "exchange", "a\u0007b"),
        ("bad-name", "bidi", "A name that shows as another.", "exchange", "\u202enekarK\u202c"),
        ("bad-name", "zero-width", "A zero-width space in the name.", "exchange", "Kra\u200bken"),
        ("bad-name", "ignorable", "A filler that shows as nothing.", "exchange", "Kraken\u3164"),
        ("bad-name", "no-break", "A no-break space in the name.", "exchange", "Kraken\u00a0One"),
        ("bad-name", "spaces", "Two spaces in a row in the name.", "exchange", "Kraken  One"),
        ("bad-name", "blank", "A symbol that shows as nothing.", "exchange", "Kraken\U0001d159"),
        ("bad-name", "mark", "A mark on no letter.", "exchange", "\u0301Kraken"),
        ("bad-name", "marks", "Five marks on a letter.", "exchange", "Krak" + "\u0316" * 5 + "en"),
        ("bad-name", "unassigned", "An unassigned code point in the name.", "exchange", "\u0378"),
        ("bad-snapshot-id", "empty", "No snapshot id.", "snapshot_id", ""),
        ("bad-snapshot-id", "long", "A snapshot id of 65 bytes.", "snapshot_id", "a" * 65),
        ("bad-snapshot-id", "upper", "A capital in the snapshot id.", "snapshot_id", "2026-Q1"),
        (
            "bad-snapshot-id",
            "newline",
            "A line feed after the snapshot id.",
            "snapshot_id",
            "2026-01-01\n",
        ),
        ("bad-snapshot-id", "digit", "A digit of another script.", "snapshot_id", "\u0661"),
        ("bad-time", "zero", "Time 0.", "time", 0),
        ("bad-time", "late", "Time 2^40 + 1.", "time", 2**40 + 1),
        ("bad-account-id-type", "other", "Account ids of type uuid.", "account_id_type", "uuid"),
        ("bad-account-id-type", "case", "Account ids of type Email.", "account_id_type", "Email"),
        ("bad-chain", "order", "The chains are not in order.", "chains", unsorted),
        ("bad-chain", "twice", "A chain twice.", "chains", [first, *reversed(unsorted)]),
        ("bad-chain", "name", "A capital in a chain's name.", "chains.0.name", "Bitcoin"),
        ("bad-chain", "empty", "A chain without a name.", "chains.0.name", ""),
        ("bad-chain", "long", "A chain's name of 33 bytes.", "chains.0.name", "b" * 33),
        ("bad-chain", "height", "A height of 2^63.", "chains.0.height", 2**63),
    ):
        yield derived(
            f"{code}-{name}",
            description,
            "the manifest's fields",
            f"manifest.{code}",
            edited(setter(path, value)),
        )


def assets() -> Iterator[Vector]:
    honest = manifest_of(base_files("honest"))
    btc, eth, tether = (asset_of(honest, spec.code) for spec in SPECS)
    native = eth["units"][0]
    token = {"chain": "ethereum", "contract": USDT, "decimals": 18}
    t = pow(7, -1, N).to_bytes(32, "big")
    cases = [
        ("bad-code", "lower", "A code in lower case.", "assets.0.code", "btc"),
        ("bad-code", "empty", "An empty code.", "assets.0.code", ""),
        ("bad-code", "long", "A code of 17 bytes.", "assets.0.code", "B" * 17),
        ("bad-code", "path", "A code with a slash.", "assets.0.code", "../BTC"),
        ("bad-code", "newline", "A line feed after the code.", "assets.0.code", "BTC\n"),
        ("bad-code", "order", "The assets are not in order.", "assets", [eth, btc, tether]),
        ("bad-code", "twice", "An asset twice.", "assets", [btc, btc]),
        ("bad-decimals", "ledger", "31 ledger decimals.", "assets.0.decimals", 31),
        (
            "bad-decimals",
            "unit",
            "A unit with fewer decimals than the ledger.",
            "assets.1.units.0.decimals",
            8,
        ),
        ("bad-decimals", "unit-large", "A unit with 37 decimals.", "assets.1.units.0.decimals", 37),
        (
            "bad-units",
            "order",
            "The units are not in order.",
            "assets.1.units",
            [token, native],
        ),
        ("bad-units", "twice", "A unit twice.", "assets.1.units", [native, native]),
        (
            "unit-without-block",
            "ethereum",
            "The chain of a unit has no block.",
            "chains",
            honest["chains"][:1],
        ),
        ("bad-page-size", "other", "Pages of 32.", "assets.0.page_size", 32),
        ("bad-page-size", "zero", "Pages of 0.", "assets.0.page_size", 0),
        ("bad-page-size", "between", "Pages of 1024.", "assets.1.page_size", 1024),
        ("bad-page-size", "large", "Pages of 8192.", "assets.0.page_size", 8192),
        ("bad-levels", "more", "A level too many.", "assets.0.levels", 3),
        ("bad-levels", "less", "A level missing.", "assets.0.levels", 1),
        ("bad-levels", "zero", "No levels.", "assets.1.levels", 0),
        ("bad-ratio", "zero", "A ratio of 0/1.", "assets.0.ratio", {"den": 1, "num": 0}),
        ("bad-ratio", "over-zero", "A ratio of 1/0.", "assets.0.ratio", {"den": 0, "num": 1}),
        ("bad-ratio", "zeros", "A ratio of 0/0.", "assets.0.ratio", {"den": 0, "num": 0}),
        ("bad-ratio", "common", "A ratio of 2/2.", "assets.0.ratio", {"den": 2, "num": 2}),
        ("bad-ratio", "large", "A numerator of 2^32.", "assets.0.ratio", {"den": 1, "num": 2**32}),
        (
            "bad-ratio",
            "large-den",
            "A denominator of 2^32.",
            "assets.0.ratio",
            {"den": 2**32, "num": 2**32 + 1},
        ),
        (
            "bad-ratio",
            "residue",
            "t/t for the low 64 bits of a t with t·(A - L) = 1.",
            "assets.0.ratio",
            {"den": 2**64 - 3, "num": 2**64 - 3},
        ),
        (
            "bad-fields",
            "ratio-residue",
            "t/t with t·(A - L) = 1 mod n, in 32 bytes.",
            "assets.0.ratio",
            {"den": t, "num": t},
        ),
        (
            "ratio-below-policy",
            "default",
            "A ratio below 1/1.",
            "assets.1.ratio",
            {"den": 3, "num": 2},
        ),
    ]
    cases += [
        ("bad-capacity", str(number), f"A capacity of {number}.", "assets.0.capacity", number)
        for number in (0, 9, 15, 17, 2**20 + 1, 2**20 + 2**18, 2**21)
    ]
    leaves = asset_of(honest, "BTC") | {"page_size": 4096, "capacity": 2**19, "levels": 5}
    first = asset_of(honest, "BTC") | {"page_size": 32, "capacity": 9}
    cases += [
        ("bad-capacity", "leaves", "A capacity of 2^31 leaves.", "assets.0", leaves),
        ("bad-page-size", "first", "Another capacity too, which comes later.", "assets.0", first),
    ]
    cases += [
        ("bad-sum", name, f"C_L is {text}.", "assets.0.sum", bad)
        for name, text, bad in point_faults()
    ]
    for code, name, description, path, value in cases:
        yield derived(
            f"{code}-{name}",
            description,
            "the manifest's fields",
            f"manifest.{code}",
            edited(setter(path, value)),
        )
    yield derived(
        "ratio-below-policy-user",
        "The policy asks for 11/10.",
        "the manifest's fields",
        "manifest.ratio-below-policy",
        base_files("honest"),
        policy={"ratio": [11, 10]},
    )
    yield derived(
        "ratio-below-policy-barely",
        "3/2 against a policy of 3000001/2000000.",
        "the manifest's fields",
        "manifest.ratio-below-policy",
        base_files("exact"),
        of="exact",
        policy={"ratio": [3_000_001, 2_000_000]},
    )


def vectors() -> Iterator[Vector]:
    for maker in (
        bases,
        accepted,
        set_aside,
        ahead,
        signatures,
        malformed,
        heads,
        bad_rotations,
        assets,
        wrong_units,
    ):
        yield from maker()
