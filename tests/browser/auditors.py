"""Auditors and proofs that a browser finds at addresses for which a test answers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from playwright.sync_api import BrowserContext, Page, Route

from tests.browser.conftest import Site, other_ways
from tests.support.forged_sample import ALICE, Sample
from verifier.format.keys import parse_public_key, public_key_text, sign
from verifier.format.statement import manifest_digest
from verifier.format.wire import Value, encode

HOST = "audit.example"
TIME = 1_767_225_600  # the sample's snapshot
CLOCK = TIME + 3 * 86_400


@dataclass
class Auditor:
    """An auditor: a key, and the files that their host serves."""

    host: str = HOST
    key: Ed25519PrivateKey = field(default_factory=Ed25519PrivateKey.generate)
    files: dict[str, bytes] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    @property
    def address(self) -> str:
        return f"https://{self.host}/"

    @property
    def key_text(self) -> str:
        return public_key_text(self.key.public_key().public_bytes_raw())

    def lists(self, *exchanges: tuple[str, str, str], **fields: Any) -> Auditor:
        """Publish a list of exchanges: name, key and bundle of each."""
        listed: list[Value] = [
            {"bundle": bundle, "name": named, "public_key": parse_public_key(key)}
            for named, key, bundle in exchanges
        ]
        nothing: dict[str, Value] = {
            "attesters": [], "exchanges": listed, "policy": "", "time": 1, "units": [],
            "version": 1,
        }  # fmt: skip
        self.put("exchanges", "exchange-list", encode(nothing | fields))
        self.files["auditor.pub"] = f"{self.key_text}\n".encode()
        return self

    def attests(self, made: Made, **fields: Any) -> Auditor:
        """Publish what they found of a manifest."""
        found: dict[str, Value] = {
            "assets": [{"code": "BTC", "den": 1, "level": "chain", "num": 1}],
            "checked": [], "code": "", "exchange": "x", "manifest": bytes.fromhex(made.digest),
            "not_checked": [], "place": "", "public_key": parse_public_key(made.key),
            "snapshot_id": made.snapshot_id, "time": CLOCK - 3600, "verifier": "v", "version": 1,
        }  # fmt: skip
        self.put(f"attestations/{made.digest}", "attestation", encode(found | fields))
        return self

    def put(self, path: str, purpose: str, data: bytes) -> None:
        self.files[f"{path}.msgpack"] = data
        self.files[f"{path}.sig"] = sign(self.key, purpose, data)

    def answer(self, route: Route) -> None:
        path = route.request.url.removeprefix(self.address)
        self.asked.append(path)
        body = self.files.get(path)
        headers = {"Access-Control-Allow-Origin": "*"}
        if body is None:
            route.fulfill(status=404, headers=headers, body="Not found")
        else:
            route.fulfill(status=200, headers=headers, body=body)


@dataclass(frozen=True)
class Made:
    """A proof that a test made, at a host of its own, and its first customer's package."""

    files: Mapping[str, bytes]
    key: str
    digest: str
    package: Path
    snapshot_id: str = "2026-01-01"
    url: str = "https://proofs.example/"


def made_of(one: Sample, folder: Path) -> Made:
    files = one.forger.bundle()
    package = folder / "inclusion.package"
    package.write_bytes(one.package(files["manifest.msgpack"], ALICE))
    digest = manifest_digest(files["manifest.msgpack"]).hex()
    key = public_key_text(one.forger.public_key)
    return Made(files, key, digest, package)


def serves(files: Mapping[str, bytes], url: str) -> Callable[[Route], None]:
    """Answer as a static host does, with byte ranges."""

    def answer(route: Route) -> None:
        headers = {
            "Access-Control-Allow-Origin": "*",
            "Access-Control-Allow-Headers": "Range",
            "Access-Control-Expose-Headers": "Content-Range",
        }
        body = files.get(route.request.url.removeprefix(url))
        asked = route.request.headers.get("range")
        if body is None:
            route.fulfill(status=404, headers=headers)
        elif asked is None:
            route.fulfill(status=200, headers=headers, body=body)
        else:
            first, last = map(int, asked.removeprefix("bytes=").split("-"))
            headers["Content-Range"] = f"bytes {first}-{last}/{len(body)}"
            route.fulfill(status=206, headers=headers, body=body[first : last + 1])

    return answer


def knows(context: BrowserContext, auditor: Auditor) -> Auditor:
    context.route(f"{auditor.address}**", auditor.answer)
    return auditor


def opened(context: BrowserContext, published: Site, *auditors: Auditor) -> Page:
    """The page, to which auditors were added."""
    tab = context.new_page()
    tab.clock.set_fixed_time(CLOCK)
    tab.goto(f"{published.url}/check.html")
    for auditor in auditors:
        add(tab, auditor)
    return tab


def add(tab: Page, auditor: Auditor) -> None:
    other_ways(tab)
    tab.fill("#auditor-address", auditor.host)
    tab.fill("#auditor-key", auditor.key_text)
    tab.click("#auditor-add")
    tab.wait_for_selector(f"#auditors li:has-text('{auditor.host}')")


def give(tab: Page, made: Made) -> None:
    """Package and address; the check begins by itself."""
    tab.set_input_files("#package", str(made.package))
    tab.fill("#bundle", made.url)
    tab.dispatch_event("#bundle", "change")
    tab.wait_for_selector("#question:not([hidden]), #unknown:not([hidden]), #verdict:not([hidden])")
