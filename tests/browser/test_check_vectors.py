"""Every vector through the customer's page, and what it says of each, in a real browser.

A bundle is checked as each of its customers would: the page's own worker, and the page's own words.
"""

from __future__ import annotations

import base64
import json
import re
import shutil
from collections.abc import Callable, Container, Iterator, Mapping
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import msgpack
import pytest
from playwright.sync_api import Browser, Page

import verifier
from tests.browser.conftest import Site
from tests.support.bases import FOREIGN, base, base_files
from tests.support.forged_sample import ALICE, BOB
from tests.support.forger import Fields
from tests.support.subjects import CLOCK, argument_of, public_key, write_files
from tests.support.vector import FOLDER, Vector, bundle_files, load, names
from verifier.format.keys import public_key_text
from verifier.format.params import FAN, OPENING_BYTES, TreeShape
from verifier.format.wire import Value, encode
from verifier.web.build import EXPORTS, WEB, compile_core, module_source, page_strings

RUNNER = Path(__file__).with_name("run_vectors.js")
# Of the C core what the page does not call by itself, and the vectors of its parts do.
WIDER = f"""{EXPORTS}
    assay_generator_var
    assay_transcript_begin assay_transcript_absorb assay_transcript_challenge
    assay_range_verify_var assay_range_verify_scratch_size
"""
CODE = re.compile(r"`([a-z]+\.[a-z-]+)`")
# The files that the light check looks into, or at the length of.
LEVEL = re.compile("(pages|arguments)/[A-Z0-9]+/[0-9]+")
# What a device says that speaks of the exchange's coins in its own name.
CLAIM = re.compile(r"cover|solven|reserves|backed|enough|controls", re.IGNORECASE)
SET_ASIDE = "does not know what is meant by"
NOT_CHECKED = "not checked here: whether the exchange holds the coins"

UNREAD = "What the exchange declares that it borrowed could not be read"
NOT_LOOKED_AT = "was not checked on this device"

# Told beside a verdict that stands.
BESIDE = {"declaration.too-large", "declaration.wrong-digest"}

# The fault is of an entry below which no customer has a leaf, so it is on nobody's path.
ON_NO_PATH = {"bundle/child-id-2", "bundle/child-sum-2"}
# A page that was changed: the light check looks at its argument before what names the page.
BY_ARGUMENT = {
    "bundle/page-flipped-node",
    "bundle/page-flipped-sum",
    "bundle/page-flipped-vector",
    "bundle/page-of-another-asset",
}


@pytest.fixture(scope="module")
def runner(chromium: Browser, site: Site) -> Iterator[Page]:
    """A page with the modules loaded, as they are before they are put into one file."""
    folder = site.root / "vectors"
    shutil.copytree(WEB / "src", folder, dirs_exist_ok=True)
    for table in ("unicode", "units"):
        (folder / f"{table}.js").write_text(module_source(table))
    (folder / "core.wasm").write_bytes(compile_core())
    (folder / "wider.wasm").write_bytes(compile_core(WIDER))
    (folder / "strings.json").write_text(json.dumps(page_strings("en")))
    shutil.copy(RUNNER, folder / "run_vectors.js")
    (folder / "index.html").write_text('<script type="module" src="run_vectors.js"></script>')
    tab = chromium.new_page()
    tab.goto(f"{site.url}/vectors/index.html")
    tab.wait_for_function("window.run !== undefined")
    yield tab
    tab.close()


def run(runner: Page, kind: str, case: Any) -> Any:
    return json.loads(runner.evaluate("([kind, case_]) => run(kind, case_)", [kind, case]))


# --- which codes there are


def codes_in(text: str) -> list[str]:
    files = ("msgpack", "sig", "json", "md")
    return [code for code in CODE.findall(text) if code.partition(".")[2] not in files]


def page_section() -> str:
    text = (FOLDER.parent / "protocol.md").read_text()
    return text.partition("### 5.1")[2].partition("\n## ")[0]


@cache
def given() -> frozenset[str]:
    """The codes that the page gives, by the list of spec/protocol.md 5.1."""
    return frozenset(codes_in(page_section().partition("It cannot give")[0]))


@cache
def not_given() -> frozenset[str]:
    """The codes that it cannot give, by the other list."""
    listed = page_section().partition("It cannot give")[2].partition("It never says")[0]
    return frozenset(codes_in(listed))


