"""The report: one self-contained page that tells a person what a bundle shows, and what not.

Everything on it comes from the public bundle, after the manifest, evidence and solvency arguments
were checked. The page holds its pictures inline, loads nothing, and is a function of the bundle.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

import verifier
from prover.config.units import any_ratio_policy, read_manifest
from prover.errors import ProverError
from prover.files.storage import output_file
from prover.report import pictures
from verifier.bundle.key_file import read_public_key
from verifier.bundle.source import FolderSource
from verifier.checks.evidence import ledger_units
from verifier.format.chains import CHAINS, FIAT
from verifier.format.evidence_records import Evidence
from verifier.format.keys import public_key_text
from verifier.format.params import MAX_EVIDENCE_BYTES, evidence_path
from verifier.format.times import utc_text
from verifier.format.wire import Asset, read_record
from verifier.nodes.open import NODE_CHAINS
from verifier.texts import MOST_LISTED

# How the page writes a time.
_MINUTES = "%-d %B %Y, %H:%M UTC"

CHECKING_SHARES = (0.001, 0.01, 0.05, 0.2)
OMITTED = (1, 10, 100, 1000)

# More assets than these are neither drawn nor named in a sentence: they are in the tables.
MOST_DRAWN = 12
MOST_TYPED = 3

HOW_KNOWN = {
    verifier.Level.UNVERIFIED: "Contract wallets are said to have signed for this snapshot, which "
    "only a node of the chain can tell.",
    verifier.Level.CLAIMED: "The exchange states the amounts. Each address signed for this "
    "snapshot; that the coins were there was not checked on any chain.",
    verifier.Level.HEADER: "The amounts are proved under the block that the exchange names. That "
    "this block is the chain's is for a node of your own to confirm.",
}

# What a reader adds to a command, by chain, to ask a node of their own.
NODE_OPTIONS = {chain: f"--node {chain}=URL" for chain in NODE_CHAINS}
NODE_OPTIONS["bitcoin"] += " (or --utxo-snapshot FILE)"


@dataclass(frozen=True)
class Rest:
    """A part of an asset's disclosed amount: what it rests on, coins, and the share of all."""

    what: str
    level: verifier.Level
    coins: Markup
    share: float


@dataclass(frozen=True)
class Crowd:
    """A hidden set: how many keys, what all of them hold, and how that is known."""

    keys: int
    coins: Markup
    level: verifier.Level
    picture: Markup


@dataclass(frozen=True)
class Word:
    """What a third party signed for, a line each, and the key that signed."""

    lines: tuple[str, ...]
    key: str


@dataclass(frozen=True)
class AssetFacts:
    """What the page says of one asset; ``shares`` are its addresses', largest first; ``drawn`` has
    the share of the whole that rests on each thing that the picture tells apart.

    exact: the total, not rounded. pledged: the coins at addresses that are declared as pledged,
    empty where there are none.
    """

    code: str
    total: Markup
    exact: str
    ratio: str
    addresses: int
    chains: str
    is_part: bool
    slots: str
    is_set_aside: bool
    known: verifier.Level
    shares: tuple[float, ...]
    rests: tuple[Rest, ...]
    pledged: Markup | None
    words: tuple[Word, ...]
    drawn: Mapping[verifier.Level, float]
    crowds: tuple[Crowd, ...]


def write_report(
    bundle: Path, html: Path, exchange_key: str | None, token_slots: Sequence[str] = ()
) -> None:
    """Check the manifest, evidence and solvency arguments of a bundle, then write its page.

    Args:
        bundle: the folder ``DIR/public``.
        html: the file to write; what stood there is replaced once the page is whole.
        exchange_key: the exchange's public key, or a file that holds it. Without one the
            manifest's own is taken, and the page asks its reader to compare it.
        token_slots: where tokens keep balances that the verifier's table lacks, as
            ``[CHAIN:]CONTRACT=SLOT``.

    Raises:
        Rejected: what `assay-verify solvency` would say.
        ProverError: the bundle cannot be read, the key is no key, or no file can stand at ``html``.
    """
    try:
        key = public_key_text(
            _claimed_key(bundle) if exchange_key is None else read_public_key(exchange_key)
        )
        checked = verifier.check_solvency(bundle, key, policy=_policy(token_slots))
    except (verifier.CannotCheck, verifier.Misuse) as error:
        raise ProverError(f"{bundle}: {error}") from None
    page = _render(bundle, checked, key, is_key_given=exchange_key is not None)
    with output_file(html) as file:
        file.write(page.encode())


