"""Polynomial: identity, forms asked for, hostile algebra, and distances against a search."""

import random
import re
from fractions import Fraction

import numpy as np
import pytest

from reason_env.checks import check_task
from reason_env.problem import Kind, Problem, State
from reason_env.task import potential_at
from reason_env.tasks.polynomial import Polynomial

TASK = Polynomial()


def problem_of(goal: str, text: str) -> Problem:
    return Problem("Polynomial", 1, (goal, text))


EXPAND = problem_of("expand", "(x + 2)*(x - 3)")
FACTOR = problem_of("factor", "2*x^3 - 2*x^2 - 12*x")


def test_the_episode_of_the_docstring() -> None:
    state = TASK.initial(EXPAND)
    assert TASK.prompt(EXPAND, "compact") == "expand (x + 2)*(x - 3)"
    for line in ("x^2 - 3*x + 2*x - 6", "x^2 - x - 6", "answer: x^2 - x - 6"):
        before = TASK.potential(EXPAND, state)
        verdict = TASK.step(EXPAND, state, line)
        assert verdict.valid
        state = verdict.state
        assert TASK.potential(EXPAND, state) == pytest.approx(before / 0.9)
    assert TASK.is_solved(EXPAND, state)


@pytest.mark.parametrize(
    ("line", "text"),
    [
        ("x^2 - x - 6", "x^2 - x - 6"),
        ("x*x-3*x+2*x-6", "x^2 - 3*x + 2*x - 6"),
        ("x**2 - x - 6", "x^2 - x - 6"),
        ("-6 - x + x^2", "-6 - x + x^2"),
        ("(x + 2)(x - 3)", "(x + 2)*(x - 3)"),
        ("(x - 3)*(2 + x)", "(x - 3)*(2 + x)"),
        ("x*(x - 3) + 2*(x - 3)", "x*(x - 3) + 2*(x - 3)"),
        ("x^2 - 1/2*(2x + 12)", "x^2 - 1/2*(2*x + 12)"),
        ("(x - 1/2)^2 - 25/4", "(x - 1/2)^2 - 25/4"),
        ("(x + x - x + 2)*(x - x + 1)*(x - 3)", "(x + x - x + 2)*(x - 3)"),
        ("x^2 - x - 7", None),
        ("x^2 + x - 6", None),
        ("x + 2", None),
        ("y^2 - y - 6", None),
        ("x^2 - x - 6 +", None),
        ("(x^2 - x - 6", None),
        ("x^2 - x - 6)", None),
        ("--x", None),
        ("x^x", None),
        ("(x^3 - x^2 - 6*x)/x", None),  # no polynomial as it stands
        ("x^2 - x - 6/0", None),
        ("sin(x)", None),
        ("7", None),
    ],
)
def test_claims(line: str, text: str | None) -> None:
    state = TASK.initial(EXPAND)
    verdict = TASK.step(EXPAND, state, line)
    assert verdict.kind is Kind.CLAIM
    assert verdict.valid == (text is not None), verdict.reason
    assert verdict.state == (State(text) if text else state)
    assert bool(verdict.reason) == (text is None)


@pytest.mark.parametrize(
    "line", ["", "so x^2", "x^2 - x - 6 = 0", "= x^2", "x, 2", "+", "(", "expand it", "x_1 + 2"]
)
def test_thoughts(line: str) -> None:
    verdict = TASK.step(EXPAND, TASK.initial(EXPAND), line)
    assert (verdict.kind, verdict.valid) == (Kind.THOUGHT, True)


