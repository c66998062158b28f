"""LinearSystem: solve two to four equations in as many unknowns, one elimination a line.

An episode (level 1):

    3*x + 2*y = 19; x - 2*y = 1
    4*x = 20
    x = 5
    y = 2
    answer: x = 5, y = 2

A value task with a public verifier: put the values in. A claim is a linear equation in the
unknowns, and valid if it holds at the solution but not everywhere; such equations are exactly the
combinations of the given ones.

The state is the values known (by a claim of the form `x = 5`; `2*x = 10` gives no value yet) and as
many independent equations as there are unknowns left. A claim takes the place of an equation that
it is a combination of, if that says more of other unknowns, and if this takes the system no further
from triangular form (`linear_rows` counts the misses). A claim that has all the unknowns, or says
no more of its unknowns than is known, changes nothing. So no true claim lowers the potential, and
an echo does not raise it.

The legal steps are to write down the value of an unknown that is alone in an equation (once the
known values are put in), and to eliminate an unknown from two equations where that is one miss
less. Where no two equations give such a one, an equation as `x + 2*y = 17` in the right unknowns
serves. Each takes the end exactly one line nearer, and there always is one (`simplest`), so that
the distance is the misses, a line for each value, and the answer. A value is no miss more: with x
alone in an equation, x may as well come first in any order, since a complete set of unknowns stays
complete with x added.

True claims can be short cuts, such as `x = 5` from the start, or an elimination in which a second
unknown happens to drop out; the legal steps count without them, and generated systems do not have
such eliminations (`linear_draw`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from fractions import Fraction
from functools import lru_cache
from itertools import permutations
from math import gcd
from typing import ClassVar, cast

import numpy as np

from reason_env import lines
from reason_env.problem import Json, Kind, Problem, State, Verdict
from reason_env.rational import NUMBER, parse_canonical
from reason_env.task import Budget, Room, Task, potential_at
from reason_env.tasks.linear_draw import LEVELS, draw_system
from reason_env.tasks.linear_rows import (
    MAX_CHARS,
    Row,
    System,
    combination,
    eliminations,
    exchanged,
    is_short,
    is_value,
    misses_of,
    parse_equation,
    parse_system,
    put_in,
    reach,
    render,
    row_of,
    simplest,
    simplicity,
    without_one,
)
from reason_env.tasks.linear_text import NotLinear, looks_like_equation

_LINES = {2: 4, 3: 7, 4: 11}
"""Lines of a solution by the number of unknowns."""
_VALUE = re.compile(rf"\s*([A-Za-z])\s*=\s*({NUMBER})\s*")

Values = tuple[str, ...]
Work = tuple[Values, tuple[Row, ...]]
"""Known values in canonical text, empty where unknown, and the equations left."""


class LinearSystem(Task):
    """See the module's text. `Problem.data` is equations with `; ` between them; `State.data` the
    known values and the rows of the equations left."""

    name: ClassVar[str] = "LinearSystem"
    levels: ClassVar[range] = range(1, 6)
    public_verifier: ClassVar[bool] = True
    asks_answer: ClassVar[bool] = True
    room: ClassVar[Room] = Room(compact=128, verbose=1024, feedback=160)

    def generate(self, rng: np.random.Generator, level: int) -> Problem:
        return Problem(self.name, level, draw_system(rng, LEVELS[level]).text)

    def initial(self, problem: Problem) -> State:
        """The given equations, and values that they give outright.

        Raises:
            ValueError: the problem is not a system with a single solution within the limits.
        """
        system = parse_system(problem.data)
        work: Work = ("",) * len(system.names), tuple(sorted(system.rows, key=simplicity))
        for text, row in zip(str(problem.data).split(";"), system.rows):
            if is_value(row):
                work = _after(system, work, text.strip(), row)
        return State(work)

    def step(self, problem: Problem, state: State, line: str) -> Verdict:
        system = parse_system(problem.data)
        if lines.kind_of(line) is Kind.ANSWER:
            text = lines.answer_value(line)
            reason = _wrong(text, system)
            return Verdict(Kind.ANSWER, not reason, State(state.data, text), reason)
        text = line.strip()
        if not looks_like_equation(text):
            return Verdict(Kind.THOUGHT, True, state)
        try:
            row = _consequence(text, system)
        except NotLinear as error:
            return Verdict(Kind.CLAIM, False, state, str(error))
        return Verdict(Kind.CLAIM, True, State(_after(system, _work(state), text, row)))

    def is_solved(self, problem: Problem, state: State) -> bool:
        return state.answer is not None and not _wrong(state.answer, parse_system(problem.data))

    def potential(self, problem: Problem, state: State) -> float:
        if state.answer is not None:
            return float(self.is_solved(problem, state))
        values, rows = _work(state)
        return potential_at(misses_of(rows, _bits(values)) + values.count("") + 1)

    def legal_steps(self, problem: Problem, state: State) -> Sequence[str]:
        if state.answer is not None:
            return []
        return _moves(problem.data, _work(state))

    def expert_step(self, problem: Problem, state: State, rng: np.random.Generator) -> str | None:
        steps = self.legal_steps(problem, state)
        return steps[int(rng.integers(len(steps)))] if steps else None

    def prompt(self, problem: Problem, style: str) -> str:
        system = parse_system(problem.data)
        if style == "compact":
            return system.text
        x, y = system.names[0], system.names[1]
        example = zip(system.names, ("5", "-2", "1/3", "0"))
        form = ", ".join(f"{name} = {value}" for name, value in example)
        return (
            f"Solve for {', '.join(system.names)}:\n" + system.text.replace("; ", "\n") + "\n"
            "Write one equation a line, each a consequence of the given ones: eliminate an unknown "
            "from two equations, again until an equation has only one unknown, write down its "
            f"value, put it in, and so on; for example: 3*{x} - 2*{y} = 7\n"
            f"Write a value as soon as you have it in a line of its own, in the form: {x} = 5\n"
            "At the end write all values as whole numbers or fractions in lowest terms, in the "
            f"form: answer: {form}"
        )

    def show(self, problem: Problem, state: State) -> str:
        names = parse_system(problem.data).names
        values, rows = _work(state)
        known = [f"{name} = {value}" for name, value in zip(names, values) if value]
        return "; ".join(known + [render(row, names) for row in rows])

    def canonical(self, problem: Problem) -> str:
        """Ignores the unknowns' names, the order of equations, and factors of whole equations."""
        rows = parse_system(problem.data).rows
        orders = permutations(range(len(rows)))
        return str(
            min(sorted(_scaled([*(r[k] for k in order), r[-1]]) for r in rows) for order in orders)
        )

    def budget(self, level: int) -> Budget:
        unknowns = LEVELS[level].unknowns
        needed = _LINES[unknowns]
        return Budget(2 * needed + 4, 12 * unknowns * needed)

    def chance(self, level: int) -> float:
        """At level 1, 225 pairs of values are equally likely."""
        return 0.01


