"""Faults that JSON cannot hold: links, special files, empty folders, files above their limit."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import spec.reference as reference
import verifier
from tests.support.bases import base, base_files, manifest_of
from tests.support.forged_sample import ALICE
from tests.support.forger import pack
from tests.support.subjects import write_files

Code = Callable[[Path], str]


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    return write_files(tmp_path / "bundle", base_files("honest"))


@pytest.fixture(params=["verifier", "reference"])
def code_of(request: pytest.FixtureRequest) -> Callable[[Path], str]:
    """What one of the two verifiers says of a bundle."""
    key = base("honest").forger.public_key
    audits: dict[str, Callable[[Path, bytes], object]] = {
        "verifier": verifier.audit,
        "reference": reference.audit,
    }
    audit = audits[request.param]

    def code(bundle: Path) -> str:
        try:
            audit(bundle, key)
        except (verifier.Rejected, verifier.CannotCheck) as fault:
            return str(fault.code.value)
        except (reference.Rejected, reference.NotCheckedError) as fault:
            return fault.code
        pytest.fail("it was accepted")

    return code


def replaced(bundle: Path, path: str, make: Callable[[Path, Path], None]) -> None:
    """Move a file away and put something else in its place."""
    file = bundle / path
    elsewhere = file.rename(bundle.parent / "elsewhere")
    make(file, elsewhere)


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("manifest.msgpack", "check.no-bundle"),
        ("manifest.sig", "check.no-bundle"),
        ("evidence/BTC.msgpack", "bundle.unexpected-file"),
        ("pages/ETH/0", "bundle.unexpected-file"),
        ("arguments.msgpack", "bundle.unexpected-file"),
        ("arguments/ETH/0", "bundle.unexpected-file"),
    ],
)
def test_a_link_to_the_true_file_is_refused(
    bundle: Path, code_of: Code, path: str, code: str
) -> None:
    replaced(bundle, path, lambda file, elsewhere: file.symlink_to(elsewhere))
    assert code_of(bundle) == code


def test_a_link_to_the_true_folder_is_refused(bundle: Path, code_of: Code) -> None:
    replaced(bundle, "pages", lambda file, elsewhere: file.symlink_to(elsewhere))
    assert code_of(bundle) == "bundle.unexpected-file"


def test_a_dangling_link_beside_is_refused(bundle: Path, code_of: Code) -> None:
    (bundle / "note").symlink_to("nowhere")
    assert code_of(bundle) == "bundle.unexpected-file"


def test_a_pipe_is_refused_without_waiting_for_a_writer(bundle: Path, code_of: Code) -> None:
    replaced(bundle, "pages/ETH/0", lambda file, _: os.mkfifo(file))
    assert code_of(bundle) == "bundle.unexpected-file"


@pytest.mark.parametrize("folder", ["empty", "pages/XMR", "pages/BTC/2", "arguments/BTC/2"])
def test_an_empty_folder_is_refused(bundle: Path, code_of: Code, folder: str) -> None:
    (bundle / folder).mkdir()
    assert code_of(bundle) == "bundle.unexpected-file"


@pytest.mark.parametrize("folder", ["evidence", "pages", "pages/BTC", "arguments"])
def test_a_folder_of_the_bundle_that_is_empty_is_refused(
    bundle: Path, code_of: Code, folder: str
) -> None:
    """An empty folder is one file too many, whatever should be in it."""
    replaced(bundle, folder, lambda file, _: file.mkdir())
    assert code_of(bundle) == "bundle.unexpected-file"


@pytest.mark.parametrize("folder", ["evidence", "pages", "pages/BTC", "arguments"])
def test_a_folder_of_the_bundle_that_is_not_there_is_missing(
    bundle: Path, code_of: Code, folder: str
) -> None:
    (bundle / folder).rename(bundle.parent / "elsewhere")
    assert code_of(bundle) == "bundle.missing-file"


def test_a_manifest_above_its_limit_is_refused(bundle: Path, code_of: Code) -> None:
    write_files(bundle, base("honest").forger.seal(bytes(2**24 + 1)))
    assert code_of(bundle) == "manifest.too-large"


def test_a_manifest_at_its_limit_is_read(bundle: Path, code_of: Code) -> None:
    write_files(bundle, base("honest").forger.seal(bytes(2**24)))
    assert code_of(bundle) == "manifest.not-canonical"


def test_evidence_above_its_limit_is_refused(bundle: Path, code_of: Code) -> None:
    os.truncate(bundle / "evidence/BTC.msgpack", 2**27 + 1)
    assert code_of(bundle) == "evidence.too-large"


def test_evidence_at_its_limit_is_read(bundle: Path, code_of: Code) -> None:
    os.truncate(bundle / "evidence/BTC.msgpack", 2**27)
    assert code_of(bundle) == "evidence.wrong-digest"


def test_more_than_4096_assets_are_refused(bundle: Path, code_of: Code) -> None:
    fields = manifest_of(base_files("honest"))
    fields["assets"] = [fields["assets"][0]] * 4097
    write_files(bundle, base("honest").forger.seal(pack(fields)))
    assert code_of(bundle) == "manifest.bad-fields"


def test_a_record_above_its_limit_is_refused(bundle: Path, code_of: Code) -> None:
    write_files(bundle, base("honest").forger.seal_record(bytes(2**20 + 1)))
    assert code_of(bundle) == "record.too-large"


def test_a_record_at_its_limit_is_read(bundle: Path, code_of: Code) -> None:
    write_files(bundle, base("honest").forger.seal_record(bytes(2**20)))
    assert code_of(bundle) == "record.not-canonical"


@pytest.mark.parametrize("reader", [verifier, reference], ids=["verifier", "reference"])
def test_a_package_above_its_limit_is_refused(bundle: Path, reader: Any) -> None:
    key, typed = base("honest").forger.public_key, {"BTC": "0"}
    for size, code in ((2**23 + 1, "package.too-large"), (2**23, "package.not-canonical")):
        with pytest.raises(reader.Rejected, match=code):
            reader.check_inclusion(bytes(size), bundle, key, ALICE, typed)
