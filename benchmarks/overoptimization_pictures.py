"""The picture of a study of over-optimisation: what is picked, what it scores, what there was."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.metrics import Estimate
from benchmarks.pictures import COLOURS, canvas

if TYPE_CHECKING:
    from benchmarks.overoptimization import Study

_TRUE, _PROXY, _COVERAGE = COLOURS[0], COLOURS[5], COLOURS[2]
_LABELS = (
    "coverage: any of the N is a solution",
    "true accuracy: the one that is picked is a solution",
    "proxy score: what the reward model says of the one that is picked (right axis)",
)


def overoptimization_picture(study: Study, path: Path, title: str) -> None:
    """True accuracy, proxy score and coverage against N, with pointwise 95 % bands.

    The proxy score has an axis of its own, on the right; where all of it is in [0, 1], as a
    process reward model's is, the two axes run alike and the curves can be compared.
    """
    numbers = [point.n for point in study.points]
    proxies = [(point.n, point.score) for point in study.points if point.score is not None]
    with canvas(path, 7.6, 4.8) as figure:
        axes = figure.add_subplot()
        right = axes.twinx()
        _band(axes, numbers, [p.coverage for p in study.points], _COVERAGE, _LABELS[0], "--", 100)
        _band(axes, numbers, [p.accuracy for p in study.points], _TRUE, _LABELS[1], "-", 100)
        if proxies:
            ns, scores = zip(*proxies)
            _band(right, ns, scores, _PROXY, _LABELS[2], "-.", 1)
        within = all(score.low >= 0 and score.high <= 1 for _, score in proxies)
        if within:
            right.set_ylim(0, 1.03)
        axes.set_ylim(0, 103)
        axes.axvline(study.best.n, color=_TRUE, linestyle=":", linewidth=1.2)
        axes.set_title(_subtitle(study), loc="left", color="#555555")
        axes.set_xscale("log", base=2)
        axes.set_xticks(numbers, _ticks(study))
        axes.minorticks_off()
        axes.set_xlabel("samples to pick from, N; below: KL from the policy (nats)")
        axes.set_ylabel("problems (%)")
        right.set_ylabel("proxy score", color=_PROXY)
        right.grid(visible=False)
        right.tick_params(axis="y", length=0)
        handles = [pair for side in (axes, right) for pair in zip(*_legend(side))]
        figure.legend(*zip(*handles), loc="outside lower left", ncols=1)
        figure.suptitle(title, x=0.02, ha="left", fontsize=13, fontweight="bold")


def _ticks(study: Study) -> list[str]:
    """N and KL; none at a power of two that the last N stands next to."""
    last = study.points[-1].n
    near = [point.n < last < 1.5 * point.n for point in study.points]
    labels = [f"{point.n}\n{point.kl:.2f}" for point in study.points]
    return ["" if close else label for close, label in zip(near, labels)]


def _subtitle(study: Study) -> str:
    """Where true accuracy is highest, and how far it then falls."""
    best, last, fall = study.best, study.points[-1], study.peak.fall
    text = f"true accuracy is highest at N = {best.n}: {100 * best.accuracy.value:.1f} %"
    if best is last:
        return f"{text}; bands: 95 %"
    return (
        f"{text}; at N = {last.n}: {100 * fall.value:+.1f} points "
        f"[{100 * fall.low:+.1f}, {100 * fall.high:+.1f}]"
    )


def _legend(axes: Any) -> tuple[list[Any], list[str]]:
    handles, labels = axes.get_legend_handles_labels()
    return handles, labels


def _band(
    axes: Any,
    numbers: Sequence[int],
    estimates: Sequence[Estimate],
    colour: str,
    label: str,
    style: str,
    unit: float,
) -> None:
    """A line and its interval."""
    low, high = [unit * e.low for e in estimates], [unit * e.high for e in estimates]
    axes.fill_between(numbers, low, high, color=colour, alpha=0.15, linewidth=0)
    axes.plot(
        numbers,
        [unit * e.value for e in estimates],
        style,
        color=colour,
        label=label,
        linewidth=1.8,
        marker=".",
    )
