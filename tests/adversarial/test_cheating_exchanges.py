"""Exchanges that lie: the attacks other systems fell to, each against the installed verifier.

An attack is told of a fresh exchange (random name, keys of customers and padding as derived); the
frozen ones are in spec/vectors.
"""

from __future__ import annotations

import os
from array import array
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

import pytest

import native
import spec.reference as reference
import verifier
from tests.support import leaves_forge
from tests.support.forge import INFINITY, N, Opening, combine
from tests.support.forged_sample import (
    ALICE,
    BOB,
    BTC,
    ETH,
    Sample,
    account_key,
    sample,
    signed,
)
from tests.support.forger import Asset, Fields, Leaf, Lies, Page
from tests.support.leaves_forge import Prover, Reader, bent
from tests.support.subjects import write_files
from tests.vectors.make_leaves import MOVED, sum_low
from tests.vectors.make_trees import bent_leaves
from verifier.checks.holdings import CheckedEvidence

Files = dict[str, bytes]
Identity = dict[str, Any]


@pytest.fixture
def identity(rng: Random) -> Identity:
    return {
        "exchange": f"Exchange {rng.getrandbits(64)}",
        "snapshot_id": f"s-{rng.getrandbits(60)}",
    }


def audit(made: Sample, files: Files, folder: Path, jobs: int = 1) -> tuple[str, str] | None:
    """Code and place of the fault that an audit finds."""
    try:
        verifier.audit(write_files(folder, files), made.forger.public_key, jobs=jobs)
    except verifier.Rejected as fault:
        return fault.code.value, fault.where
    return None


def inclusion(
    made: Sample, files: Files, folder: Path, account: str, package: bytes, **typed: str
) -> str | None:
    """The code that a light check ends with."""
    bundle = write_files(folder, files)
    key = made.forger.public_key
    try:
        verifier.check_inclusion(package, bundle, key, account, typed, only=True)
    except verifier.Rejected as fault:
        return fault.code.value
    return None


def asset_of(made: Sample, code: str) -> Asset:
    return next(asset for asset in made.forger.assets if asset.code == code)


# --- customers


def test_one_leaf_cannot_be_shown_to_two_customers(identity: Identity, tmp_path: Path) -> None:
    """Two equal balances, one leaf, which is Alice's: every way of showing it to Bob."""
    customers = {ALICE: {"ETH": [3_500_000_000]}, BOB: {}}
    made = sample([ETH], customers, **identity)
    files = made.forger.bundle()
    assert audit(made, files, tmp_path / "bundle") is None
    shown = made.forger.parts(asset_of(made, "ETH"), made.parts[ALICE]["ETH"])

    def told(**changed: object) -> str | None:
        def edit(fields: Fields) -> None:
            fields["assets"][0]["parts"] = shown
            fields.update(changed)

        package = made.package(files["manifest.msgpack"], BOB, edit)
        return inclusion(made, files, tmp_path / "bundle", BOB, package, ETH="3.5")

    assert told() == "inclusion.wrong-identity"
    assert told(account_key=account_key(ALICE)) == "inclusion.wrong-identity"
    assert told(account_id=ALICE) == "package.wrong-account"
    assert told(account_id=ALICE, account_key=account_key(ALICE)) == "package.wrong-account"


def test_an_omitted_customer_notices(identity: Identity, tmp_path: Path) -> None:
    """Bob is not in the tree: whatever leaf he is shown, and if he is shown none."""
    customers = {ALICE: {"ETH": [3_500_000_000]}, BOB: {}}
    made = sample([ETH], customers, **identity)
    files = made.forger.bundle()
    for leaf in range(16):

        def edit(fields: Fields, leaf: int = leaf) -> None:
            shown = made.forger.parts(asset_of(made, "ETH"), [(leaf, 5)])
            fields["assets"][0]["parts"] = shown

        package = made.package(files["manifest.msgpack"], BOB, edit)
        found = inclusion(made, files, tmp_path / "bundle", BOB, package, ETH="0.000000005")
        assert found == "inclusion.wrong-identity"
    empty = made.package(files["manifest.msgpack"], BOB)
    found = inclusion(made, files, tmp_path / "bundle", BOB, empty, ETH="0.000000005")
    assert found == "inclusion.balance-short"


