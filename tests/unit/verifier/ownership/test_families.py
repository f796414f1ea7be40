"""The families of account chains: their texts, contracts and formats, alike in both verifiers."""

from __future__ import annotations

import random
from hashlib import sha256
from typing import Any

import pytest

from prover.assets.signing import sign_eip191, sign_tip191
from spec.reference import ownership
from spec.reference.address import check_contract as reads_contract
from spec.reference.address import owner as owner_of
from spec.reference.chains import CHAINS as REFERENCE_CHAINS
from spec.reference.errors import UnsupportedError
from verifier.format.chains import CHAINS, Family, of_family
from verifier.ownership import (
    Address,
    OwnershipError,
    Template,
    check_contract,
    check_ownership,
    parse_address,
    rules_of,
    signed_chain,
)
from verifier.ownership.families.evm import account_text
from verifier.ownership.families.tron import tron_text

# isort: split
from embit import base58

KEY = sha256(b"a key of every chain").digest()
MESSAGE = "assay/v1/ownership\nof a chain"
EVM = of_family(Family.EVM)
# The contract of USDT on Tron, in its two well-known forms.
USDT = "TR7NHqjeKQxGTCi8q8ZY4pL8otSzgjLj6t"
USDT_ACCOUNT = bytes.fromhex("a614f803b6fd780986a42c78ec9c7f77e6ded13c")
OTHER_TEXTS = [
    "",
    USDT.lower(),
    USDT.upper(),
    USDT[:-1],
    USDT + "1",
    "1" + USDT,
    "1" + USDT[:-1],
    USDT[:-1] + "u",
    USDT[:-1] + "0",
    USDT + "\n",
    " " + USDT,
    "41" + USDT_ACCOUNT.hex(),
    "0x" + USDT_ACCOUNT.hex(),
    account_text(USDT_ACCOUNT),
    "T" * 34,
    "1" * 34,
    "\N{FULLWIDTH LATIN CAPITAL LETTER T}" + USDT[1:],
    *(base58.encode_check(bytes([version]) + USDT_ACCOUNT) for version in (0, 5, 0x40, 0x42, 0xA0)),
    base58.encode_check(b"\x41" + USDT_ACCOUNT[:-1]),
    base58.encode_check(b"\x41" + USDT_ACCOUNT + b"\x00"),
    base58.encode(b"\x41" + USDT_ACCOUNT + bytes(4)),
]


def reads(call: Any, *arguments: str) -> bool:
    """Whether the reference takes something."""
    try:
        call(*arguments)
    except ValueError:
        return False
    return True


def test_a_tron_address_is_its_account() -> None:
    parsed = parse_address("tron", USDT)
    assert parsed == Address("tron", USDT, Template.ACCOUNT, USDT_ACCOUNT)
    assert owner_of("tron", USDT) == USDT_ACCOUNT
    assert tron_text(USDT_ACCOUNT) == USDT


@pytest.mark.parametrize("text", OTHER_TEXTS)
def test_an_account_of_tron_has_one_text(text: str) -> None:
    with pytest.raises(OwnershipError) as refused:
        parse_address("tron", text)
    assert refused.value.code == "evidence.bad-address"
    assert not reads(owner_of, "tron", text)
    if text:
        with pytest.raises(OwnershipError) as refused:
            check_contract("tron", text)
        assert refused.value.code == "evidence.bad-address"
        assert not reads(reads_contract, "tron", text)


def test_random_accounts_of_tron_and_their_typos() -> None:
    rng = random.Random(41)
    for _ in range(300):
        account = rng.randbytes(20)
        text = tron_text(account)
        assert parse_address("tron", text).owner == owner_of("tron", text) == account
        at, letter = rng.randrange(34), rng.choice("123456789ABCDEFGHJKLMNPQRSTUVWXYZabc0OIl")
        if text[at] != letter:
            typo = text[:at] + letter + text[at + 1 :]
            assert not reads(owner_of, "tron", typo)
            with pytest.raises(OwnershipError):
                parse_address("tron", typo)


@pytest.mark.parametrize(
    ("chain", "contract", "good"),
    [
        ("tron", "", True),
        ("tron", USDT, True),
        ("bsc", "", True),
        ("bsc", account_text(USDT_ACCOUNT), True),
        ("bsc", account_text(USDT_ACCOUNT).lower(), False),
        ("bsc", USDT, False),
        ("zksync", "0x" + "22" * 20, True),
        ("bitcoin", "", True),
        ("bitcoin", "0x" + "22" * 20, False),
        ("fiat", "USD", True),
        ("fiat", "", False),
        ("fiat", "usd", False),
        ("fiat", "USDT", False),
        ("fiat", "\N{GREEK CAPITAL LETTER ALPHA}BC", False),
    ],
)
def test_contracts_have_one_text(chain: str, contract: str, good: bool) -> None:
    assert reads(reads_contract, chain, contract) == good
    if good:
        check_contract(chain, contract)
        return
    with pytest.raises(OwnershipError) as refused:
        check_contract(chain, contract)
    assert refused.value.code == "evidence.bad-address"


