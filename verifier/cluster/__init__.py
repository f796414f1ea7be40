"""An engine over several machines: the scheduler and the workers of Dask, over TLS alone.

Invariants: a task's pickled form, and so all that scheduler and workers are told, is a place and
numbers. What a task reads and writes goes through files, never through the engine. Scheduler and
workers are talked to only where `verifier.cluster.worker` looked them over and has this version.
An error that is not the project's own comes back as its type alone, since a worker logs it.

`distributed` is the extra ``[cluster]``, and loaded when a `Cluster` is made.
"""

from __future__ import annotations

import os
import pickle
import secrets
import socket
import ssl
import stat
import time
from collections.abc import Callable, Collection, Generator, Iterable, Iterator
from concurrent.futures import CancelledError
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, TypeVar
from urllib.parse import urlsplit

from verifier.cluster.worker import served_version, version
from verifier.errors import ClusterError, Misuse, StageFailed
from verifier.ordered import take_in_order

if TYPE_CHECKING:
    from distributed import Client, Future

Result = TypeVar("Result")

CA, CERTIFICATE, KEY = "ca.pem", "cert.pem", "key.pem"

# So many tasks a thread of a worker are with the scheduler: it is never out of work.
_AHEAD = 4
_RETRIES = 5
_CONNECT_SECONDS = 10
# Below 11 s an assertion of distributed's fails in every connection.
_DEAD_SECONDS = 12
_NO_WORKER_SECONDS = 60
_LOOK_SECONDS = 5
_CLOSE_SECONDS = 5

_OWN = frozenset({"prover", "verifier"})


class Cluster:
    """An `Engine`: the workers of the scheduler at ``address``, tls://HOST:PORT.

    ``tls`` is a folder with the certificate of the authority, and with certificate and key of who
    drives: ca.pem, cert.pem and key.pem.
    """

    is_local = False

    def __init__(self, address: str, tls: Path) -> None:
        _check_connection(address, tls)
        self._address = address
        self._client = _connect(address, tls)
        try:
            self.jobs = sum(self._wait_for_workers().values())
            self._check_versions()
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Let go of the scheduler, and so of what it still has to do."""
        with suppress(OSError, RuntimeError):  # it may be gone
            self._client.close(_CLOSE_SECONDS)

    def check_folder(self, folder: Path) -> None:
        """See `Engine`: every worker is asked to answer a file of this machine with one beside it.

        Raises:
            ClusterError: it names the workers that do not.
        """
        question = folder / f"question-{secrets.token_hex(8)}"
        asked = secrets.token_bytes(32)
        question.write_bytes(asked)
        try:
            with self._told():
                answers = self._client.run(_answer, str(question), on_error="return")
            away = [
                worker for worker, name in sorted(answers.items()) if not _is_answer(name, asked)
            ]
        finally:
            for path in folder.glob(f"{question.name}*"):
                path.unlink()
        if away:
            raise ClusterError(
                f"{folder}: not a folder of this machine, or not to be written to, at "
                f"{', '.join(away)}; every machine needs the same storage at the same path, and "
                "the same user"
            )

    def run(
        self, stage: str, task: Callable[[int], Result], numbers: Iterable[int]
    ) -> Generator[Result, None, None]:
        """See `Engine`.

        Raises:
            ClusterError: the scheduler or the workers are gone, or a task failed for good.
        """
        name = f"{stage}-{secrets.token_hex(8)}"
        checked = _Task(stage, version(), pickle.dumps(task))

        def submit(number: int) -> _Pending[Result]:
            with self._told():
                future = self._client.submit(
                    checked, number, key=f"{name}-{number}", pure=False, retries=_RETRIES
                )
            return _Pending(future, partial(self._take, future))

        return take_in_order(submit, numbers, _AHEAD * self.jobs, self._cancel)

    def _take(self, future: Future) -> Any:
        """Wait for the outcome of a task, as long as there are workers."""
        while True:
            with self._told():
                try:
                    value, error = future.result(_LOOK_SECONDS)
                except TimeoutError:
                    self._wait_for_workers()
                    continue
            if error is not None:
                raise error
            return value

    def _cancel(self, waiting: Collection[_Pending[Any]]) -> None:
        with suppress(OSError, RuntimeError, CancelledError):  # the scheduler may be gone
            self._client.cancel([pending.future for pending in waiting])

    def _wait_for_workers(self) -> dict[str, int]:
        """Return the threads of each worker, once there is one.

        Raises:
            ClusterError: none comes for a minute.
        """
        end = time.monotonic() + _NO_WORKER_SECONDS
        while True:
            with self._told():
                found: dict[str, int] = self._client.nthreads()
            if found:
                return found
            if time.monotonic() > end:
                raise ClusterError(
                    f"no worker has been with the scheduler at {self._address} for "
                    f"{_NO_WORKER_SECONDS} s; start some, and read the log of one that ended"
                )
            time.sleep(1)

    def _check_versions(self) -> None:
        """Refuse who was not started with `verifier.cluster.worker`, or has another version.

        Raises:
            ClusterError: it names them.
        """
        with self._told():
            found: dict[str, object] = {"scheduler": self._served_by_scheduler()}
            found |= self._client.run(served_version, on_error="return")
        wrong = [
            f"{name} ({served})" if isinstance(served, str) and served else name
            for name, served in sorted(found.items())
            if served != version()
        ]
        if wrong:
            raise ClusterError(
                f"not of version {version()}, or started without --preload "
                f"verifier.cluster.worker: {', '.join(wrong)}"
            )

    def _served_by_scheduler(self) -> str:
        try:
            served: str = self._client.run_on_scheduler(served_version)
        except ImportError:
            return ""
        return served

    @contextmanager
    def _told(self) -> Iterator[None]:
        """Say of what `distributed` raises what it means."""
        from distributed.scheduler import KilledWorker

        try:
            yield
        except (CancelledError, OSError, RuntimeError):
            raise ClusterError(
                f"the scheduler at {self._address} is gone; start it and its workers again, and "
                "then this command"
            ) from None
        except KilledWorker as error:
            raise ClusterError(
                f"{error.allowed_failures + 1} workers died over task {error.task}; read their "
                "logs, and look for too little memory"
            ) from None


def _answer(question: str) -> str:
    """Write what is in a file into another one beside it; return that one's path."""
    answer = Path(f"{question}.{secrets.token_hex(8)}")
    answer.write_bytes(Path(question).read_bytes())
    return str(answer)


