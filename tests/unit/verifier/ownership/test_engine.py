"""BIP-322 bent at random: the verifier, the reference, and a script engine of others agree.

The engine (btclib, by bip322-core) knows nothing of templates: it is to accept whatever the
verifier accepts, and to refuse whatever the verifier refuses for its signatures alone.
"""

from __future__ import annotations

import random
from base64 import b64decode, b64encode
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import pytest

from spec.reference import ownership
from spec.reference.errors import UnsupportedError
from tests.support.ownership_forge import (
    BAD,
    FIELD,
    KEYS,
    LONG_KEY,
    MESSAGE,
    NEGATIVE_KEY,
    PUBLIC_KEYS,
    UNSUPPORTED_TEMPLATE,
    address_of,
    code_of,
    der,
    engine_accepts,
    full,
    high_s,
    multisig,
    p2pkh,
    p2sh,
    p2wsh,
    push,
    simple,
    split_der,
    to_sign_for,
)
from tests.unit.verifier.ownership.test_fuzz import change_bytes
from verifier.ownership import OwnershipError, check_ownership, parse_address
from verifier.ownership.recovery import CURVE_ORDER

# isort: split
from coincurve import PrivateKey
from embit import ec, script
from embit.transaction import Transaction, TransactionInput, TransactionOutput

SEED = 20261121
ROUNDS = 600
# What the verifier says of a spend of good shape whose signatures or keys are others'.
OF_SIGNATURES = {"the signature does not verify", "the public key is not the address's"}
OFF_CURVE = [b"\x02" + bytes(31) + b"\x05", b"\x03" + FIELD.to_bytes(32), b"\x02" + bytes(32)]
TAPROOT = ec.PrivateKey(KEYS[0]).taproot_tweak()


@dataclass
class Spend:
    """A signature on its way to be bent: how it hashes, and the parts of its input."""

    kind: str
    output: bytes
    to_sign: Transaction
    code: bytes = b""
    signatures: list[bytes] = field(default_factory=list)
    keys: list[bytes] = field(default_factory=list)
    script_sig: list[bytes] = field(default_factory=list)
    witness: list[bytes] = field(default_factory=list)

    def sign(self, key: bytes, sighash: int) -> bytes:
        """Sign what the transaction says now."""
        if self.kind == "p2tr":
            scripts = [script.Script(self.output)] + [script.Script(b"\x51")] * 9
            inputs = len(self.to_sign.vin)
            digest = self.to_sign.sighash_taproot(0, scripts[:inputs], [0] * inputs, sighash)
            return PrivateKey(TAPROOT.secret).sign_schnorr(digest, bytes(32)) + (
                bytes([sighash]) if sighash else b""
            )
        if self.kind in ("p2pkh", "p2sh"):
            digest = self.to_sign.sighash_legacy(0, script.Script(self.code), sighash)
        else:
            digest = self.to_sign.sighash_segwit(0, script.Script(self.code), 0, sighash)
        return PrivateKey(key).sign(digest, hasher=None) + bytes([sighash])


def pick(random_: random.Random, usual: int, *others: int) -> int:
    """Return the usual value, most of the time."""
    return usual if random_.random() < 0.8 else random_.choice(others)


