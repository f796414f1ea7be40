"""Every vector of the light check, through the page's own modules in a real browser."""

from __future__ import annotations

import base64
import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from tests.browser.conftest import Site
from tests.vectors.subjects import argument_of, public_key
from tests.vectors.vector import Vector, bundle_files, load, names
from verifier.web.build import WEB, compile_core, module_source

RUNNER = Path(__file__).with_name("run_vectors.js")


@pytest.fixture(scope="module")
def runner(chromium: Browser, site: Site) -> Iterator[Page]:
    """A page with the modules loaded, as they are before they are put into one file."""
    folder = site.root / "vectors"
    shutil.copytree(WEB / "src", folder)
    for table in ("unicode", "units"):
        (folder / f"{table}.js").write_text(module_source(table))
    (folder / "core.wasm").write_bytes(compile_core())
    shutil.copy(RUNNER, folder / "run_vectors.js")
    (folder / "index.html").write_text('<script type="module" src="run_vectors.js"></script>')
    tab = chromium.new_page()
    tab.goto(f"{site.url}/vectors/index.html")
    tab.wait_for_function("window.run !== undefined")
    yield tab
    tab.close()


def run(runner: Page, kind: str, case: Any) -> Any:
    return json.loads(runner.evaluate("([kind, case_]) => run(kind, case_)", [kind, case]))


def encoded(files: dict[str, bytes]) -> dict[str, str]:
    return {path: base64.b64encode(data).decode() for path, data in files.items()}


def bundle_case(vector: Vector) -> dict[str, Any]:
    content = vector.content
    previous = content.get("previous")
    policy = content.get("policy", {})
    return {
        "files": encoded(dict(bundle_files(vector.name))),
        "key": public_key(vector).hex(),
        "policy": {"ratio": policy.get("ratio", [1, 1]), "units": policy.get("units", [])},
        "previous": previous
        and {"data": previous["manifest.msgpack"], "signature": previous["manifest.sig"]},
    }


@pytest.mark.parametrize("name", [name for name in names() if name.startswith("inclusion/")])
def test_inclusion(runner: Page, name: str) -> None:
    vector = load(name)
    wanted = ("package", "account", "balances")
    case = bundle_case(vector) | {key: vector.content[key] for key in wanted}
    found = run(runner, "inclusion", case)
    assert found["code"] == vector.code
    if vector.code is None:
        assert found["counted"] == vector.content["counted"]
        assert found["notCompared"] == vector.content["not_compared"]


@pytest.mark.parametrize("name", [name for name in names() if name.startswith("bundle/")])
def test_what_it_checks_of_a_bundle(runner: Page, name: str) -> None:
    """Manifest, evidence digests and totals, solvency arguments; neither signatures nor trees."""
    vector = load(name)
    place = vector.content.get("place", ())
    code = vector.code or ""
    in_manifest = code.startswith("manifest.")
    in_solvency = code.startswith("argument.") and len(place) == 1
    in_file = re.search(r"evidence\.(wrong-digest|not-canonical|bad-fields|total-too-large)$", code)
    found = run(runner, "solvency", bundle_case(vector))["code"]
    if in_manifest or in_solvency or in_file:
        assert found == vector.code
    elif not code or len(place) == 3:  # of a page
        assert found is None


@pytest.mark.parametrize("name", [name for name in names() if name.startswith("argument/")])
def test_arguments(runner: Page, name: str) -> None:
    vector = load(name)
    state, bits, commitments, argument = argument_of(vector)
    case = {"state": state.hex(), "bits": bits, "argument": argument.hex()}
    case["commitments"] = b"".join(commitments).hex()
    assert run(runner, "argument", case)["code"] == vector.code


def test_generators_transcripts_leaves_and_shapes(runner: Page) -> None:
    for point in load("generators/generators").content["points"]:
        assert run(runner, "generator", point)["point"] == point["point"]
    steps = load("transcript/steps").content["steps"]
    assert run(runner, "transcript", steps) == [step["state"] for step in steps]
    leaves = dict(load("commitment/leaves").content)
    found = run(runner, "leaves", leaves)
    assert found["context"] == leaves["context"]
    expected = [[leaf["blinding"], leaf["commitment"]] for leaf in leaves["leaves"]]
    assert found["leaves"] == expected
    for case in load("tree/shapes").content["cases"]:
        assert run(runner, "shape", case) == {"pages": case["pages"], "bytes": case["bytes"]}


def test_account_ids(runner: Page) -> None:
    cases = load("commitment/account-ids").content["cases"]
    found = run(runner, "accounts", [[case["text"], case["type"]] for case in cases])
    assert found == [case["canonical"] for case in cases]