def _is_answer(name: object, asked: bytes) -> bool:
    """Tell whether a worker's answer is here."""
    if not isinstance(name, str) or not Path(name).is_file():
        return False
    with Path(name).open("rb") as file:
        return file.read(len(asked) + 1) == asked


@dataclass(frozen=True, slots=True)
class _Pending(Generic[Result]):
    """A task that was handed over; ``result`` waits for what it returns."""

    future: Future
    result: Callable[[], Result]


@dataclass(frozen=True, slots=True)
class _Task:
    """What a worker calls: it returns what the task returns, or the error that it raised.

    Only what may pass is raised there, so that it is tried again. The scheduler unpickles what it
    passes on, so the task is pickled in it: only where it runs does it load its files.
    """

    stage: str
    version: str
    task: bytes = field(repr=False)

    def __call__(self, number: int) -> tuple[Any, Exception | None]:
        """Run the task.

        Raises:
            StageFailed: the system failed it.
        """
        if served_version() != self.version:
            return None, ClusterError(f"a worker came that has not version {self.version}")
        try:
            task: Callable[[int], Any] = pickle.loads(self.task)  # noqa: S301 (of the same client)
            return task(number), None
        except OSError as error:
            # What the system says of a full disk is no data; the name of a file is not told.
            words = os.strerror(error.errno) if error.errno else type(error).__name__
            raise StageFailed(self.stage, number, words) from None
        except Exception as error:
            return None, error if _is_told(error) else self._failed(number, error)

    def _failed(self, number: int, error: Exception) -> StageFailed:
        return StageFailed(self.stage, number, type(error).__name__)


