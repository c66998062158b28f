"""LinearSystem: consequences, what they do to the work, and distances against searches."""

import random
import re
from fractions import Fraction
from itertools import combinations, permutations

import numpy as np
import pytest

from reason_env.checks import check_task
from reason_env.problem import Kind, Problem, State
from reason_env.task import potential_at
from reason_env.tasks import linear_system
from reason_env.tasks.linear_rows import (
    Row,
    combination,
    eliminations,
    exchanged,
    is_value,
    misses,
    misses_of,
    parse_system,
    put_in,
    reach,
    solve,
    tidy,
)
from reason_env.tasks.linear_system import LinearSystem

TASK = LinearSystem()


def problem_of(text: str) -> Problem:
    return Problem("LinearSystem", 1, text)


def played(problem: Problem, *lines: str) -> State:
    """The state after some valid claims."""
    state = TASK.initial(problem)
    for line in lines:
        verdict = TASK.step(problem, state, line)
        assert (verdict.kind, verdict.valid) == (Kind.CLAIM, True), (line, verdict.reason)
        state = verdict.state
    return state


def distance_at(problem: Problem, state: State) -> int:
    """The distance that the potential states."""
    potential = TASK.potential(problem, state)
    return next(d for d in range(40) if potential == potential_at(d))


TWO = problem_of("3*x + 2*y = 19; x - 2*y = 1")  # x = 5, y = 2
THREE = problem_of("x + y + z = 6; 2*x - y + z = 3; x + 2*y - z = 2")  # 1, 2, 3


def test_the_episode_of_the_docstring() -> None:
    block = re.search(r"(?:^    .+\n)+", linear_system.__doc__ or "", re.MULTILINE)
    assert block
    text, *claims, answer = map(str.strip, block[0].strip().split("\n"))
    problem = problem_of(text)
    assert TASK.prompt(problem, "compact") == text
    verdict = TASK.step(problem, played(problem, *claims), answer)
    assert verdict.valid
    assert TASK.is_solved(problem, verdict.state)


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        # what takes the end nearer
        ("4*x = 20", "4*x = 20; x - 2*y = 1"),
        ("  4x=20 ", "4*x = 20; x - 2*y = 1"),
        ("20 = 4*x", "4*x = 20; x - 2*y = 1"),
        ("4*x - 20 = 0", "4*x = 20; x - 2*y = 1"),
        ("2*(x - y) = 2*(3 - y) + 4", "2*x = 10; x - 2*y = 1"),
        ("x = 10/2", "x = 5; x - 2*y = 1"),
        ("8*y = 16", "8*y = 16; x - 2*y = 1"),
        ("x = 5", "x = 5; x - 2*y = 1"),
        ("y = 2", "y = 2; x - 2*y = 1"),
        # what is true and of no use
        ("3*x + 2*y = 19", None),
        ("19 = 2*y + 3*x", None),
        ("2*x - 4*y = 2", None),
        ("4*x + 0*y = 20 + y - y", "4*x = 20; x - 2*y = 1"),
        ("x + y = 7", None),
        ("x = 2*y + 1", None),
    ],
)
def test_valid_claims(line: str, shown: str | None) -> None:
    before = TASK.initial(TWO)
    after = played(TWO, line)
    assert TASK.show(TWO, after) == shown or (shown is None and after == before)
    assert (TASK.potential(TWO, after) > TASK.potential(TWO, before)) == (shown is not None)


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("x = 4", "does not follow"),
        ("4*x = 21", "does not follow"),
        ("x + y = 8", "does not follow"),
        ("x = y", "does not follow"),
        ("0 = 0", "says nothing"),
        ("x = x", "says nothing"),
        ("x - x = y - y", "says nothing"),
        ("0*x = 0", "says nothing"),
        ("0 = 1", "says nothing"),
        ("z = 3", "no unknown z"),
        ("X = 5", "no unknown X"),
        ("x*y = 10", "not linear"),
        ("x*x = 25", "not linear"),
        ("10/x = 2", "not linear"),
        ("x/0 = 5", "division by zero"),
        ("x^2 = 25", "no place"),
        ("x = 5.0", "no place"),
        ("x =", "too early"),
        ("=", "too early"),
        ("(x = 5", "too early"),
        ("x + * 2 = 5", "out of place"),
        ("x = " + "5" * 65, "more than 64 digits"),
        (f"{'7' * 40}*{'7' * 40}*x = 1", "more than 64 digits"),
        ("x = 5" + " + 0" * 300, "longer than 1000"),
    ],
)
def test_invalid_claims(line: str, reason: str) -> None:
    state = TASK.initial(TWO)
    verdict = TASK.step(TWO, state, line)
    assert (verdict.kind, verdict.valid, verdict.state) == (Kind.CLAIM, False, state)
    assert reason in verdict.reason


