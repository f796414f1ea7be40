"""What the service refuses, or cannot do, in no words of HTTP.

`api.http.problems` has the one table of how each is answered. A text helps whoever asked, and holds
no balance, key or account id.
"""

from __future__ import annotations

from prover.errors import Incomplete, ProverError


class ServiceError(Exception):
    """Something that was asked for is not done; ``retry_after`` seconds may change that, if set."""

    retry_after: int | None = None


class Unknown(ServiceError):
    """There is no such snapshot, or it has no such thing."""


class Taken(ServiceError):
    """There is a snapshot of this id already."""


class WrongState(ServiceError):
    """The snapshot's state does not allow it; ``state`` is that state."""

    def __init__(self, state: str) -> None:
        super().__init__(f"it is {state}")
        self.state = state


class Busy(ServiceError):
    """Another snapshot is under way."""


class Superseded(ServiceError):
    """Another snapshot was published since the ledger of this one was frozen."""


class Retired(ServiceError):
    """The snapshot is retired."""


class NotComplete(Incomplete, ServiceError):
    """Not all is there that the snapshot is to be made of."""


class EvidenceRefused(ServiceError):
    """The prover refuses a file of evidence; the text names file, row, column and rule."""


class Unreadable(ServiceError):
    """The private files of a snapshot cannot be read."""


class Foreign(ProverError, ServiceError):
    """The folder is not the one that the database serves."""


class DatabaseAway(ServiceError):
    """The database does not answer."""

    retry_after = 2


class DatabaseFull(ServiceError):
    """The database has no room."""


class LinksOfAll(ServiceError):
    """There are as many links to packages as there may be; they end all the time."""

    retry_after = 60


class StreamsOfCaller(ServiceError):
    """A caller has as many event streams as one may have; streams end all the time."""

    retry_after = 10


class StreamsOfAll(ServiceError):
    """There are as many event streams as there may be."""

    retry_after = 10
