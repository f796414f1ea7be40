"""BIP-322: the official vectors, the shape of a full signature, the text of any."""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import pytest

from prover.assets.signing import (
    sign_bip322_simple_p2wpkh,
)
from tests.support.ownership_forge import (
    BAD,
    KEYS,
    MESSAGE,
    PUBLIC_KEYS,
    UNSUPPORTED_SIGNATURE,
    UNSUPPORTED_TEMPLATE,
    address_of,
    code_of,
    full,
    multisig,
    p2pkh,
    p2sh,
    push,
    refusal,
    shape_code_of,
    sign_legacy,
    sign_p2sh,
    sign_segwit,
    simple,
    template_of,
    to_sign_for,
)

EXPECTED = {
    "p2pkh": "p2pkh",
    "p2wpkh": "p2wpkh",
    "p2tr": "p2tr",
    "p2sh-p2wpkh": "p2sh-p2wpkh",
    "p2wsh-multisig-2of2": "p2wsh 2-of-2",
    "p2wsh-multisig-3of3": "p2wsh 3-of-3",
    "p2sh-multisig-2of2": "p2sh 2-of-2",
    "p2wsh-time-lock": UNSUPPORTED_TEMPLATE,
    "p2tr-time-lock": UNSUPPORTED_TEMPLATE,
    "p2sh-p2wsh-multisig-2of2": UNSUPPORTED_TEMPLATE,
}


def official(test_data: Path, *kinds: str) -> list[dict[str, Any]]:
    """Return the official vectors of the kinds, each with the name of its kind."""
    found = []
    for name in ("bip322_basic.json", "bip322_generated.json"):
        vectors = json.loads((test_data / name).read_text(encoding="utf-8"))
        found += [{**vector, "kind": kind} for kind in kinds for vector in vectors.get(kind, [])]
    return found


def test_official_signatures_of_supported_templates_and_no_others(test_data: Path) -> None:
    seen = set()
    for vector in official(test_data, "simple", "full"):
        for signature in vector["bip322_signatures"]:
            expected = EXPECTED[vector["type"]]
            seen.add(vector["type"])
            arguments = vector["address"], signature, vector["message"]
            if expected.startswith("evidence."):
                assert code_of(*arguments) == expected
            else:
                assert template_of(*arguments) == expected
                assert code_of(vector["address"], signature, vector["message"] + "\n") == BAD
    assert seen == set(EXPECTED)


def test_official_proofs_of_funds_are_refused_by_name(test_data: Path) -> None:
    vectors = official(test_data, "proof_of_funds")
    assert vectors
    for vector in vectors:
        for signature in vector["bip322_signatures"]:
            code = code_of(vector["address"], signature, vector["message"])
            assert code == UNSUPPORTED_SIGNATURE


def test_official_errors(test_data: Path) -> None:
    vectors = official(test_data, "error")
    assert vectors
    for vector in vectors:
        assert code_of(vector["address"], vector["signature"], vector["message"]) == BAD


def full_p2wpkh(**fields: int) -> tuple[str, str]:
    output = b"\x00\x14" + p2pkh(PUBLIC_KEYS[0])[3:23]
    to_sign = to_sign_for(MESSAGE, output, **fields)
    witness = [sign_segwit(KEYS[0], to_sign, p2pkh(PUBLIC_KEYS[0])), PUBLIC_KEYS[0]]
    return address_of(output), full(to_sign, witness=witness)


@pytest.mark.parametrize("version", [0, 2])
@pytest.mark.parametrize("locktime", [0, 2016, 0xFFFFFFFF])
@pytest.mark.parametrize("sequence", [0, 2016, 0xFFFFFFFF])
def test_time_fields_bind_no_supported_template(version: int, locktime: int, sequence: int) -> None:
    signed = full_p2wpkh(version=version, locktime=locktime, sequence=sequence)
    assert template_of(*signed) == "p2wpkh"


@pytest.mark.parametrize("version", [1, 3, 0xFFFFFFFF])
def test_inconclusive_versions_are_unsupported(version: int) -> None:
    address, signature = full_p2wpkh(version=version)
    assert shape_code_of(address, signature) == UNSUPPORTED_SIGNATURE
    # The kind of a signature is named before its faults.
    assert code_of(address, signature, MESSAGE + " ") == UNSUPPORTED_SIGNATURE


def test_malformed_proof_of_funds_is_still_one() -> None:
    address, _ = full_p2wpkh()
    for text in ("pof", "pof!", "pof\n", "pofAA=="):
        assert code_of(address, text) == UNSUPPORTED_SIGNATURE


