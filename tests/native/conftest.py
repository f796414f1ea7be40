"""Every call of the core gets scratch of exactly the size that it asked for, before a page that
nobody may touch: what is written beyond ends the process. No sanitizer sees that, for scratch is
mapped, and one call's is often room enough for another's.
"""

from __future__ import annotations

import ctypes
import mmap
from collections import deque
from typing import Any

import pytest

from native import buffers
from native._core import ffi

# The memory of the last calls; the core holds none any longer.
_KEPT: deque[Any] = deque(maxlen=8)
_protect = ctypes.CDLL(None, use_errno=True).mprotect


def guarded(size: int) -> Any:
    """Return ``size`` bytes, aligned to 64, that end where a page without access begins."""
    room = -(-size // mmap.PAGESIZE) * mmap.PAGESIZE
    whole = ffi.from_buffer("uint8_t[]", mmap.mmap(-1, room + mmap.PAGESIZE))
    _KEPT.append(whole)
    end = int(ffi.cast("uintptr_t", whole)) + room
    if _protect(ctypes.c_void_p(end), mmap.PAGESIZE, 0):  # PROT_NONE
        raise OSError(ctypes.get_errno(), "mprotect")
    return whole + (room - -(-size // 64) * 64)


@pytest.fixture(autouse=True)
def guarded_scratch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(buffers, "scratch", guarded)
