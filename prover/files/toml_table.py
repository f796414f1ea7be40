"""Strict reading of TOML: a key that nobody asked for, or of another type, is named and refused."""

from __future__ import annotations

import codecs
import tomllib
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from datetime import datetime
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Final, TypeVar

from prover.errors import Code, InputError, ProverError, Refusals
from prover.files.storage import read_at_most

T = TypeVar("T")

MAX_TOML_BYTES: Final = 1 << 24

_NAMES = {
    str: "text",
    int: "a whole number",
    bool: "true or false",
    dict: "a table",
    list: "a list",
    datetime: "a date and time",
}


def read_toml(file: Path) -> bytes:
    """Return the bytes of a TOML file.

    Raises:
        ProverError: it cannot be read, or has more than `MAX_TOML_BYTES`.
    """
    try:
        data = read_at_most(file, MAX_TOML_BYTES)
    except OSError as error:
        raise ProverError(f"{file}: {error.strerror}") from None
    if len(data) > MAX_TOML_BYTES:
        raise ProverError(f"{file}: more than {MAX_TOML_BYTES:,} bytes: not such a file")
    return data


class Table:
    """A table of a TOML file; ``take`` removes a key, and `closed` refuses what is left.

    ``known`` are the keys that it may have: any other is refused at once, before it is missed under
    the name that it should have. None where the keys are names of the operator's own.
    """

    def __init__(
        self, file: Path, where: str, values: dict[str, Any], known: Collection[str] | None
    ) -> None:
        self.file = file
        self.where = where
        self._values = dict(values)
        if known is not None:
            self._refuse_unknown(known)

    @classmethod
    def read(cls, file: Path, text: bytes, known: Collection[str]) -> Table:
        """Parse a whole file.

        Raises:
            InputError: not UTF-8, or not TOML; the message names line and column.
        """
        if text.startswith(codecs.BOM_UTF8):
            words = "begins with a byte order mark"
            raise InputError(str(file), Code.NOT_TOML, words, "save it as UTF-8 without one")
        try:
            return cls(file, "", tomllib.loads(text.decode()), known)
        except UnicodeDecodeError as error:
            words = f"not UTF-8 at byte {error.start}"
            raise InputError(str(file), Code.NOT_TOML, words, "save it as UTF-8") from None
        except tomllib.TOMLDecodeError as error:
            raise InputError(str(file), Code.NOT_TOML, str(error)) from None

    def error(
        self, key: str, words: str, code: Code = Code.WRONG_VALUE, remedy: str = ""
    ) -> InputError:
        """Return the error that ``key`` of this table breaks the rule that ``words`` tell."""
        return InputError(self.place(key), code, words, remedy)

    def place(self, key: str) -> str:
        """Return how errors name ``key`` of this table, with its file."""
        return f"{self.file}: {self._path(key)}"

    def has(self, key: str) -> bool:
        """Tell whether ``key`` is there and not yet taken."""
        return key in self._values

    def has_table(self, key: str) -> bool:
        """Tell whether a table is there under ``key``, and not yet taken."""
        return isinstance(self._values.get(key), dict)

    def take(self, key: str, kind: type[T]) -> T:
        """Return and remove the value of ``key``, which must be of type ``kind``."""
        if key not in self._values:
            raise self.error(key, "missing", Code.MISSING_KEY)
        value = self._values.pop(key)
        if not isinstance(value, kind) or (isinstance(value, bool) and kind is int):
            words = f"must be {_NAMES.get(kind, kind.__name__)}"
            raise self.error(key, words, Code.WRONG_TYPE)
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
        texts = self.take_texts(key)
        if not all(text and "\0" not in text for text in texts):
            raise self.error(key, "must be a list of paths")
        return tuple(self.file.absolute().parent / text for text in texts)

    def take_texts(self, key: str) -> tuple[str, ...]:
        """Return a list of texts."""
        texts = self.take(key, list)
        if not all(isinstance(text, str) for text in texts):
            raise self.error(key, "must be a list of texts", Code.WRONG_TYPE)
        return tuple(texts)

    def remaining(self) -> list[str]:
        """Return the keys not yet taken."""
        return list(self._values)

    @contextmanager
    def table(self, key: str, known: Collection[str] | None) -> Iterator[Table]:
        """Give the table under ``key``; on leaving, nothing may be left in it."""
        table = self.part(key, known)
        yield table
        table.closed()

    def part(self, key: str, known: Collection[str] | None) -> Table:
        """Return the table under ``key``, which is for the caller to close."""
        return Table(self.file, self._path(key), self.take(key, dict), known)

    def copy(self) -> Table:
        """Return a table of what is still to be taken."""
        return Table(self.file, self.where, self._values, None)

    def each(self, key: str, known: Collection[str], read: Callable[[Table], T]) -> list[T]:
        """Return what ``read`` makes of each table of the list under ``key``.

        Raises:
            ProverError: what is wrong with them, of the first ten that are wrong.
        """
        found, refusals = [], Refusals()
        for number, values in enumerate(self.take(key, list), 1):
            if not isinstance(values, dict | Table):
                raise self.error(key, "must be a list of tables", Code.WRONG_TYPE)
            with refusals.part():
                if isinstance(values, Table):  # of another file
                    table = values
                else:
                    table = Table(self.file, f"{self._path(key)}[{number}]", values, known)
                found.append(read(table))
                table.closed()
        refusals.settle()
        return found

    def closed(self) -> None:
        """Refuse keys that were not taken, though they are known.

        Raises:
            InputError: naming them.
        """
        if self._values:
            first, *others = self._values
            words = "does not go with the other settings"
            if others:
                words += f", nor do {', '.join(others)}"
            raise self.error(first, words, Code.CONTRADICTION, "remove it")

    def _refuse_unknown(self, known: Collection[str]) -> None:
        unknown = [key for key in self._values if key not in known]
        if not unknown:
            return
        words = "unknown key"
        if len(unknown) > 1:
            words += f", as are {', '.join(unknown[1:])}"
        near = get_close_matches(unknown[0], known, 1)
        remedy = f"{near[0]} is meant?" if near else ""
        raise self.error(
            unknown[0],
            words,
            Code.UNKNOWN_KEY,
            f"{remedy} known keys: {', '.join(sorted(known))}".strip(),
        )

    def _path(self, key: str) -> str:
        return f"{self.where}.{key}" if self.where else key