def spend(random_: random.Random) -> Spend:
    """Make a spend of any template, true but for a version, key, script or sighash at times."""
    kind = random_.choice(["p2pkh", "p2wpkh", "p2sh-p2wpkh", "p2tr", "p2wsh", "p2sh"])
    key = PUBLIC_KEYS[0]
    if random_.random() < 0.15:
        key = random_.choice([LONG_KEY, NEGATIVE_KEY, PUBLIC_KEYS[1], *OFF_CURVE])
    program = b"\x00\x14" + p2pkh(key)[3:23]
    keys = random_.sample(PUBLIC_KEYS, random_.randint(1, 4))
    if random_.random() < 0.2:
        keys[random_.randrange(len(keys))] = random_.choice(
            [NEGATIVE_KEY, b"\x05" + keys[0][1:], LONG_KEY, *OFF_CURVE]
        )
    required = random_.randint(1, len(keys))
    of_keys = multisig(required, keys)
    if random_.random() < 0.1:
        of_keys = change_bytes(of_keys, random_)
    output, code = {
        "p2pkh": (p2pkh(key), p2pkh(key)),
        "p2wpkh": (program, p2pkh(key)),
        "p2sh-p2wpkh": (p2sh(program), p2pkh(key)),
        "p2tr": (script.p2tr(ec.PrivateKey(KEYS[0]).get_public_key()).data, b""),
        "p2wsh": (p2wsh(of_keys), of_keys),
        "p2sh": (p2sh(of_keys), of_keys),
    }[kind]
    to_sign = to_sign_for(
        MESSAGE if random_.random() < 0.95 else MESSAGE + "x",
        output,
        version=pick(random_, 0, 2, 2, 2, 1, 3, 2**32 - 1),
        locktime=pick(random_, 0, 1, 500_000_000, 2**32 - 1),
        sequence=pick(random_, 0, 1, 1 << 22, 2**32 - 1),
    )
    bend_transaction(to_sign, random_)
    made = Spend(kind, output, to_sign, code)
    sighash = pick(random_, 1, 0, 0, 0, 2, 3, 0x81, 0x82)
    if kind == "p2tr":
        made.witness = [made.sign(b"", random_.choice([0, 1]) if sighash == 1 else sighash)]
    elif kind in ("p2wsh", "p2sh"):
        signers = [at for at, key in enumerate(keys) if key in PUBLIC_KEYS]
        signers = sorted(random_.sample(signers, min(required, len(signers))))
        signed = [made.sign(KEYS[PUBLIC_KEYS.index(keys[at])], sighash) for at in signers]
        stack = [b"", *signed, of_keys]
        made.witness, made.script_sig = (stack, []) if kind == "p2wsh" else ([], stack)
    else:
        stack = [made.sign(KEYS[0], sighash), key]
        made.witness = [] if kind == "p2pkh" else stack
        made.script_sig = {"p2pkh": stack, "p2sh-p2wpkh": [program]}.get(kind, [])
    return made


def bend_transaction(to_sign: Transaction, random_: random.Random) -> None:
    """Add to the one input and output, or change the output, at times."""
    match random_.randrange(40):
        case 0:
            to_sign.vin.append(TransactionInput(b"\x01" * 32, 0))
        case 1:
            to_sign.vout.append(TransactionOutput(0, script.Script(b"\x6a")))
        case 2:
            to_sign.vout[0].value = 1
        case 3:
            to_sign.vout[0].script_pubkey = script.Script(b"\x6a\x00")
        case 4:
            to_sign.vin[0].vout = 1


def bend_ecdsa(raw: bytes, random_: random.Random) -> bytes:
    """Bend what may be an ECDSA signature with its sighash byte."""
    try:
        r, s = split_der(raw)
    except IndexError:
        return change_bytes(raw or b"\x00", random_)
    changes: Sequence[Callable[[], bytes]] = [
        lambda: high_s(raw) if s < CURVE_ORDER else b"",
        lambda: raw[:-1],
        lambda: raw[:-1] + bytes([random_.choice([0, 1, 2, 3, 0x81])]),
        lambda: raw[:-1] + b"\x00\x01",
        lambda: b"\x30\x81" + raw[1:],
        lambda: b"\x30" + bytes([raw[1] + 1 & 0xFF, 2, raw[3] + 1 & 0xFF, 0]) + raw[4:],
        lambda: der(r + CURVE_ORDER, s),
        lambda: der(r, s + CURVE_ORDER),
        lambda: der(0, s),
        lambda: der(r, 0),
        lambda: der(s, r),
        lambda: der(r ^ 1, s),
        lambda: b"",
    ]
    return random_.choice(changes)()


