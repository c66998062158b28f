"""Systems of linear equations as rows of whole numbers, and how far they are from solved.

A row is the coefficients of the unknowns and the number on the right: `2*x - y = 7` is (2, -1, 7).
Its *reach* is the set of unknowns in it, as bits.

Of m independent equations in m unknowns, c(T) are in the unknowns of the set T alone; at most |T|,
and T is *complete* if it has so many. The system is triangular if the unknowns have an order in
which the first i are complete, for every i: then it is solved one unknown after the other, by
substitution. Its *misses* are the least sum, over all orders, of i - c(first i) for i below m.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from itertools import combinations, permutations
from math import gcd, lcm

from reason_env.problem import Json
from reason_env.tasks.linear_text import MAX_DIGITS, NotLinear, looks_like_equation, read_sum

Row = tuple[int, ...]
Form = tuple[Fraction, ...]
"""Coefficients and a constant: a side of an equation."""

MAX_CHARS = 1000
MAX_NUMBER = 10**12
"""Limits of a problem: its text, the numbers of its rows, numerators and denominators of its
solution. They keep the rows that `simplest` makes within the limits of a claim."""

_BOUND: int = 10**MAX_DIGITS


def parse_equation(text: str, names: str) -> Form:
    """Left side minus right side of an equation in the unknowns `names`.

    Raises:
        NotLinear: says what is wrong.
    """

    def leaf(piece: str) -> Form:
        if piece.isalpha() and piece not in names:
            raise NotLinear(f"there is no unknown {piece}")
        if len(piece) > MAX_DIGITS:
            raise NotLinear(f"it has a number of more than {MAX_DIGITS} digits")
        constant = Fraction(0 if piece.isalpha() else int(piece))
        return (*(Fraction(name == piece) for name in names), constant)

    def join(sign: str, left: Form | None, right: Form) -> Form:
        if left is None:
            result = tuple(-a for a in right)
        elif sign in "+-":
            result = tuple(a + b if sign == "+" else a - b for a, b in zip(left, right))
        else:
            result = _multiplied(left, sign, right)
        if any(max(abs(a.numerator), a.denominator) >= _BOUND for a in result):
            raise NotLinear(f"it comes to numbers of more than {MAX_DIGITS} digits")
        return result

    left, right = (read_sum(side, leaf, join)[0] for side in text.split("="))
    return join("-", left, right)


def _multiplied(left: Form, sign: str, right: Form) -> Form:
    if sign == "*" and any(right[:-1]):
        left, right = right, left
    if any(right[:-1]):
        raise NotLinear("it is not linear in the unknowns")
    by = right[-1]
    if sign == "/" and not by:
        raise NotLinear("division by zero")
    return tuple(a * by if sign == "*" else a / by for a in left)


def row_of(difference: Form) -> Row:
    """The row of an equation, of which `difference` is left side minus right side."""
    *coefficients, constant = difference
    return tidy([*coefficients, -constant])


def tidy(numbers: Sequence[Fraction | int]) -> Row:
    """The same equation in whole numbers, the first coefficient positive, and without a common
    factor unless it has but one unknown: `4*x = 20` is not yet `x = 5`."""
    scale = lcm(*(number.denominator for number in numbers))
    row = tuple(int(number * scale) for number in numbers)
    factor = 1 if reach(row).bit_count() == 1 else gcd(*row) or 1
    if next((a for a in row if a), 0) < 0:
        factor = -factor
    return tuple(a // factor for a in row)


def render(numbers: Sequence[Fraction | int], names: str) -> str:
    """Canonical text: the unknowns on the left, a number on the right."""
    text = ""
    for a, name in zip(numbers, names):
        if not a:
            continue
        term = name if abs(a) == 1 else f"{abs(a)}*{name}"
        text += (" - " if a < 0 else " + ") + term if text else ("-" if a < 0 else "") + term
    return f"{text or '0'} = {numbers[-1]}"


def reach(row: Row) -> int:
    """The unknowns in a row, as bits."""
    return sum(1 << k for k, a in enumerate(row[:-1]) if a)


def simplicity(row: Row) -> tuple[int, int, Row]:
    """Sorts rows: few unknowns come first, then small numbers."""
    return reach(row).bit_count(), max(map(abs, row)), row


def is_value(row: Row) -> bool:
    """Whether it is `x = 5`."""
    return reach(row).bit_count() == 1 and max(row[:-1]) == 1


def is_short(row: Row) -> bool:
    """Whether its numbers are within the limits of a claim."""
    return all(abs(a) < _BOUND for a in row)


def solve(rows: Sequence[Row]) -> tuple[Fraction, ...] | None:
    """The only solution of as many equations as unknowns; None if it has none or many."""
    left = [[Fraction(a) for a in row] for row in rows]
    for k in range(len(left)):
        pivot = next((i for i in range(k, len(left)) if left[i][k]), None)
        if pivot is None:
            return None
        left[k], left[pivot] = left[pivot], left[k]
        left[k] = [a / left[k][k] for a in left[k]]
        for i, row in enumerate(left):
            if i != k and row[k]:
                left[i] = [a - row[k] * b for a, b in zip(row, left[k])]
    return tuple(row[-1] for row in left)


def combination(rows: Sequence[Row], row: Row) -> list[Row]:
    """Those of independent rows which a row is a combination of."""
    used = [k for k in range(len(row) - 1) if any(r[k] for r in rows)]
    weights = solve([(*(r[k] for r in rows), row[k]) for k in used])
    assert weights is not None, "as many independent rows as unknowns in them"
    return [r for r, weight in zip(rows, weights) if weight]


@dataclass(frozen=True, slots=True)
class System:
    """A problem.

    Attributes:
        names: the unknowns, a letter each, in alphabetical order.
        equations: left side minus right side of each, as given.
        rows: the same as rows.
        solution: their values.
    """

    names: str
    equations: tuple[Form, ...]
    rows: tuple[Row, ...]
    solution: tuple[Fraction, ...]

    @property
    def text(self) -> str:
        return "; ".join(render((*e[:-1], -e[-1]), self.names) for e in self.equations)


@lru_cache(maxsize=65536)
def parse_system(data: Json) -> System:
    """The system of a text: equations with `;` between them.

    Raises:
        ValueError: names what is wrong.
    """
    if not isinstance(data, str) or len(data) > MAX_CHARS:
        raise ValueError(
            f"A system is a text of at most {MAX_CHARS} characters, received {data!r:.80}"
        )
    texts = data.split(";")
    names = "".join(sorted(set(re.findall("[A-Za-z]", data))))
    if not 2 <= len(names) == len(texts) <= 4:
        raise ValueError(
            "A system is 2 to 4 equations in as many unknowns with ; between them, received "
            f"{len(texts)} in {len(names)}: {data!r:.80}"
        )
    if not all(looks_like_equation(text.strip()) for text in texts):
        raise ValueError(f"Not all parts of system {data!r:.80} are equations")
    try:
        equations = tuple(parse_equation(text, names) for text in texts)
    except NotLinear as error:
        raise ValueError(f"System {data!r:.80} is not usable: {error}") from error
    rows = tuple(map(row_of, equations))
    solution = solve(rows)
    if solution is None:
        raise ValueError(f"System {data!r:.80} has not exactly one solution")
    numbers = [a for row in rows for a in row]
    numbers += [part for value in solution for part in value.as_integer_ratio()]
    if max(map(abs, numbers)) >= MAX_NUMBER:
        raise ValueError(f"System {data!r:.80} comes to numbers of {MAX_NUMBER} or more")
    return System(names, equations, rows, solution)


@lru_cache(maxsize=65536)
def misses(reaches: tuple[int, ...]) -> int:
    """How far a system is from triangular (see the module's text).

    An equation counts for all i from the place of its last unknown on: the sum over i of c(first i)
    is that of m - place over all equations, and so the misses are the sum of these places less
    1 + 2 + ... + m.
    """
    unknowns = [1 << k for k in range(max(reaches, default=0).bit_length())]
    unknowns = [bit for bit in unknowns if any(bit & r for r in reaches)]
    least = min(
        sum(max(place for place, bit in enumerate(order, 1) if bit & r) for r in reaches)
        for order in permutations(unknowns)
    )
    return least - sum(range(1, len(unknowns) + 1))


def misses_of(rows: Sequence[Row], known: int = 0) -> int:
    """Misses of rows, without the unknowns that are known."""
    return misses(tuple(sorted(reach(row) & ~known for row in rows)))


def exchanged(rows: Sequence[Row], row: Row, among: Sequence[Row]) -> tuple[Row, ...]:
    """The rows with a new one in the place of one of those that it is a combination of.

    That is the one whose loss costs least, and of those the one with most unknowns and largest
    numbers. It has an unknown that the new one is without: an equation only goes for one that says
    more. Where the new one would take the system further from triangular, the rows stay as they
    are.
    """
    widest = sorted(among, key=simplicity, reverse=True)
    ways = [(*(r for r in rows if r != old), row) for old in widest if reach(old) & ~reach(row)]
    best = min(ways, key=misses_of, default=tuple(rows))
    return best if misses_of(best) <= misses_of(rows) else tuple(rows)


def without_one(rows: Sequence[Row], unknown: int) -> tuple[Row, ...]:
    """The rows that are still needed when an unknown is known: one less."""
    unit = tuple(int(k == unknown) for k in range(len(rows[0])))
    least_simple = sorted(combination(rows, unit), key=simplicity, reverse=True)
    ways = [tuple(r for r in rows if r != old) for old in least_simple]
    return min(ways, key=lambda way: misses_of(way, 1 << unknown))


def put_in(row: Row, values: Sequence[Fraction | None]) -> Row:
    """A row with the known values put in."""
    rest = [a if value is None else 0 for a, value in zip(row, values)]
    known = sum((a * value for a, value in zip(row, values) if value is not None), Fraction(0))
    return tidy([*rest, row[-1] - known])


def eliminations(rows: Sequence[Row]) -> Iterator[tuple[Row, tuple[Row, ...]]]:
    """Each way to eliminate an unknown from two rows.

    Yields:
        The row that comes of it, and the system with it.
    """
    for f, g in combinations(rows, 2):
        for k in range(len(f) - 1):
            if f[k] and g[k]:
                common = gcd(f[k], g[k])
                row = tidy([g[k] // common * a - f[k] // common * b for a, b in zip(f, g)])
                yield row, exchanged(rows, row, (f, g))


def simplest(
    rows: Sequence[Row], solution: Sequence[Fraction]
) -> Iterator[tuple[Row, tuple[Row, ...]]]:
    """Equations such as 2*x = 10 or x + 2*y = 17, of which one takes a system nearer to triangular.

    In the best order, let the first i unknowns be not complete, for the largest such i. The first
    i + 1 are complete, so any equation in them follows from theirs, and so does any in the first i.
    Equations with the powers of 2, 3, .. i + 1 for coefficients are independent (Vandermonde), so
    one of these i is no combination of what is known of the first i alone: it can take the place of
    an equation with the next unknown, and the misses fall.
    """
    unknowns = [k for k in range(len(solution)) if any(r[k] for r in rows)]
    for size in range(len(unknowns) - 1, 0, -1):
        for chosen in combinations(unknowns, size):
            for base in range(2, size + 2):
                powers = {k: base ** (place + 1) for place, k in enumerate(chosen)}
                value = sum((power * solution[k] for k, power in powers.items()), Fraction(0))
                row = tidy([*(powers.get(k, 0) for k in range(len(solution))), value])
                yield row, exchanged(rows, row, combination(rows, row))
