"""Countdown: verdicts, and the potential against a brute force of its own."""

from collections.abc import Iterator
from fractions import Fraction
from itertools import permutations

import numpy as np
import pytest

from reason_env.problem import Kind, Problem, State
from reason_env.task import potential_at
from reason_env.tasks.countdown import Countdown

TASK = Countdown()
PROBLEM = Problem("Countdown", 1, ((20, 7, 3), 39))


def problem_of(numbers: list[int], target: int) -> Problem:
    return Problem("Countdown", 1, (tuple(sorted(numbers, reverse=True)), target))


def brute_force(numbers: tuple[Fraction, ...]) -> Iterator[Fraction]:
    """Every value of the numbers combined, by trying each ordered pair."""
    if len(numbers) == 1:
        yield numbers[0]
        return
    for i, j in permutations(range(len(numbers)), 2):
        rest = tuple(n for k, n in enumerate(numbers) if k not in (i, j))
        a, b = numbers[i], numbers[j]
        results = {a + b, a - b, a * b} | ({a / b} if b else set())
        for result in results:
            yield from brute_force((*rest, result))


def state_of(*numbers: str) -> State:
    return State(tuple(sorted(numbers, key=Fraction, reverse=True)))


@pytest.mark.parametrize(
    ("line", "kind", "valid", "left"),
    [
        ("20 - 7 = 13", Kind.CLAIM, True, ("13", "3")),
        ("20-7=13", Kind.CLAIM, True, ("13", "3")),
        ("  20  -  7  =  13  ", Kind.CLAIM, True, ("13", "3")),
        ("7 - 20 = -13", Kind.CLAIM, True, ("3", "-13")),
        ("7 / 3 = 7/3", Kind.CLAIM, True, ("20", "7/3")),
        ("3 / 7 = 3/7", Kind.CLAIM, True, ("20", "3/7")),
        ("20 - 7 = 14", Kind.CLAIM, False, None),
        ("20 - 7 = 013", Kind.CLAIM, False, None),
        ("20 / 3 = 40/6", Kind.CLAIM, False, None),
        ("20 - 7 = 1", Kind.CLAIM, False, None),
        ("20 - 20 = 0", Kind.CLAIM, False, None),
        ("20 - 8 = 12", Kind.CLAIM, False, None),
        ("020 - 7 = 13", Kind.CLAIM, False, None),
        ("20 * 7 * 3 = 420", Kind.THOUGHT, True, None),
        ("20 - 7", Kind.THOUGHT, True, None),
        ("20 - 7 = 13.", Kind.THOUGHT, True, None),
        ("20 ^ 7 = 13", Kind.THOUGHT, True, None),
        ("try 20 - 7 = 13", Kind.THOUGHT, True, None),
        ("answer: 39", Kind.ANSWER, False, None),
    ],
)
def test_verdicts(line: str, kind: Kind, valid: bool, left: tuple[str, ...] | None) -> None:
    state = TASK.initial(PROBLEM)
    verdict = TASK.step(PROBLEM, state, line)
    assert (verdict.kind, verdict.valid) == (kind, valid)
    assert verdict.state == (State(left) if left else state)
    assert bool(verdict.reason) == (not valid)


@pytest.mark.parametrize(
    ("state", "line", "valid"),
    [
        (state_of("7/2", "-3", "0"), "7/2 - -3 = 13/2", True),
        (state_of("7/2", "-3", "0"), "-3 * 7/2 = -21/2", True),
        (state_of("7/2", "-3", "0"), "7/2 / 0 = 0", False),
        (state_of("7/2", "-3", "0"), "0 / -3 = 0", True),
        (state_of("3", "3"), "3 - 3 = 0", True),
        (state_of("3", "3"), "3 / 3 = 3/3", False),
        (state_of("3", "3"), "3 - 3 = -0", False),
        (state_of("3", "3"), "6/2 * 3 = 9", False),
    ],
)
def test_fractions_negatives_and_zero(state: State, line: str, valid: bool) -> None:
    verdict = TASK.step(PROBLEM, state, line)
    assert (verdict.kind, verdict.valid) == (Kind.CLAIM, valid)


def test_reason_does_not_state_the_result() -> None:
    verdict = TASK.step(PROBLEM, TASK.initial(PROBLEM), "20 * 7 = 141")
    assert "140" not in verdict.reason


