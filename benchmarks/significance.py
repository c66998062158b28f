"""p-values of paired comparisons, and their correction where there are several.

All are two-sided and exact: nothing is assumed of how outcomes are distributed, and no p-value
depends on a seed (but for `sign_flip` of so many values that they cannot be counted).
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from math import comb

import numpy as np
from numpy.typing import ArrayLike, NDArray

from benchmarks.metrics import RESAMPLES, SEED

_COUNTED = 2_000_000_000
"""Additions that exact counting may take (a few seconds)."""
_BLOCK = 4_000_000
"""Signs held in memory at once."""


def mcnemar(gained: int, lost: int) -> float:
    """Two-sided exact p-value of `gained` against `lost` under even odds (McNemar, 1947)."""
    n = gained + lost
    tail = sum(comb(n, k) for k in range(min(gained, lost) + 1))
    return float(min(Fraction(1), Fraction(2 * tail, 2**n)))


def sign_flip(values: ArrayLike, counted: int = _COUNTED) -> float:
    """Share of all ways to choose signs that take the sum of `values` as far from 0 as it is.

    The randomisation test of paired differences (Fisher, 1935): if both sides are alike, a
    difference is as likely as its negative. Differences of -1, 0 and 1 give McNemar's exact
    p-value. Sums over templates give a test that allows any dependence within a template (Canay,
    Romano and Shaikh, 2017); of G of them no p-value is below 2 / 2^G. With means over unequal
    numbers of seeds the symmetry, and so the level, is approximate.

    Args:
        values: differences as whole numbers, in any common unit, shape (N,).
        counted: additions up to which the ways are counted; past that 10,000 ways are drawn, with
            a stored seed, and the observed one counts as one of them.
    """
    given = np.asarray(values, dtype=np.int64)
    given = given[given != 0]
    if given.size == 0:
        return 1.0
    given //= np.gcd.reduce(given)
    observed, sizes = abs(int(given.sum())), np.sort(np.abs(given))
    total = int(sizes.sum())
    if total * sizes.size > counted:
        return _drawn(sizes, observed)
    # chance[s]: that the values with a plus sum to s; the sum of all is then 2 s - total.
    chance = np.zeros(total + 1)
    chance[0], reach = 1.0, 0
    for size in sizes.tolist():
        reach += size
        chance[: reach + 1] *= 0.5
        chance[size : reach + 1] += chance[: reach + 1 - size].copy()
    sums = np.abs(2 * np.arange(total + 1) - total)
    return min(1.0, float(chance[sums >= observed].sum()))


def _drawn(sizes: NDArray[np.int64], observed: int) -> float:
    """`sign_flip` from drawn signs."""
    rng = np.random.default_rng(SEED)
    rows, far = max(1, _BLOCK // sizes.size), 0
    for start in range(0, RESAMPLES, rows):
        plus = rng.integers(2, size=(min(rows, RESAMPLES - start), sizes.size), dtype=np.int8)
        far += int((np.abs((2 * plus - 1) @ sizes) >= observed).sum())
    return (far + 1) / (RESAMPLES + 1)


def holm(p_values: Sequence[float]) -> list[float]:
    """p-values that stay below a level only where Holm's step-down procedure rejects at it.

    Holm, "A simple sequentially rejective multiple test procedure", 1979: the chance of one false
    rejection or more among all of them is at most the level, however they depend on each other.
    """
    order = sorted(range(len(p_values)), key=lambda i: p_values[i])
    corrected, highest = [0.0] * len(p_values), 0.0
    for rank, i in enumerate(order):
        highest = max(highest, min(1.0, (len(p_values) - rank) * p_values[i]))
        corrected[i] = highest
    return corrected
