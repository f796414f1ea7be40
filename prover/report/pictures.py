"""The report's pictures, as inline SVG without dates or random ids: the same page every time.

Each is drawn twice, for a desk and for a phone; the page shows one of the two.
Colours of ink, paper and boxes are the page's own, so that they follow its light or dark scheme;
text upon a coloured bar keeps its colour in both.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch

from verifier import Level

INK, PAPER, ACCENT, SOFT = "#1d2733", "#ffffff", "#0b6e4f", "#dfeee8"
_OF_THE_PAGE = {INK: "ink", PAPER: "paper", ACCENT: "accent", SOFT: "soft"}
ON_DARK, ON_LIGHT = "#fffffe", "#1d2732"
SHADES = ("#0c6e4f", "#2f8f6f", "#62ad92", "#94c8b4", "#c3e0d5")
MOST_SHOWN = 5

# A bar for each level, weakest first: what it is called, its colour, and that of text upon it.
# Green: a node confirmed it. Grey: proved under a block that nobody confirmed. Amber: a word.
LEVELS = {
    Level.UNVERIFIED: ("contract wallets that nobody asked", "#c2571a", ON_DARK),
    Level.CLAIMED: ("signatures alone", "#e2a93b", ON_LIGHT),
    Level.HEADER: ("proved under the named block", "#a9b4bd", ON_LIGHT),
    Level.ATTESTED: ("signed for by third parties", "#7a8fb8", ON_LIGHT),
    Level.CHAIN: ("confirmed by a node", "#0c6e4f", ON_DARK),
}

DOTS = 240
_WIDE, _NARROW = 9.6, 3.9  # inches

_STYLE: dict[Any, Any] = {
    "svg.hashsalt": "assay",
    "svg.fonttype": "none",
    "font.family": "sans-serif",
    "font.size": 11,
    "text.color": INK,
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "xtick.color": INK,
    "ytick.color": INK,
}


Draw = Callable[[Axes, bool], None]
"""What draws on axes, for a phone if told so."""


def _svgs(draw: Draw, heights: tuple[float, float], alt: str) -> str:
    """Return a picture for a desk and for a phone, whose ``heights`` these are, in inches."""
    wide, narrow = heights
    return (
        f'<div class="wide">{_svg(draw, _WIDE, wide, alt)}</div>'
        f'<div class="narrow">{_svg(draw, _NARROW, narrow, alt)}</div>'
    )


def _svg(draw: Draw, width: float, height: float, alt: str) -> str:
    """Draw on one set of axes and return an ``<svg>`` element that screen readers name ``alt``."""
    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=(width, height), layout="constrained")
        figure.patch.set_alpha(0)
        axes = figure.subplots()
        axes.patch.set_alpha(0)
        draw(axes, width == _NARROW)
        buffer = io.StringIO()
        figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    svg = buffer.getvalue()
    for color, name in _OF_THE_PAGE.items():
        svg = svg.replace(color, f"var(--{name})")
    return svg[svg.index("<svg") :].replace("<svg", f'<svg role="img" aria-label="{alt}"', 1)


def _box(axes: Axes, x: float, y: float, w: float, h: float, text: str, color: str = SOFT) -> None:
    shape = FancyBboxPatch((x, y), w, h, boxstyle="round,pad=0.02", fc=color, ec=ACCENT, lw=1.2)
    axes.add_patch(shape)
    ink = PAPER if color == ACCENT else INK
    axes.text(x + w / 2, y + h / 2, text, ha="center", va="center", color=ink)


def _arrow(axes: Axes, start: tuple[float, float], end: tuple[float, float]) -> None:
    axes.add_patch(
        FancyArrowPatch(start, end, arrowstyle="-|>", mutation_scale=14, color=ACCENT, lw=1.2)
    )


def path() -> str:
    """From a customer's balance to the signed manifest."""
    steps = (
        "Your balance,\nin sealed parts",
        "Pages of sealed\nparts: none below 0",
        "Pages of sums,\nall added up",
        "One sealed total,\nsigned",
    )

    def draw(axes: Axes, is_narrow: bool) -> None:
        axes.axis("off")
        axes.set_xlim(0, 2.3 if is_narrow else 10.4)
        axes.set_ylim(-4.4 if is_narrow else 0, 1.6)
        for at, text in enumerate(steps):
            x, y = (0.1, 0.35 - 1.5 * at) if is_narrow else (0.1 + 2.65 * at, 0.35)
            _box(axes, x, y, 2.0, 0.9, text, ACCENT if at == len(steps) - 1 else SOFT)
            if at and is_narrow:
                _arrow(axes, (x + 1.0, y + 1.5), (x + 1.0, y + 0.95))
            elif at:
                _arrow(axes, (x - 0.6, y + 0.45), (x - 0.05, y + 0.45))

    alt = "Your balance is in a page, the page is in a sum, the sum is signed"
    return _svgs(draw, (1.6, 4.2), alt)


def balance(*, has_hidden: bool) -> str:
    """Assets on one side, sealed liabilities on the other."""
    assets = "addresses (public)\nand hidden keys" if has_hidden else "signed\naddresses (public)"

    terms = (
        (2.6, f"Coins at {assets}", SOFT),
        (2.6, "All balances owed\n(sealed total)", SOFT),
        (1.2, "0", ACCENT),
    )

    def draw(axes: Axes, is_narrow: bool) -> None:
        axes.axis("off")
        axes.set_xlim(0, 2.8 if is_narrow else 10.4)
        axes.set_ylim(-2.9 if is_narrow else 0, 1.6)
        for at, (width, text, color) in enumerate(terms):
            x, y = (0.1, 0.35 - 1.5 * at) if is_narrow else (0.1 + 3.5 * at, 0.35)
            _box(axes, x, y, 2.6 if is_narrow else width, 0.9, text, color)
            if at:
                sign = x + 1.3 if is_narrow else x - 0.45
                level = y + 1.2 if is_narrow else y + 0.45
                axes.text(sign, level, "−≥"[at - 1], ha="center", va="center", fontsize=21)

    alt = "Coins at signed addresses minus the sealed total owed is not negative"
    return _svgs(draw, (1.6, 3.3), alt)


