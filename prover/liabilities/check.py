"""Whether a tree's public pages are those that its private files make, and these those that
balances make; no secret is needed.
"""

from __future__ import annotations

from contextlib import closing
from secrets import choice
from typing import Final

import numpy as np

import native
from prover.errors import Damaged
from prover.files.columns import Bytes
from prover.ledger.ledger import Balances
from prover.liabilities.leaves import Leaves
from prover.liabilities.parts import Parts
from prover.liabilities.plan import Chunk, account_pieces, chunks, pieces
from prover.liabilities.stages import Advance, Work
from prover.liabilities.tree import (
    LeafFiles,
    OpenedSums,
    Root,
    TreeFiles,
    columns_of,
    commit_sums,
    map_pages,
    opened_by,
    shape_of,
)
from verifier.format.params import VECTOR_SLOTS
from verifier.ordered import in_order

BY_OTHERS: Final = (
    "a worker made what is not of the ledger; look at the machines and their storage, and run this "
    "again, or without --cluster"
)
_REMEDY: Final = "restore them, or the bundle, from a backup"


def is_split(balances: Balances, parts: Parts) -> bool:
    """Whether every holder has parts, one holder's behind the other's, and they add up to the
    balance of each.
    """
    first, amounts = parts.first, parts.amounts
    if (first[0], first[-1]) != (0, len(amounts)) or (first[1:] <= first[:-1]).any():
        return False
    for start, stop in account_pieces(len(balances)):
        begin, end = int(first[start]), int(first[stop])
        sums = np.add.reduceat(amounts[begin:end], (first[start:stop] - first[start]).view(np.intp))
        if not np.array_equal(sums, balances.units[start:stop]):
            return False
    return True


def check_made(work: Work, balances: Balances, jobs: int) -> None:
    """Check that leaves which others made are the parts of the ledger's balances, and that a chunk
    of pages, drawn at random, is made of these.

    Raises:
        Damaged: they are not.
    """
    leaves, files, shape = work.leaves, work.files, work.shape
    own = LeafFiles.load(files.leaves, shape.leaves)
    if not is_split(balances, leaves.parts) or _find_stranger(leaves, own, jobs) is not None:
        raise Damaged(f"{files.leaves}: {BY_OTHERS}")
    pages, opened = map_pages(files, shape, 0), files.opened_sums(shape, 0)
    if _differing(work.tree, own, pages, opened, choice(chunks(shape, 0))) is not None:
        raise Damaged(f"{files.pages}: {BY_OTHERS}")


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
            raise _differs(f"{leaves.code}, level {level}, page {min(differing)}")
        advance(shape.entries(level))
    return Root(ids, sums, int(opened["value"][0]), opened["blinding"].tobytes())


def _check_leaves(
    tree: native.Tree, leaves: Leaves, files: TreeFiles, jobs: int, advance: Advance
) -> tuple[bytes, bytes, OpenedSums]:
    """Check the pages of level 0; return their ids and sums, and what the sums open to."""
    shape = leaves.parts.shape
    own, pages = LeafFiles.load(files.leaves, shape.leaves), map_pages(files, shape, 0)
    opened = files.opened_sums(shape, 0)

    def check(chunk: Chunk) -> tuple[int | None, bytes, bytes]:
        differing = _differing(tree, own, pages, opened, chunk)
        if differing is not None:
            return differing, b"", b""
        stated = pages[chunk.pages(shape)]
        return None, *native.pages_check(tree, 0, chunk.first, stated.data, None)

    ids, sums = [], []
    stranger = _find_stranger(leaves, own, jobs)
    strange = shape.pages(0) if stranger is None else stranger // shape.page_size
    wanted = [chunk for chunk in chunks(shape, 0) if chunk.first <= strange]
    with closing(in_order(check, wanted, jobs)) as checked:
        for chunk, (differing, its_ids, its_sums) in zip(wanted, checked, strict=True):
            if differing is not None or chunk.stop > strange:
                page = strange if differing is None else min(strange, differing)
                raise _differs(f"{leaves.code}, level 0, page {page}")
            ids.append(its_ids)
            sums.append(its_sums)
            advance(chunk.end - chunk.begin)
    return b"".join(ids), b"".join(sums), opened


def _differing(
    tree: native.Tree, own: LeafFiles, pages: Bytes, opened: OpenedSums, chunk: Chunk
) -> int | None:
    """Return the first page of a chunk that is not made of the private files; None if all are."""
    shape = shape_of(tree)
    mine = slice(chunk.begin, chunk.end)
    vectors = slice(chunk.begin // VECTOR_SLOTS, chunk.end // VECTOR_SLOTS)
    values, blindings = columns_of(opened[chunk.first : chunk.stop])
    differing = native.leaves_open(
        tree,
        chunk.first,
        pages[chunk.pages(shape)].data,
        own.amounts[mine].data,
        own.identities[mine].data,
        own.blindings[vectors].data,
        blindings.data,
    )
    if differing is None:
        sums = own.amounts[mine].reshape(-1, shape.page_size).sum(axis=1)
        wrong = np.flatnonzero(sums != values)
        differing = chunk.first + int(wrong[0]) if len(wrong) else None
    return differing


def _find_stranger(leaves: Leaves, own: LeafFiles, jobs: int) -> int | None:
    """Return the first leaf that is neither the part of an account that stands there nor empty;
    None if there is none.
    """
    parts = leaves.parts
    amounts_of_parts, is_part = parts.amounts, np.zeros(parts.shape.leaves, np.bool_)

    def compare(piece: tuple[int, int]) -> int | None:
        start, stop = piece
        mine = slice(int(parts.first[start]), int(parts.first[stop]))
        places = parts.positions[mine]
        if places.max(initial=0) >= len(is_part):
            raise Damaged(f"{leaves.code}: damaged: parts are outside of the tree; {_REMEDY}")
        is_part[places] = True
        differs = amounts_of_parts[mine] != own.amounts[places]
        made = leaves.identities(start, stop)
        differs |= (_words(made) != _words(own.identities[places])).any(axis=1)
        return int(places[differs].min()) if differs.any() else None

    found = list(in_order(compare, account_pieces(len(leaves.holders)), jobs))
    for start, stop in pieces(len(is_part), 1 << 20):
        held = np.flatnonzero(own.amounts[start:stop].astype(np.bool_) & ~is_part[start:stop])
        found += [start + int(place) for place in held[:1]]
    return min((place for place in found if place is not None), default=None)


def _words(identities: Bytes) -> np.ndarray[tuple[int, int], np.dtype[np.uint64]]:
    return identities.view(np.uint64)


def _differs(place: str) -> Damaged:
    return Damaged(f"{place}: another page than its private files make; {_REMEDY}")
