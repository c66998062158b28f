"""Exact values of expressions, in a form in which equality is decided and not sampled.

The class: everything made by + - * / and whole powers from rational numbers, variables, and, in
x alone, exp(p), sin(p), cos(p) for polynomials p over the rationals, and ln(p) for polynomials p
with whole coefficients without a common factor, the first of them positive.

A value is a quotient of two *forms*. A form is a sum, with rational coefficients, of

    monomial * exp(u) * cos(v)      or      monomial * exp(u) * sin(v)

where u and v are polynomials in x, v is 0 or its first coefficient positive (sin(0) does not
occur), and the monomial is in the variables and in ln(p) for irreducible p. Products of sines and
cosines become sums, exp(u)*exp(w) becomes exp(u + w), and ln(p*q) becomes ln(p) + ln(q) (which is
where it is defined), so that every expression of the class without a quotient has a form.

Forms are canonical: different forms are different functions. With cos and sin written by exp(i*v)
and exp(-i*v), a form is a sum of a*exp(c)*exp(q), where the q are polynomials over Q(i) without a
constant term, the c are numbers in Q(i), and the a are polynomials in x and the logarithms.
(1) Logarithms of different irreducible p, and the exponentials of a basis of what the q span over
the integers, are algebraically independent over C(x). For by the theorem of Ostrowski and Kolchin
they could depend on each other only if some sum of complex multiples of the p'/p were the
derivative of a rational function, which has no simple poles, while the p have no root in common; or
if some exp(q) were a rational function. So a sum that is zero has, for every q and every monomial
in x and the logarithms, a sum of a*exp(c) over different c, with numbers a, that is zero.
(2) There the a are zero, by the theorem of Lindemann and Weierstrass.
The product of two forms other than 0 is not 0 (forms are functions analytic on some interval), so
that a/b = c/d exactly if a*d = b*c.
"""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from functools import lru_cache
from math import gcd, lcm
from typing import TypeAlias

from sympy import QQ, Poly, Symbol

from reason_env.tasks.algebra_tree import (
    Call,
    Name,
    NotAlgebra,
    Number,
    Power,
    Product,
    Sum,
    Tree,
    add,
    multiply,
    number,
    power,
)

MAX_WORK = 4000
MAX_DIGITS = 64
MAX_INNER_DEGREE = 8
"""Limits: products of two terms that one value may take (of waves, eight times as dear), digits of
a coefficient, and the degree of what stands in exp, sin, cos and ln."""

Rational: TypeAlias = int | Fraction
"""Whole numbers are ints, which compute many times faster; equal values hash alike."""
Polynomial: TypeAlias = tuple[tuple[int, Rational], ...]
"""In x: exponents and coefficients, highest first; () is 0."""
Generator: TypeAlias = tuple[str, Polynomial]
"""("x", ()) or another variable, or ("ln", p) for an irreducible p."""
Monomial: TypeAlias = tuple[tuple[Generator, int], ...]
"""Generators in order, each with its exponent; () is 1."""
Wave: TypeAlias = tuple[Polynomial, Polynomial, bool]
"""u, v, and whether it is exp(u)*sin(v) and not exp(u)*cos(v)."""
Key: TypeAlias = tuple[Monomial, Wave]
Form: TypeAlias = dict[Key, Rational]
"""Coefficients, none of them 0."""
Value: TypeAlias = tuple[Form, Form]
"""A quotient of forms."""

_BOUND: int = 10**MAX_DIGITS
_CALM: Wave = ((), (), False)
UNIT: Form = {((), _CALM): 1}
X: Generator = ("x", ())


# -- Forms ---------------------------------------------------------------------------------------


def _whole(value: Rational) -> Rational:
    return value.numerator if value.denominator == 1 else value


def plus(left: Form, right: Form, factor: Rational = 1) -> Form:
    """left + factor * right"""
    total = dict(left)
    for key, coefficient in right.items():
        value = _whole(total.get(key, 0) + factor * coefficient)
        if value:
            total[key] = value
        else:
            total.pop(key, None)
    return total


def scaled(form: Form, factor: Rational) -> Form:
    return {key: _whole(factor * coefficient) for key, coefficient in form.items() if factor}


@lru_cache(maxsize=65536)
def _combined(left: Polynomial, right: Polynomial, factor: int) -> Polynomial:
    """left + factor * right"""
    total: dict[int, Rational] = dict(left)
    for exponent, coefficient in right:
        total[exponent] = _whole(total.get(exponent, 0) + factor * coefficient)
    return tuple(sorted(((e, c) for e, c in total.items() if c), reverse=True))


