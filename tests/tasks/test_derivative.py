"""Derivative: identity decided exactly, one rule for every D(...), hostile calculus."""

import random

import numpy as np
import pytest
import sympy

from reason_env.checks import check_task
from reason_env.problem import Kind, Problem, State
from reason_env.task import potential_at
from reason_env.tasks.derivative import Derivative

TASK = Derivative()


def problem_of(text: str) -> Problem:
    return Problem("Derivative", 1, text)


POLYNOMIAL = problem_of("3*x^2 + 5*x")
PRODUCT = problem_of("x^2*sin(3*x)")
WAVES = problem_of("sin(x)*cos(x)")
LOGARITHM = problem_of("ln(x^2 - 1)")
QUOTIENT = problem_of("(x + 1)/(x^2 + 1)")


def test_the_episode_of_the_docstring() -> None:
    state = TASK.initial(POLYNOMIAL)
    assert TASK.prompt(POLYNOMIAL, "compact") == "D(3*x^2 + 5*x)"
    for line in ("D(3*x^2) + D(5*x)", "6*x + D(5*x)", "6*x + 5", "answer: 6*x + 5"):
        before = TASK.potential(POLYNOMIAL, state)
        assert line in TASK.legal_steps(POLYNOMIAL, state)
        state = TASK.step(POLYNOMIAL, state, line).state
        assert TASK.potential(POLYNOMIAL, state) == pytest.approx(before / 0.9)
    assert TASK.is_solved(POLYNOMIAL, state)


@pytest.mark.parametrize(
    ("problem", "line", "text"),
    [
        (POLYNOMIAL, "6x+5", "6*x + 5"),
        (POLYNOMIAL, "D(3x^2)+5", "D(3*x^2) + 5"),
        (POLYNOMIAL, "3*D(x^2) + D(5*x)", "3*D(x^2) + D(5*x)"),
        (POLYNOMIAL, "D(5*x + 3*x^2)", "D(5*x + 3*x^2)"),
        (POLYNOMIAL, "D(3*x^2 + 5*x + 7)", "D(3*x^2 + 5*x + 7)"),
        (POLYNOMIAL, "(6*x^2 + 5*x)/x", "(6*x^2 + 5*x)/x"),
        (POLYNOMIAL, "6*x + 5*(sin(x)^2 + cos(x)^2)", "6*x + 5*(sin(x)^2 + cos(x)^2)"),
        (POLYNOMIAL, "0*D(x) + 6*x + 5", "0*D(x) + 6*x + 5"),
        (POLYNOMIAL, "6*x", None),
        (POLYNOMIAL, "6*x + 6", None),
        (POLYNOMIAL, "D(D(x^3 + 5/2*x^2))", None),
        (POLYNOMIAL, "I(6) + 5", None),
        (POLYNOMIAL, "6*y + 5", None),
        (POLYNOMIAL, "6*x + 5 + 1/(x - x)", None),
        (POLYNOMIAL, "6*x + 5 + exp(sin(x)) - exp(sin(x))", None),
        (PRODUCT, "2*x*sin(3*x) + x^2*D(sin(3*x))", "2*x*sin(3*x) + x^2*D(sin(3*x))"),
        (PRODUCT, "sin(3x)*D(x^2) + 3x^2*cos(3x)", "sin(3*x)*D(x^2) + 3*x^2*cos(3*x)"),
        (PRODUCT, "2*x*sin(3*x) + x^2*cos(3*x)", None),
        (WAVES, "cos(2*x)", "cos(2*x)"),
        (WAVES, "1 - 2*sin(x)^2", "1 - 2*sin(x)^2"),
        (WAVES, "cos(x)^2 + sin(x)^2", None),
        (LOGARITHM, "D(ln(x - 1)) + D(ln(x + 1))", "D(ln(x - 1)) + D(ln(x + 1))"),
        (LOGARITHM, "1/(x - 1) + 1/(x + 1)", "1/(x - 1) + 1/(x + 1)"),
        (LOGARITHM, "2*x/(x^2 + 1)", None),
        (LOGARITHM, "D(ln(2*x^2 - 2))", None),  # outside the class, as ln(2) is
        (
            QUOTIENT,
            "1/(x^2 + 1) - 2*x*(x + 1)/(x^2 + 1)^2",
            "1/(x^2 + 1) - 2*x*(x + 1)/(x^2 + 1)^2",
        ),
        (problem_of("exp(x + 1)"), "exp(1)*exp(x)", "exp(1)*exp(x)"),
        (problem_of("exp(x + 1)"), "exp(x)", None),
        (problem_of("exp(2*x)"), "2*exp(x)^2", "2*exp(x)^2"),
        (problem_of("exp(2*x)"), "2e^(2x)", "2*exp(2*x)"),
        (problem_of("x*ln(x)"), "ln x + 1", "ln(x) + 1"),
        (problem_of("sin(x)^3"), "3 sin^2(x) cos x", "3*sin(x)^2*cos(x)"),
    ],
)
def test_claims(problem: Problem, line: str, text: str | None) -> None:
    state = TASK.initial(problem)
    verdict = TASK.step(problem, state, line)
    assert verdict.kind is Kind.CLAIM
    assert verdict.valid == (text is not None), verdict.reason
    assert verdict.state == (State(text) if text else state)
    assert bool(verdict.reason) == (text is None)


