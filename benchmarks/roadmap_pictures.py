"""Pictures of the roadmap experiment: accuracies with their intervals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.pictures import COLOURS, canvas
from benchmarks.roadmap_scores import Score, Scores

_INK = "#222222"


def families_picture(
    scores: Scores, listed: Sequence[Score], labels: Mapping[str, str], path: Path, over: str
) -> None:
    """A panel for all problems and one for each family: bars of stages, a colour for each strategy.

    Args:
        listed: stages with their strategies.
        labels: of the stages.
        over: what the intervals are over.
    """
    panels: list[str | None] = [None, *scores.families]
    stages = list(dict.fromkeys(name for name, _ in listed))
    strategies = list(dict.fromkeys(strategy for _, strategy in listed))
    width = 0.8 / len(strategies)
    with canvas(path, 1.5 + 3.0 * len(panels), 4.6) as figure:
        for number, family in enumerate(panels):
            axes = figure.add_subplot(1, len(panels), number + 1)
            for colour, strategy in enumerate(strategies):
                offset = (colour - (len(strategies) - 1) / 2) * width
                places = np.arange(len(stages)) + offset
                found = [scores.accuracy((name, strategy), family) for name in stages]
                _bars(axes, places, found, 0.9 * width, COLOURS[colour], strategy)
            axes.set_title(family or "all", loc="left")
            names = [labels[name] for name in stages]
            axes.set_xticks(range(len(stages)), names, rotation=30, ha="right")
            axes.set_ylim(0, 112)
            axes.set_yticks(range(0, 101, 20))
            axes.grid(visible=False, axis="x")
            if number == 0:
                axes.set_ylabel("problems solved (%)")
        _title(figure, "Search and learning", over)
        handles = figure.axes[0].get_legend_handles_labels()
        figure.legend(*handles, loc="outside right upper", title="strategy")


def scores_picture(
    scores: Scores, listed: Sequence[Score], labels: Mapping[str, str], path: Path, over: str
) -> None:
    """A point with its interval for each score, a row for each stage."""
    stages = list(dict.fromkeys(name for name, _ in listed))
    strategies = list(dict.fromkeys(strategy for _, strategy in listed))
    with canvas(path, 8.0, 1.6 + 0.45 * len(stages)) as figure:
        axes = figure.add_subplot()
        for colour, strategy in enumerate(strategies):
            mine = [name for name, one in listed if one == strategy]
            found = [scores.accuracy((name, strategy)) for name in mine]
            values = np.array([100 * e.value for e in found])
            sides = np.array([[100 * e.low, 100 * e.high] for e in found]).T
            rows = np.array([stages.index(name) for name in mine])
            axes.errorbar(
                values,
                rows,
                xerr=np.abs(sides - values),
                fmt="o",
                color=COLOURS[colour],
                ecolor=COLOURS[colour],
                capsize=3,
                label=strategy,
            )
            for value, row in zip(values, rows, strict=True):
                axes.text(value, row - 0.18, f"{value:.1f}", ha="center", va="bottom", fontsize=9)
        axes.set_yticks(range(len(stages)), [labels[name] for name in stages])
        axes.set_ylim(len(stages) - 0.5, -0.7)
        axes.set_xlabel("problems solved (%)")
        axes.grid(visible=False, axis="y")
        _title(figure, "", over)
        if len(strategies) > 1:
            axes.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0), title="strategy")


def _bars(
    axes: Any, places: Any, found: Sequence[Any], width: float, colour: str, label: str
) -> None:
    values = np.array([100 * e.value for e in found])
    sides = np.array([[100 * e.low, 100 * e.high] for e in found]).T
    axes.bar(
        places,
        values,
        width,
        color=colour,
        label=label,
        yerr=np.abs(sides - values),
        error_kw={"ecolor": _INK, "elinewidth": 1.1, "capsize": 2},
    )
    for place, value, top in zip(places, values, sides[1], strict=True):
        axes.text(place, top + 1.5, f"{value:.0f}", ha="center", va="bottom", fontsize=8.5)


def _title(figure: Any, title: str, over: str) -> None:
    text = f"{title}\n" if title else ""
    figure.suptitle(f"{text}lines: 95 % intervals, {over}", x=0.02, ha="left", fontsize=10)
