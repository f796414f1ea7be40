"""The host's jobs in processes of their own: what they answer, and that every limit ends them."""

from __future__ import annotations

import hashlib
import logging
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from dataclasses import asdict, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgpack
import psutil
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from tests.support.auditing_host import InPlace, bundle_at, serving
from tests.support.forged_sample import BTC, ETH, sample
from tests.support.forger import Lies
from tests.support.proven import block, proven
from tests.support.subjects import write_files
from tests.support.verifier_bundle import DECIMALS, UNITS, Bundle
from verifier import audit
from verifier.bundle.unit_lists import UnitList
from verifier.checks.manifest import rotation_body
from verifier.errors import CannotCheck, Misuse, Rejected
from verifier.format.keys import is_signed, sign
from verifier.format.units import KnownUnit
from verifier.format.wire import Loan, Rotation, Unit, write_record
from verifier.host import jobs, processes
from verifier.host.answers import TEMPLATES, Table
from verifier.host.attestation import NO_DAY, NO_NODE, SET_ASIDE
from verifier.host.audits import RETRY_SECONDS, Auditor
from verifier.host.door import LoopbackDoor
from verifier.host.facts import judged, snapshot_facts
from verifier.host.feed import feed_of
from verifier.host.jobs import (
    AuditBundle,
    CheckPackage,
    Limits,
    ReadIndex,
    ReadManifest,
    Stopped,
    _declared,
)
from verifier.host.pages import Views
from verifier.host.processes import Processes
from verifier.host.settings import Settings, WatchedExchange
from verifier.host.store import Store

AMPLE = Limits(seconds=120, memory=2**30)
SHORT = Limits(seconds=2, memory=2**30)
HERE = InPlace(LoopbackDoor())


@pytest.fixture
def run() -> Iterator[Processes]:
    made = Processes(loopback=True)
    yield made
    made.close()
    assert children() == []


def children() -> list[psutil.Process]:
    """The processes of jobs."""
    return [
        child
        for child in psutil.Process().children(recursive=True)
        if child.status() != psutil.STATUS_ZOMBIE and processes.__name__ in child.cmdline()
    ]


def only_child() -> psutil.Process:
    """The process of a job that was begun, once it has put itself under its limits."""
    for _ in range(600):
        found = children()
        if found and Path(f"/proc/{found[0].pid}/oom_score_adj").read_text() == "1000\n":
            return found[0]
        time.sleep(0.05)
    raise AssertionError("no job has begun")


class Place:
    """A bundle, and where it is served.

    ``stalled`` is a part of the paths that do; ``after`` one, and what happens once after the first
    of them was asked for.
    """

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self.root = folder / "served"
        self.root.mkdir()
        self.bundle = bundle_at(self.root / "one")
        self.stalled = ""
        self.after: tuple[str, Callable[[], object]] | None = None
        self.asked: list[str] = []
        self.url = stack.enter_context(serving(self.root, self._stalls, self.asked)) + "/one"

    def _stalls(self, path: str) -> bool:
        if self.after and self.after[0] in path:
            (_, happen), self.after = self.after, None
            happen()
        return bool(self.stalled) and self.stalled in path

    def audit(self, most_bytes: int = 10**9) -> AuditBundle:
        folder = self.bundle.folder
        return AuditBundle(
            manifest=(folder / "manifest.msgpack").read_bytes(),
            most_bytes=most_bytes,
            public_key=self.bundle.key,
            signature=(folder / "manifest.sig").read_bytes(),
            threads=1,
            url=self.url,
        )

    def check(self, package: bytes) -> CheckPackage:
        audit = self.audit()
        return CheckPackage(audit.manifest, package, audit.public_key, audit.signature, self.url)


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    with ExitStack() as stack:
        yield Place(tmp_path, stack)


def test_answers_and_refusals_come_through(place: Place, run: Processes) -> None:
    job = place.audit()
    finding = run(job, AMPLE)
    assert finding == HERE(job, AMPLE)
    assert (finding.code, finding.snapshot_id) == ("", "2024-q1")
    assert run(ReadManifest(place.url), AMPLE).data == job.manifest
    with pytest.raises(Rejected, match=r"^bundle\.missing-file: history\.json: no such"):
        run(ReadIndex(place.url), AMPLE)
    with pytest.raises(CannotCheck, match="only http://127"):
        run(ReadManifest("http://192.0.2.1/"), AMPLE)
    with pytest.raises(Misuse, match="is not http"):
        run(ReadManifest("ftp://127.0.0.1/"), AMPLE)
    package = place.bundle.package("alice@example.com")
    assert run(place.check(package), AMPLE) == jobs.Verdict("", "")


