"""A bundle's Tron against a node that knows its tip: what it confirms, and what it must not."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.support.forged_sample import SIGNERS, Spec, sample
from tests.support.subjects import write_files
from tests.support.tron_server import (
    START,
    STRANGER,
    TRANSFER,
    USDT,
    TronChain,
    owner,
    serve,
    topic,
)
from verifier import CannotCheck, Code, Level, Rejected, TronNode
from verifier.checks.holdings import CheckedEvidence, Holding
from verifier.checks.manifest import CheckedManifest
from verifier.nodes import tron_amounts
from verifier.nodes.tron_rpc import TronRpc
from verifier.ownership import parse_address
from verifier.ownership.families.tron import tron_text
from verifier.verify import read_rows

HEIGHT = 79_000_000
USDT_TEXT = tron_text(USDT)
OTHER = tron_text(bytes([7]) * 20)
HOLDER = parse_address("tron", SIGNERS["tron account"][2]("any").address).owner
AMOUNT = 500_000
ASKED = "/walletsolidity/triggerconstantcontract"
Change = Callable[[str, Any], Any]


@dataclass
class Rows:
    """What the evidence of a bundle comes to before a node is asked."""

    checked: CheckedManifest
    evidence: list[CheckedEvidence]

    def ask(self, url: str, timeout: float = 30) -> Holding:
        """The one row, after a node was asked."""
        (found,) = TronNode(url, timeout=timeout).confirm(self.checked, self.evidence)
        (row,) = found.rows
        return row


def rows_of(folder: Path, contract: str, amount: int = AMOUNT, block_id: str = "") -> Rows:
    """A bundle with one row of a token, or of TRX, at ``HEIGHT``."""
    code = {USDT_TEXT: "USDT", "": "TRX"}.get(contract, "OTHER")
    spec = Spec(code, 6, (("tron", contract, 6),), (("tron account", contract, amount),))
    block = bytes.fromhex(block_id or TronChain(HEIGHT).block_id(HEIGHT))
    forger = sample(
        [spec], {"bob@example.com": {code: [1]}}, chains=[("tron", HEIGHT, block)]
    ).forger
    bundle = write_files(folder / "bundle", forger.bundle())
    return Rows(*read_rows(bundle, forger.public_key))


@pytest.fixture(scope="module")
def token(tmp_path_factory: pytest.TempPathFactory) -> Rows:
    return rows_of(tmp_path_factory.mktemp("token"), USDT_TEXT)


@pytest.fixture(scope="module")
def coin(tmp_path_factory: pytest.TempPathFactory) -> Rows:
    return rows_of(tmp_path_factory.mktemp("coin"), "")


def chain(held: int = AMOUNT, **more: Any) -> TronChain:
    """A chain whose tip is the block, at which the holder has so much, with its own key's power."""
    made = TronChain(HEIGHT, **more)
    made.held[HOLDER] = held
    made.permissions.setdefault(HOLDER, {})
    return made


def later(held: int, *moves: tuple[bytes, bytes, int], **more: Any) -> TronChain:
    """The same, some transfers later."""
    made = chain(held, **more)
    for move in moves:
        made.move(*move)
    return made


def ask(rows: Rows, at: TronChain, change: Change = lambda asked, answer: answer) -> Holding:
    with serve(at, change) as url:
        return rows.ask(url)


IN, OUT = (STRANGER, HOLDER, 70_000), (HOLDER, STRANGER, 70_000)


def test_without_a_node_neither_amount_nor_authority_is_known(token: Rows) -> None:
    (row,) = token.evidence[0].rows
    assert (row.level, row.has_authority, row.known) == (Level.CLAIMED, False, Level.CLAIMED)


@pytest.mark.parametrize(
    "at",
    [
        chain(),
        chain(AMOUNT + 1),
        later(AMOUNT, IN),
        later(AMOUNT, OUT),
        later(AMOUNT, OUT, IN, OUT, OUT),
        later(AMOUNT, (HOLDER, STRANGER, AMOUNT)),
        later(AMOUNT, (HOLDER, HOLDER, 9)),
        later(AMOUNT, *[IN, OUT] * 30),
    ],
)
def test_what_was_there_is_confirmed(token: Rows, at: TronChain) -> None:
    row = ask(token, at)
    assert (row.known, row.undecided) == (Level.CHAIN, "")


