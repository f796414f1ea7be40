"""The reference's ownership checks: published vectors, bent signatures, the verifier's opinion.

Signatures are made by libraries (`ownership_forge`), never by the code under test.
"""

from __future__ import annotations

import base64
import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.ownership_forge import (
    KEYS,
    LONG_KEY,
    MESSAGE,
    NEGATIVE_KEY,
    PUBLIC_KEYS,
    address_of,
    der,
    full,
    high_s,
    multisig,
    open_taproot,
    p2pkh,
    p2sh,
    p2wsh,
    push,
    sign_legacy,
    sign_p2sh,
    sign_p2wsh,
    sign_segwit,
    simple,
    split_der,
    taproot_signature,
    to_sign_for,
    with_witness,
)
from verifier.ownership import OwnershipError, check_ownership, parse_address

# isort: split
from coincurve import PrivateKey
from embit import ec, script

from spec.reference import bip322, ecdsa, ownership
from spec.reference.address import bitcoin_script, double_sha256
from spec.reference.errors import UnsupportedError
from spec.reference.group import N, P, V, encode, multi_multiply

SEED = 11
BAD, TEMPLATE, SIGNATURE = "bad-signature", "unsupported-template", "unsupported-signature"


def verdict(
    chain: str, address: str, signature_format: str, text: str, message: str = MESSAGE
) -> str | None:
    """None where the reference accepts, else the end of its code."""
    try:
        ownership.verify(signature_format, chain, address, message.encode(), text)
    except UnsupportedError as error:
        return f"unsupported-{error.what}"
    except ValueError:
        return BAD
    return None


def bip322_verdict(address: str, text: str, message: str = MESSAGE) -> str | None:
    return verdict("bitcoin", address, "bip322", text, message)


def official(test_data: Path, *kinds: str) -> Iterator[Any]:
    for name in ("bip322_basic.json", "bip322_generated.json"):
        vectors = json.loads((test_data / name).read_text(encoding="utf-8"))
        for kind in kinds:
            yield from vectors.get(kind, [])


def test_official_transactions(test_data: Path) -> None:
    vectors = list(official(test_data, "tx_hashes"))
    assert vectors
    for vector in vectors:
        script_of = bitcoin_script(vector["address"])
        spent = bip322.to_spend_id(script_of, vector["message"].encode())
        assert spent[::-1].hex() == vector["to_spend_tx_hash"]


def test_official_simple_signatures(test_data: Path) -> None:
    count = 0
    for vector in official(test_data, "simple"):
        for text in vector["bip322_signatures"]:
            assert bip322_verdict(vector["address"], text, vector["message"]) is None
            assert bip322_verdict(vector["address"], text, vector["message"] + "x") == BAD
            bare = text.removeprefix("smp")
            assert bip322_verdict(vector["address"], bare, vector["message"]) is None
            count += 1
    assert count > 8


def test_official_full_signatures(test_data: Path) -> None:
    accepted = {"p2pkh", "p2wpkh", "p2tr", "p2sh-p2wpkh"}
    kinds = set()
    for vector in official(test_data, "full"):
        kind = vector["type"]
        kinds.add(kind)
        is_multisig = kind.startswith(("p2wsh-multisig", "p2sh-multisig"))
        expected = None if kind in accepted or is_multisig else TEMPLATE
        for text in vector["bip322_signatures"]:
            assert bip322_verdict(vector["address"], text, vector["message"]) == expected, kind
            if expected is None:
                assert bip322_verdict(vector["address"], text, vector["message"] + "x") == BAD
    assert accepted < kinds


def test_official_proofs_of_funds_and_errors(test_data: Path) -> None:
    for vector in official(test_data, "proof_of_funds"):
        for text in vector["bip322_signatures"]:
            assert bip322_verdict(vector["address"], text, vector["message"]) == SIGNATURE
    for vector in official(test_data, "error"):
        assert bip322_verdict(vector["address"], vector["signature"], vector["message"]) == BAD


def single_keys(**fields: int) -> list[tuple[str, str, str]]:
    """(name, address, signature) of the four single-key templates; `fields` are of to_sign."""
    key, program = PUBLIC_KEYS[0], b"\x00\x14" + p2pkh(PUBLIC_KEYS[0])[3:23]
    made = []
    for used in (key, LONG_KEY):
        to_sign = to_sign_for(MESSAGE, p2pkh(used), **fields)
        script_sig = push(sign_legacy(KEYS[0], to_sign, p2pkh(used))) + push(used)
        made.append(("p2pkh", address_of(p2pkh(used)), full(to_sign, script_sig)))
    for name, output, script_sig in (
        ("p2wpkh", program, b""),
        ("p2sh-p2wpkh", p2sh(program), push(program)),
    ):
        to_sign = to_sign_for(MESSAGE, output, **fields)
        witness = [sign_segwit(KEYS[0], to_sign, p2pkh(key)), key]
        made.append((name, address_of(output), full(to_sign, script_sig, witness)))
    internal = ec.PrivateKey(KEYS[0])
    output = script.p2tr(internal.get_public_key())
    to_sign = to_sign_for(MESSAGE, output.data, **fields)
    digest = to_sign.sighash_taproot(0, [output], [0], sighash=0)
    signature = PrivateKey(internal.taproot_tweak().secret).sign_schnorr(digest, bytes(32))
    made.append(("p2tr", address_of(output.data), full(to_sign, b"", [signature])))
    return made


