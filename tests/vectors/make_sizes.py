"""Vectors of every size that spec/wire.md declares: at its least and its most, and one beyond each.

A field that is too short or too long is `bad-fields`; at an end it is not, and a reader goes on to
what else there is to find. Large files are described by their pieces.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import msgpack

from tests.support.attested_forge import AT_BANK
from tests.support.bases import (
    HIDDEN,
    NOTHING,
    Files,
    base,
    base_files,
    edited,
    forged,
    hiding,
    manifest_of,
    resigned,
    setter,
)
from tests.support.forged_sample import ALICE, CAROL, ETH
from tests.support.forger import Fields, pack
from tests.support.hidden_forge import HiddenKeys, unowned
from tests.support.proven import Block, block, proven
from tests.support.vector import Repeated, Vector, changes, make
from tests.vectors.make_coins import coin
from tests.vectors.make_declarations import declared, loan, pledge
from tests.vectors.make_evidence import base_evidence, encoded
from tests.vectors.make_inclusions import ALL_OF_ALICE
from tests.vectors.make_manifests import OLD_SEED, digest_of, previous_bundle, rotation

MILLION = 2**20
Code = str | None


@dataclass(frozen=True)
class Made:
    """What has a field of a length: a bundle, as the change of a base, and other content."""

    files: Files
    of: str = "honest"
    content: Fields | None = None


@dataclass(frozen=True)
class Field:
    """A declared size; `at_least` and `at_most` are what is found at its ends, None if accepted.

    name: record and field, as the schema of the verifier has them. made: of a length.
    """

    name: str
    least: int
    most: int
    made: Callable[[int], Made]
    at_least: Code = None
    at_most: Code = None

    @property
    def ends(self) -> Iterator[tuple[str, int, Code]]:
        """Name, length and code; the one length of a field that has one is that of every base."""
        family = self.name.partition("-")[0]
        bad = f"{FAMILIES.get(family, family)}.bad-fields"
        if self.least > 0:
            yield "under", self.least - 1, bad
        if self.least < self.most:
            yield "least", self.least, self.at_least
            yield "most", self.most, self.at_most
        yield "over", self.most + 1, bad


FAMILIES = {
    **dict.fromkeys(("asset", "chain", "rotation"), "manifest"),
    "packagebody": "package",
    **dict.fromkeys(("argumentrecord", "recordasset"), "record"),
    **dict.fromkeys(
        ("evidencev2", "row", "ownershipsignature", "longsignature", "coin", "stateproof"),
        "evidence",
    ),
    "hiddenset": "evidence",
    **dict.fromkeys(("loan", "pledge", "declaration"), "declaration"),
    "holdingattestation": "evidence",
    "holdingbody": "attestation",
}


# --- manifests


def of_manifest(path: str) -> Callable[[int], Made]:
    """A binary field of the honest manifest."""
    return lambda length: Made(edited(setter(path, bytes(length))))


def of_rotation(field: str) -> Callable[[int], Made]:
    return lambda length: Made(
        edited(setter("rotation", [rotation(bytes(32), **{field: bytes(length)})]))
    )


def assets(count: int) -> Made:
    """One asset, or one again and again."""
    if count == 1:
        return Made(base_files("exact"), of="exact")
    fields = manifest_of(base_files("honest"))
    entry = fields["assets"][0]
    fields["assets"] = []
    return Made(resigned(repeated(fields, "assets", entry, count)))


def chains(count: int) -> Made:
    """Two of them are those of the units."""
    if count == 0:
        return Made(edited(setter("chains", [])))
    known = base("honest").forger.chains
    others = [(f"c{number:03}", 1, bytes(32)) for number in range(count - len(known))]
    return Made(forged(chains=sorted([*known, *others])))


def rotations(count: int) -> Made:
    previous = previous_bundle(OLD_SEED)
    digest = digest_of(previous)
    fields = {"previous": digest, "rotation": [rotation(digest)] * count}
    return Made(edited(lambda manifest: manifest.update(fields)))


def units(count: int) -> Made:
    """Contracts that the user names as of one code, which nobody else knows."""
    if count == 0:
        return Made(edited(setter("assets.1.units", [])))
    contracts = [f"0x{number:040}" for number in range(count)]
    listed = [("ethereum", contract, 18) for contract in contracts]
    named = [["XYZ", *unit] for unit in listed]
    spec = replace(ETH, code="XYZ", units=tuple(listed), holdings=())
    made = forged(specs=[spec], customers={CAROL: {}})
    return Made(made, content={"policy": {"units": named}})


# --- evidence


def of_evidence(edit: Callable[[Fields, int], Any]) -> Callable[[int], Made]:
    """The honest evidence of BTC, edited when nothing fits the edit."""

    def made(length: int) -> Made:
        fields = base_evidence("BTC")
        edit(fields, length)
        return Made(encoded("BTC", pack(fields)))

    return made


def of_list(name: str, item: Callable[[], Fields]) -> Callable[[int], Made]:
    """A list of evidence with one item again and again."""

    def made(count: int) -> Made:
        if count == 0:
            return empty()
        fields = base_evidence("BTC")
        fields[name] = []
        return Made(encoded("BTC", repeated(fields, name, item(), count)))

    return made


def empty() -> Made:
    """Evidence whose lists are all empty, which is what an asset that holds nothing has."""
    return Made(forged(specs=[NOTHING], customers={CAROL: {}}), of="nothing")


def row() -> Fields:
    first: Fields = base_evidence("BTC")["rows"][0]
    return first


def text(length: int) -> Made:
    fields = base_evidence("BTC")
    fields["signatures"][0]["text"] = ""
    return Made(encoded("BTC", stretched(fields, "text", "A", length)))


def attestations(count: int) -> Made:
    """One again and again."""
    if count == 0:
        return Made(base_files("honest"))
    entry = AT_BANK.fields(base("honest").forger)
    fields = base_evidence("BTC")
    return Made(encoded("BTC", repeated(fields, "attestations", entry, count)))


def of_attestation(field: str) -> Callable[[int], Made]:
    return of_evidence(
        lambda fields, length: fields.update(
            attestations=[AT_BANK.fields(base("honest").forger) | {field: bytes(length)}]
        )
    )


def of_holding(field: str, value: Callable[[int], object]) -> Callable[[int], Made]:
    """One field of what a bank signs."""

    def made(length: int) -> Made:
        held = replace(AT_BANK, others=((field, value(length)),))
        entry = held.fields(base("honest").forger)
        return of_evidence(lambda fields, _: fields.update(attestations=[entry]))(length)

    return made


def a_coin(fields: Fields, **changed: Any) -> None:
    fields["coins"] = [coin("1BoatSLRHtKNngkdXEeobR76b53LETtpyT", 1) | changed]


def proofs(count: int) -> Made:
    if count == 0:
        return Made(base_files("honest"))
    names = [f"c{number:02}" for number in range(count - 1)]  # of no chain that is known
    listed = [proof(chain=name, header=b"\0") for name in (*names, "ethereum")]
    return of_evidence(lambda fields, _: fields.update(proofs=listed))(count)


def proof(**changed: Any) -> Fields:
    return {"chain": "ethereum", "header": block().header, "nodes": []} | changed


def nodes(count: int) -> Made:
    if count == 0:  # the whole proof of an asset that holds nothing on the chain
        nobody = replace(ETH, holdings=())
        made = proven(Block(block().header, {"ETH": []}), specs=[nobody], customers={CAROL: {}})
        return Made(made.forger.bundle(), of="proven")
    fields = base_evidence("BTC")
    fields["proofs"] = [proof()]
    return Made(encoded("BTC", repeated(fields, "nodes", b"\x80", count)))


def of_hidden(edit: Callable[[Fields, int], Any]) -> Callable[[int], Made]:
    """The set of BTC, edited when nothing fits the edit."""
    return lambda length: Made(
        hiding([replace(HIDDEN, edit=lambda fields: edit(fields, length))]).forger.bundle(),
        of="hidden",
    )


def sets(count: int) -> Made:
    if count == 0:
        return Made(base_files("honest"))
    listed = [
        HiddenKeys("bitcoin", "", ("p2tr",), [(unowned(100 + at), False, 0)], 5)
        for at in range(count)
    ]
    return Made(hiding(listed).forger.bundle(), of="hidden")


def keys(length: int) -> Made:
    """One true key; or nothing but zeros."""
    if length == 33:
        single = HiddenKeys("bitcoin", "", ("p2tr",), [(unowned(100), False, 0)], 5)
        return Made(hiding([single]).forger.bundle(), of="hidden")
    forger = base("hidden").forger
    fields = forger.evidence(forger.assets[0])
    fields["hidden"][0]["keys"] = b""
    return Made(encoded("BTC", stretched(fields, "keys", b"\0", length)))


def scripts(count: int) -> Made:
    if count == 1:
        one = replace(HIDDEN, scripts=("p2tr",))
        return Made(hiding([one]).forger.bundle(), of="hidden")
    names = [f"p2p{number}" for number in range(count)]
    return of_hidden(lambda fields, _: fields.update(scripts=names))(count)


# --- packages


def of_body(field: str) -> Callable[[int], Made]:
    return lambda length: packaged(
        base("honest").package(
            base_files("honest")["manifest.msgpack"],
            ALICE,
            lambda fields: fields.update({field: bytes(length)}),
        )
    )


def package_signature(length: int) -> Made:
    package = base("honest").package(base_files("honest")["manifest.msgpack"], ALICE)
    fields = msgpack.unpackb(package)
    return packaged(pack(fields | {"signature": bytes(length)}))


def package_log(length: int) -> Made:
    package = base("honest").package(base_files("honest")["manifest.msgpack"], ALICE)
    return packaged(pack(msgpack.unpackb(package) | {"log": bytes(length)}))


def packaged(package: bytes) -> Made:
    content = {"package": package, "account": ALICE, "balances": ALL_OF_ALICE}
    return Made(base_files("honest"), content=content)


# --- declarations


def a_loan(**changed: Any) -> Made:
    return Made(declared(pack([loan(**changed)])))


def a_loan_often(count: int) -> Made:
    """One loan again and again."""
    start = msgpack.Packer().pack_array_header(count)
    return Made(declared(Repeated.of((start, 1), (pack(loan()), count))))


def pledges(count: int) -> Made:
    """A loan for which one address is pledged again and again."""
    data = repeated(loan(), "pledged", pledge("BTC"), count) if count else pack(loan())
    one = msgpack.Packer().pack_array_header(1)
    pieces = data.pieces if isinstance(data, Repeated) else [(data, 1)]
    return Made(declared(Repeated.of((one, 1), *pieces)))


# --- records of arguments


def of_record(edit: Callable[[Fields, int], Any]) -> Callable[[int], Made]:
    """The honest record, edited before it is signed."""

    def made(length: int) -> Made:
        fields = msgpack.unpackb(base_files("honest")["arguments.msgpack"])
        edit(fields, length)
        files = dict(base_files("honest"))
        return Made(files | base("honest").forger.seal_record(pack(fields)))

    return made


# --- all of them


def repeated(fields: Fields, name: str, item: object, count: int) -> Repeated:
    """A map whose one empty list of a name has an item so many times."""
    start = msgpack.Packer().pack_array_header(count)
    return spread(fields, pack(name) + pack([]), pack(name) + start, pack(item), count)


def stretched(fields: Fields, name: str, unit: bytes | str, length: int) -> Repeated:
    """A map whose one empty text or binary of a name has a unit of one byte so many times."""
    value = pack(unit * length)
    start = value[: len(value) - length]
    return spread(fields, pack(name) + pack(unit[:0]), pack(name) + start, value[-1:], length)


def spread(fields: Fields, mark: bytes, start: bytes, item: bytes, times: int) -> Repeated:
    """The encoded map with a start and items where the mark stands."""
    head, tail = pack(fields).split(mark)
    return Repeated.of((head + start, 1), (item, times), (tail, 1))


FIELDS = (
    Field("manifest-assets", 1, 4096, assets, at_most="manifest.bad-code"),
    Field("manifest-chains", 0, 256, chains, "manifest.unit-without-block"),
    Field("manifest-rotation", 0, 1, rotations),
    Field("manifest-previous", 32, 32, of_manifest("previous")),
    Field("manifest-public_key", 32, 32, of_manifest("public_key")),
    Field("chain-hash", 32, 32, of_manifest("chains.0.hash")),
    Field("asset-evidence", 32, 32, of_manifest("assets.0.evidence")),
    Field("asset-root", 32, 32, of_manifest("assets.0.root")),
    Field("asset-sum", 33, 33, of_manifest("assets.0.sum")),
    Field("asset-units", 1, 64, units),
    Field("rotation-old_key", 32, 32, of_rotation("old_key")),
    Field("rotation-old_signature", 64, 64, of_rotation("old_signature")),
    Field("rotation-new_signature", 64, 64, of_rotation("new_signature")),
    Field(
        "evidence-rows",
        0,
        MILLION,
        of_list("rows", row),
        at_most="evidence.duplicate-address",
    ),
    Field(
        "evidence-coins",
        0,
        MILLION,
        of_list("coins", lambda: coin("1", 0)),
        at_most="evidence.unsorted",
    ),
    Field(
        "evidence-attestations",
        0,
        4096,
        attestations,
        at_most="attestation.unknown-unit",
    ),
    Field(
        "holdingattestation-body",
        1,
        4096,
        of_attestation("body"),
        "attestation.bad-fields",
        "attestation.not-canonical",
    ),
    Field("holdingattestation-key", 32, 32, of_attestation("key")),
    Field("holdingattestation-signature", 64, 64, of_attestation("signature")),
    *(
        Field(f"holdingbody-{name}", 32, 32, of_holding(name, bytes))
        for name in ("amount", "document", "encumbered", "exchange_key")
    ),
    *(
        Field(
            f"holdingbody-{name}",
            1,
            128,
            of_holding(name, lambda length: "x" * length),
            "attestation.unknown-unit",
            "attestation.unknown-unit",
        )
        for name in ("attester", "holder", "reference")
    ),
    Field(
        "evidence-validators",
        0,
        0,
        of_evidence(lambda f, n: f.update(validators=[b""] * n)),
    ),
    Field("evidence-hidden", 0, 16, sets),
    Field(
        "evidence-proofs",
        0,
        64,
        proofs,
        at_most="proof.bad-header",
    ),
    Field(
        "row-address",
        1,
        128,
        of_evidence(lambda f, n: f["rows"][0].update(address="1" * n)),
        "evidence.bad-address",
        "evidence.bad-address",
    ),
    Field(
        "row-amount",
        32,
        32,
        of_evidence(lambda f, n: f["rows"][0].update(amount=bytes(n))),
    ),
    Field(
        "ownershipsignature-text",
        1,
        2**17,
        text,
        "evidence.bad-signature",
        "evidence.bad-signature",
    ),
    Field(
        "coin-address",
        1,
        128,
        of_evidence(lambda f, n: a_coin(f, address="1" * n)),
        "evidence.unmatched-coins",
        "evidence.unmatched-coins",
    ),
    Field("coin-txid", 32, 32, of_evidence(lambda f, n: a_coin(f, txid=bytes(n)))),
    Field(
        "stateproof-header",
        1,
        8192,
        of_evidence(lambda f, n: f.update(proofs=[proof(header=bytes(n))])),
        "proof.bad-header",
        "proof.bad-header",
    ),
    Field("stateproof-nodes", 0, MILLION, nodes, at_most="evidence.unsorted"),
    Field(
        "stateproof-nodes-item",
        1,
        4096,
        of_evidence(lambda f, n: f.update(proofs=[proof(nodes=[bytes(n)])])),
        "proof.wrong-block",
        "proof.wrong-block",
    ),
    Field("hiddenset-commitment", 33, 33, of_hidden(lambda f, n: f.update(commitment=bytes(n)))),
    Field("hiddenset-keys", 33, 33 * MILLION, keys, at_most="hidden.bad-length"),
    Field("hiddenset-scripts", 1, 8, scripts, at_most="hidden.bad-scripts"),
    Field("manifest-declaration", 32, 32, of_manifest("declaration")),
    Field("declaration", 1, 4096, a_loan_often, at_most="declaration.unsorted"),
    Field("loan-amount", 0, 64, lambda n: a_loan(amount="1" * n)),
    Field("loan-lender", 1, 128, lambda n: a_loan(lender="L" * n)),
    Field("loan-pledged", 0, 4096, pledges, at_most="declaration.unsorted"),
    Field(
        "pledge-address",
        1,
        128,
        lambda n: a_loan(pledged=[{"address": "1" * n, "chain": "bitcoin"}]),
        "declaration.unknown-address",
        "declaration.unknown-address",
    ),
    Field("argumentrecord-manifest", 32, 32, of_record(lambda f, n: f.update(manifest=bytes(n)))),
    Field(
        "recordasset-levels-item",
        32,
        32,
        of_record(lambda f, n: f["assets"][0]["levels"].__setitem__(0, bytes(n))),
    ),
    Field(
        "recordasset-solvency",
        32,
        32,
        of_record(lambda f, n: f["assets"][0].update(solvency=bytes(n))),
    ),
    Field("package-log", 0, 0, package_log),
    Field("package-signature", 64, 64, package_signature),
    Field("packagebody-account_key", 32, 32, of_body("account_key")),
    Field("packagebody-manifest", 32, 32, of_body("manifest")),
)

# Of a file of 80 MB and ten million values, which takes each verifier ten seconds and 800 MB.
LARGE = tuple(
    f"size/{name}-{end}" for name in ("evidence-rows", "evidence-coins") for end in ("most", "over")
)
WORDS = {"under": "one below the least", "least": "the least", "most": "the most"}


def vectors() -> Iterator[Vector]:
    for field in FIELDS:
        for end, length, code in field.ends:
            made = field.made(length)
            yield make(
                f"size/{field.name}-{end}",
                f"A length of {length:,}: {WORDS.get(end, 'one above the most')}.",
                "sizes",
                code,
                base=f"bundle/{made.of}",
                replace=changes(base_files(made.of), made.files),
                **(made.content or {}),
            )
