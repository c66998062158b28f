"""Statistics of runs: every estimate with its interval (comparisons: `benchmarks.paired`).

All intervals are 95 %. A bootstrap's seed is fixed (`SEED`), so that a report comes out the same
each time.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt

import numpy as np
from numpy.typing import ArrayLike

from benchmarks.records import EpisodeRecord

SEED = 20260726
RESAMPLES = 10_000
Z = 1.959963984540054
"""Half the width of a 95 % interval, in standard errors of a normal estimate."""
_BLOCK = 4_000_000
"""Draws held in memory at once."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """A mean and its 95 % interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Summary:
    """What a set of episodes comes to.

    Attributes:
        episodes: the denominator; errors and unfinished episodes are in it.
        accuracy: fraction solved, with its bootstrap interval.
        wilson: the same with Wilson's interval, which stays honest near 0 and 1, where
            resampling equal outcomes gives an interval of no width.
        tokens: generated tokens per episode, discarded candidates included.
    """

    episodes: int
    solved: int
    unfinished: int
    errors: int
    accuracy: Estimate
    wilson: Estimate
    tokens: float


def bootstrap(values: ArrayLike, seed: int = SEED, resamples: int = RESAMPLES) -> Estimate:
    """Mean of `values`, shape (N,), with its percentile bootstrap interval.

    Raises:
        ValueError: there are no values.
    """
    sample = np.asarray(values, dtype=np.float64)
    if sample.size == 0:
        raise ValueError("There is nothing to average: 0 episodes")
    rng = np.random.default_rng(seed)
    rows = max(1, _BLOCK // sample.size)
    means = [
        sample[rng.integers(sample.size, size=(min(rows, resamples - start), sample.size))].mean(1)
        for start in range(0, resamples, rows)
    ]
    low, high = np.quantile(np.concatenate(means), [0.025, 0.975])
    return Estimate(float(sample.mean()), float(low), float(high))


def bootstrap_grid(values: ArrayLike, seed: int = SEED, resamples: int = RESAMPLES) -> Estimate:
    """Mean of `values` over training seeds and problems, shape (S, N), with its percentile
    bootstrap interval: seeds and problems are both drawn again, so that it covers the luck of
    either. With one seed it is `bootstrap`'s, and says nothing about other seeds.

    Raises:
        ValueError: there are no values.
    """
    grid = np.asarray(values, dtype=np.float64)
    if grid.ndim != 2 or grid.size == 0:
        raise ValueError(f"Expected values of seeds and problems, received shape {grid.shape}")
    rng = np.random.default_rng(seed)
    seeds, problems = grid.shape
    block = max(1, _BLOCK // problems)
    means = []
    for start in range(0, resamples, block):
        count = min(block, resamples - start)
        # The seeds that are drawn give every problem a mean; the problems drawn are averaged.
        rows = rng.integers(seeds, size=(count, seeds))
        shares = (rows[:, :, None] == np.arange(seeds)).mean(1)
        columns = rng.integers(problems, size=(count, problems))
        means.append(np.take_along_axis(shares @ grid, columns, axis=1).mean(1))
    low, high = np.quantile(np.concatenate(means), [0.025, 0.975])
    return Estimate(float(grid.mean()), float(low), float(high))


def wilson(solved: float, episodes: int) -> Estimate:
    """Fraction solved with Wilson's score interval (Wilson, 1927)."""
    if episodes == 0:
        raise ValueError("There is nothing to average: 0 episodes")
    rate, z2 = solved / episodes, Z**2
    middle = (rate + z2 / (2 * episodes)) / (1 + z2 / episodes)
    spread = rate * (1 - rate) / episodes + z2 / (4 * episodes**2)
    half = Z / (1 + z2 / episodes) * sqrt(spread)
    # Rounding may take a bound past the rate itself, at 0 and 1 in particular.
    return Estimate(rate, max(0.0, min(rate, middle - half)), min(1.0, max(rate, middle + half)))


def summarise(episodes: Sequence[EpisodeRecord]) -> Summary:
    """Summary of a run's episodes, or of some of them."""
    solved = [episode.solved for episode in episodes]
    return Summary(
        episodes=len(episodes),
        solved=sum(solved),
        unfinished=sum(episode.status == "unfinished" for episode in episodes),
        errors=sum(episode.status == "error" for episode in episodes),
        accuracy=bootstrap(solved),
        wilson=wilson(sum(solved), len(episodes)),
        tokens=sum(e.ledger["generated_tokens"] for e in episodes) / len(episodes),
    )


def families(episodes: Sequence[EpisodeRecord]) -> dict[str, list[EpisodeRecord]]:
    """Episodes by family and level, in the suite's order: `Countdown, level 1`."""
    groups: dict[str, list[EpisodeRecord]] = {}
    for episode in episodes:
        family = episode.env.rpartition("/")[2].rpartition("-v")[0]
        name = f"{family}, level {episode.kwargs.get('level', 1)}"
        groups.setdefault(name, []).append(episode)
    return groups
