"""What runs in the killable worker: are two formulas equal?

Two checks that know nothing of each other must agree. One calculates both formulas in many digits
(`reason_env.formulas.digits`). The other is math-verify 0.9.0 with SymPy, gold first. Where
math-verify says yes and the digits say no (it takes 1/2004! for 1/2006!, both being 0 to it), the
answer is wrong; where it says no and the digits say yes, the answer is not scored.

math-verify gets trees, not text: its reader drops what it does not know (`10_2` is 10 to it, `x'`
is x, `2 3` is 5, and X is x). Its time limits are off, being signals; the worker has its own.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from fractions import Fraction
from functools import lru_cache, reduce
from typing import Any

from reason_env.errors import require
from reason_env.formulas.compare import difference
from reason_env.formulas.digits import Undefined, equal, proportional
from reason_env.formulas.parser import Node
from reason_env.formulas.shape import factors, less_done
from reason_env.formulas.values import has_variables, value_of, variables

# Only the worker imports this module, and it needs them all.
sympy: Any = require("sympy", "math")
verify: Callable[..., bool] = require("math_verify", "math").verify
logging.getLogger("math_verify").setLevel(logging.CRITICAL)


class Undecided(Exception):
    """Neither equal nor different."""


def judge(gold: list[Any], answer: list[Any]) -> list[str]:
    """Compare two trees in JSON.

    Returns:
        `["correct", ""]`, `["incorrect", reason]` or `["unscored", reason]`.
    """
    try:
        reason = difference(_tree(gold), _tree(answer), same)
    except (Undefined, Undecided) as undecided:
        return ["unscored", str(undecided)]
    return ["correct", ""] if reason is None else ["incorrect", reason]


def _tree(value: list[Any]) -> Node:
    kind, text, args = value
    return Node(kind, text, tuple(_tree(arg) for arg in args))


@lru_cache(maxsize=4096)
def same(gold: Node, answer: Node) -> str | None:
    """Why an answer is not the gold formula, None if it is."""
    if not equal(gold, answer):
        return "another value"
    if variables(answer) - variables(gold):
        return "a variable that is not asked for"
    reason = less_done(gold, answer)
    if reason is None and not _same_terms(gold, answer):
        reason = "equal, but expanded or factored in another way"
    if reason is None and not verify(to_sympy(gold), to_sympy(answer), timeout_seconds=None):
        raise Undecided("equal in many digits, but math-verify does not find it so")
    return reason


def _same_terms(gold: Node, answer: Node) -> bool:
    """Whether both have the same terms, and these the same factors, all up to constants.

    So neither `x^2+2x+1` nor `x(x+2)+1` is `(x+1)^2`; but `2(x+1)` and `2x+2` are alike.
    """
    golds, answers = _terms(gold), _terms(answer)
    return len(golds) == len(answers) and all(
        any(_same(term, other) and _same_factors(term, other) for other in answers)
        for term in golds
    )


def _same_factors(gold: Node, answer: Node) -> bool:
    golds, answers = _collected(gold), _collected(answer)
    return len(golds) == len(answers) and all(
        any(
            power == other and _same(factor, given) and _same_sums(factor, given)
            for given, other in answers
        )
        for factor, power in golds
    )


def _same_sums(gold: Node, answer: Node) -> bool:
    return "add" not in (gold.kind, answer.kind) or _same_terms(gold, answer)


def _same(one: Node, other: Node) -> bool:
    return one == other or proportional(one, other)


def _terms(node: Node) -> list[Node]:
    """The different terms up to constants, those of `(2x+1)/3` included."""
    found: list[Node] = []
    for term in _all_terms(node):
        if not any(_same(term, other) for other in found):
            found.append(term)
    return found


def _all_terms(node: Node) -> Iterator[Node]:
    parts = [(part, power) for part, power in factors(node) if has_variables(part)]
    match parts:
        case []:
            yield Node("num", "1")
        case [(Node("add", _, terms), 1)]:
            for term in terms:
                yield from _all_terms(term)
        case _:
            yield node


def _collected(node: Node) -> list[tuple[Node, Fraction]]:
    """The different factors with variables, and the power of each."""
    found: list[tuple[Node, Fraction]] = []
    for factor, sign in factors(node):
        power = Fraction(sign)
        if factor.kind == "pow" and (value := value_of(factor.args[1])) is not None:
            factor, power = factor.args[0], power * value
        elif factor.kind == "pow" and factor.args[1].kind == "neg":  # e^{-x}
            factor = Node("pow", "", (factor.args[0], *factor.args[1].args))
            power = -power
        elif factor.text == "root" and (value := value_of(factor.args[1])):
            factor, power = factor.args[0], power / value
        if not has_variables(factor):
            continue
        for index, (other, before) in enumerate(found):
            if _same(factor, other):
                found[index] = (other, before + power)
                break
        else:
            found.append((factor, power))
    return [(factor, power) for factor, power in found if power]


# SymPy

_FUNCTIONS: dict[str, Callable[..., Any]] = {
    **{name: getattr(sympy, name) for name in ("sin", "cos", "tan", "cot", "sec", "csc")},
    **{name: getattr(sympy, name) for name in ("sinh", "cosh", "tanh", "floor")},
    **{f"arc{name}": getattr(sympy, f"a{name}") for name in ("sin", "cos", "tan")},
    **{f"arc{name}": getattr(sympy, f"a{name}") for name in ("cot", "sec", "csc")},
    "ln": sympy.log,
    "log": lambda value, base=10: sympy.log(value) / sympy.log(base),
    "ceil": sympy.ceiling,
    "abs": sympy.Abs,
    "binom": sympy.binomial,
    "gcd": lambda *args: reduce(sympy.gcd, args),
    "lcm": lambda *args: reduce(sympy.lcm, args),
    "max": sympy.Max,
    "min": sympy.Min,
}
_CONSTANTS = {"pi": sympy.pi, "e": sympy.E, "i": sympy.I}


def to_sympy(node: Node) -> Any:
    """The formula as a SymPy expression, sums and products and powers left as they are."""
    args = [to_sympy(arg) for arg in node.args]
    match node.kind, node.text:
        case "num", text:
            return sympy.Rational(text)
        case "sym", name:
            return sympy.Symbol(name, real=True)
        case "const", name if name in _CONSTANTS:
            return _CONSTANTS[name]
        case (("add" | "mixed"), _):
            return sympy.Add(*args, evaluate=False)
        case "mul", _:
            return sympy.Mul(*args, evaluate=False)
        case "neg", _:
            return sympy.Mul(-1, args[0], evaluate=False)
        case "div", _:
            return sympy.Mul(args[0], sympy.Pow(args[1], -1, evaluate=False), evaluate=False)
        case "pct", _:
            return sympy.Mul(args[0], sympy.Rational(1, 100), evaluate=False)
        case "deg", _:
            return sympy.Mul(args[0], sympy.pi, sympy.Rational(1, 180), evaluate=False)
        case "pow", _:
            return sympy.Pow(*args, evaluate=False)
        case "fact", _:
            return sympy.factorial(args[0], evaluate=False)
        case "call", "root":
            if args[0].is_number and args[1].is_Integer and args[1].is_odd:
                return sympy.real_root(*args)
            return sympy.Pow(args[0], 1 / args[1], evaluate=False)
        case "call", name:
            return _FUNCTIONS[name](*args)
        case "apply", name:
            return sympy.Function(name)(*args)
    raise Undecided(f"nothing is known of a {node.text or node.kind}")


# The first comparison loads half of SymPy: that is part of the start, not of a call.
_x = Node("sym", "x")
same(Node("mul", "", (_x, _x)), Node("pow", "", (_x, Node("num", "2"))))
