"""BIP-322: the templates that prove an owner, and the scripts that prove none."""

from __future__ import annotations

import pytest
from coincurve import PrivateKey

from prover.assets.signing import (
    sign_bip322_simple_p2tr,
    sign_bip322_simple_p2wsh,
)
from tests.support.ownership_forge import (
    BAD,
    KEYS,
    LONG_KEY,
    MESSAGE,
    NEGATIVE_KEY,
    PUBLIC_KEYS,
    UNSUPPORTED_TEMPLATE,
    address_of,
    code_of,
    engine_accepts,
    full,
    multisig,
    open_taproot,
    p2pkh,
    p2sh,
    p2wsh,
    push,
    refusal,
    shape_code_of,
    sign_legacy,
    sign_p2sh,
    sign_p2wsh,
    sign_segwit,
    simple,
    template_of,
    to_sign_for,
    with_witness,
)


@pytest.mark.parametrize("n", range(1, 6))
@pytest.mark.parametrize("m", range(1, 6))
def test_multisig_counts_when_a_majority_must_sign(m: int, n: int) -> None:
    if m > n:
        with pytest.raises(ValueError, match=f"between {m} and 16"):
            sign_bip322_simple_p2wsh(KEYS[:n], m, MESSAGE)
        return
    native = sign_bip322_simple_p2wsh(KEYS[:n], m, MESSAGE)
    legacy = sign_p2sh(multisig(m, PUBLIC_KEYS[:n]), KEYS[:m])
    for name, signed in (("p2wsh", native), ("p2sh", legacy)):
        if 2 * m > n:
            assert template_of(*signed) == f"{name} {m}-of-{n}"
        else:
            error = refusal(*signed)
            assert (error.code, error.message) == (
                UNSUPPORTED_TEMPLATE,
                "a minority of the keys suffices",
            )


def test_sixteen_keys() -> None:
    keys = [bytes([index]) * 32 for index in range(1, 17)]
    assert template_of(*sign_bip322_simple_p2wsh(keys, 9, MESSAGE)) == "p2wsh 9-of-16"


def test_a_script_longer_than_a_push_is_none_in_p2sh() -> None:
    """Fifteen keys take 513 bytes, sixteen 547, and nobody can push more than 520."""
    keys = [bytes([index]) * 32 for index in range(1, 17)]
    public_keys = [PrivateKey(key).public_key.format() for key in keys]
    fifteen = sign_p2sh(multisig(8, public_keys[:15]), keys[:8])
    assert template_of(*fifteen) == "p2sh 8-of-15"
    assert engine_accepts(*fifteen)
    sixteen = sign_p2sh(multisig(9, public_keys), keys[:9])
    assert code_of(*sixteen) == BAD
    assert not engine_accepts(*sixteen)
    # What is no template anyway is said to be none, however long.
    assert code_of(*sign_p2sh(multisig(8, public_keys), keys[:8])) == UNSUPPORTED_TEMPLATE


def without_dummy(address: str, signature: str) -> tuple[str, str]:
    """Take the first element from a simple signature's witness."""
    return address, with_witness(signature, lambda witness: witness[1:])


SINGLE_SIG = push(PUBLIC_KEYS[0]) + b"\xac"
TWO_OF_TWO = multisig(2, PUBLIC_KEYS[:2])
SEVENTEEN = [push(b"\x02" + bytes([index] * 32)) for index in range(17)]


@pytest.mark.parametrize(
    ("witness_script", "signers"),
    [
        (multisig(2, [PUBLIC_KEYS[0]] * 2), [0, 0]),
        (multisig(2, [PUBLIC_KEYS[0], PUBLIC_KEYS[0], PUBLIC_KEYS[1]]), [0, 0]),
        (multisig(2, [PUBLIC_KEYS[1], PUBLIC_KEYS[0], NEGATIVE_KEY]), [1, 0]),
        (multisig(1, [LONG_KEY]), [0]),
        (multisig(2, [LONG_KEY, PUBLIC_KEYS[1]]), [0, 1]),
        (SINGLE_SIG, [0]),
        # time locks before and in place of keys
        (b"\x02\xe0\x07\xb1\x75" + TWO_OF_TWO, [0, 1]),
        (b"\x02\xe0\x07\xb2\x75" + TWO_OF_TWO, [0, 1]),
        (b"\x63" + SINGLE_SIG + b"\x67\x02\xe0\x07\xb2\x75" + SINGLE_SIG + b"\x68", [0]),
        # almost bare multisig
        (TWO_OF_TWO[:-1] + b"\xaf\x51", [0, 1]),
        (b"\x61" + TWO_OF_TWO, [0, 1]),
        (TWO_OF_TWO + b"\x61", [0, 1]),
        (b"\x01\x02" + TWO_OF_TWO[1:], [0, 1]),
        (TWO_OF_TWO[:-2] + b"\x53\xae", [0, 1]),
        (b"\x53" + TWO_OF_TWO[1:], [0, 1]),
        (multisig(2, [b"\x05" + PUBLIC_KEYS[0][1:], PUBLIC_KEYS[1]]), [0, 1]),
        (TWO_OF_TWO[:1] + b"\x22" + TWO_OF_TWO[2:], [0, 1]),
        (TWO_OF_TWO[:-2] + b"\x21\x02" + TWO_OF_TWO[-2:], [0, 1]),
        (b"\x59" + b"".join(SEVENTEEN) + b"\x61\xae", []),
        (b"\x59" + b"".join(SEVENTEEN * 11) + b"\x60\xae", []),
        (b"\x00" + TWO_OF_TWO[1:], []),
        (b"\x50" + TWO_OF_TWO[1:], []),
        (multisig(0, []), []),
        # anyone can spend
        (b"\x51", []),
        (b"", []),
        (b"\x51\x52\x53", []),
        (b"\x75\x51", []),
        (b"\x91", []),
    ],
)
def test_scripts_that_prove_no_owner(witness_script: bytes, signers: list[int]) -> None:
    keys = [KEYS[index] for index in signers]
    assert code_of(*sign_p2wsh(witness_script, keys)) == UNSUPPORTED_TEMPLATE
    # Without the dummy as well: some of these scripts want none.
    bare = without_dummy(*sign_p2wsh(witness_script, keys))
    assert code_of(*bare) == UNSUPPORTED_TEMPLATE
    if 0 < len(witness_script) < 256:
        assert code_of(*sign_p2sh(witness_script, keys)) == UNSUPPORTED_TEMPLATE


