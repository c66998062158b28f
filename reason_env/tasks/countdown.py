"""Countdown: combine the numbers with + - * /, each exactly once, to reach the target.

An episode (level 1):

    20 7 3 -> 39
    20 - 7 = 13
    13 * 3 = 39

A goal task with a public verifier. A claim combines two numbers that are still there; any true
rational arithmetic is valid (`7 / 2 = 7/2`, `3 - 5 = -2`), with numbers in lowest terms (`6 / 2 =
6/2` would only echo the question). The potential searches exhaustively.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from fractions import Fraction
from functools import lru_cache
from itertools import combinations
from typing import ClassVar

import numpy as np

from reason_env import lines
from reason_env.problem import Json, Kind, Problem, State, Verdict
from reason_env.rational import NUMBER, parse_canonical, parse_rational
from reason_env.task import Task, potential_at

Number = int | Fraction
"""Whole numbers are ints, which compute many times faster; equal values hash alike."""
Numbers = tuple[Number, ...]

# (how many numbers, largest number, range of targets) of each level
_LEVELS = {
    1: (3, 50, (10, 99)),
    2: (3, 99, (10, 999)),
    3: (4, 20, (10, 99)),
    4: (4, 99, (100, 999)),
    5: (5, 99, (100, 999)),
}
_OPERATION = rf"({NUMBER})\s*([-+*/])\s*({NUMBER})"
_CLAIM = re.compile(rf"{_OPERATION}\s*=\s*({NUMBER})")
_SHORT = re.compile(_OPERATION)


class Countdown(Task):
    """See the module's text. `Problem.data` is (numbers, target); `State.data` the numbers left,
    largest first, as text."""

    name: ClassVar[str] = "Countdown"
    levels: ClassVar[range] = range(1, 6)
    public_verifier: ClassVar[bool] = True
    asks_answer: ClassVar[bool] = False

    def generate(self, rng: np.random.Generator, level: int) -> Problem:
        count, largest, (low, high) = _LEVELS[level]
        while True:
            numbers = [int(n) for n in rng.integers(1, largest + 1, size=count)]
            target = _play_out(list(numbers), rng)
            if target is not None and low <= target <= high:
                return Problem(
                    self.name, level, (tuple(sorted(numbers, reverse=True)), int(target))
                )

    def initial(self, problem: Problem) -> State:
        numbers, _ = _statement(problem.data)
        return State(_texts(numbers))

    def step(self, problem: Problem, state: State, line: str) -> Verdict:
        if lines.kind_of(line) is Kind.ANSWER:
            reason = "no answer is asked for: the episode ends when a claim reaches the target"
            return Verdict(Kind.ANSWER, False, state, reason)
        match = _CLAIM.fullmatch(line.strip())
        if match is None:
            return Verdict(Kind.THOUGHT, True, state)
        left, sign, right, claimed = match.groups()
        numbers = list(_numbers(state.data))
        for text in (left, right):
            number = parse_canonical(text)
            if number not in numbers:
                return Verdict(
                    Kind.CLAIM, False, state, f"{text[:40]} is not among the numbers left"
                )
            numbers.remove(number)
        result = _apply(parse_rational(left), sign, parse_rational(right))
        if result is None:
            return Verdict(Kind.CLAIM, False, state, "division by zero")
        if result != parse_canonical(claimed):
            reason = f"{left} {sign} {right} is not {claimed[:40]}"
            return Verdict(Kind.CLAIM, False, state, reason)
        return Verdict(Kind.CLAIM, True, State(_texts((*numbers, result))))

    def is_solved(self, problem: Problem, state: State) -> bool:
        _, target = _statement(problem.data)
        return _numbers(state.data) == (target,)

    def potential(self, problem: Problem, state: State) -> float:
        _, target = _statement(problem.data)
        numbers = _numbers(state.data)
        return potential_at(len(numbers) - 1 if _reaches(numbers, target) else None)

    def legal_steps(self, problem: Problem, state: State) -> Sequence[str]:
        _, target = _statement(problem.data)
        return [text for text, _ in _moves(_numbers(state.data), _is_plain(target))]

    def expert_step(self, problem: Problem, state: State, rng: np.random.Generator) -> str | None:
        _, target = _statement(problem.data)
        moves = _moves(_numbers(state.data), _is_plain(target))
        good = [text for text, left in moves if _reaches(left, target)]
        return good[int(rng.integers(len(good)))] if good else None

    def prompt(self, problem: Problem, style: str) -> str:
        compact = self.show(problem, self.initial(problem))
        if style == "compact":
            return compact
        numbers, target = _statement(problem.data)
        return (
            f"Reach {target} from the numbers {', '.join(map(str, numbers))}.\n"
            "Combine two of the numbers left with +, -, * or /; the result takes their place. "
            "Use every number exactly once.\n"
            "Write one step a line, exactly in the form: 25 * 3 = 75"
        )

    def show(self, problem: Problem, state: State) -> str:
        _, target = _statement(problem.data)
        return f"{' '.join(_texts(_numbers(state.data)))} -> {target}"

    def canonical(self, problem: Problem) -> str:
        """Ignores the order of the numbers."""
        numbers, target = _statement(problem.data)
        whole = [int(n) if n.denominator == 1 else str(n) for n in sorted(numbers, reverse=True)]
        return json.dumps([whole, int(target) if target.denominator == 1 else str(target)])

    def complete(self, problem: Problem, state: State, line: str) -> str:
        match = _SHORT.fullmatch(line)
        if match is None:
            return line
        left, sign, right = match.groups()
        result = _apply(parse_rational(left), sign, parse_rational(right))
        # An operation with no result is still a claim, and a wrong one.
        return f"{line} = {'0' if result is None else result}"

    def abbreviate(self, line: str) -> str:
        return line.partition(" = ")[0]


def _texts(numbers: Sequence[Number]) -> tuple[str, ...]:
    return tuple(str(n) for n in sorted(numbers, reverse=True))


@lru_cache(maxsize=65536)
def _numbers(data: Json) -> Numbers:
    assert isinstance(data, tuple)
    return tuple(_whole(Fraction(str(text))) for text in data)


@lru_cache(maxsize=65536)
def _statement(data: Json) -> tuple[Numbers, Number]:
    assert isinstance(data, tuple)
    numbers, target = data
    assert isinstance(numbers, tuple)
    return _numbers(numbers), int(str(target))


def _apply(left: Number | None, sign: str, right: Number | None) -> Number | None:
    """None: no such number (division by zero)."""
    if left is None or right is None:
        return None
    if sign == "+":
        return _whole(left + right)
    if sign == "-":
        return _whole(left - right)
    if sign == "*":
        return _whole(left * right)
    return _quotient(left, right) if right else None


def _quotient(left: Number, right: Number) -> Number:
    if isinstance(left, int) and isinstance(right, int) and left % right == 0:
        return left // right
    return _whole(Fraction(left) / right)


def _whole(number: Number) -> Number:
    return number.numerator if number.denominator == 1 else number


def _play_out(numbers: list[Number], rng: np.random.Generator) -> Number | None:
    """Combine the numbers at random without leaving the positive whole numbers."""
    while len(numbers) > 1:
        i, j = rng.permutation(len(numbers))[:2]
        a, b = max(numbers[i], numbers[j]), min(numbers[i], numbers[j])
        result = _apply(a, "+-*/"[rng.integers(4)], b)
        if result is None or result.denominator != 1 or result == 0:
            return None
        numbers = [n for k, n in enumerate(numbers) if k not in (i, j)] + [result]
    return numbers[0]


def _is_plain(number: Number) -> bool:
    """Whether it is a whole number of 0 or more, as all generated targets are."""
    return number >= 0 and number.denominator == 1


@lru_cache(maxsize=16384)
def _moves(numbers: Numbers, plain_target: bool) -> tuple[tuple[str, Numbers], ...]:
    """Legal steps and the numbers that each leaves.

    For a plain target nothing is lost by leaving out: negative results, since with non-negative
    numbers every magnitude that can be reached can be reached without them (|x + y| and |x - y|
    are the sum and the difference of magnitudes); and fractions while fewer than four numbers are
    left and all are whole, since then a whole target that needs a / b can multiply first.
    """
    negative = not plain_target or any(n < 0 for n in numbers)
    fractions = not plain_target or len(numbers) >= 4 or any(n.denominator != 1 for n in numbers)
    moves: dict[str, Numbers] = {}
    for i, j in combinations(range(len(numbers)), 2):
        a, b = max(numbers[i], numbers[j]), min(numbers[i], numbers[j])
        rest = [n for k, n in enumerate(numbers) if k not in (i, j)]
        for x, sign, y in (
            (a, "+", b),
            (a, "-", b),
            (b, "-", a),
            (a, "*", b),
            (a, "/", b),
            (b, "/", a),
        ):
            result = _apply(x, sign, y)
            if result is None or (result < 0 and not negative):
                continue
            if result.denominator != 1 and not fractions:
                continue
            left = tuple(sorted((*rest, result), reverse=True))
            moves.setdefault(f"{x} {sign} {y} = {result}", left)
    return tuple(moves.items())


@lru_cache(maxsize=262144)
def _reaches(numbers: Numbers, target: Number) -> bool:
    """Whether all the numbers can be combined into the target, by splitting them in two halves,
    of which the smaller is tried out and the larger searched for what then is missing."""
    if len(numbers) <= 3:
        return target in _reachable(numbers)
    for smaller, larger in _halves(numbers):
        for value in _reachable(smaller):
            # Zero times anything is zero.
            if value == target == 0 or any(_reaches(larger, y) for y in _inverses(value, target)):
                return True
    return False


@lru_cache(maxsize=65536)
def _reachable(numbers: Numbers) -> frozenset[Number]:
    """All values of the numbers combined."""
    if len(numbers) == 1:
        return frozenset(numbers)
    return frozenset(
        result
        for smaller, larger in _halves(numbers)
        for x in _reachable(smaller)
        for y in _reachable(larger)
        for result in _combined(x, y)
    )


def _halves(numbers: Numbers) -> Iterator[tuple[Numbers, Numbers]]:
    """All distinct ways to split in two, the smaller half first."""
    seen = set()
    for size in range(1, len(numbers) // 2 + 1):
        for chosen in combinations(range(len(numbers)), size):
            smaller = tuple(numbers[k] for k in chosen)
            if smaller not in seen:
                seen.add(smaller)
                yield smaller, tuple(n for k, n in enumerate(numbers) if k not in chosen)


def _combined(x: Number, y: Number) -> Iterator[Number]:
    yield x + y
    yield x - y
    yield y - x
    yield x * y
    if y:
        yield _quotient(x, y)
    if x:
        yield _quotient(y, x)


def _inverses(value: Number, target: Number) -> Iterator[Number]:
    """All y which `value` and y combine to the target with (zero times y apart)."""
    yield target - value
    yield value - target
    yield target + value
    if value:
        yield _quotient(target, value)
        yield target * value
        if target:
            yield _quotient(value, target)
