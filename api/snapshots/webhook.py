"""The webhook: an address of the operator's is told that a job ended, and how.

Messages follow Standard Webhooks 1.0: three headers, and an HMAC-SHA256 over id, time and body. A
message names job, snapshot, state and time, and nothing that the job learned. It stands in the
queue of jobs, in the database, from the transaction on that ends the job; so none is lost with a
worker, and no job waits for one. It may arrive twice, under the same id.

Messages go by https to public addresses, and to networks that the settings name. The name is
resolved for every attempt, and the connection made to the very address that was looked at; no
redirect is followed. An attempt takes `SEND_SECONDS` at most from when the name is resolved, and
there are as many as `PAUSES` has entries, and one.
"""

from __future__ import annotations

import json
import secrets
from base64 import b64decode, b64encode
from datetime import UTC, datetime
from functools import partial
from http.client import HTTPException
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from standardwebhooks import Webhook as Signer

from api.log import LOG
from api.settings import WebhookSettings
from api.snapshots.jobs import JobEnd, pause, step
from prover.errors import ProverError
from prover.files.keys import read_owned
from prover.files.storage import create_private
from verifier.bundle.deadline import deadline
from verifier.bundle.http_source import Door
from verifier.errors import CannotCheck
from verifier.format.times import utc_text
from verifier.host.door import PublicDoor

SEND_SECONDS: Final = 10.0
PAUSES: Final = (5, 60, 600, 3_600, 21_600, 86_400)  # in seconds, between two attempts

_SECRET_PREFIX: Final = "whsec_"  # noqa: S105 (of every secret)
_SECRET_BYTES: Final = 32
_TYPE: Final = "job.ended"


def make_secret(file: Path) -> str:
    """Write a new secret to a file of its owner's; return its text.

    Raises:
        ProverError: there is one already; nothing is overwritten.
    """
    text = _SECRET_PREFIX + b64encode(secrets.token_bytes(_SECRET_BYTES)).decode()
    try:
        create_private(file, f"{text}\n".encode())
    except FileExistsError:
        raise ProverError(f"{file} exists already; nothing is overwritten") from None
    return text


def read_secret(file: Path) -> bytes:
    """Return the bytes of a secret.

    Raises:
        ProverError: unreadable, readable by others, or of another form.
    """
    text = read_owned(file).decode("ascii", "replace").removesuffix("\n")
    try:
        found = b64decode(text.removeprefix(_SECRET_PREFIX), validate=True)
    except ValueError:
        found = b""
    if not text.startswith(_SECRET_PREFIX) or len(found) != _SECRET_BYTES:
        raise ProverError(f"{file}: not a secret that `assay webhook create` made")
    return found


def body_of(end: JobEnd) -> str:
    """Return what a message says."""
    data = {"job_id": end.job, "snapshot_id": end.snapshot_id, "state": end.state}
    return json.dumps({"type": _TYPE, "timestamp": utc_text(end.time), "data": data})


class Webhook:
    """Sends messages to the address of the settings.

    Raises:
        ProverError: the secret cannot be read.
    """

    def __init__(self, settings: WebhookSettings, door: Door | None = None) -> None:
        self._url = urlsplit(settings.url)
        self._signer = Signer(read_secret(settings.secret_file))
        self._door = door or PublicDoor(networks=settings.networks, any_port=True)

    def tell(self, end: JobEnd) -> None:
        """Send a message until it arrives, or for as long as the pauses last; inside a job."""
        for number, seconds in enumerate((0, *PAUSES), 1):
            pause(seconds)
            fault = step(f"attempt {number}", partial(self.send, end))
            told = {"job": end.job, "attempt": number}
            if not fault:
                LOG.info("webhook told", extra=told)
                return
            LOG.warning("webhook not told", extra={**told, "fault": fault})
        LOG.error("webhook given up", extra={"job": end.job})

    def send(self, end: JobEnd) -> str:
        """Send a message once; return why it did not arrive, or nothing."""
        try:
            status = self._post(f"msg_{end.job}", body_of(end))
        except TimeoutError:
            return f"no answer within {SEND_SECONDS:g} s"
        except CannotCheck as error:
            return error.message
        except (OSError, HTTPException, ValueError) as error:
            return f"no proper answer ({type(error).__name__})"
        return "" if 200 <= status < 300 else f"the answer is {status}"

    def _post(self, message_id: str, body: str) -> int:
        connection = self._door.connect(self._url, SEND_SECONDS)
        now = datetime.now(UTC)
        headers = {
            "Content-Type": "application/json",
            "User-Agent": "assay",
            "webhook-id": message_id,
            "webhook-timestamp": str(int(now.timestamp())),
            "webhook-signature": self._signer.sign(message_id, now, body),
        }
        query = f"?{self._url.query}" if self._url.query else ""
        try:
            with deadline(connection, SEND_SECONDS):
                connection.request("POST", (self._url.path or "/") + query, body.encode(), headers)
                return connection.getresponse().status
        finally:
            connection.close()
