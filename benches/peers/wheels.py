"""The peers from PyPI, called as a Python program would: wallycore and coincurve."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from importlib.metadata import version

import coincurve
import wallycore

from benches.kernels import median_seconds
from benches.peers.figures import Figure

# wallycore takes values below 2^63; the proof still covers a range of 64 bits.
VALUE, BITS = (1 << 62) + 12345, 64


def versions() -> dict[str, str]:
    """The packages measured, with their versions."""
    return {name: version(name) for name in ("wallycore", "coincurve")}


def scalar(label: str) -> bytes:
    """A scalar from a fixed seed; a hash exceeds the group order with negligible probability."""
    return hashlib.sha256(label.encode()).digest()


def repeated(call: Callable[[bytes], object], count: int) -> float:
    """Seconds a call, over `count` scalars a run."""
    scalars = [scalar(f"scalar {index}") for index in range(count)]

    def run() -> None:
        for item in scalars:
            call(item)

    return median_seconds(run, 5) / count


def wally() -> list[Figure]:
    """libsecp256k1-zkp through wallycore: a commitment, a Borromean range proof, its check.

    The check is the receiver's: it verifies the proof while it recovers the value.
    Raises: RuntimeError when what it recovers is not what was committed to.
    """
    asset, blinder = scalar("asset"), scalar("asset blinder")
    generator = wallycore.asset_generator_from_bytes(asset, blinder)
    sender, receiver = scalar("sender"), scalar("receiver")
    sender_key = wallycore.ec_public_key_from_private_key(sender)
    receiver_key = wallycore.ec_public_key_from_private_key(receiver)

    def commit(blinding: bytes) -> bytes:
        return bytes(wallycore.asset_value_commitment(VALUE, blinding, generator))

    def prove(blinding: bytes) -> tuple[bytes, bytes]:
        commitment = commit(blinding)
        secrets = (asset, blinder, blinding, commitment, None, generator)
        proof = wallycore.asset_rangeproof(VALUE, receiver_key, sender, *secrets, 0, 0, BITS)
        return commitment, bytes(proof)

    proved = {
        blinding: prove(blinding) for blinding in map(scalar, map("scalar {}".format, range(8)))
    }

    def check(blinding: bytes) -> None:
        commitment, proof = proved[blinding]
        found = wallycore.asset_unblind(sender_key, receiver, proof, commitment, None, generator)
        if found[0] != VALUE:
            raise RuntimeError("wallycore recovered another value")

    return [
        Figure("wallycore", "commitment", 1e6 * repeated(commit, 1000), "commit_us"),
        Figure("wallycore", "commit and prove, Borromean", 1e6 * repeated(prove, 8), "prove_us"),
        Figure("wallycore", "verify and recover", 1e6 * repeated(check, 8), "audit_us"),
    ]


def point_multiplication() -> list[Figure]:
    """libsecp256k1 through coincurve: a point times a scalar of 256 bits."""
    point = coincurve.PublicKey.from_secret(scalar("point"))
    seconds = repeated(point.multiply, 1000)
    return [Figure("coincurve", "point multiplication", 1e6 * seconds, "msm_point_us")]