@pytest.mark.parametrize("stalled", ["manifest.msgpack", "evidence/BTC", "pages/ETH"])
def test_a_server_that_stalls_ends_with_the_time(
    place: Place, run: Processes, stalled: str
) -> None:
    place.stalled = stalled
    job = ReadManifest(place.url) if stalled.startswith("manifest") else place.audit()
    with pytest.raises(CannotCheck, match="it took longer than 2 seconds"):
        run(job, SHORT)


def in_thread(run: Processes, place: Place, limits: Limits) -> tuple[threading.Thread, list[str]]:
    """Begin a job that stalls; return what waits for it, and what it will say."""
    place.stalled = "manifest.msgpack"
    said: list[str] = []

    def wait() -> None:
        try:
            run(ReadManifest(place.url), limits)
        except CannotCheck as error:
            said.append(error.message)
        except Stopped:
            said.append("stopped")

    thread = threading.Thread(target=wait)
    thread.start()
    return thread, said


def test_a_process_that_does_nothing_more_ends_with_the_time(place: Place, run: Processes) -> None:
    """Stopped, it is as deaf as one whose parser holds the interpreter."""
    thread, said = in_thread(run, place, Limits(seconds=5, memory=2**30))
    only_child().send_signal(signal.SIGSTOP)
    thread.join()
    assert said == ["it took longer than 5 seconds"]


def test_a_process_that_the_kernel_kills_is_no_outcome(place: Place, run: Processes) -> None:
    thread, said = in_thread(run, place, AMPLE)
    only_child().kill()
    thread.join()
    assert said == ["the process that did it ended without an answer"]


def test_a_process_that_cannot_be_started_is_no_outcome(
    place: Place, run: Processes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", "/nonexistent")
    with pytest.raises(CannotCheck, match="no process can be started: No such file"):
        run(ReadManifest(place.url), AMPLE)


def test_jobs_end_with_the_host(place: Place, run: Processes) -> None:
    thread, said = in_thread(run, place, AMPLE)
    only_child()
    run.close()
    thread.join()
    assert said == ["stopped"]
    with pytest.raises(Stopped):
        run(ReadManifest(place.url), AMPLE)


def test_jobs_end_with_a_host_that_is_killed(place: Place) -> None:
    place.stalled = "manifest.msgpack"
    code = (
        "from verifier.host.jobs import Limits, ReadManifest\n"
        "from verifier.host.processes import Processes\n"
        f"Processes(loopback=True)(ReadManifest({place.url!r}), Limits(600, 2**30))\n"
    )
    with subprocess.Popen([sys.executable, "-c", code]) as host:
        child = only_child()
        host.kill()
    assert psutil.wait_procs([child], timeout=60)[1] == []


def test_what_a_process_may(place: Place, run: Processes) -> None:
    thread, _ = in_thread(run, place, Limits(seconds=600, memory=2**30, nice=7))
    child = only_child()
    assert child.nice() == min(19, psutil.Process().nice() + 7)
    limits = Path(f"/proc/{child.pid}/limits").read_text()
    for line in ("Max data size 1073741824", "Max file size 0", "Max core file size 0"):
        assert line in " ".join(limits.split())
    assert [file.path for file in child.open_files()] == []
    child.kill()
    thread.join()


def test_memory_is_bounded(place: Place, run: Processes) -> None:
    """Evidence of 48 MiB that nobody signed."""
    (place.bundle.folder / "evidence" / "BTC.msgpack").write_bytes(bytes(48 * 2**20))
    job = place.audit()
    with pytest.raises(CannotCheck, match="more memory than this host gives"):
        run(job, Limits(seconds=120, memory=2**26))
    assert run(job, AMPLE).code == "evidence.wrong-digest"


def test_a_fault_of_ours_tells_its_place_and_nothing_that_was_read(
    place: Place, run: Processes, caplog: pytest.LogCaptureFixture
) -> None:
    job = AuditBundle(b"secret", 1, b"secret", b"secret", 1, "secret")  # no key has six bytes
    with (
        caplog.at_level(logging.ERROR),
        pytest.raises(CannotCheck, match="this host failed at it"),
    ):
        run(job, AMPLE)
    (record,) = caplog.records
    assert record.getMessage().startswith("AuditBundle failed: BadFields at wire.py:")
    assert "secret" not in caplog.text


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"\1",
        b"\1\xc1",
        b"\1\x81\xa4data\xc4\x00",
        b"\2",
        b"\0\x80",
        b"\0" + write_record(processes.Ended("no.such-code", "Rejected", "m", "w")),
        b"\1" + bytes(processes.MAX_ANSWER_BYTES),
    ],
)
def test_an_answer_that_is_none(answer: bytes) -> None:
    with pytest.raises(CannotCheck, match="without an answer"):
        processes._read_answer(ReadManifest("http://127.0.0.1"), answer)


