"""Every refusal and failure of the service as ``application/problem+json`` (RFC 9457).

Invariants: the codes are the closed table below, besides the verifier's own; a problem never
echoes what was sent, nor the message of an unforeseen exception.
"""

from __future__ import annotations

import errno
import json
import re
from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Any, Final

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException

from api import errors
from prover.errors import Incomplete, words_of
from verifier.errors import Code, Rejected

MEDIA_TYPE: Final = "application/problem+json"
REQUEST_ID: Final = "request_id"


class ServiceCode(StrEnum):
    """Every code of the service's own."""

    MALFORMED = "request.malformed"
    UNAUTHENTICATED = "request.unauthenticated"
    FORBIDDEN = "request.forbidden"
    NOT_FOUND = "request.not-found"
    METHOD_NOT_ALLOWED = "request.method-not-allowed"
    NOT_ACCEPTABLE = "request.not-acceptable"
    TIMEOUT = "request.timeout"
    BODY_TOO_LARGE = "request.body-too-large"
    URL_TOO_LONG = "request.url-too-long"
    UNSUPPORTED_MEDIA_TYPE = "request.unsupported-media-type"
    RANGE = "request.range-not-satisfiable"
    INVALID = "request.invalid"
    RATE = "request.too-many"
    HEAD_TOO_LARGE = "request.head-too-large"
    RETIRED = "snapshot.retired"
    SOURCE = "snapshot.unknown-source"
    EXISTS = "snapshot.exists"
    STATE = "snapshot.wrong-state"
    BUSY = "snapshot.other-under-way"
    SUPERSEDED = "snapshot.superseded"
    REFUSED = "snapshot.refused"
    INCOMPLETE = "snapshot.incomplete"
    EVIDENCE_REFUSED = "evidence.refused"
    INTERNAL = "service.internal"
    UNAVAILABLE = "service.unavailable"
    NO_SPACE = "service.no-space"


# The HTTP status and the title of every code.
TABLE: Final[Mapping[ServiceCode, tuple[int, str]]] = {
    ServiceCode.MALFORMED: (400, "The request is malformed"),
    ServiceCode.UNAUTHENTICATED: (401, "Authentication is needed"),
    ServiceCode.FORBIDDEN: (403, "Not allowed"),
    ServiceCode.NOT_FOUND: (404, "Not found"),
    ServiceCode.METHOD_NOT_ALLOWED: (405, "Method not allowed"),
    ServiceCode.NOT_ACCEPTABLE: (406, "No acceptable media type"),
    ServiceCode.TIMEOUT: (408, "The request took too long"),
    ServiceCode.RETIRED: (410, "The snapshot is retired"),
    ServiceCode.BODY_TOO_LARGE: (413, "The body is too large"),
    ServiceCode.URL_TOO_LONG: (414, "The URL is too long"),
    ServiceCode.UNSUPPORTED_MEDIA_TYPE: (415, "Unsupported media type"),
    ServiceCode.RANGE: (416, "The range cannot be satisfied"),
    ServiceCode.INVALID: (422, "The request is invalid"),
    ServiceCode.SOURCE: (422, "There is no such source"),
    ServiceCode.EXISTS: (409, "There is a snapshot of this id"),
    ServiceCode.STATE: (409, "The snapshot's state does not allow it"),
    ServiceCode.BUSY: (409, "Another snapshot is under way"),
    ServiceCode.SUPERSEDED: (409, "Another snapshot was published since this one was begun"),
    ServiceCode.REFUSED: (422, "The prover refuses the snapshot"),
    ServiceCode.INCOMPLETE: (409, "Not all is there that the snapshot is made of"),
    ServiceCode.EVIDENCE_REFUSED: (422, "The prover refuses the file"),
    ServiceCode.RATE: (429, "Too many requests"),
    ServiceCode.HEAD_TOO_LARGE: (431, "The head of the request is too large"),
    ServiceCode.INTERNAL: (500, "The service failed"),
    ServiceCode.UNAVAILABLE: (503, "The service is not available"),
    ServiceCode.NO_SPACE: (507, "There is no space left"),
}

_PARAMETER: Final = re.compile(r"\{[^}]*\}")
# Of codes with the same status the first.
_BY_STATUS: Final = {status: code for code, (status, _) in reversed([*TABLE.items()])}


class Problem(HTTPException):
    """A request ends in a problem.

    code: of the table, or the verifier's. detail: what would help the client; no balance, key or
    account id. headers: of the response. missing: what a snapshot lacks.
    """

    def __init__(
        self,
        code: ServiceCode | Code,
        detail: str = "",
        *,
        headers: Mapping[str, str] | None = None,
        missing: Sequence[str] = (),
    ) -> None:
        status, self.title = TABLE[code] if isinstance(code, ServiceCode) else REJECTED
        self.code = code
        self.missing = missing
        super().__init__(status, detail, headers)


# A rejection of the verifier's, under the verifier's code.
REJECTED: Final = (422, "The verifier rejects it")


class ProblemBody(BaseModel):
    """The members of a problem."""

    type: str = Field(description="`urn:assay:problem:` and the code.")
    title: str
    status: int
    code: str = Field(description="A code of the service, or one of the verifier's.")
    detail: str = ""
    missing: list[str] = Field(
        default=[], description="Of `snapshot.incomplete`: what is missing, as the snapshot has it."
    )
    request_id: str = ""


