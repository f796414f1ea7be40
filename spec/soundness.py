"""Every term of the probability that a false statement is accepted (transcript.md 5.6 and 6.6).

They follow from the constants that spec/reference checks by. `python -m spec.soundness` prints
them: numerators over the group's order n, and bits.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import log2

from spec.reference import hidden, leaves
from spec.reference.argument import Shape
from spec.reference.group import N
from spec.reference.manifest import FAN
from spec.reference.tree import SOLVENCY, SUM_BITS

HASH_BITS = 256
WEIGHT_BITS = 256


@dataclass(frozen=True)
class Error:
    """Of one argument; every number is over n.

    claim: a false statement whose claim is true all the same, for the first challenges.
    rounds: a false claim that ends as a true one, over all rounds of the sum-check.
    last: an equation that holds for one value of e alone.
    keys: a key that is counted and not known, for the challenge ρ of hidden keys.
    """

    what: str
    claim: int
    rounds: int
    last: int = 1
    keys: int = 0

    @property
    def run(self) -> int:
        """Of one run with challenges drawn by the verifier."""
        return self.claim + self.rounds + self.last + self.keys

    @property
    def query(self) -> int:
        """For each query to the hash: the largest of any one challenge, a round's being 3."""
        return max(self.claim, 3 if self.rounds else 0, self.last, self.keys)


def of_sum_check(what: str, nu: int, mu: int) -> Error:
    """Of a statement of total degree max(ν, μ + 1) in its first challenges."""
    return Error(what, max(nu, mu + 1), 3 * nu)


def errors(keys: int = hidden.MAX_KEYS) -> list[Error]:
    """Of all arguments; that of hidden keys is for so many keys."""
    pages = {size: leaves.Shape(size) for size in leaves.PAGE_SIZES}
    sums = Shape(FAN, SUM_BITS)
    nu = hidden.Shape(keys).nu
    return [
        *(of_sum_check(f"leaves, {size}", shape.nu, shape.mu) for size, shape in pages.items()),
        of_sum_check(f"sums, {FAN}", sums.nu, sums.mu),
        of_sum_check("solvency", SOLVENCY.nu, SOLVENCY.mu),
        Error(f"hidden keys, {keys}", nu + 1, 3 * nu, keys=keys),
        Error("opening", 0, 0),
    ]


def bits(numerator: int) -> float:
    """-log2 of numerator/n."""
    return log2(N) - log2(numerator)


def batch_bits() -> float:
    """Of a batch with a fault that is accepted: a weight mod n has at most two values of 256 bits.

    The fault's multiple is then one residue at most.
    """
    return WEIGHT_BITS - log2(-(-(2**WEIGHT_BITS) // N))


def steps_bits() -> dict[str, float]:
    """log2 of the steps that reach a probability of about a half by other ways."""
    return {
        "collision of transcript states, page ids or identities": HASH_BITS / 2,
        "relation between generators": N.bit_length() / 2,
    }


def main() -> None:
    """Print them all."""
    print(f"{'':<22}{'claim':>8}{'rounds':>8}{'last':>6}{'keys':>9}{'run':>10}{'query':>9}  bits")
    for error in errors():
        terms = f"{error.claim:>8}{error.rounds:>8}{error.last:>6}{error.keys:>9}"
        total = f"{error.run:>10}{error.query:>9}  {bits(error.query):.1f}"
        print(f"{error.what:<22}{terms}{total}")
    print(f"batch: {batch_bits():.0f} bits")
    for what, steps in steps_bits().items():
        print(f"{what}: 2^{steps:.0f} steps")


if __name__ == "__main__":
    main()
