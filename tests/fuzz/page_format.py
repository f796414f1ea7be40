"""Mutated pages, arguments, packages and openings: three readers give one verdict of each.

``python -m tests.fuzz.page_format`` runs cases through the installed verifier, the code of the
customer's page under Node, and every tenth through the reference; ``make fuzz-format`` does. Case
k of a seed is always the same one, so a run is taken up where it stopped (``--first``), and a case
that the readers differ about is made again (``--first K --cases 1``).

Bundles are of pages of 16, in two levels, and of 256, in one. A case changes bytes of what is on
the customer's path; half of them the exchange signs, so that what is signed is not what is refused.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import json
import secrets
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random
from typing import Any

import msgpack

import spec.reference as reference
import verifier
from tests.support.forge import N, V, combine, tagged, u
from tests.support.forged_sample import ALICE, BTC, Sample, sample
from tests.support.forger import Fields, pack
from tests.support.leaves_forge import Shape
from tests.support.subjects import CLOCK, write_files
from verifier.format.keys import public_key_text
from verifier.web.build import WEB, compile_core, module_source

RUNNER = Path(__file__).with_suffix(".js")
BALANCES = {"BTC": "1.75000001"}
HEADER = 15


@dataclass(frozen=True)
class Verdict:
    """A code, or None and what is counted, in ledger units by asset."""

    code: str | None
    counted: Mapping[str, str]


@dataclass(frozen=True)
class Base:
    """An honest bundle of one asset, and the body of Alice's package."""

    name: str
    made: Sample
    files: Mapping[str, bytes]
    body: bytes

    @property
    def page_size(self) -> int:
        return self.made.forger.assets[0].page_size


def base_of(name: str, **changes: Any) -> Base:
    made = sample([replace(BTC, **changes)])
    files = made.forger.bundle()
    package = made.package(files["manifest.msgpack"], ALICE)
    return Base(name, made, files, msgpack.unpackb(package)["body"])


def bases() -> list[Base]:
    return [base_of("16", page_size=16, capacity=3), base_of("256", page_size=256, capacity=1)]


@dataclass(frozen=True)
class Case:
    """One bundle and package; `changed` are the files that the base has otherwise."""

    base: Base
    what: str
    changed: Mapping[str, bytes]
    package: bytes


