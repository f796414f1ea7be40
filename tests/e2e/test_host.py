"""The auditing host as a process of its own, over bundles that a static host serves."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import msgpack
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from tests.support.attested_forge import CUSTODIAN, STRANGER
from tests.support.auditing_host import Host, audited, bundle_at, hosts, kinds, serving, settled
from tests.support.bases import CHAINS, FAMILIES
from tests.support.forged_sample import BTC, ETH, TETHER, sample
from tests.support.forger import Elsewhere, public_key
from tests.support.subjects import write_files
from tests.support.verifier_bundle import Bundle
from verifier.errors import Misuse
from verifier.format.keys import is_signed, public_key_text
from verifier.format.levels import Level
from verifier.format.params import MAX_PACKAGE_BYTES
from verifier.host.app import create_app
from verifier.host.settings import read_settings

SOME_KEY = public_key_text(b"\x11" * 32)


@pytest.fixture
def served(tmp_path: Path) -> Iterator[tuple[Path, str]]:
    """A folder, and the URL at which it is served."""
    with serving(tmp_path / "served") as url:
        yield tmp_path / "served", url


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Host]]:
    """Starts hosts."""
    with hosts(tmp_path) as run:
        yield run


def watched(start: Callable[..., Host], served: tuple[Path, str]) -> tuple[Path, Bundle, Host]:
    """A bundle below the folder that is served, and a host that has audited it."""
    root, url = served
    bundle = bundle_at(root / "one")
    host = start(("An Exchange", f"{url}/one", bundle.key))
    host.wait(audited)
    return root, bundle, host


def test_it_audits_attests_and_goes_on_after_a_kill(
    start: Callable[..., Host], served: tuple[Path, str]
) -> None:
    root, url = served
    bundle = bundle_at(root / "one")
    host = start(("An Exchange", f"{url}/one", bundle.key))
    (exchange,) = host.wait(audited)
    (snapshot,) = exchange["snapshots"]
    assert snapshot["accepted"]
    assert snapshot["digest"] == bundle.digest.hex()
    assert {asset["code"]: asset["level"] for asset in snapshot["assets"]} == {
        "BTC": "claimed",
        "ETH": "claimed",
    }
    assert kinds([exchange]) == {"overdue"}  # its time is long past

    _, data = host.ask("GET", f"/attestations/{snapshot['digest']}.msgpack")
    _, signature = host.ask("GET", f"/attestations/{snapshot['digest']}.sig")
    assert is_signed(host.key, "attestation", data, signature)
    said: Any = msgpack.unpackb(data)
    assert said["manifest"] == bundle.digest
    assert said["code"] == ""
    assert any("own" in text for text in said["not_checked"])

    _, listed = host.ask("GET", "/exchanges.msgpack")
    _, list_signature = host.ask("GET", "/exchanges.sig")
    assert is_signed(host.key, "exchange-list", listed, list_signature)
    _, own = host.ask("GET", "/auditor.pub")
    assert own.decode() == f"{public_key_text(host.key)}\n"

    again = start(("An Exchange", f"{url}/one", bundle.key))
    assert again.wait(audited)[0]["snapshots"] == exchange["snapshots"]
    status, page = again.ask("GET", "/")
    assert status == 200
    assert b"1 exchange watched. 1 needs your attention." in page
    assert b"<script" not in page


def test_equivocation_and_a_broken_chain_show(
    start: Callable[..., Host], served: tuple[Path, str]
) -> None:
    root, url = served
    first = bundle_at(root / "one")
    host = start(("An Exchange", f"{url}/one", first.key))
    host.wait(audited)
    second = bundle_at(root / "one", head={"time": 1_700_000_001})
    assert second.digest != first.digest
    found = host.wait(lambda history: settled(history[0]) == 2)
    assert kinds(found) == {"equivocation", "overdue"}  # that neither follows one is no more news
    third = bundle_at(root / "one", head={"time": 1_700_000_002, "snapshot_id": "later"})
    found = host.wait(lambda history: settled(history[0]) == 3)
    assert kinds(found) == {"equivocation", "broken-chain", "overdue"}
    broken = [one["manifests"] for one in found[0]["alarms"] if one["kind"] == "broken-chain"]
    assert [third.digest.hex()] in broken  # it follows none that was seen, and
    assert {first.digest.hex(), third.digest.hex()} < set(broken[1])  # is a first one once more
    for digest in (first.digest, second.digest):
        _, manifest = host.ask("GET", f"/manifests/{digest.hex()}.msgpack")
        _, signature = host.ask("GET", f"/manifests/{digest.hex()}.sig")
        assert is_signed(first.key, "manifest-signature", manifest, signature)


def test_an_unbroken_chain_shows_no_alarm_but_the_date(
    start: Callable[..., Host], served: tuple[Path, str]
) -> None:
    root, url = served
    first = bundle_at(root / "one", head={"time": int(time.time()) - 10})
    host = start(("An Exchange", f"{url}/one", first.key))
    host.wait(audited)
    head = {"time": int(time.time()), "snapshot_id": "2024-q2", "previous": first.digest}
    bundle_at(root / "one", head=head)
    found = host.wait(lambda history: settled(history[0]) == 2)
    assert kinds(found) == set()


def test_a_false_bundle_is_rejected_and_says_why(
    start: Callable[..., Host], served: tuple[Path, str]
) -> None:
    root, url = served
    bundle = bundle_at(root / "one", assets_held={"BTC": 10})
    host = start(("An Exchange", f"{url}/one", bundle.key))
    found = host.wait(audited)
    assert found[0]["snapshots"][0]["code"] == "argument.rejected"
    assert "rejected" in kinds(found)


def test_a_bundle_that_is_being_uploaded_is_no_fault(
    start: Callable[..., Host], served: tuple[Path, str]
) -> None:
    root, url = served
    bundle = bundle_at(root / "one")
    pages = root / "one" / "pages" / "BTC" / "0"
    held = pages.read_bytes()
    pages.unlink()
    host = start(("An Exchange", f"{url}/one", bundle.key))
    while b"bundle.missing-file" not in host.ask("GET", f"/exchanges/{bundle.key.hex()}")[1]:
        time.sleep(0.1)
    (waiting,) = host.wait(lambda history: bool(history[0]["snapshots"]))
    (snapshot,) = waiting["snapshots"]
    assert (snapshot["outcome"], snapshot["accepted"]) == ("not audited", False)
    assert kinds([waiting]) == {"overdue", "unaudited"}
    pages.write_bytes(held)
    host.process.kill()  # or it would be tried again after an hour
    host = start(("An Exchange", f"{url}/one", bundle.key))
    host.wait(lambda history: bool(history[0]["snapshots"][0]["accepted"]))


def test_a_foreign_key_and_an_absent_bundle_are_no_news(
    start: Callable[..., Host], served: tuple[Path, str]
) -> None:
    root, url = served
    bundle_at(root / "one")
    host = start(("Another", f"{url}/one", b"\x01" * 32), ("Absent", f"{url}/none", b"\x02" * 32))
    found = host.wait(lambda history: all(exchange["fault"] for exchange in history))
    assert [exchange["fault"].partition(":")[0] for exchange in found] == [
        "manifest.bad-signature",
        "check.no-bundle",
    ]
    assert not any(exchange["snapshots"] for exchange in found)
    assert b"could not be read at the last look" in host.ask("GET", "/")[1]
    page = host.ask("GET", f"/exchanges/{'01' * 32}")[1]
    assert b"Could not be read: manifest.bad-signature" in page


def form(**fields: str) -> tuple[bytes, dict[str, str]]:
    return urlencode(fields).encode(), {"Content-Type": "application/x-www-form-urlencoded"}


def test_a_submission_is_audited_and_a_damaged_copy_frames_nobody(
    start: Callable[..., Host], served: tuple[Path, str]
) -> None:
    root, url = served
    bundle = bundle_at(root / "honest")
    damaged = bundle_at(root / "damaged", head={"snapshot_id": "other"})
    pages = root / "damaged" / "pages" / "BTC" / "0"
    pages.write_bytes(b"\x00" + pages.read_bytes()[1:])
    host = start()
    for name in ("damaged", "honest"):
        body, headers = form(bundle=f"{url}/{name}", key=public_key_text(bundle.key))
        assert host.ask("POST", "/submissions", body, headers)[0] == 202
    found = host.wait_for(
        "/submissions.json",
        lambda handed: "waiting" not in [one["state"] for one in handed["submissions"]],
    )
    assert [item["digest"] for item in found["proofs"]] == [bundle.digest.hex()]
    assert damaged.digest.hex() not in json.dumps(found)
    states = {item["bundle"]: item["state"] for item in found["submissions"]}
    assert states == {f"{url}/damaged": "page.bad-header", f"{url}/honest": "accepted"}
    assert host.history() == []


@pytest.mark.parametrize(
    ("bundle", "key"),
    [
        ("ftp://example.com/b", SOME_KEY),
        ("https://user@example.com/b", SOME_KEY),
        ("https://example.com:8443/b", SOME_KEY),
        ("https://example.com/b?x=1", SOME_KEY),
        ("https://example.com/b", "11" * 32),
        ("https://[::1/b", SOME_KEY),
    ],
)
def test_a_malformed_submission_is_refused(
    start: Callable[..., Host], bundle: str, key: str
) -> None:
    body, headers = form(bundle=bundle, key=key)
    assert start().ask("POST", "/submissions", body, headers)[0] == 400


def test_packages(start: Callable[..., Host], served: tuple[Path, str]) -> None:
    """One that holds, one that fails, one of nobody, one too large."""
    root, bundle, host = watched(start, served)

    def hand_in(package: bytes) -> tuple[int, dict[str, str]]:
        status, answer = host.ask("POST", "/complaints", package)
        return status, json.loads(answer)

    assert hand_in(bundle.package("alice@example.com")) == (200, {"outcome": "holds"})
    body = bundle.body("alice@example.com")
    part = replace(body.assets[0].parts[0], amount=1)
    asset = replace(body.assets[0], parts=(part, *body.assets[0].parts[1:]))
    false = bundle.package(replace(body, assets=(asset, *body.assets[1:])))
    status, answer = hand_in(false)
    assert (status, answer["code"]) == (201, "inclusion.wrong-amount")
    assert answer["digest"] == hashlib.sha256(false).hexdigest()
    page = host.ask("GET", f"/complaints/{answer['digest']}")[1]
    assert b"does not keep the package" in page
    assert b"alice" not in page
    assert hand_in(false)[0] == 201

    newer = bundle.package(replace(body, assets=(asset, *body.assets[1:]), version=2))
    status, answer = hand_in(newer)
    assert status == 503
    assert "older than what it read" in answer["reason"]
    part = body.assets[0].parts[0]
    parts = (replace(part, path=part.path[::-1]), *body.assets[0].parts[1:])
    bent = replace(body.assets[0], parts=parts)
    status, answer = hand_in(bundle.package(replace(body, assets=(bent, *body.assets[1:]))))
    assert (status, answer["code"]) == (201, "inclusion.wrong-identity")

    def upload(package: bytes) -> tuple[int, bytes]:
        head = b'--x\r\nContent-Disposition: form-data; name="package"; filename="p"\r\n\r\n'
        kind = {"Content-Type": "multipart/form-data; boundary=x"}
        return host.ask("POST", "/complaints", head + package + b"\r\n--x--\r\n", kind)

    assert b"The package holds" in upload(bundle.package("bob@example.com"))[1]
    status, page = upload(false)
    assert status == 201
    assert b"inclusion.wrong-amount" in page
    assert upload(b"")[0] == 400

    other = bundle_at(root / "two", seed=2).package("alice@example.com")
    for refused in (b"", b"\x80", other, false[:-1]):
        assert hand_in(refused)[0] == 400
    assert host.ask("POST", "/complaints", bytes(MAX_PACKAGE_BYTES + 10_000))[0] == 413


def test_no_file_of_the_host_has_a_failing_package(
    start: Callable[..., Host], served: tuple[Path, str], tmp_path: Path
) -> None:
    """Whoever agrees: an opening that does not hold can tell of others."""
    _, bundle, host = watched(start, served)
    body = bundle.body("alice@example.com")
    part = replace(body.assets[0].parts[0], amount=1)
    asset = replace(body.assets[0], parts=(part, *body.assets[0].parts[1:]))
    false = bundle.package(replace(body, assets=(asset, *body.assets[1:])))
    status, answer = host.ask("POST", "/complaints?publish=yes", false)
    assert status == 201
    digest = json.loads(answer)["digest"]
    consent, headers = form(understood="yes")
    assert host.ask("POST", f"/complaints/{digest}/package", consent, headers)[0] == 404
    kept = [path.read_bytes() for path in tmp_path.rglob("host.sqlite*")]
    assert kept
    assert any(bytes.fromhex(digest) in data for data in kept)
    assert not any(part.opening[:64] in data or b"alice@" in data for data in kept)


def test_a_damaged_copy_is_no_complaint(
    start: Callable[..., Host], served: tuple[Path, str]
) -> None:
    root, bundle, host = watched(start, served)
    pages = root / "one" / "pages" / "BTC" / "0"
    data = bytearray(pages.read_bytes())
    data[-1] ^= 1
    data[len(data) // 2 - 1] ^= 1
    pages.write_bytes(data)
    status, _ = host.ask("POST", "/complaints", bundle.package("alice@example.com"))
    assert status == 503


EXCHANGE = f"""
name = "A"
key = "k"
folder = "f"
[[exchange]]
name = "B"
public_key = "{SOME_KEY}"
"""

TWO = f"""{EXCHANGE}
bundle = "https://a.b"
[[exchange]]
name = "b"
bundle = "https://a.b"
public_key = "{public_key_text(bytes([18]) * 32)}"
"""


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('name = "A"', "folder is missing"),
        ('name = "A"\nkey = "k"\nfolder = "f"\nport = 1', "unknown key port"),
        ('name = "A"\nkey = "k"\nfolder = "f"\njobs = "2"', "not of type int"),
        ('name = "A"\nkey = "k"\nfolder = "f"\njobs = 0', "not 1 to"),
        ('name = "A"\nkey = "k"\nfolder = "f"\nsubmission_bytes = 0', "bytes is not 1 to"),
        ('name = "A"\nkey = "k"\nfolder = "f"\nsubmission_minutes = -1', "minutes is not 1 to"),
        ('name = "A"\nkey = "k"\nfolder = "f"\n[[exchange]]\nname = "B"', "key is missing"),
        ('name = "A"\nkey = "k"\nfolder = "f"\npage = 1', "page is not of type str"),
        (EXCHANGE, "one of bundle and history"),
        (EXCHANGE + '\nbundle = "https://a.b"\nkey_compared = "2026-03-02"', "not of type date"),
        (
            EXCHANGE + '\nbundle = "https://a.b"\nhistory = "https://a.b"',
            "one of bundle and history",
        ),
        (EXCHANGE + '\nhistory = "ftp://a.b"', "history is no http"),
        (TWO, "an exchange's name occurs twice"),
        ("name", "host.toml"),
    ],
)
def test_settings_that_are_refused(tmp_path: Path, text: str, message: str) -> None:
    file = tmp_path / "host.toml"
    file.write_text(text)
    with pytest.raises(Misuse, match=message):
        read_settings(file)


def test_another_page_for_customers_is_refused(tmp_path: Path) -> None:
    """The host vouches for what it serves: it starts with the page of its version, or with none."""
    key = Ed25519PrivateKey.generate()
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (tmp_path / "k").touch(mode=0o600)
    (tmp_path / "k").write_bytes(pem)
    file = tmp_path / "host.toml"
    more = 'bundle = "https://a.b"\nkey_compared = 2026-03-02'
    file.write_text(f'page = "check.html"\n{EXCHANGE}{more}')
    settings = read_settings(file)
    assert settings.exchanges[0].key_compared == date(2026, 3, 2)
    with pytest.raises(Misuse, match="check"):
        create_app(settings)
    (tmp_path / "check.html").write_text("<p>another")
    with pytest.raises(Misuse, match="not the customer's page of this version"):
        create_app(settings)


OWN = "code,chain,contract,decimals\nOWN,base,0x" + "11" * 20 + ",{}\n"


def test_lists_of_units_are_read_at_the_start(tmp_path: Path) -> None:
    file = tmp_path / "host.toml"
    text = 'name = "A"\nkey = "k"\nfolder = "f"\nunits = {}\n'
    (tmp_path / "own.csv").write_text(OWN.format(6))
    (tmp_path / "other.csv").write_text(OWN.format(7))
    (tmp_path / "bad.csv").write_text("code,chain\n")
    file.write_text(text.format('["own.csv"]'))
    assert [(unit.code, unit.decimals) for unit in read_settings(file).named] == [("OWN", 6)]
    for names, said in (
        ('["own.csv", "other.csv"]', "OWN on base is named in two ways"),
        ('["bad.csv"]', r"bad\.csv: line 1: the columns are not"),
        ('["absent.csv"]', "the list of units: "),
        ("[7]", "units is no list of file names"),
        ('"own.csv"', "units is not of type list"),
    ):
        file.write_text(text.format(names))
        with pytest.raises(Misuse, match=said):
            read_settings(file)


@pytest.mark.parametrize(
    ("place", "found"),
    [
        ('history = "https://a.b/c/"', "https://a.b/c/snapshots/day-1/"),
        ('history = "https://a.b"', "https://a.b/snapshots/day-1/"),
        ('bundle = "https://a.b/c"', "https://a.b/c"),
    ],
)
def test_where_a_snapshot_is(tmp_path: Path, place: str, found: str) -> None:
    file = tmp_path / "host.toml"
    file.write_text(f"{EXCHANGE}{place}")
    settings = read_settings(file)
    assert settings.exchanges[0].place_of("day-1") == found
    assert (settings.submission_seconds, settings.submission_bytes) == (600, 10**9)


def test_it_takes_the_word_of_its_attesters(
    start: Callable[..., Host], served: tuple[Path, str]
) -> None:
    """Coins at a custodian whom the host names, and staked ones that a stranger signs for."""
    root, url = served
    made = sample([replace(BTC, holdings=()), ETH, TETHER])
    kept = Elsewhere(CUSTODIAN, 2 * 10**8, 0, "bitcoin", "", "custodian", "safe 1")
    staked = Elsewhere(STRANGER, 10**18, 0, "ethereum", "", "staked", "validators")
    made.forger.assets[0].elsewhere = [kept]
    made.forger.assets[1].elsewhere = [staked]
    write_files(root, {})
    write_files(root / "one", made.forger.bundle())
    custodian = public_key(CUSTODIAN)
    named = f'[[attester]]\nname = "A custodian"\npublic_key = "{public_key_text(custodian)}"\n'
    (root.parent / "units.csv").write_text(
        "code,chain,contract,decimals\nXYZ,bsc,0x2222222222222222222222222222222222222222,18\n"
    )
    more = f'units = ["units.csv"]\n{named}'
    host = start(("An Exchange", f"{url}/one", made.forger.public_key), more=more)
    (exchange,) = host.wait(audited)
    (snapshot,) = exchange["snapshots"]
    assert snapshot["accepted"]
    levels = {asset["code"]: asset["level"] for asset in snapshot["assets"]}
    assert levels == {"BTC": "attested", "ETH": "claimed", "USDT": "claimed"}
    said = {one["code"]: one["lines"] for one in snapshot["attested"]}
    assert "signed by a key that was named for: A custodian" in said["BTC"]
    assert any("signed by an unknown key" in line for line in said["ETH"])
    assert snapshot["attested_total"] == 2
    _, page = host.ask("GET", f"/exchanges/{made.forger.public_key.hex()}")
    assert b"<li><bdi>BTC, attested: 2 BTC, of which 0 encumbered; coins that a custodian" in page
    assert b"<li><bdi>holder, as the signer says: Forged Exchange Ltd</bdi></li>" in page

    _, data = host.ask("GET", f"/attestations/{snapshot['digest']}.msgpack")
    attestation: Any = msgpack.unpackb(data)
    assert [asset["level"] for asset in attestation["assets"]] == ["attested", "claimed", "claimed"]
    assert {asset["level"] for asset in attestation["assets"]} <= set(Level)
    assert any("third parties attest" in text for text in attestation["not_checked"])

    _, listed = host.ask("GET", "/exchanges.msgpack")
    fields: Any = msgpack.unpackb(listed)
    assert sorted(fields) == ["attesters", "exchanges", "policy", "time", "units", "version"]
    assert fields["attesters"] == [{"name": "A custodian", "public_key": custodian}]
    assert [(unit["code"], unit["kind"]) for unit in fields["units"]] == [("XYZ", "named")]
    assert (fields["policy"], fields["version"]) == ("", 1)


def test_it_says_where_authority_was_not_checked(
    start: Callable[..., Host], served: tuple[Path, str]
) -> None:
    """An account on Tron signed, whose owner may have given the power over it away."""
    root, url = served
    made = sample(FAMILIES, chains=CHAINS)
    write_files(root, {})
    write_files(root / "one", made.forger.bundle())
    host = start(("An Exchange", f"{url}/one", made.forger.public_key))
    (exchange,) = host.wait(audited)
    (snapshot,) = exchange["snapshots"]
    assert snapshot["accepted"]
    assert snapshot["authority_unchecked"] == "tron"
    _, page = host.ask("GET", f"/exchanges/{made.forger.public_key.hex()}")
    assert b"authority not checked on tron: an account there can give the power over it" in page
    _, data = host.ask("GET", f"/attestations/{snapshot['digest']}.msgpack")
    said: Any = msgpack.unpackb(data)["not_checked"]
    assert "that accounts' own keys still have the power over them, on: tron" in said


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        ('name = "A bank"', "public_key is missing"),
        (f'name = "A  bank"\npublic_key = "{SOME_KEY}"', "attester 1: name"),
        (f'name = "A bank"\npublic_key = "{public_key_text(bytes(32))}"', "nobody's"),
        (f'name = "A bank"\npublic_key = "{SOME_KEY}"\nurl = ""', "unknown key url"),
        (
            f'name = "A bank"\npublic_key = "{SOME_KEY}"\n'
            f'[[attester]]\nname = "Another"\npublic_key = "{SOME_KEY}"',
            "twice",
        ),
    ],
)
def test_attesters_of_the_settings(tmp_path: Path, entry: str, words: str) -> None:
    file = tmp_path / "host.toml"
    file.write_text(f'name = "A"\nkey = "k"\nfolder = "f"\n[[attester]]\n{entry}\n')
    with pytest.raises(Misuse, match=words):
        read_settings(file)