@pytest.mark.parametrize(
    "fields", [{"version": 0}, {"version": 2}, {"locktime": 1}, {"sequence": 0xFFFFFFFF}]
)
def test_full_signatures(fields: dict[str, int]) -> None:
    for name, address, text in single_keys(**fields):
        assert bip322_verdict(address, text) is None, name
        assert bip322_verdict(address, text, MESSAGE + "x") == BAD, name


@pytest.mark.parametrize("version", [1, 3])
def test_full_signatures_of_a_refused_kind(version: int) -> None:
    for name, address, text in single_keys(version=version):
        assert bip322_verdict(address, text) == SIGNATURE, name


@pytest.mark.parametrize("n", range(1, 6))
@pytest.mark.parametrize("m", range(1, 6))
def test_majority_multisig(m: int, n: int) -> None:
    if m > n:
        return
    expected = None if 2 * m > n else TEMPLATE
    witness_script = multisig(m, PUBLIC_KEYS[:n])
    for start in range(n - m + 1):  # which of the keys sign
        assert bip322_verdict(*sign_p2wsh(witness_script, KEYS[start : start + m])) == expected
    assert bip322_verdict(*sign_p2sh(witness_script, KEYS[:m])) == expected
    if expected is None and m > 1:
        assert bip322_verdict(*sign_p2wsh(witness_script, KEYS[m - 1 :: -1])) == BAD
        assert bip322_verdict(*sign_p2wsh(witness_script, KEYS[: m - 1])) == BAD
        assert bip322_verdict(*sign_p2wsh(witness_script, [KEYS[0]] * m)) == BAD


OFF_CURVE = b"\x02" + bytes(31) + b"\x05"
TWO = multisig(2, PUBLIC_KEYS[:2])


@pytest.mark.parametrize(
    "witness_script",
    [
        multisig(2, [PUBLIC_KEYS[0]] * 2),
        multisig(2, [PUBLIC_KEYS[0], PUBLIC_KEYS[1], NEGATIVE_KEY]),
        multisig(2, [LONG_KEY, PUBLIC_KEYS[1]]),
        push(PUBLIC_KEYS[0]) + b"\xac",
        b"\x02\xe0\x07\xb1\x75" + TWO,
        TWO + b"\x61",
        TWO[:-1] + b"\xaf",
        TWO[:-2] + b"\x53\xae",
        b"\x53" + TWO[1:],
        b"\x50" + TWO[1:],
        b"\x01\x02" + TWO[1:],
        TWO[:-1],
        b"\x51",
        b"",
        multisig(9, [*PUBLIC_KEYS * 3, PUBLIC_KEYS[0], PUBLIC_KEYS[1]]),
    ],
)
def test_other_scripts_prove_no_owner(witness_script: bytes) -> None:
    assert bip322_verdict(*sign_p2wsh(witness_script, KEYS[:2])) == TEMPLATE


def test_a_key_off_the_curve_never_signs() -> None:
    witness_script = multisig(2, [OFF_CURVE, PUBLIC_KEYS[0], PUBLIC_KEYS[1]])
    assert bip322_verdict(*sign_p2wsh(witness_script, KEYS[:2])) is None
    assert bip322_verdict(*sign_p2wsh(witness_script, [KEYS[2], KEYS[0]])) == BAD


def test_script_paths_annexes_and_nested_programs() -> None:
    assert bip322_verdict(*open_taproot()) == TEMPLATE
    address = single_keys()[-1][1]
    annexed = simple([taproot_signature(1) + b"\x01", b"\x50"])
    assert bip322_verdict(address, annexed) == TEMPLATE
    redeem = p2wsh(TWO)
    to_sign = to_sign_for(MESSAGE, p2sh(redeem))
    witness = [b"", *(sign_segwit(key, to_sign, TWO) for key in KEYS[:2]), TWO]
    assert (
        bip322_verdict(address_of(p2sh(redeem)), full(to_sign, push(redeem), witness)) == TEMPLATE
    )


