"""What is done while the customer still types, and what of it is seen and told."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, Request, Route

from tests.browser.conftest import Exchange, Opener, Site, ask, fill_in, reopen, visit
from verifier.web.build import WEB

COUNTED = "Your balances are counted"


def ranges(requests: list[Request]) -> list[str]:
    """What was asked for of pages and arguments, each with its range."""
    return [
        f"{request.url} {request.headers.get('range')}"
        for request in requests
        if "/pages/" in request.url or "/arguments/" in request.url
    ]


def opened_with(tab: Page, exchange: Exchange, url: str) -> list[Request]:
    """The requests of a page, with the question before the customer."""
    requests: list[Request] = []
    tab.on("request", lambda request: requests.append(request))
    fill_in(tab, exchange, url)
    tab.wait_for_selector("#question:not([hidden])")
    return requests


def settled(tab: Page, requests: list[Request]) -> None:
    """Wait until a page asks for nothing more."""
    count = -1
    while count != len(requests):
        count = len(requests)
        tab.wait_for_timeout(1500)


def test_all_is_read_before_anything_is_typed_and_nothing_is_told(
    opened: Opener, exchange: Exchange, published: Site
) -> None:
    tab = opened()
    requests = opened_with(tab, exchange, f"{published.url}/proof")
    settled(tab, requests)
    early = ranges(requests)
    # A page and its argument on every level, each once; no file is asked for its length alone.
    assert len(early) == len(set(early))
    assert {line.split("/proof/")[1].split("/")[0] for line in early} == {"pages", "arguments"}
    assert not any(line.endswith(" bytes=0-0") for line in early)
    assert tab.is_hidden("#verdict")
    assert tab.is_hidden("#progress")
    requests.clear()
    assert ask(tab, exchange.account, exchange.balances) == COUNTED
    assert {Path(request.url).name for request in requests} == {"manifest.msgpack", "manifest.sig"}


def test_nothing_that_is_typed_leaves_the_device(
    opened: Opener, exchange: Exchange, published: Site
) -> None:
    tab = opened()
    requests = opened_with(tab, exchange, f"{published.url}/proof")
    for balances in ({"BTC": "987654321"}, exchange.balances):
        ask(tab, exchange.account, balances)
    sent = [f"{request.url} {request.post_data} {request.headers}" for request in requests]
    assert sent
    assert not any(word in line for line in sent for word in (exchange.account, "987654321"))


def test_who_downloads_all_asks_for_no_range_before(
    opened: Opener, exchange: Exchange, published: Site
) -> None:
    tab = opened()
    requests: list[Request] = []
    tab.on("request", lambda request: requests.append(request))
    fill_in(tab, exchange, f"{published.url}/proof", everything=True)
    tab.wait_for_selector("#question:not([hidden])")
    settled(tab, requests)
    assert {line.rpartition(" ")[2] for line in ranges(requests)} <= {"None", "bytes=0-0"}
    assert ask(tab, exchange.account, exchange.balances) == COUNTED


@pytest.fixture
def held(chromium: Browser, published: Site) -> tuple[Page, list[Route]]:
    """A page whose requests for pages of the proof are not answered, and these requests."""
    tab = chromium.new_page()
    routes: list[Route] = []
    tab.route("**/pages/**", lambda route: routes.append(route))
    visit(tab, f"{published.url}/check.html")
    return tab, routes


def waited(tab: Page, done: Callable[[], Any]) -> bool:
    """Whether something becomes true within 20 seconds."""
    end = time.monotonic() + 20
    while not done() and time.monotonic() < end:
        tab.wait_for_timeout(50)
    return bool(done())


def test_a_change_of_what_was_given_ends_the_check(
    held: tuple[Page, list[Route]], exchange: Exchange, published: Site
) -> None:
    tab, routes = held
    ended: list[str] = []
    tab.on("requestfailed", lambda request: ended.append(request.url))
    opened_with(tab, exchange, f"{published.url}/proof")
    assert waited(tab, lambda: routes)
    assert not any("/pages/" in url for url in ended)
    reopen(tab)
    tab.fill("#key", exchange.key[:-1])
    assert waited(tab, lambda: sum("/pages/" in url for url in ended) == len(routes))
    tab.fill("#key", exchange.key)
    tab.unroute("**/pages/**")
    tab.click("#open")
    assert ask(tab, exchange.account, exchange.balances) == COUNTED
    tab.close()


def test_a_change_ends_the_reading_of_a_manifest_that_never_comes(
    opened: Opener, exchange: Exchange, published: Site
) -> None:
    tab, routes, ended = opened(), [], []
    tab.route("**/manifest.msgpack", lambda route: routes.append(route))
    tab.on("requestfailed", lambda request: ended.append(request.url))
    fill_in(tab, exchange, f"{published.url}/proof")
    assert waited(tab, lambda: routes)
    tab.fill("#bundle", f"{published.url}/elsewhere")
    assert waited(tab, lambda: any(url.endswith("manifest.msgpack") for url in ended))
    assert waited(tab, lambda: tab.is_enabled("#open"))


def test_a_host_that_never_answers_is_waited_for_once(chromium: Browser, site: Site) -> None:
    folder = site.root / "waiting"
    shutil.copytree(WEB / "src", folder)
    (folder / "index.html").write_text("")
    tab = chromium.new_page()
    asked: list[Route] = []
    tab.route("**/pages/**", lambda route: asked.append(route))
    tab.goto(f"{site.url}/{folder.name}/index.html")
    found = tab.evaluate(
        """async () => {
            const { HostSource } = await import("./source.js");
            const source = new HostSource("/proof", 500);
            const read = (_, at) => source.readRange("pages/BTC/0", at, 1);
            const ranges = Array.from({ length: 100 }, read);
            const told = (await Promise.allSettled(ranges)).map(({ reason }) => reason.detail);
            return [...new Set(told)];
        }"""
    )
    tab.close()
    assert found == ["the host took too long"]
    assert len(asked) == 24


@pytest.mark.parametrize(("length", "seconds"), [("3", 30), (None, 30 + 1024)])
def test_a_host_has_the_time_of_a_whole_limit_only_once_it_answers(
    chromium: Browser, site: Site, length: str | None, seconds: int
) -> None:
    """And only where it does not say how long the file is."""
    folder = site.root / f"timed-{length}"
    shutil.copytree(WEB / "src", folder)
    (folder / "index.html").write_text("")
    tab = chromium.new_page()
    tab.goto(f"{site.url}/{folder.name}/index.html")
    delays = tab.evaluate(
        """async (length) => {
            const { HostSource } = await import("./source.js");
            const [delays, real] = [[], window.setTimeout];
            window.setTimeout = (run, delay) => { delays.push(delay); return real(run, delay); };
            const headers = length === null ? {} : { "content-length": length };
            window.fetch = async () => new Response("abc", { headers });
            await new HostSource("/proof").read("manifest.msgpack", 2 ** 24);
            return delays.map((delay) => Math.round(delay / 1000));
        }""",
        length,
    )
    tab.close()
    assert delays == [30, seconds]


def test_another_account_is_told_of_without_the_pages(
    held: tuple[Page, list[Route]], exchange: Exchange, published: Site
) -> None:
    """The order of what is looked at is not that in which it comes."""
    tab, _ = held
    opened_with(tab, exchange, f"{published.url}/proof")
    title = ask(tab, "nobody@example.com", exchange.balances)
    assert title == "This file is for another account"
    tab.unroute("**/pages/**")
    tab.close()


def test_at_most_so_many_are_run_at_a_time_and_in_turn(chromium: Browser) -> None:
    tab = chromium.new_page()
    found = tab.evaluate(
        """async (source) => {
            const { inTurns } = await import(`data:text/javascript,${encodeURIComponent(source)}`);
            const [inTurn, begun, ends] = [inTurns(2), [], []];
            const run = (name) => inTurn(() => new Promise((resolve, reject) => {
                begun.push(name);
                ends.push(name === "b" ? () => reject(new Error(name)) : () => resolve(name));
            })).catch((error) => `not ${error.message}`);
            const outcomes = ["a", "b", "c", "d"].map(run);
            const seen = [[...begun]];
            while (ends.length > 0) {
                ends.shift()();
                await new Promise((resolve) => setTimeout(resolve));
                seen.push([...begun]);
            }
            return [seen, await Promise.all(outcomes)];
        }""",
        (WEB / "src" / "turns.js").read_text(),
    )
    tab.close()
    seen = [["a", "b"], ["a", "b", "c"], ["a", "b", "c", "d"]]
    assert found == [[*seen, seen[-1], seen[-1]], ["a", "not b", "c", "d"]]


ANSWERS = {
    "links": ("postMessage({ kind: 'done', links: ['link'] })", ["link"]),
    "rejects": ("postMessage({ kind: 'failed', code: 'argument.rejected' })", "argument.rejected"),
    # What a helper cannot do is done here.
    "fails": ("postMessage({ kind: 'failed', verdict: 'broken' })", "by this core"),
    "throws": ("throw new Error('out of memory')", "by this core"),
}


@pytest.mark.parametrize("answer", ANSWERS)
def test_what_a_helper_cannot_do_the_worker_does(
    chromium: Browser, site: Site, answer: str
) -> None:
    folder = site.root / f"helpers-{answer}"
    shutil.copytree(WEB / "src", folder)
    (folder / "index.html").write_text("")
    body, expected = ANSWERS[answer]
    (folder / "helper.js").write_text(f"onmessage = () => {{ {body}; }};")
    tab = chromium.new_page()
    tab.goto(f"{site.url}/{folder.name}/index.html")
    found = tab.evaluate(
        """async () => {
            const { Helpers } = await import("./helpers.js");
            const helpers = new Helpers({ check: () => "by this core" }, null, "helper.js");
            const check = () => helpers.check([], []).catch(({ code }) => code);
            return Promise.all(Array.from({ length: 12 }, check));
        }"""
    )
    tab.close()
    assert found == [expected] * 12
