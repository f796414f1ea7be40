"""For one fault, and for one outcome, the command and the service have the same words."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from api.snapshots.folder import ServedFolder
from api.snapshots.sources import settle_previous
from tests.support.exchange_files import edit
from tests.support.served_exchange import LIST, Exchange, make_exchange
from tests.support.service import BIN, running
from tests.support.service_http import ALL, Operator, plain_environment, settings, token

PLACE = f"/one/evidence/{LIST}"


@pytest.fixture
def exchange(tmp_path: Path) -> Exchange:
    return make_exchange(tmp_path / "exchange")


@pytest.fixture
def operator(exchange: Exchange, tmp_path: Path) -> Iterator[Operator]:
    folder = tmp_path / "service"
    folder.mkdir()
    with running(folder, settings(exchange)) as service:
        yield Operator(service, token(folder, *ALL))


def draft(operator: Operator, exchange: Exchange, short_by: int = 0) -> list[bytes]:
    """Draft a snapshot; return the lines of what its wallets signed."""
    assert operator.create("one")[0] == 201
    messages = operator("GET", "/one/challenge")[1]["messages"]
    return exchange.evidence(messages, short_by).split(b"\r\n")


def upload(operator: Operator, lines: list[bytes]) -> None:
    assert operator("PUT", PLACE, b"\r\n".join(lines))[0] == 200


def ended(operator: Operator) -> tuple[str, str | None]:
    """Start a snapshot; return the state in which that ends, and the detail."""
    assert operator("POST", "/one/start")[0] == 202
    found = operator.rest()
    return found["state"], found["detail"]


def prove(
    operator: Operator, exchange: Exchange, tmp_path: Path
) -> subprocess.CompletedProcess[str]:
    """Run the command over the same snapshot, with a copy of keys that signed nothing yet; what it
    prints has the names of the service's files."""
    folder = ServedFolder(operator.service.folder / "snapshots" / "one")
    copy = tmp_path / "copy"
    shutil.copytree(exchange.folder, copy, ignore=shutil.ignore_patterns("*.log"))
    config = folder.path / "copy.toml"
    text = settle_previous(folder, None)[0].decode().replace(str(exchange.folder), str(copy))
    config.write_text(text)
    ran = subprocess.run(
        [BIN / "assay", "prove", config, "--out", tmp_path / "out", "--no-summary"],
        text=True,
        capture_output=True,
        check=False,
        env=plain_environment(),
    )
    config.unlink()
    ran.stderr = ran.stderr.removeprefix("assay: ").strip()
    for there, here in ((copy, exchange.folder), (f"{folder.uploads}/", "")):
        ran.stderr = ran.stderr.replace(str(there), str(here))
    return ran


def test_of_a_ledger_that_is_refused(
    operator: Operator, exchange: Exchange, tmp_path: Path
) -> None:
    with (exchange.folder / "ledger.csv").open("a") as file:
        file.write("late@example.com,ETH,much\r\nlate@example.com,DOGE,1\r\n")
    upload(operator, draft(operator, exchange))
    state, detail = ended(operator)
    ran = prove(operator, exchange, tmp_path)
    assert (state, ran.returncode) == ("failed", 1)
    assert detail == ran.stderr
    assert "not-a-number" in detail
    assert "unknown-asset" in detail


def test_of_evidence_that_is_refused(
    operator: Operator, exchange: Exchange, tmp_path: Path
) -> None:
    head, first, second, end = draft(operator, exchange)
    upload(operator, [head, first, re.sub(rb",eip191,.*", b",,", second), end])
    status, problem = operator("POST", "/one/start")
    ran = prove(operator, exchange, tmp_path)
    assert (status, problem["code"], ran.returncode) == (422, "evidence.refused", 1)
    assert problem["detail"] == ran.stderr
    assert "(no-signature)" in problem["detail"]


def test_of_assets_that_fall_short(operator: Operator, exchange: Exchange, tmp_path: Path) -> None:
    upload(operator, draft(operator, exchange, short_by=7))
    assert ended(operator) == ("short", None)
    said = operator("GET", "/one")[1]["shortfall"]
    ran = prove(operator, exchange, tmp_path)
    assert ran.returncode == 3
    # What to do about it differs: the service goes on in the same folder.
    assert ran.stderr == f"{said}. Once there is more evidence, begin anew in another folder"
    assert "ETH by 0.000007, USDT by 0.000007" in said


def test_of_a_target_that_cannot_be_written(operator: Operator, exchange: Exchange) -> None:
    upload(operator, draft(operator, exchange))
    assert ended(operator) == ("proven", None)
    published = operator.service.folder / "published"
    published.rmdir()
    published.write_bytes(b"")
    assert operator("POST", "/one/publish")[0] == 202
    found = operator.rest()
    snapshot = operator.service.folder / "snapshots" / "one"
    ran = subprocess.run(
        [BIN / "assay", "publish", snapshot, published.as_uri()],
        text=True,
        capture_output=True,
        check=False,
        env=plain_environment(),
    )
    assert (found["state"], ran.returncode) == ("unpublished", 1)
    assert f"assay: {found['detail']}\n" == ran.stderr


def without_leaves(text: str) -> list[str]:
    """The lines of a text without the numbers of leaves: each run draws its own split."""
    return re.sub(r"\d+ leaves", "leaves", text).split("\n")


def test_of_a_bundle_that_is_proven(operator: Operator, exchange: Exchange, tmp_path: Path) -> None:
    ledger = '"ledger.csv"\n'
    edit(exchange.source, ledger, ledger + 'skip = { assets = ["DOGE"] }\n')
    with (exchange.folder / "ledger.csv").open("a") as file:
        file.write("late@example.com,DOGE,1\r\n")
    upload(operator, draft(operator, exchange))
    assert operator("GET", "/one")[1]["outcome"] is None
    assert ended(operator) == ("proven", None)
    outcome = without_leaves(operator("GET", "/one")[1]["outcome"])
    ran = prove(operator, exchange, tmp_path)
    assert ran.returncode == 0, ran.stderr
    told = without_leaves(ran.stdout.rstrip("\n"))
    own = ("snapshot one is proven, in ", "bundle ", "private ", "figures ", "manifest ")
    assert outcome == [line for line in told if not line.startswith(own)]
    assert [line.split()[0] for line in outcome] == ["ETH", "USDT", "declared", "skipped"]
