"""Write the C source of the binding: ``build_native.py OUTPUT HEADER...``, called by CMake.

The declarations are those of the headers themselves, between their two marks, so they exist once.
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


def main(output: str, *headers: str) -> None:
    """Emit the API-mode extension source for ``headers`` into ``output``."""
    ffi = FFI()
    for header in headers:
        ffi.cdef(declarations(Path(header).read_text(encoding="utf-8")))
    includes = [f'#include "{Path(header).name}"' for header in headers]
    ffi.set_source("native._core", "\n".join(includes))
    ffi.emit_c_code(output)


if __name__ == "__main__":
    main(*sys.argv[1:])
