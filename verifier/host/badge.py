"""The badge: a small picture of how an exchange stands, with the date of the proof that says so.

It is for people, and no evidence: whoever shows it may show an old one. So it has its date.
"""

from __future__ import annotations

from dataclasses import dataclass

from verifier.format.times import utc_text
from verifier.host.standing import SHORT_DATE, Standing
from verifier.host.store import Outcome

TITLE = "solvency proof"

# Of the type that is asked for, at its size; the picture has every text fitted to its width.
_CHARACTER_WIDTH, _MARGIN = 7, 10
_COLOURS = {"good": "#0b6b46", "warn": "#7a4d00", "bad": "#a8201a"}


@dataclass(frozen=True)
class Badge:
    """Two texts side by side, their widths in pixels, and the colour behind the second."""

    title: str
    text: str
    left: int
    right: int
    colour: str


def badge_of(standing: Standing, newest: Outcome | None) -> Badge:
    """Return the badge of an exchange by its newest snapshot that was audited."""
    date = "" if newest is None else f" · {utc_text(newest.dated, SHORT_DATE)}"
    text = f"{standing}{date}"
    return Badge(TITLE, text, _width(TITLE), _width(text), _COLOURS[standing.look])


def _width(text: str) -> int:
    return len(text) * _CHARACTER_WIDTH + 2 * _MARGIN
