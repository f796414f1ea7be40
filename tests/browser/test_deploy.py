"""docs/deploy: its Compose file by the schema, and each of its command lines on loopback.

No container runs. A part's command is started with the files that it would be given, in which its
paths, addresses and ports are those of this test; the commands of README.md are run as printed,
with a `docker` that runs what a container would.
"""

from __future__ import annotations

import contextlib
import http.client
import ipaddress
import json
import os
import re
import shutil
import socket
import ssl
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import distribution
from pathlib import Path

import psycopg
import pytest
import yaml
from jsonschema import Draft202012Validator

from tests.browser.conftest import BIN
from tests.support.auditing_host import free_port
from tests.support.postgresql import tool

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "docs" / "deploy"
COMPOSE = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
PARTS = COMPOSE["services"]
PROOFS, AUDITOR = "proofs.example.com", "auditor.example.com"
BUNDLE = "/snapshots/2026-11-21"
# In place of Docker: `run` and `exec` run the command here, `up` is done by the test.
DOCKER = """#!/bin/bash
set -eu
case "$1 $2" in
"run --rm") shift 5; exec "${@//\\/secrets/$PWD/secrets}" ;;
"compose exec")
    shift 3
    export PGPASSFILE="$PWD/service/run/secrets/pgpass"
    exec "${@//\\/etc\\/assay/$PWD/service/etc/assay}" ;;
"compose up") ;;
*) exit 9 ;;
esac
"""

# In place of one that an authority signs.
CERTIFICATE = f"""openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 \\
    -nodes -subj /CN=test -keyout secrets/privkey.pem -out secrets/fullchain.pem \\
    -addext subjectAltName=DNS:{PROOFS},DNS:{AUDITOR}"""
# Other users are those of containers.
CHOWN = '#!/bin/sh\nshift\nfor file; do test -e "$file" || exit 1; done\n'


def blocks() -> list[str]:
    """The commands of README.md."""
    text = (DEPLOY / "README.md").read_text()
    return re.findall(r"^```sh\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def faults(text: str) -> list[str]:
    """What the schema of the Compose specification has against a file."""
    package = distribution("check-jsonschema")
    file = package.locate_file("check_jsonschema/builtin_schemas/vendor/compose-spec.json")
    schema = json.loads(Path(str(file)).read_text())
    return [
        error.message for error in Draft202012Validator(schema).iter_errors(yaml.safe_load(text))
    ]


@pytest.mark.parametrize("file", ["deploy/compose.yaml", "cluster/compose.yaml"])
def test_the_specification_takes_the_file(file: str) -> None:
    assert faults((ROOT / "docs" / file).read_text()) == []


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("read_only: true", "readonly: true"),
        ("condition: service_healthy", "condition: healthy"),
        ("internal: true", "internal: [3]"),
        ("file: ./secrets/host.pem", "files: ./secrets/host.pem"),
    ],
)
def test_the_specification_takes_no_wrong_one(right: str, wrong: str) -> None:
    text = (DEPLOY / "compose.yaml").read_text()
    assert right in text
    assert faults(text.replace(right, wrong))


def test_every_part_can_do_no_more_than_it_must() -> None:
    assert set(PARTS) == {"proxy", "service", "database", "host"}
    for part in PARTS.values():
        assert part["read_only"] is True
        assert part["cap_drop"] == ["ALL"]
        assert part["security_opt"] == ["no-new-privileges:true"]
        assert int(part["user"].split(":")[0]) > 0
        assert re.fullmatch(r"[a-z]+:\d+\.\d+(\.\d+)?(-[a-z]+)?", part["image"])
        assert part["healthcheck"]["test"][0] == "CMD"
    written = {
        name: {volume.split(":")[0] for volume in part["volumes"] if not volume.endswith(":ro")}
        for name, part in PARTS.items()
    }
    assert written == {
        "proxy": set(),
        "service": {"service", "published"},
        "database": {"database"},
        "host": {"host"},
    }


