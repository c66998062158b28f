"""Charts of `report.html` as numbers: where everything lies. `templates/charts.html` draws them.

Across, places are percentages of the width, so that a chart fits any screen with its text at one
size; down, they are pixels from the top.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.metrics import Estimate, summarise
from benchmarks.pictures import UNITS, heading, read_logs, running_mean
from benchmarks.run_folder import Run
from benchmarks.tables import percent

COLOURS = 6
"""Of the style sheet; after these, lines are dashed."""
_LEFT, _RIGHT = 8.0, 97.0
_TOP, _BOTTOM = 24.0, 264.0
_PANEL_TOP, _PANEL_BOTTOM = 10.0, 130.0
_MOST_POINTS = 240
_GRID = 1000.0
"""Size of the square that curves are drawn in, before it is stretched."""


@dataclass(frozen=True, slots=True)
class Bar:
    """A run's accuracy; the interval in per cent."""

    label: str
    text: str
    accuracy: Estimate


@dataclass(frozen=True, slots=True)
class Bars:
    """The runs of one stage."""

    stage: str
    bars: tuple[Bar, ...]


@dataclass(frozen=True, slots=True)
class Tick:
    """A mark at an axis."""

    place: float
    label: str


@dataclass(frozen=True, slots=True)
class Point:
    """A run: `x` across, `y`, and the ends of its interval, down."""

    x: float
    y: float
    low: float
    high: float
    text: str


@dataclass(frozen=True, slots=True)
class Series:
    """Runs that differ in nothing but their budget, from the fewest tokens to the most."""

    name: str
    number: int
    points: tuple[Point, ...]


@dataclass(frozen=True, slots=True)
class Budgets:
    """Accuracy against tokens per problem.

    Attributes:
        described: the chart in words.
    """

    series: tuple[Series, ...]
    across: tuple[Tick, ...]
    down: tuple[Tick, ...]
    described: str


@dataclass(frozen=True, slots=True)
class Curve:
    """A metric of one training run, as points of an SVG polyline.

    Attributes:
        raw: what was logged, where `points` is its running mean.
    """

    number: int
    points: str
    raw: str


@dataclass(frozen=True, slots=True)
class Panel:
    """A metric of all training runs."""

    title: str
    unit: str
    curves: tuple[Curve, ...]
    across: tuple[Tick, ...]
    down: tuple[Tick, ...]
    described: str


def accuracy_bars(runs: Sequence[Run]) -> tuple[Bars, ...]:
    """Accuracy with its interval, stage by stage."""
    stages = dict.fromkeys(run.stage for run in runs)
    return tuple(
        Bars(stage, tuple(_bar(run) for run in runs if run.stage == stage)) for stage in stages
    )


def _bar(run: Run) -> Bar:
    accuracy = summarise(run.episodes).accuracy
    shown = Estimate(100 * accuracy.value, 100 * accuracy.low, 100 * accuracy.high)
    return Bar(run.strategy, percent(accuracy), shown)


def accuracy_at_budgets(runs: Sequence[Run]) -> Budgets | None:
    """Accuracy against tokens per problem; None where no run has another budget than its like."""
    groups: dict[str, list[Run]] = {}
    for run in runs:
        groups.setdefault(_whatever_budget(run), []).append(run)
    if not any(len({_budget(run) for run in group}) > 1 for group in groups.values()):
        return None
    found = {run.folder: summarise(run.episodes) for run in runs}
    spent = [max(1.0, summary.tokens) for summary in found.values()]
    low, high = math.log(min(spent)), math.log(max(spent))
    # Equal everywhere: in the middle of something.
    low, high = (low - 0.7, high + 0.7) if high - low < 0.1 else (low, high)
    highest = max(summary.accuracy.high for summary in found.values())
    top = next(limit for limit in (0.1, 0.2, 0.5, 1.0) if highest <= limit or limit == 1.0)

    def across(tokens: float) -> float:
        return _LEFT + 4 + (_RIGHT - _LEFT - 8) * (math.log(max(1.0, tokens)) - low) / (high - low)

    def down(accuracy: float) -> float:
        return _BOTTOM - (_BOTTOM - _TOP) * accuracy / top

    series, words = [], []
    for number, (name, group) in enumerate(groups.items()):
        points = []
        for run in sorted(group, key=lambda run: found[run.folder].tokens):
            summary = found[run.folder]
            estimate, budget = summary.accuracy, _budget(run)
            within = "no budget" if budget is None else f"budget {budget}"
            text = f"{percent(estimate)} at {summary.tokens:.1f} tokens per problem, {within}"
            ends = (down(estimate.low), down(estimate.high))
            points.append(Point(across(summary.tokens), down(estimate.value), *ends, text))
        series.append(Series(name, number, tuple(points)))
        words.append(f"{name}: {'; '.join(point.text for point in points)}.")
    ticks = [Tick(across(tokens), f"{tokens:,}") for tokens in _log_ticks(low, high)]
    levels = [Tick(down(top * i / 5), f"{100 * top * i / 5:g} %") for i in range(6)]
    return Budgets(tuple(series), tuple(ticks), tuple(levels), " ".join(words))


