"""What is known to be wrong is told at the draft, at the upload, at the start: before any job."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from coincurve import PrivateKey

from api.errors import EvidenceRefused, Taken
from api.snapshots import preflight
from api.snapshots.folder import ServedFolder
from api.snapshots.sources import read_draft, slots
from api.snapshots.states import State
from api.snapshots.uploads import accept
from prover import clock
from prover.config.announcement import announce
from prover.errors import ProverError
from prover.files.keys import (
    MASTER_KEY_FILE,
    SIGNING_KEY_FILE,
    make_keys,
    public_bytes,
    read_signing_key,
)
from prover.hidden.make import SetUnit, hide_keys
from prover.snapshot.make import ownership_messages
from tests.support.dying_service import Service, evidence
from tests.support.ethereum_state import header
from tests.support.exchange_files import edit
from tests.support.served_exchange import LATER, LIST, TIME, Exchange, make_exchange
from verifier.format import wire
from verifier.format.evidence_records import StateProof


@pytest.fixture
def exchange(tmp_path: Path) -> Exchange:
    return make_exchange(tmp_path / "exchange")


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    with Service(tmp_path / "service", f"sqlite:///{tmp_path / 'database'}") as found:
        yield found


def signed(exchange: Exchange, folder: Path, change: Callable[[str], str]) -> bytes:
    """Return a list whose wallets signed a message that is a little different."""
    config = read_draft(ServedFolder(folder))
    key = public_bytes(read_signing_key(config.signing_key))
    messages = ownership_messages(config, key)
    return exchange.evidence({chain: change(text) for chain, text in messages.items()})


def refusal(service: Service, folder: Path, data: bytes, name: str = LIST) -> str:
    """Upload a file that is refused; return the detail."""
    file = folder / name
    file.write_bytes(data)
    with pytest.raises(EvidenceRefused) as refused:
        accept(
            service.database,
            folder.name,
            ServedFolder(folder),
            file,
            slots(read_draft(ServedFolder(folder)))[name],
        )
    assert str(folder) not in str(refused.value)
    return str(refused.value)


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text.replace("\none\n", "\ntwo\n"),
        lambda text: text.replace("ab" * 32, "cd" * 32),
        lambda text: text.replace("assay1", "assay2"),
        lambda text: text + "\n",
        lambda text: text.replace("\n", "\r\n"),
    ],
    ids=["snapshot", "block", "key", "line", "lines"],
)
def test_a_list_that_signs_something_else_is_refused_at_the_upload(
    service: Service, exchange: Exchange, change: Callable[[str], str]
) -> None:
    folder = service.draft(exchange)
    before = (ServedFolder(folder).uploads / LIST).read_bytes()
    detail = refusal(service, folder, signed(exchange, folder, change))
    assert detail.startswith(f"{LIST}: row 2, column signature: ")
    assert (ServedFolder(folder).uploads / LIST).read_bytes() == before


def one_wrong(exchange: Exchange, folder: Path) -> bytes:
    """Return a list whose second address has the signature of the first."""
    head, *rows, end = evidence(exchange, folder).split(b"\r\n")
    first, second = (row.rpartition(b",") for row in rows)
    return b"\r\n".join([head, rows[0], b"".join((*second[:2], first[2])), end])


def test_one_wrong_signature_among_others_is_named(service: Service, exchange: Exchange) -> None:
    folder = service.draft(exchange)
    detail = refusal(service, folder, one_wrong(exchange, folder))
    assert detail.startswith(f"{LIST}: row 3, column signature: ")


def test_signatures_of_another_list_are_waited_for(service: Service, exchange: Exchange) -> None:
    edit(exchange.source, f'"{LIST}"\n', f'"{LIST}"\n[[evidence]]\npath = "more.csv"\n')
    folder = service.draft(exchange)
    head, first, second, end = evidence(exchange, folder).split(b"\r\n")
    unsigned = re.sub(rb",eip191,.*", b",,", second)
    asked = slots(read_draft(ServedFolder(folder)))
    for name, rows in ((LIST, [head, first, unsigned, end]), ("more.csv", [head, end])):
        file = folder / name
        file.write_bytes(b"\r\n".join(rows))
        accept(service.database, "one", ServedFolder(folder), file, asked[name])
    with pytest.raises(EvidenceRefused) as refused:
        service.operations.start("one")
    assert str(refused.value).startswith(f"{LIST}: row 3, column signature: missing")
    assert service.operations.find("one").state is State.DRAFT


def test_a_proof_of_another_block_is_refused_at_the_upload(
    service: Service, exchange: Exchange
) -> None:
    edit(exchange.source, 'code = "ETH"\n', 'code = "ETH"\nproofs = ["eth.proof"]\n')
    folder = service.draft(exchange)
    proof = wire.write_record(StateProof("ethereum", header(bytes(32), 7), ()))
    detail = refusal(service, folder, proof, "eth.proof")
    assert detail == "eth.proof, proof of ethereum: not the header of the manifest's block"


def test_hidden_keys_of_another_snapshot_are_refused_at_the_upload(
    service: Service, exchange: Exchange, tmp_path: Path
) -> None:
    section = '[[hidden]]\nasset = "ETH"\nset = "eth.set"\nopening = "eth.opening"\n'
    exchange.source.write_text(exchange.source.read_text() + section)
    secret = PrivateKey(bytes([7]) * 32)
    (tmp_path / "list.csv").write_text(f"public_key,amount\n{secret.public_key.format().hex()},5\n")
    (tmp_path / "private").write_text(f"{secret.to_hex()}\n")
    (tmp_path / "private").chmod(0o600)
    made = {}
    for name in ("one", "two"):
        folder = service.draft(exchange, name)
        config = read_draft(ServedFolder(folder))
        key = public_bytes(read_signing_key(config.signing_key))
        statement = tmp_path / f"{name}.statement"
        statement.write_bytes(wire.write_record(announce(config, key)))
        made[name], opening = tmp_path / f"{name}.set", tmp_path / f"{name}.opening"
        place = SetUnit("ETH", "ethereum", "", ("account",))
        hide_keys(
            statement, tmp_path / "list.csv", tmp_path / "private", place, made[name], opening
        )
    detail = refusal(service, folder, made["one"].read_bytes(), "eth.set")
    assert "a verifier would reject this" in detail
    file = folder / "eth.set"
    file.write_bytes(made["two"].read_bytes())
    accept(
        service.database,
        "two",
        ServedFolder(folder),
        file,
        slots(read_draft(ServedFolder(folder)))["eth.set"],
    )


@pytest.mark.parametrize("bound", ["CHECK_SECONDS", "MAX_BYTES"])
def test_what_takes_long_is_left_to_the_job(
    service: Service, exchange: Exchange, monkeypatch: pytest.MonkeyPatch, bound: str
) -> None:
    monkeypatch.setattr(preflight, bound, -1)
    folder = service.draft(exchange)
    (ServedFolder(folder).uploads / LIST).write_bytes(one_wrong(exchange, folder))
    assert service.operations.start("one").state in (State.QUEUED, State.PROVING)
    assert service.operations.cancel("one").state is State.CANCELLED


def refused_start(service: Service, snapshot_id: str = "one") -> str:
    """Start a draft, which is refused; return why."""
    with pytest.raises(ProverError) as refused:
        service.operations.start(snapshot_id)
    assert service.operations.find(snapshot_id).state is State.DRAFT
    assert service.operations.find(snapshot_id).job is None
    return str(refused.value)


def publish(service: Service, exchange: Exchange, snapshot_id: str, time: int) -> None:
    """Prove and publish a snapshot."""
    service.draft(exchange, snapshot_id, time=time)
    service.operations.start(snapshot_id)
    assert service.rest(snapshot_id).state is State.PROVEN
    service.operations.publish(snapshot_id)
    assert service.rest(snapshot_id).state is State.PUBLISHED


def test_the_predecessor_is_checked_at_the_start(
    service: Service, exchange: Exchange, tmp_path: Path
) -> None:
    with service.working():
        publish(service, exchange, "one", LATER)
    service.draft(exchange, "same", time=LATER)
    assert "be earlier; it is one, of 2026-09-22" in refused_start(service, "same")
    service.draft(exchange, "earlier", time=TIME)
    assert "must have another id and be earlier" in refused_start(service, "earlier")
    service.draft(exchange, "next", time=LATER + 1)
    make_keys(tmp_path / "new")
    for name in (SIGNING_KEY_FILE, MASTER_KEY_FILE):
        (exchange.folder / name).write_bytes((tmp_path / "new" / name).read_bytes())
    assert "old_signing must name the old one" in refused_start(service, "next")


def test_an_id_that_the_key_has_signed_for_is_not_begun(
    service: Service, exchange: Exchange, tmp_path: Path
) -> None:
    with service.working():
        publish(service, exchange, "one", TIME)
    with Service(tmp_path / "second", f"sqlite:///{tmp_path / 'another'}") as second:
        second.draft(exchange)
        assert "has signed a manifest for snapshot one already" in refused_start(second)


def test_an_id_that_others_published_is_not_drafted(
    service: Service, exchange: Exchange, tmp_path: Path
) -> None:
    other = make_exchange(tmp_path / "other")
    service.draft(other, "drafted")
    with Service(tmp_path / "second", f"sqlite:///{tmp_path / 'another'}") as second:
        with second.working():
            publish(second, exchange, "drafted", TIME)
        second.settings.published.rename(service.settings.published)
    with pytest.raises(Taken):
        service.operations.start("drafted")
    with pytest.raises(Taken):
        service.draft(other, "drafted")


def test_a_draft_whose_time_is_ahead_is_not_begun(
    service: Service, exchange: Exchange, monkeypatch: pytest.MonkeyPatch
) -> None:
    ahead = int(time.time()) + 3600
    with pytest.raises(ProverError, match="is in the future"):
        service.draft(exchange, time=ahead)
    with monkeypatch.context() as patched:  # a clock that was put right since
        patched.setattr(clock, "MAX_AHEAD_SECONDS", 7200)
        service.draft(exchange, time=ahead)
    assert "is in the future" in refused_start(service)


def test_keys_and_ledger_are_looked_at(service: Service, exchange: Exchange) -> None:
    service.draft(exchange)
    master, ledger = exchange.folder / "master.key", exchange.folder / "ledger.csv"
    master.chmod(0o644)
    assert "run chmod 600" in refused_start(service)
    with pytest.raises(ProverError, match="run chmod 600"):
        service.draft(exchange, "two")
    master.chmod(0o600)
    ledger.rename(exchange.folder / "aside")
    absent = f"{ledger}: unreadable (No such file or directory)"
    assert refused_start(service).startswith(absent)
    (exchange.folder / "aside").rename(ledger)
    service.operations.start("one")


def test_what_is_frozen_is_not_looked_at_again(service: Service, exchange: Exchange) -> None:
    folder = service.draft(exchange)
    service.operations.start("one")
    service.worker(die_at="after proving ETH, USDT").join()
    (exchange.folder / "ledger.csv").unlink()
    (ServedFolder(folder).uploads / LIST).write_bytes(b"")
    service.operations.cancel("one")
    with service.working():
        assert service.rest().state is State.CANCELLED
        service.operations.resume("one")
        assert service.rest().state is State.PROVEN
