"""BIP-137 and EIP-191: published signatures accepted, every near miss refused."""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Callable

import pytest
from coincurve import PrivateKey

from prover.assets.signing import sign_bip137_p2pkh, sign_bip322_simple_p2wpkh, sign_eip191
from tests.support.ownership_forge import KEYS, address_of, p2pkh, p2sh, p2wsh
from verifier.ownership import OwnershipError, check_ownership, parse_address
from verifier.ownership.recovery import CURVE_ORDER, bip137_digest

MESSAGE = "Proof of Solvency \u2713\nsecond line"
PUBLIC_KEY = PrivateKey(KEYS[0]).public_key
KEY_HASH = p2pkh(PUBLIC_KEY.format())[3:23]
# What each header base claims, and the address that the claim is true of.
ADDRESSES = {
    27: address_of(p2pkh(PUBLIC_KEY.format(compressed=False))),
    31: address_of(p2pkh(PUBLIC_KEY.format())),
    35: address_of(p2sh(b"\x00\x14" + KEY_HASH)),
    39: address_of(b"\x00\x14" + KEY_HASH),
}
TEMPLATES = {27: "p2pkh", 31: "p2pkh", 35: "p2sh-p2wpkh", 39: "p2wpkh"}


def bip137(base: int) -> str:
    raw = PrivateKey(KEYS[0]).sign_recoverable(bip137_digest(MESSAGE), hasher=None)
    return b64encode(bytes([base + raw[64]]) + raw[:64]).decode()


def code_of(chain: str, address: str, format_: str, signature: str, message: str = MESSAGE) -> str:
    """Return the code with which a signature is refused."""
    with pytest.raises(OwnershipError) as refused:
        check_ownership(parse_address(chain, address), message, format_, signature)
    return refused.value.code


@pytest.mark.parametrize(
    ("address", "template", "signature"),
    [
        (
            "1JAd7XCBzGudGpJQSDSfpmJhiygtLQWaGL",
            "p2pkh",
            "20fd8f2f7db5238fcdd077d5204c3e6949c261d700269cefc1d9d2dcef6b95023630ee617f6c8acf9eb40c"
            "8edd704c9ca74ea4afc393f43f35b4e8958324cbdd1c",
        ),
        (
            "3L6TyTisPBmrDAj6RoKmDzNnj4eQi54gD2",
            "p2sh-p2wpkh",
            "23744de4516fac5c140808015664516a32fead94de89775cec7e24dbc24fe133075ac09301c4cc8e197bea"
            "4b6481661d5b8e9bf19d8b7b8a382ecdb53c2ee0750d",
        ),
        (
            "bc1qannfxke2tfd4l7vhepehpvt05y83v3qsf6nfkk",
            "p2wpkh",
            "28b55d7600d9e9a7e2a49155ddf3cfdb8e796c207faab833010fa41fb7828889bc47cf62348a7aaa0923c0"
            "832a589fab541e8f12eb54fb711c90e2307f0f66b194",
        ),
    ],
)
def test_bip137_signatures_of_a_hardware_wallet(
    address: str, template: str, signature: str
) -> None:
    """The vectors of Trezor's firmware, for the mnemonic of twelve times "all"."""
    proven = check_ownership(
        parse_address("bitcoin", address),
        "This is an example of a signed message.",
        "bip137",
        b64encode(bytes.fromhex(signature)).decode(),
    )
    assert proven.template == template


def test_eip191_signature_of_eth_account() -> None:
    """The example of eth-account's documentation."""
    proven = check_ownership(
        parse_address("ethereum", "0x5ce9454909639D2D17A3F753ce7d93fa0b9aB12E"),
        "I\N{BLACK HEART SUIT}SF",
        "eip191",
        "0xe6ca9bba58c88611fad66a6ce8f996908195593807c4b38bd528d2cff09d4eb3"
        "3e5bfbbf4d3e39b1a2fd816a7680c19ebebaf3a141b239934ad43cb33fcec8ce1c",
    )
    assert proven.template == "account"


@pytest.mark.parametrize("base", ADDRESSES)
@pytest.mark.parametrize("claimed", ADDRESSES)
def test_bip137_header_serves_its_own_template_alone(base: int, claimed: int) -> None:
    address = parse_address("bitcoin", ADDRESSES[base])
    if claimed == base:
        proven = check_ownership(address, MESSAGE, "bip137", bip137(claimed))
        assert proven.template == TEMPLATES[base]
    else:
        assert (
            code_of("bitcoin", address.text, "bip137", bip137(claimed)) == "evidence.bad-signature"
        )


@pytest.mark.parametrize("header", [0, 26, 43, 44, 255])
def test_bip137_header_outside_the_range(header: int) -> None:
    signature = b64encode(bytes([header]) + b64decode(bip137(31))[1:]).decode()
    for address in ADDRESSES.values():
        assert code_of("bitcoin", address, "bip137", signature) == "evidence.bad-signature"


def test_bip137_recovery_id_of_another_key() -> None:
    raw = b64decode(bip137(31))
    for header in {31, 32, 33, 34} - {raw[0]}:
        signature = b64encode(bytes([header]) + raw[1:]).decode()
        assert code_of("bitcoin", ADDRESSES[31], "bip137", signature) == "evidence.bad-signature"


def mirrored(raw: bytes) -> bytes:
    """Replace s of r ‖ s by n - s."""
    return raw[:32] + (CURVE_ORDER - int.from_bytes(raw[32:64])).to_bytes(32)


