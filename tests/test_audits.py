"""The audits, over every level of every family; and audits find what they are meant to find."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from reason_env import Problem, State, make_task, task_names
from reason_env.checks import (
    ConformanceError,
    audit_expert,
    audit_exploits,
    audit_potential,
    audit_problems,
    audit_shaping,
    tolerated,
)
from reason_env.splits import draw
from reason_env.tasks.arithmetic import Arithmetic
from reason_env.tasks.countdown import Countdown

EVERY_LEVEL = [(name, level) for name in task_names() for level in make_task(name).levels]


@pytest.mark.parametrize(("name", "level"), EVERY_LEVEL)
def test_the_expert_solves_200_problems(name: str, level: int) -> None:
    assert len(audit_expert(make_task(name), level, problems=200)) == 200


@pytest.mark.parametrize(("name", "level"), EVERY_LEVEL)
def test_exploits_earn_no_more_than_chance(name: str, level: int) -> None:
    audit_exploits(make_task(name), level, problems=100)


@pytest.mark.parametrize("name", task_names())
def test_potential_agrees_with_exhaustive_search(name: str) -> None:
    task = make_task(name)
    rng = np.random.default_rng(0)
    compared = [
        audit_potential(task, draw(task, rng, level, "train"), most_states=5000)
        for level in task.levels[:3]
        for _ in range(4)
    ]
    assert sum(count > 0 for count in compared) >= 4, "level 1 at least is small enough"


@pytest.mark.parametrize(("name", "level"), EVERY_LEVEL)
def test_shaping_adds_a_constant(name: str, level: int) -> None:
    assert audit_shaping(make_task(name), level, problems=5) >= 5


@pytest.mark.parametrize("name", task_names())
def test_problems_are_many_and_get_harder(name: str) -> None:
    task = make_task(name)
    facts = [audit_problems(task, level, draws=300) for level in task.levels]
    assert len(facts) >= 4
    for level, fact in zip(task.levels, facts):
        assert fact.duplicates < 0.1, f"level {level}"
    lines = [fact.lines for fact in facts]
    assert all(after > 0.9 * before for before, after in pairwise(lines)), lines
    assert lines[-1] > lines[0]


# -- What is wrong is found ----------------------------------------------------------------------


class Lenient(Arithmetic):
    """Takes an answer for right that holds the value anywhere."""

    def is_solved(self, problem: Problem, state: State) -> bool:
        if state.answer is None:
            return False
        words = state.answer.replace(",", " ").split()
        return any(super(Lenient, self).is_solved(problem, replace(state, answer=w)) for w in words)


class Lost(Countdown):
    """Its expert gives up on hard problems."""

    def expert_step(self, problem: Problem, state: State, rng: np.random.Generator) -> str | None:
        steps = self.legal_steps(problem, state)
        return steps[0] if steps else None


class Hopeful(Countdown):
    """Sees no dead end."""

    def potential(self, problem: Problem, state: State) -> float:
        return max(0.1, super().potential(problem, state))


class Monotonous(Countdown):
    def generate(self, rng: np.random.Generator, level: int) -> Problem:
        return super().generate(np.random.default_rng(int(rng.integers(1000))), level)


def test_dumped_answers_are_found() -> None:
    with pytest.raises(ConformanceError, match=r"exploit 'enumerating' solves \d+ of 50"):
        audit_exploits(Lenient(), 1, problems=50)


def test_a_lost_expert_is_found() -> None:
    with pytest.raises(ConformanceError, match="Countdown level 3: the expert does not solve"):
        audit_expert(Lost(), 3, problems=20)


def test_a_missed_dead_end_is_found() -> None:
    task = Hopeful()
    problem = draw(task, np.random.default_rng(0), 1, "train")
    with pytest.raises(ConformanceError, match=r"is 0\.1, exhaustive search finds 0\.0"):
        audit_potential(task, problem)


def test_large_instances_are_left_alone() -> None:
    task = Countdown()
    assert audit_potential(task, draw(task, np.random.default_rng(0), 1, "train"), 5) == 0


def test_duplicates_are_counted() -> None:
    assert audit_problems(Monotonous(), 1, draws=2000).duplicates > 0.5


def test_tolerated_is_the_binomial_quantile() -> None:
    assert tolerated(100, 1.0) == 100
    assert tolerated(200, 0.0) == tolerated(200, 0.005) == 6
    # 1 - P(at most 2 of 3) = 1/8 at chance 1/2.
    assert (tolerated(3, 0.5, doubt=0.2), tolerated(3, 0.5, doubt=0.1)) == (2, 3)


class Forgiving(Countdown):
    """Keeps no account of the way: what an episode is paid depends on it."""

    def potential(self, problem: Problem, state: State) -> float:
        self.calls = getattr(self, "calls", 0) + 1
        return super().potential(problem, state) * (0.5 if self.calls % 3 else 1.0)


def test_shaping_that_depends_on_the_way_is_found() -> None:
    with pytest.raises(ConformanceError, match="shaping adds"):
        audit_shaping(Forgiving(), 1)
