"""Vectors of attested holdings: what third parties sign for, and whom of them the reader named."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from tests.support.attested_forge import (
    AT_BANK,
    AT_CUSTODIAN,
    BANK,
    CUSTODIAN,
    POLICY,
    STRANGER,
    TIME,
    resigned,
)
from tests.support.bases import HIDDEN, attesting, base, base_files, derived, positive, raw_faults
from tests.support.forger import Elsewhere, Fields, Lies, attested, pack, public_key
from tests.support.vector import Vector
from tests.vectors.make_manifests import OLD_SEED, rotation

Edit = Callable[[Fields], None]
DAY = 86_400
PREVIOUS = bytes(range(32))  # the digest of an earlier manifest
LEVELS = {"BTC": "claimed", "ETH": "claimed", "EUR": "attested", "USDT": "claimed"}
STAKED = Elsewhere(
    CUSTODIAN, 32 * 10**18, chain="ethereum", contract="", kind="staked", reference="validators"
)
REPORT = Elsewhere(BANK, 10**18, chain="ethereum", contract="", kind="procedures", reference="ETH")


def vectors() -> Iterator[Vector]:
    yield positive(
        "attested",
        "Money in accounts that two attesters sign for, whom the reader named.",
        base_files("attested"),
        policy=POLICY,
        levels=LEVELS,
    )
    yield from good()
    yield from of_its_own()
    for name, code, description, edit in (*of_bodies(), *of_entries()):
        yield bad(name, code, description, edit)
    yield from mixed()


def good() -> Iterator[Vector]:
    def accepted(
        name: str,
        description: str,
        held: Sequence[Elsewhere],
        policy: Mapping[str, Any] = POLICY,
        *,
        beside: Sequence[Elsewhere] = (),
        **levels: str,
    ) -> Vector:
        files = attesting({"EUR": held, "ETH": beside}).forger.bundle()
        said = {"policy": policy, "levels": LEVELS | levels}
        return derived(name, description, "accepted", None, files, of="attested", **said)

    both = (AT_BANK, AT_CUSTODIAN)
    nobody = {**POLICY, "attesters": []}
    one = {**POLICY, "attesters": POLICY["attesters"][:1]}
    yield accepted("attested-unknown", "No attester is known.", both, nobody, EUR="claimed")
    yield accepted("attested-one-known", "One of two is known.", both, one, EUR="claimed")
    yield accepted("attested-beside-rows", "Staked coins beside rows.", both, beside=[STAKED])
    yield accepted(
        "attested-encumbered-whole",
        "All of a holding is encumbered, and counts nothing.",
        [*both, replace(AT_BANK, amount=7, encumbered=7, reference="pledged")],
    )
    yield accepted("attested-procedures", "A report where no row is.", [
        replace(AT_BANK, amount=7_000_000, kind="procedures", reference="report")
    ])  # fmt: skip
    yield accepted(
        "attested-last-moment",
        "Held a day before the snapshot, and good until its very second.",
        [*both, moment(TIME - DAY, TIME)],
    )
    yield accepted(
        "attested-day-after",
        "Held a day after the snapshot, and good for ever.",
        [*both, moment(TIME + DAY, 2**64 - 1)],
    )
    for kind in ("lightning", "defi", "exchange-account"):
        yield accepted(f"attested-{kind}", f"A holding of the kind {kind}.", [
            AT_BANK, replace(AT_CUSTODIAN, kind=kind)
        ])  # fmt: skip

    def unsigned(code: str, fields: Fields) -> None:
        for entry in fields["attestations"]:
            entry["signature"] = bytes(64)

    yield derived(
        "attested-unknown-unsigned",
        "The signatures of keys that the reader did not name are not checked.",
        "accepted",
        None,
        attesting(lies=Lies(evidence=unsigned)).forger.bundle(),
        of="attested",
        policy=nobody,
        levels=LEVELS | {"EUR": "claimed"},
    )
    small = bytes(32)

    def nobodys(code: str, fields: Fields) -> None:
        for entry in fields["attestations"][:1]:
            entry["key"] = small
        fields["attestations"].sort(key=lambda entry: bytes(entry["key"]))

    yield derived(
        "attested-small-order",
        "A key of small order is nobody's, so no reader can have named it.",
        "accepted",
        None,
        attesting(lies=Lies(evidence=nobodys)).forger.bundle(),
        of="attested",
        policy=POLICY,
        levels=LEVELS | {"EUR": "claimed"},
    )


def of_its_own() -> Iterator[Vector]:
    """Keys of the exchange's own, which the reader named for a third party's."""
    own = base("attested").forger.signing_seed

    def claimed(name: str, description: str, seed: bytes, lies: Lies, *rotations: Fields) -> Vector:
        made = attesting({"EUR": [AT_CUSTODIAN, replace(AT_BANK, seed=seed)]}, lies)
        made.forger.rotation = list(rotations)
        made.forger.previous = PREVIOUS if rotations else bytes(32)
        named = [*POLICY["attesters"], ["A friend of its", public_key(seed)]]
        said = {"policy": {**POLICY, "attesters": named}, "levels": LEVELS | {"EUR": "claimed"}}
        files = made.forger.bundle()
        return derived(
            f"attested-{name}", description, "accepted", None, files, of="attested", **said
        )

    def unsigned(code: str, fields: Fields) -> None:
        for entry in fields["attestations"]:
            if entry["key"] == public_key(own):
                entry["signature"] = bytes(64)

    yield claimed("own-key", "The exchange's own key is no third party's.", own, Lies())
    yield claimed("own-unsigned", "Nor is its signature checked.", own, Lies(evidence=unsigned))
    words = "Nor is the key that the exchange's replaced."
    yield claimed("old-key", words, OLD_SEED, Lies(), rotation(PREVIOUS))
    yield derived(
        "attested-not-rotated",
        "A key that the exchange's did not replace is a third party's.",
        "accepted",
        None,
        attesting({"EUR": [replace(AT_BANK, seed=OLD_SEED, amount=7_000_000)]}).forger.bundle(),
        of="attested",
        policy={**POLICY, "attesters": [["A bank", public_key(OLD_SEED)]]},
        levels=LEVELS,
    )


def moment(time: int, not_after: int) -> Elsewhere:
    others = (("time", time), ("not_after", not_after))
    return replace(AT_BANK, amount=1, encumbered=0, reference="other account", others=others)


def bad(name: str, code: str, description: str, edit: Edit) -> Vector:
    """The bundle with the evidence of EUR edited; all else fits."""

    def evidence(of: str, fields: Fields) -> None:
        if of == "EUR":
            edit(fields)

    files = attesting(lies=Lies(evidence=evidence)).forger.bundle()
    family = "" if "." in code else "attestation."
    return derived(
        f"attestation-{name}",
        description,
        "attested holdings",
        family + code,
        files,
        of="attested",
        policy=POLICY,
    )


def of_bodies() -> Iterator[tuple[str, str, str, Edit]]:
    """One field of a body that is signed anew."""

    def setting(field: str, value: object) -> Edit:
        return resigned(lambda body: body.update({field: value}))

    honest = pack(AT_BANK.body(attesting().forger))
    for name, description, raw in raw_faults(honest, "version", b"\x01"):
        yield (f"raw-{name}", "not-canonical", f"In a body {description}.", in_bank(raw))
    yield "missing", "bad-fields", "A body lacks a field.", resigned(lambda b: b.pop("kind"))
    yield "unknown", "bad-fields", "A body has an unknown field.", setting("branch", "Vaduz")
    yield "integer-amount", "bad-fields", "An amount is an integer.", setting("amount", 5)
    yield "text-time", "bad-fields", "A time is a text.", setting("time", "now")
    yield "version", "unsupported-version", "A body of version 2.", setting("version", 2)
    yield "spaces", "bad-text", "A reference with a space behind it.", setting("reference", "a ")
    yield "bidi", "bad-text", "A holder's name that turns.", setting("holder", "Ex\u202echange")
    yield "not-nfc", "bad-text", "An attester's name not in NFC.", setting("attester", "Cafe\u0301")
    other = public_key(STRANGER)
    yield "other-key", "wrong-exchange", "For another exchange.", setting("exchange_key", other)
    yield (
        "other-id",
        "wrong-exchange",
        "For another snapshot.",
        setting("snapshot_id", "2026-01-02"),
    )
    yield "other-currency", "unknown-unit", "Of another currency.", setting("contract", "USD")
    yield "other-chain", "unknown-unit", "Of another chain.", setting("chain", "ethereum")
    yield "kind", "bad-kind", "Of a kind that is none.", setting("kind", "gold")
    yield "kind-empty", "bad-kind", "Of no kind.", setting("kind", "")
    more = (5_000_001).to_bytes(32, "big")
    yield "encumbered", "bad-amount", "More is encumbered than held.", setting("encumbered", more)
    late = setting("not_after", TIME - 1)
    yield "expired", "expired", "No more good a second before the snapshot.", late
    yield "old", "expired", "Held more than a day before.", setting("time", TIME - DAY - 1)
    yield "ahead", "expired", "Held more than a day after.", setting("time", TIME + DAY + 1)


def in_bank(body: bytes) -> Edit:
    """Put a body, signed, in the place of the bank's."""

    def edit(fields: Fields) -> None:
        for entry in fields["attestations"]:
            if entry["key"] == public_key(BANK):
                entry.update(attested(BANK, body))

    return edit


