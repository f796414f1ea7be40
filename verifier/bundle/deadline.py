"""An end to a whole exchange over HTTP, however slowly its bytes drip in."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection, HTTPException

from verifier.errors import CannotCheck


@contextmanager
def deadline(connection: HTTPConnection, seconds: float) -> Iterator[None]:
    """Cut a connection off after so many seconds; a socket's own time-out restarts at every byte.

    Raises:
        TimeoutError: in place of whatever the cut made of the exchange.
    """
    expired = threading.Event()

    def end() -> None:
        expired.set()
        _cut(connection)

    watchdog = threading.Timer(seconds, end)
    watchdog.daemon = True
    watchdog.start()
    try:
        yield
    except (OSError, ValueError, HTTPException, CannotCheck):
        if expired.is_set():  # what was cut off may look like anything
            raise TimeoutError from None
        raise
    else:
        if expired.is_set():  # what came is whole at best by chance
            raise TimeoutError
    finally:
        watchdog.cancel()


def _cut(connection: HTTPConnection) -> None:
    sock = connection.sock
    if sock is not None:
        try:
            # Of the plain socket: a TLS one would first take its state from under the reader.
            socket.socket.shutdown(sock, socket.SHUT_RDWR)
        except OSError:
            return  # closed already: the reader has its answer
