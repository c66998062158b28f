"""How far a formula is worked out: what tells an answer from the question, when both are equal."""

from __future__ import annotations

import math
from collections.abc import Iterator
from fractions import Fraction

from reason_env.formulas.parser import Node
from reason_env.formulas.values import has_variables, nodes, value_of

_ONE = Node("num", "1")
_I = Node("const", "i")


def sorted_tree(node: Node) -> Node:
    """The tree with the arguments of sums and products in one order, numbers in one form."""
    args = tuple(sorted_tree(arg) for arg in node.args)
    value = value_of(node)
    if value is not None and value >= 0:
        return Node("num", str(value))
    return Node(node.kind, node.text, tuple(sorted(args)) if node.kind in ("add", "mul") else args)


def less_done(gold: Node, answer: Node) -> str | None:
    """Whether an equal answer leaves more to calculate than the gold one: the reason if so.

    Counted are sums, and operations that can be carried out: on numbers alone, on powers of one
    variable, on fractions not in lowest terms; and what is not in the usual last form: a square
    left in a root, a sum or an i in a denominator. So `1 + 2`, `6!`, `x * x^2`, `sqrt(12)`,
    `sqrt(50) - sqrt(18)`, `(2 - i)^2` and `1/(sqrt(2) - 1)` do not pass for what they are equal to.
    `1/sqrt(2)` passes for `sqrt(2)/2`: it too is in lowest terms, and often preferred.
    """
    if _additions(answer) > _additions(gold):
        return "equal, but with more terms: it is not worked out"
    if _undone(answer) > _undone(gold):
        return "equal, but not worked out"
    return None


def _additions(node: Node) -> int:
    """How often is added; (x+1)(x+1) counts like (x+1)^2."""
    sums = {sorted_tree(part) for part in nodes(node) if part.kind == "add"}
    return sum(len(part.args) - 1 for part in sums)


def _undone(node: Node) -> int:
    """Operations that can still be carried out."""
    parts = [*nodes(node)]
    inner = {id(arg) for part in parts if part.kind in ("mul", "div", "neg") for arg in part.args}
    count, logarithms = 0, 0
    for part in parts:
        count += part.kind == "mul" and _ONE in part.args
        count += part.kind == "div" and part.args[1] == _ONE
        if part.kind in ("mul", "div", "neg") and id(part) not in inner:
            count += _undone_factors(part)
        elif part.kind == "pow":
            count += _undone_power(part)
        elif part.kind in ("fact", "call") and not has_variables(part):
            if part.text in ("ln", "log"):
                logarithms = 1  # ln 3 / ln 2 is log_2 3
            else:
                count += part.text != "root" or _undone_root(*part.args)
        elif part.text in ("ln", "log"):
            count += part.args[0].kind == "pow" and not has_variables(part.args[0].args[0])
    return count + logarithms


def factors(node: Node, power: int = 1) -> Iterator[tuple[Node, int]]:
    """The factors of nested products and quotients, those of the denominator with power -1."""
    if node.kind == "mul":
        for arg in node.args:
            yield from factors(arg, power)
    elif node.kind == "div":
        yield from factors(node.args[0], power)
        yield from factors(node.args[1], -power)
    elif node.kind == "neg":
        yield from factors(node.args[0], power)
    else:
        yield node, power


def _undone_factors(node: Node) -> int:
    """Numbers, roots, powers and sums in one product that could be one; what could be cancelled,
    or is not to be left in a denominator."""
    numbers: dict[int, list[Fraction]] = {1: [], -1: []}
    radicands: dict[int, list[Fraction]] = {1: [], -1: []}
    contents = {1: 1, -1: 1}
    bases: list[Node] = []
    sums = {1: 0, -1: 0}
    count = 0
    for factor, power in factors(node):
        value = value_of(factor)
        if value is not None:
            numbers[power] += [value] if value != 1 else []
        elif factor.text == "root":
            radicand = value_of(factor.args[0])
            radicands[power] += [] if radicand is None else [radicand]
        elif factor.kind == "add":
            contents[power] *= _content(factor)
            sums[power] += not has_variables(factor)
            bases += [_I] if _I in nodes(factor) else []
        else:
            base, exponent = factor.args if factor.kind == "pow" else (factor, _ONE)
            bases += [base] if base.kind in ("sym", "const") else []
            count += power == -1 and (base == _I or (value_of(exponent) or 0) < 0)
    count += len(bases) - len(set(bases)) + max(0, sums[1] - 1) + sums[-1]
    for found in (numbers, radicands):
        count += sum(max(0, len(values) - 1) for values in found.values())
        top, bottom = (math.prod(found[power], start=Fraction(1)) for power in (1, -1))
        if found is numbers:
            top, bottom = top * contents[1], bottom * contents[-1]
            root = math.prod(radicands[-1], start=Fraction(1))
            count += top.denominator == 1 != math.gcd(top.numerator, root.numerator)  # 2/sqrt(2)
        if top.denominator == bottom.denominator == 1:
            count += math.gcd(top.numerator, bottom.numerator) > 1
        elif found is numbers and numbers[-1]:
            count += 1  # x/0.5
    return count


def _content(total: Node) -> int:
    """The greatest whole number that divides all terms."""
    found = 0
    for term in total.args:
        values = [value_of(factor) for factor, power in factors(term) if power == 1]
        number = math.prod([value for value in values if value is not None], start=Fraction(1))
        found = math.gcd(found, number.numerator if number.denominator == 1 else 1)
    return max(found, 1)


def _undone_power(node: Node) -> int:
    base, exponent = (value_of(arg, canonical=False) for arg in node.args)
    raised = node.args[0]
    if exponent in (0, 1) or raised.kind == "pow" or raised.text == "root":
        return 1
    if raised == _I or _I in nodes(node.args[1]):
        return 1
    if exponent is None:
        return 0
    if exponent.denominator > 1:
        return _undone_root(raised, Node("num", str(exponent.denominator)))
    if raised.kind in ("mul", "div", "neg"):  # (2x)^3, but not ((x+1)/2)^3
        return int(not any(part.kind == "add" for part in nodes(raised)))
    return int(base is not None or (raised.kind == "add" and not has_variables(raised)))


def _undone_root(radicand: Node, index: Node) -> int:
    """Whether part of a number can be taken out of its root, or its root is of a sum."""
    value, power = value_of(radicand, canonical=False), value_of(index, canonical=False)
    if value is None or power is None or power.denominator > 1 or not 2 <= power <= 64:
        return int(radicand.kind == "add" and not has_variables(radicand))
    sizes = abs(value.numerator), value.denominator
    inside = value > 0 or power % 2 == 1
    return int(
        not inside
        or any(_has_power(size, int(power)) for size in sizes)
        or all(_is_power(size, int(power)) for size in sizes)
    )


def _has_power(number: int, power: int) -> bool:
    """Whether a small number to this power divides a number."""
    return any(number % small**power == 0 for small in range(2, 1000) if small**power <= number)


def _is_power(number: int, power: int) -> bool:
    if power == 2:
        return math.isqrt(number) ** 2 == number
    near = round(number ** (1 / power)) if number < 10**300 else 0
    return any((near + step) ** power == number for step in (-1, 0, 1))