@pytest.mark.parametrize(
    "change",
    [
        lambda tx: tx.vin.append(to_sign_for("another", b"\x51").vin[0]),
        lambda tx: tx.vout.append(tx.vout[0]),
        lambda tx: tx.vout.clear(),
        lambda tx: setattr(tx.vout[0], "value", 1),
        lambda tx: setattr(tx.vout[0].script_pubkey, "data", b"\x6a\x01\x61"),
        lambda tx: setattr(tx.vout[0].script_pubkey, "data", b"\x51"),
        lambda tx: setattr(tx.vin[0], "vout", 1),
        lambda tx: setattr(tx.vin[0], "txid", to_sign_for("x", b"\x51").vin[0].txid),
    ],
)
def test_full_signature_of_another_shape(change: Callable[[Any], Any]) -> None:
    output = b"\x00\x14" + p2pkh(PUBLIC_KEYS[0])[3:23]
    to_sign = to_sign_for(MESSAGE, output)
    change(to_sign)
    witness = [sign_segwit(KEYS[0], to_sign, p2pkh(PUBLIC_KEYS[0])), PUBLIC_KEYS[0]]
    assert shape_code_of(address_of(output), full(to_sign, witness=witness)) == BAD


@pytest.mark.parametrize(
    "script_sig",
    [
        lambda signature, key: b"",
        lambda signature, key: push(signature),
        lambda signature, key: push(signature) + push(key) + b"\x51",
        lambda signature, key: b"\x00" + push(signature) + push(key),
        lambda signature, key: push(key) + push(signature),
        lambda signature, key: push(signature) + push(key)[:-1],
        lambda signature, key: push(signature) + b"\x22" + key,
        lambda signature, key: push(signature) + b"\x4c",
        lambda signature, key: push(signature) + b"\x4d\xff",
        # longer pushes than needed
        lambda signature, key: push(signature) + b"\x4c" + push(key),
        lambda signature, key: push(signature) + b"\x4d\x21\x00" + key,
        lambda signature, key: push(signature) + b"\x4e\x21\x00\x00\x00" + key,
        lambda signature, key: push(signature) + push(key) + b"\x61",
    ],
)
def test_p2pkh_script_sig_of_another_shape(script_sig: Callable[[bytes, bytes], bytes]) -> None:
    output = p2pkh(PUBLIC_KEYS[0])
    to_sign = to_sign_for(MESSAGE, output)
    data = script_sig(sign_legacy(KEYS[0], to_sign, output), PUBLIC_KEYS[0])
    assert shape_code_of(address_of(output), full(to_sign, data)) == BAD


def test_script_sig_or_witness_where_none_belongs() -> None:
    output = b"\x00\x14" + p2pkh(PUBLIC_KEYS[0])[3:23]
    to_sign = to_sign_for(MESSAGE, output)
    witness = [sign_segwit(KEYS[0], to_sign, p2pkh(PUBLIC_KEYS[0])), PUBLIC_KEYS[0]]
    assert shape_code_of(address_of(output), full(to_sign, b"\x51", witness)) == BAD
    output = p2pkh(PUBLIC_KEYS[0])
    to_sign = to_sign_for(MESSAGE, output)
    script_sig = push(sign_legacy(KEYS[0], to_sign, output)) + push(PUBLIC_KEYS[0])
    assert shape_code_of(address_of(output), full(to_sign, script_sig, [b"\x51"])) == BAD
    two_of_two = multisig(2, PUBLIC_KEYS[:2])
    assert template_of(*sign_p2sh(two_of_two, KEYS[:2])) == "p2sh 2-of-2"
    assert shape_code_of(*sign_p2sh(two_of_two, KEYS[:2], witness=[b"\x51"])) == BAD


def test_simple_form_is_for_witness_programs() -> None:
    output = p2pkh(PUBLIC_KEYS[0])
    signature = sign_legacy(KEYS[0], to_sign_for(MESSAGE, output), output)
    assert shape_code_of(address_of(output), simple([signature, PUBLIC_KEYS[0]])) == BAD


