"""BIP-127: what one transaction proves of many coins, and every way in which it proves nothing."""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Callable
from dataclasses import replace
from hashlib import sha256
from random import Random

import pytest

from tests.support.bitcoin_spend import (
    KINDS,
    OP_TRUE,
    TEMPLATES,
    Wallet,
    coin_of,
    reserves,
    text_of,
    wallet,
)
from tests.support.ownership_forge import (
    BAD,
    MESSAGE,
    UNSUPPORTED_SIGNATURE,
    UNSUPPORTED_TEMPLATE,
    address_of,
    high_s,
    multisig,
    p2wsh,
    push,
)
from verifier.ownership import OwnershipError, parse_address
from verifier.ownership.bip127 import (
    MAX_TRANSACTION_CHARACTERS,
    SpentCoin,
    check_bip127,
    commitment,
)

# isort: split
from embit import script
from embit.transaction import Transaction, TransactionInput, TransactionOutput

from spec.reference import bip127
from spec.reference.errors import UnsupportedError

Owned = list[tuple[Wallet, SpentCoin]]


def owned(kinds: tuple[str, ...] = KINDS, each: int = 2) -> Owned:
    wallets = [wallet(kind) for kind in kinds for _ in range(each)]
    return [(owner, coin_of(owner, at, 1000 + at)) for at, owner in enumerate(wallets)]


def coins(made: Owned) -> list[SpentCoin]:
    return [coin for _, coin in made]


def code(made: Owned | list[SpentCoin], text: str, message: str = MESSAGE) -> str:
    listed = [entry if isinstance(entry, SpentCoin) else entry[1] for entry in made]
    with pytest.raises(OwnershipError) as refused:
        check_bip127(listed, message, text)
    return refused.value.code


def test_one_transaction_proves_every_template_at_once() -> None:
    made = owned()
    expected = {wallet(kind).address: TEMPLATES.get(kind, kind) for kind in KINDS}
    assert check_bip127(coins(made), MESSAGE, text_of(reserves(made, MESSAGE))) == expected
    shuffled = Random(5).sample(made, len(made))
    assert check_bip127(coins(made), MESSAGE, text_of(reserves(shuffled, MESSAGE))) == expected


@pytest.mark.parametrize("kind", KINDS)
def test_each_template_alone_and_for_this_message_only(kind: str) -> None:
    made = owned((kind,))
    text = text_of(reserves(made, MESSAGE))
    name = TEMPLATES.get(kind, kind)
    assert check_bip127(coins(made), MESSAGE, text) == {wallet(kind).address: name}
    assert code(made, text, MESSAGE + " ") == BAD
    # Signed for another message, and the commitment put in afterwards.
    other = reserves(made, "another")
    other.vin[0].txid = commitment(MESSAGE)[::-1]
    other.clear_cache()
    assert code(made, text_of(other)) == BAD
    stranger = wallet(kind, seed=1)
    signed = reserves([(stranger, coin) for _, coin in made], MESSAGE)
    assert code(made, text_of(signed)) == BAD


def test_the_commitment_is_in_the_order_of_serialisation() -> None:
    made = owned(("p2wpkh",))
    raw = reserves(made, MESSAGE).serialize()
    assert sha256(b"Proof-of-Reserves: " + MESSAGE.encode()).digest() == raw[7:39]
    turned = reserves(made, MESSAGE, lambda tx: setattr(tx.vin[0], "txid", commitment(MESSAGE)))
    assert code(made, text_of(turned)) == BAD


def test_free_fields() -> None:
    def change(transaction: Transaction) -> None:
        transaction.version = 1
        transaction.locktime = 0xFFFFFFFF
        for at, spend in enumerate(transaction.vin):
            spend.sequence = at
        transaction.vout[0].script_pubkey = script.Script(wallet("p2wpkh").output)

    made = owned()
    assert check_bip127(coins(made), MESSAGE, text_of(reserves(made, MESSAGE, change)))


@pytest.mark.parametrize("version", [0, 3, 0xFFFFFFFF])
def test_other_versions_are_unsupported(version: int) -> None:
    made = owned(("p2tr",))
    text = text_of(reserves(made, MESSAGE, lambda tx: setattr(tx, "version", version)))
    assert code(made, text) == UNSUPPORTED_SIGNATURE


