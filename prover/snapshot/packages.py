"""Inclusion packages: what one customer needs to find their own leaves and to see what they hold.

They are made by index from files that are mapped, not read: one package costs the same for ten
accounts and for ten million. Amounts and places come from what was written with the pages, and
nothing is opened that is not the account's by its identity, or is not what the page commits to: an
opening that does not hold would show what strangers have. Of the private files those alone are read
that `prover.snapshot.folder` names for this: no sum of a page, and no key but of openings.

A package holds its account's key, so it is for that customer alone.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path

import numpy as np

import native
from prover.errors import Damaged, ProverError
from prover.files.columns import Bytes, map_column
from prover.files.keys import public_bytes, read_signing_key
from prover.ledger import Ledger, find_account, load_ledger
from prover.ledger.ledger import Balances
from prover.liabilities.derivation import derive
from prover.liabilities.parts import Parts, load_parts
from prover.liabilities.tree import LeafFiles, TreeFiles, map_pages
from prover.snapshot.folder import SnapshotFolder
from prover.snapshot.record import read_frozen
from verifier.format import wire
from verifier.format.account import AccountError, canonical_account_id
from verifier.format.keys import is_signed, sign
from verifier.format.params import (
    ID_BYTES,
    MANIFEST_PATH,
    OPENING_BYTES,
    PACKAGE_VERSION,
    VECTOR_SLOTS,
)
from verifier.format.statement import leaf_identity, manifest_context, manifest_digest, tree_of


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
        self.manifest, manifest = read_manifest(folder)
        frozen = read_frozen(folder.record)
        self._signing = read_signing_key(signing_key or Path(frozen.signing_key))
        self._public_key = frozen.public_key
        if public_bytes(self._signing) != self._public_key:
            raise ProverError("the signing key is another than the snapshot's")
        self._ledger = load_ledger(folder.ledger)
        self._keys = map_column(folder.account_keys, np.uint8).reshape(-1, ID_BYTES)
        secret = folder.opening_secret.read_bytes()
        self._assets = [
            _Asset(
                tree,
                asset.code,
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

    def package(self, index: int, *, bulk: bool = False) -> bytes:
        """Return the signed package of the account at an index.

        With ``bulk`` it is made by code whose time depends on secrets: for making all, off line.

        Raises:
            Damaged: the private files are damaged, or of another run than the pages.
        """
        account, key = self.account(index), self._key(index)
        body = wire.write_record(
            wire.PackageBody(
                account_id=account,
                account_key=key,
                assets=tuple(
                    wire.PackageAsset(asset.code, asset.parts(index, account, key, bulk=bulk))
                    for asset in self._assets
                ),
                manifest=self.manifest,
                version=PACKAGE_VERSION,
            )
        )
        signature = sign(self._signing, "package-signature", body)
        return wire.write_record(wire.Package(body, b"", signature))

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
        return bytes(self._keys[index])


class _Asset:
    """One asset of a snapshot; what is large of it is mapped once a package needs it.

    ``secret`` is the opening secret.
    """

    def __init__(
        self,
        tree: native.Tree,
        code: str,
        balances: Balances,
        parts: Parts,
        files: TreeFiles,
        secret: bytes,
        salt: bytes,
    ) -> None:
        self.code = code
        self._tree = tree
        self._balances = balances
        self._parts = parts
        self._files = files
        self._secret = secret
        self._salt = salt

    @cached_property
    def _leaves(self) -> LeafFiles:
        return LeafFiles.load(self._files.leaves, self._parts.shape.leaves)

    @cached_property
    def _pages(self) -> Bytes:
        return map_pages(self._files, self._parts.shape, 0)

    def parts(self, index: int, account: str, key: bytes, *, bulk: bool) -> tuple[wire.Part, ...]:
        """Return the parts of the account at an index, opened; ``account`` is its id.

        Raises:
            Damaged: files are not of each other.
        """
        holder = self._balances.place(index)
        if holder is None:
            return ()
        start, stop = map(int, self._parts.first[holder : holder + 2])
        places = self._parts.positions[start:stop].tolist()
        self._check_own(places, account, key)
        amounts = [int(self._leaves.amounts[place]) for place in places]
        if sum(amounts) != int(self._balances.units[holder]):
            raise self._damaged()
        opened = self._open(places, bulk=bulk)
        return tuple(
            wire.Part(amount, place, opening, part, path)
            for part, (amount, place, (opening, path)) in enumerate(
                zip(amounts, places, opened, strict=True)
            )
        )

    def _check_own(self, places: list[int], account: str, key: bytes) -> None:
        """Check that what stands at the places are the parts of the account, and no others'."""
        context = self._tree.context
        for part, place in enumerate(places):
            own = leaf_identity(context, self.code, account, key, part)
            if place >= len(self._leaves.identities) or own != bytes(
                self._leaves.identities[place]
            ):
                raise self._damaged()

    def _open(self, places: list[int], *, bulk: bool) -> list[tuple[bytes, bytes]]:
        """Return opening and path of each leaf."""
        size, page_bytes = self._tree.page_size, self._parts.shape.page_bytes(0, 0)
        path_bytes = self._parts.shape.path_bytes
        of_page = defaultdict(list)
        for part, place in enumerate(places):
            of_page[place // size].append(part)
        opened = [(b"", b"")] * len(places)
        for page, parts in of_page.items():
            mine = slice(size * page, size * (page + 1))
            vectors = slice(mine.start // VECTOR_SLOTS, mine.stop // VECTOR_SLOTS)
            numbers = np.array([places[part] % size for part in parts], np.uint32)
            try:
                openings, paths = native.openings_make(
                    self._tree,
                    page,
                    self._pages[page_bytes * page : page_bytes * (page + 1)].data,
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
            for at, part in enumerate(parts):
                opened[part] = (
                    openings[OPENING_BYTES * at : OPENING_BYTES * (at + 1)],
                    paths[path_bytes * at : path_bytes * (at + 1)],
                )
        return opened

    def _damaged(self) -> Damaged:
        return Damaged(
            f"{self._files.leaves}: damaged, or of another run than the pages; no package is made"
        )
