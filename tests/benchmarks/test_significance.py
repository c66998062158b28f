"""p-values against enumeration, and their correction against its definition."""

from itertools import product
from math import comb

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.significance import holm, mcnemar, sign_flip

WHOLE = st.lists(st.integers(-6, 6), max_size=9)


def test_mcnemar_is_the_exact_binomial_test():
    assert mcnemar(0, 0) == 1.0
    assert mcnemar(5, 5) == 1.0
    assert mcnemar(0, 6) == mcnemar(6, 0) == pytest.approx(2 / 64)
    assert mcnemar(1, 9) == pytest.approx(2 * (1 + 10) / 1024)
    for gained, lost in ((3, 8), (20, 33)):
        n = gained + lost
        even = [comb(n, k) / 2**n for k in range(n + 1)]
        p = sum(q for q in even if q <= even[gained] * (1 + 1e-9))
        assert mcnemar(gained, lost) == pytest.approx(p)
    assert mcnemar(3000, 1000) < 1e-200


@given(WHOLE)
def test_sign_flip_counts_all_signs(values):
    sums = [
        abs(sum(s * v for s, v in zip(signs, values)))
        for signs in product((1, -1), repeat=len(values))
    ]
    p = sum(total >= abs(sum(values)) for total in sums) / len(sums)
    assert sign_flip(values) == pytest.approx(p)
    assert sign_flip([-7 * v for v in reversed(values)]) == pytest.approx(p)


@given(st.integers(0, 60), st.integers(0, 60), st.integers(1, 9))
def test_sign_flip_of_single_runs_is_mcnemar(gained, lost, unit):
    values = [unit] * gained + [-unit] * lost + [0] * 5
    assert sign_flip(values) == pytest.approx(mcnemar(gained, lost))


def test_sign_flip_of_many_values():
    values = np.random.default_rng(0).integers(-6, 8, 3000)
    normal = abs(values.sum()) / np.sqrt((values**2).sum())
    assert 6 < normal < 9
    assert 1e-18 < sign_flip(values) < 1e-8
    assert sign_flip([1] * 3000) == 0.0 < sign_flip([1] * 1000) < 1e-300, "as small as a float is"


def test_signs_are_drawn_where_they_cannot_be_counted():
    values = np.random.default_rng(1).integers(-6, 7, 400)
    exact, drawn = sign_flip(values), sign_flip(values, counted=0)
    assert drawn == sign_flip(values, counted=0)
    assert drawn == pytest.approx(exact, abs=4 * np.sqrt(exact * (1 - exact) / 10_000))
    assert sign_flip([1] * 40, counted=0) == pytest.approx(1 / 10_001), "the observed one counts"


def test_holm_by_hand():
    assert holm([0.01, 0.04, 0.03, 0.5]) == pytest.approx([0.04, 0.09, 0.09, 0.5])
    assert holm([0.6, 0.9]) == [1.0, 1.0]
    assert holm([0.03]) == [0.03]
    assert holm([]) == []


@given(st.lists(st.floats(0, 1), min_size=1, max_size=12), st.floats(0.001, 0.999))
def test_holm_rejects_what_stepping_down_rejects(p_values, level):
    corrected = holm(p_values)
    order = sorted(range(len(p_values)), key=lambda i: p_values[i])
    assert [corrected[i] for i in order] == sorted(corrected)
    assert all(p <= q <= 1 for p, q in zip(p_values, corrected))
    rejected = set()
    for rank, i in enumerate(order):
        if (len(order) - rank) * p_values[i] > level:
            break
        rejected.add(i)
    assert {i for i, q in enumerate(corrected) if q <= level} == rejected