def _budget(run: Run) -> int | None:
    budget: int | None = run.manifest.config["budget_tokens"]
    return budget


def _whatever_budget(run: Run) -> str:
    """The run's name without its budget."""
    config = run.manifest.config
    usual = {**config, "budget_tokens": config["suite"]["budget_tokens"]}
    return replace(run, manifest=replace(run.manifest, config=usual)).name


def _log_ticks(low: float, high: float) -> list[int]:
    """Round numbers between two logarithms, not too many."""
    powers = range(max(0, math.floor(low / math.log(10))), math.ceil(high / math.log(10)) + 1)
    finer: tuple[tuple[int, ...], ...] = ((1, 2, 5), (1, 3), (1,))
    all_ticks = [[step * 10**power for power in powers for step in steps] for steps in finer]
    fitting = [[tick for tick in ticks if low <= math.log(tick) <= high] for ticks in all_ticks]
    return next((ticks for ticks in fitting if len(ticks) <= 6), fitting[-1])


def training_panels(
    curves: Mapping[str, Path], keys: Sequence[str] | None = None
) -> tuple[Panel, ...]:
    """A panel for each metric; arguments as in `benchmarks.pictures.curves_picture`."""
    logs, wanted = read_logs(curves, keys)
    return tuple(_panel(key, logs) for key in wanted)


def _panel(key: str, logs: Mapping[str, Mapping[str, tuple[Any, Any]]]) -> Panel:
    known = {name: _finite(*log[key]) for name, log in logs.items() if key in log}
    steps = np.concatenate([x for x, _ in known.values()])
    values = np.concatenate([y for _, y in known.values()])
    if steps.size == 0:
        return Panel(heading(key), UNITS.get(key, ""), (), (), (), "No finite value was logged.")
    left, right = _range(steps)
    low, high = _range(values)

    def polyline(x: Any, y: Any) -> str:
        stride = -(-len(x) // _MOST_POINTS)
        places = np.unique(np.append(np.arange(0, len(x), stride), len(x) - 1)).astype(int)
        across = _GRID * (x[places] - left) / (right - left)
        down = _GRID * (high - y[places]) / (high - low)
        return " ".join(f"{a:.1f},{b:.1f}" for a, b in zip(across, down))

    numbers = {name: number for number, name in enumerate(logs)}
    drawn, words = [], []
    for name, (x, y) in known.items():
        if len(x):
            mean = running_mean(y)
            smooth = polyline(x, y if mean is None else mean)
            drawn.append(Curve(numbers[name], smooth, "" if mean is None else polyline(x, y)))
            words.append(f"{name}: from {y[0]:.3g} to {y[-1]:.3g} at step {x[-1]:g}.")
    places = np.linspace(_PANEL_TOP, _PANEL_BOTTOM, 3).tolist()
    labels = [f"{y:.3g}" for y in np.linspace(high, low, 3)]
    return Panel(
        heading(key),
        UNITS.get(key, ""),
        tuple(drawn),
        (Tick(0.0, f"{left:g}"), Tick(100.0, f"{right:g}")),
        tuple(Tick(y, label) for y, label in zip(places, labels)),
        " ".join(words),
    )


def _finite(steps: Any, values: Any) -> tuple[Any, Any]:
    known = np.isfinite(steps) & np.isfinite(values)
    return steps[known], values[known]


def _range(values: Iterable[float]) -> tuple[float, float]:
    """The least and the greatest, and never the same."""
    low, high = float(np.min(list(values))), float(np.max(list(values)))
    return (low, high) if high > low else (low - 0.5, high + 0.5)