@pytest.mark.parametrize(
    ("problem", "answer", "right"),
    [
        (EXPAND, "x^2 - x - 6", True),
        (EXPAND, "x^2 - x - 6" + " " * 1000 + "+ 1", False),
        (EXPAND, "-6 - x + x^2", True),
        (EXPAND, "(x^2 - x - 6)", True),
        (EXPAND, "(x + 2)*(x - 3)", False),  # the echo
        (EXPAND, "x^2 - 3*x + 2*x - 6", False),
        (EXPAND, "x*x - x - 6", False),
        (EXPAND, "x^2 - x - 2*3", False),
        (EXPAND, "x^2 - x - 12/2", False),
        (EXPAND, "2/2*x^2 - x - 6", False),
        (EXPAND, "x^2 - 1x - 6", True),
        (EXPAND, "x^2 - x - 3 - 3", False),
        (EXPAND, "x^2 - x + 0*x - 6", False),
        (EXPAND, "x*(x - 1) - 6", False),
        (EXPAND, "x^2 - x - 5", False),
        (EXPAND, "x^2 - x - 6 or 1", False),
        (EXPAND, "", False),
        (EXPAND, "x^2 - x - 6 = 0", False),
        (FACTOR, "2*x*(x - 3)*(x + 2)", True),
        (FACTOR, "2x(x+2)(x-3)", True),
        (FACTOR, "-2*x*(3 - x)*(x + 2)", True),
        (FACTOR, "2*x^3 - 2*x^2 - 12*x", False),
        (FACTOR, "2*x*(x^2 - x - 6)", False),
        (FACTOR, "x*(2*x - 6)*(x + 2)", False),  # 2*x - 6 is 2*(x - 3)
        (FACTOR, "4*x*(1/2*x - 3/2)*(x + 2)", False),
        (FACTOR, "2*x*(x - 2 - 1)*(x + 2)", False),
        (FACTOR, "x*(x - 3)*(x + 2)", False),
        (problem_of("factor", "x^2 - 4*x + 4"), "(x - 2)^2", True),
        (problem_of("factor", "x^2 - 4*x + 4"), "(x - 2)*(x - 2)", True),
        (problem_of("factor", "x^2 - 4*x + 4"), "(x - 2)*(2 - x)*-1", True),
        (problem_of("factor", "x^4 - 4"), "(x^2 - 2)*(x^2 + 2)", True),
        (problem_of("factor", "x^2 - y^2"), "(x - y)*(x + y)", True),
        (problem_of("expand", "(x + y)^2"), "x^2 + 2*x*y + y^2", True),
        (problem_of("expand", "(x + y)^2"), "y*y + 2*x*y + x^2", False),
        (problem_of("expand", "x*(x + 1) - x^2 - x"), "0", True),
        (problem_of("expand", "(1/2*x + 3)*2"), "x + 6", True),
        (problem_of("expand", "x*(x + 3)/2"), "x^2/2 + 3*x/2", True),
        (problem_of("expand", "x*(x + 3)/2"), "1/2*x^2 + 3/2*x", True),
        (problem_of("expand", "x*(x + 3)/2"), "2/4*x^2 + 3/2*x", False),
        (problem_of("expand", "x*(x + 3)/2"), "(x^2 + 3*x)/2", False),
    ],
)
def test_answers(problem: Problem, answer: str, right: bool) -> None:
    verdict = TASK.step(problem, TASK.initial(problem), f"answer: {answer}")
    assert (verdict.kind, verdict.valid) == (Kind.ANSWER, right), verdict.reason
    assert TASK.is_solved(problem, verdict.state) == right
    assert TASK.potential(problem, verdict.state) == float(right)
    assert TASK.legal_steps(problem, verdict.state) == []
    assert TASK.expert_step(problem, verdict.state, np.random.default_rng(0)) is None


def test_reasons_do_not_state_the_result() -> None:
    problem = problem_of("expand", "31*(x + 7)")
    for line in ("31*x + 216", "31*x + 218", "answer: 31*x + 7*31", "answer: 3"):
        assert "217" not in TASK.step(problem, TASK.initial(problem), line).reason


