"""NumberTheory: Euclid's algorithm, modular inverses and powers, and systems of congruences.

An episode (level 1):

    gcd(252, 105)
    252 = 2*105 + 42
    105 = 3*42 - 21
    42 = 2*21 + 0
    answer: 21

A value task. Its verifier counts as private: a power's residue can only be checked by working it
out. Each topic has claims of its own, true equations that follow from the lines before by one step
of the textbook:

    1/17 mod 60            3^7 mod 50            x = 2 mod 5, x = 3 mod 7
    17*4 = 8 mod 60        3^2 = 9 mod 50        5*3 = 1 mod 7
    17*53 = 1 mod 60       3^3 = 27 mod 50       x = 17 mod 35
    answer: 53             3^6 = 29 mod 50       answer: 17
                           3^7 = 37 mod 50
                           answer: 37

- gcd: divide the larger number of the pair by the smaller, with a remainder below or above.
- inverse: the same divisions, each written as a multiple of the number and its residue.
- power: square the last power, or multiply it by a known one with an exponent of 3 or less.
- congruences: how many times one modulus must be added to suit another; then the two as one.

The valid claims are exactly the legal steps, with factors in either order. The distance is known
in closed form for the divisions (least remainders are best) and the congruences (two lines for each
that goes), and by a recursion over halves of the exponent for powers.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from fractions import Fraction
from functools import partial
from math import gcd
from typing import ClassVar, TypeAlias

import numpy as np

from reason_env import lines
from reason_env.answers import is_value, judge_answer
from reason_env.errors import choose
from reason_env.problem import Kind, Problem, State, Verdict
from reason_env.task import Budget, Room, Task, potential_at
from reason_env.tasks.number_theory_euclid import Gcd, Inverse
from reason_env.tasks.number_theory_residues import Congruences, Power
from reason_env.tasks.number_theory_topic import MAX_DIGITS, Topic, Work

TOPICS: dict[str, Topic] = {
    "gcd": Gcd(),
    "inverse": Inverse(),
    "power": Power(),
    "congruences": Congruences(),
}

_RESULT = re.compile(r" = [0-9]+(?= mod )| [-+] [0-9]+\Z")
"""What follows from the rest of a claim: a residue or a remainder."""


class NumberTheory(Task):
    """See the module's text. `Problem.data` is (topic, statement); the statement and `State.data`
    are as the topic's class says."""

    name: ClassVar[str] = "NumberTheory"
    levels: ClassVar[range] = range(1, 6)
    public_verifier: ClassVar[bool] = False
    asks_answer: ClassVar[bool] = True
    room: ClassVar[Room] = Room(compact=72, verbose=1024, feedback=128)

    def generate(self, rng: np.random.Generator, level: int) -> Problem:
        makers = _LEVELS[level]
        name, make = makers[int(rng.integers(len(makers)))]
        return Problem(self.name, level, (name, make(rng)))

    def initial(self, problem: Problem) -> State:
        """No work yet.

        Raises:
            ValueError: the data is not a topic and a statement of it.
        """
        if not isinstance(problem.data, tuple) or len(problem.data) != 2:
            raise ValueError(f"Expected (topic, statement), received {problem.data!r:.80}")
        name, data = problem.data
        topic = TOPICS[choose(str(name), TOPICS, "topic")]
        if not isinstance(data, tuple):
            raise ValueError(f"Expected the numbers of the statement, received {data!r:.80}")
        topic.check(data)
        return State(topic.start(data))

    def step(self, problem: Problem, state: State, line: str) -> Verdict:
        topic, data = _statement(problem)
        if lines.kind_of(line) is Kind.ANSWER:
            return judge_answer(state, line, Fraction(topic.value(data)))
        match = topic.claim.fullmatch(line.strip())
        if match is None:
            return Verdict(Kind.THOUGHT, True, state)
        parts = [part for part in match.groups() if part is not None]
        if max(map(len, parts)) > MAX_DIGITS:
            reason = f"a number has more than {MAX_DIGITS} digits"
            return Verdict(Kind.CLAIM, False, state, reason)
        following = {topic.text(move): work for move, work in topic.moves(data, _work(state))}
        for wanted in (topic.text(line), _turned(topic.text(line))):
            if wanted in following:
                return Verdict(Kind.CLAIM, True, State(following[wanted]))
        true = topic.is_true(parts)
        wrong = "is not a next step from the lines before" if true else "does not hold"
        return Verdict(Kind.CLAIM, False, state, f"{match[0][:80]} {wrong}")

    def is_solved(self, problem: Problem, state: State) -> bool:
        topic, data = _statement(problem)
        return is_value(state.answer, Fraction(topic.value(data)))

    def potential(self, problem: Problem, state: State) -> float:
        if state.answer is not None:
            return float(self.is_solved(problem, state))
        topic, data = _statement(problem)
        return potential_at(topic.distance(data, _work(state)) + 1)

    def legal_steps(self, problem: Problem, state: State) -> Sequence[str]:
        if state.answer is not None:
            return []
        topic, data = _statement(problem)
        moves = topic.moves(data, _work(state))
        return [line for line, _ in moves] or [f"answer: {topic.value(data)}"]

    def expert_step(self, problem: Problem, state: State, rng: np.random.Generator) -> str | None:
        topic, data = _statement(problem)
        nearest = topic.distance(data, _work(state)) - 1
        moves = topic.moves(data, _work(state))
        best = [line for line, work in moves if topic.distance(data, work) == nearest]
        good = best or self.legal_steps(problem, state)
        return good[int(rng.integers(len(good)))] if state.answer is None else None

    def prompt(self, problem: Problem, style: str) -> str:
        topic, data = _statement(problem)
        if style == "compact":
            return topic.statement(data)
        return f"{topic.rules(data)}\nAt the end give the result, in the form: answer: 21"

    def show(self, problem: Problem, state: State) -> str:
        topic, data = _statement(problem)
        return topic.show(data, _work(state))

    def canonical(self, problem: Problem) -> str:
        """Ignores the order of the two numbers of a divisor, and of congruences."""
        topic, data = _statement(problem)
        return json.dumps([type(topic).__name__, topic.canonical(data)])

    def budget(self, level: int) -> Budget:
        return _BUDGETS[level]

    def chance(self, level: int) -> float:
        """Answering the most frequent value: at level 1 one of 51 about equally frequent ones."""
        return _CHANCES[level]

    def complete(self, problem: Problem, state: State, line: str) -> str:
        topic, data = _statement(problem)
        for move, _ in topic.moves(data, _work(state)):
            if "".join(self.abbreviate(move).split()) == "".join(line.split()):
                return move
        short = topic.short.fullmatch(line) if topic.short else None
        # What does not follow is still a claim, and not a valid one whatever its residue.
        return f"{short[1]} = 0 mod {short[short.re.groups]}" if short else line

    def abbreviate(self, line: str) -> str:
        return _RESULT.sub("", line)


