"""Bitcoin transactions: read as another library reads them, and in one serialisation alone."""

from __future__ import annotations

import random

import pytest

from prover import libraries as libraries  # isort: split

from bip322core.core import BIP322Error
from bip322core.core import parse_transaction as other_transaction
from bip322core.core import parse_witness as other_witness
from embit.script import Script, Witness
from embit.transaction import Transaction, TransactionInput, TransactionOutput

from tests.unit.verifier.ownership.test_fuzz import change_bytes
from verifier.ownership.transaction import (
    compact_size,
    parse_transaction,
    parse_witness,
)

SEED = 20261121
LENGTHS = [0, 1, 20, 0xFC, 0xFD, 0xFE, 300, 0x1_0000]


def made(random_: random.Random) -> Transaction:
    """Return a transaction of any shape, with or without witnesses."""

    def some() -> bytes:
        return random_.randbytes(random_.choice(LENGTHS[:-1]))

    is_bare = random_.random() < 0.3
    return Transaction(
        version=random_.randrange(2**32),
        vin=[
            TransactionInput(
                random_.randbytes(32),
                random_.randrange(2**32),
                Script(some()),
                random_.randrange(2**32),
                Witness([] if is_bare else [some() for _ in range(random_.randrange(4))]),
            )
            for _ in range(random_.randint(1, 3))
        ],
        vout=[
            TransactionOutput(random_.randrange(2**64), Script(some()))
            for _ in range(random_.randrange(3))
        ],
        locktime=random_.randrange(2**32),
    )


def test_transactions_are_read() -> None:
    random_ = random.Random(SEED)
    for _ in range(200):
        other = made(random_)
        found = parse_transaction(other.serialize())
        assert found.version == other.version.to_bytes(4, "little")
        assert found.lock_time == other.locktime.to_bytes(4, "little")
        assert [output.serialised() for output in found.outputs] == [
            output.serialize() for output in other.vout
        ]
        assert [
            (entry.coin, entry.script_sig, entry.sequence, entry.witness) for entry in found.inputs
        ] == [
            (
                (entry.txid, entry.vout),
                entry.script_sig.data,
                entry.sequence.to_bytes(4, "little"),
                entry.witness.items,
            )
            for entry in other.vin
        ]


def test_changed_bytes_are_refused_as_by_another_library() -> None:
    random_ = random.Random(SEED)
    refused = 0
    for _ in range(2000):
        data = change_bytes(made(random_).serialize(), random_)
        for ours, theirs in (
            (parse_transaction, other_transaction),
            (parse_witness, other_witness),
        ):
            expected = None
            try:
                theirs(data)
            except BIP322Error:
                expected = ValueError
            if expected is None:
                ours(data)
                continue
            refused += 1
            with pytest.raises(expected, match=r".+"):
                print(SEED, data.hex(), ours(data))
    assert 2000 < refused < 4000


def test_counts_do_not_take_memory() -> None:
    for head in (b"\xff" * 9, b"\xfe\xff\xff\xff\xff", b"\xfd\xff\xff"):
        for data in (bytes(4) + head, bytes(4) + b"\x00\x01" + head, bytes(5) + b"\x01\x00" + head):
            with pytest.raises(ValueError, match=r".+"):
                parse_transaction(data)
        with pytest.raises(ValueError, match="truncated"):
            parse_witness(head)


@pytest.mark.parametrize("length", LENGTHS)
def test_lengths_have_one_form(length: int) -> None:
    data = compact_size(1) + compact_size(length) + bytes(length)
    assert parse_witness(data) == [bytes(length)]
    for first, width in ((0xFD, 2), (0xFE, 4), (0xFF, 8)):
        if length < 1 << 8 * width:
            long = bytes([first]) + length.to_bytes(width, "little")
            if long != compact_size(length):
                with pytest.raises(ValueError, match="shortest"):
                    parse_witness(compact_size(1) + long + bytes(length))
