"""Shared by the browser tests: Chromium, nginx as the static host, the built page, an exchange."""

from __future__ import annotations

import csv
import fcntl
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, Request, expect, sync_playwright

expect.set_options(timeout=30_000)

BIN = Path(sys.executable).parent
CHROMIUM = shutil.which("chromium")
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]

AUDITORS_FILES = ("auditor.pub", "exchanges.msgpack", "exchanges.sig")

# No gzip and no rewriting: what any static host does with files. Another origin may read ranges.
NGINX = """
daemon off; master_process off; worker_processes 1; pid {folder}/nginx.pid;
error_log {folder}/error.log; events {{ worker_connections 64; }}
http {{
  access_log off; client_body_temp_path {folder}; proxy_temp_path {folder};
  fastcgi_temp_path {folder}; uwsgi_temp_path {folder}; scgi_temp_path {folder};
  types {{ text/html html; text/javascript js; }} default_type application/octet-stream;
  server {{ listen 127.0.0.1:{port}; root {root}; }}
}}
"""


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """Debian's Chromium, headless; its driver keeps an event loop running until it ends."""
    if CHROMIUM is None:
        pytest.skip("pages in a browser: no Chromium on this machine")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def axe() -> str:
    """The checker of what people need who do not see or point, as `tests/javascript` pins it."""
    file = Path(__file__).parents[1] / "javascript" / "node_modules" / "axe-core" / "axe.min.js"
    if not file.exists():
        pytest.skip("axe-core: tests/javascript/install has not run, or npm is missing")
    return file.read_text("utf-8")


@dataclass(frozen=True)
class Site:
    """A static host: the folder that it serves, and the URL of that."""

    root: Path
    url: str


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Debian's nginx on loopback."""
    nginx = shutil.which("nginx", path="/usr/sbin:/usr/bin:/usr/local/sbin:/usr/local/bin")
    if nginx is None:
        pytest.skip("pages from a static host: no nginx on this machine")
    folder = tmp_path_factory.mktemp("nginx")
    root = folder / "root"
    root.mkdir()
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    config = folder / "nginx.conf"
    config.write_text(NGINX.format(folder=folder, root=root, port=port))
    for path in (folder, *folder.parents):
        if path.owner() == folder.owner():
            path.chmod(path.stat().st_mode | 0o055)  # nginx may run as a user of its own
    command = [nginx, "-c", str(config), "-e", str(folder / "error.log")]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as process:
        for _ in range(200):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.05)
        yield Site(root, f"http://127.0.0.1:{port}")
        process.terminate()


