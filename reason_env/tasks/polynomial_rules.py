"""The algebra of `Polynomial`: expressions, how far they are from the form asked for, and the steps
that lead there."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from fractions import Fraction
from functools import lru_cache
from math import gcd, lcm, prod

from reason_env.tasks.algebra_form import Exact, Form, Key, factored, tree_of
from reason_env.tasks.algebra_text import (
    parse,
    render,
)
from reason_env.tasks.algebra_tree import (
    ONE,
    ZERO,
    Name,
    NotAlgebra,
    Number,
    Power,
    Product,
    Sum,
    Tree,
    add,
    base_of,
    check_written,
    factors_of,
    multiply,
    number,
    parts_of,
    power,
    terms_of,
    walk,
)

MAX_DEGREE = 12
MAX_DIGITS = 30
MAX_TERMS = 250
MAX_NAMES = 3
"""Limits of a claim: its degree, the digits of what its coefficients come to, the terms that all
its products have together before they are collected, and variables."""


# -- Expressions ---------------------------------------------------------------------------------


def names_of(text: str) -> tuple[str, ...]:
    """The variables of a text.

    Raises:
        NotAlgebra: there are none, or too many.
    """
    names = tuple(sorted(set(re.findall("[A-Za-z]", text))))
    if not 0 < len(names) <= MAX_NAMES:
        raise NotAlgebra(f"it has {len(names)} variables; expected 1 to {MAX_NAMES}")
    return names


@lru_cache(maxsize=4096)
def tree_from(text: str, names: tuple[str, ...]) -> Tree:
    """An expression in which every bracket is one of several terms.

    Raises:
        NotAlgebra: it is not a polynomial, or beyond the limits.
    """
    tree = parse(text, names)
    check_written(tree)
    for part in walk(tree):
        if isinstance(part, Power) and part.exponent < 0:
            raise NotAlgebra("it divides by more than a number")
    return _tidied(tree)


def check_extent(tree: Tree) -> None:
    """Keep degrees and numbers so small that no step can make them too large.

    Raises:
        NotAlgebra: multiplying it out could come to more than the limits.
    """
    degree, *sizes = _extent(tree)
    if degree > MAX_DEGREE:
        raise NotAlgebra(f"it is of a degree of more than {MAX_DEGREE}")
    if max(sizes) >= 10**MAX_DIGITS:
        raise NotAlgebra(f"it comes to numbers of more than {MAX_DIGITS} digits")


def _extent(tree: Tree) -> tuple[int, int, int]:
    """Degree, sum of the coefficients' magnitudes, and the denominator common to these two, as
    multiplying out without collecting gives them; no step of multiplying or collecting gives more,
    and factors have but a few digits more than their product."""
    if isinstance(tree, Name):
        return 1, 1, 1
    if isinstance(tree, Number):
        return 0, abs(tree.value.numerator), tree.value.denominator
    if isinstance(tree, Power):
        degree, top, bottom = _extent(tree.base)
        return tree.exponent * degree, top**tree.exponent, bottom**tree.exponent
    degrees, tops, bottoms = zip(*map(_extent, parts_of(tree)))
    if isinstance(tree, Product):
        return sum(degrees), prod(tops), prod(bottoms)
    common = lcm(*bottoms)
    return max(degrees), sum(top * common // b for top, b in zip(tops, bottoms)), common


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
    if isinstance(tidied, Sum) and len(value_of(tidied)) <= 1:
        return tree_of(value_of(tidied))
    return tidied


@lru_cache(maxsize=4096)
def value_of(tree: Tree) -> Form:
    """The normal form; not to be changed.

    Raises:
        NotAlgebra: it takes too much work.
    """
    form, _ = Exact().value(tree)
    return form


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
    return len({next(iter(value_of(term))) for term in terms}) == len(terms)


def _replaced(terms: Sequence[Tree], index: int, new: Tree) -> Tree:
    return add(*terms[:index], new, *terms[index + 1 :])


@lru_cache(maxsize=4096)
def distance(goal: str, statement: str, text: str) -> int:
    """Legal steps from an expression to the end, the answer included."""
    tree = tree_from(text, names_of(statement))
    if goal == "expand":
        steps, keys, _ = spread(tree)
        return steps + _alike(keys) + 1
    return _splits_left(tree, statement) + 1


@lru_cache(maxsize=4096)
def moves(goal: str, statement: str, text: str) -> tuple[str, ...]:
    """Legal steps."""
    tree = tree_from(text, names_of(statement))
    found = _expansions(tree) if goal == "expand" else _factorings(tree, names_of(statement))
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
        yield tree_of(value_of(tree))


def _multiplied(outer: Tree, brackets: list[Sum]) -> Tree:
    """A term with its first two brackets multiplied, or its only one by what stands before it."""
    if len(brackets) == 1:
        return add(*(multiply(outer, term) for term in brackets[0].terms))
    first, second, *rest = sorted(brackets, key=lambda bracket: _rank(value_of(bracket)))
    product = add(*(multiply(a, b) for a in first.terms for b in second.terms))
    return multiply(outer, product, *rest)


@lru_cache(maxsize=4096)
def spread(tree: Tree) -> tuple[int, tuple[Key, ...], int]:
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
            keys += value_of(term)
            continue
        for bracket in brackets:
            inner, found, terms = spread(bracket)
            steps += inner + _alike(found)
            size += terms
        more, written, terms = _product_steps(outer, [value_of(bracket) for bracket in brackets])
        steps += more
        size += terms
        keys += written
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
    return steps + 1, list(exact.times(value_of(outer), forms[0])), size


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
    content, factors = factored(value_of(tree), names)
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
    names = names_of(statement)
    _, brackets = _in_brackets(tree)
    forms = [value_of(bracket) for bracket in brackets]
    _, factors = _irreducible(tree_from(statement, names), names)
    untidy = any(not _is_settled(bracket) for bracket in brackets)
    return int(untidy) + sum(_common(f) != ONE for f in forms) + len(factors) - len(forms)


def _factorings(tree: Tree, names: tuple[str, ...]) -> Iterator[Tree]:
    """The expression after one step."""
    outer, brackets = _in_brackets(tree)
    if not all(map(_is_settled, brackets)):
        yield multiply(outer, *(tree_of(value_of(bracket)) for bracket in brackets))
        return
    for i, bracket in enumerate(brackets):
        if bracket in brackets[:i]:
            continue
        form = value_of(bracket)
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
            rest = tree_of(value_of(multiply(*others)))
            yield multiply(number(sign), outer, *before, factor, rest, *after)
