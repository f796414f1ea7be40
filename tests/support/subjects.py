"""The two verifiers behind one face: each takes a vector and says what it found.

`verifier` is the package that users install, over the C core; `reference` is spec/reference.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import native
import spec.reference as reference
import verifier
from spec.reference.argument import Shape, verify_argument
from spec.reference.ethereum import Slot
from spec.reference.group import decode
from spec.reference.hidden import verify_hidden
from spec.reference.leaves import read_entries, verify_leaves, verify_opening
from spec.reference.transcript import Transcript
from tests.support.vector import Vector, bundle_files, load, patched

INFINITY = bytes(33)
# Where a vector names no other, the reader's clock: the first second of 2030.
CLOCK = 1_893_456_000


@dataclass(frozen=True)
class Outcome:
    """A code (None: accepted), where the fault is, and of an accepted package what it counts.

    `counted` is in ledger units as text, by asset; `not_compared` are codes of assets; `levels`
    say of each asset of an accepted bundle how its amounts are known, and `times` when the blocks
    are of whose headers are shown; `set_aside` are codes of assets that are not vouched for.
    `loans` are what is declared: lender, code, amount, and at how many addresses something is
    pledged for it; None if that could not be read. `pledged` has the rows of each asset that are
    pledged, and their ledger units.
    """

    code: str | None
    where: str = ""
    counted: Mapping[str, str] = field(default_factory=dict)
    not_compared: tuple[str, ...] = ()
    levels: Mapping[str, str] = field(default_factory=dict)
    times: Mapping[str, int] = field(default_factory=dict)
    set_aside: tuple[str, ...] = ()
    loans: list[list[Any]] | None = field(default_factory=list)
    pledged: Mapping[str, list[int]] = field(default_factory=dict)


def told(loans: Sequence[Any] | None) -> list[list[Any]] | None:
    """Declared loans, of either verifier, as vectors have them."""
    if loans is None:
        return None
    return [[loan.lender, loan.code, loan.amount, len(loan.pledged)] for loan in loans]


def write_files(folder: Path, files: Mapping[str, bytes]) -> Path:
    """Put files into a folder, made where it is not there."""
    folder.mkdir(exist_ok=True)
    for path, data in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(data)
    return folder


@contextmanager
def on_disk(vector: Vector) -> Iterator[tuple[Path, Path | None]]:
    """The bundle of a vector as a folder, and its previous manifest as another, if it has one."""
    files = bundle_files(vector.name)
    previous = vector.content.get("previous")
    with TemporaryDirectory() as name:
        bundle = write_files(Path(name) / "bundle", files)
        if previous is None:
            yield bundle, None
        else:
            held = {path: bytes.fromhex(data) for path, data in previous.items()}
            yield bundle, write_files(Path(name) / "previous", held)


def public_key(vector: Vector) -> bytes:
    """The key that the verifier's user pins: that of the base bundle."""
    while "public_key" not in vector.content:
        vector = load(vector.content["base"])
    return bytes.fromhex(vector.content["public_key"])


def argument_of(vector: Vector) -> tuple[bytes, int, list[bytes], bytes]:
    """State before item 5, width, commitments and argument."""
    content: dict[str, Any] = dict(vector.content)
    if "base" in content:
        content = dict(load(content["base"]).content)
        for key, change in vector.content["replace"].items():
            if key == "argument":
                change = patched(bytes.fromhex(content[key]), change).hex()
            content[key] = change
    commitments = [bytes.fromhex(point) for point in content["commitments"]]
    return (
        bytes.fromhex(content["state"]),
        content["b"],
        commitments,
        bytes.fromhex(content["argument"]),
    )


def fields_of(vector: Vector) -> dict[str, Any]:
    """The content of a vector of a page or an opening, its base and replacements resolved."""
    content: dict[str, Any] = dict(vector.content)
    if "base" in content:
        content = dict(load(content["base"]).content) | {
            key: value for key, value in content.items() if key not in ("base", "replace")
        }
        for name, change in vector.content["replace"].items():
            content[name] = patched(bytes.fromhex(content[name]), change).hex()
    texts = "state", "entries", "argument", "page_id", "identity", "vector", "opening"
    return content | {name: bytes.fromhex(content[name]) for name in texts if name in content}