@pytest.mark.parametrize(
    "line", ["", "4*x", "x = 5, y = 2", "x = 5 = 5", "so x = 5", "x > 4", "x = five", "x == 5"]
)
def test_thoughts(line: str) -> None:
    verdict = TASK.step(TWO, TASK.initial(TWO), line)
    assert (verdict.kind, verdict.valid) == (Kind.THOUGHT, True)


@pytest.mark.parametrize(
    ("text", "answer", "right"),
    [
        ("x + y = 3; x - y = 1", "x = 2, y = 1", True),
        ("x + y = 3; x - y = 1", "y = 1, x = 2", True),
        ("x + y = 3; x - y = 1", "x=2,y=1", True),
        ("x + y = 3; x - y = 1", "x = 2, y = 2", False),
        ("x + y = 3; x - y = 1", "x = 2", False),
        ("x + y = 3; x - y = 1", "x = 2, y = 1, z = 0", False),
        ("x + y = 3; x - y = 1", "x = 2, y = 1, y = 1", False),
        ("x + y = 3; x - y = 1", "x = 2, x = 2", False),
        ("x + y = 3; x - y = 1", "x = 4/2, y = 1", False),
        ("x + y = 3; x - y = 1", "x = 02, y = 1", False),
        ("x + y = 3; x - y = 1", "x = 2.0, y = 1", False),
        ("x + y = 3; x - y = 1", "x = 3 - y, y = x - 1", False),
        ("x + y = 3; x - y = 1", "x + y = 3, x - y = 1", False),
        ("x + y = 3; x - y = 1", "2, 1", False),
        ("x + y = 3; x - y = 1", "x = 2, y = 1,", False),
        ("x + y = 3; x - y = 1", "", False),
        ("x + y = 3; x - y = 1", "x = 2," * 5000, False),
        ("x + y = 3; x - y = 1", "x = 2, y = 1" + " " * 990 + ", x = 7", False),
        ("x + y = 1/2; x - y = 1", "x = 3/4, y = -1/4", True),
        ("x + y = 1/2; x - y = 1", "x = 3/4, y = - 1/4", False),
        ("x + y = 1/2; x - y = 1", "x = 3/4, y = 1/-4", False),
    ],
)
def test_answers(text: str, answer: str, right: bool) -> None:
    problem = problem_of(text)
    verdict = TASK.step(problem, TASK.initial(problem), f"answer: {answer}")
    assert (verdict.kind, verdict.valid, bool(verdict.reason)) == (Kind.ANSWER, right, not right)
    assert TASK.is_solved(problem, verdict.state) == right
    assert TASK.potential(problem, verdict.state) == float(right)
    assert TASK.legal_steps(problem, verdict.state) == []
    assert TASK.expert_step(problem, verdict.state, np.random.default_rng(0)) is None


def test_reasons_do_not_state_the_solution() -> None:
    problem = problem_of("3*x + y = 205; x - y = 67")
    for line in ("x = 67", "y = 0", "x = y", "0 = 0", "answer: x = 1, y = 1", "answer: x = 136/2"):
        reason = TASK.step(problem, TASK.initial(problem), line).reason
        assert reason
        assert "68" not in reason


