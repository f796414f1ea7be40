"""Questions to a node over JSON-RPC or HTTP, trusted with nothing but the answers it gives.

The URL comes from the verifier's user. An answer is bounded in bytes, an exchange in seconds, and
redirects are not followed. Credentials in the URL are sent to that host alone, and never shown.
"""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Mapping, Sequence
from decimal import Decimal
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from typing import Any
from urllib.parse import unquote

from verifier.bundle.deadline import deadline
from verifier.bundle.http_source import split_url
from verifier.bundle.json_text import parse_json
from verifier.errors import CannotCheck, Code, Misuse

TIMEOUT_SECONDS = 30.0
MAX_ANSWER_BYTES = 2**20

_MAX_DEPTH = 32


class CannotTell(CannotCheck):
    """The node is there, and does not tell what was asked; it may well tell something else."""


class NodeError(CannotTell):
    """The node answers that it cannot: with an error of JSON-RPC, whose ``number`` is its own.

    ``said`` is the error's message and ``data`` its data, where they are text.
    """

    def __init__(self, message: str, number: int, said: str = "", data: str = "") -> None:
        super().__init__(Code.CHECK_UNREADABLE, message)
        self.number = number
        self.said = said
        self.data = data


class AnswerTooLong(CannotTell):
    """The answer has more bytes than are taken; another question may have a shorter one."""


class TooSlow(CannotTell):
    """There was no answer in time."""


