"""The audit: every check of a whole bundle, in the order of errors.md 1 to 3."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from stat import S_ISDIR, S_ISREG

from spec.reference import declaration, evidence, record, tree
from spec.reference.ethereum import Slot, Token, all_slots
from spec.reference.evidence import LEVELS
from spec.reference.keys import sound
from spec.reference.manifest import (
    FAN,
    Asset,
    Manifest,
    Policy,
    check_clock,
    is_file,
    load,
    require,
)
from spec.reference.units import Unit


@dataclass(frozen=True)
class Audit:
    """An accepted bundle: its manifest, and how the amounts of each asset are known."""

    manifest: Manifest
    levels: dict[str, str]
    times: dict[str, int]  # of the blocks whose headers are shown, by chain
    loans: tuple[declaration.Loan, ...] = ()  # as declared
    # Of each asset of which something is pledged, how many rows, and their ledger units.
    pledged: dict[str, tuple[int, int]] = field(default_factory=dict)

    @property
    def set_aside(self) -> tuple[str, ...]:
        """The assets that are not vouched for."""
        return self.manifest.set_aside

    @property
    def level(self) -> str:
        """The weakest of the assets not set aside, or of all; without a node none is `chain`."""
        aside = frozenset(self.set_aside)
        found = [level for code, level in self.levels.items() if code not in aside]
        return min(found or self.levels.values(), key=LEVELS.index)


def audit(
    bundle: Path,
    public_key: bytes,
    *,
    ratio: tuple[int, int] = (1, 1),
    units: Iterable[Unit] = (),
    previous: Path | None = None,
    slots: dict[Token, Slot] | None = None,
    attesters: Collection[bytes] = (),
    now: int | None = None,
    trees: bool = True,
) -> Audit:
    """Check everything in a bundle folder; returning means that it is accepted.

    Without `trees` it checks solvency alone: no page is read, and C_L is the manifest's.

    `public_key` is the exchange's, 32 bytes; `ratio` the least (num, den) that is enough; `units`
    are known besides the verifier's own, and `slots` of tokens likewise, by (chain, contract),
    which none contradicts; `attesters` are the keys of third parties whose word the user takes;
    `previous` is the folder of the previous manifest; `now` is the reader's clock, by default the
    machine's.
    Raises Rejected; NotCheckedError; OSError where the folder cannot be read; ValueError for
    unusable arguments.
    """
    if not all(map(sound, attesters)):
        raise ValueError("an attester's key has 32 bytes, and is somebody's")
    manifest = load(bundle, Policy(public_key, ratio, frozenset(units), previous))
    if trees:
        check_nothing_else(bundle, manifest)
    for name in data_files(manifest, trees):
        require(is_file(bundle / name), "bundle.missing-file", name, "no such regular file")
    arguments = record.check(bundle, manifest)
    loans = declaration.check(bundle, manifest)
    seen, slots = evidence.Seen(), all_slots(slots or {})
    held = [
        evidence.check(bundle, manifest, asset, seen, slots, attesters) for asset in manifest.assets
    ]
    rows = [row[:2] for found in held for row in found.rows]
    declaration.check_pledged(loans, rows)
    for asset, found in zip(manifest.assets, held, strict=True):
        name, length = tree.solvency_name(asset), tree.SOLVENCY.length
        record.check_file(bundle, name, length, arguments[asset.code].solvency)
        tree.check_solvency(manifest, asset, found.commitment, (bundle / name).read_bytes())
    for asset in manifest.assets if trees else ():
        check_tree(bundle, manifest, asset, arguments[asset.code].levels)
    levels = {asset.code: found.level for asset, found in zip(manifest.assets, held, strict=True)}
    check_clock(manifest, now)
    times = {chain: time for found in held for chain, time in found.times.items()}
    bound = {pair for loan in loans for pair in loan.pledged}
    pledged: dict[str, tuple[int, int]] = {}
    for asset, found in zip(manifest.assets, held, strict=True):
        counts = [units for chain, address, units in found.rows if (chain, address) in bound]
        if counts:
            pledged[asset.code] = len(counts), sum(counts)
    return Audit(manifest, levels, times, loans, pledged)


def data_files(manifest: Manifest, trees: bool = True) -> list[str]:
    """The files of the bundle but for the manifest, in the order of errors.md 2, number 2."""
    declared = [declaration.NAME] if manifest.declaration != bytes(32) else []
    data = [*declared, record.NAME, record.SIGNATURE]
    for asset in manifest.assets:
        levels = range(asset.levels if trees else 0)
        data.append(f"evidence/{asset.code}.msgpack")
        data += [tree.page_name(asset, level) for level in levels]
        data += [tree.argument_name(asset, level) for level in levels]
        data.append(tree.solvency_name(asset))
    return data


def check_nothing_else(bundle: Path, manifest: Manifest) -> None:
    """errors.md 2, number 1: the folder holds nothing but the bundle's files."""
    files = {bundle / name for name in ("manifest.msgpack", "manifest.sig", *data_files(manifest))}
    folders = {folder for file in files for folder in file.parents}
    for path in sorted(_walk(bundle)):
        mode = path.lstat().st_mode
        expected = path in files and S_ISREG(mode)
        if S_ISDIR(mode):
            expected = path in folders and any(path.iterdir())
        where = str(path.relative_to(bundle))
        require(expected, "bundle.unexpected-file", where, "not a file of the bundle")


def _walk(folder: Path) -> Iterable[Path]:
    """Everything below a folder; a link is not followed."""
    for path in folder.iterdir():
        yield path
        if S_ISDIR(path.lstat().st_mode):
            yield from _walk(path)


def check_tree(bundle: Path, manifest: Manifest, asset: Asset, digests: list[bytes]) -> None:
    """errors.md 3 for one asset: every page of every level, every link, the root, the arguments.

    `digests` are those of the levels' files of arguments.
    """
    geometry = tree.geometry(asset)
    below: list[tree.Page] = []
    held: list[tuple[int, int, bytes, bytes]] = []
    for level in range(geometry.levels):
        name = tree.page_name(asset, level)
        right = (bundle / name).stat().st_size == geometry.page_file(level)
        require(right, "page.bad-file-length", name)
        length = geometry.argument_file(level)
        record.check_file(bundle, tree.argument_name(asset, level), length, digests[level])
        here = []
        for index in range(geometry.pages(level)):
            data = tree.read(bundle, asset, level, index)
            argument = tree.read_argument(bundle, asset, level, index)
            held.append((level, index, data, argument))
            page = tree.check_page(manifest, asset, level, index, data, None)
            for slot in range(len(page.children)):
                where = f"{name}, page {index}, entry {slot}"
                tree.check_child(page, slot, below[index * FAN + slot], where)
            here.append(page)
        below = here
    tree.check_root(asset, below[0])
    for level, index, data, argument in held:
        tree.check_page(manifest, asset, level, index, data, argument)