def test_the_database_is_reached_by_the_service_alone_and_the_rest_by_the_proxy() -> None:
    on = {name: set(part["networks"]) for name, part in PARTS.items()}
    assert on["database"] == {"database"}
    assert COMPOSE["networks"]["database"] == {"internal": True}
    assert {name for name in on if "database" in on[name]} == {"database", "service"}
    assert not on["host"] & on["service"]
    assert {name for name, part in PARTS.items() if part.get("ports")} == {"proxy"}
    environment = [part.get("environment", {}) for part in PARTS.values()]
    assert not any(name.endswith("PASSWORD") for given in environment for name in given)


def test_each_secret_goes_where_it_is_used() -> None:
    given = {name: set(part.get("secrets", ())) for name, part in PARTS.items()}
    assert set.union(*given.values()) == set(COMPOSE["secrets"])
    assert given["proxy"] == {"fullchain.pem", "privkey.pem"}
    assert given["host"] == {"host.pem"}
    assert given["database"] == {"database-password"}
    assert sum(map(len, given.values())) == len(COMPOSE["secrets"])


def test_addresses_are_the_same_everywhere() -> None:
    def address(part: str, network: str) -> str:
        found: str = PARTS[part]["networks"][network]["ipv4_address"]
        (config,) = COMPOSE["networks"][network]["ipam"]["config"]
        assert ipaddress.ip_address(found) in ipaddress.ip_network(config["subnet"])
        return found

    nginx = (DEPLOY / "nginx.conf").read_text()
    assert f"upstream service {{ server {address('service', 'service')}:8000;" in nginx
    assert f"upstream host {{ server {address('host', 'auditor')}:8001;" in nginx
    proxies = f'proxies = ["{address("proxy", "service")}"]'
    assert proxies in (DEPLOY / "service.toml").read_text()
    believed = PARTS["host"]["environment"]["FORWARDED_ALLOW_IPS"]
    assert believed == address("proxy", "auditor")
    assert PARTS["proxy"]["ports"] == ["80:8080", "443:8443"]


def test_of_what_is_private_the_machine_shows_nothing_to_its_other_users(machine: Machine) -> None:
    for name in ("secrets", "ledger"):
        assert stat.S_IMODE((machine.folder / name).stat().st_mode) == 0o700
    _, secrets, _ = blocks()
    assert "chown 1000 secrets ledger\n" in secrets


def test_the_image_is_made_as_elsewhere() -> None:
    text = (DEPLOY / "Dockerfile").read_text()
    assert "RUN make web\n" in text
    stages = re.findall(
        r"^FROM python:([\d.]+)-(?:slim-)?bookworm( AS build)?$", text, re.MULTILINE
    )
    assert len(stages) == 2
    assert stages[0][0] == stages[1][0]
    users = {PARTS[name]["user"] for name in ("service", "host")}
    assert users == set(re.findall(r"^USER (\S+)$", text, re.MULTILINE))
    for image in {PARTS[name]["image"] for name in ("service", "host")}:
        assert f"--tag {image} ." in text
        assert f"--tag {image} ." in blocks()[0]
    allowed = (DEPLOY / "Dockerfile.dockerignore").read_text().splitlines()
    assert "*" in allowed
    for name in allowed:
        assert not name.startswith("!") or (ROOT / name[1:]).exists()


@dataclass(frozen=True)
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes


