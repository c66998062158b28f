"""Intervals of paired comparisons that need no resampling. All are 95 %, and NumPy's only."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from math import atan, copysign, cos, inf, lgamma, pi, sin, sqrt
from statistics import NormalDist

import numpy as np

from benchmarks.metrics import Estimate, Z

ALPHA = 0.05
"""Of every interval and test, two-sided."""
_NORMAL = 10_000
"""Degrees of freedom from which Student's distribution is taken as normal."""
_HALVINGS = 80


def score_interval(gained: int, lost: int, problems: int) -> Estimate:
    """Difference of paired accuracies with Tango's score interval.

    It holds the differences that a score test does not reject, given how many problems both sides
    decided alike. Where resampling gives no width (nothing gained or lost, or every problem) this
    one still has one: with no discordant problem of N it is 0 +- z^2 / (N + z^2).

    Tango, "Equivalence test and confidence interval for the difference in proportions for the
    paired-sample design", Statistics in Medicine 17, 1998.

    Args:
        gained, lost: problems that only the second, or only the first side, solved.
        problems: of both sides, those decided alike included; 1 or more.
    """
    value = (gained - lost) / problems

    def statistic(delta: float) -> float:
        # The share of lost problems that is most likely if the difference is `delta`.
        b = (2 * problems - gained + lost) * delta - gained - lost
        root = sqrt(max(0.0, b * b + 8 * problems * lost * delta * (1 - delta)))
        share = max(0.0, (root - b) / (4 * problems))
        variance = problems * (2 * share + delta * (1 - delta))
        distance = gained - lost - problems * delta
        if variance <= 0:
            return copysign(inf, distance) if distance else 0.0
        return distance / sqrt(variance)

    low = -1.0 if value == -1 else _crossing(lambda delta: statistic(delta) > Z, -1.0, value)
    high = 1.0 if value == 1 else _crossing(lambda delta: statistic(delta) >= -Z, value, 1.0)
    return Estimate(value, low, high)


def odds_ratio(gained: int, lost: int) -> Estimate | None:
    """How many problems were gained for one that was lost, with its exact interval.

    The conditional odds ratio of matched pairs: 1 is no difference, 2 means two gained for each
    one lost. Its interval is Clopper and Pearson's (1934) of gained / (gained + lost), as odds. It
    leaves out 1 just when McNemar's exact p-value is below 0.05. Nothing lost gives infinity with
    a finite lower end, nothing gained 0 with a finite upper one.

    Returns:
        None if nothing was gained or lost: there is no ratio.
    """
    if gained + lost == 0:
        return None
    low, high = _clopper_pearson(gained, gained + lost)
    return Estimate(
        gained / lost if lost else inf,
        low / (1 - low),
        high / (1 - high) if high < 1 else inf,
    )


@dataclass(frozen=True, slots=True)
class Spread:
    """The variance of an estimate, and how well it is known.

    Attributes:
        freedom: degrees of freedom of Student's t, a whole number.
    """

    variance: float
    freedom: int

    @classmethod
    def of(cls, parts: Sequence[tuple[float, int]]) -> Spread:
        """The sum of independent variances, each with its degrees of freedom.

        Those of the sum are Satterthwaite's ("An approximate distribution of estimates of variance
        components", 1946), rounded down.
        """
        variance = sum(part for part, _ in parts)
        weight = sum(part**2 / freedom for part, freedom in parts)
        whole = min(freedom for _, freedom in parts)
        # The small addition: a single part has just its own degrees of freedom.
        return cls(variance, int(variance**2 / weight + 1e-9) if weight > 0 else whole)

    @property
    def error(self) -> float:
        """Standard error."""
        return sqrt(self.variance)

    def around(self, difference: float) -> Estimate:
        """A difference of accuracies with its interval, which ends at -1 and 1."""
        half = student_quantile(ALPHA, self.freedom) * self.error
        return Estimate(difference, max(-1.0, difference - half), min(1.0, difference + half))

    def p(self, difference: float) -> float:
        """Two-sided p-value of no difference."""
        if difference == 0:
            return 1.0
        return student_p(difference / self.error, self.freedom) if self.variance > 0 else 0.0


def student_p(t: float, freedom: int) -> float:
    """Two-sided p-value of Student's `t`; `freedom` is a whole number from 1 on."""
    t = abs(t)
    if t == inf:
        return 0.0
    if freedom >= _NORMAL:
        return 2 * NormalDist().cdf(-t)
    # The finite series for whole degrees of freedom: Abramowitz and Stegun, 26.7.3 and 26.7.4.
    angle = atan(t / sqrt(freedom))
    square, odd = cos(angle) ** 2, freedom % 2
    k = np.arange(1, (freedom - odd) // 2)
    terms = np.cumprod(square * (2 * k - 1 + odd) / (2 * k + odd))
    series = (cos(angle) if odd else 1.0) * (1 + float(terms.sum())) if freedom > 1 else 0.0
    within = sin(angle) * series
    return max(0.0, 1 - (2 / pi * (angle + within) if odd else within))


@cache
def student_quantile(outside: float, freedom: int) -> float:
    """The t of which a share `outside` lies further from 0, both sides taken together."""
    if freedom >= _NORMAL:
        return NormalDist().inv_cdf(1 - outside / 2)
    top = 1.0
    while student_p(top, freedom) > outside:
        top *= 2
    return _crossing(lambda t: student_p(t, freedom) > outside, 0.0, top)


def _clopper_pearson(successes: int, trials: int) -> tuple[float, float]:
    """The exact 95 % interval of a probability."""
    # log of the binomial coefficients; the tails are then summed for any probability.
    logs = np.array(
        [lgamma(trials + 1) - lgamma(k + 1) - lgamma(trials - k + 1) for k in range(trials + 1)]
    )
    counts = np.arange(trials + 1)

    def tail(probability: float, chosen: slice) -> float:
        exponents = counts * np.log(probability) + (trials - counts) * np.log1p(-probability)
        return float(np.exp(logs + exponents)[chosen].sum())

    above, below = slice(successes, None), slice(0, successes + 1)
    low = 0.0
    if successes > 0:
        low = _crossing(lambda p: tail(p, above) < ALPHA / 2, 0.0, 1.0)
    high = 1.0
    if successes < trials:
        high = _crossing(lambda p: tail(p, below) > ALPHA / 2, 0.0, 1.0)
    return low, high


def _crossing(before: Callable[[float], bool], low: float, high: float) -> float:
    """Where `before`, true from `low` on, becomes false on the way to `high`; by halving."""
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        if before(middle):
            low = middle
        else:
            high = middle
    return (low + high) / 2
