"""Thresholds for continuous integration: `--fail-on accuracy:-2` fails on a second side that is
more than 2 points worse.

By itself a threshold is about the estimate: that is what people expect of a number that they set,
and it needs no knowledge of statistics. It also fails now and then on luck alone, and the more
so the smaller the suite; with `--significant` it fails only where the whole 95 % interval lies
beyond it, and so passes what is worse but not shown to be. The interval of accuracy is then Tango's
for single runs, which does not shrink to nothing on small suites, and the shown one for several.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite

from benchmarks.compare import Comparison
from benchmarks.metrics import Estimate
from reason_env.errors import choose

FORM = "--fail-on METRIC:CHANGE, such as accuracy:-2"
METRICS = {"accuracy": "points", "tokens": "%", "errors": "errors"}
"""What may be limited, and in what unit: accuracy in points; generated tokens per problem in per
cent of the first side's; errors as a number of episodes per run."""
_ROUNDING = 1e-9


@dataclass(frozen=True, slots=True)
class Threshold:
    """The most that a metric may change for the worse.

    Attributes:
        change: 0 or below for accuracy, 0 or above for tokens and errors, in the metric's unit.
    """

    metric: str
    change: float

    @property
    def text(self) -> str:
        """As it is written on the command line."""
        return f"{self.metric}:{self.change:+g}"


@dataclass(frozen=True, slots=True)
class Verdict:
    """A threshold applied.

    Attributes:
        measured: the change, in the metric's unit.
        message: what was measured and what was allowed, in words.
    """

    threshold: Threshold
    measured: Estimate
    failed: bool
    message: str


def parse_threshold(text: str) -> Threshold:
    """`accuracy:-2` -> a threshold.

    Raises:
        ValueError: no such metric, no number, or a change for the better.
    """
    metric, sign, number = text.partition(":")
    if not sign:
        raise ValueError(f"Expected {FORM}, received {text!r}")
    metric = choose(metric.strip(), METRICS, "metric of --fail-on")
    try:
        change = float(number)
    except ValueError:
        raise ValueError(f"Expected {FORM}, received {text!r}: {number!r} is no number") from None
    worse = "0 or less" if metric == "accuracy" else "0 or more"
    wrong = change > 0 if metric == "accuracy" else change < 0
    if wrong or not isfinite(change):
        raise ValueError(
            f"--fail-on {metric} takes a change for the worse, {worse}, received {number!r}; "
            f"nearest: {metric}:{-change:+g}"
            if isfinite(change)
            else f"--fail-on {metric} takes a finite number, {worse}, received {number!r}"
        )
    return Threshold(metric, change + 0.0)


def apply(
    thresholds: Sequence[Threshold], comparison: Comparison, significant: bool = False
) -> list[Verdict]:
    """What each threshold says of a comparison.

    Args:
        significant: fail only where the whole interval is beyond the threshold (errors are
            counted, and have none).
    """
    return [_apply(threshold, comparison, significant) for threshold in thresholds]


def _apply(threshold: Threshold, comparison: Comparison, significant: bool) -> Verdict:
    measured = _measured(threshold.metric, comparison)
    # The end of the interval that is nearest to being allowed.
    if threshold.metric == "accuracy":
        reached = measured.high if significant else measured.value
        failed = reached < threshold.change - _ROUNDING
    else:
        reached = measured.low if significant else measured.value
        failed = reached > threshold.change + _ROUNDING
    unit = METRICS[threshold.metric]
    shown = f"{measured.value:+.1f} {unit}"
    if measured.low < measured.high:
        shown += f" [{measured.low:+.1f}, {measured.high:+.1f}]"
    sure = ", the whole interval" if significant and threshold.metric != "errors" else ""
    message = (
        f"{threshold.text} {'failed' if failed else 'passed'}{sure if failed else ''}: "
        f"{comparison.second.name} changed {threshold.metric} by {shown} against "
        f"{comparison.first.name}"
    )
    return Verdict(threshold, measured, failed, message)


def _measured(metric: str, comparison: Comparison) -> Estimate:
    if metric == "errors":
        change = comparison.second.errors - comparison.first.errors
        return Estimate(change, change, change)
    overall = comparison.overall
    estimate = comparison.tokens if metric == "tokens" else overall.score or overall.difference
    return Estimate(100 * estimate.value, 100 * estimate.low, 100 * estimate.high)
