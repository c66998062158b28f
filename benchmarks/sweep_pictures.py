"""The picture of a sweep: accuracy against generated tokens, a line for each strategy."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import cycle
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.metrics import Summary, summarise
from benchmarks.pictures import COLOURS, canvas

if TYPE_CHECKING:
    from benchmarks.sweep import Sweep

_GREY = "#777777"
_LOOKS = {
    "best_of_n": (COLOURS[0], "o"),
    "self_consistency": (COLOURS[1], "s"),
    "beam": (COLOURS[2], "^"),
    "dvts": (COLOURS[3], "v"),
    "mcts": (COLOURS[5], "D"),
    "revision": (COLOURS[4], "P"),
    "hybrid": (COLOURS[7], "X"),
}
"""Colour and marker by strategy, alike in all pictures."""
_OTHERS = ("<", ">", "h", "p", "d", "8")
_SIZES = {"*": 13.0, "P": 8.5, "X": 8.5, "^": 7.5, "v": 7.5}
"""Markers look alike in size at these; the others at 6.5."""


def sweep_picture(swept: Sweep, path: Path, title: str) -> None:
    """Draw a sweep: error bars are Wilson's 95 % intervals, the dashed line is greedy."""
    with canvas(path, 9.2, 5.2) as figure:
        axes = figure.add_subplot()
        axes.set_xscale("log", base=2)
        greedy = summarise(swept.greedy.run.episodes)
        axes.axhline(100 * greedy.accuracy.value, color=_GREY, linestyle="--", linewidth=1.3)
        axes.plot([], [], color=_GREY, linestyle="--", linewidth=1.3, label="greedy, one answer")
        others = cycle(_OTHERS)
        low = high = greedy.tokens
        lowest = greedy.accuracy.value
        for strategy in swept.strategies:
            points = [point for point in swept.points if point.strategy == strategy]
            summaries = [summarise(point.run.episodes) for point in points]
            low = min(low, *(summary.tokens for summary in summaries))
            high = max(high, *(summary.tokens for summary in summaries))
            if strategy == "greedy":
                continue
            lowest = min(lowest, *(summary.wilson.low for summary in summaries))
            colour, marker = _LOOKS.get(strategy) or (_GREY, next(others))
            label = strategy.replace("_", " ")
            if points[0].multiple is None:
                colour, marker, label = _GREY, "*", f"{label}, one answer"
            _line(axes, summaries, colour, marker, label)
        _tokens_axis(axes, low, high)
        _units_axis(axes, swept.unit)
        # A curve need not begin at 0, as a bar has to.
        bottom = max(0, int(100 * lowest - 2) // 10 * 10)
        axes.set_ylim(bottom - 1.5, 101.5)
        axes.set_yticks(range(bottom, 101, 20 if bottom < 30 else 10))
        axes.set_ylabel("problems solved (%)")
        figure.suptitle(title, x=0.02, ha="left", fontsize=13, fontweight="bold")
        axes.set_title(_subtitle(swept), loc="left", color="#555555")
        axes.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0), title="strategy", alignment="left")


def _line(axes: Any, summaries: Sequence[Summary], colour: str, marker: str, label: str) -> None:
    """One strategy's points in the order of their budgets."""
    tokens = np.array([max(summary.tokens, 1.0) for summary in summaries])
    solved = np.array([100 * summary.wilson.value for summary in summaries])
    ends = np.array([[100 * s.wilson.low, 100 * s.wilson.high] for s in summaries])
    spread = np.abs(ends.T - solved)
    axes.errorbar(
        tokens, solved, spread, fmt="none", ecolor=colour, elinewidth=1.0, capsize=2, alpha=0.4
    )
    axes.plot(
        tokens,
        solved,
        color=colour,
        marker=marker,
        markersize=_SIZES.get(marker, 6.5),
        markeredgecolor="white",
        markeredgewidth=0.6,
        linewidth=1.7 if len(tokens) > 1 else 0.0,
        label=label,
        zorder=2.5 if len(tokens) > 1 else 3.0,  # a single point lies where others begin
    )


def _tokens_axis(axes: Any, low: float, high: float) -> None:
    """Powers of two, the first and last just outside of the points."""
    low, high = max(low, 1.0) / 1.15, max(high, 1.0) * 1.15
    axes.set_xlim(low, high)
    first, last = int(np.ceil(np.log2(low))), int(np.floor(np.log2(high)))
    ticks = [2**power for power in range(first, last + 1)]
    axes.set_xticks(ticks, [f"{tick:,}" for tick in ticks])
    axes.minorticks_off()
    axes.set_xlabel("generated tokens per problem (mean used, discarded candidates included)")


def _units_axis(axes: Any, unit: int) -> None:
    """The same axis in units of a greedy answer, above."""
    above = axes.secondary_xaxis("top", functions=(lambda x: x / unit, lambda x: x * unit))
    ends = np.array(axes.get_xlim()) / unit
    ticks = [2.0**p for p in range(-6, 12) if ends[0] <= 2.0**p <= ends[1]]
    above.set_xticks(ticks, [f"{tick:g}x" for tick in ticks])
    above.minorticks_off()
    above.tick_params(axis="x", length=0, colors="#555555", pad=1)
    above.spines["top"].set_visible(False)


def _subtitle(swept: Sweep) -> str:
    multiples = [point.multiple for point in swept.points if point.multiple is not None]
    unit = f"a greedy answer ({swept.unit} tokens)"
    budgets = f"budgets of {min(multiples)}x to {max(multiples)}x " if multiples else "unit: "
    guide = f"guide {swept.guide}; " if swept.guide else ""
    return f"{guide}{budgets}{unit}; bars: 95 % Wilson interval"
