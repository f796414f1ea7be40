"""Writes spec/vectors anew: `python -m tests.vectors.generate`. The result is always the same."""

from __future__ import annotations

from collections.abc import Iterator

from tests.support.vector import FOLDER, Vector
from tests.vectors import (
    code_points,
    make_arguments,
    make_attested,
    make_basics,
    make_block_headers,
    make_coins,
    make_declarations,
    make_evidence,
    make_families,
    make_hidden,
    make_hidden_arguments,
    make_inclusions,
    make_leaves,
    make_manifests,
    make_openings,
    make_paths,
    make_proofs,
    make_records,
    make_reserves,
    make_sizes,
    make_statements,
    make_trees,
)

MAKERS = (
    make_basics,
    make_arguments,
    make_leaves,
    make_openings,
    make_manifests,
    make_records,
    make_evidence,
    make_families,
    make_coins,
    make_attested,
    make_proofs,
    make_block_headers,
    make_trees,
    make_statements,
    make_inclusions,
    make_paths,
    make_declarations,
    make_reserves,
    make_hidden,
    make_hidden_arguments,
    make_sizes,
)


def vectors() -> Iterator[Vector]:
    """All vectors, bases before what builds on them."""
    for maker in MAKERS:
        yield from maker.vectors()


def main() -> None:
    code_points.write()
    for old in FOLDER.glob("*/*.json"):
        old.unlink()
    for vector in vectors():
        path = FOLDER / f"{vector.name}.json"
        if path.exists():
            raise FileExistsError(f"two vectors are called {vector.name}")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(vector.text(), "ascii")


if __name__ == "__main__":
    main()
