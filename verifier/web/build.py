"""Build the customer's page: ``python -m verifier.web.build OUT``, one self-contained HTML file.

The C core is compiled to WebAssembly by the Zig of PyPI's ``ziglang``; the modules of ``src``
become one script each for the page and its worker; Unicode's and the verifier's tables are written
out of the Python that uses them. These, and the texts of every language, are packed; a small script
that stands in the page as it is unpacks them. The result is a function of the sources and of the
pinned compiler and compressor alone.
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
from collections.abc import Sequence
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

# What the light check can say (spec/protocol.md, section 5.1): the codes of these families, less
# those that it cannot give.
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
NOT_GIVEN = {
    "argument.bad-length",
    "bundle.unexpected-file",
    "check.too-weak",
    "check.unknown-unit",
    "declaration.unknown-address",
    "manifest.broken-chain",
    "manifest.equivocation",
}

# What a reader sees whose browser runs no script, or not this one.
WITHOUT_SCRIPT = {"brand", "needsScript", "outdated", "title"}

# As the page offers them; the others are compared with English.
LANGUAGES = ("en", "zh-Hans", "ko", "tr", "es", "pt-BR", "ru", "vi", "de", "fr", "ja", "ar")

_IMPORT = re.compile(r'^import \{([^}]*)\} from "\./([a-z]+)\.js";\n', re.MULTILINE)
_EXPORT = re.compile(r"^export (async function|function|class|const) (\w+)", re.MULTILINE)
_LEFT_OVER = re.compile(r"^\s*(import|export)\b", re.MULTILINE)
# Whole lines of comments; none of them is in a template.
_COMMENTS = re.compile(r"^ *(?://.*|/\*\*(?:.|\n)*?\*/)\n", re.MULTILINE)

_NAME = re.compile(r"\{(\w+)\}")
# What stays in every language as it is: names of files, options, commands and digests.
_LITERAL = re.compile(
    r"[a-z]+\.(?:msgpack|sig|json)|--[a-z]+|assay[-\w]*|https://[\w.]*/?|SHA-256", re.ASCII
)
_LETTERS = "".join(chr(point) for point in range(ord(" "), ord("~") + 1) if chr(point) != "<")
_MARKUP = re.compile(r"[<>&]|\s\s|^\s|\s$")


class BuildError(Exception):
    """The page cannot be built from these sources."""


def build_page() -> str:
    """Return the page.

    Raises:
        BuildError: a module has an import or export of another form, or the page a name too many.
        subprocess.CalledProcessError: the compiler failed.
    """
    style = (WEB / "style.css").read_text()
    loader = bundle("loader")
    script = bundle("page", present=["packed"])
    policy = "; ".join(
        [
            "default-src 'none'",
            f"script-src '{_csp_hash(loader)}' '{_csp_hash(script)}' 'wasm-unsafe-eval'",
            f"style-src '{_csp_hash(style)}'",
            "connect-src 'self' https:",
            "worker-src blob:",
            "img-src data:",
            "base-uri 'none'",
            "form-action 'none'",
        ]
    )
    page = _with_texts((WEB / "page.html").read_text(), page_strings("en"))
    values = {
        "policy": policy,
        "style": style,
        "strings": _packed(_compact(_all_strings()).encode()),
        "core": _packed(compile_core()),
        "worker": _packed(bundle("worker").encode()),
        "script": _packed(script.encode()),
        "loader": _embedded(loader),
    }
    return re.sub(r"\{\{(\w+)\}\}", lambda match: values[match[1]], page)


def page_strings(language: str) -> dict[str, Any]:
    """Return the page's texts, with what is said of each code that the light check may give.

    Raises:
        BuildError: a translation has other texts than the English, or one that is not its like.
    """
    strings = _texts_of(language)
    if language != "en":
        _compare(_texts_of("en"), strings, language)
    if strings["language"] != language or strings["direction"] not in ("ltr", "rtl"):
        raise BuildError(f"{language}: the texts are of another language")
    return strings


def _texts_of(language: str) -> dict[str, Any]:
    strings = _json(WEB / "strings" / f"{language}.json")
    strings["version"] = strings["version"].format(version=version("assay"))
    if language == "en":
        codes = _json(WEB.parent / "codes.en.json")
        strings["codes"] = {
            code: words
            for code, words in codes.items()
            if code.split(".")[0] in FAMILIES and code not in NOT_GIVEN
        }
    else:
        strings["codes"] = _json(WEB / "codes" / f"{language}.json")
    return strings


def _json(path: Path) -> dict[str, Any]:
    def without_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        if len(dict(pairs)) < len(pairs):
            raise BuildError(f"{path.name}: a key stands there twice")
        return dict(pairs)

    read: dict[str, Any] = json.loads(path.read_text("utf-8"), object_pairs_hook=without_repeats)
    return read


def _compare(english: Any, other: Any, place: str) -> None:
    """Refuse texts of another structure than the English, and a text that is not one's like."""
    match english, other:
        case str(), str():
            _compare_texts(english, other, place)
        case dict(), dict() if english.keys() == other.keys():
            for key, text in english.items():
                _compare(text, other[key], f"{place}: {key}")
        case list(), list() if len(english) == len(other):
            for at, text in enumerate(english):
                _compare(text, other[at], f"{place}: {at}")
        case dict(), dict():
            differing = ", ".join(sorted(english.keys() ^ other.keys()))
            raise BuildError(f"{place}: missing or unknown: {differing}")
        case _:
            raise BuildError(f"{place}: a text or list where English has another")


