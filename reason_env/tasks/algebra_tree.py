"""Algebraic expressions as trees, and constructors that keep them tidy.

The constructors do what no rule of algebra is needed for: they flatten sums and products, work out
the number in front of a product, and write equal factors as powers. They leave sums alone (`x + x`
stays), and never merge nor drop a part with an unevaluated operator, so that nothing they do hides
a step.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import TypeAlias, Union

MAX_DIGITS = 64
MAX_EXPONENT = 64
MAX_WEIGHT = 800
"""Limits of an expression that anyone may write (see `check_written`)."""
MOST = 4000
"""Digits and exponents that rules may make of it: out of their reach, as `weight` shows."""

OPERATORS = frozenset({"D", "I"})
"""Unevaluated derivative and integral."""

TOO_LONG = f"it comes to numbers of more than {MAX_DIGITS} digits"
TOO_HIGH = f"it has an exponent of more than {MAX_EXPONENT}"


class NotAlgebra(ValueError):
    """The text is not an expression of the class, or beyond the limits."""


@dataclass(frozen=True, slots=True)
class Number:
    """A rational number."""

    value: Fraction


@dataclass(frozen=True, slots=True)
class Name:
    """A variable."""

    name: str


class _Compound:
    """Keeps what would otherwise take a walk through the tree each time."""

    __slots__ = ("_has_operator", "_hash")
    _hash: int
    _has_operator: bool

    def __post_init__(self) -> None:
        own = hash((type(self), *(getattr(self, field) for field in self.__slots__)))
        object.__setattr__(self, "_hash", own)
        assert isinstance(self, Sum | Product | Power | Call)
        is_operator = isinstance(self, Call) and self.name in OPERATORS
        found = is_operator or any(map(has_operator, parts_of(self)))
        object.__setattr__(self, "_has_operator", found)

    def __hash__(self) -> int:
        return self._hash


@dataclass(frozen=True, slots=True)
class Sum(_Compound):
    """Two terms or more, none of them a sum or 0."""

    terms: tuple[Tree, ...]
    __hash__ = _Compound.__hash__


@dataclass(frozen=True, slots=True)
class Product(_Compound):
    """Two factors or more, none of them a product; only the first may be a number, and not 1."""

    factors: tuple[Tree, ...]
    __hash__ = _Compound.__hash__


@dataclass(frozen=True, slots=True)
class Power(_Compound):
    """A base that is neither number, product nor power, and an exponent other than 0 and 1."""

    base: Tree
    exponent: int
    __hash__ = _Compound.__hash__


@dataclass(frozen=True, slots=True)
class Call(_Compound):
    """A function or operator applied."""

    name: str
    argument: Tree
    __hash__ = _Compound.__hash__


Tree: TypeAlias = Union[Number, Name, Sum, Product, Power, Call]

ZERO, ONE, MINUS_ONE = Number(Fraction(0)), Number(Fraction(1)), Number(Fraction(-1))


# -- Constructors --------------------------------------------------------------------------------


def number(value: int | Fraction) -> Number:
    """A number as a tree.

    Raises:
        NotAlgebra: it has far too many digits.
    """
    if _bits(value) > 3 * MOST:
        raise NotAlgebra(TOO_LONG)
    return Number(Fraction(value))


def _bits(value: int | Fraction) -> int:
    return max(value.numerator.bit_length(), value.denominator.bit_length())


def add(*parts: Tree) -> Tree:
    """A sum, without zeros."""
    terms = tuple(term for part in parts for term in terms_of(part) if term != ZERO)
    if len(terms) > 1:
        return Sum(terms)
    return terms[0] if terms else ZERO


def multiply(*parts: Tree) -> Tree:
    """A product: one number in front, then variables by name, then other factors as they come but
    those below the fraction line last; equal ones as powers."""
    coefficient = Fraction(1)
    exponents: dict[Tree, int] = {}
    unevaluated: list[Tree] = []
    for factor in (factor for part in parts for factor in factors_of(part)):
        if isinstance(factor, Number):
            coefficient = number(coefficient * factor.value).value
        elif has_operator(factor):
            unevaluated.append(factor)
        else:
            base, exponent = base_of(factor)
            exponents[base] = exponents.get(base, 0) + exponent
    powers = [power(base, exponent) for base, exponent in exponents.items() if exponent]
    powers.sort(key=_place)
    unevaluated.sort(key=_place)
    if coefficient == 0:
        powers = []
        if not unevaluated:
            return ZERO
    factors = (*powers, *unevaluated)
    if coefficient != 1 or not factors:
        factors = (Number(coefficient), *factors)
    return Product(factors) if len(factors) > 1 else factors[0]


def _place(factor: Tree) -> tuple[str, bool]:
    """Where in a product a factor stands, but for the number."""
    base, exponent = base_of(factor)
    return (base.name if isinstance(base, Name) else "~"), exponent < 0


def power(base: Tree, exponent: int) -> Tree:
    """A whole power.

    Raises:
        NotAlgebra: a power of 0 that does not exist, or one far beyond the limits.
    """
    if abs(exponent) > MOST:
        raise NotAlgebra(TOO_HIGH)
    if exponent == 1:
        return base
    if isinstance(base, Number):
        if exponent <= 0 and base.value == 0:
            raise NotAlgebra("division by zero")
        if (_bits(base.value) - 1) * abs(exponent) > 3 * MOST:
            raise NotAlgebra(TOO_LONG)
        return number(base.value**exponent)
    if exponent == 0:
        return ONE
    if isinstance(base, Product):
        return multiply(*(power(factor, exponent) for factor in base.factors))
    if isinstance(base, Power):
        return power(base.base, base.exponent * exponent)
    return Power(base, exponent)


def divide(top: Tree, bottom: Tree) -> Tree:
    """A quotient, as a product with negative powers."""
    return multiply(top, power(bottom, -1))


def negate(tree: Tree) -> Tree:
    return multiply(MINUS_ONE, tree)


# -- Parts ---------------------------------------------------------------------------------------


def terms_of(tree: Tree) -> tuple[Tree, ...]:
    """The terms of a sum; of anything else itself."""
    return tree.terms if isinstance(tree, Sum) else (tree,)


def factors_of(tree: Tree) -> tuple[Tree, ...]:
    """The factors of a product; of anything else itself."""
    return tree.factors if isinstance(tree, Product) else (tree,)


def base_of(tree: Tree) -> tuple[Tree, int]:
    """Base and exponent; of anything but a power itself and 1."""
    return (tree.base, tree.exponent) if isinstance(tree, Power) else (tree, 1)


def coefficient_of(tree: Tree) -> tuple[Fraction, tuple[Tree, ...]]:
    """The number in front of a term, and its other factors."""
    first, *rest = factors_of(tree)
    if isinstance(first, Number):
        return first.value, tuple(rest)
    return Fraction(1), (first, *rest)


def parts_of(tree: Tree) -> tuple[Tree, ...]:
    """The trees right below."""
    if isinstance(tree, Sum):
        return tree.terms
    if isinstance(tree, Product):
        return tree.factors
    if isinstance(tree, Power):
        return (tree.base,)
    return (tree.argument,) if isinstance(tree, Call) else ()


def walk(tree: Tree) -> Iterator[Tree]:
    """All subtrees, the tree itself first."""
    waiting = [tree]
    while waiting:
        part = waiting.pop()
        yield part
        waiting += parts_of(part)


def has_operator(tree: Tree) -> bool:
    """Whether there is an unevaluated derivative or integral in it."""
    return isinstance(tree, _Compound) and tree._has_operator


# -- Limits ----------------------------------------------------------------------------------------


def weight(tree: Tree) -> int:
    """How many factors, and digits in front of them, any one product in it can have, were all
    powers written out and sums brought down to their longest term.

    A rule of calculus makes no product with more than four times the exponents and digits that it
    finds, and it finds them in ever smaller parts: at the end there are no more than four times as
    many as this.
    """
    if isinstance(tree, Number):
        return len(str(tree.value))
    if isinstance(tree, Power):
        return abs(tree.exponent) * weight(tree.base)
    parts = [weight(part) for part in parts_of(tree)]
    return sum(parts) if isinstance(tree, Product) else 1 + max(parts, default=0)


def check_written(tree: Tree) -> None:
    """Keep numbers and exponents so small that no rule can make them too large to write.

    Raises:
        NotAlgebra: they are larger than anyone may write; legal steps alone can lead further.
    """
    for part in walk(tree):
        if isinstance(part, Power) and abs(part.exponent) > MAX_EXPONENT:
            raise NotAlgebra(TOO_HIGH)
        if isinstance(part, Number) and _digits(part.value) > MAX_DIGITS:
            raise NotAlgebra(TOO_LONG)
    if weight(tree) > MAX_WEIGHT:
        raise NotAlgebra("it has too large powers of powers")


def _digits(value: Fraction) -> int:
    return len(str(max(abs(value.numerator), value.denominator)))