def test_the_block_s_time_is_the_node_s(token: Rows) -> None:
    with serve(chain()) as url:
        (found,) = TronNode(url).confirm(token.checked, token.evidence)
    assert found.block_times == {"tron": START + 3 * HEIGHT}


def test_less_at_the_tip_that_is_the_block_is_a_contradiction(token: Rows) -> None:
    with pytest.raises(Rejected) as rejected:
        ask(token, chain(AMOUNT - 1))
    assert rejected.value.code is Code.CHAIN_WRONG_AMOUNT
    assert rejected.value.where == "USDT, row 0"


@pytest.mark.parametrize(
    "at",
    [
        later(AMOUNT - 1, OUT),
        later(AMOUNT - 1, IN),
        later(0, (STRANGER, HOLDER, AMOUNT)),
        later(0, (STRANGER, HOLDER, 10 * AMOUNT)),
        later(AMOUNT - 1, (STRANGER, HOLDER, AMOUNT), (HOLDER, STRANGER, AMOUNT)),
        later(AMOUNT - 1, (HOLDER, HOLDER, AMOUNT)),
    ],
)
def test_what_came_later_confirms_nothing_and_rejects_nothing(token: Rows, at: TronChain) -> None:
    row = ask(token, at)
    assert row.known is Level.CLAIMED
    assert "does not show as much at the block" in row.undecided


def test_what_comes_while_the_node_is_asked_does_not_count(token: Rows) -> None:
    """The balance is read behind a deposit, whose block is not the tip that was met before."""
    at = later(AMOUNT - 1, OUT)

    def deposit(asked: str, answer: Any) -> Any:
        if asked == ASKED and at.calls.count(ASKED) == 1:
            at.move(*IN)
            return at.call(at.bodies[-1])
        return answer

    row = ask(token, at, deposit)
    assert row.known is Level.CLAIMED
    honest = later(AMOUNT, OUT)
    seen: list[int] = []

    def withdraw(asked: str, answer: Any) -> Any:
        """It leaves behind the balance that was read, and must not be added to it."""
        if asked == ASKED and not seen:
            seen.append(1)
            honest.move(HOLDER, STRANGER, 5)
        return answer

    assert ask(token, honest, withdraw).known is Level.CHAIN
    poor = later(AMOUNT - 5, OUT)
    seen.clear()

    def withdraw_of_poor(asked: str, answer: Any) -> Any:
        if asked == ASKED and not seen:
            seen.append(1)
            poor.move(HOLDER, STRANGER, 5)
        return answer

    assert ask(token, poor, withdraw_of_poor).known is Level.CLAIMED


def test_a_node_without_the_logs_of_a_deposit_confirms_nothing(token: Rows) -> None:
    """Its index began later: it says that nothing came, of the blocks in which something did."""
    at = later(0, (STRANGER, HOLDER, AMOUNT), *[IN, OUT] * 20)
    at.indexed = HEIGHT + 20
    row = ask(token, at)
    assert row.known is Level.CLAIMED
    assert "the node tells of no transfer at all in blocks" in row.undecided


def test_a_node_whose_index_lags_confirms_nothing(token: Rows) -> None:
    at = later(0, *[IN, OUT] * 20, (STRANGER, HOLDER, AMOUNT))

    def lag(asked: str, answer: Any) -> Any:
        if asked == "eth_getLogs":
            logs = [log for log in answer["result"] if int(log["blockNumber"], 16) < HEIGHT + 20]
            return {**answer, "result": logs}
        return answer

    row = ask(token, at, lag)
    assert row.known is Level.CLAIMED
    assert "no transfer at all" in row.undecided


def test_a_hole_between_ranges_is_seen(token: Rows, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tron_amounts, "BLOCKS_A_RANGE", 20)
    at = later(0, *[OUT, IN] * 12, (STRANGER, HOLDER, AMOUNT), *[OUT, IN] * 30)

    def hole(asked: str, answer: Any) -> Any:
        if asked == "eth_getLogs":
            logs = [
                log
                for log in answer["result"]
                if not HEIGHT + 21 <= int(log["blockNumber"], 16) <= HEIGHT + 40
            ]
            return {**answer, "result": logs}
        return answer

    assert ask(token, at, hole).known is Level.CLAIMED
    assert ask(token, later(AMOUNT, *[OUT, IN] * 40)).known is Level.CHAIN


