"""Memory of the binding: buffers that come in, results, scratch, and the fixed-base tables.

Lengths are checked here, never by the core. A pointer made here keeps its memory alive; an input
that is not aligned for its items is copied.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

from native._core import ffi, lib

if TYPE_CHECKING:
    from typing_extensions import Buffer

ALIGNMENT = 64
GENERATORS = 256
KEPT = 1 << 25

_lock = threading.Lock()
_tables: list[Any] = []
_thread = threading.local()


def byte_length(data: Buffer) -> int:
    """Return the number of bytes of a buffer."""
    return memoryview(data).nbytes


def items(data: Buffer, count: int, name: str, ctype: str = "uint8_t") -> Any:
    """Return a pointer to exactly ``count`` items of a C type.

    Raises:
        ValueError: the buffer has another length, or is not C-contiguous.
    """
    size = ffi.sizeof(ctype)
    if byte_length(data) != size * count:
        raise ValueError(f"{name}: {byte_length(data)} bytes instead of {size * count}")
    pointer = ffi.from_buffer(f"{ctype}[]", data)
    if int(ffi.cast("uintptr_t", pointer)) % size:
        pointer = ffi.from_buffer(f"{ctype}[]", bytes(memoryview(data).cast("B")))
    return pointer


def out(memory: bytearray, ctype: str = "uint8_t") -> Any:
    """Return a pointer to memory that the core writes."""
    return ffi.from_buffer(f"{ctype}[]", memory, require_writable=True)


def aligned(size: int) -> Any:
    """Return ``size`` bytes of their own, aligned to 64."""
    memory = memoryview(bytearray(size + ALIGNMENT))
    offset = -int(ffi.cast("uintptr_t", ffi.from_buffer(memory))) % ALIGNMENT
    return ffi.from_buffer("uint8_t[]", memory[offset : offset + size], require_writable=True)


def scratch(size: int) -> Any:
    """Return ``size`` bytes or more, aligned to 64, for one call of the core.

    A thread gets the same memory again, up to `KEPT` bytes: fresh memory costs more than many a
    call. The core leaves no secret in it.
    """
    if size > KEPT:
        return aligned(size)
    kept = getattr(_thread, "scratch", None)
    if kept is None or len(kept) < size:
        kept = _thread.scratch = aligned(size)
    return kept


def tables() -> Any:
    """Return the tables of V, B and all Q, built at the first call (11 MB)."""
    with _lock:
        if not _tables:
            memory = aligned(lib.assay_tables_size(GENERATORS))
            pointer = ffi.new("assay_tables **")
            work = scratch(lib.assay_tables_scratch_size())
            status = lib.assay_tables_build(pointer, memory, GENERATORS, work)
            if status != lib.ASSAY_OK:
                raise RuntimeError(f"the tables were not built: status {status}")
            _tables.extend((pointer[0], memory))
        return _tables[0]