def test_every_code_is_classified_once() -> None:
    """A new code of errors.md fails here until spec/protocol.md says whether the page gives it."""
    assert given() | not_given() == set(codes_in((FOLDER.parent / "errors.md").read_text()))
    assert not given() & not_given()


# --- the checks


def clock(vector: Vector) -> int:
    """The reader's clock, in Unix seconds."""
    now: int = vector.content.get("now", CLOCK)
    return now


def customer(account: str, package: bytes, balances: Mapping[str, str]) -> dict[str, Any]:
    return {"account": account, "package": package.hex(), "balances": balances}


def check(
    runner: Page, vector: Vector, customers: list[dict[str, Any]], *, with_evidence: bool = True
) -> list[dict[str, Any]]:
    """What the page says to each customer; with the evidence beside it, or without."""
    files = {
        path: base64.b64encode(data).decode()
        for path, data in bundle_files(vector.name).items()
        if with_evidence or not path.startswith("evidence/")
    }
    key = public_key_text(public_key(vector))
    found: list[dict[str, Any]] = run(
        runner,
        "check",
        {"files": files, "key": key, "customers": customers, "now": clock(vector)},
    )
    for outcome in found:
        assert_claims_nothing(outcome)
    return found


def assert_claims_nothing(outcome: Mapping[str, Any]) -> None:
    """Whatever the outcome: no word of coins but that they were not looked at."""
    text = outcome["text"]
    assert not CLAIM.search(text), CLAIM.search(text)
    assert (NOT_CHECKED in text) == bool(outcome["counted"])
    is_aside = SET_ASIDE in text
    is_explained = outcome["code"] or outcome["notCompared"] or "nothing to count" in text
    assert outcome["look"] == "good" or is_explained or is_aside
    assert outcome["look"] != "good" or (outcome["code"] is None and not is_aside)
    assert not is_aside or outcome["setAside"]


def test_no_text_of_the_page_speaks_of_the_coins() -> None:
    """Not only of outcomes that a vector reaches."""
    assert not CLAIM.search(json.dumps(page_strings("en")) + (WEB / "page.html").read_text())


@pytest.mark.parametrize("name", [name for name in names() if name.startswith("inclusion/")])
def test_inclusion(runner: Page, name: str) -> None:
    vector = load(name)
    content = vector.content
    package = bytes.fromhex(content["package"])
    [found] = check(runner, vector, [customer(content["account"], package, content["balances"])])
    if vector.code == "check.unknown-unit":  # of a policy, and here there is none
        assert found["code"] is None
        assert found["look"] == "warn"
        return
    assert found["code"] == vector.code
    if vector.code is None:
        assert_set_aside(vector, found)
        assert found["counted"] == content["counted"]
        assert found["notCompared"] == content["not_compared"]
        assert_declared(content.get("loans", []), found)


def assert_declared(loans: list[list[Any]] | None, outcome: Mapping[str, Any]) -> None:
    """The loans, or that nothing is declared, or that nobody could tell: one of the three."""
    text = outcome["text"]
    assert outcome["loans"] == loans
    assert ("declares no loans" in text) == (loans == [])
    assert (UNREAD in text) == (loans is None)
    assert (NOT_LOOKED_AT in text) == bool(loans)
    for lender, code, amount, _ in loans or []:
        said = f"{amount} {code}" if amount else f"{code}, amount not said"
        assert any(
            line.startswith(said) and line.endswith(f"borrowed from: {lender}")
            for line in text.splitlines()
        )


def assert_set_aside(vector: Vector, outcome: Mapping[str, Any]) -> None:
    """By the table alone: the page's reader names no unit."""
    if "policy" not in vector.content:
        assert outcome["setAside"] == vector.content.get("set_aside", [])


@pytest.mark.parametrize("name", [name for name in names() if name.startswith("size/")])
def test_a_size(runner: Page, name: str) -> None:
    """Those of manifest and package; no evidence is handed over here, so none can be missed."""
    vector = load(name)
    content = vector.content
    customers = customers_of(vector)
    if "package" in content:
        package = bytes.fromhex(content["package"])
        customers = [customer(content["account"], package, content["balances"])]
    found = check(runner, vector, customers, with_evidence=False)
    assert [(item["code"], item["where"]) for item in found] == [
        light_check(vector, item) for item in customers
    ]
    if vector.code in given() and "policy" not in content:
        assert vector.code in {item["code"] for item in found}


