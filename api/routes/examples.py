"""An example of every operation, for the OpenAPI document.

``examples.json`` has them by method and path. Of the request an entry has ``parameters``, headers
among them, and ``body``; of the answer ``status``, ``media`` and ``answer``, which is base64 where
bytes are no text. A test sends every request, and compares what comes with what stands there.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

BASE64: Final = "base64"
# Media types of bytes that are no text.
BINARY: Final = frozenset({"application/vnd.msgpack", "application/octet-stream"})


def examples() -> dict[str, dict[str, Any]]:
    """Return the examples, by method and path."""
    found: dict[str, dict[str, Any]] = json.loads(
        Path(__file__).with_name("examples.json").read_text("utf-8")
    )
    return found


def add_examples(document: Mapping[str, Any]) -> None:
    """Add to an OpenAPI document the examples of its operations."""
    known = examples()
    for path, item in document["paths"].items():
        for method, operation in item.items():
            _add(operation, known.get(f"{method.upper()} {path}", {}))


def _add(operation: dict[str, Any], example: Mapping[str, Any]) -> None:
    for parameter in operation.get("parameters", ()):
        if parameter["name"] in example.get("parameters", {}):
            parameter["example"] = example["parameters"][parameter["name"]]
    if "body" in example:
        [content] = operation["requestBody"]["content"].values()
        content["example"] = example["body"]
    if "answer" in example:
        media, answer = example["media"], example["answer"]
        content = operation["responses"][str(example["status"])]["content"][media]
        if media in BINARY:
            content["examples"] = {BASE64: {"summary": "The bytes, in base64", "value": answer}}
        else:
            content["example"] = answer