def _wave(u: Polynomial, v: Polynomial, odd: bool) -> tuple[int, Wave]:
    """A wave with its sign brought out; the sign is 0 if it is sin(0)."""
    if not v:
        return (0 if odd else 1), (u, (), False)
    if v[0][1] < 0:
        return (-1 if odd else 1), (u, _combined((), v, -1), odd)
    return 1, (u, v, odd)


@lru_cache(maxsize=65536)
def _interference(left: Wave, right: Wave) -> tuple[tuple[Rational, Wave], ...]:
    """The product of two waves as a sum of waves."""
    (a, v, first_odd), (b, w, second_odd) = left, right
    u = _combined(a, b, 1)
    if not v or not w:
        return ((1, (u, v or w, first_odd or second_odd)),)
    odd = first_odd != second_odd
    sign_of_sum, of_sum = _wave(u, _combined(v, w, 1), odd)
    sign_of_difference, of_difference = _wave(u, _combined(v, w, -1), odd)
    if first_odd and second_odd:
        sign_of_sum = -sign_of_sum
    if second_odd and not first_odd:
        sign_of_difference = -sign_of_difference
    half = Fraction(1, 2)
    waves = ((half * sign_of_sum, of_sum), (half * sign_of_difference, of_difference))
    return tuple((factor, wave) for factor, wave in waves if factor)


def _joined(left: Monomial, right: Monomial) -> Monomial:
    """The product of two monomials."""
    if not left or not right:
        return left or right
    exponents = dict(left)
    for generator, exponent in right:
        exponents[generator] = exponents.get(generator, 0) + exponent
    return tuple(sorted(item for item in exponents.items() if item[1]))


def _polynomial_form(polynomial: Polynomial) -> Form:
    return {
        (((X, exponent),) if exponent else (), _CALM): coefficient
        for exponent, coefficient in polynomial
    }


def polynomial_of(form: Form) -> Polynomial | None:
    """The form as a polynomial in x; None if it is none."""
    found: list[tuple[int, Rational]] = []
    for (monomial, wave), coefficient in form.items():
        if wave != _CALM or any(generator != X for generator, _ in monomial):
            return None
        found.append((monomial[0][1] if monomial else 0, coefficient))
    return tuple(sorted(found, reverse=True))


def _slope(polynomial: Polynomial) -> Polynomial:
    """The derivative of a polynomial."""
    return tuple((e - 1, e * c) for e, c in polynomial if e)


@lru_cache(maxsize=4096)
def _factors(polynomial: Polynomial) -> tuple[tuple[Polynomial, int], ...]:
    """Irreducible factors of what stands in ln.

    Raises:
        NotAlgebra: it is not of the class.
    """
    whole = all(isinstance(c, int) for _, c in polynomial)
    if not whole or not polynomial or polynomial[0][0] == 0 or polynomial[0][1] < 0:
        raise NotAlgebra("ln takes a polynomial with whole coefficients, the first one positive")
    if polynomial[0][0] > MAX_INNER_DEGREE:
        raise NotAlgebra(f"what stands in ln is of a degree of more than {MAX_INNER_DEGREE}")
    content, factors = factored(_polynomial_form(polynomial), ("x",))
    if content != 1:
        raise NotAlgebra("ln takes a polynomial whose coefficients have no common factor")
    found = [(polynomial_of(factor), exponent) for factor, exponent in factors]
    return tuple((factor, exponent) for factor, exponent in found if factor)


def factored(form: Form, names: Iterable[str]) -> tuple[Fraction, list[tuple[Form, int]]]:
    """The complete factorisation of a polynomial over the rationals.

    Returns:
        A number, and irreducible factors with whole coefficients and their exponents.
    """
    generators: list[Generator] = [(name, ()) for name in names]
    coefficients = {
        tuple(dict(monomial).get(g, 0) for g in generators): QQ(c.numerator, c.denominator)
        for (monomial, _), c in form.items()
    }
    symbols = [Symbol(name) for name, _ in generators]
    content, factors = Poly.from_dict(coefficients, *symbols, domain=QQ).factor_list()
    found: list[tuple[Form, int]] = []
    for factor, multiplicity in factors:
        terms: Form = {}
        for exponents, coefficient in factor.as_dict().items():
            monomial = tuple((g, e) for g, e in zip(generators, exponents) if e)
            terms[monomial, _CALM] = int(coefficient)
        found.append((terms, int(multiplicity)))
    # SymPy leaves factors over the rationals primitive, with a positive first coefficient.
    return Fraction(int(content.p), int(content.q)), found