@pytest.mark.parametrize("size", [0, 10**6])
def test_whoever_else_holds_the_pipes_holds_nobody_up(size: int) -> None:
    """A process that left another one behind, which neither reads nor ends."""
    code = "import os, time\nif os.fork() == 0: time.sleep(20)"
    command = [sys.executable, "-c", code]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert processes._exchange(process, bytes(size), 3) is None


def test_an_answer_without_end_is_cut_off() -> None:
    command = [sys.executable, "-c", "while True: print('x' * 100_000)"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        data = processes._exchange(process, b"job", 60)
        process.kill()
    assert data is not None
    assert len(data) <= processes.MAX_ANSWER_BYTES + 2**16


def pages_bytes(bundle: Bundle) -> int:
    """Of all pages and their arguments."""
    shapes = [asset.shape for asset in bundle.manifest.assets]
    return sum(
        shape.pages_file_bytes(level) + shape.arguments_file_bytes(level)
        for shape in shapes
        for level in range(shape.levels)
    )


def all_bytes(bundle: Bundle) -> int:
    """Of all files but the manifest and its signature, which were read before."""
    files = [path for path in bundle.folder.rglob("*") if path.is_file()]
    return sum(path.stat().st_size for path in files if not path.name.startswith("manifest."))


def test_bytes_are_bounded_whatever_they_are_of(place: Place) -> None:
    pages, every = pages_bytes(place.bundle), all_bytes(place.bundle)
    with pytest.raises(CannotCheck, match="more than this host reads"):
        HERE(place.audit(pages - 1), AMPLE)
    assert place.asked == []
    with pytest.raises(CannotCheck, match="more bytes than this host reads"):
        HERE(place.audit(every - 1), AMPLE)
    assert HERE(place.audit(every), AMPLE).code == ""


def test_evidence_is_not_read_beyond_the_budget(place: Place) -> None:
    evidence = place.bundle.folder / "evidence" / "BTC.msgpack"
    evidence.write_bytes(bytes(10**7))
    with pytest.raises(CannotCheck, match="more bytes than this host reads"):
        HERE(place.audit(pages_bytes(place.bundle) + 10**6), AMPLE)


@pytest.fixture
def auditor(tmp_path: Path) -> Iterator[Auditor]:
    settings = Settings("A", tmp_path, tmp_path, (), loopback=True)
    store = Store(tmp_path / "host.sqlite")
    yield Auditor(settings, Ed25519PrivateKey.generate(), store, HERE)
    store.close()


def test_a_place_that_changes_its_manifest_frames_nobody(place: Place, auditor: Auditor) -> None:
    """A stranger serves an honest manifest to begin with, and then one that nobody signed."""
    manifest = place.bundle.folder / "manifest.msgpack"
    place.after = ("manifest.sig", lambda: manifest.write_bytes(b"\x80"))
    found = auditor.look(place.url, [place.bundle.key], own=False)
    assert (found.digest, found.code) == (place.bundle.digest, "")


def test_what_a_stranger_handed_in_before_its_date_is_audited_once_it_has_come(
    place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = [place.bundle.manifest.time - 3 * 86_400]
    monkeypatch.setattr("verifier.plan.time", SimpleNamespace(time=lambda: clock[0]))
    settings = Settings("A", tmp_path, tmp_path, (), loopback=True)
    with closing(Store(tmp_path / "host.sqlite")) as store:
        auditor = Auditor(settings, Ed25519PrivateKey.generate(), store, HERE, lambda: clock[0])
        for code in ("check.future", ""):
            found = auditor.look(place.url, [place.bundle.key], own=False)
            assert (found.code, found.own) == (code, False)
            clock[0] += 3 * 86_400


def test_a_bundle_that_is_replaced_during_the_audit_is_not_rejected(
    place: Place, auditor: Auditor, tmp_path: Path
) -> None:
    """The next snapshot comes to the same place, while the one before is being read."""
    head = {"snapshot_id": "next", "time": place.bundle.manifest.time + 1}

    def publish() -> None:
        bundle_at(place.root / "one", head=head)

    place.after = ("evidence/BTC", publish)
    with pytest.raises(CannotCheck, match="replaced during the audit"):
        auditor.look(place.url, [place.bundle.key], own=True)
    assert auditor.look(place.url, [place.bundle.key], own=True).snapshot_id == "next"


def test_a_page_that_is_damaged_at_the_exchange_s_own_place_counts(
    place: Place, auditor: Auditor
) -> None:
    pages = place.bundle.folder / "pages" / "BTC" / "0"
    pages.write_bytes(b"\x00" + pages.read_bytes()[1:])
    with pytest.raises(Rejected, match=r"page\.bad-header"):
        auditor.look(place.url, [place.bundle.key], own=False)
    found = auditor.look(place.url, [place.bundle.key], own=True)
    assert (found.code, found.own) == ("page.bad-header", True)


@pytest.mark.parametrize("own", [True, False])
@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("arguments/BTC/0", "bundle.wrong-argument"),
        ("arguments/BTC/solvency", "bundle.wrong-argument"),
        ("arguments.msgpack", "record.bad-signature"),
        ("arguments.sig", "record.bad-signature"),
    ],
)
def test_what_nobody_signed_convicts_nobody_even_at_the_exchange_s_own_place(
    place: Place, auditor: Auditor, path: str, code: str, *, own: bool
) -> None:
    file = place.bundle.folder / path
    honest = file.read_bytes()
    file.write_bytes(honest[:-1] + bytes([honest[-1] ^ 1]))
    with pytest.raises(Rejected, match=code.replace(".", r"\.")):
        auditor.look(place.url, [place.bundle.key], own=own)
    file.write_bytes(honest)
    assert auditor.look(place.url, [place.bundle.key], own=own).code == ""