@pytest.mark.parametrize(
    ("goal", "text", "steps"),
    [
        ("expand", "(x + 2)*(x - 3)", {"x^2 - 3*x + 2*x - 6"}),
        ("expand", "-(x - 3) + 2*x", {"-x + 3 + 2*x"}),
        ("expand", "2*(x + 1)*(x - 1)", {"2*(x^2 - x + x - 1)"}),
        ("expand", "2*(x + x + 1)", {"2*(2*x + 1)"}),
        ("expand", "(x + 1)^2 + 3*(x + 2)", {"x^2 + x + x + 1 + 3*(x + 2)", "(x + 1)^2 + 3*x + 6"}),
        ("expand", "(x + 1)*(y + 1)", {"x*y + x + y + 1"}),
        ("factor", "x^2 - x - 6", {"(x - 3)*(x + 2)", "(x + 2)*(x - 3)"}),
        ("factor", "6 + x - x^2", {"-(x - 3)*(x + 2)", "-(x + 2)*(x - 3)"}),
        ("factor", "2*x^3 - 8*x", {"2*x*(x^2 - 4)"}),
        ("factor", "1/2*x^2 - 1/8", {"1/8*(4*x^2 - 1)"}),
        (
            "factor",
            "x^4 - 2*x^2 + 1",
            {"(x - 1)*(x^3 + x^2 - x - 1)", "(x + 1)*(x^3 - x^2 - x + 1)"},
        ),
    ],
)
def test_legal_steps(goal: str, text: str, steps: set[str]) -> None:
    problem = problem_of(goal, text)
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


PIECES = ("x", "2", "x + 1", "x - 1", "1 + x", "x + x", "x - x + 2", "2*x - 2", "x^2 - 1", "x + y")


def untidy(rng: random.Random, depth: int = 2) -> str:
    """A polynomial as nobody would write it."""
    if depth == 0:
        return rng.choice(PIECES)
    parts = [f"({untidy(rng, rng.randrange(depth))})" for _ in range(rng.randint(1, 3))]
    parts = [part + rng.choice(["", "", "^2"]) for part in parts]
    text = "*".join(parts[:2])
    return f"{text}{rng.choice([' + ', ' - '])}{parts[2]}" if len(parts) > 2 else text


@pytest.mark.parametrize("goal", ["expand", "factor"])
def test_potential_equals_search_after_untidy_claims(goal: str) -> None:
    """From whatever an agent claims: an untidy form of the problem, plus what comes to nothing."""
    rng, found = random.Random(goal), 0
    while found < 40:
        text = untidy(rng)
        nothing = untidy(rng, 1).replace("y", "x")
        plain = problem_of("expand", text)
        try:
            tidy = str(_played(plain).answer)
            problem = problem_of(goal, text if goal == "expand" else tidy)
            state = TASK.initial(problem)
        except ValueError:
            continue
        for line in (text, f"{text} + {nothing} - ({nothing})"):
            verdict = TASK.step(problem, state, line)
            assert verdict.valid, (problem, line, verdict.reason)
            if TASK.potential(problem, verdict.state) < potential_at(9):
                continue  # its search would take long
            found += 1
            distance = searched_distance(problem, verdict.state)
            assert TASK.potential(problem, verdict.state) == potential_at(distance)


def _played(problem: Problem) -> State:
    """The end of an expert's episode."""
    state, rng = TASK.initial(problem), np.random.default_rng(0)
    while not TASK.is_solved(problem, state):
        state = TASK.step(problem, state, str(TASK.expert_step(problem, state, rng))).state
    return state


@pytest.mark.parametrize("level", TASK.levels)
def test_every_level(level: int) -> None:
    def variants(problem: Problem) -> list[Problem]:
        assert isinstance(problem.data, tuple)
        goal, text = map(str, problem.data)
        terms = text.replace(" - ", " + -").split(" + ")
        outside = "(" not in text
        turned = " + ".join(terms[::-1]) if outside else f"{text} + 0"
        names = sorted({c for c in text if c.isalpha()})
        renamed = text.translate(str.maketrans("".join(names), "nk"[: len(names)]))
        return [problem_of(goal, turned), problem_of(goal, renamed)]

    check_task(TASK, levels=[level], seeds=range(2), variants=variants)
    rng = np.random.default_rng(level)
    problems = [TASK.generate(rng, level) for _ in range(50)]
    for problem in problems[:30]:
        assert _evaluated(str(problem.data[1])) == _evaluated(str(_played(problem).answer))  # type: ignore[index]
    assert len({TASK.canonical(problem) for problem in problems}) > 45


def _evaluated(text: str) -> list[Fraction]:
    """Values by Python's own precedence; for the tests' own expressions only."""
    code = "".join(f"Fraction({c})" if c.isdigit() else c for c in _spaced(text))
    points = [{c: Fraction(i + k, 7) for i, c in enumerate("abmnpqstuvxy")} for k in range(3)]
    return [eval(code, {"Fraction": Fraction, **point}) for point in points]


