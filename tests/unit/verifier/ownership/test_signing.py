"""The signer of sample exchanges: reproducible, accepted by the verifier, on audited arithmetic."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable

import pytest

from prover.assets.signing import (
    Signed,
    sign_bip137_p2pkh,
    sign_bip322_simple_p2tr,
    sign_bip322_simple_p2wpkh,
    sign_bip322_simple_p2wsh,
    sign_eip191,
)
from verifier.format.keys import public_key_text
from verifier.ownership import check_ownership, ownership_message, parse_address

KEY = (1).to_bytes(32)
MESSAGE = ownership_message(public_key_text(bytes(32)), "Sample", "s-1", "bitcoin", bytes(32))
# The addresses are those of the secret 1 that BIP-173, BIP-86 tools and EIP-191 wallets show.
SIGNED: dict[str, tuple[str | None, str, Callable[[], Signed]]] = {
    "p2pkh": (
        "1BgGZ9tcN4rm9KBzDn7KprQz87SZ26SAMH",
        "bip137",
        lambda: sign_bip137_p2pkh(KEY, MESSAGE),
    ),
    "p2wpkh": (
        "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4",
        "bip322",
        lambda: sign_bip322_simple_p2wpkh(KEY, MESSAGE),
    ),
    "p2tr": (
        "bc1pmfr3p9j00pfxjh0zmgp99y8zftmd3s5pmedqhyptwy6lm87hf5sspknck9",
        "bip322",
        lambda: sign_bip322_simple_p2tr(KEY, MESSAGE),
    ),
    "p2wsh 2-of-3": (
        None,
        "bip322",
        lambda: sign_bip322_simple_p2wsh([bytes([i]) * 32 for i in (3, 1, 2)], 2, MESSAGE),
    ),
    "account": (
        "0x7E5F4552091A69125d5DfCb7b8C2659029395Bdf",
        "eip191",
        lambda: sign_eip191(KEY, MESSAGE),
    ),
}


@pytest.mark.parametrize("template", SIGNED)
def test_signatures_verify_and_repeat(template: str) -> None:
    address, format_, sign = SIGNED[template]
    signed = sign()
    assert isinstance(signed, Signed)
    assert signed == sign()
    assert address in (None, signed.address)
    chain = "ethereum" if template == "account" else "bitcoin"
    parsed = parse_address(chain, signed.address)
    assert check_ownership(parsed, MESSAGE, format_, signed.signature).template == template


@pytest.mark.parametrize("required", [0, 4])
def test_impossible_quorum(required: int) -> None:
    with pytest.raises(ValueError, match="must be between"):
        sign_bip322_simple_p2wsh([bytes([i]) * 32 for i in (1, 2, 3)], required, MESSAGE)


def test_signing_and_checking_load_no_prebuilt_library_but_coincurve_s() -> None:
    """Embit carries a libsecp256k1 of its own; the maps of a fresh process show what is loaded."""
    program = f"""
from prover.assets.signing import sign_bip322_simple_p2tr
from verifier.ownership import check_ownership, parse_address
signed = sign_bip322_simple_p2tr({KEY!r}, "m")
check_ownership(parse_address("bitcoin", signed.address), "m", "bip322", signed.signature)
print(open("/proc/self/maps").read())
"""
    run = subprocess.run(
        [sys.executable, "-c", program], check=True, capture_output=True, text=True
    )
    libraries = {word for word in run.stdout.split() if "secp256k1" in word}
    assert libraries
    assert all("/coincurve/" in library for library in libraries)
