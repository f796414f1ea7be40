"""`make bench-base`: this checkout beside an earlier format of pages, on the same leaves.

The commit is built from the clone's own history, by its own lock, in build/base. Both sides are
measured in turn in one run: kernels on 262,144 leaves, each side's least of three; commands on an
exchange of 1,000,000 accounts, whose trees have as many leaves on either side. A further row shows
the capacities and page sizes that a prover chooses now by itself.

    python -m benches.base [--quick]

A limit is that of the processor at hand; where none is set for it, the row says so. `--quick`
measures 20,000 accounts and writes nothing; what depends on a million is then no judgement.
"""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benches import machine

COMMIT = "d498c97"
SIDE = Path(__file__).with_name("side.py")
ACCOUNTS, QUICK_ACCOUNTS = 1_000_000, 20_000
ROUNDS = 3

Figures = dict[str, Any]


@dataclass(frozen=True)
class Row:
    """A figure of either side, and what it must be.

    least: of "base / now", for Zen 5 and for Zen 4; most: of the figure itself.
    """

    name: str
    figure: str
    unit: str
    least: tuple[float, float] | None = None
    most: float | None = None
    digits: int = 2


KERNELS = (
    Row("audit a leaf, one core", "audit_ns", "ns", least=(5, 4.5), digits=0),
    Row("prove a leaf, one core", "prove_ns", "ns", least=(1.5, 1.3), digits=0),
    Row("opening behind the door", "opening_us", "µs", most=500, digits=0),
    Row("opening in bulk", "opening_bulk_us", "µs", most=15, digits=1),
)
PORTABLE = (
    Row("portable: prove a leaf", "prove_ns", "ns", least=(1.3, 1.3), digits=0),
    Row("portable: audit a leaf", "audit_ns", "ns", least=(4, 4), digits=0),
)
COMMANDS = (
    Row("bytes a leaf", "bytes_per_leaf", "bytes", most=11.5),
    Row("customer's check of three parts", "check_ms", "ms", least=(1 / 0.45, 1 / 0.45)),
    Row("bytes a part", "part_bytes", "bytes", most=70_000, digits=0),
    Row("making a package of three parts", "package_ms", "ms"),
    Row("making a package, at random", "any_package_ms", "ms", most=1),
    Row("prove, two jobs", "prove_s", "s", least=(1.4, 1.3)),
    Row("audit, two jobs", "audit_s", "s", least=(3, 2.7)),
    Row("prove, peak", "prove_peak_mb", "MB", most=700, digits=0),
    Row("audit, peak", "audit_peak_mb", "MB", most=200, digits=0),
    Row("all packages, two jobs", "packages_s", "s"),
    Row("all packages", "packages_bytes", "bytes", digits=0),
    Row("assay-verify inclusion, cold", "inclusion_cold_s", "s", least=(2, 2)),
    Row("assay package, cold", "package_cold_s", "s", least=(2, 2)),
)


def main() -> None:
    """Measure, print, and keep."""
    machine.run(
        "benches.base",
        "make bench-base",
        __doc__,
        lambda quick: measured(QUICK_ACCOUNTS if quick else ACCOUNTS),
    )


def measured(accounts: int) -> dict[str, float]:
    """Print the table; return the ratios by name."""
    earlier = built(COMMIT)
    print(f"{'':24} limits of {zen() or 'no processor that has any'}", flush=True)
    ratios: dict[str, float] = {}

    def show(rows: tuple[Row, ...], base: Figures, now: Figures, *, judged: bool = True) -> None:
        for row in rows:
            if row.figure not in now:
                continue
            ratio = base[row.figure] / now[row.figure] if row.figure in base else None
            if ratio is not None:
                ratios[f"base_over_now_{row.name}"] = round(ratio, 2)
            print(line(row, base, now, ratio, judged=judged), flush=True)

    print(cells(f"{'':34}", COMMIT, "now", "ratio", "must", ""))
    base, now = least_of(ROUNDS, kernels)
    show(KERNELS, base, now)
    print(committed(now))
    show(PORTABLE, *least_of(1, lambda side: kernels(side, portable=True)))
    with tempfile.TemporaryDirectory(prefix="assay-bench-") as name:
        folder = Path(name)
        base = commands(earlier, folder / "base", accounts)
        now = commands(machine.ROOT, folder / "now", accounts, base["capacities"])
        if now["capacities"] != base["capacities"]:
            raise RuntimeError("the sides have not the same leaves")
        print(f"{'':24} {accounts:,} accounts, {base['leaves']:,} leaves on either side")
        show(COMMANDS, base, now)
        auto = commands(machine.ROOT, folder / "auto", accounts)
        print(f'{"":24} the same accounts with capacity = "auto": {auto["leaves"]:,} leaves now')
        show(COMMANDS, base, auto, judged=False)
    return ratios