def _compare_texts(english: str, other: str, place: str) -> None:
    if not other or _MARKUP.search(other) or not other.replace("\u00a0", "").isprintable():
        raise BuildError(f"{place}: empty, or with markup, blanks at an end, or hidden characters")
    for kind, pattern in {"names": _NAME, "words to be kept": _LITERAL}.items():
        if sorted(pattern.findall(english)) != sorted(pattern.findall(other)):
            raise BuildError(f"{place}: other {kind} than in English")


def _all_strings() -> dict[str, Any]:
    """Return every language's texts as a list, and the structure that has each one's number."""
    listed: dict[str, list[str]] = {}
    for language in LANGUAGES:
        listed[language] = []
        shape = _numbered(page_strings(language), page_strings("en"), listed[language])
    return {"shape": shape, "texts": listed}


def _numbered(strings: Any, order: Any, found: list[str]) -> Any:
    """Move the texts to the end of ``found``; return the structure with their numbers there."""
    if isinstance(strings, dict):
        return {key: _numbered(strings[key], order[key], found) for key in order}
    if isinstance(strings, list):
        return [_numbered(*both, found) for both in zip(strings, order, strict=True)]
    found.append(strings)
    return len(found) - 1


def _with_texts(page: str, strings: dict[str, Any]) -> str:
    """Return the page with a mark where each of its texts stands, in an element or attribute."""
    names = f"({'|'.join(re.escape(key) for key in strings)})"

    def said(key: str) -> str:
        return html.escape(strings[key]) if key in WITHOUT_SCRIPT else ""

    page = re.sub(rf' ([\w-]+)="\{{\{{{names}\}}\}}"', r' data-text-\1="\2"', page)
    return re.sub(
        rf"<(\w+)([^<>]*)>\{{\{{{names}\}}\}}</\1>",
        lambda found: f'<{found[1]}{found[2]} data-text="{found[3]}">{said(found[3])}</{found[1]}>',
        page,
    )


def bundle(entry: str, present: Sequence[str] = ()) -> str:
    """Return one script of a module and all that it imports, each in a scope of its own.

    Comments stay in the sources, and modules that are ``present`` in the script before this one
    stay there.
    """
    done = dict.fromkeys(present, "")

    def add(name: str) -> None:
        if name in done:
            return
        source = module_source(name)
        for _, imported in _IMPORT.findall(source):
            add(imported)
        exports = [found[1] for found in _EXPORT.findall(source)]
        body = _IMPORT.sub(lambda match: f"const {{{match[1]}}} = ${match[2]};\n", source)
        body = _COMMENTS.sub("", body)
        body = _EXPORT.sub(lambda match: f"{match[1]} {match[2]}", body)
        if _LEFT_OVER.search(body):
            raise BuildError(f"{name}.js: an import or export of a form that is not bundled")
        done[name] = (
            f"const ${name} = (() => {{\n{body}\nreturn {{ {', '.join(exports)} }};\n}})();"
        )

    add(entry)
    return '"use strict";\n' + "\n".join(filter(None, done.values())) + "\n"


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
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def _packed(data: bytes) -> str:
    return letters_of(zopfli.gzip.compress(data))


def letters_of(data: bytes) -> str:
    """Return bytes as text that may stand in an element, as ``packed.js`` reads it.

    Eleven of its 94 letters are nine bytes; the first block may be a shorter one.
    """
    padded = data.rjust(-(-len(data) // 9) * 9, b"\0")
    text = "".join(_block(padded[at : at + 9]) for at in range(0, len(padded), 9))
    return text[len(text) - -(-11 * len(data) // 9) :]


def _block(data: bytes) -> str:
    number = int.from_bytes(data, "big")
    return "".join(_LETTERS[number // 94**place % 94] for place in reversed(range(11)))


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