def of_entries() -> Iterator[tuple[str, str, str, Edit]]:
    """Signatures, duplicates and order."""

    def bank(fields: Fields) -> Fields:
        key = public_key(BANK)
        entry: Fields = next(entry for entry in fields["attestations"] if entry["key"] == key)
        return entry

    def changed(fields: Fields) -> None:
        """More than was signed for."""
        body = bank(fields)["body"]
        amount = AT_BANK.amount.to_bytes(32, "big")
        bank(fields)["body"] = body.replace(amount, (10**9).to_bytes(32, "big"), 1)

    def retagged(fields: Fields) -> None:
        bank(fields).update(attested(BANK, bank(fields)["body"], "attestation"))

    def borrowed(fields: Fields) -> None:
        bank(fields)["signature"] = attested(STRANGER, bank(fields)["body"])["signature"]

    def twice(fields: Fields) -> None:
        fields["attestations"].insert(0, dict(fields["attestations"][0]))

    def again(fields: Fields) -> None:
        """Under other words, with one reference."""
        key = public_key(BANK)
        at = next(n for n, entry in enumerate(fields["attestations"]) if entry["key"] == key)
        other = replace(AT_BANK, amount=1, encumbered=0, kind="custodian")
        fields["attestations"].insert(at + 1, other.fields(attesting().forger))

    def reverse(fields: Fields) -> None:
        fields["attestations"].reverse()

    yield "changed", "bad-signature", "An amount that nobody signed for.", changed
    yield "tag", "bad-signature", "Signed under the tag of an audit.", retagged
    yield "borrowed", "bad-signature", "Signed by another key than it names.", borrowed
    yield "twice", "duplicate", "An attestation twice.", twice
    yield "reference", "duplicate", "Two of one key with one reference.", again
    yield "unsorted", "evidence.unsorted", "The attestations are not in order.", reverse


