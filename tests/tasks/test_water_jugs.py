"""WaterJugs: verdicts, dead ends, and the potential against a search of its own."""

from collections.abc import Iterator
from itertools import permutations

import numpy as np
import pytest

from reason_env.checks import check_task
from reason_env.problem import Json, Kind, Problem, State
from reason_env.task import potential_at
from reason_env.tasks.water_jugs import WaterJugs

TASK = WaterJugs()
TAP = Problem("WaterJugs", 1, (True, (8, 10), (7, 2), 4))
FULL = Problem("WaterJugs", 1, (True, (8, 10), (8, 2), 4))
NO_TAP = Problem("WaterJugs", 2, (False, (8, 5, 3), (8, 0, 0), (4, 4, 0)))


def test_the_episode_of_the_docstring() -> None:
    assert TASK.prompt(TAP, "compact") == "tap: 7/8 2/10 -> 4"
    state = TASK.initial(TAP)
    for line in ("empty A = 0 2", "pour B A = 2 0", "fill B = 2 10", "pour B A = 8 4"):
        assert not TASK.is_solved(TAP, state)
        verdict = TASK.step(TAP, state, line)
        assert (verdict.kind, verdict.valid) == (Kind.CLAIM, True)
        state = verdict.state
    assert TASK.is_solved(TAP, state)
    assert TASK.show(TAP, state) == "tap: 8/8 4/10 -> 4"


@pytest.mark.parametrize(
    ("problem", "line", "kind", "after"),
    [
        (TAP, "fill A = 8 2", Kind.CLAIM, (8, 2)),
        (TAP, "fill B = 7 10", Kind.CLAIM, (7, 10)),
        (TAP, "empty B = 7 0", Kind.CLAIM, (7, 0)),
        (TAP, "pour A B = 0 9", Kind.CLAIM, (0, 9)),
        (TAP, "pour B A = 8 1", Kind.CLAIM, (8, 1)),
        (TAP, "  pour  B  A=8  1 ", Kind.CLAIM, (8, 1)),
        (NO_TAP, "pour A B = 3 5 0", Kind.CLAIM, (3, 5, 0)),
        (TAP, "fill A = 8 3", Kind.CLAIM, "do not hold 8 3"),
        (TAP, "fill A = 08 2", Kind.CLAIM, "do not hold"),
        (TAP, "fill A = 8", Kind.CLAIM, "do not hold"),
        (TAP, "fill A = 8 2 0", Kind.CLAIM, "do not hold"),
        (TAP, "fill A = 2 8", Kind.CLAIM, "do not hold"),
        (TAP, "fill A = 7 2", Kind.CLAIM, "do not hold"),
        (TAP, "fill C = 7 2", Kind.CLAIM, "no jug C"),
        (TAP, "pour A C = 0 2", Kind.CLAIM, "no jug C"),
        (TAP, "pour A A = 7 2", Kind.CLAIM, "moves no water"),
        (NO_TAP, "pour B A = 8 0 0", Kind.CLAIM, "moves no water"),
        (FULL, "pour B A = 8 2", Kind.CLAIM, "moves no water"),
        (FULL, "fill A = 8 2", Kind.CLAIM, "moves no water"),
        (NO_TAP, "empty B = 8 0 0", Kind.CLAIM, "no tap"),
        (NO_TAP, "fill B = 8 5 0", Kind.CLAIM, "no tap"),
        (NO_TAP, "empty A = 0 0 0", Kind.CLAIM, "no tap"),
        (TAP, "fill A", Kind.THOUGHT, None),
        (TAP, "fill A = ", Kind.THOUGHT, None),
        (TAP, "fill A = 8 2.", Kind.THOUGHT, None),
        (TAP, "fill A = 8 2 = 8 2", Kind.THOUGHT, None),
        (TAP, "fill a = 8 2", Kind.THOUGHT, None),
        (TAP, "fill A B = 8 2", Kind.THOUGHT, None),
        (TAP, "pour A = 0 9", Kind.THOUGHT, None),
        (TAP, "spill A = 0 2", Kind.THOUGHT, None),
        (TAP, "spill = 0 2", Kind.THOUGHT, None),
        (TAP, "= 0 2", Kind.THOUGHT, None),
        (TAP, "7/8 2/10 -> 4", Kind.THOUGHT, None),
        (TAP, "fill A = \u0668 \u0662", Kind.THOUGHT, None),
        (TAP, "answer: 4", Kind.ANSWER, "no answer"),
    ],
)
def test_verdicts(
    problem: Problem, line: str, kind: Kind, after: tuple[int, ...] | str | None
) -> None:
    state = TASK.initial(problem)
    verdict = TASK.step(problem, state, line)
    assert (verdict.kind, verdict.valid) == (kind, not isinstance(after, str))
    assert verdict.state == (State(after) if isinstance(after, tuple) else state)
    assert (after if isinstance(after, str) else "") in verdict.reason
    assert bool(verdict.reason) == (not verdict.valid)


def test_reasons_do_not_state_the_result() -> None:
    assert "8 1" not in TASK.step(TAP, TASK.initial(TAP), "pour B A = 8 2").reason


def test_claims_are_never_completed() -> None:
    """With what the jugs hold left out, a few moves by rote would solve many problems."""
    for line in TASK.legal_steps(TAP, TASK.initial(TAP)):
        assert TASK.abbreviate(line) == line
    assert TASK.complete(TAP, TASK.initial(TAP), "pour B A") == "pour B A"


