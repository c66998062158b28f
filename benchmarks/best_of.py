"""Best of N without chance: what the best-scored of N is worth, over all subsets of more samples.

From S samples of a problem, the expectation over all subsets of N of them is an unbiased estimate
of what N fresh samples would give (a U-statistic, as pass@k is: Chen et al., "Evaluating large
language models trained on code", 2021).
"""

from __future__ import annotations

from math import comb, log

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]


def powers_up_to(samples: int) -> tuple[int, ...]:
    """1, 2, 4, ... and `samples` itself.

    Raises:
        ValueError: fewer than 1 sample.
    """
    if samples < 1:
        raise ValueError(f"samples must be 1 or more, received {samples}")
    numbers = [1 << power for power in range(samples.bit_length())]
    return tuple(sorted({*numbers, samples}))


def best_of_kl(n: int) -> float:
    """KL divergence of best-of-N from the policy in nats, `log N - (N - 1) / N`.

    Exact where no two samples score the same, else an upper bound (Beirami et al., "Theoretical
    guarantees on the best-of-n alignment policy", 2024).
    """
    return log(n) - (n - 1) / n


def rank_chances(samples: int, n: int) -> Array:
    """Chance of each rank, from the lowest score to the highest, to be the best of `n`.

    Returns:
        Shape (samples,), sum 1: of all subsets of `n` different samples, the share whose best one
        has that rank.

    Raises:
        ValueError: n is not in 1..samples.
    """
    if not 1 <= n <= samples:
        raise ValueError(f"n must be in 1..{samples}, received {n}")
    subsets = comb(samples, n)
    # Whole numbers divided last: exact to the last bit, however large they are.
    return np.array([comb(rank, n - 1) / subsets for rank in range(samples)])


def expected_best(scores: ArrayLike, worth: ArrayLike, chances: Array) -> Array:
    """Expected worth of the best-scored of N samples; samples that tie for it share evenly.

    Args:
        scores: of each sample, shape (S,), without NaN: what is picked by.
        worth: of each sample, shape (S,): what is counted.
        chances: `rank_chances` of each N, shape (K, S).

    Returns:
        Shape (K,). With `worth` equal to `scores` it is the score of what is picked; with both
        equal to whether a sample is solved it is pass@N.
    """
    scores, worth = np.asarray(scores, np.float64), np.asarray(worth, np.float64)
    # Within a group of equal scores each is as likely to be taken as any other.
    _, group, size = np.unique(scores, return_inverse=True, return_counts=True)
    mean = np.bincount(group, worth) / size
    shared: Array = chances @ np.repeat(mean, size)
    return shared
