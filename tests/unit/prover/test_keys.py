"""The exchange's private keys and the log of what one has signed."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from prover.errors import ProverError
from prover.files import keys
from prover.files.keys import (
    Signed,
    SigningLog,
    make_keys,
    public_bytes,
    read_master_key,
    read_signing_key,
)
from verifier.format.keys import public_key_text


def test_keys_are_made_private_and_never_overwritten(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "keys"
    text = make_keys(folder)
    signing = read_signing_key(folder / "signing.pem")
    assert public_key_text(public_bytes(signing)) == text
    assert (folder / "exchange.pub").read_text() == f"{text}\n"
    assert len(read_master_key(folder / "master.key")) == 32
    for name in ("signing.pem", "master.key"):
        assert stat.S_IMODE((folder / name).stat().st_mode) == 0o600
    before = (folder / "signing.pem").read_bytes()
    with pytest.raises(ProverError, match="never overwritten"):
        make_keys(folder)
    assert (folder / "signing.pem").read_bytes() == before


def test_keys_that_cannot_all_be_finished_are_not_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(path: Path, _: int) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO), str(path))

    monkeypatch.setattr(Path, "chmod", fail)
    with pytest.raises(OSError, match=r"exchange\.pub"):
        make_keys(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_every_existing_file_stops_all_three(tmp_path: Path) -> None:
    (tmp_path / "exchange.pub").write_text("mine")
    with pytest.raises(ProverError, match=r"exchange\.pub exists already"):
        make_keys(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["exchange.pub"]


def test_keys_are_written_together_or_not_at_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(path: Path, data: bytes) -> None:
        if path.name == "master.key":
            raise OSError(28, "No space left on device")
        path.write_bytes(data)

    with monkeypatch.context() as patched:
        patched.setattr(keys, "create_private", full)
        with pytest.raises(OSError, match="No space"):
            make_keys(tmp_path)
    assert list(tmp_path.iterdir()) == []
    make_keys(tmp_path)
    assert (tmp_path / "exchange.pub").stat().st_mode & 0o777 == 0o644


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o602])
@pytest.mark.parametrize("name", ["signing.pem", "master.key"])
def test_a_key_that_others_can_reach_is_refused(tmp_path: Path, name: str, mode: int) -> None:
    make_keys(tmp_path)
    (tmp_path / name).chmod(mode)
    read = read_signing_key if name == "signing.pem" else read_master_key
    with pytest.raises(ProverError, match=f"{name}: a key file must be its owner's alone"):
        read(tmp_path / name)


def write(path: Path, data: bytes) -> Path:
    path.touch(mode=0o600)
    path.write_bytes(data)
    return path


@pytest.mark.parametrize(
    "text", [b"", b"ab" * 31, b"AB" * 32, b"ab" * 32 + b"\n\n", b"0x" + b"ab" * 31, b"ab" * 33]
)
def test_a_malformed_master_key_is_refused(tmp_path: Path, text: bytes) -> None:
    with pytest.raises(ProverError, match="64 lower-case hex digits") as refused:
        read_master_key(write(tmp_path / "master.key", text))
    assert "abab" not in str(refused.value)


def test_another_kind_of_signing_key_is_refused(tmp_path: Path) -> None:
    other = generate_private_key(SECP256R1()).private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
    )
    for data in (other, b"", b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"):
        with pytest.raises(ProverError, match="not an Ed25519 private key"):
            read_signing_key(write(tmp_path / "signing.pem", data))
    with pytest.raises(ProverError, match="No such file"):
        read_signing_key(tmp_path / "none.pem")


def signing(name: str, digest: int, previous: int = 0) -> Signed:
    return Signed(name, bytes([digest]) * 32, bytes([previous]) * 32)


def line_of(name: str, digest: int, previous: int = 0) -> str:
    return f"{name} {bytes([digest]).hex() * 32} {bytes([previous]).hex() * 32}\n"


def test_a_second_digest_for_one_snapshot_is_refused(tmp_path: Path) -> None:
    log = SigningLog(tmp_path / "signing.pem")
    assert log.digest_of("one") is None
    log.record(signing("one", 1))
    log.record(signing("two", 2, 1))
    log.record(signing("one", 1))
    with pytest.raises(ProverError, match="another manifest for snapshot one"):
        log.record(signing("one", 3))
    assert log.path.read_text() == line_of("one", 1) + line_of("two", 2, 1)
    assert stat.S_IMODE(log.path.stat().st_mode) == 0o600
    assert log.digest_of("one") == b"\x01" * 32


@pytest.mark.parametrize("previous", [0, 1])
def test_a_second_snapshot_after_one_is_refused(tmp_path: Path, previous: int) -> None:
    log = SigningLog(tmp_path / "signing.pem")
    log.record(signing("two", 2, previous))
    with pytest.raises(ProverError, match="has signed snapshot two already"):
        log.record(signing("three", 3, previous))
    with pytest.raises(ProverError, match="has signed snapshot two already"):
        log.check("three", bytes([previous]) * 32, ["one", "four"])
    log.check("two", bytes([previous]) * 32, [])
    log.check("three", b"\x02" * 32, [])
    log.record(signing("three", 3, previous), ["two"])
    with pytest.raises(ProverError, match="has signed snapshot three already"):
        log.record(signing("four", 4, previous), ["two"])
    assert log.path.read_text() == line_of("two", 2, previous) + line_of("three", 3, previous)


@pytest.mark.parametrize("torn", [1, 4, 36, 67, 68, 69, 132])
def test_a_line_torn_by_a_crash_stands_for_nothing(tmp_path: Path, torn: int) -> None:
    log = SigningLog(tmp_path / "signing.pem")
    log.path.write_text(line_of("zero", 0, 9) + line_of("one", 1)[:torn])
    log.record(signing("one", 2))
    assert log.digest_of("one") == b"\x02" * 32
    assert log.digest_of("zero") == bytes(32)


def test_a_whole_line_without_its_end_counts(tmp_path: Path) -> None:
    log = SigningLog(tmp_path / "signing.pem")
    log.path.write_text(line_of("one", 1).rstrip())
    with pytest.raises(ProverError, match="another manifest"):
        log.record(signing("one", 2))


def test_all_links_to_a_key_share_its_log(tmp_path: Path) -> None:
    make_keys(tmp_path)
    (tmp_path / "elsewhere").mkdir()
    link = tmp_path / "elsewhere" / "key.pem"
    link.symlink_to(tmp_path / "signing.pem")
    SigningLog(tmp_path / "signing.pem").record(signing("one", 1))
    with pytest.raises(ProverError, match="another manifest"):
        SigningLog(link).record(signing("one", 2))
