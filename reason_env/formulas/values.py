"""What a tree is worth as a number, and whether it is cheap enough to calculate at all."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from math import gcd

from reason_env.formulas.parser import Node
from reason_env.formulas.text import Unreadable

MAX_MAGNITUDE = 20_000
"""Decimal digits of a number in a formula, once calculated."""
MAX_ITEMS = 64
_TOO_LARGE = Fraction(MAX_MAGNITUDE + 1)
_LITERALS = ("num", "neg", "div", "mixed", "pct", "mul")


def nodes(node: Node) -> Iterator[Node]:
    """A node and all below it."""
    yield node
    for arg in node.args:
        yield from nodes(arg)


def variables(node: Node) -> set[str]:
    """The names of variables and of functions that are not known."""
    return {part.text for part in nodes(node) if part.kind in ("sym", "apply")}


def has_variables(node: Node) -> bool:
    return bool(variables(node))


def value_of(node: Node, canonical: bool = True) -> Fraction | None:
    """The value of a number in its last form, None for anything else.

    `12`, `-3`, `0.50`, `8/3` in lowest terms, `1 1/2`, `1.5 * 10^3`, `12 %`; not `2/4`, `1+2`,
    `6!`, `10^3`. With `canonical` false `2/4` is too (data sets are not always in lowest terms).
    """
    if node.kind == "num":
        return Fraction(node.text)
    if node.kind not in _LITERALS or any(arg.kind == "pct" for arg in node.args):
        return None
    if node.kind == "mul":
        return _scientific(node)
    parts = [value_of(arg, canonical) for arg in node.args]
    first, last = parts[0], parts[-1]
    if first is None or last is None:
        return None
    if node.kind == "neg":
        return None if node.args[0].kind == "neg" else -first
    if node.kind == "pct":
        return first / 100
    if node.kind == "mixed":
        return first + last
    whole = first.denominator == last.denominator == 1 and last > 0
    if not whole or (canonical and gcd(first.numerator, last.numerator) > 1 != last):
        return None
    return None if canonical and last == 1 else first / last


def _scientific(node: Node) -> Fraction | None:
    match node.args:
        case [Node("num", mantissa), Node("pow", _, (Node("num", "10"), power))]:
            exponent = value_of(power)
            if exponent is None or exponent.denominator > 1 or abs(exponent) > 256:
                return None
            value = Fraction(mantissa)
            return value * Fraction(10) ** int(exponent) if 1 <= value < 10 else None
    return None


def check_size(node: Node) -> None:
    """Refuse what would take long to calculate.

    Raises:
        Unreadable: numbers of too many digits, towers of powers, too many items.
    """
    for part in nodes(node):
        if len(part.args) > MAX_ITEMS:
            raise Unreadable(f"more than {MAX_ITEMS} parts")
    _magnitude(node)


def _magnitude(node: Node) -> float:
    """A bound of log10 of the value, above and below 1, with variables about 3."""
    parts = [_magnitude(arg) for arg in node.args]
    size = 1.0
    match node.kind, node.text:
        case "num", text:
            size = len(text)
        case (("mul" | "div" | "mixed"), _):
            size = sum(parts)
        case "pow", _:
            exponent = value_of(node.args[1], canonical=False)
            if exponent is None and parts[1] > 5:
                raise Unreadable("too large a power")
            times = 10 ** parts[1] if exponent is None else float(min(abs(exponent), _TOO_LARGE))
            size = parts[0] * max(1, times)
        case ("fact", _) | ("call", "binom"):
            if parts[0] > 4:
                raise Unreadable("too large a factorial")
            size = 10 ** parts[0] * parts[0]
            value = value_of(node.args[0])
            if value is not None:
                size = float(value * max(1, len(str(value))))
        case _:
            size = max(parts, default=1.0) + len(parts) / 10
    if size > MAX_MAGNITUDE:
        raise Unreadable("too large a number")
    return size