def after_each_move(problem: Problem, contents: tuple[int, ...]) -> Iterator[tuple[int, ...]]:
    tap, capacities, *_ = problem.data
    jugs = range(len(contents))
    for i in jugs:
        if tap:
            for amount in (0, capacities[i]):
                yield tuple(amount if k == i else contents[k] for k in jugs)
        for j in jugs:
            if i != j:
                poured = min(contents[i], capacities[j] - contents[j])
                yield tuple(contents[k] + poured * ((k == j) - (k == i)) for k in jugs)


def brute_force(problem: Problem, contents: tuple[int, ...]) -> int | None:
    """Breadth first to the nearest goal."""
    goal = problem.data[3]
    seen, layer, distance = {contents}, [contents], 0
    while layer:
        if any(c == goal or goal in c for c in layer):
            return distance
        following = {n for c in layer for n in after_each_move(problem, c)} - seen
        seen |= following
        layer, distance = list(following), distance + 1
    return None


@pytest.mark.parametrize("tap", [True, False])
@pytest.mark.parametrize("whole", [True, False])
def test_potential_equals_brute_force(tap: bool, whole: bool) -> None:
    rng, dead = np.random.default_rng([tap, whole]), 0
    for _ in range(100):
        capacities = tuple(int(c) for c in rng.integers(1, 8, size=rng.integers(2, 4)))
        start, goal, now = (tuple(int(rng.integers(c + 1)) for c in capacities) for _ in range(3))
        problem = Problem("WaterJugs", 1, (tap, capacities, start, goal if whole else goal[0]))
        for contents in (start, now):
            wanted = brute_force(problem, contents)
            assert TASK.potential(problem, State(contents)) == potential_at(wanted)
            dead += wanted is None
            if wanted is None:
                rng_ = np.random.default_rng(0)
                assert TASK.expert_step(problem, State(contents), rng_) is None
    assert dead > 5


def test_water_can_be_lost_for_good() -> None:
    """With even capacities only the litre at the start is odd."""
    problem = Problem("WaterJugs", 1, (True, (4, 6), (1, 0), 3))
    state = TASK.initial(problem)
    assert TASK.potential(problem, state) == potential_at(2)
    assert TASK.potential(problem, TASK.step(problem, state, "fill A = 4 0").state) == 0.0


def shuffled(problem: Problem) -> Iterator[Problem]:
    tap, capacities, start, goal = problem.data
    for order in permutations(range(len(capacities))):
        rows = [tuple(row[i] for i in order) for row in (capacities, start)]
        whole = goal if isinstance(goal, int) else tuple(goal[i] for i in order)
        yield Problem(problem.task, problem.level, (tap, *rows, whole))


def test_conforms() -> None:
    check_task(TASK, seeds=range(3), variants=shuffled)


@pytest.mark.parametrize(
    ("other", "why"),
    [
        ((True, (10, 8), (7, 2), 4), "other jug"),
        ((True, (8, 10), (7, 2), 5), "other goal"),
        ((False, (8, 10), (7, 2), 4), "no tap"),
        ((True, (8, 10), (7, 2), (4, 4)), "whole goal"),
    ],
)
def test_canonical_keeps_what_matters(other: Json, why: str) -> None:
    assert TASK.canonical(Problem("WaterJugs", 1, other)) != TASK.canonical(TAP), why


@pytest.mark.parametrize(
    ("data", "complaint"),
    [
        (None, "Expected .tap"),
        ((1, (8, 10), (7, 2), 4), "for the tap"),
        ((True, (8, 10), (7, 2)), "Expected .tap"),
        ((True, (8, 10.0), (7, 2), 4), "whole numbers"),
        ((True, (8, 10), (True, 2), 4), "whole numbers"),
        ((True, (8, 10), "72", 4), "whole numbers"),
        ((True, (8, 10), (7, 2), "4"), "whole numbers"),
        ((True, (8,), (7,), 4), "2 or 3 jugs"),
        ((True, (8, 9, 9, 9), (7, 0, 0, 0), 4), "2 or 3 jugs"),
        ((True, (8, 0), (7, 0), 4), "capacities"),
        ((True, (8, 10**9), (7, 2), 4), "capacities"),
        ((True, (8, 10), (9, 2), 4), "within"),
        ((True, (8, 10), (7, 2, 0), 4), "within"),
        ((True, (8, 10), (7, -2), 4), "within"),
        ((True, (8, 10), (7, 2), (4, 11)), "within"),
        ((True, (8, 10), (7, 2), 7), "before the first move"),
        ((True, (8, 10), (7, 2), 11), "out of reach"),
        ((True, (4, 6), (2, 0), 3), "out of reach"),
    ],
)
def test_bad_problems(data: Json, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        TASK.initial(Problem("WaterJugs", 1, data))


def test_cached_statements_are_checked_all_the_same() -> None:
    """True == 1, so a cache takes one for the other."""
    TASK.initial(Problem("WaterJugs", 1, (True, (8, 10), (1, 2), 4)))
    with pytest.raises(ValueError, match="whole numbers"):
        TASK.initial(Problem("WaterJugs", 1, (True, (8, 10), (True, 2), 4)))


@pytest.mark.parametrize("level", TASK.levels)
def test_expert_and_duplicates(level: int) -> None:
    rng = np.random.default_rng(level)
    problems = [TASK.generate(rng, level) for _ in range(200)]
    assert len({TASK.canonical(problem) for problem in problems}) > 190
    budget = TASK.budget(level)
    for problem in problems[:50]:
        state, written = TASK.initial(problem), 0
        while not TASK.is_solved(problem, state):
            line = TASK.expert_step(problem, state, rng)
            state = TASK.step(problem, state, str(line)).state
            written += 1
        assert 2 * written <= budget.steps
