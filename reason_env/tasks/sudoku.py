"""Sudoku: fill the grid so that every row, column and box holds every digit once.

An episode (level 1):

    4 . 3 . / 3 2 . 4 / 1 4 . . / 2 . 4 1
    r2c3 = 1
    r3c3 = 2
    r3c4 = 3
    r1c4 = 2
    r4c2 = 3
    r1c2 = 1

A goal task with a public verifier. Grids are 4x4 (boxes of 2x2), 6x6 (boxes of 2 rows and 3
columns) or 9x9 (boxes of 3x3) and have exactly one solution. A claim fills an empty cell and is
valid if its row, column and box do not hold the digit yet; a valid claim can well be a dead end,
with potential 0, from which only `undo` leads back. The legal steps fill the eight cells that the
fewest digits fit in, in every way that the rules allow: they may be filled in any order, so this
loses nothing. Since the solution is the only one (a SAT solver makes sure of it), the potential is
exact: what agrees with it takes one line for each empty cell, and all else is a dead end.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from itertools import combinations
from math import isqrt
from typing import Any, ClassVar

import numpy as np

from reason_env import lines
from reason_env.problem import Json, Kind, Problem, State, Verdict
from reason_env.task import Budget, Room, Task, potential_at

EMPTY = "."
BOXES = {4: (2, 2), 6: (2, 3), 9: (3, 3)}
"""Rows and columns of a box, by the size of the grid."""
CHOICE = 8
"""Cells that the legal steps offer at a time."""

# (size, empty cells) of each level; a few problems of the last have fewer
_LEVELS = {
    1: (4, 6),
    2: (4, 8),
    3: (6, 19),
    4: (9, 38),
    5: (9, 46),
    6: (9, 54),
}
_CLAIM = re.compile(r"r([0-9]+)c([0-9]+)\s*=\s*([0-9]+)")

Cells = str
"""A grid as one text, row by row."""


class Sudoku(Task):
    """See the module's text. `Problem.data` and `State.data` are the rows, each a text with a dot
    for an empty cell."""

    name: ClassVar[str] = "Sudoku"
    levels: ClassVar[range] = range(1, 7)
    public_verifier: ClassVar[bool] = True
    asks_answer: ClassVar[bool] = False
    room: ClassVar[Room] = Room(feedback=168)

    def generate(self, rng: np.random.Generator, level: int) -> Problem:
        return Problem(self.name, level, _rows(_draw(rng, *_LEVELS[level])))

    def initial(self, problem: Problem) -> State:
        _solution(problem.data)
        return State(problem.data)

    def step(self, problem: Problem, state: State, line: str) -> Verdict:
        if lines.kind_of(line) is Kind.ANSWER:
            reason = "no answer is asked for: the episode ends when the grid is full"
            return Verdict(Kind.ANSWER, False, state, reason)
        match = _CLAIM.fullmatch(line.strip())
        if match is None:
            return Verdict(Kind.THOUGHT, True, state)
        cells = _cells(state.data)
        reason = _obstacle(cells, *match.groups())
        if reason:
            return Verdict(Kind.CLAIM, False, state, reason)
        row, column, digit = match.groups()
        cell = (int(row) - 1) * _size(cells) + int(column) - 1
        return Verdict(Kind.CLAIM, True, State(_rows(cells[:cell] + digit + cells[cell + 1 :])))

    def is_solved(self, problem: Problem, state: State) -> bool:
        # Valid claims keep the rules, so a full grid is a solution.
        return EMPTY not in _cells(state.data)

    def potential(self, problem: Problem, state: State) -> float:
        cells, solution = _cells(state.data), _solution(problem.data)
        agrees = all(mark in (EMPTY, digit) for mark, digit in zip(cells, solution))
        return potential_at(cells.count(EMPTY) if agrees else None)

    def legal_steps(self, problem: Problem, state: State) -> Sequence[str]:
        cells = _cells(state.data)
        return [
            f"{_name(cells, cell)} = {digit}"
            for cell, digits in _choices(cells).items()
            for digit in digits
        ]

    def expert_step(self, problem: Problem, state: State, rng: np.random.Generator) -> str | None:
        if self.potential(problem, state) in (0.0, 1.0):
            return None
        cells, solution = _cells(state.data), _solution(problem.data)
        open_ = list(_choices(cells))
        cell = open_[int(rng.integers(len(open_)))]
        return f"{_name(cells, cell)} = {solution[cell]}"

    def prompt(self, problem: Problem, style: str) -> str:
        if style == "compact":
            return self.show(problem, self.initial(problem))
        cells = _cells(problem.data)
        size = _size(cells)
        high, wide = BOXES[size]
        grid = "\n".join(" ".join(row) for row in _rows(cells))
        return (
            f"Fill the empty cells (dots) of this {size}x{size} Sudoku, so that every row, every "
            f"column and every box of {high} rows and {wide} columns holds each digit from 1 to "
            f"{size} once:\n{grid}\n"
            "Fill one cell a line, exactly in the form: r1c2 = 3\n"
            "Here r1 is the top row and c2 the second column from the left. A line that says only "
            "undo takes back the last one."
        )

    def show(self, problem: Problem, state: State) -> str:
        return " / ".join(" ".join(row) for row in _rows(_cells(state.data)))

    def canonical(self, problem: Problem) -> str:
        """Ignores which digit is which, and how the grid is turned or mirrored."""
        cells = _cells(problem.data)
        return min(_relabelled([cells[cell] for cell in view]) for view in _views(_size(cells)))

    def budget(self, level: int) -> Budget:
        steps = 2 * _LEVELS[level][1] + 4
        return Budget(steps, 8 * steps)


def _size(cells: Cells) -> int:
    return isqrt(len(cells))


def _cells(data: Json) -> Cells:
    assert isinstance(data, tuple)
    return "".join(map(str, data))


def _rows(cells: Cells) -> tuple[str, ...]:
    size = _size(cells)
    return tuple(cells[i : i + size] for i in range(0, len(cells), size))


def _digits(size: int) -> str:
    return "123456789"[:size]


def _name(cells: Cells, cell: int) -> str:
    row, column = divmod(cell, _size(cells))
    return f"r{row + 1}c{column + 1}"


@lru_cache
def _units(size: int) -> tuple[tuple[int, int, int], ...]:
    """The row, column and box of each cell, from 0."""
    high, wide = BOXES[size]
    return tuple(
        (row, column, row // high * high + column // wide)
        for row in range(size)
        for column in range(size)
    )


@lru_cache
def _peers(size: int) -> tuple[tuple[int, ...], ...]:
    """For each cell the cells that share its row, column or box, itself among them."""
    units = _units(size)
    return tuple(
        tuple(i for i, theirs in enumerate(units) if any(x == y for x, y in zip(own, theirs)))
        for own in units
    )


def _obstacle(cells: Cells, row: str, column: str, digit: str) -> str:
    """Why the digit cannot be put in the cell; empty if it can."""
    size = _size(cells)
    numbers = tuple(_digits(size))
    if any(text not in numbers for text in (row, column, digit)):
        return f"rows, columns and digits go from 1 to {size}"
    cell = (int(row) - 1) * size + int(column) - 1
    if cells[cell] != EMPTY:
        return f"r{row}c{column} is not empty"
    units = _units(size)
    for kind, name in enumerate(("row", "column", "box")):
        if any(
            mark == digit and units[i][kind] == units[cell][kind] for i, mark in enumerate(cells)
        ):
            return f"the {name} of r{row}c{column} has a {digit} already"
    return ""


def _choices(cells: Cells) -> dict[int, str]:
    """The empty cells that fewest digits fit in, in the order of the grid, with those digits."""
    size = _size(cells)
    peers = _peers(size)
    fitting: dict[int, str] = {}
    for cell, mark in enumerate(cells):
        if mark == EMPTY:
            near = {cells[i] for i in peers[cell]}
            fitting[cell] = "".join(digit for digit in _digits(size) if digit not in near)
    fewest = sorted(fitting, key=lambda cell: len(fitting[cell]))[:CHOICE]
    return {cell: fitting[cell] for cell in sorted(fewest)}


# -- Problems --------------------------------------------------------------------------------------


def _literal(size: int, cell: int, digit: int) -> int:
    """What a SAT solver calls it that the cell holds the digit, counted from 0."""
    return cell * size + digit + 1


@lru_cache
def _groups(size: int) -> tuple[tuple[int, ...], ...]:
    """Literals of which exactly one is true: the digits of a cell, the cells for a digit of a
    row, column or box."""
    groups = [[(cell, digit) for digit in range(size)] for cell in range(size * size)]
    for kind in range(3):
        for number in range(size):
            unit = [i for i, theirs in enumerate(_units(size)) if theirs[kind] == number]
            groups += [[(cell, digit) for cell in unit] for digit in range(size)]
    return tuple(tuple(_literal(size, *place) for place in group) for group in groups)


def _clauses(size: int, given: frozenset[int]) -> list[list[int]]:
    """The rules, for a grid in which these literals are given."""
    groups = _groups(size)
    # Working out what the given cells rule out leaves few clauses.
    false = {x for group in groups if not given.isdisjoint(group) for x in group} - given
    clauses = [[-x] for x in false]
    for group in groups:
        left = [x for x in group if x not in false]
        clauses.append(left)
        clauses += [[-one, -other] for one, other in combinations(left, 2)]
    return clauses


@lru_cache
def _rules(size: int) -> list[list[int]]:
    """The rules for any grid."""
    return _clauses(size, frozenset())


def _solver(clauses: list[list[int]]) -> Any:
    """A SAT solver; what it holds is freed by `with`."""
    # Importing a solver takes longer than importing the rest of the package.
    from pysat.solvers import Minisat22

    return Minisat22(bootstrap_with=clauses)


@lru_cache(maxsize=4096)
def _solution(data: Json) -> Cells:
    """The only solution of a problem.

    Raises:
        ValueError: names what is wrong with the problem's data.
    """
    if not isinstance(data, tuple) or len(data) not in BOXES:
        raise ValueError(f"Expected 4, 6 or 9 rows, received {data!r:.80}")
    size = len(data)
    digits = _digits(size)
    for row in data:
        if not isinstance(row, str) or len(row) != size or not set(row) <= {EMPTY, *digits}:
            raise ValueError(f"Expected a row of {size} dots or digits of {digits}: {row!r:.40}")
    cells = _cells(data)
    if EMPTY not in cells:
        raise ValueError("No cell is empty")
    given = [_literal(size, i, digits.index(d)) for i, d in enumerate(cells) if d != EMPTY]
    with _solver(_clauses(size, frozenset(given))) as solver:
        if not solver.solve():
            raise ValueError(f"The grid has no solution: {data}")
        held = [literal for literal in solver.get_model() if literal > 0]
        solver.add_clause([-literal for literal in held])
        if solver.solve():
            raise ValueError(f"The grid has more than one solution: {data}")
    return "".join(digits[(literal - 1) % size] for literal in sorted(held))


def _draw(rng: np.random.Generator, size: int, most: int) -> Cells:
    """A grid with one solution and at most so many empty cells."""
    with _solver(_rules(size)) as solver:
        held: list[int] = []
        for cell in range(size * size):
            for digit in rng.permutation(size):
                literal = _literal(size, cell, int(digit))
                if solver.solve(assumptions=[*held, literal]):
                    held.append(literal)
                    break
        given = set(held)
        for literal in rng.permutation(held).tolist():
            # What follows from the others is not needed.
            others = given - {literal}
            spare = len(held) - len(others) <= most
            if spare and not solver.solve(assumptions=[*others, -literal]):
                given = others
    digits = _digits(size)
    return "".join(digits[(x - 1) % size] if x in given else EMPTY for x in held)


@lru_cache
def _views(size: int) -> tuple[tuple[int, ...], ...]:
    """The cells of the grid in the order of each turned or mirrored one with boxes of one shape."""
    square = np.arange(size * size).reshape(size, size)
    high, wide = BOXES[size]
    turned = [square, square.T] if high == wide else [square]
    flipped = [view[::down, ::right] for view in turned for down in (1, -1) for right in (1, -1)]
    return tuple(tuple(view.ravel().tolist()) for view in flipped)


def _relabelled(marks: Sequence[str]) -> str:
    """The marks with the digits renamed in the order in which they first appear."""
    names: dict[str, str] = {EMPTY: EMPTY}
    return "".join(names.setdefault(mark, str(len(names))) for mark in marks)