@pytest.mark.parametrize(
    "line",
    ["", "so 6*x", "6*x + 5 = y", "= 6*x + 5", "6*x + 5.", "dy/dx", "the rule", "f'(x) = 6*x + 5"],
)
def test_thoughts(line: str) -> None:
    verdict = TASK.step(POLYNOMIAL, TASK.initial(POLYNOMIAL), line)
    assert (verdict.kind, verdict.valid) == (Kind.THOUGHT, True)


@pytest.mark.parametrize(
    ("problem", "answer", "right"),
    [
        (POLYNOMIAL, "6*x + 5", True),
        (POLYNOMIAL, "6*x + 5" + " " * 1000 + "+ 1", False),
        (POLYNOMIAL, "5 + 6x", True),
        (POLYNOMIAL, "2*3*x + 5", True),
        (POLYNOMIAL, "D(3*x^2 + 5*x)", False),  # the echo
        (POLYNOMIAL, "6*x + D(5*x)", False),
        (POLYNOMIAL, "6*x + 5 + 0*D(x)", False),
        (POLYNOMIAL, "6*x", False),
        (POLYNOMIAL, "6*x + 5 + C", False),
        (POLYNOMIAL, "f'(x) = 6*x + 5", False),
        (POLYNOMIAL, "6*x + 5.", False),
        (POLYNOMIAL, "", False),
        (PRODUCT, "x*(2*sin(3*x) + 3*x*cos(3*x))", True),
        (PRODUCT, "2*x*sin(3*x) + 3*x^2*sin(3*x)", False),
        (QUOTIENT, "(1 - 2*x - x^2)/(x^2 + 1)^2", True),
        (QUOTIENT, "(1 - 2*x - x^2)/(x^2 + 1)", False),
    ],
)
def test_answers(problem: Problem, answer: str, right: bool) -> None:
    verdict = TASK.step(problem, TASK.initial(problem), f"answer: {answer}")
    assert (verdict.kind, verdict.valid) == (Kind.ANSWER, right), verdict.reason
    assert TASK.is_solved(problem, verdict.state) == right
    assert TASK.potential(problem, verdict.state) == float(right)
    assert TASK.legal_steps(problem, verdict.state) == []
    assert TASK.expert_step(problem, verdict.state, np.random.default_rng(0)) is None


@pytest.mark.parametrize(
    ("text", "steps"),
    [
        ("7", {"0"}),
        ("x", {"1"}),
        ("-4*x^3", {"-12*x^2"}),
        ("1/x", {"-1/x^2"}),
        ("(3*x + 1)^4", {"4*(3*x + 1)^3*D(3*x + 1)"}),
        ("2*(x + 1)", {"2*(D(x) + D(1))"}),
        ("x*exp(x)", {"exp(x)*D(x) + x*D(exp(x))"}),
        ("x/(x + 1)", {"((x + 1)*D(x) - x*D(x + 1))/(x + 1)^2"}),
        ("1/(x*exp(x))", {"-D(x*exp(x))/(x^2*exp(x)^2)"}),
        ("cos(2*x)", {"-sin(2*x)*D(2*x)"}),
        ("5*ln(x)", {"5/x"}),
        ("ln(x^2 + 1)", {"D(x^2 + 1)/(x^2 + 1)"}),
        ("sin(x)^2", {"2*sin(x)*D(sin(x))"}),
    ],
)
def test_rules(text: str, steps: set[str]) -> None:
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


PIECES = ("x", "3", "x^2", "sin(x)", "2*x + 1", "exp(2*x)", "1/x", "ln(x + 1)", "cos(x^2)", "x - x")


def odd(rng: random.Random) -> str:
    """An expression of a few pieces."""
    parts = [f"({rng.choice(PIECES)}){rng.choice(['', '', '^2'])}" for _ in range(2)]
    return rng.choice(["*", "*", " + ", " - "]).join(parts)


def test_potential_equals_search_after_odd_claims() -> None:
    """From whatever an agent claims: the derivative, and what comes to nothing."""
    rng, found = random.Random(0), 0
    while found < 24:
        problem, nothing = problem_of(odd(rng)), odd(rng)
        state = TASK.initial(problem)
        factor = f"(1 + D({rng.choice(PIECES)}))"
        for line in (
            f"D({problem.data}) + {factor}*(D({nothing}) - D({nothing}))",
            f"{factor}^2*D({problem.data})/{factor}^2",
        ):
            verdict = TASK.step(problem, state, line)
            if not verdict.valid or TASK.potential(problem, verdict.state) < potential_at(9):
                assert verdict.valid or "zero" in verdict.reason, (problem, line, verdict.reason)
                continue
            found += 1
            distance = searched_distance(problem, verdict.state)
            assert TASK.potential(problem, verdict.state) == potential_at(distance)