class Mutator:
    """Makes case k of a seed."""

    def __init__(self, seed: int, number: int, listed: list[Base]) -> None:
        self.rng = Random(f"{seed} {number}")
        self.base = listed[self.rng.randrange(8) == 0]
        self.forger = self.base.made.forger
        self.shape = Shape(self.base.page_size)
        self.changed: dict[str, bytes] = {}
        self.body = self.base.body

    def case(self) -> Case:
        what = self.rng.choice((*self.CHANGES, "page", "argument", "opening"))
        self.CHANGES[what](self)
        if self.changed and self.rng.random() < 0.5:
            what += ", signed"
            self.sign()
        package = self.forger.seal_package(self.body)
        if what == "package":
            package = self.edited(package)
        return Case(self.base, what, self.changed, package)

    def leaf(self) -> int:
        """The number of a leaf of Alice's."""
        return self.rng.choice(self.base.made.parts[ALICE]["BTC"])[0]

    def edited(self, data: bytes) -> bytes:
        """One to three runs of bytes flipped, overwritten, copied, cut out or put in."""
        for _ in range(self.rng.randrange(1, 4)):
            if not data:
                return data
            at, size = self.rng.randrange(len(data)), self.rng.choice((1, 1, 2, 32, 33))
            start = self.rng.randrange(len(data))
            put, kept = data[start : start + size], data[at + size :]
            match self.rng.randrange(8):
                case 0:
                    put = self.rng.randbytes(size)
                case 1:
                    put = b""
                case 2:
                    put, kept = self.rng.randbytes(size), data[at:]
                case 3 | 4 | 5:
                    put = bytes([data[at] ^ 1 << self.rng.randrange(8)])
                    kept = data[at + 1 :]
            data = data[:at] + put + kept
        return data

    def same_length(self, data: bytes) -> bytes:
        """The same, but as long as it was, most times."""
        made = self.edited(data)
        if self.rng.randrange(16) == 0:
            return made
        return (made + data[len(made) :])[: len(data)]

    def valid(self, data: bytes, points: range, scalars: range) -> bytes:
        """A point or a scalar is another one, which decodes, or one that just does not."""
        at = self.rng.choice((*points, *scalars))
        if at in points:
            old = data[at : at + 33]
            moved = combine([(1, old), (self.rng.randrange(1, N), V)])
            other = self.rng.choice(points)
            put = self.rng.choice((moved, data[other : other + 33], bytes(33), V))
        else:
            scalar = int.from_bytes(data[at : at + 32], "big")
            value = self.rng.choice(((scalar + 1) % N, N - scalar, 0, N, 2**256 - 1))
            put = u(value, 32)
        return data[:at] + put + data[at + len(put) :]

    def change_file(self, path: str, size: int, count: int, points: range, scalars: range) -> None:
        """Change one of the pages or arguments of a level, a page of Alice's if there are more."""
        data = self.base.files[path]
        index = self.leaf() // self.base.page_size if count > 1 else 0
        start = index * size
        each = data[start : start + size]
        if self.rng.randrange(3):
            each = self.valid(each, points, scalars)
        else:
            each = self.same_length(each)
        self.changed[path] = data[:start] + each + data[start + size :]

    def change_page(self) -> None:
        size = HEADER + self.shape.entries_length
        first = size - 33 * (self.shape.vectors + 1)
        points = range(first, size, 33)
        count = self.forger.assets[0].capacity
        self.change_file("pages/BTC/0", size, count, points, range(0))

    def change_argument(self) -> None:
        split = 33 * self.shape.points
        points, scalars = range(0, split, 33), range(split, self.shape.length, 32)
        count = self.forger.assets[0].capacity
        self.change_file("arguments/BTC/0", self.shape.length, count, points, scalars)

    def change_root(self) -> None:
        """A page above level 0, or its argument, where there is one."""
        path = self.rng.choice(("pages/BTC/1", "arguments/BTC/1"))
        if path not in self.base.files:
            self.change_argument()
            return
        data = self.base.files[path]
        points = range(HEADER + 32, len(data), 65) if path.startswith("pages") else range(0, 33, 33)
        self.change_file(path, len(data), 1, points, range(0))

    def change_parts(self, edit: Callable[[Fields], None]) -> None:
        fields = msgpack.unpackb(self.body)
        edit(self.rng.choice(fields["assets"][0]["parts"]))
        self.body = pack(fields)

    def change_opening(self) -> None:
        def edit(part: Fields) -> None:
            data = part["opening"]
            valid = self.rng.randrange(3)
            points, scalars = range(0, 33, 33), range(33, len(data), 32)
            changed = self.valid(data, points, scalars) if valid else self.same_length(data)
            part["opening"] = changed

        self.change_parts(edit)

    def change_path(self) -> None:
        self.change_parts(lambda part: part.update(path=self.same_length(part["path"])))

    def change_place(self) -> None:
        """The amount, the leaf or the number of a part."""

        def edit(part: Fields) -> None:
            name = self.rng.choice(("amount", "leaf", "part"))
            by = self.rng.choice((1, -1, 16, 64, 256, 2**32, self.rng.getrandbits(64)))
            part[name] = abs(part[name] + by) % 2**64

        self.change_parts(edit)

    def change_body(self) -> None:
        self.body = self.edited(self.body)

    def change_nothing(self) -> None:
        """Left as it is: so that what is accepted is, too."""

    CHANGES: Mapping[str, Callable[[Mutator], None]] = {
        "page": change_page,
        "argument": change_argument,
        "root": change_root,
        "opening": change_opening,
        "path": change_path,
        "place": change_place,
        "body": change_body,
        "package": change_nothing,
        "nothing": change_nothing,
    }

    def sign(self) -> None:
        """The exchange signs what was changed: the root's id, the record, and the package."""
        files = dict(self.base.files) | self.changed
        fields = msgpack.unpackb(files["manifest.msgpack"])
        asset = fields["assets"][0]
        root = files[f"pages/BTC/{asset['levels'] - 1}"]
        asset["root"] = hashlib.sha256(root).digest()
        self.changed |= self.forger.seal(pack(fields))
        self.changed |= self.forger.record(files | self.changed)
        body = msgpack.unpackb(self.body)
        body["manifest"] = tagged("manifest", self.changed["manifest.msgpack"])
        self.body = pack(body)


# --- readers


