"""Vectors of bundles whose fault is in the evidence: all else, solvency included, fits the lie."""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cache
from hashlib import sha256

from coincurve import PrivateKey

from prover.assets.signing import sign_bip322_simple_p2wpkh, sign_bip322_simple_p2wsh
from tests.support.bases import (
    Files,
    base,
    base_files,
    derived,
    forged,
    manifest_of,
    raw_faults,
)
from tests.support.bases import resigned as resigned_manifest
from tests.support.forge import tagged
from tests.support.forged_sample import SIGNERS, TETHER, USDT, key, sample, signed
from tests.support.forger import Fields, Lies, pack
from tests.support.ownership_forge import KEYS as OTHER_KEYS
from tests.support.ownership_forge import (
    PUBLIC_KEYS,
    address_of,
    full,
    multisig,
    p2sh,
    p2wsh,
    program_address,
    push,
    sign_p2sh,
    sign_segwit,
    simple,
    to_sign_for,
)
from tests.support.vector import Vector

Edit = Callable[[Fields], None]


def lying(code: str, edit: Edit) -> Files:
    """The honest bundle, but for the fields of one asset's evidence; everything else fits them."""

    def evidence(of: str, fields: Fields) -> None:
        if of == code:
            edit(fields)

    return forged(Lies(evidence=evidence))


def encoded(code: str, data: bytes) -> Files:
    """The honest bundle under other bytes of one asset's evidence, and their digest."""
    fields = manifest_of(base_files("honest"))
    for asset in fields["assets"]:
        if asset["code"] == code:
            asset["evidence"] = tagged("evidence", data)
    return dict(resigned_manifest(pack(fields))) | {f"evidence/{code}.msgpack": data}


@cache
def message(chain: str) -> str:
    return base("honest").forger.ownership_message(chain)


def row(kind: str, amount: int = 1, contract: str = "") -> dict[str, object]:
    chain = SIGNERS[kind][0]
    address = signed(kind, message(chain)).address
    return {
        "address": address,
        "amount": amount.to_bytes(32, "big"),
        "chain": chain,
        "contract": contract,
    }


def owned(
    fields: Fields, address: str, text: str, form: str = "bip322", chain: str = "bitcoin"
) -> None:
    """Replace all rows and signatures by one of an address."""
    amount = (2 * 10**8).to_bytes(32, "big")
    fields["rows"] = [{"address": address, "amount": amount, "chain": chain, "contract": ""}]
    fields["signatures"] = [{"address": address, "chain": chain, "format": form, "text": text}]


def malformed() -> Iterator[Vector]:
    source = "malformed files"
    honest = base_files("honest")
    data = honest["evidence/BTC.msgpack"]
    yield derived(
        "evidence-empty", "Evidence is empty.", source, "evidence.too-large", encoded("BTC", b"")
    )
    changed = dict(honest) | {"evidence/BTC.msgpack": honest["evidence/ETH.msgpack"]}
    yield derived(
        "evidence-swapped", "Another asset's evidence.", "replays", "evidence.wrong-digest", changed
    )
    changed = dict(honest) | {"evidence/BTC.msgpack": data[:-1] + b"\x02"}
    yield derived(
        "evidence-changed",
        "A byte of evidence is changed.",
        source,
        "evidence.wrong-digest",
        changed,
    )
    for name, description, raw in raw_faults(data, "version", b"\x01"):
        yield derived(
            f"evidence-raw-{name}",
            f"{description.capitalize()}.",
            source,
            "evidence.not-canonical",
            encoded("BTC", raw),
        )
    cases: list[tuple[str, str, Edit]] = [
        ("missing", "A field is missing.", lambda f: f.pop("signatures")),
        ("unknown", "There is an unknown field.", lambda f: f.update(total=5)),
        ("text-version", "The version is a text.", lambda f: f.update(version="1")),
        ("integer-amount", "An amount is an integer.", lambda f: f["rows"][0].update(amount=5)),
        (
            "short-amount",
            "An amount has 31 bytes.",
            lambda f: f["rows"][0].update(amount=bytes(31)),
        ),
        ("empty-address", "An address is empty.", lambda f: f["rows"][0].update(address="")),
        (
            "long-address",
            "An address has 129 bytes.",
            lambda f: f["rows"][0].update(address="1" * 129),
        ),
        ("empty-text", "A signature is empty.", lambda f: f["signatures"][0].update(text="")),
        (
            "long-text",
            "A signature has 131,073 bytes.",
            lambda f: f["signatures"][0].update(text="A" * 131_073),
        ),
        (
            "binary-text",
            "A signature is binary.",
            lambda f: f["signatures"][0].update(text=b"AAAA"),
        ),
        ("row-field", "A row has an unknown field.", lambda f: f["rows"][0].update(label="cold")),
    ]
    for name, description, edit in cases:
        fields = base_evidence("BTC")
        edit(fields)
        yield derived(
            f"evidence-fields-{name}",
            description,
            source,
            "evidence.bad-fields",
            encoded("BTC", pack(fields)),
        )
    fields = base_evidence("BTC") | {"version": 2}
    yield derived(
        "evidence-version",
        "Evidence of version 2.",
        source,
        "evidence.unsupported-version",
        encoded("BTC", pack(fields)),
    )
    fields = base_evidence("BTC") | {"code": "ETH"}
    yield derived(
        "evidence-other-asset",
        "Evidence names another asset.",
        source,
        "evidence.wrong-asset",
        encoded("BTC", pack(fields)),
    )