def test_no_address_of_money_in_accounts() -> None:
    for text in ("USD", USDT, account_text(USDT_ACCOUNT)):
        with pytest.raises(OwnershipError) as refused:
            parse_address("fiat", text)
        assert refused.value.code == "evidence.bad-address"
        assert not reads(owner_of, "fiat", text)


def test_both_verifiers_have_one_table() -> None:
    assert {name: chain.family for name, chain in REFERENCE_CHAINS.items()} == {
        name: network.family for name, network in CHAINS.items()
    }
    for network in CHAINS.values():
        rules = rules_of(network)
        formats = set(ownership.FORMATS[network.family]) - {"eip1271"}
        assert set(rules.FORMATS) == formats
        assert rules.ROTATES == (network.family is Family.TRON)


def verdict(chain: str, form: str, address: str, text: str) -> str | None:
    """The code of both verifiers over one message; None where they accept."""
    found: list[str | None] = [None, None]
    try:
        check_ownership(parse_address(chain, address), MESSAGE, form, text)
    except OwnershipError as error:
        found[0] = error.code
    try:
        ownership.verify(form, chain, address, MESSAGE.encode(), text)
    except UnsupportedError as error:
        found[1] = f"evidence.unsupported-{error.what}"
    except ValueError:
        found[1] = "evidence.bad-signature"
    assert found[0] == found[1]
    return found[0]


def test_each_family_signs_by_its_own_rule() -> None:
    bad, unsupported = "evidence.bad-signature", "evidence.unsupported-signature"
    evm, tron = sign_eip191(KEY, MESSAGE), sign_tip191(KEY, MESSAGE)
    assert parse_address("tron", tron.address).owner == parse_address("bsc", evm.address).owner
    for chain in EVM:
        assert verdict(chain, "eip191", evm.address, evm.signature) is None
        assert verdict(chain, "eip191", evm.address, tron.signature) == bad
        assert verdict(chain, "tip191", evm.address, tron.signature) == unsupported
    assert verdict("tron", "tip191", tron.address, tron.signature) is None
    assert verdict("tron", "tip191", tron.address, evm.signature) == bad
    for form in ("eip191", "eip191@ethereum", "tip191@tron", "TIP191", "bip137", ""):
        assert verdict("tron", form, tron.address, tron.signature) == unsupported
    other = sign_tip191(sha256(KEY).digest(), MESSAGE)
    assert verdict("tron", "tip191", tron.address, other.signature) == bad
    assert verdict("tron", "tip191", other.address, tron.signature) == bad


@pytest.mark.parametrize(
    ("chain", "form", "signed"),
    [
        ("bsc", "eip191", ("bsc", "eip191")),
        ("bsc", "eip191@ethereum", ("ethereum", "eip191")),
        ("ethereum", "eip191@zksync", ("zksync", "eip191")),
        ("bsc", "eip191@bsc", None),
        ("bsc", "eip191@", None),
        ("bsc", "eip191@narnia", ("narnia", "eip191")),
        ("tron", "eip191@narnia", None),
        ("bsc", "eip191@bitcoin", None),
        ("bsc", "eip191@tron", None),
        ("bsc", "eip191@fiat", None),
        ("bsc", "eip191@ethereum ", None),
        ("bsc", "eip191@ethereum@polygon", None),
        ("tron", "eip191@ethereum", None),
        ("bitcoin", "eip191@ethereum", None),
    ],
)
def test_whose_message_a_signature_is_of(
    chain: str, form: str, signed: tuple[str, str] | None
) -> None:
    if signed:
        assert signed_chain(chain, form) == ownership.signed_chain(chain, form) == signed
        return
    with pytest.raises(OwnershipError) as refused:
        signed_chain(chain, form)
    assert refused.value.code == "evidence.unsupported-signature"
    with pytest.raises(UnsupportedError):
        ownership.signed_chain(chain, form)


def test_a_contract_wallet_signs_for_its_own_chain() -> None:
    """Its format with a chain's name is none: the verifier's check of formats refuses it."""
    evm = sign_eip191(KEY, MESSAGE)
    assert signed_chain("bsc", "eip1271@ethereum") == ("bsc", "eip1271@ethereum")
    with pytest.raises(OwnershipError) as refused:
        check_ownership(
            parse_address("bsc", evm.address), MESSAGE, "eip1271@ethereum", evm.signature
        )
    assert refused.value.code == "evidence.unsupported-signature"
    with pytest.raises(UnsupportedError):
        ownership.signed_chain("bsc", "eip1271@ethereum")