def test_an_argument_that_the_exchange_signed_for_counts(place: Place, auditor: Auditor) -> None:
    file = place.bundle.folder / "arguments" / "BTC" / "0"
    honest = file.read_bytes()
    file.write_bytes(honest[:-1] + bytes([honest[-1] ^ 1]))
    place.bundle.record()
    found = auditor.look(place.url, [place.bundle.key], own=True)
    assert (found.code, found.own) == ("argument.rejected", True)


@pytest.mark.parametrize("own", [True, False])
def test_a_record_that_names_a_false_argument_is_kept_beside_one_that_holds(
    place: Place, tmp_path: Path, *, own: bool
) -> None:
    """At the exchange's own place, or in a copy: it is signed, whoever serves it."""
    key, store = [place.bundle.key], Store(tmp_path / "host.sqlite")
    settings = Settings("A", tmp_path, tmp_path, (), loopback=True)
    clock = [time.time()]
    auditor = Auditor(settings, Ed25519PrivateKey.generate(), store, HERE, lambda: clock[0])
    file = place.bundle.folder / "arguments" / "ETH" / "solvency"
    honest = file.read_bytes()
    if not own:
        assert auditor.look(place.url, key, own=True).code == ""
    file.write_bytes(honest[:-1] + bytes([honest[-1] ^ 1]))
    place.bundle.record()
    false = (place.bundle.folder / "arguments.msgpack").read_bytes()
    signature = (place.bundle.folder / "arguments.sig").read_bytes()
    if own:
        assert auditor.look(place.url, key, own=True).code == "argument.rejected"
    else:
        shutil.copytree(place.root / "one", place.root / "copy")
        with pytest.raises(Rejected, match=r"^argument\.rejected: ETH, solvency"):
            auditor.look(place.url.replace("/one", "/copy"), key, own=False)
    file.write_bytes(honest)
    place.bundle.record()
    clock[0] += 2 * RETRY_SECONDS
    assert auditor.look(place.url, key, own=True).code == ""
    digest = hashlib.sha256(false).digest()
    (shown,) = store.records(key)[place.bundle.digest]
    assert (shown.digest, shown.code) == (digest, "argument.rejected")
    kept = store.record(digest)
    assert kept is not None
    assert (kept.data, kept.signature) == (false, signature)
    (view,) = Views(settings, store, 0).exchange(place.bundle.key, 1, 0).snapshots
    assert view["failed_records"] == [
        {"digest": digest.hex(), "code": "argument.rejected", "place": "ETH, solvency"}
    ]
    store.close()