def test_a_token_that_was_not_read_is_known_at_the_block_alone(tmp_path: Path) -> None:
    """Its balances may grow without a log, as those of wrapped TRX do."""
    rows = rows_of(tmp_path, OTHER)
    other = bytes([7]) * 20
    assert ask(rows, chain(token=other)).known is Level.CHAIN
    row = ask(rows, later(AMOUNT, OUT, token=other))
    assert row.known is Level.CLAIMED
    assert "at its tip alone" in row.undecided
    with pytest.raises(Rejected, match=r"chain\.wrong-amount"):
        ask(rows, chain(AMOUNT - 1, token=other))


def test_a_contract_that_is_none_is_undecided(tmp_path: Path) -> None:
    row = ask(rows_of(tmp_path, OTHER), chain())
    assert row.known is Level.CLAIMED
    assert "contract does not answer" in row.undecided


def test_a_token_that_has_handed_over_its_balances(token: Rows) -> None:
    row = ask(token, later(AMOUNT, OUT, is_deprecated=True))
    assert row.known is Level.CLAIMED
    assert "handed its balances to another" in row.undecided


def test_an_old_block_is_undecided(token: Rows) -> None:
    at = later(AMOUNT, OUT)
    at.tip = HEIGHT + tron_amounts.MOST_BLOCKS + 1
    row = ask(token, at)
    assert row.known is Level.CLAIMED
    assert "more than 201600 blocks below" in row.undecided
    assert "eth_getLogs" not in at.calls


def test_logs_that_are_too_many_are_asked_for_in_parts(
    token: Rows, monkeypatch: pytest.MonkeyPatch
) -> None:
    at = later(AMOUNT, *[IN, OUT] * 50)

    def strict(asked: str, answer: Any) -> Any:
        if asked == "eth_getLogs" and len(answer["result"]) > 25:
            error = {"code": -32005, "message": "query returned more than 25 results"}
            return {"jsonrpc": "2.0", "id": answer["id"], "error": error}
        return answer

    assert ask(token, at, strict).known is Level.CHAIN
    monkeypatch.setattr(tron_amounts, "MOST_CALLS", 5)
    row = ask(token, at, strict)
    assert (row.known, row.undecided) == (Level.CLAIMED, "the node's logs take too many questions")
    monkeypatch.setattr(tron_amounts, "MOST_CALLS", 500)
    monkeypatch.setattr(tron_amounts, "MOST_TRANSFERS", 5)
    row = ask(token, at, strict)
    assert (row.known, row.undecided) == (
        Level.CLAIMED,
        "there were too many transfers since the block",
    )


def test_many_accounts_are_asked_for_in_batches(
    token: Rows, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tron_amounts, "ACCOUNTS_A_BATCH", 2)
    at = later(AMOUNT, OUT)
    accounts = [bytes([number]) * 20 for number in range(5)]
    for number, account in enumerate(accounts):
        at.held[account] = 100 + number
        at.move(STRANGER, account, 50)
    with serve(at) as url:
        rpc = TronRpc(url)
        found = tron_amounts.TronAmounts(rpc, rpc.block(HEIGHT)).tokens(USDT, accounts)
        assert dict(found) == {
            account: tron_amounts.Held(100 + number, is_exact=False)
            for number, account in enumerate(accounts)
        }
        rpc.rpc.close()


def with_coins(traced: dict[int, int], **more: Any) -> TronChain:
    return chain(coins={HOLDER: traced}, **more)


def test_coins_at_the_very_block(coin: Rows) -> None:
    assert ask(coin, with_coins({HEIGHT: AMOUNT})).known is Level.CHAIN
    at = with_coins({HEIGHT - 9: 1, HEIGHT: AMOUNT, HEIGHT + 3: 0})
    at.tip = HEIGHT + 10
    assert ask(coin, at).known is Level.CHAIN
    with pytest.raises(Rejected, match=r"chain\.wrong-amount: TRX, row 0"):
        ask(coin, with_coins({HEIGHT: AMOUNT - 1}))


def test_coins_that_changed_before_the_block_and_are_there_still(coin: Rows) -> None:
    for now in (AMOUNT, AMOUNT + 1):
        at = with_coins({HEIGHT - 9: AMOUNT}, permissions={HOLDER: {"balance": now}})
        assert ask(coin, at).known is Level.CHAIN