def evidence(assets: Mapping[str, Mapping[Level, float]]) -> str:
    """For each asset one bar: which share of the disclosed amount rests on what."""
    codes = list(assets)
    present = [level for level in LEVELS if any(level in shares for shares in assets.values())]

    def draw(axes: Axes, is_narrow: bool) -> None:
        for level in present:
            axes.barh([0], [0], color=LEVELS[level][1], label=LEVELS[level][0])
        for row, code in enumerate(codes):
            left = 0.0
            for level in present:
                share = 100 * assets[code].get(level, 0.0)
                _, color, ink = LEVELS[level]
                axes.barh(row, share, left=left, color=color, ec=PAPER)
                if share > (15 if is_narrow else 6):
                    text = f"{share:.0f} %"
                    axes.text(left + share / 2, row, text, ha="center", va="center", color=ink)
                left += share
            if not left:
                axes.text(1, row, "nothing disclosed", va="center")
        _frame_shares(axes, codes, "share of the amount, per cent")
        if present:
            columns = 1 if is_narrow else 2
            axes.figure.legend(loc="outside upper left", ncols=columns, frameon=False)

    heights = (1.5 + 0.5 * len(codes), 1.1 + 0.25 * len(present) + 0.5 * len(codes))
    return _svgs(draw, heights, "What the disclosed amounts of each asset rest on")


def _frame_shares(axes: Axes, codes: Sequence[str], label: str) -> None:
    """Name the bars after their assets, from the top down, over a scale of per cents."""
    axes.set_yticks(range(len(codes)), codes)
    axes.set_ylim(len(codes) - 0.4, -0.6)
    axes.set_xlim(0, 100)
    axes.set_xlabel(label)
    axes.spines[["top", "right"]].set_visible(False)


def crowd(keys: int) -> str:
    """A crowd of dots that stand for the keys among which the exchange's own hide."""
    dots = min(keys, DOTS)
    a_row = (40, 16)
    rows = [-(-dots // columns) for columns in a_row]

    def draw(axes: Axes, is_narrow: bool) -> None:
        columns = a_row[is_narrow]
        places = [divmod(number, columns) for number in range(dots)]
        axes.scatter([x for _, x in places], [-y for y, _ in places], s=44, color=ACCENT)
        axes.set_xlim(-1, columns)
        axes.set_ylim(0.2 - rows[is_narrow], 0.8)
        axes.axis("off")

    heights = (0.2 + 0.24 * rows[0], 0.2 + 0.24 * rows[1])
    return _svgs(draw, heights, f"A crowd that stands for {keys:,} keys, all alike")


def address_shares(assets: Mapping[str, Sequence[float]]) -> str:
    """For each asset one bar: how the disclosed amount is spread over addresses."""
    codes = list(assets)

    def draw(axes: Axes, is_narrow: bool) -> None:
        for row, code in enumerate(codes):
            left = 0.0
            shares = list(assets[code])
            shown = shares[: MOST_SHOWN - 1] if len(shares) > MOST_SHOWN else shares
            rest = sum(shares) - sum(shown)
            for at, share in enumerate([*shown, *([rest] if rest > 1e-12 else [])]):
                axes.barh(row, 100 * share, left=left, color=SHADES[at % len(SHADES)], ec=PAPER)
                if share > (0.2 if is_narrow else 0.06):
                    label = "others" if at == len(shown) else f"{100 * share:.0f} %"
                    ink = ON_DARK if at < 2 else ON_LIGHT
                    axes.text(left + 50 * share, row, label, ha="center", va="center", color=ink)
                left += 100 * share
            if not shares:
                axes.text(1, row, "no coins disclosed", va="center")
        _frame_shares(axes, codes, "share at each address, per cent")

    height = 1.1 + 0.5 * len(codes)
    alt = "How each asset is spread over the disclosed addresses"
    return _svgs(draw, (height, height), alt)


def chances(shares: Sequence[float], chance: Callable[[int, float], float]) -> str:
    """The chance that omitted accounts go unnoticed, for several shares of checking customers."""
    omitted = sorted({round(10 ** (step / 20)) for step in range(61)})

    def draw(axes: Axes, is_narrow: bool) -> None:
        for share, style in zip(shares, ("-", "--", "-.", ":"), strict=True):
            values = [100 * chance(count, share) for count in omitted]
            label = f"{100 * share:g} % check"
            axes.plot(omitted, values, style, color=ACCENT, lw=2.2, label=label)
        axes.set_xscale("log")
        axes.set_xticks((1, 10, 100, 1000), ("1", "10", "100", "1,000"))
        axes.set_xlabel("accounts left out")
        axes.set_ylabel("chance that nobody notices, %")
        axes.set_ylim(0, 100)
        axes.grid(alpha=0.25)
        axes.spines[["top", "right"]].set_visible(False)
        title = "of all customers"
        if is_narrow:
            axes.figure.legend(loc="outside upper left", ncols=2, frameon=False, title=title)
        else:
            axes.legend(frameon=False, title=title)

    alt = "The more accounts are left out and the more customers check, the surer it shows"
    return _svgs(draw, (3.4, 3.9), alt)
