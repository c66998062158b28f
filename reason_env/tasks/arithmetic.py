"""Arithmetic: evaluate an expression with + - * / and brackets, one reduction a line.

An episode (level 1):

    (9 + 3) * 4
    9 + 3 = 12
    12 * 4 = 48
    answer: 48

A value task with a private verifier. A claim works out one operation whose two operands are both
numbers by the usual precedence (left to right among equals): in `2 + 3 * 4`, `3 * 4 = 12` is a
step and `2 + 3 = 5` is not. Where several places fit, the leftmost is replaced. Division is exact;
negative numbers and fractions stand in brackets, as `(-3)` and `(7/2)`, within an expression.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from typing import ClassVar, TypeAlias, Union

import numpy as np

from reason_env import lines
from reason_env.answers import is_value, judge_answer
from reason_env.problem import Json, Kind, Problem, State, Verdict
from reason_env.rational import NUMBER, parse_canonical, parse_rational
from reason_env.task import Task, potential_at

MAX_CHARS = 2000
MAX_OPERATIONS = 64
MAX_NESTING = 64
MAX_DIGITS = 200
"""Limits of a problem's expression; values of all its parts are kept below 10**200."""


@dataclass(frozen=True, slots=True)
class Level:
    """Problems of a level: how many operations, and the bounds of numbers and of all results."""

    operations: int
    largest: int
    low: int
    high: int


_LEVELS = {
    1: Level(2, 20, 0, 99),
    2: Level(3, 50, 0, 999),
    3: Level(4, 99, -999, 999),
    4: Level(6, 999, -99_999, 99_999),
    5: Level(10, 999, -9_999_999, 9_999_999),
}


@dataclass(frozen=True, slots=True)
class Operation:
    """An inner node of an expression's tree."""

    sign: str
    left: Tree
    right: Tree


Tree: TypeAlias = Union[Fraction, Operation]

_RANK = {"+": 1, "-": 1, "*": 2, "/": 2}
_OPERAND = rf"{NUMBER}|\({NUMBER}\)"
_OPERATION = rf"({_OPERAND})\s*([-+*/])\s*({_OPERAND})"
_CLAIM = re.compile(rf"{_OPERATION}\s*=\s*({_OPERAND})")
_SHORT = re.compile(_OPERATION)
# A number in brackets is one piece, so that (7/2) is a number and not a division.
_PIECE = re.compile(rf"\s*(\({NUMBER}\)|[0-9]+|[-+*/()])")


class Arithmetic(Task):
    """See the module's text. `Problem.data` is an expression; `State.data` what is left of it."""

    name: ClassVar[str] = "Arithmetic"
    levels: ClassVar[range] = range(1, 6)
    public_verifier: ClassVar[bool] = False
    asks_answer: ClassVar[bool] = True

    def generate(self, rng: np.random.Generator, level: int) -> Problem:
        limits = _LEVELS[level]
        while True:
            built = _build(rng, limits.operations, limits)
            if built is not None:
                return Problem(self.name, level, _render(built[0]))

    def initial(self, problem: Problem) -> State:
        """The expression in canonical text.

        Raises:
            ValueError: the problem's expression is not one, has no value, or is beyond the limits.
        """
        _value(problem.data)
        return State(_render(_parse(problem.data)))

    def step(self, problem: Problem, state: State, line: str) -> Verdict:
        if lines.kind_of(line) is Kind.ANSWER:
            return judge_answer(state, line, _value(problem.data))
        match = _CLAIM.fullmatch(line.strip())
        if match is None:
            return Verdict(Kind.THOUGHT, True, state)
        left, sign, right, claimed = match.groups()
        operation = _operation(left, sign, right)
        tree = _parse(state.data)
        if operation is None or operation not in _redexes(tree):
            reason = (
                f"{left[:40]} {sign} {right[:40]} is not an operation of the expression "
                "that can be worked out next"
            )
            return Verdict(Kind.CLAIM, False, state, reason)
        result = _evaluate(operation)
        if parse_canonical(_bare(claimed)) != result:
            reason = f"{left[:40]} {sign} {right[:40]} is not {claimed[:40]}"
            return Verdict(Kind.CLAIM, False, state, reason)
        return Verdict(Kind.CLAIM, True, State(_render(_replaced(tree, operation, result))))

    def is_solved(self, problem: Problem, state: State) -> bool:
        return is_value(state.answer, _value(problem.data))

    def potential(self, problem: Problem, state: State) -> float:
        if state.answer is not None:
            return float(self.is_solved(problem, state))
        return potential_at(_count(_parse(state.data)) + 1)

    def legal_steps(self, problem: Problem, state: State) -> Sequence[str]:
        if state.answer is not None:
            return []
        tree = _parse(state.data)
        if isinstance(tree, Fraction):
            return [f"answer: {tree}"]
        return [f"{_render(found)} = {_evaluate(found)}" for found in _redexes(tree)]

    def expert_step(self, problem: Problem, state: State, rng: np.random.Generator) -> str | None:
        steps = self.legal_steps(problem, state)
        return steps[int(rng.integers(len(steps)))] if steps else None

    def prompt(self, problem: Problem, style: str) -> str:
        expression = self.show(problem, self.initial(problem))
        if style == "compact":
            return expression
        return (
            f"Evaluate {expression}\n"
            "Work out one operation at a time, one that has a number on both sides and comes "
            "next by precedence and brackets; its result takes its place.\n"
            "Write one step a line, exactly in the form: 3 + 4 = 7\n"
            "When a single number is left, give it as a whole number or a fraction in lowest "
            "terms, in the form: answer: 7"
        )

    def show(self, problem: Problem, state: State) -> str:
        return _render(_parse(state.data))

    def chance(self, level: int) -> float:
        """Always 1, the most frequent value."""
        return {1: 0.09, 2: 0.055, 3: 0.025}.get(level, 0.01)

    def canonical(self, problem: Problem) -> str:
        """Ignores the order of the operands of + and *."""
        return _ordered(_parse(problem.data))

    def complete(self, problem: Problem, state: State, line: str) -> str:
        match = _SHORT.fullmatch(line)
        if match is None:
            return line
        operation = _operation(*match.groups())
        # What is no operation of the expression is still a claim, and a wrong one.
        possible = operation is not None and operation in _redexes(_parse(state.data))
        return f"{line} = {_evaluate(operation) if operation and possible else 0}"

    def abbreviate(self, line: str) -> str:
        return line.partition(" = ")[0]


