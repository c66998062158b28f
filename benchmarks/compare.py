"""Two runs on the same problems: is the second better, and by how much?"""

from __future__ import annotations

from dataclasses import dataclass

from benchmarks.metrics import Paired, families, pair
from benchmarks.run_folder import Run
from benchmarks.tables import cell, interval, p_value, points, table


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
    named = [("all", comparison.overall), *comparison.families.items()]
    notes = [f"\nNote: {warning}.\n" for warning in comparison.warnings]
    names = f"**{cell(comparison.second.name)}** against **{cell(comparison.first.name)}**"
    rows = ([name, *paired_cells(paired)] for name, paired in named)
    return f"{names}, same problems:\n\n{table(['', *PAIRED], rows)}{''.join(notes)}"


PAIRED = ("problems", "difference (points)", "95 % interval", "gained", "lost", "McNemar p")


def paired_cells(paired: Paired) -> list[str]:
    """A row under the header `PAIRED`."""
    return [
        str(paired.episodes),
        points(paired.difference.value),
        interval(paired.difference),
        str(paired.gained),
        str(paired.lost),
        p_value(paired.p),
    ]
