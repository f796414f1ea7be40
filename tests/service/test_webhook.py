"""The webhook over real TLS: who is told that a job ended, of what, and what stops nobody."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import socket
import ssl
import stat
import subprocess
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from api.settings import WebhookSettings
from api.snapshots import webhook
from api.snapshots.jobs import JobEnd
from api.snapshots.webhook import Webhook, make_secret, read_secret
from prover.errors import ProverError
from tests.support.served_exchange import SECRET_NUMBER, Exchange, make_exchange
from tests.support.service import BIN, running
from tests.support.service_http import ALL, Operator, plain_environment, settings, token, until
from tests.support.service_http import worker as working
from tests.support.webhook_receiver import Received, Receiver
from verifier.host.door import PublicDoor

LOOPBACK = '"127.0.0.0/8"'
END = JobEnd("ab" * 16, "one", "proven", 1_790_000_000)


@pytest.fixture
def receiver(tmp_path: Path) -> Iterator[Receiver]:
    with Receiver(tmp_path).listening() as found:
        yield found


@pytest.fixture
def exchange(tmp_path: Path) -> Exchange:
    return make_exchange(tmp_path / "exchange")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, receiver: Receiver) -> Path:
    """Return a folder for a service whose processes trust the receiver's certificate."""
    monkeypatch.setenv("SSL_CERT_FILE", str(receiver.certificate))
    made = tmp_path / "service"
    made.mkdir()
    make_secret(made / "webhook.key")
    return made


def configured(exchange: Exchange, receiver: Receiver, networks: str = LOOPBACK) -> str:
    return settings(exchange) + (
        f'[webhook]\nurl = "{receiver.url}"\nsecret_file = "webhook.key"\nnetworks = [{networks}]\n'
    )


def check_signed(message: Received, secret: bytes) -> dict[str, Any]:
    """Check a message as Standard Webhooks has it, by itself; return what it says."""
    at = message.headers["webhook-timestamp"]
    assert abs(int(at) - time.time()) < 300
    signed = f"{message.headers['webhook-id']}.{at}.".encode() + message.body
    mac = base64.b64encode(hmac.new(secret, signed, hashlib.sha256).digest()).decode()
    assert message.headers["webhook-signature"] == f"v1,{mac}"
    found: dict[str, Any] = json.loads(message.body)
    return found


def faults(lines: list[dict[str, Any]]) -> list[str]:
    return [line["fault"] for line in lines if line["message"] == "webhook not told"]


def _has_received(receiver: Receiver, number: int) -> bool:
    return len(receiver.received) == number


def test_ends_of_jobs_are_told_and_nothing_of_what_they_learned(
    exchange: Exchange, receiver: Receiver, folder: Path
) -> None:
    with running(folder, configured(exchange, receiver)) as service:
        operator = Operator(service, token(folder, *ALL))
        operator.draft(exchange)
        for number, (move, state) in enumerate(
            (("start", "proven"), ("publish", "published"), ("retire", "retired")), 1
        ):
            assert operator("POST", f"/one/{move}")[0] == 202
            assert operator.rest()["state"] == state
            until(partial(_has_received, receiver, number))
    secret = read_secret(folder / "webhook.key")
    told = [check_signed(message, secret) for message in receiver.received]
    assert [entry["data"]["state"] for entry in told] == ["proven", "published", "retired"]
    assert len({entry["data"]["job_id"] for entry in told}) == 3
    for entry, message in zip(told, receiver.received, strict=True):
        assert set(entry) == {"type", "timestamp", "data"}
        assert entry["type"] == "job.ended"
        assert set(entry["data"]) == {"job_id", "snapshot_id", "state"}
        assert entry["data"]["snapshot_id"] == "one"
        assert message.path == "/hook?from=assay"
        assert message.headers["webhook-id"] == f"msg_{entry['data']['job_id']}"
        assert message.headers["content-type"] == "application/json"
        assert str(SECRET_NUMBER).encode() not in message.body
    assert base64.b64encode(secret).decode() not in service.log.read_text()


