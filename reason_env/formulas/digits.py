"""Formulas in many digits: nearly all that differs is found to differ in about a millisecond.

Two formulas are equal here if at each of five points they agree in all but the last 15 of 60 digits
or more. Where they do not, they are calculated again with three times the digits: the rounding
errors of a sum that cancels shrink then, and a true difference stays.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable
from fractions import Fraction
from typing import Any

from reason_env.errors import require
from reason_env.formulas.parser import Node
from reason_env.formulas.values import value_of

mpmath: Any = require("mpmath", "math")

DIGITS = 60
"""On top of those of the longest number."""
SPARE = 15
POINTS = 5

Number = Any
"""An mpmath number; the package has no types."""
Pair = tuple[Number, Number]


class Undefined(ValueError):
    """A formula has no value at any of the points, or none that is known here."""


def equal(one: Node, other: Node) -> bool:
    """Whether two formulas have the same value at every point where both have one.

    Raises:
        Undefined: there is no such point.
    """
    names = sorted(_symbols(one) | _symbols(other))

    def at(point: int) -> Pair:
        values = {name: _coordinate(name, point) for name in names}
        return evaluate(one, values), evaluate(other, values)

    return _all_close(at, _digits(one, other), POINTS if names else 1)


def proportional(one: Node, other: Node) -> bool:
    """Whether two formulas differ by a constant factor only."""
    names = sorted(_symbols(one) | _symbols(other))

    def at(point: int) -> Pair:
        first, second = (
            {name: _coordinate(name, index) for name in names} for index in (point, POINTS)
        )
        return (
            evaluate(one, first) * evaluate(other, second),
            evaluate(other, first) * evaluate(one, second),
        )

    try:
        return _all_close(at, _digits(one, other), POINTS)
    except Undefined:
        return False


def _all_close(at: Callable[[int], Pair], digits: int, points: int) -> bool:
    """Whether pairs agree at all points where they have values."""
    found = False
    for point in range(points):
        try:
            apart, scale = _apart(at, point, digits)
            found = True
            if apart > scale * mpmath.mpf(10) ** (SPARE - digits):
                again, _ = _apart(at, point, 3 * digits)
                if again > apart * mpmath.mpf(10) ** (SPARE - digits):
                    return False
        except (ZeroDivisionError, OverflowError, mpmath.libmp.NoConvergence):
            continue
    if not found:
        raise Undefined("the formula has no value at the points tried")
    return True


def _apart(at: Callable[[int], Pair], point: int, digits: int) -> Pair:
    """Distance and size of a pair."""
    with mpmath.workdps(digits):
        one, other = at(point)
        apart, scale = abs(one - other), max(abs(one), abs(other))
    if not mpmath.isfinite(apart):
        raise ZeroDivisionError
    return apart, scale


def _digits(*nodes: Node) -> int:
    return DIGITS + max(map(_longest, nodes))


def _longest(node: Node) -> int:
    own = len(node.text) if node.kind == "num" else 0
    return max([own, *map(_longest, node.args)])


def _symbols(node: Node) -> set[str]:
    own = {node.text} if node.kind == "sym" else set[str]()
    return own.union(*map(_symbols, node.args))


def _coordinate(name: str, point: int) -> Number:
    """A number between 1/2 and 5/2; positive at the first two points, of any sign at others."""
    drawn = hashlib.sha256(f"{point} {name}".encode()).digest()
    size = mpmath.mpf(int.from_bytes(drawn[:4])) / 2**31 + mpmath.mpf(1) / 2
    return -size if point > 1 and drawn[4] % 2 else size


# Values

_FUNCTIONS: dict[str, Callable[..., Number]] = {
    **{name: getattr(mpmath, name) for name in ("sin", "cos", "tan", "cot", "sec", "csc")},
    **{name: getattr(mpmath, name) for name in ("sinh", "cosh", "tanh", "ln", "floor")},
    **{f"arc{name}": getattr(mpmath, f"a{name}") for name in ("sin", "cos", "tan")},
    **{f"arc{name}": getattr(mpmath, f"a{name}") for name in ("cot", "sec", "csc")},
    "ceil": mpmath.ceil,
    "abs": abs,
    "log": lambda value, base=10: mpmath.log(value, base),
    "binom": mpmath.binomial,
    "max": max,
    "min": min,
}


def evaluate(node: Node, values: dict[str, Number]) -> Number:
    """The value of a formula, with the present number of digits.

    Raises:
        Undefined: there is something in it that has none.
        ZeroDivisionError: not here.
    """
    match node.kind, node.text:
        case "num", text:
            number = Fraction(text)
            return mpmath.mpf(number.numerator) / number.denominator
        case "sym", name:
            return values[name]
        case "const", "pi":
            return +mpmath.pi
        case "const", "e":
            return +mpmath.e
        case "const", "i":
            return mpmath.mpc(0, 1)
    args = [_real(evaluate(arg, values)) for arg in node.args]
    match node.kind, node.text:
        case (("add" | "mixed"), _):
            return mpmath.fsum(args)
        case "mul", _:
            return mpmath.fprod(args)
        case "neg", _:
            return -args[0]
        case "div", _:
            return args[0] / args[1]
        case "pct", _:
            return args[0] / 100
        case "deg", _:
            return args[0] * mpmath.pi / 180
        case "pow", _:
            return _power(args[0], args[1], value_of(node.args[1], canonical=False))
        case "fact", _:
            return mpmath.factorial(args[0])
        case "call", "root":
            index = value_of(node.args[1])
            return _power(args[0], 1 / args[1], 1 / index if index else None)
        case "call", ("gcd" | "lcm"):
            return mpmath.mpf(_on_integers(node.text, args))
        case "call", ("max" | "min" | "floor" | "ceil") if any(map(_is_complex, args)):
            raise Undefined(f"{node.text} of complex numbers")
        case "call", name:
            return _FUNCTIONS[name](*args)
        case "apply", name:
            # An unknown function: some value that depends on the function and its arguments.
            seed = _coordinate(name, 0)
            return mpmath.cos(sum((seed * value for value in args), seed))
    raise Undefined(f"no value is known of a {node.text or node.kind}")


def _power(base: Number, exponent: Number, exact: Fraction | None) -> Number:
    """The principal value, but the real one for odd roots of negative numbers."""
    if exact is not None and exact.denominator % 2 and not _is_complex(base) and base < 0:
        size = mpmath.power(-base, exponent)
        return -size if exact.numerator % 2 else size
    return mpmath.power(base, exponent)


def _real(value: Number) -> Number:
    """`3+0i` as 3, which has an order."""
    return value if _is_complex(value) else mpmath.re(value)


def _is_complex(value: Number) -> bool:
    return bool(mpmath.im(value) != 0)


def _on_integers(name: str, args: list[Number]) -> int:
    if not all(mpmath.isint(value) for value in args):
        raise Undefined(f"{name} of something else than whole numbers")
    return int(getattr(math, name)(*map(int, args)))
