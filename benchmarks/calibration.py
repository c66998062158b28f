"""How good are predicted numbers: calibration and ranking, with intervals that resample clusters.

Every statistic takes weights, (R, N): in how many copies each of N items is in each of R samples.
All ones give the statistic of the items as they are; a bootstrap of clusters (of problems, say,
whose states stand or fall together) gives the weights of each resample.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from benchmarks.metrics import RESAMPLES, SEED, Estimate

Floats: TypeAlias = NDArray[np.float64]
Statistic: TypeAlias = Callable[[Floats], Floats]
"""From weights (R, N) to numbers (R,); NaN where it is not defined."""
_BLOCK = 2_000_000
"""Weights held in memory at once."""


def average(values: ArrayLike) -> Statistic:
    """The mean of values (N,): of right answers the accuracy, of squared errors the Brier score."""
    known = np.asarray(values, dtype=np.float64)
    return lambda weights: weights @ known / weights.sum(1)


def calibration_error(predictions: ArrayLike, outcomes: ArrayLike, bins: int = 10) -> Statistic:
    """Expected calibration error with bins of equal mass (Naeini et al., 2015; Nixon et al.,
    "Measuring calibration in deep learning", 2019): the mean over the items of how far their bin's
    mean prediction is from its mean outcome.

    The bins are those of the items as they are (see `equal_mass`), in resamples too.
    """
    error = np.asarray(predictions, dtype=np.float64) - np.asarray(outcomes, dtype=np.float64)
    place = equal_mass(predictions, bins)
    by_bin = np.zeros((len(error), bins))
    by_bin[np.arange(len(error)), place] = error
    return lambda weights: np.abs(weights @ by_bin).sum(1) / weights.sum(1)


def equal_mass(predictions: ArrayLike, bins: int) -> NDArray[np.int64]:
    """The bin of each prediction, 0 to `bins` - 1, so that bins hold as many each as they can.

    Equal predictions share a bin, so no order among the items matters; some bins may be empty.
    """
    known = np.asarray(predictions, dtype=np.float64)
    if bins < 1:
        raise ValueError(f"bins must be 1 or more, received {bins}")
    return np.searchsorted(np.sort(known), known, side="left") * bins // max(1, len(known))


def calibrated_floor(predictions: ArrayLike, bins: int = 10, draws: int = 1000) -> float:
    """What `calibration_error` comes to for a predictor that is calibrated: the mean over outcomes
    drawn, independently, with the predicted chances. It is above 0 by chance alone."""
    known = np.asarray(predictions, dtype=np.float64)
    rng = np.random.default_rng(SEED)
    place = equal_mass(known, bins)
    total = 0.0
    for _ in range(draws):
        error = known - (rng.random(len(known)) < known)
        total += np.abs(np.bincount(place, error, bins)).sum() / len(known)
    return total / draws


def auc(scores: ArrayLike, positive: ArrayLike) -> Statistic:
    """Chance that a positive item scores above a negative one, ties counting half (Mann and
    Whitney's U over the number of pairs): the area under the ROC curve."""
    known, yes = np.asarray(scores, dtype=np.float64), np.asarray(positive, dtype=bool)
    order, starts = _ties(known)
    yes = yes[order]

    def of(weights: Floats) -> Floats:
        ordered = weights[:, order]
        above = np.add.reduceat(ordered * yes, starts, axis=1)
        below = np.add.reduceat(ordered * ~yes, starts, axis=1)
        lower = below.cumsum(1) - below
        pairs = above.sum(1) * below.sum(1)
        with np.errstate(invalid="ignore"):
            return (above * (lower + below / 2)).sum(1) / pairs

    return of


def pearson(first: ArrayLike, second: ArrayLike) -> Statistic:
    """Correlation of values (N,) and values (N,)."""
    x, y = (np.asarray(values, dtype=np.float64) for values in (first, second))
    return lambda weights: _correlation(weights, x[None], y[None])


def spearman(first: ArrayLike, second: ArrayLike) -> Statistic:
    """Correlation of ranks, equal values sharing the middle one of theirs."""
    rankings = [_ranker(np.asarray(values, dtype=np.float64)) for values in (first, second)]
    return lambda weights: _correlation(weights, *(ranks(weights) for ranks in rankings))


def _correlation(weights: Floats, x: Floats, y: Floats) -> Floats:
    """Of x and y, (R or 1, N)."""
    total = weights.sum(1, keepdims=True)
    x = x - (weights * x).sum(1, keepdims=True) / total
    y = y - (weights * y).sum(1, keepdims=True) / total
    spread = (weights * x * x).sum(1) * (weights * y * y).sum(1)
    # Rounding leaves a spread of about 1e-32 where all values are equal.
    defined = spread > 1e-24 * total[:, 0] ** 2
    found = (weights * x * y).sum(1) / np.sqrt(np.where(defined, spread, 1.0))
    return np.where(defined, found, np.nan)


def _ranker(values: Floats) -> Statistic:
    order, starts = _ties(values)
    group = np.empty(len(values), dtype=np.int64)
    group[order] = np.repeat(np.arange(len(starts)), np.diff([*starts, len(values)]))

    def ranks(weights: Floats) -> Floats:
        sizes = np.add.reduceat(weights[:, order], starts, axis=1)
        return (sizes.cumsum(1) - sizes / 2)[:, group]

    return ranks


def _ties(values: Floats) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The ascending order of values, and where in it each group of equal ones starts."""
    order = np.argsort(values, kind="stable")
    ordered = values[order]
    return order, np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]])


def cluster_bootstrap(
    statistics: Mapping[str, Statistic],
    clusters: ArrayLike,
    seed: int = SEED,
    resamples: int = RESAMPLES,
) -> dict[str, Estimate | None]:
    """Each statistic with its 95 % percentile interval from resampling clusters.

    Where every item is a cluster of its own, that of the mean is `metrics.bootstrap`. Resamples in
    which a statistic is not defined (no positive item, say) are left out of its interval.

    Args:
        clusters: of each item, (N,), any labels.

    Returns:
        None for a statistic that is not defined for the items as they are.

    Raises:
        ValueError: there are no items.
    """
    names, place = np.unique(np.asarray(clusters), return_inverse=True)
    if not len(place):
        raise ValueError("There is nothing to average: 0 items")
    rng = np.random.default_rng(seed)
    count = len(names)
    rows = max(1, _BLOCK // len(place))
    drawn: dict[str, list[Any]] = {name: [] for name in statistics}
    for start in range(0, resamples, rows):
        size = min(rows, resamples - start)
        choice = rng.integers(count, size=(size, count)) + count * np.arange(size)[:, None]
        copies = np.bincount(choice.ravel(), minlength=size * count).reshape(size, count)
        weights = copies[:, place].astype(np.float64)
        # The clusters drawn may be without items only if there is no item at all.
        for name, statistic in statistics.items():
            drawn[name].append(statistic(weights))
    once = np.ones((1, len(place)))
    estimates: dict[str, Estimate | None] = {}
    for name, statistic in statistics.items():
        value = float(statistic(once)[0])
        if np.isnan(value):
            estimates[name] = None
            continue
        low, high = np.nanquantile(np.concatenate(drawn[name]), [0.025, 0.975])
        estimates[name] = Estimate(value, float(low), float(high))
    return estimates
