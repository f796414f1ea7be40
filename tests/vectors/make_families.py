"""Vectors of families: addresses, contracts and signatures on several EVM chains and Tron."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cache

from prover.assets.signing import sign_eip191, sign_tip191  # before what imports embit

# isort: split
from coincurve import PrivateKey
from embit import base58

from tests.support.bases import (
    CHAINS,
    FAMILIES,
    FOREIGN,
    USDT_ON_BSC,
    USDT_ON_TRON,
    Files,
    base,
    base_files,
    derived,
    forged,
    positive,
)
from tests.support.forged_sample import ETH, Spec, key, signed
from tests.support.forger import Fields, Lies
from tests.support.vector import Vector
from verifier.format.keccak import keccak256
from verifier.ownership.recovery import CURVE_ORDER

Edit = Callable[[Fields], None]
# What the verifier's user names, whether or not the table of a later day has it.
KNOWN = [
    ["BNB", "bsc", "", 18],
    ["USDT", "bsc", USDT_ON_BSC, 18],
    ["USDT", "tron", USDT_ON_TRON, 6],
]
FAR = bytes([0xC1, 0xC2]) * 16


def lying(code: str, edit: Edit) -> Files:
    """The bundle of several chains, but for the fields of one asset's evidence."""

    def evidence(of: str, fields: Fields) -> None:
        if of == code:
            edit(fields)

    return forged(Lies(evidence=evidence), FAMILIES, chains=CHAINS)


@cache
def message(chain: str) -> str:
    return base("families").forger.ownership_message(chain)


def entry(fields: Fields, chain: str) -> Fields:
    """The signature of a chain."""
    found: Fields = next(item for item in fields["signatures"] if item["chain"] == chain)
    return found


def another(code: str | None, name: str, description: str, chain: str, **changes: str) -> Vector:
    """A vector of another signature of USDT's address on a chain."""
    return derived(
        f"families-{name}",
        description,
        "ownership" if code else "accepted",
        code and f"evidence.{code}",
        lying("USDT", lambda fields: entry(fields, chain).update(changes)),
        of="families",
        policy={"units": KNOWN},
    )


def recoverable(digest: bytes) -> str:
    raw = PrivateKey(key(7)).sign_recoverable(digest, hasher=None)
    return "0x" + (raw[:64] + bytes([27 + raw[64]])).hex()


def spellings(text: str) -> Iterator[tuple[str, str, str]]:
    """Other texts of a good signature: name, description, text."""
    yield "upper", "in upper-case hex", "0x" + text[2:].upper()
    yield "bare", "without 0x", text[2:]
    yield "plain-v", "whose v is 0 or 1", text[:-2] + {"1b": "00", "1c": "01"}[text[-2:]]
    yield "other-v", "with the other v", text[:-2] + {"1b": "1c", "1c": "1b"}[text[-2:]]
    s = (CURVE_ORDER - int(text[66:130], 16)).to_bytes(32, "big").hex()
    yield "high-s", "with the high s", text[:66] + s + {"1b": "1c", "1c": "1b"}[text[-2:]]
    yield "short", "of 64 bytes", text[:-2]


