"""A Bitcoin node that lies in form, hangs or is not one: no verdict, one line, nothing secret."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import verifier.commands.cli
from tests.support.bitcoin_exchange import HELD, Exchange, Held
from tests.support.bitcoin_regtest import MINER, pay
from tests.support.bitcoin_rpc_server import Core, RpcError, serve
from tests.support.bitcoin_snapshot import MAIN, REGTEST
from verifier import BitcoinNode, CannotCheck, Level, Misuse, Rejected
from verifier.format.keys import public_key_text
from verifier.nodes import bitcoin_rpc
from verifier.nodes.bitcoin_rpc import BitcoinRpc

SECRET = "a-user:a-secret"


@pytest.fixture(scope="module")
def exchange(tmp_path_factory: pytest.TempPathFactory) -> Exchange:
    return Exchange(tmp_path_factory.mktemp("rpc"))


@pytest.fixture(scope="module")
def held(exchange: Exchange) -> Held:
    return exchange.held()


@pytest.fixture(scope="module")
def bundle(exchange: Exchange) -> tuple[Path, bytes]:
    return exchange.bundle("honest")


def failure(
    exchange: Exchange,
    held: Held,
    method: str,
    change: Callable[[Any], Any],
    *,
    timeout: float = 30,
) -> str:
    """Return why there is no verdict, where one method's answers are changed."""

    def bent(asked: str, result: Any) -> Any:
        return change(result) if asked == method else result

    with serve(Core(exchange.chain), change=bent) as url:
        node = BitcoinNode(url, network="regtest", timeout=timeout)
        with pytest.raises(CannotCheck) as raised:
            held.ask(node)
    assert raised.value.code == "check.unreadable"
    assert "\n" not in raised.value.message
    assert len(raised.value.message) < 500
    return raised.value.message


METHODS = ("getblockchaininfo", "getblockhash", "gettxout", "getblockheader", "scantxoutset")


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"<html>no node</html>",
        b"{",
        b"\xff\xfe",
        b"null",
        b"[]",
        b"{}",
        b'{"id": [], "result": {}}',
        b'[{"id": [], "result": {}}]',
        b'{"id": 1, "result": {"a": 1e99999999999999999999}}',
        b'{"id": 1, "result": ' + b"9" * 5000 + b"}",
        b"[" * 100_000,
        b'{"a":' * 100_000,
    ],
)
def test_answers_that_are_no_json_rpc(
    exchange: Exchange, held: Held, method: str, answer: bytes
) -> None:
    assert "answer" in failure(exchange, held, method, lambda _: answer)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("result", [1, -1, "", "x" * 64, [], {}, True, 0.5, {"a": []}, [[[]]]])
def test_results_of_another_form(exchange: Exchange, held: Held, method: str, result: Any) -> None:
    message = failure(exchange, held, method, lambda _: result)
    assert method in message or "moves" in message


BAD_NUMBERS: tuple[Any, ...] = (None, "1", -5, 2**31, 2**70, 1.5, True, [])
BAD_HASHES: tuple[Any, ...] = (None, "", "ab", "A" * 64, "0x" + "a" * 62, "g" * 64, 5)
BAD_AMOUNTS: tuple[Any, ...] = (None, "1.0", -1, -0.1, 21_000_001, 1e300, 0.123456789, True, [])
BAD_SCRIPTS: tuple[Any, ...] = (None, "a", "zz", 5, "00" * 10_001)


