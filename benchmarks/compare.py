"""Is the second side better than the first on the same problems, and by how much?"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import inf

import numpy as np
from numpy.typing import NDArray

from benchmarks.metrics import RESAMPLES, SEED, Estimate
from benchmarks.paired import Paired, pair_families, pair_sides
from benchmarks.run_folder import Run
from benchmarks.sides import Side, side_of
from benchmarks.significance import holm
from benchmarks.tables import cell, interval, p_value, points, table

FEW = 10
"""Below so many problems with a difference, resampled intervals are noted as too narrow."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """The second side against the first.

    Attributes:
        families: by family and level, where there is more than one.
        tokens: generated tokens of the second over those of the first, less 1, with its interval
            over problems; infinite if only the second wrote any.
        warnings: what makes the comparison unequal.
        notes: what the numbers cannot say.
    """

    first: Side
    second: Side
    overall: Paired
    families: dict[str, Paired]
    tokens: Estimate
    warnings: tuple[str, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Judged:
    """A comparison among others in a table, its p-values corrected for all of that table (Holm).

    Attributes:
        holm: for all challengers of the baseline; `templates` likewise, of p over templates.
        families: for all families of this comparison.
    """

    comparison: Comparison
    holm: float
    templates: float | None
    families: dict[str, float]


def compare(first: Run | Iterable[Run] | Side, second: Run | Iterable[Run] | Side) -> Comparison:
    """Pair two finished runs, or two sides of several runs (`benchmarks.sides.Side`).

    Raises:
        ValueError: they are about different problems, or a side's runs are not one.
    """
    one, two = side_of(first), side_of(second)
    overall = pair_sides(one, two)
    split = pair_families(one, two)
    if len(split) == 1:
        split = {}
    notes = tuple(_notes(one, two, overall))
    return Comparison(one, two, overall, split, _tokens(one, two), _warnings(one, two), notes)


def judge(comparisons: Sequence[Comparison]) -> list[Judged]:
    """Correct the p-values of challengers of one baseline.

    Each table is corrected for the tests in it: the one of all challengers is the question that
    was asked, and a family table with many rows does not dilute it.
    """
    overall = holm([one.overall.p for one in comparisons])
    found = {i: t.p for i, one in enumerate(comparisons) if (t := one.overall.templates)}
    templates = dict(zip(found, holm(list(found.values()))))
    split = [
        dict(zip(one.families, holm([paired.p for paired in one.families.values()])))
        for one in comparisons
    ]
    return [
        Judged(one, overall[i], templates.get(i), split[i]) for i, one in enumerate(comparisons)
    ]


def _warnings(first: Side, second: Side) -> tuple[str, ...]:
    one, two = first.runs[0].manifest.config, second.runs[0].manifest.config
    warnings = []
    if one["suite_hash"] != two["suite_hash"]:
        warnings.append("the suites' settings differ, though the problems are the same")
    if one["budget_tokens"] != two["budget_tokens"]:
        warnings.append(f"token budgets differ: {one['budget_tokens']}, {two['budget_tokens']}")
    if first.division != second.division:
        warnings.append(f"divisions differ: {first.division}, {second.division}")
    return tuple(warnings)


def _notes(first: Side, second: Side, overall: Paired) -> list[str]:
    notes = []
    models = [len(set(side.models)) for side in (first, second)]
    for side, count, other in ((first, models[0], models[1]), (second, models[1], models[0])):
        if count == 1 and other > 1:
            notes.append(f"{side.name} is one model: nothing is said of its other training seeds")
    if overall.moved < FEW:
        exact = "Tango's interval" if overall.score else "the p-value"
        notes.append(
            f"only {overall.moved} of {overall.episodes} problems tell the sides apart: the "
            f"{overall.method} interval is too narrow, go by {exact}"
        )
    return notes


def _tokens(first: Side, second: Side) -> Estimate:
    """Relative change of generated tokens, problems drawn again."""
    a, b = _spent(first), _spent(second)
    if a.sum() == 0:
        value = inf if b.sum() else 0.0
        return Estimate(value, value, value)
    rng = np.random.default_rng(SEED)
    changes = []
    for _ in range(RESAMPLES // 100):
        drawn = rng.integers(a.size, size=(100, a.size))
        before, after = a[drawn].sum(1), b[drawn].sum(1)
        changes.append(np.divide(after, before, out=np.ones(100), where=before > 0) - 1)
    low, high = np.quantile(np.concatenate(changes), [0.025, 0.975])
    return Estimate(float(b.sum() / a.sum() - 1), float(low), float(high))


def _spent(side: Side) -> NDArray[np.float64]:
    """Tokens of each problem, of all runs, in the problems' order."""
    spent: dict[str, int] = {}
    for run in side.runs:
        for episode in run.episodes:
            tokens = episode.ledger["generated_tokens"]
            spent[episode.problem] = spent.get(episode.problem, 0) + tokens
    return np.array([spent[problem] for problem in sorted(spent)]) / len(side.runs)


def markdown(comparison: Comparison) -> str:
    """A table with a row for the whole and, if there are several, for each family."""
    named = [("all", comparison.overall), *comparison.families.items()]
    notes = [f"\nNote: {note}.\n" for note in (*comparison.warnings, *comparison.notes)]
    names = f"**{cell(comparison.second.name)}** against **{cell(comparison.first.name)}**"
    rows = ([name, *paired_cells(paired)] for name, paired in named)
    return f"{names}, same problems:\n\n{table(['', *PAIRED], rows)}{''.join(notes)}"


PAIRED = ("problems", "difference (points)", "95 % interval", "gained", "lost", "p")


def paired_cells(paired: Paired) -> list[str]:
    """A row under the header `PAIRED`."""
    return [
        str(paired.episodes),
        points(paired.difference.value),
        interval(paired.difference),
        count(paired.gained),
        count(paired.lost),
        p_value(paired.p),
    ]


def count(number: float) -> str:
    """A number of problems: whole, or with one decimal where it is a mean over runs."""
    return str(number) if isinstance(number, int) else f"{number:.1f}"