def base_evidence(code: str) -> Fields:
    forger = base("honest").forger
    return forger.evidence(next(asset for asset in forger.assets if asset.code == code))


def rows() -> Iterator[Vector]:
    bech32 = signed("p2wpkh", message("bitcoin")).address
    base58 = signed("p2pkh", message("bitcoin")).address
    account = signed("account", message("ethereum")).address

    def address(place: int, text: str) -> Edit:
        def edit(fields: Fields) -> None:
            old = fields["rows"][place]["address"]
            for item in (*fields["rows"], *fields["signatures"]):
                if item["address"] == old:
                    item["address"] = text
            for listed in ("rows", "signatures"):
                fields[listed].sort(key=lambda item: item["address"])

        return edit

    def spelt_twice(fields: Fields) -> None:
        for listed in ("rows", "signatures"):
            again = [
                dict(item, address=item["address"].upper())
                for item in fields[listed]
                if item["address"] == bech32
            ]
            fields[listed] = sorted(fields[listed] + again, key=lambda item: item["address"])

    def account_twice(fields: Fields) -> None:
        for listed in ("rows", "signatures"):
            again = [dict(item, address=item["address"].lower()) for item in fields[listed]]
            fields[listed] = sorted(fields[listed] + again, key=lambda item: item["address"])

    cases: list[tuple[str, str, str, str, Edit]] = [
        ("unsorted", "rows", "Rows are not in order.", "BTC", lambda f: f["rows"].reverse()),
        (
            "duplicate-address",
            "row-twice",
            "A row twice.",
            "BTC",
            lambda f: f["rows"].append(f["rows"][-1]),
        ),
        (
            "duplicate-address",
            "address-twice",
            "An address twice, with two amounts.",
            "BTC",
            lambda f: f["rows"].insert(0, f["rows"][0] | {"amount": bytes(32)}),
        ),
        (
            "unsorted",
            "signatures",
            "Signatures are not in order.",
            "BTC",
            lambda f: f["signatures"].reverse(),
        ),
        (
            "unsorted",
            "signature-twice",
            "A signature twice.",
            "BTC",
            lambda f: f["signatures"].append(f["signatures"][-1]),
        ),
        (
            "unknown-unit",
            "contract",
            "A row of a foreign contract.",
            "ETH",
            lambda f: f["rows"].append(row("account", contract=USDT)),
        ),
        (
            "unknown-unit",
            "native",
            "A token's evidence counts the chain's own coin.",
            "USDT",
            lambda f: f["rows"].insert(0, row("account")),
        ),
        (
            "unknown-unit",
            "chain",
            "A row of another chain.",
            "ETH",
            lambda f: f["rows"].insert(0, row("p2wpkh")),
        ),
        (
            "bad-address",
            "checksum",
            "An address with a wrong checksum.",
            "BTC",
            address(0, base58[:-1] + ("1" if base58[-1] != "1" else "2")),
        ),
        (
            "bad-address",
            "upper",
            "A Bech32 address in upper case.",
            "BTC",
            address(1, bech32.upper()),
        ),
        ("bad-address", "spelt-twice", "One address in two spellings.", "BTC", spelt_twice),
        (
            "bad-address",
            "account-lower",
            "An account in lower case.",
            "ETH",
            address(0, account.lower()),
        ),
        ("bad-address", "account-twice", "One account in two spellings.", "ETH", account_twice),
        (
            "bad-address",
            "account-checksum",
            "An account with another capitalisation.",
            "ETH",
            address(0, account.swapcase().replace("X", "x")),
        ),
        ("bad-address", "account-plain", "An account without 0x.", "ETH", address(0, account[2:])),
        (
            "bad-address",
            "testnet",
            "A testnet address.",
            "BTC",
            address(1, "tb1qw508d6qejxtdg4y5r3zarvary0c5xw7kxpjzsx"),
        ),
        ("bad-address", "space", "A space after an address.", "BTC", address(1, bech32 + " ")),
        (
            "bad-address",
            "wrong-chain",
            "An Ethereum account on bitcoin.",
            "BTC",
            address(1, account),
        ),
        (
            "unmatched-signature",
            "missing",
            "An address without a signature.",
            "BTC",
            lambda f: f["signatures"].pop(),
        ),
        (
            "unmatched-signature",
            "none",
            "No signatures at all.",
            "BTC",
            lambda f: f.update(signatures=[]),
        ),
        (
            "unmatched-signature",
            "extra",
            "A signature without a row.",
            "BTC",
            lambda f: f["rows"].pop(),
        ),
        (
            "unmatched-signature",
            "chain",
            "A signature's chain is another.",
            "BTC",
            lambda f: f["signatures"][-1].update(chain="ethereum"),
        ),
    ]
    for code, name, description, asset, edit in cases:
        yield derived(
            f"evidence-{code}-{name}",
            description,
            "evidence",
            f"evidence.{code}",
            lying(asset, edit),
        )
    huge = replace(TETHER, holdings=(("account", USDT, 2**96),))
    yield derived(
        "evidence-total-too-large",
        "Assets of 2^96 ledger units.",
        "evidence",
        "evidence.total-too-large",
        forged(specs=[huge]),
    )
    most = replace(TETHER, holdings=(("account", USDT, 2**256 - 1),))
    yield derived(
        "evidence-amount-all-ones",
        "An amount of 2^256 - 1.",
        "evidence",
        "evidence.total-too-large",
        forged(specs=[most]),
    )