def hidden_of(vector: Vector) -> dict[str, bytes]:
    """The fields of an argument over hidden keys."""
    content: dict[str, Any] = dict(vector.content)
    if "base" in content:
        content = dict(load(content["base"]).content)
        for name, change in vector.content["replace"].items():
            content[name] = patched(bytes.fromhex(content[name]), change).hex()
    names = ("state", "keys", "amounts", "commitment", "argument")
    return {name: bytes.fromhex(content[name]) for name in names}


def native_hidden(vector: Vector) -> None:
    fields = hidden_of(vector)
    keys = native.points_decode(fields["keys"])
    native.hidden_verify(
        fields["state"],
        keys,
        fields["amounts"],
        fields["commitment"],
        fields["argument"],
    )


def reference_hidden(vector: Vector) -> None:
    fields = hidden_of(vector)
    keys = [decode(fields["keys"][at : at + 33]) for at in range(0, len(fields["keys"]), 33)]
    amounts = [
        int.from_bytes(fields["amounts"][at : at + 16], "big")
        for at in range(0, len(fields["amounts"]), 16)
    ]
    commitment = decode(fields["commitment"])
    verify_hidden(fields["state"], keys, amounts, commitment, fields["argument"])


def reference_page(vector: Vector) -> None:
    fields = fields_of(vector)
    try:
        entries = read_entries(fields["page_size"], fields["entries"])
    except ValueError as error:
        raise reference.Rejected("page.bad-point", "", str(error)) from None
    state, data, argument = fields["state"], fields["entries"], fields["argument"]
    verify_leaves(state, fields["page_size"], data, entries, argument)


def reference_opening(vector: Vector) -> None:
    fields = fields_of(vector)
    names = "state", "page_id", "leaf", "amount", "identity", "vector", "opening"
    state, page_id, leaf, amount, identity, point, opening = (fields[name] for name in names)
    verify_opening(state, page_id, leaf, int(amount), identity, decode(point), opening)


def verifier_run(vector: Vector) -> Outcome:
    """What `verifier`, or for an argument `native`, finds."""
    try:
        if vector.kind == "argument":
            state, b, commitments, argument = argument_of(vector)
            native.range_verify(state, b, b"".join(commitments), argument)
            return Outcome(None)
        if vector.kind == "hidden":
            native_hidden(vector)
            return Outcome(None)
        return verifier_bundle(vector)
    except native.Rejected as fault:
        return Outcome(fault.code)
    except verifier.Rejected as fault:
        return Outcome(fault.code.value, fault.where)
    except verifier.CannotCheck as failure:
        return Outcome(failure.code.value)


def policy_of(vector: Vector) -> verifier.Policy:
    asked = vector.content.get("policy", {})
    return verifier.Policy(
        tuple(asked.get("ratio", (1, 1))),
        tuple(verifier.KnownUnit(*unit) for unit in asked.get("units", ())),
        require=verifier.Level(asked.get("require", "claimed")),
        slots=tuple(verifier.TokenSlot(*slot) for slot in asked.get("slots", ())),
        attesters=tuple(
            verifier.Attester(name, bytes.fromhex(key)) for name, key in asked.get("attesters", ())
        ),
    )


def verifier_solvency(vector: Vector) -> str | None:
    """What `verifier` finds of a bundle when it looks at no page."""
    policy = policy_of(vector)
    with on_disk(vector) as (bundle, previous):
        try:
            verifier.check_solvency(
                bundle,
                public_key(vector),
                policy=policy,
                previous=previous,
                now=vector.content.get("now", CLOCK),
            )
        except (verifier.Rejected, verifier.CannotCheck) as fault:
            return fault.code.value
    return None


def reference_solvency(vector: Vector) -> str | None:
    """What spec/reference finds of a bundle when it looks at no page."""
    try:
        reference_bundle(vector, trees=False)
    except (reference.Rejected, reference.NotCheckedError) as fault:
        return fault.code
    return None