@dataclass(frozen=True)
class Machine:
    """All parts, running: where the proxy listens, and the folder that they were made in."""

    folder: Path
    plain: int
    tls: int

    def connect(self, name: str, source: str = "127.0.0.1") -> ssl.SSLSocket:
        context = ssl.create_default_context(cafile=self.folder / "secrets" / "fullchain.pem")
        address = ("127.0.0.1", self.tls)
        plain = socket.create_connection(address, timeout=30, source_address=(source, 0))
        return context.wrap_socket(plain, server_hostname=name)

    def ask(
        self,
        name: str,
        path: str,
        method: str = "GET",
        body: bytes | None = None,
        source: str = "127.0.0.1",
        **headers: str,
    ) -> Answer:
        """Ask over TLS, with a path and a stated length exactly as given."""
        connection = http.client.HTTPConnection(name)
        connection.sock = self.connect(name, source)
        fields = {field.replace("_", "-"): value for field, value in headers.items()}
        with contextlib.closing(connection):
            connection.request(method, path, body, fields)
            answer = connection.getresponse()
            found = {field.lower(): value for field, value in answer.getheaders()}
            return Answer(answer.status, found, answer.read())


class Loopback:
    """The parts without containers: what stands where for each, and under which ports."""

    def __init__(self, folder: Path, page: Path) -> None:
        self.folder = folder
        self._page = page
        self._ports = {name: str(free_port()) for name in ("8000", "8001", "8080", "8443", "5432")}
        self._running: list[subprocess.Popen[bytes]] = []

    def port(self, name: str) -> int:
        return int(self._ports[name])

    def _text(self, part: str, text: str) -> str:
        """Return a text of a part's container with what stands for it here."""
        places = self._places(part)
        inside = "|".join(map(re.escape, sorted(places, key=len, reverse=True)))
        text = re.sub(inside, lambda found: str(places[found[0]]), text)
        text = re.sub(r"172\.30\.[12]\.[23]|0\.0\.0\.0|(?<=listen_addresses=)\*", "127.0.0.1", text)
        text = text.replace("192.0.2.0/24", "127.0.0.1").replace("database:", "127.0.0.1:")
        text = re.sub(r"(?<=listen )(?=80|84)", "127.0.0.1:", text)
        names = "|".join(self._ports)
        return re.sub(rf"\b({names})\b", lambda found: self._ports[found[0]], text)

    def _places(self, part: str) -> dict[str, Path]:
        found = {"/opt/assay/share/check.html": self._page}
        for volume in PARTS[part].get("volumes", ()):
            outside, inside = volume.removesuffix(":ro").split(":")
            place = self.folder / outside if outside.startswith(".") else self._volume(outside)
            found[inside] = self.folder / part / inside[1:] if place.is_file() else place
        for name in PARTS[part].get("secrets", ()):
            found[f"/run/secrets/{name}"] = self.folder / part / "run/secrets" / name
        found["/tmp"] = self.folder / part / "tmp"  # noqa: S108 (inside a container)
        found["/tmp"].mkdir(parents=True, exist_ok=True)  # noqa: S108
        return found

    def _volume(self, name: str) -> Path:
        place = self.folder / "volumes" / name
        place.mkdir(parents=True, exist_ok=True)
        return place

    def fill(self, part: str) -> None:
        """Give a part its files: those that its volumes and secrets name, which must be there."""
        places = self._places(part)
        files = {
            volume.split(":")[1]: self.folder / volume.split(":")[0]
            for volume in PARTS[part].get("volumes", ())
            if volume.startswith("./")
        }
        for name in PARTS[part].get("secrets", ()):
            files[f"/run/secrets/{name}"] = self.folder / COMPOSE["secrets"][name]["file"]
        for inside, outside in files.items():
            assert outside.exists(), outside
            if outside.is_file():
                place = places[inside]
                place.parent.mkdir(parents=True, exist_ok=True)
                place.touch(mode=0o600)
                place.write_text(self._text(part, outside.read_text()))

    def _environment(self, part: str) -> dict[str, str]:
        clean = {name: value for name, value in os.environ.items() if not name.startswith("ASSAY_")}
        given = {
            name: self._text(part, value)
            for name, value in PARTS[part].get("environment", {}).items()
        }
        more = {"PATH": f"{BIN}:/usr/sbin:{os.environ['PATH']}", "PGPORT": self._ports["5432"]}
        if part == "service":
            more["ASSAY_SERVER__PORT"] = self._ports["8000"]
        return clean | given | more

    def start(self, part: str, *more: str, user: str | None = None) -> None:
        """Start the command line of a part."""
        command = [self._text(part, word) for word in PARTS[part]["command"]]
        command[0] = tool("postgres") if command[0] == "postgres" else command[0]
        if command[0] == "nginx" and os.geteuid() == 0:
            command[-1] += " user root;"
        log = (self.folder / f"{part}.log").open("wb")
        with log:
            self._running.append(
                subprocess.Popen(
                    [*command, *more],
                    cwd=self.folder,
                    env=self._environment(part),
                    stderr=log,
                    user=user,
                )
            )

    def wait(self, part: str) -> None:
        """Wait until a part is healthy, by its own check."""
        words = PARTS[part]["healthcheck"]["test"][1:]
        command = [self._text(part, word) for word in words]
        command[0] = {"pg_isready": tool("pg_isready"), "python": sys.executable}.get(
            command[0], command[0]
        )
        for _ in range(300):
            assert self._running[-1].poll() is None, (self.folder / f"{part}.log").read_text()
            if not subprocess.run(
                command, env=self._environment(part), capture_output=True
            ).returncode:
                return
            time.sleep(1)
        raise AssertionError(f"{part} is not healthy: {(self.folder / f'{part}.log').read_text()}")

    def close(self) -> None:
        for process in reversed(self._running):
            process.terminate()
            process.wait(timeout=60)


