"""Algebraic expressions as text: the one canonical style, and a parser that hostile input can
neither break nor slow.

    3*x^2 - 5        (x + 2)*(x - 3)        D(x^2*sin(3*x))/(2*x)        x*exp(x) - I(exp(x))
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from fractions import Fraction
from functools import lru_cache

from reason_env.tasks.algebra_tree import (
    MINUS_ONE,
    MOST,
    ONE,
    OPERATORS,
    TOO_HIGH,
    TOO_LONG,
    Call,
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
    coefficient_of,
    multiply,
    negate,
    number,
    parts_of,
    power,
)

MAX_CHARS = 1000
MAX_NESTING = 24
"""Limits of a text that anyone may write."""

FUNCTIONS = frozenset({"exp", "sin", "cos", "ln"})

_EXPRESSION = re.compile(r"[0-9A-Za-z+\-*/^() ]+")
_OPERAND = re.compile("[0-9A-Za-z]")
_CALLED = re.compile(r"(?:exp|sin|cos|ln)(?=(?:\^[0-9]+)? ?\()|[DI](?= ?\()")
_WORD = re.compile(r"[A-Za-z]+")
_PIECE = re.compile(_CALLED.pattern + r"|[0-9]+|[A-Za-z]|\*\*|[-+*/^()]")
_BARS = re.compile(r"ln ?\|([^|]*)\|")
_BARE = re.compile(r"(exp|sin|cos|ln)(\^[0-9]+)? ?([0-9]*x)(?![0-9A-Za-z]| ?(?:\^|\*\*))")


# -- Writing ---------------------------------------------------------------------------------------


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


# -- Reading ---------------------------------------------------------------------------------------


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
            raise NotAlgebra(TOO_HIGH)
        return int(sign + exponent)

    def atom(self) -> Tree:
        piece = self.pieces.pop() if self.pieces else ""
        if piece.isdigit():
            if len(piece) > MOST:
                raise NotAlgebra(TOO_LONG)
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
