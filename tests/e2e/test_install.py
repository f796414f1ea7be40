"""The wheel, installed without extras: the verifier works, the prover says what it lacks."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
UV = ROOT / ".tools/bin/uv"

pytestmark = pytest.mark.slow


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


@pytest.fixture(scope="module")
def scripts(wheel: Path) -> Path:
    """Install the wheel at the locked versions, without extras; return the scripts' folder."""
    venv, locked = wheel.parent / "venv", wheel.parent / "locked.txt"
    export = ("--locked", "--no-default-groups", "--no-emit-project", "--no-hashes")
    run(UV, "export", "--quiet", "--project", ROOT, *export, "-o", locked)
    run(UV, "venv", "--quiet", "--python", sys.executable, venv)
    run(UV, "pip", "install", "--quiet", "--python", venv, "--constraints", locked, wheel)
    return venv / "bin"


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


def test_verifier_runs_without_extras(scripts: Path) -> None:
    assert "usage: assay-verify" in run(scripts / "assay-verify", "--help").stdout
    listed = run(UV, "pip", "list", "--quiet", "--python", scripts.parent).stdout
    assert "numpy" not in listed
    assert "fastapi" not in listed


def test_prover_without_its_extra_says_what_to_install(scripts: Path) -> None:
    done = subprocess.run([scripts / "assay", "--help"], cwd="/", capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (1, "")
    assert len(done.stderr.splitlines()) == 1
    assert "assay[prover]" in done.stderr