def test_a_smaller_balance_is_noticed(identity: Identity, tmp_path: Path) -> None:
    """A leaf of one unit less opens to that alone."""
    made = sample([ETH], {ALICE: {"ETH": [3_499_999_999]}}, **identity)
    files = made.forger.bundle()

    def raised(fields: Fields) -> None:
        fields["assets"][0]["parts"][0]["amount"] += 1

    honest = made.package(files["manifest.msgpack"], ALICE)
    lying = made.package(files["manifest.msgpack"], ALICE, raised)
    found = [inclusion(made, files, tmp_path / "b", ALICE, p, ETH="3.5") for p in (honest, lying)]
    assert found == ["inclusion.balance-short", "inclusion.wrong-amount"]


def test_two_manifests_for_one_snapshot(identity: Identity, tmp_path: Path) -> None:
    """Different roots shown to different people: a package tells which it is for."""
    mine = sample([ETH], {ALICE: {"ETH": [7]}, BOB: {}}, **identity)
    theirs = sample([ETH], {ALICE: {}, BOB: {"ETH": [7]}}, **identity)
    shown, other = mine.forger.bundle(), theirs.forger.bundle()
    package = mine.package(shown["manifest.msgpack"], ALICE)
    found = inclusion(theirs, other, tmp_path / "other", ALICE, package, ETH="0.000000007")
    assert found == "package.wrong-manifest"
    with pytest.raises(verifier.Rejected, match=r"^manifest\.equivocation"):
        verifier.audit(
            write_files(tmp_path / "other", other),
            theirs.forger.public_key,
            previous=write_files(tmp_path / "mine", shown),
        )


def test_a_package_of_another_snapshot(identity: Identity, tmp_path: Path) -> None:
    """Even with the digest and signature of this one: the identity binds the context."""
    old = sample([ETH], **identity)
    new = sample([ETH], **(identity | {"snapshot_id": "next"}))
    files = new.forger.bundle()
    leaf = old.parts[ALICE]["ETH"][0][0]
    new_asset, old_asset = asset_of(new, "ETH"), asset_of(old, "ETH")
    assert new_asset.leaves[leaf] != old_asset.leaves[leaf]
    new_asset.leaves[leaf] = old_asset.leaves[leaf]
    files = new.forger.bundle()
    assert audit(new, files, tmp_path / "b") is None
    package = new.package(files["manifest.msgpack"], ALICE)
    found = inclusion(new, files, tmp_path / "b", ALICE, package, ETH="3.5")
    assert found == "inclusion.wrong-identity"


def test_an_amount_is_opened_for_nobody_else(identity: Identity, tmp_path: Path) -> None:
    """The parts of two customers with equal amounts: openings and paths exchanged, one or both."""
    made = sample([ETH], {ALICE: {"ETH": [7]}, BOB: {"ETH": [7]}}, **identity)
    files = made.forger.bundle()
    shown = made.forger.parts(asset_of(made, "ETH"), made.parts[BOB]["ETH"])[0]
    for fields_of_bob, expected in (
        (("opening",), "inclusion.wrong-amount"),
        (("path",), "inclusion.wrong-identity"),
        (("leaf", "path"), "inclusion.wrong-identity"),
        (("leaf", "opening", "path"), "inclusion.wrong-identity"),
    ):

        def edit(fields: Fields, names: Sequence[str] = fields_of_bob) -> None:
            part = fields["assets"][0]["parts"][0]
            part.update({name: shown[name] for name in names})

        package = made.package(files["manifest.msgpack"], ALICE, edit)
        found = inclusion(made, files, tmp_path / "b", ALICE, package, ETH="0.000000007")
        assert found == expected


# --- liabilities


def test_a_childs_sum_cannot_be_moved(identity: Identity, rng: Random, tmp_path: Path) -> None:
    """A parent that states less for a child than its page holds, or moves it to another child."""
    moved = rng.randrange(1, 2**60)
    for index in range(3):

        def child(
            code: str, level: int, at: int, page_id: bytes, opening: Opening, index: int = index
        ) -> tuple[bytes, Opening]:
            value, blinding = opening
            if at == index:
                value += moved
            if at == (index + 1) % 3:
                value = (value - moved) % 2**64
            return page_id, (value, blinding)

        rich = replace(BTC, holdings=(("p2wpkh", "", 2**80),))
        made = sample([rich], lies=Lies(child=child), **identity)
        found = audit(made, made.forger.bundle(), tmp_path / f"{index}")
        assert found == ("page.wrong-child-sum", "BTC, level 1, page 0")