def mixed() -> Iterator[Vector]:
    def rejected(name: str, description: str, code: str, files: Mapping[str, bytes]) -> Vector:
        source = "attested holdings"
        return derived(name, description, source, code, files, of="attested", policy=POLICY)

    both = (AT_BANK, AT_CUSTODIAN)
    code = "evidence.mixed-attestation"
    made = attesting({"EUR": both, "ETH": [REPORT]})
    yield rejected("attestation-mixed", "A report beside rows.", code, made.forger.bundle())
    made = attesting({"EUR": both, "BTC": [replace(REPORT, chain="bitcoin", amount=2 * 10**8)]})
    for asset in made.forger.assets:
        if asset.code == "BTC":
            asset.rows, asset.signatures, asset.hidden = [], [], [HIDDEN]
    yield rejected(
        "attestation-mixed-hidden", "A report beside hidden keys.", code, made.forger.bundle()
    )
    report = replace(AT_BANK, kind="procedures", reference="report")
    for name, description, beside in (
        ("account", "A report beside an account.", AT_CUSTODIAN),
        ("report", "Two reports on one asset.", replace(report, seed=CUSTODIAN)),
        ("twice", "One report under two references.", replace(report, reference="report 2")),
    ):
        made = attesting({"EUR": [report, beside]})
        yield rejected(f"attestation-mixed-{name}", description, code, made.forger.bundle())
    again = replace(STAKED, seed=BANK, reference=AT_BANK.reference)
    made = attesting({"EUR": both, "ETH": [again]})
    yield rejected(
        "attestation-other-asset",
        "One reference of one key counts in two assets.",
        "attestation.duplicate",
        made.forger.bundle(),
    )
    beyond = replace(AT_BANK, amount=2**96, reference="too much")
    made = attesting({"EUR": [*both, beyond]})
    yield rejected(
        "attestation-total", "2^96 ledger units.", "evidence.total-too-large", made.forger.bundle()
    )
    for name, field, value in (
        ("short-key", "key", bytes(31)),
        ("short-signature", "signature", bytes(63)),
        ("text-body", "body", "text"),
    ):

        def edit(fields: Fields, field: str = field, value: object = value) -> None:
            fields["attestations"][0][field] = value

        yield bad(f"fields-{name}", "evidence.bad-fields", f"A bad {field}.", edit)