@pytest.mark.parametrize(
    ("problem", "lines", "steps"),
    [
        (TWO, [], {"4*x = 20", "8*y = 16"}),
        (TWO, ["4*x = 20"], {"x = 5"}),
        (TWO, ["8*y = 16"], {"y = 2"}),
        (TWO, ["x = 5"], {"y = 2"}),
        (TWO, ["y = 2", "x = 5"], {"answer: x = 5, y = 2"}),
        # Either elimination would end in a value outright: a short cut.
        (problem_of("x + y = 3; x + 2*y = 4"), [], {"2*x = 4", "2*y = 2"}),
        # From the first two x and y both drop out, which is a short cut, too: 2*z = 6.
        (
            problem_of("x + y + z = 6; x + y - z = 0; x + 2*y + 3*z = 14"),
            [],
            {"x + y = 3", "y + 2*z = 8", "x - z = -2", "2*x + y = 4"}
            | {"y + 4*z = 14", "x - 5*z = -14", "4*x + 5*y = 14"},
        ),
        # Given as a value, or with an unknown alone.
        (problem_of("x = 3; x + 2*y = 4"), [], {"y = 1/2"}),
        (problem_of("2*x = 6; x + 2*y = 4"), [], {"x = 3"}),
        (problem_of("2*x = 6; 3*y = 4"), [], {"x = 3", "y = 4/3"}),
        (problem_of("x = 3; y = 4"), [], {"answer: x = 3, y = 4"}),
        # Two of x and y alone: one of them is eliminated.
        (
            problem_of("x + y = 3; x - y = 1; x + y + z = 6"),
            [],
            {"2*x = 4", "2*y = 2"},
        ),
    ],
)
def test_legal_steps(problem: Problem, lines: list[str], steps: set[str]) -> None:
    assert set(TASK.legal_steps(problem, played(problem, *lines))) == steps


def test_what_claims_do_to_three_equations() -> None:
    def after(*lines: str) -> int:
        return distance_at(THREE, played(THREE, *lines))

    assert after() == 7
    assert after("3*x + 2*z = 9") == 6
    assert after("3*x + 2*z = 9", "6*x + 4*z = 18") == 6  # the same again
    assert after("3*x + 2*z = 9", "x + y + z = 6") == 6  # no unknown less
    assert after("3*x + 2*z = 9", "3*y + z = 9") == 6  # another one eliminated: no nearer
    assert after("3*x + 2*z = 9", "3*y + z = 9", "x + 2*y = 5") == 6
    assert after("3*x + 2*z = 9", "x + z = 4") == 5
    assert after("3*x + 2*z = 9", "x + z = 4", "2*z = 6") == 4
    assert after("3*x + 2*z = 9", "x + z = 4", "z = 3") == 3
    assert after("z = 3") == 4  # known at once: two equations in x and y are left
    assert after("z = 3", "z = 3") == 4
    assert after("z = 3", "2*z = 6") == 4
    assert after("z = 3", "3*x = 3") == 3
    assert after("z = 3", "3*x + z = 6") == 3
    assert after("z = 3", "x = 1") == 2
    assert after("z = 3", "x = 1", "y = 2") == 1


# -- The distance --------------------------------------------------------------------------------


def random_problem(rng: random.Random, unknowns: int) -> Problem:
    """A system with small numbers, and so with zeros and luck."""
    names = "wxyz"[-unknowns:]
    while True:
        sides = [[rng.choice([-2, -1, 0, 0, 1, 1, 2, 3]) for _ in names] for _ in names]
        equations = [
            "+".join(f"({a})*{n}" for a, n in zip(side, names)) + f" = {rng.randint(-5, 5)}"
            for side in sides
        ]
        try:
            TASK.initial(problem := problem_of("; ".join(equations)))
        except ValueError:
            continue
        return problem


def random_claim(rng: random.Random, problem: Problem) -> str:
    """A true equation."""
    system = parse_system(problem.data)
    if rng.randrange(6) == 0:
        k = rng.randrange(len(system.names))
        return f"{system.names[k]} = {system.solution[k]}"
    weights = [rng.choice([-1, 0, 0, 0, 1, 2]) for _ in system.names]
    weights[rng.randrange(len(weights))] = 1
    total = sum((a * b for a, b in zip(weights, system.solution)), Fraction(0))
    return " + ".join(f"({a})*{name}" for a, name in zip(weights, system.names)) + f" = {total}"


def searched_distance(problem: Problem, state: State) -> int:
    """Steps to the answer by breadth-first search over nothing but legal_steps and step."""
    layer, distance = {state}, 0
    while not any(TASK.is_solved(problem, s) for s in layer):
        distance += 1
        layer = {
            TASK.step(problem, s, step).state
            for s in layer
            for step in TASK.legal_steps(problem, s)
        }
        assert layer, f"no way from {state}"
    return distance


