"""BitMEX's list of reserves: a YAML file of addresses and the scripts behind them.

Nothing is signed. The list claims an m-of-n multisig in which n - 1 keys are the exchange's known
ones and one is the account's, and for single keys an extended public key; whoever knows those keys
to be BitMEX's may conclude that the addresses are. So a row that agrees with the claim is implied,
and never counts.

Fields: ``chain``, ``height``, ``blockhash``, ``claim`` (``m``, ``n``), ``keys`` (uncompressed, in
hex), ``xpub`` (a list), ``total`` in satoshi, and for each ``address``: ``addr``, ``addr_type``
(``sh``, ``sh_wsh``, ``wsh``, ``wpkh`` or ``unspendable``), ``script`` (hex, or a ``wpkh``
descriptor) and ``balance`` in satoshi; for each of ``custodial``, which others hold: the same
without a script. The total is that of all balances.
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from coincurve import PublicKey

from prover.imports.names import Network, bitmex_network
from prover.imports.rows import (
    MAX_ROWS,
    Imported,
    ImportFileError,
    Row,
    Stated,
    Status,
    Verdict,
    named,
    once,
    shown,
)
from prover.imports.signatures import (
    SignatureFault,
    key_scripts,
    parse_multisig,
    script_outputs,
)
from prover.imports.yaml_tree import Node, read_yaml
from verifier.format import base58
from verifier.ownership import Address, OwnershipError, parse_address

_ASSET = "BTC"
_FIELDS = frozenset(
    {"address", "blockhash", "chain", "claim", "custodial", "height", "keys", "total", "xpub"}
)
_CLAIM_FIELDS = frozenset({"m", "n"})
_ROW_FIELDS = frozenset({"addr", "addr_type", "balance", "script"})
_MULTISIG = ("sh", "sh_wsh", "wsh")
_KEY = re.compile(r"04[0-9a-fA-F]{128}|0[23][0-9a-fA-F]{64}")
_XPUB = re.compile(r"xpub[1-9A-HJ-NP-Za-km-z]{107}")
_HEX = re.compile(r"(?:[0-9a-fA-F]{2})+")
_NUMBER = re.compile(r"[0-9]{1,19}")
_DESCRIPTOR = re.compile(
    r"wpkh\((?:\[[0-9a-f]{8}(?:/[0-9]{1,10}['h]?){0,10}\])?"
    r"(xpub[1-9A-HJ-NP-Za-km-z]{107})((?:/[0-9]{1,10}){0,4})\)(?:#[0-9a-z]{8})?"
)
_HARDENED = 1 << 31
_XPUB_BYTES = 78
_MOST_KEYS = 64


@dataclass(frozen=True, slots=True)
class _ExtendedKey:
    """A public key and its chain code (BIP-32)."""

    key: PublicKey
    chain_code: bytes

    @classmethod
    def parse(cls, text: str) -> _ExtendedKey:
        """Read an ``xpub``: version, depth, parent, number, chain code, key.

        Raises:
            SignatureFault: not one.
        """
        try:
            raw = base58.decode_check(text)
            if len(raw) != _XPUB_BYTES:
                raise SignatureFault("an extended key has another length")
            return cls(PublicKey(raw[45:]), raw[13:45])
        except ValueError:
            raise SignatureFault("an extended key is malformed") from None

    def child(self, number: int) -> _ExtendedKey:
        """Return a child that is not hardened.

        Raises:
            SignatureFault: there is none of this number, which is true of one in 2^127.
        """
        data = self.key.format() + number.to_bytes(4, "big")
        digest = hmac.digest(self.chain_code, data, "sha512")
        try:
            return _ExtendedKey(self.key.add(digest[:32]), digest[32:])
        except ValueError:
            raise SignatureFault("an extended key has no such child") from None


@dataclass(frozen=True, slots=True)
class _Claim:
    """What all addresses are claimed to be: keys by their x coordinate, extended keys by text."""

    required: int
    keys: int
    known: frozenset[bytes]
    xpubs: Mapping[str, _ExtendedKey]


def import_bitmex(file: Path) -> Imported:
    """Check every row of a list of BitMEX's.

    Raises:
        ImportFileError: the file as a whole is refused.
    """
    fields = _mapping(file, read_yaml(file))
    chain = _text(file, fields, "chain")
    network = bitmex_network(chain)
    claim = _claim(file, fields)
    entries = [*_list(file, fields, "address")]
    owned = len(entries)
    if "custodial" in fields:
        entries += _list(file, fields, "custodial")
    if len(entries) > MAX_ROWS:
        raise ImportFileError(file, f"more than {MAX_ROWS} addresses")
    rows: list[Row] = []
    seen: dict[tuple[str, str, str], int] = {}
    for number, entry in enumerate(entries):
        row = _check(file, entry, claim, chain, network, is_owned=number < owned)
        rows.append(once(row, seen))
    stated = [_stated(_text(file, fields, "total"), rows)] if "total" in fields else []
    return Imported("bitmex", rows, stated, _unread(fields, entries))


def _stated(total: str, rows: Sequence[Row]) -> Stated:
    """Compare the list's total with its rows, those of custodians and unspendable ones too."""
    amounts = [row.amount for row in rows if row.amount is not None]
    if len(amounts) < len(rows) or not _NUMBER.fullmatch(total):
        return Stated(_ASSET, total)
    return Stated(_ASSET, total, str(sum(amounts)), int(total) == sum(amounts))


