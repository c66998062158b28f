"""Polynomial: expand and collect, or factor, an expression, one identical expression a line.

An episode (level 1):

    expand (x + 2)*(x - 3)
    x^2 - 3*x + 2*x - 6
    x^2 - x - 6
    answer: x^2 - x - 6

A value task with a public verifier: two polynomials are compared by their values at a few points.
A claim is any expression that is identical to that of the problem, decided exactly by its
polynomial normal form; it becomes the state. The answer must be in the form asked for: expanded
and collected (a sum of different monomials, their order free), or completely factored over the
rationals (a number times powers of irreducible polynomials, which have whole coefficients without
a common factor; their order and signs are free).

The legal steps expand by multiplying two brackets of a term, the shortest first, by multiplying a
bracket by what stands before it, and by collecting a sum without brackets. They factor by
collecting what is in the brackets, taking out what a bracket's terms have in common, and splitting
off an irreducible factor. Each order of them takes equally many, so that the potential counts them:
to expand, by working out how many terms every product has; to factor, by how many irreducible
factors there are and how many brackets.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from fractions import Fraction
from functools import lru_cache
from itertools import permutations
from math import gcd, lcm
from typing import ClassVar

import numpy as np

from reason_env import lines
from reason_env.problem import Json, Kind, Problem, State, Verdict
from reason_env.task import Budget, Room, Task, potential_at
from reason_env.tasks.algebra_form import Exact, Form, Key, factored, tree_of
from reason_env.tasks.algebra_text import (
    MAX_CHARS,
    ONE,
    ZERO,
    Name,
    NotAlgebra,
    Power,
    Product,
    Sum,
    Tree,
    add,
    base_of,
    check_length,
    factors_of,
    looks_like_expression,
    multiply,
    number,
    parse,
    power,
    render,
    terms_of,
    unordered_text,
    walk,
)
from reason_env.tasks.polynomial_levels import LEVELS

MAX_DEGREE = 12
MAX_TERMS = 250
MAX_NAMES = 3
"""Limits of a claim: its degree, the terms that all its products have together before they are
collected, and variables."""

_GOALS = {"expand": "expanded and collected", "factor": "completely factored over the rationals"}
_SHORT: int = 10**30


class Polynomial(Task):
    """See the module's text. `Problem.data` is (`expand` or `factor`, expression); `State.data`
    the last valid claim."""

    name: ClassVar[str] = "Polynomial"
    levels: ClassVar[range] = range(1, 6)
    public_verifier: ClassVar[bool] = True
    asks_answer: ClassVar[bool] = True
    room: ClassVar[Room] = Room(compact=160, verbose=512, feedback=256)

    def generate(self, rng: np.random.Generator, level: int) -> Problem:
        while True:
            goal, tree = LEVELS[level](rng)
            data = (goal, render(tree))
            if _distance(data, data[1]) > 1:
                return Problem(self.name, level, data)

    def initial(self, problem: Problem) -> State:
        """The expression in canonical text.

        Raises:
            ValueError: the problem is not a polynomial to expand or to factor.
        """
        goal, text = _statement(problem.data)
        state = State(render(_tree(text, _names(text))))
        if _distance((goal, text), str(state.data)) == 1:
            raise ValueError(f"Polynomial {text!r:.80} is {_GOALS[goal]} already")
        return state

    def step(self, problem: Problem, state: State, line: str) -> Verdict:
        goal, statement = _statement(problem.data)
        names = _names(statement)
        if lines.kind_of(line) is Kind.ANSWER:
            text = lines.answer_value(line)
            reason = _objection_to_answer(goal, statement, text)
            return Verdict(Kind.ANSWER, not reason, State(state.data, text[:MAX_CHARS]), reason)
        text = line.strip()
        if not looks_like_expression(text, names):
            return Verdict(Kind.THOUGHT, True, state)
        try:
            claimed = _claimed(goal, statement, text)
        except NotAlgebra as error:
            if text in self.legal_steps(problem, state):
                # A legal step stands, whatever its size.
                return Verdict(Kind.CLAIM, True, State(text))
            return Verdict(Kind.CLAIM, False, state, str(error))
        return Verdict(Kind.CLAIM, True, State(render(claimed)))

    def is_solved(self, problem: Problem, state: State) -> bool:
        if state.answer is None:
            return False
        return not _objection_to_answer(*_statement(problem.data), state.answer)

    def potential(self, problem: Problem, state: State) -> float:
        if state.answer is not None:
            return float(self.is_solved(problem, state))
        return potential_at(_distance(_statement(problem.data), str(state.data)))

    def legal_steps(self, problem: Problem, state: State) -> Sequence[str]:
        if state.answer is not None:
            return []
        return _moves(problem.data, str(state.data))

    def expert_step(self, problem: Problem, state: State, rng: np.random.Generator) -> str | None:
        steps = self.legal_steps(problem, state)
        return steps[int(rng.integers(len(steps)))] if steps else None

    def prompt(self, problem: Problem, style: str) -> str:
        goal, text = _statement(problem.data)
        expression = render(_tree(text, _names(text)))
        if style == "compact":
            return f"{goal} {expression}"
        if goal == "expand":
            task, example = "Expand and collect", "x^2 - 3*x + 2*x - 6"
            form, answer = "a sum of different powers, such as", "x^2 - x - 6"
        else:
            task, example = "Factor completely over the rationals", "2*(x^2 - x - 6)"
            form, answer = "a number times irreducible factors, such as", "2*(x - 3)*(x + 2)^2"
        return (
            f"{task}: {expression}\n"
            "Write one expression a line, each identical to the one before, with * for products "
            f"and ^ for powers, and nothing else on the line; for example: {example}\n"
            f"At the end give the result, {form} {answer}, in the form: answer: {answer}"
        )

    def show(self, problem: Problem, state: State) -> str:
        return str(state.data)

    def canonical(self, problem: Problem) -> str:
        """Ignores the order of terms and factors, and the names of variables."""
        goal, text = _statement(problem.data)
        names = _names(text)
        tree = _tree(text, names)
        new = "xyz"[: len(names)]
        return f"{goal} " + min(
            unordered_text(tree, dict(zip(names, p))) for p in permutations(new)
        )

    def budget(self, level: int) -> Budget:
        return _BUDGETS[level]


_BUDGETS = {
    1: Budget(8, 96),
    2: Budget(10, 128),
    3: Budget(14, 320),
    4: Budget(20, 896),
    5: Budget(24, 1536),
}


# -- Expressions ---------------------------------------------------------------------------------


def _statement(data: Json) -> tuple[str, str]:
    """Goal and expression of a problem.

    Raises:
        ValueError: it is not a problem.
    """
    match data:
        case (("expand" | "factor") as goal, str(text)):
            try:
                _distance((goal, check_length(text)), text)
            except NotAlgebra as error:
                raise ValueError(f"Polynomial {text!r:.80} is not usable: {error}") from error
            return goal, text
    raise ValueError(f"Expected ('expand' or 'factor', expression), received {data!r:.80}")


def _names(text: str) -> tuple[str, ...]:
    """The variables of a text.

    Raises:
        NotAlgebra: there are none, or too many.
    """
    names = tuple(sorted(set(re.findall("[A-Za-z]", text))))
    if not 0 < len(names) <= MAX_NAMES:
        raise NotAlgebra(f"it has {len(names)} variables; expected 1 to {MAX_NAMES}")
    return names


@lru_cache(maxsize=16384)
def _tree(text: str, names: tuple[str, ...]) -> Tree:
    """An expression in which every bracket is one of several terms.

    Raises:
        NotAlgebra: it is not a polynomial, or beyond the limits.
    """
    tree = parse(text, names)
    for part in walk(tree):
        if isinstance(part, Power) and part.exponent < 0:
            raise NotAlgebra("it divides by more than a number")
    tidied = _tidied(tree)
    _value(tidied)
    return tidied


def _tidied(tree: Tree) -> Tree:
    if isinstance(tree, Sum):
        return add(*map(_tidied, tree.terms))
    if isinstance(tree, Product):
        return multiply(*map(_bracket, tree.factors))
    if isinstance(tree, Power):
        return power(_bracket(tree.base), tree.exponent)
    return tree


def _bracket(tree: Tree) -> Tree:
    tidied = _tidied(tree)
    if isinstance(tidied, Sum) and len(_value(tidied)) <= 1:
        return tree_of(_value(tidied))
    return tidied


@lru_cache(maxsize=16384)
def _value(tree: Tree) -> Form:
    """The normal form; not to be changed.

    Raises:
        NotAlgebra: it is beyond the limits.
    """
    form, _ = Exact().value(tree)
    for monomial, _ in form:
        if sum(exponent for _, exponent in monomial) > MAX_DEGREE:
            raise NotAlgebra(f"it is of a degree of more than {MAX_DEGREE}")
    if any(abs(c.numerator) >= _SHORT or c.denominator >= _SHORT for c in form.values()):
        raise NotAlgebra("it comes to numbers of more than 30 digits")
    return form


def _claimed(goal: str, statement: str, text: str) -> Tree:
    """The expression of a claim.

    Raises:
        NotAlgebra: it is not identical to the problem's, or beyond the limits.
    """
    names = _names(statement)
    tree = _tree(check_length(text), names)
    if _value(tree) != _value(_tree(statement, names)):
        raise NotAlgebra("it is not identical to the expression of the problem")
    if goal == "expand":
        _spread(tree)
    return tree


@lru_cache(maxsize=16384)
def _objection_to_answer(goal: str, statement: str, text: str) -> str:
    """Why an answer is not right; empty if it is."""
    names = _names(statement)
    if not looks_like_expression(text, names):
        return "the answer is not an expression"
    try:
        tree = _claimed(goal, statement, text)
    except NotAlgebra as error:
        return str(error)
    # Whoever may write 2*3*x*x need not multiply.
    written, needed = (Counter(re.findall("[0-9]+|[A-Za-z]", t)) for t in (text, render(tree)))
    worked_out = goal == "factor" or written == needed
    if not worked_out or _distance((goal, statement), render(tree)) > 1:
        return f"the answer is not {_GOALS[goal]}"
    return ""


def _view(term: Tree) -> tuple[Tree, list[Sum]]:
    """A term as a monomial and its brackets, repeated as often as their exponents say."""
    outer: list[Tree] = []
    brackets: list[Sum] = []
    for factor in factors_of(term):
        base, exponent = base_of(factor)
        if isinstance(base, Sum):
            brackets += [base] * exponent
        else:
            outer.append(factor)
    return multiply(*outer), brackets


def _is_settled(tree: Tree) -> bool:
    """Whether it is a sum of different monomials."""
    if tree == ZERO:
        return True
    terms = terms_of(tree)
    if any(_view(term)[1] for term in terms):
        return False
    return len({next(iter(_value(term))) for term in terms}) == len(terms)


def _replaced(terms: Sequence[Tree], index: int, new: Tree) -> Tree:
    return add(*terms[:index], new, *terms[index + 1 :])


def _distance(data: tuple[str, str], text: str) -> int:
    """Legal steps to the end, the answer included."""
    goal, statement = data
    tree = _tree(text, _names(statement))
    if goal == "expand":
        steps, keys, _ = _spread(tree)
        return steps + _alike(keys) + 1
    return _splits_left(tree, statement) + 1


@lru_cache(maxsize=16384)
def _moves(data: Json, text: str) -> tuple[str, ...]:
    goal, statement = _statement(data)
    tree = _tree(text, _names(statement))
    found = _expansions(tree) if goal == "expand" else _factorings(tree, _names(statement))
    return tuple(dict.fromkeys(map(render, found))) or (f"answer: {text}",)


# -- Expanding -----------------------------------------------------------------------------------


def _rank(form: Form) -> tuple[int, str]:
    """Which bracket comes first: the one with fewest terms."""
    return len(form), render(tree_of(form))


def _expansions(tree: Tree) -> Iterator[Tree]:
    """The expression after one step."""
    terms = terms_of(tree)
    is_flat = True
    for i, term in enumerate(terms):
        outer, brackets = _view(term)
        is_flat = is_flat and not brackets
        unsettled = [bracket for bracket in brackets if not _is_settled(bracket)]
        for bracket in dict.fromkeys(unsettled):
            others = list(brackets)
            others.remove(bracket)
            for better in _expansions(bracket):
                yield _replaced(terms, i, multiply(outer, *others, better))
        if brackets and not unsettled:
            yield _replaced(terms, i, _multiplied(outer, brackets))
    if is_flat and not _is_settled(tree):
        yield tree_of(_value(tree))


def _multiplied(outer: Tree, brackets: list[Sum]) -> Tree:
    """A term with its first two brackets multiplied, or its only one by what stands before it."""
    if len(brackets) == 1:
        return add(*(multiply(outer, term) for term in brackets[0].terms))
    first, second, *rest = sorted(brackets, key=lambda bracket: _rank(_value(bracket)))
    product = add(*(multiply(a, b) for a in first.terms for b in second.terms))
    return multiply(outer, product, *rest)


@lru_cache(maxsize=16384)
def _spread(tree: Tree) -> tuple[int, tuple[Key, ...], int]:
    """How an expression is freed of brackets.

    Returns:
        Steps; the monomials that it then has; and all terms that were written on the way.

    Raises:
        NotAlgebra: the terms are too many.
    """
    steps, size = 0, 0
    keys: list[Key] = []
    for term in terms_of(tree):
        outer, brackets = _view(term)
        if not brackets:
            keys += _value(term)
            continue
        for bracket in brackets:
            inner, found, terms = _spread(bracket)
            steps += inner + _alike(found)
            size += terms
        more, spread, terms = _product_steps(outer, [_value(bracket) for bracket in brackets])
        steps += more
        size += terms
        keys += spread
    size += len(keys)
    if size > MAX_TERMS:
        raise NotAlgebra(f"it takes more than {MAX_TERMS} terms to multiply it out")
    return steps, tuple(keys), size


def _product_steps(outer: Tree, forms: list[Form]) -> tuple[int, list[Key], int]:
    """The same for a monomial times collected brackets; it follows `_multiplied`."""
    exact, steps, size = Exact(), 0, 0
    forms = sorted(forms, key=_rank)
    while len(forms) > 1:
        first, second, *forms = forms
        size += len(first) * len(second)
        if size > MAX_TERMS:
            raise NotAlgebra(f"it takes more than {MAX_TERMS} terms to multiply it out")
        steps += 1
        pairs = [key for a in first for b in second for key in exact.times({a: 1}, {b: 1})]
        if outer == ONE and not forms:
            return steps, pairs, size
        product = exact.times(first, second)
        steps += _alike(pairs)
        forms = sorted([product, *forms], key=_rank)
    return steps + 1, list(exact.times(_value(outer), forms[0])), size


def _alike(keys: Collection[Key]) -> int:
    """1 if there are like terms to collect, else 0."""
    return int(len(set(keys)) < len(keys))


# -- Factoring -----------------------------------------------------------------------------------


def _in_brackets(tree: Tree) -> tuple[Tree, list[Sum]]:
    """As `_view`, and a sum is one bracket."""
    return (ONE, [tree]) if isinstance(tree, Sum) else _view(tree)


@lru_cache(maxsize=4096)
def _irreducible(tree: Tree, names: tuple[str, ...]) -> tuple[int, tuple[Tree, ...]]:
    """A sign, and the irreducible factors of a polynomial with more than one term each, as often
    as they occur."""
    content, factors = factored(_value(tree), names)
    found = [tree_of(factor) for factor, n in factors if len(factor) > 1 for _ in range(n)]
    return (-1 if content < 0 else 1), tuple(found)


def _common(form: Form) -> Tree:
    """What all terms have in common: a positive number times a monomial."""
    coefficients = [Fraction(c) for c in form.values()]
    top = gcd(*(c.numerator for c in coefficients))
    bottom = lcm(*(c.denominator for c in coefficients))
    monomials = [dict(monomial) for monomial, _ in form]
    shared = [
        power(Name(generator[0]), min(m.get(generator, 0) for m in monomials))
        for generator in monomials[0]
    ]
    return multiply(number(Fraction(top, bottom)), *shared)


def _without(form: Form, common: Tree) -> Tree:
    """A bracket after its common factor was taken out."""
    return add(*(multiply(term, power(common, -1)) for term in terms_of(tree_of(form))))


def _splits_left(tree: Tree, statement: str) -> int:
    """Steps until it is completely factored."""
    names = _names(statement)
    _, brackets = _in_brackets(tree)
    forms = [_value(bracket) for bracket in brackets]
    _, factors = _irreducible(_tree(statement, names), names)
    untidy = any(not _is_settled(bracket) for bracket in brackets)
    return int(untidy) + sum(_common(f) != ONE for f in forms) + len(factors) - len(forms)


def _factorings(tree: Tree, names: tuple[str, ...]) -> Iterator[Tree]:
    """The expression after one step."""
    outer, brackets = _in_brackets(tree)
    if not all(map(_is_settled, brackets)):
        yield multiply(outer, *(tree_of(_value(bracket)) for bracket in brackets))
        return
    for i, bracket in enumerate(brackets):
        if bracket in brackets[:i]:
            continue
        form = _value(bracket)
        common = _common(form)
        before, after = brackets[:i], brackets[i + 1 :]
        if common != ONE:
            yield multiply(outer, common, *before, _without(form, common), *after)
            continue
        sign, factors = _irreducible(bracket, names)
        if len(factors) == 1:
            continue
        for factor in dict.fromkeys(factors):
            others = list(factors)
            others.remove(factor)
            rest = tree_of(_value(multiply(*others)))
            yield multiply(number(sign), outer, *before, factor, rest, *after)