@pytest.mark.parametrize(
    ("method", "path", "values"),
    [
        ("getblockchaininfo", ("chain",), (None, 5, "", "x" * 100, "Main\n")),
        ("getblockchaininfo", ("blocks",), BAD_NUMBERS),
        ("getblockchaininfo", ("bestblockhash",), BAD_HASHES),
        ("getblockheader", ("height",), BAD_NUMBERS),
        ("getblockheader", ("confirmations",), (None, "1", -2, 2**70, 1.5, True)),
        ("gettxout", ("bestblock",), BAD_HASHES),
        ("gettxout", ("confirmations",), (*BAD_NUMBERS, 0, 10_000)),
        ("gettxout", ("value",), BAD_AMOUNTS),
        ("gettxout", ("scriptPubKey",), (None, [], "00")),
        ("gettxout", ("scriptPubKey", "hex"), BAD_SCRIPTS),
        ("scantxoutset", ("success",), (None, False, 1, "true")),
        ("scantxoutset", ("height",), BAD_NUMBERS),
        ("scantxoutset", ("bestblock",), BAD_HASHES),
        ("scantxoutset", ("unspents",), (None, {}, "x", [5], [None], [[]])),
        ("scantxoutset", ("unspents", 0, "txid"), BAD_HASHES),
        ("scantxoutset", ("unspents", 0, "vout"), (None, -1, 2**32, "0", True)),
        ("scantxoutset", ("unspents", 0, "scriptPubKey"), BAD_SCRIPTS),
        ("scantxoutset", ("unspents", 0, "amount"), BAD_AMOUNTS),
        ("scantxoutset", ("unspents", 0, "height"), (*BAD_NUMBERS, 10_000)),
    ],
)
def test_every_field(
    exchange: Exchange,
    held: Held,
    method: str,
    path: tuple[str | int, ...],
    values: tuple[Any, ...],
) -> None:
    for value in values:

        def change(result: Any, value: Any = value) -> Any:
            *parents, last = path
            inner = result
            for name in parents:
                inner = inner[name]
            inner[last] = value
            return result

        message = failure(exchange, held, method, change)
        assert f"{method}: the answer is malformed" in message, value

        def leave_out(result: Any) -> Any:
            *parents, last = path
            inner = result
            for name in parents:
                inner = inner[name]
            if isinstance(last, str):
                del inner[last]
            return result

    assert f"{method}: the answer is malformed" in failure(exchange, held, method, leave_out)


@pytest.mark.parametrize(
    "header", [None, 5, [], "", "ab", "AB" * 80, "xy" * 80, "00" * 79, "00" * 81, "00" * 80]
)
def test_headers_that_are_not_of_the_block(exchange: Exchange, held: Held, header: Any) -> None:
    def change(result: Any) -> Any:
        return header if isinstance(result, str) else result

    message = failure(exchange, held, "getblockheader", change)
    assert "getblockheader: the answer is malformed" in message


def test_an_output_twice_in_a_scan(exchange: Exchange, held: Held) -> None:
    def change(result: Any) -> Any:
        result["unspents"].append(result["unspents"][0])
        return result

    assert "malformed" in failure(exchange, held, "scantxoutset", change)


def test_answers_without_end(
    exchange: Exchange, held: Held, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bitcoin_rpc, "_SCAN_BYTES", 1 << 20)
    huge = b'{"id": 1, "result": "' + b"x" * (1 << 21) + b'"}'
    assert "more than 1048576 bytes" in failure(exchange, held, "getblockhash", lambda _: huge)

    def bent(method: str, result: Any) -> Any:
        return huge if method == "scantxoutset" else result

    core = Core(exchange.chain)
    assert "more than 1048576 bytes" in open_rows(exchange, held, UNLISTED, core, bent)
    assert core.calls.count("scantxoutset") == 1 + len(UNLISTED)  # both, then each


def test_an_answer_that_is_always_too_long_is_not_sought_for_ever(
    exchange: Exchange, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bitcoin_rpc, "_SCAN_BYTES", 10)
    core = Core(exchange.chain)
    with serve(core) as url:
        rpc = BitcoinRpc(url, credentials=None, timeout=30)
        scripts = [number.to_bytes(2, "big") for number in range(5000)]
        untold = [script for part, told in rpc.scans(scripts) for script in part]
        rpc.close()
    assert untold == scripts
    assert core.calls.count("scantxoutset") < 100


@pytest.mark.parametrize("method", ["getblockhash", "gettxout", "scantxoutset"])
def test_a_node_that_hangs(
    exchange: Exchange, held: Held, method: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bitcoin_rpc, "SCAN_TIMEOUT_SECONDS", 0.3)
    rest = threading.Event()

    def hang(result: Any) -> Any:
        rest.wait(20)
        return result

    try:
        message = failure(exchange, held, method, hang, timeout=0.3)
    finally:
        rest.set()
    assert "no answer in time" in message


