"""Memory of the binding: buffers that come in, results, scratch, generators and their tables.

Lengths are checked here, never by the core: those of the memory itself, whatever ``len`` of it
says. A pointer made here keeps its memory alive; an input that is not aligned for its items is
copied.
"""

from __future__ import annotations

import mmap
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from native._core import ffi, lib

if TYPE_CHECKING:
    from typing_extensions import Buffer

HUGE_PAGE = 1 << 21
KEPT = 96 << 20

_lock = threading.Lock()
_held: WeakKeyDictionary[Any, tuple[Any, ...]] = WeakKeyDictionary()
_tables: list[Any] = []
_bases: list[Any] = []
_thread = threading.local()


def byte_length(data: Buffer) -> int:
    """Return the number of bytes of a buffer."""
    return memoryview(data).nbytes


def items(data: Buffer, count: int, name: str, ctype: str = "uint8_t") -> Any:
    """Return a pointer to exactly ``count`` items of a C type.

    Raises:
        ValueError: the buffer has another length, or is not C-contiguous.
    """
    pointer = _items(data, count, name, ctype)
    if not _is_aligned(pointer, ctype):
        pointer = ffi.from_buffer(f"{ctype}[]", bytes(ffi.buffer(pointer)))
    return pointer


def whole(data: Buffer, name: str) -> tuple[Any, int]:
    """Return a pointer to all the bytes of a buffer, and how many they are.

    Raises:
        ValueError: the buffer is not C-contiguous.
    """
    length = byte_length(data)
    return _items(data, length, name, "uint8_t"), length


def filled(memory: Buffer, count: int, name: str, ctype: str = "uint8_t") -> Any:
    """Return a pointer to exactly ``count`` items of memory that the core fills in part.

    Raises:
        ValueError: the buffer has another length, is read-only, not C-contiguous, or not aligned
            for its items.
    """
    pointer = _items(memory, count, name, ctype)
    if memoryview(memory).readonly:
        raise ValueError(f"{name}: read-only")
    if count and not _is_aligned(pointer, ctype):
        raise ValueError(f"{name}: not aligned")
    return pointer


def _items(data: Buffer, count: int, name: str, ctype: str) -> Any:
    view, wanted = memoryview(data), ffi.sizeof(ctype) * count
    if not view.c_contiguous:
        raise ValueError(f"{name}: not contiguous")
    pointer = ffi.from_buffer(f"{ctype}[]", data)
    if view.nbytes != wanted or len(pointer) != count:
        raise ValueError(f"{name}: {view.nbytes} bytes instead of {wanted}")
    return pointer


def _is_aligned(pointer: Any, ctype: str) -> bool:
    return int(ffi.cast("uintptr_t", pointer)) % ffi.sizeof(ctype) == 0


def out(memory: bytearray, ctype: str = "uint8_t") -> Any:
    """Return a pointer to memory that the core writes."""
    return ffi.from_buffer(f"{ctype}[]", memory, require_writable=True)


def record(kind: str, **fields: Any) -> Any:
    """Return a pointer to a struct of the core, which keeps alive what its fields point to."""
    made = ffi.new(f"{kind} *", fields)
    keep(made, *fields.values())
    return made


def keep(made: Any, *pointers: Any) -> None:
    """Keep memory alive as long as the struct that points to it."""
    _held[made] = pointers


def aligned(size: int) -> Any:
    """Return ``size`` bytes of their own, zero, aligned to 64.

    They are mapped: a view of a bytearray that starts at a multiple of 64 would do too, but the
    garbage collector may clear a view before the pointer made from it, which crashes. Much memory
    comes in huge pages where the system has them: the core reads points in no order, and would
    spend a good part of its time on finding them in small pages.
    """
    flags = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS
    memory = mmap.mmap(-1, max(size, 1), flags=flags)
    if size >= HUGE_PAGE and hasattr(mmap, "MADV_HUGEPAGE"):
        with suppress(OSError):  # a kernel without them
            memory.madvise(mmap.MADV_HUGEPAGE)
    return ffi.from_buffer("uint8_t[]", memory, require_writable=True)


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


def bases() -> Any:
    """Return the generators, built at the first call: what checking needs."""
    return _built(_bases, lib.assay_bases_size, lib.assay_bases_scratch_size, lib.assay_bases_build)


def tables() -> Any:
    """Return the tables of all generators, built at the first call (44 MB)."""
    return _built(
        _tables, lib.assay_tables_size, lib.assay_tables_scratch_size, lib.assay_tables_build
    )


def begin_tables() -> None:
    """Build the tables beside what the caller does before it needs them."""
    threading.Thread(target=tables).start()


def _built(kept: list[Any], size: Any, scratch_size: Any, build: Any) -> Any:
    with _lock:
        if not kept:
            memory = aligned(size())
            kept.extend((build(memory, scratch(scratch_size())), memory))
        return kept[0]