@pytest.mark.parametrize(
    "change",
    [
        lambda tx: tx.vin.append(TransactionInput(bytes(32), 5)),
        lambda tx: tx.vin.insert(0, TransactionInput(bytes(32), 5)),
        lambda tx: tx.vin.append(tx.vin[0]),
        lambda tx: tx.vin.append(tx.vin[1]),
        lambda tx: tx.vin.pop(),
        lambda tx: tx.vin.pop(0),
        lambda tx: tx.vin.reverse(),
        lambda tx: tx.vin.clear(),
        lambda tx: setattr(tx.vin[0], "vout", 1),
        lambda tx: setattr(tx.vin[0], "txid", bytes(32)),
        lambda tx: setattr(tx.vin[0], "script_sig", script.Script(OP_TRUE)),
        lambda tx: setattr(tx.vin[0], "witness", script.Witness([b""])),
        lambda tx: setattr(tx.vin[1], "vout", 2**32 - 1),
        lambda tx: tx.vout.clear(),
        lambda tx: tx.vout.append(TransactionOutput(0, script.Script(b"\x6a"))),
        lambda tx: setattr(tx.vout[0], "value", tx.vout[0].value - 1),
        lambda tx: setattr(tx.vout[0], "value", tx.vout[0].value + 1),
        lambda tx: setattr(tx.vout[0], "value", 0),
    ],
)
@pytest.mark.parametrize("kinds", [("p2pkh",), ("p2wpkh", "p2tr")])
def test_transactions_of_another_shape(
    change: Callable[[Transaction], None], kinds: tuple[str, ...]
) -> None:
    made = owned(kinds)
    assert code(made, text_of(reserves(made, MESSAGE, change))) == BAD


@pytest.mark.parametrize(
    "change",
    [
        lambda made: made[:-1],
        lambda made: [*made, coin_of(wallet("p2wpkh"), 77, 5)],
        lambda made: [],
        lambda made: [replace(made[0], txid=bytes(32)), *made[1:]],
        lambda made: [replace(made[0], index=9), *made[1:]],
        lambda made: [replace(made[0], amount=made[0].amount + 1), *made[1:]],
        # the same sum
        lambda made: [
            replace(made[0], amount=made[1].amount),
            replace(made[1], amount=made[0].amount),
            *made[2:],
        ],
    ],
)
def test_other_coins_than_those_signed(
    change: Callable[[list[SpentCoin]], list[SpentCoin]],
) -> None:
    made = owned(("p2wpkh", "p2tr"))
    assert code(change(coins(made)), text_of(reserves(made, MESSAGE))) == BAD


def test_a_coin_that_two_addresses_list_is_spent_by_neither() -> None:
    """Its last owner signs twice, and the other never."""
    other, signer = wallet("p2wpkh", 9), wallet("p2wpkh", 1)
    own = coin_of(signer, 1, 1000)
    foreign = replace(coin_of(other, 1, 1000), txid=own.txid, index=own.index)

    def twice(transaction: Transaction) -> None:
        transaction.vin.append(TransactionInput(own.txid, own.index, sequence=0))
        transaction.vout[0].value = 2000

    text = text_of(reserves([(signer, own)], MESSAGE, twice))
    for listed in ([foreign, own], [own, foreign], [own, own]):
        assert code(listed, text) == BAD


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("sighash", [2, 3, 0x81, 0x82, 0x83])
def test_other_sighash_types(kind: str, sighash: int) -> None:
    if kind == "p2tr" and sighash & 3 == 3:
        sighash -= 1  # taproot has no SINGLE without an output of the same number
    made = owned((kind,), each=1)
    assert code(made, text_of(reserves(made, MESSAGE, sighash=sighash))) == BAD


def test_taproot_may_say_all_and_covers_what_the_others_spend() -> None:
    made = owned(("p2tr", "p2pkh"), each=1)
    plain, schnorr = made[1:], made[:1]
    text = text_of(reserves(schnorr, MESSAGE, sighash=1))
    assert check_bip127(coins(schnorr), MESSAGE, text) == {schnorr[0][0].address: "p2tr"}
    # A legacy signature does not cover amounts, but the taproot one beside it covers all.
    swapped = [replace(coins(made)[0], amount=1001), replace(coins(made)[1], amount=1000)]
    assert code(swapped, text_of(reserves(made, MESSAGE))) == BAD
    alone = [replace(coins(plain)[0], amount=999)]
    assert code(alone, text_of(reserves(plain, MESSAGE))) == BAD  # by the output's value
    # The commitment counts as OP_TRUE of no value.
    for first in ((0, b""), (1, OP_TRUE), (0, b"\x6a")):
        assert code(schnorr, text_of(reserves(schnorr, MESSAGE, first=first))) == BAD


def test_a_script_that_anyone_can_spend() -> None:
    anyone = Wallet("none", p2wsh(OP_TRUE), ())
    honest = wallet("p2wpkh")
    made = [(honest, coin_of(honest, 1, 5)), (anyone, coin_of(anyone, 2, 6))]
    signed = reserves(made[:1], MESSAGE)

    def add_the_other(transaction: Transaction) -> None:
        transaction.vin.append(TransactionInput(made[1][1].txid, 2))
        transaction.vout[0].value = 11

    def spend(witness: list[bytes], break_first: bool = False) -> str:
        transaction = reserves(made[:1], MESSAGE, add_the_other)
        transaction.vin[2].witness = script.Witness(witness)
        if break_first:
            transaction.vin[1].witness = script.Witness([b"x"])
        return code(made, text_of(transaction))

    assert spend([OP_TRUE]) == UNSUPPORTED_TEMPLATE
    # What is unsupported is named before what is malformed.
    assert spend([OP_TRUE], break_first=True) == UNSUPPORTED_TEMPLATE
    assert spend([b"\x52"]) == BAD
    minority = multisig(1, [b"\x02" + bytes([at]) * 32 for at in (1, 2)])
    address = parse_address("bitcoin", address_of(p2wsh(minority)))
    made[1] = (anyone, replace(made[1][1], address=address))
    assert spend([b"", push(b"x" * 71), minority]) == UNSUPPORTED_TEMPLATE
    assert check_bip127(coins(made[:1]), MESSAGE, text_of(signed))


