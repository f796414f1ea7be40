"""`make bench-page`: how long a customer's check takes in the browser, beside an earlier page.

An exchange of fifty assets in trees of eight pages of 4,096 leaves, where every balance has three
parts: one customer holds one asset, one twenty, one fifty. A host on loopback serves their bundle
over HTTP/1.1 at once, or as one far away does: 80 ms a request, over a pipe of 20 Mbit/s. Debian's
Chromium, headless, on the same cores. Every check has a browser context of its own, so nothing is
cached or compiled before; the page of an earlier commit takes its turn before that of now.

A script in the page fills in the forms and reads `performance.now`: from the press of the first
button to the question, and from the press of the second to the verdict; what is counted is agreed
to at once. It presses the second as soon as there is a question, or 8 seconds later, as after a
person has typed.

    python -m benches.page [--quick]

`--quick` measures each once, and writes nothing.
"""

from __future__ import annotations

import asyncio
import shutil
import statistics
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from queue import Queue
from typing import Any

import psutil
from playwright.sync_api import Browser, FilePayload, sync_playwright

from benches import base, machine
from benches.commands import BIN, measure, part_count
from benches.many import CONFIG, ownership_message, wallet, write_table
from prover.assets.lists import EVIDENCE_COLUMNS
from prover.files.keys import make_keys
from prover.snapshot.folder import SnapshotFolder
from prover.snapshot.packages import Packager
from verifier.ownership.families.evm import account_text

COMMIT = "28ee4f06"  # the last one of which the page asked for one range after the other
ROUNDS = 5
LEAVES = 8 * 4096
PARTS = 3
HELD = (1, 20, 50)
TYPING = 8
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"]

ASSET = """[[assets]]
code = "{code}"
decimals = 2
ratio = "1/1"
capacity = {leaves}
split = {{ least = {parts}, most = {parts} }}
units = [{{ chain = "ethereum", contract = "{contract}", decimals = 6 }}]
"""

# No unit of the exchange is in the page's table, so the verdict has a remark.
TITLE = "Counted, but not every coin is known here"

CHECK = """([account, url, key, typing]) => new Promise((resolve) => {
    const element = (id) => document.getElementById(id);
    const once = (id, then) => new MutationObserver((_, observer) => {
        if (element(id).hidden) return;
        observer.disconnect();
        then(performance.now());
    }).observe(element(id), { attributes: true });
    const type = (input, text) => {
        input.value = text;
        input.dispatchEvent(new Event("input", { bubbles: true }));
    };
    type(element("key"), key);
    type(element("bundle"), url);
    once("question", (asked) => setTimeout(() => {
        type(element("account"), account);
        for (const input of document.querySelectorAll("input[id^=balance-]")) type(input, "0");
        const pressed = performance.now();
        once("verdict", (told) => resolve({
            open: asked - begun, check: told - pressed, title: element("verdict-title").textContent,
        }));
        // The earlier page has no table to look at before the verdict.
        const isShown = element("show") !== null;
        if (isShown) once("compare", () => element("agree").click());
        element(isShown ? "show" : "check").click();
    }, 1000 * typing));
    const begun = performance.now();
    element("open").click();
})"""


@dataclass(frozen=True)
class Network:
    """What lies between host and browser: seconds a request, and bytes a second in all."""

    name: str
    delay: float
    rate: float


NEAR = Network("near", 0, float("inf"))
FAR = Network("far", 0.08, 20e6 / 8)


def main() -> None:
    """Measure, print, and keep."""
    machine.run(
        "benches.page",
        "make bench-page",
        __doc__,
        lambda quick: measured(1 if quick else ROUNDS),
    )


def measured(rounds: int) -> dict[str, float]:
    """Medians, in seconds; ratios of the earlier page to that of now; megabytes and bytes."""
    with (
        tempfile.TemporaryDirectory(prefix="assay-bench-") as name,
        sync_playwright() as playwright,
    ):
        folder = Path(name)
        pages = {"before": page_of(base.built(COMMIT)), "now": page_of(machine.ROOT)}
        exchange = make_exchange(folder)
        chromium = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=FLAGS)
        figures: dict[str, float] = {"page_bytes": len(pages["now"])}
        for customer in exchange.customers:
            for network in (NEAR, FAR):
                named = f"page_{customer.parts}_parts_{network.name}"
                figures |= compared(chromium, exchange, customer, network, pages, rounds, named)
        chromium.close()
    for figure, value in figures.items():
        print(f"{figure:40} {value:>10,}")
    return figures


