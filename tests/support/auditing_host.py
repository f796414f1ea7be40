"""Running hosts that audit, for tests: processes of their own, over what a static host serves."""

from __future__ import annotations

import functools
import http.client
import json
import random
import shutil
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass
from email.message import Message
from http.server import SimpleHTTPRequestHandler
from pathlib import Path
from typing import Any, NamedTuple, TypeVar
from urllib.parse import urlencode

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from tests.support.loopback import on_loopback
from tests.support.verifier_bundle import Bundle
from verifier.bundle.http_source import Door
from verifier.format.keys import public_key_text
from verifier.host.jobs import Job, Limits

BIN = Path(sys.executable).parent
Result = TypeVar("Result")


class Answer(NamedTuple):
    """What the host answers."""

    status: int
    headers: Message
    body: bytes


@dataclass(frozen=True)
class InPlace:
    """Does the host's jobs in this process, without limits: for tests of what follows from them."""

    door: Door

    def __call__(self, job: Job[Result], limits: Limits) -> Result:
        return job.do(self.door)


@dataclass
class Host:
    """A running host: its process, address, key and folder."""

    process: subprocess.Popen[bytes]
    port: int
    key: bytes
    folder: Path

    def ask(
        self, method: str, path: str, body: bytes = b"", headers: dict[str, str] | None = None
    ) -> tuple[int, bytes]:
        answer = self.request(method, path, body, headers)
        return answer.status, answer.body

    def request(
        self, method: str, path: str, body: bytes = b"", headers: dict[str, str] | None = None
    ) -> Answer:
        address = http.client.HTTPConnection("127.0.0.1", self.port, timeout=120)
        with closing(address) as connection:
            connection.request(method, path, body, headers or {})
            with connection.getresponse() as answer:
                return Answer(answer.status, answer.headers, answer.read())

    def hand_in(self, bundle: str, key: bytes, sender: str = "192.0.2.1") -> int:
        """Hand in a bundle, from an address as a proxy on this machine tells it."""
        body = urlencode({"bundle": bundle, "key": public_key_text(key)}).encode()
        kind = "application/x-www-form-urlencoded"
        headers = {"Content-Type": kind, "X-Forwarded-For": sender}
        return self.ask("POST", "/submissions", body, headers)[0]

    def history(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.read("/history.json")["exchanges"]
        return found

    def read(self, path: str) -> Any:
        """Return what a JSON file holds."""
        return json.loads(self.ask("GET", path)[1])

    def wait_for(self, path: str, ready: Callable[[Any], bool]) -> Any:
        """Return what a JSON file holds once it is as it shall become."""
        for _ in range(900):  # others may be at work on this machine, too
            found = self.read(path)
            if ready(found):
                return found
            time.sleep(0.1)
        raise AssertionError(found)

    def wait(self, ready: Callable[[list[dict[str, Any]]], bool]) -> list[dict[str, Any]]:
        """Return the history once it is as it shall become."""
        found: list[dict[str, Any]] = self.wait_for(
            "/history.json", lambda history: ready(history["exchanges"])
        )["exchanges"]
        return found


class Ranges(SimpleHTTPRequestHandler):
    """Files with byte ranges, as a static host serves them; what stalls comes a byte a second."""

    def __init__(
        self, stalls: Callable[[str], bool], asked: list[str], *arguments: Any, **options: Any
    ) -> None:
        self._stalls = stalls
        self._asked = asked
        super().__init__(*arguments, **options)

    def do_GET(self) -> None:
        self._asked.append(self.path)
        with suppress(ConnectionError):
            self._answer(Path(self.translate_path(self.path)))

    def _answer(self, path: Path) -> None:
        if not path.is_file():
            self.send_error(404)
            return
        data = path.read_bytes()
        status, asked = 200, self.headers.get("Range")
        headers = {}
        if asked is not None:
            first, last = (int(text) for text in asked.removeprefix("bytes=").split("-"))
            headers["Content-Range"] = f"bytes {first}-{last}/{len(data)}"
            data, status = data[first : last + 1], 206
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(data))}.items():
            self.send_header(name, value)
        self.end_headers()
        if not self._stalls(self.path):
            self.wfile.write(data)
            return
        for at in range(len(data)):
            self.wfile.write(data[at : at + 1])
            time.sleep(1)

    def log_message(self, *arguments: object) -> None:
        """Say nothing."""


@contextmanager
def serving(
    root: Path, stalls: Callable[[str], bool] = lambda path: False, asked: list[str] | None = None
) -> Iterator[str]:
    """Serve a folder; give its URL. ``asked`` gets the paths that are asked for."""
    root.mkdir(exist_ok=True)
    handler = functools.partial(Ranges, stalls, [] if asked is None else asked, directory=root)
    with on_loopback(handler) as url:
        yield url


def bundle_at(folder: Path, **changes: Any) -> Bundle:
    """Publish a bundle, in place of an earlier one."""
    new = folder.with_suffix(".new")
    new.mkdir()
    bundle = Bundle(new, **changes)
    if folder.exists():
        shutil.move(folder, folder.parent.parent / uuid.uuid4().hex)
    new.rename(folder)
    bundle.folder = folder
    return bundle


@contextmanager
def hosts(folder: Path) -> Iterator[Callable[..., Host]]:
    """Give what starts hosts that watch exchanges; the second goes on with what the first kept.

    An exchange is a name, the URL of a bundle, a public key, and ``history`` if the URL is that of
    a published folder. ``more`` are further lines of the settings.
    """
    with ExitStack() as running:

        def run(
            *exchanges: tuple[str, str, bytes] | tuple[str, str, bytes, str], more: str = ""
        ) -> Host:
            key = Ed25519PrivateKey.from_private_bytes(b"h" * 32)
            pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
            (folder / "host.pem").touch(mode=0o600)
            (folder / "host.pem").write_bytes(pem)
            text = 'name = "The Auditor"\nkey = "host.pem"\nfolder = "host"\nevery_seconds = 1\n'
            text += more
            for name, url, public_key, *kind in exchanges:
                text += (
                    f'[[exchange]]\nname = "{name}"\n{kind[0] if kind else "bundle"} = "{url}"\n'
                )
                text += f'public_key = "{public_key_text(public_key)}"\n'
            (folder / "host.toml").write_text(text)
            port = free_port()
            command = [str(BIN / "assay-verify"), "serve", str(folder / "host.toml")]
            command += ["--port", str(port), "--test-loopback"]
            process = subprocess.Popen(command)
            running.callback(process.wait)
            running.callback(process.kill)
            host = Host(process, port, key.public_key().public_bytes_raw(), folder / "host")
            for _ in range(300):
                with suppress(OSError):
                    host.ask("GET", "/history.json")
                    break
                time.sleep(0.1)
            return host

        yield run


def free_port() -> int:
    """Return a port that nothing listens on, below those that outgoing connections are given."""
    while True:
        port = random.randint(10_000, 32_000)
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


def audited(found: list[dict[str, Any]]) -> bool:
    return bool(found) and settled(found[0]) > 0


def settled(exchange: dict[str, Any]) -> int:
    """Return how many snapshots of an exchange have an outcome."""
    return sum(one["outcome"] != "not audited" for one in exchange["snapshots"])


def kinds(found: list[dict[str, Any]]) -> set[str]:
    return {alarm["kind"] for alarm in found[0]["alarms"]}
