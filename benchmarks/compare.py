"""Two runs on the same problems: is the second better, and by how much?"""

from __future__ import annotations

from dataclasses import dataclass

from benchmarks.metrics import Estimate, Paired, families, pair
from benchmarks.records import Run


@dataclass(frozen=True, slots=True)
class Comparison:
    """The second run against the first.

    Attributes:
        families: by family and level, where there is more than one.
        warnings: what makes the comparison unequal.
    """

    first: Run
    second: Run
    overall: Paired
    families: dict[str, Paired]
    warnings: tuple[str, ...]


def compare(first: Run, second: Run) -> Comparison:
    """Pair two finished runs.

    Raises:
        ValueError: they are about different problems.
    """
    overall = pair(first.episodes, second.episodes)
    before, after = families(first.episodes), families(second.episodes)
    split = {name: pair(before[name], after[name]) for name in before} if len(before) > 1 else {}
    return Comparison(first, second, overall, split, tuple(_warnings(first, second)))


def _warnings(first: Run, second: Run) -> list[str]:
    one, two = first.manifest.config, second.manifest.config
    warnings = []
    if one["suite_hash"] != two["suite_hash"]:
        warnings.append("the suites' settings differ, though the problems are the same")
    if one["budget_tokens"] != two["budget_tokens"]:
        warnings.append(f"token budgets differ: {one['budget_tokens']}, {two['budget_tokens']}")
    if first.division != second.division:
        warnings.append(f"divisions differ: {first.division}, {second.division}")
    return warnings


def markdown(comparison: Comparison) -> str:
    """A table with a row for the whole and, if there are several, for each family."""
    rows = [
        f"**{comparison.second.name}** against **{comparison.first.name}**, same problems:",
        "",
        "| | problems | difference (points) | 95 % interval | gained | lost | McNemar p |",
        "|---|--:|--:|:-:|--:|--:|--:|",
        *(
            f"| {name} | {p.episodes} | {points(p.difference.value)} | {interval(p.difference)} "
            f"| {p.gained} | {p.lost} | {p_value(p.p)} |"
            for name, p in [("all", comparison.overall), *comparison.families.items()]
        ),
        *(
            ["", *(f"Note: {warning}." for warning in comparison.warnings)]
            * bool(comparison.warnings)
        ),
    ]
    return "\n".join(rows) + "\n"


def points(value: float) -> str:
    """A difference of accuracies in percentage points, signed."""
    return f"{100 * value:+.1f}"


def interval(estimate: Estimate) -> str:
    """The interval of a difference, in percentage points."""
    return f"{points(estimate.low)} to {points(estimate.high)}"


def p_value(p: float) -> str:
    """Three decimals, or that it is below them."""
    return "< 0.001" if p < 0.001 else f"{p:.3f}"