def test_the_exchange_s_own_place_is_audited_after_a_copy(
    place: Place, auditor: Auditor, tmp_path: Path
) -> None:
    shutil.copytree(place.root / "one", place.root / "copy")
    copy = place.url.replace("/one", "/copy")
    key = [place.bundle.key]
    assert not auditor.look(copy, key, own=False).own
    pages = place.bundle.folder / "pages" / "BTC" / "0"
    pages.write_bytes(b"\x00" + pages.read_bytes()[1:])
    found = auditor.look(place.url, key, own=True)
    assert (found.code, found.own, found.url) == ("page.bad-header", True, place.url)
    assert auditor.look(copy, key, own=False) == found


def test_a_copy_of_what_is_known_is_a_place_if_it_is_whole(
    place: Place, auditor: Auditor, tmp_path: Path
) -> None:
    key = [place.bundle.key]
    own = auditor.look(place.url, key, own=True)
    good, bad = (place.url.replace("/one", name) for name in ("/good", "/bad"))
    for name in ("good", "bad"):
        shutil.copytree(place.root / "one", place.root / name)
    pages = place.root / "bad" / "pages" / "BTC" / "0"
    pages.write_bytes(b"\x00" + pages.read_bytes()[1:])
    assert auditor.look(good, key, own=False) == own
    with pytest.raises(Rejected, match=r"page\.bad-header"):
        auditor.look(bad, key, own=False)
    store = Store(tmp_path / "host.sqlite")
    assert store.places(own.digest) == [place.url, good]
    store.close()


def test_what_is_handed_in_has_a_small_budget(place: Place, tmp_path: Path, run: Processes) -> None:
    """Of minutes and of bytes; the exchange's own place has more."""
    store = Store(tmp_path / "host.sqlite")
    key = [place.bundle.key]

    def auditor(**budget: Any) -> Auditor:
        settings = Settings("A", tmp_path, tmp_path, (), loopback=True, **budget)
        return Auditor(settings, Ed25519PrivateKey.generate(), store, run)

    small = auditor(submission_bytes=pages_bytes(place.bundle))
    with pytest.raises(CannotCheck, match="more bytes than this host reads"):
        small.look(place.url, key, own=False)
    place.stalled = "evidence"
    with pytest.raises(CannotCheck, match="it took longer than 2 seconds"):
        auditor(submission_seconds=2).look(place.url, key, own=False)
    place.stalled = ""
    assert small.look(place.url, key, own=True).code == ""
    store.close()


def test_a_package_is_checked_in_the_bytes_that_led_to_the_root(place: Place) -> None:
    """A place that damages a page once it was read cannot make a package fail."""
    pages = place.bundle.folder / "pages" / "BTC" / "0"
    damaged = b"\x00" + pages.read_bytes()[1:]
    last = "pages/ETH/0"  # of this file the size first, and at the very end the page

    def size_was_asked() -> None:
        place.after = (last, lambda: pages.write_bytes(damaged))

    place.after = (last, size_was_asked)
    job = place.check(place.bundle.package("alice@example.com"))
    assert HERE(job, AMPLE).code == ""
    assert pages.read_bytes() == damaged
    with pytest.raises(CannotCheck, match="the copy of the proof is damaged"):
        HERE(job, AMPLE)


def test_what_the_exchange_signed_and_cannot_be_audited_is_kept(
    place: Place, auditor: Auditor, tmp_path: Path
) -> None:
    """Kept once, as no outcome; audited where that can be done, and not taken back after."""
    key = [place.bundle.key]
    evidence = next(place.bundle.folder.glob("evidence/*"))
    held = evidence.read_bytes()
    evidence.unlink()
    with closing(Store(tmp_path / "host.sqlite")) as store:
        with pytest.raises(Rejected, match=r"bundle\.missing-file"):
            auditor.look(place.url, key, own=False)
        assert store.snapshot(place.bundle.digest) is None  # nobody watches it
        for _ in range(2):
            with pytest.raises(Rejected, match=r"bundle\.missing-file"):
                auditor.look(place.url, key, own=True)
        (found,) = store.snapshots(key)
        assert (found.code, found.own, found.is_audited) == ("check.unreadable", True, False)
        assert (found.snapshot_id, found.time) == ("2024-q1", place.bundle.manifest.time)
        assert found.details["assets"] == []
        kept = store.snapshot(found.digest)
        assert kept is not None
        assert is_signed(place.bundle.key, "manifest-signature", kept.manifest, kept.signature)
        evidence.write_bytes(held)
        assert auditor.look(place.url, key, own=False).code == ""
        evidence.unlink()
        with pytest.raises(Rejected, match=r"bundle\.missing-file"):
            auditor.look(place.url, key, own=True)
        assert [item.code for item in store.snapshots(key)] == [""]