# -- Values --------------------------------------------------------------------------------------


class Exact:
    """Works out values, and gives up (`NotAlgebra`) when all of it takes more than `budget`."""

    def __init__(self, budget: int = MAX_WORK) -> None:
        self.left = budget

    def spend(self, work: int) -> None:
        self.left -= work
        if self.left < 0:
            raise NotAlgebra("it takes too much work to multiply it out")

    def times(self, left: Form, right: Form) -> Form:
        """The product of two forms."""
        if left == UNIT or right == UNIT:
            return right if left == UNIT else left
        wavy = any(wave[1] for _, wave in left) and any(wave[1] for _, wave in right)
        self.spend(len(left) * len(right) * (8 if wavy else 1))
        total: Form = {}
        for (monomial, wave), a in left.items():
            for (other, other_wave), b in right.items():
                product, coefficient = _joined(monomial, other), a * b
                if wave == _CALM or other_wave == _CALM:
                    key = (product, other_wave if wave == _CALM else wave)
                    total[key] = total.get(key, 0) + coefficient
                    continue
                for factor, both in _interference(wave, other_wave):
                    key = (product, both)
                    total[key] = total.get(key, 0) + factor * coefficient
        if any(abs(c.numerator) >= _BOUND or c.denominator >= _BOUND for c in total.values()):
            raise NotAlgebra(f"it comes to numbers of more than {MAX_DIGITS} digits")
        return {key: _whole(c) for key, c in total.items() if c}

    def product(self, left: Value, right: Value) -> Value:
        return self.times(left[0], right[0]), self.times(left[1], right[1])

    def sum(self, left: Value, right: Value, factor: Rational = 1) -> Value:
        """left + factor * right"""
        if left[1] == right[1]:
            return plus(left[0], right[0], factor), left[1]
        top = plus(self.times(left[0], right[1]), self.times(right[0], left[1]), factor)
        return top, self.times(left[1], right[1])

    def equal(self, left: Value, right: Value) -> bool:
        if left[1] == right[1]:
            return left[0] == right[0]
        return self.times(left[0], right[1]) == self.times(right[0], left[1])

    def value(self, tree: Tree) -> Value:
        """The value of an expression; D(...) in it is worked out.

        Raises:
            NotAlgebra: it is not of the class, or beyond the limits.
        """
        if isinstance(tree, Number):
            return ({((), _CALM): _whole(tree.value)} if tree.value else {}), UNIT
        if isinstance(tree, Name):
            return {((((tree.name, ()), 1),), _CALM): 1}, UNIT
        if isinstance(tree, Sum):
            total = self.value(tree.terms[0])
            for term in tree.terms[1:]:
                total = self.sum(total, self.value(term))
            return total
        if isinstance(tree, Product):
            result = self.value(tree.factors[0])
            for factor in tree.factors[1:]:
                result = self.product(result, self.value(factor))
            return result
        if isinstance(tree, Power):
            return self._power(self.value(tree.base), tree.exponent)
        if tree.name == "D":
            return self.derivative(self.value(tree.argument))
        return self._function(tree.name, self.value(tree.argument)), UNIT

    def _power(self, base: Value, exponent: int) -> Value:
        if exponent < 0:
            if not base[0]:
                raise NotAlgebra("division by zero")
            base = base[1], base[0]
        result: Value = (UNIT, UNIT)
        for _ in range(abs(exponent)):
            result = self.product(result, base)
        return result

    def _function(self, name: str, argument: Value) -> Form:
        polynomial = polynomial_of(self.quotient(argument) or argument[0])
        if polynomial is None or (argument[1] != UNIT and self.quotient(argument) is None):
            raise NotAlgebra(f"{name} takes a polynomial in x")
        if any(not 0 <= exponent <= MAX_INNER_DEGREE for exponent, _ in polynomial):
            raise NotAlgebra(f"{name} takes a polynomial of degree {MAX_INNER_DEGREE} at most")
        if name == "ln":
            # Factorisation takes as long as so many products.
            self.spend(50 * max((exponent for exponent, _ in polynomial), default=0) ** 2)
            return {
                (((("ln", factor), 1),), _CALM): exponent
                for factor, exponent in _factors(polynomial)
            }
        if name == "exp":
            return {((), (polynomial, (), False)): 1}
        sign, wave = _wave((), polynomial, name == "sin")
        return {((), wave): sign} if sign else {}

    def quotient(self, value: Value) -> Form | None:
        """The value as one form, where the denominator is a number or a power of x; its powers of
        x may be negative. None: it is no such value."""
        top, bottom = value
        if bottom == UNIT:
            return top
        if len(bottom) != 1:
            return None
        ((monomial, wave), coefficient) = next(iter(bottom.items()))
        if wave != _CALM or any(generator != X for generator, _ in monomial):
            return None
        inverse = tuple((generator, -exponent) for generator, exponent in monomial)
        return self.times(top, {(inverse, _CALM): _whole(Fraction(1) / coefficient)})

    def derivative(self, value: Value) -> Value:
        """The derivative with respect to x."""
        top, bottom = value
        if bottom == UNIT:
            return self._slope_of(top)
        first = self.product(self._slope_of(top), (bottom, UNIT))
        second = self.product(self._slope_of(bottom), (top, UNIT))
        above = self.sum(first, second, -1)
        return above[0], self.times(above[1], self.times(bottom, bottom))

    def _slope_of(self, form: Form) -> Value:
        plain: Form = {}
        by_logarithm: dict[Polynomial, Form] = {}
        for (monomial, wave), coefficient in form.items():
            u, v, odd = wave
            for generator, exponent in monomial:
                less = {(_joined(monomial, ((generator, -1),)), wave): exponent * coefficient}
                if generator == X:
                    plain = plus(plain, less)
                elif generator[0] == "ln":
                    sofar = by_logarithm.get(generator[1], {})
                    by_logarithm[generator[1]] = plus(sofar, less)
            if u:
                same = {(monomial, wave): coefficient}
                plain = plus(plain, self.times(same, _polynomial_form(_slope(u))))
            if v:
                turned: Form = {(monomial, (u, v, not odd)): coefficient if odd else -coefficient}
                plain = plus(plain, self.times(turned, _polynomial_form(_slope(v))))
        total: Value = (plain, UNIT)
        for argument, part in by_logarithm.items():
            above = self.times(part, _polynomial_form(_slope(argument)))
            total = self.sum(total, (above, _polynomial_form(argument)))
        return total

    def ratio(self, left: Value, right: Value) -> Fraction | None:
        """The number k with left = k * right; None if there is none, or right is 0."""
        above, below = self.times(left[0], right[1]), self.times(right[0], left[1])
        if not below or above.keys() != below.keys():
            return None
        key = next(iter(below))
        k = Fraction(above[key]) / Fraction(below[key])
        return k if all(above[other] == k * c for other, c in below.items()) else None


