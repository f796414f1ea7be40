"""Strict reading of TOML: a key that nobody asked for, or of another type, is named and refused."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

from prover.errors import ProverError

T = TypeVar("T")

_NAMES = {
    str: "text",
    int: "a whole number",
    bool: "true or false",
    dict: "a table",
    list: "a list",
    datetime: "a date and time",
}


class Table:
    """A table of a TOML file; ``take`` removes a key, and `closed` refuses what is left."""

    def __init__(self, file: Path, where: str, values: dict[str, Any]) -> None:
        self.file = file
        self.where = where
        self._values = dict(values)

    @classmethod
    def read(cls, file: Path, text: bytes) -> Table:
        """Parse a whole file.

        Raises:
            ProverError: not UTF-8, or not TOML; the message names line and column.
        """
        try:
            return cls(file, "", tomllib.loads(text.decode()))
        except UnicodeDecodeError as error:
            raise ProverError(f"{file}: not UTF-8 at byte {error.start}") from None
        except tomllib.TOMLDecodeError as error:
            raise ProverError(f"{file}: {error}") from None

    def error(self, key: str, rule: str) -> ProverError:
        """Return the error that ``key`` of this table breaks ``rule``."""
        return ProverError(f"{self.file}: {self._path(key)}: {rule}")

    def has(self, key: str) -> bool:
        """Tell whether ``key`` is there and not yet taken."""
        return key in self._values

    def take(self, key: str, kind: type[T]) -> T:
        """Return and remove the value of ``key``, which must be of type ``kind``."""
        if key not in self._values:
            raise self.error(key, "missing")
        value = self._values.pop(key)
        if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
            raise self.error(key, f"must be {_NAMES.get(kind, kind.__name__)}")
        return value

    def take_or(self, key: str, kind: type[T], default: T) -> T:
        """Return and remove the value of ``key``, or the default when it is not there."""
        return self.take(key, kind) if self.has(key) else default

    def take_path(self, key: str) -> Path:
        """Return a path, taken relative to the folder of the TOML file."""
        text = self.take(key, str)
        if not text or "\0" in text:
            raise self.error(key, "not a path")
        return self.file.absolute().parent / text

    def take_paths(self, key: str) -> tuple[Path, ...]:
        """Return a list of paths, each taken as by `take_path`."""
        texts = self.take(key, list)
        if not all(isinstance(text, str) and text and "\0" not in text for text in texts):
            raise self.error(key, "must be a list of paths")
        return tuple(self.file.absolute().parent / text for text in texts)

    def remaining(self) -> list[str]:
        """Return the keys not yet taken."""
        return list(self._values)

    @contextmanager
    def table(self, key: str) -> Iterator[Table]:
        """Give the table under ``key``; on leaving, nothing may be left in it."""
        table = Table(self.file, self._path(key), self.take(key, dict))
        yield table
        table.closed()

    def tables(self, key: str) -> Iterator[Table]:
        """Give each table of the list under ``key``; nothing may be left in one afterwards."""
        for number, values in enumerate(self.take(key, list), 1):
            if not isinstance(values, dict):
                raise self.error(key, "must be a list of tables")
            table = Table(self.file, f"{self._path(key)}[{number}]", values)
            yield table
            table.closed()

    def closed(self) -> None:
        """Refuse keys that were not taken.

        Raises:
            ProverError: naming the first.
        """
        for key in self._values:
            raise self.error(key, "unknown key")

    def _path(self, key: str) -> str:
        return f"{self.where}.{key}" if self.where else key