def test_taproot_hash_types() -> None:
    address = single_keys()[-1][1]
    assert bip322_verdict(address, simple([taproot_signature(0)])) is None
    assert bip322_verdict(address, simple([taproot_signature(1) + b"\x01"])) is None
    for witness in (
        [taproot_signature(0) + b"\x00"],
        [taproot_signature(0) + b"\x01"],
        [taproot_signature(1)],
        [taproot_signature(2) + b"\x02"],
        [taproot_signature(0)[:32] + N.to_bytes(32, "big")],
        [b""],
        [],
    ):
        assert bip322_verdict(address, simple(witness)) == BAD


@pytest.mark.parametrize(
    "bend",
    [
        high_s,
        lambda raw: b"",
        lambda raw: raw[:-1],
        lambda raw: raw[:-1] + b"\x02",
        lambda raw: raw[:-1] + b"\x00\x01",
        lambda raw: b"\x31" + raw[1:],
        lambda raw: b"\x30" + bytes([raw[1] + 1, 2, raw[3] + 1, 0]) + raw[4:],
        lambda raw: der(0, split_der(raw)[1]),
        lambda raw: der(split_der(raw)[0], 0),
        lambda raw: der(split_der(raw)[0] + N, split_der(raw)[1]),
        lambda raw: der(split_der(raw)[0], split_der(raw)[1] + N),
        lambda raw: der(split_der(raw)[0] ^ 1, split_der(raw)[1]),
        lambda raw: raw[:-1] + b"\x01\x01",
    ],
)
def test_bent_ecdsa_signatures(bend: Any) -> None:
    output = p2pkh(PUBLIC_KEYS[0])
    to_sign = to_sign_for(MESSAGE, output)
    bent = bend(sign_legacy(KEYS[0], to_sign, output))
    script_sig = push(bent) + push(PUBLIC_KEYS[0])
    assert bip322_verdict(address_of(output), full(to_sign, script_sig)) == BAD
    address, text = sign_p2wsh(TWO, KEYS[:2])
    assert (
        bip322_verdict(address, with_witness(text, lambda w: [b"", w[1], bend(w[2]), w[3]])) == BAD
    )


def test_bip340_vectors() -> None:
    """Vectors 0 and 1 of BIP 340."""
    key = "f9308a019258c31049344f85f89d5229b531c845836f99b08601f113bce036f9"
    signature = (
        "e907831f80848d1069a5371b402410364bdf1c5f8307b0084c55f1ce2dca8215"
        "25f66a4a85ea8b71e482a74f382d2ce5ebeee8fdb2172f477df4900d310536c0"
    )
    assert ecdsa.verify_schnorr(bytes.fromhex(key), bytes(32), bytes.fromhex(signature))
    assert not ecdsa.verify_schnorr(bytes.fromhex(key), b"\x01" * 32, bytes.fromhex(signature))


