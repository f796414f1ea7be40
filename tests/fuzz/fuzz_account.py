"""Account ids: both verifiers make the same canonical form of any text, and it is its own."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

# isort: split
from spec.reference import account
from tests.fuzz.corpus import run
from tests.vectors.make_basics import ACCOUNT_IDS
from verifier.format.account import AccountError, IdType, canonical_account_id, canonical_name

TYPES: tuple[IdType, ...] = ("email", "phone", "opaque")


def text_of(data: bytes) -> str:
    """Text with whatever code points, surrogates included: UTF-8, else UTF-16."""
    try:
        return data.decode("utf-8", "surrogatepass")
    except UnicodeDecodeError:
        return data[: len(data) // 2 * 2].decode("utf-16-le", "surrogatepass")


def target(data: bytes) -> None:
    kind, text = TYPES[data[0] % 3] if data else "opaque", text_of(data[1:])
    try:
        ours = canonical_account_id(text, kind)
    except AccountError:
        ours = None
    try:
        theirs = account.canonical(kind, text)
    except ValueError:
        theirs = None
    if ours != theirs:
        raise AssertionError(f"the verifiers differ on {text!a} as {kind}")
    if ours is not None and canonical_account_id(ours, kind) != ours:
        raise AssertionError("a canonical form is not its own")
    try:
        name = canonical_name(text)
    except AccountError:
        return
    if canonical_name(name) != name or len(name.encode()) > 64:
        raise AssertionError("a canonical name is not its own")


if __name__ == "__main__":
    texts = [text.encode("utf-8", "surrogatepass") for _, text, _ in ACCOUNT_IDS]
    run(target, [bytes([n]) + text for text in texts for n in range(3)], 600)