@pytest.mark.parametrize(("unknowns", "problems"), [(2, 60), (3, 25), (4, 12)])
def test_potential_after_any_true_claims(unknowns: int, problems: int) -> None:
    """It never falls; every legal step takes it one nearer; the search agrees where it is short."""
    rng = random.Random(unknowns)
    for _ in range(problems):
        problem = random_problem(rng, unknowns)
        state = TASK.initial(problem)
        for _ in range(6):
            distance = distance_at(problem, state)
            steps = TASK.legal_steps(problem, state)
            assert steps
            for step in steps:
                following = TASK.step(problem, state, step).state
                assert distance_at(problem, following) == distance - 1, (state, step)
            if distance <= (7 if unknowns < 4 else 6):
                assert searched_distance(problem, state) == distance
            state = played_on(problem, state, random_claim(rng, problem))
            assert distance_at(problem, state) <= distance


def played_on(problem: Problem, state: State, line: str) -> State:
    verdict = TASK.step(problem, state, line)
    assert verdict.valid, (line, verdict.reason)
    return verdict.state


def test_misses_are_what_they_are_said_to_be() -> None:
    """By the definition: the least sum of what complete sets of first unknowns lack."""
    rng = random.Random(0)
    for _ in range(200):
        rows = independent(rng, rng.choice([2, 3, 4]))
        sums = [
            sum(
                i - sum(reach(row) & ~first == 0 for row in rows)
                for i in range(1, len(rows))
                for first in [sum(1 << k for k in order[:i])]
            )
            for order in permutations(range(len(rows)))
        ]
        assert misses_of(rows) == min(sums)
    assert misses(()) == 0


def independent(rng: random.Random, unknowns: int) -> list[Row]:
    while True:
        rows = [
            tidy([rng.choice([0, 0, 1, 2, -1, 3]) for _ in range(unknowns)] + [0])
            for _ in range(unknowns)
        ]
        if solve(rows):
            return rows


def test_no_line_of_its_own_is_more_than_one_miss() -> None:
    """What follows from a complete set of equations, and has all of its unknowns but one, is one
    miss less at most: in such steps, the distance could not be shorter."""
    rng = random.Random(0)
    falls = set()
    for _ in range(400):
        rows = independent(rng, rng.choice([2, 3, 4]))
        places = range(len(rows))
        for size in range(2, len(rows) + 1):
            for chosen in combinations(places, size):
                inside = sum(1 << k for k in chosen)
                if sum(reach(row) & ~inside == 0 for row in rows) < size:
                    continue
                kept = rng.sample(chosen, size - 1)
                row = tidy([rng.choice([1, 2, -1, 3]) * (k in kept) for k in places] + [0])
                after = exchanged(rows, row, combination(rows, row))
                falls.add(misses_of(rows) - misses_of(after))
    assert falls == {0, 1}


@pytest.mark.parametrize("level", TASK.levels)
def test_generated_systems_have_no_luck(level: int) -> None:
    rng = np.random.default_rng(level)
    for _ in range(15):
        problem = TASK.generate(rng, level)
        system, state = parse_system(problem.data), TASK.initial(problem)
        while not TASK.is_solved(problem, state):
            values, rows = state.data  # type: ignore[misc]
            known = [b if text else None for text, b in zip(values, system.solution)]
            left = [put_in(row, known) for row in rows]
            for row, after in eliminations(left):
                fall = misses_of(left) - misses_of(after)
                assert fall == 0 or (fall == 1 and not (len(values) == 2 and is_value(row)))
            line = str(TASK.expert_step(problem, state, rng))
            state = TASK.step(problem, state, line).state


@pytest.mark.parametrize("level", TASK.levels)
def test_the_expert_solves_every_level(level: int) -> None:
    rng = np.random.default_rng(level)
    drawn = set()
    for _ in range(50):
        problem = TASK.generate(rng, level)
        drawn.add(TASK.canonical(problem))
        state, lines = TASK.initial(problem), 0
        while not TASK.is_solved(problem, state):
            state = TASK.step(problem, state, str(TASK.expert_step(problem, state, rng))).state
            lines += 1
        assert lines == {1: 4, 2: 4, 3: 7, 4: 7, 5: 11}[level]
        assert 2 * lines <= TASK.budget(level).steps
        values = dict(part.split(" = ") for part in str(state.answer).split(", "))
        for equation in str(problem.data).split("; "):
            left, right = equation.split(" = ")
            exact = re.sub("[0-9]+", lambda match: f"Fraction({match[0]})", left)
            known = {name: Fraction(value) for name, value in values.items()}
            assert eval(exact, {"Fraction": Fraction, **known}) == Fraction(right)
    assert len(drawn) >= 48


