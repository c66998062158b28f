"""Algebraic expressions as trees and as text: a parser that hostile input can neither break nor
slow, constructors that keep trees tidy, and the one canonical style.

    3*x^2 - 5        (x + 2)*(x - 3)        D(x^2*sin(3*x))/(2*x)        x*exp(x) - I(exp(x))

The constructors do what no rule of algebra is needed for: they flatten sums and products, work out
the number in front of a product, and write equal factors as powers. They leave sums alone (`x + x`
stays), and never merge nor drop a part with an unevaluated operator, so that nothing they do hides
a step.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from typing import TypeAlias, Union

MAX_CHARS = 1000
MAX_DIGITS = 64
MAX_EXPONENT = 64
MAX_NESTING = 24
MAX_WEIGHT = 800
"""Limits of a text that anyone may write (see `check_written`)."""
_MOST = 4000
"""Digits and exponents that rules may make of it: out of their reach, as `weight` shows."""

FUNCTIONS = frozenset({"exp", "sin", "cos", "ln"})
OPERATORS = frozenset({"D", "I"})
"""Unevaluated derivative and integral."""

_EXPRESSION = re.compile(r"[0-9A-Za-z+\-*/^() ]+")
_OPERAND = re.compile("[0-9A-Za-z]")
_CALLED = re.compile(r"(?:exp|sin|cos|ln)(?=(?:\^[0-9]+)? ?\()|[DI](?= ?\()")
_WORD = re.compile(r"[A-Za-z]+")
_PIECE = re.compile(_CALLED.pattern + r"|[0-9]+|[A-Za-z]|\*\*|[-+*/^()]")
_BARS = re.compile(r"ln ?\|([^|]*)\|")
_BARE = re.compile(r"(exp|sin|cos|ln)(\^[0-9]+)? ?([0-9]*x)(?![0-9A-Za-z]| ?(?:\^|\*\*))")


_TOO_LONG = f"it comes to numbers of more than {MAX_DIGITS} digits"
_TOO_HIGH = f"it has an exponent of more than {MAX_EXPONENT}"


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
    if _bits(value) > 3 * _MOST:
        raise NotAlgebra(_TOO_LONG)
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
    if abs(exponent) > _MOST:
        raise NotAlgebra(_TOO_HIGH)
    if exponent == 1:
        return base
    if isinstance(base, Number):
        if exponent <= 0 and base.value == 0:
            raise NotAlgebra("division by zero")
        if (_bits(base.value) - 1) * abs(exponent) > 3 * _MOST:
            raise NotAlgebra(_TOO_LONG)
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
    yield tree
    for part in parts_of(tree):
        yield from walk(part)


def has_operator(tree: Tree) -> bool:
    """Whether there is an unevaluated derivative or integral in it."""
    return isinstance(tree, _Compound) and tree._has_operator


# -- Text ----------------------------------------------------------------------------------------


@lru_cache(maxsize=16384)
def render(tree: Tree) -> str:
    """Canonical text."""
    if isinstance(tree, Sum):
        text = render(tree.terms[0])
        for term in tree.terms[1:]:
            piece = render(term)
            text += f" - {piece[1:]}" if piece.startswith("-") else f" + {piece}"
        return text
    if isinstance(tree, Name):
        return tree.name
    if isinstance(tree, Call):
        return f"{tree.name}({render(tree.argument)})"
    if isinstance(tree, Number):
        return str(tree.value)
    if isinstance(tree, Power) and tree.exponent > 0:
        return _render_power(tree.base, tree.exponent)
    return _render_product(tree)


def _render_product(tree: Tree) -> str:
    """Negative powers stand below one fraction line; a bare coefficient's denominator does not."""
    coefficient, factors = coefficient_of(tree)
    bases = [base_of(factor) for factor in factors]
    above = [_render_power(base, exponent) for base, exponent in bases if exponent > 0]
    below = [_render_power(base, -exponent) for base, exponent in bases if exponent < 0]
    size = abs(coefficient)
    if below and size.denominator != 1:
        below.insert(0, str(size.denominator))
        size = Fraction(size.numerator)
    if size != 1 or not above:
        above.insert(0, str(size))
    text = ("-" if coefficient < 0 else "") + "*".join(above)
    if not below:
        return text
    return f"{text}/{below[0]}" if len(below) == 1 else f"{text}/({'*'.join(below)})"