def _bare(text: str) -> str:
    """A number without the brackets around it."""
    return text.removeprefix("(").removesuffix(")")


def _operation(left: str, sign: str, right: str) -> Operation | None:
    """An operation on two numbers in canonical text; None if they are not."""
    a, b = parse_canonical(_bare(left)), parse_canonical(_bare(right))
    return None if a is None or b is None else Operation(sign, a, b)


@lru_cache(maxsize=65536)
def _parse(data: Json) -> Tree:
    """The tree of an expression's text.

    Two stacks instead of recursion, so that no nesting can exhaust the interpreter's.

    Raises:
        ValueError: names what is wrong and where.
    """
    if not isinstance(data, str) or len(data) > MAX_CHARS:
        raise ValueError(
            f"An expression is a text of at most {MAX_CHARS} characters, received {data!r:.80}"
        )
    whole = parse_rational(data.strip())
    if whole is not None:
        return whole
    trees: list[Tree] = []
    signs: list[str] = []
    place, depth, operations = 0, 0, 0
    wants_operand = True
    negative = False
    end = len(data.rstrip())
    while place < end:
        match = _PIECE.match(data, place)
        if match is None:
            raise ValueError(f"Unexpected character at {place} of expression {data[:80]!r}")
        piece = match[1]
        is_number = piece[0].isdigit() or len(piece) > 1
        if is_number and wants_operand:
            number = parse_rational(_bare(piece))
            if number is None:
                raise ValueError(f"No such number at {place} of expression {data[:80]!r}")
            trees.append(-number if negative else number)
            wants_operand = negative = False
        elif piece == "(" and wants_operand and not negative and depth < MAX_NESTING:
            signs.append(piece)
            depth += 1
        elif piece == ")" and not wants_operand and depth:
            while signs[-1] != "(":
                _join(trees, signs)
            signs.pop()
            depth -= 1
        elif piece in _RANK and not wants_operand and operations < MAX_OPERATIONS:
            while signs and signs[-1] != "(" and _RANK[signs[-1]] >= _RANK[piece]:
                _join(trees, signs)
            signs.append(piece)
            operations += 1
            wants_operand = True
        elif piece == "-" and wants_operand and not negative:
            negative = True
        else:
            raise ValueError(
                f"Unexpected {piece!r} at {place} of expression {data[:80]!r} (at most "
                f"{MAX_NESTING} brackets deep, {MAX_OPERATIONS} operations)"
            )
        place = match.end()
    if wants_operand or depth:
        raise ValueError(f"Expression {data[:80]!r} ends too early")
    while signs:
        _join(trees, signs)
    return trees[0]


def _join(trees: list[Tree], signs: list[str]) -> None:
    """Make one tree of the last two."""
    right = trees.pop()
    operation = Operation(signs.pop(), trees.pop(), right)
    trees.append(operation)


