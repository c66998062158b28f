"""What a comparison could have found: the smallest difference, and the problems that it takes.

A difference that is not significant says little if the comparison was too small to find one. Both
functions are the usual normal approximation (Bloom, "Minimum detectable effects", 1995; for evals
Miller, "Adding error bars to evals", 2024, arXiv 2411.00640, section 5): a test of size 0.05 finds
a true difference of (z(0.975) + z(0.8)) = 2.8 standard errors four times out of five. The standard
error is the one that the test has if nothing differs: the mean square of the differences of
problems, which for single runs is their share of discordant problems (Connor, 1987, without its
term of higher order), over their number.
"""

from __future__ import annotations

from math import ceil, sqrt
from statistics import NormalDist

from benchmarks.intervals import ALPHA, student_quantile

POWER = 0.8
"""How often the difference is to be found."""


def multiplier(freedom: int | None = None) -> float:
    """Standard errors that a true difference needs to be found with `POWER`.

    Args:
        freedom: degrees of freedom of the standard error; None: many.
    """
    if freedom is None:
        normal = NormalDist()
        return normal.inv_cdf(1 - ALPHA / 2) + normal.inv_cdf(POWER)
    return student_quantile(ALPHA, freedom) + student_quantile(2 * (1 - POWER), freedom)


def detectable(
    square: float, problems: int, fixed: float = 0.0, freedom: int | None = None
) -> float | None:
    """The smallest true difference, in either direction, that would be found with `POWER`.

    It is never below 7.85 problems of all: 6 that differ, all one way, are the fewest that an
    exact test finds significant, and 7.85 on average bring 6 or more four times out of five.

    Args:
        square: mean square of the differences of problems.
        problems: how many.
        fixed: variance of the difference that more problems do not lower (that of seeds).
        freedom: of the standard error; None: many.

    Returns:
        In accuracy, from 0 to 1; None if not even a difference of 1 would be found.
    """
    found = multiplier(freedom) * sqrt(square / problems + fixed)
    found = max(found, multiplier() ** 2 / problems)
    return found if found <= 1 else None


def needed(
    difference: float, square: float, fixed: float = 0.0, freedom: int | None = None
) -> int | None:
    """Problems with which the observed difference, were it the true one, is found with `POWER`.

    Args:
        difference: observed; the others as for `detectable`.

    Returns:
        None if no number is enough: there is no difference, or too much of its variance is of
        seeds, of which it then takes more.
    """
    factor = multiplier(freedom) ** 2
    room = difference**2 - factor * fixed
    if room <= 0:
        return None
    return ceil(max(factor * square / room, multiplier() ** 2 / abs(difference)))