@pytest.mark.parametrize(
    ("at", "said"),
    [
        (with_coins({HEIGHT: AMOUNT}, has_history=False), "0 TRX, as one without history"),
        (with_coins({}), "0 TRX, as one without history"),
        (with_coins({HEIGHT: 0}), "0 TRX, as one without history"),
        (with_coins({HEIGHT - 1: AMOUNT}), "less is there now"),
        (
            with_coins({HEIGHT - 1: AMOUNT}, permissions={HOLDER: {"balance": AMOUNT - 1}}),
            "less is there now",
        ),
        (
            with_coins({HEIGHT - 1: AMOUNT - 1}, permissions={HOLDER: {"balance": AMOUNT}}),
            "does not show as much",
        ),
    ],
)
def test_coins_of_which_a_node_tells_too_little(coin: Rows, at: TronChain, said: str) -> None:
    row = ask(coin, at)
    assert row.known is Level.CLAIMED
    assert said in row.undecided


SECOND = bytes([9]) * 20


@pytest.mark.parametrize(
    "permission",
    [
        {},
        owner((HOLDER, 1)),
        owner((SECOND, 1), (HOLDER, 2), threshold=2),
        owner((HOLDER, 3), threshold=2),
    ],
)
def test_a_key_with_power_over_its_account(token: Rows, permission: dict[str, Any]) -> None:
    at = later(AMOUNT, OUT)
    at.permissions[HOLDER] = permission
    row = ask(token, at)
    assert (row.has_authority, row.known) == (True, Level.CHAIN)


@pytest.mark.parametrize(
    "permission",
    [
        owner((SECOND, 1)),
        owner((HOLDER, 1), threshold=2),
        owner((HOLDER, 1), (SECOND, 1), threshold=2),
        owner((HOLDER, 0)),
    ],
)
def test_a_key_that_has_lost_its_power(token: Rows, permission: dict[str, Any]) -> None:
    """Where the tip is the block it had none then; later it may have been taken since."""
    at = chain()
    at.permissions[HOLDER] = permission
    with pytest.raises(Rejected) as rejected:
        ask(token, at)
    assert rejected.value.code is Code.CHAIN_BAD_OWNERSHIP
    at = later(AMOUNT, OUT)
    at.permissions[HOLDER] = permission
    row = ask(token, at)
    assert (row.level, row.has_authority, row.known) == (Level.CHAIN, False, Level.CLAIMED)
    assert "has no power over the account now" in row.undecided


def test_an_account_that_the_node_does_not_know(token: Rows) -> None:
    at = later(AMOUNT, OUT)
    del at.permissions[HOLDER]
    row = ask(token, at)
    assert (row.level, row.known) == (Level.CHAIN, Level.CLAIMED)
    assert "does not know the account" in row.undecided


def test_another_network_is_no_verdict(token: Rows) -> None:
    for genesis in ("00" * 32, "0000000000000000d698d4192c56cb6be724a558448e2684802de4d6cd8690dc"):
        with pytest.raises(CannotCheck, match="is not that of Tron's main network"):
            ask(token, chain(genesis=genesis))


def test_a_node_that_has_not_got_to_the_block_is_no_verdict(token: Rows) -> None:
    at = chain()
    at.tip = HEIGHT - 1
    with pytest.raises(CannotCheck, match=f"solid block is {HEIGHT - 1}, and not yet {HEIGHT}"):
        ask(token, at)


def test_another_block_at_the_height_is_a_contradiction(tmp_path: Path) -> None:
    other = HEIGHT.to_bytes(8, "big").hex() + "ab" * 24
    rows = rows_of(tmp_path, USDT_TEXT, block_id=other)
    with pytest.raises(Rejected) as rejected:
        ask(rows, chain())
    assert (rejected.value.code, rejected.value.where) == (Code.CHAIN_WRONG_BLOCK, "tron")


def test_a_tip_that_goes_back_is_no_verdict(token: Rows) -> None:
    at = later(AMOUNT, OUT, IN)

    def back(asked: str, answer: Any) -> Any:
        if asked == ASKED:
            at.tip = HEIGHT + 1
        return answer

    with pytest.raises(CannotCheck, match="tip goes back"):
        ask(token, at, back)


BLOCK, ACCOUNT, LOGS = "/walletsolidity/getblock", "/walletsolidity/getaccount", "eth_getLogs"
WORD = "0" * 63 + "9"


def logged(**fields: Any) -> Callable[[Any], Any]:
    """An answer in which some fields of every log are others."""
    return lambda answer: {
        **answer,
        "result": [{**log, **fields} for log in answer["result"]],
    }


def without_index(log: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in log.items() if name != "logIndex"}