def _spaced(text: str) -> list[str]:
    """The text in pieces, `^` as Python writes it."""
    return ["**" if piece == "^" else piece for piece in re.findall(r"[0-9]+|\S", text)]


@pytest.mark.parametrize(
    "data",
    [
        None,
        "expand x*(x + 1)",
        ("expand",),
        ("integrate", "x*(x + 1)"),
        ("expand", 7),
        ("expand", ""),
        ("expand", "3"),
        ("expand", "x^2 + 1"),
        ("factor", "x^2 + 1"),
        ("factor", "x - 1"),
        ("factor", "(x - 1)*(x + 1)"),
        ("expand", "(x + 1"),
        ("expand", "(x + 1)/x"),
        ("expand", "(x + 1)^13"),
        ("expand", "(a + b)*(c + d)"),
        ("expand", "x*(sin(x))"),
        ("expand", "(x + 1)*" * 300 + "x"),
        ("expand", "(x^2 + x + 1)*(x + y + 1)^5"),
    ],
)
def test_unusable_problems_raise(data: object) -> None:
    with pytest.raises(ValueError, match=r"Polynomial|expression"):
        TASK.initial(Problem("Polynomial", 1, data))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("x^999999999", "exponent"),
        ("(x + 1)^500", "exponent"),
        ("(x + 1)^40", "degree"),
        ("((x + 1)^9)^9", "exponent"),
        ("9" * 100, "64 digits"),
        ("9^64*9^64", "64 digits"),
        ("x - " + "9" * 40, "30 digits"),
        ("(" * 400 + "x" + ")" * 400, "brackets"),
        ("x^2 - x - 6 + (x + 1)^12 - (x + 1)^12", "terms"),
        ("x + " * 1000 + "x", "characters"),
        ("x^2 - x - 6" + " + x - x" * 100, None),
    ],
)
def test_oversized_claims(line: str, reason: str | None) -> None:
    verdict = TASK.step(EXPAND, TASK.initial(EXPAND), line)
    assert (verdict.kind, verdict.valid) == (Kind.CLAIM, reason is None)
    assert (reason or "") in verdict.reason


def test_canonical_tells_problems_apart() -> None:
    texts = {"(x + 2)*(x - 3)", "(x - 2)*(x + 3)", "x*(x - 3)", "(x + 2)^2"}
    canonical = {TASK.canonical(problem_of("expand", text)) for text in texts}
    assert len(canonical) == len(texts)
    assert TASK.canonical(problem_of("expand", "(y - 3)*(2 + y)")) in canonical


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
    ("problem", "line"),
    [
        (EXPAND, "(x + 2)*(x - 3) + (10^14*x + 1)*(x/10^14 + 1) - (10^14*x + 1)*(x/10^14 + 1)"),
        (EXPAND, "(x + 2)*(x - 3) + (x^5 + 1)^2*(x - 1) - (x^5 + 1)^2*(x - 1)"),
        (problem_of("factor", "x^12 - 1"), "(x^12 - 1 + 10^28*x - 10^28*x)*1"),
        (problem_of("factor", "x^4 - 16"), "(x^2/10^14 - 4/10^14)*(10^14*x^2 + 4*10^14)"),
    ],
)
def test_no_step_goes_beyond_the_limits(problem: Problem, line: str) -> None:
    played_to_the_end(problem, line)


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("{0} + (x^6 + 1)^2*(x - 1) - (x^6 + 1)^2*(x - 1)", "degree"),
        ("{0} + 10^31*x - 10^31*x", "30 digits"),
        ("{0} + x/10^16*(x/10^16 + 1) - x/10^16*(x/10^16 + 1)", "30 digits"),
    ],
)
def test_what_cancels_is_limited_too(line: str, reason: str) -> None:
    for problem in (EXPAND, FACTOR):
        verdict = TASK.step(problem, TASK.initial(problem), line.format(f"({problem.data[1]})"))  # type: ignore[index]
        assert not verdict.valid
        assert reason in verdict.reason