def test_nobody_there(held: Held) -> None:
    with pytest.raises(CannotCheck, match="no answer: Connection refused"):
        held.ask(BitcoinNode(f"http://{SECRET}@127.0.0.1:1"))
    for url in ("", "ftp://host", "http://", "http://h:0", "file:///x"):
        with pytest.raises(Misuse) as misused:
            BitcoinNode(url)
        assert "secret" not in str(misused.value)


LISTED = [sum(amounts) for _, amounts, is_listed in HELD if is_listed]
UNLISTED = [sum(amounts) for _, amounts, is_listed in HELD if not is_listed]


def open_rows(
    exchange: Exchange,
    held: Held,
    amounts: list[int],
    core: Core,
    change: Callable[[str, Any], Any] | None = None,
    timeout: float = 30,
) -> str:
    """Return why a node confirms all rows but those of some amounts, which stay ``claimed``."""
    with serve(core, change=change) as url:
        (found,) = BitcoinNode(url, network="regtest", timeout=timeout).confirm(
            held.checked, held.evidence
        )
    left = [holding for holding in found.rows if holding.level is not Level.CHAIN]
    assert sorted(holding.units for holding in left) == sorted(amounts)
    assert {holding.level for holding in left} == {Level.CLAIMED}
    (why,) = {holding.undecided for holding in left}
    assert [holding.undecided for holding in found.rows if holding not in left] == [""] * (
        len(found.rows) - len(left)
    )
    return why


class Unable(Core):
    """A node that answers some methods with an error."""

    def __init__(self, exchange: Exchange, method: str, error: RpcError) -> None:
        super().__init__(exchange.chain)
        self.method, self.error = method, error

    def answer(self, method: str, parameters: list[Any]) -> Any:
        if method == self.method:
            raise self.error
        return super().answer(method, parameters)


@pytest.mark.parametrize(
    ("method", "amounts", "error"),
    [
        ("scantxoutset", UNLISTED, RpcError(-32601, "Method not found", 404)),
        ("scantxoutset", UNLISTED, RpcError(-8, "Scan already in progress")),
        ("gettxout", LISTED, RpcError(-1, "Unable to read UTXO set")),
    ],
)
def test_what_a_node_says_it_cannot_tell_stays_a_claim(
    exchange: Exchange, held: Held, method: str, amounts: list[int], error: RpcError
) -> None:
    """A row that is claimed does not end an audit; the other rows are confirmed."""
    why = open_rows(exchange, held, amounts, Unable(exchange, method, error))
    assert f"{method}: the node answers: {error}" in why


@pytest.mark.parametrize("method", ["getblockchaininfo", "getblockhash", "getblockheader"])
def test_network_and_block_must_be_told(exchange: Exchange, held: Held, method: str) -> None:
    unable = serve(Unable(exchange, method, RpcError(-28, "Loading block index")))
    with unable as url, pytest.raises(CannotCheck, match="answers: Loading block index"):
        held.ask(BitcoinNode(url, network="regtest"))


def test_an_address_of_more_coins_than_an_answer_holds_stays_a_claim(tmp_path: Path) -> None:
    """Anybody can send dust to an address; the others are confirmed, and the audit goes on."""
    made = Exchange(tmp_path)
    victim, amounts, _ = next(entry for entry in HELD if not entry[2])
    coin = next(c for c in made.chain.unspent() if c.height == 2)
    dust = [(1, victim.output)] * 400
    made.chain.mine([pay([(MINER, coin)], [*dust, (coin.amount - 400, MINER.output)])])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bitcoin_rpc, "_SCAN_BYTES", 100_000)
        why = open_rows(made, made.held(), [sum(amounts)], Core(made.chain))
    assert "scantxoutset: the answer has more than 100000 bytes" in why


def test_blocks_that_take_too_long_leave_open_what_was_spent(tmp_path: Path) -> None:
    made = Exchange(tmp_path)
    owner, amounts, _ = HELD[0]
    made.spend(owner)
    rest = threading.Event()

    def hang(method: str, result: Any) -> Any:
        if method == "getblock":
            rest.wait(20)
        return result

    try:
        core = Core(made.chain)
        why = open_rows(made, made.held(), [sum(amounts)], core, hang, timeout=1)
    finally:
        rest.set()
    assert "cannot tell what was spent in them" in why