def unnoticed(omitted: int, share: float) -> float:
    """The chance that no omitted account checks, when each does with chance ``share``."""
    return float((1 - share) ** omitted)


def _claimed_key(bundle: Path) -> bytes:
    return read_manifest(bundle).public_key


def _policy(token_slots: Sequence[str]) -> verifier.Policy:
    """Take every ratio and level; readers of the page bring a policy of their own."""
    return any_ratio_policy(
        map(verifier.TokenSlot.parse, token_slots),
        verifier.Level.UNVERIFIED,
    )


def _render(bundle: Path, checked: verifier.Report, key: str, *, is_key_given: bool) -> str:
    manifest = checked.manifest
    aside = frozenset(checked.set_aside)
    with closing(FolderSource(bundle)) as source:
        assets = [
            _facts(
                asset,
                read_record(Evidence, source.read(evidence_path(asset.code), MAX_EVIDENCE_BYTES)),
                found,
                is_set_aside=asset.code in aside,
            )
            for asset, found in zip(manifest.assets, checked.assets, strict=True)
        ]
    levels = {rest.level for facts in assets for rest in facts.rests}
    levels |= {facts.known for facts in assets}
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("prover.report", "."),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
    )
    environment.filters["title_of"] = _title
    return environment.get_template("page.html").render(
        **_drawn(assets[:MOST_DRAWN]),
        has_crowds=any(facts.crowds for facts in assets),
        on_word=any(facts.known != verifier.Level.HEADER for facts in assets),
        words=[word for facts in assets for word in facts.words],
        pledged=[facts for facts in assets if facts.pledged],
        most_listed=MOST_LISTED,
        most_drawn=MOST_DRAWN,
        most_typed=MOST_TYPED,
        manifest=manifest,
        when=utc_text(manifest.time, _MINUTES),
        block_times={
            chain: utc_text(time, _MINUTES) for chain, time in checked.block_times.items()
        },
        blocks=[chain for chain in manifest.chains if chain.name != FIAT],
        digest=checked.digest.hex(),
        key=key,
        is_key_given=is_key_given,
        options=_reader_options(checked),
        parts=[asset for asset in assets if asset.is_part],
        set_aside=[asset.code for asset in assets if asset.is_set_aside],
        assets=assets,
        how_known=[(level, text) for level, text in HOW_KNOWN.items() if level in levels],
        far=_listed(checked.far),
        authority_unchecked=_listed(checked.authority_unchecked),
        loans=checked.loans,
        node_options=NODE_OPTIONS,
        checks=checked.checks,
        shares=[_percent(share) for share in CHECKING_SHARES],
        chances=[
            (omitted, [_percent(unnoticed(omitted, share)) for share in CHECKING_SHARES])
            for omitted in OMITTED
        ],
    )


def _drawn(assets: Sequence[AssetFacts]) -> dict[str, Any]:
    """Return the pictures of a page, as its template names them."""
    rests = {facts.code: facts.drawn for facts in assets}
    has_crowds = any(facts.crowds for facts in assets)
    drawings = {
        "evidence_picture": pictures.evidence(rests),
        "path_picture": pictures.path(),
        "balance_picture": pictures.balance(has_hidden=has_crowds),
        "address_picture": pictures.address_shares({facts.code: facts.shares for facts in assets}),
        "chance_picture": pictures.chances(CHECKING_SHARES, unnoticed),
    }
    made = {name: Markup(drawing) for name, drawing in drawings.items()}  # noqa: S704 (our own)
    return {**made, "dots": pictures.DOTS}


