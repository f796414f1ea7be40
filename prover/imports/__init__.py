"""Lists of reserves as other exchanges publish them, checked row by row."""

from __future__ import annotations