def _unread(fields: Mapping[str, Node], entries: Sequence[Node]) -> list[str]:
    """Name what is in the list and known here by no name."""
    claim = fields["claim"].value
    inner = {key for entry in entries if isinstance(entry.value, dict) for key in entry.value}
    return [
        *named("key", fields.keys() - _FIELDS),
        *named("key of the claim", claim.keys() - _CLAIM_FIELDS if isinstance(claim, dict) else ()),
        *named("key of an address", inner - _ROW_FIELDS),
    ]


def _claim(file: Path, fields: Mapping[str, Node]) -> _Claim:
    numbers = _mapping(file, _field(file, fields, "claim"))
    required, count = (_number(file, numbers, name) for name in ("m", "n"))
    keys = _texts(file, fields, "keys", _KEY, "a public key in hex")
    xpubs = _texts(file, fields, "xpub", _XPUB, "an xpub") if "xpub" in fields else []
    known = frozenset(bytes.fromhex(key[2:66]) for key in keys)
    if len(known) != len(keys):
        raise ImportFileError(file, "keys: a key occurs twice", fields["keys"].line)
    try:
        extended = {text: _ExtendedKey.parse(text) for text in xpubs}
    except SignatureFault as fault:
        raise ImportFileError(file, f"xpub: {fault}", fields["xpub"].line) from None
    return _Claim(required, count, known, extended)


def _check(
    file: Path, entry: Node, claim: _Claim, chain: str, network: Network | None, *, is_owned: bool
) -> Row:
    fields = _mapping(file, entry)
    text, kind = _text(file, fields, "addr"), _text(file, fields, "addr_type")
    amount = _number(file, fields, "balance") if "balance" in fields else None
    place = network.name if network else f"bitcoin {shown(chain)}"
    row = Row(entry.line, _ASSET, place, text, amount, Verdict(Status.UNCHECKED, ""))
    if network is None:
        return replace(row, verdict=Verdict(Status.UNCHECKED, "on a test network"))
    if not is_owned:
        reason = "at a custodian; nothing here shows whose it is"
        return replace(row, verdict=Verdict(Status.UNCHECKED, reason))
    if kind == "unspendable":
        return replace(row, verdict=Verdict(Status.UNCHECKED, "marked as unspendable"))
    try:
        address = parse_address(network.chain, text)
        script = _text(file, fields, "script")
        verdict = _judge(claim, address, kind, script)
    except SignatureFault as fault:
        verdict = Verdict(Status.FAILED, str(fault))
    except OwnershipError as fault:
        bad = fault.code == "evidence.bad-address"
        verdict = Verdict(Status.FAILED if bad else Status.UNCHECKED, fault.message)
    return replace(row, verdict=verdict)


