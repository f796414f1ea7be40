"""Whether a tree's public pages are those that its private files make, and these those that
balances make; no secret is needed.
"""

from __future__ import annotations

from contextlib import closing

import numpy as np

import native
from prover.errors import Damaged
from prover.files.columns import Bytes
from prover.ledger.ledger import Balances
from prover.liabilities.leaves import Leaves
from prover.liabilities.parts import Parts, pieces
from prover.liabilities.tree import (
    BAND_LEAVES,
    Advance,
    Chunk,
    LeafFiles,
    OpenedSums,
    Root,
    TreeFiles,
    columns_of,
    commit_sums,
    map_pages,
    opened_by,
    page_chunks,
)
from verifier.format.params import VECTOR_SLOTS
from verifier.ordered import in_order


def is_split(balances: Balances, parts: Parts) -> bool:
    """Whether every holder has parts, one holder's behind the other's, and they add up to the
    balance of each.
    """
    first, amounts = parts.first, parts.amounts
    if (first[0], first[-1]) != (0, len(amounts)) or (first[1:] <= first[:-1]).any():
        return False
    for start, stop in pieces(len(balances)):
        begin, end = int(first[start]), int(first[stop])
        sums = np.add.reduceat(amounts[begin:end], (first[start:stop] - first[start]).view(np.intp))
        if not np.array_equal(sums, balances.units[start:stop]):
            return False
    return True


def check_tree(
    tree: native.Tree, leaves: Leaves, files: TreeFiles, jobs: int, advance: Advance
) -> Root:
    """Compute all pages anew from the private files; return the root, with what its sum opens to.

    Of a page of level 0 it is checked that its leaves are the parts of the accounts that stand
    there, and else empty; that nodes, vectors and sum are those of its leaves; of the pages above
    that they are made of those below.

    Raises:
        Damaged: the first page that differs, by level and number.
    """
    shape = leaves.parts.shape
    ids, sums, opened = _check_leaves(tree, leaves, files, jobs, advance)
    for level in range(1, shape.levels):
        made = list(commit_sums(tree, level, ids, sums, opened, jobs))
        pages = np.frombuffer(b"".join(committed.pages for committed in made), np.uint8)
        ids = b"".join(committed.ids for committed in made)
        sums = b"".join(committed.sums for committed in made)
        opened = np.concatenate([opened_by(committed, files) for committed in made])
        differing = [
            *(
                np.flatnonzero(pages != map_pages(files, shape, level))
                // shape.page_bytes(level, 0)
            ),
            *np.flatnonzero(opened != files.opened_sums(shape, level)),
        ]
        if differing:
            raise _differs(leaves.code, level, min(differing))
        advance(shape.entries(level))
    return Root(ids, sums, int(opened["value"][0]), opened["blinding"].tobytes())


def _check_leaves(
    tree: native.Tree, leaves: Leaves, files: TreeFiles, jobs: int, advance: Advance
) -> tuple[bytes, bytes, OpenedSums]:
    """Check the pages of level 0; return their ids and sums, and what the sums open to."""
    shape = leaves.parts.shape
    own, pages = LeafFiles.load(files.leaves, shape.leaves), map_pages(files, shape, 0)
    opened = files.opened_sums(shape, 0)
    values, blindings = columns_of(opened)

    def check(chunk: Chunk) -> tuple[int | None, bytes, bytes]:
        mine = slice(chunk.begin, chunk.end)
        vectors = slice(chunk.begin // VECTOR_SLOTS, chunk.end // VECTOR_SLOTS)
        stated = pages[chunk.pages(shape, 0)]
        differing = native.leaves_open(
            tree,
            chunk.first,
            stated.data,
            own.amounts[mine].data,
            own.identities[mine].data,
            own.blindings[vectors].data,
            blindings[chunk.first : chunk.stop].data,
        )
        if differing is None:
            sums = own.amounts[mine].reshape(-1, shape.page_size).sum(axis=1)
            wrong = np.flatnonzero(sums != values[chunk.first : chunk.stop])
            differing = chunk.first + int(wrong[0]) if len(wrong) else None
        if differing is not None:
            return differing, b"", b""
        return None, *native.pages_check(tree, 0, chunk.first, stated.data, None)

    ids, sums = [], []
    chunks = page_chunks(shape, 0)
    step = max(1, BAND_LEAVES // chunks[0].end)
    for at in range(0, len(chunks), step):
        band = chunks[at : at + step]
        stranger = _find_stranger(leaves, own, band[0].begin, band[-1].end, jobs)
        found = [] if stranger is None else [stranger // shape.page_size]
        with closing(in_order(check, band, jobs)) as checked:
            for chunk, (differing, its_ids, its_sums) in zip(band, checked, strict=False):
                if differing is not None:
                    found.append(differing)
                    break
                ids.append(its_ids)
                sums.append(its_sums)
                advance(chunk.end - chunk.begin)
        if found:
            raise _differs(leaves.code, 0, min(found))
    return b"".join(ids), b"".join(sums), opened


def _find_stranger(leaves: Leaves, own: LeafFiles, begin: int, end: int, jobs: int) -> int | None:
    """Return the first leaf from ``begin`` to ``end - 1`` that is neither the part of an account
    that stands there nor empty; None if there is none.
    """
    amounts, identities = np.zeros(end - begin, np.uint64), own.identities[begin:end].copy()
    leaves.place_parts(amounts, identities, begin, jobs)
    differing = amounts != own.amounts[begin:end]
    differing |= (_words(identities) != _words(own.identities[begin:end])).any(axis=1)
    return begin + int(np.argmax(differing)) if differing.any() else None


def _words(identities: Bytes) -> np.ndarray[tuple[int, int], np.dtype[np.uint64]]:
    return identities.view(np.uint64)


def _differs(code: str, level: int, page: int) -> Damaged:
    return Damaged(
        f"{code}, level {level}, page {page}: another page than its private files make; restore "
        "them, or the bundle, from a backup"
    )