def _scaled(row: list[int]) -> list[int]:
    """A row without a common factor, and the first coefficient positive."""
    lead = next(a for a in row if a)
    factor = gcd(*row) if lead > 0 else -gcd(*row)
    return [a // factor for a in row]


def _work(state: State) -> Work:
    return cast(Work, state.data)


def _consequence(text: str, system: System) -> Row:
    """The row of an equation.

    Raises:
        NotLinear: it is no valid claim, for the reason given.
    """
    if len(text) > MAX_CHARS:
        raise NotLinear(f"it is longer than {MAX_CHARS} characters")
    row = row_of(parse_equation(text, system.names))
    if not is_short(row):
        raise NotLinear("its numbers are too long")
    if not any(row[:-1]):
        raise NotLinear("it says nothing about the unknowns")
    if sum(a * b for a, b in zip(row, system.solution)) != row[-1]:
        raise NotLinear("it does not follow from the given equations")
    return row


def _values(system: System, values: Values) -> list[Fraction | None]:
    """The values as numbers, None where unknown."""
    return [number if text else None for text, number in zip(values, system.solution)]


def _bits(values: Values) -> int:
    """The known unknowns."""
    return sum(1 << k for k, text in enumerate(values) if text)


def _after(system: System, work: Work, text: str, row: Row) -> Work:
    """The work with a valid claim added, which has that row."""
    values, rows = work
    # The equations as they are with the known values in; in the state they stay as written.
    written = {put_in(old, _values(system, values)): old for old in rows}
    value = _VALUE.fullmatch(text)
    if value and parse_canonical(value[2]) is not None:
        unknown = system.names.index(value[1])
        if values[unknown]:
            return work
        values = (*values[:unknown], value[2], *values[unknown + 1 :])
        kept = without_one(tuple(written), unknown)
    else:
        told = put_in(row, _values(system, values))
        if not any(told[:-1]):
            return work
        kept = exchanged(tuple(written), told, combination(tuple(written), told))
        written.setdefault(told, row)
    return values, tuple(sorted((written[r] for r in kept), key=simplicity))


@lru_cache(maxsize=16384)
def _moves(data: Json, work: Work) -> tuple[str, ...]:
    """The legal steps."""
    system = parse_system(data)
    values, rows = work
    if all(values):
        return ("answer: " + ", ".join(map("{} = {}".format, system.names, values)),)
    left = [put_in(row, _values(system, values)) for row in rows]
    texts = [
        f"{name} = {value}"
        for k, (name, value) in enumerate(zip(system.names, system.solution))
        if any(reach(row) == 1 << k for row in left)
    ]
    texts += _nearer(system, left, eliminations(left))
    if not texts:
        texts += _nearer(system, left, simplest(left, system.solution))
    return tuple(dict.fromkeys(texts))


def _nearer(
    system: System, rows: list[Row], ways: Iterable[tuple[Row, tuple[Row, ...]]]
) -> Iterator[str]:
    """The ways with exactly one miss less; one that ends in x = 5 outright is more than that."""
    wanted = misses_of(rows) - 1
    for row, after in ways:
        if not is_value(row) and is_short(row) and misses_of(after) == wanted:
            yield render(row, system.names)


def _wrong(answer: str, system: System) -> str:
    """Why an answer is not right; empty if it is."""
    parts = [_VALUE.fullmatch(part) for part in answer.split(",")]
    given = [(part[1], parse_canonical(part[2])) for part in parts if part]
    if len(given) < len(parts) or any(value is None for _, value in given):
        return (
            "an answer is a value for each unknown, whole or a fraction in lowest terms, such as "
            "x = 5, y = -1/3"
        )
    if sorted(name for name, _ in given) != list(system.names):
        return f"an answer has one value for each of {', '.join(system.names)}"
    if dict(given) != dict(zip(system.names, system.solution)):
        return "the values are not right"
    return ""
