"""LinearEquation: equivalence, hostile algebra, and distances against a search of their own."""

import json
import random
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reason_env.problem import Kind, Problem, State
from reason_env.task import potential_at
from reason_env.tasks.linear_equation import LinearEquation
from reason_env.tasks.linear_text import MAX_DIGITS, NotLinear, parse_equation

TASK = LinearEquation()
RNG = np.random.default_rng(0)


def problem_of(equation: str) -> Problem:
    return Problem("LinearEquation", 1, equation)


PROBLEM = problem_of("2*x + 3 = 11")


@pytest.mark.parametrize(
    ("line", "text"),
    [
        ("2*x = 8", "2*x = 8"),
        ("2x=8", "2*x = 8"),
        ("2 x = 8", "2*x = 8"),
        ("8 = 2*x", "8 = 2*x"),
        ("x = 4", "x = 4"),
        ("  x  =  4  ", "x = 4"),
        ("-x = -4", "-x = -4"),
        ("x = 8/2", "x = 8/2"),
        ("x = (11 - 3)/2", "x = (11 - 3)/2"),
        ("2*x = 11 - 3", "2*x = 11 - 3"),
        ("x/2 = 2", "x/2 = 2"),
        ("2(x + 1) = 10", "2*(x + 1) = 10"),
        ("(x + 1)2 = 10", None),
        ("(x + 1)*2 = 10", "(x + 1)*2 = 10"),
        ("-(x - 4) = 0", "-(x - 4) = 0"),
        ("-(x - 4) - -x = x", "-(x - 4) - -x = x"),
        ("x - x + x = 4", "x - x + x = 4"),
        ("x*(3 - 1) = 8", "x*(3 - 1) = 8"),
        ("x*(x - x + 1) = 4", "x*(x - x + 1) = 4"),
        ("((((x)))) = 4", "((((x)))) = 4"),
        ("2*x + 3 = 11", "2*x + 3 = 11"),
        ("1/3x = 4/3", "1/3*x = 4/3"),
        ("2*x = 9", None),
        ("x = -4", None),
        ("x = 4.0", None),
        ("y = 4", None),
        ("2*x = 2*y", None),
        ("4 = 4", None),
        ("0 = 0", None),
        ("x = x", None),
        ("x = x + 1", None),
        ("x*x = 16", None),
        ("x^2 = 16", None),
        ("x**2 = 16", None),
        ("x*(x + 1) = 20", None),
        ("8/x = 2", None),
        ("1/(x - 4) = 0", None),
        ("x/0 = 4", None),
        ("x/(2 - 2) = 4", None),
        ("0*x = 0", None),
        ("x =", None),
        ("= 4", None),
        ("=", None),
        ("x + = 4", None),
        ("+x = 4", None),
        ("--x = 4", None),
        ("(x = 4)", None),
        ("(x = 4", None),
        ("x) = 4", None),
        ("() = x", None),
        ("x2 = 8", None),
        ("2 3 = x", None),
        ("X = 4", None),
        ("9**9**9 = x", None),
    ],
)
def test_claims(line: str, text: str | None) -> None:
    state = TASK.initial(PROBLEM)
    verdict = TASK.step(PROBLEM, state, line)
    assert verdict.kind is Kind.CLAIM
    assert verdict.valid == (text is not None), verdict.reason
    assert verdict.state == (State(text) if text else state)
    assert bool(verdict.reason) == (text is None)


@pytest.mark.parametrize(
    "line",
    [
        "",
        "2*x",
        "x = 4 = 4",
        "x == 4",
        "so x = 4",
        "x = four",
        "x > 4",
        "x = 4!",
        "9**9**9",
        "x; = 4",
    ],
)
def test_thoughts(line: str) -> None:
    verdict = TASK.step(PROBLEM, TASK.initial(PROBLEM), line)
    assert (verdict.kind, verdict.valid) == (Kind.THOUGHT, True)


@pytest.mark.parametrize(
    ("equation", "answer", "right"),
    [
        ("2*x + 3 = 11", "4", True),
        ("2*x + 3 = 11", "x = 4", False),
        ("2*x + 3 = 11", "8/2", False),
        ("2*x + 3 = 11", "(11-3)/2", False),
        ("2*x + 3 = 11", "4.0", False),
        ("2*x + 3 = 11", "-4", False),
        ("2*x + 3 = 11", "", False),
        ("3*x = 8", "8/3", True),
        ("3*x = 8", "16/6", False),
        ("3*x = -8", "-8/3", True),
        ("3*x = 5*x", "0", True),
    ],
)
def test_answers(equation: str, answer: str, right: bool) -> None:
    problem = problem_of(equation)
    verdict = TASK.step(problem, TASK.initial(problem), f"answer: {answer}")
    assert (verdict.kind, verdict.valid) == (Kind.ANSWER, right)
    assert TASK.is_solved(problem, verdict.state) == right
    assert TASK.potential(problem, verdict.state) == float(right)
    assert TASK.legal_steps(problem, verdict.state) == []
    assert TASK.expert_step(problem, verdict.state, RNG) is None


