"""A bundle over HTTP: a host that lies, stalls or floods ends the check; it never changes it."""

from __future__ import annotations

import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from verifier.bundle import http_source
from verifier.bundle.http_source import AnyHost, HttpSource, _redirected
from verifier.errors import CannotCheck, Code, Misuse, Rejected
from verifier.ordered import Threads

FILE = bytes(range(256)) * 4

Answer = Callable[[str, dict[str, str]], bytes | Iterator[bytes]]


@contextmanager
def serving(answer: Answer, tls: ssl.SSLContext | None = None) -> Iterator[str]:
    """Serve raw bytes over loopback, one answer a request, until the client goes; yield the URL."""
    listener = socket.create_server(("127.0.0.1", 0))
    stopped = threading.Event()

    def serve(connection: socket.socket) -> None:
        if tls is not None:
            try:
                connection = tls.wrap_socket(connection, server_side=True)
            except OSError:  # the client does not like the certificate
                return
        with connection, connection.makefile("rb") as reader:
            while (request := reader.readline()) and not stopped.is_set():
                headers = {}
                while (line := reader.readline().strip()) != b"":
                    name, _, value = line.decode().partition(": ")
                    headers[name.lower()] = value
                answered = answer(request.split()[1].decode(), headers)
                try:
                    for chunk in [answered] if isinstance(answered, bytes) else answered:
                        connection.sendall(chunk)
                        if stopped.is_set():
                            return
                except OSError:
                    return
                if answered == b"" or not isinstance(answered, bytes):
                    return

    def accept() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=serve, args=(connection,), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    try:
        scheme = "http" if tls is None else "https"
        yield f"{scheme}://127.0.0.1:{listener.getsockname()[1]}/bundle"
    finally:
        stopped.set()
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()


def respond(
    status: int = 200, body: bytes = b"", *headers: str, length: int | None = None
) -> bytes:
    size = len(body) if length is None else length
    lines = [f"HTTP/1.1 {status} X", *headers, f"Content-Length: {size}", "", ""]
    return "\r\n".join(lines).encode() + body


def honest(path: str, headers: dict[str, str]) -> bytes:
    """What a static host answers."""
    if not path.endswith("/file"):
        return respond(404)
    if "range" not in headers:
        return respond(200, FILE)
    first, last = map(int, headers["range"].removeprefix("bytes=").split("-"))
    return respond(206, FILE[first : last + 1], f"Content-Range: bytes {first}-{last}/{len(FILE)}")


@contextmanager
def source(answer: Answer, timeout: float = 20) -> Iterator[HttpSource]:
    with serving(answer) as url, closing(HttpSource(url, timeout=timeout)) as opened:
        yield opened


def refused(match: str = ""):
    return pytest.raises(CannotCheck, match=rf"^check\.unreadable: .*{match}")


def only_ranges(lie: Callable[[int, int], bytes]) -> Answer:
    """Answer honestly for the first byte, which tells the length, and with a lie for the rest."""

    def answer(path: str, headers: dict[str, str]) -> bytes:
        first, last = map(int, headers["range"].removeprefix("bytes=").split("-"))
        return honest(path, headers) if last == 0 else lie(first, last)

    return answer


def test_an_honest_host_serves_files_and_ranges():
    seen = []

    def answer(path: str, headers: dict[str, str]) -> bytes:
        seen.append((path, headers.get("range"), headers["accept-encoding"]))
        return honest(path, headers)

    with source(answer) as bundle:
        assert bundle.read("file", len(FILE)) == FILE
        assert bundle.size("file") == len(FILE)
        assert bundle.read_range("file", 7, 300) == FILE[7:307]
        assert bundle.read_range("file", len(FILE) - 1, 1) == FILE[-1:]
        bundle.check_listing([])
        bundle.check_present(["nowhere"])
    assert [asked for _, asked, _ in seen] == [None, "bytes=0-0", "bytes=7-306", "bytes=1023-1023"]
    assert {path for path, _, _ in seen} == {"/bundle/file"}
    assert {encoding for _, _, encoding in seen} == {"identity"}