def compared(
    chromium: Browser,
    exchange: Exchange,
    customer: Customer,
    network: Network,
    pages: dict[str, bytes],
    rounds: int,
    name: str,
) -> dict[str, float]:
    """The figures of a customer over a network, both pages in turn; then with typing, now."""
    checks: dict[str, list[Check]] = {side: [] for side in (*pages, "typed")}
    for _ in range(rounds):
        for side, page in pages.items():
            checks[side].append(check(chromium, exchange, customer, network, page))
        checks["typed"].append(check(chromium, exchange, customer, network, pages["now"], TYPING))
    before, now, typed = (
        statistics.median(each.seconds for each in checks[side]) for side in checks
    )
    return {
        f"{name}_s": round(now, 2),
        f"{name}_typed_s": round(typed, 2),
        f"{name}_before_s": round(before, 2),
        f"{name}_before_over_now": round(before / now, 1),
        f"{name}_open_s": round(statistics.median(each.opened for each in checks["now"]), 2),
        f"{name}_cpu_s": round(statistics.median(each.cpu_seconds for each in checks["now"]), 2),
        f"{name}_before_cpu_s": round(
            statistics.median(each.cpu_seconds for each in checks["before"]), 2
        ),
        f"{name}_renderer_mb": round(max(each.renderer_mb for each in checks["now"])),
        f"{name}_requests": max(each.requests for each in checks["now"]),
        f"{name}_sent_mb": round(max(each.sent for each in checks["now"]) / 1e6, 1),
    }


# --- the exchange


@dataclass(frozen=True)
class Customer:
    """Who checks, with how many parts, and with which package."""

    account: str
    parts: int
    package: bytes


@dataclass(frozen=True)
class Exchange:
    """A generated exchange: its bundle, its key, one customer of each kind."""

    bundle: Path
    key: str
    customers: list[Customer]


def make_exchange(folder: Path) -> Exchange:
    """Generate and prove it; a few accounts, and trees that are full with padding."""
    make_keys(folder)
    codes = [f"T{number:02}" for number in range(max(HELD))]
    contracts = [account_text(sha256(code.encode()).digest()[:20]) for code in codes]
    assets = "".join(
        ASSET.format(code=code, contract=contract, leaves=LEAVES, parts=PARTS)
        for code, contract in zip(codes, contracts, strict=True)
    )
    config = folder / "snapshot.toml"
    config.write_text(CONFIG.format(head="page_size = 4096", assets=assets))
    accounts = {f"holder-of-{held}@example.com": codes[:held] for held in HELD}
    rows = ((account, code, "1.50") for account, held in accounts.items() for code in held)
    write_table(folder / "ledger.csv", ("account", "asset", "balance"), rows)
    address, signature = wallet(0, ownership_message(config))
    evidence = (
        (code, "ethereum", contract, address, 10**9, "eip191", signature)
        for code, contract in zip(codes, contracts, strict=True)
    )
    write_table(folder / "evidence.csv", EVIDENCE_COLUMNS, evidence)
    proof = folder / "proof"
    measure([str(BIN / "assay"), "prove", str(config), "--out", str(proof), "--jobs", "2"])
    packager = Packager(proof)
    packages = {name: packager.package(packager.index_of(name)) for name in accounts}
    return Exchange(
        SnapshotFolder(proof).bundle,
        (folder / "exchange.pub").read_text().strip(),
        [Customer(name, part_count(package), package) for name, package in packages.items()],
    )


def page_of(checkout: Path) -> bytes:
    """The page that a checkout builds."""
    with tempfile.NamedTemporaryFile() as out:
        python = str(checkout / ".venv" / "bin" / "python")
        command = [python, "-m", "verifier.web.build", out.name]
        subprocess.run(command, cwd=checkout, stdout=subprocess.DEVNULL, check=True)
        return Path(out.name).read_bytes()


# --- the host