@pytest.mark.parametrize("prefix", ["smp", ""])
@pytest.mark.parametrize("kind", ["P2PKH", "P2SH-P2WPKH", "P2SH"])
def test_a_simple_signature_of_what_a_script_sig_spends_is_told_what_to_make(
    kind: str, prefix: str
) -> None:
    """Wallets make such signatures, with good keys: what is wrong is the form."""
    key_hash = p2pkh(PUBLIC_KEYS[0])[3:23]
    output = {
        "P2PKH": p2pkh(PUBLIC_KEYS[0]),
        "P2SH-P2WPKH": p2sh(b"\x00\x14" + key_hash),
        "P2SH": p2sh(multisig(2, PUBLIC_KEYS[:2])),
    }[kind]
    to_sign = to_sign_for(MESSAGE, output)
    witness = [sign_segwit(KEYS[0], to_sign, p2pkh(PUBLIC_KEYS[0])), PUBLIC_KEYS[0]]
    error = refusal(address_of(output), prefix + simple(witness).removeprefix("smp"))
    assert error.code == BAD
    form = kind.partition("-")[0]
    said = f"a simple signature does not serve {form}: make a full one, or bip137"
    assert error.message == said


def test_prefix_may_be_left_out_of_a_simple_signature_alone() -> None:
    address, signature = sign_bip322_simple_p2wpkh(KEYS[0], MESSAGE)
    assert template_of(address, signature[3:]) == "p2wpkh"
    address, signature = full_p2wpkh()
    assert code_of(address, signature[3:]) == BAD


@pytest.mark.parametrize(
    "change",
    [
        lambda text: "",
        lambda text: "smp",
        lambda text: "SMP" + text[3:],
        lambda text: "ful" + text[3:],
        lambda text: "smp" + text,
        lambda text: " " + text,
        lambda text: text + "\n",
        lambda text: text[:40] + "\n" + text[40:],
        lambda text: text + "=",
        lambda text: text.rstrip("=") if text.endswith("=") else text + "A===",
        lambda text: text[:3] + "-_" + text[5:],
        lambda text: text[:-1] + "\xe9",
        lambda text: "smp" + b64encode(b64decode(text[3:]) + b"\x00").decode(),
        lambda text: "smp" + b64encode(b64decode(text[3:])[:-1]).decode(),
        # the count of the witness stack in a longer spelling
        lambda text: "smp" + b64encode(b"\xfd\x02\x00" + b64decode(text[3:])[1:]).decode(),
        lambda text: "smp" + b64encode(b"\xff" * 9).decode(),
        # 65 bytes without a prefix, which the library takes for BIP-137
        lambda text: b64encode(b"\x01\x3f" + bytes(63)).decode(),
        lambda text: b64encode(b"\x1f" * 65).decode(),
        lambda text: "ful" + b64encode(b"\xff" * 60).decode(),
    ],
)
def test_malformed_text(change: Callable[[str], str]) -> None:
    address, signature = sign_bip322_simple_p2wpkh(KEYS[0], MESSAGE)
    changed = change(signature)
    assert changed != signature
    assert shape_code_of(address, changed) == BAD


def bent_payloads(raw: bytes, random: Random) -> list[bytes]:
    """Return what a payload becomes by one change: bits, bytes and ends."""
    at = random.randrange(len(raw))
    changed = bytearray(raw)
    changed[at] ^= 1 << random.randrange(8)
    return [bytes(changed), raw[:at], raw[at:], raw + b"\0", b"\0" + raw, raw[:at] + raw[at + 1 :]]


def test_every_error_made_of_the_official_signatures(test_data: Path) -> None:
    """Another address, message or kind; a changed, cut or longer payload; other base64."""
    random = Random(23)
    vectors = official(test_data, "simple", "full")
    addresses = sorted({vector["address"] for vector in vectors})
    refused = {BAD, UNSUPPORTED_TEMPLATE, UNSUPPORTED_SIGNATURE}
    tried = 0
    for vector in vectors:
        address, message = vector["address"], vector["message"]
        for signature in vector["bip322_signatures"]:
            prefix = signature[:3] if signature[:3] in ("smp", "ful") else ""
            payload = signature.removeprefix(prefix)
            bent = [
                "pof" + payload,
                {"smp": "ful", "ful": "smp", "": "ful"}[prefix] + payload,
                prefix.upper() + payload + "=" * (not prefix),
                signature + "\n",
                " " + signature,
                prefix + payload.rstrip("=") + "!",
                prefix + payload[:-4],
                *(
                    prefix + b64encode(raw).decode()
                    for _ in range(4)
                    for raw in bent_payloads(b64decode(payload), random)
                ),
            ]
            # A full signature's time fields are covered by what is signed, so no byte is free.
            for text in bent:
                assert code_of(address, text, message) in refused, text
            for other in random.sample(addresses, 3):
                if other != address:
                    assert code_of(other, signature, message) in refused
            for text in (message + " ", " " + message, message.upper() + ".", message[:-1] or "x"):
                assert code_of(address, signature, text) in refused
            tried += len(bent)
    assert tried > 500