def test_more_manifests_are_kept_where_they_contradict_one_that_is_known(
    place: Place, auditor: Auditor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever has a key cannot fill the room for what shows that it was used twice."""
    monkeypatch.setattr("verifier.host.audits.MAX_UNAUDITED", 1)

    def hand_in(number: int, **head: object) -> None:
        fields = {"time": 1_600_000_000 + number, "previous": bytes([number]) * 32, **head}
        bundle_at(place.root / "one", head={"snapshot_id": f"s-{number}", **fields})
        auditor.keep(place.url, *auditor.read(place.url, [place.bundle.key], own=False), own=False)

    with closing(Store(tmp_path / "host.sqlite")) as store:
        hand_in(1)
        hand_in(2)
        hand_in(3, snapshot_id="s-1")
        hand_in(4, time=1_600_000_001)
        hand_in(5, previous=bytes([1]) * 32)
        found = [(item.snapshot_id, item.time) for item in store.snapshots([place.bundle.key])]
        numbers = sorted(time - 1_600_000_000 for _, time in found)
        assert numbers == [1, 1, 3, 5]


def test_a_rotation_counts_whatever_else_the_host_does_not_know(
    place: Place, auditor: Auditor, tmp_path: Path
) -> None:
    old = bundle_at(place.root / "old", seed=2)
    head: dict[str, Any] = {"snapshot_id": "next", "previous": old.digest}
    body = rotation_body(old.key, place.bundle.key, "An Exchange", old.digest)
    signed = [sign(one.signer, "rotation", body) for one in (place.bundle, old)]
    head["rotation"] = (Rotation(signed[0], old.key, signed[1]),)
    bundle = bundle_at(place.root / "one", head={**head, "protocol_version": 2})
    with closing(Store(tmp_path / "host.sqlite")) as store:
        with pytest.raises(CannotCheck, match="older than what it read"):
            auditor.look(place.url, [bundle.key], own=True)
        assert store.keys_of(bundle.key) == [bundle.key, old.key]


def test_a_manifest_and_a_package_with_fields_of_another_version_are_no_fault(
    place: Place, auditor: Auditor, tmp_path: Path
) -> None:
    """Fields are looked at before the version, so what is new may stand in either."""
    bundle = place.bundle
    body = msgpack.unpackb(write_record(bundle.body("alice@example.com")))
    newer = msgpack.packb(dict(sorted({**body, "version": 2, "zone": "x"}.items())))
    with pytest.raises(CannotCheck, match="older than what it read"):
        HERE(place.check(bundle.package(newer)), AMPLE)
    same = msgpack.packb(dict(sorted({**body, "zone": "x"}.items())))
    assert HERE(place.check(bundle.package(same)), AMPLE).code == "package.bad-fields"
    fields = msgpack.unpackb(write_record(bundle.manifest))
    for version, error in ((2, CannotCheck), (1, None)):
        data = msgpack.packb(
            dict(sorted({**fields, "protocol_version": version, "zone": "x"}.items()))
        )
        signature = sign(bundle.signer, "manifest-signature", data)
        (bundle.folder / "manifest.msgpack").write_bytes(data)
        (bundle.folder / "manifest.sig").write_bytes(signature)
        if error is None:
            found = auditor.look(place.url, [bundle.key], own=True)
            assert found.code == "manifest.bad-fields"
            continue
        with closing(Store(tmp_path / "host.sqlite")) as store:
            with pytest.raises(error, match="older than what it read"):
                auditor.look(place.url, [bundle.key], own=True)
            assert store.snapshots([bundle.key]) == []  # of which nothing can be told


def test_evidence_with_fields_of_another_version_is_no_fault(place: Place) -> None:
    for version, code in ((2, ""), (1, "evidence.bad-fields")):

        def evidence(asset: str, fields: dict[str, Any], version: int = version) -> None:
            if asset == "ETH":
                fields |= {"version": version, "zone": "x"}

        made = sample([BTC, ETH], lies=Lies(evidence=evidence)).forger
        files = made.bundle()
        shutil.rmtree(place.root / "one")
        write_files(place.root / "one", files)
        job = AuditBundle(
            manifest=files["manifest.msgpack"],
            most_bytes=10**9,
            public_key=made.public_key,
            signature=files["manifest.sig"],
            threads=1,
            url=place.url,
        )
        if code:
            assert HERE(job, AMPLE).code == code
        else:
            with pytest.raises(CannotCheck, match="older than what it read"):
                HERE(job, AMPLE)


def test_a_manifest_of_any_size_that_the_format_allows_is_read(place: Place) -> None:
    data = bytes(2**24)
    (place.root / "one" / "manifest.msgpack").write_bytes(data)
    signature = sign(place.bundle.signer, "manifest-signature", data)
    (place.root / "one" / "manifest.sig").write_bytes(signature)
    with closing(Processes(loopback=True)) as run:
        found = run(ReadManifest(place.url), AMPLE)
    assert (found.data, found.signature) == (data, signature)


def test_a_unit_of_the_auditors_own_list_is_known(
    place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    contract = "0x" + "11" * 20
    monkeypatch.setitem(UNITS, "OWN", Unit("ethereum", contract, 18))
    monkeypatch.setitem(DECIMALS, "OWN", 9)
    ledger = {"alice@example.com": {"OWN": (5, 6)}}
    bundle_at(place.root / "one", ledger=ledger, capacities={"OWN": 1})
    for decimals, code in ((18, ""), (6, "manifest.wrong-unit")):
        own = UnitList("own.csv", (KnownUnit("OWN", "ethereum", contract, decimals),), {})
        settings = Settings("A", tmp_path, tmp_path, (), units=(own,), loopback=True)
        with closing(Store(tmp_path / f"{decimals}.sqlite")) as store:
            auditor = Auditor(settings, Ed25519PrivateKey.generate(), store, HERE)
            found = auditor.look(place.url, [place.bundle.key], own=True)
        assert (found.code, found.set_aside) == (code, [])


def test_a_version_that_this_host_does_not_know_is_no_fault_of_the_exchange(
    place: Place, auditor: Auditor, tmp_path: Path
) -> None:
    bundle = bundle_at(place.root / "one", head={"protocol_version": 2})
    with closing(Store(tmp_path / "host.sqlite")) as store:
        for own in (False, True):
            with pytest.raises(CannotCheck, match=r"manifest\.un"):
                auditor.look(place.url, [bundle.key], own=own)
        assert [item.code for item in store.snapshots([bundle.key])] == ["check.unreadable"]


@pytest.mark.parametrize("codes", [("BTC", "OWN"), ("OWN",)])
def test_a_unit_that_this_host_does_not_know_sets_its_asset_aside(
    place: Place, auditor: Auditor, monkeypatch: pytest.MonkeyPatch, codes: tuple[str, ...]
) -> None:
    monkeypatch.setitem(UNITS, "OWN", Unit("ethereum", "0x" + "11" * 20, 18))
    monkeypatch.setitem(DECIMALS, "OWN", 9)
    ledger = {"alice@example.com": dict.fromkeys(codes, (5, 6))}
    bundle_at(place.root / "one", ledger=ledger, capacities=dict.fromkeys(codes, 1))
    found = auditor.look(place.url, [place.bundle.key], own=True)
    assert (found.code, found.set_aside) == ("", ["OWN"])
    said: Any = msgpack.unpackb(found.attestation)
    assert [item["code"] for item in said["assets"]] == list(codes[:-1])
    *_, aside, dated = said["not_checked"]
    assert (aside, dated) == (SET_ASIDE, NO_DAY.format("bitcoin, ethereum"))
    assert NO_NODE in said["not_checked"]
    facts = snapshot_facts(found, None, found.audited)
    assert facts["outcome"] == f"accepted but for 1 of {len(codes)} assets"
    assert [item["set_aside"] for item in facts["assets"]] == [code == "OWN" for code in codes]
    look, said = judged(found, (), (), found.audited)
    shown = facts | {"look": look, "said": said}
    stranger = SimpleNamespace(watched=False, snapshots=[shown])
    table: Any = TEMPLATES.get_template("parts.html").module
    assert facts["outcome"] in table.table(stranger)
    assert ">holds<" not in table.table(stranger)


@pytest.mark.parametrize("days", [-2, 0, 800])
def test_coins_under_a_block_of_another_day_are_green_nowhere(
    place: Place, tmp_path: Path, days: int
) -> None:
    """Whoever requires `header` gets no verdict of them (spec/protocol.md 3.4)."""
    now = int(time.time())
    made = proven(block(time=now - days * 86_400), time=now - 3600).forger
    write_files(place.root / "old", made.bundle())
    watched = WatchedExchange(
        "E", place.url.replace("/one", "/old"), "", made.public_key, 2 * 86_400
    )
    settings = Settings("A", tmp_path, tmp_path, (watched,), loopback=True)
    with closing(Store(tmp_path / "host.sqlite")) as store:
        auditor = Auditor(settings, Ed25519PrivateKey.generate(), store, HERE)
        assert auditor.look(watched.bundle, [made.public_key], own=True).code == ""
        store.note_look(made.public_key, now, "")
        views = Views(settings, store, now)
        (row,), view = views.front(now).rows, views.overview(made.public_key, now)
        feed = feed_of("k", "t", "/", views.feed(None, now), settings)
    said = "not shown for that day" if days else "holds"
    assert (row.standing, view.standing, view.snapshots[0]["undated"]) == (
        *(said, said),
        "ETH, USDT" if days else "",
    )
    assert view.badge.text.startswith(said)
    assert feed.entries[0].title.endswith(said)
    assert ("not known to be of that day" in feed.entries[0].summary) == bool(days)
    assert ("not known to be of that day: ETH, USDT" in view.lead) == bool(days)
    table: Any = TEMPLATES.get_template("parts.html").module
    drawn = [Table().row(row, now), str(table.table(view))]
    for html in drawn:
        assert ('class="b good"' in html) == (not days)
        assert ("not known to be of that day: ETH" in html) == bool(days)


def test_what_is_declared_is_kept_and_shown_in_words(place: Place, auditor: Auditor) -> None:
    """The first loans and how many there are; a name that is a sentence stands at a line's end."""
    bundle = place.bundle
    lenders = [f"Lender {number:02}" for number in range(24)] + ["is no debt <b>"]
    loans = [Loan("", "EUR", lender, ()) for lender in lenders]
    loans[0] = Loan("12.5", "BTC", lenders[0], (bundle.pledge("BTC"),))
    bundle.declare(tuple(loans))
    found = auditor.look(place.url, [bundle.key], own=True)
    assert found.code == ""
    said: Any = msgpack.unpackb(found.attestation)
    assert "declaration of loans and pledges" in said["checked"]
    facts = snapshot_facts(found, None, found.audited)
    declared = facts["declared"]
    assert (declared["total"], len(declared["loans"])) == (25, 20)
    assert [item["code"] for item in declared["pledged"]] == ["BTC"]
    assert declared["pledged_total"] == 1
    shown = words_of(facts)
    assert "BTC, 12.5, with 1 addresses as a pledge, from: <bdi>Lender 00</bdi>" in shown
    assert "EUR, amount not said, from: <bdi>Lender 19</bdi>" in shown
    assert "Lender 20" not in shown
    assert "and 5 more" in shown


def test_of_many_assets_with_pledges_the_first_are_kept(place: Place, auditor: Auditor) -> None:
    facts = snapshot_facts(auditor.look(place.url, [place.bundle.key], own=True), None, 0)
    report = audit(place.root / "one", place.bundle.key)
    many = [replace(report.assets[0], code=f"A{at:02}", pledged_rows=1) for at in range(25)]
    declared = _declared(replace(report, assets=tuple(many), loans=(Loan("", "A", "B", ()),)))
    assert (len(declared.pledged), declared.pledged_total) == (20, 25)
    shown = words_of(facts | {"declared": asdict(declared)})
    assert "A19: " in shown
    assert "A20: " not in shown
    assert "and 5 more assets of which something is pledged" in shown


def test_that_nothing_is_declared_is_shown_as_plainly(place: Place, auditor: Auditor) -> None:
    found = auditor.look(place.url, [place.bundle.key], own=True)
    facts = snapshot_facts(found, None, found.audited)
    assert facts["declared"] == {"loans": [], "pledged": [], "pledged_total": 0, "total": 0}
    assert "The exchange declares no loans." in words_of(facts)


def test_another_declaration_at_the_exchanges_own_place_is_its_fault(
    place: Place, auditor: Auditor
) -> None:
    place.bundle.declare((Loan("1", "BTC", "First Lender", ()),))
    (place.bundle.folder / "declaration.msgpack").write_bytes(b"\x90")
    with pytest.raises(Rejected, match=r"declaration\.wrong-digest"):
        auditor.look(place.url, [place.bundle.key], own=False)  # anybody can serve that
    found = auditor.look(place.url, [place.bundle.key], own=True)
    assert found.code == "declaration.wrong-digest"
    facts = snapshot_facts(found, None, found.audited)
    assert facts["declared"] is None
    assert "declares" not in words_of(facts)


def words_of(facts: dict[str, Any]) -> str:
    """The table of one snapshot, as the page has it."""
    exchange = SimpleNamespace(watched=True, snapshots=[facts | {"look": "good", "said": "holds"}])
    table: Any = TEMPLATES.get_template("parts.html").module
    return " ".join(str(table.table(exchange)).split())