@pytest.mark.parametrize("name", [name for name in names() if name.startswith("bundle/")])
def test_a_bundle_as_its_customers_find_it(runner: Page, name: str) -> None:
    """The page says what `assay-verify inclusion` says, and names each fault that it can see."""
    vector = load(name)
    customers = customers_of(vector)
    outcomes = check(runner, vector, customers)
    for outcome in outcomes:
        if vector.code is None and outcome["code"] is None:
            assert_set_aside(vector, outcome)
    found = [(item["code"], item["where"]) for item in outcomes]
    assert found == [light_check(vector, item) for item in customers]
    if vector.code in BESIDE:
        assert all(UNREAD in item["text"] for item in outcomes if item["code"] is None)
    elif can_see(vector):
        assert vector.code in {code for code, _ in found}, vector.content["description"]
        if len(vector.content.get("place", ())) == 3:
            place = "{}, level {}, page {}".format(*vector.content["place"])
            assert (vector.code, place) in found


def can_see(vector: Vector) -> bool:
    """Whether the page must name this vector's fault to one of the customers."""
    content = vector.content
    gone = [path for path, change in content.get("replace", {}).items() if change is None]
    is_before = "policy" not in content and "previous" not in content
    in_pages = len(content.get("place", ("", 0, 0))) == 3
    is_elsewhere = vector.code == "bundle.missing-file" and not LEVEL.match(min(gone, default=""))
    is_elsewhere |= vector.code == "bundle.wrong-argument" and not is_of_length(content)
    is_elsewhere |= vector.name in ON_NO_PATH | BY_ARGUMENT
    is_seen = is_before and in_pages and not is_elsewhere
    return vector.code in given() and is_seen


