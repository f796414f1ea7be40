"""A published folder behind nginx: audited, checked by the command, and found by the page."""

from __future__ import annotations

import base64
import json
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from tests.browser.conftest import AUDITORS_FILES, BIN, Exchange, Site, ask
from tests.support.exchange_files import files

ID = "2026-11-21"


@pytest.fixture(scope="module")
def folder(site: Site, exchange: Exchange, check_page: Path) -> Site:
    """What the command published, with the page beside it."""
    root = site.root / "folder"
    command = [str(BIN / "assay"), "publish", str(exchange.bundle.parent), root.as_uri()]
    subprocess.run(command, check=True, capture_output=True)
    shutil.copy(check_page, root / "check.html")
    return Site(root, f"{site.url}/folder")


def inclusion(exchange: Exchange, where: str) -> subprocess.CompletedProcess[str]:
    """The customer's check by the command."""
    command = [str(BIN / "assay-verify"), "inclusion", str(exchange.package), "--bundle", where]
    command += ["--exchange-key", exchange.key, "--account", exchange.account]
    for code, balance in exchange.balances.items():
        command += ["--balance", f"{code}={balance}"]
    return subprocess.run(command, check=False, capture_output=True, text=True)


def test_strangers_audit_and_customers_check(folder: Site, exchange: Exchange) -> None:
    bundle = f"{folder.url}/snapshots/{ID}"
    assert files(folder.root / "snapshots" / ID) == files(exchange.bundle)
    key = ["--exchange-key", exchange.key]
    subprocess.run([BIN / "assay-verify", "audit", bundle, *key], check=True, capture_output=True)
    for where in (bundle, folder.url, f"{folder.url}/", str(folder.root)):
        done = inclusion(exchange, where)
        assert done.returncode == 0, done.stderr
        assert "ACCEPTED" in done.stdout


@pytest.mark.parametrize("index", [b"", b"{}", None])
def test_where_no_bundle_is_found_the_check_says_so(
    folder: Site, exchange: Exchange, tmp_path: Path, index: bytes | None
) -> None:
    """The index is none, or does not name the package's manifest."""
    known = (folder.root / "history.json").read_bytes()
    digest = json.loads(known)["snapshots"][0]["manifest"].encode()
    found = known.replace(digest, b"00" * 32) if index is None else index
    (tmp_path / "history.json").write_bytes(found)
    done = inclusion(exchange, str(tmp_path))
    assert done.returncode == 1
    assert "check.no-bundle" in done.stdout + done.stderr


Check = Callable[[str], str]


@pytest.fixture
def tab(chromium: Browser) -> Iterator[Page]:
    """A page whose console may tell of a 404."""
    made = chromium.new_page()
    yield made
    made.close()


@pytest.fixture
def check(tab: Page, folder: Site, exchange: Exchange) -> Check:
    """Follow a link with package and address; return the verdict's title."""

    def follow(address: str) -> str:
        package = base64.urlsafe_b64encode(exchange.package.read_bytes()).decode().rstrip("=")
        tab.goto(f"{folder.url}/check.html#package={package}&bundle={address}")
        tab.wait_for_selector("#unknown:not([hidden]), #verdict:not([hidden])")
        if tab.is_visible("#unknown"):
            tab.click("#compared")
        return ask(tab, exchange.account, exchange.balances)

    return follow


@pytest.mark.parametrize("below", [f"/snapshots/{ID}/", f"/snapshots/{ID}", "", "/"])
def test_the_page_takes_the_bundle_s_address_or_the_folder_s(
    check: Check, folder: Site, below: str
) -> None:
    assert check(f"{folder.url}{below}") == "Your balances are counted"


@pytest.mark.parametrize(
    "change",
    [
        {"manifest": "00" * 32},
        {"snapshot_id": "../../elsewhere"},
        {"snapshot_id": None},
    ],
    ids=["unknown", "path", "null"],
)
def test_an_index_that_does_not_have_it_leads_nowhere(
    check: Check, tab: Page, folder: Site, change: dict[str, Any]
) -> None:
    root = folder.root.parent / "changed"
    root.mkdir(exist_ok=True)
    index = json.loads((folder.root / "history.json").read_bytes())
    index["snapshots"][0].update(change)
    (root / "history.json").write_text(json.dumps(index))
    asked: list[str] = []
    tab.on("request", lambda request: asked.append(request.url))
    url = folder.url.replace("/folder", "/changed")
    # What is absent is no verdict on the exchange.
    assert check(url) == "Nothing was found at this address"
    assert f"manifest.msgpack is not at {url}/" in tab.inner_text("#verdict-text")
    below = {
        address
        for address in asked
        if address.startswith("http") and not address.endswith(("check.html", *AUDITORS_FILES))
    }
    files = ("manifest.msgpack", "manifest.sig", "history.json")
    assert below <= {f"{url}/{file}" for file in files}
