"""BitMEX's lists: what the claim implies, what contradicts it, and YAML that is refused."""

from __future__ import annotations

import contextlib
import json
import random
from collections.abc import Sequence
from pathlib import Path

import pytest
import yaml
from coincurve import PublicKey

from prover.errors import ProverError
from prover.imports.bitmex import import_bitmex
from prover.imports.rows import Row, Status
from tests.support import import_lists as lists
from tests.support.exchange_files import outside
from verifier.ownership import parse_address

# isort: split
from embit.bip32 import HDKey

COMPRESSED = lists.vanity_script(4)
LEGACY = lists.vanity_script(5, compressed=False)
CHILD = HDKey.from_string(lists.XPUB).derive([0, 7]).key
WPKH = lists.address_of(PublicKey(CHILD.sec()))
DESCRIPTOR = f"wpkh([d34db33f/84'/0'/0']{lists.XPUB}/0/7)#abcdef12"


def entry(kind: str, address: str, script: str, balance: int = 1) -> dict[str, object]:
    return {"addr": address, "addr_type": kind, "script": script, "balance": balance}


GOOD = {
    "address": [
        entry("sh", lists.script_address(LEGACY, "sh"), LEGACY.hex(), 5),
        entry("sh_wsh", lists.script_address(COMPRESSED, "sh_wsh"), COMPRESSED.hex(), 7),
        entry("wsh", lists.script_address(COMPRESSED, "wsh"), COMPRESSED.hex(), 11),
        entry("wpkh", WPKH, DESCRIPTOR, 13),
        entry("unspendable", lists.script_address(LEGACY, "wsh"), "", 17),
    ],
    "blockhash": "00" * 32,
    "chain": "main",
    "claim": {"m": 3, "n": 4},
    "height": 762408,
    "keys": lists.known_keys(),
    "total": 53,
    "xpub": [lists.XPUB],
}
TEXT = yaml.safe_dump(GOOD)


def read(folder: Path, text: str | bytes = TEXT) -> Sequence[Row]:
    data = text.encode() if isinstance(text, str) else text
    (folder / "list.yaml").write_bytes(data)
    return import_bitmex(folder / "list.yaml").rows


def statuses(rows: Sequence[Row]) -> list[Status]:
    return [row.verdict.status for row in rows]


def changed(number: int, **fields: object) -> str:
    """The list with fields of one address changed."""
    addresses = [dict(each) for each in GOOD["address"]]  # type: ignore[attr-defined]
    addresses[number] |= fields
    return yaml.safe_dump(GOOD | {"address": addresses})


def test_ownership_is_implied_and_never_counts(tmp_path: Path) -> None:
    rows = read(tmp_path)
    assert statuses(rows) == [Status.IMPLIED] * 4 + [Status.UNCHECKED]
    assert [row.amount for row in rows] == [5, 7, 11, 13, 17]
    assert "nothing signed; 3 keys of the list are in its 3-of-4 script" in rows[0].verdict.reason
    lines = TEXT.splitlines()
    assert [lines[row.line - 1][2:] for row in rows] == [f"addr: {row.address}" for row in rows]
    done = outside("import", "bitmex", str(tmp_path / "list.yaml"), "--json")
    assert done.code == 0
    found = json.loads(done.out)
    assert found["stated"] == [{"name": "BTC", "amount": "53"}]
    assert found["totals"][0]["amounts"] == {"implied": "36", "unchecked": "17"}
    out = tmp_path / "evidence.csv"
    arguments = ["import", "bitmex", str(tmp_path / "list.yaml"), "--out", str(out)]
    assert outside(*arguments).code == 0
    assert len(out.read_text().splitlines()) == 1


def test_test_networks(tmp_path: Path) -> None:
    rows = read(tmp_path, yaml.safe_dump(GOOD | {"chain": "test"}))
    assert statuses(rows) == [Status.UNCHECKED] * 5
    assert rows[0].verdict.reason == "on a test network"


def held_by_others(*entries: dict[str, object], total: int) -> str:
    return yaml.safe_dump(GOOD | {"custodial": [*entries], "total": total})