def verifier_bundle(vector: Vector) -> Outcome:
    content, policy = vector.content, policy_of(vector)
    with on_disk(vector) as (bundle, previous):
        key, now = public_key(vector), content.get("now", CLOCK)
        if "package" not in content:
            audited = verifier.audit(bundle, key, policy=policy, previous=previous, now=now)
            levels = {item.code: item.level.value for item in audited.assets}
            pledged = {
                item.code: [item.pledged_rows, item.pledged]
                for item in audited.assets
                if item.pledged_rows
            }
            return Outcome(
                None,
                levels=levels,
                times=audited.block_times,
                set_aside=audited.set_aside,
                loans=told(audited.loans),
                pledged=pledged,
            )
        report = verifier.check_inclusion(
            bytes.fromhex(content["package"]),
            bundle,
            key,
            content["account"],
            content["balances"],
            only=True,
            policy=policy,
            previous=previous,
            now=now,
        )
    counted = {amount.code: str(amount.counted) for amount in report.amounts}
    left_out = tuple(amount.code for amount in report.amounts if not amount.is_compared)
    return Outcome(
        None, "", counted, left_out, set_aside=report.set_aside, loans=told(report.loans)
    )


def reference_run(vector: Vector) -> Outcome:
    """What spec/reference finds."""
    try:
        if vector.kind == "argument":
            state, b, commitments, argument = argument_of(vector)
            transcript = Transcript(state)
            transcript.absorb("shape", Shape(len(commitments), b).encode())
            points = [None if point == INFINITY else decode(point) for point in commitments]
            verify_argument(transcript.state, b, points, argument)
            return Outcome(None)
        if vector.kind == "hidden":
            reference_hidden(vector)
            return Outcome(None)
        if vector.kind == "page":
            reference_page(vector)
            return Outcome(None)
        if vector.kind == "opening":
            reference_opening(vector)
            return Outcome(None)
        return reference_bundle(vector)
    except reference.Rejected as fault:
        return Outcome(fault.code, fault.where)
    except reference.NotCheckedError as failure:
        return Outcome(failure.code)


def reference_bundle(vector: Vector, trees: bool = True) -> Outcome:
    content = vector.content
    asked = content.get("policy", {})
    with on_disk(vector) as (bundle, previous):
        policy: dict[str, Any] = {
            "ratio": tuple(asked.get("ratio", (1, 1))),
            "units": [reference.Unit(*unit) for unit in asked.get("units", ())],
            "previous": previous,
            "now": content.get("now", CLOCK),
        }
        key = public_key(vector)
        if "package" not in content:
            slots = {(chain, token): Slot(at) for chain, token, at in asked.get("slots", ())}
            attesters = [bytes.fromhex(key) for _, key in asked.get("attesters", ())]
            audited = reference.audit(
                bundle, key, slots=slots, attesters=attesters, trees=trees, **policy
            )
            return Outcome(
                None,
                levels=audited.levels,
                times=audited.times,
                set_aside=audited.set_aside,
                loans=told(audited.loans),
                pledged={code: list(counts) for code, counts in audited.pledged.items()},
            )
        found = reference.check_inclusion(
            bytes.fromhex(content["package"]),
            bundle,
            key,
            content["account"],
            content["balances"],
            **policy,
        )
    # The reference counts in whole coins: exact decimals, whose exponent is the ledger's.
    counted = {
        code: str(int(amount.scaleb(-_exponent(amount)))) for code, amount in found.counted.items()
    }
    left_out = tuple(found.not_compared)
    return Outcome(None, "", counted, left_out, set_aside=found.set_aside, loans=told(found.loans))


def _exponent(amount: Decimal) -> int:
    exponent = amount.as_tuple().exponent
    if not isinstance(exponent, int):
        raise TypeError("an infinite amount")
    return exponent


SUBJECTS = {"verifier": verifier_run, "reference": reference_run}
SOLVENCY = {"verifier": verifier_solvency, "reference": reference_solvency}
