"""A YAML file as a tree of text, read under bounds that no honest list meets.

The parser is libyaml's, and only its events are taken: nothing is constructed, no text becomes a
number or a date, and aliases, anchors, tags and a second document are refused, so the tree is never
larger than the file.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import yaml

from prover.imports.rows import MAX_FILE_BYTES, ImportFileError

MAX_DEPTH = 8
MAX_NODES = 1 << 23
MAX_SCALAR_CHARACTERS = 1 << 14


@dataclass(frozen=True, slots=True)
class Node:
    """A text, list or mapping, and where it begins (1-based)."""

    value: str | list[Node] | dict[str, Node]
    line: int
    column: int


def read_yaml(file: Path) -> Node:
    """Read a file.

    Raises:
        ImportFileError: unreadable, not YAML, or beyond the bounds.
    """
    try:
        with file.open("rb") as stream:
            if file.stat().st_size > MAX_FILE_BYTES:
                raise ImportFileError(file, f"larger than {MAX_FILE_BYTES} bytes")
            return _Reader(file, yaml.parse(stream, Loader=yaml.CSafeLoader)).read()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        where = (mark.line + 1, mark.column + 1) if mark else (0, None)
        raise ImportFileError(file, f"not YAML: {error.problem}", *where) from None
    except yaml.reader.ReaderError as error:
        raise ImportFileError(file, f"not YAML: {error.reason}") from None
    except OSError as error:
        raise ImportFileError(file, error.strerror or "unreadable") from None


class _Reader:
    def __init__(self, file: Path, events: Iterator[yaml.Event]) -> None:
        self._file = file
        self._events = events
        self._nodes = 0

    def read(self) -> Node:
        """Read the one document."""
        for _ in range(2):  # the stream's start, and the document's
            event = next(self._events)
        if isinstance(event, yaml.StreamEndEvent):
            raise ImportFileError(self._file, "empty")
        root = self._node(next(self._events), 1)
        next(self._events)  # the document's end
        event = next(self._events)
        if not isinstance(event, yaml.StreamEndEvent):
            raise self._error(event, "a second document")
        return root

    def _node(self, event: yaml.Event, depth: int) -> Node:
        if isinstance(event, yaml.AliasEvent):
            raise self._error(event, "an alias")
        if not isinstance(event, yaml.NodeEvent) or event.anchor is not None:
            raise self._error(event, "an anchor")
        self._nodes += 1
        if self._nodes > MAX_NODES:
            raise self._error(event, f"more than {MAX_NODES} values")
        if getattr(event, "tag", None) is not None:
            raise self._error(event, "a tag")
        if depth > MAX_DEPTH:
            raise self._error(event, f"nested deeper than {MAX_DEPTH}")
        return Node(self._value(event, depth), *_place(event))

    def _value(self, event: yaml.Event, depth: int) -> str | list[Node] | dict[str, Node]:
        if isinstance(event, yaml.ScalarEvent):
            return self._text(event)
        if isinstance(event, yaml.SequenceStartEvent):
            items: list[Node] = []
            while not isinstance(inner := next(self._events), yaml.SequenceEndEvent):
                items.append(self._node(inner, depth + 1))
            return items
        entries: dict[str, Node] = {}
        while not isinstance(inner := next(self._events), yaml.MappingEndEvent):
            key = self._node(inner, depth + 1)
            if not isinstance(key.value, str) or key.value in entries:
                raise self._error(inner, "a key that is not text, or occurs twice")
            entries[key.value] = self._node(next(self._events), depth + 1)
        return entries

    def _text(self, event: yaml.ScalarEvent) -> str:
        if len(event.value) > MAX_SCALAR_CHARACTERS:
            raise self._error(event, f"longer than {MAX_SCALAR_CHARACTERS} characters")
        text: str = event.value
        return text

    def _error(self, event: yaml.Event, rule: str) -> ImportFileError:
        return ImportFileError(self._file, f"refused: {rule}", *_place(event))


def _place(event: yaml.Event) -> tuple[int, int]:
    mark = event.start_mark
    return (mark.line + 1, mark.column + 1) if mark else (0, 0)
