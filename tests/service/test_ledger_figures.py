"""What the prover counts of a ledger stays in the private folder, out of database and log."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest

from api.snapshots.states import State
from tests.support.dying_service import Service
from tests.support.exchange_files import edit
from tests.support.served_exchange import DECIMALS, SECRET_NUMBER, make_exchange
from verifier.format.units import coins_text


@pytest.mark.parametrize("fits", [True, False])
def test_figures_of_the_ledger(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], fits: bool
) -> None:
    exchange = make_exchange(tmp_path / "exchange", accounts=31)
    bounds = "{ least = 31, most = 31 }" if fits else "{ least = 32 }"
    section = f"[ledger.expect]\naccounts = {bounds}\n[ledger.columns]"
    edit(exchange.source, "[ledger.columns]", section)
    with Service(tmp_path / "service", f"sqlite:///{tmp_path / 'database'}") as service:
        with service.working():
            folder = service.draft(exchange)
            service.operations.start("one")
            row = service.rest()
        if fits:
            assert row.state is State.PROVEN
        else:
            assert row.state is State.FAILED
            assert "accounts: below ledger.expect.accounts.least" in str(row.detail)
        kept = folder / "private" / "summary.json"
        assert stat.S_IMODE(kept.stat().st_mode) == 0o600
        total = coins_text(exchange.owed, DECIMALS)
        assert json.loads(kept.read_text())["assets"]["ETH"]["total"] == total
        database = b"".join(path.read_bytes() for path in tmp_path.glob("database*"))
        printed = "".join(capfd.readouterr()).encode()
        for figure in (total, str(exchange.owed), str(SECRET_NUMBER), "31 "):
            assert figure.encode() not in database + printed
        service.operations.retire("one")
        with service.working():
            assert service.rest().state is State.RETIRED
        assert not folder.exists()
