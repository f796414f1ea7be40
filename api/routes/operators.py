"""The operators' routes: snapshots from draft to retirement.

What only operators may know, by how much the assets fall short, is read from the snapshot's folder;
the database does not hold it, nor does any log.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Coroutine
from pathlib import Path as FilePath
from typing import Annotated, Any, Final, TypeVar

from anyio import to_thread
from fastapi import APIRouter, Depends, Header, Path, Query, Request, Response, Security
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import StreamingResponse
from fastapi.routing import APIRoute
from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from api.errors import ServiceError, WrongState
from api.http.limits import allow_body
from api.http.problems import REQUEST_ID, Problem, ServiceCode, problems
from api.log import LOG
from api.routes.auth import Operator, operator
from api.scope import Scope
from api.service import serving
from api.snapshots import sources
from api.snapshots.folder import ServedFolder
from api.snapshots.operations import Operations
from api.snapshots.preflight import missing_inputs
from api.snapshots.sources import FileKind, Slot, read_draft
from api.snapshots.states import GONE, ID_PATTERN, MOVING, OPEN, Row, State
from api.snapshots.uploads import accept, delete, find_slot, incoming, receive
from prover.config.announcement import announce
from prover.errors import ProverError
from prover.files.keys import public_bytes, read_signing_key
from prover.snapshot.make import ownership_messages
from verifier.format import wire
from verifier.format.params import CHAIN_NAME, MAX_CHAINS, MAX_HEIGHT
from verifier.format.times import utc_seconds, utc_text

T = TypeVar("T")

MSGPACK: Final = "application/vnd.msgpack"
EVENTS: Final = "text/event-stream"


def _seconds(text: str) -> str:
    utc_seconds(text)
    return text


Time = Annotated[
    str,
    Field(
        pattern="^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z$",
        json_schema_extra={"format": "date-time"},
        description="UTC, in whole seconds.",
    ),
]
SnapshotId = Annotated[str, Path(pattern=ID_PATTERN)]


class BlockBody(BaseModel):
    """A block of a chain at the snapshot's time."""

    model_config = ConfigDict(extra="forbid", strict=True)

    height: int = Field(ge=0, le=MAX_HEIGHT)
    hash: str = Field(pattern="^[0-9a-f]{64}$")
    header: str | None = Field(
        default=None,
        pattern="^[0-9a-f]{160}$",
        description="Of a block of bitcoin: its 80 bytes, which show its time.",
    )


class NewSnapshot(BaseModel):
    """What differs from one snapshot of a source to the next."""

    model_config = ConfigDict(extra="forbid", strict=True)

    source: str = Field(description="A source of the service's settings.", max_length=64)
    snapshot_id: str = Field(pattern=ID_PATTERN)
    time: Annotated[Time, AfterValidator(_seconds)]
    blocks: dict[Annotated[str, Field(pattern=f"^{CHAIN_NAME.pattern}$")], BlockBody] = Field(
        description="By chain.", max_length=MAX_CHAINS
    )


class ProgressBody(BaseModel):
    """How far the job is; ``total``, ``rate`` and ``seconds_left`` only where that is known."""

    stage: str
    done: int
    total: int | None
    rate: float | None = Field(description="Units of the stage a second.")
    seconds_left: float | None = Field(description="Of the stage.")


class SnapshotBody(BaseModel):
    """A snapshot as it stands."""

    snapshot_id: str
    number: int = Field(description="In order of creation.")
    source: str
    time: Time
    state: State
    revision: int = Field(description="Grows with every change.")
    created: Time
    updated: Time
    starts: int = Field(description="How often a worker took up its jobs.")
    progress: ProgressBody | None
    manifest: str | None = Field(description="The manifest's digest, once there is one.")
    detail: str | None = Field(description="Why the last job failed.")


class EvidenceBody(BaseModel):
    """A file that the snapshot needs; ``asset`` is empty for a list of several."""

    name: str
    kind: FileKind
    asset: str
    size: int | None = Field(description="In bytes; null until it is uploaded.")


class SnapshotDetails(SnapshotBody):
    """A snapshot with its files."""

    evidence: list[EvidenceBody]
    missing: list[str] = Field(
        description="What it lacks to be started or resumed: keys, ledger, files of evidence."
    )
    outcome: str | None = Field(
        description="What `assay prove` says of the bundle, once there is one: warnings, too."
    )
    shortfall: str | None = Field(description="By how much the assets fall short. For you alone.")