def signatures() -> Iterator[Vector]:
    bitcoin = message("bitcoin")
    forger = base("honest").forger

    def wrong(
        name: str, description: str, text: str, form: str = "bip322", code: str = "bad-signature"
    ) -> Vector:
        return derived(
            f"evidence-{code}-{name}",
            description,
            "ownership",
            f"evidence.{code}",
            lying(
                "BTC", lambda fields: owned(fields, signed("p2wpkh", bitcoin).address, text, form)
            ),
        )

    genuine = signed("p2wpkh", bitcoin).signature
    raw = bytearray(b64decode(genuine.removeprefix("smp")))
    raw[20] ^= 1
    prefix = "smp" if genuine.startswith("smp") else ""
    yield wrong("flipped", "A bit of a signature is flipped.", prefix + b64encode(raw).decode())
    yield wrong(
        "another-key",
        "Another key's signature.",
        sign_bip322_simple_p2wpkh(key(9), bitcoin).signature,
    )
    yield wrong("not-base64", "A text that is no signature.", "smp!!!!")
    for name, identity in (
        ("exchange", {"exchange": "Other Exchange"}),
        ("snapshot", {"snapshot_id": "2025-12-01"}),
        ("key", {"signing_seed": bytes(32)}),
        ("block", {"chains": [("bitcoin", 900_000, bytes(32)), *forger.chains[1:]]}),
    ):
        text = sample([], {}, **identity).forger.ownership_message("bitcoin")
        yield wrong(
            f"other-{name}", f"The message names another {name}.", signed("p2wpkh", text).signature
        )
    yield wrong(
        "newline", "A line feed after the message.", signed("p2wpkh", bitcoin + "\n").signature
    )
    yield wrong(
        "chain",
        "The message names another chain.",
        signed(
            "p2wpkh",
            message("ethereum").replace(forger.chains[1][2].hex(), forger.chains[0][2].hex()),
        ).signature,
    )
    yield wrong("unknown-format", "An unknown format.", genuine, "bip-322", "unsupported-signature")
    yield wrong(
        "ethereum-format",
        "Ethereum's format for a bitcoin address.",
        signed("account", bitcoin).signature,
        "eip191",
        "unsupported-signature",
    )
    taproot = signed("p2tr", bitcoin)
    yield derived(
        "evidence-unsupported-signature-taproot",
        "BIP-137 for a taproot address.",
        "ownership",
        "evidence.unsupported-signature",
        lying(
            "BTC",
            lambda fields: owned(
                fields, taproot.address, signed("p2pkh", bitcoin).signature, "bip137"
            ),
        ),
    )
    account = signed("account", message("ethereum"))
    other = signed("other account", message("ethereum"))
    for name, description, text in (
        ("account-other", "Another account's signature.", other.signature),
        (
            "account-flipped",
            "A recovery id flipped.",
            account.signature[:-2] + {"1b": "1c", "1c": "1b"}[account.signature[-2:]],
        ),
        ("account-short", "A signature of 64 bytes.", account.signature[:-2]),
    ):
        yield derived(
            f"evidence-bad-signature-{name}",
            description,
            "ownership",
            "evidence.bad-signature",
            lying("ETH", lambda fields, text=text: fields["signatures"][0].update(text=text)),  # type: ignore[misc]
        )


