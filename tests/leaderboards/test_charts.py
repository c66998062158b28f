"""The picture of accuracy at budget: everything inside the frame, in order, without collisions."""

from __future__ import annotations

import itertools
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.metrics import wilson
from leaderboards.charts import BOTTOM, LEFT, MOST_TICKS, RIGHT, TOP, Point, chart, short


def point(tokens, solved=4, budget=None, rank=1, name="tiny, mcts"):
    return Point(rank, name, tokens, wilson(solved, 8), budget)


POINTS = st.builds(
    point,
    tokens=st.floats(0, 1e12),
    solved=st.integers(0, 8),
    budget=st.none() | st.integers(1, 2**63 - 1),
    name=st.text(max_size=60),
)


@given(st.lists(POINTS, min_size=1, max_size=12))
def test_everything_is_inside(points):
    drawn = chart(points)
    for mark in drawn.marks:
        across = [mark.x] if mark.budget is None else [mark.x, mark.budget]
        assert all(LEFT <= x <= RIGHT for x in across)
        assert TOP <= mark.high <= mark.y <= mark.low <= BOTTOM
        assert math.isfinite(mark.label.x + mark.label.y)
    assert 1 <= len(drawn.x_ticks) <= MOST_TICKS
    ticks = [tick.at for tick in drawn.x_ticks]
    assert ticks == sorted(set(ticks))
    assert LEFT <= ticks[0] <= ticks[-1] <= RIGHT
    assert len({tick.text for tick in drawn.x_ticks}) == len(ticks)


@given(st.lists(POINTS, min_size=2, max_size=6))
def test_more_tokens_are_further_right_and_more_accuracy_is_higher_up(points):
    marks = chart(points).marks
    for one, other in itertools.permutations(marks, 2):
        if one.point.tokens <= other.point.tokens:
            assert one.x <= other.x
        if one.point.accuracy.value <= other.point.accuracy.value:
            assert one.y >= other.y
        assert one.budget is None or one.point.budget < one.point.tokens or one.budget >= one.x


def test_scale_is_logarithmic():
    a, b, c = (mark.x for mark in chart([point(10), point(100), point(1000)]).marks)
    assert b - a == pytest.approx(c - b)


def test_names_that_would_collide_are_left_out():
    alone = chart([point(10)])
    assert alone.marks[0].label.name == "tiny, mcts"
    crowd = chart([point(10 + n / 100, rank=n + 1, name="a" * 30) for n in range(40)])
    assert 1 <= sum(mark.label.name != "" for mark in crowd.marks) < 40


def test_long_names_are_cut():
    (mark,) = chart([point(10, name="a" * 200)]).marks
    assert len(mark.label.name) == 30


def test_budgets_that_are_close_share_a_number():
    drawn = chart([point(1, budget=b) for b in (1000, 1001, 100_000)])
    assert [tick.text for tick in drawn.budgets] == ["1,000", "", "100,000"]


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (0, "0"),
        (1.5, "1.5"),
        (2.0, "2"),
        (640, "640"),
        (20480, "20,480"),
        (1_500_000, "1.5M"),
        (2e9, "2B"),
        (1e12, "1T"),
    ],
)
def test_short(number, text):
    assert short(number) == text
