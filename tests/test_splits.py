"""Splits follow from content; streams are independent. (100,000 draws: tests/test_registry.py)"""

from dataclasses import replace

import numpy as np
import pytest

from reason_env import make_task
from reason_env.problem import Problem, State
from reason_env.splits import SPLITS, bucket, draw, split_of, stream_seed
from reason_env.tasks.countdown import Countdown


def test_buckets_are_a_partition() -> None:
    assert sorted(b for buckets in SPLITS.values() for b in buckets) == list(range(1000))


@pytest.mark.parametrize("split", SPLITS)
def test_draw_gives_the_split(split: str) -> None:
    task, rng = make_task("Countdown"), np.random.default_rng(0)
    drawn = [draw(task, rng, 1, split) for _ in range(50)]
    assert {split_of(task, problem) for problem in drawn} == {split}
    assert len(set(drawn)) > 40


def test_golden_buckets() -> None:
    """A change here moves problems between splits: it must raise the families' versions."""
    problems = {
        "Countdown": ((20, 7, 3), 39),
        "Arithmetic": "(9 + 3) * 4",
        "LinearEquation": "2*x + 3 = 11",
    }
    found = {
        name: bucket(make_task(name), Problem(name, 1, data)) for name, data in problems.items()
    }
    assert found == {"Countdown": 629, "Arithmetic": 246, "LinearEquation": 11}


def test_level_and_order_do_not_matter() -> None:
    task = make_task("Countdown")
    problem = task.generate(np.random.default_rng(0), 1)
    assert bucket(task, problem) == bucket(task, replace(problem, level=5))


class OneProblem(Countdown):
    """A family with a single problem, so that two of the splits are empty."""

    def generate(self, rng: np.random.Generator, level: int) -> Problem:
        return Problem(self.name, level, ((20, 7, 3), 39))

    def initial(self, problem: Problem) -> State:
        return State(("20", "7", "3"))


def test_an_empty_split_is_an_error() -> None:
    task, rng = OneProblem(), np.random.default_rng(0)
    full = split_of(task, task.generate(rng, 1))
    empty = next(split for split in SPLITS if split != full)
    with pytest.raises(RuntimeError, match=f"no {empty} problem.*too few distinct"):
        draw(task, rng, 1, empty)


KEYS = [(1,), (1, 0), (0, 1), (1, 0, 0), (1, "a"), ("a", 1), ("1", 0), (2**32,), (10,), ()]


def test_streams() -> None:
    seeds = [stream_seed(*key) for key in KEYS]
    assert len(set(seeds)) == len(seeds)
    assert all(0 <= seed < 2**63 for seed in seeds)
    assert stream_seed(7, "train") == stream_seed(7, "train")
    # Seed 1 item 1 is not seed 2 item 0.
    assert stream_seed(1, 1) != stream_seed(2, 0)