def make_database(running: Loopback) -> None:
    """Do what the image of PostgreSQL does before its command: it is no part of ours."""
    running.fill("database")
    environment = PARTS["database"]["environment"]
    user = "postgres" if os.geteuid() == 0 else None
    data, password = (running.folder / "volumes/database", running.folder / "password")
    shutil.copy(running.folder / "database/run/secrets/database-password", password)
    for path in (data, password):
        if user:
            shutil.chown(path, user)
    words = ["-U", environment["POSTGRES_USER"], "-A", "scram-sha-256", "--pwfile", str(password)]
    command = [tool("initdb"), "-D", str(data), *words, "-E", "UTF8", "--no-sync"]
    subprocess.run(command, user=user, cwd="/", check=True, stdout=subprocess.DEVNULL)
    running.start("database", "-D", str(data), "-k", "", user=user)
    running.wait("database")
    with psycopg.connect(
        host="127.0.0.1",
        port=running.port("5432"),
        user=environment["POSTGRES_USER"],
        password=password.read_text().strip(),
        dbname="postgres",
        autocommit=True,
    ) as connection:
        connection.execute(f"CREATE DATABASE {environment['POSTGRES_DB']}")


def run_block(block: str, folder: Path) -> str:
    path = f"{folder / 'bin'}:{BIN}:{os.environ['PATH']}"
    done = subprocess.run(
        ["sh", "-euc", block],
        cwd=folder,
        env=os.environ | {"PATH": path},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def machine(check_page: Path) -> Iterator[Machine]:
    for program in ("nginx", "openssl", "curl"):
        if shutil.which(program, path=f"{os.environ['PATH']}:/usr/sbin") is None:
            pytest.skip(f"the parts of docs/deploy: no {program} on this machine")
    folder = Path(tempfile.mkdtemp(prefix="assay-deploy-")) / "assay"
    folder.parent.chmod(0o755)  # PostgreSQL runs as a user of its own
    shutil.copytree(DEPLOY, folder)
    (folder / "bin").mkdir()
    shims = {"docker": DOCKER, "chown": CHOWN}
    for name, text in shims.items():
        (folder / "bin" / name).write_text(text)
        (folder / "bin" / name).chmod(0o755)
    _, secrets, start = blocks()
    run_block(secrets, folder)
    run_block(CERTIFICATE, folder)
    running = Loopback(folder, check_page)
    publish_sample(folder)
    try:
        make_database(running)
        for part in ("service", "host", "proxy"):
            running.fill(part)
            running.start(part)
            running.wait(part)
        (folder / "token").write_text(run_block(start, folder))
        yield Machine(folder, running.port("8080"), running.port("8443"))
    finally:
        running.close()
        shutil.rmtree(folder.parent)


def publish_sample(folder: Path) -> None:
    """Publish a small exchange's proof into the volume that the proxy serves."""

    def assay(*words: str | Path) -> None:
        subprocess.run([BIN / "assay", *words], check=True, capture_output=True)

    assay("sample", "--accounts", "20", "--assets", "BTC", "--out", folder / "sample")
    assay("prove", folder / "sample/snapshot.toml", "--out", folder / "proof")
    assay("publish", folder / "proof", (folder / "volumes/published").as_uri())


def test_what_is_published_is_read_by_ranges_from_any_origin(machine: Machine) -> None:
    whole = machine.ask(PROOFS, f"{BUNDLE}/manifest.msgpack", Origin="https://auditor.example")
    assert whole.status == 200
    assert whole.body == (machine.folder / "proof/public/manifest.msgpack").read_bytes()
    assert whole.headers["access-control-allow-origin"] == "*"
    assert whole.headers["access-control-allow-headers"] == "Range"
    assert whole.headers["access-control-expose-headers"] == "Content-Range"
    assert whole.headers["x-content-type-options"] == "nosniff"
    assert "max-age=31536000" in whole.headers["strict-transport-security"]
    assert "immutable" in whole.headers["cache-control"]
    assert "content-encoding" not in whole.headers
    part = machine.ask(PROOFS, f"{BUNDLE}/manifest.msgpack", Range="bytes=2-5")
    assert (part.status, part.body) == (206, whole.body[2:6])
    assert part.headers["content-range"] == f"bytes 2-5/{len(whole.body)}"
    before = machine.ask(PROOFS, f"{BUNDLE}/manifest.msgpack", "OPTIONS")
    assert before.status == 204
    assert before.headers["access-control-allow-headers"] == "Range"
    index = machine.ask(PROOFS, "/history.json")
    assert (index.status, index.headers["content-type"]) == (200, "application/json")
    assert index.headers["cache-control"] == "public, max-age=60"
    absent = machine.ask(PROOFS, f"{BUNDLE}/absent")
    assert (absent.status, absent.headers["access-control-allow-origin"]) == (404, "*")
    assert "cache-control" not in absent.headers


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/metrics",
        "/healthz",
        "/readyz",
        "/openapi.json",
        "/service.toml",
        "/snapshots/",
        "/snapshots/2026-11-21/",
        "/snapshots/../nginx.conf",
        "/snapshots/%2e%2e/%2e%2e/secrets/host.pem",
        "/snapshots/..%2f..%2fservice/snapshots",
        "/snapshots//etc/passwd",
        "/snapshots/2026-11-21/../../../secrets/pgpass",
        "/snapshots/secret",
        f"{BUNDLE}/private/opening-secret",
        f"{BUNDLE}/pages/BTC/0.partial",
        "/private/opening-secret",
    ],
)
def test_nothing_else_is_served(machine: Machine, path: str) -> None:
    link = machine.folder / "volumes/published/snapshots/secret"
    if not link.is_symlink():
        link.symlink_to(machine.folder / "secrets/host.pem")
    for stray in ("private/opening-secret", "pages/BTC/0.partial"):
        file = machine.folder / "volumes/published" / BUNDLE[1:] / stray
        file.parent.mkdir(exist_ok=True)
        file.write_text("PRIVATE")
    answer = machine.ask(PROOFS, path)
    assert answer.status in (400, 403, 404)
    assert b"PRIVATE" not in answer.body