def templates() -> Iterator[Vector]:
    """Scripts that prove no owner, each with a signature or witness that satisfies it."""
    bitcoin = message("bitcoin")
    single = push(PUBLIC_KEYS[0]) + b"\xac"

    def by_script(script: bytes, keys: int) -> tuple[str, str]:
        output = p2wsh(script)
        to_sign = to_sign_for(bitcoin, output)
        made = [sign_segwit(item, to_sign, script) for item in OTHER_KEYS[:keys]]
        dummy = [b""] if script[-1] == 0xAE else []
        return address_of(output), simple([*dummy, *made, script])

    minority = sign_bip322_simple_p2wsh([key(4), key(5), key(6)], 1, bitcoin)
    half = sign_bip322_simple_p2wsh([key(4), key(5), key(6), key(7)], 2, bitcoin)
    open_script = p2sh(b"\x51")
    cases = {
        "anyone": (
            "A script that anyone can spend.",
            (address_of(p2wsh(b"\x51")), simple([b"\x51"])),
        ),
        "anyone-p2sh": (
            "A legacy script that anyone can spend.",
            (address_of(open_script), full(to_sign_for(bitcoin, open_script), push(b"\x51"))),
        ),
        "minority": ("A 1-of-3 multisig.", (minority.address, minority.signature)),
        "half": ("A 2-of-4 multisig.", (half.address, half.signature)),
        "time-lock": ("A key after a time lock.", by_script(b"\x01\x64\xb1\x75" + single, 1)),
        "relative-lock": (
            "A key after a relative time lock.",
            by_script(b"\x01\x0a\xb2\x75" + single, 1),
        ),
        "key-script": ("A bare key in a script.", by_script(single, 1)),
        "repeated-key": (
            "A 2-of-3 multisig with one key thrice.",
            by_script(multisig(2, [PUBLIC_KEYS[0]] * 3), 2),
        ),
        "future-version": (
            "A witness program of version 2.",
            (program_address(2, sha256(b"p").digest()), simple([b"\x01"])),
        ),
        "short-taproot": (
            "A version 1 program of 20 bytes.",
            (program_address(1, bytes(range(20))), simple([b"\x01"])),
        ),
        "anchor": (
            "A version 1 program of 2 bytes.",
            (program_address(1, b"\x4e\x73"), simple([b"\x01"])),
        ),
    }
    for name, (description, (address, text)) in cases.items():
        yield derived(
            f"evidence-unsupported-template-{name}",
            description,
            "ownership",
            "evidence.unsupported-template",
            lying("BTC", lambda fields, a=address, t=text: owned(fields, a, t)),  # type: ignore[misc]
        )
    address, text = cases["future-version"][1]
    yield derived(
        "evidence-unsupported-template-unknown-format",
        "A witness program of version 2 under an unknown format: the address comes first.",
        "order of checks",
        "evidence.unsupported-template",
        lying("BTC", lambda fields, a=address, t=text: owned(fields, a, t, "none")),  # type: ignore[misc]
    )
    script = multisig(1, PUBLIC_KEYS[:1])
    output = p2wsh(script)
    address, to_sign = address_of(output), to_sign_for(bitcoin, output)
    for name, description, code, sighash in (
        ("all", "A 1-of-1 multisig, whose one key is a majority.", None, 1),
        ("none", "A signature of sighash type NONE.", "evidence.bad-signature", 2),
        (
            "anyone",
            "A signature of sighash type ALL, ANYONECANPAY.",
            "evidence.bad-signature",
            0x81,
        ),
    ):
        text = simple([b"", sign_segwit(OTHER_KEYS[0], to_sign, script, sighash), script])
        yield derived(
            f"evidence-sighash-{name}",
            description,
            "ownership" if code else "accepted",
            code,
            lying("BTC", lambda fields, text=text: owned(fields, address, text)),  # type: ignore[misc]
        )
    for name, description, code, count in (
        ("bad-signature-long-script", "P2SH of 547 bytes.", "evidence.bad-signature", 16),
        ("p2sh-15-keys", "P2SH of 513 bytes, 8-of-15.", None, 15),
    ):
        keys = [key(20 + at) for at in range(count)]
        public_keys = [PrivateKey(one).public_key.format() for one in keys]
        needed = count // 2 + 1
        made = sign_p2sh(multisig(needed, public_keys), keys[:needed], message=bitcoin)
        yield derived(
            f"evidence-{name}",
            description,
            "ownership" if code else "accepted",
            code,
            lying("BTC", lambda fields, made=made: owned(fields, *made)),  # type: ignore[misc]
        )
    yield derived(
        "evidence-unsupported-signature-funds",
        "A proof of funds.",
        "ownership",
        "evidence.unsupported-signature",
        lying("BTC", lambda fields: owned(fields, address, "pof" + text[3:])),
    )


def vectors() -> Iterator[Vector]:
    for maker in (malformed, rows, signatures, templates):
        yield from maker()
