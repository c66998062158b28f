"""Static pictures: accuracy by stage, and training curves. PNG, readable at README size.

Colours are Okabe and Ito's, which colour-blind readers can tell apart.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.metrics import summarise
from benchmarks.run_folder import Run
from reason_env.errors import require

COLOURS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#999999", "#000000")
_INK, _GRID = "#222222", "#dddddd"
_STYLE = {
    "font.size": 11,
    "axes.titlesize": 11,
    "axes.edgecolor": "#888888",
    "axes.labelcolor": _INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.grid": True,
    "grid.color": _GRID,
    "text.color": _INK,
    "xtick.color": _INK,
    "ytick.color": _INK,
    "legend.frameon": False,
    "figure.facecolor": "white",
}
_MOST_PANELS = 6
UNITS = {
    "loss": "nats per token",
    "found": "fraction of problems",
    "solved": "fraction of episodes",
    "reward": "per episode",
    "kl": "nats per token",
    "entropy": "nats per token",
    "length": "tokens per episode",
    "tokens_per_problem": "tokens",
    "clipped": "fraction of tokens",
}
"""Of what trainers log, in the order in which it is drawn; other metrics come after, unitless."""


def accuracy_picture(runs: Sequence[Run], path: Path, title: str) -> None:
    """Bars of accuracy with 95 % intervals: a group for each stage, a colour for each strategy.

    Args:
        runs: of one suite; stages and strategies come in the order in which they first appear.
    """
    stages = list(dict.fromkeys(run.stage for run in runs))
    strategies = list(dict.fromkeys(run.strategy for run in runs))
    width = 0.8 / len(strategies)
    bars = len(stages) * len(strategies)
    with canvas(path, min(14.0, max(6.4, 1.6 + 0.75 * bars)), 4.4) as figure:
        axes = figure.add_subplot()
        for number, strategy in enumerate(strategies):
            mine = [run for run in runs if run.strategy == strategy]
            accuracies = [summarise(run.episodes).accuracy for run in mine]
            values = np.array([100 * a.value for a in accuracies])
            low = np.array([100 * a.low for a in accuracies])
            high = np.array([100 * a.high for a in accuracies])
            offset = (number - (len(strategies) - 1) / 2) * width
            places = np.array([stages.index(run.stage) for run in mine]) + offset
            axes.bar(
                places,
                values,
                0.9 * width,
                color=COLOURS[number % len(COLOURS)],
                label=strategy,
                yerr=np.stack([values - low, high - values]),
                error_kw={"ecolor": _INK, "elinewidth": 1.2, "capsize": 3},
            )
            for place, value, top in zip(places, values, high):
                axes.text(place, top + 1.5, f"{value:.1f}", ha="center", va="bottom", fontsize=9.5)
        axes.set_xticks(range(len(stages)), [_wrap(stage) for stage in stages])
        axes.set_xlim(-0.6, len(stages) - 0.4)
        axes.set_ylim(0, 108)
        axes.set_yticks(range(0, 101, 20))
        axes.grid(visible=False, axis="x")
        axes.tick_params(axis="x", length=0)
        axes.set_ylabel("problems solved (%)")
        figure.suptitle(title, x=0.02, ha="left", fontsize=13, fontweight="bold")
        axes.set_title(_subtitle(runs), loc="left", color="#555555")
        axes.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0), title="strategy", alignment="left")


def curves_picture(
    curves: Mapping[str, Path],
    path: Path,
    title: str = "Training",
    keys: Sequence[str] | None = None,
) -> None:
    """A panel for each metric, a colour for each training run.

    Args:
        curves: name of a training run -> its `metrics.jsonl`, or the folder that has it.
        keys: metrics to draw; None: six that the runs have, those of `UNITS` first.

    Raises:
        ValueError: a file that is not such a log, or no run has the metrics asked for.
    """
    logs, wanted = read_logs(curves, keys)
    columns = min(3, len(wanted))
    rows = -(-len(wanted) // columns)
    with canvas(path, 1.2 + 3.6 * columns, 0.9 + 2.7 * rows) as figure:
        for panel, key in enumerate(wanted):
            axes = figure.add_subplot(rows, columns, panel + 1)
            for number, (name, log) in enumerate(logs.items()):
                if key in log:
                    _curve(axes, *log[key], colour=COLOURS[number % len(COLOURS)], label=name)
            axes.set_title(heading(key), loc="left")
            axes.set_ylabel(UNITS.get(key, ""))
            axes.set_xlabel("step")
            axes.margins(x=0.02)
        named: dict[str, Any] = {}
        for axes in figure.axes:
            named |= dict(zip(*reversed(axes.get_legend_handles_labels())))
        figure.suptitle(title, x=0.02, ha="left", fontsize=13, fontweight="bold")
        if len(logs) > 1:
            figure.legend(
                named.values(), named.keys(), loc="outside lower left", ncols=min(4, len(named))
            )


def read_logs(
    curves: Mapping[str, Path], keys: Sequence[str] | None = None
) -> tuple[dict[str, dict[str, tuple[Any, Any]]], list[str]]:
    """Each training run's metrics, and which of them to draw; arguments as in `curves_picture`.

    Raises:
        ValueError: a file that is not such a log, or no run has the metrics asked for.
    """
    logs = {name: read_metrics(file) for name, file in curves.items()}
    found = dict.fromkeys(key for log in logs.values() for key in log)
    known = [key for key in UNITS if key in found] + [key for key in found if key not in UNITS]
    wanted = [key for key in (keys or known[:_MOST_PANELS]) if key in known]
    if not wanted:
        raise ValueError(f"No metric to draw: asked for {keys}, the logs have {known}")
    return logs, wanted


def read_metrics(path: Path) -> dict[str, tuple[Any, Any]]:
    """Each metric's steps and values, in the order of the log's keys.

    Args:
        path: a `metrics.jsonl` (one object per line, key `step` and numbers), or its folder.

    Raises:
        FileNotFoundError: there is none.
        ValueError: a line that is not such an object.
    """
    path = path / "metrics.jsonl" if path.is_dir() else path
    if not path.is_file():
        raise FileNotFoundError(f"No training log at {path}")
    columns: dict[str, list[tuple[float, float]]] = {}
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines()):
        try:
            row = json.loads(line)
            step = float(row["step"])
        except (ValueError, KeyError, TypeError) as error:
            raise ValueError(f"{path}, line {number + 1}: not a metrics row: {line:.80}") from error
        for key, value in row.items():
            if isinstance(value, int | float) and not isinstance(value, bool) and key != "step":
                columns.setdefault(key, []).append((step, float(value)))
    return {key: tuple(np.array(rows).T) for key, rows in columns.items()}


def _curve(axes: Any, steps: Any, values: Any, colour: str, label: str) -> None:
    """A line; where there are many points, faint with their running mean over it."""
    mean = running_mean(values)
    if mean is not None:
        axes.plot(steps, values, color=colour, alpha=0.25, linewidth=0.8)
        values = mean
    axes.plot(steps, values, color=colour, label=label, linewidth=1.8)


def running_mean(values: Any) -> Any | None:
    """What to draw of a curve with many points; None: it has few, to be drawn as they are."""
    if len(values) < 60:
        return None
    window = max(3, len(values) // 25)
    # Each end is averaged over what there is, so that the curve does not fall to zero there.
    weight = np.convolve(np.ones(len(values)), np.ones(window), mode="same")
    return np.convolve(values, np.ones(window), mode="same") / weight


@contextmanager
def canvas(path: Path, width: float, height: float) -> Iterator[Any]:
    """A figure of that size in inches, saved at the end. No pyplot: nothing global is touched."""
    figures = require("matplotlib.figure", "bench")
    matplotlib = require("matplotlib", "bench")
    with matplotlib.rc_context(_STYLE):
        figure = figures.Figure(figsize=(width, height), layout="constrained")
        yield figure
        # Without the version in it, equal pictures are equal files.
        figure.savefig(path, dpi=160, metadata={"Software": None})


def _subtitle(runs: Sequence[Run]) -> str:
    budgets = {run.manifest.config["budget_tokens"] for run in runs}
    budget = budgets.pop() if len(budgets) == 1 else None
    within = "" if budget is None else f"at most {budget} generated tokens a problem; "
    return f"{within}lines: 95 % bootstrap interval"


def heading(key: str) -> str:
    """A metric's name as a heading."""
    return key.upper() if len(key) < 3 else key.replace("_", " ").replace("/", ": ")


def _wrap(text: str) -> str:
    """Long names over two lines."""
    words = text.split()
    half = -(-len(words) // 2)
    return "\n".join([" ".join(words[:half]), " ".join(words[half:])]) if len(text) > 16 else text