def signatures() -> Iterator[Vector]:
    bad, unsupported = "bad-signature", "unsupported-signature"
    ethereum, bsc = (sign_eip191(key(7), message(chain)).signature for chain in ("ethereum", "bsc"))
    tron = sign_tip191(key(7), message("tron")).signature
    yield another(
        None,
        "elsewhere",
        "On BNB Smart Chain the account's signature over Ethereum's message, which is named.",
        "bsc",
        format="eip191@ethereum",
        text=ethereum,
    )
    yield another(
        bad,
        "elsewhere-own",
        "Ethereum's message is named, and the chain's own is signed.",
        "bsc",
        format="eip191@ethereum",
        text=bsc,
    )
    yield another(
        bad, "other-chain", "Ethereum's message is signed, and not named.", "bsc", text=ethereum
    )
    yield another(
        bad,
        "elsewhere-absent",
        "A chain is named of which the manifest has no block.",
        "bsc",
        format="eip191@polygon",
    )
    yield another(
        bad,
        "elsewhere-unknown-absent",
        "A chain is named that nobody knows, and the manifest neither.",
        "bsc",
        format="eip191@narnia",
    )

    def unread(of: str, fields: Fields) -> None:
        if of == "USDT":
            entry(fields, "bsc").update(format="eip191@narnia", text="x")

    yield derived(
        "families-elsewhere-unknown",
        "A chain is named that nobody knows: what was signed cannot be told.",
        "accepted",
        None,
        forged(Lies(evidence=unread), FAMILIES, chains=sorted([*CHAINS, ("narnia", 3, FAR)])),
        of="families",
        policy={"units": KNOWN, "require": "unverified"},
        levels={"BNB": "claimed", "USDT": "unverified"},
    )
    for name, description, form in (
        ("self", "The chain's own message is named as another's.", "eip191@bsc"),
        ("empty", "No chain is named.", "eip191@"),
        ("twice", "Two chains are named.", "eip191@ethereum@ethereum"),
        ("bitcoin", "A chain of another family is named.", "eip191@bitcoin"),
        ("tron", "Tron is named.", "eip191@tron"),
        ("contract", "A contract wallet's signature for another chain.", "eip1271@ethereum"),
        ("upper", "The other chain's name in upper case.", "eip191@Ethereum"),
    ):
        changes = {"format": form, "text": ethereum}
        yield another(unsupported, f"elsewhere-{name}", description, "bsc", **changes)
    for form in ("eip191", "eip1271", "bip137", "tip191@ethereum", "eip191@ethereum"):
        yield another(
            unsupported,
            f"tron-{form.replace('@', '-at-')}",
            f"The format {form} on Tron.",
            "tron",
            format=form,
            text=ethereum,
        )
    yield another(
        unsupported, "ethereum-tip191", "Tron's format on Ethereum.", "ethereum", format="tip191"
    )
    for name, description, text in (
        ("message", "another message", sign_tip191(key(7), message("tron") + "\n").signature),
        ("chain", "another chain's message", sign_tip191(key(7), message("bsc")).signature),
        ("key", "the message, by another key", sign_tip191(key(8), message("tron")).signature),
        ("frame", "the message as Ethereum frames it", sign_eip191(key(7), message("tron"))[1]),
        ("hash", "the message's hash, as TronWeb once did", recoverable(_hashed("tron"))),
    ):
        yield another(bad, f"tron-{name}", f"A signature over {description}.", "tron", text=text)
    hashed = recoverable(_hashed("bsc"))
    yield another(bad, "bsc-hash", "A signature over the message's hash.", "bsc", text=hashed)
    for chain, good in (("bsc", bsc), ("tron", tron)):
        for name, how, text in spellings(good):
            description = f"A signature {how}."
            yield another(bad, f"{chain}-{name}", description, chain, text=text)


def _hashed(chain: str) -> bytes:
    """The digest that signs for a message's Keccak hash."""
    name = b"TRON" if chain == "tron" else b"Ethereum"
    frame = b"\x19" + name + b" Signed Message:\n32"
    return keccak256(frame + keccak256(message(chain).encode()))


def addresses() -> Iterator[Vector]:
    account = signed("tron account", message("tron")).address
    wrong = {
        "version": ("of the version byte 0x42", base58.encode_check(b"\x42" + bytes(range(20)))),
        "testnet": ("of a test network", base58.encode_check(b"\xa0" + bytes(range(20)))),
        "bitcoin": ("of Bitcoin", base58.encode_check(bytes(21))),
        "long": ("of 21 bytes and the version", base58.encode_check(b"\x41" + bytes(21))),
        "mistyped": ("with a wrong checksum", account[:-1] + ("2" if account[-1] == "1" else "1")),
        "padded": ("with a leading 1", "1" + account),
        "space": ("with a space after it", account + " "),
        "hex": ("in hex", "41" + "22" * 20),
        "evm": ("in Ethereum's form", FOREIGN),
        "lower": ("in lower case", account.lower()),
    }
    for name, (description, text) in wrong.items():

        def edit(fields: Fields, text: str = text) -> None:
            for item in (*fields["rows"], *fields["signatures"]):
                if item["chain"] == "tron":
                    item["address"] = text

        yield derived(
            f"families-bad-address-{name}",
            f"A Tron address {description}.",
            "evidence",
            "evidence.bad-address",
            lying("USDT", edit),
            of="families",
        )


