"""Lines of the lists that operators keep: blank ones at the end are no rows, all have an end."""

from __future__ import annotations

from pathlib import Path

import pytest

from prover.assets.bitcoin import read_coin_rows
from prover.errors import InputError
from prover.files.lists import read_list

COINS = f"address,txid,index,amount\na,{'ab' * 32},0,1\n"


def rows(file: Path) -> list[tuple[int, dict[str, str]]]:
    return list(read_list(file, ["a", "b"], ["a", "b"]))


@pytest.mark.parametrize("end", ["", "\n", "\n\n\n", "\r\n\r\n", "  \n\t\n", "\n "])
def test_blank_lines_at_the_end_are_no_rows(tmp_path: Path, end: str) -> None:
    (tmp_path / "l.csv").write_bytes(b"a,b\n1,2\n" + end.encode())
    (tmp_path / "l.jsonl").write_bytes(b'{"a": "1", "b": "2"}\n' + end.encode())
    (tmp_path / "coins.csv").write_bytes(COINS.encode() + end.encode())
    assert rows(tmp_path / "l.csv") == [(2, {"a": "1", "b": "2"})]
    assert rows(tmp_path / "l.jsonl") == [(1, {"a": "1", "b": "2"})]
    assert len(list(read_coin_rows(tmp_path / "coins.csv"))) == 1


@pytest.mark.parametrize(
    ("name", "text", "row"),
    [
        ("l.csv", "a,b\n1,2\n\n \n1,2\n", 3),
        ("l.csv", "a,b\n\n1,2\n", 2),
        ("l.jsonl", '{"a": "1", "b": "2"}\n\n{"a": "1", "b": "2"}\n', 2),
    ],
)
def test_a_blank_line_between_rows_is_refused(
    tmp_path: Path, name: str, text: str, row: int
) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(InputError, match=rf"{name}: row {row}: a blank line .*; remove it"):
        rows(tmp_path / name)


def test_so_is_one_between_coins(tmp_path: Path) -> None:
    (tmp_path / "coins.csv").write_text(COINS.replace("\na,", "\n\na,"))
    with pytest.raises(InputError, match=r"coins\.csv: row 2: a blank line .*; remove it"):
        list(read_coin_rows(tmp_path / "coins.csv"))


def test_a_row_of_empty_cells_is_a_row(tmp_path: Path) -> None:
    (tmp_path / "l.csv").write_text("a,b\n1,2\n,\n")
    assert rows(tmp_path / "l.csv")[1] == (3, {"a": "", "b": ""})
    (tmp_path / "l.csv").write_text("a,b\n1,2\n,,\n")
    with pytest.raises(InputError, match="row 3: 3 columns instead of 2"):
        rows(tmp_path / "l.csv")


@pytest.mark.parametrize("name", ["l.csv", "l.jsonl"])
def test_a_line_without_an_end_is_not_read_into_memory(tmp_path: Path, name: str) -> None:
    (tmp_path / name).symlink_to("/dev/zero")
    with pytest.raises(InputError, match="line 1: a line of more than 1,048,576 characters"):
        rows(tmp_path / name)
