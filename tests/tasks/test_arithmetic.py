"""Arithmetic: precedence, redexes, canonical answers, limits."""

import re
from fractions import Fraction

import numpy as np
import pytest

from reason_env.problem import Kind, Problem, State
from reason_env.task import potential_at
from reason_env.tasks.arithmetic import MAX_OPERATIONS, Arithmetic

TASK = Arithmetic()


def problem_of(expression: str) -> Problem:
    return Problem("Arithmetic", 1, expression)


def python_value(expression: str) -> Fraction:
    """The value by Python's own precedence; for the tests' own expressions only."""
    exact = re.sub(r"\d+", lambda match: f"Fraction({match[0]})", expression)
    return eval(exact, {"Fraction": Fraction})  # type: ignore[no-any-return]


@pytest.mark.parametrize(
    ("expression", "line", "left"),
    [
        ("3 + 4 * 2", "4 * 2 = 8", "3 + 8"),
        ("3 + 4 * 2", "4*2=8", "3 + 8"),
        ("3 + 4 * 2", "3 + 4 = 7", None),  # true, but * comes first
        ("(3 + 4) * 2", "3 + 4 = 7", "7 * 2"),
        ("10 - 3 + 2", "10 - 3 = 7", "7 + 2"),
        ("10 - 3 + 2", "3 + 2 = 5", None),  # - and + go from left to right
        ("12 / 2 * 3", "12 / 2 = 6", "6 * 3"),
        ("12 / 2 * 3", "2 * 3 = 6", None),
        ("10 - (3 + 2)", "3 + 2 = 5", "10 - 5"),
        ("10 - (3 + 2)", "10 - 3 = 7", None),
        ("1 + 2 + 3 * 4", "3 * 4 = 12", "1 + 2 + 12"),
        ("1 + 2 + 3 * 4", "1 + 2 = 3", "3 + 3 * 4"),
        ("1 + 2 + 3 * 4", "2 + 3 = 5", None),
        ("(1 + 2) * (1 + 2)", "1 + 2 = 3", "3 * (1 + 2)"),  # the leftmost
        ("4 - 1 * 4", "4 - 1 = 3", None),
        ("3 + 4", "4 + 3 = 7", None),  # the order is that of the expression
        ("3 + 4", "3 + 4 = 8", None),
        ("3 + 4", "3 + 4 = 07", None),
        ("3 + 4", "3 + 4 = 14/2", None),
        ("3 - 5", "3 - 5 = -2", "-2"),
        ("3 - 5", "3 - 5 = (-2)", "-2"),
        ("3 - 5 + 1", "3 - 5 = -2", "(-2) + 1"),
        ("(-2) + 1", "(-2) + 1 = -1", "-1"),
        ("(-2) + 1", "-2 + 1 = -1", "-1"),
        ("-2 + 1", "-2 + 1 = -1", "-1"),
        ("4 - (-2)", "4 - (-2) = 6", "6"),
        ("4 - (-2)", "4 - -2 = 6", "6"),
        ("4 - (-2)", "4 + 2 = 6", None),
        ("7 / 2 + 1", "7 / 2 = 7/2", "(7/2) + 1"),
        ("7 / 2 + 1", "7 / 2 = (7/2)", "(7/2) + 1"),
        ("6 / 4 + 1", "6 / 4 = 6/4", None),  # only echoes the question
        ("(7/2) + 1", "(7/2) + 1 = 9/2", "9/2"),
        ("(7/2) + 1", "7/2 + 1 = 9/2", "9/2"),
        ("(7/2) * 2", "7 / 2 = 7/2", None),  # a number already
        ("7 / (2 / 4)", "2 / 4 = 1/2", "7 / (1/2)"),
        ("7 / (1/2)", "7 / (1/2) = 14", "14"),
    ],
)
def test_claims(expression: str, line: str, left: str | None) -> None:
    problem = problem_of(expression)
    state = TASK.initial(problem)
    verdict = TASK.step(problem, state, line)
    assert verdict.kind is Kind.CLAIM
    assert verdict.valid == (left is not None), verdict
    assert verdict.state == (State(left) if left else state)
    assert bool(verdict.reason) == (left is None)