def test_nested_witness_scripts_are_unsupported() -> None:
    redeem_script = p2wsh(TWO_OF_TWO)
    output = p2sh(redeem_script)
    to_sign = to_sign_for(MESSAGE, output)
    witness = [b"", *(sign_segwit(key, to_sign, TWO_OF_TWO) for key in KEYS[:2]), TWO_OF_TWO]
    signature = full(to_sign, push(redeem_script), witness)
    assert code_of(address_of(output), signature) == UNSUPPORTED_TEMPLATE


def test_single_keys_in_full_form() -> None:
    key = PUBLIC_KEYS[0]
    key_hash_script = p2pkh(key)
    program = b"\x00\x14" + key_hash_script[3:23]
    for output in (p2pkh(key), p2pkh(LONG_KEY)):
        to_sign = to_sign_for(MESSAGE, output)
        used = key if output == p2pkh(key) else LONG_KEY
        script_sig = push(sign_legacy(KEYS[0], to_sign, output)) + push(used)
        assert template_of(address_of(output), full(to_sign, script_sig)) == "p2pkh"
    for output, script_sig, name in (
        (program, b"", "p2wpkh"),
        (p2sh(program), push(program), "p2sh-p2wpkh"),
    ):
        to_sign = to_sign_for(MESSAGE, output)
        witness = [sign_segwit(KEYS[0], to_sign, key_hash_script), key]
        assert template_of(address_of(output), full(to_sign, script_sig, witness)) == name


def test_p2sh_with_the_script_of_another_address() -> None:
    output = p2sh(multisig(1, PUBLIC_KEYS[:1]))
    to_sign = to_sign_for(MESSAGE, output)
    signatures = [push(sign_legacy(key, to_sign, TWO_OF_TWO)) for key in KEYS[:2]]
    script_sig = b"\x00" + b"".join(signatures) + push(TWO_OF_TWO)
    assert shape_code_of(address_of(output), full(to_sign, script_sig)) == BAD


def test_nested_key_with_another_push_in_the_script_sig() -> None:
    program = b"\x00\x14" + p2pkh(PUBLIC_KEYS[0])[3:23]
    output = p2sh(program)
    to_sign = to_sign_for(MESSAGE, output)
    witness = [sign_segwit(KEYS[0], to_sign, p2pkh(PUBLIC_KEYS[0])), PUBLIC_KEYS[0]]
    for script_sig in (b"\x00" + push(program), b"\x4c" + push(program), b""):
        assert shape_code_of(address_of(output), full(to_sign, script_sig, witness)) == BAD


def test_p2wpkh_takes_no_uncompressed_key() -> None:
    """Consensus lets such a coin be spent; wallets and relay do not, and so it is no template."""
    script_code = p2pkh(LONG_KEY)
    for output, script_sig in (
        (b"\x00\x14" + script_code[3:23], b""),
        (p2sh(b"\x00\x14" + script_code[3:23]), push(b"\x00\x14" + script_code[3:23])),
    ):
        to_sign = to_sign_for(MESSAGE, output)
        witness = [sign_segwit(KEYS[0], to_sign, script_code), LONG_KEY]
        assert shape_code_of(address_of(output), full(to_sign, script_sig, witness)) == BAD


def test_taproot_annex_and_script_path_are_unsupported() -> None:
    address, signature = sign_bip322_simple_p2tr(KEYS[0], MESSAGE)
    annexed = with_witness(signature, lambda w: [*w, b"\x50"])
    assert code_of(address, annexed) == UNSUPPORTED_TEMPLATE
    assert code_of(*open_taproot()) == UNSUPPORTED_TEMPLATE


@pytest.mark.parametrize(
    "signed",
    [
        open_taproot(),
        sign_bip322_simple_p2wsh(KEYS[:3], 1, MESSAGE),
        (address_of(p2wsh(b"\x51")), simple([b"\x51"])),
        without_dummy(*sign_p2wsh(b"\x00\xb1\x75" + SINGLE_SIG, KEYS[:1])),
    ],
)
def test_what_the_script_engine_alone_would_accept(signed: tuple[str, str]) -> None:
    address, signature = signed
    assert engine_accepts(address, signature)
    assert code_of(address, signature) == UNSUPPORTED_TEMPLATE