@pytest.mark.parametrize("status", [404, 410])
def test_a_file_that_is_gone_is_missing(status):
    with source(lambda path, headers: respond(status, b"no")) as bundle:
        for read in (
            lambda: bundle.read("manifest.sig", 64),
            lambda: bundle.size("manifest.sig"),
        ):
            with pytest.raises(Rejected) as raised:
                read()
            assert raised.value.code == Code.BUNDLE_MISSING_FILE
            assert raised.value.where == "manifest.sig"


@pytest.mark.parametrize("status", [201, 204, 206, 304, 400, 401, 403, 429, 500, 503])
def test_any_other_status_is_no_verdict(status):
    with source(lambda path, headers: respond(status)) as bundle, refused(f"answers {status}"):
        bundle.read("file", 10)


def test_a_longer_file_is_cut_one_byte_above_the_limit():
    with source(honest) as bundle:
        assert bundle.read("file", 9) == FILE[:10]
        assert bundle.read("file", 9) == FILE[:10]
        assert bundle.read("file", 2000) == FILE


def test_an_endless_body_is_cut():
    def endless() -> Iterator[bytes]:
        yield b"HTTP/1.1 200 X\r\nTransfer-Encoding: chunked\r\n\r\n"
        while True:
            yield b"10000\r\n" + bytes(0x10000) + b"\r\n"

    with source(lambda path, headers: endless()) as bundle:
        assert bundle.read("file", 100_000) == bytes(100_001)


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(respond(200, b"short", length=50), id="body-shorter-than-declared"),
        pytest.param(b"HTTP/1.1 200 X\r\n\r\n12345", id="no-length"),
        pytest.param(b"HTTP/1.1 200 X\r\nContent-Length: -5\r\n\r\n12345", id="negative-length"),
        pytest.param(
            b"HTTP/1.1 200 X\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n123", id="chunk-cut-off"
        ),
        pytest.param(
            b"HTTP/1.1 200 X\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n123", id="chunk-no-number"
        ),
        pytest.param(respond(200, b"x", "Content-Encoding: gzip"), id="gzip"),
        pytest.param(b"no HTTP at all\r\n\r\n", id="no-http"),
        pytest.param(b"HTTP/1.1 200 X\r\n" + b"X: y\r\n" * 1000 + b"\r\n", id="many-headers"),
        pytest.param(b"HTTP/1.1 200 X\r\nX: " + b"y" * 100_000 + b"\r\n\r\n", id="long-header"),
        pytest.param(b"", id="closed"),
    ],
)
def test_a_malformed_answer_is_no_verdict(answer):
    def once(path: str, headers: dict[str, str]) -> Iterator[bytes]:
        yield answer

    with source(lambda path, headers: once(path, headers)) as bundle, refused():
        bundle.read("file", 100)


def ranged(body: bytes, content_range: str) -> bytes:
    return respond(206, body, f"Content-Range: bytes {content_range}")


@pytest.mark.parametrize(
    ("lie", "message"),
    [
        (lambda a, b: respond(200, FILE), "byte ranges"),
        (lambda a, b: respond(206, FILE[a : b + 1]), "does not say which"),
        (lambda a, b: ranged(FILE[a : b + 1], f"{a}-{b}/*"), "does not say which"),
        (lambda a, b: ranged(FILE[a : b + 1], f"{a}-{b}"), "does not say which"),
        (lambda a, b: ranged(FILE[a : b + 1], f"{a}-{b}/{'9' * 30}"), "does not say which"),
        (lambda a, b: ranged(FILE[a + 1 : b + 2], f"{a + 1}-{b + 1}/1024"), "another range"),
        (lambda a, b: ranged(FILE[a:b], f"{a}-{b - 1}/1024"), "another range"),
        (lambda a, b: ranged(FILE[a : b + 1], f"{a}-{b}/{b}"), "another range"),
        (lambda a, b: ranged(FILE[a:b], f"{a}-{b}/1024"), "cut off"),
        (lambda a, b: ranged(FILE[a : b + 1], f"{a}-{b}/2048"), "changed"),
        (lambda a, b: respond(416, b"", "Content-Range: bytes */1024"), "answers 416"),
    ],
)
def test_a_wrong_range_is_no_verdict(lie, message):
    with source(only_ranges(lie)) as bundle:
        assert bundle.size("file") == len(FILE)
        with refused(message):
            bundle.read_range("file", 7, 300)