@pytest.mark.parametrize(
    "line", ["3 + 4", "3 + 4 = 7 = 7", "3 + 4 * 2 = 11", "so 3 + 4 = 7", "7", "", "((3 + 4)) = 7"]
)
def test_thoughts(line: str) -> None:
    problem = problem_of("3 + 4 * 2")
    verdict = TASK.step(problem, TASK.initial(problem), line)
    assert (verdict.kind, verdict.valid) == (Kind.THOUGHT, True)


@pytest.mark.parametrize(
    ("expression", "answer", "right"),
    [
        ("3 + 4", "7", True),
        ("3 + 4", " 7 ", True),
        ("3 + 4", "3 + 4", False),  # the echo hack
        ("3 + 4", "14/2", False),
        ("3 + 4", "7/1", False),
        ("3 + 4", "07", False),
        ("3 + 4", "+7", False),
        ("3 + 4", "7.0", False),
        ("3 + 4", "(7)", False),
        ("3 + 4", "7 or 8", False),
        ("3 + 4", "8", False),
        ("3 + 4", "", False),
        ("3 - 3", "0", True),
        ("3 - 3", "-0", False),
        ("3 - 5", "-2", True),
        ("3 - 5", "- 2", False),
        ("7 / 2", "7/2", True),
        ("7 / 2", "7 / 2", False),
        ("7 / 2", "3.5", False),
        ("6 / 4", "6/4", False),
        ("6 / 4", "3/2", True),
        ("1 - 3 / 2", "-1/2", True),
    ],
)
def test_answers(expression: str, answer: str, right: bool) -> None:
    problem = problem_of(expression)
    verdict = TASK.step(problem, TASK.initial(problem), f"answer: {answer}")
    assert (verdict.kind, verdict.valid) == (Kind.ANSWER, right)
    assert TASK.is_solved(problem, verdict.state) == right
    assert TASK.potential(problem, verdict.state) == float(right)
    assert TASK.legal_steps(problem, verdict.state) == []
    assert TASK.expert_step(problem, verdict.state, np.random.default_rng(0)) is None


def test_reasons_do_not_state_the_value() -> None:
    problem = problem_of("41 * 17")
    state = TASK.initial(problem)
    for line in ("41 * 17 = 698", "answer: 698", "answer: 41 * 17", "17 * 41 = 697 "):
        assert "697" not in TASK.step(problem, state, line).reason.replace("17 * 41", "")


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("3+4*2", "3 + 4 * 2"),
        (" ( 3 + 4 )*2 ", "(3 + 4) * 2"),
        ("((3 + 4))", "3 + 4"),
        ("(3 * 4) + 2", "3 * 4 + 2"),
        ("3 + (4 + 2)", "3 + (4 + 2)"),
        ("(3 + 4) + 2", "3 + 4 + 2"),
        ("3 * (4 / 2)", "3 * (4 / 2)"),
        ("-3 * -4", "(-3) * (-4)"),
        ("(-3)", "-3"),
        ("7/2", "7/2"),
        ("(7/2)*2", "(7/2) * 2"),
        ("7/2*2", "7 / 2 * 2"),
        ("-(7/2) + 1", "(-7/2) + 1"),
        ("(14/4) + 1", "(7/2) + 1"),
        ("007 + 1", "7 + 1"),
    ],
)
def test_canonical_text(text: str, canonical: str) -> None:
    problem = problem_of(text)
    state = TASK.initial(problem)
    assert state.data == TASK.show(problem, state) == canonical
    assert TASK.initial(problem_of(canonical)) == state


@pytest.mark.parametrize(
    "text",
    [
        "",
        "3 +",
        "+ 3",
        "3 4",
        "(3",
        "3)",
        "()",
        "3 + * 4",
        "--3",
        "-(3 + 4)",
        "2 ** 3",
        "3 ^ 4",
        "x + 1",
        "3 = 3",
        "1.5 + 1",
        "3 / 0",
        "1 / (2 - 2)",
        "(1/0) + 1",
        "(" * 65 + "1 + 1" + ")" * 65,
        "1" + " + 1" * (MAX_OPERATIONS + 1),
        "9" * 300 + " + 1",
        "*".join(["9" * 60] * 4),
        "1 + " * 1000 + "1",
        "\u0663 + 1",
        "\uff13 + 1",
    ],
)
def test_unusable_problems_raise(text: str) -> None:
    with pytest.raises(ValueError, match=r"[Ee]xpression"):
        TASK.initial(problem_of(text))


