"""Numbers and tables in Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from benchmarks.metrics import Estimate


@dataclass(frozen=True, slots=True)
class Cells:
    """A table that is not written yet: Markdown and HTML are made of the same cells.

    Attributes:
        left: so many columns are text, the others numbers.
    """

    header: Sequence[str]
    rows: Sequence[Sequence[str]]
    left: int = 1

    def markdown(self) -> str:
        return table(self.header, self.rows, self.left)


def table(header: Sequence[str], rows: Iterable[Sequence[str]], left: int = 1) -> str:
    """A Markdown table; the first `left` columns are text, the others numbers."""
    rules = [":--"] * left + ["--:"] * (len(header) - left)
    return "\n".join(f"| {' | '.join(map(cell, row))} |" for row in [header, rules, *rows]) + "\n"


def cell(text: str) -> str:
    """Text that cannot break out of its cell."""
    return " ".join(text.split()).replace("|", "\\|").replace("<", "&lt;")


def percent(estimate: Estimate) -> str:
    """A fraction and its interval: `61.2 % [57.0, 65.4]`."""
    low, high = 100 * estimate.low, 100 * estimate.high
    return f"{100 * estimate.value:.1f} % [{low:.1f}, {high:.1f}]"


def points(value: float) -> str:
    """A difference of accuracies in percentage points, signed."""
    return f"{100 * value:+.1f}"


def interval(estimate: Estimate) -> str:
    """The interval of a difference, in percentage points."""
    return f"{points(estimate.low)} to {points(estimate.high)}"


def p_value(p: float) -> str:
    """Three decimals, or that it is below them."""
    return "under 0.001" if p < 0.001 else f"{p:.3f}"
