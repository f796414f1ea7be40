"""What the low level raises about its inputs."""

from __future__ import annotations


class NativeError(ValueError):
    """An element of an input array is malformed: ``code`` says how, ``index`` which."""

    def __init__(self, code: str, index: int) -> None:
        super().__init__(f"{code} at index {index}")
        self.code = code
        self.index = index
