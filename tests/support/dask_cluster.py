"""A scheduler and workers of Dask on loopback: real processes, and their certificates."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

ROOT = Path(__file__).parents[2]
SETTINGS = ROOT / "verifier" / "cluster" / "dask.yaml"
START_SECONDS = 60


def write_certificates(folder: Path, days: int = 1) -> Path:
    """Write ca.pem, cert.pem and key.pem of an authority of their own; return the folder."""
    folder.mkdir(mode=0o700)
    authority, key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, folder.name)])
    now = datetime.now(UTC)

    def signed(subject: str, owner: ec.EllipticCurvePrivateKey, end: timedelta, *, ca: bool):
        is_ca = x509.BasicConstraints(ca=ca, path_length=None)
        return (
            x509.CertificateBuilder()
            .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, subject)]))
            .issuer_name(name)
            .public_key(owner.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(days=3))
            .not_valid_after(now + end)
            .add_extension(is_ca, critical=True)
            .sign(authority, hashes.SHA256())
            .public_bytes(serialization.Encoding.PEM)
        )

    (folder / "ca.pem").write_bytes(signed(folder.name, authority, timedelta(days=1), ca=True))
    (folder / "cert.pem").write_bytes(signed("node", key, timedelta(days=days), ca=False))
    (folder / "key.pem").touch(0o600)
    (folder / "key.pem").write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return folder


class Processes:
    """Starts schedulers and workers, and ends those that it started; ``folder`` has their logs."""

    def __init__(self, folder: Path, tls: Path) -> None:
        self.folder = folder
        self.tls = tls
        self.started: dict[str, subprocess.Popen[bytes]] = {}

    def start(
        self,
        role: str,
        name: str,
        *arguments: str,
        settings: Mapping[str, str] | None = None,
        namespace: str = "",
    ) -> subprocess.Popen[bytes]:
        """Start a ``scheduler`` or ``worker``, perhaps in a network namespace.

        ``settings`` are its own environment variables.
        """
        command = ["ip", "netns", "exec", namespace] if namespace else []
        command += [sys.executable, "-m", f"distributed.cli.dask_{role}", *arguments]
        environment = {
            **os.environ,
            "DASK_CONFIG": str(SETTINGS),
            "PYTHONPATH": str(ROOT),
            "DASK_TEMPORARY_DIRECTORY": str(self.folder),
            **(settings or {}),
        }
        with self.log(name).open("wb") as log:
            process = subprocess.Popen(
                command,
                stdout=log,
                stderr=log,
                cwd=self.folder,
                env=environment,
                umask=0o022,
                start_new_session=True,
            )
        self.started[name] = process
        return process

    def log(self, name: str) -> Path:
        """Return the file that a process writes to."""
        return self.folder / f"{name}.log"

    def scheduler(self, host: str = "127.0.0.1") -> str:
        """Start a scheduler; return its address."""
        self.start(
            "scheduler", "scheduler", "--protocol=tls", f"--host={host}", "--port=0",
            "--no-dashboard", f"--dashboard-address={host}:0", *self.keys(),
        )  # fmt: skip
        return self.wait_for("scheduler", r"Scheduler at:\s+(tls://\S+)")

    def worker(
        self,
        address: str,
        name: str,
        *arguments: str,
        settings: Mapping[str, str] | None = None,
        host: str = "127.0.0.1",
        namespace: str = "",
    ) -> subprocess.Popen[bytes]:
        """Start a worker of one thread."""
        return self.start(
            "worker", name, address, f"--host={host}", "--nthreads=1", "--no-dashboard",
            f"--name={name}", *self.keys(), *arguments, settings=settings, namespace=namespace,
        )  # fmt: skip

    def keys(self) -> list[str]:
        """Return the options that name the certificates."""
        ca, certificate, key = (self.tls / name for name in ("ca.pem", "cert.pem", "key.pem"))
        return [f"--tls-ca-file={ca}", f"--tls-cert={certificate}", f"--tls-key={key}"]

    def wait_for(self, name: str, pattern: str) -> str:
        """Wait for a line of a log; return its first group."""
        end = time.monotonic() + START_SECONDS
        while time.monotonic() < end:
            text = self.log(name).read_text()
            if found := re.search(pattern, text):
                return found[1]
            assert self.started[name].poll() is None, text
            time.sleep(0.1)
        raise AssertionError(text)

    def close(self) -> None:
        """Kill them all, and what they started."""
        for process in self.started.values():
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


@contextmanager
def processes(folder: Path, tls: Path) -> Iterator[Processes]:
    """Give what starts processes, and end them."""
    made = Processes(folder, tls)
    try:
        yield made
    finally:
        made.close()
