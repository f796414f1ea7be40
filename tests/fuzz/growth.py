"""The time of every parser of others' bytes grows as their length does; ``make fuzz`` ends with it.

A case is a parser, its limit, and hostile bytes of any length. Its CPU time is measured at 1/8, 1/4
and 1/2 of the limit, the least of three each. Twice the length may take twice the time and a little
more: a ratio above 2.5 from each to the next, found again and again, fails. What is quadratic takes
four times as long; what does not fit a cache or an allocator's bin any more does so once.

Limits above `MOST` are cut to that, for the sake of the run; what grows faster shows there too.
"""

from __future__ import annotations

import contextlib
import gc
import io
import os
import sys
import tempfile
import time
from base64 import b64encode
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from functools import partial
from http.client import HTTPException, parse_headers
from itertools import islice
from multiprocessing import get_context
from pathlib import Path

import h11
import httptools
from h11 import RemoteProtocolError
from httptools import HttpParserError

sys.path.insert(0, str(Path(__file__).parents[2]))

# isort: split
from prover.assets.bitcoin import read_coin_rows
from prover.assets.lists import EVIDENCE_COLUMNS
from prover.errors import ProverError
from prover.files.lists import read_list
from prover.imports.bitmex import import_bitmex
from prover.imports.okx import import_okx
from spec.reference import account as reference_account
from spec.reference import wire as reference_wire
from spec.reference.ethereum import items_of
from tests.support import import_lists
from verifier import BalanceTable, CannotCheck, Misuse
from verifier.bundle.history import BadHistory, read_history
from verifier.bundle.json_text import parse_json
from verifier.bundle.unit_lists import MAX_LIST_BYTES, parse_units
from verifier.checks.inclusion import TypedBalance
from verifier.format import wire
from verifier.format.account import AccountError, canonical_account_id, canonical_name
from verifier.format.chains import HeaderForm
from verifier.format.evidence_records import Coin, Evidence, OwnershipSignature, Row
from verifier.format.keys import parse_public_key
from verifier.format.params import MAX_DECLARATION_BYTES
from verifier.nodes.balances import COLUMNS
from verifier.ownership import OwnershipError, check_ownership, parse_address
from verifier.ownership.bip127 import MAX_TRANSACTION_CHARACTERS, SpentCoin, check_bip127
from verifier.stateproof.header import parse_header
from verifier.stateproof.rlp import BadRlp, decode_list, encode_list, encode_string
from verifier.stateproof.trie import BadNode, MissingNode, Trie

MOST = 1 << 22
RUNS = 3
TRIES = 5  # a busy machine may have had a hand in the first ones
LEAST_SECONDS = 0.02  # below it the clock is coarse: the parser is called several times
WORST_RATIO = 2.5

FOLDER = Path(tempfile.mkdtemp())
REFUSALS = (
    AccountError, BadHistory, BadNode, BadRlp, CannotCheck, HTTPException, HttpParserError, Misuse,
    MissingNode, OwnershipError, ProverError, RemoteProtocolError, ValueError, ArithmeticError,
)  # fmt: skip

Make = Callable[[int], bytes]


@dataclass(frozen=True)
class Case:
    """A parser, the length in bytes up to which it reads, and what makes it work hard."""

    name: str
    limit: int
    make: Make
    parse: Callable[[bytes], object]


