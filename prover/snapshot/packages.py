"""Inclusion packages: what one customer needs to find their own leaves and to see what they hold.

They are made by index from files that are mapped, not read: one package costs the same for ten
accounts and for ten million. Amounts and places come from what was written with the pages, and
nothing is opened that is not the account's by its identity, or is not what the page commits to: an
opening that does not hold would show what strangers have. Of the private files those alone are read
that `prover.snapshot.folder` names for this: no sum of a page, and no key but of openings.

A package holds its account's key, so it is for that customer alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from hashlib import sha256
from itertools import groupby
from pathlib import Path

import numpy as np

import native
from prover.errors import Damaged, ProverError
from prover.files.columns import U32, U64, Bytes, map_rows
from prover.files.keys import public_bytes, read_signing_key
from prover.ledger.ledger import Balances, Ledger, find_account
from prover.ledger.saved import load_ledger
from prover.liabilities.derivation import derive
from prover.liabilities.leaves import Accounts
from prover.liabilities.parts import Parts, load_held, load_parts
from prover.liabilities.tree import LeafFiles, TreeFiles, map_pages
from prover.snapshot.folder import SnapshotFolder
from prover.snapshot.record import read_frozen
from verifier.format import wire
from verifier.format.account import AccountError, canonical_account_id
from verifier.format.keys import is_signed, sign
from verifier.format.params import (
    ENTRY_BYTES,
    FAN,
    ID_BYTES,
    MANIFEST_PATH,
    OPENING_BYTES,
    PACKAGE_VERSION,
    PAGE_HEADER_BYTES,
    VECTOR_SLOTS,
)
from verifier.format.statement import manifest_context, manifest_digest, tree_of


class NoSuchAccount(ProverError):
    """A snapshot holds no account of an id."""


def read_manifest(folder: SnapshotFolder) -> tuple[bytes, wire.Manifest]:
    """Return digest and content of a finished snapshot's manifest.

    Raises:
        ProverError: there is none, or it is damaged.
    """
    path = folder.bundle / MANIFEST_PATH
    if not path.is_file():
        raise ProverError(f"{folder.path}: no finished snapshot")
    data = path.read_bytes()
    try:
        return manifest_digest(data), wire.read_record(wire.Manifest, data)
    except (wire.NotCanonical, wire.BadFields):
        raise Damaged(f"{path}: damaged") from None


def load_assets(
    folder: SnapshotFolder, manifest: wire.Manifest, ledger: Ledger
) -> Iterator[tuple[wire.Asset, native.Tree, Parts]]:
    """Yield each asset of a manifest, its tree, and the parts in the private files.

    Raises:
        Damaged: these are not of the manifest.
    """
    parts, context = list(load_parts(folder.parts)), manifest_context(manifest)
    codes, shapes = [asset.code for asset in ledger.assets], [entry.shape for entry in parts]
    if (codes, shapes) != (
        [asset.code for asset in manifest.assets],
        [asset.shape for asset in manifest.assets],
    ):
        raise Damaged(f"{folder.private}: damaged, or of another snapshot than {folder.bundle}")
    for asset, entry in zip(manifest.assets, parts, strict=True):
        yield asset, tree_of(context, asset, asset.shape), entry


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
        self.manifest, manifest = read_manifest(folder)
        frozen = read_frozen(folder.record)
        self._signing = read_signing_key(signing_key or Path(frozen.signing_key))
        self._public_key = frozen.public_key
        if public_bytes(self._signing) != self._public_key:
            raise ProverError("the signing key is another than the snapshot's")
        self._ledger = load_ledger(folder.ledger)
        keys = map_rows(folder.account_keys, len(self._ledger))
        self._accounts = Accounts(self._ledger.ids, self._ledger.offsets, keys)
        self._held = load_held(folder.parts, len(self._ledger))
        secret = read_opening_secret(folder.opening_secret)
        self._assets = [
            _Asset(
                tree,
                asset,
                self._ledger.balances[asset.code],
                parts,
                folder.tree(asset.code, folder.bundle),
                secret,
                frozen.salt,
            )
            for asset, tree, parts in load_assets(folder, manifest, self._ledger)
        ]

    def __len__(self) -> int:
        """Return the number of accounts."""
        return len(self._ledger)

    def index_of(self, account: str) -> int:
        """Return the index of the account with an id in any form that canonicalises to its own.

        Raises:
            NoSuchAccount: there is none.
        """
        try:
            index = find_account(self._ledger, canonical_account_id(account, self._ledger.id_type))
        except AccountError as error:
            raise NoSuchAccount(f"not an account id: {error}") from None
        if index is None:
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
        parts = [asset.parts(self._accounts, start, stop, bulk=bulk) for asset in self._assets]
        # What the ledger's columns do not tell of any more nothing else would miss.
        found = [sum(map(bool, of_account)) for of_account in zip(*parts, strict=True)]
        if found != self._held[start:stop].tolist():
            raise Damaged(f"{self._folder.private}: damaged: balances are not all there")
        return [
            self._signed(
                wire.PackageBody(
                    account_id=self.account(index),
                    account_key=self._key(index),
                    assets=tuple(
                        wire.PackageAsset(asset.code, of_each[at])
                        for asset, of_each in zip(self._assets, parts, strict=True)
                    ),
                    manifest=self.manifest,
                    version=PACKAGE_VERSION,
                )
            )
            for at, index in enumerate(range(start, stop))
        ]

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
        raise Damaged(f"{folder.private}: damaged: files are not what was written") from None


def read_opening_secret(path: Path) -> bytes:
    """Return the opening secret, behind which its SHA-256 stands.

    Raises:
        Damaged: it is another.
    """
    data = path.read_bytes()
    secret, digest = data[:ID_BYTES], data[ID_BYTES:]
    if sha256(secret).digest() != digest:
        raise Damaged(f"{path}: damaged")
    return secret


class _Asset:
    """One asset of a snapshot; what is large of it is mapped once a package needs it.

    ``secret`` is the opening secret.
    """

    def __init__(
        self,
        tree: native.Tree,
        asset: wire.Asset,
        balances: Balances,
        parts: Parts,
        files: TreeFiles,
        secret: bytes,
        salt: bytes,
    ) -> None:
        self.code = asset.code
        self._tree = tree
        self._root = asset.root
        self._led: dict[tuple[int, int], bytes] = {}
        self._balances = balances
        self._parts = parts
        self._files = files
        self._secret = secret
        self._salt = salt

    @cached_property
    def _leaves(self) -> LeafFiles:
        return LeafFiles.load(self._files.leaves, self._parts.shape.leaves)

    @cached_property
    def _pages(self) -> tuple[Bytes, ...]:
        shape = self._parts.shape
        return tuple(map_pages(self._files, shape, level) for level in range(shape.levels))

    def parts(
        self, accounts: Accounts, start: int, stop: int, *, bulk: bool
    ) -> list[tuple[wire.Part, ...]]:
        """Return the parts of each account from ``start`` to ``stop - 1``, opened.

        Raises:
            Damaged: files are not of each other.
        """
        # Numbers of another type would have all holders converted.
        low, high = np.searchsorted(self._balances.holders, np.array([start, stop], np.uint32))
        holders, first = self._balances.holders[low:high], self._parts.first[low : high + 1]
        places = self._parts.positions[int(first[0]) : int(first[-1])]
        self._check_own(accounts, holders, first, places)
        amounts = self._leaves.amounts[places]
        ends = first - first[0]
        sums = np.concatenate([np.zeros(1, np.uint64), np.cumsum(amounts)])[ends]
        if not np.array_equal(np.diff(sums), self._balances.units[low:high]):
            raise self._damaged()
        opened = self._open(places, bulk=bulk)
        parts: list[tuple[wire.Part, ...]] = [()] * (stop - start)
        for holder, begin, end in zip(
            holders.tolist(), ends[:-1].tolist(), ends[1:].tolist(), strict=True
        ):
            parts[holder - start] = tuple(
                wire.Part(
                    int(amounts[at]), int(places[at]), opened[at][0], at - begin, opened[at][1]
                )
                for at in range(begin, end)
            )
        return parts

    def _check_own(self, accounts: Accounts, holders: U32, first: U64, places: U32) -> None:
        """Check that what stands at the places are the parts of the accounts, and no others'.

        Raises:
            Damaged: it is not.
        """
        if (places >= len(self._leaves.identities)).any():
            raise self._damaged()
        own = np.empty((len(places), ID_BYTES), np.uint8)
        try:
            native.place_leaves(
                np.empty(len(places), np.uint64).data,
                own.data,
                0,
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
            raise self._damaged() from None
        if not np.array_equal(own, self._leaves.identities[places]):
            raise self._damaged()

    def _open(self, places: U32, *, bulk: bool) -> list[tuple[bytes, bytes]]:
        """Return opening and path of each leaf, those of a page made together."""
        size, path_bytes = self._tree.page_size, self._parts.shape.path_bytes
        order = np.argsort(places, kind="stable").tolist()
        opened = [(b"", b"")] * len(order)
        for page, of_page in groupby(order, lambda at: int(places[at]) // size):
            parts = list(of_page)
            numbers = places[parts] - np.uint32(size * page)
            openings, paths = self._open_page(page, numbers, bulk=bulk)
            for at, part in enumerate(parts):
                opened[part] = (
                    openings[OPENING_BYTES * at : OPENING_BYTES * (at + 1)],
                    paths[path_bytes * at : path_bytes * (at + 1)],
                )
        return opened

    def _open_page(self, page: int, numbers: U32, *, bulk: bool) -> tuple[bytes, bytes]:
        """Return openings and paths of leaves of a page, by their numbers in it."""
        size = self._tree.page_size
        data = self._page(0, page)
        mine = slice(size * page, size * (page + 1))
        vectors = slice(mine.start // VECTOR_SLOTS, mine.stop // VECTOR_SLOTS)
        try:
            return native.openings_make(
                self._tree,
                page,
                data,
                self._leaves.amounts[mine].data,
                self._leaves.identities[mine].data,
                self._leaves.blindings[vectors].data,
                numbers.data,
                self._secret,
                self._salt,
                bulk=bulk,
            )
        except native.Damaged:
            raise self._damaged() from None

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
            entry = PAGE_HEADER_BYTES + ENTRY_BYTES * slot
            expected = self._page(level + 1, parent)[entry : entry + ID_BYTES]
        if sha256(data).digest() != expected:
            raise self._damaged()
        if level > 0:
            self._led[level, index] = data
        return data

    def _damaged(self) -> Damaged:
        return Damaged(
            f"{self._files.leaves}: damaged, or of another run than the pages; no package is made"
        )
