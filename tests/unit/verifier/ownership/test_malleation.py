"""BIP-322: signatures, keys and witnesses bent in one place each."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from prover.assets.signing import (
    sign_bip322_simple_p2tr,
    sign_bip322_simple_p2wpkh,
    sign_bip322_simple_p2wsh,
)
from tests.support.ownership_forge import (
    BAD,
    FIELD,
    KEYS,
    LONG_KEY,
    MESSAGE,
    NEGATIVE_KEY,
    PUBLIC_KEYS,
    address_of,
    code_of,
    der,
    full,
    high_s,
    multisig,
    p2pkh,
    push,
    shape_code_of,
    sign_legacy,
    sign_p2wsh,
    sign_segwit,
    simple,
    split_der,
    taproot_signature,
    template_of,
    to_sign_for,
    with_witness,
)
from verifier.ownership.recovery import CURVE_ORDER


@pytest.mark.parametrize(
    "change",
    [
        high_s,
        lambda raw: b"",
        lambda raw: b"\x01",
        lambda raw: raw[:-1],
        lambda raw: raw[:-2] + b"\x01",
        lambda raw: raw[:-1] + b"\x00\x01",
        lambda raw: raw[:-1] + b"\x00",
        lambda raw: raw[:-1] + b"\x02",
        lambda raw: raw[:-1] + b"\x81",
        lambda raw: b"\x31" + raw[1:],
        lambda raw: b"\x30\x81" + raw[1:],
        # a zero byte before r that DER does not allow
        lambda raw: b"\x30" + bytes([raw[1] + 1]) + b"\x02" + bytes([raw[3] + 1, 0]) + raw[4:],
        lambda raw: der(0, split_der(raw)[1]),
        lambda raw: der(split_der(raw)[0], 0),
        lambda raw: der(0, 0),
        lambda raw: der(split_der(raw)[0] + CURVE_ORDER, split_der(raw)[1]),
        lambda raw: der(CURVE_ORDER, split_der(raw)[1]),
        lambda raw: der(split_der(raw)[0], CURVE_ORDER),
        lambda raw: der(split_der(raw)[0], split_der(raw)[1] + CURVE_ORDER),
        lambda raw: der(*reversed(split_der(raw))),
        lambda raw: b"\x30\x06\x02\x01\x81\x02\x01\x01\x01",
        lambda raw: raw[:-1].ljust(200, b"\x00") + b"\x01",
    ],
)
def test_bent_ecdsa_signature(change: Callable[[bytes], bytes]) -> None:
    address, signature = sign_bip322_simple_p2wpkh(KEYS[0], MESSAGE)
    assert code_of(address, with_witness(signature, lambda w: [change(w[0]), w[1]])) == BAD
    address, signature = sign_bip322_simple_p2wsh(KEYS[:3], 2, MESSAGE)
    assert code_of(address, with_witness(signature, lambda w: [b"", change(w[1]), *w[2:]])) == BAD
    assert (
        code_of(address, with_witness(signature, lambda w: [b"", w[1], change(w[2]), w[3]])) == BAD
    )
    output = p2pkh(PUBLIC_KEYS[0])
    to_sign = to_sign_for(MESSAGE, output)
    bent = change(sign_legacy(KEYS[0], to_sign, output))
    assert code_of(address_of(output), full(to_sign, push(bent) + push(PUBLIC_KEYS[0]))) == BAD


@pytest.mark.parametrize("sighash", [0x02, 0x03, 0x81, 0x82, 0x83])
def test_true_signature_with_another_sighash(sighash: int) -> None:
    output = b"\x00\x14" + p2pkh(PUBLIC_KEYS[0])[3:23]
    to_sign = to_sign_for(MESSAGE, output)
    signature = sign_segwit(KEYS[0], to_sign, p2pkh(PUBLIC_KEYS[0]), sighash)
    assert shape_code_of(address_of(output), simple([signature, PUBLIC_KEYS[0]])) == BAD


@pytest.mark.parametrize(
    "key",
    [
        PUBLIC_KEYS[1],
        NEGATIVE_KEY,
        b"\x02" + bytes(31) + b"\x05",  # no point of the curve has this x
        b"\x02" + FIELD.to_bytes(32),
        b"\x02" + bytes(32),
    ],
)
def test_wrong_public_key(key: bytes) -> None:
    address, signature = sign_bip322_simple_p2wpkh(KEYS[0], MESSAGE)
    assert code_of(address, with_witness(signature, lambda w: [w[0], key])) == BAD
    # The address of that very key, signed for with a key at hand.
    for output in (p2pkh(key), b"\x00\x14" + p2pkh(key)[3:23]):
        to_sign = to_sign_for(MESSAGE, output)
        if output == p2pkh(key):
            script_sig = push(sign_legacy(KEYS[2], to_sign, output)) + push(key)
            forged = full(to_sign, script_sig)
        else:
            forged = full(to_sign, witness=[sign_segwit(KEYS[2], to_sign, p2pkh(key)), key])
        assert code_of(address_of(output), forged) == BAD


@pytest.mark.parametrize(
    "key",
    [
        b"",
        PUBLIC_KEYS[0][:32],
        PUBLIC_KEYS[0] + b"\x00",
        b"\x05" + PUBLIC_KEYS[0][1:],
        LONG_KEY,
        bytes([6 + LONG_KEY[64] % 2]) + LONG_KEY[1:],
    ],
)
def test_malformed_public_key(key: bytes) -> None:
    address, signature = sign_bip322_simple_p2wpkh(KEYS[0], MESSAGE)
    assert shape_code_of(address, with_witness(signature, lambda w: [w[0], key])) == BAD
    output = p2pkh(key)
    if key != LONG_KEY:
        to_sign = to_sign_for(MESSAGE, output)
        script_sig = push(sign_legacy(KEYS[0], to_sign, output)) + push(key)
        assert shape_code_of(address_of(output), full(to_sign, script_sig)) == BAD


def test_multisig_with_a_key_off_the_curve() -> None:
    """Such a key can never sign, so it neither proves anything nor crashes anything."""
    off_curve = b"\x02" + bytes(31) + b"\x05"
    witness_script = multisig(2, [PUBLIC_KEYS[0], off_curve, PUBLIC_KEYS[1]])
    assert template_of(*sign_p2wsh(witness_script, [KEYS[0], KEYS[1]])) == "p2wsh 2-of-3"
    assert code_of(*sign_p2wsh(witness_script, [KEYS[0], KEYS[2]])) == BAD


@pytest.mark.parametrize(
    "change",
    [
        lambda w: w[:2] + w[3:],
        lambda w: [*w[:1], w[1], *w[1:]],
        lambda w: w[1:],
        lambda w: [b"\x00", *w[1:]],
        lambda w: [b"\x01", *w[1:]],
        lambda w: [b"", *w],
        lambda w: [*w[:2], b"", *w[3:]],
        lambda w: w[:-1],
        lambda w: [*w, b""],
        lambda w: [*w[:-1], w[-1] + b"\x61"],
        lambda w: [*w[:-1], multisig(2, PUBLIC_KEYS[:2])],
        lambda w: [w[-1]],
        lambda w: [],
    ],
)
def test_multisig_witness_of_another_shape(change: Callable[[list[bytes]], list[bytes]]) -> None:
    address, signature = sign_bip322_simple_p2wsh(KEYS[:3], 2, MESSAGE)
    assert shape_code_of(address, with_witness(signature, change)) == BAD


@pytest.mark.parametrize(
    "change",
    [
        lambda w: [w[0], w[2], w[1], w[3]],
        lambda w: [w[0], w[1], w[1], w[3]],
        lambda w: [w[0], w[2], w[2], w[3]],
    ],
)
def test_multisig_signatures_out_of_order_or_twice(
    change: Callable[[list[bytes]], list[bytes]],
) -> None:
    address, signature = sign_bip322_simple_p2wsh(KEYS[:3], 2, MESSAGE)
    assert code_of(address, with_witness(signature, change)) == BAD


@pytest.mark.parametrize(
    "change",
    [
        lambda raw: b"",
        lambda raw: raw[:63],
        lambda raw: raw + b"\x00",
        lambda raw: raw + b"\x01\x01",
        lambda raw: raw + bytes(10),
        lambda raw: taproot_signature(1) + b"\x01\x01",
        lambda raw: taproot_signature(2) + b"\x02",
        lambda raw: taproot_signature(0x81) + b"\x81",
    ],
)
def test_schnorr_signature_of_another_length_or_sighash(change: Callable[[bytes], bytes]) -> None:
    address, signature = sign_bip322_simple_p2tr(KEYS[0], MESSAGE)
    assert shape_code_of(address, with_witness(signature, lambda w: [change(w[0])])) == BAD


def test_taproot_key_path() -> None:
    address, signature = sign_bip322_simple_p2tr(KEYS[0], MESSAGE)
    assert template_of(address, signature) == "p2tr"
    assert template_of(address, simple([taproot_signature(1) + b"\x01"])) == "p2tr"


@pytest.mark.parametrize(
    "change",
    [
        lambda raw: raw + b"\x01",
        lambda raw: taproot_signature(1),
        lambda raw: bytes(64),
        lambda raw: bytes(32) + raw[32:],
        lambda raw: raw[:32] + bytes(32),
        lambda raw: raw[:32] + CURVE_ORDER.to_bytes(32),
        lambda raw: raw[:32] + (CURVE_ORDER - int.from_bytes(raw[32:])).to_bytes(32),
        lambda raw: FIELD.to_bytes(32) + raw[32:],
        lambda raw: b"\xff" * 64,
    ],
)
def test_bent_schnorr_signature(change: Callable[[bytes], bytes]) -> None:
    address, signature = sign_bip322_simple_p2tr(KEYS[0], MESSAGE)
    assert code_of(address, with_witness(signature, lambda w: [change(w[0])])) == BAD


def test_taproot_of_no_key() -> None:
    # No point of the curve has this x, so the output is nobody's.
    _, signature = sign_bip322_simple_p2tr(KEYS[0], MESSAGE)
    assert code_of(address_of(b"\x51\x20" + bytes(31) + b"\x05"), signature) == BAD