def done(**fields: Any) -> Callable[[Any], Any]:
    return lambda answer: {**answer, **fields}


@pytest.mark.parametrize(
    ("asked", "change"),
    [
        (BLOCK, lambda answer: []),
        (BLOCK, lambda answer: {"blockID": answer["blockID"]}),
        (BLOCK, lambda answer: {**answer, "blockID": "zz" * 32}),
        (BLOCK, lambda answer: {**answer, "blockID": answer["blockID"][:-2]}),
        (BLOCK, lambda answer: {**answer, "block_header": {"raw_data": {"number": -1}}}),
        (BLOCK, lambda answer: {**answer, "block_header": {"raw_data": {"number": HEIGHT + 1}}}),
        (BLOCK, lambda answer: {**answer, "block_header": {"raw_data": []}}),
        (BLOCK, lambda answer: {"Error": "class java.lang.Exception : no"}),
        (BLOCK, lambda answer: b"<html>"),
        (BLOCK, lambda answer: b" " * 2**21),
        (ASKED, lambda answer: {}),
        (ASKED, done(result=True)),
        (ASKED, done(constant_result=WORD)),
        (ASKED, done(constant_result=[])),
        (ASKED, done(constant_result=[WORD, WORD])),
        (ASKED, done(constant_result=[7])),
        (ACCOUNT, lambda answer: []),
        (ACCOUNT, lambda answer: {"address": "41" + "00" * 20}),
        (ACCOUNT, done(owner_permission=[])),
        (ACCOUNT, done(owner_permission={"threshold": 1})),
        (ACCOUNT, done(owner_permission={"threshold": 1, "keys": []})),
        (ACCOUNT, done(owner_permission={"threshold": 1, "keys": [7]})),
        (ACCOUNT, done(owner_permission={"threshold": 1, "keys": [{"weight": "1"}]})),
        (ACCOUNT, done(owner_permission={"threshold": 1, "keys": [{"weight": 1}] * 65})),
        (ACCOUNT, done(**owner((HOLDER, 1), threshold=0))),
        (ACCOUNT, done(**owner((HOLDER, -1)))),
        (LOGS, lambda answer: {**answer, "result": {}}),
        (LOGS, lambda answer: {**answer, "result": [7]}),
        (LOGS, logged(topics=[])),
        (LOGS, logged(topics=["0x" + "11" * 32] * 3)),
        (LOGS, logged(data="0x")),
        (LOGS, logged(data=None)),
        (LOGS, logged(address="0x" + "11" * 20)),
        (LOGS, logged(removed=True)),
        (LOGS, logged(blockNumber=hex(HEIGHT))),
        (LOGS, logged(blockNumber="latest")),
        (LOGS, logged(blockNumber=hex(HEIGHT + 1).upper())),
        (LOGS, logged(transactionHash=None)),
        (LOGS, logged(transactionHash="11" * 33)),
        (LOGS, logged(logIndex=None)),
        (LOGS, logged(logIndex=0)),
        (LOGS, logged(logIndex="0x00")),
        (LOGS, logged(logIndex="0x")),
        (LOGS, lambda answer: {**answer, "result": [*map(without_index, answer["result"])]}),
        (LOGS, lambda answer: {**answer, "result": answer["result"] * 2}),
        (LOGS, logged(topics=[TRANSFER, topic(STRANGER), topic(STRANGER)])),
        (LOGS, logged(topics=[TRANSFER, topic(HOLDER), topic(STRANGER)])),
        (LOGS, logged(topics=[TRANSFER, topic(STRANGER), topic(HOLDER)])),
        (LOGS, logged(topics=[TRANSFER, topic(HOLDER), topic(b"\x41" + HOLDER)])),
        (LOGS, logged(topics=[TRANSFER, *[topic(HOLDER)] * 3])),
    ],
)
def test_an_answer_of_another_form_is_no_verdict(
    token: Rows, asked: str, change: Callable[[Any], Any]
) -> None:
    moved = later(AMOUNT, OUT, IN)
    with pytest.raises(CannotCheck) as raised:
        ask(token, moved, lambda at, answer: change(answer) if at == asked else answer)
    assert raised.value.code is Code.CHECK_UNREADABLE