def test_more_bytes_than_the_range_are_not_taken_for_the_next_answer():
    with source(only_ranges(lambda a, b: ranged(FILE[a:], f"{a}-{b}/1024"))) as bundle:
        assert bundle.read_range("file", 7, 300) == FILE[7:307]
        assert bundle.read_range("file", 8, 300) == FILE[8:308]


def test_an_empty_file_has_size_0():
    with source(lambda path, headers: respond(416, b"", "Content-Range: bytes */0")) as bundle:
        assert bundle.size("file") == 0


def test_redirects_are_followed_with_the_range():
    def answer(path: str, headers: dict[str, str]) -> bytes:
        if path.startswith("/bundle/"):
            return respond(302, b"elsewhere", "Location: /store" + path[7:])
        return honest(path, headers)

    with source(answer) as bundle:
        assert bundle.read_range("file", 7, 300) == FILE[7:307]
        assert bundle.read("file", 2000) == FILE
        with pytest.raises(Rejected, match="missing-file: none"):
            bundle.read("none", 10)


@pytest.mark.parametrize(
    ("location", "message"),
    [
        ("/bundle/file", "too many redirects"),
        ("ftp://127.0.0.1/file", "malformed"),
        ("file:///etc/passwd", "malformed"),
        ("http://[::1", "malformed"),
        ("http://127.0.0.1:99999/file", "no connection"),
        ("", "malformed"),
    ],
)
def test_other_redirects_are_refused(location, message):
    asked = []

    def answer(path: str, headers: dict[str, str]) -> bytes:
        asked.append(path)
        return respond(301, b"", f"Location: {location}")

    with source(answer) as bundle, refused(message):
        bundle.read("file", 10)
    assert len(asked) <= AnyHost.max_redirects + 1


def drip(head: bytes, drop: bytes) -> Answer:
    def answer(path: str, headers: dict[str, str]) -> Iterator[bytes]:
        yield head
        while True:
            time.sleep(0.05)
            yield drop

    return answer


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(drip(b"", b""), id="silence"),
        pytest.param(drip(b"HTTP/1.1 200 X\r\nContent-Length: 9\r\n\r\n", b""), id="silent-body"),
        pytest.param(drip(b"HTTP/1.1 200 X\r\n", b"X: y\r\n"), id="dripping-headers"),
        pytest.param(drip(b"HTTP/1.1 200 X\r\nX: ", b"y"), id="dripping-header"),
        pytest.param(
            drip(b"HTTP/1.1 200 X\r\nContent-Length: 900\r\n\r\n", b"z"), id="dripping-body"
        ),
        pytest.param(
            drip(b"HTTP/1.1 200 X\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\nz\r\n"),
            id="dripping-chunks",
        ),
    ],
)
def test_a_slow_host_is_given_up(answer):
    with source(answer, timeout=0.5) as bundle, refused("took too long"):
        bundle.read("file", 2000)


def test_a_connection_that_was_closed_while_idle_is_opened_again():
    asked = []

    def answer(path: str, headers: dict[str, str]) -> Iterator[bytes]:
        asked.append(path)
        yield honest(path, headers)  # and close, though HTTP/1.1 promises to stay

    with source(answer) as bundle:
        for _ in range(3):
            assert bundle.read("file", 2000) == FILE
    assert len(asked) == 3


