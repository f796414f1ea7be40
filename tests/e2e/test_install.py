"""The wheel, installed as readers install it: what works without extras, what says what it lacks.

The auditor's quick start is followed in an environment that has the extra ``[host]`` and nothing of
a development environment, beside a checkout that is not built.
"""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from prover.sample.sample import make_sample
from prover.snapshot.make import make_snapshot

ROOT = Path(__file__).parents[2]
UV = ROOT / ".tools/bin/uv"


def run(*command: str | Path) -> subprocess.CompletedProcess[str]:
    """Run a program away from the source tree; its failure is the test's."""
    done = subprocess.run(command, cwd="/", capture_output=True, text=True)
    assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
    return done


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the wheel from the source tree, in a build folder of its own."""
    if not UV.exists():
        pytest.skip("installation: uv is not in .tools, run `make setup`")
    folder = tmp_path_factory.mktemp("wheel")
    build_dir = f"build-dir={folder / 'build'}"
    interpreter = ("--python", sys.executable)
    run(UV, "build", "--quiet", "--wheel", *interpreter, "-C", build_dir, "-o", folder, ROOT)
    (built,) = folder.glob("*.whl")
    return built


def install(wheel: Path, name: str, *wanted: str) -> Path:
    """Install packages at locked versions in a fresh environment; return its scripts' folder."""
    venv, locked = wheel.parent / name, wheel.parent / "locked.txt"
    export = ("--locked", "--all-extras", "--all-groups", "--no-emit-project", "--no-hashes")
    run(UV, "export", "--quiet", "--project", ROOT, *export, "-o", locked)
    run(UV, "venv", "--quiet", "--python", sys.executable, venv)
    run(UV, "pip", "install", "--quiet", "--python", venv, "--constraints", locked, *wanted)
    return venv / "bin"


@pytest.fixture(scope="module")
def scripts(wheel: Path) -> Path:
    """Install the wheel without extras."""
    return install(wheel, "venv", str(wheel))


def test_one_wheel_for_every_supported_python(wheel: Path) -> None:
    assert "-cp311-abi3-" in wheel.name


def test_wheel_holds_the_four_packages_alone(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    tops = {name.partition("/")[0] for name in names}
    assert {top for top in tops if not top.endswith(".dist-info")} == {
        "native",
        "verifier",
        "prover",
        "api",
    }
    assert "native/_core.abi3.so" in names
    assert not [name for name in names if name.endswith((".c", ".h", "build_native.py"))]


def test_wheel_holds_no_hook_of_the_tests(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as files:
        core = files.read("native/_core.abi3.so")
    assert b"assay_check_var" in core
    assert b"assay_test_" not in core


def test_verifier_runs_without_extras(scripts: Path) -> None:
    assert "usage: assay-verify" in run(scripts / "assay-verify", "--help").stdout
    listed = run(UV, "pip", "list", "--quiet", "--python", scripts.parent).stdout
    assert "numpy" not in listed
    assert "fastapi" not in listed


def test_prover_without_its_extra_says_what_to_install(scripts: Path) -> None:
    words = [str(scripts / "assay"), "package", ".", "ann", "--out", "ann.package"]
    done = subprocess.run(words, cwd="/", capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (1, "")
    assert len(done.stderr.splitlines()) == 1
    assert "assay[prover]" in done.stderr


PYTHON = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LIBRARIES = re.compile(r"^pip install (.+)$", re.MULTILINE)
REFERENCE = re.compile(
    r"^\$ (PYTHONPATH=\S+ python -m spec\.reference .+)\n([^`]+)\n```$", re.MULTILINE
)


def test_the_auditors_quick_start_in_a_readers_environment(wheel: Path, tmp_path: Path) -> None:
    page = (ROOT / "docs/quickstart-auditor.md").read_text()
    (snippet,) = PYTHON.findall(page)
    ((command, answer),) = REFERENCE.findall(page)
    (libraries,) = LIBRARIES.findall(page)
    made = make_sample(tmp_path / "assay-try" / "exchange", 50, ("BTC", "ETH", "USDT"), seed=1)
    make_snapshot(made.config, tmp_path / "assay-try" / "proof")
    checkout = tmp_path / "assay"
    tracked = (
        "git",
        "-C",
        ROOT,
        "ls-files",
        "-z",
        "native",
        "prover",
        "spec/chains.csv",
        "spec/code-points.json",
        "spec/reference",
        "spec/units.csv",
        "verifier",
    )
    for name in run(*tracked).stdout.split("\0"):
        if name.endswith((".csv", ".json", ".py")):
            (checkout / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, checkout / name)
    bin_folder = install(wheel, "auditor", f"{wheel}[host]", *shlex.split(libraries))
    environment = {"PATH": f"{bin_folder}:/usr/bin:/bin", "HOME": str(tmp_path)}

    def shell(line: str) -> str:
        done = subprocess.run(
            ["sh", "-c", line],
            cwd=tmp_path / "assay-try",
            env=environment,
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, f"{line}: {done.stdout}{done.stderr}"
        return done.stdout

    (tmp_path / "assay-try" / "example.py").write_text(snippet)
    assert shell("python example.py") == "Example Exchange claimed ['BTC', 'ETH', 'USDT']\n"
    assert shell(command) == f"{answer}\n"