def test_negative_balances(identity: Identity, rng: Random, tmp_path: Path) -> None:
    """A dummy customer who owes: the total is smaller, the digits are chosen at will."""
    for digit in (None, 1, 0):
        moved = MOVED[rng.randrange(2, 5)]

        def choose(it: Prover, digit: int | None = digit) -> None:
            if digit is not None:
                it.digits = [digit] * len(it.digits)

        bend = bent({"witness": choose} | (moved if digit is not None else {}))
        made = sample([ETH], lies=bent_leaves("ETH", 0, bend), **identity)
        leaves = asset_of(made, "ETH").leaves
        zero = next(place for place, leaf in enumerate(leaves) if leaf.amount == 0)
        leaves[zero] = Leaf(-rng.randrange(1, 7_000_000_000), leaves[zero].identity)
        found = audit(made, made.forger.bundle(), tmp_path / "b")
        assert found == ("argument.rejected", "ETH, level 0, page 0")


def test_a_debt_beside_a_customer(identity: Identity, rng: Random, tmp_path: Path) -> None:
    """A debt in the slot next to Alice's: her opening holds, the page's argument does not."""
    made = sample([ETH], **identity)
    leaves = asset_of(made, "ETH").leaves
    slot = next(place for place, leaf in enumerate(leaves) if leaf.amount == 0)
    leaves[slot] = Leaf(-rng.randrange(1, 10**15), leaves[slot].identity)
    files = made.forger.bundle()
    package = made.package(files["manifest.msgpack"], ALICE)
    typed = {"ETH": "3.5"}
    found = inclusion(made, files, tmp_path / "b", ALICE, package, **typed)
    assert found == "argument.rejected"
    bare = {path: data for path, data in files.items() if not path.startswith("arguments")}
    key = made.forger.public_key
    with pytest.raises(verifier.CannotCheck, match=r"^check\.not-proved"):
        verifier.check_inclusion(
            package, write_files(tmp_path / "bare", bare), key, ALICE, typed, only=True
        )


def test_a_debt_in_one_asset_does_not_cover_another(identity: Identity, tmp_path: Path) -> None:
    """No netting: what is short in ETH is short, however rich the exchange is in BTC."""
    poor = replace(ETH, holdings=())
    rich = replace(BTC, holdings=(("p2wpkh", "", 2**60),))
    made = sample([rich, poor], **identity)
    assert audit(made, made.forger.bundle(), tmp_path / "b") == (
        "argument.rejected",
        "ETH, solvency",
    )


def test_parameters_come_from_no_proof(identity: Identity, tmp_path: Path) -> None:
    """A tree of another shape than the manifest's, proved honestly for that shape."""
    made = sample([replace(ETH, capacity=2)], **identity)
    made.forger.lies = Lies(
        manifest=lambda fields: fields["assets"][0].update(capacity=1, levels=1)
    )
    found = audit(made, made.forger.bundle(), tmp_path / "b")
    assert found == ("bundle.unexpected-file", "pages/ETH/1")
    made = sample([ETH], **identity)
    made.forger.lies = Lies(
        manifest=lambda fields: fields["assets"][0].update(ratio={"den": 2, "num": 1})
    )
    found = audit(made, made.forger.bundle(), tmp_path / "b2")
    assert found == ("manifest.ratio-below-policy", "manifest, ETH")


# --- assets


def test_ownership_signatures_of_another_message(identity: Identity, tmp_path: Path) -> None:
    """Signatures made for another exchange or snapshot, or for another block."""
    for changed in (
        {"exchange": "Another"},
        {"snapshot_id": "another"},
        {"signing_seed": os.urandom(32)},
        {"chains": [("ethereum", 1, os.urandom(32))]},
    ):
        other = sample([], {}, **(identity | changed))
        text = signed("account", other.forger.ownership_message("ethereum")).signature

        def evidence(code: str, fields: Fields, text: str = text) -> None:
            fields["signatures"][0]["text"] = text

        made = sample([ETH], lies=Lies(evidence=evidence), **identity)
        found = audit(made, made.forger.bundle(), tmp_path / "b")
        assert found == ("evidence.bad-signature", "ETH, signature 0")