def test_coins_at_custodians_are_rows_that_nobody_can_check(tmp_path: Path) -> None:
    """They are in the list's total, and nothing shows whose they are."""
    away = entry("custodial", lists.script_address(COMPRESSED, "sh"), "", 100)
    bare = {"addr": "bc1qcustodian", "balance": 1000}
    text = held_by_others(away, bare | {"addr_type": "other"}, total=1153)
    rows = read(tmp_path, text)
    assert statuses(rows) == [Status.IMPLIED] * 4 + [Status.UNCHECKED] * 3
    assert [row.amount for row in rows[5:]] == [100, 1000]
    assert {row.verdict.reason for row in rows[5:]} == {
        "at a custodian; nothing here shows whose it is"
    }
    done = outside("import", "bitmex", str(tmp_path / "list.yaml"))
    assert done.code == 0
    assert "the list states BTC 1153\n" in done.out
    # An address that counts among the exchange's own does not count once more.
    own = dict(GOOD["address"][0])  # type: ignore[index]
    rows = read(tmp_path, held_by_others(own, total=58))
    assert rows[5].verdict.status is Status.FAILED


@pytest.mark.parametrize(
    ("change", "stated", "said"),
    [
        ({"total": 54}, "54", ", but its rows add up to 53"),
        ({"total": 999_999_999}, "999999999", ", but its rows add up to 53"),
        ({"total": 0}, "0", ", but its rows add up to 53"),
        ({"total": 36}, "36", ", but its rows add up to 53"),  # without what is unspendable
        ({"total": "0053"}, "0053", ""),
        ({"total": "53 BTC"}, "53 BTC", "; not compared, as it is not clear"),
        ({"address": []}, "53", ", but its rows add up to 0"),
    ],
)
def test_a_total_that_its_rows_contradict(
    tmp_path: Path, change: dict[str, object], stated: str, said: str
) -> None:
    (tmp_path / "list.yaml").write_text(yaml.safe_dump(GOOD | change))
    done = outside("import", "bitmex", str(tmp_path / "list.yaml"))
    (found,) = (each for each in done.out.splitlines() if each.startswith("the list states"))
    assert found.startswith(f"the list states BTC {stated}{said}")
    is_false = "add up to" in said
    assert done.code == (3 if is_false else 0)
    done = outside("import", "bitmex", str(tmp_path / "list.yaml"), "--json")
    rows = said.rpartition(" ")[2]
    contradiction = {"name": "BTC", "stated": stated, "rows": rows}
    assert json.loads(done.out)["contradictions"] == [contradiction] * is_false


def test_a_total_of_rows_without_balances_is_not_compared(tmp_path: Path) -> None:
    plain = {"addr": WPKH, "addr_type": "wpkh", "script": DESCRIPTOR}
    (tmp_path / "list.yaml").write_text(yaml.safe_dump(GOOD | {"address": [plain]}))
    done = outside("import", "bitmex", str(tmp_path / "list.yaml"))
    assert done.code == 0
    assert "the list states BTC 53; not compared" in done.out


def test_keys_and_sections_of_no_known_name_are_told(tmp_path: Path) -> None:
    addresses = [{**GOOD["address"][0], "note": "x"}]  # type: ignore[index]
    claim = {"m": 3, "n": 4, "timelock": 5}
    text = yaml.safe_dump(
        GOOD | {"address": addresses, "claim": claim, "total": 5, "lightning": [{"balance": "9"}]}
    )
    (tmp_path / "list.yaml").write_text(text)
    done = outside("import", "bitmex", str(tmp_path / "list.yaml"), "--json")
    assert done.code == 0
    assert json.loads(done.out)["unread"] == [
        "key lightning",
        "key of the claim timelock",
        "key of an address note",
    ]
    done = outside("import", "bitmex", str(tmp_path / "list.yaml"))
    assert "not read, for it is not known here: key lightning\n" in done.out


TWO_OF_FOUR = lists.multisig(2, [1, 2, 3, 4])
OTHERS = lists.multisig(3, [1, 2, 4, 5])
FIVE = lists.multisig(3, [1, 2, 3, 4, 5])
NEGATED = bytes([0x53, 33, 5 - COMPRESSED[2]]) + COMPRESSED[3:]


