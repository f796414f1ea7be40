"""What the pictures of "How it works" are drawn with: boxes, arrows and words on a card, as SVG.

A picture stands on a card of its own and follows the reader's choice of light or dark, so that it
can be read on any page. The same colour means the same in all of them; the legend names those that
a picture uses.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from pathlib import Path

WIDTH = 760
MARGIN = 24
SIZE = 15
LEADING = 20

MEANING = {
    "private": "the exchange alone knows it",
    "public": "published, for everybody",
    "own": "on the reader's side",
}

STYLE = """
.card{fill:#ffffff;stroke:#d5dbe3}.ink{fill:#1c2733}.soft{fill:#536271}.bad{fill:#b3261e}
.line{stroke:#536271;stroke-width:1.6;fill:none}.tip{fill:#536271}
.plain{fill:#f3f5f8;stroke:#aab4c0}
.private{fill:#fdf0d5;stroke:#c58a1b;stroke-dasharray:6 3}
.public{fill:#e3eefc;stroke:#3b78c4}.own{fill:#e2f4e7;stroke:#2f8f4e}
.faint{fill:#f8f9fb;stroke:#d5dbe3}
text{font-family:system-ui,-apple-system,"Segoe UI",Roboto,"DejaVu Sans",sans-serif}
.code{font-family:ui-monospace,Menlo,Consolas,"DejaVu Sans Mono",monospace}
@media (prefers-color-scheme:dark){
.card{fill:#161b22;stroke:#38424e}.ink{fill:#e6edf3}.soft{fill:#a3b1bf}.bad{fill:#ff8a80}
.line{stroke:#a3b1bf}.tip{fill:#a3b1bf}
.plain{fill:#222a33;stroke:#5b6875}.private{fill:#3d2f10;stroke:#d9a441}
.public{fill:#12294a;stroke:#6aa5ef}.own{fill:#12351f;stroke:#57b877}.faint{fill:#1b222a;stroke:#38424e}
}
"""


class Picture:
    """A card of a fixed width to draw on; lengths are in pixels, from the upper left corner."""

    def __init__(self, height: int, title: str, description: str, *, legend: bool = True) -> None:
        self._height = height
        self._title = title
        self._description = description
        self._has_legend = legend
        self._parts: list[str] = []
        self._used: list[str] = []

    def box(
        self,
        x: float,
        y: float,
        width: float,
        height: float,
        kind: str,
        *lines: str,
        size: int = SIZE,
    ) -> None:
        """Draw a box, and the lines of text in its middle, the first one bold if there are more."""
        self._use(kind)
        self._parts.append(
            f'<rect x="{x:g}" y="{y:g}" width="{width:g}" height="{height:g}" rx="7" '
            f'class="{kind}" stroke-width="1.5"/>'
        )
        leading = LEADING * size / SIZE
        top = y + height / 2 - (len(lines) - 1) * leading / 2 + size * 0.36
        for number, line in enumerate(lines):
            self.text(
                x + width / 2,
                top + number * leading,
                line,
                size=size if number == 0 else size - 2,
                bold=number == 0 and len(lines) > 1,
                soft=number > 0,
                middle=True,
            )

    def cell(self, x: float, y: float, side: float, kind: str, text: str = "") -> None:
        """Draw a small square, with a few signs in it."""
        self._use(kind)
        self._parts.append(
            f'<rect x="{x:g}" y="{y:g}" width="{side:g}" height="{side:g}" rx="3" class="{kind}"/>'
        )
        if text:
            self.text(x + side / 2, y + side / 2 + 4.5, text, size=12, middle=True)

    def text(
        self,
        x: float,
        y: float,
        text: str,
        *,
        size: int = SIZE,
        bold: bool = False,
        soft: bool = False,
        bad: bool = False,
        middle: bool = False,
        code: bool = False,
    ) -> None:
        """Write a line of text; ``y`` is its base line."""
        kind = "bad" if bad else "soft" if soft else "ink"
        more = ' font-weight="600"' if bold else ""
        more += ' text-anchor="middle"' if middle else ""
        self._parts.append(
            f'<text x="{x:g}" y="{y:g}" font-size="{size}" '
            f'class="{kind}{" code" if code else ""}"{more}>{escape(text)}</text>'
        )

    def paragraph(self, x: float, y: float, lines: Sequence[str], *, size: int = SIZE - 1) -> None:
        """Write lines below each other."""
        for number, line in enumerate(lines):
            self.text(x, y + number * LEADING, line, size=size, soft=True)

    def arrow(self, *points: tuple[float, float], tip: bool = True) -> None:
        """Draw a line through the points, with a tip at its end."""
        path = " L".join(f"{x:g} {y:g}" for x, y in points)
        end = ' marker-end="url(#tip)"' if tip else ""
        self._parts.append(f'<path d="M{path}" class="line"{end}/>')

    def raw(self, element: str) -> None:
        """Add an element as it is."""
        self._parts.append(element)

    def save(self, path: Path) -> None:
        """Write the picture, with a legend of the colours that it uses."""
        height = self._height
        legend: list[str] = []
        shown = [kind for kind in MEANING if kind in self._used]
        if shown and self._has_legend:
            x = float(MARGIN)
            for kind in shown:
                legend.append(
                    f'<rect x="{x:g}" y="{height + 4}" width="13" height="13" rx="3" '
                    f'class="{kind}"/>'
                    f'<text x="{x + 20:g}" y="{height + 15}" font-size="13" class="soft">'
                    f"{escape(MEANING[kind])}</text>"
                )
                x += 48 + 7.4 * len(MEANING[kind])
            height += 34
        path.write_text(
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" '
            f'width="{WIDTH}" '
            f'height="{height}" role="img" aria-labelledby="title desc">\n'
            f'<title id="title">{escape(self._title)}</title>\n'
            f'<desc id="desc">{escape(self._description)}</desc>\n'
            f"<style>{STYLE}</style>\n"
            '<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="8" '
            'markerHeight="8" orient="auto-start-reverse"><path d="M0 0L8 4L0 8z" class="tip"/>'
            "</marker></defs>\n"
            f'<rect x="0.5" y="0.5" width="{WIDTH - 1}" height="{height - 1}" rx="10" '
            f'class="card"/>\n' + "\n".join([*self._parts, *legend]) + "\n</svg>\n",
            encoding="utf-8",
        )

    def _use(self, kind: str) -> None:
        if kind not in self._used:
            self._used.append(kind)