# -- Problems ------------------------------------------------------------------------------------


def variants(problem: Problem) -> list[Problem]:
    """Other names, another order, and an equation times a number."""
    text, names = str(problem.data), parse_system(problem.data).names
    renamed = text.translate(str.maketrans(names, "jlio"[: len(names)]))
    first, *others = text.split("; ")
    left, right = first.split(" = ")
    return [
        problem_of(renamed),
        problem_of("; ".join([*reversed(others), first])),
        problem_of("; ".join([*others, f"-6*({right}) = -6*({left})"])),
    ]


@pytest.mark.parametrize("level", TASK.levels)
def test_conformance(level: int) -> None:
    check_task(TASK, levels=[level], variants=variants)


def test_canonical_tells_other_systems_apart() -> None:
    texts = ["x + y = 3; x - y = 1", "x + y = 3; x - 2*y = 1", "x + y = 4; x - y = 1"]
    texts += ["x + y = 3; x - y = -2", "x + y + z = 3; x - y = 1; z = 0"]
    assert len({TASK.canonical(problem_of(text)) for text in texts}) == len(texts)
    assert TASK.canonical(problem_of("2*x = 4; x + y = 3")) == TASK.canonical(
        problem_of("x = 2; y + x = 3")
    )


@pytest.mark.parametrize(
    "data",
    [
        "",
        "x = 3",
        "x + y = 3",
        "x + y = 3; x - y = 1; x = 2",
        "x + y = 3; 2*x + 2*y = 6",
        "x + y = 3; x + y = 4",
        "x + y = 3; 0 = 0",
        "x + y = 3; x*y = 2",
        "x + y = 3; x/0 = 2",
        "x + y = 3; hello",
        "x + y = 3; x - y = 1 = 1",
        "x + y = 3;",
        "a + b + c + d + e = 1; a = 1; b = 1; c = 1; d = 1",
        "x + y = 1000000000000; x - y = 1",
        "x + 999999999*y = 1; 999999998*x - y = 1",
        "x + y = 3; x - y = 1" + " + 0" * 300,
        "x + y = 3; x - y = \u0663",
        None,
        7,
        ("x + y = 3", "x - y = 1"),
        True,
    ],
)
def test_unusable_problems_raise(data: object) -> None:
    with pytest.raises(ValueError, match=r"[Ss]ystem"):
        TASK.initial(Problem("LinearSystem", 1, data))  # type: ignore[arg-type]


def test_the_longest_numbers_work() -> None:
    """Claims at their limit do not leave a state without a legal step."""
    rng = random.Random(0)
    problem = problem_of(
        "999999*a + 2*b - 777777*c + 5*d = 1; a + 999983*b + c - 123456*d = 2; "
        "a - b + 424242*c + 7*d = 3; 2*a + b - c + 5*d = 999999/7"
    )
    with pytest.raises(ValueError, match="comes to numbers"):
        TASK.initial(problem)
    problem = problem_of(
        "a + b + c + d = 10000000003/7; a - b = 999999999; c + d = 1/11; c - d = 1/13"
    )
    solution = parse_system(problem.data).solution
    state = TASK.initial(problem)
    for _ in range(12):
        weights = [rng.randrange(10**20) * rng.choice([0, 1, 1]) for _ in "abcd"]
        total = sum((w * v for w, v in zip(weights, solution)), Fraction(0))
        if any(weights):
            line = " + ".join(f"{w}*{n}" for w, n in zip(weights, "abcd")) + f" = {total}"
            state = played_on(problem, state, line)
        for step in TASK.legal_steps(problem, state):
            assert TASK.step(problem, state, step).valid
    assert searched_distance(problem, state) == distance_at(problem, state)


def test_verbose_prompt_names_the_unknowns() -> None:
    problem = problem_of("a + k = 3; a - k = 1")
    assert "Solve for a, k:\na + k = 3\na - k = 1\n" in TASK.prompt(problem, "verbose")
