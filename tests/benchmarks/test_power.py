"""The detectable difference against exact power and against simulation."""

from math import comb, sqrt

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.power import detectable, multiplier, needed
from benchmarks.significance import mcnemar


def power_of_mcnemar(gain, loss, n):
    """Chance that McNemar's exact test rejects at 0.05, over all outcomes."""
    moved, power = gain + loss, 0.0
    for m in range(n + 1):
        chance = comb(n, m) * moved**m * (1 - moved) ** (n - m)
        if chance < 1e-7:
            continue
        up = gain / moved
        power += chance * sum(
            comb(m, k) * up**k * (1 - up) ** (m - k)
            for k in range(m + 1)
            if mcnemar(k, m - k) < 0.05
        )
    return power


def test_multiplier():
    assert multiplier() == pytest.approx(1.959964 + 0.841621, abs=1e-6)
    assert multiplier(8) == pytest.approx(2.3060 + 0.8889, abs=1e-4)
    assert multiplier(100_000) == pytest.approx(multiplier())


@pytest.mark.parametrize(("moved", "n"), [(0.3, 200), (0.1, 400)])
def test_the_detectable_difference_is_found_four_times_of_five(moved, n):
    delta = detectable(moved, n)
    assert delta == pytest.approx(multiplier() * sqrt(moved / n))
    power = power_of_mcnemar((moved + delta) / 2, (moved - delta) / 2, n)
    # The exact test keeps below its level, so it finds a little less.
    assert 0.74 < power < 0.83
    assert needed(delta, moved) == pytest.approx(n, abs=1)


def test_with_few_discordant_problems_the_exact_test_sets_the_limit():
    # None discordant: the smallest difference is one where all discordant problems go one way.
    for n in (40, 500):
        delta = detectable(0.0, n)
        assert delta == pytest.approx(7.849 / n, abs=1e-3)
        assert 0.77 < power_of_mcnemar(delta, 0.0, n) < 0.85
    assert detectable(0.0, 7) is None
    assert detectable(1.0, 8) is not None


def test_found_by_simulation_over_seeds_and_problems():
    """Differences of any size, with a variance that more problems do not lower."""
    rng = np.random.default_rng(0)
    n, square, fixed = 150, 0.2, 0.002
    delta = detectable(square, n, fixed)
    values = rng.normal(delta, sqrt(square - delta**2), (4000, n)).mean(1)
    values += rng.normal(0, sqrt(fixed), 4000)
    error = sqrt(square / n + fixed)
    assert (np.abs(values) > 1.96 * error).mean() == pytest.approx(0.8, abs=0.03)


def test_needed_by_hand():
    assert needed(0.0, 0.3) is None
    assert needed(0.1, 0.3) == needed(-0.1, 0.3) == 236  # 7.849 * 0.3 / 0.01 = 235.5
    assert needed(0.1, 0.01) == 79, "all moved one way: 7.849 / 0.1, and no fewer"
    assert needed(1.0, 1.0) == 8
    # Seeds: 7.849 * 0.3 / (0.01 - 7.849 * 0.001) = 1095; past 0.01 / 7.849 no number will do.
    assert needed(0.1, 0.3, 0.001) == pytest.approx(1095, abs=1)
    assert needed(0.1, 0.3, 0.0013) is None


@given(st.floats(0.001, 1), st.integers(8, 5000), st.floats(0, 0.01))
def test_needed_turns_detectable_around(square, n, fixed):
    delta = detectable(square, n, fixed)
    if delta is not None and delta > 0.001:
        count = needed(delta, square, fixed)
        assert count is not None
        assert count <= n + 1
        assert detectable(square, count, fixed) <= delta * (1 + 1e-6)