def test_a_job_that_is_cancelled_before_a_worker_has_it_is_told(
    exchange: Exchange, receiver: Receiver, folder: Path
) -> None:
    with running(folder, configured(exchange, receiver), "--no-worker") as service:
        operator = Operator(service, token(folder, *ALL))
        operator.draft(exchange)
        assert operator("POST", "/one/start")[0] == 202
        assert operator("POST", "/one/cancel")[0] == 202
        assert not receiver.received
        with working(folder):
            until(lambda: receiver.received)
            time.sleep(1)
    [message] = receiver.received
    assert json.loads(message.body)["data"]["state"] == "cancelled"


def test_a_receiver_that_fails_is_told_again_and_holds_up_no_job(
    exchange: Exchange, receiver: Receiver, folder: Path
) -> None:
    receiver.statuses = [500, 503, 204]
    with running(folder, configured(exchange, receiver)) as service:
        operator = Operator(service, token(folder, *ALL))
        operator.draft(exchange)
        assert operator("POST", "/one/start")[0] == 202
        assert operator.rest()["state"] == "proven"
        assert operator("POST", "/one/publish")[0] == 202
        assert operator.rest()["state"] == "published"
        until(lambda: len(receiver.received) >= 3)
        until(lambda: len(faults(service.lines())) == 2)
        assert set(faults(service.lines())) == {"the answer is 500", "the answer is 503"}
    ids = [message.headers["webhook-id"] for message in receiver.received]
    assert len(set(ids)) == 2  # of two jobs, one or both of them told twice


def test_what_a_dead_worker_left_is_told_by_the_next(
    exchange: Exchange, receiver: Receiver, folder: Path
) -> None:
    receiver.statuses = [500]
    with running(folder, configured(exchange, receiver), "--no-worker") as service:
        operator = Operator(service, token(folder, *ALL))
        operator.draft(exchange)
        with working(folder) as first:
            assert operator("POST", "/one/start")[0] == 202
            until(lambda: receiver.received)
            first.kill()
        assert operator.rest()["state"] == "proven"
        receiver.statuses = [204]
        before = len(receiver.received)
        with working(folder):
            until(lambda: len(receiver.received) > before)
    ids = {message.headers["webhook-id"] for message in receiver.received}
    assert len(ids) == 1


def test_an_address_that_is_not_public_is_not_reached(
    exchange: Exchange, receiver: Receiver, folder: Path
) -> None:
    with running(folder, configured(exchange, receiver, "")) as service:
        operator = Operator(service, token(folder, *ALL))
        operator.draft(exchange)
        assert operator("POST", "/one/start")[0] == 202
        assert operator.rest()["state"] == "proven"
        until(lambda: faults(service.lines()))
    words = "not fetched: the name leads to an address that is not public"
    assert set(faults(service.lines())) == {words}
    assert not receiver.received


def sender(receiver: Receiver, file: Path, resolver: Any = None) -> Webhook:
    """Return what sends to a receiver; ``file`` gets its secret."""
    make_secret(file)
    made = WebhookSettings.model_validate(
        {"url": receiver.url, "secret_file": file, "networks": ["127.0.0.0/8"]}
    )
    context = ssl.create_default_context(cafile=str(receiver.certificate))
    resolve = resolver or (lambda host, port: ["127.0.0.1"])
    return Webhook(made, PublicDoor(resolve, context, networks=made.networks, any_port=True))