def test_a_host_that_is_not_there_is_no_verdict():
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with closing(HttpSource(f"http://127.0.0.1:{port}/")) as bundle, refused("no connection"):
        bundle.read("file", 10)


@pytest.mark.parametrize(
    "url",
    [
        "http://", "http:///path", "http://host:0/", "http://host:x/", "http://host/?query",
        "http://host/#fragment", "http://user:secret@host/", "http://host/a b", "http://host/\n",
        "ftp://host/", "http://[::1/", "http://h\xf6st/",
    ],
)  # fmt: skip
def test_a_malformed_url_is_misuse(url):
    with pytest.raises(Misuse) as raised:
        HttpSource(url)
    assert "secret" not in str(raised.value)


def test_https_is_never_left_for_http():
    assert _redirected("f", "https://a/f", "/g") == "https://a/g"
    assert _redirected("f", "http://a/f", "https://b/g") == "https://b/g"
    with refused("from https to http"):
        _redirected("f", "https://a/f", "http://a/g")


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    """A certificate of 127.0.0.1, signed by itself, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "loopback")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False
        )
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("tls") / "certificate.pem"
    pem = serialization.Encoding.PEM
    private = key.private_bytes(
        pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path.write_bytes(made.public_bytes(pem) + private)
    return path


@pytest.fixture
def tls(certificate):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    return context


def test_a_host_over_tls(tls, certificate, monkeypatch):
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    with serving(honest, tls) as url, closing(HttpSource(url)) as bundle:
        assert bundle.read("file", 2000) == FILE
        assert bundle.read_range("file", 7, 300) == FILE[7:307]
    slow = drip(b"HTTP/1.1 200 X\r\nContent-Length: 900\r\n\r\n", b"z")
    with (
        serving(slow, tls) as url,
        closing(HttpSource(url, timeout=0.5)) as bundle,
        refused("took too long"),
    ):
        bundle.read("file", 2000)


def test_a_certificate_that_nobody_vouches_for_is_refused(tls):
    with serving(honest, tls) as url, closing(HttpSource(url)) as bundle, refused("no connection"):
        bundle.read("file", 2000)


def test_several_threads_read_at_once():
    most = http_source._MAX_CONNECTIONS
    reading, at_once = 0, [0]
    lock = threading.Lock()

    def answer(path: str, headers: dict[str, str]) -> bytes:
        nonlocal reading
        with lock:
            reading += 1
            at_once.append(reading)
        time.sleep(0.01)
        with lock:
            reading -= 1
        return honest(path, headers)

    with source(answer) as bundle, closing(Threads(most + 8)) as threads:
        found = list(threads.run("read", lambda at: bundle.read_range("file", at, 9), range(200)))
    assert found == [FILE[at : at + 9] for at in range(200)]
    assert 1 < max(at_once) <= most


def test_connections_are_used_again():
    connections = []

    class Counting(AnyHost):
        def connect(self, url, timeout):
            connections.append(url)
            return super().connect(url, timeout)

    with serving(honest) as url, closing(HttpSource(url, door=Counting())) as bundle:
        for at in range(20):
            bundle.read_range("file", at, 9)
    assert len(connections) == 1


def test_threads_are_told_of_one_size():
    def answer(path: str, headers: dict[str, str]) -> bytes:
        first, last = map(int, headers["range"].removeprefix("bytes=").split("-"))
        total = 1024 if first < 10 else 2048
        return ranged(FILE[first : last + 1], f"{first}-{last}/{total}")

    with source(answer) as bundle:
        assert bundle.read_range("file", 7, 9) == FILE[7:16]
        assert bundle.size("file") == 1024
        with refused("changed"):
            bundle.read_range("file", 10, 9)
