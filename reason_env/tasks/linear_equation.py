"""LinearEquation: solve an equation in one unknown, one equivalent equation a line.

An episode (level 1):

    2*x + 3 = 11
    2*x = 8
    x = 4
    answer: 4

A value task with a public verifier: put the answer in for the unknown. Any equation with the same
single solution is a valid claim, however it was found; it becomes the state as it was written. The
legal steps are the rewrites of a textbook: expand a bracket, collect a side, then move a term and
divide. The potential counts them exactly.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction
from functools import lru_cache
from typing import ClassVar

import numpy as np

from reason_env import lines
from reason_env.answers import is_value, judge_answer
from reason_env.problem import Json, Kind, Problem, State, Verdict
from reason_env.task import Task, potential_at
from reason_env.tasks.linear_text import (
    Equation,
    NotLinear,
    Side,
    Term,
    looks_like_equation,
    number_term,
    parse_equation,
    x_term,
)

_NAMES = "abkmnptuvwxyz"


class LinearEquation(Task):
    """See the module's text. `Problem.data` and `State.data` are equations."""

    name: ClassVar[str] = "LinearEquation"
    levels: ClassVar[range] = range(1, 6)
    public_verifier: ClassVar[bool] = True
    asks_answer: ClassVar[bool] = True

    def generate(self, rng: np.random.Generator, level: int) -> Problem:
        while True:
            equation = _BUILDERS[level](rng)
            if equation.solution is not None:
                return Problem(self.name, level, equation.text)

    def initial(self, problem: Problem) -> State:
        """The equation in canonical spacing.

        Raises:
            ValueError: the problem is not a linear equation with a single solution.
        """
        _solution(problem.data)
        return State(_equation(problem.data).text)

    def step(self, problem: Problem, state: State, line: str) -> Verdict:
        if lines.kind_of(line) is Kind.ANSWER:
            return judge_answer(state, line, _solution(problem.data))
        text = line.strip()
        if not looks_like_equation(text):
            return Verdict(Kind.THOUGHT, True, state)
        try:
            equation = parse_equation(text)
        except NotLinear as error:
            return Verdict(Kind.CLAIM, False, state, str(error))
        reason = _objection(equation, problem)
        if reason:
            return Verdict(Kind.CLAIM, False, state, reason)
        return Verdict(Kind.CLAIM, True, State(equation.text))

    def is_solved(self, problem: Problem, state: State) -> bool:
        return is_value(state.answer, _solution(problem.data))

    def potential(self, problem: Problem, state: State) -> float:
        if state.answer is not None:
            return float(self.is_solved(problem, state))
        return potential_at(_lines_left(state.data))

    def legal_steps(self, problem: Problem, state: State) -> Sequence[str]:
        if state.answer is not None:
            return []
        return [text for text, _ in _moves(state.data)]

    def expert_step(self, problem: Problem, state: State, rng: np.random.Generator) -> str | None:
        if state.answer is not None:
            return None
        moves = _moves(state.data)
        nearest = min(distance for _, distance in moves)
        good = [text for text, distance in moves if distance == nearest]
        return good[int(rng.integers(len(good)))]

    def prompt(self, problem: Problem, style: str) -> str:
        equation = _equation(problem.data)
        if style == "compact":
            return equation.text
        name = equation.variable
        return (
            f"Solve {equation.text} for {name}.\n"
            "Write one equation a line, each with the same solution as the one before: expand "
            f"brackets, collect like terms, move a term, divide; for example: 2*{name} = 8\n"
            "At the end give the value as a whole number or a fraction in lowest terms, in the "
            "form: answer: 4"
        )

    def show(self, problem: Problem, state: State) -> str:
        return _equation(state.data).text

    def chance(self, level: int) -> float:
        """Always one of the small whole numbers that solutions are drawn from."""
        return 0.06 if level == 1 else 0.025

    def canonical(self, problem: Problem) -> str:
        """Ignores the unknown's name, which side is which, and the order of terms."""
        equation = _equation(problem.data)
        sides = (equation.left, equation.right)
        return " = ".join(sorted("+".join(sorted(map(str, side.terms))) for side in sides))


