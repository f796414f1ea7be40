"""Vectors of BIP-127 transactions: one for several addresses, and what is none of one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache

from tests.support.bases import derived
from tests.support.bitcoin_spend import (
    KINDS,
    OP_TRUE,
    Wallet,
    reserves,
    text_of,
    wallet,
)
from tests.support.forger import Fields
from tests.support.ownership_forge import PUBLIC_KEYS, multisig, p2pkh, p2wsh
from tests.support.vector import Vector
from tests.vectors.make_coins import coin as coin_fields
from tests.vectors.make_evidence import Edit, lying, message
from verifier.ownership import parse_address
from verifier.ownership.bip127 import SpentCoin

# isort: split
from embit import script
from embit.transaction import Transaction

Owned = list[tuple[Wallet, SpentCoin]]
Change = Callable[[Transaction], None]

HELD = 200_000_000  # what the sample's addresses come to


@cache
def holders(kinds: tuple[str, ...]) -> tuple[tuple[Wallet, SpentCoin], ...]:
    """Two coins of each kind of address."""
    each = HELD // (2 * len(kinds))
    owned = []
    for number, kind in enumerate(kind for kind in kinds for _ in range(2)):
        owner = wallet(kind)
        address = parse_address("bitcoin", owner.address)
        amount = each if number else HELD - each * (2 * len(kinds) - 1)
        owned.append((owner, SpentCoin(address, bytes([number]) * 32, 7 * number, amount)))
    return tuple(owned)


def listed(fields: Fields, owned: Owned, texts: dict[str, str]) -> None:
    """Make the evidence those coins and their addresses, with a text of each address."""
    amounts: dict[str, int] = {}
    for owner, item in owned:
        amounts[owner.address] = amounts.get(owner.address, 0) + item.amount
    fields["rows"] = [
        {
            "address": address,
            "amount": amount.to_bytes(32, "big"),
            "chain": "bitcoin",
            "contract": "",
        }
        for address, amount in sorted(amounts.items())
    ]
    fields["signatures"] = [
        {"address": address, "chain": "bitcoin", "format": "bip127", "text": texts[address]}
        for address in sorted(amounts)
    ]
    coins = [
        coin_fields(owner.address, item.amount, item.index, item.txid) for owner, item in owned
    ]
    coins.sort(key=lambda item: (item["address"], item["txid"], item["index"]))
    fields["coins"] = coins


def shared(owned: Owned, text: str) -> dict[str, str]:
    """The text at the least address, and references to it at the others."""
    first, *others = sorted({owner.address for owner, _ in owned})
    return {first: text} | dict.fromkeys(others, f"@{first}")


def bent(
    change: Change = lambda _: None,
    *,
    kinds: tuple[str, ...] = ("p2wpkh", "p2tr"),
    after: Change = lambda _: None,
    of: str | None = None,
    sighash: int | None = None,
) -> Edit:
    """Evidence by one transaction, changed before or after it is signed."""

    def edit(fields: Fields) -> None:
        owned = list(holders(kinds))
        transaction = reserves(owned, of or message("bitcoin"), change, sighash=sighash)
        after(transaction)
        listed(fields, owned, shared(owned, text_of(transaction)))

    return edit


def then(edit: Edit, more: Edit) -> Edit:
    def both(fields: Fields) -> None:
        edit(fields)
        more(fields)

    return both


def many_inputs(fields: Fields) -> None:
    """A transaction whose text is longer than any other signature may be."""
    owner = wallet("p2wpkh")
    address = parse_address("bitcoin", owner.address)
    owned = [
        (owner, SpentCoin(address, bytes([1, number]) * 16, 0, HELD // 100))
        for number in range(100)
    ]
    text = text_of(reserves(owned, message("bitcoin")))
    if len(text) <= 16_384:
        raise ValueError("not long enough")
    listed(fields, owned, {owner.address: text})


def two_transactions(fields: Fields) -> None:
    owned = list(holders(("p2pkh", "p2sh")))
    texts = {}
    for owner in {owner for owner, _ in owned}:
        own = [item for item in owned if item[0] == owner]
        texts[owner.address] = text_of(reserves(own, message("bitcoin")))
    listed(fields, owned, texts)


def anyone_can_spend(fields: Fields) -> None:
    """A true transaction, one of whose inputs needs no key."""
    open_script = p2wsh(OP_TRUE)
    anyone = Wallet("anyone", open_script, ())
    address = parse_address("bitcoin", anyone.address)
    honest, coin = holders(("p2wpkh",))[0]
    owned = [(honest, coin), (anyone, SpentCoin(address, b"\x09" * 32, 0, HELD - coin.amount))]
    transaction = reserves(owned[:1], message("bitcoin"), lambda tx: add_input(tx, owned[1][1]))
    transaction.vin[2].witness = script.Witness([OP_TRUE])
    listed(fields, owned, shared(owned, text_of(transaction)))


def add_input(transaction: Transaction, coin: SpentCoin) -> None:
    spent = type(transaction.vin[0])(coin.txid, coin.index, sequence=0xFFFFFFFF)
    transaction.vin.append(spent)
    transaction.vout[0].value += coin.amount


def minority(fields: Fields) -> None:
    """One of two keys is enough."""
    code = multisig(1, PUBLIC_KEYS[:2])
    owner = Wallet("p2wsh", p2wsh(code), wallet("p2pkh").keys, code)
    address = parse_address("bitcoin", owner.address)
    owned = [(owner, SpentCoin(address, b"\x09" * 32, 0, HELD))]
    listed(fields, owned, {owner.address: text_of(reserves(owned, message("bitcoin")))})


def free_fields(transaction: Transaction) -> None:
    transaction.version = 1
    transaction.locktime = 500_000_000
    transaction.vin.append(transaction.vin.pop(1))
    for spend in transaction.vin:
        spend.sequence = 0
    transaction.vout[0].script_pubkey = script.Script(p2pkh(PUBLIC_KEYS[3]))


def accepted() -> Iterator[tuple[str, str, Edit]]:
    yield "all-templates", "One transaction for an address of every template.", bent(kinds=KINDS)
    yield "two", "Two addresses, each with a transaction of its own.", two_transactions
    yield "many-inputs", "A transaction of a hundred inputs.", many_inputs
    yield (
        "free-fields",
        "Version 1, a lock time, sequences of zero, an output to an address, coins in any order.",
        bent(free_fields),
    )


BAD, UNSUPPORTED, TEMPLATE = "bad-signature", "unsupported-signature", "unsupported-template"


def refused() -> Iterator[tuple[str, str, str, Edit]]:
    yield BAD, "message", "Signed for another snapshot.", bent(of="another message")
    yield (
        BAD,
        "order",
        "The commitment in the order of display.",
        bent(lambda tx: setattr(tx.vin[0], "txid", tx.vin[0].txid[::-1])),
    )
    yield (
        BAD,
        "index",
        "The commitment's index is 1.",
        bent(lambda tx: setattr(tx.vin[0], "vout", 1)),
    )
    yield (
        BAD,
        "commitment-last",
        "The commitment is the last input.",
        bent(lambda tx: tx.vin.append(tx.vin.pop(0))),
    )
    yield (
        BAD,
        "commitment-filled",
        "The commitment input has a witness.",
        bent(after=lambda tx: setattr(tx.vin[0], "witness", script.Witness([b"\x01"]))),
    )
    yield BAD, "coin-missing", "A coin that is listed is not spent.", bent(lambda tx: tx.vin.pop())
    yield (
        BAD,
        "coin-extra",
        "A coin is spent that is not listed.",
        bent(lambda tx: tx.vin.append(type(tx.vin[0])(bytes(32), 1))),
    )
    yield BAD, "coin-twice", "A coin is spent twice.", bent(lambda tx: tx.vin.append(tx.vin[1]))
    yield (
        BAD,
        "fee",
        "The output is one satoshi less than the coins.",
        bent(lambda tx: setattr(tx.vout[0], "value", HELD - 1)),
    )
    yield BAD, "outputs", "There are two outputs.", bent(lambda tx: tx.vout.append(tx.vout[0]))
    yield BAD, "no-output", "There is no output.", bent(lambda tx: tx.vout.clear())
    yield (
        BAD,
        "sighash",
        "ECDSA signatures of sighash type ALL|ANYONECANPAY.",
        bent(kinds=("p2wpkh",), sighash=0x81),
    )
    yield (
        BAD,
        "sighash-taproot",
        "Schnorr signatures of sighash type NONE.",
        bent(kinds=("p2tr",), sighash=2),
    )
    yield (
        BAD,
        "amounts",
        "Two coins have each other's amounts, which witness signatures cover.",
        then(bent(kinds=("p2wpkh",)), swap_amounts),
    )
    yield (
        BAD,
        "unsigned",
        "One input is not signed.",
        bent(after=lambda tx: setattr(tx.vin[1], "witness", script.Witness([]))),
    )
    yield (
        BAD,
        "signatures-swapped",
        "Two inputs have each other's signatures.",
        bent(kinds=("p2wpkh",), after=swap_witnesses),
    )
    yield BAD, "no-coins", "No coins are listed.", then(bent(), lambda f: f.update(coins=[]))
    yield (
        BAD,
        "coins-of-one",
        "One of the addresses lists no coins.",
        then(bent(), lambda f: f.update(coins=f["coins"][:2])),
    )
    yield (
        BAD,
        "base64",
        "White space after the transaction.",
        then(bent(), lambda f: f["signatures"][0].update(text=f["signatures"][0]["text"] + "\n")),
    )
    yield (
        BAD,
        "reference-absent",
        "A reference to an address that has no transaction.",
        then(
            bent(), lambda f: f["signatures"][1].update(text="@1BoatSLRHtKNngkdXEeobR76b53LETtpyT")
        ),
    )
    yield (
        BAD,
        "reference-itself",
        "A reference of an address to itself.",
        then(bent(), lambda f: f["signatures"][1].update(text="@" + f["signatures"][1]["address"])),
    )
    yield (
        BAD,
        "reference-later",
        "The transaction is at the greater address.",
        then(bent(), exchange),
    )
    yield (
        BAD,
        "reference-bip322",
        "A reference under another format.",
        then(bent(), lambda f: f["signatures"][1].update(format="bip322")),
    )
    yield (
        UNSUPPORTED,
        "version",
        "The transaction's version is 3.",
        bent(lambda tx: setattr(tx, "version", 3)),
    )
    yield (
        TEMPLATE,
        "anyone",
        "One of the inputs can be spent by anyone.",
        anyone_can_spend,
    )
    yield TEMPLATE, "minority", "A multisig of one in two.", minority


def swap_amounts(fields: Fields) -> None:
    first, second = fields["coins"]
    first["amount"], second["amount"] = second["amount"] + 5, first["amount"] - 5


def swap_witnesses(transaction: Transaction) -> None:
    first, second = transaction.vin[1:3]
    first.witness, second.witness = second.witness, first.witness


def exchange(fields: Fields) -> None:
    first, second = fields["signatures"]
    first["text"], second["text"] = "@" + second["address"], first["text"]


def vectors() -> Iterator[Vector]:
    for name, description, edit in accepted():
        yield derived(f"evidence-bip127-{name}", description, "accepted", None, lying("BTC", edit))
    for code, name, description, edit in refused():
        yield derived(
            f"evidence-bip127-{code}-{name}",
            description,
            "proof-of-reserves transactions",
            f"evidence.{code}",
            lying("BTC", edit),
        )
    yield derived(
        "evidence-bip127-text-long",
        "A transaction of 131,073 characters.",
        "proof-of-reserves transactions",
        "evidence.bad-fields",
        lying("BTC", then(bent(), lambda f: f["signatures"][0].update(text="A" * 131_073))),
    )
    yield derived(
        "evidence-signature-long",
        "Another signature of 16,385 characters.",
        "proof-of-reserves transactions",
        "evidence.bad-signature",
        lying("BTC", then(bent(), long_text)),
    )


def long_text(fields: Fields) -> None:
    fields["signatures"][0].update(format="bip322", text="smp" + "A" * 16_382)
