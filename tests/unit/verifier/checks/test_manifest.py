"""Every fault of a manifest has its code, and of two the first in the specification's order."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from embit import bech32

from spec.reference import keys as reference_keys
from tests.support.verifier_bundle import BLOCKS, Bundle
from verifier import CannotCheck, KnownUnit, Misuse, Policy, Rejected, check_solvency
from verifier.checks.manifest import check_manifest, check_previous, rotation_body
from verifier.compare import compare_manifests
from verifier.format import wire
from verifier.format.keys import is_signed, is_sound_key, parse_public_key, public_key_text, sign
from verifier.format.statement import manifest_digest

POLICY = Policy()
OWN_CONTRACT, OTHER_CONTRACT = "0x" + "11" * 20, "0x" + "22" * 20
BRIDGED_USDC = "0x2791Bca1f2de4661ED88A30C99A7a9449Aa84174"


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    return Bundle(tmp_path_factory.mktemp("manifest") / "bundle")


def signed(bundle: Bundle, manifest: wire.Manifest | bytes) -> tuple[bytes, bytes]:
    data = manifest if isinstance(manifest, bytes) else wire.write_record(manifest)
    return data, sign(bundle.signer, "manifest-signature", data)


def code_of(bundle: Bundle, manifest: wire.Manifest | bytes, policy: Policy = POLICY) -> str:
    with pytest.raises(Rejected) as raised:
        check_manifest(*signed(bundle, manifest), bundle.key, policy)
    return raised.value.code


def with_asset(manifest: wire.Manifest, at: int = 0, **changes: object) -> wire.Manifest:
    assets = list(manifest.assets)
    assets[at] = replace(assets[at], **changes)  # type: ignore[arg-type]
    return replace(manifest, assets=tuple(assets))


def test_the_manifest_is_accepted(bundle):
    checked = check_manifest(*signed(bundle, bundle.manifest), bundle.key, POLICY)
    assert checked.manifest == bundle.manifest
    assert checked.digest == bundle.digest
    assert checked.context == bundle.context
    assert checked.block_hash("ethereum") == BLOCKS["ethereum"]


def unit(decimals: int = 8, chain: str = "bitcoin", contract: str = "") -> wire.Unit:
    return wire.Unit(chain, contract, decimals)


HEAD_FAULTS: list[tuple[str, dict[str, Any]]] = [
    ("unsupported-version", {"protocol_version": 2}),
    ("unsupported-version", {"argument_version": 0}),
    ("key-mismatch", {"public_key": bytes(32)}),
    ("bad-name", {"exchange": " An Exchange"}),
    ("bad-name", {"exchange": ""}),
    ("bad-name", {"exchange": "x" * 65}),
    ("bad-name", {"exchange": "e\u0301"}),
    ("bad-name", {"exchange": "line\nfeed"}),
    ("bad-snapshot-id", {"snapshot_id": ""}),
    ("bad-snapshot-id", {"snapshot_id": "2024_q1"}),
    ("bad-snapshot-id", {"snapshot_id": "2024-q1\n"}),
    ("bad-snapshot-id", {"snapshot_id": "x" * 65}),
    ("bad-snapshot-id", {"snapshot_id": "\u0661"}),
    ("bad-time", {"time": 0}),
    ("bad-time", {"time": 2**40 + 1}),
    ("bad-account-id-type", {"account_id_type": "Email"}),
    ("bad-account-id-type", {"account_id_type": ""}),
    ("bad-chain", {"chains": (wire.Chain(bytes(32), 0, "Bitcoin"),)}),
    ("bad-chain", {"chains": (wire.Chain(bytes(32), 0, ""),)}),
    ("bad-chain", {"chains": (wire.Chain(bytes(32), 2**63, "bitcoin"),)}),
    ("bad-chain", {"chains": (wire.Chain(bytes(32), 0, "bitcoin"),) * 2}),
    ("bad-chain", {"chains": tuple(wire.Chain(bytes(32), 0, name) for name in ("b", "a"))}),
    ("unit-without-block", {"chains": ()}),
    ("unit-without-block", {"chains": (wire.Chain(bytes(32), 0, "ethereum"),)}),
]


@pytest.mark.parametrize(("code", "changes"), HEAD_FAULTS)
def test_a_fault_of_the_head_has_its_code(bundle, code, changes):
    assert code_of(bundle, replace(bundle.manifest, **changes)) == f"manifest.{code}"


ASSET_FAULTS = [
    ("bad-code", {"code": "btc"}),
    ("bad-code", {"code": ""}),
    ("bad-code", {"code": "B" * 17}),
    ("bad-code", {"code": "ETH"}),
    ("bad-code", {"code": "XYZ"}),
    ("bad-decimals", {"decimals": 31}),
    ("bad-decimals", {"decimals": 9}),
    ("bad-decimals", {"units": (unit(37),)}),
    ("bad-decimals", {"units": (unit(7),)}),
    ("bad-units", {"units": (unit(), unit())}),
    ("bad-units", {"units": (unit(chain="ethereum"), unit())}),
    ("unit-without-block", {"units": (unit(chain="litecoin"),)}),
    ("wrong-unit", {"units": (unit(9),)}),
    ("wrong-unit", {"units": (unit(chain="ethereum"),)}),
    ("wrong-unit", {"units": (unit(contract="0xdAC17F958D2ee523a2206206994597C13D831ec7"),)}),
    ("wrong-unit", {"code": "BTD"}),
    ("bad-page-size", {"page_size": 17}),
    ("bad-page-size", {"page_size": 0}),
    ("bad-page-size", {"page_size": 1024}),
    ("bad-page-size", {"page_size": 64}),
    ("bad-page-size", {"page_size": 2**64 - 1, "capacity": 9}),
    ("bad-capacity", {"page_size": 4096, "capacity": 5 * 2**16, "levels": 4}),
    ("bad-capacity", {"capacity": 0}),
    ("bad-capacity", {"capacity": 9}),
    ("bad-capacity", {"capacity": 2**20 + 1}),
    ("bad-capacity", {"capacity": 2**64 - 1}),
    ("bad-levels", {"levels": 1}),
    ("bad-levels", {"levels": 3}),
    ("bad-levels", {"levels": 0}),
    ("bad-ratio", {"ratio": wire.Ratio(0, 1)}),
    ("bad-ratio", {"ratio": wire.Ratio(1, 0)}),
    ("bad-ratio", {"ratio": wire.Ratio(2, 2)}),
    ("bad-ratio", {"ratio": wire.Ratio(1, 2**32)}),
    ("bad-ratio", {"ratio": wire.Ratio(2**32, 2**32 + 1)}),
    ("ratio-below-policy", {"ratio": wire.Ratio(den=3, num=2)}),
    ("ratio-below-policy", {"ratio": wire.Ratio(den=2**32 - 1, num=2**32 - 2)}),
    ("bad-sum", {"sum": bytes(33)}),
    ("bad-sum", {"sum": b"\x02" + bytes(31) + b"\x05"}),
    ("bad-sum", {"sum": b"\x04" + bytes(31) + b"\x01"}),
    ("bad-sum", {"sum": b"\x02" + b"\xff" * 32}),
]


@pytest.mark.parametrize(("code", "changes"), ASSET_FAULTS)
def test_a_fault_of_an_asset_has_its_code(bundle, code, changes):
    assert code_of(bundle, with_asset(bundle.manifest, 0, **changes)) == f"manifest.{code}"


def test_a_unit_serves_one_asset(bundle):
    foreign = (wire.Unit("ethereum", OWN_CONTRACT, 18),)
    one = with_asset(bundle.manifest, 0, code="AAA", units=foreign)
    both = with_asset(one, 1, code="BBB", units=foreign)
    assert code_of(bundle, both) == "manifest.unit-reused"
    stolen = with_asset(bundle.manifest, 1, decimals=8, units=(unit(),))
    assert code_of(bundle, stolen) == "manifest.wrong-unit"


def test_of_two_faults_the_first_is_named(bundle):
    rank = {code: at for at, (code, _) in enumerate(HEAD_FAULTS)}
    for first, one in HEAD_FAULTS:
        for second, two in HEAD_FAULTS:
            if rank[first] < rank[second] and not set(one) & set(two):
                manifest = replace(bundle.manifest, **{**one, **two})
                assert code_of(bundle, manifest) == f"manifest.{first}"
    two_assets = with_asset(with_asset(bundle.manifest, 1, decimals=31), 0, sum=bytes(33))
    assert code_of(bundle, two_assets) == "manifest.bad-sum"
    late = with_asset(with_asset(bundle.manifest, 1, code="eth"), 0, decimals=31)
    assert code_of(bundle, late) == "manifest.bad-code"


def test_the_policy_asks_for_more(bundle):
    assert code_of(bundle, bundle.manifest, Policy(ratio=(2**32 - 1, 2**32 - 2))) == (
        "manifest.ratio-below-policy"
    )
    check_manifest(*signed(bundle, bundle.manifest), bundle.key, Policy(ratio=(2, 2)))
    check_manifest(*signed(bundle, bundle.manifest), bundle.key, Policy(ratio=(1, 2)))
    for ratio in ((0, 1), (1, 0), (2**32, 1), (-1, -1)):
        with pytest.raises(Misuse):
            Policy(ratio=ratio)


def test_an_unknown_unit_sets_its_asset_aside(bundle):
    own = KnownUnit("OWN", "ethereum", OWN_CONTRACT, 18)
    named = with_asset(bundle.manifest, 1, code="OWN", units=(wire.Unit(*own[1:]),))

    def set_aside(*units: KnownUnit) -> tuple[str, ...]:
        policy = Policy(units=units)
        return check_manifest(*signed(bundle, named), bundle.key, policy).set_aside

    assert set_aside() == ("OWN",)
    assert set_aside(own) == ()
    assert set_aside(own, own) == ()
    assert set_aside(own._replace(chain="base")) == ("OWN",)
    assert set_aside(own._replace(contract=OTHER_CONTRACT)) == ("OWN",)
    for wrong in ({"decimals": 17}, {"code": "OWE"}):
        policy = Policy(units=(own._replace(**wrong),))
        assert code_of(bundle, named, policy) == "manifest.wrong-unit"
    check_manifest(*signed(bundle, bundle.manifest), bundle.key, Policy(units=(own,)))


def test_one_unknown_unit_of_two_sets_the_asset_aside(bundle):
    """A known code on a chain where it is not known: nobody can say which part is worth it."""
    chain = wire.Chain(bytes(32), 7, "kaspa")
    known = bundle.manifest.assets[0].units
    manifest = replace(bundle.manifest, chains=(*bundle.manifest.chains, chain))
    two = with_asset(manifest, 0, units=(*known, wire.Unit("kaspa", "", 8)))
    checked = check_manifest(*signed(bundle, two), bundle.key, Policy())
    assert checked.set_aside == ("BTC",)
    assert checked.manifest.assets[0].units[:1] == known


@pytest.mark.parametrize(
    "units",
    [
        [KnownUnit("BTD", "bitcoin", "", 8)],
        [KnownUnit("BTC", "bitcoin", "", 9)],
        [KnownUnit("USDT", "ethereum", OWN_CONTRACT, 6)],
        [KnownUnit("ETH", "ethereum", OWN_CONTRACT, 18)],
        [KnownUnit("USDC", "polygon", BRIDGED_USDC, 6)],
        [KnownUnit("AAA", "base", OWN_CONTRACT, 8), KnownUnit("BBB", "base", OWN_CONTRACT, 8)],
        [KnownUnit("AAA", "base", OWN_CONTRACT, 8), KnownUnit("AAA", "base", OWN_CONTRACT, 9)],
    ],
)
def test_no_user_can_rename_what_is_known(units):
    """A list of units from a stranger moves nothing that the table has."""
    with pytest.raises(Misuse, match="units: "):
        Policy(units=tuple(units))


def test_a_unit_of_a_chain_that_is_not_known_is_refused():
    with pytest.raises(Misuse, match="KAS=kaspa:: this version does not know the chain"):
        Policy(units=(KnownUnit("KAS", "kaspa", "", 8),))


def test_a_code_may_have_two_contracts_that_the_user_names():
    one = KnownUnit("AAA", "ethereum", OWN_CONTRACT, 18)
    assert Policy(units=(one, one._replace(contract=OTHER_CONTRACT))).units


def test_size_signature_and_form_come_first(bundle):
    data, signature = signed(bundle, bundle.manifest)

    def code(data: bytes, signature: bytes) -> str:
        with pytest.raises(Rejected) as raised:
            check_manifest(data, signature, bundle.key, POLICY)
        return raised.value.code

    assert code(b"", signature) == "manifest.too-large"
    assert code(bytes(2**24 + 1), b"") == "manifest.too-large"
    assert code(bytes(2**24), b"") == "manifest.bad-signature"
    assert code(data, signature + b"\0") == "manifest.bad-signature"
    assert code(data, signature[:-1]) == "manifest.bad-signature"
    assert code(data + b"\0", signature) == "manifest.bad-signature"
    assert code(data, sign(bundle.signer, "package-signature", data)) == "manifest.bad-signature"
    assert code_of(bundle, data + b"\0") == "manifest.not-canonical"
    assert code_of(bundle, b"\x91" * 100_000) == "manifest.not-canonical"
    assert code_of(bundle, b"\x80") == "manifest.bad-fields"
    assert code_of(bundle, replace(bundle.manifest, previous=b"")) == "manifest.bad-fields"


def test_every_byte_of_the_signature_counts(bundle):
    data, signature = signed(bundle, bundle.manifest)
    for at in range(64):
        changed = bytearray(signature)
        changed[at] ^= 1
        assert not is_signed(bundle.key, "manifest-signature", data, bytes(changed))


def rotated(bundle: Bundle, **changes: bytes) -> wire.Manifest:
    """Return the manifest with a rotation from another key; ``changes`` replace what is signed."""
    old = Ed25519PrivateKey.from_private_bytes(b"\x55" * 32)
    old_key = old.public_key().public_bytes_raw()
    previous = changes.get("previous", b"\x07" * 32)
    body = rotation_body(
        changes.get("old_key", old_key),
        changes.get("new_key", bundle.key),
        bundle.manifest.exchange,
        changes.get("signed_previous", previous),
    )
    rotation = wire.Rotation(
        new_signature=changes.get("new_signature", sign(bundle.signer, "rotation", body)),
        old_key=changes.get("old_key", old_key),
        old_signature=changes.get("old_signature", sign(old, "rotation", body)),
    )
    return replace(bundle.manifest, previous=previous, rotation=(rotation,))


def test_a_rotation_signed_by_both_keys_is_accepted(bundle):
    check_manifest(*signed(bundle, rotated(bundle)), bundle.key, POLICY)


@pytest.mark.parametrize(
    "changes",
    [
        {"old_signature": bytes(64)},
        {"new_signature": bytes(64)},
        {"signed_previous": b"\x08" * 32},
        {"new_key": b"\x01" * 32},
        {"old_key": b"\x02" * 32},
        {"previous": bytes(32)},
    ],
)
def test_any_other_rotation_is_rejected(bundle, changes):
    assert code_of(bundle, rotated(bundle, **changes)) == "manifest.bad-rotation"


def test_a_key_does_not_replace_itself(bundle):
    body = rotation_body(bundle.key, bundle.key, bundle.manifest.exchange, b"\x07" * 32)
    signature = sign(bundle.signer, "rotation", body)
    rotation = wire.Rotation(signature, bundle.key, signature)
    manifest = replace(bundle.manifest, previous=b"\x07" * 32, rotation=(rotation,))
    assert code_of(bundle, manifest) == "manifest.bad-rotation"


def chained(bundle: Bundle, earlier: wire.Manifest, **changes: object) -> str | None:
    """Return the code with which a manifest that follows ``earlier`` is rejected, if it is."""
    data, signature = signed(bundle, earlier)
    following = replace(
        bundle.manifest, previous=manifest_digest(data), snapshot_id="2024-q2", time=1_750_000_000
    )
    manifest = replace(following, **changes)  # type: ignore[arg-type]
    checked = check_manifest(*signed(bundle, manifest), bundle.key, POLICY)
    try:
        check_previous(checked, data, signature)
    except Rejected as error:
        return error.code
    return None


def test_the_chain_of_manifests(bundle):
    first = bundle.manifest
    assert chained(bundle, first) is None
    assert chained(bundle, first, previous=bytes(32)) == "manifest.broken-chain"
    assert chained(bundle, first, previous=b"\x01" * 32) == "manifest.broken-chain"
    assert chained(bundle, first, time=first.time) == "manifest.broken-chain"
    assert chained(bundle, first, time=first.time - 1) == "manifest.broken-chain"
    assert chained(bundle, first, snapshot_id="2024-q1") == "manifest.equivocation"
    # The same manifest twice is no equivocation, and follows itself no more than another does.
    checked = check_manifest(*signed(bundle, first), bundle.key, POLICY)
    with pytest.raises(Rejected, match="broken-chain"):
        check_previous(checked, *signed(bundle, first))


def test_the_previous_manifest_is_signed_by_the_key_or_the_one_it_replaced(bundle):
    old = Ed25519PrivateKey.from_private_bytes(b"\x55" * 32)
    before = replace(bundle.manifest, public_key=old.public_key().public_bytes_raw())
    data = wire.write_record(before)
    manifest = replace(
        rotated(bundle, previous=manifest_digest(data)), snapshot_id="2024-q2", time=1_750_000_000
    )
    checked = check_manifest(*signed(bundle, manifest), bundle.key, POLICY)
    check_previous(checked, data, sign(old, "manifest-signature", data))
    stranger = Ed25519PrivateKey.from_private_bytes(b"\x56" * 32)
    for signature in (sign(stranger, "manifest-signature", data), b"", bytes(64)):
        with pytest.raises(CannotCheck, match="not signed"):
            check_previous(checked, data, signature)
    for malformed in (b"\x80", b"\xc0"):
        with pytest.raises(Rejected, match="broken-chain"):
            check_previous(checked, malformed, sign(old, "manifest-signature", malformed))


def test_the_previous_manifest_is_no_larger_than_any(bundle, tmp_path):
    """What no reader takes as a manifest is none that another one follows."""
    spare = 2**24 - len(wire.write_record(replace(bundle.manifest, exchange="x" * 70_000))) + 70_000
    assert chained(bundle, replace(bundle.manifest, exchange="x" * spare)) is None
    with pytest.raises(CannotCheck, match="of another size"):
        chained(bundle, replace(bundle.manifest, exchange="x" * (spare + 1)))
    data, signature = signed(bundle, replace(bundle.manifest, exchange="x" * (spare + 1)))
    (tmp_path / "kept.msgpack").write_bytes(data)
    (tmp_path / "kept.sig").write_bytes(signature)
    with pytest.raises(CannotCheck, match="no manifest"):
        compare_manifests(tmp_path / "kept.msgpack", bundle.folder)


def test_the_previous_manifest_is_read_from_a_bundle_or_a_file(bundle, tmp_path):
    data, signature = signed(bundle, bundle.manifest)
    (tmp_path / "kept.msgpack").write_bytes(data)
    (tmp_path / "kept.sig").write_bytes(signature)
    later = Bundle(
        tmp_path / "later",
        head={"previous": bundle.digest, "snapshot_id": "2024-q2", "time": 1_750_000_000},
    )
    for previous in (bundle.folder, str(bundle.folder) + "/", tmp_path / "kept.msgpack"):
        report = check_solvency(later.folder, bundle.key_text, previous=previous)
        assert [check.name for check in report.checks][1] == "previous manifest"
    with pytest.raises(Rejected, match="broken-chain"):
        check_solvency(bundle.folder, bundle.key, previous=later.folder)
    (tmp_path / "kept.sig").unlink()
    for previous in (tmp_path, tmp_path / "kept.msgpack", tmp_path / "nowhere"):
        with pytest.raises(CannotCheck):
            check_solvency(later.folder, bundle.key, previous=previous)


def test_keys_as_text(bundle):
    assert parse_public_key(bundle.key_text) == bundle.key
    assert parse_public_key(bundle.key_text + "\n") == bundle.key
    assert public_key_text(bundle.key) == bundle.key_text
    text = bundle.key_text
    for malformed in (
        "", "assay1", text + "\n\n", text + " ", " " + text, text.upper(), text[:-1], text + "q",
        "assay2" + text[6:], text[:-1] + ("q" if text[-1] != "q" else "p"), bundle.key.hex(),
        "assay1:" + bundle.key.hex(), bundle.key[:-1], b"", text.encode(),
    ):  # fmt: skip
        with pytest.raises(Misuse):
            parse_public_key(malformed)


def test_a_mistyped_key_is_a_mistyped_key(bundle):
    """Every letter changed, and every two neighbours exchanged, is noticed (BIP-350)."""
    text = bundle.key_text
    for at in range(len("assay1"), len(text)):
        for letter in "qpzry9x8gf2tvdw0s3jn54khce6mua7l":
            if letter != text[at]:
                with pytest.raises(Misuse, match="mistyped"):
                    parse_public_key(text[:at] + letter + text[at + 1 :])
        swapped = text[:at] + text[at : at + 2][::-1] + text[at + 2 :]
        if swapped != text:
            with pytest.raises(Misuse, match="mistyped"):
                parse_public_key(swapped)


@pytest.mark.parametrize("spoil", [(1, 0), (2, 1)])
def test_a_checksum_of_another_kind_or_a_spare_bit_is_mistyped(bundle, spoil):
    encoding, spare = spoil
    groups = bech32.convertbits(bundle.key, 8, 5)
    groups[-1] |= spare
    with pytest.raises(Misuse, match="mistyped"):
        parse_public_key(bech32.bech32_encode(encoding, "assay", groups))


def test_both_write_and_read_one_text_of_a_key():
    for number in range(200):
        key = hashlib.sha256(number.to_bytes(4)).digest()
        assert public_key_text(key) == reference_keys.text(key)
        if is_sound_key(key):
            assert (
                reference_keys.parse(public_key_text(key))
                == key
                == parse_public_key(public_key_text(key))
            )


FIELD = 2**255 - 19
ORDER_EIGHT = "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05"
Y_OF_EIGHT = int.from_bytes(bytes.fromhex(ORDER_EIGHT), "little")


@pytest.mark.parametrize("sign", [0, 1])
@pytest.mark.parametrize(
    "y",
    [0, 1, FIELD - 1, FIELD, FIELD + 1, FIELD + 18, Y_OF_EIGHT, FIELD - Y_OF_EIGHT],
)
def test_a_key_that_anyone_can_sign_for_is_no_key(y, sign):
    """The points of small order in every encoding, and y that is not canonical."""
    key = (y | sign << 255).to_bytes(32, "little")
    assert not is_sound_key(key)
    assert not reference_keys.sound(key)
    for given in (key, public_key_text(key)):
        with pytest.raises(Misuse, match="nobody's"):
            parse_public_key(given)
    with pytest.raises(ValueError, match="nobody's"):
        reference_keys.parse(public_key_text(key))


def test_nothing_is_signed_by_a_key_of_small_order():
    """R is B and S is 1: under the neutral element that is a signature of everything."""
    neutral = bytes([1]) + bytes(31)
    base = (4 * pow(5, -1, FIELD) % FIELD).to_bytes(32, "little")
    signature = base + bytes([1]) + bytes(31)
    Ed25519PublicKey.from_public_bytes(neutral).verify(signature, b"anything")  # the library's word
    assert not is_signed(neutral, "rotation", b"anything", signature)
    assert not reference_keys.signed(neutral, "rotation", b"anything", signature)


# Of b"a manifest" under the private scalar 12345: R and S; S plus the group's order; R moved by a
# point of order 8, with the S that the equation multiplied by the cofactor takes.
ED25519_KEY = "ef4f62f8479733ad879cfaced3c89a9c39dd4fc795ef2efa1c3eafe4d729a081"
ED25519_R = "1d84c09c915b1e355f4130b3950f6754270b37696f36f1b6ca5d4a9b4cf48860"
ED25519_S = "8d641df788b5065095b308054b5c1689c360ad0b2abd1b3d4d1edf1b26eabe03"
ED25519_S_PLUS_ORDER = "7a381354a31819a86b5000a82956f59dc360ad0b2abd1b3d4d1edf1b26eabe13"
ED25519_MOVED_R = "1c354c4c7a6de4bcb4fd275f391333dd9bf17d38b41332753f60cf56d5ef4fcc"
ED25519_MOVED_S = "17c9c737daf4e4af9822315027b5fdd55f01a158e4cd5f7e4db9e973fe1aef06"


@pytest.mark.parametrize(
    ("signature", "verifies"),
    [
        (ED25519_R + ED25519_S, True),
        (ED25519_R + ED25519_S_PLUS_ORDER, False),
        (ED25519_MOVED_R + ED25519_MOVED_S, False),
    ],
)
def test_signatures_verify_by_the_equation_without_cofactor(signature: str, verifies: bool) -> None:
    key, data = bytes.fromhex(ED25519_KEY), bytes.fromhex(signature)
    assert is_signed(key, "manifest-signature", b"a manifest", data) == verifies
