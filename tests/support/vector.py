"""What a file of spec/vectors holds, written and read: spec/vectors/README.md is its description.

Invariants: the text of a vector is a function of its content; `load` refuses what `write` does not
make.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path
from typing import Any, Self

FOLDER = Path(__file__).parents[2] / "spec" / "vectors"
Files = Mapping[str, bytes]


class Repeated(bytes):
    """The bytes of a large file, which a vector holds as pieces: bytes, and how often they come."""

    pieces: Sequence[tuple[bytes, int]]

    @classmethod
    def of(cls, *pieces: tuple[bytes, int]) -> Self:
        made = cls(b"".join(piece * times for piece, times in pieces))
        made.pieces = pieces
        return made


@dataclass(frozen=True)
class Vector:
    """One vector: `name` is folder/file without suffix; `content` is the JSON object."""

    name: str
    content: Mapping[str, Any]

    @property
    def kind(self) -> str:
        return self.name.partition("/")[0]

    @property
    def code(self) -> str | None:
        code: str | None = self.content["code"]
        return code

    def text(self) -> str:
        """The file, byte for byte; ASCII, since some texts are no valid Unicode."""
        return json.dumps(self.content, indent=1) + "\n"


def make(name: str, description: str, source: str, code: str | None, **content: Any) -> Vector:
    """A vector; `bytes` anywhere in the content become hex."""
    head = {"description": description, "source": source, "code": code}
    return Vector(name, head | {key: plain(value) for key, value in content.items()})


def plain(value: Any) -> Any:
    """The value as JSON has it."""
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, Mapping):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    return value


def splice(old: bytes, new: bytes) -> list[Any]:
    """[offset, removed, hex]: how `new` is made of `old`."""
    least = min(len(old), len(new))
    start = next((i for i in range(least) if old[i] != new[i]), least)
    end = next((i for i in range(least - start) if old[-1 - i] != new[-1 - i]), least - start)
    return [start, len(old) - end - start, new[start : len(new) - end].hex()]


def patched(old: bytes, change: str | list[Any] | Mapping[str, Any]) -> bytes:
    """`old` after a splice; hex alone, or pieces, replace all of it."""
    if isinstance(change, str):
        return bytes.fromhex(change)
    if isinstance(change, Mapping):
        return b"".join(bytes.fromhex(piece) * times for piece, times in change["pieces"])
    offset, removed, put = change
    return old[:offset] + bytes.fromhex(put) + old[offset + removed :]


def changes(base: Files, files: Files) -> dict[str, Any]:
    """What of a base bundle is replaced: a splice, a file in hex or pieces, or None if gone."""
    replaced: dict[str, Any] = {}
    for path in sorted(base.keys() | files.keys()):
        if path not in files:
            replaced[path] = None
        elif isinstance(file := files[path], Repeated):
            replaced[path] = {"pieces": [[piece.hex(), times] for piece, times in file.pieces]}
        elif path not in base:
            replaced[path] = files[path].hex()
        elif base[path] != files[path]:
            replaced[path] = splice(base[path], files[path])
    return replaced


def names() -> list[str]:
    """The names of all frozen vectors."""
    return sorted(str(path.relative_to(FOLDER).with_suffix("")) for path in FOLDER.glob("*/*.json"))


@cache
def load(name: str) -> Vector:
    return Vector(name, json.loads((FOLDER / f"{name}.json").read_text("ascii")))


@lru_cache(maxsize=32)  # some have 100 MB
def bundle_files(name: str) -> Files:
    """All files of a vector's bundle, base and replacements resolved."""
    content = load(name).content
    if "files" in content:
        return {path: bytes.fromhex(data) for path, data in content["files"].items()}
    files = dict(bundle_files(content["base"]))
    for path, change in content.get("replace", {}).items():
        if change is None:
            del files[path]
        else:
            files[path] = patched(files.get(path, b""), change)
    return files
