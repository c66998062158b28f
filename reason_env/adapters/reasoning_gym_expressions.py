"""Expressions in answers, read as trees: nothing that an agent wrote is ever evaluated as code."""

from __future__ import annotations

import ast
import math
import re
from collections.abc import Collection
from fractions import Fraction
from typing import TypeAlias

Polynomial: TypeAlias = dict[tuple[tuple[str, int], ...], int]
"""Coefficients by powers, `{(("x", 2), ("y", 1)): 3}`."""

_FUNCTIONS = {
    *("exp", "log", "ln", "sqrt", "sin", "cos", "tan", "sec", "csc", "cot"),
    *("asin", "acos", "atan", "sinh", "cosh", "tanh", "asinh", "acosh", "atanh"),
}


def parse(text: str) -> ast.expr:
    """An expression as a tree.

    Raises:
        ValueError: it is no expression.
    """
    try:
        return ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, MemoryError, RecursionError) as error:  # of the parser's stack
        raise ValueError("not an expression") from error


def evaluate(node: ast.expr) -> tuple[Fraction, list[int]]:
    """The value of an expression in whole numbers and + - * /, and the numbers in it.

    Raises:
        ValueError: there is something else in it.
        ZeroDivisionError: it has no value.
    """
    match node:
        case ast.Constant(value=int(number)):
            return Fraction(number), [number]
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            value, numbers = evaluate(operand)
            return -value, numbers
        case ast.BinOp(left=left, op=op, right=right):
            (a, first), (b, second) = evaluate(left), evaluate(right)
            match op:
                case ast.Add():
                    return a + b, first + second
                case ast.Sub():
                    return a - b, first + second
                case ast.Mult():
                    return a * b, first + second
                case ast.Div():
                    return a / b, first + second
    raise ValueError("not arithmetic in whole numbers")


def polynomial(node: ast.expr, sign: int = 1) -> Polynomial:
    """A sum of terms such as `-3*x**2*y`.

    Raises:
        ValueError: it is no such sum, or two terms have the same powers.
    """
    match node:
        case ast.BinOp(left=left, op=ast.Add() | ast.Sub() as op, right=right):
            terms = polynomial(left, sign)
            more = polynomial(right, sign if isinstance(op, ast.Add) else -sign)
            if terms.keys() & more.keys():
                raise ValueError("like terms are not collected")
            return terms | more
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            return polynomial(operand, -sign)
    coefficient, powers = _term(node)
    return {tuple(sorted(powers.items())): sign * coefficient}


def _term(node: ast.expr) -> tuple[int, dict[str, int]]:
    """Coefficient and powers of a product of a number, which comes first, and of variables."""
    match node:
        case ast.Constant(value=int(number)):
            return number, {}
        case ast.UnaryOp(op=ast.USub(), operand=operand):  # -3*x is (-3)*x
            coefficient, powers = _term(operand)
            return -coefficient, powers
        case ast.Name(id=variable):
            return 1, {variable: 1}
        case ast.BinOp(ast.Name(id=variable), ast.Pow(), ast.Constant(value=int(power))):
            return 1, {variable: power}
        case ast.BinOp(left=left, op=ast.Mult(), right=right):
            coefficient, powers = _term(left)
            _, more = _term(right)
            if more and not powers.keys() & more.keys():
                return coefficient, powers | more
    raise ValueError("not a product of a number and powers of different variables")


def is_elementary(text: str, variable: str) -> bool:
    """Whether a text is an expression that SymPy may parse and work on: known names only, no
    `Integral` (its derivative is the question), no towers of powers."""
    if re.fullmatch(r"[a-zA-Z0-9+\-*/(). ]{1,2000}", text) is None:
        return False
    try:
        return _is_elementary(parse(text), {variable, "C", "E", "pi"})
    except (ValueError, RecursionError):
        return False


def _is_elementary(node: ast.expr, names: Collection[str]) -> bool:
    match node:
        case ast.Constant(value=int() | float() as number):
            return math.isfinite(number) and abs(number) < 1e15
        case ast.Name(id=name):
            return name in names
        case ast.UnaryOp(op=ast.USub() | ast.UAdd(), operand=operand):
            return _is_elementary(operand, names)
        case ast.BinOp(op=ast.Add() | ast.Sub() | ast.Mult() | ast.Div()):
            return _is_elementary(node.left, names) and _is_elementary(node.right, names)
        case ast.BinOp(left=base, op=ast.Pow(), right=exponent):
            return (
                _is_elementary(base, names)
                and _is_elementary(exponent, names)
                and not _has(exponent, ast.Pow)
                and (_has(base, ast.Name) or not _has(base, ast.Pow))
                and all(abs(number) <= 1000 for number in _numbers(exponent))
            )
        case ast.Call(func=ast.Name(id=name), args=[argument], keywords=[]):
            return name in _FUNCTIONS and _is_elementary(argument, names)
    return False


def _has(node: ast.expr, kind: type[ast.AST]) -> bool:
    return any(isinstance(part, kind) for part in ast.walk(node))


def _numbers(node: ast.expr) -> list[int | float]:
    parts = [part.value for part in ast.walk(node) if isinstance(part, ast.Constant)]
    return [value for value in parts if isinstance(value, int | float)]
