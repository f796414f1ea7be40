"""Ed25519 keys that anyone can sign for: one function refuses them, wherever a key is read."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from spec.reference import keys as reference
from verifier import Misuse
from verifier.format.keys import is_signed, is_sound_key, parse_public_key, public_key_text

ROOT = Path(__file__).parents[4]
FIELD = 2**255 - 19
D = -121665 * pow(121666, -1, FIELD) % FIELD


def square_root(number: int) -> int | None:
    root = pow(number, (FIELD + 3) // 8, FIELD)
    for found in (root, root * pow(2, (FIELD - 1) // 4, FIELD) % FIELD):
        if (found * found - number) % FIELD == 0:
            return found
    return None


def small_order() -> set[bytes]:
    """The encodings of the points P with 8P = 0, canonical and not, found by the curve's equation.

    Of order 1 and 2: y is ±1; of order 4: y is 0; of order 8: twice the point has order 4, so
    y² = -x², and with the curve's equation D·y⁴ + 2·y² = 1.
    """
    found = {0, 1, FIELD - 1}
    root = square_root((4 + 4 * D) % FIELD)
    assert root is not None
    for sign in (1, -1):
        y = square_root((-2 + sign * root) * pow(2 * D, -1, FIELD) % FIELD)
        found |= set() if y is None else {y, FIELD - y}
    return {
        (y | sign << 255).to_bytes(32, "little")
        for canonical in found
        for y in (canonical, canonical + FIELD)
        if y < 2**255
        for sign in (0, 1)
    }


def test_every_encoding_of_a_point_of_small_order_is_refused() -> None:
    assert len(small_order()) == 14
    for key in small_order():
        assert not is_sound_key(key)
        assert not reference.sound(key)


def test_forged_signatures_that_a_library_accepts(test_cases: Path) -> None:
    vectors = json.loads((test_cases / "chains" / "small_order.json").read_text())["vectors"]
    assert len(vectors) == 3
    for vector in vectors:
        key, signature = bytes.fromhex(vector["key"]), bytes.fromhex(vector["signature"])
        # The library's word: anyone made this, with no key at all.
        Ed25519PublicKey.from_public_bytes(key).verify(signature, vector["message"].encode())
        assert key in small_order()
        assert not is_sound_key(key)
        assert not reference.sound(key)
        with pytest.raises(Misuse, match="nobody's"):
            parse_public_key(public_key_text(key))
        for purpose in ("manifest-signature", "attestation"):
            body = vector["message"].encode()
            assert not is_signed(key, purpose, body, signature)
            assert not reference.signed(key, purpose, body, signature)


@pytest.mark.parametrize("folder", ["verifier", "prover", "api", "spec/reference"])
def test_ed25519_is_verified_in_one_place(folder: str) -> None:
    """What reads keys elsewhere goes through it, and so meets the list."""
    files = [
        str(path.relative_to(ROOT))
        for path in (ROOT / folder).rglob("*.py")
        if "Ed25519PublicKey" in path.read_text("utf-8")
    ]
    home = {"verifier": "verifier/format/keys.py", "spec/reference": "spec/reference/keys.py"}
    assert files == ([home[folder]] if folder in home else [])