@pytest.fixture(scope="session")
def check_page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The customer's page, built once for all test processes."""
    shared = tmp_path_factory.getbasetemp()
    if os.environ.get("PYTEST_XDIST_WORKER"):
        shared = shared.parent  # of this run, for all its processes
    page = shared / "check.html"
    with (shared / "check.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not page.exists():
            built = [sys.executable, "-m", "verifier.web.build", str(page.with_suffix(".new"))]
            subprocess.run(built, check=True, capture_output=True)
            page.with_suffix(".new").rename(page)
    return page


@dataclass(frozen=True)
class Exchange:
    """A sample exchange's published bundle, and one customer with every asset."""

    folder: Path
    bundle: Path
    key: str
    account: str
    balances: Mapping[str, str]
    package: Path


@pytest.fixture(scope="session")
def exchange(tmp_path_factory: pytest.TempPathFactory) -> Exchange:
    """An exchange of 300 accounts, made by the commands that an operator types."""
    folder = tmp_path_factory.mktemp("exchange")
    made, proof, package = folder / "made", folder / "proof", folder / "inclusion.package"

    def assay(*arguments: str) -> None:
        subprocess.run([BIN / "assay", *arguments], check=True, capture_output=True)

    assay("sample", "--accounts", "300", "--assets", "BTC,ETH,USDT", "--out", str(made))
    assay("prove", str(made / "snapshot.toml"), "--out", str(proof))
    held: dict[str, dict[str, str]] = {}
    with (made / "ledger.csv").open(newline="") as file:
        for row in csv.DictReader(file):
            if "." in row["balance"]:
                held.setdefault(row["account_id"], {})[row["asset"]] = row["balance"]
    account = next(name for name, balances in held.items() if len(balances) == 3)
    assay("package", str(proof), account, "--out", str(package))
    key = (made / "exchange.pub").read_text().strip()
    return Exchange(folder, proof / "public", key, account, held[account], package)


@pytest.fixture(scope="session")
def published(site: Site, exchange: Exchange, check_page: Path) -> Site:
    """A host with the page and the bundle."""
    root = site.root / "published"
    shutil.copytree(exchange.bundle, root / "proof")
    shutil.copy(check_page, root / "check.html")
    return Site(root, f"{site.url}/published")


Opener = Callable[..., Page]


@pytest.fixture
def opened(chromium: Browser, published: Site) -> Iterator[Opener]:
    """Opens the page; at the end nothing may have been blocked, thrown or asked of others."""
    faults: list[str] = []
    context = chromium.new_context(timezone_id="Asia/Tokyo", locale="en-US")

    def open_page(fragment: str = "", **emulated: str) -> Page:
        tab = context.new_page()
        if emulated:
            tab.emulate_media(**emulated)  # type: ignore[arg-type]
        tab.on("pageerror", lambda error: faults.append(str(error)))
        tab.on("console", lambda message: note_fault(message, faults))
        tab.on("request", lambda request: _note_foreign(request, published.url, faults))
        visit(tab, f"{published.url}/check.html{fragment}")
        return tab

    yield open_page
    context.close()
    assert faults == []


def visit(tab: Page, url: str) -> None:
    """Go to the page, and wait until it has unpacked itself: then it has a direction."""
    tab.goto(url)
    tab.wait_for_selector("html[dir]")


def note_fault(message: ConsoleMessage, faults: list[str]) -> None:
    # The page asks the place that serves it for an auditor's list, which most do not have.
    if Path(message.location["url"]).name not in AUDITORS_FILES:
        faults.append(message.text)


def _note_foreign(request: Request, origin: str, faults: list[str]) -> None:
    if not request.url.startswith((origin, "blob:", "data:")):
        faults.append(f"asked {request.url}")


def fill_in(
    tab: Page, exchange: Exchange, bundle: str, *, everything: bool = False, **replaced: str
) -> None:
    """The first form; `everything`: all pages are downloaded."""
    reopen(tab)
    tab.fill("#bundle", "")  # so that the check does not begin before all is given
    tab.set_input_files("#package", replaced.get("package", str(exchange.package)))
    other_ways(tab)
    tab.fill("#key", replaced.get("key", exchange.key))
    tab.set_checked("#everything", everything)
    tab.fill("#bundle", bundle)
    tab.click("#open")


def reopen(tab: Page) -> None:
    """Show the first form, if something stands in its place."""
    if not tab.is_visible("#setup"):
        tab.click("#again")


def other_ways(tab: Page) -> None:
    """Show the fields of the first form that few need."""
    if not tab.is_visible("#key"):
        tab.click("#other-ways summary")


def ask(
    tab: Page, account: str, balances: Mapping[str, str], *, other: tuple[str, str] | None = None
) -> str:
    """Name the account, look, type balances, and agree; return the verdict's title."""
    name_account(tab, account)
    if tab.is_visible("#verdict"):
        return verdict(tab)
    for code, balance in balances.items():
        tab.fill(f"#balance-{code}", balance)
    if other:
        tab.click("#other-button")
        tab.fill("#other-code", other[0])
        tab.fill("#other-amount", other[1])
    tab.click("#agree")
    return verdict(tab)


def name_account(tab: Page, account: str) -> None:
    """Name the account, until there is something to compare, or a verdict before that."""
    tab.wait_for_selector("#question:not([hidden]), #compare:not([hidden]), #verdict:not([hidden])")
    if tab.is_visible("#back"):
        tab.click("#back")
    if tab.is_visible("#question"):
        tab.fill("#account", account)
        tab.click("#show")
        tab.wait_for_selector("#compare:not([hidden]), #verdict:not([hidden])")


def verdict(tab: Page) -> str:
    tab.wait_for_selector("#verdict:not([hidden])")
    return tab.inner_text("#verdict-title")