def units() -> Iterator[Vector]:
    """Contracts in another text, rows where there are none, chains that nobody knows."""
    chains = [("fiat", base("families").forger.time, bytes(32)), ("monero", 3_000_000, FAR)]
    for name, description, unit in (
        ("lower", "An EVM contract in lower case.", ("bsc", "0x" + "ab" * 20, 6)),
        ("tron-evm", "A Tron contract in Ethereum's form.", ("tron", FOREIGN, 6)),
        ("tron-mistyped", "A Tron contract, mistyped.", ("tron", USDT_ON_TRON[:-1] + "u", 6)),
        ("bitcoin", "A contract on bitcoin.", ("bitcoin", FOREIGN, 8)),
        ("currency", "Money in accounts in lower case.", ("fiat", "usd", 6)),
        ("no-currency", "Money in accounts of no currency.", ("fiat", "", 6)),
    ):
        spec = Spec("XYZ", 6, (unit,), ())
        yield derived(
            f"families-bad-contract-{name}",
            description,
            "evidence",
            "evidence.bad-contract",
            forged(specs=[spec], customers={}, chains=sorted([*CHAINS, *chains])),
            of="families",
        )

    def elsewhere(chain: str, address: str) -> Lies:
        def edit(code: str, fields: Fields) -> None:
            for item in (*fields["rows"], *fields["signatures"]):
                item.update(address=address, chain=chain)
            for row in fields["rows"]:
                row["contract"] = {"fiat": "USD"}.get(chain, "")
            for item in fields["signatures"]:
                item.update(format="none", text="nobody reads this")

        return Lies(evidence=edit)

    for name, description, code, chain, contract in (
        ("row", "A row of money in accounts, where nobody has an address.", "USD", "fiat", "USD"),
        (
            "unknown-chain",
            "A row on a chain that nobody knows: it is unread, and its asset is set aside.",
            "XMR",
            "monero",
            "",
        ),
    ):
        # A row of another chain makes the honest part; the lie moves it.
        spec = replace(
            ETH,
            code=code,
            decimals=2,
            units=(("ethereum", FOREIGN, 2), (chain, contract, 2)),
            holdings=(("account", FOREIGN, 500),),
        )
        spec = replace(spec, units=tuple(sorted(spec.units)))
        accepted = chain == "monero"
        yield derived(
            f"families-{'bad-address-' * (not accepted)}{name}",
            description,
            "accepted" if accepted else "evidence",
            None if accepted else "evidence.bad-address",
            forged(
                elsewhere(chain, "4" * 95),
                [spec],
                {},
                chains=sorted([*CHAINS, *chains]),
            ),
            of="families",
            **({"levels": {code: "claimed"}, "set_aside": [code]} if accepted else {}),
        )


def headers() -> Iterator[Vector]:
    hidden = {
        "amounts": bytes(16),
        "argument": b"",
        "chain": "tron",
        "commitment": bytes(33),
        "contract": USDT_ON_TRON,
        "keys": bytes(33),
        "scripts": ["account"],
    }
    yield derived(
        "families-hidden-tron",
        "A hidden set on a chain whose keys stand for nothing here.",
        "hidden keys",
        "evidence.unsupported-chain",
        lying("USDT", lambda fields: fields.update(hidden=[hidden])),
        of="families",
    )
    proof = {"chain": "tron", "header": bytes(80), "nodes": []}
    yield derived(
        "families-header-tron",
        "A header of Tron, of which nothing here says what it proves: it is left alone.",
        "accepted",
        None,
        lying("USDT", lambda fields: fields.update(proofs=[proof])),
        of="families",
    )


def vectors() -> Iterator[Vector]:
    yield positive(
        "families",
        "Ethereum, BNB Smart Chain and Tron, with one key on all of them.",
        base_files("families"),
        policy={"units": KNOWN},
        levels={"BNB": "claimed", "USDT": "claimed"},
    )
    for maker in (signatures, addresses, units, headers):
        yield from maker()