def test_bip137_high_s() -> None:
    raw = b64decode(bip137(31))
    # The same key recovers, so without the rule this would be a second text of one signature.
    signature = b64encode(bytes([31 + ((raw[0] - 31) ^ 1)]) + mirrored(raw[1:])).decode()
    assert code_of("bitcoin", ADDRESSES[31], "bip137", signature) == "evidence.bad-signature"


@pytest.mark.parametrize(
    "change",
    [
        lambda text: "",
        lambda text: text[:-1],
        lambda text: text + "=",
        lambda text: text + "\n",
        lambda text: text[:-2] + "\n=",
        lambda text: "-" + text[1:],
        lambda text: "\xe9" + text[1:],
        # the unused bits of the last digit set: the same 65 bytes
        lambda text: text[:-2] + chr(ord(text[-2]) + 1) + "=",
        lambda text: b64encode(b64decode(text)[:64]).decode(),
        lambda text: b64encode(b64decode(text) + b"\x00").decode(),
        lambda text: b64encode(b64decode(text)[:1] + bytes(64)).decode(),
        lambda text: b64encode(b64decode(text)[:33] + bytes(32)).decode(),
        lambda text: b64encode(b64decode(text)[:1] + bytes(32) + b64decode(text)[33:]).decode(),
        lambda text: b64encode(b64decode(text)[:1] + b"\xff" * 32 + b64decode(text)[33:]).decode(),
    ],
)
def test_malformed_bip137(change: Callable[[str], str]) -> None:
    signature = sign_bip137_p2pkh(KEYS[0], MESSAGE).signature
    changed = change(signature)
    assert changed != signature
    assert code_of("bitcoin", ADDRESSES[31], "bip137", changed) == "evidence.bad-signature"


@pytest.mark.parametrize(
    "change",
    [
        lambda text: "",
        lambda text: text[2:],
        lambda text: "0X" + text[2:],
        lambda text: text[:-1],
        lambda text: text + "0",
        lambda text: text + "00",
        lambda text: text + "\n",
        lambda text: text[:2] + text[2:].upper(),
        lambda text: text[:2] + "\N{ARABIC-INDIC DIGIT ONE}" + text[3:],
        lambda text: text[:-2] + "00",
        lambda text: text[:-2] + "01",
        lambda text: text[:-2] + "1d",
        lambda text: text[:-2] + ("1c" if text.endswith("1b") else "1b"),
        lambda text: text[:66] + "0" * 64 + text[-2:],
        lambda text: "0x" + "0" * 64 + text[66:],
        lambda text: "0x" + "0" * 128 + text[-2:],
        lambda text: "0x" + "f" * 64 + text[66:],
        # high s, with the v of the same key
        lambda text: (
            "0x"
            + mirrored(bytes.fromhex(text[2:130])).hex()
            + ("1c" if text.endswith("1b") else "1b")
        ),
    ],
)
def test_malformed_eip191(change: Callable[[str], str]) -> None:
    address, signature = sign_eip191(KEYS[0], MESSAGE)
    changed = change(signature)
    assert changed != signature
    assert code_of("ethereum", address, "eip191", changed) == "evidence.bad-signature"


@pytest.mark.parametrize("message", ["", MESSAGE[:-1], MESSAGE + " ", MESSAGE.replace("P", "p")])
def test_another_message(message: str) -> None:
    for chain, format_, signed in (
        ("bitcoin", "bip137", sign_bip137_p2pkh(KEYS[0], MESSAGE)),
        ("ethereum", "eip191", sign_eip191(KEYS[0], MESSAGE)),
    ):
        code = code_of(chain, signed.address, format_, signed.signature, message)
        assert code == "evidence.bad-signature"


def test_another_owner() -> None:
    theirs = sign_eip191(KEYS[1], MESSAGE)
    ours = sign_eip191(KEYS[0], MESSAGE)
    assert code_of("ethereum", ours.address, "eip191", theirs.signature) == "evidence.bad-signature"
    foreign = sign_bip137_p2pkh(KEYS[1], MESSAGE).signature
    assert code_of("bitcoin", ADDRESSES[31], "bip137", foreign) == "evidence.bad-signature"


def test_format_that_does_not_serve_the_address() -> None:
    unsupported = "evidence.unsupported-signature"
    ethereum = sign_eip191(KEYS[0], MESSAGE)
    bitcoin = sign_bip322_simple_p2wpkh(KEYS[0], MESSAGE)
    for format_ in ("", "BIP322", "eip712", "eip1271", "electrum"):
        assert code_of("bitcoin", bitcoin.address, format_, bitcoin.signature) == unsupported
        assert code_of("ethereum", ethereum.address, format_, ethereum.signature) == unsupported
    assert code_of("bitcoin", bitcoin.address, "eip191", bitcoin.signature) == unsupported
    assert code_of("ethereum", ethereum.address, "bip322", bitcoin.signature) == unsupported
    assert code_of("ethereum", ethereum.address, "bip137", bip137(31)) == unsupported
    for output in (p2wsh(b"\x51"), b"\x51\x20" + PUBLIC_KEY.format()[1:]):
        assert code_of("bitcoin", address_of(output), "bip137", bip137(39)) == unsupported


def test_oversized_signature() -> None:
    for format_, base in (("bip322", "smp"), ("bip137", "")):
        signature = base + "A" * ((1 << 14) + 1)
        with pytest.raises(OwnershipError, match="too long") as refused:
            check_ownership(parse_address("bitcoin", ADDRESSES[39]), MESSAGE, format_, signature)
        assert refused.value.code == "evidence.bad-signature"
    address = sign_eip191(KEYS[0], MESSAGE).address
    assert (
        code_of("ethereum", address, "eip191", "0x" + "0" * (1 << 20)) == "evidence.bad-signature"
    )