def built(commit: str) -> Path:
    """Build an earlier commit, unless that was done; return its folder."""
    folder = machine.ROOT / "build" / "base" / commit
    done = folder / ".built"
    if not done.exists():
        folder.mkdir(parents=True, exist_ok=True)
        archive = subprocess.run(
            ["git", "archive", commit], cwd=machine.ROOT, stdout=subprocess.PIPE, check=True
        )
        subprocess.run(["tar", "-x", "-C", folder], input=archive.stdout, check=True)
        kept = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
        subprocess.run(["make", "setup"], cwd=folder, env=kept, check=True)
        done.touch()
    return folder


def side(checkout: Path, *arguments: object, portable: bool = False) -> Figures:
    """Run `benches.side` in a checkout."""
    environment = os.environ | {"PYTHONPATH": str(checkout)}
    if portable:
        environment["ASSAY_KERNEL"] = "portable"
    python = str(checkout / ".venv" / "bin" / "python")
    command = [python, "-P", str(SIDE), *map(str, arguments)]
    run = subprocess.run(
        command, cwd=checkout, env=environment, stdout=subprocess.PIPE, text=True, check=True
    )
    figures: Figures = json.loads(run.stdout.splitlines()[-1])
    return figures


def kernels(checkout: Path, *, portable: bool = False) -> Figures:
    """What one core does."""
    return side(checkout, "kernels", portable=portable)


def commands(
    checkout: Path, folder: Path, accounts: int, capacities: Sequence[int] = ()
) -> Figures:
    """What whole commands take; no capacities are those that a prover chooses."""
    return side(checkout, "commands", folder, accounts, *capacities)


def least_of(rounds: int, measure: Callable[[Path], Figures]) -> tuple[Figures, Figures]:
    """Measure both sides in turn; of each figure the least."""
    runs = [(measure(built(COMMIT)), measure(machine.ROOT)) for _ in range(rounds)]
    base, now = (
        {name: min(run[name] for run in sides) for name in sides[0]}
        for sides in zip(*runs, strict=True)
    )
    return base, now


def zen() -> str:
    """The column of the limits: "Zen 5", "Zen 4", or neither."""
    told: dict[str, int] = {}
    info = Path("/proc/cpuinfo")
    for text in info.read_text().splitlines() if info.exists() else ():
        name, _, value = text.partition(":")
        if name.strip() in ("cpu family", "model") and value.strip().isdigit():
            told.setdefault(name.strip(), int(value))
    family, model = told.get("cpu family"), told.get("model", 0)
    if family == 26:
        return "Zen 5"
    if family == 25 and model >> 4 in (1, 6, 7, 10):
        return "Zen 4"
    return ""


def line(row: Row, base: Figures, now: Figures, ratio: float | None, *, judged: bool) -> str:
    """A row of the table."""
    must, met = "", ""
    column = {"Zen 5": 0, "Zen 4": 1}.get(zen())
    if row.most is not None:
        must, met = f"≤ {row.most:,g}", verdict(now[row.figure] <= row.most)
    elif row.least is not None and column is None:
        must = "not measured"
    elif row.least is not None and ratio is not None and column is not None:
        must, met = f"≥ {row.least[column]:.2f}x", verdict(ratio >= row.least[column])
    figure = f"{now[row.figure]:,.{row.digits}f} {row.unit}"
    before = f"{base[row.figure]:,.{row.digits}f}" if row.figure in base else ""
    shown = "" if ratio is None else f"{ratio:.2f}x"
    return cells(f"{row.name:34}", before, figure, shown, *((must, met) if judged else ("", "")))


def committed(now: Figures) -> str:
    """The row of committing alone, beside proving."""
    ratio = now["prove_ns"] / now["commit_ns"]
    limit = {"Zen 5": 2.5, "Zen 4": 2.0}.get(zen())
    told = ("not measured", "") if limit is None else (f"≥ {limit}x", verdict(ratio >= limit))
    figures = f"{now['commit_ns']:,.0f} ns", f"{ratio:.2f}x"
    return cells(f"{'commit alone, beside proving':34}", "", *figures, *told)


def verdict(met: bool) -> str:
    """How a limit is told."""
    return "met" if met else "MISSED"


def cells(name: str, *columns: str) -> str:
    """A row of columns."""
    return f"{name} {'  '.join(f'{column:>16}' for column in columns)}"


if __name__ == "__main__":
    main()
