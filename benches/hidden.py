"""Hidden keys: proving and checking by the core, in one thread's processor time; and their peer.

`python -m benches.hidden KEYS` prints the figures of one size as JSON, from a process of its own,
whose peak memory is then that of the proof.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable

import native
from benches import provisions
from benches.kernels import random_amounts, random_bytes, random_scalars
from native import hidden as core

OWNED = 10  # one key in so many
STATE = bytes(32)
UNITS = {
    "hidden_prove_us_per_key": "us a key, decoding included",
    "hidden_verify_us_per_key": "us a key, decoding included",
    "hidden_generators_us_per_key": "us a key, once a process",
    "hidden_own_key_us": "us an owned key, to find it in the list",
    "hidden_bytes_per_key": "bytes",
    "hidden_peak_mb": "MB, peak of the process, the list included",
    "provisions_prove_us_per_key": "us a key, Provisions over libsecp256k1",
    "provisions_verify_us_per_key": "us a key, Provisions over libsecp256k1",
    "provisions_bytes_per_key": "bytes, Provisions",
}


def seconds(run: Callable[[], object]) -> float:
    """The processor time of one call in this thread."""
    start = time.thread_time()
    run()
    return time.thread_time() - start


def listed(count: int) -> tuple[bytes, bytearray]:
    """Keys ascending by x, and the private key of every tenth of them, zeros for the others.

    The strangers' keys are points whose private keys nobody has computed.
    """
    own = bytearray(random_scalars("own", count // OWNED))
    mine = native.public_keys(own)
    rest = count - count // OWNED
    others = native.commit(random_amounts("strangers", rest), random_scalars("strangers", rest))
    known = {mine[33 * at : 33 * at + 33]: at for at in range(count // OWNED)}
    keys = sorted(
        (every[at : at + 33] for every in (mine, others) for at in range(0, len(every), 33)),
        key=lambda key: key[1:],
    )
    secrets = bytearray(32 * count)
    for at, key in enumerate(keys):
        place = known.get(key)
        if place is not None:
            secrets[32 * at : 32 * at + 32] = own[32 * place : 32 * place + 32]
    return b"".join(keys), secrets


def measure(count: int) -> dict[str, float]:
    """Microseconds a key, bytes a key, and the peak memory of this process in MB."""
    keys, secrets = listed(count)
    amounts = b"".join(bytes(8) + value.to_bytes(8) for value in random_amounts("amounts", count))
    blinding = random_bytes("blinding", 32)
    total = native.hidden_total(amounts, secrets)
    commitment = native.commit(total.to_bytes(16), blinding, 128)
    few = bytearray(random_scalars("few", 1024))
    public = min(seconds(lambda: native.public_keys(few)) for _ in range(3)) / 1024
    generators = seconds(lambda: core.first_generators(count))
    made: list[bytes] = []

    def prove() -> None:
        points = native.points_decode(keys)
        fresh = os.urandom(32)
        made[:] = [native.hidden_prove(STATE, points, amounts, secrets, blinding, fresh)]

    def verify() -> None:
        points = native.points_decode(keys)
        native.hidden_verify(STATE, points, amounts, commitment, made[0])

    proving = min(seconds(prove) for _ in range(2))
    verifying = min(seconds(verify) for _ in range(2))
    return {
        "hidden_prove_us_per_key": round(1e6 * proving / count, 2),
        "hidden_verify_us_per_key": round(1e6 * verifying / count, 2),
        "hidden_generators_us_per_key": round(1e6 * generators / count, 2),
        "hidden_own_key_us": round(1e6 * public, 1),
        "hidden_bytes_per_key": round(len(made[0]) / count, 2),
        "hidden_peak_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
    }


def in_a_process(count: int) -> dict[str, float]:
    """The figures of a process of its own."""
    command = [sys.executable, "-m", "benches.hidden", str(count)]
    finished = subprocess.run(command, check=True, capture_output=True, text=True)
    figures: dict[str, float] = json.loads(finished.stdout)
    return figures


def peer(count: int = 300) -> dict[str, float]:
    """The same of Provisions' protocol."""
    owned = [provisions.random_scalar() if at % OWNED == 0 else 0 for at in range(count)]
    keys = [provisions.base(private or provisions.random_scalar()) for private in owned]
    proofs: list[provisions.KeyProof] = []

    def prove() -> None:
        proofs[:] = [
            provisions.prove(key, at + 1, private)
            for at, (key, private) in enumerate(zip(keys, owned, strict=True))
        ]

    def verify() -> None:
        if not all(
            provisions.verify(key, at + 1, proof)
            for at, (key, proof) in enumerate(zip(keys, proofs, strict=True))
        ):
            raise RuntimeError("an honest proof is refused")

    return {
        "provisions_prove_us_per_key": round(1e6 * seconds(prove) / count, 1),
        "provisions_verify_us_per_key": round(1e6 * seconds(verify) / count, 1),
        "provisions_bytes_per_key": proofs[0].size,
    }


if __name__ == "__main__":
    print(json.dumps(measure(int(sys.argv[1]))))