class SnapshotPage(BaseModel):
    """Some snapshots, the latest first."""

    snapshots: list[SnapshotBody]
    next: int | None = Field(description="`before` of the page that follows, if there is one.")


class ChallengeBody(BaseModel):
    """What the holder of every address of a chain signs, by chain: exactly this text."""

    messages: dict[str, str]


def body_of(row: Row) -> SnapshotBody:
    """Return how a snapshot is shown."""
    return SnapshotBody(**_shown(row))


def shown(row: Row) -> str:
    """Return how an event shows a snapshot."""
    return body_of(row).model_dump_json()


def _shown(row: Row) -> dict[str, Any]:
    return {
        "snapshot_id": row.snapshot_id,
        "number": row.number,
        "source": row.source,
        "time": utc_text(row.time),
        "state": row.state,
        "revision": row.revision,
        "created": utc_text(row.created),
        "updated": utc_text(int(row.updated)),
        "starts": row.starts,
        "progress": _progress(row),
        "manifest": row.manifest and row.manifest.hex(),
        "detail": row.detail,
    }


def _progress(row: Row) -> ProgressBody | None:
    if row.stage is None or row.done is None or row.began is None:
        return None
    passed = row.updated - row.began
    rate = row.done / passed if row.done and passed > 0 else None
    left = (row.total - row.done) / rate if rate and row.total is not None else None
    return ProgressBody(
        stage=row.stage, done=row.done, total=row.total, rate=rate, seconds_left=left
    )