def command(bundle: tuple[Path, bytes], *more: str) -> list[str]:
    folder, key = bundle
    return ["solvency", str(folder), "--exchange-key", public_key_text(key), *more]


def test_the_command_line_with_a_node(
    exchange: Exchange,
    bundle: tuple[Path, bytes],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    cookie = tmp_path / ".cookie"
    cookie.write_text(SECRET + "\n")
    with serve(Core(exchange.chain, name="main"), credentials=SECRET) as url:
        with_user = url.replace("//", f"//{SECRET}@")
        for words in (["--node", f"bitcoin={with_user}"], ["--node", f"bitcoin={url}"]):
            extra = [] if words[1] == with_user else ["--bitcoin-cookie", str(cookie)]
            assert verifier.commands.cli.main(command(bundle, *words, *extra)) == 0
            out = capsys.readouterr()
            assert "BTC: 2 at addresses (chain)" in out.out
            assert "confirmed 5, undecided 0" in out.out
            assert "secret" not in out.out + out.err
        for words in (["--node", f"bitcoin={url}"], ["--node", f"bitcoin={with_user}/"]):
            wrong = tmp_path / "wrong"
            wrong.write_text("a-user:another-secret")
            extra = [] if words[1] == url else ["--bitcoin-cookie", str(wrong)]
            assert verifier.commands.cli.main(command(bundle, *words, *extra)) == 1
            out = capsys.readouterr()
            assert "with HTTP status 401" in out.out
            assert "secret" not in out.out + out.err
        absent = ["--node", f"bitcoin={url}", "--bitcoin-cookie", str(tmp_path / "absent")]
        assert verifier.commands.cli.main(command(bundle, *absent)) == 1
        assert "cookie" in capsys.readouterr().out


def test_the_command_line_with_a_snapshot(
    exchange: Exchange,
    bundle: tuple[Path, bytes],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    file = tmp_path / "utxo.dat"
    data = exchange.chain.snapshot()
    file.write_bytes(data)
    words = command(bundle, "--utxo-snapshot", str(file))
    assert verifier.commands.cli.main(words) == 1
    assert "of another network" in capsys.readouterr().out
    file.write_bytes(data.replace(REGTEST, MAIN, 1))
    assert verifier.commands.cli.main(words) == 0
    assert "BTC: 2 at addresses (chain)" in capsys.readouterr().out
    file.write_bytes(data.replace(REGTEST, MAIN, 1)[:-1])
    assert verifier.commands.cli.main(words) == 1
    assert "1 coins too early" in capsys.readouterr().out
    # An address holds less than is said of it.
    owner, amounts, _ = HELD[4]

    def edit(fields: Any) -> None:
        for row in fields["rows"]:
            if row["address"] == owner.address:
                row["amount"] = (amounts[0] + 1).to_bytes(32, "big")
            if row["address"] == HELD[3][0].address:
                row["amount"] = (sum(HELD[3][1]) - 1).to_bytes(32, "big")

    file.write_bytes(data.replace(REGTEST, MAIN, 1))
    lying = exchange.bundle("lying", edit)
    assert verifier.commands.cli.main(command(lying, "--utxo-snapshot", str(file))) == 3
    assert "REJECTED chain.wrong-amount: BTC, row" in capsys.readouterr().out
    both = command(bundle, "--utxo-snapshot", str(file), "--node", "bitcoin=http://127.0.0.1:1")
    assert verifier.commands.cli.main(both) == 2
    assert "give one of the two" in capsys.readouterr().err


def test_a_rejection_says_where(exchange: Exchange, held: Held) -> None:
    def change(method: str, result: Any) -> Any:
        if method == "getblockhash":
            return "ab" * 32
        return result

    with serve(Core(exchange.chain), change=change) as url, pytest.raises(Rejected) as rejected:
        held.ask(BitcoinNode(url, network="regtest"))
    assert (rejected.value.code, rejected.value.where) == ("chain.wrong-block", "bitcoin")