def test_an_address_counts_once(identity: Identity, tmp_path: Path) -> None:
    def twice(code: str, fields: Fields) -> None:
        fields["rows"] = [fields["rows"][0]] * 2

    made = sample([ETH], lies=Lies(evidence=twice), **identity)
    found = audit(made, made.forger.bundle(), tmp_path / "b")
    assert found == ("evidence.duplicate-address", "ETH, row 1")


def test_coins_cannot_be_added_after_the_proof(identity: Identity, tmp_path: Path) -> None:
    """C_L too small, C_A too large, or another ratio than the argument's."""
    insolvent = replace(ETH, holdings=(("account", "", 10**18),))
    lies: Sequence[Lies] = (
        Lies(solvency=lambda code, value: 0),
        Lies(solvency=lambda code, value: N - value),
        Lies(solvency=lambda code, value: value % 2**128),
        Lies(root=lambda code, page_id, opening: (page_id, (opening[0] - 6 * 10**9, opening[1]))),
    )
    found = []
    for number, lie in enumerate(lies):
        made = sample([insolvent], lies=lie, **identity)
        found.append(audit(made, made.forger.bundle(), tmp_path / str(number)))
    assert found == [("argument.rejected", "ETH, solvency")] * 3 + [
        ("page.wrong-root-sum", "ETH, level 0, page 0")
    ]


def test_what_is_false_is_rejected_whatever_a_node_is_silent_about(
    identity: Identity, tmp_path: Path
) -> None:
    class Silent:
        """A node that does not answer."""

        def confirm(self, *_: object) -> list[CheckedEvidence]:
            raise verifier.CannotCheck(verifier.Code.CHECK_UNREADABLE, "no answer")

    insolvent = replace(ETH, holdings=(("account", "", 10**18),))
    lies = Lies(solvency=lambda code, value: 0)
    for spec, error in ((insolvent, verifier.Rejected), (ETH, verifier.CannotCheck)):
        made = sample([spec], lies=lies if spec is insolvent else None, **identity)
        bundle = write_files(tmp_path / error.__name__, made.forger.bundle())
        for check in (verifier.audit, verifier.check_solvency):
            with pytest.raises(error):
                check(bundle, made.forger.public_key, nodes={"ethereum": Silent()})


# --- batches


def cancelling(made: Sample) -> tuple[Asset, list[bytes]]:
    """Make page 0 of BTC false and page 1 take up its error: added, all equations hold.

    Return what each of the two pages' equations come to.
    """
    forger, asset = made.forger, asset_of(made, "BTC")
    low = bent({"witness": sum_low})
    forger.lies = bent_leaves("BTC", 0, low)
    (error,) = residuals(made, asset, 0)

    def take_up(it: Prover) -> None:
        it.announcements[3] = combine([(1, it.announcements[3]), (-1, error)])

    bends = {0: low, 1: bent({"announced": take_up})}
    forger.lies = Lies(leaves=lambda code, index: bends.get(index, leaves_forge.HONEST))
    return asset, residuals(made, asset, 0) + residuals(made, asset, 1)


def residuals(made: Sample, asset: Asset, index: int) -> list[bytes]:
    """What the equations of a page come to that do not hold."""
    page = made.forger.tree(asset)[0][index]
    state = made.forger.place(asset, index=index).state("leaves")
    found = Reader(asset.page_size).residuals(state, page.entries, page.argument)
    return [point for point in found.values() if point != INFINITY]


def test_errors_that_cancel_between_pages(identity: Identity) -> None:
    """The forgery is real: it passes where the equations of two pages are added without weights."""
    made = sample([BTC], **identity)
    asset, wrong = cancelling(made)
    assert len(wrong) == 2
    assert combine([(1, point) for point in wrong]) == INFINITY
    pages = made.forger.tree(asset)[0][:2]
    data = b"".join(page.encode() for page in pages)
    arguments = b"".join(page.argument for page in pages)
    for _ in range(10):
        with pytest.raises(native.PageRejected) as refused:
            native.pages_check(made.forger.place(asset).core(), 0, 0, data, arguments)
        assert (refused.value.index, refused.value.code) == (0, "argument.rejected")