@pytest.mark.parametrize("name", [PROOFS, AUDITOR])
def test_the_page_is_shown_in_no_frame(machine: Machine, name: str, check_page: Path) -> None:
    answer = machine.ask(name, "/check.html")
    assert (answer.status, answer.body) == (200, check_page.read_bytes())
    assert answer.headers["content-security-policy"] == "frame-ancestors 'none'"
    assert answer.headers["x-frame-options"] == "DENY"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["content-type"].startswith("text/html")


def test_operators_are_let_in_from_their_networks_and_customers_from_all(machine: Machine) -> None:
    token = (machine.folder / "token").read_text().strip().splitlines()[-1]
    path, bearer = "/operator/snapshots", f"Bearer {token}"
    assert machine.ask(PROOFS, path, Authorization=bearer).status == 200
    assert machine.ask(PROOFS, path).status == 401
    assert machine.ask(PROOFS, path, source="127.0.0.2", Authorization=bearer).status == 403
    evidence = f"{path}/one/evidence/evidence.csv"
    assert machine.ask(PROOFS, evidence, "PUT", b"", source="127.0.0.2").status == 403
    # No issuer is set, so nobody gets a package; what answers is the service.
    answer = machine.ask(PROOFS, "/me/inclusion/2026-11-21", source="127.0.0.2")
    assert answer.headers["content-type"] == "application/problem+json"