def changed_signature(transaction: Transaction) -> list[Transaction]:
    """Return copies with one thing changed in what completes an input."""
    raw = transaction.serialize()
    copies = [Transaction.parse(raw) for _ in range(3)]
    signature, key = transaction.vin[1].witness.items
    copies[0].vin[1].witness = script.Witness([high_s(signature), key])
    copies[1].vin[1].witness = script.Witness([signature[:-2] + bytes([signature[-2] ^ 1, 1]), key])
    copies[2].vin[1].witness = transaction.vin[2].witness
    return copies


def test_changed_signatures() -> None:
    made = owned(("p2wpkh",))
    for changed in changed_signature(reserves(made, MESSAGE)):
        assert code(made, text_of(changed)) == BAD


def test_every_truncated_or_changed_byte_is_refused() -> None:
    """Nothing of a transaction of witness programs is open to a stranger."""
    made = owned(("p2tr", "p2wpkh"), each=1)
    raw = reserves(made, MESSAGE).serialize()
    random = Random(3)
    for at in range(0, len(raw), 3):
        assert code(made, b64encode(raw[:at]).decode()) == BAD
        changed = raw[:at] + bytes([raw[at] ^ 1 << random.randrange(8)]) + raw[at + 1 :]
        assert code(made, b64encode(changed).decode()) in (BAD, UNSUPPORTED_SIGNATURE)


def reference_code(made: Owned, text: str) -> str | None:
    """What the reference says of a transaction of all these coins, as an entry of a file."""
    addresses = sorted({owner.address for owner, _ in made})
    entries = [
        {"address": address, "chain": "bitcoin", "format": "bip127", "text": f"@{addresses[0]}"}
        for address in addresses
    ]
    entries[0]["text"] = text
    listed = [
        {"address": owner.address, "amount": c.amount, "index": c.index, "txid": c.txid}
        for owner, c in made
    ]
    try:
        plan = bip127.Plan({"coins": listed, "signatures": entries})
        bip127.check(entries[0], plan, MESSAGE.encode())
    except UnsupportedError as error:
        return f"evidence.unsupported-{error.what}"
    except ValueError:
        return BAD
    return None


def test_the_reference_says_the_same_of_changed_transactions() -> None:
    random = Random(17)
    seen = set()
    for kinds in (KINDS, ("p2wpkh", "p2tr"), ("p2pkh", "p2sh"), ("p2wsh",)):
        made = owned(kinds, each=1)
        raw = reserves(made, MESSAGE).serialize()
        assert reference_code(made, b64encode(raw).decode()) is None
        for _ in range(60):
            changed = bytearray(raw)
            at = random.choice((random.randrange(len(raw)), random.randrange(60)))
            match random.randrange(3):
                case 0:
                    changed[at] ^= 1 << random.randrange(8)
                case 1:
                    del changed[at]
                case 2:
                    changed.insert(at, random.choice((0, 1, 0x51, 0xFD, 0xFF)))
            text = b64encode(changed).decode()
            try:
                check_bip127(coins(made), MESSAGE, text)
                ours = None
            except OwnershipError as refused:
                ours = refused.code
            assert ours == reference_code(made, text), text
            seen.add(ours)
    assert {BAD, UNSUPPORTED_SIGNATURE} <= seen


@pytest.mark.parametrize(
    "change",
    [
        lambda text: "",
        lambda text: text[:-1],
        lambda text: text + "\n",
        lambda text: " " + text,
        lambda text: text + "AAAA",
        lambda text: "smp" + text,
        lambda text: "é" + text[1:],
        lambda text: text.rstrip("=") if text.endswith("=") else text[:-1],
        lambda text: b64decode(text).hex(),
        lambda text: b64encode(b"\x02\0\0\0\0\x01\xff" + b"\xff" * 8 + bytes(200)).decode(),
        lambda text: b64encode(b"\x02\0\0\0\0\x01\0\0\0\0\0\0").decode(),
        lambda text: b64encode(b"psbt\xff" + bytes(100)).decode(),
        lambda text: text + "A" * MAX_TRANSACTION_CHARACTERS,
    ],
)
def test_malformed_text(change: Callable[[str], str]) -> None:
    made = owned(("p2wpkh",))
    assert code(made, change(text_of(reserves(made, MESSAGE)))) == BAD


def test_more_than_there_can_be() -> None:
    owner = wallet("p2pkh")
    made = [(owner, coin_of(owner, at, 21 * 10**14)) for at in range(2)]
    assert code(made, text_of(reserves(made, MESSAGE))) == BAD
    assert check_bip127(coins(made[:1]), MESSAGE, text_of(reserves(made[:1], MESSAGE)))