@lru_cache(maxsize=65536)
def _equation(data: Json) -> Equation:
    """The equation of a problem or state.

    Raises:
        ValueError: it is not linear.
    """
    try:
        return parse_equation(data if isinstance(data, str) else str(data))
    except NotLinear as error:
        raise ValueError(f"Equation {data!r:.80} is not usable: {error}") from error


def _solution(data: Json) -> Fraction:
    """The solution of a problem.

    Raises:
        ValueError: there is none, or every number is one.
    """
    equation = _equation(data)
    if equation.solution is None:
        raise ValueError(f"Equation {data!r:.80} has not exactly one solution")
    return equation.solution


def _objection(equation: Equation, problem: Problem) -> str:
    """Why an equation is not a valid claim; empty if it is."""
    wanted = _equation(problem.data).variable
    if equation.variable != wanted:
        return f"the unknown {wanted} must be in it, and no other"
    if equation.solution is None:
        return "it has no solution, or every number is one"
    if equation.solution != _solution(problem.data):
        return "it does not have the solution of the problem"
    return ""


# -- Rewrites ------------------------------------------------------------------------------------
#
# A side is prepared by itself: its brackets are expanded one at a time, then it is collected to
# a*x + b. Only when both sides are prepared are terms moved and coefficients divided by. So the
# distance is the sum of both preparations and of a way between equations a*x + b = c*x + d, which
# is short enough to search.

Form = tuple[Fraction, Fraction, Fraction, Fraction]
"""a, b, c, d of a*x + b = c*x + d."""


@lru_cache(maxsize=65536)
def _moves(data: Json) -> tuple[tuple[str, int], ...]:
    """Legal steps, and the distance after each."""
    equation = _equation(data)
    found: dict[str, int] = {}
    for following in _rewrites(equation):
        found.setdefault(following.text, _distance(following))
    if not found:
        found[f"answer: {equation.solution}"] = 0
    return tuple(found.items())


def _rewrites(equation: Equation) -> Iterator[Equation]:
    left, right, variable = equation.left, equation.right, equation.variable
    for side in _prepared(left, variable):
        yield Equation(side, right, variable)
    for side in _prepared(right, variable):
        yield Equation(left, side, variable)
    if left.is_collected(variable) and right.is_collected(variable):
        for a, b, c, d in _steps(equation.form):
            yield Equation(_side(a, b, variable), _side(c, d, variable), variable)


def _prepared(side: Side, variable: str) -> Iterator[Side]:
    """The side after one step of its preparation."""
    for i, term in enumerate(side.terms):
        if term.is_bracket:
            yield Side.of(side.terms[:i] + term.expanded() + side.terms[i + 1 :], variable)
    if not side.brackets and not side.is_collected(variable):
        yield _side(side.slope, side.constant, variable)


def _preparation(side: Side, variable: str) -> int:
    """How many steps `_prepared` takes to the end."""
    if side.brackets:
        terms = tuple(part for term in side.terms for part in term.expanded())
        side_after = Side.of(terms, variable)
    else:
        side_after = side
    return side.brackets + (0 if side_after.is_collected(variable) else 1)


def _side(slope: Fraction, constant: Fraction, variable: str) -> Side:
    """slope*x + constant."""
    return Side.of((x_term(slope), number_term(constant)), variable)


@lru_cache(maxsize=65536)
def _lines_left(data: Json) -> int:
    """`_distance` of a state."""
    return _distance(_equation(data))


def _distance(equation: Equation) -> int:
    """Legal steps on a shortest way to the end, the answer included."""
    sides = (equation.left, equation.right)
    preparation = sum(_preparation(side, equation.variable) for side in sides)
    return preparation + _form_distance(equation.form) + 1


def _is_done(form: Form) -> bool:
    """Whether it says x = d or b = x."""
    a, b, c, d = form
    return (a == 1 and b == c == 0) or (c == 1 and a == d == 0)


def _steps(form: Form) -> Iterator[Form]:
    """Move a term to the other side, or divide.

    A move that would leave its side empty is left out, as it leads nowhere; but for one of two
    terms with the unknown, as in 2*x = 3*x, which nothing else would solve.
    """
    a, b, c, d = form
    zero, one = Fraction(0), Fraction(1)
    if a and (b or c):
        yield zero, b, c - a, d
    if c and (d or a):
        yield a - c, b, zero, d
    if a and b:
        yield a, zero, c, d - b
    if c and d:
        yield a, b - d, c, zero
    if not b and not c and a != 1:
        yield one, zero, zero, d / a
    if not a and not d and c != 1:
        yield zero, b / c, one, zero