def _statement(problem: Problem) -> tuple[Topic, Work]:
    assert isinstance(problem.data, tuple)
    name, data = problem.data
    assert isinstance(data, tuple)
    return TOPICS[str(name)], data


def _work(state: State) -> Work:
    assert isinstance(state.data, tuple)
    return state.data


def _turned(text: str) -> str:
    """A claim without spaces with the factors of its product in the other order."""
    return re.sub(r"([0-9]+)\*([0-9]+)", r"\2*\1", text)


# -- Generation ----------------------------------------------------------------------------------

Maker: TypeAlias = Callable[[np.random.Generator], Work]


def _between(rng: np.random.Generator, low: int, high: int) -> int:
    return int(rng.integers(low, high + 1))


def _gcd(rng: np.random.Generator, largest: int, divisor: int) -> Work:
    """Two numbers up to `largest`, neither a multiple of the other; every greatest common divisor
    from 2 to `divisor` is as likely as any other."""
    common = _between(rng, 2, divisor)
    while True:
        x, y = _between(rng, 2, largest // common), _between(rng, 2, largest // common)
        if x != y and gcd(x, y) == 1:
            return (common * x, common * y)


def _power(rng: np.random.Generator, exponents: tuple[int, int], moduli: tuple[int, int]) -> Work:
    """Without the residues 0 and 1, which would be too frequent."""
    while True:
        modulus = _between(rng, *moduli)
        base, exponent = _between(rng, 2, modulus - 2), _between(rng, *exponents)
        if pow(base, exponent, modulus) > 1:
            return (base, exponent, modulus)


def _inverse(rng: np.random.Generator, moduli: tuple[int, int]) -> Work:
    while True:
        modulus = _between(rng, *moduli)
        number = _between(rng, 2, modulus - 2)
        if gcd(number, modulus) == 1:
            return (number, modulus)


def _congruences(rng: np.random.Generator, count: int, moduli: tuple[int, int]) -> Work:
    chosen: list[int] = []
    while len(chosen) < count:
        modulus = _between(rng, *moduli)
        if all(gcd(modulus, other) == 1 for other in chosen):
            chosen.append(modulus)
    return tuple((_between(rng, 0, modulus - 1), modulus) for modulus in chosen)


_LEVELS: dict[int, tuple[tuple[str, Maker], ...]] = {
    1: (("gcd", partial(_gcd, largest=999, divisor=52)),),
    2: (
        ("power", partial(_power, exponents=(6, 20), moduli=(50, 199))),
        ("inverse", partial(_inverse, moduli=(100, 499))),
        ("congruences", partial(_congruences, count=2, moduli=(5, 30))),
    ),
    3: (
        ("gcd", partial(_gcd, largest=99_999, divisor=999)),
        ("power", partial(_power, exponents=(30, 99), moduli=(100, 999))),
        ("inverse", partial(_inverse, moduli=(300, 9999))),
        ("congruences", partial(_congruences, count=3, moduli=(5, 40))),
    ),
    4: (
        ("gcd", partial(_gcd, largest=10**7, divisor=9999)),
        ("power", partial(_power, exponents=(300, 999), moduli=(300, 9999))),
        ("inverse", partial(_inverse, moduli=(10**5, 10**6))),
        ("congruences", partial(_congruences, count=4, moduli=(7, 99))),
    ),
    5: (
        ("gcd", partial(_gcd, largest=10**12, divisor=10**5)),
        ("power", partial(_power, exponents=(10**5, 10**6), moduli=(10**4, 10**6))),
        ("inverse", partial(_inverse, moduli=(10**9, 10**10))),
        ("congruences", partial(_congruences, count=6, moduli=(11, 199))),
    ),
}
_BUDGETS = {
    1: Budget(12, 128),
    2: Budget(16, 192),
    3: Budget(24, 320),
    4: Budget(40, 640),
    5: Budget(64, 1280),
}
_CHANCES = {1: 0.025, 2: 0.02, 3: 0.005, 4: 0.005, 5: 0.001}