def repeated(unit: bytes, before: bytes = b"", after: bytes = b"") -> Make:
    """Bytes that repeat a unit up to a length."""
    return lambda size: before + unit * ((size - len(before) - len(after)) // len(unit)) + after


JSON_TEXTS = {
    "open string of escapes": repeated(rb"\"", b'"'),
    "open strings": repeated(b'"'),
    "backslashes": repeated(b"\\", b'"'),
    "escapes": repeated(rb"\u0041", b'["', b'"]'),
    "surrogates": repeated(rb"\ud800", b'["', b'"]'),
    "arrays in arrays": repeated(b"["),
    "objects in objects": repeated(b'{"a":'),
    "empty arrays": repeated(b"[],", b"[", b"0]"),
    "one key": repeated(b'"a":1,', b"{", b'"a":1}'),
    "digits": repeated(b"1"),
    "fraction": repeated(b"1", b"0."),
    "exponent": repeated(b"1", b"1e"),
    "white space": repeated(b" ", b"[", b"]"),
    "long string": repeated(b"a", b'["', b'"]'),
}


def json_cases() -> Iterator[Case]:
    for name, make in JSON_TEXTS.items():
        yield Case(f"history.json, {name}", 1 << 20, make, read_history)
        yield Case(f"JSON-RPC, {name}", 1 << 26, make, parse_answer)
        yield Case(f"token list, {name}", MAX_LIST_BYTES, make, parse_tokens)


def parse_tokens(data: bytes) -> object:
    return parse_units("list.json", data)


def parse_answer(data: bytes) -> object:
    return parse_json(data.decode(), 32, parse_float=Decimal)


def array(item: bytes) -> Make:
    """A msgpack array of 32-bit length."""
    return lambda size: (
        b"\xdd" + ((size - 5) // len(item)).to_bytes(4) + item * ((size - 5) // len(item))
    )


def wide_map(size: int) -> bytes:
    """A msgpack map with ascending keys of seven digits."""
    count = (size - 5) // 9
    pairs = b"".join(b"\xa7%07d\x00" % number for number in range(count))
    return count_of(count, 0xDE) + pairs


def count_of(count: int, lead: int) -> bytes:
    """A count of 16 bits or more after its first byte, in the shortest form."""
    short = count < 1 << 16
    return bytes([lead if short else lead + 1]) + count.to_bytes(2 if short else 4)


def evidence_of(name: str, item: bytes) -> Make:
    """An evidence file with one long list."""
    empty = wire.write_record(Evidence((), "BTC", (), (), (), (), (), (), 1))
    key = bytes([0xA0 + len(name)]) + name.encode()
    return lambda size: empty.replace(key + b"\x90", key + array(item)(size - len(empty)))


def of_pledges(size: int) -> bytes:
    """Loans with a thousand pledged addresses each."""
    loan = wire.write_record(wire.Loan("1", "A", "L", (wire.Pledge("a", "b"),) * 1000))
    count = size // len(loan)
    return count_of(count, 0xDC) + loan * count


ROW = wire.write_record(Row("bc1q", bytes(32), "bitcoin", ""))
COIN = wire.write_record(Coin("bc1q", 1, 2, bytes(32)))
SIGNATURE = wire.write_record(OwnershipSignature("bc1q", "bitcoin", "bip322", "x" * 100))
MSGPACK = {
    "empty arrays": array(b"\x90"),
    "empty maps": array(b"\x80"),
    "numbers": array(b"\xce\xff\xff\xff\xff"),
    "texts": array(b"\xa3abc"),
    "nested": array(b"\x91\x91\x91\x91\x91\x91\x90"),
    "a wide map": wide_map,
    "a long binary": lambda size: b"\xc6" + (size - 5).to_bytes(4) + bytes(size - 5),
    "a long text": lambda size: b"\xdb" + (size - 5).to_bytes(4) + b"a" * (size - 5),
}


def msgpack_cases() -> Iterator[Case]:
    kinds = {"manifest": (wire.Manifest, 1 << 20), "evidence": (Evidence, 1 << 27)}
    for name, (kind, limit) in kinds.items():
        for what, make in MSGPACK.items():
            yield Case(f"{name}, {what}", limit, make, partial(wire.read_record, kind))
    loans = partial(wire.read_records, wire.Loan, size=wire.DECLARED_LOANS)
    for what, make in MSGPACK.items():
        yield Case(f"declaration, {what}", MAX_DECLARATION_BYTES, make, loans)
    yield Case("declaration of pledges", MAX_DECLARATION_BYTES, of_pledges, loans)
    for name, item in (("rows", ROW), ("coins", COIN), ("signatures", SIGNATURE)):
        make = evidence_of(name, item)
        yield Case(f"evidence of {name}", 1 << 27, make, partial(wire.read_record, Evidence))
    for what, make in MSGPACK.items():
        yield Case(f"reference msgpack, {what}", 1 << 22, make, reference_wire.decode)


def rlp_list(item: bytes) -> Make:
    def make(size: int) -> bytes:
        return encode_list([item] * ((size - 3) // len(item)))

    return make


def nested_rlp(size: int) -> bytes:
    data = b"\xc0"
    while len(data) < size - 4:
        data = encode_list([data])
    return data


def many_nodes(size: int) -> bytes:
    return b"".join(b"%032d" % number for number in range(size // 32))


def walk_nodes(data: bytes) -> object:
    """A trie of as many nodes as there are pieces, none of them under the root."""
    nodes = [data[at : at + 32] for at in range(0, len(data), 32)]
    return Trie(nodes).read(bytes(32), b"key")


def rlp_cases() -> Iterator[Case]:
    shapes = {
        "bytes": rlp_list(b"\x01"),
        "strings": rlp_list(encode_string(b"a" * 20)),
        "empty lists": rlp_list(b"\xc0"),
        "nested": nested_rlp,
    }
    for name, make in shapes.items():
        yield Case(f"RLP, {name}", 1 << 16, make, decode_list)
        yield Case(f"reference RLP, {name}", 1 << 12, make, items_of)
        yield Case(f"header, {name}", 1 << 12, make, partial(parse_header, form=HeaderForm.EVM))
    yield Case("nodes of a trie", 1 << 24, many_nodes, walk_nodes)


ADDRESS = parse_address("bitcoin", "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4")


def transaction(inputs: int, script: bytes = b"") -> bytes:
    """A transaction without witnesses, of so many inputs, each with a script."""
    spend = b"\x01" * 36 + bytes([len(script)]) + script + b"\xff" * 4
    count = b"\xfd" + inputs.to_bytes(2, "little")
    output = b"\x01" + bytes(8) + b"\x01\x51"
    return (2).to_bytes(4, "little") + count + spend * inputs + output + bytes(4)


def transaction_text(size: int) -> bytes:
    return b64encode(transaction(size * 3 // 4 // 41 - 2))


def witness_text(size: int) -> bytes:
    """A simple signature whose stack has as many items as fit."""
    items = (size * 3 // 4 - 8) // 2
    return b"smp" + b64encode(b"\xfd" + items.to_bytes(2, "little") + b"\x01\x00" * items)


def prefixed(prefix: bytes, make: Make, size: int) -> bytes:
    return prefix + make(size)


def signature(form: str, data: bytes) -> object:
    return check_ownership(ADDRESS, "message", form, data.decode())


def transaction_cases() -> Iterator[Case]:
    coins = [SpentCoin(ADDRESS, bytes(32), 0, 1)]
    shapes: dict[str, Make] = {
        "base64": repeated(b"AAAA"),
        "no base64": repeated(b"@"),
        "inputs": transaction_text,
    }
    for name, make in shapes.items():
        yield Case(
            f"BIP-127, {name}",
            MAX_TRANSACTION_CHARACTERS,
            make,
            lambda data: check_bip127(coins, "message", data.decode()),
        )
    for name, make in {**shapes, "witness": witness_text}.items():
        for prefix in (b"", b"ful"):
            yield Case(
                f"BIP-322 {prefix.decode()}, {name}",
                1 << 14,
                partial(prefixed, prefix, make),
                partial(signature, "bip322"),
            )
    for form in ("bip137", "eip191"):
        yield Case(
            form,
            1 << 14,
            repeated(b"AAAA"),
            partial(signature, form),
        )
    yield Case(
        "address", 1 << 16, repeated(b"1"), lambda data: parse_address("bitcoin", data.decode())
    )


MARKS = "\u0301\u0323".encode()


def text_cases() -> Iterator[Case]:
    shapes = {
        "letters": repeated(b"a"),
        "marks": repeated(MARKS, b"a"),
        "jamo": repeated("\u1100\u1161\u11a8".encode()),
        "spaces": repeated(b" "),
        "at signs": repeated(b"@"),
        "surrogates of a text": repeated("\U0001f600".encode()),
    }
    for name, make in shapes.items():
        yield Case(f"name, {name}", 1 << 20, make, lambda data: canonical_name(data.decode()))
        yield Case(
            f"e-mail, {name}",
            1 << 20,
            make,
            lambda data: canonical_account_id(data.decode(), "email"),
        )
        yield Case(
            f"reference name, {name}",
            1 << 20,
            make,
            lambda data: reference_account.canonical_name(data.decode()),
        )
        yield Case(f"key, {name}", 1 << 16, make, lambda data: parse_public_key(data.decode()))
        yield Case(
            f"balance, {name}", 1 << 16, make, lambda data: TypedBalance.parse(data.decode())
        )
    yield Case(
        "balance, digits", 1 << 16, repeated(b"1"), lambda data: TypedBalance.parse(data.decode())
    )


def csv_inputs(header: bytes, row: bytes) -> dict[str, Make]:
    """Tables of one row repeated, and texts that try a parser of tables."""
    return {
        "rows": repeated(row, header),
        "an open quote": repeated(b"a,", header + b'"'),
        "quotes": repeated(b'"', header),
        "doubled quotes": repeated(b'""', header + b'"', b'"'),
        "commas": repeated(b",", header),
        "lines": repeated(b"\n", header),
        "a wide header": repeated(b"a,"),
    }


CSV = csv_inputs(",".join(EVIDENCE_COLUMNS).encode() + b"\n", b"BTC,bitcoin,,1,5,bip322,x\n")
UNITS_CSV = csv_inputs(b"code,chain,contract,decimals\n", b"BTC,bitcoin,,8\n")
JSON_LINES = {
    "rows": repeated(b'{"asset":"BTC","chain":"bitcoin","address":"1","amount":1}\n'),
    "one line": repeated(rb"\"", b'{"asset":"'),
    "brackets": repeated(b"[1,2"),
    "keys": repeated(b'"asset":1,', b"{"),
}


def of_file(suffix: str, read: Callable[[Path], object]) -> Callable[[bytes], object]:
    """A reader of files, as one of bytes."""

    def parse(data: bytes) -> object:
        path = FOLDER / f"{os.getpid()}{suffix}"
        path.write_bytes(data)
        return read(path)

    return parse


def table_of(size: int) -> bytes:
    """A table of balances, each of another address."""
    lines = (b"bsc,,0x%040d,5,7,%064d,\n" % (number, 0) for number in range(size // 122))
    return (",".join(COLUMNS) + "\n").encode() + b"".join(lines)


def list_cases() -> Iterator[Case]:
    required = frozenset({"asset"})
    for name, make in UNITS_CSV.items():
        yield Case(
            f"units, {name}", MAX_LIST_BYTES, make, lambda data: parse_units("list.csv", data)
        )
    for name, make in CSV.items():
        yield Case(
            f"evidence list, {name}",
            1 << 22,
            make,
            of_file(".csv", lambda path: list(read_list(path, EVIDENCE_COLUMNS, required))),
        )
        yield Case(
            f"coins, {name}",
            1 << 22,
            make,
            of_file(".csv", lambda path: list(read_coin_rows(path))),
        )
        yield Case(
            f"balances, {name}", 1 << 22, make, of_file(".csv", lambda path: BalanceTable([path]))
        )
        yield Case(
            f"OKX, {name}", 1 << 22, make, of_file(".csv", lambda path: import_okx(path, {}))
        )
    for name, make in JSON_LINES.items():
        yield Case(
            f"evidence list in JSON, {name}",
            1 << 22,
            make,
            of_file(".jsonl", lambda path: list(read_list(path, EVIDENCE_COLUMNS, required))),
        )
    yield Case("balances", 1 << 22, table_of, of_file(".csv", lambda path: BalanceTable([path])))
    columns = (import_lists.COLUMNS + "\n").encode()
    cell = import_lists.ethereum_row(4).encode()
    yield Case(
        "OKX, an open JSON cell",
        1 << 20,
        repeated(b'{"a":', columns + b"ETH,"),
        of_file(".csv", lambda path: import_okx(path, {})),
    )
    yield Case(
        "OKX, cut rows",
        1 << 20,
        repeated(cell[:-9], columns),
        of_file(".csv", lambda path: import_okx(path, {})),
    )


YAML = {
    "flow lists": repeated(b"[", b"a: "),
    "flow maps": repeated(b"{a: ", b"a: "),
    "items": repeated(b"- a\n", b"address:\n"),
    "lines of a scalar": repeated(b" a\n", b"a: a\n"),
    "a long scalar": repeated(b"a", b"a: "),
    "a quoted scalar": repeated(b"a ", b'a: "', b'"'),
    "open quote": repeated(b"a\n", b'a: "'),
    "comments": repeated(b"# a\n"),
    "keys": repeated(b"? "),
    "colons": repeated(b": "),
    "dashes": repeated(b"- "),
    "tags": repeated(b"!a "),
    "anchors": repeated(b"&a "),
    "aliases": repeated(b"*a "),
    "documents": repeated(b"---\n"),
    "directives": repeated(b"%YAML 1.1\n"),
    "tabs": repeated(b"\t"),
    "escapes": repeated(rb"\x41", b'a: "', b'"'),
    "block scalar": repeated(b"  a\n", b"a: |\n"),
    "indents": lambda size: b"".join(b" " * at + b"a:\n" for at in range(int((2 * size) ** 0.5))),
}


def yaml_cases() -> Iterator[Case]:
    for name, make in YAML.items():
        yield Case(f"BitMEX, {name}", 1 << 20, make, of_file(".yaml", import_bitmex))


def head_cases() -> Iterator[Case]:
    """Heads of answers and requests, as the libraries read them that bound these."""
    shapes = {
        "headers": repeated(b"a: b\r\n"),
        "long header": repeated(b"a", b"a: "),
        "folded": repeated(b" b\r\n", b"a: b\r\n"),
        "no colon": repeated(b"a\r\n"),
    }
    for name, make in shapes.items():
        yield Case(
            f"HTTP answer, {name}",
            1 << 16,
            make,
            lambda data: parse_headers(io.BytesIO(data + b"\r\n\r\n")),
        )
        yield Case(f"request to a host, {name}", 1 << 14, make, of_host)
        yield Case(f"request to the service, {name}", 1 << 14, make, of_service)


def of_host(data: bytes) -> None:
    """A head that comes byte by byte, as the host's server reads it."""
    connection = h11.Connection(h11.SERVER)
    for byte in b"GET / HTTP/1.1\r\n" + data:
        connection.receive_data(bytes([byte]))
        connection.next_event()


def of_service(data: bytes) -> None:
    """The same, as the service's server reads it."""
    parser = httptools.HttpRequestParser(object())
    for byte in b"GET / HTTP/1.1\r\n" + data:
        parser.feed_data(bytes([byte]))


def cases() -> Iterator[Case]:
    yield from json_cases()
    yield from msgpack_cases()
    yield from rlp_cases()
    yield from transaction_cases()
    yield from text_cases()
    yield from list_cases()
    yield from yaml_cases()
    yield from head_cases()


def cost(case: Case, data: bytes) -> float:
    """CPU seconds of one call, the least of three measurements."""
    calls = 1
    while True:
        took = min(_seconds(case, data, calls) for _ in range(RUNS if calls > 1 else 1))
        if took >= LEAST_SECONDS or calls >= 1 << 12:
            break
        calls *= 4
    if calls == 1:
        took = min([took, *(_seconds(case, data, 1) for _ in range(RUNS - 1))])
    return took / calls


def _seconds(case: Case, data: bytes, calls: int) -> float:
    start = time.process_time()
    for _ in range(calls):
        with contextlib.suppress(*REFUSALS):
            case.parse(data)
    return time.process_time() - start


def fault(number: int) -> str | None:
    """Say how much too fast the time of a case grows; None if it does not."""
    gc.disable()  # it looks at all objects at moments of its own
    case = next(islice(cases(), number, None))
    limit = min(case.limit, MOST)
    for _ in range(TRIES):
        small, large = (cost(case, case.make(limit // part)) for part in (8, 4))
        if large <= WORST_RATIO * small:
            return None
        if cost(case, case.make(limit // 2)) <= WORST_RATIO * large:
            return None
    return f"{case.name}: {small:.4f} s, and {large:.4f} s for twice as much"


def main() -> int:
    """Measure every case, on two processors; return how many grow too fast."""
    started = time.monotonic()
    count = sum(1 for _ in cases())
    with get_context("fork").Pool(2) as pool:
        faults = list(filter(None, pool.imap(fault, range(count))))
    for each in faults:
        print(each)
    print(f"{len(faults)} of {count} cases grow too fast; {time.monotonic() - started:.0f} s")
    return len(faults)


if __name__ == "__main__":
    sys.exit(bool(main()))