@pytest.mark.parametrize("level", TASK.levels)
def test_every_level(level: int) -> None:
    def variants(problem: Problem) -> list[Problem]:
        text = str(problem.data)
        if "(" in text:
            return [problem_of(f"({text})")]
        return [problem_of(" + ".join(text.replace(" - ", " + -").split(" + ")[::-1]))]

    check_task(TASK, levels=[level], seeds=range(2), variants=variants)
    rng, x = np.random.default_rng(level), sympy.Symbol("x")
    problems = [TASK.generate(rng, level) for _ in range(50)]
    assert len({TASK.canonical(problem) for problem in problems}) > 45
    for problem in problems[:12]:
        state = TASK.initial(problem)
        while not TASK.is_solved(problem, state):
            state = TASK.step(problem, state, str(TASK.expert_step(problem, state, rng))).state
        found = _sympy(str(state.answer)).subs(x, 0.37)
        slope = sympy.diff(_sympy(str(problem.data)), x).subs(x, 0.37)
        assert complex(found) == pytest.approx(complex(slope)), (problem, state)


def _sympy(text: str) -> sympy.Expr:
    """For the tests' own expressions only."""
    return sympy.sympify(text.replace("^", "**").replace("ln", "log"))


@pytest.mark.parametrize(
    "data",
    [
        None,
        7,
        "",
        "y^2",
        "x +",
        "D(x)",
        "1/0",
        "sin(sin(x))",
        "ln(2*x)",
        "ln(-x)",
        "x^65",
        "x" * 1001,
        "*".join(f"sin({i}*x)" for i in range(1, 30)),
        "+".join(f"x^2*{i}" for i in range(60)),
    ],
)
def test_unusable_problems_raise(data: object) -> None:
    with pytest.raises(ValueError, match="xpression"):
        TASK.initial(Problem("Derivative", 1, data))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("x^999999999", "exponent"),
        ("(x + 1)^500", "exponent"),
        ("9" * 100, "64 digits"),
        ("(" * 400 + "x" + ")" * 400, "brackets"),
        ("D(" * 300 + "x" + ")" * 300, "brackets"),
        ("x + " * 1000 + "x", "characters"),
        ("(sin(x) + cos(x) + exp(x) + x)^60", "work"),
        ("+".join(["D(x*sin(x))"] * 20), "rules"),
        ("+".join(f"ln(x^8 + {i}*x + 1)" for i in range(40)), "work"),
    ],
)
def test_oversized_claims(line: str, reason: str) -> None:
    verdict = TASK.step(POLYNOMIAL, TASK.initial(POLYNOMIAL), line)
    assert (verdict.kind, verdict.valid) == (Kind.CLAIM, False)
    assert reason in verdict.reason


def test_reasons_do_not_state_the_derivative() -> None:
    problem = problem_of("211*x")
    for line in ("210", "D(210*x)", "answer: 212", "answer: D(211*x)"):
        assert "211" not in TASK.step(problem, TASK.initial(problem), line).reason


def played_to_the_end(problem: Problem, line: str) -> None:
    """Go on from a claim by legal steps; each is valid and a step nearer."""
    state = TASK.step(problem, TASK.initial(problem), line).state
    assert state != TASK.initial(problem), line
    while not TASK.is_solved(problem, state):
        before, rng = TASK.potential(problem, state), np.random.default_rng(0)
        verdict = TASK.step(problem, state, str(TASK.expert_step(problem, state, rng)))
        assert verdict.valid, verdict.reason
        state = verdict.state
        assert TASK.potential(problem, state) == pytest.approx(before / 0.9)


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("D(x) + {0}*D(1/x^60)*(D(7) + D(x^50)) - {0}*D(1/x^60)*(D(7) + D(x^50))", ""),
        ("D(x) + x^60*D(1/(x^60*sin(x))) - x^60*D(1/(x^60*sin(x)))", ""),
        ("D(x) + 9^30*D(9^30*x) - 9^30*D(9^30*x)", ""),
        ("D(x) + D(exp(2*x)^33)^33 - D(exp(2*x)^33)^33", "powers of powers"),
        ("D(x) + (9^60*D(9^60*x^2))^20 - (9^60*D(9^60*x^2))^20", "64 digits"),
    ],
)
def test_no_rule_goes_beyond_the_limits(line: str, reason: str) -> None:
    problem, line = problem_of("x"), line.format("x^60*D(x^60)")
    if reason:
        assert reason in TASK.step(problem, TASK.initial(problem), line).reason
    else:
        played_to_the_end(problem, line)