def test_reasons_do_not_state_the_solution() -> None:
    problem = problem_of("3*x - 1 = 200")
    for line in ("x = 66", "x = 68", "y = 1", "x = x", "answer: 1", "answer: 201/3"):
        assert "67" not in TASK.step(problem, TASK.initial(problem), line).reason


@pytest.mark.parametrize(
    ("text", "steps"),
    [
        ("2*x + 3 = 11", {"2*x = 8", "3 = -2*x + 11"}),
        ("3 + 2*x = 11", {"2*x = 8", "3 = -2*x + 11"}),
        ("2*x = 8", {"x = 4"}),
        ("x = 4", {"answer: 4"}),
        ("4 = x", {"answer: 4"}),
        ("8 = 2*x", {"4 = x"}),
        ("-x = 4", {"x = -4"}),
        ("x = 8/2", {"x = 4"}),
        ("x + 0 = 4", {"x = 4"}),
        ("x/2 = 4", {"1/2*x = 4"}),
        ("1/2*x = 4", {"x = 8"}),
        ("2*x = 3*x", {"0 = x", "-x = 0"}),
        ("2*(x + 1) = 10", {"2*x + 2 = 10"}),
        ("-(x - 1) = 10", {"-x + 1 = 10"}),
        ("2*(x + 1) + 3*(x - 1) = 9", {"2*x + 2 + 3*(x - 1) = 9", "2*(x + 1) + 3*x - 3 = 9"}),
        ("x + x = 5 - 3", {"2*x = 5 - 3", "x + x = 2"}),
        ("5*x + 1 = 2*x + 7", {"1 = -3*x + 7", "3*x + 1 = 7", "5*x = 2*x + 6", "5*x - 6 = 2*x"}),
    ],
)
def test_legal_steps(text: str, steps: set[str]) -> None:
    problem = problem_of(text)
    assert set(TASK.legal_steps(problem, TASK.initial(problem))) == steps


def searched_distance(problem: Problem, state: State) -> int:
    """Steps to the answer by breadth-first search over nothing but legal_steps and step."""
    layer, seen, distance = [state], {state}, 0
    while not any(TASK.is_solved(problem, s) for s in layer):
        distance += 1
        following = {
            TASK.step(problem, s, step).state
            for s in layer
            for step in TASK.legal_steps(problem, s)
        }
        layer = [s for s in following if s not in seen]
        seen.update(layer)
        assert layer, f"no way from {state}"
    return distance


@pytest.mark.parametrize("level", TASK.levels)
def test_potential_equals_search_on_problems(level: int) -> None:
    rng = np.random.default_rng(level)
    for _ in range(12 if level < 5 else 4):
        problem = TASK.generate(rng, level)
        state = TASK.initial(problem)
        assert TASK.potential(problem, state) == potential_at(searched_distance(problem, state))


NUMBERS = ["0", "1", "-1", "2", "-3", "4/2", "2/3", "(1 - 3)"]


def random_side(rng: random.Random, depth: int = 2) -> str:
    """Untidy text of a linear form."""
    terms = []
    for _ in range(rng.randint(1, 2)):
        shape = rng.randrange(5 if depth else 3)
        number = rng.choice(NUMBERS)
        inner = random_side(rng, depth - 1) if shape > 2 else ""
        term = ["x", number, f"{number}*x", f"{number}*({inner})", f"-({inner})"][shape]
        terms.append(f"({term})" if term.startswith("-") and terms else term)
    return rng.choice([" + ", " - "]).join(terms)


def test_potential_equals_search_on_untidy_equations() -> None:
    rng, found = random.Random(0), 0
    while found < 150:
        try:
            problem = problem_of(f"{random_side(rng)} = {random_side(rng)}")
            state = TASK.initial(problem)
        except ValueError:
            continue
        if TASK.potential(problem, state) < potential_at(7):
            continue  # its search would take long
        found += 1
        assert TASK.potential(problem, state) == potential_at(searched_distance(problem, state))


SMALL = st.integers(-3, 3)


@settings(deadline=None, derandomize=True, max_examples=200)
@given(st.tuples(SMALL, SMALL, SMALL, SMALL).filter(lambda form: form[0] != form[2]))
def test_potential_equals_search_on_collected_forms(form: tuple[int, int, int, int]) -> None:
    a, b, c, d = form
    problem = problem_of(f"{a}*x + {b} = {c}*x + {d}".replace("+ -", "- "))
    state = TASK.initial(problem)
    assert TASK.potential(problem, state) == potential_at(searched_distance(problem, state))


