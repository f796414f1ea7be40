"""What a snapshot lacks, and evidence that is replaced and deleted, over HTTP."""

from __future__ import annotations

import hashlib
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from api.snapshots.folder import ServedFolder
from api.snapshots.sources import settle_previous
from tests.support.exchange_files import edit, files
from tests.support.served_exchange import LIST, Exchange, make_exchange
from tests.support.service import BIN, running
from tests.support.service_http import (
    ALL,
    Operator,
    plain_environment,
    settings,
    token,
    until,
    worker,
)

ABSENT = "No such file or directory"
PLACE = f"/one/evidence/{LIST}"


@pytest.fixture
def exchange(tmp_path: Path) -> Exchange:
    return make_exchange(tmp_path / "exchange")


@pytest.fixture
def operator(exchange: Exchange, tmp_path: Path) -> Iterator[Operator]:
    folder = tmp_path / "service"
    folder.mkdir()
    with running(folder, settings(exchange), "--no-worker") as service:
        yield Operator(service, token(folder, *ALL))


def signed(operator: Operator, exchange: Exchange, short_by: int = 0) -> bytes:
    """Return the list of a draft's wallets, who hold too little by so much."""
    return exchange.evidence(operator("GET", "/one/challenge")[1]["messages"], short_by)


def history(operator: Operator) -> list[dict[str, Any]]:
    """Return what the log tells of evidence."""
    found = [line for line in operator.service.lines() if line["message"].startswith("evidence")]
    assert all(line["operator"] == "ops" for line in found)
    assert all((line["snapshot"], line["file"]) == ("one", LIST) for line in found)
    return found


def test_all_that_is_missing_is_told_in_the_words_of_the_command(
    operator: Operator, exchange: Exchange, tmp_path: Path
) -> None:
    more = 'code = "ETH"\nproofs = ["eth.proof"]\nattestations = ["bank.attestation"]\n'
    edit(exchange.source, 'code = "ETH"\n', more)
    status, draft = operator.create("one")
    assert status == 201
    folder = ServedFolder(operator.service.folder / "snapshots" / "one")
    config = settle_previous(folder, None)[0]
    assert len(draft["missing"]) == 3  # the files of evidence; all else is there
    ledger, signing = exchange.folder / "ledger.csv", exchange.folder / "signing.pem"
    ledger.rename(exchange.folder / "ledger.aside")
    signing.chmod(0o644)
    missing = operator("GET", "/one")[1]["missing"]
    assert missing == [
        f"{signing}: a key file must be its owner's alone; run chmod 600",
        f"{ledger}: unreadable ({ABSENT}); see that it is there, whole, and may be read",
        f"{LIST}: {ABSENT} (unreadable); it is a list of signed addresses",
        f"eth.proof: {ABSENT} (unreadable); it is a proof of ETH",
        f"bank.attestation: {ABSENT} (unreadable); it is an attestation of ETH",
    ]
    status, problem = operator("POST", "/one/start")
    assert (status, problem["code"]) == (409, "snapshot.incomplete")
    assert problem["missing"] == missing
    assert problem["detail"] == "\n".join(missing)
    assert operator("GET", "/one")[1]["state"] == "draft"
    folder.config.write_bytes(config)
    command: list[str | Path] = [BIN / "assay", "prove", folder.config, "--out", tmp_path / "out"]
    ran = subprocess.run(
        command, text=True, capture_output=True, check=False, env=plain_environment()
    )
    assert ran.returncode == 1
    said = ran.stderr.removeprefix("assay: ").replace(f"{folder.uploads}/", "")
    assert said.splitlines() == missing
    assert not (tmp_path / "out").exists()


def test_evidence_is_replaced_and_deleted_before_the_start(
    operator: Operator, exchange: Exchange
) -> None:
    assert operator.create("one")[0] == 201
    uploads = operator.service.folder / "snapshots" / "one" / "uploads"
    assert operator.code("DELETE", PLACE) == (404, "request.not-found")
    first, second = signed(operator, exchange), signed(operator, exchange, 1)
    assert operator("PUT", PLACE, first)[0] == 200
    assert operator("PUT", PLACE, second)[0] == 200
    assert files(uploads) == {LIST: second}
    assert operator("DELETE", PLACE) == (204, b"")
    assert files(uploads) == {}
    assert operator.code("DELETE", PLACE) == (404, "request.not-found")
    assert operator.code("DELETE", "/one/evidence/other.csv") == (404, "request.not-found")
    assert operator.code("POST", "/one/start") == (409, "snapshot.incomplete")
    assert operator("PUT", PLACE, first)[0] == 200
    told = history(operator)
    assert [line["message"] for line in told] == [
        "evidence added",
        "evidence replaced",
        "evidence deleted",
        "evidence added",
    ]
    digests = [hashlib.sha256(data).hexdigest() for data in (first, second, first)]
    assert [line["sha256"] for line in told if "sha256" in line] == digests
    assert len({line["request_id"] for line in told}) == 4


def test_nothing_is_changed_once_it_was_started(operator: Operator, exchange: Exchange) -> None:
    operator.draft(exchange)
    uploads = operator.service.folder / "snapshots" / "one" / "uploads"
    before = files(uploads)
    listed = signed(operator, exchange)
    assert operator("POST", "/one/start")[0] == 202
    for method, data in (("DELETE", None), ("PUT", listed)):
        status, problem = operator(method, PLACE, data)
        assert (status, problem["code"]) == (409, "snapshot.wrong-state")
        assert problem["detail"] == "it is queued"
    assert operator("POST", "/one/cancel")[0] == 202
    assert operator.code("DELETE", PLACE) == (409, "snapshot.wrong-state")
    assert operator("POST", "/one/resume")[0] == 202
    with worker(operator.service.folder):
        assert operator.rest()["state"] == "proven"
    for method, data in (("DELETE", None), ("PUT", listed)):
        assert operator.code(method, PLACE, data) == (409, "snapshot.wrong-state")
    assert files(uploads) == before
    assert len(history(operator)) == 1


def test_what_fell_short_takes_more_evidence(operator: Operator, exchange: Exchange) -> None:
    assert operator.create("one")[0] == 201
    assert operator("PUT", PLACE, signed(operator, exchange, 1))[0] == 200
    assert operator("POST", "/one/start")[0] == 202
    with worker(operator.service.folder):
        assert operator.rest()["state"] == "short"
        assert operator.code("DELETE", PLACE) == (409, "snapshot.wrong-state")
        assert operator("PUT", PLACE, signed(operator, exchange))[0] == 200
        assert operator("POST", "/one/resume")[0] == 202
        assert operator.rest()["state"] == "proven"


def test_of_changes_and_a_start_at_once_one_order_holds(
    operator: Operator, exchange: Exchange
) -> None:
    """A start that was taken has its file; one that came too late was told what is missing."""
    operator.draft(exchange)
    with ThreadPoolExecutor(2) as pool:
        deleted = pool.submit(operator, "DELETE", PLACE)
        started = pool.submit(operator, "POST", "/one/start")
    statuses = (deleted.result()[0], started.result()[0])
    uploads = operator.service.folder / "snapshots" / "one" / "uploads"
    assert statuses in ((204, 409), (409, 202))
    assert (uploads / LIST).exists() == (statuses[1] == 202)
    with worker(operator.service.folder):
        until(lambda: operator("GET", "/one")[1]["state"] in ("draft", "proven"))
