"""`make bench-page`: how long a customer's check takes in the browser, and what it transfers.

`assay serve` on loopback serves the page and a bundle of a million leaves to Debian's Chromium,
headless, on the same cores. Each customer has three parts and a browser context of their own, so
nothing is cached or compiled before, and fills in both forms at once, so the first button waits for
tables that are built while a person types. Times are from the press of a button to its answer: the
first shows what the proof is of, the second checks. What is transferred besides pages of the trees
and their arguments is the page itself, manifest and index.

    python -m benches.page [--quick]

`--quick` measures on a small exchange and writes nothing.
"""

from __future__ import annotations

import re
import shutil
import statistics
import tempfile
import time
from pathlib import Path

from playwright.sync_api import Browser, FilePayload, Page, Request, sync_playwright

from benches import commands, machine
from benches.api import running
from prover.publish.publish import publish
from prover.snapshot.packages import Packager
from verifier.web.build import build_page

ACCOUNTS, QUICK_ACCOUNTS = 225_000, 2_000
CUSTOMERS = 7
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"]
WITHIN = re.compile("/(pages|arguments)/")
SETTINGS = 'folder = "."\npage = "check.html"\n[server]\nworker = false\n'


def main() -> None:
    """Measure, print, and keep."""
    machine.run(
        "benches.page",
        "make bench-page",
        __doc__,
        lambda quick: measured(QUICK_ACCOUNTS if quick else ACCOUNTS),
    )


def measured(accounts: int) -> dict[str, float]:
    """Medians and the longest times, in seconds, and the most bytes, besides pages."""
    with (
        tempfile.TemporaryDirectory(prefix="assay-bench-") as name,
        sync_playwright() as playwright,
    ):
        service = Path(name, "service")
        service.mkdir()
        exchange, _ = commands.prove(Path(name), accounts)
        publish(exchange.bundle, (service / "published").as_uri())
        (service / "settings.toml").write_text(SETTINGS)
        (service / "check.html").write_text(build_page(), "utf-8")
        packager = Packager(exchange.proof)
        customers = commands.three_part_customers(exchange, packager, CUSTOMERS)
        leaves = commands.count(exchange.proof, exchange.key).leaves
        print(f"{'':24} {leaves:,} leaves, {len(customers)} customers of three parts")
        chromium = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=FLAGS)
        with running(service) as port:
            checks = [
                check(
                    chromium,
                    f"http://127.0.0.1:{port}",
                    packager.package(packager.index_of(account)),
                    exchange.key,
                    account,
                )
                for account in customers
            ]
        chromium.close()
    opened, checked, sizes = zip(*checks, strict=True)
    both = [sum(pair) for pair in zip(opened, checked, strict=True)]
    figures = {
        "page_open_s": round(statistics.median(opened), 2),
        "page_check_s": round(statistics.median(checked), 2),
        "page_check_longest_s": round(max(checked), 2),
        "page_both_s": round(statistics.median(both), 2),
        "page_both_longest_s": round(max(both), 2),
        "page_transfer_bytes": max(sizes),
    }
    for name, value in figures.items():
        print(f"{name:24} {value:>14,}")
    return figures


def check(
    chromium: Browser, url: str, package: bytes, key: str, account: str
) -> tuple[float, float, int]:
    """Let one customer check; return the seconds of each button, and the bytes besides pages."""
    context = chromium.new_context()
    tab = context.new_page()
    sent: list[Request] = []
    tab.on("requestfinished", lambda request: sent.append(request))
    tab.goto(f"{url}/check.html")
    tab.set_input_files(
        "#package", FilePayload(name="package", mimeType="application/octet-stream", buffer=package)
    )
    tab.fill("#key", key)
    tab.fill("#bundle", url)
    opened = press(tab, "#open", "#question")
    tab.fill("#account", account)
    for field in tab.query_selector_all("input[id^=balance-]"):
        field.fill("0")
    checked = press(tab, "#check", "#verdict")
    if (title := tab.inner_text("#verdict-title")) != "Your balance is counted":
        raise RuntimeError(title)
    sizes = [request.sizes() for request in sent if not WITHIN.search(request.url)]
    context.close()
    transferred = sum(size["responseBodySize"] + size["responseHeadersSize"] for size in sizes)
    return opened, checked, transferred


def press(tab: Page, button: str, answer: str) -> float:
    """Press a button; return the seconds until its answer is there."""
    started = time.perf_counter()
    tab.click(button)
    tab.wait_for_selector(f"{answer}:not([hidden])")
    return time.perf_counter() - started


if __name__ == "__main__":
    main()
