"""Integral: find an antiderivative of an expression in x, one rule a line.

An episode (level 1):

    I(6*x^2 + 4*x)
    2*x^3 + I(4*x)
    2*x^3 + 2*x^2
    answer: 2*x^3 + 2*x^2

A value task with a public verifier: differentiate the answer. I(...) is an integral that is not
worked out yet, and stands for any antiderivative: a claim or an answer is right exactly if its
derivative is the integrand, where the derivative of I(f) is f. So constants are free; they may be
written, as numbers or as `+ C`, and need not be. Identity is decided exactly, for rational
expressions in x and exp, sin, cos and ln of polynomials (`algebra_form` says which, and why). In a
claim, I(...) may be multiplied by a number, and may not stand inside anything else; all of them
together become one, whose terms are integrated one at a time.

The legal steps work on one term: integrate it, if it is a multiple of g^n*g', exp(g)*g', sin(g)*g',
cos(g)*g' or g'/g for a g that can be read off it (with g linear or x itself in particular);
integrate it by parts, if it is x^n*exp(g), x^n*sin(g) or x^n*cos(g) with a linear g, or x^n*ln(x);
or else multiply it out, products of sines and cosines into sums, if all that it then consists of
is of those kinds. Terms do not touch each other, so that the steps left are a sum over them. Where
no rule fits a term, as can be after a claim that leads astray, or where it would take longer, the
only legal step is to start again.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import ClassVar

import numpy as np

from reason_env import lines
from reason_env.problem import Json, Kind, Problem, State, Verdict
from reason_env.task import Budget, Room, Task, potential_at
from reason_env.tasks.algebra_form import Exact, Value, primitive, tree_of
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
    MAX_EXPONENT,
    ZERO,
    Call,
    Name,
    NotAlgebra,
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
    power,
    terms_of,
    walk,
)
from reason_env.tasks.calculus_levels import INTEGRALS

MAX_PARTS = 8
MAX_TERMS = 24
"""Limits: how often one term is integrated by parts, and terms of an integrand."""

_WORK = 600
"""What finding the rule for one term may cost (see `algebra_form.MAX_WORK`)."""
_X = Name("x")


class Integral(Task):
    """See the module's text. `Problem.data` is the integrand; `State.data` the last valid claim,
    with all that is left to integrate in one I(...)."""

    name: ClassVar[str] = "Integral"
    levels: ClassVar[range] = range(1, 6)
    public_verifier: ClassVar[bool] = True
    asks_answer: ClassVar[bool] = True
    room: ClassVar[Room] = Room(compact=128, verbose=768, feedback=256)

    def generate(self, rng: np.random.Generator, level: int) -> Problem:
        return Problem(self.name, level, render(INTEGRALS[level](rng)))

    def initial(self, problem: Problem) -> State:
        """The integral, not yet worked out.

        Raises:
            ValueError: the problem is no expression that the rules integrate.
        """
        return State(_text(ZERO, _statement(problem.data)))

    def step(self, problem: Problem, state: State, line: str) -> Verdict:
        if lines.kind_of(line) is Kind.ANSWER:
            text = lines.answer_value(line)
            reason = self._objection(problem, state, text)
            return Verdict(Kind.ANSWER, not reason, State(state.data, text), reason)
        text = line.strip()
        if not looks_like_expression(text, "xeC"):
            return Verdict(Kind.THOUGHT, True, state)
        try:
            return Verdict(Kind.CLAIM, True, State(_text(*_claimed(problem.data, text))))
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
        straight, again = _ways(problem.data, str(state.data))
        return potential_at(again if straight is None else min(straight, again))

    def legal_steps(self, problem: Problem, state: State) -> Sequence[str]:
        if state.answer is not None:
            return []
        return [text for text, _ in _moves(problem.data, str(state.data))]

    def expert_step(self, problem: Problem, state: State, rng: np.random.Generator) -> str | None:
        if state.answer is not None:
            return None
        moves = _moves(problem.data, str(state.data))
        nearest = min(distance for _, distance in moves)
        good = [text for text, distance in moves if distance == nearest]
        return good[int(rng.integers(len(good)))]

    def prompt(self, problem: Problem, style: str) -> str:
        text = _text(ZERO, _statement(problem.data))
        if style == "compact":
            return text
        return (
            f"Find an antiderivative with respect to x: {text}\n"
            "I(...) is an integral that is not worked out yet. Write one expression a line, each "
            "equal to the one before up to a constant; integrate one term at a time, by its rule, "
            "by substitution or by parts, or multiply out inside. Write * for products, ^ for "
            "whole powers, exp, sin, cos, ln, and nothing else on the line; for example: "
            "x*sin(x) - I(sin(x))\n"
            "In ln(...), take out what the coefficients have in common, and the sign: write "
            "ln(x - 2), not ln(4 - 2*x).\n"
            "At the end give an antiderivative without I(...) (a constant may be left out), in "
            "the form: answer: x*sin(x) + cos(x)"
        )

    def show(self, problem: Problem, state: State) -> str:
        return str(state.data)

    def canonical(self, problem: Problem) -> str:
        """Ignores the order of terms and factors."""
        return unordered_text(read_problem(problem.data))

    def budget(self, level: int) -> Budget:
        return _BUDGETS[level]


_BUDGETS = {
    1: Budget(10, 112),
    2: Budget(12, 256),
    3: Budget(16, 512),
    4: Budget(20, 1024),
    5: Budget(32, 2560),
}


# -- Expressions ---------------------------------------------------------------------------------


@lru_cache(maxsize=4096)
def _statement(data: Json) -> Tree:
    """The integrand of a problem.

    Raises:
        ValueError: the rules do not integrate it.
    """
    tree = read_problem(data)
    try:
        Exact().value(tree)
    except NotAlgebra as error:
        raise ValueError(f"Expression {data!r:.80} is not usable: {error}") from error
    if tree == ZERO or _steps_for(tree) is None:
        raise ValueError(f"Expression {data!r:.80} is not integrated by the rules of this family")
    return tree


def _text(done: Tree, left: Tree) -> str:
    """What is integrated already, and what is left, as one expression."""
    return render(add(done, Call("I", left)) if left != ZERO else done)


@lru_cache(maxsize=4096)
def _parts(text: str) -> tuple[Tree, Tree]:
    """What is integrated already, and the integrand that is left.

    Raises:
        NotAlgebra: an I(...) stands where it may not.
    """
    tree = parse(text, "xC", FUNCTIONS | {"I"})
    done: list[Tree] = []
    left: list[Tree] = []
    for term in terms_of(tree):
        coefficient, factors = coefficient_of(term)
        if not has_operator(term):
            done.append(term)
            continue
        operator = factors[0]
        if len(factors) > 1 or not isinstance(operator, Call) or operator.name != "I":
            raise NotAlgebra("an I(...) in it is not just multiplied by a number")
        if any(part == Name("C") or has_operator(part) for part in walk(operator.argument)):
            raise NotAlgebra("there is a C or an I(...) inside an I(...)")
        left += [multiply(number(coefficient), part) for part in terms_of(operator.argument)]
    return add(*done), add(*left)


@lru_cache(maxsize=4096)
def _claimed(data: Json, text: str) -> tuple[Tree, Tree]:
    """The two parts of a claim.

    Raises:
        NotAlgebra: its derivative is not the integrand, or it is beyond the limits.
    """
    done, left = _parts(check_length(text))
    check_written(done)
    check_written(left)
    if len(terms_of(left)) > MAX_TERMS:
        raise NotAlgebra(f"it has more than {MAX_TERMS} terms left to integrate")
    exact = Exact()
    slope = exact.sum(exact.derivative(exact.value(done)), exact.value(left))
    if not exact.equal(slope, _integrand(data)):
        raise NotAlgebra("its derivative is not the integrand")
    return done, left


@lru_cache(maxsize=4096)
def _integrand(data: Json) -> Value:
    """The value of the integrand; not to be changed."""
    return Exact().value(_statement(data))


@lru_cache(maxsize=4096)
def _objection_to_answer(data: Json, text: str) -> str:
    """Why an answer is not right; empty if it is."""
    if not looks_like_expression(text, "xeC"):
        return "the answer is not an expression such as 3*x^2*sin(2*x)/5 + ln(x)"
    try:
        _, left = _claimed(data, text)
        return "the answer has an I(...) in it" if left != ZERO or "I" in text else ""
    except NotAlgebra as error:
        return str(error)


# -- Rules ---------------------------------------------------------------------------------------


def _candidates(term: Tree) -> Iterator[Tree]:
    """What the term could be the derivative of, up to a number."""
    _, factors = coefficient_of(term)
    if not factors:
        yield _X
    for base, exponent in map(base_of, factors):
        if abs(exponent) >= MAX_EXPONENT:
            continue
        if exponent != -1:
            yield power(base, exponent + 1)
        elif base == _X or isinstance(base, Sum):
            argument = primitive(base)
            if argument is not None:
                yield Call("ln", argument)
        if isinstance(base, Call) and exponent == 1 and base.name != "ln":
            yield Call({"exp": "exp", "sin": "cos", "cos": "sin"}[base.name], base.argument)


@lru_cache(maxsize=16384)
def _at_once(term: Tree) -> Tree | None:
    """An antiderivative of a term, where one of the candidates is one."""
    exact = Exact(_WORK)
    try:
        wanted = exact.value(term)
        for candidate in _candidates(term):
            factor = exact.ratio(wanted, exact.derivative(exact.value(candidate)))
            if factor is not None:
                return multiply(number(factor), candidate)
    except NotAlgebra:
        pass  # too large for the rules
    return None


def _by_parts(term: Tree) -> tuple[Tree, Tree] | None:
    """x^n*f(x) as a product that is integrated, and the integrand that it leaves."""
    coefficient, factors = coefficient_of(term)
    if len(factors) > 2 or not isinstance(factors[-1], Call):
        return None
    function = factors[-1]
    base, exponent = base_of(factors[0]) if len(factors) == 2 else (_X, 0)
    if base != _X or not 0 <= exponent <= MAX_PARTS:
        return None
    if function == Call("ln", _X):
        outer = multiply(number(coefficient / (exponent + 1)), power(_X, exponent + 1))
        return multiply(outer, function), negate(divide(outer, _X))
    inner = _at_once(function)
    if function.name == "ln" or inner is None or exponent == 0:
        return None
    slope = multiply(number(coefficient * exponent), power(_X, exponent - 1))
    return multiply(number(coefficient), power(_X, exponent), inner), negate(multiply(slope, inner))


@lru_cache(maxsize=16384)
def _applied(term: Tree) -> tuple[Tree, Tree] | None:
    """What the rule for a term makes of I(term): what is integrated, and what is left."""
    whole = _at_once(term)
    return (whole, ZERO) if whole is not None else _by_parts(term)


@lru_cache(maxsize=16384)
def _multiplied_out(term: Tree) -> Tree | None:
    """A term that no rule fits as a sum of terms, where that is another expression."""
    exact = Exact(_WORK)
    try:
        form = exact.quotient(exact.value(term))
    except NotAlgebra:
        return None
    if form is None or len(form) > MAX_TERMS:
        return None
    tree = tree_of(form)
    return None if tree == term else tree


def _sum_of(terms: Sequence[Tree], multiplying: bool) -> int | None:
    """Rules that it takes to integrate all terms; None: they do not."""
    total = 0
    for term in terms:
        steps = _rules_for(term, multiplying)
        if steps is None:
            return None
        total += steps
    return total


@lru_cache(maxsize=16384)
def _rules_for(term: Tree, multiplying: bool) -> int | None:
    """Rules that it takes to integrate a term, with or without multiplying it out."""
    applied = _applied(term)
    if applied is not None:
        rest = _rules_for(applied[1], False) if applied[1] != ZERO else 0
        return None if rest is None else 1 + rest
    tree = _multiplied_out(term) if multiplying else None
    if tree is None:
        return None
    steps = _sum_of(terms_of(tree), False) if tree != ZERO else 0
    return None if steps is None else 1 + steps


def _steps_for(left: Tree) -> int | None:
    """Steps that integrate all of an integrand and answer; None: the rules do not."""
    rules = _sum_of(terms_of(left), True) if left != ZERO else 0
    return None if rules is None else rules + 1


def _ways(data: Json, text: str) -> tuple[int | None, int]:
    """Steps to the end straight on, if the rules lead there, and by starting again."""
    start = _steps_for(_statement(data))
    assert start is not None
    return _steps_for(_parts(text)[1]), start + 1


@lru_cache(maxsize=4096)
def _moves(data: Json, text: str) -> tuple[tuple[str, int], ...]:
    """Legal steps, and the distance after each."""
    done, left = _parts(text)
    straight, again = _ways(data, text)
    if left == ZERO:
        return ((f"answer: {text}", 0),)
    found: dict[str, int] = {}
    if straight is not None and straight <= again:
        terms = terms_of(left)
        for i, term in enumerate(terms):
            whole, rest = _applied(term) or (ZERO, _multiplied_out(term) or ZERO)
            following = _text(add(done, whole), add(*terms[:i], rest, *terms[i + 1 :]))
            found.setdefault(following, straight - 1)
    if straight is None or straight >= again:
        found.setdefault(_text(ZERO, _statement(data)), again - 1)
    return tuple(found.items())