def wsh(script: bytes) -> dict[str, object]:
    return {"script": script.hex(), "addr": lists.script_address(script, "wsh")}


@pytest.mark.parametrize(
    ("number", "fields", "reason"),
    [
        (2, wsh(TWO_OF_FOUR), "not the m-of-n of the claim"),
        (2, wsh(OTHERS), "not the list's and one more"),
        (2, wsh(FIVE), "not the m-of-n of the claim"),
        (2, wsh(b"\x51"), "the script is not bare multisig"),
        (2, wsh(COMPRESSED[:-1]), "the script is not bare multisig"),
        (2, wsh(lists.multisig(3, [1, 2, 3, 3])), "a key occurs twice"),
        (2, {"script": "zz"}, "its script is not hex"),
        (2, {"script": LEGACY.hex()}, "its script is not the address's"),
        (2, {"addr_type": "sh_wsh"}, "its script is not the address's"),
        (2, {"addr": "bc1qnope"}, "not a bitcoin address"),
        (3, {"script": f"wpkh({lists.XPUB}/0/8)"}, "its descriptor is not the address's"),
        (3, {"script": f"wpkh({lists.XPUB}/0/*)"}, "not wpkh of one extended key"),
        (3, {"script": f"pkh({lists.XPUB}/0/7)"}, "not wpkh of one extended key"),
        (3, {"script": f"wpkh({lists.XPUB}/0/7')"}, "not wpkh of one extended key"),
        (3, {"script": f"wpkh({lists.XPUB}/0/2147483648)"}, "not of an extended public key"),
        (3, {"script": DESCRIPTOR.replace("xpub6", "xpub7")}, "the list's"),
        (3, {"script": "wpkh(xpub" + "1" * 107 + "/0/7)"}, "its extended key is not the list's"),
    ],
)
def test_rows_that_fail(
    tmp_path: Path, number: int, fields: dict[str, object], reason: str
) -> None:
    rows = read(tmp_path, changed(number, **fields))
    assert rows[number].verdict.status is Status.FAILED
    assert reason in rows[number].verdict.reason
    assert statuses(rows).count(Status.FAILED) == 1
    assert outside("import", "bitmex", str(tmp_path / "list.yaml")).code == 3


def test_a_known_key_is_its_own_negative(tmp_path: Path) -> None:
    assert parse_address("bitcoin", str(wsh(NEGATED)["addr"])).template == "p2wsh"
    assert statuses(read(tmp_path, changed(2, **wsh(NEGATED))))[2] is Status.IMPLIED


def test_an_address_counts_once_and_unknown_kinds_are_left(tmp_path: Path) -> None:
    again = dict(GOOD["address"][0])  # type: ignore[index]
    rows = read(tmp_path, changed(4, **again))
    assert rows[4].verdict.status is Status.FAILED
    assert rows[4].verdict.reason == f"counted already in line {rows[0].line}"
    rows = read(tmp_path, changed(0, addr_type="pk"))
    assert rows[0].verdict.reason == "unknown kind of address: pk"


def test_digits_stay_text(tmp_path: Path) -> None:
    """Hex that YAML would take for a number, a sum of zeros, or a date."""
    for text in ("0051", "12e3", "0x51", "2001-01-01", "null", "~"):
        rows = read(tmp_path, TEXT.replace(f"script: {COMPRESSED.hex()}", f"script: {text}"))
        assert rows[1].verdict.status is Status.FAILED