def is_of_length(content: Mapping[str, Any]) -> bool:
    """Whether a file of a level has another length: the light check looks at no digest of one."""
    changes = [change for path, change in content.get("replace", {}).items() if LEVEL.match(path)]
    return any(change[1] != len(change[2]) // 2 for change in changes if change is not None)


def customers_of(vector: Vector) -> list[dict[str, Any]]:
    """Those of the exchange that the vector changes, and one with a leaf on the page at fault."""
    root = vector
    while "base" in root.content:
        root = load(root.content["base"])
    exchange = base(root.name.partition("/")[2])
    manifest = bundle_files(vector.name).get("manifest.msgpack", b"")
    balances = {asset.code: "0" for asset in exchange.forger.assets}
    found = [
        customer(account, exchange.package(manifest, account), balances)
        for account in exchange.parts
    ]
    match vector.content.get("place"):
        case [code, level, page]:
            (asset,) = (asset for asset in exchange.forger.assets if asset.code == code)
            leaf = page * FAN**level * asset.page_size
            claim = leaf_on(code, leaf, asset.page_size, codes_of(manifest))
            found.append(customer(ALICE, exchange.package(manifest, ALICE, claim), balances))
    return found


def codes_of(manifest: bytes) -> set[str]:
    """The codes of the assets of a manifest."""
    return {asset["code"] for asset in msgpack.unpackb(manifest)["assets"]}


def leaf_on(
    code: str, leaf: int, page_size: int, codes: Container[str]
) -> Callable[[Fields], None]:
    """The edit of a package, of assets of some codes, that makes one balance one leaf."""
    path = bytes(TreeShape(1, page_size).path_bytes)
    part = {"amount": 1, "leaf": leaf, "opening": bytes(OPENING_BYTES), "part": 0, "path": path}

    def edit(fields: Fields) -> None:
        fields["assets"] = [entry for entry in fields["assets"] if entry["code"] in codes]
        for entry in fields["assets"]:
            if entry["code"] == code:
                entry["parts"] = [part]

    return edit


def light_check(vector: Vector, item: Mapping[str, Any]) -> tuple[str | None, str | None]:
    """Code and place that the verifier finds for a customer who names nothing but key and id."""
    package = bytes.fromhex(item["package"])
    with TemporaryDirectory() as folder:
        bundle = write_files(Path(folder) / "bundle", bundle_files(vector.name))
        key = public_key(vector)
        try:
            verifier.check_inclusion(
                package,
                bundle,
                key,
                item["account"],
                item["balances"],
                only=True,
                now=clock(vector),
            )
        except verifier.Rejected as fault:
            return fault.code.value, fault.where
        except verifier.CannotCheck as failure:
            file = failure.message.split(":")[0]
            return failure.code.value, file if file.startswith("manifest.") else "manifest"
        except verifier.Misuse:
            return "misuse", None
    return None, None


# --- the parts


KEY = bytes(32)


def array(count: int) -> bytes:
    """The lead of a long array."""
    return b"\xdd" + count.to_bytes(4, "big")


@pytest.mark.parametrize(
    ("lead", "zeros", "why"),
    [
        # At the limit the decoder goes on to the first value, which is none.
        (
            array(2**24) + b"\xc0",
            2**24,
            "nil, a boolean, a float, a negative integer or an extension",
        ),
        (array(2**24 + 1), 2**24 + 1, "more than 2^24 values"),
        (b"\x92" + array(2**24 - 1), 2**24, "more than 2^24 values"),
        (array(2**24 + 1), 2**24, "a count is larger than what follows"),
    ],
)
def test_the_number_of_values_is_bounded(runner: Page, lead: bytes, zeros: int, why: str) -> None:
    """Before memory is taken for them (spec/wire.md, section 1)."""
    assert run(runner, "msgpack", {"lead": lead.hex(), "zeros": zeros}) == why


@pytest.mark.parametrize(
    ("count", "change", "found"),
    [
        (0, {}, 0),
        (4096, {}, 4096),
        (4097, {}, "bad-fields"),
        (1, {"bundle": ""}, 1),
        (1, {"bundle": "h" * 2048}, 1),
        (1, {"bundle": "h" * 2049}, "bad-fields"),
        (1, {"name": ""}, "bad-fields"),
        (1, {"name": "n"}, 1),
        (1, {"name": "ä" * 32}, 1),
        (1, {"name": "ä" * 32 + "n"}, "bad-fields"),
        (1, {"name": "Kraken\u202e"}, "bad-name"),
        (1, {"name": "Kraken  One"}, "bad-name"),
        (1, {"name": " Kraken"}, "bad-name"),
        (1, {"public_key": bytes(31)}, "bad-fields"),
        (1, {"public_key": bytes(33)}, "bad-fields"),
    ],
)
def test_the_sizes_of_a_list_of_exchanges(
    runner: Page, count: int, change: dict[str, Value], found: int | str
) -> None:
    """spec/wire.md, section 8, which of all readers the page alone reads."""
    honest: dict[str, Value] = {"bundle": "https://x.example/", "name": "X", "public_key": KEY}
    data = listed(exchanges=[honest | change] * count)
    expected = [found, 0] if isinstance(found, int) else found
    assert run(runner, "list", {"data": data.hex()}) == expected


def listed(**fields: Value) -> bytes:
    """A list that has nothing, but for some fields."""
    nothing: dict[str, Value] = {
        "attesters": [], "exchanges": [], "policy": "", "time": 1, "units": [], "version": 1,
    }  # fmt: skip
    return encode(nothing | fields)


def attester(key: bytes = b"\x11" * 32, name: str = "A bank") -> dict[str, Value]:
    return {"name": name, "public_key": key}


def unit(**change: Value) -> dict[str, Value]:
    honest: dict[str, Value] = {
        "chain": "bsc", "code": "XYZ", "contract": "", "decimals": 18, "kind": "named",
    }  # fmt: skip
    return honest | change


@pytest.mark.parametrize(
    ("fields", "found"),
    [
        ({"attesters": [attester()]}, [0, 0]),
        ({"attesters": [attester(), attester()]}, "bad-attester"),
        ({"attesters": [attester(bytes(32))]}, "bad-attester"),
        ({"attesters": [attester(b"\xff" * 32)]}, "bad-attester"),
        ({"attesters": [attester(name="A  bank")]}, "bad-name"),
        ({"attesters": [attester(name="")]}, "bad-fields"),
        ({"attesters": [attester()] * 4097}, "bad-fields"),
        ({"policy": "x" * 65_536}, [0, 0]),
        ({"policy": "x" * 65_537}, "bad-fields"),
        ({"policy": b""}, "bad-fields"),
        ({"version": 2}, "unsupported-version"),
        ({"units": [unit(contract=f"{at:05}") for at in range(16_384)]}, [0, 16_384]),
        ({"units": [unit(contract=f"{at:05}") for at in range(16_385)]}, "bad-fields"),
        ({"units": [unit(contract="x" * 128)]}, [0, 1]),
        ({"units": [unit(contract="x" * 129)]}, "bad-fields"),
        ({"units": [unit(), unit()]}, "bad-unit"),
        ({"units": [unit(contract="b"), unit(contract="a")]}, "bad-unit"),
        ({"units": [unit(code="xyz")]}, "bad-unit"),
        ({"units": [unit(chain="BSC")]}, "bad-unit"),
        ({"units": [unit(decimals=37)]}, "bad-unit"),
        ({"units": [unit(kind="unconfirmed")]}, "bad-unit"),
        ({"units": [unit(chain="bitcoin", code="BTC", decimals=8, kind="native")]}, [0, 1]),
        ({"units": [unit(chain="bitcoin", code="BTC", decimals=9)]}, "wrong-unit"),
        ({"units": [unit(chain="bitcoin", code="XYZ", decimals=8)]}, "wrong-unit"),
        ({"units": [unit(chain="ethereum", code="USDT", contract=FOREIGN)]}, "wrong-unit"),
    ],
)
def test_what_else_an_auditor_lists(
    runner: Page, fields: dict[str, Value], found: list[int] | str
) -> None:
    """A list that renames what everybody knows is refused whole."""
    assert run(runner, "list", {"data": listed(**fields).hex()}) == found


@pytest.mark.parametrize(
    ("units", "aside"),
    [
        ([], ["XYZ"]),
        ([["XYZ", "ethereum", FOREIGN, 6, "named"]], []),
        ([["XYZ", "ethereum", FOREIGN, 18, "named"]], None),
    ],
)
def test_what_an_auditor_knows_is_not_set_aside(
    runner: Page, units: list[list[Any]], aside: list[str] | None
) -> None:
    """Nor may the exchange contradict the auditor whom the customer chose."""
    made, files = base("set-aside"), base_files("set-aside")
    package = made.package(files["manifest.msgpack"], BOB)
    customer = {"package": package.hex(), "account": BOB, "balances": {"XYZ": "2.5"}}
    case = {
        "files": {path: base64.b64encode(data).decode() for path, data in files.items()},
        "key": public_key_text(made.forger.public_key),
        "customers": [customer],
        "now": CLOCK,
        "units": units,
    }
    (found,) = run(runner, "check", case)
    assert found["code"] == ("manifest.wrong-unit" if aside is None else None)
    assert found["setAside"] == (aside or [])
    assert (SET_ASIDE in found["text"]) == bool(aside)


@pytest.mark.parametrize("name", [name for name in names() if name.startswith("argument/")])
def test_arguments(runner: Page, name: str) -> None:
    vector = load(name)
    state, bits, commitments, argument = argument_of(vector)
    case = {"state": state.hex(), "bits": bits, "argument": argument.hex()}
    case["commitments"] = b"".join(commitments).hex()
    assert run(runner, "argument", case)["code"] == vector.code


def test_the_core_of_the_page_has_no_hidden_keys() -> None:
    """So no vector of their arguments can run here, and none could be believed."""
    assert {load(name).kind for name in names()} - {"hidden"} == {
        *("argument", "bundle", "generators", "identity", "inclusion", "opening", "page"),
        *("size", "transcript", "tree"),
    }
    assert b"hidden" not in compile_core()


def test_generators_transcripts_leaves_and_shapes(runner: Page) -> None:
    for point in load("generators/generators").content["points"]:
        assert run(runner, "generator", point)["point"] == point["point"]
    steps = load("transcript/steps").content["steps"]
    assert run(runner, "transcript", steps) == [step["state"] for step in steps]
    leaves = dict(load("identity/leaves").content)
    found = run(runner, "leaves", leaves)
    assert found["context"] == leaves["context"]
    assert found["leaves"] == [leaf["identity"] for leaf in leaves["leaves"]]
    for case in load("tree/shapes").content["cases"]:
        expected = {name: case[name] for name in ("pages", "page_bytes", "argument_bytes")}
        assert run(runner, "shape", case) == expected


def test_names_and_keys(runner: Page) -> None:
    cases = load("identity/names").content["cases"]
    found = run(runner, "names", [case["text"] for case in cases])
    assert found == [case["canonical"] for case in cases]
    cases = load("identity/public-keys").content["cases"]
    found = run(runner, "keys", [case["text"] for case in cases])
    assert found == [case["key"] for case in cases]


def test_account_ids(runner: Page) -> None:
    cases = load("identity/account-ids").content["cases"]
    found = run(runner, "accounts", [[case["text"], case["type"]] for case in cases])
    assert found == [case["canonical"] for case in cases]