@lru_cache(maxsize=65536)
def _form_distance(form: Form) -> int:
    """Steps until x = d or b = x, by breadth-first search."""
    layer, seen, distance = [form], {form}, 0
    while not any(map(_is_done, layer)):
        layer = list(dict.fromkeys(new for old in layer for new in _steps(old) if new not in seen))
        seen.update(layer)
        distance += 1
    return distance


# -- Generation ----------------------------------------------------------------------------------


def _whole(rng: np.random.Generator, largest: int, smallest: int = 1) -> Fraction:
    """A whole number of that magnitude, of either sign."""
    return Fraction(int(rng.integers(smallest, largest + 1)) * int(rng.choice([-1, 1])))


def _fraction(rng: np.random.Generator, largest: int) -> Fraction:
    """A number of either sign, more often a fraction than not."""
    return _whole(rng, largest) / int(rng.integers(1, 7))


def _balanced(
    rng: np.random.Generator,
    left: Sequence[Term],
    right: Sequence[Term],
    solution: Fraction,
    variable: str = "",
) -> Equation:
    """The equation of the given terms, and one more number that makes the solution right.

    The unknown is x unless it is named; then the sides come in any order, too.
    """

    def at_solution(terms: Sequence[Term]) -> Fraction:
        return sum((t.factor * (t.slope * solution + t.constant) for t in terms), Fraction(0))

    missing = at_solution(left) - at_solution(right)
    name = variable or "x"
    sides = [
        Side.of(tuple(left), name),
        Side.of((*right, number_term(missing)), name),
    ]
    if variable and rng.integers(2):
        sides.reverse()
    return Equation(sides[0], sides[1], name)


def _level_1(rng: np.random.Generator) -> Equation:
    """Small enough for a tiny model, and still more than 10,000 distinct problems."""
    while True:
        solution, slope = int(rng.integers(1, 31)), int(rng.integers(2, 13))
        constant = int(_whole(rng, 60))
        if 0 <= slope * solution + constant <= 99:
            left = [x_term(Fraction(slope)), number_term(Fraction(constant))]
            return _balanced(rng, left, [], Fraction(solution))


def _level_2(rng: np.random.Generator) -> Equation:
    left = [x_term(_whole(rng, 12)), number_term(_whole(rng, 40))]
    return _balanced(rng, left, [x_term(_whole(rng, 12))], _whole(rng, 30))


def _level_3(rng: np.random.Generator) -> Equation:
    left = [Term(_whole(rng, 9, 2), _whole(rng, 5), _whole(rng, 20)), number_term(_whole(rng, 40))]
    right = [x_term(_whole(rng, 12))]
    return _balanced(rng, _shuffled(rng, left), right, _whole(rng, 30))


def _level_4(rng: np.random.Generator) -> Equation:
    left = [Term(_fraction(rng, 9), _whole(rng, 9), _whole(rng, 20)), x_term(_fraction(rng, 9))]
    right = [x_term(_fraction(rng, 9))]
    return _balanced(rng, _shuffled(rng, left), right, _fraction(rng, 30), _name(rng))


def _level_5(rng: np.random.Generator) -> Equation:
    left = [
        Term(_fraction(rng, 9), _fraction(rng, 9), _whole(rng, 20)),
        x_term(_fraction(rng, 20)),
        number_term(_fraction(rng, 40)),
    ]
    right = [Term(_fraction(rng, 9), _whole(rng, 9), _fraction(rng, 20)), x_term(_whole(rng, 20))]
    solution = _fraction(rng, 60)
    return _balanced(rng, _shuffled(rng, left), _shuffled(rng, right), solution, _name(rng))


def _shuffled(rng: np.random.Generator, terms: Sequence[Term]) -> list[Term]:
    return [terms[int(i)] for i in rng.permutation(len(terms))]


def _name(rng: np.random.Generator) -> str:
    return _NAMES[int(rng.integers(len(_NAMES)))]


_BUILDERS = {1: _level_1, 2: _level_2, 3: _level_3, 4: _level_4, 5: _level_5}