class Page:
    """The page's own code, in a process of Node."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.held = ""

    def ask(self, **request: Any) -> Any:
        assert self.process.stdin
        assert self.process.stdout
        self.process.stdin.write(json.dumps(request) + "\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline()
        if not answer:
            raise RuntimeError("the page's code stopped")
        return json.loads(answer)

    def check(self, case: Case) -> Verdict:
        base = case.base
        if self.held != base.name:
            self.ask(kind="hold", files=texts(base.files))
            self.held = base.name
        found = self.ask(
            kind="check",
            files=texts(case.changed),
            key=public_key_text(base.made.forger.public_key),
            packageData=base64.b64encode(case.package).decode(),
            accountId=ALICE,
            balances=BALANCES,
            now=CLOCK,
        )
        return Verdict(found.get("code"), found.get("counted", {}))


def texts(files: Mapping[str, bytes]) -> dict[str, str]:
    return {path: base64.b64encode(data).decode() for path, data in files.items()}


@contextmanager
def page() -> Iterator[Page]:
    """Raises FileNotFoundError where there is no Node."""
    node = shutil.which("node")
    if node is None:
        raise FileNotFoundError("the page's code: no Node on this machine")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "page"
        shutil.copytree(WEB / "src", folder)
        (folder / "package.json").write_text('{"type": "module"}')
        for table in ("unicode", "units"):
            (folder / f"{table}.js").write_text(module_source(table))
        (folder / "core.wasm").write_bytes(compile_core())
        runner = shutil.copy(RUNNER, folder)
        with subprocess.Popen(
            [node, runner, folder], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        ) as process:
            yield Page(process)


class OnDisk:
    """The two readers in Python, of bundles that stand in a folder each."""

    def __init__(self, folder: Path, listed: list[Base]) -> None:
        self.folders = {base.name: folder / base.name for base in listed}
        for base in listed:
            write_files(self.folders[base.name], base.files)

    @contextmanager
    def bundle(self, case: Case) -> Iterator[Path]:
        folder = self.folders[case.base.name]
        write_files(folder, case.changed)
        yield folder
        write_files(folder, {path: case.base.files[path] for path in case.changed})

    def check(self, case: Case, *, by_reference: bool) -> list[Verdict]:
        """What the verifier finds, and the reference."""
        with self.bundle(case) as folder:
            found = [self.verifier(case, folder)]
            if by_reference:
                found.append(self.reference(case, folder))
        return found

    def verifier(self, case: Case, folder: Path) -> Verdict:
        key = case.base.made.forger.public_key
        try:
            report = verifier.check_inclusion(
                case.package, folder, key, ALICE, BALANCES, only=True, now=CLOCK
            )
        except (verifier.Rejected, verifier.CannotCheck) as fault:
            return Verdict(fault.code.value, {})
        return Verdict(None, {amount.code: str(amount.counted) for amount in report.amounts})

    def reference(self, case: Case, folder: Path) -> Verdict:
        key = case.base.made.forger.public_key
        try:
            found = reference.check_inclusion(case.package, folder, key, ALICE, BALANCES, now=CLOCK)
        except (reference.Rejected, reference.NotCheckedError) as fault:
            return Verdict(fault.code, {})
        counted = {code: str(int(amount * 10**8)) for code, amount in found.counted.items()}
        return Verdict(None, counted)


class Differ(AssertionError):
    """Readers give different verdicts of a case."""


def run(seed: int, first: int, cases: int, reference_every: int) -> Mapping[str, int]:
    """Run cases; return how often each code was given, `accepted` among them.

    Raises:
        Differ: two readers differ about a case.
        FileNotFoundError: there is no Node.
    """
    listed, codes = bases(), dict[str, int]()
    with page() as page_code, tempfile.TemporaryDirectory() as folder:
        disk = OnDisk(Path(folder), listed)
        for number in range(first, first + cases):
            case = Mutator(seed, number, listed).case()
            by_reference = number % reference_every == 0
            verdicts = disk.check(case, by_reference=by_reference)
            verdicts.append(page_code.check(case))
            if verdicts.count(verdicts[0]) != len(verdicts):
                named = f"seed {seed}, case {number} ({case.base.name}: {case.what})"
                raise Differ(f"{named}: {verdicts}")
            code = verdicts[0].code or "accepted"
            codes[code] = codes.get(code, 0) + 1
            done = number - first + 1
            if done % 1000 == 0:
                print(f"seed {seed}: {done} cases; go on with --first {number + 1}", flush=True)
    return codes


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seed", type=int, default=secrets.randbits(32))
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--cases", type=int, default=100_000)
    parser.add_argument("--reference-every", type=int, default=10)
    asked = parser.parse_args()
    print(f"--seed {asked.seed} --first {asked.first} --cases {asked.cases}", flush=True)
    try:
        codes = run(asked.seed, asked.first, asked.cases, asked.reference_every)
    except Differ as differ:
        sys.exit(f"readers differ: {differ}")
    for code, count in sorted(codes.items(), key=lambda item: -item[1]):
        print(f"{count:7} {code}")


if __name__ == "__main__":
    main()
