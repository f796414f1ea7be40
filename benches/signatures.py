"""What it costs to check the signature of one key: figures of evidence with many rows.

Each of many rows has a key of its own, and is read as an audit reads it: address and signature,
over one message of usual length. Times are the processor's, so that other work on the machine
counts for little.

    python -m benches.signatures
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from hashlib import sha256

from benches import machine
from prover.assets.signing import Signed, sign_bip137_p2pkh, sign_eip191, sign_tip191
from verifier.format.bitcoin_hashes import hash160
from verifier.format.keys import public_key_text
from verifier.ownership import check_ownership, ownership_message, parse_address

# isort: split
from bip322core.core import build_to_sign, build_to_spend, encode_full, encode_simple
from coincurve import PrivateKey
from embit.script import Script, Witness


def sign_bip322(template: str, private_key: bytes, message: str) -> Signed:
    """Sign with the address of a key of a template, simply where that will do."""
    signer = PrivateKey(private_key)
    key = signer.public_key.format()
    program = b"\x00\x14" + hash160(key)
    code = Script(b"\x76\xa9\x14" + hash160(key) + b"\x88\xac")
    output = {
        "p2pkh": code,
        "p2sh_p2wpkh": Script(b"\xa9\x14" + hash160(program) + b"\x87"),
        "p2wpkh": Script(program),
        "p2tr": Script(b"\x51\x20" + key[1:]),
    }[template]
    to_sign = build_to_sign(build_to_spend(message.encode(), output.data).txid())
    address: str = output.address()
    if template == "p2tr":
        digest = to_sign.sighash_taproot(0, [output], [0])
        return Signed(address, encode_simple([signer.sign_schnorr(digest)]))
    if template == "p2pkh":
        digest = to_sign.sighash_legacy(0, code)
    else:
        digest = to_sign.sighash_segwit(0, code, 0)
    stack = [signer.sign(digest, hasher=None) + b"\x01", key]
    if template == "p2wpkh":
        return Signed(address, encode_simple(stack))
    pushes = stack if template == "p2pkh" else [program]
    to_sign.vin[0].script_sig = Script(b"".join(bytes([len(item)]) + item for item in pushes))
    to_sign.vin[0].witness = Witness([] if template == "p2pkh" else stack)
    return Signed(address, encode_full(to_sign))


# By the figure's name: the chain, the format, and who signs.
FORMATS: dict[str, tuple[str, str, Callable[[bytes, str], Signed]]] = {
    "eip191": ("ethereum", "eip191", sign_eip191),
    "tip191": ("tron", "tip191", sign_tip191),
    "bip137": ("bitcoin", "bip137", sign_bip137_p2pkh),
    **{
        f"bip322_{template}": ("bitcoin", "bip322", partial(sign_bip322, template))
        for template in ("p2pkh", "p2sh_p2wpkh", "p2wpkh", "p2tr")
    },
}


def microseconds(name: str, rows: int) -> float:
    """The mean time of an address and its signature, on one core."""
    chain, form, sign = FORMATS[name]
    key = public_key_text(sha256(b"key").digest())
    message = ownership_message(key, "Example Exchange", "2026-11-21", chain, bytes(32))
    signed = [sign(sha256(b"row %d" % row).digest(), message) for row in range(rows)]
    start = time.process_time()
    for address, signature in signed:
        check_ownership(parse_address(chain, address), message, form, signature)
    return 1e6 * (time.process_time() - start) / rows


if __name__ == "__main__":
    print(machine.processor())
    for name in FORMATS:
        print(f"{name:20} {microseconds(name, 10_000):6.1f} µs")