def test_a_redirect_is_not_followed(receiver: Receiver, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    with Receiver(tmp_path / "other").listening() as other:
        receiver.statuses, receiver.location = [307], other.url
        assert sender(receiver, tmp_path / "key").send(END) == "the answer is 307"
        assert len(receiver.received) == 1
        assert not other.received


def test_a_name_is_resolved_once_and_what_was_looked_at_is_reached(
    receiver: Receiver, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = iter([["93.184.215.14"], ["127.0.0.1"]])
    reached: list[Any] = []

    def connect(address: tuple[str, int], timeout: float) -> socket.socket:
        reached.append(address)
        raise ConnectionRefusedError

    made = sender(receiver, tmp_path / "key", lambda host, port: next(answers))
    monkeypatch.setattr(socket, "create_connection", connect)
    assert made.send(END) == "no proper answer (ConnectionRefusedError)"
    assert reached == [("93.184.215.14", receiver.port)]


def test_a_certificate_of_nobody_known_is_refused(receiver: Receiver, tmp_path: Path) -> None:
    make_secret(tmp_path / "key")
    made = WebhookSettings.model_validate(
        {"url": receiver.url, "secret_file": tmp_path / "key", "networks": ["127.0.0.0/8"]}
    )
    door = PublicDoor(lambda host, port: ["127.0.0.1"], networks=made.networks, any_port=True)
    assert Webhook(made, door).send(END) == "no proper answer (SSLCertVerificationError)"
    assert not receiver.received


@pytest.mark.parametrize("is_in_handshake", [False, True])
def test_a_receiver_that_drips_is_cut_off(
    receiver: Receiver, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_in_handshake: bool
) -> None:
    assert webhook.SEND_SECONDS == 10
    monkeypatch.setattr(webhook, "SEND_SECONDS", 1.0)
    receiver.drip = 0.5
    silent = socket.create_server(("127.0.0.1", 0))
    if is_in_handshake:
        receiver.port = silent.getsockname()[1]
    made = sender(receiver, tmp_path / "key")
    began = time.monotonic()
    assert made.send(END) == "no answer within 1 s"
    assert time.monotonic() - began < 5
    silent.close()


def test_attempts_are_bounded(
    receiver: Receiver, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    receiver.statuses = [410]
    paused: list[float] = []
    monkeypatch.setattr(webhook, "pause", paused.append)
    monkeypatch.setattr(webhook, "step", lambda name, work: work())
    sender(receiver, tmp_path / "key").tell(END)
    assert paused == [0, 5, 60, 600, 3600, 21600, 86400]
    assert len(receiver.received) == 7
    assert len({message.headers["webhook-id"] for message in receiver.received}) == 1


def command(folder: Path) -> subprocess.CompletedProcess[str]:
    words: list[str | Path] = [
        BIN / "assay",
        "webhook",
        "create",
        "--settings",
        folder / "settings.toml",
    ]
    return subprocess.run(
        words, text=True, capture_output=True, check=False, env=plain_environment()
    )


def test_the_secret_is_shown_once(tmp_path: Path) -> None:
    (tmp_path / "settings.toml").write_text('folder = "."\n')
    assert command(tmp_path).stderr == "assay: the settings have no [webhook]\n"
    hook = '[webhook]\nurl = "https://ops.example.com/hook"\nsecret_file = "webhook.key"\n'
    (tmp_path / "settings.toml").write_text(f'folder = "."\n{hook}')
    made, file = command(tmp_path), tmp_path / "webhook.key"
    assert made.returncode == 0, made.stderr
    assert made.stdout == file.read_text()
    assert made.stdout.startswith("whsec_")
    assert len(read_secret(file)) == 32
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    again = command(tmp_path)
    assert again.returncode == 1
    assert again.stderr == f"assay: {file} exists already; nothing is overwritten\n"
    assert file.read_text() == made.stdout


@pytest.mark.parametrize("text", ["", "whsec_", "whsec_AAAA", "AAAA", "whsec_" + "!" * 44])
def test_a_secret_of_another_form_is_refused(tmp_path: Path, text: str) -> None:
    file = tmp_path / "webhook.key"
    file.write_text(text)
    file.chmod(0o600)
    with pytest.raises(ProverError, match="not a secret that"):
        read_secret(file)
    file.chmod(0o640)
    with pytest.raises(ProverError, match="chmod 600"):
        read_secret(file)


def test_a_service_whose_secret_is_not_there_does_not_begin(
    tmp_path: Path, exchange: Exchange, receiver: Receiver
) -> None:
    folder = tmp_path / "service"
    folder.mkdir()
    file = folder / "settings.toml"
    file.write_text(f'folder = "."\n{configured(exchange, receiver)}')
    ran = subprocess.run(
        [BIN / "assay", "serve", "--settings", file, "--port", "0"],
        text=True,
        capture_output=True,
        check=False,
        env=plain_environment(),
        timeout=60,
    )
    assert ran.returncode == 1
    assert f"{folder / 'webhook.key'}: No such file or directory" in ran.stderr