@pytest.mark.parametrize("data", [None, 7, (3, 4), True])
def test_problems_of_the_wrong_type_raise(data: object) -> None:
    with pytest.raises(ValueError, match="An expression is a text"):
        TASK.initial(Problem("Arithmetic", 1, data))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "text",
    ["1" + " + 1" * MAX_OPERATIONS, "(" * 64 + "1 + 1" + ")" * 64, "1 - (" * 60 + "1" + ")" * 60],
)
def test_the_largest_problems_work(text: str) -> None:
    problem = problem_of(text)
    state, rng = TASK.initial(problem), np.random.default_rng(0)
    while not TASK.is_solved(problem, state):
        state = TASK.step(problem, state, str(TASK.expert_step(problem, state, rng))).state
    assert state.answer == str(python_value(text))


@pytest.mark.parametrize("level", TASK.levels)
def test_any_order_of_reductions_leads_to_the_value(level: int) -> None:
    rng = np.random.default_rng(level)
    for _ in range(20):
        problem = TASK.generate(rng, level)
        text = str(problem.data)
        state = TASK.initial(problem)
        distance = len(re.findall(" [-+*/] ", text)) + 1
        while distance:
            assert TASK.potential(problem, state) == potential_at(distance)
            line = str(TASK.expert_step(problem, state, rng))
            state = TASK.step(problem, state, line).state
            distance -= 1
        assert state.answer == str(python_value(text))


@pytest.mark.parametrize(
    ("level", "operations", "low", "high"), [(1, 2, 0, 99), (5, 10, -9_999_999, 9_999_999)]
)
def test_levels_keep_their_bounds(level: int, operations: int, low: int, high: int) -> None:
    rng = np.random.default_rng(0)
    signs = set()
    for _ in range(200):
        problem = TASK.generate(rng, level)
        state = TASK.initial(problem)
        assert len(re.findall(" [-+*/] ", str(problem.data))) == operations
        for _ in range(operations):
            line = str(TASK.expert_step(problem, state, rng))
            signs.add(line.split()[1])
            assert low <= int(line.split(" = ")[1]) <= high
            state = TASK.step(problem, state, line).state
    assert signs == set("+-*/")


@pytest.mark.parametrize(
    ("line", "written"),
    [
        ("3 + 4", "3 + 4 = 7"),
        ("3+4", "3+4 = 7"),
        ("3 / 0", "3 / 0 = 0"),  # not in the expression: a claim that fails
        ("3 * 4", "3 * 4 = 0"),
        ("6/4 * 2", "6/4 * 2 = 0"),
        ("3 + 4 = 7", "3 + 4 = 7"),
        ("3 + 4 + 5", "3 + 4 + 5"),
        ("answer: 3", "answer: 3"),
        ("hm", "hm"),
    ],
)
def test_complete(line: str, written: str) -> None:
    problem = problem_of("3 + 4")
    assert TASK.complete(problem, TASK.initial(problem), line) == written


@pytest.mark.parametrize("line", ["7 / 2", "(-3) * (7/2)", "-3 * 7/2", "5 / (7/2)"])
def test_completed_claims_are_valid(line: str) -> None:
    problem = problem_of("7 / 2 + -3 * (7/2) + 5 / (7/2)")
    state = TASK.initial(problem)
    verdict = TASK.step(problem, state, TASK.complete(problem, state, line))
    assert (verdict.kind, verdict.valid) == (Kind.CLAIM, True)


def test_completing_huge_numbers_does_not_raise() -> None:
    problem = problem_of("3 + 4")
    state = TASK.initial(problem)
    for line in ("9" * 250 + " * " + "9" * 250, "9" * 5000 + " + 1"):
        verdict = TASK.step(problem, state, TASK.complete(problem, state, line))
        assert (verdict.kind, verdict.valid) == (Kind.CLAIM, False)


def test_canonical_ignores_the_order_of_operands() -> None:
    def canonical(text: str) -> str:
        return TASK.canonical(problem_of(text))

    assert canonical("3 + 4 * 2") == canonical("2 * 4 + 3")
    assert canonical("3 - 4 * 2") == canonical("3 - 2 * 4") != canonical("4 * 2 - 3")
    assert canonical("8 / 2") != canonical("2 / 8")
    assert canonical("(1 + 2) * 3") != canonical("1 + 2 * 3")
