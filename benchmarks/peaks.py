"""Where a curve is highest, and whether it really falls after that.

The highest point of a measured curve is partly luck, so an interval for "the highest against the
last" that ignores how the highest was chosen finds falls where there are none. Here all pairs of
points are compared at once: the 95 % holds for all of them together, the chosen one included.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks.metrics import RESAMPLES, SEED, Estimate, Z

FEWEST = 20
"""Below so many problems resampling them says too little to claim anything."""
_BLOCK = 2_000_000
"""Draws held in memory at once."""


@dataclass(frozen=True, slots=True)
class Peak:
    """Where the mean curve is highest, as places on the curve, from 0.

    Attributes:
        place: of the highest mean; of equal ones the first.
        possible: places that no other is shown to lie above: where the true peak is, in 95 of 100
            studies. All of them, where there are too few problems.
        fall: last minus highest (0 or less), with its simultaneous 95 % interval.
        above: places that are shown to lie above the last; none: no fall is shown.
        enough: whether there were enough problems to show anything.
    """

    place: int
    possible: tuple[int, ...]
    fall: Estimate
    above: tuple[int, ...]
    enough: bool


def find_peak(curves: NDArray[np.float64], seed: int = SEED, resamples: int = RESAMPLES) -> Peak:
    """Compare all points of the mean curve with each other.

    The intervals are simultaneous: mean difference +- c standard errors, where 95 % of bootstrap
    resamples of the problems stay within c standard errors at every pair (the max-t method: Romano
    and Wolf, "Exact and approximate stepdown methods for multiple hypothesis testing", 2005).

    Where hardly any problem tells two points apart, resampling problems says nothing of those that
    were not drawn: a point at which nobody happened to solve anything would have an error of 0, and
    every other would be "shown" to lie above it. So each pair's variance has that of one problem
    more, 1 / P**2: half a problem that tells in favour of either, which is what Agresti and Min
    add ("Simple improved confidence intervals for comparing matched proportions", 2005).

    Args:
        curves: of each problem, shape (P, K).

    Raises:
        ValueError: no problems, or no points.
    """
    if curves.ndim != 2 or 0 in curves.shape:
        raise ValueError(f"Expected curves of shape (P, K) with P, K >= 1, received {curves.shape}")
    problems, points = curves.shape
    means = curves.mean(0)
    # Ties go to the first, and rounding makes no peak.
    place = int(np.argmax(means >= means.max() - 1e-12))
    first, second = (pair.ravel() for pair in np.indices((points, points)))
    differences = means[second] - means[first]
    resampled = _means(curves, seed, resamples)
    spread = resampled[:, second] - resampled[:, first] - differences
    error = spread.std(0)
    real = error > 1e-12
    worst = np.abs(spread[:, real] / error[real]).max(1, initial=0.0)
    # All pairs at once are no easier than one.
    errors = max(float(np.quantile(worst, 0.95)), Z)
    reach = np.where(first == second, 0.0, errors * np.sqrt(error**2 + 1 / problems**2))
    enough = problems >= FEWEST
    shown = (differences - reach > 1e-12) & enough
    higher = shown.reshape(points, points)  # [a, b]: b is shown to lie above a
    fall = place * points + points - 1
    return Peak(
        place=place,
        possible=tuple(int(k) for k in np.flatnonzero(~higher.any(1))),
        fall=Estimate(
            float(differences[fall]),
            float(differences[fall] - reach[fall]),
            float(differences[fall] + reach[fall]),
        ),
        above=tuple(int(k) for k in np.flatnonzero(higher[-1])),
        enough=enough,
    )


def _means(curves: NDArray[np.float64], seed: int, resamples: int) -> NDArray[np.float64]:
    """Mean curves of resampled problems, shape (resamples, K)."""
    rng = np.random.default_rng(seed)
    problems = len(curves)
    rows = max(1, _BLOCK // problems)
    even = np.full(problems, 1 / problems)
    return np.concatenate(
        [
            rng.multinomial(problems, even, size=min(rows, resamples - start)) @ curves / problems
            for start in range(0, resamples, rows)
        ]
    )