@pytest.mark.parametrize("said", [b"<html>", b"[" * 2**16])
def test_what_is_no_answer_to_the_logs_leaves_a_row_as_it_was(token: Rows, said: bytes) -> None:
    row = ask(token, later(AMOUNT, OUT, IN), lambda at, answer: said if at == LOGS else answer)
    assert row.known is Level.CLAIMED
    assert "no answer of JSON-RPC" in row.undecided


@pytest.mark.parametrize(
    "change",
    [
        done(result={"result": False}),
        done(result={"result": True, "message": "REVERT opcode executed"}),
        done(transaction={"ret": [{"ret": "FAILED"}]}),
        done(constant_result=[""]),
        done(constant_result=[WORD + "00"]),
        done(constant_result=["zz" * 32]),
        lambda answer: {"Error": "class org.tron.core.exception: busy"},
    ],
)
def test_a_contract_that_gives_no_balance_is_undecided(
    token: Rows, change: Callable[[Any], Any]
) -> None:
    row = ask(token, chain(), lambda at, answer: change(answer) if at == ASKED else answer)
    assert (row.level, row.known) == (Level.CLAIMED, Level.CLAIMED)
    assert row.undecided


@pytest.mark.parametrize("number", [-32602, -32601, -32000, -32005])
def test_logs_that_the_node_does_not_tell_are_undecided(token: Rows, number: int) -> None:
    def fail(asked: str, answer: Any) -> Any:
        if asked == LOGS:
            return {"id": answer["id"], "error": {"code": number, "message": "no"}}
        return answer

    assert ask(token, later(AMOUNT, OUT), fail).known is Level.CLAIMED


def test_a_balance_that_is_no_number_is_no_verdict(coin: Rows) -> None:
    answers: list[Any] = [{"balance": "7"}, {"balance": -1}, {"balance": 7}, []]
    for answer in answers:
        change = partial(replaced, answer)
        with pytest.raises(CannotCheck):
            ask(coin, with_coins({HEIGHT: AMOUNT}), change)


def replaced(answer: Any, asked: str, told: Any) -> Any:
    return answer if asked == "/wallet/getaccountbalance" else told


def test_the_url_may_have_a_path_and_credentials(token: Rows) -> None:
    with serve(later(AMOUNT, OUT)) as url:
        with_slash = url.replace("http://", "http://me:secret@") + "/"
        assert token.ask(with_slash).known is Level.CHAIN
    with pytest.raises(CannotCheck, match="HTTP status 405"), serve(chain()) as url:
        token.ask(url + "/elsewhere")
    with pytest.raises(CannotCheck) as raised:
        token.ask("http://me:secret@127.0.0.1:9")
    assert "secret" not in raised.value.message


def test_two_deposits_of_one_transaction_count_twice(token: Rows) -> None:
    def together(asked: str, answer: Any) -> Any:
        if asked != "eth_getLogs":
            return answer
        logs = [{**log, "transactionHash": "0x" + "ab" * 32} for log in answer["result"]]
        return {**answer, "result": logs}

    assert ask(token, later(AMOUNT, IN, IN), together).known is Level.CHAIN
    assert ask(token, later(AMOUNT - 1, IN, IN), together).known is Level.CLAIMED


def test_a_slow_token_says_nothing_of_another(tmp_path: Path) -> None:
    """Two tokens at the tip that is the block: the first, which nobody knows, is slow."""
    specs = [
        Spec(code, 6, (("tron", contract, 6),), (("tron account", contract, AMOUNT),))
        for code, contract in (("OTHER", OTHER), ("USDT", USDT_TEXT))
    ]
    block = bytes.fromhex(TronChain(HEIGHT).block_id(HEIGHT))
    customers = {"bob@example.com": {"USDT": [1]}}
    forger = sample(specs, customers, chains=[("tron", HEIGHT, block)]).forger
    bundle = write_files(tmp_path / "bundle", forger.bundle())
    checked, evidence = read_rows(bundle, forger.public_key)
    at = chain(AMOUNT - 1)

    def slow(asked: str, answer: Any) -> Any:
        if asked == ASKED and at.bodies[-1]["contract_address"] != "41" + USDT.hex():
            time.sleep(1)
        return answer

    with serve(at, slow) as url, pytest.raises(Rejected, match="USDT, row 0"):
        TronNode(url, timeout=0.5).confirm(checked, evidence)
    at.held[HOLDER] = AMOUNT
    with serve(at, slow) as url:
        found = TronNode(url, timeout=0.5).confirm(checked, evidence)
    assert [each.level for each in found] == [Level.CLAIMED, Level.CHAIN]