def _render_power(base: Tree, exponent: int) -> str:
    text = f"({render(base)})" if isinstance(base, Sum) else render(base)
    return text if exponent == 1 else f"{text}^{exponent}"


def unordered_text(tree: Tree, names: Mapping[str, str] | None = None) -> str:
    """Text in which the order of terms and factors does not show, with variables renamed."""
    if isinstance(tree, Name):
        return (names or {}).get(tree.name, tree.name)
    if isinstance(tree, Number):
        return str(tree.value)
    parts = [unordered_text(part, names) for part in parts_of(tree)]
    if isinstance(tree, Sum):
        return f"({' + '.join(sorted(parts))})"
    if isinstance(tree, Product):
        return "*".join(sorted(parts))
    return f"{parts[0]}^{tree.exponent}" if isinstance(tree, Power) else f"{tree.name}({parts[0]})"


def _bracketed(text: str) -> str:
    """The text with `ln|x|`, `sin x` and `sin 2x` as `ln(x)`, `sin(x)` and `sin(2x)`."""
    return _BARE.sub(r"\1\2(\3)", _BARS.sub(r"ln(\1)", text))


def looks_like_expression(text: str, names: Collection[str]) -> bool:
    """Whether a line is meant as an expression: digits, single letters or runs of variables, the
    known functions, and signs."""
    text = _bracketed(text)
    if _EXPRESSION.fullmatch(text) is None or _OPERAND.search(text) is None:
        return False
    words: list[str] = _WORD.findall(_CALLED.sub("1", text))
    return all(len(word) == 1 or set(word) <= set(names) for word in words)


def check_length(text: str) -> str:
    """The text itself.

    Raises:
        NotAlgebra: it is longer than anyone may write; legal steps alone can lead further.
    """
    if len(text) > MAX_CHARS:
        raise NotAlgebra(f"it is longer than {MAX_CHARS} characters")
    return text


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
            raise NotAlgebra(_TOO_HIGH)
        if isinstance(part, Number) and _digits(part.value) > MAX_DIGITS:
            raise NotAlgebra(_TOO_LONG)
    if weight(tree) > MAX_WEIGHT:
        raise NotAlgebra("it has too large powers of powers")


def _digits(value: Fraction) -> int:
    return len(str(max(abs(value.numerator), value.denominator)))


def parse(text: str, names: Collection[str], calls: Collection[str] = ()) -> Tree:
    """Read `3*x^2 - 5`; a `*` may be left out in `3x` and `2(x + 1)`, and `**` is `^`.

    Where functions may be in it, so may `sin x`, `sin^2(x)`, `ln|x|` and `e^x`; these are
    `sin(x)`, `sin(x)^2`, `ln(x)` and `exp(x)`.

    Args:
        text: what to read.
        names: variables that may be in it.
        calls: functions and operators that may be in it.

    Raises:
        NotAlgebra: says what is wrong.
    """
    reader = _Reader(_bracketed(text) if calls else text, names, calls)
    tree = reader.sum()
    if reader.pieces:
        raise NotAlgebra(f"{reader.pieces[-1][:20]!r} is out of place in it")
    return tree


def read_problem(data: object) -> Tree:
    """What a problem of calculus asks to work on.

    Raises:
        ValueError: it is not an expression in x.
    """
    if not isinstance(data, str):
        raise ValueError(f"Expected an expression as a text, received {data!r:.80}")
    try:
        tree = parse(check_length(data), "x", FUNCTIONS)
        check_written(tree)
    except NotAlgebra as error:
        raise ValueError(f"Expression {data!r:.80} is not usable: {error}") from error
    return tree