@dataclass
class Host:
    """What answers: a page, a bundle's files and ranges of them, as far away as a network is."""

    page: bytes
    bundle: Path
    network: Network
    sent: int = 0
    requests: int = 0
    pipe: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one request after the other on a connection."""
        while head := await request_head(reader):
            self.requests += 1
            await asyncio.sleep(self.network.delay)
            status, headers, body = self.found(head)
            async with self.pipe:
                await asyncio.sleep(len(body) / self.network.rate)
            self.sent += len(body)
            lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers, "", ""]
            writer.write("\r\n".join(lines).encode() + body)
            await writer.drain()
        writer.close()

    def found(self, head: list[str]) -> tuple[str, list[str], bytes]:
        """Status, headers and body for a request's head."""
        path = head[0].split()[1]
        if path == "/check.html":
            return "200 OK", ["Content-Type: text/html"], self.page
        file = self.bundle / path.lstrip("/")
        if not file.is_file():
            return "404 Not Found", [], b""
        data = file.read_bytes()
        for line in head:
            name, _, value = line.partition(": ")
            if name.lower() == "range":
                first, last = map(int, value.removeprefix("bytes=").split("-"))
                headers = [f"Content-Range: bytes {first}-{last}/{len(data)}"]
                return "206 Partial Content", headers, data[first : last + 1]
        return "200 OK", [], data


async def request_head(reader: asyncio.StreamReader) -> list[str]:
    """The lines of a request without a body; none at the end of the connection, or of the host."""
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except (asyncio.IncompleteReadError, asyncio.CancelledError, ConnectionError):
        return []
    return head.decode("latin-1").split("\r\n")


@contextmanager
def running(host: Host) -> Iterator[str]:
    """Run a host in a thread; the value is its address."""
    begun: Queue[tuple[int, Callable[[], object]]] = Queue()

    async def serve() -> None:
        ended = asyncio.Event()
        loop = asyncio.get_running_loop()
        async with await asyncio.start_server(host.answer, "127.0.0.1", 0) as server:
            port = server.sockets[0].getsockname()[1]
            begun.put((port, lambda: loop.call_soon_threadsafe(ended.set)))
            await ended.wait()

    thread = threading.Thread(target=asyncio.run, args=(serve(),))
    thread.start()
    port, end = begun.get()
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        end()
        thread.join()


# --- the check


@dataclass(frozen=True)
class Check:
    """What one check took: seconds to the question and to the verdict, processor seconds and memory
    of the renderer, traffic."""

    opened: float
    seconds: float
    cpu_seconds: float
    renderer_mb: float
    requests: int
    sent: int


def check(
    chromium: Browser,
    exchange: Exchange,
    customer: Customer,
    network: Network,
    page: bytes,
    typing: float = 0,
) -> Check:
    """Let a customer check, who types for so many seconds.

    Raises:
        RuntimeError: the verdict is another.
    """
    host = Host(page, exchange.bundle, network)
    with running(host) as url:
        context = chromium.new_context()
        tab = context.new_page()
        tab.goto(f"{url}/check.html")
        package = FilePayload(
            name="package", mimeType="application/octet-stream", buffer=customer.package
        )
        tab.set_input_files("#package", package)
        time.sleep(2)  # the core is ready before a person has found the key
        host.sent = host.requests = 0
        before = cpu_seconds()
        found: dict[str, Any] = tab.evaluate(CHECK, [customer.account, url, exchange.key, typing])
        cpu = cpu_seconds() - before
        memory = max(each.memory_info().rss for each in renderers())
        context.close()
    if found["title"] != TITLE:
        raise RuntimeError(found["title"])
    return Check(
        opened=found["open"] / 1e3,
        seconds=found["check"] / 1e3,
        cpu_seconds=cpu,
        renderer_mb=memory / 1e6,
        requests=host.requests,
        sent=host.sent,
    )


def renderers() -> list[psutil.Process]:
    """The renderers of this process's browser: that of the page, and a spare one."""
    children = psutil.Process().children(recursive=True)
    return [child for child in children if "--type=renderer" in child.cmdline()]


def cpu_seconds() -> float:
    """Processor seconds of the renderers so far."""
    return sum(sum(each.cpu_times()[:2]) for each in renderers())


if __name__ == "__main__":
    main()
