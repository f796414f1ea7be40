"""Inclusion packages: what one customer needs to find their own leaves and to see what they hold.

They are made by index from files that are mapped, not read: one package costs the same for ten
accounts and for ten million. Amounts and places come from what was written with the pages, and
nothing is opened that is not the account's by its identity, or is not what the page commits to: an
opening that does not hold would show what strangers have. How many parts there are to open is known
from digests that are sealed for the signed manifest (`prover.snapshot.seal`), so that a package
never says less than the pages do. Of the private files those alone are read that
`prover.snapshot.folder` names for this: no sum of a page, and no key but of openings.

A package holds its account's key, so it is for that customer alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np

import native
from prover.errors import RESTORE, Damaged, ProverError
from prover.files.columns import U32, U64, Bytes, map_rows
from prover.files.keys import public_bytes, read_signing_key
from prover.ledger.ledger import Balances, count_below
from prover.ledger.saved import load_ledger
from prover.liabilities.blocks import Blocks
from prover.liabilities.derivation import derive
from prover.liabilities.leaves import Accounts
from prover.liabilities.parts import Parts, load_parts
from prover.liabilities.tree import LeafFiles, map_pages
from prover.snapshot.folder import SnapshotFolder
from prover.snapshot.record import read_frozen, read_signed_manifest
from prover.snapshot.seal import Seal, read_seal
from verifier.checks.pages import entry_link
from verifier.format import wire
from verifier.format.account import AccountError, canonical_account_id
from verifier.format.keys import is_signed, sign
from verifier.format.params import (
    FAN,
    ID_BYTES,
    MANIFEST_PATH,
    OPENING_BYTES,
    PACKAGE_VERSION,
    VECTOR_SLOTS,
)
from verifier.format.statement import manifest_context, manifest_digest, tree_of


class NoSuchAccount(ProverError):
    """A snapshot holds no account of an id."""


def read_finished(folder: SnapshotFolder) -> tuple[wire.Manifest, Seal]:
    """Return a finished snapshot's manifest, and the seal of the private files that are its own.

    Raises:
        ProverError: there is none.
        Damaged: the manifest is not what was signed, or private files are not what was sealed.
    """
    path = folder.bundle / MANIFEST_PATH
    if not path.is_file():
        raise ProverError(f"{folder.path}: no finished snapshot")
    try:
        data, manifest = read_signed_manifest(path)
    except ProverError as error:
        raise Damaged(f"damaged: {error}") from None
    return manifest, read_seal(folder, manifest_digest(data))


def load_assets(
    folder: SnapshotFolder, manifest: wire.Manifest
) -> Iterator[tuple[wire.Asset, native.Tree, Parts]]:
    """Yield each asset of a manifest, its tree, and the parts in the private files.

    Raises:
        Damaged: a file of these has another length than it had.
    """
    context = manifest_context(manifest)
    for asset, parts in zip(manifest.assets, load_parts(folder.parts), strict=True):
        yield asset, tree_of(context, asset, asset.shape), parts


class Packager:
    """Makes packages of one finished snapshot.

    manifest: its digest, 32 bytes.

    Raises:
        ProverError: the snapshot is not finished, or the signing key is another than its own.
        Damaged: its private files are not of its manifest.
    """

    def __init__(self, snapshot: Path, signing_key: Path | None = None) -> None:
        folder = SnapshotFolder(snapshot)
        with _whole(folder):
            self._load(folder, signing_key)

    def _load(self, folder: SnapshotFolder, signing_key: Path | None) -> None:
        self._folder = folder
        manifest, seal = read_finished(folder)
        self.manifest = seal.manifest
        frozen = read_frozen(folder.record)
        self._signing = read_signing_key(signing_key or Path(frozen.signing_key))
        self._public_key = frozen.public_key
        if public_bytes(self._signing) != self._public_key:
            raise ProverError("the signing key is another than the snapshot's")
        self._ledger = load_ledger(folder.ledger)
        keys = map_rows(folder.account_keys, len(self._ledger))
        self._accounts = Accounts(self._ledger.ids, self._ledger.offsets, keys)
        self._blocks = Blocks.load(folder.parts, self._accounts)
        self._opening_secret = folder.opening_secret.read_bytes()
        self._salt = frozen.salt
        self._assets = [
            _Asset(
                tree,
                asset,
                self._ledger.balances[asset.code],
                parts,
                folder,
            )
            for asset, tree, parts in load_assets(folder, manifest)
        ]

    def __len__(self) -> int:
        """Return the number of accounts."""
        return len(self._ledger)

    def index_of(self, account: str) -> int:
        """Return the index of the account with an id in any form that canonicalises to its own.

        Raises:
            NoSuchAccount: there is none.
            Damaged: the private files are.
        """
        try:
            wanted = canonical_account_id(account, self._ledger.id_type)
        except AccountError as error:
            raise NoSuchAccount(f"not an account id: {error}") from None
        index = count_below(self._ledger, wanted)
        # Where the accounts on both sides are what was written, nothing has misled the search.
        self._blocks.held_by(max(index - 1, 0), min(index + 1, len(self)))
        if index == len(self) or self.account(index) != wanted:
            raise NoSuchAccount("no such account in the snapshot")
        return index

    def package(self, index: int) -> bytes:
        """Return the signed package of the account at an index.

        It is made in time, and with memory accesses, that tell nothing of what others hold.

        Raises:
            Damaged: the private files are damaged, or of another run than the pages.
        """
        [package] = self._packages(index, index + 1, bulk=False)
        return package

    def packages(self, start: int, stop: int) -> list[bytes]:
        """Return the packages of the accounts from ``start`` to ``stop - 1``, for making all, off
        line: time and memory accesses depend on secrets.

        Raises:
            Damaged: the private files are damaged, or of another run than the pages.
        """
        return self._packages(start, stop, bulk=True)

    def _packages(self, start: int, stop: int, *, bulk: bool) -> list[bytes]:
        with _whole(self._folder):
            return self._made(start, stop, bulk=bulk)

    def _made(self, start: int, stop: int, *, bulk: bool) -> list[bytes]:
        held = self._blocks.held_by(start, stop)
        found = [asset.find(self._accounts, start, stop) for asset in self._assets]
        if not np.array_equal(sum(of_asset.counts for of_asset in found), held):
            raise Damaged(
                f"{self._folder.parts}, or holders in {self._folder.ledger}: damaged: parts of "
                f"balances are not all there; {RESTORE}"
            )
        parts = self._opened(found, bulk=bulk)
        return [
            self._signed(
                wire.PackageBody(
                    account_id=self.account(start + at),
                    account_key=self._key(start + at),
                    assets=tuple(
                        wire.PackageAsset(asset.code, of_asset[at])
                        for asset, of_asset in zip(self._assets, parts, strict=True)
                    ),
                    manifest=self.manifest,
                    version=PACKAGE_VERSION,
                )
            )
            for at in range(stop - start)
        ]

    def _opened(self, found: list[_Found], *, bulk: bool) -> list[list[tuple[wire.Part, ...]]]:
        """Return of each asset the parts of each account; all are opened together."""
        orders = [np.argsort(of_asset.places, kind="stable") for of_asset in found]
        pages = [
            page
            for asset, of_asset, order in zip(self._assets, found, orders, strict=True)
            for page in asset.pages(of_asset.places[order])
        ]
        try:
            openings, paths = native.openings_make(
                pages, self._opening_secret, self._salt, bulk=bulk
            )
        except native.Damaged as error:
            ends = np.cumsum([len(order) for order in orders])
            raise self._assets[int(np.searchsorted(ends, error.index, "right"))].unlike() from None
        parts, opening, path = [], 0, 0
        for asset, of_asset, order in zip(self._assets, found, orders, strict=True):
            each = asset.path_bytes
            opened = [(b"", b"")] * len(order)
            for at in order.tolist():
                opened[at] = openings[opening : opening + OPENING_BYTES], paths[path : path + each]
                opening, path = opening + OPENING_BYTES, path + each
            parts.append(of_asset.parts(opened))
        return parts

    def _signed(self, body: wire.PackageBody) -> bytes:
        data = wire.write_record(body)
        signature = sign(self._signing, "package-signature", data)
        return wire.write_record(wire.Package(data, b"", signature))

    def has_made(self, data: bytes, index: int) -> bool:
        """Tell whether bytes are a package that was made for the account at an index."""
        try:
            package = wire.read_record(wire.Package, data)
            if not is_signed(
                self._public_key, "package-signature", package.body, package.signature
            ):
                return False
            body = wire.read_record(wire.PackageBody, package.body)
        except (wire.NotCanonical, wire.BadFields):
            return False
        return (body.account_id, body.manifest) == (self.account(index), self.manifest)

    def name(self, index: int) -> Path:
        """Return the path of an account's package among all, in one of 256 x 16 folders.

        It tells nothing, being made by a keyed hash.
        """
        name = derive(self._key(index), "shard").hex()
        return Path(name[:2], name[2], f"{name}.package")

    def account(self, index: int) -> str:
        """Return the canonical id of an account."""
        return self._ledger.account_id(index).decode()

    def _key(self, index: int) -> bytes:
        return bytes(self._accounts.keys[index])


@contextmanager
def _whole(folder: SnapshotFolder) -> Iterator[None]:
    """Say of files which are not what was written that they are damaged.

    Raises:
        Damaged: one has too few items, or text that is none.
    """
    try:
        yield
    except (IndexError, ValueError):
        raise Damaged(
            f"{folder.private}: damaged: files are not what was written; {RESTORE}"
        ) from None


@dataclass(frozen=True)
class _Found:
    """The leaves that accounts have in an asset's tree, account by account.

    counts: of each account; amounts, places: of each leaf.
    """

    counts: U64
    amounts: U64
    places: U32

    def parts(self, opened: list[tuple[bytes, bytes]]) -> list[tuple[wire.Part, ...]]:
        """Return the parts of each account, given opening and path of each leaf."""
        amounts, places, end = self.amounts.tolist(), self.places.tolist(), 0
        parts: list[tuple[wire.Part, ...]] = []
        for count in self.counts.tolist():
            begin, end = end, end + count
            parts.append(
                tuple(
                    wire.Part(amounts[at], places[at], opened[at][0], at - begin, opened[at][1])
                    for at in range(begin, end)
                )
            )
        return parts


class _Asset:
    """One asset of a snapshot; what is large of it is mapped once a package needs it."""

    def __init__(
        self,
        tree: native.Tree,
        asset: wire.Asset,
        balances: Balances,
        parts: Parts,
        folder: SnapshotFolder,
    ) -> None:
        self.code = asset.code
        self.path_bytes = parts.shape.path_bytes
        self._tree = tree
        self._root = asset.root
        self._led: dict[tuple[int, int], bytes] = {}
        self._balances = balances
        self._parts = parts
        self._folder = folder
        self._files = folder.tree(asset.code, folder.bundle)

    @cached_property
    def _leaves(self) -> LeafFiles:
        return LeafFiles.load(self._files.leaves, self._parts.shape.leaves)

    @cached_property
    def _pages(self) -> tuple[Bytes, ...]:
        shape = self._parts.shape
        return tuple(map_pages(self._files, shape, level) for level in range(shape.levels))

    def find(self, accounts: Accounts, start: int, stop: int) -> _Found:
        """Return the leaves of the accounts from ``start`` to ``stop - 1``.

        Each account has as many as are counted, numbered from 0, and no two are one.

        Raises:
            Damaged: files are not of each other.
        """
        # Numbers of another type would have all holders converted.
        low, high = np.searchsorted(self._balances.holders, np.array([start, stop], np.uint32))
        counts = np.zeros(stop - start, np.uint64)
        if low == high:
            return _Found(counts, np.zeros(0, np.uint64), np.zeros(0, np.uint32))
        holders, first = self._balances.holders[low:high], self._parts.first[low : high + 1]
        # One that stood here twice would have parts of one number twice: two openings of one leaf.
        if holders[0] < start or holders[-1] >= stop or (holders[1:] <= holders[:-1]).any():
            raise self._damaged(
                f"{self._folder.ledger}: damaged: holders of {self.code} do not ascend"
            )
        places = self._parts.positions[int(first[0]) : int(first[-1])]
        if not self._are_own(accounts, holders, first, places):
            raise self._damaged(
                f"{self._folder.parts}: does not fit {self._files.leaves}: damaged: parts of "
                f"{self.code} are not where their holders have leaves"
            )
        amounts = self._leaves.amounts[places]
        ends = first - first[0]
        sums = np.concatenate([np.zeros(1, np.uint64), np.cumsum(amounts)])[ends]
        if not np.array_equal(np.diff(sums), self._balances.units[low:high]):
            raise self._damaged(
                f"{self._folder.ledger}: does not fit {self._files.leaves}: damaged: balances of "
                f"{self.code} are not what their parts add up to"
            )
        counts[holders - np.uint32(start)] = np.diff(ends)
        return _Found(counts, amounts, places)

    def pages(self, places: U32) -> Iterator[native.PageToOpen]:
        """Yield the pages of leaves at ascending places, with their numbers in each.

        Raises:
            Damaged: one does not lead to the root.
        """
        size = self._tree.page_size
        page_of, number = np.divmod(places, np.uint32(size))
        pages, begins = np.unique(page_of, return_index=True)
        leaves: Any = self._leaves  # arrays are buffers, which their types do not tell
        numbers: Any
        for page, numbers in zip(pages.tolist(), np.split(number, begins)[1:], strict=True):
            mine = slice(size * page, size * (page + 1))
            vectors = slice(mine.start // VECTOR_SLOTS, mine.stop // VECTOR_SLOTS)
            yield native.PageToOpen(
                self._tree,
                page,
                self._page(0, page),
                leaves.amounts[mine],
                leaves.identities[mine],
                leaves.blindings[vectors],
                numbers,
            )

    def _are_own(self, accounts: Accounts, holders: U32, first: U64, places: U32) -> bool:
        """Tell whether what stands at the places are the parts of the accounts, and no others'."""
        if (places >= len(self._leaves.identities)).any():
            return False
        own = np.empty((len(places), ID_BYTES), np.uint8)
        try:
            native.place_leaves(
                np.empty(len(places), np.uint64).data,
                own.data,
                np.arange(len(places), dtype=np.uint32).data,
                self._leaves.amounts[places].data,
                first.data,
                holders.data,
                accounts.keys.data,
                accounts.ids.data,
                accounts.offsets.data,
                self._tree.context,
                self.code.encode(),
            )
        except ValueError:
            return False
        return np.array_equal(own, self._leaves.identities[places])

    def _page(self, level: int, index: int) -> bytes:
        """Return a page that leads to the signed root: an opening on another would convict its
        exchange. Those above level 0 are kept.

        Raises:
            Damaged: it does not.
        """
        if (level, index) in self._led:
            return self._led[level, index]
        shape = self._parts.shape
        start = shape.page_bytes(level, 0) * index
        data = bytes(self._pages[level][start : start + shape.page_bytes(level, index)])
        expected = self._root
        if level + 1 < shape.levels:
            parent, slot = divmod(index, FAN)
            expected = entry_link(self._page(level + 1, parent), slot)[:ID_BYTES]
        if sha256(data).digest() != expected:
            raise self._damaged(
                f"{self._files.pages / str(level)}: damaged, or of another run than the manifest: "
                f"page {index:,}"
            )
        if level > 0:
            self._led[level, index] = data
        return data

    def unlike(self) -> Damaged:
        """Return the error of leaves that are not those of the pages."""
        return self._damaged(f"{self._files.leaves}: damaged, or of another run than the pages")

    def _damaged(self, words: str) -> Damaged:
        return Damaged(f"{words}; no package is made; {RESTORE}")