@lru_cache(maxsize=65536)
def _value(data: Json) -> Fraction:
    """The value of a problem.

    Raises:
        ValueError: a part has none (division by zero), or a number too long to be claimed.
    """
    try:
        return _evaluate(_parse(data))
    except ZeroDivisionError as error:
        raise ValueError(f"Expression {data!r:.80} divides by zero") from error


def _evaluate(tree: Tree) -> Fraction:
    if isinstance(tree, Fraction):
        return tree
    value = _apply(tree.sign, _evaluate(tree.left), _evaluate(tree.right))
    if max(abs(value.numerator), value.denominator) >= 10**MAX_DIGITS:
        raise ValueError(f"A part of the expression has more than {MAX_DIGITS} digits")
    return value


def _apply(sign: str, left: Fraction, right: Fraction) -> Fraction:
    if sign == "+":
        return left + right
    if sign == "-":
        return left - right
    if sign == "*":
        return left * right
    return left / right


def _count(tree: Tree) -> int:
    """Operations left to work out."""
    if isinstance(tree, Fraction):
        return 0
    return 1 + _count(tree.left) + _count(tree.right)


@lru_cache(maxsize=16384)
def _redexes(tree: Tree) -> tuple[Operation, ...]:
    """The distinct operations on two numbers, from left to right."""
    return tuple(dict.fromkeys(_walk(tree)))


def _walk(tree: Tree) -> Iterator[Operation]:
    if isinstance(tree, Operation):
        if isinstance(tree.left, Fraction) and isinstance(tree.right, Fraction):
            yield tree
        yield from _walk(tree.left)
        yield from _walk(tree.right)


def _replaced(tree: Tree, operation: Operation, result: Fraction) -> Tree:
    """The tree with the leftmost place of the operation replaced; itself where there is none."""
    if tree == operation:
        return result
    if isinstance(tree, Fraction):
        return tree
    left = _replaced(tree.left, operation, result)
    if left is not tree.left:
        return Operation(tree.sign, left, tree.right)
    right = _replaced(tree.right, operation, result)
    return tree if right is tree.right else Operation(tree.sign, tree.left, right)


def _render(tree: Tree) -> str:
    """Canonical text, with no more brackets than needed."""
    if isinstance(tree, Fraction):
        return str(tree)
    rank = _RANK[tree.sign]
    return f"{_inner(tree.left, rank)} {tree.sign} {_inner(tree.right, rank + 1)}"


def _inner(tree: Tree, rank: int) -> str:
    """An operand's text, in brackets unless it binds at least as closely as `rank` asks."""
    text = _render(tree)
    if isinstance(tree, Fraction):
        return f"({text})" if tree < 0 or tree.denominator != 1 else text
    return text if _RANK[tree.sign] >= rank else f"({text})"


def _ordered(tree: Tree) -> str:
    """Fully bracketed text with the operands of + and * in a fixed order."""
    if isinstance(tree, Fraction):
        return str(tree)
    operands = [_ordered(tree.left), _ordered(tree.right)]
    if tree.sign in "+*":
        operands.sort()
    return f"({operands[0]} {tree.sign} {operands[1]})"


def _build(rng: np.random.Generator, operations: int, level: Level) -> tuple[Tree, int] | None:
    """A random tree and its value, all results whole and within bounds; None: out of luck."""
    if operations == 0:
        number = int(rng.integers(1, level.largest + 1))
        return Fraction(number), number
    before = int(rng.integers(operations))
    left = _build(rng, before, level)
    right = _build(rng, operations - 1 - before, level)
    if left is None or right is None:
        return None
    (left_tree, a), (right_tree, b) = left, right
    sign = "+-*/"[rng.integers(4)]
    # Chance would hardly ever make a division come out even, or a product stay within bounds.
    if sign == "/" and before == operations - 1:
        divisors = [d for d in range(2, level.largest + 1) if a % d == 0] or [1]
        b = divisors[int(rng.integers(len(divisors)))]
        right_tree = Fraction(b)
    elif sign == "/" and before == 0 and 0 < 2 * abs(b) <= level.largest:
        a = abs(b) * int(rng.integers(2, level.largest // abs(b) + 1))
        left_tree = Fraction(a)
    elif sign == "*" and before == operations - 1:
        most = min(level.largest, level.high // max(1, abs(a)))
        b = int(rng.integers(min(2, most), most + 1)) if most else 1
        right_tree = Fraction(b)
    if sign == "/" and (b == 0 or a % b):
        return None
    value = _apply(sign, Fraction(a), Fraction(b))
    if not level.low <= value <= level.high:
        return None
    return Operation(sign, left_tree, right_tree), int(value)