def _is_told(error: Exception) -> bool:
    """Tell whether an error is the project's own, and the same after its way."""
    if type(error).__module__.partition(".")[0] not in _OWN:
        return False
    try:
        return str(pickle.loads(pickle.dumps(error))) == str(error)  # noqa: S301 (made here)
    except Exception:
        return False


def _connect(address: str, tls: Path) -> Client:
    try:
        import dask

        # Whoever asked for a proof or an audit is told by it, not by the log of a library.
        dask.config.set({"logging": {"distributed": "critical", "distributed.client": "critical"}})
        from distributed import Client
        from distributed.security import Security
    except ImportError as error:
        raise Misuse(f"--cluster needs pip install 'assay[cluster]': no {error.name}") from None

    dask.config.set(
        {
            "distributed.comm.timeouts.connect": f"{_CONNECT_SECONDS}s",
            "distributed.comm.timeouts.tcp": f"{_DEAD_SECONDS}s",
        }
    )
    security = Security(
        require_encryption=True,
        tls_ca_file=str(tls / CA),
        tls_client_cert=str(tls / CERTIFICATE),
        tls_client_key=str(tls / KEY),
    )
    try:
        return Client(address, security=security, timeout=_CONNECT_SECONDS, set_as_default=False)
    except (OSError, RuntimeError) as error:
        raise ClusterError(f"no scheduler of Dask at {address}: {type(error).__name__}") from None


def _check_connection(address: str, tls: Path) -> None:
    """Say what keeps the scheduler and this machine from talking, if anything does.

    Raises:
        ClusterError: it names the remedy.
    """
    try:
        parts = urlsplit(address)
        host, port = parts.hostname, parts.port
    except ValueError:
        host = port = None
    if not address.startswith("tls://") or not host or not port:
        raise ClusterError("the scheduler's address is tls://HOST:PORT; nothing goes without TLS")
    context = _context(tls)
    try:
        with (
            socket.create_connection((host, port), _CONNECT_SECONDS) as plain,
            context.wrap_socket(plain, server_hostname=host) as talking,
        ):
            # It speaks first; with TLS 1.3 it refuses a certificate only here.
            if not talking.recv(1):
                raise ClusterError(f"the scheduler at {address} closes the connection")
    except ssl.SSLCertVerificationError as error:
        raise ClusterError(
            f"the certificate of the scheduler at {address} does not hold: "
            f"{error.verify_message}; {tls / CA} must be of the authority that signed it"
        ) from None
    except ssl.SSLError as error:
        reason = (error.reason or "no TLS").lower().replace("_", " ")
        raise ClusterError(
            f"the scheduler at {address} does not take {tls / CERTIFICATE}: {reason}; it must be "
            "signed by the scheduler's own authority"
        ) from None
    except OSError as error:
        raise ClusterError(
            f"no scheduler answers at {address}: {error.strerror or 'time-out'}; start it, or "
            "correct --cluster"
        ) from None


def _context(tls: Path) -> ssl.SSLContext:
    """Return what the files of a folder let one talk with.

    Raises:
        ClusterError: they do not, or the key is not private.
    """
    from cryptography import x509  # the command's help needs none of it

    certificate, key = tls / CERTIFICATE, tls / KEY
    try:
        if stat.S_IMODE(key.stat().st_mode) & 0o077:
            raise ClusterError(f"{key}: others may read it; run chmod 600")
        context = ssl.create_default_context(cafile=tls / CA)
        context.check_hostname = False  # who has a certificate of this authority is of the cluster
        context.load_cert_chain(certificate, key)
        ends = x509.load_pem_x509_certificate(certificate.read_bytes()).not_valid_after_utc
    except ssl.SSLError as error:
        reason = (error.reason or "no PEM").lower().replace("_", " ")
        raise ClusterError(f"{tls}: {CA}, {CERTIFICATE} and {KEY} do not fit: {reason}") from None
    except OSError as error:
        raise ClusterError(f"{error.filename or tls}: {error.strerror}") from None
    if ends < datetime.now(UTC):
        raise ClusterError(f"{certificate}: expired on {ends:%Y-%m-%d}; have a new one signed")
    return context