def _reader_options(checked: verifier.Report) -> str:
    """Return what a reader has to add to a command, so that it takes what the page speaks of.

    Units are none of it: who names one vouches for it, and a page of the exchange's own cannot.
    """
    if checked.is_whole:
        return ""
    ratios = [asset.ratio for asset in checked.manifest.assets]
    least = min(ratios, key=lambda it: Fraction(it.num, it.den))
    return f" --ratio {least.num}/{least.den}"


def _facts(
    asset: Asset,
    evidence: Evidence,
    found: verifier.AssetReport,
    *,
    is_set_aside: bool,
) -> AssetFacts:
    units = {(unit.chain, unit.contract): unit for unit in asset.units}
    amounts = sorted(
        (
            ledger_units(row, units[row.chain, row.contract], asset.decimals)
            for row in evidence.rows
        ),
        reverse=True,
    )
    at_addresses = sum(amounts)
    attested = sum(holding.units for holding in found.attested)
    total = at_addresses + attested
    shares = tuple(amount / at_addresses for amount in amounts) if at_addresses else ()
    rests = tuple(
        Rest(
            pictures.LEVELS[level][0],
            level,
            _rounded(found.disclosed[level], asset.decimals),
            found.disclosed[level] / total if total else 0.0,
        )
        for level in pictures.LEVELS
        if level in found.disclosed
    )
    drawn = {rest.level: rest.share for rest in rests}
    if attested:
        drawn[verifier.Level.ATTESTED] = attested / total
        signed = pictures.LEVELS[verifier.Level.ATTESTED][0]
        rests += tuple(
            Rest(signed, level, _rounded(units, asset.decimals), units / total)
            for level, units in found.attested_units.items()
        )
    return AssetFacts(
        code=asset.code,
        total=_rounded(total, asset.decimals),
        exact=_coins(total, asset.decimals),
        ratio=f"{asset.ratio.num}/{asset.ratio.den}",
        is_part=asset.ratio.num < asset.ratio.den,
        addresses=len({(row.chain, row.address) for row in evidence.rows}),
        chains=_listed(sorted({unit.chain for unit in asset.units})),
        slots=f"{asset.shape.leaves:,}",
        is_set_aside=is_set_aside,
        known=found.level,
        shares=shares,
        rests=rests,
        words=tuple(
            Word(holding.lines(asset.code), public_key_text(holding.key))
            for holding in found.attested
        ),
        pledged=_rounded(found.pledged, asset.decimals) if found.pledged_rows else None,
        drawn=drawn,
        crowds=tuple(
            Crowd(
                hidden.keys,
                _rounded(hidden.units, asset.decimals),
                hidden.level,
                Markup(pictures.crowd(hidden.keys)),  # noqa: S704 - our own drawing
            )
            for hidden in found.hidden
        ),
    )


def _coins(units: int, decimals: int) -> str:
    """Ledger units as coins, thousands separated."""
    whole, rest = divmod(units, 10**decimals)
    fraction = str(rest).rjust(decimals, "0").rstrip("0") if decimals else ""
    return f"{whole:,}.{fraction}" if fraction else f"{whole:,}"


def _rounded(units: int, decimals: int) -> Markup:
    """Ledger units as coins, rounded down to four digits; a pointer that rests there shows all."""
    exact = _coins(units, decimals)
    step = max(10 ** (len(str(units)) - 4), 1)
    rounded = _coins(units // step * step, decimals)
    if rounded == exact:
        return Markup("{}").format(exact)
    return Markup('<abbr title="{}">{}</abbr>').format(exact, rounded)


def _title(chain: str) -> str:
    """What people call a chain."""
    return CHAINS[chain].title if chain in CHAINS else chain


def _listed(names: Sequence[str]) -> str:
    return ", ".join(map(_title, names))


def _percent(chance: float) -> str:
    """A chance as a percentage that is never rounded to certainty."""
    percent = 100 * chance
    if percent < 0.001:
        return "under 0.001 %"
    return f"{percent:.3g} %"