@pytest.mark.parametrize(
    ("numbers", "target"),
    [
        ([8, 8, 3, 3], 24),  # 8 / (3 - 8/3): only through a fraction
        ([5, 5, 5, 1], 24),  # 5 * (5 - 1/5)
        ([7, 7, 3, 3], 24),
        ([1, 1, 1], -1),  # 1 - 1 - 1: only through a negative number
        ([2, 5], -3),
        ([4, 4], 0),
        ([6, 4, 1, 3], 24),
        ([20, 7, 3], 39),
        ([12], 12),
    ],
)
def test_expert_solves(numbers: list[int], target: int) -> None:
    problem = problem_of(numbers, target)
    state, rng = TASK.initial(problem), np.random.default_rng(0)
    for left in range(len(numbers) - 1, 0, -1):
        assert TASK.potential(problem, state) == potential_at(left)
        line = TASK.expert_step(problem, state, rng)
        assert line in TASK.legal_steps(problem, state)
        state = TASK.step(problem, state, line).state
    assert TASK.is_solved(problem, state)
    assert TASK.potential(problem, state) == 1.0


@pytest.mark.parametrize(("numbers", "target"), [([1, 1, 1, 1], 24), ([2, 2], 5), ([0, 3], 4)])
def test_out_of_reach(numbers: list[int], target: int) -> None:
    problem = problem_of(numbers, target)
    state = TASK.initial(problem)
    assert TASK.potential(problem, state) == 0.0
    assert TASK.expert_step(problem, state, np.random.default_rng(0)) is None


def random_numbers(rng: np.random.Generator, count: int, kind: str) -> tuple[Fraction, ...]:
    if kind == "whole":
        return tuple(Fraction(int(n)) for n in rng.integers(1, 13, size=count))
    low = 0 if kind == "zero" else -6
    numbers = [Fraction(int(n)) for n in rng.integers(low, 7, size=count)]
    if kind == "fraction":
        numbers = [n / int(rng.integers(1, 4)) for n in numbers]
    return tuple(numbers)


@pytest.mark.parametrize("kind", ["whole", "zero", "negative", "fraction"])
@pytest.mark.parametrize(("count", "trials"), [(2, 30), (3, 20), (4, 3)])
def test_potential_equals_brute_force(kind: str, count: int, trials: int) -> None:
    rng = np.random.default_rng(count)
    for _ in range(trials):
        numbers = random_numbers(rng, count, kind)
        values = set(brute_force(numbers))
        state = state_of(*map(str, numbers))
        whole = [int(v) for v in values if v.denominator == 1]
        targets = {int(t) for t in rng.integers(-20, 60, size=25)}
        targets |= {int(t) for t in rng.choice(whole, size=min(25, len(whole)))} if whole else set()
        for target in targets:
            problem = Problem("Countdown", 1, ((1, 1), target))
            reach = potential_at(count - 1 if target in values else None)
            assert TASK.potential(problem, state) == reach, (numbers, target)
            # The legal steps, which leave much out, suffice.
            following = [
                TASK.potential(problem, TASK.step(problem, state, step).state)
                for step in TASK.legal_steps(problem, state)
            ]
            assert max(following) == pytest.approx(reach / 0.9), (numbers, target)


def test_short_claims() -> None:
    state = TASK.initial(PROBLEM)
    for step in TASK.legal_steps(PROBLEM, state):
        assert "=" not in TASK.abbreviate(step)
        assert TASK.complete(PROBLEM, state, TASK.abbreviate(step)) == step
    assert TASK.complete(PROBLEM, state, "7 / 0") == "7 / 0 = 0"
    for line in ("hello", "20 - 7 = 13", "20", "answer: 3"):
        assert TASK.complete(PROBLEM, state, line) == line


def test_canonical_ignores_order() -> None:
    assert len({TASK.canonical(problem_of([*p], 39)) for p in permutations([20, 7, 3])}) == 1
    unsorted = Problem("Countdown", 1, ((3, 20, 7), 39))
    assert TASK.canonical(unsorted) == TASK.canonical(PROBLEM)
    assert TASK.canonical(problem_of([20, 7, 3], 38)) != TASK.canonical(PROBLEM)