class JsonRpc:
    """A node at an ``http`` or ``https`` URL; ``timeout``, in seconds, is that of one call.

    ``credentials`` is USER:PASSWORD; without it they are the URL's own, if it has any. ``path``,
    behind the URL's, is where JSON-RPC is served.

    Raises:
        Misuse: the URL is none.
    """

    def __init__(
        self,
        url: str,
        *,
        timeout: float = TIMEOUT_SECONDS,
        credentials: str | None = None,
        path: str = "",
    ) -> None:
        parts = split_url(url)
        if parts is None or parts.fragment:
            raise Misuse("a node's URL is http(s)://[USER:PASSWORD@]HOST[:PORT][/PATH]")
        if credentials is None and parts.username is not None:
            credentials = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        self._place = f"node {parts.hostname}" + (f":{parts.port}" if parts.port else "")
        self._base = parts.path.rstrip("/") if path else parts.path
        self._query = f"?{parts.query}" if parts.query else ""
        self._path = path
        self._headers = {"Content-Type": "application/json", "Accept-Encoding": "identity"}
        if credentials is not None:
            token = b64encode(credentials.encode()).decode()
            self._headers["Authorization"] = f"Basic {token}"
        kind = HTTPSConnection if parts.scheme == "https" else HTTPConnection
        self._connection = kind(parts.hostname or "", parts.port, timeout=timeout)
        self._timeout = timeout
        self._calls = 0

    def close(self) -> None:
        """Let go of the connection."""
        self._connection.close()

    def call(self, method: str, *parameters: Any, limit: int = MAX_ANSWER_BYTES) -> Any:
        """Return the result of a method; a number with a fraction is a `Decimal`.

        Raises:
            NodeError: the node answers with an error.
            AnswerTooLong: the answer has more than ``limit`` bytes.
            TooSlow: there is no answer in time.
            CannotTell: the answer is not one of JSON-RPC, as that of a gateway which gives up.
            CannotCheck: there is no answer.
        """
        number, body = self._question(method, parameters)
        status, answer = self._ask(method, body, limit)
        return self._result(method, number, status, answer)

    def batch(
        self, calls: Sequence[tuple[str, Sequence[Any]]], *, limit: int = MAX_ANSWER_BYTES
    ) -> list[Any]:
        """Return the results of several methods, each with its parameters, asked at once.

        Raises:
            NodeError: the node answers one of them with an error.
            CannotCheck: as for `call`.
        """
        questions = [self._question(method, parameters) for method, parameters in calls]
        what = f"{len(calls)} calls"
        status, answers = self._ask(what, [body for _, body in questions], limit)
        if not isinstance(answers, list) or len(answers) != len(calls):
            raise self._unreadable(f"{what}: no answer to a batch, with HTTP status {status}")
        found = {
            answer["id"]: answer
            for answer in answers
            if isinstance(answer, dict) and type(answer.get("id")) is int
        }
        return [
            self._result(method, number, status, found.get(number))
            for (method, _), (number, _) in zip(calls, questions, strict=True)
        ]

    def post(self, path: str, body: Mapping[str, Any], limit: int = MAX_ANSWER_BYTES) -> Any:
        """Return the object that a node answers at a path behind its URL; see `call`.

        Raises:
            NodeError: the node answers with an error, or another HTTP status than 200.
            AnswerTooLong, TooSlow, CannotCheck: as for `call`.
        """
        status, answer = self._ask(path, body, limit, path)
        if isinstance(answer, dict) and "Error" in answer:
            said = str(answer["Error"])
            text = f"{self._place}: {path}: the node answers: {said}"[:300]
            raise NodeError(text, 0, said)
        if status != HTTPStatus.OK:
            raise NodeError(f"{self._place}: {path}: no answer, with HTTP status {status}", status)
        if not isinstance(answer, dict):
            raise self.malformed(path)
        return answer

    def _question(self, method: str, parameters: Sequence[Any]) -> tuple[int, dict[str, Any]]:
        self._calls += 1
        body = {"jsonrpc": "2.0", "id": self._calls, "method": method, "params": [*parameters]}
        return self._calls, body

    def _ask(self, what: str, body: Any, limit: int, path: str = "") -> tuple[int, Any]:
        """Return the status, and the answer, or None where it is no JSON."""
        target = (self._base + (path or self._path) or "/") + self._query
        status, data = self._exchange(target, json.dumps(body).encode(), limit)
        if len(data) > limit:
            message = f"{self._place}: {what}: the answer has more than {limit} bytes"
            raise AnswerTooLong(Code.CHECK_UNREADABLE, message)
        try:
            return status, parse_json(data.decode(), _MAX_DEPTH, parse_float=Decimal)
        except (ValueError, ArithmeticError):
            return status, None

    def _result(self, method: str, number: int, status: int, answer: Any) -> Any:
        if not isinstance(answer, dict) or answer.get("id") != number:
            raise self._no_result(f"{method}: no answer of JSON-RPC, with HTTP status {status}")
        if answer.get("error") is not None:
            raise self._node_error(method, answer["error"])
        if status != HTTPStatus.OK or "result" not in answer:
            raise self._no_result(f"{method}: no result, with HTTP status {status}")
        return answer["result"]

    def malformed(self, method: str) -> CannotCheck:
        """Return the error that the result of ``method`` is not of the form it is to have."""
        return self._unreadable(f"{method}: the answer is malformed")

    def _exchange(self, target: str, body: bytes, limit: int) -> tuple[int, bytes]:
        """POST; return the status, and of the answer at most one byte more than ``limit``."""
        try:
            if self._connection.sock is None:
                return self._post(target, body, limit)
            try:
                return self._post(target, body, limit)
            except (ConnectionError, HTTPException):
                # A node may have closed an idle connection; a fresh one decides.
                self._connection.close()
                return self._post(target, body, limit)
        except TimeoutError:
            self._connection.close()
            raise TooSlow(Code.CHECK_UNREADABLE, f"{self._place}: no answer in time") from None
        except (OSError, ValueError, HTTPException) as error:
            self._connection.close()
            reason = getattr(error, "strerror", None) or type(error).__name__
            raise self._unreadable(f"no answer: {reason}") from None
        except BaseException:
            self._connection.close()
            raise

    def _post(self, target: str, body: bytes, limit: int) -> tuple[int, bytes]:
        with deadline(self._connection, self._timeout):
            self._connection.request("POST", target, body, self._headers)
            response = self._connection.getresponse()
            data = response.read(limit + 1)
            if not response.isclosed():
                self._connection.close()  # what was not read would be taken for the next answer
            return response.status, data

    def _node_error(self, method: str, error: Any) -> NodeError:
        fields = error if isinstance(error, dict) else {}
        number = fields.get("code")
        said, data = (
            text if isinstance(text, str) else "" for text in map(fields.get, ("message", "data"))
        )
        text = f"{method}: the node answers: {said or 'an error'}"[:300]
        known = number if type(number) is int else 0
        return NodeError(f"{self._place}: {text}", known, said, data)

    def _no_result(self, message: str) -> CannotTell:
        return CannotTell(Code.CHECK_UNREADABLE, f"{self._place}: {message}")

    def _unreadable(self, message: str) -> CannotCheck:
        return CannotCheck(Code.CHECK_UNREADABLE, f"{self._place}: {message}")