def _judge(claim: _Claim, address: Address, kind: str, script: str) -> Verdict:
    if kind in _MULTISIG:
        _check_multisig(claim, address, kind, script)
        known, m, n = len(claim.known), claim.required, claim.keys
        reason = f"nothing signed; {known} keys of the list are in its {m}-of-{n} script"
    elif kind == "wpkh":
        _check_descriptor(claim, address, script)
        reason = "nothing signed; its key descends from an extended key of the list"
    else:
        return Verdict(Status.UNCHECKED, f"unknown kind of address: {shown(kind)}")
    return Verdict(Status.IMPLIED, reason)


def _check_multisig(claim: _Claim, address: Address, kind: str, script: str) -> None:
    """Check that an address is the claimed multisig: all known keys, and the account's own.

    Raises:
        SignatureFault: it is not.
    """
    if not _HEX.fullmatch(script):
        raise SignatureFault("its script is not hex")
    raw = bytes.fromhex(script)
    if script_outputs(raw)[kind] != address.owner:
        raise SignatureFault("its script is not the address's")
    multisig = parse_multisig(raw)
    if (multisig.required, len(multisig.keys)) != (claim.required, claim.keys):
        raise SignatureFault("its script is not the m-of-n of the claim")
    if len(claim.known - {key[1:33] for key in multisig.keys}) or (
        len(multisig.keys) != len(claim.known) + 1
    ):
        raise SignatureFault("its keys are not the list's and one more")


def _check_descriptor(claim: _Claim, address: Address, script: str) -> None:
    """Check that an address is of a key that descends from an extended key of the list.

    Raises:
        SignatureFault: it is not.
    """
    match = _DESCRIPTOR.fullmatch(script)
    if match is None:
        raise SignatureFault("its descriptor is not wpkh of one extended key and a plain path")
    if match[1] not in claim.xpubs:
        raise SignatureFault("its extended key is not the list's")
    path = [int(step) for step in match[2].split("/")[1:]]
    if any(step >= _HARDENED for step in path):
        raise SignatureFault("its path is not of an extended public key")
    extended = claim.xpubs[match[1]]
    for step in path:
        extended = extended.child(step)
    if address.owner != key_scripts(extended.key.format())[1]:
        raise SignatureFault("its descriptor is not the address's")


def _mapping(file: Path, node: Node) -> Mapping[str, Node]:
    if not isinstance(node.value, dict):
        raise ImportFileError(file, "must be a mapping", node.line, node.column)
    return node.value


def _field(file: Path, fields: Mapping[str, Node], name: str) -> Node:
    if name not in fields:
        line = min((node.line for node in fields.values()), default=0)
        raise ImportFileError(file, f"{name} is missing", line)
    return fields[name]


def _text(file: Path, fields: Mapping[str, Node], name: str) -> str:
    node = _field(file, fields, name)
    if not isinstance(node.value, str):
        raise ImportFileError(file, f"{name} must be text", node.line, node.column)
    return node.value


def _number(file: Path, fields: Mapping[str, Node], name: str) -> int:
    text = _text(file, fields, name)
    if not _NUMBER.fullmatch(text):
        node = fields[name]
        raise ImportFileError(file, f"{name} must be a whole number", node.line, node.column)
    return int(text)


def _list(file: Path, fields: Mapping[str, Node], name: str) -> Sequence[Node]:
    node = _field(file, fields, name)
    if not isinstance(node.value, list):
        raise ImportFileError(file, f"{name} must be a list", node.line, node.column)
    return node.value


def _texts(
    file: Path, fields: Mapping[str, Node], name: str, form: re.Pattern[str], what: str
) -> list[str]:
    texts = []
    nodes = _list(file, fields, name)
    if len(nodes) > _MOST_KEYS:
        raise ImportFileError(file, f"{name}: more than {_MOST_KEYS}", fields[name].line)
    for node in nodes:
        if not isinstance(node.value, str) or not form.fullmatch(node.value):
            raise ImportFileError(file, f"{name}: not {what}", node.line, node.column)
        texts.append(node.value)
    return texts