def test_the_host_shows_its_pages(machine: Machine) -> None:
    answer = machine.ask(AUDITOR, "/")
    assert answer.status == 200
    assert b"No exchange is watched yet." in answer.body
    assert answer.headers["content-security-policy"].startswith("default-src 'none'")


@pytest.mark.parametrize(
    ("name", "path", "most"),
    [
        (PROOFS, "/operator/snapshots", 64 * 1024),
        (PROOFS, "/operator/snapshots/one/start", 64 * 1024),
        (PROOFS, "/operator/snapshots/one/evidence/evidence.csv", 128 * 1024**2),
        (AUDITOR, "/submissions", 64 * 1024),
        (AUDITOR, "/complaints", 9 * 1024**2),
    ],
)
def test_a_body_that_is_too_large_is_refused_before_it_comes(
    machine: Machine, name: str, path: str, most: int
) -> None:
    assert machine.ask(name, path, "POST", None, Content_Length=str(most + 1)).status == 413


def test_who_asks_too_often_is_refused(machine: Machine) -> None:
    def complain(source: str) -> int:
        return machine.ask(AUDITOR, "/complaints", "POST", b"x", source=source).status

    asked = [complain("127.0.0.3")]
    while asked[-1] == 400 and len(asked) < 50:  # one more is let in each five seconds
        asked.append(complain("127.0.0.3"))
    assert len(asked) > 10
    assert asked[-1] == 429
    assert complain("127.0.0.4") == 400


def test_a_head_that_does_not_come_is_waited_for_no_longer_than_said(machine: Machine) -> None:
    with machine.connect(PROOFS) as connection:
        connection.sendall(b"GET /history.json HTTP/1.1\r\nHost: ")
        start = time.monotonic()
        assert connection.recv(1) == b""
        assert 8 < time.monotonic() - start < 20


def test_other_names_get_nothing(machine: Machine) -> None:
    with pytest.raises(ssl.SSLError):
        machine.connect("other.example.com")
    connection = http.client.HTTPConnection("127.0.0.1", machine.plain, timeout=10)
    with contextlib.closing(connection):
        connection.request("GET", "/history.json", headers={"Host": PROOFS})
        answer = connection.getresponse()
        assert (answer.status, answer.getheader("Location")) == (
            308,
            f"https://{PROOFS}/history.json",
        )
        answer.read()
        connection.request("GET", "/history.json", headers={"Host": "other.example.com"})
        with pytest.raises(ConnectionResetError):  # of which an early end is a kind
            connection.getresponse()


def test_no_log_tells_who_asked_for_what(machine: Machine) -> None:
    machine.ask(PROOFS, f"{BUNDLE}/absent-of-log")
    assert "absent-of-log" not in (machine.folder / "proxy.log").read_text()
