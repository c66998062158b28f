"""Sat: verdicts, dead ends, and the potential against trying every assignment."""

from collections.abc import Iterator
from itertools import product

import numpy as np
import pytest

from reason_env.checks import check_task
from reason_env.problem import Kind, Problem, State
from reason_env.splits import split_of
from reason_env.task import potential_at
from reason_env.tasks import sat
from reason_env.tasks.sat import Sat

TASK = Sat()


def problem_of(formula: str) -> Problem:
    return Problem("Sat", 1, tuple(formula.split()))


PROBLEM = problem_of("eF CeF aBe Acf dF bC B CF ab")
# Only a decides whether there is a solution, and no clause is false before the last variable.
FORK = problem_of("abc abC aBc aBC")


def after(problem: Problem, *written: str) -> State:
    state = TASK.initial(problem)
    for line in written:
        verdict = TASK.step(problem, state, line)
        assert verdict.valid, verdict.reason
        state = verdict.state
    return state


def test_the_episode_of_the_docstring() -> None:
    assert sat.__doc__ is not None
    prompt, *written = [s.strip() for s in sat.__doc__.splitlines() if s.startswith("    ")]
    problem = problem_of(prompt)
    assert TASK.prompt(problem, "compact") == prompt
    state = TASK.initial(problem)
    for left, line in zip(range(len(written), 0, -1), written):
        assert TASK.potential(problem, state) == potential_at(left)
        assert line in TASK.legal_steps(problem, state)
        state = TASK.step(problem, state, line).state
    assert TASK.is_solved(problem, state)
    assert TASK.potential(problem, state) == 1.0


@pytest.mark.parametrize(
    ("line", "kind", "data"),
    [
        ("a", Kind.CLAIM, "aB"),
        ("  a  ", Kind.CLAIM, "aB"),
        ("A", Kind.CLAIM, None),  # ab would be false
        ("a by ab", Kind.CLAIM, "aB"),
        ("a  by  ba", Kind.CLAIM, "aB"),
        ("C by bC", Kind.CLAIM, "BC"),
        ("d", Kind.CLAIM, "Bd"),
        ("D", Kind.CLAIM, "BD"),
        ("d by dF", Kind.CLAIM, None),  # F is not false
        ("a by aBe", Kind.CLAIM, None),  # B is true
        ("a by bC", Kind.CLAIM, None),
        ("a by abd", Kind.CLAIM, None),
        ("d by bd", Kind.CLAIM, None),  # b is false, but there is no such clause
        ("a by b", Kind.CLAIM, None),
        ("a by " + "b" * 9_000, Kind.CLAIM, None),
        ("B", Kind.CLAIM, None),
        ("B by B", Kind.CLAIM, None),
        ("b", Kind.CLAIM, None),
        ("g", Kind.CLAIM, None),
        ("ab", Kind.THOUGHT, None),
        ("a d", Kind.THOUGHT, None),
        ("a = 1", Kind.THOUGHT, None),
        ("~a", Kind.THOUGHT, None),
        ("a by", Kind.THOUGHT, None),
        ("a by a b", Kind.THOUGHT, None),
        ("a, since ab", Kind.THOUGHT, None),
        ("eF CeF aBe Acf dF bC B CF ab", Kind.THOUGHT, None),
        ("answer: aBCdef", Kind.ANSWER, None),
    ],
)
def test_verdicts(line: str, kind: Kind, data: str | None) -> None:
    state = after(PROBLEM, "B")
    verdict = TASK.step(PROBLEM, state, line)
    assert verdict.kind is kind
    assert verdict.valid == (data is not None or kind is Kind.THOUGHT)
    assert verdict.state == (State(data) if data else state)
    assert bool(verdict.reason) == (not verdict.valid)


def test_a_wrong_decision_is_valid_and_a_dead_end() -> None:
    dead = after(FORK, "A")
    assert TASK.potential(FORK, dead) == 0.0
    assert TASK.expert_step(FORK, dead, np.random.default_rng(0)) is None
    assert TASK.legal_steps(FORK, dead) == ("b", "B", "c", "C")
    # Both c and C are forced, and either makes a clause false.
    assert TASK.legal_steps(FORK, after(FORK, "A", "b")) == ()
    assert TASK.potential(FORK, after(FORK, "a")) == potential_at(2)


def test_propagation_goes_before_decisions() -> None:
    problem = problem_of("Ab Bc ade")
    assert TASK.legal_steps(problem, after(problem, "a")) == ("b by Ab",)
    assert len(TASK.legal_steps(problem, after(problem, "a", "b", "c"))) == 4