# -- Back to trees -------------------------------------------------------------------------------


def tree_of(form: Form) -> Tree:
    """A form as an expression, its terms in the canonical order."""
    return add(*(_term(key, form[key]) for key in ordered(form)))


def ordered(form: Form) -> list[Key]:
    """The terms of a form: the highest degree first, among equals x before y."""

    def rank(key: Key) -> tuple[object, ...]:
        monomial, wave = key
        degree = sum(exponent for _, exponent in monomial)
        names = [(name, polynomial, -exponent) for (name, polynomial), exponent in monomial]
        return -degree, names, wave

    return sorted(form, key=rank)


def _term(key: Key, coefficient: Rational) -> Tree:
    monomial, (u, v, odd) = key
    factors: list[Tree] = [number(coefficient)]
    for (name, polynomial), exponent in monomial:
        base: Tree = Call("ln", polynomial_tree(polynomial)) if polynomial else Name(name)
        factors.append(power(base, exponent))
    if u:
        factors.append(Call("exp", polynomial_tree(u)))
    if v:
        factors.append(Call("sin" if odd else "cos", polynomial_tree(v)))
    return multiply(*factors)


def primitive(tree: Tree) -> Tree | None:
    """A polynomial in x without the number that its coefficients have in common, as ln takes it;
    None: it is no polynomial with more than a constant."""
    form, bottom = Exact().value(tree)
    polynomial = polynomial_of(form)
    if bottom != UNIT or not polynomial or polynomial[0][0] == 0:
        return None
    coefficients = [Fraction(c) for _, c in polynomial]
    common = Fraction(
        gcd(*(c.numerator for c in coefficients)), lcm(*(c.denominator for c in coefficients))
    )
    if coefficients[0] < 0:
        common = -common
    return tree_of(scaled(form, 1 / common))


def polynomial_tree(polynomial: Polynomial) -> Tree:
    """A polynomial in x as an expression."""
    return add(*(multiply(number(c), power(Name("x"), e)) for e, c in polynomial))
