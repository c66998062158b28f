"""Intervals against published values, definitions and how often they hold the truth."""

from math import comb, inf, sqrt

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.intervals import (
    Spread,
    odds_ratio,
    score_interval,
    student_p,
    student_quantile,
)
from benchmarks.metrics import Z
from benchmarks.significance import mcnemar

COUNTS = st.tuples(st.integers(0, 40), st.integers(0, 40), st.integers(0, 40)).filter(any)


def test_score_interval_without_discordant_problems():
    # Then the restricted estimate is known: |delta| = z^2 / (N + z^2).
    for n in (1, 20, 500):
        estimate = score_interval(0, 0, n)
        assert (estimate.value, estimate.high) == pytest.approx((0, Z**2 / (n + Z**2)))
        assert estimate.low == pytest.approx(-estimate.high)
    assert score_interval(5, 0, 5).high == 1
    assert score_interval(0, 5, 5).low == -1
    assert score_interval(5, 0, 5).low > -1


@pytest.mark.parametrize(("gained", "lost", "n"), [(12, 2, 50), (1, 7, 21), (0, 4, 30), (9, 9, 18)])
def test_score_interval_ends_where_the_score_test_rejects(gained, lost, n):
    """The restricted likelihood is maximised on a grid, without the closed form."""

    def statistic(delta):
        share = np.linspace(max(0, -delta), (1 - delta) / 2, 400_001)[1:-1]  # of lost problems
        same = 1 - delta - 2 * share
        likelihood = (n - gained - lost) * np.log(same)
        if lost:
            likelihood = likelihood + lost * np.log(share)
        if gained:
            likelihood = likelihood + gained * np.log(share + delta)
        best = share[np.argmax(likelihood)]
        variance = (2 * best + delta - delta**2) / n
        return ((gained - lost) / n - delta) / sqrt(variance)

    estimate = score_interval(gained, lost, n)
    assert statistic(estimate.low) == pytest.approx(Z, abs=1e-3)
    assert statistic(estimate.high) == pytest.approx(-Z, abs=1e-3)


@given(COUNTS)
def test_score_interval_turns_with_the_sides(counts):
    gained, lost, _ = counts
    n = sum(counts)
    one, two = score_interval(gained, lost, n), score_interval(lost, gained, n)
    assert (one.low, one.high) == pytest.approx((-two.high, -two.low), abs=1e-9)
    assert -1 <= one.low <= one.value <= one.high <= 1
    assert one.low < one.high
    if gained != lost:
        # It leaves out 0 just when the score test (McNemar's, not exact) rejects.
        rejects = abs(gained - lost) / sqrt(gained + lost) > Z
        assert (one.low > 0 or one.high < 0) == rejects


@pytest.mark.parametrize(("gain", "loss"), [(0.05, 0.05), (0.12, 0.04), (0.06, 0.01)])
def test_score_interval_covers(gain, loss):
    """Exactly: over all outcomes with their chances, N = 60."""
    n, covered = 60, 0.0
    for gained in range(n + 1):
        for lost in range(n + 1 - gained):
            same = 1 - gain - loss
            ways = comb(n, gained) * comb(n - gained, lost)
            chance = ways * gain**gained * loss**lost * same ** (n - gained - lost)
            if chance > 1e-9:
                estimate = score_interval(gained, lost, n)
                covered += chance * (estimate.low <= gain - loss <= estimate.high)
    assert 0.93 < covered < 0.99


def test_odds_ratio_by_hand():
    assert odds_ratio(0, 0) is None
    # Nothing lost of 5: Clopper and Pearson's lower end is 0.025^(1/5), as odds.
    low = 0.025 ** (1 / 5)
    all_gained, all_lost = odds_ratio(5, 0), odds_ratio(0, 5)
    assert (all_gained.value, all_gained.high) == (inf, inf)
    assert all_gained.low == pytest.approx(low / (1 - low))
    assert (all_lost.value, all_lost.low) == (0, 0)
    assert all_lost.high == pytest.approx(1 / all_gained.low)
    assert odds_ratio(30, 10).value == 3
    assert odds_ratio(3000, 1000).low > 2.7


@given(st.integers(0, 50), st.integers(0, 50))
def test_odds_ratio_agrees_with_the_exact_test(gained, lost):
    odds = odds_ratio(gained, lost)
    if odds is None:
        return
    assert odds.low <= odds.value <= odds.high
    if abs(mcnemar(gained, lost) - 0.05) > 1e-9:
        assert (odds.low > 1 or odds.high < 1) == (mcnemar(gained, lost) < 0.05)
    # Its ends have just 2.5 % beyond them, counted from the definition.
    n = gained + lost
    if gained:
        share = odds.low / (1 + odds.low)
        tail = sum(comb(n, k) * share**k * (1 - share) ** (n - k) for k in range(gained, n + 1))
        assert tail == pytest.approx(0.025)


def test_student_known_values():
    # Two-sided 95 % points, as in any table.
    for freedom, t in ((1, 12.7062), (2, 4.3027), (5, 2.5706), (8, 2.3060), (30, 2.0423)):
        assert student_quantile(0.05, freedom) == pytest.approx(t, abs=5e-5)
        assert student_p(t, freedom) == student_p(-t, freedom) == pytest.approx(0.05, abs=1e-5)
    assert student_quantile(0.05, 100_000) == pytest.approx(Z)
    assert student_quantile(0.05, 9_999) == pytest.approx(Z, abs=1e-3)
    assert student_p(0, 3) == 1
    assert student_p(inf, 3) == 0
    assert student_p(1, 1) == pytest.approx(0.5), "Cauchy's"


@pytest.mark.parametrize("freedom", [1, 2, 3, 6, 11])
def test_student_is_the_integral_of_its_density(freedom):
    x = np.linspace(0, 1.7, 200_001)
    density = (1 + x**2 / freedom) ** (-(freedom + 1) / 2)
    wide = np.linspace(0, 1, 2_000_001)[1:]  # x = 1 / u - 1 takes infinity in
    total = ((1 + (1 / wide - 1) ** 2 / freedom) ** (-(freedom + 1) / 2) / wide**2).mean()
    inside = np.trapezoid(density, x) if hasattr(np, "trapezoid") else np.trapz(density, x)
    assert student_p(1.7, freedom) == pytest.approx(1 - inside / total, abs=1e-5)


def test_spread_adds_variances():
    one = Spread.of([(0.04, 7)])
    assert (one.error, one.freedom) == (pytest.approx(0.2), 7)
    # Satterthwaite by hand: 0.05^2 / (0.04^2 / 7 + 0.01^2 / 2) = 8.97.
    assert Spread.of([(0.04, 7), (0.01, 2)]).freedom == 8
    assert Spread.of([(0.0, 7), (0.0, 2)]) == Spread(0.0, 2)
    assert Spread(0.04, 7).around(0.9).high == 1
    assert Spread(0.04, 7).around(0.1).low == pytest.approx(0.1 - 0.2 * student_quantile(0.05, 7))
    assert Spread(0.04, 7).p(0.2) == student_p(1.0, 7)
    assert (Spread(0.0, 7).p(0.0), Spread(0.0, 7).p(0.5)) == (1.0, 0.0)


@settings(max_examples=30)
@given(st.lists(st.tuples(st.floats(1e-6, 1), st.integers(1, 50)), min_size=1, max_size=4))
def test_freedom_lies_between_the_parts_and_their_sum(parts):
    freedom = Spread.of(parts).freedom
    assert min(f for _, f in parts) <= freedom + 1e-9 <= sum(f for _, f in parts) + 1
