"""The page of the service's HTTP interface, as its own OpenAPI document states it.

It asks the application itself while the pages are built, so the page cannot say anything else than
`/openapi.json` does; what it does not know how to show ends the build.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

Document = Mapping[str, Any]

PROBLEM = "application/problem+json"


def document() -> Document:
    """Return the OpenAPI document of a service that serves all that it can."""
    from api.app import create_app
    from api.settings import CustomerSettings, Settings

    customers = CustomerSettings(
        issuer="any", audience="any", keys_file=Path("any"), address="https://proofs.example.com"
    )
    with tempfile.TemporaryDirectory() as folder:
        found: Document = create_app(Settings(folder=Path(folder), customers=customers)).openapi()
    return found


def describe(api: Document) -> Iterator[str]:
    """Write the document as Markdown: a section for each tag, its routes, then the schemas.

    HEAD stands beside its GET. Problems that every route may end in are listed once.
    """
    tagged: dict[str, list[tuple[str, Document]]] = {}
    everywhere: set[tuple[str, str]] | None = None
    for path, item in api["paths"].items():
        for method, operation in item.items():
            if method == "head" and "get" in item:
                continue
            name = method.upper() + (", HEAD" if method == "get" and "head" in item else "")
            tag = operation.get("tags", ["other"])[0]
            tagged.setdefault(tag, []).append((f"{name} {path}", operation))
            found = set(_problems(operation))
            everywhere = found if everywhere is None else everywhere & found
    for tag, operations in tagged.items():
        yield from ("", f"## {tag.capitalize()}")
        for name, operation in operations:
            yield from _operation(name, operation, everywhere or set())
    yield from ("", "## Problems of every route", "")
    for status, text in sorted(everywhere or ()):
        yield f"- {status}: {text}"
    yield from ("", "## Schemas", "")
    for name, schema in sorted(api["components"]["schemas"].items()):
        yield from ("", f"({_anchor(name)})=", f"### {name}", "")
        yield from _schema(schema)


def _operation(name: str, operation: Document, everywhere: set[tuple[str, str]]) -> Iterator[str]:
    yield from ("", f"### {name}", "", operation.get("description", ""))
    scopes = [
        " ".join(f"`{word}`" for word in (scheme, *wanted))
        for requirement in operation.get("security", ())
        for scheme, wanted in requirement.items()
    ]
    if scopes:
        yield from ("", f"Authorised by {' or '.join(scopes)}.")
    if operation.get("parameters"):
        yield from ("", "| parameter | in | type | |", "|---|---|---|---|")
        for parameter in operation["parameters"]:
            need = "" if parameter.get("required") else "optional. "
            text = need + _line(parameter.get("description", ""))
            kind = _type(parameter["schema"])
            yield f"| `{parameter['name']}` | {parameter['in']} | {kind} | {text} |"
    if "requestBody" in operation:
        body = operation["requestBody"]
        yield from ("", f"Body: {_content(body['content'])}. {_line(body.get('description', ''))}")
    yield from ("", "| status | content | |", "|---|---|---|")
    for status, response in sorted(operation["responses"].items()):
        if PROBLEM not in response.get("content", {}):
            content = _content(response.get("content", {}))
            yield f"| {status} | {content} | {_line(response['description'])} |"
    yield from _examples(name, operation)
    problems = [entry for entry in _problems(operation) if entry not in everywhere]
    if problems:
        yield from ("", "Problems, besides those of every route:", "")
        yield from (f"- {status}: {text}" for status, text in problems)


def _examples(name: str, operation: Document) -> Iterator[str]:
    """Yield the example of a request, as curl sends it, and of its answer."""
    given = {entry["name"]: entry["example"] for entry in _with_example(operation)}
    for found, value in given.items():
        name = name.replace(f"{{{found}}}", str(value))
    query = "&".join(
        f"{entry['name']}={entry['example']}"
        for entry in _with_example(operation)
        if entry["in"] == "query"
    )
    method, path = name.replace(", HEAD", "").split(" ")
    yield from ("", "Example:", "", "```", f"{method} {path}" + (f"?{query}" if query else ""))
    yield from _bodies(operation.get("requestBody", {}))
    for response in operation["responses"].values():
        if bodies := list(_bodies(response)):
            yield from ("", *bodies)
    yield "```"


def _with_example(operation: Document) -> list[Any]:
    return [entry for entry in operation.get("parameters", ()) if "example" in entry]


def _bodies(holder: Document) -> Iterator[str]:
    """Yield the examples of a request's body, or of an answer's, line by line."""
    for content in holder.get("content", {}).values():
        examples = [content["example"]] if "example" in content else []
        examples += [entry["value"] for entry in content.get("examples", {}).values()]
        for example in examples:
            text = example if isinstance(example, str) else json.dumps(example, indent=1)
            yield from text.splitlines()


def _problems(operation: Document) -> list[tuple[str, str]]:
    return sorted(
        (status, _line(response["description"]))
        for status, response in operation["responses"].items()
        if PROBLEM in response.get("content", {})
    )


def _schema(schema: Document) -> Iterator[str]:
    if "description" in schema:
        yield from (schema["description"], "")
    if "properties" not in schema:
        yield _type(schema)
        return
    required = schema.get("required", ())
    yield from ("| member | type | |", "|---|---|---|")
    for name, member in schema["properties"].items():
        text = ("" if name in required else "optional. ") + _line(member.get("description", ""))
        yield f"| `{name}` | {_type(member)} | {text} |"


def _type(schema: Document) -> str:
    """Return the type in words, with links to schemas, and its bounds."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return f"[{name}](#{_anchor(name)})"
    for several in ("anyOf", "oneOf", "allOf"):
        if several in schema:
            return " or ".join(_type(entry) for entry in schema[several])
    if "enum" in schema:
        return ", ".join(f"`{value}`" for value in schema["enum"])
    if "const" in schema:
        return f"`{schema['const']}`"
    if schema.get("type") == "array":
        return f"array of {_type(schema['items'])}"
    values = [*schema.get("patternProperties", {}).values(), schema.get("additionalProperties")]
    if isinstance(values[0], dict):
        return f"object of {_type(values[0])}"
    bounds = {
        "format": "{}",
        "pattern": "`{}`",
        "minimum": "≥ {}",
        "maximum": "≤ {}",
        "minLength": "at least {} long",
        "maxLength": "at most {} long",
    }
    found = [text.format(_plain(schema[key])) for key, text in bounds.items() if key in schema]
    return ", ".join([schema.get("type", "any"), *found]).replace("|", "\\|")


def _plain(value: Any) -> Any:
    """Return a bound as it is read; the document holds numbers as floats, large ones rounded."""
    if not isinstance(value, float):
        return value
    return int(value) if value.is_integer() and value < 2**53 else f"{value:.3g}"


def _content(content: Document) -> str:
    return " or ".join(
        f"`{media}`" + (f": {_type(entry['schema'])}" if entry.get("schema") else "")
        for media, entry in content.items()
    )


def _line(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def _anchor(name: str) -> str:
    return f"schema-{name.lower()}"