def solutions(problem: Problem) -> list[str]:
    """By trying every assignment."""
    clauses = [str(clause) for clause in problem.data]  # type: ignore[union-attr]
    variables = sorted(set("".join(clauses).lower()))
    every = product(*((v, v.upper()) for v in variables))
    return ["".join(e) for e in every if all(set(clause) & set(e) for clause in clauses)]


@pytest.mark.parametrize("level", [1, 2])
def test_potential_equals_trying_everything(level: int) -> None:
    """In states along any rule-abiding play, whether the legal steps list it or not."""
    rng = np.random.default_rng(level)
    dead = 0
    for _ in range(20):
        problem = TASK.generate(rng, level)
        found = solutions(problem)
        assert found
        state = TASK.initial(problem)
        while True:
            assigned = str(state.data)
            reach = any(set(assigned) <= set(solution) for solution in found)
            distance = len(found[0]) - len(assigned) if reach else None
            assert TASK.potential(problem, state) == potential_at(distance)
            dead += not reach
            letters = list(found[0].lower() + found[0].upper())
            verdicts = [TASK.step(problem, state, letter) for letter in letters]
            valid = [verdict.state for verdict in verdicts if verdict.valid]
            if not valid:
                break
            state = valid[int(rng.integers(len(valid)))]
        assert TASK.is_solved(problem, state) == (state.data in found)
    assert dead > 10


def variants(problem: Problem) -> Iterator[Problem]:
    """Other orders, other names, and names given to negations."""
    rng = np.random.default_rng(5)
    clauses = [str(clause) for clause in problem.data]  # type: ignore[union-attr]
    for _ in range(3):
        names = [chr(ord("a") + i) for i in rng.permutation(26)]
        flipped = rng.integers(2, size=26)
        table: dict[int, str] = {}
        for i, name in enumerate(names):
            old = chr(ord("a") + i)
            new = name.upper() if flipped[i] else name
            table |= {ord(old): new, ord(old.upper()): new.swapcase()}
        renamed = ["".join(rng.permutation(list(clause.translate(table)))) for clause in clauses]
        yield Problem("Sat", problem.level, tuple(map(str, rng.permutation(renamed))))


@pytest.mark.parametrize("level", TASK.levels)
def test_conformance(level: int) -> None:
    check_task(TASK, levels=[level], seeds=range(3), variants=variants)


def test_canonical_tells_problems_apart() -> None:
    others = ["ab Ab", "ab AB", "ab AB a", "abc AB", "ab bc", "ab Bc", "ab bc ca", "ab cd"]
    assert len({TASK.canonical(problem_of(formula)) for formula in others}) == len(others)
    assert TASK.canonical(problem_of("ab Ab")) == TASK.canonical(problem_of("ba Ba"))
    # a renamed to A: ab AB says of b and B what Ab aB says.
    assert TASK.canonical(problem_of("ab AB")) == TASK.canonical(problem_of("Ab aB"))
    # A chain of four and two pairs: only who is whose negation tells them apart.
    assert TASK.canonical(problem_of("Ab Bc aD")) != TASK.canonical(problem_of("Ac Bd bD"))
    assert split_of(TASK, problem_of("ab bc")) == split_of(TASK, problem_of("yz xy"))


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ((), "1 to 200 clauses"),
        ("ab", "1 to 200 clauses"),
        (("a",) * 201, "1 to 200 clauses"),
        (("ab", 3), "1 to 5 letters"),
        (("ab", ""), "1 to 5 letters"),
        (("ab", "a b"), "1 to 5 letters"),
        (("ab", "\u00e9"), "1 to 5 letters"),
        (("abcdef",), "1 to 5 letters"),
        (("abA",), "variable twice"),
        (("aa",), "variable twice"),
        (("ab", "ba"), "there twice"),
        (("ab", "aB", "A"), "cannot all be true"),
    ],
)
def test_bad_problems(data: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        TASK.initial(Problem("Sat", 1, data))  # type: ignore[arg-type]


@pytest.mark.parametrize("level", TASK.levels)
def test_expert_solves_and_problems_differ(level: int) -> None:
    rng = np.random.default_rng(level)
    problems = [TASK.generate(rng, level) for _ in range(50)]
    assert len({TASK.canonical(problem) for problem in problems}) == 50
    for problem in problems:
        state = TASK.initial(problem)
        for _ in range(len(TASK.show(problem, state)) - len("left: ")):
            line = TASK.expert_step(problem, state, rng)
            assert line is not None
            state = TASK.step(problem, state, line).state
        assert TASK.is_solved(problem, state)


def test_first_level_is_propagation() -> None:
    """Every step follows, so there is one solution."""
    rng = np.random.default_rng(0)
    for _ in range(50):
        assert len(solutions(TASK.generate(rng, 1))) == 1
