"""Build the customer's page: ``python -m verifier.web.build OUT``, one self-contained HTML file.

The C core is compiled to WebAssembly by the Zig of PyPI's ``ziglang``; the modules of ``src``
become one script each for the page and its worker; Unicode's and the verifier's tables are written
out of the Python that uses them. The result is a function of the sources and of the pinned compiler
and compressor alone.
"""

from __future__ import annotations

import base64
import hashlib
import html
import json
import re
import subprocess
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path
from typing import Any

import zopfli.gzip

from verifier.format.account import refused_points
from verifier.format.units import Kind, entries
from verifier.host.lookalike import LOOKS, PAIRS

WEB = Path(__file__).parent
NATIVE = WEB.parents[1] / "native"

EXPORTS = """
    malloc free assay_init assay_sha256 assay_tagged_hash
    assay_bases_size assay_bases_scratch_size assay_bases_build
    assay_points_check_var assay_points_scratch_size
    assay_check_var assay_check_scratch_size assay_check_weights
"""

# What the light check can say (spec/protocol.md, section 5.1): most codes of these families.
FAMILIES = {
    "argument",
    "bundle",
    "check",
    "declaration",
    "inclusion",
    "manifest",
    "opening",
    "package",
    "page",
}

_IMPORT = re.compile(r'^import \{([^}]*)\} from "\./([a-z]+)\.js";\n', re.MULTILINE)
_EXPORT = re.compile(r"^export (async function|function|class|const) (\w+)", re.MULTILINE)
_LEFT_OVER = re.compile(r"^\s*(import|export)\b", re.MULTILINE)


class BuildError(Exception):
    """The page cannot be built from these sources."""


def build_page() -> str:
    """Return the page.

    Raises:
        BuildError: a module has an import or export of another form, or the page a name too many.
        subprocess.CalledProcessError: the compiler failed.
    """
    strings = page_strings()
    strings["version"] = strings["version"].format(version=version("assay"))
    style = (WEB / "style.css").read_text()
    script = bundle("page")
    policy = "; ".join(
        [
            "default-src 'none'",
            f"script-src '{_csp_hash(script)}' 'wasm-unsafe-eval'",
            f"style-src '{_csp_hash(style)}'",
            "connect-src 'self' https:",
            "worker-src blob:",
            "img-src data:",
            "base-uri 'none'",
            "form-action 'none'",
        ]
    )
    texts = {name: html.escape(text) for name, text in strings.items() if isinstance(text, str)}
    values = texts | {
        "policy": policy,
        "style": style,
        "strings": json.dumps(strings, ensure_ascii=False).replace("<", "\\u003c"),
        "core": _packed(compile_core()),
        "worker": _packed(bundle("worker").encode()),
        "script": _embedded(script),
    }
    return re.sub(r"\{\{(\w+)\}\}", lambda match: values[match[1]], (WEB / "page.html").read_text())


def page_strings() -> dict[str, Any]:
    """Return the page's texts, with what the verifier says of each code that it may give."""
    strings: dict[str, Any] = json.loads((WEB / "strings.en.json").read_text())
    codes = json.loads((WEB.parent / "codes.en.json").read_text())
    strings["codes"] = {
        code: words for code, words in codes.items() if code.split(".")[0] in FAMILIES
    }
    return strings


def bundle(entry: str) -> str:
    """Return one script of a module and all that it imports, each in a scope of its own."""
    done: dict[str, str] = {}

    def add(name: str) -> None:
        if name in done:
            return
        source = module_source(name)
        for _, imported in _IMPORT.findall(source):
            add(imported)
        exports = [found[1] for found in _EXPORT.findall(source)]
        body = _IMPORT.sub(lambda match: f"const {{{match[1]}}} = ${match[2]};\n", source)
        body = _EXPORT.sub(lambda match: f"{match[1]} {match[2]}", body)
        if _LEFT_OVER.search(body):
            raise BuildError(f"{name}.js: an import or export of a form that is not bundled")
        done[name] = (
            f"const ${name} = (() => {{\n{body}\nreturn {{ {', '.join(exports)} }};\n}})();"
        )

    add(entry)
    return '"use strict";\n' + "\n".join(done.values()) + "\n"


def module_source(name: str) -> str:
    """Return the text of a module: of ``src``, or a table of the verifier's own."""
    match name:
        case "unicode":
            names = {"ids": "IN_NO_ID", "marks": "MARKS", "names": "IN_NO_NAME"}
            return "".join(
                f"export const {names[name]} = {_compact(points)};\n"
                for name, points in refused_points().items()
            )
        case "units":
            known = [(*unit, kind) for unit, kind, _ in entries() if kind is not Kind.UNCONFIRMED]
            return f"export const KNOWN_UNITS = {_compact(known)};\n"
        case "looks":
            return "".join(
                f"export const {named} = {_compact(table)};\n"
                for named, table in (("LOOKS", LOOKS), ("PAIRS", PAIRS))
            )
    return (WEB / "src" / f"{name}.js").read_text()


def compile_core(exports: str = EXPORTS, *, testing: bool = False) -> bytes:
    """Return the C core as a WebAssembly module: what the light check needs of it.

    ``exports`` are names of functions; a test asks for more of them than the page does, and with
    ``testing`` for those that the tests alone call.
    """
    sources = sorted(path for path in (NATIVE / "src").rglob("*.c") if _is_portable(path))
    if testing:
        sources.append(NATIVE / "src" / "testing" / "testing.c")
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "core.wasm"
        subprocess.run(
            [
                *(
                    sys.executable,
                    "-m",
                    "ziglang",
                    "cc",
                    "--target=wasm32-wasi",
                    "-O3",
                    "-std=gnu11",
                ),
                *("-mexec-model=reactor", "-s", "-Wl,--gc-sections"),
                *("-I", "include", "-I", "src", f'-DASSAY_VERSION="{version("assay")}"'),
                *("-DASSAY_CHECKS_ALONE", "-Wno-unused-function"),
                *(f"-Wl,--export={name}" for name in exports.split()),
                # Relative names, so that no path of the machine can be in the result.
                *(str(source.relative_to(NATIVE)) for source in sources),
                *("-o", str(out)),
            ],
            check=True,
            cwd=NATIVE,
        )
        return out.read_bytes()


def _is_portable(source: Path) -> bool:
    """Tell whether a file of the core is for every machine, and no test's."""
    is_vector = source.parent.parent.name == "kernels"  # a folder for each
    return not (is_vector or source.name.endswith(("shani.c", "testing.c")))


def _compact(value: object) -> str:
    return json.dumps(value, separators=(",", ":"))


def _packed(data: bytes) -> str:
    return base64.b64encode(zopfli.gzip.compress(data)).decode()


def _embedded(script: str) -> str:
    """Return a script as it may stand in an element."""
    if "</script" in script.lower() or "<!--" in script:
        raise BuildError("a script holds what would end its element")
    return script


def _csp_hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def main() -> None:
    """Build the page into the file named on the command line."""
    page = build_page().encode()
    Path(sys.argv[1]).write_bytes(page)
    print(f"{sys.argv[1]}: {len(page)} bytes, SHA-256 {hashlib.sha256(page).hexdigest()}")


if __name__ == "__main__":
    main()