def problems(*codes: ServiceCode | Code) -> dict[int | str, dict[str, Any]]:
    """Return the ``responses`` of a route that may end in these problems, for OpenAPI."""
    titles: dict[int | str, list[str]] = {}
    for code in codes:
        status, title = TABLE[code] if isinstance(code, ServiceCode) else REJECTED
        titles.setdefault(status, []).append(f"{title} (`{code}`)")
    schema = {"$ref": "#/components/schemas/ProblemBody"}
    return {
        status: {"description": "; ".join(found), "content": {MEDIA_TYPE: {"schema": schema}}}
        for status, found in titles.items()
    }


# How what the service refuses or cannot do is answered.
ANSWERS: Final[Mapping[type[errors.ServiceError], ServiceCode]] = {
    errors.Unknown: ServiceCode.NOT_FOUND,
    errors.Taken: ServiceCode.EXISTS,
    errors.WrongState: ServiceCode.STATE,
    errors.Busy: ServiceCode.BUSY,
    errors.Superseded: ServiceCode.SUPERSEDED,
    errors.Retired: ServiceCode.RETIRED,
    errors.NotComplete: ServiceCode.INCOMPLETE,
    errors.EvidenceRefused: ServiceCode.EVIDENCE_REFUSED,
    errors.Unreadable: ServiceCode.UNAVAILABLE,
    errors.Foreign: ServiceCode.UNAVAILABLE,
    errors.DatabaseAway: ServiceCode.UNAVAILABLE,
    errors.DatabaseFull: ServiceCode.NO_SPACE,
    errors.LinksOfAll: ServiceCode.UNAVAILABLE,
    errors.StreamsOfCaller: ServiceCode.RATE,
    errors.StreamsOfAll: ServiceCode.UNAVAILABLE,
}

# What any route may answer.
COMMON: Final = problems(
    ServiceCode.MALFORMED,
    ServiceCode.TIMEOUT,
    ServiceCode.BODY_TOO_LARGE,
    ServiceCode.URL_TOO_LONG,
    ServiceCode.INVALID,
    ServiceCode.RATE,
    ServiceCode.HEAD_TOO_LARGE,
    ServiceCode.INTERNAL,
    ServiceCode.UNAVAILABLE,
    ServiceCode.NO_SPACE,
)

_NO_SPACE: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


def problem_body(problem: Problem, request_id: str) -> bytes:
    """Return the bytes of a problem."""
    body = ProblemBody(
        type=f"urn:assay:problem:{problem.code}",
        title=problem.title,
        status=problem.status_code,
        code=problem.code,
        detail=problem.detail,
        missing=list(problem.missing),
        request_id=request_id,
    )
    return json.dumps(body.model_dump(exclude_defaults=True)).encode()


def problem_of(error: Exception) -> Problem:
    """Return the problem that an exception is to the client."""
    match error:
        case Problem():
            return error
        case RequestValidationError():
            faults = "; ".join(sorted({_fault(fault) for fault in error.errors()}))
            malformed = any(fault["type"] == "json_invalid" for fault in error.errors())
            code = ServiceCode.MALFORMED if malformed else ServiceCode.INVALID
            return Problem(code, faults)
        case errors.ServiceError():
            after = error.retry_after
            headers = None if after is None else {"Retry-After": str(after)}
            missing = error.missing if isinstance(error, Incomplete) else ()
            return Problem(ANSWERS[type(error)], str(error), headers=headers, missing=missing)
        case Rejected():
            return Problem(error.code, str(words_of(error)))
        case HTTPException():
            code = _BY_STATUS.get(error.status_code, ServiceCode.INTERNAL)
            return Problem(code, headers=error.headers)
        case OSError() if error.errno in _NO_SPACE:
            return Problem(ServiceCode.NO_SPACE)
    return Problem(ServiceCode.INTERNAL)


def _fault(fault: Mapping[str, Any]) -> str:
    """Say where a fault is and of which type, without a name that the client chose."""
    place = fault["loc"][:-1] if fault["type"] == "extra_forbidden" else fault["loc"]
    return f"{'.'.join(map(str, place))}: {fault['type']}"


async def answer_problem(request: Request, error: Exception) -> Response:
    """Answer with the problem that ``error`` is."""
    problem = problem_of(error)
    headers = {**(problem.headers or {}), "Cache-Control": "no-store"}
    if problem.code == ServiceCode.METHOD_NOT_ALLOWED:
        # The router knows the methods of the first route of this path alone.
        headers["Allow"] = ", ".join(sorted(_methods(request, headers.get("Allow", ""))))
    return Response(
        problem_body(problem, request.scope.get(REQUEST_ID, "")),
        problem.status_code,
        headers,
        MEDIA_TYPE,
    )


def _methods(request: Request, known: str) -> set[str]:
    """Return the methods that the OpenAPI document has for a path, beside those known."""
    methods = set(filter(None, known.split(", ")))
    for template, item in request.app.openapi()["paths"].items():
        pattern = "[^/]+".join(map(re.escape, _PARAMETER.split(template)))
        if re.fullmatch(pattern, request.scope["path"]):
            methods |= {method.upper() for method in item}
    return methods


def install_handlers(app: FastAPI) -> None:
    """Let ``app`` answer with problems alone."""
    for kind in (HTTPException, RequestValidationError, Rejected, errors.ServiceError):
        app.add_exception_handler(kind, answer_problem)
