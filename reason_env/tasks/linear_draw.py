"""Systems of linear equations drawn at random, by level."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import combinations

import numpy as np

from reason_env.tasks.linear_rows import Row, System, eliminations, is_value, row_of

_NAMES = "abcdfghkmnpqrstuvwxyz"


@dataclass(frozen=True, slots=True)
class Level:
    """Systems of a level: unknowns, and the largest magnitudes and denominators of coefficients
    and of values. Names other than x, y and z where `renamed`."""

    unknowns: int
    coefficient: int
    coefficient_denominator: int
    value: int
    value_denominator: int
    signed: bool = True
    renamed: bool = False


LEVELS = {
    1: Level(2, 4, 1, 15, 1, signed=False),
    2: Level(2, 9, 1, 20, 6),
    3: Level(3, 5, 1, 9, 1),
    4: Level(3, 9, 4, 20, 6, renamed=True),
    5: Level(4, 9, 1, 20, 6, renamed=True),
}


def draw_system(rng: np.random.Generator, level: Level) -> System:
    """A system in which elimination meets no luck: of its coefficients all minors differ from zero,
    and one of two unknowns does not drop out to leave `x = 5` outright."""
    names = "xyz"[: level.unknowns]
    if level.renamed:
        names = "".join(sorted(rng.choice(list(_NAMES), level.unknowns, replace=False)))
    solution = tuple(
        _number(rng, level.value, level.value_denominator, level.signed) for _ in names
    )
    while True:
        equations = []
        for _ in names:
            coefficients = [
                _number(rng, level.coefficient, level.coefficient_denominator) for _ in names
            ]
            value = sum((a * b for a, b in zip(coefficients, solution)), Fraction(0))
            equations.append((*coefficients, -value))
        rows = tuple(map(row_of, equations))
        if _is_generic([row[:-1] for row in rows]) and not any(
            is_value(row) for row, _ in eliminations(rows)
        ):
            return System(names, tuple(equations), rows, solution)


def _number(
    rng: np.random.Generator, largest: int, denominator: int, signed: bool = True
) -> Fraction:
    """A number other than 0 of at most that magnitude and denominator."""
    sign = int(rng.choice([-1, 1])) if signed else 1
    whole = int(rng.integers(1, largest + 1))
    return Fraction(sign * whole, int(rng.integers(1, denominator + 1)))


def _is_generic(matrix: Sequence[Row]) -> bool:
    """Whether no minor is zero."""
    places = range(len(matrix))
    return all(
        _determinant([tuple(matrix[i][k] for k in columns) for i in rows])
        for size in range(1, len(matrix) + 1)
        for rows in combinations(places, size)
        for columns in combinations(places, size)
    )


def _determinant(matrix: Sequence[Row]) -> int:
    if len(matrix) == 1:
        return matrix[0][0]
    return sum(
        (-1) ** k * a * _determinant([row[:k] + row[k + 1 :] for row in matrix[1:]])
        for k, a in enumerate(matrix[0])
    )
