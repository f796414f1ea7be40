"""What may import what: the verifier stays small enough to be trusted alone.

The order of the packages is checked by import-linter (``make lint``); here is what it cannot say:
the closed list of what the verifier loads, counted in a process of its own.
"""

from __future__ import annotations

import ast
import json
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.verifier_bundle import Bundle

ROOT = Path(__file__).parents[2]

# What the verifier's code may name in an import, next to the standard library.
DIRECT = {
    "Crypto",
    "coincurve",
    "cryptography",
    "msgpack",
    "native",
    "unicodedata2",
    "verifier",
}
# What those load in turn, next to the standard library; `_libsecp256k1` is coincurve's own,
# `_openssl` cryptography's, and the runtime of Cython comes with msgpack's compiled part.
INDIRECT = {
    "_cffi_backend",
    "_libsecp256k1",
    "_openssl",
    "cffi",
    "cython_runtime",
    "pycparser",
    "typing_extensions",
}
# Whose compiled code may be in the process.
COMPILED = DIRECT | {"_cffi_backend"}

# What is not the verifier that users install: the builder of the customer's page, which no wheel
# has, and the service of the auditing host, which is an extra.
APART = (
    "verifier.web.build",
    "verifier.host.answers",
    "verifier.host.app",
    "verifier.host.connection",
    "verifier.host.requests",
)
# What names the library of an extra, and loads it only where it is put to use.
NAMES_EXTRA = ("verifier.cluster.__init__", "verifier.cluster.worker")
OF_EXTRA = {"dask", "distributed"}

LOAD_ALL = """
import importlib, json, pkgutil, sys
before = set(sys.modules)
import verifier
modules = pkgutil.walk_packages(verifier.__path__, "verifier.")
names = [module.name for module in modules if module.name not in sys.argv[2:]]
for name in names:
    importlib.import_module(name)
from verifier.ownership import check_ownership, parse_address
address = parse_address("bitcoin", "bc1q9vza2e8x573nczrlzms0wvx3gsqjx7vavgkx0l")
check_ownership(address, "Hello World", "bip322", sys.argv[1])
loaded = {name for name, module in sys.modules.items() if module is not None} - before
files = {line.split(maxsplit=5)[5].strip() for line in open("/proc/self/maps") if "/" in line}
print(json.dumps({
    "verified": names,
    "loaded": sorted({name.partition(".")[0] for name in loaded}),
    "libraries": sorted(f for f in files if f.endswith(".so") or ".so." in f),
}))
"""

CUSTOMER = """
import sys
from verifier.commands.cli import main
code = main(sys.argv[1:])
loaded = {name for name, module in sys.modules.items() if module is not None}
print(code, *sorted(loaded))
"""
# What the families of chains are made of: it takes longer to load than a customer's whole check.
OF_FAMILIES = {"Crypto", "coincurve"}

# A test vector of BIP-322 itself: to check it makes the libraries load what they load late.
SIGNATURE = (
    "AkcwRAIgZRfIY3p7/DoVTty6YZbWS71bc5Vct9p9Fia83eRmw2QCICK/ENGfwLtptFluMGs2KsqoNSk89pO7F29zJLUx"
    "9a/sASECx/EgAxlkQpQ9hYjgGu6EBCPMVPwVIVJqO4XCsMvViHI="
)


@pytest.fixture(scope="module")
def process() -> dict[str, list[str]]:
    """Put the whole of ``verifier`` to use in a fresh process; return what that loaded."""
    command = [sys.executable, "-c", LOAD_ALL, SIGNATURE, *APART]
    run = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, cwd="/")
    report: dict[str, list[str]] = json.loads(run.stdout)
    return report


def imports(path: Path) -> Iterator[str]:
    """Yield the top-level name of every absolute import in a file, wherever it stands."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"), str(path))):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            assert node.module is not None
            yield node.module.partition(".")[0]


def test_verifier_names_only_what_it_may() -> None:
    allowed = DIRECT | set(sys.stdlib_module_names)
    found = set()
    for path in (ROOT / "verifier").rglob("*.py"):
        module = str(path.relative_to(ROOT).with_suffix("")).replace("/", ".")
        if module not in APART:
            more = OF_EXTRA if module in NAMES_EXTRA else set()
            found |= {f"{module}: {name}" for name in imports(path) if name not in allowed | more}
    assert not found


def test_verifier_loads_only_what_it_may(process: dict[str, list[str]]) -> None:
    allowed = DIRECT | INDIRECT | set(sys.stdlib_module_names)
    assert "verifier.commands.cli" in process["verified"]
    cython = {name for name in process["loaded"] if name.startswith("_cython_")}
    assert set(process["loaded"]) - cython <= allowed


def test_verifier_loads_no_prebuilt_library_of_an_indirect_dependency(
    process: dict[str, list[str]],
) -> None:
    owners = {
        library.partition("/site-packages/")[2].partition("/")[0]
        for library in process["libraries"]
        if "/site-packages/" in library
    }
    # A module may be one file (`_cffi_backend.cpython-311-….so`), a package may keep its
    # libraries beside itself (`NAME.libs`).
    names = {owner.partition(".")[0] for owner in owners}
    assert "native" in names
    assert names <= COMPILED


def test_a_customers_check_loads_no_library_of_a_family(tmp_path: Path) -> None:
    made = Bundle(tmp_path / "bundle")
    account = "alice@example.com"
    (tmp_path / "package").write_bytes(made.package(account))
    words = ["inclusion", tmp_path / "package", "--bundle", made.folder, "--account", account]
    words += ["--exchange-key", made.key_text, "--balance", "BTC=1.5", "--balance", "ETH=3.2"]
    command = [sys.executable, "-c", CUSTOMER, *map(str, words)]
    run = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, cwd="/")
    code, *loaded = run.stdout.splitlines()[-1].split()
    assert code == "0"
    assert {name.partition(".")[0] for name in loaded} & OF_FAMILIES == set()
    assert "verifier.ownership.recovery" not in loaded
    assert "verifier.checks.inclusion" in loaded


def test_reference_imports_nothing_of_ours() -> None:
    ours = {"native", "verifier", "prover", "api", "tests", "benches"}
    files = list((ROOT / "spec/reference").rglob("*.py"))
    found = {f"{path.name}: {name}" for path in files for name in imports(path) if name in ours}
    assert files
    assert not found


def test_base_dependencies_are_the_verifier_s() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    names = {entry.partition(">")[0].partition("=")[0] for entry in project["dependencies"]}
    assert names == {
        "cffi",
        "coincurve",
        "cryptography",
        "msgpack",
        "pycryptodome",
        "unicodedata2",
    }