def test_the_first_bad_page_is_named(identity: Identity, rng: Random, tmp_path: Path) -> None:
    """Whatever the faults, however many the threads; the exchange signed all of them.

    An argument that fails is named only once the pages led to the root (spec/errors.md, 3).
    """
    faults: dict[str, Callable[[bytes, bytes], tuple[bytes, bytes]]] = {
        "page.bad-header": lambda page, argument: (b"XXXX" + page[4:], argument),
        "page.bad-point": lambda page, argument: (page[:47] + bytes(33) + page[80:], argument),
        "argument.bad-point": lambda page, argument: (page, bytes(33) + argument[33:]),
        "argument.bad-scalar": lambda page, argument: (page, argument[:-32] + b"\xff" * 32),
        "argument.rejected": lambda page, argument: (
            page,
            argument[:-1] + bytes([argument[-1] ^ 1]),
        ),
    }
    for round_number in range(6):
        bad = {at: rng.choice(list(faults)) for at in rng.sample(range(20), rng.randrange(1, 6))}

        def change(code: str, page: Page, bad: dict[int, str] = bad) -> Page:
            if page.level == 0 and page.index in bad:
                data, argument = faults[bad[page.index]](page.encode(), page.argument)
                return replace(page, magic=data[:4], entries=data[15:], argument=argument)
            return page

        made = sample([replace(BTC, capacity=20)], lies=Lies(page=change), **identity)
        files = made.forger.bundle()
        first = min(bad, key=lambda at: (bad[at].startswith("argument"), at))
        for jobs in (1, 3):
            folder = tmp_path / f"{round_number}-{jobs}"
            found = audit(made, files, folder, jobs)
            assert found == (bad[first], f"BTC, level 0, page {first}")


def test_both_readers_name_the_same_of_two_bad_pages(identity: Identity, tmp_path: Path) -> None:
    """An argument that fails, and entries of a later page that do not decode, which come first."""

    def change(code: str, page: Page) -> Page:
        if (page.level, page.index) == (0, 0):
            return replace(page, argument=page.argument[:-1] + bytes([page.argument[-1] ^ 1]))
        if (page.level, page.index) == (0, 2):
            return replace(page, entries=page.entries[:32] + bytes(33) + page.entries[65:])
        return page

    made = sample([BTC], lies=Lies(page=change), **identity)
    files = made.forger.bundle()
    found = audit(made, files, tmp_path / "b")
    with pytest.raises(reference.Rejected) as refused:
        reference.audit(tmp_path / "b", made.forger.public_key)
    assert found is not None
    assert found[0] == refused.value.code == "page.bad-point"


def test_a_batch_of_one_bad_page_in_many(identity: Identity, rng: Random) -> None:
    """At any place of a batch of any size, and honest ones around it."""
    made = sample([replace(BTC, capacity=20)], **identity)
    asset = asset_of(made, "BTC")
    tree = made.forger.place(asset).core()
    amounts = array("Q", [leaf.amount for leaf in asset.leaves])
    identities = b"".join(leaf.identity for leaf in asset.leaves)
    leaves = native.leaves_commit(tree, 0, amounts, identities, rng.randbytes(32), bytes(32))
    blindings = leaves.vector_blindings, leaves.sum_blindings
    argued = native.pages_argue(
        tree, 0, 0, leaves.pages, amounts, *blindings, rng.randbytes(32), bytes(32)
    )
    length, argument_length = tree.page_length(0), tree.argument_length(0)
    for _ in range(20):
        first = rng.randrange(20)
        count = rng.randrange(1, 21 - first)
        pages = leaves.pages[first * length : (first + count) * length]
        batch = bytearray(argued[first * argument_length : (first + count) * argument_length])
        native.pages_check(tree, 0, first, pages, batch)
        at = rng.randrange(count)
        batch[(at + 1) * argument_length - 1] ^= 1 << rng.randrange(8)
        with pytest.raises(native.PageRejected) as refused:
            native.pages_check(tree, 0, first, pages, batch)
        assert (refused.value.index, refused.value.code) == (first + at, "argument.rejected")
