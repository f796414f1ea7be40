"""Jobs in processes of their own, each of which ends with its job, its time, or the host.

Invariants: the host kills a job at its limit of time, wherever it is: no parser, signature, page or
server can prolong it. A job's memory is bounded, it writes no file, and it is what the kernel kills
first where memory runs out. What it answers is read as untrusted: a bounded record, and nothing
that is executed.
"""

from __future__ import annotations

import contextlib
import ctypes
import logging
import os
import resource
import selectors
import signal
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import get_type_hints

from verifier.collector import collect_seldom
from verifier.errors import CannotCheck, Code, Misuse, Rejected
from verifier.format.params import MAX_MANIFEST_BYTES
from verifier.format.wire import read_record, write_record
from verifier.host.door import HostDoor, LoopbackDoor, PublicDoor
from verifier.host.jobs import KINDS, Answer, Job, Limits, Stopped

LOG = logging.getLogger("assay.host")

# Above that of a manifest with its signature, which is the largest.
MAX_ANSWER_BYTES = MAX_MANIFEST_BYTES + 2**16

_PIECE = 1 << 16

_ANSWERED, _ENDED = b"\1", b"\0"
_KIND_BY_NAME = {kind.__name__: kind for kind in KINDS}
_PR_SET_PDEATHSIG = 1


@dataclass(frozen=True, slots=True)
class Ended:
    """How a job ended without an answer: the exception's name, and what it says."""

    code: str
    exception: str
    message: str
    where: str


class Processes:
    """Runs jobs, one process each; may be called from any thread."""

    def __init__(self, *, loopback: bool) -> None:
        self._loopback = int(loopback)
        self._running: set[subprocess.Popen[bytes]] = set()
        self._lock = threading.Lock()
        self._closed = False

    def close(self) -> None:
        """Kill what runs, and start no more."""
        with self._lock:
            self._closed = True
            for process in self._running:
                process.kill()

    def __call__(self, job: Job[Answer], limits: Limits) -> Answer:
        """See `verifier.host.jobs.Run`."""
        with self._started(job, limits) as process:
            data = _exchange(process, write_record(job), limits.seconds)
        if self._closed:
            raise Stopped
        if data is None:
            raise _no_answer(f"it took longer than {limits.seconds:,} seconds")
        return _read_answer(job, data)

    @contextlib.contextmanager
    def _started(self, job: Job[Answer], limits: Limits) -> Iterator[subprocess.Popen[bytes]]:
        arguments = [type(job).__name__, os.getpid(), limits.memory, limits.nice, self._loopback]
        command = [sys.executable, "-P", "-m", __name__, *map(str, arguments)]
        with self._lock:
            if self._closed:
                raise Stopped
            # Started by a thread that outlives it: the kernel counts its end as the parent's.
            try:
                process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
            except OSError as error:
                raise _no_answer(f"no process can be started: {error.strerror}") from None
            self._running.add(process)
        try:
            yield process
        finally:
            process.kill()
            with self._lock:
                self._running.discard(process)
            with process:  # closes the pipes, and waits
                pass


def _exchange(process: subprocess.Popen[bytes], job: bytes, seconds: float) -> bytes | None:
    """Write a job, and return what comes until the end, or one byte more than an answer may have;
    None if that takes longer, whoever else holds the other ends of the pipes.
    """
    end, left, answer = time.monotonic() + seconds, memoryview(job), bytearray()
    with selectors.DefaultSelector() as selector:
        for pipe, event in (
            (process.stdin, selectors.EVENT_WRITE),
            (process.stdout, selectors.EVENT_READ),
        ):
            assert pipe is not None  # noqa: S101 (both are pipes)
            os.set_blocking(pipe.fileno(), False)
            selector.register(pipe, event)
        while (wait := end - time.monotonic()) > 0:
            for key, event in selector.select(wait):
                if event == selectors.EVENT_READ:
                    part = os.read(key.fd, _PIECE)
                    answer += part
                    if not part or len(answer) > MAX_ANSWER_BYTES:
                        return bytes(answer)
                    continue
                try:
                    left = left[os.write(key.fd, left[:_PIECE]) :]
                except BrokenPipeError:  # it ended; the other pipe tells what it said
                    left = left[:0]
                if not left:
                    selector.unregister(key.fileobj)
                    process.stdin.close()  # type: ignore[union-attr]
    return None


def _read_answer(job: Job[Answer], data: bytes) -> Answer:
    """Return what a job answered, or raise what it raised."""
    kind: type[Answer] = get_type_hints(type(job).do)["return"]
    try:
        if len(data) > MAX_ANSWER_BYTES:
            raise ValueError
        if data[:1] == _ANSWERED:
            return read_record(kind, data[1:])
        ended = read_record(Ended, data[1:])
        error = _exception(ended)
    except ValueError:
        raise _no_answer("the process that did it ended without an answer") from None
    if error is None:
        LOG.error("%s failed: %s at %s", type(job).__name__, ended.exception, ended.where)
        raise _no_answer("this host failed at it")
    raise error


def _exception(ended: Ended) -> Exception | None:
    match ended.exception:
        case "Rejected":
            return Rejected(Code(ended.code), ended.where, ended.message)
        case "CannotCheck":
            return CannotCheck(Code(ended.code), ended.message)
        case "Misuse":
            return Misuse(ended.message)
    return None


def _no_answer(message: str) -> CannotCheck:
    return CannotCheck(Code.CHECK_UNREADABLE, message)


def main() -> None:
    """Do the job that the arguments name, and that standard input holds; answer on the output."""
    collect_seldom()
    name, parent, memory, nice, loopback = sys.argv[1:]
    _confine(int(parent), int(memory), int(nice))
    door: HostDoor = LoopbackDoor() if int(loopback) else PublicDoor()
    try:
        job = read_record(_KIND_BY_NAME[name], sys.stdin.buffer.read())
        answer = _ANSWERED + write_record(job.do(door))
    except Exception as error:
        answer = _ENDED + write_record(_ended(error))
    sys.stdout.buffer.write(answer)


def _confine(parent: int, memory: int, nice: int) -> None:
    """Bound this process, and tie it to the host's."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal's is for the host, which ends this
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:  # it ended before
        sys.exit(1)
    os.nice(nice)
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("1000")
    resource.setrlimit(resource.RLIMIT_DATA, (memory, memory))
    for kind in (resource.RLIMIT_CORE, resource.RLIMIT_FSIZE):
        resource.setrlimit(kind, (0, 0))


def _ended(error: Exception) -> Ended:
    match error:
        case Rejected():
            return Ended(error.code, "Rejected", error.message, error.where)
        case CannotCheck():
            return Ended(error.code, "CannotCheck", error.message, "")
        case Misuse():
            return Ended("", "Misuse", str(error), "")
        case MemoryError():
            message = "it needs more memory than this host gives one check"
            return Ended(Code.CHECK_UNREADABLE, "CannotCheck", message, "")
    # One of ours. Its text may quote what was read; where it was raised says enough.
    *_, (frame, line) = traceback.walk_tb(error.__traceback__)
    return Ended("", type(error).__name__, "", f"{Path(frame.f_code.co_filename).name}:{line}")


if __name__ == "__main__":
    main()
