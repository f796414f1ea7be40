"""Write the C source of the binding: ``build_native.py HEADER OUTPUT``, called by CMake.

The declarations are those of the header itself, between its two marks, so they exist once.
"""

from __future__ import annotations

import sys
from pathlib import Path

from cffi import FFI

BEGIN = "/* cffi: begin */"
END = "/* cffi: end */"


def declarations(header: str) -> str:
    """Return the part of ``header`` between the two marks.

    Raises:
        ValueError: the two marks do not stand there once each.
    """
    if header.count(BEGIN) != 1 or header.count(END) != 1:
        raise ValueError(f"the header must hold {BEGIN!r} and {END!r} once each")
    return header.partition(BEGIN)[2].partition(END)[0]


def main(header: str, output: str) -> None:
    """Emit the API-mode extension source for ``header`` into ``output``."""
    ffi = FFI()
    ffi.cdef(declarations(Path(header).read_text(encoding="utf-8")))
    ffi.set_source("native._core", f'#include "{Path(header).name}"')
    ffi.emit_c_code(output)


if __name__ == "__main__":
    main(*sys.argv[1:])