class _Route(APIRoute):
    """A route of operators, who are told whatever the prover refuses."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """See `APIRoute`."""
        answer = super().get_route_handler()

        async def answer_or_refuse(request: Request) -> Response:
            try:
                return await answer(request)
            except ServiceError:
                raise
            except ProverError as error:
                raise Problem(ServiceCode.REFUSED, str(error)) from None

        return answer_or_refuse


async def _checked(request: Request, change: Callable[..., T], *words: Any) -> T:
    """Make a change that reads evidence, one at a time: it takes seconds of a core."""
    return await to_thread.run_sync(change, *words, limiter=serving(request).checks)


def _operations(request: Request) -> Operations:
    return serving(request).operations


def _security(scope: Scope) -> list[Any]:
    return [Security(operator, scopes=[scope])]


_ANYWAY: Final = (ServiceCode.UNAUTHENTICATED, ServiceCode.FORBIDDEN, ServiceCode.INVALID)
_MOVES: Final = (*_ANYWAY, ServiceCode.NOT_FOUND, ServiceCode.STATE)
_BEGINS: Final = (
    *_MOVES,
    ServiceCode.BUSY,
    ServiceCode.SUPERSEDED,
    ServiceCode.EXISTS,
    ServiceCode.INCOMPLETE,
    ServiceCode.EVIDENCE_REFUSED,
    ServiceCode.REFUSED,
)

router: Final = APIRouter(prefix="/operator/snapshots", tags=["operators"], route_class=_Route)


@router.post(
    "",
    status_code=201,
    dependencies=_security(Scope.WRITE),
    responses=problems(*_ANYWAY, ServiceCode.EXISTS, ServiceCode.SOURCE, ServiceCode.REFUSED),
)
def create(request: Request, response: Response, asked: NewSnapshot) -> SnapshotDetails:
    """Draft a snapshot of a source."""
    source = serving(request).settings.sources.get(asked.source)
    if source is None:
        raise Problem(ServiceCode.SOURCE)
    blocks = {name: sources.Block(**block.model_dump()) for name, block in asked.blocks.items()}
    operations = _operations(request)
    wish = sources.NewSnapshot(asked.snapshot_id, utc_seconds(asked.time), blocks)
    row = operations.create(asked.source, source.config, wish)
    # Relative, for what `Host` says is the client's word.
    response.headers["Location"] = f"{router.prefix}/{asked.snapshot_id}"
    return _details(operations, row)


@router.get("", dependencies=_security(Scope.READ), responses=problems(*_ANYWAY))
def page(
    request: Request,
    limit: Annotated[int, Query(ge=1, le=100)] = 50,
    before: Annotated[
        int | None, Query(ge=1, le=2**63 - 1, description="A `number`; those below it follow.")
    ] = None,
) -> SnapshotPage:
    """List snapshots, the latest first."""
    rows = _operations(request).page(limit + 1, before)
    shown = rows[:limit]
    following = shown[-1].number if len(rows) > limit else None
    return SnapshotPage(snapshots=[body_of(row) for row in shown], next=following)


@router.get(
    "/{snapshot_id}",
    dependencies=_security(Scope.READ),
    responses=problems(*_ANYWAY, ServiceCode.NOT_FOUND, ServiceCode.REFUSED),
)
def show(request: Request, snapshot_id: SnapshotId) -> SnapshotDetails:
    """Show a snapshot, its progress and its files."""
    operations = _operations(request)
    return _details(operations, operations.find(snapshot_id))


def _details(operations: Operations, row: Row) -> SnapshotDetails:
    folder = operations.folder(row.snapshot_id)
    if row.state in GONE:
        return SnapshotDetails(**_shown(row), evidence=[], missing=[], outcome=None, shortfall=None)
    evidence = []
    for slot in sources.slots(read_draft(folder)).values():
        file = folder.uploads / slot.name
        size = file.stat().st_size if file.exists() else None
        evidence.append(EvidenceBody(name=slot.name, kind=slot.kind, asset=slot.asset, size=size))
    return SnapshotDetails(
        **_shown(row),
        evidence=evidence,
        missing=missing_inputs(folder) if row.state in OPEN else [],
        outcome=_text(folder.outcome),
        shortfall=_text(folder.shortfall) if row.state is State.SHORT else None,
    )


def _text(file: FilePath) -> str | None:
    return file.read_text("utf-8").rstrip("\n") if file.exists() else None


@router.get(
    "/{snapshot_id}/challenge",
    dependencies=_security(Scope.READ),
    responses=problems(*_ANYWAY, ServiceCode.NOT_FOUND, ServiceCode.STATE, ServiceCode.REFUSED),
)
def challenge(request: Request, snapshot_id: SnapshotId) -> ChallengeBody:
    """Return the messages that the wallets sign."""
    config = read_draft(_kept(request, snapshot_id))
    key = public_bytes(read_signing_key(config.signing_key))
    return ChallengeBody(messages=ownership_messages(config, key))


@router.get(
    "/{snapshot_id}/announcement",
    dependencies=_security(Scope.READ),
    response_class=Response,
    responses={
        200: {
            "description": "The announcement",
            "content": {MSGPACK: {"schema": {"type": "string", "format": "binary"}}},
        },
        **problems(*_ANYWAY, ServiceCode.NOT_FOUND, ServiceCode.STATE, ServiceCode.REFUSED),
    },
)
def announcement(request: Request, snapshot_id: SnapshotId) -> Response:
    """Return the file that `assay hide-keys` takes to the keys."""
    config = read_draft(_kept(request, snapshot_id))
    key = public_bytes(read_signing_key(config.signing_key))
    return Response(wire.write_record(announce(config, key)), media_type=MSGPACK)


def _kept(request: Request, snapshot_id: str) -> ServedFolder:
    """Return the folder of a snapshot that is not retired."""
    operations = _operations(request)
    row = operations.find(snapshot_id)
    if row.state in GONE:
        raise WrongState(row.state)
    return operations.folder(snapshot_id)


Writer = Annotated[Operator, Security(operator, scopes=[Scope.WRITE])]
EvidenceName = Annotated[str, Path(description="A name of the snapshot's `evidence`.")]


@router.put(
    "/{snapshot_id}/evidence/{name}",
    responses=problems(
        *_MOVES, ServiceCode.BODY_TOO_LARGE, ServiceCode.EVIDENCE_REFUSED, ServiceCode.REFUSED
    ),
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {
                "application/octet-stream": {"schema": {"type": "string", "format": "binary"}}
            },
        }
    },
)
async def upload(
    request: Request, snapshot_id: SnapshotId, name: EvidenceName, caller: Writer
) -> EvidenceBody:
    """Upload a file of evidence, or replace one; it is checked by itself, signatures too."""
    service = serving(request)
    allow_body(request, service.settings.limits.upload_bytes)
    folder = await run_in_threadpool(_kept, request, snapshot_id)
    slot = await run_in_threadpool(find_slot, folder, name)
    with incoming(folder) as made:
        file = made / slot.name
        size, digest = await receive(request.stream(), file)
        replaces = await _checked(
            request, accept, service.database, snapshot_id, folder, file, slot
        )
    change = "replaced" if replaces else "added"
    _note(request, caller, f"evidence {change}", snapshot_id, slot, bytes=size, sha256=digest)
    return EvidenceBody(name=slot.name, kind=slot.kind, asset=slot.asset, size=size)


@router.delete(
    "/{snapshot_id}/evidence/{name}",
    status_code=204,
    response_class=Response,
    responses=problems(*_MOVES),
)
async def delete_evidence(
    request: Request, snapshot_id: SnapshotId, name: EvidenceName, caller: Writer
) -> None:
    """Delete a file of evidence of a draft."""
    folder = await run_in_threadpool(_kept, request, snapshot_id)
    slot = await run_in_threadpool(find_slot, folder, name)
    await _checked(request, delete, serving(request).database, snapshot_id, folder, slot)
    _note(request, caller, "evidence deleted", snapshot_id, slot)


def _note(
    request: Request, caller: Operator, change: str, snapshot_id: str, slot: Slot, **known: Any
) -> None:
    """Log who changed which file of evidence: the history of what a snapshot rests on."""
    told = {"operator": caller.name, "snapshot": snapshot_id, "file": slot.name, **known}
    LOG.info(change, extra={REQUEST_ID: request.scope[REQUEST_ID], **told})


@router.post(
    "/{snapshot_id}/start",
    status_code=202,
    dependencies=_security(Scope.WRITE),
    responses=problems(*_BEGINS),
)
async def start(request: Request, snapshot_id: SnapshotId) -> SnapshotBody:
    """Begin to prove a draft, if nothing is known that the prover would refuse."""
    return body_of(await _checked(request, _operations(request).start, snapshot_id))


@router.post(
    "/{snapshot_id}/resume",
    status_code=202,
    dependencies=_security(Scope.WRITE),
    responses=problems(*_BEGINS),
)
async def resume(request: Request, snapshot_id: SnapshotId) -> SnapshotBody:
    """Go on with a snapshot that was cancelled, failed or fell short, from where it stopped."""
    return body_of(await _checked(request, _operations(request).resume, snapshot_id))


@router.post(
    "/{snapshot_id}/cancel",
    status_code=202,
    dependencies=_security(Scope.WRITE),
    responses=problems(*_MOVES),
)
def cancel(request: Request, snapshot_id: SnapshotId) -> SnapshotBody:
    """Stop proving or publishing at the next report of progress."""
    return body_of(_operations(request).cancel(snapshot_id))


@router.post(
    "/{snapshot_id}/publish",
    status_code=202,
    dependencies=_security(Scope.PUBLISH),
    responses=problems(*_MOVES),
)
def publish(request: Request, snapshot_id: SnapshotId) -> SnapshotBody:
    """Publish a proven snapshot; goes on where an earlier attempt failed."""
    return body_of(_operations(request).publish(snapshot_id))


@router.post(
    "/{snapshot_id}/retire",
    status_code=202,
    dependencies=_security(Scope.PUBLISH),
    responses=problems(*_MOVES),
)
def retire(request: Request, snapshot_id: SnapshotId) -> SnapshotBody:
    """Erase all that is kept of a snapshot; what was published stays, packages are gone."""
    row = _operations(request).retire(snapshot_id)
    packages = serving(request).packages
    if packages is not None:  # what is mapped would outlive its file
        packages.drop(snapshot_id)
    return body_of(row)


async def _place(
    request: Request, caller: Annotated[Operator, Security(operator, scopes=[Scope.READ])]
) -> AsyncIterator[None]:
    """Hold a place for a stream of the caller, until it ended."""
    with serving(request).watchers.place(caller.name):
        yield


@router.get(
    "/{snapshot_id}/events",
    dependencies=[*_security(Scope.READ), Depends(_place)],
    response_class=Response,
    responses={
        200: {
            "description": "Events `snapshot`, each with a `SnapshotBody` as data",
            "content": {EVENTS: {}},
        },
        204: {"description": "Nothing will come after the event that `Last-Event-ID` names"},
        **problems(*_ANYWAY, ServiceCode.NOT_FOUND),
    },
)
async def events(
    request: Request,
    snapshot_id: SnapshotId,
    last_event_id: Annotated[str | None, Header()] = None,
) -> Response:
    """Watch a snapshot until no worker is at it any more, for a minute at a time."""
    row = await run_in_threadpool(_operations(request).find, snapshot_id)
    if row.state not in MOVING and last_event_id == str(row.revision):
        return Response(status_code=204)
    return StreamingResponse(
        serving(request).watchers.stream(row, last_event_id),
        headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
        media_type=EVENTS,
    )
