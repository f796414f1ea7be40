"""Addresses: one accepted text for each script, and a code for everything else."""

from __future__ import annotations

import random
from hashlib import sha256

import pytest

from tests.support.ownership_forge import program_address
from verifier.ownership import Address, OwnershipError, Template, parse_address

# The public key of the secret 1, hashed; BIP-173 uses it as well.
KEY_HASH = bytes.fromhex("751e76e8199196d454941c45d1b3a323f1433bd6")
NESTED_HASH = bytes.fromhex("bcfeb728b584253d5f3f70bcb780e9ef218a68f4")
BITCOIN = {
    "1BgGZ9tcN4rm9KBzDn7KprQz87SZ26SAMH": (
        Template.P2PKH,
        b"\x76\xa9\x14" + KEY_HASH + b"\x88\xac",
    ),
    "3JvL6Ymt8MVWiCNHC7oWU6nLeHNJKLZGLN": (Template.P2SH, b"\xa9\x14" + NESTED_HASH + b"\x87"),
    "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4": (Template.P2WPKH, b"\x00\x14" + KEY_HASH),
    # BIP-173 and BIP-350
    "bc1qrp33g0q5c5txsp9arysrx4k6zdkfs4nce4xj0gdcccefvpysxf3qccfmv3": (
        Template.P2WSH,
        bytes.fromhex("00201863143c14c5166804bd19203356da136c985678cd4d27a1b8c6329604903262"),
    ),
    "bc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vqzk5jj0": (
        Template.P2TR,
        bytes.fromhex("512079be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798"),
    ),
}
# EIP-55
ETHEREUM = [
    "0x52908400098527886E0F7030069857D2E4169EE7",
    "0x8617E340B3D01FA5F11F306F4090FD50E238070D",
    "0xde709f2102306220921060314715629080e2fb77",
    "0x27b1fdb04752bbc536007a920d24acb045561c26",
    "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed",
    "0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359",
    "0xdbF03B407c01E7cD3CBea99509d93f8DDDC8C6FB",
    "0xD1220A0cf47c7B9Be7A2E6BA89F429762e7b9aDb",
]
CHECKSUMMED = ETHEREUM[-1]
P2PKH, P2SH, P2WPKH, P2WSH, P2TR = BITCOIN


@pytest.mark.parametrize("text", BITCOIN)
def test_bitcoin_address_decodes_to_its_script(text: str) -> None:
    template, script = BITCOIN[text]
    assert parse_address("bitcoin", text) == Address("bitcoin", text, template, script)


@pytest.mark.parametrize("text", ETHEREUM)
def test_ethereum_address_decodes_to_its_account(text: str) -> None:
    account = bytes.fromhex(text[2:])
    assert parse_address("ethereum", text) == Address("ethereum", text, Template.ACCOUNT, account)


@pytest.mark.parametrize(
    ("chain", "text"),
    [
        ("bitcoin", ""),
        ("bitcoin", P2WPKH.upper()),
        ("bitcoin", "BC1" + P2WPKH[3:]),
        ("bitcoin", P2WPKH[:-2] + "T4"),
        ("bitcoin", P2TR.upper()),
        ("bitcoin", " " + P2WPKH),
        ("bitcoin", P2PKH + "\n"),
        ("bitcoin", "1" + P2PKH),
        ("bitcoin", P2PKH[1:]),
        ("bitcoin", P2PKH[:-1] + "g"),
        ("bitcoin", P2WPKH[:-1] + "q"),
        ("bitcoin", "\N{FULLWIDTH DIGIT ONE}" + P2PKH[1:]),
        ("bitcoin", "1" * 10_000),
        # the same hashes on test networks
        ("bitcoin", "mrCDrCybB6J1vRfbwM5hemdJz73FwDBC8r"),
        ("bitcoin", "tb1qrp33g0q5c5txsp9arysrx4k6zdkfs4nce4xj0gdcccefvpysxf3q0sl5k7"),
        ("bitcoin", "tb1pqqqqp399et2xygdj5xreqhjjvcmzhxw4aywxecjdzew6hylgvsesf3hn0c"),
        # BIP-350: version 1 with bech32's checksum, version 0 with bech32m's
        ("bitcoin", "bc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vqh2y7hd"),
        ("bitcoin", "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kemeawh"),
        # a script in hex, which the library takes as well
        ("bitcoin", BITCOIN[P2WPKH][1].hex()),
        ("bitcoin", CHECKSUMMED),
        ("ethereum", P2WPKH),
        ("ethereum", CHECKSUMMED.lower()),
        ("ethereum", "0x" + CHECKSUMMED[2:].upper()),
        ("ethereum", "0X" + CHECKSUMMED[2:]),
        ("ethereum", CHECKSUMMED[2:]),
        ("ethereum", CHECKSUMMED.swapcase().replace("0X", "0x")),
        ("ethereum", CHECKSUMMED[:-1]),
        ("ethereum", CHECKSUMMED + "\n"),
        ("ethereum", CHECKSUMMED + "00"),
        ("ethereum", CHECKSUMMED[:-1] + "\N{ARABIC-INDIC DIGIT ONE}"),
    ],
)
def test_every_other_text_is_a_bad_address(chain: str, text: str) -> None:
    with pytest.raises(OwnershipError) as refused:
        parse_address(chain, text)
    assert refused.value.code == "evidence.bad-address"


@pytest.mark.parametrize("chain", ["", "Bitcoin", "bitcoin ", "testnet", "litecoin"])
def test_unknown_chain(chain: str) -> None:
    with pytest.raises(OwnershipError) as refused:
        parse_address(chain, P2WPKH)
    assert refused.value.code == "evidence.unsupported-chain"


@pytest.mark.parametrize(
    ("version", "length"), [(1, 2), (1, 20), (1, 31), (1, 33), (1, 40), (2, 32), (16, 2), (16, 40)]
)
def test_witness_program_without_a_template(version: int, length: int) -> None:
    with pytest.raises(OwnershipError) as refused:
        parse_address("bitcoin", program_address(version, bytes(length)))
    assert refused.value.code == "evidence.unsupported-template"


def test_changed_addresses_are_refused_and_never_crash() -> None:
    seed = 20261121
    random_ = random.Random(seed)
    alphabet = (
        "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ \x00\n\xe9\u0130\ud800"
    )
    for _ in range(3000):
        chain, original = random_.choice(
            [("bitcoin", text) for text in BITCOIN] + [("ethereum", text) for text in ETHEREUM]
        )
        text = list(original)
        for _ in range(random_.randint(1, 4)):
            at = random_.randrange(len(text))
            text[at : at + random_.randint(0, 2)] = random_.choices(
                alphabet, k=random_.randint(0, 2)
            )
            text = text or ["1"]
        changed = "".join(text)
        if changed != original:
            with pytest.raises(OwnershipError):
                print(seed, repr(changed), parse_address(chain, changed))


def test_random_witness_programs_have_one_text() -> None:
    for index in range(200):
        program = sha256(b"program %d" % index).digest()[: 20 if index % 2 else 32]
        text = program_address(0, program)
        assert parse_address("bitcoin", text).owner == bytes([0, len(program)]) + program
        with pytest.raises(OwnershipError):
            parse_address("bitcoin", text.upper())
