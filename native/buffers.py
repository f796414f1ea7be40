"""Memory of the binding: buffers that come in, results, scratch, and the fixed-base tables.

Lengths are checked here, never by the core. A pointer made here keeps its memory alive; an input
that is not aligned for its items is copied.
"""

from __future__ import annotations

import mmap
import threading
from typing import TYPE_CHECKING, Any

from native._core import ffi, lib

if TYPE_CHECKING:
    from typing_extensions import Buffer

GENERATORS = 256

_lock = threading.Lock()
_local = threading.local()
_tables: list[Any] = []


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


def out(memory: bytearray | mmap.mmap, ctype: str = "uint8_t") -> Any:
    """Return a pointer to memory that the core writes."""
    return ffi.from_buffer(f"{ctype}[]", memory, require_writable=True)


def filled(memory: Buffer, count: int, name: str, ctype: str = "uint8_t") -> Any:
    """Return a pointer to exactly ``count`` items of memory that the core fills in part.

    Raises:
        ValueError: the buffer has another length, is read-only, or not aligned for its items.
    """
    if byte_length(memory) != ffi.sizeof(ctype) * count:
        raise ValueError(f"{name}: {byte_length(memory)} bytes for {count} items")
    pointer = ffi.from_buffer(f"{ctype}[]", memory, require_writable=True)
    if count and int(ffi.cast("uintptr_t", pointer)) % ffi.sizeof(ctype):
        raise ValueError(f"{name}: not aligned")
    return pointer


def scratch(size: int) -> Any:
    """Return ``size`` bytes of this thread, aligned to a page, until it asks again or ends.

    Memory is taken as it is touched, and kept: the largest calls are made a thousand times in turn.
    """
    if getattr(_local, "size", -1) < size:
        _local.memory = None
        _local.memory, _local.size = mmap.mmap(-1, max(size, mmap.PAGESIZE)), size
    return ffi.from_buffer("uint8_t[]", _local.memory, require_writable=True)


def tables() -> Any:
    """Return the tables of V, B and all Q, built at the first call (11 MB)."""
    with _lock:
        if not _tables:
            memory = mmap.mmap(-1, lib.assay_tables_size(GENERATORS))
            pointer = ffi.new("assay_tables **")
            work = scratch(lib.assay_tables_scratch_size())
            status = lib.assay_tables_build(pointer, out(memory), GENERATORS, work)
            if status != lib.ASSAY_OK:
                raise RuntimeError(f"the tables were not built: status {status}")
            _tables.extend((pointer[0], memory))
        return _tables[0]
