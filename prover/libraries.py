"""Keeps embit and btclib on their pure-Python arithmetic; imported before they are.

The one would load a libsecp256k1 that it carries prebuilt, the other any that happens to be
installed. `None` makes an import of the name fail, which both take as "not installed".
"""

from __future__ import annotations

import sys

for _native in ("embit.util.ctypes_secp256k1", "btclib_secp256k1"):
    sys.modules.setdefault(_native, None)  # type: ignore[arg-type]