class _Reader:
    """Recursive descent, no deeper than `MAX_NESTING` brackets."""

    def __init__(self, text: str, names: Collection[str], calls: Collection[str]) -> None:
        self.names, self.calls = names, calls
        self.pieces: list[str] = _PIECE.findall(text)[::-1]
        self.depth = 0
        if sum(map(len, self.pieces)) != len(text.replace(" ", "")):
            raise NotAlgebra("it has a character that has no place in an expression")

    def next(self) -> str:
        """The next piece, empty at the end."""
        return self.pieces[-1] if self.pieces else ""

    def take(self, *wanted: str) -> str:
        """The next piece if it is one of those; else empty."""
        return self.pieces.pop() if self.next() in wanted else ""

    def sum(self) -> Tree:
        terms = [self.signed()]
        while sign := self.take("+", "-"):
            term = self.signed()
            terms.append(negate(term) if sign == "-" else term)
        return add(*terms)

    def signed(self) -> Tree:
        """A product, perhaps with a minus in front."""
        return negate(self.product()) if self.take("-") else self.product()

    def product(self) -> Tree:
        factors = [self.power()]
        while self.next():
            if self.take("/"):
                factors.append(power(self.factor(), -1))
            elif self.take("*"):
                factors.append(self.factor())
            elif self.next()[0].isalpha() or self.next() == "(":
                factors.append(self.power())
            else:
                break
        return multiply(*factors)

    def factor(self) -> Tree:
        """A power, perhaps with a minus in front, as in `2*-3`."""
        return negate(self.power()) if self.take("-") else self.power()

    def power(self) -> Tree:
        base = self.atom()
        return power(base, self.exponent()) if self.take("^", "**") else base

    def exponent(self) -> int:
        bracket = self.take("(")
        sign = self.take("-")
        exponent = self.pieces.pop() if self.next().isdigit() else ""
        if not exponent or (bracket and not self.take(")")) or self.next() in ("^", "**"):
            raise NotAlgebra("an exponent in it is not a whole number")
        if len(exponent) > 4:
            raise NotAlgebra(_TOO_HIGH)
        return int(sign + exponent)

    def atom(self) -> Tree:
        piece = self.pieces.pop() if self.pieces else ""
        if piece.isdigit():
            if len(piece) > _MOST:
                raise NotAlgebra(_TOO_LONG)
            return number(int(piece))
        if piece == "(":
            return self.bracket()
        if piece in FUNCTIONS or (piece in OPERATORS and self.next() == "("):
            return self.call(piece)
        if piece.isalpha():
            if piece not in self.names:
                if piece == "e" and "exp" in self.calls:
                    return self.exponential()
                raise NotAlgebra(f"{piece} is not a variable of the problem")
            return Name(piece)
        raise NotAlgebra(f"{piece[:20]!r} is out of place in it" if piece else "it ends too early")

    def call(self, name: str) -> Tree:
        """What stands behind the name of a function or an operator."""
        if name not in self.calls:
            raise NotAlgebra(f"{name}(...) has no place in it")
        exponent = self.exponent() if self.take("^") else 1
        self.take("(")
        return power(Call(name, self.bracket()), exponent)

    def exponential(self) -> Tree:
        """What stands behind e."""
        if not self.take("^", "**"):
            return Call("exp", ONE)
        sign = MINUS_ONE if self.take("-") else ONE
        if not self.next().isdigit() and self.next() not in ("(", *self.names):
            raise NotAlgebra("an exponent of e in it has no brackets")
        argument = multiply(sign, self.atom())
        if self.next() in ("^", "**"):
            raise NotAlgebra("an exponent of e in it has no brackets")
        return Call("exp", argument)

    def bracket(self) -> Tree:
        """What stands up to the closing bracket."""
        self.depth += 1
        if self.depth > MAX_NESTING:
            raise NotAlgebra(f"it has more than {MAX_NESTING} brackets inside one another")
        tree = self.sum()
        if not self.take(")"):
            raise NotAlgebra("a bracket in it is not closed")
        self.depth -= 1
        return tree
