"""Intervals and tests against known values, closed forms and each other."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_runs import episode

from benchmarks.metrics import bootstrap, families, summarise, wilson


def test_bootstrap_agrees_with_the_normal_interval_and_repeats():
    values = np.arange(1000) % 10 < 3
    estimate = bootstrap(values)
    half = 1.96 * np.sqrt(0.3 * 0.7 / 1000)
    assert estimate.value == pytest.approx(0.3)
    assert estimate.low == pytest.approx(0.3 - half, abs=0.003)
    assert estimate.high == pytest.approx(0.3 + half, abs=0.003)
    assert estimate == bootstrap(values)
    assert estimate != bootstrap(values, seed=1)
    with pytest.raises(ValueError, match="0 episodes"):
        bootstrap([])


def test_wilson_known_values():
    # Newcombe (1998), table I: 81 of 263, 15 of 148, 0 of 20, 1 of 29.
    for solved, n, low, high in (
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ):
        estimate = wilson(solved, n)
        assert (estimate.low, estimate.high) == pytest.approx((low, high), abs=5e-5)
    with pytest.raises(ValueError, match="0 episodes"):
        wilson(0, 0)


@settings(deadline=None)
@given(st.integers(1, 300), st.data())
def test_wilson_and_bootstrap_overlap(n, data):
    solved = data.draw(st.integers(0, n))
    w, b = wilson(solved, n), bootstrap([1] * solved + [0] * (n - solved), resamples=200)
    assert 0 <= w.low <= w.value <= w.high <= 1
    assert b.low <= w.high
    assert w.low <= b.high


def test_summary_counts_everything():
    episodes = [
        episode(1, True),
        episode(2, False, "error", 0),
        episode(3, False, "unfinished", 50),
        episode(4, False),
    ]
    summary = summarise(episodes)
    assert (summary.episodes, summary.solved, summary.unfinished, summary.errors) == (4, 1, 1, 1)
    assert summary.accuracy.value == summary.wilson.value == 0.25
    assert summary.tokens == 17.5


def test_families_keep_the_order_of_the_suite():
    episodes = [episode(1, True, level=2), episode(2, True), episode(3, False, level=2)]
    episodes.append(episode(4, True, env="my_pkg:lab/Deep-Maze-v3"))
    groups = families(episodes)
    assert {name: len(group) for name, group in groups.items()} == {
        "Countdown, level 2": 2,
        "Countdown, level 1": 1,
        "Deep-Maze, level 1": 1,
    }
