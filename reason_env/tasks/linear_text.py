"""Linear equations as text: a parser that hostile input can neither break nor slow, and the one
canonical style that `LinearEquation` writes in.

    2*x + 3 = 11        -3 + x = 2/3*x        -(x - 4) = 1/2*(3*x + 1)
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import TypeVar

MAX_CHARS = 2000
MAX_TERMS = 24
MAX_DIGITS = 64
"""Limits of a claim. They are closed under the legal steps: whatever these can make of a claim
within the limits is within them too (see `_check_size`)."""

_BOUND: int = 10**MAX_DIGITS
_EQUATION = re.compile(r"[0-9A-Za-z+\-*/()=^. ]*")
_WORD = re.compile(r"[A-Za-z]{2}")
_PIECE = re.compile(r"\s*([0-9]+|[A-Za-z]|[-+*/()])")
_RANK = {"+": 1, "-": 1, "*": 2, "/": 2, "negative": 3}


class NotLinear(ValueError):
    """The text is not a linear equation in one unknown within the limits."""


@dataclass(frozen=True, slots=True)
class Term:
    """factor * (slope*x + constant): with slope and constant 1 and 0 a multiple of the unknown,
    with 0 and 1 a number, with neither 0 a bracket."""

    factor: Fraction
    slope: Fraction
    constant: Fraction

    @property
    def is_bracket(self) -> bool:
        return bool(self.slope and self.constant)

    def expanded(self) -> tuple[Term, ...]:
        """The same without brackets."""
        return tuple(
            term
            for term in (x_term(self.factor * self.slope), number_term(self.factor * self.constant))
            if term.factor
        )

    def normal(self) -> tuple[Term, ...]:
        """The same in its simplest form: only what needs a bracket keeps it."""
        return (self,) if self.is_bracket and self.factor not in (0, 1) else self.expanded()


def x_term(factor: Fraction) -> Term:
    """factor*x"""
    return Term(factor, Fraction(1), Fraction(0))


def number_term(factor: Fraction) -> Term:
    """A number."""
    return Term(factor, Fraction(0), Fraction(1))


@dataclass(frozen=True)
class Side:
    """A sum of terms, and its text, which may be less tidy than the terms (`8/2`, `x + 0`)."""

    terms: tuple[Term, ...]
    text: str

    @classmethod
    def of(cls, terms: tuple[Term, ...], variable: str) -> Side:
        """A side in canonical text."""
        normal = tuple(part for term in terms for part in term.normal())
        return cls(normal, render_terms(normal, variable))

    @cached_property
    def slope(self) -> Fraction:
        return sum((term.factor * term.slope for term in self.terms), Fraction(0))

    @cached_property
    def constant(self) -> Fraction:
        return sum((term.factor * term.constant for term in self.terms), Fraction(0))

    @property
    def brackets(self) -> int:
        return sum(term.is_bracket for term in self.terms)

    def is_collected(self, variable: str) -> bool:
        """Whether it is a*x + b or b + a*x in canonical text."""
        multiples = sum(not term.constant for term in self.terms)
        numbers = len(self.terms) - multiples
        tidy = not self.brackets and multiples <= 1 and numbers <= 1
        return tidy and self.text == render_terms(self.terms, variable)


@dataclass(frozen=True)
class Equation:
    """Two sides and the name of the unknown, empty where there is none."""

    left: Side
    right: Side
    variable: str

    @property
    def text(self) -> str:
        return f"{self.left.text} = {self.right.text}"

    @property
    def form(self) -> tuple[Fraction, Fraction, Fraction, Fraction]:
        """a, b, c, d of a*x + b = c*x + d."""
        return self.left.slope, self.left.constant, self.right.slope, self.right.constant

    @cached_property
    def solution(self) -> Fraction | None:
        """The only solution; None if there is none, or every number is one."""
        a, b, c, d = self.form
        return None if a == c else (d - b) / (a - c)


def looks_like_equation(text: str) -> bool:
    """Whether a line is meant as an equation: one `=` between digits, single letters and signs."""
    return (
        text.count("=") == 1
        and _EQUATION.fullmatch(text) is not None
        and _WORD.search(text) is None
    )


def parse_equation(text: str) -> Equation:
    """Read `2*x + 3 = 11`; a sign may be left out in `2x` and `2(x + 1)`.

    Raises:
        NotLinear: says what is wrong.
    """
    if len(text) > MAX_CHARS:
        raise NotLinear(f"it is longer than {MAX_CHARS} characters")
    if text.count("=") != 1:
        raise NotLinear("an equation has exactly one =")
    names = sorted(set(re.findall("[A-Za-z]", text)))
    if len(names) > 1:
        raise NotLinear("it has more than one unknown")
    left, right = map(_parse_side, text.split("="))
    equation = Equation(left, right, names[0] if names else "")
    _check_size(equation)
    return equation


def render_terms(terms: tuple[Term, ...], variable: str) -> str:
    """Canonical text of a sum."""
    text = ""
    for term in terms:
        size = abs(term.factor)
        if term.is_bracket:
            inner = render_terms((x_term(term.slope), number_term(term.constant)), variable)
            body = f"({inner})" if size == 1 else f"{size}*({inner})"
        elif term.constant:
            body = str(size)
        else:
            body = variable if size == 1 else f"{size}*{variable}"
        if text:
            text += (" - " if term.factor < 0 else " + ") + body
        else:
            text = ("-" if term.factor < 0 else "") + body
    return text or "0"


def _check_size(equation: Equation) -> None:
    """Keep every number that the legal steps can come to within `MAX_DIGITS`.

    Expanding makes factor * slope and factor * constant, collecting the sums, and moving the
    differences; dividing comes last and gives the solution, which the problem fixes.

    Raises:
        NotLinear: one is longer.
    """
    a, b, c, d = equation.form
    reachable = [a, b, c, d, a - c, b - d]
    for term in equation.left.terms + equation.right.terms:
        reachable += [term.factor, term.slope, term.constant]
        reachable += [term.factor * term.slope, term.factor * term.constant]
    if not all(map(_is_short, reachable)):
        raise NotLinear(f"it comes to numbers of more than {MAX_DIGITS} digits")


def _is_short(number: Fraction) -> bool:
    return max(abs(number.numerator), number.denominator) < _BOUND


Sum = tuple[Term, ...]
V = TypeVar("V")


def read_sum(
    text: str, leaf: Callable[[str], V], join: Callable[[str, V | None, V], V]
) -> tuple[V, str]:
    """Read a sum. Two stacks instead of recursion, so that no nesting exhausts the interpreter's.

    Args:
        leaf: makes a value of digits, or of a letter.
        join: works out a sign of `+-*/`, or `negative`, which has nothing on its left.

    Returns:
        The value, and the text in canonical spacing with every sign written.

    Raises:
        NotLinear: says what is wrong.
    """
    values: list[V] = []
    signs: list[str] = []
    clean: list[str] = []
    wants_operand = True
    last = ""
    place, end = 0, len(text.rstrip())

    def join_last() -> None:
        sign, right = signs.pop(), values.pop()
        values.append(join(sign, None if sign == "negative" else values.pop(), right))

    while place < end:
        match = _PIECE.match(text, place)
        if match is None:
            raise NotLinear(f"{text[place]!r} has no place in a linear equation")
        piece = match[1]
        if not wants_operand and (piece == "(" or piece.isalpha()):
            # `2x` and `2(x + 1)` leave out the sign: read it, and come back to this piece.
            piece = "*"
        else:
            place = match.end()
        if wants_operand and piece == "-" and last != "negative":
            signs.append("negative")
            clean.append("-")
            last = "negative"
            continue
        if wants_operand and piece == "(":
            signs.append(piece)
        elif wants_operand and piece.isalnum():
            values.append(leaf(piece))
            wants_operand = False
        elif not wants_operand and piece == ")" and "(" in signs:
            while signs[-1] != "(":
                join_last()
            signs.pop()
        elif not wants_operand and piece in _RANK:
            while signs and signs[-1] != "(" and _RANK[signs[-1]] >= _RANK[piece]:
                join_last()
            signs.append(piece)
            wants_operand = True
        else:
            raise NotLinear(f"{piece[:20]!r} is out of place in it")
        clean.append(f" {piece} " if piece in "+-" else piece)
        last = piece
    if wants_operand or "(" in signs:
        raise NotLinear("a side of it ends too early")
    while signs:
        join_last()
    return values[0], "".join(clean)


def _parse_side(text: str) -> Side:
    return Side(*read_sum(text, _leaf, _joined))


def _leaf(piece: str) -> Sum:
    return (x_term(Fraction(1)),) if piece.isalpha() else _literal(piece)


def _literal(digits: str) -> Sum:
    if len(digits) > MAX_DIGITS:
        raise NotLinear(f"it has a number of more than {MAX_DIGITS} digits")
    return (number_term(Fraction(int(digits))),) if int(digits) else ()


def _joined(sign: str, left: Sum | None, right: Sum) -> Sum:
    """Work out a sign.

    Raises:
        NotLinear: the result is not linear, or beyond the limits.
    """
    if left is None:
        result = _scaled(right, Fraction(-1))
    elif sign == "+":
        result = left + right
    elif sign == "-":
        result = left + _scaled(right, Fraction(-1))
    else:
        result = _multiplied(left, right, sign)
    if sum(1 + term.is_bracket for term in result) > MAX_TERMS:
        raise NotLinear(f"it has more than {MAX_TERMS} terms")
    if not all(_is_short(n) for t in result for n in (t.factor, t.slope, t.constant)):
        raise NotLinear(f"it comes to numbers of more than {MAX_DIGITS} digits")
    return result


def _multiplied(left: Sum, right: Sum, sign: str) -> Sum:
    by = _constant(right)
    if sign == "/":
        if by is None:
            raise NotLinear("the unknown is in a denominator")
        if by == 0:
            raise NotLinear("division by zero")
        return _scaled(left, 1 / by)
    if by is not None:
        return _scaled(left, by)
    by = _constant(left)
    if by is None:
        raise NotLinear("the unknown is multiplied by itself")
    return _scaled(right, by)


def _constant(terms: Sum) -> Fraction | None:
    """The value of a sum in which the unknown is not, or cancels out."""
    side = Side(terms, "")
    return None if side.slope else side.constant


def _scaled(terms: Sum, by: Fraction) -> Sum:
    """A multiple of a sum; of several terms it makes a bracket."""
    if len(terms) == 1:
        term = terms[0]
        return Term(term.factor * by, term.slope, term.constant).normal()
    if by == 1:
        return terms
    side = Side(terms, "")
    return Term(by, side.slope, side.constant).normal()
