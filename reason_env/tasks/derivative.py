"""Derivative: differentiate an expression in x, one application of a rule a line.

An episode (level 1):

    D(3*x^2 + 5*x)
    D(3*x^2) + D(5*x)
    6*x + D(5*x)
    6*x + 5
    answer: 6*x + 5

A value task with a private verifier. A claim is any expression identical to the derivative, in
which derivatives of parts may still stand as D(...), not one inside another; it becomes the state.
Identity is decided exactly, for rational expressions in x and exp, sin, cos and ln of polynomials
(`algebra_form` says which, and why). The answer may be in any form that has no D(...) left.

The legal steps apply the rule that fits a D(...): number, power, sum, product (the first factor
against the others), quotient, chain; a number in front goes along. Every D(...) has exactly one
rule, so that the steps left are the sum over all D(...), and no step saves or costs another.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import ClassVar

import numpy as np

from reason_env import lines
from reason_env.problem import Json, Kind, Problem, State, Verdict
from reason_env.task import Budget, Room, Task, potential_at
from reason_env.tasks.algebra_form import Exact, Value
from reason_env.tasks.algebra_text import (
    FUNCTIONS,
    check_length,
    looks_like_expression,
    parse,
    read_problem,
    render,
    unordered_text,
)
from reason_env.tasks.algebra_tree import (
    ONE,
    ZERO,
    Call,
    Name,
    NotAlgebra,
    Power,
    Product,
    Sum,
    Tree,
    add,
    base_of,
    check_written,
    coefficient_of,
    divide,
    has_operator,
    multiply,
    negate,
    number,
    parts_of,
    power,
    walk,
)
from reason_env.tasks.calculus_levels import DERIVATIVES

MAX_STEPS = 48
MAX_GROWN = 1200
"""Limits of a claim: rules left to apply, and characters that applying them can come to."""

_X = Name("x")


class Derivative(Task):
    """See the module's text. `Problem.data` is the expression to differentiate; `State.data` the
    last valid claim."""

    name: ClassVar[str] = "Derivative"
    levels: ClassVar[range] = range(1, 6)
    public_verifier: ClassVar[bool] = False
    asks_answer: ClassVar[bool] = True
    room: ClassVar[Room] = Room(compact=128, verbose=512, feedback=384)

    def generate(self, rng: np.random.Generator, level: int) -> Problem:
        return Problem(self.name, level, render(DERIVATIVES[level](rng)))

    def initial(self, problem: Problem) -> State:
        """The derivative, not yet worked out.

        Raises:
            ValueError: the problem is no expression that can be differentiated here.
        """
        return State(render(_statement(problem.data)))

    def step(self, problem: Problem, state: State, line: str) -> Verdict:
        if lines.kind_of(line) is Kind.ANSWER:
            text = lines.answer_value(line)
            reason = self._objection(problem, state, text)
            return Verdict(Kind.ANSWER, not reason, State(state.data, text), reason)
        text = line.strip()
        if not looks_like_expression(text, "xe"):
            return Verdict(Kind.THOUGHT, True, state)
        try:
            return Verdict(Kind.CLAIM, True, State(render(_claimed(problem.data, text))))
        except NotAlgebra as error:
            if text in self.legal_steps(problem, state):
                # A legal step stands, whatever its size.
                return Verdict(Kind.CLAIM, True, State(text))
            return Verdict(Kind.CLAIM, False, state, str(error))

    def is_solved(self, problem: Problem, state: State) -> bool:
        return state.answer is not None and not self._objection(problem, state, state.answer)

    def _objection(self, problem: Problem, state: State, text: str) -> str:
        """Why an answer is not right; empty if it is. A legal one is, whatever its size."""
        legal = self.legal_steps(problem, State(state.data))
        return "" if f"answer: {text}" in legal else _objection_to_answer(problem.data, text)

    def potential(self, problem: Problem, state: State) -> float:
        if state.answer is not None:
            return float(self.is_solved(problem, state))
        return potential_at(_rules_left(_tree(str(state.data))) + 1)

    def legal_steps(self, problem: Problem, state: State) -> Sequence[str]:
        if state.answer is not None:
            return []
        return _moves(str(state.data))

    def expert_step(self, problem: Problem, state: State, rng: np.random.Generator) -> str | None:
        steps = self.legal_steps(problem, state)
        return steps[int(rng.integers(len(steps)))] if steps else None

    def prompt(self, problem: Problem, style: str) -> str:
        text = render(_statement(problem.data))
        if style == "compact":
            return text
        return (
            f"Differentiate with respect to x: {text}\n"
            "D(...) is a derivative that is not worked out yet. Write one expression a line, each "
            "equal to the one before; apply one rule (sum, power, product, quotient, chain) at a "
            "time. Write * for products, ^ for whole powers, and exp, sin, cos, ln; nothing else "
            "on the line; for example: 2*x*sin(x) + x^2*D(sin(x))\n"
            "At the end give the derivative without D(...), in the form: "
            "answer: 2*x*sin(x) + x^2*cos(x)"
        )

    def show(self, problem: Problem, state: State) -> str:
        return str(state.data)

    def canonical(self, problem: Problem) -> str:
        """Ignores the order of terms and factors."""
        return unordered_text(_d(read_problem(problem.data)))

    def budget(self, level: int) -> Budget:
        return _BUDGETS[level]


_BUDGETS = {
    1: Budget(12, 128),
    2: Budget(16, 320),
    3: Budget(20, 640),
    4: Budget(36, 2560),
    5: Budget(48, 5120),
}


@lru_cache(maxsize=4096)
def _statement(data: Json) -> Tree:
    """The derivative that a problem asks for, not worked out.

    Raises:
        ValueError: there is none in the class.
    """
    asked = _d(read_problem(data))
    try:
        _check_size(asked)
        Exact().value(asked)
    except NotAlgebra as error:
        raise ValueError(f"Expression {data!r:.80} is not usable: {error}") from error
    return asked


@lru_cache(maxsize=4096)
def _derivative(data: Json) -> Value:
    """The right derivative; not to be changed."""
    return Exact().value(_statement(data))


@lru_cache(maxsize=4096)
def _tree(text: str) -> Tree:
    """An expression that may have D(...) in it.

    Raises:
        NotAlgebra: it is not one.
    """
    tree = parse(text, "x", FUNCTIONS | {"D"})
    for part in walk(tree):
        if isinstance(part, Call) and part.name == "D" and has_operator(part.argument):
            raise NotAlgebra("it has a D(...) inside a D(...)")
    return tree


@lru_cache(maxsize=4096)
def _claimed(data: Json, text: str) -> Tree:
    """The expression of a claim.

    Raises:
        NotAlgebra: it is not equal to the derivative, or beyond the limits.
    """
    tree = _tree(check_length(text))
    _check_size(tree)
    exact = Exact()
    if not exact.equal(exact.value(tree), _derivative(data)):
        raise NotAlgebra("it is not equal to the derivative")
    return tree


@lru_cache(maxsize=4096)
def _objection_to_answer(data: Json, text: str) -> str:
    """Why an answer is not right; empty if it is."""
    if not looks_like_expression(text, "xe"):
        return "the answer is not an expression such as 3*x^2*sin(2*x)/5 + ln(x)"
    try:
        return "the answer has a D(...) in it" if has_operator(_claimed(data, text)) else ""
    except NotAlgebra as error:
        return str(error)


def _check_size(tree: Tree) -> None:
    """Raises:
    NotAlgebra: applying all the rules would make too long an expression.
    """
    check_written(tree)
    if _rules_left(tree) > MAX_STEPS:
        raise NotAlgebra(f"it takes more than {MAX_STEPS} rules to work it out")
    if _grown(tree) > MAX_GROWN:
        raise NotAlgebra("it gets too long when it is worked out")


# -- Rules ---------------------------------------------------------------------------------------


def _d(tree: Tree) -> Tree:
    return Call("D", tree)


def _inner(tree: Tree) -> Tree:
    """What the chain rule multiplies by; nothing for x itself."""
    return ONE if tree == _X else _d(tree)


def _quotient_of(factors: tuple[Tree, ...]) -> tuple[Tree, Tree]:
    """What is above and what is below the fraction line."""
    above = [factor for factor in factors if base_of(factor)[1] > 0]
    below = [factor for factor in factors if base_of(factor)[1] < 0]
    return multiply(*above), power(multiply(*below), -1)


def _applied(tree: Tree) -> Tree:
    """D(tree) after its rule."""
    if isinstance(tree, Sum):
        return add(*map(_d, tree.terms))
    coefficient, factors = coefficient_of(tree)
    if not factors:
        return ZERO
    if len(factors) == 1:
        return multiply(number(coefficient), _applied_to_factor(factors[0]))
    above, below = _quotient_of(factors)
    if below == ONE:
        first, rest = factors[0], multiply(*factors[1:])
        result = add(multiply(_d(first), rest), multiply(first, _d(rest)))
    elif above == ONE:
        result = negate(divide(_d(below), power(below, 2)))
    else:
        top = add(multiply(_d(above), below), negate(multiply(above, _d(below))))
        result = divide(top, power(below, 2))
    return multiply(number(coefficient), result)


def _applied_to_factor(tree: Tree) -> Tree:
    if isinstance(tree, Sum):
        return _applied(tree)
    if isinstance(tree, Power):
        reduced = power(tree.base, tree.exponent - 1)
        return multiply(number(tree.exponent), reduced, _inner(tree.base))
    if not isinstance(tree, Call):
        return ONE
    argument = tree.argument
    if tree.name == "ln":
        return divide(_inner(argument), argument)
    outer = {"exp": tree, "sin": Call("cos", argument), "cos": negate(Call("sin", argument))}
    return multiply(outer[tree.name], _inner(argument))


@lru_cache(maxsize=16384)
def _rules_for(tree: Tree) -> int:
    """How many rules it takes to work out D(tree)."""
    if isinstance(tree, Sum):
        return 1 + sum(map(_rules_for, tree.terms))
    _, factors = coefficient_of(tree)
    if len(factors) > 1:
        above, below = _quotient_of(factors)
        if below == ONE:
            return 1 + _rules_for(factors[0]) + _rules_for(multiply(*factors[1:]))
        return 1 + (_rules_for(above) if above != ONE else 0) + _rules_for(below)
    if not factors or factors[0] == _X:
        return 1
    if isinstance(factors[0], Sum):
        return _rules_for(factors[0])
    (inside,) = parts_of(factors[0])
    return 1 if inside == _X else 1 + _rules_for(inside)


def _rules_left(tree: Tree) -> int:
    """How many rules it takes to work out all D(...) in an expression."""
    if not has_operator(tree):
        return 0
    if isinstance(tree, Call) and tree.name == "D":
        return _rules_for(tree.argument)
    return sum(map(_rules_left, parts_of(tree)))


def _grown(tree: Tree) -> int:
    """About how long the text of an expression can get."""
    length = len(render(tree))
    for part in walk(tree):
        if isinstance(part, Call) and part.name == "D":
            length += _growth(part.argument)
    return length


@lru_cache(maxsize=16384)
def _growth(tree: Tree) -> int:
    """About how much longer D(tree) can get."""
    if isinstance(tree, Sum):
        return sum(3 + _growth(term) for term in tree.terms)
    _, factors = coefficient_of(tree)
    if len(factors) > 1:
        above, below = _quotient_of(factors)
        if below == ONE:
            parts: tuple[Tree, ...] = (factors[0], multiply(*factors[1:]))
        else:
            parts = (above, below, below)
        return sum(12 + len(render(part)) + _growth(part) for part in parts)
    inside = parts_of(factors[0]) if factors else ()
    return 8 + sum(len(render(part)) + _growth(part) for part in inside)


@lru_cache(maxsize=4096)
def _moves(text: str) -> tuple[str, ...]:
    found = dict.fromkeys(map(render, _rewritten(_tree(text))))
    return tuple(found) or (f"answer: {text}",)


def _rewritten(tree: Tree) -> Iterator[Tree]:
    """The expression after one rule."""
    if isinstance(tree, Call):
        if tree.name == "D":
            yield _applied(tree.argument)
        else:
            for new in _rewritten(tree.argument):
                yield Call(tree.name, new)
    elif isinstance(tree, Power):
        for new in _rewritten(tree.base):
            yield power(new, tree.exponent)
    elif has_operator(tree):
        rebuilt = multiply if isinstance(tree, Product) else add
        parts = parts_of(tree)
        for i, part in enumerate(parts):
            for new in _rewritten(part):
                yield rebuilt(*parts[:i], new, *parts[i + 1 :])