BOMB = "a: &a [x, x]\n" + "".join(
    f"{chr(98 + i)}: &{chr(98 + i)} [*{chr(97 + i)}, *{chr(97 + i)}]\n" for i in range(20)
)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "empty"),
        ("- a\n- b\n", "line 1, column 1: must be a mapping"),
        ("a\n", "line 1, column 1: must be a mapping"),
        (BOMB, "line 1, column 4: refused: an anchor"),
        ("a: *a\n", "line 1, column 4: refused: an alias"),
        ("a: !!python/object:os.system x\n", "line 1, column 4: refused: a tag"),
        ("!!map\na: b\n", "refused: a tag"),
        ("a: b\n---\nc: d\n", "line 2, column 1: refused: a second document"),
        ("a: b\na: c\n", "line 2, column 1: refused: a key that is not text, or occurs twice"),
        ("? [a]\n: b\n", "refused: a key that is not text"),
        ("a: " + "[" * 100_000, "refused: nested deeper than 8"),
        ("a:\n" + "".join(" " * i + "- \n" for i in range(2, 40)), "deeper than 8"),
        ("a: " + "x" * 20_000 + "\n", "refused: longer than 16384 characters"),
        ("a: 'b\n", "line 2, column 1: not YAML"),
        ("a: b\n\tc: d\n", "not YAML"),
        ("a: \0\n", "not YAML"),
        (b"a: \xff\n", "not YAML"),
        (TEXT.replace("chain: main", "chain: [main]"), "chain must be text"),
        (TEXT.replace("chain: main\n", ""), "chain is missing"),
        (TEXT.replace("m: 3", "m: three"), "m must be a whole number"),
        (TEXT.replace("balance: 7", "balance: 0.7"), "balance must be a whole number"),
        (TEXT.replace("balance: 7", "balance: -7"), "balance must be a whole number"),
        (yaml.safe_dump(GOOD | {"keys": ["04" + "00" * 63]}), "keys: not a public key in hex"),
        (yaml.safe_dump(GOOD | {"keys": [lists.known_keys()[0]] * 2}), "keys: a key occurs twice"),
        (yaml.safe_dump(GOOD | {"keys": "x"}), "keys must be a list"),
        (yaml.safe_dump(GOOD | {"keys": [lists.known_keys()[0]] * 65}), "keys: more than 64"),
        (yaml.safe_dump(GOOD | {"xpub": ["xpub" + "1" * 107]}), "an extended key is malformed"),
        (yaml.safe_dump(GOOD | {"xpub": ["xprv"]}), "xpub: not an xpub"),
        (yaml.safe_dump(GOOD | {"address": ["x"]}), "must be a mapping"),
        (yaml.safe_dump(GOOD | {"custodial": {"a": "b"}}), "custodial must be a list"),
        (yaml.safe_dump(GOOD | {"custodial": ["x"]}), "must be a mapping"),
        (yaml.safe_dump(GOOD | {"custodial": [{"addr": "x"}]}), "addr_type is missing"),
        (yaml.safe_dump(GOOD | {"total": ["x"]}), "total must be text"),
    ],
)
def test_files_that_are_refused(tmp_path: Path, text: str | bytes, message: str) -> None:
    with pytest.raises(ProverError, match=r"list\.yaml") as caught:
        read(tmp_path, text)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_bounds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ProverError, match="No such file"):
        import_bitmex(tmp_path / "none")
    for bound, value, message in (
        ("yaml_tree.MAX_FILE_BYTES", 10, "larger than 10 bytes"),
        ("yaml_tree.MAX_NODES", 10, "more than 10 values"),
        ("bitmex.MAX_ROWS", 4, "more than 4 addresses"),
    ):
        with monkeypatch.context() as patch:
            patch.setattr(f"prover.imports.{bound}", value)
            with pytest.raises(ProverError, match=message):
                read(tmp_path)


def test_any_change_of_a_list(tmp_path: Path) -> None:
    """Whatever a file holds: rows or one error, and nothing ever counts."""
    seed = random.randrange(2**32)
    rng = random.Random(seed)
    good = TEXT.encode()
    read_whole = 0
    for _ in range(200):
        data = bytearray(good)
        for _ in range(rng.randrange(1, 4)):
            at = rng.randrange(len(data))
            match rng.randrange(4):
                case 0:
                    data[at] = rng.randrange(256)
                case 1:
                    del data[at : at + rng.randrange(1, 40)]
                case 2:
                    data[at:at] = data[at : at + rng.randrange(1, 40)]
                case 3:
                    data[at:at] = rng.choice([b": ", b"'", b"\n", b"- ", b"[", b"{", b"*a", b"%"])
        with contextlib.suppress(ProverError):
            found = statuses(read(tmp_path, bytes(data)))
            read_whole += 1
            assert Status.COUNTS not in found, f"seed {seed}"
            assert Status.STALE not in found, f"seed {seed}"
    assert read_whole, f"seed {seed}"