@settings(deadline=None, derandomize=True, max_examples=300)
@given(st.randoms(use_true_random=False))
def test_parser_agrees_with_python(rng: random.Random) -> None:
    """Values of both sides at two points, by Python's own precedence."""
    text = f"{random_side(rng, 3)} = {random_side(rng, 3)}"
    try:
        equation = parse_equation(text)
    except NotLinear:
        return
    a, b, c, d = equation.form
    for x in (Fraction(0), Fraction(7, 5)):
        exact = "".join(f"Fraction({ch})" if ch.isdigit() else ch for ch in text)
        left, right = (eval(s, {"Fraction": Fraction, "x": x}) for s in exact.split("="))
        assert (left, right) == (a * x + b, c * x + d)
    assert parse_equation(equation.text) == equation


@pytest.mark.parametrize("level", TASK.levels)
def test_generated_text_is_canonical(level: int) -> None:
    rng = np.random.default_rng(level)
    for _ in range(50):
        problem = TASK.generate(rng, level)
        assert TASK.initial(problem) == State(problem.data)


def test_level_1_is_small() -> None:
    rng = np.random.default_rng(0)
    problems = [TASK.generate(rng, 1) for _ in range(2000)]
    for problem in problems[:200]:
        equation = parse_equation(str(problem.data))
        a, b, c, d = equation.form
        assert 2 <= a <= 12
        assert -60 <= b <= 60
        assert (c, 0 <= d <= 99) == (0, True)
        assert equation.solution in range(1, 31)
    assert len({problem.data for problem in problems}) > 1500


@pytest.mark.parametrize(
    "text",
    [
        "x = x",
        "x = x + 1",
        "3 = 4",
        "4 = 4",
        "",
        "x",
        "x = y",
        "x*x = 4",
        "x = 1/0",
        "2*x + 3 = 11 = 11",
    ],
)
def test_unusable_problems_raise(text: str) -> None:
    with pytest.raises(ValueError, match="Equation"):
        TASK.initial(problem_of(text))


HUGE = "9" * MAX_DIGITS


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("x = " + "9" * 1500, "64 digits"),
        (f"{HUGE}*x = 4*{HUGE}", "64 digits"),
        ("*".join(["9"] * 900) + "*x = 1", "64 digits"),
        ("x" + " + x" * 400 + " = 4", "24 terms"),
        ("(x + 1) + " * 100 + "x = 4", "24 terms"),
        ("(" * 900 + "x" + ")" * 900 + " = 5", "solution"),
        ("-" * 900 + "x = 4", "out of place"),
        ("x" + " " * 5000 + "= 4", "longer than 2000"),
        ("2*(" * 400 + "x" + ")" * 400 + " = 4", "64 digits"),
        (" + ".join(f"x/{10**15 + i}" for i in range(20)) + " = 4", "64 digits"),
    ],
)
def test_oversized_claims(line: str, reason: str) -> None:
    verdict = TASK.step(PROBLEM, TASK.initial(PROBLEM), line)
    assert (verdict.kind, verdict.valid) == (Kind.CLAIM, False)
    assert reason in verdict.reason


def test_limits_are_closed_under_legal_steps() -> None:
    """From claims close to the limits, legal steps stay valid and lead to the end."""
    big = 10 ** (MAX_DIGITS - 4)
    for text in (
        f"{big}*x = {4 * big}",
        f"{big}*x + {big} = 3*x + {5 * big - 12}",
        f"1/{big}*x + 1/{big - 1} = 1/{big - 1} + 4/{big}",
        " + ".join(["x"] * 20) + " = 80",
        f"{10**30}*({10**30}*x + 1) = {10**30}*({4 * 10**30} + 1)",
    ):
        verdict = TASK.step(PROBLEM, TASK.initial(PROBLEM), text)
        assert verdict.valid or "digits" in verdict.reason, verdict.reason
        state = verdict.state
        for _ in range(20):
            for step in TASK.legal_steps(PROBLEM, state):
                assert TASK.step(PROBLEM, state, step).valid
            state = TASK.step(PROBLEM, state, str(TASK.expert_step(PROBLEM, state, RNG))).state
            if state.answer:
                break
        assert TASK.is_solved(PROBLEM, state)


def test_canonical_ignores_name_sides_and_order() -> None:
    def canonical(text: str) -> str:
        return TASK.canonical(problem_of(text))

    same = {"2*x + 3 = 11", "11 = 2*x + 3", "3 + 2*y = 11", "11=3+2a"}
    assert len(set(map(canonical, same))) == 1
    others = {"2*x + 3 = 11", "2*x + 3 = 12", "2*x = 8", "4*x + 6 = 22", "2*x - 3 = 11"}
    assert len(set(map(canonical, others))) == len(others)


def test_other_names_of_the_unknown() -> None:
    problem = problem_of("2*k + 3 = 11")
    state = TASK.initial(problem)
    assert "2*k = 8" in TASK.legal_steps(problem, state)
    assert not TASK.step(problem, state, "2*x = 8").valid
    assert "for k" in TASK.prompt(problem, "verbose")


def test_states_are_json() -> None:
    state = TASK.step(PROBLEM, TASK.initial(PROBLEM), "x = 8/2").state
    assert State.from_json(json.loads(json.dumps(state.to_json()))) == state