def test_recovery_of_a_wrapped_x() -> None:
    """R's x may be n or more: then r is x - n, and bit 1 of the recovery id says so."""
    field = int(P)
    x = next(x for x in range(N + 1, N + 100) if pow(x**3 + 7, (field - 1) // 2, field) == 1)
    key = ecdsa.recover(b"\x07" * 32, x - N, 5, 2)
    assert ecdsa.verify_ecdsa(key, b"\x07" * 32, x - N, 5)
    with pytest.raises(ValueError, match="field element"):
        ecdsa.recover(b"\x07" * 32, N - 1, 5, 2)


def bip137(base: int, message: str = MESSAGE) -> str:
    prefixed = b"\x18Bitcoin Signed Message:\n" + bytes([len(message.encode())]) + message.encode()
    raw = PrivateKey(KEYS[0]).sign_recoverable(double_sha256(prefixed), hasher=None)
    return base64.b64encode(bytes([base + raw[64]]) + raw[:64]).decode()


BIP137 = {
    27: address_of(p2pkh(LONG_KEY)),
    31: address_of(p2pkh(PUBLIC_KEYS[0])),
    35: address_of(p2sh(b"\x00\x14" + p2pkh(PUBLIC_KEYS[0])[3:23])),
    39: address_of(b"\x00\x14" + p2pkh(PUBLIC_KEYS[0])[3:23]),
}


@pytest.mark.parametrize("base", BIP137)
def test_bip137_headers_serve_their_own_template(base: int) -> None:
    for other, address in BIP137.items():
        got = verdict("bitcoin", address, "bip137", bip137(base))
        assert got == (None if other == base else BAD)
        assert verdict("bitcoin", address, "bip137", bip137(base), MESSAGE + "x") == BAD
    for address in (address_of(p2wsh(TWO)), single_keys()[-1][1]):
        assert verdict("bitcoin", address, "bip137", bip137(base)) == SIGNATURE


def test_bent_bip137() -> None:
    raw = base64.b64decode(bip137(31))
    s = int.from_bytes(raw[33:], "big")
    mirrored = bytes([31 + ((raw[0] - 31) ^ 1)]) + raw[1:33] + (N - s).to_bytes(32, "big")
    for bent in (mirrored, raw[:64], raw + b"\x00", b"\x1a" + raw[1:], b"\x2b" + raw[1:], b""):
        text = base64.b64encode(bent).decode()
        assert verdict("bitcoin", BIP137[31], "bip137", text) == BAD
    text = bip137(31)
    loose = text[:-2] + chr(ord(text[-2]) + 1) + "="
    for other in (loose, text + "\n", text[:-1], " " + text, text[:-1] + "\xe9"):
        assert verdict("bitcoin", BIP137[31], "bip137", other) == BAD


def test_eip191_vectors() -> None:
    """The examples of web3.js's and eth-account's documentation."""
    text = (
        "0xb91467e570a6466aa9e9876cbcd013baba02900b8979d43fe208a4a4f339f5fd"
        "6007e74cd82e037b800186422fc2da167c747ef045e5d18a5f5d4300f8e1a0291c"
    )
    address = "0x2c7536E3605D9C16a7a3D7b1898e529396a65c23"
    assert verdict("ethereum", address, "eip191", text, "Some data") is None
    assert verdict("ethereum", address, "eip191", text, "Some date") == BAD
    text = (
        "0xe6ca9bba58c88611fad66a6ce8f996908195593807c4b38bd528d2cff09d4eb3"
        "3e5bfbbf4d3e39b1a2fd816a7680c19ebebaf3a141b239934ad43cb33fcec8ce1c"
    )
    address = "0x5ce9454909639D2D17A3F753ce7d93fa0b9aB12E"
    heart = "I\N{BLACK HEART SUIT}SF"
    assert verdict("ethereum", address, "eip191", text, heart) is None
    s = N - int(text[66:130], 16)
    bent = [
        text[:66] + f"{s:064x}" + "1b",
        text[:-2] + "1b",
        text[:-2] + "01",
        text[2:],
        text.upper(),
        "0x" + text[2:].upper(),
        text + "\n",
        text + "00",
        "",
    ]
    for other in bent:
        assert verdict("ethereum", address, "eip191", other, heart) == BAD


def test_formats_belong_to_chains() -> None:
    _, address, text = single_keys()[0]
    for signature_format in ("", "BIP322", "eip191", "eip712"):
        assert verdict("bitcoin", address, signature_format, text) == SIGNATURE
    account = "0x5ce9454909639D2D17A3F753ce7d93fa0b9aB12E"
    for signature_format in ("bip322", "bip137"):
        assert verdict("ethereum", account, signature_format, text) == SIGNATURE


def verifier_accepts(address: str, signature_format: str, text: str) -> bool:
    try:
        check_ownership(parse_address("bitcoin", address), MESSAGE, signature_format, text)
    except OwnershipError:
        return False
    return True


def test_both_verifiers_accept_the_same_changed_signatures() -> None:
    """Random changes of decoded signatures of every kind."""
    rng = random.Random(SEED)
    signed = [(address, "bip322", text) for _, address, text in single_keys()]
    for address, text in (
        sign_p2wsh(multisig(2, PUBLIC_KEYS[:3]), KEYS[:2]),
        sign_p2sh(TWO, KEYS[:2]),
    ):
        signed.append((address, "bip322", text))
    signed += [(address, "bip137", bip137(base)) for base, address in BIP137.items()]
    seen = set()
    for trial in range(400):
        address, signature_format, text = rng.choice(signed)
        prefix = text[:3] if signature_format == "bip322" else ""
        data = bytearray(base64.b64decode(text[len(prefix) :]))
        for _ in range(rng.randrange(3)):
            data[rng.randrange(len(data))] = rng.choice([rng.randrange(256), 0, 1, 255])
        changed = prefix + base64.b64encode(bytes(data)).decode()
        ours = verdict("bitcoin", address, signature_format, changed) is None
        theirs = verifier_accepts(address, signature_format, changed)
        assert ours == theirs, (SEED, trial, address, changed)
        seen.add(ours)
    assert seen == {False, True}


def test_keys_are_points() -> None:
    key = multi_multiply([(7, V)])
    assert key is not None
    x, y = (int(c).to_bytes(32, "big") for c in key)
    assert ecdsa.parse_key(encode(key)) == ecdsa.parse_key(b"\x04" + x + y) == key
    wrong = (b"\x04" + x + x, bytes([6 + y[31] % 2]) + x + y, b"", b"\x04" + x, b"\x04" + y + x)
    for data in wrong:
        with pytest.raises(ValueError, match=r".+"):
            ecdsa.parse_key(data)