def bend_stack(stack: list[bytes], random_: random.Random) -> list[bytes]:
    """Change one element of a stack, or its number of elements."""
    stack = list(stack)
    at = random_.randrange(len(stack) + 1)
    match random_.randrange(8):
        case 0:
            other = random_.choice([b"", b"\x00", b"\x01", b"\x50", *PUBLIC_KEYS, LONG_KEY])
            stack.insert(at, other)
        case 1:
            stack.append(b"\x50")  # an annex, where that is a thing
        case 2:
            del stack[at:]
        case 3:
            random_.shuffle(stack)
        case 4 if stack:
            stack.insert(at, random_.choice(stack))
        case 5 if stack:
            at = random_.randrange(len(stack))
            stack[at] = change_bytes(stack[at] or b"\x00", random_)
        case _ if stack:
            at = random_.randrange(len(stack))
            stack[at] = bend_ecdsa(stack[at], random_)
    return stack


def text_of(made: Spend, random_: random.Random) -> str:
    """Return the text of a spend, simple or full, some bent once more."""
    is_bent = random_.random() < 0.6
    if is_bent:
        bends_script = bool(made.script_sig) and (not made.witness or random_.random() < 0.4)
        if bends_script or random_.random() < 0.05:
            made.script_sig = bend_stack(made.script_sig, random_)
        else:
            made.witness = bend_stack(made.witness, random_)
    if random_.random() < 0.4:
        signature = simple(made.witness)
        return signature if random_.random() < 0.8 else signature.removeprefix("smp")
    script_sig = b"".join(map(push, made.script_sig))
    if random_.random() < 0.05:
        script_sig = change_bytes(script_sig or b"\x00", random_)
    signature = full(made.to_sign, script_sig, made.witness)
    if random_.random() < 0.1:
        raw = change_bytes(b64decode(signature[3:]), random_)
        return "ful" + b64encode(raw).decode()
    return signature


def reference_code(address: str, signature: str) -> str | None:
    try:
        ownership.verify("bip322", "bitcoin", address, MESSAGE.encode(), signature)
    except UnsupportedError as error:
        return f"evidence.unsupported-{error.what}"
    except ValueError:
        return "evidence.bad-signature"
    return None


def verifier_refusal(address: str, signature: str) -> OwnershipError | None:
    try:
        check_ownership(parse_address("bitcoin", address), MESSAGE, "bip322", signature)
    except OwnershipError as error:
        return error
    return None


@pytest.mark.parametrize("part", range(4))
def test_verifier_reference_and_engine_agree(part: int) -> None:
    seen: Counter[str] = Counter()
    for at in range(ROUNDS // 4):
        random_ = random.Random(f"{SEED}-{part}-{at}")
        made = spend(random_)
        address, signature = address_of(made.output), text_of(made, random_)
        refused = verifier_refusal(address, signature)
        place = (part, at, made.kind, address, signature, refused)
        assert reference_code(address, signature) == (refused and refused.code), place
        if refused is None:
            assert engine_accepts(address, signature), place
            seen[f"accepted {made.kind}"] += 1
            continue
        seen[refused.code] += 1
        if refused.message in OF_SIGNATURES:
            assert not engine_accepts(address, signature), place
            seen["refused for its signatures"] += 1
    assert len(seen) == 10, seen


def test_no_script_is_not_the_empty_one() -> None:
    """Of an address of the empty script; a spend that shows no script shows no template either."""
    native, legacy = address_of(p2wsh(b"")), address_of(p2sh(b""))
    to_sign = to_sign_for(MESSAGE, p2sh(b""))
    shown = [(native, simple([b""])), (legacy, full(to_sign, b"\x00"))]
    hidden = [(native, simple([])), (legacy, full(to_sign))]
    for cases, code in ((shown, UNSUPPORTED_TEMPLATE), (hidden, BAD)):
        for address, signature in cases:
            assert reference_code(address, signature) == code
            assert code_of(address, signature) == code
